//! The interpreter: one thread, instruction after instruction, until something ends or suspends it.

use super::api::{Api, Ret};
use super::code::{Binary, Code, Cond, Insn, Kind, Switch};
use super::error::{Fault, Throw, Trap, VmError};
use super::heap::Kind as Contents;
use super::host::Host;
use super::native_state::NativeState;
use super::observer::{Event, Place};
use super::thread::{Frame, Outcome, Resume, State, Thread, mismatch};
use super::value::{ClassRef, Ref, Value};
use super::vm::Vm;
use std::sync::Arc;

/// How the innermost loop ended without a fault.
pub(crate) enum Step {
    /// The outermost method returned.
    Done(Option<Value>),
    OutOfFuel,
}

impl Vm {
    /// Runs a thread until something ends or suspends it. A transaction that is open at the end is
    /// aborted (JCRE 7.6.2), also when the thread is suspended. The card must not run a thread from
    /// inside a native method while a transaction is open.
    pub fn run(&mut self, thread: &mut Thread, host: &mut dyn Host) -> Outcome {
        let State::Start {
            target,
            args,
            owner,
        } = std::mem::replace(&mut thread.state, State::Running)
        else {
            thread.state = State::Dead;
            return Outcome::Trap(VmError::Thread("run").into());
        };
        thread.cells = args;
        self.tell_start(thread, host);
        let nargs = thread.cells.len();
        // Until there is a frame, the runtime is the caller; a native method leaves its result here.
        thread.top.ceiling = nargs.max(1);
        match self.call(thread, host, target, nargs, owner) {
            Ok(()) if thread.top.package.is_loaded() => self.drive(thread, host, None),
            Ok(()) => {
                let value = thread.cells.pop();
                self.end(thread, host, Outcome::Returned(value))
            }
            Err(fault) => self.drive(thread, host, Some(fault)),
        }
    }

    /// Delivers the result of the native method that suspended the thread, and runs on.
    pub fn resume(&mut self, thread: &mut Thread, result: Resume, host: &mut dyn Host) -> Outcome {
        let State::Waiting(returns) = std::mem::replace(&mut thread.state, State::Running) else {
            thread.state = State::Dead;
            return Outcome::Trap(VmError::Thread("resume").into());
        };
        self.tell_start(thread, host);
        let fault = match result {
            Resume::Throw(thrown) => Some(Fault::Throw(thrown)),
            Resume::Return(value) => match check_return(returns, value) {
                Ok(None) => None,
                Ok(Some(value)) => thread.push(value).err().map(Fault::Trap),
                Err(e) => Some(Fault::Trap(e)),
            },
        };
        self.drive(thread, host, fault)
    }

    fn drive(
        &mut self,
        thread: &mut Thread,
        host: &mut dyn Host,
        mut fault: Option<Fault>,
    ) -> Outcome {
        thread.fuel = self.s.limits.fuel;
        loop {
            let result = match fault.take() {
                Some(fault) => Err(fault),
                None if thread.observed => self.steps::<true>(thread, host),
                None => self.steps::<false>(thread, host),
            };
            let thrown = match result {
                Ok(Step::Done(value)) => return self.end(thread, host, Outcome::Returned(value)),
                Ok(Step::OutOfFuel) => return self.end(thread, host, Outcome::OutOfFuel),
                Err(Fault::Suspend) => {
                    // Control goes back to the runtime, which no transaction survives (JCRE 7.6.2).
                    let gone = self.give_up(host);
                    Vm::forget_in(thread, &gone);
                    tell(host, &Event::Stopped { suspended: true });
                    self.s.max_stack = self.s.max_stack.max(thread.max_stack);
                    return Outcome::Suspended;
                }
                Err(Fault::PowerCut) => {
                    tell(host, &Event::Stopped { suspended: false });
                    thread.state = State::Dead;
                    return Outcome::PowerCut;
                }
                Err(Fault::Trap(e)) => return self.trap(thread, host, e),
                Err(Fault::Throw(t)) => self.exception(&t),
                Err(Fault::Object(r)) => Ok(r),
            };
            if let Ok(r) = thrown {
                self.tell_thrown(thread, host, r);
            }
            match thrown.and_then(|r| Ok((r, self.unwind(thread, host, r)?))) {
                Ok((_, true)) => {}
                Ok((r, false)) => {
                    let (exception, reason) = self.named(r);
                    let exception = exception.to_string();
                    return self.end(thread, host, Outcome::Uncaught { exception, reason });
                }
                Err(e) => return self.trap(thread, host, e),
            }
        }
    }

    fn trap(&mut self, thread: &mut Thread, host: &mut dyn Host, error: VmError) -> Outcome {
        let at = self.place(&thread.top);
        self.end(thread, host, Outcome::Trap(Trap { error, at }))
    }

    /// Where a frame stands; `None` if it is not one of a loaded package.
    pub(crate) fn place(&self, frame: &Frame) -> Option<Place> {
        self.code(frame.package).ok()?.place(frame)
    }

    fn tell_start(&self, thread: &mut Thread, host: &mut dyn Host) {
        thread.observed = host.observer().is_some();
        if !thread.observed {
            return;
        }
        let frames = thread.callers.iter().chain([&thread.top]);
        let frames: Vec<Place> = frames.filter_map(|f| self.place(f)).collect();
        tell(host, &Event::Started { frames: &frames });
    }

    fn tell_thrown(&self, thread: &Thread, host: &mut dyn Host, exception: Ref) {
        let (class, reason) = self.named(exception);
        let at = self.place(&thread.top);
        tell(host, &Event::Thrown { class, reason, at });
    }

    fn end(&mut self, thread: &mut Thread, host: &mut dyn Host, outcome: Outcome) -> Outcome {
        self.give_up(host);
        tell(host, &Event::Stopped { suspended: false });
        thread.state = State::Dead;
        thread.cells.clear();
        thread.callers.clear();
        self.s.max_stack = self.s.max_stack.max(thread.max_stack);
        outcome
    }

    /// The runtime's exception object of this class, with this reason.
    pub(crate) fn exception(&mut self, thrown: &Throw) -> Result<Ref, VmError> {
        let class = self.api_class(&thrown.class)?;
        let r = match self.s.exceptions.get(&class) {
            Some(r) => *r,
            None => {
                let kind = self.blank(class, NativeState::None);
                let r = self.runtime_object(super::Access::Temporary, kind);
                self.s.exceptions.insert(class, r);
                r
            }
        };
        self.s
            .heap
            .set_native(r, NativeState::Reason(thrown.reason))?;
        Ok(r)
    }

    /// An exception's nearest API class, and its reason.
    fn named(&self, r: Ref) -> (&'static str, i16) {
        let class = self.class_of(r).ok().flatten();
        let reason = match self.native_of(r) {
            Ok(NativeState::Reason(reason)) => *reason,
            _ => 0,
        };
        let name = class.map_or("java/lang/Throwable", |c| self.api_name(c));
        (name, reason)
    }

    /// Finds the handler of an exception and goes there. False if no frame has one.
    fn unwind(
        &mut self,
        thread: &mut Thread,
        host: &mut dyn Host,
        exception: Ref,
    ) -> Result<bool, VmError> {
        let class = self
            .class_of(exception)?
            .ok_or(VmError::NoClass("an array as exception".into()))?;
        loop {
            if thread.top.package.is_loaded()
                && let Some(target) = self.handler(&thread.top, class)?
            {
                thread.cells.truncate(thread.top.floor);
                thread.push_ref(exception)?;
                thread.top.pc = target;
                return Ok(true);
            }
            if thread.observed {
                self.tell_left(thread, host, true);
            }
            let Some(caller) = thread.callers.pop() else {
                return Ok(false);
            };
            thread.cells.truncate(thread.top.locals);
            let to_null = thread.top.shareable;
            thread.top = caller;
            if to_null {
                thread.push_ref(Ref::NULL)?;
                return Ok(true);
            }
        }
    }

    fn tell_left(&self, thread: &Thread, host: &mut dyn Host, thrown: bool) {
        let depth = thread.callers.len() + 1;
        if let Some(at) = self.place(&thread.top) {
            tell(host, &Event::Left { at, thrown, depth });
        }
    }

    fn handler(&self, frame: &Frame, class: ClassRef) -> Result<Option<u16>, VmError> {
        let code = self.code(frame.package)?;
        let method = code
            .methods
            .get(usize::from(frame.method))
            .ok_or(VmError::Code)?;
        let at = frame.pc.saturating_sub(1);
        let found = method.handlers.iter().find(|h| {
            (h.start..h.end).contains(&at) && h.catch.is_none_or(|c| self.assignable(class, c))
        });
        Ok(found.map(|h| h.target))
    }

    /// The loop itself.
    fn steps<const OBSERVED: bool>(
        &mut self,
        thread: &mut Thread,
        host: &mut dyn Host,
    ) -> Result<Step, Fault> {
        let mut code: Arc<Code> = Arc::clone(self.code(thread.top.package)?);
        let mut running = thread.top.package;
        loop {
            if thread.fuel == 0 {
                return Ok(Step::OutOfFuel);
            }
            thread.fuel -= 1;
            let method = code
                .methods
                .get(usize::from(thread.top.method))
                .ok_or(VmError::Code)?;
            let insn = *method
                .code
                .get(usize::from(thread.top.pc))
                .ok_or(VmError::Code)?;
            thread.top.pc += 1;
            if OBSERVED && let Some(at) = code.place(&thread.top) {
                let source = method.source.get(usize::from(thread.top.pc) - 1);
                let event = Event::Instruction {
                    at,
                    opcode: source.map_or(0, |source| source.1),
                    depth: thread.callers.len() + 1,
                    locals: thread
                        .cells
                        .get(thread.top.locals..thread.top.floor)
                        .unwrap_or(&[]),
                    stack: thread.operands(),
                };
                tell(host, &event);
            }
            match insn {
                Insn::Return(kind) => {
                    if OBSERVED {
                        self.tell_left(thread, host, false);
                    }
                    if let Some(value) = self.give_back(thread, kind)? {
                        return Ok(Step::Done(value));
                    }
                }
                Insn::Switch(table) => {
                    let key = thread.pop_short()?;
                    let switch = method
                        .switches
                        .get(usize::from(table))
                        .ok_or(VmError::Code)?;
                    thread.top.pc = select(switch, key);
                }
                Insn::InvokeVirtual(i) => self.invoke_virtual(thread, host, &code, i)?,
                Insn::InvokeSpecial(i) | Insn::InvokeStatic(i) => {
                    self.invoke_bound(thread, host, &code, i)?;
                }
                Insn::InvokeInterface {
                    nargs,
                    class,
                    token,
                } => {
                    self.invoke_interface(thread, host, &code, nargs, class, token)?;
                }
                Insn::GetField(..)
                | Insn::PutField(..)
                | Insn::GetThis(..)
                | Insn::PutThis(..)
                | Insn::GetStatic(..)
                | Insn::PutStatic(..) => self.field(thread, host, &code, insn)?,
                Insn::ArrayLoad(kind) => self.array_load(thread, kind)?,
                Insn::ArrayStore(kind) => self.array_store(thread, host, kind)?,
                Insn::ArrayLength => {
                    let r = thread.pop_ref()?;
                    // The length is open to other contexts' own arrays only, as the contents are.
                    self.accessible(thread.top.owner, r)?;
                    let length = self.array_length(r)?;
                    thread.push_short(i16::try_from(length).unwrap_or(i16::MAX))?;
                }
                Insn::New(i) => self.new_object(thread, host, &code, i)?,
                Insn::NewArray(kind) => self.new_array(thread, host, kind)?,
                Insn::NewRefArray(i) => self.new_ref_array(thread, host, &code, i)?,
                Insn::CheckCast(test) => self.check_cast(thread, &code, test)?,
                Insn::InstanceOf(test) => self.instance_of(thread, &code, test)?,
                Insn::Throw => {
                    let r = thread.pop_ref()?;
                    self.accessible(thread.top.owner, r)?;
                    let class = self.expect_instance(r)?;
                    if !self.assignable(class, self.api_class("java/lang/Throwable")?) {
                        return Err(mismatch("an exception", Value::Ref(r)).into());
                    }
                    return Err(Fault::Object(r));
                }
                simple => plain(thread, simple)?,
            }
            if thread.top.package != running {
                running = thread.top.package;
                code = Arc::clone(self.code(running)?);
            }
        }
    }

    /// Return from the running method. `Some` when it was the outermost one.
    fn give_back(
        &mut self,
        thread: &mut Thread,
        kind: Option<Kind>,
    ) -> Result<Option<Option<Value>>, Fault> {
        let mut value = match kind {
            None => None,
            Some(Kind::Ref) => Some(Value::Ref(thread.pop_ref()?)),
            Some(_) => Some(Value::Short(thread.pop_short()?)),
        };
        if thread.top.shareable {
            let r = value.and_then(|v| v.reference()).unwrap_or(Ref::NULL);
            let class = if r.is_null() { None } else { self.class_of(r)? };
            let shareable = self.api_class("javacard/framework/Shareable")?;
            let good = class.is_some_and(|c| self.assignable(c, shareable));
            value = Some(Value::Ref(if good { r } else { Ref::NULL }));
        }
        thread.cells.truncate(thread.top.locals);
        let Some(caller) = thread.callers.pop() else {
            return Ok(Some(value));
        };
        thread.top = caller;
        if let Some(value) = value {
            thread.push(value)?;
        }
        Ok(None)
    }

    /// Creates an instance of a class.
    fn new_object(
        &mut self,
        thread: &mut Thread,
        host: &mut dyn Host,
        code: &Code,
        index: u16,
    ) -> Result<(), Fault> {
        let class = pool_class(code, index)?;
        let usable = match self.loaded_class(class) {
            Some(loaded) => !loaded.interface,
            None => Api::get()
                .class(class)
                .is_some_and(|c| !c.interface && !c.is_abstract),
        };
        if !usable {
            return Err(VmError::NoClass("new of an interface or abstract class".into()).into());
        }
        let kind = self.blank(class, NativeState::None);
        let r = self.allocate(host, thread.top.owner, super::Storage::Persistent, kind)?;
        Ok(thread.push_ref(r)?)
    }

    fn new_array(
        &mut self,
        thread: &mut Thread,
        host: &mut dyn Host,
        kind: u8,
    ) -> Result<(), Fault> {
        let length = array_length(thread.pop_short()?)?;
        let contents = match kind {
            10 => Contents::Bytes {
                boolean: true,
                data: vec![0; length],
            },
            11 => Contents::Bytes {
                boolean: false,
                data: vec![0; length],
            },
            _ => Contents::Shorts(vec![0; length]),
        };
        let r = self.allocate(host, thread.top.owner, super::Storage::Persistent, contents)?;
        Ok(thread.push_ref(r)?)
    }

    fn new_ref_array(
        &mut self,
        thread: &mut Thread,
        host: &mut dyn Host,
        code: &Code,
        index: u16,
    ) -> Result<(), Fault> {
        let element = pool_class(code, index)?;
        let length = array_length(thread.pop_short()?)?;
        let contents = Contents::Refs {
            element,
            data: vec![Ref::NULL; length],
        };
        let r = self.allocate(host, thread.top.owner, super::Storage::Persistent, contents)?;
        Ok(thread.push_ref(r)?)
    }
}

/// Tells the observer, if there is one.
pub(crate) fn tell(host: &mut dyn Host, event: &Event<'_>) {
    if let Some(observer) = host.observer() {
        observer.event(event);
    }
}

pub(crate) fn array_length(length: i16) -> Result<usize, Fault> {
    usize::try_from(length)
        .map_err(|_| Throw::new("java/lang/NegativeArraySizeException", 0).into())
}

pub(crate) fn pool_class(code: &Code, index: u16) -> Result<ClassRef, VmError> {
    match code.pool.get(usize::from(index)) {
        Some(super::code::Entry::Class(class)) => Ok(*class),
        _ => Err(VmError::NoClass(format!("constant {index} is no class"))),
    }
}

/// The result of a native method against its declaration.
pub(crate) fn check_return(returns: Ret, value: Option<Value>) -> Result<Option<Value>, VmError> {
    match (returns, value) {
        (Ret::Void, None) => Ok(None),
        (Ret::Short, Some(Value::Short(v))) => Ok(Some(Value::Short(v))),
        (Ret::Byte, Some(Value::Short(v))) => {
            let [_, low] = v.to_be_bytes();
            Ok(Some(Value::Short(low.cast_signed().into())))
        }
        (Ret::Boolean, Some(Value::Short(v))) => Ok(Some(Value::Short((v != 0).into()))),
        (Ret::Ref, Some(Value::Ref(r))) => Ok(Some(Value::Ref(r))),
        (returns, value) => Err(VmError::Type {
            expected: format!("a native result of type {returns:?}").into(),
            found: format!("{value:?}"),
        }),
    }
}

fn select(switch: &Switch, key: i16) -> u16 {
    match switch {
        Switch::Table {
            default,
            low,
            targets,
        } => usize::try_from(i32::from(key) - i32::from(*low))
            .ok()
            .and_then(|i| targets.get(i))
            .copied()
            .unwrap_or(*default),
        Switch::Lookup { default, pairs } => pairs
            .binary_search_by_key(&key, |(k, _)| *k)
            .ok()
            .and_then(|i| pairs.get(i))
            .map_or(*default, |(_, target)| *target),
    }
}

fn holds(cond: Cond, a: i16, b: i16) -> bool {
    match cond {
        Cond::Eq => a == b,
        Cond::Ne => a != b,
        Cond::Lt => a < b,
        Cond::Ge => a >= b,
        Cond::Gt => a > b,
        Cond::Le => a <= b,
    }
}

fn binary(op: Binary, a: i16, b: i16) -> Result<i16, Fault> {
    // JCVM ch. 7: shifts work on 32 bits and use the low five bits of the distance.
    let wide = i32::from(a);
    let distance = u32::from(b.cast_unsigned() & 0x1F);
    let low = |v: i32| {
        let [.., high, low] = v.to_be_bytes();
        i16::from_be_bytes([high, low])
    };
    Ok(match op {
        Binary::Add => a.wrapping_add(b),
        Binary::Sub => a.wrapping_sub(b),
        Binary::Mul => a.wrapping_mul(b),
        Binary::Div | Binary::Rem if b == 0 => {
            return Err(Throw::new("java/lang/ArithmeticException", 0).into());
        }
        Binary::Div => a.wrapping_div(b),
        Binary::Rem => a.wrapping_rem(b),
        Binary::Shl => low(wide.wrapping_shl(distance)),
        Binary::Shr => low(wide.wrapping_shr(distance)),
        Binary::Ushr => low(wide.cast_unsigned().wrapping_shr(distance).cast_signed()),
        Binary::And => a & b,
        Binary::Or => a | b,
        Binary::Xor => a ^ b,
    })
}

/// Instructions that touch nothing but the frame.
fn plain(thread: &mut Thread, insn: Insn) -> Result<(), Fault> {
    match insn {
        Insn::Nop => {}
        Insn::Null => thread.push_ref(Ref::NULL)?,
        Insn::Const(v) => thread.push_short(v)?,
        Insn::Load(kind, index) => {
            let value = *thread.local(index)?;
            match (kind, value) {
                (Kind::Ref, Value::Ref(_)) | (Kind::Byte | Kind::Short, Value::Short(_)) => {
                    thread.push(value)?
                }
                (Kind::Ref, other) => return Err(mismatch("reference", other).into()),
                (_, other) => return Err(mismatch("short", other).into()),
            }
        }
        Insn::Store(kind, index) => {
            let value = thread.pop()?;
            match (kind, value) {
                (Kind::Ref, Value::Short(_)) => return Err(mismatch("reference", value).into()),
                (Kind::Byte | Kind::Short, Value::Ref(_) | Value::Addr(_)) => {
                    return Err(mismatch("short", value).into());
                }
                _ => *thread.local(index)? = value,
            }
        }
        Insn::Pop(n) => {
            thread.take(n.into())?;
        }
        Insn::Dup(m, n) => dup(thread, m.into(), n.into())?,
        Insn::Swap(m, n) => {
            let top = thread.take(m.into())?;
            let below = thread.take(n.into())?;
            for value in top.into_iter().chain(below) {
                thread.push(value)?;
            }
        }
        Insn::Binary(op) => {
            let b = thread.pop_short()?;
            let a = thread.pop_short()?;
            thread.push_short(binary(op, a, b)?)?;
        }
        Insn::Neg => {
            let a = thread.pop_short()?;
            thread.push_short(a.wrapping_neg())?;
        }
        Insn::Inc(index, by) => {
            let local = thread.local(index)?;
            let Value::Short(v) = *local else {
                return Err(mismatch("short", *local).into());
            };
            *local = Value::Short(v.wrapping_add(by));
        }
        Insn::ToByte => {
            let [_, low] = thread.pop_short()?.to_be_bytes();
            thread.push_short(low.cast_signed().into())?;
        }
        Insn::If(cond, target) => {
            if holds(cond, thread.pop_short()?, 0) {
                thread.top.pc = target;
            }
        }
        Insn::IfNull(null, target) => {
            if thread.pop_ref()?.is_null() == null {
                thread.top.pc = target;
            }
        }
        Insn::IfSame(same, target) => {
            let b = thread.pop_ref()?;
            let a = thread.pop_ref()?;
            if (a == b) == same {
                thread.top.pc = target;
            }
        }
        Insn::IfCompare(cond, target) => {
            let b = thread.pop_short()?;
            let a = thread.pop_short()?;
            if holds(cond, a, b) {
                thread.top.pc = target;
            }
        }
        Insn::Goto(target) => thread.top.pc = target,
        Insn::Jsr(target) => {
            thread.push(Value::Addr(thread.top.pc))?;
            thread.top.pc = target;
        }
        Insn::Ret(index) => {
            let local = *thread.local(index)?;
            let Value::Addr(pc) = local else {
                return Err(mismatch("return address", local).into());
            };
            thread.top.pc = pc;
        }
        other => {
            return Err(
                VmError::Native(format!("{other:?}"), "not a plain instruction".into()).into(),
            );
        }
    }
    Ok(())
}

/// dup, dup2 (n = 0) and dup_x.
fn dup(thread: &mut Thread, m: usize, n: usize) -> Result<(), VmError> {
    let all = thread.take(m.max(n))?;
    let top = all
        .get(all.len().saturating_sub(m)..)
        .unwrap_or(&[])
        .to_vec();
    let copies = if n == 0 {
        [&all[..], &top[..]]
    } else {
        [&top[..], &all[..]]
    };
    for value in copies.concat() {
        thread.push(value)?;
    }
    Ok(())
}
