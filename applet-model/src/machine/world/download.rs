//! Download in the small world: the messages of both ends, made independently of the applet's tables, and the
//! eUICC's session.

use super::bytes::{constructed, number, octets, sequence_number};
use super::euicc::{Euicc, Notice};
use super::scenario::{Package, Scenario};
use crate::tlv;

/// Address of the SM-DP+ in the trigger.
pub const ADDRESS: &[u8] = b"dp.example";
/// matchingId in the trigger.
pub const MATCHING_ID: &[u8] = b"ID-7";
/// euiccChallenge, always the same.
pub const CHALLENGE: [u8; 16] = [0xC7; 16];
/// scp03tStructureError, any reason would do.
const REFUSED: u8 = 11;

/// A download as the queue has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Download {
    /// The number of the profile that it brings.
    pub profile: u8,
    /// Bytes of the longest segment.
    pub segment: u16,
    /// The order has a confirmation code.
    pub hashed: bool,
    /// The eIM handles the trigger's data.
    pub by_eim: bool,
    /// Bytes of the certificates.
    pub certificate: u16,
}

/// How far a download session is at the eUICC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Session {
    /// Which package of the scenario's queue.
    pub package: u8,
    /// PrepareDownload was accepted.
    prepared: bool,
    /// Commands of the bound package that came.
    loaded: u8,
}

fn transaction(package: u8) -> Vec<u8> {
    vec![0xD0, package + 1]
}

/// The package of a session's transaction.
pub fn package_of(transaction: &[u8]) -> Option<u8> {
    match transaction {
        [0xD0, n] => n.checked_sub(1),
        _ => None,
    }
}

/// The trigger's activation code.
pub fn activation_code() -> Vec<u8> {
    [
        b"1$",
        ADDRESS,
        b"$",
        MATCHING_ID,
        b"$1.3.6.1.4.1.32473.10$1",
    ]
    .concat()
}

fn signature() -> Vec<u8> {
    octets(0x5F37, &[7; 64])
}

fn certificate(download: Download) -> Vec<u8> {
    constructed(
        0x30,
        &[octets(0x04, &vec![0xCE; usize::from(download.certificate)])],
    )
}

fn server_signed(package: u8) -> Vec<u8> {
    constructed(
        0x30,
        &[
            octets(0x80, &transaction(package)),
            octets(0x81, &CHALLENGE),
            octets(0x83, ADDRESS),
            octets(0x84, &[0x5C; 16]),
        ],
    )
}

/// InitiateAuthenticationResponseEsipa.
pub fn initiated(download: Download, package: u8) -> Vec<u8> {
    let mut ok = vec![
        octets(0x80, &transaction(package)),
        server_signed(package),
        signature(),
        octets(0x04, &[0xCA; 20]),
        certificate(download),
    ];
    if download.by_eim {
        ok.push(octets(0x0C, MATCHING_ID));
    }
    constructed(0xBF39, &[constructed(0xA0, &ok)])
}

/// AuthenticateServerRequest that must come of it.
fn authenticate_server(download: Download, package: u8) -> Vec<u8> {
    let device = constructed(0xA1, &[octets(0x80, &[0; 4]), constructed(0xA1, &[])]);
    let context = constructed(0xA0, &[octets(0x80, MATCHING_ID), device]);
    constructed(
        0xBF38,
        &[
            server_signed(package),
            signature(),
            octets(0x04, &[0xCA; 20]),
            certificate(download),
            context,
        ],
    )
}

/// AuthenticateServerResponse.
fn authenticated(package: u8) -> Vec<u8> {
    let signed = constructed(
        0x30,
        &[octets(0x80, &transaction(package)), octets(0x83, ADDRESS)],
    );
    let ok = [signed, signature(), octets(0x04, &[0xEC; 260])];
    constructed(0xBF38, &[constructed(0xA0, &ok)])
}

fn smdp_signed(download: Download, package: u8) -> Vec<u8> {
    constructed(
        0x30,
        &[
            octets(0x80, &transaction(package)),
            octets(0x01, &[if download.hashed { 0xFF } else { 0 }]),
        ],
    )
}

/// AuthenticateClientResponseEsipa.
pub fn client_authenticated(download: Download, package: u8) -> Vec<u8> {
    let mut ok = vec![
        octets(0x80, &transaction(package)),
        constructed(0xBF25, &[octets(0x5A, &[0x98, download.profile])]),
        smdp_signed(download, package),
        signature(),
        certificate(download),
    ];
    if download.hashed {
        ok.push(octets(0x04, &[0xCC; 32]));
    }
    constructed(0xBF3B, &[constructed(0xA0, &ok)])
}

/// PrepareDownloadRequest that must come of it.
fn prepare_download(download: Download, package: u8) -> Vec<u8> {
    let mut parts = vec![smdp_signed(download, package), signature()];
    if download.hashed {
        parts.push(octets(0x04, &[0xCC; 32]));
    }
    parts.push(certificate(download));
    constructed(0xBF21, &parts)
}

/// PrepareDownloadResponse.
fn prepared(package: u8) -> Vec<u8> {
    let signed = constructed(
        0x30,
        &[
            octets(0x80, &transaction(package)),
            octets(0x5F49, &[4; 65]),
        ],
    );
    constructed(0xBF21, &[constructed(0xA0, &[signed, signature()])])
}

/// The bound package as the commands that it must be given in (SGP.22 2.5.5).
pub fn commands(download: Download, package: u8) -> Vec<Vec<u8>> {
    let channel = constructed(0xBF23, &[octets(0x80, &transaction(package)), signature()]);
    let configure = constructed(0xA0, &[octets(0x87, &[1; 20])]);
    let metadata = octets(0x88, &[2; 30]);
    let keys = constructed(0xA2, &[octets(0x87, &[3; 40])]);
    let elements = [
        octets(0x86, &vec![4; usize::from(download.segment)]),
        octets(0x86, &[5; 9]),
    ];
    let head = |tag: u32, length: usize| {
        let mut head = tlv::write(tag, &vec![0; length]);
        head.truncate(head.len() - length);
        head
    };
    let metadata_head = head(0xA1, metadata.len());
    let elements_head = head(0xA3, elements.iter().map(Vec::len).sum());
    let mut all = vec![
        channel,
        configure,
        metadata_head,
        metadata,
        keys,
        elements_head,
    ];
    all.extend(elements);
    let length = all.iter().map(Vec::len).sum();
    if let Some(first) = all.first_mut() {
        *first = [head(0xBF36, length), first.clone()].concat();
    }
    all
}

/// GetBoundProfilePackageResponseEsipa.
pub fn bound(download: Download, package: u8) -> Vec<u8> {
    let ok = [
        octets(0x80, &transaction(package)),
        commands(download, package).concat(),
    ];
    constructed(0xBF3A, &[constructed(0xA0, &ok)])
}

/// ProfileInstallationResult.
pub fn installation_result(seq: u8, package: u8, installed: bool) -> Vec<u8> {
    let outcome = if installed {
        constructed(0xA0, &[octets(0x4F, &[0xA0; 16]), octets(0x04, &[0])])
    } else {
        constructed(0xA1, &[number(0x80, 5), number(0x81, REFUSED)])
    };
    let metadata = constructed(
        0xBF2F,
        &[
            sequence_number(seq),
            octets(0x81, &[0x07, 0x80]),
            octets(0x0C, ADDRESS),
        ],
    );
    let data = [
        octets(0x80, &transaction(package)),
        metadata,
        octets(0x06, &[0x2B]),
        constructed(0xA2, &[outcome]),
    ];
    constructed(0xBF37, &[constructed(0xBF27, &data), signature()])
}

/// What the eIM must be sent at a step, by the message's tag; `None` for a message that is no such step.
pub fn step(tag: u32, package: u8, how: Download) -> Option<(Vec<u8>, Vec<u8>)> {
    let answered = match tag {
        0xBF3B => (authenticated(package), client_authenticated(how, package)),
        0xBF3A => (prepared(package), bound(how, package)),
        _ => return None,
    };
    Some(answered)
}

/// True for a command of a bound package.
pub(super) fn is_part(command: &[u8]) -> bool {
    matches!(
        *command,
        [0xBF, 0x36, ..] | [0x86..=0x88 | 0xA0..=0xA3, ..]
    )
}

impl Euicc {
    /// True if this block ends a command of a bound package.
    pub fn is_loading(&self, p1: u8, p2: u8, data: &[u8]) -> bool {
        let whole = if p2 == 0 { data } else { &self.blocks };
        p1 & 0x80 != 0 && is_part(whole) && self.session.is_some_and(|s| s.prepared)
    }

    /// The session goes wrong: an error instead of the next command's execution.
    pub fn refuse_load(&mut self) {
        if let Some(session) = self.session.take() {
            self.answer = self.keep_installation(session.package, false);
        }
        self.blocks.clear();
    }

    pub(super) fn get_challenge(&mut self) -> Vec<u8> {
        self.session = None;
        self.just_installed = None;
        self.challenged = true;
        constructed(0xBF2E, &[octets(0x80, &CHALLENGE)])
    }

    fn download(scenario: &Scenario, package: u8) -> Result<Download, String> {
        match scenario.queue.get(usize::from(package)) {
            Some(Package::Download(download)) => Ok(*download),
            _ => Err(format!("package {package} is no download")),
        }
    }

    pub(super) fn authenticate(
        &mut self,
        scenario: &Scenario,
        command: &[u8],
    ) -> Result<Vec<u8>, String> {
        let transaction = tlv::path(command, &[0xBF38, 0x30, 0x80]).map_err(|e| e.to_string())?;
        let package = package_of(transaction.value).ok_or("BF38 has another transaction")?;
        let download = Self::download(scenario, package)?;
        if command != authenticate_server(download, package) {
            return Err(format!("AuthenticateServer is {command:02X?}"));
        }
        if !core::mem::take(&mut self.challenged) {
            let error = [octets(0x80, transaction.value), number(0x02, 4)];
            return Ok(constructed(0xBF38, &[constructed(0xA1, &error)]));
        }
        self.session = Some(Session {
            package,
            prepared: false,
            loaded: 0,
        });
        Ok(authenticated(package))
    }

    pub(super) fn prepare(
        &mut self,
        scenario: &Scenario,
        command: &[u8],
    ) -> Result<Vec<u8>, String> {
        let Some(session) = self.session.as_mut() else {
            let error = [octets(0x80, &[0]), number(0x02, 4)];
            return Ok(constructed(0xBF21, &[constructed(0xA1, &error)]));
        };
        let download = Self::download(scenario, session.package)?;
        if command != prepare_download(download, session.package) {
            return Err(format!("PrepareDownload is {command:02X?}"));
        }
        session.prepared = true;
        Ok(prepared(session.package))
    }

    pub(super) fn load(&mut self, scenario: &Scenario, command: &[u8]) -> Result<Vec<u8>, String> {
        let Some(session) = self.session.as_mut().filter(|s| s.prepared) else {
            self.refuses = true;
            return Ok(Vec::new());
        };
        let package = session.package;
        let all = commands(Self::download(scenario, package)?, package);
        if all.get(usize::from(session.loaded)).map(Vec::as_slice) != Some(command) {
            return Err(format!(
                "command {} of the bound package is {command:02X?}",
                session.loaded
            ));
        }
        session.loaded += 1;
        let done = usize::from(session.loaded) == all.len();
        // The metadata name a profile that is there already.
        let exists = command.first() == Some(&0x88)
            && self.executed.get(usize::from(package)).copied() > Some(0);
        if !done && !exists {
            return Ok(Vec::new());
        }
        self.session = None;
        if done {
            if let Some(count) = self.executed.get_mut(usize::from(package)) {
                *count += 1;
            }
            self.just_installed = Some(package);
        }
        Ok(self.keep_installation(package, done))
    }

    fn keep_installation(&mut self, package: u8, installed: bool) -> Vec<u8> {
        self.seq += 1;
        self.notifications.push(Notice {
            seq: self.seq,
            installation: Some((package, installed)),
            enabled: None,
        });
        installation_result(self.seq, package, installed)
    }

    pub(super) fn cancel(&mut self, command: &[u8]) -> Result<Vec<u8>, String> {
        let field = |tag| tlv::path(command, &[0xBF41, tag]).map_err(|e| e.to_string());
        let (asked, reason) = (field(0x80)?, field(0x81)?);
        let known = self.session.take().map(|s| transaction(s.package));
        if known.as_deref() != Some(asked.value) {
            return Ok(constructed(0xBF41, &[number(0x81, 5)]));
        }
        let signed = constructed(0x30, &[asked.raw.to_vec(), octets(0x82, reason.value)]);
        Ok(constructed(
            0xBF41,
            &[constructed(0xA0, &[signed, signature()])],
        ))
    }

    pub(super) fn immediate_enable(&mut self, scenario: &Scenario) -> Vec<u8> {
        let code = match self.just_installed.take() {
            _ if !scenario.immediate => 1,
            None => 4,
            Some(package) => {
                if let Ok(download) = Self::download(scenario, package) {
                    self.switch(download.profile);
                }
                0
            }
        };
        constructed(0xBF5A, &[number(0x80, code)])
    }
}
