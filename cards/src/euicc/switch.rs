//! Switches of the enabled profile that no eIM commands: to the Fallback Profile and back, to the Emergency Profile
//! and back (SGP.32 3.3.3, 5.9.20 to 5.9.23), and what every switch leaves behind.

use super::Euicc;
use super::Iccid;
use super::choices::EMERGENCY_IS_NOTIFIED;
use super::es10::{Function, code};
use super::local::refresh_flag;
use super::profile::{Event, ProfileClass};
use super::state::State;
use applet_model::sgp::es10::{
    DisableEmergencyProfileResult, EnableEmergencyProfileResult, ExecuteFallbackMechanismResult,
    ReturnFromFallbackResult,
};
use applet_model::tlv::Tlv;

impl State {
    /// True while the Emergency Profile is enabled: packages, fallback, rollback and memory reset are refused.
    pub(super) fn emergency(&self) -> bool {
        self.enabled().is_some_and(|p| p.ecall)
    }

    /// Makes this profile the enabled one (`None`: none is). A way back from the Fallback Profile is closed
    /// (SGP.32 3.4.1); the one from a test profile opens with the first of them and closes with the last.
    pub(super) fn switch_to(&mut self, iccid: Option<Iccid>) {
        let class = |p: &super::Profile| p.class;
        let target = iccid.and_then(|iccid| self.profile(&iccid).map(class));
        let before = self.enabled().map(|p| (p.iccid, p.class));
        self.test_return = match (target, before) {
            (Some(ProfileClass::Test), Some((_, ProfileClass::Test))) => self.test_return,
            (Some(ProfileClass::Test), Some((iccid, _))) => Some(iccid),
            _ => None,
        };
        self.fallback_return = None;
        self.emergency_return = None;
        self.mark_enabled(iccid);
    }

    fn mark_enabled(&mut self, iccid: Option<Iccid>) {
        for profile in &mut self.profiles {
            profile.enabled = Some(profile.iccid) == iccid;
        }
    }

    /// Takes profiles out, and every reference to them.
    pub(super) fn remove(&mut self, goes: impl Fn(&super::Profile) -> bool) {
        self.profiles.retain(|p| !goes(p));
        let profiles = &self.profiles;
        let there = |iccid: &Iccid| profiles.iter().any(|p| p.iccid == *iccid);
        self.rollback
            .take_if(|grant| !there(&grant.previous) || !there(&grant.enabled));
        for reference in [
            &mut self.fallback_return,
            &mut self.emergency_return,
            &mut self.test_return,
        ] {
            reference.take_if(|iccid| !there(iccid));
        }
    }
}

impl Euicc {
    /// Switches to a profile, and stores the notifications of the one that is left and of the one that comes.
    pub(super) fn switch(&self, state: &mut State, iccid: Option<Iccid>) {
        let before = state.enabled().cloned();
        state.switch_to(iccid);
        self.tell(state, before.as_ref());
    }

    /// Stores the notifications of a switch that was made: of the profile before, and of the enabled one.
    fn tell(&self, state: &mut State, before: Option<&super::Profile>) {
        if let Some(before) = before {
            self.notify(state, before, Event::Disable);
        }
        if let Some(now) = state.enabled().cloned() {
            self.notify(state, &now, Event::Enable);
        }
    }

    /// ES10b.ExecuteFallbackMechanism (SGP.32 5.9.20): to the profile with the fallback attribute, whatever the
    /// policy rules of the one that lost its network. An earlier grant of rollback is withdrawn.
    pub(super) fn execute_fallback(&mut self, request: &Tlv<'_>) -> Function {
        use ExecuteFallbackMechanismResult as R;
        let refresh = refresh_flag(request, 0x80)?;
        let refuse = |result: R| Ok((code(0xBF5D, 0x80, result.code() as u8), None));
        let Some(current) = self.state.enabled().map(|p| p.iccid) else {
            return refuse(R::CommandError);
        };
        let fallback = self.state.profiles.iter().find(|p| p.fallback);
        let Some((target, enabled)) = fallback.map(|p| (p.iccid, p.enabled)) else {
            return refuse(R::FallbackNotAvailable);
        };
        if self.state.emergency() {
            return refuse(R::EcallActive);
        }
        if enabled {
            return refuse(R::ProfileNotInDisabledState);
        }
        if self.cat_is_busy() {
            return refuse(R::CatBusy);
        }
        let mut state = self.state.clone();
        state.rollback = None;
        self.switch(&mut state, Some(target));
        state.fallback_return = Some(current);
        self.at_once = !refresh;
        Ok((code(0xBF5D, 0x80, 0), Some(state)))
    }

    /// ES10b.ReturnFromFallback (SGP.32 5.9.21): to the profile that was enabled before the fallback.
    pub(super) fn return_from_fallback(&mut self, request: &Tlv<'_>) -> Function {
        use ReturnFromFallbackResult as R;
        let refresh = refresh_flag(request, 0x80)?;
        let refuse = |result: R| Ok((code(0xBF5E, 0x80, result.code() as u8), None));
        let in_fallback = self.state.enabled().is_some_and(|p| p.fallback);
        let Some(back) = self.state.fallback_return.filter(|_| in_fallback) else {
            return refuse(R::FallbackNotAvailable);
        };
        if self.cat_is_busy() {
            return refuse(R::CatBusy);
        }
        let mut state = self.state.clone();
        state.rollback = None;
        self.switch(&mut state, Some(back));
        self.at_once = !refresh;
        Ok((code(0xBF5E, 0x80, 0), Some(state)))
    }

    /// ES10b.EnableEmergencyProfile (SGP.32 5.9.22): whatever the policy rules; nobody is told of it. The ways back
    /// from a fallback or a test profile stay open beneath it.
    pub(super) fn enable_emergency(&mut self, request: &Tlv<'_>) -> Function {
        use EnableEmergencyProfileResult as R;
        let refresh = refresh_flag(request, 0x80)?;
        let refuse = |result: R| Ok((code(0xBF5B, 0x80, result.code() as u8), None));
        let Some(target) = self.state.profiles.iter().find(|p| p.ecall) else {
            return refuse(R::EcallNotAvailable);
        };
        let target = target.iccid;
        if self.state.emergency() {
            return refuse(R::ProfileNotInDisabledState);
        }
        if self.cat_is_busy() {
            return refuse(R::CatBusy);
        }
        let mut state = self.state.clone();
        if refresh {
            state.rollback = None;
        }
        state.emergency_return = state.enabled().map(|p| p.iccid);
        state.mark_enabled(Some(target));
        self.at_once = !refresh;
        Ok((code(0xBF5B, 0x80, 0), Some(state)))
    }

    /// ES10b.DisableEmergencyProfile (SGP.32 5.9.23): back to the profile that was enabled before, if one was.
    pub(super) fn disable_emergency(&mut self, request: &Tlv<'_>) -> Function {
        use DisableEmergencyProfileResult as R;
        let refresh = refresh_flag(request, 0x80)?;
        let refuse = |result: R| Ok((code(0xBF5C, 0x80, result.code() as u8), None));
        if !self.state.emergency() {
            return refuse(R::ProfileNotInEnabledState);
        }
        if self.cat_is_busy() {
            return refuse(R::CatBusy);
        }
        let mut state = self.state.clone();
        if refresh {
            state.rollback = None;
        }
        let before = state.enabled().cloned();
        let back = state.emergency_return.take();
        state.mark_enabled(back);
        if EMERGENCY_IS_NOTIFIED {
            self.tell(&mut state, before.as_ref());
        }
        self.at_once = !refresh;
        Ok((code(0xBF5C, 0x80, 0), Some(state)))
    }
}
