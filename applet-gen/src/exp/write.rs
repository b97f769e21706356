//! [`ApiPackage`] to bytes.

use std::collections::BTreeMap;

use super::{
    ACC_LIBRARY, ExpError, MAGIC, NO_TOKEN, TAG_CLASS, TAG_INTEGER, TAG_PACKAGE, TAG_UTF8,
};
use crate::api::{ApiClass, ApiMethod, ApiPackage, find_class, interfaces_of};

#[derive(Default)]
struct Pool {
    bytes: Vec<u8>,
    index: BTreeMap<Vec<u8>, u16>,
}

impl Pool {
    fn add(&mut self, entry: Vec<u8>) -> Result<u16, ExpError> {
        if let Some(index) = self.index.get(&entry) {
            return Ok(*index);
        }
        let index = count2(self.index.len(), "constants")?;
        self.bytes.extend(&entry);
        self.index.insert(entry, index);
        Ok(index)
    }

    fn utf8(&mut self, text: &str) -> Result<u16, ExpError> {
        let mut entry = vec![TAG_UTF8];
        entry.extend(count2(text.len(), "bytes of a name")?.to_be_bytes());
        entry.extend(text.as_bytes());
        self.add(entry)
    }

    fn package(&mut self, package: &ApiPackage, flags: u8) -> Result<u16, ExpError> {
        let mut entry = vec![TAG_PACKAGE, flags];
        entry.extend(self.utf8(&package.name)?.to_be_bytes());
        entry.extend([package.minor, package.major]);
        entry.push(count1(package.aid.len(), "bytes of an AID")?);
        entry.extend(&package.aid);
        self.add(entry)
    }

    fn class(&mut self, name: &str) -> Result<u16, ExpError> {
        let [high, low] = self.utf8(name)?.to_be_bytes();
        self.add(vec![TAG_CLASS, high, low])
    }
}

fn count2(value: usize, what: &'static str) -> Result<u16, ExpError> {
    u16::try_from(value).map_err(|_| ExpError::TooMany {
        what,
        value,
        limit: 0xFFFF,
    })
}

fn count1(value: usize, what: &'static str) -> Result<u8, ExpError> {
    u8::try_from(value).map_err(|_| ExpError::TooMany {
        what,
        value,
        limit: 0xFF,
    })
}

/// A format of export files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// 2.1: every converter reads it.
    V2_1,
    /// 2.2 (Java Card 2.2): as 2.1 but for its number.
    V2_2,
    /// 2.3 (Java Card 3.1): with the packages that are referred to, and the number of each class's
    /// public virtual methods.
    V2_3,
}

impl Format {
    fn minor(self) -> u8 {
        match self {
            Format::V2_1 => 1,
            Format::V2_2 => 2,
            Format::V2_3 => 3,
        }
    }
}

impl std::str::FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "2.1" => Ok(Format::V2_1),
            "2.2" => Ok(Format::V2_2),
            "2.3" => Ok(Format::V2_3),
            _ => Err(format!("expected 2.1, 2.2 or 2.3, found {text:?}")),
        }
    }
}

/// [`write_format`] of 2.1.
///
/// # Errors
/// When a count is larger than its field.
pub fn write(package: &ApiPackage, imports: &[ApiPackage]) -> Result<Vec<u8>, ExpError> {
    write_format(package, imports, Format::V2_1)
}

/// Writes an export file. Superclasses, interfaces and inherited methods are looked up in the
/// package and in `imports`.
///
/// # Errors
/// When a count is larger than its field.
pub fn write_format(
    package: &ApiPackage,
    imports: &[ApiPackage],
    format: Format,
) -> Result<Vec<u8>, ExpError> {
    let mut known = vec![package.clone()];
    known.extend(
        imports
            .iter()
            .filter(|import| import.name != package.name)
            .cloned(),
    );
    let mut pool = Pool::default();
    let flags = if package.applets { 0 } else { ACC_LIBRARY };
    let this = pool.package(package, flags)?;
    let mut referenced = Vec::new();
    if format == Format::V2_3 {
        let names = referenced_packages(package, &known);
        referenced.push(count1(names.len(), "referenced packages")?);
        for other in names {
            referenced.extend(pool.package(other, 0)?.to_be_bytes());
        }
    }
    let mut classes = vec![count1(package.classes.len(), "classes")?];
    for class in &package.classes {
        classes.extend(class_info(&mut pool, &known, class)?);
        if format == Format::V2_3 {
            classes.push(virtual_methods(&known, class)?);
        }
    }
    let mut bytes = MAGIC.to_be_bytes().to_vec();
    bytes.extend([format.minor(), 2]);
    bytes.extend(count2(pool.index.len(), "constants")?.to_be_bytes());
    bytes.extend(&pool.bytes);
    bytes.extend(this.to_be_bytes());
    bytes.extend(referenced);
    bytes.extend(classes);
    Ok(bytes)
}

/// The other packages whose classes are named in this one's classes and signatures.
fn referenced_packages<'a>(package: &ApiPackage, known: &'a [ApiPackage]) -> Vec<&'a ApiPackage> {
    let mut names: Vec<String> = Vec::new();
    for class in &package.classes {
        names.extend(supers(known, class));
        names.extend(interfaces_of(known, &class.name));
        let fields = class.fields.iter().map(|field| &field.descriptor);
        let methods = class.methods.iter().map(|method| &method.descriptor);
        for descriptor in fields.chain(methods) {
            let classes = descriptor
                .split(';')
                .filter_map(|part| part.split_once('L'));
            names.extend(classes.map(|(_, name)| name.to_owned()));
        }
    }
    let others = known.iter().filter(|other| other.name != package.name);
    others
        .filter(|other| names.iter().any(|name| other.class_named(name).is_some()))
        .collect()
}

/// `CAP22_inheritable_public_method_token_count`: public and protected virtual methods of a class,
/// inherited ones included; none of an interface.
pub(super) fn virtual_methods(known: &[ApiPackage], class: &ApiClass) -> Result<u8, ExpError> {
    let all = methods(known, class);
    let all = all.iter().filter(|method| !method.is_static_token());
    let count = all.map(|method| usize::from(method.token) + 1).max();
    let none = class.is_interface();
    count1(
        count.filter(|_| !none).unwrap_or(0),
        "virtual methods of a class",
    )
}

/// The superclasses, from the root down.
fn supers(known: &[ApiPackage], class: &ApiClass) -> Vec<String> {
    let mut line: Vec<String> = Vec::new();
    let mut next = class.super_name.clone();
    while let Some(name) = next {
        if line.contains(&name) {
            break;
        }
        next = find_class(known, &name).and_then(|(_, class)| class.super_name.clone());
        line.push(name);
    }
    line.reverse();
    line
}

/// The class's methods, and the virtual or interface ones that it inherits.
fn methods(known: &[ApiPackage], class: &ApiClass) -> Vec<ApiMethod> {
    let mut all = class.methods.clone();
    let above = if class.is_interface() {
        interfaces_of(known, &class.name)
    } else {
        let mut above = supers(known, class);
        above.reverse();
        above
    };
    for name in above {
        let Some((_, above)) = find_class(known, &name) else {
            continue;
        };
        for method in &above.methods {
            let overridden = all
                .iter()
                .any(|own| own.name == method.name && own.descriptor == method.descriptor);
            if !overridden && !method.is_static_token() {
                all.push(method.clone());
            }
        }
    }
    all.sort_by_key(|method| (!method.is_static_token(), method.token));
    all
}

fn class_info(
    pool: &mut Pool,
    known: &[ApiPackage],
    class: &ApiClass,
) -> Result<Vec<u8>, ExpError> {
    let mut bytes = vec![class.token];
    bytes.extend(class.flags.to_be_bytes());
    bytes.extend(pool.class(&class.name)?.to_be_bytes());
    let supers = supers(known, class);
    bytes.extend(count2(supers.len(), "superclasses")?.to_be_bytes());
    for name in &supers {
        bytes.extend(pool.class(name)?.to_be_bytes());
    }
    let mut interfaces = class.interfaces.clone();
    for name in interfaces_of(known, &class.name) {
        if !interfaces.contains(&name) {
            interfaces.push(name);
        }
    }
    bytes.push(count1(interfaces.len(), "interfaces of a class")?);
    for name in &interfaces {
        bytes.extend(pool.class(name)?.to_be_bytes());
    }
    bytes.extend(count2(class.fields.len(), "fields")?.to_be_bytes());
    for field in &class.fields {
        bytes.push(field.token.unwrap_or(NO_TOKEN));
        bytes.extend(field.flags.to_be_bytes());
        bytes.extend(pool.utf8(&field.name)?.to_be_bytes());
        bytes.extend(pool.utf8(&field.descriptor)?.to_be_bytes());
        match field.constant {
            None => bytes.extend([0, 0]),
            Some(value) => {
                let mut constant = vec![TAG_INTEGER];
                constant.extend(value.to_be_bytes());
                bytes.extend([0, 1]);
                bytes.extend(pool.utf8("ConstantValue")?.to_be_bytes());
                bytes.extend([0, 0, 0, 2]);
                bytes.extend(pool.add(constant)?.to_be_bytes());
            }
        }
    }
    let methods = methods(known, class);
    bytes.extend(count2(methods.len(), "methods")?.to_be_bytes());
    for method in &methods {
        bytes.push(method.token);
        bytes.extend(method.flags.to_be_bytes());
        bytes.extend(pool.utf8(&method.name)?.to_be_bytes());
        bytes.extend(pool.utf8(&method.descriptor)?.to_be_bytes());
    }
    Ok(bytes)
}
