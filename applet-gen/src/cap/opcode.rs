//! The instruction set as data: JCVM 3.0.4 chapter 7 and table 8-1.
//!
//! One row an opcode: the disassembler, the verifier, the converter and the virtual machine read
//! this table and no other. [`mod@code`] holds the same opcodes as `u8` constants to match on.

use serde::Serialize;

/// How the bytes after an opcode are laid out (all big-endian; branch and switch offsets are
/// relative to the address of the opcode).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Layout {
    /// No operand.
    None,
    /// One signed byte, a value.
    S1,
    /// Two bytes, a signed value.
    S2,
    /// Four bytes, a signed value.
    S4,
    /// One byte, the index of a local variable.
    Local,
    /// One byte, the index of a local variable, then one signed byte.
    LocalS1,
    /// One byte, the index of a local variable, then two bytes, signed.
    LocalS2,
    /// One signed byte, a branch offset.
    Branch1,
    /// Two bytes, a signed branch offset.
    Branch2,
    /// One byte, an index into the constant pool.
    Pool1,
    /// Two bytes, an index into the constant pool.
    Pool2,
    /// `invokeinterface`: nargs (1), constant pool index (2), method token (1).
    Interface,
    /// `newarray`: one byte, the array type (10 boolean, 11 byte, 12 short, 13 int).
    ArrayType,
    /// `checkcast`, `instanceof`: atype (1: 0 class, 10..=13 primitive array, 14 array of
    /// references), constant pool index (2; zero with a primitive array).
    TypeCheck,
    /// `dup_x`: one byte, m in the high nibble (1..=4), n in the low one (0, m..=m+4).
    DupX,
    /// `swap_x`: one byte, m in the high nibble (1..=2), n in the low one (1..=2).
    SwapX,
    /// default (2), low (2), high (2), then `high - low + 1` offsets of 2.
    TableSwitchS,
    /// default (2), low (4), high (4), then `high - low + 1` offsets of 2.
    TableSwitchI,
    /// default (2), npairs (2), then npairs of match (2) and offset (2).
    LookupSwitchS,
    /// default (2), npairs (2), then npairs of match (4) and offset (2).
    LookupSwitchI,
}

impl Layout {
    /// Length of the operands in bytes; `None` for the switches, whose length depends on them.
    pub const fn fixed_len(self) -> Option<usize> {
        Some(match self {
            Layout::None => 0,
            Layout::S1
            | Layout::Local
            | Layout::Branch1
            | Layout::Pool1
            | Layout::ArrayType
            | Layout::DupX
            | Layout::SwapX => 1,
            Layout::S2 | Layout::LocalS1 | Layout::Branch2 | Layout::Pool2 => 2,
            Layout::LocalS2 | Layout::TypeCheck => 3,
            Layout::S4 | Layout::Interface => 4,
            Layout::TableSwitchS
            | Layout::TableSwitchI
            | Layout::LookupSwitchS
            | Layout::LookupSwitchI => return None,
        })
    }
}

/// One instruction of the Java Card virtual machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Opcode {
    /// The opcode byte.
    pub code: u8,
    /// The mnemonic of JCVM chapter 7.
    pub name: &'static str,
    /// What follows the opcode.
    pub layout: Layout,
    /// Words (16 bits; an `int` takes two, a reference one) taken from and put on the operand
    /// stack; `None` where the operands or the constant pool decide (`invoke*`, `dup_x`, `swap_x`).
    pub stack: Option<(u8, u8)>,
    /// Whether the instruction exists only where `int` is supported (ACC_INT, JCVM 2.2.3.1).
    pub int: bool,
}

impl Opcode {
    /// Whether control never goes on to the next instruction.
    pub fn ends_block(&self) -> bool {
        matches!(
            self.code,
            code::GOTO
                | code::GOTO_W
                | code::RET
                | code::STABLESWITCH
                | code::ITABLESWITCH
                | code::SLOOKUPSWITCH
                | code::ILOOKUPSWITCH
                | code::ARETURN
                | code::SRETURN
                | code::IRETURN
                | code::RETURN
                | code::ATHROW
        )
    }
}

/// The row of `code`, or `None` where the byte is no instruction of a CAP file (`impdep1` and
/// `impdep2` are reserved to implementations).
pub fn lookup(code: u8) -> Option<&'static Opcode> {
    TABLE.get(usize::from(code))
}

/// The row with this mnemonic.
pub fn by_name(name: &str) -> Option<&'static Opcode> {
    TABLE.iter().find(|row| row.name == name)
}

const INT: bool = true;
const SHORT: bool = false;

macro_rules! effect {
    () => {
        None
    };
    ($pops:literal $pushes:literal) => {
        Some(($pops, $pushes))
    };
}

macro_rules! opcodes {
    ($($code:literal $konst:ident $name:literal $layout:ident [$($stack:tt)*] $int:ident;)*) => {
        /// The opcodes as constants, named as the mnemonics.
        pub mod code {
            $(
                #[doc = concat!("`", $name, "`")]
                pub const $konst: u8 = $code;
            )*
        }

        /// Every instruction; the row of opcode `n` is `TABLE[n]`.
        pub static TABLE: [Opcode; 185] = [$(
            Opcode {
                code: $code,
                name: $name,
                layout: Layout::$layout,
                stack: effect!($($stack)*),
                int: $int,
            },
        )*];
    };
}

// opcode, constant, mnemonic, operands, [words popped, words pushed], INT when `int` is needed
opcodes! {
    0x00 NOP "nop" None [0 0] SHORT;
    0x01 ACONST_NULL "aconst_null" None [0 1] SHORT;
    0x02 SCONST_M1 "sconst_m1" None [0 1] SHORT;
    0x03 SCONST_0 "sconst_0" None [0 1] SHORT;
    0x04 SCONST_1 "sconst_1" None [0 1] SHORT;
    0x05 SCONST_2 "sconst_2" None [0 1] SHORT;
    0x06 SCONST_3 "sconst_3" None [0 1] SHORT;
    0x07 SCONST_4 "sconst_4" None [0 1] SHORT;
    0x08 SCONST_5 "sconst_5" None [0 1] SHORT;
    0x09 ICONST_M1 "iconst_m1" None [0 2] INT;
    0x0a ICONST_0 "iconst_0" None [0 2] INT;
    0x0b ICONST_1 "iconst_1" None [0 2] INT;
    0x0c ICONST_2 "iconst_2" None [0 2] INT;
    0x0d ICONST_3 "iconst_3" None [0 2] INT;
    0x0e ICONST_4 "iconst_4" None [0 2] INT;
    0x0f ICONST_5 "iconst_5" None [0 2] INT;
    0x10 BSPUSH "bspush" S1 [0 1] SHORT;
    0x11 SSPUSH "sspush" S2 [0 1] SHORT;
    0x12 BIPUSH "bipush" S1 [0 2] INT;
    0x13 SIPUSH "sipush" S2 [0 2] INT;
    0x14 IIPUSH "iipush" S4 [0 2] INT;
    0x15 ALOAD "aload" Local [0 1] SHORT;
    0x16 SLOAD "sload" Local [0 1] SHORT;
    0x17 ILOAD "iload" Local [0 2] INT;
    0x18 ALOAD_0 "aload_0" None [0 1] SHORT;
    0x19 ALOAD_1 "aload_1" None [0 1] SHORT;
    0x1a ALOAD_2 "aload_2" None [0 1] SHORT;
    0x1b ALOAD_3 "aload_3" None [0 1] SHORT;
    0x1c SLOAD_0 "sload_0" None [0 1] SHORT;
    0x1d SLOAD_1 "sload_1" None [0 1] SHORT;
    0x1e SLOAD_2 "sload_2" None [0 1] SHORT;
    0x1f SLOAD_3 "sload_3" None [0 1] SHORT;
    0x20 ILOAD_0 "iload_0" None [0 2] INT;
    0x21 ILOAD_1 "iload_1" None [0 2] INT;
    0x22 ILOAD_2 "iload_2" None [0 2] INT;
    0x23 ILOAD_3 "iload_3" None [0 2] INT;
    0x24 AALOAD "aaload" None [2 1] SHORT;
    0x25 BALOAD "baload" None [2 1] SHORT;
    0x26 SALOAD "saload" None [2 1] SHORT;
    0x27 IALOAD "iaload" None [2 2] INT;
    0x28 ASTORE "astore" Local [1 0] SHORT;
    0x29 SSTORE "sstore" Local [1 0] SHORT;
    0x2a ISTORE "istore" Local [2 0] INT;
    0x2b ASTORE_0 "astore_0" None [1 0] SHORT;
    0x2c ASTORE_1 "astore_1" None [1 0] SHORT;
    0x2d ASTORE_2 "astore_2" None [1 0] SHORT;
    0x2e ASTORE_3 "astore_3" None [1 0] SHORT;
    0x2f SSTORE_0 "sstore_0" None [1 0] SHORT;
    0x30 SSTORE_1 "sstore_1" None [1 0] SHORT;
    0x31 SSTORE_2 "sstore_2" None [1 0] SHORT;
    0x32 SSTORE_3 "sstore_3" None [1 0] SHORT;
    0x33 ISTORE_0 "istore_0" None [2 0] INT;
    0x34 ISTORE_1 "istore_1" None [2 0] INT;
    0x35 ISTORE_2 "istore_2" None [2 0] INT;
    0x36 ISTORE_3 "istore_3" None [2 0] INT;
    0x37 AASTORE "aastore" None [3 0] SHORT;
    0x38 BASTORE "bastore" None [3 0] SHORT;
    0x39 SASTORE "sastore" None [3 0] SHORT;
    0x3a IASTORE "iastore" None [4 0] INT;
    0x3b POP "pop" None [1 0] SHORT;
    0x3c POP2 "pop2" None [2 0] SHORT;
    0x3d DUP "dup" None [1 2] SHORT;
    0x3e DUP2 "dup2" None [2 4] SHORT;
    0x3f DUP_X "dup_x" DupX [] SHORT;
    0x40 SWAP_X "swap_x" SwapX [] SHORT;
    0x41 SADD "sadd" None [2 1] SHORT;
    0x42 IADD "iadd" None [4 2] INT;
    0x43 SSUB "ssub" None [2 1] SHORT;
    0x44 ISUB "isub" None [4 2] INT;
    0x45 SMUL "smul" None [2 1] SHORT;
    0x46 IMUL "imul" None [4 2] INT;
    0x47 SDIV "sdiv" None [2 1] SHORT;
    0x48 IDIV "idiv" None [4 2] INT;
    0x49 SREM "srem" None [2 1] SHORT;
    0x4a IREM "irem" None [4 2] INT;
    0x4b SNEG "sneg" None [1 1] SHORT;
    0x4c INEG "ineg" None [2 2] INT;
    0x4d SSHL "sshl" None [2 1] SHORT;
    0x4e ISHL "ishl" None [4 2] INT;
    0x4f SSHR "sshr" None [2 1] SHORT;
    0x50 ISHR "ishr" None [4 2] INT;
    0x51 SUSHR "sushr" None [2 1] SHORT;
    0x52 IUSHR "iushr" None [4 2] INT;
    0x53 SAND "sand" None [2 1] SHORT;
    0x54 IAND "iand" None [4 2] INT;
    0x55 SOR "sor" None [2 1] SHORT;
    0x56 IOR "ior" None [4 2] INT;
    0x57 SXOR "sxor" None [2 1] SHORT;
    0x58 IXOR "ixor" None [4 2] INT;
    0x59 SINC "sinc" LocalS1 [0 0] SHORT;
    0x5a IINC "iinc" LocalS1 [0 0] INT;
    0x5b S2B "s2b" None [1 1] SHORT;
    0x5c S2I "s2i" None [1 2] INT;
    0x5d I2B "i2b" None [2 1] INT;
    0x5e I2S "i2s" None [2 1] INT;
    0x5f ICMP "icmp" None [4 1] INT;
    0x60 IFEQ "ifeq" Branch1 [1 0] SHORT;
    0x61 IFNE "ifne" Branch1 [1 0] SHORT;
    0x62 IFLT "iflt" Branch1 [1 0] SHORT;
    0x63 IFGE "ifge" Branch1 [1 0] SHORT;
    0x64 IFGT "ifgt" Branch1 [1 0] SHORT;
    0x65 IFLE "ifle" Branch1 [1 0] SHORT;
    0x66 IFNULL "ifnull" Branch1 [1 0] SHORT;
    0x67 IFNONNULL "ifnonnull" Branch1 [1 0] SHORT;
    0x68 IF_ACMPEQ "if_acmpeq" Branch1 [2 0] SHORT;
    0x69 IF_ACMPNE "if_acmpne" Branch1 [2 0] SHORT;
    0x6a IF_SCMPEQ "if_scmpeq" Branch1 [2 0] SHORT;
    0x6b IF_SCMPNE "if_scmpne" Branch1 [2 0] SHORT;
    0x6c IF_SCMPLT "if_scmplt" Branch1 [2 0] SHORT;
    0x6d IF_SCMPGE "if_scmpge" Branch1 [2 0] SHORT;
    0x6e IF_SCMPGT "if_scmpgt" Branch1 [2 0] SHORT;
    0x6f IF_SCMPLE "if_scmple" Branch1 [2 0] SHORT;
    0x70 GOTO "goto" Branch1 [0 0] SHORT;
    0x71 JSR "jsr" Branch2 [0 1] SHORT;
    0x72 RET "ret" Local [0 0] SHORT;
    0x73 STABLESWITCH "stableswitch" TableSwitchS [1 0] SHORT;
    0x74 ITABLESWITCH "itableswitch" TableSwitchI [2 0] INT;
    0x75 SLOOKUPSWITCH "slookupswitch" LookupSwitchS [1 0] SHORT;
    0x76 ILOOKUPSWITCH "ilookupswitch" LookupSwitchI [2 0] INT;
    0x77 ARETURN "areturn" None [1 0] SHORT;
    0x78 SRETURN "sreturn" None [1 0] SHORT;
    0x79 IRETURN "ireturn" None [2 0] INT;
    0x7a RETURN "return" None [0 0] SHORT;
    0x7b GETSTATIC_A "getstatic_a" Pool2 [0 1] SHORT;
    0x7c GETSTATIC_B "getstatic_b" Pool2 [0 1] SHORT;
    0x7d GETSTATIC_S "getstatic_s" Pool2 [0 1] SHORT;
    0x7e GETSTATIC_I "getstatic_i" Pool2 [0 2] INT;
    0x7f PUTSTATIC_A "putstatic_a" Pool2 [1 0] SHORT;
    0x80 PUTSTATIC_B "putstatic_b" Pool2 [1 0] SHORT;
    0x81 PUTSTATIC_S "putstatic_s" Pool2 [1 0] SHORT;
    0x82 PUTSTATIC_I "putstatic_i" Pool2 [2 0] INT;
    0x83 GETFIELD_A "getfield_a" Pool1 [1 1] SHORT;
    0x84 GETFIELD_B "getfield_b" Pool1 [1 1] SHORT;
    0x85 GETFIELD_S "getfield_s" Pool1 [1 1] SHORT;
    0x86 GETFIELD_I "getfield_i" Pool1 [1 2] INT;
    0x87 PUTFIELD_A "putfield_a" Pool1 [2 0] SHORT;
    0x88 PUTFIELD_B "putfield_b" Pool1 [2 0] SHORT;
    0x89 PUTFIELD_S "putfield_s" Pool1 [2 0] SHORT;
    0x8a PUTFIELD_I "putfield_i" Pool1 [3 0] INT;
    0x8b INVOKEVIRTUAL "invokevirtual" Pool2 [] SHORT;
    0x8c INVOKESPECIAL "invokespecial" Pool2 [] SHORT;
    0x8d INVOKESTATIC "invokestatic" Pool2 [] SHORT;
    0x8e INVOKEINTERFACE "invokeinterface" Interface [] SHORT;
    0x8f NEW "new" Pool2 [0 1] SHORT;
    0x90 NEWARRAY "newarray" ArrayType [1 1] SHORT;
    0x91 ANEWARRAY "anewarray" Pool2 [1 1] SHORT;
    0x92 ARRAYLENGTH "arraylength" None [1 1] SHORT;
    0x93 ATHROW "athrow" None [1 0] SHORT;
    0x94 CHECKCAST "checkcast" TypeCheck [1 1] SHORT;
    0x95 INSTANCEOF "instanceof" TypeCheck [1 1] SHORT;
    0x96 SINC_W "sinc_w" LocalS2 [0 0] SHORT;
    0x97 IINC_W "iinc_w" LocalS2 [0 0] INT;
    0x98 IFEQ_W "ifeq_w" Branch2 [1 0] SHORT;
    0x99 IFNE_W "ifne_w" Branch2 [1 0] SHORT;
    0x9a IFLT_W "iflt_w" Branch2 [1 0] SHORT;
    0x9b IFGE_W "ifge_w" Branch2 [1 0] SHORT;
    0x9c IFGT_W "ifgt_w" Branch2 [1 0] SHORT;
    0x9d IFLE_W "ifle_w" Branch2 [1 0] SHORT;
    0x9e IFNULL_W "ifnull_w" Branch2 [1 0] SHORT;
    0x9f IFNONNULL_W "ifnonnull_w" Branch2 [1 0] SHORT;
    0xa0 IF_ACMPEQ_W "if_acmpeq_w" Branch2 [2 0] SHORT;
    0xa1 IF_ACMPNE_W "if_acmpne_w" Branch2 [2 0] SHORT;
    0xa2 IF_SCMPEQ_W "if_scmpeq_w" Branch2 [2 0] SHORT;
    0xa3 IF_SCMPNE_W "if_scmpne_w" Branch2 [2 0] SHORT;
    0xa4 IF_SCMPLT_W "if_scmplt_w" Branch2 [2 0] SHORT;
    0xa5 IF_SCMPGE_W "if_scmpge_w" Branch2 [2 0] SHORT;
    0xa6 IF_SCMPGT_W "if_scmpgt_w" Branch2 [2 0] SHORT;
    0xa7 IF_SCMPLE_W "if_scmple_w" Branch2 [2 0] SHORT;
    0xa8 GOTO_W "goto_w" Branch2 [0 0] SHORT;
    0xa9 GETFIELD_A_W "getfield_a_w" Pool2 [1 1] SHORT;
    0xaa GETFIELD_B_W "getfield_b_w" Pool2 [1 1] SHORT;
    0xab GETFIELD_S_W "getfield_s_w" Pool2 [1 1] SHORT;
    0xac GETFIELD_I_W "getfield_i_w" Pool2 [1 2] INT;
    0xad GETFIELD_A_THIS "getfield_a_this" Pool1 [0 1] SHORT;
    0xae GETFIELD_B_THIS "getfield_b_this" Pool1 [0 1] SHORT;
    0xaf GETFIELD_S_THIS "getfield_s_this" Pool1 [0 1] SHORT;
    0xb0 GETFIELD_I_THIS "getfield_i_this" Pool1 [0 2] INT;
    0xb1 PUTFIELD_A_W "putfield_a_w" Pool2 [2 0] SHORT;
    0xb2 PUTFIELD_B_W "putfield_b_w" Pool2 [2 0] SHORT;
    0xb3 PUTFIELD_S_W "putfield_s_w" Pool2 [2 0] SHORT;
    0xb4 PUTFIELD_I_W "putfield_i_w" Pool2 [3 0] INT;
    0xb5 PUTFIELD_A_THIS "putfield_a_this" Pool1 [1 0] SHORT;
    0xb6 PUTFIELD_B_THIS "putfield_b_this" Pool1 [1 0] SHORT;
    0xb7 PUTFIELD_S_THIS "putfield_s_this" Pool1 [1 0] SHORT;
    0xb8 PUTFIELD_I_THIS "putfield_i_this" Pool1 [2 0] INT;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_at_their_opcode() {
        for (index, row) in TABLE.iter().enumerate() {
            assert_eq!(usize::from(row.code), index, "{}", row.name);
        }
        assert_eq!(lookup(0x8B).map(|row| row.name), Some("invokevirtual"));
        assert_eq!(lookup(code::PUTFIELD_I_THIS).map(|row| row.code), Some(184));
        assert_eq!(lookup(185), None);
        assert_eq!(by_name("sspush").map(|row| row.code), Some(code::SSPUSH));
    }

    #[test]
    fn int_rows_are_those_that_name_an_int() {
        let int = TABLE.iter().filter(|row| row.int).count();
        // 7 constants, 3 pushes, 12 loads and stores, 12 of arithmetic and logic, iinc(_w),
        // 3 conversions, icmp, 2 switches, ireturn, 2 static and 6 instance field accesses.
        assert_eq!(int, 7 + 3 + 12 + 12 + 2 + 3 + 1 + 2 + 1 + 2 + 6);
    }
}
