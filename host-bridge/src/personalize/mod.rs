//! Personalization: an order, a card definition and an applet become cards that obey their eIM.
//!
//! [`run`] works through an order. For each card: who it is, SCP03 (one attempt), whether the applet
//! fits, load, install, configuration, eIM entry, all read back; then a receipt. Each step asks the
//! card what it holds before it changes anything, and the [`journal`](crate::journal) says what was
//! begun: so that the same command after a `kill -9`, a power cut or a card pulled out goes on where
//! it stopped, and does nothing twice.
//!
//! Cards come from a [`Station`]: a reader, or [`VirtualStation`], which makes them from the order.

mod applet;
mod card;
mod error;
mod es10;
mod output;
mod station;
mod virtual_station;

pub use crate::transport::VirtualLink;
pub use applet::Applet;
pub use error::PersonalizeError;
pub use es10::{Es10, Es10Error};
pub use output::{Receipt, ResponseRow};
pub use station::{Presented, ReaderStation, Station};
pub use virtual_station::VirtualStation;

use crate::exit::{self, Exit, ExitCode};
use crate::journal::{Belongs, CardState, Journal, Step};
use crate::order::{Order, OrderRow};
use crate::transport::{Counted, Traffic};
use cards::definition::Definition;
use sha2::{Digest, Sha256};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// What happens, for progress bars and logs. Never holds a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The run starts: cards in the order, cards done by earlier runs.
    Started {
        /// Cards in the order.
        cards: usize,
        /// Done before.
        done: usize,
    },
    /// A card is in the reader or made.
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
    StepBegun(Step),
    /// A step ended well; what it did, in words.
    StepEnded(Step, String),
    /// LOAD blocks sent, of all.
    Loading(usize, usize),
    /// A card is done.
    CardDone {
        /// Its EID.
        eid: String,
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
}

/// What to do after an [`Event`]: `Break` stops at once, as a `kill` would; the next run resumes.
pub type Observer<'a> = dyn FnMut(&Event) -> ControlFlow<()> + 'a;

/// Fills a slice with random bytes, or says why it can't.
pub type RandomSource = Box<dyn FnMut(&mut [u8]) -> Result<(), String>>;

/// How to run.
pub struct Options {
    /// Output directory: journal, receipts, response file.
    pub out: PathBuf,
    /// Stop at the first card that fails.
    pub stop_on_error: bool,
    /// Replace a package of the same AID that these runs did not load. Deletes it and its instances.
    pub replace_foreign: bool,
    /// Try cards again that refused EXTERNAL AUTHENTICATE in an earlier run. Each try counts on the card.
    pub retry_authentication: bool,
    /// Random bytes for host challenges.
    pub random: RandomSource,
    /// The time, as text for receipts (RFC 3339).
    pub clock: Box<dyn Fn() -> String>,
}

impl Options {
    /// Options with the system's randomness and clock.
    pub fn new(out: &Path) -> Self {
        Options {
            out: out.to_owned(),
            stop_on_error: false,
            replace_foreign: false,
            retry_authentication: false,
            random: Box::new(|bytes| getrandom::fill(bytes).map_err(|e| e.to_string())),
            clock: Box::new(|| jiff::Timestamp::now().to_string()),
        }
    }
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Outcome {
    /// Cards in the order.
    pub cards: usize,
    /// Done, by this run and earlier ones.
    pub done: usize,
    /// Done by this run.
    pub done_now: usize,
    /// Failed.
    pub failed: usize,
    /// Neither done nor failed.
    pub pending: usize,
    /// What went over the links in this run.
    pub traffic: Traffic,
    /// Exit code of the run: 0 if all cards are done, else the first failed card's.
    pub exit_code: u8,
}

/// What a card is personalized with.
pub(crate) struct Job<'a> {
    pub definition: &'a Definition,
    pub applet: &'a Applet,
    pub row: &'a OrderRow,
    pub journal: &'a Journal,
    pub order_digest: &'a str,
    pub replace_foreign: bool,
}

/// Personalizes the cards of an order that are not done yet.
///
/// # Errors
/// [`PersonalizeError`] for what stops the whole run; a card's own error goes to its journal entry,
/// the response file and [`Outcome::exit_code`].
pub fn run(
    order: &Order,
    definition: &Definition,
    applet: &Applet,
    station: &mut dyn Station,
    options: &mut Options,
    observer: &mut Observer<'_>,
) -> Result<Outcome, PersonalizeError> {
    applet.fits(definition)?;
    let text = serde_json::to_vec(definition).unwrap_or_default();
    let belongs = Belongs {
        order: order.digest.clone(),
        definition: hex::encode(Sha256::digest(&text)),
        applet: applet.digest.clone(),
    };
    let eids = order.rows.iter().map(|row| row.eid.to_string());
    let journal = Journal::open(&options.out, &belongs, eids)?;
    let mut traffic = Traffic::default();
    let mut done_now = 0;
    let records = journal.cards()?;
    let done = records
        .iter()
        .filter(|c| c.state == CardState::Done)
        .count();
    emit(
        observer,
        Event::Started {
            cards: records.len(),
            done,
        },
    )?;
    let mut touched: Vec<String> = Vec::new();
    loop {
        let open = pending(order, &journal, options, &touched)?;
        if open.is_empty() {
            break;
        }
        let Some(presented) = station.next(&open)? else {
            break;
        };
        let mut link = Counted::new(presented.link);
        let ended = one(
            order,
            definition,
            applet,
            &journal,
            presented.expected,
            &mut link,
            options,
            observer,
        );
        let sent = link.traffic;
        traffic.apdus += sent.apdus;
        traffic.sent += sent.sent;
        traffic.received += sent.received;
        let (eid, result) = ended?;
        touched.push(eid.clone());
        match result {
            Ok(()) => {
                done_now += 1;
                emit(observer, Event::CardDone { eid })?;
            }
            Err(error) => {
                let (exit, error) = (error.exit(), error.to_string());
                journal.fail_card(&eid, exit, &error)?;
                emit(observer, Event::CardFailed { eid, exit, error })?;
                if options.stop_on_error {
                    break;
                }
            }
        }
    }
    let records = journal.cards()?;
    output::write_responses(&options.out, &records)?;
    let count = |state| records.iter().filter(|c| c.state == state).count();
    let (done, failed) = (count(CardState::Done), count(CardState::Failed));
    let first = records
        .iter()
        .find_map(|c| c.error.as_ref().map(|(code, _)| *code));
    let pending = records.len() - done - failed;
    Ok(Outcome {
        cards: records.len(),
        done,
        done_now,
        failed,
        pending,
        traffic,
        exit_code: first.unwrap_or(if pending > 0 {
            exit::INTERRUPTED.code
        } else {
            0
        }),
    })
}

/// The rows that this run has still to do.
fn pending<'a>(
    order: &'a Order,
    journal: &Journal,
    options: &Options,
    touched: &[String],
) -> Result<Vec<&'a OrderRow>, PersonalizeError> {
    let mut open = Vec::new();
    for record in journal.cards()? {
        let refused =
            matches!(&record.error, Some((code, _)) if *code == exit::NOT_AUTHENTICATED.code);
        if record.state == CardState::Done
            || refused && !options.retry_authentication
            || touched.contains(&record.eid)
        {
            continue;
        }
        open.extend(order.row(&record.eid));
    }
    Ok(open)
}

/// Hands an event to the observer.
pub(crate) fn emit(observer: &mut Observer<'_>, event: Event) -> Result<(), PersonalizeError> {
    match observer(&event) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(PersonalizeError::Interrupted),
    }
}

/// One card. The outer result is for what stops the run.
#[expect(clippy::too_many_arguments, reason = "the run's parts, passed once")]
fn one(
    order: &Order,
    definition: &Definition,
    applet: &Applet,
    journal: &Journal,
    expected: Option<String>,
    link: &mut Counted<Box<dyn crate::transport::CardLink>>,
    options: &mut Options,
    observer: &mut Observer<'_>,
) -> Result<(String, Result<(), PersonalizeError>), PersonalizeError> {
    use crate::transport::CardLink;
    let name = link.name();
    let identity = card::identify(link, definition);
    let eid = match (&identity, &expected) {
        (Ok(identity), _) => identity.eid.clone(),
        // A virtual card that doesn't say who it is still has a row to be blamed on.
        (Err(_), Some(eid)) => eid.clone(),
        (Err(_), None) => {
            return match identity {
                Err(error) => Err(error),
                Ok(identity) => Err(PersonalizeError::NotInOrder { eid: identity.eid }),
            };
        }
    };
    let Some(row) = order.row(&expected.clone().unwrap_or_else(|| eid.clone())) else {
        return Err(PersonalizeError::NotInOrder { eid });
    };
    let eid = row.eid.to_string();
    let before = journal.card(&eid)?;
    if before
        .as_ref()
        .is_some_and(|card| card.state == CardState::Done)
    {
        return Err(PersonalizeError::AlreadyDone { eid });
    }
    emit(
        observer,
        Event::Card {
            eid: eid.clone(),
            link: name,
            resumed: before.is_some_and(|card| card.attempts > 0),
        },
    )?;
    journal.begin_card(&eid)?;
    let job = Job {
        definition,
        applet,
        row,
        journal,
        order_digest: &order.digest,
        replace_foreign: options.replace_foreign,
    };
    let result =
        identity.and_then(|identity| card::personalize(&job, identity, link, options, observer));
    match result {
        Err(error) if error.stops_run() => Err(error),
        result => Ok((eid, result)),
    }
}

#[cfg(test)]
mod tests;
