//! `ipae card params`: install parameters of UICC applications, in TOML and in bytes.

use super::super::failure::{Failure, OrExit};
use super::super::output::{Out, read_file, style};
use super::session::{Aid, bytes};
use applet_gen::gp::uicc_params::{
    CardLimits, Finding, InstallParameters, Severity, Target, from_toml, lint, to_toml,
};
use cards::definition::{Definition, InstallParameterForm};
use clap::{Args, Subcommand};
use host_bridge::exit;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

#[derive(Subcommand)]
pub enum Params {
    /// Make the bytes of a description
    Encode(Encode),
    /// Say what bytes mean, as a description that makes them again
    Decode(Decode),
    /// Name what a card would refuse
    Lint(Lint),
}

#[derive(Args)]
#[command(after_help = "\
Example:
  ipae card params encode params.toml

A description:
  application = \"0102\"               # C9
  [memory]                           # EF: C8 and C7, D8 and D7 with _reserved
  non_volatile_quota = 1024
  [toolkit]                          # EA 80; with form = \"ca\" CA in EF
  priority = 255
  timers = 1
  channels = 1
  menu = [{ position = 1, identifier = 2 }]
  minimum_security_level = \"0116\"
  tars = [\"494241\"]
  [access]                           # EA 81; [administration] is EA 82
  shared = \"full\"                    # full, none or the access domain")]
pub struct Encode {
    /// The description
    file: PathBuf,
}

#[derive(Args)]
#[command(
    after_help = "Example:\n  ipae card params decode C900EA0F800DFF0012010100000003C0000100"
)]
pub struct Decode {
    /// The bytes, in hexadecimal
    hex: String,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae card params lint --hex C900EA0F800DFF0012010100000003C0000100 --card virtual-lab --instance F0495041650101
  ipae card params lint --params params.toml

Ends with exit code 19 if a card would refuse something.")]
#[command(group = clap::ArgGroup::new("what").required(true))]
pub struct Lint {
    /// The bytes, in hexadecimal
    #[arg(long, value_name = "HEX", group = "what")]
    hex: Option<String>,
    /// A description
    #[arg(long, value_name = "FILE.toml", group = "what")]
    params: Option<PathBuf>,
    /// Compare with what cards of this definition have
    #[arg(long, value_name = "DEF")]
    card: Option<String>,
    /// AID of the instance: its TAR is compared
    #[arg(long, value_name = "AID")]
    instance: Option<Aid>,
}

/// The bytes of a description's file.
pub fn encode_file(file: &Path) -> Result<Vec<u8>, Failure> {
    let text = String::from_utf8_lossy(&read_file(file, exit::PARAMETERS)?).into_owned();
    let in_file = |failure: Failure| failure.next(format!("mend {}", file.display()));
    let read = from_toml(&text)
        .or_exit(exit::PARAMETERS)
        .map_err(in_file)?;
    read.encode().or_exit(exit::PARAMETERS).map_err(in_file)
}

/// What the linter compares with.
pub fn target(definition: Option<&Definition>, instance: Option<Vec<u8>>) -> Target {
    Target {
        limits: definition.map(|definition| CardLimits {
            channels: definition.toolkit.bip_channels,
            timers: definition.toolkit.timers,
            non_volatile: definition.memory.persistent,
            volatile: definition.memory.transient_reset,
        }),
        instance,
        taken_tars: Vec::new(),
        takes_ea: definition.map(|d| d.toolkit.install_parameters == InstallParameterForm::Ea),
    }
}

/// Shows doubts; fails for what a card refuses.
pub fn judge(findings: &[Finding], out: &Out) -> Result<(), Failure> {
    for doubt in findings.iter().filter(|f| f.severity == Severity::Doubtful) {
        out.note(format!("doubtful: {doubt}"));
    }
    let refused: Vec<String> = findings
        .iter()
        .filter(|f| f.severity == Severity::Refused)
        .map(ToString::to_string)
        .collect();
    match refused.is_empty() {
        true => Ok(()),
        false => Err(Failure::new(exit::PARAMETERS, refused.join("\n"))
            .next("mend the parameters; nothing was sent")),
    }
}

fn read_hex(text: &str) -> Result<Vec<u8>, Failure> {
    bytes(text).map_err(|error| Failure::new(exit::USAGE, format!("{text:?}: {error}")))
}

impl Params {
    pub fn run(&self, out: &Out) -> Result<(), Failure> {
        match self {
            Params::Encode(Encode { file }) => {
                let text = hex::encode_upper(encode_file(file)?);
                out.print(&json!({ "parameters": text }), |w| writeln!(w, "{text}"))
            }
            Params::Decode(Decode { hex }) => {
                let read = InstallParameters::decode(&read_hex(hex)?).or_exit(exit::PARAMETERS)?;
                let text = to_toml(&read);
                out.print(&json!({ "toml": text }), |w| write!(w, "{text}"))
            }
            Params::Lint(lint) => lint.run(out),
        }
    }
}

impl Lint {
    fn run(&self, out: &Out) -> Result<(), Failure> {
        let parameters = match (&self.hex, &self.params) {
            (Some(text), _) => read_hex(text)?,
            (None, Some(file)) => encode_file(file)?,
            (None, None) => Vec::new(),
        };
        let definition = self.card.as_deref().map(super::find).transpose()?;
        let instance = self.instance.as_ref().map(|aid| aid.0.clone());
        let findings = lint(&parameters, &target(definition.as_ref(), instance));
        let value: Vec<Value> = findings
            .iter()
            .map(|finding| {
                json!({
                    "refused": finding.severity == Severity::Refused,
                    "field": finding.field,
                    "problem": finding.problem,
                    "clause": finding.clause,
                    "answer": format!("{:04X}", finding.answer.0),
                })
            })
            .collect();
        out.print(&value, |w| {
            let (bad, doubt, good) = (style::ERROR, style::HINT, style::GOOD);
            if findings.is_empty() {
                writeln!(w, "{good}nothing found{good:#}")?;
            }
            for finding in &findings {
                match finding.severity {
                    Severity::Refused => writeln!(w, "{bad}refused{bad:#}  {finding}")?,
                    Severity::Doubtful => writeln!(w, "{doubt}doubtful{doubt:#} {finding}")?,
                }
            }
            Ok(())
        })?;
        match findings.iter().any(|f| f.severity == Severity::Refused) {
            false => Ok(()),
            true => Err(Failure::new(
                exit::PARAMETERS,
                "a card refuses these parameters",
            )),
        }
    }
}
