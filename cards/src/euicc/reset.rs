//! eUICCMemoryReset: profiles, addresses, eIMs (SGP.32 5.9.5; SGP.22 5.7.19 without the eIMs).

use super::Euicc;
use super::es10::{Function, Refusal};
use super::profile::{Event, Profile, ProfileClass};
use super::state::ImmediateEnable;
use applet_model::sgp::es10::{
    ResetEimResult, ResetImmediateEnableConfigResult, ResetOptions, ResetResult,
};
use applet_model::tlv::{self, Tlv};

/// Tag of SGP.32's function from v1.1 on.
pub(super) const IOT: u32 = 0xBF64;
/// Tag of SGP.22's function, which SGP.32 v1.0 had, too.
pub(super) const CONSUMER: u32 = 0xBF34;

/// Options that SGP.22 has: the first three.
const CONSUMER_OPTIONS: u8 = 0b1110_0000;

impl Euicc {
    /// ES10b.eUICCMemoryReset. A result for the eIM data and for immediate enabling is there only if they were
    /// asked for. Profiles go whatever their state or policy rules (SGP.22 5.7.19).
    pub(super) fn euicc_memory_reset(&mut self, request: &Tlv<'_>) -> Function {
        let iot = request.tag == IOT || self.speaks_first_version();
        let options = tlv::require(request.value, 0x82)?;
        let bits = options.value.get(1).copied().ok_or(Refusal::Data)?;
        let bits = if iot { bits } else { bits & CONSUMER_OPTIONS };
        let asked = |bit: u8| bits & (0x80 >> bit) != 0;
        let refuse = |result: ResetResult| {
            let result = tlv::write(0x80, &[result.code() as u8]);
            Ok((tlv::write(request.tag, &result), None))
        };
        if self.state.emergency() {
            // SGP.22 has no code for it.
            return refuse(match iot {
                true => ResetResult::EcallActive,
                false => ResetResult::UndefinedError,
            });
        }
        let goes = |p: &Profile| match p.class {
            ProfileClass::Operational => asked(ResetOptions::DELETE_OPERATIONAL_PROFILES),
            ProfileClass::Test if p.field_loaded => {
                asked(ResetOptions::DELETE_FIELD_LOADED_TEST_PROFILES)
            }
            ProfileClass::Test => asked(ResetOptions::DELETE_PRE_LOADED_TEST_PROFILES),
            ProfileClass::Provisioning => asked(ResetOptions::DELETE_PROVISIONING_PROFILES),
        };
        let mut state = self.state.clone();
        let gone: Vec<Profile> = state.profiles.iter().filter(|p| goes(p)).cloned().collect();
        if gone.iter().any(|p| p.enabled) && self.cat_is_busy() {
            return refuse(ResetResult::CatBusy);
        }
        state.remove(goes);
        for profile in &gone {
            self.notify(&mut state, profile, Event::Delete);
        }
        let address = asked(ResetOptions::RESET_DEFAULT_SMDP_ADDRESS);
        let result = match !gone.is_empty() || (address && !state.default_smdp.is_empty()) {
            true => ResetResult::Ok,
            false => ResetResult::NothingToDelete,
        };
        if address {
            state.default_smdp.clear();
        }
        let mut out = tlv::write(0x80, &[result.code() as u8]);
        if asked(ResetOptions::RESET_EIM_CONFIG_DATA) {
            let result = match state.eims.is_empty() {
                true => ResetEimResult::NothingToDelete,
                false => ResetEimResult::Ok,
            };
            out.extend(tlv::write(0x81, &[result.code() as u8]));
            state.eims.clear();
        }
        if asked(ResetOptions::RESET_IMMEDIATE_ENABLE_CONFIG) {
            state.immediate = ImmediateEnable::default();
            let result = ResetImmediateEnableConfigResult::Ok;
            out.extend(tlv::write(0x82, &[result.code() as u8]));
        }
        Ok((tlv::write(request.tag, &out), Some(state)))
    }
}
