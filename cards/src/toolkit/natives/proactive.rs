//! `ProactiveHandler`: commands to the terminal.

use super::{Answer, PROACTIVE, VOID, contents, given, not_supported};
use crate::card::World;
use crate::gp::registry::Aid;
use crate::toolkit::handler::{tag, without_number};
use crate::toolkit::{Proactive, Reason, Sender};
use crate::vm::{Fault, NativeCall, Vm};
use applet_model::cat::{Ber, CommandType, Device, wrap_ber};
use applet_model::trace::Boundary;

/// Methods of `ProactiveHandler` beyond `EditHandler`.
pub(super) fn call(world: &mut World, vm: &mut Vm, call: &NativeCall) -> Answer {
    let byte = |i: usize| call.short(i).map(|value| value.to_be_bytes()[1]);
    match (call.method, call.descriptor) {
        ("init", _) => init(world, byte(0)?, byte(1)?, byte(2)?)?,
        ("initMoreTime", _) => init(world, CommandType::MORE_TIME.0, 0, Device::TERMINAL.0)?,
        ("initCloseChannel", _) => {
            let device = Device::from_channel(byte(0)?).ok_or(Reason::BadInputParameter)?;
            init(world, CommandType::CLOSE_CHANNEL.0, 0, device.0)?;
        }
        ("initDisplayText", _) => {
            let text = given(vm, call, 2)?;
            init(
                world,
                CommandType::DISPLAY_TEXT.0,
                byte(0)?,
                Device::DISPLAY.0,
            )?;
            append_text(world, byte(1)?, &text)?;
        }
        ("initGetInkey", _) => {
            let text = given(vm, call, 2)?;
            init(
                world,
                CommandType::GET_INKEY.0,
                byte(0)?,
                Device::TERMINAL.0,
            )?;
            append_text(world, byte(1)?, &text)?;
        }
        ("initGetInput", _) => {
            let text = given(vm, call, 2)?;
            init(
                world,
                CommandType::GET_INPUT.0,
                byte(0)?,
                Device::TERMINAL.0,
            )?;
            append_text(world, byte(1)?, &text)?;
            let bounds = [byte(5)?, byte(6)?];
            contents(world, PROACTIVE)?.append_tlv(tag::RESPONSE_LENGTH | 0x80, &[&bounds])?;
        }
        ("send", _) => return Err(send(world)),
        _ => return Err(not_supported(call)),
    }
    VOID
}

/// Clears the handler and begins a command: command details and device identities, source UICC.
fn init(world: &mut World, kind: u8, qualifier: u8, destination: u8) -> Result<(), Reason> {
    let handler = contents(world, PROACTIVE)?;
    handler.clear();
    handler.append_tlv(
        tag::COMMAND_DETAILS | 0x80,
        &[&[super::super::COMMAND_NUMBER, kind, qualifier]],
    )?;
    handler.append_tlv(
        tag::DEVICE_IDENTITIES | 0x80,
        &[&[Device::UICC.0, destination]],
    )
}

/// A text string; without a text it has no coding scheme either (ETSI TS 102 223 8.15).
fn append_text(world: &mut World, coding: u8, text: &[u8]) -> Result<(), Reason> {
    let coding: &[u8] = if text.is_empty() { &[] } else { &[coding] };
    contents(world, PROACTIVE)?.append_tlv(tag::TEXT_STRING | 0x80, &[coding, text])
}

/// `send()`: the command becomes the one that FETCH gives out, and the thread waits for the terminal's response.
///
/// An open transaction is aborted (ETSI TS 102 241 6.5): by the card, which has the thread.
fn send(world: &mut World) -> Fault {
    let list = match contents(world, PROACTIVE) {
        Err(reason) => return reason.into(),
        Ok(handler) => handler.bytes().to_vec(),
    };
    let Some(activation) = &world.toolkit.session.current else {
        return Reason::HandlerNotAvailable.into();
    };
    let aid = activation.aid.clone();
    if let Err(reason) = allowed(world, &aid) {
        world.record(&aid, Boundary::SendRefused);
        return reason.into();
    }
    world.record(&aid, Boundary::Proactive(without_number(&list)));
    // The ENVELOPE is answered when the terminal is to fetch a command.
    if let Some(current) = world.toolkit.session.current.as_mut() {
        current.answers = false;
    }
    world.toolkit.session.proactive = Some(Proactive {
        command: wrap_ber(Ber::PROACTIVE_COMMAND, &list),
        sender: Sender::Applet,
        tells: None,
        fetched: false,
    });
    Fault::Suspend
}

/// Commands that the framework keeps to itself, and resources that are another applet's (ETSI TS 102 241
/// 6.6, 6.9, 6.10).
fn allowed(world: &World, aid: &Aid) -> Result<(), Reason> {
    let refused = Err(Reason::CommandNotAllowed);
    let toolkit = &world.toolkit;
    let handler = &toolkit.session.handler;
    let Some([_, kind, _]) = handler.peek(tag::COMMAND_DETAILS) else {
        return Err(Reason::UnavailableElement);
    };
    let Some([_, destination]) = handler.peek(tag::DEVICE_IDENTITIES) else {
        return Err(Reason::UnavailableElement);
    };
    match CommandType(*kind) {
        CommandType::SET_UP_MENU
        | CommandType::SET_UP_EVENT_LIST
        | CommandType::POLL_INTERVAL
        | CommandType::POLLING_OFF => refused,
        CommandType::TIMER_MANAGEMENT => match handler.peek(tag::TIMER_IDENTIFIER) {
            Some([id]) if toolkit.timer_owner(*id) == Some(aid) => Ok(()),
            _ => refused,
        },
        CommandType::DECLARE_SERVICE => match handler.peek(tag::SERVICE_RECORD) {
            Some([_, id, ..]) if toolkit.service_owner(*id) == Some(aid) => Ok(()),
            _ => refused,
        },
        CommandType::OPEN_CHANNEL => {
            let most = toolkit
                .entry(aid)
                .map_or(0, |entry| entry.parameters.channels);
            let open = toolkit
                .session
                .channels
                .iter()
                .filter(|channel| channel.owner == *aid)
                .count();
            if open < usize::from(most) {
                Ok(())
            } else {
                refused
            }
        }
        CommandType::CLOSE_CHANNEL | CommandType::SEND_DATA | CommandType::RECEIVE_DATA => {
            match Device(*destination).as_channel() {
                Some(id) if toolkit.channel_owner(id) == Some(aid) => Ok(()),
                _ => refused,
            }
        }
        _ => Ok(()),
    }
}
