//! Secure Channel Protocol '03' (GlobalPlatform Card Specification, Amendment D, v1.1.1 and v1.2).
//!
//! [`crypto`] has AES keys and the two primitives, [`keys`] what a host asks of a security domain's
//! keys wherever they are kept, [`mod@derive`] session keys, challenges and
//! cryptograms, [`session`] secure messaging in both directions (host and card), [`channel`] the
//! host's way through INITIALIZE UPDATE and EXTERNAL AUTHENTICATE. Key material is wiped when
//! dropped and has neither `Debug` nor `Display`.

pub mod card;
pub mod channel;
pub mod crypto;
pub mod derive;
pub mod keys;
pub mod session;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

pub use card::{CardParameters, CardPending};
pub use channel::{InitializeUpdateResponse, Pending, Request, ScpError, SecureChannel};
pub use crypto::{AesKey, KeyLengthError, StaticKeys};
pub use derive::{SessionKeys, pseudo_random_challenge};
pub use keys::{CardKeys, CardKeysError, KeyRole};
pub use session::{SecurityLevel, Session, SmError};

/// Length of challenges, cryptograms and MACs (Amendment D v1.2 5.1, bit 1 of the "i" parameter).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// 8 bytes.
    #[default]
    S8,
    /// 16 bytes.
    S16,
}

impl Mode {
    /// Length in bytes: 8 or 16.
    pub fn length(self) -> usize {
        match self {
            Mode::S8 => 8,
            Mode::S16 => 16,
        }
    }

    /// The mode that an "i" parameter states.
    pub fn of_i_parameter(i: u8) -> Self {
        if i & 0x01 != 0 { Mode::S16 } else { Mode::S8 }
    }
}
