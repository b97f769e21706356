//! `ipae card`: card definitions, readers, and what is done on a card by hand.

mod bench;
mod content;
mod info;
mod inspect;
mod key_sets;
pub mod params;
mod readers;
mod session;
mod state;

use super::failure::{Failure, OrExit};
use super::output::{Out, style};
use cards::definition::{Definition, SHIPPED, json_schema};
use clap::{Args, Subcommand};
use host_bridge::exit;
use host_bridge::personalize::VirtualLink;
use host_bridge::transport::CardLink;
use host_bridge::transport::pcsc::PcscLink;
use std::path::PathBuf;

#[derive(Subcommand)]
pub enum Card {
    /// List the card definitions that come with the tools
    #[command(after_help = "Example:\n  ipae card list")]
    List,
    /// Check a card definition and show what it says
    Show(Show),
    /// Print the JSON Schema of card definitions, for editors
    #[command(after_help = "Example:\n  ipae card schema > card.schema.json")]
    Schema,
    /// Look into any GlobalPlatform card: what it tells to anybody, its registry with a key set
    Info(info::Info),
    /// Load a CAP file
    Load(content::Load),
    /// Install an applet of a package that is on the card
    Install(content::Install),
    /// Delete an application or a load file
    Delete(content::Delete),
    /// Lock an application
    Lock(content::Lock),
    /// Unlock an application
    Unlock(content::Unlock),
    /// Set the life cycle state of the whole card
    CardState(state::CardState),
    /// Key sets of a security domain
    #[command(subcommand)]
    Keys(key_sets::Keys),
    /// Store data in a security domain or an application of it
    Store(content::Store),
    /// Hand an application or load file on to another security domain
    Extradite(content::Extradite),
    /// Supplementary security domains
    #[command(subcommand)]
    Domain(content::Domain),
    /// Install parameters of UICC applications: TOML to bytes and back, and what a card would refuse
    #[command(subcommand)]
    Params(params::Params),
    /// Read the applet on a card: state, counters, configuration, log, all in words
    Inspect(inspect::Inspect),
    /// List the PC/SC readers: state, card, protocol, who has them, known faults; or watch them
    Readers(readers::Readers),
    /// Measure what an APDU costs on our side and through a reader; count a load's commands
    Bench(bench::Bench),
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae card show virtual-lab
  ipae card show my-card.toml --json")]
pub struct Show {
    /// A definition's name or file
    #[arg(value_name = "DEF")]
    definition: String,
}

/// A card in a reader, or a virtual one.
#[derive(Args)]
pub struct LinkArgs {
    /// A PC/SC reader, or a part of its name that no other has
    #[arg(long, value_name = "NAME", required_unless_present = "file")]
    pub reader: Option<String>,
    /// The file of a virtual card
    #[arg(long, value_name = "FILE.card", conflicts_with = "reader")]
    pub file: Option<PathBuf>,
}

impl LinkArgs {
    /// Takes the card to look into it: it may be contactless.
    pub fn look(&self) -> Result<Box<dyn CardLink>, Failure> {
        match (&self.file, &self.reader) {
            (None, Some(reader)) => Ok(Box::new(PcscLink::look(reader)?)),
            _ => self.open(),
        }
    }

    /// Takes the card.
    pub fn open(&self) -> Result<Box<dyn CardLink>, Failure> {
        Ok(match (&self.file, &self.reader) {
            (Some(file), _) => Box::new(VirtualLink::open(&file.display().to_string(), file)?),
            (None, reader) => Box::new(PcscLink::open(reader.as_deref().unwrap_or_default())?),
        })
    }
}

/// A card definition by name or path.
pub fn find(name_or_path: &str) -> Result<Definition, Failure> {
    Definition::find(name_or_path)
        .or_exit(exit::DEFINITION)
        .map_err(|failure| failure.next("`ipae card list` names those that come with the tools"))
}

impl Card {
    pub fn run(self, out: &Out) -> Result<(), Failure> {
        match self {
            Card::List => list(out),
            Card::Show(show) => print(&find(&show.definition)?, out),
            Card::Schema => {
                let schema = json_schema();
                out.print(&schema, |w| writeln!(w, "{schema:#}"))
            }
            Card::Info(info) => info.run(out),
            Card::Load(load) => load.run(out),
            Card::Install(install) => install.run(out),
            Card::Delete(delete) => delete.run(out),
            Card::Lock(lock) => lock.run(out),
            Card::Unlock(unlock) => unlock.run(out),
            Card::CardState(state) => state.run(out),
            Card::Keys(keys) => keys.run(out),
            Card::Store(store) => store.run(out),
            Card::Extradite(extradite) => extradite.run(out),
            Card::Domain(content::Domain::Create(create)) => create.run(out),
            Card::Params(params) => params.run(out),
            Card::Inspect(inspect) => inspect.run(out),
            Card::Readers(readers) => readers.run(out),
            Card::Bench(bench) => bench.run(out),
        }
    }
}

fn list(out: &Out) -> Result<(), Failure> {
    let mut rows = Vec::new();
    for (name, _) in SHIPPED {
        rows.push((*name, Definition::shipped(name).or_exit(exit::DEFINITION)?));
    }
    let value: Vec<_> = rows
        .iter()
        .map(|(name, d)| {
            serde_json::json!({
                "name": name, "eum": d.eum, "product": d.product, "use": d.use_,
                "validation": d.validation, "description": d.description,
            })
        })
        .collect();
    out.print(&value, |w| {
        let head = style::HEAD;
        rows.iter()
            .try_for_each(|(name, d)| writeln!(w, "{head}{name:<20}{head:#} {}", d.description))
    })
}

fn print(d: &Definition, out: &Out) -> Result<(), Failure> {
    out.print(d, |w| {
        let head = style::HEAD;
        writeln!(
            w,
            "{head}{} {}{head:#}: {}",
            d.eum, d.product, d.description
        )?;
        writeln!(w, "  use            {}", word(&d.use_))?;
        writeln!(w, "  validated in   {}", word(&d.validation))?;
        writeln!(w, "  ATR            {}", d.atr)?;
        writeln!(
            w,
            "  Java Card      {}, int {}",
            d.java_card.version,
            if d.java_card.int { "yes" } else { "no" }
        )?;
        for package in &d.java_card.packages {
            writeln!(
                w,
                "    {:<20} {}.{} {}",
                package.name, package.major, package.minor, package.aid
            )?;
        }
        let memory = &d.memory;
        writeln!(
            w,
            "  memory         {} bytes persistent, {} transient until reset, {} until deselection, {} of stack",
            memory.persistent, memory.transient_reset, memory.transient_deselect, memory.stack
        )?;
        let scp03 = &d.isd.scp03;
        writeln!(w, "  ISD            {}", d.isd.aid)?;
        writeln!(
            w,
            "  SCP03          i={:02X}, key version {:02X}, {} byte keys, level {:02X}{}",
            scp03.i,
            scp03.kvn,
            scp03.key_length,
            scp03.level,
            if scp03.test_keys.is_some() {
                ", public test keys"
            } else {
                ""
            }
        )?;
        match &d.euicc {
            None => writeln!(w, "  eUICC          none: a UICC without remote provisioning")?,
            Some(euicc) => {
                let version = euicc.sgp32.as_ref();
                let speaks = version.map_or("SGP.22 alone".to_owned(), |version| {
                    format!("SGP.32 v{}", word(version))
                });
                writeln!(w, "  ISD-R          {}", euicc.isd_r)?;
                writeln!(
                    w,
                    "  eUICC          {speaks}, ES10 binding {}, blocks of {} bytes",
                    word(&euicc.es10_binding),
                    euicc.es10_block
                )?;
            }
        }
        writeln!(
            w,
            "  toolkit        {} BIP channels, {} timers, REFRESH {}",
            d.toolkit.bip_channels,
            d.toolkit.timers,
            word(&d.toolkit.refresh)
        )?;
        writeln!(
            w,
            "  interface      {} bytes command data, {} response data, {} logical channels{}",
            d.apdu.max_command_data,
            d.apdu.max_response_data,
            d.apdu.logical_channels,
            if d.apdu.extended_length {
                ", extended length"
            } else {
                ""
            }
        )
    })
}

/// An enumeration's name as it stands in the definition.
fn word<T: serde::Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        _ => "?".to_owned(),
    }
}
