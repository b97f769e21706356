//! `ipae vm run`: CAP files on a fresh virtual card.

use super::load::{Commands, Load, exchange_json, installed, play, write_exchange};
use crate::cli::failure::Failure;
use crate::cli::output::{Out, style};
use clap::Args;
use serde_json::json;

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae vm run echo.cap --apdu 80010000050102030405
  ipae vm run lib.cap client.cap --install F000000002:0102 --script commands.txt
  ipae vm run foreign.cap --unverified --card my-card.toml --json

The packages are loaded in the order in which they import each other, over the card's own secure
channel; every applet is installed, or those that are named. Each response is shown with its
status word's meaning, an exception that an applet doesn't catch with the path of calls to it.
Proactive commands are fetched, shown, and answered with \"performed\".")]
pub struct Run {
    #[command(flatten)]
    load: Load,
    #[command(flatten)]
    commands: Commands,
}

impl Run {
    pub fn run(self, out: &Out) -> Result<(), Failure> {
        let steps = self.commands.steps()?;
        let mut session = self.load.session(out)?;
        let instances = installed(&self.load, &mut session)?;
        let mut exchanges = Vec::new();
        play(&mut session, &instances, steps, &mut |_, exchange| {
            exchanges.push(exchange.clone());
            Ok(())
        })?;
        let (names, memory) = (session.names(), session.memory());
        let value = json!({
            "installed": instances,
            "exchanges": exchanges.iter().map(|e| exchange_json(e, &names)).collect::<Vec<_>>(),
            "memory": memory,
        });
        out.print(&value, |w| {
            let dim = style::DIM;
            for instance in &instances {
                writeln!(
                    w,
                    "{dim}installed {} of package {}{dim:#}",
                    instance.instance, instance.package
                )?;
            }
            for exchange in &exchanges {
                write_exchange(w, exchange, &names)?;
            }
            writeln!(
                w,
                "{dim}memory: {} bytes persistent, {} transient until reset, {} until deselection, \
                 {} of stack at most{dim:#}",
                memory.persistent,
                memory.transient_reset,
                memory.transient_deselect,
                memory.max_stack
            )
        })
    }
}
