//! Checksums of ISO/IEC 3309.

use serde::{Deserialize, Serialize};

/// A checksum on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checksum {
    /// Four bytes instead of two.
    pub long: bool,
    value: u32,
}

impl Checksum {
    pub fn new(long: bool) -> Self {
        Checksum { long, value: 0 }
    }

    /// Bytes of the result and of an initial value.
    pub fn length(&self) -> usize {
        if self.long { 4 } else { 2 }
    }

    /// Starts anew from this value, high byte first; false if it has another length.
    pub fn start(&mut self, initial: &[u8]) -> bool {
        let fits = initial.len() == self.length();
        if fits {
            self.value = initial
                .iter()
                .fold(0, |v, byte| (v << 8) | u32::from(*byte));
            if self.long {
                // The register of the 32-bit sum runs low bit first.
                self.value = self.value.reverse_bits();
            }
        }
        fits
    }

    pub fn update(&mut self, data: &[u8]) {
        for byte in data {
            if self.long {
                self.value ^= u32::from(*byte);
                for _ in 0..8 {
                    let out = self.value & 1;
                    self.value = (self.value >> 1) ^ (0xEDB8_8320 * out);
                }
            } else {
                self.value ^= u32::from(*byte) << 8;
                for _ in 0..8 {
                    let out = (self.value >> 15) & 1;
                    self.value = ((self.value << 1) & 0xFFFF) ^ (0x1021 * out);
                }
            }
        }
    }

    /// The complement of the sum; starts anew from zero.
    pub fn finish(&mut self, data: &[u8]) -> Vec<u8> {
        self.update(data);
        let bytes = (!core::mem::take(&mut self.value)).to_be_bytes();
        bytes.get(4 - self.length()..).unwrap_or_default().to_vec()
    }
}
