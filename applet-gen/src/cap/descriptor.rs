//! Descriptor component (JCVM 6.13): what a verifier needs and a card may drop.

use serde::{Deserialize, Serialize};

use super::bytes::{Reader, Writer};
use super::{CapError, ClassRef, ComponentTag, StaticRef};

/// Access flags of classes, fields and methods, where each has the one of its name.
pub mod access {
    /// Class, field, method.
    pub const PUBLIC: u8 = 0x01;
    /// Field, method.
    pub const PRIVATE: u8 = 0x02;
    /// Field, method.
    pub const PROTECTED: u8 = 0x04;
    /// Field, method.
    pub const STATIC: u8 = 0x08;
    /// Class, field, method.
    pub const FINAL: u8 = 0x10;
    /// Class: an interface.
    pub const INTERFACE: u8 = 0x40;
    /// Class.
    pub const CLASS_ABSTRACT: u8 = 0x80;
    /// Method.
    pub const METHOD_ABSTRACT: u8 = 0x40;
    /// Method: a constructor.
    pub const INIT: u8 = 0x80;
}

/// Token of what is not visible outside the package.
pub const NO_TOKEN: u8 = 0xFF;
/// A constant pool type entry for constants without a type (class references).
pub const NO_TYPE: u16 = 0xFFFF;
/// In [`FieldDescriptor::kind`]: bit 16 and 2 boolean, 3 byte, 4 short, 5 int; without it, the
/// offset of a [`TypeDescriptor`].
pub const PRIMITIVE: u16 = 0x8000;

/// What a field is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FieldRef {
    /// A static field: where it lies.
    Static(StaticRef),
    /// An instance field: its class and its token there.
    Instance {
        /// The class.
        class: ClassRef,
        /// The token.
        token: u8,
    },
}

/// `field_descriptor_info`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldDescriptor {
    /// Token, [`NO_TOKEN`] if not visible outside.
    pub token: u8,
    /// [`access`] flags.
    pub access_flags: u8,
    /// What it is bound to.
    pub field_ref: FieldRef,
    /// [`PRIMITIVE`] type or offset of its type descriptor in `type_descriptor_info`.
    pub kind: u16,
}

/// `method_descriptor_info`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MethodDescriptor {
    /// Token, [`NO_TOKEN`] if not visible outside; bit 8 set for package-visible virtual methods.
    pub token: u8,
    /// [`access`] flags.
    pub access_flags: u8,
    /// Offset in the Method component; 0 in an interface.
    pub method_offset: u16,
    /// Offset of its type descriptor in `type_descriptor_info`.
    pub type_offset: u16,
    /// Bytes of its code.
    pub bytecode_count: u16,
    /// Number of its exception handlers.
    pub handler_count: u16,
    /// Index of the first in the Method component.
    pub handler_index: u16,
}

/// `class_descriptor_info`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassDescriptor {
    /// Token, [`NO_TOKEN`] if not visible outside.
    pub token: u8,
    /// [`access`] flags.
    pub access_flags: u8,
    /// The class in the Class component.
    pub this_class: ClassRef,
    /// The interfaces it implements.
    pub interfaces: Vec<ClassRef>,
    /// Its fields (without those whose value is a compile-time constant).
    pub fields: Vec<FieldDescriptor>,
    /// Its methods.
    pub methods: Vec<MethodDescriptor>,
}

/// `type_descriptor`: a field's type, or a method's parameters and then its result, in nibbles:
/// 1 void, 2 boolean, 3 byte, 4 short, 5 int, 6 reference, A to D arrays of 2 to 5, E array of
/// references; 6 and E are followed by four nibbles of a class reference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeDescriptor {
    /// Offset in `type_descriptor_info`; [`Descriptor::layout`] sets it when writing.
    pub offset: u16,
    /// The nibbles, one a byte.
    pub nibbles: Vec<u8>,
}

impl TypeDescriptor {
    fn len(&self) -> usize {
        1 + self.nibbles.len().div_ceil(2)
    }
}

/// `descriptor_component` (JCVM 6.13).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Descriptor {
    /// Every class and interface of the package.
    pub classes: Vec<ClassDescriptor>,
    /// For each constant: offset of its type descriptor, or [`NO_TYPE`] (classes). A field of a
    /// primitive type has a descriptor of one nibble here, unlike in [`FieldDescriptor::kind`].
    pub constant_pool_types: Vec<u16>,
    /// The type descriptors.
    pub types: Vec<TypeDescriptor>,
}

impl Descriptor {
    /// The type descriptor at this offset of `type_descriptor_info`.
    pub fn type_at(&self, offset: u16) -> Option<&TypeDescriptor> {
        self.types.iter().find(|kind| kind.offset == offset)
    }

    /// Offset of the first type descriptor when there are `constants` constants.
    pub fn types_base(constants: usize) -> usize {
        2 + 2 * constants
    }

    /// Sets the `offset` of every type descriptor to where writing puts it; needs
    /// `constant_pool_types` in its final length.
    pub fn layout(&mut self) -> Result<(), CapError> {
        let mut at = Descriptor::types_base(self.constant_pool_types.len());
        for kind in &mut self.types {
            kind.offset = u16::try_from(at)
                .ok()
                .filter(|offset| *offset < PRIMITIVE)
                .ok_or(CapError::TooLarge {
                    component: ComponentTag::Descriptor,
                    what: "the offset of a type descriptor",
                    value: at,
                    limit: 0x7FFF,
                })?;
            at += kind.len();
        }
        Ok(())
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Self, CapError> {
        let mut reader = Reader::new(ComponentTag::Descriptor, bytes);
        let count = reader.u1("class_count")?;
        let mut classes = Vec::new();
        for _ in 0..count {
            classes.push(ClassDescriptor::read(&mut reader)?);
        }
        let base = reader.at();
        let count = reader.u2("constant_pool_count")?;
        let constant_pool_types = reader.u2s(usize::from(count), "constant pool types")?;
        let mut types = Vec::new();
        while reader.left() > 0 {
            types.push(read_type(&mut reader, base)?);
        }
        Ok(Descriptor {
            classes,
            constant_pool_types,
            types,
        })
    }

    pub(super) fn write(&self) -> Result<Vec<u8>, CapError> {
        let mut writer = Writer::new(ComponentTag::Descriptor);
        writer.count1(self.classes.len(), "the number of classes")?;
        for class in &self.classes {
            class.write(&mut writer)?;
        }
        writer.count2(self.constant_pool_types.len(), "the number of constants")?;
        writer.u2s(&self.constant_pool_types);
        for kind in &self.types {
            writer.count1(kind.nibbles.len(), "the nibbles of a type descriptor")?;
            for pair in kind.nibbles.chunks(2) {
                let high = pair.first().copied().unwrap_or(0) & 0x0F;
                let low = pair.get(1).copied().unwrap_or(0) & 0x0F;
                writer.u1(high << 4 | low);
            }
        }
        Ok(writer.finish())
    }
}

fn read_type(reader: &mut Reader<'_>, base: usize) -> Result<TypeDescriptor, CapError> {
    let at = reader.at();
    let offset = u16::try_from(at - base)
        .map_err(|_| reader.wrong("a type descriptor's offset below 0x10000", at - base))?;
    let count = usize::from(reader.u1("nibble_count")?);
    if count == 0 {
        return Err(reader.wrong_at(at, "one nibble at least", 0));
    }
    let bytes = reader.take(count.div_ceil(2), "a type descriptor")?;
    let mut nibbles: Vec<u8> = bytes.iter().flat_map(|b| [b >> 4, b & 0x0F]).collect();
    if nibbles.len() > count && nibbles.pop() != Some(0) {
        return Err(reader.wrong_at(reader.at() - 1, "a last nibble of padding 0", "another"));
    }
    Ok(TypeDescriptor { offset, nibbles })
}

impl ClassDescriptor {
    fn read(reader: &mut Reader<'_>) -> Result<Self, CapError> {
        let token = reader.u1("a class token")?;
        let access_flags = reader.u1("class access_flags")?;
        let this_class = ClassRef::from_u16(reader.u2("this_class_ref")?);
        let interface_count = reader.u1("interface_count")?;
        let field_count = reader.u2("field_count")?;
        let method_count = reader.u2("method_count")?;
        let interfaces = reader.u2s(usize::from(interface_count), "interfaces")?;
        let mut fields = Vec::new();
        for _ in 0..field_count {
            fields.push(FieldDescriptor::read(reader)?);
        }
        let mut methods = Vec::new();
        for _ in 0..method_count {
            methods.push(MethodDescriptor {
                token: reader.u1("a method token")?,
                access_flags: reader.u1("method access_flags")?,
                method_offset: reader.u2("method_offset")?,
                type_offset: reader.u2("type_offset")?,
                bytecode_count: reader.u2("bytecode_count")?,
                handler_count: reader.u2("exception_handler_count")?,
                handler_index: reader.u2("exception_handler_index")?,
            });
        }
        Ok(ClassDescriptor {
            token,
            access_flags,
            this_class,
            interfaces: interfaces.into_iter().map(ClassRef::from_u16).collect(),
            fields,
            methods,
        })
    }

    fn write(&self, writer: &mut Writer) -> Result<(), CapError> {
        writer.u1(self.token);
        writer.u1(self.access_flags);
        writer.u2(self.this_class.to_u16());
        writer.count1(self.interfaces.len(), "the number of a class's interfaces")?;
        writer.count2(self.fields.len(), "the number of a class's fields")?;
        writer.count2(self.methods.len(), "the number of a class's methods")?;
        for interface in &self.interfaces {
            writer.u2(interface.to_u16());
        }
        for field in &self.fields {
            writer.u1(field.token);
            writer.u1(field.access_flags);
            match field.field_ref {
                FieldRef::Static(target) => writer.raw(&target.to_bytes()),
                FieldRef::Instance { class, token } => {
                    writer.u2(class.to_u16());
                    writer.u1(token);
                }
            }
            writer.u2(field.kind);
        }
        for method in &self.methods {
            writer.u1(method.token);
            writer.u1(method.access_flags);
            writer.u2(method.method_offset);
            writer.u2(method.type_offset);
            writer.u2(method.bytecode_count);
            writer.u2(method.handler_count);
            writer.u2(method.handler_index);
        }
        Ok(())
    }
}

impl FieldDescriptor {
    fn read(reader: &mut Reader<'_>) -> Result<Self, CapError> {
        let token = reader.u1("a field token")?;
        let access_flags = reader.u1("field access_flags")?;
        let at = reader.at();
        let class = reader.u2("field_ref")?;
        let third = reader.u1("field_ref")?;
        let field_ref = if access_flags & access::STATIC == 0 {
            FieldRef::Instance {
                class: ClassRef::from_u16(class),
                token: third,
            }
        } else {
            let [first, second] = class.to_be_bytes();
            StaticRef::from_bytes([first, second, third])
                .map(FieldRef::Static)
                .ok_or_else(|| reader.wrong_at(at, "a static field reference", first))?
        };
        Ok(FieldDescriptor {
            token,
            access_flags,
            field_ref,
            kind: reader.u2("a field's type")?,
        })
    }
}
