//! What happens in a run, for progress bars, screens, line controllers and logs.

use super::error::PersonalizeError;
use crate::exit::Exit;
use serde::Serialize;
use std::ops::ControlFlow;

/// What happens. Never holds a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The run starts.
    Started {
        /// Cards in the order.
        cards: usize,
        /// Done before.
        done: usize,
        /// Keys of cards may be in this computer's memory where the HSM can't do without.
        keys_in_host: bool,
    },
    /// The reader waits for a card to be put in, after the one in it was taken out.
    Insert,
    /// A card of the order is in the reader or made.
    Card {
        /// Its EID.
        eid: String,
        /// Reader or virtual card.
        link: String,
        /// It was begun by an earlier run.
        resumed: bool,
    },
    /// Before the first cryptogram: the key set that will be used.
    KeySet {
        /// Name in the order.
        name: String,
        /// Key version number.
        kvn: u8,
        /// Key check values of ENC, MAC and DEK in hex.
        check_values: [String; 3],
    },
    /// The card's cryptogram fits the key set; EXTERNAL AUTHENTICATE follows.
    KeysFit,
    /// A step starts.
    StepBegun {
        /// Its name.
        step: String,
    },
    /// A step ended well.
    StepEnded {
        /// Its name.
        step: String,
        /// What it did, in words.
        detail: String,
    },
    /// LOAD blocks sent, of all.
    Loading {
        /// Sent so far.
        block: usize,
        /// All of the load file.
        of: usize,
    },
    /// A card is done and has its receipt.
    CardDone {
        /// Its EID.
        eid: String,
        /// Number of its receipt in the station's chain.
        sequence: u64,
    },
    /// A card ended with an error; the run goes on with the next.
    CardFailed {
        /// Its EID.
        eid: String,
        /// Exit code of the error.
        exit: Exit,
        /// The error.
        error: String,
    },
    /// The card in the reader is not for this run: another order's, done already, set aside, or it
    /// doesn't say who it is. Nothing was changed on it.
    CardRefused {
        /// Its EID, if it told one.
        eid: Option<String>,
        /// Exit code of the reason.
        exit: Exit,
        /// The reason.
        error: String,
    },
    /// The hook failed for a card that ended; the card stays as it is.
    HookFailed {
        /// Its EID.
        eid: String,
        /// The error.
        error: String,
    },
    /// A reader can't go on; the others do.
    ReaderLost {
        /// Exit code of the reason.
        exit: Exit,
        /// The reason.
        error: String,
    },
}

/// An event, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// When, as the run's clock says (RFC 3339).
    pub at: String,
    /// The reader; empty for what concerns the whole run.
    pub reader: String,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What to do after an [`Event`] of one card: `Break` stops at once, as a `kill` would; the next run
/// resumes.
pub type Observer<'a> = dyn FnMut(&Event) -> ControlFlow<()> + 'a;

/// The same for all readers of a run. It is called from their threads, by one at a time.
pub type RunObserver<'a> = dyn FnMut(&Notice) -> ControlFlow<()> + Send + 'a;

/// Hands an event to the observer.
pub(crate) fn emit(observer: &mut Observer<'_>, event: Event) -> Result<(), PersonalizeError> {
    match observer(&event) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(PersonalizeError::Interrupted),
    }
}
