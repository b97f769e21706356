//! Which ES10 command is executed by which function.

use super::choices::NOT_SUPPORTED;
use super::iot::is_iot_function;
use super::load::is_segment;
use super::reset;
use super::state::State;
use super::{Es10Answer, Euicc, Outcome};
use applet_model::status::Sw;
use applet_model::tlv::{self, Tlv, TlvError};

/// Why a function gives no response data object.
pub(super) enum Refusal {
    /// The command's data are wrong: 6A80.
    Data,
    /// Another status word.
    Status(Sw),
}

impl From<TlvError> for Refusal {
    fn from(_: TlvError) -> Self {
        Refusal::Data
    }
}

/// What a function gives back: the response data object and, if it changes anything, the new state.
pub(super) type Function = Result<(Vec<u8>, Option<State>), Refusal>;

/// A response without a change of state.
pub(super) fn answer(tag: u32, value: &[u8]) -> Function {
    Ok((tlv::write(tag, value), None))
}

/// A response that holds one code.
pub(super) fn code(tag: u32, inner: u32, code: u8) -> Vec<u8> {
    tlv::write(tag, &tlv::write(inner, &[code]))
}

/// The text in a data object.
pub(super) fn text(tlv: &Tlv<'_>) -> Result<String, Refusal> {
    String::from_utf8(tlv.value.to_vec()).map_err(|_| Refusal::Data)
}

/// The value of a non-negative INTEGER; `None` if it is negative, empty or beyond 64 bits.
pub(super) fn unsigned(value: &[u8]) -> Option<u64> {
    let (first, _) = value.split_first()?;
    if first & 0x80 != 0 {
        return None;
    }
    let skip = value.iter().take_while(|b| **b == 0).count();
    let significant = value.get(skip..)?;
    if significant.len() > 8 {
        return None;
    }
    Some(significant.iter().fold(0, |n, b| n << 8 | u64::from(*b)))
}

/// Functions of a local assistant that SGP.32 has not, or under another tag: EnableProfile, DisableProfile,
/// DeleteProfile, eUICCMemoryReset and SetDefaultDpAddress of SGP.22.
const LOCAL: [u32; 5] = [0xBF31, 0xBF32, 0xBF33, reset::CONSUMER, 0xBF3F];

/// Functions that SGP.32 v1.0 has not: emergency, fallback, connectivity parameters, the default SM-DP+, and the
/// memory reset under this tag.
const SINCE_1_1: [u32; 7] = [0xBF5B, 0xBF5C, 0xBF5D, 0xBF5E, 0xBF5F, reset::IOT, 0xBF65];

impl Euicc {
    /// Finds the function and executes it on the state as it is.
    pub(super) fn execute(&mut self, command: &[u8]) -> Outcome {
        let result = self.dispatch(command);
        match result {
            Ok((data, state)) => Outcome {
                answer: Es10Answer { data, sw: Sw::OK },
                state,
            },
            Err(refusal) => Outcome {
                answer: Es10Answer {
                    data: Vec::new(),
                    sw: match refusal {
                        Refusal::Data => Sw::WRONG_DATA,
                        Refusal::Status(sw) => sw,
                    },
                },
                state: None,
            },
        }
    }

    fn dispatch(&mut self, command: &[u8]) -> Function {
        if self.sgp22_only && is_iot_function(command) {
            return Err(Refusal::Status(NOT_SUPPORTED));
        }
        // A package that can't be decoded has an answer of its own, so its outer form isn't looked at here.
        if command.starts_with(&[0xBF, 0x51]) {
            return self.load_euicc_package(command);
        }
        if command.starts_with(&[0xBF, 0x36]) || is_segment(command) {
            return self.load_bound_profile_package(command);
        }
        let request = tlv::read_one(command)?;
        let first_version = request.tag == reset::CONSUMER && self.speaks_first_version();
        if LOCAL.contains(&request.tag) && !first_version && self.has_no_local_management() {
            return Err(Refusal::Status(NOT_SUPPORTED));
        }
        if SINCE_1_1.contains(&request.tag) && self.speaks_first_version() {
            return Err(Refusal::Status(NOT_SUPPORTED));
        }
        match request.tag {
            0xBF21 => self.prepare_download(&request),
            0xBF38 => self.authenticate_server(&request),
            0xBF41 => self.cancel_session(&request),
            0xBF20 => self.euicc_info1(),
            0xBF22 => self.euicc_info2(),
            0xBF28 => self.list_notification(&request),
            0xBF29 => self.set_nickname(&request),
            0xBF2B => self.retrieve_notifications_list(&request),
            0xBF2D => self.get_profiles_info(&request),
            0xBF2E => self.get_euicc_challenge(),
            0xBF30 => self.notification_sent(&request),
            0xBF31 => self.enable_profile(&request),
            0xBF32 => self.disable_profile(&request),
            0xBF33 => self.delete_profile(&request),
            0xBF35 => self.load_crl(&request),
            0xBF3C => self.euicc_configured_addresses(),
            0xBF3E => self.get_euicc_data(&request),
            0xBF42 => self.ipae_activation(&request),
            0xBF43 => self.get_rat(),
            0xBF55 => self.get_eim_configuration_data(&request),
            0xBF56 => self.get_certs(&request),
            0xBF57 => self.add_initial_eim(&request),
            0xBF58 => self.profile_rollback(&request),
            0xBF59 => self.configure_immediate_profile_enabling(&request),
            0xBF5A => self.immediate_enable(&request),
            0xBF5B => self.enable_emergency(&request),
            0xBF5C => self.disable_emergency(&request),
            0xBF5D => self.execute_fallback(&request),
            0xBF5E => self.return_from_fallback(&request),
            0xBF5F => self.get_connectivity_parameters(),
            reset::CONSUMER | reset::IOT => self.euicc_memory_reset(&request),
            0xBF3F | 0xBF65 => self.set_default_dp_address(&request),
            _ => Err(Refusal::Status(NOT_SUPPORTED)),
        }
    }
}
