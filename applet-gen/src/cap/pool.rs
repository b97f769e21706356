//! Constant pool component (JCVM 6.7).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::bytes::{Reader, Writer};
use super::{CapError, ComponentTag};

/// A reference to a class or interface (`class_ref`, JCVM 6.7.1), two bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ClassRef {
    /// Of this package: offset of its `class_info` or `interface_info` in the Class component.
    Internal(u16),
    /// Of an imported package.
    External {
        /// Index in the Import component, 0 to 127.
        package: u8,
        /// The class's token in that package.
        class: u8,
    },
}

impl ClassRef {
    /// From the two bytes of the CAP.
    pub fn from_u16(value: u16) -> Self {
        let [high, low] = value.to_be_bytes();
        if high & 0x80 == 0 {
            ClassRef::Internal(value)
        } else {
            ClassRef::External {
                package: high & 0x7F,
                class: low,
            }
        }
    }

    /// To the two bytes of the CAP.
    pub fn to_u16(self) -> u16 {
        match self {
            ClassRef::Internal(offset) => offset & 0x7FFF,
            ClassRef::External { package, class } => u16::from_be_bytes([package | 0x80, class]),
        }
    }
}

impl fmt::Display for ClassRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClassRef::Internal(offset) => write!(f, "class at {offset:#06x}"),
            ClassRef::External { package, class } => write!(f, "package {package} class {class}"),
        }
    }
}

/// A reference to a static field or a method that is bound at link time (JCVM 6.7.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum StaticRef {
    /// Of this package: offset in the static field image, or of the method in the Method component.
    Internal(u16),
    /// Of an imported package.
    External {
        /// Index in the Import component, 0 to 127.
        package: u8,
        /// The class's token in that package.
        class: u8,
        /// The field's or method's token in that class.
        token: u8,
    },
}

impl StaticRef {
    pub(super) fn from_bytes(bytes: [u8; 3]) -> Option<Self> {
        let [first, second, third] = bytes;
        match first {
            0 => Some(StaticRef::Internal(u16::from_be_bytes([second, third]))),
            1..=0x7F => None,
            _ => Some(StaticRef::External {
                package: first & 0x7F,
                class: second,
                token: third,
            }),
        }
    }

    pub(super) fn to_bytes(self) -> [u8; 3] {
        match self {
            StaticRef::Internal(offset) => {
                let [high, low] = offset.to_be_bytes();
                [0, high, low]
            }
            StaticRef::External {
                package,
                class,
                token,
            } => [package | 0x80, class, token],
        }
    }
}

/// One entry of the constant pool (`cp_info`), four bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Constant {
    /// CONSTANT_Classref (1).
    Class(ClassRef),
    /// CONSTANT_InstanceFieldref (2): class and the field's token.
    InstanceField {
        /// The class that declares the field.
        class: ClassRef,
        /// The field's token in its class.
        token: u8,
    },
    /// CONSTANT_VirtualMethodref (3): class and token; bit 8 of the token is set for a
    /// package-visible method of an internal class.
    VirtualMethod {
        /// The class named in the call.
        class: ClassRef,
        /// The method's token.
        token: u8,
    },
    /// CONSTANT_SuperMethodref (4): the *calling* class (whose superclass is meant) and token.
    SuperMethod {
        /// The class that the calling method belongs to (internal).
        class: ClassRef,
        /// The method's token.
        token: u8,
    },
    /// CONSTANT_StaticFieldref (5).
    StaticField(StaticRef),
    /// CONSTANT_StaticMethodref (6): static methods, constructors and private methods.
    StaticMethod(StaticRef),
}

impl Constant {
    /// The name of the entry's kind in the specification.
    pub fn kind(&self) -> &'static str {
        match self {
            Constant::Class(_) => "CONSTANT_Classref",
            Constant::InstanceField { .. } => "CONSTANT_InstanceFieldref",
            Constant::VirtualMethod { .. } => "CONSTANT_VirtualMethodref",
            Constant::SuperMethod { .. } => "CONSTANT_SuperMethodref",
            Constant::StaticField(_) => "CONSTANT_StaticFieldref",
            Constant::StaticMethod(_) => "CONSTANT_StaticMethodref",
        }
    }

    /// The entry's tag byte.
    pub fn tag(&self) -> u8 {
        match self {
            Constant::Class(_) => 1,
            Constant::InstanceField { .. } => 2,
            Constant::VirtualMethod { .. } => 3,
            Constant::SuperMethod { .. } => 4,
            Constant::StaticField(_) => 5,
            Constant::StaticMethod(_) => 6,
        }
    }

    /// The entry as the four bytes of the CAP.
    pub fn to_bytes(&self) -> [u8; 4] {
        let member = |class: &ClassRef, token: u8| {
            let [high, low] = class.to_u16().to_be_bytes();
            [high, low, token]
        };
        let [a, b, c] = match self {
            Constant::Class(class) => member(class, 0),
            Constant::InstanceField { class, token }
            | Constant::VirtualMethod { class, token }
            | Constant::SuperMethod { class, token } => member(class, *token),
            Constant::StaticField(target) | Constant::StaticMethod(target) => target.to_bytes(),
        };
        [self.tag(), a, b, c]
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, CapError> {
        let at = reader.at();
        let tag = reader.u1("a constant's tag")?;
        let first = reader.u1("a constant")?;
        let second = reader.u1("a constant")?;
        let token = reader.u1("a constant")?;
        let class = ClassRef::from_u16(u16::from_be_bytes([first, second]));
        let target = || {
            StaticRef::from_bytes([first, second, token]).ok_or_else(|| {
                reader.wrong_at(
                    at + 1,
                    "0 (internal) or a package token with bit 8 set",
                    format!("{first:#04x}"),
                )
            })
        };
        Ok(match tag {
            1 if token == 0 => Constant::Class(class),
            1 => return Err(reader.wrong_at(at + 3, "padding 0", token)),
            2 => Constant::InstanceField { class, token },
            3 => Constant::VirtualMethod { class, token },
            4 => Constant::SuperMethod { class, token },
            5 => Constant::StaticField(target()?),
            6 => Constant::StaticMethod(target()?),
            _ => return Err(reader.wrong_at(at, "a constant's tag, 1 to 6", tag)),
        })
    }
}

pub(super) fn read(bytes: &[u8]) -> Result<Vec<Constant>, CapError> {
    let mut reader = Reader::new(ComponentTag::ConstantPool, bytes);
    let count = reader.u2("the number of constants")?;
    let mut pool = Vec::new();
    for _ in 0..count {
        pool.push(Constant::read(&mut reader)?);
    }
    reader.end()?;
    Ok(pool)
}

pub(super) fn write(pool: &[Constant]) -> Result<Vec<u8>, CapError> {
    let mut writer = Writer::new(ComponentTag::ConstantPool);
    writer.count2(pool.len(), "the number of constants")?;
    for constant in pool {
        writer.raw(&constant.to_bytes());
    }
    Ok(writer.finish())
}
