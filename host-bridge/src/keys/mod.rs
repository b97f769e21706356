//! Key sets by name, wherever the keys are: in a key file (encrypted, or clear in a lab), in an HSM behind
//! PKCS#11, in the environment, or a definition's test keys.
//!
//! [`store`] reads key files, [`sealed`] is their encrypted form, [`hsm`] the token, [`transport`] what
//! unwraps keys that an order brings along, [`secret`] asks for passphrases and PINs. Keys are wiped when
//! dropped, have no textual form, and no message shows more than a check value.

mod error;
pub mod hsm;
pub mod sealed;
pub mod secret;
pub mod store;
pub mod transport;

#[cfg(test)]
mod tests;

pub use error::KeyError;
pub use store::{Access, KeyStore};
pub use transport::TransportKey;

use applet_gen::gp::scp03::{CardKeys, CardKeysError, KeyLengthError, StaticKeys};
use cards::definition::{Definition, Use, is_public_test_key};
use std::sync::Arc;
use zeroize::Zeroizing;

/// A named SCP03 key set.
#[derive(Clone)]
pub struct KeySet {
    /// Name, for people.
    pub name: String,
    /// Key version number on the card.
    pub kvn: u8,
    /// The keys: a card's own, or what they come from.
    pub keys: Arc<dyn CardKeys>,
}

impl KeySet {
    /// Refuses public test keys on cards of a production definition.
    ///
    /// # Errors
    /// [`KeyError::Public`], [`KeyError::Use`].
    pub fn allowed_on(&self, definition: &Definition) -> Result<(), KeyError> {
        if definition.use_ != Use::Production {
            return Ok(());
        }
        let fingerprints = self.keys.fingerprints().map_err(|source| KeyError::Use {
            set: self.name.clone(),
            source,
        })?;
        if !fingerprints.iter().any(is_public_test_key) {
            return Ok(());
        }
        Err(KeyError::Public {
            set: self.name.clone(),
            card: format!("{} {}", definition.eum, definition.product),
        })
    }

    /// The same set with the keys of the card that has this diversification data.
    ///
    /// # Errors
    /// [`CardKeysError`].
    pub fn of_card(&self, diversification: &[u8; 10]) -> Result<KeySet, CardKeysError> {
        let own = self.keys.of_card(diversification)?;
        Ok(KeySet {
            keys: own.unwrap_or_else(|| Arc::clone(&self.keys)),
            ..self.clone()
        })
    }

    /// Key check values of ENC, MAC and DEK in hex; dashes while the card's own keys aren't known.
    ///
    /// # Errors
    /// [`CardKeysError`].
    pub fn check_values(&self) -> Result<[String; 3], CardKeysError> {
        Ok(match self.keys.check_values()? {
            Some(values) => values.map(hex::encode_upper),
            None => [(); 3].map(|()| "-".to_owned()),
        })
    }
}

/// A key from hex.
fn key_bytes(set: &str, key: &'static str, text: &str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let fail = |problem: String| KeyError::Key {
        set: set.to_owned(),
        key,
        problem,
    };
    let bytes = hex::decode(text.trim()).map(Zeroizing::new).map_err(|_| {
        fail(format!(
            "{} characters that are not hexadecimal digits in pairs",
            text.len()
        ))
    })?;
    match bytes.len() {
        16 | 24 | 32 => Ok(bytes),
        n => Err(fail(KeyLengthError(n).to_string())),
    }
}

/// Three keys of the same length.
fn static_keys(set: &str, [enc, mac, dek]: [&[u8]; 3]) -> Result<StaticKeys, KeyError> {
    same_length(set, [enc.len(), mac.len(), dek.len()])?;
    StaticKeys::new(enc, mac, dek).map_err(|e| KeyError::Key {
        set: set.to_owned(),
        key: "enc",
        problem: e.to_string(),
    })
}

/// The length of a set's keys, which is the same for all.
fn same_length(set: &str, [enc, mac, dek]: [usize; 3]) -> Result<usize, KeyError> {
    if enc == mac && enc == dek {
        return Ok(enc);
    }
    Err(KeyError::Key {
        set: set.to_owned(),
        key: "mac",
        problem: "the keys of a set have the same length (Amendment D 6.1)".to_owned(),
    })
}

/// A key set from hex.
///
/// # Errors
/// [`KeyError::Key`] that names the key and the length that is wrong.
pub fn key_set(name: &str, kvn: u8, enc: &str, mac: &str, dek: &str) -> Result<KeySet, KeyError> {
    let enc = key_bytes(name, "enc", enc)?;
    let mac = key_bytes(name, "mac", mac)?;
    let dek = key_bytes(name, "dek", dek)?;
    Ok(KeySet {
        name: name.to_owned(),
        kvn,
        keys: Arc::new(static_keys(name, [&enc, &mac, &dek])?),
    })
}
