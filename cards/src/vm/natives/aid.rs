//! `javacard.framework.AID`.

use super::{Answer, Call, NativeFn, boolean, short};
use crate::vm::error::{Fault, Throw, system};
use crate::vm::native_state::NativeState;
use crate::vm::value::Ref;

pub(super) fn find(method: &str, descriptor: &str) -> Option<NativeFn> {
    Some(match (method, descriptor) {
        ("<init>", "([BSB)V") => new,
        ("equals", "(Ljava/lang/Object;)Z") => equals,
        ("equals", "([BSB)Z") => equals_bytes,
        ("partialEquals", "([BSB)Z") => partial_equals,
        ("RIDEquals", _) => rid_equals,
        ("getBytes", "([BS)B") => get_bytes,
        ("getPartialBytes", "(S[BSB)B") => get_partial_bytes,
        _ => return None,
    })
}

/// Array, offset and a byte as length, from argument `i`.
fn given(c: &Call<'_>, i: usize) -> Result<Vec<u8>, Fault> {
    let length = i16::from(c.byte(i + 2)?.cast_signed());
    Ok(c.vm
        .read(c.caller, c.reference(i)?, c.short(i + 1)?, length)?
        .to_vec())
}

fn own(c: &Call<'_>) -> Result<Vec<u8>, Fault> {
    c.vm.aid_bytes(c.this)
        .map(<[u8]>::to_vec)
        .ok_or_else(|| c.unconstructed())
}

fn other(c: &Call<'_>, r: Ref) -> Option<Vec<u8>> {
    c.vm.accessible(c.caller, r).ok()?;
    c.vm.aid_bytes(r).map(<[u8]>::to_vec)
}

fn new(c: &mut Call<'_>) -> Answer {
    let bytes = given(c, 0)?;
    if !(5..=16).contains(&bytes.len()) {
        return Err(Throw::system(system::ILLEGAL_VALUE).into());
    }
    c.set_state(c.this, NativeState::Aid(bytes))?;
    Ok(None)
}

fn equals(c: &mut Call<'_>) -> Answer {
    let r = c.reference(0)?;
    let own = own(c)?;
    boolean(!r.is_null() && other(c, r) == Some(own))
}

fn equals_bytes(c: &mut Call<'_>) -> Answer {
    if c.reference(0)?.is_null() {
        return boolean(false);
    }
    boolean(own(c)? == given(c, 0)?)
}

fn partial_equals(c: &mut Call<'_>) -> Answer {
    if c.reference(0)?.is_null() {
        return boolean(false);
    }
    boolean(own(c)?.starts_with(&given(c, 0)?))
}

fn rid_equals(c: &mut Call<'_>) -> Answer {
    let r = c.reference(0)?;
    let own = own(c)?;
    let other = if r.is_null() { None } else { other(c, r) };
    boolean(other.is_some_and(|o| o.get(..5) == own.get(..5)))
}

fn get_bytes(c: &mut Call<'_>) -> Answer {
    let own = own(c)?;
    c.output(0, &own)
}

fn get_partial_bytes(c: &mut Call<'_>) -> Answer {
    let own = own(c)?;
    let from = usize::try_from(c.short(0)?).map_err(|_| Throw::bounds())?;
    let rest = own.get(from..).ok_or_else(Throw::bounds)?;
    let part = match usize::from(c.byte(3)?) {
        0 => rest,
        n => rest.get(..n).ok_or_else(Throw::bounds)?,
    };
    c.store(1, part)?;
    short(i16::try_from(part.len()).unwrap_or(0))
}
