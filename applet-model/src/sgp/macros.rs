//! The declaring macros of [`asn1`](super::asn1): `sequence!`, `choice!`, `codes!`, `named_bits!`.

/// The Rust type of a component.
macro_rules! component_type {
    (required $ty:ty) => { $ty };
    (optional $ty:ty) => { Option<$ty> };
    (flag $ty:ty) => { bool };
    (default_false $ty:ty) => { bool };
}

macro_rules! read_component {
    ($reader:ident, required _ $ty:ty) => {{
        let value = $crate::sgp::asn1::untagged::<_, $ty>($reader)?;
        $crate::sgp::asn1::required(value, $reader, None)?
    }};
    ($reader:ident, optional _ $ty:ty) => {
        $crate::sgp::asn1::untagged::<_, $ty>($reader)?
    };
    ($reader:ident, required $tag:literal $ty:ty) => {{
        const TAG: der::Tag = $crate::sgp::asn1::tag($tag);
        let value = $crate::sgp::asn1::tagged::<_, $ty>($reader, TAG)?;
        $crate::sgp::asn1::required(value, $reader, Some(TAG))?
    }};
    ($reader:ident, optional $tag:literal $ty:ty) => {{
        const TAG: der::Tag = $crate::sgp::asn1::tag($tag);
        $crate::sgp::asn1::tagged::<_, $ty>($reader, TAG)?
    }};
    ($reader:ident, flag $tag:literal $ty:ty) => {{
        const TAG: der::Tag = $crate::sgp::asn1::tag($tag);
        $crate::sgp::asn1::tagged::<_, $ty>($reader, TAG)?.is_some()
    }};
    ($reader:ident, default_false $tag:literal $ty:ty) => {{
        const TAG: der::Tag = $crate::sgp::asn1::tag($tag);
        $crate::sgp::asn1::tagged::<_, $ty>($reader, TAG)?.unwrap_or(false)
    }};
}

macro_rules! component_len {
    ($value:expr, required _) => {
        $value.encoded_len()?
    };
    ($value:expr, optional _) => {
        match &$value {
            Some(value) => value.encoded_len()?,
            None => der::Length::ZERO,
        }
    };
    ($value:expr, required $tag:literal) => {
        $crate::sgp::asn1::tagged_len(&$value, $crate::sgp::asn1::tag($tag))?
    };
    ($value:expr, optional $tag:literal) => {
        match &$value {
            Some(value) => $crate::sgp::asn1::tagged_len(value, $crate::sgp::asn1::tag($tag))?,
            None => der::Length::ZERO,
        }
    };
    ($value:expr, flag $tag:literal) => {
        if $value {
            $crate::sgp::asn1::tagged_len(&der::asn1::Null, $crate::sgp::asn1::tag($tag))?
        } else {
            der::Length::ZERO
        }
    };
    ($value:expr, default_false $tag:literal) => {
        if $value {
            $crate::sgp::asn1::tagged_len(&true, $crate::sgp::asn1::tag($tag))?
        } else {
            der::Length::ZERO
        }
    };
}

macro_rules! write_component {
    ($value:expr, $writer:ident, required _) => {
        $value.encode($writer)?
    };
    ($value:expr, $writer:ident, optional _) => {
        if let Some(value) = &$value {
            value.encode($writer)?
        }
    };
    ($value:expr, $writer:ident, required $tag:literal) => {
        $crate::sgp::asn1::write_tagged(&$value, $crate::sgp::asn1::tag($tag), $writer)?
    };
    ($value:expr, $writer:ident, optional $tag:literal) => {
        if let Some(value) = &$value {
            $crate::sgp::asn1::write_tagged(value, $crate::sgp::asn1::tag($tag), $writer)?
        }
    };
    ($value:expr, $writer:ident, flag $tag:literal) => {
        if $value {
            $crate::sgp::asn1::write_tagged(
                &der::asn1::Null,
                $crate::sgp::asn1::tag($tag),
                $writer,
            )?
        }
    };
    ($value:expr, $writer:ident, default_false $tag:literal) => {
        if $value {
            $crate::sgp::asn1::write_tagged(&true, $crate::sgp::asn1::tag($tag), $writer)?
        }
    };
}

/// The tag in a schema: 0 stands for "an untagged CHOICE".
macro_rules! wire_tag {
    (_) => {
        0
    };
    ($tag:literal) => {
        $tag
    };
}

macro_rules! is_optional {
    (required) => {
        false
    };
    ($other:ident) => {
        true
    };
}

/// The ASN.1 name where it isn't the Rust name.
macro_rules! type_name {
    ($name:ident) => {
        stringify!($name)
    };
    ($name:ident $asn1_name:literal) => {
        $asn1_name
    };
}

macro_rules! tag_doc {
    (_) => {
        ""
    };
    ($tag:literal) => {
        concat!(" (`", stringify!($tag), "`)")
    };
}

/// SEQUENCEs: `Name = 0xBF4F { field "asn1Name": required 0x5A Type, … }` where the presence is
/// `required`, `optional` (gives `Option`), `flag` (an OPTIONAL NULL, gives `bool`) or
/// `default_false` (BOOLEAN DEFAULT FALSE), and the tag `_` for an untagged CHOICE.
macro_rules! sequence {
    ($(
        $(#[$meta:meta])*
        $name:ident $($asn1_name:literal)? = $own:literal {
            $( $(#[$field_meta:meta])* $field:ident $asn1:literal: $presence:ident $tag:tt $ty:ty ),* $(,)?
        }
    )*) => {$(
        $(#[$meta])*
        #[doc = concat!("\n\nASN.1 `", type_name!($name $($asn1_name)?), "`, tag `", stringify!($own), "`.")]
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name {
            $(
                #[doc = concat!("`", $asn1, "`", tag_doc!($tag), ".")]
                $(#[$field_meta])*
                pub $field: component_type!($presence $ty),
            )*
        }

        impl der::FixedTag for $name {
            const TAG: der::Tag = $crate::sgp::asn1::tag($own);
        }

        impl<'a> der::DecodeValue<'a> for $name {
            type Error = der::Error;

            fn decode_value<R: der::Reader<'a>>(reader: &mut R, _header: der::Header) -> der::Result<Self> {
                $( let $field = read_component!(reader, $presence $tag $ty); )*
                $crate::sgp::asn1::skip_additions(reader, &[$(wire_tag!($tag)),*])?;
                Ok(Self { $($field),* })
            }
        }

        impl der::EncodeValue for $name {
            fn value_len(&self) -> der::Result<der::Length> {
                #[allow(unused_imports)] // only CHOICEs without a tag need it
                use der::Encode as _;
                #[allow(unused_mut)] // empty SEQUENCEs
                let mut len = der::Length::ZERO;
                $( len = (len + component_len!(self.$field, $presence $tag))?; )*
                Ok(len)
            }

            #[allow(unused_variables)] // empty SEQUENCEs
            fn encode_value(&self, writer: &mut impl der::Writer) -> der::Result<()> {
                #[allow(unused_imports)]
                use der::Encode as _;
                $( write_component!(self.$field, writer, $presence $tag); )*
                Ok(())
            }
        }

        impl $crate::sgp::asn1::Described for $name {
            const SCHEMA: &'static $crate::sgp::asn1::Schema = &$crate::sgp::asn1::Schema {
                name: type_name!($name $($asn1_name)?),
                tag: $own,
                shape: $crate::sgp::asn1::Shape::Sequence(&[$(
                    $crate::sgp::asn1::Component {
                        name: $asn1,
                        tag: wire_tag!($tag),
                        optional: is_optional!($presence),
                        schema: <$ty as $crate::sgp::asn1::Described>::SCHEMA,
                    }
                ),*]),
            };
        }
    )*};
}

/// CHOICEs: `Name = 0xBF4F { 0xBF51 Variant(Type) "asn1Name", … }`, `Name = _ {…}` without a tag of
/// its own, and `Name = _ {…; or Unknown}` if an element that no alternative decodes is kept as it
/// is instead of being an error.
macro_rules! choice {
    ($(
        $(#[$meta:meta])*
        $name:ident $($asn1_name:literal)? = $own:tt {
            $( $(#[$variant_meta:meta])* $tag:literal $variant:ident($ty:ty) $asn1:literal ),* $(,)?
            $(; or $unknown:ident)?
        }
    )*) => {$(
        $(#[$meta])*
        #[doc = concat!("\n\nASN.1 `", type_name!($name $($asn1_name)?), "`", tag_doc!($own), ".")]
        // Messages are built, sent and dropped: a box for the large alternative gains nothing.
        #[allow(clippy::large_enum_variant)]
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $name {
            $(
                #[doc = concat!("`", $asn1, "` (`", stringify!($tag), "`).")]
                $(#[$variant_meta])*
                $variant($ty),
            )*
            $(
                /// An element with another tag, or one whose value doesn't decode, as it came.
                $unknown(der::asn1::Any),
            )?
        }

        impl $name {
            fn decode_known<'a, R: der::Reader<'a>>(reader: &mut R) -> der::Result<Self> {
                $(
                    if let Some(value) = $crate::sgp::asn1::tagged::<_, $ty>(reader, const { $crate::sgp::asn1::tag($tag) })? {
                        return Ok(Self::$variant(value));
                    }
                )*
                $crate::sgp::asn1::required(None, reader, None)
            }

            fn decode_alternative<'a, R: der::Reader<'a>>(reader: &mut R) -> der::Result<Self> {
                $(
                    let mut attempt = reader.clone();
                    if let Ok(value) = Self::decode_known(&mut attempt) {
                        *reader = attempt;
                        return Ok(value);
                    }
                    return <der::asn1::Any as der::Decode>::decode(reader).map(Self::$unknown);
                )?
                #[allow(unreachable_code)] // reached where nothing unknown is kept
                Self::decode_known(reader)
            }

            fn alternative_len(&self) -> der::Result<der::Length> {
                match self {
                    $( Self::$variant(value) => $crate::sgp::asn1::tagged_len(value, const { $crate::sgp::asn1::tag($tag) }), )*
                    $( Self::$unknown(value) => der::Encode::encoded_len(value), )?
                }
            }

            fn write_alternative(&self, writer: &mut impl der::Writer) -> der::Result<()> {
                match self {
                    $( Self::$variant(value) => $crate::sgp::asn1::write_tagged(value, const { $crate::sgp::asn1::tag($tag) }, writer), )*
                    $( Self::$unknown(value) => der::Encode::encode(value, writer), )?
                }
            }

            /// The ASN.1 name of the alternative.
            pub fn alternative(&self) -> &'static str {
                match self {
                    $( Self::$variant(_) => $asn1, )*
                    $( Self::$unknown(_) => "unknown", )?
                }
            }
        }

        /// The value of an EXPLICIT tag: the chosen alternative with its own tag.
        impl<'a> der::DecodeValue<'a> for $name {
            type Error = der::Error;

            fn decode_value<R: der::Reader<'a>>(reader: &mut R, _header: der::Header) -> der::Result<Self> {
                Self::decode_alternative(reader)
            }
        }

        impl der::EncodeValue for $name {
            fn value_len(&self) -> der::Result<der::Length> {
                self.alternative_len()
            }

            fn encode_value(&self, writer: &mut impl der::Writer) -> der::Result<()> {
                self.write_alternative(writer)
            }
        }

        impl $crate::sgp::asn1::Described for $name {
            const SCHEMA: &'static $crate::sgp::asn1::Schema = &$crate::sgp::asn1::Schema {
                name: type_name!($name $($asn1_name)?),
                tag: wire_tag!($own),
                shape: $crate::sgp::asn1::Shape::Choice(&[$(
                    $crate::sgp::asn1::Component {
                        name: $asn1,
                        tag: $tag,
                        optional: false,
                        schema: <$ty as $crate::sgp::asn1::Described>::SCHEMA,
                    }
                ),*]),
            };
        }

        choice_tag!($name $own [$($tag)*]);
    )*};
}

macro_rules! choice_tag {
    ($name:ident _ [$($tag:literal)*]) => {
        impl<'a> der::Decode<'a> for $name {
            type Error = der::Error;

            fn decode<R: der::Reader<'a>>(reader: &mut R) -> der::Result<Self> {
                Self::decode_alternative(reader)
            }
        }

        impl der::Encode for $name {
            fn encoded_len(&self) -> der::Result<der::Length> {
                self.alternative_len()
            }

            fn encode(&self, writer: &mut impl der::Writer) -> der::Result<()> {
                self.write_alternative(writer)
            }
        }

        impl $crate::sgp::asn1::Untagged for $name {
            fn can_begin(tag: der::Tag) -> bool {
                [$($crate::sgp::asn1::tag($tag)),*].contains(&tag)
            }
        }
    };
    ($name:ident $own:literal [$($tag:literal)*]) => {
        impl der::FixedTag for $name {
            const TAG: der::Tag = $crate::sgp::asn1::tag($own);
        }
    };
}

/// INTEGERs with named values: `Name { Variant = 0 "asn1Name", … }`. A value that isn't listed is
/// `Other`, so a later version's code doesn't make the message undecodable.
macro_rules! codes {
    ($(
        $(#[$meta:meta])*
        $name:ident { $( $variant:ident = $code:literal $asn1:literal ),* $(,)? }
    )*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $( #[doc = concat!("`", $asn1, "(", stringify!($code), ")`.")] $variant, )*
            /// A value that SGP.32 v1.2 doesn't name. Not to be made of one that it does.
            Other(i64),
        }

        impl $name {
            /// The value on the wire.
            pub fn code(self) -> i64 {
                match self { $( Self::$variant => $code, )* Self::Other(code) => code }
            }

            /// The named value, or [`Self::Other`].
            pub fn from_code(code: i64) -> Self {
                match code { $( $code => Self::$variant, )* other => Self::Other(other) }
            }

            /// The name in the specification; `other` if it has none.
            pub fn name(self) -> &'static str {
                match self { $( Self::$variant => $asn1, )* Self::Other(_) => "other" }
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, "{}({})", self.name(), self.code())
            }
        }

        impl der::FixedTag for $name {
            const TAG: der::Tag = der::Tag::Integer;
        }

        impl<'a> der::DecodeValue<'a> for $name {
            type Error = der::Error;

            fn decode_value<R: der::Reader<'a>>(reader: &mut R, header: der::Header) -> der::Result<Self> {
                <i64 as der::DecodeValue>::decode_value(reader, header).map(Self::from_code)
            }
        }

        impl der::EncodeValue for $name {
            fn value_len(&self) -> der::Result<der::Length> {
                der::EncodeValue::value_len(&self.code())
            }

            fn encode_value(&self, writer: &mut impl der::Writer) -> der::Result<()> {
                der::EncodeValue::encode_value(&self.code(), writer)
            }
        }

        impl $crate::sgp::asn1::Described for $name {
            const SCHEMA: &'static $crate::sgp::asn1::Schema = &$crate::sgp::asn1::Schema {
                name: stringify!($name),
                tag: 0x02,
                shape: $crate::sgp::asn1::Shape::Codes(&[$(($code, $asn1)),*]),
            };
        }
    )*};
}

/// BIT STRINGs with named bits: `Name { CONSTANT = 0 "asn1Name", … }`.
macro_rules! named_bits {
    ($(
        $(#[$meta:meta])*
        $name:ident { $( $constant:ident = $bit:literal $asn1:literal ),* $(,)? }
    )*) => {$(
        $(#[$meta])*
        #[doc = "\n\nKept as received, with trailing zero bits; [`Self::of`] and [`Self::with`] make the DER form without them."]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name($crate::sgp::bits::Bits);

        impl $name {
            $(
                #[doc = concat!("`", $asn1, "`.")]
                pub const $constant: u8 = $bit;
            )*

            /// Every named bit.
            pub const NAMES: &'static [(u8, &'static str)] = &[$(($bit, $asn1)),*];

            /// No bit set.
            pub const NONE: Self = Self($crate::sgp::bits::Bits::EMPTY);

            /// These bits set.
            pub fn of(bits: &[u8]) -> Self {
                bits.iter().fold(Self::NONE, |set, bit| set.with(*bit))
            }

            /// Also this bit set.
            #[must_use]
            pub fn with(self, bit: u8) -> Self {
                Self(self.0.with(bit))
            }

            /// True if the bit is set.
            pub fn has(self, bit: u8) -> bool {
                self.0.has(bit)
            }

            /// Names of the set bits; `bit N` for one without a name.
            pub fn names(self) -> Vec<String> {
                self.0.names(Self::NAMES)
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(&self.names().join(" "))
            }
        }

        impl der::FixedTag for $name {
            const TAG: der::Tag = der::Tag::BitString;
        }

        impl<'a> der::DecodeValue<'a> for $name {
            type Error = der::Error;

            fn decode_value<R: der::Reader<'a>>(reader: &mut R, header: der::Header) -> der::Result<Self> {
                <$crate::sgp::bits::Bits as der::DecodeValue>::decode_value(reader, header).map(Self)
            }
        }

        impl der::EncodeValue for $name {
            fn value_len(&self) -> der::Result<der::Length> {
                der::EncodeValue::value_len(&self.0)
            }

            fn encode_value(&self, writer: &mut impl der::Writer) -> der::Result<()> {
                der::EncodeValue::encode_value(&self.0, writer)
            }
        }

        impl $crate::sgp::asn1::Described for $name {
            const SCHEMA: &'static $crate::sgp::asn1::Schema = &$crate::sgp::asn1::Schema {
                name: stringify!($name),
                tag: 0x03,
                shape: $crate::sgp::asn1::Shape::Bits(Self::NAMES),
            };
        }
    )*};
}
