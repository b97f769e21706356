//! AES and DES: single blocks, ECB, CBC, padding.

use aes::{Aes128, Aes192, Aes256};
use cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use des::{Des, TdesEde2, TdesEde3};
use serde::{Deserialize, Serialize};

/// A family of block ciphers; the key's length says which member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Family {
    /// FIPS 197.
    Aes,
    /// FIPS 46-3: DES, and triple DES with two or three keys.
    Des,
}

impl Family {
    /// Bytes of a block.
    pub fn block(self) -> usize {
        match self {
            Family::Aes => 16,
            Family::Des => 8,
        }
    }
}

/// How a message's last block is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Padding {
    /// Not at all: the message has to fill its blocks.
    None,
    /// ISO/IEC 9797-1 method 1: zeros, as few as needed; not taken off again.
    Iso9797M1,
    /// ISO/IEC 9797-1 method 2: 80, then zeros.
    Iso9797M2,
    /// PKCS #5: each byte is the number of bytes.
    Pkcs5,
}

impl Padding {
    /// Fills up the last part of a message; `None` if it has to fill a block and doesn't.
    pub fn pad(self, mut rest: Vec<u8>, block: usize) -> Option<Vec<u8>> {
        let whole = rest.len().is_multiple_of(block);
        match self {
            Padding::None if !whole => return None,
            Padding::None => {}
            Padding::Iso9797M1 => rest.resize(rest.len().next_multiple_of(block), 0),
            Padding::Iso9797M2 => {
                rest.push(0x80);
                rest.resize(rest.len().next_multiple_of(block), 0);
            }
            Padding::Pkcs5 => {
                let count = block - rest.len() % block;
                rest.resize(rest.len() + count, u8::try_from(count).ok()?);
            }
        }
        Some(rest)
    }

    /// Takes the padding off the last block; `None` if it isn't there.
    pub fn strip(self, mut last: Vec<u8>) -> Option<Vec<u8>> {
        let keep = match self {
            Padding::None | Padding::Iso9797M1 => last.len(),
            Padding::Iso9797M2 => {
                let mark = last.iter().rposition(|byte| *byte != 0)?;
                last.get(mark).filter(|byte| **byte == 0x80)?;
                mark
            }
            Padding::Pkcs5 => {
                let count = usize::from(*last.last()?);
                let keep = last.len().checked_sub(count).filter(|_| count > 0)?;
                let all = last.get(keep..)?.iter().all(|b| usize::from(*b) == count);
                all.then_some(keep)?
            }
        };
        last.truncate(keep);
        Some(last)
    }

    /// Whether a decryption has to hold back its last block.
    pub fn is_stripped(self) -> bool {
        matches!(self, Padding::Iso9797M2 | Padding::Pkcs5)
    }
}

enum Keyed {
    Aes128(Box<Aes128>),
    Aes192(Box<Aes192>),
    Aes256(Box<Aes256>),
    Des(Box<Des>),
    Des2(Box<TdesEde2>),
    Des3(Box<TdesEde3>),
}

/// A block cipher with its key.
pub(crate) struct BlockCipher {
    keyed: Keyed,
    size: usize,
}

impl BlockCipher {
    /// `None` if the key's length is none of the family's.
    pub fn new(family: Family, key: &[u8]) -> Option<Self> {
        macro_rules! keyed {
            ($variant:ident, $cipher:ty) => {
                Keyed::$variant(Box::new(<$cipher>::new_from_slice(key).ok()?))
            };
        }
        let keyed = match (family, key.len()) {
            (Family::Aes, 16) => keyed!(Aes128, Aes128),
            (Family::Aes, 24) => keyed!(Aes192, Aes192),
            (Family::Aes, 32) => keyed!(Aes256, Aes256),
            (Family::Des, 8) => keyed!(Des, Des),
            (Family::Des, 16) => keyed!(Des2, TdesEde2),
            (Family::Des, 24) => keyed!(Des3, TdesEde3),
            _ => return None,
        };
        Some(BlockCipher {
            keyed,
            size: family.block(),
        })
    }

    /// One block; a slice of another length stays as it is.
    pub fn block(&self, block: &mut [u8], encrypt: bool) {
        macro_rules! run {
            ($cipher:expr) => {
                if let Ok(block) = <&mut Array<u8, _>>::try_from(block) {
                    match encrypt {
                        true => $cipher.encrypt_block(block),
                        false => $cipher.decrypt_block(block),
                    }
                }
            };
        }
        match &self.keyed {
            Keyed::Aes128(c) => run!(c),
            Keyed::Aes192(c) => run!(c),
            Keyed::Aes256(c) => run!(c),
            Keyed::Des(c) => run!(c),
            Keyed::Des2(c) => run!(c),
            Keyed::Des3(c) => run!(c),
        }
    }

    /// A block, encrypted.
    pub fn encrypted(&self, block: &[u8]) -> Vec<u8> {
        let mut block = block.to_vec();
        self.block(&mut block, true);
        block
    }

    /// Whole blocks in electronic code book mode.
    pub fn ecb(&self, data: &[u8], encrypt: bool) -> Vec<u8> {
        let mut out = data.to_vec();
        for block in out.chunks_exact_mut(self.size) {
            self.block(block, encrypt);
        }
        out
    }

    /// Whole blocks in cipher block chaining mode; the chaining value is moved on.
    pub fn cbc(&self, chain: &mut Vec<u8>, data: &[u8], encrypt: bool) -> Vec<u8> {
        let mut out = data.to_vec();
        for block in out.chunks_exact_mut(self.size) {
            if encrypt {
                xor(block, chain);
                self.block(block, true);
                *chain = block.to_vec();
            } else {
                let next = block.to_vec();
                self.block(block, false);
                xor(block, chain);
                *chain = next;
            }
        }
        out
    }
}

/// Adds `other` to as many bytes of `block` as both have.
pub(crate) fn xor(block: &mut [u8], other: &[u8]) {
    for (a, b) in block.iter_mut().zip(other) {
        *a ^= b;
    }
}
