//! A pcscd for a test, and cards in its readers.

use crate::support::{Background, Bench, Run, ipae, wait};
use host_bridge::transport::pcsc::{PcscLink, readers};
use host_bridge::transport::{LinkError, vpcd};
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

pub const PATIENCE: Duration = Duration::from_secs(30);

/// A PC/SC service, for one test at a time.
pub struct Service {
    pub daemon: Option<Background>,
    /// The driver's first port; the second slot has the next one.
    pub port: u16,
    // Held until the daemon has ended: fields are dropped in this order.
    configuration: tempfile::TempDir,
    _turn: File,
}

/// Says why a test is skipped.
pub fn skip(reason: &str) {
    assert!(
        std::env::var_os("IPAE_REQUIRE_PCSC").is_none(),
        "PC/SC test can't be run: {reason}"
    );
    println!("skipped: {reason}");
}

/// The daemon, where Debian and others have it.
fn daemon() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from))
        .map(|dir| dir.join("pcscd"))
        .find(|file| file.is_file())
}

/// The driver's library, as its package's configuration names it.
fn driver() -> Option<PathBuf> {
    let text = std::fs::read_to_string("/etc/reader.conf.d/vpcd").ok()?;
    let library = text.lines().find_map(|line| line.strip_prefix("LIBPATH"))?;
    Some(PathBuf::from(library.trim())).filter(|file| file.is_file())
}

/// Two ports, one after the other, that nobody listens on.
pub fn ports() -> u16 {
    for _ in 0..100 {
        let first = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = first.local_addr().expect("an address").port();
        if port < u16::MAX && TcpListener::bind(("127.0.0.1", port + 1)).is_ok() {
            return port;
        }
    }
    panic!("no two free ports");
}

impl Service {
    /// With two virtual readers; the reason if it can't be had.
    pub fn with_readers() -> Result<Service, String> {
        let driver = driver().ok_or(
            "the vsmartcard driver is not installed (Debian: apt install vsmartcard-vpcd)",
        )?;
        let service = Service::start(Some(&driver))?;
        let there = wait(PATIENCE, || {
            readers().is_ok_and(|names| names.iter().any(|name| name.contains("Virtual PCD")))
        });
        if !there {
            return Err("the PC/SC service that runs has no virtual reader".to_owned());
        }
        if service.daemon.is_none()
            && !matches!(
                PcscLink::open(&service.reader(0)),
                Err(LinkError::NoCard(_))
            )
        {
            return Err("the virtual reader of the service that runs is in use".to_owned());
        }
        Ok(service)
    }

    /// With this driver's readers or without any; the reason if it can't be had.
    pub fn start(driver: Option<&Path>) -> Result<Service, String> {
        // One service on a machine: tests of this process and of others take turns.
        let turn = File::create(std::env::temp_dir().join("ipae-test-pcscd.lock"))
            .map_err(|e| format!("no lock file: {e}"))?;
        turn.lock().map_err(|e| format!("no lock: {e}"))?;
        let configuration = tempfile::tempdir().map_err(|e| e.to_string())?;
        let mut service = Service {
            daemon: None,
            port: vpcd::DEFAULT_PORT,
            configuration,
            _turn: turn,
        };
        if readers().is_ok() {
            // The system's own; socket activation starts it with the first question.
            return match driver {
                Some(_) => Ok(service),
                None => Err("a PC/SC service runs already".to_owned()),
            };
        }
        if let Some(driver) = driver {
            service.port = ports();
            let port = service.port;
            let text = format!(
                "FRIENDLYNAME \"Virtual PCD\"\nDEVICENAME /dev/null:{port:#06X}\nLIBPATH {}\nCHANNELID {port:#06X}\n",
                driver.display()
            );
            std::fs::write(service.configuration.path().join("vpcd"), text)
                .map_err(|e| e.to_string())?;
        }
        service.run()?;
        Ok(service)
    }

    /// Starts the daemon of this test.
    fn run(&mut self) -> Result<(), String> {
        let daemon = daemon().ok_or("pcscd is not installed (Debian: apt install pcscd)")?;
        let log = self.configuration.path().join("log");
        let output = File::create(&log).map_err(|e| e.to_string())?;
        let mut command = Command::new(daemon);
        command
            .arg("--foreground")
            .arg("--config")
            .arg(self.configuration.path());
        command
            .stdin(Stdio::null())
            .stderr(output.try_clone().map_err(|e| e.to_string())?);
        command.stdout(output);
        let mut daemon = Background::start(&mut command);
        let up = wait(PATIENCE, || {
            readers().is_ok() || daemon.0.try_wait().is_ok_and(|status| status.is_some())
        });
        let ended = daemon.0.try_wait().is_ok_and(|status| status.is_some());
        self.daemon = Some(daemon);
        if up && !ended {
            return Ok(());
        }
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        Err(format!("pcscd does not start (it needs root): {said}"))
    }

    /// Ends the daemon, as an administrator or a crash would.
    pub fn end(&mut self) {
        if let Some(daemon) = &mut self.daemon {
            daemon.end();
        }
    }

    /// Ends the daemon and starts it again.
    pub fn restart(&mut self) {
        self.end();
        self.run().unwrap_or_else(|e| panic!("{e}"));
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Name of a slot's reader.
    pub fn reader(&self, slot: usize) -> String {
        let names = readers().unwrap_or_else(|e| panic!("{e}"));
        let mut names = names
            .into_iter()
            .filter(|name| name.contains("Virtual PCD"));
        names.nth(slot).expect("two slots")
    }

    /// `ipae vcard serve`, in the first slot; gives the reader once the card is in it.
    pub fn serve(&self, file: &Path) -> (Background, String) {
        let mut command = ipae();
        command
            .args(["vcard", "serve", "--vpcd", &self.address(), "--file"])
            .arg(file);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let server = Background::start(&mut command);
        let reader = self.reader(0);
        wait_for_card(&reader);
        (server, reader)
    }
}

/// Waits until the reader has a card that answers.
pub fn wait_for_card(reader: &str) {
    let mut last = None;
    let there = wait(PATIENCE, || match PcscLink::look(reader) {
        Ok(_) => true,
        Err(error) => {
            last = Some(error);
            false
        }
    });
    assert!(there, "no card came into {reader}: {last:?}");
}

/// A card's file, as `ipae vcard new` makes it.
pub fn new_card(bench: &Bench, eid: &str) -> PathBuf {
    let file = bench.path(&format!("{eid}.card"));
    Run::of(
        ipae()
            .args(["vcard", "new", "--eid", eid, "--file"])
            .arg(&file),
    )
    .good();
    file
}
