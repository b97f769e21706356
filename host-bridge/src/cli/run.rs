//! `ipae run`: the main job, from the model to cards that obey their eIM, and a report.

use super::failure::Failure;
use super::lab::{Lab, Plan, choose, replay_dir};
use super::output::Out;
use super::pki;
use super::test::Tried;
use clap::Args;
use host_bridge::scenario::ScenarioReport;
use std::path::PathBuf;
use std::time::Instant;

/// What every card goes through; the other scenarios are shared out among the cards.
const EACH: [&str; 5] = [
    "nothing-pending",
    "list-profile-info",
    "enable-good-network",
    "enable-dead-network",
    "push-indirect",
];

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae run --out target/run
  ipae run --out target/run --cards 2 --seed 7

It builds the applet from the model, writes an order, loads and personalizes virtual cards over
SCP03, has each of them poll the lab eIM, switch profiles, fall back from a dead network and get
a profile from the lab SM-DP+,
runs all other scenarios on one card or another, and leaves report.html, report.json and
junit.xml. The same with a reader: `ipae personalize --reader`, then `ipae test --reader`.")]
pub struct Run {
    /// Where everything goes
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// How many cards
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1000))]
    cards: u32,
    /// What everything random comes from
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Card definition: a name of `ipae card list`, or a file
    #[arg(long, value_name = "DEF", default_value = "virtual-lab")]
    card: String,
    /// Random traces on the CAP in lock-step with the model, besides the scenarios
    #[arg(long, value_name = "N", default_value_t = 2000)]
    traces: u64,
    #[command(flatten)]
    pki: pki::Dir,
}

impl Run {
    pub fn run(self, out: &Out) -> Result<(), Failure> {
        let (started, clock) = (jiff::Timestamp::now(), Instant::now());
        let plan = Plan {
            dir: &self.out,
            card: &self.card,
            hierarchy: self.pki.load()?,
            cards: self.cards,
            first: 1,
            seed: self.seed,
        };
        let mut lab = Lab::make(plan, out)?;
        let cards = lab.cards.len();
        let mut jobs = Vec::new();
        let mut turn = 0;
        for scenario in choose(&[])? {
            if EACH.contains(&scenario.name) {
                jobs.extend((0..cards).map(|card| (card, scenario)));
            } else if cards > 0 {
                jobs.push((turn % cards, scenario));
                turn += 1;
            }
        }
        out.note(format!(
            "{} scenarios on {cards} cards against the lab eIM",
            jobs.len()
        ));
        let records = lab.scenarios(&jobs, out);
        let numbers: Vec<(String, u32)> = lab
            .cards
            .iter()
            .map(|(number, card)| (card.euicc().eid().to_string(), *number))
            .collect();
        let began = (started, clock);
        let tried = Tried::in_lab(lab, records, &self.out, self.seed, self.traces, began, out)?;
        let to = replay_dir(&self.out);
        let replay = |record: &ScenarioReport| {
            let number = numbers.iter().find(|(eid, _)| *eid == record.eid);
            format!(
                "ipae test --virtual --first {} --card {} --scenario {} --seed {} --out {}",
                number.map_or(1, |(_, number)| *number),
                self.card,
                record.name,
                self.seed,
                to.display()
            )
        };
        tried.finish(&self.out, replay, out)
    }
}
