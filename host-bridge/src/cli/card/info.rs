//! `ipae card info`: a GlobalPlatform card, looked into.

use super::super::failure::Failure;
use super::super::keys::{self, AttemptArgs, KeyArgs};
use super::super::output::{Out, style};
use super::{LinkArgs, find};
use clap::Args;
use host_bridge::exit;
use host_bridge::gp::{Authentication, Domain};
use host_bridge::survey::{Entry, Survey, registry, survey};
use serde::Serialize;
use std::ops::ControlFlow;

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae card info --reader \"ACR38\"
  ipae card info --reader \"ACR38\" --isd A000000003000000 --json
  ipae card info --file run1/cards/89049032000000000000000000000163.card --card virtual-lab --key-set test

Without a key set nothing is sent but SELECT and GET DATA: no card counts that. With one,
INITIALIZE UPDATE is sent and the card's cryptogram compared; if it does not fit the key set,
EXTERNAL AUTHENTICATE is not sent and the card's try counter stays as it was.")]
pub struct Info {
    #[command(flatten)]
    link: LinkArgs,
    /// AID of the issuer security domain, if it is not one of the usual two
    #[arg(long, value_name = "HEX")]
    isd: Option<String>,
    /// Card definition with the secure channel's parameters; needed with --key-set
    #[arg(long, value_name = "DEF")]
    card: Option<String>,
    #[command(flatten)]
    keys: KeyArgs,
    #[command(flatten)]
    attempts: AttemptArgs,
    #[arg(long, value_name = "NAME", requires = "card", help = format!("List the registry, too, with this key set: {}", keys::HELP))]
    key_set: Option<String>,
}

/// What is printed.
#[derive(Serialize)]
struct Report {
    card: Survey,
    registry: Option<Vec<Entry>>,
}

impl Info {
    pub fn run(&self, out: &Out) -> Result<(), Failure> {
        let isd = match &self.isd {
            Some(text) => Some(hex::decode(text).map_err(|error| {
                Failure::new(exit::USAGE, format!("--isd {text:?}: {error}"))
                    .next("give 5 to 16 bytes in hexadecimal")
            })?),
            None => None,
        };
        let mut link = self.link.look()?;
        let survey = survey(link.as_mut(), isd.as_deref())?;
        let registry = match (&self.key_set, &self.card) {
            (Some(name), Some(card)) => {
                let definition = find(card)?;
                let set = self.keys.find(name, &definition)?;
                let mut isd = Domain::issuer(link.as_mut(), &definition)?;
                let attempts = self.attempts.open()?;
                let mut how = Authentication {
                    level: None,
                    attempts: Some(&attempts),
                    random: &mut keys::random,
                    observer: &mut |notice| {
                        keys::show(notice, out);
                        ControlFlow::Continue(())
                    },
                };
                isd.authenticate(&set, &mut how)?;
                Some(registry(&mut isd)?)
            }
            _ => None,
        };
        let report = Report {
            card: survey,
            registry,
        };
        out.print(&report, |w| report.write(w))
    }
}

impl Report {
    fn write(&self, w: &mut dyn std::io::Write) -> std::io::Result<()> {
        let (head, dim) = (style::HEAD, style::DIM);
        let survey = &self.card;
        writeln!(w, "{head}{}{head:#}", survey.link)?;
        writeln!(w, "  {:<32} {}", "ATR", survey.atr)?;
        writeln!(w, "  {:<32} {}", "", survey.atr_says)?;
        writeln!(w, "  {:<32} {}", "issuer security domain", survey.isd)?;
        for fact in &survey.facts {
            writeln!(w, "  {:<32} {}", fact.name, fact.value)?;
        }
        for fact in &survey.refused {
            writeln!(w, "  {dim}{:<32} refused: {}{dim:#}", fact.name, fact.value)?;
        }
        for entry in self.registry.iter().flatten() {
            writeln!(
                w,
                "{head}{}{head:#} {}, {}",
                entry.kind, entry.aid, entry.state
            )?;
            if let Some(version) = &entry.version {
                writeln!(w, "  {:<32} {version}", "version")?;
            }
            if let Some(privileges) = &entry.privileges {
                writeln!(w, "  {:<32} {privileges}", "privileges")?;
            }
            let of = match entry.kind {
                "load file" => "module",
                _ => "from load file",
            };
            for aid in &entry.of {
                writeln!(w, "  {of:<32} {aid}")?;
            }
            if let Some(domain) = &entry.domain {
                writeln!(w, "  {:<32} {domain}", "security domain")?;
            }
        }
        Ok(())
    }
}
