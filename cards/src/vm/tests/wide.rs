//! Extended lengths, a PIN in transactions, shared code, verified code.

use super::harness::{Host, WIDE, params, wide_load_file};
use crate::vm::*;
use std::sync::OnceLock;

fn card() -> (Vm, InstanceId) {
    static CARD: OnceLock<(Vm, InstanceId)> = OnceLock::new();
    let made = CARD.get_or_init(|| {
        let mut host = Host::default();
        let mut vm = Vm::new(Limits::default(), &[]);
        vm.load(wide_load_file(), &mut host).unwrap();
        let (outcome, id) = vm.install(&WIDE, &WIDE, &params(&WIDE), &mut host).unwrap();
        assert_eq!(outcome, Outcome::Returned(None));
        (vm, id.unwrap())
    });
    made.clone()
}

fn ask(vm: &mut Vm, id: InstanceId, command: &[u8]) -> Vec<u8> {
    let mut thread = vm.start_process(id, command, 0, false).unwrap();
    let outcome = vm.run(&mut thread, &mut Host::default());
    assert_eq!(outcome, Outcome::Returned(None));
    thread.apdu().unwrap().response().to_vec()
}

#[test]
fn extended_lengths_go_in_and_out() {
    let (mut vm, id) = card();
    let data = vec![1u8; 700];
    let command = [&[0x80, 2, 0x03, 0xE8, 0, 0x02, 0xBC], &data[..], &[0x04, 0]].concat();
    let answer = ask(&mut vm, id, &command);
    assert_eq!(answer.len(), 1000);
    // Length and sum 700, data behind seven bytes of header, the current APDU, Le 1024.
    assert_eq!(answer[..8], [0x02, 0xBC, 0x02, 0xBC, 7, 1, 0x04, 0]);
    let short = ask(&mut vm, id, &[0x80, 2, 0, 8, 1, 5, 8]);
    assert_eq!(short, [0, 1, 0, 5, 5, 1, 0, 8]);
    // More than the terminal can take without extended lengths.
    let mut thread = vm
        .start_process(id, &[0x80, 2, 1, 1, 1, 5, 0], 0, false)
        .unwrap();
    let exception = "javacard/framework/APDUException".to_owned();
    let reason = 3;
    assert_eq!(
        vm.run(&mut thread, &mut Host::default()),
        Outcome::Uncaught { exception, reason }
    );
}

#[test]
fn an_applet_without_the_interface_takes_short_commands_only() {
    let (mut card, _) = super::harness::Card::new();
    let refused = card
        .vm
        .start_process(card.client, &[0x80, 1, 0, 0, 0, 2, 0], 0, false);
    let Err(VmError::Apdu(why)) = refused else {
        panic!("an extended command for an applet that takes none");
    };
    assert!(why.contains("ExtendedLength"), "{why}");
}

#[test]
fn no_abort_gives_back_a_try() {
    let (mut vm, id) = card();
    // Three tries, a wrong check, update (back to three), a wrong check, abort: two at most, the old value.
    assert_eq!(ask(&mut vm, id, &[0x80, 3, 0, 0]), [2, 1]);
}

#[test]
fn cards_share_linked_code() {
    let (vm, _) = card();
    let stored = serde_json::to_string(&vm).unwrap();
    let again: Vm = serde_json::from_str(&stored).unwrap();
    let code = |vm: &Vm| vm.code(vm.packages()[0]).unwrap().clone();
    assert!(std::sync::Arc::ptr_eq(&code(&vm), &code(&again)));
    // Under another number, or on a card without int, it is another code, or none.
    let mut other = Vm::new(Limits::default(), &[]);
    let (server, _) = super::harness::load_files();
    other.load(server, &mut Host::default()).unwrap();
    let id = other.load(wide_load_file(), &mut Host::default()).unwrap();
    assert!(!std::sync::Arc::ptr_eq(&code(&vm), other.code(id).unwrap()));
}

#[test]
fn a_verified_package_does_the_same() {
    let (mut vm, id) = card();
    let package = vm.packages()[0];
    assert!(!vm.is_verified(package), "what was just loaded is checked");
    assert!(vm.set_verified(package, true));
    assert_eq!(ask(&mut vm, id, &[0x80, 3, 0, 0]), [2, 1]);
    vm.set_mode(Mode::Defensive);
    assert_eq!(ask(&mut vm, id, &[0x80, 3, 0, 0]), [2, 1]);
}
