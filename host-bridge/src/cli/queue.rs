//! An order shared by several stations: the queue's options, and how it stands.

use super::failure::Failure;
use super::output::{Out, style};
use clap::Args;
use host_bridge::journal::{Address, QueueOptions, QueueStatus};
use std::io::Write;
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

/// Shows how a queue stands.
pub fn status(queue: &str, out: &Out) -> Result<(), Failure> {
    let status = QueueStatus::read(&address(queue)?)?;
    out.print(&status, |w| {
        writeln!(
            w,
            "{}: {} of {} cards done, {} failed, {} at work, {} not begun, {} taken over from dead stations",
            status.queue,
            status.done,
            status.cards,
            status.failed,
            status.working,
            status.pending,
            status.taken_over
        )?;
        stations(&status, w)?;
        leases(&status, w)
    })
}

fn stations(status: &QueueStatus, w: &mut dyn Write) -> std::io::Result<()> {
    let (head, good, bad) = (style::HEAD, style::GOOD, style::ERROR);
    writeln!(
        w,
        "{head}{:<20} {:<7} {:>8} {:>8} {:>8} {:>8}  last sign of life{head:#}",
        "station", "state", "done", "failed", "receipts", "starts"
    )?;
    for one in &status.stations {
        let (word, color) = match (one.lives, one.ended) {
            (true, _) => ("at work", good),
            (_, true) => ("ended", style::DIM),
            _ => ("dead", bad),
        };
        writeln!(
            w,
            "{:<20} {color}{word:<7}{color:#} {:>8} {:>8} {:>8} {:>8}  {} s ago",
            one.station, one.cards.done, one.cards.failed, one.receipts, one.sessions, one.silent
        )?;
    }
    Ok(())
}

fn leases(status: &QueueStatus, w: &mut dyn Write) -> std::io::Result<()> {
    if status.leases.is_empty() {
        return Ok(());
    }
    let head = style::HEAD;
    writeln!(
        w,
        "{head}{:<32} {:<20} in reader, at step{head:#}",
        "card", "station"
    )?;
    for one in &status.leases {
        let left = match one.lives {
            true => "",
            false => ", left there: goes on in whatever reader it is seen next",
        };
        let step = one.step.as_deref().unwrap_or("identify");
        writeln!(
            w,
            "{:<32} {:<20} {}, {step}{left}",
            one.eid, one.station, one.worker
        )?;
    }
    Ok(())
}
