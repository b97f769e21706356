//! One method, followed along every way: the depth of its stack at each call, the numbers that reach
//! each call and each `newarray`, and what stands in a loop.

use std::collections::{BTreeMap, BTreeSet};

use super::calls::{Call, Program};
use super::graph;
use crate::cap::decode::decode;
use crate::cap::opcode::code as op;
use crate::cap::{ClassRef, Constant, Instruction, MethodInfo, Operands};

/// A word of which the value may be known.
pub(super) type Word = Option<i16>;

/// A place in a method that calls or allocates.
#[derive(Debug, Clone)]
pub(super) struct Site<'a> {
    /// Offset of the instruction in the Method component.
    pub at: usize,
    pub what: What<'a>,
    /// The words on top of the stack that the instruction takes, lowest first.
    pub args: Vec<Word>,
    /// Words on the operand stack before the instruction.
    pub depth: u16,
    /// Whether the instruction may be run more than once while the method runs once.
    pub in_loop: bool,
}

#[derive(Debug, Clone)]
pub(super) enum What<'a> {
    Call(Call<'a>),
    New(ClassRef),
    /// Type of the elements, 10 to 13 (JCVM 7.5.74).
    Array(u8),
    References,
}

/// Words on the operand stack, lowest first, and the locals.
#[derive(Debug, Clone, PartialEq)]
struct State {
    stack: Vec<Word>,
    locals: Vec<Word>,
}

impl State {
    fn pop(&mut self, words: u16) -> Result<Vec<Word>, String> {
        let rest = self.stack.len().checked_sub(words.into());
        let rest = rest.ok_or_else(|| format!("expected {words} words on the stack"))?;
        Ok(self.stack.split_off(rest))
    }

    /// Takes over what another way brings; true if something changed.
    fn join(&mut self, other: &State) -> Result<bool, String> {
        if self.stack.len() != other.stack.len() {
            return Err(format!(
                "stack depths {} and {} meet",
                self.stack.len(),
                other.stack.len()
            ));
        }
        let mut changed = false;
        let words = self.stack.iter_mut().chain(&mut self.locals);
        for (word, other) in words.zip(other.stack.iter().chain(&other.locals)) {
            if word.is_some() && word != other {
                *word = None;
                changed = true;
            }
        }
        Ok(changed)
    }
}

/// The places of a method that call or allocate, in the order of the code.
///
/// # Errors
/// What makes the code impossible to follow.
pub(super) fn sites<'a>(
    program: &Program<'a>,
    method: &MethodInfo,
    parameters: &[Word],
) -> Result<Vec<Site<'a>>, String> {
    let mut walk = Walk {
        program,
        method,
        states: BTreeMap::new(),
        seen: BTreeMap::new(),
        work: Vec::new(),
    };
    let header = &method.header;
    let mut locals = parameters.to_vec();
    locals.resize(
        usize::from(header.nargs) + usize::from(header.max_locals),
        None,
    );
    let unknown = vec![None; locals.len()];
    let start = State {
        stack: Vec::new(),
        locals,
    };
    walk.reach(0, &start)?;
    for (_, handler) in walk.handlers() {
        let state = State {
            stack: vec![None],
            locals: unknown.clone(),
        };
        walk.reach(handler, &state)?;
    }
    while let Some(at) = walk.work.pop() {
        let instruction = match walk.seen.get(&at) {
            Some(known) => known.clone(),
            None => decode(&method.code, at).map_err(|error| error.to_string())?,
        };
        let Some(mut state) = walk.states.get(&at).cloned() else {
            continue;
        };
        let step = walk.step(&instruction, &mut state);
        step.map_err(|problem| format!("{}: {problem}", walk.place(&instruction)))?;
        walk.seen.insert(at, instruction);
    }
    walk.collect()
}

struct Walk<'w, 'a> {
    program: &'w Program<'a>,
    method: &'w MethodInfo,
    /// Before the instruction at this offset in the code.
    states: BTreeMap<usize, State>,
    seen: BTreeMap<usize, Instruction>,
    work: Vec<usize>,
}

impl<'a> Walk<'_, 'a> {
    fn place(&self, instruction: &Instruction) -> String {
        let at = usize::from(self.method.code_offset) + instruction.at;
        format!("{} at {at:#06x}", instruction.opcode.name)
    }

    /// Ranges of the code that are covered, with where their handlers are.
    fn handlers(&self) -> Vec<(std::ops::Range<usize>, usize)> {
        let base = usize::from(self.method.code_offset);
        let rows = self.program.cap.method.handlers.iter();
        let own = rows.filter_map(|row| {
            let start = usize::from(row.start).checked_sub(base)?;
            let handler = usize::from(row.handler).checked_sub(base)?;
            let inside = start < self.method.code.len() && handler < self.method.code.len();
            inside.then_some((start..start + usize::from(row.length), handler))
        });
        own.collect()
    }

    fn reach(&mut self, at: usize, state: &State) -> Result<(), String> {
        let limit = self.method.header.max_stack.into();
        if state.stack.len() > limit {
            return Err(format!("{} words on a stack of {limit}", state.stack.len()));
        }
        let changed = match self.states.get_mut(&at) {
            Some(known) => known.join(state)?,
            None => {
                self.states.insert(at, state.clone());
                true
            }
        };
        if changed {
            self.work.push(at);
        }
        Ok(())
    }

    fn step(&mut self, instruction: &Instruction, state: &mut State) -> Result<(), String> {
        let code = instruction.opcode.code;
        if code == op::JSR {
            // The subroutine takes its return address and comes back with any locals.
            let mut after = state.clone();
            after.locals.fill(None);
            self.reach(instruction.at + instruction.len, &after)?;
        }
        apply(self.program, instruction, state)?;
        for target in instruction.targets() {
            let target = usize::try_from(target).map_err(|_| "a branch to nowhere".to_owned())?;
            self.reach(target, state)?;
        }
        if !instruction.opcode.ends_block() && code != op::JSR {
            self.reach(instruction.at + instruction.len, state)?;
        }
        Ok(())
    }

    /// Whether the instruction at each offset may be run again in the same call.
    fn loops(&self) -> BTreeSet<usize> {
        let offsets: Vec<usize> = self.seen.keys().copied().collect();
        let node: BTreeMap<usize, usize> = offsets.iter().copied().zip(0..).collect();
        let handlers = self.handlers();
        let successors: Vec<Vec<usize>> = self
            .seen
            .values()
            .map(|instruction| {
                let targets = instruction.targets().into_iter();
                let mut next: BTreeSet<usize> =
                    targets.filter_map(|t| usize::try_from(t).ok()).collect();
                if !instruction.opcode.ends_block() {
                    next.insert(instruction.at + instruction.len);
                }
                let covering = handlers.iter().filter(|(r, _)| r.contains(&instruction.at));
                next.extend(covering.map(|(_, handler)| *handler));
                next.iter().filter_map(|at| node.get(at).copied()).collect()
            })
            .collect();
        let circles = graph::on_circles(&successors);
        let on = |at: &usize| node.get(at).and_then(|n| circles.get(*n)) == Some(&true);
        let mut found: BTreeSet<usize> = offsets.iter().copied().filter(on).collect();
        // A subroutine that is called in a loop has no way of its own back to the call.
        let calls = self.seen.values().filter(|i| i.opcode.code == op::JSR);
        let mut open: Vec<usize> = calls
            .filter(|call| found.contains(&call.at))
            .flat_map(|call| call.targets())
            .filter_map(|target| node.get(&usize::try_from(target).ok()?).copied())
            .collect();
        let mut reached = BTreeSet::new();
        while let Some(at) = open.pop() {
            if reached.insert(at) {
                open.extend(successors.get(at).into_iter().flatten());
            }
        }
        found.extend(reached.into_iter().filter_map(|n| offsets.get(n)));
        found
    }

    fn collect(self) -> Result<Vec<Site<'a>>, String> {
        let loops = self.loops();
        let mut sites = Vec::new();
        for (at, instruction) in &self.seen {
            let Some(what) = what(self.program, instruction)? else {
                continue;
            };
            let taken = match &what {
                What::Call(call) => call.nargs,
                What::New(_) => 0,
                What::Array(_) | What::References => 1,
            };
            let Some(mut state) = self.states.get(at).cloned() else {
                continue;
            };
            let depth = u16::try_from(state.stack.len()).unwrap_or(u16::MAX);
            sites.push(Site {
                at: usize::from(self.method.code_offset) + at,
                what,
                args: state.pop(taken)?,
                depth,
                in_loop: loops.contains(at),
            });
        }
        Ok(sites)
    }
}

/// What an instruction calls or makes.
fn what<'a>(program: &Program<'a>, instruction: &Instruction) -> Result<Option<What<'a>>, String> {
    Ok(Some(match instruction.opcode.code {
        op::INVOKEVIRTUAL..=op::INVOKEINTERFACE => What::Call(call(program, instruction)?),
        op::NEW => What::New(class(program, instruction)?),
        op::ANEWARRAY => What::References,
        op::NEWARRAY => match instruction.operands {
            Operands::ArrayType(kind) => What::Array(kind),
            _ => return Ok(None),
        },
        _ => return Ok(None),
    }))
}

fn call<'a>(program: &Program<'a>, instruction: &Instruction) -> Result<Call<'a>, String> {
    let unknown = "a call of a method whose arguments are not known";
    program.call(instruction).ok_or_else(|| unknown.to_owned())
}

fn class(program: &Program<'_>, instruction: &Instruction) -> Result<ClassRef, String> {
    let index = instruction.pool_index().map(|i| usize::from(i.index));
    match index.and_then(|i| program.cap.constant_pool.get(i)) {
        Some(Constant::Class(class)) => Ok(*class),
        _ => Err("new of what is no class".to_owned()),
    }
}

/// What an instruction does to the stack and the locals.
fn apply(
    program: &Program<'_>,
    instruction: &Instruction,
    state: &mut State,
) -> Result<(), String> {
    let code = instruction.opcode.code;
    match (code, &instruction.operands) {
        (op::SCONST_M1..=op::SCONST_5, _) => {
            state
                .stack
                .push(Some(i16::from(code) - i16::from(op::SCONST_0)));
        }
        (op::BSPUSH | op::SSPUSH, Operands::Value(value)) => {
            state.stack.push(i16::try_from(*value).ok());
        }
        (op::SLOAD, Operands::Local(local)) => {
            let word = *slot(state, *local)?;
            state.stack.push(word);
        }
        (op::SLOAD_0..=op::SLOAD_3, _) => {
            let word = *slot(state, code - op::SLOAD_0)?;
            state.stack.push(word);
        }
        (op::ASTORE | op::SSTORE | op::ISTORE, Operands::Local(local)) => {
            store(state, *local, code == op::ISTORE)?;
        }
        (op::ASTORE_0..=op::ISTORE_3, _) => {
            store(state, (code - op::ASTORE_0) % 4, code >= op::ISTORE_0)?;
        }
        (op::SINC | op::SINC_W, Operands::Increment { local, value }) => {
            let slot = slot(state, *local)?;
            *slot = slot.map(|known| known.wrapping_add(*value));
        }
        (op::IINC | op::IINC_W, Operands::Increment { local, .. }) => {
            *slot(state, *local)? = None;
            *slot(state, local.wrapping_add(1))? = None;
        }
        (op::DUP, _) => repeat(state, 1, 0)?,
        (op::DUP2, _) => repeat(state, 2, 0)?,
        (op::DUP_X, Operands::Words { m, n }) => repeat(state, *m, *n)?,
        (op::SWAP_X, Operands::Words { m, n }) => {
            let top = state.pop((*m).into())?;
            let below = state.pop((*n).into())?;
            state.stack.extend(top);
            state.stack.extend(below);
        }
        (op::SADD | op::SSUB | op::SMUL | op::SAND | op::SOR | op::SXOR | op::SSHL, _) => {
            let operands = state.pop(2)?;
            let result = match operands[..] {
                [Some(a), Some(b)] => Some(arithmetic(code, a, b)),
                _ => None,
            };
            state.stack.push(result);
        }
        (op::SNEG | op::S2B, _) => {
            let value = state.pop(1)?.into_iter().next().flatten();
            state.stack.push(value.map(|v| match code {
                op::SNEG => v.wrapping_neg(),
                _ => i16::from(v.to_be_bytes()[1].cast_signed()),
            }));
        }
        (op::INVOKEVIRTUAL..=op::INVOKEINTERFACE, _) => {
            let call = call(program, instruction)?;
            state.pop(call.nargs)?;
            push_unknown(state, call.result);
        }
        _ => {
            let (taken, left) = instruction.opcode.stack.unwrap_or_default();
            state.pop(taken.into())?;
            push_unknown(state, left.into());
        }
    }
    Ok(())
}

fn push_unknown(state: &mut State, words: u16) {
    let depth = state.stack.len() + usize::from(words);
    state.stack.resize(depth, None);
}

fn slot(state: &mut State, local: u8) -> Result<&mut Word, String> {
    let slot = state.locals.get_mut(usize::from(local));
    slot.ok_or_else(|| format!("no local variable {local}"))
}

fn store(state: &mut State, local: u8, int: bool) -> Result<(), String> {
    let words = state.pop(if int { 2 } else { 1 })?;
    for (word, local) in words.into_iter().zip(local..=u8::MAX) {
        *slot(state, local)? = word;
    }
    Ok(())
}

/// `dup` and its kin: copies the top `m` words below the top `n` (0: on top).
fn repeat(state: &mut State, m: u8, n: u8) -> Result<(), String> {
    let all = state.pop(m.max(n).into())?;
    let top = all.get(all.len() - usize::from(m)..).unwrap_or_default();
    if n == 0 {
        state.stack.extend(&all);
        state.stack.extend(top);
    } else {
        state.stack.extend(top);
        state.stack.extend(&all);
    }
    Ok(())
}

/// Short arithmetic (JCVM 7.5); only what makes up the lengths of arrays.
fn arithmetic(code: u8, a: i16, b: i16) -> i16 {
    match code {
        op::SADD => a.wrapping_add(b),
        op::SSUB => a.wrapping_sub(b),
        op::SMUL => a.wrapping_mul(b),
        op::SAND => a & b,
        op::SOR => a | b,
        op::SXOR => a ^ b,
        // A distance of 16 to 31 leaves nothing of a short.
        _ => match b & 0x1F {
            distance @ 0..16 => a.wrapping_shl(distance.unsigned_abs().into()),
            _ => 0,
        },
    }
}
