//! `javacard.framework.OwnerPIN`.

use super::{Answer, Call, NativeFn, boolean, short};
use crate::vm::error::{Fault, Throw};
use crate::vm::native_state::{NativeState, Pin};
use subtle::ConstantTimeEq;

const ILLEGAL_VALUE: i16 = 1;
/// OwnerPINBuilder's types.
const OWNER_PIN: u8 = 1;
const OWNER_PIN_X: u8 = 2;

pub(super) fn find(method: &str, descriptor: &str) -> Option<NativeFn> {
    Some(match (method, descriptor) {
        ("<init>", "(BB)V") => new,
        ("check", "([BSB)Z") => check,
        ("getTriesRemaining", "()B") => |c| short(get(c)?.left.into()),
        ("isValidated" | "getValidatedFlag", "()Z") => |c| boolean(get(c)?.validated),
        ("setValidatedFlag", "(Z)V") => |c| {
            let flag = c.short(0)? != 0;
            validated(c, flag)
        },
        ("reset", "()V") => |c| {
            get(c)?;
            validated(c, false)
        },
        ("resetAndUnblock", "()V") => unblock,
        ("buildOwnerPIN", _) => build,
        ("getTryLimit", "()B") => |c| short(get(c)?.limit.into()),
        ("setTryLimit", "(B)V") => |c| {
            let limit = c.byte(0)?;
            counted(c, |pin| {
                pin.limit = limit;
                pin.left = limit;
            })
        },
        ("setTriesRemaining", "(B)V") => |c| {
            let left = c.byte(0)?;
            counted(c, |pin| pin.left = left)
        },
        ("update", "([BSB)V") => update,
        _ => return None,
    })
}

fn illegal() -> Fault {
    Throw::new("javacard/framework/PINException", ILLEGAL_VALUE).into()
}

fn get(c: &Call<'_>) -> Result<Pin, Fault> {
    match c.state()? {
        NativeState::Pin(pin) => Ok(pin.clone()),
        _ => Err(c.unconstructed()),
    }
}

fn new(c: &mut Call<'_>) -> Answer {
    let pin = made(c)?;
    c.set_state(c.this, NativeState::Pin(pin))?;
    Ok(None)
}

fn made(c: &Call<'_>) -> Result<Pin, Fault> {
    let (limit, size) = (c.byte(0)?, c.byte(1)?);
    if limit.cast_signed() < 1 || size.cast_signed() < 1 {
        return Err(illegal());
    }
    Ok(Pin {
        value: Vec::new(),
        max_size: size,
        limit,
        left: limit,
        validated: false,
    })
}

/// A PIN of a type that the API has since 3.0.5. One whose tries are decremented by the applet
/// (OWNER_PIN_X_WITH_PREDECREMENT) is refused, as the API allows for types.
fn build(c: &mut Call<'_>) -> Answer {
    let class = match c.byte(2)? {
        OWNER_PIN => "javacard/framework/OwnerPIN",
        OWNER_PIN_X => "javacard/framework/OwnerPINx",
        _ => return Err(illegal()),
    };
    let pin = made(c)?;
    let r = c.make(class, NativeState::Pin(pin))?;
    super::reference(r)
}

/// Sets the try limit or the tries that are left; they are 1 at least, and the limit at most.
fn counted(c: &mut Call<'_>, change: impl FnOnce(&mut Pin)) -> Answer {
    let mut pin = get(c)?;
    change(&mut pin);
    let (limit, left) = (pin.limit.cast_signed(), pin.left.cast_signed());
    if limit < 1 || left < 0 || left > limit {
        return Err(illegal());
    }
    pin.validated = false;
    c.set_state(c.this, NativeState::Pin(pin))?;
    Ok(None)
}

fn validated(c: &mut Call<'_>, flag: bool) -> Answer {
    let mut pin = get(c)?;
    pin.validated = flag;
    c.set_volatile(c.this, NativeState::Pin(pin))?;
    Ok(None)
}

/// The try counter is decremented durably before the comparison, whatever transaction is open (API,
/// OwnerPIN.check).
fn check(c: &mut Call<'_>) -> Answer {
    let mut pin = get(c)?;
    pin.validated = false;
    c.set_volatile(c.this, NativeState::Pin(pin.clone()))?;
    if pin.left == 0 {
        return boolean(false);
    }
    let context = c.vm.object(c.this)?.owner.context;
    pin.left -= 1;
    c.vm.write_now(c.host, context, 1)?;
    c.set_volatile(c.this, NativeState::Pin(pin.clone()))?;
    let length = i16::from(c.byte(2)?.cast_signed());
    let given = c.vm.read(c.caller, c.reference(0)?, c.short(1)?, length)?;
    // An empty PIN value is one that was never set.
    let right = !pin.value.is_empty() && bool::from(given.ct_eq(&pin.value));
    if right {
        pin.left = pin.limit;
        pin.validated = true;
        c.vm.write_now(c.host, context, 1)?;
        c.set_volatile(c.this, NativeState::Pin(pin))?;
    }
    boolean(right)
}

/// The try counter takes no part in a transaction (API, OwnerPIN.resetAndUnblock).
fn unblock(c: &mut Call<'_>) -> Answer {
    let mut pin = get(c)?;
    let context = c.vm.object(c.this)?.owner.context;
    pin.validated = false;
    pin.left = pin.limit;
    c.vm.write_now(c.host, context, 1)?;
    c.set_volatile(c.this, NativeState::Pin(pin))?;
    Ok(None)
}

fn update(c: &mut Call<'_>) -> Answer {
    let mut pin = get(c)?;
    let length = c.byte(2)?;
    if length > pin.max_size {
        return Err(illegal());
    }
    let value =
        c.vm.read(c.caller, c.reference(0)?, c.short(1)?, length.into())?;
    pin.value = value.to_vec();
    pin.left = pin.limit;
    pin.validated = false;
    c.set_state(c.this, NativeState::Pin(pin))?;
    Ok(None)
}
