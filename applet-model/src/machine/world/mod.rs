//! A small world around the machine: device, network, eUICC and eIM, all answering real bytes.
//!
//! [`World::moves`] lists what the world can do next; the first is what it does when all is well,
//! the others cost faults. [`World::play`] does it and gives the machine's next input;
//! [`World::observe`] takes the machine's outputs and says what is wrong with them. `check`
//! explores all moves, `random` draws some.

pub mod bytes;
pub mod download;
pub mod eim;
pub mod euicc;
mod moves;
pub mod scenario;

pub use moves::Move;

use super::codes::mode;
use super::layout::reg;
use super::{Machine, State};
use crate::apdu::Command;
use crate::cat::{self, CommandType, ProactiveCommand, Tag};
use crate::commands::{INS_GET_DATA, INS_POLL_NOW, INS_STORE_DATA};
use crate::config::Config;
use crate::status::Sw;
use crate::trace::Boundary;
use eim::{Answer, Eim, Known};
use euicc::Euicc;
use scenario::{Quirk, Scenario};

/// What the machine waits for, as the world sees it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Phase {
    /// No power.
    Off,
    /// The terminal has sent its profile; the start-up event comes next.
    Started,
    /// The applet has returned.
    Rest,
    /// A proactive command wants its answer: type, qualifier and its TLVs.
    Terminal([u8; 2], Vec<u8>),
    /// An ES10 block wants its status.
    Store {
        /// P1.
        p1: u8,
        /// P2.
        p2: u8,
        /// The block.
        data: Vec<u8>,
    },
    /// The applet wants response bytes.
    Read(u16),
}

/// The device.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Device {
    /// The applet's timer is running.
    pub timer: bool,
    /// The last try to start the timer was refused, so that the applet counts STATUS commands.
    pub counting: bool,
    /// A channel is open.
    pub channel: bool,
    /// The eIM at its other end.
    pub peer: u8,
    /// The profile that the device uses: the one that was enabled at the last reset.
    pub visible: Option<u8>,
    /// REFRESH was accepted, the reset is to come.
    pub reset_due: bool,
    /// The link is lost, and the applet hasn't heard of it.
    pub lost: bool,
    /// What the applet sent, up to a whole request.
    sent: Vec<u8>,
    /// What waits for RECEIVE DATA.
    waiting: Vec<u8>,
    /// What the network still brings.
    coming: Vec<u8>,
}

/// A device with a SIM in it, and an eIM.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    /// What the machine waits for.
    pub phase: Phase,
    /// The device.
    pub device: Device,
    /// The eUICC.
    pub euicc: Euicc,
    /// The eIM.
    pub eim: Eim,
    /// Something happened in this session that may be worth a persistent write.
    pub eventful: bool,
    /// What the applet did wrong, if anything.
    wrong: Option<String>,
}

impl World {
    /// A world without power.
    pub fn new(scenario: &Scenario) -> Self {
        World {
            phase: Phase::Off,
            device: Device {
                timer: false,
                counting: false,
                channel: false,
                peer: 0,
                visible: Some(0),
                reset_due: false,
                lost: false,
                sent: Vec::new(),
                waiting: Vec::new(),
                coming: Vec::new(),
            },
            euicc: Euicc::new(scenario),
            eim: Eim::new(scenario),
            eventful: true,
            wrong: None,
        }
    }

    /// Does a move and gives the machine's input.
    pub fn play(&mut self, scenario: &Scenario, what: Move) -> Boundary {
        let phase = core::mem::replace(&mut self.phase, Phase::Rest);
        match what {
            Move::PowerOn => {
                self.phase = Phase::Started;
                Boundary::TerminalProfile(profile(scenario))
            }
            Move::Boot => event(1, Vec::new()),
            Move::Reset | Move::PowerLoss => self.power_off(),
            Move::DoneThenPowerLoss => {
                self.store(scenario, phase);
                self.power_off()
            }
            Move::Performed | Move::NoReset | Move::NoChannelGiven | Move::NoData => {
                self.perform(phase, what)
            }
            Move::Refused(result, more) => {
                let command = command_of(&phase);
                match CommandType(command[0]) {
                    CommandType::CLOSE_CHANNEL => self.hang_up(),
                    // One that was started before goes on.
                    CommandType::TIMER_MANAGEMENT => self.device.counting = true,
                    _ => {}
                }
                Boundary::TerminalResponse(bytes::response(command, &[result, more], &[]))
            }
            Move::Announce => {
                if self.device.waiting.is_empty() {
                    let n = self.device.coming.len().min(scenario.buffer);
                    self.device.waiting = self.device.coming.drain(..n).collect();
                }
                let n = self.device.waiting.len();
                event(22, bytes::channel_event(0x09, CHANNEL_UP, Some(n)))
            }
            Move::Eim(how) => {
                self.answer(scenario, how);
                self.play(scenario, Move::Announce)
            }
            Move::Cut => {
                self.answer(scenario, Answer::Good);
                let half = self.device.coming.len() / 2;
                self.device.coming.truncate(half);
                self.device.lost = true;
                self.play(scenario, Move::Announce)
            }
            Move::Silence(took) => {
                if took {
                    self.answer(scenario, Answer::Good);
                    self.device.coming.clear();
                }
                self.device.sent.clear();
                let next = if self.device.timer {
                    Move::Timer
                } else {
                    Move::Status
                };
                self.play(scenario, next)
            }
            Move::Timer => {
                self.device.timer = false;
                event(11, timer_expiration())
            }
            Move::Status => event(19, Vec::new()),
            Move::Lost => {
                self.device.lost = true;
                event(23, bytes::channel_event(0x0A, CHANNEL_DROPPED, None))
            }
            Move::Done => {
                self.store(scenario, phase);
                let refused = core::mem::take(&mut self.euicc.refuses);
                Boundary::Es10Status(if refused {
                    Sw::CONDITIONS_NOT_SATISFIED
                } else {
                    Sw(0x6100)
                })
            }
            Move::Es10Refused => {
                self.euicc.drop_blocks();
                Boundary::Es10Status(Sw::CONDITIONS_NOT_SATISFIED)
            }
            Move::LoadRefused => {
                self.euicc.refuse_load();
                Boundary::Es10Status(Sw(0x6100))
            }
            Move::RollbackRefused(code) => {
                self.euicc.refuse_rollback(code);
                Boundary::Es10Status(Sw(0x6100))
            }
            Move::Data => {
                let Phase::Read(most) = phase else {
                    return self.misplaced(what);
                };
                Boundary::Es10Data(self.euicc.read(usize::from(most).min(scenario.piece)))
            }
            Move::NoMoreData => {
                self.euicc.drop_answer();
                Boundary::Es10Data(Vec::new())
            }
            Move::WrongData => {
                self.euicc.drop_answer();
                self.euicc.lied = true;
                Boundary::Es10Data(vec![0x31])
            }
            Move::Hollow => Boundary::Es10Data(self.euicc.hollow()),
            Move::PollNow => Boundary::Apdu(Command::new(0x80, INS_POLL_NOW, 0, 0)),
            Move::Configure => store_data(scenario.config().to_store_data()),
            Move::Lock => store_data(Config::lock_data(true)),
            Move::Unlock => store_data(Config::lock_data(false)),
            Move::Noise(n) => noise(n),
        }
    }

    fn misplaced(&mut self, what: Move) -> Boundary {
        self.wrong = Some(format!("{what:?} where the applet did not wait for it"));
        Boundary::PowerLoss
    }

    fn power_off(&mut self) -> Boundary {
        self.hang_up();
        self.device.timer = false;
        self.device.counting = false;
        self.device.reset_due = false;
        self.device.visible = self.euicc.profile();
        self.euicc.power_off();
        self.phase = Phase::Off;
        Boundary::PowerLoss
    }

    fn hang_up(&mut self) {
        let device = &mut self.device;
        device.channel = false;
        device.peer = 0;
        device.lost = false;
        device.sent.clear();
        device.waiting.clear();
        device.coming.clear();
    }

    fn store(&mut self, scenario: &Scenario, phase: Phase) {
        if let Phase::Store { p1, p2, data } = phase
            && let Err(e) = self.euicc.store(scenario, p1, p2, &data)
        {
            self.wrong = Some(e);
        }
    }

    fn request_is_complete(&self) -> bool {
        matches!(bytes::request_body(&self.device.sent), Ok(Some(_)))
    }

    fn answer(&mut self, scenario: &Scenario, how: Answer) {
        let sent = core::mem::take(&mut self.device.sent);
        let Ok(Some(body)) = bytes::request_body(&sent) else {
            return;
        };
        match self.eim.answer(scenario, self.device.peer, body, how) {
            Ok((status, answer)) => {
                if body.first_chunk() == Some(&[0xBF, 0x4F]) && answer.len() > 6 {
                    self.eventful = true;
                }
                self.device.coming = bytes::http(status, &answer);
            }
            // Bytes that mean nothing can end where a part of the request ends.
            Err(_) if self.euicc.lied => {
                self.device.coming = bytes::http("200 OK", &eim::unreadable(body));
            }
            Err(e) => self.wrong = Some(e),
        }
        self.euicc.lied = false;
    }

    fn perform(&mut self, phase: Phase, what: Move) -> Boundary {
        let Phase::Terminal(command, list) = phase else {
            return self.misplaced(what);
        };
        let find = |tag| cat::TlvList(&list).find(tag).map(|t| t.value.to_vec());
        let mut data = Vec::new();
        let mut left = None;
        let mut status: &[u8] = &[];
        match CommandType(command[0]) {
            CommandType::TIMER_MANAGEMENT => {
                self.device.timer = true;
                self.device.counting = false;
            }
            CommandType::OPEN_CHANNEL if what != Move::NoChannelGiven => {
                self.device.channel = true;
                let address = find(Tag::OTHER_ADDRESS).unwrap_or_default();
                self.device.peer = address.last().copied().unwrap_or(4).wrapping_sub(4);
                status = &CHANNEL_UP;
            }
            CommandType::SEND_DATA => {
                if self.device.waiting.is_empty() && self.device.coming.is_empty() {
                    self.device
                        .sent
                        .extend(find(Tag::CHANNEL_DATA).unwrap_or_default());
                } else {
                    self.wrong =
                        Some("a request was sent before the last answer was read".to_owned());
                }
                if let Err(e) = bytes::request_body(&self.device.sent) {
                    self.wrong = Some(e);
                }
            }
            CommandType::RECEIVE_DATA if what != Move::NoData => {
                let most = find(Tag::CHANNEL_DATA_LENGTH).and_then(|v| v.first().copied());
                let n = usize::from(most.unwrap_or(0)).min(self.device.waiting.len());
                data = self.device.waiting.drain(..n).collect();
                left = Some(self.device.waiting.len());
            }
            CommandType::CLOSE_CHANNEL => self.hang_up(),
            CommandType::REFRESH => self.device.reset_due = what != Move::NoReset,
            _ => {}
        }
        let left = [left.unwrap_or(0).min(255) as u8];
        let mut rest: Vec<(Tag, &[u8])> = Vec::new();
        if !status.is_empty() {
            rest.push((Tag::CHANNEL_STATUS, status));
        }
        if CommandType(command[0]) == CommandType::RECEIVE_DATA {
            rest.push((Tag::CHANNEL_DATA, &data));
            rest.push((Tag::CHANNEL_DATA_LENGTH, &left));
        }
        Boundary::TerminalResponse(bytes::response(command, &[0], &rest))
    }

    /// A session begins: is there something that may be worth a persistent write?
    pub(super) fn begin(&mut self, machine: &Machine) {
        self.eventful = !self.euicc.results.is_empty() || machine.nv[reg::MODE] != mode::NORMAL;
    }

    /// Notes what the machine waits for after these outputs.
    pub fn follow(&mut self, outputs: &[Boundary]) {
        self.wrong = None;
        for output in outputs {
            match output {
                Boundary::Return | Boundary::Response(_) => self.phase = Phase::Rest,
                Boundary::Proactive(list) => {
                    let command = ProactiveCommand::parse_inner(list);
                    let kind = command
                        .map(|c| [c.command.0, c.qualifier])
                        .unwrap_or_default();
                    self.phase = Phase::Terminal(kind, list.clone());
                }
                Boundary::Es10Store { p1, p2, data } => {
                    self.phase = Phase::Store {
                        p1: *p1,
                        p2: *p2,
                        data: data.clone(),
                    };
                }
                Boundary::Es10Read(most) => self.phase = Phase::Read(*most),
                _ => {}
            }
        }
    }

    /// Takes the machine's outputs to an input.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn observe(&mut self, input: &Boundary, outputs: &[Boundary]) -> Result<(), String> {
        if let Some(wrong) = self.wrong.take() {
            return Err(wrong);
        }
        let secure = matches!(input, Boundary::Personalization(_));
        for output in outputs {
            match output {
                Boundary::Commit if secure || self.eventful => {}
                Boundary::Commit => {
                    return Err("a persistent write in a session that brought nothing".to_owned());
                }
                Boundary::Proactive(list) => {
                    let command = ProactiveCommand::parse_inner(list)
                        .map_err(|e| format!("proactive command: {e}"))?;
                    command
                        .detail()
                        .map_err(|e| format!("proactive command: {e}"))?;
                }
                other if other.is_input() => return Err(format!("{other:?} is no output")),
                _ => {}
            }
        }
        self.follow(outputs);
        if outputs.is_empty() && !matches!(self.phase, Phase::Off | Phase::Started) {
            return Err("the applet neither returned nor sent anything".to_owned());
        }
        if self.euicc.enabled.count_ones() != 1 {
            return Err(format!("profiles enabled: {:b}", self.euicc.enabled));
        }
        if let Some(n) = self.euicc.executed.iter().position(|n| *n > 1) {
            return Err(format!("package {} was executed twice", n + 1));
        }
        Ok(())
    }

    /// What the eIM does not know as it is; `None` if it knows all.
    pub fn unknown_to_the_eim(&self) -> Option<String> {
        for (i, known) in self.eim.known.iter().enumerate() {
            let executed = self.euicc.executed.get(i).copied().unwrap_or(0) > 0;
            match (executed, known) {
                (_, Known::Nothing) => {
                    return Some(format!("nothing is known of package {}", i + 1));
                }
                (true, Known::Refused) => {
                    return Some(format!(
                        "package {} was executed, its result is lost",
                        i + 1
                    ));
                }
                (false, Known::Executed | Known::RolledBack) => {
                    return Some(format!("package {} has a result without execution", i + 1));
                }
                _ => {}
            }
        }
        if self.eim.unacknowledged {
            return None;
        }
        if !self.euicc.results.is_empty() {
            return Some("results are left in the eUICC".to_owned());
        }
        if !self.eim.refuses_notices && !self.euicc.notifications.is_empty() {
            return Some("notifications are left in the eUICC".to_owned());
        }
        None
    }

    /// The profile that the eIM takes for enabled, by the results that it has.
    pub fn profile_by_the_eim(&self, scenario: &Scenario) -> u8 {
        let mut enabled = 0;
        for (package, known) in scenario.queue.iter().zip(&self.eim.known) {
            if let (scenario::Package::Enable { profile, .. }, Known::Executed) = (package, known) {
                enabled = *profile;
            }
        }
        if scenario.immediate {
            self.eim.notified.unwrap_or(0)
        } else {
            enabled
        }
    }
}

/// Channel status: channel 1, link established.
const CHANNEL_UP: [u8; 2] = [0x81, 0x00];
/// Channel status: channel 1, link not established, link dropped.
const CHANNEL_DROPPED: [u8; 2] = [0x01, 0x05];

fn command_of(phase: &Phase) -> [u8; 2] {
    match phase {
        Phase::Terminal(command, _) => *command,
        _ => [0, 0],
    }
}

fn event(event: i16, envelope: Vec<u8>) -> Boundary {
    Boundary::Event { event, envelope }
}

fn timer_expiration() -> Vec<u8> {
    let mut out = Vec::new();
    cat::write(&mut out, Tag::DEVICE_IDENTITIES, true, &[0x82, 0x81]);
    cat::write(&mut out, Tag::TIMER_IDENTIFIER, true, &[1]);
    cat::write(&mut out, Tag::TIMER_VALUE, true, &[0, 0x03, 0]);
    out
}

fn profile(scenario: &Scenario) -> Vec<u8> {
    let mut profile = vec![0xFF; 20];
    if scenario.quirk == Quirk::NoBip {
        // Byte 12: BIP commands (ETSI TS 102 223 5.2).
        profile[11] = 0;
    }
    profile
}

fn store_data(data: Vec<u8>) -> Boundary {
    Boundary::Personalization(Command::new(0x80, INS_STORE_DATA, 0x90, 0).with_data(data))
}

fn noise(n: u8) -> Boundary {
    match n {
        // Another applet's channel.
        0 => event(22, bytes::channel_event(0x09, [0x82, 0], Some(7))),
        1 => event(23, bytes::channel_event(0x0A, [0x02, 5], None)),
        // An event that the applet has not registered.
        2 => event(9, Vec::new()),
        // The terminal sends its profile again.
        3 => event(1, Vec::new()),
        4 => Boundary::Apdu(Command::new(0x80, INS_GET_DATA, 0xDF, 0x21)),
        _ => event(22, Vec::new()),
    }
}

/// True in the states in which the applet waits for its next session and will have one.
pub(super) fn is_resting(machine: &Machine) -> bool {
    matches!(
        machine.state(),
        State::Idle | State::Backoff | State::CheckWait
    )
}
