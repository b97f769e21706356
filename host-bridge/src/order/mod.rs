//! Order files: which cards to personalize, with what. A CSV file or JSON Lines, one row a card, in our
//! columns or, through a [`Template`], in a vendor's.
//!
//! [`Order::read`] reads and checks the whole file and collects every error with line and column:
//! nothing is sent to a card before an order is free of them. [`COLUMNS`] is the table of columns;
//! [`sample`] writes an order to start from. Keys come from columns or, better, by reference from a
//! key file ([`crate::keys`]).

mod columns;
mod digits;
mod error;
mod public_key;
mod response;
mod row;
mod sample;
mod table;
mod template;

pub use crate::keys::{KeyError, KeySet, KeyStore};
pub use columns::{COLUMNS, Column, Needs, OF_JOB};
pub use digits::{iccid_check_digit_fits, iccid_with_check_digit};
pub use error::{OrderError, OrderFault};
pub use response::{Outcome, ResponseForm};
use row::Known;
pub(crate) use row::point_of;
pub use row::{Eim, OrderRow};
pub use sample::{SampleOptions, sample};
pub use template::{EXAMPLE as TEMPLATE_EXAMPLE, Encoding, Template, TemplateError};
pub(crate) use template::{Part, placeholders};

use cards::definition::Definition;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An order without errors.
pub struct Order {
    /// Where it came from.
    pub path: PathBuf,
    /// SHA-256 of the file, in hex: the journal belongs to it.
    pub digest: String,
    /// The cards, in the file's order.
    pub rows: Vec<OrderRow>,
    /// The response file that the template asks for.
    pub response: Option<ResponseForm>,
}

impl Order {
    /// Reads and checks an order against a card definition.
    ///
    /// Relative paths in it (public keys) count from the order's directory.
    ///
    /// # Errors
    /// [`OrderError`] with every fault found, each with line and column.
    pub fn read(
        path: &Path,
        definition: &Definition,
        store: &KeyStore,
    ) -> Result<Self, OrderError> {
        Self::read_with(path, None, Needs::default(), definition, store)
    }

    /// The same for a vendor's file that a template explains, and for a job with needs of its own.
    ///
    /// # Errors
    /// As [`Order::read`].
    pub fn read_with(
        path: &Path,
        template: Option<&Template>,
        needs: Needs,
        definition: &Definition,
        store: &KeyStore,
    ) -> Result<Self, OrderError> {
        let bytes = std::fs::read(path).map_err(|source| OrderError::Read {
            path: path.to_owned(),
            source,
        })?;
        let digest = hex::encode(Sha256::digest(&bytes));
        let text = match template.map(Template::encoding) {
            // Every byte is the character of its number.
            Some(Encoding::Latin1) => bytes.into_iter().map(char::from).collect(),
            _ => String::from_utf8(bytes).map_err(|e| OrderError::NotText {
                path: path.to_owned(),
                offset: e.utf8_error().valid_up_to(),
            })?,
        };
        let directory = path.parent().unwrap_or(Path::new("."));
        let known = Known::new(directory, definition, store, needs);
        let rows = rows(&text, template, path, &known)?;
        Ok(Order {
            path: path.to_owned(),
            digest,
            rows,
            response: template.and_then(Template::response).cloned(),
        })
    }

    /// The same from text in memory.
    ///
    /// # Errors
    /// As [`Order::read`].
    pub fn parse(
        text: &str,
        path: &Path,
        directory: &Path,
        definition: &Definition,
        store: &KeyStore,
    ) -> Result<Self, OrderError> {
        let known = Known::new(directory, definition, store, Needs::default());
        Ok(Order {
            path: path.to_owned(),
            digest: hex::encode(Sha256::digest(text.as_bytes())),
            rows: rows(text, None, path, &known)?,
            response: None,
        })
    }

    /// The row of a card.
    pub fn row(&self, eid: &str) -> Option<&OrderRow> {
        self.rows.iter().find(|row| row.eid.to_string() == eid)
    }
}

/// The rows of an order's text, all of them sound.
fn rows(
    text: &str,
    template: Option<&Template>,
    path: &Path,
    known: &Known<'_>,
) -> Result<Vec<OrderRow>, OrderError> {
    let mut faults = Vec::new();
    let rows: Vec<OrderRow> = table::read(text, template, known.needs, &mut faults)
        .iter()
        .filter_map(|cells| OrderRow::read(cells, known, &mut faults))
        .collect();
    duplicates(&rows, &mut faults);
    refuse_test_keys(&rows, known.definition, &mut faults);
    if rows.is_empty() && faults.is_empty() {
        faults.push(OrderFault::new(1, 1, "the order has no cards".to_owned()));
    }
    if !faults.is_empty() {
        faults.sort_by_key(|fault| (fault.line, fault.column));
        return Err(OrderError::Faults {
            path: path.to_owned(),
            faults,
        });
    }
    Ok(rows)
}

/// No EID, no ICCID and no IMSI may stand twice.
fn duplicates(rows: &[OrderRow], faults: &mut Vec<OrderFault>) {
    let mut eids = std::collections::HashMap::new();
    let mut iccids = std::collections::HashMap::new();
    let mut imsis = std::collections::HashMap::new();
    for row in rows {
        if let Some(first) = eids.insert(row.eid, row.line) {
            faults.push(OrderFault::new(
                row.line,
                row.eid_column,
                format!("eid: {} stands in line {first} already", row.eid),
            ));
        }
        for iccid in &row.iccids {
            if let Some(first) = iccids.insert(*iccid, row.line) {
                faults.push(OrderFault::new(
                    row.line,
                    row.iccids_column,
                    format!("iccids: {iccid} stands in line {first} already"),
                ));
            }
        }
        for imsi in &row.imsis {
            if let Some(first) = imsis.insert(imsi, row.line) {
                faults.push(OrderFault::new(
                    row.line,
                    row.imsis_column,
                    format!("imsis: {imsi} stands in line {first} already"),
                ));
            }
        }
    }
}

/// Keys that everyone knows have no place on cards for customers (design decision 9).
fn refuse_test_keys(rows: &[OrderRow], definition: &Definition, faults: &mut Vec<OrderFault>) {
    // Rows that name the same set share its keys: they are looked at once.
    let mut known = std::collections::HashMap::new();
    for row in rows {
        let sets = [
            (Some(&row.keys), row.keys_column),
            (row.new_keys.as_ref(), row.new_keys_column),
        ];
        for (set, column) in sets {
            let Some(set) = set else { continue };
            let verdict = known
                .entry(Arc::as_ptr(&set.keys).cast::<()>())
                .or_insert_with(|| set.allowed_on(definition));
            if let Err(refused) = verdict {
                faults.push(OrderFault {
                    test_keys: matches!(refused, KeyError::Public { .. }),
                    ..OrderFault::new(row.line, column, refused.to_string())
                });
            }
        }
    }
}

#[cfg(test)]
mod tests;
