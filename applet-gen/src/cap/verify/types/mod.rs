//! Type-safe bytecode (JCVM 3.0.4 chapters 3 and 7): abstract interpretation of each method with
//! the types of every word on the operand stack and in the local variables.
//!
//! A method is followed on every way that control can take, exception handlers included, until
//! nothing new is learnt. Subroutines (`jsr`, `ret`) are followed once for each chain of calls that
//! leads into them, so that a subroutine may be used with different types in the variables that it
//! doesn't touch; one that calls itself is refused. Unreachable code is not followed.

mod call;
mod cell;
mod frame;
mod step;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::Report;
use super::code::Code;
use super::context::Context;
use super::members::{Kind, Method};
use super::world::Class;
use crate::cap::Constant;
use crate::cap::decode::{Instruction, Operands};
use crate::cap::opcode::code as op;
use cell::{Bound, Cell};
use frame::{Frame, Stop, wrong};

/// Chains of subroutine calls that a method may have; `javac` nests `finally` a few deep.
const MOST_CHAINS: usize = 256;
/// Instructions that are looked at before a method counts as too complicated. The largest method
/// of 64 KiB is followed some ten times in that; real ones take a few times their length.
const MOST_STEPS: usize = 400_000;

/// A method under examination.
struct Subject<'a, 'c> {
    context: &'c Context<'a>,
    code: &'c Code<'c>,
    method: Method<'a>,
    /// By offset in the code.
    instructions: BTreeMap<usize, &'c Instruction>,
    /// With the offset of the code they cover, and the class that they catch.
    handlers: Vec<Handler<'a>>,
}

struct Handler<'a> {
    covered: std::ops::Range<usize>,
    target: usize,
    caught: Cell<'a>,
}

/// Chains of `jsr` instructions, numbered; 0 is the method outside of any subroutine.
struct Chains(Vec<Vec<usize>>);

impl Chains {
    fn number(&mut self, chain: Vec<usize>) -> Result<usize, Stop> {
        if let Some(known) = self.0.iter().position(|one| *one == chain) {
            return Ok(known);
        }
        if self.0.len() >= MOST_CHAINS {
            return Err(wrong(
                format!("at most {MOST_CHAINS} ways through subroutines"),
                "more",
            ));
        }
        self.0.push(chain);
        Ok(self.0.len() - 1)
    }

    fn get(&self, number: usize) -> &[usize] {
        self.0.get(number).map_or(&[], Vec::as_slice)
    }
}

/// Where control goes: chain, offset in the code, state.
type Edge<'a> = (usize, usize, Frame<'a>);

pub(super) fn check(context: &Context<'_>, code: &Code<'_>, report: &mut Report) {
    let Some(method) = context.method_at(code.method.offset) else {
        if report.verdict.is_ok() {
            let found = "no class in the Descriptor";
            report.method(code.method.offset, "a method of a class", found);
        }
        return;
    };
    let mut subject = Subject {
        context,
        code,
        method,
        instructions: code.instructions.iter().map(|one| (one.at, one)).collect(),
        handlers: Vec::new(),
    };
    if let Err(stop) = subject.find_handlers() {
        subject.report(None, stop, report);
        return;
    }
    if let Err((at, stop)) = subject.follow() {
        subject.report(Some(at), stop, report);
    }
}

impl<'a> Subject<'a, '_> {
    fn report(&self, at: Option<usize>, stop: Stop, report: &mut Report) {
        let (expected, found) = match stop {
            Stop::Wrong(expected, found) => (expected, found),
            Stop::Unresolved if report.verdict.is_ok() => {
                ("what the instruction refers to".into(), "nothing".into())
            }
            Stop::Unresolved => return,
        };
        let offset = self.code.method.offset;
        match at.and_then(|at| self.instructions.get(&at)) {
            Some(instruction) => {
                report.instruction(offset, self.code.place(instruction), expected, found);
            }
            None => report.method(offset, expected, found),
        }
    }

    fn find_handlers(&mut self) -> Result<(), Stop> {
        let throwable = self.throwable()?;
        let begin = usize::from(self.code.method.code_offset);
        for handler in &self.code.handlers {
            let class = match handler.catch_type {
                0 => throwable,
                index => match self.constant(index)? {
                    Constant::Class(class) => self.context.class(*class).ok_or(Stop::Unresolved)?,
                    _ => return Err(Stop::Unresolved),
                },
            };
            if !self.context.is_subclass(class, throwable) {
                return Err(wrong(
                    format!("a subclass of {throwable} as the type of an exception handler"),
                    class,
                ));
            }
            let relative = |at: u16| usize::from(at).checked_sub(begin).ok_or(Stop::Unresolved);
            let start = relative(handler.start)?;
            self.handlers.push(Handler {
                covered: start..start + usize::from(handler.length),
                target: relative(handler.handler)?,
                caught: Cell::Object(Bound::of(self.context, class)),
            });
        }
        Ok(())
    }

    fn throwable(&self) -> Result<Class<'a>, Stop> {
        let throwable = self.context.class_named("java/lang/Throwable");
        throwable.ok_or(Stop::Unresolved)
    }

    fn constant(&self, index: u16) -> Result<&'a Constant, Stop> {
        let pool = &self.context.cap.constant_pool;
        pool.get(usize::from(index)).ok_or(Stop::Unresolved)
    }

    /// The state in which the method starts.
    fn entry(&self) -> Frame<'a> {
        let access = self.method.access;
        let header = &self.code.method.header;
        let mut locals = Vec::new();
        if access.is_init {
            locals.push(Cell::This);
        } else if !access.is_static {
            locals.push(Cell::Object(Bound::of(self.context, self.method.owner)));
        }
        for kind in &self.method.signature.parameters {
            locals.extend(Cell::of(self.context, *kind));
        }
        let words = usize::from(header.nargs) + usize::from(header.max_locals);
        locals.resize(words, Cell::Unset);
        Frame {
            locals,
            stack: Vec::new(),
            pending: access.is_init,
        }
    }

    /// Follows every way; the error names the instruction.
    fn follow(&self) -> Result<(), (usize, Stop)> {
        let mut chains = Chains(vec![Vec::new()]);
        let mut states: BTreeMap<(usize, usize), Frame<'a>> = BTreeMap::new();
        states.insert((0, 0), self.entry());
        let mut work = vec![(0, 0)];
        let mut steps = 0;
        while let Some((chain, at)) = work.pop() {
            steps += 1;
            if steps > MOST_STEPS {
                let expected = format!("a method that is understood in {MOST_STEPS} steps");
                return Err((at, wrong(expected, "one that is not")));
            }
            let Some(before) = states.get(&(chain, at)).cloned() else {
                continue;
            };
            let edges = self
                .edges(&mut chains, chain, at, before)
                .map_err(|stop| (at, stop))?;
            for (chain, target, frame) in edges {
                let merged = match states.get(&(chain, target)) {
                    Some(known) => {
                        let merged = known
                            .merge(self.context, &frame)
                            .map_err(|stop| (target, stop))?;
                        if merged == *known {
                            continue;
                        }
                        merged
                    }
                    None => frame,
                };
                states.insert((chain, target), merged);
                if !work.contains(&(chain, target)) {
                    work.push((chain, target));
                }
            }
        }
        Ok(())
    }

    /// Where control goes from an instruction.
    fn edges(
        &self,
        chains: &mut Chains,
        chain: usize,
        at: usize,
        before: Frame<'a>,
    ) -> Result<Vec<Edge<'a>>, Stop> {
        let instruction = self.instructions.get(&at).ok_or(Stop::Unresolved)?;
        let max = usize::from(self.code.method.header.max_stack);
        let mut edges = Vec::new();
        for handler in &self.handlers {
            if handler.covered.contains(&at) {
                if max == 0 {
                    return Err(wrong("room for the exception (max_stack)", "none"));
                }
                let caught = Frame {
                    stack: vec![handler.caught.clone()],
                    ..before.clone()
                };
                edges.push((chain, handler.target, caught));
            }
        }
        let mut after = before;
        if instruction.opcode.code == op::RET {
            let (chain, next) = self.returned(chains, chain, instruction, &after)?;
            edges.push((chain, next, after));
            return Ok(edges);
        }
        self.step(instruction, &mut after)?;
        if after.stack.len() > max {
            return Err(wrong(
                format!("at most {max} words on the stack (max_stack)"),
                after.stack.len(),
            ));
        }
        let jsr = instruction.opcode.code == op::JSR;
        let into = if jsr {
            self.called(chains, chain, instruction)?
        } else {
            chain
        };
        for target in instruction.targets() {
            let target = usize::try_from(target).map_err(|_| Stop::Unresolved)?;
            edges.push((into, target, after.clone()));
        }
        if !instruction.opcode.ends_block() && !jsr {
            edges.push((chain, at + instruction.len, after));
        }
        Ok(edges)
    }

    /// The chain within the subroutine that a `jsr` calls.
    fn called(&self, chains: &mut Chains, chain: usize, jsr: &Instruction) -> Result<usize, Stop> {
        let active = chains.get(chain);
        let entered = |at: &usize| self.instructions.get(at).map(|one| one.targets());
        if active.iter().any(|at| entered(at) == Some(jsr.targets())) {
            return Err(wrong("a subroutine that is not active", "recursion"));
        }
        let longer = active.iter().copied().chain([jsr.at]).collect();
        chains.number(longer)
    }

    /// The chain and the place that a `ret` goes back to.
    fn returned(
        &self,
        chains: &mut Chains,
        chain: usize,
        ret: &Instruction,
        frame: &Frame<'a>,
    ) -> Result<(usize, usize), Stop> {
        let Operands::Local(local) = ret.operands else {
            return Err(Stop::Unresolved);
        };
        let cell = frame.local(local)?;
        let active = chains.get(chain);
        let found = match cell {
            Cell::Return(jsr) => active.iter().rposition(|at| at == jsr).map(|at| (at, jsr)),
            _ => None,
        };
        let Some((depth, jsr)) = found else {
            let expected = format!("the return address of an active subroutine in local {local}");
            return Err(wrong(expected, cell));
        };
        let length = self.instructions.get(jsr).ok_or(Stop::Unresolved)?.len;
        let shorter = active.iter().copied().take(depth).collect();
        Ok((chains.number(shorter)?, jsr + length))
    }

    fn own(&self) -> Class<'a> {
        self.method.owner
    }

    fn kind_of_class(&self, class: Class<'a>) -> Kind<'a> {
        Kind::Reference(class)
    }
}
