//! Functions of an LPA and of the IPA.

use super::*;

pub fn local() -> Vec<Row> {
    vec![
        (
            LocalEnableResult::SCHEMA,
            vec![
                (0, Here(|l| lpa(l, ENABLE_BETA))),
                (1, Here(|l| lpa(l, ENABLE_NONE))),
                (2, Here(|l| lpa(l, ENABLE_ALPHA))),
                (3, Here(|l| lpa(with(l, ALPHA, locked), ENABLE_BETA))),
                (
                    4,
                    Here(|l| {
                        lpa(with(l, GAMMA, test), ENABLE_GAMMA);
                        lpa(l, ENABLE_BETA)
                    }),
                ),
                (5, Here(|l| lpa(busy(l), ENABLE_BETA))),
                (127, Here(|l| lpa(with(l, ALPHA, ecall), ENABLE_BETA))),
            ],
        ),
        (
            LocalDisableResult::SCHEMA,
            vec![
                (0, Here(|l| lpa(l, DISABLE_ALPHA))),
                (1, Here(|l| lpa(l, DISABLE_NONE))),
                (2, Here(|l| lpa(l, DISABLE_BETA))),
                (3, Here(|l| lpa(with(l, ALPHA, locked), DISABLE_ALPHA))),
                (5, Here(|l| lpa(busy(l), DISABLE_ALPHA))),
                (127, Here(|l| lpa(with(l, ALPHA, ecall), DISABLE_ALPHA))),
            ],
        ),
        (
            LocalDeleteResult::SCHEMA,
            vec![
                (0, Here(|l| lpa(l, DELETE_BETA))),
                (1, Here(|l| lpa(l, DELETE_NONE))),
                (2, Here(|l| lpa(l, DELETE_ALPHA))),
                (3, Here(|l| lpa(with(l, BETA, kept), DELETE_BETA))),
                (
                    127,
                    Here(|l| {
                        ipa(with(l, GAMMA, fallback), FALLBACK);
                        lpa(l, DELETE_ALPHA)
                    }),
                ),
            ],
        ),
        (
            SetNicknameResult::SCHEMA,
            vec![
                (0, Here(|l| ipa(l, "BF290F5A0A98990902000000000092900141"))),
                (1, Here(|l| ipa(l, "BF290F5A0A988803030000604122F4900141"))),
                (
                    127,
                    Here(|l| {
                        let long = "41".repeat(65);
                        ipa(l, &format!("BF294F5A0A989909020000000000929041{long}"))
                    }),
                ),
            ],
        ),
        (
            ProfileInfoListError::SCHEMA,
            vec![
                (1, Here(|l| ipa(l, "BF2D035C019F"))),
                (
                    11,
                    Here(|l| psmos(l, vec![enable(BETA, false), Psmo::list_profile_info()])),
                ),
                (127, Never(NO_DEFECT)),
            ],
        ),
    ]
}

pub fn of_the_ipa() -> Vec<Row> {
    vec![
        (
            ProfileRollbackResult::SCHEMA,
            vec![
                (
                    0,
                    Here(|l| {
                        let answer = granted(l).send(&hex::decode(ROLLBACK).unwrap());
                        i64::from(
                            answer.data[answer.data.iter().position(|b| *b == 2).unwrap() + 2],
                        )
                    }),
                ),
                (1, Here(|l| ipa(l, ROLLBACK))),
                (5, Here(|l| ipa(busy(granted(l)), ROLLBACK))),
                (7, Here(|l| ipa(l, "BF5800"))),
                (127, Never(NO_DEFECT)),
            ],
        ),
        (
            ConfigImmediateEnableResult::SCHEMA,
            vec![
                (0, Here(|l| ipa(without_eims(l), "BF59028000"))),
                (1, Here(|l| ipa(full(without_eims(l)), "BF59028000"))),
                (2, Here(|l| ipa(l, "BF59028000"))),
                (127, Never(NO_DEFECT)),
            ],
        ),
        (
            ImmediateEnableResult::SCHEMA,
            vec![
                (0, Here(|l| ipa(ready_for_immediate(l), IMMEDIATE))),
                (1, Here(|l| ipa(l, IMMEDIATE))),
                (
                    4,
                    Here(|l| {
                        l.euicc.state.immediate.on = true;
                        ipa(l, IMMEDIATE)
                    }),
                ),
                (5, Here(|l| ipa(busy(ready_for_immediate(l)), IMMEDIATE))),
                (127, Never(NO_DEFECT)),
            ],
        ),
        (
            EnableEmergencyProfileResult::SCHEMA,
            vec![
                (0, Here(|l| ipa(with(l, GAMMA, ecall), EMERGENCY))),
                (2, Here(|l| ipa(with(l, ALPHA, ecall), EMERGENCY))),
                (5, Here(|l| ipa(busy(with(l, GAMMA, ecall)), EMERGENCY))),
                (8, Here(|l| ipa(l, EMERGENCY))),
                (127, Never(NO_DEFECT)),
            ],
        ),
        (
            DisableEmergencyProfileResult::SCHEMA,
            vec![
                (0, Here(|l| ipa(with(l, ALPHA, ecall), END_EMERGENCY))),
                (2, Here(|l| ipa(l, END_EMERGENCY))),
                (5, Here(|l| ipa(busy(with(l, ALPHA, ecall)), END_EMERGENCY))),
                (127, Never(NO_DEFECT)),
            ],
        ),
        (
            ExecuteFallbackMechanismResult::SCHEMA,
            vec![
                (0, Here(|l| ipa(with(l, BETA, fallback), FALLBACK))),
                (2, Here(|l| ipa(with(l, ALPHA, fallback), FALLBACK))),
                (5, Here(|l| ipa(busy(with(l, BETA, fallback)), FALLBACK))),
                (6, Here(|l| ipa(l, FALLBACK))),
                (
                    7,
                    Here(|l| {
                        lpa(l, DISABLE_ALPHA);
                        ipa(l, FALLBACK)
                    }),
                ),
                (
                    104,
                    Here(|l| ipa(with(with(l, BETA, fallback), ALPHA, ecall), FALLBACK)),
                ),
                (127, Never(NO_DEFECT)),
            ],
        ),
        (
            ReturnFromFallbackResult::SCHEMA,
            vec![
                (
                    0,
                    Here(|l| {
                        ipa(with(l, BETA, fallback), FALLBACK);
                        ipa(l, RETURN)
                    }),
                ),
                (
                    5,
                    Here(|l| {
                        ipa(with(l, BETA, fallback), FALLBACK);
                        ipa(busy(l), RETURN)
                    }),
                ),
                (6, Here(|l| ipa(l, RETURN))),
                (7, Never(UNREADABLE)),
                (127, Never(NO_DEFECT)),
            ],
        ),
        (
            SetDefaultDpAddressResult::SCHEMA,
            vec![
                (0, Here(|l| psmos(l, vec![default_address(9)]))),
                (127, Here(|l| psmos(l, vec![default_address(256)]))),
            ],
        ),
        (
            ResetResult::SCHEMA,
            vec![
                (0, Here(|l| ipa(l, &RESET.replace(' ', "")))),
                (1, Here(|l| ipa(l, RESET_NOTHING))),
                (5, Here(|l| ipa(busy(l), &RESET.replace(' ', "")))),
                (104, Here(|l| ipa(with(l, ALPHA, ecall), RESET_NOTHING))),
                (127, Here(|l| lpa(with(l, ALPHA, ecall), "BF340482020780"))),
            ],
        ),
        (
            ResetEimResult::SCHEMA,
            vec![
                (0, Here(|l| ipa(l, "BF640482020204"))),
                (1, Here(|l| ipa(without_eims(l), "BF640482020204"))),
                (2, Never("it is supported")),
                (127, Never(NO_DEFECT)),
            ],
        ),
        (
            ResetImmediateEnableConfigResult::SCHEMA,
            vec![
                (0, Here(|l| ipa(l, "BF640482020102"))),
                (1, Never("it is supported")),
                (127, Never(NO_DEFECT)),
            ],
        ),
        (
            ConnectivityParametersError::SCHEMA,
            vec![(1, Here(|l| ipa(l, "BF5F00"))), (127, Never(NO_DEFECT))],
        ),
        (
            IpaeActivationResult::SCHEMA,
            vec![
                (0, Here(|l| ipa(l, "BF420480020780"))),
                (1, Here(|l| ipa(l, "BF4203800100"))),
            ],
        ),
        (
            DeleteNotificationStatus::SCHEMA,
            vec![
                (
                    0,
                    Here(|l| {
                        psmos(l, vec![Psmo::delete(iccid(BETA))]);
                        ipa(l, "BF3003800101")
                    }),
                ),
                (1, Here(|l| ipa(l, "BF3003800101"))),
                (127, Never(NO_DEFECT)),
            ],
        ),
        (
            NotificationsListResultError::SCHEMA,
            vec![(127, Never(NO_DEFECT))],
        ),
        (
            GetCertsError::SCHEMA,
            vec![
                (1, Here(|l| ipa(l, "BF5603800101"))),
                (127, Never(NO_DEFECT)),
            ],
        ),
        (
            AddInitialEimError::SCHEMA,
            vec![
                (1, Here(|l| add_initial(full(without_eims(l)), |_| ()))),
                (2, Here(|l| add_initial(l, |_| ()))),
                (3, Here(|l| add_initial(without_eims(l), other_ci))),
                (
                    5,
                    Here(|l| add_initial(without_eims(l), |d| d.association_token = Some(1))),
                ),
                (6, Here(|l| add_initial(without_eims(l), beyond))),
                (
                    7,
                    Here(|l| add_initial(without_eims(l), |d| d.counter_value = None)),
                ),
                (127, Never(NO_DEFECT)),
            ],
        ),
    ]
}
