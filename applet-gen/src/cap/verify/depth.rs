//! The depth of the operand stack: never below zero, never above max_stack, and the same on every
//! way to an instruction. Only depths are followed, not types.

use std::collections::BTreeMap;

use super::Report;
use super::code::Code;
use super::context::{Context, Target};
use crate::cap::decode::{Instruction, Operands};
use crate::cap::opcode::code as op;
use crate::cap::signature::Words;
use crate::cap::{Constant, StaticRef};

/// What an instruction does to the depth.
enum Effect {
    /// Takes and leaves words.
    Known(u16, u16),
    /// It cannot be told (a method of an unknown package, no Descriptor).
    Unknown,
}

pub(super) fn check(context: &Context<'_>, code: &Code<'_>, report: &mut Report) {
    let by_offset: BTreeMap<usize, &Instruction> = code
        .instructions
        .iter()
        .map(|instruction| (instruction.at, instruction))
        .collect();
    let mut depths: BTreeMap<usize, u16> = BTreeMap::new();
    let mut work = vec![(0, 0)];
    for handler in &code.handlers {
        let target = usize::from(handler.handler).checked_sub(code.method.code_offset.into());
        work.extend(target.map(|target| (target, 1)));
    }
    let max = u16::from(code.method.header.max_stack);
    while let Some((at, depth)) = work.pop() {
        let Some(instruction) = by_offset.get(&at) else {
            // A branch to nowhere is another check's finding.
            continue;
        };
        let mut wrong = |expected: String, found: String| {
            let place = code.place(instruction);
            report.instruction(code.method.offset, place, expected, found);
        };
        match depths.insert(at, depth) {
            Some(before) if before != depth => {
                wrong(
                    format!("the same stack depth on every way, {before} words"),
                    format!("{depth}"),
                );
                return;
            }
            Some(_) => continue,
            None => {}
        }
        let Effect::Known(taken, left) = effect(context, instruction) else {
            continue;
        };
        let Some(below) = depth.checked_sub(taken) else {
            wrong(format!("{taken} words on the stack"), format!("{depth}"));
            return;
        };
        let after = below + left;
        if after > max || depth > max {
            wrong(
                format!("at most {max} words on the stack (max_stack)"),
                format!("{}", after.max(depth)),
            );
            return;
        }
        let jsr = instruction.opcode.code == op::JSR;
        for target in instruction.targets() {
            work.extend(usize::try_from(target).map(|target| (target, after)));
        }
        if !instruction.opcode.ends_block() {
            // After `jsr` the subroutine has taken its return address.
            work.push((at + instruction.len, if jsr { depth } else { after }));
        }
    }
}

fn effect(context: &Context<'_>, instruction: &Instruction) -> Effect {
    if let Some((taken, left)) = instruction.opcode.stack {
        return Effect::Known(taken.into(), left.into());
    }
    let words = |words: Option<Words>, this: u16| match words {
        Some(words) => Effect::Known(words.parameters + this, words.result),
        None => Effect::Unknown,
    };
    match &instruction.operands {
        Operands::Words { m, n } if instruction.opcode.code == op::DUP_X => {
            let used = u16::from(*m.max(n));
            Effect::Known(used, used + u16::from(*m))
        }
        Operands::Words { m, n } => {
            let used = u16::from(*m) + u16::from(*n);
            Effect::Known(used, used)
        }
        Operands::Interface {
            nargs,
            index,
            token,
        } => match context.cap.constant_pool.get(usize::from(*index)) {
            Some(Constant::Class(class)) => {
                let result = context.interface_method(*class, *token);
                match result {
                    Some(found) => Effect::Known((*nargs).into(), found.result),
                    None => Effect::Unknown,
                }
            }
            _ => Effect::Unknown,
        },
        Operands::Pool2(index) => {
            let constant = context.cap.constant_pool.get(usize::from(*index));
            let this = match constant {
                Some(Constant::StaticMethod(_)) => {
                    u16::from(instruction.opcode.code == op::INVOKESPECIAL)
                }
                _ => 1,
            };
            let described = context.cap.descriptor.as_ref().and_then(|descriptor| {
                let offset = descriptor.constant_pool_types.get(usize::from(*index))?;
                context.words_at(*offset)
            });
            words(
                described.or_else(|| constant.and_then(|constant| imported(context, constant))),
                this,
            )
        }
        _ => Effect::Unknown,
    }
}

/// The words of a method of a known package, by its table.
fn imported(context: &Context<'_>, constant: &Constant) -> Option<Words> {
    match constant {
        Constant::StaticMethod(StaticRef::External {
            package,
            class,
            token,
        }) => {
            let known = context.external(*package, *class).ok().flatten()?;
            let method = known
                .methods
                .iter()
                .find(|method| method.is_static_token() && method.token == *token)?;
            Words::of_descriptor(&method.descriptor)
        }
        Constant::VirtualMethod { class, token } => match context.virtual_method(*class, *token) {
            Target::External(method) => Words::of_descriptor(&method.descriptor),
            _ => None,
        },
        _ => None,
    }
}
