//! The cryptography behind `javacard.security` and `javacardx.crypto`: states that can be stored, and
//! computing. Only P-256, AES, SHA-1 and SHA-256 are there.

use super::value::Ref;
use aes::{Aes128, Aes192, Aes256};
use cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use cmac::{Cmac, Mac};
use p256::ecdsa::signature::hazmat::{PrehashSigner, PrehashVerifier};
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};
use p256::elliptic_curve::sec1::ToSec1Point;
use p256::{PublicKey, SecretKey};
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::digest::common::hazmat::SerializableState;
use sha2::{Digest, Sha256};

/// Bytes of a P-256 scalar or coordinate.
pub(crate) const P256_BYTES: usize = 32;
/// AES block.
pub(crate) const BLOCK: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum KeyKind {
    Aes,
    EcPublic,
    EcPrivate,
}

/// A key object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Key {
    pub kind: KeyKind,
    /// KeyBuilder.TYPE_*.
    pub type_: u8,
    pub bits: i16,
    /// AES key, scalar, or uncompressed point; empty if not set.
    pub value: Vec<u8>,
    /// Which of the curve's parameters were set (see [`CURVE`]).
    pub parameters: u8,
    /// 0 persistent, 1 cleared at reset, 2 cleared at deselect.
    pub transient: u8,
}

impl Key {
    pub fn size(&self) -> usize {
        8 + usize::try_from(self.bits).unwrap_or(0) / 8
            * if self.kind == KeyKind::EcPublic { 2 } else { 1 }
    }

    pub fn reset(&mut self) {
        if self.transient != 0 {
            self.value.clear();
        }
    }

    pub fn initialized(&self) -> bool {
        !self.value.is_empty() && (self.kind == KeyKind::Aes || self.parameters == ALL_PARAMETERS)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PairState {
    pub public: Ref,
    pub private: Ref,
}

/// Domain parameters of P-256 (FIPS 186-4, D.1.2.3) as the setters of ECKey take them: field, a, b, G, r.
pub(crate) const CURVE: [&str; 5] = [
    "FFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF",
    "FFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFC",
    "5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B",
    "046B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C2964FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5",
    "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551",
];
/// All bits of [`Key::parameters`].
pub(crate) const ALL_PARAMETERS: u8 = 0x1F;

/// Bytes of a domain parameter.
pub(crate) fn parameter(index: usize) -> Vec<u8> {
    CURVE
        .get(index)
        .and_then(|text| hex::decode(text).ok())
        .unwrap_or_default()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Hash {
    Sha1,
    Sha256,
}

/// A digest on its way; the hash's inner state is kept as bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DigestState {
    pub hash: Hash,
    running: Option<Vec<u8>>,
}

fn restore<D: Digest + SerializableState>(state: Option<&[u8]>) -> D {
    state
        .and_then(|bytes| Array::try_from(bytes).ok())
        .and_then(|bytes| D::deserialize(&bytes).ok())
        .unwrap_or_else(D::new)
}

impl DigestState {
    pub fn new(hash: Hash) -> Self {
        DigestState {
            hash,
            running: None,
        }
    }

    pub fn length(&self) -> usize {
        match self.hash {
            Hash::Sha1 => 20,
            Hash::Sha256 => 32,
        }
    }

    pub fn update(&mut self, data: &[u8]) {
        let state = self.running.as_deref();
        self.running = Some(match self.hash {
            Hash::Sha1 => restore::<Sha1>(state)
                .chain_update(data)
                .serialize()
                .to_vec(),
            Hash::Sha256 => restore::<Sha256>(state)
                .chain_update(data)
                .serialize()
                .to_vec(),
        });
    }

    /// The digest; starts anew.
    pub fn finish(&mut self, data: &[u8]) -> Vec<u8> {
        let state = self.running.take();
        let state = state.as_deref();
        match self.hash {
            Hash::Sha1 => restore::<Sha1>(state)
                .chain_update(data)
                .finalize()
                .to_vec(),
            Hash::Sha256 => restore::<Sha256>(state)
                .chain_update(data)
                .finalize()
                .to_vec(),
        }
    }

    pub fn reset(&mut self) {
        self.running = None;
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum SignatureAlgorithm {
    Ecdsa,
    /// CBC-MAC without padding.
    AesMac,
    AesCmac,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SignatureState {
    pub algorithm: SignatureAlgorithm,
    /// Signature.ALG_*.
    pub number: u8,
    /// Null until init.
    pub key: Ref,
    pub sign: bool,
    pub iv: Vec<u8>,
    pub digest: DigestState,
    /// MACs: what came so far.
    pub message: Vec<u8>,
}

impl SignatureState {
    pub fn reset(&mut self) {
        self.key = Ref::NULL;
        self.restart();
    }

    pub fn restart(&mut self) {
        self.digest.reset();
        self.message.clear();
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AgreementState {
    /// KeyAgreement.ALG_*.
    pub number: u8,
    pub key: Ref,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CipherState {
    /// Cipher.ALG_*.
    pub number: u8,
    pub cbc: bool,
    pub key: Ref,
    pub encrypt: bool,
    /// Initial value, for the next message.
    pub iv: Vec<u8>,
    /// Chaining value of this message.
    pub chain: Vec<u8>,
    /// Bytes that don't fill a block yet.
    pub rest: Vec<u8>,
}

impl CipherState {
    pub fn reset(&mut self) {
        self.key = Ref::NULL;
        self.chain.clear();
        self.rest.clear();
    }
}

/// AES with any of its key lengths; `None` for another length.
enum Aes {
    A128(Box<Aes128>),
    A192(Box<Aes192>),
    A256(Box<Aes256>),
}

impl Aes {
    fn new(key: &[u8]) -> Option<Self> {
        Some(match key.len() {
            16 => Aes::A128(Box::new(Aes128::new_from_slice(key).ok()?)),
            24 => Aes::A192(Box::new(Aes192::new_from_slice(key).ok()?)),
            32 => Aes::A256(Box::new(Aes256::new_from_slice(key).ok()?)),
            _ => return None,
        })
    }

    fn block(&self, block: &mut [u8; BLOCK], encrypt: bool) {
        let mut array = Array::from(*block);
        match (self, encrypt) {
            (Aes::A128(c), true) => c.encrypt_block(&mut array),
            (Aes::A192(c), true) => c.encrypt_block(&mut array),
            (Aes::A256(c), true) => c.encrypt_block(&mut array),
            (Aes::A128(c), false) => c.decrypt_block(&mut array),
            (Aes::A192(c), false) => c.decrypt_block(&mut array),
            (Aes::A256(c), false) => c.decrypt_block(&mut array),
        }
        *block = array.into();
    }
}

fn xor(block: &mut [u8; BLOCK], other: &[u8]) {
    for (a, b) in block.iter_mut().zip(other) {
        *a ^= b;
    }
}

/// Whole blocks through AES-ECB, or AES-CBC with the chaining value, which is moved on.
pub(crate) fn aes_blocks(
    key: &[u8],
    chain: Option<&mut Vec<u8>>,
    data: &[u8],
    encrypt: bool,
) -> Option<Vec<u8>> {
    let aes = Aes::new(key)?;
    let mut out = Vec::with_capacity(data.len());
    let mut previous: Option<[u8; BLOCK]> = match &chain {
        Some(chain) => Some(<[u8; BLOCK]>::try_from(chain.as_slice()).ok()?),
        None => None,
    };
    for input in data.as_chunks::<BLOCK>().0 {
        let mut block = *input;
        if encrypt {
            if let Some(previous) = &previous {
                xor(&mut block, previous);
            }
            aes.block(&mut block, true);
            previous = previous.map(|_| block);
        } else {
            aes.block(&mut block, false);
            if let Some(previous) = &previous {
                xor(&mut block, previous);
            }
            previous = previous.map(|_| *input);
        }
        out.extend_from_slice(&block);
    }
    if let (Some(chain), Some(previous)) = (chain, previous) {
        *chain = previous.to_vec();
    }
    Some(out)
}

/// AES CBC-MAC over whole blocks (ALG_AES_MAC_128_NOPAD); `None` if there are none or a part is left.
pub(crate) fn aes_cbc_mac(key: &[u8], iv: &[u8], message: &[u8]) -> Option<Vec<u8>> {
    if message.is_empty() || !message.len().is_multiple_of(BLOCK) {
        return None;
    }
    let mut chain = iv.to_vec();
    aes_blocks(key, Some(&mut chain), message, true)?;
    Some(chain)
}

/// AES-CMAC (NIST SP 800-38B).
pub(crate) fn aes_cmac(key: &[u8], message: &[u8]) -> Option<Vec<u8>> {
    macro_rules! mac {
        ($aes:ty) => {
            Cmac::<$aes>::new_from_slice(key)
                .ok()?
                .chain_update(message)
                .finalize()
                .into_bytes()
                .to_vec()
        };
    }
    Some(match key.len() {
        16 => mac!(Aes128),
        24 => mac!(Aes192),
        32 => mac!(Aes256),
        _ => return None,
    })
}

/// Uncompressed point of a scalar.
pub(crate) fn public_of(scalar: &[u8]) -> Option<Vec<u8>> {
    let secret = SecretKey::from_slice(scalar).ok()?;
    Some(secret.public_key().to_sec1_point(false).as_bytes().to_vec())
}

/// True for a point of the curve, uncompressed.
pub(crate) fn is_point(point: &[u8]) -> bool {
    point.first() == Some(&4) && PublicKey::from_sec1_bytes(point).is_ok()
}

/// ECDSA signature, DER.
pub(crate) fn ecdsa_sign(scalar: &[u8], hash: &[u8]) -> Option<Vec<u8>> {
    let key = SigningKey::from_slice(scalar).ok()?;
    let signature: Signature = key.sign_prehash(hash).ok()?;
    Some(signature.to_der().as_bytes().to_vec())
}

/// Verifies a DER signature.
pub(crate) fn ecdsa_verify(point: &[u8], hash: &[u8], signature: &[u8]) -> bool {
    let Ok(key) = VerifyingKey::from_sec1_bytes(point) else {
        return false;
    };
    Signature::from_der(signature).is_ok_and(|s| key.verify_prehash(hash, &s).is_ok())
}

/// X coordinate of the shared point.
pub(crate) fn ecdh(scalar: &[u8], point: &[u8]) -> Option<Vec<u8>> {
    let secret = SecretKey::from_slice(scalar).ok()?;
    let public = PublicKey::from_sec1_bytes(point).ok()?;
    Some(secret.diffie_hellman(&public).raw_secret_bytes().to_vec())
}
