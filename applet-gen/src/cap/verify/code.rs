//! The code of each method: instructions, operands, branches, handlers, Reference Location.

use std::collections::BTreeSet;

use super::context::Context;
use super::{Report, types};
use crate::cap::decode::{Instruction, Operands, PoolIndex, decode_all};
use crate::cap::header::ACC_INT;
use crate::cap::opcode::code as op;
use crate::cap::{ComponentTag, Constant, ExceptionHandler, MethodInfo};

/// A decoded method.
pub(super) struct Code<'a> {
    pub method: &'a MethodInfo,
    pub instructions: Vec<Instruction>,
    /// Offsets of the instructions in the code.
    pub starts: BTreeSet<usize>,
    /// The exception handlers of ranges within the method.
    pub handlers: Vec<&'a ExceptionHandler>,
}

impl Code<'_> {
    /// The place of an instruction for a finding.
    pub fn place(&self, instruction: &Instruction) -> (usize, &'static str) {
        let at = usize::from(self.method.code_offset) + instruction.at;
        (at, instruction.opcode.name)
    }
}

pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    let mut located = Locations::default();
    located.add_handlers(&context.cap.method.handlers);
    let mut decoded = true;
    for method in context.methods.values() {
        if method.header.is_abstract() {
            if !method.code.is_empty() {
                report.method(
                    method.offset,
                    "no code in an abstract method",
                    format!("{} bytes", method.code.len()),
                );
            }
            continue;
        }
        let instructions = match decode_all(&method.code) {
            Ok(instructions) => instructions,
            Err(error) => {
                decoded = false;
                report.method(
                    method.offset,
                    "instructions",
                    format!("{error} (in its code, from {:#06x})", method.code_offset),
                );
                continue;
            }
        };
        let begin = usize::from(method.code_offset);
        let code = Code {
            starts: instructions
                .iter()
                .map(|instruction| instruction.at)
                .collect(),
            handlers: context
                .cap
                .method
                .handlers
                .iter()
                .filter(|handler| {
                    (begin..begin + method.code.len()).contains(&usize::from(handler.start))
                })
                .collect(),
            method,
            instructions,
        };
        for instruction in &code.instructions {
            located.add(begin, instruction.pool_index());
            check_instruction(context, &code, instruction, report);
        }
        check_flow(&code, report);
        check_handlers(context, &code, report);
        if context.typed {
            types::check(context, &code, report);
        }
    }
    if decoded {
        located.compare(context, report);
    }
    handler_table(context, report);
    orphans(context, report);
}

/// The order of the handlers, and the bit that ends the search for one (JCVM 6.9.1).
fn handler_table(context: &Context<'_>, report: &mut Report) {
    let handlers = &context.cap.method.handlers;
    if !handlers.is_sorted_by_key(|handler| handler.handler) {
        let expected = "exception handlers in the order of their code";
        report.component(ComponentTag::Method, Some(1), expected, "another order");
    }
    let end = |handler: &ExceptionHandler| usize::from(handler.start) + usize::from(handler.length);
    for (index, handler) in handlers.iter().enumerate() {
        let mut later = handlers.iter().skip(index + 1);
        let nested = later.any(|outer| outer.start <= handler.start && end(handler) <= end(outer));
        if handler.stop == nested {
            report.component(
                ComponentTag::Method,
                Some(1 + 8 * index + 2),
                format!(
                    "stop_bit {}, as its range is {}within a later one's",
                    u8::from(!nested),
                    if nested { "" } else { "not " }
                ),
                u8::from(handler.stop),
            );
        }
    }
}

/// Handlers whose range starts in no method.
fn orphans(context: &Context<'_>, report: &mut Report) {
    for (index, handler) in context.cap.method.handlers.iter().enumerate() {
        let start = usize::from(handler.start);
        let inside = context.methods.values().any(|method| {
            let begin = usize::from(method.code_offset);
            (begin..begin + method.code.len()).contains(&start)
        });
        if !inside {
            report.component(
                ComponentTag::Method,
                Some(1 + 8 * index),
                "an exception handler of a method's code",
                format!("a range from {start:#06x}"),
            );
        }
    }
}

/// Where indexes into the constant pool stand.
#[derive(Default)]
struct Locations {
    one: BTreeSet<usize>,
    two: BTreeSet<usize>,
}

impl Locations {
    fn add(&mut self, begin: usize, index: Option<PoolIndex>) {
        if let Some(index) = index {
            let set = if index.width == 1 {
                &mut self.one
            } else {
                &mut self.two
            };
            set.insert(begin + index.at);
        }
    }

    /// The types of exception handlers; 0 is no index.
    fn add_handlers(&mut self, handlers: &[ExceptionHandler]) {
        let typed = handlers.iter().enumerate();
        let typed = typed.filter(|(_, handler)| handler.catch_type != 0);
        self.two.extend(typed.map(|(index, _)| 1 + 8 * index + 6));
    }

    /// Reference Location lists these, all of them, and no others.
    fn compare(&self, context: &Context<'_>, report: &mut Report) {
        let component = &context.cap.ref_location;
        let lists = [
            (&component.byte_indices, &self.one, "one-byte"),
            (&component.byte2_indices, &self.two, "two-byte"),
        ];
        for (listed, operands, width) in lists {
            let set: BTreeSet<usize> = listed.iter().map(|at| usize::from(*at)).collect();
            let mut wrong = |expected: String, found: String| {
                report.component(ComponentTag::ReferenceLocation, None, expected, found);
            };
            if set.len() != listed.len() {
                wrong(format!("each {width} location once"), "one twice".into());
            }
            for at in set.difference(operands) {
                let what = format!("{at:#06x}, where there is none");
                wrong(format!("{width} constant pool indexes"), what);
            }
            for at in operands.difference(&set) {
                wrong(
                    format!("the {width} constant pool index at {at:#06x}"),
                    "no entry".into(),
                );
            }
        }
    }
}

fn check_instruction(
    context: &Context<'_>,
    code: &Code<'_>,
    instruction: &Instruction,
    report: &mut Report,
) {
    let mut wrong = |expected: String, found: String| {
        let place = code.place(instruction);
        report.instruction(code.method.offset, place, expected, found);
    };
    if instruction.opcode.int && context.cap.header.flags & ACC_INT == 0 {
        wrong(
            "no int instruction (ACC_INT is not set)".into(),
            "one".into(),
        );
    }
    if let Some(local) = local_of(instruction) {
        let header = &code.method.header;
        let words = u16::from(header.nargs) + u16::from(header.max_locals);
        let last = u16::from(local) + u16::from(instruction.opcode.int);
        if last >= words {
            wrong(format!("a local variable below {words}"), last.to_string());
        }
    }
    match &instruction.operands {
        Operands::ArrayType(kind) if !(10..=13).contains(kind) => {
            wrong("an array type, 10 to 13".into(), kind.to_string());
        }
        Operands::TypeCheck { atype, index } => match atype {
            0 | 14 => {}
            10..=13 if *index == 0 => {}
            10..=13 => wrong("index 0 with a primitive array".into(), index.to_string()),
            _ => wrong("an array type, 0 or 10 to 14".into(), atype.to_string()),
        },
        Operands::Words { m, n } => {
            let fits = if instruction.opcode.code == op::SWAP_X {
                (1..=2).contains(m) && (1..=2).contains(n)
            } else {
                (1..=4).contains(m) && (*n == 0 || (*m..=*m + 4).contains(n))
            };
            if !fits {
                wrong("m and n as JCVM 7.5 allows".into(), format!("m {m}, n {n}"));
            }
        }
        Operands::Lookup { pairs, .. }
            if !pairs.is_sorted_by(|(one, _), (other, _)| one < other) =>
        {
            wrong("keys in ascending order".into(), "another order".into());
        }
        _ => {}
    }
    if let Some(index) = instruction.pool_index()
        && let Err((expected, found)) = check_constant(context, instruction, index.index)
    {
        wrong(expected, found);
    }
}

/// The local variable that an instruction names, also by its opcode.
pub(super) fn local_of(instruction: &Instruction) -> Option<u8> {
    match instruction.operands {
        Operands::Local(local) | Operands::Increment { local, .. } => Some(local),
        Operands::None => match instruction.opcode.code {
            code @ op::ALOAD_0..=op::ILOAD_3 => Some((code - op::ALOAD_0) % 4),
            code @ op::ASTORE_0..=op::ISTORE_3 => Some((code - op::ASTORE_0) % 4),
            _ => None,
        },
        _ => None,
    }
}

/// The constant is of the kind that the instruction wants.
fn check_constant(
    context: &Context<'_>,
    instruction: &Instruction,
    index: u16,
) -> Result<(), (String, String)> {
    let pool = &context.cap.constant_pool;
    let Some(constant) = pool.get(usize::from(index)) else {
        return Err((
            format!("a constant below {}", pool.len()),
            index.to_string(),
        ));
    };
    let code = instruction.opcode.code;
    let (fits, expected) = match code {
        op::GETSTATIC_A..=op::PUTSTATIC_I => (
            matches!(constant, Constant::StaticField(_)),
            "CONSTANT_StaticFieldref",
        ),
        op::INVOKEVIRTUAL => (
            matches!(constant, Constant::VirtualMethod { .. }),
            "CONSTANT_VirtualMethodref",
        ),
        op::INVOKESPECIAL => (
            matches!(
                constant,
                Constant::StaticMethod(_) | Constant::SuperMethod { .. }
            ),
            "CONSTANT_StaticMethodref or CONSTANT_SuperMethodref",
        ),
        op::INVOKESTATIC => (
            matches!(constant, Constant::StaticMethod(_)),
            "CONSTANT_StaticMethodref",
        ),
        op::INVOKEINTERFACE | op::NEW | op::ANEWARRAY | op::CHECKCAST | op::INSTANCEOF => {
            (matches!(constant, Constant::Class(_)), "CONSTANT_Classref")
        }
        _ => (
            matches!(constant, Constant::InstanceField { .. }),
            "CONSTANT_InstanceFieldref",
        ),
    };
    if !fits {
        return Err((
            expected.to_owned(),
            format!("constant {index}, {}", constant.kind()),
        ));
    }
    match (code, constant) {
        (op::INVOKEINTERFACE, Constant::Class(class)) if !context.is_interface(*class, true) => {
            return Err(("an interface".into(), class.to_string()));
        }
        (op::NEW, Constant::Class(class)) if context.is_interface(*class, false) => {
            return Err(("a class".into(), format!("interface {class}")));
        }
        _ => {}
    }
    Ok(())
}

/// Branches go to instructions; control does not run past the end.
fn check_flow(code: &Code<'_>, report: &mut Report) {
    for instruction in &code.instructions {
        for target in instruction.targets() {
            let known = usize::try_from(target).is_ok_and(|target| code.starts.contains(&target));
            if !known {
                let at = i64::from(code.method.code_offset) + target;
                report.instruction(
                    code.method.offset,
                    code.place(instruction),
                    "a branch to an instruction of the method",
                    format!("one to {at:#06x}"),
                );
            }
        }
    }
    match code.instructions.last() {
        None => report.method(code.method.offset, "code", "none"),
        Some(last) if !last.opcode.ends_block() => report.instruction(
            code.method.offset,
            code.place(last),
            "a return, a throw or a jump at the end of the code",
            last.opcode.name,
        ),
        Some(_) => {}
    }
}

fn check_handlers(context: &Context<'_>, code: &Code<'_>, report: &mut Report) {
    let begin = usize::from(code.method.code_offset);
    let length = code.method.code.len();
    for handler in &code.handlers {
        let mut wrong = |expected: &str, found: String| {
            let expected = format!("{expected} of an exception handler");
            report.method(code.method.offset, expected, found);
        };
        let start = usize::from(handler.start) - begin;
        let end = start + usize::from(handler.length);
        if !code.starts.contains(&start) {
            wrong(
                "an instruction at the start",
                format!("{:#06x}", handler.start),
            );
        }
        if handler.length == 0 || !(code.starts.contains(&end) || end == length) {
            wrong("an instruction at the end", format!("{:#06x}", begin + end));
        }
        let target = usize::from(handler.handler).checked_sub(begin);
        if !target.is_some_and(|target| code.starts.contains(&target)) {
            wrong(
                "an instruction as the code",
                format!("{:#06x}", handler.handler),
            );
        }
        // Index 0 catches everything, also where constant 0 is something else.
        let constant = context
            .cap
            .constant_pool
            .get(usize::from(handler.catch_type));
        if handler.catch_type != 0 && !matches!(constant, Some(Constant::Class(_))) {
            wrong(
                "CONSTANT_Classref as the type",
                format!("constant {}", handler.catch_type),
            );
        }
    }
}
