//! Key diversification: a card's static keys from a master key and the ten bytes of key diversification
//! data in the card's response to INITIALIZE UPDATE.
//!
//! The methods have the names that other tools give them (GlobalPlatformPro's `--key-kdf`, gpshell's
//! `-keyDerivation`). What those tools leave undefined is refused here: `emv` and `visa2` are triple DES
//! and have no form for masters longer than 16 bytes.

use super::scp03::crypto::BLOCK;
use super::scp03::{AesKey, CardKeys, CardKeysError, KeyRole, StaticKeys};
use des::TdesEde2;
use des::cipher::{BlockCipherEncrypt, KeyInit};
use std::sync::Arc;
use zeroize::{Zeroize, Zeroizing};

/// How a card's keys come from a master key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Diversification {
    /// The master key is the card's key.
    None,
    /// EMV CPS 1.1: the last six bytes of the diversification data, triple DES in ECB mode.
    Emv,
    /// VISA2: two bytes of the card manager's AID and four of the IC serial number, triple DES in ECB
    /// mode.
    Visa2,
    /// NIST SP 800-108 in counter mode with AES-CMAC.
    Kdf3,
}

impl Diversification {
    /// Every method.
    pub const ALL: [Diversification; 4] = [
        Diversification::None,
        Diversification::Emv,
        Diversification::Visa2,
        Diversification::Kdf3,
    ];

    /// Its name, as other tools have it.
    pub fn name(self) -> &'static str {
        match self {
            Diversification::None => "none",
            Diversification::Emv => "emv",
            Diversification::Visa2 => "visa2",
            Diversification::Kdf3 => "kdf3",
        }
    }

    /// The method of this name; `emvcps11` is gpshell's for `emv`.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "emvcps11" => Some(Diversification::Emv),
            name => Self::ALL.into_iter().find(|method| method.name() == name),
        }
    }

    /// Whether masters of this length, in bytes, have a defined result.
    ///
    /// # Errors
    /// [`CardKeysError::Refused`].
    pub fn takes(self, length: usize) -> Result<(), CardKeysError> {
        match (self, length) {
            (Diversification::Emv | Diversification::Visa2, n) if n != 16 => {
                Err(CardKeysError::Refused(format!(
                    "{} is defined for masters of 16 bytes (triple DES), this one has {n}: for longer AES keys \
                     kdf3 is in use",
                    self.name()
                )))
            }
            _ => Ok(()),
        }
    }

    /// A card's key.
    ///
    /// # Errors
    /// [`CardKeysError::Refused`] where the method is not defined for the master's length.
    pub fn derive(
        self,
        master: &AesKey,
        role: KeyRole,
        data: &[u8; 10],
    ) -> Result<AesKey, CardKeysError> {
        self.takes(master.length())?;
        let [d0, d1, _, _, d4, d5, d6, d7, d8, d9] = *data;
        match self {
            Diversification::None => Ok(master.clone()),
            Diversification::Emv => triple_des(master, role, [d4, d5, d6, d7, d8, d9]),
            Diversification::Visa2 => triple_des(master, role, [d0, d1, d4, d5, d6, d7]),
            Diversification::Kdf3 => {
                let mut key = Zeroizing::new([0; 2 * BLOCK]);
                for (i, block) in key.as_chunks_mut::<BLOCK>().0.iter_mut().enumerate() {
                    *block = master.cmac(&[&kdf3_input(i as u8 + 1, role, data)]);
                }
                Ok(AesKey::new(key.get(..master.length()).unwrap_or_default())?)
            }
        }
    }
}

/// What is under the CMAC for one block of a key with [`Diversification::Kdf3`]: counter, label (the key's
/// number in five bytes), context. One block of AES.
pub fn kdf3_input(counter: u8, role: KeyRole, data: &[u8; 10]) -> [u8; BLOCK] {
    let mut out = [0; BLOCK];
    let [first, _, _, _, number, _, context @ ..] = &mut out;
    *first = counter;
    *number = key_number(role);
    *context = *data;
    out
}

/// Number of a key in diversification data, as in PUT KEY.
fn key_number(role: KeyRole) -> u8 {
    match role {
        KeyRole::Enc => 1,
        KeyRole::Mac => 2,
        KeyRole::Dek => 3,
    }
}

/// Two blocks, `data F0 number` and `data 0F number`, under the master as a double length DES key.
fn triple_des(master: &AesKey, role: KeyRole, data: [u8; 6]) -> Result<AesKey, CardKeysError> {
    let [a, b, c, d, e, f] = data;
    let number = key_number(role);
    let mut key = Zeroizing::new(Vec::with_capacity(BLOCK));
    let des = TdesEde2::new_from_slice(master.expose())
        .map_err(|_| CardKeysError::Refused("not a double length DES key".to_owned()))?;
    for mark in [0xF0, 0x0F] {
        let mut block = [a, b, c, d, e, f, mark, number];
        des.encrypt_block((&mut block).into());
        key.extend_from_slice(&block);
        block.zeroize();
    }
    Ok(AesKey::new(&key)?)
}

/// Why a set's own keys can't be used before the card's are known.
const NEEDS_CARD: &str = "the key set comes from a master key: the card's keys are known once its response \
                              to INITIALIZE UPDATE is";

/// A key set that comes from master keys: one for all three keys, or one for each.
pub struct MasterKeys {
    method: Diversification,
    masters: StaticKeys,
}

impl MasterKeys {
    /// Takes the masters.
    ///
    /// # Errors
    /// [`CardKeysError::Refused`] where the method is not defined for their length.
    pub fn new(method: Diversification, masters: StaticKeys) -> Result<Self, CardKeysError> {
        for role in KeyRole::ALL {
            method.takes(masters.key(role).length())?;
        }
        Ok(MasterKeys { method, masters })
    }
}

/// What a set that is still a master answers to all that takes the card's own keys.
///
/// # Errors
/// [`CardKeysError::Refused`], always.
pub fn needs_card<T>() -> Result<T, CardKeysError> {
    Err(CardKeysError::Refused(NEEDS_CARD.to_owned()))
}

impl CardKeys for MasterKeys {
    fn key_length(&self) -> usize {
        self.masters.key_length()
    }

    fn cmac(&self, _: KeyRole, _: &[u8]) -> Result<[u8; BLOCK], CardKeysError> {
        needs_card()
    }

    fn encrypt_under_dek(&self, _: &mut [u8]) -> Result<(), CardKeysError> {
        needs_card()
    }

    fn value(&self, _: KeyRole) -> Result<AesKey, CardKeysError> {
        needs_card()
    }

    fn check_values(&self) -> Result<Option<[[u8; 3]; 3]>, CardKeysError> {
        Ok(None)
    }

    fn fingerprints(&self) -> Result<Vec<[u8; BLOCK]>, CardKeysError> {
        self.masters.fingerprints()
    }

    fn of_card(
        &self,
        diversification: &[u8; 10],
    ) -> Result<Option<Arc<dyn CardKeys>>, CardKeysError> {
        let key = |role| {
            self.method
                .derive(self.masters.key(role), role, diversification)
        };
        Ok(Some(Arc::new(StaticKeys {
            enc: key(KeyRole::Enc)?,
            mac: key(KeyRole::Mac)?,
            dek: key(KeyRole::Dek)?,
        })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex<const N: usize>(text: &str) -> [u8; N] {
        hex::decode(text).unwrap().try_into().unwrap()
    }

    fn key(text: &str) -> AesKey {
        AesKey::new(&hex::decode(text).unwrap()).unwrap()
    }

    /// GlobalPlatform's example key and the diversification data of the vectors.
    const MASTER: &str = "404142434445464748494A4B4C4D4E4F";
    const DATA: [u8; 10] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

    /// First three bytes of zeroes under triple DES (GPCS B.6), which the published values are.
    fn des_check_value(key: &AesKey) -> String {
        let mut block = [0; 8];
        TdesEde2::new_from_slice(key.expose())
            .unwrap()
            .encrypt_block((&mut block).into());
        hex::encode_upper(&block[..3])
    }

    #[test]
    fn triple_des_methods_as_global_platform_pro_has_them() {
        // martinpaljak/GlobalPlatformPro, TestPlaintextKeysProvider: testDiversificationEMV, -VISA.
        for (method, expected) in [
            (Diversification::Emv, ["C33013", "6F4CA6", "BB8179"]),
            (Diversification::Visa2, ["2BE598", "58DA38", "3C328E"]),
        ] {
            for (role, expected) in KeyRole::ALL.into_iter().zip(expected) {
                let card = method.derive(&key(MASTER), role, &DATA).unwrap();
                assert_eq!(des_check_value(&card), expected, "{method:?} {role:?}");
            }
        }
    }

    #[test]
    fn kdf3_as_global_platform_pro_has_it() {
        // The same tool's testDefaultKeysWithDiversifier and testKDF3.
        let keys = StaticKeys {
            enc: key(MASTER),
            mac: key(MASTER),
            dek: key(MASTER),
        };
        let masters = MasterKeys::new(Diversification::Kdf3, keys).unwrap();
        let card = masters.of_card(&DATA).unwrap().unwrap();
        let check_values = card.check_values().unwrap().unwrap().map(hex::encode_upper);
        assert_eq!(check_values, ["E79C05", "D1BD77", "3FDE8C"]);
        let card = Diversification::Kdf3
            .derive(
                &key("8C72C72CF908411653018807950D82FBAD947562F0828A0B10B8B9606ABF3BCD"),
                KeyRole::Enc,
                &hex("D9B1DE5D0362DEDCE4FB"),
            )
            .unwrap();
        assert_eq!(
            hex::encode_upper(card.expose()),
            "9AAC5D0B3601F89438A0D9D0B6B256CFB47E6462DFA5228D3420C4AC7C224781"
        );
    }

    #[test]
    fn what_tools_leave_undefined_is_needs_card() {
        let long = AesKey::new(&[7; 32]).unwrap();
        for method in [Diversification::Emv, Diversification::Visa2] {
            let error = method.derive(&long, KeyRole::Enc, &DATA).err().unwrap();
            assert!(error.to_string().contains("16 bytes"), "{error}");
        }
        for length in [16, 24, 32] {
            let master = AesKey::new(&vec![7; length]).unwrap();
            let card = Diversification::Kdf3.derive(&master, KeyRole::Mac, &DATA);
            assert_eq!(card.unwrap().length(), length);
        }
        let same = Diversification::None
            .derive(&long, KeyRole::Dek, &DATA)
            .unwrap();
        assert_eq!(same.fingerprint(), long.fingerprint());
    }

    #[test]
    fn masters_are_no_keys_of_a_card() {
        let key = AesKey::new(&[7; 16]).unwrap();
        let keys = StaticKeys {
            enc: key.clone(),
            mac: key.clone(),
            dek: key,
        };
        let masters = MasterKeys::new(Diversification::Emv, keys).unwrap();
        assert_eq!(masters.check_values().unwrap(), None);
        assert!(masters.cmac(KeyRole::Mac, &[1]).is_err());
        assert!(masters.value(KeyRole::Dek).is_err());
        assert!(masters.encrypt_under_dek(&mut [0; 16]).is_err());
    }

    #[test]
    fn names_are_those_of_other_tools() {
        for method in Diversification::ALL {
            assert_eq!(Diversification::from_name(method.name()), Some(method));
        }
        assert_eq!(
            Diversification::from_name("emvcps11"),
            Some(Diversification::Emv)
        );
        assert_eq!(Diversification::from_name("visa9"), None);
    }
}
