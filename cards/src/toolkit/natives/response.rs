//! What came from the terminal and what goes back: `ProactiveResponseHandler`, `EnvelopeHandler`,
//! `EnvelopeResponseHandler`.

use super::{
    Answer, ENVELOPE, ENVELOPE_RESPONSE, RESPONSE, VOID, accessible, contents, copy_out, length,
    not_supported, short,
};
use crate::card::World;
use crate::toolkit::handler::{Found, Handler, part, tag};
use crate::toolkit::{Posted, REPLY_CAPACITY, Reason, event};
use crate::vm::{NativeCall, Throw, Vm};
use applet_model::cat::{Ber, wrap_ber};

/// Reason of `javacard.framework.APDUException`.
const BAD_LENGTH: i16 = 3;

/// Methods of `ProactiveResponseHandler` beyond `ViewHandler`. They select the TLV that they read.
pub(super) fn proactive(world: &mut World, vm: &mut Vm, call: &NativeCall) -> Answer {
    match call.method {
        "copyAdditionalInformation" | "copyChannelData" => {
            accessible(vm, call, 0, call.short(2)?)?;
        }
        "copyTextString" => accessible(vm, call, 0, 0)?,
        _ => {}
    }
    let handler = contents(world, RESPONSE)?;
    let behind_first = |value: &[u8]| match value.split_first() {
        Some((_, rest)) => Ok(rest.to_vec()),
        None => Err(Reason::OutOfTlvBoundaries),
    };
    let first = |value: &[u8]| value.first().copied().ok_or(Reason::OutOfTlvBoundaries);
    match call.method {
        "getGeneralResult" => short(i16::from(first(handler.first(tag::RESULT)?)?.cast_signed())),
        "getAdditionalInformationLength" => {
            length(behind_first(handler.first(tag::RESULT)?)?.len())
        }
        "copyAdditionalInformation" => {
            let all = behind_first(handler.first(tag::RESULT)?)?;
            let bytes = part(&all, 0, call.short(2)?)?.to_vec();
            copy_out(world, vm, call, 0, &bytes)
        }
        "getItemIdentifier" => short(i16::from(
            first(handler.first(tag::ITEM_IDENTIFIER)?)?.cast_signed(),
        )),
        "getTextStringLength" => length(handler.first(tag::TEXT_STRING)?.len().saturating_sub(1)),
        "getTextStringCodingScheme" => short(i16::from(
            first(handler.first(tag::TEXT_STRING)?)?.cast_signed(),
        )),
        "copyTextString" => {
            // An empty text has no coding scheme either.
            let text = handler.first(tag::TEXT_STRING)?;
            let bytes = text.get(1..).unwrap_or_default().to_vec();
            copy_out(world, vm, call, 0, &bytes)
        }
        "getChannelIdentifier" => short(i16::from(
            first(handler.first(tag::CHANNEL_STATUS)?)? & 0x07,
        )),
        "getChannelStatus" => channel_status(handler, call.short(0)?),
        "copyChannelData" => {
            let bytes = part(handler.first(tag::CHANNEL_DATA)?, 0, call.short(2)?)?.to_vec();
            copy_out(world, vm, call, 0, &bytes)
        }
        _ => Err(not_supported(call)),
    }
}

/// `getChannelStatus(id)`: the two status bytes of that channel, whose TLV becomes the selected one.
fn channel_status(handler: &mut Handler, id: i16) -> Answer {
    for occurrence in 1..=u8::MAX {
        if handler.find(tag::CHANNEL_STATUS, occurrence)? == Found::Not {
            break;
        }
        match handler.value()? {
            [] => {}
            [hi, ..] if i16::from(hi & 0x07) != id => {}
            [_] => return Err(Reason::OutOfTlvBoundaries.into()),
            [hi, lo, ..] => return short(i16::from_be_bytes([*hi, *lo])),
        }
    }
    Err(Reason::UnavailableElement.into())
}

/// Methods of `EnvelopeHandler` beyond `ViewHandler`.
pub(super) fn envelope(world: &mut World, call: &NativeCall) -> Answer {
    let handler = contents(world, ENVELOPE)?;
    let first = |value: &[u8]| value.first().copied().ok_or(Reason::OutOfTlvBoundaries);
    match call.method {
        "getItemIdentifier" => short(i16::from(
            first(handler.first(tag::ITEM_IDENTIFIER)?)?.cast_signed(),
        )),
        "getChannelIdentifier" => short(i16::from(
            first(handler.first(tag::CHANNEL_STATUS)?)? & 0x07,
        )),
        "getChannelStatus" => channel_status(handler, call.short(0)?),
        _ => Err(not_supported(call)),
    }
}

/// Methods of `EnvelopeResponseHandler` beyond `EditHandler`: the answer to the ENVELOPE, once.
pub(super) fn post(world: &mut World, call: &NativeCall) -> Answer {
    let mut data = contents(world, ENVELOPE_RESPONSE)?.bytes().to_vec();
    match call.method {
        "post" => {}
        "postAsBERTLV" => {
            let [_, tag] = call.short(1)?.to_be_bytes();
            data = wrap_ber(Ber(tag), &data);
        }
        _ => return Err(not_supported(call)),
    }
    if data.len() > REPLY_CAPACITY {
        return Err(Throw::new("javacard/framework/APDUException", BAD_LENGTH).into());
    }
    let session = &mut world.toolkit.session;
    let event = session.current.as_ref().map(|current| current.event);
    // A call's control is always answered with success (ETSI TS 102 221 11.2.2).
    let success = call.short(0)? != 0 || event == Some(event::CALL_CONTROL_BY_NAA);
    session.posted = Some(Posted { data, success });
    VOID
}
