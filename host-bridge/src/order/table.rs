//! A CSV file as cells that know their line and column.

use super::columns::{COLUMNS, is_known};
use super::error::OrderFault;
use std::collections::HashMap;

/// The rows of a file whose header is sound.
pub(super) struct Table {
    header: Vec<String>,
    rows: Vec<(usize, Vec<(usize, String)>)>,
}

/// A row by column name.
pub(super) struct Cells {
    pub line: usize,
    cells: HashMap<String, (usize, String)>,
}

impl Cells {
    /// A cell's column in the line (1 if the file has no such column) and its text without outer blanks.
    pub fn get(&self, name: &str) -> (usize, &str) {
        match self.cells.get(name) {
            Some((column, text)) => (*column, text.trim()),
            None => (1, ""),
        }
    }

    /// The cell of the first of these columns that isn't empty, for messages.
    pub fn place(&self, names: &[&str]) -> usize {
        let found = names
            .iter()
            .map(|name| self.get(name))
            .find(|(_, text)| !text.is_empty());
        found.map_or(1, |(column, _)| column)
    }
}

/// The columns (from 1) where the fields of a line start.
fn starts(line: &str, delimiter: char) -> Vec<usize> {
    let mut out = vec![1];
    let mut quoted = false;
    for (i, c) in line.chars().enumerate() {
        match c {
            '"' => quoted = !quoted,
            c if c == delimiter && !quoted => out.push(i + 2),
            _ => {}
        }
    }
    out
}

impl Table {
    /// Reads the file; `None` if the header is missing or wrong.
    pub fn read(text: &str, faults: &mut Vec<OrderFault>) -> Option<Self> {
        // Spreadsheets write a byte order mark, and in much of Europe semicolons.
        let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
        let lines: Vec<&str> = text.lines().collect();
        let is_content = |line: &&&str| !line.is_empty() && !line.starts_with('#');
        let first = lines.iter().find(is_content).copied().unwrap_or_default();
        let delimiter = if first.contains(';') && !first.contains(',') {
            b';'
        } else {
            b','
        };
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            .comment(Some(b'#'))
            .from_reader(text.as_bytes());
        let mut records = Vec::new();
        for record in reader.records() {
            match record {
                Ok(record) => {
                    let line = record.position().map_or(1, |p| p.line()) as usize;
                    // A record that ends before its first line did can't be: what the reader skips are
                    // empty lines and comments, and those lie before the position it gives.
                    let raw = lines.get(line - 1).copied().unwrap_or_default();
                    let starts = starts(raw, char::from(delimiter));
                    let cells = record
                        .iter()
                        .enumerate()
                        .map(|(i, cell)| (starts.get(i).copied().unwrap_or(1), cell.to_owned()));
                    records.push((line, cells.collect::<Vec<_>>()));
                }
                Err(error) => {
                    let line = error.position().map_or(1, |p| p.line()) as usize;
                    faults.push(OrderFault::at(line, 1, error.to_string()));
                }
            }
        }
        let mut records = records.into_iter();
        let Some((line, header)) = records.next() else {
            faults.push(OrderFault::at(
                1,
                1,
                "the file is empty: a header line is expected".into(),
            ));
            return None;
        };
        let before = faults.len();
        let names: Vec<String> = header
            .iter()
            .map(|(_, name)| name.trim().to_lowercase())
            .collect();
        for (i, (name, (column, _))) in names.iter().zip(&header).enumerate() {
            if !is_known(name) {
                faults.push(OrderFault::at(
                    line,
                    *column,
                    format!("unknown column {name:?}"),
                ));
            } else if names.iter().take(i).any(|earlier| earlier == name) {
                faults.push(OrderFault::at(
                    line,
                    *column,
                    format!("column {name} stands twice"),
                ));
            }
        }
        for column in COLUMNS.iter().filter(|column| column.required) {
            if !names.iter().any(|name| name == column.name) {
                faults.push(OrderFault::at(
                    line,
                    1,
                    format!("column {} is missing: {}", column.name, column.doc),
                ));
            }
        }
        if faults.len() > before {
            return None;
        }
        let mut rows = Vec::new();
        for (line, cells) in records {
            if cells.len() != names.len() {
                faults.push(OrderFault::at(
                    line,
                    1,
                    format!("{} fields, the header has {}", cells.len(), names.len()),
                ));
            } else {
                rows.push((line, cells));
            }
        }
        Some(Table {
            header: names,
            rows,
        })
    }

    /// The rows, by column name.
    pub fn rows(&self) -> impl Iterator<Item = Cells> {
        self.rows.iter().map(|(line, cells)| Cells {
            line: *line,
            cells: self
                .header
                .iter()
                .cloned()
                .zip(cells.iter().cloned())
                .collect(),
        })
    }
}
