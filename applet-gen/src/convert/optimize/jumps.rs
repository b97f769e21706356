//! Branches, and switches that comparisons say in fewer bytes.

use super::super::ir::{Body, Ins, Op};
use super::super::types::Storage;
use super::{branch_size, covers, offsets, size, switch_size};
use crate::cap::opcode::code as op;

/// All rules of this file.
pub(super) fn improve(body: &mut Body) {
    thread(body);
    gotos_to_returns(body);
    branches_over_gotos(body);
    small_switches(body);
    gotos_to_next(body);
}

/// A branch to a `goto` goes where that goes: a `goto` does nothing else, and throws nothing.
fn thread(body: &mut Body) {
    let goal = |from: usize| {
        let mut at = from;
        // A circle of gotos is left as it is.
        for _ in 0..body.instructions.len() {
            match body.instructions.get(body.index_of(at)).map(|ins| &ins.op) {
                Some(Op::Branch(op::GOTO, to)) => at = *to,
                _ => return at,
            }
        }
        from
    };
    let mut threaded = body.instructions.clone();
    for ins in &mut threaded {
        ins.op.retarget(goal);
        if let Op::Switch { default, cases } = &mut ins.op {
            // What has no case goes to the default.
            cases.retain(|(_, target)| target != default);
        }
    }
    body.instructions = threaded;
}

/// A `goto` to a return, or to an `athrow` under the same handlers, is that: what it finds on the
/// stack and in the locals is the same, and the instruction looks at nothing else.
fn gotos_to_returns(body: &mut Body) {
    let covers = covers(body);
    let mut changed = body.instructions.clone();
    for (index, ins) in changed.iter_mut().enumerate() {
        let Op::Branch(op::GOTO, target) = ins.op else {
            continue;
        };
        let to = body.index_of(target);
        match body.instructions.get(to).map(|ins| &ins.op) {
            Some(Op::Plain(code @ (op::RETURN | op::ARETURN | op::SRETURN | op::IRETURN))) => {
                ins.op = Op::Plain(*code);
            }
            Some(Op::Plain(op::ATHROW)) if covers.get(to) == covers.get(index) => {
                ins.op = Op::Plain(op::ATHROW);
            }
            _ => {}
        }
    }
    body.instructions = changed;
}

/// The comparison that is true when this one is not: they stand in pairs in JCVM chapter 7.
fn inverted(condition: u8) -> u8 {
    op::IFEQ + ((condition - op::IFEQ) ^ 1)
}

/// `if x goto A; goto B; A:` goes to B if x is not, and on to A if it is: so does `if not x goto B`.
fn branches_over_gotos(body: &mut Body) {
    let labels = body.labels();
    let mut dropped = vec![false; body.instructions.len()];
    let mut changed = body.instructions.clone();
    for (index, ins) in changed.iter_mut().enumerate() {
        let Op::Branch(condition @ op::IFEQ..=op::IF_SCMPLE, target) = ins.op else {
            continue;
        };
        let over = body.index_of(target) == index + 2;
        let next = body.instructions.get(index + 1).map(|ins| &ins.op);
        if let Some(Op::Branch(op::GOTO, other)) = next
            && over
            && labels.get(index + 1) == Some(&false)
        {
            ins.op = Op::Branch(inverted(condition), *other);
            dropped[index + 1] = true;
        }
    }
    body.instructions = changed;
    drop_marked(body, &dropped);
}

/// A `goto` to the next instruction does nothing.
fn gotos_to_next(body: &mut Body) {
    let next = |index: usize, ins: &Ins| match ins.op {
        Op::Branch(op::GOTO, target) => body.index_of(target) == index + 1,
        _ => false,
    };
    let dropped: Vec<bool> = (body.instructions.iter().enumerate())
        .map(|(index, ins)| next(index, ins))
        .collect();
    drop_marked(body, &dropped);
}

pub(super) fn drop_marked(body: &mut Body, dropped: &[bool]) {
    let mut dropped = dropped.iter();
    body.instructions
        .retain(|_| !dropped.next().copied().unwrap_or(false));
}

/// A switch compares its value with each case and goes to the first that is equal, else to the
/// default: so do comparisons one after the other. The value is a local, which can be read for
/// each of them, or there is one case.
fn small_switches(body: &mut Body) {
    let labels = body.labels();
    let at = offsets(body);
    let old = std::mem::take(&mut body.instructions);
    let distance = Body {
        instructions: old.clone(),
        ..Body::default()
    };
    for (index, ins) in old.iter().enumerate() {
        let Op::Switch { default, cases } = &ins.op else {
            body.instructions.push(ins.clone());
            continue;
        };
        let before = index.checked_sub(1).and_then(|before| old.get(before));
        let local = match before.map(|ins| &ins.op) {
            Some(Op::Load(Storage::Short, local)) if labels.get(index) == Some(&false) => {
                Some(*local)
            }
            _ => None,
        };
        let next = old.get(index + 1).map(|ins| ins.at);
        let chain = chain(*default, cases, local, next);
        let here = at.get(index).copied().unwrap_or(0);
        let bytes = |ops: &[Op]| -> usize {
            let of = |op: &Op| match op {
                Op::Branch(_, target) => {
                    let to = at.get(distance.index_of(*target)).copied().unwrap_or(0);
                    branch_size(here, to)
                }
                op => size(op),
            };
            ops.iter().map(of).sum()
        };
        match chain.filter(|chain| bytes(chain) < switch_size(cases)) {
            Some(chain) => body.instructions.extend(chain.into_iter().map(|op| Ins {
                at: ins.at,
                from: ins.from,
                op,
            })),
            None => body.instructions.push(ins.clone()),
        }
    }
}

/// The comparisons for a switch whose value is on the stack; `None` where there is no such form.
fn chain(
    default: usize,
    cases: &[(i16, usize)],
    local: Option<u8>,
    next: Option<usize>,
) -> Option<Vec<Op>> {
    // The case that goes on to the next instruction comes last, where it costs no branch.
    let mut cases = cases.to_vec();
    cases.sort_by_key(|(_, target)| Some(*target) == next);
    let count = cases.len();
    let enough = count == 1 || (2..=6).contains(&count) && local.is_some();
    if !enough {
        return None;
    }
    let mut ops = Vec::new();
    let mut open = true;
    for (index, (value, target)) in cases.into_iter().enumerate() {
        if let Some(local) = local.filter(|_| index > 0) {
            ops.push(Op::Load(Storage::Short, local));
        }
        let equal = match value {
            0 => op::IFEQ,
            value => {
                ops.push(Op::Push(value));
                op::IF_SCMPEQ
            }
        };
        if Some(target) == next && index + 1 == count {
            ops.push(Op::Branch(inverted(equal), default));
            open = false;
        } else {
            ops.push(Op::Branch(equal, target));
        }
    }
    if open && Some(default) != next {
        ops.push(Op::Branch(op::GOTO, default));
    }
    Some(ops)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(ops: &[Op]) -> Body {
        let instructions = ops.iter().enumerate().map(|(at, op)| Ins {
            at,
            from: at,
            op: op.clone(),
        });
        Body {
            instructions: instructions.collect(),
            ..Body::default()
        }
    }

    fn ops(body: &Body) -> Vec<Op> {
        body.instructions.iter().map(|ins| ins.op.clone()).collect()
    }

    const LOAD: Op = Op::Load(Storage::Short, 1);
    const RETURN: Op = Op::Plain(op::RETURN);

    #[test]
    fn a_branch_over_a_goto_is_the_other_branch() {
        let mut body = body(&[
            LOAD,
            Op::Branch(op::IFEQ, 3),
            Op::Branch(op::GOTO, 4),
            Op::Increment(1, 1),
            Op::Plain(op::NOP),
            RETURN,
        ]);
        improve(&mut body);
        assert_eq!(body.instructions[1].op, Op::Branch(op::IFNE, 4));
        assert_eq!(body.index_of(4), 3);
    }

    #[test]
    fn circles_of_gotos_stay() {
        let mut body = body(&[
            Op::Branch(op::GOTO, 1),
            Op::Branch(op::GOTO, 2),
            Op::Branch(op::GOTO, 1),
        ]);
        let before = body.clone();
        thread(&mut body);
        assert_eq!(body, before);
    }

    #[test]
    fn conditions_invert_in_pairs() {
        for condition in op::IFEQ..=op::IF_SCMPLE {
            let other = inverted(condition);
            assert_eq!(inverted(other), condition);
            let name = |code| crate::cap::opcode::lookup(code).unwrap().name;
            let pairs = [
                ("eq", "ne"),
                ("lt", "ge"),
                ("gt", "le"),
                ("null", "nonnull"),
            ];
            let fits = pairs.iter().any(|(a, b)| {
                name(condition).ends_with(a) && name(other).ends_with(b)
                    || name(condition).ends_with(b) && name(other).ends_with(a)
            });
            assert!(fits, "{} {}", name(condition), name(other));
        }
    }

    #[test]
    fn a_switch_of_one_case_is_a_comparison() {
        let cases = vec![(7, 2)];
        let mut body = body(&[
            LOAD,
            Op::Switch { default: 3, cases },
            Op::Increment(1, 1),
            RETURN,
        ]);
        small_switches(&mut body);
        let wanted = [
            LOAD,
            Op::Push(7),
            Op::Branch(op::IF_SCMPNE, 3),
            Op::Increment(1, 1),
            RETURN,
        ];
        assert_eq!(ops(&body), wanted);
    }
}
