//! `ViewHandler`, `EditHandler` and their BER-TLV forms: the TLV lists of all handlers.

use super::{
    Answer, BUILT, ENVELOPE, ENVELOPE_RESPONSE, PROACTIVE, RESPONSE, VOID, accessible, contents,
    copy_out, given, length, not_supported, short,
};
use crate::card::World;
use crate::toolkit::Reason;
use crate::toolkit::handler::{Found, part};
use crate::vm::{Fault, NativeCall, Vm};
use applet_model::cat::{Ber, wrap_ber};

pub(super) fn call(world: &mut World, vm: &mut Vm, call: &NativeCall, tag: u32) -> Answer {
    let found = |found: Found| short(found as i16);
    let byte = |i: usize| call.short(i).map(|value| value.to_be_bytes()[1]);
    match (call.method, call.descriptor) {
        ("getLength", _) => length(contents(world, tag)?.bytes().len()),
        ("getCapacity", _) => length(contents(world, tag)?.capacity()),
        ("copy", _) => {
            accessible(vm, call, 0, call.short(2)?)?;
            let bytes = part(contents(world, tag)?.bytes(), 0, call.short(2)?)?.to_vec();
            copy_out(world, vm, call, 0, &bytes)
        }
        ("findTLV", _) => found(contents(world, tag)?.find(byte(0)?, byte(1)?)?),
        ("getValueLength", _) => length(contents(world, tag)?.value()?.len()),
        ("getValueByte", _) => {
            let value = contents(world, tag)?.part(call.short(0)?, 1)?;
            short(i16::from(value.first().copied().unwrap_or(0).cast_signed()))
        }
        ("getValueShort", _) => match contents(world, tag)?.part(call.short(0)?, 2)? {
            [hi, lo] => short(i16::from_be_bytes([*hi, *lo])),
            _ => Err(Reason::OutOfTlvBoundaries.into()),
        },
        ("copyValue", _) => {
            accessible(vm, call, 1, call.short(3)?)?;
            let bytes = contents(world, tag)?
                .part(call.short(0)?, call.short(3)?)?
                .to_vec();
            copy_out(world, vm, call, 1, &bytes)
        }
        ("compareValue", _) => {
            accessible(vm, call, 1, call.short(3)?)?;
            let bytes = contents(world, tag)?
                .part(call.short(0)?, call.short(3)?)?
                .to_vec();
            compare(vm, call, 1, &bytes)
        }
        ("findAndCopyValue", "(B[BS)S") => {
            accessible(vm, call, 1, 0)?;
            let bytes = contents(world, tag)?.first(byte(0)?)?.to_vec();
            copy_out(world, vm, call, 1, &bytes)
        }
        ("findAndCopyValue", _) => {
            accessible(vm, call, 3, call.short(5)?)?;
            let bytes = found_part(world, call, tag)?;
            copy_out(world, vm, call, 3, &bytes)
        }
        ("findAndCompareValue", "(B[BS)B") => {
            accessible(vm, call, 1, 0)?;
            let bytes = contents(world, tag)?.first(byte(0)?)?.to_vec();
            compare(vm, call, 1, &bytes)
        }
        ("findAndCompareValue", _) => {
            accessible(vm, call, 3, call.short(5)?)?;
            let bytes = found_part(world, call, tag)?;
            compare(vm, call, 3, &bytes)
        }
        ("getTag" | "getSize" | "setTag", _) => ber(world, call, tag),
        ("clear", _) if editable(tag) => {
            contents(world, tag)?.clear();
            VOID
        }
        ("appendArray", _) if editable(tag) => {
            let bytes = given(vm, call, 0)?;
            contents(world, tag)?.append(&bytes)?;
            VOID
        }
        ("appendTLV", descriptor) if editable(tag) => {
            let value = match descriptor {
                "(B[BSS)V" => given(vm, call, 1)?,
                "(BB)V" => vec![byte(1)?],
                "(BS)V" => call.short(1)?.to_be_bytes().to_vec(),
                "(BBB)V" => vec![byte(1)?, byte(2)?],
                "(BBS)V" => [&[byte(1)?][..], &call.short(2)?.to_be_bytes()].concat(),
                "(BSS)V" => [call.short(1)?.to_be_bytes(), call.short(2)?.to_be_bytes()].concat(),
                "(BB[BSS)V" => [vec![byte(1)?], given(vm, call, 2)?].concat(),
                "(B[BSS[BSS)V" => [given(vm, call, 1)?, given(vm, call, 4)?].concat(),
                _ => return Err(not_supported(call)),
            };
            contents(world, tag)?.append_tlv(byte(0)?, &[&value])?;
            VOID
        }
        _ => match tag {
            PROACTIVE => super::proactive::call(world, vm, call),
            RESPONSE => super::response::proactive(world, vm, call),
            ENVELOPE => super::response::envelope(world, call),
            ENVELOPE_RESPONSE => super::response::post(world, call),
            _ => Err(not_supported(call)),
        },
    }
}

/// `(tag, occurrence, valueOffset, …, …, length)`: the found TLV's part.
fn found_part(world: &mut World, call: &NativeCall, tag: u32) -> Result<Vec<u8>, Fault> {
    let byte = |i: usize| call.short(i).map(|value| value.to_be_bytes()[1]);
    let (offset, length) = (call.short(2)?, call.short(5)?);
    let handler = contents(world, tag)?;
    handler.find(byte(0)?, byte(1)?)?;
    Ok(handler.part(offset, length)?.to_vec())
}

fn compare(vm: &Vm, call: &NativeCall, at: usize, bytes: &[u8]) -> Answer {
    let length = i16::try_from(bytes.len()).unwrap_or(i16::MAX);
    let other = vm.read(
        call.caller,
        call.reference(at)?,
        call.short(at + 1)?,
        length,
    )?;
    // Java's bytes are signed.
    let signed = |bytes: &[u8]| -> Vec<i8> { bytes.iter().map(|b| b.cast_signed()).collect() };
    short(signed(bytes).cmp(&signed(other)) as i16)
}

/// Handlers that have the methods of `EditHandler`.
fn editable(tag: u32) -> bool {
    matches!(tag, PROACTIVE | ENVELOPE_RESPONSE | BUILT..)
}

/// Methods of `BERTLVViewHandler` and `BERTLVEditHandler`: the template around the list.
fn ber(world: &mut World, call: &NativeCall, tag: u32) -> Answer {
    if call.method == "setTag" {
        let value = call.short(0)?.to_be_bytes()[1];
        let built = world.toolkit.objects.built.get_mut(&tag);
        built.ok_or(Reason::HandlerNotAvailable)?.ber = Some(value);
        return VOID;
    }
    let list = contents(world, tag)?.bytes().len();
    let template = match tag {
        ENVELOPE => {
            let current = world.toolkit.session.current.as_ref();
            current
                .and_then(|current| current.envelope.as_ref())
                .map(|(template, _)| *template)
        }
        _ => world
            .toolkit
            .objects
            .built
            .get(&tag)
            .and_then(|built| built.ber),
    };
    let template = template.ok_or(Reason::UnavailableElement)?;
    match call.method {
        "getTag" => short(i16::from(template.cast_signed())),
        _ => length(wrap_ber(Ber(template), &vec![0; list]).len()),
    }
}
