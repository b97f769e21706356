//! `javacard.framework.Util`.

use super::{Answer, Call, NativeFn, short};
use crate::vm::error::{Fault, Throw};
use crate::vm::heap::Storage;
use crate::vm::tx::reason;
use crate::vm::value::Ref;
use std::cmp::Ordering;

pub(super) fn find(method: &str, descriptor: &str) -> Option<NativeFn> {
    let _ = descriptor;
    Some(match method {
        "arrayCopy" => array_copy,
        "arrayCopyNonAtomic" => array_copy_non_atomic,
        "arrayFillNonAtomic" => array_fill_non_atomic,
        "arrayFill" => array_fill,
        "arrayCompare" => array_compare,
        "makeShort" => |c| short(i16::from_be_bytes([c.byte(0)?, c.byte(1)?])),
        "getShort" => get_short,
        "setShort" => set_short,
        _ => return None,
    })
}

/// Where an operation on `length` bytes at `offset` ends. The range was checked.
fn after(offset: i16, length: i16) -> Answer {
    short(offset.wrapping_add(length))
}

/// An atomic write outside a transaction has to fit the commit buffer as well.
fn fits(c: &Call<'_>, array: Ref, length: usize) -> Result<(), Fault> {
    let persistent = c.vm.object(array)?.storage == Storage::Persistent;
    if persistent && !c.vm.in_transaction() && length > c.vm.limits().commit {
        return Err(Throw::new(
            "javacard/framework/TransactionException",
            reason::BUFFER_FULL,
        )
        .into());
    }
    Ok(())
}

fn array_copy(c: &mut Call<'_>) -> Answer {
    let (source, from, length) = (c.reference(0)?, c.short(1)?, c.short(4)?);
    let data = c.vm.read(c.caller, source, from, length)?.to_vec();
    let (dest, to) = (c.reference(2)?, c.short(3)?);
    fits(c, dest, data.len())?;
    c.vm.write(c.host, c.caller, dest, to, &data)?;
    after(to, length)
}

fn array_copy_non_atomic(c: &mut Call<'_>) -> Answer {
    let (source, from, length) = (c.reference(0)?, c.short(1)?, c.short(4)?);
    let data = c.vm.read(c.caller, source, from, length)?.to_vec();
    let (dest, to) = (c.reference(2)?, c.short(3)?);
    c.vm.write_non_atomic(c.host, c.caller, dest, to, &data)?;
    after(to, length)
}

fn array_fill_non_atomic(c: &mut Call<'_>) -> Answer {
    let (array, offset, length) = (c.reference(0)?, c.short(1)?, c.short(2)?);
    let size = usize::try_from(length).map_err(|_| Throw::bounds())?;
    let data = vec![c.byte(3)?; size];
    c.vm.write_non_atomic(c.host, c.caller, array, offset, &data)?;
    after(offset, length)
}

fn array_fill(c: &mut Call<'_>) -> Answer {
    let (array, offset, length) = (c.reference(0)?, c.short(1)?, c.short(2)?);
    let size = usize::try_from(length).map_err(|_| Throw::bounds())?;
    let data = vec![c.byte(3)?; size];
    c.vm.writable(c.caller, array, offset, size)?;
    fits(c, array, size)?;
    c.vm.write(c.host, c.caller, array, offset, &data)?;
    after(offset, length)
}

fn array_compare(c: &mut Call<'_>) -> Answer {
    let length = c.short(4)?;
    let a = c.vm.read(c.caller, c.reference(0)?, c.short(1)?, length)?;
    let b = c.vm.read(c.caller, c.reference(2)?, c.short(3)?, length)?;
    let signed = |v: &u8| v.cast_signed();
    short(match a.iter().map(signed).cmp(b.iter().map(signed)) {
        Ordering::Less => -1,
        Ordering::Equal => 0,
        Ordering::Greater => 1,
    })
}

fn get_short(c: &mut Call<'_>) -> Answer {
    let bytes = c.vm.read(c.caller, c.reference(0)?, c.short(1)?, 2)?;
    short(bytes.first_chunk().map_or(0, |b| i16::from_be_bytes(*b)))
}

fn set_short(c: &mut Call<'_>) -> Answer {
    let data = c.short(2)?.to_be_bytes();
    c.store(0, &data)?;
    after(c.short(1)?, 2)
}
