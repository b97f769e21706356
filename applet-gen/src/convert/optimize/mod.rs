//! Fewer bytes for the same: rules on whole methods, between lowering and assembly.
//!
//! A rule only removes instructions, puts others in their place or redirects branches, so the
//! labels (`at`) of what stays keep their order, and a label whose instruction is gone means the
//! next one. Each rule says why the machine does the same. `jumps` has those on branches and
//! switches, `tails` merges code that stands twice, `locals` those on local variables, `reach`
//! drops methods that nothing can call.

mod jumps;
mod locals;
mod reach;
mod tails;

pub(crate) use reach::unreachable;

use super::ir::{Body, Op};

/// What is known of a method beside its body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// Cells of the parameters, the object included.
    pub(crate) arguments: usize,
    /// Whether local 0 is `this` wherever it is read.
    pub(crate) this: bool,
}

/// Rounds of all rules; each round can make room for the next, and ends when nothing changes.
const ROUNDS: usize = 8;

/// Applies all rules until nothing gets shorter.
pub(crate) fn optimize(body: &mut Body, shape: Shape) {
    for _ in 0..ROUNDS {
        body.renumber();
        let before = body.clone();
        jumps::improve(body);
        // Rules that add instructions leave labels that several have.
        body.renumber();
        body.prune();
        locals::forward(body);
        tails::merge(body, shape);
        body.prune();
        body.renumber();
        if *body == before {
            break;
        }
    }
    locals::renumber(body, shape);
}

/// Bytes of an instruction in its short form; those that depend on what is not known yet are
/// taken as short.
fn size(op: &Op) -> usize {
    let local = |index: u8| if index < 4 { 1 } else { 2 };
    match op {
        Op::Plain(_) => 1,
        Op::Push(-1..=5) => 1,
        Op::Push(-128..=127) => 2,
        Op::Load(_, index) | Op::Store(_, index) => local(*index),
        Op::Branch(..) | Op::GetField { .. } | Op::PutField { .. } => 2,
        Op::NewArray(_) | Op::DupX(..) | Op::Swap(..) => 2,
        Op::TypeCheck(..) => 4,
        Op::Interface { .. } => 5,
        Op::Switch { cases, .. } => switch_size(cases),
        _ => 3,
    }
}

/// Bytes of a switch in its shorter form (JCVM 7.5, `stableswitch` and `slookupswitch`).
fn switch_size(cases: &[(i16, usize)]) -> usize {
    let lookup = 5 + 4 * cases.len();
    let table = cases.first().zip(cases.last()).map(|(low, high)| {
        let span = i64::from(high.0) - i64::from(low.0) + 1;
        7 + 2 * usize::try_from(span).unwrap_or(usize::MAX / 4)
    });
    table.map_or(lookup, |table| table.min(lookup))
}

/// Offsets of all instructions as [`size`] has them, to tell near from far.
fn offsets(body: &Body) -> Vec<usize> {
    let sizes = body.instructions.iter().scan(0, |at, ins| {
        let here = *at;
        *at += size(&ins.op);
        Some(here)
    });
    sizes.collect()
}

/// Bytes of a branch between instructions at these offsets.
fn branch_size(from: usize, to: usize) -> usize {
    // Less than 127: what stands between can still grow.
    if from.abs_diff(to) < 110 { 2 } else { 3 }
}

/// For each instruction, the handlers that see its exceptions, by their index.
fn covers(body: &Body) -> Vec<Vec<usize>> {
    let mut covers = vec![Vec::new(); body.instructions.len()];
    for (number, handler) in body.handlers.iter().enumerate() {
        let range = body.index_of(handler.start)..body.index_of(handler.end);
        for cover in covers.get_mut(range).unwrap_or_default() {
            cover.push(number);
        }
    }
    covers
}
