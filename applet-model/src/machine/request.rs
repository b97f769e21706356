//! Requests to the eIM: an ESipa message in HTTP, produced block by block (SGP.32 6.1.1, 6.3.2).
//!
//! A result is never held: its size is measured first, then it flows from the eUICC to SEND DATA
//! through the block buffer.

use super::codes::{Event, phase, tx};
use super::data::DATA_TAIL;
use super::download::COMMAND_HEAD;
use super::grammar::node;
use super::layout::{BUFFER, reg};
use super::{Machine, templates};

/// Second byte of the tags of the messages (SGP.32 6.3.2), by their kind; the first is BF.
pub const MESSAGE_TAGS: [u8; 13] = [
    0x4F, 0x50, 0x50, 0x50, 0x50, 0x39, 0x3B, 0x3A, 0x41, 0x50, 0x3D, 0x50, 0x50,
];
/// Tag of the eUICC's answer in the message: what follows the session's transaction.
const TAG_CANCEL_RESPONSE: u8 = 0xA1;
/// Tag of a pending notification in HandleNotification.
const TAG_PENDING_NOTIFICATION: u8 = 0xA0;

/// Bytes of a DER length.
pub(super) fn length_len(n: u16) -> u16 {
    match n {
        0..=127 => 1,
        128..=255 => 2,
        _ => 3,
    }
}

/// Bytes of a data object with a tag of one byte.
pub(super) fn object_len(n: u16) -> u16 {
    1 + length_len(n) + n
}

impl Machine {
    pub(super) fn prepare_request(&mut self, what: u8) {
        self.w[reg::TX_KIND] = what;
        self.w[reg::TX_PHASE] = phase::HEAD;
        self.put16(reg::SEG_LEN, 0);
    }

    pub(super) fn room(&self) -> u16 {
        BUFFER as u16 - self.get16(reg::SEG_LEN)
    }

    pub(super) fn append(&mut self, bytes: &[u8]) {
        let at = usize::from(self.get16(reg::SEG_LEN));
        let n = bytes.len().min(BUFFER - at);
        self.seg[at..at + n].copy_from_slice(&bytes[..n]);
        self.put16(reg::SEG_LEN, (at + n) as u16);
    }

    pub(super) fn append_length(&mut self, n: u16) {
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

    /// Second byte of the message's tag.
    fn message_tag(&self) -> u8 {
        let kind = usize::from(self.w[reg::TX_KIND]);
        MESSAGE_TAGS.get(kind).copied().unwrap_or(0)
    }

    /// Bytes of the EID's data object; messages of a download's session have none.
    fn eid_len(&self) -> u16 {
        if matches!(self.message_tag(), 0x4F | 0x50) {
            EID_OBJECT
        } else {
            0
        }
    }

    /// Bytes of a data object of one register with its length in front; none if it is empty.
    pub(super) fn field_len(&self, register: usize) -> u16 {
        match self.w[register] {
            0 => 0,
            len => 2 + u16::from(len),
        }
    }

    pub(super) fn append_field(&mut self, tag: u8, register: usize) {
        let len = self.w[register];
        if len > 0 {
            let value: Vec<u8> = self.w[register + 1..register + 1 + usize::from(len)].to_vec();
            self.append(&[tag, len]);
            self.append(&value);
        }
    }

    /// Bytes of the message after the EID's data object.
    fn content_len(&self) -> u16 {
        let (len1, len2) = (self.get16(reg::LEN1), self.get16(reg::LEN2));
        let dp = u16::from(self.w[reg::DP_LEN]);
        match self.w[reg::TX_KIND] {
            tx::POLL => 0,
            tx::RESULT if len2 == 0 => len1,
            tx::RESULT => object_len(len1 + len2),
            tx::ERROR => self.get16(reg::RX_LEN),
            tx::INITIATE => {
                self.field_len(reg::CHALLENGE_LEN)
                    + if dp == 0 { 0 } else { object_len(dp) }
                    + len1
                    + self.field_len(reg::TID_LEN)
            }
            tx::AUTHENTICATE | tx::PACKAGE => self.field_len(reg::RTID_LEN) + len1,
            tx::CANCEL => self.field_len(reg::RTID_LEN) + object_len(len1),
            tx::NOTICE => object_len(len1),
            tx::NOT_DOWNLOADED => 1 + object_len(self.not_downloaded_len()),
            tx::DATA => 1 + object_len(object_len(self.data_inside())),
            tx::DATA_ERROR => 1 + object_len(object_len(3 + self.field_len(reg::TID_LEN))),
            _ => object_len(3 + self.field_len(reg::TID_LEN)),
        }
    }

    /// Bytes inside of ProfileDownloadTriggerResult.
    fn not_downloaded_len(&self) -> u16 {
        self.field_len(reg::TID_LEN) + templates::DOWNLOAD_ERROR.len() as u16
    }

    /// The HTTP header.
    fn append_head(&mut self) {
        let fqdn = usize::from(self.w[reg::FQDN_LEN]);
        let message = self.eid_len() + self.content_len();
        self.append(templates::HTTP_POST);
        let name: Vec<u8> = self.w[reg::FQDN..reg::FQDN + fqdn].to_vec();
        self.append(&name);
        self.append(templates::HTTP_FIELDS);
        self.append_decimal(1 + object_len(message));
        self.append(templates::HTTP_END);
    }

    /// Most bytes of the body up to what flows from elsewhere.
    fn prefix_max(&self) -> u16 {
        if self.w[reg::TX_KIND] == tx::INITIATE {
            PREFIX_MAX + u16::from(self.w[reg::DP_LEN])
        } else {
            PREFIX_MAX
        }
    }

    /// The body up to what flows from elsewhere: at most [`Self::prefix_max`] bytes.
    fn append_prefix(&mut self) {
        let tag = self.message_tag();
        self.append(&[0xBF, tag]);
        self.append_length(self.eid_len() + self.content_len());
        if self.eid_len() > 0 {
            self.append_field(0x5A, reg::EID_LEN);
        }
        match self.w[reg::TX_KIND] {
            tx::RESULT if self.get16(reg::LEN2) > 0 => {
                self.append(&[0x30]);
                self.append_length(self.get16(reg::LEN1) + self.get16(reg::LEN2));
            }
            tx::INITIATE => {
                self.append_field(0x81, reg::CHALLENGE_LEN);
                let dp = usize::from(self.w[reg::DP_LEN]);
                if dp > 0 {
                    let name: Vec<u8> = self.w[reg::AC + 2..reg::AC + 2 + dp].to_vec();
                    self.append(&[0x83]);
                    self.append_length(dp as u16);
                    self.append(&name);
                }
            }
            tx::AUTHENTICATE | tx::PACKAGE => self.append_field(0x80, reg::RTID_LEN),
            tx::CANCEL => {
                self.append_field(0x80, reg::RTID_LEN);
                self.append(&[TAG_CANCEL_RESPONSE]);
                self.append_length(self.get16(reg::LEN1));
            }
            tx::NOTICE => {
                self.append(&[TAG_PENDING_NOTIFICATION]);
                self.append_length(self.get16(reg::LEN1));
            }
            tx::NOT_DOWNLOADED => {
                self.append(&[0xBF, 0x54]);
                self.append_length(self.not_downloaded_len());
                self.append_field(0x82, reg::TID_LEN);
                self.append(templates::DOWNLOAD_ERROR);
            }
            tx::DATA => {
                let inside = self.data_inside();
                self.append(&[0xBF, 0x52]);
                self.append_length(object_len(inside));
                self.append(&[0xA0]);
                self.append_length(inside);
            }
            tx::DATA_ERROR => {
                let inside = 3 + self.field_len(reg::TID_LEN);
                self.append(&[0xBF, 0x52]);
                self.append_length(object_len(inside));
                self.append(&[0xA1]);
                self.append_length(inside);
                self.append_field(0x80, reg::TID_LEN);
                self.append(&[0x02, 0x01, INCORRECT_TAG_LIST]);
            }
            tx::UNKNOWN_PACKAGE | tx::UNDEFINED => {
                self.append(&[0xA0]);
                self.append_length(3 + self.field_len(reg::TID_LEN));
                self.append_field(0x80, reg::TID_LEN);
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
                    if self.room() < self.prefix_max() {
                        return self.raise(Event::TxSend);
                    }
                    self.append_prefix();
                    self.put16(reg::RX_POS, 0);
                    self.put16(reg::LEFT, 0);
                    self.w[reg::TX_PHASE] = match self.w[reg::TX_KIND] {
                        tx::RESULT | tx::INITIATE | tx::NOTICE => phase::ASK1,
                        tx::ERROR => phase::KEPT,
                        tx::DATA => {
                            self.w[reg::PART] = 0;
                            phase::ASK_DATA
                        }
                        tx::AUTHENTICATE | tx::PACKAGE | tx::CANCEL => {
                            let rest = self.get16(reg::LEN1) - self.get16(reg::RX_LEN);
                            self.put16(reg::SKIP, 0);
                            self.put16(reg::LEFT, rest);
                            phase::KEPT
                        }
                        _ => phase::FLUSH,
                    };
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
                    let more = self.w[reg::TX_KIND] == tx::RESULT
                        && self.w[reg::TX_PHASE] == phase::PART1
                        && self.get16(reg::LEN2) > 0;
                    self.w[reg::TX_PHASE] = if more { phase::ASK2 } else { phase::TAIL };
                }
                phase::KEPT => {
                    let (pos, len) = (self.get16(reg::RX_POS), self.get16(reg::RX_LEN));
                    if pos == len {
                        let rest = self.get16(reg::LEFT) > 0;
                        self.w[reg::TX_PHASE] = if rest { phase::PART1 } else { phase::TAIL };
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
                phase::ASK_DATA => {
                    if self.begin_part() {
                        self.w[reg::TX_PHASE] = phase::DATA;
                        return self.raise(Event::TxQuery);
                    }
                    self.w[reg::TX_PHASE] = phase::TAIL;
                }
                phase::DATA => {
                    if self.get16(reg::LEFT) > 0 {
                        let full = self.room() == 0;
                        return self.raise(if full { Event::TxSend } else { Event::TxRead });
                    }
                    self.w[reg::PART] += 1;
                    self.w[reg::TX_PHASE] = phase::ASK_DATA;
                }
                phase::TAIL => {
                    if self.w[reg::TX_KIND] == tx::DATA {
                        if self.room() < DATA_TAIL {
                            return self.raise(Event::TxSend);
                        }
                        self.append_data_tail();
                    }
                    if self.w[reg::TX_KIND] == tx::INITIATE {
                        if self.room() < self.field_len(reg::TID_LEN) {
                            return self.raise(Event::TxSend);
                        }
                        self.append_field(0x82, reg::TID_LEN);
                    }
                    self.w[reg::TX_PHASE] = phase::FLUSH;
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
        let mut part = core::mem::take(&mut self.answer);
        if self.w[reg::TX_PHASE] == phase::DATA
            && let (Some(tag), Some(first)) = (self.new_tag(), part.first_mut())
        {
            *first = tag;
        }
        self.append(&part);
        self.put16(reg::LEFT, self.get16(reg::LEFT) - n);
        self.raise(Event::Next);
    }

    /// Gets ready for the answer to the request.
    pub(super) fn begin_answer(&mut self) {
        let kind = self.w[reg::TX_KIND];
        self.w[reg::HTTP] = super::codes::http::STATUS;
        self.put16(reg::HTTP_POS, 0);
        self.put16(reg::HTTP_CODE, 0);
        self.w[reg::HTTP_HAS_LENGTH] = 0;
        self.put16(reg::BODY_LEFT, 0);
        self.put16(reg::BODY_KILO, 0);
        self.put16(reg::RX_LEN, 0);
        self.put16(reg::RX_POS, 0);
        self.put16(reg::HOLD_LEN, 0);
        self.put16(reg::HOLD_POS, 0);
        self.hold.clear();
        self.w[reg::BLOCK] = 0;
        self.w[reg::LAST] = 0;
        self.w[reg::ENDED] = 0;
        self.w[reg::SIZED] = u8::from(kind == tx::PACKAGE);
        let begun = matches!(kind, tx::INITIATE | tx::AUTHENTICATE);
        self.put16(reg::SEG_LEN, if begun { COMMAND_HEAD } else { 0 });
        if kind != tx::NOTICE {
            self.w[reg::ACKS] = 0;
        }
        if kind == tx::POLL {
            self.w[reg::TID_LEN] = 0;
            self.w[reg::AC_LEN] = 0;
            self.w[reg::TAGS_LEN] = 0;
        }
        self.begin_scan(match kind {
            tx::POLL => node::POLL,
            tx::INITIATE => node::INITIATE,
            tx::AUTHENTICATE => node::AUTHENTICATE,
            tx::PACKAGE => node::PACKAGE,
            tx::CANCEL => node::CANCEL,
            tx::NOTICE => node::NOTIFIED,
            _ => node::RESULT,
        });
    }
}

/// Bytes of the EID's data object: 5A, length, 16 bytes.
const EID_OBJECT: u16 = 18;
/// Most bytes of the beginning of a body, without the address of an SM-DP+.
pub const PREFIX_MAX: u16 = 48;
/// unknownPackage of EimPackageResultErrorCode (SGP.32 6.3.2.7).
pub const UNKNOWN_PACKAGE: u8 = 2;
/// incorrectTagList of IpaEuiccDataErrorCode (SGP.32 2.11.2.2).
pub const INCORRECT_TAG_LIST: u8 = 1;
/// undefinedError of EimPackageResultErrorCode.
pub const UNDEFINED_ERROR: u8 = 127;
