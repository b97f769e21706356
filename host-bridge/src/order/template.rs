//! Templates: how a vendor's order file is read. TOML.
//!
//! `[file]` says what the file looks like, `[column.NAME]` where each of our columns comes from: a column
//! of the vendor's (`from`), a text with `{COLUMN}` in it (`value`), or a number that counts the rows
//! (`range`); and in which `form` it is written. `[response]` says what the vendor gets back. [`EXAMPLE`] has
//! all of it.

use super::columns::{COLUMNS, Needs, is_known};
use super::digits::iccid_with_check_digit;
use super::error::OrderFault;
use super::response::ResponseForm;
use super::table::Cells;
use crate::exit::{self, Exit, ExitCode};
use cards::euicc::Eid;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// A template to start from, with every key explained.
pub const EXAMPLE: &str = "\
# How a vendor's order file is read: `ipae order check vendor.txt --template this.toml`.
format = 1

[file]
delimiter = \";\"            # one character; \"\\t\" is a tab. Without it: semicolon or comma, as the header has it
encoding = \"latin-1\"       # or utf-8, the default
header = true              # false: the file has none, and its columns are named here
# columns = [\"CHIP\", \"ICC\"]

# One table for each of our columns (`ipae order columns`). Columns of the file that none takes from are
# passed over.
[column.eid]
from = \"CHIP\"
form = \"eid-without-check\" # 30 digits, the two check digits are added
[column.iccids]
from = \"ICC\"
form = \"swapped\"           # as in EF.ICCID: digits swapped in pairs, F at the end
[column.imsis]
from = \"IMSI\"
form = \"ef-imsi\"           # as in EF.IMSI: length, parity, digits swapped in pairs
[column.key_set]
value = \"batch-{LOT}\"      # a text; {LOT} is the file's column
[column.eim_counter]
range = { first = \"1\", step = 1 }   # counts the rows, with the digits of `first`
[column.eim_id]
value = \"eim.example\"
[column.eim_fqdn]
value = \"eim.example\"
[column.eim_public_key]
value = \"eim.pem\"
[column.poll_minutes]
from = \"POLL\"
default = \"60\"             # for cells that are empty

# The response in the vendor's form, beside response.csv: delimiter, encoding and header as in [file].
[response]
file = \"response.txt\"
states = { done = \"OK\", failed = \"NOK\", working = \"OPEN\", pending = \"OPEN\" }
# from: a column of the order's file as it stands there; is: what came of the card.
columns = [
    { name = \"CHIP\", from = \"CHIP\" },
    { name = \"RESULT\", is = \"state\" },   # eid, state, exit_code, error_class, error, association_token,
    { name = \"REASON\", is = \"error\" },   # finished, attempts, production_data (CPLC)
]
";

/// Why a template can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// It can't be read.
    #[error("failed to read template {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It is not one.
    #[error("template {}{}: {problem}", path.display(), line.map(|l| format!(":{l}")).unwrap_or_default())]
    Form {
        /// The file.
        path: PathBuf,
        /// Line of the fault, from 1.
        line: Option<usize>,
        /// What is wrong.
        problem: String,
    },
}

impl ExitCode for TemplateError {
    fn exit(&self) -> Exit {
        exit::ORDER
    }
}

/// The characters of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum Encoding {
    /// UTF-8.
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    /// ISO 8859-1.
    #[serde(rename = "latin-1")]
    Latin1,
}

/// How a value is written in the vendor's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Form {
    /// As ours.
    #[default]
    Plain,
    /// With blanks, hyphens or colons between digits.
    Spaced,
    /// Digits swapped in pairs, filled up with F (EF.ICCID, ETSI TS 102 221 13.2).
    Swapped,
    /// EF.IMSI (3GPP TS 31.102 4.2.2): length, parity nibble, digits swapped in pairs.
    EfImsi,
    /// An ICCID without its check digit.
    IccidWithoutCheck,
    /// An EID without its two check digits.
    EidWithoutCheck,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FileForm {
    delimiter: Option<char>,
    header: Option<bool>,
    columns: Option<Vec<String>>,
    encoding: Encoding,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct RangeForm {
    first: String,
    #[serde(default = "one")]
    step: u64,
}

fn one() -> u64 {
    1
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct ColumnForm {
    from: Option<String>,
    value: Option<String>,
    range: Option<RangeForm>,
    #[serde(default)]
    form: Form,
    default: Option<String>,
}

/// How a vendor's file is read.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    format: u32,
    #[serde(default)]
    file: FileForm,
    column: BTreeMap<String, ColumnForm>,
    response: Option<ResponseForm>,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// [`TemplateError`].
    pub fn read(path: &Path) -> Result<Self, TemplateError> {
        let text = std::fs::read_to_string(path).map_err(|source| TemplateError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text).map_err(|(line, problem)| TemplateError::Form {
            path: path.to_owned(),
            line,
            problem,
        })
    }

    /// Reads a template's text.
    ///
    /// # Errors
    /// The line, where there is one, and what is wrong.
    pub fn parse(text: &str) -> Result<Self, (Option<usize>, String)> {
        let mut template: Template = toml::from_str(text).map_err(|e| {
            let line = e
                .span()
                .and_then(|span| text.get(..span.start))
                .map(|before| before.matches('\n').count() + 1);
            (line, e.message().to_owned())
        })?;
        template.check().map_err(|problem| (None, problem))?;
        if let Some(response) = &mut template.response {
            response.delimiter = template.file.delimiter.unwrap_or(',');
            response.header = template.file.header.unwrap_or(true);
            response.encoding = template.file.encoding;
        }
        Ok(template)
    }

    fn check(&self) -> Result<(), String> {
        if self.format != 1 {
            return Err(format!("format is {}, these tools know 1", self.format));
        }
        if self.file.delimiter.is_some_and(|c| !c.is_ascii()) {
            return Err("file.delimiter: an ASCII character is expected".to_owned());
        }
        match (self.file.header, &self.file.columns) {
            (Some(false), None) => {
                return Err("file.columns is missing: header = false asks for it".to_owned());
            }
            (None | Some(true), Some(_)) => {
                return Err("file.columns: only with header = false".to_owned());
            }
            _ => {}
        }
        for (name, column) in &self.column {
            if !is_known(name) {
                return Err(format!(
                    "column.{name}: no such column, `ipae order columns` lists them"
                ));
            }
            let given = [
                column.from.is_some(),
                column.value.is_some(),
                column.range.is_some(),
            ];
            if given.iter().filter(|given| **given).count() != 1 {
                return Err(format!(
                    "column.{name}: one of from, value and range is expected"
                ));
            }
            if let Some(range) = &column.range
                && range.first.parse::<u128>().is_err()
            {
                return Err(format!(
                    "column.{name}: range.first: decimal digits are expected"
                ));
            }
            if let Some(value) = &column.value {
                placeholders(value).map_err(|e| format!("column.{name}: value: {e}"))?;
            }
        }
        for (set, wrap) in [("key_set", "key_wrap"), ("new_key_set", "new_key_wrap")] {
            let constant = |name: &str| {
                let value = self.column.get(name)?.value.as_deref();
                value.filter(|value| !value.is_empty())
            };
            if constant(set).is_some() && constant(wrap).is_some() {
                return Err(format!(
                    "column.{set} and column.{wrap}: a row's keys are in the key file or come wrapped in the \
                     row, not both"
                ));
            }
        }
        if let Some(response) = &self.response {
            let keys = self.column.iter().filter(|(name, _)| is_key(name));
            let keys: Vec<&str> = keys.filter_map(|(_, c)| c.from.as_deref()).collect();
            response
                .check(&keys)
                .map_err(|problem| format!("response.{problem}"))?;
        }
        let columns = self.file.columns.as_deref().unwrap_or_default();
        match self
            .asked_for()
            .into_iter()
            .find(|name| !columns.contains(name))
        {
            Some(name) if self.file.columns.is_some() => {
                Err(format!("{name:?} is none of file.columns"))
            }
            _ => Ok(()),
        }
    }

    /// Whether all our columns have a source that are needed; what is wrong goes into the list.
    pub(super) fn has_all(&self, needs: Needs, faults: &mut Vec<OrderFault>) -> bool {
        let before = faults.len();
        for column in COLUMNS.iter().filter(|column| column.is_needed(needs)) {
            if !self.column.contains_key(column.name) {
                let what = format!(
                    "the template has no [column.{}]: {}",
                    column.name, column.doc
                );
                faults.push(OrderFault::new(1, 1, what));
            }
        }
        faults.len() == before
    }

    /// The response file that it asks for.
    pub fn response(&self) -> Option<&ResponseForm> {
        self.response.as_ref()
    }

    /// The file's characters.
    pub fn encoding(&self) -> Encoding {
        self.file.encoding
    }

    pub(super) fn delimiter(&self) -> Option<u8> {
        self.file.delimiter.and_then(|c| u8::try_from(c).ok())
    }

    /// The file's columns, if it has no header.
    pub(super) fn columns(&self) -> Option<&[String]> {
        self.file.columns.as_deref()
    }

    /// The columns of the vendor's that something is taken from.
    pub(super) fn asked_for(&self) -> BTreeSet<String> {
        let mut out = BTreeSet::new();
        for column in self.column.values() {
            out.extend(column.from.clone());
            // `check` has been through it.
            let parts = column.value.as_deref().map(placeholders);
            for part in parts.into_iter().flatten().flatten() {
                if let Part::Column(name) = part {
                    out.insert(name.to_owned());
                }
            }
        }
        let response = self.response.iter().flat_map(ResponseForm::echoes);
        out.extend(response.map(str::to_owned));
        out
    }

    /// A row by our columns; `index` counts the rows from 0.
    pub(super) fn apply(
        &self,
        row: &Cells,
        index: usize,
        faults: &mut Vec<OrderFault>,
    ) -> Option<Cells> {
        let before = faults.len();
        let mut cells = HashMap::new();
        for (name, column) in &self.column {
            let (place, mut text) = match self.raw(column, row, index) {
                Ok(raw) => raw,
                Err(what) => {
                    faults.push(OrderFault::new(row.line, 1, format!("{name}: {what}")));
                    continue;
                }
            };
            if text.is_empty()
                && let Some(default) = &column.default
            {
                text.clone_from(default);
            } else if !text.is_empty() {
                match converted(column.form, &text) {
                    Ok(converted) => text = converted,
                    Err(what) => {
                        faults.push(OrderFault::new(row.line, place, format!("{name}: {what}")));
                        continue;
                    }
                }
            }
            cells.insert(name.clone(), (place, text));
        }
        if faults.len() > before {
            return None;
        }
        let mut cells = Cells::new(row.line, cells);
        let response = self.response.iter().flat_map(ResponseForm::echoes);
        cells.echo = response.map(|name| row.get(name).1.to_owned()).collect();
        Some(cells)
    }

    fn raw(
        &self,
        column: &ColumnForm,
        row: &Cells,
        index: usize,
    ) -> Result<(usize, String), String> {
        if let Some(from) = &column.from {
            let (place, text) = row.get(from);
            return Ok((place, text.to_owned()));
        }
        if let Some(range) = &column.range {
            let step = (index as u128).checked_mul(range.step.into());
            let number = range.first.parse::<u128>().ok().zip(step);
            let number = number.and_then(|(first, step)| first.checked_add(step));
            let text = number.map(|number| format!("{number:0width$}", width = range.first.len()));
            return match text {
                Some(text) if text.len() == range.first.len() => Ok((1, text)),
                _ => Err(format!(
                    "the range from {} has no number left for this row",
                    range.first
                )),
            };
        }
        let mut place = 1;
        let mut out = String::new();
        for part in placeholders(column.value.as_deref().unwrap_or_default())? {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Column(name) => {
                    let (at, text) = row.get(name);
                    if place == 1 {
                        place = at;
                    }
                    out.push_str(text);
                }
            }
        }
        Ok((place, out))
    }
}

/// True for a column that may hold a key.
fn is_key(name: &str) -> bool {
    let name = name.strip_prefix("new_").unwrap_or(name);
    ["key_enc", "key_mac", "key_dek"].contains(&name) || super::columns::is_of_job(name)
}

/// A piece of a value.
pub(crate) enum Part<'a> {
    /// Text as it is.
    Text(&'a str),
    /// What a column has.
    Column(&'a str),
}

/// The pieces of a text with `{COLUMN}` in it.
///
/// # Errors
/// What is wrong, in words.
pub(crate) fn placeholders(value: &str) -> Result<Vec<Part<'_>>, String> {
    let mut out = Vec::new();
    let mut rest = value;
    while let Some((text, tail)) = rest.split_once('{') {
        let (name, tail) = tail
            .split_once('}')
            .ok_or("a { has no } after it; {COLUMN} stands for a column of the file")?;
        out.push(Part::Text(text));
        out.push(Part::Column(name));
        rest = tail;
    }
    out.push(Part::Text(rest));
    Ok(out)
}

/// A value in our form. No message repeats it: it may be a key.
fn converted(form: Form, text: &str) -> Result<String, String> {
    match form {
        Form::Plain => Ok(text.to_owned()),
        Form::Spaced => Ok(text
            .chars()
            .filter(|c| !c.is_whitespace() && !matches!(c, '-' | ':' | '.'))
            .collect()),
        Form::Swapped => swapped(text),
        Form::EfImsi => {
            let fail = || {
                "EF.IMSI is expected: 18 hexadecimal digits that begin with the length".to_owned()
            };
            let (length, tail) = text.split_at_checked(2).ok_or_else(fail)?;
            let length = usize::from_str_radix(length, 16).map_err(|_| fail())?;
            if text.len() != 18 || !(1..=8).contains(&length) {
                return Err(fail());
            }
            let digits = swapped(tail.get(..2 * length).ok_or_else(fail)?)?;
            // The first nibble is parity and identity type (3GPP TS 24.008 10.5.1.4).
            match digits.split_at_checked(1) {
                Some(("1" | "9", imsi)) => Ok(imsi.to_owned()),
                _ => Err("the type of EF.IMSI's first digit is not that of an IMSI".to_owned()),
            }
        }
        Form::IccidWithoutCheck => iccid_with_check_digit(text)
            .ok_or_else(|| "an ICCID's digits without the check digit are expected".to_owned()),
        Form::EidWithoutCheck => Eid::with_check_digits(text)
            .map(|eid| eid.to_string())
            .map_err(|_| "the first 30 digits of an EID are expected".to_owned()),
    }
}

/// Digits whose pairs are swapped, without the F that fills them up.
fn swapped(text: &str) -> Result<String, String> {
    let fail = || "pairs of swapped digits are expected, with F at the end alone".to_owned();
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return Err(fail());
    }
    let pairs = text.as_bytes().as_chunks::<2>().0;
    let digits: String = pairs
        .iter()
        .flat_map(|[a, b]| [char::from(*b), char::from(*a)])
        .collect();
    let digits = digits.trim_end_matches(['F', 'f']);
    match digits.bytes().all(|b| b.is_ascii_digit()) {
        true => Ok(digits.to_owned()),
        false => Err(fail()),
    }
}
