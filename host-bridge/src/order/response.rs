//! What a vendor gets back: the response file in the form of his order file.
//!
//! `[response]` of a template names its columns: what the order's file has in a column of its own (`from`), or
//! what came of the card (`is`). It is written beside `response.csv`, with the delimiter, the characters
//! and the header line of `[file]`.

use super::template::Encoding;
use crate::exit;
use crate::journal::{CardRecord, CardState};
use serde::Deserialize;
use std::collections::BTreeMap;

/// What came of a card, for a column of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Its EID, 32 digits.
    Eid,
    /// `done`, `failed`, `working` or `pending`, or as `states` has it.
    State,
    /// Exit code of its error; 0 without one.
    ExitCode,
    /// Name of that code; empty without one.
    ErrorClass,
    /// Its error in a line.
    Error,
    /// The association token that its eUICC gave.
    AssociationToken,
    /// When it was done (RFC 3339).
    Finished,
    /// Times that it was begun.
    Attempts,
    /// Its production life cycle data (CPLC) in hex, as it showed them.
    ProductionData,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct ColumnForm {
    name: String,
    from: Option<String>,
    is: Option<Outcome>,
}

/// The form of a response file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResponseForm {
    /// Its name in the output folder.
    pub file: String,
    columns: Vec<ColumnForm>,
    #[serde(default)]
    states: BTreeMap<CardState, String>,
    #[serde(skip)]
    pub(super) delimiter: char,
    #[serde(skip)]
    pub(super) header: bool,
    #[serde(skip)]
    pub(super) encoding: Encoding,
}

impl ResponseForm {
    /// What is wrong with it. `keys` are the columns of the order's file that hold keys.
    pub(super) fn check(&self, keys: &[&str]) -> Result<(), String> {
        let name = std::path::Path::new(&self.file);
        let plain = name.file_name().is_some_and(|own| own == name.as_os_str());
        let taken = ["receipts.json", "response.csv", "command.json", "order.csv"];
        let ours = taken.contains(&self.file.as_str()) || self.file.starts_with("journal.");
        if !plain || ours {
            return Err(format!(
                "file: {:?}: a name of its own in the output folder is expected",
                self.file
            ));
        }
        if self.columns.is_empty() {
            return Err("columns: at least one is expected".to_owned());
        }
        for column in &self.columns {
            let what = match (&column.from, column.is) {
                (Some(from), None) if keys.contains(&from.as_str()) => {
                    "from: that column holds keys, no response repeats it"
                }
                (Some(_), None) | (None, Some(_)) => continue,
                _ => "one of from and is, is expected",
            };
            return Err(format!("columns: {}: {what}", column.name));
        }
        Ok(())
    }

    /// The columns of the order's file that it repeats, in the sequence of its own.
    pub(super) fn echoes(&self) -> impl Iterator<Item = &str> {
        self.columns
            .iter()
            .filter_map(|column| column.from.as_deref())
    }

    /// The file: a line for each card, with what the order's row repeats.
    ///
    /// # Errors
    /// What the CSV writer says.
    pub fn write<'a>(
        &self,
        cards: impl Iterator<Item = (&'a CardRecord, &'a [String])>,
    ) -> Result<Vec<u8>, String> {
        let delimiter = u8::try_from(self.delimiter).unwrap_or(b',');
        let mut writer = csv::WriterBuilder::new()
            .delimiter(delimiter)
            .from_writer(Vec::new());
        if self.header {
            let names = self.columns.iter().map(|column| &column.name);
            writer.write_record(names).map_err(|e| e.to_string())?;
        }
        for (card, echo) in cards {
            let mut echo = echo.iter();
            let cells = self.columns.iter().map(|column| match column.is {
                Some(outcome) => self.cell(outcome, card),
                None => echo.next().cloned().unwrap_or_default(),
            });
            writer.write_record(cells).map_err(|e| e.to_string())?;
        }
        let bytes = writer.into_inner().map_err(|e| e.to_string())?;
        match self.encoding {
            Encoding::Utf8 => Ok(bytes),
            // What an error says may have more characters than the vendor's file can.
            Encoding::Latin1 => Ok(String::from_utf8_lossy(&bytes)
                .chars()
                .map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?'))
                .collect()),
        }
    }

    fn cell(&self, outcome: Outcome, card: &CardRecord) -> String {
        let error = card.error.as_ref();
        match outcome {
            Outcome::Eid => card.eid.clone(),
            Outcome::State => match self.states.get(&card.state) {
                Some(word) => word.clone(),
                None => card.state.name().to_owned(),
            },
            Outcome::ExitCode => error.map_or(0, |(code, _)| *code).to_string(),
            Outcome::ErrorClass => {
                let class = error.and_then(|(code, _)| exit::find(*code));
                class.map(|class| class.name.to_owned()).unwrap_or_default()
            }
            Outcome::Error => error
                .map(|(_, text)| text.replace('\n', "; "))
                .unwrap_or_default(),
            Outcome::AssociationToken => card.token.map(|n| n.to_string()).unwrap_or_default(),
            Outcome::Finished => card.finished.clone().unwrap_or_default(),
            Outcome::Attempts => card.attempts.to_string(),
            Outcome::ProductionData => card.chip.clone().unwrap_or_default(),
        }
    }
}
