//! `ipae build`: from the model to a CAP file and all that goes with it.

use super::card;
use super::failure::{Failure, OrExit};
use super::keys::KeyArgs;
use super::output::{Out, style, write_file};
use applet_gen::build::{
    Applet, Artifact, BuildError, CAP_FILE, MANIFEST_FILE, Manifest, artifacts,
};
use applet_gen::gp::scp03::{Mode, SecurityLevel};
use applet_gen::javac::Javac;
use applet_gen::script::{Channel, Plan, Script};
use cards::definition::Definition;
use clap::Args;
use host_bridge::exit;
use host_bridge::personalize::Applet as Loadable;
use std::path::{Path, PathBuf};

/// Where class files and stubs stay, below the output folder.
const WORK: &str = "work";

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae build --card virtual-lab --out target/applet
  ipae build --card virtual-lab --out target/applet --key-set test --sequence-counter 000001

What it leaves in the output folder:
  ipae.cap            the CAP file
  ipae-debug.cap      the same code with names and source lines, for `ipae vm` and `ipae cap info`
  src/                its Java sources: the runtime, and the tables generated from the model
  build.xml           makes the CAP with a vendor's Java Card kit instead (ant-javacard)
  exp/, lib/          export files and class files that build.xml needs
  manifest.json       sizes by component, AIDs, hashes, memory figures, versions
  load.script, .json  the commands that load and install it, plain: for a tool with its own SCP03
  load-scp03.…        the same under SCP03, with --key-set: for a card with that sequence counter
  work/               stubs and class files")]
pub struct Build {
    /// Card definition: a name of `ipae card list`, or a file
    #[arg(long, value_name = "DEF", default_value = "virtual-lab")]
    card: String,
    /// Where to
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    keys: KeyArgs,
    /// Also make the load script under SCP03 with this key set; `test` is the definition's test keys
    #[arg(long, value_name = "NAME")]
    key_set: Option<String>,
    /// Sequence counter that the card will answer to INITIALIZE UPDATE: the last one plus one
    #[arg(
        long,
        value_name = "HEX",
        default_value = "000001",
        requires = "key_set"
    )]
    sequence_counter: String,
    /// Key diversification data that the card will answer, 10 bytes
    #[arg(
        long,
        value_name = "HEX",
        default_value = "00000000000000000000",
        requires = "key_set"
    )]
    diversification: String,
    /// Host challenge of the script, 8 bytes (16 for S16); random without it
    #[arg(long, value_name = "HEX", requires = "key_set")]
    host_challenge: Option<String>,
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

/// Builds in `dir` and writes every file; `more` makes files of the plan that go with them.
pub fn build(
    dir: &Path,
    card: &str,
    more: impl FnOnce(&Plan, &Definition) -> Result<Vec<Artifact>, Failure>,
) -> Result<Manifest, Failure> {
    let definition = card::find(card)?;
    let javac = Javac::locate().or_exit(exit::BUILD)?;
    let work = dir.join(WORK);
    let applet = Applet::build(&work, &javac).map_err(failed)?;
    let mut files = artifacts(&applet, &work).map_err(failed)?;
    let cap = files.iter().find(|file| file.path == CAP_FILE);
    let mut loadable = Loadable::from_bytes(CAP_FILE, cap.map_or(&[], |file| &file.bytes))?;
    loadable.name_by(&applet.named)?.fits(&definition)?;
    let plan = plan(&loadable, &definition)?;
    files.extend(scripts("load", &plan.plain().or_exit(exit::SCRIPT)?)?);
    files.extend(more(&plan, &definition)?);
    let name = format!("{} {}", definition.eum, definition.product);
    let manifest = Manifest::new(&applet, &javac, Some(name), &files);
    let text = serde_json::to_vec_pretty(&manifest).or_exit(exit::OUTPUT)?;
    for Artifact { path, bytes } in &files {
        write_file(&dir.join(path), bytes)?;
    }
    write_file(&dir.join(MANIFEST_FILE), &text)?;
    Ok(manifest)
}

/// What the scripts do.
pub fn plan(applet: &Loadable, definition: &Definition) -> Result<Plan, Failure> {
    Ok(Plan {
        title: format!("IPAe applet for {} {}", definition.eum, definition.product),
        isd: definition.isd.aid.bytes().to_vec(),
        package: applet.package.clone(),
        module: applet.module()?.to_vec(),
        instance: applet.instance()?.to_vec(),
        load_file: applet.load_file.clone(),
        parameters: Loadable::parameters(definition),
        max_command_data: definition.apdu.max_command_data.min(255).into(),
    })
}

/// Both forms of a script.
fn scripts(name: &str, script: &Script) -> Result<[Artifact; 2], Failure> {
    let json = serde_json::to_vec_pretty(&script.to_json()).or_exit(exit::OUTPUT)?;
    Ok([
        Artifact::new(format!("{name}.script"), script.to_text()),
        Artifact::new(format!("{name}.json"), json),
    ])
}

/// An option's bytes, of the length that is asked for.
pub fn bytes(option: &str, text: &str, length: usize) -> Result<Vec<u8>, Failure> {
    match hex::decode(text) {
        Ok(bytes) if bytes.len() == length => Ok(bytes),
        _ => Err(Failure::new(
            exit::USAGE,
            format!("{option} {text:?}: expected {length} bytes in hexadecimal"),
        )),
    }
}

impl Build {
    /// The scripts under SCP03, if a key set was named.
    fn wrapped(&self, plan: &Plan, definition: &Definition) -> Result<Vec<Artifact>, Failure> {
        let Some(name) = &self.key_set else {
            return Ok(Vec::new());
        };
        let set = self.keys.find(name, definition)?;
        let i = definition.isd.scp03.i;
        let length = Mode::of_i_parameter(i).length();
        let host_challenge = match &self.host_challenge {
            Some(text) => bytes("--host-challenge", text, length)?,
            None => {
                let mut challenge = vec![0; length];
                getrandom::fill(&mut challenge)
                    .map_err(|e| Failure::new(exit::FAILED, format!("no random numbers: {e}")))?;
                challenge
            }
        };
        let mut channel = Channel {
            keys: &*set.keys,
            kvn: set.kvn,
            i,
            diversification: [0; 10],
            sequence_counter: [0; 3],
            card_challenge: None,
            host_challenge: &host_challenge,
            // Whoever plays a script can't check R-MACs; commands are encrypted and protected.
            level: SecurityLevel::CDecCMac,
        };
        channel.diversification.copy_from_slice(&bytes(
            "--diversification",
            &self.diversification,
            10,
        )?);
        channel.sequence_counter.copy_from_slice(&bytes(
            "--sequence-counter",
            &self.sequence_counter,
            3,
        )?);
        let script = plan.wrapped(&channel).or_exit(exit::SCRIPT)?;
        Ok(scripts("load-scp03", &script)?.into())
    }

    pub fn run(self, out: &Out) -> Result<(), Failure> {
        if self.keys.is_given() && self.key_set.is_none() {
            return Err(Failure::new(exit::USAGE, "--keys without --key-set")
                .next("name the key set of the card with --key-set NAME"));
        }
        out.note("compiling and converting the applet");
        let manifest = build(&self.out, &self.card, |plan, definition| {
            self.wrapped(plan, definition)
        })?;
        out.print(&manifest, |w| {
            let head = style::HEAD;
            let (model, memory) = (&manifest.model, &manifest.memory);
            writeln!(w, "{head}{}{head:#}", self.out.join(CAP_FILE).display())?;
            writeln!(
                w,
                "model        {} ({}): {} states, {} transitions",
                model.version, model.digest, model.states, model.transitions
            )?;
            writeln!(w, "{}", manifest.cap)?;
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
