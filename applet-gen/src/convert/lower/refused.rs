//! Instructions that no card has, whatever they work on.

use super::super::error::{Problem, rule};
use super::unsupported;
use crate::classfile::{Constant, Instruction, Operand};

/// What an instruction is refused for by itself: `long`, `float`, `double` and `char`, `jsr`.
pub(crate) fn refused(ins: &Instruction) -> Option<Problem> {
    let of_type = |letter: u8| match letter {
        1 => Some("long arithmetic"),
        2 => Some("float arithmetic"),
        3 => Some("double arithmetic"),
        _ => None,
    };
    let what = match (&ins.operand, ins.opcode) {
        (Operand::Constant(Constant::Other(kind @ ("long" | "float" | "double"))), _) => {
            return Some(unsupported(
                format!("a constant of type {kind}"),
                rule::TYPE,
            ));
        }
        (Operand::Local(_), opcode @ 0x15..=0x19) => of_type(opcode - 0x15)?,
        (Operand::Local(_), opcode @ 0x36..=0x3A) => of_type(opcode - 0x36)?,
        (_, 0xA8 | 0xA9) => {
            let rule = (
                "2.3.1.1",
                "compile with a newer javac, which inlines finally",
            );
            return Some(unsupported("jsr and ret", rule));
        }
        (_, 0x34 | 0x55 | 0x92) => "char arithmetic",
        // Long, float and double take turns in the order of JVMS chapter 6.
        (_, 0x09..=0x0A | 0x2F | 0x50 | 0x85 | 0x88 | 0x8C | 0x8F | 0x94 | 0xAD) => {
            "long arithmetic"
        }
        (_, 0x0B..=0x0D | 0x30 | 0x51 | 0x86 | 0x89 | 0x8B | 0x90 | 0x95 | 0x96 | 0xAE) => {
            "float arithmetic"
        }
        (_, 0x0E..=0x0F | 0x31 | 0x52 | 0x87 | 0x8A | 0x8D | 0x8E | 0x97 | 0x98 | 0xAF) => {
            "double arithmetic"
        }
        (_, opcode @ 0x60..=0x77) => of_type(opcode % 4)?,
        (_, 0x79 | 0x7B | 0x7D | 0x7F | 0x81 | 0x83) => "long arithmetic",
        _ => return None,
    };
    Some(unsupported(what, rule::TYPE))
}
