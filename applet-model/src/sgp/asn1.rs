//! How the types of this room are declared: one declaration gives the Rust type, the `der` traits
//! and the names that [`describe`](super::describe()) prints.
//!
//! `der`'s own derives don't fit SGP.32: the module has EXTENSIBILITY IMPLIED (elements that a
//! later version adds at the end of a SEQUENCE must not make a message undecodable, the derive
//! refuses them), tagged CHOICEs (the tag is EXPLICIT, X.680 31.2.7) and result codes that later
//! versions extend. So the macros in `macros.rs` implement the traits: [`DecodeValue`], [`EncodeValue`] and
//! [`FixedTag`](der::FixedTag) for what has a tag of its own, [`Decode`] and [`Encode`] for untagged
//! CHOICEs. Tags are written as they stand on the wire (`0xBF51`, `0x5A`).

use der::asn1::Any;
use der::{
    Decode, DecodeValue, Encode, EncodeValue, Error, ErrorKind, Header, Length, Reader, Result,
    Tag, TagNumber, Writer,
};

/// What a type is called and made of.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    /// The ASN.1 name.
    pub name: &'static str,
    /// The tag on the wire when no other is given; 0 for an untagged CHOICE or an open type.
    pub tag: u32,
    /// What is inside.
    pub shape: Shape,
}

/// The inside of a [`Schema`].
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// SEQUENCE.
    Sequence(&'static [Component]),
    /// CHOICE. With a tag of its own or in a tagged field, the tag is EXPLICIT.
    Choice(&'static [Component]),
    /// EXPLICIT tag over a type that has a tag of its own.
    Explicit(&'static Schema),
    /// SEQUENCE OF.
    List(&'static Schema),
    /// INTEGER with named values.
    Codes(&'static [(i64, &'static str)]),
    /// BIT STRING with named bits.
    Bits(&'static [(u8, &'static str)]),
    /// INTEGER.
    Integer,
    /// BOOLEAN.
    Boolean,
    /// NULL.
    Null,
    /// OBJECT IDENTIFIER.
    Oid,
    /// UTF8String.
    Text,
    /// OCTET STRING, shown in hexadecimal.
    Octets,
    /// OCTET STRING of decimal digits, most significant first (EID).
    Digits,
    /// OCTET STRING of decimal digits with swapped nibbles (ICCID).
    SwappedDigits,
    /// OCTET STRING of three bytes: a version.
    Version,
    /// OCTET STRING that is a list of tags.
    TagList,
    /// A certificate or a key: a SEQUENCE that isn't taken apart, shown with its `30`.
    Kept,
    /// Anything.
    Open,
}

/// A component of a SEQUENCE or an alternative of a CHOICE.
#[derive(Debug, Clone, Copy)]
pub struct Component {
    /// The ASN.1 name.
    pub name: &'static str,
    /// The tag on the wire; 0 where an untagged CHOICE stands.
    pub tag: u32,
    /// It may be missing.
    pub optional: bool,
    /// What is inside.
    pub schema: &'static Schema,
}

/// Types that know their names.
pub trait Described {
    /// The type's names.
    const SCHEMA: &'static Schema;
}

/// CHOICEs without a tag of their own.
pub trait Untagged {
    /// One of the alternatives has this tag.
    fn can_begin(tag: Tag) -> bool;
}

macro_rules! described {
    ($($ty:ty: $name:literal $tag:literal $shape:ident;)*) => {
        $(impl Described for $ty {
            const SCHEMA: &'static Schema = &Schema { name: $name, tag: $tag, shape: Shape::$shape };
        })*
    };
}
described! {
    u64: "INTEGER" 0x02 Integer;
    i64: "INTEGER" 0x02 Integer;
    bool: "BOOLEAN" 0x01 Boolean;
    String: "UTF8String" 0x0C Text;
    der::asn1::Null: "NULL" 0x05 Null;
    Any: "ANY" 0 Open;
}

impl<T: Described> Described for Vec<T> {
    const SCHEMA: &'static Schema = &Schema {
        name: "SEQUENCE OF",
        tag: 0x30,
        shape: Shape::List(T::SCHEMA),
    };
}

/// A type with a tag of its own under an EXPLICIT tag. (CHOICEs need no such mark.)
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explicit<T>(pub T);

impl<'a, T: Decode<'a, Error = Error>> DecodeValue<'a> for Explicit<T> {
    type Error = Error;

    fn decode_value<R: Reader<'a>>(reader: &mut R, _header: Header) -> Result<Self> {
        T::decode(reader).map(Self)
    }
}

impl<T: Encode> EncodeValue for Explicit<T> {
    fn value_len(&self) -> Result<Length> {
        self.0.encoded_len()
    }

    fn encode_value(&self, writer: &mut impl Writer) -> Result<()> {
        self.0.encode(writer)
    }
}

impl<T: Described> Described for Explicit<T> {
    const SCHEMA: &'static Schema = &Schema {
        name: T::SCHEMA.name,
        tag: 0,
        shape: Shape::Explicit(T::SCHEMA),
    };
}

/// The `der` tag for the tag bytes as they stand on the wire (`0xBF51`).
pub const fn tag(wire: u32) -> Tag {
    let (first, number) = if wire > 0xFFFF {
        (wire >> 16, ((wire >> 8 & 0x7F) << 7) | (wire & 0x7F))
    } else if wire > 0xFF {
        (wire >> 8, wire & 0x7F)
    } else {
        (wire, wire & 0x1F)
    };
    let constructed = first & 0x20 != 0;
    let number = TagNumber(number);
    match first & 0xC0 {
        0x40 => Tag::Application {
            constructed,
            number,
        },
        0x80 => Tag::ContextSpecific {
            constructed,
            number,
        },
        0xC0 => Tag::Private {
            constructed,
            number,
        },
        _ => match first {
            0x01 => Tag::Boolean,
            0x02 => Tag::Integer,
            0x03 => Tag::BitString,
            0x04 => Tag::OctetString,
            0x05 => Tag::Null,
            0x06 => Tag::ObjectIdentifier,
            0x0C => Tag::Utf8String,
            0x30 => Tag::Sequence,
            // Evaluated at compile time for every declaration: a tag that no type uses can't get in.
            _ => panic!("not a tag of SGP.22 or SGP.32"),
        },
    }
}

/// Reads the value of the next element if it has this tag.
///
/// # Errors
/// What `der` finds.
pub fn tagged<'a, R, T>(reader: &mut R, tag: Tag) -> Result<Option<T>>
where
    R: Reader<'a>,
    T: DecodeValue<'a, Error = Error>,
{
    if reader.is_finished() || Tag::peek(reader)? != tag {
        return Ok(None);
    }
    let header = Header::decode(reader)?;
    reader
        .read_nested(header.length(), |inner| T::decode_value(inner, header))
        .map(Some)
}

/// Reads the next element if it is an alternative of this untagged CHOICE.
pub(crate) fn untagged<'a, R, T>(reader: &mut R) -> Result<Option<T>>
where
    R: Reader<'a>,
    T: Decode<'a, Error = Error> + Untagged,
{
    if reader.is_finished() || !T::can_begin(Tag::peek(reader)?) {
        return Ok(None);
    }
    T::decode(reader).map(Some)
}

/// A component that must be there.
///
/// # Errors
/// What `der` finds.
pub fn required<'a, R: Reader<'a>, T>(
    value: Option<T>,
    reader: &mut R,
    expected: Option<Tag>,
) -> Result<T> {
    match value {
        Some(value) => Ok(value),
        None if reader.is_finished() => Err(reader.error(ErrorKind::Incomplete {
            expected_len: (reader.position() + Length::ONE)?,
            actual_len: reader.position(),
        })),
        None => {
            let actual = Tag::peek(reader)?;
            Err(reader.error(ErrorKind::TagUnexpected { expected, actual }))
        }
    }
}

/// Skips what a later version added at the end of a SEQUENCE. A tag that the SEQUENCE does know
/// isn't an addition but an element out of order, which would otherwise be lost silently.
pub(crate) fn skip_additions<'a, R: Reader<'a>>(reader: &mut R, known: &[u32]) -> Result<()> {
    while !reader.is_finished() {
        let actual = Tag::peek(reader)?;
        if known.iter().any(|wire| *wire != 0 && tag(*wire) == actual) {
            return Err(reader.error(ErrorKind::TagUnexpected {
                expected: None,
                actual,
            }));
        }
        let header = Header::decode(reader)?;
        reader.drain(header.length())?;
    }
    Ok(())
}

/// Length of an element with this tag and value.
///
/// # Errors
/// What `der` finds.
pub fn tagged_len<T: EncodeValue>(value: &T, tag: Tag) -> Result<Length> {
    let len = value.value_len()?;
    Header::new(tag, len).encoded_len()? + len
}

/// Writes an element with this tag and value.
///
/// # Errors
/// What `der` finds.
pub fn write_tagged<T: EncodeValue>(value: &T, tag: Tag, writer: &mut impl Writer) -> Result<()> {
    Header::new(tag, value.value_len()?).encode(writer)?;
    value.encode_value(writer)
}
