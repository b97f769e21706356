//! What GET STATUS and GET DATA tell of a card (GPCS 11.4.3, 11.3.3).

use applet_model::tlv::{self, TlvError};

/// An entry of the GlobalPlatform registry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RegistryEntry {
    /// AID of the application or load file (tag 4F).
    pub aid: Vec<u8>,
    /// Life cycle state (9F70): GPCS tables 11-3 to 11-6.
    pub life_cycle: u8,
    /// Privileges (C5), one or three bytes; empty for load files.
    pub privileges: Vec<u8>,
    /// Implicit selection parameters (CF; GPCS 11.1.7).
    pub implicit_selection: Vec<u8>,
    /// Load file that the application is from (C4).
    pub load_file: Option<Vec<u8>>,
    /// Version of the load file (CE).
    pub version: Option<[u8; 2]>,
    /// Executable modules (84).
    pub modules: Vec<Vec<u8>>,
    /// Security domain it belongs to (CC).
    pub security_domain: Option<Vec<u8>>,
}

/// The entries of a GET STATUS response (TLV form, template E3).
///
/// # Errors
/// [`TlvError`]: not a list of data objects, or no AID in an entry.
pub fn parse_status(data: &[u8]) -> Result<Vec<RegistryEntry>, TlvError> {
    let mut out = Vec::new();
    for item in tlv::iter(data) {
        let item = item?;
        if item.tag != 0xE3 {
            continue;
        }
        let mut entry = RegistryEntry {
            aid: tlv::require(item.value, 0x4F)?.value.to_vec(),
            ..RegistryEntry::default()
        };
        for field in item.children() {
            let field = field?;
            match field.tag {
                0x9F70 => entry.life_cycle = field.value.first().copied().unwrap_or_default(),
                0xC5 => entry.privileges = field.value.to_vec(),
                0xCF => entry.implicit_selection.extend(field.value.first()),
                0xC4 => entry.load_file = Some(field.value.to_vec()),
                0xCE => entry.version = field.value.first_chunk::<2>().copied(),
                0x84 => entry.modules.push(field.value.to_vec()),
                0xCC => entry.security_domain = Some(field.value.to_vec()),
                _ => {}
            }
        }
        out.push(entry);
    }
    Ok(out)
}

/// The entries of a GET STATUS response of the older form (GPCS 2.1.1, tables 9-22 and 9-23): AID with its length,
/// life cycle state, one byte of privileges, and for P1 10 the modules. `None` if they don't fit.
pub fn parse_old_status(data: &[u8], modules: bool) -> Option<Vec<RegistryEntry>> {
    fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
        let (length, tail) = rest.split_first()?;
        let (value, tail) = tail.split_at_checked(usize::from(*length))?;
        *rest = tail;
        Some(value)
    }
    let mut rest = data;
    let mut out = Vec::new();
    while !rest.is_empty() {
        let aid = take(&mut rest)?.to_vec();
        let ([life_cycle, privileges], tail) = rest.split_first_chunk::<2>()?;
        rest = tail;
        let mut entry = RegistryEntry {
            aid,
            life_cycle: *life_cycle,
            privileges: vec![*privileges],
            ..RegistryEntry::default()
        };
        if modules {
            let (count, tail) = rest.split_first()?;
            rest = tail;
            for _ in 0..*count {
                entry.modules.push(take(&mut rest)?.to_vec());
            }
        }
        out.push(entry);
    }
    Some(out)
}

/// The data objects of an entry, as a card sends them.
pub fn status_entry(entry: &RegistryEntry) -> Vec<u8> {
    let mut parts = vec![
        tlv::write(0x4F, &entry.aid),
        tlv::write(0x9F70, &[entry.life_cycle]),
    ];
    if !entry.privileges.is_empty() {
        parts.push(tlv::write(0xC5, &entry.privileges));
    }
    let implicit = entry.implicit_selection.iter();
    parts.extend(implicit.map(|parameter| tlv::write(0xCF, &[*parameter])));
    if let Some(load_file) = &entry.load_file {
        parts.push(tlv::write(0xC4, load_file));
    }
    if let Some(version) = &entry.version {
        parts.push(tlv::write(0xCE, version));
    }
    parts.extend(entry.modules.iter().map(|module| tlv::write(0x84, module)));
    if let Some(domain) = &entry.security_domain {
        parts.push(tlv::write(0xCC, domain));
    }
    tlv::write_constructed(0xE3, &parts)
}

/// A key that the key information template lists (tag C0; GPCS table 11-28).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyInformation {
    /// Key identifier.
    pub id: u8,
    /// Key version number.
    pub kvn: u8,
    /// Key type: 88 is AES.
    pub kind: u8,
    /// Key length in bytes.
    pub length: u8,
}

/// The keys of a key information template (E0).
///
/// # Errors
/// [`TlvError`].
pub fn parse_key_information(data: &[u8]) -> Result<Vec<KeyInformation>, TlvError> {
    let template = tlv::expect(data, 0xE0)?;
    let mut out = Vec::new();
    for item in template.children() {
        let item = item?;
        if let (0xC0, [id, kvn, kind, length, ..]) = (item.tag, item.value) {
            out.push(KeyInformation {
                id: *id,
                kvn: *kvn,
                kind: *kind,
                length: *length,
            });
        }
    }
    Ok(out)
}

/// Free memory of the extended card resources information (ETSI TS 102 226 8.2.1.7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CardResources {
    /// Installed applications (81).
    pub applications: u32,
    /// Free non-volatile memory in bytes (82).
    pub non_volatile: u32,
    /// Free volatile memory in bytes (83).
    pub volatile: u32,
}

/// Reads the value of tag FF21, with or without the tag before it.
///
/// # Errors
/// [`TlvError`]: a field is missing or cut.
pub fn parse_card_resources(data: &[u8]) -> Result<CardResources, TlvError> {
    let list = match tlv::read(data) {
        Ok((outer, _)) if outer.tag == 0xFF21 => outer.value,
        _ => data,
    };
    let number = |tag| -> Result<u32, TlvError> {
        let value = tlv::require(list, tag)?.value;
        Ok(value.iter().fold(0u32, |n, &byte| n << 8 | u32::from(byte)))
    };
    Ok(CardResources {
        applications: number(0x81)?,
        non_volatile: number(0x82)?,
        volatile: number(0x83)?,
    })
}

/// The data object FF21, as a card sends it.
pub fn card_resources(resources: &CardResources) -> Vec<u8> {
    tlv::write_constructed(
        0xFF21,
        &[
            tlv::write(0x81, &[resources.applications.min(255) as u8]),
            tlv::write(0x82, &resources.non_volatile.to_be_bytes()),
            tlv::write(0x83, &resources.volatile.to_be_bytes()),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_real_cards_status_is_read() {
        // GlobalPlatformPro #405, a GET STATUS answer in full.
        let data = hex::decode("E31B4F07A00000015153509F700101CE02FFFFCC08A000000151000000E3234F0FA000000396545300000001000D01009F700101CE020100CC08A000000151000000").unwrap();
        let entries = parse_status(&data).unwrap();
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[0].version, Some([0xFF, 0xFF]));
        assert_eq!(
            entries[1].security_domain.as_deref(),
            Some(applet_model::aid::ISD)
        );
        let again: Vec<u8> = entries.iter().flat_map(status_entry).collect();
        assert_eq!(parse_status(&again).unwrap(), entries);
        assert_eq!(again, data);
    }

    #[test]
    fn resources_and_keys() {
        // A public figure of a sysmoEUICC1-C2T: 285,688 B NVM and 9,241 B RAM free.
        let told = CardResources {
            applications: 3,
            non_volatile: 285_688,
            volatile: 9_241,
        };
        assert_eq!(parse_card_resources(&card_resources(&told)).unwrap(), told);
        let keys =
            parse_key_information(&hex::decode("E00CC00401308810C00402308810").unwrap()).unwrap();
        assert_eq!(
            keys[1],
            KeyInformation {
                id: 2,
                kvn: 0x30,
                kind: 0x88,
                length: 16
            }
        );
    }

    #[test]
    fn the_older_form_is_read() {
        let applications = hex::decode("08A0000001510000000F9E05F00102030407 04".replace(' ', ""));
        let read = parse_old_status(&applications.unwrap(), false).unwrap();
        assert_eq!((read[0].life_cycle, read[0].privileges[0]), (0x0F, 0x9E));
        assert_eq!(read[1].aid, [0xF0, 1, 2, 3, 4]);
        let file = hex::decode("05F00102030401000106F0010203040A").unwrap();
        let read = parse_old_status(&file, true).unwrap();
        assert_eq!(read[0].modules, [hex::decode("F0010203040A").unwrap()]);
        assert_eq!(parse_old_status(&file[..9], true), None);
    }

    proptest! {
        #[test]
        fn garbage_never_panics(data in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = (parse_old_status(&data, true), parse_status(&data), parse_key_information(&data), parse_card_resources(&data));
        }
    }
}
