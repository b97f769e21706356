//! Instructions, dispatch, exceptions.

use super::harness::Card;
use crate::vm::*;
use proptest::prelude::*;

fn shorts(bytes: &[u8]) -> Vec<i16> {
    bytes
        .as_chunks::<2>()
        .0
        .iter()
        .map(|pair| i16::from_be_bytes(*pair))
        .collect()
}

fn expected(a: i16, b: i16) -> Vec<i16> {
    let low = |v: i32| v as i16;
    let (wide, other) = (i32::from(a), i32::from(b));
    let raised = a.wrapping_add(7);
    vec![
        low(wide + other),
        low(wide - other),
        low(wide * other),
        if b == 0 { 0 } else { low(wide / other) },
        if b == 0 { 0 } else { low(wide % other) },
        low(-wide),
        a & b,
        a | b,
        a ^ b,
        !a,
        i16::from(a as i8),
        low(wide << 3),
        a >> 3,
        raised,
        if raised < b {
            1
        } else if raised == b {
            2
        } else {
            3
        },
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn arithmetic_wraps_as_java_does(a: i16, b: i16) {
        let (mut card, mut host) = Card::new();
        let data = [a.to_be_bytes(), b.to_be_bytes()].concat();
        let response = card.ask(&mut host, 1, 0, 0, &data);
        prop_assert_eq!(shorts(&response), expected(a, b));
    }
}

#[test]
fn arithmetic_at_the_edges() {
    let (mut card, mut host) = Card::new();
    for a in [i16::MIN, -1, 0, 1, i16::MAX] {
        for b in [i16::MIN, -1, 0, 1, i16::MAX] {
            let data = [a.to_be_bytes(), b.to_be_bytes()].concat();
            assert_eq!(
                shorts(&card.ask(&mut host, 1, 0, 0, &data)),
                expected(a, b),
                "{a} {b}"
            );
        }
    }
}

#[test]
fn switches_find_their_case() {
    let (mut card, mut host) = Card::new();
    let cases = [
        (-1, 10, 0),
        (0, 20, 0),
        (1, 30, 0),
        (2, 30, 0),
        (3, 99, 0),
        (-2, 99, 0),
        (100, 99, 2),
        (i16::MIN, 99, 1),
        (i16::MAX, 99, 3),
    ];
    for (key, dense, sparse) in cases {
        let [p1, p2] = i16::to_be_bytes(key);
        assert_eq!(
            shorts(&card.ask(&mut host, 2, p1, p2, &[])),
            [dense, sparse],
            "{key}"
        );
    }
}

#[test]
fn exceptions_reach_their_handler() {
    let (mut card, mut host) = Card::new();
    let response = card.ask(&mut host, 3, 0, 0, &[]);
    assert_eq!(hex::encode(response), "0102030405063407086a804d");
}

#[test]
fn dispatch_goes_to_the_nearest_class() {
    let (mut card, mut host) = Card::new();
    let response = card.ask(&mut host, 4, 0, 0, &[]);
    // area 54, twice 108, name 15, tagged, colour, instanceof Cube, Sized, equals, not a Cube, byte[],
    // Object[], counter
    assert_eq!(
        hex::encode(response),
        "0036006c000f000103010101000101".to_owned() + "0006"
    );
}

#[test]
fn arrays_copy_and_compare() {
    let (mut card, mut host) = Card::new();
    let response = card.ask(&mut host, 0x12, 0, 0, &[]);
    assert_eq!(
        hex::encode(response),
        "012b".to_owned() + "0101020304" + "01" + "0909" + "0001"
    );
}

#[test]
fn unknown_instruction_byte_is_the_applets_exception() {
    let (mut card, mut host) = Card::new();
    let (outcome, _) = card.send(card.client, &mut host, &[0x80, 0x77, 0, 0, 0]);
    let exception = "javacard/framework/ISOException".to_owned();
    assert_eq!(
        outcome,
        Outcome::Uncaught {
            exception,
            reason: 0x6D00
        }
    );
}

#[test]
fn recursion_and_endless_loops_end() {
    let (mut card, mut host) = Card::new();
    let (outcome, _) = card.send(card.client, &mut host, &[0x80, 0x0D, 0, 0, 0]);
    let exception = "javacard/framework/SystemException".to_owned();
    assert_eq!(
        outcome,
        Outcome::Uncaught {
            exception,
            reason: system::NO_RESOURCE
        }
    );
    card.vm.s.limits.fuel = 10_000;
    let (outcome, _) = card.send(card.client, &mut host, &[0x80, 0x0E, 0, 0, 0]);
    assert_eq!(outcome, Outcome::OutOfFuel);
}
