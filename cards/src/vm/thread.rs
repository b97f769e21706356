//! A thread of execution as a plain value: its frames, and what it waits for.

use super::apdu::ApduState;
use super::error::{Throw, VmError};
use super::value::{InstanceId, Owner, PackageId, Value};
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
    Trap(VmError),
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
    pub(crate) frames: Vec<Frame>,
    pub(crate) state: State,
    /// The APDU that this thread processes, if it does.
    pub(crate) apdu: Option<ApduState>,
    /// Logical channel that the command came on.
    pub(crate) channel: u8,
    /// True while this is select() or the process() of the SELECT that selected the applet.
    pub(crate) selecting: bool,
    /// Applet instance that the card called.
    pub(crate) instance: Option<InstanceId>,
    pub(crate) fuel: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum State {
    Ready,
    /// Waits for the result of a native method with this return type (last part of the descriptor).
    Waiting {
        returns: char,
    },
    Dead,
}

/// Activation of one method.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Frame {
    pub package: PackageId,
    pub method: u16,
    /// Index of the next instruction.
    pub pc: u16,
    pub locals: Vec<Value>,
    pub stack: Vec<Value>,
    /// Who runs in this frame.
    pub owner: Owner,
    /// What the caller wants of the result.
    pub kind: FrameKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum FrameKind {
    /// Called by Java code or by the card: the result goes to the caller as it is.
    Plain,
    /// getShareableInterfaceObject called by the runtime: the result must be null or a Shareable.
    Shareable,
}

impl Thread {
    /// True while it waits for [`super::Vm::resume`].
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        matches!(self.state, State::Waiting { .. })
    }

    /// Applet instance that the card called when it made this thread.
    #[must_use]
    pub fn instance(&self) -> Option<InstanceId> {
        self.instance
    }

    /// What process() has done with the APDU: its response data. `None` if the thread has no APDU.
    #[must_use]
    pub fn apdu(&self) -> Option<&ApduState> {
        self.apdu.as_ref()
    }
}
