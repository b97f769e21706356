//! `ipae cap info`: a CAP file in figures.

use super::File;
use crate::cli::failure::{Failure, OrExit};
use crate::cli::output::Out;
use applet_gen::api;
use applet_gen::cap::{budget, info};
use cards::vm::COSTS;
use clap::Args;
use host_bridge::exit;
use serde::Serialize;

#[derive(Args)]
#[command(after_help = "\
Example:
  ipae cap info target/applet/ipae.cap

It counts what the package will take on a card without running it: the deepest stack of each
method that the card calls, by the call graph and with the path there, memory at installation by
what the code allocates, and what may be allocated later. Frames and objects cost what they cost
on the virtual card. Methods of imported packages count as native, without a frame.")]
pub struct Info {
    #[command(flatten)]
    file: File,
}

/// What the command tells, as JSON.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    info: &'a info::Info,
    budget: &'a budget::Budget,
}

impl Info {
    pub fn run(self, out: &Out) -> Result<(), Failure> {
        let cap = self.file.read()?;
        let info = info::info(&cap, api::packages()).or_exit(exit::CAP)?;
        let budget = budget::budget(&cap, api::packages(), COSTS).or_exit(exit::CAP)?;
        let told = Told {
            info: &info,
            budget: &budget,
        };
        out.print(&told, |w| write!(w, "{info}\n{budget}"))
    }
}
