//! Key objects.

use super::super::value::Ref;
use super::curve::{Domain, PARAMETERS};
use crate::definition::Curve;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum KeyKind {
    Aes,
    Des,
    Hmac,
    EcPublic,
    EcPrivate,
}

/// How long a key keeps its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Lifetime {
    Persistent,
    Reset,
    Deselect,
}

/// A key object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Key {
    pub kind: KeyKind,
    /// KeyBuilder.TYPE_*.
    pub type_: u8,
    pub bits: i16,
    /// Secret, scalar, or uncompressed point; empty if not set.
    pub value: Vec<u8>,
    /// Whose field, A, B, G and R were set, each for itself: an applet may set them in any order.
    pub parameters: [Option<Curve>; PARAMETERS],
    pub lifetime: Lifetime,
}

impl Key {
    pub fn new(kind: KeyKind, type_: u8, bits: i16, lifetime: Lifetime) -> Self {
        Key {
            kind,
            type_,
            bits,
            value: Vec::new(),
            parameters: [None; PARAMETERS],
            lifetime,
        }
    }

    /// Bytes that it takes on the card.
    pub fn size(&self) -> usize {
        let bytes = usize::from(self.bits.unsigned_abs()).div_ceil(8);
        8 + bytes * if self.kind == KeyKind::EcPublic { 2 } else { 1 }
    }

    /// The curve whose parameters are all set.
    pub fn curve(&self) -> Option<Curve> {
        let [first, ..] = self.parameters;
        first.filter(|_| self.parameters.iter().all(|set| *set == first))
    }

    pub fn set_curve(&mut self, curve: Curve) {
        self.parameters = [Some(curve); PARAMETERS];
    }

    /// The domain that a set parameter belongs to.
    pub fn parameter(&self, index: usize) -> Option<&'static Domain> {
        let curve = self.parameters.get(index).copied().flatten()?;
        Domain::of(curve)
    }

    pub fn is_initialized(&self) -> bool {
        let elliptic = matches!(self.kind, KeyKind::EcPublic | KeyKind::EcPrivate);
        !self.value.is_empty() && (!elliptic || self.curve().is_some())
    }

    pub fn reset(&mut self) {
        if self.lifetime != Lifetime::Persistent {
            self.value.clear();
        }
    }

    pub fn deselect(&mut self) {
        if self.lifetime == Lifetime::Deselect {
            self.value.clear();
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PairState {
    pub public: Ref,
    pub private: Ref,
}
