//! COMPREHENSION-TLV reading and writing (ETSI TS 101 220 7.1).

use super::{Ber, Tag};
use core::fmt;
use serde::{Deserialize, Serialize};

/// Why bytes are not what the toolkit's coding asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatError {
    /// The bytes end within a data object.
    #[error("data object at byte {at} needs {need} bytes, {have} are there")]
    Truncated {
        /// Offset of the data object in the list.
        at: usize,
        /// Bytes that it needs from there.
        need: usize,
        /// Bytes that are there.
        have: usize,
    },
    /// A tag byte that no data object may begin with (ETSI TS 101 220 7.1.1.1).
    #[error("{tag:02X} at byte {at} is not a COMPREHENSION-TLV tag")]
    Tag {
        /// Offset in the list.
        at: usize,
        /// The byte.
        tag: u8,
    },
    /// A length byte other than 00..7F, 81, 82, 83.
    #[error("{byte:02X} at byte {at} is not a length")]
    Length {
        /// Offset in the list.
        at: usize,
        /// The byte.
        byte: u8,
    },
    /// Another template, or bytes after it.
    #[error("expected the template {expected:02X} and nothing after it, got {came}")]
    Template {
        /// Expected BER-TLV tag.
        expected: u8,
        /// What came, in words.
        came: String,
    },
    /// A mandatory data object is not there.
    #[error("{0} is missing")]
    Missing(Tag),
    /// A data object has a value that its coding does not allow.
    #[error("{tag}: {why}, value {value}")]
    Value {
        /// The data object.
        tag: Tag,
        /// What is wrong.
        why: &'static str,
        /// The value in hexadecimal.
        value: String,
    },
}

impl CatError {
    /// A [`CatError::Value`] over these bytes.
    pub fn value(tag: Tag, why: &'static str, value: &[u8]) -> Self {
        CatError::Value {
            tag,
            why,
            value: hex::encode_upper(value),
        }
    }
}

/// One COMPREHENSION-TLV data object in a byte string.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Tlv<'a> {
    /// The tag without its comprehension-required bit.
    pub tag: Tag,
    /// The comprehension-required bit.
    pub cr: bool,
    /// The value.
    pub value: &'a [u8],
}

impl fmt::Debug for Tlv<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.tag, hex::encode_upper(self.value))
    }
}

/// A data object that owns its value.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OwnedTlv {
    /// The tag without its comprehension-required bit.
    pub tag: Tag,
    /// The comprehension-required bit.
    pub cr: bool,
    /// The value.
    pub value: Vec<u8>,
}

impl OwnedTlv {
    /// A data object.
    pub fn new(tag: Tag, cr: bool, value: impl Into<Vec<u8>>) -> Self {
        OwnedTlv {
            tag,
            cr,
            value: value.into(),
        }
    }

    /// The same over borrowed bytes.
    pub fn borrow(&self) -> Tlv<'_> {
        Tlv {
            tag: self.tag,
            cr: self.cr,
            value: &self.value,
        }
    }
}

impl fmt::Debug for OwnedTlv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.borrow().fmt(f)
    }
}

impl From<Tlv<'_>> for OwnedTlv {
    fn from(tlv: Tlv<'_>) -> Self {
        OwnedTlv::new(tlv.tag, tlv.cr, tlv.value)
    }
}

/// A list of COMPREHENSION-TLVs over a byte string; reading never panics.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TlvList<'a>(pub &'a [u8]);

impl<'a> TlvList<'a> {
    /// The data objects in order; the iterator ends after the first error.
    pub fn iter(&self) -> TlvIter<'a> {
        TlvIter {
            list: self.0,
            at: 0,
        }
    }

    /// All data objects, or the first error.
    ///
    /// # Errors
    /// [`CatError`] where the coding of tag or length is wrong or bytes are missing.
    pub fn to_owned_list(&self) -> Result<Vec<OwnedTlv>, CatError> {
        self.iter().map(|tlv| tlv.map(OwnedTlv::from)).collect()
    }

    /// The first data object with this tag, with either comprehension bit.
    pub fn find(&self, tag: Tag) -> Option<Tlv<'a>> {
        self.find_nth(tag, 1)
    }

    /// The `occurrence`th (from 1) data object with this tag, as ETSI TS 102 241 `findTLV` counts.
    pub fn find_nth(&self, tag: Tag, occurrence: usize) -> Option<Tlv<'a>> {
        self.iter()
            .map_while(Result::ok)
            .filter(|tlv| tlv.tag == tag)
            .nth(occurrence.checked_sub(1)?)
    }

    /// The value of the first data object with this tag.
    ///
    /// # Errors
    /// [`CatError::Missing`] if there is none.
    pub fn require(&self, tag: Tag) -> Result<&'a [u8], CatError> {
        self.find(tag)
            .map(|tlv| tlv.value)
            .ok_or(CatError::Missing(tag))
    }
}

impl<'a> IntoIterator for TlvList<'a> {
    type Item = Result<Tlv<'a>, CatError>;
    type IntoIter = TlvIter<'a>;
    fn into_iter(self) -> TlvIter<'a> {
        self.iter()
    }
}

/// Iterator over a [`TlvList`].
#[derive(Debug, Clone)]
pub struct TlvIter<'a> {
    list: &'a [u8],
    at: usize,
}

impl TlvIter<'_> {
    /// Offset of the next data object in the list.
    pub fn offset(&self) -> usize {
        self.at
    }
}

impl<'a> Iterator for TlvIter<'a> {
    type Item = Result<Tlv<'a>, CatError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.list.get(self.at..).filter(|rest| !rest.is_empty())?;
        match read(rest, self.at) {
            Ok((tlv, used)) => {
                self.at += used;
                Some(Ok(tlv))
            }
            Err(e) => {
                self.at = self.list.len();
                Some(Err(e))
            }
        }
    }
}

/// One data object at the beginning of `bytes`, and how many bytes it takes.
fn read(bytes: &[u8], at: usize) -> Result<(Tlv<'_>, usize), CatError> {
    let truncated = |need: usize| CatError::Truncated {
        at,
        need,
        have: bytes.len(),
    };
    let (tag, cr, tag_length) = match bytes {
        [first @ (0x00 | 0x80 | 0xFF), ..] => return Err(CatError::Tag { at, tag: *first }),
        [0x7F, hi, lo, ..] => (
            Tag(u16::from(*hi & 0x7F) << 8 | u16::from(*lo)),
            hi & 0x80 != 0,
            3,
        ),
        [0x7F, ..] => return Err(truncated(4)),
        [first, ..] => (Tag(u16::from(first & 0x7F)), first & 0x80 != 0, 1),
        [] => return Err(truncated(2)),
    };
    let after_tag = bytes.get(tag_length..).unwrap_or_default();
    let (length, length_bytes) = read_length(after_tag, at, tag_length, bytes.len())?;
    let start = tag_length + length_bytes;
    let value = bytes
        .get(start..start + length)
        .ok_or_else(|| truncated(start + length))?;
    Ok((Tlv { tag, cr, value }, start + length))
}

/// A length of one to four bytes (ETSI TS 101 220 7.1.2), and how many bytes it takes.
fn read_length(
    bytes: &[u8],
    at: usize,
    before: usize,
    have: usize,
) -> Result<(usize, usize), CatError> {
    let truncated = |n: usize| CatError::Truncated {
        at,
        need: before + n,
        have,
    };
    match bytes {
        [n @ 0x00..=0x7F, ..] => Ok((usize::from(*n), 1)),
        [0x81, n, ..] => Ok((usize::from(*n), 2)),
        [0x82, a, b, ..] => Ok((usize::from(u16::from_be_bytes([*a, *b])), 3)),
        [0x83, a, b, c, ..] => Ok((
            usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c),
            4,
        )),
        [] => Err(truncated(1)),
        [0x81, ..] => Err(truncated(2)),
        [0x82, ..] => Err(truncated(3)),
        [0x83, ..] => Err(truncated(4)),
        [byte, ..] => Err(CatError::Length { at, byte: *byte }),
    }
}

fn write_length(out: &mut Vec<u8>, length: usize) {
    match length {
        0..=0x7F => out.push(length as u8),
        0x80..=0xFF => out.extend([0x81, length as u8]),
        0x100..=0xFFFF => {
            out.push(0x82);
            out.extend((length as u16).to_be_bytes());
        }
        _ => out.extend([
            0x83,
            (length >> 16) as u8,
            (length >> 8) as u8,
            length as u8,
        ]),
    }
}

/// Appends a data object. Values longer than 2²⁴−1 bytes can't be coded and are cut there.
pub fn write(out: &mut Vec<u8>, tag: Tag, cr: bool, value: &[u8]) {
    let value = value.get(..0xFF_FFFF).unwrap_or(value);
    let cr = u8::from(cr) << 7;
    if tag.0 < 0x7F {
        out.push(tag.0 as u8 | cr);
    } else {
        out.extend([0x7F, (tag.0 >> 8) as u8 & 0x7F | cr, tag.0 as u8]);
    }
    write_length(out, value.len());
    out.extend(value);
}

/// The value of the template `expected` that fills `bytes`.
///
/// # Errors
/// [`CatError::Template`] for another tag or trailing bytes, [`CatError::Truncated`] or
/// [`CatError::Length`] for a bad length.
pub fn unwrap_ber(bytes: &[u8], expected: Ber) -> Result<&[u8], CatError> {
    let template = |came: String| CatError::Template {
        expected: expected.0,
        came,
    };
    let Some((tag, rest)) = bytes.split_first() else {
        return Err(template("no bytes".into()));
    };
    if *tag != expected.0 {
        return Err(template(format!("{tag:02X}")));
    }
    let (length, used) = read_length(rest, 0, 1, bytes.len())?;
    let value = rest.get(used..used + length).ok_or(CatError::Truncated {
        at: 0,
        need: 1 + used + length,
        have: bytes.len(),
    })?;
    match rest.len() - used - length {
        0 => Ok(value),
        n => Err(template(format!("{n} bytes after it"))),
    }
}

/// `value` in the template `tag`.
pub fn wrap_ber(tag: Ber, value: &[u8]) -> Vec<u8> {
    let mut out = vec![tag.0];
    write_length(&mut out, value.len());
    out.extend(value);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_tag_forms_and_all_lengths_are_read() {
        let list = hex::decode("8103014001 7F81070155 2481 0101".replace(' ', "")).unwrap();
        let tlvs: Vec<_> = TlvList(&list).iter().map(Result::unwrap).collect();
        assert_eq!(tlvs[0].tag, Tag::COMMAND_DETAILS);
        assert!(tlvs[0].cr);
        assert_eq!(
            (tlvs[1].tag, tlvs[1].cr, tlvs[1].value),
            (Tag(0x107), true, &[0x55][..])
        );
        assert_eq!(
            (tlvs[2].tag, tlvs[2].cr, tlvs[2].value),
            (Tag::TIMER_IDENTIFIER, false, &[1][..])
        );
        assert_eq!(TlvList(&list).find_nth(Tag::COMMAND_DETAILS, 2), None);
        assert_eq!(TlvList(&list).find_nth(Tag::COMMAND_DETAILS, 0), None);
    }

    #[test]
    fn errors_say_where() {
        assert_eq!(
            TlvList(&[0x81, 0x01, 0x00, 0x82, 0x05, 0x00]).iter().last(),
            Some(Err(CatError::Truncated {
                at: 3,
                need: 7,
                have: 3
            }))
        );
        assert_eq!(
            TlvList(&[0x00, 0x00]).iter().last(),
            Some(Err(CatError::Tag { at: 0, tag: 0 }))
        );
        assert_eq!(
            TlvList(&[0x01, 0x80]).iter().last(),
            Some(Err(CatError::Length { at: 0, byte: 0x80 }))
        );
        assert!(unwrap_ber(&[0xD0, 1, 2, 3], Ber::PROACTIVE_COMMAND).is_err());
    }

    proptest! {
        #[test]
        fn round_trip(tags in proptest::collection::vec((1u16..0x7FFF, any::<bool>(), 0usize..400), 0..6)) {
            let mut bytes = Vec::new();
            let want: Vec<_> = tags.iter().map(|(tag, cr, n)| OwnedTlv::new(Tag(*tag), *cr, vec![*n as u8; *n])).collect();
            for tlv in &want {
                write(&mut bytes, tlv.tag, tlv.cr, &tlv.value);
            }
            prop_assert_eq!(TlvList(&bytes).to_owned_list().unwrap(), want);
            let wrapped = wrap_ber(Ber::EVENT_DOWNLOAD, &bytes);
            prop_assert_eq!(unwrap_ber(&wrapped, Ber::EVENT_DOWNLOAD).unwrap(), &bytes[..]);
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let n = TlvList(&bytes).iter().count();
            prop_assert!(n <= bytes.len());
            let _ = unwrap_ber(&bytes, Ber::PROACTIVE_COMMAND);
        }
    }
}
