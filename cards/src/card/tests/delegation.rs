//! DAP blocks, tokens, receipts and ciphered load files, card and library against each other.

use super::*;
use applet_gen::gp::command::{self, RegistryUpdate};
use applet_gen::gp::load::{self, Dap, LoadHash};
use applet_gen::gp::put_key::{
    KVN_CIPHERED_LOAD, KVN_DAP, KVN_RECEIPT, KVN_TOKEN, PutKey, put_keys,
};
use applet_gen::gp::receipt::{Confirmation, Operation};
use applet_gen::gp::scp03::AesKey;
use applet_gen::gp::signature::SigningKey;
use applet_gen::gp::token::with_token;

fn aes(n: u8) -> AesKey {
    AesKey::new(&[n; 16]).unwrap()
}

fn p256(n: u8) -> SigningKey {
    SigningKey::p256(&[n; 32]).unwrap()
}

/// What PUT KEY carries for verifying with this key.
fn put(key: &SigningKey) -> PutKey {
    match key {
        SigningKey::Aes(key) => PutKey::Aes(key.clone()),
        SigningKey::P256(_) => PutKey::P256Public(key.verifying().point().unwrap()),
    }
}

/// Puts a key into domain `n`.
fn give(session: &mut Session, n: u8, version: u8, key: PutKey) {
    let card = &mut session.card;
    let mut link = Link::open(card, 3, &domain_aid(n), &keys_of(n), 0).unwrap();
    link.ok(card, &put_keys(0, version, 1, &[key], &keys_of(n)).unwrap());
    send(card, &Command::new(0, 0x70, 0x80, 3));
}

/// Loads the toolkit package for domain `domain` through the issuer's; the last answer.
fn load_for(
    session: &mut Session,
    domain: &[u8],
    hash: &[u8],
    file: &[u8],
    block: usize,
) -> Response {
    let begin = command::install_for_load(&toolkit::PACKAGE, domain, hash, &[], &[]);
    let mut response = session.send(&begin);
    for command in load::commands(file, block).unwrap() {
        if response.sw != Sw::OK {
            break;
        }
        response = session.send(&command);
    }
    response
}

fn nothing_is_there(session: &Session) {
    assert!(session.card.registry().load_files.is_empty());
    assert!(
        session
            .card
            .vm()
            .package_by_aid(&toolkit::PACKAGE)
            .is_none()
    );
}

#[test]
fn a_domain_verifies_what_is_loaded_for_it() {
    let hash = LoadHash::Sha256.of(toolkit::load_file());
    for key in [SigningKey::Aes(aes(0x73)), p256(0x51)] {
        let mut session = with_domain(1, &[Privilege::DapVerification]);
        let (domain, file) = (domain_aid(1), toolkit::load_file());
        let dap = Dap::sign(&domain, &hash, &key);
        let signed = load::load_file(std::slice::from_ref(&dap), file, None);
        // No key yet.
        let answer = load_for(&mut session, &domain, &hash, &signed, 200);
        assert_eq!(answer.sw, Sw::CONDITIONS_NOT_SATISFIED);
        give(&mut session, 1, KVN_DAP, put(&key));
        let mut wrong = dap.clone();
        wrong.signature[0] ^= 1;
        let wrong = load::load_file(&[wrong], file, None);
        let other = Dap::sign(&domain, &LoadHash::Sha256.of(b"other"), &key);
        let other = load::load_file(&[other], file, None);
        let stranger = Dap::sign(aid::ISD, &hash, &key);
        let stranger = load::load_file(&[dap.clone(), stranger], file, None);
        let plain = load::load_file(&[], file, None);
        let sha384 = LoadHash::Sha384.of(file);
        for (file, hash, sw, why) in [
            (
                &wrong,
                &hash[..],
                Sw::SECURITY_NOT_SATISFIED,
                "is not this load file's",
            ),
            (
                &other,
                &hash,
                Sw::SECURITY_NOT_SATISFIED,
                "is not this load file's",
            ),
            (
                &signed,
                &sha384,
                Sw::SECURITY_NOT_SATISFIED,
                "is not this load file's",
            ),
            (&signed, &[], Sw::WRONG_DATA, "need the hash"),
            (&signed, &[7; 32], Sw::WRONG_DATA, "hash"),
            (&signed, &[7; 20], Sw::WRONG_DATA, "hash"),
            (&plain, &hash, Sw::CONDITIONS_NOT_SATISFIED, "no DAP block"),
            (
                &stranger,
                &hash,
                Sw::CONDITIONS_NOT_SATISFIED,
                "no DAP Verification",
            ),
        ] {
            assert_eq!(
                load_for(&mut session, &domain, hash, file, 200).sw,
                sw,
                "{why}"
            );
            let reason = session.card.take_fault().unwrap();
            assert!(reason.contains(why), "{reason}");
            nothing_is_there(&session);
        }
        // At any block size: here with headers cut in two.
        for block in [27, 241] {
            let answer = load_for(&mut session, &domain, &hash, &signed, block);
            assert_eq!(answer, Response::ok([0]), "{:?}", session.card.take_fault());
            let files = &session.card.registry().load_files;
            assert_eq!(files[0].domain.bytes(), domain);
            session.ok(&command::delete(&toolkit::PACKAGE, false));
        }
        // 9.4.1: a load file can't be extradited to such a domain.
        assert_eq!(load_for(&mut session, &[], &[], &plain, 200).sw, Sw::OK);
        let extradite = command::install_for_extradition(&domain, &toolkit::PACKAGE, &[]);
        assert_eq!(session.send(&extradite).sw, Sw::CONDITIONS_NOT_SATISFIED);
    }
}

#[test]
fn a_mandated_block_is_asked_for_with_every_load() {
    let file = toolkit::load_file();
    let (hash, key) = (LoadHash::Sha512.of(file), p256(0x52));
    let mut session = with_domain(1, &[Privilege::MandatedDapVerification]);
    give(&mut session, 1, KVN_DAP, put(&key));
    let plain = load::load_file(&[], file, None);
    let answer = load_for(&mut session, aid::ISD, &hash, &plain, 200);
    assert_eq!(answer.sw, Sw::CONDITIONS_NOT_SATISFIED);
    nothing_is_there(&session);
    let dap = Dap::sign(&domain_aid(1), &hash, &key);
    let signed = load::load_file(&[dap], file, None);
    assert_eq!(
        load_for(&mut session, aid::ISD, &hash, &signed, 200).sw,
        Sw::OK
    );
}

#[test]
fn a_ciphered_load_file_is_for_who_asks_for_it() {
    let file = toolkit::load_file();
    let hash = LoadHash::Sha256.of(file);
    let mut session = with_domain(1, &[Privilege::CipheredLoadFileDataBlock]);
    let domain = domain_aid(1);
    let ciphered = load::load_file(&[], file, Some((&aes(0x75), [9; 16])));
    let answer = load_for(&mut session, &domain, &hash, &ciphered, 200);
    assert_eq!(answer.sw, Sw::CONDITIONS_NOT_SATISFIED);
    give(&mut session, 1, KVN_CIPHERED_LOAD, PutKey::Aes(aes(0x75)));
    let other = load::load_file(&[], file, Some((&aes(0x74), [9; 16])));
    let plain = load::load_file(&[], file, None);
    for (to, file, sw) in [
        (&domain[..], &plain, Sw::CONDITIONS_NOT_SATISFIED),
        (aid::ISD, &ciphered, Sw::CONDITIONS_NOT_SATISFIED),
        (&domain, &other, Sw::WRONG_DATA),
    ] {
        assert_eq!(load_for(&mut session, to, &hash, file, 200).sw, sw);
        nothing_is_there(&session);
    }
    assert_eq!(
        load_for(&mut session, &domain, &hash, &ciphered, 200).sw,
        Sw::OK
    );
    // Without D3 the ICV is zero.
    session.ok(&command::delete(&toolkit::PACKAGE, false));
    let zero = load::load_file(&[], file, Some((&aes(0x75), [0; 16])));
    assert_eq!(
        load_for(&mut session, &domain, &hash, &zero[18..], 200).sw,
        Sw::OK
    );
}

/// Loads, installs, updates, extradites and deletes by tokens, and checks each receipt.
#[test]
fn delegated_management_goes_by_tokens_and_gives_receipts() {
    let file = toolkit::load_file();
    let hash = LoadHash::Sha256.of(file);
    for token in [SigningKey::Aes(aes(0x70)), p256(0x53)] {
        let mut session = with_domain(1, &[Privilege::DelegatedManagement]);
        add_domain(&mut session, 2, &[]);
        let (domain, dek) = (domain_aid(1), test_keys());
        let begin = command::install_for_load(&toolkit::PACKAGE, &[], &hash, &[], &[]);
        let begin = with_token(&begin, &token).unwrap();
        let mut card = session.card.clone();
        let mut link = Link::open(&mut card, 1, &domain, &keys_of(1), 0).unwrap();
        assert_eq!(
            link.send(&mut card, &begin).sw,
            Sw::CONDITIONS_NOT_SATISFIED
        );
        assert!(card.take_fault().unwrap().contains("version 70"));
        session.ok(&put_keys(0, KVN_TOKEN, 1, &[put(&token)], &dek).unwrap());
        let mut card = session.card.clone();
        let mut link = Link::open(&mut card, 1, &domain, &keys_of(1), 0).unwrap();
        assert_eq!(
            link.send(&mut card, &begin).sw,
            Sw::CONDITIONS_NOT_SATISFIED
        );
        assert!(card.take_fault().unwrap().contains("version 71"));
        let receipt = SigningKey::Aes(aes(0x71));
        session.ok(&put_keys(0, KVN_RECEIPT, 1, &[put(&receipt)], &dek).unwrap());
        session.ok(&command::store_data(&[0x42, 2, 0xAB, 0xCD], 200, 0x10)[0]);
        let mut card = session.card;
        let unique = {
            let isd = card.world.gp.issuer().unwrap();
            [&isd.iin[..], &isd.cin].concat()
        };
        let mut link = Link::open(&mut card, 1, &domain, &keys_of(1), 0).unwrap();
        // Without a token, with another command's, with an altered field.
        let bare = command::install_for_load(&toolkit::PACKAGE, &[], &hash, &[], &[]);
        let mut altered = begin.clone();
        altered.data[3] ^= 1;
        for wrong in [&bare, &altered] {
            assert_eq!(link.send(&mut card, wrong).sw, Sw::SECURITY_NOT_SATISFIED);
        }
        let mut receipts = 0;
        let mut check = |answer: &[u8], operation: Operation<'_>| {
            let confirmation = Confirmation::parse(answer).unwrap().expect("a receipt");
            assert_eq!(
                (confirmation.counter, &confirmation.unique),
                (receipts, &unique)
            );
            assert!(confirmation.verify(&operation, &receipt.verifying()));
            receipts += 1;
        };
        assert_eq!(link.ok(&mut card, &begin), [0]);
        let mut answer = Vec::new();
        for block in load::load_commands(file, 200).unwrap() {
            answer = link.ok(&mut card, &block);
        }
        let load = Operation::Load {
            load_file: &toolkit::PACKAGE,
            domain: &domain,
        };
        check(&answer, load);
        // An identifier of the token comes back in the confirmation.
        let parameters = toolkit::toolkit_parameters(1, 1);
        let parameters = [&parameters[..], &[0xB6, 5, 0x93, 3, 1, 2, 3]].concat();
        let install = toolkit::install(&parameters);
        assert_eq!(
            link.send(&mut card, &install).sw,
            Sw::SECURITY_NOT_SATISFIED
        );
        let install = with_token(&install, &token).unwrap();
        let answer = link.ok(&mut card, &install);
        let made = Confirmation::parse(&answer).unwrap().unwrap();
        assert_eq!(made.token_identifier, Some(vec![1, 2, 3]));
        check(
            &answer,
            Operation::Install {
                load_file: &toolkit::PACKAGE,
                instance: &toolkit::APPLET,
            },
        );
        let update = RegistryUpdate {
            application: &toolkit::APPLET,
            privileges: Some([0x04, 0, 0]),
            ..RegistryUpdate::default()
        };
        let update = with_token(&update.command(), &token).unwrap();
        check(
            &link.ok(&mut card, &update),
            Operation::RegistryUpdate {
                from: &[],
                application: &toolkit::APPLET,
                to: &[],
                privileges: &[0x04, 0, 0],
                parameters: &[],
            },
        );
        let extradite = command::install_for_extradition(&domain_aid(2), &toolkit::PACKAGE, &[]);
        let extradite = with_token(&extradite, &token).unwrap();
        check(
            &link.ok(&mut card, &extradite),
            Operation::Extradition {
                from: &domain,
                object: &toolkit::PACKAGE,
                to: &domain_aid(2),
            },
        );
        let delete = command::delete(&toolkit::APPLET, false);
        assert_eq!(link.send(&mut card, &delete).sw, Sw::SECURITY_NOT_SATISFIED);
        let delete = with_token(&delete, &token).unwrap();
        check(
            &link.ok(&mut card, &delete),
            Operation::Delete {
                object: &toolkit::APPLET,
            },
        );
        // The counter is the issuer's domain's (C2), and it ends.
        raw(&mut card, "0070000200");
        assert_eq!(raw(&mut card, "82CA00C200"), "C20200059000");
        card.world.gp.domains[0].confirmations = 0x7FFF;
        let install = with_token(&toolkit::install(&[0xC9, 0]), &token).unwrap();
        assert_eq!(
            link.send(&mut card, &install).sw,
            Sw::CONDITIONS_NOT_SATISFIED
        );
        // Authorized Management takes no token.
        let mut session = Session::open(card, SecurityLevel::CMac);
        assert_eq!(session.send(&install).sw, Sw::WRONG_DATA);
    }
}

#[test]
fn make_selectable_wants_a_token_too() {
    let token = SigningKey::Aes(aes(0x70));
    let mut session = with_domain(1, &[Privilege::DelegatedManagement]);
    let dek = test_keys();
    session.ok(&put_keys(0, KVN_TOKEN, 1, &[put(&token)], &dek).unwrap());
    session.ok(&put_keys(0, KVN_RECEIPT, 1, &[put(&SigningKey::Aes(aes(0x71)))], &dek).unwrap());
    let card = &mut session.card;
    let mut link = Link::open(card, 1, &domain_aid(1), &keys_of(1), 0).unwrap();
    let mut install = install_domain(2, &[]);
    install.p1 = 0x04;
    link.ok(card, &with_token(&install, &token).unwrap());
    let select = command::select(&domain_aid(2));
    assert_eq!(send(card, &select).sw, Sw::NOT_FOUND);
    let make = command::install_for_make_selectable(&domain_aid(2), [0x80, 0, 0]);
    assert_eq!(link.send(card, &make).sw, Sw::SECURITY_NOT_SATISFIED);
    link.ok(card, &with_token(&make, &token).unwrap());
    assert_eq!(send(card, &select).sw, Sw::OK);
}
