//! The key that signs receipts: ECDSA on P-256, a PEM file of the station.

use crate::exit::{self, Exit, ExitCode};
use crate::files;
use cards::pki::{PkiError, PublicKey, SecretKey};
use p256::pkcs8::der::pem::LineEnding;
use p256::pkcs8::{DecodePublicKey, EncodePublicKey};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Why there is no key for receipts.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// The file.
    #[error("receipt key {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Not a key.
    #[error("receipt key {}: {problem}; a P-256 key in PEM is expected", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

impl ExitCode for SignerError {
    fn exit(&self) -> Exit {
        match self {
            SignerError::File { .. } => exit::OUTPUT,
            SignerError::Key { .. } => exit::KEYS,
        }
    }
}

/// A key that signs receipts.
pub struct Signer {
    key: SecretKey,
    id: String,
}

/// Which public key: SHA-256 of its SubjectPublicKeyInfo in hex.
pub(super) fn key_id(key: &PublicKey) -> Result<String, PkiError> {
    Ok(hex::encode(Sha256::digest(key.to_spki()?)))
}

impl Signer {
    /// File name of the key in an output directory, where none is named.
    pub const FILE: &'static str = "receipt-key.pem";

    /// The name of the public key's file beside the key's: `NAME.pub.pem`.
    pub fn public_file(key: &Path) -> PathBuf {
        key.with_extension("pub.pem")
    }

    /// A signer with this key.
    ///
    /// # Errors
    /// [`PkiError`].
    pub fn new(key: SecretKey) -> Result<Self, PkiError> {
        let id = key_id(&key.public_key()?)?;
        Ok(Signer { key, id })
    }

    /// Reads a key file; where there is none makes one, with the public key beside it.
    ///
    /// # Errors
    /// [`SignerError`]: the file can't be read or written, or is no key.
    pub fn open(path: &Path, random: &super::super::RandomSource) -> Result<Self, SignerError> {
        let file = |source| SignerError::File {
            path: path.to_owned(),
            source,
        };
        let bad = |problem: String| SignerError::Key {
            path: path.to_owned(),
            problem,
        };
        let pki = |e: PkiError| bad(e.to_string());
        let text = match std::fs::read_to_string(path) {
            Ok(text) => Some(Zeroizing::new(text)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
            Err(e) => return Err(file(e)),
        };
        let key = match &text {
            Some(text) => SecretKey::from_pem(text).map_err(pki)?,
            None => {
                let mut bytes = Zeroizing::new([0; 32]);
                random(&mut bytes[..]).map_err(bad)?;
                // A scalar out of range has a probability of 2⁻³²; the next run takes other bytes.
                let key = SecretKey::from_bytes(&bytes[..]).map_err(pki)?;
                let pem = key.to_pem().map_err(pki)?;
                files::replace_private(path, pem.as_bytes()).map_err(file)?;
                key
            }
        };
        let public = Self::public_file(path);
        if !public.exists() {
            let der = key
                .public_key()
                .and_then(|key| key.to_spki())
                .map_err(pki)?;
            let pem = p256::PublicKey::from_public_key_der(&der)
                .and_then(|key| key.to_public_key_pem(LineEnding::LF))
                .map_err(|e| bad(e.to_string()))?;
            files::replace(&public, pem.as_bytes(), true).map_err(|source| SignerError::File {
                path: public,
                source,
            })?;
        }
        Self::new(key).map_err(pki)
    }

    /// Which key: SHA-256 of its public key.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn sign(&self, text: &str) -> Result<String, PkiError> {
        Ok(hex::encode(self.key.sign(text.as_bytes())?))
    }
}

/// Reads the public key's PEM file.
///
/// # Errors
/// [`SignerError`].
pub fn read_public(path: &Path) -> Result<PublicKey, SignerError> {
    let text = std::fs::read_to_string(path).map_err(|source| SignerError::File {
        path: path.to_owned(),
        source,
    })?;
    let bad = |problem: String| SignerError::Key {
        path: path.to_owned(),
        problem,
    };
    let key = p256::PublicKey::from_public_key_pem(text.trim()).map_err(|e| bad(e.to_string()))?;
    let der = key.to_public_key_der().map_err(|e| bad(e.to_string()))?;
    PublicKey::from_spki(der.as_bytes()).map_err(|e| bad(e.to_string()))
}
