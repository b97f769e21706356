//! `kill -9` at each step by its name: the event stream says when one begins or ends, and then the process
//! is killed. The same command goes on, and in the end every card is done once.

use super::killed::files;
use super::support::{Background, Bench, Run, assert_personalized};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

const STEPS: [&str; 9] = [
    "identify",
    "authenticate",
    "check",
    "load",
    "install",
    "configure",
    "rotate-keys",
    "add-eim",
    "verify",
];
/// The first goes from step to step through all the lives; the others are there should a kill come late.
const CARDS: u32 = 5;
const NEW: &str = "0F1E2D3C4B5A69788796A5B4C3D2E1F0";

/// A batch whose cards get new keys, so that every step is there.
fn bench(cards: u32) -> Bench {
    let bench = Bench::new(cards);
    let text = std::fs::read_to_string(&bench.order).expect("the order");
    let lines = text.lines().map(|line| match line.split(',').next() {
        Some("eid") => format!("{line},new_kvn,new_key_enc,new_key_mac,new_key_dek\n"),
        Some(first) if !first.starts_with('#') => format!("{line},31,{NEW},{NEW},{NEW}\n"),
        _ => format!("{line}\n"),
    });
    std::fs::write(&bench.order, lines.collect::<String>()).expect("the order");
    bench
}

/// Runs until the stream has this event, and kills. False if the run ended before.
fn killed_at(bench: &Bench, event: &str, step: &str) -> bool {
    let mut child = bench.personalize();
    child
        .arg("--json")
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = Background::start(&mut child);
    let stream = child.0.stdout.take().expect("a pipe");
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        let notice: Value = serde_json::from_str(&line).expect("a line of JSON");
        if notice["event"] == event && notice["step"] == step {
            child.kill();
            return true;
        }
    }
    false
}

#[test]
fn killed_at_every_named_step_every_card_once() {
    let bench = bench(CARDS);
    let (receipts, cards) = (bench.out.join("receipts"), bench.out.join("cards"));
    let mut finished: BTreeMap<String, (Vec<u8>, Vec<u8>)> = BTreeMap::new();
    for step in STEPS {
        for event in ["step-begun", "step-ended"] {
            assert!(killed_at(&bench, event, step), "{event} {step}");
            let stored = files(&cards);
            for (name, receipt) in files(&receipts) {
                let card = stored[&name.replace(".json", ".card")].clone();
                let first = finished
                    .entry(name.clone())
                    .or_insert((receipt.clone(), card.clone()));
                assert_eq!(*first, (receipt, card), "{name} again after {event} {step}");
            }
        }
    }
    let outcome = Run::of(bench.personalize().arg("--json")).good().json();
    assert_eq!(
        (&outcome["done"], &outcome["failed"]),
        (&CARDS.into(), &0.into())
    );
    let stored = files(&receipts);
    for (name, (receipt, _)) in &finished {
        assert_eq!(stored.get(name), Some(receipt), "{name}");
    }
    for eid in &bench.eids {
        let card = bench.card(eid);
        assert_personalized(&card);
        assert_eq!(card.tries_left(), 10, "{eid}");
    }
    Run::new([
        "personalize",
        "verify-receipts",
        &bench.out.display().to_string(),
    ])
    .good();
}
