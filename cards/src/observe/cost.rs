//! The time that a card would take, by a definition's cost model: always a prediction.

use super::{Class, Counts, Operation};
use crate::definition::Cost;
use serde::Serialize;
use std::ops::AddAssign;

/// etu that a byte takes on the contact with T=0: start bit, eight bits, parity, two of guard time
/// (ISO/IEC 7816-3 7.2, 11.2).
const ETU_PER_BYTE: u64 = 12;

/// APDUs that crossed the interface.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Apdus {
    /// Commands.
    pub count: u64,
    /// Bytes of commands and responses.
    pub bytes: u64,
}

impl Apdus {
    /// Counts a command and its response.
    pub fn add(&mut self, command: usize, response: usize) {
        self.count += 1;
        self.bytes += (command + response) as u64;
    }
}

/// Predicted nanoseconds, by what takes them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Time {
    /// Bytecode.
    pub bytecode_ns: u64,
    /// Methods of the API, cryptography and writes not counted.
    pub api_ns: u64,
    /// Writes to non-volatile memory.
    pub nvm_ns: u64,
    /// Cryptography.
    pub crypto_ns: u64,
    /// The interface to the terminal.
    pub apdu_ns: u64,
}

impl Time {
    /// All of it.
    pub fn total_ns(&self) -> u64 {
        self.bytecode_ns + self.api_ns + self.nvm_ns + self.crypto_ns + self.apdu_ns
    }

    /// The predicted time of what was counted.
    pub fn of(counts: &Counts, cost: &Cost) -> Self {
        let classes = Class::ALL.iter().zip(&counts.instructions);
        let crypto = counts.crypto.iter().map(|(operation, crypto)| {
            let costs = &cost.crypto_us;
            match operation {
                Operation::Cipher => crypto.blocks_16 * u64::from(costs.cipher_block),
                Operation::Digest => crypto.blocks_64 * u64::from(costs.digest_block),
                // The message is hashed, then signed.
                Operation::Sign => {
                    crypto.blocks_64 * u64::from(costs.digest_block)
                        + crypto.calls * u64::from(costs.ec_sign)
                }
                Operation::Verify => {
                    crypto.blocks_64 * u64::from(costs.digest_block)
                        + crypto.calls * u64::from(costs.ec_verify)
                }
                Operation::Agreement => crypto.calls * u64::from(costs.ec_agreement),
                Operation::KeyPair => crypto.calls * u64::from(costs.ec_key_pair),
                Operation::Random => crypto.blocks_16 * u64::from(costs.random_block),
            }
        });
        Time {
            bytecode_ns: classes
                .map(|(class, n)| n * u64::from(cost.bytecode_ns.of(*class)))
                .sum(),
            api_ns: counts.api_calls * u64::from(cost.api_call_ns)
                + counts.api_bytes * u64::from(cost.api_byte_ns),
            nvm_ns: pages(counts, cost) * u64::from(cost.nvm.page_write_us) * 1000,
            crypto_ns: crypto.sum::<u64>() * 1000,
            apdu_ns: 0,
        }
    }

    /// The predicted time of APDUs on the interface.
    pub fn of_apdus(apdus: &Apdus, cost: &Cost) -> Self {
        let bits = apdus.bytes * ETU_PER_BYTE;
        let rate = u64::from(cost.apdu.bits_per_second.max(1));
        Time {
            apdu_ns: bits * 1_000_000_000 / rate
                + apdus.count * u64::from(cost.apdu.overhead_us) * 1000,
            ..Time::default()
        }
    }
}

impl AddAssign for Time {
    fn add_assign(&mut self, other: Time) {
        self.bytecode_ns += other.bytecode_ns;
        self.api_ns += other.api_ns;
        self.nvm_ns += other.nvm_ns;
        self.crypto_ns += other.crypto_ns;
        self.apdu_ns += other.apdu_ns;
    }
}

/// Pages that were written. A commit writes its log, the data, and that it is done.
fn pages(counts: &Counts, cost: &Cost) -> u64 {
    let size = usize::from(cost.nvm.page_bytes.max(1));
    let pages = |bytes: &usize| bytes.div_ceil(size).max(1) as u64;
    let plain: u64 = counts
        .writes
        .iter()
        .map(|(bytes, times)| pages(bytes) * times)
        .sum();
    let commits = counts.commits.iter();
    plain
        + commits
            .map(|(bytes, times)| (2 * pages(bytes) + 1) * times)
            .sum::<u64>()
}
