//! SCP03 on the card: every "i", the levels that it allows, counters, R-MAC sessions.

use super::*;
use applet_gen::gp::command::{self, StatusKind};
use applet_gen::gp::scp03::ScpError;

/// A card whose issuer's domain has this "i".
fn with_i(i: u8) -> VirtualCard {
    let mut card = card();
    card.world.gp.domains[0].i = i;
    raw(&mut card, "00A4040008A00000015100000000");
    card
}

fn open(card: &mut VirtualCard, i: u8, level: SecurityLevel) -> Result<SecureChannel, ScpError> {
    let mode = Mode::of_i_parameter(i);
    let request = Request::new(0, mode, &vec![0x33; mode.length()]).unwrap();
    let response = send(card, &request.command());
    let pending = request.authenticate(&test_keys(), &response, level)?;
    let response = send(card, pending.command());
    pending.complete(&response)
}

#[test]
fn every_i_allows_its_levels_and_no_other() {
    let levels = [0x00, 0x01, 0x03, 0x11, 0x13, 0x33];
    for i in [0x00, 0x10, 0x20, 0x30, 0x60, 0x70]
        .into_iter()
        .flat_map(|i| [i, i | 1])
    {
        for level in levels {
            let level = SecurityLevel::from_byte(level).unwrap();
            let allowed = !(level.r_mac() && i & 0x20 == 0 || level.r_enc() && i & 0x40 == 0);
            let mut card = with_i(i);
            let opened = open(&mut card, i, level);
            assert_eq!(opened.is_ok(), allowed, "i={i:02X}, {level}");
            let Ok(channel) = opened else {
                continue;
            };
            assert_eq!(channel.card().sequence_counter.is_some(), i & 0x10 != 0);
            let mut session = Session { card, channel };
            for _ in 0..2 {
                session.ok(&command::get_status(StatusKind::LoadFiles, &[], false));
            }
        }
    }
}

#[test]
fn a_card_refuses_levels_that_its_i_excludes() {
    // The host's library refuses them itself: here P1 is changed on the way.
    for (i, level) in [
        (0x10, 0x11),
        (0x10, 0x33),
        (0x30, 0x33),
        (0x70, 0x02),
        (0x70, 0x31),
    ] {
        let mut card = with_i(i);
        let request = Request::new(0, Mode::S8, &[0x33; 8]).unwrap();
        let response = send(&mut card, &request.command());
        let pending = request
            .authenticate(&test_keys(), &response, SecurityLevel::CMac)
            .unwrap();
        let mut command = pending.command().clone();
        command.p1 = level;
        assert_eq!(send(&mut card, &command).sw, Sw::INCORRECT_P1_P2);
        assert_eq!(card.tries_left(), 10);
    }
    // A challenge of the other mode's length.
    let mut card = with_i(0x71);
    assert_eq!(raw(&mut card, "8050000008 0102030405060708 00"), "6700");
}

#[test]
fn random_challenges_differ_and_count_nothing() {
    let mut card = with_i(0x60);
    let command = Request::new(0, Mode::S8, &[1; 8]).unwrap().command();
    let mut challenge = || send(&mut card, &command).data;
    let (first, second) = (challenge(), challenge());
    assert_ne!(first[13..21], second[13..21]);
    assert_eq!(first.len(), 29);
    assert_eq!(card.nvm().writes, 0);
}

#[test]
fn a_sequence_counter_lasts_and_ends() {
    let mut card = with_i(0x70);
    open(&mut card, 0x70, SecurityLevel::CMac).unwrap();
    // It lives through reset and storage.
    let mut card = VirtualCard::from_bytes(&card.to_bytes().unwrap()).unwrap();
    card.reset();
    assert_eq!(raw(&mut card, "80CA00C100"), "C1030000019000");
    card.world.gp.domains[0].keys[0].counter = 0x00FF_FFFE;
    raw(&mut card, "00A4040008A00000015100000000");
    assert!(open(&mut card, 0x70, SecurityLevel::CMac).is_ok());
    // Amendment D 6.2.2.1: after the last value INITIALIZE UPDATE is refused, which costs no try.
    for _ in 0..2 {
        assert_eq!(raw(&mut card, "8050000008 0102030405060708 00"), "6985");
    }
    assert_eq!(raw(&mut card, "80CA00C100"), "C103FFFFFF9000");
    assert_eq!(card.tries_left(), 10);
}

#[test]
fn an_r_mac_session_begins_and_ends() {
    let mut card = with_i(0x70);
    let channel = open(&mut card, 0x70, SecurityLevel::CDecCMac).unwrap();
    let mut session = Session { card, channel };
    let status = command::get_status(StatusKind::LoadFiles, &[], false);
    let end = command::end_r_mac_session();
    assert_eq!(session.send(&end).sw, Sw::CONDITIONS_NOT_SATISFIED);
    // Its own response is as before; the next ones carry the MAC (the host's side checks it).
    assert!(
        session
            .ok(&command::begin_r_mac_session(false, &[1, 2, 3]))
            .is_empty()
    );
    session.channel.set_level(SecurityLevel::CDecCMacRMac);
    session.ok(&status);
    let again = session.send(&command::begin_r_mac_session(false, &[]));
    assert_eq!(again.sw, Sw::CONDITIONS_NOT_SATISFIED);
    session.ok(&end);
    session.channel.set_level(SecurityLevel::CDecCMac);
    session.ok(&status);
    // With R-ENCRYPTION.
    session.ok(&command::begin_r_mac_session(true, &[]));
    session.channel.set_level(SecurityLevel::Full);
    session.ok(&status);
    session.ok(&end);
    session.channel.set_level(SecurityLevel::CDecCMac);
    session.ok(&status);
    // Amendment D 7.1.3.7: not more than the commands have, not what is there, not without C-MAC.
    for (i, level, encrypted) in [
        (0x70, SecurityLevel::CMac, true),
        (0x70, SecurityLevel::CMacRMac, false),
        (0x70, SecurityLevel::Full, true),
        (0x70, SecurityLevel::None, false),
        (0x30, SecurityLevel::CDecCMac, true),
        (0x10, SecurityLevel::CMac, false),
    ] {
        let mut card = with_i(i);
        let channel = open(&mut card, i, level).unwrap();
        let mut session = Session { card, channel };
        let refused = session.send(&command::begin_r_mac_session(encrypted, &[]));
        assert_eq!(refused.sw, Sw::CONDITIONS_NOT_SATISFIED, "{level}");
        session.ok(&status);
    }
}
