//! Choosing readers; every cure of the table of quirks against a reader that shows the symptom.

use super::super::exchange;
use super::quirks::Quirk;
use super::*;
use applet_model::status::Sw;

#[test]
fn links_and_watches_go_to_other_threads() {
    fn sent<T: Send>() {}
    sent::<PcscLink>();
    sent::<Watch>();
}

#[test]
fn readers_are_chosen_by_name_or_a_part_of_it() {
    let names = ["Virtual PCD 00 00", "Virtual PCD 00 01", "ACS ACR38U 01 00"].map(String::from);
    assert_eq!(choose(&names, "Virtual PCD 00 01"), Ok(1));
    assert_eq!(choose(&names, "acr38"), Ok(2));
    assert!(
        matches!(choose(&names, "Virtual"), Err(LinkError::AmbiguousReader { matches, .. }) if matches.len() == 2)
    );
    assert!(matches!(
        choose(&names, "Omnikey"),
        Err(LinkError::UnknownReader { .. })
    ));
    assert_eq!(choose(&[], "x"), Err(LinkError::NoReader));
}

/// A reader without a service: APDUs go through a link's rules to a function that acts as driver,
/// reader and card. An error is what the driver says when it can't send.
struct Fake<F> {
    rules: Rules,
    reader: F,
}

impl<F: FnMut(&[u8]) -> Option<Vec<u8>>> CardLink for Fake<F> {
    fn atr(&self) -> &[u8] {
        &[0x3B, 0x00]
    }

    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        Ok(self.atr().to_vec())
    }

    fn transmit(&mut self, command: &Command) -> Result<Response, LinkError> {
        let bytes = self.rules.encode(command)?;
        let answer = (self.reader)(&bytes).ok_or_else(|| LinkError::Failed {
            name: self.name(),
            detail: "card not transacted".to_owned(),
        })?;
        self.rules.decode(command, &answer)
    }

    fn name(&self) -> String {
        "fake reader".to_owned()
    }

    fn longest_data(&self) -> usize {
        self.rules.longest_data()
    }
}

/// The shipped quirks of a reader.
fn quirks_of(name: &str) -> Vec<&'static Quirk> {
    let found = quirks::of(name, None).unwrap();
    assert!(!found.is_empty(), "{name}");
    found
}

fn own(cure: impl FnOnce(&mut Quirk)) -> Quirk {
    let mut quirk = Quirk {
        reader: vec!["fake".to_owned()],
        usb: None,
        vendor: String::new(),
        symptom: String::new(),
        source: String::new(),
        keep_le: false,
        strip_le: false,
        short_only: false,
        max_data: None,
        power_tries: None,
        power_pause_ms: None,
        reset_pause_ms: None,
        advice: None,
    };
    cure(&mut quirk);
    quirk
}

fn fake<F>(t0: bool, limit: Option<u32>, quirks: &[&Quirk], reader: F) -> Fake<F> {
    Fake {
        rules: Rules::new("fake reader", t0, limit, quirks),
        reader,
    }
}

/// INITIALIZE UPDATE, a case 4 command.
fn initialize_update() -> Command {
    Command::new(0x80, 0x50, 0, 0)
        .with_data([1, 2, 3, 4, 5, 6, 7, 8])
        .with_le(256)
}

const ANSWER: [u8; 28] = [0x5A; 28];

/// A T=0 card: case 3 is answered with 611C, GET RESPONSE of class 00 with the bytes, of class 80 with 6E00.
fn t0_card(tpdu: &[u8]) -> Vec<u8> {
    match tpdu {
        [0x80, 0x50, 0, 0, 8, data @ ..] if data.len() == 8 => vec![0x61, 28],
        [0x00, 0xC0, 0, 0, 28] => [&ANSWER[..], &[0x90, 0x00]].concat(),
        [0x80, 0xC0, ..] => vec![0x6E, 0x00],
        // A byte too many.
        _ => vec![0x67, 0x00],
    }
}

/// A reader that fetches the answer to a case 4 command itself, with the command's own class.
fn fetches_with_the_commands_class(apdu: &[u8]) -> Option<Vec<u8>> {
    match apdu {
        [cla, ins, p1, p2, lc, rest @ ..] if rest.len() == usize::from(*lc) + 1 => {
            let case3 = &apdu[..apdu.len() - 1];
            match t0_card(case3)[..] {
                [0x61, n] => Some(t0_card(&[*cla, 0xC0, 0, 0, n])),
                ref other => Some(other.to_vec()),
            }
            .filter(|_| (*ins, *p1, *p2) == (0x50, 0, 0))
        }
        other => Some(t0_card(other)),
    }
}

#[test]
fn t0_has_no_case_4() {
    // A driver that sends what it gets, as it is.
    let mut link = fake(true, None, &[], |apdu: &[u8]| Some(t0_card(apdu)));
    let response = exchange(&mut link, &initialize_update()).unwrap();
    assert_eq!(response, Response::ok(ANSWER));
    assert_eq!(link.longest_data(), 255);
    // Le beyond 256 can't be said; the rest comes with 61xx.
    let long = Command::new(0, 0xCB, 0, 0).with_le(1000);
    assert_eq!(link.rules.encode(&long).unwrap(), [0, 0xCB, 0, 0, 0]);
    let extended = Command::new(0, 0xE8, 0, 0).with_data(vec![0; 256]);
    let error = link.transmit(&extended).unwrap_err();
    assert!(
        matches!(
            &error,
            LinkError::TooLong {
                most: 255,
                bytes: 256,
                ..
            }
        ),
        "{error}"
    );
    assert!(error.to_string().contains("nothing was sent"));
}

#[test]
fn omnikey_1021_fetches_with_the_wrong_class() {
    // The symptom, were Le sent.
    let keep = own(|q| q.keep_le = true);
    let mut ill = fake(true, None, &[&keep], fetches_with_the_commands_class);
    let response = exchange(&mut ill, &initialize_update()).unwrap();
    assert_eq!(response.sw, Sw(0x6E00));
    let quirks = quirks_of("OMNIKEY CardMan 1021 00 00");
    let mut cured = fake(true, None, &quirks, fetches_with_the_commands_class);
    let response = exchange(&mut cured, &initialize_update()).unwrap();
    assert_eq!(response, Response::ok(ANSWER));
}

#[test]
fn a_reader_that_wants_le_gets_it() {
    // A reader that takes APDUs, and 61xx for an error.
    let reader = |apdu: &[u8]| match apdu.len() {
        14 => Some([&ANSWER[..], &[0x90, 0x00]].concat()),
        _ => None,
    };
    assert!(exchange(&mut fake(true, None, &[], reader), &initialize_update()).is_err());
    let keep = own(|q| q.keep_le = true);
    let response = exchange(
        &mut fake(true, None, &[&keep], reader),
        &initialize_update(),
    );
    assert_eq!(response.unwrap(), Response::ok(ANSWER));
}

/// A driver that takes 261 bytes at most, and a T=1 card behind it.
fn takes_261(apdu: &[u8]) -> Option<Vec<u8>> {
    (apdu.len() <= 261).then(|| vec![0x90, 0x00])
}

#[test]
fn readers_without_extended_length() {
    let long = Command::new(0x80, 0xE8, 0, 0).with_data(vec![0; 1000]);
    let mut ill = fake(false, Some(0x10000), &[], takes_261);
    assert!(matches!(ill.transmit(&long), Err(LinkError::Failed { .. })));
    for name in ["CardMan 3121 00 00", "ACS ACR1281 1S Dual Reader 00 00"] {
        // Whatever the driver says of itself.
        for limit in [None, Some(0x10000)] {
            let mut cured = fake(false, limit, &quirks_of(name), takes_261);
            assert_eq!(cured.longest_data(), 255, "{name}");
            assert!(matches!(
                cured.transmit(&long),
                Err(LinkError::TooLong { .. })
            ));
            for piece in long.data.chunks(cured.longest_data()) {
                let short = Command::new(0x80, 0xE8, 0, 0).with_data(piece);
                assert_eq!(cured.transmit(&short).unwrap().sw, Sw::OK);
            }
        }
    }
    // Drivers that say so themselves need no entry.
    assert_eq!(fake(false, Some(0), &[], takes_261).longest_data(), 255);
    assert_eq!(fake(false, Some(2048), &[], takes_261).longest_data(), 2048);
    assert_eq!(
        fake(false, Some(u32::MAX), &[], takes_261).longest_data(),
        65535
    );
}

#[test]
fn kobil_tribank_answers_zeros_to_an_extended_le() {
    let mut sent = 0;
    let mut reader = move |apdu: &[u8]| {
        sent += 1;
        Some(match (apdu, sent) {
            ([_, _, _, _, 0, _, _], _) => vec![0; 700],
            ([0, 0xC0, 0, 0, 44], _) => [&[7; 44][..], &[0x90, 0]].concat(),
            _ => [&[7; 256][..], &[0x61, 44]].concat(),
        })
    };
    let read = Command::new(0, 0xB0, 0, 0).with_le(1000);
    let ill = exchange(&mut fake(false, None, &[], &mut reader), &read).unwrap();
    assert_eq!(ill.sw, Sw(0));
    let quirks = quirks_of("KOBIL Systems KAAN TriBank 00 00");
    let cured = exchange(&mut fake(false, None, &quirks, &mut reader), &read).unwrap();
    assert_eq!(cured, Response::ok([7; 300]));
}

#[test]
fn a_reader_with_a_shorter_limit() {
    let reader = |apdu: &[u8]| (apdu.len() <= 5 + 200).then(|| vec![0x90, 0x00]);
    let load = |n| Command::new(0x80, 0xE8, 0, 0).with_data(vec![0; n]);
    assert!(fake(true, None, &[], reader).transmit(&load(255)).is_err());
    let quirk = own(|q| q.max_data = Some(200));
    let mut cured = fake(true, None, &[&quirk], reader);
    assert_eq!(cured.longest_data(), 200);
    assert_eq!(cured.transmit(&load(200)).unwrap().sw, Sw::OK);
}

#[test]
fn a_card_put_in_again_too_soon_is_powered_again() {
    for name in [
        "SCM Microsystems Inc. SCR 3310 00 00",
        "Gemalto IDBridge CT30 00 00",
    ] {
        let mute = |times: u8| {
            let mut left = times;
            move |_| match left {
                0 => Ok(()),
                _ => {
                    left -= 1;
                    Err(Error::UnresponsiveCard)
                }
            }
        };
        let mut quirk = quirks_of(name)[0].clone();
        assert!(quirk.power_pause_ms.is_some_and(|pause| pause > 0));
        quirk.power_pause_ms = Some(1);
        assert_eq!(connect(&[], mute(2)), Err(Error::UnresponsiveCard));
        assert_eq!(connect(&[&quirk], mute(2)), Ok(()));
        // A card that is mute for good is told as such.
        assert_eq!(connect(&[&quirk], mute(9)), Err(Error::UnresponsiveCard));
    }
}

#[test]
fn a_reader_that_can_not_choose_a_protocol_is_asked_for_each() {
    let mut asked = Vec::new();
    let result = connect(&[], |protocols| {
        asked.push(protocols);
        match protocols {
            Protocols::T1 => Ok(()),
            _ => Err(Error::ProtoMismatch),
        }
    });
    assert_eq!(result, Ok(()));
    assert_eq!(asked, [Protocols::ANY, Protocols::T0, Protocols::T1]);
}

#[test]
fn a_pause_after_reset_is_kept() {
    let quirk = own(|q| q.reset_pause_ms = Some(40));
    assert_eq!(
        Rules::new("r", true, None, &[&quirk]).pause,
        Duration::from_millis(40)
    );
    assert_eq!(Rules::new("r", true, None, &[]).pause, Duration::ZERO);
}

#[test]
fn garbage_is_told_as_such() {
    let command = Command::new(0, 0xB0, 0, 0).with_le(256);
    for (bytes, short) in [(vec![], true), (vec![0x90], true), (vec![1; 259], false)] {
        let error = fake(false, None, &[], |_: &[u8]| Some(bytes.clone()))
            .transmit(&command)
            .unwrap_err();
        match short {
            true => assert!(matches!(error, LinkError::ShortAnswer { .. }), "{error}"),
            false => assert!(matches!(error, LinkError::LongAnswer { .. }), "{error}"),
        }
        assert!(error.to_string().contains("00B00000"), "{error}");
    }
    // 61xx for ever, a byte at a time.
    let mut endless = fake(true, None, &[], |_: &[u8]| Some(vec![1, 0x61, 1]));
    assert!(matches!(
        exchange(&mut endless, &command),
        Err(LinkError::Endless { .. })
    ));
    // 6Cxx for ever: the command is repeated once.
    let mut wrong = fake(true, None, &[], |_: &[u8]| Some(vec![0x6C, 0x10]));
    assert_eq!(exchange(&mut wrong, &command).unwrap().sw, Sw(0x6C10));
}
