//! GET RESPONSE and wrong Le.

use super::fake::Scripted;
use super::*;

#[test]
fn waiting_data_is_fetched_in_pieces() {
    let mut card = Counted::new(Scripted::new(&[
        ("81E2910003BF3E00", "6103"),
        ("01C0000003", "AABBCC6102"),
        ("01C0000002", "DDEE9000"),
    ]));
    let command = Command::new(0x81, 0xE2, 0x91, 0).with_data([0xBF, 0x3E, 0x00]);
    let response = exchange(&mut card, &command).unwrap();
    assert_eq!(response, Response::ok([0xAA, 0xBB, 0xCC, 0xDD, 0xEE]));
    assert_eq!(card.traffic.apdus, 3);
    assert_eq!(card.traffic.received, 2 + 5 + 4);
}

#[test]
fn a_wrong_le_is_repeated_once() {
    let mut card = Scripted::new(&[("80CA9F7F00", "6C02"), ("80CA9F7F02", "12349000")]);
    let command = Command::new(0x80, 0xCA, 0x9F, 0x7F).with_le(256);
    assert_eq!(
        exchange(&mut card, &command).unwrap(),
        Response::ok([0x12, 0x34])
    );
}

#[test]
fn proactive_status_words_are_left_alone() {
    let mut card = Scripted::new(&[("80F2000000", "910B")]);
    let command = Command::new(0x80, 0xF2, 0, 0).with_le(256);
    assert_eq!(exchange(&mut card, &command).unwrap().sw, Sw(0x910B));
}

#[test]
fn a_card_without_end_is_stopped() {
    let mut card = Scripted::new(&[("00A4040000", "6110"), ("00C0000010", "6110")]);
    let command = Command::new(0, 0xA4, 4, 0).with_le(256);
    assert!(matches!(
        exchange(&mut card, &command),
        Err(LinkError::Endless { .. })
    ));
}
