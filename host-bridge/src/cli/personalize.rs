//! `ipae personalize`: from an order to cards.

use super::failure::Failure;
use super::hook::HookArgs;
use super::keys::{self, KeyArgs};
use super::output::{Out, progress, style};
use super::queue::QueueArgs;
use super::show::{self, Show, ShowArgs};
use super::{build, card, interrupt, pki};
use cards::euicc::EuiccSetup;
use clap::{Args, Subcommand};
use host_bridge::exit;
use host_bridge::gp::Attempts;
use host_bridge::journal::{Journal, PostgresJournal, SqliteJournal};
use host_bridge::order::Order;
use host_bridge::personalize::job::dry::DryRun;
use host_bridge::personalize::{
    Applet, Batch, Event, JobFile, Notice, Options, Outcome, ReaderStation, Station,
    VirtualStation, retry_help,
};
use std::ffi::OsString;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

mod job;
mod report;
mod resume;
mod status;
mod verify;

/// Work through an order: load, install, personalize and verify its cards.
#[derive(Subcommand)]
pub enum Personalize {
    /// Work through an order (also without the word `run`)
    Run(Box<Run>),
    /// A job to start from, or what a job does: what every card gets
    Job(job::JobCommand),
    /// How far a batch is, or one card of it
    Status(status::Status),
    /// Go on with a batch, as its first command was
    Resume(resume::Resume),
    /// Yield, failures, times of a batch: one HTML file and JSON
    Report(report::Report),
    /// Check that all receipts are there, unaltered, in their place, once
    VerifyReceipts(verify::VerifyReceipts),
}

impl Personalize {
    pub fn run(self, out: &Out) -> Result<(), Failure> {
        match self {
            Personalize::Run(command) => command.run(out),
            Personalize::Job(command) => command.run(out),
            Personalize::Status(command) => command.run(out),
            Personalize::Resume(command) => command.run(out),
            Personalize::Report(command) => command.run(out),
            Personalize::VerifyReceipts(command) => command.run(out),
        }
    }
}

/// Puts in the word `run` where options follow `personalize` at once.
pub fn with_run(words: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut words: Vec<OsString> = words.collect();
    let at = words.iter().skip(1).position(|word| {
        let word = word.to_string_lossy();
        !word.starts_with('-') && !["auto", "always", "never"].contains(&&*word)
    });
    let at = at.map_or(0, |at| at + 1);
    let help = ["-h", "--help"];
    if words.get(at).is_some_and(|word| word == "personalize")
        && words.get(at + 1).is_some_and(|next| {
            let next = next.to_string_lossy();
            next.starts_with('-') && !help.contains(&&*next)
        })
    {
        words.insert(at + 1, "run".into());
    }
    words
}

/// Where virtual cards are kept, below the output folder.
pub const CARDS: &str = "cards";

const RUN: &str = "\
Examples:
  ipae order sample --count 8 --out order.csv
  ipae personalize run --order order.csv --card virtual-lab --virtual --readers 4 --out run1
  ipae personalize run --order order.csv --card my-card.toml --keys keys.toml --reader \"ACR38\" --wait --out run1
  ipae personalize run --order order.csv --reader \"ACR38\" --queue postgres://line@db/order7 --station s1 --out s1
  ipae personalize run --order order.csv --virtual --hook print-label --hook-arg=--queue=small --out run1
  ipae personalize run --order order.csv --job job.toml --card my-card.toml --dry-run    the APDUs and the time, no card

On a terminal it shows a screen (--plain: lines); with --json a line for each event, the last one with
the figures. Stations that share a --queue need the same order, definition and applet, each a --station
and an --out of its own; a card that a station left unfinished goes on wherever it is seen next.
The whole order is checked before the first card. The same command again resumes after a stop of
any kind (Ctrl-C, kill, power): no card is done twice, none is left out. It leaves in the output
folder:
  receipts/EID.json   one a card: what was read back from it, chained and signed
  receipts.json       the order's cards and the end of the chain, signed
  response.csv        one line a card: state, error, association token
  journal.sqlite      what was begun and what was done
  applet/             the applet that was built for it, without --cap
  cards/EID.card      the virtual cards, with --virtual

`ipae help personalize run` says which failed cards are tried again.";

fn long_help() -> String {
    format!("{RUN}\n\n{}", retry_help())
}

#[derive(Args)]
#[command(after_help = RUN, after_long_help = long_help())]
#[command(group = clap::ArgGroup::new("where").required(true).multiple(true))]
pub struct Run {
    /// The order
    #[arg(long, value_name = "FILE")]
    order: PathBuf,
    #[command(flatten)]
    template: super::order::TemplateArgs,
    /// What every card gets (`ipae personalize job`); without it the IPAe applet, its configuration, its eIM
    #[arg(long, value_name = "FILE.toml")]
    job: Option<PathBuf>,
    /// Show the commands that a card gets, and the time that they will take; no card is touched
    #[arg(long, group = "where")]
    dry_run: bool,
    /// Card definition: a name of `ipae card list`, or a file
    #[arg(long, value_name = "DEF", default_value = "virtual-lab")]
    card: String,
    /// PC/SC reader, by name or a part of it that only one has; several work side by side
    #[arg(long = "reader", value_name = "NAME", group = "where", num_args = 1..)]
    readers: Vec<String>,
    /// Virtual cards, made as the order says
    #[arg(long, group = "where", conflicts_with = "readers")]
    r#virtual: bool,
    /// Virtual readers that work side by side
    #[arg(long = "readers", value_name = "N", default_value_t = 1, conflicts_with = "readers", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=64))]
    count: usize,
    /// Name of this station, in its receipts
    #[arg(long, value_name = "NAME", default_value = "station")]
    station: String,
    /// Where receipts, response file and journal go
    #[arg(long, value_name = "DIR", required_unless_present = "dry_run")]
    out: Option<PathBuf>,
    /// The applet's CAP file; without it the applet is built
    #[arg(long, value_name = "FILE.cap")]
    cap: Option<PathBuf>,
    #[command(flatten)]
    keys: KeyArgs,
    #[command(flatten)]
    pki: pki::Dir,
    /// What the virtual cards' random numbers come from
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Wait for the next card in the readers until the order is done
    #[arg(long, conflicts_with = "virtual")]
    wait: bool,
    #[command(flatten)]
    queue: QueueArgs,
    /// Where virtual cards are kept; stations that share a queue share it too
    #[arg(long, value_name = "DIR", requires = "virtual")]
    tray: Option<PathBuf>,
    #[command(flatten)]
    hook: HookArgs,
    #[command(flatten)]
    show: ShowArgs,
    /// Stop at the first card that fails
    #[arg(long)]
    stop_on_error: bool,
    /// DELETE a package of the applet's AID that was not loaded by these runs, and its instances
    #[arg(long)]
    replace_foreign: bool,
    /// Try cards again that were set aside: see the table in the long help
    #[arg(long)]
    retry_failed: bool,
    /// The key that signs receipts: P-256, PEM; made if it isn't there. Without it receipt-key.pem in the
    /// output folder
    #[arg(long, value_name = "FILE.pem")]
    receipt_key: Option<PathBuf>,
    /// Try cards again that refused EXTERNAL AUTHENTICATE; each try counts on the card
    #[arg(long)]
    retry_authentication: bool,
    /// Record of authentication attempts; without it IPAE_ATTEMPTS, or ipae/attempts.sqlite in
    /// $XDG_STATE_HOME or ~/.local/state; with --virtual in the output folder
    #[arg(long, value_name = "FILE")]
    attempts: Option<PathBuf>,
}

/// The CAP file given, or the applet built in a folder below `out` (once: a run that resumes takes
/// the same).
pub fn applet(cap: Option<&Path>, out: &Path, card: &str, to: &Out) -> Result<Applet, Failure> {
    if let Some(cap) = cap {
        return Ok(Applet::from_file(cap)?);
    }
    let dir = out.join("applet");
    let cap = dir.join(applet_gen::build::CAP_FILE);
    if !cap.exists() {
        to.note("building the applet");
        build::build(&dir, card, |_, _| Ok(Vec::new()))?;
    }
    Ok(Applet::from_file(&cap)?)
}

/// A batch's journal, to look at: that of stations that share a queue, or of an output folder.
fn journal(queue: Option<&str>, folder: &Path) -> Result<Box<dyn Journal>, Failure> {
    Ok(match queue {
        Some(text) => Box::new(PostgresJournal::read(&super::queue::address(text)?)?),
        None => Box::new(SqliteJournal::read(folder)?),
    })
}

/// A folder for what is built and not kept.
fn scratch() -> Result<PathBuf, Failure> {
    let mut name = [0; 8];
    keys::random(&mut name).map_err(|e| Failure::new(exit::FAILED, e))?;
    Ok(std::env::temp_dir().join(format!("ipae-{}", hex::encode(name))))
}

impl Run {
    pub fn run(self, out: &Out) -> Result<(), Failure> {
        let definition = card::find(&self.card)?;
        let file = match &self.job {
            Some(path) => JobFile::read(path)?,
            None => JobFile::ipae(),
        };
        let order = Order::read_with(
            &self.order,
            self.template.read()?.as_ref(),
            file.needs(),
            &definition,
            &self.keys.store()?,
        )?;
        let folder = match &self.out {
            Some(out) => out.clone(),
            None => scratch()?,
        };
        let job = job::with(file, self.cap.as_deref(), &folder, &self.card, out);
        if self.out.is_none() {
            // What was built for a dry run alone is of no use to the next.
            let _ = std::fs::remove_dir_all(&folder);
        }
        let job = job?;
        let batch = Batch::new(&order, &definition, &job)?;
        if self.dry_run {
            let readers = self.count.max(self.readers.len());
            return job::dry(&DryRun::of(&job, &order, &definition, readers)?, out);
        }
        let mut stations: Vec<Box<dyn Station>> = Vec::new();
        let queue = self.queue.options()?;
        if self.r#virtual {
            if queue.is_some() && self.tray.is_none() {
                let text = "--virtual with --queue needs --tray: a virtual card is in one folder, where all stations find it";
                return Err(Failure::new(exit::USAGE, text));
            }
            let setup = EuiccSetup::lab().map_err(|e| Failure::of(exit::FAILED, &e))?;
            let tray = self.tray.clone().unwrap_or_else(|| folder.join(CARDS));
            let cards = VirtualStation::new(
                &tray,
                definition.clone(),
                self.pki.load()?,
                setup,
                self.seed,
            );
            for reader in cards.readers(self.count) {
                stations.push(Box::new(reader));
            }
        }
        for reader in &self.readers {
            let mut station = ReaderStation::new(reader);
            station.wait = self.wait;
            stations.push(Box::new(station));
        }
        let mut options = Options::new(&folder);
        options.stop_on_error = self.stop_on_error;
        options.replace_foreign = self.replace_foreign;
        options.retry_authentication = self.retry_authentication;
        options.retry_failed = self.retry_failed;
        options.keys_in_host = self.keys.in_host();
        if let Some(key) = &self.receipt_key {
            options.receipt_key.clone_from(key);
        }
        if !options.receipt_key.exists() {
            out.note(format!(
                "making the key that signs receipts: {}, with its public key beside it",
                options.receipt_key.display()
            ));
        }
        resume::keep(&folder)?;
        options.station.clone_from(&self.station);
        match &self.attempts {
            Some(path) => options.attempts = Attempts::at(path),
            // Virtual cards live and die with the output folder.
            None if self.r#virtual => {}
            None => options.attempts = Attempts::of_user()?,
        }
        interrupt::flag();
        options.stop = Arc::new(interrupt::requested);
        options.hook = self.hook.hook();
        let journal: Box<dyn Journal> = match queue {
            None => Box::new(batch.journal(&options)?),
            Some(queue) => Box::new(PostgresJournal::open(
                &folder,
                &batch.belongs(),
                &self.station,
                batch.eids(),
                &queue,
            )?),
        };
        let title = format!("{}, station {}", self.order.display(), self.station);
        let mut show = Show::new(out, &self.show, !self.r#virtual, &title, &self.station);
        let outcome = batch.run(
            journal.as_ref(),
            stations.iter_mut().map(|one| one.as_mut() as _).collect(),
            &options,
            &mut |notice| show.see(notice),
        );
        show.end();
        report(&outcome?, &self.station, &folder, out)
    }
}

/// Shows what happens.
pub struct Watch {
    out: Out,
    keys: bool,
    cards: bool,
    errors: Vec<(String, String)>,
    bar: indicatif::ProgressBar,
}

impl Watch {
    /// `keys`: say which key set is used before each card.
    pub fn new(out: &Out, keys: bool) -> Self {
        Watch {
            out: *out,
            keys,
            cards: true,
            errors: Vec::new(),
            bar: progress(out, 0, "cards"),
        }
    }

    /// Shows nothing but progress and errors.
    pub fn quiet(out: &Out) -> Self {
        Watch {
            cards: false,
            ..Watch::new(out, false)
        }
    }

    /// A card's error; empty if it has none.
    pub fn error_of(&self, eid: &str) -> String {
        let error = self.errors.iter().find(|(of, _)| of == eid);
        error.map(|(_, error)| error.clone()).unwrap_or_default()
    }

    /// Takes an event.
    pub fn see(&mut self, notice: &Notice) -> ControlFlow<()> {
        let bar = &self.bar;
        let say = |text: String| bar.suspend(|| self.out.note(text));
        match &notice.event {
            Event::Started {
                cards,
                done,
                keys_in_host,
            } => {
                if *keys_in_host {
                    say(
                        "keys of cards may be in this computer's memory: receipts say so"
                            .to_owned(),
                    );
                }
                bar.set_length(*cards as u64);
                bar.set_position(*done as u64);
                if *done > 0 {
                    say(format!("{done} of {cards} cards were done by earlier runs"));
                }
            }
            Event::Card { eid, link, resumed } => {
                bar.set_message(eid.clone());
                let again = if *resumed {
                    ", begun by an earlier run"
                } else {
                    ""
                };
                if self.cards {
                    say(format!("{eid} in {link}{again}"));
                }
            }
            Event::KeySet {
                name,
                kvn,
                check_values,
            } if self.keys => say(format!(
                "  key set {name:?}, version {kvn:02X}, check values {}",
                check_values.join(" ")
            )),
            Event::KeysFit if self.keys => {
                say("  the card's cryptogram fits; authenticating".to_owned());
            }
            Event::StepBegun { step } => bar.set_message(step.clone()),
            Event::Loading { block, of } => bar.set_message(format!("load {block}/{of}")),
            Event::Insert => say(format!("{}: insert the next card", notice.reader)),
            Event::CardDone { .. } => bar.inc(1),
            Event::CardFailed { eid, error, .. } => {
                bar.inc(1);
                self.errors.push((eid.clone(), error.clone()));
                let red = style::ERROR;
                bar.suspend(|| anstream::eprintln!("{red}failed{red:#} {eid}: {error}"));
            }
            Event::CardRefused { error, .. } => {
                let red = style::ERROR;
                let reader = &notice.reader;
                bar.suspend(|| anstream::eprintln!("{red}not touched{red:#} {reader}: {error}"));
            }
            Event::HookFailed { eid, error } => {
                let red = style::ERROR;
                bar.suspend(|| anstream::eprintln!("{red}hook failed{red:#} {eid}: {error}"));
            }
            Event::ReaderLost { error, .. } => {
                let red = style::ERROR;
                let reader = &notice.reader;
                bar.suspend(|| anstream::eprintln!("{red}reader lost{red:#} {reader}: {error}"));
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    /// Takes the progress bar away.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}

fn report(outcome: &Outcome, station: &str, dir: &Path, out: &Out) -> Result<(), Failure> {
    if out.is_json() {
        show::ended(station, outcome);
    } else {
        print(outcome, dir, out)?;
    }
    result(outcome, dir)
}

fn print(outcome: &Outcome, dir: &Path, out: &Out) -> Result<(), Failure> {
    out.print(outcome, |w| {
        let good = if outcome.done == outcome.cards {
            style::GOOD
        } else {
            style::ERROR
        };
        writeln!(
            w,
            "{good}{} of {} cards done{good:#} ({} now), {} failed, {} pending",
            outcome.done, outcome.cards, outcome.done_now, outcome.failed, outcome.pending
        )?;
        let traffic = &outcome.traffic;
        writeln!(
            w,
            "{} APDUs, {} bytes to the cards, {} from them; receipts and response.csv in {}",
            traffic.apdus,
            traffic.sent,
            traffic.received,
            dir.display()
        )
    })
}

fn result(outcome: &Outcome, dir: &Path) -> Result<(), Failure> {
    match exit::TABLE.iter().find(|row| row.code == outcome.exit_code) {
        Some(row) if row.code == 0 => Ok(()),
        Some(row) if *row == exit::ELSEWHERE => Err(Failure::new(
            *row,
            format!(
                "this station is through; {} cards are in other stations' hands",
                outcome.elsewhere
            ),
        )
        .next(
            "`ipae personalize status --queue ADDRESS` shows them; should such a station be dead, the same \
             command goes on with its cards where they are seen",
        )),
        row => Err(Failure::new(
            *row.unwrap_or(&exit::FAILED),
            format!(
                "{} of {} cards are not done",
                outcome.cards - outcome.done,
                outcome.cards
            ),
        )
        .next(format!(
            "{} says why; the same command goes on, with --retry-failed also with cards that were set aside",
            dir.join("response.csv").display()
        ))),
    }
}
