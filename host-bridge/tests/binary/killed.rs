//! `kill -9` of `ipae personalize --virtual`, again and again: the same command brings the order to
//! its end, no card twice, none left out.

use super::support::{Background, Bench, Run, assert_personalized, wait};
use host_bridge::exit;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

const CARDS: u32 = 12;

/// Names and contents of a folder's files; a half written one counts as none.
pub fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .map(|entry| {
            (
                entry.file_name().to_string_lossy().into_owned(),
                entry.path(),
            )
        })
        .filter_map(|(name, path)| Some((name, std::fs::read(path).ok()?)))
        .filter(|(name, _)| name.ends_with(".json") || name.ends_with(".card"))
        .collect()
}

fn count(dir: &Path) -> usize {
    files(dir).len()
}

#[test]
fn killed_at_many_moments_every_card_once() {
    let bench = Bench::new(CARDS);
    let (receipts, cards) = (bench.out.join("receipts"), bench.out.join("cards"));
    // What the receipts of finished cards and these cards' files held when they were first seen.
    let mut finished: BTreeMap<String, (Vec<u8>, Vec<u8>)> = BTreeMap::new();
    let mut killed = 0;
    for life in 0..30u64 {
        let begun = count(&cards);
        let done = count(&receipts);
        let mut child = bench.personalize();
        child.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = Background::start(&mut child);
        // Something must have happened, and then a little more, so that each life ends elsewhere:
        // before the first command, within LOAD, within the eIM's configuration, between two cards.
        wait(Duration::from_secs(10), || {
            child.0.try_wait().is_ok_and(|status| status.is_some())
                || match life % 3 {
                    0 => bench.out.exists(),
                    1 => count(&cards) > begun || begun == CARDS as usize,
                    _ => count(&receipts) > done,
                }
        });
        std::thread::sleep(Duration::from_millis(life * 11 % 70));
        if let Ok(Some(status)) = child.0.try_wait() {
            assert!(status.success(), "{status}");
            break;
        }
        child.kill();
        killed += 1;
        let stored = files(&cards);
        for (name, receipt) in files(&receipts) {
            let card = stored[&name.replace(".json", ".card")].clone();
            // A receipt is written when its card is done: from then on both stay as they are.
            let first = finished
                .entry(name.clone())
                .or_insert((receipt.clone(), card.clone()));
            assert_eq!(
                *first,
                (receipt, card),
                "{name} was done again in life {life}"
            );
        }
    }
    assert!(killed >= 3, "{killed}");
    let mut last = bench.personalize();
    let outcome = Run::of(last.arg("--json")).good().json();
    assert_eq!(
        (&outcome["cards"], &outcome["done"]),
        (&CARDS.into(), &CARDS.into())
    );
    assert_eq!(
        (&outcome["failed"], &outcome["pending"]),
        (&0.into(), &0.into())
    );

    let (receipts, stored) = (files(&receipts), files(&cards));
    assert_eq!(
        (receipts.len(), stored.len()),
        (CARDS as usize, CARDS as usize)
    );
    for (name, (receipt, card)) in &finished {
        assert_eq!(receipts.get(name), Some(receipt), "{name}");
        assert_eq!(
            stored.get(&name.replace(".json", ".card")),
            Some(card),
            "{name}"
        );
    }
    for eid in &bench.eids {
        assert_personalized(&bench.card(eid));
        let lines = bench.responses();
        let of_card = lines
            .iter()
            .filter(|line| line.starts_with(&format!("{eid},done,0,")));
        assert_eq!(of_card.count(), 1, "{lines:#?}");
    }
    assert_eq!(bench.responses().len(), CARDS as usize);

    // Once more: nothing is left to do.
    let again = Run::of(bench.personalize().arg("--json")).good().json();
    assert_eq!(
        (&again["done_now"], &again["traffic"]["apdus"]),
        (&0.into(), &0.into())
    );
    // And another order does not take this one's journal.
    bench.edit_order(",60,", ",61,");
    Run::of(&mut bench.personalize()).bad(exit::JOURNAL, &["journal"]);
}

#[test]
fn stopped_on_request_and_resumed() {
    let bench = Bench::new(CARDS);
    let mut first = bench.personalize();
    first.stdout(Stdio::null()).stderr(Stdio::null());
    let mut first = Background::start(&mut first);
    assert!(wait(Duration::from_secs(10), || count(
        &bench.out.join("receipts")
    ) > 0));
    // While it works a second one is told so; it may also be through already on a quick machine.
    let second = Run::of(&mut bench.personalize());
    if second.code != Some(0) {
        second.bad(
            exit::LOCKED,
            &["another process", &bench.out.display().to_string()],
        );
    }
    let code = first.end();
    assert!(
        [0, exit::INTERRUPTED.code]
            .map(i32::from)
            .map(Some)
            .contains(&code),
        "{code:?}"
    );
    let outcome = Run::of(bench.personalize().arg("--json")).good().json();
    assert_eq!(outcome["done"], CARDS);
    for eid in &bench.eids {
        assert_personalized(&bench.card(eid));
    }
}
