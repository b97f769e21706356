//! The names that everything in the VM is called by: values, references, classes, contexts.

use serde::{Deserialize, Serialize};

/// Handle of an object on the card's heap; [`Ref::NULL`] is Java's `null`.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct Ref(pub(crate) u32);

impl Ref {
    /// Java's `null`.
    pub const NULL: Ref = Ref(0);

    /// True for `null`.
    #[must_use]
    pub fn is_null(self) -> bool {
        self.0 == 0
    }
}

/// One cell of the operand stack, of the locals, of a field. Tagged, so that a CAP that mixes up
/// numbers and references is stopped and not obeyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Value {
    /// `short`, `byte`, `boolean`.
    Short(i16),
    /// `int`: the first of its two cells. On the stack, and as a result; a field or array holds its bytes.
    Int(i32),
    /// The second cell of an `int`.
    Rest,
    /// Object reference or `null`.
    Ref(Ref),
    /// Return address of a `jsr`: index of an instruction of the same method.
    Addr(u16),
    /// A local variable that nothing was stored into.
    Unset,
}

impl Value {
    /// `null`.
    pub const NULL: Value = Value::Ref(Ref::NULL);

    /// The number, if it is one.
    #[must_use]
    pub fn short(self) -> Option<i16> {
        match self {
            Value::Short(v) => Some(v),
            _ => None,
        }
    }

    /// The `int`, if it is one.
    #[must_use]
    pub fn int(self) -> Option<i32> {
        match self {
            Value::Int(v) => Some(v),
            _ => None,
        }
    }

    /// The reference, if it is one.
    #[must_use]
    pub fn reference(self) -> Option<Ref> {
        match self {
            Value::Ref(r) => Some(r),
            _ => None,
        }
    }
}

/// Package on the card. API packages have small numbers, loaded ones start at [`PackageId::FIRST_LOADED`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PackageId(pub u16);

impl PackageId {
    /// Number of the first package that was loaded onto the card.
    pub const FIRST_LOADED: PackageId = PackageId(0x100);

    /// True for a package that came in a load file.
    #[must_use]
    pub fn is_loaded(self) -> bool {
        self >= Self::FIRST_LOADED
    }
}

/// Class or interface: its package, and its token (API package) or its place in the Class component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ClassRef {
    /// Where it is defined.
    pub package: PackageId,
    /// API package: class token. Loaded package: index of the class in the order of its component.
    pub class: u16,
}

/// Applet instance; numbers are never used twice on a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InstanceId(pub u16);

/// Firewall context (JCRE 6.1): all instances of one package share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Context {
    /// The runtime's own, which may reach everything.
    Jcre,
    /// The group context of a loaded package.
    Package(PackageId),
}

/// Who owns an object, or who is running (JCRE 6.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Owner {
    /// Context that the firewall compares.
    pub context: Context,
    /// Applet instance that the memory is accounted to; `None` for the runtime.
    pub instance: Option<InstanceId>,
}

impl Owner {
    /// The runtime itself.
    pub const JCRE: Owner = Owner {
        context: Context::Jcre,
        instance: None,
    };
}
