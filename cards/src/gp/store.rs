//! STORE DATA to a security domain (GlobalPlatform Card Specification 11.11): data objects and keys, in DGI
//! or BER-TLV form, in clear or encrypted by Key-DEK.

use super::Stop;
use super::open::Open;
use super::registry::Aid;
use crate::power::Nvm;
use applet_gen::gp::scp03::AesKey;
use applet_gen::gp::scp03::crypto::unpad;
use applet_model::apdu::{Command, Response};
use applet_model::status::Sw;
use applet_model::tlv;

/// Bytes of a structure that may come in several commands.
const MOST: usize = 4096;

/// DGI that holds data objects.
const DGI_OBJECTS: u16 = 0x0070;
/// DGI that describes keys.
const DGI_KEY_INFORMATION: u16 = 0x00B9;
/// DGI of a secret key.
const DGI_SECRET_KEY: u16 = 0x8113;
/// Data objects that the domain makes itself: sequence and confirmation counter, security level, applications,
/// card resources.
const DYNAMIC: [u32; 5] = [0xC1, 0xC2, 0xD3, 0x2F00, 0xFF21];

/// What STORE DATA brought so far in a series.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Storing {
    /// Number of the next block.
    next: u8,
    /// A structure that isn't whole yet.
    rest: Vec<u8>,
    /// Keys that DGI 00B9 announced and 8113 has to bring.
    keys: Vec<Announced>,
}

/// A key of DGI 00B9 (table 11-92).
#[derive(Debug, Clone, PartialEq, Eq)]
struct Announced {
    id: u8,
    version: u8,
    length: usize,
    check_value: Vec<u8>,
}

/// One whole structure: its tag or DGI, its value.
struct Structure {
    name: u32,
    value: Vec<u8>,
}

impl Open {
    /// A personalization of the application `of`, or of the domain `by` itself, begins.
    pub(crate) fn personalize(&mut self, by: &Aid, of: Option<Aid>) -> Result<(), Sw> {
        let domain = self.domain_mut(by)?;
        domain.personalizing = of;
        domain.storing = Storing::default();
        Ok(())
    }

    /// Checks P1 and the block number of STORE DATA, in the series that the domain `by` has (11.11.2.2). An error
    /// starts the series again.
    pub(crate) fn count_block(&mut self, by: &Aid, command: &Command) -> Result<(), Stop> {
        // 10 for encryption and 11 for the structure are reserved, like bits 2 and 3.
        if command.p1 & 0x60 == 0x40 || command.p1 & 0x18 == 0x18 || command.p1 & 0x06 != 0 {
            self.domain_mut(by)?.storing = Storing::default();
            return Err(self.refuse(Sw::INCORRECT_P1_P2, "STORE DATA: P1 has reserved bits"));
        }
        let storing = &mut self.domain_mut(by)?.storing;
        let expected = storing.next;
        storing.next = match command.p1 & 0x80 {
            0 => expected.wrapping_add(1),
            _ => 0,
        };
        if command.p2 != expected {
            *storing = Storing::default();
            let why = format!(
                "STORE DATA: block {:02X} where {expected:02X} is next",
                command.p2
            );
            return Err(self.refuse(Sw::INCORRECT_P1_P2, why));
        }
        Ok(())
    }

    /// STORE DATA whose block number was counted, through the domain `by` for the domain `on`: itself, or one
    /// that INSTALL [for personalization] named. `session` is the owner and version of the session's keys.
    pub(crate) fn store_data(
        &mut self,
        by: &Aid,
        on: &Aid,
        session: (&Aid, u8),
        command: &Command,
        nvm: &mut Nvm,
    ) -> Result<Response, Stop> {
        let storing = core::mem::take(&mut self.domain_mut(by)?.storing);
        let next = storing.next;
        // An error leaves the series at its beginning: what was taken isn't put back.
        let storing = self.store(on, session, storing, command, nvm)?;
        let last = command.p1 & 0x80 != 0;
        if last && !(storing.rest.is_empty() && storing.keys.is_empty()) {
            return Err(self.refuse(
                Sw::WRONG_DATA,
                "STORE DATA: the last block ends inside a structure",
            ));
        }
        self.domain_mut(by)?.storing = Storing { next, ..storing };
        Ok(Response::status(Sw::OK))
    }

    fn store(
        &mut self,
        on: &Aid,
        (owner, version): (&Aid, u8),
        mut storing: Storing,
        command: &Command,
        nvm: &mut Nvm,
    ) -> Result<Storing, Stop> {
        storing.rest.extend(&command.data);
        if storing.rest.len() > MOST {
            return Err(Sw::NOT_ENOUGH_MEMORY.into());
        }
        let dek = self.dek(owner, version)?;
        let encrypted = command.p1 & 0x60 == 0x60;
        let dgis = command.p1 & 0x18 == 0x08;
        let mut objects = Vec::new();
        while let Some(mut structure) = split(&mut storing.rest, dgis)? {
            let secret = dgis && structure.name == u32::from(DGI_SECRET_KEY);
            if secret && command.p1 & 0x60 == 0 {
                let why = "STORE DATA: DGI 8113 is encrypted, which P1 bits 7 and 6 have to say";
                return Err(self.refuse(Sw::WRONG_DATA, why));
            }
            if encrypted || secret {
                let value = decrypt(&dek, &structure.value, secret).ok_or(Sw::WRONG_DATA)?;
                structure.value = value;
            }
            match (dgis, structure.name) {
                (false, tag) => objects.push((tag, structure.value)),
                (true, dgi) if dgi == u32::from(DGI_OBJECTS) => {
                    for object in tlv::iter(&structure.value) {
                        let object = object.map_err(|_| Sw::WRONG_DATA)?;
                        objects.push((object.tag, object.value.to_vec()));
                    }
                }
                (true, dgi) if dgi == u32::from(DGI_KEY_INFORMATION) => {
                    storing.keys = announced(&structure.value).ok_or(Sw::WRONG_DATA)?;
                }
                (true, _) if secret => {
                    if storing.keys.is_empty() {
                        let why = "STORE DATA: DGI 8113 without DGI 00B9 before it";
                        return Err(self.refuse(Sw::WRONG_DATA, why));
                    }
                    let key = storing.keys.remove(0);
                    self.take_secret(on, &key, &structure.value, nvm)?;
                }
                (true, dgi) => {
                    let why = format!("STORE DATA: DGI {dgi:04X} is not one of 0070, 00B9, 8113");
                    return Err(self.refuse(Sw::REFERENCED_DATA_NOT_FOUND, why));
                }
            }
        }
        self.put_objects(on, &objects, nvm)?;
        Ok(storing)
    }

    fn take_secret(
        &mut self,
        on: &Aid,
        key: &Announced,
        value: &[u8],
        nvm: &mut Nvm,
    ) -> Result<(), Stop> {
        let value = value.get(..key.length).ok_or(Sw::WRONG_DATA)?;
        let secret = AesKey::new(value).map_err(|_| Sw::WRONG_DATA)?;
        // 11.11.4.1: a wrong check value is answered by 6982.
        if key.check_value != secret.check_value() {
            return Err(self.refuse(
                Sw::SECURITY_NOT_SATISFIED,
                "STORE DATA: wrong key check value",
            ));
        }
        self.store_key(on, (key.id, key.version), &secret, nvm)
    }

    /// Data objects of the domain, all or none: identification number (42), image number (45), key diversification
    /// data (CF), manager's URL (5F50).
    fn put_objects(
        &mut self,
        on: &Aid,
        objects: &[(u32, Vec<u8>)],
        nvm: &mut Nvm,
    ) -> Result<(), Stop> {
        if objects.is_empty() {
            return Ok(());
        }
        let mut next = self.domain(on)?.clone();
        for (tag, value) in objects {
            match tag {
                0x42 if value.len() <= 16 => next.iin = value.clone(),
                0x45 if value.len() <= 16 => next.cin = value.clone(),
                0x5F50 if value.len() <= 128 => next.url = value.clone(),
                0xCF => {
                    let value = value.as_slice();
                    next.diversification = value.try_into().map_err(|_| Sw::WRONG_DATA)?;
                }
                0x42 | 0x45 | 0x5F50 => return Err(Sw::WRONG_DATA.into()),
                tag if DYNAMIC.contains(tag) => {
                    let why = format!("STORE DATA: the domain makes {tag:X} itself");
                    return Err(self.refuse(Sw::WRONG_DATA, why));
                }
                tag => {
                    let why = format!("STORE DATA: {tag:X} is not one of 42, 45, CF, 5F50");
                    return Err(self.refuse(Sw::REFERENCED_DATA_NOT_FOUND, why));
                }
            }
        }
        nvm.commit()?;
        *self.domain_mut(on)? = next;
        Ok(())
    }
}

/// The next whole structure; what isn't whole stays.
fn split(rest: &mut Vec<u8>, dgis: bool) -> Result<Option<Structure>, Sw> {
    let (name, header, length) = if dgis {
        // Two bytes of DGI; the length has one byte, or FF and two (GlobalPlatform Systems Scripting Language).
        match rest.as_slice() {
            [a, b, 0xFF, high, low, ..] => (
                u32::from(u16::from_be_bytes([*a, *b])),
                5,
                usize::from(u16::from_be_bytes([*high, *low])),
            ),
            [_, _, 0xFF, ..] | [] | [_] | [_, _] => return Ok(None),
            [a, b, length, ..] => (
                u32::from(u16::from_be_bytes([*a, *b])),
                3,
                usize::from(*length),
            ),
        }
    } else {
        match tlv::read_header(rest) {
            Ok(header) => (header.tag, header.header_len, header.value_len),
            Err(tlv::TlvError::TagCut { .. } | tlv::TlvError::LengthCut { .. }) => return Ok(None),
            Err(_) => return Err(Sw::WRONG_DATA),
        }
    };
    if rest.len() < header + length {
        return Ok(None);
    }
    let after = rest.split_off(header + length);
    let value = core::mem::replace(rest, after).split_off(header);
    Ok(Some(Structure { name, value }))
}

/// A value under Key-DEK: AES-CBC, ICV zero (Amendment D 6.2.8). A key is padded by anything, the rest by 80, 00…
/// where it is padded.
fn decrypt(dek: &AesKey, value: &[u8], secret: bool) -> Option<Vec<u8>> {
    if value.is_empty() || !value.len().is_multiple_of(16) {
        return None;
    }
    let mut plain = value.to_vec();
    dek.cbc_decrypt(&[0; 16], &mut plain);
    if !secret && let Some(length) = unpad(&plain).map(<[u8]>::len) {
        plain.truncate(length);
    }
    Some(plain)
}

/// The keys that DGI 00B9 describes (table 11-92): AES only.
fn announced(value: &[u8]) -> Option<Vec<Announced>> {
    let mut keys = Vec::new();
    for template in tlv::iter(value) {
        let template = template.ok().filter(|template| template.tag == 0xB9)?;
        let field = |tag| {
            tlv::require(template.value, tag)
                .ok()
                .map(|object| object.value)
        };
        let byte = |tag| match field(tag) {
            Some([byte]) => Some(*byte),
            _ => None,
        };
        // The key usage qualifier has to be there; what a key is for follows from its version here.
        field(0x95)?;
        (byte(0x80)? == applet_gen::gp::put_key::KEY_TYPE_AES).then_some(())?;
        let length = field(0x81)?
            .iter()
            .fold(0, |n, byte| n << 8 | usize::from(*byte));
        keys.push(Announced {
            id: byte(0x82)?,
            version: byte(0x83).filter(|version| (1..=0x7F).contains(version))?,
            length,
            check_value: field(0x84)?.to_vec(),
        });
    }
    (!keys.is_empty()).then_some(keys)
}
