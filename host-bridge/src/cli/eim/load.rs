//! `ipae eim load`: many devices at once, and what came of it.

use super::super::failure::Failure;
use super::super::output::{Out, progress, style};
use super::super::{interrupt, pki};
use clap::Args;
use host_bridge::eim::load::{self, LoadError, LoadOptions, LoadReport};
use host_bridge::eim::manage::Token;
use host_bridge::exit;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae eim load --devices 1000 --seconds 30
  ipae eim load --devices 10000 --poll-every 60 --operations 1000 --seconds 120 --json
  ipae eim load --devices 200 --poll-every 0 --operations 0     As fast as the eIM answers

For an eIM that another terminal serves with the same --pki and a database of its own, as in
  ipae eim serve --db load.sqlite --manage 127.0.0.1:8081

Each device is an eUICC with keys and certificates of its own. It polls over a connection of its
own, executes what comes and delivers the signed result. Afterwards each operation that the eIM
took is looked up: it must have been carried out once, in its device's order. Exit code 1 if not.")]
pub struct Load {
    #[command(flatten)]
    pki: pki::Dir,
    /// Where the eIM serves ESipa
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8080")]
    esipa: SocketAddr,
    /// Where its management interface is
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8081")]
    manage: SocketAddr,
    /// The file with the management interface's token
    #[arg(long, value_name = "FILE", default_value = super::TOKEN_FILE)]
    token_file: PathBuf,
    /// How many devices
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    devices: u32,
    /// Seconds between two polls of a device; 0: as fast as the eIM answers
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    poll_every: u64,
    /// Operations per minute, for devices at random
    #[arg(long, value_name = "N", default_value_t = 1000)]
    operations: u32,
    /// How long
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    seconds: u64,
    /// How long to poll on afterwards at most, until nothing waits
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    settle: u64,
    /// How many devices poll at the same time
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1024))]
    at_once: u16,
    /// Devices' moments and operations follow from it
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

impl Load {
    pub fn run(&self, out: &Out) -> Result<(), Failure> {
        let hierarchy = self.pki.load()?;
        let token = Token::from_file(&self.token_file)?;
        let options = LoadOptions {
            esipa: self.esipa,
            manage: self.manage,
            authorization: token.header(),
            devices: self.devices,
            poll_every: Duration::from_secs(self.poll_every),
            operations_per_minute: self.operations,
            duration: Duration::from_secs(self.seconds),
            settle: Duration::from_secs(self.settle),
            at_once: self.at_once.into(),
            seed: self.seed,
        };
        let bar = progress(out, 1000, "");
        let report = load::run(&hierarchy, &options, interrupt::flag(), &|what, done| {
            bar.set_position(done.into());
            bar.set_message(what.to_owned());
        });
        bar.finish_and_clear();
        let report = report.map_err(failed)?;
        out.print(&report, |w| show(&report, w))?;
        match report.findings.len() {
            0 => Ok(()),
            n => Err(Failure::new(
                exit::FAILED,
                format!("{n} operations or devices are not as they must be"),
            )),
        }
    }
}

fn failed(error: LoadError) -> Failure {
    let exit = match &error {
        LoadError::Manage { .. } => exit::SERVER,
        LoadError::Device { .. } => exit::FAILED,
    };
    Failure::new(exit, error.to_string())
}

fn show(report: &LoadReport, w: &mut dyn Write) -> std::io::Result<()> {
    let (head, bad) = (style::HEAD, style::ERROR);
    writeln!(
        w,
        "{head}{} devices, {:.1} s{head:#}: {} polls, {:.0} per second",
        report.devices, report.seconds, report.polls, report.polls_per_second
    )?;
    for (number, quarter) in report.quarters.iter().enumerate() {
        writeln!(
            w,
            "  quarter {}: {} polls, median {:.1} ms, 99 % {:.1} ms",
            number + 1,
            quarter.polls,
            quarter.median_ms,
            quarter.p99_ms
        )?;
    }
    writeln!(
        w,
        "{} operations, {:.0} per minute; {} executed; from queued to ended: median {:.1} s, 95 % {:.1} s",
        report.operations,
        report.operations_per_minute,
        report.executed,
        report.median_to_result,
        report.p95_to_result
    )?;
    for (why, times) in &report.errors {
        writeln!(w, "sent again {times} times: {why}")?;
    }
    for finding in &report.findings {
        writeln!(w, "{bad}{}{bad:#}: {}", finding.eid, finding.what)?;
    }
    Ok(())
}
