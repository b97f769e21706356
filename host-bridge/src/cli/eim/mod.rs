//! `ipae eim`: the lab eIM.

mod load;

use super::failure::{Failure, with_causes};
use super::output::{Out, style};
use super::smdp::Form;
use super::{interrupt, pki};
use applet_model::sgp::Eid;
use clap::{Args, Subcommand};
use host_bridge::eim::manage::{self, Token};
use host_bridge::eim::{
    Eim, EimError, EimIdentity, EimOptions, Forward, Operation, PATH, Registration, Storage,
};
use host_bridge::exit;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Where the management interface's token is, unless it is said otherwise.
const TOKEN_FILE: &str = "eim.token";

#[derive(Subcommand)]
pub enum EimCommand {
    /// Serve ESipa until Ctrl-C, over plain HTTP (lab, not secure) or HTTPS; with --manage a web page and REST
    Serve(Serve),
    /// Queue one package of operations for an eUICC
    Enqueue(Enqueue),
    /// Show what verified results say of an eUICC's profiles and eIMs
    Inventory(Device),
    /// Show an eUICC's packages, results and notifications
    Results(Device),
    /// Take packages that weren't handed out yet out of the queue
    Cancel(Cancel),
    /// Tell the eIM of an eUICC: the association token from its receipt
    Register(Register),
    /// Print the OpenAPI document of the management interface
    Openapi(Openapi),
    /// Drive an eIM with many devices at once, and check what came of each operation
    Load(load::Load),
}

#[derive(Args)]
pub struct Store {
    /// The eIM's database; made if it is not there
    #[arg(long, value_name = "FILE", default_value = "eim.sqlite")]
    db: PathBuf,
    #[command(flatten)]
    pki: pki::Dir,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae eim serve --listen 127.0.0.1:8080
  ipae eim serve --pki lab-pki --db lab.sqlite --forward smdp.lab.example=127.0.0.1:8090
  ipae eim serve --manage 127.0.0.1:8081        A web page at http://127.0.0.1:8081/, REST beside it

With --manage everything takes the token that --token-file holds; the file is made, for you only, if
it is not there. Send it as in
  curl -H \"Authorization: Bearer $(cat eim.token)\" http://127.0.0.1:8081/api/v1/devices
`ipae eim openapi` prints what else can be asked.

Commands of another terminal use the same --db and --pki.")]
pub struct Serve {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Serve HTTPS (TLS 1.2 and 1.3) with a certificate that the hierarchy's CI issues
    #[arg(long)]
    tls: bool,
    #[command(flatten)]
    store: Store,
    /// Answer eidNotFound to eUICCs that were not registered
    #[arg(long)]
    known_only: bool,
    /// Forward what is for this SM-DP+ (downloads, notifications) to there, over plain HTTP
    #[arg(long, value_name = "NAME=IP:PORT")]
    forward: Vec<String>,
    /// How messages to SM-DP+s are written
    #[arg(long, value_enum, default_value_t = Form::Json)]
    forward_binding: Form,
    /// Serve the management interface (web page, REST) on this address
    #[arg(long, value_name = "IP:PORT")]
    manage: Option<SocketAddr>,
    /// File with the management interface's token; made if it is not there
    #[arg(long, value_name = "FILE", default_value = TOKEN_FILE)]
    token_file: PathBuf,
    /// Serve the management interface on an address that other machines reach, without TLS
    #[arg(long, requires = "manage")]
    insecure: bool,
}

#[derive(Args)]
#[command(after_help = "\
Example:
  ipae eim openapi > openapi.json")]
pub struct Openapi {}

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae eim cancel 17
  ipae eim cancel --eid 89049032000000000000000000000163    All that waits for this eUICC

What was handed out may be at work on the card, and can't be called back.")]
pub struct Cancel {
    /// The package's number
    #[arg(
        value_name = "PACKAGE",
        required_unless_present = "eid",
        conflicts_with = "eid"
    )]
    package: Option<i64>,
    /// EID, 32 digits
    #[arg(long)]
    eid: Option<Eid>,
    #[command(flatten)]
    store: Store,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae eim enqueue --eid 89049032000000000000000000000163 listProfileInfo
  ipae eim enqueue --eid 89049032000000000000000000000163 \"enable 89490200001234567893 rollback\"
  ipae eim enqueue --eid 89049032000000000000000000000163 \"disable 89490200001234567893\" getRAT
  ipae eim enqueue --eid 89049032000000000000000000000163 'download 1$smdp.lab.example$LAB-0001'

Operations: enable ICCID [rollback], disable ICCID, delete ICCID, listProfileInfo, getRAT,
setFallbackAttribute ICCID, unsetFallbackAttribute, setDefaultDpAddress [ADDRESS]; or, in a
package of their own, addEim HEX, updateEim HEX (an EimConfigurationData in DER), deleteEim
EIMID, listEim; or, alone, download ACTIVATION-CODE, downloadByEim ACTIVATION-CODE (the IPA isn't
told of the code), downloadFromDefaultSmdp, downloadFromSmds [ADDRESS], each with confirmationCode
CODE if the order asks for one: the code stays here.")]
pub struct Enqueue {
    /// EID, 32 digits
    #[arg(long)]
    eid: Eid,
    /// One operation each, with its parameters in quotes
    #[arg(required = true, value_name = "OPERATION")]
    operations: Vec<String>,
    /// Don't hand it out any more if the device doesn't poll for so long; without, it waits for good
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    expires_in: Option<u32>,
    #[command(flatten)]
    store: Store,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae eim inventory                      Every eUICC that the eIM knows
  ipae eim inventory --eid 89049032000000000000000000000163
  ipae eim results --eid 89049032000000000000000000000163 --json")]
pub struct Device {
    /// EID, 32 digits; without it every eUICC that the eIM knows is listed
    #[arg(long)]
    eid: Option<Eid>,
    #[command(flatten)]
    store: Store,
}

#[derive(Args)]
#[command(after_help = "\
Example:
  ipae eim register --eid 89049032000000000000000000000163 --token 1")]
pub struct Register {
    /// EID, 32 digits
    #[arg(long)]
    eid: Eid,
    /// Association token that the eUICC gave for this eIM
    #[arg(long, value_name = "N")]
    token: Option<i64>,
    /// Counter that the eUICC holds for this eIM
    #[arg(long, value_name = "N")]
    counter: Option<u64>,
    #[command(flatten)]
    store: Store,
}

/// Turns the eIM's error into message and exit code.
pub fn failed(error: EimError) -> Failure {
    let exit = match &error {
        EimError::Operation { .. } | EimError::Mixed(_) => exit::USAGE,
        EimError::Pki(_) => exit::KEYS,
        EimError::Listen { .. }
        | EimError::NotLoopback(_)
        | EimError::Database { .. }
        | EimError::Foreign { .. } => exit::SERVER,
        _ => exit::FAILED,
    };
    Failure::new(exit, with_causes(&error))
}

impl Store {
    fn open(&self, options: EimOptions) -> Result<Eim, Failure> {
        let identity = EimIdentity::of_hierarchy(&self.pki.load()?).map_err(failed)?;
        Eim::open(&Storage::File(self.db.clone()), identity, options).map_err(failed)
    }
}

impl EimCommand {
    pub fn run(self, out: &Out) -> Result<(), Failure> {
        match self {
            EimCommand::Serve(command) => serve(&command, out),
            EimCommand::Enqueue(command) => {
                let mut operations = Vec::new();
                for text in &command.operations {
                    operations.push(text.parse::<Operation>().map_err(failed)?);
                }
                let eim = command.store.open(EimOptions::default())?;
                let expires_in = command.expires_in.map(|s| Duration::from_secs(s.into()));
                let enqueued = eim
                    .enqueue_once(&command.eid, &operations, expires_in, None)
                    .map_err(failed)?;
                let id = enqueued.package();
                let value = serde_json::json!({ "eid": command.eid.to_string(), "package": id });
                out.print(&value, |w| {
                    writeln!(w, "package {id} waits for {}", command.eid)
                })
            }
            EimCommand::Cancel(command) => cancel(&command, out),
            EimCommand::Openapi(Openapi {}) => {
                let document = manage::document();
                // It is JSON for people too.
                Out::new(true).print(&document, |_| Ok(()))
            }
            EimCommand::Load(command) => command.run(out),
            EimCommand::Register(command) => {
                let eim = command.store.open(EimOptions::default())?;
                let registration = Registration {
                    certificates: None,
                    association_token: command.token,
                    counter: command.counter,
                };
                eim.register(&command.eid, &registration).map_err(failed)?;
                devices(&eim, out)
            }
            EimCommand::Inventory(command) => {
                let eim = command.store.open(EimOptions::default())?;
                match &command.eid {
                    Some(eid) => inventory(&eim, eid, out),
                    None => devices(&eim, out),
                }
            }
            EimCommand::Results(command) => {
                let eim = command.store.open(EimOptions::default())?;
                match &command.eid {
                    Some(eid) => results(&eim, eid, out),
                    None => devices(&eim, out),
                }
            }
        }
    }
}

fn serve(command: &Serve, out: &Out) -> Result<(), Failure> {
    let mut options = EimOptions {
        accept_unknown: !command.known_only,
        ..EimOptions::default()
    };
    if command.tls {
        let hierarchy = command.store.pki.load()?;
        let fqdn = EimIdentity::of_hierarchy(&hierarchy).map_err(failed)?.fqdn;
        options.tls = Some(pki::tls_of(&hierarchy, &fqdn, None)?);
    }
    for forward in &command.forward {
        let pair = forward.split_once('=').and_then(|(name, address)| {
            Some(Forward {
                name: name.to_owned(),
                to: address.parse().ok()?,
                binding: command.forward_binding.into(),
            })
        });
        options.forward.push(pair.ok_or_else(|| {
            Failure::new(
                exit::USAGE,
                format!("--forward {forward:?}: expected NAME=IP:PORT"),
            )
        })?);
    }
    let eim = command.store.open(options)?;
    let server = eim.serve(command.listen).map_err(failed)?;
    let managed = match command.manage {
        Some(address) => {
            let token = Token::in_file(&command.token_file)?;
            Some(
                eim.manage(address, token, command.insecure)
                    .map_err(failed)?,
            )
        }
        None => None,
    };
    let managed_at = managed.as_ref().map(|server| server.address());
    let stop = interrupt::flag();
    let hint = style::HINT;
    let identity = eim.identity();
    let value = serde_json::json!({
        "address": server.address(), "path": PATH, "eim_id": identity.eim_id, "secure": command.tls,
        "manage": managed_at,
    });
    let (scheme, what) = match command.tls {
        true => ("https", "test keys"),
        false => ("http", "lab, not secure"),
    };
    out.print(&value, |w| {
        writeln!(
            w,
            "eIM {} at {scheme}://{}{PATH}  {hint}{what}{hint:#}",
            identity.eim_id,
            server.address()
        )?;
        match managed_at {
            Some(address) => writeln!(
                w,
                "management at {scheme}://{address}/, token in {}",
                command.token_file.display()
            ),
            None => Ok(()),
        }
    })?;
    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
        for exchange in eim.take_log() {
            if out.is_json() {
                out.print(&exchange, |_| Ok(()))?;
                continue;
            }
            let eid = exchange.eid.as_deref().unwrap_or("-");
            out.print(&exchange, |w| {
                writeln!(
                    w,
                    "{:>5} {} {} {eid}: {}",
                    exchange.number, exchange.function, exchange.status, exchange.text
                )
            })?;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    server.shutdown();
    Ok(())
}

fn cancel(command: &Cancel, out: &Out) -> Result<(), Failure> {
    let eim = command.store.open(EimOptions::default())?;
    let cancelled = match (command.package, &command.eid) {
        (Some(id), _) => {
            if !eim.cancel(id).map_err(failed)? {
                let why = match eim.package(id).map_err(failed)? {
                    Some(row) => format!(
                        "package {id} is {}: only what is queued can be cancelled",
                        row.state.name()
                    ),
                    None => format!("there is no package {id}"),
                };
                return Err(Failure::new(exit::USAGE, why));
            }
            1
        }
        (None, Some(eid)) => eim.clear_queue(eid).map_err(failed)?,
        (None, None) => 0,
    };
    let value = serde_json::json!({ "cancelled": cancelled });
    out.print(&value, |w| writeln!(w, "{cancelled} packages cancelled"))
}

fn devices(eim: &Eim, out: &Out) -> Result<(), Failure> {
    let devices = eim.devices().map_err(failed)?;
    out.print(&devices, |w| {
        let head = style::HEAD;
        if devices.is_empty() {
            return writeln!(w, "no eUICC is known yet");
        }
        for device in &devices {
            let certified = if device.certified {
                "certified"
            } else {
                "no certificate yet"
            };
            writeln!(
                w,
                "{head}{}{head:#} {} polls, counter {}, {certified}",
                device.eid, device.polls, device.counter
            )?;
        }
        Ok(())
    })
}

fn inventory(eim: &Eim, eid: &Eid, out: &Out) -> Result<(), Failure> {
    let inventory = eim.inventory(eid).map_err(failed)?;
    out.print(&inventory, |w| {
        let (head, good) = (style::HEAD, style::GOOD);
        writeln!(w, "{head}{eid}{head:#}")?;
        for profile in &inventory.profiles {
            let mark = if profile.state == "enabled" {
                good
            } else {
                anstyle::Style::new()
            };
            writeln!(
                w,
                "  {} {mark}{:<9}{mark:#} {} ({})",
                profile.iccid, profile.state, profile.name, profile.provider
            )?;
        }
        if !inventory.complete {
            writeln!(
                w,
                "  no listProfileInfo came yet: only what operations touched is known"
            )?;
        }
        match inventory.eims.is_empty() {
            true => Ok(()),
            false => writeln!(w, "  eIMs: {}", inventory.eims.join(", ")),
        }
    })
}

fn results(eim: &Eim, eid: &Eid, out: &Out) -> Result<(), Failure> {
    let packages = eim.packages(eid).map_err(failed)?;
    let results = eim.results(eid).map_err(failed)?;
    let notifications = eim.notifications(eid).map_err(failed)?;
    let value = serde_json::json!({
        "eid": eid.to_string(), "packages": packages, "results": results, "notifications": notifications,
    });
    out.print(&value, |w| {
        let head = style::HEAD;
        writeln!(
            w,
            "{head}{eid}{head:#}: {} packages, {} results, {} notifications",
            packages.len(),
            results.len(),
            notifications.len()
        )?;
        for package in &packages {
            let (id, state, text) = (package.id, package.state.name(), &package.text);
            writeln!(w, "  {id:>4} {state:<11} {text}")?;
            if !package.note.is_empty() {
                writeln!(w, "       {}", package.note)?;
            }
        }
        Ok(())
    })
}
