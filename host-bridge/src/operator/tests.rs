//! The screen as an operator sees it, and as a fold; lines of the stream.

use super::*;
use crate::exit;
use crate::personalize::{Event, Notice, Outcome};
use crate::transport::Traffic;
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use std::time::Duration;

const A: &str = "89049032000000000000000000000163";
const B: &str = "89049032000000000000000000000261";

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn done(eid: &str) -> Event {
    let eid = eid.to_owned();
    Event::CardDone { eid, sequence: 1 }
}

fn card(eid: &str) -> Event {
    Event::Card {
        eid: eid.to_owned(),
        link: "reader".to_owned(),
        resumed: false,
    }
}

fn started(cards: usize, done: usize) -> Event {
    Event::Started {
        cards,
        done,
        keys_in_host: false,
    }
}

fn begun(step: &str) -> Event {
    let step = step.to_owned();
    Event::StepBegun { step }
}

fn failed(eid: &str) -> Event {
    Event::CardFailed {
        eid: eid.to_owned(),
        exit: exit::CARD_REMOVED,
        error: "the card was removed at LOAD block 7".to_owned(),
    }
}

/// A terminal of this size with the station on it.
fn terminal(screen: &Screen, width: u16, height: u16) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, screen)).unwrap();
    terminal
}

/// What stands there.
fn drawn(screen: &Screen, width: u16, height: u16) -> String {
    terminal(screen, width, height).backend().to_string()
}

/// Three readers in the middle of an order.
fn busy() -> Screen {
    let readers = ["Slot 1", "Slot 2", "Slot 3"].map(String::from);
    let mut screen = Screen::new("order.csv, station one", readers);
    screen.apply(at(0), "", &started(10, 4));
    screen.apply(at(1), "Slot 1", &card(A));
    screen.apply(at(10), "Slot 1", &done(A));
    screen.apply(at(11), "Slot 2", &card(B));
    screen.apply(at(20), "Slot 2", &failed(B));
    screen.apply(at(21), "Slot 3", &card(A));
    screen.apply(at(22), "Slot 3", &begun("load"));
    screen.apply(at(30), "Slot 3", &Event::Loading { block: 12, of: 51 });
    screen
}

#[test]
fn a_station_at_work() {
    let shown = drawn(&busy(), 106, 16);
    // The heading, the figures, each reader's state, card and reason, the list.
    for words in [
        "order.csv, station one",
        "5 of 10 done, 1 failed, 180 cards/h, 0:01:20 left",
        "DONE, REMOVE",
        "FAILED, REMOVE",
        "WORKING",
        A,
        B,
        "card-removed: the card was",
        "load 12/51 (9 s)",
        "failed: 1 card-removed",
        "0:00:20 Slot 2: ",
        "q or Ctrl-C",
    ] {
        assert!(shown.contains(words), "{words:?} is not in\n{shown}");
    }
}

#[test]
fn a_small_terminal_has_a_line_for_each_reader() {
    let expected = "\
\"order.csv, station one                            \"
\"5 of 10 done, 1 failed, 180 cards/h, 0:01:20 left \"
\"DONE, REMOVE     Slot 1 89049032000000000000000000\"
\"FAILED, REMOVE   Slot 2 89049032000000000000000000\"
\"WORKING          Slot 3 89049032000000000000000000\"
\"failed: 1 card-removed                            \"
\"q or Ctrl-C: stop at the next safe point          \"
";
    assert_eq!(drawn(&busy(), 50, 7), expected);
}

#[test]
fn more_readers_than_lines_are_counted() {
    let readers = (1..=9).map(|i| format!("Slot {i}"));
    let screen = Screen::new("order.csv", readers);
    let shown = drawn(&screen, 50, 9);
    assert!(
        shown.contains("Slot 4") && !shown.contains("Slot 5"),
        "{shown}"
    );
    assert!(shown.contains("and 5 more"), "{shown}");
    // Four lines have no room for any, one line is enough for the figures.
    assert!(drawn(&screen, 50, 4).contains("no failures"));
    assert!(drawn(&screen, 50, 1).contains("0 of 0 done, 0 failed"));
}

#[test]
fn a_reader_waits_refuses_and_is_lost() {
    let mut screen = Screen::new("order.csv", ["Slot 1".to_owned()]);
    assert_eq!(screen.readers[0].phase, Phase::Insert);
    let refused = Event::CardRefused {
        eid: None,
        exit: exit::WRONG_CARD,
        error: "no EID".to_owned(),
    };
    screen.apply(at(1), "Slot 1", &refused);
    assert!(drawn(&screen, 40, 12).contains("NOT OURS, REMOVE"));
    assert_eq!((screen.failed, screen.done), (0, 0));
    screen.apply(at(2), "Slot 1", &Event::Insert);
    assert!(drawn(&screen, 40, 12).contains("INSERT CARD"));
    let lost = Event::ReaderLost {
        exit: exit::NO_READER,
        error: "unplugged".to_owned(),
    };
    screen.apply(at(3), "Slot 1", &lost);
    assert!(drawn(&screen, 40, 12).contains("READER LOST"));
    screen.stopping = true;
    assert!(drawn(&screen, 40, 12).contains("stopping at the next safe point"));
}

#[test]
fn throughput_is_of_the_last_cards_and_falls_while_nothing_ends() {
    let mut screen = Screen::default();
    screen.apply(at(0), "", &started(1000, 0));
    assert_eq!((screen.per_hour(), screen.left()), (None, None));
    for second in 1..=200 {
        screen.apply(at(second), "r", &done(A));
    }
    assert_eq!(screen.per_hour(), Some(3600.0));
    assert_eq!(screen.left(), Some(at(800)));
    screen.tick(at(263));
    assert_eq!(screen.per_hour(), Some(1800.0));
}

fn events() -> impl Strategy<Value = Event> {
    let eid = prop_oneof![Just(A), Just(B), Just("")];
    let text = "[a-z\u{1b}\u{4e00}\\n]{0,40}";
    prop_oneof![
        (0usize..60, 0usize..60).prop_map(|(cards, done)| started(cards, done)),
        Just(Event::Insert),
        Just(Event::KeysFit),
        eid.clone().prop_map(card),
        text.prop_map(|step| Event::StepBegun { step }),
        (any::<usize>(), any::<usize>()).prop_map(|(block, of)| Event::Loading { block, of }),
        eid.clone().prop_map(done),
        eid.clone().prop_map(failed),
        (eid, text).prop_map(|(eid, error)| Event::CardRefused {
            eid: (!eid.is_empty()).then(|| eid.to_owned()),
            exit: exit::WRONG_CARD,
            error,
        }),
        text.prop_map(|error| Event::ReaderLost {
            exit: exit::LINK,
            error
        }),
    ]
}

proptest! {
    /// Whatever comes: nothing is lost from the counts, each reader shows its own last event whatever
    /// the others do, and the picture fits any terminal.
    #[test]
    fn any_events_at_any_size(
        events in prop::collection::vec((0u8..4, 0u64..5000, events()), 0..60),
        width in 0u16..160,
        height in 0u16..50,
    ) {
        let mut screen = Screen::default();
        let mut alone: Vec<Screen> = vec![Screen::default(); 4];
        let (mut ended, mut broken) = (0, 0);
        for (reader, ms, event) in &events {
            let name = format!("reader {reader}");
            screen.apply(Duration::from_millis(*ms), &name, event);
            alone[usize::from(*reader)].apply(Duration::from_millis(*ms), &name, event);
            match event {
                Event::Started { done, .. } => ended = *done,
                Event::CardDone { .. } => ended += 1,
                Event::CardFailed { .. } => broken += 1,
                _ => {}
            }
        }
        prop_assert_eq!((screen.done, screen.failed), (ended, broken));
        prop_assert_eq!(screen.classes.values().sum::<usize>(), broken);
        for reader in &screen.readers {
            let same = alone.iter().flat_map(|one| &one.readers).find(|one| one.name == reader.name);
            let same = same.expect("the reader's own events made it");
            prop_assert_eq!((&same.phase, &same.eid), (&reader.phase, &reader.eid));
        }
        terminal(&screen, width, height);
    }
}

#[test]
fn lines_of_the_stream() {
    let mut out = Vec::new();
    let notice = Notice {
        at: "2026-01-01T00:00:00Z".to_owned(),
        reader: "Slot 1".to_owned(),
        event: failed(A),
    };
    stream::write(&mut out, "one", &notice).unwrap();
    let outcome = Outcome {
        cards: 1,
        done: 0,
        done_now: 0,
        failed: 1,
        pending: 0,

        elsewhere: 0,
        traffic: Traffic::default(),
        exit_code: 24,
    };
    stream::write_end(&mut out, "one", "2026-01-01T00:00:01Z", &outcome).unwrap();
    let text = String::from_utf8(out).unwrap();
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        lines[0],
        serde_json::json!({
            "v": 1, "station": "one", "at": "2026-01-01T00:00:00Z", "reader": "Slot 1",
            "event": "card-failed", "eid": A,
            "exit": {"code": 24, "name": "card-removed", "meaning": exit::CARD_REMOVED.meaning},
            "error": "the card was removed at LOAD block 7",
        })
    );
    assert_eq!(
        (&lines[1]["event"], &lines[1]["exit_code"]),
        (&"ended".into(), &24.into())
    );
}
