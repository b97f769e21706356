//! The text and the JSON form of a script.

use super::{Script, Step};
use applet_model::apdu::Command;
use applet_model::status::Sw;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Version of both forms.
pub const FORMAT: u32 = 2;

/// Why text is no script.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// Another form, or another version.
    #[error("not a script of format {FORMAT}: {0}")]
    Format(String),
    /// A line or field that doesn't belong.
    #[error("line {line}: expected {expected}")]
    Line {
        /// From 1.
        line: usize,
        /// What should stand there.
        expected: &'static str,
    },
    /// The checksum doesn't fit: the script was cut or altered.
    #[error(
        "the checksum does not fit: the script was cut or altered (stated {stated}, computed {computed})"
    )]
    Checksum {
        /// In the script.
        stated: String,
        /// Of its content.
        computed: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonScript {
    format: u32,
    title: String,
    channel: String,
    sha256: String,
    steps: Vec<JsonStep>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonStep {
    comment: String,
    command: String,
    expected: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<String>,
}

/// A comment or title on one line.
fn line_of(text: &str) -> String {
    text.replace(['\r', '\n'], " ")
}

pub(super) fn expected_words(expected: &[Sw]) -> Vec<String> {
    // 6100 stands for 61xx.
    let word = |sw: &Sw| match sw {
        Sw(0x6100) => "61XX".to_owned(),
        sw => format!("{:04X}", sw.0),
    };
    expected.iter().map(word).collect()
}

fn read_word(text: &str) -> Option<Sw> {
    match text {
        "61XX" => Some(Sw(0x6100)),
        text if text.len() == 4 => u16::from_str_radix(text, 16).ok().map(Sw),
        _ => None,
    }
}

fn read_command(text: &str) -> Option<Command> {
    Command::parse(&hex::decode(text).ok()?).ok()
}

/// The lines of a script's text form, numbered.
struct Lines<'a>(std::iter::Peekable<std::iter::Enumerate<std::str::Lines<'a>>>);

impl Lines<'_> {
    /// The next line, which starts with `prefix`: its number, and what follows.
    fn take(&mut self, prefix: &str, expected: &'static str) -> Result<(usize, String), FormError> {
        let (i, text) = self.0.next().unwrap_or((0, ""));
        match text.strip_prefix(prefix) {
            Some(rest) => Ok((i + 1, rest.to_owned())),
            None => Err(FormError::Line {
                line: i + 1,
                expected,
            }),
        }
    }

    fn step(&mut self) -> Result<Step, FormError> {
        let (_, comment) = self.take("- ", "a comment (-)")?;
        let (line, command) = self.take("> ", "a command (>)")?;
        let command = read_command(&command).ok_or(FormError::Line {
            line,
            expected: "a command APDU in hexadecimal digits",
        })?;
        let (line, words) = self.take("< ", "status words (<)")?;
        let expected = words.split(' ').map(read_word).collect::<Option<Vec<Sw>>>();
        let expected = expected.ok_or(FormError::Line {
            line,
            expected: "status words of four hexadecimal digits",
        })?;
        let mut answer = None;
        if self.0.peek().is_some_and(|(_, text)| text.starts_with('=')) {
            let (line, text) = self.take("= ", "an answer (=)")?;
            let bytes = hex::decode(&text).map_err(|_| FormError::Line {
                line,
                expected: "an answer in hexadecimal digits",
            })?;
            answer = Some(bytes);
        }
        Ok(Step {
            comment,
            command,
            expected,
            answer,
        })
    }
}

impl Step {
    /// `-` comment, `>` command, `<` status words, `=` the only answer if there is but one.
    fn to_lines(&self) -> String {
        let mut lines = format!(
            "- {}\n> {}\n< {}\n",
            line_of(&self.comment),
            hex::encode_upper(self.command.to_bytes()),
            self.allowed()
        );
        if let Some(answer) = &self.answer {
            lines.push_str(&format!("= {}\n", hex::encode_upper(answer)));
        }
        lines
    }
}

impl Script {
    /// The lines that the checksum is over.
    fn body(&self) -> String {
        let head = format!(
            "title {}\nchannel {}\n",
            line_of(&self.title),
            line_of(&self.channel)
        );
        let steps: String = self.steps.iter().map(Step::to_lines).collect();
        head + &steps
    }

    fn checksum(&self) -> String {
        hex::encode(Sha256::digest(self.body()))
    }

    /// The text form: a header line, the checksum, then comment, command and expected status words of
    /// each step on lines of their own.
    pub fn to_text(&self) -> String {
        format!(
            "ipae-script {FORMAT}\nsha256 {}\n{}",
            self.checksum(),
            self.body()
        )
    }

    /// The JSON form.
    pub fn to_json(&self) -> serde_json::Value {
        let steps = self.steps.iter().map(|step| JsonStep {
            comment: line_of(&step.comment),
            command: hex::encode_upper(step.command.to_bytes()),
            expected: expected_words(&step.expected),
            answer: step.answer.as_ref().map(hex::encode_upper),
        });
        let script = JsonScript {
            format: FORMAT,
            title: line_of(&self.title),
            channel: line_of(&self.channel),
            sha256: self.checksum(),
            steps: steps.collect(),
        };
        serde_json::to_value(script).unwrap_or_default()
    }

    fn checked(self, stated: &str) -> Result<Self, FormError> {
        let computed = self.checksum();
        match stated == computed {
            true => Ok(self),
            false => Err(FormError::Checksum {
                stated: stated.to_owned(),
                computed,
            }),
        }
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// [`FormError`] with the line, or the checksum.
    pub fn from_text(text: &str) -> Result<Self, FormError> {
        let mut lines = Lines(text.lines().enumerate().peekable());
        let mut take = |prefix: &str, expected| lines.take(prefix, expected);
        let (_, format) = take("ipae-script ", "\"ipae-script\" and the format's version")
            .map_err(|_| FormError::Format("the first line is another".to_owned()))?;
        if format != FORMAT.to_string() {
            return Err(FormError::Format(format));
        }
        let (_, stated) = take("sha256 ", "the checksum")?;
        let (_, title) = take("title ", "the title")?;
        let (_, channel) = take("channel ", "the channel")?;
        let mut steps = Vec::new();
        while lines.0.peek().is_some() {
            steps.push(lines.step()?);
        }
        let script = Script {
            title,
            channel,
            steps,
        };
        script.checked(&stated)
    }

    /// Reads the JSON form.
    ///
    /// # Errors
    /// [`FormError`].
    pub fn from_json(value: &serde_json::Value) -> Result<Self, FormError> {
        let form: JsonScript =
            serde_json::from_value(value.clone()).map_err(|e| FormError::Format(e.to_string()))?;
        if form.format != FORMAT {
            return Err(FormError::Format(form.format.to_string()));
        }
        let mut steps = Vec::new();
        for (i, step) in form.steps.into_iter().enumerate() {
            let wrong = FormError::Line {
                line: i + 1,
                expected: "a step with a command APDU and status words",
            };
            let expected = step.expected.iter().map(|word| read_word(word)).collect();
            let answer = step.answer.map(hex::decode).transpose();
            let (Some(command), Some(expected), Ok(answer)) =
                (read_command(&step.command), expected, answer)
            else {
                return Err(wrong);
            };
            steps.push(Step {
                comment: step.comment,
                command,
                expected,
                answer,
            });
        }
        let script = Script {
            title: form.title,
            channel: form.channel,
            steps,
        };
        script.checked(&form.sha256)
    }
}
