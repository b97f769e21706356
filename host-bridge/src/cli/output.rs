//! Printing: text for people, JSON for programs, progress of long work.

use super::failure::Failure;
use clap::ValueEnum;
use host_bridge::exit;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::io::{self, Write};
use std::path::Path;

/// The few styles there are.
pub mod style {
    use anstyle::{AnsiColor, Style};

    /// Headings of lists and tables.
    pub const HEAD: Style = Style::new().bold();
    /// What went well.
    pub const GOOD: Style = AnsiColor::Green.on_default().bold();
    /// What didn't.
    pub const ERROR: Style = AnsiColor::Red.on_default().bold();
    /// What to do next, what to heed.
    pub const HINT: Style = AnsiColor::Yellow.on_default().bold();
    /// What matters less.
    pub const DIM: Style = Style::new().dimmed();
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On terminals that can, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Color {
    /// Makes it so for the whole process.
    pub fn apply(self) {
        let choice = match self {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::AlwaysAnsi,
            Color::Never => anstream::ColorChoice::Never,
        };
        choice.write_global();
    }
}

/// Where a command's output goes.
#[derive(Debug, Clone, Copy)]
pub struct Out {
    json: bool,
}

impl Out {
    /// JSON or text.
    pub fn new(json: bool) -> Self {
        Out { json }
    }

    /// Whether the output is for programs.
    pub fn is_json(self) -> bool {
        self.json
    }

    /// Prints a result: `value` as JSON, or what `text` writes.
    pub fn print<T: Serialize + ?Sized>(
        self,
        value: &T,
        text: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let mut stdout = anstream::stdout().lock();
        let written = if self.json {
            serde_json::to_writer_pretty(&mut stdout, value)
                .map_err(io::Error::from)
                .and_then(|()| writeln!(stdout))
        } else {
            text(&mut stdout)
        };
        match written.and_then(|()| stdout.flush()) {
            // Whoever read the output has seen enough.
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(e) => Err(Failure::new(exit::OUTPUT, format!("standard output: {e}"))),
            Ok(()) => Ok(()),
        }
    }

    /// Says on standard error what is going on; nothing with `--json`.
    pub fn note(self, text: impl std::fmt::Display) {
        if !self.json {
            let dim = style::DIM;
            anstream::eprintln!("{dim}{text}{dim:#}");
        }
    }
}

/// A progress bar on standard error; hidden if that is no terminal, or with `--json`.
pub fn progress(out: &Out, length: u64, what: &str) -> ProgressBar {
    if out.json {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(length);
    let template = format!("{{bar:30}} {{pos}}/{{len}} {what} {{elapsed}} {{wide_msg}}");
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    bar
}

/// Writes a file, with its folders; errors name it.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(|e| cannot_write(parent, &e))?;
    }
    std::fs::write(path, bytes).map_err(|e| cannot_write(path, &e))
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::new(
        exit::OUTPUT,
        format!("failed to write {}: {error}", path.display()),
    )
}

/// Reads a file; errors name it and have the given exit code.
pub fn read_file(path: &Path, exit: exit::Exit) -> Result<Vec<u8>, Failure> {
    std::fs::read(path)
        .map_err(|e| Failure::new(exit, format!("failed to read {}: {e}", path.display())))
}
