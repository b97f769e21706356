//! Damaged CAP files on the VM: whatever is in them, there is an answer, and never a panic or a hang.

use applet_gen::cap::Cap;
use applet_gen::gp::command;
use applet_model::aid;
use cards::definition::Definition;
use cards::observe::Tracer;
use host_bridge::observe::{Session, SessionError};
use ipae_tests::applet;
use std::collections::BTreeMap;

/// Damaged files that are tried; `IPAE_DAMAGED` sets another number.
const FILES: u64 = 120;
/// What is sent after the applet was selected: GET DATA, STORE DATA.
const COMMANDS: [&[u8]; 2] = [
    &[0x80, 0xCA, 0x00, 0xDF, 0x00],
    &[0x80, 0xE2, 0, 0, 2, 1, 2],
];

/// Marsaglia's xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % n as u64).unwrap_or(0)
    }
}

/// Loads and runs a package, as `ipae vm run --unverified` does; how far it came.
fn run(cap: Cap, definition: &Definition) -> Result<&'static str, SessionError> {
    let mut session = Session::new(definition.clone(), 1)?;
    let package = cap.header.package.aid.clone();
    let applets: Vec<Vec<u8>> = cap
        .applets
        .iter()
        .map(|applet| applet.aid.clone())
        .collect();
    if session.load(cap, false).is_err() {
        return Ok("refused");
    }
    session.trace(Tracer::new(session.names()));
    let mut how = "loaded";
    for aid in applets {
        let parameters = ipae_tests::install_parameters()
            .encode()
            .unwrap_or_default();
        match session.install(&package, &aid, &parameters) {
            Ok(_) => how = "installed",
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    let select = command::select(aid::MODULE_IPAE).to_bytes();
    for command in [select.as_slice()].into_iter().chain(COMMANDS) {
        let exchange = session.transmit(command)?;
        let names = session.names();
        let _ = exchange.thrown.map(|thrown| thrown.lines(&names));
    }
    Ok(how)
}

#[test]
fn damaged_packages_are_refused_or_run_and_never_panic() {
    let files = std::env::var("IPAE_DAMAGED")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(FILES);
    let whole = applet().cap.load_file(true).expect("a load file");
    let definition = Definition::find("virtual-lab").expect("a definition");
    let mut ends: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in 1..=files {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut bytes = whole.clone();
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len());
            bytes[at] = u8::try_from(random.below(256)).unwrap_or(0);
        }
        let how = match Cap::from_load_file(&bytes) {
            Err(error) => {
                assert!(!error.to_string().is_empty());
                "unreadable"
            }
            Ok(cap) => run(cap, &definition).unwrap_or_else(|e| panic!("seed {seed}: {e}")),
        };
        *ends.entry(how).or_default() += 1;
    }
    println!("{files} damaged files: {ends:?}");
    for how in ["unreadable", "refused", "installed"] {
        assert!(ends.contains_key(how), "{how} never came: {ends:?}");
    }
}
