//! Command and response APDUs (ISO/IEC 7816-3 12.1, ETSI TS 102 221 10.1).

use crate::status::Sw;
use core::fmt;

/// A command APDU.
#[derive(Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Command {
    /// Class byte, with the logical channel in it.
    pub cla: u8,
    /// Instruction byte.
    pub ins: u8,
    /// First parameter.
    pub p1: u8,
    /// Second parameter.
    pub p2: u8,
    /// Command data; its length is Lc. Empty means no Lc.
    pub data: Vec<u8>,
    /// Expected response length, 1 to 65536; `None` means no Le.
    pub le: Option<u32>,
}

/// Why bytes are not a command APDU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ApduError {
    /// Fewer than the four header bytes.
    #[error("an APDU has at least 4 header bytes, {0} came")]
    Header(usize),
    /// The body is of none of the cases 1 to 4 of ISO/IEC 7816-3 12.1.
    #[error("Lc or Le does not fit the APDU's {0} bytes")]
    Length(usize),
}

impl Command {
    /// A command without data and Le (case 1).
    pub fn new(cla: u8, ins: u8, p1: u8, p2: u8) -> Self {
        Command {
            cla,
            ins,
            p1,
            p2,
            data: Vec::new(),
            le: None,
        }
    }

    /// The same command with these data bytes.
    #[must_use]
    pub fn with_data(mut self, data: impl Into<Vec<u8>>) -> Self {
        self.data = data.into();
        self
    }

    /// The same command with this Le (256 for "as many as there are" in short form).
    #[must_use]
    pub fn with_le(mut self, le: u32) -> Self {
        self.le = Some(le);
        self
    }

    /// Reads a command APDU, short or extended.
    ///
    /// # Errors
    /// [`ApduError`] if the bytes are of none of the cases 1 to 4.
    pub fn parse(bytes: &[u8]) -> Result<Self, ApduError> {
        let [cla, ins, p1, p2, body @ ..] = bytes else {
            return Err(ApduError::Header(bytes.len()));
        };
        let mut command = Command::new(*cla, *ins, *p1, *p2);
        let wrong = Err(ApduError::Length(bytes.len()));
        let short_le = |b: u8| if b == 0 { 256 } else { u32::from(b) };
        let long_le = |hi: u8, lo: u8| match u32::from(hi) << 8 | u32::from(lo) {
            0 => 65536,
            n => n,
        };
        match body {
            [] => {}
            [le] => command.le = Some(short_le(*le)),
            [0, hi, lo] => command.le = Some(long_le(*hi, *lo)),
            [0, hi, lo, rest @ ..] => {
                let lc = usize::from(*hi) << 8 | usize::from(*lo);
                if lc == 0 || rest.len() < lc {
                    return wrong;
                }
                command.data = rest[..lc].to_vec();
                match &rest[lc..] {
                    [] => {}
                    [hi, lo] => command.le = Some(long_le(*hi, *lo)),
                    _ => return wrong,
                }
            }
            [lc, rest @ ..] => {
                let lc = usize::from(*lc);
                if lc == 0 || rest.len() < lc {
                    return wrong;
                }
                command.data = rest[..lc].to_vec();
                match &rest[lc..] {
                    [] => {}
                    [le] => command.le = Some(short_le(*le)),
                    _ => return wrong,
                }
            }
        }
        Ok(command)
    }

    /// The bytes on the interface: short form where it fits, else extended.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![self.cla, self.ins, self.p1, self.p2];
        let extended = self.data.len() > 255 || self.le.is_some_and(|le| le > 256);
        if !self.data.is_empty() {
            if extended {
                out.push(0);
                out.extend((self.data.len() as u16).to_be_bytes());
            } else {
                out.push(self.data.len() as u8);
            }
            out.extend(&self.data);
        }
        match self.le {
            Some(le) if extended => {
                if self.data.is_empty() {
                    out.push(0);
                }
                out.extend((le as u16).to_be_bytes());
            }
            Some(le) => out.push(le as u8),
            None => {}
        }
        out
    }

    /// The command's name, by its instruction (ISO/IEC 7816-4, ETSI TS 102 221 10.1.2, GlobalPlatform
    /// Card Specification 11.1.7).
    pub fn name(&self) -> &'static str {
        match self.ins {
            0x10 if self.cla & 0xF0 == 0x80 && self.data.is_empty() => "POLL NOW",
            0x10 => "TERMINAL PROFILE",
            0x12 => "FETCH",
            0x14 => "TERMINAL RESPONSE",
            0x20 => "VERIFY PIN",
            0x50 => "INITIALIZE UPDATE",
            0x70 => "MANAGE CHANNEL",
            0x82 => "EXTERNAL AUTHENTICATE",
            0x88 => "AUTHENTICATE",
            0xA4 => "SELECT",
            0xAA => "TERMINAL CAPABILITY",
            0xB0 => "READ BINARY",
            0xB2 => "READ RECORD",
            0xC0 => "GET RESPONSE",
            0xC2 => "ENVELOPE",
            0xCA | 0xCB => "GET DATA",
            0xD6 => "UPDATE BINARY",
            0xD8 => "PUT KEY",
            0xDC => "UPDATE RECORD",
            0xE2 => "STORE DATA",
            0xE4 => "DELETE",
            0xE6 => "INSTALL",
            0xE8 => "LOAD",
            0xF0 => "SET STATUS",
            0xF2 if self.p1 >= 0x10 => "GET STATUS",
            0xF2 => "STATUS",
            _ => "command",
        }
    }

    /// The logical channel that the class byte names (ETSI TS 102 221 10.1.1): 0 to 19.
    pub fn channel(&self) -> u8 {
        if self.cla & 0x40 != 0 && self.cla != 0xFF {
            4 + (self.cla & 0x0F)
        } else {
            self.cla & 0x03
        }
    }

    /// The same command on logical channel 0 to 19, for a class byte without secure messaging; a number
    /// above 19 is sent as 19.
    #[must_use]
    pub fn on_channel(mut self, channel: u8) -> Self {
        self.cla = match channel {
            0..=3 => self.cla & 0xBC | channel,
            _ => self.cla & 0xA0 | 0x40 | (channel - 4).min(15),
        };
        self
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Command({})", hex::encode_upper(self.to_bytes()))
    }
}

/// A response APDU.
#[derive(Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Response {
    /// Response data.
    pub data: Vec<u8>,
    /// Status word.
    pub sw: Sw,
}

impl Response {
    /// A status word without data.
    pub fn status(sw: Sw) -> Self {
        Response {
            data: Vec::new(),
            sw,
        }
    }

    /// Data and 9000.
    pub fn ok(data: impl Into<Vec<u8>>) -> Self {
        Response {
            data: data.into(),
            sw: Sw::OK,
        }
    }

    /// Reads a response APDU; `None` if there are fewer than two bytes.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (data, sw) = bytes.split_last_chunk::<2>()?;
        Some(Response {
            data: data.to_vec(),
            sw: Sw(u16::from_be_bytes(*sw)),
        })
    }

    /// Data followed by the status word.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.data.clone();
        out.extend(self.sw.0.to_be_bytes());
        out
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Response({})", hex::encode_upper(self.to_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn round_trip(cla: u8, ins: u8, p1: u8, p2: u8,
                      data in proptest::collection::vec(any::<u8>(), 0..600),
                      le in proptest::option::of(1u32..=65536)) {
            let command = Command { cla, ins, p1, p2, data, le };
            prop_assert_eq!(Command::parse(&command.to_bytes()).unwrap(), command);
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Command::parse(&bytes);
            let _ = Response::parse(&bytes);
        }
    }

    #[test]
    fn channels_beyond_three_are_read() {
        assert_eq!(Command::new(0x81, 0xE2, 0, 0).channel(), 1);
        assert_eq!(Command::new(0xC5, 0xE2, 0, 0).channel(), 9);
    }
}
