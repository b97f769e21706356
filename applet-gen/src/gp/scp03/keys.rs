//! A security domain's keys, wherever they are kept: in memory, derived from a master key, in an HSM.

use super::crypto::{AesKey, BLOCK, KeyLengthError, StaticKeys};
use std::any::Any;
use std::sync::Arc;
use zeroize::Zeroize;

/// Which of a key set's keys (Amendment D table 6-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyRole {
    /// Key-ENC: session encryption keys come from it.
    Enc,
    /// Key-MAC: session MAC keys come from it.
    Mac,
    /// Key-DEK: encrypts keys and other secrets inside commands.
    Dek,
}

impl KeyRole {
    /// The three, in the order of PUT KEY.
    pub const ALL: [KeyRole; 3] = [KeyRole::Enc, KeyRole::Mac, KeyRole::Dek];

    /// Name in key files and messages: `enc`, `mac`, `dek`.
    pub fn name(self) -> &'static str {
        match self {
            KeyRole::Enc => "enc",
            KeyRole::Mac => "mac",
            KeyRole::Dek => "dek",
        }
    }
}

/// Why keys don't do what was asked of them. No text of it shows a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CardKeysError {
    /// A key has no AES length.
    #[error(transparent)]
    Length(#[from] KeyLengthError),
    /// Whatever keeps the keys failed or is gone: an HSM, a session with one.
    #[error("{0}")]
    Device(String),
    /// These keys are not to be used like that.
    #[error("{0}")]
    Refused(String),
}

/// The static keys of a security domain, as a host uses them.
///
/// A key set is either a card's own, or comes from a master key: then [`CardKeys::of_card`] gives the
/// card's own once its diversification data is known, and everything else but
/// [`CardKeys::key_length`] and [`CardKeys::fingerprints`] is refused.
pub trait CardKeys: Send + Sync {
    /// Length of each key in bytes: 16, 24 or 32.
    fn key_length(&self) -> usize;

    /// AES-CMAC under one of the keys: session keys and challenges are made of it (Amendment D 4.1.5).
    ///
    /// # Errors
    /// [`CardKeysError`].
    fn cmac(&self, role: KeyRole, data: &[u8]) -> Result<[u8; BLOCK], CardKeysError>;

    /// AES-CBC under Key-DEK with ICV zero, in place; the data is whole blocks (Amendment D 6.2.8).
    ///
    /// # Errors
    /// [`CardKeysError`].
    fn encrypt_under_dek(&self, data: &mut [u8]) -> Result<(), CardKeysError>;

    /// One of the keys itself, for a PUT KEY that gives it to a card.
    ///
    /// # Errors
    /// [`CardKeysError::Refused`] where the key is kept where it can't be read, or must not be.
    fn value(&self, role: KeyRole) -> Result<AesKey, CardKeysError>;

    /// Key check values of ENC, MAC and DEK; `None` while the card's own keys aren't known.
    ///
    /// # Errors
    /// [`CardKeysError`].
    fn check_values(&self) -> Result<Option<[[u8; 3]; 3]>, CardKeysError>;

    /// What recognizes the keys that all this comes from, the masters if there are any: the
    /// [`AesKey::fingerprint`] of each.
    ///
    /// # Errors
    /// [`CardKeysError`].
    fn fingerprints(&self) -> Result<Vec<[u8; BLOCK]>, CardKeysError>;

    /// The keys of the card with this diversification data (the first ten bytes of its response to
    /// INITIALIZE UPDATE); `None` if these are a card's own already.
    ///
    /// # Errors
    /// [`CardKeysError`].
    fn of_card(
        &self,
        diversification: &[u8; 10],
    ) -> Result<Option<Arc<dyn CardKeys>>, CardKeysError> {
        let _ = diversification;
        Ok(None)
    }

    /// The keys as what they are, where another set of the same keeper may do something with both.
    fn as_any(&self) -> Option<&dyn Any> {
        None
    }

    /// A key under this set's Key-DEK, for PUT KEY: AES-CBC, ICV zero, a 24-byte key padded to 32
    /// (Amendment D 6.2.8).
    ///
    /// # Errors
    /// [`CardKeysError`].
    fn encrypt_value(&self, key: &AesKey) -> Result<Vec<u8>, CardKeysError> {
        // The plain key is overwritten by its cipher text, in a buffer that never moves.
        let mut data = Vec::with_capacity(2 * BLOCK);
        data.extend_from_slice(key.expose());
        data.resize(data.len().next_multiple_of(BLOCK), 0);
        match self.encrypt_under_dek(&mut data) {
            Ok(()) => Ok(data),
            Err(e) => {
                data.zeroize();
                Err(e)
            }
        }
    }

    /// A key of another set under this set's Key-DEK, as [`CardKeys::encrypt_value`].
    ///
    /// # Errors
    /// [`CardKeysError`].
    fn encrypt_key(&self, new: &dyn CardKeys, role: KeyRole) -> Result<Vec<u8>, CardKeysError> {
        self.encrypt_value(&new.value(role)?)
    }
}

impl StaticKeys {
    /// One of them.
    pub fn key(&self, role: KeyRole) -> &AesKey {
        match role {
            KeyRole::Enc => &self.enc,
            KeyRole::Mac => &self.mac,
            KeyRole::Dek => &self.dek,
        }
    }
}

impl CardKeys for StaticKeys {
    fn key_length(&self) -> usize {
        self.enc.length()
    }

    fn cmac(&self, role: KeyRole, data: &[u8]) -> Result<[u8; BLOCK], CardKeysError> {
        Ok(self.key(role).cmac(&[data]))
    }

    fn encrypt_under_dek(&self, data: &mut [u8]) -> Result<(), CardKeysError> {
        self.dek.cbc_encrypt(&[0; BLOCK], data);
        Ok(())
    }

    fn value(&self, role: KeyRole) -> Result<AesKey, CardKeysError> {
        Ok(self.key(role).clone())
    }

    fn check_values(&self) -> Result<Option<[[u8; 3]; 3]>, CardKeysError> {
        Ok(Some(StaticKeys::check_values(self)))
    }

    fn fingerprints(&self) -> Result<Vec<[u8; BLOCK]>, CardKeysError> {
        Ok(KeyRole::ALL
            .iter()
            .map(|&role| self.key(role).fingerprint())
            .collect())
    }
}
