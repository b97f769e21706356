//! `ipae cap info`: a CAP file in figures.

use super::File;
use crate::cli::failure::{Failure, OrExit};
use crate::cli::output::Out;
use applet_gen::api;
use applet_gen::cap::info;
use clap::Args;
use host_bridge::exit;

#[derive(Args)]
#[command(after_help = "Example:\n  ipae cap info target/applet/ipae.cap")]
pub struct Info {
    #[command(flatten)]
    file: File,
}

impl Info {
    pub fn run(self, out: &Out) -> Result<(), Failure> {
        let info = info::info(&self.file.read()?, api::packages()).or_exit(exit::CAP)?;
        out.print(&info, |w| writeln!(w, "{info}"))
    }
}
