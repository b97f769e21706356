//! Load and install scripts: the commands that bring an applet onto a card, as text that any tool
//! can play. Plain, for a tool that has a secure channel of its own, or already under SCP03.
//!
//! A line is a command APDU in hexadecimal and the answer that it must get, in which `??` is any
//! byte; `#` begins a comment. A player stops at the first answer that differs. Under SCP03 that
//! matters: the answer to INITIALIZE UPDATE shows whether card, keys and sequence counter are those
//! that the script was made for, before EXTERNAL AUTHENTICATE could cost the card a try.

use crate::gp::command::{self, Install};
use crate::gp::load::{LoadError, load_commands};
use crate::gp::scp03::{
    Mode, Request, ScpError, SecureChannel, SecurityLevel, SmError, StaticKeys,
    card::{CardParameters, CardPending},
    pseudo_random_challenge,
};
use applet_model::apdu::{Command, Response};
use applet_model::status::Sw;
use std::fmt::Write;

/// What is loaded and installed, and where.
#[derive(Debug, Clone)]
pub struct Job<'a> {
    /// AID of the security domain that loads.
    pub security_domain: &'a [u8],
    /// Executable load file AID.
    pub package: &'a [u8],
    /// Executable module AID.
    pub module: &'a [u8],
    /// Instance AID.
    pub instance: &'a [u8],
    /// Install parameters: [`crate::gp::uicc_params::InstallParameters::encode`].
    pub parameters: &'a [u8],
    /// The load file: [`crate::cap::Cap::load_file`].
    pub load_file: &'a [u8],
    /// Most data bytes of a command that the card takes, secure messaging included.
    pub block: usize,
}

/// The secure channel session that a script is made for.
#[derive(Clone, Copy)]
pub struct Session<'a> {
    /// The key set.
    pub keys: &'a StaticKeys,
    /// Its version on the card.
    pub kvn: u8,
    /// The card's "i" parameter (Amendment D table 5-1).
    pub i: u8,
    /// The sequence counter that the card will answer.
    pub counter: [u8; 3],
    /// The host's challenge, as long as the "i" parameter says.
    pub host_challenge: &'a [u8],
}

/// Why there is no script.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// The load file has no place in LOAD commands.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The card's challenges can't be foreseen.
    #[error(
        "\"i\" parameter {0:02X}: the card's challenges are random (bit 5 is 0), so a script cannot \
         be made ahead of the session; load with `ipae personalize`"
    )]
    Random(u8),
    /// The secure channel can't be foreseen.
    #[error(transparent)]
    Scp(#[from] ScpError),
    /// A command can't be wrapped.
    #[error(transparent)]
    Messaging(#[from] SmError),
}

/// A command of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it does.
    pub name: String,
    /// The command.
    pub command: Command,
    /// The answer that it must get, `None` for any byte; the status word stands at its end.
    pub answer: Vec<Option<u8>>,
}

impl Line {
    fn new(name: impl Into<String>, command: Command) -> Self {
        Line {
            name: name.into(),
            command,
            answer: Sw::OK.0.to_be_bytes().map(Some).to_vec(),
        }
    }
}

/// The commands from INSTALL \[for load\] to the installed applet.
fn commands(job: &Job<'_>, block: usize) -> Result<Vec<Line>, ScriptError> {
    let mut lines = vec![Line::new(
        "INSTALL [for load]",
        command::install_for_load(job.package, &[], &[], &[], &[]),
    )];
    let blocks = load_commands(job.load_file, block)?;
    let count = blocks.len();
    for (i, load) in blocks.into_iter().enumerate() {
        lines.push(Line::new(format!("LOAD {} of {count}", i + 1), load));
    }
    let install = Install {
        package: job.package,
        module: job.module,
        instance: job.instance,
        privileges: [0; 3],
        parameters: job.parameters,
        token: &[],
    };
    lines.push(Line::new(
        "INSTALL [for install and make selectable]",
        install.for_install_and_make_selectable(),
    ));
    // LOAD and INSTALL answer with a confirmation of one byte, 00 (GPCS 11.5.3.1, 11.6.3.1).
    for line in &mut lines {
        line.answer.insert(0, Some(0x00));
    }
    Ok(lines)
}

/// The plain commands. A player opens a secure channel to the security domain before them and wraps
/// them itself; they leave it `overhead` bytes of each command for that.
///
/// # Errors
/// [`ScriptError::Load`].
pub fn plain(job: &Job<'_>, overhead: usize) -> Result<Vec<Line>, ScriptError> {
    commands(job, job.block.saturating_sub(overhead))
}

/// The commands under SCP03, for one session of one card: SELECT of the security domain, INITIALIZE
/// UPDATE, EXTERNAL AUTHENTICATE (C-DECRYPTION and C-MAC) and the wrapped commands.
///
/// # Errors
/// [`ScriptError`]; [`ScriptError::Random`] if the card's challenges are no function of its counter.
pub fn wrapped(job: &Job<'_>, session: Session<'_>) -> Result<Vec<Line>, ScriptError> {
    const DIVERSIFICATION: usize = 10;
    if session.i & 0x10 == 0 {
        return Err(ScriptError::Random(session.i));
    }
    let mode = Mode::of_i_parameter(session.i);
    let request = Request::new(session.kvn, mode, session.host_challenge)?;
    let card = CardParameters {
        diversification: [0; DIVERSIFICATION],
        kvn: session.kvn,
        i: session.i,
        card_challenge: pseudo_random_challenge(
            &session.keys.enc,
            mode,
            session.counter,
            job.security_domain,
        ),
        sequence_counter: Some(session.counter),
    };
    let (answer, _) = CardPending::initialize_update(session.keys, card, session.host_challenge)
        .map_err(ScpError::KeyLength)?;
    let answer = Response::ok(answer.to_bytes());
    let mut select = Line::new(
        "SELECT of the security domain",
        command::select(job.security_domain),
    );
    // Whatever control information it answers.
    select.answer.clear();
    let mut initialize = Line::new("INITIALIZE UPDATE", request.command());
    initialize.answer = answer
        .to_bytes()
        .into_iter()
        .enumerate()
        .map(|(i, byte)| (i >= DIVERSIFICATION).then_some(byte))
        .collect();
    let pending = request.authenticate(session.keys, &answer, SecurityLevel::CDecCMac)?;
    let authenticate = Line::new("EXTERNAL AUTHENTICATE", pending.command().clone());
    let mut channel: SecureChannel = pending.assume_accepted();
    // What the channel adds is the difference to a full short APDU.
    let block = job
        .block
        .min(255)
        .saturating_sub(255 - channel.max_command_data());
    let mut lines = vec![select, initialize, authenticate];
    for line in commands(job, block)? {
        lines.push(Line {
            command: channel.wrap(&line.command)?,
            ..line
        });
    }
    Ok(lines)
}

/// The script as text, with these comment lines first.
pub fn text(comments: &[String], lines: &[Line]) -> String {
    let mut out = String::new();
    for comment in comments {
        out.push_str(format!("# {comment}").trim_end());
        out.push('\n');
    }
    out.push_str("# Each line: command APDU, then the answer that it must get (?? is any byte). Stop where it differs.\n");
    for line in lines {
        let answer: String = match line.answer[..] {
            [] => "*".to_owned(),
            ref bytes => bytes
                .iter()
                .map(|byte| byte.map_or_else(|| "??".to_owned(), |b| format!("{b:02X}")))
                .collect(),
        };
        let bytes = hex::encode_upper(line.command.to_bytes());
        // Writing to a String cannot fail.
        let _ = write!(out, "\n# {}\n{bytes} {answer}\n", line.name);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gp::scp03::card::CardPending;

    const CHALLENGE: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];
    const COUNTER: [u8; 3] = [0, 0, 0x2A];

    fn job(load_file: &[u8]) -> Job<'_> {
        Job {
            security_domain: applet_model::aid::ISD,
            package: applet_model::aid::PACKAGE_IPAE,
            module: applet_model::aid::MODULE_IPAE,
            instance: applet_model::aid::INSTANCE_IPAE,
            parameters: &[0xC9, 0x00],
            load_file,
            block: 255,
        }
    }

    fn keys() -> StaticKeys {
        StaticKeys::new(&[0x40; 16], &[0x41; 16], &[0x42; 16]).unwrap()
    }

    #[test]
    fn a_card_accepts_the_wrapped_script_and_finds_the_plain_commands_in_it() {
        let load_file: Vec<u8> = (0..2000).map(|i| i as u8).collect();
        let keys = keys();
        let session = Session {
            keys: &keys,
            kvn: 0x30,
            i: 0x70,
            counter: COUNTER,
            host_challenge: &CHALLENGE,
        };
        let job = job(&load_file);
        let lines = wrapped(&job, session).unwrap();
        let card = CardParameters {
            diversification: [7; 10],
            kvn: 0x30,
            i: 0x70,
            card_challenge: pseudo_random_challenge(
                &keys.enc,
                Mode::S8,
                COUNTER,
                job.security_domain,
            ),
            sequence_counter: Some(COUNTER),
        };
        let (answer, pending) =
            CardPending::initialize_update(&keys, card, &lines[1].command.data).unwrap();
        for (expected, byte) in lines[1].answer.iter().zip(answer.to_bytes()) {
            assert!(expected.is_none_or(|e| e == byte));
        }
        let mut card = pending.external_authenticate(&lines[2].command).unwrap();
        let unwrapped: Vec<Command> = lines[3..]
            .iter()
            .map(|line| card.unwrap_command(&line.command).unwrap())
            .collect();
        let loaded: Vec<u8> = unwrapped
            .iter()
            .filter(|c| c.ins == command::INS_LOAD)
            .flat_map(|c| c.data.clone())
            .collect();
        assert!(loaded.ends_with(&load_file));
        let plain = plain(&job, 16).unwrap();
        assert_eq!(unwrapped[0].data, plain[0].command.data);
        assert_eq!(
            unwrapped.last().unwrap().data,
            plain.last().unwrap().command.data
        );
    }

    #[test]
    fn random_challenges_cannot_be_foreseen() {
        let session = Session {
            keys: &keys(),
            kvn: 0x30,
            i: 0x60,
            counter: COUNTER,
            host_challenge: &CHALLENGE,
        };
        let error = wrapped(&job(&[1, 2, 3]), session).unwrap_err();
        assert!(error.to_string().contains("60"), "{error}");
    }

    #[test]
    fn text_has_names_commands_and_answers() {
        let lines = plain(&job(&[1, 2, 3]), 0).unwrap();
        let text = text(&["IPAe".to_owned()], &lines);
        assert!(text.starts_with("# IPAe\n"), "{text}");
        assert!(
            text.contains("# LOAD 1 of 1\n80E8800005C403010203"),
            "{text}"
        );
        assert!(text.contains(" 009000\n"), "{text}");
    }
}
