//! Every result code of every function: what leads to it, where else a test meets it, or why this eUICC never says it.
//! A code that the specification lists and this table doesn't fails the test.

mod functions;
mod packages;

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
use applet_model::sgp::notification::{
    DeleteNotificationStatus, ErrorReason, NotificationsListResultError,
};
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
const AUTHENTICATION: &str = "authentication_fails_with_the_code_of_what_is_wrong";
const PREPARATION: &str = "preparation_fails_with_the_code_of_what_is_wrong";
const CERTIFICATE: &str =
    "a_certificate_for_authentication_is_refused_for_each_thing_that_is_wrong_in_it";
const BINDING: &str = "a_certificate_for_binding_is_refused_for_each_thing_that_is_wrong_in_it";
const LISTS: &str = "lists_are_refused_with_the_code_of_what_is_wrong";
const REFUSED: &str = "a_package_is_refused_for_each_reason_once";
const CHANNEL: &str = "a_secure_channel_is_refused_for_each_thing_that_is_wrong_in_it";
const METADATA: &str = "metadata_are_checked";
const ORDER: &str = "segments_in_another_order_or_missing_are_refused";
const INSTALLED: &str =
    "a_profile_is_installed_deleted_and_enabled_at_once_where_that_is_configured";

/// Where these tests are.
const SOURCES: &str = concat!(
    include_str!("../packages.rs"),
    include_str!("../switches.rs"),
    include_str!("../download/authentication.rs"),
    include_str!("../download/certificates.rs"),
    include_str!("../download/installing.rs"),
    include_str!("../download/loading.rs"),
);

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

#[test]
fn every_code_is_met_or_has_a_reason_why_not() {
    let start = Lab::new();
    let tables = [
        functions::local(),
        functions::of_the_ipa(),
        packages::of_packages(),
        packages::of_downloads(),
    ];
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
                Elsewhere(test) => assert!(SOURCES.contains(&format!("fn {test}()")), "{test}"),
                Never(reason) => assert!(!reason.is_empty()),
            }
        }
    }
}
