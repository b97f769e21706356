//! `ipae cap verify`: what is wrong with a CAP file.

use super::File;
use crate::cli::failure::Failure;
use crate::cli::output::{Out, style};
use applet_gen::api;
use applet_gen::cap::verify;
use clap::Args;
use host_bridge::exit;

#[derive(Args)]
#[command(after_help = "Example:\n  ipae cap verify target/applet/ipae.cap")]
pub struct Verify {
    #[command(flatten)]
    file: File,
}

impl Verify {
    pub fn run(self, out: &Out) -> Result<(), Failure> {
        let file = &self.file;
        let verdict = verify::verify(&file.read()?, api::packages());
        let findings: Vec<String> = verdict.findings.iter().map(ToString::to_string).collect();
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
