//! The IPAe as a state machine: a pure function from a state and an input to a state and outputs.
//!
//! [`Machine::input`] takes one input, [`Machine::output`] gives the outputs that follow from it,
//! one at a time, until `None`: the machine then waits for the next input. All that the machine
//! knows are a working array, its persistent mirror and two buffers, exactly as on the card, so
//! that the Java runtime that interprets the same table is held against it byte for byte.
//!
//! Here: the tables (`codes`, `table`, `grammar`, `layout`, `templates`), their interpreter, and
//! what the actions do. Not here: the answers to APDUs (`crate::commands`), readers, clocks.

pub mod codes;
pub mod grammar;
pub mod layout;
pub mod table;
pub mod templates;

pub mod act;
pub mod answer;
pub mod data;
pub mod download;
pub mod proactive;
pub mod request;
pub mod scan;

pub mod check;
pub mod diagram;
pub mod random;
pub mod show;
pub mod world;

use crate::apdu::Response;
use crate::cat::Tag;
use crate::trace::Boundary;
use codes::{Event, Guard, State, goal, kind, life, mode, query, tx};
use layout::{BUFFER, LOG_ENTRIES, LOG_ENTRY, PERSISTENT, WORKING, reg};
use table::Row;

/// What the machine waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Wait {
    /// Nothing of its own: the applet has returned.
    Event,
    /// The answer to a proactive command.
    Terminal,
    /// The status of an ES10 block.
    Es10Status,
    /// Response bytes of an ES10 command.
    Es10Data,
}

/// An input that the machine can't take where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
pub enum MachineError {
    /// The input answers nothing that the machine asked.
    #[error("{input} came while the applet waited for {waits_for}")]
    Unexpected {
        /// The input, shortly.
        input: String,
        /// What the machine waits for.
        waits_for: String,
    },
    /// The table has no row for an event that the machine raised itself.
    #[error("no transition from {state:?} on {event:?}")]
    NoTransition {
        /// State.
        state: State,
        /// Event.
        event: Event,
    },
}

/// The reference model of the applet.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Machine {
    /// Working registers (transient).
    w: [u8; WORKING],
    /// Persistent record.
    nv: [u8; PERSISTENT],
    /// Block buffer (transient).
    seg: [u8; BUFFER],
    /// Receive buffer (transient).
    rx: [u8; BUFFER],
    /// What is held back (transient): `HOLD_LEN` bytes of a buffer of [`layout::HOLD`].
    hold: Vec<u8>,
    /// TERMINAL PROFILE as the framework stored it.
    profile: Vec<u8>,
    /// The answer under way: TERMINAL RESPONSE, envelope or ES10 bytes.
    answer: Vec<u8>,
    wait: Wait,
    /// Row being done and the next of its actions.
    row: Option<(usize, usize)>,
    /// Event to be looked up next.
    event: Option<Event>,
    /// Output made by the last action.
    out: Option<Boundary>,
    /// Answer to the APDU under way.
    response: Option<Response>,
    /// True while `processToolkit()` is running.
    in_toolkit: bool,
    /// Rows taken since the last [`Machine::take_rows`].
    taken: Vec<usize>,
    error: Option<MachineError>,
}

impl Default for Machine {
    fn default() -> Self {
        Self::new()
    }
}

impl Machine {
    /// The applet before its installation.
    pub fn new() -> Self {
        let mut machine = Machine {
            w: [0; WORKING],
            nv: [0; PERSISTENT],
            seg: [0; BUFFER],
            rx: [0; BUFFER],
            hold: Vec::new(),
            profile: Vec::new(),
            answer: Vec::new(),
            wait: Wait::Event,
            row: None,
            event: None,
            out: None,
            response: None,
            in_toolkit: false,
            taken: Vec::new(),
            error: None,
        };
        crate::config::Config::default().store(&mut machine.nv);
        machine
    }

    /// The machine's state.
    pub fn state(&self) -> State {
        let code = if self.w[reg::LOADED] == 0 {
            boot_state(self.nv[reg::LIFE])
        } else {
            self.w[reg::STATE]
        };
        State::from_code(code).unwrap_or(State::Unpersonalized)
    }

    /// One byte of the working array as the applet sees it after a reset.
    pub fn register(&self, offset: usize) -> u8 {
        if self.w[reg::LOADED] == 0 {
            self.nv.get(offset).copied().unwrap_or(0)
        } else {
            self.w.get(offset).copied().unwrap_or(0)
        }
    }

    /// The persistent record.
    pub fn persistent(&self) -> &[u8; PERSISTENT] {
        &self.nv
    }

    /// Rows of the table (indices of [`table::rows`]) taken since the last call.
    pub fn take_rows(&mut self) -> Vec<usize> {
        core::mem::take(&mut self.taken)
    }

    /// True if the machine waits for an answer to something it sent.
    pub fn is_busy(&self) -> bool {
        self.wait != Wait::Event
    }

    /// Takes one input.
    ///
    /// # Errors
    /// [`MachineError::Unexpected`] if the input answers nothing that the machine sent; the machine
    /// is unchanged.
    pub fn input(&mut self, input: &Boundary) -> Result<(), MachineError> {
        match input {
            Boundary::PowerLoss => self.power_loss(),
            Boundary::TerminalProfile(profile) => self.profile.clone_from(profile),
            Boundary::Install(_) | Boundary::Random(_) => {}
            Boundary::TimerAllocated(id) => {
                self.nv[reg::TIMER] = *id;
                self.w[reg::TIMER] = *id;
            }
            Boundary::Apdu(command) => {
                self.load();
                self.response = Some(self.command(command, false));
            }
            Boundary::Personalization(command) => {
                self.load();
                self.response = Some(self.command(command, true));
            }
            Boundary::Event { event, envelope } if self.wait == Wait::Event => {
                self.load();
                self.in_toolkit = true;
                self.answer.clone_from(envelope);
                self.put16(reg::DETAIL, 0);
                self.event = self.external(*event);
            }
            Boundary::TerminalResponse(tlvs) if self.wait == Wait::Terminal => {
                self.answer.clone_from(tlvs);
                self.wait = Wait::Event;
                self.event = Some(self.classify_response());
            }
            Boundary::SendRefused if self.wait == Wait::Terminal => {
                self.wait = Wait::Event;
                self.put16(reg::DETAIL, u16::from(proactive::NO_RESULT) << 8);
                self.event = Some(Event::TrRefused);
            }
            Boundary::Es10Status(sw) if self.wait == Wait::Es10Status => {
                self.wait = Wait::Event;
                self.put16(reg::DETAIL, sw.0);
                self.event = Some(if sw.is_ok() {
                    Event::EsOk
                } else {
                    Event::EsError
                });
            }
            Boundary::Es10Data(data) if self.wait == Wait::Es10Data => {
                self.wait = Wait::Event;
                self.answer.clone_from(data);
                self.put16(reg::READ, data.len() as u16);
                self.event = Some(Event::EsData);
            }
            other => {
                return Err(MachineError::Unexpected {
                    input: format!("{other:?}"),
                    waits_for: format!("{:?} in {:?}", self.wait, self.state()),
                });
            }
        }
        Ok(())
    }

    /// The next output; `None` if the machine waits for an input.
    ///
    /// A [`Boundary::Commit`] is applied when it is given out: a power loss before it is asked for
    /// leaves the record as it was.
    ///
    /// # Errors
    /// [`MachineError::NoTransition`] if the table has no row for an event that the machine raised:
    /// a defect of the table.
    pub fn output(&mut self) -> Result<Option<Boundary>, MachineError> {
        loop {
            if let Some(out) = self.out.take() {
                return Ok(Some(out));
            }
            if let Some(error) = self.error.take() {
                return Err(error);
            }
            if self.wait != Wait::Event {
                // An APDU may come while a proactive command is open; it changes nothing then.
                return Ok(self.response.take().map(Boundary::Response));
            }
            if let Some((row, next)) = self.row {
                match table::rows()[row].actions.get(next) {
                    Some(&(action, argument)) => {
                        self.row = Some((row, next + 1));
                        self.act(action, argument);
                    }
                    None => self.row = None,
                }
                continue;
            }
            if let Some(event) = self.event.take() {
                self.take(event);
                continue;
            }
            if let Some(response) = self.response.take() {
                return Ok(Some(Boundary::Response(response)));
            }
            if core::mem::take(&mut self.in_toolkit) {
                return Ok(Some(Boundary::Return));
            }
            return Ok(None);
        }
    }

    /// Finds the row for an event and goes to its next state.
    fn take(&mut self, event: Event) {
        let state = self.state();
        let fits = |r: &Row| r.state == state && r.event == event && self.holds(r.guard);
        match table::rows().iter().position(fits) {
            Some(row) => {
                self.taken.push(row);
                self.w[reg::STATE] = table::rows()[row].next as u8;
                self.row = Some((row, 0));
            }
            None if table::coverage(state, event) == table::Coverage::Impossible => {
                self.error = Some(MachineError::NoTransition { state, event });
            }
            None => {}
        }
    }

    /// Reads the persistent record at the first event after a reset.
    fn load(&mut self) {
        if self.w[reg::LOADED] == 0 {
            self.w[..PERSISTENT].copy_from_slice(&self.nv);
            self.w[reg::LOADED] = 1;
            self.w[reg::STATE] = boot_state(self.w[reg::LIFE]);
        }
    }

    fn power_loss(&mut self) {
        self.w = [0; WORKING];
        self.seg = [0; BUFFER];
        self.rx = [0; BUFFER];
        self.hold.clear();
        self.profile.clear();
        self.answer.clear();
        self.wait = Wait::Event;
        self.row = None;
        self.event = None;
        self.out = None;
        self.response = None;
        self.in_toolkit = false;
        self.error = None;
    }

    /// The event for a toolkit event (ETSI TS 102 241 `ToolkitConstants`), if the applet knows it.
    fn external(&self, event: i16) -> Option<Event> {
        let event = EVENTS
            .iter()
            .find(|(code, _)| *code == event)
            .map(|(_, event)| *event)?;
        if event == Event::StatusCommand && self.profile.is_empty() {
            // No proactive command may be sent before TERMINAL PROFILE; the next STATUS will do.
            return None;
        }
        if matches!(event, Event::DataAvailable | Event::ChannelStatus) {
            let status = self.answer_object(Tag::CHANNEL_STATUS)?.first().copied()?;
            let ours = self.w[reg::CHANNEL] != 0 && status & 0x07 == self.w[reg::CHANNEL];
            let up = event == Event::ChannelStatus && status & 0x80 != 0;
            return (ours && !up).then_some(event);
        }
        Some(event)
    }

    fn get16(&self, offset: usize) -> u16 {
        u16::from(self.w[offset]) << 8 | u16::from(self.w[offset + 1])
    }

    fn put16(&mut self, offset: usize, value: u16) {
        self.w[offset] = (value >> 8) as u8;
        self.w[offset + 1] = value as u8;
    }

    fn raise(&mut self, event: Event) {
        self.event = Some(event);
    }

    pub(crate) fn set_register(&mut self, offset: usize, value: u8) {
        self.w[offset] = value;
    }

    pub(crate) fn raise_by_command(&mut self, event: Event) {
        self.event = Some(event);
    }

    /// Adds one to a two-byte count that stops at 32767.
    fn count(&mut self, offset: usize) {
        let n = self.get16(offset);
        if n < 0x7FFF {
            self.put16(offset, n + 1);
        }
    }

    fn log(&mut self, reason: u8) {
        let head = usize::from(self.w[reg::LOG_HEAD]) % LOG_ENTRIES;
        let at = reg::LOG + head * LOG_ENTRY;
        self.w[at] = reason;
        self.w[at + 1] = self.w[reg::STATE];
        self.w[at + 2] = self.w[reg::DETAIL];
        self.w[at + 3] = self.w[reg::DETAIL + 1];
        self.w[reg::LOG_HEAD] = ((head + 1) % LOG_ENTRIES) as u8;
    }

    /// Whether a guard holds.
    fn holds(&self, guard: Guard) -> bool {
        let w = &self.w;
        let is = |r: usize, v: u8| w[r] == v;
        let results = is(reg::QUERY, query::RESULTS);
        let found = self.get16(reg::LEN1) > 0;
        match guard {
            Guard::Always => true,
            Guard::NoBip => self.missing_feature().is_some(),
            Guard::Confirmed => is(reg::MODE, mode::NORMAL),
            Guard::Unconfirmed => !is(reg::MODE, mode::NORMAL),
            Guard::Checking => is(reg::MODE, mode::SWITCHED) && w[reg::TRIES] > 0,
            Guard::Failing => w[reg::FAILS] > 0,
            Guard::MayRollBack => {
                is(reg::GOAL, goal::FAIL)
                    && is(reg::MODE, mode::SWITCHED)
                    && is(reg::TRIES, 0)
                    && is(reg::LOSS, 0)
            }
            Guard::MayFollow => {
                is(reg::GOAL, goal::FAIL) && is(reg::MODE, mode::ROLLED_BACK) && is(reg::TRIES, 0)
            }
            Guard::MayUndo => is(reg::MODE, mode::SWITCHED) && is(reg::LOSS, 0),
            Guard::RefreshTriesLeft => w[reg::REFRESH_LEFT] > 0,
            Guard::Due => {
                is(reg::TRIGGERED, 1) && self.is_resting()
                    || is(reg::NO_TIMER, 1) && is(reg::TICKS, 0)
            }
            Guard::Counting => is(reg::NO_TIMER, 1),
            Guard::EidUnknown => !is(reg::EID_LEN, 16),
            Guard::EidMissing => is(reg::QUERY, query::EID) && !is(reg::EID_LEN, 16),
            Guard::QueryEid => is(reg::QUERY, query::EID),
            Guard::QueryEim => is(reg::QUERY, query::EIM),
            Guard::ResultFromBefore => {
                results && found && is(reg::PKG, 0) && is(reg::MODE, mode::NORMAL)
            }
            Guard::ResultFound => results && found,
            Guard::NoResult => results && is(reg::MODE, mode::NORMAL),
            Guard::NoResultLeft => results,
            Guard::ResultsUnknown => is(reg::RESULTS_KNOWN, 0),
            Guard::BlockMore => is(reg::LAST, 0),
            Guard::ResultChanged => is(reg::KIND, kind::SIGNED) && is(reg::CHANGED, 1),
            Guard::ResultSigned => is(reg::KIND, kind::SIGNED),
            Guard::ResultKept => is(reg::KIND, kind::ERROR) && is(reg::BLOCK, 1),
            Guard::ResultUnknown => is(reg::KIND, kind::NONE),
            Guard::TxUnconfirmed => is(reg::TX_KIND, tx::RESULT) && !is(reg::MODE, mode::NORMAL),
            Guard::TxResult => is(reg::TX_KIND, tx::RESULT),
            Guard::AcksLeft => w[reg::ACKS] > 0,
            Guard::GoalRefresh => is(reg::GOAL, goal::REFRESH),
            Guard::GoalEnd => is(reg::GOAL, goal::END),
            Guard::CodeOk => is(reg::KIND, kind::CODE) && is(reg::CODE, 0),
            Guard::CatBusy => is(reg::CODE, CAT_BUSY),
            Guard::NoticeFound => is(reg::QUERY, query::NOTICE) && found && is(reg::ACKS, 1),
            Guard::QueryNotice => is(reg::QUERY, query::NOTICE),
            Guard::QueryInfo => is(reg::QUERY, query::INFO),
            Guard::ChallengeKnown => is(reg::CHALLENGE_LEN, 16),
            Guard::Downloading => self.is_downloading(),
            Guard::TxCancel => is(reg::TX_KIND, tx::CANCEL),
            Guard::TxNotice => is(reg::TX_KIND, tx::NOTICE),
            Guard::TxNoticeAgain => is(reg::TX_KIND, tx::NOTICE) && w[reg::FAILS] > 0,
            Guard::NothingRead => self.get16(reg::READ) == 0,
            Guard::Authenticated => is(reg::TX_KIND, tx::INITIATE) && self.is_held(),
            Guard::Prepared => is(reg::TX_KIND, tx::AUTHENTICATE) && self.is_held(),
            Guard::LoadedWhole => is(reg::KIND, kind::INSTALLED) && self.body_is_complete(),
            Guard::Loaded => is(reg::KIND, kind::INSTALLED) || is(reg::KIND, kind::NOT_INSTALLED),
            Guard::Cancelled => self.is_held(),
            Guard::Progress => is(reg::PROGRESS, 1),
            Guard::GoalPoll => is(reg::GOAL, goal::POLL),
            Guard::GoalFinish => is(reg::GOAL, goal::FINISH),
            Guard::GoalCancel => is(reg::GOAL, goal::CANCEL),
            Guard::SessionKnown => w[reg::RTID_LEN] > 0,
        }
    }

    /// True in the states in which the applet waits for its next session.
    pub(crate) fn is_resting(&self) -> bool {
        matches!(
            self.state(),
            State::Idle | State::Backoff | State::CheckWait
        )
    }
}

/// `catBusy` in ProfileRollbackResponse (SGP.32 5.9.16).
pub const CAT_BUSY: u8 = 5;

/// Toolkit events that the applet registers (ETSI TS 102 241 `ToolkitConstants`) and what they are
/// to the machine.
pub const EVENTS: &[(i16, Event)] = &[
    (1, Event::Boot),
    (11, Event::Timer),
    (19, Event::StatusCommand),
    (22, Event::DataAvailable),
    (23, Event::ChannelStatus),
];

/// Four bytes that change whenever the tables change: FNV-1a over the transition table, the grammar
/// and the register layout. The applet answers them to GET DATA, so that a tool knows whether the
/// applet on a card is the one it was built with.
pub fn digest() -> [u8; 4] {
    let mut all: Vec<u8> = Vec::new();
    for row in table::rows() {
        all.extend([
            row.state as u8,
            row.event as u8,
            row.guard as u8,
            row.next as u8,
        ]);
        all.extend(
            row.actions
                .iter()
                .flat_map(|(action, argument)| [*action as u8, *argument]),
        );
    }
    for rule in grammar::RULES {
        let [t1, t2] = rule.tag.to_be_bytes();
        let [a1, a2] = rule.arg.to_be_bytes();
        all.extend([
            rule.node,
            t1,
            t2,
            rule.op as u8,
            a1,
            a2,
            rule.max,
            rule.kind,
        ]);
    }
    for register in layout::REGISTERS {
        all.extend(register.name.bytes());
        all.push(register.len as u8);
    }
    for (_, template) in templates::TABLE {
        all.extend(*template);
    }
    let fnv = |hash: u32, b: &u8| (hash ^ u32::from(*b)).wrapping_mul(0x0100_0193);
    all.iter().fold(0x811C_9DC5, fnv).to_be_bytes()
}

fn boot_state(life: u8) -> u8 {
    match life {
        life::OPERATIONAL => State::Idle as u8,
        life::LOCKED => State::Locked as u8,
        _ => State::Unpersonalized as u8,
    }
}

#[cfg(test)]
mod tests;
