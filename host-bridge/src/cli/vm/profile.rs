//! `ipae vm profile`: counts by method, predicted time, flame graph.

use super::load::{Commands, Load, With, installed, play, read_cap};
use crate::cli::failure::{Failure, OrExit};
use crate::cli::lab::{self, Lab};
use crate::cli::output::{Out, style, write_file};
use crate::cli::{card, pki};
use applet_gen::build::NAMED_CAP_FILE;
use cards::definition::{Cost, Definition};
use cards::observe::{Apdus, Counts, MethodRow, Names, Profile, Shared, Stack, Time};
use clap::{Args, ValueEnum};
use host_bridge::exit;
use host_bridge::observe::flame::{Flame, grouped};
use host_bridge::scenario::{self, Outcome};
use serde_json::{Value, json};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

/// The flame graph's file.
const FLAME: &str = "flame.svg";
/// The folded stacks' file.
const FOLDED: &str = "stacks.folded";

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae vm profile echo.cap --apdu 80010000050102030405 --out target/profile
  ipae vm profile --scenario enable-good-network --out target/profile
  ipae vm profile --scenario nothing-pending --out target/profile --by time --json

It counts instructions, allocations, persistent writes and cryptographic calls, of each method
itself and with all that it calls, and leaves flame.svg and stacks.folded in the folder. A
definition with a [cost] section turns the counts into a time; it is a prediction, and says what
it rests on. --scenario builds the IPAe applet, personalizes a virtual card and runs a scenario
of `ipae test --list` on it.")]
pub struct ProfileArgs {
    /// CAP files (JARs with the components, or load files), in any order
    #[arg(value_name = "FILE.cap", required_unless_present = "scenario")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    with: With,
    #[command(flatten)]
    commands: Commands,
    /// Profile the IPAe applet in this scenario instead
    #[arg(long, value_name = "NAME", conflicts_with_all = ["files", "apdu", "script"], requires = "out")]
    scenario: Option<String>,
    #[command(flatten)]
    pki: pki::Dir,
    /// Profile the installation, too
    #[arg(long)]
    with_install: bool,
    /// What the widths of the flame graph are
    #[arg(long, value_enum, default_value_t = By::Instructions)]
    by: By,
    /// Methods to list
    #[arg(long, value_name = "N", default_value_t = 25)]
    top: usize,
    /// Where flame.svg and stacks.folded go
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    /// Instructions executed
    Instructions,
    /// Predicted microseconds, by the definition's `[cost]`
    Time,
    /// Persistent writes
    Writes,
    /// Objects and arrays made
    Allocations,
}

/// What was seen.
struct Seen {
    title: String,
    profile: Shared<Profile>,
    names: Arc<Names>,
    apdus: Apdus,
    definition: Definition,
}

impl ProfileArgs {
    pub fn run(self, out: &Out) -> Result<(), Failure> {
        let seen = match &self.scenario {
            Some(name) => self.scenario(name, out)?,
            None => self.packages(out)?,
        };
        let cost = seen.definition.cost.as_ref();
        if self.by == By::Time && cost.is_none() {
            return Err(Failure::new(
                exit::DEFINITION,
                format!("--by time: definition {} has no [cost]", self.with.card),
            )
            .next("`ipae card schema` describes it; virtual-lab has one"));
        }
        let (stacks, methods, total) = seen.profile.with(|profile| {
            (
                profile.stacks(&seen.names),
                profile.methods(&seen.names),
                profile.total(),
            )
        });
        let weight = |stack: &Stack| weight(self.by, &stack.counts, cost);
        let unit = match self.by {
            By::Instructions => "instructions",
            By::Time => "predicted microseconds on a card",
            By::Writes => "persistent writes",
            By::Allocations => "objects and arrays made",
        };
        let flame = Flame {
            title: &seen.title,
            unit,
            stacks: &stacks,
            weight: &weight,
        };
        if let Some(dir) = &self.out {
            write_file(
                &dir.join(FLAME),
                flame.svg().or_exit(exit::OUTPUT)?.as_bytes(),
            )?;
            write_file(&dir.join(FOLDED), flame.folded().as_bytes())?;
        }
        let value = json!({
            "title": seen.title,
            "total": counts_json(&total, cost),
            "apdus": seen.apdus,
            "predicted": cost.map(|cost| predicted_json(&total, &seen.apdus, cost)),
            "methods": methods.iter().map(|row| row_json(row, cost)).collect::<Vec<_>>(),
        });
        out.print(&value, |w| {
            let head = style::HEAD;
            writeln!(w, "{head}{}{head:#}", seen.title)?;
            table(w, &methods, self.top, cost)?;
            writeln!(
                w,
                "total: {} instructions, {} API calls, {} allocations, {} persistent writes of {} \
                 bytes, {} cryptographic calls, {} APDUs of {} bytes",
                grouped(total.all_instructions()),
                grouped(total.api_calls),
                grouped(total.allocations),
                grouped(total.all_writes()),
                grouped(total.written_bytes()),
                grouped(total.crypto_calls()),
                grouped(seen.apdus.count),
                grouped(seen.apdus.bytes)
            )?;
            if let Some(cost) = cost {
                predicted(w, &total, &seen.apdus, cost)?;
            }
            if let Some(dir) = &self.out {
                writeln!(w, "flame graph: {}", dir.join(FLAME).display())?;
            }
            Ok(())
        })
    }

    fn packages(&self, out: &Out) -> Result<Seen, Failure> {
        let steps = self.commands.steps()?;
        let load = Load {
            files: self.files.clone(),
            with: self.with.clone(),
        };
        let mut session = load.session(out)?;
        let profile = Shared::new(Profile::default());
        let instances = if self.with_install {
            session.observe(Box::new(profile.clone()));
            load.install(&mut session)?
        } else {
            installed(&load, &mut session)?
        };
        session.observe(Box::new(profile.clone()));
        let before = session.apdus();
        play(&mut session, &instances, steps, &mut |_, _| Ok(()))?;
        let after = session.apdus();
        let files = self.files.iter().filter_map(|file| file.file_name());
        let names: Vec<_> = files.map(|name| name.to_string_lossy()).collect();
        Ok(Seen {
            title: names.join(", "),
            profile,
            names: session.names(),
            apdus: Apdus {
                count: after.count - before.count,
                bytes: after.bytes - before.bytes,
            },
            definition: card::find(&self.with.card)?,
        })
    }

    fn scenario(&self, name: &str, out: &Out) -> Result<Seen, Failure> {
        let chosen = lab::choose(&[name.to_owned()])?;
        let dir = self.out.clone().unwrap_or_default().join("lab");
        let mut lab = Lab::make(
            lab::Plan {
                dir: &dir,
                card: &self.with.card,
                hierarchy: self.pki.load()?,
                cards: 1,
                first: 1,
                seed: self.with.seed,
            },
            out,
        )?;
        let (Some(scenario), Some((_, mut card))) = (chosen.first(), lab.cards.pop()) else {
            return Err(Failure::new(exit::FAILED, "the lab has no card"));
        };
        let named = read_cap(&dir.join("applet").join(NAMED_CAP_FILE))?;
        let names = Names::new(card.vm(), &[named]);
        let profile = Shared::new(Profile::default());
        card.observe(Box::new(profile.clone()));
        let setup = lab.eims.setup(card).or_exit(exit::SCENARIO)?;
        let report = scenario::run(scenario, setup);
        if report.outcome != Outcome::Passed {
            let why = report.failure.unwrap_or_default();
            return Err(Failure::new(exit::SCENARIO, format!("{name}: {why}")));
        }
        Ok(Seen {
            title: format!("{name}: {}", scenario.title),
            profile,
            names: Arc::new(names),
            apdus: report.apdus(),
            definition: lab.eims.definition.clone(),
        })
    }
}

fn weight(by: By, counts: &Counts, cost: Option<&Cost>) -> u64 {
    match by {
        By::Instructions => counts.all_instructions(),
        By::Time => cost.map_or(0, |cost| Time::of(counts, cost).total_ns() / 1000),
        By::Writes => counts.all_writes(),
        By::Allocations => counts.allocations,
    }
}

fn counts_json(counts: &Counts, cost: Option<&Cost>) -> Value {
    let classes = cards::observe::Class::ALL.iter().zip(&counts.instructions);
    let by_class: serde_json::Map<String, Value> = classes
        .map(|(class, n)| {
            let name = serde_json::to_value(class)
                .ok()
                .and_then(|v| v.as_str().map(str::to_owned));
            (name.unwrap_or_default(), (*n).into())
        })
        .collect();
    json!({
        "instructions": counts.all_instructions(),
        "by_class": by_class,
        "api_calls": counts.api_calls,
        "allocations": counts.allocations,
        "allocated_persistent": counts.allocated_persistent,
        "allocated_transient": counts.allocated_transient,
        "persistent_writes": counts.all_writes(),
        "written_bytes": counts.written_bytes(),
        "crypto": counts.crypto,
        "exceptions": counts.exceptions,
        "predicted_us": cost.map(|cost| Time::of(counts, cost).total_ns() / 1000),
    })
}

fn row_json(row: &MethodRow, cost: Option<&Cost>) -> Value {
    json!({
        "name": row.name,
        "api": row.api,
        "calls": row.calls,
        "own": counts_json(&row.own, cost),
        "inclusive": counts_json(&row.inclusive, cost),
    })
}

fn predicted_json(total: &Counts, apdus: &Apdus, cost: &Cost) -> Value {
    let mut time = Time::of(total, cost);
    time += Time::of_apdus(apdus, cost);
    json!({ "basis": cost.basis, "total_ns": time.total_ns(), "by": time })
}

/// Milliseconds with two digits after the point.
fn ms(ns: u64) -> String {
    let hundredths = ns / 10_000;
    format!("{}.{:02}", grouped(hundredths / 100), hundredths % 100)
}

fn predicted(w: &mut dyn Write, total: &Counts, apdus: &Apdus, cost: &Cost) -> io::Result<()> {
    let hint = style::HINT;
    let mut time = Time::of(total, cost);
    time += Time::of_apdus(apdus, cost);
    writeln!(
        w,
        "{hint}predicted{hint:#}: {} ms on a card: bytecode {}, API {}, writes {}, cryptography {}, \
         interface {}",
        ms(time.total_ns()),
        ms(time.bytecode_ns),
        ms(time.api_ns),
        ms(time.nvm_ns),
        ms(time.crypto_ns),
        ms(time.apdu_ns)
    )?;
    writeln!(w, "  by {}", cost.basis)
}

fn table(
    w: &mut dyn Write,
    methods: &[MethodRow],
    top: usize,
    cost: Option<&Cost>,
) -> io::Result<()> {
    let shown = methods.get(..top.min(methods.len())).unwrap_or(methods);
    let width = shown
        .iter()
        .map(|row| row.name.len())
        .max()
        .unwrap_or(0)
        .max(6);
    let dim = style::DIM;
    let predicted = match cost {
        Some(_) => "  predicted ms: own  with calls",
        None => "",
    };
    writeln!(
        w,
        "{dim}{:<width$} {:>8} {:>12} {:>12} {:>7} {:>7} {:>8} {:>7}{predicted}{dim:#}",
        "method", "calls", "instructions", "with calls", "allocs", "writes", "bytes", "crypto"
    )?;
    for row in shown {
        write!(
            w,
            "{:<width$} {:>8} {:>12} {:>12} {:>7} {:>7} {:>8} {:>7}",
            row.name,
            grouped(row.calls),
            grouped(row.own.all_instructions()),
            grouped(row.inclusive.all_instructions()),
            row.own.allocations,
            row.own.all_writes(),
            grouped(row.own.written_bytes()),
            row.own.crypto_calls()
        )?;
        if let Some(cost) = cost {
            let time = |counts| ms(Time::of(counts, cost).total_ns());
            write!(w, "  {:>17}  {:>10}", time(&row.own), time(&row.inclusive))?;
        }
        writeln!(w)?;
    }
    if methods.len() > shown.len() {
        writeln!(
            w,
            "{dim}and {} methods more: see --top{dim:#}",
            methods.len() - shown.len()
        )?;
    }
    Ok(())
}
