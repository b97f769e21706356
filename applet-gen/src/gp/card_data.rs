//! What a GlobalPlatform card says of itself before anybody authenticates: GET DATA's objects in words.
//!
//! CPLC (GPCS H.6 of old, ISO/IEC 7816-6's history), card recognition data (GPCS H.2, H.3), card
//! capability information (GPCS H.4), and the words for life cycle states and privileges (GPCS 11.1).

pub use super::privilege::words as privileges;
use applet_model::tlv::{self, TlvError};

/// A name and what is said of it.
pub type Field = (&'static str, String);

/// Length of the card production life cycle data, bytes.
pub const CPLC_LENGTH: usize = 42;

/// How a field of the CPLC is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Hex,
    /// Last digit of the year, then the day of the year, in BCD.
    Date,
}

/// The fields of the CPLC in their order: name, bytes, form.
const CPLC: [(&str, usize, Form); 18] = [
    ("IC fabricator", 2, Form::Hex),
    ("IC type", 2, Form::Hex),
    ("operating system", 2, Form::Hex),
    ("operating system release date", 2, Form::Date),
    ("operating system release level", 2, Form::Hex),
    ("IC fabrication date", 2, Form::Date),
    ("IC serial number", 4, Form::Hex),
    ("IC batch", 2, Form::Hex),
    ("IC module fabricator", 2, Form::Hex),
    ("IC module packaging date", 2, Form::Date),
    ("ICC manufacturer", 2, Form::Hex),
    ("IC embedding date", 2, Form::Date),
    ("IC pre-personalizer", 2, Form::Hex),
    ("IC pre-personalization date", 2, Form::Date),
    ("IC pre-personalization equipment", 4, Form::Hex),
    ("IC personalizer", 2, Form::Hex),
    ("IC personalization date", 2, Form::Date),
    ("IC personalization equipment", 4, Form::Hex),
];

/// Reads the answer to GET DATA 9F7F; `None` if it has not the CPLC's length. Fields that are all zero are left out.
pub fn cplc(data: &[u8]) -> Option<Vec<Field>> {
    let mut rest = match tlv::read(data) {
        Ok((object, _)) if object.tag == 0x9F7F => object.value,
        _ => data,
    };
    if rest.len() != CPLC_LENGTH {
        return None;
    }
    let mut fields = Vec::new();
    for (name, length, form) in CPLC {
        let (value, tail) = rest.split_at_checked(length)?;
        rest = tail;
        if value.iter().all(|&byte| byte == 0) {
            continue;
        }
        let digits = hex::encode_upper(value);
        let text = match digits.split_at_checked(1) {
            Some((year, day))
                if form == Form::Date && digits.bytes().all(|d| d.is_ascii_digit()) =>
            {
                format!("{digits} (day {day} of a year that ends in {year})")
            }
            _ => digits,
        };
        fields.push((name, text));
    }
    Some(fields)
}

/// GlobalPlatform's object identifier 1.2.840.114283, encoded.
const GLOBALPLATFORM: [u8; 6] = [0x2A, 0x86, 0x48, 0x86, 0xFC, 0x6B];

/// Card recognition data (tag 66; GPCS H.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recognition {
    /// GlobalPlatform version, as `2.3.1`, if the card states one.
    pub version: Option<String>,
    /// Secure channel protocols of the security domain with their "i" parameter.
    pub protocols: Vec<(u8, u8)>,
}

/// Reads the answer to GET DATA 0066.
///
/// # Errors
/// [`TlvError`]: cut, or no data object 66 with a 73 in it.
pub fn recognition(data: &[u8]) -> Result<Recognition, TlvError> {
    let list = tlv::require(tlv::expect(data, 0x66)?.value, 0x73)?;
    let mut out = Recognition::default();
    for object in list.children() {
        let object = object?;
        // Each holds an OID; what follows GlobalPlatform's is the arc and its values (below 128 all).
        let Ok(Some(oid)) = tlv::find(object.value, 0x06) else {
            continue;
        };
        let Some(arcs) = oid.value.strip_prefix(&GLOBALPLATFORM) else {
            continue;
        };
        match (object.tag, arcs) {
            (0x60, [0x02, version @ ..]) => {
                let numbers: Vec<String> = version.iter().map(ToString::to_string).collect();
                out.version = Some(numbers.join("."));
            }
            (0x64, [0x04, scp, i]) => out.protocols.push((*scp, *i)),
            _ => {}
        }
    }
    Ok(out)
}

/// Reads the answer to GET DATA 0067, card capability information (GPCS H.4). Cards that put the
/// template into another of the same tag are read, too: there are some in the field.
///
/// # Errors
/// [`TlvError`].
pub fn capabilities(data: &[u8]) -> Result<Vec<Field>, TlvError> {
    let mut list = tlv::expect(data, 0x67)?.value;
    if let Ok(inner) = tlv::expect(list, 0x67) {
        list = inner.value;
    }
    let mut out = Vec::new();
    for object in tlv::iter(list) {
        let object = object?;
        let hex = hex::encode_upper(object.value);
        match object.tag {
            0xA0 => out.push(("secure channel protocol", scp_information(object.value)?)),
            0x81 => out.push(("privileges for security domains", privileges(object.value))),
            0x82 => out.push(("privileges for applications", privileges(object.value))),
            0x83 => out.push(("hashes of load files", hashes(object.value))),
            0x84 => out.push(("ciphers of load files", hex)),
            0x85 => out.push(("ciphers of tokens", hex)),
            0x86 => out.push(("ciphers of receipts", hex)),
            0x87 => out.push(("ciphers of DAP", hex)),
            0x88 => out.push(("key parameter references", hex)),
            _ => out.push(("unknown object", format!("{:02X} {hex}", object.tag))),
        }
    }
    Ok(out)
}

/// SCP information (GPCS table H-6): protocol, options, key lengths.
fn scp_information(value: &[u8]) -> Result<String, TlvError> {
    let scp = tlv::require(value, 0x80)?.value;
    let mut text = format!("SCP{}", hex::encode_upper(scp));
    if let Some(options) = tlv::find(value, 0x81)? {
        let all: Vec<String> = options.value.iter().map(|i| format!("{i:02X}")).collect();
        text.push_str(&format!(", i={}", all.join(" ")));
    }
    if let Some(keys) = tlv::find(value, 0x82)? {
        let bits = keys.value.first().copied().unwrap_or_default();
        let named = [(1, "AES-128"), (2, "AES-192"), (4, "AES-256")];
        let names: Vec<&str> = named
            .iter()
            .filter(|(bit, _)| bits & bit != 0)
            .map(|(_, name)| *name)
            .collect();
        text.push_str(&format!(", {}", names.join(" ")));
    }
    Ok(text)
}

/// Load file data block hash algorithms (GPCS table H-7).
fn hashes(value: &[u8]) -> String {
    let name = |code: &u8| match code {
        1 => "SHA-1".to_owned(),
        2 => "SHA-256".to_owned(),
        3 => "SHA-384".to_owned(),
        4 => "SHA-512".to_owned(),
        other => format!("{other:02X}"),
    };
    value.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// Life cycle state of the card, which is its issuer security domain's (GPCS table 11-6).
pub fn card_state(state: u8) -> &'static str {
    match state {
        0x01 => "OP_READY",
        0x07 => "INITIALIZED",
        0x0F => "SECURED",
        0x7F => "CARD_LOCKED",
        0xFF => "TERMINATED",
        _ => "unknown",
    }
}

/// Life cycle state of an application or security domain (GPCS tables 11-4 and 11-5).
pub fn application_state(state: u8) -> &'static str {
    match state {
        0x03 => "INSTALLED",
        _ if state & 0x83 == 0x83 => "LOCKED",
        0x07 => "SELECTABLE",
        0x0F => "PERSONALIZED",
        _ if state & 0x87 == 0x07 => "SELECTABLE, and a state of its own",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(hex: &str) -> Vec<u8> {
        hex::decode(hex).unwrap()
    }

    #[test]
    fn cplc_of_a_card() {
        // GlobalPlatformPro's README: a JCOP card's CPLC.
        let data = bytes(
            "9F7F2A4790502840518102310020250048125102E7480000000000000C39313338313200000000000000000000",
        );
        let fields = cplc(&data).unwrap();
        assert_eq!(fields[0], ("IC fabricator", "4790".to_owned()));
        assert_eq!(fields[2], ("operating system", "4051".to_owned()));
        assert_eq!(
            fields[3],
            (
                "operating system release date",
                "8102 (day 102 of a year that ends in 8)".to_owned()
            )
        );
        assert!(fields.iter().all(|(name, _)| *name != "IC personalizer"));
        assert_eq!(cplc(&data[3..]), Some(fields));
        assert_eq!(cplc(&data[..44]), None);
    }

    #[test]
    fn recognition_data_of_a_card() {
        // GPCS H.2's structure as a JCOP card fills it: GlobalPlatform 2.1.1, SCP02 i=15.
        let data = bytes(
            "664C734A06072A864886FC6B01600C060A2A864886FC6B02020101630906072A864886FC6B03640B06092A864886FC6B040215650B06092B8510864864020103660C060A2B060104012A026E0102",
        );
        let read = recognition(&data).unwrap();
        assert_eq!(read.version.as_deref(), Some("2.1.1"));
        assert_eq!(read.protocols, [(2, 0x15)]);
    }

    #[test]
    fn capabilities_nested_or_not() {
        // SCP03 with three "i", three key lengths; SHA-1 and SHA-256.
        let plain = tlv::write(0x67, &bytes("A00B800103810310706082010783020102"));
        let expected = vec![
            (
                "secure channel protocol",
                "SCP03, i=10 70 60, AES-128 AES-192 AES-256".to_owned(),
            ),
            ("hashes of load files", "SHA-1, SHA-256".to_owned()),
        ];
        assert_eq!(capabilities(&plain), Ok(expected.clone()));
        assert_eq!(capabilities(&tlv::write(0x67, &plain)), Ok(expected));
    }

    #[test]
    fn states_in_words() {
        assert_eq!(application_state(0x87), "LOCKED");
        assert_eq!(application_state(0x07), "SELECTABLE");
        assert_eq!(card_state(0x0F), "SECURED");
    }

    proptest! {
        #[test]
        fn anything_is_read_or_refused(data in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = (cplc(&data), recognition(&data), capabilities(&data));
        }
    }
}
