//! What objects of API classes hold besides their Java fields.

use super::crypto::checksum::Checksum;
use super::crypto::digest::DigestState;
use super::crypto::key::{Key, PairState};
use super::crypto::state::{AgreementState, CipherState, SignatureState};
use super::value::Ref;
use serde::{Deserialize, Serialize};

/// Native part of an object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum NativeState {
    /// Nothing.
    None,
    /// An object of the card's own: the number that the card gave it.
    Tag(u32),
    /// Reason of a CardException or CardRuntimeException.
    Reason(i16),
    /// Bytes of an AID.
    Aid(Vec<u8>),
    Pin(Pin),
    /// javacard.security.RandomData by its algorithm; the source is the card's.
    Random(u8),
    Checksum(Checksum),
    Key(Key),
    Pair(PairState),
    Digest(DigestState),
    Signature(Box<SignatureState>),
    Agreement(AgreementState),
    Cipher(Box<CipherState>),
}

/// javacard.framework.OwnerPIN.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pin {
    pub value: Vec<u8>,
    pub max_size: u8,
    pub limit: u8,
    pub left: u8,
    /// In RAM: gone at reset.
    pub validated: bool,
}

impl NativeState {
    /// How an object holds it.
    pub fn boxed(self) -> Option<Box<NativeState>> {
        match self {
            NativeState::None => None,
            state => Some(Box::new(state)),
        }
    }

    /// Bytes that it takes on the card.
    pub fn size(&self) -> usize {
        match self {
            NativeState::None | NativeState::Tag(_) | NativeState::Random(_) => 0,
            NativeState::Reason(_) => 2,
            NativeState::Aid(aid) => aid.len(),
            NativeState::Pin(pin) => 4 + usize::from(pin.max_size),
            NativeState::Key(key) => key.size(),
            NativeState::Pair(_) => 6,
            NativeState::Digest(_) | NativeState::Checksum(_) => 8,
            NativeState::Signature(_) | NativeState::Agreement(_) | NativeState::Cipher(_) => 24,
        }
    }

    pub fn references(&self) -> Vec<Ref> {
        match self {
            NativeState::Pair(pair) => vec![pair.public, pair.private],
            NativeState::Signature(s) => vec![s.key],
            NativeState::Agreement(a) => vec![a.key],
            NativeState::Cipher(c) => vec![c.key],
            _ => Vec::new(),
        }
    }

    pub fn forget(&mut self, gone: &dyn Fn(Ref) -> bool) {
        let slots: Vec<&mut Ref> = match self {
            NativeState::Pair(pair) => vec![&mut pair.public, &mut pair.private],
            NativeState::Signature(s) => vec![&mut s.key],
            NativeState::Agreement(a) => vec![&mut a.key],
            NativeState::Cipher(c) => vec![&mut c.key],
            _ => Vec::new(),
        };
        for r in slots {
            if gone(*r) {
                *r = Ref::NULL;
            }
        }
    }

    /// What a loss of power does to it: working state in RAM is gone. Signatures, ciphers and key agreements
    /// keep the key that they were initialised with (API, class descriptions).
    pub fn reset(&mut self) {
        match self {
            NativeState::Pin(pin) => pin.validated = false,
            NativeState::Key(key) => key.reset(),
            NativeState::Digest(d) => d.reset(),
            NativeState::Checksum(sum) => *sum = Checksum::new(sum.long),
            NativeState::Signature(s) => s.restart(),
            NativeState::Cipher(c) => c.reset(),
            _ => {}
        }
    }

    /// What deselection does to it: a key that is cleared on deselect is gone.
    pub fn deselect(&mut self) {
        if let NativeState::Key(key) = self {
            key.deselect();
        }
    }
}
