//! A small load, and one whose eIM loses an operation.

use super::super::manage::Token;
use super::super::{Eim, EimOptions, Storage};
use super::*;
use cards::pki::Hierarchy;
use std::sync::atomic::AtomicBool;

const TOKEN: &str = "a-token-for-tests";

fn loaded(spoil: impl Fn(&Eim) + Sync) -> LoadReport {
    let hierarchy = Hierarchy::lab().unwrap();
    let identity = super::super::EimIdentity::of_hierarchy(&hierarchy).unwrap();
    let eim = Eim::open(&Storage::Memory, identity, EimOptions::default()).unwrap();
    let any = ([127, 0, 0, 1], 0).into();
    let esipa = eim.serve(any).unwrap();
    let token = Token::of_text(TOKEN).unwrap();
    let authorization = token.header();
    let manage = eim.manage(any, token, false).unwrap();
    let options = LoadOptions {
        esipa: esipa.address(),
        manage: manage.address(),
        authorization,
        devices: 6,
        poll_every: Duration::from_millis(50),
        operations_per_minute: 1200,
        duration: Duration::from_millis(1500),
        settle: Duration::from_secs(30),
        at_once: 3,
        seed: 7,
    };
    let done = |what: &str, _| {
        if what == "settling" {
            spoil(&eim);
        }
    };
    run(&hierarchy, &options, &AtomicBool::new(false), &done).unwrap()
}

#[test]
fn every_operation_is_carried_out_once_and_in_order() {
    let report = loaded(|_| {});
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    assert!(report.operations > 0 && report.polls > 6, "{report:?}");
    assert_eq!(report.executed, report.operations);
}

#[test]
fn what_is_lost_is_found() {
    let report = loaded(|eim| {
        eim.with_db(|db| db.execute("DELETE FROM package WHERE id = 3", []))
            .unwrap();
    });
    let found = |what: &str| report.findings.iter().any(|f| f.what.contains(what));
    assert!(found("package 3 was taken and is gone"), "{report:?}");
}
