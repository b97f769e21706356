//! Whole sessions, step by step, against bytes written by hand.

use super::*;
use crate::apdu::Command;
use crate::config::Config;
use crate::status::Sw;
use hex::decode;

/// A machine, personalized, with the terminal profile of a capable device.
fn ready() -> Machine {
    let mut m = Machine::new();
    m.input(&Boundary::TimerAllocated(1)).unwrap();
    let store = Command::new(0x80, 0xE2, 0x90, 0).with_data(Config::default().to_store_data());
    assert_eq!(
        step(&mut m, Boundary::Personalization(store)),
        [
            Boundary::Commit,
            Boundary::Response(Response::status(Sw::OK))
        ]
    );
    m.input(&Boundary::TerminalProfile(vec![0xFF; 20])).unwrap();
    m
}

fn step(m: &mut Machine, input: Boundary) -> Vec<Boundary> {
    m.input(&input).unwrap();
    let mut out = Vec::new();
    while let Some(o) = m.output().unwrap() {
        out.push(o);
    }
    out
}

fn event(code: i16, envelope: &str) -> Boundary {
    Boundary::Event {
        event: code,
        envelope: decode(envelope).unwrap(),
    }
}

fn ok_response() -> Boundary {
    Boundary::TerminalResponse(decode("810300000082028281830100").unwrap())
}

fn proactive(hex: &str) -> Boundary {
    Boundary::Proactive(decode(hex).unwrap())
}

#[test]
fn an_idle_poll_writes_nothing_and_ends_with_the_timer() {
    let mut m = ready();
    // Boot: timer of 30 seconds.
    assert_eq!(
        step(&mut m, event(1, "")),
        [proactive("810300270082028182A40101A503000003")]
    );
    assert_eq!(step(&mut m, ok_response()), [Boundary::Return]);
    assert_eq!(m.state(), State::Idle);
    // Timer: EID, eIM, results.
    let asked = step(&mut m, event(11, ""));
    assert_eq!(
        asked,
        [Boundary::Es10Store {
            p1: 0x91,
            p2: 0,
            data: decode("BF3E035C015A").unwrap()
        }]
    );
    let eid = "89044045930000000000001492685847";
    let mut out = step(&mut m, Boundary::Es10Status(Sw(0x6115)));
    assert_eq!(out, [Boundary::Es10Read(240)]);
    out = step(
        &mut m,
        Boundary::Es10Data(decode(format!("BF3E125A10{eid}")).unwrap()),
    );
    assert_eq!(out, [Boundary::Es10Read(240)]);
    out = step(&mut m, Boundary::Es10Data(vec![]));
    assert_eq!(
        out,
        [Boundary::Es10Store {
            p1: 0x91,
            p2: 0,
            data: decode("BF5500").unwrap()
        }]
    );
    step(&mut m, Boundary::Es10Status(Sw(0x6115)));
    // Two eIMs; the first is 192.0.2.7 with a port.
    let list = "BF5530A02E3017800265318109312E322E332E343A39A50BA00900000000000000000030138002653281093130302E302E302E31820101";
    let bytes = decode(list).unwrap();
    step(&mut m, Boundary::Es10Data(bytes[..20].to_vec()));
    step(&mut m, Boundary::Es10Data(bytes[20..].to_vec()));
    out = step(&mut m, Boundary::Es10Data(vec![]));
    assert_eq!(
        out,
        [Boundary::Es10Store {
            p1: 0x91,
            p2: 0,
            data: decode("BF2B04A0028200").unwrap()
        }]
    );
    step(&mut m, Boundary::Es10Status(Sw(0x6105)));
    step(&mut m, Boundary::Es10Data(decode("BF2B02A200").unwrap()));
    out = step(&mut m, Boundary::Es10Data(vec![]));
    assert_eq!(
        out,
        [Boundary::Es10Store {
            p1: 0x91,
            p2: 0,
            data: decode("BF2B00").unwrap()
        }]
    );
    step(&mut m, Boundary::Es10Status(Sw(0x6105)));
    step(&mut m, Boundary::Es10Data(decode("BF2B02A000").unwrap()));
    out = step(&mut m, Boundary::Es10Data(vec![]));
    assert_eq!(
        out,
        [proactive(
            "8103004001820281820500350103390205783C030200093E052101020304"
        )]
    );
    let opened = "81030040018202828183010038028100";
    out = step(&mut m, Boundary::TerminalResponse(decode(opened).unwrap()));
    assert_eq!(out, [proactive("810300270082028182A40101A503000003")]);
    out = step(&mut m, ok_response());
    let [Boundary::Proactive(sent)] = out.as_slice() else {
        panic!("{out:?}")
    };
    let text = String::from_utf8_lossy(sent);
    assert!(
        text.contains("POST /gsma/rsp2/asn1 HTTP/1.1\r\nHost: 1.2.3.4:9\r\n"),
        "{text}"
    );
    assert!(text.contains("Content-Length: 21\r\n\r\n"), "{text}");
    assert!(sent.ends_with(&decode(format!("BF4F125A10{eid}")).unwrap()));
    assert_eq!(step(&mut m, ok_response()), [Boundary::Return]);
    assert_eq!(m.state(), State::Waiting);
    // The answer in two pieces.
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\nX: y\r\n\r\n\xBF\x4F\x03\x02\x01\x01";
    assert_eq!(
        step(&mut m, event(22, "99010982028281B80281003701FF")),
        [proactive("810300420082028121B701F0")]
    );
    let piece = |data: &[u8], left: u8| {
        let mut tlvs = decode("810300420082028281830100").unwrap();
        crate::cat::write(&mut tlvs, Tag::CHANNEL_DATA, true, data);
        crate::cat::write(&mut tlvs, Tag::CHANNEL_DATA_LENGTH, true, &[left]);
        Boundary::TerminalResponse(tlvs)
    };
    assert_eq!(
        step(&mut m, piece(&answer[..30], 9)),
        [proactive("810300420082028121B70109")]
    );
    assert_eq!(
        step(&mut m, piece(&answer[30..], 0)),
        [proactive("810300410082028121")]
    );
    // Closed: the timer for the next hour.
    assert_eq!(
        step(&mut m, ok_response()),
        [proactive("810300270082028182A40101A503100000")]
    );
    assert_eq!(step(&mut m, ok_response()), [Boundary::Return]);
    assert_eq!(m.state(), State::Idle);
    assert_eq!(m.get16(reg::POLLS), 1);
}

#[test]
fn a_power_loss_before_a_commit_leaves_the_old_record() {
    let mut m = Machine::new();
    let store = Command::new(0x80, 0xE2, 0x90, 0).with_data(Config::default().to_store_data());
    m.input(&Boundary::Personalization(store)).unwrap();
    m.input(&Boundary::PowerLoss).unwrap();
    assert_eq!(m.output().unwrap(), None);
    assert_eq!(m.state(), State::Unpersonalized);
}

#[test]
fn digest_is_stable_within_a_build() {
    assert_eq!(digest(), digest());
}
