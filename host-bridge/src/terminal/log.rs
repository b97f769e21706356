//! The record of what went between terminal, card and network, for reports.

use applet_model::apdu::{Command, Response};
use serde::Serialize;

/// One entry: when in the virtual world, at which APDU, and what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Record {
    /// Number of the APDU that was sent last, from 1; 0 before the first.
    pub apdu: u64,
    /// Virtual time in milliseconds since the terminal was made.
    pub at_ms: u64,
    /// What happened.
    pub what: What,
}

/// What happened. Byte strings are upper-case hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum What {
    /// The card was reset or powered on.
    Reset {
        /// Its answer to reset.
        atr: String,
    },
    /// A command and its answer.
    Apdu {
        /// Command APDU.
        command: String,
        /// Response APDU.
        response: String,
        /// The command's name and the status word's meaning.
        text: String,
    },
    /// STATUS commands in a row that all answered 9000, counted instead of listed.
    StatusPolls {
        /// How many.
        count: u64,
    },
    /// A proactive command was fetched.
    Proactive {
        /// `D0…`.
        bytes: String,
        /// In words.
        text: String,
    },
    /// The terminal answered it.
    TerminalResponse {
        /// The data of TERMINAL RESPONSE.
        bytes: String,
        /// In words.
        text: String,
    },
    /// An envelope was sent.
    Envelope {
        /// The data of ENVELOPE.
        bytes: String,
        /// In words.
        text: String,
    },
    /// A channel was connected.
    ChannelOpen {
        /// Channel identifier.
        channel: u8,
        /// The address that the card asked for.
        asked: String,
        /// The address that it was connected to.
        to: String,
    },
    /// A connection could not be made.
    ConnectFailed {
        /// The address that it was tried to.
        to: String,
        /// Why.
        why: String,
    },
    /// Bytes went from the card to the network.
    Sent {
        /// Channel identifier.
        channel: u8,
        /// The bytes.
        data: String,
    },
    /// Bytes came from the network to the terminal's buffer.
    Received {
        /// Channel identifier.
        channel: u8,
        /// The bytes.
        data: String,
    },
    /// A channel's link ended.
    ChannelDown {
        /// Channel identifier.
        channel: u8,
        /// Why: closed by the card, by the peer, …
        why: String,
    },
    /// The network under the enabled profile, as the terminal found it.
    Network {
        /// ICCID read from the card, decimal digits; empty if there is none.
        iccid: String,
        /// IMSI read from the card, decimal digits; empty if there is none.
        imsi: String,
        /// Whether there is service.
        up: bool,
    },
    /// Virtual time was moved on because nothing else was outstanding.
    Clock {
        /// By how many milliseconds.
        by_ms: u64,
    },
    /// Something else worth knowing.
    Note {
        /// In words.
        text: String,
    },
}

/// The records so far.
#[derive(Debug, Default)]
pub struct Log {
    records: Vec<Record>,
    apdus: u64,
}

impl Log {
    /// All records, oldest first.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Takes the records out; the APDU count goes on.
    pub fn take(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.records)
    }

    /// How many APDUs were sent since the terminal was made.
    pub fn apdus(&self) -> u64 {
        self.apdus
    }

    pub(super) fn push(&mut self, at_ms: u64, what: What) {
        // An hour of quiet polling is one line, not 120.
        if let (
            What::Clock { by_ms: more },
            Some(Record {
                what: What::Clock { by_ms },
                ..
            }),
        ) = (&what, self.records.last_mut())
        {
            *by_ms += more;
            return;
        }
        self.records.push(Record {
            apdu: self.apdus,
            at_ms,
            what,
        });
    }

    pub(super) fn note(&mut self, at_ms: u64, text: impl Into<String>) {
        self.push(at_ms, What::Note { text: text.into() });
    }

    pub(super) fn apdu(&mut self, at_ms: u64, command: &Command, response: &Response) {
        self.apdus += 1;
        let quiet_status = command.ins == 0xF2
            && response.sw == applet_model::status::Sw::OK
            && command.cla == 0x80;
        if quiet_status && self.merge_status(at_ms) {
            return;
        }
        let what = if quiet_status {
            What::StatusPolls { count: 1 }
        } else {
            What::Apdu {
                command: hex::encode_upper(command.to_bytes()),
                response: hex::encode_upper(response.to_bytes()),
                text: format!("{}: {}", command_name(command), response.sw),
            }
        };
        self.push(at_ms, what);
    }

    /// Adds to a run of quiet STATUS commands, with at most clock jumps between them.
    fn merge_status(&mut self, at_ms: u64) -> bool {
        let n = self.records.len();
        let jump = match self.records.last() {
            Some(Record {
                what: What::Clock { by_ms },
                ..
            }) if n >= 2 => Some(*by_ms),
            _ => None,
        };
        let at = n.checked_sub(if jump.is_some() { 2 } else { 1 });
        let Some(record) = at.and_then(|at| self.records.get_mut(at)) else {
            return false;
        };
        let What::StatusPolls { count } = &mut record.what else {
            return false;
        };
        *count += 1;
        record.at_ms = at_ms;
        record.apdu = self.apdus;
        if jump.is_some() {
            self.records.pop();
        }
        true
    }
}

/// The name of a command that a terminal sends (ETSI TS 102 221 10.1.2).
fn command_name(command: &Command) -> &'static str {
    match command.ins {
        0x10 => "TERMINAL PROFILE",
        0x12 => "FETCH",
        0x14 => "TERMINAL RESPONSE",
        0x70 => "MANAGE CHANNEL",
        0xA4 => "SELECT",
        0xAA => "TERMINAL CAPABILITY",
        0xB0 => "READ BINARY",
        0xB2 => "READ RECORD",
        0xC0 => "GET RESPONSE",
        0xC2 => "ENVELOPE",
        0xE2 => "STORE DATA",
        0xF2 => "STATUS",
        _ => "command",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_polling_is_one_line() {
        let mut log = Log::default();
        let status = Command::new(0x80, 0xF2, 0, 0x0C);
        for i in 0..120 {
            log.push(i * 30_000, What::Clock { by_ms: 30_000 });
            log.apdu((i + 1) * 30_000, &status, &Response::ok([]));
        }
        assert_eq!(log.records().len(), 2);
        assert_eq!(log.records()[1].what, What::StatusPolls { count: 120 });
        assert_eq!((log.apdus(), log.records()[1].at_ms), (120, 3_600_000));
    }
}
