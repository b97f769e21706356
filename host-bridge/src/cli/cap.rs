//! `ipae cap`: looks into CAP files.

use super::failure::{Failure, OrExit};
use super::output::{Out, read_file, style};
use applet_gen::api;
use applet_gen::cap::{Cap, disasm, info, verify};
use clap::{Args, Subcommand};
use host_bridge::exit;
use std::path::PathBuf;

#[derive(Subcommand)]
pub enum CapCommand {
    /// Show a CAP file's figures: sizes by component, AIDs, imports, hash
    #[command(after_help = "Example:\n  ipae cap info target/applet/ipae.cap")]
    Info(File),
    /// Verify a CAP file: structure, references between components, code, imports
    #[command(after_help = "Example:\n  ipae cap verify target/applet/ipae.cap")]
    Verify(File),
    /// List a CAP file's content and code with the names of what it calls
    #[command(after_help = "Example:\n  ipae cap list target/applet/ipae.cap | less")]
    List(File),
}

#[derive(Args)]
pub struct File {
    /// The CAP file (a JAR with the components)
    #[arg(value_name = "FILE.cap")]
    file: PathBuf,
}

impl File {
    fn read(&self) -> Result<Cap, Failure> {
        let bytes = read_file(&self.file, exit::CAP)?;
        Cap::from_jar(&bytes).map_err(|error| {
            Failure::new(exit::CAP, format!("{}: {error}", self.file.display()))
                .next("get the file anew, or make it with `ipae build`")
        })
    }
}

impl CapCommand {
    pub fn run(self, out: &Out) -> Result<(), Failure> {
        let packages = api::packages();
        match self {
            CapCommand::Info(file) => {
                let info = info::info(&file.read()?, packages).or_exit(exit::CAP)?;
                out.print(&info, |w| writeln!(w, "{info}"))
            }
            CapCommand::List(file) => {
                let listing = disasm::disassemble(&file.read()?, packages);
                let lines: Vec<&str> = listing.lines().collect();
                out.print(&lines, |w| write!(w, "{listing}"))
            }
            CapCommand::Verify(file) => {
                let verdict = verify::verify(&file.read()?, packages);
                let findings: Vec<String> =
                    verdict.findings.iter().map(ToString::to_string).collect();
                let value = serde_json::json!({
                    "ok": verdict.is_ok(),
                    "findings": findings,
                    "unchecked": verdict.unchecked,
                });
                out.print(&value, |w| {
                    let (good, bad, hint) = (style::GOOD, style::ERROR, style::HINT);
                    for finding in &findings {
                        writeln!(w, "{bad}wrong{bad:#}      {finding}")?;
                    }
                    for what in &verdict.unchecked {
                        writeln!(w, "{hint}unchecked{hint:#}  {what}")?;
                    }
                    if verdict.is_ok() {
                        writeln!(w, "{good}valid{good:#}      {}", file.file.display())?;
                    }
                    Ok(())
                })?;
                if verdict.is_ok() {
                    return Ok(());
                }
                Err(Failure::new(
                    exit::CAP,
                    format!("{}: {} findings", file.file.display(), findings.len()),
                ))
            }
        }
    }
}
