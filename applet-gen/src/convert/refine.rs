//! What a comparison tells about a local variable on either way out of it.
//!
//! `for (short i = 0; i < n; i++)` keeps `i + 1` in a short inside the loop only because `i` is
//! less than something there.

use super::flow::Frame;
use super::types::{Range, Value};
use crate::classfile::{Instruction, Operand};

/// Relations in the order of the JVM's branches: eq, ne, lt, ge, gt, le.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Equal,
    NotEqual,
    Less,
    NotLess,
    Greater,
    NotGreater,
}

use Relation::{Equal, Greater, Less, NotEqual, NotGreater, NotLess};

impl Relation {
    fn of(opcode: u8) -> Option<(Relation, bool)> {
        let order = [Equal, NotEqual, Less, NotLess, Greater, NotGreater];
        let (index, zero) = match opcode {
            0x99..=0x9E => (opcode - 0x99, true),
            0x9F..=0xA4 => (opcode - 0x9F, false),
            _ => return None,
        };
        Some((*order.get(usize::from(index))?, zero))
    }

    fn negated(self) -> Relation {
        match self {
            Equal => NotEqual,
            NotEqual => Equal,
            Less => NotLess,
            NotLess => Less,
            Greater => NotGreater,
            NotGreater => Greater,
        }
    }

    /// The same with the operands exchanged.
    fn mirrored(self) -> Relation {
        match self {
            Less => Greater,
            Greater => Less,
            NotLess => NotGreater,
            NotGreater => NotLess,
            same => same,
        }
    }

    /// The part of `left` that stands in this relation to something in `right`.
    fn narrow(self, left: Range, right: Range) -> Range {
        let mut result = left;
        match self {
            Equal => {
                result.low = left.low.max(right.low);
                result.high = left.high.min(right.high);
            }
            NotEqual => {
                if let Some(other) = right.constant() {
                    result.low += i64::from(left.low == other);
                    result.high -= i64::from(left.high == other);
                }
            }
            Less => result.high = left.high.min(right.high - 1),
            NotGreater => result.high = left.high.min(right.high),
            Greater => result.low = left.low.max(right.low + 1),
            NotLess => result.low = left.low.max(right.low),
        }
        // Nothing left: the way is never taken. That is not for this analysis to use.
        if result.low > result.high {
            left
        } else {
            result
        }
    }
}

/// Changes to locals on a way out of a branch: the slot and what it holds.
#[derive(Debug, Default)]
pub(crate) struct Ways {
    pub(crate) taken: Vec<(usize, Range)>,
    pub(crate) not_taken: Vec<(usize, Range)>,
}

/// What the branch at `index` tells; `frame` is the one before it. `is_label` says whether
/// control can come to an instruction from elsewhere than the one before.
pub(crate) fn ways(
    instructions: &[Instruction],
    index: usize,
    frame: &Frame,
    is_label: impl Fn(usize) -> bool,
) -> Ways {
    let mut ways = Ways::default();
    let Some((relation, zero)) = instructions
        .get(index)
        .and_then(|branch| Relation::of(branch.opcode))
    else {
        return ways;
    };
    let mut items = frame.stack.iter().rev();
    let right = if zero { None } else { items.next() };
    let Some(left) = items.next() else {
        return ways;
    };
    let range = |value: Value| match value {
        Value::Number(range) | Value::Int(range) => Some(range),
        _ => None,
    };
    let right_range = match right {
        Some(right) => range(right.value),
        None => Some(Range::new(0, 0)),
    };
    let (Some(left_range), Some(right_range)) = (range(left.value), right_range) else {
        return ways;
    };
    let mut tell = |made: &[usize], relation: Relation, own: Range, other: Range| {
        let Some(slot) = local(instructions, index, made, &is_label) else {
            return;
        };
        ways.taken.push((slot, relation.narrow(own, other)));
        ways.not_taken
            .push((slot, relation.negated().narrow(own, other)));
    };
    tell(&left.made, relation, left_range, right_range);
    if let Some(right) = right {
        tell(&right.made, relation.mirrored(), right_range, left_range);
    }
    ways
}

/// The local variable that was loaded by the one instruction of `made`, and that still holds the
/// same at `index`: nothing but a straight line without a store to it lies between.
fn local(
    instructions: &[Instruction],
    index: usize,
    made: &[usize],
    is_label: impl Fn(usize) -> bool,
) -> Option<usize> {
    let [made] = made else { return None };
    let from = instructions
        .binary_search_by_key(made, |ins| ins.offset)
        .ok()?;
    let load = instructions.get(from)?;
    let (Operand::Local(slot), 0x15) = (&load.operand, load.opcode) else {
        return None;
    };
    let between = instructions.get(from + 1..index)?;
    let kept = between.iter().all(|ins| match &ins.operand {
        Operand::Local(other) => !(0x36..=0x3A).contains(&ins.opcode) || other != slot,
        Operand::Increment(other, _) => other != slot,
        Operand::Target(_) | Operand::Switch(_) => false,
        _ => true,
    });
    let straight = (from + 1..=index).all(|at| !is_label(at));
    (kept && straight).then_some((*slot).into())
}

/// Writes what is told into a frame. The number of cells of a value stays as it was.
pub(crate) fn apply(frame: &mut Frame, told: &[(usize, Range)]) {
    for (slot, range) in told {
        if let Some(local) = frame.locals.get_mut(*slot) {
            *local = match *local {
                Value::Number(_) => Value::Number(*range),
                Value::Int(_) => Value::Int(*range),
                other => other,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// No value that stands in the relation is lost.
        #[test]
        fn what_fits_stays(
            a in any::<i8>(), b in any::<i8>(), x in 0i64..40, y in 0i64..40, opcode in 0x9Fu8..=0xA4,
        ) {
            let (a, b) = (i64::from(a), i64::from(b));
            let (left, right) = (Range::new(a - x, a + y), Range::new(b - y, b + x));
            let (relation, _) = Relation::of(opcode).unwrap();
            let holds = match relation {
                Equal => a == b,
                NotEqual => a != b,
                Less => a < b,
                NotLess => a >= b,
                Greater => a > b,
                NotGreater => a <= b,
            };
            let relation = if holds { relation } else { relation.negated() };
            let narrowed = relation.narrow(left, right);
            prop_assert!(narrowed.low <= a && a <= narrowed.high);
            let narrowed = relation.mirrored().narrow(right, left);
            prop_assert!(narrowed.low <= b && b <= narrowed.high);
            prop_assert!(narrowed.within(right));
        }
    }
}
