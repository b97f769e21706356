//! Words for bytes: contents of files, PINs, paths.

use crate::definition::Hex;
use crate::euicc::Iccid;
use crate::fs::imsi_file;

/// `fillFileContent` in words.
pub struct Content;

impl Content {
    /// The bytes that a text stands for.
    ///
    /// # Errors
    /// What was expected.
    pub fn bytes(text: &str) -> Result<Vec<u8>, String> {
        match text.split_once(':') {
            Some(("imsi", digits)) => match (5..=15).contains(&digits.len())
                && digits.bytes().all(|digit| digit.is_ascii_digit())
            {
                true => Ok(imsi_file(digits)),
                false => Err(format!("imsi:{digits}: an IMSI has 5 to 15 digits")),
            },
            Some(("iccid", digits)) => Iccid::checked(digits)
                .map(|iccid| iccid.as_bytes().to_vec())
                .map_err(|error| format!("iccid:{digits}: {error}")),
            Some(("text", text)) => Ok(text.as_bytes().to_vec()),
            // EF.SPN (3GPP TS 31.102 4.2.12): the display condition, then the name.
            Some(("spn", name)) => Ok([&[0x01], name.as_bytes()].concat()),
            Some((kind, _)) => Err(format!(
                "content {kind}: is none; expected hexadecimal digits, imsi:, iccid:, spn: or text:"
            )),
            None => hex(text),
        }
    }

    /// The text for a field's bytes: in words where they say the same.
    pub fn text(field: &str, bytes: &[u8]) -> String {
        let words = match field {
            "ef-imsi" => Some(format!("imsi:{}", crate::saip::install::imsi_digits(bytes))),
            "ef-iccid" => bytes
                .try_into()
                .ok()
                .map(|bytes| format!("iccid:{}", Iccid(bytes))),
            _ => None,
        };
        words
            .filter(|words| Content::bytes(words).as_deref() == Ok(bytes))
            .unwrap_or_else(|| hex::encode_upper(bytes))
    }
}

/// Hexadecimal digits, which may have blanks between them.
pub(super) fn hex(text: &str) -> Result<Vec<u8>, String> {
    let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    hex::decode(&digits).map_err(|error| format!("{text:?}: expected hexadecimal digits: {error}"))
}

/// A path of file identifiers: `7F10/5F3A`.
///
/// # Errors
/// What was expected.
pub fn path(text: &str) -> Result<Vec<u8>, String> {
    let steps = text.split('/').filter(|step| !step.is_empty());
    steps
        .map(|step| match hex::decode(step) {
            Ok(fid) if fid.len() == 2 => Ok(fid),
            _ => Err(format!(
                "path {text:?}: {step:?} is no file identifier of four digits"
            )),
        })
        .collect::<Result<Vec<_>, _>>()
        .map(|fids| fids.concat())
}

/// The text of a path's bytes.
pub(super) fn path_text(bytes: &[u8]) -> String {
    bytes
        .chunks(2)
        .map(hex::encode_upper)
        .collect::<Vec<_>>()
        .join("/")
}

/// The eight bytes of a PIN: its characters and FF, or `hex:`.
pub(super) fn pin(text: &str) -> Result<Vec<u8>, String> {
    if text == super::MASK {
        return Err(
            "the value is masked; take a description that was written with its keys".into(),
        );
    }
    let bytes = match text.strip_prefix("hex:") {
        Some(digits) => hex(digits)?,
        None => {
            let mut bytes = text.as_bytes().to_vec();
            bytes.resize(bytes.len().max(8), 0xFF);
            bytes
        }
    };
    match bytes.len() {
        8 => Ok(bytes),
        _ => {
            Err("a PIN or unblock key has at most eight characters, or hex: and eight bytes".into())
        }
    }
}

/// The text of a PIN.
pub(super) fn pin_text(bytes: &[u8]) -> String {
    let used = bytes
        .iter()
        .rposition(|byte| *byte != 0xFF)
        .map_or(0, |last| last + 1);
    let digits = bytes.get(..used).unwrap_or(bytes);
    match digits.iter().all(u8::is_ascii_digit) && !digits.is_empty() {
        true => digits.iter().map(|digit| char::from(*digit)).collect(),
        false => format!("hex:{}", hex::encode_upper(bytes)),
    }
}

/// A key's bytes.
pub(super) fn key(text: &str) -> Result<Vec<u8>, String> {
    if text == super::MASK {
        return Err("the key is masked; take a description that was written with its keys".into());
    }
    hex(text).map_err(|_| "a key is hexadecimal digits".to_owned())
}

/// The two bytes of a descriptor and the length of records.
const CODING: u8 = 0x21;
const TYPES: &[(&str, u8)] = &[
    ("transparent", 0x41),
    ("linear-fixed", 0x42),
    ("cyclic", 0x46),
    ("ber-tlv", 0x79),
    ("directory", 0x78),
];

/// `fileDescriptor` of a type and a record's length.
pub(super) fn descriptor(kind: &str, record: Option<u16>) -> Result<Vec<u8>, String> {
    let known = TYPES.iter().find(|(name, _)| *name == kind);
    let (_, byte) = known.ok_or_else(|| {
        let names: Vec<&str> = TYPES.iter().map(|(name, _)| *name).collect();
        format!("type {kind:?}: expected {}", names.join(", "))
    })?;
    let mut bytes = vec![*byte, CODING];
    bytes.extend(record.into_iter().flat_map(u16::to_be_bytes));
    Ok(bytes)
}

/// Type and record of a `fileDescriptor`, if they say all of it.
pub(super) fn descriptor_text(bytes: &[u8]) -> Option<(String, Option<u16>)> {
    let (record, head) = match bytes {
        [kind, CODING] => (None, kind),
        [kind, CODING, high, low] => (Some(u16::from_be_bytes([*high, *low])), kind),
        _ => return None,
    };
    let (name, _) = TYPES.iter().find(|(_, byte)| byte == head)?;
    Some(((*name).to_owned(), record))
}

/// `securityAttributesReferenced`: `6F06/2`, or the record alone.
pub(super) fn access(text: &str) -> Result<Vec<u8>, String> {
    let wrong = || format!("access {text:?}: expected a record of an EF.ARR, like 6F06/2 or 2");
    let (file, record) = match text.split_once('/') {
        Some((file, record)) => (hex(file).map_err(|_| wrong())?, record),
        None => (Vec::new(), text),
    };
    let record: u8 = record.parse().map_err(|_| wrong())?;
    match file.len() {
        0 | 2 => Ok([file, vec![record]].concat()),
        _ => Err(wrong()),
    }
}

/// The text of `securityAttributesReferenced`.
pub(super) fn access_text(bytes: &[u8]) -> Option<String> {
    match bytes {
        [record] => Some(record.to_string()),
        [high, low, record] => Some(format!("{high:02X}{low:02X}/{record}")),
        _ => None,
    }
}

/// A size in as few bytes as it takes.
pub(super) fn size(size: u16) -> Vec<u8> {
    let bytes = size.to_be_bytes();
    match bytes {
        [0, low] => vec![low],
        both => both.to_vec(),
    }
}

pub(super) fn to_hex(bytes: &[u8]) -> Hex {
    Hex(bytes.to_vec())
}
