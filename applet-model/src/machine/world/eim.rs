//! A small eIM: a queue of packages, and what it knows of their results.

use super::bytes::{EID, constructed, number, octets, sequence_number};
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
}

/// The eIM.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Eim {
    /// What it knows of each package.
    pub known: Vec<Known>,
    /// True once it took a result with an empty response.
    pub unacknowledged: bool,
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
}

impl Eim {
    /// Nothing is known of any package.
    pub fn new(scenario: &Scenario) -> Self {
        Eim {
            known: vec![Known::Nothing; scenario.queue.len()],
            unacknowledged: false,
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
        let eid = tlv::find(message.value, 0x5A)
            .ok()
            .flatten()
            .map(|t| t.value);
        if eid != Some(&EID[..]) {
            return Err(format!("the ESipa request has EID {eid:02X?}"));
        }
        let tag = message.tag;
        match how {
            Answer::Code => return Ok(("200 OK", constructed(tag, &[number(0x02, 127)]))),
            Answer::Http500 => return Ok(("500 Oops", Vec::new())),
            Answer::Garbage => return Ok(("200 OK", b"\x31\x04spam".to_vec())),
            Answer::Good | Answer::Empty => {}
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
                0xA0 => {
                    // Of eimPackageResultResponseError or of a notification list.
                    let list = tlv::read_one(raw).map_err(|e| format!("A0: {e}"))?;
                    for item in list.children() {
                        let item = item.map_err(|e| format!("A0: {e}"))?;
                        let seq = tlv::path(item.value, &[0xBF2F, 0x80]).ok();
                        match seq.and_then(|t| t.value.last().copied()) {
                            Some(seq) => acks.push(sequence_number(seq)),
                            None => self.refused(tlv::find(list.value, 0x80).ok().flatten()),
                        }
                    }
                }
                other => return Err(format!("BF50 holds {other:X}")),
            }
        }
        Ok(acks)
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
        Package::Trigger => return constructed(0xBF54, &[octets(0x82, &[counter])]),
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
