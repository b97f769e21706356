//! The report for people: one HTML file.

use super::decode::{Entry, duration, entries, message};
use super::{Report, ScenarioRow};
use crate::scenario::Outcome;
use minijinja::value::Serde;
use serde::Serialize;

const TEMPLATE: &str = include_str!("report.html.j2");
/// Lines of a passed scenario's exchange that the page shows; `report.json` has all of them.
const SHOWN: usize = 600;

#[derive(Serialize)]
struct Scenario<'a> {
    name: &'a str,
    title: &'a str,
    eid: &'a str,
    outcome: Outcome,
    failure: Option<&'a str>,
    real: String,
    virtual_time: String,
    predicted: Option<String>,
    apdus: u64,
    lockstep_steps: u64,
    replay: &'a str,
    steps: Vec<Step<'a>>,
    esipa: Vec<Esipa<'a>>,
}

#[derive(Serialize)]
struct Step<'a> {
    text: &'a str,
    real_ms: u64,
    at: String,
    failed: bool,
    lines: Vec<Line>,
    /// Lines that aren't shown.
    left_out: usize,
}

#[derive(Serialize)]
struct Line {
    #[serde(flatten)]
    entry: Entry,
    at: String,
}

#[derive(Serialize)]
struct Esipa<'a> {
    number: u64,
    function: &'a str,
    status: u16,
    text: &'a str,
    request: String,
    response: String,
    bad: bool,
}

/// The text of the file.
pub fn render(report: &Report) -> Result<String, minijinja::Error> {
    let scenarios: Vec<Scenario<'_>> = report.scenarios.list.iter().map(scenario).collect();
    let mut environment = minijinja::Environment::new();
    // The name's ending has every value escaped.
    environment.add_template("report.html", TEMPLATE)?;
    let lockstep = &report.lockstep;
    environment
        .get_template("report.html")?
        .render(minijinja::context! {
            report => Serde(Head::of(report)),
            real => duration(report.real_ms),
            scenarios => Serde(scenarios),
            coverage => lockstep.transitions_taken * 100 / lockstep.transitions_total.max(1),
            lockstep => Serde(lockstep),
            cards => Serde(&report.card_list),
            figures => figures(report),
        })
}

/// The report without its long lists.
#[derive(Serialize)]
struct Head<'a> {
    tool: &'a str,
    transport: &'a str,
    seed: u64,
    started: &'a str,
    card: &'a str,
    cards: usize,
    personalized: usize,
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl<'a> Head<'a> {
    fn of(report: &'a Report) -> Self {
        Head {
            tool: report.tool,
            transport: report.transport,
            seed: report.seed,
            started: &report.started,
            card: &report.card,
            cards: report.cards,
            personalized: report.personalized,
            passed: report.scenarios.passed,
            failed: report.scenarios.failed,
            skipped: report.scenarios.skipped,
        }
    }
}

/// Figures with their names in words; groups are flattened.
fn figures(report: &Report) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for (name, value) in &report.figures {
        match value {
            serde_json::Value::Object(group) => {
                for (inner, value) in group {
                    out.push((format!("{} · {}", words(name), words(inner)), plain(value)));
                }
            }
            value => out.push((words(name), plain(value))),
        }
    }
    out
}

fn words(name: &str) -> String {
    name.replace('_', " ")
}

fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn scenario(row: &ScenarioRow) -> Scenario<'_> {
    let record = &row.record;
    let failed = record.outcome == Outcome::Failed;
    let mut all = entries(record);
    let apdus = all.last().map_or(0, |entry| entry.apdu);
    let mut left = if failed { usize::MAX } else { SHOWN };
    let mut steps = Vec::new();
    // What was exchanged before the first step belongs to it.
    for (i, step) in record.steps.iter().enumerate() {
        let next = record.steps.get(i + 1);
        let belongs =
            |e: &Entry| next.is_none_or(|next| e.apdu < next.first_apdu && e.at_ms <= next.at_ms);
        let count = all.iter().take_while(|entry| belongs(entry)).count();
        let lines: Vec<Entry> = all.drain(..count).collect();
        let shown = lines.len().min(left);
        left -= shown;
        steps.push(Step {
            text: &step.text,
            real_ms: step.real_ms,
            at: duration(step.at_ms),
            failed: step.failed,
            left_out: lines.len() - shown,
            lines: lines
                .into_iter()
                .take(shown)
                .map(|entry| Line {
                    at: duration(entry.at_ms),
                    entry,
                })
                .collect(),
        });
    }
    let decoded = |text: &str| {
        let bytes = hex::decode(text).unwrap_or_default();
        match message(&bytes) {
            decoded if decoded.is_empty() => text.to_owned(),
            decoded => decoded,
        }
    };
    Scenario {
        name: record.name,
        title: record.title,
        eid: &record.eid,
        outcome: record.outcome,
        failure: record.failure.as_deref(),
        real: duration(record.real_ms),
        virtual_time: duration(record.virtual_ms),
        predicted: record.predicted_ms.map(duration),
        apdus,
        lockstep_steps: record.lockstep_steps,
        replay: &row.replay,
        steps,
        esipa: record
            .esipa
            .iter()
            .take(if failed { usize::MAX } else { SHOWN / 6 })
            .map(|e| Esipa {
                number: e.number,
                function: &e.function,
                status: e.status,
                text: &e.text,
                request: decoded(&e.request),
                response: decoded(&e.response),
                bad: e.status != 200 && e.status != 204,
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_flat_and_in_words() {
        assert_eq!(words("cap_load_file_bytes"), "cap load file bytes");
        assert_eq!(plain(&serde_json::json!(3.5)), "3.5");
    }
}
