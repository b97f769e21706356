//! `ipae script make`: one description becomes a script, in the form that is asked for.

use super::super::build;
use super::super::card;
use super::super::failure::{Failure, OrExit};
use super::super::keys::{self, KeyArgs};
use super::super::output::{Out, style, write_file};
use applet_gen::gp::scp03::{Mode, SecurityLevel};
use applet_gen::gp::uicc_params::{InstallParameters, lint};
use applet_gen::script::{Channel, Foreign, Opening, Script};
use cards::definition::Definition;
use clap::{Args, ValueEnum};
use host_bridge::exit;
use host_bridge::personalize::Applet;
use std::path::PathBuf;

/// The forms of a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// The project's own: comments, expected status words, checksum
    Text,
    /// The same in JSON
    Json,
    /// One APDU a line: scriptor and most readers' tools
    Apdus,
    /// A shell script that runs GlobalPlatformPro
    Gp,
    /// A script of GPShell
    Gpshell,
    /// A script of pySim-shell
    Pysim,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae script make applet.cap --card my-card.toml --params params.toml --out load.script
  ipae script make applet.cap --card my-card.toml --form gp --out load.sh
  ipae script make applet.cap --card virtual-lab --key-set test --sequence-counter 000001 --out load.script
  ipae script make applet.cap --card my-card.toml --keys keys.toml --key-set lab \\
    --card-challenge 0011223344556677 --host-challenge 0102030405060708 --out load.script

Without a key set the commands are plain, for a tool that opens the secure channel itself; keys are in
no script. With one they are under SCP03, for a card whose challenge is known before: pseudo-random
(the definition's i) with its next sequence counter, or given. Other tools' forms of plain scripts name
environment variables for the keys.")]
pub struct Make {
    /// The CAP file
    cap: PathBuf,
    /// Card definition: a name of `ipae card list`, or a file
    #[arg(long, value_name = "DEF")]
    card: String,
    /// Install parameters as TOML (`ipae help card params encode`); without it those of an IPAe applet
    #[arg(long, value_name = "FILE.toml")]
    params: Option<PathBuf>,
    /// Where the script goes
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Its form
    #[arg(long, value_name = "FORM", default_value = "text")]
    form: Form,
    #[command(flatten)]
    keys: KeyArgs,
    #[arg(long, value_name = "NAME", help = format!("Put the commands under SCP03 with this key set: {}", keys::HELP))]
    key_set: Option<String>,
    /// Sequence counter that the card will use: its last one plus one
    #[arg(
        long,
        value_name = "HEX",
        default_value = "000001",
        requires = "key_set"
    )]
    sequence_counter: String,
    /// Challenge that the card will answer, where it is given and not pseudo-random
    #[arg(long, value_name = "HEX", requires = "key_set")]
    card_challenge: Option<String>,
    /// Key diversification data that the card will send
    #[arg(
        long,
        value_name = "HEX",
        default_value = "00000000000000000000",
        requires = "key_set"
    )]
    diversification: String,
    /// Host challenge of the script; random without it
    #[arg(long, value_name = "HEX", requires = "key_set")]
    host_challenge: Option<String>,
}

impl Make {
    pub fn run(&self, out: &Out) -> Result<(), Failure> {
        let definition = card::find(&self.card)?;
        let applet = Applet::from_file(&self.cap)?;
        applet.fits(&definition)?;
        let mut plan = build::plan(&applet, &definition)?;
        plan.title = format!(
            "{} for {} {}",
            self.cap.display(),
            definition.eum,
            definition.product
        );
        if let Some(file) = &self.params {
            let bytes = card::params::encode_file(file)?;
            plan.parameters = InstallParameters::decode(&bytes).or_exit(exit::PARAMETERS)?;
        }
        let parameters = plan.parameters.encode().or_exit(exit::PARAMETERS)?;
        let target = card::params::target(Some(&definition), Some(plan.instance.clone()));
        card::params::judge(&lint(&parameters, &target), out)?;
        let script = match &self.key_set {
            None => plan.plain().or_exit(exit::SCRIPT)?,
            Some(name) => self.wrapped(&plan, name, &definition)?,
        };
        let scp03 = &definition.isd.scp03;
        let opening = Opening {
            kvn: scp03.kvn,
            level: SecurityLevel::from_byte(scp03.level).unwrap_or(SecurityLevel::Full),
            s16: Mode::of_i_parameter(scp03.i) == Mode::S16,
        };
        let text = match self.form {
            Form::Text => script.to_text(),
            Form::Json => format!("{:#}\n", script.to_json()),
            Form::Apdus => foreign(&script, Foreign::Apdus, opening)?,
            Form::Gp => foreign(&script, Foreign::Gp, opening)?,
            Form::Gpshell => foreign(&script, Foreign::GpShell, opening)?,
            Form::Pysim => foreign(&script, Foreign::PySim, opening)?,
        };
        write_file(&self.out, text.as_bytes())?;
        let file = self.out.display().to_string();
        let value = serde_json::json!({
            "script": file, "title": script.title, "channel": script.channel, "steps": script.steps.len(),
        });
        out.print(&value, |w| {
            let good = style::GOOD;
            writeln!(
                w,
                "{good}made{good:#} {file}: {} commands ({})",
                script.steps.len(),
                script.channel
            )
        })
    }

    fn wrapped(
        &self,
        plan: &applet_gen::script::Plan,
        name: &str,
        definition: &Definition,
    ) -> Result<Script, Failure> {
        let set = self.keys.find(name, definition)?;
        let i = definition.isd.scp03.i;
        let length = Mode::of_i_parameter(i).length();
        let mut host_challenge = vec![0; length];
        match &self.host_challenge {
            Some(text) => host_challenge = build::bytes("--host-challenge", text, length)?,
            None => keys::random(&mut host_challenge)
                .map_err(|e| Failure::new(exit::FAILED, format!("no random numbers: {e}")))?,
        }
        let given = match &self.card_challenge {
            Some(text) => Some(build::bytes("--card-challenge", text, length)?),
            None => None,
        };
        let diversification: [u8; 10] =
            build::bytes("--diversification", &self.diversification, 10)?
                .try_into()
                .unwrap_or_default();
        let sequence_counter: [u8; 3] =
            build::bytes("--sequence-counter", &self.sequence_counter, 3)?
                .try_into()
                .unwrap_or_default();
        let own = set.of_card(&diversification).or_exit(exit::KEYS)?;
        let channel = Channel {
            keys: &*own.keys,
            kvn: own.kvn,
            i,
            diversification,
            sequence_counter,
            card_challenge: given.as_deref(),
            host_challenge: &host_challenge,
            // Whoever plays a script can't check R-MACs; commands are encrypted and protected.
            level: SecurityLevel::CDecCMac,
        };
        plan.wrapped(&channel).or_exit(exit::SCRIPT)
    }
}

fn foreign(script: &Script, form: Foreign, opening: Opening) -> Result<String, Failure> {
    script.to_foreign(form, opening).or_exit(exit::SCRIPT)
}
