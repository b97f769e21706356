//! Sends a load script to a card, step by step, and stops where the card answers something else.
//!
//! A script under a secure channel is sent as it is, and only while the card answers what the script
//! was made for: EXTERNAL AUTHENTICATE is never sent to a card with another challenge. A plain script
//! is sent under a secure channel that is opened here, once.

use crate::exit::{self, Exit, ExitCode};
use crate::gp::{Attempts, Authentication, Domain, GpError, Notice};
use crate::order::KeySet;
use crate::transport::{CardLink, LinkError, exchange};
use applet_gen::gp::scp03::channel::INS_EXTERNAL_AUTHENTICATE;
use applet_gen::script::{Script, Step};
use applet_model::apdu::Response;
use applet_model::status::Sw;
use cards::definition::Definition;
use std::ops::ControlFlow;

/// The secure channel for a plain script.
pub struct Secure<'a> {
    /// The card's keys.
    pub set: &'a KeySet,
    /// Its secure channel's parameters.
    pub definition: &'a Definition,
    /// The record of tries.
    pub attempts: &'a Attempts,
    /// Randomness for the host challenge.
    pub random: &'a mut dyn FnMut(&mut [u8]) -> Result<(), String>,
}

/// What happens. `Break` stops before the next step.
pub type Observer<'a> = dyn FnMut(Progress<'_>) -> ControlFlow<()> + 'a;

/// For progress bars and logs.
#[derive(Debug, Clone, Copy)]
pub enum Progress<'a> {
    /// What the secure channel tells while it is opened.
    Channel(&'a Notice),
    /// A step was answered as expected: its number from 0, the step, the status word.
    Step(usize, &'a Step, Sw),
}

/// Why a script was not sent to its end. Step numbers are from 0 here, from 1 in messages.
#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    /// The card answered another status word.
    #[error(
        "step {} of {of} ({comment}): expected {expected}, the card answered {sw}{}",
        step + 1,
        if *resumable { "" } else { "; the rest was not sent" }
    )]
    Unexpected {
        /// Which.
        step: usize,
        /// How many there are.
        of: usize,
        /// What the step does.
        comment: String,
        /// Status words of the script.
        expected: String,
        /// What came.
        sw: Sw,
        /// Whether the script can go on from this step in another session.
        resumable: bool,
    },
    /// The card answered data that the script was not made for.
    #[error(
        "step {} ({comment}): the card answered {found}, the script was made for {expected}: other keys, another \
         sequence counter or another card. EXTERNAL AUTHENTICATE was not sent, no try of the card was used up",
        step + 1
    )]
    Answer {
        /// Which.
        step: usize,
        /// What the step does.
        comment: String,
        /// Data in the script, in hex.
        expected: String,
        /// Data that came, in hex.
        found: String,
    },
    /// There is no answer.
    #[error("step {} of {of} ({comment}): {source}", step + 1)]
    Link {
        /// Which.
        step: usize,
        /// How many there are.
        of: usize,
        /// What the step does.
        comment: String,
        /// Why.
        source: LinkError,
    },
    /// Secure channel, for a plain script.
    #[error("step {} ({comment}): {source}", step + 1)]
    Channel {
        /// Which.
        step: usize,
        /// What the step does.
        comment: String,
        /// Why.
        source: GpError,
    },
    /// A plain script without keys, or keys for a script that has its channel.
    #[error("{0}")]
    Channels(String),
    /// Stopped on request.
    #[error("stopped before step {} of {of}", step + 1)]
    Interrupted {
        /// The next step.
        step: usize,
        /// How many there are.
        of: usize,
    },
}

impl ExitCode for PlayError {
    fn exit(&self) -> Exit {
        match self {
            PlayError::Unexpected { .. } => exit::CARD_REFUSED,
            PlayError::Answer { .. } => exit::WRONG_KEYS,
            PlayError::Link { source, .. } => source.exit(),
            PlayError::Channel { source, .. } => source.exit(),
            PlayError::Channels(_) => exit::USAGE,
            PlayError::Interrupted { .. } => exit::INTERRUPTED,
        }
    }
}

impl PlayError {
    /// The step from which [`play`] can go on in another session, from 0.
    pub fn resume_at(&self, script: &Script) -> Option<usize> {
        let step = match self {
            PlayError::Unexpected {
                step,
                resumable: true,
                ..
            }
            | PlayError::Link { step, .. }
            | PlayError::Channel { step, .. }
            | PlayError::Interrupted { step, .. } => *step,
            _ => return None,
        };
        script.is_plain().then(|| script.restart_at(step))
    }
}

/// Sends the steps from `from` (from 0) on. A plain script takes `secure`, another must not have it.
///
/// # Errors
/// [`PlayError`]: at the first step that did not go as the script says. Nothing is sent twice.
pub fn play(
    script: &Script,
    link: &mut dyn CardLink,
    secure: Option<Secure<'_>>,
    from: usize,
    observer: &mut Observer<'_>,
) -> Result<(), PlayError> {
    match (script.is_plain(), secure) {
        (true, Some(secure)) => under_channel(script, link, secure, from, observer),
        (false, None) if from == 0 => as_it_is(script, link, observer),
        (true, None) => Err(PlayError::Channels(
            "the script's commands are plain: a card takes them under a secure channel only, for \
             which a key set and a card definition are needed"
                .to_owned(),
        )),
        (false, Some(_)) => Err(PlayError::Channels(format!(
            "the script's commands are under a secure channel already ({}): no key set belongs to it",
            script.channel
        ))),
        (false, None) => Err(PlayError::Channels(
            "commands under a secure channel hold in one session only: a script of them can't go on \
             at a later step. Make one anew for the card's next sequence counter"
                .to_owned(),
        )),
    }
}

fn as_it_is(
    script: &Script,
    link: &mut dyn CardLink,
    observer: &mut Observer<'_>,
) -> Result<(), PlayError> {
    let of = script.steps.len();
    let stated = script.steps.iter().any(|step| step.answer.is_some());
    for (at, step) in script.steps.iter().enumerate() {
        if step.command.ins == INS_EXTERNAL_AUTHENTICATE && !stated {
            return Err(PlayError::Channels(
                "the script has EXTERNAL AUTHENTICATE and does not say what the card must answer \
                 before it: a card counts wrong cryptograms, so it is not sent"
                    .to_owned(),
            ));
        }
        let answer = exchange(link, &step.command).map_err(|source| PlayError::Link {
            step: at,
            of,
            comment: step.comment.clone(),
            source,
        })?;
        judge(script, at, step, &answer)?;
        tell(observer, at, step, answer.sw, of)?;
    }
    Ok(())
}

fn under_channel(
    script: &Script,
    link: &mut dyn CardLink,
    secure: Secure<'_>,
    from: usize,
    observer: &mut Observer<'_>,
) -> Result<(), PlayError> {
    let Some(select) = script.steps.first() else {
        return Ok(());
    };
    let aid = secure.definition.isd.aid.bytes();
    if select.command != applet_gen::gp::command::select(aid) {
        return Err(PlayError::Channels(format!(
            "the script does not begin with SELECT of the definition's issuer security domain ({})",
            hex::encode_upper(aid)
        )));
    }
    let fail = |step: usize, comment: &str, source: GpError| PlayError::Channel {
        step,
        comment: comment.to_owned(),
        source,
    };
    let mut isd =
        Domain::issuer(link, secure.definition).map_err(|e| fail(0, &select.comment, e))?;
    let mut how = Authentication {
        level: None,
        attempts: Some(secure.attempts),
        random: secure.random,
        observer: &mut |notice| observer(Progress::Channel(notice)),
    };
    isd.authenticate(secure.set, &mut how)
        .map_err(|e| fail(0, "secure channel", e))?;
    let of = script.steps.len();
    tell(observer, 0, select, Sw::OK, of)?;
    let first = script.restart_at(from).max(1);
    for (at, step) in script.steps.iter().enumerate().skip(first) {
        let answer = isd
            .exchange(&step.command)
            .map_err(|e| fail(at, &step.comment, e))?;
        judge(script, at, step, &answer)?;
        tell(observer, at, step, answer.sw, of)?;
    }
    Ok(())
}

/// Whether the answer is the script's.
fn judge(script: &Script, at: usize, step: &Step, answer: &Response) -> Result<(), PlayError> {
    if !step.allows(answer.sw) {
        return Err(PlayError::Unexpected {
            step: at,
            of: script.steps.len(),
            comment: step.comment.clone(),
            expected: step.allowed(),
            sw: answer.sw,
            resumable: script.is_plain(),
        });
    }
    match &step.answer {
        Some(expected) if *expected != answer.data => Err(PlayError::Answer {
            step: at,
            comment: step.comment.clone(),
            expected: hex::encode_upper(expected),
            found: hex::encode_upper(&answer.data),
        }),
        _ => Ok(()),
    }
}

fn tell(
    observer: &mut Observer<'_>,
    at: usize,
    step: &Step,
    sw: Sw,
    of: usize,
) -> Result<(), PlayError> {
    match observer(Progress::Step(at, step, sw)) {
        ControlFlow::Break(()) if at + 1 < of => Err(PlayError::Interrupted { step: at + 1, of }),
        _ => Ok(()),
    }
}
