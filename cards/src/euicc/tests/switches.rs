//! Fallback and emergency: every code once, what survives, what is told to whom.

use super::*;
use applet_model::sgp::es10::*;
use applet_model::sgp::euicc_info::EuiccInfo2;
use applet_model::sgp::euicc_package::{NoParameters, ProfileOperation};

fn fallback(lab: &mut Lab) -> i64 {
    let answer: ExecuteFallbackMechanismResponse =
        lab.call(&ExecuteFallbackMechanismRequest { refresh_flag: true });
    answer.execute_fallback_mechanism_result.code()
}

fn back(lab: &mut Lab) -> i64 {
    let answer: ReturnFromFallbackResponse =
        lab.call(&ReturnFromFallbackRequest { refresh_flag: true });
    answer.return_from_fallback_result.code()
}

fn emergency(lab: &mut Lab, refresh_flag: bool) -> i64 {
    let answer: EnableEmergencyProfileResponse =
        lab.call(&EnableEmergencyProfileRequest { refresh_flag });
    answer.enable_emergency_profile_result.code()
}

fn end_emergency(lab: &mut Lab) -> i64 {
    let answer: DisableEmergencyProfileResponse =
        lab.call(&DisableEmergencyProfileRequest { refresh_flag: true });
    answer.disable_emergency_profile_result.code()
}

fn set_fallback(text: &str) -> Psmo {
    Psmo::SetFallbackAttribute(ProfileOperation { iccid: iccid(text) })
}

#[test]
fn fallback_and_return_with_every_code() {
    let mut lab = Lab::new();
    assert_eq!(fallback(&mut lab), 6);
    assert_eq!(back(&mut lab), 6);
    lab.codes(vec![set_fallback(BETA), Psmo::disable(iccid(ALPHA))]);
    assert_eq!(fallback(&mut lab), 7);
    lab.codes(vec![Psmo::enable(iccid(ALPHA), false)]);
    lab.profile(ALPHA).ecall = true;
    assert_eq!(fallback(&mut lab), 104);
    lab.profile(ALPHA).ecall = false;
    lab.euicc.faults.cat_busy = 1;
    assert_eq!(fallback(&mut lab), 5);
    // Policy rules don't hold back who has lost the network.
    lab.profile(ALPHA).policy.ppr1_no_disable = true;
    let writes = lab.nvm.writes;
    assert_eq!(fallback(&mut lab), 0);
    assert_eq!(lab.nvm.writes, writes + 1);
    assert_eq!(lab.enabled().as_deref(), Some(BETA));
    assert_eq!(fallback(&mut lab), 2);
    lab.euicc.refresh();
    // Where it leads back to can't be deleted.
    assert_eq!(
        lab.codes(vec![Psmo::delete(iccid(ALPHA))]),
        ["deleteResult returnFallbackProfile(21)"]
    );
    lab.euicc.faults.cat_busy = 1;
    assert_eq!(back(&mut lab), 5);
    assert_eq!(back(&mut lab), 0);
    assert_eq!(lab.enabled().as_deref(), Some(ALPHA));
    assert_eq!(back(&mut lab), 6);
    let told: Vec<_> = lab
        .euicc
        .state()
        .notifications
        .iter()
        .map(|n| n.event)
        .collect();
    use profile::Event::{Disable, Enable};
    assert_eq!(told, [Disable, Enable, Disable, Enable, Enable]);
}

#[test]
fn an_enable_by_the_eim_closes_the_way_back() {
    let mut lab = Lab::new();
    lab.codes(vec![set_fallback(BETA), Psmo::enable(iccid(GAMMA), true)]);
    assert!(lab.euicc.state().rollback.is_some());
    assert_eq!(fallback(&mut lab), 0);
    assert!(lab.euicc.state().rollback.is_none());
    lab.codes(vec![Psmo::enable(iccid(ALPHA), false)]);
    assert_eq!(back(&mut lab), 6);
    assert_eq!(
        lab.codes(vec![Psmo::delete(iccid(GAMMA))]),
        ["deleteResult ok(0)"]
    );
    // Unsetting the attribute isn't possible while the Fallback Profile is enabled.
    assert_eq!(fallback(&mut lab), 0);
    let unset = Psmo::UnsetFallbackAttribute(NoParameters {});
    assert_eq!(
        lab.codes(vec![unset]),
        ["unsetFallbackAttributeResult fallbackProfileEnabled(3)"]
    );
}

#[test]
fn emergency_with_every_code() {
    let mut lab = Lab::new();
    assert_eq!(emergency(&mut lab, true), 8);
    assert_eq!(end_emergency(&mut lab), 2);
    lab.profile(GAMMA).ecall = true;
    lab.profile(GAMMA).notifications = lab.profile(ALPHA).notifications.clone();
    lab.profile(ALPHA).policy.ppr1_no_disable = true;
    lab.euicc.faults.cat_busy = 1;
    assert_eq!(emergency(&mut lab, true), 5);
    assert_eq!(emergency(&mut lab, true), 0);
    assert_eq!(lab.enabled().as_deref(), Some(GAMMA));
    assert!(lab.euicc.state().notifications.is_empty());
    assert_eq!(emergency(&mut lab, true), 2);
    // It survives a reset.
    lab.euicc.refresh();
    // Refused meanwhile, and the counter stays.
    let order = lab.order(EuiccPackage::PsmoList(vec![Psmo::get_rat()]));
    assert_eq!(lab.error(order), EuiccPackageErrorCode::EcallActive);
    assert_eq!(fallback(&mut lab), 6);
    let reset: EuiccMemoryResetResponse = lab.call(&EuiccMemoryResetRequest {
        reset_options: ResetOptions::of(&[ResetOptions::DELETE_OPERATIONAL_PROFILES]),
    });
    assert_eq!(reset.reset_result, ResetResult::EcallActive);
    lab.euicc.faults.cat_busy = 1;
    assert_eq!(end_emergency(&mut lab), 5);
    assert_eq!(end_emergency(&mut lab), 0);
    assert_eq!(lab.enabled().as_deref(), Some(ALPHA));
    assert_eq!(lab.euicc.state().notifications.len(), 2);
    assert_eq!(lab.euicc.state().emergency_return, None);
    assert_eq!(lab.codes(vec![Psmo::get_rat()]).len(), 1);
}

#[test]
fn an_emergency_keeps_what_is_beneath_it() {
    let mut lab = Lab::new();
    lab.profile(GAMMA).ecall = true;
    lab.codes(vec![set_fallback(BETA)]);
    assert_eq!(fallback(&mut lab), 0);
    assert_eq!(emergency(&mut lab, true), 0);
    assert_eq!(back(&mut lab), 6);
    assert_eq!(end_emergency(&mut lab), 0);
    assert_eq!(lab.enabled().as_deref(), Some(BETA));
    assert_eq!(back(&mut lab), 0);
    // A grant outlives it only without REFRESH, and isn't used meanwhile.
    for (refresh, code) in [(true, 1), (false, 0)] {
        lab.codes(vec![Psmo::enable(iccid(ALPHA), false)]);
        lab.codes(vec![Psmo::enable(iccid(BETA), true)]);
        assert_eq!(emergency(&mut lab, refresh), 0);
        let rollback = |lab: &mut Lab| {
            let answer: ProfileRollbackResponse =
                lab.call(&ProfileRollbackRequest { refresh_flag: true });
            answer.cmd_result.code()
        };
        assert_eq!(rollback(&mut lab), 1);
        let end: DisableEmergencyProfileResponse = lab.call(&DisableEmergencyProfileRequest {
            refresh_flag: false,
        });
        assert_eq!(end.disable_emergency_profile_result.code(), 0);
        assert_eq!(rollback(&mut lab), code);
    }
    // With no profile before, there is none after.
    lab.codes(vec![Psmo::disable(iccid(ALPHA))]);
    assert_eq!(emergency(&mut lab, true), 0);
    assert_eq!(end_emergency(&mut lab), 0);
    assert_eq!(lab.enabled(), None);
}

#[test]
fn the_euicc_says_that_it_has_them() {
    let mut lab = Lab::bare();
    let info = EuiccInfo2::from_der(&lab.send(&[0xBF, 0x22, 0]).data).unwrap();
    let iot = info.iot_specific_info.unwrap();
    assert!(iot.ecall_supported && iot.fallback_supported);
    assert_eq!(info.forbidden_profile_policy_rules, None);
    assert_eq!(
        info.rsp_capability.to_string(),
        "additionalProfile crlSupport testProfileSupport serviceSpecificDataSupport"
    );
    lab.euicc.constants.rules.clear();
    let info = EuiccInfo2::from_der(&lab.send(&[0xBF, 0x22, 0]).data).unwrap();
    let forbidden = info.forbidden_profile_policy_rules.unwrap();
    assert_eq!(forbidden.to_string(), "ppr1 ppr2");
}
