//! How a command fails: exit code, message, what to do next.

use super::output::style;
use host_bridge::exit::{Exit, ExitCode};
use std::error::Error;
use std::fmt::Display;

/// Why a command failed.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    message: String,
    next: Option<String>,
}

impl Failure {
    /// A failure with this exit code and message.
    pub fn new(exit: Exit, message: impl Display) -> Self {
        Failure {
            exit,
            message: message.to_string(),
            next: None,
        }
    }

    /// An error of the library, with its causes.
    pub fn of(exit: Exit, error: &dyn Error) -> Self {
        Failure::new(exit, with_causes(error))
    }

    /// Says what to do next.
    pub fn next(mut self, text: impl Display) -> Self {
        self.next = Some(text.to_string());
        self
    }

    /// The row of the exit code table.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// Prints it to standard error.
    pub fn print(&self, json: bool) {
        if json {
            let value = serde_json::json!({ "error": {
                "code": self.exit.code,
                "name": self.exit.name,
                "message": self.message,
                "next": self.next,
            }});
            eprintln!("{value:#}");
            return;
        }
        let (error, next) = (style::ERROR, style::HINT);
        anstream::eprintln!("{error}error:{error:#} {}", self.message);
        if let Some(text) = &self.next {
            anstream::eprintln!("{next} next:{next:#} {text}");
        }
    }
}

/// The error's text and those of its causes that it doesn't repeat itself.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

impl<E: Error + ExitCode> From<E> for Failure {
    fn from(error: E) -> Self {
        Failure::of(error.exit(), &error)
    }
}

/// Gives errors that know no exit code of their own the one that fits.
pub trait OrExit<T> {
    /// The error with this exit code.
    fn or_exit(self, exit: Exit) -> Result<T, Failure>;
}

impl<T, E: Error> OrExit<T> for Result<T, E> {
    fn or_exit(self, exit: Exit) -> Result<T, Failure> {
        self.map_err(|error| Failure::of(exit, &error))
    }
}
