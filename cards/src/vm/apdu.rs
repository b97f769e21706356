//! State of the APDU object while an applet processes a command (JCRE 9.3, API `APDU`).

use super::error::VmError;
use applet_model::apdu::Command;
use serde::{Deserialize, Serialize};

/// Bytes of the header in the buffer: CLA INS P1 P2 P3.
const HEADER: usize = 5;
/// The same with three bytes of extended length.
const EXTENDED_HEADER: usize = 7;

/// The command on its way in and the response on its way out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApduState {
    /// CLA INS P1 P2 and P3 as T=0 has it (Lc, or Le without data, or 0), or the three bytes of an extended
    /// length.
    pub(crate) header: [u8; EXTENDED_HEADER],
    /// The command has extended lengths.
    pub(crate) extended: bool,
    /// Command data.
    pub(crate) incoming: Vec<u8>,
    /// How much of `incoming` the applet has received.
    pub(crate) received: usize,
    /// Length that the terminal expects; `None` if no response was asked for.
    pub(crate) le: Option<u32>,
    /// `getCurrentState`.
    pub(crate) state: i8,
    /// setOutgoingNoChaining was called.
    pub(crate) no_chaining: bool,
    /// Set by setOutgoingLength: bytes still to send.
    pub(crate) to_send: usize,
    /// What the applet has sent.
    pub(crate) outgoing: Vec<u8>,
}

impl ApduState {
    /// The state before `process()`. `extended` says if the applet takes extended lengths
    /// (`javacardx.apdu.ExtendedLength`).
    pub(crate) fn new(command: &[u8], extended: bool) -> Result<Self, VmError> {
        let parsed = Command::parse(command).map_err(|e| VmError::Apdu(e.to_string()))?;
        let long = parsed.data.len() > 255 || parsed.le.is_some_and(|le| le > 256);
        if long && !extended {
            return Err(VmError::Apdu(
                "extended lengths, which the applet doesn't take (javacardx.apdu.ExtendedLength)"
                    .into(),
            ));
        }
        if parsed.data.len() > usize::from(i16::MAX.cast_unsigned()) {
            return Err(VmError::Apdu("more than 32767 bytes of data".into()));
        }
        let length = if parsed.data.is_empty() {
            parsed.le.map_or(0, |le| u16::try_from(le).unwrap_or(0))
        } else {
            u16::try_from(parsed.data.len()).unwrap_or(0)
        };
        let [high, low] = length.to_be_bytes();
        let mut header = [parsed.cla, parsed.ins, parsed.p1, parsed.p2, low, 0, 0];
        if long {
            header = [parsed.cla, parsed.ins, parsed.p1, parsed.p2, 0, high, low];
        }
        Ok(ApduState {
            header,
            extended: long,
            incoming: parsed.data,
            received: 0,
            le: parsed.le,
            state: 0,
            no_chaining: false,
            to_send: 0,
            outgoing: Vec::new(),
        })
    }

    /// Bytes before the command data in the buffer: 5, or 7 with extended lengths.
    pub(crate) fn data_offset(&self) -> usize {
        if self.extended {
            EXTENDED_HEADER
        } else {
            HEADER
        }
    }

    /// What of the command is in the buffer before the applet receives data.
    pub(crate) fn header(&self) -> &[u8] {
        self.header.get(..self.data_offset()).unwrap_or(&[])
    }

    /// Most bytes that the response may have.
    pub(crate) fn most(&self) -> usize {
        if self.extended { 32767 } else { 256 }
    }

    /// Response data that the applet has sent.
    #[must_use]
    pub fn response(&self) -> &[u8] {
        &self.outgoing
    }
}
