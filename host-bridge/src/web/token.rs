//! The token that opens a server's interface for its operators.

use crate::exit::{self, Exit, ExitCode};
use axum::http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Bytes of randomness in a token: too many to be guessed, so that wrong ones needn't be counted.
const RANDOM: usize = 32;

/// The shortest token that is taken from a file.
const SHORTEST: usize = 16;

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file can't be read or made.
    #[error("token file {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file holds no token.
    #[error(
        "token file {path}: expected one line of at least {SHORTEST} visible ASCII characters, got {found}"
    )]
    Content {
        /// The file.
        path: PathBuf,
        /// What is there, without showing it.
        found: String,
    },
    /// The system gives no randomness.
    #[error("no randomness for a token: {0}")]
    Random(String),
}

impl ExitCode for TokenError {
    fn exit(&self) -> Exit {
        exit::KEYS
    }
}

/// A bearer token; it is not shown.
#[derive(Clone)]
pub struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(..)")
    }
}

impl Token {
    /// A new one.
    ///
    /// # Errors
    /// [`TokenError::Random`].
    pub fn random() -> Result<Self, TokenError> {
        let mut bytes = [0; RANDOM];
        getrandom::fill(&mut bytes).map_err(|e| TokenError::Random(e.to_string()))?;
        Ok(Token(hex::encode(bytes)))
    }

    /// The one in this file.
    ///
    /// # Errors
    /// [`TokenError::File`], [`TokenError::Content`].
    pub fn from_file(path: &Path) -> Result<Self, TokenError> {
        let text = std::fs::read_to_string(path).map_err(|source| TokenError::File {
            path: path.to_owned(),
            source,
        })?;
        Self::of_text(text.trim()).ok_or_else(|| TokenError::Content {
            path: path.to_owned(),
            found: format!("{} characters", text.trim().chars().count()),
        })
    }

    /// The one in this file, which is made, for its owner only, if it isn't there.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn in_file(path: &Path) -> Result<Self, TokenError> {
        let failed = |source| TokenError::File {
            path: path.to_owned(),
            source,
        };
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(path) {
            Ok(mut file) => {
                let token = Self::random()?;
                writeln!(file, "{}", token.0).map_err(failed)?;
                Ok(token)
            }
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Self::from_file(path),
            Err(e) => Err(failed(e)),
        }
    }

    /// Takes a text for a token, if it is long enough and fits into a header.
    pub fn of_text(text: &str) -> Option<Self> {
        let fits = text.len() >= SHORTEST && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Token(text.to_owned()))
    }

    /// What goes into a request's header.
    pub fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// Whether a request's headers hold it. Digests are compared, so that the time says nothing of it.
    pub(crate) fn opens(&self, headers: &HeaderMap) -> bool {
        headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .is_some_and(|given| Sha256::digest(given) == Sha256::digest(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_its_owners_only_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let made = Token::in_file(&path).unwrap();
        assert_eq!(made.header(), Token::in_file(&path).unwrap().header());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = path.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        for bad in [
            "",
            "short",
            "has blanks in its middle",
            "ünsichtbar-und-lang-genug",
        ] {
            std::fs::write(&path, bad).unwrap();
            let error = Token::in_file(&path).unwrap_err().to_string();
            assert!(error.contains("at least 16"), "{error}");
        }
        assert_eq!(format!("{made:?}"), "Token(..)");
    }
}
