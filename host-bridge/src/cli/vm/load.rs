//! What `ipae vm run`, `trace` and `profile` share: CAP files on a fresh card, and commands to it.

use crate::cli::cap::verify::{export, packages};
use crate::cli::card;
use crate::cli::failure::{Failure, with_causes};
use crate::cli::output::{Out, read_file, style};
use applet_gen::api::ApiPackage;
use applet_gen::cap::{Cap, verify};
use applet_gen::gp::command::select;
use cards::observe::{Names, Tracer};
use clap::Args;
use host_bridge::exit::{self, ExitCode};
use host_bridge::observe::{Exchange, Installed, Session, SessionError, load_order};
use serde_json::{Value, json};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Tag of an applet's own data in INSTALL's parameters (GlobalPlatform Card Specification 11.5.2.3.7).
const APPLICATION_DATA: u32 = 0xC9;

#[derive(Args)]
pub struct Load {
    /// CAP files (JARs with the components, or load files), in any order
    #[arg(value_name = "FILE.cap", required = true)]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub with: With,
}

#[derive(Args, Clone)]
pub struct With {
    /// Card definition: a name of `ipae card list`, or a file
    #[arg(long, value_name = "DEF", default_value = "virtual-lab")]
    pub card: String,
    /// Export files of packages that the CAP files import, for the verifier
    #[arg(long, value_name = "FILE.exp")]
    pub exp: Vec<PathBuf>,
    /// Load CAP files that the verifier refuses, too: the VM checks each instruction
    #[arg(long)]
    pub unverified: bool,
    /// Applets to install, by AID, with the data that `install` gets; all applets without it
    #[arg(long, value_name = "AID[:HEX]")]
    pub install: Vec<String>,
    /// INSTALL's whole parameter field instead, for toolkit applets: C9, EA and EF objects
    #[arg(long, value_name = "HEX")]
    pub parameters: Option<String>,
    /// What the card's random numbers come from
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

#[derive(Args)]
pub struct Commands {
    /// Command APDUs to send; without a SELECT first, the first instance is selected before them
    #[arg(long, value_name = "HEX")]
    apdu: Vec<String>,
    /// A file with a command a line, `reset` for power off and on, `#` for comments
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
}

/// A step of a script.
pub enum Step {
    Reset,
    Command(Vec<u8>),
}

fn bytes(what: &str, text: &str) -> Result<Vec<u8>, Failure> {
    let digits: String = text
        .chars()
        .filter(|c| !c.is_whitespace() && *c != ':')
        .collect();
    hex::decode(&digits).map_err(|e| {
        Failure::new(exit::USAGE, format!("{what} {text:?}: {e}"))
            .next("give bytes as pairs of hexadecimal digits")
    })
}

impl Commands {
    /// The steps: those of the script, then those of the command line.
    pub fn steps(&self) -> Result<Vec<Step>, Failure> {
        let mut steps = Vec::new();
        if let Some(script) = &self.script {
            let text = read_file(script, exit::USAGE)?;
            let text = String::from_utf8_lossy(&text);
            for (line, number) in text.lines().zip(1..) {
                let line = line.split('#').next().unwrap_or_default().trim();
                let what = format!("{}, line {number}:", script.display());
                match line {
                    "" => {}
                    "reset" => steps.push(Step::Reset),
                    line => steps.push(Step::Command(bytes(&what, line)?)),
                }
            }
        }
        for apdu in &self.apdu {
            steps.push(Step::Command(bytes("--apdu", apdu)?));
        }
        Ok(steps)
    }
}

/// Reads a CAP file, or a load file.
pub fn read_cap(path: &Path) -> Result<Cap, Failure> {
    let bytes = read_file(path, exit::CAP)?;
    // A JAR begins with a ZIP's local header; a load file with the Header component's tag.
    let cap = match bytes.starts_with(b"PK") {
        true => Cap::from_jar(&bytes),
        false => Cap::from_load_file(&bytes),
    };
    cap.map_err(|error| {
        Failure::new(exit::CAP, format!("{}: {error}", path.display()))
            .next("get the file anew; `ipae cap verify` says more of a CAP file that can be read")
    })
}

impl Load {
    /// A fresh card with the packages on it; no applet is installed yet.
    pub fn session(&self, out: &Out) -> Result<Session, Failure> {
        let definition = card::find(&self.with.card)?;
        let caps: Vec<Cap> = self
            .files
            .iter()
            .map(|file| read_cap(file))
            .collect::<Result<_, _>>()?;
        let exports = self.with.exp.iter().map(|path| export(path));
        let packages = packages(exports.collect::<Result<Vec<_>, _>>()?, &caps);
        let mut session = Session::new(definition, self.with.seed)?;
        for cap in load_order(caps) {
            let verified = self.verify(&cap, &packages, out)?;
            session.load(cap, verified)?;
        }
        Ok(session)
    }

    /// Whether the CAP was verified as a whole.
    fn verify(&self, cap: &Cap, packages: &[ApiPackage], out: &Out) -> Result<bool, Failure> {
        let verdict = verify::verify_with_tables(cap, packages);
        let aid = hex::encode_upper(&cap.header.package.aid);
        if verdict.is_ok() {
            return Ok(verdict.is_verified());
        }
        let findings: Vec<String> = verdict.findings.iter().map(|f| format!("  {f}")).collect();
        if self.with.unverified {
            out.note(format!(
                "package {aid} does not verify:\n{}",
                findings.join("\n")
            ));
            return Ok(false);
        }
        Err(Failure::new(
            exit::CAP,
            format!("package {aid} does not verify:\n{}", findings.join("\n")),
        )
        .next("load it with --unverified: the VM then checks each instruction"))
    }

    /// Installs the applets that are asked for, or all.
    pub fn install(&self, session: &mut Session) -> Result<Vec<Installed>, Failure> {
        let mut wanted: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        for text in &self.with.install {
            let (aid, data) = text.split_once(':').unwrap_or((text, ""));
            wanted.push((bytes("--install", aid)?, bytes("--install", data)?));
        }
        let mut applets: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        for cap in session.caps() {
            let package = &cap.header.package.aid;
            applets.extend(cap.applets.iter().map(|a| (package.clone(), a.aid.clone())));
        }
        if wanted.is_empty() {
            wanted = applets
                .iter()
                .map(|(_, aid)| (aid.clone(), Vec::new()))
                .collect();
        }
        let mut installed = Vec::new();
        for (aid, data) in wanted {
            let package = applets.iter().find(|(_, module)| *module == aid);
            let Some((package, _)) = package else {
                let known = applets.iter().map(|(_, aid)| hex::encode_upper(aid));
                let known = known.collect::<Vec<_>>().join(", ");
                return Err(Failure::new(
                    exit::USAGE,
                    format!(
                        "--install {}: no CAP file has that applet",
                        hex::encode_upper(&aid)
                    ),
                )
                .next(format!("the applets are {known}")));
            };
            let parameters = match &self.with.parameters {
                Some(text) => bytes("--parameters", text)?,
                None => applet_model::tlv::write(APPLICATION_DATA, &data),
            };
            match session.install(package, &aid, &parameters) {
                Ok(done) => installed.push(done),
                Err(error) => return Err(refused(error, session)),
            }
        }
        Ok(installed)
    }
}

/// A refused installation, with the exception that caused it.
fn refused(error: SessionError, session: &mut Session) -> Failure {
    let thrown = session.take_uncaught();
    let lines = thrown.map(|thrown| thrown.lines(&session.names()));
    let text = with_causes(&error);
    match lines {
        Some(lines) => Failure::new(error.exit(), format!("{text}\n  {}", lines.join("\n  "))),
        None => Failure::new(error.exit(), text),
    }
}

/// Watches exceptions, installs, and gives the session's instances.
pub fn installed(load: &Load, session: &mut Session) -> Result<Vec<Installed>, Failure> {
    session.trace(Tracer::new(session.names()));
    load.install(session)
}

/// Sends the steps; `see` is told of each exchange.
pub fn play(
    session: &mut Session,
    installed: &[Installed],
    steps: Vec<Step>,
    see: &mut dyn FnMut(&mut Session, &Exchange) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let is_select = |bytes: &[u8]| matches!(bytes, [_, 0xA4, 0x04, ..]);
    let first = steps.iter().find_map(|step| match step {
        Step::Command(bytes) => Some(is_select(bytes)),
        Step::Reset => None,
    });
    if first == Some(false)
        && let Some(instance) = installed.first()
    {
        let aid = hex::decode(&instance.instance).unwrap_or_default();
        let exchange = session.transmit(&select(&aid).to_bytes())?;
        see(session, &exchange)?;
    }
    for step in steps {
        match step {
            Step::Reset => session.reset()?,
            Step::Command(bytes) => {
                let exchange = session.transmit(&bytes)?;
                see(session, &exchange)?;
            }
        }
    }
    Ok(())
}

/// An exchange as JSON.
pub fn exchange_json(exchange: &Exchange, names: &Names) -> Value {
    json!({
        "command": hex::encode_upper(exchange.command.to_bytes()),
        "name": exchange.command.name(),
        "response": hex::encode_upper(&exchange.response.data),
        "sw": format!("{:04X}", exchange.response.sw.0),
        "meaning": exchange.response.sw.to_string(),
        "fault": exchange.fault,
        "exception": exchange.thrown.as_ref().map(|thrown| thrown.lines(names)),
        "proactive": exchange.proactive,
    })
}

/// An exchange for people.
pub fn write_exchange(w: &mut dyn Write, exchange: &Exchange, names: &Names) -> io::Result<()> {
    let (dim, bad) = (style::DIM, style::ERROR);
    let command = hex::encode_upper(exchange.command.to_bytes());
    writeln!(w, "> {command}  {dim}{}{dim:#}", exchange.command.name())?;
    let response = &exchange.response;
    let data = match response.data.is_empty() {
        true => String::new(),
        false => hex::encode_upper(&response.data) + " ",
    };
    writeln!(w, "< {data}{}", response.sw)?;
    if let Some(thrown) = &exchange.thrown {
        for line in thrown.lines(names) {
            writeln!(w, "    {bad}{line}{bad:#}")?;
        }
    } else if let Some(fault) = &exchange.fault {
        writeln!(w, "    {bad}{fault}{bad:#}")?;
    }
    for proactive in &exchange.proactive {
        writeln!(w, "    {}", proactive.text.replace('\n', "\n    "))?;
    }
    Ok(())
}
