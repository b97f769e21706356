//! What the VM tells of its work: the stuff that traces, breakpoints, profiles and cost models are made of.
//!
//! Nothing is told, and nothing is paid for, while [`super::Host::observer`] gives none.

use super::code::Code;
use super::heap::{Kind, Storage};
use super::thread::Frame;
use super::value::{ClassRef, Context, Owner, PackageId, Value};
use serde::{Deserialize, Serialize};
use std::any::Any;
use std::fmt;

/// A place in the code of a loaded package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The package.
    pub package: PackageId,
    /// Offset of the method's header in the Method component's info: what Descriptor and Debug know the
    /// method by.
    pub method: u16,
    /// Offset of the instruction's opcode in the Method component's info.
    pub pc: u16,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place {
            package,
            method,
            pc,
        } = self;
        write!(
            f,
            "package {}, method at {method:#06x}, instruction at {pc:#06x}",
            package.0
        )
    }
}

/// What kind of object was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// Instance of a class.
    Instance(ClassRef),
    /// `boolean[]`.
    Booleans,
    /// `byte[]`.
    Bytes,
    /// `short[]`.
    Shorts,
    /// `int[]`.
    Ints,
    /// Array of references to this class or interface.
    References(ClassRef),
}

impl Made {
    pub(crate) fn of(kind: &Kind) -> Self {
        match kind {
            Kind::Instance { class, .. } => Made::Instance(*class),
            Kind::Bytes { boolean: true, .. } => Made::Booleans,
            Kind::Bytes { .. } => Made::Bytes,
            Kind::Shorts(_) => Made::Shorts,
            Kind::Ints(_) => Made::Ints,
            Kind::Refs { element, .. } => Made::References(*element),
        }
    }
}

/// Something that happened in the VM. `depth` is the number of frames of loaded code, 1 for the outermost.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A thread starts to run, or goes on: its frames, outermost first (none for one that starts).
    Started {
        /// Where each frame stands.
        frames: &'a [Place],
    },
    /// The thread ended, or waits for the card.
    Stopped {
        /// True if it waits and will be [`Event::Started`] again.
        suspended: bool,
    },
    /// An instruction is about to be executed.
    Instruction {
        /// Where.
        at: Place,
        /// Its opcode (JCVM ch. 7).
        opcode: u8,
        /// Frames of loaded code.
        depth: usize,
        /// The method's arguments and local variables.
        locals: &'a [Value],
        /// Operand stack, bottom first.
        stack: &'a [Value],
    },
    /// A method of a loaded package was entered.
    Entered {
        /// Its first instruction.
        at: Place,
        /// Who runs in it.
        owner: Owner,
        /// Frames, this one included.
        depth: usize,
    },
    /// A method of a loaded package was left.
    Left {
        /// Its last instruction.
        at: Place,
        /// True if an exception left it.
        thrown: bool,
        /// Frames, this one included.
        depth: usize,
    },
    /// A method of an API package is called.
    Native {
        /// Full name of the class that declares it, with slashes.
        class: &'static str,
        /// Name; `<init>` for a constructor.
        method: &'static str,
        /// JVM descriptor.
        descriptor: &'static str,
        /// Bytes that the call is about: the length argument that follows its first array and offset; 0
        /// if it has none.
        bytes: usize,
        /// The calling instruction; `None` if the runtime calls.
        at: Option<Place>,
        /// Who calls.
        caller: Owner,
    },
    /// An object or array of an applet was made.
    Allocated {
        /// What.
        what: Made,
        /// Memory that holds the contents.
        storage: Storage,
        /// Non-volatile bytes, the object's header included.
        persistent: usize,
        /// Transient bytes.
        transient: usize,
        /// Whose it is.
        owner: Owner,
    },
    /// One persistent write became durable: outside a transaction, or the commit of one.
    Written {
        /// Bytes of contents (a commit: all that the transaction has changed).
        bytes: usize,
        /// Whose data; `None` for a commit.
        context: Option<Context>,
    },
    /// `beginTransaction`.
    Began,
    /// A transaction ended without a commit.
    Aborted {
        /// Bytes of its log.
        bytes: usize,
    },
    /// An exception was thrown, by `athrow`, an instruction, or a native method.
    Thrown {
        /// Name of the nearest class of an API package, with slashes.
        class: &'a str,
        /// Reason code, 0 for classes without one.
        reason: i16,
        /// The instruction; `None` if no code of a loaded package runs.
        at: Option<Place>,
    },
}

/// Who is told what the VM does. Set one with [`crate::card::VirtualCard::observe`].
pub trait Observer: Any + Send + Sync {
    /// Something happened.
    fn event(&mut self, event: &Event<'_>);
}

/// Room for an observer in a card, which a copy or a stored form of the card doesn't have.
#[derive(Default)]
pub(crate) struct Slot(pub Option<Box<dyn Observer>>);

impl Clone for Slot {
    fn clone(&self) -> Self {
        Slot(None)
    }
}

impl Code {
    /// Where a frame of this package stands: the instruction that runs, or ran last.
    pub(crate) fn place(&self, frame: &Frame) -> Option<Place> {
        let method = self.methods.get(usize::from(frame.method))?;
        let at = usize::from(frame.pc.saturating_sub(1));
        Some(Place {
            package: frame.package,
            method: method.offset,
            pc: method.source.get(at)?.0,
        })
    }
}
