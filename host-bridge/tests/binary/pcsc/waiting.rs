//! A station that waits for cards: stopped while it waits, and with a service that is restarted under it.

use super::pulled::Stop;
use super::service::{PATIENCE, Service, new_card, skip};
use crate::support::{Background, Bench, wait};
use applet_model::apdu::{Command as Apdu, Response};
use host_bridge::exit;
use host_bridge::personalize::VirtualLink;
use host_bridge::transport::{CardLink, LinkError, vpcd};
use serde_json::Value;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

/// `ipae personalize --wait` in the background, its events in a file.
struct Station {
    process: Background,
    events: PathBuf,
}

impl Station {
    fn start(bench: &Bench, reader: &str, name: &str) -> Station {
        let events = bench.path(name);
        let mut command = bench.personalize_on(reader);
        command.args(["--wait", "--json"]);
        command.stdout(File::create(&events).expect("a file"));
        Station {
            process: Background::start(&mut command),
            events,
        }
    }

    /// How many events of this name came so far.
    fn count(&self, event: &str) -> usize {
        let text = std::fs::read_to_string(&self.events).expect("the events");
        let events = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        events.filter(|line| line["event"] == event).count()
    }

    #[track_caller]
    fn wait_for(&self, event: &str, count: usize) {
        let seen = || self.count(event) >= count;
        assert!(
            wait(PATIENCE, seen),
            "no {event} number {count} in {}",
            std::fs::read_to_string(&self.events).expect("the events")
        );
    }

    fn code(&mut self) -> Option<i32> {
        let mut code = None;
        wait(PATIENCE, || match self.process.0.try_wait() {
            Ok(Some(status)) => {
                code = status.code();
                true
            }
            _ => false,
        });
        code
    }
}

/// A card that doesn't answer one of its commands before it is let go: the moment for something else to happen.
struct Held<'a> {
    link: VirtualLink,
    left: usize,
    held: &'a AtomicBool,
    go: &'a AtomicBool,
}

impl CardLink for Held<'_> {
    fn atr(&self) -> &[u8] {
        self.link.atr()
    }

    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        self.link.reset()
    }

    fn transmit(&mut self, command: &Apdu) -> Result<Response, LinkError> {
        if self.left == 0 {
            self.held.store(true, Ordering::Relaxed);
            wait(PATIENCE, || self.go.load(Ordering::Relaxed));
        }
        self.left = self.left.wrapping_sub(1);
        self.link.transmit(command)
    }

    fn name(&self) -> String {
        self.link.name()
    }
}

/// Lets a card work until its command after `left` others, and ends the service at that moment.
fn end_at_work(service: &mut Service, reader: &str, file: &Path, left: usize) {
    let address = service.address();
    let (stop, held, go) = (
        AtomicBool::new(false),
        AtomicBool::new(false),
        AtomicBool::new(false),
    );
    std::thread::scope(|scope| {
        let _stop = Stop(&stop);
        scope.spawn(|| {
            let mut card = Held {
                link: VirtualLink::open("card", file).unwrap_or_else(|e| panic!("{e}")),
                left,
                held: &held,
                go: &go,
            };
            // It ends with the service, whatever the driver says then.
            let _ = vpcd::serve(&address, &mut card, &stop, &mut |_| Ok(()));
        });
        let _go = Stop(&go);
        let reached = || held.load(Ordering::Relaxed);
        assert!(wait(PATIENCE, reached), "{reader} is not at work");
        service.end();
    });
}

#[test]
fn a_waiting_station_is_stopped_and_outlives_its_service() {
    let mut service = service!(Service::with_readers());
    if service.daemon.is_none() {
        return skip("the PC/SC service that runs is not this test's to restart");
    }
    let bench = Bench::new(2);
    let cards = [0, 1].map(|i| new_card(&bench, &bench.eids[i]));
    let reader = service.reader(0);

    // Ctrl-C, in an empty reader.
    let mut station = Station::start(&bench, &reader, "stopped");
    station.wait_for("insert", 1);
    let id = station.process.0.id();
    let sent = Command::new("sh")
        .args(["-c", &format!("kill -INT {id}")])
        .status();
    assert!(sent.is_ok_and(|status| status.success()));
    assert_eq!(station.code(), Some(exit::INTERRUPTED.code.into()));

    // The service goes and comes while the station waits for its first card.
    let mut station = Station::start(&bench, &reader, "events");
    station.wait_for("insert", 1);
    service.restart();
    let (mut server, _) = service.serve(&cards[0]);
    station.wait_for("card-done", 1);
    server.end();

    // And while a card is at work: it goes on with that card.
    station.wait_for("insert", 2);
    end_at_work(&mut service, &reader, &cards[1], 40);
    station.wait_for("card-failed", 1);
    service.restart();
    let (mut server, _) = service.serve(&cards[1]);
    assert_eq!(station.code(), Some(0));
    assert_eq!(station.count("card-done"), 2);
    assert_eq!(station.count("reader-lost"), 0);
    server.end();
    for card in &cards {
        let card = VirtualLink::open("card", card).unwrap_or_else(|e| panic!("{e}"));
        crate::support::assert_personalized(&card.into_card());
    }
}
