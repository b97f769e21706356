//! `javacard.security`: KeyBuilder, the key interfaces, KeyPair.

use super::{Answer, Call, NativeFn, boolean, clipped, reference, short};
use crate::vm::crypto::{
    ALL_PARAMETERS, Key, KeyKind, P256_BYTES, PairState, is_point, parameter, public_of,
};
use crate::vm::error::{Fault, Throw};
use crate::vm::native_state::NativeState;
use crate::vm::value::{Ref, Value};

pub(super) const ILLEGAL_VALUE: i16 = 1;
pub(super) const UNINITIALIZED_KEY: i16 = 2;
pub(super) const NO_SUCH_ALGORITHM: i16 = 3;
pub(super) const INVALID_INIT: i16 = 4;
pub(super) const ILLEGAL_USE: i16 = 5;

const TYPE_EC_FP_PUBLIC: u8 = 11;
const TYPE_EC_FP_PRIVATE: u8 = 12;
const TYPE_AES_TRANSIENT_RESET: u8 = 13;
const TYPE_AES_TRANSIENT_DESELECT: u8 = 14;
const TYPE_AES: u8 = 15;
const TYPE_EC_FP_PRIVATE_TRANSIENT_RESET: u8 = 30;
const TYPE_EC_FP_PRIVATE_TRANSIENT_DESELECT: u8 = 31;
/// KeyPair.ALG_EC_FP.
const ALG_EC_FP: u8 = 5;

pub(super) fn find(class: &str, method: &str, descriptor: &str) -> Option<NativeFn> {
    Some(match (class, method, descriptor) {
        ("KeyBuilder", "buildKey", "(BSZ)Ljavacard/security/Key;") => build_key,
        ("Key", "clearKey", _) => clear_key,
        ("Key", "getSize", _) => |c| short(own(c)?.bits),
        ("Key", "getType", _) => |c| short(own(c)?.type_.into()),
        ("Key", "isInitialized", _) => |c| boolean(own(c)?.initialized()),
        ("AESKey", "setKey", _) => set_aes,
        ("AESKey", "getKey", _) => |c| get_value(c, KeyKind::Aes),
        ("ECKey", "setFieldFP", _) => |c| set_parameter(c, 0),
        ("ECKey", "setA", _) => |c| set_parameter(c, 1),
        ("ECKey", "setB", _) => |c| set_parameter(c, 2),
        ("ECKey", "setG", _) => |c| set_parameter(c, 3),
        ("ECKey", "setR", _) => |c| set_parameter(c, 4),
        ("ECKey", "setK", _) => |c| {
            if c.short(0)? == 1 {
                Ok(None)
            } else {
                Err(exception(ILLEGAL_VALUE))
            }
        },
        ("ECKey", "setFieldF2M", _) => |_| Err(exception(NO_SUCH_ALGORITHM)),
        ("ECKey", "getField", _) => |c| get_parameter(c, 0),
        ("ECKey", "getA", _) => |c| get_parameter(c, 1),
        ("ECKey", "getB", _) => |c| get_parameter(c, 2),
        ("ECKey", "getG", _) => |c| get_parameter(c, 3),
        ("ECKey", "getR", _) => |c| get_parameter(c, 4),
        ("ECKey", "getK", _) => |_| short(1),
        ("ECPublicKey", "setW", _) => |c| set_ec(c, KeyKind::EcPublic),
        ("ECPublicKey", "getW", _) => |c| get_value(c, KeyKind::EcPublic),
        ("ECPrivateKey", "setS", _) => |c| set_ec(c, KeyKind::EcPrivate),
        ("ECPrivateKey", "getS", _) => |c| get_value(c, KeyKind::EcPrivate),
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

/// A key that a method is given: its contents, complete.
pub(super) fn given(c: &Call<'_>, r: Ref, kind: KeyKind) -> Result<Vec<u8>, Fault> {
    match c.usable(r)? {
        NativeState::Key(key) if key.kind != kind => Err(exception(ILLEGAL_VALUE)),
        NativeState::Key(key) if !key.initialized() => Err(exception(UNINITIALIZED_KEY)),
        NativeState::Key(key) => Ok(key.value.clone()),
        _ => Err(exception(ILLEGAL_VALUE)),
    }
}

fn new_key(type_: u8, bits: i16) -> Result<(Key, &'static str), Fault> {
    let (kind, class, transient) = match type_ {
        TYPE_AES => (KeyKind::Aes, "javacard/security/AESKey", 0),
        TYPE_AES_TRANSIENT_RESET => (KeyKind::Aes, "javacard/security/AESKey", 1),
        TYPE_AES_TRANSIENT_DESELECT => (KeyKind::Aes, "javacard/security/AESKey", 2),
        TYPE_EC_FP_PUBLIC => (KeyKind::EcPublic, "javacard/security/ECPublicKey", 0),
        TYPE_EC_FP_PRIVATE => (KeyKind::EcPrivate, "javacard/security/ECPrivateKey", 0),
        TYPE_EC_FP_PRIVATE_TRANSIENT_RESET => {
            (KeyKind::EcPrivate, "javacard/security/ECPrivateKey", 1)
        }
        TYPE_EC_FP_PRIVATE_TRANSIENT_DESELECT => {
            (KeyKind::EcPrivate, "javacard/security/ECPrivateKey", 2)
        }
        _ => return Err(exception(NO_SUCH_ALGORITHM)),
    };
    let fits = match kind {
        KeyKind::Aes => matches!(bits, 128 | 192 | 256),
        _ => bits == 256,
    };
    if !fits {
        return Err(exception(NO_SUCH_ALGORITHM));
    }
    Ok((
        Key {
            kind,
            type_,
            bits,
            value: Vec::new(),
            parameters: 0,
            transient,
        },
        class,
    ))
}

fn build_key(c: &mut Call<'_>) -> Answer {
    let (key, class) = new_key(c.byte(0)?, c.short(1)?)?;
    let r = c.make(class, NativeState::Key(key))?;
    reference(r)
}

/// Stores a key's new contents: persistent, unless the key is a transient one.
fn set_key(c: &mut Call<'_>, r: Ref, key: Key) -> Result<(), Fault> {
    if key.transient == 0 {
        return c.set_state(r, NativeState::Key(key));
    }
    c.set_volatile(r, NativeState::Key(key))
}

fn clear_key(c: &mut Call<'_>) -> Answer {
    let mut key = own(c)?;
    key.value.clear();
    set_key(c, c.this, key)?;
    Ok(None)
}

fn set_aes(c: &mut Call<'_>) -> Answer {
    let mut key = own(c)?;
    if key.kind != KeyKind::Aes {
        return Err(exception(ILLEGAL_VALUE));
    }
    let (array, offset) = (c.reference(0)?, c.short(1)?);
    key.value = c.vm.read(c.caller, array, offset, key.bits / 8)?.to_vec();
    set_key(c, c.this, key)?;
    Ok(None)
}

fn set_ec(c: &mut Call<'_>, kind: KeyKind) -> Answer {
    let mut key = own(c)?;
    let value = c.bytes(0)?;
    let good = key.kind == kind
        && match kind {
            KeyKind::EcPublic => is_point(&value),
            _ => value.len() == P256_BYTES && public_of(&value).is_some(),
        };
    if !good {
        return Err(exception(ILLEGAL_VALUE));
    }
    key.value = value;
    set_key(c, c.this, key)?;
    Ok(None)
}

fn get_value(c: &mut Call<'_>, kind: KeyKind) -> Answer {
    let key = own(c)?;
    if key.kind != kind || key.value.is_empty() {
        return Err(exception(UNINITIALIZED_KEY));
    }
    c.output(0, &key.value)
}

fn set_parameter(c: &mut Call<'_>, index: usize) -> Answer {
    let mut key = own(c)?;
    if c.bytes(0)? != parameter(index) {
        return Err(exception(ILLEGAL_VALUE));
    }
    key.parameters |= 1 << index;
    set_key(c, c.this, key)?;
    Ok(None)
}

fn get_parameter(c: &mut Call<'_>, index: usize) -> Answer {
    if own(c)?.parameters & (1 << index) == 0 {
        return Err(exception(UNINITIALIZED_KEY));
    }
    c.output(0, &parameter(index))
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
    let (public, class) = new_key(TYPE_EC_FP_PUBLIC, bits)?;
    let public = c.make(class, NativeState::Key(public))?;
    let (private, class) = new_key(TYPE_EC_FP_PRIVATE, bits)?;
    let private = c.make(class, NativeState::Key(private))?;
    c.set_state(c.this, NativeState::Pair(PairState { public, private }))?;
    Ok(None)
}

fn new_pair_of(c: &mut Call<'_>) -> Answer {
    let (public, private) = (c.reference(0)?, c.reference(1)?);
    for (r, kind) in [(public, KeyKind::EcPublic), (private, KeyKind::EcPrivate)] {
        match c.usable(r)? {
            NativeState::Key(key) if key.kind == kind => {}
            NativeState::Key(_) => return Err(exception(NO_SUCH_ALGORITHM)),
            _ => return Err(exception(ILLEGAL_VALUE)),
        }
    }
    c.set_state(c.this, NativeState::Pair(PairState { public, private }))?;
    Ok(None)
}

fn generate(c: &mut Call<'_>) -> Answer {
    let pair = pair(c)?;
    let mut scalar = [0; P256_BYTES];
    // A scalar outside the group's order has a chance of 2^-32 a try.
    let mut point = None;
    for _ in 0..8 {
        c.host.random(&mut scalar);
        point = public_of(&scalar);
        if point.is_some() {
            break;
        }
    }
    let point = point.ok_or_else(|| exception(ILLEGAL_VALUE))?;
    for (r, value) in [(pair.public, point), (pair.private, scalar.to_vec())] {
        let NativeState::Key(key) = c.usable(r)? else {
            return Err(c.unconstructed());
        };
        let key = Key {
            value,
            parameters: ALL_PARAMETERS,
            ..key.clone()
        };
        set_key(c, r, key)?;
    }
    Ok(None)
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
