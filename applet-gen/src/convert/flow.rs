//! Abstract interpretation of one method: what every cell can hold before every instruction.
//!
//! A frame maps locals and stack cells to [`Value`]s. Frames are joined where paths meet; ranges
//! that keep growing are widened, so the work ends. The last pass emits the Java Card
//! instructions and reports what was wrong, each instruction once.

use std::collections::{BTreeMap, BTreeSet};

use super::error::{Errors, Problem};
use super::ir::{Body, Handler, Ins};
use super::lower::{Lower, Out, refused};
use super::types::{Signature, Value};
use super::world::{ClassId, World};
use crate::classfile::{Code, Instruction, Operand};

/// Joins of a frame before its ranges are widened.
const PATIENCE: usize = 3;

/// The frame before an instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) locals: Vec<Value>,
    pub(crate) stack: Vec<Value>,
}

impl Frame {
    /// Joins `other` in; whether anything changed. `None` if the stacks differ in height.
    fn join(&mut self, other: &Frame, widen: bool) -> Option<bool> {
        if self.stack.len() != other.stack.len() {
            return None;
        }
        let before = self.clone();
        let pairs = self.locals.iter_mut().zip(&other.locals);
        for (mine, theirs) in pairs.chain(self.stack.iter_mut().zip(&other.stack)) {
            *mine = mine.join(*theirs, widen);
        }
        Some(*self != before)
    }
}

/// What one method is converted with.
pub(crate) struct Input<'a> {
    pub(crate) world: &'a World,
    pub(crate) class: ClassId,
    pub(crate) is_static: bool,
    pub(crate) signature: &'a Signature,
    pub(crate) code: &'a Code,
}

struct Analysis<'a> {
    lower: Lower<'a>,
    instructions: &'a [Instruction],
    code: &'a Code,
    frames: BTreeMap<usize, (Frame, usize)>,
    pending: BTreeSet<usize>,
    problem: Option<(usize, String)>,
    /// A path ended at a refused instruction.
    stopped: bool,
}

/// Converts a method's body; `None` when something was refused (reported to `errors`).
pub(crate) fn convert_body(input: &Input<'_>, errors: &mut Errors) -> Option<Body> {
    let code = input.code;
    let mut locals: Vec<Value> = Vec::new();
    if !input.is_static {
        locals.push(Value::Reference);
    }
    locals.extend(
        input
            .signature
            .parameters
            .iter()
            .map(super::types::Type::value),
    );
    let arguments = locals.len();
    locals.resize(arguments.max(code.max_locals.into()), Value::Unset);
    let mut analysis = Analysis {
        lower: Lower::new(input),
        instructions: &code.instructions,
        code,
        frames: BTreeMap::new(),
        pending: BTreeSet::new(),
        problem: None,
        stopped: false,
    };
    let entry = Frame {
        locals,
        stack: Vec::new(),
    };
    analysis.arrive(0, &entry);
    analysis.run();
    if let Some((offset, text)) = analysis.problem {
        errors.push(code.line(offset), Problem::ClassFile(text));
        return None;
    }
    if analysis.stopped {
        // What stands behind may be refused as well: say so in the same run.
        for instruction in &code.instructions {
            if let Some(problem) = refused(instruction) {
                errors.push(code.line(instruction.offset), problem);
            }
        }
    }
    analysis.emit(arguments, errors)
}

impl Analysis<'_> {
    fn position(&self, offset: usize) -> Option<usize> {
        self.instructions
            .binary_search_by_key(&offset, |instruction| instruction.offset)
            .ok()
    }

    /// Control reaches `index` with `frame`.
    fn arrive(&mut self, index: usize, frame: &Frame) {
        match self.frames.get_mut(&index) {
            None => {
                self.frames.insert(index, (frame.clone(), 0));
                self.pending.insert(index);
            }
            Some((known, joins)) => match known.join(frame, *joins >= PATIENCE) {
                Some(false) => {}
                Some(true) => {
                    *joins += 1;
                    self.pending.insert(index);
                }
                None => self.fault(index, "stack heights differ where paths meet"),
            },
        }
    }

    fn fault(&mut self, index: usize, text: &str) {
        let offset = self.instructions.get(index).map_or(0, |ins| ins.offset);
        self.problem
            .get_or_insert((offset, format!("{text}, at offset {offset} (JVMS 4.10)")));
    }

    fn run(&mut self) {
        while let Some(index) = self.pending.pop_first() {
            if self.problem.is_some() {
                return;
            }
            let Some((frame, _)) = self.frames.get(&index) else {
                continue;
            };
            let mut frame = frame.clone();
            let Some(instruction) = self.instructions.get(index) else {
                self.fault(index, "control runs past the end of the code");
                return;
            };
            self.reach_handlers(instruction.offset, &frame);
            let mut out = Out::default();
            self.lower.step(&mut frame, instruction, &mut out);
            if let Some(text) = out.fault {
                self.fault(index, text);
                return;
            }
            if out.stop {
                self.stopped = true;
                continue;
            }
            // A store inside a range is seen by its handlers as well.
            self.reach_handlers(instruction.offset, &frame);
            let mut targets = Vec::new();
            match &instruction.operand {
                Operand::Target(target) => targets.push(*target),
                Operand::Switch(switch) => {
                    targets.push(switch.default);
                    targets.extend(switch.cases.iter().map(|(_, target)| *target));
                }
                _ => {}
            }
            for target in targets {
                match self.position(target) {
                    Some(to) => self.arrive(to, &frame),
                    None => self.fault(index, "branch to no instruction"),
                }
            }
            // goto, ret, switches, returns and athrow
            let ends = matches!(instruction.opcode, 0xA7 | 0xA9..=0xB1 | 0xBF);
            if !ends {
                if index + 1 < self.instructions.len() {
                    self.arrive(index + 1, &frame);
                } else {
                    self.fault(index, "control runs past the end of the code");
                }
            }
        }
    }

    fn reach_handlers(&mut self, offset: usize, frame: &Frame) {
        let code = self.code;
        for handler in &code.handlers {
            if (handler.start..handler.end).contains(&offset) {
                let caught = Frame {
                    locals: frame.locals.clone(),
                    stack: vec![Value::Reference],
                };
                match self.position(handler.target) {
                    Some(to) => self.arrive(to, &caught),
                    None => self.fault(0, "exception handler at no instruction"),
                }
            }
        }
    }

    fn emit(self, arguments: usize, errors: &mut Errors) -> Option<Body> {
        let mut body = Body {
            max_locals: usize::from(self.code.max_locals).saturating_sub(arguments),
            ..Body::default()
        };
        let mut good = true;
        for (index, (frame, _)) in &self.frames {
            let instruction = self.instructions.get(*index)?;
            let mut out = Out::default();
            self.lower.step(&mut frame.clone(), instruction, &mut out);
            for problem in out.problems {
                good = false;
                errors.push(self.code.line(instruction.offset), problem);
            }
            body.instructions.extend(out.ops.into_iter().map(|op| Ins {
                at: instruction.offset,
                from: instruction.offset,
                op,
            }));
        }
        for handler in &self.code.handlers {
            let class = match &handler.class {
                None => None,
                Some(name) => match self.lower.class(name) {
                    Ok(class) => Some(class),
                    Err(problem) => {
                        good = false;
                        errors.push(self.code.line(handler.target), problem);
                        continue;
                    }
                },
            };
            body.handlers.push(Handler {
                start: handler.start,
                end: handler.end,
                target: handler.target,
                class,
            });
        }
        body.prune();
        good.then_some(body)
    }
}
