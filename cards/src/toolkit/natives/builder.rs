//! `uicc.system.HandlerBuilder`: handlers of an applet's own.

use super::{Answer, BUILT, given, not_supported};
use crate::card::World;
use crate::toolkit::{Built, Handler};
use crate::vm::{Access, NativeCall, Throw, Value, Vm};

/// `EDIT_HANDLER` and `BER_EDIT_HANDLER`.
const EDIT: i16 = 1;
const BER_EDIT: i16 = 2;
/// Reasons of `javacard.framework.SystemException`.
const ILLEGAL_VALUE: i16 = 1;
const NO_RESOURCE: i16 = 5;
/// RAM for the contents of all built handlers together, bytes.
const MEMORY: usize = 4096;

/// `buildTLVHandler(type, capacity[, buffer, offset, length])`.
pub(crate) fn build_handler(world: &mut World, vm: &mut Vm, call: &NativeCall) -> Answer {
    if call.method != "buildTLVHandler" {
        return Err(not_supported(call));
    }
    let illegal = || Throw::system(ILLEGAL_VALUE);
    let class = match call.short(0)? {
        EDIT => "uicc/toolkit/EditHandler",
        BER_EDIT => "uicc/toolkit/BERTLVEditHandler",
        _ => return Err(illegal().into()),
    };
    let capacity = usize::try_from(call.short(1)?).map_err(|_| illegal())?;
    let mut handler = Handler::with_capacity(capacity);
    if call.args.len() > 2 {
        handler.append(&given(vm, call, 2)?)?;
    }
    let built = &mut world.toolkit.objects.built;
    built.retain(|tag, built| vm.native_tag(built.object) == Some(*tag));
    let used: usize = built.values().map(|built| built.handler.capacity()).sum();
    if used + capacity > MEMORY {
        return Err(Throw::system(NO_RESOURCE).into());
    }
    let tag = built.keys().next_back().map_or(BUILT, |last| last + 1);
    let object = vm.new_native(world, class, tag, call.caller, Access::Owner)?;
    let built = Built {
        object,
        handler,
        ber: None,
    };
    world.toolkit.objects.built.insert(tag, built);
    Ok(Some(Value::Ref(object)))
}
