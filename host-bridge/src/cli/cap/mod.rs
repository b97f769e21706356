//! `ipae cap`: CAP files, one file a command.

mod convert;
mod exp;
mod info;
mod list;
mod mutate;
mod packages;
pub mod verify;

use super::failure::Failure;
use super::output::{Out, read_file};
use applet_gen::cap::Cap;
use clap::{Args, Subcommand};
use host_bridge::exit;
use std::path::{Path, PathBuf};

#[derive(Subcommand)]
pub enum CapCommand {
    /// Make CAP files of class files: one or several packages, without any vendor's kit
    Convert(convert::Convert),
    /// Show an export file, or compare two versions of one
    Exp(exp::Exp),
    /// Show a CAP file's figures: sizes by component, AIDs, imports, hash
    Info(info::Info),
    /// Verify CAP files: structure, references between components, imports, types of all values
    Verify(verify::Verify),
    /// List a CAP file's content and code with the names of what it calls
    List(list::List),
    /// Change CAP files in many ways, verify and run each mutant: a test of verifier and VM
    Mutate(mutate::Mutate),
}

/// The CAP file that a command is about.
#[derive(Args)]
struct File {
    /// The CAP file (a JAR with the components)
    #[arg(value_name = "FILE.cap")]
    file: PathBuf,
}

impl File {
    fn read(&self) -> Result<Cap, Failure> {
        File::cap(&self.file)
    }

    fn cap(path: &Path) -> Result<Cap, Failure> {
        let bytes = read_file(path, exit::CAP)?;
        Cap::from_jar(&bytes).map_err(|error| {
            Failure::new(exit::CAP, format!("{}: {error}", path.display()))
                .next("get the file anew, or make it with `ipae build`")
        })
    }
}

impl CapCommand {
    pub fn run(self, out: &Out) -> Result<(), Failure> {
        match self {
            CapCommand::Convert(command) => command.run(out),
            CapCommand::Exp(command) => command.run(out),
            CapCommand::Info(command) => command.run(out),
            CapCommand::Verify(command) => command.run(out),
            CapCommand::List(command) => command.run(out),
            CapCommand::Mutate(command) => command.run(out),
        }
    }
}
