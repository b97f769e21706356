//! Load files with flipped bytes: refused, or run to an end, and never out of the VM's hands.

use super::harness::{CLIENT, Host, SERVER, load_files, params};
use crate::vm::*;
use proptest::prelude::*;

fn small() -> Limits {
    Limits {
        fuel: 20_000,
        persistent: 64 * 1024,
        ..Limits::default()
    }
}

/// Loads both packages, installs, sends every instruction byte.
fn live(server: &[u8], client: &[u8]) {
    let mut host = Host::default();
    let mut vm = Vm::new(small(), &[]);
    if vm.load(server, &mut host).is_err() || vm.load(client, &mut host).is_err() {
        return;
    }
    for module in [SERVER, CLIENT] {
        let Ok((_, Some(id))) = vm.install(&module, &module, &params(&module), &mut host) else {
            continue;
        };
        let Ok(mut thread) = vm.start_select(id, 0) else {
            continue;
        };
        vm.run(&mut thread, &mut host);
        for ins in 0..0x13 {
            let Ok(mut thread) =
                vm.start_process(id, &[0x80, ins, 1, 0, 4, 1, 2, 3, 4, 0], 0, false)
            else {
                continue;
            };
            if vm.run(&mut thread, &mut host) == Outcome::Suspended {
                vm.resume(
                    &mut thread,
                    Resume::Return(Some(Value::Short(0))),
                    &mut host,
                );
            }
        }
        vm.deselected(0);
    }
    vm.reset();
    let _ = vm.memory();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn flipped_bytes_do_no_harm(
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 1..6)
    ) {
        let (mut server, mut client) = load_files().clone();
        for (at, byte, which) in flips {
            let file = if which { &mut client } else { &mut server };
            let at = at.index(file.len());
            file[at] = byte;
        }
        live(&server, &client);
    }

    #[test]
    fn garbage_is_no_load_file(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut vm = Vm::new(small(), &[]);
        prop_assert!(vm.load(&bytes, &mut Host::default()).is_err());
    }
}

#[test]
fn cut_load_files_are_refused() {
    let (server, _) = load_files();
    for end in (0..server.len()).step_by(7) {
        let mut vm = Vm::new(small(), &[]);
        let cut = server.get(..end).unwrap();
        // What is missing at the end may be a component that a package can do without.
        if vm.load(cut, &mut Host::default()).is_ok() {
            assert!(applet_gen::cap::Cap::from_load_file(cut).is_ok());
        }
    }
}
