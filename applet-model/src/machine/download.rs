//! Indirect profile download (SGP.32 3.2.3.2): how the eIM's answers become ES10b commands.
//!
//! Nothing is held whole. What the eUICC needs of an answer flows through the block buffer; the first block waits
//! until the head of the certificate in it has come, since then the size of the whole command is known. A
//! certificate is held back where the hash of the confirmation code must go before it and comes after it. A bound
//! profile package is cut into commands by its tags alone (SGP.22 2.5.5).

use super::codes::{Event, kind, tx};
use super::grammar::{Op, node};
use super::layout::{AC_MAX, BUFFER, HOLD, reg};
use super::request::{length_len, object_len};
use super::scan::{MEASURE_MAX, step};
use super::{Machine, templates};

/// Bytes kept free in front of an ES10 command for its tag and length.
pub const COMMAND_HEAD: u16 = 5;
/// Bytes of `hashCc` with its head.
pub const HASH_OBJECT: u16 = 34;
/// Longest address of an SM-DP+ in an activation code: it must fit the first block twice over.
pub const DP_MAX: u8 = 100;
/// Thousands of bytes that can follow a certificate at most, so that sums stay below 32768.
pub const KILO_MAX: u16 = 16;
/// Most bytes of a matchingId with its head, where the eIM sends it.
pub const MATCHING_MAX: u16 = 2 + if AC_MAX < 127 { AC_MAX as u16 } else { 127 };
/// What an activation code begins with (SGP.22 4.1).
pub const AC_FORMAT: u8 = b'1';
/// Between the parts of an activation code.
pub const AC_DELIMITER: u8 = b'$';
/// loadBppExecutionError of CancelSessionReason (SGP.22 5.7.14).
pub const LOAD_BPP_EXECUTION_ERROR: u8 = 5;
/// undefinedReason of CancelSessionReason.
pub const UNDEFINED_REASON: u8 = 127;

impl Machine {
    /// Whether the request under way is a step of a download, whose answer goes to the eUICC.
    pub(super) fn is_downloading(&self) -> bool {
        matches!(
            self.w[reg::TX_KIND],
            tx::INITIATE | tx::AUTHENTICATE | tx::PACKAGE
        )
    }

    /// Whether all of the body came.
    pub(super) fn body_is_complete(&self) -> bool {
        self.get16(reg::BODY_LEFT) == 0 && self.get16(reg::BODY_KILO) == 0
    }

    /// Whether the eUICC's answer is measured and what came of it is all in the receive buffer.
    pub(super) fn is_held(&self) -> bool {
        self.w[reg::BLOCK] == 1 && self.get16(reg::LEN1) >= self.get16(reg::RX_LEN)
    }

    /// Takes the activation code apart: format, SM-DP+ address, matchingId (SGP.22 4.1).
    pub(super) fn begin_download(&mut self) {
        self.w[reg::RTID_LEN] = 0;
        self.w[reg::CHALLENGE_LEN] = 0;
        self.w[reg::DP_LEN] = 0;
        self.w[reg::MID_AT] = 0;
        self.w[reg::MID_LEN] = 0;
        if self.w[reg::KIND] == kind::TRIGGER {
            // eimDownloadDataHandling (SGP.32 2.11.1.3): address and matchingId are the eIM's business.
            return self.raise(Event::Start);
        }
        let end = self.w[reg::AC_LEN];
        let byte = |m: &Machine, at: u8| m.w[reg::AC + usize::from(at)];
        if end < 3 || byte(self, 0) != AC_FORMAT || byte(self, 1) != AC_DELIMITER {
            return self.raise(Event::Fail);
        }
        let mut at = 2;
        while at < end && byte(self, at) != AC_DELIMITER {
            at += 1;
        }
        let address = at - 2;
        if address == 0 || address > DP_MAX {
            return self.raise(Event::Fail);
        }
        self.w[reg::DP_LEN] = address;
        if at < end {
            at += 1;
        }
        self.w[reg::MID_AT] = at;
        while at < end && byte(self, at) != AC_DELIMITER {
            at += 1;
        }
        self.w[reg::MID_LEN] = at - self.w[reg::MID_AT];
        self.raise(Event::Start);
    }

    /// Bytes inside of ctxParamsForCommonAuthentication.
    fn context_inside(&self) -> u16 {
        let id = u16::from(self.w[reg::MID_LEN]);
        let id = if id == 0 { 0 } else { object_len(id) };
        id + templates::DEVICE_INFO.len() as u16
    }

    /// Appends ctxParams1 to the block buffer (SGP.22 5.7.13).
    fn append_context(&mut self) {
        let inside = self.context_inside();
        self.append(&[0xA0]);
        self.append_length(inside);
        let id = self.w[reg::MID_LEN];
        if id > 0 {
            let at = reg::AC + usize::from(self.w[reg::MID_AT]);
            let id: Vec<u8> = self.w[at..at + usize::from(id)].to_vec();
            self.append(&[0x80]);
            self.append_length(id.len() as u16);
            self.append(&id);
        }
        self.append(templates::DEVICE_INFO);
    }

    /// The head of a certificate has come: writes the ES10 command's own head. Gives what to do with the
    /// certificate, or `None` if the command can't be made.
    pub(super) fn size_command(&mut self, len: u16) -> Option<Op> {
        let kilo = self.get16(reg::BODY_KILO);
        if kilo > KILO_MAX {
            return None;
        }
        let left = kilo * 1000 + self.get16(reg::BODY_LEFT);
        let tail = left.checked_sub(len)?;
        let header = u16::from(self.w[reg::SC_HEADER]);
        let end = self.get16(reg::SEG_LEN);
        let initiating = self.w[reg::TX_KIND] == tx::INITIATE;
        let mut total = end - COMMAND_HEAD + len;
        let mut op = Op::Keep;
        self.w[reg::SC_NODE] = node::REST;
        if initiating {
            if self.w[reg::DP_LEN] == 0 && tail > 0 {
                // The matchingId follows, and nothing else: its size is known before it came.
                if !(2..=MATCHING_MAX).contains(&tail) {
                    return None;
                }
                self.w[reg::MID_LEN] = tail as u8 - 2;
                self.w[reg::SC_NODE] = node::MATCHING;
            }
            total += object_len(self.context_inside());
        } else if tail == HASH_OBJECT {
            if header + len > HOLD as u16 {
                return None;
            }
            let head = usize::from(end - header)..usize::from(end);
            self.hold = self.seg[head].to_vec();
            self.put16(reg::HOLD_LEN, header);
            self.put16(reg::SEG_LEN, end - header);
            total += HASH_OBJECT;
            op = Op::Hold;
            self.w[reg::SC_NODE] = node::HASH;
        }
        if total > MEASURE_MAX {
            return None;
        }
        let spare = 3 - length_len(total);
        let end = self.get16(reg::SEG_LEN);
        self.seg.copy_within(
            usize::from(COMMAND_HEAD)..usize::from(end),
            usize::from(COMMAND_HEAD - spare),
        );
        let tag = if initiating { 0x38 } else { 0x21 };
        self.put16(reg::SEG_LEN, 0);
        self.append(&[0xBF, tag]);
        self.append_length(total);
        self.put16(reg::SEG_LEN, end - spare);
        self.w[reg::SIZED] = 1;
        Some(op)
    }

    /// Whether the matchingId is as long as the command was made for: an activation code's, or the eIM's.
    fn matching_id_is_known(&self) -> bool {
        self.w[reg::DP_LEN] > 0
            || self.w[reg::MID_LEN] == 0
            || self.w[reg::MID_LEN] == self.w[reg::AC_LEN]
    }

    /// A byte of a certificate that is held back.
    pub(super) fn hold_byte(&mut self, b: u8) {
        self.hold.push(b);
        self.put16(reg::HOLD_LEN, self.hold.len() as u16);
    }

    /// The answer to a step of a download is complete: gives the eUICC what is left of its command.
    pub(super) fn step_done(&mut self) {
        let given = self.w[reg::LAST] == 1 || self.w[reg::SIZED] == 0;
        match self.w[reg::TX_KIND] {
            tx::INITIATE if !given && self.w[reg::RTID_LEN] > 0 && self.matching_id_is_known() => {
                if self.room() < object_len(self.context_inside()) {
                    return self.raise(Event::RxBlock);
                }
                self.append_context();
            }
            tx::AUTHENTICATE if !given => {
                let (pos, len) = (self.get16(reg::HOLD_POS), self.get16(reg::HOLD_LEN));
                let n = self.room().min(len - pos);
                let part: Vec<u8> = self.hold[usize::from(pos)..usize::from(pos + n)].to_vec();
                self.append(&part);
                self.put16(reg::HOLD_POS, pos + n);
                if pos + n < len {
                    return self.raise(Event::RxBlock);
                }
            }
            // Nothing came that can be given, or the eUICC has no answer to all of it.
            _ => return self.unfit(),
        }
        self.raise(Event::RxLast);
    }

    /// The eIM's answer can't be given to the eUICC.
    pub(super) fn unfit(&mut self) {
        self.w[reg::DETAIL] = self.w[reg::TX_KIND];
        self.w[reg::DETAIL + 1] = self.w[reg::SC_STEP];
        self.raise(Event::RxUnfit);
    }

    /// Whether the block buffer must be given to the eUICC before more can be taken. Where a head may follow, there
    /// is room for one.
    pub(super) fn block_is_full(&self) -> bool {
        let len = usize::from(self.get16(reg::SEG_LEN));
        if self.w[reg::SC_RELAY] == 1 || self.w[reg::SC_STEP] == step::VALUE {
            return len == BUFFER;
        }
        self.w[reg::SC_STEP] == step::TAG
            && self.w[reg::SC_NODE] != node::REST
            && len > BUFFER - HEADER_MAX
    }

    /// ES10b.CancelSession (SGP.22 5.7.14): a package that wasn't loaded is another reason than any failure before it.
    pub(super) fn cancel_command(&self) -> Vec<u8> {
        let len = usize::from(self.w[reg::RTID_LEN]);
        let loading = self.w[reg::TX_KIND] == tx::PACKAGE;
        let mut command = vec![0xBF, 0x41, (5 + len) as u8, 0x80, len as u8];
        command.extend(&self.w[reg::RTID..reg::RTID + len]);
        command.extend([
            0x81,
            0x01,
            if loading {
                LOAD_BPP_EXECUTION_ERROR
            } else {
                UNDEFINED_REASON
            },
        ]);
        command
    }
}

/// Most bytes of a data object's head: two of tag, four of length.
pub const HEADER_MAX: usize = 6;
