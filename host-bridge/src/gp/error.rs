//! Why a security domain did not do what it was asked to.

use super::attempts::AttemptsError;
use crate::exit::{self, Exit, ExitCode};
use crate::transport::LinkError;
use applet_gen::gp::load::LoadError;
use applet_gen::gp::scp03::{CardKeysError, ScpError};
use applet_model::status::Sw;
use applet_model::tlv::TlvError;

/// What went wrong, on which command, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum GpError {
    /// The link.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The secure channel.
    #[error("key set {set}: {source}")]
    Scp {
        /// Name of the key set.
        set: String,
        /// What happened.
        source: ScpError,
    },
    /// The card answered a command with an error.
    #[error("{command} was answered with {sw}{hint}", hint = hint(*sw, command))]
    Refused {
        /// The command, in words.
        command: String,
        /// The card's answer.
        sw: Sw,
    },
    /// An answer that can't be read.
    #[error("the answer to {command} can't be read: {source}")]
    Answer {
        /// The command, in words.
        command: String,
        /// What is wrong with it.
        source: TlvError,
    },
    /// The card gives no logical channel, or another than the one asked for.
    #[error("logical channel {asked}: {problem}")]
    Channel {
        /// Number asked for.
        asked: u8,
        /// What the card did.
        problem: String,
    },
    /// The load file has too many blocks.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A try was spent before, or can't be recorded.
    #[error(transparent)]
    Attempts(#[from] AttemptsError),
    /// No random numbers.
    #[error("no random numbers: {0}")]
    Random(String),
    /// The observer said stop.
    #[error("stopped on request; the same command goes on from here")]
    Interrupted,
}

fn hint(sw: Sw, command: &str) -> &'static str {
    match sw {
        Sw::NOT_ENOUGH_MEMORY => ": the card's memory is full",
        Sw::WRONG_DATA if command.starts_with("INSTALL [for install") => {
            ": an install parameter (C9, EF, EA) that this card refuses, or the applet's install() failed"
        }
        Sw::REFERENCED_DATA_NOT_FOUND if command.starts_with("INSTALL [for load") => {
            ": the security domain is not there"
        }
        Sw(0x6438) => ": a package that the CAP file imports is missing or too old",
        _ => "",
    }
}

impl ExitCode for GpError {
    fn exit(&self) -> Exit {
        match self {
            GpError::Link(error) => error.exit(),
            GpError::Scp { source, .. } => match source {
                ScpError::WrongCryptogram { .. }
                | ScpError::KeyVersion { .. }
                | ScpError::Refused { .. } => exit::WRONG_KEYS,
                ScpError::NotAuthenticated(_) => exit::NOT_AUTHENTICATED,
                ScpError::Keys(CardKeysError::Device(_)) => exit::HSM,
                ScpError::Keys(_) => exit::KEYS,
                _ => exit::CARD_REFUSED,
            },
            GpError::Refused { sw, .. } if *sw == Sw::NOT_ENOUGH_MEMORY => exit::MEMORY,
            GpError::Refused { .. } | GpError::Answer { .. } | GpError::Channel { .. } => {
                exit::CARD_REFUSED
            }
            GpError::Load(_) => exit::CAP,
            GpError::Attempts(error) => error.exit(),
            GpError::Random(_) => exit::FAILED,
            GpError::Interrupted => exit::INTERRUPTED,
        }
    }
}
