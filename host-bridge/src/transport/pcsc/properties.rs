//! What a reader's driver tells of the reader (PC/SC part 10: features and TLV properties).

use pcsc::{Card, Context, Disposition, Protocols, ShareMode};
use std::ffi::CStr;

/// The control code that asks for a driver's features (part 10, 2.2).
const GET_FEATURE_REQUEST: u32 = 3400;
/// Feature: properties in TLV form (part 10, 2.3).
const GET_TLV_PROPERTIES: u8 = 0x12;
/// Property: longest APDU data (part 10, 2.6.14).
const MAX_APDU_DATA_SIZE: u8 = 0x0A;
/// Property: USB vendor identifier.
const VENDOR: u8 = 0x0B;
/// Property: USB product identifier.
const PRODUCT: u8 = 0x0C;

/// What a driver tells; nothing where it doesn't.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Properties {
    /// USB vendor and product, `076B:1021`.
    pub usb: Option<String>,
    /// Longest APDU data; 0: short only.
    pub max_data: Option<u32>,
}

impl Properties {
    /// Asks through a card's link.
    pub fn of(card: &Card) -> Self {
        let mut buffer = [0; 264];
        let code = pcsc::ctl_code(GET_FEATURE_REQUEST.into());
        let Ok(features) = card.control(code, &[], &mut buffer) else {
            return Self::default();
        };
        // Features are TLVs whose value is a control code, most significant byte first.
        let code = find(features, GET_TLV_PROPERTIES)
            .and_then(|value| Some(u32::from_be_bytes(value.try_into().ok()?)));
        let Some(code) = code else {
            return Self::default();
        };
        let mut buffer = [0; 264];
        match card.control(code.into(), &[], &mut buffer) {
            Ok(bytes) => Self::parse(bytes),
            Err(_) => Self::default(),
        }
    }

    /// Asks a reader without powering its card; nothing if somebody has it.
    pub fn ask(context: &Context, reader: &CStr) -> Self {
        match context.connect(reader, ShareMode::Direct, Protocols::UNDEFINED) {
            Ok(card) => {
                let found = Self::of(&card);
                // What is in the reader stays as it is.
                let _ = card.disconnect(Disposition::LeaveCard);
                found
            }
            Err(_) => Self::default(),
        }
    }

    /// Properties, least significant byte first.
    fn parse(bytes: &[u8]) -> Self {
        let number = |tag| {
            let value = find(bytes, tag).filter(|value| value.len() <= 4)?;
            Some(value.iter().rev().fold(0, |n, b| n << 8 | u32::from(*b)))
        };
        let usb = number(VENDOR).zip(number(PRODUCT));
        Properties {
            usb: usb.map(|(vendor, product)| format!("{vendor:04X}:{product:04X}")),
            max_data: number(MAX_APDU_DATA_SIZE),
        }
    }
}

/// The value of a tag in a list of one-byte tags and lengths.
fn find(mut bytes: &[u8], tag: u8) -> Option<&[u8]> {
    while let [t, length, rest @ ..] = bytes {
        let value = rest.get(..usize::from(*length))?;
        if *t == tag {
            return Some(value);
        }
        bytes = rest.get(value.len()..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_read_and_damage_is_nothing() {
        let bytes = hex::decode("0A04000001000B026B070C022110").unwrap();
        let all = Properties::parse(&bytes);
        assert_eq!(all.usb.as_deref(), Some("076B:1021"));
        assert_eq!(all.max_data, Some(0x10000));
        assert_eq!(
            Properties::parse(&hex::decode("0B026B").unwrap()),
            Properties::default()
        );
        assert_eq!(Properties::parse(&[]), Properties::default());
    }
}
