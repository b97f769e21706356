//! `ipae cap verify`: what is wrong with CAP files.

use super::File;
use crate::cli::failure::Failure;
use crate::cli::output::{Out, read_file, style};
use applet_gen::api::{self, ApiPackage};
use applet_gen::cap::verify::{Finding, Verdict, offer, verify_with_tables};
use applet_gen::cap::{Cap, ComponentTag};
use applet_gen::exp;
use clap::Args;
use host_bridge::exit;
use std::path::{Path, PathBuf};

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae cap verify target/applet/ipae.cap
  ipae cap verify applet.cap --exp library.exp --exp vendor.exp
  ipae cap verify applet.cap library.cap

Imports are looked up among the export files given, the other CAP files given, and the packages
that this tool has tables of, in this order. A CAP file is verified when everything was checked
and nothing is wrong: structure, references between components, versions of imports, types of
all values. Exit code 0: every file is verified.")]
pub struct Verify {
    /// CAP files, each verified against the others
    #[arg(value_name = "FILE.cap", required = true)]
    files: Vec<PathBuf>,
    /// Export file of a package that is imported; may be given more than once
    #[arg(long, value_name = "FILE.exp")]
    exp: Vec<PathBuf>,
}

/// Reads an export file.
pub fn export(path: &Path) -> Result<ApiPackage, Failure> {
    exp::read(&read_file(path, exit::CAP)?).map_err(|error| {
        Failure::new(exit::CAP, format!("{}: {error}", path.display()))
            .next("give the export file of an imported package, as its converter wrote it")
    })
}

/// The packages of a card that holds what `caps` hold, and those of export files, which come first; what
/// this tool has tables of is not among them.
pub fn packages(exports: Vec<ApiPackage>, caps: &[Cap]) -> Vec<ApiPackage> {
    let mut all = exports;
    let tables = api::packages();
    let mut offers: Vec<ApiPackage> = Vec::new();
    // A library may extend another: what is found in one round is known in the next.
    for _ in caps {
        let known: Vec<ApiPackage> = offers.iter().chain(tables).cloned().collect();
        offers = caps.iter().filter_map(|cap| offer(cap, &known)).collect();
    }
    for package in offers {
        if all.iter().all(|known| known.aid != package.aid) {
            all.push(package);
        }
    }
    all
}

fn value(file: &Path, verdict: &Verdict) -> serde_json::Value {
    let findings: Vec<serde_json::Value> = verdict
        .findings
        .iter()
        .map(|finding| {
            serde_json::json!({
                "component": finding.component.to_string(),
                "offset": finding.offset,
                "method": finding.method,
                "methodName": finding.method_name,
                "instruction": finding.instruction.map(|(at, name)| {
                    serde_json::json!({ "offset": at, "name": name })
                }),
                "expected": finding.expected,
                "found": finding.found,
                "text": finding.to_string(),
            })
        })
        .collect();
    serde_json::json!({
        "file": file.display().to_string(),
        "verified": verdict.is_verified(),
        "findings": findings,
        "unchecked": verdict.unchecked,
    })
}

impl Verify {
    pub fn run(self, out: &Out) -> Result<(), Failure> {
        let exports = self.exp.iter().map(|path| export(path));
        let exports = exports.collect::<Result<Vec<_>, _>>()?;
        let caps = self.files.iter().map(|path| File::cap(path));
        let caps = caps.collect::<Result<Vec<_>, _>>()?;
        let packages = packages(exports, &caps);
        let verdicts: Vec<(&PathBuf, Verdict)> = (self.files.iter())
            .zip(&caps)
            .map(|(path, cap)| (path, verify_with_tables(cap, &packages)))
            .collect();
        let values: Vec<_> = (verdicts.iter())
            .map(|(path, verdict)| value(path, verdict))
            .collect();
        out.print(&values, |w| {
            let (good, bad, hint) = (style::GOOD, style::ERROR, style::HINT);
            for (path, verdict) in &verdicts {
                for finding in &verdict.findings {
                    writeln!(w, "{bad}wrong{bad:#}      {finding}")?;
                }
                for what in &verdict.unchecked {
                    writeln!(w, "{hint}unchecked{hint:#}  {what}")?;
                }
                if verdict.is_verified() {
                    writeln!(w, "{good}verified{good:#}   {}", path.display())?;
                }
            }
            Ok(())
        })?;
        let refused: Vec<&(&PathBuf, Verdict)> = (verdicts.iter())
            .filter(|(_, verdict)| !verdict.is_verified())
            .collect();
        let Some((path, first)) = refused.first() else {
            return Ok(());
        };
        let found = first.findings.len();
        let failure = Failure::new(
            exit::CAP,
            match refused.len() {
                1 if found == 0 => format!("{}: not verified", path.display()),
                1 => format!("{}: {found} findings", path.display()),
                more => format!("{more} of {} files are not verified", verdicts.len()),
            },
        );
        let missing = |finding: &Finding| finding.component == ComponentTag::Import;
        Err(if first.findings.iter().any(missing) {
            failure.next("give the export files of imported packages with --exp")
        } else {
            failure
        })
    }
}
