//! `ipae trace`: bytes to names.

use super::failure::Failure;
use super::output::Out;
use applet_model::apdu::{Command, Response};
use applet_model::{cat, sgp, tlv};
use clap::{Args, ValueEnum};
use host_bridge::exit;
use std::io::Read;

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae trace D0098103012100820281...
  ipae trace BF4F125A10890490320000000000000000000000018A
  ipae trace --kind response 9110
  cut -d' ' -f2 log.txt | ipae trace -

Spaces and colons in the bytes are ignored. Without --kind the first bytes decide: D0 a
proactive command, D1, D6, D7 and the like an envelope, BF.. and 30 a data object of SGP.32 or
SGP.22, anything else a command APDU.")]
pub struct Trace {
    /// Bytes in hexadecimal, one message each; `-` reads lines from standard input
    #[arg(required = true, value_name = "HEX")]
    messages: Vec<String>,
    /// What the bytes are
    #[arg(long, value_enum)]
    kind: Option<Kind>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Command APDU
    Command,
    /// Response APDU
    Response,
    /// Proactive command (D0...)
    Proactive,
    /// Data of TERMINAL RESPONSE
    TerminalResponse,
    /// Data of ENVELOPE
    Envelope,
    /// ESipa, ES10 or another data object of SGP.32 and SGP.22
    Sgp,
}

impl Trace {
    pub fn run(self, out: &Out) -> Result<(), Failure> {
        let mut texts = Vec::new();
        for message in &self.messages {
            if message == "-" {
                let mut all = String::new();
                std::io::stdin()
                    .read_to_string(&mut all)
                    .map_err(|e| Failure::new(exit::FAILED, format!("standard input: {e}")))?;
                texts.extend(all.lines().map(str::to_owned));
            } else {
                texts.push(message.clone());
            }
        }
        let mut rows = Vec::new();
        for text in texts.iter().filter(|text| !text.trim().is_empty()) {
            let bytes = bytes(text)?;
            let kind = self.kind.unwrap_or_else(|| guess(&bytes));
            rows.push((hex::encode_upper(&bytes), decode(kind, &bytes)));
        }
        let value: Vec<_> = rows
            .iter()
            .map(|(bytes, text)| serde_json::json!({"bytes": bytes, "text": text}))
            .collect();
        out.print(&value, |w| {
            rows.iter()
                .try_for_each(|(_, text)| writeln!(w, "{}", text.trim_end()))
        })
    }
}

fn bytes(text: &str) -> Result<Vec<u8>, Failure> {
    let digits: String = text
        .chars()
        .filter(|c| !c.is_whitespace() && *c != ':')
        .collect();
    hex::decode(&digits).map_err(|e| {
        Failure::new(exit::USAGE, format!("{text:?}: {e}"))
            .next("give bytes as pairs of hexadecimal digits")
    })
}

fn guess(bytes: &[u8]) -> Kind {
    match bytes {
        [0xD0, ..] => Kind::Proactive,
        [0xD1..=0xDF, ..] => Kind::Envelope,
        [0xBF | 0x30, ..] if tlv::read_one(bytes).is_ok() => Kind::Sgp,
        [_, _] => Kind::Response,
        _ => Kind::Command,
    }
}

fn decode(kind: Kind, bytes: &[u8]) -> String {
    match kind {
        Kind::Proactive => cat::describe_proactive(bytes),
        Kind::TerminalResponse => cat::describe_response(bytes),
        Kind::Envelope => cat::describe_envelope(bytes),
        Kind::Sgp => sgp::describe(bytes),
        Kind::Response => match Response::parse(bytes) {
            Some(response) => {
                let mut text = response.sw.to_string();
                if !response.data.is_empty() {
                    text.push('\n');
                    text.push_str(&decode(guess(&response.data), &response.data));
                }
                text
            }
            None => "shorter than a status word".to_owned(),
        },
        Kind::Command => command(bytes),
    }
}

/// A command's header in words and its data decoded.
fn command(bytes: &[u8]) -> String {
    let command = match Command::parse(bytes) {
        Ok(command) => command,
        Err(error) => return format!("no command APDU: {error}"),
    };
    let name = command.name();
    let mut text = format!(
        "{name} (CLA {:02X}, INS {:02X}, P1-P2 {:02X}{:02X}, channel {}), {} bytes",
        command.cla,
        command.ins,
        command.p1,
        command.p2,
        command.channel(),
        command.data.len()
    );
    let inner = match command.ins {
        0x14 => Some(cat::describe_response(&command.data)),
        0xC2 => Some(cat::describe_envelope(&command.data)),
        0xE2 if matches!(command.data.first(), Some(0xBF)) => Some(sgp::describe(&command.data)),
        _ => None,
    };
    if let Some(inner) = inner {
        text.push('\n');
        text.push_str(inner.trim_end());
    }
    text
}
