//! Reads the API tables.
//!
//! ```text
//! # a comment
//! package javacard.framework 1.5, 1.6 A0000000620101
//!
//! 3: public abstract class Applet extends Object
//!     -: public static final short SOME_CONSTANT = 0x6A80
//!     1: public static void install(byte[], short, byte)
//!     7: public abstract void process(APDU)
//!
//! 19: public interface OwnerPINx extends PIN since 1.6
//! ```
//!
//! The package's versions stand in its line, oldest first; what came after the first one says since when
//! (a class for its members too). A version of a package has all of the one before it (JCVM 4.5).
//!
//! A declaration is Java's without names of parameters, after its token; a compile-time constant
//! has no token (`-`). Hexadecimal values have the width of their type (`0x9000` is a negative
//! short). Static methods and constructors have their own tokens, apart from virtual methods
//! (JCVM 4.3.7.6 to 4.3.7.8). A name without a dot is a class of the package, else of java.lang.
//! `shareable` marks interfaces that are or extend javacard.framework.Shareable. An interface's
//! methods are those it declares, and those that it inherits under another token.

use std::collections::BTreeSet;

use super::{ApiClass, ApiField, ApiMethod, ApiPackage, flags};

/// A line that is not as the module's documentation has it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: expected {expected}, found {found:?}")]
pub struct ApiError {
    /// The table's name.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// What had to stand there.
    pub expected: &'static str,
    /// What stands there.
    pub found: String,
}

/// Expected and found.
type Wrong = (&'static str, String);

/// Reads one table: the package in each of its versions, oldest first, at least one. `file` names the
/// table in errors.
pub fn parse(file: &str, text: &str) -> Result<Vec<ApiPackage>, ApiError> {
    let lines = || {
        text.lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
            .filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'))
    };
    let at = |line: usize, (expected, found): Wrong| ApiError {
        file: file.to_owned(),
        line,
        expected,
        found,
    };
    let mut content = lines();
    let (number, first) = content
        .next()
        .ok_or_else(|| at(1, ("package NAME MAJOR.MINOR AID", String::new())))?;
    let mut versions = package_line(first).map_err(|wrong| at(number, wrong))?;
    let names = Names {
        package: versions
            .first()
            .map_or_else(String::new, |p| p.name.clone()),
        classes: lines().filter_map(|(_, line)| class_name(line)).collect(),
    };
    let numbers: Vec<(u8, u8)> = versions.iter().map(|p| (p.major, p.minor)).collect();
    // The version from which on the class above has been there.
    let mut class_since = None;
    for (number, line) in content {
        let (line, since) = since(line, &numbers).map_err(|wrong| at(number, wrong))?;
        let member = line.starts_with(' ');
        let first = match class_since {
            Some(class_since) if member => since.max(class_since),
            None if member => {
                return Err(at(number, ("a class before its members", line.to_owned())));
            }
            _ => since,
        };
        if !member {
            class_since = Some(since);
        }
        for package in versions.iter_mut().skip(first) {
            let read = match package.classes.last_mut() {
                Some(class) if member => member_line(class, &names, line),
                _ => class_line(&names, line).map(|class| package.classes.push(class)),
            };
            read.map_err(|wrong| at(number, wrong))?;
        }
    }
    Ok(versions)
}

struct Names {
    package: String,
    classes: BTreeSet<String>,
}

impl Names {
    /// The full name of a class named in the table.
    fn full(&self, name: &str) -> Result<String, Wrong> {
        let valid = !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '$'));
        if !valid {
            return Err(("the name of a class", name.to_owned()));
        }
        Ok(if name.contains('.') {
            name.replace('.', "/")
        } else if self.classes.contains(name) {
            format!("{}/{name}", self.package)
        } else {
            format!("java/lang/{name}")
        })
    }

    /// A type's descriptor.
    fn descriptor(&self, kind: &str) -> Result<String, Wrong> {
        if let Some(element) = kind.strip_suffix("[]") {
            return Ok(format!("[{}", self.descriptor(element)?));
        }
        Ok(match kind {
            "void" => "V".into(),
            "boolean" => "Z".into(),
            "byte" => "B".into(),
            "short" => "S".into(),
            "int" => "I".into(),
            class => format!("L{};", self.full(class)?),
        })
    }
}

/// The package in each of its versions, without classes.
fn package_line(line: &str) -> Result<Vec<ApiPackage>, Wrong> {
    let wrong = || {
        (
            "package NAME MAJOR.MINOR[, MAJOR.MINOR…] AID",
            line.to_owned(),
        )
    };
    let spaced = line.replace(',', " ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let ["package", name, versions @ .., aid] = words.as_slice() else {
        return Err(wrong());
    };
    let aid = hex::decode(aid).map_err(|_| wrong())?;
    if !(5..=16).contains(&aid.len()) {
        return Err(("an AID of 5 to 16 bytes", line.to_owned()));
    }
    let numbers: Vec<(u8, u8)> = versions
        .iter()
        .map(|text| version(text).ok_or_else(wrong))
        .collect::<Result<_, _>>()?;
    let rising = numbers.is_sorted_by(|a, b| a.0 == b.0 && a.1 < b.1);
    if numbers.is_empty() || !rising {
        return Err((
            "versions of one major number, oldest first",
            line.to_owned(),
        ));
    }
    let package = |(major, minor)| ApiPackage {
        name: name.replace('.', "/"),
        aid: aid.clone(),
        major,
        minor,
        applets: false,
        classes: Vec::new(),
    };
    Ok(numbers.into_iter().map(package).collect())
}

fn version(text: &str) -> Option<(u8, u8)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// A line without its `since`, and the index of the version that it names (else the first).
fn since<'a>(line: &'a str, versions: &[(u8, u8)]) -> Result<(&'a str, usize), Wrong> {
    let Some((line, text)) = line.rsplit_once(" since ") else {
        return Ok((line, 0));
    };
    let wrong = || ("since one of the package's versions", text.to_owned());
    let number = version(text).ok_or_else(wrong)?;
    let index = versions.iter().position(|version| *version == number);
    Ok((line, index.ok_or_else(wrong)?))
}

/// The simple name of the class that a line declares, if it declares one.
fn class_name(line: &str) -> Option<String> {
    if line.starts_with(' ') {
        return None;
    }
    let mut words = line.split_whitespace();
    words.find(|word| matches!(*word, "class" | "interface"))?;
    words.next().map(str::to_owned)
}

fn token(text: &str) -> Result<u8, Wrong> {
    text.trim()
        .parse()
        .map_err(|_| ("a token, 0 to 255", text.to_owned()))
}

/// Takes the modifiers off the front of a declaration.
fn modifiers(words: &mut &[&str]) -> u16 {
    let mut found = 0;
    while let Some((word, rest)) = words.split_first() {
        found |= match *word {
            "public" => flags::PUBLIC,
            "protected" => flags::PROTECTED,
            "static" => flags::STATIC,
            "final" => flags::FINAL,
            "abstract" => flags::ABSTRACT,
            "shareable" => flags::SHAREABLE,
            _ => break,
        };
        *words = rest;
    }
    found
}

fn class_line(names: &Names, line: &str) -> Result<ApiClass, Wrong> {
    let wrong = || ("TOKEN: MODIFIERS class|interface NAME …", line.to_owned());
    let (number, declaration) = line.split_once(':').ok_or_else(wrong)?;
    let spaced = declaration.replace(',', " ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut words = words.as_slice();
    let mut access = modifiers(&mut words);
    let (interface, name, mut rest) = match words {
        ["class", name, rest @ ..] => (false, *name, rest),
        ["interface", name, rest @ ..] => (true, *name, rest),
        _ => return Err(wrong()),
    };
    let mut super_name = Some("java/lang/Object".to_owned());
    let mut interfaces = Vec::new();
    if interface {
        access |= flags::INTERFACE | flags::ABSTRACT;
        if let ["extends", extended @ ..] = rest {
            interfaces = full_names(names, extended)?;
            rest = &[];
        }
    } else {
        if let ["extends", parent, after @ ..] = rest {
            super_name = Some(names.full(parent)?);
            rest = after;
        }
        if let ["implements", implemented @ ..] = rest {
            interfaces = full_names(names, implemented)?;
            rest = &[];
        }
    }
    if !rest.is_empty() {
        return Err(wrong());
    }
    let name = format!("{}/{name}", names.package);
    if name == "java/lang/Object" {
        super_name = None;
    }
    Ok(ApiClass {
        token: token(number)?,
        name,
        flags: access,
        super_name,
        interfaces,
        fields: Vec::new(),
        methods: Vec::new(),
    })
}

fn full_names(names: &Names, words: &[&str]) -> Result<Vec<String>, Wrong> {
    words.iter().map(|word| names.full(word)).collect()
}

fn member_line(class: &mut ApiClass, names: &Names, line: &str) -> Result<(), Wrong> {
    let line = line.trim();
    let (number, declaration) = line
        .split_once(':')
        .ok_or_else(|| ("TOKEN: DECLARATION", line.to_owned()))?;
    if declaration.contains('(') {
        let method = method(class, names, token(number)?, declaration)?;
        class.methods.push(method);
    } else {
        let number = match number.trim() {
            "-" => None,
            number => Some(token(number)?),
        };
        class.fields.push(field(names, number, declaration)?);
    }
    Ok(())
}

fn field(names: &Names, token: Option<u8>, declaration: &str) -> Result<ApiField, Wrong> {
    let words: Vec<&str> = declaration.split_whitespace().collect();
    let mut words = words.as_slice();
    let access = modifiers(&mut words);
    let (kind, name, value) = match words {
        [kind, name] => (*kind, *name, None),
        [kind, name, "=", value] => (*kind, *name, Some(constant(kind, value)?)),
        _ => return Err(("TYPE NAME or TYPE NAME = VALUE", declaration.to_owned())),
    };
    if token.is_some() == value.is_some() {
        return Err((
            "either a token or the value of a constant",
            declaration.to_owned(),
        ));
    }
    Ok(ApiField {
        name: name.to_owned(),
        descriptor: names.descriptor(kind)?,
        token,
        flags: access,
        constant: value,
    })
}

/// A constant's value; hexadecimal has the width of the type.
fn constant(kind: &str, text: &str) -> Result<i32, Wrong> {
    let wrong = || ("a value within its type", format!("{kind} {text}"));
    let hexadecimal = text
        .strip_prefix("0x")
        .map(|digits| u32::from_str_radix(digits, 16));
    let value = match hexadecimal {
        Some(bits) => {
            let bits = bits.map_err(|_| wrong())?;
            match kind {
                "byte" => u8::try_from(bits).map(|bits| i32::from(bits.cast_signed())),
                "short" => u16::try_from(bits).map(|bits| i32::from(bits.cast_signed())),
                _ => Ok(bits.cast_signed()),
            }
            .map_err(|_| wrong())?
        }
        None => text.parse().map_err(|_| wrong())?,
    };
    let fits = match kind {
        "boolean" => (0..=1).contains(&value),
        "byte" => i8::try_from(value).is_ok(),
        "short" => i16::try_from(value).is_ok(),
        "int" => true,
        _ => false,
    };
    if fits { Ok(value) } else { Err(wrong()) }
}

fn method(
    class: &ApiClass,
    names: &Names,
    token: u8,
    declaration: &str,
) -> Result<ApiMethod, Wrong> {
    let wrong = || ("MODIFIERS TYPE NAME(TYPES)", declaration.to_owned());
    let (head, rest) = declaration.split_once('(').ok_or_else(wrong)?;
    let (parameters, tail) = rest.split_once(')').ok_or_else(wrong)?;
    let words: Vec<&str> = head.split_whitespace().collect();
    let mut words = words.as_slice();
    let mut access = modifiers(&mut words);
    if class.is_interface() {
        access |= flags::ABSTRACT;
    }
    let (name, result) = match words {
        [name] if *name == class.simple_name() => ("<init>", "V".to_owned()),
        [result, name] => (*name, names.descriptor(result)?),
        _ => return Err(wrong()),
    };
    let mut descriptor = "(".to_owned();
    for kind in parameters.split(',').map(str::trim) {
        if !parameters.trim().is_empty() {
            descriptor.push_str(&names.descriptor(kind)?);
        }
    }
    descriptor.push(')');
    descriptor.push_str(&result);
    let tail: Vec<&str> = tail
        .split([',', ' '])
        .filter(|word| !word.is_empty())
        .collect();
    let exceptions = match tail.as_slice() {
        [] => Vec::new(),
        ["throws", thrown @ ..] => full_names(names, thrown)?,
        _ => return Err(wrong()),
    };
    Ok(ApiMethod {
        name: name.to_owned(),
        descriptor,
        token,
        flags: access,
        exceptions,
    })
}
