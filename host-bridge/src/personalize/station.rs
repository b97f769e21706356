//! Where cards come from.

use super::error::PersonalizeError;
use crate::order::OrderRow;
use crate::transport::CardLink;
use crate::transport::pcsc::{PcscLink, wait_for_change};

/// A card that is ready.
pub struct Presented {
    /// The way to it.
    pub link: Box<dyn CardLink>,
    /// The EID it must have, where the station knows (virtual cards).
    pub expected: Option<String>,
}

/// Presents cards one after the other.
pub trait Station {
    /// The next card for one of these rows; `None` if no more come.
    ///
    /// # Errors
    /// [`PersonalizeError`]: ends the run.
    fn next(&mut self, pending: &[&OrderRow]) -> Result<Option<Presented>, PersonalizeError>;
}

/// Cards in PC/SC readers: each reader's card once, or with [`ReaderStation::wait`] one after the
/// other as they are changed.
pub struct ReaderStation {
    readers: Vec<String>,
    next: usize,
    /// Wait for the card to be changed when all readers have had their turn.
    pub wait: bool,
}

impl ReaderStation {
    /// A station over these readers, by name or unique part of it.
    pub fn new(readers: Vec<String>) -> Self {
        ReaderStation {
            readers,
            next: 0,
            wait: false,
        }
    }
}

impl Station for ReaderStation {
    fn next(&mut self, _: &[&OrderRow]) -> Result<Option<Presented>, PersonalizeError> {
        let Some(turn) = self.next.checked_rem(self.readers.len()) else {
            return Ok(None);
        };
        let Some(reader) = self.readers.get(turn) else {
            return Ok(None);
        };
        if self.next >= self.readers.len() {
            if !self.wait {
                return Ok(None);
            }
            wait_for_change(reader)?;
        }
        self.next += 1;
        let link = PcscLink::open(reader)?;
        Ok(Some(Presented {
            link: Box::new(link),
            expected: None,
        }))
    }
}
