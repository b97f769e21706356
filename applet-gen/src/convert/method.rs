//! One method's bytes: branch lengths, exception ranges, stack height.

use super::error::Problem;
use super::ir::{Body, Ins, Op, Symbol};
use super::pool::Pool;
use super::types::Storage;
use super::world::ClassId;
use crate::cap::opcode::code as op;

/// Distance from a branch's short form to its `_w` form.
const WIDE: u8 = op::IFEQ_W - op::IFEQ;

/// A handler with offsets into the method's code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CodeHandler {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) target: usize,
    pub(crate) class: Option<ClassId>,
    pub(crate) stop: bool,
}

/// A method ready to be placed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Assembled {
    pub(crate) code: Vec<u8>,
    pub(crate) max_stack: usize,
    pub(crate) max_locals: usize,
    /// Offsets in the code of one-byte constant pool indexes.
    pub(crate) byte_indices: Vec<usize>,
    /// Offsets in the code of two-byte constant pool indexes.
    pub(crate) byte2_indices: Vec<usize>,
    pub(crate) handlers: Vec<CodeHandler>,
    /// For each instruction: its offset in the code, and that of the Java instruction it was made
    /// of.
    pub(crate) origins: Vec<(usize, usize)>,
    /// The first cell of each local variable of the class file.
    pub(crate) cells: Vec<usize>,
}

impl Assembled {
    /// The local variable that stands for this one of the class file.
    pub(crate) fn local(&self, index: u16) -> Option<u8> {
        let cell = self.cells.get(usize::from(index))?;
        u8::try_from(*cell).ok()
    }
}

/// Collects one instruction's bytes.
#[derive(Default)]
struct Encoder {
    code: Vec<u8>,
    byte_indices: Vec<usize>,
    byte2_indices: Vec<usize>,
}

impl Encoder {
    fn u2(&mut self, value: u16) {
        self.code.extend(value.to_be_bytes());
    }

    fn index1(&mut self, opcode: u8, index: u8) {
        self.code.push(opcode);
        self.byte_indices.push(self.code.len());
        self.code.push(index);
    }

    fn index2(&mut self, opcode: u8, index: u16) {
        self.code.push(opcode);
        self.byte2_indices.push(self.code.len());
        self.u2(index);
    }

    fn local(&mut self, general: u8, first_short: u8, index: u8) {
        if index < 4 {
            self.code.push(first_short + index);
        } else {
            self.code.extend([general, index]);
        }
    }

    /// Appends an instruction. `delta` gives the distance to a Java offset from this
    /// instruction; it is cut to the form's width, which the caller has chosen to fit.
    fn encode(&mut self, ins: &Op, wide: bool, pool: &Pool, delta: &dyn Fn(usize) -> i64) {
        match ins {
            Op::Plain(opcode) => self.code.push(*opcode),
            Op::Push(value) => match i8::try_from(*value) {
                Ok(short @ -1..=5) => self.code.push((op::SCONST_0 as i8 + short) as u8),
                Ok(short) => self.code.extend([op::BSPUSH, short as u8]),
                Err(_) => {
                    self.code.push(op::SSPUSH);
                    self.u2(*value as u16);
                }
            },
            Op::PushInt(value) => match (i8::try_from(*value), i16::try_from(*value)) {
                (Ok(short @ -1..=5), _) => self.code.push((op::ICONST_0 as i8 + short) as u8),
                (Ok(short), _) => self.code.extend([op::BIPUSH, short as u8]),
                (_, Ok(short)) => {
                    self.code.push(op::SIPUSH);
                    self.u2(short as u16);
                }
                _ => {
                    self.code.push(op::IIPUSH);
                    self.code.extend(value.to_be_bytes());
                }
            },
            Op::Load(Storage::Reference, index) => self.local(op::ALOAD, op::ALOAD_0, *index),
            Op::Load(Storage::Int, index) => self.local(op::ILOAD, op::ILOAD_0, *index),
            Op::Load(_, index) => self.local(op::SLOAD, op::SLOAD_0, *index),
            Op::Store(Storage::Reference, index) => self.local(op::ASTORE, op::ASTORE_0, *index),
            Op::Store(Storage::Int, index) => self.local(op::ISTORE, op::ISTORE_0, *index),
            Op::Store(_, index) => self.local(op::SSTORE, op::SSTORE_0, *index),
            Op::Increment(index, by) => self.increment(op::SINC, op::SINC_W, *index, *by),
            Op::IncrementInt(index, by) => self.increment(op::IINC, op::IINC_W, *index, *by),
            Op::Branch(opcode, target) => {
                let delta = delta(*target);
                if wide {
                    self.code.push(opcode + WIDE);
                    self.u2(delta as u16);
                } else {
                    self.code.extend([*opcode, delta as u8]);
                }
            }
            Op::Switch { default, cases } => {
                let cases = cases
                    .iter()
                    .map(|(value, target)| (i32::from(*value), *target));
                self.switch(SHORT_SWITCH, *default, &cases.collect::<Vec<_>>(), delta);
            }
            Op::SwitchInt { default, cases } => self.switch(INT_SWITCH, *default, cases, delta),
            Op::GetField {
                storage,
                field,
                this,
            } => {
                let bases = [op::GETFIELD_A, op::GETFIELD_A_W, op::GETFIELD_A_THIS];
                self.field(
                    bases,
                    *storage,
                    pool.index(Symbol::InstanceField(*field)),
                    *this,
                );
            }
            Op::PutField {
                storage,
                field,
                this,
            } => {
                let bases = [op::PUTFIELD_A, op::PUTFIELD_A_W, op::PUTFIELD_A_THIS];
                self.field(
                    bases,
                    *storage,
                    pool.index(Symbol::InstanceField(*field)),
                    *this,
                );
            }
            Op::Pool { opcode, symbol, .. } => self.index2(*opcode, pool.index(*symbol)),
            Op::Interface {
                nargs,
                interface,
                token,
                ..
            } => {
                self.code.extend([op::INVOKEINTERFACE, *nargs]);
                self.byte2_indices.push(self.code.len());
                self.u2(pool.index(Symbol::Class(*interface)));
                self.code.push(*token);
            }
            Op::NewArray(kind) => self.code.extend([op::NEWARRAY, *kind]),
            Op::TypeCheck(opcode, kind, class) => {
                self.code.extend([*opcode, *kind]);
                match class {
                    Some(class) => {
                        self.byte2_indices.push(self.code.len());
                        self.u2(pool.index(Symbol::Class(*class)));
                    }
                    None => self.u2(0),
                }
            }
            Op::DupX(m, n) => self.code.extend([op::DUP_X, m << 4 | n]),
            Op::Swap(m, n) => self.code.extend([op::SWAP_X, m << 4 | n]),
        }
    }

    /// `bases` are the `_a` forms: one-byte index, two-byte index, of `this`.
    fn field(&mut self, bases: [u8; 3], storage: Storage, index: u16, this: bool) {
        let [byte, word, of_this] = bases;
        match u8::try_from(index) {
            // `peephole` makes the form of `this` only where the index is small.
            Ok(index) if this => self.index1(of_this + storage.step(), index),
            Ok(index) => self.index1(byte + storage.step(), index),
            Err(_) => self.index2(word + storage.step(), index),
        }
    }

    fn increment(&mut self, byte: u8, wide: u8, index: u8, by: i16) {
        match i8::try_from(by) {
            Ok(by) => self.code.extend([byte, index, by as u8]),
            Err(_) => {
                self.code.extend([wide, index]);
                self.u2(by as u16);
            }
        }
    }

    /// A value that a switch compares with, in `width` bytes.
    fn case(&mut self, width: usize, value: i32) {
        let bytes = value.to_be_bytes();
        self.code.extend(&bytes[bytes.len() - width..]);
    }

    fn switch(
        &mut self,
        form: SwitchForm,
        default: usize,
        cases: &[(i32, usize)],
        delta: &dyn Fn(usize) -> i64,
    ) {
        let width = form.width as i64;
        let table = cases.first().zip(cases.last()).and_then(|(low, high)| {
            let span = i64::from(high.0) - i64::from(low.0) + 1;
            // Opcode, default, bounds and two bytes a value; or a count, and value and offset.
            let lookup = 5 + (width + 2) * cases.len() as i64;
            (3 + 2 * width + 2 * span <= lookup).then_some((low.0, high.0))
        });
        let offset = |this: &mut Self, target: usize| this.u2(delta(target) as u16);
        match table {
            Some((low, high)) => {
                self.code.push(form.table);
                offset(self, default);
                self.case(form.width, low);
                self.case(form.width, high);
                for value in low..=high {
                    let case = cases.binary_search_by_key(&value, |(value, _)| *value);
                    let target = case.ok().and_then(|index| cases.get(index));
                    offset(self, target.map_or(default, |(_, target)| *target));
                }
            }
            None => {
                self.code.push(form.lookup);
                offset(self, default);
                self.u2(cases.len() as u16);
                for (value, target) in cases {
                    self.case(form.width, *value);
                    offset(self, *target);
                }
            }
        }
    }
}

/// The two instructions of a switch and the bytes of the values in them.
#[derive(Clone, Copy)]
struct SwitchForm {
    table: u8,
    lookup: u8,
    width: usize,
}

const SHORT_SWITCH: SwitchForm = SwitchForm {
    table: op::STABLESWITCH,
    lookup: op::SLOOKUPSWITCH,
    width: 2,
};

const INT_SWITCH: SwitchForm = SwitchForm {
    table: op::ITABLESWITCH,
    lookup: op::ILOOKUPSWITCH,
    width: 4,
};

/// Turns a body into bytes.
pub(crate) fn assemble(body: &Body, pool: &Pool) -> Result<Assembled, Problem> {
    let count = body.instructions.len();
    let mut wide = vec![false; count];
    // Offsets of all instructions, and of the end. Branches only ever grow, so this ends.
    let offsets = loop {
        let mut offsets = Vec::with_capacity(count + 1);
        let mut at = 0;
        for (ins, wide) in body.instructions.iter().zip(&wide) {
            offsets.push(at);
            let mut encoder = Encoder::default();
            encoder.encode(&ins.op, *wide, pool, &|_| 0);
            at += encoder.code.len();
        }
        offsets.push(at);
        let mut grew = false;
        for (index, ins) in body.instructions.iter().enumerate() {
            if let Op::Branch(_, target) = ins.op {
                let delta = offsets[body.index_of(target)] as i64 - offsets[index] as i64;
                if !wide[index] && i8::try_from(delta).is_err() {
                    wide[index] = true;
                    grew = true;
                }
            }
        }
        if !grew {
            break offsets;
        }
    };
    let length = offsets.last().copied().unwrap_or(0);
    if length > 0x7FFF {
        return Err(Problem::TooMany {
            what: "bytes of a method's code".to_owned(),
            value: length,
            limit: 0x7FFF,
            clause: "2.2.4.4",
        });
    }
    let mut encoder = Encoder::default();
    for (index, ins) in body.instructions.iter().enumerate() {
        let from = offsets[index] as i64;
        encoder.encode(&ins.op, wide[index], pool, &|target| {
            offsets[body.index_of(target)] as i64 - from
        });
    }
    Ok(Assembled {
        code: encoder.code,
        max_stack: max_stack(body)?,
        max_locals: body.max_locals,
        byte_indices: encoder.byte_indices,
        byte2_indices: encoder.byte2_indices,
        handlers: handlers(body, &offsets)?,
        cells: body.cells.clone(),
        origins: (offsets.iter().zip(&body.instructions))
            .map(|(offset, ins)| (*offset, ins.from))
            .collect(),
    })
}

/// Most cells on the operand stack at any time.
fn max_stack(body: &Body) -> Result<usize, Problem> {
    let after = |(height, ins): (Option<usize>, &Ins)| {
        let (pops, pushes) = ins.op.effect();
        height.map_or(0, |height| height.max(height.saturating_sub(pops) + pushes))
    };
    let heights = heights(body)?;
    Ok(heights
        .into_iter()
        .zip(&body.instructions)
        .map(after)
        .max()
        .unwrap_or(0))
}

/// The cells on the operand stack before each instruction; `None` where control never comes.
pub(crate) fn heights(body: &Body) -> Result<Vec<Option<usize>>, Problem> {
    let mut heights: Vec<Option<usize>> = vec![None; body.instructions.len()];
    let mut pending = vec![(0, 0)];
    pending.extend(
        body.handlers
            .iter()
            .map(|handler| (body.index_of(handler.target), 1)),
    );
    while let Some((index, height)) = pending.pop() {
        let (Some(slot), Some(ins)) = (heights.get_mut(index), body.instructions.get(index)) else {
            return Err(Problem::ClassFile("code runs past its end".to_owned()));
        };
        if slot.is_some() {
            continue;
        }
        *slot = Some(height);
        let (pops, pushes) = ins.op.effect();
        let after = height.saturating_sub(pops) + pushes;
        for target in ins.op.targets() {
            pending.push((body.index_of(target), after));
        }
        if !ins.op.ends_block() {
            pending.push((index + 1, after));
        }
    }
    Ok(heights)
}

/// The exception table in the order of JCVM 6.9.1: by handler, ranges nested or apart.
fn handlers(body: &Body, offsets: &[usize]) -> Result<Vec<CodeHandler>, Problem> {
    let place = |offset: usize| offsets[body.index_of(offset)];
    let mut table: Vec<(usize, CodeHandler)> = body
        .handlers
        .iter()
        .enumerate()
        .map(|(order, handler)| {
            let code_handler = CodeHandler {
                start: place(handler.start),
                end: place(handler.end),
                target: place(handler.target),
                class: handler.class,
                stop: false,
            };
            (order, code_handler)
        })
        .collect();
    split_overlaps(&mut table);
    table.sort_by_key(|(order, handler)| (handler.target, *order, handler.start));
    let shares = |a: &CodeHandler, b: &CodeHandler| a.start < b.end && b.start < a.end;
    for (index, (order, handler)) in table.iter().enumerate() {
        let behind = table.iter().skip(index + 1);
        if behind
            .clone()
            .any(|(other_order, other)| other_order < order && shares(handler, other))
        {
            return Err(Problem::Unsupported {
                what: "a catch block that stands before the code of an inner one".to_owned(),
                clause: "6.9.1",
                instead: "move the inner try statement to a method of its own",
            });
        }
    }
    let mut sorted: Vec<CodeHandler> = table.into_iter().map(|(_, handler)| handler).collect();
    for index in 0..sorted.len() {
        let (this, behind) = sorted.split_at_mut(index + 1);
        if let Some(handler) = this.last_mut() {
            handler.stop = !behind.iter().any(|other| shares(handler, other));
        }
    }
    Ok(sorted)
}

/// Cuts ranges at each other's ends until any two are nested or apart.
fn split_overlaps(table: &mut Vec<(usize, CodeHandler)>) {
    loop {
        let cut = table.iter().enumerate().find_map(|(index, (_, a))| {
            table.iter().find_map(|(_, b)| {
                let crosses = b.start < a.start && a.start < b.end && b.end < a.end;
                crosses.then_some((index, b.end))
            })
        });
        let Some((index, at)) = cut else { return };
        let (order, mut rest) = table[index].clone();
        rest.start = at;
        table[index].1.end = at;
        table.insert(index + 1, (order, rest));
    }
}
