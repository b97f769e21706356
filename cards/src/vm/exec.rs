//! The loop that executes instructions.

use super::api::Api;
use super::code::{Binary, Code, Cond, Entry, Insn, Kind, Method};
use super::error::{Fault, Throw, VmError};
use super::heap::Kind as Contents;
use super::host::Host;
use super::interp::tell;
use super::native_state::NativeState;
use super::observer::Event;
use super::thread::{Thread, mismatch};
use super::value::{ClassRef, Ref, Value};
use super::vm::Vm;
use std::sync::Arc;

/// How the loop ended without a fault.
pub(crate) enum Step {
    /// The outermost method returned.
    Done(Option<Value>),
    OutOfFuel,
}

impl Vm {
    /// Executes instructions until something ends or suspends the thread.
    pub(crate) fn steps<const OBSERVED: bool>(
        &mut self,
        thread: &mut Thread,
        host: &mut dyn Host,
    ) -> Result<Step, Fault> {
        loop {
            let package = thread.top.package;
            let code = Arc::clone(self.code(package)?);
            while thread.top.package == package {
                let method = code
                    .methods
                    .get(usize::from(thread.top.method))
                    .ok_or(VmError::Code)?;
                if let Some(step) = self.method_steps::<OBSERVED>(thread, host, &code, method)? {
                    return Ok(step);
                }
            }
        }
    }

    /// The same, until another method may be on top.
    fn method_steps<const OBSERVED: bool>(
        &mut self,
        thread: &mut Thread,
        host: &mut dyn Host,
        code: &Code,
        method: &Method,
    ) -> Result<Option<Step>, Fault> {
        loop {
            if thread.fuel == 0 {
                return Ok(Some(Step::OutOfFuel));
            }
            thread.fuel -= 1;
            let insn = *method
                .code
                .get(usize::from(thread.top.pc))
                .ok_or(VmError::Code)?;
            thread.top.pc += 1;
            if OBSERVED {
                tell_instruction(thread, host, code, method);
            }
            match insn {
                Insn::Return(kind) => {
                    if OBSERVED {
                        self.tell_left(thread, host, false);
                    }
                    return Ok(self.give_back(thread, kind)?.map(Step::Done));
                }
                Insn::InvokeVirtual(i) => {
                    self.invoke_virtual(thread, host, code, i)?;
                    return Ok(None);
                }
                Insn::InvokeSpecial(i) => {
                    self.invoke_bound(thread, host, code, i, true)?;
                    return Ok(None);
                }
                Insn::InvokeStatic(i) => {
                    self.invoke_bound(thread, host, code, i, false)?;
                    return Ok(None);
                }
                Insn::InvokeInterface {
                    nargs,
                    class,
                    token,
                } => {
                    self.invoke_interface(thread, host, code, nargs, class, token)?;
                    return Ok(None);
                }
                Insn::Switch(table) => {
                    let key = thread.pop_short()?.into();
                    let switch = method.switches.get(usize::from(table));
                    thread.top.pc = switch.ok_or(VmError::Code)?.target(key);
                }
                Insn::SwitchInt(table) => {
                    let key = thread.pop_int()?;
                    let switch = method.switches.get(usize::from(table));
                    thread.top.pc = switch.ok_or(VmError::Code)?.target(key);
                }
                Insn::GetField(kind, i) => {
                    let r = thread.pop_ref()?;
                    self.get_field(thread, code, kind, i, r)?;
                }
                Insn::GetThis(kind, i) => {
                    let r = this(thread)?;
                    self.get_field(thread, code, kind, i, r)?;
                }
                Insn::PutField(kind, i) => self.put_field(thread, host, code, kind, i, false)?,
                Insn::PutThis(kind, i) => self.put_field(thread, host, code, kind, i, true)?,
                Insn::GetStatic(kind, i) => self.get_static(thread, code, kind, i)?,
                Insn::PutStatic(kind, i) => self.put_static(thread, host, code, kind, i)?,
                Insn::ArrayLoad(kind) => self.array_load(thread, kind)?,
                Insn::ArrayStore(kind) => self.array_store(thread, host, kind)?,
                Insn::ArrayLength => {
                    let r = thread.pop_ref()?;
                    // The length is open to other contexts' own arrays only, as the contents are.
                    self.accessible(thread.top.owner, r)?;
                    let length = self.array_length(r)?;
                    thread.push_short(i16::try_from(length).unwrap_or(i16::MAX))?;
                }
                Insn::New(i) => self.new_object(thread, host, code, i)?,
                Insn::NewArray(kind) => self.new_array(thread, host, kind)?,
                Insn::NewRefArray(i) => self.new_ref_array(thread, host, code, i)?,
                Insn::CheckCast(test) => self.check_cast(thread, code, test)?,
                Insn::InstanceOf(test) => self.instance_of(thread, code, test)?,
                Insn::Throw => return Err(self.thrown(thread)?),
                simple => plain(thread, simple)?,
            }
        }
    }

    /// athrow: the fault that it is.
    fn thrown(&self, thread: &mut Thread) -> Result<Fault, Fault> {
        let r = thread.pop_ref()?;
        self.accessible(thread.top.owner, r)?;
        self.initialised(thread, r)?;
        let class = self.expect_instance(r)?;
        if !self.assignable(class, Api::get().throwable) {
            return Err(mismatch("an exception", Value::Ref(r)).into());
        }
        Ok(Fault::Object(r))
    }

    /// Return from the running method. `Some` when it was the outermost one.
    fn give_back(
        &mut self,
        thread: &mut Thread,
        kind: Option<Kind>,
    ) -> Result<Option<Option<Value>>, Fault> {
        let mut value = match kind {
            None => None,
            Some(Kind::Ref) => {
                let r = thread.pop_ref()?;
                self.initialised(thread, r)?;
                Some(Value::Ref(r))
            }
            Some(Kind::Int) => Some(Value::Int(thread.pop_int()?)),
            Some(_) => Some(Value::Short(thread.pop_short()?)),
        };
        if thread.top.shareable {
            let r = value.and_then(Value::reference).unwrap_or(Ref::NULL);
            let class = if r.is_null() { None } else { self.class_of(r)? };
            let good = class.is_some_and(|c| self.assignable(c, Api::get().shareable));
            value = Some(Value::Ref(if good { r } else { Ref::NULL }));
        }
        thread.cells.truncate(thread.top.locals);
        let Some(caller) = thread.callers.pop() else {
            return Ok(Some(value));
        };
        thread.top = caller;
        match value {
            None => {}
            Some(Value::Int(v)) => thread.push_int(v)?,
            Some(value) => thread.push(value)?,
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
            Some(loaded) => !loaded.interface && !loaded.is_abstract,
            None => Api::get()
                .class(class)
                .is_some_and(|c| !c.interface && !c.is_abstract),
        };
        if !usable {
            return Err(VmError::NoClass("new of an interface or abstract class".into()).into());
        }
        let kind = self.blank(class, NativeState::None);
        let r = self.allocate(host, thread.top.owner, super::Storage::Persistent, kind)?;
        self.s.heap.get_mut(r)?.fresh = true;
        Ok(thread.push_ref(r)?)
    }

    fn new_array(
        &mut self,
        thread: &mut Thread,
        host: &mut dyn Host,
        kind: u8,
    ) -> Result<(), Fault> {
        let length = array_length(thread.pop_short()?)?;
        let width = match kind {
            12 => 2,
            13 => 4,
            _ => 1,
        };
        self.check_persistent(length * width)?;
        let contents = match kind {
            10 => Contents::bytes(true, length),
            11 => Contents::bytes(false, length),
            13 => Contents::Ints(vec![0; length].into()),
            _ => Contents::Shorts(vec![0; length].into()),
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
        self.check_persistent(2 * length)?;
        let contents = Contents::Refs {
            element,
            data: vec![Ref::NULL; length].into(),
        };
        let r = self.allocate(host, thread.top.owner, super::Storage::Persistent, contents)?;
        Ok(thread.push_ref(r)?)
    }
}

#[cold]
fn tell_instruction(thread: &Thread, host: &mut dyn Host, code: &Code, method: &Method) {
    let Some(at) = code.place(&thread.top) else {
        return;
    };
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

pub(crate) fn array_length(length: i16) -> Result<usize, Fault> {
    usize::try_from(length)
        .map_err(|_| Throw::new("java/lang/NegativeArraySizeException", 0).into())
}

pub(crate) fn pool_class(code: &Code, index: u16) -> Result<ClassRef, VmError> {
    match code.pool.get(usize::from(index)) {
        Some(Entry::Class(class)) => Ok(*class),
        _ => Err(VmError::NoClass(format!("constant {index} is no class"))),
    }
}

fn this(thread: &mut Thread) -> Result<Ref, Fault> {
    match *thread.local(0)? {
        Value::Ref(r) => Ok(r),
        other => Err(mismatch("reference", other).into()),
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

#[cold]
fn arithmetic() -> Fault {
    Throw::new("java/lang/ArithmeticException", 0).into()
}

/// Low half of an `int`.
fn low(v: i32) -> i16 {
    let [.., high, low] = v.to_be_bytes();
    i16::from_be_bytes([high, low])
}

/// Low byte of a short, with its sign.
pub(crate) fn byte(v: i16) -> i16 {
    let [_, low] = v.to_be_bytes();
    low.cast_signed().into()
}

#[inline(always)]
fn binary(op: Binary, a: i16, b: i16) -> Result<i16, Fault> {
    // JCVM ch. 7: shifts work on 32 bits and use the low five bits of the distance.
    let wide = i32::from(a);
    let distance = u32::from(b.cast_unsigned() & 0x1F);
    Ok(match op {
        Binary::Add => a.wrapping_add(b),
        Binary::Sub => a.wrapping_sub(b),
        Binary::Mul => a.wrapping_mul(b),
        Binary::Div | Binary::Rem if b == 0 => return Err(arithmetic()),
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

fn binary_int(op: Binary, a: i32, b: i32) -> Result<i32, Fault> {
    let distance = b.cast_unsigned() & 0x1F;
    Ok(match op {
        Binary::Add => a.wrapping_add(b),
        Binary::Sub => a.wrapping_sub(b),
        Binary::Mul => a.wrapping_mul(b),
        Binary::Div | Binary::Rem if b == 0 => return Err(arithmetic()),
        Binary::Div => a.wrapping_div(b),
        Binary::Rem => a.wrapping_rem(b),
        Binary::Shl => a.wrapping_shl(distance),
        Binary::Shr => a.wrapping_shr(distance),
        Binary::Ushr => a.cast_unsigned().wrapping_shr(distance).cast_signed(),
        Binary::And => a & b,
        Binary::Or => a | b,
        Binary::Xor => a ^ b,
    })
}

/// Instructions that touch nothing but the frame.
#[inline(always)]
fn plain(thread: &mut Thread, insn: Insn) -> Result<(), Fault> {
    match insn {
        Insn::Nop => {}
        Insn::Null => thread.push_ref(Ref::NULL)?,
        Insn::Const(v) => thread.push_short(v)?,
        Insn::ConstInt(v) => thread.push_int(v)?,
        Insn::LoadShort(index) => match *thread.local(index)? {
            value @ Value::Short(_) => thread.push(value)?,
            other => return Err(mismatch("short", other).into()),
        },
        Insn::LoadRef(index) => match *thread.local(index)? {
            value @ Value::Ref(_) => thread.push(value)?,
            other => return Err(mismatch("reference", other).into()),
        },
        Insn::LoadInt(index) => {
            let v = thread.local_int(index)?;
            thread.push_int(v)?;
        }
        Insn::StoreShort(index) => {
            let v = thread.pop_short()?;
            *thread.local(index)? = Value::Short(v);
        }
        Insn::StoreRef(index) => match thread.pop()? {
            value @ (Value::Ref(_) | Value::Addr(_)) => *thread.local(index)? = value,
            other => return Err(mismatch("reference", other).into()),
        },
        Insn::StoreInt(index) => {
            let v = thread.pop_int()?;
            thread.set_local_int(index, v)?;
        }
        Insn::Pop => {
            thread.whole(1)?;
            thread.pop()?;
        }
        Insn::Pop2 => {
            thread.whole(2)?;
            thread.pop()?;
            thread.pop()?;
        }
        Insn::Dup => {
            thread.whole(1)?;
            let value = thread.peek(0)?;
            thread.push(value)?;
        }
        Insn::DupX(m, n) => thread.dup(m.into(), n.into())?,
        Insn::Swap(m, n) => thread.swap(m.into(), n.into())?,
        Insn::Binary(op) => {
            let b = thread.pop_short()?;
            let a = thread.pop_short()?;
            thread.push_short(binary(op, a, b)?)?;
        }
        Insn::BinaryInt(op) => {
            let b = thread.pop_int()?;
            let a = thread.pop_int()?;
            thread.push_int(binary_int(op, a, b)?)?;
        }
        Insn::Neg => {
            let a = thread.pop_short()?;
            thread.push_short(a.wrapping_neg())?;
        }
        Insn::NegInt => {
            let a = thread.pop_int()?;
            thread.push_int(a.wrapping_neg())?;
        }
        Insn::Inc(index, by) => match thread.local(index)? {
            Value::Short(v) => *v = v.wrapping_add(by),
            other => return Err(mismatch("short", *other).into()),
        },
        Insn::IncInt(index, by) => {
            let v = thread.local_int(index)?;
            thread.set_local_int(index, v.wrapping_add(by.into()))?;
        }
        Insn::ToByte => {
            let v = thread.pop_short()?;
            thread.push_short(byte(v))?;
        }
        Insn::ToInt => {
            let v = thread.pop_short()?;
            thread.push_int(v.into())?;
        }
        Insn::IntToByte => {
            let v = thread.pop_int()?;
            thread.push_short(byte(low(v)))?;
        }
        Insn::IntToShort => {
            let v = thread.pop_int()?;
            thread.push_short(low(v))?;
        }
        Insn::CompareInt => {
            let b = thread.pop_int()?;
            let a = thread.pop_int()?;
            thread.push_short(match a.cmp(&b) {
                std::cmp::Ordering::Less => -1,
                std::cmp::Ordering::Equal => 0,
                std::cmp::Ordering::Greater => 1,
            })?;
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
        Insn::Ret(index) => match *thread.local(index)? {
            Value::Addr(pc) => thread.top.pc = pc,
            other => return Err(mismatch("return address", other).into()),
        },
        other => {
            return Err(
                VmError::Native(format!("{other:?}"), "not a plain instruction".into()).into(),
            );
        }
    }
    Ok(())
}
