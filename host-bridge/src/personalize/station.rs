//! Where cards come from.

use super::batch::Supply;
use super::error::PersonalizeError;
use super::event::Event;
use crate::transport::pcsc::{self, Event as WatchEvent, PcscLink, Watch};
use crate::transport::{CardLink, LinkError};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

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

/// How long a station that waits for a card may take to see that the run is to stop.
const TICK: Duration = Duration::from_millis(250);
/// How long another program may have a card that was just put in: desktops look at each.
const BUSY: Duration = Duration::from_secs(5);
/// How often it looks whether the run is over: that asks the journal.
const LOOK: Duration = Duration::from_secs(1);

/// Cards in a PC/SC reader: the one that is in it, or with [`ReaderStation::wait`] one after the other as
/// they are changed.
///
/// A station that waits waits for the reader and the PC/SC service, too, once it has seen them. What is
/// in the reader when they are there again is presented: who it is, the run finds out.
pub struct ReaderStation {
    /// As the operator named it.
    reader: String,
    presented: bool,
    /// The reader's whole name, of a station that waits.
    whole: String,
    watch: Watch,
    /// Wait for the card to be changed.
    pub wait: bool,
}

impl ReaderStation {
    /// A station at a reader, by name or unique part of it.
    pub fn new(reader: &str) -> Self {
        ReaderStation {
            reader: reader.to_owned(),
            presented: false,
            whole: String::new(),
            watch: Watch::new(),
            wait: false,
        }
    }

    /// Waits until a card is put into the reader; false when none is wanted any more.
    fn card_in(&mut self, supply: &Supply<'_>) -> Result<bool, PersonalizeError> {
        let never = AtomicBool::new(false);
        let mut looked = Instant::now();
        loop {
            if supply.stopped() {
                return Err(PersonalizeError::Interrupted);
            }
            if looked.elapsed() >= LOOK {
                if supply.over()? {
                    return Ok(false);
                }
                looked = Instant::now();
            }
            match self.watch.next(TICK, &never) {
                Some(WatchEvent::CardIn { reader, .. }) if reader == self.whole => return Ok(true),
                _ => {}
            }
        }
    }

    /// Takes the card; another program may have it for a moment.
    fn open(&self, supply: &Supply<'_>) -> Result<PcscLink, LinkError> {
        let begun = Instant::now();
        loop {
            match PcscLink::open(&self.whole) {
                Err(LinkError::Busy { .. }) if begun.elapsed() < BUSY && !supply.stopped() => {
                    std::thread::sleep(TICK);
                }
                other => return other,
            }
        }
    }

    /// The card that is put in next.
    fn changed(&mut self, supply: &mut Supply<'_>) -> Result<Option<PcscLink>, PersonalizeError> {
        let mut told = false;
        if !self.presented {
            // From here on it is waited for this reader and no other.
            self.whole = pcsc::whole_name(&self.reader)?;
            let never = AtomicBool::new(false);
            let there = self.watch.card_in(&self.whole, Duration::ZERO, &never);
            told = there.is_some();
        }
        loop {
            if !core::mem::replace(&mut told, true) {
                supply.tell(Event::Insert)?;
            }
            if !self.card_in(supply)? {
                return Ok(None);
            }
            match self.open(supply) {
                Ok(link) => return Ok(Some(link)),
                // Gone again, or not in well: the watch tells what comes next.
                Err(
                    LinkError::NoService(_)
                    | LinkError::ServiceLost(_)
                    | LinkError::NoReader
                    | LinkError::UnknownReader { .. }
                    | LinkError::ReaderGone(_)
                    | LinkError::NoCard(_)
                    | LinkError::Removed(_)
                    | LinkError::Mute { .. },
                ) => told = false,
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Station for ReaderStation {
    fn name(&self) -> String {
        self.reader.clone()
    }

    fn next(&mut self, supply: &mut Supply<'_>) -> Result<Option<Presented>, PersonalizeError> {
        let link = match (self.wait, self.presented) {
            (true, _) => self.changed(supply)?,
            (false, false) => Some(PcscLink::open(&self.reader)?),
            (false, true) => None,
        };
        self.presented = true;
        Ok(link.map(|link| Presented {
            link: Box::new(link),
            expected: None,
        }))
    }
}
