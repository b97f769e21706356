//! What is kept, when: transactions, power cuts, transient memory, limits.

use super::harness::{CLIENT, CLIENT_PACKAGE, Card, Host, SERVER_PACKAGE, load_files, params};
use crate::vm::*;

fn state(card: &mut Card, host: &mut Host) -> String {
    hex::encode(card.ask(host, 6, 0, 0, &[]))
}

/// State answer after everything was set to `v`.
fn all(v: u8) -> String {
    let mut bytes = vec![0, v, v];
    bytes.extend([v; 8]);
    bytes.extend([0, v, v, 0, v]);
    hex::encode(bytes)
}

#[test]
fn a_transaction_is_one_write() {
    let (mut card, mut host) = Card::new();
    card.ask(&mut host, 5, 9, 0, &[]);
    assert_eq!(host.nvm.writes, 1);
    assert!(!host.commits.is_empty());
    assert_eq!(state(&mut card, &mut host), all(9));
    card.vm.reset();
    assert_eq!(state(&mut card, &mut host), all(9));
    assert_eq!(host.nvm.writes, 1, "reading writes nothing");
}

#[test]
fn power_cut_before_any_write_keeps_all_or_nothing() {
    let (fresh, _) = Card::new();
    let (mut card, mut host) = (fresh.clone(), Host::default());
    card.ask(&mut host, 5, 1, 0, &[]);
    let fresh = card;
    for cut in 0.. {
        let (mut card, mut host) = (fresh.clone(), Host::default());
        host.nvm.cut_after(cut);
        let (outcome, _) = card.send(card.client, &mut host, &[0x80, 5, 2, 0, 0]);
        host.nvm.restore();
        card.vm.reset();
        let done = outcome == Outcome::Returned(None);
        assert_eq!(
            state(&mut card, &mut host),
            all(if done { 2 } else { 1 }),
            "cut {cut}"
        );
        if done {
            assert_eq!(cut, 1);
            break;
        }
        assert_eq!(outcome, Outcome::PowerCut);
    }
}

#[test]
fn power_cut_without_transaction_keeps_a_prefix() {
    let (mut card, mut host) = Card::new();
    card.ask(&mut host, 5, 1, 0, &[]);
    // first, second, log[0], numbers[1], counter, in this order; scratch is RAM.
    let expected = |n: u64, i: u64| if n > i { 2 } else { 1 };
    for cut in 0..=5 {
        let (mut card, mut host) = (card.clone(), Host::default());
        host.nvm.cut_after(cut);
        let (outcome, _) = card.send(card.client, &mut host, &[0x80, 0x10, 2, 0, 0]);
        assert_eq!(outcome == Outcome::PowerCut, cut < 5);
        assert_eq!(host.nvm.writes, cut);
        host.nvm.restore();
        card.vm.reset();
        let answer = card.ask(&mut host, 6, 0, 0, &[]);
        let seen = [answer[1], answer[2], answer[3], answer[12], answer[15]];
        assert_eq!(seen, [0, 1, 2, 3, 4].map(|i| expected(cut, i)), "cut {cut}");
    }
}

#[test]
fn abort_and_forgotten_transactions_leave_nothing() {
    let (mut card, mut host) = Card::new();
    card.ask(&mut host, 5, 1, 0, &[]);
    let objects = card.vm.memory();
    card.ask(&mut host, 5, 2, 1, &[]);
    // The fill of the transient array is not undone, everything else is.
    assert_eq!(state(&mut card, &mut host), all(1));
    let (outcome, _) = card.send(card.client, &mut host, &[0x80, 5, 3, 2, 0]);
    assert!(matches!(outcome, Outcome::Uncaught { reason: 0x6F01, .. }));
    assert!(!card.vm.in_transaction());
    assert_eq!(state(&mut card, &mut host), all(1));
    assert_eq!(card.vm.memory().persistent, objects.persistent);
}

#[test]
fn misuse_and_exhaustion_have_their_reasons() {
    let (mut card, mut host) = Card::new();
    let response = card.ask(&mut host, 7, 0, 0, &[]);
    // NOT_IN_PROGRESS, IN_PROGRESS, BUFFER_FULL, depth 1, depth 0, array gone, NO_RESOURCE,
    // NO_TRANSIENT_SPACE
    assert_eq!(response, [2, 1, 3, 1, 0, 1, 5, 2]);
}

#[test]
fn transient_arrays_clear_when_they_should() {
    let (mut card, mut host) = Card::new();
    assert_eq!(card.ask(&mut host, 8, 0, 0, &[]), [0, 1, 1, 2, 0]);
    assert_eq!(card.ask(&mut host, 8, 0, 0, &[]), [1, 1, 1, 2, 0]);
    assert_eq!(host.nvm.writes, 0, "RAM is no persistent write");
    let mut thread = card.vm.start_deselect(card.client, 0).unwrap();
    assert_eq!(card.vm.run(&mut thread, &mut host), Outcome::Returned(None));
    card.vm.deselected(0);
    card.select(&mut host);
    assert_eq!(card.ask(&mut host, 8, 0, 0, &[]), [2, 1, 1, 2, 0]);
    card.vm.reset();
    card.select(&mut host);
    assert_eq!(card.ask(&mut host, 8, 0, 0, &[]), [0, 1, 1, 2, 0]);
}

#[test]
fn power_cut_before_any_write_of_an_installation_leaves_no_instance() {
    let (server, client) = load_files();
    let mut loaded = Vm::new(Limits::default(), &[]);
    let mut host = Host::default();
    loaded.load(server, &mut host).unwrap();
    loaded.load(client, &mut host).unwrap();
    let before = loaded.memory();
    for cut in 0.. {
        let (mut vm, mut host) = (loaded.clone(), Host::default());
        host.nvm.cut_after(cut);
        let (outcome, instance) = vm
            .install(&CLIENT, &CLIENT, &params(&CLIENT), &mut host)
            .unwrap();
        vm.reset();
        if let Some(instance) = instance {
            assert_eq!(vm.instances(), [instance]);
            assert!(cut > 10, "an installation has many writes");
            break;
        }
        assert_eq!(outcome, Outcome::PowerCut);
        assert!(vm.instances().is_empty());
        assert_eq!(vm.memory().persistent, before.persistent, "cut {cut}");
    }
}

#[test]
fn a_card_without_room_says_so() {
    let (server, client) = load_files();
    let mut host = Host::default();
    let mut vm = Vm::new(
        Limits {
            persistent: 100,
            ..Limits::default()
        },
        &[],
    );
    assert!(matches!(
        vm.load(server, &mut host),
        Err(LoadError::Memory { free: 100, .. })
    ));
    let mut vm = Vm::new(
        Limits {
            transient_reset: 4,
            ..Limits::default()
        },
        &[],
    );
    vm.load(server, &mut host).unwrap();
    vm.load(client, &mut host).unwrap();
    let (outcome, instance) = vm
        .install(&CLIENT, &CLIENT, &params(&CLIENT), &mut host)
        .unwrap();
    assert_eq!(instance, None);
    assert!(matches!(
        outcome,
        Outcome::Uncaught {
            reason: system::NO_TRANSIENT_SPACE,
            ..
        }
    ));
    assert!(vm.instances().is_empty());
}

#[test]
fn imports_must_be_on_the_card() {
    let (server, client) = load_files();
    let mut host = Host::default();
    let mut vm = Vm::new(Limits::default(), &[]);
    let missing = vm.load(client, &mut host).unwrap_err();
    assert!(
        missing
            .to_string()
            .contains("F01122334401 1.0: the card does not have"),
        "{missing}"
    );
    let toolkit = hex::decode("A0000000090005FFFFFFFF8912000000").unwrap();
    let mut vm = Vm::new(Limits::default(), &[toolkit]);
    vm.load(server, &mut host).unwrap();
    let missing = vm.load(client, &mut host).unwrap_err();
    assert!(missing.to_string().contains("uicc.toolkit"), "{missing}");
    assert!(matches!(
        vm.load(server, &mut host),
        Err(LoadError::Exists(_))
    ));
}

/// A card with version 1.0 of a package refuses what imports 1.1, and names what it has (JCVM 4.5.2).
#[test]
fn imports_must_not_be_newer_than_the_card() {
    let mut definition = crate::definition::Definition::shipped("virtual-lab").unwrap();
    for package in &mut definition.java_card.packages {
        if package.name == "javacard/framework" {
            package.minor = 4;
        }
    }
    let mut vm = Vm::on(Limits::default(), Platform::of(&definition));
    let refused = vm.load(&load_files().0, &mut Host::default()).unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("javacard.framework (A0000000620101) 1.5: the card has 1.4"),
        "{refused}"
    );
}

#[test]
fn packages_and_instances_are_deleted_in_order() {
    let (mut card, mut host) = Card::new();
    let package = |vm: &Vm, aid: &[u8]| vm.package_by_aid(aid).unwrap();
    let (server, client) = (
        package(&card.vm, &SERVER_PACKAGE),
        package(&card.vm, &CLIENT_PACKAGE),
    );
    let nvm = &mut host.nvm;
    assert!(matches!(
        card.vm.delete_package(client, nvm),
        Err(DeleteError::InUse(_))
    ));
    card.vm.delete_instance(card.client, nvm).unwrap();
    assert!(matches!(
        card.vm.delete_package(server, nvm),
        Err(DeleteError::InUse(_))
    ));
    card.vm.delete_instance(card.server, nvm).unwrap();
    card.vm.delete_package(client, nvm).unwrap();
    card.vm.delete_package(server, nvm).unwrap();
    assert_eq!(card.vm.memory().persistent, 0);
    assert_eq!(
        card.vm.delete_package(server, nvm),
        Err(DeleteError::NotFound)
    );
}

#[test]
fn a_stored_card_goes_on() {
    let (mut card, mut host) = Card::new();
    card.ask(&mut host, 5, 4, 0, &[]);
    let text = serde_json::to_string(&card.vm).unwrap();
    let vm: Vm = serde_json::from_str(&text).unwrap();
    assert_eq!(vm, card.vm);
    card.vm = vm;
    assert_eq!(state(&mut card, &mut host), all(4));
}

#[test]
fn garbage_is_collected_when_the_card_says_so() {
    let (mut card, mut host) = Card::new();
    card.vm.collect(&mut host.nvm, &[], &[]).unwrap();
    let before = card.vm.memory().persistent;
    card.ask(&mut host, 4, 0, 0, &[]);
    card.ask(&mut host, 4, 0, 0, &[]);
    assert!(card.vm.memory().persistent > before);
    // The first call's cube and both calls' squares.
    assert_eq!(card.vm.collect(&mut host.nvm, &[], &[]).unwrap(), 3);
    assert_eq!(card.vm.collect(&mut host.nvm, &[], &[]).unwrap(), 0);
}
