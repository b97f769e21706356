//! `ipae model`: the applet's state machine.

use super::failure::Failure;
use super::output::{Out, progress, style, write_file};
use applet_model::machine::{check, diagram, show};
use clap::{Args, Subcommand};
use host_bridge::exit;
use std::path::PathBuf;

#[derive(Subcommand)]
pub enum Model {
    /// Print the tables: states, transitions, commands, registers
    #[command(after_help = "\
Examples:
  ipae model show
  ipae model show --json | jq '.transitions | length'")]
    Show,
    /// Prove the table's properties by exploring every sequence of events and faults
    Check(Check),
    /// Draw the machine as SVG
    Diagram(Diagram),
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae model check
  ipae model check --faults 3
  ipae model check --only enable --json

It says how many states of machine and world it visited. What does not hold is printed with the
whole way there from the start.")]
pub struct Check {
    /// Try every sequence of up to so many faults
    #[arg(long, value_name = "N", default_value_t = check::Options::default().faults)]
    faults: u8,
    /// Explore only the scenarios whose name contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae model diagram --out machine.svg
  ipae model diagram > machine.svg")]
pub struct Diagram {
    /// File to write; standard output without it
    #[arg(long, value_name = "FILE.svg")]
    out: Option<PathBuf>,
}

impl Model {
    pub fn run(self, out: &Out) -> Result<(), Failure> {
        match self {
            Model::Show => {
                let tables = show::tables();
                out.print(&tables, |w| write!(w, "{tables}"))
            }
            Model::Check(options) => explore(options, out),
            Model::Diagram(Diagram { out: None }) => {
                let svg = diagram::svg();
                out.print(&serde_json::json!({ "svg": svg }), |w| write!(w, "{svg}"))
            }
            Model::Diagram(Diagram { out: Some(path) }) => {
                write_file(&path, diagram::svg().as_bytes())?;
                out.print(&serde_json::json!({ "file": path }), |w| {
                    writeln!(w, "{}", path.display())
                })
            }
        }
    }
}

fn explore(options: Check, out: &Out) -> Result<(), Failure> {
    let options = check::Options {
        faults: options.faults,
        only: options.only,
    };
    let whole = options.only.is_none();
    let bar = progress(out, 0, "scenarios explored");
    let report = check::run_with(&options, |scenario| {
        bar.inc_length(1);
        bar.inc(1);
        bar.set_message(scenario.name.clone());
    });
    bar.finish_and_clear();
    let violations: usize = report.scenarios.iter().map(|s| s.violations.len()).sum();
    // A part of the scenarios needn't take every row.
    let holds = if whole {
        report.holds()
    } else {
        violations == 0
    };
    out.print(&report, |w| {
        writeln!(w, "{report}")?;
        let (good, bad) = (style::GOOD, style::ERROR);
        match holds {
            true => writeln!(w, "{good}every property holds{good:#}"),
            false => writeln!(w, "{bad}a property does not hold{bad:#}"),
        }
    })?;
    if holds {
        return Ok(());
    }
    Err(Failure::new(
        exit::MODEL,
        format!("the machine's table does not hold: {violations} violations"),
    ))
}
