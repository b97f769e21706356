//! What can go wrong between the host and a card.

use crate::exit::{self, Exit, ExitCode};

/// Why a card doesn't answer. Each says what to do next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// pcscd is not running.
    #[error(
        "no PC/SC service: install and start it (Debian: apt install pcscd, then systemctl start pcscd.socket, \
         or pcscd -f in a terminal); the system says: {0}"
    )]
    NoService(String),
    /// pcscd knows no reader at all.
    #[error(
        "no reader: the PC/SC service knows none; plug one in, or offer a virtual card with ipae vcard serve"
    )]
    NoReader,
    /// No reader of that name.
    #[error("no reader matches {wanted:?}; there are: {}", list(available))]
    UnknownReader {
        /// What was asked for.
        wanted: String,
        /// The readers' names.
        available: Vec<String>,
    },
    /// Several readers match.
    #[error(
        "{wanted:?} matches several readers: {}; give the whole name",
        list(matches)
    )]
    AmbiguousReader {
        /// What was asked for.
        wanted: String,
        /// The readers that match.
        matches: Vec<String>,
    },
    /// Another process has the reader.
    #[error(
        "reader {0:?} is in use by another process; end that one first (nothing was sent to the card)"
    )]
    Busy(String),
    /// The reader is empty.
    #[error("no card in reader {0:?}")]
    NoCard(String),
    /// The card doesn't answer to reset or to the protocol.
    #[error("the card in reader {reader:?} is mute: {detail}; is it the right way up?")]
    Mute {
        /// The reader.
        reader: String,
        /// What the service says.
        detail: String,
    },
    /// The card was taken out.
    #[error("the card was removed from reader {0:?}")]
    Removed(String),
    /// A virtual card's power was cut, as planned.
    #[error("card {0} lost power")]
    PowerLost(String),
    /// An answer of fewer than two bytes.
    #[error("{name} answered {command} with {bytes} bytes, a status word has 2")]
    ShortAnswer {
        /// The reader or card.
        name: String,
        /// CLA INS P1 P2.
        command: String,
        /// Bytes that came.
        bytes: usize,
    },
    /// 61xx without an end.
    #[error("{name} announces more response data without end ({bytes} bytes so far)")]
    Endless {
        /// The reader or card.
        name: String,
        /// Bytes so far.
        bytes: usize,
    },
    /// Anything else that the service or a socket says.
    #[error("failed to talk to {name}: {detail}")]
    Failed {
        /// The reader or card.
        name: String,
        /// What the system says.
        detail: String,
    },
}

fn list(names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    let quoted: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
    quoted.join(", ")
}

impl ExitCode for LinkError {
    fn exit(&self) -> Exit {
        match self {
            LinkError::NoService(_) => exit::NO_SERVICE,
            LinkError::NoReader
            | LinkError::UnknownReader { .. }
            | LinkError::AmbiguousReader { .. } => exit::NO_READER,
            LinkError::Busy(_) => exit::READER_BUSY,
            LinkError::NoCard(_) | LinkError::Mute { .. } => exit::NO_CARD,
            LinkError::Removed(_) | LinkError::PowerLost(_) => exit::CARD_REMOVED,
            LinkError::ShortAnswer { .. }
            | LinkError::Endless { .. }
            | LinkError::Failed { .. } => exit::LINK,
        }
    }
}
