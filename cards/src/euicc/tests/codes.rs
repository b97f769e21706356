//! Every result code of every function: what leads to it, where else a test meets it, or why this eUICC never says it.
//! A code that the specification lists and this table doesn't fails the test.

use super::*;
use crate::euicc::download::JustInstalled;
use applet_model::sgp::asn1::{Described, Schema, Shape};
use applet_model::sgp::certs::{GetCertsError, LoadCrlResponseError};
use applet_model::sgp::download::{
    AuthenticateErrorCode, CancelSessionResponseError, DownloadErrorCode,
};
use applet_model::sgp::eim_config::AddInitialEimError;
use applet_model::sgp::es10::*;
use applet_model::sgp::es10c::*;
use applet_model::sgp::euicc_package::{ConfigureImmediateEnable, NoParameters, ProfileOperation};
use applet_model::sgp::euicc_result::*;
use applet_model::sgp::notification::{DeleteNotificationStatus, NotificationsListResultError};
use applet_model::sgp::profile::ProfileInfoListError;
use std::collections::BTreeMap;

/// How a code is met.
enum Met {
    /// By this.
    Here(fn(&mut Lab) -> i64),
    /// By this test.
    Elsewhere(&'static str),
    /// Not at all, and why.
    Never(&'static str),
}
use Met::{Elsewhere, Here, Never};

const UNREADABLE: &str = "a request that can't be read is answered with 6A80";
const NO_DEFECT: &str = "this eUICC has no defects of its own to report";
const AUTHENTICATION: &str =
    "download::authentication::authentication_fails_with_the_code_of_what_is_wrong";
const PREPARATION: &str =
    "download::authentication::preparation_fails_with_the_code_of_what_is_wrong";
const CERTIFICATES: &str = "download::certificates";
const LISTS: &str = "download::certificates::lists_are_refused_with_the_code_of_what_is_wrong";
const REFUSED: &str = "packages::a_package_is_refused_for_each_reason_once";

/// The code at the end of an answer.
fn last(bytes: &[u8]) -> i64 {
    i64::from(*bytes.last().unwrap())
}

/// Sends a function's request as the IPA.
fn ipa(lab: &mut Lab, request: &str) -> i64 {
    last(&lab.send(&hex::decode(request).unwrap()).data)
}

/// Sends a function's request as an LPA.
fn lpa(lab: &mut Lab, request: &str) -> i64 {
    let request = hex::decode(request).unwrap();
    let (answer, _) = lab.euicc.es10_of_device(&mut lab.nvm, &request).unwrap();
    last(&answer.data)
}

/// Executes operations, and gives the last one's code.
fn psmos(lab: &mut Lab, list: Vec<Psmo>) -> i64 {
    last(&lab.psmos(list).pop().unwrap().to_der().unwrap())
}

fn eco(lab: &mut Lab, operation: Eco) -> i64 {
    last(&lab.ecos(vec![operation]).pop().unwrap().to_der().unwrap())
}

fn busy(lab: &mut Lab) -> &mut Lab {
    lab.euicc.faults.cat_busy = 1;
    lab
}

/// With something about a profile changed.
fn with<'a>(lab: &'a mut Lab, text: &str, change: fn(&mut Profile)) -> &'a mut Lab {
    change(lab.profile(text));
    lab
}

fn locked(profile: &mut Profile) {
    profile.policy.ppr1_no_disable = true;
}

fn kept(profile: &mut Profile) {
    profile.policy.ppr2_no_delete = true;
}

fn ecall(profile: &mut Profile) {
    profile.ecall = true;
}

fn fallback(profile: &mut Profile) {
    profile.fallback = true;
}

fn test(profile: &mut Profile) {
    profile.class = ProfileClass::Test;
}

fn full(lab: &mut Lab) -> &mut Lab {
    lab.euicc.faults.memory_full = true;
    lab
}

fn without_eims(lab: &mut Lab) -> &mut Lab {
    lab.euicc.state.eims.clear();
    lab
}

// EnableProfile, DisableProfile and DeleteProfile of the three profiles and of none.
const ENABLE_BETA: &str = "BF3111A00C5A0A989909020000000000928101FF";
const ENABLE_ALPHA: &str = "BF3111A00C5A0A989909010000000000318101FF";
const ENABLE_GAMMA: &str = "BF3111A00C5A0A989909030000000000538101FF";
const ENABLE_NONE: &str = "BF3111A00C5A0A988803030000604122F48101FF";
const DISABLE_ALPHA: &str = "BF3211A00C5A0A989909010000000000318101FF";
const DISABLE_BETA: &str = "BF3211A00C5A0A989909020000000000928101FF";
const DISABLE_NONE: &str = "BF3211A00C5A0A988803030000604122F48101FF";
const DELETE_ALPHA: &str = "BF330C5A0A98990901000000000031";
const DELETE_BETA: &str = "BF330C5A0A98990902000000000092";
const DELETE_NONE: &str = "BF330C5A0A988803030000604122F4";
const FALLBACK: &str = "BF5D038001FF";
const RETURN: &str = "BF5E038001FF";
const EMERGENCY: &str = "BF5B038001FF";
const END_EMERGENCY: &str = "BF5C038001FF";
const IMMEDIATE: &str = "BF5A038001FF";
const ROLLBACK: &str = "BF58038001FF";
/// Options deleteOperationalProfiles, deleteProvisioningProfiles.
const RESET: &str = "BF6404820207 80";
const RESET_NOTHING: &str = "BF640482020308";

fn enable(text: &str, rollback: bool) -> Psmo {
    Psmo::enable(iccid(text), rollback)
}

fn set_fallback(text: &str) -> Psmo {
    Psmo::SetFallbackAttribute(ProfileOperation { iccid: iccid(text) })
}

fn unset_fallback() -> Psmo {
    Psmo::UnsetFallbackAttribute(NoParameters {})
}

fn immediate() -> Psmo {
    Psmo::ConfigureImmediateEnable(ConfigureImmediateEnable::default())
}

fn default_address(length: usize) -> Psmo {
    Psmo::SetDefaultDpAddress(SetDefaultDpAddressRequest {
        default_dp_address: "x".repeat(length),
    })
}

/// A second eIM's entry, with something about it changed.
fn entry(change: fn(&mut EimConfigurationData)) -> EimConfigurationData {
    let second = Hierarchy::lab()
        .unwrap()
        .issue_eim("eim2.lab.example")
        .unwrap();
    let mut data = second.configuration_data(0, false).unwrap();
    change(&mut data);
    data
}

fn add(lab: &mut Lab, change: fn(&mut EimConfigurationData)) -> i64 {
    eco(lab, Eco::AddEim(entry(change)))
}

fn add_initial(lab: &mut Lab, change: fn(&mut EimConfigurationData)) -> i64 {
    match lab.add_initial(vec![entry(change)]) {
        AddInitialEimResponse::AddInitialEimError(error) => error.code(),
        AddInitialEimResponse::AddInitialEimOk(_) => 0,
    }
}

fn update(lab: &mut Lab, change: fn(&mut EimConfigurationData)) -> i64 {
    let mut data = EimConfigurationData::new(lab.eim.fqdn.clone());
    change(&mut data);
    eco(lab, Eco::UpdateEim(data))
}

fn other_ci(data: &mut EimConfigurationData) {
    data.euicc_ci_pk_id = sgp::KeyId::new([1; 20]);
}

fn beyond(data: &mut EimConfigurationData) {
    data.counter_value = Some(0x80_0000);
}

fn ready_for_immediate(lab: &mut Lab) -> &mut Lab {
    lab.euicc.state.immediate.on = true;
    lab.euicc.rsp.installed = Some(JustInstalled {
        iccid: BETA.parse().unwrap(),
        oid: "2.999.1".parse().unwrap(),
        server_address: "smdp.lab.example".into(),
    });
    lab
}

fn granted(lab: &mut Lab) -> &mut Lab {
    lab.psmos(vec![enable(BETA, true)]);
    lab
}

type Row = (&'static Schema, Vec<(i64, Met)>);

fn local() -> Vec<Row> {
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

fn of_the_ipa() -> Vec<Row> {
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

fn of_packages() -> Vec<Row> {
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
                    Elsewhere("packages::rollback_returns_to_the_previous_profile_once"),
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
                (104, Elsewhere("switches::emergency_with_every_code")),
                (127, Never(NO_DEFECT)),
            ],
        ),
    ]
}

fn of_downloads() -> Vec<Row> {
    vec![
        (
            AuthenticateErrorCode::SCHEMA,
            vec![
                (1, Elsewhere(CERTIFICATES)),
                (2, Elsewhere(AUTHENTICATION)),
                (3, Elsewhere(CERTIFICATES)),
                (4, Elsewhere(AUTHENTICATION)),
                (5, Elsewhere(CERTIFICATES)),
                (6, Elsewhere(AUTHENTICATION)),
                (7, Elsewhere(AUTHENTICATION)),
                (127, Never(NO_DEFECT)),
            ],
        ),
        (
            DownloadErrorCode::SCHEMA,
            vec![
                (1, Elsewhere(CERTIFICATES)),
                (2, Elsewhere(PREPARATION)),
                (3, Elsewhere(CERTIFICATES)),
                (4, Elsewhere(PREPARATION)),
                (5, Elsewhere(PREPARATION)),
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

#[test]
fn every_code_is_met_or_has_a_reason_why_not() {
    let start = Lab::new();
    let tables = [local(), of_the_ipa(), of_packages(), of_downloads()];
    for (schema, rows) in tables.into_iter().flatten() {
        let Shape::Codes(listed) = schema.shape else {
            panic!("{} has no codes", schema.name);
        };
        let listed: Vec<i64> = listed.iter().map(|(code, _)| *code).collect();
        let rows: BTreeMap<i64, Met> = rows.into_iter().collect();
        let known: Vec<i64> = rows.keys().copied().collect();
        assert_eq!(known, listed, "{}", schema.name);
        for (code, met) in rows {
            match met {
                Here(run) => assert_eq!(run(&mut start.clone()), code, "{}", schema.name),
                Elsewhere(text) | Never(text) => assert!(!text.is_empty()),
            }
        }
    }
}
