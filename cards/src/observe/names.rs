//! Names, lines and instructions of the code on a card.

use crate::vm::{ClassRef, Made, PackageId, Place, Value, Vm, api_class_name};
use applet_gen::api;
use applet_gen::cap::labels::Labels;
use applet_gen::cap::{Cap, decode, disasm};
use std::collections::BTreeMap;
use std::fmt;

/// A line of a source file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The file's name, without folders.
    pub file: String,
    /// The line, from 1.
    pub line: u16,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

struct Package {
    cap: Cap,
    labels: Labels,
    /// Offset in the Class component by the VM's number of the class.
    classes: Vec<u16>,
}

/// What the code on a card is called, as far as its CAP files tell. A package whose CAP isn't known has
/// numbers for names.
#[derive(Default)]
pub struct Names {
    packages: BTreeMap<PackageId, Package>,
    aids: BTreeMap<PackageId, String>,
}

impl Names {
    /// The names of these CAP files' code on this card.
    pub fn new(vm: &Vm, caps: &[Cap]) -> Self {
        let mut names = Names::default();
        for id in vm.packages() {
            let Some((aid, ..)) = vm.package_aid(id) else {
                continue;
            };
            names.aids.insert(id, hex::encode_upper(aid));
            let Some(cap) = caps.iter().find(|cap| cap.header.package.aid == aid) else {
                continue;
            };
            let interfaces = cap
                .class
                .interfaces
                .iter()
                .map(|interface| interface.offset);
            let classes = cap.class.classes.iter().map(|class| class.offset);
            let package = Package {
                labels: Labels::new(cap, api::packages()),
                classes: interfaces.chain(classes).collect(),
                cap: cap.clone(),
            };
            names.packages.insert(id, package);
        }
        names
    }

    /// AID of a package, in hexadecimal.
    pub fn package(&self, package: PackageId) -> String {
        let known = self.aids.get(&package).cloned();
        known.unwrap_or_else(|| format!("package {}", package.0))
    }

    /// `Class.method` of the method at this offset.
    pub fn method(&self, package: PackageId, method: u16) -> String {
        match self.packages.get(&package) {
            Some(known) => known.labels.method(method),
            None => format!("{}:{method:04x}", self.package(package)),
        }
    }

    /// The source line of an instruction.
    pub fn line(&self, at: Place) -> Option<Line> {
        let labels = &self.packages.get(&at.package)?.labels;
        let (file, line) = labels.line(at.method, at.pc)?;
        Some(Line { file, line })
    }

    /// `Class.method (File.java:12)`, or with the instruction's offset if no line is known.
    pub fn place(&self, at: Place) -> String {
        let method = self.method(at.package, at.method);
        match self.line(at) {
            Some(line) => format!("{method} ({line})"),
            None => format!("{method} (at {:04x})", at.pc),
        }
    }

    /// An instruction with its operands and what they mean.
    pub fn instruction(&self, at: Place) -> String {
        let Some(known) = self.packages.get(&at.package) else {
            return String::new();
        };
        match decode::decode(known.cap.method.bytes_from(at.pc), 0) {
            Ok(found) => {
                disasm::instruction_text(&known.cap, api::packages(), &found, at.pc.into())
            }
            Err(error) => error.to_string(),
        }
    }

    /// Names of the local variables that hold something at an instruction, by their index.
    pub fn locals(&self, at: Place) -> BTreeMap<u8, String> {
        let known = self.packages.get(&at.package);
        known.map_or_else(BTreeMap::new, |known| known.labels.locals(at.method, at.pc))
    }

    /// A class.
    pub fn class(&self, class: ClassRef) -> String {
        if let Some(name) = api_class_name(class) {
            return name.rsplit('/').next().unwrap_or(name).to_owned();
        }
        let known = self.packages.get(&class.package);
        let named = known.and_then(|known| {
            let offset = known.classes.get(usize::from(class.class))?;
            Some(known.labels.class(*offset))
        });
        named.unwrap_or_else(|| format!("{}:class {}", self.package(class.package), class.class))
    }

    /// What an allocation made.
    pub fn made(&self, what: Made) -> String {
        match what {
            Made::Instance(class) => self.class(class),
            Made::Booleans => "boolean[]".to_owned(),
            Made::Bytes => "byte[]".to_owned(),
            Made::Shorts => "short[]".to_owned(),
            Made::Ints => "int[]".to_owned(),
            Made::References(class) => format!("{}[]", self.class(class)),
        }
    }
}

/// The name of the constant that an exception class of the API has for a reason.
pub(super) fn reason_name(class: &str, reason: i16) -> Option<&'static str> {
    let (_, class) = api::find_class(api::packages(), class)?;
    let mut fields = class.fields.iter();
    let found = fields.find(|field| field.constant == Some(reason.into()))?;
    Some(&found.name)
}

/// A value on the stack or among the locals.
pub(super) fn value(value: &Value) -> String {
    match value {
        Value::Short(number) => number.to_string(),
        Value::Int(number) => format!("{number}i"),
        // The second cell of an int says nothing of its own.
        Value::Rest => "-".to_owned(),
        Value::Unset => "unset".to_owned(),
        Value::Ref(r) if r.is_null() => "null".to_owned(),
        Value::Ref(r) => format!("@{}", r.0),
        Value::Addr(at) => format!("return to {at}"),
    }
}
