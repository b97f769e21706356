//! State of the APDU object while an applet processes a command (JCRE 9.3, API `APDU`).

use super::error::VmError;
use applet_model::apdu::Command;
use serde::{Deserialize, Serialize};

/// The command on its way in and the response on its way out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApduState {
    /// CLA INS P1 P2 and P3 as T=0 has it (Lc, or Le without data, or 0).
    pub(crate) header: [u8; 5],
    /// Command data.
    pub(crate) incoming: Vec<u8>,
    /// How much of `incoming` the applet has received.
    pub(crate) received: usize,
    /// Length that the terminal expects; `None` if no response was asked for.
    pub(crate) le: Option<u32>,
    /// `getCurrentState`.
    pub(crate) state: i8,
    /// Set by setOutgoingLength: bytes still to send.
    pub(crate) to_send: usize,
    /// What the applet has sent.
    pub(crate) outgoing: Vec<u8>,
}

impl ApduState {
    pub(crate) fn new(command: &[u8]) -> Result<Self, VmError> {
        let parsed = Command::parse(command).map_err(|e| VmError::Apdu(e.to_string()))?;
        let p3 = if parsed.data.is_empty() {
            parsed.le.map_or(0, |le| u8::try_from(le).unwrap_or(0))
        } else {
            u8::try_from(parsed.data.len())
                .map_err(|_| VmError::Apdu("extended length is not supported".into()))?
        };
        Ok(ApduState {
            header: [parsed.cla, parsed.ins, parsed.p1, parsed.p2, p3],
            incoming: parsed.data,
            received: 0,
            le: parsed.le,
            state: 0,
            to_send: 0,
            outgoing: Vec::new(),
        })
    }

    /// Response data that the applet has sent.
    #[must_use]
    pub fn response(&self) -> &[u8] {
        &self.outgoing
    }
}
