//! `javacard.security`: MessageDigest, RandomData, Signature, KeyAgreement.

use super::keys::{
    ILLEGAL_USE, ILLEGAL_VALUE, INVALID_INIT, NO_SUCH_ALGORITHM, exception, given, instance, length,
};
use super::{Answer, Call, NativeFn, boolean, nothing, short};
use crate::vm::crypto::{
    AgreementState, BLOCK, DigestState, Hash, KeyKind, SignatureAlgorithm, SignatureState,
    aes_cbc_mac, aes_cmac, ecdh, ecdsa_sign, ecdsa_verify,
};
use crate::vm::error::{Fault, Throw};
use crate::vm::native_state::NativeState;
use crate::vm::value::Ref;

const ALG_SHA: u8 = 1;
const ALG_SHA_256: u8 = 4;
const ALG_ECDSA_SHA: u8 = 17;
const ALG_AES_MAC_128_NOPAD: u8 = 18;
const ALG_ECDSA_SHA_256: u8 = 33;
/// API 3.0.5; here for applets that ask for it by number.
const ALG_AES_CMAC_128: u8 = 49;
const MODE_SIGN: u8 = 1;
const MODE_VERIFY: u8 = 2;
const ALG_EC_SVDP_DH: u8 = 1;
const ALG_EC_SVDP_DH_PLAIN: u8 = 3;
/// Longest DER signature of P-256.
const ECDSA_BYTES: usize = 72;

pub(super) fn find(class: &str, method: &str, descriptor: &str) -> Option<NativeFn> {
    Some(match (class, method, descriptor) {
        ("MessageDigest", "getInstance", _) => new_digest,
        ("MessageDigest", "getInitializedMessageDigestInstance", _) => {
            |_| Err(exception(NO_SUCH_ALGORITHM))
        }
        ("MessageDigest", "update", _) => digest_update,
        ("MessageDigest", "doFinal", _) => digest_final,
        ("MessageDigest", "reset", _) => digest_reset,
        ("MessageDigest", "getLength", _) => |c| length(digest(c)?.length()),
        ("MessageDigest", "getAlgorithm", _) => |c| {
            let hash = digest(c)?.hash;
            short(
                if hash == Hash::Sha1 {
                    ALG_SHA
                } else {
                    ALG_SHA_256
                }
                .into(),
            )
        },
        ("RandomData", "getInstance", _) => new_random,
        ("RandomData", "generateData", _) => generate,
        // The card's generator takes no seed from applets.
        ("RandomData", "setSeed", _) => |c| c.bytes(0).map(|_| None),
        ("Signature", "getInstance", "(BZ)Ljavacard/security/Signature;") => new_signature,
        ("Signature", "getInstance", _) => |_| Err(exception(NO_SUCH_ALGORITHM)),
        ("Signature", "init", "(Ljavacard/security/Key;B)V") => |c| init(c, None),
        ("Signature", "init", _) => |c| {
            let iv = c.bytes(2)?;
            init(c, Some(iv))
        },
        ("Signature", "update", _) => update,
        ("Signature", "sign", _) => sign,
        ("Signature", "verify", _) => verify,
        ("Signature", "signPreComputedHash", _) => sign_hash,
        ("Signature", "setInitialDigest", _) => |_| Err(exception(ILLEGAL_USE)),
        ("Signature", "getAlgorithm", _) => |c| short(signature(c)?.number.into()),
        ("Signature", "getLength", _) => |c| {
            let s = signature(c)?;
            length(if s.algorithm == SignatureAlgorithm::Ecdsa {
                ECDSA_BYTES
            } else {
                BLOCK
            })
        },
        ("KeyAgreement", "getInstance", _) => new_agreement,
        ("KeyAgreement", "init", _) => agreement_init,
        ("KeyAgreement", "getAlgorithm", _) => |c| short(agreement(c)?.number.into()),
        ("KeyAgreement", "generateSecret", _) => generate_secret,
        (_, "<init>", "()V") => nothing,
        _ => return None,
    })
}

fn hash_of(number: u8) -> Option<Hash> {
    match number {
        ALG_SHA => Some(Hash::Sha1),
        ALG_SHA_256 => Some(Hash::Sha256),
        _ => None,
    }
}

fn new_digest(c: &mut Call<'_>) -> Answer {
    let state = hash_of(c.byte(0)?).map(|hash| NativeState::Digest(DigestState::new(hash)));
    instance(c, "javacard/security/MessageDigest", state)
}

fn digest(c: &Call<'_>) -> Result<DigestState, Fault> {
    match c.state()? {
        NativeState::Digest(d) => Ok(d.clone()),
        _ => Err(c.unconstructed()),
    }
}

fn digest_update(c: &mut Call<'_>) -> Answer {
    let mut d = digest(c)?;
    d.update(&c.bytes(0)?);
    c.set_volatile(c.this, NativeState::Digest(d))?;
    Ok(None)
}

fn digest_final(c: &mut Call<'_>) -> Answer {
    let mut d = digest(c)?;
    let value = d.finish(&c.bytes(0)?);
    let answer = c.output(3, &value)?;
    c.set_volatile(c.this, NativeState::Digest(d))?;
    Ok(answer)
}

fn digest_reset(c: &mut Call<'_>) -> Answer {
    let mut d = digest(c)?;
    d.reset();
    c.set_volatile(c.this, NativeState::Digest(d))?;
    Ok(None)
}

fn new_random(c: &mut Call<'_>) -> Answer {
    let state = matches!(c.byte(0)?, 1 | 2).then_some(NativeState::Random);
    instance(c, "javacard/security/RandomData", state)
}

fn generate(c: &mut Call<'_>) -> Answer {
    let size = usize::try_from(c.short(2)?).map_err(|_| exception(ILLEGAL_VALUE))?;
    if size == 0 {
        return Err(exception(ILLEGAL_VALUE));
    }
    c.vm.writable(c.caller, c.reference(0)?, c.short(1)?, size)?;
    let mut data = vec![0; size];
    c.host.random(&mut data);
    c.store(0, &data)?;
    Ok(None)
}

fn new_signature(c: &mut Call<'_>) -> Answer {
    let number = c.byte(0)?;
    let (algorithm, hash) = match number {
        ALG_ECDSA_SHA => (SignatureAlgorithm::Ecdsa, Hash::Sha1),
        ALG_ECDSA_SHA_256 => (SignatureAlgorithm::Ecdsa, Hash::Sha256),
        ALG_AES_MAC_128_NOPAD => (SignatureAlgorithm::AesMac, Hash::Sha256),
        ALG_AES_CMAC_128 => (SignatureAlgorithm::AesCmac, Hash::Sha256),
        _ => return Err(exception(NO_SUCH_ALGORITHM)),
    };
    let state = SignatureState {
        algorithm,
        number,
        key: Ref::NULL,
        sign: true,
        iv: vec![0; BLOCK],
        digest: DigestState::new(hash),
        message: Vec::new(),
    };
    instance(
        c,
        "javacard/security/Signature",
        Some(NativeState::Signature(state)),
    )
}

fn signature(c: &Call<'_>) -> Result<SignatureState, Fault> {
    match c.state()? {
        NativeState::Signature(s) => Ok(s.clone()),
        _ => Err(c.unconstructed()),
    }
}

/// The key of an initialised signature object, by what it is for.
fn key(c: &Call<'_>, s: &SignatureState, sign: bool) -> Result<Vec<u8>, Fault> {
    if s.key.is_null() || s.sign != sign {
        return Err(exception(INVALID_INIT));
    }
    given(c, s.key, kind(s.algorithm, sign))
}

fn kind(algorithm: SignatureAlgorithm, sign: bool) -> KeyKind {
    match (algorithm, sign) {
        (SignatureAlgorithm::Ecdsa, true) => KeyKind::EcPrivate,
        (SignatureAlgorithm::Ecdsa, false) => KeyKind::EcPublic,
        _ => KeyKind::Aes,
    }
}

fn init(c: &mut Call<'_>, iv: Option<Vec<u8>>) -> Answer {
    let mut s = signature(c)?;
    let (r, mode) = (c.reference(0)?, c.byte(1)?);
    if !matches!(mode, MODE_SIGN | MODE_VERIFY) {
        return Err(exception(ILLEGAL_VALUE));
    }
    s.iv = match iv {
        None => vec![0; BLOCK],
        Some(iv) if s.algorithm == SignatureAlgorithm::AesMac && iv.len() == BLOCK => iv,
        Some(_) => return Err(exception(ILLEGAL_VALUE)),
    };
    s.sign = mode == MODE_SIGN;
    given(c, r, kind(s.algorithm, s.sign))?;
    s.key = r;
    s.restart();
    c.set_volatile(c.this, NativeState::Signature(s))?;
    Ok(None)
}

fn update(c: &mut Call<'_>) -> Answer {
    let mut s = signature(c)?;
    key(c, &s, s.sign)?;
    let data = c.bytes(0)?;
    match s.algorithm {
        SignatureAlgorithm::Ecdsa => s.digest.update(&data),
        _ => s.message.extend_from_slice(&data),
    }
    c.set_volatile(c.this, NativeState::Signature(s))?;
    Ok(None)
}

/// MAC of the message so far and `data`.
fn mac(s: &SignatureState, key: &[u8], data: &[u8]) -> Result<Vec<u8>, Fault> {
    let message = [s.message.as_slice(), data].concat();
    let value = match s.algorithm {
        SignatureAlgorithm::AesMac => aes_cbc_mac(key, &s.iv, &message),
        _ => aes_cmac(key, &message),
    };
    value.ok_or_else(|| exception(ILLEGAL_USE))
}

fn sign(c: &mut Call<'_>) -> Answer {
    let mut s = signature(c)?;
    let key = key(c, &s, true)?;
    let data = c.bytes(0)?;
    let value = if s.algorithm == SignatureAlgorithm::Ecdsa {
        let hash = s.digest.finish(&data);
        ecdsa_sign(&key, &hash).ok_or_else(|| exception(ILLEGAL_USE))?
    } else {
        mac(&s, &key, &data)?
    };
    let answer = c.output(3, &value)?;
    s.restart();
    c.set_volatile(c.this, NativeState::Signature(s))?;
    Ok(answer)
}

fn verify(c: &mut Call<'_>) -> Answer {
    let mut s = signature(c)?;
    let key = key(c, &s, false)?;
    let (data, value) = (c.bytes(0)?, c.bytes(3)?);
    let good = if s.algorithm == SignatureAlgorithm::Ecdsa {
        let hash = s.digest.finish(&data);
        ecdsa_verify(&key, &hash, &value)
    } else {
        mac(&s, &key, &data)? == value
    };
    s.restart();
    c.set_volatile(c.this, NativeState::Signature(s))?;
    boolean(good)
}

fn sign_hash(c: &mut Call<'_>) -> Answer {
    let s = signature(c)?;
    let key = key(c, &s, true)?;
    let hash = c.bytes(0)?;
    if s.algorithm != SignatureAlgorithm::Ecdsa || hash.len() != s.digest.length() {
        return Err(exception(ILLEGAL_USE));
    }
    let value = ecdsa_sign(&key, &hash).ok_or_else(|| exception(ILLEGAL_USE))?;
    c.output(3, &value)
}

fn new_agreement(c: &mut Call<'_>) -> Answer {
    let number = c.byte(0)?;
    let known = matches!(number, ALG_EC_SVDP_DH | ALG_EC_SVDP_DH_PLAIN);
    let state = known.then_some(NativeState::Agreement(AgreementState {
        number,
        key: Ref::NULL,
    }));
    instance(c, "javacard/security/KeyAgreement", state)
}

fn agreement(c: &Call<'_>) -> Result<AgreementState, Fault> {
    match c.state()? {
        NativeState::Agreement(a) => Ok(a.clone()),
        _ => Err(c.unconstructed()),
    }
}

fn agreement_init(c: &mut Call<'_>) -> Answer {
    let mut a = agreement(c)?;
    let r = c.reference(0)?;
    given(c, r, KeyKind::EcPrivate)?;
    a.key = r;
    c.set_volatile(c.this, NativeState::Agreement(a))?;
    Ok(None)
}

fn generate_secret(c: &mut Call<'_>) -> Answer {
    let a = agreement(c)?;
    if a.key.is_null() {
        return Err(exception(INVALID_INIT));
    }
    let scalar = given(c, a.key, KeyKind::EcPrivate)?;
    let mut secret = ecdh(&scalar, &c.bytes(0)?).ok_or_else(|| exception(ILLEGAL_VALUE))?;
    if a.number == ALG_EC_SVDP_DH {
        // The plain secret is hashed with SHA-1 (API, ALG_EC_SVDP_DH_KDF).
        secret = DigestState::new(Hash::Sha1).finish(&secret);
    }
    c.store(3, &secret).map_err(|f| match f {
        Fault::Throw(t) if t == Throw::bounds() => exception(ILLEGAL_USE),
        other => other,
    })?;
    length(secret.len())
}
