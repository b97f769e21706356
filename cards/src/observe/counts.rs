//! Counts of what a method did.

use super::Class;
use serde::Serialize;
use std::collections::BTreeMap;
use std::ops::AddAssign;

/// Cryptographic work, as the API's methods name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// `Cipher.update`, `Cipher.doFinal`.
    Cipher,
    /// `MessageDigest.update`, `doFinal`.
    Digest,
    /// `Signature.sign`.
    Sign,
    /// `Signature.verify`.
    Verify,
    /// `KeyAgreement.generateSecret`.
    Agreement,
    /// `KeyPair.genKeyPair`.
    KeyPair,
    /// `RandomData.generateData`.
    Random,
}

impl Operation {
    /// The operation that a method of the API stands for.
    pub fn of(class: &str, method: &str) -> Option<Self> {
        Some(match (class, method) {
            ("javacardx/crypto/Cipher" | "javacardx/crypto/AEADCipher", "update" | "doFinal") => {
                Operation::Cipher
            }
            (
                "javacard/security/MessageDigest" | "javacard/security/InitializedMessageDigest",
                "update" | "doFinal",
            ) => Operation::Digest,
            ("javacard/security/Signature", "update") => Operation::Digest,
            ("javacard/security/Signature", "sign" | "signPreComputedHash") => Operation::Sign,
            ("javacard/security/Signature", "verify" | "verifyPreComputedHash") => {
                Operation::Verify
            }
            ("javacard/security/KeyAgreement", "generateSecret") => Operation::Agreement,
            ("javacard/security/KeyPair", "genKeyPair") => Operation::KeyPair,
            ("javacard/security/RandomData", "generateData" | "nextBytes") => Operation::Random,
            _ => return None,
        })
    }
}

/// Calls of one kind of cryptographic work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Crypto {
    /// Calls.
    pub calls: u64,
    /// Bytes that they were given.
    pub bytes: u64,
    /// Blocks of 16 bytes, begun ones too.
    pub blocks_16: u64,
    /// Blocks of 64 bytes, begun ones too.
    pub blocks_64: u64,
}

/// What was done: by a method, or by all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Instructions by class, in the order of [`Class::ALL`].
    pub instructions: [u64; Class::ALL.len()],
    /// Calls of API methods.
    pub api_calls: u64,
    /// Bytes that they were given, cryptography not counted.
    pub api_bytes: u64,
    /// Objects and arrays made.
    pub allocations: u64,
    /// Their bytes in non-volatile memory.
    pub allocated_persistent: u64,
    /// Their bytes in RAM.
    pub allocated_transient: u64,
    /// Persistent writes outside of transactions, by their bytes.
    pub writes: BTreeMap<usize, u64>,
    /// Commits of transactions, by their bytes.
    pub commits: BTreeMap<usize, u64>,
    /// Cryptography.
    pub crypto: BTreeMap<Operation, Crypto>,
    /// Exceptions thrown.
    pub exceptions: u64,
}

impl Counts {
    /// All instructions.
    pub fn all_instructions(&self) -> u64 {
        self.instructions.iter().sum()
    }

    /// Writes that became durable, commits included.
    pub fn all_writes(&self) -> u64 {
        self.writes.values().chain(self.commits.values()).sum()
    }

    /// Bytes that became durable.
    pub fn written_bytes(&self) -> u64 {
        let sizes = self.writes.iter().chain(&self.commits);
        sizes.map(|(bytes, times)| *bytes as u64 * times).sum()
    }

    /// Calls of cryptography.
    pub fn crypto_calls(&self) -> u64 {
        self.crypto.values().map(|crypto| crypto.calls).sum()
    }

    pub(super) fn instruction(&mut self, opcode: u8) {
        let class = Class::of(opcode) as usize;
        if let Some(count) = self.instructions.get_mut(class) {
            *count += 1;
        }
    }

    pub(super) fn api_call(&mut self, class: &str, method: &str, bytes: usize) {
        self.api_calls += 1;
        let Some(operation) = Operation::of(class, method) else {
            self.api_bytes += bytes as u64;
            return;
        };
        let crypto = self.crypto.entry(operation).or_default();
        crypto.calls += 1;
        crypto.bytes += bytes as u64;
        crypto.blocks_16 += bytes.div_ceil(16) as u64;
        crypto.blocks_64 += bytes.div_ceil(64) as u64;
    }
}

impl AddAssign<&Counts> for Counts {
    fn add_assign(&mut self, other: &Counts) {
        for (sum, more) in self.instructions.iter_mut().zip(&other.instructions) {
            *sum += more;
        }
        self.api_calls += other.api_calls;
        self.api_bytes += other.api_bytes;
        self.allocations += other.allocations;
        self.allocated_persistent += other.allocated_persistent;
        self.allocated_transient += other.allocated_transient;
        self.exceptions += other.exceptions;
        for (bytes, times) in &other.writes {
            *self.writes.entry(*bytes).or_default() += times;
        }
        for (bytes, times) in &other.commits {
            *self.commits.entry(*bytes).or_default() += times;
        }
        for (operation, more) in &other.crypto {
            let sum = self.crypto.entry(*operation).or_default();
            sum.calls += more.calls;
            sum.bytes += more.bytes;
            sum.blocks_16 += more.blocks_16;
            sum.blocks_64 += more.blocks_64;
        }
    }
}
