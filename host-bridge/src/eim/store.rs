//! The eIM's database: its schema and the plain questions to it.
//!
//! Every change that must not be half done is one transaction. Times are Unix milliseconds of the
//! real clock; nothing is decided by them.

use super::{EimError, Storage};
use crate::database::{self, OpenError, Schema};
use applet_model::sgp::Eid;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};
use utoipa::ToSchema;

/// Version of the schema below.
const VERSION: &str = "2";

/// What makes version 2 of version 1: expiry of packages, requests that came twice.
const FROM_VERSION_1: &str = "
ALTER TABLE package ADD COLUMN expires_at INTEGER;
UPDATE meta SET value = '2' WHERE key = 'version';
";

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS download_order (
    package INTEGER PRIMARY KEY,
    activation_code TEXT,
    by_eim INTEGER NOT NULL,
    code_hash BLOB
);
CREATE TABLE IF NOT EXISTS download (
    transaction_id BLOB PRIMARY KEY,
    package INTEGER,
    eid TEXT,
    address TEXT NOT NULL,
    name TEXT NOT NULL DEFAULT '',
    provider TEXT NOT NULL DEFAULT '',
    began_at INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS device (
    eid TEXT PRIMARY KEY,
    counter INTEGER NOT NULL DEFAULT 0,
    association_token INTEGER,
    euicc_certificate BLOB,
    eum_certificate BLOB,
    listed INTEGER NOT NULL DEFAULT 0,
    polls INTEGER NOT NULL DEFAULT 0,
    last_cause INTEGER,
    seen_at INTEGER
);
CREATE TABLE IF NOT EXISTS package (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    eid TEXT NOT NULL,
    place INTEGER NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 1,
    held INTEGER NOT NULL DEFAULT 0,
    package BLOB NOT NULL,
    text TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'queued',
    note TEXT NOT NULL DEFAULT '',
    counter INTEGER,
    transaction_id BLOB,
    request BLOB,
    deliveries INTEGER NOT NULL DEFAULT 0,
    enabled_before TEXT,
    applied INTEGER NOT NULL DEFAULT 0,
    queued_at INTEGER NOT NULL,
    sent_at INTEGER,
    ended_at INTEGER,
    expires_at INTEGER
);
CREATE INDEX IF NOT EXISTS package_queue ON package (eid, state, place);
CREATE INDEX IF NOT EXISTS package_transaction ON package (eid, transaction_id);
CREATE TABLE IF NOT EXISTS request_key (
    key TEXT PRIMARY KEY,
    request BLOB NOT NULL,
    package INTEGER NOT NULL,
    made_at INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS result (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    eid TEXT NOT NULL,
    package INTEGER,
    seq_number INTEGER,
    raw BLOB NOT NULL,
    verified INTEGER NOT NULL,
    verdict TEXT NOT NULL,
    text TEXT NOT NULL,
    times INTEGER NOT NULL DEFAULT 1,
    received_at INTEGER NOT NULL,
    UNIQUE (eid, raw)
);
CREATE TABLE IF NOT EXISTS profile (
    eid TEXT NOT NULL,
    iccid TEXT NOT NULL,
    state TEXT NOT NULL,
    name TEXT NOT NULL DEFAULT '',
    provider TEXT NOT NULL DEFAULT '',
    nickname TEXT NOT NULL DEFAULT '',
    class TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (eid, iccid)
);
CREATE TABLE IF NOT EXISTS associated_eim (
    eid TEXT NOT NULL,
    eim_id TEXT NOT NULL,
    PRIMARY KEY (eid, eim_id)
);
CREATE TABLE IF NOT EXISTS notification (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    eid TEXT NOT NULL,
    seq_number INTEGER NOT NULL,
    operation TEXT NOT NULL,
    iccid TEXT,
    address TEXT NOT NULL,
    raw BLOB NOT NULL,
    verified INTEGER NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    UNIQUE (eid, raw)
);
";

/// What is told of an eUICC when it is taken in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registration {
    /// CERT.EUICC.ECDSA and CERT.EUM.ECDSA in DER. Without them results stay unverified until the
    /// IPA brings them (in a notification or IpaEuiccData).
    pub certificates: Option<(Vec<u8>, Vec<u8>)>,
    /// The association token that the eUICC gave this eIM, if any.
    pub association_token: Option<i64>,
    /// The counter that the eUICC holds for this eIM; packages begin one above. `None` leaves what
    /// is known.
    pub counter: Option<u64>,
}

/// An eUICC as the eIM knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DeviceRow {
    /// EID, 32 digits.
    pub eid: String,
    /// Counter of the last package signed for it.
    pub counter: u64,
    /// The association token it gave this eIM.
    pub association_token: Option<i64>,
    /// Whether its certificates are known (and were verified).
    pub certified: bool,
    /// How often it polled.
    pub polls: u64,
    /// The last stateChangeCause it gave.
    pub last_cause: Option<i64>,
    /// When it last polled, in Unix milliseconds; RFC 3339 where it is written.
    #[serde(serialize_with = "maybe_rfc_3339")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub seen_at: Option<i64>,
    /// The ICCID of the profile that is enabled, as far as verified results tell.
    pub enabled: Option<String>,
    /// How many packages wait for it or were handed out without a result yet.
    pub waiting: u64,
}

/// A result as it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ResultRow {
    /// The package it answers, if one fits.
    pub package: Option<i64>,
    /// seqNumber; errors have none.
    pub seq_number: Option<u64>,
    /// Whether the signature and the chain up to the CI were verified.
    pub verified: bool,
    /// The verdict, in words.
    pub verdict: String,
    /// The results of the operations, in words.
    pub text: String,
    /// How often it came.
    pub times: u32,
    /// The EuiccPackageResult or other answer, upper-case hexadecimal.
    pub raw: String,
}

pub(super) fn open(storage: &Storage, path: &str, eim_id: &str) -> Result<Connection, EimError> {
    let file = match storage {
        Storage::Memory => None,
        Storage::File(file) => Some(file.as_path()),
    };
    let schema = Schema {
        tables: SCHEMA,
        version: VERSION,
        upgrade: Some(("1", FROM_VERSION_1)),
        owner: ("eimId", eim_id),
    };
    database::open(file, &schema).map_err(|error| {
        let path = path.to_owned();
        match error {
            OpenError::Sqlite(source) => EimError::Database { path, source },
            OpenError::Foreign { expected, found } => EimError::Foreign {
                path,
                expected,
                found,
            },
        }
    })
}

pub(super) fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .unwrap_or(0)
}

/// Unix milliseconds as people write times.
pub(super) fn rfc_3339<S: Serializer>(time: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    let time = jiff::Timestamp::from_millisecond(*time).map_err(serde::ser::Error::custom)?;
    serializer.collect_str(&time)
}

/// As [`rfc_3339`], where there may be none.
pub(super) fn maybe_rfc_3339<S: Serializer>(
    time: &Option<i64>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => rfc_3339(time, serializer),
        None => serializer.serialize_none(),
    }
}

/// SQLite's integers are signed; counters and sequence numbers are far below that limit.
pub(super) fn int(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

pub(super) fn register(
    db: &mut Connection,
    eid: &Eid,
    registration: &Registration,
) -> rusqlite::Result<()> {
    let eid = eid.to_string();
    let tx = db.transaction()?;
    tx.execute("INSERT OR IGNORE INTO device (eid) VALUES (?1)", [&eid])?;
    if let Some((euicc, eum)) = &registration.certificates {
        tx.execute(
            "UPDATE device SET euicc_certificate = ?2, eum_certificate = ?3 WHERE eid = ?1",
            params![eid, euicc, eum],
        )?;
    }
    if let Some(token) = registration.association_token {
        tx.execute(
            "UPDATE device SET association_token = ?2 WHERE eid = ?1",
            params![eid, token],
        )?;
    }
    if let Some(counter) = registration.counter {
        tx.execute(
            "UPDATE device SET counter = ?2 WHERE eid = ?1",
            params![eid, int(counter)],
        )?;
    }
    tx.commit()
}

const DEVICE: &str = "SELECT device.*, \
    (SELECT iccid FROM profile WHERE profile.eid = device.eid AND profile.state = 'enabled') AS enabled, \
    (SELECT count(*) FROM package WHERE package.eid = device.eid AND package.state IN ('queued', 'sent')) \
        AS waiting \
    FROM device";

fn device_row(row: &Row<'_>) -> rusqlite::Result<DeviceRow> {
    Ok(DeviceRow {
        eid: row.get("eid")?,
        counter: unsigned(row.get("counter")?),
        association_token: row.get("association_token")?,
        certified: row
            .get::<_, Option<Vec<u8>>>("euicc_certificate")?
            .is_some(),
        polls: unsigned(row.get("polls")?),
        last_cause: row.get("last_cause")?,
        seen_at: row.get("seen_at")?,
        enabled: row.get("enabled")?,
        waiting: unsigned(row.get("waiting")?),
    })
}

/// Devices in the order of their EIDs, from the one after `after`, at most so many.
pub(super) fn devices(
    db: &mut Connection,
    after: &str,
    limit: u32,
) -> rusqlite::Result<Vec<DeviceRow>> {
    db.prepare_cached(&format!("{DEVICE} WHERE eid > ?1 ORDER BY eid LIMIT ?2"))?
        .query_map(params![after, limit], device_row)?
        .collect()
}

pub(super) fn device(db: &mut Connection, eid: &Eid) -> rusqlite::Result<Option<DeviceRow>> {
    db.prepare_cached(&format!("{DEVICE} WHERE eid = ?1"))?
        .query_row([eid.to_string()], device_row)
        .optional()
}

/// How many devices there are, and how many packages in each state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Summary {
    /// Devices.
    pub devices: u64,
    /// Polls of all devices together.
    pub polls: u64,
    /// Packages by state; states without one are left out.
    pub packages: BTreeMap<String, u64>,
}

pub(super) fn summary(db: &mut Connection) -> rusqlite::Result<Summary> {
    let (devices, polls) = db
        .prepare_cached("SELECT count(*), coalesce(sum(polls), 0) FROM device")?
        .query_row([], |row| Ok((unsigned(row.get(0)?), unsigned(row.get(1)?))))?;
    let packages = db
        .prepare_cached("SELECT state, count(*) FROM package GROUP BY state")?
        .query_map([], |row| Ok((row.get(0)?, unsigned(row.get(1)?))))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Summary {
        devices,
        polls,
        packages,
    })
}

pub(super) fn results(db: &mut Connection, eid: &Eid) -> rusqlite::Result<Vec<ResultRow>> {
    db.prepare_cached("SELECT * FROM result WHERE eid = ?1 ORDER BY id")?
        .query_map([eid.to_string()], |row| {
            Ok(ResultRow {
                package: row.get("package")?,
                seq_number: row.get::<_, Option<i64>>("seq_number")?.map(unsigned),
                verified: row.get("verified")?,
                verdict: row.get("verdict")?,
                text: row.get("text")?,
                times: row.get("times")?,
                raw: hex::encode_upper(row.get::<_, Vec<u8>>("raw")?),
            })
        })?
        .collect()
}

/// What signing and verifying need of a device.
pub(super) struct Keys {
    pub(super) counter: u64,
    pub(super) association_token: Option<i64>,
    /// CERT.EUICC.ECDSA, verified when it was taken in.
    pub(super) euicc_certificate: Option<Vec<u8>>,
    /// CERT.EUM.ECDSA, likewise.
    pub(super) eum_certificate: Option<Vec<u8>>,
}

pub(super) fn keys(db: &Connection, eid: &str) -> rusqlite::Result<Option<Keys>> {
    db.prepare_cached(
        "SELECT counter, association_token, euicc_certificate, eum_certificate FROM device WHERE eid = ?1",
    )?
    .query_row([eid], |row| {
        Ok(Keys {
            counter: unsigned(row.get(0)?),
            association_token: row.get(1)?,
            euicc_certificate: row.get(2)?,
            eum_certificate: row.get(3)?,
        })
    })
    .optional()
}
