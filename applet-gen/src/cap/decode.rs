//! Decodes bytecode by the table in [`super::opcode`].

use super::opcode::{self, Layout, Opcode};

/// The operands of one instruction, decoded. Branch and switch offsets are relative to the
/// instruction's first byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operands {
    /// None.
    None,
    /// A value (`bspush`, `sspush`, `bipush`, `sipush`, `iipush`).
    Value(i32),
    /// A local variable.
    Local(u8),
    /// A local variable and what is added to it (`sinc`, …).
    Increment {
        /// The variable.
        local: u8,
        /// The addend.
        value: i16,
    },
    /// A branch.
    Branch(i16),
    /// A one-byte index into the constant pool.
    Pool1(u8),
    /// A two-byte index into the constant pool.
    Pool2(u16),
    /// `invokeinterface`.
    Interface {
        /// Words of the arguments, the object included.
        nargs: u8,
        /// Constant pool index of the interface.
        index: u16,
        /// The interface's method.
        token: u8,
    },
    /// `newarray`: 10 boolean, 11 byte, 12 short, 13 int.
    ArrayType(u8),
    /// `checkcast`, `instanceof`.
    TypeCheck {
        /// 0 class, 10 to 13 primitive array, 14 array of references.
        atype: u8,
        /// Constant pool index of the class, with 0 and 14.
        index: u16,
    },
    /// `dup_x`, `swap_x`.
    Words {
        /// m.
        m: u8,
        /// n.
        n: u8,
    },
    /// A table switch: entry n of `offsets` is for the key `low + n`.
    Table {
        /// Where to go with any other key.
        default: i16,
        /// The lowest key.
        low: i32,
        /// The branches.
        offsets: Vec<i16>,
    },
    /// A lookup switch.
    Lookup {
        /// Where to go with any other key.
        default: i16,
        /// Keys, ascending, and branches.
        pairs: Vec<(i32, i16)>,
    },
}

/// One instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruction {
    /// Offset of the opcode in the given code.
    pub at: usize,
    /// Bytes of opcode and operands.
    pub len: usize,
    /// Its row in the table.
    pub opcode: &'static Opcode,
    /// Its operands.
    pub operands: Operands,
}

impl Instruction {
    /// Where the instruction may branch to (fall-through not included), as offsets in the code.
    pub fn targets(&self) -> Vec<i64> {
        let at = |offset: &i16| i64::try_from(self.at).unwrap_or(i64::MAX) + i64::from(*offset);
        match &self.operands {
            Operands::Branch(offset) => vec![at(offset)],
            Operands::Table {
                default, offsets, ..
            } => std::iter::once(default).chain(offsets).map(at).collect(),
            Operands::Lookup { default, pairs } => std::iter::once(default)
                .chain(pairs.iter().map(|(_, offset)| offset))
                .map(at)
                .collect(),
            _ => Vec::new(),
        }
    }

    /// The constant pool index, with its offset in the code and its width in bytes (what the
    /// Reference Location component lists); none for `checkcast` to a primitive array.
    pub fn pool_index(&self) -> Option<PoolIndex> {
        let (offset, width, index) = match self.operands {
            Operands::Pool1(index) => (1, 1, u16::from(index)),
            Operands::Pool2(index) => (1, 2, index),
            Operands::Interface { index, .. } => (2, 2, index),
            Operands::TypeCheck {
                atype: 0 | 14,
                index,
            } => (2, 2, index),
            _ => return None,
        };
        Some(PoolIndex {
            at: self.at + offset,
            width,
            index,
        })
    }
}

/// A constant pool index in the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolIndex {
    /// Offset of the operand in the code.
    pub at: usize,
    /// One or two bytes.
    pub width: u8,
    /// The index.
    pub index: u16,
}

/// Bytes that are no instruction.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// No instruction has this opcode.
    #[error("at {at:#06x}: expected an opcode, found {opcode:#04x}")]
    Opcode {
        /// Offset in the code.
        at: usize,
        /// The byte.
        opcode: u8,
    },
    /// The code ends within an instruction, or `at` is not within the code.
    #[error("at {at:#06x}: expected the operands of {name}, found the end of the code")]
    Cut {
        /// Offset of the opcode in the code.
        at: usize,
        /// The instruction.
        name: &'static str,
    },
    /// A switch whose high key is below its low one, or with more entries than code can hold.
    #[error("at {at:#06x}: expected a {name} with low <= high, found {low} and {high}")]
    Switch {
        /// Offset of the opcode in the code.
        at: usize,
        /// The instruction.
        name: &'static str,
        /// The lowest key.
        low: i32,
        /// The highest key.
        high: i32,
    },
}

/// Decodes the instruction at `at`.
pub fn decode(code: &[u8], at: usize) -> Result<Instruction, DecodeError> {
    let Some(byte) = code.get(at).copied() else {
        return Err(DecodeError::Cut {
            at,
            name: "an instruction",
        });
    };
    let Some(opcode) = opcode::lookup(byte) else {
        return Err(DecodeError::Opcode { at, opcode: byte });
    };
    let mut cursor = Cursor {
        code,
        at: at + 1,
        cut: DecodeError::Cut {
            at,
            name: opcode.name,
        },
    };
    let operands = cursor.operands(opcode, at)?;
    Ok(Instruction {
        at,
        len: cursor.at - at,
        opcode,
        operands,
    })
}

/// Decodes one instruction after the other from the start of `code` to its end.
pub fn decode_all(code: &[u8]) -> Result<Vec<Instruction>, DecodeError> {
    let mut instructions = Vec::new();
    let mut at = 0;
    while at < code.len() {
        let instruction = decode(code, at)?;
        at += instruction.len;
        instructions.push(instruction);
    }
    Ok(instructions)
}

struct Cursor<'a> {
    code: &'a [u8],
    at: usize,
    cut: DecodeError,
}

impl Cursor<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let bytes = self.code.get(self.at..).and_then(|rest| rest.first_chunk());
        self.at += N;
        bytes.copied().ok_or_else(|| self.cut.clone())
    }

    fn u1(&mut self) -> Result<u8, DecodeError> {
        self.array().map(u8::from_be_bytes)
    }

    fn s1(&mut self) -> Result<i8, DecodeError> {
        self.array().map(i8::from_be_bytes)
    }

    fn u2(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_be_bytes)
    }

    fn s2(&mut self) -> Result<i16, DecodeError> {
        self.array().map(i16::from_be_bytes)
    }

    fn s4(&mut self) -> Result<i32, DecodeError> {
        self.array().map(i32::from_be_bytes)
    }

    fn key(&mut self, int: bool) -> Result<i32, DecodeError> {
        if int {
            self.s4()
        } else {
            self.s2().map(i32::from)
        }
    }

    fn operands(&mut self, opcode: &Opcode, at: usize) -> Result<Operands, DecodeError> {
        Ok(match opcode.layout {
            Layout::None => Operands::None,
            Layout::S1 => Operands::Value(self.s1()?.into()),
            Layout::S2 => Operands::Value(self.s2()?.into()),
            Layout::S4 => Operands::Value(self.s4()?),
            Layout::Local => Operands::Local(self.u1()?),
            Layout::LocalS1 => Operands::Increment {
                local: self.u1()?,
                value: self.s1()?.into(),
            },
            Layout::LocalS2 => Operands::Increment {
                local: self.u1()?,
                value: self.s2()?,
            },
            Layout::Branch1 => Operands::Branch(self.s1()?.into()),
            Layout::Branch2 => Operands::Branch(self.s2()?),
            Layout::Pool1 => Operands::Pool1(self.u1()?),
            Layout::Pool2 => Operands::Pool2(self.u2()?),
            Layout::Interface => Operands::Interface {
                nargs: self.u1()?,
                index: self.u2()?,
                token: self.u1()?,
            },
            Layout::ArrayType => Operands::ArrayType(self.u1()?),
            Layout::TypeCheck => Operands::TypeCheck {
                atype: self.u1()?,
                index: self.u2()?,
            },
            Layout::DupX | Layout::SwapX => {
                let mn = self.u1()?;
                Operands::Words {
                    m: mn >> 4,
                    n: mn & 0x0F,
                }
            }
            Layout::TableSwitchS | Layout::TableSwitchI => {
                let int = opcode.layout == Layout::TableSwitchI;
                let default = self.s2()?;
                let low = self.key(int)?;
                let high = self.key(int)?;
                let entries = i64::from(high) - i64::from(low) + 1;
                let room = self.code.len().saturating_sub(self.at) / 2;
                if entries < 1 {
                    return Err(DecodeError::Switch {
                        at,
                        name: opcode.name,
                        low,
                        high,
                    });
                }
                let entries = usize::try_from(entries).unwrap_or(usize::MAX);
                if entries > room {
                    return Err(self.cut.clone());
                }
                let offsets = (0..entries).map(|_| self.s2()).collect::<Result<_, _>>()?;
                Operands::Table {
                    default,
                    low,
                    offsets,
                }
            }
            Layout::LookupSwitchS | Layout::LookupSwitchI => {
                let int = opcode.layout == Layout::LookupSwitchI;
                let default = self.s2()?;
                let count = self.u2()?;
                let pairs = (0..count)
                    .map(|_| Ok((self.key(int)?, self.s2()?)))
                    .collect::<Result<_, DecodeError>>()?;
                Operands::Lookup { default, pairs }
            }
        })
    }
}
