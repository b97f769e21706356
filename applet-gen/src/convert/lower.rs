//! One JVM instruction to Java Card instructions, with its effect on the frame.
//!
//! A Java `int` is carried as the low 16 bits of itself. Operations whose low 16 bits depend on
//! nothing else (add, subtract, multiply, negate, shift left, and, or, xor) become the short
//! operation whatever the range; all others need the number itself, and are refused where its
//! range leaves a short. `(short)` then costs nothing, and `(byte)` one instruction at most. In a
//! package that may use `int` such a number is made in two cells instead (see `widths`).

mod members;
mod moves;
mod numbers;
mod refused;

use super::absent;
use super::error::{Problem, rule};
use super::flow::{Frame, Input, Item};
use super::ir::Op;
use super::types::{Range, Signature, Storage, Type, Value, signature};
use super::widths::{LocalMap, Widths};
use super::world::{ClassId, World};
use crate::cap::opcode::code as op;
use crate::classfile::{Code, Constant, Instruction, Operand, Switch};

pub(crate) use refused::refused;

/// What a step gives beside the new frame.
#[derive(Debug, Default)]
pub(crate) struct Out {
    pub(crate) ops: Vec<Op>,
    pub(crate) problems: Vec<Problem>,
    /// The code breaks the rules of the JVM itself; nothing after it makes sense.
    pub(crate) fault: Option<&'static str>,
    /// The instruction was refused as such: what follows it is not looked at.
    pub(crate) stop: bool,
    /// What must be made in another number of cells; the operations are to be made anew then.
    pub(crate) asked: Widths,
}

/// Lowers the instructions of one method.
pub(crate) struct Lower<'a> {
    world: &'a World,
    class: ClassId,
    code: &'a Code,
    result: &'a Type,
    map: &'a LocalMap,
    widths: &'a Widths,
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
    pub(crate) fn new(input: &Input<'a>, map: &'a LocalMap, widths: &'a Widths) -> Self {
        Lower {
            map,
            widths,
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
                && (matches!(variable.descriptor.as_str(), "J" | "F" | "D" | "C")
                    || !self.world.int && variable.descriptor == "I")
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
        self.frame.stack.push(Item {
            value,
            made: vec![self.offset],
        });
    }

    fn pop_item(&mut self) -> Item {
        match self.frame.stack.pop() {
            Some(item) => item,
            None => {
                self.fault("operand stack underflow");
                Item {
                    value: Value::Bad,
                    made: Vec::new(),
                }
            }
        }
    }

    fn pop(&mut self) -> Value {
        self.pop_item().value
    }

    fn pop_reference(&mut self) {
        match self.pop() {
            Value::Reference | Value::Bad => {}
            _ => self.fault("reference expected on the stack"),
        }
    }

    /// What a variable of this type holds; nothing to work with where the type is refused.
    fn value_of(&self, kind: &Type) -> Value {
        match kind {
            Type::Int if !self.lower.world.int => Value::Bad,
            kind => kind.value(),
        }
    }

    /// A number on top for a field, an element, a result or a parameter of this type.
    fn pop_for(&mut self, kind: &Type) {
        match kind.storage() {
            Storage::Reference => self.pop_reference(),
            Storage::Int if self.lower.world.int => _ = self.pop_int(),
            Storage::Int => _ = self.pop_any(),
            _ => _ = self.pop_low(),
        }
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
            (Operand::Switch(switch), _) => self.switch(switch),
            (Operand::None, opcode) => self.plain(opcode),
        }
    }

    fn switch(&mut self, switch: &Switch) {
        // A tableswitch fills its holes with the default.
        let cases = switch.cases.iter().filter(|case| case.1 != switch.default);
        let default = switch.default;
        let top = self.frame.stack.last().map(|item| item.value);
        let exact = matches!(top, Some(Value::Number(range)) if range.exact());
        if !exact && self.lower.world.int {
            self.pop_int();
            let cases = cases.copied().collect();
            return self.emit(Op::SwitchInt { default, cases });
        }
        self.pop_exact("the switch");
        let mut short_cases = Vec::new();
        for (value, target) in cases {
            match i16::try_from(*value) {
                Ok(value) => short_cases.push((value, *target)),
                // A short is never that.
                Err(_) if self.lower.world.int => {}
                Err(_) => self.refuse(Problem::Overflow {
                    operation: "the switch's case label",
                    low: (*value).into(),
                    high: (*value).into(),
                }),
            }
        }
        let cases = short_cases;
        self.emit(Op::Switch { default, cases });
    }

    fn branch(&mut self, opcode: u8, target: usize) {
        let short = match opcode {
            // ifeq, ifne, iflt, ifge, ifgt, ifle: the same order
            0x99..=0x9E => return self.compare(true, opcode - 0x99, target),
            0x9F..=0xA4 => return self.compare(false, opcode - 0x9F, target),
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
            0x2E..=0x35 | 0x4F..=0x56 => self.element_of(opcode),
            0x57..=0x5F => self.shuffle(opcode),
            0x74 => self.negate(),
            0x60 | 0x64 | 0x68 | 0x6C | 0x70 | 0x78 | 0x7A | 0x7C | 0x7E | 0x80 | 0x82 => {
                self.arithmetic(opcode);
            }
            0x91 => self.narrow(Range::BYTE, op::I2B, Some(op::S2B)),
            0x93 => self.narrow(Range::SHORT, op::I2S, None),
            0xAC => {
                let int = *self.lower.result == Type::Int;
                self.pop_for(if int { &Type::Int } else { &Type::Short });
                let opcode = if int { op::IRETURN } else { op::SRETURN };
                self.emit(Op::Plain(opcode));
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
                self.emit(Op::Plain(op::ARRAYLENGTH));
                self.give(Value::Number(Range::new(0, i16::MAX.into())));
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

    /// A load from or a store to an array.
    fn element_of(&mut self, opcode: u8) {
        const INDEX: &str = "the array index";
        let Some((card, storage, value)) = Step::element(opcode) else {
            return self.fault("instruction without Java Card counterpart");
        };
        if storage == Storage::Int && !self.lower.world.int {
            self.refuse(unsupported("an element of an int[]", rule::INT));
        }
        if value == Value::Unset {
            match storage {
                Storage::Reference => self.pop_reference(),
                Storage::Int => self.pop_for(&Type::Int),
                // Both virtual machines keep the low bits only.
                _ => self.pop_for(&Type::Short),
            }
            self.pop_exact_below(INDEX);
        } else {
            self.pop_exact(INDEX);
        }
        self.pop_reference();
        self.emit(Op::Plain(card));
        match value {
            Value::Unset => {}
            Value::Reference => self.push(Value::Reference),
            Value::Int(_) if !self.lower.world.int => self.push(Value::Bad),
            number => self.give(number),
        }
    }
}
