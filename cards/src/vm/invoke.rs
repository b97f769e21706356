//! Calls: resolution, firewall, frames, natives.

use super::api::{Api, NativeId, NativeMethod, Ret};
use super::code::{Code, Entry, MethodRef};
use super::error::{Fault, Throw, VmError, system};
use super::exec::pool_class;
use super::host::{Host, NativeCall};
use super::interp::{check_return, tell};
use super::limits::FRAME_BYTES;
use super::natives::Call;
use super::observer::Event;
use super::thread::{Frame, State, Thread, mismatch};
use super::value::{Owner, Ref, Value};
use super::vm::Vm;

/// Cells of a native method's arguments, the receiver included: no method of the API takes more.
const MAX_NATIVE_CELLS: usize = 24;

fn entry(code: &Code, index: u16) -> Result<Entry, VmError> {
    code.pool
        .get(usize::from(index))
        .copied()
        .ok_or(VmError::Code)
}

/// Bytes that a native call is about: the length after the first array and offset.
fn about(method: &NativeMethod, args: &[Value]) -> usize {
    // Its third argument is a value.
    if method.method == "setShort" {
        return 0;
    }
    let length = args.windows(3).find_map(|w| match w {
        [Value::Ref(_), Value::Short(_), Value::Short(length)] => Some(*length),
        _ => None,
    });
    usize::try_from(length.unwrap_or(0)).unwrap_or(0)
}

fn receiver(thread: &Thread, nargs: u8) -> Result<Ref, Fault> {
    // A static method without arguments, called as if it had an object.
    let below = usize::from(nargs)
        .checked_sub(1)
        .ok_or(VmError::Stack("has no object for the call", nargs))?;
    let value = thread.peek(below)?;
    value
        .reference()
        .ok_or_else(|| mismatch("reference", value).into())
}

impl Vm {
    pub(crate) fn invoke_virtual(
        &mut self,
        thread: &mut Thread,
        host: &mut dyn Host,
        code: &Code,
        index: u16,
    ) -> Result<(), Fault> {
        let Entry::Virtual {
            class,
            token,
            nargs,
        } = entry(code, index)?
        else {
            return Err(VmError::NoMethod(format!("constant {index} is no virtual method")).into());
        };
        let r = receiver(thread, nargs)?;
        let owner = self.enter_virtual(thread.top.owner, r)?;
        // Arrays have the methods of Object.
        let actual = self.class_of(r)?.unwrap_or(Api::get().object);
        if !thread.top.trusted {
            if !self.assignable(actual, class) {
                return Err(mismatch("an instance of the method's class", Value::Ref(r)).into());
            }
            self.check_arguments(thread, nargs.into())?;
        }
        let target = self
            .find_virtual(actual, token, thread.top.package)
            .ok_or_else(|| VmError::NoMethod(format!("virtual method {token}")))?;
        self.call(thread, host, target, nargs.into(), owner)
    }

    /// What a defensive frame hands over: whole objects and no return addresses.
    fn check_arguments(&self, thread: &Thread, count: usize) -> Result<(), Fault> {
        let operands = thread.operands();
        let from = operands.len().saturating_sub(count);
        for value in operands.get(from..).unwrap_or(&[]) {
            match value {
                Value::Ref(r) => self.initialised(thread, *r)?,
                Value::Addr(_) => return Err(mismatch("an argument", *value).into()),
                _ => {}
            }
        }
        Ok(())
    }

    /// invokespecial (`special`) and invokestatic: no dispatch, and the caller's context stays.
    pub(crate) fn invoke_bound(
        &mut self,
        thread: &mut Thread,
        host: &mut dyn Host,
        code: &Code,
        index: u16,
        special: bool,
    ) -> Result<(), Fault> {
        let Entry::Method {
            target,
            nargs,
            is_super,
        } = entry(code, index)?
        else {
            return Err(VmError::NoMethod(format!("constant {index} is no bound method")).into());
        };
        if special {
            let r = receiver(thread, nargs)?;
            self.object(r)?;
            if is_super {
                self.accessible(thread.top.owner, r)?;
            }
        }
        if !thread.top.trusted {
            let objects = usize::from(nargs).saturating_sub(special.into());
            self.check_arguments(thread, objects)?;
        }
        let owner = thread.top.owner;
        self.call(thread, host, target, nargs.into(), owner)
    }

    pub(crate) fn invoke_interface(
        &mut self,
        thread: &mut Thread,
        host: &mut dyn Host,
        code: &Code,
        nargs: u8,
        index: u16,
        token: u8,
    ) -> Result<(), Fault> {
        let interface = pool_class(code, index)?;
        let r = receiver(thread, nargs)?;
        let owner = self.enter_interface(thread.top.owner, thread.channel, r, interface)?;
        let actual = self.expect_instance(r)?;
        if !thread.top.trusted {
            self.check_arguments(thread, nargs.into())?;
        }
        let target = self
            .find_interface(actual, interface, token)
            .ok_or_else(|| VmError::NoMethod(format!("interface method {token}")))?;
        self.call(thread, host, target, nargs.into(), owner)
    }

    /// Calls a method with the top `nargs` operands. A native method is run here and now.
    pub(crate) fn call(
        &mut self,
        thread: &mut Thread,
        host: &mut dyn Host,
        target: MethodRef,
        nargs: usize,
        owner: Owner,
    ) -> Result<(), Fault> {
        match target {
            MethodRef::Java { package, method } => {
                let code = self.code(package)?;
                let called = code.methods.get(usize::from(method));
                let called = called.ok_or_else(|| VmError::NoMethod(format!("method {method}")))?;
                if called.is_abstract {
                    return Err(VmError::NoMethod("abstract method".into()).into());
                }
                if usize::from(called.nargs) != nargs || thread.operands().len() < nargs {
                    return Err(VmError::Stack("does not fit the call", called.nargs).into());
                }
                let locals = thread.cells.len() - nargs;
                let floor = thread.cells.len() + usize::from(called.max_locals);
                let frame = Frame {
                    package,
                    method,
                    pc: 0,
                    locals,
                    floor,
                    ceiling: floor + usize::from(called.max_stack),
                    owner,
                    shareable: false,
                    trusted: self.trusts(package),
                };
                self.push_frame(thread, host, frame)
            }
            MethodRef::Native(id) => self.native(thread, host, id, nargs),
        }
    }

    fn push_frame(
        &self,
        thread: &mut Thread,
        host: &mut dyn Host,
        frame: Frame,
    ) -> Result<(), Fault> {
        let bytes = 2 * frame.ceiling + FRAME_BYTES * (thread.callers.len() + 2);
        if bytes > self.s.limits.stack {
            return Err(Throw::system(system::NO_RESOURCE).into());
        }
        thread.cells.resize(frame.floor, Value::Unset);
        let caller = std::mem::replace(&mut thread.top, frame);
        if caller.package.is_loaded() {
            thread.callers.push(caller);
        }
        thread.max_stack = thread.max_stack.max(thread.stack_bytes());
        if thread.observed
            && let Some(at) = self.place(&thread.top)
        {
            let (owner, depth) = (thread.top.owner, thread.callers.len() + 1);
            tell(host, &Event::Entered { at, owner, depth });
        }
        Ok(())
    }

    fn native(
        &mut self,
        thread: &mut Thread,
        host: &mut dyn Host,
        id: NativeId,
        nargs: usize,
    ) -> Result<(), Fault> {
        let method = Api::get()
            .native(id)
            .ok_or_else(|| VmError::NoMethod("native method".into()))?;
        if usize::from(method.nargs()) != nargs {
            return Err(
                VmError::NoMethod(format!("{} with {nargs} cells", method.full_name())).into(),
            );
        }
        let mut cells = [Value::Unset; MAX_NATIVE_CELLS];
        let cells = cells
            .get_mut(..nargs)
            .ok_or_else(|| VmError::NoMethod(method.full_name()))?;
        thread.take(cells)?;
        let (this, args) = match cells.split_first() {
            Some((this, args)) if !method.is_static => {
                let this = this.reference();
                if this.is_none_or(Ref::is_null) {
                    return Err(Throw::null_pointer().into());
                }
                (this, args)
            }
            _ => (None, &*cells),
        };
        for (reference, value) in method.args.iter().zip(args) {
            let fits = match value {
                Value::Ref(_) => *reference,
                Value::Short(_) => !*reference,
                _ => false,
            };
            if !fits {
                let expected = if *reference { "reference" } else { "short" };
                return Err(mismatch(expected, *value).into());
            }
        }
        if method.is_init
            && let Some(r) = this
        {
            let trusted = thread.top.trusted || !thread.top.package.is_loaded();
            let object = self.s.heap.get_mut(r)?;
            if !object.fresh && !trusted {
                return Err(
                    mismatch("an object that no constructor has run on", Value::Ref(r)).into(),
                );
            }
            object.fresh = false;
        }
        // What takes the host long takes more of the fuel: the work on the call's bytes, walks over the heap.
        let walk = if method.class == "javacard/framework/JCSystem" {
            self.s.heap.slots() / 8
        } else {
            0
        };
        let extra = u64::try_from(about(method, args) / 16 + walk).unwrap_or(u64::MAX);
        thread.fuel = thread
            .fuel
            .saturating_sub(method.effort.saturating_add(extra));
        let frames = thread.callers.len();
        let caller = thread.top.owner;
        if thread.observed {
            let at = self.place(&thread.top);
            tell(
                host,
                &Event::Native {
                    class: method.class,
                    method: method.method,
                    descriptor: method.descriptor,
                    bytes: about(method, args),
                    at,
                    caller,
                },
            );
        }
        let value = match self.run_native(thread, host, method, this, args, caller) {
            Ok(value) => value,
            Err(Fault::Suspend) => {
                thread.state = State::Waiting(method.returns);
                return Err(Fault::Suspend);
            }
            Err(other) => return Err(other),
        };
        if thread.callers.len() > frames {
            // getAppletShareableInterfaceObject has called the server: its return value is the result.
            return Ok(());
        }
        if let Some(value) = check_return(method.returns, value)? {
            thread.push(value)?;
        }
        Ok(())
    }

    fn run_native(
        &mut self,
        thread: &mut Thread,
        host: &mut dyn Host,
        method: &'static NativeMethod,
        this: Option<Ref>,
        args: &[Value],
        caller: Owner,
    ) -> Result<Option<Value>, Fault> {
        if let Some(run) = method.run {
            let this = this.unwrap_or(Ref::NULL);
            return run(&mut Call {
                vm: self,
                thread,
                host,
                method,
                this,
                args,
                caller,
            });
        }
        let call = NativeCall {
            package: method.package,
            class: method.class,
            method: method.method,
            descriptor: method.descriptor,
            this,
            args: args.to_vec(),
            caller,
        };
        let value = host.native(self, &call)?;
        if method.returns == Ret::Void && value.is_some() {
            return Err(
                VmError::Native(method.full_name(), "a value from a void method".into()).into(),
            );
        }
        Ok(value)
    }

    /// Calls `getShareableInterfaceObject` of a server applet on behalf of the running frame.
    pub(crate) fn call_shareable(
        &mut self,
        thread: &mut Thread,
        host: &mut dyn Host,
        server: Ref,
        client: Ref,
        parameter: i16,
    ) -> Result<Option<Value>, Fault> {
        let class = self.expect_instance(server)?;
        let descriptor = "(Ljavacard/framework/AID;B)Ljavacard/framework/Shareable;";
        let target = self.applet_method(class, "getShareableInterfaceObject", descriptor)?;
        let MethodRef::Java { .. } = target else {
            // Applet's own version: nothing is shared.
            return Ok(Some(Value::NULL));
        };
        let owner = self.s.heap.get(server)?.owner;
        // The arguments go where the callee's first locals will be, above the caller's operands.
        let ceiling = thread.top.ceiling;
        thread.top.ceiling = thread.cells.len() + 3;
        let args = [
            Value::Ref(server),
            Value::Ref(client),
            Value::Short(parameter),
        ];
        let called = args
            .into_iter()
            .try_for_each(|value| thread.push(value))
            .map_err(Fault::from)
            .and_then(|()| self.call(thread, host, target, args.len(), owner));
        match thread.callers.last_mut() {
            Some(caller) if called.is_ok() => {
                caller.ceiling = ceiling;
                thread.top.shareable = true;
            }
            _ => thread.top.ceiling = ceiling,
        }
        called.map(|()| None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vm::PackageId;

    #[test]
    fn a_call_without_arguments_has_no_object() {
        let target = MethodRef::Java {
            package: PackageId::FIRST_LOADED,
            method: 0,
        };
        let thread = Thread::new(target, Vec::new(), Owner::JCRE);
        let stack = |found| matches!(found, Err(Fault::Trap(VmError::Stack(..))));
        assert!(stack(receiver(&thread, 0)));
        assert!(stack(receiver(&thread, 1)));
    }
}
