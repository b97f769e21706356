//! Card definitions: what the tools know of a card product, as data in `cards/definitions/*.toml`.
//!
//! A definition says what a card has (memory, API packages, secure channel, eUICC) and how it is
//! reached (AIDs, block sizes, the ES10 binding). Unknown fields are refused, [`Definition::validate`]
//! is a list of named checks, and [`json_schema`] describes the form for editors. State of a card
//! and keys of a customer never live here; keys that a definition does state are public test keys.

mod checks;
mod cost;
mod gp;
mod hex;
mod types;

pub use checks::{CHECKS, Check, Finding, is_public_test_key};
pub use cost::{ApduCost, BytecodeCost, Cost, CryptoCost, NvmCost};
pub use gp::{InitialKeys, Quirks, SecurityDomains};
pub use hex::Hex;
pub use types::*;

use std::path::Path;

/// The definitions that come with the tools: name and TOML text.
pub const SHIPPED: &[(&str, &str)] = &[
    (
        "virtual-lab",
        include_str!("../../definitions/virtual-lab.toml"),
    ),
    (
        "virtual-305",
        include_str!("../../definitions/virtual-305.toml"),
    ),
    (
        "virtual-small",
        include_str!("../../definitions/virtual-small.toml"),
    ),
    (
        "virtual-production",
        include_str!("../../definitions/virtual-production.toml"),
    ),
    (
        "virtual-sgp22",
        include_str!("../../definitions/virtual-sgp22.toml"),
    ),
    (
        "virtual-uicc",
        include_str!("../../definitions/virtual-uicc.toml"),
    ),
];

/// Why a definition can't be used.
#[derive(Debug, thiserror::Error)]
pub enum DefinitionError {
    /// Neither a shipped definition's name nor a file.
    #[error(
        "no card definition {name:?}: it is neither a file nor one of {}",
        names()
    )]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// The file can't be read.
    #[error("failed to read card definition {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// Not the form of a definition: a syntax error, an unknown or a missing field.
    #[error("{origin}: {message}")]
    Form {
        /// File or shipped name.
        origin: String,
        /// Line, column and what was expected.
        message: String,
    },
    /// Named checks failed.
    #[error("{origin}: {} of the card definition's checks failed:\n{}", findings.len(), list(findings))]
    Invalid {
        /// File or shipped name.
        origin: String,
        /// Every finding, not only the first.
        findings: Vec<Finding>,
    },
}

fn names() -> String {
    let names: Vec<&str> = SHIPPED.iter().map(|(name, _)| *name).collect();
    names.join(", ")
}

fn list(findings: &[Finding]) -> String {
    let lines: Vec<String> = findings.iter().map(|f| format!("  {f}")).collect();
    lines.join("\n")
}

impl Definition {
    /// AID of the ISD-R; the specification's for a card that is said to have none, and will answer so.
    pub fn isd_r(&self) -> &[u8] {
        let euicc = self.euicc.as_ref();
        euicc.map_or(applet_model::aid::ISD_R, |euicc| euicc.isd_r.bytes())
    }

    /// Most bytes of a STORE DATA block to the ISD-R.
    pub fn es10_block(&self) -> usize {
        let euicc = self.euicc.as_ref();
        euicc.map_or(255, |euicc| euicc.es10_block.into())
    }

    /// Reads and validates TOML text; `origin` names it in errors.
    ///
    /// # Errors
    /// [`DefinitionError::Form`] with line and column, [`DefinitionError::Invalid`] with all findings.
    pub fn from_toml(text: &str, origin: &str) -> Result<Self, DefinitionError> {
        let definition: Definition =
            toml::from_str(text).map_err(|error| DefinitionError::Form {
                origin: origin.to_owned(),
                message: error.to_string(),
            })?;
        let findings = definition.validate();
        if findings.is_empty() {
            return Ok(definition);
        }
        Err(DefinitionError::Invalid {
            origin: origin.to_owned(),
            findings,
        })
    }

    /// A definition by the name it is shipped under.
    ///
    /// # Errors
    /// [`DefinitionError::Unknown`].
    pub fn shipped(name: &str) -> Result<Self, DefinitionError> {
        match SHIPPED.iter().find(|(shipped, _)| *shipped == name) {
            Some((_, text)) => Self::from_toml(text, name),
            None => Err(DefinitionError::Unknown {
                name: name.to_owned(),
            }),
        }
    }

    /// A definition by shipped name, else from a file.
    ///
    /// # Errors
    /// [`DefinitionError`].
    pub fn find(name_or_path: &str) -> Result<Self, DefinitionError> {
        if SHIPPED.iter().any(|(shipped, _)| *shipped == name_or_path) {
            return Self::shipped(name_or_path);
        }
        if !Path::new(name_or_path).exists() {
            return Err(DefinitionError::Unknown {
                name: name_or_path.to_owned(),
            });
        }
        let text =
            std::fs::read_to_string(name_or_path).map_err(|source| DefinitionError::Read {
                path: name_or_path.to_owned(),
                source,
            })?;
        Self::from_toml(&text, name_or_path)
    }

    /// Runs every named check; empty if the definition is sound.
    pub fn validate(&self) -> Vec<Finding> {
        checks::run(self)
    }

    /// The API package with this AID that the card has, if any.
    pub fn package(&self, aid: &[u8]) -> Option<&Package> {
        self.java_card
            .packages
            .iter()
            .find(|package| package.aid.bytes() == aid)
    }
}

/// The JSON Schema of a definition.
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(Definition).to_value()
}

#[cfg(test)]
mod tests;
