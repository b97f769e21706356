//! Supplementary security domains: keys and sessions of their own, what belongs to them, what they may do.

use super::*;
use crate::gp::registry::{Aid, app_state};
use applet_gen::gp::command::{self, RegistryUpdate, StatusKind, implicit_selection};
use applet_gen::gp::put_key::{PutKey, put_keys};
use applet_gen::gp::registry::{RegistryEntry, parse_key_information, parse_status};
use applet_gen::gp::scp03::AesKey;

fn applications(session: &mut Session) -> Vec<RegistryEntry> {
    let command = command::get_status(StatusKind::Applications, &[], false);
    parse_status(&session.ok(&command)).unwrap()
}

/// The sequence counter of the default key set.
fn counter(card: &mut VirtualCard, link: &mut Link) -> String {
    hex::encode_upper(link.ok(card, &command::get_data(0x00C1)))
}

#[test]
fn a_domain_has_keys_counters_and_tries_of_its_own() {
    let mut session = Session::open(card(), SecurityLevel::CMac);
    session.ok(&install_domain(1, &[Privilege::AuthorizedManagement]));
    let listed = applications(&mut session);
    assert_eq!(
        listed,
        [RegistryEntry {
            aid: domain_aid(1),
            life_cycle: app_state::SELECTABLE,
            privileges: vec![0x80, 0x40, 0],
            load_file: Some(SSD_PACKAGE.to_vec()),
            security_domain: Some(aid::ISD.to_vec()),
            ..RegistryEntry::default()
        }]
    );
    let card = &mut session.card;
    let mut link = Link::open(card, 1, &domain_aid(1), &test_keys(), 0).unwrap();
    link.ok(
        card,
        &put_key_set(0, 0x31, &keys_of(9), &test_keys()).unwrap(),
    );
    // The first keys of its own end the use of those above, and make it PERSONALIZED.
    assert!(Link::open(card, 2, &domain_aid(1), &test_keys(), 0).is_err());
    let mut link = Link::open(card, 2, &domain_aid(1), &keys_of(9), 0x31).unwrap();
    assert_eq!(counter(card, &mut link), "C103000002");
    let own = link.ok(
        card,
        &command::get_status(StatusKind::Applications, &[], false),
    );
    assert_eq!(
        parse_status(&own).unwrap()[0].life_cycle,
        app_state::PERSONALIZED
    );
    // Its failed attempts are its own.
    for _ in 0..2 {
        raw(card, "8250000008 0102030405060708 00");
        assert_eq!(
            raw(card, "8682030010 00000000000000000000000000000000"),
            "6982"
        );
    }
    assert_eq!(card.tries_left(), 10);
    let ssd = Aid::new(&domain_aid(1)).unwrap();
    assert_eq!(card.world.gp.domain(&ssd).unwrap().tries_left(), 8);
    // The issuer's session on the basic channel has not noticed.
    assert_eq!(applications(&mut session).len(), 1);
    // A stored card keeps it all.
    let stored = session.card.to_bytes().unwrap();
    let mut again = VirtualCard::from_bytes(&stored).unwrap();
    Link::open(&mut again, 1, &domain_aid(1), &keys_of(9), 0).unwrap();
}

#[test]
fn what_no_domain_may_be_is_refused_with_the_reason() {
    let mut session = Session::open(card(), SecurityLevel::CMac);
    let mut refused = |command: &Command, sw: Sw, why: &str| {
        assert_eq!(session.send(command).sw, sw);
        let reason = session.card.take_fault().unwrap_or_default();
        assert!(reason.contains(why), "{reason}");
    };
    let both = [
        Privilege::AuthorizedManagement,
        Privilege::DelegatedManagement,
    ];
    refused(
        &install_domain(1, &both),
        Sw::WRONG_DATA,
        "exclude each other",
    );
    let given = install_domain(1, &[Privilege::FinalApplication]);
    refused(&given, Sw::WRONG_DATA, "gives no Final Application");
    let with = |parameters: &[u8], privileges| {
        Install {
            package: &SSD_PACKAGE,
            module: &SSD_MODULE,
            instance: &domain_aid(1),
            privileges,
            parameters,
            token: &[],
        }
        .for_install()
    };
    refused(
        &with(&[0xC9, 0], [0; 3]),
        Sw::WRONG_DATA,
        "goes with the module",
    );
    let protocol = [0xC9, 4, 0x81, 2, 0x02, 0x55];
    refused(&with(&protocol, [0x80, 0, 0]), Sw::WRONG_DATA, "03 70");
    let implicit = [&[0xC9, 0][..], &implicit_selection(1)].concat();
    refused(
        &with(&implicit, [0x80, 0, 0]),
        Sw::WRONG_DATA,
        "file system",
    );
    for n in 1..=4 {
        session.ok(&install_domain(n, &[]));
    }
    let fifth = session.send(&install_domain(5, &[]));
    assert_eq!(fifth.sw, Sw::NOT_ENOUGH_MEMORY);
    assert_eq!(session.send(&install_domain(4, &[])).sw, Sw::FILE_EXISTS);
    // The load file of security domains is the card's.
    let package = command::delete(&SSD_PACKAGE, true);
    assert_eq!(session.send(&package).sw, Sw::CONDITIONS_NOT_SATISFIED);
    // A card without them has no such load file.
    let mut other = Session::open(card_of("virtual-small"), SecurityLevel::CMac);
    assert_eq!(
        other.send(&install_domain(1, &[])).sw,
        Sw::REFERENCED_DATA_NOT_FOUND
    );
}

#[test]
fn select_goes_through_domains_by_partial_aid() {
    let mut session = Session::open(card(), SecurityLevel::CMac);
    session.ok(&install_domain(1, &[]));
    session.ok(&install_domain(2, &[]));
    let mut card = session.card;
    let name = domain_aid(1)[..7].to_vec();
    let aid = |response: Response| response.data.get(4..12).map(<[u8]>::to_vec);
    assert_eq!(
        aid(send(&mut card, &command::select(&name))),
        Some(domain_aid(1))
    );
    let next = command::select_next(&name);
    assert_eq!(aid(send(&mut card, &next)), Some(domain_aid(2)));
    assert_eq!(send(&mut card, &next).sw, Sw::NOT_FOUND);
    // The failed SELECT left the second one selected.
    assert_eq!(raw(&mut card, "80CA004200"), "6A88");
}

#[test]
fn content_goes_from_domain_to_domain() {
    let mut session = toolkit::loaded(SecurityLevel::CMac);
    session.ok(&toolkit::install(&toolkit::toolkit_parameters(1, 1)));
    session.ok(&install_domain(1, &[Privilege::AuthorizedManagement]));
    let to = |n| domain_aid(n);
    let applet = command::install_for_extradition(&to(1), &toolkit::APPLET, &[]);
    // A domain that isn't PERSONALIZED takes nothing.
    assert_eq!(session.send(&applet).sw, Sw::CONDITIONS_NOT_SATISFIED);
    let mut link = Link::open(&mut session.card, 1, &to(1), &test_keys(), 0).unwrap();
    link.ok(
        &mut session.card,
        &put_key_set(0, 0x31, &keys_of(1), &test_keys()).unwrap(),
    );
    assert_eq!(session.ok(&applet), [0]);
    let listed = applications(&mut session);
    assert_eq!(listed[0].security_domain, Some(to(1)));
    // It is no longer the issuer's to give away, nor to update, but Global Delete and Global Lock reach it.
    assert_eq!(session.send(&applet).sw, Sw::CONDITIONS_NOT_SATISFIED);
    session.ok(&command::set_status(0x40, 0x80, &toolkit::APPLET));
    // The domain sees what is below it, and nothing else.
    let card = &mut session.card;
    let own = link.ok(
        card,
        &command::get_status(StatusKind::Applications, &[], false),
    );
    let own: Vec<Vec<u8>> = parse_status(&own)
        .unwrap()
        .into_iter()
        .map(|e| e.aid)
        .collect();
    assert_eq!(own, [toolkit::APPLET.to_vec(), to(1)]);
    assert_eq!(
        link.send(
            card,
            &command::get_status(StatusKind::LoadFiles, &[], false)
        )
        .sw,
        Sw::REFERENCED_DATA_NOT_FOUND
    );
    assert_eq!(
        link.send(
            card,
            &command::get_status(StatusKind::IssuerSecurityDomain, &[], false)
        )
        .sw,
        Sw::CONDITIONS_NOT_SATISFIED
    );
    // A domain below it; none goes below itself, and none with content is deleted.
    link.ok(card, &install_domain(2, &[]));
    let circle = command::install_for_extradition(&to(2), &to(1), &[]);
    assert_eq!(session.send(&circle).sw, Sw::CONDITIONS_NOT_SATISFIED);
    assert_eq!(
        session.send(&command::delete(&to(1), true)).sw,
        Sw::CONDITIONS_NOT_SATISFIED
    );
    // With Authorized Management it deletes its own, but not the issuer's load file.
    let card = &mut session.card;
    assert_eq!(
        link.send(card, &command::delete(&toolkit::PACKAGE, true))
            .sw,
        Sw::CONDITIONS_NOT_SATISFIED
    );
    link.ok(card, &command::delete(&toolkit::APPLET, false));
    link.ok(card, &command::delete(&to(2), false));
    assert_eq!(
        session.send(&command::delete(&to(1), false)).sw,
        Sw::CONDITIONS_NOT_SATISFIED,
        "it is selected on channel 1"
    );
    send(&mut session.card, &Command::new(0, 0x70, 0x80, 1));
    session.ok(&command::delete(&to(1), false));
    assert!(session.card.registry().instances.is_empty());
    session.ok(&command::delete(&toolkit::PACKAGE, false));
}

#[test]
fn a_domain_without_management_manages_nothing() {
    let mut session = with_domain(1, &[]);
    let card = &mut session.card;
    let mut link = Link::open(card, 1, &domain_aid(1), &keys_of(1), 0).unwrap();
    for command in [
        command::install_for_load(&toolkit::PACKAGE, &[], &[], &[], &[]),
        install_domain(2, &[]),
        command::delete(&domain_aid(1), false),
        command::install_for_extradition(aid::ISD, &domain_aid(1), &[]),
    ] {
        assert_eq!(link.send(card, &command).sw, Sw::CONDITIONS_NOT_SATISFIED);
        let why = card.take_fault().unwrap();
        assert!(why.contains("neither Authorized nor Delegated"), "{why}");
    }
    // It can't lock the card or another domain, only itself.
    for command in [
        command::set_status(0x80, 0x7F, &[]),
        command::set_status(0x80, 0xFF, &[]),
        command::set_status(0x80, 0x07, &[]),
    ] {
        assert_eq!(link.send(card, &command).sw, Sw::CONDITIONS_NOT_SATISFIED);
    }
    link.ok(card, &command::set_status(0x40, 0x80, &domain_aid(1)));
    let select = command::select(&domain_aid(1));
    assert_eq!(send(card, &select).sw, Sw::NOT_FOUND);
    let mut session = Session::open(session.card, SecurityLevel::CMac);
    session.ok(&command::set_status(0x40, 0x00, &domain_aid(1)));
    let unlocked = command::set_status(0x40, 0x00, &domain_aid(1));
    assert_eq!(session.send(&unlocked).sw, Sw::CONDITIONS_NOT_SATISFIED);
    let state = applications(&mut session)[0].life_cycle;
    assert_eq!(
        state,
        app_state::PERSONALIZED,
        "the state before comes back"
    );
}

#[test]
fn a_domain_is_locked_with_everything_below_it() {
    let mut session = with_domain(1, &[Privilege::AuthorizedManagement, Privilege::CardLock]);
    let card = &mut session.card;
    let mut link = Link::open(card, 1, &domain_aid(1), &keys_of(1), 0).unwrap();
    link.ok(card, &install_domain(2, &[]));
    session.ok(&install_domain(3, &[]));
    session.ok(&command::set_status(0x60, 0x80, &domain_aid(1)));
    session.ok(&command::set_status(0x60, 0x80, &domain_aid(1)));
    let states = |session: &mut Session| -> Vec<u8> {
        applications(session).iter().map(|e| e.life_cycle).collect()
    };
    assert_eq!(states(&mut session), [0x8F, 0x87, 0x07]);
    session.ok(&command::set_status(0x60, 0x00, &domain_aid(1)));
    assert_eq!(states(&mut session), [0x0F, 0x07, 0x07]);
    let isd = command::set_status(0x60, 0x80, aid::ISD);
    assert_eq!(session.send(&isd).sw, Sw::CONDITIONS_NOT_SATISFIED);
    // Card Lock lets a supplementary domain lock the card, not terminate it.
    let card = &mut session.card;
    let mut link = Link::open(card, 1, &domain_aid(1), &keys_of(1), 0).unwrap();
    assert_eq!(
        link.send(card, &command::set_status(0x80, 0xFF, &[])).sw,
        Sw::CONDITIONS_NOT_SATISFIED
    );
    link.ok(card, &command::set_status(0x80, 0x7F, &[]));
    session.ok(&command::set_status(0x80, 0x0F, &[]));
    session.ok(&command::set_status(0x80, 0xFF, &[]));
    assert_eq!(
        send(&mut session.card, &command::select(aid::ISD)).sw,
        Sw::FUNCTION_NOT_SUPPORTED
    );
}

#[test]
fn privileges_change_by_registry_update() {
    let mut session = with_domain(1, &[]);
    let update = |privileges, parameters| {
        RegistryUpdate {
            application: &domain_aid(1),
            privileges: Some(privileges),
            parameters,
            ..RegistryUpdate::default()
        }
        .command()
    };
    session.ok(&update([0x80, 0x48, 0], &[]));
    assert_eq!(applications(&mut session)[0].privileges, [0x80, 0x48, 0]);
    // Security Domain can't be taken, and nothing is done by half.
    for refused in [
        update([0, 0, 0], &[]),
        update([0xA0, 0x40, 0], &[]),
        update([0x80, 0, 0], &implicit_selection(0)),
        update([0x80, 0, 0], &[0xEF, 3, 0xD9, 1, 0x01]),
    ] {
        assert_eq!(session.send(&refused).sw, Sw::WRONG_DATA);
        assert!(session.card.take_fault().is_some());
    }
    assert_eq!(applications(&mut session)[0].privileges, [0x80, 0x48, 0]);
    // Extradition with it: both or neither.
    add_domain(&mut session, 2, &[]);
    let both = RegistryUpdate {
        security_domain: &domain_aid(2),
        application: &domain_aid(1),
        privileges: Some([0x80, 0, 0]),
        ..RegistryUpdate::default()
    };
    session.ok(&both.command());
    let listed = applications(&mut session);
    assert_eq!(listed[0].privileges, [0x80, 0, 0]);
    assert_eq!(listed[0].security_domain, Some(domain_aid(2)));
    assert_eq!(
        session.send(&both.command()).sw,
        Sw::CONDITIONS_NOT_SATISFIED
    );
}

#[test]
fn keys_come_and_go_one_by_one() {
    let mut session = with_domain(1, &[]);
    let (card, dek) = (&mut session.card, keys_of(1));
    let mut link = Link::open(card, 1, &domain_aid(1), &keys_of(1), 0).unwrap();
    let information = |link: &mut Link, card: &mut VirtualCard| -> Vec<(u8, u8, u8)> {
        let data = link.ok(card, &command::get_data(0x00E0));
        let keys = parse_key_information(&data).unwrap();
        keys.iter().map(|key| (key.kvn, key.id, key.kind)).collect()
    };
    let aes = |n: u8, length| PutKey::Aes(AesKey::new(&vec![n; length]).unwrap());
    let point = VerifyingPoint::of(7);
    link.ok(card, &put_keys(0, 0x71, 1, &[aes(5, 16)], &dek).unwrap());
    link.ok(
        card,
        &put_keys(0, 0x73, 1, &[PutKey::P256Public(point.0.clone())], &dek).unwrap(),
    );
    assert_eq!(
        information(&mut link, card),
        [
            (0x73, 1, 0xB0),
            (0x71, 1, 0x88),
            (0x31, 1, 0x88),
            (0x31, 2, 0x88),
            (0x31, 3, 0x88)
        ]
    );
    let refused = [
        // There already; nothing to replace; another length; another type; a public key for a channel.
        (
            put_keys(0, 0x71, 1, &[aes(6, 16)], &dek).unwrap(),
            Sw::REFERENCED_DATA_INVALIDATED,
        ),
        (
            put_keys(0x72, 0x72, 1, &[aes(6, 16)], &dek).unwrap(),
            Sw::REFERENCED_DATA_NOT_FOUND,
        ),
        (
            put_keys(0x71, 0x71, 2, &[aes(6, 16)], &dek).unwrap(),
            Sw::REFERENCED_DATA_NOT_FOUND,
        ),
        (
            put_keys(0x71, 0x71, 1, &[aes(6, 32)], &dek).unwrap(),
            Sw::WRONG_DATA,
        ),
        (
            put_keys(0x73, 0x73, 1, &[aes(6, 16)], &dek).unwrap(),
            Sw::WRONG_DATA,
        ),
        (
            put_keys(0, 0x32, 1, &[PutKey::P256Public(point.0.clone())], &dek).unwrap(),
            Sw::ALGORITHM_NOT_SUPPORTED,
        ),
        (
            put_keys(
                0,
                0x70,
                1,
                &[PutKey::P256Public([&[4][..], &[9; 64]].concat())],
                &dek,
            )
            .unwrap(),
            Sw::WRONG_DATA,
        ),
    ];
    for (command, sw) in refused {
        assert_eq!(link.send(card, &command).sw, sw, "{command:?}");
    }
    let mut chained = put_keys(0, 0x70, 1, &[aes(5, 16)], &dek).unwrap();
    chained.p1 = 0x80;
    assert_eq!(link.send(card, &chained).sw, Sw::INCORRECT_P1_P2);
    // One key of a set is replaced: its counter goes on, the others stay.
    link.ok(
        card,
        &put_keys(0x31, 0x31, 2, &[aes(0x44, 16)], &dek).unwrap(),
    );
    let mixed = StaticKeys::new(&[1; 16], &[0x44; 16], &[3; 16]).unwrap();
    let mut link = Link::open(card, 1, &domain_aid(1), &mixed, 0x31).unwrap();
    assert_eq!(counter(card, &mut link), "C103000002");
    // The whole set: a counter from zero.
    link.ok(
        card,
        &put_key_set(0x31, 0x32, &keys_of(0x50), &mixed).unwrap(),
    );
    let mut link = Link::open(card, 1, &domain_aid(1), &keys_of(0x50), 0).unwrap();
    assert_eq!(counter(card, &mut link), "C103000001");
    link.ok(card, &command::delete_keys(Some(0x71), None));
    link.ok(card, &command::delete_keys(Some(0x32), Some(2)));
    assert_eq!(
        information(&mut link, card),
        [(0x73, 1, 0xB0), (0x32, 1, 0x88), (0x32, 3, 0x88)]
    );
    link.ok(card, &command::delete_keys(None, Some(1)));
    assert_eq!(
        link.send(card, &command::delete_keys(Some(0x73), None)).sw,
        Sw::REFERENCED_DATA_NOT_FOUND
    );
}

/// A point on P-256.
struct VerifyingPoint(Vec<u8>);

impl VerifyingPoint {
    fn of(n: u8) -> Self {
        let key = applet_gen::gp::signature::SigningKey::p256(&[n; 32]).unwrap();
        VerifyingPoint(key.verifying().point().unwrap())
    }
}

#[test]
fn the_issuers_domain_keeps_a_set() {
    let mut session = Session::open(card(), SecurityLevel::CMac);
    let dek = test_keys();
    let one = PutKey::Aes(AesKey::new(&[5; 16]).unwrap());
    for command in [
        command::delete_keys(Some(0x30), None),
        command::delete_keys(None, Some(3)),
        command::delete_keys(Some(0x30), Some(1)),
        // A key that goes to another version leaves a set that opens nothing.
        put_keys(0x30, 0x31, 2, &[one], &dek).unwrap(),
    ] {
        assert_eq!(session.send(&command).sw, Sw::CONDITIONS_NOT_SATISFIED);
    }
    session.ok(&put_key_set(0, 0x31, &keys_of(1), &dek).unwrap());
    session.ok(&command::delete_keys(Some(0x30), None));
    let mut card = session.card;
    assert!(authenticate(&mut card, SecurityLevel::CMac, &keys_of(1), 0).is_ok());
}

#[test]
fn initial_keys_go_when_a_set_comes() {
    let mut definition = Definition::shipped("virtual-lab").unwrap();
    definition.isd.scp03.kvn = 0xFF;
    let mut session = Session::open(card_with(definition), SecurityLevel::CMac);
    session.ok(&put_key_set(0, 0x30, &keys_of(1), &test_keys()).unwrap());
    let data = session.ok(&command::get_data(0x00E0));
    let versions: Vec<u8> = parse_key_information(&data)
        .unwrap()
        .iter()
        .map(|k| k.kvn)
        .collect();
    assert_eq!(versions, [0x30; 3]);
    let mut card = session.card;
    assert!(authenticate(&mut card, SecurityLevel::CMac, &test_keys(), 0).is_err());
    assert!(authenticate(&mut card, SecurityLevel::CMac, &keys_of(1), 0).is_ok());
}
