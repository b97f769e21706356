//! Network access applications: authentication and key agreement as a USIM or ISIM does it (3GPP TS 33.102 6.3, annex C;
//! TS 31.102 7.1.1), with the algorithms that a profile package can ask for.
//!
//! Named choices: the SQN of a MILENAGE or TUAK key has its index in the five lowest bits (C.1.1.1, C.3.2); `sqnOptions`
//! says with 02 that jumps beyond `sqnDelta` are refused (C.2.2), with 01 that values older than `sqnAgeLimit` are (C.2.3).
//! The test algorithm takes any SQN, and AMF FFFF makes it ask for resynchronisation (TS 34.108 8.1.2.2).

pub mod milenage;
#[cfg(test)]
mod tests;
pub mod tuak;

use crate::fs::FileId;
use milenage::Milenage;
use serde::{Deserialize, Serialize};
use tuak::Tuak;
use zeroize::Zeroize;

/// Bits of the index in an SQN.
const IND_BITS: u32 = 5;
/// Sequence numbers that are kept, one for each index.
pub const ARRAY: usize = 1 << IND_BITS;
/// A sequence number without its index has 43 bits.
pub const MAX_SEQ: u64 = 0x07FF_FFFF_FFFF;
/// AMF in the MAC of a resynchronisation (6.3.3).
const RESYNCHRONISATION_AMF: [u8; 2] = [0, 0];
/// AMF that makes the test algorithm resynchronise.
const TEST_RESYNCHRONISATION: [u8; 2] = [0xFF, 0xFF];
/// `sqnOptions`.
const CHECK_AGE: u8 = 0x01;
const CHECK_DELTA: u8 = 0x02;

/// What f2 to f5* make of a RAND.
#[derive(Clone, PartialEq, Eq)]
pub struct Vector {
    /// RES, 4 to 32 bytes.
    pub res: Vec<u8>,
    /// Cipher key.
    pub ck: [u8; 16],
    /// Integrity key.
    pub ik: [u8; 16],
    /// Anonymity key.
    pub ak: [u8; 6],
    /// Anonymity key of AUTS.
    pub ak_star: [u8; 6],
}

impl Vector {
    /// SRES and Kc of the GSM security context: the conversions c2 and c3 (6.8.1.2).
    pub fn gsm(&self) -> ([u8; 4], [u8; 8]) {
        let mut sres = [0; 4];
        for part in self.res.chunks(4) {
            for (sum, byte) in sres.iter_mut().zip(part) {
                *sum ^= byte;
            }
        }
        let mut kc = [0; 8];
        for part in self.ck.chunks(8).chain(self.ik.chunks(8)) {
            for (sum, byte) in kc.iter_mut().zip(part) {
                *sum ^= byte;
            }
        }
        (sres, kc)
    }
}

/// An authentication algorithm with its keys.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    /// MILENAGE.
    Milenage(Box<Milenage>),
    /// TUAK.
    Tuak(Box<Tuak>),
    /// The test algorithm of TS 34.108 8.1.2.
    Test {
        /// K.
        key: [u8; 16],
        /// Length of RES in bytes, 4 to 16.
        res: u8,
    },
}

impl Drop for Algorithm {
    fn drop(&mut self) {
        // The other two have their own.
        if let Algorithm::Test { key, .. } = self {
            key.zeroize();
        }
    }
}

impl Algorithm {
    fn xdout(key: &[u8; 16], rand: [u8; 16]) -> [u8; 16] {
        let mut out = rand;
        for (out, key) in out.iter_mut().zip(key) {
            *out ^= key;
        }
        out
    }

    /// MAC-A and MAC-S.
    pub fn macs(&self, rand: [u8; 16], sqn: [u8; 6], amf: [u8; 2]) -> ([u8; 8], [u8; 8]) {
        match self {
            Algorithm::Milenage(keys) => keys.macs(rand, sqn, amf),
            Algorithm::Tuak(keys) => keys.macs(rand, sqn, amf),
            Algorithm::Test { key, .. } => {
                let xdout = Algorithm::xdout(key, rand);
                let mut mac = [0; 8];
                for ((mac, x), c) in mac.iter_mut().zip(xdout).zip(sqn.into_iter().chain(amf)) {
                    *mac = x ^ c;
                }
                (mac, mac)
            }
        }
    }

    /// RES and keys.
    pub fn vector(&self, rand: [u8; 16]) -> Vector {
        match self {
            Algorithm::Milenage(keys) => keys.vector(rand),
            Algorithm::Tuak(keys) => keys.vector(rand),
            Algorithm::Test { key, res } => {
                let xdout = Algorithm::xdout(key, rand);
                let rotated = |by: u32| u128::from_be_bytes(xdout).rotate_left(by).to_be_bytes();
                let mut ak = [0; 6];
                ak.copy_from_slice(&xdout[3..9]);
                Vector {
                    res: xdout.iter().take((*res).into()).copied().collect(),
                    ck: rotated(8),
                    ik: rotated(16),
                    ak,
                    ak_star: ak,
                }
            }
        }
    }
}

/// The sequence numbers that a USIM has accepted (annex C.1.2, C.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequence {
    /// SEQ by index.
    accepted: Vec<u64>,
    /// The index of the one accepted last.
    last: u8,
    options: u8,
    delta: u64,
    age_limit: u64,
}

fn number(sqn: [u8; 6]) -> (u64, u8) {
    let all = sqn
        .iter()
        .fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
    (all >> IND_BITS, (all & 0x1F) as u8)
}

fn bytes(seq: u64, index: u8) -> [u8; 6] {
    let all = (seq << IND_BITS | u64::from(index)).to_be_bytes();
    let mut out = [0; 6];
    out.copy_from_slice(&all[2..]);
    out
}

impl Sequence {
    /// Sequence numbers as they begin: one for each index, or none, which is 0 for all.
    pub fn new(options: u8, delta: u64, age_limit: u64, init: &[u64]) -> Sequence {
        let mut accepted = init.to_vec();
        accepted.resize(ARRAY, 0);
        Sequence {
            accepted,
            last: 0,
            options,
            delta,
            age_limit,
        }
    }

    /// SEQ_MS: the highest that was accepted, and its index. Of equal ones the one accepted last.
    fn highest(&self) -> (u64, u8) {
        let highest = self.accepted.iter().max().copied().unwrap_or(0);
        let at = |index: u8| self.accepted.get(usize::from(index)) == Some(&highest);
        let index = match at(self.last) {
            true => self.last,
            false => (0..32).find(|index| at(*index)).unwrap_or(0),
        };
        (highest, index)
    }

    /// True if an SQN is fresh (C.2.1 to C.2.3).
    fn is_fresh(&self, sqn: [u8; 6]) -> bool {
        let (seq, index) = number(sqn);
        let (highest, _) = self.highest();
        let before = self
            .accepted
            .get(usize::from(index))
            .copied()
            .unwrap_or(u64::MAX);
        let jumps = self.options & CHECK_DELTA != 0 && seq > highest.saturating_add(self.delta);
        let old = self.options & CHECK_AGE != 0 && highest.saturating_sub(seq) >= self.age_limit;
        seq > before && !jumps && !old
    }

    fn accept(&mut self, sqn: [u8; 6]) {
        let (seq, index) = number(sqn);
        if let Some(slot) = self.accepted.get_mut(usize::from(index)) {
            *slot = seq;
            self.last = index;
        }
    }
}

/// A key with its sequence numbers, and the applications that use it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Naa {
    /// ADFs.
    pub adfs: Vec<FileId>,
    /// Algorithm and keys.
    pub algorithm: Algorithm,
    /// Sequence numbers.
    pub sequence: Sequence,
    /// Authentications that are left, if they are counted.
    pub left: Option<u32>,
}

impl core::fmt::Debug for Naa {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Naa")
            .field("adfs", &self.adfs)
            .field("sequence", &self.sequence)
            .finish_non_exhaustive()
    }
}

/// What an authentication token leads to (TS 33.102 6.3.3).
#[derive(Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The network is who it says it is; its SQN is to be accepted.
    Authentic(Vector, [u8; 6]),
    /// Its SQN isn't fresh: AUTS.
    Resynchronise([u8; 14]),
    /// Its MAC is wrong.
    Forged,
}

impl Naa {
    /// Checks AUTN and computes the keys.
    pub fn check(&self, rand: [u8; 16], autn: [u8; 16]) -> Verdict {
        let vector = self.algorithm.vector(rand);
        let mut sqn = [0; 6];
        for ((sqn, concealed), ak) in sqn.iter_mut().zip(autn).zip(vector.ak) {
            *sqn = concealed ^ ak;
        }
        let amf = [autn[6], autn[7]];
        let (mac, _) = self.algorithm.macs(rand, sqn, amf);
        if !bool::from(subtle::ConstantTimeEq::ct_eq(&mac[..], &autn[8..])) {
            return Verdict::Forged;
        }
        let fresh = match self.algorithm {
            Algorithm::Test { .. } => amf != TEST_RESYNCHRONISATION,
            _ => self.sequence.is_fresh(sqn),
        };
        match fresh {
            true => Verdict::Authentic(vector, sqn),
            false => Verdict::Resynchronise(self.auts(rand, &vector)),
        }
    }

    /// AUTS: SQN_MS under the anonymity key, and MAC-S.
    fn auts(&self, rand: [u8; 16], vector: &Vector) -> [u8; 14] {
        let (seq, index) = self.sequence.highest();
        let sqn = bytes(seq, index);
        let (_, mac) = self.algorithm.macs(rand, sqn, RESYNCHRONISATION_AMF);
        let mut auts = [0; 14];
        let concealed = sqn
            .into_iter()
            .zip(vector.ak_star)
            .map(|(sqn, ak)| sqn ^ ak);
        for (slot, byte) in auts.iter_mut().zip(concealed.chain(mac)) {
            *slot = byte;
        }
        auts
    }

    /// True if the counter of authentications has run out.
    pub fn is_used_up(&self) -> bool {
        self.left == Some(0)
    }

    /// Takes note of an authentication.
    pub fn accept(&mut self, sqn: [u8; 6]) {
        self.sequence.accept(sqn);
        self.left = self.left.map(|left| left.saturating_sub(1));
    }
}
