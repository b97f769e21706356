//! `ipae test`: scenarios against the lab eIM.

use super::failure::{Failure, OrExit};
use super::lab::{Eims, Lab, Plan, choose, count, replay_dir};
use super::output::{Out, style};
use super::{card, figures, pki};
use applet_model::lockstep::Lockstep;
use cards::card::VirtualCard;
use clap::Args;
use host_bridge::campaign::{self, Campaign};
use host_bridge::exit;
use host_bridge::personalize::Es10;
use host_bridge::report::{
    CardRow, LockstepCoverage, NOT_SECURE, Report, Scenarios, Written, write_all,
};
use host_bridge::scenario::{self, Outcome, SCENARIOS, ScenarioReport, Setup};
use host_bridge::transport::pcsc::PcscLink;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::time::Instant;

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae test --list
  ipae test --virtual --out target/test
  ipae test --virtual --scenario enable-dead-network --seed 7 --out target/test
  ipae test --reader \"ACR38\" --scenario nothing-pending --scenario list-profile-info --out target/test

A card in a reader has to be personalized for the lab's eIM before:
  ipae order sample --count 1 --address 192.0.2.1 --out order.csv
  ipae personalize --order order.csv --card virtual-lab --reader \"ACR38\" --out run1
Scenarios change the card's profiles; those that look into the card are skipped on a reader.

It leaves report.html, report.json and junit.xml in the output folder.")]
#[command(group = clap::ArgGroup::new("where").required(true).args(["list", "virtual", "reader"]))]
pub struct Test {
    /// List the scenarios and run none
    #[arg(long)]
    list: bool,
    /// On a virtual card, made and personalized for it
    #[arg(long)]
    r#virtual: bool,
    /// On the card in this PC/SC reader, personalized before
    #[arg(long, value_name = "NAME")]
    reader: Option<String>,
    /// Counter of the last package that the card in the reader took from the lab's eIM; no card tells
    /// it, each run says it at its end
    #[arg(long, value_name = "N", default_value_t = 0, requires = "reader")]
    counter: u64,
    /// A scenario's name; several are possible, all without it
    #[arg(long = "scenario", value_name = "NAME")]
    scenarios: Vec<String>,
    /// What everything random comes from
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Number of the virtual card, in its EID
    #[arg(long, value_name = "N", default_value_t = 1)]
    first: u32,
    /// Card definition: a name of `ipae card list`, or a file
    #[arg(long, value_name = "DEF", default_value = "virtual-lab")]
    card: String,
    #[command(flatten)]
    pki: pki::Dir,
    /// Where the report goes
    #[arg(long, value_name = "DIR", required_unless_present = "list")]
    out: Option<PathBuf>,
    /// Random traces on the CAP in lock-step with the model, besides the scenarios (virtual only)
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "reader")]
    traces: u64,
}

/// All that a report is made of.
pub struct Tried {
    pub seed: u64,
    pub card: String,
    pub rows: Vec<CardRow>,
    pub records: Vec<ScenarioReport>,
    pub started: jiff::Timestamp,
    pub clock: Instant,
    pub figures: serde_json::Map<String, serde_json::Value>,
    pub campaign: Campaign,
}

/// Runs random traces on a copy of the first card, in lock-step.
fn campaign(cards: &[(u32, VirtualCard)], traces: u64, out: &Out) -> Result<Campaign, Failure> {
    let Some((_, card)) = cards.first().filter(|_| traces > 0) else {
        return Ok(Campaign::default());
    };
    let mut card = card.clone();
    let mut lockstep = Lockstep::new();
    lockstep
        .follow(&card.take_trace())
        .or_exit(exit::LOCKSTEP)?;
    out.note(format!("{traces} random traces in lock-step"));
    campaign::run(&card, &lockstep, 0..traces, &AtomicU64::new(0)).or_exit(exit::LOCKSTEP)
}

impl Tried {
    /// What scenarios on a lab's virtual cards came to, with as many random traces on the first card.
    pub fn in_lab(
        lab: Lab,
        records: Vec<ScenarioReport>,
        dir: &Path,
        seed: u64,
        traces: u64,
        (started, clock): (jiff::Timestamp, Instant),
        out: &Out,
    ) -> Result<Tried, Failure> {
        let definition = &lab.eims.definition;
        Ok(Tried {
            seed,
            card: format!("{} {}", definition.eum, definition.product),
            figures: figures::of(&lab, &records, dir),
            campaign: campaign(&lab.cards, traces, out)?,
            rows: lab.rows,
            records,
            started,
            clock,
        })
    }

    /// Writes the report, prints the summary, fails if a scenario failed.
    pub fn finish(
        self,
        dir: &Path,
        replay: impl Fn(&ScenarioReport) -> String,
        out: &Out,
    ) -> Result<(), Failure> {
        let (mut rows, mut steps) = (self.campaign.rows, self.campaign.steps);
        for record in &self.records {
            rows.extend(&record.rows);
            steps += record.lockstep_steps;
        }
        let report = Report {
            format: 1,
            tool: concat!("ipae ", env!("CARGO_PKG_VERSION")),
            transport: NOT_SECURE,
            seed: self.seed,
            started: self.started.to_string(),
            real_ms: u64::try_from(self.clock.elapsed().as_millis()).unwrap_or(u64::MAX),
            card: self.card,
            cards: self.rows.len(),
            personalized: self.rows.iter().filter(|row| row.error.is_empty()).count(),
            card_list: self.rows,
            scenarios: Scenarios::of(self.records, replay),
            lockstep: LockstepCoverage::of(&rows, steps, self.campaign.traces),
            figures: self.figures,
        };
        let written = write_all(&report, dir).or_exit(exit::OUTPUT)?;
        summary(&report, &written, out)?;
        if report.scenarios.failed == 0 {
            return Ok(());
        }
        let lockstep = report.scenarios.list.iter().any(|row| {
            let failure = row.record.failure.as_deref().unwrap_or_default();
            row.record.outcome == Outcome::Failed && failure.starts_with("lock-step")
        });
        let exit = if lockstep {
            exit::LOCKSTEP
        } else {
            exit::SCENARIO
        };
        Err(Failure::new(
            exit,
            format!("{} scenarios failed", report.scenarios.failed),
        )
        .next(format!("{} shows where", written.html.display())))
    }
}

fn summary(report: &Report, written: &Written, out: &Out) -> Result<(), Failure> {
    let scenarios = &report.scenarios;
    let value = serde_json::json!({
        "seed": report.seed,
        "cards": report.cards,
        "personalized": report.personalized,
        "scenarios": { "passed": scenarios.passed, "failed": scenarios.failed, "skipped": scenarios.skipped },
        "lockstep": { "transitions_total": report.lockstep.transitions_total, "transitions_taken": report.lockstep.transitions_taken },
        "figures": report.figures,
        "report": written,
    });
    out.print(&value, |w| {
        let (good, bad, hint, head) = (style::GOOD, style::ERROR, style::HINT, style::HEAD);
        for row in scenarios.list.iter().filter(|r| r.record.outcome == Outcome::Failed) {
            writeln!(w, "{bad}failed{bad:#} {} on {}: {}", row.record.name, row.record.eid, row.record.failure.as_deref().unwrap_or_default())?;
            writeln!(w, "       again: {}", row.replay)?;
        }
        writeln!(w, "{head}cards{head:#}      {} of {} personalized", report.personalized, report.cards)?;
        let failed = if scenarios.failed == 0 { good } else { bad };
        writeln!(w, "{head}scenarios{head:#}  {failed}{} passed, {} failed{failed:#}, {} skipped  ({hint}{}{hint:#})", scenarios.passed, scenarios.failed, scenarios.skipped, report.transport)?;
        writeln!(w, "{head}lock-step{head:#}  {} of {} transitions taken on the CAP, {} steps compared", report.lockstep.transitions_taken, report.lockstep.transitions_total, report.lockstep.steps)?;
        writeln!(w, "{head}seed{head:#}       {}", report.seed)?;
        writeln!(w, "{head}report{head:#}     {}", written.html.display())
    })
}

impl Test {
    pub fn run(self, out: &Out) -> Result<(), Failure> {
        let Some(dir) = self.out.clone().filter(|_| !self.list) else {
            return list(out);
        };
        let chosen = choose(&self.scenarios)?;
        let (started, clock) = (jiff::Timestamp::now(), Instant::now());
        let card = self.card.clone();
        let replay_to = replay_dir(&dir);
        let replay = |where_: &str, record: &ScenarioReport| {
            format!(
                "ipae test {where_} --card {card} --scenario {} --seed {} --out {}",
                record.name,
                self.seed,
                replay_to.display()
            )
        };
        if let Some(reader) = &self.reader {
            let tried = self.on_reader(reader, &chosen, started, clock, out)?;
            return tried.finish(&dir, |r| replay(&format!("--reader {reader:?}"), r), out);
        }
        let plan = Plan {
            dir: &dir,
            card: &self.card,
            hierarchy: self.pki.load()?,
            cards: 1,
            first: self.first,
            seed: self.seed,
        };
        let mut lab = Lab::make(plan, out)?;
        let jobs: Vec<_> = chosen.into_iter().map(|scenario| (0, scenario)).collect();
        let records = lab.scenarios(&jobs, out);
        let began = (started, clock);
        let tried = Tried::in_lab(lab, records, &dir, self.seed, self.traces, began, out)?;
        let first = self.first;
        tried.finish(
            &dir,
            |r| replay(&format!("--virtual --first {first}"), r),
            out,
        )
    }

    fn on_reader(
        &self,
        reader: &str,
        chosen: &[&scenario::Scenario],
        started: jiff::Timestamp,
        clock: Instant,
        out: &Out,
    ) -> Result<Tried, Failure> {
        let definition = card::find(&self.card)?;
        let eims = Eims::new(definition, &self.pki.load()?)?;
        let eid = {
            let mut link = PcscLink::open(reader)?;
            let mut es10 = Es10::open(&mut link, &eims.definition)?;
            let eid = es10.eid()?;
            es10.close()?;
            eid
        };
        let mut records = Vec::new();
        let mut counter = self.counter;
        for scenario in chosen {
            out.note(format!("{} on {eid} in {reader}", scenario.name));
            let mut setup = Setup::of_reader(
                Box::new(PcscLink::open(reader)?),
                eid.clone(),
                eims.definition.clone(),
                eims.identity.clone(),
                eims.second.clone(),
            )
            .with_smdp(eims.hierarchy.clone());
            setup.counter = counter;
            let record = scenario::run(scenario, setup);
            counter = counter.max(record.counter);
            records.push(record);
        }
        out.note(format!(
            "the next run on this card goes on with --counter {counter}"
        ));
        let mut rows = vec![CardRow {
            eid,
            state: "given".to_owned(),
            error: String::new(),
            passed: 0,
            failed: 0,
        }];
        count(&mut rows, &records);
        Ok(Tried {
            seed: self.seed,
            card: format!("{} {}", eims.definition.eum, eims.definition.product),
            rows,
            records,
            started,
            clock,
            figures: serde_json::Map::new(),
            campaign: Campaign::default(),
        })
    }
}

fn list(out: &Out) -> Result<(), Failure> {
    let value: Vec<_> = SCENARIOS
        .iter()
        .map(|s| serde_json::json!({"name": s.name, "title": s.title, "needs_virtual": s.needs_virtual}))
        .collect();
    out.print(&value, |w| {
        let head = style::HEAD;
        SCENARIOS
            .iter()
            .try_for_each(|s| writeln!(w, "{head}{:<22}{head:#} {}", s.name, s.title))
    })
}
