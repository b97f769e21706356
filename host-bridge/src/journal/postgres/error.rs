//! What can go wrong with a queue.

use super::schema;
use crate::exit::{self, Exit, ExitCode};
use std::time::Duration;

/// Why the queue can't be used.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// The address.
    #[error(
        "the queue's address can't be read: expected postgres://USER@HOST:PORT/DATABASE, the password in PGPASSWORD (the address given isn't repeated here: it may hold one)"
    )]
    Address,
    /// TLS was asked for.
    #[error(
        "the queue's address asks for TLS, which this tool doesn't speak to PostgreSQL: leave out sslmode=require and use a socket, a network of your own or a tunnel"
    )]
    Tls,
    /// No connection.
    #[error("no connection to the queue {address}: {problem}")]
    Connect {
        /// Without password.
        address: String,
        /// What the system or the server says.
        problem: String,
    },
    /// The connection was lost, and didn't come back.
    #[error(
        "the connection to the queue {address} was lost and not made again within {} s ({problem}); the cards in the readers are left between two steps, and the same command goes on with them", patience.as_secs()
    )]
    Lost {
        /// Without password.
        address: String,
        /// What the system or the server says.
        problem: String,
        /// How long it was tried.
        patience: Duration,
    },
    /// The server refused something.
    #[error("the queue {address} refused: {problem}")]
    Refused {
        /// Without password.
        address: String,
        /// What the server says.
        problem: String,
    },
    /// The database holds no queue.
    #[error("there is no queue in {0}: the first `ipae personalize run --queue` makes it")]
    None(String),
    /// The queue is of another version of this tool.
    #[error(
        "the queue {address} has format {found}, this tool writes {}",
        schema::FORMAT
    )]
    Format {
        /// Without password.
        address: String,
        /// What it says.
        found: String,
    },
    /// The queue belongs to something else.
    #[error(
        "the queue {address} is of another {what}: stations that share a queue need the same files; another order needs a database of its own"
    )]
    Other {
        /// Without password.
        address: String,
        /// `order`, `card definition` or `job`.
        what: &'static str,
    },
    /// The folder has a journal of its own.
    #[error("{0} holds a journal of its own, begun without --queue: choose another --out")]
    OwnJournal(String),
    /// A station of that name is at work.
    #[error(
        "station {station} is at work at the queue {address}, from another folder, last heard of {silent} s ago; give this one another --station"
    )]
    Station {
        /// Its name.
        station: String,
        /// Without password.
        address: String,
        /// Seconds since its last sign of life.
        silent: u64,
    },
    /// A card isn't this station's any longer.
    #[error("card {eid} is {} now, nothing more was recorded about it here", holder.as_deref().map_or("nobody's".to_owned(), |name| format!("station {name}'s")))]
    Taken {
        /// The card.
        eid: String,
        /// Who has it.
        holder: Option<String>,
    },
}

impl ExitCode for PostgresError {
    fn exit(&self) -> Exit {
        match self {
            PostgresError::Address | PostgresError::Tls => exit::USAGE,
            PostgresError::Connect { .. } | PostgresError::Lost { .. } => exit::QUEUE,
            PostgresError::Station { .. } => exit::LOCKED,
            _ => exit::JOURNAL,
        }
    }
}
