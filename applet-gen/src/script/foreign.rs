//! A script in the forms of the field's other tools, and those forms read again.
//!
//! Plain scripts go to tools that bring their own secure channel; their keys come from the environment of
//! whoever runs them, and are in no file. A script that is under a secure channel already must not be
//! sent on when the card answers INITIALIZE UPDATE otherwise than stated: only tools that can compare
//! answers get it.

use super::Script;
use crate::gp::command::select;
use crate::gp::scp03::SecurityLevel;
use crate::gp::scp03::channel::INS_EXTERNAL_AUTHENTICATE;
use applet_model::apdu::Command;

/// A form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    /// One command a line in hexadecimal, comments behind `#`: scriptor and most readers' tools.
    Apdus,
    /// A shell script that runs GlobalPlatformPro (`gp`).
    Gp,
    /// A script of GPShell.
    GpShell,
    /// A script of pySim-shell.
    PySim,
}

/// The secure channel that the tool is to open for a plain script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening {
    /// Key version number.
    pub kvn: u8,
    /// Security level.
    pub level: SecurityLevel,
    /// 16-byte cryptograms.
    pub s16: bool,
}

/// Why a script has no such form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForeignError {
    /// The tool can't compare answers.
    #[error(
        "the script is under a secure channel already, and {0} can't compare what the card answers to INITIALIZE \
         UPDATE: EXTERNAL AUTHENTICATE would reach the wrong card and cost it a try. Make a plain script for it"
    )]
    Blind(&'static str),
    /// The script does not begin with SELECT of a security domain.
    #[error("the script does not begin with SELECT of a security domain")]
    NoSelect,
    /// pySim-shell opens secure channels with the security domain that it knows, and no other.
    #[error(
        "pySim-shell opens a secure channel with ADF.ISD only, which it knows as A000000003000000; this script is for \
         {0}. A script under SCP03 (with a known challenge) goes to any"
    )]
    PySimDomain(String),
    /// A line that doesn't belong.
    #[error("line {line}: {text:?} is no command of that form")]
    Line {
        /// From 1.
        line: usize,
        /// What stands there.
        text: String,
    },
}

/// The security domain that pySim-shell calls ADF.ISD.
const PYSIM_ISD: [u8; 8] = [0xA0, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00];

/// Names of the environment variables with the keys.
const VARIABLES: [&str; 3] = ["SCP_KEY_ENC", "SCP_KEY_MAC", "SCP_KEY_DEK"];

fn hex_of(command: &Command) -> String {
    hex::encode_upper(command.to_bytes())
}

fn one_line(text: &str) -> String {
    text.replace(['\r', '\n'], " ")
}

impl Script {
    /// The script in another tool's form.
    ///
    /// # Errors
    /// [`ForeignError`]: the form can't carry it without harm.
    pub fn to_foreign(&self, form: Foreign, opening: Opening) -> Result<String, ForeignError> {
        match form {
            Foreign::Apdus => self.to_apdus(),
            Foreign::Gp => self.to_gp(opening),
            Foreign::GpShell => self.to_gpshell(opening),
            Foreign::PySim => self.to_pysim(opening),
        }
    }

    fn not_blind(&self, tool: &'static str) -> Result<(), ForeignError> {
        let authenticates = |step: &super::Step| step.command.ins == INS_EXTERNAL_AUTHENTICATE;
        match !self.is_plain() || self.steps.iter().any(authenticates) {
            true => Err(ForeignError::Blind(tool)),
            false => Ok(()),
        }
    }

    /// AID of the domain that the first step selects.
    fn domain(&self) -> Result<&[u8], ForeignError> {
        match self.steps.first() {
            Some(first) if first.command == select(&first.command.data) => Ok(&first.command.data),
            _ => Err(ForeignError::NoSelect),
        }
    }

    fn to_apdus(&self) -> Result<String, ForeignError> {
        self.not_blind("a list of APDUs")?;
        let mut out = format!(
            "# {}\n# {}\n",
            one_line(&self.title),
            one_line(&self.channel)
        );
        for step in &self.steps {
            out.push_str(&format!(
                "# {} -> {}\n{}\n",
                one_line(&step.comment),
                step.allowed(),
                hex_of(&step.command)
            ));
        }
        Ok(out)
    }

    fn to_gp(&self, opening: Opening) -> Result<String, ForeignError> {
        self.not_blind("gp")?;
        let domain = hex::encode_upper(self.domain()?);
        let mut modes = vec!["mac"];
        for (on, name) in [
            (opening.level.c_dec(), "enc"),
            (opening.level.r_mac(), "rmac"),
            (opening.level.r_enc(), "renc"),
        ] {
            if on {
                modes.push(name);
            }
        }
        let modes: String = modes.iter().map(|mode| format!(" --mode {mode}")).collect();
        let [enc, mac, dek] = VARIABLES;
        let s16 = if opening.s16 { " --s16" } else { "" };
        let mut out = format!(
            "#!/bin/sh\n# {title}\n# For GlobalPlatformPro. The keys come from {enc}, {mac}, {dek}. gp shows the status\n\
             # words and goes on after an error: look at its output.\nset -eu\n\
             exec gp -d -c {domain} --key-ver {kvn:02X} --key-enc \"${{{enc}}}\" --key-mac \"${{{mac}}}\" \
             --key-dek \"${{{dek}}}\"{modes}{s16}",
            title = one_line(&self.title),
            kvn = opening.kvn,
        );
        for step in self.steps.iter().skip(1) {
            out.push_str(&format!(" \\\n  -s {}", hex_of(&step.command)));
        }
        out.push('\n');
        Ok(out)
    }

    fn to_gpshell(&self, opening: Opening) -> Result<String, ForeignError> {
        self.not_blind("GPShell")?;
        let domain = hex::encode_upper(self.domain()?);
        let [enc, mac, dek] = VARIABLES;
        let mut out = format!(
            "mode_211\nenable_trace\nestablish_context\ncard_connect\nselect -AID {domain}\n\
             open_sc -security {} -keyind 0 -keyver {} -mac_key ${{{mac}}} -enc_key ${{{enc}}} -kek_key ${{{dek}}}\n",
            opening.level as u8, opening.kvn,
        );
        for step in self.steps.iter().skip(1) {
            out.push_str(&format!(
                "# {}\nsend_apdu -sc 1 -APDU {}\n",
                one_line(&step.comment),
                hex_of(&step.command)
            ));
        }
        out.push_str("card_disconnect\nrelease_context\n");
        Ok(out)
    }

    fn to_pysim(&self, opening: Opening) -> Result<String, ForeignError> {
        let mut out = format!("# {}\nset apdu_strict true\n", one_line(&self.title));
        let (raw, skipped) = match self.is_plain() {
            false => (" --raw", 0),
            true => {
                let domain = self.domain()?;
                if domain != PYSIM_ISD {
                    return Err(ForeignError::PySimDomain(hex::encode_upper(domain)));
                }
                let s16 = if opening.s16 { " --s16-mode" } else { "" };
                out.push_str(&format!(
                    "# The keys are the card key provider's, under the suffix ISD.\nselect ADF.ISD\n\
                     establish_scp03 --key-ver {} --security-level {} --key-provider-suffix ISD{s16}\n",
                    opening.kvn, opening.level as u8,
                ));
                ("", 1)
            }
        };
        for step in self.steps.iter().skip(skipped) {
            let answer = match &step.answer {
                Some(answer) => format!(" --expect-response-regex ^{}$", hex::encode(answer)),
                None => String::new(),
            };
            out.push_str(&format!(
                "# {}\napdu{raw} --expect-sw 9000{answer} {}\n",
                one_line(&step.comment),
                hex_of(&step.command)
            ));
        }
        Ok(out)
    }
}

/// Reads the commands of a form again; what the tool does by itself (its secure channel) is not among
/// them.
///
/// # Errors
/// [`ForeignError::Line`].
pub fn read_foreign(text: &str, form: Foreign) -> Result<Vec<Command>, ForeignError> {
    let mut out = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let line = line.trim();
        let wrong = || ForeignError::Line {
            line: i + 1,
            text: line.to_owned(),
        };
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let command = |text: &str| -> Result<Command, ForeignError> {
            let bytes = hex::decode(text.replace(' ', "")).map_err(|_| wrong())?;
            Command::parse(&bytes).map_err(|_| wrong())
        };
        let aid = |text: &str| hex::decode(text).map_err(|_| wrong());
        let mut words = line.trim_end_matches('\\').split_whitespace();
        match (form, words.next().unwrap_or_default()) {
            (Foreign::Apdus, "reset") => {}
            (Foreign::Apdus, _) => out.push(command(line)?),
            (Foreign::Gp, "set") => {}
            (Foreign::Gp, "exec" | "gp") => {
                let domain = words
                    .skip_while(|word| *word != "-c")
                    .nth(1)
                    .ok_or_else(wrong)?;
                out.push(select(&aid(domain)?));
            }
            (Foreign::Gp, "-s") => out.push(command(words.next().ok_or_else(wrong)?)?),
            (
                Foreign::GpShell,
                "mode_211" | "enable_trace" | "establish_context" | "card_connect" | "open_sc"
                | "card_disconnect" | "release_context",
            ) => {}
            (Foreign::GpShell, "select") => {
                out.push(select(&aid(words.nth(1).ok_or_else(wrong)?)?));
            }
            (Foreign::GpShell, "send_apdu") => {
                let apdu = words.skip_while(|word| *word != "-APDU").nth(1);
                out.push(command(apdu.ok_or_else(wrong)?)?);
            }
            (Foreign::PySim, "set" | "establish_scp03") => {}
            (Foreign::PySim, "select") if words.next() == Some("ADF.ISD") => {
                out.push(select(&PYSIM_ISD));
            }
            (Foreign::PySim, "apdu") => out.push(command(words.last().ok_or_else(wrong)?)?),
            _ => return Err(wrong()),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::super::{PLAIN, Step};
    use super::*;
    use crate::gp::command;
    use crate::gp::load::load_commands;
    use proptest::prelude::*;

    const FORMS: [Foreign; 4] = [
        Foreign::Apdus,
        Foreign::Gp,
        Foreign::GpShell,
        Foreign::PySim,
    ];
    const OPENING: Opening = Opening {
        kvn: 0x30,
        level: SecurityLevel::Full,
        s16: false,
    };

    fn script(isd: &[u8]) -> Script {
        let mut steps = vec![Step::new("SELECT", select(isd))];
        steps.push(Step::new(
            "load\nit",
            command::install_for_load(&[1; 5], &[], &[], &[], &[]),
        ));
        let blocks = load_commands(&[7; 300], 200).unwrap();
        steps.extend(blocks.into_iter().map(|block| Step::new("LOAD", block)));
        Script {
            title: "a title\n$(rm -rf)".to_owned(),
            channel: PLAIN.to_owned(),
            steps,
        }
    }

    #[test]
    fn every_form_is_read_again() {
        let script = script(&PYSIM_ISD);
        let commands: Vec<Command> = script.steps.iter().map(|s| s.command.clone()).collect();
        for form in FORMS {
            let text = script.to_foreign(form, OPENING).unwrap();
            assert_eq!(
                read_foreign(&text, form).unwrap(),
                commands,
                "{form:?}\n{text}"
            );
        }
    }

    #[test]
    fn forms_as_the_tools_document_them() {
        let script = script(applet_model::aid::ISD);
        let gp = script.to_foreign(Foreign::Gp, OPENING).unwrap();
        assert!(
            gp.contains("gp -d -c A000000151000000 --key-ver 30 --key-enc \"${SCP_KEY_ENC}\""),
            "{gp}"
        );
        assert!(
            gp.contains("--mode mac --mode enc --mode rmac --mode renc"),
            "{gp}"
        );
        let shell = script.to_foreign(Foreign::GpShell, OPENING).unwrap();
        assert!(
            shell.contains("open_sc -security 51 -keyind 0 -keyver 48 -mac_key ${SCP_KEY_MAC}"),
            "{shell}"
        );
        let error = script
            .to_foreign(Foreign::PySim, OPENING)
            .unwrap_err()
            .to_string();
        assert!(error.contains("A000000151000000"), "{error}");
    }

    #[test]
    fn commands_under_a_channel_go_to_no_tool_that_cannot_compare() {
        let mut script = script(applet_model::aid::ISD);
        script.channel = "SCP03".to_owned();
        script.steps.insert(
            1,
            Step {
                answer: Some(vec![0xAB; 32]),
                ..Step::new("INITIALIZE UPDATE", Command::new(0x80, 0x50, 0x30, 0))
            },
        );
        for form in [Foreign::Apdus, Foreign::Gp, Foreign::GpShell] {
            let error = script.to_foreign(form, OPENING).unwrap_err().to_string();
            assert!(error.contains("cost it a try"), "{error}");
        }
        let text = script.to_foreign(Foreign::PySim, OPENING).unwrap();
        assert!(
            text.contains(&format!(
                "--expect-response-regex ^{}$ 80503000",
                "ab".repeat(32)
            )),
            "{text}"
        );
        assert_eq!(
            read_foreign(&text, Foreign::PySim).unwrap().len(),
            script.steps.len()
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,80}", form in 0usize..4) {
            let _ = read_foreign(&text, FORMS[form]);
        }
    }
}
