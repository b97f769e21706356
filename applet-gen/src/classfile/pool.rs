//! The constant pool (JVMS 4.4), resolved to names.

use std::collections::BTreeSet;

use super::bytes::Reader;
use super::{ClassFileError, descriptor_classes};

/// A constant that an instruction or a field can load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Constant {
    /// A 32-bit integer.
    Integer(i32),
    /// A string.
    String(String),
    /// Anything that Java Card has no value for, by its Java name (`long`, `MethodHandle`, …).
    Other(&'static str),
}

/// A field or method by class, name and descriptor.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberRef {
    /// The class named in the reference; arrays as `[B`.
    pub class: String,
    /// The member's name.
    pub name: String,
    /// The member's descriptor.
    pub descriptor: String,
}

/// A dynamic call site (JVMS 4.4.10) with what its bootstrap method says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallSite {
    /// Its name.
    pub name: String,
    /// Its descriptor: what the call takes and gives.
    pub descriptor: String,
    /// The class of the bootstrap method, as `java/lang/invoke/LambdaMetafactory`.
    pub factory: String,
    /// The first method among the bootstrap arguments: a lambda's body, or the method referred to.
    pub target: Option<MemberRef>,
}

/// One row of `BootstrapMethods` (JVMS 4.7.23): a method handle and its arguments.
#[derive(Debug, Clone)]
pub(crate) struct Bootstrap {
    pub(crate) method: u16,
    pub(crate) arguments: Vec<u16>,
}

#[derive(Debug, Clone)]
enum Entry {
    /// The second slot of `long` and `double`, and index 0.
    Unusable,
    Utf8(String),
    Integer(i32),
    Class(u16),
    String(u16),
    NameAndType(u16, u16),
    Member(u16, u16),
    MethodHandle(u16),
    /// Row of the class's `BootstrapMethods`, name and type.
    Dynamic(u16, u16),
    Other(&'static str),
}

/// A class file's constant pool.
#[derive(Debug, Clone)]
pub struct Pool {
    entries: Vec<Entry>,
    bootstraps: Vec<Bootstrap>,
}

impl Pool {
    pub(crate) fn read(input: &mut Reader<'_>) -> Result<Pool, ClassFileError> {
        let count = usize::from(input.u2("constant_pool_count")?);
        let mut entries = vec![Entry::Unusable];
        while entries.len() < count {
            let offset = input.offset();
            let tag = input.u1("constant pool tag")?;
            let entry = match tag {
                1 => {
                    let length = input.u2("Utf8 length")?;
                    let bytes = input.take(length.into(), "Utf8 bytes")?;
                    // Modified UTF-8 differs only for characters that no name here needs.
                    Entry::Utf8(String::from_utf8_lossy(bytes).into_owned())
                }
                3 => Entry::Integer(input.i4("Integer")?),
                4 => {
                    input.u4("Float")?;
                    Entry::Other("float")
                }
                5 | 6 => {
                    input.take(8, "Long or Double")?;
                    Entry::Other(if tag == 5 { "long" } else { "double" })
                }
                7 => Entry::Class(input.u2("Class")?),
                8 => Entry::String(input.u2("String")?),
                9..=11 => Entry::Member(input.u2("member class")?, input.u2("member name")?),
                12 => Entry::NameAndType(input.u2("name")?, input.u2("descriptor")?),
                15 => {
                    input.u1("MethodHandle kind")?;
                    Entry::MethodHandle(input.u2("MethodHandle reference")?)
                }
                16 => {
                    input.u2("MethodType")?;
                    Entry::Other("MethodType")
                }
                17 | 18 => {
                    let row = input.u2("bootstrap method")?;
                    Entry::Dynamic(row, input.u2("Dynamic name")?)
                }
                19 | 20 => {
                    input.u2("Module or Package")?;
                    Entry::Other("module")
                }
                other => {
                    return Err(ClassFileError::Invalid {
                        offset,
                        what: "constant pool tag",
                        found: other.to_string(),
                        expected: "a tag of JVMS table 4.4-A",
                    });
                }
            };
            entries.push(entry);
            if matches!(tag, 5 | 6) {
                entries.push(Entry::Unusable);
            }
        }
        Ok(Pool {
            entries,
            bootstraps: Vec::new(),
        })
    }

    /// Takes the class's `BootstrapMethods`, which [`Pool::dynamic`] looks into.
    pub(crate) fn set_bootstraps(&mut self, bootstraps: Vec<Bootstrap>) {
        self.bootstraps = bootstraps;
    }

    fn wrong<T>(&self, index: u16, expected: &'static str) -> Result<T, ClassFileError> {
        Err(ClassFileError::Invalid {
            offset: index.into(),
            what: "constant pool entry",
            found: match self.entries.get(usize::from(index)) {
                Some(entry) => format!("{entry:?}"),
                None => "outside the pool".to_owned(),
            },
            expected,
        })
    }

    /// The string of a Utf8 entry.
    ///
    /// # Errors
    /// When the entry is something else.
    pub fn utf8(&self, index: u16) -> Result<String, ClassFileError> {
        match self.entries.get(usize::from(index)) {
            Some(Entry::Utf8(text)) => Ok(text.clone()),
            _ => self.wrong(index, "Utf8"),
        }
    }

    /// The name of a Class entry.
    ///
    /// # Errors
    /// When the entry is something else.
    pub fn class(&self, index: u16) -> Result<String, ClassFileError> {
        match self.entries.get(usize::from(index)) {
            Some(Entry::Class(name)) => self.utf8(*name),
            _ => self.wrong(index, "Class"),
        }
    }

    /// Every class that an entry names, directly or in a member's descriptor.
    pub(crate) fn named_classes(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for entry in &self.entries {
            match entry {
                Entry::Class(name) => {
                    if let Ok(name) = self.utf8(*name) {
                        match name.starts_with('[') {
                            true => names.extend(descriptor_classes(&name)),
                            false => _ = names.insert(name),
                        }
                    }
                }
                Entry::NameAndType(_, descriptor) => {
                    if let Ok(descriptor) = self.utf8(*descriptor) {
                        names.extend(descriptor_classes(&descriptor));
                    }
                }
                _ => {}
            }
        }
        names
    }

    fn name_and_type(&self, index: u16) -> Result<(String, String), ClassFileError> {
        match self.entries.get(usize::from(index)) {
            Some(Entry::NameAndType(name, descriptor)) => {
                Ok((self.utf8(*name)?, self.utf8(*descriptor)?))
            }
            _ => self.wrong(index, "NameAndType"),
        }
    }

    /// A field or method reference.
    ///
    /// # Errors
    /// When the entry is something else.
    pub fn member(&self, index: u16) -> Result<MemberRef, ClassFileError> {
        match self.entries.get(usize::from(index)) {
            Some(Entry::Member(class, name_and_type)) => {
                let (name, descriptor) = self.name_and_type(*name_and_type)?;
                Ok(MemberRef {
                    class: self.class(*class)?,
                    name,
                    descriptor,
                })
            }
            _ => self.wrong(index, "Fieldref, Methodref or InterfaceMethodref"),
        }
    }

    /// A dynamic call site.
    ///
    /// # Errors
    /// When the entry is something else, or its bootstrap method is missing.
    pub fn dynamic(&self, index: u16) -> Result<CallSite, ClassFileError> {
        let Some(Entry::Dynamic(row, name_and_type)) = self.entries.get(usize::from(index)) else {
            return self.wrong(index, "InvokeDynamic");
        };
        let (name, descriptor) = self.name_and_type(*name_and_type)?;
        let Some(bootstrap) = self.bootstraps.get(usize::from(*row)) else {
            return self.wrong(index, "a row of BootstrapMethods");
        };
        let arguments = bootstrap.arguments.iter();
        Ok(CallSite {
            name,
            descriptor,
            factory: self.handle(bootstrap.method)?.class,
            target: arguments.filter_map(|at| self.handle(*at).ok()).next(),
        })
    }

    /// The member that a MethodHandle entry leads to.
    fn handle(&self, index: u16) -> Result<MemberRef, ClassFileError> {
        match self.entries.get(usize::from(index)) {
            Some(Entry::MethodHandle(member)) => self.member(*member),
            _ => self.wrong(index, "MethodHandle"),
        }
    }

    /// A loadable constant.
    ///
    /// # Errors
    /// When the entry is no constant.
    pub fn constant(&self, index: u16) -> Result<Constant, ClassFileError> {
        Ok(match self.entries.get(usize::from(index)) {
            Some(Entry::Integer(value)) => Constant::Integer(*value),
            Some(Entry::String(text)) => Constant::String(self.utf8(*text)?),
            Some(Entry::Class(_)) => Constant::Other("Class"),
            Some(Entry::Dynamic(..)) => Constant::Other("dynamic constant"),
            Some(Entry::MethodHandle(_)) => Constant::Other("MethodHandle"),
            Some(Entry::Other(name)) => Constant::Other(name),
            _ => return self.wrong(index, "a loadable constant"),
        })
    }
}
