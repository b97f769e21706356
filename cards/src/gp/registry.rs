//! The GlobalPlatform registry: load files, their modules, application instances, and life cycles
//! (GlobalPlatform Card Specification 2.3.1, chapters 5 and 6.4).

use super::params::Toolkit;
use applet_gen::gp::privilege::Privileges;
use core::fmt;
use serde::{Deserialize, Serialize};

/// An application identifier of 5 to 16 bytes (ISO/IEC 7816-4 12.2.3).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Aid(Vec<u8>);

impl Aid {
    /// The bytes as an AID; `None` unless they are 5 to 16.
    pub fn new(bytes: &[u8]) -> Option<Aid> {
        (5..=16).contains(&bytes.len()).then(|| Aid(bytes.to_vec()))
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The Toolkit Application Reference in bytes 13 to 15 (ETSI TS 101 220 3.4), if it is that long.
    pub fn tar(&self) -> Option<[u8; 3]> {
        self.0.get(12..15)?.try_into().ok()
    }
}

impl fmt::Debug for Aid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode_upper(&self.0))
    }
}

impl PartialEq<[u8]> for Aid {
    fn eq(&self, other: &[u8]) -> bool {
        self.0 == other
    }
}

/// Card life cycle (GlobalPlatform Card Specification 5.1, table 11-6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u8)]
pub enum CardState {
    /// Ready for content.
    OpReady = 0x01,
    /// Initial content is there.
    Initialized = 0x07,
    /// Issued.
    Secured = 0x0F,
    /// Only the ISD can be selected.
    Locked = 0x7F,
    /// For ever out of use.
    Terminated = 0xFF,
}

impl CardState {
    /// The state of this code.
    pub fn from_code(code: u8) -> Option<CardState> {
        [
            CardState::OpReady,
            CardState::Initialized,
            CardState::Secured,
            CardState::Locked,
            CardState::Terminated,
        ]
        .into_iter()
        .find(|state| *state as u8 == code)
    }

    /// If SET STATUS may lead from here to `next` (figure 5-2): forward, and back only from LOCKED to
    /// SECURED.
    pub fn may_become(self, next: CardState) -> bool {
        match (self, next) {
            (CardState::Terminated, _) => false,
            (_, CardState::Terminated) => true,
            (CardState::Locked, next) => next == CardState::Secured,
            (CardState::Secured, next) => next == CardState::Locked,
            (now, next) => {
                next as u8 == now as u8 || (next as u8) > (now as u8) && next != CardState::Locked
            }
        }
    }
}

/// A load file (a package) on the card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadFile {
    /// Its AID.
    pub aid: Aid,
    /// Package version, major and minor.
    pub version: [u8; 2],
    /// Executable modules: the applets that can be installed from it. None of a load that broke off.
    pub modules: Vec<Aid>,
    /// The security domain it is associated with.
    pub domain: Aid,
}

/// Privileges of the issuer security domain: what 6.6.2 gives it on a card without Delegated Management of
/// its own.
pub const ISD_PRIVILEGES: Privileges = [0x9E, 0xFE, 0x80];

/// Life cycle of an application: bits of table 11-4.
pub mod app_state {
    /// Installed, not yet selectable.
    pub const INSTALLED: u8 = 0x03;
    /// Selectable.
    pub const SELECTABLE: u8 = 0x07;
    /// A security domain has its keys.
    pub const PERSONALIZED: u8 = 0x0F;
    /// Bit that is set while the application is locked.
    pub const LOCKED: u8 = 0x80;
}

/// An application instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Its AID.
    pub aid: Aid,
    /// The load file its class is in.
    pub load_file: Aid,
    /// The module (class) it is an instance of.
    pub module: Aid,
    /// Life cycle state ([`app_state`], application-specific bits included).
    pub state: u8,
    /// Privileges (table 11-7).
    pub privileges: Privileges,
    /// The security domain it is associated with.
    pub domain: Aid,
    /// Toolkit parameters, if it was installed with any.
    pub toolkit: Option<Toolkit>,
}

impl Instance {
    /// True if a SELECT may find it.
    pub fn is_selectable(&self) -> bool {
        self.state & app_state::LOCKED == 0
            && self.state & app_state::SELECTABLE == app_state::SELECTABLE
    }
}

/// What is on the card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registry {
    /// Card life cycle state, which is the ISD's too.
    pub card: CardState,
    /// AID of the issuer security domain.
    pub isd: Aid,
    /// Its privileges.
    pub isd_privileges: Privileges,
    /// Load files of the card itself, which can't be deleted.
    pub resident: Vec<LoadFile>,
    /// Load files in the order in which they came.
    pub load_files: Vec<LoadFile>,
    /// Instances in the order in which they came.
    pub instances: Vec<Instance>,
}

impl Registry {
    /// The load file with this AID.
    pub fn load_file(&self, aid: &Aid) -> Option<&LoadFile> {
        self.load_files.iter().find(|file| file.aid == *aid)
    }

    /// The instance with this AID.
    pub fn instance(&self, aid: &Aid) -> Option<&Instance> {
        self.instances.iter().find(|instance| instance.aid == *aid)
    }

    /// The instance with this AID, to be changed.
    pub fn instance_mut(&mut self, aid: &Aid) -> Option<&mut Instance> {
        self.instances
            .iter_mut()
            .find(|instance| instance.aid == *aid)
    }

    /// True if something on the card has this AID.
    pub fn is_taken(&self, aid: &Aid) -> bool {
        self.isd == *aid || self.domain_of(aid).is_some()
    }

    /// The load file with this AID, or the card's own one.
    pub fn any_load_file(&self, aid: &Aid) -> Option<&LoadFile> {
        let mut files = self.resident.iter().chain(&self.load_files);
        files.find(|file| file.aid == *aid)
    }

    /// The security domain that an application or load file is associated with; none for the issuer's.
    pub fn domain_of(&self, aid: &Aid) -> Option<&Aid> {
        let instance = self.instance(aid).map(|instance| &instance.domain);
        instance.or_else(|| self.any_load_file(aid).map(|file| &file.domain))
    }

    /// True if `aid` is associated with `domain`, directly or through domains between.
    pub fn is_below(&self, aid: &Aid, domain: &Aid) -> bool {
        // Extradition makes no circles; the bound is for a registry that was tampered with.
        let mut current = aid;
        for _ in 0..=self.instances.len() {
            match self.domain_of(current) {
                Some(above) if above == domain => return true,
                Some(above) => current = above,
                None => return false,
            }
        }
        false
    }

    /// True if something is associated with this security domain.
    pub fn has_content(&self, domain: &Aid) -> bool {
        let files = self.load_files.iter().map(|file| &file.domain);
        let mut all = files.chain(self.instances.iter().map(|instance| &instance.domain));
        all.any(|above| above == domain)
    }

    /// Associates an application or load file with another security domain.
    pub(crate) fn associate(&mut self, object: &Aid, domain: &Aid) {
        if let Some(instance) = self.instance_mut(object) {
            instance.domain = domain.clone();
        } else if let Some(file) = self.load_files.iter_mut().find(|file| file.aid == *object) {
            file.domain = domain.clone();
        }
    }

    /// The privileges of an application or security domain; none of one that isn't there.
    pub fn privileges(&self, aid: &Aid) -> Privileges {
        match self.instance(aid) {
            Some(instance) => instance.privileges,
            None if *aid == self.isd => self.isd_privileges,
            None => [0; 3],
        }
    }

    /// Sets an application's privileges.
    pub(crate) fn set_privileges(&mut self, aid: &Aid, privileges: Privileges) {
        if let Some(instance) = self.instance_mut(aid) {
            instance.privileges = privileges;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_goes_forward_and_comes_back_from_locked_only() {
        use CardState::*;
        assert!(OpReady.may_become(Initialized) && OpReady.may_become(Secured));
        assert!(!Secured.may_become(Initialized) && !Initialized.may_become(OpReady));
        assert!(!OpReady.may_become(Locked) && Secured.may_become(Locked));
        assert!(Locked.may_become(Secured) && !Locked.may_become(OpReady));
        assert!(Locked.may_become(Terminated) && !Terminated.may_become(Secured));
        assert_eq!(CardState::from_code(0x0F), Some(Secured));
        assert_eq!(CardState::from_code(0x02), None);
    }

    #[test]
    fn an_aid_has_five_to_sixteen_bytes() {
        assert!(Aid::new(&[1; 4]).is_none() && Aid::new(&[1; 17]).is_none());
        let aid = Aid::new(applet_model::aid::INSTANCE_IPAE).unwrap();
        assert_eq!(aid.tar(), Some(applet_model::aid::TAR_IPAE));
    }
}
