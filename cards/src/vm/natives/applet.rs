//! `javacard.framework.Applet`.

use super::{Answer, Call, NativeFn, boolean, nothing, reference};
use crate::vm::error::{Throw, system};
use crate::vm::value::Ref;

pub(super) fn find(method: &str, descriptor: &str) -> Option<NativeFn> {
    Some(match (method, descriptor) {
        ("<init>", "()V") | ("deselect", "()V") => nothing,
        // Applet's own install must be hidden by the applet (API: ISOException SW_FUNC_NOT_SUPPORTED).
        ("install", "([BSB)V") => |_| Err(Throw::iso(0x6A81).into()),
        ("process", _) => |_| Err(Throw::iso(0x6F00).into()),
        ("select", "()Z") => |_| boolean(true),
        ("getShareableInterfaceObject", _) => |_| reference(Ref::NULL),
        ("register", "()V") => register,
        ("register", "([BSB)V") => register_as,
        ("selectingApplet", "()Z") => |c| boolean(c.thread.selecting),
        ("reSelectingApplet", "()Z") => |_| boolean(false),
        _ => return None,
    })
}

fn register(c: &mut Call<'_>) -> Answer {
    c.vm.register(c.caller, c.this, None)?;
    Ok(None)
}

fn register_as(c: &mut Call<'_>) -> Answer {
    let length = i16::from(c.byte(2)?.cast_signed());
    if !(5..=16).contains(&length) {
        return Err(Throw::system(system::ILLEGAL_VALUE).into());
    }
    let aid =
        c.vm.read(c.caller, c.reference(0)?, c.short(1)?, length)?
            .to_vec();
    c.vm.register(c.caller, c.this, Some(&aid))?;
    Ok(None)
}
