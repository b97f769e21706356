//! Order files: which cards to personalize, with what. A CSV file, one row a card.
//!
//! [`Order::read`] reads and checks the whole file and collects every error with line and column:
//! nothing is sent to a card before an order is free of them. [`COLUMNS`] is the table of columns;
//! [`sample`] writes an order to start from. Keys come from columns or, better, by reference from a
//! key file ([`crate::keys`]).

mod columns;
mod digits;
mod error;
mod public_key;
mod row;
mod sample;
mod table;

pub use crate::keys::{KeyError, KeySet, KeyStore};
pub use columns::{COLUMNS, Column};
pub use digits::{iccid_check_digit_fits, iccid_with_check_digit};
pub use error::{OrderError, OrderFault};
pub(crate) use row::point_of;
pub use row::{Eim, OrderRow};
pub use sample::{SampleOptions, sample};

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
        let text = std::fs::read(path).map_err(|source| OrderError::Read {
            path: path.to_owned(),
            source,
        })?;
        let text = String::from_utf8(text).map_err(|e| OrderError::NotText {
            path: path.to_owned(),
            offset: e.utf8_error().valid_up_to(),
        })?;
        let directory = path.parent().unwrap_or(Path::new("."));
        Self::parse(&text, path, directory, definition, store)
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
        let mut faults = Vec::new();
        let rows: Vec<OrderRow> = match table::Table::read(text, &mut faults) {
            None => Vec::new(),
            Some(table) => table
                .rows()
                .filter_map(|cells| {
                    OrderRow::read(&cells, directory, definition, store, &mut faults)
                })
                .collect(),
        };
        duplicates(&rows, &mut faults);
        refuse_test_keys(&rows, definition, &mut faults);
        if rows.is_empty() && faults.is_empty() {
            faults.push(OrderFault::at(1, 1, "the order has no cards".to_owned()));
        }
        if !faults.is_empty() {
            faults.sort_by_key(|fault| (fault.line, fault.column));
            return Err(OrderError::Faults {
                path: path.to_owned(),
                faults,
            });
        }
        Ok(Order {
            path: path.to_owned(),
            digest: hex::encode(Sha256::digest(text.as_bytes())),
            rows,
        })
    }

    /// The row of a card.
    pub fn row(&self, eid: &str) -> Option<&OrderRow> {
        self.rows.iter().find(|row| row.eid.to_string() == eid)
    }
}

/// No EID and no ICCID may stand twice.
fn duplicates(rows: &[OrderRow], faults: &mut Vec<OrderFault>) {
    let mut eids = std::collections::HashMap::new();
    let mut iccids = std::collections::HashMap::new();
    for row in rows {
        if let Some(first) = eids.insert(row.eid, row.line) {
            faults.push(OrderFault::at(
                row.line,
                row.eid_column,
                format!("eid: {} stands in line {first} already", row.eid),
            ));
        }
        for iccid in &row.iccids {
            if let Some(first) = iccids.insert(*iccid, row.line) {
                faults.push(OrderFault::at(
                    row.line,
                    row.iccids_column,
                    format!("iccids: {iccid} stands in line {first} already"),
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
                    ..OrderFault::at(row.line, column, refused.to_string())
                });
            }
        }
    }
}

#[cfg(test)]
mod tests;
