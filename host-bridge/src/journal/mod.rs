//! The journal of a personalization run: which card is whose, what was begun, what was done.
//!
//! [`Journal`] is what a run asks of it, whatever keeps it: [`SqliteJournal`] in the output directory
//! of one station, [`PostgresJournal`] for several that share an order. Every step of every card is
//! recorded before it starts and after it ended, each record durable before the next APDU goes out:
//! after a `kill -9` or a power cut the journal says for each card: never touched, done, set aside, or
//! in the middle, and then of which step. It belongs to one order, one card definition and one job:
//! with others it is refused.
//!
//! Receipts live in it too: a card is done and its receipt has its place in the chain in one
//! transaction, so that neither is ever there without the other.

mod postgres;
mod sqlite;

pub use postgres::{
    Address, CardsOfStation, LeaseStatus, PostgresError, PostgresJournal, QueueOptions,
    QueueStatus, StationStatus,
};
pub use sqlite::SqliteJournal;

use crate::exit::{self, Exit, ExitCode};
use std::fs::File;
use std::path::{Path, PathBuf};

/// Where a card stands.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum CardState {
    /// Never touched.
    Pending,
    /// Begun, and not ended.
    Working,
    /// Personalized and verified.
    Done,
    /// Ended with an error.
    Failed,
}

impl CardState {
    /// Every state.
    pub const ALL: [CardState; 4] = [
        CardState::Pending,
        CardState::Working,
        CardState::Done,
        CardState::Failed,
    ];

    /// Name in the journal.
    pub fn name(self) -> &'static str {
        match self {
            CardState::Pending => "pending",
            CardState::Working => "working",
            CardState::Done => "done",
            CardState::Failed => "failed",
        }
    }

    /// The state of this name; [`CardState::Pending`] for a name that is none.
    pub fn from_name(name: &str) -> Self {
        let found = Self::ALL.into_iter().find(|state| state.name() == name);
        found.unwrap_or(CardState::Pending)
    }
}

/// How far a step came, over all runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Never begun.
    NotBegun,
    /// Begun; whether the card carried it out is for the card to say.
    Begun,
    /// Ended well.
    Ended,
}

impl Progress {
    /// From how often a step ended well; `None` where there is no record of it.
    fn of(ended: Option<i64>) -> Self {
        match ended {
            None => Progress::NotBegun,
            Some(0) => Progress::Begun,
            Some(_) => Progress::Ended,
        }
    }
}

/// A card's record.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct CardRecord {
    /// The card.
    pub eid: String,
    /// Where it stands.
    pub state: CardState,
    /// Times that it was begun.
    pub attempts: u32,
    /// Exit code and text of the last error.
    pub error: Option<(u8, String)>,
    /// The step that the last error was in.
    pub failed_step: Option<String>,
    /// When it was done, as the run's clock said.
    pub finished: Option<String>,
    /// Association token that its eUICC gave.
    pub token: Option<i64>,
    /// Reader that had it last.
    pub worker: Option<String>,
    /// Card production life cycle data that it showed, in hex; empty if it has none.
    pub chip: Option<String>,
}

/// A step of a card, over all runs.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct StepRecord {
    /// The card.
    pub eid: String,
    /// The step's name.
    pub step: String,
    /// Times that it was begun.
    pub begun: u32,
    /// Times that it ended well.
    pub ended: u32,
    /// What the last one did, in words.
    pub detail: Option<String>,
    /// Milliseconds that the last one took.
    pub took_ms: Option<u64>,
}

/// Why a card failed: what [`Journal::fail`] keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The error's class.
    pub exit: Exit,
    /// The error.
    pub error: String,
    /// The step that it was in.
    pub step: Option<String>,
    /// The last commands with their answers, one a line. Never a key: what a secure channel carried
    /// stands there as it went over the link.
    pub evidence: Vec<String>,
}

/// What a card that was seen in a reader is to the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// The reader's now: begun in the journal.
    Taken {
        /// Times that it was begun, this one counted.
        attempts: u32,
    },
    /// Not one of the order's cards.
    NotInOrder,
    /// Done.
    Done,
    /// Another reader or station is at work on a card with this EID.
    Busy {
        /// Its name.
        worker: String,
    },
    /// It shows other production life cycle data than the card that was begun with this EID.
    OtherChip {
        /// The first one's, in hex.
        expected: String,
    },
}

/// Which card a free hand may take next.
#[derive(Debug, Clone, Copy)]
pub struct Choice<'a> {
    /// The reader that the card will be in.
    pub worker: &'a str,
    /// Cards whose last error has one of these exit codes are left aside.
    pub set_aside: &'a [u8],
    /// Cards that this run had already.
    pub not: &'a [String],
}

/// New keys of a card: recorded before PUT KEY goes out, so that a card never has keys that nobody
/// can name.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Rotation {
    /// The key set that opened the secure channel: name.
    pub from: String,
    /// Its key version number.
    pub from_kvn: u8,
    /// The new key set: name.
    pub to: String,
    /// Its key version number.
    pub to_kvn: u8,
    /// Its check values (ENC, MAC, DEK) in hex.
    pub check_values: [String; 3],
    /// Where it comes from, in words.
    pub source: String,
    /// The card was seen to have it.
    pub confirmed: bool,
}

/// End of a station's chain of receipts.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ChainHead {
    /// The station.
    pub station: String,
    /// Number of the last receipt, from 1; 0 before the first.
    pub sequence: u64,
    /// Its hash in hex; before the first the order's digest.
    pub hash: String,
}

/// A receipt with its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The card.
    pub eid: String,
    /// Number in its station's chain, from 1.
    pub sequence: u64,
    /// Its hash in hex: the next receipt names it.
    pub hash: String,
    /// The whole receipt as it stands in its file.
    pub text: String,
}

/// Makes a receipt that follows a chain's head.
pub type Seal<'a> = dyn FnMut(&ChainHead) -> Result<Sealed, String> + 'a;

/// What a run asks of its journal.
///
/// Every call that records something returns when it is durable. Calls come from several threads.
/// A card is one worker's from [`Journal::claim`] to [`Journal::fail`], [`Journal::release`] or
/// [`Journal::finish`].
pub trait Journal: Send + Sync {
    /// The station whose receipts this journal chains.
    fn station(&self) -> &str;

    /// All cards in the order's sequence.
    ///
    /// # Errors
    /// [`JournalError`], here and below: the journal can't be read or written.
    fn cards(&self) -> Result<Vec<CardRecord>, JournalError>;

    /// Cards that are done.
    ///
    /// # Errors
    /// [`JournalError`].
    fn done(&self) -> Result<usize, JournalError>;

    /// Cards that are neither done nor failed and in the hands of other stations that live.
    ///
    /// # Errors
    /// [`JournalError`].
    fn elsewhere(&self) -> Result<usize, JournalError> {
        Ok(0)
    }

    /// A card's record.
    ///
    /// # Errors
    /// [`JournalError`].
    fn card(&self, eid: &str) -> Result<Option<CardRecord>, JournalError>;

    /// Reserves a card that is neither done nor in anybody's hands, for a worker that can have any
    /// (virtual cards), until it claims it or asks again. `None`: there is no such card.
    ///
    /// # Errors
    /// [`JournalError`].
    fn choose(&self, choice: &Choice<'_>) -> Result<Option<String>, JournalError>;

    /// A card was seen in a worker's reader: it becomes the worker's, or the answer says why not.
    /// `chip` is the production life cycle data that it shows, in hex.
    ///
    /// # Errors
    /// [`JournalError`].
    fn claim(&self, eid: &str, worker: &str, chip: &str) -> Result<Claim, JournalError>;

    /// A card was left at a step's boundary, to be gone on with by whoever sees it next.
    ///
    /// # Errors
    /// [`JournalError`].
    fn release(&self, eid: &str) -> Result<(), JournalError>;

    /// A card ended with an error.
    ///
    /// # Errors
    /// [`JournalError`].
    fn fail(&self, eid: &str, fault: &Fault) -> Result<(), JournalError>;

    /// The last commands and answers of a card that failed.
    ///
    /// # Errors
    /// [`JournalError`].
    fn evidence(&self, eid: &str) -> Result<Vec<String>, JournalError>;

    /// A step is about to start. An end recorded earlier stays.
    ///
    /// # Errors
    /// [`JournalError`].
    fn begin_step(&self, eid: &str, step: &str) -> Result<(), JournalError>;

    /// A step ended well.
    ///
    /// # Errors
    /// [`JournalError`].
    fn end_step(
        &self,
        eid: &str,
        step: &str,
        detail: &str,
        took_ms: u64,
    ) -> Result<(), JournalError>;

    /// How far a step came.
    ///
    /// # Errors
    /// [`JournalError`].
    fn progress(&self, eid: &str, step: &str) -> Result<Progress, JournalError>;

    /// All steps of all cards.
    ///
    /// # Errors
    /// [`JournalError`].
    fn steps(&self) -> Result<Vec<StepRecord>, JournalError>;

    /// The association token that a card's eUICC gave its eIM.
    ///
    /// # Errors
    /// [`JournalError`].
    fn set_token(&self, eid: &str, token: i64) -> Result<(), JournalError>;

    /// Records a card's new keys, or that it was seen to have them.
    ///
    /// # Errors
    /// [`JournalError`].
    fn set_rotation(&self, eid: &str, rotation: &Rotation) -> Result<(), JournalError>;

    /// The new keys that a card was to get, or has.
    ///
    /// # Errors
    /// [`JournalError`].
    fn rotation(&self, eid: &str) -> Result<Option<Rotation>, JournalError>;

    /// A card is done: `seal` makes its receipt for the chain's head as it is now, and receipt, head
    /// and card are recorded together. For a card that is done already the receipt that it has.
    ///
    /// # Errors
    /// [`JournalError`]; [`JournalError::Seal`] with the reason that `seal` gave.
    fn finish(&self, eid: &str, when: &str, seal: &mut Seal<'_>) -> Result<Sealed, JournalError>;

    /// The end of this station's chain.
    ///
    /// # Errors
    /// [`JournalError`].
    fn head(&self) -> Result<ChainHead, JournalError>;

    /// This station's receipts after the one with this number, in the chain's sequence.
    ///
    /// # Errors
    /// [`JournalError`].
    fn receipts(&self, after: u64) -> Result<Vec<Sealed>, JournalError>;
}

/// What an error of SQLite usually comes from.
fn hint(error: &rusqlite::Error) -> &'static str {
    use rusqlite::ErrorCode::{CannotOpen, DiskFull, ReadOnly, SystemIoFailure};
    match error.sqlite_error_code() {
        Some(DiskFull | SystemIoFailure) => ": is there space left on the disk?",
        Some(ReadOnly | CannotOpen) => ": can the folder be written?",
        _ => "",
    }
}

/// Why the journal can't be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// SQLite.
    #[error("journal {}: {source}{}", path.display(), hint(source))]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// The directory or lock file.
    #[error("failed to open {}: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Another process works with this journal.
    #[error("another process is personalizing into {}; wait for it, or choose another --out", .0.display())]
    Locked(PathBuf),
    /// The journal belongs to something else.
    #[error("{} holds the journal of another {what}: finish that one with its own command, or choose another --out", path.display())]
    Other {
        /// The directory.
        path: PathBuf,
        /// `order`, `card definition`, `job` or `station`.
        what: &'static str,
    },
    /// The journal is of another version of this tool.
    #[error("the journal in {} has format {found}, this tool writes {FORMAT}", path.display())]
    Format {
        /// The directory.
        path: PathBuf,
        /// What it says.
        found: String,
    },
    /// There is no journal.
    #[error("{} holds no journal: `ipae personalize run` makes one", .0.display())]
    None(PathBuf),
    /// A record that can't be read.
    #[error("journal {}: {what} can't be read: {problem}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// Which one.
        what: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// The queue.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// The receipt couldn't be made; the card stays as it was.
    #[error("no receipt for {eid}: {problem}")]
    Seal {
        /// The card.
        eid: String,
        /// Why not.
        problem: String,
    },
}

impl ExitCode for JournalError {
    fn exit(&self) -> Exit {
        match self {
            JournalError::Locked(_) => exit::LOCKED,
            JournalError::Open { .. } => exit::OUTPUT,
            JournalError::Postgres(e) => e.exit(),
            _ => exit::JOURNAL,
        }
    }
}

/// Takes the lock of an output directory: one process works there. The system lets go of it when the
/// process ends, however it ends.
fn lock(directory: &Path) -> Result<File, JournalError> {
    let open = |source| JournalError::Open {
        path: directory.to_owned(),
        source,
    };
    std::fs::create_dir_all(directory).map_err(open)?;
    let lock = File::create(directory.join("journal.lock")).map_err(open)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(std::fs::TryLockError::WouldBlock) => Err(JournalError::Locked(directory.to_owned())),
        Err(std::fs::TryLockError::Error(e)) => Err(open(e)),
    }
}

/// Version of the journal's form.
pub const FORMAT: &str = "3";

/// What a journal belongs to: digests in hex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Belongs {
    /// Of the order file.
    pub order: String,
    /// Of the card definition.
    pub definition: String,
    /// Of the job: what every card gets.
    pub job: String,
}
