//! What can go wrong, from the outside (a bad load file) and inside (an exception, a broken CAP).

use super::observer::Place;
use super::value::{PackageId, Ref};
use crate::power::PowerCut;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A Java exception that the runtime or a native method throws.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Throw {
    /// Full class name with slashes, e.g. `javacard/framework/SystemException`; a class of an API package.
    pub class: Cow<'static, str>,
    /// Reason code; 0 for classes without one.
    pub reason: i16,
}

impl Throw {
    /// An exception of an API class with a reason code.
    pub fn new(class: &'static str, reason: i16) -> Self {
        Throw {
            class: Cow::Borrowed(class),
            reason,
        }
    }
    /// `javacard.framework.ISOException` with a status word.
    #[must_use]
    pub fn iso(sw: u16) -> Self {
        Throw::new("javacard/framework/ISOException", sw.cast_signed())
    }
    /// `javacard.framework.SystemException`.
    #[must_use]
    pub fn system(reason: i16) -> Self {
        Throw::new("javacard/framework/SystemException", reason)
    }
    /// `java.lang.SecurityException`: the firewall refused.
    #[must_use]
    pub fn security() -> Self {
        Throw::new("java/lang/SecurityException", 0)
    }
    /// `java.lang.NullPointerException`.
    #[must_use]
    pub fn null_pointer() -> Self {
        Throw::new("java/lang/NullPointerException", 0)
    }
    /// `java.lang.ArrayIndexOutOfBoundsException`.
    #[must_use]
    pub fn bounds() -> Self {
        Throw::new("java/lang/ArrayIndexOutOfBoundsException", 0)
    }
}

/// Reasons of `SystemException`.
pub mod system {
    /// A parameter is out of range.
    pub const ILLEGAL_VALUE: i16 = 1;
    /// No room among transient memory.
    pub const NO_TRANSIENT_SPACE: i16 = 2;
    /// CLEAR_ON_DESELECT where the caller is not the selected applet.
    pub const ILLEGAL_TRANSIENT: i16 = 3;
    /// The AID is not allowed here.
    pub const ILLEGAL_AID: i16 = 4;
    /// No room among persistent memory or another resource.
    pub const NO_RESOURCE: i16 = 5;
    /// Not allowed here.
    pub const ILLEGAL_USE: i16 = 6;
}

/// Why a native method or an instruction did not finish. Use with `?` in natives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A Java exception is thrown at the call.
    Throw(Throw),
    /// An exception object that exists already is thrown.
    Object(Ref),
    /// The thread stops here; [`super::Vm::resume`] delivers the result of the call later.
    Suspend,
    /// The power is gone.
    PowerCut,
    /// The CAP did what a verified CAP cannot do, or a limit was passed.
    Trap(VmError),
}

impl From<Throw> for Fault {
    fn from(t: Throw) -> Self {
        Fault::Throw(t)
    }
}
impl From<PowerCut> for Fault {
    fn from(_: PowerCut) -> Self {
        Fault::PowerCut
    }
}
impl From<VmError> for Fault {
    fn from(e: VmError) -> Self {
        Fault::Trap(e)
    }
}

/// The VM refuses to go on: the CAP is broken, or the caller asks for what isn't there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum VmError {
    /// Operand stack empty or overfull against the method's declaration.
    #[error("operand stack {0} in a method that declares {1} cells")]
    Stack(&'static str, u8),
    /// A number where a reference is needed, or the other way round.
    #[error("type mismatch: expected {expected}, found {found}")]
    Type {
        /// What the instruction needs.
        expected: Cow<'static, str>,
        /// What it found.
        found: String,
    },
    /// A local variable beyond the method's frame.
    #[error("local variable {0} is outside the frame of {1}")]
    Local(u16, u16),
    /// A field cell beyond the object.
    #[error("field cell {0} is outside an object of {1} cells")]
    Field(u16, u16),
    /// A static field cell that the package doesn't have.
    #[error("static field cell {0} does not exist")]
    Static(u16),
    /// Execution ran past the end of a method or jumped outside it.
    #[error("execution left the method's code")]
    Code,
    /// A reference to an object that was deleted.
    #[error("reference {0} points to no object")]
    Dangling(u32),
    /// The method that a call resolves to does not exist.
    #[error("no method: {0}")]
    NoMethod(String),
    /// A class that isn't there.
    #[error("no class: {0}")]
    NoClass(String),
    /// The package isn't on the card (any more).
    #[error("package {} is not on the card", .0.0)]
    NoPackage(PackageId),
    /// The applet instance isn't on the card (any more).
    #[error("applet instance {0} is not on the card")]
    NoInstance(u16),
    /// The AID belongs to a package or instance on the card.
    #[error("AID {0} is already on the card")]
    Exists(String),
    /// The package is active on another channel and the applet doesn't implement MultiSelectable.
    #[error(
        "applet instance {0} cannot be selected while its package is active on another channel"
    )]
    NotMultiselectable(u16),
    /// Bytes that are no command APDU.
    #[error("command APDU: {0}")]
    Apdu(String),
    /// The thread can't be run like this.
    #[error("the thread is not in a state to {0}")]
    Thread(&'static str),
    /// Neither the VM nor the card implements this API method.
    #[error("API method {0} is not supported by this card")]
    NotSupported(String),
    /// A native method of the card broke its own contract.
    #[error("native method {0}: {1}")]
    Native(String, String),
}

/// The end of a thread whose code did what no verified code does, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}{}", .at.map(|at| format!(" ({at})")).unwrap_or_default())]
pub struct Trap {
    /// What was wrong: expected and found.
    pub error: VmError,
    /// The instruction; `None` if no code of a loaded package was running.
    pub at: Option<Place>,
}

impl Trap {
    /// True if the code broke the type safety that a verifier proves (JCVM 3.0.4, 1.3): a verifier that
    /// accepts such a package is wrong. False for what a verified package may do as well, such as a call
    /// of an API method that this card doesn't have.
    #[must_use]
    pub fn breaks_type_safety(&self) -> bool {
        match self.error {
            VmError::Stack(..)
            | VmError::Type { .. }
            | VmError::Local(..)
            | VmError::Field(..)
            | VmError::Static(_)
            | VmError::Code
            | VmError::Dangling(_)
            | VmError::NoMethod(_)
            | VmError::NoClass(_) => true,
            VmError::NoPackage(_)
            | VmError::NoInstance(_)
            | VmError::Exists(_)
            | VmError::NotMultiselectable(_)
            | VmError::Apdu(_)
            | VmError::Thread(_)
            | VmError::NotSupported(_)
            | VmError::Native(..) => false,
        }
    }
}

impl From<VmError> for Trap {
    fn from(error: VmError) -> Self {
        Trap { error, at: None }
    }
}

/// Why a load file is refused. Nothing of it stays on the card.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// The components can't be read.
    #[error("the load file can't be read: {0}")]
    Format(String),
    /// A package that it imports is not on the card, or not in a version that fits (JCVM 4.5.2).
    #[error("import {name} {major}.{minor}: {reason}")]
    Import {
        /// AID in hex, with the name if it is known.
        name: String,
        /// Version asked for.
        major: u8,
        /// Version asked for.
        minor: u8,
        /// What the card has.
        reason: String,
    },
    /// A package with this AID is on the card.
    #[error("a package with AID {0} is already on the card")]
    Exists(String),
    /// A reference leads nowhere, or a method's code is broken.
    #[error("{component} component, offset {offset}: {reason}")]
    Link {
        /// Name of the component.
        component: String,
        /// Byte offset in the component's info (JCVM ch. 6), or index of the constant pool entry.
        offset: usize,
        /// What is wrong.
        reason: String,
    },
    /// The code uses what this VM doesn't do (`int`, native methods in a load file, ...).
    #[error("not supported by this card: {0}")]
    NotSupported(String),
    /// No room.
    #[error("the package needs {needed} bytes of persistent memory, {free} are free")]
    Memory {
        /// Bytes that it would take.
        needed: usize,
        /// Bytes that are left.
        free: usize,
    },
    /// The power went away before the package was registered.
    #[error("the power was cut")]
    PowerCut,
}

/// Why a deletion is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeleteError {
    /// Something else needs it (GlobalPlatform: 6985).
    #[error("still in use: {0}")]
    InUse(String),
    /// It isn't there (6A88).
    #[error("not on the card")]
    NotFound,
    /// The power went away before the deletion.
    #[error("the power was cut")]
    PowerCut,
}
