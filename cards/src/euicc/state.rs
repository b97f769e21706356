//! What the eUICC keeps in non-volatile memory.

use super::Iccid;
use super::config::{AuthorisationRule, Limits, Versions};
use super::crl::RevocationList;
use super::hexbytes;
use super::local::LocalManagement;
use super::profile::{Event, Profile};
use serde::{Deserialize, Serialize};

/// An associated eIM (SGP.32 2.11.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Eim {
    /// `eimId`.
    pub eim_id: String,
    /// The counter of the last package that was executed.
    pub counter: u64,
    /// The token that this eUICC gave it.
    pub token: Option<u32>,
    /// The key that its packages are verified with: a SubjectPublicKeyInfo, DER.
    #[serde(with = "hexbytes")]
    pub key: Vec<u8>,
    /// Subject key identifier of the CI that selects the eUICC's key and certificates.
    #[serde(with = "hexbytes")]
    pub ci_key_id: Vec<u8>,
    /// `EimConfigurationData` (30…) as GetEimConfigurationData shows it: with the token, without the counter.
    #[serde(with = "hexbytes")]
    pub data: Vec<u8>,
}

/// A stored eUICC package result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredResult {
    /// Its sequence number.
    pub seq: u64,
    /// `EuiccPackageResult` (BF51…).
    #[serde(with = "hexbytes")]
    pub bytes: Vec<u8>,
}

/// A stored notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredNotification {
    /// Its sequence number.
    pub seq: u64,
    /// What happened.
    pub event: Event,
    /// `NotificationMetadata` (BF2F…).
    #[serde(with = "hexbytes")]
    pub metadata: Vec<u8>,
    /// `ProfileInstallationResultData` (BF27…) if that is what is signed; else empty.
    #[serde(with = "hexbytes", default, skip_serializing_if = "Vec::is_empty")]
    pub result: Vec<u8>,
    /// The eUICC's signature over the result data, or else the metadata, r‖s.
    #[serde(with = "hexbytes")]
    pub signature: Vec<u8>,
}

/// The right to roll back, granted by an enable with the rollback flag (SGP.32 3.4.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollbackGrant {
    /// The profile that was enabled before.
    pub previous: Iccid,
    /// The profile that was enabled under the grant.
    pub enabled: Iccid,
    /// Which eIM asked.
    pub eim_id: String,
    /// That eIM's CI key identifier at the time of the package.
    #[serde(with = "hexbytes")]
    pub ci_key_id: Vec<u8>,
    /// What ends the input of the result's signature.
    #[serde(with = "hexbytes")]
    pub ending: Vec<u8>,
    /// eimId, counterValue and eimTransactionId data objects, to be repeated.
    #[serde(with = "hexbytes")]
    pub head: Vec<u8>,
    /// The package's results (data objects in a row), without the sequence around them.
    #[serde(with = "hexbytes")]
    pub results: Vec<u8>,
    /// Sequence number of the result that a rollback replaces.
    pub result_seq: u64,
}

/// Configuration of immediate enabling (SGP.32 3.4.4).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ImmediateEnable {
    /// `immediateEnableFlag`.
    pub on: bool,
    /// Content of `defaultSmdpOid`; empty: none.
    #[serde(with = "hexbytes")]
    pub smdp_oid: Vec<u8>,
    /// `defaultSmdpAddress`.
    pub smdp_address: Option<String>,
}

/// A one-time key pair that a package may have been bound to. The secret key follows from the eUICC's own and the number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OneTimeKey {
    /// What it is made from.
    pub number: u64,
    /// otPK.EUICC.ECKA, an uncompressed point.
    #[serde(with = "hexbytes")]
    pub point: Vec<u8>,
    /// Object identifier of the SM-DP+ that it was given to.
    pub oid: String,
}

/// Everything in non-volatile memory that ES10 functions change. A function builds the new state beside the
/// old one, asks for the commit, and swaps: power is lost before the change or after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Installed profiles, in the order of installation.
    pub profiles: Vec<Profile>,
    /// Associated eIMs, in the order of association.
    pub eims: Vec<Eim>,
    /// The next association token; tokens are never used twice.
    pub next_token: u32,
    /// The next sequence number, shared by results and notifications.
    pub next_seq: u64,
    /// Results that weren't acknowledged yet, oldest first.
    pub results: Vec<StoredResult>,
    /// Notifications that weren't acknowledged yet, oldest first.
    pub notifications: Vec<StoredNotification>,
    /// The right to roll back.
    pub rollback: Option<RollbackGrant>,
    /// The profile to return to from the Fallback Profile, while that is enabled.
    pub fallback_return: Option<Iccid>,
    /// The profile to return to from the Emergency Profile, while that is enabled.
    #[serde(default)]
    pub emergency_return: Option<Iccid>,
    /// The profile that was enabled before a test profile, while one is.
    #[serde(default)]
    pub test_return: Option<Iccid>,
    /// Immediate enabling.
    pub immediate: ImmediateEnable,
    /// `defaultDpAddress`; empty: none.
    pub default_smdp: String,
    /// The one-time key of a download that did not come to its end (SGP.22 5.7.5).
    #[serde(default)]
    pub one_time: Option<OneTimeKey>,
    /// Revocation lists, one for each CI that sent one.
    #[serde(default)]
    pub revoked: Vec<RevocationList>,
}

/// What never changes after the eUICC was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Constants {
    /// `rootDsAddress`.
    pub root_smds: String,
    /// `sasAcreditationNumber`.
    pub sas_number: String,
    /// Versions.
    pub versions: Versions,
    /// Limits.
    pub limits: Limits,
    /// The rules authorisation table.
    pub rules: Vec<AuthorisationRule>,
    /// When a local assistant may manage profiles.
    #[serde(default)]
    pub local: LocalManagement,
}

impl State {
    /// The enabled profile.
    pub fn enabled(&self) -> Option<&Profile> {
        self.profiles.iter().find(|p| p.enabled)
    }

    /// The profile with this ICCID.
    pub fn profile(&self, iccid: &Iccid) -> Option<&Profile> {
        self.profiles.iter().find(|p| p.iccid == *iccid)
    }

    /// The eIM with this identifier.
    pub fn eim(&self, eim_id: &str) -> Option<&Eim> {
        self.eims.iter().find(|e| e.eim_id == eim_id)
    }

    /// Takes the next sequence number.
    pub(super) fn take_seq(&mut self) -> u64 {
        let seq = self.next_seq;
        self.next_seq += 1;
        seq
    }

    /// Takes the next association token.
    pub(super) fn take_token(&mut self) -> u32 {
        let token = self.next_token;
        self.next_token = self.next_token.saturating_add(1);
        token
    }

    /// What must hold at every moment; for tests after every step.
    ///
    /// # Errors
    /// The first rule that is broken, in words.
    pub fn check_invariants(&self, limits: &Limits) -> Result<(), String> {
        let enabled = self.profiles.iter().filter(|p| p.enabled).count();
        if enabled > 1 {
            return Err(format!("{enabled} profiles are enabled"));
        }
        let mut seqs: Vec<u64> = self.results.iter().map(|r| r.seq).collect();
        seqs.extend(self.notifications.iter().map(|n| n.seq));
        seqs.sort_unstable();
        if seqs.windows(2).any(|w| w.first() == w.last()) {
            return Err("a sequence number was given twice".into());
        }
        if seqs.last().is_some_and(|s| *s >= self.next_seq) {
            return Err("the next sequence number was given already".into());
        }
        for (what, unique) in [
            ("ICCID", all_unique(self.profiles.iter().map(|p| p.iccid))),
            (
                "ISD-P AID",
                all_unique(self.profiles.iter().map(|p| &p.isdp_aid)),
            ),
            ("eimId", all_unique(self.eims.iter().map(|e| &e.eim_id))),
            (
                "association token",
                all_unique(self.eims.iter().filter_map(|e| e.token)),
            ),
        ] {
            if !unique {
                return Err(format!("an {what} stands twice"));
            }
        }
        if self
            .eims
            .iter()
            .any(|e| e.token.is_some_and(|t| t >= self.next_token))
        {
            return Err("the next association token was given already".into());
        }
        if self.eims.iter().any(|e| e.counter > limits.counter) {
            return Err("a counter is out of range".into());
        }
        if self.profiles.iter().filter(|p| p.fallback).count() > 1 {
            return Err("several profiles have the fallback attribute".into());
        }
        let back = [
            ("fallback", self.fallback_return),
            ("emergency", self.emergency_return),
            ("test profile", self.test_return),
        ];
        for (what, iccid) in back {
            let Some(iccid) = iccid else { continue };
            if self.profile(&iccid).is_none_or(|p| p.enabled) {
                return Err(format!(
                    "the way back from the {what} leads to {iccid}, which isn't there or is enabled"
                ));
            }
        }
        if self.emergency_return.is_some() && !self.emergency() {
            return Err("a way back from the Emergency Profile, which isn't enabled".into());
        }
        if let Some(grant) = &self.rollback {
            for iccid in [&grant.previous, &grant.enabled] {
                if self.profile(iccid).is_none() {
                    return Err(format!(
                        "the rollback grant names {iccid}, which isn't there"
                    ));
                }
            }
        }
        if self.results.len() > limits.results || self.notifications.len() > limits.notifications {
            return Err("more results or notifications are stored than there is room for".into());
        }
        Ok(())
    }
}

fn all_unique<T: Ord>(items: impl Iterator<Item = T>) -> bool {
    let mut all: Vec<T> = items.collect();
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    all.len() == count
}
