//! Reports of a run: what was built, personalized and tried, with every exchange decoded to names.
//!
//! [`Report`] is the data; [`write_all`] leaves it as `report.json`, `junit.xml` and `report.html` (one
//! file, nothing loaded from anywhere, readable in light and dark). What decoding shows of an
//! exchange is made here, from the records of terminal and eIM; the rules of the protocols are the
//! model's.

pub mod batch;
mod decode;
mod html;
mod junit;
#[cfg(test)]
mod tests;

pub use decode::{Entry, Tone, entries, message};

use crate::files::replace;
use crate::scenario::{Outcome, ScenarioReport};
use applet_model::lockstep::Lockstep;
use applet_model::machine::show;
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What the tools say wherever plain HTTP stands in for TLS.
pub const NOT_SECURE: &str = "lab, not secure";

/// A run.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Version of this form: 1.
    pub format: u32,
    /// The tool's version.
    pub tool: &'static str,
    /// What is to be known of the transport: [`NOT_SECURE`].
    pub transport: &'static str,
    /// Seed of everything random in the run.
    pub seed: u64,
    /// When it began (RFC 3339); nothing in the run depends on it.
    pub started: String,
    /// Real milliseconds that it took.
    pub real_ms: u64,
    /// Card definition: EUM and product.
    pub card: String,
    /// Cards in the order.
    pub cards: usize,
    /// Cards that were personalized and verified.
    pub personalized: usize,
    /// Each card.
    pub card_list: Vec<CardRow>,
    /// What was tried.
    pub scenarios: Scenarios,
    /// How far the applet on the cards was compared with the model.
    pub lockstep: LockstepCoverage,
    /// Measured figures.
    pub figures: serde_json::Map<String, serde_json::Value>,
}

/// A card of the run.
#[derive(Debug, Clone, Serialize)]
pub struct CardRow {
    /// EID.
    pub eid: String,
    /// State in the journal, or `given` for a card that was personalized before.
    pub state: String,
    /// Its error, empty if there is none.
    pub error: String,
    /// Scenarios that passed on it.
    pub passed: usize,
    /// Scenarios that failed on it.
    pub failed: usize,
}

/// The scenarios of a run.
#[derive(Debug, Default, Serialize)]
pub struct Scenarios {
    /// How many passed.
    pub passed: usize,
    /// How many failed.
    pub failed: usize,
    /// How many could not be run on the card.
    pub skipped: usize,
    /// Each of them.
    pub list: Vec<ScenarioRow>,
}

/// A scenario and how to see it again.
#[derive(Debug, Serialize)]
pub struct ScenarioRow {
    /// The command that runs it again, alone.
    pub replay: String,
    /// Its record.
    #[serde(flatten)]
    pub record: ScenarioReport,
}

/// How much of the model's table the applet's bytecode took while the model followed.
#[derive(Debug, Default, Serialize)]
pub struct LockstepCoverage {
    /// Rows of the transition table.
    pub transitions_total: usize,
    /// Rows that were taken at least once.
    pub transitions_taken: usize,
    /// Steps of the applet's boundary that were compared.
    pub steps: u64,
    /// Random traces among them.
    pub random_traces: u64,
    /// Rows that were not taken.
    pub not_taken: Vec<String>,
}

impl LockstepCoverage {
    /// The coverage of these rows.
    pub fn of(rows: &BTreeSet<usize>, steps: u64, random_traces: u64) -> Self {
        let table = show::tables().transitions;
        LockstepCoverage {
            transitions_total: Lockstep::rows_total(),
            transitions_taken: rows.len(),
            steps,
            random_traces,
            not_taken: table
                .iter()
                .filter(|row| !rows.contains(&row.row))
                .map(|row| row.name.clone())
                .collect(),
        }
    }
}

impl Scenarios {
    /// Counts records; `replay` gives each one's command.
    pub fn of(records: Vec<ScenarioReport>, replay: impl Fn(&ScenarioReport) -> String) -> Self {
        let count = |outcome| records.iter().filter(|r| r.outcome == outcome).count();
        Scenarios {
            passed: count(Outcome::Passed),
            failed: count(Outcome::Failed),
            skipped: count(Outcome::Skipped),
            list: records
                .into_iter()
                .map(|record| ScenarioRow {
                    replay: replay(&record),
                    record,
                })
                .collect(),
        }
    }
}

/// Why a report can't be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A file.
    #[error("failed to write {}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A template, which is a defect of this tool.
    #[error("report template: {0}")]
    Template(#[from] minijinja::Error),
    /// JSON.
    #[error("report: {0}")]
    Json(#[from] serde_json::Error),
}

/// The files of a written report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Written {
    /// For people.
    pub html: PathBuf,
    /// For programs.
    pub json: PathBuf,
    /// For build servers.
    pub junit: PathBuf,
}

/// Writes `report.json`, `junit.xml` and `report.html` to a folder.
///
/// # Errors
/// [`ReportError`].
pub fn write_all(report: &Report, dir: &Path) -> Result<Written, ReportError> {
    let write = |name: &str, text: String| {
        let path = dir.join(name);
        let file = |source| ReportError::File {
            path: path.clone(),
            source,
        };
        std::fs::create_dir_all(dir).map_err(file)?;
        replace(&path, text.as_bytes(), false).map_err(file)?;
        Ok::<PathBuf, ReportError>(path)
    };
    Ok(Written {
        json: write("report.json", serde_json::to_string_pretty(report)? + "\n")?,
        junit: write("junit.xml", junit::render(report)?)?,
        html: write("report.html", html::render(report)?)?,
    })
}
