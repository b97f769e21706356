//! Load and install scripts: the commands that bring an applet onto a card, for any tool to send.
//!
//! A [`Plan`] says what is to be done; from it come plain commands, for a tool that brings its own
//! secure channel, or commands already under SCP03, for a security domain with pseudo-random
//! challenges (Amendment D 6.2.2.1), where all that the card will answer is known before. The text
//! and JSON forms carry a version and a checksum. There is never a key in a script, nor anything
//! that gives one away: the commands that carry keys (PUT KEY) are not part of it.

mod check;
mod foreign;
mod form;

pub use foreign::{Foreign, ForeignError, Opening, read_foreign};
pub use form::{FORMAT, FormError};

use crate::gp::command::{Install, select};
use crate::gp::load::{LoadError, load_commands};
use crate::gp::scp03::{
    CardKeys, CardKeysError, InitializeUpdateResponse, Mode, Request, ScpError, SecurityLevel,
    SessionKeys, SmError, pseudo_random_challenge,
};
use crate::gp::uicc_params::{InstallParameters, ParameterError};
use crate::gp::{command, scp03};
use applet_model::apdu::{Command, Response};
use applet_model::status::Sw;

/// What a script is to do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What it loads and for which card, for people.
    pub title: String,
    /// AID of the issuer security domain.
    pub isd: Vec<u8>,
    /// Executable load file AID.
    pub package: Vec<u8>,
    /// Executable module AID.
    pub module: Vec<u8>,
    /// Instance AID.
    pub instance: Vec<u8>,
    /// The load file: [`crate::cap::Cap::load_file`].
    pub load_file: Vec<u8>,
    /// Install parameters.
    pub parameters: InstallParameters,
    /// Most data bytes of a command, secure messaging included.
    pub max_command_data: usize,
}

/// The secure channel of a script made before the card is there.
pub struct Channel<'a> {
    /// The card's keys.
    pub keys: &'a dyn CardKeys,
    /// Their version.
    pub kvn: u8,
    /// The card's "i" parameter; it must have pseudo-random challenges (bit 5).
    pub i: u8,
    /// Key diversification data that the card will send.
    pub diversification: [u8; 10],
    /// The sequence counter that the card will use: the last one plus one.
    pub sequence_counter: [u8; 3],
    /// The challenge that the card will answer, where it is given; `None` for pseudo-random ones.
    pub card_challenge: Option<&'a [u8]>,
    /// The host challenge.
    pub host_challenge: &'a [u8],
    /// The security level.
    pub level: SecurityLevel,
}

/// Why there is no script.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// The load file.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The install parameters.
    #[error(transparent)]
    Parameters(#[from] ParameterError),
    /// The secure channel.
    #[error(transparent)]
    Scp(#[from] ScpError),
    /// A command doesn't fit the secure channel.
    #[error("{what}: {source}")]
    Wrap {
        /// The command.
        what: String,
        /// Why.
        source: SmError,
    },
    /// A key.
    #[error(transparent)]
    Key(#[from] CardKeysError),
    /// Random challenges can't be known before.
    #[error(
        "the card's parameter i={0:02X} has random challenges: commands under SCP03 can be made beforehand for pseudo-random ones only"
    )]
    RandomChallenge(u8),
}

/// One command of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What it does.
    pub comment: String,
    /// The command as it is sent.
    pub command: Command,
    /// Status words that are fine.
    pub expected: Vec<Sw>,
    /// The only data that may come back, where what follows is made for it.
    pub answer: Option<Vec<u8>>,
}

/// A script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// What it does, for people.
    pub title: String,
    /// [`PLAIN`], or the secure channel it is made for: key version, sequence counter, level.
    pub channel: String,
    /// The commands, in order.
    pub steps: Vec<Step>,
}

fn step(comment: impl Into<String>, command: Command) -> Step {
    Step::new(comment, command)
}

impl Step {
    /// A step after which the card says 9000.
    pub fn new(comment: impl Into<String>, command: Command) -> Self {
        Step {
            comment: comment.into(),
            command,
            // 61xx: the answer waits (T=0); a tool that fetches it sees 9000.
            expected: vec![Sw::OK, Sw(0x6100)],
            answer: None,
        }
    }

    /// Whether a status word is one of those that are fine; 6100 stands for all 61xx.
    pub fn allows(&self, sw: Sw) -> bool {
        self.expected.contains(&sw) || sw.sw1() == 0x61 && self.expected.contains(&Sw(0x6100))
    }

    /// The status words that are fine, as the forms of a script write them.
    pub fn allowed(&self) -> String {
        form::expected_words(&self.expected).join(" ")
    }
}

/// What [`Script::channel`] says of commands that are not under a secure channel.
pub const PLAIN: &str = "plain";

impl Script {
    /// Whether the tool that sends it has to bring the secure channel.
    pub fn is_plain(&self) -> bool {
        self.channel == PLAIN
    }

    /// Where to begin so that the step at `wanted` (from 0) makes sense on a card that was reset: a LOAD
    /// goes on only within its session, so it begins again with its INSTALL \[for load\].
    pub fn restart_at(&self, wanted: usize) -> usize {
        let is_load = |step: &Step| step.command.ins == command::INS_LOAD;
        let mut at = wanted.min(self.steps.len());
        while at > 0 && self.steps.get(at).is_some_and(is_load) {
            at -= 1;
        }
        at
    }
}

impl Plan {
    /// The commands behind SELECT and the secure channel; `room` is what they may carry.
    fn steps(&self, room: usize) -> Result<Vec<Step>, ScriptError> {
        let mut steps = vec![step(
            "INSTALL [for load]",
            command::install_for_load(&self.package, &[], &[], &[], &[]),
        )];
        let blocks = load_commands(&self.load_file, room)?;
        let count = blocks.len();
        steps.extend(
            blocks
                .into_iter()
                .enumerate()
                .map(|(i, block)| step(format!("LOAD, block {} of {count}", i + 1), block)),
        );
        let parameters = self.parameters.encode()?;
        let install = Install {
            package: &self.package,
            module: &self.module,
            instance: &self.instance,
            privileges: [0; 3],
            parameters: &parameters,
            token: &[],
        };
        steps.push(step(
            "INSTALL [for install and make selectable]",
            install.for_install_and_make_selectable(),
        ));
        Ok(steps)
    }

    fn select(&self) -> Step {
        step("SELECT of the issuer security domain", select(&self.isd))
    }

    /// The plain commands, for a tool with a secure channel of its own: blocks leave room for the MAC
    /// and the padding of any security level.
    ///
    /// # Errors
    /// [`ScriptError`].
    pub fn plain(&self) -> Result<Script, ScriptError> {
        // S16 takes most: 16 bytes of MAC and up to 16 of padding.
        let room = self.max_command_data.saturating_sub(32).max(1);
        let mut steps = vec![self.select()];
        steps.extend(self.steps(room)?);
        Ok(Script {
            title: self.title.clone(),
            channel: PLAIN.to_owned(),
            steps,
        })
    }

    /// The commands under SCP03, EXTERNAL AUTHENTICATE included. The tool must compare the answer to
    /// INITIALIZE UPDATE with [`Step::answer`] before it goes on: a card with another sequence
    /// counter refuses what follows, and counts it.
    ///
    /// # Errors
    /// [`ScriptError`].
    pub fn wrapped(&self, channel: &Channel<'_>) -> Result<Script, ScriptError> {
        if channel.i & 0x10 == 0 && channel.card_challenge.is_none() {
            return Err(ScriptError::RandomChallenge(channel.i));
        }
        let mode = Mode::of_i_parameter(channel.i);
        let request = Request::new(channel.kvn, mode, channel.host_challenge)?;
        let diversified = channel.keys.of_card(&channel.diversification)?;
        let own = diversified.as_deref().unwrap_or(channel.keys);
        let card_challenge = match channel.card_challenge {
            Some(given) => given.to_vec(),
            None => pseudo_random_challenge(own, mode, channel.sequence_counter, &self.isd)?,
        };
        let keys = SessionKeys::derive(own, mode, channel.host_challenge, &card_challenge)?;
        let answer = InitializeUpdateResponse {
            diversification: channel.diversification,
            kvn: channel.kvn,
            scp: 3,
            i: channel.i,
            card_cryptogram: keys.card_cryptogram(),
            card_challenge,
            sequence_counter: (channel.i & 0x10 != 0).then_some(channel.sequence_counter),
        };
        let answer = answer.to_bytes();
        let mut steps = vec![
            self.select(),
            Step {
                answer: Some(answer.clone()),
                ..step(
                    "INITIALIZE UPDATE; go on only if the answer is the one stated",
                    request.command(),
                )
            },
        ];
        let pending = request.authenticate(own, &Response::ok(answer), channel.level)?;
        steps.push(step(
            format!("EXTERNAL AUTHENTICATE, {}", channel.level),
            pending.command().clone(),
        ));
        let mut open: scp03::SecureChannel = pending.assume_accepted();
        let room = open.max_command_data();
        let room = room
            .min(self.max_command_data.saturating_sub(255 - room))
            .max(1);
        for plain in self.steps(room)? {
            let command = open
                .wrap(&plain.command)
                .map_err(|source| ScriptError::Wrap {
                    what: plain.comment.clone(),
                    source,
                })?;
            steps.push(Step { command, ..plain });
        }
        Ok(Script {
            title: self.title.clone(),
            channel: format!(
                "SCP03, key version {:02X}, sequence counter {}, {}",
                channel.kvn,
                hex::encode_upper(channel.sequence_counter),
                channel.level
            ),
            steps,
        })
    }
}

#[cfg(test)]
mod tests;
