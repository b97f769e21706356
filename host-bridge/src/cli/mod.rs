//! The command line: one file per group of commands, and what they share.
//!
//! Commands parse, call the library and print; rules of protocols and formats live in the library.
//! `failure` turns every error into a message and an exit code, `output` prints for people or, with
//! `--json`, for programs.

mod build;
mod cap;
mod card;
mod device;
mod eim;
mod failure;
mod figures;
mod hook;
mod interrupt;
mod keys;
mod lab;
mod model;
mod order;
mod output;
mod personalize;
mod pki;
mod probe;
mod profile;
mod queue;
mod run;
mod script;
mod show;
mod smdp;
mod test;
mod trace;
mod vcard;
mod vm;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Parser, Subcommand};
use host_bridge::exit;
use output::{Color, Out};
use std::process::ExitCode;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Makes, loads, personalizes and proves SIM cards with an IoT Profile Assistant (SGP.32 IPAe) in
/// them.
#[derive(Parser)]
#[command(name = "ipae", version, styles = STYLES, max_term_width = 100, after_help = AFTER, after_long_help = long_help())]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Print data as JSON on standard output, errors as JSON on standard error
    #[arg(long, global = true, help_heading = "Output")]
    json: bool,
    /// When to use colours
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "Output"
    )]
    color: Color,
}

const AFTER: &str = "\
Examples:
  ipae run --out target/run                           The main job on eight virtual cards, with a report
  ipae build --card virtual-lab --out target/applet   Make the applet's CAP file and all that goes with it
  ipae card list                                      The card definitions that come with the tools

`ipae help COMMAND` explains a command, `ipae --help` lists the exit codes.";

fn long_help() -> String {
    let mut text = format!("{AFTER}\n\nExit codes:\n");
    for row in exit::TABLE {
        text.push_str(&format!(
            "  {:>3}  {:<18} {}\n",
            row.code, row.name, row.meaning
        ));
    }
    text
}

#[derive(Subcommand)]
enum Command {
    /// The main job: from the model to personalized cards that obey their eIM, with a report
    Run(run::Run),
    /// Run end-to-end scenarios on a card against the lab eIM
    Test(test::Test),
    /// Show, check and draw the applet's state machine
    #[command(subcommand)]
    Model(model::Model),
    /// Make the applet: Java sources, CAP file, manifest, load and install script
    Build(build::Build),
    /// Look into CAP files
    #[command(subcommand)]
    Cap(cap::CapCommand),
    /// Card definitions and readers
    #[command(subcommand)]
    Card(card::Card),
    /// Order files: which cards to personalize, with what
    #[command(subcommand)]
    Order(order::Order),
    /// Load, install, personalize and verify the cards of an order
    #[command(subcommand)]
    Personalize(personalize::Personalize),
    /// The lab eIM: serve, enqueue, look at results
    #[command(subcommand)]
    Eim(eim::EimCommand),
    /// The lab SM-DP+: serve, order, list, and push a profile into a card
    #[command(subcommand)]
    Smdp(smdp::SmdpCommand),
    /// Say what a card can do: does its eUICC expose the IPA interface, which assistant has it
    Probe(probe::ProbeArgs),
    /// Put a card into a device that polls its eIM in virtual time
    Device(device::Device),
    /// Virtual cards for pcscd
    #[command(subcommand)]
    Vcard(vcard::Vcard),
    /// The virtual card's VM: any CAP file run, traced, profiled
    #[command(subcommand)]
    Vm(vm::VmCommand),
    /// Load and install scripts
    #[command(subcommand)]
    Script(script::Script),
    /// Key files and HSMs: generate, encrypt, look at
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Certificates and keys of a lab
    #[command(subcommand)]
    Pki(pki::Pki),
    /// Profile packages: make, show, check
    #[command(subcommand)]
    Profile(profile::Profile),
    /// Decode APDUs, proactive commands and ESipa messages to names
    Trace(trace::Trace),
}

/// Parses the command line, runs the command, prints its error; gives the process's exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse_from(personalize::with_run(std::env::args_os()));
    cli.color.apply();
    let out = Out::new(cli.json);
    let result = match cli.command {
        Command::Run(command) => command.run(&out),
        Command::Test(command) => command.run(&out),
        Command::Model(command) => command.run(&out),
        Command::Build(command) => command.run(&out),
        Command::Cap(command) => command.run(&out),
        Command::Card(command) => command.run(&out),
        Command::Order(command) => command.run(&out),
        Command::Personalize(command) => command.run(&out),
        Command::Eim(command) => command.run(&out),
        Command::Smdp(command) => command.run(&out),
        Command::Probe(command) => command.run(&out),
        Command::Device(command) => command.run(&out),
        Command::Vcard(command) => command.run(&out),
        Command::Vm(command) => command.run(&out),
        Command::Script(command) => command.run(&out),
        Command::Keys(command) => command.run(&out),
        Command::Pki(command) => command.run(&out),
        Command::Profile(command) => command.run(&out),
        Command::Trace(command) => command.run(&out),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print(cli.json);
            ExitCode::from(failure.exit().code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    /// Every command has a text and, if it is no group, examples.
    fn check(command: &clap::Command) {
        let name = command.get_name();
        assert!(command.get_about().is_some(), "{name} has no text");
        for argument in command.get_arguments() {
            assert!(
                argument.get_help().is_some(),
                "{name} {} has no text",
                argument.get_id()
            );
        }
        if !command.has_subcommands() {
            let examples = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(examples.contains("Example"), "{name} has no examples");
        }
        command.get_subcommands().for_each(check);
    }

    #[test]
    fn every_command_is_explained() {
        Cli::command().debug_assert();
        check(&Cli::command());
    }
}
