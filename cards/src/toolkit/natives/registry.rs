//! `ToolkitRegistry` (ETSI TS 102 241 6.9): an applet's registration, as its methods change it.

use super::{Answer, VOID, caller, not_supported, short};
use crate::card::World;
use crate::fs::FilePath;
use crate::toolkit::menu::Text;
use crate::toolkit::{Entry, Reason, event, files};
use crate::vm::{Fault, NativeCall, Throw, Vm, system};
use applet_model::trace::Boundary;

/// `ToolkitRegistry`: serves the applet to which the object was given.
pub(super) fn call(world: &mut World, vm: &Vm, call: &NativeCall) -> Answer {
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
            let changes = next.set(event)?;
            toolkit.may_register(&aid, event)?;
            if changes {
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
                toolkit.may_register(&aid, *event)?;
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
        ("getPollInterval", _) => {
            let wished = toolkit.entry(&aid).ok_or_else(gone)?.poll;
            // What the terminal polls at, once it said so.
            let real = toolkit.session.polled.filter(|_| wished != 0);
            short(real.unwrap_or(wished))
        }
        ("initMenuEntry", _) => {
            let (text, kept) = menu_text(vm, call, 0)?;
            let most = toolkit.entry(&aid).ok_or_else(gone)?.parameters.text_length;
            check_length(&text, most)?;
            toolkit.free_item(&aid)?;
            world.nvm.commit()?;
            let item = toolkit.free_item(&aid)?;
            item.text = Some(kept);
            let id = item.id;
            toolkit.note_menu(&aid);
            short(i16::from(id.cast_signed()))
        }
        ("changeMenuEntry", _) => {
            let (text, mut kept) = menu_text(vm, call, 1)?;
            let id = menu_id(call)?;
            let most = toolkit.entry(&aid).ok_or_else(gone)?.parameters.text_length;
            let before = toolkit.menu_text(&aid, id)?;
            check_length(&text, most)?;
            kept.attribute = before.attribute;
            if *before != kept {
                world.nvm.commit()?;
                *toolkit.menu_text(&aid, id)? = kept;
                toolkit.note_menu(&aid);
            }
            VOID
        }
        ("disableMenuEntry" | "enableMenuEntry", _) => {
            let enabled = call.method == "enableMenuEntry";
            let id = menu_id(call)?;
            if toolkit.menu_text(&aid, id)?.enabled != enabled {
                world.nvm.commit()?;
                toolkit.menu_text(&aid, id)?.enabled = enabled;
            }
            VOID
        }
        ("setMenuEntryTextAttribute", _) => {
            let attribute = super::given(vm, call, 1)?;
            let id = menu_id(call)?;
            toolkit.menu_text(&aid, id)?;
            let attribute: [u8; 4] = attribute
                .try_into()
                .map_err(|_| Reason::BadInputParameter)?;
            if toolkit.menu_text(&aid, id)?.attribute != Some(attribute) {
                world.nvm.commit()?;
                toolkit.menu_text(&aid, id)?.attribute = Some(attribute);
            }
            VOID
        }
        ("allocateServiceIdentifier", _) => {
            let id = toolkit.free_service(&aid)?;
            world.nvm.commit()?;
            toolkit
                .entry_mut(&aid)
                .ok_or_else(gone)?
                .services
                .insert(id);
            short(i16::from(id))
        }
        ("releaseServiceIdentifier", _) => {
            let id = u8::try_from(call.short(0)?).map_err(|_| Reason::InvalidServiceId)?;
            if toolkit.service_owner(id) != Some(&aid) {
                return Err(Reason::InvalidServiceId.into());
            }
            world.nvm.commit()?;
            toolkit
                .entry_mut(&aid)
                .ok_or_else(gone)?
                .services
                .remove(&id);
            toolkit.session.services.remove(&id);
            VOID
        }
        ("registerFileEvent" | "deregisterFileEvent", _) => {
            let paths = file_paths(world, vm, call)?;
            let mut next = world.toolkit.entry(&aid).ok_or_else(gone)?.files.clone();
            match call.method {
                "registerFileEvent" => next.extend(paths),
                _ => next.retain(|path| !paths.contains(path)),
            }
            let entry = world.toolkit.entry_mut(&aid).ok_or_else(gone)?;
            if entry.files != next {
                world.nvm.commit()?;
                entry.files = next;
            }
            VOID
        }
        _ => Err(not_supported(call)),
    }
}

/// The files that a file event is for: the view's current one, or those of a file list.
fn file_paths(world: &World, vm: &Vm, call: &NativeCall) -> Result<Vec<FilePath>, Fault> {
    let view = call.descriptor.starts_with("(SL");
    let (mut list, mut adf) = (Vec::new(), None);
    if view {
        vm.readable(call.caller, call.reference(1)?)?;
    } else {
        list = super::given(vm, call, 1)?;
        if !call.reference(4)?.is_null() {
            let aid = super::given(vm, call, 4)?;
            if !(5..=16).contains(&aid.len()) && !aid.is_empty() {
                return Err(Throw::system(system::ILLEGAL_VALUE).into());
            }
            adf = Some(aid);
        }
    }
    match call.short(0)? {
        event::EXTERNAL_FILE_UPDATE => {}
        event if event::has_own_method(event) => return Err(Reason::EventNotAllowed.into()),
        _ => return Err(Reason::EventNotSupported.into()),
    }
    Ok(match view {
        true => vec![crate::fileview::current(world, vm, call.reference(1)?)?],
        false => files::paths(&list, adf.as_deref())?,
    })
}

/// The identifier of a menu entry, the first argument.
fn menu_id(call: &NativeCall) -> Result<u8, Fault> {
    Ok(call.short(0)?.to_be_bytes()[1])
}

/// Text, next action, help and icon of a menu entry, from argument `at` on.
fn menu_text(vm: &Vm, call: &NativeCall, at: usize) -> Result<(Vec<u8>, Text), Fault> {
    let byte = |i: usize| call.short(at + i).map(|value| value.to_be_bytes()[1]);
    let text = super::given(vm, call, at)?;
    let kept = Text {
        text: text.clone(),
        next_action: byte(3)?,
        help: call.short(at + 4)? != 0,
        icon: (byte(5)?, byte(6)?),
        attribute: None,
        enabled: true,
    };
    Ok((text, kept))
}

fn check_length(text: &[u8], most: u8) -> Result<(), Reason> {
    match text.len() <= usize::from(most) {
        true => Ok(()),
        false => Err(Reason::AllowedLengthExceeded),
    }
}

/// `isPrioritizedProactiveHandlerAvailableEventSet()`: an applet that waits for the proactive handler has a
/// higher priority than the caller.
pub(super) fn prioritized(world: &World, vm: &Vm, call: &NativeCall) -> Answer {
    let aid = caller(world, vm, call)?;
    let toolkit = &world.toolkit;
    let own = toolkit.entry(&aid).ok_or(Reason::RegistryError)?;
    let waits = |entry: &Entry| {
        entry.has(event::PROACTIVE_HANDLER_AVAILABLE)
            && entry.parameters.priority < own.parameters.priority
    };
    short(i16::from(toolkit.entries.iter().any(waits)))
}
