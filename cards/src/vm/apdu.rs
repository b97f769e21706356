//! State of the APDU object while an applet processes a command (JCRE 9.3, API `APDU`).

use serde::{Deserialize, Serialize};

/// The command on its way in and the response on its way out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApduState {
    /// Command data that the applet has not received yet.
    pub(crate) incoming: Vec<u8>,
    /// How much of `incoming` was received.
    pub(crate) received: usize,
    /// Length that the terminal expects; `None` if no response was asked for.
    pub(crate) le: Option<u32>,
    /// `getCurrentState`.
    pub(crate) state: i8,
    /// Set by setOutgoingLength.
    pub(crate) outgoing_length: Option<usize>,
    /// What the applet has sent.
    pub(crate) outgoing: Vec<u8>,
    /// The interindustry or proprietary class byte as received.
    pub(crate) cla: u8,
}

impl ApduState {
    /// Response data that the applet has sent.
    #[must_use]
    pub fn response(&self) -> &[u8] {
        &self.outgoing
    }
}
