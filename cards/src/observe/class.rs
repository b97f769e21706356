//! Bytecode instructions by what they do.

use applet_gen::cap::opcode::code as op;
use serde::Serialize;

/// What an instruction does, as far as its time goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Constants, loads and stores of locals, `dup`, `pop`, `swap_x`, `nop`.
    LoadStore,
    /// Addition, logic, shifts, `sinc`, conversions, comparison.
    Arithmetic,
    /// Multiplication, division, remainder.
    Multiply,
    /// `goto` and conditional branches, `jsr`, `ret`.
    Branch,
    /// The switches.
    Switch,
    /// Fields of objects and classes.
    Field,
    /// Elements and lengths of arrays.
    Array,
    /// Calls.
    Invoke,
    /// Returns.
    Return,
    /// `new`, `newarray`, `anewarray`.
    New,
    /// `checkcast`, `instanceof`.
    Check,
    /// `athrow`.
    Throw,
}

impl Class {
    /// Every class.
    pub const ALL: [Class; 12] = [
        Class::LoadStore,
        Class::Arithmetic,
        Class::Multiply,
        Class::Branch,
        Class::Switch,
        Class::Field,
        Class::Array,
        Class::Invoke,
        Class::Return,
        Class::New,
        Class::Check,
        Class::Throw,
    ];

    /// The class of an opcode (JCVM ch. 7).
    pub fn of(opcode: u8) -> Self {
        match opcode {
            op::AALOAD..=op::IALOAD | op::AASTORE..=op::IASTORE | op::ARRAYLENGTH => Class::Array,
            op::SMUL..=op::IREM => Class::Multiply,
            op::SADD..=op::ISUB | op::SNEG..=op::ICMP | op::SINC_W | op::IINC_W => {
                Class::Arithmetic
            }
            op::IFEQ..=op::RET | op::IFEQ_W..=op::GOTO_W => Class::Branch,
            op::STABLESWITCH..=op::ILOOKUPSWITCH => Class::Switch,
            op::ARETURN..=op::RETURN => Class::Return,
            op::GETSTATIC_A..=op::PUTFIELD_I | op::GETFIELD_A_W..=op::PUTFIELD_I_THIS => {
                Class::Field
            }
            op::INVOKEVIRTUAL..=op::INVOKEINTERFACE => Class::Invoke,
            op::NEW..=op::ANEWARRAY => Class::New,
            op::ATHROW => Class::Throw,
            op::CHECKCAST | op::INSTANCEOF => Class::Check,
            _ => Class::LoadStore,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use applet_gen::cap::opcode::TABLE;

    #[test]
    fn every_instruction_is_in_the_class_of_its_name() {
        for row in &TABLE {
            let name = row.name.trim_end_matches("_w").trim_end_matches("_this");
            let bare = name.trim_start_matches(['s', 'i', 'a', 'b']);
            let expected = match name {
                "iinc" | "sinc" | "icmp" | "s2b" | "s2i" | "i2b" | "i2s" => Class::Arithmetic,
                "jsr" | "ret" | "goto" => Class::Branch,
                "new" | "newarray" | "anewarray" => Class::New,
                "arraylength" => Class::Array,
                "athrow" => Class::Throw,
                "checkcast" | "instanceof" => Class::Check,
                _ if name.starts_with("if") => Class::Branch,
                _ if name.starts_with("invoke") => Class::Invoke,
                _ if name.ends_with("switch") => Class::Switch,
                _ if name.ends_with("return") => Class::Return,
                _ if name.contains("field") || name.contains("static") => Class::Field,
                "aaload" | "baload" | "saload" | "iaload" => Class::Array,
                "aastore" | "bastore" | "sastore" | "iastore" => Class::Array,
                _ => match bare {
                    "mul" | "div" | "rem" => Class::Multiply,
                    "dd" | "ub" | "neg" | "hl" | "hr" | "ushr" | "nd" | "or" | "xor" | "add"
                    | "sub" | "shl" | "shr" | "and" => Class::Arithmetic,
                    _ => Class::LoadStore,
                },
            };
            assert_eq!(Class::of(row.code), expected, "{}", row.name);
        }
        let counted = TABLE
            .iter()
            .filter(|row| Class::of(row.code) == Class::Arithmetic);
        // add, sub, neg, shl, shr, ushr, and, or, xor, inc, inc_w of both; s2b, s2i, i2b, i2s, icmp.
        assert_eq!(counted.count(), 22 + 5);
    }
}
