//! Linked code: what a load file becomes on the card. Made once by the linker, shared by clones of the
//! card, never stored.

use super::api::NativeId;
use super::value::{ClassRef, PackageId};

/// A linked package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Code {
    pub aid: Vec<u8>,
    pub major: u8,
    pub minor: u8,
    /// Packages that it imports, in the order of its Import component.
    pub imports: Vec<PackageId>,
    /// Constant pool, resolved.
    pub pool: Vec<Entry>,
    /// Interfaces and classes in the order of the Class component.
    pub classes: Vec<Class>,
    pub methods: Vec<Method>,
    pub statics: Statics,
    /// Applet AIDs with the index of their install method.
    pub applets: Vec<(Vec<u8>, u16)>,
    /// What other packages may link to, by class token.
    pub exports: Vec<Exported>,
    /// Bytes that the package takes on the card.
    pub size: usize,
}

/// Constant pool entry, resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    Class(ClassRef),
    /// Field of objects that are instances of `class`.
    Field {
        class: ClassRef,
        cell: u16,
    },
    /// Call that is bound at run time by the receiver's class.
    Virtual {
        class: ClassRef,
        token: u8,
        nargs: u8,
    },
    /// Call of a superclass's method, a static method, a constructor or a private method.
    Method {
        target: MethodRef,
        nargs: u8,
        is_super: bool,
    },
    /// Static field: byte offset into the image of its package.
    Static {
        package: PackageId,
        offset: u16,
    },
}

/// A method, bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum MethodRef {
    /// Bytecode of a loaded package.
    Java { package: PackageId, method: u16 },
    /// Method of an API package.
    Native(NativeId),
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Class {
    pub interface: bool,
    /// The interface extends Shareable, or the class implements an interface that does.
    pub shareable: bool,
    pub superclass: Option<ClassRef>,
    /// Cells of an instance, superclasses included.
    pub cells: u16,
    /// Cells that the superclasses take.
    pub first_cell: u16,
    /// Cells that hold references: first and number, this class only.
    pub references: (u16, u16),
    pub public_base: u8,
    /// Index of the method by token; `None`: a superclass in another package has it.
    pub public: Vec<Option<u16>>,
    pub package_base: u8,
    pub package: Vec<Option<u16>>,
    /// Interfaces (all of them) with the map from interface method token to virtual method token;
    /// for an interface its superinterfaces, with empty maps.
    pub interfaces: Vec<(ClassRef, Vec<u8>)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Method {
    /// Offset in the Method component.
    pub offset: u16,
    pub is_abstract: bool,
    pub nargs: u8,
    pub max_stack: u8,
    /// Locals besides the arguments.
    pub max_locals: u8,
    pub code: Vec<Insn>,
    /// Of each instruction: its offset in the Method component, its opcode.
    pub source: Vec<(u16, u8)>,
    pub handlers: Vec<Handler>,
    pub switches: Vec<Switch>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Handler {
    /// Instructions `start..end` are covered.
    pub start: u16,
    pub end: u16,
    pub target: u16,
    /// `None` catches everything.
    pub catch: Option<ClassRef>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Switch {
    Table {
        default: u16,
        low: i16,
        targets: Vec<u16>,
    },
    /// Sorted by match value.
    Lookup {
        default: u16,
        pairs: Vec<(i16, u16)>,
    },
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Statics {
    /// Reference cells, at the start of the image.
    pub references: u16,
    /// Arrays that the first references point to: type (2 boolean, 3 byte, 4 short), bytes.
    pub arrays: Vec<(u8, Vec<u8>)>,
    /// Initial bytes after the references.
    pub data: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exported {
    pub class: u16,
    /// Offsets in the static image by field token.
    pub fields: Vec<u16>,
    /// Method index by static method token.
    pub methods: Vec<u16>,
}

/// Kind of value that an instruction moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Ref,
    Byte,
    Short,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cond {
    Eq,
    Ne,
    Lt,
    Ge,
    Gt,
    Le,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Shl,
    Shr,
    Ushr,
    And,
    Or,
    Xor,
}

/// What checkcast and instanceof compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TypeTest {
    /// Class or interface by constant pool index.
    Class(u16),
    Booleans,
    Bytes,
    Shorts,
    /// Array of references to this class or interface.
    Refs(u16),
}

/// One instruction; branch targets are instruction indexes of the same method, pool indexes were
/// checked by the linker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Insn {
    Nop,
    Null,
    Const(i16),
    Load(Kind, u8),
    Store(Kind, u8),
    ArrayLoad(Kind),
    ArrayStore(Kind),
    Pop(u8),
    /// dup_x m n: copies the m top cells below the n-th (0: on top).
    Dup(u8, u8),
    Swap(u8, u8),
    Binary(Binary),
    Neg,
    Inc(u8, i16),
    ToByte,
    If(Cond, u16),
    IfNull(bool, u16),
    IfSame(bool, u16),
    IfCompare(Cond, u16),
    Goto(u16),
    Jsr(u16),
    Ret(u8),
    Switch(u16),
    Return(Option<Kind>),
    GetStatic(Kind, u16),
    PutStatic(Kind, u16),
    GetField(Kind, u16),
    PutField(Kind, u16),
    GetThis(Kind, u16),
    PutThis(Kind, u16),
    InvokeVirtual(u16),
    InvokeSpecial(u16),
    InvokeStatic(u16),
    InvokeInterface {
        nargs: u8,
        class: u16,
        token: u8,
    },
    New(u16),
    /// Type as in the bytecode: 10 boolean, 11 byte, 12 short.
    NewArray(u8),
    NewRefArray(u16),
    ArrayLength,
    Throw,
    CheckCast(TypeTest),
    InstanceOf(TypeTest),
}
