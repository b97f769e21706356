//! What the card's contacts carry: T=0 or T=1, short or extended length.

use crate::definition::Definition;
use applet_model::apdu::Command;
use applet_model::atr::Atr;
use serde::{Deserialize, Serialize};

/// Most bytes of a short command APDU: header, Lc, 255 bytes, Le (ISO/IEC 7816-3 12.1.3).
const SHORT: usize = 261;

/// Protocol and lengths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Interface {
    /// T=1 instead of T=0.
    pub t1: bool,
    /// Most command data bytes.
    most: u16,
    /// Extended length.
    extended: bool,
}

impl Default for Interface {
    fn default() -> Self {
        Interface {
            t1: false,
            most: 255,
            extended: false,
        }
    }
}

impl Interface {
    /// As the definition has it; the protocol is the first of its ATR.
    pub fn of(definition: &Definition) -> Self {
        let first = Atr::parse(definition.atr.bytes())
            .ok()
            .and_then(|atr| atr.protocols().first().copied());
        Interface {
            t1: first == Some(1),
            most: definition.apdu.max_command_data,
            extended: definition.apdu.extended_length,
        }
    }

    /// Whether a command, as bytes and taken apart, is one that comes through.
    pub fn takes(self, bytes: &[u8], command: &Command) -> bool {
        let short = bytes.len() <= SHORT && command.data.len() <= 255;
        match self.extended {
            true => command.data.len() <= usize::from(self.most),
            false => short,
        }
    }
}
