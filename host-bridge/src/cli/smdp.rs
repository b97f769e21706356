//! `ipae smdp`: the lab SM-DP+, and downloads from one into a card.

use super::failure::{Failure, with_causes};
use super::output::{Out, read_file, style};
use super::{interrupt, pki};
use applet_model::sgp::Eid;
use cards::pki::{HierarchyOptions, ServerRole, SmdpCredential};
use cards::saip::description::{Description, LAB_TOML};
use clap::{Args, Subcommand, ValueEnum};
use host_bridge::exit;
use host_bridge::personalize::VirtualLink;
use host_bridge::smdp::client::{Binding, Es9Error, HttpServer};
use host_bridge::smdp::push::{self, PushError, PushOrder};
use host_bridge::smdp::{
    self, Event, OrderForm, Placed, Smdp, SmdpError, SmdpOptions, Token, Trust,
};
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
    /// Measure how many downloads the SM-DP+ serves in a second
    Bench(Bench),
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

  (umask 077; openssl rand -hex 32 > token); ipae smdp serve --tls --order-token-file token

Without TLS an address that isn't loopback is refused, unless --insecure is given. Orders are taken by
`ipae smdp order` with the same --db and --pki; over the network only with --order-token-file, from
who has the token (`Authorization: Bearer TOKEN`): POST and GET /orders, GET and DELETE
/orders/MATCHING-ID, GET /notifications, in JSON. An order has profile (base64), name, provider and,
as it likes, matching_id, eid, confirmation_code, notify (a list), test, fallback_allowed.")]
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
    /// Take orders over the network from who has the token in this file; made if it is not there
    #[arg(long, value_name = "FILE")]
    order_token_file: Option<PathBuf>,
    #[command(flatten)]
    store: Store,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae smdp order --profile profile.der --name \"Delta IoT\" --provider Delta
  ipae smdp order --profile profile.der --eid 89049032000000000000000000000163 --confirmation-code 1234
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
    notify: Vec<Told>,
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
pub enum Told {
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

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae smdp bench
  ipae smdp bench --downloads 500 --profile profile.der --db bench.sqlite --json

Virtual eUICCs with keys of their own download one order each, without sockets. The eUICC's part is
computed here, too, and given apart.")]
pub struct Bench {
    /// How many
    #[arg(long, value_name = "N", default_value_t = 50)]
    downloads: usize,
    /// The unprotected profile package, DER; the lab's own without it
    #[arg(long, value_name = "FILE.der")]
    profile: Option<PathBuf>,
    /// A database to use; in memory without it
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,
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

/// The time in Unix seconds.
fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
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

impl Store {
    fn open(&self) -> Result<Smdp, Failure> {
        self.open_with(false, None)
    }

    fn open_with(&self, tls: bool, token: Option<Token>) -> Result<Smdp, Failure> {
        let hierarchy = self.pki.load()?;
        let credential: SmdpCredential = match &hierarchy.smdp {
            Some(smdp) => smdp.clone(),
            None => hierarchy
                .issue_smdp(&HierarchyOptions::default().smdp_fqdn)
                .map_err(|e| failed(e.into()))?,
        };
        let mut options = SmdpOptions {
            order_token: token,
            ..SmdpOptions::default()
        };
        if tls {
            let role = Some(ServerRole::Tls);
            options.tls = Some(pki::tls_of(&hierarchy, &credential.address, role)?);
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
            SmdpCommand::Bench(command) => bench(&command, out),
        }
    }
}

fn serve(command: &Serve, out: &Out) -> Result<(), Failure> {
    let token = match &command.order_token_file {
        None => None,
        Some(file) => Some(Token::in_file(file)?),
    };
    let smdp = command.store.open_with(command.tls, token)?;
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
    let form = OrderForm {
        profile: read_file(&command.profile, exit::ORDER)?,
        name: command.name,
        provider: command.provider,
        matching_id: command.matching_id,
        eid: command.eid.map(|eid| eid.to_string()),
        confirmation_code: command.confirmation_code,
        notify: command.notify.into_iter().map(Event::from).collect(),
        test: command.test,
        fallback_allowed: command.fallback_allowed,
    };
    let placed = smdp.place(form).map_err(failed)?;
    out.print(&placed, |w| {
        let Placed {
            order,
            iccid,
            activation_code,
            ..
        } = &placed;
        writeln!(w, "order {order} of profile {iccid}: {activation_code}")
    })
}

impl From<Told> for Event {
    fn from(told: Told) -> Self {
        match told {
            Told::Install => Event::Install,
            Told::Enable => Event::Enable,
            Told::Disable => Event::Disable,
            Told::Delete => Event::Delete,
        }
    }
}

fn bench(command: &Bench, out: &Out) -> Result<(), Failure> {
    let hierarchy = command.pki.load()?;
    let profile = match &command.profile {
        Some(file) => read_file(file, exit::PROFILE)?,
        None => {
            let description: Description =
                toml::from_str(LAB_TOML).map_err(|e| Failure::new(exit::PROFILE, e.to_string()))?;
            let package = description
                .package()
                .map_err(|e| Failure::new(exit::PROFILE, e.to_string()))?;
            package
                .encode()
                .map_err(|e| Failure::new(exit::PROFILE, e.to_string()))?
        }
    };
    let db = command.db.as_deref();
    let figures = smdp::bench::bench(&hierarchy, db, &profile, command.downloads, now())
        .map_err(|e| Failure::new(exit::FAILED, with_causes(&e)))?;
    out.print(&figures, |w| {
        writeln!(
            w,
            "{} downloads of {} bytes ({} bound): the SM-DP+ takes {:.2} ms in {} requests, {:.0} downloads/s \
             on one thread; eUICC and link {:.1} ms",
            figures.downloads,
            figures.profile_bytes,
            figures.package_bytes,
            figures.server_ms,
            figures.requests,
            figures.downloads_per_second,
            figures.card_ms
        )
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
                Some(Trust::new(ci, Some(ServerRole::Tls)).map_err(pki::tls_failed)?)
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
            now: now(),
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
