//! One order shared by several stations: the journal on PostgreSQL.
//!
//! A station's life is a session: begun, heard of by its heartbeat, ended. A card that was seen in a
//! reader is leased to that station's session, and records about it are taken from the holder of the
//! lease alone. What a dead station left (ended, or silent for longer than its time) is nobody's for
//! all that: it becomes another's when that very card is seen in another reader, never by time alone.
//! Each station chains receipts of its own; chains, receipts and cards are changed in one transaction.
//!
//! A connection that is lost is made again; if that takes too long the run stops between two steps,
//! as after Ctrl-C, and the same command goes on.

mod address;
mod error;
mod link;
mod schema;
mod session;
mod status;

pub use address::Address;
pub use error::PostgresError;
pub use status::{CardsOfStation, LeaseStatus, QueueStatus, StationStatus};

use super::{
    Belongs, CardRecord, CardState, ChainHead, Choice, Claim, Fault, Journal, JournalError,
    Progress, Rotation, Seal, Sealed, StepRecord,
};
use link::{Fail, Link, Tx};
use postgres::Row;
use session::{Heartbeat, Who};
use std::fs::File;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How a station works at a queue.
#[derive(Debug, Clone)]
pub struct QueueOptions {
    /// The queue.
    pub address: Address,
    /// How long a station may be silent before the others take it for dead.
    pub ttl: Duration,
    /// How long a lost connection is tried again before the run stops.
    pub patience: Duration,
}

impl QueueOptions {
    /// With the usual times.
    pub fn new(address: Address) -> Self {
        QueueOptions {
            address,
            ttl: Duration::from_secs(30),
            patience: Duration::from_secs(20),
        }
    }
}

/// A session's number that no session has: whoever only looks on holds no card and changes none.
const LOOKS_ON: i64 = 0;

/// A station's journal at a queue. Its session ends with it.
pub struct PostgresJournal {
    link: Mutex<Link>,
    address: Address,
    station: String,
    order: String,
    session: i64,
    heartbeat: Option<Heartbeat>,
    _lock: Option<File>,
}

/// The folder's lock, and what tells it from all other folders.
fn place(directory: &Path) -> Result<(File, String), JournalError> {
    let open = |source| JournalError::Open {
        path: directory.to_owned(),
        source,
    };
    std::fs::create_dir_all(directory).map_err(open)?;
    let lock = super::lock(directory)?;
    if directory.join(super::SqliteJournal::FILE).exists() {
        return Err(PostgresError::OwnJournal(directory.display().to_string()).into());
    }
    let file = directory.join("station.id");
    if let Ok(id) = std::fs::read_to_string(&file)
        && !id.trim().is_empty()
    {
        return Ok((lock, id.trim().to_owned()));
    }
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|e| open(std::io::Error::other(e.to_string())))?;
    let id = hex::encode(id);
    crate::files::replace(&file, format!("{id}\n").as_bytes(), true).map_err(open)?;
    Ok((lock, id))
}

impl PostgresJournal {
    /// Joins a queue, or makes it: enters the order's cards if they aren't there, and begins this
    /// station's session. Receipts of the station go to `directory`, which no other station has.
    ///
    /// # Errors
    /// [`JournalError`]: not reachable, of another order, the station's name or folder in use.
    pub fn open(
        directory: &Path,
        belongs: &Belongs,
        station: &str,
        eids: impl IntoIterator<Item = String>,
        options: &QueueOptions,
    ) -> Result<Self, JournalError> {
        let (lock, place) = place(directory)?;
        let address = &options.address;
        let mut link = Link::new(address, options.patience)?;
        let eids: Vec<String> = eids.into_iter().collect();
        let who = Who {
            station,
            place: &place,
            ttl: options.ttl,
        };
        let session = link.run(|tx| {
            set_up(tx, belongs, &eids)?;
            check(tx, belongs, address)?;
            session::begin(tx, &who, address)
        })?;
        let heartbeat = Heartbeat::start(address, session, options.ttl)?;
        Ok(PostgresJournal {
            link: Mutex::new(link),
            address: address.clone(),
            station: station.to_owned(),
            order: belongs.order.clone(),
            session,
            heartbeat: Some(heartbeat),
            _lock: Some(lock),
        })
    }

    /// Looks at a queue, beside the stations that work at it.
    ///
    /// # Errors
    /// [`JournalError`]: not reachable, or no queue.
    pub fn read(address: &Address) -> Result<Self, JournalError> {
        let mut link = Link::new(address, Duration::ZERO)?;
        let order = link.run(|tx| {
            there(tx, address)?;
            tx.batch("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")?;
            meta(tx, "order")
        })?;
        Ok(PostgresJournal {
            link: Mutex::new(link),
            address: address.clone(),
            station: String::new(),
            order,
            session: LOOKS_ON,
            heartbeat: None,
            _lock: None,
        })
    }

    fn run<T>(&self, body: impl FnMut(&mut Tx<'_>) -> Result<T, Fail>) -> Result<T, JournalError> {
        // A panic elsewhere leaves nothing half done here: what isn't committed is rolled back.
        let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        link.run(body)
    }

    /// A change that only the holder of the lease may make, and did not.
    fn held(&self, tx: &mut Tx<'_>, eid: &str, changed: u64) -> Result<(), Fail> {
        if changed > 0 {
            return Ok(());
        }
        let row = tx.one(
            "SELECT s.station FROM ipae.cards c JOIN ipae.sessions s ON s.id = c.lease WHERE c.eid = $1",
            &[&eid],
        )?;
        Err(PostgresError::Taken {
            eid: eid.to_owned(),
            holder: row.map(|row| row.get(0)),
        }
        .into())
    }

    fn record(&self, what: &'static str, problem: String) -> JournalError {
        JournalError::Record {
            path: self.address.to_string().into(),
            what,
            problem,
        }
    }

    fn session_of(&self, tx: &mut Tx<'_>, id: Option<i64>) -> Result<Option<(i64, String)>, Fail> {
        let Some(id) = id else { return Ok(None) };
        let row = tx.one(schema::SESSION, &[&id])?;
        Ok(row.filter(|row| row.get(1)).map(|row| (id, row.get(0))))
    }
}

impl Drop for PostgresJournal {
    fn drop(&mut self) {
        if self.session == LOOKS_ON {
            return;
        }
        self.heartbeat = None;
        let link = self.link.get_mut().unwrap_or_else(PoisonError::into_inner);
        // Without it the session runs out by itself.
        let _ = session::end(link, self.session);
    }
}

/// Makes the tables and enters the order, if nobody has.
fn set_up(tx: &mut Tx<'_>, belongs: &Belongs, eids: &[String]) -> Result<(), Fail> {
    tx.execute("SELECT pg_advisory_xact_lock($1)", &[&schema::SET_UP_LOCK])?;
    if exists(tx)? {
        return Ok(());
    }
    tx.batch(schema::TABLES)?;
    for (key, value) in [
        ("format", schema::FORMAT),
        ("order", &belongs.order),
        ("definition", &belongs.definition),
        ("job", &belongs.job),
    ] {
        tx.execute("INSERT INTO ipae.meta VALUES ($1, $2)", &[&key, &value])?;
    }
    tx.execute(
        "INSERT INTO ipae.cards (eid, place, state)
         SELECT eid, place, 'pending' FROM unnest($1::text[]) WITH ORDINALITY AS o (eid, place)",
        &[&eids],
    )?;
    Ok(())
}

fn exists(tx: &mut Tx<'_>) -> Result<bool, Fail> {
    let row = tx.one("SELECT to_regclass('ipae.meta') IS NOT NULL", &[])?;
    Ok(row.is_some_and(|row| row.get(0)))
}

/// There is a queue, and of this version.
fn there(tx: &mut Tx<'_>, address: &Address) -> Result<(), Fail> {
    match exists(tx)? {
        true => format(tx, address),
        false => Err(PostgresError::None(address.to_string()).into()),
    }
}

fn meta(tx: &mut Tx<'_>, key: &str) -> Result<String, Fail> {
    let row = tx.one("SELECT value FROM ipae.meta WHERE key = $1", &[&key])?;
    Ok(row.map(|row| row.get(0)).unwrap_or_default())
}

fn format(tx: &mut Tx<'_>, address: &Address) -> Result<(), Fail> {
    let found = meta(tx, "format")?;
    match found == schema::FORMAT {
        true => Ok(()),
        false => Err(PostgresError::Format {
            address: address.to_string(),
            found,
        }
        .into()),
    }
}

fn check(tx: &mut Tx<'_>, belongs: &Belongs, address: &Address) -> Result<(), Fail> {
    format(tx, address)?;
    for (key, what, wanted) in [
        ("order", "order", &belongs.order),
        ("definition", "card definition", &belongs.definition),
        ("job", "job", &belongs.job),
    ] {
        if meta(tx, key)? != *wanted {
            return Err(PostgresError::Other {
                address: address.to_string(),
                what,
            }
            .into());
        }
    }
    Ok(())
}

/// A number that SQL has as signed.
fn count<N: TryFrom<i64> + Default>(number: i64) -> N {
    N::try_from(number).unwrap_or_default()
}

const CARD: &str = "
SELECT eid, state, attempts::bigint, exit_code::bigint, error, failed_step, finished, token, worker, chip
FROM ipae.cards WHERE eid = $1";
const CARDS: &str = "
SELECT eid, state, attempts::bigint, exit_code::bigint, error, failed_step, finished, token, worker, chip
FROM ipae.cards ORDER BY place";

fn card_record(row: &Row) -> CardRecord {
    let state: String = row.get(1);
    let code: Option<i64> = row.get(3);
    CardRecord {
        eid: row.get(0),
        state: CardState::from_name(&state),
        attempts: count(row.get(2)),
        error: code.map(count).zip(row.get(4)),
        failed_step: row.get(5),
        finished: row.get(6),
        token: row.get(7),
        worker: row.get(8),
        chip: row.get(9),
    }
}

fn sealed(row: &Row) -> Sealed {
    Sealed {
        sequence: count(row.get(0)),
        eid: row.get(1),
        hash: row.get(2),
        text: row.get(3),
    }
}

impl Journal for PostgresJournal {
    fn station(&self) -> &str {
        &self.station
    }

    fn cards(&self) -> Result<Vec<CardRecord>, JournalError> {
        self.run(|tx| Ok(tx.query(CARDS, &[])?.iter().map(card_record).collect()))
    }

    fn card(&self, eid: &str) -> Result<Option<CardRecord>, JournalError> {
        self.run(|tx| Ok(tx.one(CARD, &[&eid])?.as_ref().map(card_record)))
    }

    fn done(&self) -> Result<usize, JournalError> {
        self.run(|tx| {
            let row = tx.one(
                "SELECT coalesce(sum(done), 0)::bigint FROM ipae.sessions",
                &[],
            )?;
            Ok(row.map_or(0, |row| count(row.get(0))))
        })
    }

    fn elsewhere(&self) -> Result<usize, JournalError> {
        self.run(|tx| {
            let row = tx.one(schema::ELSEWHERE, &[&self.session])?;
            Ok(row.map_or(0, |row| count(row.get(0))))
        })
    }

    fn choose(&self, choice: &Choice<'_>) -> Result<Option<String>, JournalError> {
        let set_aside: Vec<i16> = choice.set_aside.iter().map(|&code| code.into()).collect();
        self.run(|tx| {
            tx.execute(
                "UPDATE ipae.cards SET reserved = NULL, holder = NULL WHERE reserved = $1 AND holder = $2",
                &[&self.session, &choice.worker],
            )?;
            let Some(row) = tx.one(schema::CHOOSE, &[&set_aside, &choice.not])? else {
                return Ok(None);
            };
            let eid: String = row.get(0);
            // A reservation is no lease: what a dead station left stays its own until it is seen.
            tx.execute(
                "UPDATE ipae.cards SET reserved = $2, holder = $3 WHERE eid = $1",
                &[&eid, &self.session, &choice.worker],
            )?;
            Ok(Some(eid))
        })
    }

    fn claim(&self, eid: &str, worker: &str, chip: &str) -> Result<Claim, JournalError> {
        self.run(|tx| {
            let row = tx.one(
                "SELECT state, chip, lease, reserved, holder FROM ipae.cards WHERE eid = $1 FOR UPDATE",
                &[&eid],
            )?;
            let Some(row) = row else {
                return Ok(Claim::NotInOrder);
            };
            // Also of a card that is done: another chip with its EID is another card.
            let known: Option<String> = row.get(1);
            if let Some(expected) = known.filter(|known| !known.is_empty())
                && expected != chip
            {
                return Ok(Claim::OtherChip { expected });
            }
            if row.get::<_, &str>(0) == CardState::Done.name() {
                return Ok(Claim::Done);
            }
            let (lease, reserved): (Option<i64>, Option<i64>) = (row.get(2), row.get(3));
            let holder: String = row.get::<_, Option<String>>(4).unwrap_or_default();
            for id in [lease, reserved] {
                match self.session_of(tx, id)? {
                    Some((id, _)) if id == self.session && holder == worker => {}
                    Some((id, station)) => {
                        let worker = match id == self.session {
                            true => holder,
                            false => format!("{holder} at station {station}"),
                        };
                        return Ok(Claim::Busy { worker });
                    }
                    None => {}
                }
            }
            if let Some(dead) = lease.filter(|id| *id != self.session) {
                tx.execute(
                    "INSERT INTO ipae.take_overs (eid, from_session, to_session) VALUES ($1, $2, $3)",
                    &[&eid, &dead, &self.session],
                )?;
            }
            let claimed = tx.one(
                schema::CLAIM,
                &[&eid, &worker, &chip, &self.session, &self.station],
            )?;
            let attempts = claimed.map_or(1, |row| i64::from(row.get::<_, i32>(0)));
            Ok(Claim::Taken {
                attempts: count(attempts),
            })
        })
    }

    fn release(&self, eid: &str) -> Result<(), JournalError> {
        self.run(|tx| {
            tx.execute(
                "UPDATE ipae.cards SET lease = NULL, reserved = NULL, holder = NULL
                 WHERE eid = $1 AND (lease = $2 OR lease IS NULL AND reserved = $2)",
                &[&eid, &self.session],
            )?;
            Ok(())
        })
    }

    fn fail(&self, eid: &str, fault: &Fault) -> Result<(), JournalError> {
        let code = i16::from(fault.exit.code);
        let evidence = fault.evidence.join("\n");
        self.run(|tx| {
            let changed = tx.execute(
                schema::FAIL,
                &[
                    &eid,
                    &self.session,
                    &code,
                    &fault.error,
                    &fault.step,
                    &evidence,
                ],
            )?;
            if changed == 0 && self.ended_so(tx, eid, CardState::Failed)? {
                return Ok(());
            }
            self.held(tx, eid, changed)
        })
    }

    fn evidence(&self, eid: &str) -> Result<Vec<String>, JournalError> {
        let text: Option<String> = self.run(|tx| {
            let row = tx.one("SELECT evidence FROM ipae.cards WHERE eid = $1", &[&eid])?;
            Ok(row.and_then(|row| row.get(0)))
        })?;
        Ok(text.map_or_else(Vec::new, |text| text.lines().map(str::to_owned).collect()))
    }

    fn begin_step(&self, eid: &str, step: &str) -> Result<(), JournalError> {
        self.run(|tx| {
            let changed = tx.execute(schema::BEGIN_STEP, &[&eid, &step, &self.session])?;
            self.held(tx, eid, changed)
        })
    }

    fn end_step(
        &self,
        eid: &str,
        step: &str,
        detail: &str,
        took_ms: u64,
    ) -> Result<(), JournalError> {
        let took = i64::try_from(took_ms).unwrap_or(i64::MAX);
        self.run(|tx| {
            let changed = tx.execute(
                schema::END_STEP,
                &[&eid, &step, &detail, &took, &self.session],
            )?;
            self.held(tx, eid, changed)
        })
    }

    fn progress(&self, eid: &str, step: &str) -> Result<Progress, JournalError> {
        let ended: Option<i32> = self.run(|tx| {
            let row = tx.one(
                "SELECT ended FROM ipae.steps WHERE eid = $1 AND step = $2",
                &[&eid, &step],
            )?;
            Ok(row.map(|row| row.get(0)))
        })?;
        Ok(Progress::of(ended.map(i64::from)))
    }

    fn steps(&self) -> Result<Vec<StepRecord>, JournalError> {
        self.run(|tx| {
            let rows = tx.query(
                "SELECT eid, step, begun::bigint, ended::bigint, detail, took_ms FROM ipae.steps ORDER BY id",
                &[],
            )?;
            let step = |row: &Row| StepRecord {
                eid: row.get(0),
                step: row.get(1),
                begun: count(row.get(2)),
                ended: count(row.get(3)),
                detail: row.get(4),
                took_ms: row.get::<_, Option<i64>>(5).map(count),
            };
            Ok(rows.iter().map(step).collect())
        })
    }

    fn set_token(&self, eid: &str, token: i64) -> Result<(), JournalError> {
        self.run(|tx| {
            let changed = tx.execute(
                "UPDATE ipae.cards SET token = $3 WHERE eid = $1 AND lease = $2",
                &[&eid, &self.session, &token],
            )?;
            self.held(tx, eid, changed)
        })
    }

    fn set_rotation(&self, eid: &str, rotation: &Rotation) -> Result<(), JournalError> {
        let text = serde_json::to_string(rotation)
            .map_err(|e| self.record("a key rotation", e.to_string()))?;
        self.run(|tx| {
            let changed = tx.execute(
                "UPDATE ipae.cards SET rotation = $3 WHERE eid = $1 AND lease = $2",
                &[&eid, &self.session, &text],
            )?;
            self.held(tx, eid, changed)
        })
    }

    fn rotation(&self, eid: &str) -> Result<Option<Rotation>, JournalError> {
        let text: Option<String> = self.run(|tx| {
            let row = tx.one("SELECT rotation FROM ipae.cards WHERE eid = $1", &[&eid])?;
            Ok(row.and_then(|row| row.get(0)))
        })?;
        text.map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|e| self.record("a key rotation", e.to_string()))
    }

    fn finish(&self, eid: &str, when: &str, seal: &mut Seal<'_>) -> Result<Sealed, JournalError> {
        self.run(|tx| {
            let known = tx.one(
                "SELECT sequence, eid, hash, text FROM ipae.receipts WHERE eid = $1",
                &[&eid],
            )?;
            if let Some(row) = known {
                return Ok(sealed(&row));
            }
            // The session's row is this station's alone: its chain grows by one receipt at a time.
            let mine = tx.query(
                "SELECT id FROM ipae.sessions WHERE id = $1 AND ended IS NULL FOR UPDATE",
                &[&self.session],
            )?;
            if mine.is_empty() {
                self.held(tx, eid, 0)?;
            }
            let head = head(tx, &self.station, &self.order)?;
            let sealed = seal(&head).map_err(|problem| JournalError::Seal {
                eid: eid.to_owned(),
                problem,
            })?;
            let sequence = i64::try_from(sealed.sequence).unwrap_or(i64::MAX);
            let changed = tx.execute(schema::FINISH, &[&eid, &self.session, &when])?;
            self.held(tx, eid, changed)?;
            tx.execute(
                "UPDATE ipae.sessions SET done = done + 1 WHERE id = $1",
                &[&self.session],
            )?;
            tx.execute(
                "INSERT INTO ipae.receipts (station, sequence, eid, hash, text) VALUES ($1, $2, $3, $4, $5)",
                &[&self.station, &sequence, &eid, &sealed.hash, &sealed.text],
            )?;
            Ok(sealed)
        })
    }

    fn head(&self) -> Result<ChainHead, JournalError> {
        self.run(|tx| head(tx, &self.station, &self.order))
    }

    fn receipts(&self, after: u64) -> Result<Vec<Sealed>, JournalError> {
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        self.run(|tx| {
            let rows = tx.query(
                "SELECT sequence, eid, hash, text FROM ipae.receipts
                 WHERE station = $1 AND sequence > $2 ORDER BY sequence",
                &[&self.station, &after],
            )?;
            Ok(rows.iter().map(sealed).collect())
        })
    }
}

impl PostgresJournal {
    /// Whether a repeated call finds what its first try left: the card ended like that, nobody's.
    fn ended_so(&self, tx: &mut Tx<'_>, eid: &str, state: CardState) -> Result<bool, Fail> {
        let row = tx.one(
            "SELECT state, lease IS NULL AND station = $2 FROM ipae.cards WHERE eid = $1",
            &[&eid, &self.station],
        )?;
        Ok(row.is_some_and(|row| {
            row.get::<_, &str>(0) == state.name() && row.get::<_, Option<bool>>(1) == Some(true)
        }))
    }
}

fn head(tx: &mut Tx<'_>, station: &str, order: &str) -> Result<ChainHead, Fail> {
    let row = tx.one(
        "SELECT sequence, hash FROM ipae.receipts WHERE station = $1 ORDER BY sequence DESC LIMIT 1",
        &[&station],
    )?;
    let (sequence, hash) = match row {
        Some(row) => (count(row.get(0)), row.get(1)),
        None => (0, order.to_owned()),
    };
    Ok(ChainHead {
        station: station.to_owned(),
        sequence,
        hash,
    })
}
