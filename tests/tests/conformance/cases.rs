//! Cases: what an applet's source says about each, and how one is run.
//!
//! ```text
//! case 4: // CLAUSE: title [send 0102, le 00, data 0A0B, sw 9000, reset]
//! ```
//!
//! What stands in brackets: command data, Le, expected response data and status word of the first command;
//! and what happens before the next one (`reset`, `reselect`, `next`: nothing, `mate`: another applet of the
//! package runs). Without them, a case is one command that is answered with 9000.

use crate::card::Session;
use crate::packages::{Applet, package};
use applet_model::apdu::Command;
use std::path::Path;

/// What happens between two commands of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Between {
    Nothing,
    Reset,
    Reselect,
    Mate,
}

/// A case.
pub struct Case {
    pub number: u8,
    pub clause: String,
    pub title: String,
    send: Vec<u8>,
    le: Option<u32>,
    data: Vec<u8>,
    sw: u16,
    between: Vec<Between>,
}

fn bytes(text: &str) -> Vec<u8> {
    match text.strip_prefix('+') {
        Some(count) => (0..count.parse::<u16>().unwrap())
            .map(|i| (i & 0xFF) as u8)
            .collect(),
        None => hex::decode(text.trim()).unwrap_or_else(|e| panic!("{text}: {e}")),
    }
}

impl Case {
    /// The cases of a source, in its order.
    pub fn all(source: impl AsRef<Path>) -> Vec<Case> {
        let text = std::fs::read_to_string(source.as_ref()).unwrap();
        text.lines().filter_map(Case::parse).collect()
    }

    fn parse(line: &str) -> Option<Case> {
        let rest = line.trim().strip_prefix("case ")?;
        let (number, rest) = rest.split_once(": // ")?;
        let (clause, rest) = rest
            .split_once(": ")
            .unwrap_or_else(|| panic!("{line}: CLAUSE: title"));
        let (title, options) = match rest.strip_suffix(']').and_then(|r| r.rsplit_once(" [")) {
            Some((title, options)) => (title, options),
            None => (rest, ""),
        };
        let mut case = Case {
            number: number.parse().unwrap(),
            clause: clause.to_owned(),
            title: title.to_owned(),
            send: Vec::new(),
            le: None,
            data: Vec::new(),
            sw: 0x9000,
            between: Vec::new(),
        };
        for option in options.split(", ").filter(|option| !option.is_empty()) {
            let end = option.find([' ', '+']).unwrap_or(option.len());
            let (word, value) = option.split_at(end);
            match word {
                "send" => case.send = bytes(value),
                "data" => case.data = bytes(value),
                "le" => {
                    let le = u32::from_str_radix(value.trim(), 16).unwrap();
                    case.le = Some(if le == 0 { 256 } else { le });
                }
                "sw" => case.sw = u16::from_str_radix(value.trim(), 16).unwrap(),
                "reset" => case.between.push(Between::Reset),
                "reselect" => case.between.push(Between::Reselect),
                "next" => case.between.push(Between::Nothing),
                "mate" => case.between.push(Between::Mate),
                other => panic!("case {number}: {other:?} is no option"),
            }
        }
        if case.le.is_none() && !case.data.is_empty() {
            case.le = Some(256);
        }
        Some(case)
    }
}

/// Runs a case; the applet is installed if it isn't yet.
pub fn run(session: &mut Session, applet: &Applet, case: &Case) -> Result<(), String> {
    let selected = session.transmit(&applet_gen::gp::command::select(&applet.aid));
    if !selected.sw.is_ok() {
        session.install(applet, &[]);
    }
    for phase in 0..=case.between.len() {
        let mut command = Command::new(0x80, 0x30, case.number, phase as u8);
        let (mut data, mut sw) = (&Vec::new(), 0x9000);
        if phase == 0 {
            command = command.with_data(case.send.clone());
            command.le = case.le;
            (data, sw) = (&case.data, case.sw);
        }
        let response = session.transmit(&command);
        let found = response.sw.0;
        if found != sw {
            let fault = session.card.take_fault();
            return Err(match found {
                0x6B01..=0x6BFF => {
                    let (numbers, _) = session.send(&[0x80, 0x32, 0, 0], &[], true);
                    let assertion = found & 0xFF;
                    format!(
                        "phase {phase}, assertion {assertion}: expected and found {}",
                        hex::encode_upper(numbers)
                    )
                }
                _ => format!(
                    "phase {phase}: {found:04X} {:02X?}, expected {sw:04X}; {fault:?}",
                    response.data
                ),
            });
        }
        if response.data != *data {
            let found = hex::encode_upper(response.data);
            return Err(format!(
                "phase {phase}: data {found}, expected {}",
                hex::encode_upper(data)
            ));
        }
        match case.between.get(phase) {
            None | Some(Between::Nothing) => {}
            Some(Between::Reset) => {
                session.card.reset();
                session.select(applet);
            }
            Some(Between::Reselect) => {
                session.deselect();
                session.select(applet);
            }
            Some(Between::Mate) => {
                let mate = package("firewall").applet("Mate");
                if !session
                    .transmit(&applet_gen::gp::command::select(&mate.aid))
                    .sw
                    .is_ok()
                {
                    session.install(mate, &[]);
                }
                let (_, sw) = session.send(&[0x80, 0x30, 0, 0], &[], false);
                if sw != 0x9000 {
                    return Err(format!("the other applet: {sw:04X}"));
                }
                session.select(applet);
            }
        }
    }
    Ok(())
}
