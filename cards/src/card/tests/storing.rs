//! STORE DATA to security domains: forms, encryption, block numbers, keys.

use super::*;
use applet_gen::gp::command::{self, install_for_personalization, store_data};
use applet_gen::gp::registry::parse_key_information;
use applet_gen::gp::scp03::AesKey;
use applet_gen::gp::scp03::crypto::pad;

fn encrypted(dek: &AesKey, plain: &[u8]) -> Vec<u8> {
    let mut data = plain.to_vec();
    pad(&mut data);
    dek.cbc_encrypt(&[0; 16], &mut data);
    data
}

fn dgi(name: u16, value: &[u8]) -> Vec<u8> {
    [&name.to_be_bytes()[..], &[value.len() as u8], value].concat()
}

#[test]
fn data_objects_come_in_both_forms_and_in_pieces() {
    let mut session = Session::open(card(), SecurityLevel::CMac);
    let objects = [
        &[0x42, 3, 1, 2, 3][..],
        &[0x45, 2, 4, 5],
        &[0x5F, 0x50, 3, b'u', b'r', b'l'],
    ]
    .concat();
    // BER-TLV in blocks of five bytes: the second object is cut by the first block's end.
    for block in store_data(&objects, 7, 0x10) {
        assert!(session.ok(&block).is_empty());
    }
    assert_eq!(session.ok(&command::get_data(0x0042)), [0x42, 3, 1, 2, 3]);
    assert_eq!(session.ok(&command::get_data(0x5F50)), b"\x5F\x50\x03url");
    let dgis = dgi(0x0070, &[0x45, 1, 9]);
    for block in store_data(&dgis, 2, 0x08) {
        session.ok(&block);
    }
    assert_eq!(session.ok(&command::get_data(0x0045)), [0x45, 1, 9]);
    // Encrypted by Key-DEK.
    let secret = encrypted(&test_keys().dek, &[0x45, 2, 7, 7]);
    session.ok(&store_data(&dgi(0x0070, &secret), 200, 0x68)[0]);
    assert_eq!(session.ok(&command::get_data(0x0045)), [0x45, 2, 7, 7]);
    let value = encrypted(&test_keys().dek, &[8; 3]);
    session.ok(&store_data(&[&[0x45, 16][..], &value].concat(), 200, 0x70)[0]);
    assert_eq!(session.ok(&command::get_data(0x0045)), [0x45, 3, 8, 8, 8]);
}

#[test]
fn what_does_not_fit_changes_nothing() {
    let mut session = Session::open(card(), SecurityLevel::CMac);
    let before = session.ok(&command::get_data(0x0045));
    let block = |p1, p2, data: &[u8]| Command::new(0x80, 0xE2, p1, p2).with_data(data);
    let fine = [0x45, 1, 9];
    for (command, sw) in [
        // Reserved encryption, structure and further bits; a block that isn't next.
        (block(0xC0, 0, &fine), Sw::INCORRECT_P1_P2),
        (block(0x98, 0, &fine), Sw::INCORRECT_P1_P2),
        (block(0x94, 0, &fine), Sw::INCORRECT_P1_P2),
        (block(0x90, 1, &fine), Sw::INCORRECT_P1_P2),
        // Cut, unknown, the domain's own, too long, not a multiple of the block length.
        (block(0x90, 0, &[0x45, 5, 9]), Sw::WRONG_DATA),
        (
            block(0x90, 0, &[0x45, 1, 9, 0x44, 0]),
            Sw::REFERENCED_DATA_NOT_FOUND,
        ),
        (block(0x90, 0, &[0xC1, 1, 9]), Sw::WRONG_DATA),
        (
            block(0x90, 0, &[&[0x45, 17][..], &[0; 17]].concat()),
            Sw::WRONG_DATA,
        ),
        (block(0xF0, 0, &fine), Sw::WRONG_DATA),
        (
            block(0x88, 0, &dgi(0x0099, &[1])),
            Sw::REFERENCED_DATA_NOT_FOUND,
        ),
        (block(0x88, 0, &dgi(0x8113, &[0; 16])), Sw::WRONG_DATA),
        (block(0xE8, 0, &dgi(0x8113, &[0; 16])), Sw::WRONG_DATA),
    ] {
        assert_eq!(session.send(&command).sw, sw, "{command:?}");
        assert_eq!(session.ok(&command::get_data(0x0045)), before);
    }
    // An error, the last block and a new personalization start the numbers again.
    session.ok(&block(0x10, 0, &[0x45]));
    assert_eq!(
        session.send(&block(0x90, 0, &[1, 9])).sw,
        Sw::INCORRECT_P1_P2
    );
    session.ok(&block(0x10, 0, &[0x45]));
    session.ok(&install_for_personalization(aid::ISD));
    session.ok(&block(0x10, 0, &[0x45]));
    session.ok(&block(0x90, 1, &[1, 9]));
    session.ok(&block(0x90, 0, &fine));
}

#[test]
fn a_domain_gets_its_first_keys_through_the_one_above() {
    // The way of a card whose new domains have no keys at all.
    let mut definition = Definition::shipped("virtual-lab").unwrap();
    let domains = definition.security_domains.as_mut().unwrap();
    domains.initial_keys = crate::definition::InitialKeys::None;
    let mut session = Session::open(card_with(definition), SecurityLevel::CDecCMac);
    session.ok(&install_domain(1, &[]));
    let select = Command::new(1, 0xA4, 4, 0).with_data(domain_aid(1));
    send(&mut session.card, &Command::new(0, 0x70, 0, 1));
    assert_eq!(send(&mut session.card, &select).sw, Sw::OK);
    assert_eq!(
        raw(&mut session.card, "8150000008 0102030405060708 00"),
        "6A88"
    );
    let keys = keys_of(0x21);
    // GPCS tables 11-92 and 11-93: what the keys are, then each of them.
    let mut list = Vec::new();
    let mut secrets = Vec::new();
    for (id, key) in (1u8..).zip([&keys.enc, &keys.mac, &keys.dek]) {
        let [a, b, c] = key.check_value();
        let fields = [
            0x95, 1, 0x18, 0x80, 1, 0x88, 0x81, 1, 16, 0x82, 1, id, 0x83, 1, 0x30, 0x84, 3, a, b, c,
        ];
        list.extend([&[0xB9, fields.len() as u8][..], &fields].concat());
        let mut secret = key.expose().to_vec();
        test_keys().dek.cbc_encrypt(&[0; 16], &mut secret);
        secrets.extend(dgi(0x8113, &secret));
    }
    let all = [dgi(0x00B9, &list), secrets].concat();
    session.ok(&install_for_personalization(&domain_aid(1)));
    let mut wrong = all.clone();
    *wrong.last_mut().unwrap() ^= 1;
    let blocks = store_data(&wrong, 100, 0x28);
    let answers: Vec<Sw> = blocks.iter().map(|block| session.send(block).sw).collect();
    assert_eq!(answers.last(), Some(&Sw::SECURITY_NOT_SATISFIED));
    session.ok(&install_for_personalization(&domain_aid(1)));
    for block in store_data(&all, 100, 0x28) {
        session.ok(&block);
    }
    let card = &mut session.card;
    let mut link = Link::open(card, 2, &domain_aid(1), &keys, 0x30).unwrap();
    let information = link.ok(card, &command::get_data(0x00E0));
    assert_eq!(parse_key_information(&information).unwrap().len(), 3);
    // The issuer's domain still has its own.
    session.ok(&command::get_data(0x00E0));
}

#[test]
fn personalization_is_for_what_is_associated() {
    let mut session = with_domain(1, &[]);
    add_domain(&mut session, 2, &[]);
    let to = command::install_for_extradition(&domain_aid(2), &domain_aid(1), &[]);
    session.ok(&to);
    let other = install_for_personalization(&domain_aid(1));
    assert_eq!(session.send(&other).sw, Sw::CONDITIONS_NOT_SATISFIED);
    let unknown = install_for_personalization(&domain_aid(3));
    assert_eq!(session.send(&unknown).sw, Sw::REFERENCED_DATA_NOT_FOUND);
    session.ok(&install_for_personalization(&domain_aid(2)));
    session.ok(&store_data(&[0x42, 2, 5, 5], 100, 0x10)[0]);
    let card = &mut session.card;
    send(card, &Command::new(0, 0x70, 0, 1));
    send(card, &Command::new(1, 0xA4, 4, 0).with_data(domain_aid(2)));
    assert_eq!(raw(card, "81CA004200"), "420205059000");
    // After the last block it is the domain's own again.
    session.ok(&store_data(&[0x42, 1, 6], 100, 0x10)[0]);
    assert_eq!(session.ok(&command::get_data(0x0042)), [0x42, 1, 6]);
}
