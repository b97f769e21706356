//! End-to-end scenarios: a card in a device, its lab eIM, and what must come of it.
//!
//! Every scenario starts from a personalized card (a copy of a virtual one), runs the applet's
//! bytecode, and is followed in lock-step by the model. What the device or the eIM does wrong is
//! injected as data. A scenario that needs to look into the card is skipped on a reader, with the
//! reason.

mod bench;
mod download;
mod eims;
mod faults;
mod power;
mod profiles;
mod setup;
mod switches;

pub use bench::{Bench, DAY, EIM_ADDRESS, Failure, SECOND_ADDRESS, Step};
pub use download::{PushFigures, measure as measure_push};
pub use setup::Setup;

use crate::eim::Exchange;
use crate::terminal::{Record, What};
use cards::observe::Apdus;
use serde::Serialize;
use std::collections::BTreeSet;
use std::time::Instant;

/// A scenario.
pub struct Scenario {
    /// Name on the command line.
    pub name: &'static str,
    /// What must happen.
    pub title: &'static str,
    /// Whether it looks into the card, so that it needs a virtual one.
    pub needs_virtual: bool,
    run: fn(&mut Bench) -> Result<(), Failure>,
}

const fn any(
    name: &'static str,
    title: &'static str,
    run: fn(&mut Bench) -> Result<(), Failure>,
) -> Scenario {
    Scenario {
        name,
        title,
        needs_virtual: false,
        run,
    }
}

const fn inside(
    name: &'static str,
    title: &'static str,
    run: fn(&mut Bench) -> Result<(), Failure>,
) -> Scenario {
    Scenario {
        name,
        title,
        needs_virtual: true,
        run,
    }
}

/// Every scenario, in the order in which they are run.
#[rustfmt::skip]
pub const SCENARIOS: &[Scenario] = &[
    any("nothing-pending", "a poll finds nothing and writes nothing", profiles::nothing_pending),
    any("list-profile-info", "listProfileInfo equals the eIM's inventory", profiles::list_profile_info),
    any("enable-good-network", "enable with rollback flag; the result arrives over the new profile", profiles::enable_good_network),
    any("enable-dead-network", "the same on a dead network: rolled back, and the result says so", profiles::enable_dead_network),
    any("disable", "disable and enable in one package; disable of a disabled profile is refused with its code", profiles::disable),
    any("delete", "delete of a disabled profile", profiles::delete),
    any("delete-refused", "delete of the enabled profile and of an unknown ICCID: the right codes", profiles::delete_refused),
    any("several-psmos", "several PSMOs in one package: order and stop rule", profiles::several_psmos),
    any("replayed-counter", "a replayed counter is refused", faults::replayed_counter),
    any("wrong-signature", "a wrong signature is refused", faults::wrong_signature),
    any("wrong-eid", "a package for another EID is refused", faults::wrong_eid),
    any("unknown-eim", "a package of an unknown eIM is refused", faults::unknown_eim),
    any("change-eim", "addEim, listEim, updateEim, deleteEim, then polling the new eIM", eims::change_eim),
    inside("fallback-and-return", "fallback attribute, fallback and return: the codes, and what the eIM finds", switches::fallback_and_return),
    inside("emergency-profile", "while the Emergency Profile is enabled packages are refused; then the profile before it is back", switches::emergency_profile),
    inside("policy-rules", "PPR1 refuses enable and disable, PPR2 delete; without them it works", switches::policy_rules),
    inside("local-switch", "an LPA in the device switches; the IPAe goes on over the new profile", switches::local_switch),
    any("queued-while-off", "ten operations queued while the device is off, executed in order", profiles::queued_while_off),
    any("eim-unreachable", "the eIM is unreachable, then back", faults::eim_unreachable),
    any("eim-silent", "the eIM takes a request and never answers", faults::eim_silent),
    any("eim-cut", "the eIM cuts the connection in the middle of an answer", faults::eim_cut),
    any("eim-garbage", "the eIM answers garbage", faults::eim_garbage),
    any("eim-http-500", "the eIM answers HTTP 500", faults::eim_http_500),
    any("eim-large-answer", "the eIM answers 10 KB", faults::eim_large_answer),
    any("no-channel-free", "no BIP channel is free at first", faults::no_channel_free),
    any("open-refused", "OPEN CHANNEL is refused at first", faults::open_refused),
    any("beyond-capabilities", "OPEN CHANNEL is advertised and answered 'beyond capabilities' at first", faults::beyond_capabilities),
    any("timers-beyond", "TIMER MANAGEMENT is advertised and answered 'beyond capabilities': STATUS commands are counted", faults::timers_beyond),
    any("refresh-refused", "REFRESH is refused to the end: the change is undone and reported", faults::refresh_refused),
    any("refresh-never", "REFRESH is accepted and never comes to pass: the change is undone and reported", faults::refresh_never),
    any("refresh-late", "REFRESH is refused once, then followed", faults::refresh_late),
    inside("cat-busy-once", "catBusy once: tried again, done", faults::cat_busy_once),
    inside("cat-busy-for-ever", "catBusy for ever: reported in the end", faults::cat_busy_for_ever),
    any("euicc-data", "IPA eUICC data: all of it, and a tag that nobody knows", profiles::euicc_data),
    any("push-indirect", "a profile is ordered, triggered, downloaded by way of the eIM, enabled and read back", download::indirect),
    any("push-large", "the same with a profile of 60 KB", download::large),
    any("push-by-eim", "the eIM handles the trigger's data and the confirmation code", download::by_eim),
    any("push-immediate", "immediate enable: the profile is enabled by its download", download::immediate),
    any("push-wrong-code", "a wrong confirmation code is refused, the right one isn't", download::wrong_code),
    any("push-refused", "an order that isn't there, and a trigger that the applet can't carry out", download::refused),
    inside("push-altered", "a bound package altered in each of its parts: the eUICC says why, the eIM hears it", download::altered),
    inside("push-memory-full", "no memory for the profile, then there is", download::memory_full),
    inside("push-broken", "each function of a download breaks once: the download is resumed and done", download::broken),
    inside("push-power-cut-writes", "power cut before each persistent write of a download", download::power_cut_writes),
    inside("push-power-cut-apdus", "power cut after every 13th APDU of a download", download::power_cut_apdus),
    inside("power-cut-writes", "power cut before each persistent write of an enable with rollback", power::before_each_write),
    inside("power-cut-apdus", "power cut after each APDU of an enable with rollback", power::after_each_apdu),
];

/// What became of a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// All that must happen happened.
    Passed,
    /// Something else happened; `failure` says what.
    Failed,
    /// It can't be run on this card; `failure` says why.
    Skipped,
}

/// The record of a scenario.
#[derive(Debug, Serialize)]
pub struct ScenarioReport {
    /// Its name.
    pub name: &'static str,
    /// What must happen.
    pub title: &'static str,
    /// EID of the card.
    pub eid: String,
    /// Counter of the last package that the eIM signed for the card.
    pub counter: u64,
    /// What became of it.
    pub outcome: Outcome,
    /// Why it failed or was skipped.
    pub failure: Option<String>,
    /// Real milliseconds.
    pub real_ms: u64,
    /// Virtual milliseconds.
    pub virtual_ms: u64,
    /// Milliseconds that the card's part is predicted to take, by the `[cost]` of its definition: APDUs and
    /// the applet's work. None without such a section, on a reader, and where the card went back to copies.
    pub predicted_ms: Option<u64>,
    /// Its steps.
    pub steps: Vec<Step>,
    /// What crossed the interface between device and card, and between device and network.
    pub exchange: Vec<Record>,
    /// What the eIM was asked and answered.
    pub esipa: Vec<Exchange>,
    /// Steps of the applet's boundary that the model followed; none on a reader.
    pub lockstep_steps: u64,
    /// Rows of the transition table that the applet took.
    #[serde(skip)]
    pub rows: BTreeSet<usize>,
}

impl ScenarioReport {
    /// The APDUs of its exchange. A STATUS command that was counted instead of listed has five bytes and
    /// two of status word.
    pub fn apdus(&self) -> Apdus {
        let mut apdus = Apdus::default();
        for entry in &self.exchange {
            match &entry.what {
                What::Apdu {
                    command, response, ..
                } => apdus.add(command.len() / 2, response.len() / 2),
                What::StatusPolls { count } => (0..*count).for_each(|_| apdus.add(5, 2)),
                _ => {}
            }
        }
        apdus
    }
}

/// The record of a scenario that failed before it began.
pub fn failed_before(scenario: &Scenario, eid: String, failure: &Failure) -> ScenarioReport {
    blank(scenario, eid, Outcome::Failed, failure.to_string())
}

fn blank(scenario: &Scenario, eid: String, outcome: Outcome, failure: String) -> ScenarioReport {
    ScenarioReport {
        name: scenario.name,
        title: scenario.title,
        eid,
        counter: 0,
        outcome,
        failure: Some(failure),
        real_ms: 0,
        virtual_ms: 0,
        predicted_ms: None,
        steps: Vec::new(),
        exchange: Vec::new(),
        esipa: Vec::new(),
        lockstep_steps: 0,
        rows: BTreeSet::new(),
    }
}

/// Runs a scenario on the card of a setup.
pub fn run(scenario: &Scenario, setup: Setup) -> ScenarioReport {
    let started = Instant::now();
    let eid = setup.eid.clone();
    let blank = |outcome, failure| blank(scenario, eid.clone(), outcome, failure);
    if scenario.needs_virtual && !setup.is_virtual() {
        return blank(
            Outcome::Skipped,
            "it looks into the card, which a reader's card doesn't allow".into(),
        );
    }
    let mut bench = match Bench::new(setup) {
        Ok(bench) => bench,
        Err(failure) => return blank(Outcome::Failed, failure.to_string()),
    };
    let result = (scenario.run)(&mut bench).and_then(|()| bench.finish());
    let real_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    bench.report(scenario, result.err(), real_ms)
}
