//! Personalization: an order, a card definition and an applet become cards that obey their eIM.
//!
//! [`run`] works through an order. For each card: who it is, SCP03 (one attempt), whether there is room,
//! then the steps of the [`Job`]; then a receipt. Each step asks the
//! card what it holds before it changes anything, and the [`journal`](crate::journal) says what was
//! begun: so that the same command after a `kill -9`, a power cut or a card pulled out goes on where
//! it stopped, and does nothing twice.
//!
//! Cards come from [`Station`]s, each with a thread of its own: readers, or [`VirtualStation`]s, which make
//! them from the order.

mod applet;
mod batch;
mod card;
mod error;
mod es10;
mod event;
mod evidence;
mod hook;
pub mod job;
mod output;
pub mod receipt;
mod retry;
mod station;
mod virtual_station;

pub use crate::transport::VirtualLink;
pub use applet::Applet;
pub use batch::{Batch, Supply};
pub use error::PersonalizeError;
pub use es10::{Es10, Es10Error};
pub(crate) use event::emit;
pub use event::{Event, Notice, Observer, RunObserver};
pub use hook::{Hook, HookError, OnHookFailure};
pub use job::{Job, JobError, JobFile};
pub use output::ResponseRow;
pub use receipt::{Receipt, Signer};
pub use retry::{RETRY, Retry, retry, retry_help};
pub use station::{Presented, ReaderStation, Station};
pub use virtual_station::VirtualStation;

use crate::exit;
use crate::gp::{Attempts, Permission};
use crate::journal::Journal;
use crate::order::{Order, OrderRow};
use crate::transport::Traffic;
use cards::definition::Definition;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Fills a slice with random bytes, or says why it can't.
pub type RandomSource = Arc<dyn Fn(&mut [u8]) -> Result<(), String> + Send + Sync>;

/// How to run.
#[derive(Clone)]
pub struct Options {
    /// Output directory: journal, receipts, response file.
    pub out: PathBuf,
    /// Stop at the first card that fails.
    pub stop_on_error: bool,
    /// Replace a package of the same AID that these runs did not load. Deletes it and its instances.
    pub replace_foreign: bool,
    /// The operator let keys of cards into this computer's memory where the HSM can't do without.
    pub keys_in_host: bool,
    /// Try cards again that were set aside for any other reason.
    pub retry_failed: bool,
    /// Try cards again that refused EXTERNAL AUTHENTICATE in an earlier run. Each try counts on the card.
    pub retry_authentication: bool,
    /// The record of authentication attempts. What it permits follows from `retry_authentication`.
    pub attempts: Attempts,
    /// Random bytes for host challenges.
    pub random: RandomSource,
    /// The time, as text for receipts (RFC 3339).
    pub clock: Arc<dyn Fn() -> String + Send + Sync>,
    /// Whether to stop: each card at its next step.
    pub stop: Arc<dyn Fn() -> bool + Send + Sync>,
    /// Name of the station, in its receipts.
    pub station: String,
    /// What to run for each card that ended.
    pub hook: Option<Hook>,
    /// The key that signs receipts; made if it isn't there.
    pub receipt_key: PathBuf,
}

impl Options {
    /// Options with the system's randomness and clock; authentication attempts are recorded in `out`.
    pub fn new(out: &Path) -> Self {
        Options {
            out: out.to_owned(),
            stop_on_error: false,
            replace_foreign: false,
            keys_in_host: false,
            retry_failed: false,
            retry_authentication: false,
            attempts: Attempts::at(out.join("attempts.sqlite")),
            random: Arc::new(|bytes| getrandom::fill(bytes).map_err(|e| e.to_string())),
            clock: Arc::new(|| jiff::Timestamp::now().to_string()),
            stop: Arc::new(|| false),
            station: "station".to_owned(),
            hook: None,
            receipt_key: out.join(Signer::FILE),
        }
    }

    /// The record of authentication attempts, with what this run may do although a try was spent.
    fn attempts(&self) -> Attempts {
        let mut attempts = self.attempts.clone();
        attempts.permit(match self.retry_authentication {
            true => Permission::Spend,
            // A run that was killed between EXTERNAL AUTHENTICATE and its answer goes on by itself.
            false => Permission::Resume,
        });
        attempts
    }

    /// Exit codes of errors after which a card isn't tried again.
    fn set_aside(&self) -> Vec<u8> {
        let mut codes = retry::set_aside(self.retry_failed, self.retry_authentication);
        // A foreign package that may be replaced is the operator's answer to a refusal.
        codes.retain(|code| !(self.replace_foreign && *code == exit::CARD_REFUSED.code));
        codes
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
    /// Of these, in the hands of other stations.
    pub elsewhere: usize,
    /// What went over the links in this run.
    pub traffic: Traffic,
    /// Exit code of the run: 0 if all cards are done, else the first failed card's.
    pub exit_code: u8,
}

/// A card to be personalized, and with what.
pub(crate) struct Task<'a> {
    pub definition: &'a Definition,
    pub job: &'a Job,
    pub row: &'a OrderRow,
    pub attempts: u32,
    pub journal: &'a dyn Journal,
    pub order_digest: &'a str,
    pub replace_foreign: bool,
    pub keys_in_host: bool,
    pub signer: &'a Signer,
    pub reader: &'a str,
}

/// Personalizes the cards of an order that are not done yet, with the journal in the output directory.
///
/// # Errors
/// As [`Batch::run`], and those of the journal.
pub fn run(
    order: &Order,
    definition: &Definition,
    job: &Job,
    stations: Vec<&mut dyn Station>,
    options: &Options,
    observer: &mut RunObserver<'_>,
) -> Result<Outcome, PersonalizeError> {
    let batch = Batch::new(order, definition, job)?;
    let journal = batch.journal(options)?;
    batch.run(&journal, stations, options, observer)
}

#[cfg(test)]
mod tests;
