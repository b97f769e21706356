//! ES10c: what a local assistant (LPA) in the device does with profiles (SGP.22 5.7.16 to 5.7.18).
//!
//! An IPAd or IPAe has no such functions; to these, and where the configuration says so, they aren't there. The
//! registry changes at once, under one commit; what the terminal sees follows as the refresh flag says.

use super::Euicc;
use super::choices::DISABLED_TEST_PROFILE_GIVES_BACK;
use super::es10::{Function, Refusal, code};
use super::profile::{Event, Profile, ProfileClass};
use super::state::State;
use applet_model::sgp::es10c::{LocalDeleteResult, LocalDisableResult, LocalEnableResult};
use applet_model::tlv::{self, Tlv};
use serde::{Deserialize, Serialize};

/// When a local assistant may manage profiles (SGP.22 5.7). SGP.32 leaves ES10c out; cards in the field have it
/// beside their eIM functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LocalManagement {
    /// Whenever the device declares no IPAd and no IPAe is in charge.
    #[default]
    Always,
    /// As that, but only while no eIM is associated.
    UntilAssociated,
    /// Never: an eUICC for eIMs only.
    Never,
}

/// The profile that an `isdpAid` (4F) or `iccid` (5A) names.
fn named<'a>(state: &'a State, identifier: &Tlv<'_>) -> Result<Option<&'a Profile>, Refusal> {
    let wanted: Box<dyn Fn(&Profile) -> bool> = match identifier.tag {
        0x4F if (5..=16).contains(&identifier.value.len()) => {
            Box::new(|p| p.isdp_aid == identifier.value)
        }
        0x5A if identifier.value.len() == 10 => {
            Box::new(|p| p.iccid.as_bytes().as_slice() == identifier.value)
        }
        _ => return Err(Refusal::Data),
    };
    Ok(state.profiles.iter().find(|p| wanted(p)))
}

/// The `profileIdentifier` of EnableProfile and DisableProfile: explicit, so a choice inside of A0.
fn identifier<'a>(request: &Tlv<'a>) -> Result<Tlv<'a>, Refusal> {
    Ok(tlv::read_one(tlv::require(request.value, 0xA0)?.value)?)
}

impl Euicc {
    /// True if the one who asks has no ES10c.
    pub(super) fn has_no_local_management(&self) -> bool {
        let allowed = match self.constants.local {
            LocalManagement::Always => true,
            LocalManagement::UntilAssociated => self.state.eims.is_empty(),
            LocalManagement::Never => false,
        };
        !allowed || !self.by_device || self.device.ipad
    }

    /// ES10c.EnableProfile (SGP.22 5.7.16).
    pub(super) fn enable_profile(&mut self, request: &Tlv<'_>) -> Function {
        let refresh = refresh_flag(request, 0x81)?;
        let target = named(&self.state, &identifier(request)?)?.cloned();
        let refuse =
            |result: LocalEnableResult| Ok((code(0xBF31, 0x80, result.code() as u8), None));
        let Some(target) = target else {
            return refuse(LocalEnableResult::IccidOrAidNotFound);
        };
        if target.enabled {
            return refuse(LocalEnableResult::ProfileNotInDisabledState);
        }
        if self.state.emergency() {
            return refuse(LocalEnableResult::UndefinedError);
        }
        if let Some(current) = self.state.enabled() {
            let test = |p: &Profile| p.class == ProfileClass::Test;
            // A test profile comes before the rules of the one that it stands in for (SGP.22 5.7.16).
            if current.policy.ppr1_no_disable && !test(&target) {
                return refuse(LocalEnableResult::DisallowedByPolicy);
            }
            let wrong = |back| back != target.iccid;
            if test(current) && !test(&target) && self.state.test_return.is_some_and(wrong) {
                return refuse(LocalEnableResult::WrongProfileReenabling);
            }
        }
        if self.cat_is_busy() {
            return refuse(LocalEnableResult::CatBusy);
        }
        let mut state = self.state.clone();
        state.rollback = None;
        self.switch(&mut state, Some(target.iccid));
        self.at_once = !refresh;
        Ok((code(0xBF31, 0x80, 0), Some(state)))
    }

    /// ES10c.DisableProfile (SGP.22 5.7.17).
    pub(super) fn disable_profile(&mut self, request: &Tlv<'_>) -> Function {
        let refresh = refresh_flag(request, 0x81)?;
        let target = named(&self.state, &identifier(request)?)?.cloned();
        let refuse =
            |result: LocalDisableResult| Ok((code(0xBF32, 0x80, result.code() as u8), None));
        let Some(target) = target else {
            return refuse(LocalDisableResult::IccidOrAidNotFound);
        };
        if !target.enabled {
            return refuse(LocalDisableResult::ProfileNotInEnabledState);
        }
        if self.state.emergency() {
            return refuse(LocalDisableResult::UndefinedError);
        }
        if target.policy.ppr1_no_disable {
            return refuse(LocalDisableResult::DisallowedByPolicy);
        }
        if self.cat_is_busy() {
            return refuse(LocalDisableResult::CatBusy);
        }
        let mut state = self.state.clone();
        state.rollback = None;
        let back = state
            .test_return
            .filter(|_| DISABLED_TEST_PROFILE_GIVES_BACK);
        self.switch(&mut state, back);
        self.at_once = !refresh;
        Ok((code(0xBF32, 0x80, 0), Some(state)))
    }

    /// ES10c.DeleteProfile (SGP.22 5.7.18).
    pub(super) fn delete_profile(&mut self, request: &Tlv<'_>) -> Function {
        let target = named(&self.state, &tlv::read_one(request.value)?)?.cloned();
        let refuse =
            |result: LocalDeleteResult| Ok((code(0xBF33, 0x80, result.code() as u8), None));
        let Some(target) = target else {
            return refuse(LocalDeleteResult::IccidOrAidNotFound);
        };
        if target.enabled {
            return refuse(LocalDeleteResult::ProfileNotInDisabledState);
        }
        if target.policy.ppr2_no_delete {
            return refuse(LocalDeleteResult::DisallowedByPolicy);
        }
        // The way back from the Fallback or Emergency Profile stays open; SGP.22 has no code for it.
        let way_back = [self.state.fallback_return, self.state.emergency_return];
        if way_back.contains(&Some(target.iccid)) {
            return refuse(LocalDeleteResult::UndefinedError);
        }
        let mut state = self.state.clone();
        state.remove(|p| p.iccid == target.iccid);
        self.notify(&mut state, &target, Event::Delete);
        Ok((code(0xBF33, 0x80, 0), Some(state)))
    }
}

/// A BOOLEAN that must be there.
pub(super) fn refresh_flag(request: &Tlv<'_>, tag: u32) -> Result<bool, Refusal> {
    match tlv::require(request.value, tag)?.value {
        [flag] => Ok(*flag != 0),
        _ => Err(Refusal::Data),
    }
}
