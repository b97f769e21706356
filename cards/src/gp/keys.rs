//! Keys of security domains; PUT KEY, DELETE (key) and the key information (GlobalPlatform Card
//! Specification 11.8, Amendment D 7.2).

use super::Stop;
use super::domain::Domain;
use super::open::Open;
use super::registry::{Aid, app_state};
use crate::power::Nvm;
use applet_gen::gp::put_key::{
    KEY_TYPE_AES, KEY_TYPE_ECC_PUBLIC, KEY_TYPE_PARAMETERS, KVN_DAP, KVN_INITIAL, KVN_TOKEN,
    PARAMETERS_P256, PutKey, PutKeyError, parse_put_key,
};
use applet_gen::gp::scp03::{AesKey, KeyLengthError, StaticKeys};
use applet_gen::gp::signature::VerifyingKey;
use applet_model::apdu::{Command, Response};
use applet_model::status::Sw;
use applet_model::tlv;
use core::fmt;
use serde::{Deserialize, Serialize};

/// Key sets that a domain has room for.
const MAX_KEY_SETS: usize = 8;

/// A key's value.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Value {
    Aes(Vec<u8>),
    /// A point, uncompressed.
    P256(Vec<u8>),
}

impl Value {
    /// Whether PUT KEY may put the other in this one's place: same algorithm, same length (11.8.2.3.3).
    fn is_like(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Aes(a), Value::Aes(b)) => a.len() == b.len(),
            (Value::P256(_), Value::P256(_)) => true,
            _ => false,
        }
    }
}

/// The keys under one key version number. SCP03 uses identifiers 1 (ENC), 2 (MAC), 3 (DEK).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySet {
    /// Key version number, 1 to 7F, or FF for initial keys.
    pub version: u8,
    /// Sequence counter of pseudo-random challenges, 0 to 2^24 - 1.
    pub counter: u32,
    /// Identifier and value, in the identifiers' order.
    keys: Vec<(u8, Value)>,
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
        let keys = keys.into_iter().map(|key| Value::Aes(key.to_vec()));
        Ok(KeySet {
            version,
            counter: 0,
            keys: (1..).zip(keys).collect(),
        })
    }

    fn value(&self, id: u8) -> Option<&Value> {
        self.keys.iter().find(|key| key.0 == id).map(|key| &key.1)
    }

    fn put(&mut self, id: u8, value: Value) {
        self.keys.retain(|key| key.0 != id);
        self.keys.push((id, value));
        self.keys.sort_by_key(|key| key.0);
    }

    /// The AES key with this identifier.
    pub(super) fn aes(&self, id: u8) -> Option<AesKey> {
        match self.value(id)? {
            Value::Aes(key) => AesKey::new(key).ok(),
            Value::P256(_) => None,
        }
    }

    /// The key with this identifier, to verify with.
    pub(super) fn verifying(&self, id: u8) -> Option<VerifyingKey> {
        match self.value(id)? {
            Value::Aes(key) => AesKey::new(key).ok().map(VerifyingKey::Aes),
            Value::P256(point) => VerifyingKey::p256(point).ok(),
        }
    }

    /// The keys as the secure channel takes them, if this is a whole set for it.
    pub(super) fn to_static(&self) -> Option<StaticKeys> {
        if !matches!(self.version, 0x01..=0x6F | KVN_INITIAL) {
            return None;
        }
        Some(StaticKeys {
            enc: self.aes(1)?,
            mac: self.aes(2)?,
            dek: self.aes(3)?,
        })
    }
}

impl Domain {
    /// The set with this version; 0 means the first that SCP03 can use.
    pub(super) fn key_set(&self, version: u8) -> Option<&KeySet> {
        match version {
            0 => self.keys.iter().find(|set| set.to_static().is_some()),
            _ => self.keys.iter().find(|set| set.version == version),
        }
    }

    /// Whether a secure channel can be opened with keys of its own.
    pub(super) fn has_channel_keys(&self) -> bool {
        self.key_set(0).is_some()
    }

    /// Key information template E0 (GlobalPlatform Card Specification 11.3.3.1, basic form).
    pub(super) fn key_information(&self) -> Vec<u8> {
        let mut entries = Vec::new();
        for set in &self.keys {
            for (id, value) in &set.keys {
                let mut entry = vec![*id, set.version];
                match value {
                    Value::Aes(key) => {
                        entry.extend([KEY_TYPE_AES, u8::try_from(key.len()).unwrap_or(0)]);
                    }
                    // A point's length is counted without its 04.
                    Value::P256(_) => entry.extend([
                        KEY_TYPE_ECC_PUBLIC,
                        0x40,
                        KEY_TYPE_PARAMETERS,
                        PARAMETERS_P256,
                    ]),
                }
                entries.push(tlv::write(0xC0, &entry));
            }
        }
        tlv::write_constructed(0xE0, &entries)
    }
}

impl Open {
    /// The Key-DEK of a session: of `owner`'s key set `version`.
    pub(super) fn dek(&self, owner: &Aid, version: u8) -> Result<AesKey, Sw> {
        let set = self.domain(owner)?.key_set(version);
        let keys = set.and_then(KeySet::to_static);
        Ok(keys.ok_or(Sw::CONDITIONS_NOT_SATISFIED)?.dek)
    }

    /// PUT KEY to the domain `on` in a session with key set `session` of `owner`. P1 is the version to replace,
    /// 0 to add; P2 the first key's identifier, with bit 8 if there are several.
    pub(crate) fn put_key(
        &mut self,
        on: &Aid,
        (owner, session): (&Aid, u8),
        command: &Command,
        nvm: &mut Nvm,
    ) -> Result<Response, Stop> {
        if command.p1 > 0x7F {
            return Err(self.refuse(
                Sw::INCORRECT_P1_P2,
                "PUT KEY: chained commands aren't supported",
            ));
        }
        let dek = self.dek(owner, session)?;
        let (version, keys) = match parse_put_key(&command.data, &dek) {
            Ok(read) => read,
            Err(error) => {
                let sw = match error {
                    PutKeyError::CheckValue(_) => Sw::INVALID_KEY_CHECK_VALUE,
                    PutKeyError::KeyType { .. } | PutKeyError::Curve(_) => {
                        Sw::ALGORITHM_NOT_SUPPORTED
                    }
                    _ => Sw::WRONG_DATA,
                };
                return Err(self.refuse(sw, error.to_string()));
            }
        };
        let several = command.p2 & 0x80 != 0;
        if !(1..=0x7F).contains(&version) || keys.is_empty() || keys.len() > 1 && !several {
            return Err(Sw::WRONG_DATA.into());
        }
        let mut answer = vec![version];
        answer.extend(keys.iter().flat_map(PutKey::check_value));
        let mut values = Vec::new();
        for (id, key) in (command.p2 & 0x7F..).zip(keys) {
            values.push((
                id,
                match key {
                    PutKey::Aes(key) => Value::Aes(key.expose().to_vec()),
                    PutKey::P256Public(point) if VerifyingKey::p256(&point).is_err() => {
                        return Err(
                            self.refuse(Sw::WRONG_DATA, "PUT KEY: the point is not on P-256")
                        );
                    }
                    PutKey::P256Public(point) => Value::P256(point),
                },
            ));
        }
        self.take_keys(on, command.p1, version, values, nvm)?;
        Ok(Response::ok(answer))
    }

    /// Keys that came by STORE DATA: added, or put in the place of those with the same version and identifier.
    pub(super) fn store_key(
        &mut self,
        on: &Aid,
        (id, version): (u8, u8),
        key: &AesKey,
        nvm: &mut Nvm,
    ) -> Result<(), Stop> {
        let set = self.domain(on)?.key_set(version);
        let there = set.is_some_and(|set| set.value(id).is_some());
        let old = if there { version } else { 0 };
        let value = Value::Aes(key.expose().to_vec());
        self.take_keys(on, old, version, vec![(id, value)], nvm)
    }

    fn take_keys(
        &mut self,
        on: &Aid,
        old: u8,
        version: u8,
        values: Vec<(u8, Value)>,
        nvm: &mut Nvm,
    ) -> Result<(), Stop> {
        // Public keys verify DAP blocks and tokens; everything else here is symmetric.
        let public = values
            .iter()
            .any(|(_, value)| matches!(value, Value::P256(_)));
        if public && !matches!(version, KVN_DAP | KVN_TOKEN) {
            let why = "PUT KEY: a public key is for version 70 (tokens) or 73 (DAP)";
            return Err(self.refuse(Sw::ALGORITHM_NOT_SUPPORTED, why));
        }
        let mut sets = self.domain(on)?.keys.clone();
        let stands = |sets: &[KeySet], version: u8| {
            let set = sets.iter().find(|set| set.version == version);
            values
                .iter()
                .any(|(id, _)| set.is_some_and(|set| set.value(*id).is_some()))
        };
        if version != old && stands(&sets, version) {
            let why = format!(
                "PUT KEY: a key of version {version:02X} is there: name it in P1 to replace it"
            );
            return Err(self.refuse(Sw::REFERENCED_DATA_INVALIDATED, why));
        }
        let mut slot = 0;
        if old != 0 {
            let at = sets.iter().position(|set| set.version == old);
            slot = at.ok_or(Sw::REFERENCED_DATA_NOT_FOUND)?;
            let set = sets.get_mut(slot).ok_or(Sw::REFERENCED_DATA_NOT_FOUND)?;
            for (id, value) in &values {
                let now = set.value(*id).ok_or(Sw::REFERENCED_DATA_NOT_FOUND)?;
                if !self.rules.quirks.key_length_changes && !now.is_like(value) {
                    let why = "PUT KEY: a key is replaced by one of its own type and length only (11.8.2.3.3)";
                    return Err(self.refuse(Sw::WRONG_DATA, why));
                }
            }
            set.keys
                .retain(|(id, _)| !values.iter().any(|(new, _)| new == id));
            // A set of which nothing is left starts anew in its place, with its counter at zero (Amendment D
            // 6.2.2.1); else its counter goes on.
            if set.keys.is_empty() {
                sets.remove(slot);
            } else {
                slot = 0;
            }
        }
        match sets.iter_mut().find(|set| set.version == version) {
            Some(set) => values
                .into_iter()
                .for_each(|(id, value)| set.put(id, value)),
            None => {
                if sets.len() >= MAX_KEY_SETS {
                    return Err(Sw::NOT_ENOUGH_MEMORY.into());
                }
                let mut set = KeySet {
                    version,
                    counter: 0,
                    keys: Vec::new(),
                };
                values
                    .into_iter()
                    .for_each(|(id, value)| set.put(id, value));
                // A new set becomes the first: the others stay where a version names them. Initial keys go when
                // there are others.
                if set.to_static().is_some() {
                    sets.retain(|set| set.version != KVN_INITIAL);
                    slot = slot.min(sets.len());
                }
                sets.insert(slot, set);
            }
        }
        self.change_keys(on, sets, nvm)
    }

    /// DELETE (key) (11.2.2.3.2) by version (D2), identifier (D0), or both. The issuer's domain keeps a set
    /// that opens a secure channel.
    pub(super) fn delete_keys(
        &mut self,
        on: &Aid,
        version: Option<u8>,
        id: Option<u8>,
        nvm: &mut Nvm,
    ) -> Result<(), Stop> {
        let mut sets = self.domain(on)?.keys.clone();
        let mut found = false;
        for set in &mut sets {
            if version.is_some_and(|version| version != set.version) {
                continue;
            }
            let before = set.keys.len();
            set.keys.retain(|key| id.is_some_and(|id| id != key.0));
            found |= set.keys.len() < before;
        }
        if !found {
            return Err(Sw::REFERENCED_DATA_NOT_FOUND.into());
        }
        sets.retain(|set| !set.keys.is_empty());
        self.change_keys(on, sets, nvm)
    }

    /// The one write that changes a domain's keys. A supplementary domain that gets keys for a secure channel
    /// becomes PERSONALIZED by it.
    fn change_keys(&mut self, on: &Aid, sets: Vec<KeySet>, nvm: &mut Nvm) -> Result<(), Stop> {
        let usable = sets.iter().any(|set| set.to_static().is_some());
        if *on == self.registry.isd && !usable {
            let why = "the issuer security domain would be left without a key set for SCP03";
            return Err(self.refuse(Sw::CONDITIONS_NOT_SATISFIED, why));
        }
        nvm.commit()?;
        self.domain_mut(on)?.keys = sets;
        if let Some(instance) = self.registry.instance_mut(on)
            && usable
            && instance.state == app_state::SELECTABLE
        {
            instance.state = app_state::PERSONALIZED;
        }
        Ok(())
    }
}
