//! Profile state management operations (SGP.32 3.4). Enable and disable only mark; the switch comes when
//! the whole package was executed.

use super::Euicc;
use super::Iccid;
use super::choices::{DELETE_SEES_MARKS, LIST_PROFILE_INFO_TAGS, SECOND_ENABLE};
use super::package::{Done, terminated};
use super::profile::Event;
use super::state::State;
use applet_model::sgp::Encode;
use applet_model::sgp::es10::{SetDefaultDpAddressResponse, SetDefaultDpAddressResult};
use applet_model::sgp::euicc_package::{Enable, Psmo};
use applet_model::sgp::euicc_result::{
    ConfigureImmediateEnableResult, DeleteProfileResult, DisableProfileResult, EnableProfileResult,
    EuiccResultData, ProcessingTerminated, SetFallbackAttributeResult,
    UnsetFallbackAttributeResult,
};
use applet_model::sgp::profile::ProfileInfoListError;
use applet_model::tlv;

/// The enable of a package.
pub(super) struct MarkedEnable {
    pub iccid: Iccid,
    pub rollback: bool,
}

/// What a package's operations have marked so far.
#[derive(Default)]
pub(super) struct Marks {
    pub enable: Option<MarkedEnable>,
    pub disable: Option<Iccid>,
    /// A profile was enabled, disabled or deleted: listProfileInfo can't answer any more.
    changed: bool,
}

impl Marks {
    /// Whether a profile is enabled, as marked.
    fn enabled(&self, state: &State, iccid: &Iccid) -> bool {
        if let Some(enable) = &self.enable {
            return enable.iccid == *iccid;
        }
        self.disable != Some(*iccid) && state.profile(iccid).is_some_and(|p| p.enabled)
    }
}

impl Euicc {
    /// Executes one operation on the state that the package leads to.
    pub(super) fn psmo(&mut self, op: &Psmo, state: &mut State, marks: &mut Marks) -> Done {
        let since_1_1 = matches!(
            op,
            Psmo::SetFallbackAttribute(_)
                | Psmo::UnsetFallbackAttribute(_)
                | Psmo::SetDefaultDpAddress(_)
        );
        if since_1_1 && self.speaks_first_version() {
            return terminated(ProcessingTerminated::UnknownOrDamagedCommand);
        }
        let result = match op {
            Psmo::Enable(op) => EuiccResultData::EnableResult(self.enable(op, state, marks)),
            Psmo::Disable(op) => {
                EuiccResultData::DisableResult(self.disable(&op.iccid, state, marks))
            }
            Psmo::Delete(op) => EuiccResultData::DeleteResult(self.delete(&op.iccid, state, marks)),
            Psmo::ListProfileInfo(op) => {
                let value = if marks.changed {
                    let code = ProfileInfoListError::ProfileChangeOngoing.code() as u8;
                    tlv::write(0x81, &[code])
                } else {
                    let request = op.to_der().unwrap_or_default();
                    let inside = tlv::expect(&request, 0xBF2D)
                        .map(|t| t.value)
                        .unwrap_or(&[]);
                    Self::profile_info_list(state, inside, LIST_PROFILE_INFO_TAGS)
                };
                let ok = value.first() == Some(&0xA0);
                return Done::raw(tlv::write(0xBF2D, &value), ok);
            }
            Psmo::GetRat(_) => {
                return Done::raw(tlv::write(0xA6, &self.rules_authorisation_table()), true);
            }
            Psmo::ConfigureImmediateEnable(op) => {
                let configured = op.to_der().ok().and_then(|der| {
                    let inside = tlv::expect(&der, 0x30).ok()?;
                    Self::immediate_configuration(inside.value).ok()
                });
                EuiccResultData::ConfigureImmediateEnableResult(match configured {
                    _ if self.faults.memory_full => {
                        ConfigureImmediateEnableResult::InsufficientMemory
                    }
                    Some(immediate) => {
                        state.immediate = immediate;
                        ConfigureImmediateEnableResult::Ok
                    }
                    None => ConfigureImmediateEnableResult::CommandError,
                })
            }
            Psmo::SetFallbackAttribute(op) => {
                EuiccResultData::SetFallbackAttributeResult(set_fallback(&op.iccid, state))
            }
            Psmo::UnsetFallbackAttribute(_) => {
                EuiccResultData::UnsetFallbackAttributeResult(unset_fallback(state))
            }
            Psmo::SetDefaultDpAddress(op) => {
                let der = op.to_der().unwrap_or_default();
                let done = tlv::expect(&der, 0xBF65)
                    .ok()
                    .and_then(|t| Self::set_default_dp(state, t.value).ok());
                EuiccResultData::SetDefaultDpAddressResult(SetDefaultDpAddressResponse {
                    set_default_dp_address_result: match done {
                        Some(true) => SetDefaultDpAddressResult::Ok,
                        _ => SetDefaultDpAddressResult::UndefinedError,
                    },
                })
            }
            Psmo::Unknown(_) => {
                return terminated(ProcessingTerminated::UnknownOrDamagedCommand);
            }
        };
        result.into()
    }

    /// True if a switch can't be made now: a proactive session of the device's is under way, or the catBusy fault
    /// says so, which is used once by this.
    pub(super) fn cat_is_busy(&mut self) -> bool {
        let busy = self.faults.cat_busy > 0;
        self.faults.cat_busy = self.faults.cat_busy.saturating_sub(1);
        busy || (self.by_device && self.device.proactive)
    }

    fn enable(&mut self, op: &Enable, state: &mut State, marks: &mut Marks) -> EnableProfileResult {
        let iccid = op.iccid;
        if marks.enable.is_some() {
            return EnableProfileResult::from_code(i64::from(SECOND_ENABLE));
        }
        let Some(profile) = state.profile(&iccid) else {
            return EnableProfileResult::IccidOrAidNotFound;
        };
        if profile.enabled {
            return EnableProfileResult::ProfileNotInDisabledState;
        }
        let enabled = state.enabled();
        if op.rollback_flag && enabled.is_none() {
            return EnableProfileResult::RollbackNotAvailable;
        }
        // The profile that would be disabled by this; one that was marked before passed its own check.
        if enabled.is_some_and(|p| p.policy.ppr1_no_disable) && marks.disable.is_none() {
            return EnableProfileResult::DisallowedByPolicy;
        }
        if self.cat_is_busy() {
            return EnableProfileResult::CatBusy;
        }
        marks.enable = Some(MarkedEnable {
            iccid,
            rollback: op.rollback_flag,
        });
        marks.changed = true;
        EnableProfileResult::Ok
    }

    fn disable(
        &mut self,
        iccid: &Iccid,
        state: &mut State,
        marks: &mut Marks,
    ) -> DisableProfileResult {
        let Some(profile) = state.profile(iccid) else {
            return DisableProfileResult::IccidOrAidNotFound;
        };
        // After an enable every disable fails; a profile marked before isn't enabled any more.
        if marks.enable.is_some() || !marks.enabled(state, iccid) {
            return DisableProfileResult::ProfileNotInEnabledState;
        }
        if profile.policy.ppr1_no_disable {
            return DisableProfileResult::DisallowedByPolicy;
        }
        if self.cat_is_busy() {
            return DisableProfileResult::CatBusy;
        }
        marks.disable = Some(*iccid);
        marks.changed = true;
        DisableProfileResult::Ok
    }

    fn delete(&self, iccid: &Iccid, state: &mut State, marks: &mut Marks) -> DeleteProfileResult {
        let Some(profile) = state.profile(iccid).cloned() else {
            return DeleteProfileResult::IccidOrAidNotFound;
        };
        let enabled = if DELETE_SEES_MARKS {
            marks.enabled(state, iccid)
        } else {
            profile.enabled
        };
        if enabled {
            return DeleteProfileResult::ProfileNotInDisabledState;
        }
        if profile.policy.ppr2_no_delete {
            return DeleteProfileResult::DisallowedByPolicy;
        }
        // Only a profile that is still enabled beneath the marks can be the target of the grant to come.
        if profile.enabled && marks.enable.as_ref().is_some_and(|e| e.rollback) {
            return DeleteProfileResult::RollbackNotAvailable;
        }
        let fallback_enabled = state.enabled().is_some_and(|p| p.fallback);
        if fallback_enabled && state.fallback_return == Some(*iccid) {
            return DeleteProfileResult::ReturnFallbackProfile;
        }
        state.remove(|p| p.iccid == *iccid);
        self.notify(state, &profile, Event::Delete);
        marks.changed = true;
        DeleteProfileResult::Ok
    }
}

/// setFallbackAttribute (SGP.32 3.4.6).
fn set_fallback(iccid: &Iccid, state: &mut State) -> SetFallbackAttributeResult {
    let Some(profile) = state.profile(iccid) else {
        return SetFallbackAttributeResult::IccidOrAidNotFound;
    };
    if profile.fallback {
        return SetFallbackAttributeResult::Ok;
    }
    if profile.fallback_allowed != Some(true) || profile.ecall {
        return SetFallbackAttributeResult::FallbackNotAllowed;
    }
    if state.profiles.iter().any(|p| p.fallback && p.enabled) {
        return SetFallbackAttributeResult::FallbackProfileEnabled;
    }
    for profile in &mut state.profiles {
        profile.fallback = profile.iccid == *iccid;
    }
    SetFallbackAttributeResult::Ok
}

/// unsetFallbackAttribute (SGP.32 3.4.7).
fn unset_fallback(state: &mut State) -> UnsetFallbackAttributeResult {
    match state.profiles.iter_mut().find(|p| p.fallback) {
        None => UnsetFallbackAttributeResult::NoFallbackAttribute,
        Some(p) if p.enabled => UnsetFallbackAttributeResult::FallbackProfileEnabled,
        Some(p) => {
            p.fallback = false;
            UnsetFallbackAttributeResult::Ok
        }
    }
}
