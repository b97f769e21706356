//! A thread of execution as a plain value: its frames, and what it waits for.

use super::apdu::ApduState;
use super::api::Ret;
use super::code::MethodRef;
use super::error::{Throw, Trap, VmError};
use super::limits::FRAME_BYTES;
use super::value::{InstanceId, Owner, PackageId, Ref, Value};
use serde::{Deserialize, Serialize};

/// How a run of a thread ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The method returned; `None` for `void`.
    Returned(Option<Value>),
    /// An exception that nobody caught.
    Uncaught {
        /// Class name with slashes; for a class of a loaded package, its nearest API superclass.
        exception: String,
        /// Reason code; 0 for classes without one.
        reason: i16,
    },
    /// A native method of the card suspended the thread: keep it, and go on with [`super::Vm::resume`].
    Suspended,
    /// The power was cut before a persistent write. Nothing of that write is on the card; the open
    /// transaction is rolled back by [`super::Vm::reset`]. The thread is dead.
    PowerCut,
    /// The instruction limit was passed. The thread is dead.
    OutOfFuel,
    /// The CAP did what a verified CAP cannot do. The thread is dead.
    Trap(Trap),
}

/// What a suspended call gives back to the applet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resume {
    /// The native method returns this.
    Return(Option<Value>),
    /// The native method throws this.
    Throw(Throw),
}

/// One thread of Java execution. Plain data: it can be kept, cloned and stored while it is suspended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Thread {
    /// Callers of `top`, outermost first.
    pub(crate) callers: Vec<Frame>,
    /// The running frame; meaningless in [`State::Start`] and [`State::Dead`].
    pub(crate) top: Frame,
    /// Locals and operand stacks of all frames; a call's arguments become the callee's first locals.
    pub(crate) cells: Vec<Value>,
    pub(crate) state: State,
    /// The APDU that this thread processes, if it does.
    pub(crate) apdu: Option<ApduState>,
    /// Logical channel that the command came on.
    pub(crate) channel: u8,
    /// True while this is select() or the process() of the SELECT that selected the applet.
    pub(crate) selecting: bool,
    /// Applet instance that the card called.
    pub(crate) instance: Option<InstanceId>,
    /// Instructions left in this run.
    pub(crate) fuel: u64,
    /// Deepest stack so far, in bytes.
    pub(crate) max_stack: usize,
    /// Someone is told of every instruction in this run.
    #[serde(skip)]
    pub(crate) observed: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum State {
    /// Not yet run: the method, its arguments, and who is to run.
    Start {
        target: MethodRef,
        args: Vec<Value>,
        owner: Owner,
    },
    /// In the middle of bytecode (only while it is being run).
    Running,
    /// Waits for the result of a native method with this return type.
    Waiting(Ret),
    Dead,
}

/// Activation of one method.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Frame {
    pub package: PackageId,
    pub method: u16,
    /// Index of the next instruction.
    pub pc: u16,
    /// First local in the thread's cells.
    pub locals: usize,
    /// First cell of the operand stack; the locals end here.
    pub floor: usize,
    /// End of the operand stack by the method's declaration.
    pub ceiling: usize,
    /// Who runs in this frame.
    pub owner: Owner,
    /// True for getShareableInterfaceObject called on behalf of the frame below: the result must be
    /// null or a Shareable, an exception becomes null.
    pub shareable: bool,
    /// The package was verified: what a verifier proves is not checked again.
    pub trusted: bool,
}

impl Frame {
    pub const NONE: Frame = Frame {
        package: PackageId(0),
        method: 0,
        pc: 0,
        locals: 0,
        floor: 0,
        ceiling: 0,
        owner: Owner::JCRE,
        shareable: false,
        trusted: false,
    };
}

impl Thread {
    pub(crate) fn new(target: MethodRef, args: Vec<Value>, owner: Owner) -> Self {
        Thread {
            callers: Vec::new(),
            top: Frame::NONE,
            cells: Vec::new(),
            state: State::Start {
                target,
                args,
                owner,
            },
            apdu: None,
            channel: 0,
            selecting: false,
            instance: owner.instance,
            fuel: 0,
            max_stack: 0,
            observed: false,
        }
    }

    /// True while it waits for [`super::Vm::resume`].
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        matches!(self.state, State::Waiting(_))
    }

    /// Applet instance that the card called when it made this thread.
    #[must_use]
    pub fn instance(&self) -> Option<InstanceId> {
        self.instance
    }

    /// Logical channel of the command that this thread serves.
    #[must_use]
    pub fn channel(&self) -> u8 {
        self.channel
    }

    /// What process() has done with the APDU: its response data. `None` if the thread has no APDU.
    #[must_use]
    pub fn apdu(&self) -> Option<&ApduState> {
        self.apdu.as_ref()
    }

    /// Deepest stack of this thread so far, in bytes of the card's RAM.
    #[must_use]
    pub fn max_stack(&self) -> usize {
        self.max_stack
    }

    /// Every reference that the thread holds: roots for the collector.
    pub(crate) fn references(&self) -> impl Iterator<Item = Ref> + '_ {
        let args = match &self.state {
            State::Start { args, .. } => args.as_slice(),
            _ => &[],
        };
        self.cells.iter().chain(args).filter_map(|v| v.reference())
    }

    /// Bytes of RAM that the frames take.
    pub(crate) fn stack_bytes(&self) -> usize {
        2 * self.top.ceiling + FRAME_BYTES * (self.callers.len() + 1)
    }

    #[inline]
    pub(crate) fn push(&mut self, v: Value) -> Result<(), VmError> {
        if self.cells.len() >= self.top.ceiling {
            return Err(VmError::Stack("overflow", self.depth()));
        }
        self.cells.push(v);
        Ok(())
    }

    #[inline]
    pub(crate) fn push_short(&mut self, v: i16) -> Result<(), VmError> {
        self.push(Value::Short(v))
    }

    pub(crate) fn push_int(&mut self, v: i32) -> Result<(), VmError> {
        self.push(Value::Int(v))?;
        self.push(Value::Rest)
    }

    pub(crate) fn push_bool(&mut self, v: bool) -> Result<(), VmError> {
        self.push(Value::Short(v.into()))
    }

    pub(crate) fn push_ref(&mut self, v: Ref) -> Result<(), VmError> {
        self.push(Value::Ref(v))
    }

    #[inline]
    pub(crate) fn pop(&mut self) -> Result<Value, VmError> {
        if self.cells.len() <= self.top.floor {
            return Err(self.underflow());
        }
        self.cells.pop().ok_or_else(|| self.underflow())
    }

    #[cold]
    fn underflow(&self) -> VmError {
        VmError::Stack("underflow", self.depth())
    }

    pub(crate) fn pop_int(&mut self) -> Result<i32, VmError> {
        match self.pop()? {
            Value::Rest => {}
            other => return Err(mismatch("int", other)),
        }
        match self.pop()? {
            Value::Int(v) => Ok(v),
            other => Err(mismatch("int", other)),
        }
    }

    #[inline]
    pub(crate) fn pop_short(&mut self) -> Result<i16, VmError> {
        match self.pop()? {
            Value::Short(v) => Ok(v),
            other => Err(mismatch("short", other)),
        }
    }

    #[inline]
    pub(crate) fn pop_ref(&mut self) -> Result<Ref, VmError> {
        match self.pop()? {
            Value::Ref(v) => Ok(v),
            other => Err(mismatch("reference", other)),
        }
    }

    /// Cell `n` from the top of the operand stack (0: the top).
    pub(crate) fn peek(&self, n: usize) -> Result<Value, VmError> {
        let operands = self.operands();
        let at = operands.len().checked_sub(n + 1);
        at.and_then(|at| operands.get(at).copied())
            .ok_or_else(|| self.underflow())
    }

    /// The operand stack of the running frame, bottom first.
    pub(crate) fn operands(&self) -> &[Value] {
        self.cells.get(self.top.floor..).unwrap_or(&[])
    }

    /// Removes the top `out.len()` operands and gives them, bottom first.
    pub(crate) fn take(&mut self, out: &mut [Value]) -> Result<(), VmError> {
        let n = out.len();
        if self.operands().len() < n {
            return Err(self.underflow());
        }
        let at = self.cells.len() - n;
        out.copy_from_slice(self.cells.get(at..).unwrap_or(&[]));
        self.cells.truncate(at);
        Ok(())
    }

    /// Checks that the top `n` cells are there and don't begin in the middle of an `int`.
    #[inline]
    pub(crate) fn whole(&self, n: usize) -> Result<(), VmError> {
        match n.checked_sub(1) {
            None => Ok(()),
            Some(last) => match self.peek(last)? {
                Value::Rest => Err(mismatch("whole words", Value::Rest)),
                _ => Ok(()),
            },
        }
    }

    /// dup2, dup_x: copies the `m` top cells below the `n`-th (0: on top).
    pub(crate) fn dup(&mut self, m: usize, n: usize) -> Result<(), VmError> {
        let n = n.max(m);
        self.whole(m)?;
        self.whole(n)?;
        let at = self.cells.len() - n;
        for _ in 0..m {
            // The cell that is `m` below the next one: the copies, in order.
            let value = self.peek(m - 1)?;
            self.push(value)?;
        }
        if let Some(moved) = self.cells.get_mut(at..) {
            moved.rotate_right(m);
        }
        Ok(())
    }

    /// swap_x: the `m` top cells go below the `n` next ones.
    pub(crate) fn swap(&mut self, m: usize, n: usize) -> Result<(), VmError> {
        self.whole(m)?;
        self.whole(m + n)?;
        let at = self.cells.len() - m - n;
        if let Some(moved) = self.cells.get_mut(at..) {
            moved.rotate_left(n);
        }
        Ok(())
    }

    /// The `int` in two local variables.
    pub(crate) fn local_int(&mut self, index: u8) -> Result<i32, VmError> {
        match *self.local(index)? {
            Value::Int(v) => match *self.local(index.saturating_add(1))? {
                Value::Rest => Ok(v),
                other => Err(mismatch("int", other)),
            },
            other => Err(mismatch("int", other)),
        }
    }

    pub(crate) fn set_local_int(&mut self, index: u8, v: i32) -> Result<(), VmError> {
        *self.local(index.saturating_add(1))? = Value::Rest;
        *self.local(index)? = Value::Int(v);
        Ok(())
    }

    #[inline]
    pub(crate) fn local(&mut self, index: u8) -> Result<&mut Value, VmError> {
        let (locals, floor) = (self.top.locals, self.top.floor);
        let at = locals + usize::from(index);
        match self.cells.get_mut(at) {
            Some(cell) if at < floor => Ok(cell),
            _ => Err(VmError::Local(
                index.into(),
                u16::try_from(floor - locals).unwrap_or(u16::MAX),
            )),
        }
    }

    fn depth(&self) -> u8 {
        u8::try_from(self.top.ceiling.saturating_sub(self.top.floor)).unwrap_or(u8::MAX)
    }
}

#[cold]
pub(crate) fn mismatch(expected: &'static str, found: Value) -> VmError {
    let found = match found {
        Value::Short(v) => format!("the number {v}"),
        Value::Int(v) => format!("the first cell of the int {v}"),
        Value::Rest => "the second cell of an int".into(),
        Value::Unset => "a variable that nothing was stored into".into(),
        Value::Ref(r) if r.is_null() => "null".into(),
        Value::Ref(r) => format!("reference {}", r.0),
        Value::Addr(_) => "a return address".into(),
    };
    VmError::Type {
        expected: expected.into(),
        found,
    }
}
