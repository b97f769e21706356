//! `ipae script check`: whether a script can do what it says.

use super::super::card;
use super::super::failure::Failure;
use super::super::output::{Out, style};
use clap::Args;
use host_bridge::exit;
use std::path::PathBuf;

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae script check load.script
  ipae script check load.script --card my-card.toml

Checks version and checksum, each command's fields, that LOAD blocks are numbered, whole and followed by
the last, that nothing is sent that the definition's card has no room for, and that a script under a
secure channel states what the card must answer before EXTERNAL AUTHENTICATE. Ends with exit code 15 if
something is wrong.")]
pub struct Check {
    /// The script, in its text or its JSON form
    file: PathBuf,
    /// Compare with cards of this definition
    #[arg(long, value_name = "DEF")]
    card: Option<String>,
}

impl Check {
    pub fn run(&self, out: &Out) -> Result<(), Failure> {
        let script = super::read(&self.file)?;
        let definition = self.card.as_deref().map(card::find).transpose()?;
        let room = definition
            .as_ref()
            .map(|definition| usize::from(definition.apdu.max_command_data));
        let faults = script.check(room);
        out.print(&faults, |w| {
            let (good, bad) = (style::GOOD, style::ERROR);
            if faults.is_empty() {
                writeln!(
                    w,
                    "{good}good{good:#} {}: {} commands ({})",
                    script.title,
                    script.steps.len(),
                    script.channel
                )?;
            }
            faults
                .iter()
                .try_for_each(|fault| writeln!(w, "{bad}wrong{bad:#} {fault}"))
        })?;
        match faults.len() {
            0 => Ok(()),
            n => Err(
                Failure::new(exit::SCRIPT, format!("{}: {n} faults", self.file.display()))
                    .next("make it anew with `ipae script make`; nothing was sent"),
            ),
        }
    }
}
