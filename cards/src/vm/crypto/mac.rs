//! Message authentication codes of block ciphers: CBC-MAC (ISO/IEC 9797-1 algorithms 1 and 3) and CMAC
//! (NIST SP 800-38B).

use super::block::{BlockCipher, Family, Padding, xor};
use serde::{Deserialize, Serialize};

/// Which code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum MacKind {
    /// The last block of a CBC encryption (algorithm 1).
    Cbc(Padding),
    /// The first key for every block, the second one's decryption and the first or third one's encryption at
    /// the end (algorithm 3).
    Retail(Padding),
    /// CMAC.
    Cmac,
}

/// A code on its way. The key is not part of the state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mac {
    pub family: Family,
    pub kind: MacKind,
    /// Bytes of the code: the first ones.
    pub length: usize,
    chain: Vec<u8>,
    rest: Vec<u8>,
}

impl Mac {
    pub fn new(family: Family, kind: MacKind, length: usize) -> Self {
        Mac {
            family,
            kind,
            length,
            chain: vec![0; family.block()],
            rest: Vec::new(),
        }
    }

    /// Starts a message; `None`: the initial value is zero. False if it can't have this one.
    pub fn start(&mut self, initial: Option<Vec<u8>>) -> bool {
        self.rest.clear();
        let size = self.family.block();
        match initial {
            None => self.chain = vec![0; size],
            Some(value) if self.kind != MacKind::Cmac && value.len() == size => self.chain = value,
            Some(_) => return false,
        }
        true
    }

    fn running(&self, key: &[u8]) -> Option<BlockCipher> {
        let key = match self.kind {
            MacKind::Retail(_) => key.get(..self.family.block())?,
            _ => key,
        };
        BlockCipher::new(self.family, key)
    }

    /// More of the message; `None` if the key is none of the cipher's.
    pub fn update(&mut self, key: &[u8], data: &[u8]) -> Option<()> {
        let cipher = self.running(key)?;
        self.rest.extend_from_slice(data);
        // The last block may be a special one: it stays.
        let size = self.family.block();
        let whole = self.rest.len().saturating_sub(1) / size * size;
        let rest = self.rest.split_off(whole);
        cipher.cbc(&mut self.chain, &self.rest, true);
        self.rest = rest;
        Some(())
    }

    /// The code; starts anew with zero as initial value. `None` if the message doesn't fill its blocks, or the
    /// key is none of the cipher's.
    pub fn finish(&mut self, key: &[u8], data: &[u8]) -> Option<Vec<u8>> {
        self.update(key, data)?;
        let size = self.family.block();
        let cipher = self.running(key)?;
        let rest = core::mem::take(&mut self.rest);
        let last = match self.kind {
            MacKind::Cbc(padding) | MacKind::Retail(padding) => {
                let last = padding.pad(rest, size)?;
                // There is no code of nothing.
                (!last.is_empty()).then_some(last)?
            }
            MacKind::Cmac => {
                let once = doubled(&cipher.encrypted(&vec![0; size]));
                match rest.len() == size {
                    true => added(rest, &once),
                    false => added(Padding::Iso9797M2.pad(rest, size)?, &doubled(&once)),
                }
            }
        };
        cipher.cbc(&mut self.chain, &last, true);
        let mut code = core::mem::replace(&mut self.chain, vec![0; size]);
        if let MacKind::Retail(_) = self.kind {
            let second = BlockCipher::new(self.family, key.get(size..2 * size)?)?;
            let third = key.get(2 * size..3 * size).or(key.get(..size))?;
            second.block(&mut code, false);
            BlockCipher::new(self.family, third)?.block(&mut code, true);
        }
        code.truncate(self.length);
        Some(code)
    }
}

fn added(mut block: Vec<u8>, subkey: &[u8]) -> Vec<u8> {
    xor(&mut block, subkey);
    block
}

/// Multiplication by x in GF(2^128) or GF(2^64) (SP 800-38B 6.1).
fn doubled(block: &[u8]) -> Vec<u8> {
    let reduction = if block.len() == 16 { 0x87 } else { 0x1B };
    let mut carry = 0;
    let mut out: Vec<u8> = block
        .iter()
        .rev()
        .map(|byte| {
            let shifted = (byte << 1) | carry;
            carry = byte >> 7;
            shifted
        })
        .collect();
    if let Some(last) = out.first_mut() {
        *last ^= reduction * carry;
    }
    out.reverse();
    out
}
