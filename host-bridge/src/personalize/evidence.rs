//! The last commands of a card, kept as evidence for when it fails.

use crate::transport::{CardLink, Counted, LinkError, Traffic};
use applet_gen::gp::command::{INS_LOAD, INS_PUT_KEY, INS_STORE_DATA};
use applet_model::apdu::{Command, Response};
use std::collections::VecDeque;

/// Commands kept.
const KEPT: usize = 16;
/// Data bytes of a command or answer that are shown.
const SHOWN: usize = 40;

/// A link that counts, and remembers its last commands with their answers.
pub struct Recorded<L> {
    link: Counted<L>,
    last: VecDeque<String>,
}

impl<L: CardLink> Recorded<L> {
    /// Remembers nothing yet.
    pub fn new(link: L) -> Self {
        Recorded {
            link: Counted::new(link),
            last: VecDeque::with_capacity(KEPT),
        }
    }

    /// What went over the link.
    pub fn traffic(&self) -> Traffic {
        self.link.traffic
    }

    /// The last commands with their answers, one a line.
    pub fn evidence(&self) -> Vec<String> {
        self.last.iter().cloned().collect()
    }

    fn remember(&mut self, line: String) {
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }
}

/// A command as evidence shows it: what may carry keys or personal data shows its length alone.
fn command(command: &Command) -> String {
    let header = hex::encode_upper([command.cla, command.ins, command.p1, command.p2]);
    let data = match command.ins {
        INS_PUT_KEY | INS_STORE_DATA if !command.data.is_empty() => {
            format!("[{} bytes not shown]", command.data.len())
        }
        INS_LOAD => format!("[{} bytes]", command.data.len()),
        _ => shortened(&command.data),
    };
    format!("{header} {data}").trim_end().to_owned()
}

fn shortened(data: &[u8]) -> String {
    match data.get(..SHOWN) {
        Some(first) if data.len() > SHOWN => {
            format!("{}… ({} bytes)", hex::encode_upper(first), data.len())
        }
        _ => hex::encode_upper(data),
    }
}

impl<L: CardLink> CardLink for Recorded<L> {
    fn atr(&self) -> &[u8] {
        self.link.atr()
    }

    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        let answer = self.link.reset();
        let line = match &answer {
            Ok(atr) => format!("reset > {}", hex::encode_upper(atr)),
            Err(error) => format!("reset > {error}"),
        };
        self.remember(line);
        answer
    }

    fn transmit(&mut self, sent: &Command) -> Result<Response, LinkError> {
        let answer = self.link.transmit(sent);
        let line = match &answer {
            Ok(response) => {
                let data = shortened(&response.data);
                let space = if data.is_empty() { "" } else { " " };
                format!("{} > {data}{space}{:04X}", command(sent), response.sw.0)
            }
            Err(error) => format!("{} > {error}", command(sent)),
        };
        self.remember(line);
        answer
    }

    fn name(&self) -> String {
        self.link.name()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::fake::Scripted;

    #[test]
    fn the_last_commands_without_what_may_be_a_key() {
        let key = "5A".repeat(16);
        let put = [INS_PUT_KEY, INS_STORE_DATA].map(|ins| format!("84{ins:02X}308110{key}"));
        let mut script: Vec<(&str, &str)> = put.iter().map(|c| (c.as_str(), "9000")).collect();
        script.extend([("00A4040005A0A0A0A0A0", "61029000"); KEPT]);
        let mut link = Recorded::new(Scripted::new(&script));
        for ins in [INS_PUT_KEY, INS_STORE_DATA] {
            let put = Command::new(0x84, ins, 0x30, 0x81).with_data(vec![0x5A; 16]);
            link.transmit(&put).unwrap();
        }
        let lines = link.evidence();
        assert_eq!(lines[0], "84D83081 [16 bytes not shown] > 9000");
        assert!(!lines.concat().contains("5A5A"));
        let select = Command::new(0x00, 0xA4, 0x04, 0x00).with_data(vec![0xA0; 5]);
        for _ in 0..KEPT {
            link.transmit(&select).unwrap();
        }
        let lines = link.evidence();
        assert_eq!(lines.len(), KEPT);
        assert_eq!(lines[0], "00A40400 A0A0A0A0A0 > 6102 9000");
        assert_eq!(link.traffic().apdus, KEPT as u64 + 2);
    }
}
