//! A big-endian reader that knows where it stands.

use super::ClassFileError;

/// Reads items from the front of a slice.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Reader {
            rest: bytes,
            offset: 0,
        }
    }

    /// Offset of the next byte from the start of the outermost slice.
    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn take(
        &mut self,
        len: usize,
        what: &'static str,
    ) -> Result<&'a [u8], ClassFileError> {
        match self.rest.split_at_checked(len) {
            Some((head, rest)) => {
                self.rest = rest;
                self.offset += len;
                Ok(head)
            }
            None => Err(ClassFileError::Truncated {
                offset: self.offset,
                wanted: len - self.rest.len(),
                what,
            }),
        }
    }

    pub(crate) fn sub(
        &mut self,
        len: usize,
        what: &'static str,
    ) -> Result<Reader<'a>, ClassFileError> {
        let offset = self.offset;
        Ok(Reader {
            rest: self.take(len, what)?,
            offset,
        })
    }

    pub(crate) fn u1(&mut self, what: &'static str) -> Result<u8, ClassFileError> {
        Ok(self.take(1, what)?[0])
    }

    pub(crate) fn u2(&mut self, what: &'static str) -> Result<u16, ClassFileError> {
        let bytes = self.take(2, what)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    pub(crate) fn u4(&mut self, what: &'static str) -> Result<u32, ClassFileError> {
        let bytes = self.take(4, what)?;
        Ok(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    pub(crate) fn i4(&mut self, what: &'static str) -> Result<i32, ClassFileError> {
        Ok(self.u4(what)? as i32)
    }

    /// A list with its count (u2) in front.
    pub(crate) fn list<T>(
        &mut self,
        what: &'static str,
        mut item: impl FnMut(&mut Self) -> Result<T, ClassFileError>,
    ) -> Result<Vec<T>, ClassFileError> {
        let count = self.u2(what)?;
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(item(self)?);
        }
        Ok(items)
    }

    pub(crate) fn finish(&self, what: &'static str) -> Result<(), ClassFileError> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(ClassFileError::Invalid {
            offset: self.offset,
            what,
            found: format!("{} bytes too long", self.rest.len()),
            expected: "its end",
        })
    }
}
