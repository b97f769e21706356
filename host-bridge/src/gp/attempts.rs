//! The budget of authentication attempts: which tries of which card were spent, kept across runs.
//!
//! A card counts EXTERNAL AUTHENTICATE commands that it refuses, and blocks. So each is recorded before
//! it is sent, committed to disk, and taken off the record when the card accepts; what is left there was
//! refused, or never answered. The next try at the same keys of the same card then needs the operator's
//! word. A record that can't be written stops the attempt.

use crate::database;
use crate::exit::{self, Exit, ExitCode};
use applet_model::status::Sw;
use applet_model::tlv;
use rusqlite::{Connection, TransactionBehavior, params};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The environment variable with the file's name.
pub const VARIABLE: &str = "IPAE_ATTEMPTS";

/// How long a process waits for another one's record, in seconds.
const PATIENCE: u64 = 20;

/// What allows a try although one was spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Permission {
    /// Nothing does.
    #[default]
    None,
    /// A run that is resumed: one try that nobody saw the answer of, since the run was killed or the
    /// card pulled out. The card's cryptogram fitted then, and is compared again.
    Resume,
    /// The operator's word.
    Spend,
}

/// The keys that a try is made at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The card: see [`identity`].
    pub card: String,
    /// AID of the security domain, in hex.
    pub domain: String,
    /// Key version number.
    pub kvn: u8,
}

/// What a card is known by here: key diversification data, and those of its production life cycle data
/// that the chip's maker wrote (GPCS H.6: the first 18 bytes; the rest changes with personalization).
/// `cplc` is the answer to GET DATA, empty if there is none.
#[must_use]
pub fn identity(diversification: &[u8], cplc: &[u8]) -> String {
    let value = tlv::expect(cplc, 0x9F7F).map_or(cplc, |object| object.value);
    let maker = value.get(..18).unwrap_or(value);
    format!(
        "{}/{}",
        hex::encode_upper(diversification),
        hex::encode_upper(maker)
    )
}

/// A try that was spent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spent {
    /// When, by this machine's clock.
    pub when: String,
    /// Name of the key set.
    pub set: String,
    /// Key check values of ENC, MAC, DEK in hex.
    pub check_values: String,
    /// The card's answer; `None` if none was seen.
    pub sw: Option<Sw>,
}

impl std::fmt::Display for Spent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Spent {
            when,
            set,
            check_values,
            sw,
        } = self;
        write!(f, "{when}, key set {set} ({check_values}): ")?;
        match sw {
            Some(sw) => write!(f, "answered with {sw}"),
            None => f.write_str("no answer was seen"),
        }
    }
}

/// Why no try is made.
#[derive(Debug, thiserror::Error)]
pub enum AttemptsError {
    /// Tries were spent.
    #[error(
        "{} of the card's tries at key version {:02X} of domain {} {} spent already, so EXTERNAL AUTHENTICATE was \
         not sent:\n{}\nwith --spend-attempt one more is tried; a card blocks for ever after a few",
        spent.len(), target.kvn, target.domain, if spent.len() == 1 { "is" } else { "are" }, lines(spent)
    )]
    Spent {
        /// At which keys.
        target: Target,
        /// The tries, oldest first.
        spent: Vec<Spent>,
    },
    /// The file can't be made, read or written.
    #[error(
        "the record of authentication attempts {} can't be written, so EXTERNAL AUTHENTICATE was not sent: {problem}",
        path.display()
    )]
    File {
        /// The file.
        path: PathBuf,
        /// What the system or SQLite says.
        problem: String,
    },
    /// No place for the file.
    #[error(
        "no place for the record of authentication attempts: name one with --attempts or {VARIABLE}, or set HOME"
    )]
    NoPlace,
}

fn lines(spent: &[Spent]) -> String {
    let lines: Vec<String> = spent.iter().map(|one| format!("  {one}")).collect();
    lines.join("\n")
}

impl ExitCode for AttemptsError {
    fn exit(&self) -> Exit {
        match self {
            AttemptsError::Spent { .. } => exit::ATTEMPTS,
            AttemptsError::File { .. } | AttemptsError::NoPlace => exit::OUTPUT,
        }
    }
}

/// The record. Several processes and threads may use one file at a time.
#[derive(Clone)]
pub struct Attempts {
    path: PathBuf,
    db: Arc<Mutex<Option<Connection>>>,
    permission: Permission,
}

/// How far a key set's way onto a card came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// PUT KEY is about to be sent: from now on the card may have the keys.
    Begun,
    /// The card refused PUT KEY.
    Refused,
    /// It took the keys, and their check values are right.
    Put,
    /// A session under them was opened.
    Verified,
}

impl KeyState {
    fn name(self) -> &'static str {
        match self {
            KeyState::Begun => "begun",
            KeyState::Refused => "refused",
            KeyState::Put => "put",
            KeyState::Verified => "verified",
        }
    }
}

/// Which key set a card was given: the set's name and check values, never a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// The card: see [`identity`].
    pub card: String,
    /// AID of the security domain, in hex.
    pub domain: String,
    /// Key version number on the card.
    pub kvn: u8,
    /// Name of the key set.
    pub set: String,
    /// Key check values in hex.
    pub check_values: String,
    /// How far it came.
    pub state: KeyState,
}

/// A try that is recorded and not answered yet.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "the card's answer belongs to it"]
pub struct Try(i64);

impl Attempts {
    /// The record in this file, which is made with the first try.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Attempts {
            path: path.into(),
            db: Arc::default(),
            permission: Permission::None,
        }
    }

    /// The user's own record: in the file that [`VARIABLE`] names, or `ipae/attempts.sqlite` in
    /// `$XDG_STATE_HOME` or `~/.local/state`.
    ///
    /// # Errors
    /// [`AttemptsError::NoPlace`].
    pub fn of_user() -> Result<Self, AttemptsError> {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        if let Some(path) = variable(VARIABLE) {
            return Ok(Self::at(path));
        }
        let state = variable("XDG_STATE_HOME").map(PathBuf::from).or_else(|| {
            let home = variable("HOME").map(PathBuf::from);
            home.map(|home| home.join(".local").join("state"))
        });
        let state = state.ok_or(AttemptsError::NoPlace)?;
        Ok(Self::at(state.join("ipae").join("attempts.sqlite")))
    }

    /// Sets what allows a try although one was spent.
    pub fn permit(&mut self, permission: Permission) {
        self.permission = permission;
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The tries that are on record for these keys, oldest first.
    ///
    /// # Errors
    /// [`AttemptsError::File`].
    pub fn spent(&self, target: &Target) -> Result<Vec<Spent>, AttemptsError> {
        self.with(|db| spent(db, target))
    }

    /// Records a try before it is made; on disk when this returns.
    ///
    /// # Errors
    /// [`AttemptsError::Spent`] if tries are on record and nothing permits one more, else
    /// [`AttemptsError::File`].
    pub fn begin(
        &self,
        target: &Target,
        set: &str,
        check_values: &str,
    ) -> Result<Try, AttemptsError> {
        let permission = self.permission;
        let begun = self.with(|db| {
            // Immediate: of two processes with one card, the second sees the first's record.
            let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let before = spent(&tx, target)?;
            let allowed = match permission {
                Permission::None => before.is_empty(),
                Permission::Resume => before.len() < 2 && before.iter().all(|one| one.sw.is_none()),
                Permission::Spend => true,
            };
            if !allowed {
                return Ok(Err(before));
            }
            tx.execute(
                "INSERT INTO tries (card, domain, kvn, time, key_set, check_values) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    target.card,
                    target.domain,
                    target.kvn,
                    jiff::Timestamp::now().to_string(),
                    set,
                    check_values
                ],
            )?;
            let id = tx.last_insert_rowid();
            tx.commit()?;
            Ok(Ok(Try(id)))
        })?;
        begun.map_err(|spent| AttemptsError::Spent {
            target: target.clone(),
            spent,
        })
    }

    /// Records the answer to a try: success takes all tries at these keys off the record.
    ///
    /// # Errors
    /// [`AttemptsError::File`]: the try stays on record as one without an answer.
    pub fn end(&self, target: &Target, of: Try, sw: Sw) -> Result<(), AttemptsError> {
        let Target { card, domain, kvn } = target;
        self.with(|db| {
            match sw.is_ok() {
                true => db.execute(
                    "DELETE FROM tries WHERE card = ?1 AND domain = ?2 AND kvn = ?3",
                    params![card, domain, kvn],
                ),
                false => db.execute(
                    "UPDATE tries SET sw = ?2 WHERE id = ?1",
                    params![of.0, sw.0],
                ),
            }
            .map(|_| ())
        })
    }

    /// Notes which keys a card was given; on disk when this returns. Each state is a line of its own.
    ///
    /// # Errors
    /// [`AttemptsError::File`]: PUT KEY must not be sent then.
    pub fn note_keys(&self, record: &KeyRecord) -> Result<(), AttemptsError> {
        self.with(|db| {
            db.execute(
                "INSERT INTO keys (card, domain, kvn, time, key_set, check_values, state) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    record.card,
                    record.domain,
                    record.kvn,
                    jiff::Timestamp::now().to_string(),
                    record.set,
                    record.check_values,
                    record.state.name()
                ],
            )
            .map(|_| ())
        })
    }

    fn with<T>(
        &self,
        act: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, AttemptsError> {
        let file = |problem: String| AttemptsError::File {
            path: self.path.clone(),
            problem,
        };
        let mut held = self.db.lock().unwrap_or_else(PoisonError::into_inner);
        let db = match &mut *held {
            Some(db) => db,
            none => none.insert(self.open().map_err(file)?),
        };
        act(db).map_err(|error| file(error.to_string()))
    }

    fn open(&self) -> Result<Connection, String> {
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder).map_err(|e| e.to_string())?;
        }
        let open = || -> rusqlite::Result<Connection> {
            let db = Connection::open(&self.path)?;
            database::write_ahead(&db, Duration::from_secs(PATIENCE))?;
            // In WAL mode NORMAL may lose the last commits when the machine loses power.
            db.pragma_update(None, "synchronous", "FULL")?;
            db.execute_batch(
                "CREATE TABLE IF NOT EXISTS tries (
                     id INTEGER PRIMARY KEY, card TEXT NOT NULL, domain TEXT NOT NULL, kvn INTEGER NOT NULL,
                     time TEXT NOT NULL, key_set TEXT NOT NULL, check_values TEXT NOT NULL, sw INTEGER) STRICT;
                 CREATE TABLE IF NOT EXISTS keys (
                     id INTEGER PRIMARY KEY, card TEXT NOT NULL, domain TEXT NOT NULL, kvn INTEGER NOT NULL,
                     time TEXT NOT NULL, key_set TEXT NOT NULL, check_values TEXT NOT NULL, state TEXT NOT NULL) STRICT;
                 CREATE INDEX IF NOT EXISTS tries_at ON tries (card, domain, kvn);",
            )?;
            Ok(db)
        };
        open().map_err(|e| e.to_string())
    }
}

fn spent(db: &Connection, target: &Target) -> rusqlite::Result<Vec<Spent>> {
    let mut query = db.prepare_cached(
        "SELECT time, key_set, check_values, sw FROM tries WHERE card = ?1 AND domain = ?2 AND kvn = ?3 ORDER BY id",
    )?;
    let rows = query.query_map(params![target.card, target.domain, target.kvn], |row| {
        Ok(Spent {
            when: row.get(0)?,
            set: row.get(1)?,
            check_values: row.get(2)?,
            sw: row.get::<_, Option<u16>>(3)?.map(Sw),
        })
    })?;
    rows.collect()
}
