//! Code that stands twice before the same continuation, kept once.

use std::collections::BTreeMap;

use super::super::ir::{Body, Ins, Op};
use super::super::method::heights;
use super::super::types::Storage;
use super::jumps::drop_marked;
use super::{Shape, branch_size, covers, offsets, size};
use crate::cap::opcode::code as op;

/// Ends with the same goal that are held against each other: a bound for code made to be slow.
const ENDS: usize = 64;

/// Where control goes after the last instruction of a tail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Goal {
    /// To the instruction with this index.
    Place(usize),
    /// Nowhere: a return or `athrow`, by its opcode.
    Ends(u8),
}

/// The end of a tail.
#[derive(Debug, Clone, Copy)]
struct End {
    /// Index of the first instruction that does not belong to the tail.
    end: usize,
    /// Whether the tail falls through to its goal.
    falls: bool,
}

struct Merger<'a> {
    body: &'a Body,
    covers: Vec<Vec<usize>>,
    heights: Vec<Option<usize>>,
    offsets: Vec<usize>,
    /// By local variable: whether every reference that is ever read from it has one type.
    one_type: Vec<bool>,
}

/// Merges tails: one that ends where another ends, with the same instructions before, becomes a
/// `goto` into that other.
///
/// The machine does the same: both tails start with the same locals (a `goto` changes nothing) and
/// an empty operand stack, run the same instructions under the same handlers, and end at the same
/// place. What a verifier knows at the start of the merged tail is what holds on both ways:
/// numbers are numbers on both, and a reference is only read from locals that never hold another
/// type; objects that no constructor has seen are on the stack only, which is empty.
pub(super) fn merge(body: &mut Body, shape: Shape) {
    // Each merge changes the ground that the next one is judged on.
    while let Some((from, to, count)) = find(body, shape) {
        apply(body, from, to, count);
    }
}

/// Replaces the `count` instructions at `from` (with a `goto` behind them, if that is one) by a
/// `goto` to `to`.
fn apply(body: &mut Body, from: usize, to: usize, count: usize) {
    let label = |index: usize| {
        body.instructions
            .get(index)
            .map_or(usize::MAX, |ins| ins.at)
    };
    let moved: BTreeMap<usize, usize> = (0..count)
        .map(|step| (from + step, label(to + step)))
        .collect();
    // Whoever branches into the part that goes finds the same in the other.
    let redirect = |target: usize| {
        let index = body.index_of(target);
        moved.get(&index).copied().unwrap_or(target)
    };
    let mut instructions = body.instructions.clone();
    for ins in &mut instructions {
        ins.op.retarget(redirect);
    }
    let mut dropped = vec![false; instructions.len()];
    let last = from + count;
    let ends = |index: usize| {
        instructions
            .get(index)
            .is_some_and(|ins| ins.op.ends_block())
    };
    // The `goto` behind goes as well, unless the tail ended before it.
    let extra = usize::from(!ends(last - 1) && ends(last));
    dropped[from + 1..last + extra].fill(true);
    if let Some(first) = instructions.get_mut(from) {
        first.op = Op::Branch(op::GOTO, label(to));
    }
    for handler in &mut body.handlers {
        let index = instructions.partition_point(|ins| ins.at < handler.target);
        handler.target = moved.get(&index).copied().unwrap_or(handler.target);
    }
    body.instructions = instructions;
    drop_marked(body, &dropped);
}

/// The best merge: first instruction of the tail that goes, of the one that stays, length.
fn find(body: &Body, shape: Shape) -> Option<(usize, usize, usize)> {
    let merger = Merger {
        body,
        covers: covers(body),
        heights: heights(body).ok()?,
        offsets: offsets(body),
        one_type: one_type(body, shape),
    };
    let mut best: Option<(usize, (usize, usize, usize))> = None;
    for (goal, ends) in &merger.ends() {
        let ends = ends.get(..ENDS).unwrap_or(ends);
        for (index, gone) in ends.iter().enumerate() {
            if gone.falls {
                continue;
            }
            for (other, stays) in ends.iter().enumerate() {
                // Of two that could both go, the later one goes.
                let second = stays.falls || other < index;
                if other == index || !second {
                    continue;
                }
                if let Some((saved, merge)) = merger.common(*goal, *gone, *stays)
                    && best.is_none_or(|(most, _)| saved > most)
                {
                    best = Some((saved, merge));
                }
            }
        }
    }
    best.map(|(_, merge)| merge)
}

/// Local variables that hold one type of reference only: parameters that are never stored to, and
/// those that one instruction stores to.
fn one_type(body: &Body, shape: Shape) -> Vec<bool> {
    let mut stores = [0usize; 256];
    for ins in &body.instructions {
        if let Op::Store(Storage::Reference, local) = ins.op {
            stores[usize::from(local)] += 1;
        }
    }
    let counted = stores.iter().enumerate();
    counted
        .map(|(local, count)| *count == 0 || *count == 1 && local >= shape.arguments)
        .collect()
}

impl Merger<'_> {
    /// Every end of a tail, by its goal.
    fn ends(&self) -> BTreeMap<Goal, Vec<End>> {
        let labels = self.body.labels();
        let mut ends: BTreeMap<Goal, Vec<End>> = BTreeMap::new();
        let mut add = |goal, end, falls| ends.entry(goal).or_default().push(End { end, falls });
        for (index, ins) in self.body.instructions.iter().enumerate() {
            match ins.op {
                // A branch to the `goto` itself would lose its goal with it.
                Op::Branch(op::GOTO, target) if labels.get(index) == Some(&false) => {
                    add(Goal::Place(self.body.index_of(target)), index, false);
                }
                Op::Plain(code) if ins.op.ends_block() => add(Goal::Ends(code), index + 1, false),
                _ if !ins.op.ends_block() && labels.get(index + 1) == Some(&true) => {
                    add(Goal::Place(index + 1), index + 1, true);
                }
                _ => {}
            }
        }
        ends.retain(|_, ends| ends.len() > 1);
        ends
    }

    /// What two tails have in common: bytes saved if the first goes into the second, and the merge.
    fn common(&self, goal: Goal, gone: End, stays: End) -> Option<(usize, (usize, usize, usize))> {
        let instructions = &self.body.instructions;
        let ends_itself = matches!(goal, Goal::Ends(_));
        let mut best = None;
        let mut bytes = 0;
        let mut needed: Vec<u8> = Vec::new();
        for count in 1.. {
            let (Some(from), Some(to)) =
                (gone.end.checked_sub(count), stays.end.checked_sub(count))
            else {
                break;
            };
            let (Some(a), Some(b)) = (instructions.get(from), instructions.get(to)) else {
                break;
            };
            let last = count == 1 && ends_itself;
            // A tail that runs into the other, or comes from elsewhere than the instruction before.
            let apart = from.abs_diff(to) >= count;
            let runs_on = last || !a.op.ends_block();
            let covered = self.covers.get(from) == self.covers.get(to);
            if !(apart && runs_on && covered && self.same(a, b)) {
                break;
            }
            bytes += size(&a.op);
            match a.op {
                Op::Store(_, local) => needed.retain(|other| *other != local),
                Op::Load(Storage::Reference, local)
                    if self.one_type.get(usize::from(local)) != Some(&true) =>
                {
                    needed.push(local);
                }
                _ => {}
            }
            let empty = |index: usize| self.heights.get(index) == Some(&Some(0));
            if empty(from) && empty(to) && needed.is_empty() {
                let distance = |index: usize| self.offsets.get(index).copied().unwrap_or(0);
                let branch = branch_size(distance(from), distance(to));
                // The `goto` behind the tail that goes is not needed any more.
                let had = if ends_itself { 0 } else { 2 };
                if bytes + had > branch {
                    best = Some((bytes + had - branch, (from, to, count)));
                }
            }
        }
        best
    }

    /// Whether two instructions do the same.
    fn same(&self, a: &Ins, b: &Ins) -> bool {
        let goals = |ins: &Ins| -> Vec<usize> {
            let targets = ins.op.targets();
            targets
                .into_iter()
                .map(|to| self.body.index_of(to))
                .collect()
        };
        match (&a.op, &b.op) {
            (Op::Branch(one, _), Op::Branch(other, _)) => one == other && goals(a) == goals(b),
            // Seldom the same, and never needed within a tail.
            (Op::Switch { .. } | Op::SwitchInt { .. }, _) => false,
            (one, other) => one == other,
        }
    }
}
