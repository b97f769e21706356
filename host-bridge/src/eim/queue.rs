//! The queues of packages: what waits for a device, was handed out, and what became of it.

use super::operation::DownloadOrder;
use super::store::{maybe_rfc_3339, now, rfc_3339, unsigned};
use applet_model::sgp::Eid;
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};
use serde::Serialize;
use utoipa::ToSchema;

/// Where a package is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PackageState {
    /// Waits for the IPA to poll.
    Queued,
    /// Signed and handed out; no result yet.
    Sent,
    /// Executed, all operations ok.
    Done,
    /// Refused, or an operation failed; the note says which and how.
    Failed,
    /// Executed, and the profile change was rolled back by the IPA.
    RolledBack,
    /// Ended with catBusy; a new package does the rest.
    Retried,
    /// A result came that couldn't be verified.
    Unverified,
    /// Taken out of the queue before it was handed out.
    Cancelled,
    /// Its time was over before the device polled for it.
    Expired,
}

impl PackageState {
    /// All states, in the order a package can go through them.
    pub const ALL: [PackageState; 9] = [
        PackageState::Queued,
        PackageState::Sent,
        PackageState::Done,
        PackageState::Failed,
        PackageState::RolledBack,
        PackageState::Retried,
        PackageState::Unverified,
        PackageState::Cancelled,
        PackageState::Expired,
    ];

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            PackageState::Queued => "queued",
            PackageState::Sent => "sent",
            PackageState::Done => "done",
            PackageState::Failed => "failed",
            PackageState::RolledBack => "rolled-back",
            PackageState::Retried => "retried",
            PackageState::Unverified => "unverified",
            PackageState::Cancelled => "cancelled",
            PackageState::Expired => "expired",
        }
    }

    fn from_name(name: &str) -> Self {
        PackageState::ALL
            .into_iter()
            .find(|state| state.name() == name)
            .unwrap_or(PackageState::Unverified)
    }

    /// True if nothing more is expected.
    pub fn is_final(self) -> bool {
        !matches!(self, PackageState::Queued | PackageState::Sent)
    }
}

/// A package and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PackageRow {
    /// Its number.
    pub id: i64,
    /// Whose it is, 32 digits.
    pub eid: String,
    /// Its operations, in words.
    pub text: String,
    /// Where it is.
    pub state: PackageState,
    /// Why, for failures; what the results were.
    pub note: String,
    /// 1, or more if it is a new try after catBusy.
    pub attempt: u32,
    /// counterValue, once it was signed.
    pub counter: Option<u64>,
    /// eimTransactionId, upper-case hexadecimal, once it was signed.
    pub transaction_id: Option<String>,
    /// How often it was handed out.
    pub deliveries: u32,
    /// When it was queued, in Unix milliseconds, as all times here; RFC 3339 where they are written.
    #[serde(serialize_with = "rfc_3339")]
    #[schema(value_type = String, format = DateTime)]
    pub queued_at: i64,
    /// When it was handed out first.
    #[serde(serialize_with = "maybe_rfc_3339")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub sent_at: Option<i64>,
    /// When it came to its end.
    #[serde(serialize_with = "maybe_rfc_3339")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<i64>,
    /// When it is no longer handed out for the first time.
    #[serde(serialize_with = "maybe_rfc_3339")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<i64>,
}

/// A package to be queued.
pub(super) struct New<'a> {
    /// EuiccPackage or ProfileDownloadTriggerRequest in DER.
    pub(super) package: &'a [u8],
    /// What only the eIM knows of a download.
    pub(super) order: Option<&'a DownloadOrder>,
    /// Its operations in words.
    pub(super) text: &'a str,
    /// When it is no longer handed out for the first time.
    pub(super) expires_at: Option<i64>,
    /// The key of the request that it comes from, and that request's digest.
    pub(super) request: Option<(&'a str, &'a [u8])>,
}

/// What became of a request to queue a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enqueued {
    /// It has this number now.
    New(i64),
    /// The same request, with the same key, came before and has this number.
    Before(i64),
    /// The key was used before for another request, which has this number.
    KeyTaken(i64),
}

impl Enqueued {
    /// The number of the package that there is now.
    pub fn package(self) -> i64 {
        match self {
            Enqueued::New(id) | Enqueued::Before(id) | Enqueued::KeyTaken(id) => id,
        }
    }
}

pub(super) fn enqueue(db: &mut Connection, eid: &Eid, new: &New<'_>) -> rusqlite::Result<Enqueued> {
    let eid = eid.to_string();
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if let Some((key, request)) = new.request {
        let before: Option<(Vec<u8>, i64)> = tx
            .prepare_cached("SELECT request, package FROM request_key WHERE key = ?1")?
            .query_row([key], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        if let Some((then, package)) = before {
            return Ok(match then == request {
                true => Enqueued::Before(package),
                false => Enqueued::KeyTaken(package),
            });
        }
    }
    tx.prepare_cached("INSERT OR IGNORE INTO device (eid) VALUES (?1)")?
        .execute([&eid])?;
    tx.prepare_cached(
        "INSERT INTO package (eid, place, package, text, queued_at, expires_at) \
         VALUES (?1, 0, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![eid, new.package, new.text, now(), new.expires_at])?;
    let id = tx.last_insert_rowid();
    tx.prepare_cached("UPDATE package SET place = id WHERE id = ?1")?
        .execute([id])?;
    if let Some(order) = new.order {
        tx.prepare_cached(
            "INSERT INTO download_order (package, activation_code, by_eim, code_hash) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![id, order.activation_code, order.by_eim, order.code_hash])?;
    }
    if let Some((key, request)) = new.request {
        tx.prepare_cached(
            "INSERT INTO request_key (key, request, package, made_at) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![key, request, id, now()])?;
    }
    tx.commit()?;
    Ok(Enqueued::New(id))
}

/// Takes a package out of its queue; false if it isn't there any more, or never was.
pub(super) fn cancel(db: &mut Connection, id: i64) -> rusqlite::Result<bool> {
    db.execute(
        "UPDATE package SET state = 'cancelled', ended_at = ?2 WHERE id = ?1 AND state = 'queued'",
        params![id, now()],
    )
    .map(|changed| changed == 1)
}

pub(super) fn clear_queue(db: &mut Connection, eid: &Eid) -> rusqlite::Result<usize> {
    db.execute(
        "UPDATE package SET state = 'cancelled', ended_at = ?2 WHERE eid = ?1 AND state = 'queued'",
        params![eid.to_string(), now()],
    )
}

/// Ends what waits for an EID and is too late. What was handed out may have been executed: it stays.
pub(super) fn expire(db: &Connection, eid: &str) -> rusqlite::Result<usize> {
    db.prepare_cached(
        "UPDATE package SET state = 'expired', ended_at = ?2 \
         WHERE eid = ?1 AND state = 'queued' AND expires_at <= ?2",
    )?
    .execute(params![eid, now()])
}

pub(super) fn packages(db: &mut Connection, eid: &Eid) -> rusqlite::Result<Vec<PackageRow>> {
    expire(db, &eid.to_string())?;
    db.prepare_cached("SELECT * FROM package WHERE eid = ?1 ORDER BY place, id")?
        .query_map([eid.to_string()], package_row)?
        .collect()
}

pub(super) fn package(db: &mut Connection, id: i64) -> rusqlite::Result<Option<PackageRow>> {
    let read = |db: &Connection| {
        db.prepare_cached("SELECT * FROM package WHERE id = ?1")?
            .query_row([id], package_row)
            .optional()
    };
    let Some(found) = read(db)? else {
        return Ok(None);
    };
    match expire(db, &found.eid)? {
        0 => Ok(Some(found)),
        _ => read(db),
    }
}

fn package_row(row: &Row<'_>) -> rusqlite::Result<PackageRow> {
    Ok(PackageRow {
        id: row.get("id")?,
        eid: row.get("eid")?,
        text: row.get("text")?,
        state: PackageState::from_name(&row.get::<_, String>("state")?),
        note: row.get("note")?,
        attempt: row.get("attempt")?,
        counter: row.get::<_, Option<i64>>("counter")?.map(unsigned),
        transaction_id: row
            .get::<_, Option<Vec<u8>>>("transaction_id")?
            .map(hex::encode_upper),
        deliveries: row.get("deliveries")?,
        queued_at: row.get("queued_at")?,
        sent_at: row.get("sent_at")?,
        ended_at: row.get("ended_at")?,
        expires_at: row.get("expires_at")?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Eim, EimIdentity, EimOptions, Operation, Storage};
    use super::*;
    use cards::pki::Hierarchy;
    use std::time::Duration;

    const EID: &str = "89049032123451234512345678901235";

    fn opened(storage: &Storage) -> Eim {
        let identity = EimIdentity::of_hierarchy(&Hierarchy::lab().unwrap()).unwrap();
        Eim::open(storage, identity, EimOptions::default()).unwrap()
    }

    /// Polls; gives the counter of the package that came.
    fn poll(eim: &Eim) -> Option<u64> {
        let request = applet_model::sgp::esipa::GetEimPackageRequest::new(EID.parse().unwrap());
        eim.get_package(&request).unwrap();
        let packages = eim.packages(&EID.parse().unwrap()).unwrap();
        let sent = packages.iter().find(|p| p.state == PackageState::Sent);
        sent.and_then(|package| package.counter)
    }

    #[test]
    fn a_request_that_comes_twice_is_queued_once() {
        let (eim, eid) = (opened(&Storage::Memory), EID.parse().unwrap());
        let (rat, list) = ([Operation::get_rat()], [Operation::list_profile_info()]);
        let ask =
            |operations: &[Operation], key| eim.enqueue_once(&eid, operations, None, key).unwrap();
        assert_eq!(ask(&rat, Some("k")), Enqueued::New(1));
        assert_eq!(ask(&rat, Some("k")), Enqueued::Before(1));
        assert_eq!(ask(&list, Some("k")), Enqueued::KeyTaken(1));
        assert_eq!(ask(&rat, Some("other")), Enqueued::New(2));
        assert_eq!(ask(&rat, None), Enqueued::New(3));
        assert_eq!(eim.packages(&eid).unwrap().len(), 3);
    }

    #[test]
    fn what_is_too_late_or_cancelled_is_never_handed_out() {
        let (eim, eid): (_, Eid) = (opened(&Storage::Memory), EID.parse().unwrap());
        let queue = |expires_in| {
            let operations = [Operation::get_rat()];
            match eim.enqueue_once(&eid, &operations, expires_in, None) {
                Ok(Enqueued::New(id)) => id,
                other => panic!("{other:?}"),
            }
        };
        let late = queue(Some(Duration::ZERO));
        let cancelled = queue(None);
        let good = queue(Some(Duration::from_secs(3600)));
        assert!(eim.cancel(cancelled).unwrap() && !eim.cancel(cancelled).unwrap());
        assert_eq!(poll(&eim), Some(1));
        let state = |id| eim.package(id).unwrap().unwrap().state;
        assert_eq!(state(late), PackageState::Expired);
        assert_eq!(state(cancelled), PackageState::Cancelled);
        assert_eq!(state(good), PackageState::Sent);
        // What was handed out may be at work on the card: it is neither cancelled nor expired.
        assert!(!eim.cancel(good).unwrap());
        eim.with_db(|db| db.execute("UPDATE package SET expires_at = 1 WHERE id = ?1", [good]))
            .unwrap();
        assert_eq!(state(good), PackageState::Sent);
        assert_eq!(eim.package(99).unwrap(), None);
        let summary = eim.summary().unwrap();
        let counts: Vec<_> = summary.packages.into_iter().collect();
        let expected = [("cancelled", 1), ("expired", 1), ("sent", 1)];
        assert_eq!(counts, expected.map(|(state, n)| (state.to_owned(), n)));
    }

    #[test]
    fn a_database_of_the_first_version_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::File(dir.path().join("eim.sqlite"));
        let eid: Eid = EID.parse().unwrap();
        let eim = opened(&storage);
        let id = eim.enqueue(&eid, &[Operation::get_rat()]).unwrap();
        eim.with_db(|db| {
            db.execute_batch(
                "DROP TABLE request_key; ALTER TABLE package DROP COLUMN expires_at; \
                 UPDATE meta SET value = '1' WHERE key = 'version';",
            )
        })
        .unwrap();
        drop(eim);
        let eim = opened(&storage);
        assert_eq!(poll(&eim), Some(1));
        assert_eq!(eim.package(id).unwrap().unwrap().state, PackageState::Sent);
        drop(eim);
        assert_eq!(opened(&storage).packages(&eid).unwrap().len(), 1);
    }
}
