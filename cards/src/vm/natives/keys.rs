//! `javacard.security`: KeyBuilder, the key interfaces, KeyPair.

use super::{Answer, Call, NativeFn, boolean, clipped, reference, short};
use crate::definition::{Algorithm, Curve};
use crate::vm::crypto::curve::{DOMAINS, Domain, is_point, public_of};
use crate::vm::crypto::key::{Key, KeyKind, Lifetime, PairState};
use crate::vm::error::{Fault, Throw};
use crate::vm::native_state::NativeState;
use crate::vm::value::{Ref, Value};

/// Reasons of `CryptoException`.
pub(super) const ILLEGAL_VALUE: i16 = 1;
pub(super) const UNINITIALIZED_KEY: i16 = 2;
pub(super) const NO_SUCH_ALGORITHM: i16 = 3;
pub(super) const INVALID_INIT: i16 = 4;
pub(super) const ILLEGAL_USE: i16 = 5;

/// KeyPair.ALG_EC_FP.
const ALG_EC_FP: u8 = 5;

/// A type of key.
struct Type {
    /// KeyBuilder.TYPE_*.
    number: u8,
    /// KeyBuilder.ALG_TYPE_*.
    algorithm: u8,
    kind: KeyKind,
    lifetime: Lifetime,
}

const fn type_(number: u8, algorithm: u8, kind: KeyKind, lifetime: Lifetime) -> Type {
    Type {
        number,
        algorithm,
        kind,
        lifetime,
    }
}

/// What `buildKey` makes. An encryption of key values (`KeyEncryption`) is none of these keys' abilities.
const TYPES: [Type; 13] = [
    type_(1, 1, KeyKind::Des, Lifetime::Reset),
    type_(2, 1, KeyKind::Des, Lifetime::Deselect),
    type_(3, 1, KeyKind::Des, Lifetime::Persistent),
    type_(11, 7, KeyKind::EcPublic, Lifetime::Persistent),
    type_(12, 8, KeyKind::EcPrivate, Lifetime::Persistent),
    type_(13, 2, KeyKind::Aes, Lifetime::Reset),
    type_(14, 2, KeyKind::Aes, Lifetime::Deselect),
    type_(15, 2, KeyKind::Aes, Lifetime::Persistent),
    type_(19, 9, KeyKind::Hmac, Lifetime::Reset),
    type_(20, 9, KeyKind::Hmac, Lifetime::Deselect),
    type_(21, 9, KeyKind::Hmac, Lifetime::Persistent),
    type_(30, 8, KeyKind::EcPrivate, Lifetime::Reset),
    type_(31, 8, KeyKind::EcPrivate, Lifetime::Deselect),
];

/// What a card may have that takes a key of the kind; elliptic curves are a matter of [`Curve`].
fn users(kind: KeyKind) -> &'static [Algorithm] {
    match kind {
        KeyKind::Aes => &[
            Algorithm::Aes,
            Algorithm::AesCtr,
            Algorithm::AesGcm,
            Algorithm::AesCcm,
            Algorithm::AesMac,
            Algorithm::AesCmac,
        ],
        KeyKind::Des => &[Algorithm::Des, Algorithm::DesMac],
        KeyKind::Hmac => &[
            Algorithm::HmacSha1,
            Algorithm::HmacSha256,
            Algorithm::HmacSha384,
            Algorithm::HmacSha512,
        ],
        KeyKind::EcPublic | KeyKind::EcPrivate => &[],
    }
}

fn class_of(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::Aes => "javacard/security/AESKey",
        KeyKind::Des => "javacard/security/DESKey",
        KeyKind::Hmac => "javacard/security/HMACKey",
        KeyKind::EcPublic => "javacard/security/ECPublicKey",
        KeyKind::EcPrivate => "javacard/security/ECPrivateKey",
    }
}

pub(super) fn find(class: &str, method: &str, descriptor: &str) -> Option<NativeFn> {
    Some(match (class, method, descriptor) {
        ("KeyBuilder", "buildKey", "(BSZ)Ljavacard/security/Key;") => |c| {
            let number = c.byte(0)?;
            build_key(c, 1, |t| t.number == number)
        },
        ("KeyBuilder", "buildKey", "(BBSZ)Ljavacard/security/Key;") => |c| {
            let (algorithm, memory) = (c.byte(0)?, memory_type(c.byte(1)?));
            build_key(c, 2, |t| {
                t.algorithm == algorithm && Some(t.lifetime) == memory
            })
        },
        ("KeyBuilder", "buildKeyWithSharedDomain", _) => |_| Err(exception(NO_SUCH_ALGORITHM)),
        ("Key", "clearKey", _) => clear_key,
        ("Key", "getSize", _) => |c| short(own(c)?.bits),
        ("Key", "getType", _) => |c| short(own(c)?.type_.into()),
        ("Key", "isInitialized", _) => |c| boolean(own(c)?.is_initialized()),
        ("AESKey" | "DESKey", "setKey", _) => |c| {
            let length = own(c)?.bits / 8;
            set_secret(c, length)
        },
        ("HMACKey", "setKey", _) => |c| {
            let length = c.short(2)?;
            set_secret(c, length)
        },
        ("AESKey" | "DESKey" | "HMACKey", "getKey", _) => get_value,
        ("ECKey", "setFieldFP", _) => |c| set_parameter(c, 0),
        ("ECKey", "setA", _) => |c| set_parameter(c, 1),
        ("ECKey", "setB", _) => |c| set_parameter(c, 2),
        ("ECKey", "setG", _) => |c| set_parameter(c, 3),
        ("ECKey", "setR", _) => |c| set_parameter(c, 4),
        ("ECKey", "setK", _) => |c| match c.short(0)? {
            1 => Ok(None),
            _ => Err(exception(ILLEGAL_VALUE)),
        },
        ("ECKey", "setFieldF2M", _) => |_| Err(exception(NO_SUCH_ALGORITHM)),
        ("ECKey", "getField", _) => |c| get_parameter(c, 0),
        ("ECKey", "getA", _) => |c| get_parameter(c, 1),
        ("ECKey", "getB", _) => |c| get_parameter(c, 2),
        ("ECKey", "getG", _) => |c| get_parameter(c, 3),
        ("ECKey", "getR", _) => |c| get_parameter(c, 4),
        ("ECKey", "getK", _) => |_| short(1),
        ("ECKey", "copyDomainParametersFrom", _) => copy_domain,
        ("ECPublicKey", "setW", _) => set_point,
        ("ECPrivateKey", "setS", _) => set_scalar,
        ("ECPublicKey", "getW", _) | ("ECPrivateKey", "getS", _) => get_value,
        ("KeyPair", "<init>", "(BS)V") => new_pair,
        ("KeyPair", "<init>", _) => new_pair_of,
        ("KeyPair", "genKeyPair", _) => generate,
        ("KeyPair", "getPublic", _) => |c| reference(pair(c)?.public),
        ("KeyPair", "getPrivate", _) => |c| reference(pair(c)?.private),
        _ => return None,
    })
}

pub(super) fn exception(reason: i16) -> Fault {
    Throw::new("javacard/security/CryptoException", reason).into()
}

fn own(c: &Call<'_>) -> Result<Key, Fault> {
    match c.state()? {
        NativeState::Key(key) => Ok(key.clone()),
        _ => Err(c.unconstructed()),
    }
}

/// A key that a method is given, complete and of the kind.
pub(super) fn given(c: &Call<'_>, r: Ref, kind: KeyKind) -> Result<Key, Fault> {
    match c.usable(r)? {
        NativeState::Key(key) if key.kind != kind => Err(exception(ILLEGAL_VALUE)),
        NativeState::Key(key) if !key.is_initialized() => Err(exception(UNINITIALIZED_KEY)),
        NativeState::Key(key) => Ok(key.clone()),
        _ => Err(exception(ILLEGAL_VALUE)),
    }
}

/// The same for a key on an elliptic curve: its value has to be one of the curve's.
pub(super) fn given_on_curve(c: &Call<'_>, r: Ref, kind: KeyKind) -> Result<(Key, Curve), Fault> {
    let key = given(c, r, kind)?;
    let curve = key.curve().ok_or_else(|| exception(UNINITIALIZED_KEY))?;
    match fits(&key, curve) {
        true => Ok((key, curve)),
        false => Err(exception(ILLEGAL_VALUE)),
    }
}

fn fits(key: &Key, curve: Curve) -> bool {
    match key.kind {
        KeyKind::EcPublic => is_point(curve, &key.value),
        _ => public_of(curve, &key.value).is_some(),
    }
}

/// JCSystem.MEMORY_TYPE_*.
fn memory_type(number: u8) -> Option<Lifetime> {
    match number {
        0 => Some(Lifetime::Persistent),
        1 => Some(Lifetime::Reset),
        2 => Some(Lifetime::Deselect),
        _ => None,
    }
}

/// The curves of a size that the card has, the default first.
fn curves<'a>(c: &'a Call<'_>, bits: i16) -> impl Iterator<Item = &'static Domain> + 'a {
    let platform = c.vm.platform();
    DOMAINS
        .iter()
        .filter(move |d| d.bits == bits && platform.curves.contains(&d.curve))
}

fn new_key(c: &Call<'_>, type_: &Type, bits: i16) -> Result<Key, Fault> {
    let offered = users(type_.kind).iter().any(|a| c.vm.offers(*a));
    let fits = match type_.kind {
        KeyKind::Aes => offered && matches!(bits, 128 | 192 | 256),
        KeyKind::Des => offered && matches!(bits, 64 | 128 | 192),
        KeyKind::Hmac => offered && bits > 0,
        KeyKind::EcPublic | KeyKind::EcPrivate => curves(c, bits).next().is_some(),
    };
    match fits {
        true => Ok(Key::new(type_.kind, type_.number, bits, type_.lifetime)),
        false => Err(exception(NO_SUCH_ALGORITHM)),
    }
}

/// With the length, and whether key values are to be encrypted, as arguments from `at` on.
fn build_key(c: &mut Call<'_>, at: usize, wanted: impl Fn(&Type) -> bool) -> Answer {
    let type_ = TYPES.iter().find(|t| wanted(t));
    let type_ = type_.filter(|_| c.short(at + 1).is_ok_and(|encrypted| encrypted == 0));
    let type_ = type_.ok_or_else(|| exception(NO_SUCH_ALGORITHM))?;
    let key = new_key(c, type_, c.short(at)?)?;
    let r = c.make(class_of(type_.kind), NativeState::Key(key))?;
    reference(r)
}

/// Stores a key's new contents: persistent, unless the key is a transient one.
fn set_key(c: &mut Call<'_>, r: Ref, key: Key) -> Result<(), Fault> {
    match key.lifetime {
        Lifetime::Persistent => c.set_state(r, NativeState::Key(key)),
        _ => c.set_volatile(r, NativeState::Key(key)),
    }
}

fn clear_key(c: &mut Call<'_>) -> Answer {
    let mut key = own(c)?;
    key.value.clear();
    set_key(c, c.this, key)?;
    Ok(None)
}

fn set_secret(c: &mut Call<'_>, length: i16) -> Answer {
    let mut key = own(c)?;
    if length <= 0 {
        return Err(exception(ILLEGAL_VALUE));
    }
    let (array, offset) = (c.reference(0)?, c.short(1)?);
    key.value = c.vm.read(c.caller, array, offset, length)?.to_vec();
    set_key(c, c.this, key)?;
    Ok(None)
}

/// The point, uncompressed; on the curve if the curve is known already.
fn set_point(c: &mut Call<'_>) -> Answer {
    let mut key = own(c)?;
    key.value = c.bytes(0)?;
    let coordinate = usize::from(key.bits.unsigned_abs()).div_ceil(8);
    let shaped = key.value.first() == Some(&4) && key.value.len() == 1 + 2 * coordinate;
    if !shaped || key.curve().is_some_and(|curve| !fits(&key, curve)) {
        return Err(exception(ILLEGAL_VALUE));
    }
    set_key(c, c.this, key)?;
    Ok(None)
}

/// The scalar, right-aligned; below the curve's order if the curve is known already.
fn set_scalar(c: &mut Call<'_>) -> Answer {
    let mut key = own(c)?;
    let given = c.bytes(0)?;
    let length = usize::from(key.bits.unsigned_abs()).div_ceil(8);
    let missing = length.checked_sub(given.len()).filter(|m| *m < length);
    let missing = missing.ok_or_else(|| exception(ILLEGAL_VALUE))?;
    key.value = [vec![0; missing], given].concat();
    if key.curve().is_some_and(|curve| !fits(&key, curve)) {
        return Err(exception(ILLEGAL_VALUE));
    }
    set_key(c, c.this, key)?;
    Ok(None)
}

fn get_value(c: &mut Call<'_>) -> Answer {
    let key = own(c)?;
    if key.value.is_empty() {
        return Err(exception(UNINITIALIZED_KEY));
    }
    c.output(0, &key.value)
}

/// A domain parameter has to be one of a curve that the card has.
fn set_parameter(c: &mut Call<'_>, index: usize) -> Answer {
    let mut key = own(c)?;
    let value = c.bytes(0)?;
    let domain = curves(c, key.bits).find(|domain| domain.parameter(index) == value);
    let curve = domain.ok_or_else(|| exception(ILLEGAL_VALUE))?.curve;
    if let Some(slot) = key.parameters.get_mut(index) {
        *slot = Some(curve);
    }
    set_key(c, c.this, key)?;
    Ok(None)
}

fn get_parameter(c: &mut Call<'_>, index: usize) -> Answer {
    let domain = own(c)?.parameter(index);
    let domain = domain.ok_or_else(|| exception(UNINITIALIZED_KEY))?;
    c.output(0, &domain.parameter(index))
}

fn copy_domain(c: &mut Call<'_>) -> Answer {
    let mut key = own(c)?;
    let other = match c.usable(c.reference(0)?)? {
        NativeState::Key(other) => other.clone(),
        _ => return Err(exception(ILLEGAL_VALUE)),
    };
    let curve = other.curve().ok_or_else(|| exception(UNINITIALIZED_KEY))?;
    if other.bits != key.bits {
        return Err(exception(ILLEGAL_VALUE));
    }
    key.set_curve(curve);
    set_key(c, c.this, key)?;
    Ok(None)
}

fn pair(c: &Call<'_>) -> Result<PairState, Fault> {
    match c.state()? {
        NativeState::Pair(pair) => Ok(pair.clone()),
        _ => Err(c.unconstructed()),
    }
}

fn new_pair(c: &mut Call<'_>) -> Answer {
    if c.byte(0)? != ALG_EC_FP {
        return Err(exception(NO_SUCH_ALGORITHM));
    }
    let bits = c.short(1)?;
    let mut made = |kind| {
        let type_ = TYPES
            .iter()
            .find(|t| t.kind == kind && t.lifetime == Lifetime::Persistent);
        let type_ = type_.ok_or_else(|| exception(NO_SUCH_ALGORITHM))?;
        let key = new_key(c, type_, bits)?;
        c.make(class_of(kind), NativeState::Key(key))
    };
    let (public, private) = (made(KeyKind::EcPublic)?, made(KeyKind::EcPrivate)?);
    c.set_state(c.this, NativeState::Pair(PairState { public, private }))?;
    Ok(None)
}

fn new_pair_of(c: &mut Call<'_>) -> Answer {
    let (public, private) = (c.reference(0)?, c.reference(1)?);
    let mut sizes = Vec::new();
    for (r, kind) in [(public, KeyKind::EcPublic), (private, KeyKind::EcPrivate)] {
        match c.usable(r)? {
            NativeState::Key(key) if key.kind == kind => sizes.push(key.bits),
            _ => return Err(exception(ILLEGAL_VALUE)),
        }
    }
    if sizes.first() != sizes.last() {
        return Err(exception(ILLEGAL_VALUE));
    }
    c.set_state(c.this, NativeState::Pair(PairState { public, private }))?;
    Ok(None)
}

/// On the public key's curve, else on the default one of its size (API, KeyPair.genKeyPair).
fn generate(c: &mut Call<'_>) -> Answer {
    let pair = pair(c)?;
    let (bits, curve) = match c.usable(pair.public)? {
        NativeState::Key(key) => (key.bits, key.curve()),
        _ => return Err(c.unconstructed()),
    };
    let domain = match curve {
        Some(curve) => Domain::of(curve),
        None => curves(c, bits).next(),
    };
    let domain = domain.ok_or_else(|| exception(ILLEGAL_VALUE))?;
    let (scalar, point) = scalar(c, domain).ok_or_else(|| exception(ILLEGAL_VALUE))?;
    for (r, value) in [(pair.public, point), (pair.private, scalar)] {
        let NativeState::Key(key) = c.usable(r)? else {
            return Err(c.unconstructed());
        };
        let mut key = key.clone();
        key.set_curve(domain.curve);
        key.value = value;
        set_key(c, r, key)?;
    }
    Ok(None)
}

/// A random scalar and its point.
fn scalar(c: &mut Call<'_>, domain: &Domain) -> Option<(Vec<u8>, Vec<u8>)> {
    let spare = 8 * domain.bytes() - usize::from(domain.bits.unsigned_abs());
    // The order's first byte is at least 8C: hardly a try in two is too large.
    for _ in 0..128 {
        let mut scalar = vec![0; domain.bytes()];
        c.host.random(&mut scalar);
        if let Some(first) = scalar.first_mut() {
            *first &= 0xFF >> spare;
        }
        if let Some(point) = public_of(domain.curve, &scalar) {
            return Some((scalar, point));
        }
    }
    None
}

/// For algorithms' `getInstance`: the object, owned by the caller.
pub(super) fn instance(c: &mut Call<'_>, class: &str, state: Option<NativeState>) -> Answer {
    let state = state.ok_or_else(|| exception(NO_SUCH_ALGORITHM))?;
    let r = c.make(class, state)?;
    Ok(Some(Value::Ref(r)))
}

/// Length of a result.
pub(super) fn length(n: usize) -> Answer {
    clipped(n)
}
