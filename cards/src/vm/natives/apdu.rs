//! `javacard.framework.APDU`, with the states of the API. The transport below gives and takes whole
//! APDUs; to the applet it looks like T=0, with extended lengths if the applet takes them.

use super::{Answer, Call, NativeFn, boolean, clipped, reference, short};
use crate::vm::apdu::ApduState;
use crate::vm::error::{Fault, Throw};
use crate::vm::value::{Context, Ref};

const STATE_INITIAL: i8 = 0;
const STATE_PARTIAL_INCOMING: i8 = 1;
const STATE_FULL_INCOMING: i8 = 2;
const STATE_OUTGOING: i8 = 3;
const STATE_OUTGOING_LENGTH_KNOWN: i8 = 4;
const STATE_PARTIAL_OUTGOING: i8 = 5;
const STATE_FULL_OUTGOING: i8 = 6;

const ILLEGAL_USE: i16 = 1;
const BUFFER_BOUNDS: i16 = 2;
const BAD_LENGTH: i16 = 3;

pub(super) fn find(method: &str, descriptor: &str) -> Option<NativeFn> {
    let _ = descriptor;
    Some(match method {
        "getInBlockSize" => |_| short(1),
        "getOutBlockSize" => |_| short(258),
        "getProtocol" => |_| short(0),
        "getCurrentAPDU" => |c| {
            current(c)?;
            reference(c.vm.s.apdu)
        },
        "getCurrentAPDUBuffer" => |c| {
            current(c)?;
            reference(c.vm.s.apdu_buffer)
        },
        "getBuffer" => |c| reference(c.vm.s.apdu_buffer),
        "getCLAChannel" => |c| {
            let channel = channel(state(c)?.header[0]);
            short(channel.into())
        },
        "waitExtension" => |c| {
            // The host below needs no procedure byte; the rule is the API's.
            if state(c)?.no_chaining {
                return Err(exception(ILLEGAL_USE));
            }
            Ok(None)
        },
        "getNAD" => |_| short(0),
        "setIncomingAndReceive" => set_incoming_and_receive,
        "receiveBytes" => receive_bytes,
        "getIncomingLength" => |c| {
            let s = received_something(c)?;
            clipped(s.incoming.len())
        },
        "getOffsetCdata" => |c| {
            let s = received_something(c)?;
            clipped(s.data_offset())
        },
        "setOutgoing" => set_outgoing,
        "setOutgoingNoChaining" => |c| {
            let expected = set_outgoing(c)?;
            state_mut(c)?.no_chaining = true;
            Ok(expected)
        },
        "setOutgoingLength" => set_outgoing_length,
        "sendBytes" => |c| {
            let (offset, length) = (c.short(0)?, c.short(1)?);
            let buffer = c.vm.s.apdu_buffer;
            send(c, buffer, offset, length)
        },
        "sendBytesLong" => |c| {
            let (array, offset, length) = (c.reference(0)?, c.short(1)?, c.short(2)?);
            c.vm.accessible(c.caller, array)?;
            send(c, array, offset, length)
        },
        "setOutgoingAndSend" => set_outgoing_and_send,
        "getCurrentState" => |c| short(state(c)?.state.into()),
        "isCommandChainingCLA" => |c| boolean(interindustry(c)? && state(c)?.header[0] & 0x10 != 0),
        "isSecureMessagingCLA" => |c| {
            let cla = state(c)?.header[0];
            boolean(if cla & 0x40 != 0 {
                cla & 0x20 != 0
            } else {
                cla & 0x0C != 0
            })
        },
        "isISOInterindustryCLA" => |c| boolean(interindustry(c)?),
        // 001X XXXX is reserved, FF is invalid (ISO 7816-4, 5.4.1).
        "isValidCLA" => |c| {
            let cla = state(c)?.header[0];
            boolean(cla >> 5 != 1 && cla != 0xFF)
        },
        _ => return None,
    })
}

fn exception(reason: i16) -> Fault {
    Throw::new("javacard/framework/APDUException", reason).into()
}

/// The APDU that is being processed. Outside process() there is none, and its use is refused.
fn state<'a>(c: &'a Call<'_>) -> Result<&'a ApduState, Fault> {
    c.thread
        .apdu
        .as_ref()
        .ok_or_else(|| Throw::security().into())
}

/// The same for the static methods: only the applet that the command went to may ask (API,
/// getCurrentAPDU).
fn current(c: &Call<'_>) -> Result<(), Fault> {
    state(c)?;
    let selected = c.thread.instance.and_then(|id| c.vm.s.instances.get(&id));
    match selected {
        Some(selected) if c.caller.context == Context::Package(selected.package) => Ok(()),
        _ => Err(Throw::security().into()),
    }
}

fn state_mut<'a>(c: &'a mut Call<'_>) -> Result<&'a mut ApduState, Fault> {
    c.thread
        .apdu
        .as_mut()
        .ok_or_else(|| Throw::security().into())
}

/// Logical channel of a class byte (ISO 7816-4, 5.4.1).
fn channel(cla: u8) -> u8 {
    if cla & 0x40 != 0 {
        4 + (cla & 0x0F)
    } else {
        cla & 0x03
    }
}

fn interindustry(c: &Call<'_>) -> Result<bool, Fault> {
    Ok(state(c)?.header[0] & 0x80 == 0)
}

fn received_something<'a>(c: &'a Call<'_>) -> Result<&'a ApduState, Fault> {
    let s = state(c)?;
    if s.state == STATE_INITIAL || s.state >= STATE_OUTGOING {
        return Err(exception(ILLEGAL_USE));
    }
    Ok(s)
}

/// Moves the next part of the command data into the buffer.
fn receive(c: &mut Call<'_>, offset: i16) -> Answer {
    let buffer = c.vm.s.apdu_buffer;
    let at = usize::try_from(offset).map_err(|_| exception(BUFFER_BOUNDS))?;
    let room = c.vm.bytes(buffer)?.len().saturating_sub(at);
    let s = state_mut(c)?;
    let rest = s.incoming.get(s.received..).unwrap_or(&[]);
    if room == 0 && !rest.is_empty() {
        return Err(exception(BUFFER_BOUNDS));
    }
    let part = rest.get(..room.min(rest.len())).unwrap_or(&[]).to_vec();
    s.received += part.len();
    s.state = if s.received == s.incoming.len() {
        STATE_FULL_INCOMING
    } else {
        STATE_PARTIAL_INCOMING
    };
    let slot = c.vm.bytes_mut(buffer)?.get_mut(at..at + part.len());
    slot.ok_or_else(|| exception(BUFFER_BOUNDS))?
        .copy_from_slice(&part);
    clipped(part.len())
}

fn set_incoming_and_receive(c: &mut Call<'_>) -> Answer {
    let s = state(c)?;
    if s.state != STATE_INITIAL {
        return Err(exception(ILLEGAL_USE));
    }
    let offset = i16::try_from(s.data_offset()).unwrap_or(i16::MAX);
    receive(c, offset)
}

fn receive_bytes(c: &mut Call<'_>) -> Answer {
    let s = received_something(c)?;
    if s.state == STATE_FULL_INCOMING {
        return short(0);
    }
    let offset = c.short(0)?;
    if offset < 0 {
        return Err(exception(BUFFER_BOUNDS));
    }
    receive(c, offset)
}

fn set_outgoing(c: &mut Call<'_>) -> Answer {
    let s = state_mut(c)?;
    if s.state >= STATE_OUTGOING {
        return Err(exception(ILLEGAL_USE));
    }
    s.state = STATE_OUTGOING;
    let expected = match s.le {
        Some(le) => usize::try_from(le).unwrap_or(usize::MAX).min(s.most()),
        // T=0: a case 3 command may still answer by 61xx.
        None if s.incoming.is_empty() => 0,
        None => 256,
    };
    clipped(expected)
}

fn set_outgoing_length(c: &mut Call<'_>) -> Answer {
    let length = c.short(0)?;
    let s = state_mut(c)?;
    if s.state != STATE_OUTGOING {
        return Err(exception(ILLEGAL_USE));
    }
    s.to_send = outgoing_length(s, length)?;
    s.state = STATE_OUTGOING_LENGTH_KNOWN;
    Ok(None)
}

/// A length of response data that the API allows.
fn outgoing_length(s: &ApduState, length: i16) -> Result<usize, Fault> {
    let length = usize::try_from(length).ok().filter(|n| *n <= s.most());
    length.ok_or_else(|| exception(BAD_LENGTH))
}

fn send(c: &mut Call<'_>, array: Ref, offset: i16, length: i16) -> Answer {
    let data = c.vm.bytes(array)?;
    let range = crate::vm::arrays::range(offset, length, data.len())
        .map_err(|_| exception(BUFFER_BOUNDS))?;
    let part = data.get(range).unwrap_or(&[]).to_vec();
    let s = state_mut(c)?;
    if !matches!(
        s.state,
        STATE_OUTGOING_LENGTH_KNOWN | STATE_PARTIAL_OUTGOING
    ) || part.len() > s.to_send
    {
        return Err(exception(ILLEGAL_USE));
    }
    s.to_send -= part.len();
    s.outgoing.extend_from_slice(&part);
    s.state = if s.to_send == 0 {
        STATE_FULL_OUTGOING
    } else {
        STATE_PARTIAL_OUTGOING
    };
    Ok(None)
}

fn set_outgoing_and_send(c: &mut Call<'_>) -> Answer {
    let (offset, length) = (c.short(0)?, c.short(1)?);
    set_outgoing(c)?;
    let s = state_mut(c)?;
    s.to_send = outgoing_length(s, length)?;
    s.state = STATE_OUTGOING_LENGTH_KNOWN;
    let buffer = c.vm.s.apdu_buffer;
    send(c, buffer, offset, length)
}
