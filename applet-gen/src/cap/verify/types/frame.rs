//! Operand stack and local variables, typed.

use super::super::context::Context;
use super::super::members::Kind;
use super::cell::Cell;

/// Why an instruction is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Stop {
    /// Expected and found.
    Wrong(String, String),
    /// What it refers to can't be told; another check says why.
    Unresolved,
}

pub(in super::super) fn wrong(expected: impl ToString, found: impl ToString) -> Stop {
    Stop::Wrong(expected.to_string(), found.to_string())
}

/// The state before an instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Frame<'a> {
    pub locals: Vec<Cell<'a>>,
    pub stack: Vec<Cell<'a>>,
    /// In a constructor: no other constructor has run for `this` on every way here.
    pub pending: bool,
}

impl<'a> Frame<'a> {
    pub fn pop(&mut self) -> Result<Cell<'a>, Stop> {
        self.stack
            .pop()
            .ok_or_else(|| wrong("another word on the stack", "none"))
    }

    /// Takes a value that fits a type.
    pub fn pop_kind(&mut self, context: &Context<'a>, kind: Kind<'a>) -> Result<(), Stop> {
        if kind == Kind::Int {
            return self.pop_int();
        }
        let cell = self.pop()?;
        if cell.fits(context, kind) {
            return Ok(());
        }
        Err(wrong(kind, cell))
    }

    pub fn pop_short(&mut self) -> Result<(), Stop> {
        match self.pop()? {
            Cell::Short => Ok(()),
            other => Err(wrong("short", other)),
        }
    }

    pub fn pop_int(&mut self) -> Result<(), Stop> {
        match (self.pop()?, self.pop()?) {
            (Cell::IntLow, Cell::Int) => Ok(()),
            (Cell::IntLow, other) | (other, _) => Err(wrong("int", other)),
        }
    }

    /// Takes an object, an array or null.
    pub fn pop_reference(&mut self) -> Result<Cell<'a>, Stop> {
        let cell = self.pop()?;
        if cell.is_reference() {
            return Ok(cell);
        }
        Err(wrong("a reference", cell))
    }

    pub fn push(&mut self, cells: impl IntoIterator<Item = Cell<'a>>) {
        self.stack.extend(cells);
    }

    pub fn push_short(&mut self) {
        self.push([Cell::Short]);
    }

    pub fn push_int(&mut self) {
        self.push([Cell::Int, Cell::IntLow]);
    }

    /// The `count` topmost words, which no int straddles from below.
    pub fn top(&self, count: usize) -> Result<&[Cell<'a>], Stop> {
        let start = self.stack.len().checked_sub(count).ok_or_else(|| {
            let found = self.stack.len();
            wrong(format!("{count} words on the stack"), found)
        })?;
        let top = self.stack.get(start..).unwrap_or_default();
        match top.first() {
            Some(Cell::IntLow) => Err(wrong("whole ints", "half of one")),
            _ => Ok(top),
        }
    }

    pub fn local(&self, index: u8) -> Result<&Cell<'a>, Stop> {
        // That the index is within the frame was checked with the operands.
        self.locals.get(usize::from(index)).ok_or(Stop::Unresolved)
    }

    pub fn is_int(&self, index: u8) -> bool {
        let index = usize::from(index);
        matches!(
            self.locals.get(index..index + 2),
            Some([Cell::Int, Cell::IntLow])
        )
    }

    /// Sets local variables from `index` on; an int that loses a half is gone.
    pub fn set_local(&mut self, index: u8, cells: &[Cell<'a>]) -> Result<(), Stop> {
        let start = usize::from(index);
        let end = start + cells.len();
        if let Some(before) = start.checked_sub(1).and_then(|at| self.locals.get_mut(at))
            && *before == Cell::Int
        {
            *before = Cell::Unset;
        }
        if let Some(after) = self.locals.get_mut(end)
            && *after == Cell::IntLow
        {
            *after = Cell::Unset;
        }
        let slots = self.locals.get_mut(start..end).ok_or(Stop::Unresolved)?;
        slots.clone_from_slice(cells);
        Ok(())
    }

    /// Turns every copy of one cell into another.
    pub fn replace(&mut self, from: &Cell<'a>, to: &Cell<'a>) {
        let cells = self.locals.iter_mut().chain(&mut self.stack);
        for cell in cells.filter(|cell| *cell == from) {
            *cell = to.clone();
        }
    }

    /// What is certain where this way and another meet.
    pub fn merge(&self, context: &Context<'a>, other: &Self) -> Result<Self, Stop> {
        if self.stack.len() != other.stack.len() {
            return Err(wrong(
                format!(
                    "the same stack depth on every way, {} words",
                    self.stack.len()
                ),
                other.stack.len(),
            ));
        }
        let mut stack = Vec::with_capacity(self.stack.len());
        for (one, other) in self.stack.iter().zip(&other.stack) {
            let merged = one.merge(context, other);
            if merged == Cell::Unset && one != other {
                return Err(wrong(format!("{one} on the stack on every way"), other));
            }
            stack.push(merged);
        }
        let mut locals: Vec<Cell<'a>> = self
            .locals
            .iter()
            .zip(&other.locals)
            .map(|(one, other)| one.merge(context, other))
            .collect();
        // An int of which one half met something else is no int.
        for index in 0..locals.len() {
            let pair = (locals.get(index), locals.get(index + 1));
            let lost_low = matches!(pair.0, Some(Cell::Int)) && pair.1 != Some(&Cell::IntLow);
            let before = index.checked_sub(1).and_then(|at| locals.get(at));
            let lost_high = matches!(pair.0, Some(Cell::IntLow)) && before != Some(&Cell::Int);
            if let Some(cell) = locals.get_mut(index).filter(|_| lost_low || lost_high) {
                *cell = Cell::Unset;
            }
        }
        Ok(Frame {
            locals,
            stack,
            pending: self.pending || other.pending,
        })
    }
}
