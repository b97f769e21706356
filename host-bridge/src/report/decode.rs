//! Records of a scenario as lines for people.

use crate::scenario::ScenarioReport;
use crate::terminal::{Record, What};
use applet_model::apdu::{Command, Response};
use applet_model::{sgp, tlv};
use serde::Serialize;

/// How a line is to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tone {
    /// As expected.
    Plain,
    /// A status word or an event that isn't the ordinary one.
    Warn,
    /// Where the scenario failed.
    Failing,
}

/// A line of an exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Number of the APDU.
    pub apdu: u64,
    /// Virtual milliseconds.
    pub at_ms: u64,
    /// Kind: `apdu`, `proactive`, …
    pub kind: &'static str,
    /// What happened, in a line.
    pub text: String,
    /// Decoded to names, in lines; empty if there is nothing more.
    pub detail: String,
    /// The bytes in hexadecimal; empty if there are none.
    pub bytes: String,
    /// How it is to look.
    pub tone: Tone,
}

/// The lines of a scenario's exchange, in order. In a failed scenario the last APDU is marked.
pub fn entries(scenario: &ScenarioReport) -> Vec<Entry> {
    let mut all: Vec<Entry> = scenario.exchange.iter().map(entry).collect();
    if let Some(step) = scenario.steps.iter().find(|step| step.failed)
        && let Some(last) = all
            .iter_mut()
            .rev()
            .find(|e| e.kind == "apdu" && e.apdu >= step.first_apdu)
    {
        last.tone = Tone::Failing;
    }
    all
}

fn entry(record: &Record) -> Entry {
    let mut out = Entry {
        apdu: record.apdu,
        at_ms: record.at_ms,
        kind: "note",
        text: String::new(),
        detail: String::new(),
        bytes: String::new(),
        tone: Tone::Plain,
    };
    match &record.what {
        What::Reset { atr } => {
            out.kind = "reset";
            out.text = "reset".to_owned();
            out.bytes.clone_from(atr);
        }
        What::Apdu {
            command,
            response,
            text,
        } => {
            out.kind = "apdu";
            out.text.clone_from(text);
            out.bytes = format!("{command}\n{response}");
            out.detail = apdu_detail(command, response);
            if !ordinary(response) {
                out.tone = Tone::Warn;
            }
        }
        What::StatusPolls { count } => {
            out.kind = "apdu";
            out.text = format!("STATUS, {count} times: 9000");
        }
        What::Proactive { bytes, text } => {
            out.kind = "proactive";
            (out.text, out.detail) = head_and_rest(text);
            out.bytes.clone_from(bytes);
        }
        What::TerminalResponse { bytes, text } => {
            out.kind = "response";
            (out.text, out.detail) = head_and_rest(text);
            out.bytes.clone_from(bytes);
        }
        What::Envelope { bytes, text } => {
            out.kind = "envelope";
            (out.text, out.detail) = head_and_rest(text);
            out.bytes.clone_from(bytes);
        }
        What::ChannelOpen { channel, asked, to } => {
            out.kind = "network";
            out.text = match asked == to {
                true => format!("channel {channel} connected to {asked}"),
                false => format!("channel {channel} connected to {asked} ({to})"),
            };
        }
        What::ConnectFailed { to, why } => {
            out.kind = "network";
            out.tone = Tone::Warn;
            out.text = format!("no connection to {to}: {why}");
        }
        What::Sent { channel, data } => stream(&mut out, *channel, "to the network", data),
        What::Received { channel, data } => stream(&mut out, *channel, "from the network", data),
        What::ChannelDown { channel, why } => {
            out.kind = "network";
            out.text = format!("channel {channel} is down: {why}");
        }
        What::Network { iccid, imsi, up } => {
            out.kind = "network";
            let service = if *up { "service" } else { "no service" };
            out.text = format!("profile {iccid} (IMSI {imsi}): {service}");
        }
        What::Clock { by_ms } => {
            out.kind = "clock";
            out.text = format!("{} pass", duration(*by_ms));
        }
        What::Note { text } => out.text.clone_from(text),
    }
    out
}

fn stream(out: &mut Entry, channel: u8, direction: &str, data: &str) {
    out.kind = "network";
    out.text = format!("channel {channel}, {direction}: {} bytes", data.len() / 2);
    out.bytes = data.to_owned();
    out.detail = hex::decode(data).map_or_else(|_| String::new(), |bytes| http(&bytes));
}

/// The header of an HTTP message, which is text; the body is told by its size.
fn http(bytes: &[u8]) -> String {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n");
    let head = bytes.get(..end.unwrap_or(0)).unwrap_or_default();
    let body = bytes.len() - end.map_or(0, |end| end + 4);
    if head.is_empty() {
        return String::new();
    }
    let mut text = String::from_utf8_lossy(head).replace('\r', "");
    if body > 0 {
        text.push_str(&format!("\n\n({body} bytes of the body)"));
    }
    text
}

/// Status words that need no second look.
fn ordinary(response: &str) -> bool {
    let sw = response
        .len()
        .checked_sub(4)
        .and_then(|at| response.get(at..))
        .unwrap_or_default();
    sw == "9000"
        || ["61", "6C", "91", "9F"]
            .iter()
            .any(|sw1| sw.starts_with(sw1))
}

/// What an APDU carries, decoded; proactive commands and their answers have lines of their own.
fn apdu_detail(command: &str, response: &str) -> String {
    let parse = |text: &str| hex::decode(text).ok();
    let Some(command) = parse(command).and_then(|bytes| Command::parse(&bytes).ok()) else {
        return String::new();
    };
    let answer = parse(response).and_then(|bytes| Response::parse(&bytes));
    let mut lines = Vec::new();
    if command.ins == 0xE2 {
        lines.push(message(&command.data));
    }
    if let Some(answer) = answer.filter(|_| matches!(command.ins, 0xE2 | 0xC0 | 0xCA)) {
        lines.push(message(&answer.data));
    }
    lines.retain(|line| !line.is_empty());
    lines.join("\n")
}

/// A data object of SGP.32 or SGP.22 decoded to names; empty if the bytes are none that is whole.
pub fn message(bytes: &[u8]) -> String {
    match bytes {
        [0xBF | 0x30, ..] if tlv::read_one(bytes).is_ok() => {
            sgp::describe(bytes).trim_end().to_owned()
        }
        _ => String::new(),
    }
}

/// The first line, and the others.
fn head_and_rest(text: &str) -> (String, String) {
    match text.split_once('\n') {
        Some((head, rest)) => (head.to_owned(), rest.trim_end().to_owned()),
        None => (text.to_owned(), String::new()),
    }
}

/// Milliseconds in words: `30 s`, `1 h 2 min`.
pub fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..120_000 => format!("{} s", ms / 1000),
        120_000..7_200_000 => format!("{} min", ms / 60_000),
        _ => format!("{} h {} min", ms / 3_600_000, ms / 60_000 % 60),
    }
}
