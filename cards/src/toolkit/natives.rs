//! The API's methods (`uicc.toolkit`, API 1.4) as the VM calls them.

use super::handler::tag;
use super::handler::{Found, part};
use super::{Activation, Handler, Proactive, Reason, Sender, handler, profile};
use crate::card::World;
use crate::gp::registry::Aid;
use crate::vm::{Access, Fault, NativeCall, Owner, Ref, Throw, Value, Vm, VmError};
use applet_model::cat::{Ber, CommandType, Device, wrap_ber};
use applet_model::trace::Boundary;

/// Tags of the framework's native objects ([`Vm::new_native`]).
const PROACTIVE: u32 = 1;
const RESPONSE: u32 = 2;
const ENVELOPE: u32 = 3;
const ENVELOPE_RESPONSE: u32 = 4;
const REGISTRY: u32 = 5;

const COMMAND_NUMBER: u8 = 1;
/// Reason of `javacard.framework.TransactionException`: a transaction is in progress.
const TRANSACTION_IN_PROGRESS: i16 = 1;

type Answer = Result<Option<Value>, Fault>;

fn short(value: i16) -> Answer {
    Ok(Some(Value::Short(value)))
}

fn length(bytes: usize) -> Answer {
    short(i16::try_from(bytes).unwrap_or(i16::MAX))
}

const VOID: Answer = Ok(None);

/// The applet instance that called.
pub(crate) fn caller(world: &World, vm: &Vm, call: &NativeCall) -> Result<Aid, Fault> {
    let instance = call.caller.instance.and_then(|id| vm.instance(id));
    let aid = instance
        .and_then(|instance| Aid::new(&instance.aid))
        .or_else(|| world.installing.clone());
    aid.ok_or_else(|| Throw::security().into())
}

fn not_supported(call: &NativeCall) -> Fault {
    VmError::NotSupported(call.name()).into()
}

/// A method of `uicc.toolkit`.
pub(crate) fn native(world: &mut World, vm: &mut Vm, call: &NativeCall) -> Answer {
    match call.this {
        None => statics(world, vm, call),
        Some(this) => match vm.native_tag(this) {
            Some(REGISTRY) => registry(world, vm, call),
            Some(tag @ PROACTIVE..=ENVELOPE_RESPONSE) => on_handler(world, vm, call, tag),
            _ => Err(not_supported(call)),
        },
    }
}

fn statics(world: &mut World, vm: &mut Vm, call: &NativeCall) -> Answer {
    match (call.class, call.method) {
        ("uicc/toolkit/TerminalProfile", _) => terminal_profile(world, vm, call),
        ("uicc/toolkit/ProactiveHandlerSystem", "getTheHandler") => {
            the_handler(world, vm, PROACTIVE)
        }
        ("uicc/toolkit/ProactiveResponseHandlerSystem", "getTheHandler") => {
            the_handler(world, vm, RESPONSE)
        }
        ("uicc/toolkit/EnvelopeHandlerSystem", "getTheHandler") => the_handler(world, vm, ENVELOPE),
        ("uicc/toolkit/EnvelopeResponseHandlerSystem", "getTheHandler") => {
            the_handler(world, vm, ENVELOPE_RESPONSE)
        }
        ("uicc/toolkit/ToolkitRegistrySystem", "getEntry") => registry_entry(world, vm, call),
        (
            "uicc/toolkit/ToolkitRegistrySystem",
            "isPrioritizedProactiveHandlerAvailableEventSet",
        ) => short(0),
        _ => Err(not_supported(call)),
    }
}

/// `getTheHandler()`: a temporary entry point object, if the handler is available (ETSI TS 102 241 6.6).
fn the_handler(world: &mut World, vm: &mut Vm, tag: u32) -> Answer {
    contents(world, tag)?;
    let class = match tag {
        PROACTIVE => "uicc/toolkit/ProactiveHandler",
        RESPONSE => "uicc/toolkit/ProactiveResponseHandler",
        _ => "uicc/toolkit/EnvelopeHandler",
    };
    let at = tag as usize - 1;
    let object = match world.toolkit.objects.handlers.get(at).copied().flatten() {
        Some(object) => object,
        None => {
            let object = vm.new_native(world, class, tag, Owner::JCRE, Access::Temporary)?;
            if let Some(slot) = world.toolkit.objects.handlers.get_mut(at) {
                *slot = Some(object);
            }
            object
        }
    };
    Ok(Some(Value::Ref(object)))
}

/// The contents of a handler, if it is available to the applet that runs.
fn contents(world: &mut World, tag: u32) -> Result<&mut Handler, Reason> {
    let session = &mut world.toolkit.session;
    let none = Reason::HandlerNotAvailable;
    let current = session.current.as_mut().ok_or(none)?;
    match tag {
        PROACTIVE if current.proactive && session.profile.is_some() => Ok(&mut session.handler),
        RESPONSE => current.response.as_mut().ok_or(none),
        ENVELOPE => current
            .envelope
            .as_mut()
            .map(|envelope| &mut envelope.1)
            .ok_or(none),
        // No event of this card takes a response to its envelope.
        _ => Err(none),
    }
}

/// The contents of a handler object that an applet hands over.
pub(crate) fn view_bytes(world: &mut World, vm: &Vm, handler: Ref) -> Result<Vec<u8>, Fault> {
    if handler.is_null() {
        return Err(Throw::null_pointer().into());
    }
    match vm.native_tag(handler) {
        Some(tag @ PROACTIVE..=ENVELOPE_RESPONSE) => Ok(contents(world, tag)?.bytes().to_vec()),
        _ => Err(Reason::HandlerNotAvailable.into()),
    }
}

fn registry_entry(world: &mut World, vm: &mut Vm, call: &NativeCall) -> Answer {
    let aid = caller(world, vm, call)?;
    let Some(entry) = world.toolkit.entry(&aid) else {
        // The applet was installed without toolkit parameters.
        return Err(Reason::RegistryError.into());
    };
    let object = match entry.object {
        Some(object) => object,
        None => vm.new_native(
            world,
            "uicc/toolkit/ToolkitRegistry",
            REGISTRY,
            Owner::JCRE,
            Access::Permanent,
        )?,
    };
    if let Some(entry) = world.toolkit.entry_mut(&aid) {
        entry.object = Some(object);
    }
    Ok(Some(Value::Ref(object)))
}

/// `ToolkitRegistry`: serves the applet to which the object was given.
fn registry(world: &mut World, vm: &Vm, call: &NativeCall) -> Answer {
    let gone = || Fault::from(Reason::RegistryError);
    let toolkit = &mut world.toolkit;
    let owner = toolkit
        .entries
        .iter()
        .find(|entry| entry.object.is_some() && entry.object == call.this);
    let aid = owner.ok_or_else(gone)?.aid.clone();
    match (call.method, call.descriptor) {
        ("setEvent", _) => {
            let event = call.short(0)?;
            let mut next = toolkit.entry(&aid).ok_or_else(gone)?.clone();
            if next.set(event)? {
                world.nvm.commit()?;
                *toolkit.entry_mut(&aid).ok_or_else(gone)? = next;
            }
            VOID
        }
        ("setEventList", _) => {
            let (offset, length) = (call.short(1)?, call.short(2)?);
            let events = vm.read_shorts(call.caller, call.reference(0)?, offset, length)?;
            let mut next = toolkit.entry(&aid).ok_or_else(gone)?.clone();
            let mut changed = false;
            for event in events {
                changed |= next.set(*event)?;
            }
            if changed {
                world.nvm.commit()?;
                *toolkit.entry_mut(&aid).ok_or_else(gone)? = next;
            }
            VOID
        }
        ("clearEvent", _) => {
            let mut next = toolkit.entry(&aid).ok_or_else(gone)?.clone();
            if next.clear(call.short(0)?)? {
                world.nvm.commit()?;
                *toolkit.entry_mut(&aid).ok_or_else(gone)? = next;
            }
            VOID
        }
        ("isEventSet", _) => short(i16::from(
            toolkit.entry(&aid).ok_or_else(gone)?.has(call.short(0)?),
        )),
        ("allocateTimer", _) => {
            let id = toolkit.free_timer(&aid)?;
            world.nvm.commit()?;
            toolkit.entry_mut(&aid).ok_or_else(gone)?.timers.insert(id);
            world.record(&aid, Boundary::TimerAllocated(id));
            short(i16::from(id))
        }
        ("releaseTimer", _) => {
            let id = u8::try_from(call.short(0)?).map_err(|_| Reason::InvalidTimerId)?;
            if toolkit.timer_owner(id) != Some(&aid) {
                return Err(Reason::InvalidTimerId.into());
            }
            world.nvm.commit()?;
            toolkit.entry_mut(&aid).ok_or_else(gone)?.timers.remove(&id);
            VOID
        }
        ("requestPollInterval", _) => {
            let mut next = toolkit.entry(&aid).ok_or_else(gone)?.clone();
            if next.request_poll(call.short(0)?)? {
                world.nvm.commit()?;
                *toolkit.entry_mut(&aid).ok_or_else(gone)? = next;
            }
            VOID
        }
        ("getPollInterval", _) => short(toolkit.entry(&aid).ok_or_else(gone)?.poll),
        // Menus, services and file events: a card without menu entries, local connectivity and writable
        // files has none to give.
        ("initMenuEntry", _) => Err(Reason::RegistryError.into()),
        ("allocateServiceIdentifier", _) => {
            Err(Throw::new("uicc/toolkit/ToolkitException", 16).into())
        }
        ("releaseServiceIdentifier", _) => {
            Err(Throw::new("uicc/toolkit/ToolkitException", 17).into())
        }
        (
            "disableMenuEntry"
            | "enableMenuEntry"
            | "changeMenuEntry"
            | "setMenuEntryTextAttribute",
            _,
        ) => Err(Throw::new("uicc/toolkit/ToolkitException", 4).into()),
        ("registerFileEvent" | "deregisterFileEvent", _) => Err(Reason::EventNotSupported.into()),
        _ => Err(not_supported(call)),
    }
}

fn terminal_profile(world: &mut World, vm: &mut Vm, call: &NativeCall) -> Answer {
    let Some(stored) = world.toolkit.session.profile.clone() else {
        return Err(Reason::TerminalProfileNotAvailable.into());
    };
    match (call.method, call.descriptor) {
        // The byte form addresses indexes 0 to 255.
        ("check", "(B)Z") => short(i16::from(profile::bit(&stored, call.short(0)? & 0xFF))),
        ("check", "(S)Z") => short(i16::from(profile::bit(&stored, call.short(0)?))),
        ("check", "([BSS)Z") => {
            let mask = vm.read(
                call.caller,
                call.reference(0)?,
                call.short(1)?,
                call.short(2)?,
            )?;
            short(i16::from(profile::has_all(&stored, mask)))
        }
        ("getValue", _) => short(profile::value(&stored, call.short(0)?, call.short(1)?)?),
        ("copy", _) => {
            let bytes = part(&stored, call.short(0)?, call.short(3)?)?;
            copy_out(world, vm, call, 1, bytes)
        }
        _ => Err(not_supported(call)),
    }
}

/// Stores `bytes` into the array at argument `at`, from the offset at argument `at + 1`; gives offset plus length.
fn copy_out(world: &mut World, vm: &mut Vm, call: &NativeCall, at: usize, bytes: &[u8]) -> Answer {
    let offset = call.short(at + 1)?;
    let array = call.reference(at)?;
    vm.write(world, call.caller, array, offset, bytes)?;
    length(usize::try_from(offset).unwrap_or(0) + bytes.len())
}

/// Bytes that an applet hands over: array, offset and length from argument `at` on.
fn given(vm: &Vm, call: &NativeCall, at: usize) -> Result<Vec<u8>, Fault> {
    Ok(vm
        .read(
            call.caller,
            call.reference(at)?,
            call.short(at + 1)?,
            call.short(at + 2)?,
        )?
        .to_vec())
}

fn on_handler(world: &mut World, vm: &mut Vm, call: &NativeCall, tag: u32) -> Answer {
    let found = |found: Found| short(found as i16);
    let byte = |i: usize| call.short(i).map(|value| value.to_be_bytes()[1]);
    match (call.method, call.descriptor) {
        ("getLength", _) => length(contents(world, tag)?.bytes().len()),
        ("getCapacity", _) => {
            contents(world, tag)?;
            length(super::HANDLER_CAPACITY)
        }
        ("copy", _) => {
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
            let bytes = contents(world, tag)?
                .part(call.short(0)?, call.short(3)?)?
                .to_vec();
            copy_out(world, vm, call, 1, &bytes)
        }
        ("compareValue", _) => {
            let bytes = contents(world, tag)?
                .part(call.short(0)?, call.short(3)?)?
                .to_vec();
            compare(vm, call, 1, &bytes)
        }
        ("findAndCopyValue", "(B[BS)S") => {
            let bytes = contents(world, tag)?.first(byte(0)?)?.to_vec();
            copy_out(world, vm, call, 1, &bytes)
        }
        ("findAndCopyValue", _) => {
            let bytes = found_part(world, call, tag)?;
            copy_out(world, vm, call, 3, &bytes)
        }
        ("findAndCompareValue", "(B[BS)B") => {
            let bytes = contents(world, tag)?.first(byte(0)?)?.to_vec();
            compare(vm, call, 1, &bytes)
        }
        ("findAndCompareValue", _) => {
            let bytes = found_part(world, call, tag)?;
            compare(vm, call, 3, &bytes)
        }
        _ => match tag {
            PROACTIVE => proactive(world, vm, call),
            RESPONSE => response(world, vm, call),
            ENVELOPE => envelope(world, call),
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
    short(bytes.cmp(other) as i16)
}

/// Methods of `EditHandler` and `ProactiveHandler`.
fn proactive(world: &mut World, vm: &mut Vm, call: &NativeCall) -> Answer {
    let byte = |i: usize| call.short(i).map(|value| value.to_be_bytes()[1]);
    match (call.method, call.descriptor) {
        ("clear", _) => contents(world, PROACTIVE)?.clear(),
        ("appendArray", _) => contents(world, PROACTIVE)?.append(&given(vm, call, 0)?)?,
        ("appendTLV", descriptor) => {
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
            contents(world, PROACTIVE)?.append_tlv(byte(0)?, &[&value])?;
        }
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
        ("send", _) => return Err(send(world, vm)),
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
        &[&[COMMAND_NUMBER, kind, qualifier]],
    )?;
    handler.append_tlv(
        tag::DEVICE_IDENTITIES | 0x80,
        &[&[Device::UICC.0, destination]],
    )
}

fn append_text(world: &mut World, coding: u8, text: &[u8]) -> Result<(), Reason> {
    contents(world, PROACTIVE)?.append_tlv(tag::TEXT_STRING | 0x80, &[&[coding], text])
}

/// `send()`: the command becomes the one that FETCH gives out, and the thread waits for the terminal's response.
fn send(world: &mut World, vm: &Vm) -> Fault {
    if vm.in_transaction() {
        return Throw::new(
            "javacard/framework/TransactionException",
            TRANSACTION_IN_PROGRESS,
        )
        .into();
    }
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
    world.record(&aid, Boundary::Proactive(handler::without_number(&list)));
    world.toolkit.session.proactive = Some(Proactive {
        command: wrap_ber(Ber::PROACTIVE_COMMAND, &list),
        sender: Sender::Applet,
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

/// Methods of `ProactiveResponseHandler` beyond `ViewHandler`. They select the TLV that they read.
fn response(world: &mut World, vm: &mut Vm, call: &NativeCall) -> Answer {
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
            let bytes = behind_first(handler.first(tag::TEXT_STRING)?)?;
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

/// `getChannelStatus(id)`: the two status bytes of that channel.
fn channel_status(handler: &Handler, id: i16) -> Answer {
    let of_channel = |value: &&[u8]| {
        value
            .first()
            .is_some_and(|byte| i16::from(byte & 0x07) == id)
    };
    match handler.peek_all(tag::CHANNEL_STATUS).find(of_channel) {
        Some([hi, lo, ..]) => short(i16::from_be_bytes([*hi, *lo])),
        Some(_) => Err(Reason::OutOfTlvBoundaries.into()),
        None => Err(Reason::UnavailableElement.into()),
    }
}

/// Methods of `EnvelopeHandler` beyond `ViewHandler`.
fn envelope(world: &mut World, call: &NativeCall) -> Answer {
    let current: &mut Activation = world
        .toolkit
        .session
        .current
        .as_mut()
        .ok_or(Reason::HandlerNotAvailable)?;
    let (tag, handler) = current
        .envelope
        .as_mut()
        .ok_or(Reason::HandlerNotAvailable)?;
    let first = |value: &[u8]| value.first().copied().ok_or(Reason::OutOfTlvBoundaries);
    match call.method {
        "getTag" => short(i16::from(tag.cast_signed())),
        "getSize" => {
            let list = handler.bytes().len();
            length(list + if list > 0x7F { 3 } else { 2 })
        }
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

/// The global byte array of `UICCPlatform`, made when first asked for.
pub(crate) fn volatile_bytes(world: &mut World, vm: &mut Vm) -> Ref {
    *world
        .toolkit
        .objects
        .volatile_bytes
        .get_or_insert_with(|| vm.new_global_bytes(VOLATILE_BYTES))
}

/// Length of `getTheVolatileByteArray()` (ETSI TS 102 241: at least 256).
pub(crate) const VOLATILE_BYTES: usize = 512;
