//! The security domain against the host's side of GlobalPlatform.

use super::*;
use crate::gp::registry::{Aid, CardState, Instance};
use applet_gen::gp::command::{self, StatusKind};
use applet_gen::gp::put_key::expected_answer;
use applet_gen::gp::registry::{parse_card_resources, parse_key_information, parse_status};

#[test]
fn every_security_level_carries_commands_and_answers() {
    for level in [0x00, 0x01, 0x03, 0x11, 0x13, 0x33] {
        let level = SecurityLevel::from_byte(level).unwrap();
        let mut session = Session::open(card(), level);
        let status = session.ok(&command::get_status(
            StatusKind::IssuerSecurityDomain,
            &[],
            false,
        ));
        let entries = parse_status(&status).unwrap();
        assert_eq!(entries[0].aid, aid::ISD);
        assert_eq!(entries[0].life_cycle, CardState::Secured as u8);
        // Content management asks for C-MAC in SECURED.
        let deleted = session.send(&command::delete(&[1, 2, 3, 4, 5], false));
        let expected = if level.c_mac() {
            Sw::REFERENCED_DATA_NOT_FOUND
        } else {
            Sw::SECURITY_NOT_SATISFIED
        };
        assert_eq!(deleted.sw, expected);
        // An error breaks neither chaining nor counters.
        session.ok(&command::get_status(
            StatusKind::IssuerSecurityDomain,
            &[],
            false,
        ));
    }
}

#[test]
fn challenges_follow_the_sequence_counter() {
    let mut card = card();
    raw(&mut card, "00A4040008A00000015100000000");
    let mut challenge = || {
        let answer = send(
            &mut card,
            &Request::new(0, Mode::S8, &[1; 8]).unwrap().command(),
        )
        .data;
        (hex::encode(&answer[13..21]), hex::encode(&answer[29..32]))
    };
    let (first, second) = (challenge(), challenge());
    assert_eq!((first.1.as_str(), second.1.as_str()), ("000001", "000002"));
    assert_ne!(first.0, second.0);
}

#[test]
fn wrong_keys_are_counted_and_block_the_domain() {
    let mut card = card();
    raw(&mut card, "00A4040008A00000015100000000");
    let tries = card.tries_left();
    let fail = |card: &mut VirtualCard| {
        raw(card, "8050000008 0102030405060708 00");
        raw(card, "8482030010 00000000000000000000000000000000")
    };
    for left in (0..tries).rev() {
        assert_eq!(fail(&mut card), "6982");
        assert_eq!(card.tries_left(), left);
    }
    assert_eq!(raw(&mut card, "8050000008 0102030405060708 00"), "6983");
    card.reset();
    raw(&mut card, "00A4040008A00000015100000000");
    assert_eq!(raw(&mut card, "8050000008 0102030405060708 00"), "6983");
}

#[test]
fn a_success_sets_the_count_back() {
    let mut card = card();
    raw(&mut card, "00A4040008A00000015100000000");
    let tries = card.tries_left();
    raw(&mut card, "8050000008 0102030405060708 00");
    raw(&mut card, "8482030010 00000000000000000000000000000000");
    assert_eq!(card.tries_left(), tries - 1);
    let session = Session::open(card, SecurityLevel::CMac);
    assert_eq!(session.card.tries_left(), tries);
}

#[test]
fn a_tampered_message_ends_the_session() {
    let mut session = Session::open(card(), SecurityLevel::CDecCMac);
    let status = command::get_status(StatusKind::IssuerSecurityDomain, &[], false);
    let mut wrapped = session.channel.wrap(&status).unwrap();
    *wrapped.data.last_mut().unwrap() ^= 1;
    assert_eq!(
        send(&mut session.card, &wrapped).sw,
        Sw::SECURITY_NOT_SATISFIED
    );
    let wrapped = session.channel.wrap(&status).unwrap();
    assert_eq!(
        send(&mut session.card, &wrapped).sw,
        Sw::SECURITY_NOT_SATISFIED
    );
    assert_eq!(
        send(&mut session.card, &status).sw,
        Sw::SECURITY_NOT_SATISFIED
    );
}

#[test]
fn keys_are_replaced_and_the_old_ones_are_worth_nothing() {
    let mut session = Session::open(card(), SecurityLevel::Full);
    let new = keys_of(1);
    let answer = session.ok(&put_key_set(0x30, 0x31, &new, &test_keys()).unwrap());
    assert_eq!(answer, expected_answer(0x31, &new).unwrap());
    let information = parse_key_information(&session.ok(&command::get_data(0x00E0))).unwrap();
    assert_eq!(information.len(), 3);
    assert!(
        information
            .iter()
            .all(|key| (key.kvn, key.length) == (0x31, 16))
    );
    let mut card = session.card;
    assert!(authenticate(&mut card, SecurityLevel::Full, &test_keys(), 0).is_err());
    authenticate(&mut card, SecurityLevel::Full, &new, 0x31).unwrap();
    // A wrong check value changes nothing.
    let mut session = Session {
        channel: authenticate(&mut card, SecurityLevel::CMac, &new, 0).unwrap(),
        card,
    };
    let mut broken = put_key_set(0x31, 0x32, &test_keys(), &new).unwrap();
    *broken.data.last_mut().unwrap() ^= 1;
    assert_eq!(session.send(&broken).sw, Sw::INVALID_KEY_CHECK_VALUE);
    assert!(authenticate(&mut session.card, SecurityLevel::CMac, &new, 0x31).is_ok());
}

#[test]
fn long_registries_come_in_pages() {
    let mut session = Session::open(card(), SecurityLevel::Full);
    for n in 0..20 {
        let made = |kind| Aid::new(&[0xF0, kind, 0, 0, 0, 0, n]).unwrap();
        session.card.world.gp.registry.instances.push(Instance {
            aid: made(1),
            load_file: made(2),
            module: made(3),
            state: 7,
            privileges: [0; 3],
            domain: Aid::new(aid::ISD).unwrap(),
            toolkit: None,
        });
    }
    let mut found = Vec::new();
    let mut next = false;
    loop {
        let response = session.send(&command::get_status(StatusKind::Applications, &[], next));
        found.extend(parse_status(&response.data).unwrap());
        next = true;
        match response.sw {
            Sw::MORE_DATA_AVAILABLE => {}
            sw => break assert_eq!(sw, Sw::OK),
        }
    }
    let numbers: Vec<u8> = found.iter().map(|entry| entry.aid[6]).collect();
    assert_eq!(numbers, (0..20).collect::<Vec<u8>>());
    let again = session.send(&command::get_status(StatusKind::Applications, &[], true));
    assert_eq!(again.sw, Sw::CONDITIONS_NOT_SATISFIED);
}

#[test]
fn life_cycles_move_by_command() {
    let mut session = Session::open(card(), SecurityLevel::CMac);
    assert_eq!(
        session.send(&command::set_status(0x80, 0x07, &[])).sw,
        Sw::CONDITIONS_NOT_SATISFIED
    );
    session.ok(&command::set_status(0x80, 0x7F, &[]));
    assert_eq!(
        session.send(&command::delete(&[1, 2, 3, 4, 5], false)).sw,
        Sw::FUNCTION_NOT_SUPPORTED
    );
    let isd_r = Command::new(1, 0xA4, 4, 0).with_data(aid::ISD_R);
    send(&mut session.card, &Command::new(0, 0x70, 0, 1));
    assert_eq!(
        send(&mut session.card, &isd_r).sw,
        Sw::FUNCTION_NOT_SUPPORTED
    );
    session.ok(&command::set_status(0x80, 0x0F, &[]));
    assert_eq!(send(&mut session.card, &isd_r).sw, Sw::OK);
}

#[test]
fn power_cuts_leave_the_old_key_set_or_the_new_one() {
    for cut in 0..3 {
        let mut session = Session::open(card(), SecurityLevel::CMac);
        let new = StaticKeys::new(&[1; 16], &[2; 16], &[3; 16]).unwrap();
        session.card.nvm_mut().cut_after(cut);
        let wrapped = session
            .channel
            .wrap(&put_key_set(0x30, 0x30, &new, &test_keys()).unwrap())
            .unwrap();
        let done = session.card.transmit(&wrapped.to_bytes()).is_ok();
        assert_eq!(done, cut > 0);
        assert_eq!(session.card.transmit(&[0, 0xA4, 4, 0]).is_ok(), done);
        session.card.reset();
        session.card.nvm_mut().cut_before = None;
        let keys = if done { new } else { test_keys() };
        raw(&mut session.card, "00A4040000");
        authenticate(&mut session.card, SecurityLevel::CMac, &keys, 0).unwrap();
    }
}

#[test]
fn loads_are_checked_block_by_block() {
    let mut session = Session::open(card(), SecurityLevel::CMac);
    let package = [0xF0, 1, 2, 3, 4, 5];
    let for_load =
        |parameters: &[u8]| command::install_for_load(&package, aid::ISD, &[], parameters, &[]);
    let block =
        |p1, p2, data: &str| Command::new(0x80, 0xE8, p1, p2).with_data(hex::decode(data).unwrap());
    assert_eq!(
        session.send(&block(0, 0, "C40100")).sw,
        Sw::CONDITIONS_NOT_SATISFIED
    );
    // More code than there is memory.
    assert_eq!(
        session
            .send(&for_load(&hex::decode("EF06C60410000000").unwrap()))
            .sw,
        Sw::NOT_ENOUGH_MEMORY
    );
    session.ok(&for_load(&[]));
    assert_eq!(
        session.send(&block(0, 1, "C403000000")).sw,
        Sw::INCORRECT_P1_P2
    );
    session.ok(&for_load(&[]));
    assert_eq!(
        session.send(&block(0, 0, "C4830FFFFF00")).sw,
        Sw::NOT_ENOUGH_MEMORY
    );
    session.ok(&for_load(&[]));
    assert_eq!(session.send(&block(0, 0, "E3030000")).sw, Sw::WRONG_DATA);
    session.ok(&for_load(&[]));
    session.ok(&block(0, 0, "C40401"));
    assert_eq!(session.send(&block(0x80, 1, "020304")).sw, Sw::WRONG_DATA);
    assert!(session.card.take_fault().is_some());
    assert!(session.card.registry().load_files.is_empty());
    let resources = parse_card_resources(&session.ok(&command::get_data(0xFF21))).unwrap();
    assert!(resources.non_volatile > 0);
}
