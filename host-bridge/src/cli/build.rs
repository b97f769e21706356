//! `ipae build`: from the model to a CAP file and all that goes with it.

use super::card;
use super::failure::{Failure, OrExit};
use super::output::{Out, style, write_file};
use applet_gen::build::{Applet, Artifact, BuildError, MANIFEST_FILE, Manifest, artifacts};
use applet_gen::javac::Javac;
use clap::Args;
use host_bridge::exit;
use std::path::{Path, PathBuf};

/// Where class files and stubs stay, below the output folder.
const WORK: &str = "work";

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae build --card virtual-lab --out target/applet

What it leaves in the output folder:
  ipae.cap            the CAP file
  src/                its Java sources: the runtime, and the tables generated from the model
  build.xml           makes the CAP with a vendor's Java Card kit instead (ant-javacard)
  exp/, lib/          export files and class files that build.xml needs
  manifest.json       sizes by component, AIDs, hashes, memory figures, versions
  work/               stubs and class files")]
pub struct Build {
    /// Card definition: a name of `ipae card list`, or a file
    #[arg(long, value_name = "DEF", default_value = "virtual-lab")]
    card: String,
    /// Where to
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Turns a failure to build into message and exit code.
pub fn failed(error: BuildError) -> Failure {
    let exit = match &error {
        BuildError::File { .. } => exit::OUTPUT,
        BuildError::Verify(_) | BuildError::Cap(_) => exit::CAP,
        _ => exit::BUILD,
    };
    Failure::of(exit, &error)
}

/// Builds in `dir`, writes every file, gives the applet and its manifest.
pub fn build(dir: &Path, card: &str) -> Result<(Applet, Manifest), Failure> {
    let definition = card::find(card)?;
    let javac = Javac::locate().or_exit(exit::BUILD)?;
    let work = dir.join(WORK);
    let applet = Applet::build(&work, &javac).map_err(failed)?;
    let files = artifacts(&applet, &work).map_err(failed)?;
    let name = format!("{} {}", definition.eum, definition.product);
    let manifest = Manifest::new(&applet, &javac, Some(name), &files);
    let text = serde_json::to_vec_pretty(&manifest).or_exit(exit::OUTPUT)?;
    for Artifact { path, bytes } in &files {
        write_file(&dir.join(path), bytes)?;
    }
    write_file(&dir.join(MANIFEST_FILE), &text)?;
    Ok((applet, manifest))
}

impl Build {
    pub fn run(self, out: &Out) -> Result<(), Failure> {
        out.note("compiling and converting the applet");
        let (_, manifest) = build(&self.out, &self.card)?;
        out.print(&manifest, |w| {
            let head = style::HEAD;
            writeln!(
                w,
                "{head}{}{head:#}",
                self.out.join(applet_gen::build::CAP_FILE).display()
            )?;
            writeln!(
                w,
                "model        {} ({}): {} states, {} transitions",
                manifest.model.version,
                manifest.model.digest,
                manifest.model.states,
                manifest.model.transitions
            )?;
            writeln!(w, "{}", manifest.cap)?;
            let memory = &manifest.memory;
            writeln!(
                w,
                "memory       {} bytes persistent record; {} transient: {} registers, {} buffers",
                memory.persistent_record,
                memory.transient,
                memory.transient_registers,
                memory.transient_buffers
            )?;
            writeln!(
                w,
                "files        {} (see {MANIFEST_FILE})",
                manifest.files.len()
            )
        })
    }
}
