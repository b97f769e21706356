//! What the exploration found.

use crate::cat::describe_list;
use crate::machine::codes::{Event, State};
use crate::machine::table::{self, Coverage, coverage};
use crate::machine::world::Move;
use crate::trace::Boundary;
use core::fmt;
use serde::Serialize;
use std::collections::HashSet;

/// One step of a counterexample.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// What the world did.
    pub what: String,
    /// What the applet got.
    pub input: String,
    /// What the applet sent.
    pub outputs: Vec<String>,
    /// Its state afterwards.
    pub state: String,
}

impl Step {
    pub(super) fn new(
        what: Move,
        cut: bool,
        input: &Boundary,
        outputs: &[Boundary],
        state: State,
    ) -> Self {
        let cut = if cut {
            ", power lost before the commit"
        } else {
            ""
        };
        Step {
            what: format!("{what:?}{cut}"),
            input: describe(input),
            outputs: outputs.iter().map(describe).collect(),
            state: format!("{state:?}"),
        }
    }
}

/// What crossed the applet's boundary, in a line.
pub fn describe(boundary: &Boundary) -> String {
    let bytes = |data: &[u8]| {
        let shown = hex::encode_upper(data.get(..24).unwrap_or(data));
        if data.len() > 24 {
            format!("{shown}… ({} bytes)", data.len())
        } else {
            shown
        }
    };
    match boundary {
        Boundary::Proactive(list) => format!("proactive: {}", short(&describe_list(list))),
        Boundary::TerminalResponse(list) => {
            format!("TERMINAL RESPONSE: {}", short(&describe_list(list)))
        }
        Boundary::Event { event, envelope } => {
            format!("event {event}: {}", short(&describe_list(envelope)))
        }
        Boundary::Es10Store { p1, p2, data } => format!("ES10 {p1:02X} {p2:02X}: {}", bytes(data)),
        Boundary::Es10Status(sw) => format!("ES10 status {sw}"),
        Boundary::Es10Read(most) => format!("ES10 read up to {most}"),
        Boundary::Es10Data(data) => format!("ES10 data {}", bytes(data)),
        Boundary::TerminalProfile(profile) => format!("TERMINAL PROFILE {}", bytes(profile)),
        other => format!("{other:?}"),
    }
}

fn short(text: &str) -> String {
    if text.chars().count() <= 200 {
        return text.to_owned();
    }
    text.chars().take(199).chain(['…']).collect()
}

/// A property that does not hold, and the way to where it doesn't.
#[derive(Debug, Clone, Serialize)]
pub struct Violation {
    /// What is wrong.
    pub what: String,
    /// The way there from the start; empty if many were reported in full before.
    pub steps: Vec<Step>,
}

/// What was found in one scenario.
#[derive(Debug, Clone, Serialize)]
pub struct ScenarioReport {
    /// Name.
    pub name: String,
    /// Every sequence of up to so many faults was tried.
    pub faults: u8,
    /// Pairs of machine and world.
    pub pairs: usize,
    /// Pairs reached with up to 0, 1, … faults.
    pub pairs_by_faults: Vec<usize>,
    /// Different machines among them.
    pub machines: usize,
    /// Different worlds among them.
    pub worlds: usize,
    /// Inputs tried.
    pub edges: u64,
    /// The most inputs that it takes from any pair, once faults have stopped, to be polling again.
    pub inputs_back_to_polling: usize,
    /// What does not hold.
    pub violations: Vec<Violation>,
}

/// What was found in all scenarios.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Every sequence of up to so many faults was asked for.
    pub faults: u8,
    /// Each scenario.
    pub scenarios: Vec<ScenarioReport>,
    /// Pairs of machine and world, all scenarios together.
    pub pairs: usize,
    /// Inputs tried, all scenarios together.
    pub edges: u64,
    /// Pairs of state and event that are transitions.
    pub transitions: usize,
    /// Pairs of state and event that are declared ignored.
    pub ignored: usize,
    /// Pairs of state and event that never come.
    pub impossible: usize,
    /// Rows of the table.
    pub rows: usize,
    /// Rows that were taken.
    pub rows_taken: usize,
    /// Rows that were never taken.
    pub rows_never_taken: Vec<String>,
    /// States that were never reached.
    pub states_never_reached: Vec<String>,
}

impl Report {
    pub(super) fn new(
        faults: u8,
        scenarios: Vec<ScenarioReport>,
        taken: &HashSet<usize>,
        states: &HashSet<State>,
    ) -> Self {
        let count = |wanted: Coverage| {
            let pairs = State::ALL
                .iter()
                .flat_map(|s| Event::ALL.iter().map(|e| (*s, *e)));
            pairs.filter(|(s, e)| coverage(*s, *e) == wanted).count()
        };
        let never = table::rows()
            .iter()
            .enumerate()
            .filter(|(i, _)| !taken.contains(i));
        Report {
            faults,
            pairs: scenarios.iter().map(|s| s.pairs).sum(),
            edges: scenarios.iter().map(|s| s.edges).sum(),
            scenarios,
            transitions: count(Coverage::Transition),
            ignored: count(Coverage::Ignored),
            impossible: count(Coverage::Impossible),
            rows: table::rows().len(),
            rows_taken: taken.len(),
            rows_never_taken: never.map(|(_, row)| name(row)).collect(),
            states_never_reached: State::ALL
                .iter()
                .filter(|s| !states.contains(s))
                .map(|s| format!("{s:?}"))
                .collect(),
        }
    }

    /// True if every property holds and every row and state was reached.
    pub fn holds(&self) -> bool {
        self.rows_never_taken.is_empty()
            && self.states_never_reached.is_empty()
            && self.scenarios.iter().all(|s| s.violations.is_empty())
    }
}

/// A row, shortly: `Closing on Closed [MayRollBack]`.
pub fn name(row: &table::Row) -> String {
    let guard = match row.guard {
        crate::machine::codes::Guard::Always => String::new(),
        guard => format!(" [{guard:?}]"),
    };
    format!("{:?} on {:?}{guard}", row.state, row.event)
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  VIOLATION: {}", self.what)?;
        for (i, step) in self.steps.iter().enumerate() {
            writeln!(f, "    {:3} {}", i + 1, step.what)?;
            writeln!(f, "        in  {}", step.input)?;
            for output in &step.outputs {
                writeln!(f, "        out {output}")?;
            }
            writeln!(f, "        now {}", step.state)?;
        }
        Ok(())
    }
}

impl fmt::Display for ScenarioReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: {} pairs ({} machines, {} worlds), {} inputs tried, up to {} faults anywhere; \
             back to polling within {} inputs",
            self.name,
            self.pairs,
            self.machines,
            self.worlds,
            self.edges,
            self.faults,
            self.inputs_back_to_polling
        )?;
        self.violations.iter().try_for_each(|v| write!(f, "{v}"))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.scenarios.iter().try_for_each(|s| write!(f, "{s}"))?;
        writeln!(f)?;
        writeln!(
            f,
            "state and event: {} transitions, {} ignored, {} impossible (none of them came)",
            self.transitions, self.ignored, self.impossible
        )?;
        writeln!(f, "rows taken: {} of {}", self.rows_taken, self.rows)?;
        for row in &self.rows_never_taken {
            writeln!(f, "  never taken: {row}")?;
        }
        for state in &self.states_never_reached {
            writeln!(f, "  never reached: {state}")?;
        }
        let verdict = if self.holds() {
            "every property holds"
        } else {
            "NOT every property holds"
        };
        writeln!(
            f,
            "{} pairs of machine and world, {} inputs tried, every sequence of up to {} faults: {verdict}",
            self.pairs, self.edges, self.faults
        )
    }
}
