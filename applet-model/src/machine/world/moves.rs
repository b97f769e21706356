//! What the world can do, and which of it is a fault.

use super::eim::Answer;
use super::euicc::Euicc;
use super::scenario::{Quirk, Scenario};
use super::{Phase, World};
use crate::cat::CommandType;

/// What the world does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Move {
    /// The terminal starts the card and sends its profile.
    PowerOn,
    /// The start-up event.
    Boot,
    /// The reset that REFRESH asked for.
    Reset,
    /// The power goes.
    PowerLoss,
    /// The eUICC executes the command, then the power goes.
    DoneThenPowerLoss,
    /// The proactive command is performed.
    Performed,
    /// REFRESH is accepted, and no reset will follow.
    NoReset,
    /// The proactive command is answered with this general result and additional information.
    Refused(u8, u8),
    /// OPEN CHANNEL is answered with success and no channel status.
    NoChannelGiven,
    /// RECEIVE DATA is answered with success and no data.
    NoData,
    /// Data Available.
    Announce,
    /// The eIM answers the request.
    Eim(Answer),
    /// The eIM's answer breaks off and the link is lost; the eIM took the request.
    Cut,
    /// No answer comes; the eIM took the request or not.
    Silence(bool),
    /// The timer expires.
    Timer,
    /// STATUS.
    Status,
    /// The link is lost.
    Lost,
    /// The eUICC takes the block.
    Done,
    /// The eUICC refuses the block.
    Es10Refused,
    /// The eUICC answers ProfileRollback with an error.
    RollbackRefused(u8),
    /// The eUICC gives response bytes.
    Data,
    /// The eUICC gives no more bytes, though there are some.
    NoMoreData,
    /// The eUICC gives bytes that mean nothing.
    WrongData,
    /// The eUICC gives the right data object with nothing in it.
    Hollow,
    /// The eUICC takes the block and refuses the bound package with it.
    LoadRefused,
    /// POLL NOW.
    PollNow,
    /// STORE DATA of the configuration.
    Configure,
    /// STORE DATA that locks.
    Lock,
    /// STORE DATA that unlocks.
    Unlock,
    /// Something that doesn't concern the applet.
    Noise(u8),
}

/// The proactive command's answers that are faults: one for each class of TERMINAL RESPONSE.
const REFUSALS: [(u8, u8); 4] = [(0x20, 0x04), (0x30, 0), (0x3A, 0x03), (0x32, 0)];
/// Kinds of [`Move::Noise`].
const NOISES: u8 = 6;

impl World {
    /// What the world can do, with the faults it costs. The first is what it does when all is well.
    pub fn moves(&self, scenario: &Scenario) -> Vec<(Move, u8)> {
        let mut moves = Vec::new();
        match &self.phase {
            Phase::Off => moves.push((Move::PowerOn, 0)),
            Phase::Started => moves.push((Move::Boot, 0)),
            Phase::Rest => self.rest_moves(scenario, &mut moves),
            Phase::Terminal(command, _) => self.terminal_moves(scenario, *command, &mut moves),
            Phase::Store { p1, p2, data } => {
                moves.push((Move::Done, 0));
                moves.push((Move::Es10Refused, 1));
                if Euicc::is_rollback(*p1, data) {
                    moves.extend([5, 7, 1].map(|code| (Move::RollbackRefused(code), 1)));
                }
                if self.euicc.is_loading(*p1, *p2, data) {
                    moves.push((Move::LoadRefused, 1));
                }
                if p1 & 0x80 != 0 {
                    moves.push((Move::DoneThenPowerLoss, 1));
                }
            }
            Phase::Read(_) => {
                moves.push((Move::Data, 0));
                moves.push((Move::WrongData, 1));
                moves.push((Move::NoMoreData, 1));
                if self.euicc.may_be_hollow() {
                    moves.push((Move::Hollow, 1));
                }
            }
        }
        if !matches!(self.phase, Phase::Off | Phase::Started) {
            moves.push((Move::PowerLoss, 1));
        }
        moves
    }

    fn rest_moves(&self, scenario: &Scenario, moves: &mut Vec<(Move, u8)>) {
        let device = &self.device;
        if device.reset_due {
            moves.push((Move::Reset, 0));
        } else if device.channel && !(device.waiting.is_empty() && device.coming.is_empty()) {
            moves.push((Move::Announce, 0));
            moves.push((
                if device.timer {
                    Move::Timer
                } else {
                    Move::Status
                },
                1,
            ));
        } else if device.channel && device.lost {
            moves.push((Move::Lost, 0));
        } else if device.channel && self.request_is_complete() {
            moves.push((Move::Eim(Answer::Good), 0));
            moves.extend(
                [
                    Answer::Code,
                    Answer::Http500,
                    Answer::Garbage,
                    Answer::Empty,
                    Answer::Hollow,
                ]
                .map(|how| (Move::Eim(how), 1)),
            );
            moves.extend([Move::Cut, Move::Silence(false), Move::Silence(true)].map(|m| (m, 1)));
        } else if device.timer {
            moves.push((Move::Timer, 0));
            moves.push((Move::Status, 0));
        } else {
            moves.push((Move::Status, 0));
        }
        if device.channel && !device.lost {
            moves.push((Move::Lost, 1));
        }
        if scenario.operator {
            moves
                .extend([Move::PollNow, Move::Configure, Move::Lock, Move::Unlock].map(|m| (m, 0)));
        }
        if scenario.noise {
            moves.extend((0..NOISES).map(|n| (Move::Noise(n), 0)));
        }
    }

    fn terminal_moves(&self, scenario: &Scenario, command: [u8; 2], moves: &mut Vec<(Move, u8)>) {
        let dead = !self.device.visible.is_some_and(|p| scenario.is_alive(p));
        let kind = CommandType(command[0]);
        let good = match kind {
            CommandType::OPEN_CHANNEL if scenario.quirk == Quirk::NoChannel => {
                Move::Refused(0x3A, 0x01)
            }
            CommandType::OPEN_CHANNEL if dead => Move::Refused(0x20, 0x04),
            CommandType::TIMER_MANAGEMENT if scenario.quirk == Quirk::NoTimers => {
                Move::Refused(0x30, 0)
            }
            CommandType::REFRESH if scenario.quirk == Quirk::RefusesRefresh => {
                Move::Refused(0x20, 0x02)
            }
            CommandType::REFRESH if scenario.quirk == Quirk::NeverResets => Move::NoReset,
            _ => Move::Performed,
        };
        moves.push((good, 0));
        moves.extend(REFUSALS.map(|(result, more)| (Move::Refused(result, more), 1)));
        match kind {
            CommandType::OPEN_CHANNEL if good == Move::Performed => {
                moves.push((Move::NoChannelGiven, 1));
            }
            CommandType::RECEIVE_DATA => moves.push((Move::NoData, 1)),
            CommandType::REFRESH if good == Move::Performed => {
                // The reset may come before the TERMINAL RESPONSE.
                moves.push((Move::Reset, 0));
                moves.push((Move::NoReset, 1));
            }
            _ => {}
        }
    }
}
