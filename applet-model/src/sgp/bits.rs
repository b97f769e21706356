//! BIT STRINGs of up to 64 bits, as a value that can be copied.

use der::{DecodeValue, EncodeValue, ErrorKind, Header, Length, Reader, Result, Tag, Writer};

/// Up to 64 bits, with their number: a sender may leave trailing zero bits in, and what is
/// written again must be what was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bits {
    /// Bit 0 of the BIT STRING is the most significant one.
    value: u64,
    len: u8,
}

impl Bits {
    /// No bits.
    pub const EMPTY: Bits = Bits { value: 0, len: 0 };

    /// Also this bit; bits over 63 can't be said and are left out.
    #[must_use]
    pub fn with(self, bit: u8) -> Self {
        match 0x8000_0000_0000_0000u64.checked_shr(u32::from(bit)) {
            Some(mask) => Self {
                value: self.value | mask,
                len: self.len.max(bit + 1),
            },
            None => self,
        }
    }

    /// True if the bit is set.
    pub fn has(self, bit: u8) -> bool {
        0x8000_0000_0000_0000u64
            .checked_shr(u32::from(bit))
            .is_some_and(|mask| self.value & mask != 0)
    }

    /// Names of the set bits.
    pub fn names(self, table: &[(u8, &str)]) -> Vec<String> {
        (0..self.len)
            .filter(|bit| self.has(*bit))
            .map(|bit| match table.iter().find(|(named, _)| *named == bit) {
                Some((_, name)) => (*name).to_owned(),
                None => format!("bit {bit}"),
            })
            .collect()
    }

    fn bytes(self) -> usize {
        usize::from(self.len.div_ceil(8))
    }

    /// The contents of a BIT STRING: number of unused bits, then the bits.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] if there are more than 64 bits, unused bits are set or their number is wrong.
    pub fn from_contents(contents: &[u8]) -> Result<Self> {
        let error = || ErrorKind::Value {
            tag: Tag::BitString,
        };
        let (unused, bytes) = contents.split_first().ok_or_else(error)?;
        if *unused > 7 || bytes.len() > 8 || (bytes.is_empty() && *unused != 0) {
            return Err(error().into());
        }
        let mut padded = [0u8; 8];
        for (to, from) in padded.iter_mut().zip(bytes) {
            *to = *from;
        }
        let value = u64::from_be_bytes(padded);
        let len = (bytes.len() * 8) as u8 - unused;
        if len < 64 && value << len != 0 {
            return Err(error().into());
        }
        Ok(Self { value, len })
    }
}

impl<'a> DecodeValue<'a> for Bits {
    type Error = der::Error;

    fn decode_value<R: Reader<'a>>(reader: &mut R, header: Header) -> Result<Self> {
        Self::from_contents(&reader.read_vec(header.length())?)
    }
}

impl EncodeValue for Bits {
    fn value_len(&self) -> Result<Length> {
        Length::try_from(self.bytes() + 1)
    }

    fn encode_value(&self, writer: &mut impl Writer) -> Result<()> {
        writer.write_byte((8 - self.len % 8) % 8)?;
        for byte in self.value.to_be_bytes().iter().take(self.bytes()) {
            writer.write_byte(*byte)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn der_form_has_no_trailing_zeros() {
        let bits = Bits::EMPTY.with(1).with(5);
        assert!(bits.has(1) && bits.has(5) && !bits.has(0) && !bits.has(200));
        let mut out = Vec::new();
        bits.encode_value(&mut out).unwrap();
        assert_eq!(out, [2, 0x44]);
        assert_eq!(bits.names(&[(1, "one")]), ["one", "bit 5"]);
        assert_eq!(bits.with(64), bits);
    }

    #[test]
    fn what_came_is_kept() {
        for contents in [
            &[0u8][..],
            &[4, 0x50],
            &[0, 0x50],
            &[7, 0x80],
            &[0, 1, 2, 3, 4, 5, 6, 7, 8],
        ] {
            let mut out = Vec::new();
            Bits::from_contents(contents)
                .unwrap()
                .encode_value(&mut out)
                .unwrap();
            assert_eq!(out, contents);
        }
        for wrong in [
            &[][..],
            &[1],
            &[8, 0],
            &[7, 0x40],
            &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        ] {
            assert!(Bits::from_contents(wrong).is_err());
        }
    }
}
