//! PUT KEY (GPCS 11.8, Amendment D 7.2): AES keys alone and as sets, P-256 public keys.

use super::command::INS_PUT_KEY;
use super::scp03::{AesKey, CardKeys, CardKeysError, KeyRole};
use applet_model::apdu::Command;

/// Key type of an AES key (GPCS table 11-16).
pub const KEY_TYPE_AES: u8 = 0x88;
/// Key type of an ECC public key.
pub const KEY_TYPE_ECC_PUBLIC: u8 = 0xB0;
/// Key type of a key parameter reference, which names a curve.
pub const KEY_TYPE_PARAMETERS: u8 = 0xF0;
/// Key parameter reference of NIST P-256 (GPCS table B-2).
pub const PARAMETERS_P256: u8 = 0x00;

/// Key version number of the initial keys on a new card, where it isn't one of SCP03's range.
pub const KVN_INITIAL: u8 = 0xFF;
/// Key version number for token verification, by the convention of the UICC configuration that public tools know, too.
pub const KVN_TOKEN: u8 = 0x70;
/// Key version number for receipt generation.
pub const KVN_RECEIPT: u8 = 0x71;
/// Key version number for DAP verification.
pub const KVN_DAP: u8 = 0x73;
/// Key version number for the ciphered load file data block.
pub const KVN_CIPHERED_LOAD: u8 = 0x75;

/// Why PUT KEY's data can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PutKeyError {
    /// The data ends early.
    #[error("the data of PUT KEY ends inside key {0}")]
    Cut(usize),
    /// A type that isn't supported.
    #[error("key {number} has type {found:02X}, expected 88 (AES) or B0 (ECC public key)")]
    KeyType {
        /// Which key, from 1.
        number: usize,
        /// Its type byte.
        found: u8,
    },
    /// The lengths inside don't agree.
    #[error("key {0} has lengths that don't fit its type")]
    Length(usize),
    /// The check value isn't the key's.
    #[error("the check value of key {0} does not fit the key")]
    CheckValue(usize),
    /// An AES key without check value.
    #[error("key {0} has no check value: AES keys need theirs (GPCS B.6)")]
    NoCheckValue(usize),
    /// A curve other than P-256.
    #[error("key {0} is on another curve than P-256 (parameter reference 00)")]
    Curve(usize),
}

/// A key that PUT KEY carries.
#[derive(Clone)]
pub enum PutKey {
    /// An AES key: encrypted, with its check value.
    Aes(AesKey),
    /// A P-256 public key, 04 x y: in clear, with the reference of its curve, without check value (11.8.2.3.5).
    P256Public(Vec<u8>),
}

impl PutKey {
    fn field(&self, current: &dyn CardKeys) -> Result<Vec<u8>, CardKeysError> {
        Ok(match self {
            PutKey::Aes(key) => aes_field(
                &current.encrypt_value(key)?,
                key.length(),
                key.check_value(),
            ),
            PutKey::P256Public(point) => {
                let mut data = vec![KEY_TYPE_ECC_PUBLIC, point.len() as u8];
                data.extend(point);
                data.extend([KEY_TYPE_PARAMETERS, 1, PARAMETERS_P256, 0]);
                data
            }
        })
    }

    /// Its check value; none for a public key.
    pub fn check_value(&self) -> Vec<u8> {
        match self {
            PutKey::Aes(key) => key.check_value().to_vec(),
            PutKey::P256Public(_) => Vec::new(),
        }
    }
}

/// The key data field of an AES key (GPCS table 11-68).
fn aes_field(cipher_text: &[u8], length: usize, check_value: [u8; 3]) -> Vec<u8> {
    let mut data = vec![KEY_TYPE_AES, cipher_text.len() as u8 + 1, length as u8];
    data.extend(cipher_text);
    data.push(3);
    data.extend(check_value);
    data
}

/// PUT KEY for keys with identifiers from `first_id` on, under the Key-DEK of the current set. `old_kvn` 0 adds,
/// otherwise the keys of that version are replaced.
///
/// The card's answer is the new version and the check values.
///
/// # Errors
/// [`CardKeysError`] of the current set.
pub fn put_keys(
    old_kvn: u8,
    new_kvn: u8,
    first_id: u8,
    keys: &[PutKey],
    current: &dyn CardKeys,
) -> Result<Command, CardKeysError> {
    let fields = keys.iter().map(|key| key.field(current));
    let fields = fields.collect::<Result<Vec<_>, _>>()?;
    Ok(put_fields(old_kvn, new_kvn, first_id, &fields))
}

fn put_fields(old_kvn: u8, new_kvn: u8, first_id: u8, fields: &[Vec<u8>]) -> Command {
    let mut data = vec![new_kvn];
    data.extend(fields.iter().flatten());
    let several = if fields.len() > 1 { 0x80 } else { 0 };
    Command::new(0x80, INS_PUT_KEY, old_kvn, first_id & 0x7F | several)
        .with_data(data)
        .with_le(256)
}

/// PUT KEY for a whole SCP03 key set: ENC, MAC, DEK as keys 1 to 3, each under the Key-DEK of the
/// current set with its check value. `old_kvn` 0 adds a key set, otherwise it is replaced.
///
/// The card's answer is the new key version and the three check values: see [`expected_answer`].
///
/// # Errors
/// [`CardKeysError`]: a set that isn't the card's own yet, an HSM that keeps the new keys to itself.
pub fn put_key_set(
    old_kvn: u8,
    new_kvn: u8,
    new: &dyn CardKeys,
    current: &dyn CardKeys,
) -> Result<Command, CardKeysError> {
    let mut fields = Vec::new();
    for (role, check_value) in KeyRole::ALL.into_iter().zip(known_check_values(new)?) {
        let cipher_text = current.encrypt_key(new, role)?;
        fields.push(aes_field(&cipher_text, new.key_length(), check_value));
    }
    Ok(put_fields(old_kvn, new_kvn, 1, &fields))
}

/// What the card answers to [`put_key_set`]: version and check values.
///
/// # Errors
/// [`CardKeysError`], as there.
pub fn expected_answer(new_kvn: u8, new: &dyn CardKeys) -> Result<Vec<u8>, CardKeysError> {
    let mut out = vec![new_kvn];
    out.extend(known_check_values(new)?.concat());
    Ok(out)
}

fn known_check_values(keys: &dyn CardKeys) -> Result<[[u8; 3]; 3], CardKeysError> {
    keys.check_values()?.ok_or_else(|| {
        CardKeysError::Refused(
            "the key set comes from a master key and the card's diversification data is not known"
                .to_owned(),
        )
    })
}

/// What of a key can be read without Key-DEK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyField<'a> {
    /// Key type.
    pub kind: u8,
    /// The key component block: for AES its length and the encrypted key, for ECC the point.
    pub block: &'a [u8],
    /// Key parameter reference of an ECC key.
    pub parameters: Option<&'a [u8]>,
    /// Check value, may be empty.
    pub check_value: &'a [u8],
}

/// Splits the data of PUT KEY into the new key version number and its key data fields.
///
/// # Errors
/// [`PutKeyError::Cut`], [`PutKeyError::KeyType`].
pub fn key_fields(data: &[u8]) -> Result<(u8, Vec<KeyField<'_>>), PutKeyError> {
    let (kvn, mut rest) = data.split_first().ok_or(PutKeyError::Cut(1))?;
    let mut fields: Vec<KeyField<'_>> = Vec::new();
    while !rest.is_empty() {
        let number = fields.len() + 1;
        let (kind, block) = component(&mut rest, number)?;
        if !matches!(kind, KEY_TYPE_AES | KEY_TYPE_ECC_PUBLIC) {
            return Err(PutKeyError::KeyType {
                number,
                found: kind,
            });
        }
        // Standardized key types are above 7F, so that the check value's length can be told (11.8.2.3.1).
        let mut parameters = None;
        while rest.first().is_some_and(|next| *next > 0x7F) {
            match component(&mut rest, number)? {
                (KEY_TYPE_PARAMETERS, reference) if kind == KEY_TYPE_ECC_PUBLIC => {
                    parameters = Some(reference);
                }
                (found, _) => return Err(PutKeyError::KeyType { number, found }),
            }
        }
        let (length, tail) = rest.split_first().ok_or(PutKeyError::Cut(number))?;
        let (check_value, tail) = tail
            .split_at_checked(usize::from(*length))
            .ok_or(PutKeyError::Cut(number))?;
        rest = tail;
        fields.push(KeyField {
            kind,
            block,
            parameters,
            check_value,
        });
    }
    Ok((*kvn, fields))
}

/// A key component: type, length (128 also as `80`), block.
fn component<'a>(rest: &mut &'a [u8], number: usize) -> Result<(u8, &'a [u8]), PutKeyError> {
    let cut = || PutKeyError::Cut(number);
    let (kind, length, tail) = match rest {
        [kind, 0x81, length, tail @ ..] => (*kind, usize::from(*length), tail),
        [kind, length @ 0..=0x80, tail @ ..] => (*kind, usize::from(*length), tail),
        [_, _, ..] => return Err(PutKeyError::Length(number)),
        _ => return Err(cut()),
    };
    let (block, tail) = tail.split_at_checked(length).ok_or_else(cut)?;
    *rest = tail;
    Ok((kind, block))
}

/// The card's side: the new key version and its keys, decrypted and checked.
///
/// # Errors
/// [`PutKeyError`]; a wrong check value is answered with 9485, the rest with 6A80.
pub fn parse_put_key(data: &[u8], dek: &AesKey) -> Result<(u8, Vec<PutKey>), PutKeyError> {
    let (kvn, fields) = key_fields(data)?;
    let read = |(at, field): (usize, &KeyField<'_>)| -> Result<PutKey, PutKeyError> {
        let number = at + 1;
        if field.kind == KEY_TYPE_ECC_PUBLIC {
            // Without reference the curve is the card's first, which is P-256 (B.4.1).
            if !matches!(field.parameters, None | Some([PARAMETERS_P256])) {
                return Err(PutKeyError::Curve(number));
            }
            return match (field.block, field.check_value) {
                ([4, point @ ..], []) if point.len() == 64 => {
                    Ok(PutKey::P256Public(field.block.to_vec()))
                }
                _ => Err(PutKeyError::Length(number)),
            };
        }
        // A block of whole cipher blocks has no length before it (table 11-71).
        let (length, cipher_text) = match (field.block.len() % 16, field.block) {
            (0, all) => (all.len(), all),
            (_, [length, cipher_text @ ..]) => (usize::from(*length), cipher_text),
            (_, []) => return Err(PutKeyError::Length(number)),
        };
        let key = dek
            .decrypt_key(cipher_text, length)
            .map_err(|_| PutKeyError::Length(number))?;
        match field.check_value {
            [] => Err(PutKeyError::NoCheckValue(number)),
            check if check != key.check_value() => Err(PutKeyError::CheckValue(number)),
            _ => Ok(PutKey::Aes(key)),
        }
    };
    let keys = fields.iter().enumerate().map(read);
    Ok((kvn, keys.collect::<Result<Vec<PutKey>, PutKeyError>>()?))
}

#[cfg(test)]
mod tests {
    use super::super::scp03::StaticKeys;
    use super::*;
    use proptest::prelude::*;

    fn keys(length: usize) -> StaticKeys {
        StaticKeys::new(&vec![1; length], &vec![2; length], &vec![3; length]).unwrap()
    }

    #[test]
    fn key_sets_arrive() {
        let current = StaticKeys::new(&[7; 16], &[8; 16], &[9; 16]).unwrap();
        let dek = &current.dek;
        for length in [16, 24, 32] {
            let new = keys(length);
            let command = put_key_set(0x30, 0x31, &new, &current).unwrap();
            assert_eq!(command.p2, 0x81);
            let (kvn, read) = parse_put_key(&command.data, dek).unwrap();
            assert_eq!((kvn, read.len()), (0x31, 3));
            assert_eq!(read[2].check_value(), new.dek.check_value());
            let wrong = AesKey::new(&[8; 16]).unwrap();
            assert_eq!(
                parse_put_key(&command.data, &wrong).err(),
                Some(PutKeyError::CheckValue(1))
            );
        }
        assert_eq!(expected_answer(0x31, &keys(16)).unwrap().len(), 10);
    }

    #[test]
    fn one_key_and_a_public_key_arrive() {
        let current = keys(16);
        let dek = &current.dek;
        let receipt = PutKey::Aes(AesKey::new(&[7; 16]).unwrap());
        let command = put_keys(0, KVN_RECEIPT, 1, &[receipt], &current).unwrap();
        assert_eq!((command.p1, command.p2), (0, 1));
        // Without check value an AES key isn't taken; without length before it, it is.
        let mut bare = command.data.clone();
        bare.truncate(bare.len() - 4);
        bare.push(0);
        assert_eq!(
            parse_put_key(&bare, dek).err(),
            Some(PutKeyError::NoCheckValue(1))
        );
        let mut short = command.data.clone();
        short.remove(3);
        short[2] = 16;
        assert!(parse_put_key(&short, dek).is_ok());
        // GPCS table 11-73: B0, then F0 with the reference.
        let point = [&[4][..], &[0x55; 64]].concat();
        let command = put_keys(
            0,
            KVN_DAP,
            1,
            &[PutKey::P256Public(point.clone())],
            &current,
        )
        .unwrap();
        assert_eq!(command.data[..3], [0x73, 0xB0, 65]);
        assert_eq!(command.data[68..], [0xF0, 1, 0, 0]);
        let (_, read) = parse_put_key(&command.data, dek).unwrap();
        assert!(matches!(&read[0], PutKey::P256Public(got) if *got == point));
        let mut other = command.data.clone();
        other[70] = 3;
        assert_eq!(
            parse_put_key(&other, dek).err(),
            Some(PutKeyError::Curve(1))
        );
    }

    proptest! {
        #[test]
        fn garbage_is_refused_or_read(data in proptest::collection::vec(any::<u8>(), 0..120)) {
            let _ = parse_put_key(&data, &AesKey::new(&[9; 16]).unwrap());
        }
    }
}
