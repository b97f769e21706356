//! The eUICC of the virtual card: ISD-R, ISD-Ps and ECASD as a plain value, with no I/O, no clock and
//! no randomness but its seed.
//!
//! [`Euicc`] holds the state and executes ES10 commands ([`Euicc::es10`]); [`Es10Session`] takes them apart as a
//! card receives them. A function builds the state that it leads to beside the old one; it is then swapped in behind one
//! [`Nvm::commit`](crate::power::Nvm::commit), so that a power cut leaves the old state or the new one. Signatures
//! are really verified and really made. What the specification leaves open here stands in [`choices`].

pub mod bpp;
pub mod bsp;
pub mod choices;
pub mod config;
mod crl;
mod download;
mod eim_config;
mod es10;
pub mod hexbytes;
mod info;
mod install;
pub mod iot;
mod load;
mod local;
mod manage;
mod notification;
mod package;
pub mod profile;
mod psmo;
mod reset;
mod rollback;
pub mod session;
pub mod state;
mod switch;
#[cfg(test)]
mod tests;

pub use applet_model::sgp::{Eid, Iccid};
pub use config::{ConfigError, EuiccConfig, EuiccSetup, LAB_TOML};
pub use local::LocalManagement;
pub use profile::{Profile, ProfileClass};
pub use session::Es10Session;
pub use state::{Eim, State};

use crate::pki::{Cert, EuiccCredential, PublicKey};
use crate::power::{Nvm, PowerCut};
use applet_model::aid;
use applet_model::status::Sw;
use config::Limits;
use serde::{Deserialize, Serialize};
use state::Constants;

/// Misbehaviour of a real eUICC, as data for tests. Not persistent: nothing of it is committed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EuiccFaults {
    /// So many enables, disables and rollbacks more answer `catBusy(5)`.
    pub cat_busy: u8,
    /// No memory for another eIM or another configuration: `insufficientMemory(1)`.
    pub memory_full: bool,
    /// So many bytes are free for profiles, whatever there was.
    pub profile_memory: Option<usize>,
    /// After a profile switch, ES10 answers 6985 until the reset, as some real cards do.
    pub refuse_after_switch: bool,
}

/// What the eUICC must know of the device that speaks to it. It ends with a reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Device {
    /// The IPAe is in charge: the device's ES10 commands get 6985 (SGP.32 3.8.4).
    pub ipae_in_charge: bool,
    /// It declared an IPAd, and no local assistant of SGP.22 (TERMINAL CAPABILITY; SGP.32 3.8.2).
    pub ipad: bool,
    /// A proactive session is under way: no switch now (catBusy).
    pub proactive: bool,
}

/// What a switch of profiles by the device asks of the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// REFRESH is to be sent to the terminal.
    Refresh,
    /// The enabled profile is seen at once: the device takes care of the rest itself.
    AtOnce,
}

/// The answer to an ES10 command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Es10Answer {
    /// The response data object, whole; empty if the status word is an error.
    pub data: Vec<u8>,
    /// 9000, or why there are no data.
    pub sw: Sw,
}

/// What a function leads to: its answer, and the state to commit if it changes anything.
pub(crate) struct Outcome {
    answer: Es10Answer,
    state: Option<State>,
}

/// An eUICC.
#[derive(Clone, Serialize, Deserialize)]
pub struct Euicc {
    eid: Eid,
    seed: u64,
    credentials: Vec<EuiccCredential>,
    constants: Constants,
    state: State,
    /// Random numbers drawn so far.
    drawn: u64,
    /// The profile that the terminal sees since the last reset or REFRESH.
    visible: Option<Iccid>,
    /// True until the next reset, after a switch, if [`EuiccFaults::refuse_after_switch`].
    refusing: bool,
    ipae_activated: bool,
    /// What is known of the device.
    #[serde(default)]
    device: Device,
    /// The command being executed is the device's, not the IPAe's.
    #[serde(skip)]
    by_device: bool,
    /// The command being executed switches what the terminal sees without a REFRESH.
    #[serde(skip)]
    at_once: bool,
    /// Which assistant is in charge, as the card said last.
    #[serde(default)]
    assistant: iot::Assistant,
    /// SGP.22 alone: no function and no data of SGP.32.
    #[serde(default)]
    sgp22_only: bool,
    /// Remote provisioning: its session ends with the power, and is in no stored card.
    #[serde(skip)]
    rsp: download::Rsp,
    /// Misbehaviour for tests.
    pub faults: EuiccFaults,
}

impl Euicc {
    /// Makes an eUICC; it has no associated eIM.
    ///
    /// # Errors
    /// [`ConfigError`] if the configuration doesn't hold together.
    pub fn new(config: EuiccConfig) -> Result<Self, ConfigError> {
        config.check()?;
        let EuiccConfig {
            eid,
            seed,
            credentials,
            setup,
        } = config;
        let mut profiles = setup.profiles;
        for i in 0..profiles.len() {
            if profiles.get(i).is_none_or(|p| !p.isdp_aid.is_empty()) {
                continue;
            }
            let aid = free_isdp_aid(&profiles);
            if let Some(profile) = profiles.get_mut(i) {
                profile.isdp_aid = aid;
            }
        }
        let state = State {
            profiles,
            eims: Vec::new(),
            next_token: 1,
            next_seq: 1,
            results: Vec::new(),
            notifications: Vec::new(),
            rollback: None,
            fallback_return: None,
            emergency_return: None,
            test_return: None,
            immediate: state::ImmediateEnable::default(),
            default_smdp: setup.default_smdp,
            one_time: None,
            revoked: Vec::new(),
        };
        let visible = state.enabled().map(|p| p.iccid);
        Ok(Euicc {
            eid,
            seed,
            credentials,
            constants: Constants {
                root_smds: setup.root_smds,
                sas_number: setup.sas_number,
                versions: setup.versions,
                limits: setup.limits,
                rules: setup.rules,
                local: setup.local,
            },
            state,
            drawn: 0,
            visible,
            refusing: false,
            ipae_activated: false,
            device: Device::default(),
            by_device: false,
            at_once: false,
            assistant: iot::Assistant::default(),
            sgp22_only: false,
            rsp: download::Rsp::default(),
            faults: EuiccFaults::default(),
        })
    }

    /// Executes one ES10 command (a whole data object, `BF51…`) and answers with the response's.
    /// Errors of the function itself are codes inside of the response; the status word is 6A80 for a command that is no
    /// data object or lacks something, and 6A88 for a function that isn't supported.
    ///
    /// # Errors
    /// [`PowerCut`] before the function's one commit: nothing was changed. (Segments of a profile are each a write of their
    /// own, into memory that counts for nothing until the last one's commit.)
    pub fn es10(&mut self, nvm: &mut Nvm, command: &[u8]) -> Result<Es10Answer, PowerCut> {
        self.by_device = false;
        Ok(self.carry_out(nvm, command)?.0)
    }

    /// As [`Euicc::es10`], for a command of the device's. If it switched profiles, the card has to do something about it.
    ///
    /// # Errors
    /// As [`Euicc::es10`].
    pub fn es10_of_device(
        &mut self,
        nvm: &mut Nvm,
        command: &[u8],
    ) -> Result<(Es10Answer, Option<Switch>), PowerCut> {
        self.by_device = true;
        let done = self.carry_out(nvm, command);
        self.by_device = false;
        done
    }

    fn carry_out(
        &mut self,
        nvm: &mut Nvm,
        command: &[u8],
    ) -> Result<(Es10Answer, Option<Switch>), PowerCut> {
        self.at_once = false;
        let before = self.state.enabled().map(|p| p.iccid);
        let outcome = self.execute(command);
        if std::mem::take(&mut self.rsp.written) {
            nvm.commit()?;
        }
        if let Some(state) = outcome.state
            && state != self.state
        {
            nvm.commit()?;
            self.state = state;
        }
        let switched = before != self.state.enabled().map(|p| p.iccid);
        self.refusing |= switched && self.faults.refuse_after_switch;
        let switch = switched.then_some(match self.at_once {
            true => Switch::AtOnce,
            false => Switch::Refresh,
        });
        Ok((outcome.answer, switch))
    }

    /// The EID.
    pub fn eid(&self) -> &Eid {
        &self.eid
    }

    /// The state, to look at.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The limits of its memory.
    pub fn limits(&self) -> &Limits {
        &self.constants.limits
    }

    /// The profile that is enabled in the ISD-R's registry.
    pub fn enabled_profile(&self) -> Option<&Profile> {
        self.state.enabled()
    }

    /// The profile whose files the terminal sees: the one that was enabled at the last reset or REFRESH. A
    /// profile that was deleted meanwhile is seen no more.
    pub fn visible_profile(&self) -> Option<&Profile> {
        self.state.profile(&self.visible?)
    }

    /// The card was reset, or the terminal carried out a REFRESH: the enabled profile becomes the visible one, and
    /// what was volatile is gone.
    pub fn refresh(&mut self) {
        self.show_enabled();
        self.refusing = false;
        self.ipae_activated = false;
        self.rsp = download::Rsp::default();
    }

    /// The enabled profile becomes the visible one, without a REFRESH ([`Switch::AtOnce`]).
    pub fn show_enabled(&mut self) {
        self.visible = self.state.enabled().map(|p| p.iccid);
    }

    /// True if the enabled profile isn't the visible one: a REFRESH is due.
    pub fn refresh_due(&self) -> bool {
        self.visible != self.state.enabled().map(|p| p.iccid)
    }

    /// True since IpaeActivation (SGP.32 5.9.14) until the next reset.
    pub fn ipae_activated(&self) -> bool {
        self.ipae_activated
    }

    /// Says what is known of the device.
    pub fn set_device(&mut self, device: Device) {
        self.device = device;
    }

    /// Says which assistant the session has.
    pub fn set_assistant(&mut self, assistant: iot::Assistant) {
        self.assistant = assistant;
    }

    /// Takes away, or gives back, what SGP.32 adds to SGP.22.
    pub fn set_sgp22_only(&mut self, only: bool) {
        self.sgp22_only = only;
    }

    /// The status word that a path to the ISD-R gets instead of an answer.
    pub(crate) fn refuses(&self, of_device: bool) -> Option<Sw> {
        (self.refusing || (of_device && self.device.ipae_in_charge))
            .then_some(Sw::CONDITIONS_NOT_SATISFIED)
    }

    /// The response to SELECT of the ISD-R (SGP.22 5.7.1, SGP.32 5.9.1): 6F with the AID, the maximum length of a
    /// command's data, E0 (SGP.22's version) and E1 (`euiccConfiguration`).
    pub fn isdr_fci(&self) -> Vec<u8> {
        self.select_response(aid::ISD_R)
    }

    /// Changes what the factory put into a profile, such as its policy rules: for tests. False if it isn't there.
    pub fn change_profile(&mut self, iccid: &Iccid, change: impl FnOnce(&mut Profile)) -> bool {
        let profile = self.state.profiles.iter_mut().find(|p| p.iccid == *iccid);
        profile.map(change).is_some()
    }

    /// The public key of the eUICC's certificate for a CI (`None`: the first), for one who checks its signatures.
    pub fn public_key(&self, ci_key_id: Option<&[u8]>) -> Option<PublicKey> {
        let credential = match ci_key_id {
            Some(id) => self.credential(id)?,
            None => self.credentials.first()?,
        };
        Cert::from_der(&credential.euicc_certificate, "eUICC")
            .and_then(|c| c.public_key())
            .ok()
    }

    /// The key and certificates for a CI.
    fn credential(&self, ci_key_id: &[u8]) -> Option<&EuiccCredential> {
        self.credentials.iter().find(|c| c.ci_key_id == ci_key_id)
    }

    /// What must hold at every moment; for tests after every step.
    ///
    /// # Errors
    /// The first rule that is broken, in words.
    pub fn check_invariants(&self) -> Result<(), String> {
        self.state.check_invariants(&self.constants.limits)
    }
}

/// The first AID of an ISD-P that no profile has.
fn free_isdp_aid(profiles: &[Profile]) -> Vec<u8> {
    let taken = |aid: &Vec<u8>| profiles.iter().any(|p| p.isdp_aid == *aid);
    (0x10..=u16::MAX)
        .map(isdp_aid)
        .find(|aid| !taken(aid))
        .unwrap_or_default()
}

/// AID of an ISD-P, by number (SGP.02 2.2.3: PIX ending with a number from 10 on, and 00).
fn isdp_aid(number: u16) -> Vec<u8> {
    let mut aid = aid::ISD_R.to_vec();
    aid.truncate(12);
    aid.extend([0x00, (number >> 8) as u8, number as u8, 0x00]);
    aid
}
