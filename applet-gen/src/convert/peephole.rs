//! Shorter forms of the same. Each rule's proof that the machine does the same stands with it.

use super::ir::{Body, Ins, Op};
use super::types::Storage;
use super::world::MemberId;
use crate::cap::opcode::code as op;

/// Rules on a few instructions in a row.
pub(crate) fn improve(body: &mut Body) {
    increments(body);
    stores_to_byte_arrays(body);
}

/// Rules on fields of `this`, for methods where local 0 is `this` wherever it is read; `small` says
/// that a field's constant pool index fits in a byte.
pub(crate) fn fields_of_this(body: &mut Body, small: impl Fn(MemberId) -> bool) {
    gets_of_this(body, &small);
    puts_to_this(body, &small);
}

/// Rebuilds the instructions; `rule` looks at a window whose instructions after the first are no
/// labels, and gives the number of instructions it replaces, and by what.
fn rewrite(body: &mut Body, longest: usize, rule: impl Fn(&[Ins]) -> Option<(usize, Vec<Op>)>) {
    let labels = body.labels();
    let old = std::mem::take(&mut body.instructions);
    let mut index = 0;
    while let Some(first) = old.get(index) {
        let reach = labels
            .iter()
            .skip(index + 1)
            .take(longest - 1)
            .take_while(|label| !**label)
            .count();
        let window = &old[index..=index + reach];
        match rule(window) {
            Some((count, by)) => {
                body.instructions.extend(by.into_iter().map(|op| Ins {
                    at: first.at,
                    from: first.from,
                    op,
                }));
                index += count.max(1);
            }
            None => {
                body.instructions.push(first.clone());
                index += 1;
            }
        }
    }
}

/// `sload n; push c; sadd; sstore n` adds c to a short local modulo 2^16, as `sinc n c` does.
/// With `ssub` it is -c, except for -32768, whose negation is itself modulo 2^16 as well.
fn increments(body: &mut Body) {
    rewrite(body, 4, |window| {
        let [a, b, c, d] = window else { return None };
        let (Op::Load(Storage::Short, local), Op::Push(by), Op::Plain(arithmetic)) =
            (&a.op, &b.op, &c.op)
        else {
            return None;
        };
        if d.op != Op::Store(Storage::Short, *local) {
            return None;
        }
        let by = match *arithmetic {
            op::SADD => *by,
            op::SSUB => by.wrapping_neg(),
            _ => return None,
        };
        Some((4, vec![Op::Increment(*local, by)]))
    });
}

/// `s2b; bastore`: bastore keeps the low byte only (JCVM 7.5), which s2b leaves as it is. Not for
/// boolean arrays: they are stored to with values 0 and 1, which javac never narrows.
fn stores_to_byte_arrays(body: &mut Body) {
    rewrite(body, 2, |window| {
        let [a, b] = window else { return None };
        (a.op == Op::Plain(op::S2B) && b.op == Op::Plain(op::BASTORE))
            .then(|| (2, vec![Op::Plain(op::BASTORE)]))
    });
}

/// `aload_0; getfield` reads a field of `this`, as `getfield_this` does. `aload_0; dup; getfield`
/// leaves `this` below the field: so does `aload_0; getfield_this`.
fn gets_of_this(body: &mut Body, small: &impl Fn(MemberId) -> bool) {
    let get = |op: &Op| match *op {
        Op::GetField {
            storage,
            field,
            this: false,
        } if small(field) => Some(Op::GetField {
            storage,
            field,
            this: true,
        }),
        _ => None,
    };
    rewrite(body, 3, |window| {
        let this = Op::Load(Storage::Reference, 0);
        match window {
            [a, b, c] if a.op == this && b.op == Op::Plain(op::DUP) => {
                Some((3, vec![this, get(&c.op)?]))
            }
            [a, b, ..] if a.op == this => Some((2, vec![get(&b.op)?])),
            _ => None,
        }
    });
}

/// `aload_0; value; putfield` with a straight line as value, which neither takes nor looks at the
/// cell below itself: `value; putfield_this` stores the same. The null check that goes with the
/// reference cannot fail for `this`.
fn puts_to_this(body: &mut Body, small: &impl Fn(MemberId) -> bool) {
    let labels = body.labels();
    let mut dropped = vec![false; body.instructions.len()];
    for index in 0..body.instructions.len() {
        let Op::PutField {
            storage,
            field,
            this: false,
        } = body.instructions[index].op
        else {
            continue;
        };
        if !small(field) {
            continue;
        }
        if let Some(load) = object_below(body, &labels, &dropped, index) {
            dropped[load] = true;
            body.instructions[index].op = Op::PutField {
                storage,
                field,
                this: true,
            };
        }
    }
    // A jump to a dropped load goes to what follows it.
    let mut dropped = dropped.into_iter();
    body.instructions
        .retain(|_| !dropped.next().unwrap_or(false));
}

/// The `aload_0` that pushed the object below the value of the `putfield` at `index`.
fn object_below(body: &Body, labels: &[bool], dropped: &[bool], index: usize) -> Option<usize> {
    // Cells of the value that instructions further up must still provide.
    let mut wanted = match body.instructions[index].op {
        Op::PutField { storage, .. } => storage.cells(),
        _ => return None,
    };
    let mut at = index;
    loop {
        if labels[at] {
            return None;
        }
        at = at.checked_sub(1)?;
        if dropped[at] {
            continue;
        }
        let op = &body.instructions[at].op;
        if wanted == 0 {
            return (*op == Op::Load(Storage::Reference, 0)).then_some(at);
        }
        let (pops, pushes) = op.effect();
        if op.ends_block() || !op.targets().is_empty() || pushes > wanted {
            return None;
        }
        wanted = wanted - pushes + pops;
    }
}
