//! What a queue says to somebody who looks on: stations, leases, progress.

use super::link::{Fail, Link, Tx};
use super::{Address, count, meta, there};
use crate::journal::JournalError;
use std::time::Duration;

/// A queue, seen from beside it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct QueueStatus {
    /// The queue, without password.
    pub queue: String,
    /// SHA-256 of the order.
    pub order: String,
    /// Cards in the order.
    pub cards: u64,
    /// Done.
    pub done: u64,
    /// Failed.
    pub failed: u64,
    /// Begun and not ended.
    pub working: u64,
    /// Never touched.
    pub pending: u64,
    /// Cards of dead stations that were seen by another one and went on there.
    pub taken_over: u64,
    /// Stations by name.
    pub stations: Vec<StationStatus>,
    /// Cards in somebody's hands, or left in a dead station's.
    pub leases: Vec<LeaseStatus>,
}

/// A station.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct StationStatus {
    /// Its name.
    pub station: String,
    /// Heard of within its time, and not ended.
    pub lives: bool,
    /// Ended in good order.
    pub ended: bool,
    /// Seconds since its last sign of life.
    pub silent: u64,
    /// Lives that it had.
    pub sessions: u64,
    /// Its cards.
    #[serde(flatten)]
    pub cards: CardsOfStation,
    /// Number of the last receipt in its chain.
    pub receipts: u64,
    /// Hash of that receipt; empty before the first.
    pub head: String,
}

/// What a station's cards came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct CardsOfStation {
    /// Done there.
    pub done: u64,
    /// Failed there last.
    pub failed: u64,
}

/// A card in somebody's hands.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct LeaseStatus {
    /// The card.
    pub eid: String,
    /// The station.
    pub station: String,
    /// Its reader.
    pub worker: String,
    /// The station lives; if not, whoever sees the card goes on with it.
    pub lives: bool,
    /// The step that was begun last.
    pub step: Option<String>,
}

const COUNTS: &str = "
SELECT count(*), count(*) FILTER (WHERE state = 'done'), count(*) FILTER (WHERE state = 'failed'),
  count(*) FILTER (WHERE state = 'working'), count(*) FILTER (WHERE state = 'pending'),
  (SELECT count(*) FROM ipae.take_overs)
FROM ipae.cards";

const STATIONS: &str = "
SELECT s.station, s.ended IS NULL AND s.seen + make_interval(secs => s.ttl) >= clock_timestamp(),
  s.ended IS NOT NULL, extract(epoch FROM clock_timestamp() - coalesce(s.ended, s.seen))::bigint,
  (SELECT count(*) FROM ipae.sessions o WHERE o.station = s.station),
  (SELECT count(*) FROM ipae.cards c WHERE c.station = s.station AND c.state = 'done'),
  (SELECT count(*) FROM ipae.cards c WHERE c.station = s.station AND c.state = 'failed'),
  coalesce(r.sequence, 0), coalesce(r.hash, '')
FROM (SELECT DISTINCT ON (station) * FROM ipae.sessions ORDER BY station, id DESC) s
  LEFT JOIN LATERAL (SELECT sequence, hash FROM ipae.receipts r WHERE r.station = s.station
    ORDER BY sequence DESC LIMIT 1) r ON true
ORDER BY s.station";

const LEASES: &str = "
SELECT c.eid, s.station, coalesce(c.worker, ''),
  s.ended IS NULL AND s.seen + make_interval(secs => s.ttl) >= clock_timestamp(),
  (SELECT t.step FROM ipae.steps t WHERE t.eid = c.eid ORDER BY t.ended >= t.begun, t.id DESC LIMIT 1)
FROM ipae.cards c JOIN ipae.sessions s ON s.id = c.lease ORDER BY s.station, c.place";

impl QueueStatus {
    /// Asks a queue. Changes nothing there.
    ///
    /// # Errors
    /// [`JournalError`]: not reachable, or no queue.
    pub fn read(address: &Address) -> Result<Self, JournalError> {
        let mut link = Link::new(address, Duration::ZERO)?;
        link.run(|tx| {
            tx.batch("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
            there(tx, address)?;
            ask(tx, address)
        })
    }
}

fn ask(tx: &mut Tx<'_>, address: &Address) -> Result<QueueStatus, Fail> {
    let order = meta(tx, "order")?;
    let counts = tx.one(COUNTS, &[])?;
    let number = |at: usize| {
        counts
            .as_ref()
            .map_or(0, |row| count(row.get::<_, i64>(at)))
    };
    let stations = tx.query(STATIONS, &[])?;
    let leases = tx.query(LEASES, &[])?;
    Ok(QueueStatus {
        queue: address.to_string(),
        order,
        cards: number(0),
        done: number(1),
        failed: number(2),
        working: number(3),
        pending: number(4),
        taken_over: number(5),
        stations: stations
            .iter()
            .map(|row| StationStatus {
                station: row.get(0),
                lives: row.get(1),
                ended: row.get(2),
                silent: count(row.get(3)),
                sessions: count(row.get(4)),
                cards: CardsOfStation {
                    done: count(row.get(5)),
                    failed: count(row.get(6)),
                },
                receipts: count(row.get(7)),
                head: row.get(8),
            })
            .collect(),
        leases: leases
            .iter()
            .map(|row| LeaseStatus {
                eid: row.get(0),
                station: row.get(1),
                worker: row.get(2),
                lives: row.get(3),
                step: row.get(4),
            })
            .collect(),
    })
}
