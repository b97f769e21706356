//! Big-endian reader and writer over one component, with errors that say where.

use super::{CapError, ComponentTag};

/// Reads the info of one component.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    component: ComponentTag,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Reads `bytes`, the info of `component`, from its start.
    pub fn new(component: ComponentTag, bytes: &'a [u8]) -> Self {
        Reader {
            component,
            bytes,
            at: 0,
        }
    }

    /// Offset of the next byte.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Offset of the next byte as the two bytes in which a CAP stores offsets.
    pub fn at_u16(&self) -> Result<u16, CapError> {
        u16::try_from(self.at).map_err(|_| self.wrong("an offset below 0x10000", self.at))
    }

    /// Number of bytes left.
    pub fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The next byte, left where it is.
    pub fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// The next `count` bytes; `what` names them in the error.
    pub fn take(&mut self, count: usize, what: &str) -> Result<&'a [u8], CapError> {
        let end = self
            .at
            .checked_add(count)
            .filter(|end| *end <= self.bytes.len());
        match end.and_then(|end| self.bytes.get(self.at..end)) {
            Some(slice) => {
                self.at += count;
                Ok(slice)
            }
            None => Err(self.wrong(
                format!("{count} bytes of {what}"),
                format!("{} bytes to the end of the component", self.left()),
            )),
        }
    }

    /// One byte.
    pub fn u1(&mut self, what: &str) -> Result<u8, CapError> {
        Ok(self.take(1, what)?.iter().fold(0, |_, byte| *byte))
    }

    /// Two bytes, big-endian.
    pub fn u2(&mut self, what: &str) -> Result<u16, CapError> {
        Ok(self
            .take(2, what)?
            .iter()
            .fold(0, |value, byte| value << 8 | u16::from(*byte)))
    }

    /// `count` times two bytes.
    pub fn u2s(&mut self, count: usize, what: &str) -> Result<Vec<u16>, CapError> {
        let bytes = self.take(count.saturating_mul(2), what)?;
        Ok(bytes
            .chunks_exact(2)
            .map(|pair| {
                pair.iter()
                    .fold(0, |value, byte| value << 8 | u16::from(*byte))
            })
            .collect())
    }

    /// An AID with its length byte (5 to 16 bytes, ISO/IEC 7816-4).
    pub fn aid(&mut self, what: &str) -> Result<Vec<u8>, CapError> {
        let at = self.at;
        let length = self.u1(what)?;
        if !(5..=16).contains(&length) {
            return Err(self.wrong_at(at, format!("{what} of 5 to 16 bytes"), length));
        }
        Ok(self.take(usize::from(length), what)?.to_vec())
    }

    /// Fails unless every byte has been read.
    pub fn end(&self) -> Result<(), CapError> {
        if self.left() == 0 {
            return Ok(());
        }
        Err(self.wrong(
            "the end of the component",
            format!("{} more bytes", self.left()),
        ))
    }

    /// An error at the next byte.
    pub fn wrong(&self, expected: impl ToString, found: impl ToString) -> CapError {
        self.wrong_at(self.at, expected, found)
    }

    /// An error at `offset`.
    pub fn wrong_at(
        &self,
        offset: usize,
        expected: impl ToString,
        found: impl ToString,
    ) -> CapError {
        CapError::Malformed {
            component: self.component,
            offset,
            expected: expected.to_string(),
            found: found.to_string(),
        }
    }
}

/// Writes the info of one component.
#[derive(Debug, Clone)]
pub struct Writer {
    component: ComponentTag,
    bytes: Vec<u8>,
}

impl Writer {
    /// Starts the info of `component`.
    pub fn new(component: ComponentTag) -> Self {
        Writer {
            component,
            bytes: Vec::new(),
        }
    }

    /// Offset of the next byte.
    pub fn at(&self) -> usize {
        self.bytes.len()
    }

    /// One byte.
    pub fn u1(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// Two bytes, big-endian.
    pub fn u2(&mut self, value: u16) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// Two bytes each.
    pub fn u2s(&mut self, values: &[u16]) {
        values.iter().for_each(|value| self.u2(*value));
    }

    /// Bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// A count in one byte.
    pub fn count1(&mut self, count: usize, what: &'static str) -> Result<(), CapError> {
        self.u1(self.fit(count, what, 0xFF)?);
        Ok(())
    }

    /// A count in two bytes.
    pub fn count2(&mut self, count: usize, what: &'static str) -> Result<(), CapError> {
        self.u2(self.fit(count, what, 0xFFFF)?);
        Ok(())
    }

    /// A count in the low nibble of a byte whose high nibble is `high`.
    pub fn nibbles(&mut self, high: u8, low: usize, what: &'static str) -> Result<(), CapError> {
        let low: u8 = self.fit(low, what, 0x0F)?;
        self.u1(high << 4 | low);
        Ok(())
    }

    /// An AID or a name with its length byte.
    pub fn counted(&mut self, bytes: &[u8], what: &'static str) -> Result<(), CapError> {
        self.count1(bytes.len(), what)?;
        self.raw(bytes);
        Ok(())
    }

    /// The written info.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    fn fit<T: TryFrom<usize>>(
        &self,
        value: usize,
        what: &'static str,
        limit: usize,
    ) -> Result<T, CapError> {
        T::try_from(value)
            .ok()
            .filter(|_| value <= limit)
            .ok_or(CapError::TooLarge {
                component: self.component,
                what,
                value,
                limit,
            })
    }
}
