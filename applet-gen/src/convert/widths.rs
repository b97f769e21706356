//! Which values take two cells, in a package that may use `int` (JCVM 2.2.3.1).
//!
//! Everything starts as a short. Where the whole of an `int` is needed and 16 bits may not hold
//! it, the instructions that made the value are asked to make it in two cells, and the method is
//! interpreted anew: requests only ever add up, so this ends, with as few `int`s as suffice.

use std::collections::BTreeSet;

use super::types::Signature;

/// What was asked for so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Widths {
    /// Offsets of Java instructions whose result must be an `int`.
    pub(crate) wide: BTreeSet<usize>,
    /// Offsets of Java instructions whose result must be a short, though computed as an `int`.
    pub(crate) narrow: BTreeSet<usize>,
    /// Local variables of the class file that hold numbers as `int`s.
    pub(crate) slots: BTreeSet<u16>,
}

impl Widths {
    /// With the parameters that are declared `int`.
    pub(crate) fn new(is_static: bool, signature: &Signature) -> Widths {
        let first = u16::from(!is_static);
        let ints = (first..).zip(&signature.parameters);
        Widths {
            slots: ints
                .filter(|(_, kind)| kind.cells() == 2)
                .map(|(slot, _)| slot)
                .collect(),
            ..Widths::default()
        }
    }

    /// Takes in new requests; whether any was new.
    pub(crate) fn grow(&mut self, more: &Widths) -> bool {
        let before = self.clone();
        self.wide.extend(&more.wide);
        self.narrow.extend(&more.narrow);
        self.slots.extend(&more.slots);
        *self != before
    }
}

/// Where the class file's local variables lie in the frame of the card.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LocalMap {
    /// First cells, by the class file's index.
    pub(crate) cells: Vec<usize>,
    /// Cells of parameters that hold an `int` at times and something shorter at others.
    apart: Vec<(u16, usize)>,
    /// Cells of the parameters, `this` included.
    pub(crate) arguments: usize,
    /// Cells of the whole frame.
    pub(crate) total: usize,
}

impl LocalMap {
    pub(crate) fn new(
        is_static: bool,
        signature: &Signature,
        max_locals: usize,
        widths: &Widths,
    ) -> LocalMap {
        let is_wide =
            |slot: usize| u16::try_from(slot).is_ok_and(|slot| widths.slots.contains(&slot));
        let this = (!is_static).then_some(1);
        let parameters = signature.parameters.iter().map(|kind| kind.cells().max(1));
        let mut map = LocalMap::default();
        let mut apart = Vec::new();
        for (slot, cells) in this.into_iter().chain(parameters).enumerate() {
            map.cells.push(map.total);
            map.total += cells;
            if cells == 1 && is_wide(slot) {
                apart.push(slot as u16);
            }
        }
        map.arguments = map.total;
        for slot in map.cells.len()..max_locals {
            map.cells.push(map.total);
            map.total += 1 + usize::from(is_wide(slot));
        }
        for slot in apart {
            map.apart.push((slot, map.total));
            map.total += 2;
        }
        map
    }

    /// Number of local variables of the class file.
    pub(crate) fn len(&self) -> usize {
        self.cells.len()
    }

    /// The first cell of a local variable; `int` says what it is used for.
    pub(crate) fn cell(&self, slot: u16, int: bool) -> Option<usize> {
        let apart = self.apart.iter().find(|(own, _)| *own == slot && int);
        match apart {
            Some((_, cell)) => Some(*cell),
            None => self.cells.get(usize::from(slot)).copied(),
        }
    }
}
