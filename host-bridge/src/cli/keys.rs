//! Options that name keys.

use super::failure::Failure;
use clap::Args;
use host_bridge::order::KeyStore;
use std::path::PathBuf;

/// Where key sets come from.
pub const HELP: &str = "a key file ([set.NAME] with kvn, enc, mac, dek in TOML), or the environment \
(IPAE_KEY_NAME_ENC, _MAC, _DEK), or `test`: the card definition's public test keys";

#[derive(Debug, Args)]
pub struct KeyArgs {
    /// Key file: TOML, `[set.NAME]` with kvn, enc, mac, dek; the environment is looked at too
    /// (IPAE_KEY_NAME_ENC, _MAC, _DEK)
    #[arg(long, value_name = "FILE.toml")]
    keys: Option<PathBuf>,
}

impl KeyArgs {
    /// Whether a key file was given.
    pub fn is_given(&self) -> bool {
        self.keys.is_some()
    }

    /// The key sets at hand.
    pub fn store(&self) -> Result<KeyStore, Failure> {
        Ok(match &self.keys {
            Some(path) => KeyStore::read(path)?,
            None => KeyStore::default(),
        })
    }
}
