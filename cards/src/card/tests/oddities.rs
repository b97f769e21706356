//! Oddities of a definition's `[quirks]`, each against the card without it; loads that break off.

use super::*;
use crate::definition::Quirks;
use applet_gen::gp::command::{self, StatusKind};
use applet_gen::gp::load::load_commands;
use applet_gen::gp::put_key::put_keys;
use applet_gen::gp::registry::{parse_old_status, parse_status};
use applet_gen::gp::scp03::AesKey;

fn odd(quirks: Quirks) -> Session {
    let mut definition = Definition::shipped("virtual-lab").unwrap();
    definition.quirks = quirks;
    Session::open(card_with(definition), SecurityLevel::CMac)
}

fn plain() -> Session {
    odd(Quirks::default())
}

/// Begins a load, and ends in the middle of it.
fn half(session: &mut Session) {
    session.ok(&command::install_for_load(
        &toolkit::PACKAGE,
        &[],
        &[],
        &[],
        &[],
    ));
    for block in load_commands(toolkit::load_file(), 100)
        .unwrap()
        .iter()
        .take(3)
    {
        session.ok(block);
    }
}

fn whole(session: &mut Session) {
    session.ok(&command::install_for_load(
        &toolkit::PACKAGE,
        &[],
        &[],
        &[],
        &[],
    ));
    for block in load_commands(toolkit::load_file(), 100).unwrap() {
        session.ok(&block);
    }
}

#[test]
fn half_a_load_is_dropped_or_stays() {
    let mut session = plain();
    half(&mut session);
    // The load goes with the selection of the domain.
    let mut session = Session::open(session.card, SecurityLevel::CMac);
    let next = &load_commands(toolkit::load_file(), 100).unwrap()[3];
    assert_eq!(session.send(next).sw, Sw::CONDITIONS_NOT_SATISFIED);
    assert!(session.card.registry().load_files.is_empty());
    whole(&mut session);

    let mut session = odd(Quirks {
        half_load_stays: true,
        ..Quirks::default()
    });
    half(&mut session);
    session.card.reset();
    let mut session = Session::open(session.card, SecurityLevel::CMac);
    let status = command::get_status(StatusKind::LoadFilesAndModules, &toolkit::PACKAGE, false);
    let listed = parse_status(&session.ok(&status)).unwrap();
    assert_eq!((listed[0].life_cycle, listed[0].modules.len()), (1, 0));
    let again = command::install_for_load(&toolkit::PACKAGE, &[], &[], &[], &[]);
    assert_eq!(session.send(&again).sw, Sw::CONDITIONS_NOT_SATISFIED);
    let install = toolkit::install(&[0xC9, 0]);
    assert_eq!(session.send(&install).sw, Sw::REFERENCED_DATA_NOT_FOUND);
    session.ok(&command::delete(&toolkit::PACKAGE, false));
    whole(&mut session);
    let listed = parse_status(&session.ok(&status)).unwrap();
    assert_eq!((listed.len(), listed[0].modules.len()), (1, 2));
}

#[test]
fn a_power_cut_in_a_load_leaves_nothing_or_the_entry() {
    for stays in [false, true] {
        let mut session = odd(Quirks {
            half_load_stays: stays,
            ..Quirks::default()
        });
        let start = session.card.nvm().writes;
        let mut card = session.card.clone();
        whole(&mut session);
        let writes = session.card.nvm().writes - start;
        for cut in 0..writes {
            let mut session = Session::open(card.clone(), SecurityLevel::CMac);
            session.card.nvm_mut().cut_after(cut);
            let begin = command::install_for_load(&toolkit::PACKAGE, &[], &[], &[], &[]);
            let blocks = load_commands(toolkit::load_file(), 100).unwrap();
            for command in std::iter::once(&begin).chain(&blocks) {
                let wrapped = session.channel.wrap(command).unwrap();
                if session.card.transmit(&wrapped.to_bytes()).is_err() {
                    break;
                }
            }
            assert!(!session.card.is_powered());
            session.card.reset();
            let files = &session.card.registry().load_files;
            assert_eq!(files.len(), usize::from(stays && cut > 0), "cut {cut}");
            assert!(files.iter().all(|file| file.modules.is_empty()));
        }
        card.reset();
    }
}

#[test]
fn loads_come_in_blocks_of_any_size() {
    let file = toolkit::load_file();
    let least = (file.len() + 4).div_ceil(256);
    for block in [least, least + 1, 64, 128, 247] {
        let mut session = plain();
        session.ok(&command::install_for_load(
            &toolkit::PACKAGE,
            &[],
            &[],
            &[],
            &[],
        ));
        for command in load_commands(file, block).unwrap() {
            assert_eq!(session.ok(&command), [0], "block {block}");
        }
        assert_eq!(session.card.registry().load_files.len(), 1);
    }
    // Uneven ones, down to a byte.
    let mut session = plain();
    session.ok(&command::install_for_load(
        &toolkit::PACKAGE,
        &[],
        &[],
        &[],
        &[],
    ));
    let data = applet_model::tlv::write(0xC4, file);
    let mut rest = data.as_slice();
    for number in 0u8.. {
        let length = if number < 9 { 1 } else { 200 }.min(rest.len());
        let (chunk, tail) = rest.split_at(length);
        rest = tail;
        let p1 = if rest.is_empty() { 0x80 } else { 0 };
        session.ok(&Command::new(0x80, 0xE8, p1, number).with_data(chunk));
        if rest.is_empty() {
            break;
        }
    }
    assert_eq!(session.card.registry().load_files.len(), 1);
}

#[test]
fn c9_may_be_missing_or_not() {
    for (required, sw) in [(false, Sw::OK), (true, Sw::WRONG_DATA)] {
        let mut session = odd(Quirks {
            c9_required: required,
            ..Quirks::default()
        });
        whole(&mut session);
        let parameters = toolkit::toolkit_parameters(1, 1);
        // C9 stands first, empty.
        let bare = toolkit::install(&parameters[2..]);
        assert_eq!(
            session.send(&bare).sw,
            sw,
            "{:?}",
            session.card.take_fault()
        );
        if required {
            session.ok(&toolkit::install(&parameters));
        }
    }
}

#[test]
fn get_status_in_the_older_form_only() {
    let mut session = odd(Quirks {
        status_old_form: true,
        ..Quirks::default()
    });
    whole(&mut session);
    let new = command::get_status(StatusKind::LoadFilesAndModules, &[], false);
    assert_eq!(session.send(&new).sw, Sw::INCORRECT_P1_P2);
    let mut old = new.clone();
    old.p2 = 0;
    let listed = parse_old_status(&session.ok(&old), true).unwrap();
    assert_eq!(
        (listed[0].aid.as_slice(), listed[1].modules.len()),
        (&SSD_PACKAGE[..], 2)
    );
}

#[test]
fn small_pages_and_tag_lists() {
    let mut session = odd(Quirks {
        status_page: 40,
        ..Quirks::default()
    });
    for n in 1..=3 {
        session.ok(&install_domain(n, &[]));
    }
    let mut seen = Vec::new();
    for next in [false, true, true] {
        let command = command::get_status(StatusKind::Applications, &[], next);
        let response = session.send(&command);
        seen.extend(parse_status(&response.data).unwrap());
        assert_eq!(response.sw == Sw::OK, seen.len() == 3);
    }
    // 5C: what to list.
    let mut command = command::get_status(StatusKind::Applications, &domain_aid(2), false);
    command.data.extend([0x5C, 3, 0x4F, 0x9F, 0x70]);
    let data = session.ok(&command);
    assert_eq!(hex::encode_upper(data), "E30E4F08A0000001515344029F700107");
    // No "next" without a first, and none of the issuer's domain (11.4.2.2).
    let next = command::get_status(StatusKind::IssuerSecurityDomain, &[], true);
    assert_eq!(session.send(&next).sw, Sw::CONDITIONS_NOT_SATISFIED);
}

#[test]
fn answers_without_the_receipt_byte() {
    for (quirk, expected) in [(false, vec![0]), (true, Vec::new())] {
        let mut session = odd(Quirks {
            no_receipt_byte: quirk,
            ..Quirks::default()
        });
        let begin = command::install_for_load(&toolkit::PACKAGE, &[], &[], &[], &[]);
        assert_eq!(session.ok(&begin), expected);
        for block in load_commands(toolkit::load_file(), 200).unwrap() {
            assert_eq!(session.ok(&block), expected);
        }
        assert_eq!(
            session.ok(&command::delete(&toolkit::PACKAGE, false)),
            expected
        );
    }
}

#[test]
fn le_has_to_be_exact_or_not() {
    let mut card = plain().card;
    card.reset();
    assert!(raw(&mut card, "80CA006600").ends_with("9000"));
    let mut card = odd(Quirks {
        exact_le: true,
        ..Quirks::default()
    })
    .card;
    card.reset();
    let sw = raw(&mut card, "80CA006600");
    assert_eq!((sw.len(), &sw[..2]), (4, "6C"));
    assert!(raw(&mut card, &format!("80CA0066{}", &sw[2..])).ends_with("9000"));
}

#[test]
fn a_key_may_change_its_length_or_not() {
    let new = [AesKey::new(&[1; 32]).unwrap()];
    for (quirk, sw) in [(false, Sw::WRONG_DATA), (true, Sw::OK)] {
        let mut session = odd(Quirks {
            key_length_changes: quirk,
            ..Quirks::default()
        });
        let keys = new.clone().map(applet_gen::gp::put_key::PutKey::Aes);
        let command = put_keys(0x30, 0x30, 2, &keys, &test_keys()).unwrap();
        assert_eq!(session.send(&command).sw, sw);
    }
}
