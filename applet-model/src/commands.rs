//! The applet's APDU commands: the second table, and how they are answered.
//!
//! Checks are done in this order: class, instruction, security level, state, P1-P2, data. Commands
//! without data ignore the fifth byte: over T=0 the applet can't tell Lc from Le.
//! STORE DATA reaches the applet through its security domain only (GlobalPlatform Card
//! Specification 11.11, INSTALL [for personalization]); reading needs nothing.

use crate::apdu::{Command, Response};
use crate::config::{Form, ITEMS, TAG_LOCK};
use crate::machine::codes::{Event, State, life};
use crate::machine::layout::{BUFFER, HOLD, PERSISTENT, PROFILE_BYTES, WORKING, reg};
use crate::machine::{Machine, digest};
use crate::status::Sw;

/// Who may send a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Security {
    /// Anybody who can select the applet.
    None,
    /// The security domain, under its secure channel.
    SecurityDomain,
}

/// In which states a command is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Allowed {
    /// In every state.
    Always,
    /// While the applet waits for its next session.
    Resting,
    /// As `Resting`, and before personalization; when locked, unlocking only.
    Configuring,
}

/// A command of the applet.
#[derive(Debug, Clone, Copy)]
pub struct ApduCommand {
    /// Instruction.
    pub ins: u8,
    /// Name.
    pub name: &'static str,
    /// Who may send it.
    pub security: Security,
    /// In which states.
    pub allowed: Allowed,
    /// P1-P2, or what they may be.
    pub parameters: &'static str,
    /// Data, or "-".
    pub data: &'static str,
    /// What it does.
    pub doc: &'static str,
}

/// Class of the applet's commands without its channel bits (ETSI TS 102 221 10.1.1).
pub const CLA: u8 = 0x80;
/// Bits of the class byte that name a channel or secure messaging.
pub const CLA_MASK: u8 = 0xF0;
/// GET DATA.
pub const INS_GET_DATA: u8 = 0xCA;
/// POLL NOW.
pub const INS_POLL_NOW: u8 = 0x10;
/// STORE DATA.
pub const INS_STORE_DATA: u8 = 0xE2;
/// SELECT.
pub const INS_SELECT: u8 = 0xA4;
/// First byte of every GET DATA tag.
pub const OBJECT_CLASS: u8 = 0xDF;

/// The commands.
#[rustfmt::skip]
pub const COMMANDS: &[ApduCommand] = &[
    ApduCommand { ins: INS_GET_DATA, name: "GET DATA", security: Security::None, allowed: Allowed::Always, parameters: "tag of an object", data: "-", doc: "reads version, state, counters, configuration, log, TERMINAL PROFILE, eIM, memory" },
    ApduCommand { ins: INS_POLL_NOW, name: "POLL NOW", security: Security::None, allowed: Allowed::Resting, parameters: "0000", data: "-", doc: "starts a session at the next STATUS command" },
    ApduCommand { ins: INS_STORE_DATA, name: "STORE DATA", security: Security::SecurityDomain, allowed: Allowed::Configuring, parameters: "P1 bit 8 (last block), P2 00", data: "configuration objects", doc: "stores the configuration, locks, unlocks" },
];

/// An object of GET DATA.
#[derive(Debug, Clone, Copy)]
pub struct Object {
    /// Second byte of its tag; the first is [`OBJECT_CLASS`].
    pub tag: u8,
    /// Name.
    pub name: &'static str,
    /// Registers, each with its bytes; none for an object that is made otherwise.
    pub parts: &'static [(usize, u8)],
    /// What it holds.
    pub doc: &'static str,
}

/// Tag of the version object.
pub const OBJECT_VERSION: u8 = 0x20;
/// Tag of the state object.
pub const OBJECT_STATE: u8 = 0x21;
/// Tag of the counters object.
pub const OBJECT_COUNTERS: u8 = 0x22;
/// Tag of the configuration object.
pub const OBJECT_CONFIG: u8 = 0x23;
/// Tag of the log object.
pub const OBJECT_LOG: u8 = 0x24;
/// Tag of the TERMINAL PROFILE object.
pub const OBJECT_PROFILE: u8 = 0x25;
/// Tag of the eIM object.
pub const OBJECT_EIM: u8 = 0x26;
/// Tag of the memory object.
pub const OBJECT_MEMORY: u8 = 0x27;

/// The objects of GET DATA.
#[rustfmt::skip]
pub const OBJECTS: &[Object] = &[
    Object { tag: OBJECT_VERSION, name: "version", parts: &[], doc: "major, minor, four bytes of the tables' digest" },
    Object { tag: OBJECT_STATE, name: "state", parts: &[(reg::STATE, 1), (reg::LIFE, 1), (reg::MODE, 1), (reg::FAILS, 1), (reg::TRIES, 1), (reg::REFRESH_LEFT, 1), (reg::EIM_INDEX, 1), (reg::EIM_COUNT, 1), (reg::CHANNEL, 1), (reg::NO_TIMER, 1)], doc: "state, life, mode, failures in a row, tries left, REFRESH tries left, eIM, eIMs, channel, no timer" },
    Object { tag: OBJECT_COUNTERS, name: "counters", parts: &[(reg::POLLS, 2), (reg::FAILURES, 2), (reg::SWITCHES, 2), (reg::ROLLBACKS, 2)], doc: "polls and failures since the reset, profile changes, rollbacks" },
    Object { tag: OBJECT_CONFIG, name: "configuration", parts: &[(reg::POLL, (reg::SWITCHES - reg::POLL) as u8)], doc: "the configuration registers" },
    Object { tag: OBJECT_LOG, name: "log", parts: &[(reg::LOG_HEAD, (PERSISTENT - reg::LOG_HEAD) as u8)], doc: "where the next entry goes, then the ring" },
    Object { tag: OBJECT_PROFILE, name: "terminal profile", parts: &[], doc: "the first 32 bytes of TERMINAL PROFILE" },
    Object { tag: OBJECT_EIM, name: "eim", parts: &[(reg::EIM_ADDRESS, (reg::TID_LEN - reg::EIM_ADDRESS) as u8)], doc: "address, port, length of the name, name" },
    Object { tag: OBJECT_MEMORY, name: "memory", parts: &[], doc: "transient registers, persistent record, transient buffers, each two bytes" },
];

/// Major and minor version of the applet.
pub const VERSION: [u8; 2] = [1, 0];

impl Machine {
    /// Answers a command. What changes something is left to the table, as an event.
    pub(crate) fn command(&mut self, command: &Command, secure: bool) -> Response {
        if command.ins == INS_SELECT && command.p1 == 0x04 && command.cla & CLA_MASK == 0 {
            return Response::status(Sw::OK);
        }
        if command.cla & CLA_MASK != CLA {
            return Response::status(Sw::CLA_NOT_SUPPORTED);
        }
        let Some(row) = COMMANDS.iter().find(|row| row.ins == command.ins) else {
            return Response::status(Sw::INS_NOT_SUPPORTED);
        };
        if row.security == Security::SecurityDomain && !secure {
            return Response::status(Sw::SECURITY_NOT_SATISFIED);
        }
        let allowed = match row.allowed {
            Allowed::Always => true,
            Allowed::Resting => self.is_resting(),
            Allowed::Configuring => {
                self.is_resting() || matches!(self.state(), State::Unpersonalized | State::Locked)
            }
        };
        if !allowed {
            return Response::status(Sw::CONDITIONS_NOT_SATISFIED);
        }
        match command.ins {
            INS_GET_DATA => self.get_data(command),
            INS_POLL_NOW => self.poll_now(command),
            _ => Response::status(self.store_data(command)),
        }
    }

    fn get_data(&self, command: &Command) -> Response {
        let object = OBJECTS.iter().find(|o| o.tag == command.p2);
        let Some(object) = object.filter(|_| command.p1 == OBJECT_CLASS) else {
            return Response::status(Sw::REFERENCED_DATA_NOT_FOUND);
        };
        let mut value: Vec<u8> = Vec::new();
        match object.tag {
            OBJECT_VERSION => {
                value.extend(VERSION);
                value.extend(digest());
            }
            OBJECT_PROFILE => {
                let profile = self.terminal_profile();
                value.extend((0..PROFILE_BYTES).map(|i| profile.get(i).copied().unwrap_or(0)));
            }
            OBJECT_MEMORY => {
                for n in [WORKING, PERSISTENT, 2 * BUFFER + HOLD] {
                    value.extend((n as u16).to_be_bytes());
                }
            }
            _ => {
                for &(offset, len) in object.parts {
                    value.extend((offset..offset + usize::from(len)).map(|at| self.register(at)));
                }
            }
        }
        let mut data = vec![OBJECT_CLASS, object.tag, value.len() as u8];
        data.extend(value);
        Response::ok(data)
    }

    fn poll_now(&mut self, command: &Command) -> Response {
        if command.p1 != 0 || command.p2 != 0 {
            return Response::status(Sw::INCORRECT_P1_P2);
        }
        self.set_register(reg::TRIGGERED, 1);
        Response::status(Sw::OK)
    }

    fn store_data(&mut self, command: &Command) -> Sw {
        if command.p1 & 0x80 == 0 || command.p2 != 0 {
            return Sw::INCORRECT_P1_P2;
        }
        let data = &command.data;
        let Some((objects, lock)) = objects(data) else {
            return Sw::WRONG_DATA;
        };
        let event = match (self.state(), lock) {
            (State::Locked, Some(0)) if data.len() == UNLOCK_LEN => Event::Unlock,
            (State::Locked, _) | (State::Unpersonalized, Some(_)) => {
                return Sw::CONDITIONS_NOT_SATISFIED;
            }
            (_, Some(1)) => Event::Lock,
            _ => Event::Configured,
        };
        for (register, value) in objects {
            for (i, b) in value.iter().enumerate() {
                self.set_register(register + i, *b);
            }
        }
        let after = if event == Event::Lock {
            life::LOCKED
        } else {
            life::OPERATIONAL
        };
        self.set_register(reg::LIFE, after);
        self.raise_by_command(event);
        Sw::OK
    }
}

/// Bytes of data that unlock and do nothing else: tag, length, value.
const UNLOCK_LEN: usize = 3;

/// Registers and what goes to them, and the value of the lock object.
type Objects = (Vec<(usize, Vec<u8>)>, Option<u8>);

/// The registers that the data of STORE DATA set; `None` if anything in it is wrong.
fn objects(data: &[u8]) -> Option<Objects> {
    let mut out = Vec::new();
    let mut lock = None;
    let mut at = 0;
    if data.is_empty() {
        return None;
    }
    while at < data.len() {
        let tag = data[at];
        let len = *data.get(at + 1)?;
        let value = data.get(at + 2..at + 2 + usize::from(len))?;
        at += 2 + usize::from(len);
        if tag == TAG_LOCK {
            if len != 1 || value[0] > 1 {
                return None;
            }
            lock = Some(value[0]);
            continue;
        }
        let item = ITEMS.iter().find(|item| item.tag == tag)?;
        match item.form {
            Form::Counted => {
                if len > item.len || u16::from(len) < item.least {
                    return None;
                }
                out.push((item.register, vec![len]));
                out.push((item.register + 1, value.to_vec()));
            }
            Form::Bytes | Form::Number if len != item.len => return None,
            Form::Number => {
                let n = value.iter().fold(0u16, |n, b| n << 8 | u16::from(*b));
                if n > 0x7FFF || n < item.least || n > item.most {
                    return None;
                }
                out.push((item.register, value.to_vec()));
            }
            Form::Bytes => out.push((item.register, value.to_vec())),
        }
    }
    Some((out, lock))
}
