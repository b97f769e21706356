//! LoadEuiccPackage and what follows from it: verification, PSMOs, notifications, rollback.

use super::*;
use applet_model::sgp::es10::{
    ProfileRollbackRequest, ProfileRollbackResponse, ProfileRollbackResult,
    SetDefaultDpAddressRequest,
};
use applet_model::sgp::euicc_package::{ConfigureImmediateEnable, NoParameters, ProfileOperation};
use applet_model::sgp::notification::{
    ListNotificationRequest, ListNotificationResponse, NotificationSentRequest,
    NotificationSentResponse, PendingNotification, RetrieveNotificationsListRequest,
    RetrieveNotificationsListResponse, RetrieveSearchCriteria,
};
use applet_model::sgp::profile::{ProfileInfoListResponse, ProfileState};
use applet_model::tlv;
use der::asn1::Null;

fn set_fallback(text: &str) -> Psmo {
    Psmo::SetFallbackAttribute(ProfileOperation { iccid: iccid(text) })
}

fn unset_fallback() -> Psmo {
    Psmo::UnsetFallbackAttribute(NoParameters {})
}

fn unknown_operation() -> Psmo {
    Psmo::from_der(&[0xBD, 0]).unwrap()
}

fn stored_results(lab: &mut Lab) -> Vec<EuiccPackageResult> {
    let request = RetrieveNotificationsListRequest {
        search_criteria: Some(RetrieveSearchCriteria::EuiccPackageResults(Null)),
    };
    match lab.call(&request) {
        RetrieveNotificationsListResponse::EuiccPackageResultList(list) => list,
        other => panic!("{other:?}"),
    }
}

fn notifications(lab: &mut Lab) -> Vec<(u64, String, String)> {
    let RetrieveNotificationsListResponse::NotificationList(list) =
        lab.call(&RetrieveNotificationsListRequest::default())
    else {
        panic!()
    };
    let key = lab.euicc.public_key(None).unwrap();
    list.iter()
        .map(|n| {
            let PendingNotification::OtherSignedNotification(n) = n else {
                panic!()
            };
            assert!(key.verify(
                n.tbs_other_notification.bytes(),
                &n.euicc_notification_signature
            ));
            let chain = |c: &sgp::CertificateDer| Cert::from_der(&c.to_bytes(), "chain").unwrap();
            crate::pki::verify_euicc_chain(
                &Hierarchy::lab().unwrap().ci.certificate,
                &chain(&n.eum_certificate),
                &chain(&n.euicc_certificate),
                None,
            )
            .unwrap();
            let m = n.tbs_other_notification.value();
            (
                m.seq_number,
                m.profile_management_operation.to_string(),
                m.iccid.unwrap().to_string(),
            )
        })
        .collect()
}

#[test]
fn a_package_is_refused_for_each_reason_once() {
    let mut lab = Lab::new();
    let list = || EuiccPackage::PsmoList(vec![Psmo::list_profile_info()]);
    // Unknown eIM and wrong signatures: unsigned.
    let mut order = lab.order(list());
    order.eim_id = "other".into();
    let bytes = lab.sign(order);
    let EuiccPackageResult::EuiccPackageErrorUnsigned(error) = lab.load(&bytes, None) else {
        panic!()
    };
    assert_eq!(error.eim_id, "other");
    assert!(error.eim_transaction_id.is_some() && error.association_token.is_none());

    let mut order = lab.order(list());
    order.token = None;
    let bytes = lab.sign(order);
    let EuiccPackageResult::EuiccPackageErrorUnsigned(error) = lab.load(&bytes, None) else {
        panic!()
    };
    assert_eq!(error.association_token, Some(1));

    let order = lab.order(list());
    let mut bytes = lab.sign(order);
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    assert!(matches!(
        lab.load(&bytes, None),
        EuiccPackageResult::EuiccPackageErrorUnsigned(_)
    ));

    // Undecodable: what is left of it is echoed.
    let inner = tlv::write(0x30, &tlv::write(0x80, lab.eim.fqdn.as_bytes()));
    let EuiccPackageResult::EuiccPackageErrorUnsigned(error) =
        lab.load(&tlv::write(0xBF51, &inner), None)
    else {
        panic!()
    };
    assert_eq!(error.eim_id, lab.eim.fqdn);
    assert_eq!(error.association_token, Some(1));
    let EuiccPackageResult::EuiccPackageErrorUnsigned(error) = lab.load(&[0xBF, 0x51], None) else {
        panic!()
    };
    assert_eq!(error.eim_id, "");

    // Signed errors.
    let mut order = lab.order(list());
    order.eid = Eid([0x11; 16]);
    assert_eq!(lab.error(order), EuiccPackageErrorCode::InvalidEid);
    let mut order = lab.order(list());
    order.counter = 0x80_0000;
    assert_eq!(
        lab.error(order),
        EuiccPackageErrorCode::CounterValueOutOfRange
    );
    let mut order = lab.order(list());
    order.counter = 0;
    assert_eq!(lab.error(order), EuiccPackageErrorCode::ReplayError);
    let large = vec![Psmo::list_profile_info(); 3000];
    let order = lab.order(EuiccPackage::PsmoList(large));
    assert_eq!(lab.error(order), EuiccPackageErrorCode::SizeOverflow);
    assert!(stored_results(&mut lab).is_empty());
}

#[test]
fn a_package_runs_once() {
    let mut lab = Lab::new();
    let order = lab.order(EuiccPackage::PsmoList(vec![Psmo::enable(
        iccid(BETA),
        false,
    )]));
    let counter = order.counter;
    let bytes = lab.sign(order);
    let token = lab.token;
    assert_eq!(lab.load(&bytes, token).seq_number(), Some(1));
    let EuiccPackageResult::EuiccPackageErrorSigned(error) = lab.load(&bytes, token) else {
        panic!()
    };
    let error = error.euicc_package_error_data_signed.into_value();
    assert_eq!(
        error.euicc_package_error_code,
        EuiccPackageErrorCode::ReplayError
    );
    assert_eq!(error.counter_value, counter);
    assert_eq!(lab.enabled().as_deref(), Some(BETA));
    // Gaps are accepted, and the largest counter is.
    let mut order = lab.order(EuiccPackage::PsmoList(vec![Psmo::list_profile_info()]));
    order.counter = 0x7F_FFFF;
    let bytes = lab.sign(order);
    assert!(lab.load(&bytes, token).seq_number().is_some());
}

#[test]
fn enable_switches_and_notifies_but_is_seen_after_a_refresh() {
    let mut lab = Lab::new();
    let writes = lab.nvm.writes;
    assert_eq!(
        lab.codes(vec![Psmo::enable(iccid(BETA), true)]),
        ["enableResult ok(0)"]
    );
    assert_eq!(lab.nvm.writes, writes + 1);
    assert_eq!(lab.enabled().as_deref(), Some(BETA));
    assert_eq!(
        lab.euicc.visible_profile().unwrap().iccid.to_string(),
        ALPHA
    );
    assert!(lab.euicc.refresh_due());
    lab.euicc.refresh();
    assert_eq!(lab.euicc.visible_profile().unwrap().iccid.to_string(), BETA);
    assert!(!lab.euicc.refresh_due());
    // The result has the first number, the notifications of the switch follow.
    assert_eq!(
        notifications(&mut lab),
        [
            (2, "notificationDisable".to_owned(), ALPHA.to_owned()),
            (3, "notificationEnable".to_owned(), BETA.to_owned()),
        ]
    );
    assert_eq!(stored_results(&mut lab)[0].seq_number(), Some(1));
    // By operation, by number, and removed.
    let criteria = |c| RetrieveNotificationsListRequest {
        search_criteria: Some(c),
    };
    use applet_model::sgp::profile::NotificationEvent as E;
    let only_enable = E::of(&[E::NOTIFICATION_ENABLE]);
    let found: RetrieveNotificationsListResponse = lab.call(&criteria(
        RetrieveSearchCriteria::ProfileManagementOperation(only_enable),
    ));
    assert!(
        matches!(found, RetrieveNotificationsListResponse::NotificationList(l) if l.len() == 1)
    );
    let found: RetrieveNotificationsListResponse =
        lab.call(&criteria(RetrieveSearchCriteria::SeqNumber(3)));
    assert!(
        matches!(found, RetrieveNotificationsListResponse::NotificationList(l) if l.len() == 1)
    );
    let found: RetrieveNotificationsListResponse =
        lab.call(&criteria(RetrieveSearchCriteria::SeqNumber(1)));
    assert!(
        matches!(found, RetrieveNotificationsListResponse::EuiccPackageResultList(l) if l.len() == 1)
    );
    let listed: ListNotificationResponse = lab.call(&ListNotificationRequest {
        profile_management_operation: Some(only_enable),
    });
    assert!(
        matches!(listed, ListNotificationResponse::NotificationMetadataList(l) if l.len() == 1)
    );
    for (seq, status) in [(1, 0), (2, 0), (3, 0), (3, 1), (99, 1)] {
        let answer: NotificationSentResponse =
            lab.call(&NotificationSentRequest { seq_number: seq });
        assert_eq!(answer.delete_notification_status.code(), status);
    }
    assert!(notifications(&mut lab).is_empty() && stored_results(&mut lab).is_empty());
}

#[test]
fn enable_codes() {
    let mut lab = Lab::new();
    let enable = |text, flag| Psmo::enable(iccid(text), flag);
    assert_eq!(
        lab.codes(vec![enable(UNKNOWN, false)]),
        ["enableResult iccidOrAidNotFound(1)"]
    );
    assert_eq!(
        lab.codes(vec![enable(ALPHA, false)]),
        ["enableResult profileNotInDisabledState(2)"]
    );
    lab.profile(ALPHA).policy.ppr1_no_disable = true;
    assert_eq!(
        lab.codes(vec![enable(BETA, false)]),
        ["enableResult disallowedByPolicy(3)"]
    );
    lab.profile(ALPHA).policy.ppr1_no_disable = false;
    lab.euicc.faults.cat_busy = 1;
    assert_eq!(
        lab.codes(vec![enable(BETA, false)]),
        ["enableResult catBusy(5)"]
    );
    assert_eq!(lab.enabled().as_deref(), Some(ALPHA));
    assert_eq!(
        lab.codes(vec![enable(BETA, false), enable(GAMMA, false)]),
        ["enableResult ok(0)", "enableResult undefinedError(127)"]
    );
    assert_eq!(lab.enabled().as_deref(), Some(BETA));
    assert_eq!(
        lab.codes(vec![Psmo::disable(iccid(BETA))]),
        ["disableResult ok(0)"]
    );
    assert_eq!(lab.enabled(), None);
    assert_eq!(
        lab.codes(vec![enable(BETA, true)]),
        ["enableResult rollbackNotAvailable(20)"]
    );
    assert_eq!(lab.codes(vec![enable(BETA, false)]), ["enableResult ok(0)"]);
}

#[test]
fn disable_codes() {
    let mut lab = Lab::new();
    let disable = |text| Psmo::disable(iccid(text));
    assert_eq!(
        lab.codes(vec![disable(UNKNOWN)]),
        ["disableResult iccidOrAidNotFound(1)"]
    );
    assert_eq!(
        lab.codes(vec![disable(BETA)]),
        ["disableResult profileNotInEnabledState(2)"]
    );
    lab.profile(ALPHA).policy.ppr1_no_disable = true;
    assert_eq!(
        lab.codes(vec![disable(ALPHA)]),
        ["disableResult disallowedByPolicy(3)"]
    );
    lab.profile(ALPHA).policy.ppr1_no_disable = false;
    lab.euicc.faults.cat_busy = 1;
    assert_eq!(
        lab.codes(vec![disable(ALPHA)]),
        ["disableResult catBusy(5)"]
    );
    // After an enable it fails, and twice it does; but disable, then enable with the rollback flag is one switch.
    assert_eq!(
        lab.codes(vec![Psmo::enable(iccid(BETA), false), disable(ALPHA)]),
        [
            "enableResult ok(0)",
            "disableResult profileNotInEnabledState(2)"
        ]
    );
    assert_eq!(
        lab.codes(vec![disable(BETA), disable(BETA)]),
        [
            "disableResult ok(0)",
            "disableResult profileNotInEnabledState(2)"
        ]
    );
    assert_eq!(lab.codes(vec![Psmo::enable(iccid(ALPHA), false)]).len(), 1);
    assert_eq!(
        lab.codes(vec![disable(ALPHA), Psmo::enable(iccid(GAMMA), true)]),
        ["disableResult ok(0)", "enableResult ok(0)"]
    );
    assert_eq!(lab.enabled().as_deref(), Some(GAMMA));
    assert!(lab.euicc.state().rollback.is_some());
}

#[test]
fn delete_codes() {
    let mut lab = Lab::new();
    let delete = |text| Psmo::delete(iccid(text));
    assert_eq!(
        lab.codes(vec![delete(UNKNOWN)]),
        ["deleteResult iccidOrAidNotFound(1)"]
    );
    assert_eq!(
        lab.codes(vec![delete(ALPHA)]),
        ["deleteResult profileNotInDisabledState(2)"]
    );
    lab.profile(BETA).policy.ppr2_no_delete = true;
    assert_eq!(
        lab.codes(vec![delete(BETA)]),
        ["deleteResult disallowedByPolicy(3)"]
    );
    lab.profile(BETA).policy.ppr2_no_delete = false;
    assert_eq!(
        lab.codes(vec![Psmo::enable(iccid(BETA), true), delete(ALPHA)]),
        [
            "enableResult ok(0)",
            "deleteResult rollbackNotAvailable(20)"
        ]
    );
    // A profile marked to be enabled.
    assert_eq!(
        lab.codes(vec![Psmo::enable(iccid(GAMMA), false), delete(GAMMA)]),
        [
            "enableResult ok(0)",
            "deleteResult profileNotInDisabledState(2)"
        ]
    );
    lab.profile(GAMMA).fallback = true;
    lab.euicc.state.fallback_return = Some(ALPHA.parse().unwrap());
    assert_eq!(
        lab.codes(vec![delete(ALPHA)]),
        ["deleteResult returnFallbackProfile(21)"]
    );
    lab.euicc.state.fallback_return = None;
    assert_eq!(lab.codes(vec![delete(ALPHA)]), ["deleteResult ok(0)"]);
    assert_eq!(lab.euicc.state().profiles.len(), 2);
    let last = notifications(&mut lab).pop().unwrap();
    assert_eq!(
        (last.1.as_str(), last.2.as_str()),
        ("notificationDelete", ALPHA)
    );
}

#[test]
fn operations_run_in_order_up_to_the_first_that_fails() {
    let mut lab = Lab::new();
    assert_eq!(
        lab.codes(vec![
            Psmo::list_profile_info(),
            Psmo::get_rat(),
            Psmo::delete(iccid(GAMMA)),
            Psmo::delete(iccid(GAMMA)),
            Psmo::enable(iccid(BETA), false),
        ]),
        [
            "listProfileInfoResult 3 profiles",
            "getRATResult 1 rules",
            "deleteResult ok(0)",
            "deleteResult iccidOrAidNotFound(1)",
        ]
    );
    assert_eq!(lab.enabled().as_deref(), Some(ALPHA));
    assert_eq!(lab.euicc.state().profiles.len(), 2);
    assert_eq!(
        lab.codes(vec![
            Psmo::enable(iccid(BETA), false),
            Psmo::list_profile_info()
        ]),
        [
            "enableResult ok(0)",
            "listProfileInfoResult profileChangeOngoing(11)"
        ]
    );
    // An operation that isn't known ends the package; those before it stand.
    assert_eq!(
        lab.codes(vec![
            Psmo::enable(iccid(ALPHA), false),
            unknown_operation(),
            Psmo::get_rat()
        ]),
        [
            "enableResult ok(0)",
            "processingTerminated unknownOrDamagedCommand(2)"
        ]
    );
    assert_eq!(lab.enabled().as_deref(), Some(ALPHA));
    // An empty package is executed too.
    assert!(lab.codes(vec![]).is_empty());
    // More results than fit.
    let codes = lab.codes(vec![Psmo::list_profile_info(); 60]);
    assert_eq!(
        codes.last().unwrap(),
        "processingTerminated resultSizeOverflow(1)"
    );
}

#[test]
fn lists_say_what_the_profiles_are() {
    let mut lab = Lab::new();
    let results = lab.psmos(vec![Psmo::list_profile_info()]);
    let EuiccResultData::ListProfileInfoResult(ProfileInfoListResponse::ProfileInfoListOk(list)) =
        &results[0]
    else {
        panic!()
    };
    assert_eq!(list[0].iccid, Some(iccid(ALPHA)));
    assert_eq!(list[0].profile_state, Some(ProfileState::Enabled));
    assert_eq!(list[1].profile_state, Some(ProfileState::Disabled));
    assert_eq!(
        list[0].service_provider_name.as_deref(),
        Some("Alpha Mobile")
    );
    assert_eq!(list[0].profile_name.as_deref(), Some("Alpha IoT"));
    assert_eq!(list[0].fallback_allowed, Some(true));
    assert!(list[0].profile_owner.is_none());
    assert!(list[0].isdp_aid.is_some());
}

#[test]
fn fallback_attribute_codes() {
    let mut lab = Lab::new();
    assert_eq!(
        lab.codes(vec![unset_fallback()]),
        ["unsetFallbackAttributeResult noFallbackAttribute(2)"]
    );
    assert_eq!(
        lab.codes(vec![set_fallback(UNKNOWN)]),
        ["setFallbackAttributeResult iccidOrAidNotFound(1)"]
    );
    assert_eq!(
        lab.codes(vec![set_fallback(GAMMA)]),
        ["setFallbackAttributeResult fallbackNotAllowed(2)"]
    );
    assert_eq!(
        lab.codes(vec![set_fallback(BETA), set_fallback(BETA)]),
        [
            "setFallbackAttributeResult ok(0)",
            "setFallbackAttributeResult ok(0)"
        ]
    );
    assert_eq!(lab.codes(vec![Psmo::enable(iccid(BETA), false)]).len(), 1);
    assert_eq!(
        lab.codes(vec![set_fallback(ALPHA)]),
        ["setFallbackAttributeResult fallbackProfileEnabled(3)"]
    );
    assert_eq!(
        lab.codes(vec![unset_fallback()]),
        ["unsetFallbackAttributeResult fallbackProfileEnabled(3)"]
    );
    assert_eq!(lab.codes(vec![Psmo::enable(iccid(ALPHA), false)]).len(), 1);
    assert_eq!(
        lab.codes(vec![unset_fallback()]),
        ["unsetFallbackAttributeResult ok(0)"]
    );
}

#[test]
fn settings_by_package() {
    let mut lab = Lab::new();
    let immediate = Psmo::ConfigureImmediateEnable(ConfigureImmediateEnable {
        immediate_enable_flag: true,
        default_smdp_oid: None,
        default_smdp_address: Some("smdp.example".into()),
    });
    let address = |text: &str| {
        Psmo::SetDefaultDpAddress(SetDefaultDpAddressRequest {
            default_dp_address: text.into(),
        })
    };
    assert_eq!(
        lab.codes(vec![immediate.clone(), address("dp.example")]),
        [
            "configureImmediateEnableResult ok(0)",
            "setDefaultDpAddressResult ok(0)"
        ]
    );
    assert!(lab.euicc.state().immediate.on);
    assert_eq!(lab.euicc.state().default_smdp, "dp.example");
    assert_eq!(
        lab.codes(vec![address(&"x".repeat(256))]),
        ["setDefaultDpAddressResult undefinedError(127)"]
    );
    lab.euicc.faults.memory_full = true;
    assert_eq!(
        lab.codes(vec![immediate]),
        ["configureImmediateEnableResult insufficientMemory(1)"]
    );
}

fn rollback(lab: &mut Lab) -> ProfileRollbackResponse {
    lab.call(&ProfileRollbackRequest { refresh_flag: true })
}

#[test]
fn rollback_returns_to_the_previous_profile_once() {
    let mut lab = Lab::new();
    assert_eq!(
        rollback(&mut lab).cmd_result,
        ProfileRollbackResult::RollbackNotAllowed
    );
    assert_eq!(
        lab.codes(vec![Psmo::get_rat(), Psmo::enable(iccid(BETA), true)])
            .len(),
        2
    );
    let first = stored_results(&mut lab).remove(0);
    lab.euicc.refresh();
    lab.euicc.faults.cat_busy = 1;
    assert_eq!(
        rollback(&mut lab).cmd_result,
        ProfileRollbackResult::CatBusy
    );
    let wrong: ProfileRollbackResponse =
        ProfileRollbackResponse::from_der(&lab.send(&[0xBF, 0x58, 0]).data).unwrap();
    assert_eq!(wrong.cmd_result, ProfileRollbackResult::CommandError);
    let writes = lab.nvm.writes;
    let answer = rollback(&mut lab);
    assert_eq!(lab.nvm.writes, writes + 1);
    assert_eq!(answer.cmd_result, ProfileRollbackResult::Ok);
    let result = answer.euicc_package_result.unwrap();
    let key = lab.euicc.public_key(None).unwrap();
    verify_euicc_result(&key, &result.to_der().unwrap(), lab.token).unwrap();
    assert_eq!(result.eim_id(), first.eim_id());
    assert_eq!(result.counter_value(), first.counter_value());
    assert_eq!(result.eim_transaction_id(), first.eim_transaction_id());
    assert!(result.seq_number() > first.seq_number());
    let codes: Vec<_> = result
        .results()
        .iter()
        .map(EuiccResultData::summary)
        .collect();
    assert_eq!(
        codes,
        [
            "getRATResult 1 rules",
            "enableResult ok(0)",
            "rollbackResult ok(0)"
        ]
    );
    assert_eq!(stored_results(&mut lab), [result]);
    assert_eq!(lab.enabled().as_deref(), Some(ALPHA));
    assert_eq!(lab.euicc.visible_profile().unwrap().iccid.to_string(), BETA);
    assert_eq!(
        rollback(&mut lab).cmd_result,
        ProfileRollbackResult::RollbackNotAllowed
    );
}

#[test]
fn the_next_package_withdraws_the_grant() {
    let mut lab = Lab::new();
    lab.codes(vec![Psmo::enable(iccid(BETA), true)]);
    // A refused package doesn't.
    let mut order = lab.order(EuiccPackage::PsmoList(vec![]));
    order.counter = 0;
    lab.error(order);
    assert!(lab.euicc.state().rollback.is_some());
    lab.codes(vec![]);
    assert_eq!(
        rollback(&mut lab).cmd_result,
        ProfileRollbackResult::RollbackNotAllowed
    );
}

#[test]
fn the_oldest_result_makes_room() {
    let mut lab = Lab::new();
    for _ in 0..10 {
        lab.codes(vec![]);
    }
    let stored: Vec<_> = stored_results(&mut lab)
        .iter()
        .map(|r| r.seq_number().unwrap())
        .collect();
    assert_eq!(stored, [3, 4, 5, 6, 7, 8, 9, 10]);
}
