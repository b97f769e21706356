//! PUT KEY for AES key sets (GPCS 11.8, Amendment D 7.2).

use super::command::INS_PUT_KEY;
use super::scp03::{AesKey, StaticKeys};
use applet_model::apdu::Command;

/// Key type of an AES key (GPCS table 11-16).
pub const KEY_TYPE_AES: u8 = 0x88;

/// Why PUT KEY's data can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PutKeyError {
    /// The data ends early.
    #[error("the data of PUT KEY ends inside key {0}")]
    Cut(usize),
    /// Not an AES key.
    #[error("key {number} has type {found:02X}, expected 88 (AES)")]
    KeyType {
        /// Which key, from 1.
        number: usize,
        /// Its type byte.
        found: u8,
    },
    /// The lengths inside don't agree.
    #[error("key {0} has lengths that don't fit an AES key")]
    Length(usize),
    /// The check value isn't the key's.
    #[error("the check value of key {0} does not fit the key")]
    CheckValue(usize),
}

/// PUT KEY for a whole SCP03 key set: ENC, MAC, DEK as keys 1 to 3, each under the current Key-DEK
/// with its check value. `old_kvn` 0 adds a key set, otherwise it is replaced.
///
/// The card's answer is the new key version and the three check values: see [`expected_answer`].
pub fn put_key_set(old_kvn: u8, new_kvn: u8, new: &StaticKeys, dek: &AesKey) -> Command {
    let mut data = vec![new_kvn];
    for key in [&new.enc, &new.mac, &new.dek] {
        let cipher_text = dek.encrypt_key(key);
        data.push(KEY_TYPE_AES);
        data.push(cipher_text.len() as u8 + 1);
        data.push(key.length() as u8);
        data.extend(cipher_text);
        data.push(3);
        data.extend(key.check_value());
    }
    Command::new(0x80, INS_PUT_KEY, old_kvn, 0x81)
        .with_data(data)
        .with_le(256)
}

/// What the card answers to [`put_key_set`]: version and check values.
pub fn expected_answer(new_kvn: u8, new: &StaticKeys) -> Vec<u8> {
    let mut out = vec![new_kvn];
    out.extend(new.check_values().concat());
    out
}

/// The card's side: the new key version and its keys, decrypted and checked.
///
/// # Errors
/// [`PutKeyError`]; a wrong check value is answered with 9485, the rest with 6A80.
pub fn parse_key_set(data: &[u8], dek: &AesKey) -> Result<(u8, Vec<AesKey>), PutKeyError> {
    let (kvn, mut rest) = data.split_first().ok_or(PutKeyError::Cut(1))?;
    let mut keys = Vec::new();
    while !rest.is_empty() {
        let number = keys.len() + 1;
        let ([kind, length], tail) = rest
            .split_first_chunk::<2>()
            .ok_or(PutKeyError::Cut(number))?;
        if *kind != KEY_TYPE_AES {
            return Err(PutKeyError::KeyType {
                number,
                found: *kind,
            });
        }
        let (block, tail) = tail
            .split_at_checked(usize::from(*length))
            .ok_or(PutKeyError::Cut(number))?;
        let (key_length, cipher_text) = block.split_first().ok_or(PutKeyError::Length(number))?;
        let key = dek
            .decrypt_key(cipher_text, usize::from(*key_length))
            .map_err(|_| PutKeyError::Length(number))?;
        let (check_length, tail) = tail.split_first().ok_or(PutKeyError::Cut(number))?;
        let (check, tail) = tail
            .split_at_checked(usize::from(*check_length))
            .ok_or(PutKeyError::Cut(number))?;
        if !check.is_empty() && check != key.check_value() {
            return Err(PutKeyError::CheckValue(number));
        }
        keys.push(key);
        rest = tail;
    }
    Ok((*kvn, keys))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys(length: usize) -> StaticKeys {
        StaticKeys::new(&vec![1; length], &vec![2; length], &vec![3; length]).unwrap()
    }

    #[test]
    fn key_sets_arrive() {
        let dek = AesKey::new(&[9; 16]).unwrap();
        for length in [16, 24, 32] {
            let new = keys(length);
            let command = put_key_set(0x30, 0x31, &new, &dek);
            let (kvn, read) = parse_key_set(&command.data, &dek).unwrap();
            assert_eq!((kvn, read.len()), (0x31, 3));
            assert_eq!(read[2].check_value(), new.dek.check_value());
            let wrong = AesKey::new(&[8; 16]).unwrap();
            assert_eq!(
                parse_key_set(&command.data, &wrong).err(),
                Some(PutKeyError::CheckValue(1))
            );
        }
        assert_eq!(expected_answer(0x31, &keys(16)).len(), 10);
    }

    proptest! {
        #[test]
        fn garbage_is_refused_or_read(data in proptest::collection::vec(any::<u8>(), 0..120)) {
            let _ = parse_key_set(&data, &AesKey::new(&[9; 16]).unwrap());
        }
    }
}
