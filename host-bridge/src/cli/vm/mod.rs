//! `ipae vm`: packages on the virtual card's VM, run and watched; one file a command.

mod bench;
mod load;
mod profile;
mod run;
mod trace;

use super::failure::Failure;
use super::output::Out;
use clap::Subcommand;

#[derive(Subcommand)]
pub enum VmCommand {
    /// Load CAP files on a fresh virtual card, install their applets, send commands
    Run(run::Run),
    /// The same with a trace of instructions, or stops at breakpoints
    Trace(trace::Trace),
    /// Count what each method does, predict its time on a card, draw a flame graph
    Profile(profile::ProfileArgs),
    /// Measure the VM: bytecodes, commands, signatures a second, memory a card; compare with peers
    Bench(bench::BenchArgs),
}

impl VmCommand {
    pub fn run(self, out: &Out) -> Result<(), Failure> {
        match self {
            VmCommand::Run(command) => command.run(out),
            VmCommand::Trace(command) => command.run(out),
            VmCommand::Profile(command) => command.run(out),
            VmCommand::Bench(command) => command.run(*out),
        }
    }
}
