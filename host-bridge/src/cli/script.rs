//! `ipae script`: load and install scripts.

use super::failure::{Failure, OrExit};
use super::output::{Out, read_file, style};
use applet_gen::script::Script as LoadScript;
use clap::{Args, Subcommand};
use host_bridge::exit;
use std::path::PathBuf;

#[derive(Subcommand)]
pub enum Script {
    /// Check a load script's checksum and list its commands
    Show(Show),
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae script show target/applet/load.script
  ipae script show target/applet/load-scp03.json --json

`ipae build` makes scripts.")]
pub struct Show {
    /// The script, in its text or its JSON form
    file: PathBuf,
}

impl Script {
    pub fn run(self, out: &Out) -> Result<(), Failure> {
        let Script::Show(show) = self;
        let bytes = read_file(&show.file, exit::SCRIPT)?;
        let wrong = |error: &dyn std::fmt::Display| {
            Failure::new(exit::SCRIPT, format!("{}: {error}", show.file.display()))
                .next("make it anew with `ipae build`")
        };
        let text = String::from_utf8(bytes).map_err(|e| wrong(&e))?;
        let script = if text.trim_start().starts_with('{') {
            let value: serde_json::Value = serde_json::from_str(&text).or_exit(exit::SCRIPT)?;
            LoadScript::from_json(&value).map_err(|e| wrong(&e))?
        } else {
            LoadScript::from_text(&text).map_err(|e| wrong(&e))?
        };
        out.print(&script.to_json(), |w| {
            let head = style::HEAD;
            writeln!(w, "{head}{}{head:#} ({})", script.title, script.channel)?;
            for (i, step) in script.steps.iter().enumerate() {
                let bytes = step.command.to_bytes().len();
                writeln!(w, "{:>4} {bytes:>4} bytes  {}", i + 1, step.comment)?;
            }
            Ok(())
        })
    }
}
