//! Debug component (JCVM 6.14): names, source files, lines and variables. Never loaded on a card.
//!
//! [`Cap::debug_info`] reads it; a tracer asks [`Debug::place`] which line an instruction is of.

use std::collections::BTreeMap;

use super::bytes::{Reader, Writer};
use super::{Cap, CapError, ComponentTag};

/// `debug_component` (JCVM 6.14), its strings put where they belong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Debug {
    /// The package's name with slashes.
    pub package: String,
    /// Its classes and interfaces.
    pub classes: Vec<DebugClass>,
}

/// `class_debug_info`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DebugClass {
    /// Full name with slashes.
    pub name: String,
    /// Flags of [`crate::api::flags`].
    pub access: u16,
    /// Offset in the Class component.
    pub location: u16,
    /// Full name of the superclass.
    pub super_name: String,
    /// Name of the source file, without folders.
    pub source: String,
    /// Full names of the interfaces that it implements or extends.
    pub interfaces: Vec<String>,
    /// Its fields, constants included.
    pub fields: Vec<DebugField>,
    /// Its methods.
    pub methods: Vec<DebugMethod>,
}

/// `field_debug_info`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DebugField {
    /// Name.
    pub name: String,
    /// Descriptor as in class files.
    pub descriptor: String,
    /// Flags of class files.
    pub access: u16,
    /// An instance field's token, a static field's offset in the image, a constant's value.
    pub contents: u32,
}

/// `method_debug_info`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DebugMethod {
    /// Name.
    pub name: String,
    /// Descriptor as in class files.
    pub descriptor: String,
    /// Flags of class files.
    pub access: u16,
    /// Offset in the Method component; 0 in an interface.
    pub location: u16,
    /// Bytes of its header: 2 or 4.
    pub header_size: u8,
    /// Bytes of its code.
    pub body_size: u16,
    /// Its parameters and local variables.
    pub variables: Vec<DebugVariable>,
    /// Its lines, ascending by offset.
    pub lines: Vec<DebugLine>,
}

/// `variable_info`; offsets are into the method's code.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DebugVariable {
    /// The local variable's index.
    pub index: u8,
    /// Its name.
    pub name: String,
    /// Its descriptor.
    pub descriptor: String,
    /// Where it starts to hold a value.
    pub start: u16,
    /// For how many bytes.
    pub length: u16,
}

/// `line_info`; offsets are into the method's code.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DebugLine {
    /// First byte of code of that line.
    pub start: u16,
    /// Last byte of it.
    pub end: u16,
    /// The line, from 1.
    pub line: u16,
}

/// Where an instruction comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The class.
    pub class: &'a DebugClass,
    /// The method.
    pub method: &'a DebugMethod,
    /// The source line; `None` for code without one.
    pub line: Option<u16>,
}

impl std::fmt::Display for Place<'_> {
    /// As a stack trace of Java has it: `p.Class.method(File.java:12)`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let class = self.class.name.replace('/', ".");
        write!(f, "{class}.{}({}", self.method.name, self.class.source)?;
        match self.line {
            Some(line) => write!(f, ":{line})"),
            None => f.write_str(")"),
        }
    }
}

impl Debug {
    /// The source place of the instruction at `pc` (offset in the code) of the method at offset
    /// `method` of the Method component.
    pub fn place(&self, method: u16, pc: u16) -> Option<Place<'_>> {
        let (class, method) = self.method(method)?;
        let line = method
            .lines
            .iter()
            .find(|line| (line.start..=line.end).contains(&pc))
            .map(|line| line.line);
        Some(Place {
            class,
            method,
            line,
        })
    }

    /// The class and the method at this offset of the Method component.
    pub fn method(&self, offset: u16) -> Option<(&DebugClass, &DebugMethod)> {
        let classes = self.classes.iter();
        classes
            .flat_map(|class| class.methods.iter().map(move |method| (class, method)))
            .find(|(_, method)| method.location == offset && method.header_size > 0)
    }

    /// The class at this offset of the Class component.
    pub fn class(&self, offset: u16) -> Option<&DebugClass> {
        self.classes.iter().find(|class| class.location == offset)
    }

    /// Reads the component's info.
    ///
    /// # Errors
    /// [`CapError::Malformed`] with the offset.
    pub fn read(bytes: &[u8]) -> Result<Debug, CapError> {
        let mut input = Input {
            reader: Reader::new(ComponentTag::Debug, bytes),
            strings: Vec::new(),
        };
        for _ in 0..input.reader.u2("string_count")? {
            let length = input.reader.u2("a string's length")?;
            let at = input.reader.at();
            let text = input.reader.take(length.into(), "a string")?;
            let text = std::str::from_utf8(text).map_err(|_| {
                input
                    .reader
                    .wrong_at(at, "a string in UTF-8", "other bytes")
            })?;
            input.strings.push(text.to_owned());
        }
        let package = input.string("package_name_index")?;
        let mut classes = Vec::new();
        for _ in 0..input.reader.u2("class_count")? {
            classes.push(input.class()?);
        }
        input.reader.end()?;
        Ok(Debug { package, classes })
    }

    /// The component's info; strings stand in the order of their first use.
    ///
    /// # Errors
    /// [`CapError::TooLarge`] where a count does not fit.
    pub fn write(&self) -> Result<Vec<u8>, CapError> {
        let mut out = Output {
            writer: Writer::new(ComponentTag::Debug),
            strings: Writer::new(ComponentTag::Debug),
            index: BTreeMap::new(),
        };
        out.string(&self.package)?;
        out.writer
            .count2(self.classes.len(), "the number of classes")?;
        for class in &self.classes {
            out.class(class)?;
        }
        let mut whole = Writer::new(ComponentTag::Debug);
        whole.count2(out.index.len(), "the number of strings")?;
        whole.raw(&out.strings.finish());
        whole.raw(&out.writer.finish());
        Ok(whole.finish())
    }
}

impl Cap {
    /// The Debug component, read; `None` where the CAP has none.
    ///
    /// # Errors
    /// [`CapError::Malformed`]: a card never sees the component, so [`Cap::from_jar`] leaves it
    /// unread.
    pub fn debug_info(&self) -> Result<Option<Debug>, CapError> {
        self.debug.as_deref().map(Debug::read).transpose()
    }
}

struct Input<'a> {
    reader: Reader<'a>,
    strings: Vec<String>,
}

impl Input<'_> {
    fn string(&mut self, what: &str) -> Result<String, CapError> {
        let at = self.reader.at();
        let index = self.reader.u2(what)?;
        match self.strings.get(usize::from(index)) {
            Some(text) => Ok(text.clone()),
            None => {
                let expected = format!("{what} below {}", self.strings.len());
                Err(self.reader.wrong_at(at, expected, index))
            }
        }
    }

    fn class(&mut self) -> Result<DebugClass, CapError> {
        let mut class = DebugClass {
            name: self.string("a class's name_index")?,
            access: self.reader.u2("class access_flags")?,
            location: self.reader.u2("a class's location")?,
            super_name: self.string("superclass_name_index")?,
            source: self.string("source_file_index")?,
            ..DebugClass::default()
        };
        let interfaces = self.reader.u1("interface_count")?;
        let fields = self.reader.u2("field_count")?;
        let methods = self.reader.u2("method_count")?;
        for _ in 0..interfaces {
            class
                .interfaces
                .push(self.string("interface_names_indexes")?);
        }
        for _ in 0..fields {
            class.fields.push(DebugField {
                name: self.string("a field's name_index")?,
                descriptor: self.string("a field's descriptor_index")?,
                access: self.reader.u2("field access_flags")?,
                contents: u32::from(self.reader.u2("a field's contents")?) << 16
                    | u32::from(self.reader.u2("a field's contents")?),
            });
        }
        for _ in 0..methods {
            class.methods.push(self.method()?);
        }
        Ok(class)
    }

    fn method(&mut self) -> Result<DebugMethod, CapError> {
        let mut method = DebugMethod {
            name: self.string("a method's name_index")?,
            descriptor: self.string("a method's descriptor_index")?,
            access: self.reader.u2("method access_flags")?,
            location: self.reader.u2("a method's location")?,
            header_size: self.reader.u1("header_size")?,
            body_size: self.reader.u2("body_size")?,
            ..DebugMethod::default()
        };
        let variables = self.reader.u2("variable_count")?;
        let lines = self.reader.u2("line_count")?;
        for _ in 0..variables {
            method.variables.push(DebugVariable {
                index: self.reader.u1("a variable's index")?,
                name: self.string("a variable's name_index")?,
                descriptor: self.string("a variable's descriptor_index")?,
                start: self.reader.u2("a variable's start_pc")?,
                length: self.reader.u2("a variable's length")?,
            });
        }
        for _ in 0..lines {
            method.lines.push(DebugLine {
                start: self.reader.u2("a line's start_pc")?,
                end: self.reader.u2("a line's end_pc")?,
                line: self.reader.u2("source_line")?,
            });
        }
        Ok(method)
    }
}

struct Output {
    writer: Writer,
    strings: Writer,
    index: BTreeMap<String, u16>,
}

impl Output {
    fn string(&mut self, text: &str) -> Result<(), CapError> {
        let next = self.index.len();
        let index = match self.index.get(text) {
            Some(index) => *index,
            None => {
                let index = u16::try_from(next).map_err(|_| CapError::TooLarge {
                    component: ComponentTag::Debug,
                    what: "the number of strings",
                    value: next,
                    limit: 0xFFFF,
                })?;
                self.strings.count2(text.len(), "a string's length")?;
                self.strings.raw(text.as_bytes());
                self.index.insert(text.to_owned(), index);
                index
            }
        };
        self.writer.u2(index);
        Ok(())
    }

    fn class(&mut self, class: &DebugClass) -> Result<(), CapError> {
        self.string(&class.name)?;
        self.writer.u2(class.access);
        self.writer.u2(class.location);
        self.string(&class.super_name)?;
        self.string(&class.source)?;
        let writer = &mut self.writer;
        writer.count1(class.interfaces.len(), "the number of a class's interfaces")?;
        writer.count2(class.fields.len(), "the number of a class's fields")?;
        writer.count2(class.methods.len(), "the number of a class's methods")?;
        for interface in &class.interfaces {
            self.string(interface)?;
        }
        for field in &class.fields {
            self.string(&field.name)?;
            self.string(&field.descriptor)?;
            self.writer.u2(field.access);
            self.writer.raw(&field.contents.to_be_bytes());
        }
        for method in &class.methods {
            self.method(method)?;
        }
        Ok(())
    }

    fn method(&mut self, method: &DebugMethod) -> Result<(), CapError> {
        self.string(&method.name)?;
        self.string(&method.descriptor)?;
        let writer = &mut self.writer;
        writer.u2(method.access);
        writer.u2(method.location);
        writer.u1(method.header_size);
        writer.u2(method.body_size);
        writer.count2(method.variables.len(), "the number of a method's variables")?;
        writer.count2(method.lines.len(), "the number of a method's lines")?;
        for variable in &method.variables {
            self.writer.u1(variable.index);
            self.string(&variable.name)?;
            self.string(&variable.descriptor)?;
            self.writer.u2(variable.start);
            self.writer.u2(variable.length);
        }
        for line in &method.lines {
            self.writer.u2s(&[line.start, line.end, line.line]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample() -> Debug {
        let method = DebugMethod {
            name: "process".into(),
            descriptor: "(Ljavacard/framework/APDU;)V".into(),
            access: 1,
            location: 0x14,
            header_size: 2,
            body_size: 9,
            variables: vec![DebugVariable {
                index: 1,
                name: "apdu".into(),
                descriptor: "Ljavacard/framework/APDU;".into(),
                start: 0,
                length: 9,
            }],
            lines: vec![
                DebugLine {
                    start: 0,
                    end: 3,
                    line: 7,
                },
                DebugLine {
                    start: 4,
                    end: 8,
                    line: 9,
                },
            ],
        };
        Debug {
            package: "p".into(),
            classes: vec![DebugClass {
                name: "p/A".into(),
                access: 1,
                location: 2,
                super_name: "javacard/framework/Applet".into(),
                source: "A.java".into(),
                interfaces: vec!["p/I".into()],
                fields: vec![DebugField {
                    name: "left".into(),
                    descriptor: "S".into(),
                    access: 0,
                    contents: 3,
                }],
                methods: vec![method],
            }],
        }
    }

    #[test]
    fn lines_are_found() {
        let debug = sample();
        let place = |pc| debug.place(0x14, pc).map(|place| place.to_string());
        assert_eq!(place(3).as_deref(), Some("p.A.process(A.java:7)"));
        assert_eq!(place(4).as_deref(), Some("p.A.process(A.java:9)"));
        assert_eq!(place(9).as_deref(), Some("p.A.process(A.java)"));
        assert_eq!(debug.place(0x15, 0), None);
        assert_eq!(debug.class(2).map(|class| class.name.as_str()), Some("p/A"));
    }

    #[test]
    fn what_is_written_is_read() {
        let bytes = sample().write().unwrap();
        assert_eq!(Debug::read(&bytes).unwrap(), sample());
        // Eleven strings: lengths in two bytes, then the texts, the package's name first.
        assert_eq!(bytes[..10], *b"\x00\x0b\x00\x01p\x00\x03p/A");
    }

    proptest! {
        #[test]
        fn altered_bytes_never_panic(
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut bytes = sample().write().unwrap();
            for (index, byte) in changes {
                let at = index.index(bytes.len());
                bytes[at] = byte;
            }
            if let Ok(debug) = Debug::read(&bytes) {
                prop_assert_eq!(Debug::read(&debug.write().unwrap()).unwrap(), debug);
            }
            bytes.truncate(cut.index(bytes.len()));
            let _ = Debug::read(&bytes);
        }
    }
}
