//! Why keys can't be had.

use crate::exit::{self, Exit, ExitCode};
use applet_gen::gp::scp03::CardKeysError;
use std::path::PathBuf;

/// Why keys can't be had. No text of it shows a key, a PIN or a passphrase.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The key file can't be read.
    #[error("failed to read key file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Not the form of a key file. The parser's own message would show a line with a key in it.
    #[error(
        "key file {}: not of the form [set.NAME] with kvn and enc, mac, dek (or master and diversify), \
         [transport.NAME] with key and wrap{}",
        path.display(),
        line.map(|l| format!(" (line {l})")).unwrap_or_default()
    )]
    Form {
        /// The file.
        path: PathBuf,
        /// Line of the fault, from 1.
        line: Option<usize>,
    },
    /// The encrypted key file can't be opened.
    #[error("key file {}: {problem}", path.display())]
    Sealed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A passphrase or PIN is needed and there is none.
    #[error("{what}: {problem}")]
    Secret {
        /// What it is for.
        what: String,
        /// What was tried.
        problem: String,
    },
    /// A key of a set can't be read.
    #[error("key set {set}: {key}: {problem}")]
    Key {
        /// Name of the set.
        set: String,
        /// The key in question: `enc`, `mac`, `dek`, `master`, `key`.
        key: &'static str,
        /// What is wrong, without the key.
        problem: String,
    },
    /// No set of that name.
    #[error(
        "no key set {name:?}: the key file has {}; in the environment {variable} is not set",
        list(known)
    )]
    Unknown {
        /// What was asked for.
        name: String,
        /// Names in the key file.
        known: Vec<String>,
        /// The environment variable that was looked for.
        variable: String,
    },
    /// No transport key of that name.
    #[error("no transport key {name:?}: the key file has {}", list(known))]
    UnknownTransport {
        /// What was asked for.
        name: String,
        /// Names in the key file.
        known: Vec<String>,
    },
    /// A key that everyone knows, for cards that go to customers (design: secrets).
    #[error("key set {set}: a public test key, and cards of {card} are for production")]
    Public {
        /// Name of the set.
        set: String,
        /// EUM and product of the definition.
        card: String,
    },
    /// The keys can't be used.
    #[error("key set {set}: {source}")]
    Use {
        /// Name of the set.
        set: String,
        /// Why.
        source: CardKeysError,
    },
    /// The HSM.
    #[error("HSM: {0}")]
    Hsm(CardKeysError),
    /// `test` was asked for, and the definition has none.
    #[error("key set \"test\": the card definition has no test keys")]
    NoTestKeys,
}

fn list(names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    names.join(", ")
}

impl ExitCode for KeyError {
    fn exit(&self) -> Exit {
        match self {
            KeyError::Public { .. } => exit::TEST_KEYS,
            KeyError::Hsm(CardKeysError::Device(_))
            | KeyError::Use {
                source: CardKeysError::Device(_),
                ..
            } => exit::HSM,
            _ => exit::KEYS,
        }
    }
}
