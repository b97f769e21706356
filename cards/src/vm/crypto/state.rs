//! What Signature, Cipher and KeyAgreement objects hold between calls.

use super::super::value::Ref;
use super::aead::{Aead, Counter};
use super::block::{Family, Padding};
use super::digest::{DigestState, Hmac};
use super::key::KeyKind;
use super::mac::Mac;
use serde::{Deserialize, Serialize};

/// What a signature object computes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Scheme {
    /// ECDSA over a digest; signatures in DER, or plain r and s.
    Ecdsa {
        digest: DigestState,
        plain: bool,
    },
    Hmac(Hmac),
    Mac(Mac),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SignatureState {
    pub scheme: Scheme,
    /// Signature.ALG_*; 0 for a combination that has no name of its own.
    pub number: u8,
    /// Digest, cipher and padding by their own numbers.
    pub parts: [u8; 3],
    /// Null until init.
    pub key: Ref,
    pub sign: bool,
}

impl SignatureState {
    /// The kind of key that signing or verifying takes.
    pub fn key_kind(&self, sign: bool) -> KeyKind {
        match &self.scheme {
            Scheme::Ecdsa { .. } if sign => KeyKind::EcPrivate,
            Scheme::Ecdsa { .. } => KeyKind::EcPublic,
            Scheme::Hmac(_) => KeyKind::Hmac,
            Scheme::Mac(mac) => secret(mac.family),
        }
    }

    /// Starts a message.
    pub fn restart(&mut self) {
        match &mut self.scheme {
            Scheme::Ecdsa { digest, .. } => digest.reset(),
            Scheme::Hmac(hmac) => hmac.reset(),
            Scheme::Mac(mac) => {
                mac.start(None);
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AgreementState {
    /// KeyAgreement.ALG_*.
    pub number: u8,
    pub key: Ref,
}

/// How a cipher object goes from block to block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Mode {
    Ecb,
    /// With the chaining value.
    Cbc(Vec<u8>),
    /// None until init.
    Ctr(Option<Counter>),
    /// None until init.
    Gcm(Option<Aead>),
    /// None until init.
    Ccm(Option<Aead>),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CipherState {
    pub family: Family,
    pub mode: Mode,
    pub padding: Padding,
    /// Cipher.ALG_*; 0 for a combination that has no name of its own.
    pub number: u8,
    /// Cipher and padding by their own numbers.
    pub parts: [u8; 2],
    pub key: Ref,
    pub encrypt: bool,
    /// Bytes that don't fill a block yet.
    pub rest: Vec<u8>,
    /// The tag of the last message, for `retrieveTag` and `verifyTag`.
    pub tag: Option<Vec<u8>>,
}

impl CipherState {
    pub fn key_kind(&self) -> KeyKind {
        secret(self.family)
    }

    /// A loss of power: the key stays, the message is gone, initial values are zero (API, Cipher).
    pub fn reset(&mut self) {
        self.rest.clear();
        self.tag = None;
        match &mut self.mode {
            Mode::Ecb => {}
            Mode::Cbc(chain) => chain.fill(0),
            Mode::Ctr(counter) => *counter = None,
            Mode::Gcm(aead) | Mode::Ccm(aead) => *aead = None,
        }
    }
}

fn secret(family: Family) -> KeyKind {
    match family {
        Family::Aes => KeyKind::Aes,
        Family::Des => KeyKind::Des,
    }
}
