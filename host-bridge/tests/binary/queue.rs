//! One order shared by stations over a real PostgreSQL.

use super::killed::files;
use super::postgres::{PASSWORD, SOCKET, Server, server};
use super::support::{Background, Bench, Run, applet, assert_personalized, card_in, ipae, wait};
use host_bridge::exit::{self, Exit, ExitCode};
use host_bridge::journal::{
    Address, Belongs, ChainHead, Choice, Claim, Fault, Journal, JournalError, PostgresJournal,
    Progress, QueueOptions, QueueStatus, Sealed,
};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Stations at one queue, in this process.
struct Hall<'a> {
    server: &'a Server,
    name: &'a str,
    options: QueueOptions,
    dir: tempfile::TempDir,
}

impl<'a> Hall<'a> {
    fn new(server: &'a Server, name: &'a str, socket: Option<&Path>) -> Self {
        let address = server.database(name, socket);
        let mut options = QueueOptions::new(Address::parse(&address, Some(PASSWORD)).unwrap());
        // So long that no heartbeat comes while a test lets a station look dead.
        options.ttl = Duration::from_secs(3000);
        options.patience = Duration::from_secs(1);
        Hall {
            server,
            name,
            options,
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn open(
        &self,
        station: &str,
        folder: &str,
        order: &str,
    ) -> Result<PostgresJournal, JournalError> {
        let belongs = Belongs {
            order: order.to_owned(),
            definition: "d".to_owned(),
            job: "j".to_owned(),
        };
        let eids = ["E1", "E2", "E3"].map(String::from);
        PostgresJournal::open(
            &self.dir.path().join(folder),
            &belongs,
            station,
            eids,
            &self.options,
        )
    }

    fn station(&self, name: &str) -> PostgresJournal {
        self.open(name, name, "o").unwrap_or_else(|e| panic!("{e}"))
    }

    fn status(&self) -> QueueStatus {
        QueueStatus::read(&self.options.address).unwrap()
    }

    fn sql(&self, text: &str) {
        self.server
            .connect(self.name)
            .unwrap()
            .batch_execute(text)
            .unwrap();
    }
}

fn taken(attempts: u32) -> Claim {
    Claim::Taken { attempts }
}

fn choose(journal: &PostgresJournal, worker: &str) -> Option<String> {
    let choice = Choice {
        worker,
        set_aside: &[exit::NOT_AUTHENTICATED.code],
        not: &[],
    };
    journal.choose(&choice).unwrap()
}

fn fault(exit: Exit) -> Fault {
    Fault {
        exit,
        error: "no".to_owned(),
        step: Some("load".to_owned()),
        evidence: vec!["80E4 > 6A88".to_owned()],
    }
}

/// A receipt that says what it follows.
fn seal(eid: &str) -> impl FnMut(&ChainHead) -> Result<Sealed, String> + use<> {
    let eid = eid.to_owned();
    move |head| {
        Ok(Sealed {
            eid: eid.clone(),
            sequence: head.sequence + 1,
            hash: format!("hash of {eid}"),
            text: format!("{eid} of {} after {}", head.station, head.hash),
        })
    }
}

#[test]
fn a_card_is_one_stations_and_every_station_has_its_chain() {
    let Some(server) = server() else { return };
    let hall = Hall::new(&server, "hands", None);
    let (a, b) = (hall.station("a"), hall.station("b"));
    assert_eq!(a.claim("E1", "r1", "C1").unwrap(), taken(1));
    let busy = |worker: &str| Claim::Busy {
        worker: worker.to_owned(),
    };
    assert_eq!(b.claim("E1", "r1", "C1").unwrap(), busy("r1 at station a"));
    assert_eq!(a.claim("E1", "r2", "C1").unwrap(), busy("r1"));
    assert_eq!(b.claim("E9", "r1", "").unwrap(), Claim::NotInOrder);
    // What is recorded by one is there for all, and only the holder records.
    a.begin_step("E1", "load").unwrap();
    assert_eq!(b.progress("E1", "load").unwrap(), Progress::Begun);
    a.end_step("E1", "load", "51 blocks", 17).unwrap();
    assert_eq!(b.progress("E1", "load").unwrap(), Progress::Ended);
    for error in [
        b.begin_step("E1", "install"),
        b.set_token("E1", 5),
        b.fail("E1", &fault(exit::MEMORY)),
        b.finish("E1", "now", &mut seal("E1")).map(|_| ()),
    ] {
        let error = error.unwrap_err();
        assert_eq!(error.exit(), exit::JOURNAL);
        assert!(error.to_string().contains("station a's"), "{error}");
    }
    // Free hands take different cards.
    assert_eq!(choose(&b, "r1").as_deref(), Some("E2"));
    assert_eq!(choose(&a, "r2").as_deref(), Some("E3"));
    assert_eq!(choose(&b, "r2"), None);
    assert_eq!(a.claim("E2", "r2", "").unwrap(), busy("r1 at station b"));
    assert_eq!(b.claim("E2", "r1", "").unwrap(), taken(1));

    let first = a.finish("E1", "now", &mut seal("E1")).unwrap();
    assert_eq!(
        (first.sequence, first.text.as_str()),
        (1, "E1 of a after o")
    );
    let again = a.finish("E1", "later", &mut |_| Err("twice".to_owned()));
    assert_eq!(again.unwrap(), first);
    assert_eq!(b.claim("E1", "r1", "C1").unwrap(), Claim::Done);
    b.finish("E2", "now", &mut seal("E2")).unwrap();
    assert_eq!(b.receipts(0).unwrap()[0].text, "E2 of b after o");
    assert_eq!(a.claim("E3", "r2", "").unwrap(), taken(1));
    a.fail("E3", &fault(exit::NOT_AUTHENTICATED)).unwrap();
    assert_eq!(choose(&b, "r1"), None, "it is set aside");
    assert_eq!(b.evidence("E3").unwrap(), ["80E4 > 6A88"]);
    assert_eq!(b.claim("E3", "r1", "").unwrap(), taken(2));
    assert_eq!(
        b.finish("E3", "now", &mut seal("E3")).unwrap().text,
        "E3 of b after hash of E2"
    );
    let status = hall.status();
    assert_eq!((status.cards, status.done, status.taken_over), (3, 3, 0));
    let done: Vec<(&str, u64, bool)> = status
        .stations
        .iter()
        .map(|one| (one.station.as_str(), one.cards.done, one.lives))
        .collect();
    assert_eq!(done, [("a", 1, true), ("b", 2, true)]);
}

#[test]
fn a_dead_stations_card_waits_to_be_seen() {
    let Some(server) = server() else { return };
    let hall = Hall::new(&server, "dead", None);
    let (a, b) = (hall.station("a"), hall.station("b"));
    assert_eq!(a.claim("E1", "r1", "C1").unwrap(), taken(1));
    a.begin_step("E1", "load").unwrap();
    hall.sql("UPDATE ipae.sessions SET seen = seen - interval '1 day' WHERE station = 'a'");
    // Time alone takes nothing: not when it is noticed, not when a hand is sent to look for it.
    assert_eq!(choose(&b, "r1").as_deref(), Some("E1"));
    let status = hall.status();
    let lease = &status.leases[0];
    assert_eq!(
        (lease.station.as_str(), lease.lives, lease.step.as_deref()),
        ("a", false, Some("load"))
    );
    assert_eq!(status.taken_over, 0);
    a.end_step("E1", "load", "it was only slow", 1).unwrap();
    // Another chip with its EID isn't the card; the card is.
    let other = Claim::OtherChip {
        expected: "C1".to_owned(),
    };
    assert_eq!(b.claim("E1", "r1", "C2").unwrap(), other);
    assert_eq!(b.claim("E1", "r1", "C1").unwrap(), taken(2));
    assert_eq!(hall.status().taken_over, 1);
    let error = a.begin_step("E1", "install").unwrap_err();
    assert!(error.to_string().contains("station b's"), "{error}");
    // A station that ends leaves its cards to whoever sees them.
    drop(b);
    assert_eq!(hall.status().leases, []);
    let c = hall.station("c");
    assert_eq!(c.claim("E1", "r1", "C1").unwrap(), taken(3));
    assert_eq!(c.progress("E1", "load").unwrap(), Progress::Ended);
}

#[test]
fn a_queue_is_one_orders_and_a_name_one_stations() {
    let Some(server) = server() else { return };
    let hall = Hall::new(&server, "names", None);
    let none = QueueStatus::read(&hall.options.address).unwrap_err();
    assert!(none.to_string().contains("no queue"), "{none}");
    let a = hall.station("a");
    let refused =
        |station: &str, folder: &str, order: &str| hall.open(station, folder, order).err().unwrap();
    let other = refused("b", "b", "p");
    assert_eq!(other.exit(), exit::JOURNAL);
    assert!(other.to_string().contains("another order"), "{other}");
    let named = refused("a", "elsewhere", "o");
    assert_eq!(named.exit(), exit::LOCKED);
    assert!(named.to_string().contains("another --station"), "{named}");
    assert_eq!(refused("a2", "a", "o").exit(), exit::LOCKED);
    // Its own folder, after it ended: the name and the chain are its own again.
    a.claim("E1", "r", "").unwrap();
    a.finish("E1", "now", &mut seal("E1")).unwrap();
    drop(a);
    assert_eq!(hall.station("a").head().unwrap().sequence, 1);
    // A folder with a journal of its own would do cards twice.
    std::fs::create_dir(hall.dir.path().join("own")).unwrap();
    std::fs::write(hall.dir.path().join("own/journal.sqlite"), "").unwrap();
    assert!(
        refused("own", "own", "o")
            .to_string()
            .contains("another --out")
    );
    hall.sql("UPDATE ipae.meta SET value = '0' WHERE key = 'format'");
    assert!(refused("b", "b", "o").to_string().contains("format 0"));
}

#[test]
fn a_lost_connection_is_made_again_or_told() {
    let Some(server) = server() else { return };
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join(SOCKET);
    let plug = || std::os::unix::fs::symlink(server.dir().join(SOCKET), &socket).unwrap();
    plug();
    let hall = Hall::new(&server, "lost", Some(dir.path()));
    let a = hall.station("a");
    let cut = || {
        hall.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ipae' AND datname = 'lost'",
        );
    };
    a.claim("E1", "r", "").unwrap();
    cut();
    a.begin_step("E1", "load").unwrap();
    std::fs::remove_file(&socket).unwrap();
    cut();
    let error = a.end_step("E1", "load", "51 blocks", 1).unwrap_err();
    assert_eq!(error.exit(), exit::QUEUE);
    let text = error.to_string();
    assert!(
        text.contains("within 1 s") && text.contains("same command"),
        "{text}"
    );
    plug();
    assert_eq!(a.progress("E1", "load").unwrap(), Progress::Begun);
    a.end_step("E1", "load", "51 blocks", 1).unwrap();
}

#[test]
fn passwords_are_not_shown() {
    let Some(server) = server() else { return };
    let address = server.database("passwords", None);
    let with = address.replace("ipae@", "ipae:wrong-and-secret@");
    let bench = Bench::new(1);
    for (queue, password) in [(with.as_str(), ""), (&address, "wrong-and-secret")] {
        let mut command = bench.personalize();
        command
            .args(["--queue", queue, "--tray", "tray"])
            .env("PGPASSWORD", password);
        let run = Run::of(&mut command).bad(
            exit::QUEUE,
            &["no connection", "password authentication failed"],
        );
        assert!(!run.stderr.contains("secret"), "{}", run.stderr);
    }
    Run::of(bench.personalize().args(["--queue", &address])).bad(exit::USAGE, &["--tray"]);
    let mut command = bench.personalize();
    command.args(["--queue", "postgres://ipae:secret@host:port/db"]);
    let run = Run::of(&mut command).bad(exit::USAGE, &["PGPASSWORD"]);
    assert!(!run.stderr.contains("secret"), "{}", run.stderr);
}

/// A number from the environment.
fn given(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// Three stations at a queue, as processes.
struct Floor {
    bench: Bench,
    queue: String,
    tray: PathBuf,
}

impl Floor {
    fn out(&self, station: usize) -> PathBuf {
        self.bench.path(&format!("station-{station}"))
    }

    fn command(&self, station: usize) -> Command {
        let mut command = ipae();
        command
            .arg("personalize")
            .arg("--order")
            .arg(&self.bench.order);
        command
            .arg("--out")
            .arg(self.out(station))
            .arg("--cap")
            .arg(applet());
        command
            .args(["--virtual", "--readers", "2"])
            .arg("--tray")
            .arg(&self.tray);
        command.args(["--queue", &self.queue, "--queue-silence", "1", "--json"]);
        command
            .args(["--station", &format!("s{station}")])
            .env("PGPASSWORD", PASSWORD);
        command
    }

    fn start(&self, station: usize) -> Background {
        let mut command = self.command(station);
        Background::start(command.stdout(Stdio::null()).stderr(Stdio::null()))
    }

    /// Receipts of all stations that aren't known yet by name, each with its card's file.
    fn finished<T>(&self, known: &BTreeMap<String, T>) -> BTreeMap<String, (Vec<u8>, Vec<u8>)> {
        let mut found = BTreeMap::new();
        for station in 0..3 {
            let receipts = self.out(station).join("receipts");
            for entry in std::fs::read_dir(&receipts).into_iter().flatten().flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                if known.contains_key(&name) || !name.ends_with(".json") {
                    continue;
                }
                let card = self.tray.join(name.replace(".json", ".card"));
                let card = std::fs::read(card).expect("a card with a receipt");
                let receipt = std::fs::read(entry.path()).expect("a receipt");
                found.insert(name, (receipt, card));
            }
        }
        found
    }
}

/// The default is short; the campaign is `IPAE_QUEUE_CARDS=1000 IPAE_QUEUE_KILLS=50`.
#[test]
fn three_stations_killed_at_random_every_card_once() {
    let Some(server) = server() else { return };
    let cards = given("IPAE_QUEUE_CARDS", 18);
    let kills = given("IPAE_QUEUE_KILLS", 5);
    let mut random = given("IPAE_QUEUE_SEED", 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut random = |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    let bench = Bench::new(cards as u32);
    let floor = Floor {
        queue: server.database("shared", None),
        tray: bench.path("tray"),
        bench,
    };
    let begun = Instant::now();
    let mut stations: Vec<Option<Background>> = (0..3).map(|i| Some(floor.start(i))).collect();
    let mut finished = BTreeMap::new();
    let (mut killed, mut starts) = (0, 3);
    while stations.iter().any(Option::is_some) {
        assert!(
            begun.elapsed() < Duration::from_secs(120 + 4 * cards),
            "no end"
        );
        // A kill each time that some more cards are done, at any moment of what follows.
        let next = (killed + 1) * cards / (kills + 1);
        let done = finished.len() as u64;
        if killed < kills && done >= next.min(cards - 1) {
            std::thread::sleep(Duration::from_millis(random(150)));
            let alive: Vec<usize> = (0..3).filter(|i| stations[*i].is_some()).collect();
            let victim = alive[random(alive.len() as u64) as usize];
            if let Some(station) = &mut stations[victim] {
                station.kill();
                killed += 1;
                starts += 1;
                stations[victim] = Some(floor.start(victim));
            }
        }
        finished.append(&mut floor.finished(&finished));
        for (i, station) in stations.iter_mut().enumerate() {
            let Some(child) = station else { continue };
            match child.0.try_wait().unwrap().map(|status| status.code()) {
                None => {}
                Some(Some(0)) => *station = None,
                // The rest is in other stations' hands, or was: once more, when that is known.
                Some(Some(code))
                    if [exit::ELSEWHERE, exit::INTERRUPTED]
                        .iter()
                        .any(|exit| code == i32::from(exit.code)) =>
                {
                    std::thread::sleep(Duration::from_millis(50));
                    starts += 1;
                    *station = Some(floor.start(i));
                }
                Some(code) => {
                    let run = Run::of(&mut floor.command(i));
                    panic!("station {i} ended with {code:?}; again: {run:#?}");
                }
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let took = begun.elapsed();
    // How many kills fall due before the last card is done is the scheduler's; the first always does.
    assert!(killed > 0, "no station was killed");

    // A receipt is written when its card is done: both stayed as they were when it was first seen.
    let receipts = floor.finished::<()>(&BTreeMap::new());
    assert_eq!(receipts.len() as u64, cards);
    for (name, first) in &finished {
        assert!(receipts.get(name) == Some(first), "{name} was done again");
    }
    let each: usize = (0..3)
        .map(|i| files(&floor.out(i).join("receipts")).len())
        .sum();
    assert_eq!(each as u64, cards, "no card has two");
    for eid in &floor.bench.eids {
        assert_personalized(&card_in(&floor.tray, eid));
    }
    verified(&floor, 3);
    let to = floor.bench.path("report");
    let mut report = ipae();
    report.args([
        "personalize",
        "report",
        "--json",
        "--queue",
        &floor.queue,
        "--to",
    ]);
    let report = Run::of(report.arg(&to).env("PGPASSWORD", PASSWORD))
        .good()
        .json();
    assert_eq!(
        (&report["done"], &report["failed"]),
        (&cards.into(), &0.into())
    );
    assert!(to.join("batch.html").exists());
    let status = QueueStatus::read(&Address::parse(&floor.queue, Some(PASSWORD)).unwrap()).unwrap();
    assert_eq!(
        (status.cards, status.done, status.failed),
        (cards, cards, 0)
    );
    assert_eq!(status.leases, []);
    assert!(status.stations.iter().all(|one| one.ended), "{status:#?}");
    // The same from the command line, and one card with its steps.
    let ask = |more: &[&str]| {
        let mut command = ipae();
        command
            .args(["personalize", "status", "--queue", &floor.queue])
            .args(more);
        Run::of(command.env("PGPASSWORD", PASSWORD)).good()
    };
    assert_eq!(ask(&["--json"]).json()["done"], cards);
    let shown = ask(&[]).stdout;
    assert!(
        shown.contains(&format!("{cards} of {cards} cards done")),
        "{shown}"
    );
    assert_eq!(shown.matches(" ended ").count(), 3, "{shown}");
    assert!(!shown.contains(PASSWORD), "{shown}");
    let card = ask(&["--json", "--eid", &floor.bench.eids[0]]).json();
    assert_eq!(card["card"]["state"], "done");
    assert!(
        card["steps"]
            .as_array()
            .is_some_and(|steps| steps.len() >= 8),
        "{card}"
    );
    println!(
        "{cards} cards, 3 stations, {killed} kills, {starts} starts, {} taken over, {:.1} s",
        status.taken_over,
        took.as_secs_f32()
    );
    // Once more: nothing is left to do.
    let again = Run::of(&mut floor.command(0)).good().json();
    assert_eq!(
        (&again["done_now"], &again["traffic"]["apdus"]),
        (&0.into(), &0.into())
    );
}

/// The receipts of all stations, as whoever gets them checks them.
fn verified(floor: &Floor, stations: usize) {
    let mut verify = ipae();
    verify.args(["personalize", "verify-receipts", "--json"]);
    let found = Run::of(verify.args((0..stations).map(|i| floor.out(i))))
        .good()
        .json();
    let cards = floor.bench.eids.len();
    assert_eq!(
        (&found["receipts"], &found["cards"]),
        (&cards.into(), &cards.into())
    );
}

#[test]
fn a_station_whose_server_goes_stops_between_two_steps_and_goes_on() {
    let Some(server) = server() else { return };
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join(SOCKET);
    let plug = || std::os::unix::fs::symlink(server.dir().join(SOCKET), &socket).unwrap();
    plug();
    let bench = Bench::new(6);
    let floor = Floor {
        queue: server.database("gone", Some(dir.path())),
        tray: bench.path("tray"),
        bench,
    };
    let mut command = floor.command(0);
    command
        .args(["--queue-retry", "0"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut station = Background::start(&mut command);
    assert!(wait(Duration::from_secs(60), || !floor
        .finished::<()>(&BTreeMap::new())
        .is_empty()));
    std::fs::remove_file(&socket).unwrap();
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ipae' AND datname = 'gone'";
    server.connect("gone").unwrap().batch_execute(cut).unwrap();
    let mut code = None;
    assert!(wait(Duration::from_secs(60), || {
        code = station
            .0
            .try_wait()
            .ok()
            .flatten()
            .and_then(|status| status.code());
        code.is_some()
    }));
    // It may have been through already on a quick machine.
    assert!(
        [0, exit::QUEUE.code]
            .map(|code| Some(code.into()))
            .contains(&code),
        "{code:?}"
    );
    plug();
    let outcome = Run::of(&mut floor.command(0)).good().json();
    assert_eq!(outcome["done"], 6);
    for eid in &floor.bench.eids {
        assert_personalized(&card_in(&floor.tray, eid));
    }
    verified(&floor, 1);
}
