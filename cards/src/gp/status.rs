//! GET STATUS (GlobalPlatform Card Specification 11.4): what is on the card, page by page.

use super::domain::Domain;
use super::registry::{CardState, Instance, LoadFile};
use applet_gen::gp::registry::{RegistryEntry, status_entry};
use applet_model::apdu::{Command, Response};
use applet_model::status::Sw;
use applet_model::tlv;

/// Bytes of one page at most: room for R-MAC and encryption's padding in 256.
const PAGE: usize = 224;
/// Life cycle state of a load file: there is one only (table 11-3).
const LOADED: u8 = 0x01;

/// Where the list goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cursor {
    p1: u8,
    search: Vec<u8>,
    next: usize,
}

impl Domain {
    /// GET STATUS: P1 80 the domain, 40 applications, 20 load files, 10 load files with their modules; P2 02
    /// TLV form (00 the older one), 01 more to ask for the next page.
    pub(crate) fn get_status(&mut self, command: &Command) -> Result<Response, Sw> {
        let search = match tlv::find(&command.data, 0x4F) {
            Ok(Some(object)) => object.value.to_vec(),
            _ => return Err(Sw::WRONG_DATA),
        };
        if command.p2 & !0x03 != 0 || !matches!(command.p1, 0x80 | 0x40 | 0x20 | 0x10) {
            return Err(Sw::INCORRECT_P1_P2);
        }
        let first = match (command.p2 & 0x01, self.cursor.take()) {
            (0, _) => 0,
            (_, Some(cursor)) if cursor.p1 == command.p1 && cursor.search == search => cursor.next,
            _ => return Err(Sw::CONDITIONS_NOT_SATISFIED),
        };
        let entries = self.entries(command.p1, &search, command.p2 & 0x02 != 0);
        if entries.is_empty() {
            return Err(Sw::REFERENCED_DATA_NOT_FOUND);
        }
        let mut page = Vec::new();
        for (at, entry) in entries.iter().enumerate().skip(first) {
            if !page.is_empty() && page.len() + entry.len() > PAGE {
                self.cursor = Some(Cursor {
                    p1: command.p1,
                    search,
                    next: at,
                });
                return Ok(Response {
                    data: page,
                    sw: Sw::MORE_DATA_AVAILABLE,
                });
            }
            page.extend(entry);
        }
        Ok(Response::ok(page))
    }

    fn entries(&self, p1: u8, search: &[u8], as_tlv: bool) -> Vec<Vec<u8>> {
        let registry = &self.registry;
        let files = registry
            .load_files
            .iter()
            .filter(|file| file.aid.bytes().starts_with(search));
        match p1 {
            0x80 => {
                let found = registry.isd.bytes().starts_with(search);
                found
                    .then(|| domain_entry(registry.isd.bytes(), registry.card, as_tlv))
                    .into_iter()
                    .collect()
            }
            0x40 => registry
                .matching(search)
                .map(|instance| application_entry(instance, as_tlv))
                .collect(),
            _ => files
                .map(|file| file_entry(file, registry.isd.bytes(), p1 == 0x10, as_tlv))
                .collect(),
        }
    }
}

fn old_form(aid: &[u8], state: u8, privileges: u8) -> Vec<u8> {
    let mut entry = vec![u8::try_from(aid.len()).unwrap_or(0)];
    entry.extend(aid);
    entry.extend([state, privileges]);
    entry
}

fn domain_entry(aid: &[u8], card: CardState, as_tlv: bool) -> Vec<u8> {
    // Security Domain, Card Lock, Card Terminate, Card Reset, CVM; Authorized Management, Token
    // Verification, Global Delete, Global Lock, Global Registry (table 11-7).
    let privileges = [0x9E, 0xFC, 0x80];
    if !as_tlv {
        return old_form(aid, card as u8, privileges[0]);
    }
    status_entry(&RegistryEntry {
        aid: aid.to_vec(),
        life_cycle: card as u8,
        privileges: privileges.to_vec(),
        ..RegistryEntry::default()
    })
}

fn application_entry(instance: &Instance, as_tlv: bool) -> Vec<u8> {
    if !as_tlv {
        return old_form(instance.aid.bytes(), instance.state, instance.privileges[0]);
    }
    status_entry(&RegistryEntry {
        aid: instance.aid.bytes().to_vec(),
        life_cycle: instance.state,
        privileges: instance.privileges.to_vec(),
        load_file: Some(instance.load_file.bytes().to_vec()),
        ..RegistryEntry::default()
    })
}

fn file_entry(file: &LoadFile, isd: &[u8], modules: bool, as_tlv: bool) -> Vec<u8> {
    if !as_tlv {
        let mut entry = old_form(file.aid.bytes(), LOADED, 0);
        if modules {
            entry.push(u8::try_from(file.modules.len()).unwrap_or(u8::MAX));
            for module in &file.modules {
                entry.push(u8::try_from(module.bytes().len()).unwrap_or(0));
                entry.extend(module.bytes());
            }
        }
        return entry;
    }
    status_entry(&RegistryEntry {
        aid: file.aid.bytes().to_vec(),
        life_cycle: LOADED,
        version: Some(file.version),
        modules: match modules {
            true => file
                .modules
                .iter()
                .map(|module| module.bytes().to_vec())
                .collect(),
            false => Vec::new(),
        },
        security_domain: Some(isd.to_vec()),
        ..RegistryEntry::default()
    })
}
