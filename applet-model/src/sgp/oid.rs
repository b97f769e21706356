//! OBJECT IDENTIFIERs with any arcs.
//!
//! The one of `der` keeps the first two arcs in one byte: 2.48 and above, 2.999 of the test
//! specifications among them (ITU-T X.660), can't be read with it.

use super::asn1::{Described, Schema, Shape, tag};
use der::{DecodeValue, EncodeValue, FixedTag, Header, Length, Reader, Tag, Writer};
use std::fmt;
use std::str::FromStr;

/// An object identifier, kept as it is encoded (X.690 8.19).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Oid(Vec<u8>);

/// Most bytes of an object identifier that is taken.
const MAX_BYTES: usize = 63;

/// Text that is no object identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no object identifier: expected numbers with dots between them, such as 2.999.10")]
pub struct OidError(pub String);

impl Oid {
    /// Takes the content of an OBJECT IDENTIFIER; `None` if it is none, or longer than 63 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        (bytes.len() <= MAX_BYTES && arcs(bytes).is_some()).then(|| Oid(bytes.to_vec()))
    }

    /// The content, without tag and length.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The arcs, in order; `None` if the bytes are no object identifier: nothing at all, the last number is
/// cut off, a number begins with a byte that says nothing, or one has more than 64 bits.
fn arcs(bytes: &[u8]) -> Option<Vec<u64>> {
    let mut numbers = Vec::new();
    let mut number = None::<u64>;
    for byte in bytes {
        if number.is_none() && *byte == 0x80 {
            return None;
        }
        let high = number.unwrap_or(0);
        if high > u64::MAX >> 7 {
            return None;
        }
        let value = high << 7 | u64::from(byte & 0x7F);
        if byte & 0x80 == 0 {
            numbers.push(value);
            number = None;
        } else {
            number = Some(value);
        }
    }
    if number.is_some() {
        return None;
    }
    // The first number holds two arcs: 40 times the first, and the second.
    let (first, rest) = numbers.split_first()?;
    let root = (first / 40).min(2);
    Some([&[root, first - 40 * root], rest].concat())
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arcs = arcs(&self.0).unwrap_or_default();
        for (number, arc) in arcs.iter().enumerate() {
            let dot = if number == 0 { "" } else { "." };
            write!(f, "{dot}{arc}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Oid({self})")
    }
}

impl FromStr for Oid {
    type Err = OidError;

    fn from_str(text: &str) -> Result<Self, OidError> {
        let wrong = || OidError(text.to_owned());
        let arcs: Vec<u64> = text
            .split('.')
            .map(|arc| arc.parse().map_err(|_| wrong()))
            .collect::<Result<_, _>>()?;
        let [root @ 0..=2, second, rest @ ..] = &arcs[..] else {
            return Err(wrong());
        };
        if *root < 2 && *second > 39 {
            return Err(wrong());
        }
        let first = second.checked_add(40 * root).ok_or_else(wrong)?;
        let mut bytes = Vec::new();
        for number in std::iter::once(&first).chain(rest) {
            let groups = (64 - number.leading_zeros()).div_ceil(7).max(1);
            for group in (0..groups).rev() {
                let more = if group == 0 { 0 } else { 0x80 };
                bytes.push((number >> (7 * group)) as u8 & 0x7F | more);
            }
        }
        Oid::from_bytes(&bytes).ok_or_else(wrong)
    }
}

impl FixedTag for Oid {
    const TAG: Tag = tag(0x06);
}

impl<'a> DecodeValue<'a> for Oid {
    type Error = der::Error;

    fn decode_value<R: Reader<'a>>(reader: &mut R, header: Header) -> der::Result<Self> {
        let bytes = reader.read_vec(header.length())?;
        Oid::from_bytes(&bytes).ok_or_else(|| Self::TAG.value_error().into())
    }
}

impl EncodeValue for Oid {
    fn value_len(&self) -> der::Result<Length> {
        self.0.len().try_into()
    }

    fn encode_value(&self, writer: &mut impl Writer) -> der::Result<()> {
        writer.write(&self.0)
    }
}

impl Described for Oid {
    const SCHEMA: &'static Schema = &Schema {
        name: "OBJECT IDENTIFIER",
        tag: 0x06,
        shape: Shape::Oid,
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sgp::{Decode, Encode};
    use proptest::prelude::*;

    #[test]
    fn the_examples_of_x690_and_of_the_test_specification() {
        for (text, hex) in [
            ("2.999.3", "883703"),
            ("2.999.10", "88370A"),
            ("2.23.146.1.2.1.4", "67811201020104"),
            ("1.2.840.10045.2.1", "2A8648CE3D0201"),
            ("0.39", "27"),
            ("2.47", "7F"),
            ("2.48", "8100"),
        ] {
            let oid: Oid = text.parse().unwrap();
            let der = oid.to_der().unwrap();
            assert_eq!(hex::encode_upper(&der[2..]), hex);
            assert_eq!(Oid::from_der(&der).unwrap().to_string(), text);
        }
        for text in [
            "",
            "1",
            "3.1",
            "1.40",
            "2.-1",
            "2.999.",
            "2.99999999999999999999",
        ] {
            assert!(text.parse::<Oid>().is_err(), "{text}");
        }
        for bytes in [
            &[][..],
            &[0x88],
            &[0x80, 0x01],
            &[0x2A, 0x80, 0x01],
            &[0x01; 64],
        ] {
            assert_eq!(Oid::from_bytes(bytes), None, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn any_arcs_come_back(root in 0u64..3, second in 0u64..40, rest in proptest::collection::vec(any::<u64>(), 0..5)) {
            let text: Vec<String> = [root, second].iter().chain(&rest).map(u64::to_string).collect();
            let text = text.join(".");
            let oid: Oid = text.parse().unwrap();
            prop_assert_eq!(oid.to_string(), text);
        }

        #[test]
        fn bytes_that_are_taken_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..12)) {
            if let Some(oid) = Oid::from_bytes(&bytes) {
                let again: Oid = oid.to_string().parse().unwrap();
                prop_assert_eq!(again.as_bytes(), bytes);
            }
        }
    }
}
