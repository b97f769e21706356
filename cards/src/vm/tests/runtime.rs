//! Firewall, sharing, APDUs, PIN, suspension, cryptography.

use super::harness::{CLIENT, Card};
use crate::vm::*;

#[test]
fn sharing_switches_contexts() {
    let (mut card, mut host) = Card::new();
    let response = card.ask(&mut host, 9, 0, 0, &[]);
    let aid = hex::encode(CLIENT);
    // total, refused, exception in the server, its ISOException, who called, no one before the client, own AID
    assert_eq!(hex::encode(response), format!("000501016b1207{aid}01{aid}"));
    let (outcome, response) = card.send(card.server, &mut host, &[0, 1, 0, 0, 0]);
    assert_eq!(outcome, Outcome::Returned(None));
    assert_eq!(response, [0, 5, 0xFF, 1]);
}

#[test]
fn the_firewall_refuses() {
    let (mut card, mut host) = Card::new();
    assert_eq!(
        card.ask(&mut host, 0x0A, 0, 0, &[]),
        [1, 2, 3, 4, 5, 1, 7, 8]
    );
}

#[test]
fn apdu_data_flows_in_and_out() {
    let (mut card, mut host) = Card::new();
    let response = card.ask(&mut host, 0x0B, 0, 0, &[1, 2, 3]);
    assert_eq!(response, [1, 2, 3, 1, 0]);
    let data: Vec<u8> = (0..=250).collect();
    let response = card.ask(&mut host, 0x0B, 0, 0, &data);
    assert_eq!(response.len(), 253);
    assert_eq!(response[..251], data);
}

#[test]
fn pin_counts_its_tries() {
    let (mut card, mut host) = Card::new();
    assert_eq!(card.ask(&mut host, 0x0C, 0, 0, &[9, 9, 9, 9]), [0, 2]);
    assert_eq!(card.ask(&mut host, 0x0C, 0, 0, &[1, 2, 3, 4]), [1, 3]);
    for left in [2, 1, 0, 0] {
        assert_eq!(card.ask(&mut host, 0x0C, 0, 0, &[9]), [0, left]);
    }
    assert_eq!(
        card.ask(&mut host, 0x0C, 0, 0, &[1, 2, 3, 4]),
        [0, 0],
        "blocked"
    );
}

#[test]
fn power_cut_in_a_pin_check_costs_a_try_and_never_gives_one() {
    let (card, _) = Card::new();
    for cut in 0..2 {
        let (mut card, mut host) = (card.clone(), super::harness::Host::default());
        host.nvm.cut_after(cut);
        let (outcome, _) = card.send(card.client, &mut host, &[0x80, 0x0C, 0, 0, 4, 1, 2, 3, 4]);
        assert_eq!(outcome, Outcome::PowerCut);
        host.nvm.restore();
        card.vm.reset();
        let left = 2 - u8::try_from(cut).unwrap();
        assert_eq!(card.ask(&mut host, 0x0C, 0, 0, &[9]), [0, left]);
    }
}

#[test]
fn a_thread_waits_for_the_card_while_others_run() {
    let (mut card, mut host) = Card::new();
    let mut thread = card
        .vm
        .start_process(card.client, &[0x80, 0x0F, 0, 0, 0], 0, false)
        .unwrap();
    assert_eq!(card.vm.run(&mut thread, &mut host), Outcome::Suspended);
    assert!(thread.is_suspended());
    // Meanwhile the same applet serves other commands, and the waiting thread is stored away.
    let stored = serde_json::to_string(&thread).unwrap();
    assert_eq!(card.ask(&mut host, 0x0B, 0, 0, &[5]), [5, 1, 0]);
    let mut thread: Thread = serde_json::from_str(&stored).unwrap();
    let resume = Resume::Return(Some(Value::Short(0x20)));
    assert_eq!(
        card.vm.resume(&mut thread, resume.clone(), &mut host),
        Outcome::Returned(None)
    );
    assert_eq!(thread.apdu().unwrap().response(), [0x20, 9]);
    assert!(matches!(
        card.vm.resume(&mut thread, resume, &mut host),
        Outcome::Trap(_)
    ));
}

#[test]
fn a_waiting_thread_may_get_an_exception() {
    let (mut card, mut host) = Card::new();
    let mut thread = card
        .vm
        .start_process(card.client, &[0x80, 0x0F, 0, 0, 0], 0, false)
        .unwrap();
    assert_eq!(card.vm.run(&mut thread, &mut host), Outcome::Suspended);
    let thrown = Throw::new("uicc/toolkit/ToolkitException", 3);
    let exception = thrown.class.to_string();
    let outcome = card
        .vm
        .resume(&mut thread, Resume::Throw(thrown), &mut host);
    assert_eq!(
        outcome,
        Outcome::Uncaught {
            exception,
            reason: 3
        }
    );
}

#[test]
fn cryptography_computes() {
    let (mut card, mut host) = Card::new();
    let digest = card.ask(&mut host, 0x11, 1, 0, b"abc");
    // FIPS 180-4, "abc"
    let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(hex::encode(digest), expected);
    // FIPS 197, C.1: one block, CBC with a zero initial value.
    let plain = hex::decode("00112233445566778899aabbccddeeff").unwrap();
    let response = card.ask(&mut host, 0x11, 2, 0, &plain);
    assert_eq!(
        hex::encode(&response[..16]),
        "69c4e0d86a7b0430d8cdb78070b4c55a"
    );
    assert_eq!(response[16..], plain);
    let mac = card.ask(&mut host, 0x11, 5, 0, &plain);
    assert_eq!(hex::encode(mac), "69c4e0d86a7b0430d8cdb78070b4c55a");
    assert_eq!(card.ask(&mut host, 0x11, 3, 0, b"message"), [1, 0, 32]);
    assert_eq!(card.ask(&mut host, 0x11, 4, 0, &[0]).len(), 4);
    assert_eq!(card.ask(&mut host, 0x11, 9, 0, &[0]), [3]);
}

#[test]
fn an_applet_is_selected_once_at_a_time() {
    let (mut card, _) = Card::new();
    let refused = card.vm.start_select(card.client, 1).unwrap_err();
    assert_eq!(refused, VmError::NotMultiselectable(card.client.0));
    assert!(card.vm.start_select(card.server, 1).is_ok());
}

#[test]
fn the_runtime_asks_applets_for_what_they_share() {
    let (mut card, mut host) = Card::new();
    let mut thread = card.vm.start_shareable(card.server, None, 1).unwrap();
    let Outcome::Returned(Some(Value::Ref(shared))) = card.vm.run(&mut thread, &mut host) else {
        panic!("no object");
    };
    assert!(card.vm.is_instance(shared, "javacard/framework/Shareable"));
    assert!(!card.vm.is_instance(shared, "uicc/toolkit/ToolkitInterface"));
    let none = card.vm.start_interface(
        shared,
        "uicc/toolkit/ToolkitInterface",
        "processToolkit",
        "(S)V",
        &[],
    );
    assert!(matches!(none, Err(VmError::NoMethod(_))));
}

#[test]
fn a_server_that_is_active_elsewhere_is_not_called() {
    let (mut card, mut host) = Card::new();
    // The server doesn't implement MultiSelectable (JCRE 6.2.8.6).
    let mut thread = card.vm.start_select(card.server, 1).unwrap();
    assert!(matches!(
        card.vm.run(&mut thread, &mut host),
        Outcome::Returned(_)
    ));
    let (outcome, _) = card.send(card.client, &mut host, &[0x80, 9, 0, 0, 0]);
    let exception = "java/lang/SecurityException".to_owned();
    let reason = 0;
    assert_eq!(outcome, Outcome::Uncaught { exception, reason });
    card.vm.deselected(1);
    assert_eq!(card.ask(&mut host, 9, 0, 0, &[])[..2], [0, 5]);
}
