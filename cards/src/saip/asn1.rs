//! How the types of this room are declared: SEQUENCEs and CHOICEs of the module PEDefinitions, tags as they stand on the
//! wire.
//!
//! The macros of `applet_model::sgp` skip what a later version adds; here it is kept, because a package has to come out
//! of the decoder as it went in. For the same reason components with a DEFAULT are optional: a package that states the
//! default keeps it.

use core::fmt;
use der::asn1::Any;
use der::{
    Decode, DecodeValue, EncodeValue, ErrorKind, FixedTag, Header, Length, Reader, Result, Tag,
    Writer,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

/// An OCTET STRING that nobody has to see: a key, a PIN.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(pub Zeroizing<Vec<u8>>);

impl Secret {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// In the card's stored state: hexadecimal digits.
impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> core::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(hex::encode_upper(&self.0)))
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> core::result::Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        hex::decode(text.as_bytes())
            .map(Secret::from)
            .map_err(|_| serde::de::Error::custom("expected hexadecimal digits in pairs"))
    }
}

impl From<Vec<u8>> for Secret {
    fn from(bytes: Vec<u8>) -> Self {
        Secret(Zeroizing::new(bytes))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.0.len())
    }
}

impl FixedTag for Secret {
    const TAG: Tag = Tag::OctetString;
}

impl<'a> DecodeValue<'a> for Secret {
    type Error = der::Error;

    fn decode_value<R: Reader<'a>>(reader: &mut R, header: Header) -> Result<Self> {
        reader.read_vec(header.length()).map(Secret::from)
    }
}

impl EncodeValue for Secret {
    fn value_len(&self) -> Result<Length> {
        Length::try_from(self.0.len())
    }

    fn encode_value(&self, writer: &mut impl Writer) -> Result<()> {
        writer.write(&self.0)
    }
}

/// What follows the components that are known. A tag that is known stands out of order, which is an error.
pub(super) fn rest<'a, R: Reader<'a>>(reader: &mut R, known: &[Tag]) -> Result<Vec<Any>> {
    let mut rest = Vec::new();
    while !reader.is_finished() {
        let actual = Tag::peek(reader)?;
        if known.contains(&actual) {
            return Err(reader.error(ErrorKind::TagUnexpected {
                expected: None,
                actual,
            }));
        }
        rest.push(Any::decode(reader)?);
    }
    Ok(rest)
}

macro_rules! component_type {
    (required $ty:ty) => { $ty };
    (optional $ty:ty) => { Option<$ty> };
    (flag $ty:ty) => { bool };
}

macro_rules! read_component {
    ($reader:ident, required $tag:literal $ty:ty) => {{
        const TAG: der::Tag = applet_model::sgp::asn1::tag($tag);
        let value = applet_model::sgp::asn1::tagged::<_, $ty>($reader, TAG)?;
        applet_model::sgp::asn1::required(value, $reader, Some(TAG))?
    }};
    ($reader:ident, optional $tag:literal $ty:ty) => {{
        const TAG: der::Tag = applet_model::sgp::asn1::tag($tag);
        applet_model::sgp::asn1::tagged::<_, $ty>($reader, TAG)?
    }};
    ($reader:ident, flag $tag:literal $ty:ty) => {{
        const TAG: der::Tag = applet_model::sgp::asn1::tag($tag);
        applet_model::sgp::asn1::tagged::<_, $ty>($reader, TAG)?.is_some()
    }};
}

macro_rules! component_len {
    ($value:expr, required $tag:literal) => {
        applet_model::sgp::asn1::tagged_len(&$value, applet_model::sgp::asn1::tag($tag))?
    };
    ($value:expr, optional $tag:literal) => {
        match &$value {
            Some(value) => {
                applet_model::sgp::asn1::tagged_len(value, applet_model::sgp::asn1::tag($tag))?
            }
            None => der::Length::ZERO,
        }
    };
    ($value:expr, flag $tag:literal) => {
        match $value {
            true => applet_model::sgp::asn1::tagged_len(
                &der::asn1::Null,
                applet_model::sgp::asn1::tag($tag),
            )?,
            false => der::Length::ZERO,
        }
    };
}

macro_rules! write_component {
    ($value:expr, $writer:ident, required $tag:literal) => {
        applet_model::sgp::asn1::write_tagged(&$value, applet_model::sgp::asn1::tag($tag), $writer)?
    };
    ($value:expr, $writer:ident, optional $tag:literal) => {
        if let Some(value) = &$value {
            applet_model::sgp::asn1::write_tagged(
                value,
                applet_model::sgp::asn1::tag($tag),
                $writer,
            )?
        }
    };
    ($value:expr, $writer:ident, flag $tag:literal) => {
        if $value {
            applet_model::sgp::asn1::write_tagged(
                &der::asn1::Null,
                applet_model::sgp::asn1::tag($tag),
                $writer,
            )?
        }
    };
}

/// SEQUENCEs: `Name { field "asn1Name": required 0x80 Type, … }`; the presence is `required`, `optional` or `flag` (an
/// OPTIONAL NULL). What follows the last component is kept in `rest`.
macro_rules! record {
    ($(
        $(#[$meta:meta])*
        $name:ident {
            $( $(#[$field_meta:meta])* $field:ident $asn1:literal: $presence:ident $tag:literal $ty:ty ),* $(,)?
        }
    )*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name {
            $(
                #[doc = concat!("`", $asn1, "` (`", stringify!($tag), "`).")]
                $(#[$field_meta])*
                pub $field: component_type!($presence $ty),
            )*
            /// Components that a later version added at the end.
            pub rest: Vec<der::asn1::Any>,
        }

        impl der::FixedTag for $name {
            const TAG: der::Tag = der::Tag::Sequence;
        }

        impl<'a> der::DecodeValue<'a> for $name {
            type Error = der::Error;

            fn decode_value<R: der::Reader<'a>>(reader: &mut R, _header: der::Header) -> der::Result<Self> {
                $( let $field = read_component!(reader, $presence $tag $ty); )*
                let rest = $crate::saip::asn1::rest(reader, &[$(applet_model::sgp::asn1::tag($tag)),*])?;
                Ok(Self { $($field,)* rest })
            }
        }

        impl der::EncodeValue for $name {
            fn value_len(&self) -> der::Result<der::Length> {
                let mut len = der::Length::ZERO;
                $( len = (len + component_len!(self.$field, $presence $tag))?; )*
                for element in &self.rest {
                    len = (len + der::Encode::encoded_len(element)?)?;
                }
                Ok(len)
            }

            fn encode_value(&self, writer: &mut impl der::Writer) -> der::Result<()> {
                $( write_component!(self.$field, writer, $presence $tag); )*
                self.rest.iter().try_for_each(|element| der::Encode::encode(element, writer))
            }
        }
    )*};
}

/// CHOICEs: `Name { 0x80 Variant(Type) "asn1Name", … }`. What no alternative decodes is `Unknown`. With a tag of its own
/// the tag is EXPLICIT (X.680 31.2.7).
macro_rules! alternatives {
    ($(
        $(#[$meta:meta])*
        $name:ident {
            $( $(#[$variant_meta:meta])* $tag:literal $variant:ident($ty:ty) $asn1:literal ),* $(,)?
        }
    )*) => {$(
        $(#[$meta])*
        // Packages are decoded, looked at and dropped: a box for the large alternative gains nothing.
        #[allow(clippy::large_enum_variant)]
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $name {
            $(
                #[doc = concat!("`", $asn1, "` (`", stringify!($tag), "`).")]
                $(#[$variant_meta])*
                $variant($ty),
            )*
            /// An alternative of a later version.
            Unknown(der::asn1::Any),
        }

        impl<'a> der::Decode<'a> for $name {
            type Error = der::Error;

            fn decode<R: der::Reader<'a>>(reader: &mut R) -> der::Result<Self> {
                $(
                    if let Some(value) = applet_model::sgp::asn1::tagged::<_, $ty>(reader, const { applet_model::sgp::asn1::tag($tag) })? {
                        return Ok(Self::$variant(value));
                    }
                )*
                der::asn1::Any::decode(reader).map(Self::Unknown)
            }
        }

        impl der::Encode for $name {
            fn encoded_len(&self) -> der::Result<der::Length> {
                match self {
                    $( Self::$variant(value) => applet_model::sgp::asn1::tagged_len(value, const { applet_model::sgp::asn1::tag($tag) }), )*
                    Self::Unknown(value) => value.encoded_len(),
                }
            }

            fn encode(&self, writer: &mut impl der::Writer) -> der::Result<()> {
                match self {
                    $( Self::$variant(value) => applet_model::sgp::asn1::write_tagged(value, const { applet_model::sgp::asn1::tag($tag) }, writer), )*
                    Self::Unknown(value) => value.encode(writer),
                }
            }
        }

        impl<'a> der::DecodeValue<'a> for $name {
            type Error = der::Error;

            fn decode_value<R: der::Reader<'a>>(reader: &mut R, _header: der::Header) -> der::Result<Self> {
                der::Decode::decode(reader)
            }
        }

        impl der::EncodeValue for $name {
            fn value_len(&self) -> der::Result<der::Length> {
                der::Encode::encoded_len(self)
            }

            fn encode_value(&self, writer: &mut impl der::Writer) -> der::Result<()> {
                der::Encode::encode(self, writer)
            }
        }
    )*};
}
