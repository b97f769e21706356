//! What a card keeps of its Java world.

use super::code::Code;
use super::heap::Heap;
use super::limits::Limits;
use super::tx::Transaction;
use super::value::{ClassRef, InstanceId, PackageId, Ref};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// An applet instance on the card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Instance AID.
    pub aid: Vec<u8>,
    /// Package that its class is in.
    pub package: PackageId,
    /// AID of the applet class (GlobalPlatform: executable module).
    pub module: Vec<u8>,
    /// The applet object.
    pub object: Ref,
    /// AID object that JCSystem.getAID gives out; null until it was asked for.
    pub(crate) aid_object: Ref,
}

/// A package on the card: its load file, from which its code is linked, and its static fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Loaded {
    #[serde(with = "shared_bytes")]
    pub load_file: Arc<[u8]>,
    /// A verifier has accepted it ([`super::Vm::set_verified`]).
    #[serde(default)]
    pub verified: bool,
    pub static_refs: Vec<Ref>,
    pub static_data: Vec<u8>,
}

/// What the interpreter checks while it runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Packages that were verified are spared the checks that the verifier has made superfluous.
    #[default]
    Trusting,
    /// Everything is checked, verified or not.
    Defensive,
}

/// An `install` that hasn't ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Installing {
    pub id: InstanceId,
    pub aid: Vec<u8>,
    pub package: PackageId,
    pub module: Vec<u8>,
    pub registered: bool,
}

/// An applet that is selected on a logical channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Active {
    pub channel: u8,
    pub instance: InstanceId,
    pub package: PackageId,
}

/// Everything but the linked code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    pub limits: Limits,
    #[serde(default)]
    pub mode: Mode,
    pub platform: super::Platform,
    pub heap: Heap,
    #[serde(with = "as_list")]
    pub packages: BTreeMap<PackageId, Loaded>,
    #[serde(with = "as_list")]
    pub instances: BTreeMap<InstanceId, Instance>,
    pub next_package: u16,
    pub next_instance: u16,
    pub transaction: Option<Transaction>,
    pub installing: Option<Installing>,
    /// The selected applets, one a logical channel at most.
    pub selected: Vec<Active>,
    pub apdu: Ref,
    pub apdu_buffer: Ref,
    /// The runtime's own exception objects, one a class.
    #[serde(with = "as_list")]
    pub exceptions: BTreeMap<ClassRef, Ref>,
    pub deletion_requested: bool,
    pub max_stack: usize,
}

/// Linked code by package: found without a search, for it is looked up at every call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Linked(Vec<Option<Arc<Code>>>);

impl Linked {
    fn at(package: PackageId) -> Option<usize> {
        let first = PackageId::FIRST_LOADED.0;
        package.0.checked_sub(first).map(usize::from)
    }

    #[inline]
    pub fn get(&self, package: PackageId) -> Option<&Arc<Code>> {
        self.0.get(Self::at(package)?)?.as_ref()
    }

    pub fn insert(&mut self, package: PackageId, code: Arc<Code>) {
        let Some(at) = Self::at(package) else { return };
        if self.0.len() <= at {
            self.0.resize(at + 1, None);
        }
        if let Some(slot) = self.0.get_mut(at) {
            *slot = Some(code);
        }
    }

    pub fn remove(&mut self, package: PackageId) {
        if let Some(slot) = Self::at(package).and_then(|at| self.0.get_mut(at)) {
            *slot = None;
        }
    }

    /// All packages, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (PackageId, &Arc<Code>)> {
        let numbers = (PackageId::FIRST_LOADED.0..).map(PackageId);
        numbers
            .zip(&self.0)
            .filter_map(|(id, code)| Some((id, code.as_ref()?)))
    }

    /// Bytes that all packages take on the card.
    pub fn size(&self) -> usize {
        self.iter().map(|(_, code)| code.size).sum()
    }
}

/// A shared byte string as a hex string.
mod shared_bytes {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use std::sync::Arc;

    pub fn serialize<S: Serializer>(bytes: &Arc<[u8]>, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&hex::encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Arc<[u8]>, D::Error> {
        let text = String::deserialize(d)?;
        Ok(hex::decode(text).map_err(D::Error::custom)?.into())
    }
}

/// A map whose keys aren't strings, as a list of pairs (JSON has string keys only).
mod as_list {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::collections::BTreeMap;

    pub fn serialize<K: Serialize, V: Serialize, S: Serializer>(
        map: &BTreeMap<K, V>,
        s: S,
    ) -> Result<S::Ok, S::Error> {
        s.collect_seq(map)
    }

    pub fn deserialize<'de, K, V, D>(d: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(d)?.into_iter().collect())
    }
}
