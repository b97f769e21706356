//! The event stream: one JSON object a line, for a line controller.
//!
//! Every line has `v` (version of this form, [`VERSION`]), `at` (RFC 3339), `station`, `reader` (empty
//! for what concerns the whole run) and `event`, which says what else is there: the names and fields of
//! [`Event`](crate::personalize::Event) in kebab-case. The last line of a run that came to its end has
//! the event `ended` and the figures of [`Outcome`]. Fields may be added within a version; a
//! controller ignores what it doesn't know. No line holds a key.

use crate::personalize::{Notice, Outcome};
use serde::Serialize;
use std::io::{self, Write};

/// Version of the lines.
pub const VERSION: u32 = 1;

#[derive(Serialize)]
struct Line<'a, T> {
    v: u32,
    station: &'a str,
    #[serde(flatten)]
    what: T,
}

#[derive(Serialize)]
struct Ended<'a> {
    at: &'a str,
    reader: &'a str,
    event: &'a str,
    #[serde(flatten)]
    outcome: &'a Outcome,
}

fn line(to: &mut dyn Write, station: &str, what: impl Serialize) -> io::Result<()> {
    let v = VERSION;
    // Written at once: whoever reads along never has half a line.
    let mut text = serde_json::to_vec(&Line { v, station, what })?;
    text.push(b'\n');
    to.write_all(&text)?;
    to.flush()
}

/// Writes an event.
///
/// # Errors
/// Whoever should read it is gone.
pub fn write(to: &mut dyn Write, station: &str, notice: &Notice) -> io::Result<()> {
    line(to, station, notice)
}

/// Writes what the run came to: the last line.
///
/// # Errors
/// Whoever should read it is gone.
pub fn write_end(to: &mut dyn Write, station: &str, at: &str, outcome: &Outcome) -> io::Result<()> {
    let (reader, event) = ("", "ended");
    let what = Ended {
        at,
        reader,
        event,
        outcome,
    };
    line(to, station, what)
}
