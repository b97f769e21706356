//! The eIM's answer: HTTP/1.1 and the ESipa message in it, and the address of the eIM.

use super::codes::{Event, http, kind, tx};
use super::grammar::{Op, node};
use super::layout::reg;
use super::scan::step;
use super::{Machine, templates};

/// Longest HTTP header that is read, in bytes.
pub const HTTP_MAX: u16 = 2048;
/// noEimPackageAvailable (SGP.32 6.3.2.6).
pub const NO_EIM_PACKAGE_AVAILABLE: u8 = 1;
/// HTTP status of an answer with a body.
pub const HTTP_OK: u16 = 200;
/// HTTP status of an answer without one.
pub const HTTP_NO_CONTENT: u16 = 204;
/// Thousands of bytes of a body at most.
pub const BODY_KILO_MAX: u16 = 999;

impl Machine {
    /// Goes through the received bytes until a block is full, the answer is complete, or no bytes
    /// are left.
    pub(super) fn feed(&mut self) {
        loop {
            if self.w[reg::HTTP] == http::BODY {
                if !self.is_http_ok() {
                    self.put16(reg::DETAIL, self.get16(reg::HTTP_CODE));
                    return self.raise(Event::RxHttp);
                }
                if self.w[reg::ENDED] == 1 {
                    return self.raise(Event::RxLast);
                }
                if self.body_is_complete() {
                    return self.body_done();
                }
                if self.block_is_full() {
                    // Before the size of the command is known, nothing of it can be given.
                    let sized = self.w[reg::SIZED] == 1 || self.w[reg::SC_RELAY] == 1;
                    return if sized {
                        self.raise(Event::RxBlock)
                    } else {
                        self.unfit()
                    };
                }
            }
            let pos = self.get16(reg::RX_POS);
            if pos >= self.get16(reg::RX_LEN) {
                break;
            }
            let b = self.rx[usize::from(pos)];
            self.put16(reg::RX_POS, pos + 1);
            if self.w[reg::HTTP] == http::BODY {
                self.body_byte(b);
                if self.w[reg::SC_STEP] == step::BAD {
                    return self.bad_answer();
                }
            } else {
                self.header_byte(b);
                if self.w[reg::HTTP] == http::BAD {
                    return self.bad_answer();
                }
            }
        }
        self.raise(if self.w[reg::AVAILABLE] == 0 {
            Event::RxWait
        } else {
            Event::RxMore
        });
    }

    /// HandleNotification has an answer without a body (SGP.32 6.1.1).
    fn is_http_ok(&self) -> bool {
        let code = self.get16(reg::HTTP_CODE);
        code == HTTP_OK || code == HTTP_NO_CONTENT && self.w[reg::TX_KIND] == tx::NOTICE
    }

    fn bad_answer(&mut self) {
        self.w[reg::DETAIL] = self.w[reg::HTTP];
        self.w[reg::DETAIL + 1] = self.w[reg::SC_STEP];
        self.raise(Event::RxBad);
    }

    /// A byte of the body. A header goes to the block buffer, and from there again at its end if the object isn't
    /// for the eUICC.
    fn body_byte(&mut self, b: u8) {
        let left = self.get16(reg::BODY_LEFT);
        if left == 0 {
            self.put16(reg::BODY_KILO, self.get16(reg::BODY_KILO) - 1);
            self.put16(reg::BODY_LEFT, 999);
        } else {
            self.put16(reg::BODY_LEFT, left - 1);
        }
        let relays = self.w[reg::SC_RELAY] == 1;
        let in_header = self.w[reg::SC_STEP] < step::VALUE;
        let op = self.w[reg::SC_OP];
        let in_rest = self.w[reg::SC_NODE] == node::REST;
        if relays || if in_header { !in_rest } else { keeps(op) } {
            self.append(&[b]);
        } else if !in_header && op == Op::Hold as u8 {
            self.hold_byte(b);
        }
        self.scan_byte(b);
        let step = self.w[reg::SC_STEP];
        let relays = self.w[reg::SC_RELAY] == 1;
        let ended = in_header && (step == step::TAG || step >= step::VALUE);
        let op = self.w[reg::SC_OP];
        if ended && !relays && !in_rest && !keeps(op) && op != Op::Hold as u8 {
            let header = u16::from(self.w[reg::SC_HEADER]);
            self.put16(reg::SEG_LEN, self.get16(reg::SEG_LEN) - header);
        }
    }

    /// The body is complete: what was it?
    fn body_done(&mut self) {
        if self.w[reg::SC_RELAY] == 1 {
            return self.raise(Event::RxLast);
        }
        let found = self.w[reg::KIND];
        if found == kind::REFUSED {
            return self.raise(Event::RxRefused);
        }
        if self.w[reg::SC_STEP] != step::TAG {
            return self.bad_answer();
        }
        if self.w[reg::TX_KIND] == tx::NOTICE {
            return self.raise(Event::RxTaken);
        }
        let poll = self.w[reg::TX_KIND] == tx::POLL;
        self.put16(reg::DETAIL, u16::from(self.w[reg::CODE]));
        match found {
            kind::CODE if poll && self.w[reg::CODE] == NO_EIM_PACKAGE_AVAILABLE => {
                self.raise(Event::RxNone)
            }
            kind::CODE => self.raise(Event::RxCode),
            kind::ACKS if self.w[reg::ACKS] > 0 => self.raise(Event::RxAcks),
            kind::ACKS | kind::EMPTY => self.raise(Event::RxEmpty),
            kind::UNKNOWN => self.raise(Event::RxUnknown),
            kind::TRIGGER | kind::ORDERED => self.raise(Event::RxTrigger),
            kind::DATA => self.raise(Event::RxData),
            kind::STEP => self.step_done(),
            _ => self.bad_answer(),
        }
    }

    /// A byte of the HTTP header (RFC 9112): status line, then fields, of which Content-Length is
    /// read and Transfer-Encoding refused.
    fn header_byte(&mut self, b: u8) {
        let pos = self.get16(reg::HTTP_POS);
        if pos >= HTTP_MAX {
            self.w[reg::HTTP] = http::BAD;
            return;
        }
        self.put16(reg::HTTP_POS, pos + 1);
        match self.w[reg::HTTP] {
            http::STATUS => self.status_byte(pos, b),
            http::NAME => self.name_byte(b),
            http::LENGTH => match b {
                b'0'..=b'9' => {
                    let n = self.get16(reg::BODY_LEFT) * 10 + u16::from(b - b'0');
                    let kilo = self.get16(reg::BODY_KILO) * 10 + n / 1000;
                    if kilo > BODY_KILO_MAX {
                        self.w[reg::HTTP] = http::BAD;
                        return;
                    }
                    self.put16(reg::BODY_LEFT, n % 1000);
                    self.put16(reg::BODY_KILO, kilo);
                    self.w[reg::HTTP_HAS_LENGTH] = 1;
                }
                b' ' | b'\r' => {}
                b'\n' => self.begin_line(),
                _ => self.w[reg::HTTP] = http::BAD,
            },
            _ => {
                if b == b'\n' {
                    self.begin_line();
                }
            }
        }
    }

    fn begin_line(&mut self) {
        self.w[reg::HTTP] = http::NAME;
        self.w[reg::HTTP_M1] = 0;
        self.w[reg::HTTP_M2] = 0;
    }

    fn status_byte(&mut self, pos: u16, b: u8) {
        let version = templates::HTTP_VERSION;
        let fits = match pos {
            7 => true,
            0..9 => b == version[usize::from(pos)],
            9..12 => {
                let digit = b.is_ascii_digit();
                if digit {
                    let code = self.get16(reg::HTTP_CODE) * 10 + u16::from(b - b'0');
                    self.put16(reg::HTTP_CODE, code);
                }
                digit
            }
            _ => true,
        };
        if !fits {
            self.w[reg::HTTP] = http::BAD;
        } else if b == b'\n' {
            if pos < 12 {
                self.w[reg::HTTP] = http::BAD
            } else {
                self.begin_line()
            }
        }
    }

    /// A byte of a field's name; matched against both names at once.
    fn name_byte(&mut self, b: u8) {
        if b == b'\n' {
            // An empty line ends the header; others without a colon are passed over.
            if self.w[reg::HTTP_M1] == 0 && self.w[reg::HTTP_M2] == 0 {
                let no_length = self.w[reg::HTTP_HAS_LENGTH] == 0;
                let refused = no_length && self.get16(reg::HTTP_CODE) == HTTP_OK;
                self.w[reg::HTTP] = if refused { http::BAD } else { http::BODY };
            } else {
                self.begin_line();
            }
            return;
        }
        if b == b'\r' {
            return;
        }
        self.match_name(reg::HTTP_M1, templates::HTTP_LENGTH_NAME, b);
        self.match_name(reg::HTTP_M2, templates::HTTP_CODING_NAME, b);
        if usize::from(self.w[reg::HTTP_M1]) == templates::HTTP_LENGTH_NAME.len() {
            self.w[reg::HTTP] = if self.w[reg::HTTP_HAS_LENGTH] == 1 {
                http::BAD
            } else {
                http::LENGTH
            };
        } else if usize::from(self.w[reg::HTTP_M2]) == templates::HTTP_CODING_NAME.len() {
            self.w[reg::HTTP] = http::BAD;
        } else if b == b':' {
            self.w[reg::HTTP] = http::SKIP;
        }
    }

    fn match_name(&mut self, register: usize, name: &[u8], b: u8) {
        let at = usize::from(self.w[register]);
        let fits = at < name.len() && b.to_ascii_lowercase() == name[at];
        self.w[register] = if fits { at as u8 + 1 } else { MISMATCH };
    }

    /// Finds the address of the chosen eIM: an IPv4 address in `eimFqdn`, or the configured one for
    /// a name. A port may follow after a colon, which is this project's own extension for labs.
    pub(super) fn resolve_eim(&mut self) {
        self.put16(reg::DETAIL, u16::from(self.w[reg::EIM_COUNT]));
        if self.w[reg::EIM_INDEX] >= self.w[reg::EIM_COUNT] {
            // The list became shorter: start over with the first at the next session.
            self.w[reg::EIM_INDEX] = 0;
        }
        let len = usize::from(self.w[reg::FQDN_LEN]);
        if len == 0 {
            return self.raise(Event::Fail);
        }
        let mut numbers = 0;
        let mut digits = 0;
        let mut value = 0u16;
        let mut is_address = true;
        let mut port_at = len;
        for i in 0..len {
            let b = self.w[reg::FQDN + i];
            if b == b':' {
                port_at = i;
                break;
            }
            if b.is_ascii_digit() && digits < 3 {
                value = value * 10 + u16::from(b - b'0');
                digits += 1;
            } else if b == b'.' && digits > 0 && numbers < 3 && value < 256 {
                self.w[reg::EIM_ADDRESS + numbers] = value as u8;
                numbers += 1;
                digits = 0;
                value = 0;
            } else {
                is_address = false;
            }
        }
        if is_address && numbers == 3 && digits > 0 && value < 256 {
            self.w[reg::EIM_ADDRESS + 3] = value as u8;
        } else {
            self.w
                .copy_within(reg::ADDRESS..reg::ADDRESS + 4, reg::EIM_ADDRESS);
            if self.w[reg::ADDRESS] == 0 {
                return self.raise(Event::Fail);
            }
        }
        let mut port = self.get16(reg::PORT);
        if port_at < len {
            port = 0;
            for i in port_at + 1..len {
                let b = self.w[reg::FQDN + i];
                if !b.is_ascii_digit() || port > (0x7FFF - 9) / 10 {
                    return self.raise(Event::Fail);
                }
                port = port * 10 + u16::from(b - b'0');
            }
        }
        self.put16(reg::EIM_PORT, port);
        self.raise(Event::EimFound);
    }
}

/// A name that no longer fits.
pub const MISMATCH: u8 = 127;

fn keeps(op: u8) -> bool {
    Op::ALL.get(usize::from(op)).is_some_and(|op| op.keeps())
}
