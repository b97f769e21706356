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

    pub(crate) fn push(&mut self, v: Value) -> Result<(), VmError> {
        if self.cells.len() >= self.top.ceiling {
            return Err(VmError::Stack("overflow", self.depth()));
        }
        self.cells.push(v);
        Ok(())
    }

    pub(crate) fn push_short(&mut self, v: i16) -> Result<(), VmError> {
        self.push(Value::Short(v))
    }

    pub(crate) fn push_bool(&mut self, v: bool) -> Result<(), VmError> {
        self.push(Value::Short(v.into()))
    }

    pub(crate) fn push_ref(&mut self, v: Ref) -> Result<(), VmError> {
        self.push(Value::Ref(v))
    }

    pub(crate) fn pop(&mut self) -> Result<Value, VmError> {
        if self.cells.len() <= self.top.floor {
            return Err(VmError::Stack("underflow", self.depth()));
        }
        self.cells
            .pop()
            .ok_or(VmError::Stack("underflow", self.depth()))
    }

    pub(crate) fn pop_short(&mut self) -> Result<i16, VmError> {
        match self.pop()? {
            Value::Short(v) => Ok(v),
            other => Err(mismatch("short", other)),
        }
    }

    pub(crate) fn pop_ref(&mut self) -> Result<Ref, VmError> {
        match self.pop()? {
            Value::Ref(v) => Ok(v),
            other => Err(mismatch("reference", other)),
        }
    }

    /// Cell `n` from the top of the operand stack (0: the top).
    pub(crate) fn peek(&self, n: usize) -> Result<Value, VmError> {
        self.operands()
            .iter()
            .rev()
            .nth(n)
            .copied()
            .ok_or(VmError::Stack("underflow", self.depth()))
    }

    /// The operand stack of the running frame, bottom first.
    pub(crate) fn operands(&self) -> &[Value] {
        self.cells.get(self.top.floor..).unwrap_or(&[])
    }

    /// Removes the top `n` operands and gives them, bottom first.
    pub(crate) fn take(&mut self, n: usize) -> Result<Vec<Value>, VmError> {
        if self.operands().len() < n {
            return Err(VmError::Stack("underflow", self.depth()));
        }
        let at = self.cells.len() - n;
        Ok(self.cells.split_off(at))
    }

    pub(crate) fn local(&mut self, index: u8) -> Result<&mut Value, VmError> {
        let (locals, floor) = (self.top.locals, self.top.floor);
        let at = locals + usize::from(index);
        self.cells
            .get_mut(at)
            .filter(|_| at < floor)
            .ok_or(VmError::Local(
                index.into(),
                u16::try_from(floor - locals).unwrap_or(u16::MAX),
            ))
    }

    fn depth(&self) -> u8 {
        u8::try_from(self.top.ceiling.saturating_sub(self.top.floor)).unwrap_or(u8::MAX)
    }
}

pub(crate) fn mismatch(expected: &'static str, found: Value) -> VmError {
    let found = match found {
        Value::Short(v) => format!("the number {v}"),
        Value::Ref(r) if r.is_null() => "null".into(),
        Value::Ref(r) => format!("reference {}", r.0),
        Value::Addr(_) => "a return address".into(),
    };
    VmError::Type {
        expected: expected.into(),
        found,
    }
}
