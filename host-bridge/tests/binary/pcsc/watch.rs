//! Cards, readers and the service come and go while a watch is on.

use super::service::{PATIENCE, Service, new_card, skip};
use crate::support::Bench;
use host_bridge::transport::pcsc::{Event, Watch};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

static GO_ON: AtomicBool = AtomicBool::new(false);

/// The next event, which is this one.
#[track_caller]
fn expect(watch: &mut Watch, what: &str, is: impl Fn(&Event) -> bool) {
    let event = watch.next(PATIENCE, &GO_ON);
    assert!(event.as_ref().is_some_and(is), "{what} expected, {event:?}");
}

#[test]
fn cards_and_the_service_come_and_go() {
    let mut service = service!(Service::with_readers());
    if service.daemon.is_none() {
        return skip("the PC/SC service that runs is not this test's to restart");
    }
    let bench = Bench::new(1);
    let file = new_card(&bench, &bench.eids[0]);
    let (first, second) = (service.reader(0), service.reader(1));
    let mut watch = Watch::new();
    for reader in [&first, &second] {
        expect(
            &mut watch,
            "a reader",
            |e| matches!(e, Event::ReaderIn { reader: r } if r == reader),
        );
    }
    assert_eq!(watch.next(Duration::from_millis(10), &GO_ON), None);

    let (mut server, _) = service.serve(&file);
    let card = |e: &Event| matches!(e, Event::CardIn { reader, atr } if *reader == first && atr[0] == 0x3B);
    expect(&mut watch, "a card", card);
    assert!(watch.card_in(&first, Duration::ZERO, &GO_ON).is_some());
    assert!(watch.card_in(&second, Duration::ZERO, &GO_ON).is_none());
    assert!(watch.card_out(&second, Duration::ZERO, &GO_ON));
    assert_eq!(server.end(), Some(0));
    let out = |e: &Event| matches!(e, Event::CardOut { reader } if *reader == first);
    expect(&mut watch, "no card", out);

    // The service stops with a card in a reader, and is started again.
    let (mut server, _) = service.serve(&file);
    expect(&mut watch, "a card", card);
    service.end();
    expect(&mut watch, "no card", out);
    for reader in [&first, &second] {
        expect(
            &mut watch,
            "a reader out",
            |e| matches!(e, Event::ReaderOut { reader: r } if r == reader),
        );
    }
    expect(&mut watch, "no service", |e| {
        matches!(e, Event::ServiceOut { .. })
    });
    // Told once.
    assert_eq!(watch.next(Duration::from_millis(300), &GO_ON), None);
    server.end();
    service.restart();
    expect(&mut watch, "the service", |e| *e == Event::ServiceIn);
    for reader in [&first, &second] {
        expect(
            &mut watch,
            "a reader",
            |e| matches!(e, Event::ReaderIn { reader: r } if r == reader),
        );
    }
    let (mut server, _) = service.serve(&file);
    expect(&mut watch, "a card", card);

    // Ctrl-C: a wait for something that doesn't come ends soon.
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| {
            let start = Instant::now();
            assert_eq!(watch.next(Duration::from_secs(3600), &stop), None);
            start.elapsed()
        });
        std::thread::sleep(Duration::from_millis(100));
        stop.store(true, Ordering::Relaxed);
        assert!(waits.join().expect("it ends") < PATIENCE);
    });
    server.end();
}
