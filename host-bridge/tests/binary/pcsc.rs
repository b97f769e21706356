//! Cards behind a real PC/SC stack: pcscd with the vsmartcard driver, virtual cards in its readers.
//!
//! Each test starts a pcscd of its own, with a configuration of its own, if none runs (that needs
//! root). Where there is no pcscd or no driver a test says so and passes; with IPAE_REQUIRE_PCSC in
//! the environment it fails instead.

use super::support::{Background, Bench, Run, ipae, wait};
use applet_model::apdu::{Command as Apdu, Response};
use host_bridge::exit;
use host_bridge::personalize::VirtualLink;
use host_bridge::transport::pcsc::{PcscLink, readers};
use host_bridge::transport::{CardLink, LinkError, vpcd};
use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

/// A PC/SC service, for one test at a time.
struct Service {
    daemon: Option<Background>,
    /// The driver's first port; the second slot has the next one.
    port: u16,
    // Held until the daemon has ended: fields are dropped in this order.
    _configuration: tempfile::TempDir,
    _turn: File,
}

/// Says why a test is skipped.
fn skip(reason: &str) {
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
fn ports() -> u16 {
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
    fn with_readers() -> Result<Service, String> {
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

    fn start(driver: Option<&Path>) -> Result<Service, String> {
        // One service on a machine: tests of this process and of others take turns.
        let turn = File::create(std::env::temp_dir().join("ipae-test-pcscd.lock"))
            .map_err(|e| format!("no lock file: {e}"))?;
        turn.lock().map_err(|e| format!("no lock: {e}"))?;
        let configuration = tempfile::tempdir().map_err(|e| e.to_string())?;
        let mut service = Service {
            daemon: None,
            port: vpcd::DEFAULT_PORT,
            _configuration: configuration,
            _turn: turn,
        };
        if readers().is_ok() {
            // The system's own; socket activation starts it with the first question.
            return match driver {
                Some(_) => Ok(service),
                None => Err("a PC/SC service runs already".to_owned()),
            };
        }
        let daemon = daemon().ok_or("pcscd is not installed (Debian: apt install pcscd)")?;
        if let Some(driver) = driver {
            service.port = ports();
            let port = service.port;
            let text = format!(
                "FRIENDLYNAME \"Virtual PCD\"\nDEVICENAME /dev/null:{port:#06X}\nLIBPATH {}\nCHANNELID {port:#06X}\n",
                driver.display()
            );
            std::fs::write(service._configuration.path().join("vpcd"), text)
                .map_err(|e| e.to_string())?;
        }
        let log = service._configuration.path().join("log");
        let output = File::create(&log).map_err(|e| e.to_string())?;
        let mut command = Command::new(daemon);
        command
            .arg("--foreground")
            .arg("--config")
            .arg(service._configuration.path());
        command
            .stdin(Stdio::null())
            .stderr(output.try_clone().map_err(|e| e.to_string())?);
        command.stdout(output);
        let mut daemon = Background::start(&mut command);
        let up = wait(PATIENCE, || {
            readers().is_ok() || daemon.0.try_wait().is_ok_and(|status| status.is_some())
        });
        let ended = daemon.0.try_wait().is_ok_and(|status| status.is_some());
        service.daemon = Some(daemon);
        if up && !ended {
            return Ok(service);
        }
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        Err(format!("pcscd does not start (it needs root): {said}"))
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Name of a slot's reader.
    fn reader(&self, slot: usize) -> String {
        let names = readers().unwrap_or_else(|e| panic!("{e}"));
        let mut names = names
            .into_iter()
            .filter(|name| name.contains("Virtual PCD"));
        names.nth(slot).expect("two slots")
    }

    /// `ipae vcard serve`, in the first slot; gives the reader once the card is in it.
    fn serve(&self, file: &Path) -> (Background, String) {
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
fn wait_for_card(reader: &str) {
    let mut last = None;
    let there = wait(PATIENCE, || match PcscLink::open(reader) {
        Ok(_) => true,
        Err(error) => {
            last = Some(error);
            false
        }
    });
    assert!(there, "no card came into {reader}: {last:?}");
}

/// A card's file, as `ipae vcard new` makes it.
fn new_card(bench: &Bench, eid: &str) -> PathBuf {
    let file = bench.path(&format!("{eid}.card"));
    Run::of(
        ipae()
            .args(["vcard", "new", "--eid", eid, "--file"])
            .arg(&file),
    )
    .good();
    file
}

macro_rules! service {
    ($start:expr) => {
        match $start {
            Ok(service) => service,
            Err(reason) => return skip(&reason),
        }
    };
}

#[test]
fn a_card_in_a_reader_is_personalized_and_obeys_its_eim() {
    let service = service!(Service::with_readers());
    let bench = Bench::new(1);
    let file = new_card(&bench, &bench.eids[0]);
    let (mut server, reader) = service.serve(&file);

    let listed = Run::new(["card", "readers", "--json"]).good().json();
    assert!(
        listed
            .as_array()
            .is_some_and(|names| names.iter().any(|name| *name == reader))
    );
    let outcome = Run::of(bench.personalize_on(&reader).arg("--json"))
        .good()
        .json();
    assert_eq!(
        (&outcome["done"], &outcome["failed"]),
        (&1.into(), &0.into()),
        "{outcome}"
    );
    assert!(
        bench
            .out
            .join(format!("receipts/{}.json", bench.eids[0]))
            .is_file()
    );
    // The same command again: the card is done, and nothing is sent to it.
    let again = Run::of(bench.personalize_on(&reader).arg("--json"))
        .good()
        .json();
    assert_eq!(
        (&again["done_now"], &again["traffic"]["apdus"]),
        (&0.into(), &0.into())
    );

    // Scenarios change the card and move its counter on: the second run goes on where the first ended.
    let first = [
        "nothing-pending",
        "list-profile-info",
        "enable-good-network",
    ];
    let counter = scenarios(&bench, &reader, 0, &first);
    assert!(counter > 0);
    scenarios(&bench, &reader, counter, &["list-profile-info"]);
    assert_eq!(server.end(), Some(0));
    // The card's file has what the card had.
    let card = VirtualLink::open("card", &file)
        .unwrap_or_else(|e| panic!("{e}"))
        .into_card();
    super::support::assert_personalized(&card);
}

/// Runs scenarios on the card with `ipae test`; gives the last counter that the card took.
#[track_caller]
fn scenarios(bench: &Bench, reader: &str, counter: u64, names: &[&str]) -> u64 {
    let out = bench.path(&format!("test-{counter}"));
    let mut test = ipae();
    test.args(["test", "--json", "--reader", reader, "--out"])
        .arg(&out);
    test.args(["--counter", &counter.to_string()]);
    for name in names {
        test.args(["--scenario", name]);
    }
    let run = Run::of(&mut test);
    let report = std::fs::read_to_string(out.join("report.json")).unwrap_or_default();
    assert_eq!(run.code, Some(0), "{run:#?}");
    let passed = &run.json()["scenarios"];
    assert_eq!(
        (&passed["passed"], &passed["failed"]),
        (&names.len().into(), &0.into())
    );
    let report: serde_json::Value = serde_json::from_str(&report).expect("the report");
    let list = report["scenarios"]["list"].as_array().expect("scenarios");
    for (row, name) in list.iter().zip(names) {
        assert_eq!(
            (&row["name"], &row["outcome"]),
            (&(*name).into(), &"passed".into())
        );
        assert!(
            row["exchange"]
                .as_array()
                .is_some_and(|list| list.len() > 20),
            "{name}"
        );
    }
    list.iter()
        .filter_map(|row| row["counter"].as_u64())
        .max()
        .expect("a counter")
}

/// A card that is pulled at one command, before or after it did what the command says.
struct Pulled {
    link: VirtualLink,
    left: usize,
    out: bool,
}

impl CardLink for Pulled {
    fn atr(&self) -> &[u8] {
        self.link.atr()
    }

    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        self.link.reset()
    }

    fn transmit(&mut self, command: &Apdu) -> Result<Response, LinkError> {
        if self.left == 0 {
            self.out = true;
            // The command was done; its answer never arrives.
            let _ = self.link.transmit(command);
            return Err(LinkError::PowerLost(self.link.name()));
        }
        self.left -= 1;
        self.link.transmit(command)
    }

    fn name(&self) -> String {
        self.link.name()
    }
}

/// Sets a flag at the end of its scope, however it ends.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_card_pulled_at_work_is_finished_by_the_same_command() {
    let bench = Bench::new(1);
    let file = new_card(&bench, &bench.eids[0]);
    // While it says who it is, while it is loaded, while the eIM is configured.
    for left in [8, 60, 120] {
        // The driver takes no other card after one that went in the middle of a command (3.3): it is
        // started anew each time.
        let service = service!(Service::with_readers());
        if service.daemon.is_none() {
            return skip("the PC/SC service that runs is not this test's to restart");
        }
        let reader = service.reader(0);
        let address = service.address();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            // A failure here must not wait for a card that nobody pulls.
            let _stop = Stop(&stop);
            let served = scope.spawn(|| {
                let link = VirtualLink::open("card", &file).unwrap_or_else(|e| panic!("{e}"));
                let mut card = Pulled {
                    link,
                    left,
                    out: false,
                };
                let ended = vpcd::serve(&address, &mut card, &stop, &mut |_| Ok(()));
                card.out && ended.is_err()
            });
            wait_for_card(&reader);
            let run = Run::of(&mut bench.personalize_on(&reader));
            run.bad(exit::CARD_REMOVED, &["removed", &reader]);
            assert!(served.join().expect("it ends"), "nobody pulled the card");
        });
    }
    let service = service!(Service::with_readers());
    let (mut server, reader) = service.serve(&file);
    let outcome = Run::of(bench.personalize_on(&reader).arg("--json"))
        .good()
        .json();
    assert_eq!(
        (&outcome["done"], &outcome["failed"]),
        (&1.into(), &0.into())
    );
    server.end();
    let card = VirtualLink::open("card", &file)
        .unwrap_or_else(|e| panic!("{e}"))
        .into_card();
    super::support::assert_personalized(&card);
}

#[test]
fn readers_that_can_not_be_used_are_named() {
    let service = service!(Service::with_readers());
    let bench = Bench::new(2);
    let stranger = new_card(&bench, "89049032000000000000000000099976");
    let (mut server, reader) = service.serve(&stranger);
    let run = |name: &str| Run::of(&mut bench.personalize_on(name));

    // Another process has the reader: this one.
    let held = PcscLink::open(&reader).unwrap_or_else(|e| panic!("{e}"));
    let busy = run(&reader).bad(exit::READER_BUSY, &[&reader, "another process"]);
    assert!(busy.stderr.contains("nothing was sent"), "{}", busy.stderr);
    drop(held);

    run("Omnikey").bad(exit::NO_READER, &["Omnikey", &reader]);
    run("Virtual PCD").bad(exit::NO_READER, &["several readers", &reader]);
    run(&service.reader(1)).bad(exit::NO_CARD, &["no card in reader", &service.reader(1)]);
    // A card that the order doesn't have stays as it is.
    let before = std::fs::read(&stranger).expect("the card");
    run(&reader).bad(
        exit::WRONG_CARD,
        &["89049032000000000000000000099976", "not in the order"],
    );
    assert!(before == std::fs::read(&stranger).expect("the card"));
    server.end();
    // The card is out.
    let is_empty = || matches!(PcscLink::open(&reader), Err(LinkError::NoCard(_)));
    assert!(wait(PATIENCE, is_empty));
    run(&reader).bad(exit::NO_CARD, &[&reader]);
}

#[test]
fn a_service_without_readers() {
    let service = service!(Service::start(None));
    let names = readers().unwrap_or_else(|e| panic!("{e}"));
    if !names.is_empty() {
        return skip("this machine has a reader");
    }
    let bench = Bench::new(1);
    assert_eq!(
        Run::new(["card", "readers", "--json"]).good().json(),
        serde_json::json!([])
    );
    let words = ["no reader", "ipae vcard serve"];
    Run::of(&mut bench.personalize_on("any")).bad(exit::NO_READER, &words);
    drop(service);
}

#[test]
fn no_service_says_what_to_start() {
    let bench = Bench::new(1);
    // A socket that isn't there: what pcscd runs on this machine doesn't matter.
    let run = Run::of(
        bench
            .personalize_on("any")
            .env("PCSCLITE_CSOCK_NAME", bench.path("none")),
    );
    run.bad(exit::NO_SERVICE, &["no PC/SC service", "pcscd"]);
    let mut readers = ipae();
    readers
        .args(["card", "readers", "--json"])
        .env("PCSCLITE_CSOCK_NAME", bench.path("none"));
    let error = Run::of(&mut readers).bad(exit::NO_SERVICE, &[]).error();
    assert_eq!(
        (&error["code"], &error["name"]),
        (&20.into(), &"no-pcsc-service".into())
    );
}

#[test]
fn no_driver_says_what_to_install() {
    let bench = Bench::new(1);
    let file = new_card(&bench, &bench.eids[0]);
    let port = ports();
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    let address = format!("127.0.0.1:{port}");
    let run = Run::of(
        ipae()
            .args(["vcard", "serve", "--vpcd", &address, "--file"])
            .arg(&file),
    );
    run.bad(exit::LINK, &[&address, "vsmartcard-vpcd"]);
}
