//! An order shared by several stations: the queue's options.

use super::failure::Failure;
use clap::Args;
use host_bridge::journal::{Address, QueueOptions};
use std::time::Duration;

/// Where a password that isn't in the address is.
const PASSWORD: &str = "PGPASSWORD";

#[derive(Args)]
#[command(next_help_heading = "Several stations")]
pub struct QueueArgs {
    /// Share the order with other stations over PostgreSQL: postgres://USER@HOST:PORT/DATABASE, the
    /// password in PGPASSWORD
    #[arg(long, value_name = "ADDRESS")]
    queue: Option<String>,
    /// How long this station may be silent before another one that sees its card goes on with it
    #[arg(long, value_name = "SECONDS", default_value_t = 30, requires = "queue", value_parser = clap::value_parser!(u64).range(1..=3600))]
    queue_silence: u64,
    /// How long a lost connection is tried again before this station stops between two steps
    #[arg(long, value_name = "SECONDS", default_value_t = 20, requires = "queue", value_parser = clap::value_parser!(u64).range(0..=3600))]
    queue_retry: u64,
}

/// An address from the command line.
pub fn address(text: &str) -> Result<Address, Failure> {
    let password = std::env::var(PASSWORD).ok();
    Ok(Address::parse(text, password.as_deref())?)
}

impl QueueArgs {
    /// The queue, if there is one.
    pub fn options(&self) -> Result<Option<QueueOptions>, Failure> {
        let Some(text) = &self.queue else {
            return Ok(None);
        };
        let mut options = QueueOptions::new(address(text)?);
        options.ttl = Duration::from_secs(self.queue_silence);
        options.patience = Duration::from_secs(self.queue_retry);
        Ok(Some(options))
    }
}
