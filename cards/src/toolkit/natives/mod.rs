//! The API's methods (`uicc.toolkit`, API 1.4) as the VM calls them.

mod builder;
mod proactive;
mod registry;
mod response;
mod view;

pub(crate) use builder::build_handler;

use super::{Handler, Reason, profile};
use crate::card::World;
use crate::gp::registry::Aid;
use crate::vm::{Access, Fault, NativeCall, Owner, Ref, Throw, Value, Vm, VmError};

/// Tags of the framework's native objects ([`Vm::new_native`]).
const PROACTIVE: u32 = 1;
const RESPONSE: u32 = 2;
const ENVELOPE: u32 = 3;
const ENVELOPE_RESPONSE: u32 = 4;
const REGISTRY: u32 = 5;
/// First tag of the handlers that applets build.
const BUILT: u32 = 0x4000_0000;

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
            Some(REGISTRY) => registry::call(world, vm, call),
            Some(tag @ (PROACTIVE..=ENVELOPE_RESPONSE | BUILT..)) => {
                view::call(world, vm, call, tag)
            }
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
        ) => registry::prioritized(world, vm, call),
        _ => Err(not_supported(call)),
    }
}

/// `getTheHandler()`: a temporary entry point object, if the handler is available (ETSI TS 102 241 6.6).
fn the_handler(world: &mut World, vm: &mut Vm, tag: u32) -> Answer {
    contents(world, tag)?;
    let class = match tag {
        PROACTIVE => "uicc/toolkit/ProactiveHandler",
        RESPONSE => "uicc/toolkit/ProactiveResponseHandler",
        ENVELOPE_RESPONSE => "uicc/toolkit/EnvelopeResponseHandler",
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
    let none = Reason::HandlerNotAvailable;
    if tag >= BUILT {
        let built = world.toolkit.objects.built.get_mut(&tag);
        return built.map(|built| &mut built.handler).ok_or(none);
    }
    let session = &mut world.toolkit.session;
    let current = session.current.as_mut().ok_or(none)?;
    match tag {
        PROACTIVE if current.proactive && session.profile.is_some() => Ok(&mut session.handler),
        // Empty before the first response came.
        RESPONSE if current.proactive && session.profile.is_some() => {
            Ok(current.response.get_or_insert_default())
        }
        ENVELOPE => current
            .envelope
            .as_mut()
            .map(|envelope| &mut envelope.1)
            .ok_or(none),
        ENVELOPE_RESPONSE if current.answers && session.posted.is_none() => Ok(&mut session.reply),
        _ => Err(none),
    }
}

/// The contents of a handler object that an applet hands over.
pub(crate) fn view_bytes(world: &mut World, vm: &Vm, handler: Ref) -> Result<Vec<u8>, Fault> {
    if handler.is_null() {
        return Err(Throw::null_pointer().into());
    }
    match vm.native_tag(handler) {
        Some(tag @ (PROACTIVE..=ENVELOPE_RESPONSE | BUILT..)) => {
            Ok(contents(world, tag)?.bytes().to_vec())
        }
        _ => Err(Reason::HandlerNotAvailable.into()),
    }
}

fn registry_entry(world: &mut World, vm: &mut Vm, call: &NativeCall) -> Answer {
    let aid = caller(world, vm, call)?;
    if vm.instance_by_aid(aid.bytes()).is_none() {
        // Before `register()` there is no entry yet.
        return Ok(Some(Value::NULL));
    }
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

fn terminal_profile(world: &mut World, vm: &mut Vm, call: &NativeCall) -> Answer {
    let Some(stored) = world.toolkit.session.profile.clone() else {
        return Err(Reason::TerminalProfileNotAvailable.into());
    };
    match (call.method, call.descriptor) {
        ("check", "(B)Z" | "(S)Z") => {
            let index = call.short(0)?;
            if index < 0 {
                return Err(Reason::BadInputParameter.into());
            }
            short(i16::from(profile::bit(&stored, index)))
        }
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
            accessible(vm, call, 1, call.short(3)?)?;
            let bytes = profile::part(&stored, call.short(0)?, call.short(3)?)?;
            copy_out(world, vm, call, 1, &bytes)
        }
        _ => Err(not_supported(call)),
    }
}

/// Looks at the applet's array (argument `at`, its offset next) before the TLVs, as the API orders its exceptions.
fn accessible(vm: &Vm, call: &NativeCall, at: usize, length: i16) -> Result<(), Fault> {
    vm.read(
        call.caller,
        call.reference(at)?,
        call.short(at + 1)?,
        length,
    )?;
    Ok(())
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

/// `UICCPlatform.getTheVolatileByteArray()`: for the applet that the card called, not for one that another calls
/// through a shareable interface.
pub(crate) fn given_bytes(world: &mut World, vm: &mut Vm, call: &NativeCall) -> Answer {
    let aid = caller(world, vm, call)?;
    match world.running == Some(aid) {
        true => Ok(Some(Value::Ref(volatile_bytes(world, vm)))),
        false => Err(Throw::security().into()),
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
