//! A small eIM: a queue of packages, and what it knows of their results.

use super::bytes::{EID, constructed, number, octets, sequence_number};
use super::download::{self, Download};
use super::scenario::{Package, Scenario};
use crate::tlv;

/// What the eIM knows of a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Known {
    /// No result came.
    Nothing,
    /// It was executed.
    Executed,
    /// It was executed and rolled back.
    RolledBack,
    /// It was refused.
    Refused,
    /// It was answered, and there was nothing to execute.
    Answered,
}

/// The eIM.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Eim {
    /// What it knows of each package.
    pub known: Vec<Known>,
    /// True once it took a result with an empty response.
    pub unacknowledged: bool,
    /// It refuses notifications.
    pub refuses_notices: bool,
    /// The profile that a notification last called enabled.
    pub notified: Option<u8>,
    /// The package handed out last.
    last: Option<u8>,
}

/// How an eIM answers a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    /// As it should.
    Good,
    /// With an error code.
    Code,
    /// With HTTP 500.
    Http500,
    /// With HTTP 200 and a body that is no ESipa message.
    Garbage,
    /// With an empty response to a result, which it took.
    Empty,
    /// With the right message to a step of a download, and nothing in it.
    Hollow,
}

/// The answer to a request that the eIM can't read.
pub fn unreadable(request: &[u8]) -> Vec<u8> {
    let tag = tlv::read_header(request).map_or(0xBF50, |header| header.tag);
    constructed(tag, &[number(0x02, 127)])
}

impl Eim {
    /// Nothing is known of any package.
    pub fn new(scenario: &Scenario) -> Self {
        Eim {
            known: vec![Known::Nothing; scenario.queue.len()],
            unacknowledged: false,
            refuses_notices: scenario.refuses_notices,
            notified: None,
            last: None,
        }
    }

    /// Answers an ESipa request; gives the HTTP status and body.
    ///
    /// # Errors
    /// What is wrong with the request.
    pub fn answer(
        &mut self,
        scenario: &Scenario,
        peer: u8,
        request: &[u8],
        how: Answer,
    ) -> Result<(&'static str, Vec<u8>), String> {
        let message = tlv::read_one(request).map_err(|e| format!("the ESipa request: {e}"))?;
        let tag = message.tag;
        let eid = tlv::find(message.value, 0x5A)
            .ok()
            .flatten()
            .map(|t| t.value);
        if matches!(tag, 0xBF4F | 0xBF50) && eid != Some(&EID[..]) {
            return Err(format!("the ESipa request has EID {eid:02X?}"));
        }
        if tag == 0xBF3D && self.refuses_notices {
            return Ok(("500 Oops", Vec::new()));
        }
        if tag == 0xBF3D {
            if how != Answer::Http500 {
                self.take_notice(message.value)?;
            }
            if matches!(how, Answer::Good | Answer::Hollow) {
                return Ok(("204 No Content", Vec::new()));
            }
        }
        match how {
            Answer::Code if matches!(tag, 0xBF39 | 0xBF3A | 0xBF41) => {
                return Ok(("200 OK", constructed(tag, &[number(0x81, 127)])));
            }
            Answer::Code if tag == 0xBF3B => {
                return Ok(("200 OK", constructed(tag, &[number(0x82, 127)])));
            }
            Answer::Code => return Ok(("200 OK", constructed(tag, &[number(0x02, 127)]))),
            Answer::Http500 => return Ok(("500 Oops", Vec::new())),
            Answer::Garbage => return Ok(("200 OK", b"\x31\x04spam".to_vec())),
            Answer::Hollow if matches!(tag, 0xBF39..=0xBF3B) => {
                return Ok(("200 OK", constructed(tag, &[constructed(0xA0, &[])])));
            }
            Answer::Good | Answer::Empty | Answer::Hollow => {}
        }
        match tag {
            0xBF4F if peer == 0 => Ok(("200 OK", self.hand_out(scenario))),
            0xBF4F => Ok(("200 OK", none())),
            0xBF50 if peer == 0 => {
                let acks = self.take(message.value)?;
                let empty = acks.is_empty() || how == Answer::Empty;
                self.unacknowledged |= how == Answer::Empty;
                let body = if empty {
                    octets(0x30, &[])
                } else {
                    constructed(0xBF53, &acks)
                };
                Ok(("200 OK", constructed(0xBF50, &[body])))
            }
            0xBF50 => Ok(("200 OK", constructed(tag, &[number(0x02, 127)]))),
            0xBF39 if peer == 0 => Ok(("200 OK", self.initiate(scenario, message.value)?)),
            0xBF3A | 0xBF3B if peer == 0 => {
                Ok(("200 OK", self.step(scenario, tag, message.value)?))
            }
            0xBF41 if peer == 0 => {
                self.download(scenario, tlv::find(message.value, 0x80).ok().flatten())?;
                tlv::path(message.value, &[0xA1, 0xBF41]).map_err(|e| format!("BF41: {e}"))?;
                Ok(("200 OK", constructed(0xBF41, &[constructed(0xA0, &[])])))
            }
            0xBF3D => Ok(("200 OK", Vec::new())),
            other => Err(format!("{other:X} is no ESipa request of an IPA")),
        }
    }

    /// GetEimPackageResponse: the first package of which nothing is known.
    fn hand_out(&mut self, scenario: &Scenario) -> Vec<u8> {
        let next = self.known.iter().position(|k| *k == Known::Nothing);
        match next.and_then(|i| scenario.queue.get(i).map(|p| (i as u8, *p))) {
            Some((index, kind)) => {
                self.last = Some(index);
                constructed(0xBF4F, &[package(kind, index)])
            }
            None => none(),
        }
    }

    /// Takes what BF50 holds; gives the acknowledged sequence numbers, coded.
    fn take(&mut self, value: &[u8]) -> Result<Vec<Vec<u8>>, String> {
        let mut acks = Vec::new();
        let mut objects = Vec::new();
        for object in tlv::iter(value) {
            let object = object.map_err(|e| format!("BF50: {e}"))?;
            match object.tag {
                0x5A => {}
                0x30 => {
                    for inner in object.children() {
                        let inner = inner.map_err(|e| format!("BF50 30: {e}"))?;
                        objects.push((inner.tag, inner.raw));
                    }
                }
                tag => objects.push((tag, object.raw)),
            }
        }
        for (tag, raw) in objects {
            match tag {
                0xBF51 => self.take_result(raw, &mut acks)?,
                0xBF52 => self.take_data(raw, &mut acks)?,
                0xBF54 => {
                    let result = tlv::read_one(raw).map_err(|e| format!("BF54: {e}"))?;
                    tlv::path(result.value, &[0x30, 0x80]).map_err(|e| format!("BF54: {e}"))?;
                    self.refused(tlv::find(result.value, 0x82).ok().flatten());
                }
                0xA0 => {
                    // Of eimPackageResultResponseError or of a notification list.
                    let list = tlv::read_one(raw).map_err(|e| format!("A0: {e}"))?;
                    for item in list.children() {
                        let item = item.map_err(|e| format!("A0: {e}"))?;
                        match item.tag {
                            0x30 | 0xBF37 => {
                                let seq = self.learn(item)?;
                                acks.push(sequence_number(seq));
                            }
                            _ => self.refused(tlv::find(list.value, 0x80).ok().flatten()),
                        }
                    }
                }
                other => return Err(format!("BF50 holds {other:X}")),
            }
        }
        Ok(acks)
    }

    /// IpaEuiccDataResponse.
    fn take_data(&mut self, raw: &[u8], acks: &mut Vec<Vec<u8>>) -> Result<(), String> {
        let wrong = |e: tlv::TlvError| format!("BF52: {e}");
        let whole = tlv::read_one(raw).map_err(wrong)?;
        let data = tlv::read_one(whole.value).map_err(wrong)?;
        if data.tag != 0xA0 {
            self.refused(tlv::find(data.value, 0x80).ok().flatten());
            return Ok(());
        }
        let mut tags = Vec::new();
        for part in data.children() {
            let part = part.map_err(wrong)?;
            tags.push(part.tag);
            match part.tag {
                0xA0 => {
                    for notice in part.children() {
                        acks.push(sequence_number(self.learn(notice.map_err(wrong)?)?));
                    }
                }
                0x81 if part.value != b"dp" => return Err("BF52 has another SM-DP+".to_owned()),
                0x83 if part.value != b"ds" => return Err("BF52 has another SM-DS".to_owned()),
                0x87 => {
                    let package = part.value.last().map_or(0, |n| n.wrapping_sub(1));
                    if let Some(known) = self.known.get_mut(usize::from(package)) {
                        *known = Known::Answered;
                    }
                }
                _ => {}
            }
        }
        let order = [
            0xA0, 0x81, 0xA2, 0xBF20, 0xBF22, 0x83, 0xA5, 0xA6, 0x87, 0xA8, 0xA9,
        ];
        let mut expected = order.iter();
        if tags.iter().all(|tag| expected.any(|t| t == tag)) {
            Ok(())
        } else {
            Err(format!("BF52 holds {tags:X?}"))
        }
    }

    /// The download that a session's transaction belongs to.
    fn download(
        &self,
        scenario: &Scenario,
        transaction: Option<tlv::Tlv<'_>>,
    ) -> Result<(u8, Download), String> {
        let package = transaction
            .and_then(|t| download::package_of(t.value))
            .ok_or("a step of a download has no transaction")?;
        match scenario.queue.get(usize::from(package)) {
            Some(Package::Download(download)) => Ok((package, *download)),
            _ => Err(format!("package {package} is no download")),
        }
    }

    fn initiate(&self, scenario: &Scenario, value: &[u8]) -> Result<Vec<u8>, String> {
        let field = |tag| tlv::require(value, tag).map_err(|e| format!("BF39: {e}"));
        if field(0x81)?.value != download::CHALLENGE {
            return Err("BF39 has another challenge".to_owned());
        }
        field(0xBF20)?;
        let package = field(0x82)?.value.last().copied().unwrap_or(0);
        let package = package.wrapping_sub(1);
        match scenario.queue.get(usize::from(package)) {
            Some(Package::Download(download)) => {
                let address = tlv::find(value, 0x83).ok().flatten().map(|t| t.value);
                if address != Some(download::ADDRESS).filter(|_| !download.by_eim) {
                    return Err(format!("BF39 has address {address:02X?}"));
                }
                Ok(download::initiated(*download, package))
            }
            _ => Err(format!("package {package} is no download")),
        }
    }

    fn step(&self, scenario: &Scenario, tag: u32, value: &[u8]) -> Result<Vec<u8>, String> {
        let transaction = tlv::find(value, 0x80).ok().flatten();
        let (package, download) = self.download(scenario, transaction)?;
        let (wanted, answer) =
            download::step(tag, package, download).ok_or("this is no step of a download")?;
        let (_, rest) = tlv::read(value).map_err(|e| format!("{tag:X}: {e}"))?;
        let given = tlv::read_one(rest).map_err(|e| format!("{tag:X}: {e}"))?;
        if given.value.first() == Some(&0xA1) {
            let refused = if tag == 0xBF3B { 0x82 } else { 0x81 };
            return Ok(constructed(tag, &[number(refused, 127)]));
        }
        if given.raw != wanted {
            return Err(format!(
                "{tag:X} holds other bytes than the eUICC gave: {rest:02X?}"
            ));
        }
        Ok(answer)
    }

    /// HandleNotification.
    fn take_notice(&mut self, value: &[u8]) -> Result<(), String> {
        let list = tlv::expect(value, 0xA0).map_err(|e| format!("BF3D: {e}"))?;
        let notice = tlv::read_one(list.value).map_err(|e| format!("BF3D: {e}"))?;
        self.learn(notice).map(|_| ())
    }

    /// Learns from a notification; gives its sequence number.
    fn learn(&mut self, notice: tlv::Tlv<'_>) -> Result<u8, String> {
        let seq = |path: &[u32]| {
            let seq = tlv::path(notice.value, path).map_err(|e| format!("a notification: {e}"))?;
            Ok::<u8, String>(seq.value.last().copied().unwrap_or(0))
        };
        if notice.tag != 0xBF37 {
            if let Ok(iccid) = tlv::path(notice.value, &[0xBF2F, 0x5A]) {
                self.notified = iccid.value.last().copied();
            }
            return seq(&[0xBF2F, 0x80]);
        }
        let field = |path: &[u32]| tlv::path(notice.value, path).map_err(|e| format!("BF37: {e}"));
        let package = download::package_of(field(&[0xBF27, 0x80])?.value);
        let installed = field(&[0xBF27, 0xA2])?.value.first() == Some(&0xA0);
        if let Some(known) = package.and_then(|i| self.known.get_mut(usize::from(i))) {
            match (installed, *known) {
                (true, _) => *known = Known::Executed,
                (false, Known::Nothing) => *known = Known::Refused,
                _ => {}
            }
        }
        seq(&[0xBF27, 0xBF2F, 0x80])
    }

    fn refused(&mut self, transaction: Option<tlv::Tlv<'_>>) {
        let package = transaction
            .and_then(|t| t.value.last())
            .map(|n| n.wrapping_sub(1));
        if let Some(known) = package
            .or(self.last)
            .and_then(|i| self.known.get_mut(usize::from(i)))
            && *known == Known::Nothing
        {
            *known = Known::Refused;
        }
    }

    fn take_result(&mut self, raw: &[u8], acks: &mut Vec<Vec<u8>>) -> Result<(), String> {
        let whole = tlv::read_one(raw).map_err(|e| format!("BF51: {e}"))?;
        let kind = tlv::read(whole.value).map_err(|e| format!("BF51: {e}"))?.0;
        if kind.tag != 0xA0 {
            // Unsigned: the fields stand in it; signed: in a SEQUENCE.
            let fields = tlv::find(kind.value, 0x30)
                .ok()
                .flatten()
                .map_or(kind.value, |t| t.value);
            self.refused(tlv::find(fields, 0x82).ok().flatten());
            return Ok(());
        }
        let byte = |path: &[u32]| {
            tlv::path(kind.value, path)
                .ok()
                .and_then(|t| t.value.last().copied())
        };
        let counter = byte(&[0x30, 0x81]).ok_or("a result without counter")?;
        let seq = byte(&[0x30, 0x83]).ok_or("a result without seqNumber")?;
        let rolled_back = byte(&[0x30, 0x30, 0x8C]).is_some();
        let known = self
            .known
            .get_mut(usize::from(counter.wrapping_sub(1)))
            .ok_or_else(|| format!("a result of package {counter}, which the eIM never sent"))?;
        *known = if rolled_back {
            Known::RolledBack
        } else {
            Known::Executed
        };
        acks.push(sequence_number(seq));
        Ok(())
    }
}

/// noEimPackageAvailable.
fn none() -> Vec<u8> {
    constructed(0xBF4F, &[number(0x02, 1)])
}

/// The bytes of a package as it stands in GetEimPackageResponse.
pub fn package(kind: Package, index: u8) -> Vec<u8> {
    let counter = index + 1;
    let (operation, size) = match kind {
        Package::Enable { profile, rollback } => {
            let mut fields = vec![octets(0x5A, &[0x98, profile])];
            if rollback {
                fields.push(octets(0x05, &[]));
            }
            (constructed(0xA3, &fields), 0)
        }
        Package::Long(size) => (constructed(0xBF2D, &[]), usize::from(size)),
        Package::List(_) | Package::Refused(_) => (constructed(0xBF2D, &[]), 0),
        Package::Download(Download { by_eim: true, .. }) => {
            return constructed(0xBF54, &[octets(0x82, &[counter])]);
        }
        Package::Download(_) => {
            let data = constructed(0xA0, &[octets(0x80, &download::activation_code())]);
            return constructed(0xBF54, &[data, octets(0x82, &[counter])]);
        }
        Package::Trigger => {
            let data = constructed(0xA0, &[octets(0x81, &[])]);
            return constructed(0xBF54, &[data, octets(0x82, &[counter])]);
        }
        Package::Unknown => return constructed(0xBF59, &[octets(0x82, &[counter])]),
        Package::Data => {
            const TAGS: [u8; 13] = [
                0xA0, 0x81, 0xA2, 0xBF, 0x20, 0xBF, 0x22, 0x83, 0x84, 0xA5, 0xA6, 0xA8, 0xA9,
            ];
            return constructed(0xBF52, &[octets(0x5C, &TAGS), octets(0x83, &[counter])]);
        }
        Package::DataRequest => {
            return constructed(0xBF52, &[octets(0x5C, &[0x80]), octets(0x83, &[counter])]);
        }
    };
    let signed = [
        octets(0x80, b"eim"),
        octets(0x5A, &EID),
        number(0x81, counter),
        octets(0x82, &[counter]),
        constructed(0xA0, &[operation, octets(0x04, &vec![3; size])]),
    ];
    constructed(
        0xBF51,
        &[constructed(0x30, &signed), octets(0x5F37, &[7; 8])],
    )
}
