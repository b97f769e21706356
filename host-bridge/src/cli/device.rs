//! `ipae device`: a device around a card, for eIMs that run elsewhere.

use super::failure::{Failure, OrExit};
use super::output::Out;
use clap::Args;
use host_bridge::exit;
use host_bridge::personalize::VirtualLink;
use host_bridge::terminal::{DeviceProfile, Limits, Network, Resolve, Terminal, What};
use host_bridge::transport::CardLink;
use host_bridge::transport::pcsc::PcscLink;
use std::path::PathBuf;

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae eim serve --listen 127.0.0.1:8080
  ipae device --file run1/cards/89049032000000000000000000000163.card --resolve 192.0.2.1=127.0.0.1:8080
  ipae device --reader \"ACR38\" --resolve '*=127.0.0.1:8080' --no-service 89999020000000000029 --seconds 86400

The device starts the card, answers its proactive commands and bridges its channels to real
sockets. Time is virtual: it jumps to what comes next, so a day passes in seconds. Plain HTTP:
lab, not secure.")]
pub struct Device {
    /// A PC/SC reader, or the beginning of its name
    #[arg(long, value_name = "NAME", required_unless_present = "file")]
    reader: Option<String>,
    /// The file of a virtual card
    #[arg(long, value_name = "FILE.card", conflicts_with = "reader")]
    file: Option<PathBuf>,
    /// Where connections for a host or address really go; `*` is any
    #[arg(long, value_name = "HOST[:PORT]=ADDR:PORT")]
    resolve: Vec<String>,
    /// ICCID or IMSI of a profile whose operator gives no service
    #[arg(long, value_name = "DIGITS")]
    no_service: Vec<String>,
    /// Virtual seconds to run
    #[arg(long, value_name = "N", default_value_t = 7200)]
    seconds: u64,
}

impl Device {
    pub fn run(self, out: &Out) -> Result<(), Failure> {
        let link: Box<dyn CardLink> = match (&self.file, &self.reader) {
            (Some(file), _) => Box::new(VirtualLink::open(&file.display().to_string(), file)?),
            (None, reader) => Box::new(PcscLink::open(reader.as_deref().unwrap_or_default())?),
        };
        let mut network = Network::default();
        for text in &self.resolve {
            network
                .resolve
                .push(text.parse::<Resolve>().or_exit(exit::USAGE)?);
        }
        for profile in &self.no_service {
            network.set_service(profile, false);
        }
        let mut terminal = Terminal::new(link, DeviceProfile::default(), network);
        let ran = terminal
            .boot()
            .and_then(|()| terminal.run_for(Limits::virtual_seconds(self.seconds)));
        let records = terminal.log_mut().take();
        out.print(&records, |w| {
            for record in &records {
                let text = match &record.what {
                    What::Apdu { .. } => continue,
                    What::Proactive { text, .. } => format!("card     {text}"),
                    What::TerminalResponse { text, .. } => format!("device   {text}"),
                    What::Envelope { text, .. } => format!("device   {text}"),
                    What::ChannelOpen { channel, asked, to } => {
                        format!("network  channel {channel} to {asked} is open, really to {to}")
                    }
                    What::ConnectFailed { to, why } => {
                        format!("network  no connection to {to}: {why}")
                    }
                    What::Sent { channel, data } => {
                        format!("network  channel {channel}: {} bytes sent", data.len() / 2)
                    }
                    What::Received { channel, data } => {
                        format!(
                            "network  channel {channel}: {} bytes received",
                            data.len() / 2
                        )
                    }
                    What::ChannelDown { channel, why } => {
                        format!("network  channel {channel} is down: {why}")
                    }
                    What::Network { iccid, imsi, up } => {
                        let service = if *up { "service" } else { "no service" };
                        format!("network  profile {iccid} (IMSI {imsi}): {service}")
                    }
                    What::Reset { .. } => "device   reset".to_owned(),
                    What::StatusPolls { count } => format!("device   {count} STATUS commands"),
                    What::Clock { by_ms } => format!("clock    {} s later", by_ms / 1000),
                    What::Note { text } => format!("note     {text}"),
                };
                writeln!(
                    w,
                    "{:>9}.{:03} {text}",
                    record.at_ms / 1000,
                    record.at_ms % 1000
                )?;
            }
            Ok(())
        })?;
        ran.map(|_| ()).or_exit(exit::LINK)
    }
}
