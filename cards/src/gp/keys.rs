//! Key sets of the security domain; PUT KEY, DELETE (key) and the key information (GlobalPlatform Card
//! Specification 11.8, Amendment D 7.2).

use super::Stop;
use super::domain::Domain;
use crate::power::Nvm;
use applet_gen::gp::put_key::{KEY_TYPE_AES, PutKey, PutKeyError, parse_put_key};
use applet_gen::gp::scp03::{AesKey, KeyLengthError, StaticKeys};
use applet_model::apdu::{Command, Response};
use applet_model::status::Sw;
use applet_model::tlv;
use core::fmt;
use serde::{Deserialize, Serialize};

/// Three AES keys under one key version number: identifiers 1 (ENC), 2 (MAC), 3 (DEK).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySet {
    /// Key version number, 1 to 7F.
    pub version: u8,
    /// Sequence counter of pseudo-random challenges, 0 to 2^24 - 1.
    pub counter: u32,
    keys: [Vec<u8>; 3],
}

impl fmt::Debug for KeySet {
    /// Never a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySet")
            .field("version", &self.version)
            .field("counter", &self.counter)
            .finish_non_exhaustive()
    }
}

impl KeySet {
    /// A new set; keys in the order ENC, MAC, DEK, each of 16, 24 or 32 bytes.
    ///
    /// # Errors
    /// [`KeyLengthError`] for any other length.
    pub fn new(version: u8, keys: [&[u8]; 3]) -> Result<KeySet, KeyLengthError> {
        for key in keys {
            AesKey::new(key)?;
        }
        Ok(KeySet {
            version,
            counter: 0,
            keys: keys.map(<[u8]>::to_vec),
        })
    }

    /// The keys as the secure channel takes them.
    pub(super) fn to_static(&self) -> Result<StaticKeys, Sw> {
        let key =
            |i: usize| AesKey::new(&self.keys[i]).map_err(|_| Sw::REFERENCED_DATA_INVALIDATED);
        Ok(StaticKeys {
            enc: key(0)?,
            mac: key(1)?,
            dek: key(2)?,
        })
    }
}

impl Domain {
    /// The set with this version; 0 means the first.
    pub(super) fn key_set(&self, version: u8) -> Option<&KeySet> {
        match version {
            0 => self.keys.first(),
            _ => self.keys.iter().find(|set| set.version == version),
        }
    }

    /// Key information template E0 (GlobalPlatform Card Specification 11.3.3.1).
    pub(super) fn key_information(&self) -> Vec<u8> {
        let mut entries = Vec::new();
        for set in &self.keys {
            for (id, key) in (1u8..).zip(&set.keys) {
                let length = u8::try_from(key.len()).unwrap_or(0);
                entries.push(tlv::write(0xC0, &[id, set.version, KEY_TYPE_AES, length]));
            }
        }
        tlv::write_constructed(0xE0, &entries)
    }

    /// PUT KEY of a whole set under the session's key set `session`. P1 is the version to replace, 0 to add;
    /// P2 is 81: three keys from identifier 1.
    pub(crate) fn put_key(
        &mut self,
        session: u8,
        command: &Command,
        nvm: &mut Nvm,
    ) -> Result<Response, Stop> {
        if command.p2 != 0x81 || command.p1 > 0x7F {
            return Err(Sw::INCORRECT_P1_P2.into());
        }
        let dek = self
            .key_set(session)
            .ok_or(Sw::CONDITIONS_NOT_SATISFIED)?
            .to_static()?
            .dek;
        let refused = |error| match error {
            PutKeyError::CheckValue(_) => Sw::INVALID_KEY_CHECK_VALUE,
            PutKeyError::KeyType { .. } | PutKeyError::Curve(_) => Sw::ALGORITHM_NOT_SUPPORTED,
            _ => Sw::WRONG_DATA,
        };
        let (version, keys) = parse_put_key(&command.data, &dek).map_err(refused)?;
        if !(1..=0x7F).contains(&version) {
            return Err(Sw::WRONG_DATA.into());
        }
        let keys: Vec<AesKey> = keys
            .into_iter()
            .map(|key| match key {
                PutKey::Aes(key) => Ok(key),
                PutKey::P256Public(_) => Err(Sw::ALGORITHM_NOT_SUPPORTED),
            })
            .collect::<Result<_, Sw>>()?;
        let keys: [AesKey; 3] = keys.try_into().map_err(|_| Sw::WRONG_DATA)?;
        let mut answer = vec![version];
        answer.extend(keys.iter().flat_map(AesKey::check_value));
        let keys = keys.map(|key| key.expose().to_vec());
        let set = KeySet {
            version,
            counter: 0,
            keys,
        };
        let taken = self
            .keys
            .iter()
            .any(|old| old.version == version && version != command.p1);
        let slot = match command.p1 {
            0 => None,
            old => Some(
                self.keys
                    .iter()
                    .position(|set| set.version == old)
                    .ok_or(Sw::REFERENCED_DATA_NOT_FOUND)?,
            ),
        };
        if taken {
            return Err(Sw::REFERENCED_DATA_INVALIDATED.into());
        }
        if slot.is_none() && self.keys.len() >= MAX_KEY_SETS {
            return Err(Sw::NOT_ENOUGH_MEMORY.into());
        }
        nvm.commit()?;
        match slot.and_then(|slot| self.keys.get_mut(slot)) {
            Some(old) => *old = set,
            // A new set becomes the first: the initial keys stay where a version names them.
            None => self.keys.insert(0, set),
        }
        Ok(Response::ok(answer))
    }

    /// DELETE (key) (11.2.2.3.2) by version (D2): a whole set, never the last one.
    pub(super) fn delete_keys(&mut self, version: u8, nvm: &mut Nvm) -> Result<(), Stop> {
        let at = self
            .keys
            .iter()
            .position(|set| set.version == version)
            .ok_or(Sw::REFERENCED_DATA_NOT_FOUND)?;
        if self.keys.len() == 1 {
            return Err(Sw::CONDITIONS_NOT_SATISFIED.into());
        }
        nvm.commit()?;
        self.keys.remove(at);
        Ok(())
    }
}

/// Key sets that the domain has room for.
const MAX_KEY_SETS: usize = 8;
