//! What a run leaves: receipts and the response file.

use super::error::PersonalizeError;
use crate::journal::{CardRecord, CardState, ChainHead, Journal, Sealed};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// The receipt of one card: `receipts/EID.json`. No keys, only check values.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Receipt {
    /// Version of this form: 1.
    pub format: u32,
    /// The card.
    pub eid: String,
    /// ICCIDs of its profiles as the order states them.
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
    /// The applet.
    pub applet: AppletReceipt,
    /// Its eIM, as read back.
    pub eim: EimReceipt,
    /// The configuration, as read back.
    pub configuration: applet_model::config::Config,
    /// Runs that touched the card.
    pub attempts: u32,
    /// APDUs and bytes of the last run.
    pub traffic: crate::transport::Traffic,
    /// When it was verified.
    pub finished: String,
}

/// The key set used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
    /// SHA-256 of the CAP file.
    pub cap: String,
    /// Executable load file AID in hex.
    pub package: String,
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

/// A row of `response.csv`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ResponseRow {
    /// The card.
    pub eid: String,
    /// `done`, `failed`, `working` or `pending`.
    pub state: CardState,
    /// Exit code of its error, or 0.
    pub exit_code: u8,
    /// Its error.
    pub error: String,
    /// Association token, if its eUICC gave one.
    pub association_token: Option<i64>,
    /// When it was done.
    pub finished: String,
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), PersonalizeError> {
    let fail = |source| PersonalizeError::Output {
        path: path.to_owned(),
        source,
    };
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(fail)?;
    }
    crate::files::replace(path, bytes, true).map_err(fail)
}

/// A receipt as it follows a chain's head.
#[derive(Serialize)]
struct Chained<'a> {
    #[serde(flatten)]
    receipt: &'a Receipt,
    station: &'a str,
    sequence: u64,
    previous: &'a str,
}

/// Gives a receipt its place in the chain.
pub(super) fn seal(receipt: &Receipt, head: &ChainHead) -> Result<Sealed, String> {
    let sequence = head.sequence + 1;
    let chained = Chained {
        receipt,
        station: &head.station,
        sequence,
        previous: &head.hash,
    };
    let mut text = serde_json::to_string_pretty(&chained).map_err(|e| e.to_string())?;
    text.push('\n');
    Ok(Sealed {
        eid: receipt.eid.clone(),
        sequence,
        hash: hex::encode(Sha256::digest(&text)),
        text,
    })
}

pub(super) fn receipt_file(out: &Path, eid: &str) -> PathBuf {
    out.join("receipts").join(format!("{eid}.json"))
}

/// Writes `receipts/EID.json`.
pub(super) fn write_receipt(out: &Path, sealed: &Sealed) -> Result<(), PersonalizeError> {
    write(&receipt_file(out, &sealed.eid), sealed.text.as_bytes())
}

/// Writes the receipts that the journal has and the directory lacks: a run may have ended between the
/// two.
pub(super) fn write_missing_receipts(
    out: &Path,
    journal: &dyn Journal,
) -> Result<(), PersonalizeError> {
    for sealed in journal.receipts(0)? {
        if !receipt_file(out, &sealed.eid).exists() {
            write_receipt(out, &sealed)?;
        }
    }
    Ok(())
}

/// Writes `response.csv`: every card of the order, in its sequence.
pub(super) fn write_responses(out: &Path, records: &[CardRecord]) -> Result<(), PersonalizeError> {
    let path = out.join("response.csv");
    let mut writer = csv::Writer::from_writer(Vec::new());
    for record in records {
        let (exit_code, error) = record.error.clone().unwrap_or_default();
        let row = ResponseRow {
            eid: record.eid.clone(),
            state: record.state,
            exit_code,
            // One line a card.
            error: error.replace('\n', "; "),
            association_token: record.token,
            finished: record.finished.clone().unwrap_or_default(),
        };
        writer
            .serialize(row)
            .map_err(|e| PersonalizeError::Output {
                path: path.clone(),
                source: std::io::Error::other(e),
            })?;
    }
    let bytes = writer.into_inner().map_err(|e| PersonalizeError::Output {
        path: path.clone(),
        source: std::io::Error::other(e.to_string()),
    })?;
    write(&path, &bytes)
}
