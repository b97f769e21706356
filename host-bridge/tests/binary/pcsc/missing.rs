//! Services, readers, cards and drivers that are not there, or that others have.

use super::service::{PATIENCE, Service, new_card, ports, skip};
use crate::support::{Bench, Run, ipae, wait};
use host_bridge::exit;
use host_bridge::transport::LinkError;
use host_bridge::transport::pcsc::{PcscLink, readers};
use std::net::TcpStream;

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
    if cfg!(target_os = "linux") {
        let who = format!("(process {})", std::process::id());
        assert!(busy.stderr.contains(&who), "{}", busy.stderr);
    }
    let listed = Run::new(["card", "readers", "--json"]).good().json();
    let held_by =
        |info: &serde_json::Value| info["name"] == *reader && info["in_use"] == "exclusive";
    assert!(
        listed.as_array().is_some_and(|all| all.iter().any(held_by)),
        "{listed}"
    );
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
