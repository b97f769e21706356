//! An HSM behind PKCS#11: one token, a session for each thread that works, no key that leaves it.
//!
//! [`Hsm::open`] loads a module, finds the token and logs in. A session belongs to one thread while it is
//! at work, which PKCS#11 asks for; idle ones are kept. What fails for the token's sake (pulled, session
//! lost, logged out) is a [`CardKeysError::Device`]: the run stops before a card is touched.

mod keys;
mod reference;

pub use keys::{HsmKeys, HsmMaster};
pub use reference::ObjectReference;

use applet_gen::gp::scp03::CardKeysError;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::MechanismType;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Which token of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenChoice {
    /// By its label.
    Label(String),
    /// By its slot's number.
    Slot(u64),
    /// The only one there is.
    Only,
}

/// A token that one is logged in to.
pub struct Hsm {
    module: Pkcs11,
    slot: Slot,
    label: String,
    mechanisms: Vec<MechanismType>,
    idle: Mutex<Vec<Session>>,
    /// Keeps the login: it ends with the last session.
    _login: Mutex<Session>,
    /// The operator allows keys of cards in this computer's memory.
    values_allowed: bool,
}

/// What the token can do of what is asked of it, for people: name and answer.
pub type Ability = (&'static str, bool);

impl Hsm {
    /// Loads the module, finds the token, logs in as its user.
    ///
    /// `values_allowed`: cards' keys (never masters) may come into this computer's memory where the token
    /// can't do without.
    ///
    /// # Errors
    /// [`CardKeysError::Device`] with what to do.
    pub fn open(
        module: &Path,
        choice: &TokenChoice,
        pin: &str,
        values_allowed: bool,
    ) -> Result<Arc<Hsm>, CardKeysError> {
        let fail = |text: String| CardKeysError::Device(text);
        let pkcs11 = Pkcs11::new(module).map_err(|e| {
            fail(format!(
                "failed to load PKCS#11 module {}: {e}",
                module.display()
            ))
        })?;
        match pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(e) => return Err(device("C_Initialize", &e)),
        }
        let (slot, label) = find_token(&pkcs11, choice)?;
        let login = pkcs11
            .open_ro_session(slot)
            .map_err(|e| device("C_OpenSession", &e))?;
        match login.login(UserType::User, Some(&AuthPin::from(pin.to_owned()))) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
            Err(Error::Pkcs11(RvError::PinIncorrect, _)) => {
                return Err(fail(format!(
                    "token {label:?} refused the PIN; it is not tried again, tokens count wrong ones"
                )));
            }
            Err(e) => return Err(device("C_Login", &e)),
        }
        let mechanisms = pkcs11
            .get_mechanism_list(slot)
            .map_err(|e| device("C_GetMechanismList", &e))?;
        Ok(Arc::new(Hsm {
            module: pkcs11,
            slot,
            label,
            mechanisms,
            idle: Mutex::new(Vec::new()),
            _login: Mutex::new(login),
            values_allowed,
        }))
    }

    /// The token's label.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Whether cards' keys may come into this computer's memory.
    pub fn values_allowed(&self) -> bool {
        self.values_allowed
    }

    /// What the token can do of what these tools ask for.
    pub fn abilities(&self) -> [Ability; 6] {
        [
            (
                "session keys by CKM_AES_CMAC",
                self.can(MechanismType::AES_CMAC),
            ),
            (
                "keys of cards (kdf3, 16 bytes) derived inside by CKM_AES_CBC_ENCRYPT_DATA",
                self.can_derive(),
            ),
            (
                "new keys for PUT KEY wrapped inside by CKM_AES_CBC",
                self.can_wrap_new_keys(),
            ),
            (
                "transport keys by RFC 3394 (CKM_AES_KEY_WRAP)",
                self.can_unwrap(MechanismType::AES_KEY_WRAP),
            ),
            (
                "transport keys by RFC 5649 (CKM_AES_KEY_WRAP_PAD)",
                self.can_unwrap(MechanismType::AES_KEY_WRAP_PAD),
            ),
            (
                "transport keys by CBC (CKM_AES_CBC)",
                self.can_unwrap(MechanismType::AES_CBC),
            ),
        ]
    }

    fn can(&self, mechanism: MechanismType) -> bool {
        self.mechanisms.contains(&mechanism)
    }

    fn can_derive(&self) -> bool {
        self.can(MechanismType::AES_ECB) && self.can(MechanismType::AES_CBC_ENCRYPT_DATA)
    }

    fn can_unwrap(&self, mechanism: MechanismType) -> bool {
        self.can(mechanism)
            && self
                .module
                .get_mechanism_info(self.slot, mechanism)
                .is_ok_and(|info| info.unwrap())
    }

    /// Whether a new key of a card can be encrypted under the card's Key-DEK without being read.
    pub(super) fn can_wrap_new_keys(&self) -> bool {
        self.can(MechanismType::AES_CBC)
            && self
                .module
                .get_mechanism_info(self.slot, MechanismType::AES_CBC)
                .is_ok_and(|info| info.wrap())
    }

    /// Does something in a session that no other thread has meanwhile. A session in which something failed
    /// is closed.
    fn with<T>(
        &self,
        what: &str,
        act: impl FnOnce(&Session) -> cryptoki::error::Result<T>,
    ) -> Result<T, CardKeysError> {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let session = match idle {
            Some(session) => session,
            None => self
                .module
                .open_ro_session(self.slot)
                .map_err(|e| self.failed("C_OpenSession", &e))?,
        };
        match act(&session) {
            Ok(value) => {
                self.give_back(session);
                Ok(value)
            }
            Err(e) => {
                // Objects made in a session end with it: it is only closed where it is of no use.
                if !is_lost(&e) {
                    self.give_back(session);
                }
                Err(self.failed(what, &e))
            }
        }
    }

    fn give_back(&self, session: Session) {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(session);
    }

    fn failed(&self, what: &str, error: &Error) -> CardKeysError {
        match is_lost(error) {
            true => CardKeysError::Device(format!(
                "the session with token {:?} is lost ({what}: {}): check that the HSM is connected, then start \
                 the same command again",
                self.label,
                short(error)
            )),
            false => device(&format!("token {:?}: {what}", self.label), error),
        }
    }

    /// The one AES key that a reference names, and its length in bytes.
    fn find(&self, reference: &ObjectReference) -> Result<(ObjectHandle, usize), CardKeysError> {
        if reference
            .token
            .as_ref()
            .is_some_and(|token| *token != self.label)
        {
            return Err(CardKeysError::Refused(format!(
                "{reference} is of another token than {:?}",
                self.label
            )));
        }
        let mut template = vec![
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
        ];
        if let Some(object) = &reference.object {
            template.push(Attribute::Label(object.clone().into_bytes()));
        }
        if let Some(id) = &reference.id {
            template.push(Attribute::Id(id.clone()));
        }
        let found = self.with("C_FindObjects", |session| session.find_objects(&template))?;
        let [key] = found[..] else {
            return Err(CardKeysError::Refused(format!(
                "{} AES keys in token {:?} are {reference}, there must be one",
                found.len(),
                self.label
            )));
        };
        let attributes = self.with("C_GetAttributeValue", |session| {
            session.get_attributes(key, &[AttributeType::ValueLen])
        })?;
        let length = attributes.iter().find_map(|attribute| match attribute {
            Attribute::ValueLen(length) => usize::try_from(u64::from(*length)).ok(),
            _ => None,
        });
        match length {
            Some(length @ (16 | 24 | 32)) => Ok((key, length)),
            _ => Err(CardKeysError::Refused(format!(
                "{reference}: the token does not say the key's length"
            ))),
        }
    }
}

/// Slot and label of the token.
fn find_token(module: &Pkcs11, choice: &TokenChoice) -> Result<(Slot, String), CardKeysError> {
    let slots = module
        .get_slots_with_initialized_token()
        .map_err(|e| device("C_GetSlotList", &e))?;
    let mut tokens = Vec::new();
    for slot in slots {
        let info = module
            .get_token_info(slot)
            .map_err(|e| device("C_GetTokenInfo", &e))?;
        tokens.push((slot, info.label().trim_end().to_owned()));
    }
    let mut fitting: Vec<_> = tokens
        .iter()
        .filter(|(slot, label)| match choice {
            TokenChoice::Label(wanted) => label == wanted,
            TokenChoice::Slot(number) => slot.id() == *number,
            TokenChoice::Only => true,
        })
        .collect();
    match (fitting.pop(), fitting.is_empty()) {
        (Some((slot, label)), true) => Ok((*slot, label.clone())),
        (found, _) => {
            let names: Vec<String> = tokens
                .iter()
                .map(|(slot, label)| format!("{label:?} in slot {}", slot.id()))
                .collect();
            let problem = match found {
                Some(_) => "more than one token fits",
                None => "no such token",
            };
            Err(CardKeysError::Device(format!(
                "{problem}; the module has {}: name one with --token LABEL or --slot N",
                match names.is_empty() {
                    true => "none".to_owned(),
                    false => names.join(", "),
                }
            )))
        }
    }
}

/// Errors after which a session is of no use.
fn is_lost(error: &Error) -> bool {
    matches!(
        error,
        Error::Pkcs11(
            RvError::DeviceRemoved
                | RvError::DeviceError
                | RvError::TokenNotPresent
                | RvError::SessionClosed
                | RvError::SessionHandleInvalid
                | RvError::UserNotLoggedIn
                | RvError::CryptokiNotInitialized
                | RvError::ObjectHandleInvalid
                | RvError::KeyHandleInvalid,
            _
        )
    )
}

/// The error without cryptoki's long explanations.
fn short(error: &Error) -> String {
    match error {
        Error::Pkcs11(code, function) => format!("{function} {code:?}"),
        other => other.to_string(),
    }
}

fn device(what: &str, error: &Error) -> CardKeysError {
    CardKeysError::Device(format!("{what} failed: {}", short(error)))
}
