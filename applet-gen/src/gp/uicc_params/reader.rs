//! A cursor over parameter bytes that knows where it is and what it reads.

use super::{ParameterError, Problem};
use applet_model::tlv;

/// Bytes with their offset in the install parameters and the name of the field they belong to.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    field: &'static str,
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    pub fn new(field: &'static str, bytes: &'a [u8], offset: usize) -> Self {
        Reader {
            field,
            bytes,
            offset,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn error(&self, problem: Problem) -> ParameterError {
        ParameterError {
            field: self.field,
            offset: self.offset,
            problem,
        }
    }

    pub fn byte(&mut self, field: &'static str) -> Result<u8, ParameterError> {
        Ok(self.take(field, 1)?[0])
    }

    pub fn take(&mut self, field: &'static str, n: usize) -> Result<&'a [u8], ParameterError> {
        self.field = field;
        let Some((head, tail)) = self.bytes.split_at_checked(n) else {
            return Err(self.error(Problem::Cut {
                expected: n,
                available: self.bytes.len(),
            }));
        };
        self.bytes = tail;
        self.offset += n;
        Ok(head)
    }

    /// A length byte and as many bytes.
    pub fn lv(&mut self, field: &'static str) -> Result<&'a [u8], ParameterError> {
        let length = self.byte(field)?;
        self.take(field, usize::from(length))
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        self.offset += self.bytes.len();
        core::mem::take(&mut self.bytes)
    }

    /// A number of two or four bytes that fills the field.
    pub fn number(&mut self, field: &'static str) -> Result<u32, ParameterError> {
        self.field = field;
        let length = self.bytes.len();
        if length != 2 && length != 4 {
            return Err(self.error(Problem::Length {
                length,
                allowed: "2 or 4 bytes are allowed",
            }));
        }
        let number = self.bytes.iter().fold(0, |n, &b| n << 8 | u32::from(b));
        self.rest();
        Ok(number)
    }

    /// Nothing may be left.
    pub fn end(&self) -> Result<(), ParameterError> {
        match self.bytes.len() {
            0 => Ok(()),
            n => Err(self.error(Problem::Trailing(n))),
        }
    }

    /// The data objects, each with a reader over its value.
    pub fn objects(self) -> Result<Vec<(u32, Reader<'a>)>, ParameterError> {
        let mut out = Vec::new();
        let mut rest = self.bytes;
        while !rest.is_empty() {
            let offset = self.offset + self.bytes.len() - rest.len();
            let (object, tail) = tlv::read(rest).map_err(|error| ParameterError {
                field: self.field,
                offset,
                problem: Problem::Tlv(error),
            })?;
            let header = object.raw.len() - object.value.len();
            let field = match object.tag {
                0xC9 => "application specific parameters (C9)",
                0xEF => "system specific parameters (EF)",
                0xEA => "UICC system specific parameters (EA)",
                0xCA => "SIM file access and toolkit parameters (CA)",
                0x80 => "UICC toolkit application specific parameters (80)",
                0x81 => "UICC access application specific parameters (81)",
                0x82 => "UICC administrative access application specific parameters (82)",
                _ => self.field,
            };
            out.push((
                object.tag,
                Reader::new(field, object.value, offset + header),
            ));
            rest = tail;
        }
        Ok(out)
    }
}

/// Writes a length byte and the value.
pub(super) fn put_lv(
    out: &mut Vec<u8>,
    field: &'static str,
    value: &[u8],
) -> Result<(), ParameterError> {
    let Ok(length) = u8::try_from(value.len()) else {
        return Err(ParameterError {
            field,
            offset: out.len(),
            problem: Problem::Length {
                length: value.len(),
                allowed: "at most 255 bytes",
            },
        });
    };
    out.push(length);
    out.extend_from_slice(value);
    Ok(())
}
