//! Keys that an order brings along, wrapped under a transport key.
//!
//! The transport key is one of a key file (for labs) or of an HSM, where unwrapping happens inside. An
//! order of many thousand cards keeps them wrapped: a card's keys are unwrapped when it is at hand.

use super::hsm::{Hsm, ObjectReference};
use aes_kw::cipher::KeyInit;
use aes_kw::{KwAes128, KwAes192, KwAes256, KwpAes128, KwpAes192, KwpAes256};
use applet_gen::gp::scp03::crypto::BLOCK;
use applet_gen::gp::scp03::{AesKey, CardKeys, CardKeysError, KeyRole, StaticKeys};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::ObjectHandle;
use std::sync::Arc;
use zeroize::Zeroizing;

/// How keys are wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrap {
    /// AES key wrap (RFC 3394): 8 bytes longer than the key.
    Rfc3394,
    /// AES key wrap with padding (RFC 5649).
    Rfc5649,
    /// AES in CBC mode with ICV zero, no padding. Nothing shows that it was altered: check values do.
    Cbc,
}

impl Wrap {
    /// Every form.
    pub const ALL: [Wrap; 3] = [Wrap::Rfc3394, Wrap::Rfc5649, Wrap::Cbc];

    /// Its name in a key file.
    pub fn name(self) -> &'static str {
        match self {
            Wrap::Rfc3394 => "rfc3394",
            Wrap::Rfc5649 => "rfc5649",
            Wrap::Cbc => "cbc",
        }
    }

    /// Length of the key inside; `None` if no AES key is that long.
    fn length_inside(self, wrapped: usize) -> Option<usize> {
        let length = match self {
            Wrap::Rfc3394 | Wrap::Rfc5649 => wrapped.checked_sub(8)?,
            Wrap::Cbc => wrapped,
        };
        match (self, length) {
            // A key of 24 bytes is no whole number of blocks.
            (Wrap::Cbc, 24) => None,
            (_, 16 | 24 | 32) => Some(length),
            _ => None,
        }
    }
}

/// Where the transport key is.
enum Place {
    Here(AesKey),
    Hsm(Arc<Hsm>, ObjectHandle),
}

/// A transport key.
pub struct TransportKey {
    name: String,
    wrap: Wrap,
    place: Place,
}

impl TransportKey {
    /// One whose value is here.
    pub fn here(name: &str, wrap: Wrap, key: AesKey) -> Self {
        TransportKey {
            name: name.to_owned(),
            wrap,
            place: Place::Here(key),
        }
    }

    /// One in an HSM.
    ///
    /// # Errors
    /// [`CardKeysError`]: it isn't there.
    pub fn in_hsm(
        name: &str,
        wrap: Wrap,
        hsm: &Arc<Hsm>,
        reference: &ObjectReference,
    ) -> Result<Self, CardKeysError> {
        Ok(TransportKey {
            name: name.to_owned(),
            wrap,
            place: Place::Hsm(Arc::clone(hsm), hsm.transport_key(reference)?),
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key set of these wrapped keys; they are unwrapped when a card's keys are asked for.
    /// `check_values`, where given, have to be those of the keys. `new`: for PUT KEY, which needs values where
    /// the token can't wrap them.
    ///
    /// # Errors
    /// [`CardKeysError::Refused`] if a wrapped key has no length that fits.
    pub fn keys(
        self: &Arc<Self>,
        wrapped: [Vec<u8>; 3],
        check_values: [Option<[u8; 3]>; 3],
        new: bool,
    ) -> Result<WrappedKeys, CardKeysError> {
        let [enc, mac, dek] = &wrapped;
        let lengths = [enc, mac, dek].map(|key| self.wrap.length_inside(key.len()));
        let [Some(length), second, third] = lengths else {
            return Err(self.wrong_length(enc.len()));
        };
        for (other, key) in [(second, mac), (third, dek)] {
            if other != Some(length) {
                return Err(self.wrong_length(key.len()));
            }
        }
        Ok(WrappedKeys {
            transport: Arc::clone(self),
            wrapped,
            check_values,
            length,
            new,
        })
    }

    fn wrong_length(&self, length: usize) -> CardKeysError {
        CardKeysError::Refused(format!(
            "{length} bytes are no AES key under {} of transport key {:?}, or not one as long as the set's others",
            self.wrap.name(),
            self.name
        ))
    }

    fn unwrap(
        &self,
        wrapped: &[Vec<u8>; 3],
        length: usize,
        new: bool,
    ) -> Result<Arc<dyn CardKeys>, CardKeysError> {
        match &self.place {
            Place::Here(key) => {
                let one = |wrapped: &[u8]| unwrap_here(key, self.wrap, wrapped, length);
                let [enc, mac, dek] = wrapped;
                Ok(Arc::new(StaticKeys {
                    enc: one(enc)?,
                    mac: one(mac)?,
                    dek: one(dek)?,
                }))
            }
            Place::Hsm(hsm, key) => {
                let mechanism = match self.wrap {
                    Wrap::Rfc3394 => Mechanism::AesKeyWrap,
                    Wrap::Rfc5649 => Mechanism::AesKeyWrapPad,
                    Wrap::Cbc => Mechanism::AesCbc([0; BLOCK]),
                };
                let readable = new && hsm.values_allowed();
                hsm.unwrap(*key, &mechanism, wrapped, length, readable)
            }
        }
    }
}

fn unwrap_here(
    transport: &AesKey,
    wrap: Wrap,
    wrapped: &[u8],
    length: usize,
) -> Result<AesKey, CardKeysError> {
    let fail = || {
        CardKeysError::Refused(
            "a wrapped key does not unwrap: it was wrapped under another transport key, or altered"
                .to_owned(),
        )
    };
    let mut out = Zeroizing::new([0u8; 40]);
    macro_rules! with {
        ($cipher:ty) => {
            <$cipher>::new_from_slice(transport.expose())
                .map_err(|_| fail())?
                .unwrap_key(wrapped, &mut out[..])
                .map_err(|_| fail())?
                .len()
        };
    }
    let got = match (wrap, transport.length()) {
        (Wrap::Cbc, _) => {
            out.get_mut(..wrapped.len())
                .ok_or_else(fail)?
                .copy_from_slice(wrapped);
            let data = out.get_mut(..wrapped.len()).unwrap_or_default();
            transport.cbc_decrypt(&[0; BLOCK], data);
            wrapped.len()
        }
        (Wrap::Rfc3394, 16) => with!(KwAes128),
        (Wrap::Rfc3394, 24) => with!(KwAes192),
        (Wrap::Rfc3394, _) => with!(KwAes256),
        (Wrap::Rfc5649, 16) => with!(KwpAes128),
        (Wrap::Rfc5649, 24) => with!(KwpAes192),
        (Wrap::Rfc5649, _) => with!(KwpAes256),
    };
    if got != length {
        return Err(fail());
    }
    Ok(AesKey::new(out.get(..length).unwrap_or_default())?)
}

/// Keys of a card as they came, wrapped.
pub struct WrappedKeys {
    transport: Arc<TransportKey>,
    wrapped: [Vec<u8>; 3],
    check_values: [Option<[u8; 3]>; 3],
    length: usize,
    new: bool,
}

impl WrappedKeys {
    /// Unwraps them and compares their check values.
    ///
    /// # Errors
    /// [`CardKeysError`]; which key's check value does not fit.
    pub fn unwrap(&self) -> Result<Arc<dyn CardKeys>, CardKeysError> {
        let keys = self
            .transport
            .unwrap(&self.wrapped, self.length, self.new)?;
        if self.check_values.iter().any(Option::is_some) {
            compare(&*keys, &self.check_values)?;
        }
        Ok(keys)
    }
}

/// Compares check values that came with keys.
///
/// # Errors
/// [`CardKeysError::Refused`] with the key and both values.
pub fn compare(keys: &dyn CardKeys, expected: &[Option<[u8; 3]>; 3]) -> Result<(), CardKeysError> {
    let Some(found) = keys.check_values()? else {
        return Ok(());
    };
    for ((role, found), expected) in KeyRole::ALL.into_iter().zip(found).zip(expected) {
        if expected.is_some_and(|expected| expected != found) {
            return Err(CardKeysError::Refused(format!(
                "key {} has check value {}, {} is stated",
                role.name(),
                hex::encode_upper(found),
                hex::encode_upper(expected.unwrap_or_default())
            )));
        }
    }
    Ok(())
}

impl CardKeys for WrappedKeys {
    fn key_length(&self) -> usize {
        self.length
    }

    fn cmac(&self, role: KeyRole, data: &[u8]) -> Result<[u8; BLOCK], CardKeysError> {
        self.unwrap()?.cmac(role, data)
    }

    fn encrypt_under_dek(&self, data: &mut [u8]) -> Result<(), CardKeysError> {
        self.unwrap()?.encrypt_under_dek(data)
    }

    fn value(&self, role: KeyRole) -> Result<AesKey, CardKeysError> {
        self.unwrap()?.value(role)
    }

    fn check_values(&self) -> Result<Option<[[u8; 3]; 3]>, CardKeysError> {
        self.unwrap()?.check_values()
    }

    fn fingerprints(&self) -> Result<Vec<[u8; BLOCK]>, CardKeysError> {
        self.unwrap()?.fingerprints()
    }

    /// Unwraps them once for a card's work.
    fn of_card(&self, _: &[u8; 10]) -> Result<Option<Arc<dyn CardKeys>>, CardKeysError> {
        self.unwrap().map(Some)
    }
}
