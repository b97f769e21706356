//! A connection that is made again when it is lost.

use super::{Address, PostgresError};
use crate::journal::JournalError;
use postgres::error::SqlState;
use postgres::types::ToSql;
use postgres::{Client, NoTls, Row, Statement, Transaction};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Between two tries to connect.
const PAUSE: Duration = Duration::from_millis(200);

/// Why a transaction was not committed.
pub(super) enum Fail {
    /// The database's word.
    Db(postgres::Error),
    /// Ours: nothing is tried again.
    Journal(JournalError),
}

impl From<postgres::Error> for Fail {
    fn from(error: postgres::Error) -> Self {
        Fail::Db(error)
    }
}

impl From<JournalError> for Fail {
    fn from(error: JournalError) -> Self {
        Fail::Journal(error)
    }
}

impl From<PostgresError> for Fail {
    fn from(error: PostgresError) -> Self {
        Fail::Journal(error.into())
    }
}

type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A transaction, with statements that are prepared once a connection.
pub(super) struct Tx<'a> {
    tx: Transaction<'a>,
    statements: &'a mut HashMap<&'static str, Statement>,
}

impl Tx<'_> {
    fn statement(&mut self, sql: &'static str) -> Result<Statement, postgres::Error> {
        if let Some(known) = self.statements.get(sql) {
            return Ok(known.clone());
        }
        let made = self.tx.prepare(sql)?;
        self.statements.insert(sql, made.clone());
        Ok(made)
    }

    /// Rows that a statement gives.
    pub fn query(&mut self, sql: &'static str, params: Params<'_>) -> Result<Vec<Row>, Fail> {
        let statement = self.statement(sql)?;
        Ok(self.tx.query(&statement, params)?)
    }

    /// The one row that a statement gives, or none.
    pub fn one(&mut self, sql: &'static str, params: Params<'_>) -> Result<Option<Row>, Fail> {
        let statement = self.statement(sql)?;
        Ok(self.tx.query_opt(&statement, params)?)
    }

    /// Rows that a statement changed.
    pub fn execute(&mut self, sql: &'static str, params: Params<'_>) -> Result<u64, Fail> {
        let statement = self.statement(sql)?;
        Ok(self.tx.execute(&statement, params)?)
    }

    /// Several statements without parameters.
    pub fn batch(&mut self, sql: &str) -> Result<(), Fail> {
        Ok(self.tx.batch_execute(sql)?)
    }
}

struct Open {
    client: Client,
    statements: HashMap<&'static str, Statement>,
}

/// A connection.
pub(super) struct Link {
    address: Address,
    /// How long a lost connection is tried again.
    patience: Duration,
    open: Option<Open>,
}

fn connect(address: &Address) -> Result<Open, postgres::Error> {
    let mut client = address.config().connect(NoTls)?;
    // What was committed is on the server's disk, whatever the server's default is.
    client.batch_execute("SET synchronous_commit = on")?;
    Ok(Open {
        client,
        statements: HashMap::new(),
    })
}

impl Link {
    /// Connects.
    pub fn new(address: &Address, patience: Duration) -> Result<Self, PostgresError> {
        let open = connect(address).map_err(|e| PostgresError::Connect {
            address: address.to_string(),
            problem: words(&e),
        })?;
        Ok(Link {
            address: address.clone(),
            patience,
            open: Some(open),
        })
    }

    /// Carries a transaction out. When the connection is lost it is made again and the whole
    /// transaction repeated, also if its commit may have gone through: each has the same result twice.
    pub fn run<T>(
        &mut self,
        mut body: impl FnMut(&mut Tx<'_>) -> Result<T, Fail>,
    ) -> Result<T, JournalError> {
        let mut lost_at: Option<Instant> = None;
        loop {
            let error = match self.attempt(&mut body) {
                Ok(value) => return Ok(value),
                Err(Fail::Journal(error)) => return Err(error),
                Err(Fail::Db(error)) => error,
            };
            let address = self.address.to_string();
            let problem = words(&error);
            if !is_lost(&error) {
                return Err(PostgresError::Refused { address, problem }.into());
            }
            self.open = None;
            let since = *lost_at.get_or_insert_with(Instant::now);
            if since.elapsed() >= self.patience {
                return Err(PostgresError::Lost {
                    address,
                    problem,
                    patience: self.patience,
                }
                .into());
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn attempt<T>(
        &mut self,
        body: &mut impl FnMut(&mut Tx<'_>) -> Result<T, Fail>,
    ) -> Result<T, Fail> {
        let open = match &mut self.open {
            Some(open) => open,
            none => none.insert(connect(&self.address)?),
        };
        let mut tx = Tx {
            tx: open.client.transaction()?,
            statements: &mut open.statements,
        };
        let value = body(&mut tx)?;
        tx.tx.commit()?;
        Ok(value)
    }
}

/// Whether the connection is the trouble, and not what was asked.
fn is_lost(error: &postgres::Error) -> bool {
    if let Some(code) = error.code() {
        let gone = [
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::CANNOT_CONNECT_NOW,
        ];
        return gone.contains(code) || code.code().starts_with("08");
    }
    let io = std::error::Error::source(error).is_some_and(|source| source.is::<std::io::Error>());
    error.is_closed() || io
}

/// An error with what the server says; never with what was sent.
pub(super) fn words(error: &postgres::Error) -> String {
    match error.as_db_error() {
        Some(db) => format!("{} ({})", db.message(), db.code().code()),
        None => match std::error::Error::source(error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        },
    }
}
