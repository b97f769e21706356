//! What can be wrong with an order.

use crate::exit::{self, Exit, ExitCode};
use std::fmt;
use std::path::PathBuf;

/// A fault in an order: where, and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderFault {
    /// Line in the file, from 1.
    pub line: usize,
    /// Column in the line in characters, from 1.
    pub column: usize,
    /// The column's name and what is wrong.
    pub message: String,
    /// A public test key on production cards.
    pub test_keys: bool,
}

impl OrderFault {
    /// A fault at this place.
    pub(crate) fn new(line: usize, column: usize, message: String) -> Self {
        OrderFault {
            line,
            column,
            message,
            test_keys: false,
        }
    }
}

impl fmt::Display for OrderFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

/// Faults that a message lists; the rest is counted.
const MOST_SHOWN: usize = 100;

/// Why an order can't be used. No card was touched.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// The file can't be read.
    #[error("failed to read order {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Not UTF-8.
    #[error("order {} is not UTF-8 text (byte {offset}): save it as CSV UTF-8", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// First byte that is wrong.
        offset: usize,
    },
    /// The order has faults: all of them.
    #[error("the order has {} error{}; no card was touched\n{}", faults.len(), if faults.len() == 1 { "" } else { "s" }, list(path, faults))]
    Faults {
        /// The file.
        path: PathBuf,
        /// Every fault, by line.
        faults: Vec<OrderFault>,
    },
}

fn list(path: &std::path::Path, faults: &[OrderFault]) -> String {
    let mut lines: Vec<String> = faults
        .iter()
        .take(MOST_SHOWN)
        .map(|fault| format!("{}:{fault}", path.display()))
        .collect();
    if let Some(more @ 1..) = faults.len().checked_sub(MOST_SHOWN) {
        lines.push(format!("and {more} more"));
    }
    lines.join("\n")
}

impl ExitCode for OrderError {
    fn exit(&self) -> Exit {
        match self {
            OrderError::Faults { faults, .. } if faults.iter().all(|fault| fault.test_keys) => {
                exit::TEST_KEYS
            }
            _ => exit::ORDER,
        }
    }
}
