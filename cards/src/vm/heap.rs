//! The objects of the card.

use super::error::VmError;
use super::native_state::NativeState;
use super::value::{ClassRef, Owner, Ref, Value};
use serde::{Deserialize, Serialize};

/// Which memory holds an object's contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Storage {
    /// Non-volatile memory.
    Persistent,
    /// RAM, cleared at reset.
    Reset,
    /// RAM, cleared when the owner's last active instance is deselected.
    Deselect,
    /// RAM of the runtime itself: the APDU buffer, entry point objects, shared exceptions.
    Runtime,
}

/// How far the firewall opens an object to others (JCRE 6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Access {
    /// The owner's context only.
    Owner,
    /// Entry point object or global array that may not be stored in a field (JCRE 6.2.1, 6.2.2).
    Temporary,
    /// Permanent entry point object: any context may keep it.
    Permanent,
}

/// An object or array.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Object {
    pub(crate) owner: Owner,
    pub(crate) storage: Storage,
    pub(crate) access: Access,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Kind {
    Instance {
        class: ClassRef,
        fields: Vec<Value>,
        native: NativeState,
    },
    Bytes {
        boolean: bool,
        data: Vec<u8>,
    },
    Shorts(Vec<i16>),
    Refs {
        element: ClassRef,
        data: Vec<Ref>,
    },
}

impl Object {
    /// Who owns it.
    #[must_use]
    pub fn owner(&self) -> Owner {
        self.owner
    }

    /// Where its contents are.
    #[must_use]
    pub fn storage(&self) -> Storage {
        self.storage
    }
}

/// All objects; a slot that was freed is used again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Heap {
    slots: Vec<Option<Object>>,
    free: Vec<u32>,
}

impl Heap {
    pub fn get(&self, r: Ref) -> Result<&Object, VmError> {
        self.slot(r).ok_or(VmError::Dangling(r.0))
    }

    pub fn get_mut(&mut self, r: Ref) -> Result<&mut Object, VmError> {
        (r.0 as usize)
            .checked_sub(1)
            .and_then(|i| self.slots.get_mut(i))
            .and_then(Option::as_mut)
            .ok_or(VmError::Dangling(r.0))
    }

    fn slot(&self, r: Ref) -> Option<&Object> {
        self.slots.get((r.0 as usize).checked_sub(1)?)?.as_ref()
    }

    /// Puts an object into a free slot. Limits are checked by the caller.
    pub fn insert(&mut self, object: Object) -> Ref {
        if let Some(i) = self.free.pop() {
            if let Some(slot) = self.slots.get_mut(i as usize) {
                *slot = Some(object);
                return Ref(i + 1);
            }
        }
        self.slots.push(Some(object));
        Ref(u32::try_from(self.slots.len()).unwrap_or(u32::MAX))
    }

    pub fn remove(&mut self, r: Ref) -> Option<Object> {
        let i = r.0.checked_sub(1)?;
        let object = self.slots.get_mut(i as usize)?.take()?;
        self.free.push(i);
        Some(object)
    }

    pub fn iter(&self) -> impl Iterator<Item = (Ref, &Object)> {
        (1u32..)
            .zip(&self.slots)
            .filter_map(|(i, o)| Some((Ref(i), o.as_ref()?)))
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Ref, &mut Object)> {
        (1u32..)
            .zip(&mut self.slots)
            .filter_map(|(i, o)| Some((Ref(i), o.as_mut()?)))
    }
}
