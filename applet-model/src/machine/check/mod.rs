//! Proves the properties of the machine by exhaustive exploration (design decision 2).
//!
//! Breadth-first over all pairs of machine and world, faults counted: a pair is explored with the
//! fewest faults that lead to it. Checked for every pair:
//! - the table has a row for every event that the machine raises (what it declares impossible never comes);
//! - never two profiles or none enabled, no package executed twice, no persistent write in a
//!   session that brought nothing, every request and command well-formed, every package relayed
//!   byte for byte;
//! - once faults stop, the machine comes back to polling within a bounded number of inputs, and by
//!   then the eIM has every result, the eUICC's store is empty, the eIM knows which profile is
//!   enabled, and after a switch to a dead network that granted rollback the old one is.
//!
//! The power can go at any input and before any persistent write.

mod canon;
mod report;

pub use report::{Report, ScenarioReport, Step, Violation, describe, name};

use super::Machine;
use super::codes::{Event, State, mode};
use super::layout::reg;
use super::table;
use super::world::scenario::{LONG_QUEUE, Package, Quirk, SCENARIOS, Scenario};
use super::world::{Move, Phase, World, is_resting};
use crate::trace::Boundary;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::rc::Rc;

/// What to explore.
#[derive(Debug, Clone)]
pub struct Options {
    /// Every sequence of up to so many faults is tried.
    pub faults: u8,
    /// Only the scenarios whose name contains this.
    pub only: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            faults: 2,
            only: None,
        }
    }
}

/// Explores all scenarios.
pub fn run(options: &Options) -> Report {
    run_with(options, |_| {})
}

/// As [`run`]; says after each scenario what it found, so that a caller can show progress.
pub fn run_with(options: &Options, mut progress: impl FnMut(&ScenarioReport)) -> Report {
    let wanted = |s: &&Scenario| {
        options
            .only
            .as_ref()
            .is_none_or(|only| s.name.contains(only.as_str()))
    };
    let mut taken = HashSet::new();
    let mut states = HashSet::new();
    let mut scenarios = Vec::new();
    for scenario in SCENARIOS.iter().chain([&LONG_QUEUE]).filter(wanted) {
        let explored = Explorer::new(*scenario).explore(options.faults.min(scenario.deepest));
        taken.extend(explored.rows);
        states.extend(explored.states);
        progress(&explored.report);
        scenarios.push(explored.report);
    }
    Report::new(options.faults, scenarios, &taken, &states)
}

/// One outcome of a move.
struct Outcome {
    input: Boundary,
    outputs: Vec<Boundary>,
    machine: Machine,
    world: World,
    rows: Vec<usize>,
    problem: Option<String>,
}

/// How a pair was reached.
#[derive(Clone, Copy)]
struct Edge {
    parent: u32,
    what: Move,
    /// The power goes before this output, which is a Commit.
    cut: Option<u8>,
}

struct Node {
    machine: u32,
    world: u32,
    by: Option<Edge>,
    /// What the world does here when all is well leads there.
    good: u32,
    polling: bool,
}

/// Values that are stored once.
struct Interner<T> {
    ids: HashMap<Rc<T>, u32>,
    all: Vec<Rc<T>>,
}

impl<T: Eq + Hash> Interner<T> {
    fn new() -> Self {
        Interner {
            ids: HashMap::new(),
            all: Vec::new(),
        }
    }

    fn id(&mut self, value: T) -> u32 {
        if let Some(id) = self.ids.get(&value) {
            return *id;
        }
        let id = self.all.len() as u32;
        let value = Rc::new(value);
        self.all.push(Rc::clone(&value));
        self.ids.insert(value, id);
        id
    }

    fn get(&self, id: u32) -> &T {
        &self.all[id as usize]
    }
}

const NOWHERE: u32 = u32::MAX;

struct Explorer {
    scenario: Scenario,
    keep_rounds: bool,
    machines: Interner<Machine>,
    worlds: Interner<World>,
    nodes: Vec<Node>,
    seen: HashMap<(u32, u32), u32>,
    rows: HashSet<usize>,
    states: HashSet<State>,
    edges: u64,
    violations: Vec<Violation>,
}

struct Explored {
    report: ScenarioReport,
    rows: HashSet<usize>,
    states: HashSet<State>,
}

/// Violations of one scenario that are reported in full.
const VIOLATIONS_MOST: usize = 5;

impl Explorer {
    fn new(scenario: Scenario) -> Self {
        Explorer {
            keep_rounds: scenario.name == LONG_QUEUE.name,
            scenario,
            machines: Interner::new(),
            worlds: Interner::new(),
            nodes: Vec::new(),
            seen: HashMap::new(),
            rows: HashSet::new(),
            states: HashSet::new(),
            edges: 0,
            violations: Vec::new(),
        }
    }

    /// The machine and the world at the beginning: installed and, unless an operator is about,
    /// personalized.
    fn start(&self) -> (Machine, World) {
        let mut machine = Machine::new();
        let _ = machine.input(&Boundary::TimerAllocated(1));
        if !self.scenario.operator {
            self.scenario.config().store(&mut machine.nv);
            machine.nv[reg::LIFE] = super::codes::life::OPERATIONAL;
        }
        (machine, World::new(&self.scenario))
    }

    fn explore(mut self, faults: u8) -> Explored {
        let (mut machine, world) = self.start();
        canon::representative(&mut machine, self.keep_rounds);
        let (machine, world) = (self.machines.id(machine), self.worlds.id(world));
        let mut queue = Vec::new();
        self.add(machine, world, None, &mut queue);
        let mut depths = Vec::new();
        for depth in 0..=faults {
            let mut later: Vec<(u32, u32, Edge)> = Vec::new();
            let mut later_seen = HashSet::new();
            let mut at = 0;
            while at < queue.len() {
                let node = queue[at];
                at += 1;
                self.expand(
                    node,
                    depth < faults,
                    &mut queue,
                    &mut later,
                    &mut later_seen,
                );
            }
            depths.push(self.nodes.len());
            queue.clear();
            for (machine, world, edge) in later {
                self.add(machine, world, Some(edge), &mut queue);
            }
        }
        let longest = self.back_to_polling();
        Explored {
            report: ScenarioReport {
                name: self.scenario.name.to_owned(),
                faults,
                pairs: self.nodes.len(),
                pairs_by_faults: depths,
                machines: self.machines.all.len(),
                worlds: self.worlds.all.len(),
                edges: self.edges,
                inputs_back_to_polling: longest,
                violations: self.violations,
            },
            rows: self.rows,
            states: self.states,
        }
    }

    fn add(&mut self, machine: u32, world: u32, by: Option<Edge>, queue: &mut Vec<u32>) -> u32 {
        if let Some(id) = self.seen.get(&(machine, world)) {
            return *id;
        }
        let id = self.nodes.len() as u32;
        let (m, w) = (self.machines.get(machine), self.worlds.get(world));
        self.states.insert(m.state());
        let polling = self.is_polling(m, w);
        self.nodes.push(Node {
            machine,
            world,
            by,
            good: NOWHERE,
            polling,
        });
        self.seen.insert((machine, world), id);
        queue.push(id);
        if polling && let Some(wrong) = self.wrong_when_polling(m, w) {
            self.violation(wrong, id, None);
        }
        id
    }

    fn expand(
        &mut self,
        node: u32,
        faults_left: bool,
        queue: &mut Vec<u32>,
        later: &mut Vec<(u32, u32, Edge)>,
        later_seen: &mut HashSet<(u32, u32)>,
    ) {
        let (machine, world) = (
            self.nodes[node as usize].machine,
            self.nodes[node as usize].world,
        );
        let world_now = Rc::clone(&self.worlds.all[world as usize]);
        for (i, (what, cost)) in world_now.moves(&self.scenario).into_iter().enumerate() {
            if cost > 0 && !faults_left {
                continue;
            }
            let outcome = self.outcome(machine, world, what, None);
            self.edges += 1;
            self.rows.extend(&outcome.rows);
            if let Some(problem) = outcome.problem {
                self.violation(problem, node, Some((what, None)));
                continue;
            }
            if faults_left && cost == 0 {
                let commits = outcome.outputs.iter().enumerate();
                for (at, _) in commits.filter(|(_, o)| **o == Boundary::Commit) {
                    let cut = Some(at as u8);
                    let broken = self.outcome(machine, world, what, cut);
                    self.edges += 1;
                    self.reach(
                        node,
                        Edge {
                            parent: node,
                            what,
                            cut,
                        },
                        broken,
                        1,
                        queue,
                        later,
                        later_seen,
                    );
                }
            }
            let edge = Edge {
                parent: node,
                what,
                cut: None,
            };
            let next = self.reach(node, edge, outcome, cost, queue, later, later_seen);
            if i == 0
                && let Some(next) = next
            {
                self.nodes[node as usize].good = next;
            }
        }
    }

    #[allow(
        clippy::too_many_arguments,
        reason = "the two queues of a breadth-first search"
    )]
    fn reach(
        &mut self,
        node: u32,
        edge: Edge,
        outcome: Outcome,
        cost: u8,
        queue: &mut Vec<u32>,
        later: &mut Vec<(u32, u32, Edge)>,
        later_seen: &mut HashSet<(u32, u32)>,
    ) -> Option<u32> {
        if let Some(problem) = outcome.problem {
            self.violation(problem, node, Some((edge.what, edge.cut)));
            return None;
        }
        let mut machine = outcome.machine;
        canon::representative(&mut machine, self.keep_rounds);
        let (machine, world) = (self.machines.id(machine), self.worlds.id(outcome.world));
        if cost == 0 {
            return Some(self.add(machine, world, Some(edge), queue));
        }
        if !self.seen.contains_key(&(machine, world)) && later_seen.insert((machine, world)) {
            later.push((machine, world, edge));
        }
        None
    }

    /// Does a move. With `cut`, the power goes before that output.
    fn outcome(&self, machine: u32, world: u32, what: Move, cut: Option<u8>) -> Outcome {
        let mut machine = self.machines.get(machine).clone();
        let mut world = self.worlds.get(world).clone();
        let was_resting = is_resting(&machine);
        let asked_for = machine.w[reg::TRIGGERED] == 1;
        let input = world.play(&self.scenario, what);
        let mut outputs = Vec::new();
        let mut problem = machine.input(&input).err().map(|e| e.to_string());
        if was_resting {
            world.begin(&machine);
        }
        while problem.is_none() && cut.is_none_or(|cut| outputs.len() < usize::from(cut)) {
            match machine.output() {
                Ok(Some(output)) => outputs.push(output),
                Ok(None) => break,
                Err(e) => problem = Some(e.to_string()),
            }
            if outputs.len() > OUTPUTS_MOST {
                problem = Some(format!("more than {OUTPUTS_MOST} outputs to one input"));
            }
        }
        let rows = machine.take_rows();
        if cut.is_some() {
            let lost = world.play(&self.scenario, Move::PowerLoss);
            problem = problem.or(machine.input(&lost).err().map(|e| e.to_string()));
            let done = world.observe(&lost, &[]);
            problem = problem.or(done.err());
        } else if problem.is_none() {
            problem = world.observe(&input, &outputs).err();
        }
        if problem.is_none() && rows.len() > ROWS_MOST {
            problem = Some(format!("{} transitions for one input", rows.len()));
        }
        if problem.is_none() && !asked_for && begins_early(what, &rows, &world) {
            problem =
                Some("a session begins although the timer of the next one is running".to_owned());
        }
        Outcome {
            input,
            outputs,
            machine,
            world,
            rows,
            problem,
        }
    }

    /// The machine waits for its next session, nothing is left to do, or nothing can be done.
    fn is_polling(&self, m: &Machine, w: &World) -> bool {
        if w.phase != Phase::Rest || w.device.reset_due {
            return false;
        }
        match m.state() {
            State::Unpersonalized | State::Locked => return true,
            State::Idle | State::Backoff | State::CheckWait => {}
            _ => return false,
        }
        if self.scenario.quirk == Quirk::NoBip && m.state() == State::Idle {
            return true;
        }
        // Personalized or unlocked since the last start: the next start, or POLL NOW, starts the timer.
        let no_clock_yet = !w.device.timer && m.w[reg::NO_TIMER] == 0;
        if self.scenario.operator && no_clock_yet {
            return true;
        }
        let has_clock = w.device.timer || m.w[reg::NO_TIMER] == 1;
        if !has_clock {
            return false;
        }
        let dead = !w.euicc.profile().is_some_and(|p| self.scenario.is_alive(p));
        let hopeless = self.scenario.quirk == Quirk::NoChannel
            || self.scenario.eims == 0
            || dead && (w.euicc.grant.is_none() || self.scenario.on_loss == 1);
        let done = m.state() == State::Idle
            && m.w[reg::FAILS] == 0
            && m.w[reg::MODE] == mode::NORMAL
            && w.unknown_to_the_eim().is_none();
        done || hopeless
    }

    /// What must hold where all is done.
    fn wrong_when_polling(&self, m: &Machine, w: &World) -> Option<String> {
        let done =
            m.state() == State::Idle && m.w[reg::FAILS] == 0 && w.unknown_to_the_eim().is_none();
        if !done || self.scenario.quirk == Quirk::NoBip {
            return None;
        }
        let enabled = w.euicc.profile();
        let believed = w.profile_by_the_eim(&self.scenario);
        if enabled != Some(believed) {
            return Some(format!(
                "the eIM takes profile {believed} for enabled, it is {enabled:?}"
            ));
        }
        let dead = enabled.is_some_and(|p| !self.scenario.is_alive(p));
        let granted = |p: &Package| matches!(p, Package::Enable { rollback: true, .. });
        let undoable = self.scenario.queue.iter().all(granted) && self.scenario.on_loss == 0;
        if dead && undoable {
            return Some(format!(
                "profile {believed} is enabled, its network is dead"
            ));
        }
        None
    }

    /// From every pair, the world's good moves lead back to polling; gives the longest way.
    fn back_to_polling(&mut self) -> usize {
        let n = self.nodes.len();
        let mut ways: Vec<Option<u32>> =
            self.nodes.iter().map(|n| n.polling.then_some(0)).collect();
        let mut longest = 0;
        for start in 0..n {
            let mut path = Vec::new();
            let mut on_path = HashSet::new();
            let mut at = start;
            let length = loop {
                if let Some(way) = ways[at] {
                    break Some(way);
                }
                if !on_path.insert(at) {
                    break None;
                }
                path.push(at);
                match self.nodes[at].good {
                    NOWHERE => break None,
                    next => at = next as usize,
                }
            };
            match length {
                Some(mut way) => {
                    for node in path.into_iter().rev() {
                        way += 1;
                        ways[node] = Some(way);
                        longest = longest.max(way as usize);
                    }
                }
                None => {
                    let (m, w) = (self.nodes[at].machine, self.nodes[at].world);
                    let why = self.worlds.get(w).unknown_to_the_eim();
                    let state = self.machines.get(m).state();
                    if self.nodes[at].good != NOWHERE {
                        self.violation(
                            format!(
                                "never comes back to polling, though faults have stopped; goes round by {state:?}; {}",
                                why.unwrap_or_else(|| "the eIM has every result".to_owned())
                            ),
                            start as u32,
                            None,
                        );
                    }
                    // Report a loop once.
                    for node in path {
                        ways[node] = Some(0);
                    }
                }
            }
        }
        longest
    }

    fn violation(&mut self, what: String, node: u32, then: Option<(Move, Option<u8>)>) {
        if self.violations.iter().any(|v| v.what == what) {
            return;
        }
        let steps = if self.violations.len() < VIOLATIONS_MOST {
            self.steps(node, then)
        } else {
            Vec::new()
        };
        self.violations.push(Violation { what, steps });
    }

    /// The way to a pair.
    fn steps(&self, node: u32, then: Option<(Move, Option<u8>)>) -> Vec<Step> {
        let mut edges: Vec<(u32, Move, Option<u8>)> = then
            .map(|(what, cut)| (node, what, cut))
            .into_iter()
            .collect();
        let mut at = node;
        while let Some(edge) = self.nodes[at as usize].by {
            edges.push((edge.parent, edge.what, edge.cut));
            at = edge.parent;
        }
        edges.reverse();
        edges
            .into_iter()
            .map(|(from, what, cut)| {
                let node = &self.nodes[from as usize];
                let outcome = self.outcome(node.machine, node.world, what, cut);
                Step::new(
                    what,
                    cut.is_some(),
                    &outcome.input,
                    &outcome.outputs,
                    outcome.machine.state(),
                )
            })
            .collect()
    }
}

/// More outputs to one input than any way through the table gives.
const OUTPUTS_MOST: usize = 8;
/// More transitions for one input than any way through the table takes.
const ROWS_MOST: usize = 16;

/// A STATUS command began a session, nobody asked for one, and the timer is running.
fn begins_early(what: Move, rows: &[usize], world: &World) -> bool {
    let by_status = |r: &usize| {
        let row = &table::rows()[*r];
        row.event == Event::StatusCommand && row.next == State::Query
    };
    let started = world.device.timer && !world.device.counting;
    what == Move::Status && started && rows.iter().any(by_status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_property_holds_under_every_sequence_of_two_faults() {
        let report = run(&Options::default());
        assert!(report.holds(), "{report}");
        assert!(report.pairs > 50_000, "{report}");
    }

    #[test]
    fn a_counterexample_is_a_way_from_the_start() {
        let mut explorer = Explorer::new(SCENARIOS[1]);
        let (machine, world) = explorer.start();
        let (machine, world) = (explorer.machines.id(machine), explorer.worlds.id(world));
        let mut queue = Vec::new();
        let mut at = explorer.add(machine, world, None, &mut queue);
        for _ in 0..20 {
            explorer.expand(at, false, &mut queue, &mut Vec::new(), &mut HashSet::new());
            at = explorer.nodes[at as usize].good;
        }
        explorer.violation("found".to_owned(), at, None);
        let steps = &explorer.violations[0].steps;
        assert_eq!(steps.len(), 20);
        assert!(
            steps[3].outputs[0].contains("BF3E035C015A"),
            "{:?}",
            steps[3]
        );
    }
}
