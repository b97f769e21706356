//! One life of a station: begun, heard of again and again, ended.

use super::link::{Fail, Link, Tx};
use super::{Address, PostgresError, schema};
use crate::journal::JournalError;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Who starts.
pub(super) struct Who<'a> {
    pub station: &'a str,
    /// The station's folder: who holds its lock knows that a former life there is over.
    pub place: &'a str,
    /// How long it may be silent before the others take it for dead.
    pub ttl: Duration,
}

/// Begins a session. A former one of this station is over if it was in the same place, or silent for
/// too long; else the name is taken.
pub(super) fn begin(tx: &mut Tx<'_>, who: &Who<'_>, address: &Address) -> Result<i64, Fail> {
    if let Some(former) = tx.one(schema::FORMER, &[&who.station])? {
        let (id, lives, place): (i64, bool, String) = (former.get(0), former.get(1), former.get(2));
        if lives && place != who.place {
            return Err(PostgresError::Station {
                station: who.station.to_owned(),
                address: address.to_string(),
                silent: former.get::<_, f64>(3).max(0.0).round() as u64,
            }
            .into());
        }
        tx.execute(
            "UPDATE ipae.sessions SET ended = clock_timestamp() WHERE id = $1",
            &[&id],
        )?;
    }
    let ttl = who.ttl.as_secs_f64();
    let made = tx.query(
        "INSERT INTO ipae.sessions (station, place, ttl) VALUES ($1, $2, $3) RETURNING id",
        &[&who.station, &who.place, &ttl],
    )?;
    made.first().map(|row| row.get(0)).ok_or_else(|| {
        let problem = "no session was made".to_owned();
        PostgresError::Refused {
            address: address.to_string(),
            problem,
        }
        .into()
    })
}

/// Ends a session: its cards are whoever's sees them next.
pub(super) fn end(link: &mut Link, session: i64) -> Result<(), JournalError> {
    link.run(|tx| {
        tx.execute(
            "UPDATE ipae.cards SET lease = NULL, reserved = NULL, holder = NULL WHERE lease = $1 OR reserved = $1",
            &[&session],
        )?;
        tx.execute(
            "UPDATE ipae.sessions SET ended = clock_timestamp() WHERE id = $1 AND ended IS NULL",
            &[&session],
        )?;
        Ok(())
    })
}

/// Says that the session lives, on a connection of its own, until it is dropped.
pub(super) struct Heartbeat {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Heartbeat {
    /// Four times within the time that it may be silent.
    pub fn start(address: &Address, session: i64, ttl: Duration) -> Result<Self, PostgresError> {
        let mut link = Link::new(address, Duration::ZERO)?;
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(ttl / 4) {
                // A beat that is lost is made up by the next one; if none comes through, the journal's
                // own connection meets the same trouble and says so.
                let _ = link.run(|tx| {
                    tx.execute(
                        "UPDATE ipae.sessions SET seen = clock_timestamp() WHERE id = $1",
                        &[&session],
                    )
                });
            }
        });
        Ok(Heartbeat {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
