//! An order file as cells that know their line and column: CSV, or JSON Lines (an object a line).

use super::columns::{COLUMNS, Needs, is_known, is_of_job};
use super::error::OrderFault;
use super::template::Template;
use std::collections::HashMap;

/// A row by column name.
pub(super) struct Cells {
    pub line: usize,
    cells: HashMap<String, (usize, String)>,
    /// What the response file repeats of the vendor's row.
    pub echo: Vec<String>,
}

impl Cells {
    pub(super) fn new(line: usize, cells: HashMap<String, (usize, String)>) -> Self {
        Cells {
            line,
            cells,
            echo: Vec::new(),
        }
    }

    /// The cells that only a job knows: names, columns, texts.
    pub fn of_job(&self) -> impl Iterator<Item = (&String, usize, &str)> {
        let cells = self.cells.iter().filter(|(name, _)| is_of_job(name));
        cells.map(|(name, (column, text))| (name, *column, text.trim()))
    }

    /// A cell's column in the line (1 if the file has no such column) and its text without outer blanks.
    pub fn get(&self, name: &str) -> (usize, &str) {
        match self.cells.get(name) {
            Some((column, text)) => (*column, text.trim()),
            None => (1, ""),
        }
    }

    /// Whether a cell isn't empty whose name begins like this.
    pub fn has_any(&self, beginning: &str) -> bool {
        let cells = self.cells.iter();
        cells
            .filter(|(name, _)| name.starts_with(beginning))
            .any(|(_, (_, text))| !text.trim().is_empty())
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

/// The rows of a file by our column names; what is wrong goes into the list.
pub(super) fn read(
    text: &str,
    template: Option<&Template>,
    needs: Needs,
    faults: &mut Vec<OrderFault>,
) -> Vec<Cells> {
    // Spreadsheets write a byte order mark.
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let first = text.lines().find(|line| is_content(line));
    let rows = match first.is_some_and(|line| line.trim_start().starts_with('{')) {
        true => json_lines(text, template.is_some(), faults),
        false => csv_rows(text, template, needs, faults),
    };
    match template {
        None => rows,
        Some(template) if !template.has_all(needs, faults) => Vec::new(),
        Some(template) => rows
            .iter()
            .enumerate()
            .filter_map(|(index, row)| template.apply(row, index, faults))
            .collect(),
    }
}

fn is_content(line: &str) -> bool {
    !line.is_empty() && !line.starts_with('#')
}

/// A name as it is looked up: ours in any case, a vendor's as the template has it.
fn lookup(name: &str, of_vendor: bool) -> String {
    match of_vendor {
        true => name.trim().to_owned(),
        false => name.trim().to_lowercase(),
    }
}

fn json_lines(text: &str, of_vendor: bool, faults: &mut Vec<OrderFault>) -> Vec<Cells> {
    let mut rows = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let number = i + 1;
        if !is_content(line.trim()) {
            continue;
        }
        // The parser's own message could show a text, which may be a key.
        let object: serde_json::Map<String, serde_json::Value> = match serde_json::from_str(line) {
            Ok(object) => object,
            Err(e) => {
                let what = "not a JSON object in one line".to_owned();
                faults.push(OrderFault::new(number, e.column().max(1), what));
                continue;
            }
        };
        let mut cells = HashMap::new();
        let before = faults.len();
        for (name, value) in object {
            let column = place_of(line, &name);
            let name = lookup(&name, of_vendor);
            if !of_vendor && !is_known(&name) {
                let what = format!("unknown column {name:?}");
                faults.push(OrderFault::new(number, column, what));
                continue;
            }
            match text_of(&value) {
                Some(text) => {
                    cells.insert(name, (column, text));
                }
                None => {
                    let what = format!(
                        "{name}: a text, a number, true, false or a list of texts is expected"
                    );
                    faults.push(OrderFault::new(number, column, what));
                }
            }
        }
        if faults.len() == before {
            rows.push(Cells::new(number, cells));
        }
    }
    rows
}

/// The column where a member's name begins.
fn place_of(line: &str, name: &str) -> usize {
    let quoted = serde_json::Value::from(name).to_string();
    line.find(&quoted)
        .and_then(|at| line.get(..at))
        .map_or(1, |before| before.chars().count() + 1)
}

/// A member's value as a cell of a CSV file would have it.
fn text_of(value: &serde_json::Value) -> Option<String> {
    use serde_json::Value;
    match value {
        Value::Null => Some(String::new()),
        Value::Bool(true) => Some("yes".to_owned()),
        Value::Bool(false) => Some("no".to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => items
            .iter()
            .map(|item| item.as_str())
            .collect::<Option<Vec<_>>>()
            .map(|items| items.join(" ")),
        Value::Object(_) => None,
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

/// A line of a CSV file: its number, and its fields with their columns.
type Record = (usize, Vec<(usize, String)>);

fn records(text: &str, delimiter: u8, faults: &mut Vec<OrderFault>) -> Vec<Record> {
    let lines: Vec<&str> = text.lines().collect();
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
                faults.push(OrderFault::new(line, 1, error.to_string()));
            }
        }
    }
    records
}

/// The rows of a CSV file whose header is sound; none otherwise.
fn csv_rows(
    text: &str,
    template: Option<&Template>,
    needs: Needs,
    faults: &mut Vec<OrderFault>,
) -> Vec<Cells> {
    let first = text
        .lines()
        .find(|line| is_content(line))
        .unwrap_or_default();
    let delimiter = match template.and_then(Template::delimiter) {
        Some(delimiter) => delimiter,
        // In much of Europe spreadsheets write semicolons.
        None if first.contains(';') && !first.contains(',') => b';',
        None => b',',
    };
    let mut records = records(text, delimiter, faults).into_iter();
    let before = faults.len();
    let names: Vec<String> = match template.and_then(Template::columns) {
        Some(columns) => columns.to_vec(),
        None => {
            let Some((line, header)) = records.next() else {
                let what = "the file is empty: a header line is expected";
                faults.push(OrderFault::new(1, 1, what.to_owned()));
                return Vec::new();
            };
            check_header(line, &header, template, needs, faults)
        }
    };
    if faults.len() > before {
        return Vec::new();
    }
    let mut rows = Vec::new();
    for (line, cells) in records {
        if cells.len() != names.len() {
            let what = match template.and_then(Template::columns) {
                Some(_) => format!("{} fields, the template has {}", cells.len(), names.len()),
                None => format!("{} fields, the header has {}", cells.len(), names.len()),
            };
            faults.push(OrderFault::new(line, 1, what));
        } else {
            rows.push(Cells::new(line, names.iter().cloned().zip(cells).collect()));
        }
    }
    rows
}

/// The names of the header, which are all known and stand once.
fn check_header(
    line: usize,
    header: &[(usize, String)],
    template: Option<&Template>,
    needs: Needs,
    faults: &mut Vec<OrderFault>,
) -> Vec<String> {
    let names: Vec<String> = header
        .iter()
        .map(|(_, name)| lookup(name, template.is_some()))
        .collect();
    for (i, (name, (column, _))) in names.iter().zip(header).enumerate() {
        let what = if template.is_none() && !is_known(name) {
            format!("unknown column {name:?}")
        } else if names.iter().take(i).any(|earlier| earlier == name) {
            format!("column {name} stands twice")
        } else {
            continue;
        };
        faults.push(OrderFault::new(line, *column, what));
    }
    match template {
        Some(template) => {
            for name in template.asked_for() {
                if !names.contains(&name) {
                    let what = format!("column {name:?} is missing: the template takes from it");
                    faults.push(OrderFault::new(line, 1, what));
                }
            }
        }
        None => {
            for column in COLUMNS.iter().filter(|column| column.is_needed(needs)) {
                if !names.iter().any(|name| name == column.name) {
                    let what = format!("column {} is missing: {}", column.name, column.doc);
                    faults.push(OrderFault::new(line, 1, what));
                }
            }
        }
    }
    names
}
