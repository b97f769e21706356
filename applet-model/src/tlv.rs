//! BER-TLV over slices: the minimum that SGP.22/SGP.32 data objects need where bytes must be kept
//! as received (signed parts), streamed, or taken apart without knowing their type.
//!
//! Tags are up to three bytes (`5A`, `BF51`, `BF8148`), lengths definite with up to three bytes
//! (`83 LL LL LL`). Shapes follow ISO/IEC 8825-1 (BER) 8.1; a non-minimal length is
//! read (cards emit them) but never written. COMPREHENSION-TLVs of ETSI TS 102 223 are not BER and
//! live in `cat`.

use thiserror::Error;

/// A data object inside the slice it was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tlv<'a> {
    /// The tag's bytes as one number: `5A` is `0x5A`, `BF 51` is `0xBF51`.
    pub tag: u32,
    /// The value field.
    pub value: &'a [u8],
    /// Tag, length and value as received.
    pub raw: &'a [u8],
}

impl<'a> Tlv<'a> {
    /// True if the value is itself a list of data objects (bit 6 of the first tag byte).
    pub fn is_constructed(&self) -> bool {
        is_constructed(self.tag)
    }

    /// The data objects in the value, which is read as a list whether or not the tag says so.
    pub fn children(&self) -> Iter<'a> {
        iter(self.value)
    }

    /// The first data object with this tag in the value.
    ///
    /// # Errors
    /// [`TlvError`] if what stands before it isn't a list of data objects.
    pub fn find(&self, tag: u32) -> Result<Option<Tlv<'a>>, TlvError> {
        find(self.value, tag)
    }
}

/// What is wrong with the bytes, and where: offsets count from the start of the slice given to the
/// function (for [`Iter`], of the whole list).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TlvError {
    /// The slice ends inside a tag.
    #[error("data object at offset {offset}: the tag is cut short")]
    TagCut {
        /// Where the data object starts.
        offset: usize,
    },
    /// The tag has more than three bytes.
    #[error("data object at offset {offset}: the tag has more than three bytes")]
    TagTooLong {
        /// Where the data object starts.
        offset: usize,
    },
    /// The slice ends before or inside the length field.
    #[error("data object {tag:X} at offset {offset}: the length field is cut short")]
    LengthCut {
        /// Where the data object starts.
        offset: usize,
        /// Its tag.
        tag: u32,
    },
    /// An indefinite length (80) or one of more than three bytes.
    #[error(
        "data object {tag:X} at offset {offset}: length form {form:02X}, expected 00..7F, 81, 82 or 83"
    )]
    LengthForm {
        /// Where the data object starts.
        offset: usize,
        /// Its tag.
        tag: u32,
        /// The first byte of the length field.
        form: u8,
    },
    /// The value is longer than what is left of the slice.
    #[error(
        "data object {tag:X} at offset {offset}: the value has {expected} bytes, {available} are there"
    )]
    ValueCut {
        /// Where the data object starts.
        offset: usize,
        /// Its tag.
        tag: u32,
        /// Bytes that the length field announces.
        expected: usize,
        /// Bytes that follow it.
        available: usize,
    },
    /// Another tag than the one asked for.
    #[error("data object at offset {offset}: expected tag {expected:X}, found {found:X}")]
    UnexpectedTag {
        /// Where the data object starts.
        offset: usize,
        /// The tag asked for.
        expected: u32,
        /// The tag that is there.
        found: u32,
    },
    /// A data object that must be there isn't.
    #[error("data object {tag:X} is missing")]
    Missing {
        /// The tag asked for.
        tag: u32,
    },
    /// Bytes follow where one data object was expected.
    #[error("{count} bytes follow the data object, at offset {offset}")]
    Trailing {
        /// Where they start.
        offset: usize,
        /// How many they are.
        count: usize,
    },
}

impl TlvError {
    /// The same error, `by` bytes further: for one who read a part of a larger slice.
    #[must_use]
    pub fn at(mut self, by: usize) -> Self {
        match &mut self {
            TlvError::TagCut { offset }
            | TlvError::TagTooLong { offset }
            | TlvError::LengthCut { offset, .. }
            | TlvError::LengthForm { offset, .. }
            | TlvError::ValueCut { offset, .. }
            | TlvError::UnexpectedTag { offset, .. }
            | TlvError::Trailing { offset, .. } => *offset = offset.saturating_add(by),
            TlvError::Missing { .. } => {}
        }
        self
    }
}

/// The head of a data object: what a reader of a stream needs before the value has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The tag's bytes as one number.
    pub tag: u32,
    /// Bytes of tag and length field together (2..=7).
    pub header_len: usize,
    /// Bytes of the value.
    pub value_len: usize,
}

/// Reads tag and length; the value needn't be there yet.
///
/// # Errors
/// [`TlvError::TagCut`] and [`TlvError::LengthCut`] if more bytes are needed; the other errors are final.
pub fn read_header(input: &[u8]) -> Result<Header, TlvError> {
    let offset = 0;
    let mut bytes = input.iter().copied();
    let cut = TlvError::TagCut { offset };
    let first = bytes.next().ok_or(cut)?;
    let mut tag = u32::from(first);
    if first & 0x1F == 0x1F {
        loop {
            let next = bytes.next().ok_or(cut)?;
            if tag > 0xFFFF {
                return Err(TlvError::TagTooLong { offset });
            }
            tag = tag << 8 | u32::from(next);
            if next & 0x80 == 0 {
                break;
            }
        }
    }
    let form = bytes.next().ok_or(TlvError::LengthCut { offset, tag })?;
    let value_len = match form {
        0..=0x7F => usize::from(form),
        0x81..=0x83 => {
            let mut len = 0usize;
            for _ in 0..form & 0x7F {
                let next = bytes.next().ok_or(TlvError::LengthCut { offset, tag })?;
                len = len << 8 | usize::from(next);
            }
            len
        }
        _ => return Err(TlvError::LengthForm { offset, tag, form }),
    };
    Ok(Header {
        tag,
        header_len: input.len() - bytes.len(),
        value_len,
    })
}

/// Reads the first data object and gives back what follows it.
///
/// # Errors
/// [`TlvError`], with offset 0.
pub fn read(input: &[u8]) -> Result<(Tlv<'_>, &[u8]), TlvError> {
    let Header {
        tag,
        header_len,
        value_len,
    } = read_header(input)?;
    let available = input.len() - header_len;
    if value_len > available {
        return Err(TlvError::ValueCut {
            offset: 0,
            tag,
            expected: value_len,
            available,
        });
    }
    let (raw, rest) = input.split_at(header_len + value_len);
    let (_, value) = raw.split_at(header_len);
    Ok((Tlv { tag, value, raw }, rest))
}

/// Reads a slice that is exactly one data object.
///
/// # Errors
/// [`TlvError::Trailing`] if bytes follow, else as [`read`].
pub fn read_one(input: &[u8]) -> Result<Tlv<'_>, TlvError> {
    let (tlv, rest) = read(input)?;
    if rest.is_empty() {
        Ok(tlv)
    } else {
        Err(TlvError::Trailing {
            offset: tlv.raw.len(),
            count: rest.len(),
        })
    }
}

/// Reads a slice that is exactly one data object with this tag.
///
/// # Errors
/// [`TlvError::UnexpectedTag`] if it has another, else as [`read_one`].
pub fn expect(input: &[u8], tag: u32) -> Result<Tlv<'_>, TlvError> {
    let (tlv, rest) = read(input)?;
    if tlv.tag != tag {
        return Err(TlvError::UnexpectedTag {
            offset: 0,
            expected: tag,
            found: tlv.tag,
        });
    }
    if rest.is_empty() {
        Ok(tlv)
    } else {
        Err(TlvError::Trailing {
            offset: tlv.raw.len(),
            count: rest.len(),
        })
    }
}

/// The first data object with this tag in a list of data objects; those behind it aren't looked at.
///
/// # Errors
/// [`TlvError`] if what stands before it isn't a list of data objects.
pub fn find(list: &[u8], tag: u32) -> Result<Option<Tlv<'_>>, TlvError> {
    for tlv in iter(list) {
        let tlv = tlv?;
        if tlv.tag == tag {
            return Ok(Some(tlv));
        }
    }
    Ok(None)
}

/// As [`find`], for a data object that must be there.
///
/// # Errors
/// [`TlvError::Missing`] if it isn't.
pub fn require(list: &[u8], tag: u32) -> Result<Tlv<'_>, TlvError> {
    find(list, tag)?.ok_or(TlvError::Missing { tag })
}

/// Descends through constructed data objects: `path(bytes, &[0xBF51, 0x30])` is the first `30` in
/// the first `BF51` of the list.
///
/// # Errors
/// [`TlvError::Missing`] for the first tag of the path that isn't there; offsets count from the
/// start of the list in which the error is.
pub fn path<'a>(list: &'a [u8], tags: &[u32]) -> Result<Tlv<'a>, TlvError> {
    let (first, rest) = tags.split_first().ok_or(TlvError::Missing { tag: 0 })?;
    let mut here = require(list, *first)?;
    for tag in rest {
        here = require(here.value, *tag)?;
    }
    Ok(here)
}

/// The data objects of a list; ends after the first error.
pub fn iter(list: &[u8]) -> Iter<'_> {
    Iter {
        rest: list,
        offset: 0,
    }
}

/// Iterator of [`iter`].
#[derive(Debug, Clone)]
pub struct Iter<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Iterator for Iter<'a> {
    type Item = Result<Tlv<'a>, TlvError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        match read(self.rest) {
            Ok((tlv, rest)) => {
                self.rest = rest;
                self.offset += tlv.raw.len();
                Some(Ok(tlv))
            }
            Err(error) => {
                self.rest = &[];
                Some(Err(error.at(self.offset)))
            }
        }
    }
}

/// True if the tag's first byte says "constructed".
pub fn is_constructed(tag: u32) -> bool {
    let first = if tag > 0xFFFF {
        tag >> 16
    } else if tag > 0xFF {
        tag >> 8
    } else {
        tag
    };
    first & 0x20 != 0
}

/// Bytes of the length field that [`write()`] makes for a value of `len` bytes.
pub fn length_len(len: usize) -> usize {
    match len {
        0..=0x7F => 1,
        0x80..=0xFF => 2,
        0x100..=0xFFFF => 3,
        _ => 4,
    }
}

/// Appends tag and length field to `out`. A value longer than 16 MiB (83 FFFFFF) can't be said in
/// three length bytes and is outside of what a card can take: its length field is written as
/// `83 FFFFFF`, which no reader accepts as whole.
pub fn write_header(out: &mut Vec<u8>, tag: u32, len: usize) {
    let tag_bytes = tag.to_be_bytes();
    let skip = (tag.leading_zeros() / 8).min(3) as usize;
    out.extend(tag_bytes.iter().skip(skip));
    let len = u32::try_from(len).unwrap_or(u32::MAX).min(0x00FF_FFFF);
    let len_bytes = len.to_be_bytes();
    match len {
        0..=0x7F => out.extend(&len_bytes[3..]),
        0x80..=0xFF => {
            out.push(0x81);
            out.extend(&len_bytes[3..]);
        }
        0x100..=0xFFFF => {
            out.push(0x82);
            out.extend(&len_bytes[2..]);
        }
        _ => {
            out.push(0x83);
            out.extend(&len_bytes[1..]);
        }
    }
}

/// One data object with the shortest length field. `tag` is written as it stands (`0xBF51` gives
/// `BF 51`).
pub fn write(tag: u32, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() + 7);
    write_header(&mut out, tag, value.len());
    out.extend_from_slice(value);
    out
}

/// One constructed data object from whole data objects, in their order.
pub fn write_constructed<P: AsRef<[u8]>>(tag: u32, parts: &[P]) -> Vec<u8> {
    let len = parts.iter().map(|part| part.as_ref().len()).sum();
    let mut out = Vec::with_capacity(len + 7);
    write_header(&mut out, tag, len);
    for part in parts {
        out.extend_from_slice(part.as_ref());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_tags_of_one_to_three_bytes() {
        let bytes = hex::decode("5A0112BF5103040155BF81480130").unwrap();
        let all: Vec<_> = iter(&bytes).collect::<Result<_, _>>().unwrap();
        assert_eq!(
            all.iter().map(|t| t.tag).collect::<Vec<_>>(),
            [0x5A, 0xBF51, 0xBF8148]
        );
        assert_eq!(all[1].value, [0x04, 0x01, 0x55]);
        assert_eq!(all[1].raw, &bytes[3..9]);
        assert!(all[1].is_constructed() && all[2].is_constructed() && !all[0].is_constructed());
        assert_eq!(path(&bytes, &[0xBF51, 0x04]).unwrap().value, [0x55]);
        assert_eq!(
            path(&bytes, &[0xBF51, 0x05]),
            Err(TlvError::Missing { tag: 5 })
        );
    }

    #[test]
    fn errors_say_where() {
        let cases: [(&str, TlvError); 7] = [
            ("5A00", TlvError::TagCut { offset: 2 }),
            ("5A00BF", TlvError::TagCut { offset: 2 }),
            ("5A00BF818181", TlvError::TagTooLong { offset: 2 }),
            (
                "5A00BF51",
                TlvError::LengthCut {
                    offset: 2,
                    tag: 0xBF51,
                },
            ),
            (
                "5A00BF518201",
                TlvError::LengthCut {
                    offset: 2,
                    tag: 0xBF51,
                },
            ),
            (
                "5A003080",
                TlvError::LengthForm {
                    offset: 2,
                    tag: 0x30,
                    form: 0x80,
                },
            ),
            (
                "5A0030050102",
                TlvError::ValueCut {
                    offset: 2,
                    tag: 0x30,
                    expected: 5,
                    available: 2,
                },
            ),
        ];
        for (text, error) in cases {
            let bytes = hex::decode(text).unwrap();
            let last = iter(&bytes).last().unwrap();
            if text == "5A00" {
                assert!(last.is_ok());
                assert_eq!(read(&[]), Err(TlvError::TagCut { offset: 0 }));
            } else {
                assert_eq!(last, Err(error), "{text}");
            }
        }
        assert_eq!(
            read_one(&[0x5A, 0, 1]),
            Err(TlvError::Trailing {
                offset: 2,
                count: 1
            })
        );
        assert_eq!(
            expect(&[0x5A, 0], 0x5B),
            Err(TlvError::UnexpectedTag {
                offset: 0,
                expected: 0x5B,
                found: 0x5A
            })
        );
    }

    #[test]
    fn non_minimal_lengths_are_read() {
        assert_eq!(read_one(&[0x04, 0x83, 0, 0, 1, 7]).unwrap().value, [7]);
    }

    #[test]
    fn writes_shortest_lengths() {
        for len in [0usize, 1, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF, 0x10000] {
            let value = vec![0xA5; len];
            let bytes = write(0x9F70, &value);
            assert_eq!(bytes.len(), 2 + length_len(len) + len);
            let tlv = read_one(&bytes).unwrap();
            assert_eq!((tlv.tag, tlv.value), (0x9F70, &value[..]));
        }
        assert_eq!(
            write_constructed(0xBF2D, &[write(0x5C, &[0x5A]), write(0x80, &[])]),
            hex::decode("BF2D055C015A8000").unwrap()
        );
    }

    /// Tags as BER writes them, one to three bytes.
    fn any_tag() -> impl Strategy<Value = u32> {
        prop_oneof![
            (0u32..=0xFF).prop_filter("one byte", |t| t & 0x1F != 0x1F),
            (0u32..8, 0u32..0x80).prop_map(|(a, b)| (a << 13) | 0x1F00 | b),
            (0u32..8, 0x80u32..0x100, 0u32..0x80)
                .prop_map(|(a, b, c)| (a << 21) | 0x1F_0000 | b << 8 | c),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(tag in any_tag(), value in proptest::collection::vec(any::<u8>(), 0..400), tail in proptest::collection::vec(any::<u8>(), 0..8)) {
            let mut bytes = write(tag, &value);
            let len = bytes.len();
            bytes.extend(&tail);
            let (tlv, rest) = read(&bytes).unwrap();
            prop_assert_eq!(tlv.tag, tag);
            prop_assert_eq!(tlv.value, &value[..]);
            prop_assert_eq!(tlv.raw, &bytes[..len]);
            prop_assert_eq!(rest, &tail[..]);
        }

        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut seen = 0;
            for tlv in iter(&bytes).flatten() {
                seen += tlv.raw.len();
                prop_assert!(tlv.value.len() < tlv.raw.len());
                for _ in tlv.children() {}
            }
            prop_assert!(seen <= bytes.len());
            let _ = find(&bytes, 0x5A);
            let _ = path(&bytes, &[0x30, 0x30]);
            let _ = read_one(&bytes);
        }

        #[test]
        fn cut_anywhere_is_an_error(tag in any_tag(), value in proptest::collection::vec(any::<u8>(), 0..200), cut in any::<proptest::sample::Index>()) {
            let bytes = write(tag, &value);
            let cut = cut.index(bytes.len());
            prop_assert!(read(&bytes[..cut]).is_err());
        }
    }
}
