//! Random traces for lock-step: a driver that answers the applet as a device, an eUICC and an eIM
//! would, well or badly, and now and then with bytes that mean nothing.
//!
//! The caller installs the applet (`Install`, `TimerAllocated(1)`), then asks for one input after
//! another, giving what the applet sent to the last one. The same seed and the same outputs give
//! the same inputs, so the model alone and a CAP file on a virtual card can be driven by it.
//! Inputs come where they can come only: events and APDUs while the applet waits for none of its
//! own answers, TERMINAL RESPONSE and ES10 answers where it asked.

use super::world::scenario::{LONG_QUEUE, SCENARIOS, Scenario};
use super::world::{Move, Phase, World};
use crate::apdu::Command;
use crate::commands::{INS_GET_DATA, INS_POLL_NOW, INS_SELECT, INS_STORE_DATA, OBJECT_CLASS};
use crate::config::Config;
use crate::status::Sw;
use crate::trace::Boundary;

/// Longest answer that a mutation makes, in bytes: what a short APDU carries.
const LONGEST: usize = 250;

/// Seeds of which those with a long queue run to its end.
const LONG_SEEDS: u64 = 800;

/// SplitMix64: small, and good enough to draw tests from.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The numbers of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `n`; 0 if `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() >> 11) as usize % n.max(1)
    }

    /// True in `n` of 1000 cases.
    fn chance(&mut self, n: usize) -> bool {
        self.below(1000) < n
    }

    /// Any byte.
    pub fn byte(&mut self) -> u8 {
        (self.next() >> 32) as u8
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        let n = self.below(most + 1);
        (0..n).map(|_| self.byte()).collect()
    }
}

/// How bad a world is, in thousandths.
#[derive(Debug, Clone, Copy)]
struct Temper {
    /// Another move than the good one.
    fault: usize,
    /// Bytes that mean nothing.
    garbage: usize,
    /// An APDU out of turn.
    apdu: usize,
    /// A loss of power.
    power: usize,
}

const TEMPERS: &[Temper] = &[
    Temper {
        fault: 0,
        garbage: 0,
        apdu: 0,
        power: 0,
    },
    Temper {
        fault: 20,
        garbage: 0,
        apdu: 5,
        power: 1,
    },
    Temper {
        fault: 60,
        garbage: 10,
        apdu: 20,
        power: 3,
    },
    Temper {
        fault: 200,
        garbage: 30,
        apdu: 50,
        power: 5,
    },
    Temper {
        fault: 40,
        garbage: 200,
        apdu: 100,
        power: 5,
    },
];

/// Draws the applet's inputs.
#[derive(Debug, Clone)]
pub struct Driver {
    random: Random,
    scenario: Scenario,
    temper: Temper,
    world: World,
    config: Config,
    configured: bool,
    /// The card is started again, as after personalization.
    restart: bool,
    /// A queue longer than a session takes, to be played to its end.
    is_long: bool,
}

impl Driver {
    /// A driver of its own world for each seed.
    pub fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let all = SCENARIOS.len() + 1;
        let drawn = *SCENARIOS.get(random.below(all)).unwrap_or(&LONG_QUEUE);
        // A download has more steps than all others together.
        let downloads: Vec<&Scenario> = SCENARIOS.iter().filter(|s| s.downloads()).collect();
        let scenario = match downloads.get(random.below(3 * downloads.len())) {
            Some(download) => **download,
            None => drawn,
        };
        let temper = TEMPERS[random.below(TEMPERS.len())];
        let config = Config {
            poll_minutes: 1 + random.below(3) as u16,
            boot_delay: 1 + random.below(90) as u16,
            response_timeout: 1 + random.below(90) as u16,
            backoff: 1 + random.below(100) as u16,
            backoff_max: 1 + random.below(200) as u16,
            check_delay: 1 + random.below(90) as u16,
            check_tries: 1 + random.below(3) as u8,
            refresh_timeout: 1 + random.below(90) as u16,
            refresh_tries: random.below(3) as u8,
            eim_choice: random.below(3) as u8,
            on_loss: scenario.on_loss,
            apn: random.bytes(20),
            ..Config::default()
        };
        Driver {
            is_long: seed < LONG_SEEDS && scenario.name == LONG_QUEUE.name,
            random,
            world: World::new(&scenario),
            scenario,
            temper,
            config,
            configured: false,
            restart: false,
        }
    }

    /// Inputs after which a trace of this seed has most of its scenario behind it.
    pub fn inputs(&self) -> usize {
        if self.is_long {
            1500
        } else if self.scenario.downloads() {
            220
        } else {
            110
        }
    }

    /// What this seed plays, in words.
    pub fn name(&self) -> String {
        let t = self.temper;
        format!(
            "{}; of 1000 inputs {} faults, {} garbage, {} APDUs, {} losses of power",
            self.scenario.name, t.fault, t.garbage, t.apdu, t.power
        )
    }

    /// The next input, given all outputs of the last one (none before the first).
    pub fn next(&mut self, outputs: &[Boundary]) -> Boundary {
        self.world.follow(outputs);
        let at_rest = self.world.phase == Phase::Rest;
        if at_rest && !self.configured && self.random.chance(850) {
            self.configured = true;
            self.restart = self.random.chance(900);
            return store_data(self.config.to_store_data());
        }
        let restart = core::mem::take(&mut self.restart);
        if restart || self.random.chance(self.temper.power) && self.world.phase != Phase::Off {
            return self.world.play(&self.scenario, Move::PowerLoss);
        }
        if at_rest && self.random.chance(self.temper.apdu) {
            return self.apdu();
        }
        let moves = self.world.moves(&self.scenario);
        let plain = |m: &Move| !matches!(m, Move::Noise(2));
        let moves: Vec<Move> = moves.into_iter().map(|(m, _)| m).filter(plain).collect();
        // There are few answers of the eIM in a session, and many ways in which they can be wrong.
        let answers = moves.iter().filter(|m| matches!(m, Move::Eim(_))).count();
        let chosen = if self.random.chance(self.temper.fault) {
            self.random.below(moves.len())
        } else if answers > 0 && self.random.chance(2 * self.temper.fault) {
            self.random.below(answers)
        } else if moves.first() == Some(&Move::Announce)
            && self.random.chance(3 * self.temper.fault)
        {
            // The timer, or STATUS in its place.
            1
        } else {
            0
        };
        let what = moves.get(chosen).copied().unwrap_or(Move::Status);
        let asked = match self.world.phase {
            Phase::Read(most) => usize::from(most),
            _ => LONGEST,
        };
        let mut input = self.world.play(&self.scenario, what);
        if self.random.chance(self.temper.garbage) {
            self.spoil(&mut input, asked);
        }
        input
    }

    /// An APDU or STORE DATA, meant well or not.
    fn apdu(&mut self) -> Boundary {
        let r = &mut self.random;
        match r.below(15) {
            0..=2 => {
                let tag = 0x20 + r.below(9) as u8;
                Boundary::Apdu(Command::new(0x80, INS_GET_DATA, OBJECT_CLASS, tag).with_le(256))
            }
            3 => Boundary::Apdu(Command::new(0x80, INS_POLL_NOW, 0, 0)),
            4 => {
                let aid = crate::aid::INSTANCE_IPAE;
                Boundary::Apdu(Command::new(0x00, INS_SELECT, 0x04, 0x00).with_data(aid))
            }
            5 => {
                let cla = if r.chance(500) { 0x80 } else { r.byte() & 0x8F };
                let ins = r.byte() & 0xFE;
                let (p1, p2) = (r.byte(), r.byte());
                // 6X and 9X are no instructions (ISO/IEC 7816-3 10.3.2).
                let ins = if matches!(ins >> 4, 6 | 9) { 0x10 } else { ins };
                let is_select = ins == INS_SELECT || ins == 0x70;
                Boundary::Apdu(Command::new(
                    cla,
                    if is_select { INS_POLL_NOW } else { ins },
                    p1,
                    p2,
                ))
            }
            6 => store_data(Config::lock_data(true)),
            7 | 8 => store_data(Config::lock_data(false)),
            9 => {
                let mut data = self.config.to_store_data();
                if r.chance(700) {
                    mutate(r, &mut data, LONGEST);
                }
                store_data(data)
            }
            10 => {
                let (p1, p2) = (r.byte(), r.byte() & 1);
                let mut data = r.bytes(40);
                if data.is_empty() {
                    data.push(0);
                }
                Boundary::Personalization(
                    Command::new(0x80, INS_STORE_DATA, p1, p2).with_data(data),
                )
            }
            11 => store_data(self.config.to_store_data()),
            _ => {
                let noise = [0, 1, 3, 3, 5][r.below(5)];
                self.world.play(&self.scenario, Move::Noise(noise))
            }
        }
    }

    fn spoil(&mut self, input: &mut Boundary, asked: usize) {
        let r = &mut self.random;
        match input {
            Boundary::TerminalResponse(bytes) => mutate(r, bytes, LONGEST),
            Boundary::TerminalProfile(bytes) => mutate(r, bytes, 40),
            Boundary::Es10Data(bytes) => mutate(r, bytes, asked),
            Boundary::Event {
                event: 22 | 23,
                envelope,
            } => mutate(r, envelope, LONGEST),
            Boundary::Es10Status(sw) => {
                let words = [
                    0x9000, 0x6100, 0x6110, 0x6985, 0x6A88, 0x6F00, 0x9110, 0x6310,
                ];
                *sw = Sw(words[r.below(words.len())]);
            }
            _ => {}
        }
    }
}

fn store_data(data: Vec<u8>) -> Boundary {
    Boundary::Personalization(Command::new(0x80, INS_STORE_DATA, 0x90, 0).with_data(data))
}

/// Changes bytes so that they may mean nothing.
fn mutate(r: &mut Random, bytes: &mut Vec<u8>, most: usize) {
    for _ in 0..=r.below(2) {
        let at = r.below(bytes.len());
        match r.below(6) {
            0 if !bytes.is_empty() => bytes.truncate(at),
            1 if !bytes.is_empty() => bytes[at] = r.byte(),
            2 if !bytes.is_empty() => bytes[at] ^= 1 << r.below(8),
            3 if !bytes.is_empty() => {
                bytes.remove(at);
            }
            4 => bytes.insert(at, r.byte()),
            _ => *bytes = r.bytes(most.min(60)),
        }
    }
    bytes.truncate(most);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::check::name;
    use crate::machine::{Machine, table};
    use std::collections::HashSet;

    /// Drives the model alone; gives the inputs, and the rows taken.
    fn drive(seed: u64, inputs: usize, rows: &mut HashSet<usize>) -> Vec<Boundary> {
        let mut driver = Driver::new(seed);
        let mut machine = Machine::new();
        machine.input(&Boundary::TimerAllocated(1)).unwrap();
        let mut outputs = Vec::new();
        let mut trace = Vec::new();
        for _ in 0..inputs {
            let input = driver.next(&outputs);
            machine
                .input(&input)
                .unwrap_or_else(|e| panic!("seed {seed} ({}): {e}", driver.name()));
            outputs.clear();
            while let Some(output) = machine
                .output()
                .unwrap_or_else(|e| panic!("seed {seed} ({}): {e}", driver.name()))
            {
                outputs.push(output);
            }
            trace.push(input);
            rows.extend(machine.take_rows());
        }
        trace
    }

    #[test]
    fn random_traces_take_every_row() {
        let mut rows = HashSet::new();
        for seed in 0..6000 {
            drive(seed, Driver::new(seed).inputs(), &mut rows);
            if rows.len() == table::rows().len() {
                break;
            }
        }
        let all = table::rows().iter().enumerate();
        let never: Vec<String> = all
            .filter(|(i, _)| !rows.contains(i))
            .map(|(_, row)| name(row))
            .collect();
        assert_eq!(
            never,
            Vec::<String>::new(),
            "{} of {}",
            rows.len(),
            table::rows().len()
        );
    }

    #[test]
    fn a_seed_gives_the_same_trace() {
        let mut rows = HashSet::new();
        assert_eq!(drive(7, 300, &mut rows), drive(7, 300, &mut rows));
        assert_ne!(drive(7, 300, &mut rows), drive(8, 300, &mut rows));
    }
}
