//! Local variables and the order of the stack.

use super::super::error::Problem;
use super::super::flow::Item;
use super::super::ir::Op;
use super::super::types::{Range, Storage, Value};
use super::Step;
use crate::cap::opcode::code as op;

impl Step<'_, '_> {
    /// The first cell of a local variable.
    fn cell(&mut self, slot: u16, int: bool) -> u8 {
        let cell = self.lower.map.cell(slot, int).unwrap_or_default();
        u8::try_from(cell).unwrap_or_else(|_| {
            self.refuse(Problem::TooMany {
                what: "local variables of a method".to_owned(),
                value: cell + 1,
                limit: 255,
                clause: "2.2.4.4",
            });
            0
        })
    }

    pub(super) fn local(&mut self, opcode: u8, slot: u16) {
        let Some(value) = self.frame.locals.get(usize::from(slot)).copied() else {
            return self.fault("local variable beyond max_locals");
        };
        match opcode {
            0x15 | 0x19 => self.load(opcode == 0x19, slot, value),
            0x36 | 0x3A => self.store(opcode == 0x3A, slot),
            _ => self.fault("instruction without Java Card counterpart"),
        }
    }

    fn load(&mut self, reference: bool, slot: u16, value: Value) {
        if self.lower.bad_local(slot, self.offset) {
            return self.push(Value::Bad);
        }
        let storage = match (value, reference) {
            (Value::Reference, true) => Storage::Reference,
            (Value::Number(_), false) => Storage::Short,
            (Value::Int(_), false) => Storage::Int,
            (Value::Bad, _) => return self.push(Value::Bad),
            _ => return self.fault("local variable holds no value of that type"),
        };
        let cell = self.cell(slot, storage == Storage::Int);
        self.emit(Op::Load(storage, cell));
        match storage {
            Storage::Reference => self.push(value),
            _ => self.give(value),
        }
    }

    fn store(&mut self, reference: bool, slot: u16) {
        let after = self.lower.next_offset(self.offset);
        let (storage, value) = if reference {
            self.pop_reference();
            (Storage::Reference, Value::Reference)
        } else if self.lower.bad_local(slot, after) {
            self.pop_any();
            (Storage::Short, Value::Bad)
        } else if self.lower.widths.slots.contains(&slot) {
            let range = self.pop_int();
            (Storage::Int, range.map_or(Value::Bad, Value::Int))
        } else {
            let top = self.frame.stack.last().map(|item| item.value);
            if let Some(Value::Number(range) | Value::Int(range)) = top
                && self.lower.world.int
                && !range.exact()
            {
                self.out.asked.slots.insert(slot);
                self.pop_any();
                (Storage::Int, Value::Int(range))
            } else {
                let range = self.pop_exact("the assignment to a local variable");
                (Storage::Short, range.map_or(Value::Bad, Value::Number))
            }
        };
        if let Some(local) = self.frame.locals.get_mut(usize::from(slot)) {
            *local = value;
        }
        let cell = self.cell(slot, storage == Storage::Int);
        self.emit(Op::Store(storage, cell));
    }

    pub(super) fn increment(&mut self, slot: u16, by: i32) {
        let before = self.frame.locals.get(usize::from(slot)).copied();
        let add = |range: Range| range.add(Range::new(by.into(), by.into()));
        let after = match before {
            _ if self.lower.bad_local(slot, self.offset) => Value::Bad,
            Some(Value::Int(range)) => Value::Int(add(range)),
            Some(Value::Number(range)) => {
                let sum = add(range);
                if sum.exact() {
                    Value::Number(sum)
                } else if self.lower.world.int {
                    self.out.asked.slots.insert(slot);
                    Value::Int(sum)
                } else {
                    self.refuse(Problem::Overflow {
                        operation: "the increment of a local variable",
                        low: sum.low,
                        high: sum.high,
                    });
                    Value::Bad
                }
            }
            Some(Value::Bad) => Value::Bad,
            _ => return self.fault("increment of a local variable that holds no number"),
        };
        if let Some(local) = self.frame.locals.get_mut(usize::from(slot)) {
            *local = after;
        }
        let int = matches!(after, Value::Int(_));
        let cell = self.cell(slot, int);
        // JVMS 6.5 iinc: the increment is a byte, or a short with wide.
        self.emit(match int {
            true => Op::IncrementInt(cell, by as i16),
            false => Op::Increment(cell, by as i16),
        });
    }

    /// `pop` to `swap`. The JVM's two words are two values here: there is no long or double.
    pub(super) fn shuffle(&mut self, opcode: u8) {
        // (values copied, values below them that they are put under)
        let (copied, under) = match opcode {
            0x57 | 0x58 => {
                let mut cells = 0;
                for _ in 0..opcode - 0x56 {
                    cells += self.pop().cells();
                }
                for _ in 0..cells / 2 {
                    self.emit(Op::Plain(op::POP2));
                }
                if cells % 2 == 1 {
                    self.emit(Op::Plain(op::POP));
                }
                return;
            }
            0x5F => {
                let (top, below) = (self.pop_item(), self.pop_item());
                let cells = (top.value.cells() as u8, below.value.cells() as u8);
                self.frame.stack.extend([top, below]);
                return self.emit(Op::Swap(cells.0, cells.1));
            }
            0x59..=0x5B => (1, usize::from(opcode - 0x59)),
            _ => (2, usize::from(opcode - 0x5C)),
        };
        let height = self.frame.stack.len();
        let Some(at) = height.checked_sub(copied + under) else {
            return self.fault("operand stack underflow");
        };
        let top: Vec<Item> = self.frame.stack[height - copied..].to_vec();
        let cells = |items: &[Item]| items.iter().map(|item| item.value.cells()).sum::<usize>();
        let (m, below) = (
            cells(&top) as u8,
            cells(&self.frame.stack[at..height - copied]) as u8,
        );
        self.frame.stack.splice(at..at, top);
        self.emit(match (m, below) {
            (1, 0) => Op::Plain(op::DUP),
            (2, 0) => Op::Plain(op::DUP2),
            (m, 0) => Op::DupX(m, 0),
            (m, below) => Op::DupX(m, m + below),
        });
    }
}
