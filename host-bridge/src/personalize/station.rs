//! Where cards come from.

use super::batch::Supply;
use super::error::PersonalizeError;
use super::event::Event;
use crate::transport::CardLink;
use crate::transport::pcsc::{PcscLink, wait_for_change};

/// A card that is ready.
pub struct Presented {
    /// The way to it.
    pub link: Box<dyn CardLink>,
    /// The EID it must have, where the station knows (virtual cards).
    pub expected: Option<String>,
}

/// Presents cards one after the other: one reader, with a thread of its own in the run.
pub trait Station: Send {
    /// The reader's name, in the journal and in every event; no two of a run have the same.
    fn name(&self) -> String;

    /// The next card; `None` if no more come.
    ///
    /// # Errors
    /// [`PersonalizeError`]: one of the link ends this reader's part in the run, any other the run.
    fn next(&mut self, supply: &mut Supply<'_>) -> Result<Option<Presented>, PersonalizeError>;
}

/// Cards in a PC/SC reader: the one that is in it, or with [`ReaderStation::wait`] one after the other as
/// they are changed.
pub struct ReaderStation {
    reader: String,
    presented: bool,
    /// Wait for the card to be changed.
    pub wait: bool,
}

impl ReaderStation {
    /// A station at a reader, by name or unique part of it.
    pub fn new(reader: &str) -> Self {
        ReaderStation {
            reader: reader.to_owned(),
            presented: false,
            wait: false,
        }
    }
}

impl Station for ReaderStation {
    fn name(&self) -> String {
        self.reader.clone()
    }

    fn next(&mut self, supply: &mut Supply<'_>) -> Result<Option<Presented>, PersonalizeError> {
        if self.presented {
            if !self.wait {
                return Ok(None);
            }
            supply.tell(Event::Insert)?;
            wait_for_change(&self.reader)?;
        }
        self.presented = true;
        let link = PcscLink::open(&self.reader)?;
        Ok(Some(Presented {
            link: Box::new(link),
            expected: None,
        }))
    }
}
