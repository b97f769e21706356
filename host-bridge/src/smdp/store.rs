//! The SM-DP+'s database: orders, and notifications that came.

use super::SmdpError;
use super::order::{NewOrder, OrderRow, OrderState, code_hash};
use crate::database::{self, OpenError, Schema};
use applet_model::sgp::Decode;
use applet_model::sgp::download::StoreMetadataRequest;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;
use std::path::Path;

/// Version of the schema below.
const VERSION: &str = "1";

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS profile_order (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    matching_id TEXT NOT NULL UNIQUE,
    iccid TEXT NOT NULL,
    name TEXT NOT NULL,
    eid TEXT,
    code_hash BLOB,
    wrong_codes INTEGER NOT NULL DEFAULT 0,
    downloads INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT 'released',
    note TEXT NOT NULL DEFAULT '',
    metadata BLOB NOT NULL,
    profile BLOB NOT NULL,
    bound BLOB,
    bound_to TEXT,
    euicc_otpk BLOB,
    transaction_id BLOB,
    euicc_certificate BLOB
);
CREATE INDEX IF NOT EXISTS order_transaction ON profile_order (transaction_id);
CREATE INDEX IF NOT EXISTS order_eid ON profile_order (eid, state);
CREATE TABLE IF NOT EXISTS notification (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    eid TEXT NOT NULL,
    text TEXT NOT NULL,
    raw BLOB NOT NULL UNIQUE
);
";

/// A notification that was verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotificationRow {
    /// Whose.
    pub eid: String,
    /// What it says.
    pub text: String,
}

/// An order with all that a download needs.
#[derive(Debug, Clone)]
pub(super) struct Order {
    pub row: OrderRow,
    pub code_hash: Option<Vec<u8>>,
    pub metadata: Vec<u8>,
    pub profile: Vec<u8>,
    pub bound: Option<Vec<u8>>,
    pub euicc_otpk: Option<Vec<u8>>,
    pub euicc_certificate: Option<Vec<u8>>,
}

/// A package that goes out.
pub(super) struct Bound<'a> {
    pub package: &'a [u8],
    pub eid: &'a str,
    pub euicc_otpk: &'a [u8],
    pub transaction_id: &'a [u8],
    pub euicc_certificate: &'a [u8],
}

pub(super) fn open(file: Option<&Path>, oid: &str) -> Result<Connection, SmdpError> {
    let schema = Schema {
        tables: SCHEMA,
        version: VERSION,
        upgrade: None,
        owner: ("smdpOid", oid),
    };
    database::open(file, &schema).map_err(|error| {
        let path = file.map_or("memory".to_owned(), |file| file.display().to_string());
        match error {
            OpenError::Sqlite(source) => SmdpError::Database { path, source },
            OpenError::Foreign { expected, found } => SmdpError::Foreign {
                path,
                expected,
                found,
            },
        }
    })
}

fn number(row: &Row<'_>, name: &str) -> rusqlite::Result<u32> {
    Ok(u32::try_from(row.get::<_, i64>(name)?).unwrap_or(0))
}

fn order(row: &Row<'_>) -> rusqlite::Result<Order> {
    let state: String = row.get("state")?;
    let profile: Vec<u8> = row.get("profile")?;
    let code_hash: Option<Vec<u8>> = row.get("code_hash")?;
    Ok(Order {
        row: OrderRow {
            id: row.get("id")?,
            matching_id: row.get("matching_id")?,
            iccid: row.get("iccid")?,
            name: row.get("name")?,
            eid: row.get("eid")?,
            state: OrderState::ALL
                .into_iter()
                .find(|s| s.name() == state)
                .unwrap_or(OrderState::Failed),
            confirmation_code: code_hash.is_some(),
            wrong_codes: number(row, "wrong_codes")?,
            downloads: number(row, "downloads")?,
            bound_to: row.get("bound_to")?,
            profile_bytes: profile.len(),
            note: row.get("note")?,
        },
        code_hash,
        metadata: row.get("metadata")?,
        profile,
        bound: row.get("bound")?,
        euicc_otpk: row.get("euicc_otpk")?,
        euicc_certificate: row.get("euicc_certificate")?,
    })
}

/// Adds an order; `false` if the matching identifier is taken.
pub(super) fn insert(db: &Connection, new: &NewOrder) -> Result<Option<i64>, SmdpError> {
    let metadata = StoreMetadataRequest::from_der(&new.metadata)
        .map_err(|e| SmdpError::Order(format!("the metadata can't be read: {e}")))?;
    let inserted = db.execute(
        "INSERT OR IGNORE INTO profile_order (matching_id, iccid, name, eid, code_hash, metadata, profile) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            new.matching_id,
            metadata.iccid.to_string(),
            metadata.profile_name,
            new.eid,
            new.confirmation_code.as_deref().map(|code| code_hash(code).to_vec()),
            new.metadata,
            new.profile,
        ],
    )?;
    Ok((inserted == 1).then(|| db.last_insert_rowid()))
}

pub(super) fn all(db: &Connection) -> rusqlite::Result<Vec<OrderRow>> {
    db.prepare_cached("SELECT * FROM profile_order ORDER BY id")?
        .query_map([], |row| order(row).map(|order| order.row))?
        .collect()
}

pub(super) fn by_id(db: &Connection, id: i64) -> rusqlite::Result<Option<Order>> {
    db.query_row("SELECT * FROM profile_order WHERE id = ?1", [id], order)
        .optional()
}

pub(super) fn by_matching_id(db: &Connection, text: &str) -> rusqlite::Result<Option<Order>> {
    db.query_row(
        "SELECT * FROM profile_order WHERE matching_id = ?1",
        [text],
        order,
    )
    .optional()
}

/// The oldest order that is for this eUICC and can be downloaded.
pub(super) fn waiting_for(db: &Connection, eid: &str) -> rusqlite::Result<Option<Order>> {
    db.query_row(
        "SELECT * FROM profile_order WHERE eid = ?1 AND state IN ('released', 'downloaded') \
         ORDER BY id LIMIT 1",
        [eid],
        order,
    )
    .optional()
}

pub(super) fn by_transaction(db: &Connection, id: &[u8]) -> rusqlite::Result<Option<Order>> {
    db.query_row(
        "SELECT * FROM profile_order WHERE transaction_id = ?1",
        [id],
        order,
    )
    .optional()
}

/// A wrong confirmation code: counted, and with the last one the order has failed.
pub(super) fn wrong_code(db: &Connection, id: i64, last: bool) -> rusqlite::Result<()> {
    let state = if last { "failed" } else { "released" };
    db.execute(
        "UPDATE profile_order SET wrong_codes = wrong_codes + 1, note = 'wrong confirmation code', \
         state = CASE WHEN ?2 = 'failed' THEN 'failed' ELSE state END WHERE id = ?1",
        params![id, state],
    )
    .map(|_| ())
}

/// A bound package goes out.
pub(super) fn downloaded(db: &Connection, id: i64, bound: &Bound<'_>) -> rusqlite::Result<bool> {
    db.execute(
        "UPDATE profile_order SET state = 'downloaded', downloads = downloads + 1, wrong_codes = 0, \
         note = 'bound package handed out', bound = ?2, bound_to = ?3, euicc_otpk = ?4, \
         transaction_id = ?5, euicc_certificate = ?6 \
         WHERE id = ?1 AND state IN ('released', 'downloaded') AND (bound_to IS NULL OR bound_to = ?3)",
        params![
            id,
            bound.package,
            bound.eid,
            bound.euicc_otpk,
            bound.transaction_id,
            bound.euicc_certificate
        ],
    )
    .map(|changed| changed == 1)
}

/// The order is in this state now. A package that can't be used again is dropped; so is the tie to the eUICC
/// if the order is given back.
pub(super) fn set_state(
    db: &Connection,
    id: i64,
    state: OrderState,
    note: &str,
) -> rusqlite::Result<()> {
    let keeps = state == OrderState::Downloaded;
    db.execute(
        "UPDATE profile_order SET state = ?2, note = ?3, \
         bound = CASE WHEN ?4 THEN bound END, euicc_otpk = CASE WHEN ?4 THEN euicc_otpk END, \
         bound_to = CASE WHEN ?2 = 'released' THEN NULL ELSE bound_to END WHERE id = ?1",
        params![id, state.name(), note, keeps],
    )
    .map(|_| ())
}

pub(super) fn note(db: &Connection, id: i64, text: &str) -> rusqlite::Result<()> {
    db.execute(
        "UPDATE profile_order SET note = ?2 WHERE id = ?1",
        params![id, text],
    )
    .map(|_| ())
}

/// Keeps a notification; `false` if it is known.
pub(super) fn keep_notification(
    db: &Connection,
    eid: &str,
    text: &str,
    raw: &[u8],
) -> rusqlite::Result<bool> {
    db.execute(
        "INSERT OR IGNORE INTO notification (eid, text, raw) VALUES (?1, ?2, ?3)",
        params![eid, text, raw],
    )
    .map(|changed| changed == 1)
}

pub(super) fn notifications(db: &Connection) -> rusqlite::Result<Vec<NotificationRow>> {
    db.prepare_cached("SELECT eid, text FROM notification ORDER BY id")?
        .query_map([], |row| {
            Ok(NotificationRow {
                eid: row.get(0)?,
                text: row.get(1)?,
            })
        })?
        .collect()
}
