//! The same through a real PC/SC stack: pcscd with the vsmartcard driver, a virtual card behind it.

use super::*;
use crate::transport::pcsc::{PcscLink, readers};
use crate::transport::{LinkError, vpcd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Waits until the first virtual reader has a card in it.
fn wait_for_card() -> String {
    let start = Instant::now();
    loop {
        let name = readers()
            .unwrap()
            .into_iter()
            .find(|name| name.contains("Virtual PCD"))
            .expect("pcscd has no virtual reader");
        match PcscLink::open(&name) {
            Ok(_) => return name,
            Err(LinkError::NoCard(_) | LinkError::Removed(_) | LinkError::Mute { .. })
                if start.elapsed() < Duration::from_secs(10) =>
            {
                std::thread::sleep(Duration::from_millis(100));
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
#[ignore = "needs pcscd with the vsmartcard driver: see `make test`"]
fn a_card_in_a_reader_is_personalized() {
    let dir = tempfile::tempdir().unwrap();
    let order = order(1);
    // The station makes the card; the driver serves it.
    let mut made = station(dir.path());
    let eid = order.rows[0].eid.to_string();
    made.next(&[&order.rows[0]]).unwrap();
    let file = made.file(&eid);
    let stop = Arc::new(AtomicBool::new(false));
    let server = std::thread::spawn({
        let stop = stop.clone();
        move || {
            let mut link = VirtualLink::open("served card", &file).unwrap();
            let address = format!("127.0.0.1:{}", vpcd::DEFAULT_PORT);
            vpcd::serve(&address, &mut link, &stop, &mut |_| Ok(()))
        }
    });
    let name = wait_for_card();
    // While one has the reader, a second one is told so.
    let held = PcscLink::open(&name).unwrap();
    assert_eq!(
        PcscLink::open(&name).err(),
        Some(LinkError::Busy(name.clone()))
    );
    drop(held);
    let start = Instant::now();
    let mut reader = ReaderStation::new(vec![name]);
    let (outcome, events) = run_logged(dir.path(), &order, &mut reader);
    let outcome = outcome.unwrap();
    assert_eq!((outcome.done, outcome.failed), (1, 0), "{events:#?}");
    println!("{} APDUs in {:?}", outcome.traffic.apdus, start.elapsed());
    stop.store(true, Ordering::Relaxed);
    server.join().unwrap().unwrap();
    assert_personalized(&stored(dir.path(), &order, 0));
}

#[test]
#[ignore = "needs that no pcscd runs"]
fn no_service_says_what_to_start() {
    let error = readers().unwrap_err();
    assert_eq!(error.exit(), exit::NO_SERVICE, "{error}");
    assert!(error.to_string().contains("pcscd"));
}
