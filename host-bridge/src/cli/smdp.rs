//! `ipae smdp`: the lab SM-DP+, and downloads from one into a card.

use super::failure::{Failure, with_causes};
use super::output::{Out, read_file, style};
use super::{interrupt, pki};
use applet_model::sgp::profile::{
    NotificationConfigurationInformation, NotificationEvent, ProfileClass,
};
use applet_model::sgp::{ActivationCode, Eid, Encode, LPA_PREFIX};
use cards::pki::{HierarchyOptions, ServerRole, SmdpCredential};
use clap::{Args, Subcommand, ValueEnum};
use host_bridge::exit;
use host_bridge::personalize::VirtualLink;
use host_bridge::smdp::client::{Binding, Es9Error, HttpServer};
use host_bridge::smdp::push::{self, PushError, PushOrder};
use host_bridge::smdp::{self, NewOrder, Smdp, SmdpError, SmdpOptions, Tls, TlsError, Trust};
use host_bridge::transport::CardLink;
use host_bridge::transport::pcsc::PcscLink;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[derive(Subcommand)]
pub enum SmdpCommand {
    /// Serve ES9+ until Ctrl-C, over plain HTTP (lab, not secure) or HTTPS
    Serve(Serve),
    /// Order a download of a profile package; prints its activation code
    Order(Order),
    /// Show the orders and what became of them
    List(List),
    /// Cancel an order that hasn't come to its end
    Cancel(Cancel),
    /// Download a profile into a card, as its device would
    Push(Push),
}

#[derive(Args)]
pub struct Store {
    /// The SM-DP+'s database; made if it is not there
    #[arg(long, value_name = "FILE", default_value = "smdp.sqlite")]
    db: PathBuf,
    #[command(flatten)]
    pki: pki::Dir,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae smdp serve --listen 127.0.0.1:8090
  ipae smdp serve --pki lab-pki --db lab.sqlite
  ipae smdp serve --tls --listen 0.0.0.0:443

Without TLS an address that isn't loopback is refused, unless --insecure is given. Orders are taken by
`ipae smdp order` with the same --db and --pki; nobody can order over the network.")]
pub struct Serve {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// Serve HTTPS (TLS 1.2 and 1.3) with a certificate that the hierarchy's CI issues
    #[arg(long)]
    tls: bool,
    /// Serve plain HTTP on an address that other machines reach
    #[arg(long, conflicts_with = "tls")]
    insecure: bool,
    #[command(flatten)]
    store: Store,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae smdp order --profile profile.der --name \"Delta IoT\" --provider Delta
  ipae smdp order --profile profile.der --eid 89049032000000000000000000000139 --confirmation-code 1234
  ipae smdp order --profile profile.der --matching-id LAB-0001 --notify enable,delete --json

ICCID comes from the package's header. One order is one download.")]
pub struct Order {
    /// The unprotected profile package, DER
    #[arg(long, value_name = "FILE.der")]
    profile: PathBuf,
    /// The name of the profile
    #[arg(long, default_value = "Lab profile")]
    name: String,
    /// The name of the operator
    #[arg(long, default_value = "Lab")]
    provider: String,
    /// What the activation code names the order by; without it, one that nobody guesses
    #[arg(long, value_name = "TEXT")]
    matching_id: Option<String>,
    /// The only eUICC that may have it
    #[arg(long, value_name = "DIGITS")]
    eid: Option<Eid>,
    /// A code that must be entered for the download
    #[arg(long, value_name = "CODE")]
    confirmation_code: Option<String>,
    /// What the SM-DP+ is notified of
    #[arg(long, value_name = "EVENT", value_delimiter = ',')]
    notify: Vec<Event>,
    /// A test profile
    #[arg(long)]
    test: bool,
    /// It may become the Fallback Profile
    #[arg(long)]
    fallback_allowed: bool,
    #[command(flatten)]
    store: Store,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Event {
    /// It was installed
    Install,
    /// It was enabled
    Enable,
    /// It was disabled
    Disable,
    /// It was deleted
    Delete,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae smdp list
  ipae smdp list --db lab.sqlite --pki lab-pki --json")]
pub struct List {
    #[command(flatten)]
    store: Store,
}

#[derive(Args)]
#[command(after_help = "\
Example:
  ipae smdp cancel LAB-0001")]
pub struct Cancel {
    /// The order's matching identifier
    matching_id: String,
    #[command(flatten)]
    store: Store,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae smdp push --file run1/cards/89049032000000000000000000000163.card --smdp 127.0.0.1:8090 --matching-id LAB-0001
  ipae smdp push --reader \"ACR38\" --smdp 127.0.0.1:8090 --matching-id LAB-0001 --confirmation-code 1234
  ipae smdp push --file CARD.card --smdp 127.0.0.1:8090 --binding asn1    What waits for this eUICC

It declares an assistant in the device, so that an IPAe in the card keeps off, downloads through
ES10 on a logical channel, tells the SM-DP+ of the result, and enables nothing. Without --tls it
speaks plain HTTP: lab, not secure. A download that breaks goes on with the same command.")]
pub struct Push {
    /// A PC/SC reader, or the beginning of its name
    #[arg(long, value_name = "NAME", required_unless_present = "file")]
    reader: Option<String>,
    /// The file of a virtual card
    #[arg(long, value_name = "FILE.card", conflicts_with = "reader")]
    file: Option<PathBuf>,
    /// Where the SM-DP+ listens
    #[arg(long, value_name = "IP:PORT")]
    smdp: SocketAddr,
    /// The SM-DP+'s address, as its certificates and activation codes have it
    #[arg(long, value_name = "FQDN", default_value = "smdp.lab.example")]
    address: String,
    /// The order; without it, the one that waits for this eUICC
    #[arg(long, value_name = "TEXT", default_value = "")]
    matching_id: String,
    /// The order's confirmation code
    #[arg(long, value_name = "CODE")]
    confirmation_code: Option<String>,
    /// How messages are written
    #[arg(long, value_enum, default_value_t = Form::Json)]
    binding: Form,
    /// Speak TLS with it: its certificate has to be of the hierarchy's CI, and for its name
    #[arg(long)]
    tls: bool,
    #[command(flatten)]
    pki: pki::Dir,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Form {
    /// JSON
    Json,
    /// ASN.1
    Asn1,
}

impl From<Form> for Binding {
    fn from(form: Form) -> Self {
        match form {
            Form::Json => Binding::Json,
            Form::Asn1 => Binding::Asn1,
        }
    }
}

fn failed(error: SmdpError) -> Failure {
    let exit = match &error {
        SmdpError::Order(_) | SmdpError::NotLoopback(_) => exit::USAGE,
        SmdpError::Pki(_) => exit::KEYS,
        _ => exit::SERVER,
    };
    let text = with_causes(&error);
    match error {
        SmdpError::NotLoopback(_) => Failure::new(exit, text)
            .next("listen on 127.0.0.1, or add --insecure in a laboratory's own network"),
        _ => Failure::new(exit, text),
    }
}

fn tls_failed(error: TlsError) -> Failure {
    Failure::new(exit::KEYS, with_causes(&error))
}

fn push_failed(error: PushError) -> Failure {
    let exit = match &error {
        PushError::Link(_) => exit::LINK,
        PushError::Es9(Es9Error::Server { .. } | Es9Error::Message { .. }) => exit::SERVER,
        PushError::CodeMissing => exit::USAGE,
        PushError::Card { .. } | PushError::Euicc { .. } | PushError::NotInstalled(_) => {
            exit::CARD_REFUSED
        }
        _ => exit::FAILED,
    };
    let text = with_causes(&error);
    match error {
        PushError::CodeMissing => Failure::new(exit, text).next("add --confirmation-code CODE"),
        PushError::Es9(Es9Error::Server { .. }) => {
            Failure::new(exit, text).next("the same command goes on where this one stopped")
        }
        _ => Failure::new(exit, text),
    }
}

/// The validity of certificates that are made for a server to show, in years.
const TLS_YEARS: (u16, u16) = (2020, 2050);

impl Store {
    fn open(&self) -> Result<Smdp, Failure> {
        self.open_with(false)
    }

    fn open_with(&self, tls: bool) -> Result<Smdp, Failure> {
        let hierarchy = self.pki.load()?;
        let credential: SmdpCredential = match &hierarchy.smdp {
            Some(smdp) => smdp.clone(),
            None => hierarchy
                .issue_smdp(&HierarchyOptions::default().smdp_fqdn)
                .map_err(|e| failed(e.into()))?,
        };
        let mut options = SmdpOptions::default();
        if tls {
            let shown = hierarchy
                .issue_tls(&credential.address, Some(ServerRole::Tls), TLS_YEARS)
                .map_err(|e| failed(e.into()))?;
            options.tls = Some(Tls::new(&shown).map_err(tls_failed)?);
        }
        Smdp::open(Some(&self.db), &hierarchy, credential, options).map_err(failed)
    }
}

impl SmdpCommand {
    pub fn run(self, out: &Out) -> Result<(), Failure> {
        match self {
            SmdpCommand::Serve(command) => serve(&command, out),
            SmdpCommand::Order(command) => order(command, out),
            SmdpCommand::List(command) => list(&command.store.open()?, out),
            SmdpCommand::Cancel(command) => {
                let smdp = command.store.open()?;
                smdp.cancel(&command.matching_id).map_err(failed)?;
                list(&smdp, out)
            }
            SmdpCommand::Push(command) => command.run(out),
        }
    }
}

fn serve(command: &Serve, out: &Out) -> Result<(), Failure> {
    let smdp = command.store.open_with(command.tls)?;
    let server = smdp
        .serve(command.listen, command.insecure)
        .map_err(failed)?;
    let stop = interrupt::flag();
    let value = serde_json::json!({
        "address": server.address(), "smdp_address": smdp.address(), "oid": smdp.oid().to_string(),
        "secure": command.tls,
    });
    out.print(&value, |w| {
        let hint = style::HINT;
        let (scheme, what) = match command.tls {
            true => ("https", "test keys"),
            false => ("http", "lab, not secure"),
        };
        writeln!(
            w,
            "SM-DP+ {} at {scheme}://{}  {hint}{what}{hint:#}",
            smdp.address(),
            server.address()
        )
    })?;
    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
        for exchange in smdp.take_log() {
            out.print(&exchange, |w| {
                writeln!(
                    w,
                    "{} {}: {}",
                    exchange.function, exchange.status, exchange.text
                )
            })?;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    server.shutdown();
    Ok(())
}

fn order(command: Order, out: &Out) -> Result<(), Failure> {
    let smdp = command.store.open()?;
    let profile = read_file(&command.profile, exit::ORDER)?;
    let mut metadata =
        smdp::metadata_of(&profile, &command.provider, &command.name).map_err(failed)?;
    metadata.profile_class = command.test.then_some(ProfileClass::Test);
    metadata.fallback_allowed = command.fallback_allowed.then_some(true);
    if !command.notify.is_empty() {
        let bits: Vec<u8> = command
            .notify
            .iter()
            .map(|event| match event {
                Event::Install => NotificationEvent::NOTIFICATION_INSTALL,
                Event::Enable => NotificationEvent::NOTIFICATION_ENABLE,
                Event::Disable => NotificationEvent::NOTIFICATION_DISABLE,
                Event::Delete => NotificationEvent::NOTIFICATION_DELETE,
            })
            .collect();
        metadata.notification_configuration_info =
            Some(vec![NotificationConfigurationInformation {
                profile_management_operation: NotificationEvent::of(&bits),
                notification_address: smdp.address().to_owned(),
            }]);
    }
    let matching_id = command
        .matching_id
        .unwrap_or_else(|| smdp.new_matching_id());
    let iccid = metadata.iccid.to_string();
    let new = NewOrder {
        matching_id: matching_id.clone(),
        eid: command.eid.map(|eid| eid.to_string()),
        confirmation_code: command.confirmation_code,
        metadata: metadata
            .to_der()
            .map_err(|e| failed(SmdpError::Order(e.to_string())))?,
        profile,
    };
    let number = smdp.order(&new).map_err(failed)?;
    let asks = new.confirmation_code.is_some();
    let activation_code = ActivationCode {
        address: smdp.address().to_owned(),
        matching_id: matching_id.clone(),
        oid: None,
        confirmation_code: asks,
    };
    let activation_code = format!("{LPA_PREFIX}{activation_code}");
    let value = serde_json::json!({
        "order": number, "matching_id": matching_id, "iccid": iccid,
        "activation_code": activation_code, "confirmation_code": asks,
    });
    out.print(&value, |w| {
        writeln!(w, "order {number} of profile {iccid}: {activation_code}")
    })
}

fn list(smdp: &Smdp, out: &Out) -> Result<(), Failure> {
    let orders = smdp.orders().map_err(failed)?;
    let notifications = smdp.notifications().map_err(failed)?;
    let value = serde_json::json!({ "orders": orders, "notifications": notifications });
    out.print(&value, |w| {
        let head = style::HEAD;
        if orders.is_empty() {
            return writeln!(w, "no orders yet");
        }
        for order in &orders {
            writeln!(
                w,
                "{head}{:>4} {}{head:#} {} {} ({})",
                order.id,
                order.matching_id,
                order.state.name(),
                order.iccid,
                order.name
            )?;
            let eid = order.bound_to.as_ref().or(order.eid.as_ref());
            if let Some(eid) = eid {
                writeln!(w, "     eUICC {eid}, {} downloads", order.downloads)?;
            }
            if !order.note.is_empty() {
                writeln!(w, "     {}", order.note)?;
            }
        }
        for notification in &notifications {
            writeln!(
                w,
                "notification {}: {}",
                notification.eid, notification.text
            )?;
        }
        Ok(())
    })
}

impl Push {
    fn run(self, out: &Out) -> Result<(), Failure> {
        let mut link: Box<dyn CardLink> = match (&self.file, &self.reader) {
            (Some(file), _) => Box::new(VirtualLink::open(&file.display().to_string(), file)?),
            (None, reader) => Box::new(PcscLink::open(reader.as_deref().unwrap_or_default())?),
        };
        let tls = match self.tls {
            false => None,
            true => {
                let ci = self.pki.load()?.ci.certificate;
                Some(Trust::new(ci, Some(ServerRole::Tls)).map_err(tls_failed)?)
            }
        };
        let mut server = HttpServer {
            to: self.smdp,
            host: self.address.clone(),
            binding: self.binding.into(),
            tls,
        };
        let order = PushOrder {
            address: self.address,
            matching_id: self.matching_id,
            confirmation_code: self.confirmation_code,
            now: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_secs()),
        };
        let pushed = push::push(&mut link, &mut server, &order).map_err(push_failed)?;
        out.print(&pushed, |w| {
            writeln!(
                w,
                "profile {} ({}) is installed, not enabled: {} bytes of package, {} commands, {} bytes to and from the card",
                pushed.iccid, pushed.name, pushed.package_bytes, pushed.apdus, pushed.apdu_bytes
            )
        })
    }
}
