//! GET STATUS (GlobalPlatform Card Specification 11.4): what is on the card, page by page.

use super::Stop;
use super::open::Open;
use super::registry::{Aid, Instance, LoadFile};
use applet_gen::gp::privilege::Privilege;
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

impl Open {
    /// GET STATUS as it came to the domain `by`: P1 80 the issuer's domain, 40 applications and other domains, 20
    /// load files, 10 load files with their modules; P2 02 TLV form (00 the older one), 01 more to ask for the
    /// next page. Without Global Registry a domain sees what is below it.
    pub(crate) fn get_status(&mut self, by: &Aid, command: &Command) -> Result<Response, Stop> {
        let search = match tlv::find(&command.data, 0x4F) {
            Ok(Some(object)) if object.value.len() <= 16 => object.value.to_vec(),
            _ => return Err(Sw::WRONG_DATA.into()),
        };
        let as_tlv = command.p2 & 0x02 != 0;
        if command.p2 & !0x03 != 0 || !matches!(command.p1, 0x80 | 0x40 | 0x20 | 0x10) {
            return Err(Sw::INCORRECT_P1_P2.into());
        }
        if as_tlv && self.rules.quirks.status_old_form {
            return Err(self.refuse(
                Sw::INCORRECT_P1_P2,
                "GET STATUS: this card has the older form only",
            ));
        }
        let issuer = command.p1 == 0x80;
        if issuer && !self.has(by, Privilege::GlobalRegistry) {
            let why = "GET STATUS of the issuer's domain needs Global Registry";
            return Err(self.refuse(Sw::CONDITIONS_NOT_SATISFIED, why));
        }
        let next = command.p2 & 0x01 != 0;
        let first = match (next, self.domain_mut(by)?.cursor.take()) {
            (false, _) => 0,
            (true, Some(cursor))
                if cursor.p1 == command.p1 && cursor.search == search && !issuer =>
            {
                cursor.next
            }
            _ => return Err(Sw::CONDITIONS_NOT_SATISFIED.into()),
        };
        let mut entries = self.entries(by, command.p1, &search);
        if let Ok(Some(tags)) = tlv::find(&command.data, 0x5C) {
            let tags = tag_list(tags.value).ok_or(Sw::WRONG_DATA)?;
            entries.iter_mut().for_each(|entry| keep(entry, &tags));
        }
        if entries.is_empty() {
            return Err(Sw::REFERENCED_DATA_NOT_FOUND.into());
        }
        let room = match self.rules.quirks.status_page {
            0 => PAGE,
            bytes => PAGE.min(bytes.into()),
        };
        let mut page = Vec::new();
        for (at, entry) in entries.iter().enumerate().skip(first) {
            let entry = match as_tlv {
                true => entry.tlv.clone(),
                false => old_form(&entry.entry, command.p1 == 0x10),
            };
            if !page.is_empty() && page.len() + entry.len() > room {
                self.domain_mut(by)?.cursor = Some(Cursor {
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

    fn entries(&self, by: &Aid, p1: u8, search: &[u8]) -> Vec<Listed> {
        let registry = &self.registry;
        let all = self.has(by, Privilege::GlobalRegistry);
        let seen = |aid: &Aid| {
            aid.bytes().starts_with(search) && (all || aid == by || registry.is_below(aid, by))
        };
        let listed: Vec<RegistryEntry> = match p1 {
            // The search criterion is ignored.
            0x80 => vec![RegistryEntry {
                aid: registry.isd.bytes().to_vec(),
                life_cycle: registry.card as u8,
                privileges: registry.isd_privileges.to_vec(),
                ..RegistryEntry::default()
            }],
            0x40 => registry
                .instances
                .iter()
                .filter(|instance| seen(&instance.aid))
                .map(application)
                .collect(),
            _ => registry
                .resident
                .iter()
                .chain(&registry.load_files)
                .filter(|file| seen(&file.aid))
                .map(|file| load_file(file, p1 == 0x10))
                .collect(),
        };
        let listed = listed.into_iter();
        listed
            .map(|entry| Listed {
                tlv: status_entry(&entry),
                entry,
            })
            .collect()
    }
}

/// An entry, and its data objects.
struct Listed {
    entry: RegistryEntry,
    tlv: Vec<u8>,
}

/// The tags of a tag list (5C): one or two bytes each.
fn tag_list(value: &[u8]) -> Option<Vec<u32>> {
    let mut rest = value;
    let mut tags = Vec::new();
    while let Some((first, tail)) = rest.split_first() {
        let mut tag = u32::from(*first);
        rest = tail;
        if first & 0x1F == 0x1F {
            let (second, tail) = rest.split_first()?;
            tag = tag << 8 | u32::from(*second);
            rest = tail;
        }
        tags.push(tag);
    }
    Some(tags)
}

/// Leaves only the data objects that a tag list names.
fn keep(listed: &mut Listed, tags: &[u32]) {
    if let Ok(template) = tlv::expect(&listed.tlv, 0xE3) {
        let kept: Vec<&[u8]> = template
            .children()
            .filter_map(Result::ok)
            .filter(|object| tags.contains(&object.tag))
            .map(|object| object.raw)
            .collect();
        listed.tlv = tlv::write_constructed(0xE3, &kept);
    }
}

/// The form of GlobalPlatform 2.1.1: AID with its length, state, one byte of privileges, modules.
fn old_form(entry: &RegistryEntry, modules: bool) -> Vec<u8> {
    let length = |bytes: &[u8]| u8::try_from(bytes.len()).unwrap_or(u8::MAX);
    let mut out = vec![length(&entry.aid)];
    out.extend(&entry.aid);
    out.extend([
        entry.life_cycle,
        entry.privileges.first().copied().unwrap_or(0),
    ]);
    if modules {
        out.push(u8::try_from(entry.modules.len()).unwrap_or(u8::MAX));
        for module in &entry.modules {
            out.push(length(module));
            out.extend(module);
        }
    }
    out
}

fn application(instance: &Instance) -> RegistryEntry {
    RegistryEntry {
        aid: instance.aid.bytes().to_vec(),
        life_cycle: instance.state,
        privileges: instance.privileges.to_vec(),
        load_file: Some(instance.load_file.bytes().to_vec()),
        security_domain: Some(instance.domain.bytes().to_vec()),
        ..RegistryEntry::default()
    }
}

fn load_file(file: &LoadFile, modules: bool) -> RegistryEntry {
    let module = |aid: &Aid| aid.bytes().to_vec();
    RegistryEntry {
        aid: file.aid.bytes().to_vec(),
        life_cycle: LOADED,
        version: Some(file.version),
        modules: match modules {
            true => file.modules.iter().map(module).collect(),
            false => Vec::new(),
        },
        security_domain: Some(file.domain.bytes().to_vec()),
        ..RegistryEntry::default()
    }
}
