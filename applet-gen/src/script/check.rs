//! Whether a script can do what it says, before it is sent.

use super::Script;
use crate::gp::command::{INS_INSTALL, INS_LOAD, INS_PUT_KEY};
use crate::gp::explain::explain;
use crate::gp::scp03::channel::INS_EXTERNAL_AUTHENTICATE;
use crate::gp::scp03::session::is_secure_class;
use applet_model::tlv;

impl Script {
    /// What is wrong with the script, each with its step; `room` is the most command data bytes of the card.
    #[must_use]
    pub fn check(&self, room: Option<usize>) -> Vec<String> {
        let mut faults = Vec::new();
        let mut stated = false;
        let mut load: Option<(u8, Vec<u8>)> = None;
        for (i, step) in self.steps.iter().enumerate() {
            let command = &step.command;
            let mut fault = |text: String| {
                faults.push(format!("step {} ({}): {text}", i + 1, step.comment));
            };
            for text in explain(command).faults {
                fault(text);
            }
            if step.expected.is_empty() {
                fault("no status word is allowed".to_owned());
            }
            if let Some(room) = room
                && command.data.len() > room
            {
                fault(format!(
                    "{} bytes of command data, the card takes {room}",
                    command.data.len()
                ));
            }
            stated |= step.answer.is_some();
            if command.ins == INS_EXTERNAL_AUTHENTICATE && !stated {
                fault(
                    "no step before it states the card's answer: it would reach any card"
                        .to_owned(),
                );
            }
            let plain = !is_secure_class(command.cla);
            if command.ins == INS_PUT_KEY {
                fault("PUT KEY carries keys: it is no part of a script".to_owned());
            }
            match (plain, command.ins) {
                (true, INS_INSTALL) if command.p1 & 0x02 != 0 => load = Some((0, Vec::new())),
                (true, INS_LOAD) => match &mut load {
                    None => fault("no INSTALL [for load] before it".to_owned()),
                    Some((number, data)) => {
                        if command.p2 != *number {
                            fault(format!("block {}, expected {number}", command.p2));
                        }
                        *number = command.p2.wrapping_add(1);
                        data.extend_from_slice(&command.data);
                        if command.p1 & 0x80 != 0 {
                            let whole = tlv::iter(data).all(|object| object.is_ok());
                            if !whole {
                                fault(
                                    "the load file is cut: its lengths don't fit its bytes"
                                        .to_owned(),
                                );
                            }
                            load = None;
                        }
                    }
                },
                (true, ins) if load.as_ref().is_some_and(|(n, _)| *n > 0) => {
                    fault(format!(
                        "INS {ins:02X} in the midst of a load, whose last block is missing"
                    ));
                    load = None;
                }
                _ => {}
            }
        }
        if load.is_some_and(|(number, _)| number > 0) {
            faults.push("the last LOAD block is missing".to_owned());
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::super::{PLAIN, Script, Step};
    use crate::gp::command::{install_for_load, select};
    use crate::gp::load::load_commands;
    use applet_model::apdu::Command;

    /// A change to the script, and words of the fault that it makes.
    type Case<'a> = (&'a dyn Fn(&mut Script), &'a str);

    fn script() -> Script {
        let mut steps = vec![
            Step::new("SELECT", select(&[0xA0; 8])),
            Step::new("INSTALL", install_for_load(&[1; 5], &[], &[], &[], &[])),
        ];
        let blocks = load_commands(&[7; 500], 200).unwrap();
        steps.extend(blocks.into_iter().map(|block| Step::new("LOAD", block)));
        Script {
            title: "t".to_owned(),
            channel: PLAIN.to_owned(),
            steps,
        }
    }

    #[test]
    fn faults_are_found_where_they_are() {
        assert_eq!(script().check(Some(200)), Vec::<String>::new());
        let found = |change: &dyn Fn(&mut Script)| {
            let mut script = script();
            change(&mut script);
            script.check(Some(200)).join("\n")
        };
        let cases: [Case<'_>; 8] = [
            (
                &|s| s.steps.swap(2, 3),
                "step 3 (LOAD): block 1, expected 0",
            ),
            (&|s| drop(s.steps.pop()), "last LOAD block is missing"),
            (&|s| drop(s.steps.remove(1)), "no INSTALL [for load]"),
            (
                &|s| {
                    s.steps.last_mut().unwrap().command.data.pop();
                },
                "is cut",
            ),
            (
                &|s| s.steps[2].command.data.push(0),
                "201 bytes of command data",
            ),
            (&|s| s.steps[0].expected.clear(), "no status word"),
            (
                &|s| {
                    s.steps
                        .insert(1, Step::new("x", Command::new(0x84, 0x82, 0x33, 0)))
                },
                "reach any card",
            ),
            (
                &|s| {
                    s.steps
                        .insert(1, Step::new("x", Command::new(0x80, 0xD8, 0, 0x81)))
                },
                "PUT KEY carries keys",
            ),
        ];
        for (change, words) in cases {
            let text = found(change);
            assert!(text.contains(words), "{words}: {text}");
        }
    }
}
