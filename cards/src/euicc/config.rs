//! What an eUICC is made of: the part that a TOML file says, and the part that belongs to one card.

use super::Eid;
use super::Iccid;
use super::local::LocalManagement;
use super::profile::{Owner, Profile};
use crate::pki::{EuiccCredential, Hierarchy, PkiError};
use serde::{Deserialize, Serialize};

/// The lab's eUICC: three profiles, as a TOML file shows them.
pub const LAB_TOML: &str = include_str!("lab.toml");

/// Why an eUICC can't be made of a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The TOML text; the message has the line.
    #[error("eUICC configuration: {0}")]
    Toml(#[from] toml::de::Error),
    /// Two profiles have the same ICCID.
    #[error("two profiles have the ICCID {0}")]
    DuplicateIccid(Iccid),
    /// More than one profile is enabled.
    #[error("{0} profiles are enabled, at most one may be")]
    SeveralEnabled(usize),
    /// More than one profile has the fallback attribute.
    #[error("{0} profiles have the fallback attribute, at most one may")]
    SeveralFallback(usize),
    /// A field of a profile.
    #[error("profile {iccid}: {detail}")]
    Profile {
        /// Which profile.
        iccid: Iccid,
        /// What is wrong with it.
        detail: String,
    },
    /// No certificates: such an eUICC could sign nothing.
    #[error("the eUICC has no certificate; issue one from a hierarchy")]
    NoCredential,
    /// The certificates couldn't be issued.
    #[error(transparent)]
    Pki(#[from] PkiError),
}

/// A rule of the rules authorisation table (SGP.22 2.9.2.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorisationRule {
    /// PPR1 is authorised.
    #[serde(default)]
    pub ppr1: bool,
    /// PPR2 is authorised.
    #[serde(default)]
    pub ppr2: bool,
    /// For profiles of these operators (`EEEEEE`: any).
    pub operators: Vec<Owner>,
    /// The end user's consent is needed.
    #[serde(default)]
    pub consent_required: bool,
}

/// Limits of the eUICC's memory. SGP.32 names only the counter's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Associated eIMs.
    pub eims: usize,
    /// Stored eUICC package results; the oldest is dropped for a new one.
    pub results: usize,
    /// Stored notifications; the oldest is dropped for a new one.
    pub notifications: usize,
    /// Largest ES10 command, bytes.
    pub command: usize,
    /// Largest `EuiccPackageRequest`, bytes; beyond it `sizeOverflow`.
    pub package: usize,
    /// Largest list of results in one package, bytes; beyond it `resultSizeOverflow`.
    pub result: usize,
    /// Memory for downloaded profiles, bytes.
    pub profile_memory: usize,
    /// Entries of revocation lists.
    pub revoked: usize,
    /// Volatile memory for applications that the eUICC shows (extCardResource), bytes.
    pub volatile_memory: usize,
    /// Largest eIM counter. At least 8388607 (SGP.32 2.11.1.1).
    pub counter: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            eims: 4,
            results: 8,
            notifications: 16,
            command: 16 * 1024,
            package: 8 * 1024,
            result: 4 * 1024,
            profile_memory: 256 * 1024,
            revoked: 256,
            volatile_memory: 8 * 1024,
            counter: 0x7F_FFFF,
        }
    }
}

/// Versions as EUICCInfo2 shows them: three bytes each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Versions {
    /// `profileVersion`: the highest profile package version supported.
    pub profile: [u8; 3],
    /// `svn`: SGP.22's version.
    pub svn: [u8; 3],
    /// `euiccFirmwareVer`.
    pub firmware: [u8; 3],
    /// `ts102241Version`.
    pub ts102241: [u8; 3],
    /// `globalplatformVersion`.
    pub globalplatform: [u8; 3],
    /// `ppVersion`: the protection profile's.
    pub protection_profile: [u8; 3],
    /// `iotVersion`: SGP.32's versions.
    pub iot: Vec<[u8; 3]>,
}

impl Default for Versions {
    fn default() -> Self {
        Versions {
            profile: [2, 3, 1],
            svn: [2, 5, 0],
            firmware: [0, 1, 0],
            ts102241: [9, 0, 0],
            globalplatform: [2, 3, 1],
            protection_profile: [1, 0, 0],
            iot: vec![[1, 2, 0]],
        }
    }
}

/// What a TOML file says of an eUICC: everything but what differs from card to card.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EuiccSetup {
    /// `defaultDpAddress`; empty: none.
    #[serde(default)]
    pub default_smdp: String,
    /// `rootDsAddress`.
    #[serde(default)]
    pub root_smds: String,
    /// `sasAcreditationNumber`.
    #[serde(default)]
    pub sas_number: String,
    /// Versions it shows.
    #[serde(default)]
    pub versions: Versions,
    /// Limits of its memory.
    #[serde(default)]
    pub limits: Limits,
    /// When a local assistant may manage profiles.
    #[serde(default)]
    pub local: LocalManagement,
    /// The rules authorisation table.
    #[serde(default, rename = "rule")]
    pub rules: Vec<AuthorisationRule>,
    /// Profiles that come installed.
    #[serde(default, rename = "profile")]
    pub profiles: Vec<Profile>,
}

impl EuiccSetup {
    /// Reads a TOML file's text and checks it. [`LAB_TOML`] is an example.
    ///
    /// # Errors
    /// [`ConfigError`] with the line or the profile.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        let setup: EuiccSetup = toml::from_str(text)?;
        setup.check()?;
        Ok(setup)
    }

    /// The lab's eUICC ([`LAB_TOML`]).
    ///
    /// # Errors
    /// None in practice: the text is part of the crate, and a test reads it.
    pub fn lab() -> Result<Self, ConfigError> {
        Self::from_toml(LAB_TOML)
    }

    fn check(&self) -> Result<(), ConfigError> {
        for (i, profile) in self.profiles.iter().enumerate() {
            let refuse = |detail: String| {
                Err(ConfigError::Profile {
                    iccid: profile.iccid,
                    detail,
                })
            };
            if self
                .profiles
                .iter()
                .skip(i + 1)
                .any(|p| p.iccid == profile.iccid)
            {
                return Err(ConfigError::DuplicateIccid(profile.iccid));
            }
            if let Err(error) = profile.iccid.check() {
                return refuse(error.to_string());
            }
            let imsi = &profile.imsi;
            if !(6..=15).contains(&imsi.len()) || !imsi.bytes().all(|b| b.is_ascii_digit()) {
                return refuse(format!("IMSI \"{imsi}\": expected 6 to 15 digits"));
            }
            for (what, text, limit) in [
                ("service_provider", &profile.service_provider, 32),
                ("name", &profile.name, 64),
                ("nickname", &profile.nickname, 64),
            ] {
                if text.len() > limit {
                    return refuse(format!("{what} has {} bytes, at most {limit}", text.len()));
                }
            }
            if !matches!(profile.isdp_aid.len(), 0 | 5..=16) {
                return refuse(format!(
                    "isdp_aid has {} bytes, expected 5 to 16",
                    profile.isdp_aid.len()
                ));
            }
            if let Some(owner) = &profile.owner
                && owner.mcc_mnc.len() != 3
            {
                return refuse(format!(
                    "owner.mcc_mnc has {} bytes, expected 3",
                    owner.mcc_mnc.len()
                ));
            }
        }
        let enabled = self.profiles.iter().filter(|p| p.enabled).count();
        if enabled > 1 {
            return Err(ConfigError::SeveralEnabled(enabled));
        }
        let fallback = self.profiles.iter().filter(|p| p.fallback).count();
        if fallback > 1 {
            return Err(ConfigError::SeveralFallback(fallback));
        }
        Ok(())
    }
}

/// Everything that one eUICC is made of.
#[derive(Clone, Serialize, Deserialize)]
pub struct EuiccConfig {
    /// Its EID.
    pub eid: Eid,
    /// Where its random numbers come from: the same seed gives the same challenges.
    pub seed: u64,
    /// Keys and certificates, one for each CI; the first is used where none is named.
    pub credentials: Vec<EuiccCredential>,
    /// The rest.
    pub setup: EuiccSetup,
}

impl EuiccConfig {
    /// An eUICC with certificates issued by a hierarchy.
    ///
    /// # Errors
    /// [`ConfigError::Pki`] if the hierarchy can't issue for this EID; else what is wrong with the setup.
    pub fn issue(
        eid: Eid,
        seed: u64,
        hierarchy: &Hierarchy,
        setup: EuiccSetup,
    ) -> Result<Self, ConfigError> {
        setup.check()?;
        Ok(EuiccConfig {
            eid,
            seed,
            credentials: vec![hierarchy.issue_euicc(&eid)?],
            setup,
        })
    }

    /// The lab's eUICC with three profiles (the first enabled), certified by [`Hierarchy::lab`]. The EID begins with
    /// 89049032.
    ///
    /// # Errors
    /// [`ConfigError::Pki`] if the EID is outside of the lab EUM's range.
    pub fn lab(eid: Eid) -> Result<Self, ConfigError> {
        Self::issue(eid, 1, &Hierarchy::lab()?, EuiccSetup::lab()?)
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.credentials.is_empty() {
            return Err(ConfigError::NoCredential);
        }
        self.setup.check()
    }
}
