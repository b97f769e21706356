//! The simple types: identities, versions, byte strings, certificates and keys kept as they came.

use super::asn1::{Described, Schema, Shape};
use core::fmt;
use core::ops::Deref;
use core::str::FromStr;
use der::{
    DecodeValue, EncodeValue, ErrorKind, FixedTag, Header, Length, Reader, Result, Tag, Writer,
};
use thiserror::Error;

/// A text that isn't the identity it should be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IdentityError {
    /// Wrong number of digits.
    #[error("{what} has {found} characters, expected {expected}")]
    Length {
        /// `EID` or `ICCID`.
        what: &'static str,
        /// What is allowed.
        expected: &'static str,
        /// What came.
        found: usize,
    },
    /// A character that is no digit (decimal; hexadecimal in transaction identifiers).
    #[error("{what} has {found:?} at position {position}, expected a digit")]
    Digit {
        /// `EID` or `ICCID`.
        what: &'static str,
        /// From 1.
        position: usize,
        /// What came.
        found: char,
    },
    /// Check digits that the others don't call for.
    #[error("the check digits of the {what} are {found}, they should be {expected}")]
    CheckDigits {
        /// `EID` or `ICCID`.
        what: &'static str,
        /// Those that the other digits call for.
        expected: String,
        /// What came.
        found: String,
    },
}

fn digits(what: &'static str, text: &str) -> core::result::Result<Vec<u8>, IdentityError> {
    text.chars()
        .enumerate()
        .map(|(at, c)| match c.to_digit(10) {
            Some(digit) => Ok(digit as u8),
            None => Err(IdentityError::Digit {
                what,
                position: at + 1,
                found: c,
            }),
        })
        .collect()
}

macro_rules! octets {
    ($(
        $(#[$meta:meta])*
        $name:ident [$min:literal..=$max:literal] $shape:ident;
    )*) => {$(
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Vec<u8>);

        impl $name {
            /// From bytes; `None` if their number isn't allowed.
            pub fn new(bytes: impl Into<Vec<u8>>) -> Option<Self> {
                let bytes = bytes.into();
                ($min..=$max).contains(&bytes.len()).then_some(Self(bytes))
            }

            /// The bytes.
            pub fn as_bytes(&self) -> &[u8] {
                &self.0
            }
        }

        impl Deref for $name {
            type Target = [u8];
            fn deref(&self) -> &[u8] {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), hex::encode_upper(&self.0))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode_upper(&self.0))
            }
        }

        impl FixedTag for $name {
            const TAG: Tag = Tag::OctetString;
        }

        impl<'a> DecodeValue<'a> for $name {
            type Error = der::Error;

            fn decode_value<R: Reader<'a>>(reader: &mut R, header: Header) -> Result<Self> {
                let bytes = reader.read_vec(header.length())?;
                Self::new(bytes).ok_or_else(|| reader.error(ErrorKind::Length { tag: header.tag() }))
            }
        }

        impl EncodeValue for $name {
            fn value_len(&self) -> Result<Length> {
                Length::try_from(self.0.len())
            }

            fn encode_value(&self, writer: &mut impl Writer) -> Result<()> {
                writer.write(&self.0)
            }
        }

        impl Described for $name {
            const SCHEMA: &'static Schema =
                &Schema { name: stringify!($name), tag: 0x04, shape: Shape::$shape };
        }
    )*};
}

octets! {
    /// An OCTET STRING without limits of its own.
    Octets [0..=0x0FFF_FFFF] Octets;
    /// A list of tags (`5C`), two-byte tags included.
    TagList [0..=0xFFFF] TagList;
    /// Identifies a transaction between the eIM or SM-DP+ and the device: 1 to 16 bytes (SGP.22 2.6).
    TransactionId [1..=16] Octets;
    /// An application identifier: 5 to 16 bytes (ISO/IEC 7816-4 8.2.1.2).
    Aid [5..=16] Octets;
    /// The SubjectKeyIdentifier of a CI's key: 20 bytes where made as RFC 5280 4.2.1.2 (1) says.
    KeyId [1..=64] Octets;
    /// Mobile country and network code, coded as in 3GPP TS 24.008.
    MccMnc [3..=3] Octets;
}

impl From<Vec<u8>> for Octets {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<&[u8]> for Octets {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

macro_rules! fixed_octets {
    ($(
        $(#[$meta:meta])*
        $name:ident [$len:literal] $tag:literal $shape:ident;
    )*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// The bytes.
            pub fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl FixedTag for $name {
            const TAG: Tag = super::asn1::tag($tag);
        }

        impl<'a> DecodeValue<'a> for $name {
            type Error = der::Error;

            fn decode_value<R: Reader<'a>>(reader: &mut R, header: Header) -> Result<Self> {
                let bytes = reader.read_vec(header.length())?;
                match <[u8; $len]>::try_from(bytes) {
                    Ok(bytes) => Ok(Self(bytes)),
                    Err(_) => Err(reader.error(ErrorKind::Length { tag: header.tag() })),
                }
            }
        }

        impl EncodeValue for $name {
            fn value_len(&self) -> Result<Length> {
                Length::try_from(self.0.len())
            }

            fn encode_value(&self, writer: &mut impl Writer) -> Result<()> {
                writer.write(&self.0)
            }
        }

        impl Described for $name {
            const SCHEMA: &'static Schema =
                &Schema { name: stringify!($name), tag: $tag, shape: Shape::$shape };
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    )*};
}

fixed_octets! {
    /// The eUICC's identity: 32 decimal digits, most significant first (SGP.29; tag `5A`).
    Eid [16] 0x5A Digits;
    /// A profile's identity: up to 20 digits with swapped nibbles, padded with F, as in EF_ICCID
    /// (ETSI TS 102 221 13.2; tag `5A`).
    Iccid [10] 0x5A SwappedDigits;
    /// A version: major, minor, revision.
    VersionType [3] 0x04 Version;
    /// Sixteen bytes: challenges.
    Octet16 [16] 0x04 Octets;
    /// Thirty-two bytes: hashes.
    Octet32 [32] 0x04 Octets;
    /// One byte.
    Octet1 [1] 0x04 Octets;
}

impl fmt::Display for Eid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode_upper(self.0))
    }
}

impl FromStr for Eid {
    type Err = IdentityError;

    /// From 32 decimal digits; the check digits aren't looked at.
    fn from_str(text: &str) -> core::result::Result<Self, IdentityError> {
        let digits = digits("EID", text)?;
        let mut out = [0u8; 16];
        if digits.len() != 32 {
            return Err(IdentityError::Length {
                what: "EID",
                expected: "32",
                found: digits.len(),
            });
        }
        for (byte, pair) in out.iter_mut().zip(digits.chunks(2)) {
            *byte = pair.iter().fold(0, |byte, digit| byte << 4 | digit);
        }
        Ok(Self(out))
    }
}

impl Eid {
    /// The EID made of 30 digits and the check digits that belong to them.
    ///
    /// # Errors
    /// [`IdentityError::Length`] (counted with the check digits) or [`IdentityError::Digit`].
    pub fn with_check_digits(first_30: &str) -> core::result::Result<Self, IdentityError> {
        let mut eid: Eid = format!("{first_30}00").parse()?;
        let check = eid.expected_check_digits()?;
        let [.., last] = &mut eid.0;
        *last = ((check / 10) << 4) | (check % 10);
        Ok(eid)
    }

    /// From 32 digits, with check digits that fit.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn checked(text: &str) -> core::result::Result<Self, IdentityError> {
        let eid: Eid = text.parse()?;
        eid.check()?;
        Ok(eid)
    }

    /// Checks the two check digits (SGP.29 3.2): with them the number is 1 modulo 97 (ISO/IEC 7064 MOD 97-10).
    ///
    /// # Errors
    /// [`IdentityError::CheckDigits`] with those that would fit; [`IdentityError::Digit`] if it isn't made of digits.
    pub fn check(&self) -> core::result::Result<(), IdentityError> {
        let expected = self.expected_check_digits()?;
        let [.., found] = self.0;
        if found == ((expected / 10) << 4) | (expected % 10) {
            return Ok(());
        }
        Err(IdentityError::CheckDigits {
            what: "EID",
            expected: format!("{expected:02}"),
            found: format!("{found:02x}"),
        })
    }

    /// 98 minus the remainder of the number with 00 for its check digits.
    fn expected_check_digits(&self) -> core::result::Result<u8, IdentityError> {
        let digits = digits("EID", &self.to_string())?;
        let first = digits.iter().take(30).chain(&[0, 0]);
        let rest = first.fold(0u32, |rest, digit| (rest * 10 + u32::from(*digit)) % 97);
        Ok((98 - rest) as u8)
    }
}

impl Iccid {
    /// From 18 to 20 digits, with a check digit that fits.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn checked(text: &str) -> core::result::Result<Self, IdentityError> {
        let iccid: Iccid = text.parse()?;
        iccid.check()?;
        Ok(iccid)
    }

    /// Checks the last digit (ITU-T E.118, Luhn). Numbers of 18 digits are older than the check digit and come without one.
    ///
    /// # Errors
    /// [`IdentityError::CheckDigits`] with the one that would fit; [`IdentityError::Digit`] if it isn't made of digits.
    pub fn check(&self) -> core::result::Result<(), IdentityError> {
        let digits = digits("ICCID", &self.to_string())?;
        let Some((found, others)) = digits.split_last().filter(|(_, others)| others.len() > 17)
        else {
            return Ok(());
        };
        // From the right, every second digit doubled, the first of them with it.
        let sum: u32 = others
            .iter()
            .rev()
            .enumerate()
            .map(|(i, digit)| match (i % 2, u32::from(*digit) * 2) {
                (0, doubled) if doubled > 9 => doubled - 9,
                (0, doubled) => doubled,
                _ => u32::from(*digit),
            })
            .sum();
        let expected = (10 - sum % 10) % 10;
        if expected == u32::from(*found) {
            return Ok(());
        }
        Err(IdentityError::CheckDigits {
            what: "ICCID",
            expected: expected.to_string(),
            found: found.to_string(),
        })
    }
}

impl fmt::Display for Iccid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: String = hex::encode_upper(self.0)
            .as_bytes()
            .chunks(2)
            .flat_map(|pair| pair.iter().rev())
            .map(|c| char::from(*c))
            .collect();
        f.write_str(text.trim_end_matches('F'))
    }
}

impl FromStr for Iccid {
    type Err = IdentityError;

    /// From 18 to 20 decimal digits; the check digit isn't looked at.
    fn from_str(text: &str) -> core::result::Result<Self, IdentityError> {
        let digits = digits("ICCID", text)?;
        if !(18..=20).contains(&digits.len()) {
            return Err(IdentityError::Length {
                what: "ICCID",
                expected: "18 to 20",
                found: digits.len(),
            });
        }
        let mut out = [0xFFu8; 10];
        for (byte, pair) in out.iter_mut().zip(digits.chunks(2)) {
            *byte = match pair {
                [low, high] => high << 4 | low,
                [low] => 0xF0 | low,
                _ => 0xFF,
            };
        }
        Ok(Self(out))
    }
}

macro_rules! serde_as_text {
    ($($name:ident)*) => {$(
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> core::result::Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> core::result::Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
serde_as_text! { Eid Iccid TransactionId }

impl FromStr for TransactionId {
    type Err = IdentityError;

    /// From 2 to 32 hexadecimal digits.
    fn from_str(text: &str) -> core::result::Result<Self, IdentityError> {
        if let Some((at, found)) = text
            .chars()
            .enumerate()
            .find(|(_, c)| !c.is_ascii_hexdigit())
        {
            return Err(IdentityError::Digit {
                what: "transaction identifier",
                position: at + 1,
                found,
            });
        }
        hex::decode(text)
            .ok()
            .and_then(Self::new)
            .ok_or(IdentityError::Length {
                what: "transaction identifier",
                expected: "2 to 32, an even number",
                found: text.len(),
            })
    }
}

impl VersionType {
    /// From its three numbers.
    pub const fn new(major: u8, minor: u8, revision: u8) -> Self {
        Self([major, minor, revision])
    }
}

impl fmt::Display for VersionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, revision] = self.0;
        write!(f, "{major}.{minor}.{revision}")
    }
}

macro_rules! hexadecimal {
    ($($name:ident)*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode_upper(self.0))
            }
        }
    )*};
}
hexadecimal! { Octet1 Octet16 Octet32 }

/// A SEQUENCE kept as it came, of which only the bytes matter here: certificates and keys.
macro_rules! kept {
    ($(
        $(#[$meta:meta])*
        $name:ident $asn1:literal => $parsed:ty;
    )*) => {$(
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, Hash)]
        pub struct $name {
            contents: Vec<u8>,
        }

        impl $name {
            /// From DER: exactly one SEQUENCE (`30`); what is inside isn't looked at.
            ///
            /// # Errors
            /// [`der::Error`] if it is something else.
            pub fn from_bytes(der: &[u8]) -> Result<Self> {
                <Self as der::Decode>::from_der(der)
            }

            /// The DER, with its `30`, whatever tag the field has.
            pub fn to_bytes(&self) -> Vec<u8> {
                crate::tlv::write(0x30, &self.contents)
            }

            /// What stands inside the `30`.
            pub fn contents(&self) -> &[u8] {
                &self.contents
            }

            /// The parsed form.
            ///
            /// # Errors
            /// [`der::Error`] if it doesn't parse.
            pub fn parse(&self) -> Result<$parsed> {
                <$parsed as der::Decode>::from_der(&self.to_bytes())
            }
        }

        impl TryFrom<&$parsed> for $name {
            type Error = der::Error;

            /// From the parsed form.
            fn try_from(parsed: &$parsed) -> Result<Self> {
                Self::from_bytes(&der::Encode::to_der(parsed)?)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), hex::encode_upper(self.to_bytes()))
            }
        }

        impl FixedTag for $name {
            const TAG: Tag = Tag::Sequence;
        }

        impl<'a> DecodeValue<'a> for $name {
            type Error = der::Error;

            fn decode_value<R: Reader<'a>>(reader: &mut R, header: Header) -> Result<Self> {
                Ok(Self { contents: reader.read_vec(header.length())? })
            }
        }

        impl EncodeValue for $name {
            fn value_len(&self) -> Result<Length> {
                Length::try_from(self.contents.len())
            }

            fn encode_value(&self, writer: &mut impl Writer) -> Result<()> {
                writer.write(&self.contents)
            }
        }

        impl Described for $name {
            const SCHEMA: &'static Schema = &Schema { name: $asn1, tag: 0x30, shape: Shape::Kept };
        }
    )*};
}

kept! {
    /// An X.509 certificate, byte for byte as it came.
    CertificateDer "Certificate" => x509_cert::Certificate;
    /// A certificate revocation list, byte for byte as it came.
    CertificateListDer "CertificateList" => x509_cert::crl::CertificateList;
    /// A SubjectPublicKeyInfo, byte for byte as it came.
    PublicKeyDer "SubjectPublicKeyInfo" => spki::SubjectPublicKeyInfoOwned;
}

/// A signed part: the value and the bytes that were signed, as they came.
///
/// The bytes are those of the element with its own tag (`30 …`, `BF2F …`), which is what goes into
/// the signature's input (SGP.32 2.11.1.1, 2.11.2.1).
#[derive(Clone, PartialEq, Eq)]
pub struct Signed<T> {
    value: T,
    bytes: Vec<u8>,
}

impl<T: EncodeValue + FixedTag> Signed<T> {
    /// From a value made here.
    ///
    /// # Errors
    /// [`der::Error`] if it can't be encoded: a length of 256 MiB and more.
    pub fn new(value: T) -> Result<Self> {
        let bytes = der::Encode::to_der(&value)?;
        Ok(Self { value, bytes })
    }
}

impl<T> Signed<T> {
    /// The value.
    pub fn value(&self) -> &T {
        &self.value
    }

    /// The value, without the bytes.
    pub fn into_value(self) -> T {
        self.value
    }

    /// The element's bytes as received or made, with its own tag and length.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn contents(&self) -> &[u8] {
        crate::tlv::read_one(&self.bytes).map_or(&[], |tlv| tlv.value)
    }
}

impl<T> Deref for Signed<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Signed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl<T: FixedTag> FixedTag for Signed<T> {
    const TAG: Tag = T::TAG;
}

impl<'a, T> DecodeValue<'a> for Signed<T>
where
    T: DecodeValue<'a, Error = der::Error> + FixedTag,
{
    type Error = der::Error;

    fn decode_value<R: Reader<'a>>(reader: &mut R, header: Header) -> Result<Self> {
        let contents = reader.clone().read_vec(header.length())?;
        // A DER length has one form, so tag, length and contents are the bytes that came.
        let own = Header::new(T::TAG, header.length());
        let mut bytes = der::Encode::to_der(&own)?;
        bytes.extend_from_slice(&contents);
        Ok(Self {
            value: T::decode_value(reader, own)?,
            bytes,
        })
    }
}

impl<T> EncodeValue for Signed<T> {
    fn value_len(&self) -> Result<Length> {
        Length::try_from(self.contents().len())
    }

    fn encode_value(&self, writer: &mut impl Writer) -> Result<()> {
        writer.write(self.contents())
    }
}

impl<T: Described> Described for Signed<T> {
    const SCHEMA: &'static Schema = T::SCHEMA;
}

#[cfg(test)]
mod tests {
    use super::*;
    use der::{Decode, Encode};

    #[test]
    fn identities_as_text() {
        let eid: Eid = "89049032123451234512345678901235".parse().unwrap();
        assert_eq!(eid.to_string(), "89049032123451234512345678901235");
        // SGP.26's example eUICC.
        assert_eq!(eid.check(), Ok(()));
        assert_eq!(
            Eid::with_check_digits("890490321234512345123456789012"),
            Ok(eid)
        );
        assert_eq!(
            Eid::checked("89049032123451234512345678901236"),
            Err(IdentityError::CheckDigits {
                what: "EID",
                expected: "35".into(),
                found: "36".into()
            })
        );
        // The EID of a public test card.
        assert_eq!(
            Eid::with_check_digits("898821199000000000000000000000")
                .unwrap()
                .to_string(),
            "89882119900000000000000000000005"
        );
        assert!(Eid([0xAB; 16]).check().is_err() && Eid::checked("8904").is_err());
        assert!(Iccid::checked("8988303000000614224").is_ok());
        assert_eq!(
            Iccid::checked("8988303000000614228"),
            Err(IdentityError::CheckDigits {
                what: "ICCID",
                expected: "4".into(),
                found: "8".into()
            })
        );
        // Without a check digit, and too short.
        assert!(Iccid::checked("898830300000061422").is_ok());
        assert!(Iccid::checked("89883030000006142").is_err());
        assert!(Iccid([0xAB; 10]).check().is_err());
        let iccid: Iccid = "8931080019000000005".parse().unwrap();
        assert_eq!(
            iccid.to_der().unwrap(),
            hex::decode("5A0A981380009100000000F5").unwrap()
        );
        assert_eq!(iccid.to_string(), "8931080019000000005");
        assert_eq!(
            "12a".parse::<Eid>(),
            Err(IdentityError::Digit {
                what: "EID",
                position: 3,
                found: 'a'
            })
        );
        assert!("123".parse::<Iccid>().is_err());
        assert_eq!(
            serde_json::to_string(&eid).unwrap(),
            "\"89049032123451234512345678901235\""
        );
        assert_eq!(
            serde_json::from_str::<Iccid>("\"8931080019000000005\"").unwrap(),
            iccid
        );
        assert_eq!("0a1B".parse::<TransactionId>().unwrap().to_string(), "0A1B");
        assert!("0a1".parse::<TransactionId>().is_err() && "".parse::<TransactionId>().is_err());
    }

    #[test]
    fn limits() {
        assert!(TransactionId::new(vec![]).is_none());
        assert!(TransactionId::new(vec![0; 17]).is_none());
        assert!(Eid::from_der(&[0x5A, 1, 2]).is_err());
        assert!(Octet1::from_der(&[0x04, 1, 2]).is_ok());
    }
}
