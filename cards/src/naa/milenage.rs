//! MILENAGE (3GPP TS 35.206): the functions f1 to f5* over AES-128.

use aes::Aes128;
use cipher::{Array, BlockCipherEncrypt, KeyInit};
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

/// Keys and constants of an operator.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Milenage {
    k: [u8; 16],
    opc: [u8; 16],
    /// r1 to r5, in bits.
    rotations: [u8; 5],
    /// c1 to c5.
    constants: [[u8; 16]; 5],
}

impl Drop for Milenage {
    fn drop(&mut self) {
        self.k.zeroize();
        self.opc.zeroize();
    }
}

/// r1 to r5 (4.1).
pub const ROTATIONS: [u8; 5] = [64, 0, 32, 64, 96];

/// c1 to c5 (4.1).
pub fn constants() -> [[u8; 16]; 5] {
    let last = |byte| {
        let mut constant = [0; 16];
        constant[15] = byte;
        constant
    };
    [last(0), last(1), last(2), last(4), last(8)]
}

fn xor(a: [u8; 16], b: [u8; 16]) -> [u8; 16] {
    let mut out = a;
    for (out, b) in out.iter_mut().zip(b) {
        *out ^= b;
    }
    out
}

impl Milenage {
    /// Keys with the constants of the specification, or others.
    pub fn new(
        k: [u8; 16],
        opc: [u8; 16],
        rotations: [u8; 5],
        constants: [[u8; 16]; 5],
    ) -> Milenage {
        Milenage {
            k,
            opc,
            rotations,
            constants,
        }
    }

    fn encrypt(&self, block: [u8; 16]) -> [u8; 16] {
        let mut block = Array::from(block);
        Aes128::new(&Array::from(self.k)).encrypt_block(&mut block);
        block.into()
    }

    /// OUT1 to OUT5: `input` is IN1 or TEMP, `with` is TEMP for OUT1 (4.1).
    fn out(&self, number: usize, input: [u8; 16], with: [u8; 16]) -> [u8; 16] {
        let rotation = self.rotations.get(number).copied().unwrap_or(0) % 128;
        let constant = self.constants.get(number).copied().unwrap_or_default();
        let rotated = u128::from_be_bytes(xor(input, self.opc))
            .rotate_left(rotation.into())
            .to_be_bytes();
        xor(self.encrypt(xor(xor(rotated, constant), with)), self.opc)
    }

    fn temp(&self, rand: [u8; 16]) -> [u8; 16] {
        self.encrypt(xor(rand, self.opc))
    }

    /// f1 and f1*: MAC-A and MAC-S.
    pub fn macs(&self, rand: [u8; 16], sqn: [u8; 6], amf: [u8; 2]) -> ([u8; 8], [u8; 8]) {
        let mut half = [0; 8];
        half[..6].copy_from_slice(&sqn);
        half[6..].copy_from_slice(&amf);
        let mut input = [0; 16];
        input[..8].copy_from_slice(&half);
        input[8..].copy_from_slice(&half);
        let out = self.out(0, input, self.temp(rand));
        let (mut a, mut s) = ([0; 8], [0; 8]);
        a.copy_from_slice(&out[..8]);
        s.copy_from_slice(&out[8..]);
        (a, s)
    }

    /// f2 to f5 and f5*: RES, CK, IK, AK, and the AK of resynchronisation.
    pub fn vector(&self, rand: [u8; 16]) -> super::Vector {
        let temp = self.temp(rand);
        let out = |number| self.out(number, temp, [0; 16]);
        let (second, fifth) = (out(1), out(4));
        let mut vector = super::Vector {
            res: second[8..].to_vec(),
            ck: out(2),
            ik: out(3),
            ak: [0; 6],
            ak_star: [0; 6],
        };
        vector.ak.copy_from_slice(&second[..6]);
        vector.ak_star.copy_from_slice(&fifth[..6]);
        vector
    }
}
