//! What the commands that manage a card share: which card, keys and security domain, and how a plan is
//! shown or carried out.

use super::super::failure::{Failure, OrExit};
use super::super::keys::{self, AttemptArgs, KeyArgs};
use super::super::output::{Out, progress, style};
use super::LinkArgs;
use applet_gen::gp::scp03::SecurityLevel;
use applet_gen::script::{PLAIN, Script, Step};
use cards::definition::Definition;
use clap::Args;
use host_bridge::exit;
use host_bridge::gp::{Authentication, SecurityDomain, plan};
use host_bridge::order::KeySet;
use host_bridge::transport::CardLink;
use std::ops::ControlFlow;
use std::path::PathBuf;

/// A security domain of a card, over a link that the session owns.
pub type Domain = SecurityDomain<Box<dyn CardLink>>;

/// An option's bytes in hexadecimal.
pub fn bytes(text: &str) -> Result<Vec<u8>, String> {
    hex::decode(text).map_err(|error| format!("{error}; expected bytes in hexadecimal"))
}

/// An AID, 5 to 16 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aid(pub Vec<u8>);

impl std::str::FromStr for Aid {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match bytes(text)? {
            aid if (5..=16).contains(&aid.len()) => Ok(Aid(aid)),
            aid => Err(format!("{} bytes, an AID has 5 to 16", aid.len())),
        }
    }
}

/// A byte in hexadecimal.
pub fn byte(text: &str) -> Result<u8, String> {
    u8::from_str_radix(text, 16).map_err(|_| "expected a byte in hexadecimal".to_owned())
}

fn level(text: &str) -> Result<SecurityLevel, String> {
    SecurityLevel::from_byte(byte(text)?)
        .ok_or_else(|| "expected 00, 01, 03, 11, 13 or 33 (Amendment D table 7-5)".to_owned())
}

#[derive(Args)]
pub struct SessionArgs {
    /// A PC/SC reader, or a part of its name that no other has
    #[arg(long, value_name = "NAME", required_unless_present_any = ["file", "dry_run"])]
    reader: Option<String>,
    /// The file of a virtual card
    #[arg(long, value_name = "FILE.card", conflicts_with = "reader")]
    file: Option<PathBuf>,
    /// Card definition: a name of `ipae card list`, or a file
    #[arg(long, value_name = "DEF")]
    card: String,
    #[command(flatten)]
    keys: KeyArgs,
    #[arg(long, value_name = "NAME", required_unless_present = "dry_run", help = format!("Key set of the security domain: {}", keys::HELP))]
    key_set: Option<String>,
    #[command(flatten)]
    attempts: AttemptArgs,
    /// AID of the security domain to manage; without it the issuer's, as the definition has it
    #[arg(long, value_name = "AID")]
    domain: Option<Aid>,
    /// Logical channel to work on: 0 to 19
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..20))]
    channel: u8,
    /// Security level, in hexadecimal; without it the definition's
    #[arg(long, value_name = "LEVEL", value_parser = level)]
    level: Option<SecurityLevel>,
    /// Print the plan, in words and plain APDUs, and touch no card
    #[arg(long)]
    dry_run: bool,
}

impl SessionArgs {
    /// The card's definition.
    pub fn definition(&self) -> Result<Definition, Failure> {
        super::find(&self.card)
    }

    /// Whether nothing is to be sent.
    pub fn is_dry(&self) -> bool {
        self.dry_run
    }

    /// Most data bytes of a command under the level that will be used.
    pub fn room(&self, definition: &Definition) -> usize {
        let stated = SecurityLevel::from_byte(definition.isd.scp03.level);
        let level = self.level.or(stated).unwrap_or(SecurityLevel::Full);
        plan::room(definition, level)
    }

    /// AID of the security domain.
    pub fn domain(&self, definition: &Definition) -> Vec<u8> {
        match &self.domain {
            Some(Aid(aid)) => aid.clone(),
            None => definition.isd.aid.bytes().to_vec(),
        }
    }

    /// A key set by name, for this definition's cards.
    pub fn find_keys(&self, name: &str, definition: &Definition) -> Result<KeySet, Failure> {
        self.keys.find(name, definition)
    }

    /// The key set of the session.
    pub fn key_set(&self, definition: &Definition) -> Result<KeySet, Failure> {
        let name = self.key_set.as_deref().ok_or_else(|| {
            Failure::new(exit::USAGE, "no key set").next("name one with --key-set")
        })?;
        self.keys.find(name, definition)
    }

    /// The record of authentication attempts.
    pub fn attempts(&self) -> Result<host_bridge::gp::Attempts, Failure> {
        self.attempts.open()
    }

    /// The card, its security domain selected, before any cryptogram. Keys are looked up first: a refused
    /// key set leaves the card alone.
    pub fn select(&self, definition: &Definition) -> Result<Domain, Failure> {
        let link = LinkArgs {
            reader: self.reader.clone(),
            file: self.file.clone(),
        };
        let mut link = link.open()?;
        link.reset()?;
        let aid = self.domain(definition);
        Ok(SecurityDomain::select(
            link,
            definition,
            &aid,
            self.channel,
        )?)
    }

    /// Opens the secure channel with a key set.
    pub fn authenticate(
        &self,
        domain: &mut Domain,
        set: &KeySet,
        out: &Out,
    ) -> Result<(), Failure> {
        let attempts = self.attempts.open()?;
        let mut how = Authentication {
            level: self.level,
            attempts: Some(&attempts),
            random: &mut keys::random,
            observer: &mut |notice| {
                keys::show(notice, out);
                ControlFlow::Continue(())
            },
        };
        Ok(domain.authenticate(set, &mut how)?)
    }

    /// A session: the domain selected, the secure channel open.
    pub fn open(&self, definition: &Definition, out: &Out) -> Result<Domain, Failure> {
        let set = self.key_set(definition)?;
        let mut domain = self.select(definition)?;
        self.authenticate(&mut domain, &set, out)?;
        Ok(domain)
    }

    /// Shows a plan, or opens a session and carries it out.
    pub fn carry_out(
        &self,
        title: &str,
        definition: &Definition,
        steps: Vec<Step>,
        out: &Out,
    ) -> Result<(), Failure> {
        if self.dry_run {
            return self.show(title, definition, steps, out);
        }
        let mut domain = self.open(definition, out)?;
        send(&mut domain, title, &steps, out)
    }

    /// Prints a plan as the script that it is.
    pub fn show(
        &self,
        title: &str,
        definition: &Definition,
        steps: Vec<Step>,
        out: &Out,
    ) -> Result<(), Failure> {
        let aid = self.domain(definition);
        let select = Step::new(
            "SELECT of the security domain",
            applet_gen::gp::command::select(&aid),
        );
        let script = Script {
            title: title.to_owned(),
            channel: PLAIN.to_owned(),
            steps: [vec![select], steps].concat(),
        };
        out.print(&script.to_json(), |w| {
            let (head, dim) = (style::HEAD, style::DIM);
            writeln!(
                w,
                "{head}{title}{head:#}: {} commands, none sent",
                script.steps.len()
            )?;
            for (i, step) in script.steps.iter().enumerate() {
                writeln!(w, "{:>4} {}", i + 1, step.comment)?;
                let command = hex::encode_upper(step.command.to_bytes());
                writeln!(w, "     {dim}{command} -> {}{dim:#}", step.allowed())?;
            }
            Ok(())
        })
    }
}

/// Sends the steps of a plan in an open session, and says so.
pub fn send(domain: &mut Domain, title: &str, steps: &[Step], out: &Out) -> Result<(), Failure> {
    let bar = progress(out, steps.len() as u64, "commands");
    for (i, step) in steps.iter().enumerate() {
        bar.set_message(step.comment.clone());
        let answer = domain.exchange(&step.command)?;
        if let Err(error) = plan::judge(step, &answer) {
            bar.finish_and_clear();
            let failure = Failure::from(error);
            return Err(match i {
                0 => failure.next("nothing on the card was changed by it"),
                n => failure.next(format!("the {n} commands before it were carried out")),
            });
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    done(domain, title, steps.len(), out)
}

/// Says that a plan of so many commands was carried out.
pub fn done(domain: &mut Domain, title: &str, commands: usize, out: &Out) -> Result<(), Failure> {
    let card = domain.link_mut().name();
    let value = serde_json::json!({
        "done": title, "card": card, "commands": commands, "ok": true,
    });
    out.print(&value, |w| {
        let good = style::GOOD;
        writeln!(
            w,
            "{good}done{good:#} {title}: {} commands to {card}",
            commands
        )
    })
}

/// Reads an option's file of a private P-256 key in PEM.
pub fn signing_key(
    path: &std::path::Path,
) -> Result<applet_gen::gp::signature::SigningKey, Failure> {
    let text = std::fs::read_to_string(path)
        .map(zeroize::Zeroizing::new)
        .map_err(|e| {
            Failure::new(
                exit::KEYS,
                format!("failed to read {}: {e}", path.display()),
            )
        })?;
    applet_gen::gp::signature::SigningKey::p256_pem(&text).or_exit(exit::KEYS)
}
