//! Scripts against the card's side of SCP03, and their forms.

use super::*;
use crate::gp::scp03::{CardParameters, CardPending, StaticKeys};
use applet_model::tlv;
use proptest::prelude::*;

fn plan() -> Plan {
    Plan {
        title: "IPAe for lab virtual".to_owned(),
        isd: applet_model::aid::ISD.to_vec(),
        package: applet_model::aid::PACKAGE_IPAE.to_vec(),
        module: applet_model::aid::MODULE_IPAE.to_vec(),
        instance: applet_model::aid::INSTANCE_IPAE.to_vec(),
        load_file: (0..1000u32).map(|i| i as u8).collect(),
        parameters: InstallParameters::default(),
        max_command_data: 255,
    }
}

fn keys() -> StaticKeys {
    StaticKeys::new(&[0x40; 16], &[0x41; 16], &[0x42; 16]).unwrap()
}

fn channel(keys: &StaticKeys) -> Channel<'_> {
    Channel {
        keys,
        kvn: 0x30,
        i: 0x70,
        diversification: [1; 10],
        sequence_counter: [0, 0, 7],
        card_challenge: None,
        host_challenge: &[9; 8],
        level: SecurityLevel::Full,
    }
}

#[test]
fn a_card_with_that_counter_accepts_the_wrapped_script() {
    let keys = keys();
    let script = plan().wrapped(&channel(&keys)).unwrap();
    let plain = plan().plain().unwrap();
    let [select, init, auth, rest @ ..] = &script.steps[..] else {
        panic!()
    };
    assert_eq!(select, &plain.steps[0]);
    let parameters = CardParameters {
        diversification: [1; 10],
        kvn: 0x30,
        i: 0x70,
        card_challenge: pseudo_random_challenge(&keys, Mode::S8, [0, 0, 7], applet_model::aid::ISD)
            .unwrap(),
        sequence_counter: Some([0, 0, 7]),
    };
    let (answer, card) =
        CardPending::initialize_update(&keys, parameters, &init.command.data).unwrap();
    assert_eq!(init.answer, Some(answer.to_bytes()));
    let mut session = card.external_authenticate(&auth.command).unwrap();
    let mut loaded = Vec::new();
    for step in rest {
        let command = session.unwrap_command(&step.command).unwrap();
        if command.ins == 0xE8 {
            loaded.extend(command.data);
        }
    }
    assert_eq!(tlv::read_one(&loaded).unwrap().value, plan().load_file);
}

#[test]
fn no_key_is_in_a_script() {
    let keys = keys();
    let text = plan().wrapped(&channel(&keys)).unwrap().to_text();
    for fill in ["40", "41", "42"] {
        assert!(!text.contains(&fill.repeat(16)));
    }
}

#[test]
fn random_challenges_are_refused() {
    let keys = keys();
    let error = plan()
        .wrapped(&Channel {
            i: 0x60,
            ..channel(&keys)
        })
        .unwrap_err();
    assert!(error.to_string().contains("random challenges"));
}

#[test]
fn a_load_begins_again_with_its_install() {
    let script = plan().plain().unwrap();
    // SELECT, INSTALL [for load], five LOAD, INSTALL [for install].
    let last = script.steps.len() - 1;
    assert!(last > 4);
    assert_eq!(script.restart_at(0), 0);
    assert_eq!(script.restart_at(4), 1);
    assert_eq!(script.restart_at(last), last);
    assert_eq!(script.restart_at(99), last + 1);
}

#[test]
fn both_forms_come_back_and_alterations_are_noticed() {
    let keys = keys();
    let wrapped = plan().wrapped(&channel(&keys)).unwrap();
    assert_eq!(Script::from_text(&wrapped.to_text()).unwrap(), wrapped);
    assert_eq!(Script::from_json(&wrapped.to_json()).unwrap(), wrapped);
    let script = plan().plain().unwrap();
    let text = script.to_text();
    assert_eq!(Script::from_text(&text).unwrap(), script);
    assert_eq!(Script::from_json(&script.to_json()).unwrap(), script);
    let altered = text.replacen("80E80000", "80E80001", 1);
    assert!(matches!(
        Script::from_text(&altered),
        Err(FormError::Checksum { .. })
    ));
    let cut: String = text.lines().take(10).map(|l| format!("{l}\n")).collect();
    assert!(Script::from_text(&cut).is_err());
    assert!(matches!(
        Script::from_text("ipae-script 1\n"),
        Err(FormError::Format(_))
    ));
    let mut json = script.to_json();
    json["steps"][0]["command"] = "00A4040000".into();
    assert!(matches!(
        Script::from_json(&json),
        Err(FormError::Checksum { .. })
    ));
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,100}", tail in "[->< 0-9A-F\n]{0,80}") {
        let _ = Script::from_text(&text);
        let _ = Script::from_text(&format!("ipae-script 2\nsha256 0\ntitle a\nchannel b\n{tail}"));
    }
}
