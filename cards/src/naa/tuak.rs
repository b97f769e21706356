//! TUAK (3GPP TS 35.231): the functions f1 to f5* over `Keccak-f[1600]`.

use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

/// Round constants of `Keccak-f[1600]` (FIPS 202 3.2.5).
const ROUNDS: [u64; 24] = [
    0x0000_0000_0000_0001,
    0x0000_0000_0000_8082,
    0x8000_0000_0000_808A,
    0x8000_0000_8000_8000,
    0x0000_0000_0000_808B,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8009,
    0x0000_0000_0000_008A,
    0x0000_0000_0000_0088,
    0x0000_0000_8000_8009,
    0x0000_0000_8000_000A,
    0x0000_0000_8000_808B,
    0x8000_0000_0000_008B,
    0x8000_0000_0000_8089,
    0x8000_0000_0000_8003,
    0x8000_0000_0000_8002,
    0x8000_0000_0000_0080,
    0x0000_0000_0000_800A,
    0x8000_0000_8000_000A,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8080,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8008,
];
/// Lanes in the order of pi, and the offsets of rho for each (FIPS 202 3.2.2, 3.2.3).
const PI: [usize; 24] = [
    10, 7, 11, 17, 18, 3, 5, 16, 8, 21, 24, 4, 15, 23, 19, 13, 12, 2, 20, 14, 22, 9, 6, 1,
];
const RHO: [u32; 24] = [
    1, 3, 6, 10, 15, 21, 28, 36, 45, 55, 2, 14, 27, 41, 56, 8, 25, 43, 62, 18, 39, 61, 20, 44,
];

/// The permutation `Keccak-f[1600]`.
fn permute(lanes: &mut [u64; 25]) {
    for constant in ROUNDS {
        let mut parity = [0u64; 5];
        for (x, parity) in parity.iter_mut().enumerate() {
            *parity = (0..5).fold(0, |sum, y| sum ^ lanes[x + 5 * y]);
        }
        for x in 0..5 {
            let mix = parity[(x + 4) % 5] ^ parity[(x + 1) % 5].rotate_left(1);
            for y in 0..5 {
                lanes[x + 5 * y] ^= mix;
            }
        }
        let mut moved = lanes[1];
        for (to, by) in PI.into_iter().zip(RHO) {
            moved = core::mem::replace(&mut lanes[to], moved.rotate_left(by));
        }
        for row in lanes.chunks_exact_mut(5) {
            let old = [row[0], row[1], row[2], row[3], row[4]];
            for (x, lane) in row.iter_mut().enumerate() {
                *lane = old[x] ^ (!old[(x + 1) % 5] & old[(x + 2) % 5]);
            }
        }
        lanes[0] ^= constant;
    }
}

/// INSTANCE (6.2 to 6.5): the function in the high bits, its lengths below, the key's length last.
const F1: u8 = 0x00;
const F1_STAR: u8 = 0x80;
const F2345: u8 = 0x40;
const F5_STAR: u8 = 0xC0;
const KEY_256: u8 = 0x01;
/// MAC of 64 bits: what AUTN and AUTS have room for.
const MAC_64: u8 = 0x08;
const NAME: &[u8; 7] = b"TUAK1.0";

/// Keys of an operator: K of 128 or 256 bits, TOPc, the number of iterations, and the length of RES in bytes.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tuak {
    k: Vec<u8>,
    topc: [u8; 32],
    iterations: u8,
    res: u8,
}

impl Drop for Tuak {
    fn drop(&mut self) {
        self.k.zeroize();
        self.topc.zeroize();
    }
}

/// Puts a value into the state: its last byte first (6.1).
fn push(state: &mut [u8; 200], at: usize, value: &[u8]) {
    for (slot, byte) in state.iter_mut().skip(at).zip(value.iter().rev()) {
        *slot = *byte;
    }
}

/// Takes a value out of the state.
fn pull<const N: usize>(state: &[u8; 200], at: usize) -> [u8; N] {
    let mut value = [0; N];
    for (slot, byte) in value.iter_mut().rev().zip(state.iter().skip(at)) {
        *slot = *byte;
    }
    value
}

impl Tuak {
    /// Keys; `None` if a length isn't one of TUAK's, or with no iteration.
    pub fn new(k: &[u8], topc: &[u8], iterations: u8, res: u8) -> Option<Tuak> {
        let fits = matches!(k.len(), 16 | 32) && matches!(res, 4 | 8 | 16 | 32) && iterations > 0;
        Some(Tuak {
            k: fits.then(|| k.to_vec())?,
            topc: topc.try_into().ok()?,
            iterations,
            res,
        })
    }

    fn run(&self, instance: u8, rand: [u8; 16], amf: [u8; 2], sqn: [u8; 6]) -> [u8; 200] {
        let long = if self.k.len() == 32 { KEY_256 } else { 0 };
        let mut state = [0u8; 200];
        push(&mut state, 0, &self.topc);
        push(&mut state, 32, &[instance | long]);
        push(&mut state, 33, NAME);
        push(&mut state, 40, &rand);
        push(&mut state, 56, &amf);
        push(&mut state, 58, &sqn);
        push(&mut state, 64, &self.k);
        state[96] = 0x1F;
        state[135] = 0x80;
        let mut lanes = [0u64; 25];
        for (lane, bytes) in lanes.iter_mut().zip(state.chunks_exact(8)) {
            *lane = bytes
                .iter()
                .rev()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        }
        for _ in 0..self.iterations {
            permute(&mut lanes);
        }
        for (bytes, lane) in state.chunks_exact_mut(8).zip(lanes) {
            bytes.copy_from_slice(&lane.to_le_bytes());
        }
        state
    }

    /// f1 and f1*: MAC-A and MAC-S of 64 bits.
    pub fn macs(&self, rand: [u8; 16], sqn: [u8; 6], amf: [u8; 2]) -> ([u8; 8], [u8; 8]) {
        let mac = |function| pull(&self.run(function | MAC_64, rand, amf, sqn), 0);
        (mac(F1), mac(F1_STAR))
    }

    /// f2 to f5 and f5*: RES, CK and IK of 128 bits, AK, and the AK of resynchronisation.
    pub fn vector(&self, rand: [u8; 16]) -> super::Vector {
        // 32 bits are 000, 64 001, 128 010, 256 100.
        let length = (self.res / 8) << 3;
        let state = self.run(F2345 | length, rand, [0; 2], [0; 6]);
        let star = self.run(F5_STAR, rand, [0; 2], [0; 6]);
        let res: [u8; 32] = pull(&state, 0);
        super::Vector {
            res: res[32 - usize::from(self.res.min(32))..].to_vec(),
            ck: pull(&state, 32),
            ik: pull(&state, 64),
            ak: pull(&state, 96),
            ak_star: pull(&star, 96),
        }
    }
}
