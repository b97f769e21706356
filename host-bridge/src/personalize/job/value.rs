//! Bytes in a job, in hexadecimal, with placeholders that each row of the order fills in.

use crate::order::{OF_JOB, OrderRow, Part, placeholders};

/// Hexadecimal digits with `{eid}`, `{iccid}` or `{x_…}` in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    text: String,
}

/// A fault of a row: the column in its line, and what is wrong. No text of it repeats what the row has.
pub type RowFault = (usize, String);

impl Value {
    /// Reads a value; with `any`, `?` stands for any digit.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &str, any: bool) -> Result<Self, String> {
        let text: String = text.split_whitespace().collect();
        for part in placeholders(&text)? {
            match part {
                Part::Text(digits) => {
                    let fits = |c: char| c.is_ascii_hexdigit() || any && c == '?';
                    if let Some(bad) = digits.chars().find(|c| !fits(*c)) {
                        return Err(format!("{bad:?} is no hexadecimal digit"));
                    }
                }
                Part::Column("eid" | "iccid") => {}
                Part::Column(name) if name.starts_with(OF_JOB) => {}
                Part::Column(name) => {
                    return Err(format!(
                        "{{{name}}}: {{eid}}, {{iccid}} and the order's columns that begin with {OF_JOB} can stand here"
                    ));
                }
            }
        }
        let value = Value { text };
        if !value.text.contains('{') && !value.text.len().is_multiple_of(2) {
            return Err("an odd number of hexadecimal digits".to_owned());
        }
        Ok(value)
    }

    /// How many bytes it has, if that is the same for all rows.
    pub fn length(&self) -> Option<usize> {
        (!self.text.contains('{')).then_some(self.text.len() / 2)
    }

    /// Whether it takes from columns that only the job knows.
    pub fn is_of_job(&self) -> bool {
        self.text.contains(&format!("{{{OF_JOB}"))
    }

    /// The digits for a row.
    ///
    /// # Errors
    /// The column in the row's line, and what is wrong with it.
    pub fn text(&self, row: &OrderRow) -> Result<String, RowFault> {
        let mut out = String::new();
        for part in placeholders(&self.text).map_err(|problem| (1, problem))? {
            match part {
                Part::Text(digits) => out.push_str(&digits.to_ascii_uppercase()),
                Part::Column("eid") => out.push_str(&hex::encode_upper(row.eid.0)),
                Part::Column("iccid") => match row.iccids.first() {
                    Some(iccid) => out.push_str(&hex::encode_upper(iccid.0)),
                    None => return Err((1, "iccids: empty, the job takes from it".to_owned())),
                },
                Part::Column(name) => {
                    let (column, text) = row.of_job.get(&name.to_lowercase()).ok_or_else(|| {
                        (1, format!("{name}: no such column, the job takes from it"))
                    })?;
                    if hex::decode(text).is_err() {
                        let problem = format!("{name}: bytes in hexadecimal are expected");
                        return Err((*column, problem));
                    }
                    out.push_str(&text.to_ascii_uppercase());
                }
            }
        }
        match out.len().is_multiple_of(2) {
            true => Ok(out),
            false => Err((1, "an odd number of hexadecimal digits".to_owned())),
        }
    }

    /// The bytes for a row.
    ///
    /// # Errors
    /// The column in the row's line, and what is wrong with it.
    pub fn bytes(&self, row: &OrderRow) -> Result<Vec<u8>, RowFault> {
        hex::decode(self.text(row)?).map_err(|e| (1, e.to_string()))
    }

    /// Whether an answer is as expected; `?` stands for any digit.
    pub fn fits(expected: &str, answer: &[u8]) -> bool {
        let answer = hex::encode_upper(answer);
        expected.len() == answer.len()
            && expected
                .bytes()
                .zip(answer.bytes())
                .all(|(e, a)| e == b'?' || e == a)
    }
}
