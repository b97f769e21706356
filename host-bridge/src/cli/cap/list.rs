//! `ipae cap list`: a CAP file to read.

use super::File;
use crate::cli::failure::Failure;
use crate::cli::output::Out;
use applet_gen::api;
use applet_gen::cap::disasm;
use clap::Args;

#[derive(Args)]
#[command(after_help = "Example:\n  ipae cap list target/applet/ipae.cap | less")]
pub struct List {
    #[command(flatten)]
    file: File,
}

impl List {
    pub fn run(self, out: &Out) -> Result<(), Failure> {
        let listing = disasm::disassemble(&self.file.read()?, api::packages());
        let lines: Vec<&str> = listing.lines().collect();
        out.print(&lines, |w| write!(w, "{listing}"))
    }
}
