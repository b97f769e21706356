//! JUnit XML, as build servers read it.

use super::{Report, decode};
use crate::scenario::Outcome;
use minijinja::value::Serde;
use serde::Serialize;

const TEMPLATE: &str = include_str!("junit.xml.j2");

#[derive(Serialize)]
struct Case {
    name: String,
    class: String,
    seconds: String,
    outcome: Outcome,
    failure: String,
    log: String,
}

/// The text of the file.
pub fn render(report: &Report) -> Result<String, minijinja::Error> {
    let mut cases = Vec::new();
    for row in &report.scenarios.list {
        let record = &row.record;
        let mut log = format!("{}\n", row.replay);
        if record.outcome == Outcome::Failed {
            for entry in decode::entries(record) {
                let bytes = entry.bytes.replace('\n', " -> ");
                log.push_str(&format!("{:>5} {} {bytes}\n", entry.apdu, entry.text));
            }
        }
        cases.push(Case {
            name: format!("{}: {}", record.name, record.title),
            class: format!("{}.{}", report.card.replace(' ', "-"), record.eid),
            seconds: seconds(record.real_ms),
            outcome: record.outcome,
            failure: clean(record.failure.as_deref().unwrap_or_default()),
            log: clean(&log),
        });
    }
    let unpersonalized = report.cards - report.personalized.min(report.cards);
    let mut environment = minijinja::Environment::new();
    // The name's ending has every value escaped.
    environment.add_template("junit.xml", TEMPLATE)?;
    environment
        .get_template("junit.xml")?
        .render(minijinja::context! {
            seconds => seconds(report.real_ms),
            started => report.started.get(..19),
            tests => cases.len() + report.card_list.len(),
            failures => report.scenarios.failed + unpersonalized,
            skipped => report.scenarios.skipped,
            cards => Serde(&report.card_list),
            cases => Serde(&cases),
            seed => report.seed,
            tool => report.tool,
            transport => report.transport,
        })
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

/// Without the characters that XML can't hold (XML 1.0 2.2).
fn clean(text: &str) -> String {
    text.chars()
        .filter(|c| {
            matches!(c, '\t' | '\n' | '\r') || (*c >= ' ' && !matches!(c, '\u{FFFE}' | '\u{FFFF}'))
        })
        .collect()
}
