//! `javacard.framework.JCSystem`.

use super::{Answer, Call, NativeFn, boolean, clipped, reference, short};
use crate::vm::error::{Fault, Throw, system};
use crate::vm::exec::array_length;
use crate::vm::heap::{Access, Kind, Storage};
use crate::vm::value::{Owner, Ref};
use crate::vm::vm::Vm;

/// Java Card 3.0.4.
const VERSION: i16 = 0x0300;
const CLEAR_ON_RESET: u8 = 1;
const CLEAR_ON_DESELECT: u8 = 2;

pub(super) fn find(method: &str, descriptor: &str) -> Option<NativeFn> {
    Some(match (method, descriptor) {
        ("isTransient", _) => is_transient,
        ("makeTransientBooleanArray", _) => |c| make(c, 1, |n| Kind::bytes(true, n)),
        ("makeTransientByteArray", _) => |c| make(c, 1, |n| Kind::bytes(false, n)),
        ("makeTransientShortArray", _) => |c| make(c, 2, |n| Kind::Shorts(vec![0; n].into())),
        ("makeTransientObjectArray", _) => make_objects,
        ("makeGlobalArray", _) => make_global,
        ("getVersion", _) => |_| short(VERSION),
        ("getAID", _) => get_aid,
        ("lookupAID", _) => lookup_aid,
        ("beginTransaction", _) => |c| c.vm.begin_transaction(c.host).map(|()| None),
        ("commitTransaction", _) => |c| c.vm.commit_transaction(c.host).map(|()| None),
        ("abortTransaction", _) => abort,
        ("getTransactionDepth", _) => |c| short(c.vm.in_transaction().into()),
        ("getUnusedCommitCapacity", _) => |c| clipped(c.vm.unused_commit_capacity()),
        ("getMaxCommitCapacity", _) => |c| clipped(c.vm.limits().commit),
        ("getPreviousContextAID", _) => previous_context_aid,
        ("getAvailableMemory", "(B)S") => available,
        ("getAvailableMemory", "([SSB)V") => available_long,
        ("getAppletShareableInterfaceObject", _) => get_shareable,
        ("isObjectDeletionSupported", _) => |_| boolean(true),
        ("requestObjectDeletion", _) => |c| {
            c.vm.s.deletion_requested = true;
            Ok(None)
        },
        ("getAssignedChannel", _) => |c| short(c.thread.channel.into()),
        ("isAppletActive", _) => is_active,
        _ => return None,
    })
}

fn illegal(reason: i16) -> Fault {
    Throw::system(reason).into()
}

fn is_transient(c: &mut Call<'_>) -> Answer {
    let r = c.reference(0)?;
    if r.is_null() {
        return short(0);
    }
    short(match c.vm.object(r)?.storage {
        Storage::Reset => CLEAR_ON_RESET.into(),
        Storage::Deselect => CLEAR_ON_DESELECT.into(),
        _ => 0,
    })
}

/// A transient array of elements of `width` bytes.
fn make(c: &mut Call<'_>, width: usize, contents: impl FnOnce(usize) -> Kind) -> Answer {
    let length = array_length(c.short(0)?)?;
    let storage = match c.byte(1)? {
        CLEAR_ON_RESET => Storage::Reset,
        CLEAR_ON_DESELECT => {
            if !c.vm.has_deselect_memory(c.caller) {
                return Err(illegal(system::ILLEGAL_TRANSIENT));
            }
            Storage::Deselect
        }
        _ => return Err(illegal(system::ILLEGAL_VALUE)),
    };
    let (limits, sums) = (c.vm.limits(), c.vm.s.heap.sums());
    let free = match storage {
        Storage::Reset => limits.transient_reset.saturating_sub(sums.reset),
        _ => limits.transient_deselect.saturating_sub(sums.deselect),
    };
    if length * width > free {
        return Err(illegal(system::NO_TRANSIENT_SPACE));
    }
    let r = c.vm.allocate(c.host, c.caller, storage, contents(length))?;
    reference(r)
}

fn make_objects(c: &mut Call<'_>) -> Answer {
    let element = c.vm.api_class("java/lang/Object")?;
    make(c, 2, |n| Kind::Refs {
        element,
        data: vec![Ref::NULL; n].into(),
    })
}

fn make_global(c: &mut Call<'_>) -> Answer {
    let length = array_length(c.short(1)?)?;
    let kind = match c.byte(0)? {
        1 => Kind::bytes(true, length),
        2 => Kind::bytes(false, length),
        3 => Kind::Shorts(vec![0; length].into()),
        5 => {
            let element = c.vm.api_class("java/lang/Object")?;
            Kind::Refs {
                element,
                data: vec![Ref::NULL; length].into(),
            }
        }
        _ => return Err(illegal(system::ILLEGAL_VALUE)),
    };
    let sums = c.vm.s.heap.sums();
    if sums.reset + kind.size() > c.vm.limits().transient_reset {
        return Err(illegal(system::NO_TRANSIENT_SPACE));
    }
    let r = c.vm.allocate(c.host, c.caller, Storage::Reset, kind)?;
    c.vm.s.heap.get_mut(r)?.access = Access::Temporary;
    reference(r)
}

/// AID object of an owner's applet instance; null for the runtime.
fn aid_of(vm: &mut Vm, owner: Owner) -> Ref {
    let Some(id) = owner.instance else {
        return Ref::NULL;
    };
    let Some(instance) = vm.s.instances.get(&id) else {
        return Ref::NULL;
    };
    if !instance.aid_object.is_null() {
        return instance.aid_object;
    }
    let aid = instance.aid.clone();
    let r = vm.new_aid(&aid);
    if let Some(instance) = vm.s.instances.get_mut(&id) {
        instance.aid_object = r;
    }
    r
}

fn get_aid(c: &mut Call<'_>) -> Answer {
    reference(aid_of(c.vm, c.caller))
}

fn lookup_aid(c: &mut Call<'_>) -> Answer {
    let length = i16::from(c.byte(2)?.cast_signed());
    let aid =
        c.vm.read(c.caller, c.reference(0)?, c.short(1)?, length)?
            .to_vec();
    if let Some(instance) = c.vm.instance_by_aid(&aid) {
        let owner = c.vm.instance_owner(instance)?;
        return reference(aid_of(c.vm, owner));
    }
    reference(if c.host.has_applet(&aid) {
        c.vm.new_aid(&aid)
    } else {
        Ref::NULL
    })
}

fn abort(c: &mut Call<'_>) -> Answer {
    let gone = c.vm.abort_transaction(c.host)?;
    Vm::forget_in(c.thread, &gone);
    Ok(None)
}

/// The applet that was active before the last context switch (JCRE 6.2.7.1); null if the runtime was.
fn previous_context_aid(c: &mut Call<'_>) -> Answer {
    let callers = c.thread.callers.iter().rev();
    let previous = callers
        .map(|f| f.owner)
        .find(|o| o.context != c.caller.context);
    let r = aid_of(c.vm, previous.unwrap_or(Owner::JCRE));
    reference(r)
}

fn free(c: &Call<'_>, memory: u8) -> Result<usize, Fault> {
    let (limits, sums) = (c.vm.limits(), c.vm.s.heap.sums());
    Ok(match memory {
        0 => c.vm.persistent_free(),
        1 => limits.transient_reset.saturating_sub(sums.reset),
        2 => limits.transient_deselect.saturating_sub(sums.deselect),
        _ => return Err(illegal(system::ILLEGAL_VALUE)),
    })
}

fn available(c: &mut Call<'_>) -> Answer {
    clipped(free(c, c.byte(0)?)?)
}

fn available_long(c: &mut Call<'_>) -> Answer {
    let (array, offset) = (c.reference(0)?, c.short(1)?);
    let bytes = u32::try_from(free(c, c.byte(2)?)?).unwrap_or(u32::MAX);
    let [a, b, d, e] = bytes.to_be_bytes();
    let values = [i16::from_be_bytes([a, b]), i16::from_be_bytes([d, e])];
    let from = usize::try_from(offset).map_err(|_| Throw::bounds())?;
    let object = c.vm.accessible(c.caller, array)?;
    let (storage, context) = (object.storage, object.owner.context);
    let Kind::Shorts(data) = &object.kind else {
        return Err(illegal(system::ILLEGAL_VALUE));
    };
    if data.len() < from + 2 {
        return Err(Throw::bounds().into());
    }
    if storage == Storage::Persistent {
        c.vm.write_now(c.host, context, 4)?;
    }
    if let Kind::Shorts(data) = &mut c.vm.s.heap.get_mut(array)?.kind {
        for (slot, value) in data.iter_mut().skip(from).zip(values) {
            *slot = value;
        }
    }
    Ok(None)
}

fn get_shareable(c: &mut Call<'_>) -> Answer {
    let r = c.reference(0)?;
    c.vm.accessible(c.caller, r)?;
    let aid = c.vm.aid_bytes(r).ok_or_else(|| c.unconstructed())?.to_vec();
    let parameter = c.short(1)?;
    if let Some(object) = c.host.get_shareable(c.vm, &aid, super::low(parameter)) {
        return reference(object);
    }
    let Some(id) = c.vm.instance_by_aid(&aid) else {
        return reference(Ref::NULL);
    };
    if c.vm.is_busy(id, c.thread.channel) {
        return Err(Throw::security().into());
    }
    let server = c.vm.instance(id).map_or(Ref::NULL, |server| server.object);
    // An applet that is being installed has no AID yet that others could know.
    let client = aid_of(c.vm, c.caller);
    c.vm.call_shareable(c.thread, c.host, server, client, parameter)
}

fn is_active(c: &mut Call<'_>) -> Answer {
    let r = c.reference(0)?;
    c.vm.accessible(c.caller, r)?;
    let aid = c.vm.aid_bytes(r).ok_or_else(|| c.unconstructed())?.to_vec();
    let mut selected =
        c.vm.s
            .selected
            .iter()
            .filter_map(|active| c.vm.s.instances.get(&active.instance));
    let here = selected.any(|i| i.aid == aid);
    boolean(here || c.host.is_active(&aid))
}
