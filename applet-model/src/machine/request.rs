//! Requests to the eIM: an ESipa message in HTTP, produced block by block (SGP.32 6.1.1, 6.3.2).
//!
//! A result is never held: its size is measured first, then it flows from the eUICC to SEND DATA
//! through the block buffer.

use super::codes::{Event, phase, tx};
use super::layout::{BUFFER, reg};
use super::{Machine, templates};

/// GetEimPackageRequest (SGP.32 6.3.2.6).
const TAG_GET_EIM_PACKAGE: u8 = 0x4F;
/// ProvideEimPackageResult (SGP.32 6.3.2.7).
const TAG_PROVIDE_RESULT: u8 = 0x50;

/// Bytes of a DER length.
fn length_len(n: u16) -> u16 {
    match n {
        0..=127 => 1,
        128..=255 => 2,
        _ => 3,
    }
}

/// Bytes of a data object with a tag of one byte.
fn object_len(n: u16) -> u16 {
    1 + length_len(n) + n
}

impl Machine {
    pub(super) fn prepare_request(&mut self, what: u8) {
        self.w[reg::TX_KIND] = what;
        self.w[reg::TX_PHASE] = phase::HEAD;
        self.put16(reg::SEG_LEN, 0);
    }

    fn room(&self) -> u16 {
        BUFFER as u16 - self.get16(reg::SEG_LEN)
    }

    fn append(&mut self, bytes: &[u8]) {
        let at = usize::from(self.get16(reg::SEG_LEN));
        let n = bytes.len().min(BUFFER - at);
        self.seg[at..at + n].copy_from_slice(&bytes[..n]);
        self.put16(reg::SEG_LEN, (at + n) as u16);
    }

    fn append_length(&mut self, n: u16) {
        match length_len(n) {
            1 => self.append(&[n as u8]),
            2 => self.append(&[0x81, n as u8]),
            _ => self.append(&[0x82, (n >> 8) as u8, n as u8]),
        }
    }

    fn append_decimal(&mut self, n: u16) {
        let mut divisor = 10000;
        let mut leading = true;
        while divisor > 0 {
            let digit = (n / divisor % 10) as u8;
            if digit != 0 || divisor == 1 || !leading {
                leading = false;
                self.append(&[b'0' + digit]);
            }
            divisor /= 10;
        }
    }

    /// Bytes of the message inside BF4F or BF50, after the EID's data object.
    fn content_len(&self) -> u16 {
        let tid = u16::from(self.w[reg::TID_LEN]);
        match self.w[reg::TX_KIND] {
            tx::POLL => 0,
            tx::RESULT => {
                let both = self.get16(reg::LEN1) + self.get16(reg::LEN2);
                if self.get16(reg::LEN2) == 0 {
                    both
                } else {
                    object_len(both)
                }
            }
            tx::ERROR => self.get16(reg::RX_LEN),
            _ => object_len(3 + if tid == 0 { 0 } else { 2 + tid }),
        }
    }

    /// The HTTP header.
    fn append_head(&mut self) {
        let fqdn = usize::from(self.w[reg::FQDN_LEN]);
        let message = EID_OBJECT + self.content_len();
        self.append(templates::HTTP_POST);
        let name: Vec<u8> = self.w[reg::FQDN..reg::FQDN + fqdn].to_vec();
        self.append(&name);
        self.append(templates::HTTP_FIELDS);
        self.append_decimal(1 + object_len(message));
        self.append(templates::HTTP_END);
    }

    /// The body up to what flows from elsewhere: at most [`PREFIX_MAX`] bytes.
    fn append_prefix(&mut self) {
        let poll = self.w[reg::TX_KIND] == tx::POLL;
        let content = self.content_len();
        self.append(&[
            0xBF,
            if poll {
                TAG_GET_EIM_PACKAGE
            } else {
                TAG_PROVIDE_RESULT
            },
        ]);
        self.append_length(EID_OBJECT + content);
        self.append(&[0x5A, 16]);
        let eid: Vec<u8> = self.w[reg::EID..reg::EID + 16].to_vec();
        self.append(&eid);
        match self.w[reg::TX_KIND] {
            tx::RESULT if self.get16(reg::LEN2) > 0 => {
                self.append(&[0x30]);
                self.append_length(self.get16(reg::LEN1) + self.get16(reg::LEN2));
            }
            tx::UNKNOWN_PACKAGE | tx::UNDEFINED => {
                let tid = usize::from(self.w[reg::TID_LEN]);
                self.append(&[0xA0]);
                self.append_length(3 + if tid == 0 { 0 } else { 2 + tid as u16 });
                if tid > 0 {
                    self.append(&[0x80, tid as u8]);
                    let id: Vec<u8> = self.w[reg::TID..reg::TID + tid].to_vec();
                    self.append(&id);
                }
                let unknown = self.w[reg::TX_KIND] == tx::UNKNOWN_PACKAGE;
                self.append(&[
                    0x02,
                    0x01,
                    if unknown {
                        UNKNOWN_PACKAGE
                    } else {
                        UNDEFINED_ERROR
                    },
                ]);
            }
            _ => {}
        }
    }

    /// Produces parts of the request until the block buffer must be sent or filled from elsewhere.
    pub(super) fn produce(&mut self) {
        loop {
            match self.w[reg::TX_PHASE] {
                phase::HEAD => {
                    self.append_head();
                    self.w[reg::TX_PHASE] = phase::PREFIX;
                }
                phase::PREFIX => {
                    if self.room() < PREFIX_MAX {
                        return self.raise(Event::TxSend);
                    }
                    self.append_prefix();
                    self.w[reg::TX_PHASE] = match self.w[reg::TX_KIND] {
                        tx::RESULT => phase::ASK1,
                        tx::ERROR => phase::KEPT,
                        _ => phase::FLUSH,
                    };
                    self.put16(reg::RX_POS, 0);
                }
                phase::ASK1 => {
                    self.put16(reg::SKIP, self.get16(reg::OFF1));
                    self.put16(reg::LEFT, self.get16(reg::LEN1));
                    self.w[reg::TX_PHASE] = phase::PART1;
                    return self.raise(Event::TxQuery);
                }
                phase::ASK2 => {
                    self.put16(reg::SKIP, self.get16(reg::OFF2));
                    self.put16(reg::LEFT, self.get16(reg::LEN2));
                    self.w[reg::TX_PHASE] = phase::PART2;
                    return self.raise(Event::TxQuery);
                }
                phase::PART1 | phase::PART2 => {
                    if self.get16(reg::LEFT) > 0 {
                        let full = self.room() == 0;
                        return self.raise(if full { Event::TxSend } else { Event::TxRead });
                    }
                    let more = self.w[reg::TX_PHASE] == phase::PART1 && self.get16(reg::LEN2) > 0;
                    self.w[reg::TX_PHASE] = if more { phase::ASK2 } else { phase::FLUSH };
                }
                phase::KEPT => {
                    let (pos, len) = (self.get16(reg::RX_POS), self.get16(reg::RX_LEN));
                    if pos == len {
                        self.w[reg::TX_PHASE] = phase::FLUSH;
                        continue;
                    }
                    let n = self.room().min(len - pos);
                    if n == 0 {
                        return self.raise(Event::TxSend);
                    }
                    let part: Vec<u8> = self.rx[usize::from(pos)..usize::from(pos + n)].to_vec();
                    self.append(&part);
                    self.put16(reg::RX_POS, pos + n);
                }
                phase::FLUSH => {
                    self.w[reg::TX_PHASE] = phase::DONE;
                    if self.get16(reg::SEG_LEN) > 0 {
                        return self.raise(Event::TxSend);
                    }
                }
                _ => return self.raise(Event::TxDone),
            }
        }
    }

    /// Reads from the eUICC: what must be skipped first, then what fits the block buffer.
    pub(super) fn read_part(&mut self) {
        let skip = self.get16(reg::SKIP);
        let most = if skip > 0 {
            skip.min(BUFFER as u16)
        } else {
            self.get16(reg::LEFT).min(self.room())
        };
        self.read(most);
    }

    pub(super) fn take_part(&mut self) {
        let n = self.answer.len() as u16;
        let skip = self.get16(reg::SKIP);
        let wanted = if skip > 0 {
            skip
        } else {
            self.get16(reg::LEFT).min(self.room())
        };
        if n == 0 || n > wanted {
            // The answer is shorter than when it was measured.
            self.put16(reg::DETAIL, u16::from(self.w[reg::TX_PHASE]));
            return self.raise(Event::ScanBad);
        }
        if skip > 0 {
            self.put16(reg::SKIP, skip - n);
            return self.raise(Event::TxRead);
        }
        let part = core::mem::take(&mut self.answer);
        self.append(&part);
        self.put16(reg::LEFT, self.get16(reg::LEFT) - n);
        self.raise(Event::Next);
    }

    /// Gets ready for the answer to the request.
    pub(super) fn begin_answer(&mut self) {
        let poll = self.w[reg::TX_KIND] == tx::POLL;
        self.w[reg::HTTP] = super::codes::http::STATUS;
        self.put16(reg::HTTP_POS, 0);
        self.put16(reg::HTTP_CODE, 0);
        self.w[reg::HTTP_HAS_LENGTH] = 0;
        self.put16(reg::BODY_LEFT, 0);
        self.put16(reg::SEG_LEN, 0);
        self.put16(reg::RX_LEN, 0);
        self.put16(reg::RX_POS, 0);
        self.w[reg::ACKS] = 0;
        self.w[reg::BLOCK] = 0;
        self.w[reg::TID_LEN] = 0;
        self.begin_scan(if poll {
            super::grammar::node::POLL
        } else {
            super::grammar::node::RESULT
        });
    }
}

/// Bytes of the EID's data object: 5A, length, 16 bytes.
const EID_OBJECT: u16 = 18;
/// Most bytes of the beginning of a body.
pub const PREFIX_MAX: u16 = 48;
/// unknownPackage of EimPackageResultErrorCode (SGP.32 6.3.2.7).
pub const UNKNOWN_PACKAGE: u8 = 2;
/// undefinedError of EimPackageResultErrorCode.
pub const UNDEFINED_ERROR: u8 = 127;
