//! A lab in this process: cards made and personalized from a sample order, scenarios run on them.

use super::failure::{Failure, OrExit};
use super::order::sample_text;
use super::output::{Out, progress, write_file};
use super::personalize::{CARDS, Watch, applet};
use super::{card, interrupt, pki};
use cards::card::VirtualCard;
use cards::definition::Definition;
use cards::euicc::EuiccSetup;
use cards::pki::Hierarchy;
use host_bridge::eim::EimIdentity;
use host_bridge::exit;
use host_bridge::order::{KeyStore, Order, SampleOptions};
use host_bridge::personalize::{
    Applet, Job, Options, Outcome as CardsOutcome, VirtualStation, receipt, run,
};
use host_bridge::report::CardRow;
use host_bridge::scenario::{
    self, EIM_ADDRESS, Failure as BenchFailure, Outcome, SCENARIOS, Scenario, ScenarioReport, Setup,
};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Name of the eIM that cards are moved to in scenarios.
const SECOND_EIM: &str = "eim2.lab.example";
/// What a lab leaves in its folder, to be made anew by the next one.
const LEFTOVERS: &[&str] = &[
    "applet",
    CARDS,
    "receipts",
    receipt::STATEMENT,
    "order.csv",
    "response.csv",
];
/// Files of the journal begin so.
const JOURNAL: &str = "journal.";

/// How to make a lab.
pub struct Plan<'a> {
    pub dir: &'a Path,
    pub card: &'a str,
    pub hierarchy: Hierarchy,
    pub cards: u32,
    pub first: u32,
    pub seed: u64,
}

/// What scenarios on any card need.
pub struct Eims {
    pub definition: Definition,
    pub identity: EimIdentity,
    pub second: EimIdentity,
    /// Whose SM-DP+ there is.
    pub hierarchy: Hierarchy,
}

impl Eims {
    /// The hierarchy's eIM and another one.
    pub fn new(definition: Definition, hierarchy: &Hierarchy) -> Result<Self, Failure> {
        let second = hierarchy.issue_eim(SECOND_EIM).or_exit(exit::KEYS)?;
        Ok(Eims {
            definition,
            identity: EimIdentity::new(hierarchy, &pki::eim(hierarchy)?),
            second: EimIdentity::new(hierarchy, &second),
            hierarchy: hierarchy.clone(),
        })
    }

    /// What a scenario on a virtual card starts from.
    pub fn setup(&self, card: VirtualCard) -> Result<Setup, BenchFailure> {
        Setup::of_virtual(
            card,
            self.definition.clone(),
            self.identity.clone(),
            self.second.clone(),
        )
        .map(|setup| setup.with_smdp(self.hierarchy.clone()))
    }
}

/// A lab with personalized virtual cards.
pub struct Lab {
    pub eims: Eims,
    pub applet: Applet,
    pub cards: Vec<(u32, VirtualCard)>,
    pub rows: Vec<CardRow>,
    pub outcome: CardsOutcome,
    /// Time that the cards took.
    pub took: Duration,
}

/// Removes what an earlier lab left.
fn clear(dir: &Path) -> Result<(), Failure> {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return Ok(());
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !LEFTOVERS.contains(&name.as_str()) && !name.starts_with(JOURNAL) {
            continue;
        }
        let path = entry.path();
        let removed = match path.is_dir() {
            true => std::fs::remove_dir_all(&path),
            false => std::fs::remove_file(&path),
        };
        removed.map_err(|e| {
            Failure::new(
                exit::OUTPUT,
                format!("failed to remove {}: {e}", path.display()),
            )
        })?;
    }
    Ok(())
}

/// The sample order of a lab, whose cards find the lab's eIM.
pub fn options(count: u32, first: u32) -> SampleOptions {
    SampleOptions {
        count,
        first,
        address: Some(EIM_ADDRESS.to_string()),
        ..SampleOptions::default()
    }
}

impl Lab {
    /// Builds the applet, writes the order, personalizes the cards.
    pub fn make(plan: Plan<'_>, out: &Out) -> Result<Self, Failure> {
        clear(plan.dir)?;
        let definition = card::find(plan.card)?;
        let applet = applet(None, plan.dir, plan.card, out)?;
        let order_file = plan.dir.join("order.csv");
        let text = sample_text(&plan.hierarchy, options(plan.cards, plan.first))?;
        write_file(&order_file, text.as_bytes())?;
        let order = Order::read(&order_file, &definition, &KeyStore::default())?;
        out.note(format!(
            "personalizing {} virtual cards over SCP03",
            order.rows.len()
        ));
        let station = VirtualStation::new(
            &plan.dir.join(CARDS),
            definition.clone(),
            plan.hierarchy.clone(),
            EuiccSetup::lab().or_exit(exit::FAILED)?,
            plan.seed,
        );
        let started = Instant::now();
        let mut watch = Watch::quiet(out);
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        let mut readers = station.readers(threads);
        let mut options = Options::new(plan.dir);
        options.stop = Arc::new(interrupt::requested);
        let job = Job::ipae(applet.clone())?;
        let outcome = run(
            &order,
            &definition,
            &job,
            readers.iter_mut().map(|one| one as _).collect(),
            &options,
            &mut |notice| watch.see(notice),
        )?;
        watch.end();
        let took = started.elapsed();
        let (mut cards, mut rows) = (Vec::new(), Vec::new());
        for (number, row) in (plan.first..).zip(&order.rows) {
            let eid = row.eid.to_string();
            let error = watch.error_of(&eid);
            if error.is_empty() {
                cards.push((number, station.open(&eid)?.into_card()));
            }
            rows.push(CardRow {
                state: if error.is_empty() { "done" } else { "failed" }.to_owned(),
                eid,
                error,
                passed: 0,
                failed: 0,
            });
        }
        let eims = Eims::new(definition, &plan.hierarchy)?;
        Ok(Lab {
            eims,
            applet,
            cards,
            rows,
            outcome,
            took,
        })
    }

    /// Runs these scenarios, each on a copy of its card (by index), on all processors.
    pub fn scenarios(&mut self, jobs: &[(usize, &Scenario)], out: &Out) -> Vec<ScenarioReport> {
        interrupt::flag();
        let next = AtomicUsize::new(0);
        let done: Mutex<Vec<(usize, ScenarioReport)>> = Mutex::new(Vec::new());
        let bar = progress(out, jobs.len() as u64, "scenarios");
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        std::thread::scope(|scope| {
            for _ in 0..threads.min(jobs.len()) {
                scope.spawn(|| {
                    while let Some((i, (card, scenario))) = take(&next, jobs)
                        && !interrupt::requested()
                    {
                        let Some((_, card)) = self.cards.get(*card) else {
                            continue;
                        };
                        bar.set_message(scenario.name);
                        let report = self.one(card, scenario);
                        bar.inc(1);
                        done.lock()
                            .unwrap_or_else(std::sync::PoisonError::into_inner)
                            .push((i, report));
                    }
                });
            }
        });
        bar.finish_and_clear();
        let mut done = done
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        done.sort_by_key(|(i, _)| *i);
        let reports: Vec<ScenarioReport> = done.into_iter().map(|(_, report)| report).collect();
        count(&mut self.rows, &reports);
        reports
    }

    fn one(&self, card: &VirtualCard, scenario: &Scenario) -> ScenarioReport {
        match self.eims.setup(card.clone()) {
            Ok(setup) => scenario::run(scenario, setup),
            Err(failure) => {
                let eid = card.euicc().eid().to_string();
                scenario::failed_before(scenario, eid, &failure)
            }
        }
    }
}

fn take<'a, T>(next: &AtomicUsize, all: &'a [T]) -> Option<(usize, &'a T)> {
    let i = next.fetch_add(1, Ordering::Relaxed);
    Some((i, all.get(i)?))
}

/// Counts the scenarios of each card.
pub fn count(rows: &mut [CardRow], reports: &[ScenarioReport]) {
    for row in rows {
        let of = |outcome| {
            let mine = reports.iter().filter(|r| r.eid == row.eid);
            mine.filter(|r| r.outcome == outcome).count()
        };
        row.passed = of(Outcome::Passed);
        row.failed = of(Outcome::Failed);
    }
}

/// Scenarios by name; all if none are named.
pub fn choose(names: &[String]) -> Result<Vec<&'static Scenario>, Failure> {
    if names.is_empty() {
        return Ok(SCENARIOS.iter().collect());
    }
    let mut chosen = Vec::new();
    for name in names {
        let found = SCENARIOS.iter().find(|s| s.name == name);
        chosen.push(found.ok_or_else(|| {
            Failure::new(exit::USAGE, format!("no scenario {name:?}"))
                .next("`ipae test --list` names them")
        })?);
    }
    Ok(chosen)
}

/// Where the report's replay commands write to.
pub fn replay_dir(out: &Path) -> PathBuf {
    let mut name = out.file_name().unwrap_or_default().to_os_string();
    name.push("-replay");
    out.with_file_name(name)
}
