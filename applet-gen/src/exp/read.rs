//! Bytes to [`ApiPackage`].

use super::{
    ACC_LIBRARY, ExpError, MAGIC, NO_TOKEN, TAG_CLASS, TAG_INTEGER, TAG_PACKAGE, TAG_UTF8,
};
use crate::api::{ApiClass, ApiField, ApiMethod, ApiPackage, flags};

/// One constant (`cp_info`).
#[derive(Debug, Clone)]
enum Entry {
    Utf8(String),
    Integer(i32),
    Class(u16),
    Package {
        name: u16,
        major: u8,
        minor: u8,
        library: bool,
        aid: Vec<u8>,
    },
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    pool: Vec<Entry>,
    minor: u8,
}

/// Reads an export file of format 2.1, 2.2 or 2.3.
///
/// # Errors
/// The first fault, with its offset.
pub fn read(bytes: &[u8]) -> Result<ApiPackage, ExpError> {
    let (mut reader, mut package) = head(bytes)?;
    let count = reader.u1("export_class_count")?;
    for _ in 0..count {
        let class = reader.class()?;
        package.classes.push(class);
    }
    if reader.at != bytes.len() {
        return Err(reader.invalid(
            "the file",
            format!("{} bytes longer", bytes.len() - reader.at),
            "its end",
        ));
    }
    package.classes.sort_by_key(|class| class.token);
    Ok(package)
}

/// Everything before the classes.
fn head(bytes: &[u8]) -> Result<(Reader<'_>, ApiPackage), ExpError> {
    let mut reader = Reader {
        bytes,
        at: 0,
        pool: Vec::new(),
        minor: 0,
    };
    let magic = reader.u4("magic")?;
    if magic != MAGIC {
        return Err(reader.invalid("magic", format!("{magic:08X}"), "00FACADE"));
    }
    let minor = reader.u1("minor_version")?;
    let major = reader.u1("major_version")?;
    if major != 2 || !(1..=3).contains(&minor) {
        return Err(ExpError::Format { major, minor });
    }
    reader.minor = minor;
    for _ in 0..reader.u2("constant_pool_count")? {
        let entry = reader.entry()?;
        reader.pool.push(entry);
    }
    let this = reader.u2("this_package")?;
    let package = match reader.pool.get(usize::from(this)).cloned() {
        Some(Entry::Package {
            name,
            major,
            minor,
            library,
            aid,
        }) => ApiPackage {
            name: reader.utf8(name)?,
            aid,
            major,
            minor,
            applets: !library,
            classes: Vec::new(),
        },
        other => {
            return Err(reader.invalid("this_package", format!("{other:?}"), "a CONSTANT_Package"));
        }
    };
    if minor >= 3 {
        for _ in 0..reader.u1("referenced_package_count")? {
            reader.u2("referenced_packages")?;
        }
    }
    Ok((reader, package))
}

impl Reader<'_> {
    fn invalid(&self, what: &'static str, found: String, expected: &'static str) -> ExpError {
        ExpError::Invalid {
            offset: self.at,
            what,
            found,
            expected,
        }
    }

    fn take(&mut self, len: usize, what: &'static str) -> Result<&[u8], ExpError> {
        let end = self.at.checked_add(len);
        match end.and_then(|end| self.bytes.get(self.at..end)) {
            Some(bytes) => {
                self.at += len;
                Ok(bytes)
            }
            None => Err(ExpError::Truncated {
                offset: self.at,
                what,
            }),
        }
    }

    fn number(&mut self, len: usize, what: &'static str) -> Result<u32, ExpError> {
        let bytes = self.take(len, what)?;
        Ok(bytes
            .iter()
            .fold(0, |value, byte| value << 8 | u32::from(*byte)))
    }

    fn u1(&mut self, what: &'static str) -> Result<u8, ExpError> {
        Ok(self.number(1, what)? as u8)
    }

    fn u2(&mut self, what: &'static str) -> Result<u16, ExpError> {
        Ok(self.number(2, what)? as u16)
    }

    fn u4(&mut self, what: &'static str) -> Result<u32, ExpError> {
        self.number(4, what)
    }

    fn entry(&mut self) -> Result<Entry, ExpError> {
        Ok(match self.u1("constant pool tag")? {
            TAG_UTF8 => {
                let length = self.u2("CONSTANT_Utf8 length")?;
                let bytes = self.take(length.into(), "CONSTANT_Utf8 bytes")?;
                Entry::Utf8(String::from_utf8_lossy(bytes).into_owned())
            }
            TAG_INTEGER => Entry::Integer(self.u4("CONSTANT_Integer")? as i32),
            TAG_CLASS => Entry::Class(self.u2("CONSTANT_Classref name_index")?),
            TAG_PACKAGE => {
                let library = self.u1("CONSTANT_Package flags")? & ACC_LIBRARY != 0;
                let name = self.u2("CONSTANT_Package name_index")?;
                let minor = self.u1("package minor version")?;
                let major = self.u1("package major version")?;
                let length = self.u1("aid_length")?;
                if !(5..=16).contains(&length) {
                    return Err(self.invalid("aid_length", length.to_string(), "5 to 16"));
                }
                let aid = self.take(length.into(), "AID")?.to_vec();
                Entry::Package {
                    name,
                    major,
                    minor,
                    library,
                    aid,
                }
            }
            other => {
                return Err(self.invalid(
                    "constant pool tag",
                    other.to_string(),
                    "1 Utf8, 3 Integer, 7 Classref or 13 Package",
                ));
            }
        })
    }

    fn utf8(&self, index: u16) -> Result<String, ExpError> {
        match self.pool.get(usize::from(index)) {
            Some(Entry::Utf8(text)) => Ok(text.clone()),
            other => Err(self.invalid("a name", format!("{other:?}"), "a CONSTANT_Utf8")),
        }
    }

    fn name(&mut self, what: &'static str) -> Result<String, ExpError> {
        let index = self.u2(what)?;
        self.utf8(index)
    }

    fn class_name(&mut self, what: &'static str) -> Result<String, ExpError> {
        let index = self.u2(what)?;
        match self.pool.get(usize::from(index)) {
            Some(Entry::Class(name)) => self.utf8(*name),
            other => Err(self.invalid(what, format!("{other:?}"), "a CONSTANT_Classref")),
        }
    }

    fn class(&mut self) -> Result<ApiClass, ExpError> {
        let token = self.u1("class token")?;
        let access = self.u2("class access_flags")?;
        let name = self.class_name("class name_index")?;
        let mut supers = Vec::new();
        for _ in 0..self.u2("export_supers_count")? {
            supers.push(self.class_name("supers")?);
        }
        let mut interfaces = Vec::new();
        for _ in 0..self.u1("export_interfaces_count")? {
            interfaces.push(self.class_name("interfaces")?);
        }
        let mut fields = Vec::new();
        for _ in 0..self.u2("export_fields_count")? {
            fields.push(self.field()?);
        }
        let mut methods = Vec::new();
        for _ in 0..self.u2("export_methods_count")? {
            methods.push(ApiMethod {
                token: self.u1("method token")?,
                flags: self.u2("method access_flags")?,
                name: self.name("method name_index")?,
                descriptor: self.name("method descriptor_index")?,
                exceptions: Vec::new(),
            });
        }
        if self.minor >= 3 {
            self.u1("CAP22_inheritable_public_method_token_count")?;
        }
        // From the root down, or from the direct superclass up: Object tells which.
        let super_name = match (supers.first(), supers.last()) {
            (Some(first), Some(last)) if first != OBJECT && last == OBJECT => Some(first.clone()),
            (_, Some(last)) => Some(last.clone()),
            _ if access & flags::INTERFACE != 0 => Some(OBJECT.to_owned()),
            _ => None,
        };
        Ok(ApiClass {
            token,
            name,
            flags: access,
            super_name,
            interfaces,
            fields,
            methods,
        })
    }

    fn field(&mut self) -> Result<ApiField, ExpError> {
        let token = self.u1("field token")?;
        let access = self.u2("field access_flags")?;
        let name = self.name("field name_index")?;
        let descriptor = self.name("field descriptor_index")?;
        let mut constant = None;
        for _ in 0..self.u2("attributes_count")? {
            let attribute = self.name("attribute_name_index")?;
            let length = self.u4("attribute_length")?;
            if attribute == "ConstantValue" && length == 2 {
                let index = self.u2("constantvalue_index")?;
                constant = match self.pool.get(usize::from(index)) {
                    Some(Entry::Integer(value)) => Some(*value),
                    other => {
                        let found = format!("{other:?}");
                        return Err(self.invalid("ConstantValue", found, "a CONSTANT_Integer"));
                    }
                };
            } else {
                self.take(length as usize, "attribute")?;
            }
        }
        Ok(ApiField {
            name,
            descriptor,
            token: (token != NO_TOKEN || constant.is_none()).then_some(token),
            flags: access,
            constant,
        })
    }
}

const OBJECT: &str = "java/lang/Object";
