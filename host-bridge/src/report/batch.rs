//! The report on a batch: how many cards are done, what failed and why, where the time went.

use crate::exit;
use crate::files::replace;
use crate::journal::{CardRecord, CardState, Journal, JournalError, StepRecord};
use crate::personalize::{Retry, retry};
use minijinja::value::Serde;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const TEMPLATE: &str = include_str!("batch.html.j2");
/// Cards that the list of the slowest has.
const SLOWEST: usize = 20;

/// A batch as its journal has it.
#[derive(Debug, Serialize)]
pub struct BatchReport {
    /// Version of this form: 1.
    pub format: u32,
    /// The tool's version.
    pub tool: &'static str,
    /// The station.
    pub station: String,
    /// When the report was made (RFC 3339).
    pub at: String,
    /// Cards in the order.
    pub cards: usize,
    /// Personalized and verified.
    pub done: usize,
    /// Set aside or to be tried again.
    pub failed: usize,
    /// Begun, and not ended.
    pub working: usize,
    /// Never touched.
    pub pending: usize,
    /// Done of those that were touched and ended, in thousandths.
    pub yield_permille: usize,
    /// Cards that are done, but not at the first attempt.
    pub more_than_once: usize,
    /// Failures by the class of their error, the most frequent first.
    pub classes: Vec<Class>,
    /// Time per step, in the order in which they came first.
    pub steps: Vec<StepTime>,
    /// The cards that took longest.
    pub slowest: Vec<Slow>,
    /// Cards by reader.
    pub readers: Vec<Reader>,
    /// Each card that failed.
    pub failures: Vec<Failed>,
}

/// Failures of one class.
#[derive(Debug, Serialize)]
pub struct Class {
    /// Exit code.
    pub code: u8,
    /// Its name.
    pub name: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// Cards.
    pub cards: usize,
    /// What happens to them.
    pub retry: Retry,
}

/// A step's time in milliseconds, of the cards whose step ended.
#[derive(Debug, Serialize)]
pub struct StepTime {
    /// The step.
    pub step: String,
    /// Cards.
    pub cards: usize,
    /// All together.
    pub total_ms: u64,
    /// Half of them took no longer.
    pub median_ms: u64,
    /// 95 of 100 took no longer.
    pub p95_ms: u64,
    /// The longest.
    pub max_ms: u64,
}

/// A slow card.
#[derive(Debug, Serialize)]
pub struct Slow {
    /// The card.
    pub eid: String,
    /// All its steps, in milliseconds.
    pub ms: u64,
    /// Its longest step.
    pub longest: String,
    /// Its reader.
    pub reader: String,
}

/// What a reader did.
#[derive(Debug, Serialize)]
pub struct Reader {
    /// Its name.
    pub reader: String,
    /// Cards that it had last.
    pub cards: usize,
    /// Of these, done.
    pub done: usize,
    /// Milliseconds in their steps.
    pub ms: u64,
}

/// A card that failed.
#[derive(Debug, Serialize)]
pub struct Failed {
    /// The card.
    pub eid: String,
    /// Exit code.
    pub code: u8,
    /// Name of the code.
    pub name: &'static str,
    /// The step.
    pub step: String,
    /// The error.
    pub error: String,
    /// Times that it was begun.
    pub attempts: u32,
    /// Its reader.
    pub reader: String,
    /// Its last commands with their answers.
    pub evidence: Vec<String>,
}

fn name(code: u8) -> &'static str {
    exit::find(code).map_or("unknown", |row| row.name)
}

impl BatchReport {
    /// Reads a journal.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn of(journal: &dyn Journal, at: &str) -> Result<Self, JournalError> {
        let (cards, steps) = (journal.cards()?, journal.steps()?);
        let count = |state| cards.iter().filter(|c| c.state == state).count();
        let (done, failed) = (count(CardState::Done), count(CardState::Failed));
        let mut failures = Vec::new();
        for card in &cards {
            let Some((code, error)) = card.error.clone() else {
                continue;
            };
            failures.push(Failed {
                eid: card.eid.clone(),
                code,
                name: name(code),
                step: card.failed_step.clone().unwrap_or_default(),
                error,
                attempts: card.attempts,
                reader: card.worker.clone().unwrap_or_default(),
                evidence: journal.evidence(&card.eid)?,
            });
        }
        Ok(BatchReport {
            format: 1,
            tool: env!("CARGO_PKG_VERSION"),
            station: journal.station().to_owned(),
            at: at.to_owned(),
            cards: cards.len(),
            done,
            failed,
            working: count(CardState::Working),
            pending: count(CardState::Pending),
            yield_permille: (done * 1000).checked_div(done + failed).unwrap_or(0),
            more_than_once: cards
                .iter()
                .filter(|c| c.state == CardState::Done && c.attempts > 1)
                .count(),
            classes: classes(&failures),
            steps: times(&steps),
            slowest: slowest(&cards, &steps),
            readers: readers(&cards, &steps),
            failures,
        })
    }

    /// The page: one file, nothing loaded from anywhere.
    ///
    /// # Errors
    /// [`minijinja::Error`]: a defect of the template.
    pub fn html(&self) -> Result<String, minijinja::Error> {
        let mut environment = minijinja::Environment::new();
        // The name's ending has every value escaped.
        environment.add_template("batch.html", TEMPLATE)?;
        let longest = self.steps.iter().map(|step| step.median_ms).max();
        environment
            .get_template("batch.html")?
            .render(minijinja::context! {
                report => Serde(self),
                longest => longest.unwrap_or_default().max(1),
            })
    }

    /// Writes `batch.json` and `batch.html` into a directory.
    ///
    /// # Errors
    /// The file with what went wrong.
    pub fn write(&self, directory: &Path) -> Result<[PathBuf; 2], (PathBuf, std::io::Error)> {
        let (json, html) = (directory.join("batch.json"), directory.join("batch.html"));
        let text = serde_json::to_vec_pretty(self).map_err(std::io::Error::from);
        let page = self.html().map_err(std::io::Error::other);
        for (path, bytes) in [(&json, text), (&html, page.map(String::into_bytes))] {
            bytes
                .and_then(|bytes| replace(path, &bytes, false))
                .map_err(|e| (path.clone(), e))?;
        }
        Ok([json, html])
    }
}

fn classes(failures: &[Failed]) -> Vec<Class> {
    let mut counts: BTreeMap<u8, usize> = BTreeMap::new();
    for failure in failures {
        *counts.entry(failure.code).or_default() += 1;
    }
    let mut classes: Vec<Class> = counts
        .into_iter()
        .map(|(code, cards)| Class {
            code,
            name: name(code),
            meaning: exit::find(code).map_or("", |row| row.meaning),
            cards,
            retry: retry(code),
        })
        .collect();
    classes.sort_by_key(|class| std::cmp::Reverse(class.cards));
    classes
}

fn times(steps: &[StepRecord]) -> Vec<StepTime> {
    let mut sequence: Vec<&str> = Vec::new();
    let mut all: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for record in steps {
        if !sequence.contains(&record.step.as_str()) {
            sequence.push(&record.step);
        }
        all.entry(&record.step).or_default().extend(record.took_ms);
    }
    let mut out = Vec::new();
    for step in sequence {
        let mut ms = all.remove(step).unwrap_or_default();
        ms.sort_unstable();
        let part = |percent: usize| {
            let at = (ms.len() * percent).div_ceil(100).saturating_sub(1);
            ms.get(at).copied().unwrap_or_default()
        };
        out.push(StepTime {
            step: step.to_owned(),
            cards: ms.len(),
            total_ms: ms.iter().sum(),
            median_ms: part(50),
            p95_ms: part(95),
            max_ms: part(100),
        });
    }
    out
}

/// Each card's time, and its longest step.
fn of_cards(steps: &[StepRecord]) -> BTreeMap<&str, (u64, &StepRecord)> {
    let mut cards: BTreeMap<&str, (u64, &StepRecord)> = BTreeMap::new();
    for record in steps {
        let ms = record.took_ms.unwrap_or_default();
        let (total, longest) = cards.entry(&record.eid).or_insert((0, record));
        *total += ms;
        if ms > longest.took_ms.unwrap_or_default() {
            *longest = record;
        }
    }
    cards
}

fn slowest(cards: &[CardRecord], steps: &[StepRecord]) -> Vec<Slow> {
    let times = of_cards(steps);
    let mut slow: Vec<Slow> = cards
        .iter()
        .filter_map(|card| {
            let (ms, longest) = times.get(card.eid.as_str())?;
            Some(Slow {
                eid: card.eid.clone(),
                ms: *ms,
                longest: longest.step.clone(),
                reader: card.worker.clone().unwrap_or_default(),
            })
        })
        .collect();
    slow.sort_by_key(|one| std::cmp::Reverse(one.ms));
    slow.truncate(SLOWEST);
    slow
}

fn readers(cards: &[CardRecord], steps: &[StepRecord]) -> Vec<Reader> {
    let times = of_cards(steps);
    let mut readers: BTreeMap<&str, Reader> = BTreeMap::new();
    for card in cards {
        let Some(name) = card.worker.as_deref() else {
            continue;
        };
        let reader = readers.entry(name).or_insert_with(|| Reader {
            reader: name.to_owned(),
            cards: 0,
            done: 0,
            ms: 0,
        });
        reader.cards += 1;
        reader.done += usize::from(card.state == CardState::Done);
        reader.ms += times.get(card.eid.as_str()).map_or(0, |(ms, _)| *ms);
    }
    readers.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(eid: &str, step: &str, ms: u64) -> StepRecord {
        StepRecord {
            eid: eid.to_owned(),
            step: step.to_owned(),
            begun: 1,
            ended: 1,
            detail: None,
            took_ms: Some(ms),
        }
    }

    #[test]
    fn times_in_the_steps_sequence() {
        let mut steps = Vec::new();
        for n in 1..=100 {
            steps.push(step(&format!("E{n}"), "load", n));
            steps.push(step(&format!("E{n}"), "add-eim", 1));
        }
        let times = times(&steps);
        let load = &times[0];
        assert_eq!((load.step.as_str(), load.cards), ("load", 100));
        assert_eq!((load.median_ms, load.p95_ms, load.max_ms), (50, 95, 100));
        assert_eq!((load.total_ms, times[1].total_ms), (5050, 100));
        assert_eq!(of_cards(&steps)["E7"].0, 8);
        assert_eq!(of_cards(&steps)["E7"].1.step, "load");
    }

    #[test]
    fn no_cards_no_figures() {
        assert_eq!(
            times(&[]).len() + classes(&[]).len() + slowest(&[], &[]).len(),
            0
        );
    }
}
