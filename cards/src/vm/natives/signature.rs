//! `javacard.security`: Signature, KeyAgreement.

use super::digest::{hash_of, resumed};
use super::keys::{
    ILLEGAL_USE, ILLEGAL_VALUE, INVALID_INIT, NO_SUCH_ALGORITHM, exception, given, given_on_curve,
    instance, length,
};
use super::{Answer, Call, NativeFn, boolean, nothing, short};
use crate::definition::Algorithm;
use crate::vm::crypto::block::{Family, Padding};
use crate::vm::crypto::curve::{self, Domain};
use crate::vm::crypto::digest::{DigestState, Hash, Hmac};
use crate::vm::crypto::key::{Key, KeyKind};
use crate::vm::crypto::mac::{Mac, MacKind};
use crate::vm::crypto::state::{AgreementState, Scheme, SignatureState};
use crate::vm::error::Fault;
use crate::vm::native_state::NativeState;
use crate::vm::value::Ref;
use subtle::ConstantTimeEq;

/// Signature.ALG_* by digest, cipher and padding (MessageDigest.ALG_*, SIG_CIPHER_*, Cipher.PAD_*).
const NAMES: [(u8, [u8; 3]); 23] = [
    (1, [0, 1, 1]),
    (2, [0, 2, 1]),
    (3, [0, 1, 2]),
    (4, [0, 2, 2]),
    (5, [0, 1, 3]),
    (6, [0, 2, 3]),
    (7, [0, 1, 6]),
    (8, [0, 2, 6]),
    (17, [1, 5, 0]),
    (18, [0, 6, 1]),
    (19, [0, 1, 5]),
    (20, [0, 2, 5]),
    (24, [1, 7, 0]),
    (25, [4, 7, 0]),
    (26, [5, 7, 0]),
    (27, [6, 7, 0]),
    (33, [4, 5, 0]),
    (34, [5, 5, 0]),
    (37, [7, 5, 0]),
    (38, [6, 5, 0]),
    (47, [0, 1, 4]),
    (48, [0, 2, 4]),
    // Of API 3.0.5; older cards are asked for it by number.
    (49, [0, 10, 1]),
];
const MODE_SIGN: u8 = 1;
const MODE_VERIFY: u8 = 2;

/// KeyAgreement.ALG_*. The cofactor of every curve here is 1: with and without it are the same.
mod agreement {
    pub const EC_SVDP_DH_KDF: u8 = 1;
    pub const EC_SVDP_DHC_KDF: u8 = 2;
    pub const EC_SVDP_DH_PLAIN: u8 = 3;
    pub const EC_SVDP_DHC_PLAIN: u8 = 4;
    pub const EC_SVDP_DH_PLAIN_XY: u8 = 6;
}

pub(super) fn find(class: &str, method: &str, descriptor: &str) -> Option<NativeFn> {
    Some(match (class, method, descriptor) {
        ("Signature", "getInstance", "(BZ)Ljavacard/security/Signature;") => |c| {
            let number = c.byte(0)?;
            let parts = NAMES.iter().find(|n| n.0 == number).map(|n| n.1);
            new_signature(c, parts)
        },
        ("Signature", "getInstance", _) => |c| {
            let parts = [c.byte(0)?, c.byte(1)?, c.byte(2)?];
            new_signature(c, Some(parts))
        },
        ("Signature", "init", "(Ljavacard/security/Key;B)V") => |c| init(c, None),
        ("Signature", "init", _) => |c| {
            let initial = c.bytes(2)?;
            init(c, Some(initial))
        },
        ("Signature", "update", _) => update,
        ("Signature", "sign", _) => sign,
        ("Signature", "verify", _) => verify,
        ("Signature", "signPreComputedHash", _) => sign_hash,
        ("Signature", "verifyPreComputedHash", _) => verify_hash,
        ("Signature", "setInitialDigest", _) => set_initial_digest,
        ("Signature", "getAlgorithm", _) => |c| short(state(c)?.number.into()),
        ("Signature", "getMessageDigestAlgorithm", _) => |c| short(state(c)?.parts[0].into()),
        ("Signature", "getCipherAlgorithm", _) => |c| short(state(c)?.parts[1].into()),
        ("Signature", "getPaddingAlgorithm", _) => |c| short(state(c)?.parts[2].into()),
        ("Signature", "getLength", _) => get_length,
        ("KeyAgreement", "getInstance", _) => new_agreement,
        ("KeyAgreement", "init", _) => agreement_init,
        ("KeyAgreement", "getAlgorithm", _) => |c| short(agreement_state(c)?.number.into()),
        ("KeyAgreement", "generateSecret", _) => generate_secret,
        (_, "<init>", "()V") => nothing,
        _ => return None,
    })
}

/// What digest, cipher and padding mean, and what the card has to have for it.
fn scheme(parts: [u8; 3]) -> Option<(Scheme, Algorithm)> {
    let [digest, cipher, padding] = parts;
    let des = |length| {
        let kind = match padding {
            1 => MacKind::Cbc(Padding::None),
            2 => MacKind::Cbc(Padding::Iso9797M1),
            3 => MacKind::Cbc(Padding::Iso9797M2),
            4 => MacKind::Retail(Padding::Iso9797M1),
            5 => MacKind::Retail(Padding::Iso9797M2),
            6 => MacKind::Cbc(Padding::Pkcs5),
            _ => return None,
        };
        Some((
            Scheme::Mac(Mac::new(Family::Des, kind, length)),
            Algorithm::DesMac,
        ))
    };
    let aes = |kind, algorithm| Some((Scheme::Mac(Mac::new(Family::Aes, kind, 16)), algorithm));
    match (digest, cipher, padding) {
        (0, 1, _) => des(4),
        (0, 2, _) => des(8),
        (0, 6, 1) => aes(MacKind::Cbc(Padding::None), Algorithm::AesMac),
        (0, 6, 2) => aes(MacKind::Cbc(Padding::Iso9797M1), Algorithm::AesMac),
        (0, 6, 3) => aes(MacKind::Cbc(Padding::Iso9797M2), Algorithm::AesMac),
        (0, 6, 6) => aes(MacKind::Cbc(Padding::Pkcs5), Algorithm::AesMac),
        (0, 10, 0 | 1) => aes(MacKind::Cmac, Algorithm::AesCmac),
        (_, 5 | 9, 0) => {
            let hash = hash_of(digest)?;
            let algorithm = match hash {
                Hash::Sha1 => Algorithm::EcdsaSha1,
                Hash::Sha224 => Algorithm::EcdsaSha224,
                Hash::Sha256 => Algorithm::EcdsaSha256,
                Hash::Sha384 => Algorithm::EcdsaSha384,
                Hash::Sha512 => Algorithm::EcdsaSha512,
            };
            let digest = DigestState::new(hash);
            let plain = cipher == 9;
            Some((Scheme::Ecdsa { digest, plain }, algorithm))
        }
        (_, 7, 0) => {
            let hash = hash_of(digest)?;
            let algorithm = match hash {
                Hash::Sha1 => Algorithm::HmacSha1,
                Hash::Sha256 => Algorithm::HmacSha256,
                Hash::Sha384 => Algorithm::HmacSha384,
                Hash::Sha512 => Algorithm::HmacSha512,
                Hash::Sha224 => return None,
            };
            Some((Scheme::Hmac(Hmac::new(hash)), algorithm))
        }
        _ => None,
    }
}

fn new_signature(c: &mut Call<'_>, parts: Option<[u8; 3]>) -> Answer {
    let made = parts.and_then(|parts| Some((parts, scheme(parts)?)));
    let Some((parts, (scheme, algorithm))) = made else {
        return Err(exception(NO_SUCH_ALGORITHM));
    };
    let number = NAMES.iter().find(|n| n.1 == parts).map_or(0, |n| n.0);
    let state = c.vm.offers(algorithm).then_some(SignatureState {
        scheme,
        number,
        parts,
        key: Ref::NULL,
        sign: true,
    });
    instance(
        c,
        "javacard/security/Signature",
        state.map(|s| NativeState::Signature(Box::new(s))),
    )
}

fn state(c: &Call<'_>) -> Result<Box<SignatureState>, Fault> {
    match c.state()? {
        NativeState::Signature(s) => Ok(s.clone()),
        _ => Err(c.unconstructed()),
    }
}

/// The key of an initialised signature object.
fn key(c: &Call<'_>, s: &SignatureState, sign: bool) -> Result<Key, Fault> {
    if s.key.is_null() || s.sign != sign {
        return Err(exception(INVALID_INIT));
    }
    given(c, s.key, s.key_kind(sign))
}

fn init(c: &mut Call<'_>, initial: Option<Vec<u8>>) -> Answer {
    let mut s = state(c)?;
    let (r, mode) = (c.reference(0)?, c.byte(1)?);
    if !matches!(mode, MODE_SIGN | MODE_VERIFY) {
        return Err(exception(ILLEGAL_VALUE));
    }
    s.sign = mode == MODE_SIGN;
    let kind = s.key_kind(s.sign);
    match kind {
        KeyKind::EcPublic | KeyKind::EcPrivate => {
            given_on_curve(c, r, kind)?;
        }
        _ => {
            given(c, r, kind)?;
        }
    }
    s.key = r;
    s.restart();
    if let Some(initial) = initial {
        let taken = match &mut s.scheme {
            Scheme::Mac(mac) => mac.start(Some(initial)),
            _ => false,
        };
        if !taken {
            return Err(exception(ILLEGAL_VALUE));
        }
    }
    c.set_volatile(c.this, NativeState::Signature(s))?;
    Ok(None)
}

/// Most bytes of a signature.
fn get_length(c: &mut Call<'_>) -> Answer {
    let s = state(c)?;
    let key = key(c, &s, s.sign)?;
    length(match &s.scheme {
        Scheme::Mac(mac) => mac.length,
        Scheme::Hmac(hmac) => hmac.length(),
        Scheme::Ecdsa { plain, .. } => {
            let scalar = key.curve().and_then(Domain::of).map_or(0, Domain::bytes);
            // A sequence of two integers, each maybe with a zero in front.
            let body = 2 * (2 + 1 + scalar);
            match plain {
                true => 2 * scalar,
                false => body + if body < 0x80 { 2 } else { 3 },
            }
        }
    })
}

fn update(c: &mut Call<'_>) -> Answer {
    let mut s = state(c)?;
    let key = key(c, &s, s.sign)?;
    let data = c.bytes(0)?;
    match &mut s.scheme {
        Scheme::Ecdsa { digest, .. } => digest.update(&data),
        Scheme::Hmac(hmac) => hmac.update(&key.value, &data),
        Scheme::Mac(mac) => mac
            .update(&key.value, &data)
            .ok_or_else(|| exception(ILLEGAL_USE))?,
    }
    c.set_volatile(c.this, NativeState::Signature(s))?;
    Ok(None)
}

/// The code over the message so far and `data`; `None` if the scheme is a signature.
fn code(s: &mut SignatureState, key: &Key, data: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
    Ok(match &mut s.scheme {
        Scheme::Hmac(hmac) => Some(hmac.finish(&key.value, data)),
        Scheme::Mac(mac) => {
            let code = mac.finish(&key.value, data);
            Some(code.ok_or_else(|| exception(ILLEGAL_USE))?)
        }
        Scheme::Ecdsa { .. } => None,
    })
}

/// The signature of a hash.
fn signed(c: &Call<'_>, s: &SignatureState, hash: &[u8]) -> Result<Vec<u8>, Fault> {
    let Scheme::Ecdsa { plain, .. } = &s.scheme else {
        return Err(exception(ILLEGAL_USE));
    };
    let (key, curve) = given_on_curve(c, s.key, KeyKind::EcPrivate)?;
    curve::sign(curve, &key.value, hash, *plain).ok_or_else(|| exception(ILLEGAL_USE))
}

fn verified(c: &Call<'_>, s: &SignatureState, hash: &[u8], value: &[u8]) -> Result<bool, Fault> {
    let Scheme::Ecdsa { plain, .. } = &s.scheme else {
        return Err(exception(ILLEGAL_USE));
    };
    let (key, curve) = given_on_curve(c, s.key, KeyKind::EcPublic)?;
    Ok(curve::verify(curve, &key.value, hash, value, *plain))
}

fn sign(c: &mut Call<'_>) -> Answer {
    let mut s = state(c)?;
    let key = key(c, &s, true)?;
    let data = c.bytes(0)?;
    let value = match code(&mut s, &key, &data)? {
        Some(code) => code,
        None => {
            let hash = finished(&mut s, &data);
            signed(c, &s, &hash)?
        }
    };
    let answer = c.output(3, &value)?;
    c.set_volatile(c.this, NativeState::Signature(s))?;
    Ok(answer)
}

/// The hash of the message so far and `data`.
fn finished(s: &mut SignatureState, data: &[u8]) -> Vec<u8> {
    match &mut s.scheme {
        Scheme::Ecdsa { digest, .. } => digest.finish(data),
        _ => Vec::new(),
    }
}

fn verify(c: &mut Call<'_>) -> Answer {
    let mut s = state(c)?;
    let key = key(c, &s, false)?;
    let (data, value) = (c.bytes(0)?, c.bytes(3)?);
    let good = match code(&mut s, &key, &data)? {
        Some(code) => bool::from(code.ct_eq(&value)),
        None => {
            let hash = finished(&mut s, &data);
            verified(c, &s, &hash, &value)?
        }
    };
    c.set_volatile(c.this, NativeState::Signature(s))?;
    boolean(good)
}

/// A hash from outside, of the digest's length. What was updated before is forgotten.
fn given_hash(c: &Call<'_>, s: &mut SignatureState, sign: bool) -> Result<Vec<u8>, Fault> {
    key(c, s, sign)?;
    let hash = c.bytes(0)?;
    let right =
        matches!(&s.scheme, Scheme::Ecdsa { digest, .. } if digest.hash.length() == hash.len());
    if !right {
        return Err(exception(ILLEGAL_USE));
    }
    s.restart();
    Ok(hash)
}

fn sign_hash(c: &mut Call<'_>) -> Answer {
    let mut s = state(c)?;
    let hash = given_hash(c, &mut s, true)?;
    let answer = c.output(3, &signed(c, &s, &hash)?)?;
    c.set_volatile(c.this, NativeState::Signature(s))?;
    Ok(answer)
}

fn verify_hash(c: &mut Call<'_>) -> Answer {
    let mut s = state(c)?;
    let hash = given_hash(c, &mut s, false)?;
    let good = verified(c, &s, &hash, &c.bytes(3)?)?;
    c.set_volatile(c.this, NativeState::Signature(s))?;
    boolean(good)
}

fn set_initial_digest(c: &mut Call<'_>) -> Answer {
    let mut s = state(c)?;
    key(c, &s, s.sign)?;
    let Scheme::Ecdsa { digest, .. } = &mut s.scheme else {
        return Err(exception(ILLEGAL_USE));
    };
    *digest = resumed(c, DigestState::new(digest.hash))?;
    c.set_volatile(c.this, NativeState::Signature(s))?;
    Ok(None)
}

fn new_agreement(c: &mut Call<'_>) -> Answer {
    use agreement::*;
    let number = c.byte(0)?;
    let known = matches!(
        number,
        EC_SVDP_DH_KDF
            | EC_SVDP_DHC_KDF
            | EC_SVDP_DH_PLAIN
            | EC_SVDP_DHC_PLAIN
            | EC_SVDP_DH_PLAIN_XY
    );
    let known = known && c.vm.offers(Algorithm::Ecdh);
    let state = known.then_some(NativeState::Agreement(AgreementState {
        number,
        key: Ref::NULL,
    }));
    instance(c, "javacard/security/KeyAgreement", state)
}

fn agreement_state(c: &Call<'_>) -> Result<AgreementState, Fault> {
    match c.state()? {
        NativeState::Agreement(a) => Ok(a.clone()),
        _ => Err(c.unconstructed()),
    }
}

fn agreement_init(c: &mut Call<'_>) -> Answer {
    let mut a = agreement_state(c)?;
    let r = c.reference(0)?;
    given_on_curve(c, r, KeyKind::EcPrivate)?;
    a.key = r;
    c.set_volatile(c.this, NativeState::Agreement(a))?;
    Ok(None)
}

fn generate_secret(c: &mut Call<'_>) -> Answer {
    let a = agreement_state(c)?;
    if a.key.is_null() {
        return Err(exception(INVALID_INIT));
    }
    let (key, curve) = given_on_curve(c, a.key, KeyKind::EcPrivate)?;
    let point = curve::agree(curve, &key.value, &c.bytes(0)?);
    let point = point.ok_or_else(|| exception(ILLEGAL_VALUE))?;
    let coordinate = Domain::of(curve).map_or(0, Domain::bytes);
    let x = point.get(1..=coordinate).unwrap_or_default();
    let secret = match a.number {
        agreement::EC_SVDP_DH_PLAIN_XY => point,
        // IEEE P1363 KDF1 with SHA-1.
        agreement::EC_SVDP_DH_KDF | agreement::EC_SVDP_DHC_KDF => {
            DigestState::new(Hash::Sha1).finish(x)
        }
        _ => x.to_vec(),
    };
    c.output(3, &secret)
}
