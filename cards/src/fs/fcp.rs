//! File control parameters (ETSI TS 102 221 11.1.1.3): the template that SELECT answers, and the one that
//! CREATE FILE brings (ETSI TS 102 222 6.3.2).

use super::security::Security;
use super::tree::{CURRENT_ADF, Elementary, FileId, Kind, LifeCycle, Node, Structure};
use super::{FileError, MF};
use applet_model::tlv;

/// Data coding byte of file descriptors (11.1.1.4.3).
const DATA_CODING: u8 = 0x21;
/// File descriptor byte: the file is shareable.
const SHAREABLE: u8 = 0x40;
/// File descriptor byte of a DF or ADF.
const DIRECTORY: u8 = 0x38;

/// FCP template of a file; `contents` is the EF whose contents it shows, `enabled` tells which PIN references are
/// enabled.
pub(super) fn template(
    node: &Node,
    contents: Option<&Elementary>,
    enabled: &dyn Fn(u8) -> bool,
) -> Vec<u8> {
    let shareable = if node.shareable { SHAREABLE } else { 0 };
    let mut parts = Vec::new();
    let identifier = tlv::write(0x83, &node.fid.to_be_bytes());
    let state = tlv::write(0x8A, &[node.state.code()]);
    match &node.kind {
        Kind::Directory { name, total, pins } => {
            parts.push(tlv::write(0x82, &[DIRECTORY | shareable, DATA_CODING]));
            parts.push(identifier);
            if !name.is_empty() {
                parts.push(tlv::write(0x84, name));
            }
            if node.fid == MF || node.fid == CURRENT_ADF {
                // UICC characteristics: clock stop allowed, class A, B and C voltages.
                parts.push(tlv::write_constructed(0xA5, &[tlv::write(0x80, &[0x71])]));
            }
            parts.push(state);
            parts.push(node.security.object());
            parts.push(pin_status(pins, enabled));
            if *total != 0 {
                parts.push(tlv::write(0x81, &total.to_be_bytes()));
            }
        }
        Kind::Elementary(own) => {
            let ef = contents.unwrap_or(own);
            parts.push(tlv::write(0x82, &descriptor(ef, shareable)));
            parts.push(identifier);
            parts.push(state);
            parts.push(node.security.object());
            let size = u16::try_from(ef.data.len()).unwrap_or(u16::MAX);
            parts.push(tlv::write(0x80, &size.to_be_bytes()));
            let sfi: Vec<u8> = own.sfi.iter().map(|sfi| sfi << 3).collect();
            parts.push(tlv::write(0x88, &sfi));
        }
    }
    tlv::write_constructed(0x62, &parts)
}

fn descriptor(ef: &Elementary, shareable: u8) -> Vec<u8> {
    let structure = match ef.structure {
        Structure::Transparent => return vec![0x01 | shareable, DATA_CODING],
        Structure::LinearFixed => 0x02,
        Structure::Cyclic => 0x06,
    };
    vec![
        structure | shareable,
        DATA_CODING,
        0,
        ef.record,
        ef.records(),
    ]
}

/// PIN status template (11.1.1.4.10): a bit for each PIN that is enabled, then the references.
fn pin_status(pins: &[u8], enabled: &dyn Fn(u8) -> bool) -> Vec<u8> {
    let bits = pins
        .iter()
        .zip((0..8).rev())
        .filter(|(pin, _)| enabled(**pin))
        .fold(0u8, |bits, (_, bit)| bits | 1 << bit);
    let mut parts = vec![tlv::write(0x90, &[bits])];
    parts.extend(pins.iter().map(|pin| tlv::write(0x83, &[*pin])));
    tlv::write_constructed(0xC6, &parts)
}

/// A number of one to four bytes, at most 65535.
fn number(value: &[u8]) -> Option<u16> {
    let (head, tail) = value.split_at(value.len().saturating_sub(2));
    if value.is_empty() || value.len() > 4 || head.iter().any(|byte| *byte != 0) {
        return None;
    }
    Some(
        tail.iter()
            .fold(0u16, |sum, byte| sum << 8 | u16::from(*byte)),
    )
}

/// Reads the data objects of CREATE FILE: a file for `parent`.
///
/// # Errors
/// [`FileError::Parameters`] if one is missing or makes no sense; [`FileError::Structure`] for a structure
/// that this card doesn't have (BER-TLV).
pub(super) fn parse(objects: &[u8], parent: FileId) -> Result<Node, FileError> {
    let bad = FileError::Parameters;
    let objects = tlv::iter(objects)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| bad.clone())?;
    let find = |tag: u32| {
        objects
            .iter()
            .find(|object| object.tag == tag)
            .map(|object| object.value)
    };
    let require = |tag: u32| find(tag).ok_or(bad.clone());
    let descriptor = require(0x82)?;
    let (&[kind, _], rest) = descriptor
        .split_first_chunk::<2>()
        .ok_or_else(|| bad.clone())?;
    let fid = match require(0x83)? {
        [hi, lo] => u16::from_be_bytes([*hi, *lo]),
        _ => return Err(bad),
    };
    let state = match require(0x8A)? {
        [code] => LifeCycle::of_code(*code).ok_or_else(|| bad.clone())?,
        _ => return Err(bad),
    };
    let security = match (find(0x8B), find(0x8C), find(0xAB)) {
        (Some(value), _, _) => Security::Referenced(value.to_vec()),
        (_, Some(value), _) => Security::Compact(value.to_vec()),
        (_, _, Some(value)) => Security::Expanded(value.to_vec()),
        _ => return Err(bad),
    };
    let name = find(0x84).unwrap_or(&[]);
    let adf = !name.is_empty();
    // Identifiers that mean something else (ETSI TS 102 221 8.6); only an ADF may come with 7FFF.
    if matches!(fid, MF | 0x3FFF | 0xFFFF) || (fid == CURRENT_ADF && !adf) {
        return Err(bad);
    }
    let kind_of = match kind & !SHAREABLE {
        DIRECTORY => {
            if adf && !(5..=16).contains(&name.len()) {
                return Err(bad);
            }
            Kind::Directory {
                name: name.to_vec(),
                total: number(require(0x81)?).ok_or_else(|| bad.clone())?,
                pins: pin_references(find(0xC6).unwrap_or(&[])),
            }
        }
        structure @ (0x01 | 0x02 | 0x06) => {
            let size = number(require(0x80)?).ok_or_else(|| bad.clone())?;
            Kind::Elementary(elementary(
                structure,
                rest,
                size,
                sfi(find(0x88), fid)?,
                find(0xA5),
            )?)
        }
        0x39 => return Err(FileError::Structure),
        _ => return Err(bad),
    };
    Ok(Node {
        fid: if adf { CURRENT_ADF } else { fid },
        parent,
        state,
        shareable: kind & SHAREABLE != 0,
        security,
        kind: kind_of,
    })
}

fn elementary(
    structure: u8,
    rest: &[u8],
    size: u16,
    sfi: Option<u8>,
    proprietary: Option<&[u8]>,
) -> Result<Elementary, FileError> {
    let (structure, record) = match (structure, rest) {
        (0x01, []) => (Structure::Transparent, 0),
        // Record length, and maybe the number of records.
        (other, [0, record, ..]) if rest.len() <= 3 && other != 0x01 => (
            if other == 0x02 {
                Structure::LinearFixed
            } else {
                Structure::Cyclic
            },
            *record,
        ),
        _ => return Err(FileError::Parameters),
    };
    let whole = match record {
        0 => structure == Structure::Transparent || size == 0,
        record => size.is_multiple_of(u16::from(record)) && size / u16::from(record) <= 254,
    };
    if !whole {
        return Err(FileError::Parameters);
    }
    // Filling pattern (C1: once, its last byte goes on; C2: repeated).
    let pattern = |tag| proprietary.and_then(|list| tlv::find(list, tag).ok().flatten());
    let size = usize::from(size);
    let mut data = Vec::with_capacity(size);
    if let Some(repeated) = pattern(0xC2).filter(|pattern| !pattern.value.is_empty()) {
        data.extend(repeated.value.iter().cycle().take(size));
    } else {
        let once = pattern(0xC1).map_or(&[][..], |pattern| pattern.value);
        data.extend(once.iter().take(size));
        data.resize(size, once.last().copied().unwrap_or(0xFF));
    }
    Ok(Elementary {
        sfi,
        structure,
        record,
        data,
        link: None,
    })
}

/// Tag 88: left out, the five low bits of the file identifier; empty, none (ETSI TS 102 222 6.3.2.2.2).
fn sfi(value: Option<&[u8]>, fid: u16) -> Result<Option<u8>, FileError> {
    match value {
        None => Ok(u8::try_from(fid & 0x1F)
            .ok()
            .filter(|sfi| (1..=30).contains(sfi))),
        Some([]) => Ok(None),
        Some([byte]) if byte & 0x07 == 0 && (1..=30).contains(&(byte >> 3)) => Ok(Some(byte >> 3)),
        Some(_) => Err(FileError::Parameters),
    }
}

/// The references in a PIN status template.
pub(crate) fn pin_references(template: &[u8]) -> Vec<u8> {
    tlv::iter(template)
        .filter_map(Result::ok)
        .filter(|object| object.tag == 0x83)
        .filter_map(|object| object.value.first().copied())
        .collect()
}

/// RESIZE FILE's data objects: file identifier and new size (ETSI TS 102 222 6.10.2).
///
/// # Errors
/// [`FileError::Parameters`].
pub(super) fn parse_resize(objects: &[u8]) -> Result<(u16, u16), FileError> {
    let of = |tag| {
        tlv::find(objects, tag)
            .map_err(|_| FileError::Parameters)?
            .ok_or(FileError::Parameters)
    };
    let fid = match of(0x83)?.value {
        [hi, lo] => u16::from_be_bytes([*hi, *lo]),
        _ => return Err(FileError::Parameters),
    };
    Ok((fid, number(of(0x80)?.value).ok_or(FileError::Parameters)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        hex::decode(text.replace(' ', "")).unwrap()
    }

    #[test]
    fn what_create_brings_comes_back_from_select() {
        let objects =
            bytes("8205 46210003 02 8302 6F29 8A0105 8B03 2F0601 8002 0006 8801 10".trim());
        let node = parse(&objects, FileId::MF).unwrap();
        let ef = node.elementary().unwrap();
        assert_eq!((ef.records(), ef.record, ef.sfi), (2, 3, Some(2)));
        assert_eq!(ef.data, [0xFF; 6]);
        assert_eq!(
            hex::encode_upper(template(&node, node.elementary(), &|_| false)),
            "621A8205462100030283026F298A01058B032F0601800200068801".to_owned() + "10"
        );
        let df = bytes("8202 7821 8302 5F01 8A0105 8B03 2F0601 8102 0030 C606 900180 830101");
        let df = parse(&df, FileId::MF).unwrap();
        assert_eq!(
            hex::encode_upper(template(&df, None, &|pin| pin == 1)),
            "621C8202782183025F018A01058B032F0601C60690018083010181020030"
        );
    }

    #[test]
    fn what_makes_no_file_is_refused() {
        for text in [
            "42424242",
            "8202 4121 8302 6F29",
            "8204 42210003 8302 6F29 8A0105 8B032F0601 8002 0004",
            "8202 4121 8302 3F00 8A0105 8B032F0601 8002 0004",
            "8202 4121 8302 6F29 8A0105 8B032F0601 8003 010000",
            "8202 4121 8302 6F29 8A0105 8B032F0601 8002 0004 8801 FF",
        ] {
            assert_eq!(
                parse(&bytes(text), FileId::MF),
                Err(FileError::Parameters),
                "{text}"
            );
        }
        let ber = bytes("8202 7921 8302 6F29 8A0105 8B032F0601 8002 0004");
        assert_eq!(parse(&ber, FileId::MF), Err(FileError::Structure));
    }

    #[test]
    fn a_filling_pattern_fills() {
        let with = |pattern: &str| {
            let text =
                format!("8202 4121 8302 6F29 8A0105 8B032F0601 8002 0005 8800 A504 {pattern}");
            let node = parse(&bytes(&text), FileId::MF).unwrap();
            node.elementary().unwrap().data.clone()
        };
        assert_eq!(with("C1020102"), [1, 2, 2, 2, 2]);
        assert_eq!(with("C2020102"), [1, 2, 1, 2, 1]);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(data in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..60)) {
            let _ = parse(&data, FileId::MF);
            let _ = parse_resize(&data);
        }
    }
}
