//! JVM instructions (JVMS chapter 6), decoded with their operands resolved.

use super::ClassFileError;
use super::bytes::Reader;
use super::pool::{CallSite, Constant, MemberRef, Pool};

/// A `tableswitch` or `lookupswitch`; targets are code offsets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switch {
    /// Where control goes when no case fits.
    pub default: usize,
    /// (value, target), ascending by value.
    pub cases: Vec<(i32, usize)>,
}

/// What an instruction works with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operand {
    /// Nothing.
    None,
    /// An immediate value: `bipush`, `sipush`, the constant of `iconst_<n>`, the type code of
    /// `newarray`.
    Int(i32),
    /// A local variable's index; the short forms (`aload_0`) too.
    Local(u16),
    /// `iinc`: index and increment.
    Increment(u16, i32),
    /// A branch's target, a code offset.
    Target(usize),
    /// A field or method.
    Member(MemberRef),
    /// A class or array type.
    Class(String),
    /// `ldc`.
    Constant(Constant),
    /// `invokedynamic`.
    Dynamic(CallSite),
    /// `multianewarray`: the type and the number of dimensions.
    MultiArray(String, u8),
    /// A switch.
    Switch(Switch),
}

/// One instruction. The short forms of loads, stores and constants are brought to their general
/// opcode (`aload_0` is `aload` 0, `iconst_5` is `bipush` 5, `goto_w` is `goto`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruction {
    /// Offset in the code.
    pub offset: usize,
    /// The opcode, generalised as said above.
    pub opcode: u8,
    /// Its operand.
    pub operand: Operand,
}

fn target(offset: usize, delta: i32) -> Result<usize, ClassFileError> {
    usize::try_from(offset as i64 + i64::from(delta)).map_err(|_| ClassFileError::Invalid {
        offset,
        what: "branch target",
        found: format!("{delta} before the code"),
        expected: "an offset inside the code",
    })
}

/// Decodes a method's bytecode.
///
/// # Errors
/// An unknown opcode, an operand beyond the end, a reference that the pool doesn't hold, or a
/// branch to something that is no instruction.
pub fn decode(bytecode: &[u8], pool: &Pool) -> Result<Vec<Instruction>, ClassFileError> {
    let mut input = Reader::new(bytecode);
    let mut instructions = Vec::new();
    while !input.is_empty() {
        let offset = input.offset();
        let opcode = input.u1("opcode")?;
        let (opcode, operand) = operand(&mut input, pool, offset, opcode)?;
        instructions.push(Instruction {
            offset,
            opcode,
            operand,
        });
    }
    check_targets(&instructions)?;
    Ok(instructions)
}

fn operand(
    input: &mut Reader<'_>,
    pool: &Pool,
    offset: usize,
    opcode: u8,
) -> Result<(u8, Operand), ClassFileError> {
    let operand = match opcode {
        0x02..=0x08 => return Ok((0x10, Operand::Int(i32::from(opcode) - 3))),
        0x10 => Operand::Int((input.u1("bipush")? as i8).into()),
        0x11 => Operand::Int((input.u2("sipush")? as i16).into()),
        0x12 => {
            let index = input.u1("ldc")?;
            Operand::Constant(pool.constant(index.into())?)
        }
        0x13 | 0x14 => return Ok((0x12, Operand::Constant(pool.constant(input.u2("ldc")?)?))),
        0x15..=0x19 | 0x36..=0x3A | 0xA9 => Operand::Local(input.u1("local index")?.into()),
        0x1A..=0x2D => {
            let short = opcode - 0x1A;
            return Ok((0x15 + short / 4, Operand::Local((short % 4).into())));
        }
        0x3B..=0x4E => {
            let short = opcode - 0x3B;
            return Ok((0x36 + short / 4, Operand::Local((short % 4).into())));
        }
        0x84 => {
            let index = input.u1("iinc index")?;
            Operand::Increment(index.into(), (input.u1("iinc const")? as i8).into())
        }
        0x99..=0xA8 | 0xC6 | 0xC7 => {
            let delta = input.u2("branch")? as i16;
            Operand::Target(target(offset, delta.into())?)
        }
        0xC8 | 0xC9 => {
            let delta = input.i4("wide branch")?;
            return Ok((opcode - 0x21, Operand::Target(target(offset, delta)?)));
        }
        0xAA => Operand::Switch(table_switch(input, offset)?),
        0xAB => Operand::Switch(lookup_switch(input, offset)?),
        0xB2..=0xB8 => Operand::Member(pool.member(input.u2("member index")?)?),
        0xB9 => {
            let member = pool.member(input.u2("member index")?)?;
            input.u2("invokeinterface count")?;
            Operand::Member(member)
        }
        0xBA => {
            let site = pool.dynamic(input.u2("call site")?)?;
            input.u2("invokedynamic zero")?;
            Operand::Dynamic(site)
        }
        0xBB | 0xBD | 0xC0 | 0xC1 => Operand::Class(pool.class(input.u2("class index")?)?),
        0xBC => Operand::Int(input.u1("newarray type")?.into()),
        0xC4 => return wide(input, offset),
        0xC5 => {
            let class = pool.class(input.u2("multianewarray class")?)?;
            Operand::MultiArray(class, input.u1("dimensions")?)
        }
        0x00..=0xC3 => Operand::None,
        other => {
            return Err(ClassFileError::Invalid {
                offset,
                what: "opcode",
                found: format!("{other:02X}"),
                expected: "an instruction of JVMS chapter 6",
            });
        }
    };
    Ok((opcode, operand))
}

fn wide(input: &mut Reader<'_>, offset: usize) -> Result<(u8, Operand), ClassFileError> {
    let opcode = input.u1("wide opcode")?;
    let index = input.u2("wide index")?;
    Ok(match opcode {
        0x84 => {
            let by = input.u2("wide iinc const")? as i16;
            (opcode, Operand::Increment(index, by.into()))
        }
        0x15..=0x19 | 0x36..=0x3A | 0xA9 => (opcode, Operand::Local(index)),
        other => {
            return Err(ClassFileError::Invalid {
                offset,
                what: "wide opcode",
                found: format!("{other:02X}"),
                expected: "a load, a store, ret or iinc",
            });
        }
    })
}

fn pad(input: &mut Reader<'_>, offset: usize) -> Result<(), ClassFileError> {
    input.take(3 - offset % 4, "switch padding").map(|_| ())
}

fn table_switch(input: &mut Reader<'_>, offset: usize) -> Result<Switch, ClassFileError> {
    pad(input, offset)?;
    let default = target(offset, input.i4("switch default")?)?;
    let low = input.i4("switch low")?;
    let high = input.i4("switch high")?;
    let mut cases = Vec::new();
    for value in low..=high {
        // Each case reads four bytes, so a senseless range ends with the code.
        cases.push((value, target(offset, input.i4("switch offset")?)?));
    }
    Ok(Switch { default, cases })
}

fn lookup_switch(input: &mut Reader<'_>, offset: usize) -> Result<Switch, ClassFileError> {
    pad(input, offset)?;
    let default = target(offset, input.i4("switch default")?)?;
    let mut cases = Vec::new();
    for _ in 0..input.u4("switch npairs")? {
        let value = input.i4("switch match")?;
        cases.push((value, target(offset, input.i4("switch offset")?)?));
    }
    Ok(Switch { default, cases })
}

fn check_targets(instructions: &[Instruction]) -> Result<(), ClassFileError> {
    let check = |from: usize, to: usize| match instructions
        .binary_search_by_key(&to, |instruction| instruction.offset)
    {
        Ok(_) => Ok(()),
        Err(_) => Err(ClassFileError::Invalid {
            offset: from,
            what: "branch target",
            found: to.to_string(),
            expected: "the offset of an instruction",
        }),
    };
    for instruction in instructions {
        match &instruction.operand {
            Operand::Target(to) => check(instruction.offset, *to)?,
            Operand::Switch(switch) => {
                check(instruction.offset, switch.default)?;
                for (_, to) in &switch.cases {
                    check(instruction.offset, *to)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}
