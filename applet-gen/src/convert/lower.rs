//! One JVM instruction to Java Card instructions, with its effect on the frame.
//!
//! A Java `int` is carried as the low 16 bits of itself. Operations whose low 16 bits depend on
//! nothing else (add, subtract, multiply, negate, shift left, and, or, xor) become the short
//! operation whatever the range; all others need the number itself, and are refused where its
//! range leaves a short. `(short)` then costs nothing, and `(byte)` one instruction at most.

mod members;

use super::absent;
use super::error::{Problem, rule};
use super::flow::{Frame, Input};
use super::ir::Op;
use super::types::{Range, Signature, Storage, Type, Value, signature};
use super::world::{ClassId, World};
use crate::cap::opcode::code as op;
use crate::classfile::{Code, Constant, Instruction, Operand};

/// What a step gives beside the new frame.
#[derive(Debug, Default)]
pub(crate) struct Out {
    pub(crate) ops: Vec<Op>,
    pub(crate) problems: Vec<Problem>,
    /// The code breaks the rules of the JVM itself; nothing after it makes sense.
    pub(crate) fault: Option<&'static str>,
    /// The instruction was refused as such: what follows it is not looked at.
    pub(crate) stop: bool,
}

/// Lowers the instructions of one method.
pub(crate) struct Lower<'a> {
    world: &'a World,
    class: ClassId,
    code: &'a Code,
    result: &'a Type,
}

fn unsupported(what: impl Into<String>, rule: (&'static str, &'static str)) -> Problem {
    Problem::Unsupported {
        what: what.into(),
        clause: rule.0,
        instead: rule.1,
    }
}

/// A class's name as Java writes it.
pub(crate) fn java_name(name: &str) -> String {
    name.replace('/', ".")
}

/// Whether nothing is ever stored to local 0: in an instance method it then is `this`.
pub(crate) fn keeps_local_0(code: &Code) -> bool {
    !code
        .instructions
        .iter()
        .any(|ins| matches!(ins.opcode, 0x36..=0x3A) && ins.operand == Operand::Local(0))
}

impl<'a> Lower<'a> {
    pub(crate) fn new(input: &Input<'a>) -> Self {
        Lower {
            world: input.world,
            class: input.class,
            code: input.code,
            result: &input.signature.result,
        }
    }

    /// The class of this name.
    pub(crate) fn class(&self, name: &str) -> Result<ClassId, Problem> {
        let found = self.world.find(name);
        found.ok_or_else(|| self.world.unknown_class(name))
    }

    /// Applies one instruction to `frame`.
    pub(crate) fn step(&self, frame: &mut Frame, ins: &Instruction, out: &mut Out) {
        let mut step = Step {
            lower: self,
            frame,
            out,
            offset: ins.offset,
        };
        step.run(ins);
    }

    /// Whether a local variable of a refused type lives in `index` at `offset`.
    fn bad_local(&self, index: u16, offset: usize) -> bool {
        self.code.variables.iter().any(|variable| {
            variable.index == index
                && (variable.start..variable.end).contains(&offset)
                && matches!(variable.descriptor.as_str(), "I" | "J" | "F" | "D" | "C")
        })
    }

    fn instruction(&self, offset: usize) -> Option<&'a Instruction> {
        let code = &self.code.instructions;
        let index = code.binary_search_by_key(&offset, |ins| ins.offset).ok()?;
        code.get(index)
    }

    fn next_offset(&self, offset: usize) -> usize {
        let after = self
            .code
            .instructions
            .partition_point(|ins| ins.offset <= offset);
        self.code
            .instructions
            .get(after)
            .map_or(self.code.len, |ins| ins.offset)
    }
}

/// What an instruction is refused for whatever it works on.
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
        (_, 0x2E | 0x4F) => return Some(unsupported("an element of an int[]", rule::INT)),
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

struct Step<'a, 'b> {
    lower: &'b Lower<'a>,
    frame: &'b mut Frame,
    out: &'b mut Out,
    offset: usize,
}

impl Step<'_, '_> {
    fn emit(&mut self, op: Op) {
        self.out.ops.push(op);
    }

    fn refuse(&mut self, problem: Problem) {
        self.out.problems.push(problem);
    }

    fn fault(&mut self, text: &'static str) {
        self.out.fault.get_or_insert(text);
    }

    fn push(&mut self, value: Value) {
        self.frame.stack.push(value);
    }

    fn pop(&mut self) -> Value {
        match self.frame.stack.pop() {
            Some(value) => value,
            None => {
                self.fault("operand stack underflow");
                Value::Bad
            }
        }
    }

    fn pop_reference(&mut self) {
        match self.pop() {
            Value::Reference | Value::Bad => {}
            _ => self.fault("reference expected on the stack"),
        }
    }

    /// A number of any range; `None` after a refusal.
    fn pop_number(&mut self) -> Option<Range> {
        match self.pop() {
            Value::Number(range) => Some(range),
            Value::Bad => None,
            _ => {
                self.fault("number expected on the stack");
                None
            }
        }
    }

    /// A number that a short holds.
    fn pop_exact(&mut self, operation: &'static str) -> Option<Range> {
        let range = self.pop_number()?;
        self.require(range, operation)
    }

    fn require(&mut self, range: Range, operation: &'static str) -> Option<Range> {
        if range.exact() {
            return Some(range);
        }
        self.refuse(Problem::Overflow {
            operation,
            low: range.low,
            high: range.high,
        });
        None
    }

    fn push_number(&mut self, range: Option<Range>) {
        self.push(range.map_or(Value::Bad, Value::Number));
    }

    fn run(&mut self, ins: &Instruction) {
        if let Some(problem) = refused(ins) {
            self.refuse(problem);
            self.out.stop = true;
            return;
        }
        match (&ins.operand, ins.opcode) {
            (Operand::Int(value), 0x10 | 0x11) => self.constant(*value),
            (Operand::Int(code), _) => self.new_array(*code),
            (Operand::Constant(constant), _) => match constant {
                Constant::Integer(value) => self.constant(*value),
                Constant::String(text) => {
                    self.refuse(unsupported(format!("the string {text:?}"), rule::STRING));
                    self.push(Value::Bad);
                }
                Constant::Other(kind) => {
                    let what = match *kind {
                        "Class" => "a class literal".to_owned(),
                        other => format!("a constant of type {other}"),
                    };
                    self.refuse(unsupported(what, rule::REFLECTION));
                    self.push(Value::Bad);
                }
            },
            (Operand::Local(index), opcode) => self.local(opcode, *index),
            (Operand::Increment(index, by), _) => self.increment(*index, *by),
            (Operand::Target(target), opcode) => self.branch(opcode, *target),
            (Operand::Member(member), opcode @ 0xB2..=0xB5) => self.field(opcode, member),
            (Operand::Member(member), opcode) => self.call(opcode, member),
            (Operand::Class(name), opcode) => self.class_op(opcode, name),
            (Operand::Dynamic(site), _) => {
                self.refuse(absent::call_site(site));
                let Signature { parameters, .. } = signature(&site.descriptor, &mut |_| {});
                for _ in parameters {
                    self.pop();
                }
                self.push(Value::Bad);
            }
            (Operand::MultiArray(_, dimensions), _) => {
                self.refuse(unsupported("an array of arrays", rule::DIMENSIONS));
                for _ in 0..*dimensions {
                    self.pop();
                }
                self.push(Value::Bad);
            }
            (Operand::Switch(switch), _) => {
                self.pop_exact("the switch");
                let mut cases = Vec::new();
                for (value, target) in &switch.cases {
                    match i16::try_from(*value) {
                        // A tableswitch fills its holes with the default.
                        Ok(_) if *target == switch.default => {}
                        Ok(value) => cases.push((value, *target)),
                        Err(_) => self.refuse(Problem::Overflow {
                            operation: "the switch's case label",
                            low: (*value).into(),
                            high: (*value).into(),
                        }),
                    }
                }
                self.emit(Op::Switch {
                    default: switch.default,
                    cases,
                });
            }
            (Operand::None, opcode) => self.plain(opcode),
        }
    }

    fn constant(&mut self, value: i32) {
        self.push(Value::Number(Range::new(value.into(), value.into())));
        // The low 16 bits: the range says whether that is all of it.
        self.emit(Op::Push(value as i16));
    }

    fn local_index(&mut self, index: u16) -> u8 {
        u8::try_from(index).unwrap_or_else(|_| {
            self.refuse(Problem::TooMany {
                what: "local variables of a method".to_owned(),
                value: usize::from(index) + 1,
                limit: 256,
                clause: "2.2.4.4",
            });
            0
        })
    }

    fn local(&mut self, opcode: u8, index: u16) {
        let slot = usize::from(index);
        let local = self.local_index(index);
        if slot >= self.frame.locals.len() {
            self.fault("local variable beyond max_locals");
            return;
        }
        match opcode {
            0x15..=0x19 => {
                let reference = opcode == 0x19;
                let value = self.frame.locals[slot];
                let bad = self.lower.bad_local(index, self.offset);
                match (value, reference) {
                    _ if bad => self.push(Value::Bad),
                    (Value::Reference, true) | (Value::Number(_), false) | (Value::Bad, _) => {
                        self.push(value);
                    }
                    _ => {
                        self.fault("local variable holds no value of that type");
                        return;
                    }
                }
                self.emit(Op::Load(storage(reference), local));
            }
            0x36..=0x3A => {
                let reference = opcode == 0x3A;
                let bad = self
                    .lower
                    .bad_local(index, self.lower.next_offset(self.offset));
                let value = if reference {
                    self.pop_reference();
                    Value::Reference
                } else if bad {
                    self.pop_number();
                    Value::Bad
                } else {
                    self.pop_exact("the assignment to a local variable")
                        .map_or(Value::Bad, Value::Number)
                };
                self.frame.locals[slot] = value;
                self.emit(Op::Store(storage(reference), local));
            }
            _ => self.fault("instruction without Java Card counterpart"),
        }
    }

    fn increment(&mut self, index: u16, by: i32) {
        let slot = usize::from(index);
        let local = self.local_index(index);
        let before = self.frame.locals.get(slot).copied();
        let after = match before {
            _ if self.lower.bad_local(index, self.offset) => Value::Bad,
            Some(Value::Number(range)) => {
                let sum = range.add(Range::new(by.into(), by.into()));
                match self.require(sum, "the increment of a local variable") {
                    Some(sum) => Value::Number(sum),
                    None => Value::Bad,
                }
            }
            Some(Value::Bad) => Value::Bad,
            _ => {
                self.fault("increment of a local variable that holds no number");
                return;
            }
        };
        if let Some(local) = self.frame.locals.get_mut(slot) {
            *local = after;
        }
        self.emit(Op::Increment(local, by as i16));
    }

    fn branch(&mut self, opcode: u8, target: usize) {
        let short = match opcode {
            // ifeq, ifne, iflt, ifge, ifgt, ifle: the same order
            0x99..=0x9E => {
                self.pop_exact("the comparison");
                op::IFEQ + (opcode - 0x99)
            }
            0x9F..=0xA4 => {
                self.pop_exact("the comparison");
                self.pop_exact("the comparison");
                op::IF_SCMPEQ + (opcode - 0x9F)
            }
            0xA5 | 0xA6 => {
                self.pop_reference();
                self.pop_reference();
                op::IF_ACMPEQ + (opcode - 0xA5)
            }
            0xA7 => op::GOTO,
            0xC6 | 0xC7 => {
                self.pop_reference();
                op::IFNULL + (opcode - 0xC6)
            }
            _ => {
                self.fault("instruction without Java Card counterpart");
                return;
            }
        };
        self.emit(Op::Branch(short, target));
    }

    fn plain(&mut self, opcode: u8) {
        match opcode {
            0x00 => {}
            0x01 => {
                self.push(Value::Reference);
                self.emit(Op::Plain(op::ACONST_NULL));
            }
            0x32 => {
                self.array_index();
                self.push(Value::Reference);
                self.emit(Op::Plain(op::AALOAD));
            }
            0x33 | 0x35 => {
                self.array_index();
                let (range, load) = if opcode == 0x33 {
                    (Range::BYTE, op::BALOAD)
                } else {
                    (Range::SHORT, op::SALOAD)
                };
                self.push(Value::Number(range));
                self.emit(Op::Plain(load));
            }
            0x53 => {
                self.pop_reference();
                self.array_index();
                self.emit(Op::Plain(op::AASTORE));
            }
            0x54 | 0x56 => {
                // Both virtual machines keep the low bits only.
                self.pop_number();
                self.array_index();
                self.emit(Op::Plain(if opcode == 0x54 {
                    op::BASTORE
                } else {
                    op::SASTORE
                }));
            }
            0x57..=0x5F => self.shuffle(opcode),
            0x60 | 0x64 | 0x68 | 0x6C | 0x70 | 0x74 | 0x78 | 0x7A | 0x7C | 0x7E | 0x80 | 0x82 => {
                self.arithmetic(opcode);
            }
            0x91 => {
                let range = self.pop_number();
                if range.is_none_or(|range| !range.within(Range::BYTE)) {
                    self.emit(Op::Plain(op::S2B));
                }
                self.push_number(range.map(|range| {
                    if range.within(Range::BYTE) {
                        range
                    } else {
                        Range::BYTE
                    }
                }));
            }
            0x93 => {
                let range = self.pop_number();
                self.push_number(range.map(|r| if r.exact() { r } else { Range::SHORT }));
            }
            0xAC => {
                self.pop_number();
                self.emit(Op::Plain(op::SRETURN));
            }
            0xB0 => {
                self.pop_reference();
                self.emit(Op::Plain(op::ARETURN));
            }
            0xB1 => {
                if *self.lower.result != Type::Void {
                    self.fault("return without a value");
                }
                self.emit(Op::Plain(op::RETURN));
            }
            0xBE => {
                self.pop_reference();
                self.push(Value::Number(Range::new(0, i16::MAX.into())));
                self.emit(Op::Plain(op::ARRAYLENGTH));
            }
            0xBF => {
                self.pop_reference();
                self.emit(Op::Plain(op::ATHROW));
            }
            0xC2 | 0xC3 => {
                self.pop_reference();
                self.refuse(unsupported("a synchronized block", rule::THREADS));
            }
            _ => self.fault("instruction without Java Card counterpart"),
        }
    }

    /// Pops an array and an index into it.
    fn array_index(&mut self) {
        self.pop_exact("the array index");
        self.pop_reference();
    }

    fn shuffle(&mut self, opcode: u8) {
        // (cells copied, cells below them that they are put under)
        let (copied, under) = match opcode {
            0x57 | 0x58 => {
                let count = opcode - 0x56;
                for _ in 0..count {
                    self.pop();
                }
                self.emit(Op::Plain(if count == 1 { op::POP } else { op::POP2 }));
                return;
            }
            0x5F => {
                let (top, below) = (self.pop(), self.pop());
                self.push(top);
                self.push(below);
                self.emit(Op::Swap);
                return;
            }
            0x59..=0x5B => (1, opcode - 0x59),
            _ => (2, opcode - 0x5C),
        };
        let height = self.frame.stack.len();
        let cells = usize::from(copied + under);
        if height < cells {
            self.fault("operand stack underflow");
            return;
        }
        let top = self.frame.stack[height - usize::from(copied)..].to_vec();
        for (step, value) in top.into_iter().enumerate() {
            self.frame.stack.insert(height - cells + step, value);
        }
        self.emit(match (copied, under) {
            (1, 0) => Op::Plain(op::DUP),
            (2, 0) => Op::Plain(op::DUP2),
            _ => Op::DupX(copied, copied + under),
        });
    }

    fn arithmetic(&mut self, opcode: u8) {
        if opcode == 0x74 {
            let range = self.pop_number().map(Range::neg);
            self.push_number(range);
            self.emit(Op::Plain(op::SNEG));
            return;
        }
        let right = self.pop_number();
        let left = self.pop_number();
        // Only the low five bits of a shift's distance count, on both machines.
        let (needs_left, needs_right, name) = match opcode {
            0x6C => (true, true, "the division"),
            0x70 => (true, true, "the remainder"),
            0x7A | 0x7C => (true, false, "the shift to the right"),
            _ => (false, false, ""),
        };
        let (Some(mut left), Some(mut right)) = (left, right) else {
            self.push(Value::Bad);
            return;
        };
        if needs_left {
            match self.require(left, name) {
                Some(range) => left = range,
                None => return self.push(Value::Bad),
            }
        }
        if needs_right {
            match self.require(right, name) {
                Some(range) => right = range,
                None => return self.push(Value::Bad),
            }
        }
        let (range, short) = match opcode {
            0x60 => (left.add(right), op::SADD),
            0x64 => (left.sub(right), op::SSUB),
            0x68 => (left.mul(right), op::SMUL),
            0x6C => (left.div(right), op::SDIV),
            0x70 => (left.rem(right), op::SREM),
            0x78 => (left.shl(right), op::SSHL),
            0x7A => (left.shr(right), op::SSHR),
            0x7C => (left.ushr(right), op::SUSHR),
            0x7E => (left.and(right), op::SAND),
            0x80 => (left.or_xor(right), op::SOR),
            _ => (left.or_xor(right), op::SXOR),
        };
        self.push(Value::Number(range));
        self.emit(Op::Plain(short));
    }
}

fn storage(reference: bool) -> Storage {
    if reference {
        Storage::Reference
    } else {
        Storage::Short
    }
}
