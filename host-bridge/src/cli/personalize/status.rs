//! `ipae personalize status`: how far a batch is, or one card.

use super::super::failure::Failure;
use super::super::output::{Out, style};
use super::super::queue;
use clap::Args;
use host_bridge::exit;
use host_bridge::journal::{CardState, Journal};
use host_bridge::report::batch::BatchReport;
use std::path::{Path, PathBuf};

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae personalize status run1
  ipae personalize status run1 --eid 89049032000000000000000000000163    one card: steps, evidence, new keys
  ipae personalize status --queue postgres://line@db/order7      stations that share an order, cards in hand

It can be asked while the batch is at work.")]
pub struct Status {
    /// Output folder of the batch
    #[arg(value_name = "DIR", required_unless_present = "queue")]
    out: Option<PathBuf>,
    /// The queue that stations share, instead of a folder
    #[arg(long, value_name = "ADDRESS", conflicts_with = "out")]
    queue: Option<String>,
    /// Only this card, in full
    #[arg(long, value_name = "EID")]
    eid: Option<String>,
}

impl Status {
    pub fn run(self, out: &Out) -> Result<(), Failure> {
        let journal: Box<dyn Journal> = match (&self.queue, &self.out) {
            (Some(text), _) if self.eid.is_none() => return queue::status(text, out),
            (queue, out) => {
                super::journal(queue.as_deref(), out.as_deref().unwrap_or(Path::new(".")))?
            }
        };
        match &self.eid {
            None => whole(journal.as_ref(), out),
            Some(eid) => one(journal.as_ref(), eid, out),
        }
    }
}

fn whole(journal: &dyn Journal, out: &Out) -> Result<(), Failure> {
    let report = BatchReport::of(journal, &jiff::Timestamp::now().to_string())?;
    out.print(&report, |w| {
        let head = style::HEAD;
        writeln!(
            w,
            "{head}{} of {} cards done{head:#}, {} failed, {} begun, {} not touched",
            report.done, report.cards, report.failed, report.working, report.pending
        )?;
        for failed in &report.failures {
            writeln!(
                w,
                "{}  {} {}: {}",
                failed.eid, failed.code, failed.name, failed.error
            )?;
        }
        Ok(())
    })
}

fn one(journal: &dyn Journal, eid: &str, out: &Out) -> Result<(), Failure> {
    let card = journal.card(eid)?.ok_or_else(|| {
        Failure::new(
            exit::WRONG_CARD,
            format!("card {eid} is not in the batch's order"),
        )
    })?;
    let mut steps = journal.steps()?;
    steps.retain(|step| step.eid == eid);
    let (evidence, rotation) = (journal.evidence(eid)?, journal.rotation(eid)?);
    let value = serde_json::json!({
        "card": card, "steps": steps, "evidence": evidence, "new_keys": rotation,
    });
    out.print(&value, |w| {
        let state = match card.state {
            CardState::Done => style::GOOD,
            CardState::Failed => style::ERROR,
            _ => style::HINT,
        };
        let reader = card.worker.as_deref().unwrap_or("no reader yet");
        writeln!(
            w,
            "{eid} {state}{}{state:#}, attempt {}, {reader}",
            card.state.name(),
            card.attempts
        )?;
        for step in &steps {
            let what = match (&step.detail, step.ended) {
                (Some(detail), _) => detail.as_str(),
                (None, 0) => "begun, not ended",
                (None, _) => "",
            };
            let took = step
                .took_ms
                .map(|ms| format!("{ms} ms"))
                .unwrap_or_default();
            writeln!(w, "  {:<14} {took:>8}  {what}", step.step)?;
        }
        if let Some(keys) = &rotation {
            let seen = if keys.confirmed { "has" } else { "was to get" };
            writeln!(
                w,
                "  it {seen} key set {}, version {:02X}, check values {}, from {}",
                keys.to,
                keys.to_kvn,
                keys.check_values.join(" "),
                keys.source
            )?;
        }
        if let Some((code, error)) = &card.error {
            writeln!(w, "  error {code}: {error}")?;
        }
        for line in &evidence {
            writeln!(w, "    {line}")?;
        }
        Ok(())
    })
}
