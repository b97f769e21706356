//! `ipae card readers`: what PC/SC has.

use super::super::failure::Failure;
use super::super::interrupt;
use super::super::output::{Out, style};
use clap::Args;
use host_bridge::transport::pcsc::{ReaderInfo, Watch, survey};
use std::io::{self, Write};
use std::time::Duration;

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae card readers
  ipae card readers --json
  ipae card readers --watch

No card is powered or reset for this. PC/SC doesn't tell who has a reader; on Linux the programs
that have its library loaded are named. A reader with a known fault is shown with what is done about
it and where that was reported; IPAE_READER_QUIRKS names a file with a station's own findings, in the
form of host-bridge/src/transport/pcsc/quirks.toml. All work takes readers exclusively.

With --watch, readers and cards that come and go are told, a line each, until Ctrl-C; a PC/SC
service that stops or is restarted doesn't end it.")]
pub struct Readers {
    /// Tell what changes, until Ctrl-C
    #[arg(long)]
    watch: bool,
}

impl Readers {
    pub fn run(&self, out: &Out) -> Result<(), Failure> {
        if self.watch {
            return watch(out);
        }
        let readers = survey()?;
        out.print(&readers, |w| {
            if readers.is_empty() {
                return writeln!(w, "no readers");
            }
            readers.iter().try_for_each(|reader| write(reader, w))
        })
    }
}

fn watch(out: &Out) -> Result<(), Failure> {
    let stop = interrupt::flag();
    let mut watch = Watch::new();
    while !interrupt::requested() {
        if let Some(event) = watch.next(Duration::from_secs(60), stop) {
            if out.is_json() {
                // JSON Lines: one event, one line.
                let line = serde_json::to_string(&event).unwrap_or_default();
                anstream::println!("{line}");
            } else {
                anstream::println!("{event}");
            }
        }
    }
    Ok(())
}

fn write(reader: &ReaderInfo, w: &mut dyn Write) -> io::Result<()> {
    let (head, hint) = (style::HEAD, style::HINT);
    let line = |w: &mut dyn Write, name: &str, text: &dyn std::fmt::Display| {
        writeln!(w, "  {name:<14} {text}")
    };
    writeln!(w, "{head}{}{head:#}", reader.name)?;
    let state = match reader.state {
        "card" => "card present",
        "mute" => "a card that does not answer; is it the right way up?",
        other => other,
    };
    line(w, "state", &state)?;
    let mut in_use = match reader.in_use {
        "exclusive" => "by another process, exclusively".to_owned(),
        "shared" => "by another process, shared".to_owned(),
        _ => "no".to_owned(),
    };
    for user in &reader.users {
        in_use += &format!("; {} (process {}) uses the service", user.program, user.pid);
    }
    line(w, "in use", &in_use)?;
    if let Some(atr) = &reader.atr {
        line(w, "ATR", atr)?;
    }
    if let Some(says) = &reader.atr_says {
        line(w, "", says)?;
    }
    if let Some(protocol) = &reader.protocol {
        let length = match reader.longest_data {
            0..=255 => "short APDUs".to_owned(),
            n => format!("extended length, up to {n} bytes of data, where the card takes it"),
        };
        line(w, "protocol", &format!("{protocol}, {length}"))?;
    }
    let contacts = match &reader.contactless {
        Some(reason) => format!("no: {reason}; refused for toolkit and personalization"),
        None => "yes".to_owned(),
    };
    line(w, "contacts", &contacts)?;
    if let Some(usb) = &reader.usb {
        line(w, "USB", usb)?;
    }
    for quirk in &reader.quirks {
        writeln!(w, "  {hint}{:<14}{hint:#} {}", "known fault", quirk.symptom)?;
        line(w, "what is done", &quirk.cure())?;
        line(w, "reported in", &quirk.source)?;
    }
    Ok(())
}
