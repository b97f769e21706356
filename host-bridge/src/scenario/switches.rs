//! Scenarios of switches that no eIM commands, of policy rules, and of a local assistant: the device speaks to the ISD-R
//! itself, before the IPAe is in charge.

use super::bench::{Bench, Failure};
use crate::eim::PackageState;
use applet_model::sgp::es10::{
    DisableEmergencyProfileRequest, EnableEmergencyProfileRequest, ExecuteFallbackMechanismRequest,
    ReturnFromFallbackRequest,
};
use applet_model::sgp::es10c::{EnableProfileRequest, ProfileIdentifier};
use applet_model::sgp::{Encode, Iccid};
use cards::euicc::Profile;

fn parsed(iccid: &str) -> Result<Iccid, Failure> {
    iccid
        .parse()
        .map_err(|_| Failure::Message(format!("{iccid} is no ICCID")))
}

/// Changes what the factory put into a profile.
fn change(b: &mut Bench, iccid: &str, change: impl FnOnce(&mut Profile)) -> Result<(), Failure> {
    let wanted = parsed(iccid)?;
    let done = b.card()?.euicc_mut().change_profile(&wanted, change);
    b.expect(done, || format!("no profile {iccid} on the card"))
}

/// A function of the device's, whose answer ends with a result code.
fn ask(b: &mut Bench, step: &str, request: &impl Encode, code: u8) -> Result<(), Failure> {
    b.step(step);
    let answer = b.es10(request)?;
    b.expect(answer.last() == Some(&code), || {
        format!(
            "{step}: expected result {code}, the ISD-R answered {}",
            hex::encode_upper(&answer)
        )
    })
}

/// The device starts again; the eIM asks what is enabled.
fn seen(b: &mut Bench, iccid: &str) -> Result<(), Failure> {
    b.step("the device starts");
    b.boot()?;
    b.operate(&["listProfileInfo"])?;
    b.expect_enabled(iccid)
}

pub(super) fn fallback_and_return(b: &mut Bench) -> Result<(), Failure> {
    b.step("the device starts");
    b.boot()?;
    let iccids = b.iccids()?;
    let package = b.operate(&[&format!("setFallbackAttribute {}", iccids[2])])?;
    b.expect_end(&package, PackageState::Failed, "fallbackNotAllowed")?;
    let package = b.operate(&[&format!("setFallbackAttribute {}", iccids[1])])?;
    b.expect_end(&package, PackageState::Done, "")?;
    let request = ExecuteFallbackMechanismRequest { refresh_flag: true };
    ask(
        b,
        "the device has lost its network: ExecuteFallbackMechanism",
        &request,
        0,
    )?;
    seen(b, &iccids[1])?;
    let package = b.operate(&[&format!("delete {}", iccids[0])])?;
    b.expect_end(&package, PackageState::Failed, "returnFallbackProfile")?;
    let package = b.operate(&["unsetFallbackAttribute"])?;
    b.expect_end(&package, PackageState::Failed, "fallbackProfileEnabled")?;
    let request = ReturnFromFallbackRequest { refresh_flag: true };
    ask(b, "the network is back: ReturnFromFallback", &request, 0)?;
    seen(b, &iccids[0])?;
    ask(b, "once more: there is nowhere to return to", &request, 6)?;
    seen(b, &iccids[0])
}

pub(super) fn emergency_profile(b: &mut Bench) -> Result<(), Failure> {
    b.step("the device starts");
    b.boot()?;
    let iccids = b.iccids()?;
    let enable = EnableEmergencyProfileRequest { refresh_flag: true };
    let disable = DisableEmergencyProfileRequest { refresh_flag: true };
    ask(b, "EnableEmergencyProfile: there is none", &enable, 8)?;
    change(b, &iccids[2], |profile| profile.ecall = true)?;
    ask(b, "an emergency call: EnableEmergencyProfile", &enable, 0)?;
    b.step("the device starts");
    b.boot()?;
    let package = b.operate(&["getRAT"])?;
    b.expect_end(&package, PackageState::Failed, "ecallActive")?;
    let visible = b.visible_iccid();
    b.expect(visible == iccids[2], || {
        format!(
            "the device sees {visible} instead of the Emergency Profile {}",
            iccids[2]
        )
    })?;
    ask(b, "the call is over: DisableEmergencyProfile", &disable, 0)?;
    seen(b, &iccids[0])?;
    let package = b.operate(&["getRAT"])?;
    b.expect_end(&package, PackageState::Done, "")
}

pub(super) fn policy_rules(b: &mut Bench) -> Result<(), Failure> {
    b.step("the device starts");
    b.boot()?;
    let iccids = b.iccids()?;
    change(b, &iccids[0], |profile| {
        profile.policy.ppr1_no_disable = true
    })?;
    change(b, &iccids[2], |profile| {
        profile.policy.ppr2_no_delete = true
    })?;
    for operation in [
        format!("enable {} rollback", iccids[1]),
        format!("disable {}", iccids[0]),
        format!("delete {}", iccids[2]),
    ] {
        let package = b.operate(&[&operation])?;
        b.expect_end(&package, PackageState::Failed, "disallowedByPolicy")?;
        b.expect_enabled(&iccids[0])?;
    }
    change(b, &iccids[0], |profile| profile.policy = Default::default())?;
    let package = b.operate(&[&format!("enable {} rollback", iccids[1])])?;
    b.expect_end(&package, PackageState::Done, "")?;
    b.expect_enabled(&iccids[1])
}

pub(super) fn local_switch(b: &mut Bench) -> Result<(), Failure> {
    b.step("the device starts");
    b.boot()?;
    let iccids = b.iccids()?;
    let request = EnableProfileRequest {
        profile_identifier: ProfileIdentifier::Iccid(parsed(&iccids[1])?),
        refresh_flag: true,
    };
    ask(
        b,
        "an LPA enables a profile: ES10c.EnableProfile",
        &request,
        0,
    )?;
    ask(b, "and once more", &request, 2)?;
    seen(b, &iccids[1])
}
