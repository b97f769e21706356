//! Cards of every kind, and cards that answer as no card should.

use super::*;
use crate::transport::VirtualLink;
use applet_model::apdu::{Command, Response};
use applet_model::tlv;
use cards::card::{CardConfig, VirtualCard};
use cards::definition::Definition;
use cards::euicc::{Eid, EuiccConfig};
use std::sync::OnceLock;

fn card(definition: &str) -> VirtualCard {
    let definition = Definition::shipped(definition).unwrap();
    let eid = Eid::with_check_digits("890490320000000000000000000099").unwrap();
    let euicc = EuiccConfig::lab(eid).unwrap();
    VirtualCard::new(CardConfig::with_test_keys(definition, 1, euicc).unwrap()).unwrap()
}

fn probed(definition: &str) -> (Probe, VirtualCard) {
    let mut link = VirtualLink::new("card", card(definition));
    let found = probe(&mut link).unwrap();
    (found, link.into_card())
}

#[test]
fn an_euicc_without_an_ipae_is_for_an_ipad() {
    let (found, _) = probed("virtual-lab");
    assert_eq!(found.verdict, Verdict::Ipad);
    assert!(found.ipa_interface);
    assert_eq!(found.problems, Vec::<String>::new());
    let isd_r = found.isd_r.unwrap();
    assert_eq!((isd_r.of.as_str(), isd_r.channel), ("standard", 1));
    assert_eq!(
        isd_r.fci.euicc_configuration,
        Some(EuiccConfiguration {
            ipae_supported: false,
            enabled_profile: true
        })
    );
    let eid = found.eid.unwrap();
    assert!(eid.check_digits_fit && eid.eid.starts_with("8904903200000000000000000000"));
    assert_eq!(eid.eum.as_deref(), Some("Giesecke+Devrient"));
    let info = found.info2.unwrap();
    assert_eq!(info.sgp32.first().map(String::as_str), Some("1.2.0"));
    assert_eq!(info.ipa_mode.as_deref(), Some("ipad"));
    assert!(info.memory.is_some_and(|memory| memory.non_volatile > 0));
    assert!(info.uicc.iter().any(|name| name == "javacard"));
    assert_eq!(info.issuers_for_signing.len(), 1);
    assert_eq!(found.eims, Some(Vec::new()));
    assert_eq!(found.ipa.switched_by, None);
    assert_eq!(found.ipa.terminal_capability.len(), 2);
    // Reported of this EUM's cards of SGP.32.
    assert_eq!(found.quirks.len(), 1);
}

#[test]
fn an_euicc_of_sgp22_and_a_plain_uicc_are_told_apart() {
    let (found, _) = probed("virtual-sgp22");
    assert_eq!(found.verdict, Verdict::Sgp22);
    assert!(!found.ipa_interface && found.eims.is_none());
    assert_eq!(found.info2.unwrap().ipa_mode, None);
    assert!(found.isd_r.unwrap().fci.euicc_configuration.is_none());
    assert!(found.ipa.terminal_capability.is_empty());
    let refused: Vec<&str> = found.refused.iter().map(|r| r.what.as_str()).collect();
    assert_eq!(refused, ["GetEimConfigurationData"]);

    let (found, _) = probed("virtual-uicc");
    assert_eq!(found.verdict, Verdict::Uicc);
    assert!(found.isd_r.is_none() && found.eid.is_none() && !found.atr.euicc_flag);
    assert!(found.refused.iter().any(|r| r.sw == "6A82"));
}

#[test]
fn nothing_on_the_card_is_changed() {
    for definition in ["virtual-lab", "virtual-sgp22", "virtual-uicc"] {
        let mut before = card(definition);
        before.reset();
        let (_, after) = probed(definition);
        assert!(
            before.to_bytes().unwrap() == after.to_bytes().unwrap(),
            "{definition}"
        );
    }
}

/// A card whose answers are altered on their way.
struct Altered<F> {
    link: VirtualLink,
    sent: usize,
    alter: F,
}

impl<F: FnMut(usize, &Command, Response) -> Response> CardLink for Altered<F> {
    fn atr(&self) -> &[u8] {
        self.link.atr()
    }

    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        self.link.reset()
    }

    fn transmit(&mut self, command: &Command) -> Result<Response, LinkError> {
        let answer = self.link.transmit(command)?;
        self.sent += 1;
        Ok((self.alter)(self.sent, command, answer))
    }

    fn name(&self) -> String {
        "altered card".to_owned()
    }
}

/// What comes of a lab card whose answers are altered.
fn altered(
    alter: impl FnMut(usize, &Command, Response) -> Response,
) -> (Result<Probe, ProbeError>, usize) {
    static CARD: OnceLock<VirtualCard> = OnceLock::new();
    let card = CARD.get_or_init(|| card("virtual-lab")).clone();
    let mut link = Altered {
        link: VirtualLink::new("card", card),
        sent: 0,
        alter,
    };
    let result = probe(&mut link);
    (result, link.sent)
}

/// Alters what a GET RESPONSE brings after STORE DATA: the ES10 answers.
fn es10_answers(mut alter: impl FnMut(&mut Vec<u8>)) -> Probe {
    let (result, _) = altered(|_, command, mut answer| {
        if command.ins == 0xC0 && answer.data.first() == Some(&0xBF) {
            alter(&mut answer.data);
        }
        answer
    });
    result.unwrap()
}

#[test]
fn cut_answers_are_named_and_the_rest_is_told() {
    let found = es10_answers(|data| data.truncate(data.len() - 3));
    assert_eq!(found.verdict, Verdict::Ipad);
    assert!(found.eid.is_none());
    for function in ["GetEID", "GetEUICCInfo2", "GetEimConfigurationData"] {
        let named = |problem: &String| problem.starts_with(function);
        assert!(
            found.problems.iter().any(named),
            "{function}: {:?}",
            found.problems
        );
    }
    // What stood before the cut.
    let info = found.info2.unwrap();
    assert!(info.firmware.is_some() && info.ipa_mode.as_deref() == Some("ipad"));
}

#[test]
fn texts_of_a_card_do_not_reach_the_terminal_as_they_are() {
    let found = es10_answers(|data| {
        if data.starts_with(&[0xBF, 0x55]) {
            let id = "evil\u{1b}[2J\u{202e}".as_bytes();
            let entry = tlv::write(0x30, &tlv::write(0x80, id));
            *data = tlv::write(0xBF55, &tlv::write(0xA0, &entry));
        }
    });
    let eims = found.eims.unwrap();
    assert_eq!(eims[0].id, "evil\\u{1b}[2J\\u{202e}");
}

#[test]
fn an_eid_that_is_none_and_a_wrong_one() {
    let eid = |value: &[u8]| {
        es10_answers(|data| {
            if data.starts_with(&[0xBF, 0x3E]) {
                *data = tlv::write(0xBF3E, &tlv::write(0x5A, value));
            }
        })
    };
    assert!(
        eid(&[0xFF; 16])
            .problems
            .iter()
            .any(|p| p.contains("32 digits"))
    );
    assert!(eid(&[0x12; 4]).eid.is_none());
    let wrong = eid(&[0x11; 16]);
    assert!(
        wrong
            .eid
            .as_ref()
            .is_some_and(|eid| !eid.check_digits_fit && eid.eum.is_none())
    );
    assert!(
        wrong
            .observations
            .iter()
            .any(|o| o.contains("check digits"))
    );
}

#[test]
fn answers_without_end_are_an_error_that_says_so() {
    let (result, sent) = altered(|_, command, mut answer| {
        if command.ins == 0xC0 {
            answer = Response {
                data: vec![0xBF; 256],
                sw: Sw(0x6100),
            };
        }
        answer
    });
    let error = result.unwrap_err();
    assert!(
        matches!(error, ProbeError::Link(LinkError::Endless { .. })),
        "{error}"
    );
    assert!(error.to_string().contains("without end"));
    assert!(sent < 1000, "{sent}");
}

#[test]
fn a_card_with_one_channel_is_asked_on_it() {
    let (result, _) = altered(|_, command, answer| match command.ins {
        0x70 => Response::status(Sw(0x6A81)),
        _ => answer,
    });
    let found = result.unwrap();
    assert_eq!(found.verdict, Verdict::Ipad);
    assert_eq!(found.isd_r.map(|isd_r| isd_r.channel), Some(0));
    assert!(
        found
            .observations
            .iter()
            .any(|o| o.contains("logical channel"))
    );
    // There is no logical channel to try TERMINAL CAPABILITY on.
    assert_eq!(found.ipa.terminal_capability.len(), 1);
}

#[test]
fn a_card_that_selects_on_the_basic_channel_only() {
    let (result, _) = altered(
        |_, command, answer| match (command.ins, command.channel()) {
            (0xA4, 1..) => Response::status(Sw::CHANNEL_NOT_SUPPORTED),
            _ => answer,
        },
    );
    let found = result.unwrap();
    assert_eq!(found.isd_r.map(|isd_r| isd_r.channel), Some(0));
    assert_eq!(found.refused[0].sw, "6881");
}

#[test]
fn an_isd_r_that_answers_nothing() {
    let (result, _) = altered(|_, command, answer| match command.ins {
        0xE2 => Response::status(Sw::INS_NOT_SUPPORTED),
        // An FCI without E1.
        0xC0 if answer.data.first() == Some(&0x6F) => Response::ok(tlv::write(0x6F, &[])),
        _ => answer,
    });
    assert_eq!(result.unwrap().verdict, Verdict::IsdRWithoutEs10);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(192))]

    /// Answers with bytes altered, cut, longer, with other status words: an answer or an error, and an end.
    #[test]
    fn no_answer_stops_the_probe(faults in proptest::collection::vec(
        (0usize..60, 0u8..6, proptest::prelude::any::<u16>(), proptest::prelude::any::<u8>()), 1..12)) {
        let (result, sent) = altered(|at, _, mut answer| {
            for (_, kind, place, byte) in faults.iter().filter(|fault| fault.0 == at) {
                let place = usize::from(*place);
                let length = answer.data.len();
                match kind {
                    0 if length > 0 => answer.data[place % length] ^= byte | 1,
                    1 => answer.data.truncate(place % (length + 1)),
                    2 => answer.data.extend(vec![*byte; place % 300]),
                    3 => answer.sw = Sw(0x6100 | u16::from(*byte)),
                    4 => answer.sw = Sw(place as u16),
                    _ => answer.data.insert(place % (length + 1), *byte),
                }
            }
            answer
        });
        proptest::prop_assert!(sent < 5000);
        if let Ok(found) = result {
            proptest::prop_assert!(serde_json::to_string(&found).is_ok());
        }
    }
}
