//! SQLite databases that several processes may open; those of the lab's servers, each for the one that made it.

use rusqlite::{Connection, ErrorCode, OptionalExtension, params};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long another process that writes is waited for.
const BUSY: Duration = Duration::from_secs(5);

/// Has a connection wait for other processes, and keep a write-ahead log, which keeps a killed process's
/// database whole. Where two make one fresh file such a database, SQLite refuses one of them at once
/// whatever its time-out: that one tries again.
pub(crate) fn write_ahead(db: &Connection, patience: Duration) -> rusqlite::Result<()> {
    db.busy_timeout(patience)?;
    let begun = Instant::now();
    loop {
        match db.pragma_update(None, "journal_mode", "WAL") {
            Err(e)
                if e.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && begun.elapsed() < patience =>
            {
                std::thread::sleep(Duration::from_millis(5));
            }
            done => return done,
        }
    }
}

/// What a database holds, and whose it is.
pub(crate) struct Schema<'a> {
    /// What makes the tables where they aren't there, `meta` among them.
    pub(crate) tables: &'a str,
    /// The tables' version.
    pub(crate) version: &'a str,
    /// An older version, and what makes this one of it.
    pub(crate) upgrade: Option<(&'a str, &'a str)>,
    /// What names the server, and its name.
    pub(crate) owner: (&'a str, &'a str),
}

/// Why a database isn't opened.
pub(crate) enum OpenError {
    /// SQLite's error.
    Sqlite(rusqlite::Error),
    /// It is another server's, or of another version.
    Foreign { expected: String, found: String },
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        OpenError::Sqlite(error)
    }
}

/// Opens the database in this file, or one in memory.
pub(crate) fn open(file: Option<&Path>, schema: &Schema<'_>) -> Result<Connection, OpenError> {
    let db = match file {
        None => Connection::open_in_memory(),
        Some(file) => Connection::open(file),
    }?;
    write_ahead(&db, BUSY)?;
    db.pragma_update(None, "synchronous", "NORMAL")?;
    if let Some((from, upgrade)) = schema.upgrade
        && db.table_exists(None, "meta")?
        && meta(&db, "version")?.as_deref() == Some(from)
    {
        db.execute_batch(&format!("BEGIN IMMEDIATE; {upgrade} COMMIT;"))?;
    }
    db.execute_batch(schema.tables)?;
    for (key, expected) in [("version", schema.version), schema.owner] {
        db.execute(
            "INSERT OR IGNORE INTO meta (key, value) VALUES (?1, ?2)",
            params![key, expected],
        )?;
        let found = meta(&db, key)?.unwrap_or_default();
        if found != expected {
            return Err(OpenError::Foreign {
                expected: format!("{key} {expected}"),
                found: format!("{key} {found}"),
            });
        }
    }
    Ok(db)
}

fn meta(db: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    db.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| {
        row.get(0)
    })
    .optional()
}
