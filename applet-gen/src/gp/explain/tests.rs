//! Commands of the builders have no faults; faults are named by field.

use super::super::command::RegistryUpdate;
use super::super::command::{self, Install};
use super::super::load::Dap;
use super::super::load::load_commands;
use super::super::privilege::Privilege;
use super::super::put_key::{PutKey, put_keys};
use super::super::scp03::{AesKey, StaticKeys};
use super::super::signature::SigningKey;
use super::super::token::with_token;
use super::super::uicc_params::{InstallParameters, ToolkitParameters, UiccParameters};
use super::*;
use proptest::prelude::*;

fn value<'a>(explained: &'a Explained, name: &str) -> &'a str {
    let field = explained.fields.iter().find(|field| field.0 == name);
    &field
        .unwrap_or_else(|| panic!("no {name}: {explained:?}"))
        .1
}

#[test]
fn what_the_builders_make_has_no_faults() {
    let parameters = InstallParameters {
        application: vec![1, 2],
        uicc: Some(UiccParameters {
            toolkit: Some(ToolkitParameters {
                max_channels: 1,
                ..ToolkitParameters::default()
            }),
            ..UiccParameters::default()
        }),
        ..InstallParameters::default()
    };
    let parameters = parameters.encode().unwrap();
    let install = Install {
        package: &[0xF0, 1, 2, 3, 4],
        module: &[0xF0, 1, 2, 3, 4, 5],
        instance: &[0xF0, 1, 2, 3, 4, 6],
        privileges: [0x04, 0, 0],
        parameters: &parameters,
        token: &[],
    };
    let read = explain(&install.for_install_and_make_selectable());
    assert_eq!(read.name, "INSTALL [for install and make selectable]");
    assert_eq!(value(&read, "privileges"), "Card Reset");
    assert_eq!(value(&read, "channels"), "1");
    assert_eq!(value(&read, "for the applet (C9)"), "0102");
    for command in [
        command::select(&[0xF0, 1, 2, 3, 4]),
        command::install_for_load(&[0xF0, 1, 2, 3, 4], &[], &[9; 32], &[], &[]),
        command::install_for_personalization(&[0xF0, 1, 2, 3, 4]),
        command::install_for_make_selectable(&[0xF0, 1, 2, 3, 4], [0; 3]),
        command::delete(&[0xF0, 1, 2, 3, 4], true),
        load_commands(&[0; 300], 200).unwrap().remove(1),
    ] {
        assert_eq!(
            explain(&command).faults,
            Vec::<String>::new(),
            "{command:?}"
        );
    }
    assert_eq!(read.faults, Vec::<String>::new());
}

#[test]
fn faults_are_named_by_field() {
    let mut command = command::install_for_load(&[1; 4], &[], &[], &[], &[]);
    assert!(explain(&command).faults[0].contains("load file: 4 bytes"));
    command.data.pop();
    assert!(explain(&command).faults[1].contains("load token: cut"));
    let bad = Install {
        package: &[1; 5],
        module: &[1; 6],
        instance: &[1; 7],
        privileges: [0; 3],
        // EA with a toolkit field that ends early.
        parameters: &[0xC9, 0, 0xEA, 4, 0x80, 2, 0xFF, 0],
        token: &[],
    };
    let read = explain(&bad.for_install());
    assert!(read.faults[0].contains("install parameters: "), "{read:?}");
}

#[test]
fn card_management_is_named_field_by_field() {
    let key = SigningKey::Aes(AesKey::new(&[7; 16]).unwrap());
    let update = RegistryUpdate {
        security_domain: &[0xA0; 5],
        application: &[0xB0; 5],
        privileges: Some(Privilege::bytes(&[Privilege::MandatedDapVerification])),
        parameters: &command::implicit_selection(1),
    };
    let update = with_token(&update.command(), &key).unwrap();
    let read = explain(&update);
    assert_eq!(read.name, "INSTALL [for registry update]");
    assert_eq!(value(&read, "implicit selection"), "contact, channel 1");
    assert!(value(&read, "privileges").ends_with("Mandated DAP Verification"));
    assert_eq!(value(&read, "token").len(), 32);
    assert_eq!(read.faults, Vec::<String>::new());
    let extradition = command::install_for_extradition(&[0xA0; 5], &[0xB0; 5], &[]);
    assert_eq!(explain(&extradition).faults, Vec::<String>::new());
    let delete = with_token(&command::delete(&[0xB0; 5], true), &key).unwrap();
    assert_eq!(value(&explain(&delete), "token").len(), 32);
    let keys = explain(&command::delete_keys(Some(0x30), Some(2)));
    assert_eq!(value(&keys, "key version"), "30");
    assert_eq!(value(&keys, "key identifier"), "02");
    let lock = explain(&command::set_status(0x60, 0x80, &[0xA0; 5]));
    assert_eq!(value(&lock, "state"), "LOCKED");
    assert!(value(&lock, "of").contains("below"));
    let card = explain(&command::set_status(0x80, 0xFF, &[]));
    assert_eq!(value(&card, "state"), "TERMINATED");
    let put = put_keys(
        0,
        0x73,
        1,
        &[PutKey::P256Public(vec![4; 65])],
        &StaticKeys::new(&[9; 16], &[9; 16], &[9; 16]).unwrap(),
    )
    .unwrap();
    let put = explain(&put);
    assert_eq!(value(&put, "for"), "DAP verification");
    assert!(value(&put, "key 1").contains("P-256"));
    let dap = Dap::sign(&[0xA0; 5], &[1; 32], &key);
    let file = super::super::load::load_file(&[dap], &[1; 40], None);
    let first = explain(&super::super::load::commands(&file, 200).unwrap()[0]);
    assert_eq!(value(&first, "DAP block of"), "A0A0A0A0A0");
    assert_eq!(value(&first, "load file data block"), "40 bytes");
    let store = explain(&Command::new(0x80, INS_STORE_DATA, 0xE8, 0).with_data([0; 4]));
    assert_eq!(value(&store, "encryption"), "by Key-DEK");
    let session = explain(&command::begin_r_mac_session(true, &[]));
    assert_eq!(session.name, "BEGIN R-MAC SESSION");
}

#[test]
fn what_a_card_would_refuse_is_found() {
    let fault = |command: &Command| explain(command).faults.join("; ");
    let load = command::install_for_load(&[1; 5], &[], &[9; 31], &[], &[]);
    assert!(fault(&load).contains("hash: 31 bytes"));
    let load = command::install_for_load(&[1; 5], &[], &[], &[], &[7; 16]);
    assert!(fault(&load).contains("needs the load file data block hash"));
    let both = [
        Privilege::AuthorizedManagement,
        Privilege::DelegatedManagement,
    ];
    let make = command::install_for_make_selectable(&[1; 5], Privilege::bytes(&both[1..]));
    assert_eq!(fault(&make), "");
    let update = RegistryUpdate {
        application: &[1; 5],
        privileges: Some(Privilege::bytes(&both)),
        ..RegistryUpdate::default()
    };
    assert!(fault(&update.command()).contains("exclude each other"));
    let mut store = command::store_data(&[1, 2], 100, 0x40).remove(0);
    assert!(fault(&store).contains("reserved"));
    store.p1 = 0x98;
    assert!(fault(&store).contains("reserved"));
    let key = PutKey::Aes(AesKey::new(&[7; 16]).unwrap());
    let mut put = put_keys(
        0,
        0x31,
        1,
        &[key.clone(), key],
        &StaticKeys::new(&[9; 16], &[9; 16], &[9; 16]).unwrap(),
    )
    .unwrap();
    assert_eq!(fault(&put), "");
    put.p2 = 1;
    assert!(fault(&put).contains("bit 8"));
    put.p2 = 0x81;
    put.p1 = 0x80;
    assert!(fault(&put).contains("P1 80"));
    let neither = Command::new(0x80, INS_DELETE, 0, 0);
    assert!(fault(&neither).contains("neither"));
    let next = Command::new(0x80, INS_GET_STATUS, 0x40, 2);
    assert!(fault(&next).contains("4F"));
    let state = command::set_status(0x80, 0x02, &[]);
    assert!(fault(&state).contains("no life cycle state"));
    let first = Command::new(0x80, INS_LOAD, 0, 0).with_data([0xE3, 0]);
    assert!(fault(&first).contains("E3"));
}

#[test]
fn keys_are_not_shown() {
    let command = Command::new(0x80, INS_PUT_KEY, 0x30, 0x81).with_data([0x31, 0x88, 0x11]);
    let shown = format!("{:?}", explain(&command));
    assert!(shown.contains("31") && !shown.contains("8811"), "{shown}");
}

proptest! {
    #[test]
    fn any_command_is_explained(cla: u8, ins in 0xC0u8.., p1: u8, p2: u8, data in proptest::collection::vec(any::<u8>(), 0..60)) {
        let _ = explain(&Command::new(cla, ins, p1, p2).with_data(data));
    }
}
