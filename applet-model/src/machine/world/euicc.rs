//! A small eUICC: three profiles, one package counter, stored results, a rollback grant.
//!
//! It speaks the bytes of ES10b (SGP.32 5.9) as far as the applet asks for them. It knows a
//! package by its counter and compares what the applet relayed with what the eIM sent.

use super::bytes::{EID, constructed, eim_list, number, octets, sequence_number};
use super::download::{Session, installation_result, is_part};
use super::scenario::{Package, Scenario};
use crate::tlv;

/// A stored result: sequence number, package, whether the profile change was rolled back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stored {
    /// Sequence number.
    pub seq: u8,
    /// Which package of the scenario's queue.
    pub package: u8,
    /// True for the result of a rollback.
    pub rolled_back: bool,
}

/// A notification that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Notice {
    /// Sequence number.
    pub seq: u8,
    /// Which package was downloaded, and whether it was installed; `None` for other notifications.
    pub installation: Option<(u8, bool)>,
    /// The profile that was enabled; `None` for other notifications.
    pub enabled: Option<u8>,
}

/// The eUICC.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Euicc {
    /// A bit for each profile that is enabled.
    pub enabled: u8,
    /// The profile to go back to, if the last package granted it.
    pub grant: Option<u8>,
    /// Counter of the last accepted package, 0 if none.
    pub counter: u8,
    /// Results that wait for their acknowledgement.
    pub results: Vec<Stored>,
    /// Notifications that wait.
    pub notifications: Vec<Notice>,
    /// How often each package was executed.
    pub executed: Vec<u8>,
    pub(super) seq: u8,
    /// Blocks of the command under way.
    pub(super) blocks: Vec<u8>,
    /// Response bytes still to be read.
    pub(super) answer: Vec<u8>,
    /// A challenge was given and not used.
    pub(super) challenged: bool,
    /// The download session.
    pub session: Option<Session>,
    /// It gave bytes that mean nothing since the last request to the eIM.
    pub lied: bool,
    /// The last block was refused.
    pub refuses: bool,
    /// The package that was just installed.
    pub(super) just_installed: Option<u8>,
}

impl Euicc {
    /// Profile 0 is enabled, nothing waits.
    pub fn new(scenario: &Scenario) -> Self {
        Euicc {
            enabled: 1,
            grant: None,
            counter: 0,
            results: Vec::new(),
            notifications: (1..=scenario.notices)
                .map(|seq| Notice {
                    seq,
                    installation: None,
                    enabled: None,
                })
                .collect(),
            executed: vec![0; scenario.queue.len()],
            seq: scenario.notices,
            blocks: Vec::new(),
            answer: Vec::new(),
            challenged: false,
            session: None,
            lied: false,
            refuses: false,
            just_installed: None,
        }
    }

    /// The enabled profile; `None` if there isn't exactly one.
    pub fn profile(&self) -> Option<u8> {
        (self.enabled.count_ones() == 1).then(|| self.enabled.trailing_zeros() as u8)
    }

    /// What is transient is gone.
    pub fn power_off(&mut self) {
        self.blocks.clear();
        self.answer.clear();
        self.challenged = false;
        self.session = None;
        self.just_installed = None;
    }

    /// Response bytes, at most so many.
    pub fn read(&mut self, most: usize) -> Vec<u8> {
        let n = most.min(self.answer.len());
        self.answer.drain(..n).collect()
    }

    /// Forgets the response.
    pub fn drop_answer(&mut self) {
        self.answer.clear();
    }

    /// True if the response is one to GetEID, LoadEuiccPackage, GetEUICCChallenge or LoadBoundProfilePackage that hasn't
    /// been read yet.
    pub fn may_be_hollow(&self) -> bool {
        matches!(
            self.answer.first_chunk(),
            Some([0xBF, 0x2E | 0x37 | 0x3E | 0x51])
        )
    }

    /// The response with nothing in it.
    pub fn hollow(&mut self) -> Vec<u8> {
        let mut answer = core::mem::take(&mut self.answer);
        answer.truncate(2);
        answer.push(0);
        answer
    }

    /// Forgets the command under way.
    pub fn drop_blocks(&mut self) {
        self.blocks.clear();
    }

    /// True if this block is the last of a ProfileRollback.
    pub fn is_rollback(p1: u8, data: &[u8]) -> bool {
        p1 & 0x80 != 0 && data.starts_with(&[0xBF, 0x58])
    }

    /// ProfileRollback answered with an error.
    pub fn refuse_rollback(&mut self, code: u8) {
        self.answer = constructed(0xBF58, &[number(0x02, code)]);
    }

    /// Takes a block; after the last one executes the command.
    ///
    /// # Errors
    /// What the applet did wrong.
    pub fn store(
        &mut self,
        scenario: &Scenario,
        p1: u8,
        p2: u8,
        data: &[u8],
    ) -> Result<(), String> {
        if p2 == 0 {
            self.blocks.clear();
        }
        self.blocks.extend(data);
        self.answer.clear();
        if p1 & 0x80 == 0 {
            return Ok(());
        }
        let command = core::mem::take(&mut self.blocks);
        if is_part(&command) {
            self.answer = self.load(scenario, &command)?;
            return Ok(());
        }
        let whole =
            tlv::read_one(&command).map_err(|e| format!("ES10 command is no data object: {e}"))?;
        self.answer = match whole.tag {
            0xBF3E => constructed(0xBF3E, &[octets(0x5A, &EID)]),
            0xBF55 => eim_list(scenario.eims),
            0xBF2B if command.len() > 3 => self.list_results(scenario),
            0xBF2B => self.list_notifications(),
            0xBF30 => self.remove(whole.value),
            0xBF58 => self.roll_back(scenario),
            0xBF51 => self.package(scenario, &command)?,
            0xBF22 => constructed(0xBF22, &[octets(0x81, &[0x22; 300])]),
            0xBF3C => constructed(0xBF3C, &[octets(0x80, b"dp"), octets(0x81, b"ds")]),
            0xBF56 => {
                let certificate = |tag| constructed(tag, &[octets(0x30, &[0xCE; 80])]);
                constructed(
                    0xBF56,
                    &[constructed(0xA0, &[certificate(0xA5), certificate(0xA6)])],
                )
            }
            0xBF20 => constructed(0xBF20, &[octets(0x82, &[2, 5, 0])]),
            0xBF2E => self.get_challenge(),
            0xBF38 => self.authenticate(scenario, &command)?,
            0xBF21 => self.prepare(scenario, &command)?,
            0xBF41 => self.cancel(&command)?,
            0xBF5A => self.immediate_enable(scenario),
            other => {
                return Err(format!(
                    "ES10 command {other:X} is none that the applet may send"
                ));
            }
        };
        Ok(())
    }

    fn list_results(&self, scenario: &Scenario) -> Vec<u8> {
        let all: Vec<Vec<u8>> = self
            .results
            .iter()
            .map(|stored| result(scenario, *stored))
            .collect();
        constructed(0xBF2B, &[constructed(0xA2, &all)])
    }

    fn list_notifications(&self) -> Vec<u8> {
        let one = |notice: &Notice| {
            if let Some((package, installed)) = notice.installation {
                return installation_result(notice.seq, package, installed);
            }
            let mut metadata = vec![
                sequence_number(notice.seq),
                octets(0x81, &[0x06, 0x40]),
                octets(0x0C, b"dp"),
            ];
            if let Some(profile) = notice.enabled {
                metadata.push(octets(0x5A, &[0x98, profile]));
            }
            constructed(
                0x30,
                &[constructed(0xBF2F, &metadata), octets(0x5F37, &[7; 8])],
            )
        };
        let all: Vec<Vec<u8>> = self.notifications.iter().map(one).collect();
        constructed(0xBF2B, &[constructed(0xA0, &all)])
    }

    fn remove(&mut self, value: &[u8]) -> Vec<u8> {
        let seq = tlv::find(value, 0x80)
            .ok()
            .flatten()
            .and_then(|t| t.value.last().copied());
        let before = self.results.len() + self.notifications.len();
        self.results.retain(|stored| Some(stored.seq) != seq);
        self.notifications.retain(|n| Some(n.seq) != seq);
        let removed = self.results.len() + self.notifications.len() < before;
        constructed(0xBF30, &[number(0x80, u8::from(!removed))])
    }

    pub(super) fn switch(&mut self, to: u8) {
        self.enabled = 1 << to;
        self.seq += 2;
        let notice = |seq, enabled| Notice {
            seq,
            installation: None,
            enabled,
        };
        self.notifications
            .extend([notice(self.seq - 1, None), notice(self.seq, Some(to))]);
    }

    fn keep(&mut self, package: u8, rolled_back: bool) -> Stored {
        self.seq += 1;
        let stored = Stored {
            seq: self.seq,
            package,
            rolled_back,
        };
        self.results.push(stored);
        stored
    }

    fn roll_back(&mut self, scenario: &Scenario) -> Vec<u8> {
        let Some(old) = self.grant.take() else {
            return constructed(0xBF58, &[number(0x02, 1)]);
        };
        let package = self.counter - 1;
        self.switch(old);
        self.results.retain(|stored| stored.package != package);
        let stored = self.keep(package, true);
        constructed(0xBF58, &[number(0x02, 0), result(scenario, stored)])
    }

    fn package(&mut self, scenario: &Scenario, command: &[u8]) -> Result<Vec<u8>, String> {
        let counter = tlv::path(command, &[0xBF51, 0x30, 0x81])
            .ok()
            .and_then(|t| t.value.last().copied())
            .ok_or("the relayed package has no counter")?;
        let index = counter.wrapping_sub(1);
        let Some(&package) = scenario.queue.get(usize::from(index)) else {
            return Err(format!(
                "the relayed package has counter {counter}, which no package has"
            ));
        };
        if command != super::eim::package(package, index) {
            return Err(format!(
                "package {counter} was relayed with other bytes than the eIM sent"
            ));
        }
        let head = [
            octets(0x80, b"eim"),
            number(0x81, counter),
            octets(0x82, &[counter]),
        ];
        if let Package::Refused(size) = package {
            let error = [
                head[0].clone(),
                head[2].clone(),
                octets(0x04, &vec![9; usize::from(size)]),
            ];
            return Ok(constructed(0xBF51, &[constructed(0xA2, &error)]));
        }
        if counter <= self.counter {
            let error = constructed(0x30, &[&head[..], &[number(0x02, 4)]].concat());
            return Ok(constructed(
                0xBF51,
                &[constructed(0xA1, &[error, octets(0x5F37, &[7; 8])])],
            ));
        }
        self.counter = counter;
        self.grant = None;
        if let Some(count) = self.executed.get_mut(usize::from(index)) {
            *count += 1;
        }
        if let Package::Enable { profile, rollback } = package {
            let old = self.profile();
            self.switch(profile);
            self.grant = old.filter(|_| rollback);
        }
        let stored = self.keep(index, false);
        Ok(result(scenario, stored))
    }
}

/// EuiccPackageResultSigned of a stored result (SGP.32 2.11.2.1).
fn result(scenario: &Scenario, stored: Stored) -> Vec<u8> {
    let done = match scenario.queue.get(usize::from(stored.package)) {
        Some(Package::Enable { .. }) => number(0x83, 0),
        Some(Package::List(size)) => {
            constructed(0xBF2D, &[octets(0xA0, &vec![0x55; usize::from(*size)])])
        }
        _ => number(0x02, 127),
    };
    let mut results = vec![done];
    if stored.rolled_back {
        results.push(number(0x8C, 0));
    }
    let counter = stored.package + 1;
    let data = [
        octets(0x80, b"eim"),
        number(0x81, counter),
        octets(0x82, &[counter]),
        sequence_number_of_result(stored.seq),
        constructed(0x30, &results),
    ];
    let signed = [constructed(0x30, &data), octets(0x5F37, &[7; 8])];
    constructed(0xBF51, &[constructed(0xA0, &signed)])
}

fn sequence_number_of_result(seq: u8) -> Vec<u8> {
    number(0x83, seq)
}
