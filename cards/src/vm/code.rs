//! Linked code: what a load file becomes. Made once by the linker and shared by all cards that have the
//! same load file in the same place; never stored.

use super::api::NativeId;
use super::value::{ClassRef, PackageId};
use applet_gen::cap::PackageInfo;
use std::sync::Arc;

/// A linked package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Code {
    /// The load file that it was made from.
    pub load_file: Arc<[u8]>,
    /// What cards call the package whose code this is; references inside it are by this number.
    pub id: PackageId,
    pub aid: Vec<u8>,
    pub major: u8,
    pub minor: u8,
    /// ACC_INT: it uses `int`.
    pub int: bool,
    /// What it asked for, in the order of its Import component.
    pub wanted: Vec<PackageInfo>,
    /// Packages that it imports, in the same order.
    pub imports: Vec<PackageId>,
    /// The code of those of them that came in load files.
    pub bound: Vec<Arc<Code>>,
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
    /// Field of objects that are instances of `class`; its kind if the Descriptor component tells it.
    Field {
        class: ClassRef,
        cell: u16,
        kind: Option<Kind>,
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
    pub is_abstract: bool,
    /// The interface extends Shareable, or the class implements an interface that does.
    pub shareable: bool,
    pub superclass: Option<ClassRef>,
    /// Cells of an instance, superclasses included.
    pub cells: u16,
    /// Cells that the superclasses take.
    pub first_cell: u16,
    /// Cells that hold references: first and number, this class only.
    pub references: (u16, u16),
    /// Method by public virtual token, inherited ones included.
    pub public: Vec<Option<MethodRef>>,
    /// Method by package-visible token, those of superclasses in the same package included.
    pub package: Vec<Option<MethodRef>>,
    /// Interfaces with the map from interface method token to virtual method token, inherited ones
    /// included; for an interface its superinterfaces, with empty maps.
    pub interfaces: Vec<(ClassRef, Vec<u8>)>,
    /// All superclasses and interfaces, sorted.
    pub supers: Vec<ClassRef>,
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
        low: i32,
        targets: Vec<u16>,
    },
    /// Sorted by match value.
    Lookup {
        default: u16,
        pairs: Vec<(i32, u16)>,
    },
}

impl Switch {
    /// Where a key leads.
    pub fn target(&self, key: i32) -> u16 {
        match self {
            Switch::Table {
                default,
                low,
                targets,
            } => usize::try_from(i64::from(key) - i64::from(*low))
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
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Statics {
    /// Reference cells, at the start of the image.
    pub references: u16,
    /// Arrays that the first references point to: type (2 boolean, 3 byte, 4 short, 5 int), bytes.
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
    /// `byte`, `boolean`.
    Byte,
    Short,
    Int,
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
    Ints,
    /// Array of references to this class or interface.
    Refs(u16),
}

/// One instruction; branch targets are instruction indexes of the same method. Numbers are of kind
/// [`Kind::Short`] unless the name says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Insn {
    Nop,
    Null,
    Const(i16),
    ConstInt(i32),
    LoadRef(u8),
    LoadShort(u8),
    LoadInt(u8),
    StoreRef(u8),
    StoreShort(u8),
    StoreInt(u8),
    ArrayLoad(Kind),
    ArrayStore(Kind),
    Pop,
    Pop2,
    Dup,
    /// dup2, dup_x m n: copies the m top cells below the n-th (0: on top).
    DupX(u8, u8),
    Swap(u8, u8),
    Binary(Binary),
    BinaryInt(Binary),
    Neg,
    NegInt,
    Inc(u8, i16),
    IncInt(u8, i16),
    ToByte,
    ToInt,
    IntToByte,
    IntToShort,
    /// icmp
    CompareInt,
    If(Cond, u16),
    IfNull(bool, u16),
    IfSame(bool, u16),
    IfCompare(Cond, u16),
    Goto(u16),
    Jsr(u16),
    Ret(u8),
    Switch(u16),
    SwitchInt(u16),
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
    /// Type as in the bytecode: 10 boolean, 11 byte, 12 short, 13 int.
    NewArray(u8),
    NewRefArray(u16),
    ArrayLength,
    Throw,
    CheckCast(TypeTest),
    InstanceOf(TypeTest),
}
