//! `ipae vcard`: virtual cards for pcscd.

use super::failure::{Failure, OrExit};
use super::output::Out;
use super::{card, interrupt, pki};
use cards::card::{CardConfig, VirtualCard};
use cards::euicc::{Eid, EuiccConfig, EuiccSetup};
use clap::{Args, Subcommand};
use host_bridge::exit;
use host_bridge::personalize::VirtualLink;
use host_bridge::transport::{CardLink, LinkError, vpcd};
use std::path::PathBuf;

#[derive(Subcommand)]
pub enum Vcard {
    /// Make a virtual card as it leaves the factory, in a file
    New(New),
    /// Offer virtual cards to pcscd, through the vsmartcard driver
    Serve(Serve),
}

#[derive(Args)]
#[command(after_help = "\
Example:
  ipae vcard new --eid 89049032000000000000000000000163 --file my.card")]
pub struct New {
    /// EID, 32 digits with valid check digits
    #[arg(long)]
    eid: String,
    /// The file to make
    #[arg(long, value_name = "FILE.card")]
    file: PathBuf,
    /// Card definition: a name of `ipae card list`, or a file
    #[arg(long, value_name = "DEF", default_value = "virtual-lab")]
    card: String,
    #[command(flatten)]
    pki: pki::Dir,
    /// What its random numbers come from
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae vcard serve --vpcd localhost:35963 --file my.card
  ipae vcard serve --vpcd localhost:35963 --file run1/cards/*.card

pcscd has to run with the driver of vsmartcard (Debian, Ubuntu: apt install pcscd
vsmartcard-vpcd). It offers two slots, on ports 35963 and 35964. Each file takes the next port.
The card's state is written to its file after each command that changed it. Ctrl-C takes the
cards out.")]
pub struct Serve {
    /// The driver's address; the first file takes this port, the next one the port above
    #[arg(long, value_name = "HOST:PORT", default_value = "localhost:35963")]
    vpcd: String,
    /// The card's file: `ipae vcard new` or `ipae personalize --virtual` makes them
    #[arg(long = "file", value_name = "FILE.card", required = true, num_args = 1..)]
    files: Vec<PathBuf>,
}

impl Vcard {
    pub fn run(self, out: &Out) -> Result<(), Failure> {
        match self {
            Vcard::New(new) => make(new, out),
            Vcard::Serve(serve) => run(&serve, out),
        }
    }
}

fn make(new: New, out: &Out) -> Result<(), Failure> {
    let definition = card::find(&new.card)?;
    let eid = Eid::checked(&new.eid).or_exit(exit::USAGE)?;
    let setup = EuiccSetup::lab().or_exit(exit::FAILED)?;
    let euicc = EuiccConfig::issue(eid, new.seed, &new.pki.load()?, setup).or_exit(exit::KEYS)?;
    let config = CardConfig::with_test_keys(definition, new.seed, euicc).or_exit(exit::KEYS)?;
    let card = VirtualCard::new(config).or_exit(exit::DEFINITION)?;
    if new.file.exists() {
        return Err(Failure::new(
            exit::OUTPUT,
            format!("{} is there already", new.file.display()),
        ));
    }
    VirtualLink::create(&new.eid, &new.file, card)?;
    let value = serde_json::json!({ "eid": new.eid, "file": new.file });
    out.print(&value, |w| writeln!(w, "{}", new.file.display()))
}

/// Host and first port.
fn address(text: &str) -> Result<(&str, u16), Failure> {
    let split = text.rsplit_once(':');
    split
        .and_then(|(host, port)| Some((host, port.parse().ok()?)))
        .ok_or_else(|| {
            Failure::new(exit::USAGE, format!("{text:?}: expected HOST:PORT"))
                .next(format!("the driver's usual port is {}", vpcd::DEFAULT_PORT))
        })
}

fn run(serve: &Serve, out: &Out) -> Result<(), Failure> {
    let (host, first) = address(&serve.vpcd)?;
    let mut links = Vec::new();
    for (file, port) in serve.files.iter().zip(first..) {
        let name = file.display().to_string();
        links.push((format!("{host}:{port}"), VirtualLink::open(&name, file)?));
    }
    let stop = interrupt::flag();
    let ended: Vec<Result<(), LinkError>> = std::thread::scope(|scope| {
        let threads: Vec<_> = links
            .into_iter()
            .map(|(address, mut link)| {
                out.note(format!("{} at {address}; Ctrl-C takes it out", link.name()));
                scope.spawn(move || vpcd::serve(&address, &mut link, stop, &mut |_| Ok(())))
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| {
                thread.join().unwrap_or_else(|_| {
                    Err(LinkError::Failed {
                        name: "a virtual card".to_owned(),
                        detail: "its thread ended with a defect of this tool".to_owned(),
                    })
                })
            })
            .collect()
    });
    for result in ended {
        result?;
    }
    out.print(&serde_json::json!({ "served": serve.files.len() }), |_| {
        Ok(())
    })
}
