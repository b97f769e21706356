//! Operations of eUICC packages, and the functions of a download.

use super::*;

pub fn of_packages() -> Vec<Row> {
    vec![
        (
            EnableProfileResult::SCHEMA,
            vec![
                (0, Here(|l| psmos(l, vec![enable(BETA, false)]))),
                (1, Here(|l| psmos(l, vec![enable(UNKNOWN, false)]))),
                (2, Here(|l| psmos(l, vec![enable(ALPHA, false)]))),
                (
                    3,
                    Here(|l| psmos(with(l, ALPHA, locked), vec![enable(BETA, false)])),
                ),
                (5, Here(|l| psmos(busy(l), vec![enable(BETA, false)]))),
                (
                    20,
                    Here(|l| {
                        lpa(l, DISABLE_ALPHA);
                        psmos(l, vec![enable(BETA, true)])
                    }),
                ),
                (
                    127,
                    Here(|l| psmos(l, vec![enable(BETA, false), enable(GAMMA, false)])),
                ),
            ],
        ),
        (
            DisableProfileResult::SCHEMA,
            vec![
                (0, Here(|l| psmos(l, vec![Psmo::disable(iccid(ALPHA))]))),
                (1, Here(|l| psmos(l, vec![Psmo::disable(iccid(UNKNOWN))]))),
                (2, Here(|l| psmos(l, vec![Psmo::disable(iccid(BETA))]))),
                (
                    3,
                    Here(|l| psmos(with(l, ALPHA, locked), vec![Psmo::disable(iccid(ALPHA))])),
                ),
                (
                    5,
                    Here(|l| psmos(busy(l), vec![Psmo::disable(iccid(ALPHA))])),
                ),
                (127, Never(NO_DEFECT)),
            ],
        ),
        (
            DeleteProfileResult::SCHEMA,
            vec![
                (0, Here(|l| psmos(l, vec![Psmo::delete(iccid(BETA))]))),
                (1, Here(|l| psmos(l, vec![Psmo::delete(iccid(UNKNOWN))]))),
                (2, Here(|l| psmos(l, vec![Psmo::delete(iccid(ALPHA))]))),
                (
                    3,
                    Here(|l| psmos(with(l, BETA, kept), vec![Psmo::delete(iccid(BETA))])),
                ),
                (
                    20,
                    Here(|l| psmos(l, vec![enable(BETA, true), Psmo::delete(iccid(ALPHA))])),
                ),
                (
                    21,
                    Here(|l| {
                        ipa(with(l, BETA, fallback), FALLBACK);
                        psmos(l, vec![Psmo::delete(iccid(ALPHA))])
                    }),
                ),
                (127, Never(NO_DEFECT)),
            ],
        ),
        (
            ConfigureImmediateEnableResult::SCHEMA,
            vec![
                (0, Here(|l| psmos(l, vec![immediate()]))),
                (1, Here(|l| psmos(full(l), vec![immediate()]))),
                (7, Never("a damaged operation is processingTerminated")),
                (127, Never(NO_DEFECT)),
            ],
        ),
        (
            SetFallbackAttributeResult::SCHEMA,
            vec![
                (0, Here(|l| psmos(l, vec![set_fallback(BETA)]))),
                (1, Here(|l| psmos(l, vec![set_fallback(UNKNOWN)]))),
                (2, Here(|l| psmos(l, vec![set_fallback(GAMMA)]))),
                (
                    3,
                    Here(|l| psmos(with(l, ALPHA, fallback), vec![set_fallback(BETA)])),
                ),
                (127, Never(NO_DEFECT)),
            ],
        ),
        (
            UnsetFallbackAttributeResult::SCHEMA,
            vec![
                (
                    0,
                    Here(|l| psmos(with(l, BETA, fallback), vec![unset_fallback()])),
                ),
                (2, Here(|l| psmos(l, vec![unset_fallback()]))),
                (
                    3,
                    Here(|l| psmos(with(l, ALPHA, fallback), vec![unset_fallback()])),
                ),
                (7, Never("it has no parameters that could be wrong")),
                (127, Never(NO_DEFECT)),
            ],
        ),
        (
            AddEimResultCode::SCHEMA,
            vec![
                (0, Here(|l| add(l, |_| ()))),
                (1, Here(|l| add(full(l), |_| ()))),
                (2, Here(|l| add(l, |d| d.eim_id = "eim.lab.example".into()))),
                (3, Here(|l| add(l, other_ci))),
                (5, Here(|l| add(l, |d| d.association_token = Some(1)))),
                (6, Here(|l| add(l, beyond))),
                (7, Here(|l| add(l, |d| d.eim_public_key_data = None))),
                (127, Never(NO_DEFECT)),
            ],
        ),
        (
            DeleteEimResult::SCHEMA,
            vec![
                (
                    0,
                    Here(|l| {
                        add(l, |_| ());
                        eco(l, Eco::delete_eim("eim2.lab.example"))
                    }),
                ),
                (1, Here(|l| eco(l, Eco::delete_eim("nobody")))),
                (2, Here(|l| eco(l, Eco::delete_eim("eim.lab.example")))),
                (7, Never("a damaged operation is processingTerminated")),
                (127, Never(NO_DEFECT)),
            ],
        ),
        (
            UpdateEimResult::SCHEMA,
            vec![
                (
                    0,
                    Here(|l| update(l, |d| d.eim_fqdn = Some("e.example".into()))),
                ),
                (1, Here(|l| update(l, |d| d.eim_id = "nobody".into()))),
                (3, Here(|l| update(l, other_ci))),
                (6, Here(|l| update(l, beyond))),
                (7, Here(|l| update(l, |_| ()))),
                (127, Never(NO_DEFECT)),
            ],
        ),
        (ListEimError::SCHEMA, vec![(127, Never(NO_DEFECT))]),
        (
            RollbackProfileResult::SCHEMA,
            vec![
                (
                    0,
                    Elsewhere("rollback_returns_to_the_previous_profile_once"),
                ),
                (127, Never(NO_DEFECT)),
            ],
        ),
        (
            ProcessingTerminated::SCHEMA,
            vec![
                (1, Here(|l| psmos(l, vec![Psmo::list_profile_info(); 60]))),
                (
                    2,
                    Here(|l| psmos(l, vec![Psmo::from_der(&[0xBD, 0]).unwrap()])),
                ),
                (
                    3,
                    Never("a package is executed whole or, after a power cut, not at all"),
                ),
                (127, Never(NO_DEFECT)),
            ],
        ),
        (
            EuiccPackageErrorCode::SCHEMA,
            vec![
                (3, Elsewhere(REFUSED)),
                (4, Elsewhere(REFUSED)),
                (6, Elsewhere(REFUSED)),
                (15, Elsewhere(REFUSED)),
                (104, Elsewhere("emergency_with_every_code")),
                (127, Never(NO_DEFECT)),
            ],
        ),
    ]
}

pub fn of_downloads() -> Vec<Row> {
    vec![
        (
            AuthenticateErrorCode::SCHEMA,
            vec![
                (1, Elsewhere(CERTIFICATE)),
                (2, Elsewhere(AUTHENTICATION)),
                (3, Elsewhere(CERTIFICATE)),
                (4, Elsewhere(AUTHENTICATION)),
                (5, Elsewhere(CERTIFICATE)),
                (6, Elsewhere(AUTHENTICATION)),
                (7, Elsewhere(AUTHENTICATION)),
                (127, Never(NO_DEFECT)),
            ],
        ),
        (
            DownloadErrorCode::SCHEMA,
            vec![
                (1, Elsewhere(BINDING)),
                (2, Elsewhere(PREPARATION)),
                (3, Elsewhere(BINDING)),
                (4, Elsewhere(PREPARATION)),
                (5, Elsewhere(PREPARATION)),
                (127, Never(NO_DEFECT)),
            ],
        ),
        (
            ErrorReason::SCHEMA,
            vec![
                (1, Elsewhere(METADATA)),
                (2, Elsewhere(CHANNEL)),
                (3, Elsewhere(CHANNEL)),
                (4, Elsewhere(CHANNEL)),
                (5, Elsewhere(CHANNEL)),
                (6, Elsewhere(METADATA)),
                (7, Elsewhere(ORDER)),
                (8, Elsewhere(ORDER)),
                (9, Elsewhere(METADATA)),
                (10, Elsewhere("memory_is_counted_and_said")),
                (
                    11,
                    Elsewhere("a_load_that_something_comes_in_between_is_reported_as_interrupted"),
                ),
                (
                    12,
                    Elsewhere("a_power_cut_before_each_write_leaves_nothing_half"),
                ),
                (13, Elsewhere(INSTALLED)),
                (14, Never("it doesn't judge a test profile's keys")),
                (15, Elsewhere(METADATA)),
                (127, Never(NO_DEFECT)),
            ],
        ),
        (
            CancelSessionResponseError::SCHEMA,
            vec![
                (
                    5,
                    Here(|l| ipa(l, "BF410680010181 0100".replace(' ', "").as_str())),
                ),
                (127, Never(NO_DEFECT)),
            ],
        ),
        (
            LoadCrlResponseError::SCHEMA,
            vec![
                (1, Elsewhere(LISTS)),
                (2, Here(|l| ipa(l, "BF3500"))),
                (3, Elsewhere(LISTS)),
                (4, Elsewhere(LISTS)),
                (5, Elsewhere(LISTS)),
                (6, Elsewhere(LISTS)),
                (127, Never(NO_DEFECT)),
            ],
        ),
    ]
}
