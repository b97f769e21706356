//! Storing a card and reading it back, as JSON: what the eUICC's profiles are described in, too.

use super::VirtualCard;
use serde::{Deserialize, Serialize};

/// Version of the stored form; another one is refused.
const VERSION: u32 = 5;

/// Why bytes are no stored card.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// Stored by another version of this program.
    #[error(
        "a stored card of version {VERSION} is expected, this is version {0}: make and personalize the card again"
    )]
    Version(u32),
    /// The bytes can't be read.
    #[error("the stored card can't be read: {0}")]
    Format(#[from] serde_json::Error),
}

#[derive(Deserialize)]
struct Head {
    version: u32,
}

#[derive(Serialize, Deserialize)]
struct Stored<C> {
    version: u32,
    card: C,
}

impl VirtualCard {
    /// The whole card as bytes. It holds keys: keep it like them. Secure channel sessions are not stored.
    ///
    /// # Errors
    /// [`SnapshotError::Format`] if it can't be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>, SnapshotError> {
        Ok(serde_json::to_vec(&Stored {
            version: VERSION,
            card: self,
        })?)
    }

    /// A card stored by [`VirtualCard::to_bytes`].
    ///
    /// # Errors
    /// [`SnapshotError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<VirtualCard, SnapshotError> {
        let Head { version } = serde_json::from_slice(bytes)?;
        if version != VERSION {
            return Err(SnapshotError::Version(version));
        }
        Ok(serde_json::from_slice::<Stored<VirtualCard>>(bytes)?.card)
    }
}
