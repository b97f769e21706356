//! Whole runs on virtual cards with the real applet, undisturbed and stopped everywhere.

mod jobs;
mod refused;
mod resumed;
mod rotated;

use super::*;
use crate::exit::{self, Exit, ExitCode};
use crate::order::{KeyStore, SampleOptions, sample};
use crate::transport::CardLink;
use cards::card::VirtualCard;
use cards::euicc::EuiccSetup;
use cards::pki::Hierarchy;
use std::ops::ControlFlow;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

/// The applet's CAP file, built once for all tests.
fn cap() -> &'static [u8] {
    static CAP: OnceLock<Vec<u8>> = OnceLock::new();
    CAP.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let javac = applet_gen::javac::Javac::locate().unwrap();
        let applet = applet_gen::build::Applet::build(dir.path(), &javac).unwrap();
        applet.cap.to_jar().unwrap()
    })
}

pub(super) fn applet() -> Applet {
    Applet::from_bytes("ipae.cap", cap()).unwrap()
}

fn job() -> Job {
    Job::ipae(applet()).unwrap()
}

pub(super) fn definition() -> Definition {
    Definition::shipped("virtual-lab").unwrap()
}

/// An order of so many cards, with the lab's eIM.
fn order(count: u32) -> Order {
    order_with(count, "test", &KeyStore::default())
}

fn order_with(count: u32, key_set: &str, store: &KeyStore) -> Order {
    let hierarchy = Hierarchy::lab().unwrap();
    let eim = hierarchy.issue_eim("eim.lab.example").unwrap();
    let key = eim.certificate.public_key().unwrap().to_spki().unwrap();
    let text = sample(&SampleOptions {
        count,
        key_set: key_set.to_owned(),
        eim_public_key: hex::encode(key),
        address: Some("127.0.0.1".to_owned()),
        port: 8080,
        poll_minutes: 30,
        ..SampleOptions::default()
    });
    Order::parse(
        &text,
        Path::new("order.csv"),
        Path::new("."),
        &definition(),
        store,
    )
    .unwrap()
}

fn station(out: &Path) -> VirtualStation {
    VirtualStation::new(
        &out.join("cards"),
        definition(),
        Hierarchy::lab().unwrap(),
        EuiccSetup::lab().unwrap(),
        7,
    )
}

fn options(out: &Path) -> Options {
    let n = AtomicU8::new(1);
    Options {
        random: Arc::new(move |bytes| {
            bytes.fill(n.fetch_add(1, Ordering::Relaxed));
            Ok(())
        }),
        clock: Arc::new(|| "2026-01-01T00:00:00Z".to_owned()),
        ..Options::new(out)
    }
}

/// One run over an order; every event goes into the list.
fn run_logged(
    out: &Path,
    order: &Order,
    station: &mut dyn Station,
) -> (Result<Outcome, PersonalizeError>, Vec<Event>) {
    let mut events = Vec::new();
    let result = run(
        order,
        &definition(),
        &job(),
        vec![station],
        &options(out),
        &mut |notice| {
            events.push(notice.event.clone());
            ControlFlow::Continue(())
        },
    );
    (result, events)
}

/// The card as its file has it.
fn stored(out: &Path, order: &Order, i: usize) -> VirtualCard {
    station(out)
        .open(&order.rows[i].eid.to_string())
        .unwrap()
        .into_card()
}

/// The card has exactly what the order says.
fn assert_personalized(card: &VirtualCard) {
    assert_eq!(card.registry().instances.len(), 1);
    assert_eq!(card.registry().load_files.len(), 1);
    assert_eq!(card.euicc().state().eims.len(), 1);
    card.euicc().check_invariants().unwrap();
}

#[test]
fn an_order_becomes_cards() {
    let dir = tempfile::tempdir().unwrap();
    let order = order(3);
    let (outcome, events) = run_logged(dir.path(), &order, &mut station(dir.path()));
    let outcome = outcome.unwrap();
    assert_eq!(
        (outcome.done, outcome.failed, outcome.exit_code),
        (3, 0, 0),
        "{events:#?}"
    );
    for (i, row) in order.rows.iter().enumerate() {
        assert_personalized(&stored(dir.path(), &order, i));
        let receipt = std::fs::read(dir.path().join(format!("receipts/{}.json", row.eid))).unwrap();
        let receipt: serde_json::Value = serde_json::from_slice(&receipt).unwrap();
        assert_eq!(receipt["configuration"]["poll_minutes"], 30);
        assert_eq!(receipt["eim"]["id"], "eim.lab.example");
        assert_eq!(
            receipt["key_set"]["check_values"][0]
                .as_str()
                .unwrap()
                .len(),
            6
        );
        let text = receipt.to_string();
        assert!(
            !text.contains("404142434445464748494A4B4C4D4E4F"),
            "a key in a receipt"
        );
    }
    let response = std::fs::read_to_string(dir.path().join("response.csv")).unwrap();
    assert_eq!(response.lines().count(), 4);
    assert_eq!(response.matches(",done,0,").count(), 3);

    // The same command again does nothing.
    let (again, events) = run_logged(dir.path(), &order, &mut station(dir.path()));
    let again = again.unwrap();
    assert_eq!((again.done, again.done_now, again.traffic.apdus), (3, 0, 0));
    let started = Event::Started {
        cards: 3,
        done: 3,
        keys_in_host: false,
    };
    assert_eq!(events, [started]);
}
