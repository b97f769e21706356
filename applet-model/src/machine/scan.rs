//! The streaming scanner: goes through TLV data byte by byte by the rules of the grammar.

use super::Machine;
use super::codes::{Event, kind};
use super::grammar::{self, Op};
use super::layout::{ACK_LEN, ACKS_MAX, BUFFER, reg};

/// Values of `SC_STEP`.
pub mod step {
    /// First byte of a tag.
    pub const TAG: u8 = 0;
    /// Second byte of a tag.
    pub const TAG2: u8 = 1;
    /// First byte of a length.
    pub const LENGTH: u8 = 2;
    /// The last three length bytes are to come.
    pub const LENGTH3: u8 = 3;
    /// The last two length bytes are to come.
    pub const LENGTH2: u8 = 4;
    /// The last length byte is to come.
    pub const LENGTH1: u8 = 5;
    /// Inside a value.
    pub const VALUE: u8 = 6;
    /// What was looked for was found.
    pub const STOPPED: u8 = 7;
    /// Not understood.
    pub const BAD: u8 = 8;
}

impl Machine {
    pub(super) fn begin_scan(&mut self, node: u8) {
        self.w[reg::SC_NODE] = node;
        self.w[reg::SC_STEP] = step::TAG;
        self.w[reg::SC_HEADER] = 0;
        self.put16(reg::SC_TOTAL, 0);
        self.w[reg::SC_RELAY] = 0;
        self.w[reg::KIND] = kind::NONE;
        self.w[reg::CODE] = 0;
        self.w[reg::CHANGED] = 0;
    }

    /// Scans one byte.
    pub(super) fn scan_byte(&mut self, b: u8) {
        match self.w[reg::SC_STEP] {
            step::TAG => {
                self.w[reg::SC_HEADER] = 1;
                self.put16(reg::SC_TAG, u16::from(b));
                self.w[reg::SC_STEP] = if b & 0x1F == 0x1F {
                    step::TAG2
                } else {
                    step::LENGTH
                };
            }
            step::TAG2 => {
                self.w[reg::SC_HEADER] += 1;
                let tag = self.get16(reg::SC_TAG) << 8 | u16::from(b);
                self.put16(reg::SC_TAG, tag);
                self.w[reg::SC_STEP] = if b & 0x80 != 0 {
                    step::BAD
                } else {
                    step::LENGTH
                };
            }
            step::LENGTH => {
                self.w[reg::SC_HEADER] += 1;
                self.w[reg::SC_BIG] = 0;
                match b {
                    0..=0x7F => {
                        self.put16(reg::SC_LEN, u16::from(b));
                        self.header_done();
                    }
                    0x81 => {
                        self.put16(reg::SC_LEN, 0);
                        self.w[reg::SC_STEP] = step::LENGTH1;
                    }
                    0x82 => {
                        self.put16(reg::SC_LEN, 0);
                        self.w[reg::SC_STEP] = step::LENGTH2;
                    }
                    0x83 => self.w[reg::SC_STEP] = step::LENGTH3,
                    _ => self.w[reg::SC_STEP] = step::BAD,
                }
            }
            step::LENGTH3 => {
                self.w[reg::SC_HEADER] += 1;
                if b != 0 {
                    self.w[reg::SC_BIG] = 1;
                }
                self.w[reg::SC_STEP] = step::LENGTH2;
            }
            step::LENGTH2 => {
                self.w[reg::SC_HEADER] += 1;
                // Lengths above 32767 don't fit the card's numbers.
                if b & 0x80 != 0 {
                    self.w[reg::SC_BIG] = 1;
                }
                self.put16(reg::SC_LEN, u16::from(b & 0x7F));
                self.w[reg::SC_STEP] = step::LENGTH1;
            }
            step::LENGTH1 => {
                self.w[reg::SC_HEADER] += 1;
                let len = self.get16(reg::SC_LEN) << 8 | u16::from(b);
                self.put16(reg::SC_LEN, len);
                self.header_done();
            }
            step::VALUE => self.value_byte(b),
            _ => {}
        }
    }

    /// A header is complete: its rule says what to do.
    fn header_done(&mut self) {
        let len = self.get16(reg::SC_LEN);
        let header = u16::from(self.w[reg::SC_HEADER]);
        let rule = grammar::find(self.w[reg::SC_NODE], self.get16(reg::SC_TAG));
        if rule.kind != 0 {
            self.w[reg::KIND] = rule.kind;
        }
        let arg = usize::from(rule.arg);
        let mut op = rule.op;
        // An object that is entered may have any length, since its end isn't tracked.
        let entered = matches!(
            op,
            Op::Enter | Op::Relay | Op::Item | Op::Head | Op::HeadEnd
        );
        if op == Op::Bad || self.w[reg::SC_BIG] == 1 && !entered {
            self.w[reg::SC_STEP] = step::BAD;
            return;
        }
        if let Some(node) = op.next_node(&rule) {
            self.w[reg::SC_NODE] = node;
        }
        if op == Op::Certificate {
            match self.size_command(len) {
                Some(certificate) => op = certificate,
                None => {
                    self.w[reg::SC_STEP] = step::BAD;
                    return;
                }
            }
        }
        match op {
            Op::Mark if len > MEASURE_MAX => {
                self.w[reg::SC_STEP] = step::BAD;
                return;
            }
            Op::Enter | Op::Relay | Op::Item | Op::Head | Op::HeadEnd | Op::Mark => {
                match op {
                    Op::Relay => self.w[reg::SC_RELAY] = 1,
                    Op::HeadEnd => self.w[reg::ENDED] = 1,
                    Op::Item if self.w[reg::EIM_COUNT] < 127 => self.w[reg::EIM_COUNT] += 1,
                    Op::Mark => {
                        self.put16(arg, self.get16(reg::SC_TOTAL));
                        self.put16(arg + 2, header + len);
                    }
                    _ => {}
                }
                self.w[reg::SC_OP] = op as u8;
                self.w[reg::SC_STEP] = step::TAG;
                self.put16(
                    reg::SC_TOTAL,
                    self.get16(reg::SC_TOTAL).wrapping_add(header) & 0x7FFF,
                );
                return;
            }
            Op::Stop => {
                self.w[reg::SC_STEP] = step::STOPPED;
                return;
            }
            Op::Measure | Op::MeasureFilled if op == Op::Measure || len > 0 => {
                let offset = self.get16(reg::SC_TOTAL);
                if len > MEASURE_MAX {
                    self.w[reg::SC_STEP] = step::BAD;
                    return;
                }
                self.put16(arg, offset);
                self.put16(arg + 2, header + len);
                self.w[reg::SC_STEP] = step::STOPPED;
                return;
            }
            Op::CopyItem if self.w[reg::EIM_COUNT] != self.w[reg::EIM_INDEX] + 1 => op = Op::Skip,
            Op::Copy | Op::CopyItem if len > u16::from(rule.max) => op = Op::Skip,
            Op::KeepCopy if len > u16::from(rule.max) => op = Op::Keep,
            Op::KeepEnd if len == 0 => self.w[reg::ENDED] = 1,
            Op::Ack
                if len == 0
                    || len > ACK_LEN as u16
                    || usize::from(self.w[reg::ACKS]) >= ACKS_MAX =>
            {
                op = Op::Skip;
            }
            _ => {}
        }
        match op {
            Op::Copy | Op::CopyItem | Op::KeepCopy => self.w[arg] = len as u8,
            Op::Ack => {
                let entry = reg::ACK + usize::from(self.w[reg::ACKS]) * (1 + ACK_LEN);
                self.w[entry] = len as u8;
                self.w[reg::ACKS] += 1;
                self.put16(reg::SC_ARG, entry as u16);
            }
            _ => {}
        }
        if op != Op::Ack {
            self.put16(reg::SC_ARG, rule.arg);
        }
        self.w[reg::SC_OP] = op as u8;
        self.put16(reg::SC_LEFT, len);
        self.put16(
            reg::SC_TOTAL,
            self.get16(reg::SC_TOTAL).wrapping_add(header + len) & 0x7FFF,
        );
        self.w[reg::SC_STEP] = if len == 0 { step::TAG } else { step::VALUE };
    }

    fn value_byte(&mut self, b: u8) {
        let left = self.get16(reg::SC_LEFT);
        let at = usize::from(self.get16(reg::SC_LEN) - left);
        let arg = usize::from(self.get16(reg::SC_ARG));
        let op = self.w[reg::SC_OP];
        let copies = [Op::Copy, Op::CopyItem, Op::KeepCopy, Op::Ack];
        if copies.iter().any(|c| op == *c as u8) {
            self.w[arg + 1 + at] = b;
        } else if op == Op::Byte as u8 {
            self.w[arg] = b;
        } else if op == Op::Zero as u8 && b == 0 && self.get16(reg::SC_LEN) == 1 {
            self.w[arg] = 1;
        }
        self.put16(reg::SC_LEFT, left - 1);
        if left == 1 {
            self.w[reg::SC_STEP] = step::TAG;
            if op == Op::KeepEnd as u8 {
                self.w[reg::ENDED] = 1;
            }
        }
    }

    /// Scans a piece of the eUICC's answer.
    pub(super) fn scan_answer(&mut self) {
        let piece = core::mem::take(&mut self.answer);
        let n = piece.len().min(BUFFER);
        if n == 0 {
            // No answer at all is none.
            let at_end = self.w[reg::SC_STEP] == step::TAG && self.get16(reg::SC_TOTAL) > 0;
            self.put16(reg::DETAIL, self.answer_detail());
            return self.raise(if at_end {
                Event::ScanDone
            } else {
                Event::ScanBad
            });
        }
        self.rx[..n].copy_from_slice(&piece[..n]);
        self.put16(reg::RX_LEN, n as u16);
        if self.w[reg::BLOCK] < 127 {
            self.w[reg::BLOCK] += 1;
        }
        for &b in &piece[..n] {
            self.scan_byte(b);
        }
        match self.w[reg::SC_STEP] {
            step::BAD => {
                self.put16(reg::DETAIL, self.answer_detail());
                self.raise(Event::ScanBad);
            }
            step::STOPPED => self.raise(Event::ScanDone),
            _ => self.raise(Event::ScanMore),
        }
    }

    /// Detail of what was scanned: kind, and the code or whether the profile changed.
    fn answer_detail(&self) -> u16 {
        u16::from(self.w[reg::KIND]) << 8 | u16::from(self.w[reg::CODE] | self.w[reg::CHANGED])
    }
}

/// The longest part that a request can carry, so that all sums stay below 32768.
pub const MEASURE_MAX: u16 = 15000;
