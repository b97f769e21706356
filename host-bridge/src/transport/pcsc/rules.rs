//! How an APDU goes over the protocol that card and reader agreed on, and back.
//!
//! T=0 has no command with data and Le: the command goes as case 3, the card says 61xx, the answer is
//! fetched (ISO/IEC 7816-3 12.2.4). Many readers and drivers send what they get as it is, and the card
//! finds a byte too many. Extended length over T=0 takes ENVELOPE (12.2.5), which no card here is
//! known to want: commands stay short, and Le beyond 256 becomes 256 with 61xx for the rest.

use super::super::LinkError;
use super::quirks::Quirk;
use applet_model::apdu::{Command, Response};
use std::time::Duration;

/// Most command data bytes of a short APDU.
const SHORT: usize = 255;
/// Most bytes of an extended APDU's data (ISO/IEC 7816-3 12.1.3).
const EXTENDED: usize = 65535;

/// The rules for one link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rules {
    reader: String,
    t0: bool,
    keep_le: bool,
    strip_le: bool,
    /// Most command data bytes; more than 255: extended length goes.
    most: usize,
    /// Pause after each reset.
    pub pause: Duration,
}

impl Rules {
    /// For a reader of this name. `limit` is what its driver says of its longest APDU data
    /// (`dwMaxAPDUDataSize`, PC/SC part 10): 0 means short only, none means nothing is known.
    pub fn new(reader: &str, t0: bool, limit: Option<u32>, quirks: &[&Quirk]) -> Self {
        let short = t0 || quirks.iter().any(|q| q.short_only);
        let mut most = match limit {
            _ if short => SHORT,
            Some(0) => SHORT,
            Some(n) => usize::try_from(n).unwrap_or(EXTENDED).min(EXTENDED),
            None => EXTENDED,
        };
        for quirk in quirks {
            most = most.min(quirk.max_data.map_or(EXTENDED, usize::from));
        }
        let pause = quirks.iter().filter_map(|q| q.reset_pause_ms).max();
        Rules {
            reader: reader.to_owned(),
            t0,
            keep_le: quirks.iter().any(|q| q.keep_le),
            strip_le: quirks.iter().any(|q| q.strip_le),
            most,
            pause: Duration::from_millis(pause.unwrap_or_default().into()),
        }
    }

    /// Most command data bytes.
    pub fn longest_data(&self) -> usize {
        self.most
    }

    /// The bytes for the reader.
    ///
    /// # Errors
    /// [`LinkError::TooLong`]: nothing was sent.
    pub fn encode(&self, command: &Command) -> Result<Vec<u8>, LinkError> {
        if command.data.len() > self.most {
            return Err(LinkError::TooLong {
                name: self.reader.clone(),
                bytes: command.data.len(),
                most: self.most,
                why: match self.t0 {
                    true => "T=0 carries short APDUs",
                    false => "its driver or a known fault of it says so",
                },
            });
        }
        let case4 = !command.data.is_empty() && command.le.is_some();
        let strip = case4 && (self.t0 && !self.keep_le || self.strip_le);
        let long = self.most <= SHORT && command.le.is_some_and(|le| le > 256);
        if !strip && !long {
            return Ok(command.to_bytes());
        }
        let mut command = command.clone();
        command.le = match strip {
            true => None,
            false => Some(256),
        };
        Ok(command.to_bytes())
    }

    /// The reader's answer as the card's.
    ///
    /// # Errors
    /// [`LinkError::ShortAnswer`], [`LinkError::LongAnswer`].
    pub fn decode(&self, command: &Command, answer: &[u8]) -> Result<Response, LinkError> {
        let what = || {
            let header = [command.cla, command.ins, command.p1, command.p2];
            (self.reader.clone(), hex::encode_upper(header))
        };
        let long = command.data.len() > SHORT || command.le.is_some_and(|le| le > 256);
        let most = match long && self.most > SHORT {
            true => EXTENDED + 1,
            false => 256,
        };
        match Response::parse(answer) {
            None => {
                let (name, command) = what();
                Err(LinkError::ShortAnswer {
                    name,
                    command,
                    bytes: answer.len(),
                })
            }
            Some(response) if response.data.len() > most => {
                let (name, command) = what();
                Err(LinkError::LongAnswer {
                    name,
                    command,
                    bytes: response.data.len(),
                    most,
                })
            }
            Some(response) => Ok(response),
        }
    }
}
