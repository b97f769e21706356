//! Java Card instructions with symbolic operands, between lowering and assembly.

use super::types::Storage;
use super::world::{ClassId, MemberId};
use crate::cap::opcode::code as op;

/// `atype` of an array of `int`.
pub(crate) const INT_ARRAY: u8 = 13;

/// What a constant pool entry stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Symbol {
    InstanceField(MemberId),
    /// The declaration found from the class named in the call.
    VirtualMethod(MemberId),
    /// The calling class, and the method of its superclass.
    SuperMethod(ClassId, MemberId),
    StaticMethod(MemberId),
    StaticField(MemberId),
    Class(ClassId),
}

/// An instruction. Targets are offsets in the Java bytecode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Op {
    /// Without operands.
    Plain(u8),
    /// `sconst_<n>`, `bspush` or `sspush`.
    Push(i16),
    /// `iconst_<n>`, `bipush`, `sipush` or `iipush`.
    PushInt(i32),
    /// `aload`, `sload` or `iload`.
    Load(Storage, u8),
    /// `astore`, `sstore` or `istore`.
    Store(Storage, u8),
    /// `sinc` or `sinc_w`.
    Increment(u8, i16),
    /// `iinc` or `iinc_w`.
    IncrementInt(u8, i16),
    /// A branch, by the opcode of its short form.
    Branch(u8, usize),
    /// `stableswitch` or `slookupswitch`, whichever is shorter.
    Switch {
        default: usize,
        /// Ascending by value.
        cases: Vec<(i16, usize)>,
    },
    /// `itableswitch` or `ilookupswitch`, whichever is shorter.
    SwitchInt {
        default: usize,
        /// Ascending by value.
        cases: Vec<(i32, usize)>,
    },
    /// `getfield_<t>`; on `this` without the reference on the stack.
    GetField {
        storage: Storage,
        field: MemberId,
        this: bool,
    },
    /// `putfield_<t>`; on `this` without the reference on the stack.
    PutField {
        storage: Storage,
        field: MemberId,
        this: bool,
    },
    /// An instruction with a two-byte index: opcode, entry, cells popped and pushed.
    Pool {
        opcode: u8,
        symbol: Symbol,
        pops: u8,
        pushes: u8,
    },
    /// `invokeinterface`; `nargs` with the object.
    Interface {
        nargs: u8,
        interface: ClassId,
        token: u8,
        pushes: u8,
    },
    /// `newarray` with its type code.
    NewArray(u8),
    /// `checkcast` or `instanceof`: opcode, atype, the class where there is one.
    TypeCheck(u8, u8, Option<ClassId>),
    /// `dup_x` m, n.
    DupX(u8, u8),
    /// `swap_x` m, n.
    Swap(u8, u8),
}

/// One instruction and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ins {
    /// What targets name it by; ascending. Where nothing was moved, the offset of the Java
    /// instruction that it was made of.
    pub(crate) at: usize,
    /// Offset of the Java instruction that it was made of.
    pub(crate) from: usize,
    pub(crate) op: Op,
}

impl Op {
    /// Cells popped and pushed.
    pub(crate) fn effect(&self) -> (usize, usize) {
        let row = |opcode: u8| {
            crate::cap::opcode::lookup(opcode)
                .and_then(|row| row.stack)
                .map_or((0, 0), |(pops, pushes)| (pops.into(), pushes.into()))
        };
        match *self {
            Op::Plain(opcode) | Op::Branch(opcode, _) => row(opcode),
            Op::Push(_) => (0, 1),
            Op::PushInt(_) => (0, 2),
            Op::Load(storage, _) => (0, storage.cells()),
            Op::Store(storage, _) => (storage.cells(), 0),
            Op::Switch { .. } => (1, 0),
            Op::SwitchInt { .. } => (2, 0),
            Op::Increment(..) | Op::IncrementInt(..) => (0, 0),
            Op::GetField { storage, this, .. } => (usize::from(!this), storage.cells()),
            Op::PutField { storage, this, .. } => (storage.cells() + usize::from(!this), 0),
            Op::Pool { pops, pushes, .. } => (pops.into(), pushes.into()),
            Op::Interface { nargs, pushes, .. } => (nargs.into(), pushes.into()),
            Op::NewArray(_) | Op::TypeCheck(..) => (1, 1),
            Op::DupX(m, n) => {
                let below = usize::from(if n == 0 { m } else { n });
                (below, below + usize::from(m))
            }
            Op::Swap(m, n) => (usize::from(m + n), usize::from(m + n)),
        }
    }

    /// Every place control can go to other than the next instruction.
    pub(crate) fn targets(&self) -> Vec<usize> {
        match self {
            Op::Branch(_, target) => vec![*target],
            Op::Switch { default, cases } => {
                let mut targets = vec![*default];
                targets.extend(cases.iter().map(|(_, target)| *target));
                targets
            }
            Op::SwitchInt { default, cases } => {
                let mut targets = vec![*default];
                targets.extend(cases.iter().map(|(_, target)| *target));
                targets
            }
            _ => Vec::new(),
        }
    }

    /// Sends every target elsewhere.
    pub(crate) fn retarget(&mut self, to: impl Fn(usize) -> usize) {
        match self {
            Op::Branch(_, target) => *target = to(*target),
            Op::Switch { default, cases } => {
                *default = to(*default);
                cases
                    .iter_mut()
                    .for_each(|(_, target)| *target = to(*target));
            }
            Op::SwitchInt { default, cases } => {
                *default = to(*default);
                cases
                    .iter_mut()
                    .for_each(|(_, target)| *target = to(*target));
            }
            _ => {}
        }
    }

    /// Whether control never goes on to the next instruction.
    pub(crate) fn ends_block(&self) -> bool {
        match self {
            Op::Switch { .. } | Op::SwitchInt { .. } => true,
            Op::Plain(opcode) | Op::Branch(opcode, _) => matches!(
                *opcode,
                op::GOTO | op::RETURN | op::ARETURN | op::SRETURN | op::IRETURN | op::ATHROW
            ),
            _ => false,
        }
    }

    /// Whether the instruction can end with an exception that a handler sees. Conservative.
    pub(crate) fn can_throw(&self) -> bool {
        match self {
            Op::Plain(opcode) => !matches!(
                *opcode,
                op::NOP | op::ACONST_NULL | op::POP
                    ..=op::DUP2
                        | op::SADD
                        | op::SSUB
                        | op::SMUL
                        | op::SNEG
                        | op::SSHL
                        | op::SSHR
                        | op::SUSHR
                        | op::SAND
                        | op::SOR
                        | op::SXOR
                        | op::S2B
                        | op::IADD
                        | op::ISUB
                        | op::IMUL
                        | op::INEG
                        | op::ISHL
                        | op::ISHR
                        | op::IUSHR
                        | op::IAND
                        | op::IOR
                        | op::IXOR
                        | op::S2I
                        | op::I2B
                        | op::I2S
                        | op::ICMP
            ),
            Op::Push(_)
            | Op::PushInt(_)
            | Op::Load(..)
            | Op::Store(..)
            | Op::Increment(..)
            | Op::IncrementInt(..)
            | Op::Branch(..)
            | Op::Switch { .. }
            | Op::SwitchInt { .. }
            | Op::DupX(..)
            | Op::Swap(..) => false,
            _ => true,
        }
    }

    /// Whether only a card with `int` has the instruction (JCVM 2.2.3.1).
    pub(crate) fn uses_int(&self) -> bool {
        match self {
            Op::Plain(opcode) => crate::cap::opcode::lookup(*opcode).is_some_and(|row| row.int),
            Op::PushInt(_) | Op::IncrementInt(..) | Op::SwitchInt { .. } => true,
            Op::Load(storage, _) | Op::Store(storage, _) => *storage == Storage::Int,
            Op::GetField { storage, .. } | Op::PutField { storage, .. } => *storage == Storage::Int,
            Op::Pool { opcode, .. } => matches!(*opcode, op::GETSTATIC_I | op::PUTSTATIC_I),
            Op::NewArray(kind) | Op::TypeCheck(_, kind, _) => *kind == INT_ARRAY,
            _ => false,
        }
    }

    /// The local variable that the instruction reads or writes.
    pub(crate) fn touch(&self) -> Option<Touch> {
        let touch = |storage: Storage, local, reads, writes| Touch {
            local,
            cells: storage.cells(),
            reads,
            writes,
        };
        match *self {
            Op::Load(storage, local) => Some(touch(storage, local, true, false)),
            Op::Store(storage, local) => Some(touch(storage, local, false, true)),
            Op::Increment(local, _) => Some(touch(Storage::Short, local, true, true)),
            Op::IncrementInt(local, _) => Some(touch(Storage::Int, local, true, true)),
            Op::GetField { this: true, .. } | Op::PutField { this: true, .. } => {
                Some(touch(Storage::Reference, 0, true, false))
            }
            Op::GetField { .. }
            | Op::PutField { .. }
            | Op::Plain(_)
            | Op::Push(_)
            | Op::PushInt(_)
            | Op::Branch(..)
            | Op::Switch { .. }
            | Op::SwitchInt { .. }
            | Op::Pool { .. }
            | Op::Interface { .. }
            | Op::NewArray(_)
            | Op::TypeCheck(..)
            | Op::DupX(..)
            | Op::Swap(..) => None,
        }
    }

    /// Puts the instruction to another local variable.
    pub(crate) fn set_local(&mut self, to: u8) {
        match self {
            Op::Load(_, local)
            | Op::Store(_, local)
            | Op::Increment(local, _)
            | Op::IncrementInt(local, _) => *local = to,
            _ => {}
        }
    }

    /// The constant pool entry that the instruction names.
    pub(crate) fn symbol(&self) -> Option<Symbol> {
        match *self {
            Op::GetField { field, .. } | Op::PutField { field, .. } => {
                Some(Symbol::InstanceField(field))
            }
            Op::Pool { symbol, .. } => Some(symbol),
            Op::Interface { interface, .. } => Some(Symbol::Class(interface)),
            Op::TypeCheck(_, _, class) => class.map(Symbol::Class),
            _ => None,
        }
    }
}

/// What an instruction does with a local variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Touch {
    pub(crate) local: u8,
    /// Cells of the variable: two of an `int`.
    pub(crate) cells: usize,
    pub(crate) reads: bool,
    pub(crate) writes: bool,
}

impl Touch {
    /// Every cell of the variable.
    pub(crate) fn all(self) -> impl Iterator<Item = u8> {
        (self.local..=u8::MAX).take(self.cells)
    }
}

/// An exception handler; offsets are into the Java bytecode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Handler {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) target: usize,
    pub(crate) class: Option<ClassId>,
}

/// A method's body after lowering.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Body {
    pub(crate) instructions: Vec<Ins>,
    pub(crate) handlers: Vec<Handler>,
    /// Cells of the locals beside the parameters.
    pub(crate) max_locals: usize,
    /// The first cell of each local variable of the class file.
    pub(crate) cells: Vec<usize>,
}

impl Body {
    /// Index of the instruction that stands for this Java offset: the first one made of it or of
    /// something after it.
    pub(crate) fn index_of(&self, offset: usize) -> usize {
        self.instructions.partition_point(|ins| ins.at < offset)
    }

    /// Gives every instruction a label of its own: its index.
    pub(crate) fn renumber(&mut self) {
        let index = |instructions: &[Ins], target: usize| {
            instructions.partition_point(|ins| ins.at < target)
        };
        let old = self.instructions.clone();
        for (at, ins) in self.instructions.iter_mut().enumerate() {
            ins.at = at;
            ins.op.retarget(|target| index(&old, target));
        }
        for handler in &mut self.handlers {
            handler.start = index(&old, handler.start);
            handler.end = index(&old, handler.end);
            handler.target = index(&old, handler.target);
        }
    }

    /// Drops handlers whose range cannot throw (`javac` protects the first instruction of a
    /// `finally` block by itself), and then what only they would have reached.
    pub(crate) fn prune(&mut self) {
        loop {
            let handlers = std::mem::take(&mut self.handlers);
            let before = (handlers.len(), self.instructions.len());
            self.handlers = handlers
                .into_iter()
                .filter(|handler| {
                    let range = self.index_of(handler.start)..self.index_of(handler.end);
                    let covered = self.instructions.get(range).unwrap_or_default();
                    covered.iter().any(|ins| ins.op.can_throw())
                })
                .collect();
            let reached = self.reached();
            let mut reached = reached.into_iter();
            self.instructions.retain(|_| reached.next().unwrap_or(true));
            if before == (self.handlers.len(), self.instructions.len()) {
                return;
            }
        }
    }

    /// For each instruction, whether control can come to it.
    fn reached(&self) -> Vec<bool> {
        let mut reached = vec![false; self.instructions.len()];
        let mut pending = vec![0];
        pending.extend(
            self.handlers
                .iter()
                .map(|handler| self.index_of(handler.target)),
        );
        while let Some(index) = pending.pop() {
            let (Some(slot), Some(ins)) = (reached.get_mut(index), self.instructions.get(index))
            else {
                continue;
            };
            if std::mem::replace(slot, true) {
                continue;
            }
            pending.extend(ins.op.targets().into_iter().map(|to| self.index_of(to)));
            if !ins.op.ends_block() {
                pending.push(index + 1);
            }
        }
        reached
    }

    /// For each instruction, whether control can come to it other than from the one before, or a
    /// handler's range starts or ends there.
    pub(crate) fn labels(&self) -> Vec<bool> {
        let mut labels = vec![false; self.instructions.len()];
        let mut mark = |offset: usize| {
            if let Some(label) = labels.get_mut(self.index_of(offset)) {
                *label = true;
            }
        };
        for ins in &self.instructions {
            ins.op.targets().into_iter().for_each(&mut mark);
        }
        for handler in &self.handlers {
            mark(handler.start);
            mark(handler.end);
            mark(handler.target);
        }
        labels
    }
}
