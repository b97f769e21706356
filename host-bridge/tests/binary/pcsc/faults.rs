//! A card pulled in a load, a service restarted at work, slow cards, garbage, two
//! readers side by side.

use super::pulled::{Pulled, Stop};
use super::service::{Service, skip, wait_for_card};
use crate::support::Bench;
use applet_gen::cap::Cap;
use applet_gen::gp::command;
use applet_model::apdu::{Command as Apdu, Response};
use applet_model::status::Sw;
use cards::definition::Definition;
use host_bridge::gp::loading::{self, Choice, LoadingError};
use host_bridge::gp::plan::Loading;
use host_bridge::gp::{Authentication, GpError, SecurityDomain};
use host_bridge::order::KeyStore;
use host_bridge::personalize::VirtualLink;
use host_bridge::transport::pcsc::PcscLink;
use host_bridge::transport::{CardLink, LinkError, exchange, vpcd};
use host_bridge::vm_bench;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How many commands of a load lie between two that the card is pulled at. (Every one of them is tried
/// without a reader, in `gp::loading`.)
const BETWEEN: usize = 5;

/// Loads a package, as `ipae card load --clean` does it.
fn load(reader: &str, definition: &Definition, cap: &Cap) -> Result<(), LoadingError> {
    let before = |source| LoadingError::Card { source, done: 0 };
    let keys = KeyStore::default()
        .find("test", None, definition)
        .expect("test keys");
    let open = || {
        let mut domain = SecurityDomain::issuer(PcscLink::open(reader)?, definition)?;
        domain.authenticate(
            &keys,
            &mut Authentication {
                level: None,
                attempts: None,
                random: &mut |bytes| {
                    bytes.fill(0x5A);
                    Ok(())
                },
                observer: &mut |_| ControlFlow::Continue(()),
            },
        )?;
        Ok(domain)
    };
    let mut domain = open().map_err(before)?;
    let choice = Choice {
        clean: true,
        ..Choice::default()
    };
    let how = Loading::default();
    loading::load(&mut domain, cap, definition, &how, choice, &mut |_| {})?;
    Ok(())
}

#[test]
fn a_card_pulled_out_of_a_reader_in_a_load_is_loaded_afterwards() {
    let mut service = service!(Service::with_readers());
    if service.daemon.is_none() {
        return skip("the PC/SC service that runs is not this test's to restart");
    }
    let bench = Bench::new(1);
    let card = super::service::new_card(&bench, &bench.eids[0]);
    let definition = Definition::find("virtual-lab").expect("the lab's card");
    let file = vm_bench::load_file(&bench.path("applet")).expect("a small package");
    let cap = Cap::from_load_file(&file).expect("a CAP");
    let reader = service.reader(0);
    let mut pulled = 0;
    loop {
        let address = service.address();
        let stop = AtomicBool::new(false);
        let (out, result) = std::thread::scope(|scope| {
            let _stop = Stop(&stop);
            let served = scope.spawn(|| {
                let link = VirtualLink::open("card", &card).unwrap_or_else(|e| panic!("{e}"));
                let mut card = Pulled::new(link, pulled);
                let ended = vpcd::serve(&address, &mut card, &stop, &mut |_| Ok(()));
                card.out && ended.is_err()
            });
            wait_for_card(&reader);
            let result = load(&reader, &definition, &cap);
            stop.store(true, Ordering::Relaxed);
            (served.join().expect("it ends"), result)
        });
        if !out {
            result.unwrap_or_else(|e| panic!("nobody pulled the card: {e}"));
            break;
        }
        let removed = matches!(
            &result,
            Err(LoadingError::Card { source: GpError::Link(LinkError::Removed(r)), .. }) if *r == reader
        );
        assert!(removed, "pulled at command {pulled}: {result:?}");
        pulled += BETWEEN;
        // The driver takes no other card after one that went in the middle of a command.
        service.restart();
    }
    assert!(pulled > 8, "a load of {pulled} commands");
    let card = VirtualLink::open("card", &card)
        .unwrap_or_else(|e| panic!("{e}"))
        .into_card();
    assert_eq!(card.registry().load_files.len(), 1);
    assert_eq!(card.tries_left(), 10);
}

/// A card that does with each command what a function says.
struct Strange<F> {
    atr: Vec<u8>,
    answer: F,
}

impl<F: FnMut(&Apdu) -> Response> CardLink for Strange<F> {
    fn atr(&self) -> &[u8] {
        &self.atr
    }

    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        Ok(self.atr.clone())
    }

    fn transmit(&mut self, command: &Apdu) -> Result<Response, LinkError> {
        Ok((self.answer)(command))
    }

    fn name(&self) -> String {
        "strange card".to_owned()
    }
}

/// Serves a card in the first slot while `act` is at work with its reader.
fn with_card(
    service: &Service,
    answer: impl FnMut(&Apdu) -> Response + Send,
    act: impl FnOnce(&str),
) {
    let (address, reader) = (service.address(), service.reader(0));
    let stop = AtomicBool::new(false);
    let mut card = Strange {
        atr: vec![0x3B, 0x00],
        answer,
    };
    std::thread::scope(|scope| {
        let _stop = Stop(&stop);
        scope.spawn(|| vpcd::serve(&address, &mut card, &stop, &mut |_| Ok(())));
        wait_for_card(&reader);
        act(&reader);
    });
}

#[test]
fn slow_cards_and_garbage() {
    let service = service!(Service::with_readers());
    // INS says what the card does.
    let answer = |command: &Apdu| match command.ins {
        0x01 => {
            std::thread::sleep(Duration::from_millis(700));
            Response::ok([1])
        }
        0x02 => Response::ok([2; 300]),
        0x03 => Response::status(Sw(0x1234)),
        0x04 => Response::status(Sw(0x6C05)),
        // 61xx without end, a byte at a time.
        _ => Response {
            data: vec![0],
            sw: Sw(0x6101),
        },
    };
    with_card(&service, answer, |reader| {
        let mut link = PcscLink::open(reader).unwrap_or_else(|e| panic!("{e}"));
        let mut ask = |ins| exchange(&mut link, &Apdu::new(0, ins, 0, 0).with_le(256));
        assert_eq!(ask(0x01), Ok(Response::ok([1])));
        assert!(matches!(
            ask(0x02),
            Err(LinkError::LongAnswer { bytes: 300, .. })
        ));
        assert_eq!(ask(0x03), Ok(Response::status(Sw(0x1234))));
        assert_eq!(ask(0x04), Ok(Response::status(Sw(0x6C05))));
        assert!(matches!(ask(0x05), Err(LinkError::Endless { .. })));
        // The link is as good as before.
        assert_eq!(ask(0x01), Ok(Response::ok([1])));
    });
}

#[test]
fn a_service_restarted_at_work_is_told_from_a_card_pulled() {
    let mut service = service!(Service::with_readers());
    if service.daemon.is_none() {
        return skip("the PC/SC service that runs is not this test's to restart");
    }
    let mut held = None;
    with_card(
        &service,
        |_| Response::ok([]),
        |reader| {
            let mut link = PcscLink::open(reader).unwrap_or_else(|e| panic!("{e}"));
            assert!(link.transmit(&Apdu::new(0, 0xA4, 0, 0)).is_ok());
            held = Some(link);
        },
    );
    let mut link = held.expect("a link");
    service.end();
    let gone = link.transmit(&Apdu::new(0, 0xA4, 0, 0)).unwrap_err();
    assert!(matches!(gone, LinkError::ServiceLost(_)), "{gone}");
    assert!(matches!(
        PcscLink::open("Virtual PCD"),
        Err(LinkError::NoService(_))
    ));
    service.restart();
    let lost = link.reset().unwrap_err();
    assert!(matches!(lost, LinkError::ServiceLost(_)), "{lost}");
    drop(link);
    with_card(
        &service,
        |_| Response::ok([]),
        |reader| {
            let mut link = PcscLink::open(reader).unwrap_or_else(|e| panic!("{e}"));
            assert!(link.transmit(&Apdu::new(0, 0xA4, 0, 0)).is_ok());
        },
    );
}

/// SELECTs of the security domain on a card of a reader, in a thread of its own.
fn select_often(reader: &str, file: &Path, address: &str) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _stop = Stop(&stop);
        scope.spawn(|| {
            let mut card = VirtualLink::open("card", file).unwrap_or_else(|e| panic!("{e}"));
            vpcd::serve(address, &mut card, &stop, &mut |_| Ok(()))
        });
        wait_for_card(reader);
        let mut link = PcscLink::open(reader).unwrap_or_else(|e| panic!("{e}"));
        let isd = hex::decode("A000000151000000").expect("an AID");
        for _ in 0..30 {
            let answer = exchange(&mut link, &command::select(&isd));
            assert_eq!(answer.map(|r| r.sw), Ok(Sw::OK));
        }
    });
}

#[test]
fn both_slots_work_side_by_side() {
    let service = service!(Service::with_readers());
    let bench = Bench::new(2);
    let host = "127.0.0.1";
    std::thread::scope(|scope| {
        for slot in 0..2 {
            let card = super::service::new_card(&bench, &bench.eids[slot]);
            let reader = service.reader(slot);
            let port = usize::from(service.port) + slot;
            scope.spawn(move || select_often(&reader, &card, &format!("{host}:{port}")));
        }
    });
}
