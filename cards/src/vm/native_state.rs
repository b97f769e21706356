//! What objects of API classes hold besides their Java fields.

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
}
