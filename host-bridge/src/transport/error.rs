//! What can go wrong between the host and a card.

use crate::exit::{self, Exit, ExitCode};

/// Why a card doesn't answer. Each says what to do next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// pcscd is not installed or not running.
    #[error("no PC/SC service: {start}; the system says: {0}", start = start_service())]
    NoService(String),
    /// The service went away while a card was at work, or was started anew.
    #[error(
        "the PC/SC service stopped or was restarted while the card in reader {0:?} was at work; the card lost power"
    )]
    ServiceLost(String),
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
        "reader {reader:?} is in use by another process{users}; end that one first (nothing was sent to the card)"
    )]
    Busy {
        /// The reader.
        reader: String,
        /// Who uses the service and how it lets go, as far as the system tells; starts with a semicolon
        /// if anybody is known.
        users: String,
    },
    /// A reader or card without contacts.
    #[error(
        "reader {reader:?} is contactless ({reason}): a toolkit needs contacts (ETSI TS 102 223), and a field that breaks off is no place to load or personalize a card; use a reader with contacts (`ipae card info` looks into contactless cards, too)"
    )]
    Contactless {
        /// The reader.
        reader: String,
        /// What tells.
        reason: String,
    },
    /// More command data than protocol and reader carry.
    #[error("{name} carries {most} bytes of command data ({why}), not {bytes}; nothing was sent")]
    TooLong {
        /// The reader.
        name: String,
        /// Bytes of command data.
        bytes: usize,
        /// The most there can be.
        most: usize,
        /// Who says so.
        why: &'static str,
    },
    /// A station's table of quirks can't be read.
    #[error("the table of reader quirks can't be read: {0}")]
    Quirks(String),
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
    /// The reader was unplugged.
    #[error("reader {0:?} was unplugged while its card was at work")]
    ReaderGone(String),
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
    /// More bytes than the command can be answered with.
    #[error("{name} answered {command} with {bytes} bytes of data, there can be {most}")]
    LongAnswer {
        /// The reader or card.
        name: String,
        /// CLA INS P1 P2.
        command: String,
        /// Bytes that came.
        bytes: usize,
        /// The most there can be.
        most: usize,
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

/// How one gets a running service on this machine.
fn start_service() -> &'static str {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin"].map(std::path::PathBuf::from))
        .any(|dir| dir.join("pcscd").is_file());
    match installed {
        true => {
            "pcscd is installed but doesn't run: systemctl start pcscd.socket, or pcscd --foreground in a terminal"
        }
        false => {
            "pcscd is not installed (Debian, Ubuntu: apt install pcscd; Fedora: dnf install pcsc-lite pcsc-lite-ccid; \
             Arch: pacman -S pcsclite ccid), then systemctl start pcscd.socket, or pcscd --foreground in a terminal"
        }
    }
}

impl ExitCode for LinkError {
    fn exit(&self) -> Exit {
        match self {
            LinkError::NoService(_) | LinkError::ServiceLost(_) => exit::NO_SERVICE,
            LinkError::NoReader
            | LinkError::UnknownReader { .. }
            | LinkError::AmbiguousReader { .. } => exit::NO_READER,
            LinkError::Busy { .. } => exit::READER_BUSY,
            LinkError::Contactless { .. } => exit::CONTACTLESS,
            LinkError::Quirks(_) => exit::USAGE,
            LinkError::NoCard(_) | LinkError::Mute { .. } => exit::NO_CARD,
            LinkError::Removed(_) | LinkError::ReaderGone(_) | LinkError::PowerLost(_) => {
                exit::CARD_REMOVED
            }
            LinkError::ShortAnswer { .. }
            | LinkError::LongAnswer { .. }
            | LinkError::TooLong { .. }
            | LinkError::Endless { .. }
            | LinkError::Failed { .. } => exit::LINK,
        }
    }
}
