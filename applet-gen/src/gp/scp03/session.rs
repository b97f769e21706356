//! Secure messaging of an SCP03 session, host side and card side (Amendment D 6.2.4 to 6.2.7).
//!
//! A [`Session`] is one end of the channel: MAC chaining value, encryption counter, security
//! level. The host wraps commands and unwraps responses, the card the other way round; both ends
//! run through the same primitives.

use super::Mode;
use super::crypto::{BLOCK, pad, unpad};
use super::derive::SessionKeys;
use applet_model::apdu::{Command, Response};
use applet_model::status::Sw;
use core::fmt;
use subtle::ConstantTimeEq;

/// Security level of a session (Amendment D table 7-5): which protections commands and responses carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum SecurityLevel {
    /// Authenticated, no secure messaging.
    None = 0x00,
    /// C-MAC.
    CMac = 0x01,
    /// C-DECRYPTION and C-MAC.
    CDecCMac = 0x03,
    /// C-MAC and R-MAC.
    CMacRMac = 0x11,
    /// C-DECRYPTION, C-MAC and R-MAC.
    CDecCMacRMac = 0x13,
    /// C-DECRYPTION, R-ENCRYPTION, C-MAC and R-MAC.
    Full = 0x33,
}

impl SecurityLevel {
    /// The level that P1 of EXTERNAL AUTHENTICATE states; `None` for a value that the table doesn't have.
    pub fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            0x00 => SecurityLevel::None,
            0x01 => SecurityLevel::CMac,
            0x03 => SecurityLevel::CDecCMac,
            0x11 => SecurityLevel::CMacRMac,
            0x13 => SecurityLevel::CDecCMacRMac,
            0x33 => SecurityLevel::Full,
            _ => return None,
        })
    }

    /// Commands carry a C-MAC.
    pub fn c_mac(self) -> bool {
        self as u8 & 0x01 != 0
    }

    /// Command data is encrypted.
    pub fn c_dec(self) -> bool {
        self as u8 & 0x02 != 0
    }

    /// Responses carry an R-MAC.
    pub fn r_mac(self) -> bool {
        self as u8 & 0x10 != 0
    }

    /// Response data is encrypted.
    pub fn r_enc(self) -> bool {
        self as u8 & 0x20 != 0
    }
}

impl fmt::Display for SecurityLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.c_dec(), "C-DECRYPTION"),
            (self.c_mac(), "C-MAC"),
            (self.r_enc(), "R-ENCRYPTION"),
            (self.r_mac(), "R-MAC"),
        ];
        let names: Vec<&str> = parts.iter().filter(|p| p.0).map(|p| p.1).collect();
        if names.is_empty() {
            return f.write_str("authentication only");
        }
        f.write_str(&names.join(" + "))
    }
}

/// Why a message can't be wrapped or unwrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SmError {
    /// Command data with padding and MAC would not fit Lc.
    #[error("{0} bytes of command data are too many: with padding and MAC there is room for {1}")]
    TooLong(usize, usize),
    /// The message is not marked as secure messaging or is shorter than its MAC.
    #[error("the message carries no MAC, the security level {0} asks for one")]
    MissingMac(SecurityLevel),
    /// The MAC is wrong: other keys, another order of messages, or altered on the way.
    #[error("the MAC does not fit the message")]
    WrongMac,
    /// The decrypted data does not end in the padding.
    #[error("the decrypted data has no valid padding")]
    Padding,
}

/// One end of an SCP03 session.
#[derive(Clone)]
pub struct Session {
    keys: SessionKeys,
    level: SecurityLevel,
    chaining: [u8; BLOCK],
    counter: u64,
    /// Most data bytes of a command APDU, secure messaging included.
    limit: usize,
}

impl fmt::Debug for Session {
    /// Level and counter only, never a key or a MAC.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("level", &self.level)
            .field("counter", &self.counter)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// A session before EXTERNAL AUTHENTICATE: MAC chaining value zero, C-MAC only.
    pub fn new(keys: SessionKeys) -> Self {
        Session {
            keys,
            level: SecurityLevel::CMac,
            chaining: [0; BLOCK],
            counter: 0,
            limit: 255,
        }
    }

    /// Commands may carry so many data bytes, secure messaging included: up to 65535 where card and
    /// reader take extended length; 255 if this isn't called.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit.min(65535);
    }

    /// Sets the level that EXTERNAL AUTHENTICATE agreed on: for the commands after it.
    pub fn set_level(&mut self, level: SecurityLevel) {
        self.level = level;
    }

    /// After EXTERNAL AUTHENTICATE the encryption counter starts: 1 for the next command (Amendment D 6.2.6).
    pub fn restart_counter(&mut self) {
        self.counter = 0;
    }

    /// The level now.
    pub fn level(&self) -> SecurityLevel {
        self.level
    }

    /// The session's keys.
    pub fn keys(&self) -> &SessionKeys {
        &self.keys
    }

    /// The most command data bytes that an APDU takes at this level, within [`Session::set_limit`].
    pub fn max_command_data(&self) -> usize {
        room(self.limit, self.level, self.keys.mode())
    }

    /// The most response data bytes that the card may return at this level.
    pub fn max_response_data(&self) -> usize {
        let room = match self.level.r_mac() {
            true => 256 - self.keys.mode().length(),
            false => 256,
        };
        match self.level.r_enc() {
            true => room / BLOCK * BLOCK - 1,
            false => room,
        }
    }

    /// Host: encrypts and MACs a command as the level asks.
    ///
    /// # Errors
    /// [`SmError::TooLong`]; the session is unchanged then.
    pub fn wrap_command(&mut self, command: &Command) -> Result<Command, SmError> {
        if command.data.len() > self.max_command_data() {
            return Err(SmError::TooLong(
                command.data.len(),
                self.max_command_data(),
            ));
        }
        let mut out = command.clone();
        self.counter += 1;
        if self.level.c_dec() && !out.data.is_empty() {
            pad(&mut out.data);
            let icv = self.icv(false);
            self.keys.enc.cbc_encrypt(&icv, &mut out.data);
        }
        if self.level.c_mac() {
            let mac = self.command_mac(&out, out.data.len());
            out.data
                .extend_from_slice(&mac[..self.keys.mode().length()]);
            out.cla = secure_class(out.cla);
            self.chaining = mac;
        }
        Ok(out)
    }

    /// Card: checks a command's MAC and decrypts its data. The class byte comes back without the
    /// secure messaging indication.
    ///
    /// # Errors
    /// [`SmError`]: by Amendment D 5.6 the card answers 6982 (6988 is also seen) and aborts the session.
    pub fn unwrap_command(&mut self, command: &Command) -> Result<Command, SmError> {
        let mut out = command.clone();
        let length = self.keys.mode().length();
        if self.level.c_mac() {
            let split = out.data.len().checked_sub(length);
            let (Some(split), true) = (split, is_secure_class(out.cla)) else {
                return Err(SmError::MissingMac(self.level));
            };
            let received = out.data.split_off(split);
            let mac = self.command_mac(&out, out.data.len());
            if !bool::from(mac[..length].ct_eq(&received)) {
                return Err(SmError::WrongMac);
            }
            self.chaining = mac;
            out.cla = plain_class(out.cla);
        }
        self.counter += 1;
        if self.level.c_dec() && !out.data.is_empty() {
            if !out.data.len().is_multiple_of(BLOCK) {
                return Err(SmError::Padding);
            }
            let icv = self.icv(false);
            self.keys.enc.cbc_decrypt(&icv, &mut out.data);
            let plain = unpad(&out.data).ok_or(SmError::Padding)?.len();
            out.data.truncate(plain);
        }
        Ok(out)
    }

    /// Card: protects a response as the level asks. Error status words go out bare (Amendment D 6.2.5).
    pub fn wrap_response(&mut self, response: Response) -> Response {
        let mut out = response;
        if !is_protected(out.sw) || !self.level.r_mac() {
            return out;
        }
        if self.level.r_enc() && !out.data.is_empty() {
            pad(&mut out.data);
            let icv = self.icv(true);
            self.keys.enc.cbc_encrypt(&icv, &mut out.data);
        }
        let mac = self.response_mac(&out.data, out.sw);
        out.data
            .extend_from_slice(&mac[..self.keys.mode().length()]);
        out
    }

    /// Host: checks a response's MAC and decrypts its data.
    ///
    /// # Errors
    /// [`SmError`]: the response can't be trusted, the session is to be given up.
    pub fn unwrap_response(&mut self, response: Response) -> Result<Response, SmError> {
        let mut out = response;
        if !is_protected(out.sw) || !self.level.r_mac() {
            return Ok(out);
        }
        let length = self.keys.mode().length();
        let Some(split) = out.data.len().checked_sub(length) else {
            return Err(SmError::MissingMac(self.level));
        };
        let received = out.data.split_off(split);
        let mac = self.response_mac(&out.data, out.sw);
        if !bool::from(mac[..length].ct_eq(&received)) {
            return Err(SmError::WrongMac);
        }
        if self.level.r_enc() && !out.data.is_empty() {
            if !out.data.len().is_multiple_of(BLOCK) {
                return Err(SmError::Padding);
            }
            let icv = self.icv(true);
            self.keys.enc.cbc_decrypt(&icv, &mut out.data);
            let plain = unpad(&out.data).ok_or(SmError::Padding)?.len();
            out.data.truncate(plain);
        }
        Ok(out)
    }

    /// The counter block encrypted with S-ENC; for responses its first byte is '80' before (6.2.6, 6.2.7).
    fn icv(&self, response: bool) -> [u8; BLOCK] {
        let mut block = u128::from(self.counter).to_be_bytes();
        if response {
            block[0] = 0x80;
        }
        self.keys.enc.encrypt_block(&mut block);
        block
    }

    /// CMAC over chaining value, header with the MAC's length in Lc, data. `lc` counts without the MAC.
    fn command_mac(&self, command: &Command, lc: usize) -> [u8; BLOCK] {
        let lc = lc + self.keys.mode().length();
        // Logical channel zero, bit 3 set, bit 4 clear, whatever goes over the interface (6.2.4).
        let class = match command.cla & 0x40 {
            0 => command.cla & 0xF0 | 0x04,
            _ => command.cla & 0x80 | 0x04,
        };
        let header = [class, command.ins, command.p1, command.p2];
        let short = [lc as u8];
        let long = [0, (lc >> 8) as u8, lc as u8];
        let lc: &[u8] = if lc > 255 { &long } else { &short };
        self.keys
            .mac
            .cmac(&[&self.chaining, &header, lc, &command.data])
    }

    fn response_mac(&self, data: &[u8], sw: Sw) -> [u8; BLOCK] {
        self.keys
            .rmac
            .cmac(&[&self.chaining, data, &sw.0.to_be_bytes()])
    }
}

/// Command data bytes for which there is room in an APDU of `limit` data bytes at a level: without MAC
/// (Amendment D 6.2.4) and padding (6.2.6).
pub fn room(limit: usize, level: SecurityLevel, mode: Mode) -> usize {
    let room = match level.c_mac() {
        true => limit.saturating_sub(mode.length()),
        false => limit,
    };
    match level.c_dec() {
        // Padding takes at least a byte of the last block.
        true => (room / BLOCK * BLOCK).saturating_sub(1),
        false => room,
    }
}

/// 9000 and the warnings 62xx and 63xx are protected, everything else is an error status word.
fn is_protected(sw: Sw) -> bool {
    sw == Sw::OK || matches!(sw.sw1(), 0x62 | 0x63)
}

/// The class byte with GlobalPlatform secure messaging indicated (GPCS tables 11-11 and 11-12).
pub fn secure_class(cla: u8) -> u8 {
    match cla & 0x40 {
        0 => cla & 0xF3 | 0x04,
        _ => cla | 0x20,
    }
}

/// The class byte without secure messaging indication.
pub fn plain_class(cla: u8) -> u8 {
    match cla & 0x40 {
        0 => cla & 0xF3,
        _ => cla & !0x20,
    }
}

/// True if the class byte indicates GlobalPlatform secure messaging.
pub fn is_secure_class(cla: u8) -> bool {
    match cla & 0x40 {
        0 => cla & 0x0C == 0x04,
        _ => cla & 0x20 != 0,
    }
}
