//! What a run leaves: receipts and the response file.

use super::error::PersonalizeError;
use super::receipt::{STATEMENT, Signer, statement};
use crate::journal::{CardRecord, CardState, Journal, Sealed};
use crate::order::Order;
use serde::Serialize;
use std::path::{Path, PathBuf};

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

/// Writes the statement on the station's chain as it is now.
pub(super) fn write_statement(
    out: &Path,
    order: &str,
    journal: &dyn Journal,
    at: &str,
    signer: &Signer,
) -> Result<(), PersonalizeError> {
    let cards = journal.cards()?.into_iter().map(|card| card.eid);
    let cards: Vec<String> = cards.collect();
    let path = out.join(STATEMENT);
    match statement(order, &cards, &journal.head()?, at, signer) {
        Ok(text) => write(&path, text.as_bytes()),
        Err(problem) => Err(PersonalizeError::Output {
            path,
            source: std::io::Error::other(problem),
        }),
    }
}

/// Writes `response.csv`, and the file that the order's template asks for: every card of the order, in its
/// sequence.
pub(super) fn write_responses(
    out: &Path,
    records: &[CardRecord],
    order: &Order,
) -> Result<(), PersonalizeError> {
    if let Some(form) = &order.response {
        let path = out.join(&form.file);
        // A journal has the order's cards in the order's sequence.
        let rows = order.rows.iter().map(|row| row.echo.as_slice());
        let bytes =
            form.write(records.iter().zip(rows))
                .map_err(|problem| PersonalizeError::Output {
                    path: path.clone(),
                    source: std::io::Error::other(problem),
                })?;
        write(&path, &bytes)?;
    }
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
