//! A listing of a CAP to read: classes, methods, instructions, with the API's names.
//!
//! The layout follows Java Card Assembly: one block a class, one a method, labels on branch
//! targets. It is for reading; nothing reads it back.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::decode::{Instruction, Operands, decode};
use super::descriptor::{NO_TOKEN, access};
use super::opcode::code as op;
use super::signature::{Kind, kinds};
use super::{Cap, ClassRef, Constant, Debug, ExceptionHandler, MethodInfo, StaticRef};
use crate::api::{self, ApiClass, ApiPackage};

/// Lists the whole CAP; names of imported packages come from `packages`. What cannot be decoded
/// is shown as bytes: a listing of a broken CAP is possible and says where it breaks.
pub fn disassemble(cap: &Cap, packages: &[ApiPackage]) -> String {
    let names = Names::new(cap, packages);
    let mut text = String::new();
    names.head(&mut text);
    let methods = cap.methods().unwrap_or_default();
    let mut listed = BTreeSet::new();
    for descriptor in cap
        .descriptor
        .iter()
        .flat_map(|descriptor| &descriptor.classes)
    {
        let _ = writeln!(text, "\n{}", names.class_head(descriptor.this_class));
        for method in &descriptor.methods {
            let interface = descriptor.access_flags & access::INTERFACE != 0;
            let info = methods
                .iter()
                .find(|info| !interface && info.offset == method.method_offset);
            match info {
                Some(info) => {
                    listed.insert(info.offset);
                    names.method(&mut text, info);
                }
                None => {
                    let shape = names.shape(method.type_offset);
                    let _ = writeln!(text, "  .method token {} {shape}", method.token);
                }
            }
        }
    }
    for info in methods.iter().filter(|info| !listed.contains(&info.offset)) {
        text.push('\n');
        names.method(&mut text, info);
    }
    text
}

/// Lists one method, as in [`disassemble`].
pub fn disassemble_method(cap: &Cap, packages: &[ApiPackage], method: &MethodInfo) -> String {
    let mut text = String::new();
    Names::new(cap, packages).method(&mut text, method);
    text
}

/// One instruction as text, for traces: mnemonic, operands, and what the constant means.
/// `base` is the offset of the code in the Method component: branch targets are shown there.
pub fn instruction_text(
    cap: &Cap,
    packages: &[ApiPackage],
    instruction: &Instruction,
    base: usize,
) -> String {
    Names::new(cap, packages).instruction(instruction, base)
}

/// What the constant at this index of the constant pool names; `None` where there is none.
pub fn constant_text(cap: &Cap, packages: &[ApiPackage], index: u16) -> Option<String> {
    Names::new(cap, packages).constant(index)
}

struct Names<'a> {
    cap: &'a Cap,
    packages: &'a [ApiPackage],
    debug: Option<Debug>,
}

impl<'a> Names<'a> {
    fn new(cap: &'a Cap, packages: &'a [ApiPackage]) -> Self {
        Names {
            cap,
            packages,
            // A broken one gives no names.
            debug: cap.debug_info().ok().flatten(),
        }
    }

    fn head(&self, text: &mut String) {
        let package = &self.cap.header.package;
        let _ = writeln!(
            text,
            ".package {} {}.{}",
            hex::encode_upper(&package.aid),
            package.major,
            package.minor
        );
        for (index, import) in self.cap.imports.iter().enumerate() {
            let name = self
                .package(index)
                .map_or("(not known)", |known| known.name.as_str());
            let _ = writeln!(
                text,
                ".import {index} {} {}.{} {name}",
                hex::encode_upper(&import.aid),
                import.major,
                import.minor
            );
        }
        for applet in &self.cap.applets {
            let _ = writeln!(
                text,
                ".applet {} install {:#06x}",
                hex::encode_upper(&applet.aid),
                applet.install_method_offset
            );
        }
    }

    fn package(&self, index: usize) -> Option<&'a ApiPackage> {
        let import = self.cap.imports.get(index)?;
        self.packages
            .iter()
            .find(|package| package.aid == import.aid)
    }

    fn external(&self, package: u8, class: u8) -> Option<&'a ApiClass> {
        self.package(package.into())?.class(class)
    }

    fn class(&self, class: ClassRef) -> String {
        match class {
            ClassRef::Internal(offset) => {
                if let Some(known) = self.debug.as_ref().and_then(|debug| debug.class(offset)) {
                    return known.name.clone();
                }
                let kind = match self.cap.class.interface_at(offset) {
                    Some(_) => "interface",
                    None => "class",
                };
                format!("{kind}_{offset:04x}")
            }
            ClassRef::External { package, class } => self.external(package, class).map_or_else(
                || format!("p{package}.c{class}"),
                |known| known.name.clone(),
            ),
        }
    }

    fn class_head(&self, class: ClassRef) -> String {
        let ClassRef::Internal(offset) = class else {
            return format!(".class {}", self.class(class));
        };
        let list = |refs: &mut dyn Iterator<Item = ClassRef>| {
            refs.map(|one| self.class(one))
                .collect::<Vec<_>>()
                .join(", ")
        };
        if let Some(interface) = self.cap.class.interface_at(offset) {
            let parents = list(&mut interface.superinterfaces.iter().copied());
            return match parents.as_str() {
                "" => format!(".interface {}", self.class(class)),
                parents => format!(".interface {} extends {parents}", self.class(class)),
            };
        }
        let mut head = format!(".class {}", self.class(class));
        if let Some(info) = self.cap.class.class_at(offset) {
            if let Some(parent) = info.super_class {
                let _ = write!(head, " extends {}", self.class(parent));
            }
            if !info.interfaces.is_empty() {
                let interfaces = list(&mut info.interfaces.iter().map(|one| one.interface));
                let _ = write!(head, " implements {interfaces}");
            }
            let _ = write!(head, "  // {} cells", info.declared_instance_size);
        }
        head
    }

    /// A method's type by the Descriptor: `(byte[], short) void`.
    fn shape(&self, type_offset: u16) -> String {
        let kinds = self
            .cap
            .descriptor
            .as_ref()
            .and_then(|descriptor| descriptor.type_at(type_offset))
            .and_then(|found| kinds(&found.nibbles))
            .unwrap_or_default();
        let name = |kind: &Kind| match kind {
            Kind::Reference(class) => self.class(*class),
            Kind::ReferenceArray(class) => self.class(*class) + "[]",
            kind => kind.to_string(),
        };
        match kinds.split_last() {
            Some((result, parameters)) => {
                let parameters: Vec<String> = parameters.iter().map(name).collect();
                format!("({}) {}", parameters.join(", "), name(result))
            }
            None => String::new(),
        }
    }

    fn method(&self, text: &mut String, method: &MethodInfo) {
        let listed = self
            .cap
            .descriptor
            .iter()
            .flat_map(|descriptor| &descriptor.classes)
            .flat_map(|class| &class.methods)
            .find(|listed| listed.method_offset == method.offset);
        let mut head = format!("  .method {:#06x}", method.offset);
        if let Some(listed) = listed {
            let flags = [
                (access::PUBLIC, "public"),
                (access::PRIVATE, "private"),
                (access::PROTECTED, "protected"),
                (access::STATIC, "static"),
                (access::FINAL, "final"),
                (access::METHOD_ABSTRACT, "abstract"),
                (access::INIT, "<init>"),
            ];
            for (_, word) in flags
                .iter()
                .filter(|(flag, _)| listed.access_flags & flag != 0)
            {
                let _ = write!(head, " {word}");
            }
            if listed.token != NO_TOKEN {
                let _ = write!(head, " token {}", listed.token);
            }
            let _ = write!(head, " {}", self.shape(listed.type_offset));
        }
        let debug = self.debug.as_ref();
        let known = debug.and_then(|debug| debug.method(method.offset));
        if let Some((class, known)) = known {
            let _ = write!(head, " {}.{}{}", class.name, known.name, known.descriptor);
        }
        let _ = writeln!(
            text,
            "{head}  // stack {}, args {}, locals {}, {} bytes",
            method.header.max_stack,
            method.header.nargs,
            method.header.max_locals,
            method.code.len()
        );
        for variable in known.iter().flat_map(|(_, known)| &known.variables) {
            let base = usize::from(method.code_offset);
            let start = base + usize::from(variable.start);
            let _ = writeln!(
                text,
                "    .local {} {} {} from {start:04x} to {:04x}",
                variable.index,
                variable.name,
                variable.descriptor,
                start + usize::from(variable.length)
            );
        }
        self.code(text, method);
    }

    fn code(&self, text: &mut String, method: &MethodInfo) {
        let base = usize::from(method.code_offset);
        let handlers: Vec<&ExceptionHandler> = self
            .cap
            .method
            .handlers
            .iter()
            .filter(|handler| {
                (base..base + method.code.len()).contains(&usize::from(handler.start))
            })
            .collect();
        for handler in &handlers {
            let catch = match (handler.catch_type, self.constant(handler.catch_type)) {
                (0, _) => "anything".to_owned(),
                (_, Some(constant)) => constant,
                (index, None) => format!("constant {index}"),
            };
            let start = usize::from(handler.start);
            let _ = writeln!(
                text,
                "    .catch {catch} from {start:04x} to {:04x} at {:04x}{}",
                start + usize::from(handler.length),
                handler.handler,
                if handler.stop { " stop" } else { "" }
            );
        }
        let mut instructions = Vec::new();
        let mut at = 0;
        let mut broken = None;
        while at < method.code.len() {
            match decode(&method.code, at) {
                Ok(instruction) => {
                    at += instruction.len;
                    instructions.push(instruction);
                }
                Err(error) => {
                    broken = Some((at, error));
                    break;
                }
            }
        }
        let mut labels: BTreeMap<usize, &str> = BTreeMap::new();
        for target in instructions.iter().flat_map(Instruction::targets) {
            labels.extend(usize::try_from(target).map(|target| (target, "L")));
        }
        for handler in &handlers {
            let target = usize::from(handler.handler).checked_sub(base);
            labels.extend(target.map(|target| (target, "H")));
        }
        let mut line = None;
        for instruction in &instructions {
            let debug = self.debug.as_ref();
            let pc = u16::try_from(instruction.at).unwrap_or(u16::MAX);
            let place = debug.and_then(|debug| debug.place(method.offset, pc));
            if let Some(place) = place.filter(|place| place.line != line) {
                line = place.line;
                if let Some(line) = line {
                    let _ = writeln!(text, "    .line {} {line}", place.class.source);
                }
            }
            let label = labels.get(&instruction.at).copied().unwrap_or(" ");
            let line = self.instruction(instruction, base);
            let _ = writeln!(text, "  {label} {:04x}: {line}", base + instruction.at);
        }
        if let Some((at, error)) = broken {
            let rest = method.code.get(at..).unwrap_or_default();
            let _ = writeln!(
                text,
                "    {:04x}: .bytes {}  // {error}",
                base + at,
                hex::encode_upper(rest)
            );
        }
    }

    fn instruction(&self, instruction: &Instruction, base: usize) -> String {
        let name = instruction.opcode.name;
        let goal = |offset: i16| {
            let at = i64::try_from(base + instruction.at).unwrap_or(i64::MAX);
            let goal = at.saturating_add(i64::from(offset));
            match u32::try_from(goal) {
                Ok(goal) => format!("{goal:04x}"),
                Err(_) => goal.to_string(),
            }
        };
        let pool = |index: u16| match self.constant(index) {
            Some(constant) => format!("{index}  // {constant}"),
            None => format!("{index}  // no such constant"),
        };
        let operands = match &instruction.operands {
            Operands::None => return name.to_owned(),
            Operands::Value(value) if instruction.opcode.code == op::SSPUSH => {
                // Status words and tags read better so.
                format!("{value}  // 0x{:04X}", value & 0xFFFF)
            }
            Operands::Value(value) => value.to_string(),
            Operands::Local(local) => local.to_string(),
            Operands::Increment { local, value } => format!("{local} {value}"),
            Operands::Branch(offset) => goal(*offset),
            Operands::Pool1(index) => pool(u16::from(*index)),
            Operands::Pool2(index) => pool(*index),
            Operands::Interface {
                nargs,
                index,
                token,
            } => {
                let called = match self.cap.constant_pool.get(usize::from(*index)) {
                    Some(Constant::Class(class)) => self.virtual_name(*class, *token),
                    _ => "no class".to_owned(),
                };
                format!("{nargs} {index} {token}  // {called}")
            }
            Operands::ArrayType(kind) => primitive(*kind).to_owned(),
            Operands::TypeCheck { atype: 0, index } => pool(*index),
            Operands::TypeCheck { atype: 14, index } => format!("[] {}", pool(*index)),
            Operands::TypeCheck { atype, .. } => format!("{}[]", primitive(*atype)),
            Operands::Words { m, n } => format!("{m} {n}"),
            Operands::Table {
                default,
                low,
                offsets,
            } => {
                let mut keys = Vec::new();
                for (index, offset) in offsets.iter().enumerate() {
                    let key = i64::from(*low) + i64::try_from(index).unwrap_or_default();
                    keys.push(format!("{key}:{}", goal(*offset)));
                }
                format!("{} default:{}", keys.join(" "), goal(*default))
            }
            Operands::Lookup { default, pairs } => {
                let keys: Vec<String> = pairs
                    .iter()
                    .map(|(key, offset)| format!("{key}:{}", goal(*offset)))
                    .collect();
                format!("{} default:{}", keys.join(" "), goal(*default))
            }
        };
        format!("{name} {}", operands.trim_start())
    }

    fn constant(&self, index: u16) -> Option<String> {
        let constant = self.cap.constant_pool.get(usize::from(index))?;
        Some(match constant {
            Constant::Class(class) => self.class(*class),
            Constant::InstanceField { class, token } => {
                let known = self.field(*class, *token);
                format!("{}.{}", self.class(*class), known)
            }
            Constant::VirtualMethod { class, token } => self.virtual_name(*class, *token),
            Constant::SuperMethod { class, token } => {
                let parent = match class {
                    ClassRef::Internal(offset) => self
                        .cap
                        .class
                        .class_at(*offset)
                        .and_then(|info| info.super_class),
                    ClassRef::External { .. } => None,
                };
                match parent {
                    Some(parent) => format!("super {}", self.virtual_name(parent, *token)),
                    None => format!("super of {} method {token}", self.class(*class)),
                }
            }
            Constant::StaticField(StaticRef::Internal(offset)) => format!("static {offset}"),
            Constant::StaticField(StaticRef::External {
                package,
                class,
                token,
            }) => {
                let class = ClassRef::External {
                    package: *package,
                    class: *class,
                };
                format!("{}.{}", self.class(class), self.field(class, *token))
            }
            Constant::StaticMethod(StaticRef::Internal(offset)) => {
                let debug = self.debug.as_ref();
                match debug.and_then(|debug| debug.method(*offset)) {
                    Some((class, known)) => {
                        format!("{}.{}{}", class.name, known.name, known.descriptor)
                    }
                    None => format!("method {offset:04x}"),
                }
            }
            Constant::StaticMethod(StaticRef::External {
                package,
                class,
                token,
            }) => {
                let known = self.external(*package, *class);
                let method = known.and_then(|known| {
                    known
                        .methods
                        .iter()
                        .find(|method| method.is_static_token() && method.token == *token)
                });
                let class = self.class(ClassRef::External {
                    package: *package,
                    class: *class,
                });
                match method {
                    Some(method) => format!("{class}.{}{}", method.name, method.descriptor),
                    None => format!("{class}.static {token}"),
                }
            }
        })
    }

    fn field(&self, class: ClassRef, token: u8) -> String {
        let known = match class {
            ClassRef::External { package, class } => self.external(package, class),
            ClassRef::Internal(_) => None,
        };
        known
            .and_then(|known| known.fields.iter().find(|field| field.token == Some(token)))
            .map_or_else(|| format!("field {token}"), |field| field.name.clone())
    }

    /// A virtual method's name where an imported class declares it, else its token or, for a
    /// method of this package, its offset.
    fn virtual_name(&self, class: ClassRef, token: u8) -> String {
        let mut owner = class;
        for _ in 0..=self.cap.class.classes.len() {
            let offset = match owner {
                ClassRef::External {
                    package,
                    class: known,
                } => {
                    let found = self
                        .external(package, known)
                        .and_then(|known| api::method_by_token(self.packages, &known.name, token));
                    return match found {
                        Some(found) => format!(
                            "{}.{}{}",
                            self.class(class),
                            found.member.name,
                            found.member.descriptor
                        ),
                        None => format!("{}.virtual {token}", self.class(class)),
                    };
                }
                ClassRef::Internal(offset) => offset,
            };
            let Some(info) = self.cap.class.class_at(offset) else {
                break;
            };
            if let Some(entry) = info.own_virtual_method(token) {
                return format!("{}.virtual {token} = method {entry:04x}", self.class(class));
            }
            match info.super_class {
                Some(parent) => owner = parent,
                None => break,
            }
        }
        format!("{}.virtual {token}", self.class(class))
    }
}

fn primitive(kind: u8) -> &'static str {
    match kind {
        10 => "boolean",
        11 => "byte",
        12 => "short",
        13 => "int",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::api::packages;
    use crate::cap::sample;

    #[test]
    fn names_of_the_api_stand_in_the_listing() {
        let text = disassemble(&sample::cap(), packages());
        for line in [
            ".package F04950416599 1.0",
            ".import 0 A0000000620101 1.5 javacard/framework",
            ".interface interface_0000 extends javacard/framework/Shareable",
            ".class class_0003 extends javacard/framework/Applet  // 1 cells",
            "  .method 0x0014 public static (byte[], short, byte) void  // stack 2, args 3, \
             locals 0, 11 bytes",
            "    .catch javacard/framework/CardRuntimeException from 0023 to 002e at 002f stop",
            "    001d: invokevirtual 3  // class_0003.register()V",
            "    0026: ifeq 002e",
            "    0028: sspush 27904  // 0x6D00",
            "    002b: invokestatic 6  // javacard/framework/ISOException.throwIt(S)V",
            "  L 002e: return",
            "  H 002f: astore_2",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        let bare = Cap {
            descriptor: None,
            ..sample::cap()
        };
        assert!(disassemble(&bare, packages()).contains("throwIt(S)V"));
    }

    proptest! {
        #[test]
        fn altered_files_never_panic(
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
        ) {
            let mut bytes = sample::cap().load_file(true).unwrap();
            for (index, byte) in changes {
                let at = index.index(bytes.len());
                bytes[at] = byte;
            }
            if let Ok(cap) = Cap::from_load_file(&bytes) {
                let _ = disassemble(&cap, packages());
            }
        }
    }
}
