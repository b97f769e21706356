//! Bytecode of one method into [`Insn`]s.
//!
//! Code is followed from its entry and its handlers, so that what the Method component puts after a
//! method does not matter. Two decodings that overlap are refused.

use super::code::{Binary, Cond, Insn, Kind, Switch, TypeTest};
use applet_gen::cap::decode::{Instruction, Operands, decode};
use applet_gen::cap::opcode::{code, lookup};
use std::collections::BTreeMap;

/// What is wrong with a method's code: offset from its first byte, and the reason.
pub(crate) type Wrong = (usize, String);

#[derive(Debug, Default)]
pub(crate) struct Lowered {
    pub code: Vec<Insn>,
    pub switches: Vec<Switch>,
    /// Byte offset of every instruction, ascending.
    pub offsets: Vec<usize>,
    /// The opcode of every instruction.
    pub opcodes: Vec<u8>,
}

impl Lowered {
    /// Offset in the Method component and opcode of every instruction; the code starts at `start`.
    pub fn source(&self, start: usize) -> Vec<(u16, u8)> {
        let offset = |at: &usize| u16::try_from(start + at).unwrap_or(u16::MAX);
        let offsets = self.offsets.iter().map(offset);
        offsets.zip(self.opcodes.iter().copied()).collect()
    }

    /// Index of the first instruction at or after a byte offset (the number of instructions if none).
    pub fn index_from(&self, offset: usize) -> u16 {
        u16::try_from(self.offsets.partition_point(|at| *at < offset)).unwrap_or(u16::MAX)
    }

    /// Index of the instruction that starts at this offset.
    pub fn index_at(&self, offset: usize) -> Option<u16> {
        u16::try_from(self.offsets.binary_search(&offset).ok()?).ok()
    }
}

/// Lowers a method. `entries` are offsets of its exception handlers, `int` says if the package may use `int`.
pub(crate) fn lower(bytes: &[u8], entries: &[usize], int: bool) -> Result<Lowered, Wrong> {
    let found = follow(bytes, entries, int)?;
    let mut out = Lowered {
        offsets: found.keys().copied().collect(),
        ..Lowered::default()
    };
    if out.offsets.len() > usize::from(u16::MAX) {
        return Err((0, "more than 65535 instructions".into()));
    }
    let mut end = 0;
    for (at, insn) in &found {
        if *at < end {
            return Err((*at, "instruction begins inside another one".into()));
        }
        end = at + insn.len;
    }
    for (at, insn) in &found {
        let lowered = instruction(insn, &mut out).map_err(|reason| (*at, reason))?;
        out.code.push(lowered);
        out.opcodes.push(insn.opcode.code);
    }
    Ok(out)
}

/// All instructions that control can reach, by offset.
fn follow(
    bytes: &[u8],
    entries: &[usize],
    int: bool,
) -> Result<BTreeMap<usize, Instruction>, Wrong> {
    let mut found = BTreeMap::new();
    let mut open: Vec<usize> = entries.to_vec();
    open.push(0);
    while let Some(at) = open.pop() {
        if found.contains_key(&at) {
            continue;
        }
        let insn = decode(bytes, at).map_err(|e| (at, e.to_string()))?;
        if insn.opcode.int && !int {
            return Err((
                at,
                format!(
                    "instruction {} needs int, which the package's header doesn't announce (ACC_INT)",
                    insn.opcode.name
                ),
            ));
        }
        for target in insn.targets() {
            open.push(
                usize::try_from(target)
                    .map_err(|_| (at, "branch before the method's code".to_string()))?,
            );
        }
        if !insn.opcode.ends_block() {
            open.push(at + insn.len);
        }
        found.insert(at, insn);
    }
    Ok(found)
}

fn instruction(insn: &Instruction, out: &mut Lowered) -> Result<Insn, String> {
    let op = insn.opcode.code;
    let targets = insn.targets();
    let index = |i: usize| -> Result<u16, String> {
        let at = targets.get(i).ok_or("no branch target")?;
        usize::try_from(*at)
            .ok()
            .and_then(|at| out.index_at(at))
            .ok_or_else(|| "branch into nowhere".to_string())
    };
    Ok(match &insn.operands {
        Operands::None => plain(op)?,
        Operands::Value(v) if insn.opcode.int => Insn::ConstInt(*v),
        Operands::Value(v) => Insn::Const(i16::try_from(*v).map_err(|_| "constant is no short")?),
        Operands::Local(n) => match op {
            code::ALOAD => Insn::LoadRef(*n),
            code::SLOAD => Insn::LoadShort(*n),
            code::ILOAD => Insn::LoadInt(*n),
            code::ASTORE => Insn::StoreRef(*n),
            code::SSTORE => Insn::StoreShort(*n),
            code::ISTORE => Insn::StoreInt(*n),
            code::RET => Insn::Ret(*n),
            _ => return Err(unknown(op)),
        },
        Operands::Increment { local, value } if insn.opcode.int => Insn::IncInt(*local, *value),
        Operands::Increment { local, value } => Insn::Inc(*local, *value),
        Operands::Branch(_) => branch(op, index(0)?)?,
        Operands::Pool1(i) => pool(op, (*i).into())?,
        Operands::Pool2(i) => pool(op, *i)?,
        Operands::Interface {
            nargs,
            index,
            token,
        } => Insn::InvokeInterface {
            nargs: *nargs,
            class: *index,
            token: *token,
        },
        Operands::ArrayType(t @ 10..=13) => Insn::NewArray(*t),
        Operands::ArrayType(t) => return Err(format!("array type {t}")),
        Operands::TypeCheck { atype, index } => {
            let test = match atype {
                0 => TypeTest::Class(*index),
                10 => TypeTest::Booleans,
                11 => TypeTest::Bytes,
                12 => TypeTest::Shorts,
                13 => TypeTest::Ints,
                14 => TypeTest::Refs(*index),
                t => return Err(format!("array type {t}")),
            };
            if op == code::CHECKCAST {
                Insn::CheckCast(test)
            } else {
                Insn::InstanceOf(test)
            }
        }
        Operands::Words { m, n } => words(op, *m, *n)?,
        Operands::Table { low, .. } => {
            let all = (1..targets.len()).map(index).collect::<Result<_, _>>()?;
            let switch = Switch::Table {
                default: index(0)?,
                low: *low,
                targets: all,
            };
            push_switch(out, switch, insn.opcode.int)?
        }
        Operands::Lookup { pairs, .. } => {
            let mut all = Vec::new();
            for (i, (key, _)) in pairs.iter().enumerate() {
                all.push((*key, index(i + 1)?));
            }
            all.sort_by_key(|(key, _)| *key);
            let switch = Switch::Lookup {
                default: index(0)?,
                pairs: all,
            };
            push_switch(out, switch, insn.opcode.int)?
        }
    })
}

fn push_switch(out: &mut Lowered, switch: Switch, int: bool) -> Result<Insn, String> {
    let at = u16::try_from(out.switches.len()).map_err(|_| "too many switches")?;
    out.switches.push(switch);
    Ok(if int {
        Insn::SwitchInt(at)
    } else {
        Insn::Switch(at)
    })
}

fn unknown(op: u8) -> String {
    format!("instruction {op:#04x} is not one of this card's")
}

fn plain(op: u8) -> Result<Insn, String> {
    let nth = |first: u8| op.wrapping_sub(first);
    Ok(match op {
        code::NOP => Insn::Nop,
        code::ACONST_NULL => Insn::Null,
        code::SCONST_M1..=code::SCONST_5 => Insn::Const(i16::from(nth(code::SCONST_M1)) - 1),
        code::ICONST_M1..=code::ICONST_5 => Insn::ConstInt(i32::from(nth(code::ICONST_M1)) - 1),
        code::ALOAD_0..=code::ALOAD_3 => Insn::LoadRef(nth(code::ALOAD_0)),
        code::SLOAD_0..=code::SLOAD_3 => Insn::LoadShort(nth(code::SLOAD_0)),
        code::ILOAD_0..=code::ILOAD_3 => Insn::LoadInt(nth(code::ILOAD_0)),
        code::AALOAD => Insn::ArrayLoad(Kind::Ref),
        code::BALOAD => Insn::ArrayLoad(Kind::Byte),
        code::SALOAD => Insn::ArrayLoad(Kind::Short),
        code::IALOAD => Insn::ArrayLoad(Kind::Int),
        code::ASTORE_0..=code::ASTORE_3 => Insn::StoreRef(nth(code::ASTORE_0)),
        code::SSTORE_0..=code::SSTORE_3 => Insn::StoreShort(nth(code::SSTORE_0)),
        code::ISTORE_0..=code::ISTORE_3 => Insn::StoreInt(nth(code::ISTORE_0)),
        code::AASTORE => Insn::ArrayStore(Kind::Ref),
        code::BASTORE => Insn::ArrayStore(Kind::Byte),
        code::SASTORE => Insn::ArrayStore(Kind::Short),
        code::IASTORE => Insn::ArrayStore(Kind::Int),
        code::POP => Insn::Pop,
        code::POP2 => Insn::Pop2,
        code::DUP => Insn::Dup,
        code::DUP2 => Insn::DupX(2, 0),
        // The short and the int form of each operation stand side by side.
        code::SADD..=code::IREM | code::SSHL..=code::IXOR => {
            let operation = binary(op)?;
            if lookup(op).is_some_and(|row| row.int) {
                Insn::BinaryInt(operation)
            } else {
                Insn::Binary(operation)
            }
        }
        code::SNEG => Insn::Neg,
        code::INEG => Insn::NegInt,
        code::S2B => Insn::ToByte,
        code::S2I => Insn::ToInt,
        code::I2B => Insn::IntToByte,
        code::I2S => Insn::IntToShort,
        code::ICMP => Insn::CompareInt,
        code::ARETURN => Insn::Return(Some(Kind::Ref)),
        code::SRETURN => Insn::Return(Some(Kind::Short)),
        code::IRETURN => Insn::Return(Some(Kind::Int)),
        code::RETURN => Insn::Return(None),
        code::ARRAYLENGTH => Insn::ArrayLength,
        code::ATHROW => Insn::Throw,
        _ => return Err(unknown(op)),
    })
}

fn binary(op: u8) -> Result<Binary, String> {
    Ok(match op {
        code::SADD | code::IADD => Binary::Add,
        code::SSUB | code::ISUB => Binary::Sub,
        code::SMUL | code::IMUL => Binary::Mul,
        code::SDIV | code::IDIV => Binary::Div,
        code::SREM | code::IREM => Binary::Rem,
        code::SSHL | code::ISHL => Binary::Shl,
        code::SSHR | code::ISHR => Binary::Shr,
        code::SUSHR | code::IUSHR => Binary::Ushr,
        code::SAND | code::IAND => Binary::And,
        code::SOR | code::IOR => Binary::Or,
        code::SXOR | code::IXOR => Binary::Xor,
        _ => return Err(unknown(op)),
    })
}

fn condition(n: u8) -> Result<Cond, String> {
    Ok(match n {
        0 => Cond::Eq,
        1 => Cond::Ne,
        2 => Cond::Lt,
        3 => Cond::Ge,
        4 => Cond::Gt,
        5 => Cond::Le,
        _ => return Err("no such condition".into()),
    })
}

fn branch(op: u8, target: u16) -> Result<Insn, String> {
    Ok(match op {
        code::IFEQ..=code::IFLE => Insn::If(condition(op - code::IFEQ)?, target),
        code::IFEQ_W..=code::IFLE_W => Insn::If(condition(op - code::IFEQ_W)?, target),
        code::IFNULL | code::IFNULL_W => Insn::IfNull(true, target),
        code::IFNONNULL | code::IFNONNULL_W => Insn::IfNull(false, target),
        code::IF_ACMPEQ | code::IF_ACMPEQ_W => Insn::IfSame(true, target),
        code::IF_ACMPNE | code::IF_ACMPNE_W => Insn::IfSame(false, target),
        code::IF_SCMPEQ..=code::IF_SCMPLE => {
            Insn::IfCompare(condition(op - code::IF_SCMPEQ)?, target)
        }
        code::IF_SCMPEQ_W..=code::IF_SCMPLE_W => {
            Insn::IfCompare(condition(op - code::IF_SCMPEQ_W)?, target)
        }
        code::GOTO | code::GOTO_W => Insn::Goto(target),
        code::JSR => Insn::Jsr(target),
        _ => return Err(unknown(op)),
    })
}

fn pool(op: u8, index: u16) -> Result<Insn, String> {
    Ok(match op {
        code::GETSTATIC_A => Insn::GetStatic(Kind::Ref, index),
        code::GETSTATIC_B => Insn::GetStatic(Kind::Byte, index),
        code::GETSTATIC_S => Insn::GetStatic(Kind::Short, index),
        code::GETSTATIC_I => Insn::GetStatic(Kind::Int, index),
        code::PUTSTATIC_A => Insn::PutStatic(Kind::Ref, index),
        code::PUTSTATIC_B => Insn::PutStatic(Kind::Byte, index),
        code::PUTSTATIC_S => Insn::PutStatic(Kind::Short, index),
        code::PUTSTATIC_I => Insn::PutStatic(Kind::Int, index),
        code::GETFIELD_A | code::GETFIELD_A_W => Insn::GetField(Kind::Ref, index),
        code::GETFIELD_B | code::GETFIELD_B_W => Insn::GetField(Kind::Byte, index),
        code::GETFIELD_S | code::GETFIELD_S_W => Insn::GetField(Kind::Short, index),
        code::GETFIELD_I | code::GETFIELD_I_W => Insn::GetField(Kind::Int, index),
        code::PUTFIELD_A | code::PUTFIELD_A_W => Insn::PutField(Kind::Ref, index),
        code::PUTFIELD_B | code::PUTFIELD_B_W => Insn::PutField(Kind::Byte, index),
        code::PUTFIELD_S | code::PUTFIELD_S_W => Insn::PutField(Kind::Short, index),
        code::PUTFIELD_I | code::PUTFIELD_I_W => Insn::PutField(Kind::Int, index),
        code::GETFIELD_A_THIS => Insn::GetThis(Kind::Ref, index),
        code::GETFIELD_B_THIS => Insn::GetThis(Kind::Byte, index),
        code::GETFIELD_S_THIS => Insn::GetThis(Kind::Short, index),
        code::GETFIELD_I_THIS => Insn::GetThis(Kind::Int, index),
        code::PUTFIELD_A_THIS => Insn::PutThis(Kind::Ref, index),
        code::PUTFIELD_B_THIS => Insn::PutThis(Kind::Byte, index),
        code::PUTFIELD_S_THIS => Insn::PutThis(Kind::Short, index),
        code::PUTFIELD_I_THIS => Insn::PutThis(Kind::Int, index),
        code::INVOKEVIRTUAL => Insn::InvokeVirtual(index),
        code::INVOKESPECIAL => Insn::InvokeSpecial(index),
        code::INVOKESTATIC => Insn::InvokeStatic(index),
        code::NEW => Insn::New(index),
        code::ANEWARRAY => Insn::NewRefArray(index),
        _ => return Err(unknown(op)),
    })
}

fn words(op: u8, m: u8, n: u8) -> Result<Insn, String> {
    match op {
        code::DUP_X if (1..=4).contains(&m) && (n == 0 || (m..=m + 4).contains(&n)) => {
            Ok(Insn::DupX(m, n))
        }
        code::SWAP_X if (1..=2).contains(&m) && (1..=2).contains(&n) => Ok(Insn::Swap(m, n)),
        _ => Err(format!("operand {m:x}{n:x} of {op:#04x}")),
    }
}
