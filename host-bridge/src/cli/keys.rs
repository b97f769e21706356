//! Options that name keys.

use super::failure::Failure;
use super::output::Out;
use cards::definition::Definition;
use clap::Args;
use host_bridge::gp::{Attempts, Notice, Permission};
use host_bridge::order::{KeySet, KeyStore};
use std::path::PathBuf;

/// Where key sets come from.
pub const HELP: &str = "a key file ([set.NAME] with kvn, enc, mac, dek in TOML), or the environment \
(IPAE_KEY_NAME_ENC, _MAC, _DEK), or `test`: the card definition's public test keys";

/// Says which key set will be used, before the first cryptogram.
pub fn show(notice: &Notice, out: &Out) {
    if let Notice::KeySet {
        name,
        kvn,
        check_values: [enc, mac, dek],
    } = notice
    {
        out.note(format_args!(
            "key set {name}, version {kvn:02X}, check values {enc} {mac} {dek}"
        ));
    }
}

/// Host challenges from the system's randomness.
pub fn random(bytes: &mut [u8]) -> Result<(), String> {
    getrandom::fill(bytes).map_err(|e| e.to_string())
}

/// The record of authentication attempts.
#[derive(Debug, Args)]
pub struct AttemptArgs {
    /// Record of authentication attempts; without it IPAE_ATTEMPTS, or ipae/attempts.sqlite in
    /// $XDG_STATE_HOME or ~/.local/state
    #[arg(long, value_name = "FILE")]
    attempts: Option<PathBuf>,
    /// Try once more although a try of this card was spent; a card blocks for ever after a few
    #[arg(long)]
    spend_attempt: bool,
}

impl AttemptArgs {
    /// The record, with what the operator said.
    pub fn open(&self) -> Result<Attempts, Failure> {
        let mut attempts = match &self.attempts {
            Some(path) => Attempts::at(path),
            None => Attempts::of_user()?,
        };
        if self.spend_attempt {
            attempts.permit(Permission::Spend);
        }
        Ok(attempts)
    }
}

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

    /// The key set of this name for cards of this definition, which no public test key is where they are
    /// for production.
    pub fn find(&self, name: &str, definition: &Definition) -> Result<KeySet, Failure> {
        let set = self.store()?.find(name, None, definition)?;
        set.allowed_on(definition)?;
        Ok(set)
    }

    /// The key sets at hand.
    pub fn store(&self) -> Result<KeyStore, Failure> {
        Ok(match &self.keys {
            Some(path) => KeyStore::read(path)?,
            None => KeyStore::default(),
        })
    }
}
