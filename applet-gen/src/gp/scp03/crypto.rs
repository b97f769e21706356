//! AES keys of 128, 192 and 256 bits, and what SCP03 does with them (Amendment D 4.1).

use aes::{Aes128, Aes192, Aes256};
use cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use cmac::{Cmac, Mac};
use zeroize::{Zeroize, Zeroizing};

/// Bytes of an AES block.
pub const BLOCK: usize = 16;

/// What [`AesKey::fingerprint`] is the AES-CMAC of.
pub const FINGERPRINT_TEXT: &[u8] = b"fingerprint of an AES key";

/// A key is not 16, 24 or 32 bytes long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an AES key has 16, 24 or 32 bytes, this one has {0}")]
pub struct KeyLengthError(pub usize);

/// An AES key. Wiped when dropped; never printed.
#[derive(Clone)]
pub struct AesKey(Zeroizing<Vec<u8>>);

macro_rules! with_cipher {
    ($key:expr, $cipher:ident => $body:expr) => {
        // The length was checked in `AesKey::new`; nothing is computed for any other.
        match $key.0.len() {
            16 => {
                if let Ok($cipher) = Aes128::new_from_slice(&$key.0) {
                    $body
                }
            }
            24 => {
                if let Ok($cipher) = Aes192::new_from_slice(&$key.0) {
                    $body
                }
            }
            _ => {
                if let Ok($cipher) = Aes256::new_from_slice(&$key.0) {
                    $body
                }
            }
        }
    };
}

impl AesKey {
    /// Takes a key of 16, 24 or 32 bytes.
    ///
    /// # Errors
    /// [`KeyLengthError`] for any other length.
    pub fn new(bytes: &[u8]) -> Result<Self, KeyLengthError> {
        if !matches!(bytes.len(), 16 | 24 | 32) {
            return Err(KeyLengthError(bytes.len()));
        }
        Ok(AesKey(Zeroizing::new(bytes.to_vec())))
    }

    /// Key length in bytes: 16, 24 or 32.
    pub fn length(&self) -> usize {
        self.0.len()
    }

    /// The key itself, for whoever has to store it: a security domain its key sets.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Key check value: the first three bytes of the encryption of sixteen bytes '01' (Amendment D 7.2.2).
    pub fn check_value(&self) -> [u8; 3] {
        let mut block = [1u8; BLOCK];
        self.encrypt_block(&mut block);
        [block[0], block[1], block[2]]
    }

    /// What recognizes a key without giving it away, where three bytes of check value are too few:
    /// AES-CMAC over a text of our own.
    pub fn fingerprint(&self) -> [u8; BLOCK] {
        self.cmac(&[FINGERPRINT_TEXT])
    }

    /// The card's side of [`CardKeys::encrypt_value`](super::CardKeys::encrypt_value): `length` is the length of the key inside.
    ///
    /// # Errors
    /// [`KeyLengthError`] if `length` is not an AES key's or the data is not as long as that key's blocks.
    pub fn decrypt_key(&self, data: &[u8], length: usize) -> Result<AesKey, KeyLengthError> {
        if data.len() != length.next_multiple_of(BLOCK) {
            return Err(KeyLengthError(data.len()));
        }
        let mut plain = Zeroizing::new(data.to_vec());
        self.cbc_decrypt(&[0; BLOCK], &mut plain);
        AesKey::new(plain.get(..length).unwrap_or_default())
    }

    /// AES-CMAC over the concatenation of the parts, 16 bytes (NIST SP 800-38B).
    pub fn cmac(&self, parts: &[&[u8]]) -> [u8; BLOCK] {
        fn over<M: Mac>(mut mac: M, parts: &[&[u8]], out: &mut [u8; BLOCK]) {
            for part in parts {
                mac.update(part);
            }
            for (to, from) in out.iter_mut().zip(mac.finalize().into_bytes()) {
                *to = from;
            }
        }
        let mut out = [0; BLOCK];
        match self.0.len() {
            16 => {
                if let Ok(mac) = Cmac::<Aes128>::new_from_slice(&self.0) {
                    over(mac, parts, &mut out);
                }
            }
            24 => {
                if let Ok(mac) = Cmac::<Aes192>::new_from_slice(&self.0) {
                    over(mac, parts, &mut out);
                }
            }
            _ => {
                if let Ok(mac) = Cmac::<Aes256>::new_from_slice(&self.0) {
                    over(mac, parts, &mut out);
                }
            }
        }
        out
    }

    /// Encrypts one block in place.
    pub fn encrypt_block(&self, block: &mut [u8; BLOCK]) {
        with_cipher!(self, aes => aes.encrypt_block(block.into()));
    }

    /// AES-CBC encryption in place. A last incomplete block is left as it is: pad first.
    pub fn cbc_encrypt(&self, icv: &[u8; BLOCK], data: &mut [u8]) {
        let mut previous = *icv;
        with_cipher!(self, aes => {
            for block in data.as_chunks_mut::<BLOCK>().0 {
                for (byte, mask) in block.iter_mut().zip(previous) {
                    *byte ^= mask;
                }
                aes.encrypt_block(block.into());
                previous = *block;
            }
        });
    }

    /// AES-CBC decryption in place. A last incomplete block is left as it is.
    pub fn cbc_decrypt(&self, icv: &[u8; BLOCK], data: &mut [u8]) {
        let mut previous = *icv;
        with_cipher!(self, aes => {
            for block in data.as_chunks_mut::<BLOCK>().0 {
                let cipher_text = *block;
                aes.decrypt_block(block.into());
                for (byte, mask) in block.iter_mut().zip(previous) {
                    *byte ^= mask;
                }
                previous = cipher_text;
            }
        });
        previous.zeroize();
    }
}

/// A security domain's static keys: Key-ENC, Key-MAC, Key-DEK (Amendment D table 6-1).
#[derive(Clone)]
pub struct StaticKeys {
    /// Key-ENC.
    pub enc: AesKey,
    /// Key-MAC.
    pub mac: AesKey,
    /// Key-DEK.
    pub dek: AesKey,
}

impl StaticKeys {
    /// Takes the three keys.
    ///
    /// # Errors
    /// [`KeyLengthError`] if one of them is no AES key.
    pub fn new(enc: &[u8], mac: &[u8], dek: &[u8]) -> Result<Self, KeyLengthError> {
        Ok(StaticKeys {
            enc: AesKey::new(enc)?,
            mac: AesKey::new(mac)?,
            dek: AesKey::new(dek)?,
        })
    }

    /// The key check values of ENC, MAC and DEK: what may be shown of a key set.
    pub fn check_values(&self) -> [[u8; 3]; 3] {
        [
            self.enc.check_value(),
            self.mac.check_value(),
            self.dek.check_value(),
        ]
    }
}

/// Appends '80' and zeroes up to a multiple of the block length (Amendment D 4.1.4).
pub fn pad(data: &mut Vec<u8>) {
    data.push(0x80);
    data.resize(data.len().next_multiple_of(BLOCK), 0);
}

/// Removes the padding; `None` if there is none. More zeroes than needed are taken too: cards that
/// pad by a whole block more are in the field (one of the published vectors is from such a card),
/// and the MAC has vouched for the data before.
pub fn unpad(data: &[u8]) -> Option<&[u8]> {
    let end = data.iter().rposition(|&byte| byte != 0)?;
    match data.get(end) {
        Some(0x80) => data.get(..end),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{CardKeys, KeyRole};
    use super::*;
    use proptest::prelude::*;

    fn key(hex: &str) -> AesKey {
        AesKey::new(&hex::decode(hex).unwrap()).unwrap()
    }

    #[test]
    fn check_values() {
        // osmocom/pysim tests/unittests/test_globalplatform.py, SCP03_KCV_Test.
        assert_eq!(
            key("000102030405060708090a0b0c0d0e0f").check_value(),
            [0xC3, 0x52, 0x80]
        );
        assert_eq!(
            key("101112131415161718191a1b1c1d1e1f").check_value(),
            [0x01, 0x38, 0x08]
        );
        assert_eq!(
            key("202122232425262728292a2b2c2d2e2f").check_value(),
            [0x84, 0x0D, 0xE5]
        );
    }

    #[test]
    fn cmac_of_nist_sp_800_38b() {
        // NIST SP 800-38B examples D.1, D.2, D.3: the 40-byte message.
        let message = hex::decode(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411",
        )
        .unwrap();
        for (k, mac) in [
            (
                "2b7e151628aed2a6abf7158809cf4f3c",
                "dfa66747de9ae63030ca32611497c827",
            ),
            (
                "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
                "8a1de5be2eb31aad089a82e6ee908b0e",
            ),
            (
                "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
                "aaf3d8f1de5640c232f5b169b9c911e6",
            ),
        ] {
            let (a, b) = message.split_at(17);
            assert_eq!(hex::encode(key(k).cmac(&[a, b])), mac);
        }
    }

    #[test]
    fn cbc_of_nist_sp_800_38a() {
        // NIST SP 800-38A F.2.1.
        let k = key("2b7e151628aed2a6abf7158809cf4f3c");
        let icv: [u8; 16] = core::array::from_fn(|i| i as u8);
        let plain = hex::decode("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51")
            .unwrap();
        let mut data = plain.clone();
        k.cbc_encrypt(&icv, &mut data);
        assert_eq!(
            hex::encode(&data),
            "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"
        );
        k.cbc_decrypt(&icv, &mut data);
        assert_eq!(data, plain);
    }

    #[test]
    fn only_aes_lengths_are_keys() {
        for n in 0..64 {
            assert_eq!(
                AesKey::new(&vec![0; n]).is_ok(),
                matches!(n, 16 | 24 | 32),
                "{n}"
            );
        }
    }

    proptest! {
        #[test]
        fn padding_comes_off(data in proptest::collection::vec(any::<u8>(), 0..80)) {
            let mut padded = data.clone();
            pad(&mut padded);
            prop_assert_eq!(padded.len() % BLOCK, 0);
            prop_assert_eq!(unpad(&padded), Some(&data[..]));
        }

        #[test]
        fn keys_travel_under_the_dek(inner in proptest::sample::select(vec![16usize, 24, 32]), fill: u8) {
            let current = StaticKeys::new(&[1; 16], &[2; 16], &[0x5A; 16]).unwrap();
            let new = vec![fill; inner];
            let new = StaticKeys::new(&new, &new, &new).unwrap();
            let data = current.encrypt_key(&new, KeyRole::Dek).unwrap();
            let back = current.dek.decrypt_key(&data, inner).unwrap();
            prop_assert_eq!(back.check_value(), new.dek.check_value());
        }
    }
}
