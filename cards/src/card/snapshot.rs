//! Storing a card and reading it back.

use super::VirtualCard;

/// Version of the stored form; another one is refused.
const VERSION: u8 = 1;

/// Why bytes are no stored card.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// Stored by another version of this program.
    #[error("a stored card of version {VERSION} is expected, this is version {0:?}")]
    Version(Option<u8>),
    /// The bytes can't be read.
    #[error("the stored card can't be read: {0}")]
    Format(#[from] postcard::Error),
}

impl VirtualCard {
    /// The whole card as bytes. It holds keys: keep it like them. Secure channel sessions are not stored.
    ///
    /// # Errors
    /// [`SnapshotError::Format`] if it can't be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>, SnapshotError> {
        let mut bytes = vec![VERSION];
        bytes.extend(postcard::to_allocvec(self)?);
        Ok(bytes)
    }

    /// A card stored by [`VirtualCard::to_bytes`].
    ///
    /// # Errors
    /// [`SnapshotError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<VirtualCard, SnapshotError> {
        match bytes.split_first() {
            Some((&VERSION, rest)) => Ok(postcard::from_bytes(rest)?),
            other => Err(SnapshotError::Version(other.map(|(version, _)| *version))),
        }
    }
}
