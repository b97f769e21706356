//! The journal of a personalization run: what was begun and what was done, in SQLite.
//!
//! Every step of every card is recorded before it starts and after it ended, each record committed
//! to disk before the next APDU (WAL, `synchronous = FULL`). After a `kill -9` the journal says for
//! each card: never touched, done, or in the middle, and then of which step. It belongs to one
//! order, one card definition and one applet: with others it is refused.

use crate::exit::{self, Exit, ExitCode};
use rusqlite::{Connection, OptionalExtension, params};
use std::fs::File;
use std::path::{Path, PathBuf};

/// A step of a card's personalization, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// The card's EID and life cycle data were read.
    Identify,
    /// SCP03 with the order's key set.
    Authenticate,
    /// Memory and imports were compared with what the applet needs.
    Check,
    /// The package is loaded.
    Load,
    /// The applet is installed.
    Install,
    /// The applet's configuration is stored.
    Configure,
    /// The eUICC knows its eIM.
    AddEim,
    /// All was read back and compared.
    Verify,
}

impl Step {
    /// All steps, in order.
    pub const ALL: [Step; 8] = [
        Step::Identify,
        Step::Authenticate,
        Step::Check,
        Step::Load,
        Step::Install,
        Step::Configure,
        Step::AddEim,
        Step::Verify,
    ];

    /// Name in the journal, receipts and messages.
    pub fn name(self) -> &'static str {
        match self {
            Step::Identify => "identify",
            Step::Authenticate => "authenticate",
            Step::Check => "check",
            Step::Load => "load",
            Step::Install => "install",
            Step::Configure => "configure",
            Step::AddEim => "add-eim",
            Step::Verify => "verify",
        }
    }
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Where a card stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
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
    fn name(self) -> &'static str {
        match self {
            CardState::Pending => "pending",
            CardState::Working => "working",
            CardState::Done => "done",
            CardState::Failed => "failed",
        }
    }

    fn from_name(name: &str) -> Self {
        match name {
            "working" => CardState::Working,
            "done" => CardState::Done,
            "failed" => CardState::Failed,
            _ => CardState::Pending,
        }
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

/// A card's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardRecord {
    /// The card.
    pub eid: String,
    /// Where it stands.
    pub state: CardState,
    /// Runs that touched it.
    pub attempts: u32,
    /// Exit code and text of the last error.
    pub error: Option<(u8, String)>,
    /// When it was done, as the run's clock said.
    pub finished: Option<String>,
    /// Association token that its eUICC gave.
    pub token: Option<i64>,
}

/// Why the journal can't be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// SQLite.
    #[error("journal {}: {source}", path.display())]
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
        /// `order`, `card definition` or `applet`.
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
}

impl ExitCode for JournalError {
    fn exit(&self) -> Exit {
        match self {
            JournalError::Locked(_) => exit::LOCKED,
            JournalError::Open { .. } => exit::OUTPUT,
            _ => exit::JOURNAL,
        }
    }
}

const FORMAT: &str = "1";

/// What a journal belongs to: digests in hex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Belongs {
    /// Of the order file.
    pub order: String,
    /// Of the card definition.
    pub definition: String,
    /// Of the CAP file.
    pub applet: String,
}

/// An open journal. The lock on its directory lives as long.
pub struct Journal {
    db: Connection,
    path: PathBuf,
    _lock: File,
}

impl Journal {
    /// File name in the output directory.
    pub const FILE: &'static str = "journal.sqlite";

    /// Opens or creates the journal of an output directory, and enters the order's cards.
    ///
    /// # Errors
    /// [`JournalError`]: in use, of another order, not readable.
    pub fn open(
        directory: &Path,
        belongs: &Belongs,
        eids: impl IntoIterator<Item = String>,
    ) -> Result<Self, JournalError> {
        let open = |source| JournalError::Open {
            path: directory.to_owned(),
            source,
        };
        std::fs::create_dir_all(directory).map_err(open)?;
        // The system lets go of the lock when the process ends, however it ends.
        let lock = File::create(directory.join("journal.lock")).map_err(open)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                return Err(JournalError::Locked(directory.to_owned()));
            }
            Err(std::fs::TryLockError::Error(e)) => return Err(open(e)),
        }
        let path = directory.join(Self::FILE);
        let db = Connection::open(&path).map_err(|source| JournalError::Sqlite {
            path: path.clone(),
            source,
        })?;
        let mut journal = Journal {
            db,
            path,
            _lock: lock,
        };
        journal
            .set_up(belongs, &mut eids.into_iter())
            .map_err(|e| journal.error(e))?;
        journal.check(directory, belongs)?;
        Ok(journal)
    }

    fn error(&self, source: rusqlite::Error) -> JournalError {
        JournalError::Sqlite {
            path: self.path.clone(),
            source,
        }
    }

    fn set_up(
        &mut self,
        belongs: &Belongs,
        eids: &mut dyn Iterator<Item = String>,
    ) -> rusqlite::Result<()> {
        self.db.pragma_update(None, "journal_mode", "WAL")?;
        // In WAL mode NORMAL may lose the last commits when the machine loses power.
        self.db.pragma_update(None, "synchronous", "FULL")?;
        let tx = self.db.transaction()?;
        tx.execute_batch(
            "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
             CREATE TABLE IF NOT EXISTS cards (
                 eid TEXT PRIMARY KEY, place INTEGER NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
                 exit_code INTEGER, error TEXT, finished TEXT, token INTEGER) STRICT;
             CREATE TABLE IF NOT EXISTS steps (
                 eid TEXT NOT NULL REFERENCES cards(eid), step TEXT NOT NULL, begun INTEGER NOT NULL,
                 ended INTEGER NOT NULL DEFAULT 0, detail TEXT, PRIMARY KEY (eid, step)) STRICT;",
        )?;
        let fresh: bool = tx.query_row("SELECT count(*) = 0 FROM meta", [], |row| row.get(0))?;
        if fresh {
            for (key, value) in [
                ("format", FORMAT),
                ("order", &belongs.order),
                ("definition", &belongs.definition),
                ("applet", &belongs.applet),
            ] {
                tx.execute("INSERT INTO meta VALUES (?1, ?2)", params![key, value])?;
            }
            for (place, eid) in eids.enumerate() {
                tx.execute(
                    "INSERT INTO cards (eid, place, state) VALUES (?1, ?2, 'pending')",
                    params![eid, place as i64],
                )?;
            }
        }
        tx.commit()
    }

    fn check(&self, directory: &Path, belongs: &Belongs) -> Result<(), JournalError> {
        let value = |key: &str| -> Result<String, JournalError> {
            self.db
                .query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| {
                    row.get(0)
                })
                .optional()
                .map(Option::unwrap_or_default)
                .map_err(|e| self.error(e))
        };
        let format = value("format")?;
        if format != FORMAT {
            return Err(JournalError::Format {
                path: directory.to_owned(),
                found: format,
            });
        }
        for (key, what, wanted) in [
            ("order", "order", &belongs.order),
            ("definition", "card definition", &belongs.definition),
            ("applet", "applet", &belongs.applet),
        ] {
            if value(key)? != *wanted {
                return Err(JournalError::Other {
                    path: directory.to_owned(),
                    what,
                });
            }
        }
        Ok(())
    }

    /// All cards in the order's sequence.
    ///
    /// # Errors
    /// [`JournalError::Sqlite`].
    pub fn cards(&self) -> Result<Vec<CardRecord>, JournalError> {
        let read = || {
            let mut query = self.db.prepare(
                "SELECT eid, state, attempts, exit_code, error, finished, token FROM cards ORDER BY place",
            )?;
            let rows = query.query_map([], |row| {
                let state: String = row.get(1)?;
                let code: Option<u8> = row.get(3)?;
                let text: Option<String> = row.get(4)?;
                Ok(CardRecord {
                    eid: row.get(0)?,
                    state: CardState::from_name(&state),
                    attempts: row.get(2)?,
                    error: code.zip(text),
                    finished: row.get(5)?,
                    token: row.get(6)?,
                })
            })?;
            rows.collect::<rusqlite::Result<Vec<CardRecord>>>()
        };
        read().map_err(|e| self.error(e))
    }

    /// A card's record.
    ///
    /// # Errors
    /// [`JournalError::Sqlite`].
    pub fn card(&self, eid: &str) -> Result<Option<CardRecord>, JournalError> {
        Ok(self.cards()?.into_iter().find(|card| card.eid == eid))
    }

    /// A card is begun, once more or for the first time.
    ///
    /// # Errors
    /// [`JournalError::Sqlite`].
    pub fn begin_card(&self, eid: &str) -> Result<(), JournalError> {
        self.execute(
            "UPDATE cards SET state = 'working', attempts = attempts + 1, exit_code = NULL, error = NULL WHERE eid = ?1",
            params![eid],
        )
    }

    /// A card ended with an error.
    ///
    /// # Errors
    /// [`JournalError::Sqlite`].
    pub fn fail_card(&self, eid: &str, exit: Exit, error: &str) -> Result<(), JournalError> {
        self.execute(
            "UPDATE cards SET state = ?2, exit_code = ?3, error = ?4 WHERE eid = ?1",
            params![eid, CardState::Failed.name(), exit.code, error],
        )
    }

    /// A card is done: its receipt is written.
    ///
    /// # Errors
    /// [`JournalError::Sqlite`].
    pub fn finish_card(&self, eid: &str, when: &str) -> Result<(), JournalError> {
        self.execute(
            "UPDATE cards SET state = ?2, finished = ?3 WHERE eid = ?1",
            params![eid, CardState::Done.name(), when],
        )
    }

    /// The association token that a card's eUICC gave its eIM.
    ///
    /// # Errors
    /// [`JournalError::Sqlite`].
    pub fn set_token(&self, eid: &str, token: i64) -> Result<(), JournalError> {
        self.execute(
            "UPDATE cards SET token = ?2 WHERE eid = ?1",
            params![eid, token],
        )
    }

    /// Records that a step is about to start. An end recorded earlier stays.
    ///
    /// # Errors
    /// [`JournalError::Sqlite`].
    pub fn begin_step(&self, eid: &str, step: Step) -> Result<(), JournalError> {
        self.execute(
            "INSERT INTO steps (eid, step, begun) VALUES (?1, ?2, 1) ON CONFLICT DO UPDATE SET begun = begun + 1",
            params![eid, step.name()],
        )
    }

    /// Records that a step ended well.
    ///
    /// # Errors
    /// [`JournalError::Sqlite`].
    pub fn end_step(&self, eid: &str, step: Step, detail: &str) -> Result<(), JournalError> {
        self.execute(
            "UPDATE steps SET ended = ended + 1, detail = ?3 WHERE eid = ?1 AND step = ?2",
            params![eid, step.name(), detail],
        )
    }

    /// How far a step came.
    ///
    /// # Errors
    /// [`JournalError::Sqlite`].
    pub fn progress(&self, eid: &str, step: Step) -> Result<Progress, JournalError> {
        let ended: Option<i64> = self
            .db
            .query_row(
                "SELECT ended FROM steps WHERE eid = ?1 AND step = ?2",
                params![eid, step.name()],
                |row| row.get(0),
            )
            .optional()
            .map_err(|e| self.error(e))?;
        Ok(match ended {
            None => Progress::NotBegun,
            Some(0) => Progress::Begun,
            Some(_) => Progress::Ended,
        })
    }

    fn execute(&self, sql: &str, params: impl rusqlite::Params) -> Result<(), JournalError> {
        self.db
            .execute(sql, params)
            .map(|_| ())
            .map_err(|e| self.error(e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn belongs(order: &str) -> Belongs {
        Belongs {
            order: order.to_owned(),
            definition: "d".to_owned(),
            applet: "a".to_owned(),
        }
    }

    fn open(dir: &Path, order: &str) -> Result<Journal, JournalError> {
        Journal::open(dir, &belongs(order), ["E1", "E2"].map(String::from))
    }

    #[test]
    fn what_was_recorded_is_there_again() {
        let dir = tempfile::tempdir().unwrap();
        let journal = open(dir.path(), "o").unwrap();
        journal.begin_card("E1").unwrap();
        journal.begin_step("E1", Step::Load).unwrap();
        assert_eq!(journal.progress("E1", Step::Load).unwrap(), Progress::Begun);
        journal.end_step("E1", Step::Load, "42 blocks").unwrap();
        journal.begin_card("E2").unwrap();
        journal.fail_card("E2", exit::MEMORY, "too small").unwrap();
        drop(journal);
        let journal = open(dir.path(), "o").unwrap();
        assert_eq!(journal.progress("E1", Step::Load).unwrap(), Progress::Ended);
        assert_eq!(
            journal.progress("E1", Step::Install).unwrap(),
            Progress::NotBegun
        );
        let cards = journal.cards().unwrap();
        assert_eq!(cards[0].state, CardState::Working);
        assert_eq!(
            cards[1].error,
            Some((exit::MEMORY.code, "too small".to_owned()))
        );
        journal.set_token("E1", 5).unwrap();
        journal.finish_card("E1", "2026-01-01T00:00:00Z").unwrap();
        let card = journal.card("E1").unwrap().unwrap();
        assert_eq!(
            (card.state, card.token, card.attempts),
            (CardState::Done, Some(5), 1)
        );
    }

    #[test]
    fn a_second_process_and_another_order_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let first = open(dir.path(), "o").unwrap();
        let locked = open(dir.path(), "o").err().unwrap();
        assert_eq!(locked.exit(), exit::LOCKED);
        drop(first);
        let other = open(dir.path(), "p").err().unwrap();
        assert_eq!(other.exit(), exit::JOURNAL);
        assert!(other.to_string().contains("another order"));
    }

    #[test]
    fn a_file_that_is_no_journal_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(
            dir.path().join(Journal::FILE),
            "not a database, but long enough to look at".repeat(20),
        )
        .unwrap();
        assert_eq!(open(dir.path(), "o").err().unwrap().exit(), exit::JOURNAL);
    }
}
