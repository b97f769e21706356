//! Receipts: what each card has, in a form that can be checked by who never saw the card.
//!
//! `receipts/EID.json` is one line of canonical JSON (RFC 8785, [`canonical()`]) with these members
//! beside the card's own ([`Receipt`]):
//!
//! - `run`: what differs from run to run: attempts, reader, traffic, time. Without it, `chain` and
//!   `signature` the same card gives the same receipt, on whichever reader.
//! - `chain`: `station`, `sequence` (from 1) and `previous`: the hash of the receipt before it, the
//!   order's digest for the first.
//! - `signature`: `algorithm` `ES256`, `key` (SHA-256 of the public key's SubjectPublicKeyInfo) and
//!   `value` (r‖s in hex) over the canonical text of the receipt without the member `signature`.
//!
//! A receipt's hash is SHA-256 over the text that is signed. `receipts.json` beside the folder, signed in
//! the same way, has the order's cards and the end of the chain: what is missing at the end is missed.

mod canonical;
mod signer;
mod verify;

#[cfg(test)]
mod tests;

pub use canonical::canonical;
pub use signer::{Signer, SignerError, read_public};
pub use verify::{ChainSummary, Finding, FindingKind, Verification, verify};

use super::job::JobCap;
use crate::journal::{ChainHead, Sealed};
use crate::transport::Traffic;
use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// What a receipt says of its card. No keys, only check values.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Receipt {
    /// Version of this form: 3.
    pub format: u32,
    /// The card.
    pub eid: String,
    /// ICCIDs of its profiles as the order states them; the card has them.
    pub iccids: Vec<String>,
    /// Line in the order.
    pub line: usize,
    /// SHA-256 of the order.
    pub order: String,
    /// EUM and product of the card definition.
    pub card: String,
    /// Answer to reset in hex.
    pub atr: String,
    /// Card production life cycle data (9F7F) in hex; empty if the card has none.
    pub cplc: String,
    /// Key set: name in the order, version, check values.
    pub key_set: KeySetReceipt,
    /// Keys of cards were allowed into the station's memory where the HSM couldn't do without.
    pub keys_in_host: bool,
    /// What was done.
    pub job: JobReceipt,
    /// The packages that the job loads.
    pub packages: Vec<PackageReceipt>,
    /// The IPAe applet, as read back, where the job verifies one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applet: Option<AppletReceipt>,
    /// Its eIM, as read back, where the job adds one and verifies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eim: Option<EimReceipt>,
    /// The configuration, as read back, where the job gives one and verifies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configuration: Option<applet_model::config::Config>,
    /// Answers to the job's read steps that are for the receipt, in hex, by the step's name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub reads: BTreeMap<String, String>,
}

/// The job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JobReceipt {
    /// SHA-256 over its text and packages.
    pub sha256: String,
    /// Its title.
    pub title: String,
    /// Its steps, by name.
    pub steps: Vec<String>,
}

/// A package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PackageReceipt {
    /// SHA-256 of the CAP file.
    pub cap: String,
    /// Executable load file AID in hex.
    pub package: String,
}

impl PackageReceipt {
    /// Of a job's package.
    pub(super) fn of(cap: &JobCap) -> Self {
        PackageReceipt {
            cap: cap.applet.digest.clone(),
            package: hex::encode_upper(&cap.applet.package),
        }
    }
}

/// The key set that the card has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct KeySetReceipt {
    /// Name in the order.
    pub name: String,
    /// Key version number in hex.
    pub kvn: String,
    /// Check values of ENC, MAC, DEK in hex.
    pub check_values: [String; 3],
}

/// The applet on the card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AppletReceipt {
    /// Instance AID in hex.
    pub instance: String,
    /// Version object (DF20) in hex: major, minor, digest of the tables.
    pub version: String,
}

/// The eIM entry on the card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EimReceipt {
    /// eimId.
    pub id: String,
    /// eimFqdn.
    pub fqdn: String,
    /// Public key, uncompressed point in hex.
    pub public_key: String,
    /// Association token, if the eUICC gave one: the eIM must be told.
    pub association_token: Option<i64>,
}

/// What differs from run to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunReceipt {
    /// Times that the card was begun.
    pub attempts: u32,
    /// Reader or virtual card.
    pub reader: String,
    /// APDUs and bytes of the last run.
    pub traffic: Traffic,
    /// When it was verified.
    pub finished: String,
}

/// Version of the receipts' form.
pub const FORMAT: u32 = 3;

/// File name of the statement that closes a chain, in the output directory.
pub const STATEMENT: &str = "receipts.json";

/// Signs a JSON object: its text with the signature, and the hash of what is signed.
fn signed(mut members: Map<String, Value>, signer: &Signer) -> Result<(String, String), String> {
    let text = canonical(&members)?;
    let signature = json!({
        "algorithm": "ES256",
        "key": signer.id(),
        "value": signer.sign(&text).map_err(|e| e.to_string())?,
    });
    members.insert("signature".to_owned(), signature);
    let mut whole = canonical(&members)?;
    whole.push('\n');
    Ok((whole, hex::encode(Sha256::digest(&text))))
}

/// Gives a receipt its place in the chain, and signs it.
pub(super) fn seal(
    receipt: &Receipt,
    run: &RunReceipt,
    head: &ChainHead,
    signer: &Signer,
) -> Result<Sealed, String> {
    let Ok(Value::Object(mut members)) = serde_json::to_value(receipt) else {
        return Err("the receipt is no JSON object".to_owned());
    };
    let sequence = head.sequence + 1;
    let run = serde_json::to_value(run).map_err(|e| e.to_string())?;
    members.insert("run".to_owned(), run);
    members.insert(
        "chain".to_owned(),
        json!({ "station": head.station, "sequence": sequence, "previous": head.hash }),
    );
    let (text, hash) = signed(members, signer)?;
    Ok(Sealed {
        eid: receipt.eid.clone(),
        sequence,
        hash,
        text,
    })
}

/// The statement on a station's chain as it is now.
pub(super) fn statement(
    order: &str,
    cards: &[String],
    head: &ChainHead,
    at: &str,
    signer: &Signer,
) -> Result<String, String> {
    let Value::Object(members) = json!({
        "format": FORMAT,
        "order": order,
        "cards": cards,
        "station": head.station,
        "receipts": head.sequence,
        "last": head.hash,
        "at": at,
    }) else {
        return Err("the statement is no JSON object".to_owned());
    };
    signed(members, signer).map(|(text, _)| text)
}
