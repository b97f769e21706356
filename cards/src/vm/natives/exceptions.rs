//! `java.lang` and the exception classes of every API package.

use super::{Answer, Call, NativeFn, boolean, nothing, short};
use crate::vm::error::{Fault, Throw};
use crate::vm::native_state::NativeState;

pub(super) fn find(method: &str, descriptor: &str) -> Option<NativeFn> {
    Some(match (method, descriptor) {
        ("<init>", "()V") => nothing,
        ("<init>", "(S)V") | ("setReason", "(S)V") => set_reason,
        ("throwIt", "(S)V") => throw_it,
        ("getReason", "()S") => get_reason,
        ("equals", "(Ljava/lang/Object;)Z") => equals,
        _ => return None,
    })
}

fn set_reason(c: &mut Call<'_>) -> Answer {
    let reason = c.short(0)?;
    c.set_state(c.this, NativeState::Reason(reason))?;
    Ok(None)
}

fn get_reason(c: &mut Call<'_>) -> Answer {
    short(match c.state()? {
        NativeState::Reason(reason) => *reason,
        _ => 0,
    })
}

fn throw_it(c: &mut Call<'_>) -> Answer {
    Err(Fault::Throw(Throw::new(c.method.class, c.short(0)?)))
}

fn equals(c: &mut Call<'_>) -> Answer {
    boolean(c.this == c.reference(0)?)
}
