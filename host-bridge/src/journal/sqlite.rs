//! The journal of one station: SQLite in its output directory.
//!
//! WAL with `synchronous = FULL`: what was committed is there after a power cut. A lock file keeps a
//! second process out; the system lets go of it when the process ends, however it ends.

use super::{
    Belongs, CardRecord, CardState, ChainHead, Choice, Claim, FORMAT, Fault, Journal, JournalError,
    Progress, Rotation, Seal, Sealed, StepRecord,
};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, Transaction, params};
use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS cards (
    eid TEXT PRIMARY KEY, place INTEGER NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
    exit_code INTEGER, error TEXT, failed_step TEXT, evidence TEXT, finished TEXT, token INTEGER,
    worker TEXT, chip TEXT, rotation TEXT) STRICT;
CREATE INDEX IF NOT EXISTS cards_open ON cards (place) WHERE state <> 'done';
CREATE TABLE IF NOT EXISTS steps (
    eid TEXT NOT NULL REFERENCES cards(eid), step TEXT NOT NULL, begun INTEGER NOT NULL,
    ended INTEGER NOT NULL DEFAULT 0, detail TEXT, took_ms INTEGER, PRIMARY KEY (eid, step)) STRICT;
CREATE TABLE IF NOT EXISTS receipts (
    sequence INTEGER PRIMARY KEY, eid TEXT NOT NULL UNIQUE REFERENCES cards(eid), hash TEXT NOT NULL,
    text TEXT NOT NULL) STRICT;
";

const CARD_COLUMNS: &str =
    "eid, state, attempts, exit_code, error, failed_step, finished, token, worker, chip";

/// What the process keeps in memory beside the file: it alone has the journal.
struct Inner {
    db: Connection,
    /// Cards that are in a worker's hands, chosen or claimed.
    held: HashMap<String, String>,
    /// Cards that are done; asked once for each card of a run.
    done: usize,
}

/// An open journal. The lock on its directory lives as long.
pub struct SqliteJournal {
    inner: Mutex<Inner>,
    path: PathBuf,
    station: String,
    order: String,
    lock: Option<File>,
}

fn card_record(row: &Row<'_>) -> rusqlite::Result<CardRecord> {
    let state: String = row.get(1)?;
    let code: Option<u8> = row.get(3)?;
    let text: Option<String> = row.get(4)?;
    Ok(CardRecord {
        eid: row.get(0)?,
        state: CardState::from_name(&state),
        attempts: row.get(2)?,
        error: code.zip(text),
        failed_step: row.get(5)?,
        finished: row.get(6)?,
        token: row.get(7)?,
        worker: row.get(8)?,
        chip: row.get(9)?,
    })
}

fn sealed(row: &Row<'_>) -> rusqlite::Result<Sealed> {
    Ok(Sealed {
        sequence: row.get::<_, i64>(0)?.unsigned_abs(),
        eid: row.get(1)?,
        hash: row.get(2)?,
        text: row.get(3)?,
    })
}

impl SqliteJournal {
    /// File name in the output directory.
    pub const FILE: &'static str = "journal.sqlite";

    /// Opens or creates the journal of an output directory, and enters the order's cards.
    ///
    /// # Errors
    /// [`JournalError`]: in use, of another order, not readable.
    pub fn open(
        directory: &Path,
        belongs: &Belongs,
        station: &str,
        eids: impl IntoIterator<Item = String>,
    ) -> Result<Self, JournalError> {
        let lock = super::lock(directory)?;
        let path = directory.join(Self::FILE);
        let mut db = Connection::open(&path).map_err(|source| JournalError::Sqlite {
            path: path.clone(),
            source,
        })?;
        set_up(&mut db, belongs, station, &mut eids.into_iter()).map_err(|source| {
            JournalError::Sqlite {
                path: path.clone(),
                source,
            }
        })?;
        let journal = Self::with(db, path, Some(lock))?;
        journal.check(directory, belongs, station)?;
        Ok(journal)
    }

    /// Opens the journal of an output directory for reading, beside a process that works with it.
    ///
    /// # Errors
    /// [`JournalError`]: there is none, or it is not readable.
    pub fn read(directory: &Path) -> Result<Self, JournalError> {
        let path = directory.join(Self::FILE);
        if !path.exists() {
            return Err(JournalError::None(directory.to_owned()));
        }
        let db = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)
            .and_then(|db| db.pragma_update(None, "query_only", true).map(|()| db))
            .map_err(|source| JournalError::Sqlite {
                path: path.clone(),
                source,
            })?;
        let journal = Self::with(db, path, None)?;
        journal.format(directory)?;
        Ok(journal)
    }

    fn with(db: Connection, path: PathBuf, lock: Option<File>) -> Result<Self, JournalError> {
        let mut journal = SqliteJournal {
            inner: Mutex::new(Inner {
                db,
                held: HashMap::new(),
                done: 0,
            }),
            path,
            station: String::new(),
            order: String::new(),
            lock,
        };
        journal.station = journal.meta("station")?;
        journal.order = journal.meta("order")?;
        let done = journal.count_done()?;
        journal.inner().done = done;
        Ok(journal)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere leaves nothing half done here: what isn't committed is rolled back.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn error(&self, source: rusqlite::Error) -> JournalError {
        JournalError::Sqlite {
            path: self.path.clone(),
            source,
        }
    }

    fn count_done(&self) -> Result<usize, JournalError> {
        self.with_db(|db| {
            db.prepare_cached("SELECT count(*) FROM cards WHERE state = 'done'")?
                .query_row([], |row| row.get::<_, i64>(0))
                .map(|n| usize::try_from(n).unwrap_or_default())
        })
    }

    fn meta(&self, key: &str) -> Result<String, JournalError> {
        self.with_db(|db| {
            db.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| {
                row.get(0)
            })
            .optional()
            .map(Option::unwrap_or_default)
        })
    }

    fn format(&self, directory: &Path) -> Result<(), JournalError> {
        let found = self.meta("format")?;
        match found == FORMAT {
            true => Ok(()),
            false => Err(JournalError::Format {
                path: directory.to_owned(),
                found,
            }),
        }
    }

    fn check(
        &self,
        directory: &Path,
        belongs: &Belongs,
        station: &str,
    ) -> Result<(), JournalError> {
        self.format(directory)?;
        for (key, what, wanted) in [
            ("order", "order", belongs.order.as_str()),
            ("definition", "card definition", &belongs.definition),
            ("job", "job", &belongs.job),
            ("station", "station", station),
        ] {
            if self.meta(key)? != wanted {
                return Err(JournalError::Other {
                    path: directory.to_owned(),
                    what,
                });
            }
        }
        Ok(())
    }

    fn with_db<T>(
        &self,
        body: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, JournalError> {
        body(&self.inner().db).map_err(|e| self.error(e))
    }

    fn execute(&self, sql: &str, params: impl rusqlite::Params) -> Result<(), JournalError> {
        self.with_db(|db| db.prepare_cached(sql)?.execute(params).map(|_| ()))
    }
}

fn set_up(
    db: &mut Connection,
    belongs: &Belongs,
    station: &str,
    eids: &mut dyn Iterator<Item = String>,
) -> rusqlite::Result<()> {
    db.pragma_update(None, "journal_mode", "WAL")?;
    // In WAL mode NORMAL may lose the last commits when the machine loses power.
    db.pragma_update(None, "synchronous", "FULL")?;
    let fresh = db
        .query_row(
            "SELECT count(*) = 0 FROM sqlite_master WHERE name = 'meta'",
            [],
            |row| row.get(0),
        )
        .unwrap_or(true);
    if !fresh {
        return Ok(());
    }
    let tx = db.transaction()?;
    tx.execute_batch(SCHEMA)?;
    for (key, value) in [
        ("format", FORMAT),
        ("order", &belongs.order),
        ("definition", &belongs.definition),
        ("job", &belongs.job),
        ("station", station),
    ] {
        tx.execute("INSERT INTO meta VALUES (?1, ?2)", params![key, value])?;
    }
    for (place, eid) in eids.enumerate() {
        tx.prepare_cached("INSERT INTO cards (eid, place, state) VALUES (?1, ?2, 'pending')")?
            .execute(params![eid, place as i64])?;
    }
    tx.commit()
}

fn head(tx: &Connection, station: &str, order: &str) -> rusqlite::Result<ChainHead> {
    let last = tx
        .prepare_cached("SELECT sequence, hash FROM receipts ORDER BY sequence DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)))
        .optional()?;
    let (sequence, hash) = last.unwrap_or((0, order.to_owned()));
    Ok(ChainHead {
        station: station.to_owned(),
        sequence: sequence.unsigned_abs(),
        hash,
    })
}

fn record(db: &Connection, eid: &str) -> rusqlite::Result<Option<CardRecord>> {
    let sql = format!("SELECT {CARD_COLUMNS} FROM cards WHERE eid = ?1");
    db.prepare_cached(&sql)?
        .query_row([eid], card_record)
        .optional()
}

fn receipt(tx: &Transaction<'_>, eid: &str) -> rusqlite::Result<Option<Sealed>> {
    tx.prepare_cached("SELECT sequence, eid, hash, text FROM receipts WHERE eid = ?1")?
        .query_row([eid], sealed)
        .optional()
}

impl Journal for SqliteJournal {
    fn station(&self) -> &str {
        &self.station
    }

    fn cards(&self) -> Result<Vec<CardRecord>, JournalError> {
        self.with_db(|db| {
            let sql = format!("SELECT {CARD_COLUMNS} FROM cards ORDER BY place");
            db.prepare_cached(&sql)?
                .query_map([], card_record)?
                .collect()
        })
    }

    fn done(&self) -> Result<usize, JournalError> {
        match self.lock {
            Some(_) => Ok(self.inner().done),
            // Another process works with it.
            None => self.count_done(),
        }
    }

    fn card(&self, eid: &str) -> Result<Option<CardRecord>, JournalError> {
        self.with_db(|db| record(db, eid))
    }

    fn choose(&self, choice: &Choice<'_>) -> Result<Option<String>, JournalError> {
        let mut inner = self.inner();
        let Inner { db, held, .. } = &mut *inner;
        held.retain(|_, worker| worker != choice.worker);
        let find = || -> rusqlite::Result<Option<String>> {
            let mut query = db.prepare_cached(
                "SELECT eid, exit_code FROM cards WHERE state <> 'done' ORDER BY place",
            )?;
            let mut rows = query.query([])?;
            while let Some(row) = rows.next()? {
                let eid: String = row.get(0)?;
                let code: Option<u8> = row.get(1)?;
                let aside = code.is_some_and(|code| choice.set_aside.contains(&code));
                if !aside && !held.contains_key(&eid) && !choice.not.contains(&eid) {
                    return Ok(Some(eid));
                }
            }
            Ok(None)
        };
        let found = find().map_err(|e| self.error(e))?;
        if let Some(eid) = &found {
            held.insert(eid.clone(), choice.worker.to_owned());
        }
        Ok(found)
    }

    fn claim(&self, eid: &str, worker: &str, chip: &str) -> Result<Claim, JournalError> {
        let mut inner = self.inner();
        let Inner { db, held, .. } = &mut *inner;
        let Some(card) = record(db, eid).map_err(|e| self.error(e))? else {
            return Ok(Claim::NotInOrder);
        };
        // Also of a card that is done: another chip with its EID is another card.
        if let Some(expected) = card.chip.filter(|known| !known.is_empty())
            && expected != chip
        {
            return Ok(Claim::OtherChip { expected });
        }
        if card.state == CardState::Done {
            return Ok(Claim::Done);
        }
        if let Some(other) = held.get(eid).filter(|other| *other != worker) {
            return Ok(Claim::Busy {
                worker: other.clone(),
            });
        }
        let attempts = card.attempts + 1;
        let taken = || {
            db.prepare_cached(
                "UPDATE cards SET state = 'working', attempts = ?4, exit_code = NULL, error = NULL,
                 failed_step = NULL, evidence = NULL, worker = ?2, chip = ?3 WHERE eid = ?1",
            )?
            .execute(params![eid, worker, chip, attempts])
        };
        taken().map_err(|e| self.error(e))?;
        held.insert(eid.to_owned(), worker.to_owned());
        Ok(Claim::Taken { attempts })
    }

    fn release(&self, eid: &str) -> Result<(), JournalError> {
        self.inner().held.remove(eid);
        Ok(())
    }

    fn fail(&self, eid: &str, fault: &Fault) -> Result<(), JournalError> {
        self.execute(
            "UPDATE cards SET state = 'failed', exit_code = ?2, error = ?3, failed_step = ?4, evidence = ?5 WHERE eid = ?1",
            params![eid, fault.exit.code, fault.error, fault.step, fault.evidence.join("\n")],
        )?;
        self.release(eid)
    }

    fn evidence(&self, eid: &str) -> Result<Vec<String>, JournalError> {
        let text: Option<String> = self.with_db(|db| {
            db.prepare_cached("SELECT evidence FROM cards WHERE eid = ?1")?
                .query_row([eid], |row| row.get::<_, Option<String>>(0))
                .optional()
                .map(Option::flatten)
        })?;
        Ok(text.map_or_else(Vec::new, |text| text.lines().map(str::to_owned).collect()))
    }

    fn begin_step(&self, eid: &str, step: &str) -> Result<(), JournalError> {
        self.execute(
            "INSERT INTO steps (eid, step, begun) VALUES (?1, ?2, 1) ON CONFLICT DO UPDATE SET begun = begun + 1",
            params![eid, step],
        )
    }

    fn end_step(
        &self,
        eid: &str,
        step: &str,
        detail: &str,
        took_ms: u64,
    ) -> Result<(), JournalError> {
        self.execute(
            "UPDATE steps SET ended = ended + 1, detail = ?3, took_ms = ?4 WHERE eid = ?1 AND step = ?2",
            params![eid, step, detail, took_ms as i64],
        )
    }

    fn progress(&self, eid: &str, step: &str) -> Result<Progress, JournalError> {
        let ended: Option<i64> = self.with_db(|db| {
            db.prepare_cached("SELECT ended FROM steps WHERE eid = ?1 AND step = ?2")?
                .query_row([eid, step], |row| row.get(0))
                .optional()
        })?;
        Ok(Progress::of(ended))
    }

    fn steps(&self) -> Result<Vec<StepRecord>, JournalError> {
        self.with_db(|db| {
            db.prepare_cached(
                "SELECT eid, step, begun, ended, detail, took_ms FROM steps ORDER BY rowid",
            )?
            .query_map([], |row| {
                Ok(StepRecord {
                    eid: row.get(0)?,
                    step: row.get(1)?,
                    begun: row.get(2)?,
                    ended: row.get(3)?,
                    detail: row.get(4)?,
                    took_ms: row.get::<_, Option<i64>>(5)?.map(i64::unsigned_abs),
                })
            })?
            .collect()
        })
    }

    fn set_token(&self, eid: &str, token: i64) -> Result<(), JournalError> {
        self.execute(
            "UPDATE cards SET token = ?2 WHERE eid = ?1",
            params![eid, token],
        )
    }

    fn set_rotation(&self, eid: &str, rotation: &Rotation) -> Result<(), JournalError> {
        let text = serde_json::to_string(rotation).map_err(|e| JournalError::Record {
            path: self.path.clone(),
            what: "a key rotation",
            problem: e.to_string(),
        })?;
        self.execute(
            "UPDATE cards SET rotation = ?2 WHERE eid = ?1",
            params![eid, text],
        )
    }

    fn rotation(&self, eid: &str) -> Result<Option<Rotation>, JournalError> {
        let text: Option<String> = self.with_db(|db| {
            db.prepare_cached("SELECT rotation FROM cards WHERE eid = ?1")?
                .query_row([eid], |row| row.get::<_, Option<String>>(0))
                .optional()
                .map(Option::flatten)
        })?;
        text.map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|e| JournalError::Record {
                path: self.path.clone(),
                what: "a key rotation",
                problem: e.to_string(),
            })
    }

    fn finish(&self, eid: &str, when: &str, seal: &mut Seal<'_>) -> Result<Sealed, JournalError> {
        let mut inner = self.inner();
        let tx = inner.db.transaction().map_err(|e| self.error(e))?;
        if let Some(sealed) = receipt(&tx, eid).map_err(|e| self.error(e))? {
            return Ok(sealed);
        }
        let head = head(&tx, &self.station, &self.order).map_err(|e| self.error(e))?;
        let sealed = seal(&head).map_err(|problem| JournalError::Seal {
            eid: eid.to_owned(),
            problem,
        })?;
        let write = || -> rusqlite::Result<()> {
            tx.prepare_cached(
                "INSERT INTO receipts (sequence, eid, hash, text) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![
                sealed.sequence as i64,
                eid,
                sealed.hash,
                sealed.text
            ])?;
            tx.prepare_cached("UPDATE cards SET state = 'done', finished = ?2 WHERE eid = ?1")?
                .execute(params![eid, when])?;
            Ok(())
        };
        write()
            .and_then(|()| tx.commit())
            .map_err(|e| self.error(e))?;
        inner.held.remove(eid);
        inner.done += 1;
        Ok(sealed)
    }

    fn head(&self) -> Result<ChainHead, JournalError> {
        self.with_db(|db| head(db, &self.station, &self.order))
    }

    fn receipts(&self, after: u64) -> Result<Vec<Sealed>, JournalError> {
        self.with_db(|db| {
            db.prepare_cached(
                "SELECT sequence, eid, hash, text FROM receipts WHERE sequence > ?1 ORDER BY sequence",
            )?
            .query_map([after as i64], sealed)?
            .collect()
        })
    }
}

#[cfg(test)]
mod tests;
