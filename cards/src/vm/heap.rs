//! The objects of the card.

use super::error::VmError;
use super::limits::OBJECT_BYTES;
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
pub(crate) struct Object {
    pub owner: Owner,
    pub storage: Storage,
    pub access: Access,
    /// Made by `new`, and no constructor of an API class has run on it yet.
    #[serde(default)]
    pub fresh: bool,
    pub kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Kind {
    Instance {
        class: ClassRef,
        fields: Box<[Value]>,
        /// `None`: [`NativeState::None`].
        native: Option<Box<NativeState>>,
    },
    Bytes {
        boolean: bool,
        data: Box<[u8]>,
    },
    Shorts(Box<[i16]>),
    Ints(Box<[i32]>),
    Refs {
        element: ClassRef,
        data: Box<[Ref]>,
    },
}

impl Kind {
    /// An instance without Java fields.
    pub fn native(class: ClassRef, native: NativeState) -> Self {
        Kind::Instance {
            class,
            fields: Box::default(),
            native: native.boxed(),
        }
    }

    /// An array of `byte` or `boolean`, all 0.
    pub fn bytes(boolean: bool, length: usize) -> Self {
        Kind::Bytes {
            boolean,
            data: vec![0; length].into(),
        }
    }

    /// Elements of an array; `None` for instances.
    #[inline]
    pub fn length(&self) -> Option<usize> {
        match self {
            Kind::Instance { .. } => None,
            Kind::Bytes { data, .. } => Some(data.len()),
            Kind::Shorts(data) => Some(data.len()),
            Kind::Ints(data) => Some(data.len()),
            Kind::Refs { data, .. } => Some(data.len()),
        }
    }

    /// Bytes of the contents.
    pub fn size(&self) -> usize {
        match self {
            Kind::Instance { fields, native, .. } => {
                2 * fields.len() + native.as_ref().map_or(0, |native| native.size())
            }
            Kind::Bytes { data, .. } => data.len(),
            Kind::Shorts(data) => 2 * data.len(),
            Kind::Ints(data) => 4 * data.len(),
            Kind::Refs { data, .. } => 2 * data.len(),
        }
    }

    /// References that it holds.
    pub fn references(&self) -> Vec<Ref> {
        match self {
            Kind::Instance { fields, native, .. } => fields
                .iter()
                .filter_map(|v| v.reference())
                .chain(native.iter().flat_map(|native| native.references()))
                .collect(),
            Kind::Refs { data, .. } => data.to_vec(),
            _ => Vec::new(),
        }
    }

    /// Every reference to an object for which `gone` is true becomes null.
    pub fn forget(&mut self, gone: &dyn Fn(Ref) -> bool) {
        match self {
            Kind::Instance { fields, native, .. } => {
                for field in fields.iter_mut() {
                    if field.reference().is_some_and(gone) {
                        *field = Value::NULL;
                    }
                }
                if let Some(native) = native {
                    native.forget(gone);
                }
            }
            Kind::Refs { data, .. } => {
                for r in data.iter_mut() {
                    if gone(*r) {
                        *r = Ref::NULL;
                    }
                }
            }
            _ => {}
        }
    }

    /// Contents as after `new`.
    pub fn clear(&mut self) {
        match self {
            Kind::Instance { .. } => {}
            Kind::Bytes { data, .. } => data.fill(0),
            Kind::Shorts(data) => data.fill(0),
            Kind::Ints(data) => data.fill(0),
            Kind::Refs { data, .. } => data.fill(Ref::NULL),
        }
    }

    pub fn describe(&self) -> &'static str {
        match self {
            Kind::Instance { .. } => "an object",
            Kind::Bytes { boolean: true, .. } => "an array of boolean",
            Kind::Bytes { .. } => "an array of byte",
            Kind::Shorts(_) => "an array of short",
            Kind::Ints(_) => "an array of int",
            Kind::Refs { .. } => "an array of references",
        }
    }
}

impl Object {
    /// Bytes of non-volatile memory: the header is there even if the contents are in RAM.
    pub fn persistent_bytes(&self) -> usize {
        match self.storage {
            Storage::Persistent => OBJECT_BYTES + self.kind.size(),
            Storage::Reset | Storage::Deselect => OBJECT_BYTES,
            Storage::Runtime => 0,
        }
    }

    /// Bytes of CLEAR_ON_RESET and CLEAR_ON_DESELECT memory.
    pub fn transient_bytes(&self) -> (usize, usize) {
        match self.storage {
            Storage::Reset => (self.kind.size(), 0),
            Storage::Deselect => (0, self.kind.size()),
            _ => (0, 0),
        }
    }
}

/// Bytes in use by the objects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sums {
    pub persistent: usize,
    pub reset: usize,
    pub deselect: usize,
}

/// All objects; a slot that was freed is used again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Heap {
    slots: Vec<Option<Object>>,
    free: Vec<u32>,
    sums: Sums,
}

impl Heap {
    #[inline]
    pub fn get(&self, r: Ref) -> Result<&Object, VmError> {
        self.slot(r).ok_or(VmError::Dangling(r.0))
    }

    #[inline]
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
        self.account(&object, true);
        if let Some(i) = self.free.pop()
            && let Some(slot) = self.slots.get_mut(i as usize)
        {
            *slot = Some(object);
            return Ref(i + 1);
        }
        self.slots.push(Some(object));
        Ref(u32::try_from(self.slots.len()).unwrap_or(u32::MAX))
    }

    pub fn remove(&mut self, r: Ref) -> Option<Object> {
        let i = r.0.checked_sub(1)?;
        let object = self.slots.get_mut(i as usize)?.take()?;
        self.account(&object, false);
        self.free.push(i);
        Some(object)
    }

    /// Replaces the native part of an object; its size may change.
    pub fn set_native(&mut self, r: Ref, state: NativeState) -> Result<(), VmError> {
        let object = self.get_mut(r)?;
        let before = object.persistent_bytes();
        match &mut object.kind {
            Kind::Instance { native, .. } => *native = state.boxed(),
            other => {
                return Err(VmError::Type {
                    expected: "an object".into(),
                    found: other.describe().into(),
                });
            }
        }
        let after = object.persistent_bytes();
        self.sums.persistent = (self.sums.persistent + after).saturating_sub(before);
        Ok(())
    }

    fn account(&mut self, object: &Object, add: bool) {
        let (reset, deselect) = object.transient_bytes();
        let change = |sum: &mut usize, by: usize| {
            *sum = if add {
                sum.saturating_add(by)
            } else {
                sum.saturating_sub(by)
            };
        };
        change(&mut self.sums.persistent, object.persistent_bytes());
        change(&mut self.sums.reset, reset);
        change(&mut self.sums.deselect, deselect);
    }

    /// Slots, used or not: what a walk over all objects costs.
    pub fn slots(&self) -> usize {
        self.slots.len()
    }

    pub fn sums(&self) -> Sums {
        self.sums
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
