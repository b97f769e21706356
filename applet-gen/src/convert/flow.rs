//! Abstract interpretation of one method: what every cell can hold before every instruction.
//!
//! A frame maps locals and stack cells to [`Value`]s. Frames are joined where paths meet; ranges
//! that keep growing are widened, so the work ends. The last pass emits the Java Card
//! instructions and reports what was wrong, each instruction once.

use std::collections::{BTreeMap, BTreeSet};

use super::error::{Errors, Problem};
use super::ir::{Body, Handler, Ins};
use super::lower::{Lower, Out, refused};
use super::refine;
use super::types::{Signature, Type, Value};
use super::widths::{LocalMap, Widths};
use super::world::{ClassId, World};
use crate::classfile::{Code, Instruction, Operand};

/// Joins of a frame before its ranges are widened.
const PATIENCE: usize = 3;

/// A value on the stack, and the offsets of the instructions that it can come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) value: Value,
    pub(crate) made: Vec<usize>,
}

/// The frame before an instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) locals: Vec<Value>,
    pub(crate) stack: Vec<Item>,
}

impl Frame {
    /// Joins `other` in; whether anything changed. `None` if the stacks differ in height. What
    /// stands on the stack as a short in one and as an `int` in the other is asked to be an `int`.
    fn join(&mut self, other: &Frame, widen: bool, asked: &mut Widths) -> Option<bool> {
        if self.stack.len() != other.stack.len() {
            return None;
        }
        let before = self.clone();
        for (mine, theirs) in self.locals.iter_mut().zip(&other.locals) {
            *mine = mine.join(*theirs, widen);
        }
        for (mine, theirs) in self.stack.iter_mut().zip(&other.stack) {
            mine.value = match (mine.value, theirs.value) {
                (Value::Number(a), Value::Int(b)) => {
                    asked.wide.extend(&mine.made);
                    Value::Int(a).join(Value::Int(b), widen)
                }
                (Value::Int(a), Value::Number(b)) => {
                    asked.wide.extend(&theirs.made);
                    Value::Int(a).join(Value::Int(b), widen)
                }
                (a, b) => a.join(b, widen),
            };
            for made in &theirs.made {
                if let Err(place) = mine.made.binary_search(made) {
                    mine.made.insert(place, *made);
                }
            }
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
    labels: &'a Labels,
    frames: BTreeMap<usize, (Frame, usize)>,
    pending: BTreeSet<usize>,
    problem: Option<(usize, String)>,
    /// A path ended at a refused instruction.
    stopped: bool,
    /// What has to be made in another number of cells.
    asked: Widths,
    /// What was refused, by index, as of the last time. Where a refusal's outcome comes back in a
    /// loop it hides the reason; what was wrong with less in the frame is wrong with more.
    refusals: BTreeMap<usize, Vec<Problem>>,
}

/// Converts a method's body; `None` when something was refused (reported to `errors`).
pub(crate) fn convert_body(input: &Input<'_>, errors: &mut Errors) -> Option<Body> {
    let code = input.code;
    let labels = Labels::new(code);
    let mut widths = Widths::new(input.is_static, input.signature);
    loop {
        let max_locals = code.max_locals.into();
        let map = LocalMap::new(input.is_static, input.signature, max_locals, &widths);
        let mut analysis = Analysis {
            lower: Lower::new(input, &map, &widths),
            instructions: &code.instructions,
            code,
            labels: &labels,
            frames: BTreeMap::new(),
            pending: BTreeSet::new(),
            problem: None,
            stopped: false,
            asked: Widths::default(),
            refusals: BTreeMap::new(),
        };
        analysis.arrive(None, 0, &entry(input, map.len()));
        analysis.run();
        let mut more = widths.clone();
        if more.grow(&analysis.asked) {
            widths = more;
            continue;
        }
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
        return analysis.emit(&map, errors);
    }
}

/// The frame that a method starts with.
fn entry(input: &Input<'_>, slots: usize) -> Frame {
    let mut locals: Vec<Value> = Vec::new();
    if !input.is_static {
        locals.push(Value::Reference);
    }
    locals.extend(input.signature.parameters.iter().map(|kind| match kind {
        Type::Int if !input.world.int => Value::Bad,
        kind => kind.value(),
    }));
    locals.resize(slots, Value::Unset);
    Frame {
        locals,
        stack: Vec::new(),
    }
}

/// Where control comes to other than from the instruction before, by index.
struct Labels {
    all: BTreeSet<usize>,
    /// Those that a loop comes back to: every circle of control goes through one.
    heads: BTreeSet<usize>,
}

impl Labels {
    fn new(code: &Code) -> Labels {
        let mut labels = Labels {
            all: BTreeSet::new(),
            heads: BTreeSet::new(),
        };
        let position = |offset: usize| {
            code.instructions
                .partition_point(|instruction| instruction.offset < offset)
        };
        let mut edge = |from: usize, to: usize| {
            labels.all.insert(position(to));
            if to <= from {
                labels.heads.insert(position(to));
            }
        };
        for instruction in &code.instructions {
            match &instruction.operand {
                Operand::Target(target) => edge(instruction.offset, *target),
                Operand::Switch(switch) => {
                    let targets = switch.cases.iter().map(|(_, target)| *target);
                    for target in targets.chain([switch.default]) {
                        edge(instruction.offset, target);
                    }
                }
                _ => {}
            }
        }
        for handler in &code.handlers {
            edge(handler.end.saturating_sub(1), handler.target);
        }
        labels
    }
}

impl Analysis<'_> {
    fn position(&self, offset: usize) -> Option<usize> {
        self.instructions
            .binary_search_by_key(&offset, |instruction| instruction.offset)
            .ok()
    }

    /// Control reaches `index` with `frame`, from the instruction `from`.
    fn arrive(&mut self, from: Option<usize>, index: usize, frame: &Frame) {
        match self.frames.get_mut(&index) {
            None => {
                self.frames.insert(index, (frame.clone(), 0));
                self.pending.insert(index);
            }
            Some((known, joins)) => {
                let widen = *joins >= PATIENCE && self.labels.heads.contains(&index);
                match known.join(frame, widen, &mut self.asked) {
                    Some(false) => {}
                    Some(true) => {
                        *joins += 1;
                        self.pending.insert(index);
                    }
                    None => {
                        let at = from.unwrap_or(index);
                        self.fault(at, "stack heights differ where paths meet");
                    }
                }
            }
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
            self.reach_handlers(index, instruction.offset, &frame);
            let told = refine::ways(self.instructions, index, &frame, |at| {
                self.labels.all.contains(&at)
            });
            let mut out = Out::default();
            self.lower.step(&mut frame, instruction, &mut out);
            self.asked.grow(&out.asked);
            if !out.problems.is_empty() {
                self.refusals
                    .insert(index, std::mem::take(&mut out.problems));
            }
            if let Some(text) = out.fault {
                self.fault(index, text);
                return;
            }
            if out.stop {
                self.stopped = true;
                continue;
            }
            // A store inside a range is seen by its handlers as well.
            self.reach_handlers(index, instruction.offset, &frame);
            let mut targets = Vec::new();
            match &instruction.operand {
                Operand::Target(target) => targets.push(*target),
                Operand::Switch(switch) => {
                    targets.push(switch.default);
                    targets.extend(switch.cases.iter().map(|(_, target)| *target));
                }
                _ => {}
            }
            let mut there = frame.clone();
            refine::apply(&mut there, &told.taken);
            for target in targets {
                match self.position(target) {
                    Some(to) => self.arrive(Some(index), to, &there),
                    None => self.fault(index, "branch to no instruction"),
                }
            }
            // goto, ret, switches, returns and athrow
            let ends = matches!(instruction.opcode, 0xA7 | 0xA9..=0xB1 | 0xBF);
            if !ends {
                if index + 1 < self.instructions.len() {
                    refine::apply(&mut frame, &told.not_taken);
                    self.arrive(Some(index), index + 1, &frame);
                } else {
                    self.fault(index, "control runs past the end of the code");
                }
            }
        }
    }

    fn reach_handlers(&mut self, index: usize, offset: usize, frame: &Frame) {
        let code = self.code;
        for handler in &code.handlers {
            if (handler.start..handler.end).contains(&offset) {
                let caught = Frame {
                    locals: frame.locals.clone(),
                    stack: vec![Item {
                        value: Value::Reference,
                        made: vec![handler.target],
                    }],
                };
                match self.position(handler.target) {
                    Some(to) => self.arrive(Some(index), to, &caught),
                    None => self.fault(0, "exception handler at no instruction"),
                }
            }
        }
    }

    fn emit(self, map: &LocalMap, errors: &mut Errors) -> Option<Body> {
        let mut body = Body {
            max_locals: map.total - map.arguments,
            cells: map.cells.clone(),
            ..Body::default()
        };
        let mut good = true;
        for (index, (frame, _)) in &self.frames {
            let instruction = self.instructions.get(*index)?;
            let mut out = Out::default();
            self.lower.step(&mut frame.clone(), instruction, &mut out);
            let before = self.refusals.get(index).into_iter().flatten();
            let problems = match out.problems.is_empty() {
                true => before.cloned().collect(),
                false => out.problems,
            };
            for problem in problems {
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
