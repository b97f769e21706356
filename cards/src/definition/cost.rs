//! `[cost]` of a card definition: what work costs a card's time. Figures are integers, so that a
//! prediction is the same everywhere.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What work costs a card's time. With it, counts of a run become a predicted time; a definition
/// without it predicts nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// Where the figures come from, in a sentence: reports repeat it beside what they predict.
    pub basis: String,
    /// Nanoseconds of one bytecode instruction, by class.
    pub bytecode_ns: BytecodeCost,
    /// Nanoseconds of a call of an API method, besides what it does.
    pub api_call_ns: u32,
    /// Nanoseconds of a byte that an API method copies, compares or fills.
    pub api_byte_ns: u32,
    /// Non-volatile memory.
    pub nvm: NvmCost,
    /// Cryptography.
    pub crypto_us: CryptoCost,
    /// The interface to the terminal.
    pub apdu: ApduCost,
}

/// Nanoseconds of one bytecode instruction (JCVM chapter 7), by class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BytecodeCost {
    /// Constants, loads and stores of locals, `dup`, `pop`, `swap_x`, `nop`.
    pub load_store: u32,
    /// Addition, logic, shifts, `sinc`, conversions, comparison.
    pub arithmetic: u32,
    /// Multiplication, division, remainder.
    pub multiply: u32,
    /// `goto` and conditional branches, `jsr`, `ret`.
    pub branch: u32,
    /// `stableswitch`, `slookupswitch` and those of `int`.
    pub switch: u32,
    /// Fields of objects and classes.
    pub field: u32,
    /// Elements and lengths of arrays.
    pub array: u32,
    /// Calls.
    pub invoke: u32,
    /// Returns.
    #[serde(rename = "return")]
    pub return_: u32,
    /// `new`, `newarray`, `anewarray`, besides the writes.
    pub new: u32,
    /// `checkcast`, `instanceof`.
    pub check: u32,
    /// `athrow`.
    pub throw: u32,
}

/// Non-volatile memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NvmCost {
    /// Bytes of a page; whatever is written takes whole pages.
    pub page_bytes: u16,
    /// Microseconds to write a page, erasing included.
    pub page_write_us: u32,
}

/// Microseconds of cryptographic operations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CryptoCost {
    /// A block of 16 bytes of a symmetric cipher.
    pub cipher_block: u32,
    /// A block of 64 bytes of a message digest.
    pub digest_block: u32,
    /// A signature with an elliptic curve of 256 bits; for which every `Signature` is taken.
    pub ec_sign: u32,
    /// Its verification.
    pub ec_verify: u32,
    /// A key agreement.
    pub ec_agreement: u32,
    /// Generation of a key pair.
    pub ec_key_pair: u32,
    /// 16 random bytes.
    pub random_block: u32,
}

/// The interface to the terminal (ISO/IEC 7816-3, T=0).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApduCost {
    /// Bits per second on the contact: clock frequency divided by the clock cycles of an etu. A byte
    /// takes twelve of them.
    pub bits_per_second: u32,
    /// Microseconds from a command's last byte to the start of the applet, and from its end to the
    /// response's first byte.
    pub overhead_us: u32,
}

impl BytecodeCost {
    /// Every class is a field of this name in a definition.
    pub fn of(&self, class: crate::observe::Class) -> u32 {
        use crate::observe::Class;
        match class {
            Class::LoadStore => self.load_store,
            Class::Arithmetic => self.arithmetic,
            Class::Multiply => self.multiply,
            Class::Branch => self.branch,
            Class::Switch => self.switch,
            Class::Field => self.field,
            Class::Array => self.array,
            Class::Invoke => self.invoke,
            Class::Return => self.return_,
            Class::New => self.new,
            Class::Check => self.check,
            Class::Throw => self.throw,
        }
    }
}
