//! Local variables: values that need none, and numbers that have short forms.

use super::super::ir::{Body, Op};
use super::Shape;
use super::jumps::drop_marked;
use crate::cap::opcode::code as op;

/// A set of local variables.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Set([u64; 4]);

impl Set {
    fn has(self, local: u8) -> bool {
        self.0[usize::from(local >> 6)] >> (local & 63) & 1 == 1
    }

    fn put(&mut self, local: u8) {
        self.0[usize::from(local >> 6)] |= 1 << (local & 63);
    }

    fn take(&mut self, local: u8) {
        self.0[usize::from(local >> 6)] &= !(1 << (local & 63));
    }

    /// Adds all of `other`; whether that was anything new.
    fn join(&mut self, other: Set) -> bool {
        let before = *self;
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine |= theirs;
        }
        *self != before
    }
}

/// The locals whose value is read before it is written again, after each instruction. Where an
/// exception can lead to a handler, what the handler reads counts.
fn live_after(body: &Body) -> Vec<Set> {
    let count = body.instructions.len();
    let covers = super::covers(body);
    let mut before = vec![Set::default(); count + 1];
    let mut after = vec![Set::default(); count];
    loop {
        let mut changed = false;
        for (index, ins) in body.instructions.iter().enumerate().rev() {
            let mut live = Set::default();
            if !ins.op.ends_block() {
                live.join(before[index + 1]);
            }
            for target in ins.op.targets() {
                live.join(before[body.index_of(target)]);
            }
            let handlers = covers.get(index).into_iter().flatten();
            for handler in handlers.filter_map(|number| body.handlers.get(*number)) {
                live.join(before[body.index_of(handler.target)]);
            }
            after[index] = live;
            if let Some(touch) = ins.op.touch() {
                for local in touch.all() {
                    if touch.writes && !touch.reads {
                        live.take(local);
                    }
                }
                for local in touch.all() {
                    if touch.reads {
                        live.put(local);
                    }
                }
            }
            let handlers = covers.get(index).into_iter().flatten();
            for handler in handlers.filter_map(|number| body.handlers.get(*number)) {
                live.join(before[body.index_of(handler.target)]);
            }
            changed |= before[index].join(live);
        }
        if !changed {
            return after;
        }
    }
}

/// `store n; load n` where nobody reads n later leaves on the stack what was there, as nothing
/// does. `dup; store n` where nobody reads n leaves the one below the copy, as nothing does.
pub(super) fn forward(body: &mut Body) {
    let live = live_after(body);
    let labels = body.labels();
    let mut dropped = vec![false; body.instructions.len()];
    for index in 1..body.instructions.len() {
        let (first, second) = (
            &body.instructions[index - 1].op,
            &body.instructions[index].op,
        );
        let alone = !dropped[index - 1] && !labels[index];
        let useless = match (first, second) {
            (Op::Store(a, from), Op::Load(b, to)) => {
                a.cells() == 1 && a == b && from == to && !live[index].has(*from)
            }
            (Op::Plain(op::DUP), Op::Store(kind, to)) => kind.cells() == 1 && !live[index].has(*to),
            _ => false,
        };
        if alone && useless {
            dropped[index - 1] = true;
            dropped[index] = true;
        }
    }
    drop_marked(body, &dropped);
}

/// Numbers the local variables beside the parameters anew, those with most uses first: the first
/// four have loads and stores of one byte. Two variables share a number where none is written
/// while the other's value is still to be read, so every load finds what it found before. `this`
/// keeps its place for itself: instructions on its fields read it without saying so.
pub(super) fn renumber(body: &mut Body, shape: Shape) {
    let touches = || body.instructions.iter().filter_map(|ins| ins.op.touch());
    // Variables of two cells would have to stay together.
    if touches().any(|touch| touch.cells != 1) {
        return;
    }
    let live = live_after(body);
    let mut uses = [0usize; 256];
    touches().for_each(|touch| uses[usize::from(touch.local)] += 1);
    let mut conflicts = vec![Set::default(); 256];
    for (ins, live) in body.instructions.iter().zip(&live) {
        let Some(touch) = ins.op.touch().filter(|touch| touch.writes) else {
            continue;
        };
        for other in (0..=u8::MAX).filter(|other| live.has(*other) && *other != touch.local) {
            conflicts[usize::from(touch.local)].put(other);
            conflicts[usize::from(other)].put(touch.local);
        }
    }
    // Parameters stay where the caller puts them.
    let mut places: Vec<Option<u8>> = (0..=u8::MAX)
        .map(|local| Some(local).filter(|local| usize::from(*local) < shape.arguments))
        .collect();
    let mut order: Vec<u8> = (0..=u8::MAX)
        .filter(|local| usize::from(*local) >= shape.arguments && uses[usize::from(*local)] > 0)
        .collect();
    order.sort_by_key(|local| (usize::MAX - uses[usize::from(*local)], *local));
    let mut highest = shape.arguments;
    for local in order {
        let taken = |place: u8| {
            place == 0 && shape.this
                || (0..=u8::MAX).any(|other| {
                    places[usize::from(other)] == Some(place)
                        && conflicts[usize::from(local)].has(other)
                })
        };
        let Some(place) = (0..=u8::MAX).find(|place| !taken(*place)) else {
            return;
        };
        highest = highest.max(usize::from(place) + 1);
        places[usize::from(local)] = Some(place);
    }
    for ins in &mut body.instructions {
        let place = ins
            .op
            .touch()
            .and_then(|touch| places[usize::from(touch.local)]);
        if let Some(place) = place {
            ins.op.set_local(place);
        }
    }
    body.max_locals = highest - shape.arguments;
    // Where a debugger finds the variables of the class file; those that are gone, nowhere.
    for cell in &mut body.cells {
        *cell = places
            .get(*cell)
            .copied()
            .flatten()
            .map_or(usize::MAX, usize::from);
    }
}
