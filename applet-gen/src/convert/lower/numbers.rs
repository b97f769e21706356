//! Numbers: in one cell or in two, whole or their low 16 bits, and the operations on them.

use super::super::error::Problem;
use super::super::flow::Item;
use super::super::ir::Op;
use super::super::types::{Range, Storage, Value};
use super::{Step, unsupported};
use crate::cap::opcode::code as op;
use crate::classfile::Operand;

/// A number off the stack.
#[derive(Debug, Clone)]
pub(super) struct Number {
    pub(super) range: Range,
    /// Whether it takes two cells.
    pub(super) int: bool,
    pub(super) made: Vec<usize>,
}

impl Number {
    /// Whether one cell holds all of it.
    fn is_short(&self) -> bool {
        !self.int && self.range.exact()
    }
}

/// What an operation makes of its operands' ranges, and its opcodes for shorts and for `int`s.
type Arithmetic = (fn(Range, Range) -> Range, u8, u8);

/// `iadd` to `ixor` of the JVM.
fn arithmetic(opcode: u8) -> Arithmetic {
    match opcode {
        0x60 => (Range::add, op::SADD, op::IADD),
        0x64 => (Range::sub, op::SSUB, op::ISUB),
        0x68 => (Range::mul, op::SMUL, op::IMUL),
        0x6C => (Range::div, op::SDIV, op::IDIV),
        0x70 => (Range::rem, op::SREM, op::IREM),
        0x78 => (Range::shl, op::SSHL, op::ISHL),
        0x7A => (Range::shr, op::SSHR, op::ISHR),
        0x7C => (Range::ushr, op::SUSHR, op::IUSHR),
        0x7E => (Range::and, op::SAND, op::IAND),
        0x80 => (Range::or_xor, op::SOR, op::IOR),
        _ => (Range::or_xor, op::SXOR, op::IXOR),
    }
}

impl Step<'_, '_> {
    /// Pushes what an instruction made, in the number of cells that was asked of it.
    pub(super) fn give(&mut self, value: Value) {
        let widths = self.lower.widths;
        let (wide, narrow) = (
            widths.wide.contains(&self.offset),
            widths.narrow.contains(&self.offset),
        );
        let value = match value {
            Value::Number(range) if wide && !narrow && range.exact() => {
                self.emit(Op::Plain(op::S2I));
                Value::Int(range)
            }
            Value::Int(range) if narrow && range.exact() => {
                self.emit(Op::Plain(op::I2S));
                Value::Number(range)
            }
            other => other,
        };
        self.push(value);
    }

    /// A number of any kind; `None` after a refusal.
    pub(super) fn pop_any(&mut self) -> Option<Number> {
        let Item { value, made } = self.pop_item();
        let (range, int) = match value {
            Value::Number(range) => (range, false),
            Value::Int(range) => (range, true),
            Value::Bad => return None,
            _ => {
                self.fault("number expected on the stack");
                return None;
            }
        };
        Some(Number { range, int, made })
    }

    fn overflow(&mut self, range: Range, operation: &'static str) {
        self.refuse(Problem::Overflow {
            operation,
            low: range.low,
            high: range.high,
        });
    }

    /// Asks that the number be made in two cells, which needs another round.
    fn ask_wide(&mut self, made: &[usize]) {
        let known = &self.lower.widths.wide;
        if made.iter().all(|offset| known.contains(offset)) {
            return self.two_ways();
        }
        self.out.asked.wide.extend(made);
    }

    fn two_ways(&mut self) {
        self.refuse(unsupported(
            "a value used as an int and as a short in one expression",
            (
                "2.2.3.1",
                "store it in a local variable first, and use that twice",
            ),
        ));
    }

    /// The number on top as a short, all of it.
    pub(super) fn pop_exact(&mut self, operation: &'static str) -> Option<Range> {
        let number = self.pop_any()?;
        if !number.range.exact() {
            self.overflow(number.range, operation);
            return None;
        }
        if number.int {
            self.emit(Op::Plain(op::I2S));
        }
        Some(number.range)
    }

    /// As [`Step::pop_exact`], for a number with others above it.
    pub(super) fn pop_exact_below(&mut self, operation: &'static str) -> Option<Range> {
        let number = self.pop_any()?;
        if !number.range.exact() {
            self.overflow(number.range, operation);
            return None;
        }
        if number.int {
            let known = &self.lower.widths.narrow;
            if number.made.iter().all(|offset| known.contains(offset)) {
                self.two_ways();
            } else {
                self.out.asked.narrow.extend(number.made);
            }
        }
        Some(number.range)
    }

    /// The number on top in one cell, of which the low bits count.
    pub(super) fn pop_low(&mut self) -> Option<Range> {
        let number = self.pop_any()?;
        if number.int {
            self.emit(Op::Plain(op::I2S));
        }
        Some(number.range)
    }

    /// As [`Step::pop_low`], for a number with others above it.
    pub(super) fn pop_low_below(&mut self, operation: &'static str) {
        let top = self.frame.stack.last().map(|item| item.value);
        if matches!(top, Some(Value::Int(_))) {
            self.pop_exact_below(operation);
        } else {
            self.pop_any();
        }
    }

    /// The number on top as an `int`.
    pub(super) fn pop_int(&mut self) -> Option<Range> {
        let number = self.pop_any()?;
        if !number.int {
            let widths = &self.lower.widths.wide;
            // A constant is pushed as an int in the first place.
            let constant = number.made.iter().all(|made| {
                let maker = self.lower.instruction(*made).map(|ins| &ins.operand);
                matches!(maker, Some(Operand::Int(_) | Operand::Constant(_)))
                    && !widths.contains(made)
            });
            if number.range.exact() && !constant {
                self.emit(Op::Plain(op::S2I));
            } else {
                self.ask_wide(&number.made);
            }
        }
        Some(number.range)
    }

    /// As [`Step::pop_int`], for a number with others above it.
    pub(super) fn pop_int_below(&mut self) -> Option<Range> {
        let number = self.pop_any()?;
        if !number.int {
            self.ask_wide(&number.made);
        }
        Some(number.range)
    }

    /// Two numbers that an operation needs all of: as shorts if both are, else as `int`s, or
    /// refused where there are none. Gives left, right and whether they are `int`s.
    fn pop_pair(&mut self, operation: &'static str) -> Option<(Range, Range, bool)> {
        let height = self.frame.stack.len();
        let right = self.pop_any();
        let left = self.pop_any();
        let (right, left) = (right?, left?);
        if left.is_short() && right.is_short() {
            return Some((left.range, right.range, false));
        }
        if !self.lower.world.int {
            for number in [&right, &left] {
                if !number.range.exact() {
                    self.overflow(number.range, operation);
                }
            }
            return None;
        }
        self.as_ints(height, left, right)
    }

    /// Puts two numbers back and takes them as `int`s.
    fn as_ints(
        &mut self,
        height: usize,
        left: Number,
        right: Number,
    ) -> Option<(Range, Range, bool)> {
        let value = |number: &Number| match number.int {
            true => Value::Int(number.range),
            false => Value::Number(number.range),
        };
        self.frame.stack.truncate(height.saturating_sub(2));
        for number in [left, right] {
            self.frame.stack.push(Item {
                value: value(&number),
                made: number.made,
            });
        }
        let right = self.pop_int();
        let left = self.pop_int_below();
        Some((left?, right?, true))
    }

    pub(super) fn constant(&mut self, value: i32) {
        let range = Range::new(value.into(), value.into());
        if self.lower.widths.wide.contains(&self.offset) {
            self.emit(Op::PushInt(value));
            return self.give(Value::Int(range));
        }
        // The low 16 bits: the range says whether that is all of it.
        self.emit(Op::Push(value as i16));
        self.push(Value::Number(range));
    }

    /// A comparison with zero or of two numbers, and the branch on it by its short form's opcode.
    pub(super) fn compare(&mut self, zero: bool, relation: u8, target: usize) {
        const COMPARISON: &str = "the comparison";
        let mut int = false;
        if zero {
            let number = self.pop_any();
            if let Some(number) = number.filter(|number| !number.is_short()) {
                if self.lower.world.int {
                    int = true;
                    self.frame.stack.push(Item {
                        value: match number.int {
                            true => Value::Int(number.range),
                            false => Value::Number(number.range),
                        },
                        made: number.made,
                    });
                    self.pop_int();
                    self.emit(Op::PushInt(0));
                } else {
                    self.overflow(number.range, COMPARISON);
                }
            }
        } else {
            int = self.pop_pair(COMPARISON).is_some_and(|(.., int)| int);
        }
        let base = match (zero, int) {
            (false, false) => op::IF_SCMPEQ,
            _ => op::IFEQ,
        };
        if int {
            self.emit(Op::Plain(op::ICMP));
        }
        self.emit(Op::Branch(base + relation, target));
    }

    pub(super) fn negate(&mut self) {
        let number = self.pop_any();
        let asked = self.lower.widths.wide.contains(&self.offset);
        let Some(number) = number else {
            return self.push(Value::Bad);
        };
        let range = number.range.neg();
        if !number.int && (!asked || number.range.exact() && range.exact()) {
            self.emit(Op::Plain(op::SNEG));
            return self.give(Value::Number(range));
        }
        if !number.int {
            self.ask_wide(&number.made);
        }
        self.emit(Op::Plain(op::INEG));
        self.give(Value::Int(range));
    }

    pub(super) fn arithmetic(&mut self, opcode: u8) {
        let height = self.frame.stack.len();
        let right = self.pop_any();
        let left = self.pop_any();
        let (Some(left), Some(right)) = (left, right) else {
            return self.push(Value::Bad);
        };
        let (compute, short, wide) = arithmetic(opcode);
        // Only the low five bits of a shift's distance count, on both machines; the other
        // operations' low 16 bits come from their operands' low 16 bits.
        let (needs_left, needs_right, name) = match opcode {
            0x6C => (true, true, "the division"),
            0x70 => (true, true, "the remainder"),
            0x7A | 0x7C => (true, false, "the shift to the right"),
            _ => (false, false, ""),
        };
        let range = compute(left.range, right.range);
        let missing: Vec<Range> = [(needs_left, &left), (needs_right, &right)]
            .into_iter()
            .filter(|(needed, number)| *needed && !number.range.exact())
            .map(|(_, number)| number.range)
            .collect();
        let asked = self.lower.widths.wide.contains(&self.offset);
        let whole = left.range.exact() && right.range.exact() && range.exact();
        if !left.int && !right.int && missing.is_empty() && (!asked || whole) {
            self.emit(Op::Plain(short));
            return self.give(Value::Number(range));
        }
        if !self.lower.world.int {
            for range in missing {
                self.overflow(range, name);
            }
            return self.push(Value::Bad);
        }
        match self.as_ints(height, left, right) {
            Some(_) => {
                self.emit(Op::Plain(wide));
                self.give(Value::Int(range));
            }
            None => self.push(Value::Bad),
        }
    }

    /// `i2b` and `i2s`.
    pub(super) fn narrow(&mut self, to: Range, from_int: u8, from_short: Option<u8>) {
        let Some(number) = self.pop_any() else {
            return self.push(Value::Bad);
        };
        let fits = number.range.within(to);
        if number.int {
            self.emit(Op::Plain(from_int));
        } else if let Some(opcode) = from_short.filter(|_| !fits) {
            self.emit(Op::Plain(opcode));
        }
        self.give(Value::Number(if fits { number.range } else { to }));
    }

    /// The opcode of an array load or store by what the elements are.
    pub(super) fn element(opcode: u8) -> Option<(u8, Storage, Value)> {
        Some(match opcode {
            0x2E => (op::IALOAD, Storage::Int, Value::Int(Range::INT)),
            0x32 => (op::AALOAD, Storage::Reference, Value::Reference),
            0x33 => (op::BALOAD, Storage::Byte, Value::Number(Range::BYTE)),
            0x35 => (op::SALOAD, Storage::Short, Value::Number(Range::SHORT)),
            0x4F => (op::IASTORE, Storage::Int, Value::Unset),
            0x53 => (op::AASTORE, Storage::Reference, Value::Unset),
            0x54 => (op::BASTORE, Storage::Byte, Value::Unset),
            0x56 => (op::SASTORE, Storage::Short, Value::Unset),
            _ => return None,
        })
    }
}
