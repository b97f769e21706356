//! How fast the virtual card is, and how much memory it takes: bytecodes, commands and signatures a second of a
//! small applet ([`APPLET`]) that runs on any Java Card, so that peers can be measured with the same.

use applet_gen::api;
use applet_gen::convert::{ConvertInput, convert};
use applet_gen::javac::{Javac, JavacError};
use cards::card::{CardConfig, CardError, FactoryError, PowerLost, SnapshotError, VirtualCard};
use cards::definition::Definition;
use cards::euicc::{Eid, EuiccConfig};
use cards::vm::{Event, Observer};
use serde::Serialize;
use std::any::Any;
use std::path::Path;
use std::time::{Duration, Instant};

/// Source of the applet: class `ipae.bench.BenchApplet`.
pub const APPLET: &str = include_str!("BenchApplet.java");
/// AID of its package.
pub const PACKAGE_AID: [u8; 6] = [0xF0, 0x49, 0x50, 0x41, 0x65, 0x42];
/// AID of the applet and of its instance.
pub const APPLET_AID: [u8; 7] = [0xF0, 0x49, 0x50, 0x41, 0x65, 0x42, 0x01];

/// Rounds of the applet's loop in one command.
const ROUNDS: u16 = 10_000;
/// Bytes that are echoed.
const ECHO: u8 = 16;

/// Why nothing can be measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The applet can't be compiled.
    #[error(transparent)]
    Javac(#[from] JavacError),
    /// The applet can't be converted.
    #[error("the applet can't be converted: {0}")]
    Convert(String),
    /// A file of the work folder.
    #[error("{0}")]
    File(#[from] std::io::Error),
    /// The card can't be made.
    #[error(transparent)]
    Card(#[from] CardError),
    /// The card refuses the applet.
    #[error(transparent)]
    Factory(#[from] FactoryError),
    /// The card lost its power.
    #[error(transparent)]
    Power(#[from] PowerLost),
    /// The card can't be stored or read back.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The applet answers something else than it should.
    #[error("{what}: expected 9000 and {expected} bytes, the card answers {found}")]
    Answer {
        /// The command.
        what: &'static str,
        /// Bytes of response data.
        expected: &'static str,
        /// The response.
        found: String,
    },
}

/// What was measured. Rates are a second of one thread.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Figures {
    /// Bytecodes.
    pub bytecodes: f64,
    /// The same in defensive mode.
    pub bytecodes_defensive: f64,
    /// Echo commands of 16 bytes.
    pub echo: f64,
    /// ECDSA signatures over P-256 with SHA-256.
    pub sign: f64,
    /// Resident bytes that one more stored card takes, its code shared; `None` where the system doesn't tell.
    pub memory: Option<f64>,
}

impl Figures {
    /// The figures by the name that a peer's are given under.
    pub fn named(&self) -> [(&'static str, Option<f64>); 5] {
        [
            ("bytecodes", Some(self.bytecodes)),
            ("bytecodes_defensive", Some(self.bytecodes_defensive)),
            ("echo", Some(self.echo)),
            ("sign", Some(self.sign)),
            ("memory", self.memory),
        ]
    }
}

/// Counts instructions.
#[derive(Default)]
struct Counter(u64);

impl Observer for Counter {
    fn event(&mut self, event: &Event<'_>) {
        self.0 += u64::from(matches!(event, Event::Instruction { .. }));
    }
}

/// The applet's load file, compiled and converted in `dir`.
///
/// # Errors
/// [`BenchError`]: no JDK, above all.
pub fn load_file(dir: &Path) -> Result<Vec<u8>, BenchError> {
    let javac = Javac::locate()?;
    std::fs::create_dir_all(dir)?;
    let stubs = api::stubs::compile(dir, &javac)?;
    let source = dir.join("BenchApplet.java");
    std::fs::write(&source, APPLET)?;
    let out = dir.join("classes");
    javac.compile(&[source], &[stubs], &out)?;
    let class = out.join("ipae/bench/BenchApplet.class");
    let input = ConvertInput {
        classes: vec![(class.display().to_string(), std::fs::read(&class)?)],
        package_aid: PACKAGE_AID.to_vec(),
        version: (1, 0),
        applets: vec![("ipae.bench.BenchApplet".into(), APPLET_AID.to_vec())],
        imports: api::packages(),
        ..ConvertInput::default()
    };
    let converted = convert(&input).map_err(|errors| {
        let all: Vec<String> = errors.iter().map(ToString::to_string).collect();
        BenchError::Convert(all.join("; "))
    })?;
    let cap = converted.cap.load_file(true);
    cap.map_err(|error| BenchError::Convert(error.to_string()))
}

/// A lab card with the applet, selected on the basic channel.
///
/// # Errors
/// [`BenchError`].
pub fn card(load_file: &[u8]) -> Result<VirtualCard, BenchError> {
    let wrong = |what: String| BenchError::Convert(what);
    let eid = Eid::with_check_digits("890490320000000000000000000001");
    let eid = eid.map_err(|error| wrong(error.to_string()))?;
    let definition = Definition::find("virtual-lab").map_err(|error| wrong(error.to_string()))?;
    let euicc = EuiccConfig::lab(eid).map_err(|error| wrong(error.to_string()))?;
    let mut card = VirtualCard::new(CardConfig::with_test_keys(definition, 1, euicc)?)?;
    let package = card.factory_load(load_file)?;
    card.factory_install(&package, &APPLET_AID, &APPLET_AID, &[0xC9, 0])?;
    let length = u8::try_from(APPLET_AID.len()).unwrap_or(0);
    let select = [&[0x00, 0xA4, 0x04, 0x00, length], &APPLET_AID[..]].concat();
    ask(&mut card, "SELECT", &select, "0", |data| data.is_empty())?;
    Ok(card)
}

/// One command that must succeed.
fn ask(
    card: &mut VirtualCard,
    what: &'static str,
    command: &[u8],
    expected: &'static str,
    good: impl Fn(&[u8]) -> bool,
) -> Result<(), BenchError> {
    let mut answer = card.transmit(command)?;
    // T=0: the data of a command with data waits (61xx).
    if let [.., 0x61, waiting] = *answer.as_slice() {
        answer = card.transmit(&[0x00, 0xC0, 0, 0, waiting])?;
    }
    match answer.as_slice() {
        [data @ .., 0x90, 0x00] if good(data) => Ok(()),
        other => Err(BenchError::Answer {
            what,
            expected,
            found: format!("{}: {:?}", hex::encode_upper(other), card.take_fault()),
        }),
    }
}

/// How often `act` ran in a second.
fn rate(
    time: Duration,
    mut act: impl FnMut() -> Result<(), BenchError>,
) -> Result<f64, BenchError> {
    act()?;
    let start = Instant::now();
    let mut done = 0u32;
    while start.elapsed() < time {
        act()?;
        done += 1;
    }
    Ok(f64::from(done) / start.elapsed().as_secs_f64())
}

/// Measures a card that [`card`] made; each rate takes `time`.
///
/// # Errors
/// [`BenchError`].
pub fn rates(card: &VirtualCard, time: Duration) -> Result<Figures, BenchError> {
    let [high, low] = ROUNDS.to_be_bytes();
    let run = [0x80, 0x02, high, low, 2];
    let looped = |card: &mut VirtualCard| ask(card, "loop", &run, "2", |data| data.len() == 2);
    let mut observed = card.clone();
    observed.observe(Box::<Counter>::default());
    looped(&mut observed)?;
    let counter = observed.take_observer();
    let counter: Option<Box<Counter>> = counter.and_then(|o| (o as Box<dyn Any>).downcast().ok());
    let bytecodes = counter.map_or(0.0, |counter| counter.0 as f64);

    let mut defensive = card.clone();
    let bytecodes_defensive = bytecodes * rate(time, || looped(&mut defensive))?;
    let mut card = card.clone();
    card.set_verified(&PACKAGE_AID);
    let bytecodes = bytecodes * rate(time, || looped(&mut card))?;

    let data: Vec<u8> = (0..ECHO).collect();
    let echo = [&[0x80, 0x01, 0, 0, ECHO], &data[..]].concat();
    let echoed = rate(time, || {
        ask(&mut card, "echo", &echo, "16", |answer| answer == data)
    })?;
    let sign = [&[0x80, 0x03, 0, 0, ECHO], &data[..]].concat();
    let signed = rate(time, || {
        ask(&mut card, "signature", &sign, "70 to 72", |answer| {
            (68..=72).contains(&answer.len())
        })
    })?;
    Ok(Figures {
        bytecodes,
        bytecodes_defensive,
        echo: echoed,
        sign: signed,
        memory: None,
    })
}

/// Resident bytes of one more card, over `count` cards that are read back from what `card` is stored as;
/// `None` where the system doesn't tell.
///
/// # Errors
/// [`BenchError::Snapshot`].
pub fn memory(card: &VirtualCard, count: u32) -> Result<Option<f64>, BenchError> {
    let stored = card.to_bytes()?;
    // The first pays for tables and for the allocator's own.
    let mut all = vec![VirtualCard::from_bytes(&stored)?];
    let before = resident();
    for _ in 0..count {
        all.push(VirtualCard::from_bytes(&stored)?);
    }
    let after = resident();
    drop(all);
    Ok(before
        .zip(after)
        .map(|(before, after)| after.saturating_sub(before) as f64 / f64::from(count.max(1))))
}

/// Resident memory of this process in bytes, as Linux tells it.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_applet_runs_and_cards_share_its_code() {
        let dir = tempfile::tempdir().unwrap();
        let card = card(&load_file(dir.path()).unwrap()).unwrap();
        let figures = rates(&card, Duration::from_millis(1)).unwrap();
        assert!(figures.bytecodes > 0.0 && figures.sign > 0.0, "{figures:?}");
        let bytes = card.to_bytes().unwrap();
        assert!(VirtualCard::from_bytes(&bytes).is_ok());
        assert!(memory(&card, 3).is_ok());
    }
}
