//! `ipae card load | install | delete | lock | unlock | extradite | store | domain`: what is on a card.

use super::super::failure::{Failure, OrExit};
use super::super::output::{Out, progress, read_file};
use super::session::{self, Aid, SessionArgs, bytes, signing_key};
use applet_gen::cap::Cap;
use applet_gen::gp::command::Install as InstallCommand;
use applet_gen::gp::load::LoadHash;
use applet_gen::gp::privilege::{Privilege, Privileges};
use applet_gen::gp::uicc_params::lint;
use clap::{Args, Subcommand};
use host_bridge::exit;
use host_bridge::gp::loading::{self, Choice, Loaded, Progress};
use host_bridge::gp::plan::{self, Loading};
use std::path::PathBuf;

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae card load applet.cap --reader \"ACR38\" --card my.toml --key-set lab
  ipae card load applet.cap --card virtual-lab --dry-run
  ipae card load applet.cap --file my.card --card virtual-lab --key-set test --clean

Before anything is sent, the CAP's imports and its use of int are compared with the definition. If
the package is on the card already, or half of it since a load broke off, the command stops and says
what there is: --clean deletes it and loads anew, --resume takes it if it is whole. Half a package
can't be continued: a card forgets the blocks of a load with the session that they came in (GPCS
9.3.1), so a new session starts with its first block.")]
pub struct Load {
    /// The CAP file
    cap: PathBuf,
    #[command(flatten)]
    session: SessionArgs,
    /// Security domain that gets the package, if not the one that is selected
    #[arg(long, value_name = "AID")]
    to: Option<Aid>,
    /// State the load file's hash in INSTALL [for load]: sha256, sha384, sha512
    #[arg(long, value_name = "NAME", value_parser = hash)]
    hash: Option<LoadHash>,
    /// Sign a DAP block with this P-256 key (PEM); needs --dap-domain
    #[arg(long, value_name = "FILE.pem", requires = "dap_domain")]
    dap_key: Option<PathBuf>,
    /// Security domain that verifies the DAP block
    #[arg(long, value_name = "AID", requires = "dap_key")]
    dap_domain: Option<Aid>,
    /// Data bytes of a LOAD command; without it as many as card and reader take
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(16..))]
    block: Option<u16>,
    /// Delete the package if it, or half of it, is on the card, and load anew
    #[arg(long, conflicts_with = "resume")]
    clean: bool,
    /// With --clean: delete the applets that were made of the package, too
    #[arg(long, requires = "clean")]
    related: bool,
    /// Take a package that is on the card whole as loaded
    #[arg(long)]
    resume: bool,
}

fn hash(text: &str) -> Result<LoadHash, String> {
    LoadHash::by_name(text).ok_or_else(|| "expected sha256, sha384 or sha512".to_owned())
}

impl Load {
    pub fn run(&self, out: &Out) -> Result<(), Failure> {
        let cap = Cap::from_jar(&read_file(&self.cap, exit::CAP)?)
            .or_exit(exit::CAP)
            .map_err(|failure| failure.next("`ipae cap verify` says what is wrong with it"))?;
        let definition = self.session.definition()?;
        let key = self.dap_key.as_deref().map(signing_key).transpose()?;
        let how = Loading {
            to: self.to.as_ref().map_or(&[], |aid| &aid.0),
            hash: self.hash,
            daps: self
                .dap_domain
                .as_ref()
                .map(|aid| aid.0.as_slice())
                .zip(key.as_ref())
                .into_iter()
                .collect(),
            block: self.block.map(usize::from),
        };
        let steps = plan::load(&cap, &definition, self.session.room(&definition), &how)?;
        let title = format!("load of {}", self.cap.display());
        if self.session.is_dry() {
            return self.session.show(&title, &definition, steps, out);
        }
        let mut domain = self.session.open(&definition, out)?;
        let choice = Choice {
            clean: self.clean,
            related: self.related,
            resume: self.resume,
        };
        let bar = progress(out, 0, "commands");
        let package = hex::encode_upper(&cap.header.package.aid);
        let mut show = |now: Progress<'_>| match now {
            Progress::Deleting => bar.suspend(|| out.note(format!("deleting {package}"))),
            Progress::DeletingUnseen => bar.suspend(|| {
                let text =
                    "INSTALL [for load] was refused: deleting what an earlier load may have left";
                out.note(text);
            }),
            Progress::Step { number, of, step } => {
                bar.set_length(of as u64);
                bar.set_position(number as u64);
                bar.set_message(step.comment.clone());
            }
        };
        let loaded = loading::load(&mut domain, &cap, &definition, &how, choice, &mut show);
        bar.finish_and_clear();
        let commands = match loaded {
            Ok(Loaded::Now(commands)) => commands,
            Ok(Loaded::Before) => {
                out.note("the package is on the card, whole: nothing to load");
                0
            }
            Err(error) => {
                let next = error.next();
                let failure = Failure::from(error);
                return Err(match next {
                    Some(next) => failure.next(next),
                    None => failure,
                });
            }
        };
        session::done(&mut domain, &title, commands, out)
    }
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae card install --package F04950416501 --module F0495041650101 --params params.toml \\
    --reader \"ACR38\" --card my.toml --key-set lab
  ipae card install --package F04950416501 --module F0495041650101 --params-hex C900 \\
    --card virtual-lab --dry-run

The parameters are looked through before they are sent: what the card would answer with 6A80 is named
and stops the command (`ipae card params` explains).")]
pub struct Install {
    #[command(flatten)]
    session: SessionArgs,
    /// Load file (package) AID
    #[arg(long, value_name = "AID")]
    package: Aid,
    /// Module (applet class) AID
    #[arg(long, value_name = "AID")]
    module: Aid,
    /// Instance AID; without it the module's
    #[arg(long, value_name = "AID")]
    instance: Option<Aid>,
    /// Install parameters as TOML
    #[arg(long, value_name = "FILE.toml", conflicts_with = "params_hex")]
    params: Option<PathBuf>,
    /// Install parameters in hexadecimal, C9 and all
    #[arg(long, value_name = "HEX")]
    params_hex: Option<String>,
    /// Privileges by name, as `card-reset,global-delete`
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = privilege)]
    privileges: Vec<Privilege>,
    /// Do not make it selectable
    #[arg(long)]
    not_selectable: bool,
}

fn privilege(text: &str) -> Result<Privilege, String> {
    Privilege::by_name(text).ok_or_else(|| {
        let names: Vec<String> = Privilege::all()
            .map(|one| one.name().to_ascii_lowercase().replace(' ', "-"))
            .collect();
        format!("expected one of {}", names.join(", "))
    })
}

/// Parameters from a TOML file or from hexadecimal digits; C900 without either.
pub fn parameters(file: Option<&PathBuf>, hex: Option<&str>) -> Result<Vec<u8>, Failure> {
    match (file, hex) {
        (Some(file), _) => super::params::encode_file(file),
        (None, Some(text)) => bytes(text)
            .map_err(|error| Failure::new(exit::USAGE, format!("--params-hex {text:?}: {error}"))),
        (None, None) => Ok(vec![0xC9, 0x00]),
    }
}

impl Install {
    pub fn run(&self, out: &Out) -> Result<(), Failure> {
        let definition = self.session.definition()?;
        let parameters = parameters(self.params.as_ref(), self.params_hex.as_deref())?;
        let instance = self.instance.as_ref().unwrap_or(&self.module);
        let target = super::params::target(Some(&definition), Some(instance.0.clone()));
        super::params::judge(&lint(&parameters, &target), out)?;
        let privileges = Privilege::bytes(&self.privileges);
        let install = InstallCommand {
            package: &self.package.0,
            module: &self.module.0,
            instance: &instance.0,
            privileges,
            parameters: &parameters,
            token: &[],
        };
        let title = format!("install of {}", hex::encode_upper(&instance.0));
        let steps = plan::install(&install, !self.not_selectable);
        self.session.carry_out(&title, &definition, steps, out)
    }
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae card delete F0495041650101 --reader \"ACR38\" --card my.toml --key-set lab
  ipae card delete F04950416501 --related --file my.card --card virtual-lab --key-set test

Keys are deleted by `ipae card keys delete`.")]
pub struct Delete {
    /// AID of the application or load file
    aid: Aid,
    #[command(flatten)]
    session: SessionArgs,
    /// Delete what was made of the load file, too
    #[arg(long)]
    related: bool,
}

impl Delete {
    pub fn run(&self, out: &Out) -> Result<(), Failure> {
        let definition = self.session.definition()?;
        if self.aid.0 == definition.isd.aid.bytes() {
            return Err(Failure::new(
                exit::USAGE,
                "that is the issuer security domain: no card lives without it",
            ));
        }
        let title = format!("delete of {}", hex::encode_upper(&self.aid.0));
        let steps = plan::delete(&self.aid.0, self.related);
        self.session.carry_out(&title, &definition, steps, out)
    }
}

#[derive(Args)]
#[command(after_help = "\
Example:
  ipae card lock F0495041650101 --reader \"ACR38\" --card my.toml --key-set lab

`ipae card unlock` takes it back.")]
pub struct Lock {
    /// AID of the application or supplementary security domain
    aid: Aid,
    #[command(flatten)]
    session: SessionArgs,
}

#[derive(Args)]
#[command(after_help = "\
Example:
  ipae card unlock F0495041650101 --reader \"ACR38\" --card my.toml --key-set lab")]
pub struct Unlock {
    /// AID of the application or supplementary security domain
    aid: Aid,
    #[command(flatten)]
    session: SessionArgs,
}

impl Lock {
    pub fn run(&self, out: &Out) -> Result<(), Failure> {
        lock(&self.session, &self.aid, true, out)
    }
}

impl Unlock {
    pub fn run(&self, out: &Out) -> Result<(), Failure> {
        lock(&self.session, &self.aid, false, out)
    }
}

fn lock(session: &SessionArgs, aid: &Aid, locked: bool, out: &Out) -> Result<(), Failure> {
    let definition = session.definition()?;
    let verb = if locked { "lock" } else { "unlock" };
    let title = format!("{verb} of {}", hex::encode_upper(&aid.0));
    session.carry_out(&title, &definition, plan::lock(&aid.0, locked), out)
}

#[derive(Args)]
#[command(after_help = "\
Example:
  ipae card extradite F0495041650101 --to A0000001515350FF --reader \"ACR38\" --card my.toml --key-set lab

It is sent to the security domain that has the object now (--domain, if not the issuer's).")]
pub struct Extradite {
    /// AID of the application or load file
    aid: Aid,
    #[command(flatten)]
    session: SessionArgs,
    /// Security domain that gets it
    #[arg(long, value_name = "AID")]
    to: Aid,
}

impl Extradite {
    pub fn run(&self, out: &Out) -> Result<(), Failure> {
        let definition = self.session.definition()?;
        let title = format!("extradition of {}", hex::encode_upper(&self.aid.0));
        let steps = plan::extradite(&self.aid.0, &self.to.0);
        self.session.carry_out(&title, &definition, steps, out)
    }
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae card store 00704508A000000151000000 --form dgi --reader \"ACR38\" --card my.toml --key-set lab
  ipae card store 8001AA --to F0495041650101 --file my.card --card virtual-lab --key-set test")]
pub struct Store {
    /// The data, in hexadecimal
    data: String,
    #[command(flatten)]
    session: SessionArgs,
    /// Application of the domain that it is for; without it the domain itself
    #[arg(long, value_name = "AID")]
    to: Option<Aid>,
    /// Form of the data: plain, dgi or tlv
    #[arg(long, value_name = "FORM", default_value = "plain", value_parser = form)]
    form: u8,
}

fn form(text: &str) -> Result<u8, String> {
    match text {
        "plain" => Ok(0x00),
        "dgi" => Ok(0x08),
        "tlv" => Ok(0x10),
        _ => Err("expected plain, dgi or tlv".to_owned()),
    }
}

impl Store {
    pub fn run(&self, out: &Out) -> Result<(), Failure> {
        let definition = self.session.definition()?;
        let data = bytes(&self.data)
            .map_err(|error| Failure::new(exit::USAGE, format!("{:?}: {error}", self.data)))?;
        let to = self.to.as_ref().map(|aid| aid.0.as_slice());
        let steps = plan::store(to, &data, self.session.room(&definition), self.form);
        self.session
            .carry_out("store of data", &definition, steps, out)
    }
}

#[derive(Subcommand)]
pub enum Domain {
    /// Create a supplementary security domain
    Create(Create),
}

#[derive(Args)]
#[command(after_help = "\
Example:
  ipae card domain create A0000001515350FF --privileges dap-verification --reader \"ACR38\" --card my.toml --key-set lab

It is made of the package that cards have for it (A0000001515350). Its first keys are put by
`ipae card keys put --domain AID`, where the card lets the issuer's do so.")]
pub struct Create {
    /// AID of the new domain
    aid: Aid,
    #[command(flatten)]
    session: SessionArgs,
    /// Privileges beside Security Domain, by name
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = privilege)]
    privileges: Vec<Privilege>,
    /// Install parameters in hexadecimal, C9 and all
    #[arg(long, value_name = "HEX")]
    params_hex: Option<String>,
}

impl Create {
    pub fn run(&self, out: &Out) -> Result<(), Failure> {
        let definition = self.session.definition()?;
        let parameters = parameters(None, self.params_hex.as_deref())?;
        let privileges: Privileges = Privilege::bytes(&self.privileges);
        let steps = plan::create_domain(&self.aid.0, privileges, &parameters);
        let title = format!("security domain {}", hex::encode_upper(&self.aid.0));
        self.session.carry_out(&title, &definition, steps, out)
    }
}
