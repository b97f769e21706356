//! Java class files (JVMS chapter 4), as far as a Java Card converter reads them.
//!
//! [`ClassFile::parse`] keeps names, members, code and the debug tables that errors need
//! (`SourceFile`, `LineNumberTable`, `LocalVariableTable`). It judges nothing: what Java Card
//! doesn't allow is refused by [`crate::convert`], with the line. Every reference into the
//! constant pool is resolved here, so that later stages see names only.

mod bytes;
mod code;
mod pool;

pub use code::{Instruction, Operand, Switch, decode};
pub use pool::{CallSite, Constant, MemberRef, Pool};

use std::collections::BTreeSet;

use bytes::Reader;
use pool::Bootstrap;

/// Access and property flags of classes, fields and methods (JVMS tables 4.1-B, 4.5-A, 4.6-A).
pub mod acc {
    /// Visible everywhere.
    pub const PUBLIC: u16 = 0x0001;
    /// Visible in the class only.
    pub const PRIVATE: u16 = 0x0002;
    /// Visible in the package and to subclasses.
    pub const PROTECTED: u16 = 0x0004;
    /// Belongs to the class.
    pub const STATIC: u16 = 0x0008;
    /// Cannot be overridden, subclassed or assigned again.
    pub const FINAL: u16 = 0x0010;
    /// A method that locks its object.
    pub const SYNCHRONIZED: u16 = 0x0020;
    /// A field that is never cached.
    pub const VOLATILE: u16 = 0x0040;
    /// A field left out of serialization; on methods the same bit says varargs.
    pub const TRANSIENT: u16 = 0x0080;
    /// A method with a variable number of arguments.
    pub const VARARGS: u16 = 0x0080;
    /// A method that the platform implements.
    pub const NATIVE: u16 = 0x0100;
    /// An interface.
    pub const INTERFACE: u16 = 0x0200;
    /// Without implementation.
    pub const ABSTRACT: u16 = 0x0400;
    /// A method in strict floating point.
    pub const STRICT: u16 = 0x0800;
    /// Made by the compiler.
    pub const SYNTHETIC: u16 = 0x1000;
    /// An annotation type.
    pub const ANNOTATION: u16 = 0x2000;
    /// An enumeration type or one of its constants.
    pub const ENUM: u16 = 0x4000;
    /// A module's declaration, which is no class.
    pub const MODULE: u16 = 0x8000;
}

/// Why the bytes are no class file: what was expected, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClassFileError {
    /// The bytes end inside an item.
    #[error("class file ends at offset {offset}: {wanted} more bytes expected for {what}")]
    Truncated {
        /// Where the item starts.
        offset: usize,
        /// How many bytes are missing at least.
        wanted: usize,
        /// The item.
        what: &'static str,
    },
    /// An item has a value that JVMS doesn't allow.
    #[error("class file offset {offset}: {what} is {found}, expected {expected} (JVMS 4)")]
    Invalid {
        /// Where the item stands; for constant pool entries, the entry's index.
        offset: usize,
        /// The item.
        what: &'static str,
        /// What stands there.
        found: String,
        /// What would be right.
        expected: &'static str,
    },
}

/// One field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Flags of [`acc`].
    pub access: u16,
    /// The simple name.
    pub name: String,
    /// The type, as `[B`, `Ljavacard/framework/AID;`.
    pub descriptor: String,
    /// `ConstantValue`: the value of a constant of a primitive type.
    pub constant: Option<Constant>,
}

/// One handler of a method's exception table; offsets are into the code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handler {
    /// First byte of the range.
    pub start: usize,
    /// First byte after the range.
    pub end: usize,
    /// Where the handler begins.
    pub target: usize,
    /// The class caught; `None` catches everything (`finally`).
    pub class: Option<String>,
}

/// A local variable by name, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalVariable {
    /// First code offset where it holds a value.
    pub start: usize,
    /// First code offset after its scope.
    pub end: usize,
    /// Its name.
    pub name: String,
    /// Its declared type.
    pub descriptor: String,
    /// Its index in the frame.
    pub index: u16,
}

/// The `Code` attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// Words of the frame's local variables, parameters included.
    pub max_locals: u16,
    /// The instructions, in order.
    pub instructions: Vec<Instruction>,
    /// Length of the bytecode in bytes.
    pub len: usize,
    /// The exception table, in its order.
    pub handlers: Vec<Handler>,
    /// (code offset, source line), sorted by offset.
    pub lines: Vec<(usize, u16)>,
    /// Named local variables; empty without `-g`.
    pub variables: Vec<LocalVariable>,
}

impl Code {
    /// The source line of the instruction at `offset`; `None` without a line number table.
    pub fn line(&self, offset: usize) -> Option<u16> {
        let after = self.lines.partition_point(|(start, _)| *start <= offset);
        self.lines.get(after.checked_sub(1)?).map(|(_, line)| *line)
    }
}

/// One method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Method {
    /// Flags of [`acc`].
    pub access: u16,
    /// The simple name, `<init>` or `<clinit>`.
    pub name: String,
    /// The descriptor, as `([BSB)V`.
    pub descriptor: String,
    /// The body; `None` for abstract and native methods.
    pub code: Option<Code>,
}

/// One class or interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassFile {
    /// Class file version: (major, minor); 52 is Java 8.
    pub version: (u16, u16),
    /// Flags of [`acc`]; for nested classes those of the `InnerClasses` attribute where they say
    /// more (`protected` and `private` are not flags of a class file).
    pub access: u16,
    /// The binary name with slashes.
    pub name: String,
    /// The superclass; `None` for `java/lang/Object`.
    pub super_name: Option<String>,
    /// The direct superinterfaces.
    pub interfaces: Vec<String>,
    /// The fields, in source order.
    pub fields: Vec<Field>,
    /// The methods, in source order.
    pub methods: Vec<Method>,
    /// `SourceFile`, as `IpaApplet.java`.
    pub source_file: Option<String>,
    /// Every class that the constant pool or a member's descriptor names, without array brackets.
    pub named_classes: BTreeSet<String>,
    /// Names of class attributes that say what newer languages put in (`NestHost`, `Record`, …).
    pub attributes: Vec<String>,
}

impl ClassFile {
    /// Reads one class file.
    ///
    /// # Errors
    /// [`ClassFileError`] names the offset and the item of the first structural fault.
    pub fn parse(bytes: &[u8]) -> Result<ClassFile, ClassFileError> {
        let mut input = Reader::new(bytes);
        let magic = input.u4("magic")?;
        if magic != 0xCAFE_BABE {
            return Err(ClassFileError::Invalid {
                offset: 0,
                what: "magic",
                found: format!("{magic:08X}"),
                expected: "CAFEBABE",
            });
        }
        let minor = input.u2("minor_version")?;
        let major = input.u2("major_version")?;
        let mut pool = Pool::read(&mut input)?;
        let mut access = input.u2("access_flags")?;
        let name = pool.class(input.u2("this_class")?)?;
        let super_name = match input.u2("super_class")? {
            0 => None,
            index => Some(pool.class(index)?),
        };
        let interfaces = input.list("interfaces", |input| pool.class(input.u2("interface")?))?;
        pool.set_bootstraps(bootstraps(input.clone(), &pool)?);
        let fields = input.list("fields", |input| read_field(input, &pool))?;
        let methods = input.list("methods", |input| read_method(input, &pool))?;
        let mut source_file = None;
        let mut attributes = Vec::new();
        for_each_attribute(&mut input, &pool, |attribute, body| {
            match attribute {
                "SourceFile" => source_file = Some(pool.utf8(body.u2("sourcefile_index")?)?),
                "InnerClasses" => {
                    body.list("classes", |body| {
                        let inner = pool.class(body.u2("inner_class_info")?)?;
                        body.u2("outer_class_info")?;
                        body.u2("inner_name")?;
                        let flags = body.u2("inner_class_access_flags")?;
                        if inner == name {
                            access |= flags & acc::STATIC;
                        }
                        Ok(())
                    })?;
                }
                _ => {}
            }
            attributes.push(attribute.to_owned());
            Ok(())
        })?;
        input.finish("class file")?;
        let mut named_classes = pool.named_classes();
        let descriptors = (fields.iter().map(|field| &field.descriptor))
            .chain(methods.iter().map(|method| &method.descriptor));
        named_classes.extend(descriptors.flat_map(|text| descriptor_classes(text)));
        Ok(ClassFile {
            version: (major, minor),
            access,
            name,
            super_name,
            interfaces,
            fields,
            methods,
            source_file,
            named_classes,
            attributes,
        })
    }

    /// The package's name with slashes; empty for the unnamed package.
    pub fn package(&self) -> &str {
        self.name
            .rsplit_once('/')
            .map_or("", |(package, _)| package)
    }

    /// Whether this is an interface.
    pub fn is_interface(&self) -> bool {
        self.access & acc::INTERFACE != 0
    }
}

/// The classes that a descriptor names.
fn descriptor_classes(descriptor: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = descriptor;
    // Before a class stand primitive letters, brackets and parentheses, none of them an L.
    while let Some((name, after)) = rest.split_once('L').and_then(|(_, at)| at.split_once(';')) {
        found.push(name.to_owned());
        rest = after;
    }
    found
}

/// Looks ahead for the class's `BootstrapMethods`, which the code needs to be understood; `input`
/// stands before the fields.
fn bootstraps(mut input: Reader<'_>, pool: &Pool) -> Result<Vec<Bootstrap>, ClassFileError> {
    for members in ["fields", "methods"] {
        input.list(members, |input| {
            input.take(6, "member")?;
            for_each_attribute(input, pool, |_, _| Ok(()))
        })?;
    }
    let mut rows = Vec::new();
    for_each_attribute(&mut input, pool, |attribute, body| {
        if attribute == "BootstrapMethods" {
            rows = body.list("bootstrap_methods", |body| {
                Ok(Bootstrap {
                    method: body.u2("bootstrap_method_ref")?,
                    arguments: body.list("bootstrap_arguments", |body| body.u2("argument"))?,
                })
            })?;
        }
        Ok(())
    })?;
    Ok(rows)
}

fn for_each_attribute<'a>(
    input: &mut Reader<'a>,
    pool: &Pool,
    mut visit: impl FnMut(&str, &mut Reader<'a>) -> Result<(), ClassFileError>,
) -> Result<(), ClassFileError> {
    for _ in 0..input.u2("attributes_count")? {
        let name = pool.utf8(input.u2("attribute_name_index")?)?;
        let length = input.u4("attribute_length")? as usize;
        let mut body = input.sub(length, "attribute")?;
        visit(&name, &mut body)?;
    }
    Ok(())
}

fn read_field(input: &mut Reader<'_>, pool: &Pool) -> Result<Field, ClassFileError> {
    let access = input.u2("field access_flags")?;
    let name = pool.utf8(input.u2("field name_index")?)?;
    let descriptor = pool.utf8(input.u2("field descriptor_index")?)?;
    let mut constant = None;
    for_each_attribute(input, pool, |attribute, body| {
        if attribute == "ConstantValue" {
            constant = Some(pool.constant(body.u2("constantvalue_index")?)?);
        }
        Ok(())
    })?;
    Ok(Field {
        access,
        name,
        descriptor,
        constant,
    })
}

fn read_method(input: &mut Reader<'_>, pool: &Pool) -> Result<Method, ClassFileError> {
    let access = input.u2("method access_flags")?;
    let name = pool.utf8(input.u2("method name_index")?)?;
    let descriptor = pool.utf8(input.u2("method descriptor_index")?)?;
    let mut code = None;
    for_each_attribute(input, pool, |attribute, body| {
        if attribute == "Code" {
            code = Some(read_code(body, pool)?);
        }
        Ok(())
    })?;
    Ok(Method {
        access,
        name,
        descriptor,
        code,
    })
}

fn read_code(input: &mut Reader<'_>, pool: &Pool) -> Result<Code, ClassFileError> {
    input.u2("max_stack")?;
    let max_locals = input.u2("max_locals")?;
    let len = input.u4("code_length")? as usize;
    let bytecode = input.take(len, "code")?;
    let instructions = decode(bytecode, pool)?;
    let handlers = input.list("exception_table", |input| {
        Ok(Handler {
            start: input.u2("start_pc")?.into(),
            end: input.u2("end_pc")?.into(),
            target: input.u2("handler_pc")?.into(),
            class: match input.u2("catch_type")? {
                0 => None,
                index => Some(pool.class(index)?),
            },
        })
    })?;
    let mut lines = Vec::new();
    let mut variables = Vec::new();
    for_each_attribute(input, pool, |attribute, body| {
        match attribute {
            "LineNumberTable" => lines.extend(body.list("line_number_table", |body| {
                Ok((usize::from(body.u2("start_pc")?), body.u2("line_number")?))
            })?),
            "LocalVariableTable" => {
                variables.extend(body.list("local_variable_table", |body| {
                    let start = usize::from(body.u2("start_pc")?);
                    let length = usize::from(body.u2("length")?);
                    Ok(LocalVariable {
                        start,
                        end: start + length,
                        name: pool.utf8(body.u2("name_index")?)?,
                        descriptor: pool.utf8(body.u2("descriptor_index")?)?,
                        index: body.u2("index")?,
                    })
                })?);
            }
            _ => {}
        }
        Ok(())
    })?;
    lines.sort_by_key(|(offset, _)| *offset);
    Ok(Code {
        max_locals,
        instructions,
        len,
        handlers,
        lines,
        variables,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_what_is_missing() {
        assert_eq!(
            ClassFile::parse(&[0xCA, 0xFE]),
            Err(ClassFileError::Truncated {
                offset: 0,
                wanted: 2,
                what: "magic"
            })
        );
        assert!(matches!(
            ClassFile::parse(&[0; 10]),
            Err(ClassFileError::Invalid { what: "magic", .. })
        ));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(mut bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            if let Some(head) = bytes.get_mut(..8) {
                head.copy_from_slice(&[0xCA, 0xFE, 0xBA, 0xBE, 0, 0, 0, 52]);
            }
            let _ = ClassFile::parse(&bytes);
        }
    }
}
