//! Method component (JCVM 6.9).

use serde::{Deserialize, Serialize};

use super::bytes::{Reader, Writer};
use super::{CapError, ComponentTag};

/// Header flag nibble: the four-byte header.
pub const ACC_EXTENDED: u8 = 0x8;
/// Header flag nibble: an abstract method, without code.
pub const ACC_ABSTRACT: u8 = 0x4;

/// One row of the exception handler table (`exception_handler_info`, JCVM 6.9.1).
/// Offsets are from the start of the component's info.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExceptionHandler {
    /// First byte of the range.
    pub start: u16,
    /// Bytes of the range, 15 bits.
    pub length: u16,
    /// Whether no outer handler of the same method follows (search ends here for this range).
    pub stop: bool,
    /// First instruction of the handler.
    pub handler: u16,
    /// Index of a CONSTANT_Classref; 0 catches everything (`finally`).
    pub catch_type: u16,
}

/// A method's header (`method_header_info`, JCVM 6.9.2), short or extended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MethodHeader {
    /// [`ACC_EXTENDED`] and [`ACC_ABSTRACT`].
    pub flags: u8,
    /// Most words on the operand stack.
    pub max_stack: u8,
    /// Words of the arguments, `this` included.
    pub nargs: u8,
    /// Words of the local variables, arguments not included.
    pub max_locals: u8,
}

impl MethodHeader {
    /// The header of a method with code: short where the figures fit into nibbles.
    pub fn new(max_stack: u8, nargs: u8, max_locals: u8) -> Self {
        let extended = max_stack > 15 || nargs > 15 || max_locals > 15;
        MethodHeader {
            flags: if extended { ACC_EXTENDED } else { 0 },
            max_stack,
            nargs,
            max_locals,
        }
    }

    /// The header of an abstract method.
    pub fn new_abstract(nargs: u8) -> Self {
        let mut header = MethodHeader::new(0, nargs, 0);
        header.flags |= ACC_ABSTRACT;
        header
    }

    /// Whether the header takes four bytes.
    pub fn is_extended(&self) -> bool {
        self.flags & ACC_EXTENDED != 0
    }

    /// Whether the method has no code.
    pub fn is_abstract(&self) -> bool {
        self.flags & ACC_ABSTRACT != 0
    }

    /// Bytes of the header: 2 or 4.
    pub fn len(&self) -> usize {
        if self.is_extended() { 4 } else { 2 }
    }

    /// Never true: a header has two or four bytes.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The header as bytes; a short header cuts its figures to nibbles.
    pub fn to_bytes(&self) -> Vec<u8> {
        if self.is_extended() {
            vec![self.flags << 4, self.max_stack, self.nargs, self.max_locals]
        } else {
            vec![
                self.flags << 4 | self.max_stack & 0x0F,
                self.nargs << 4 | self.max_locals & 0x0F,
            ]
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, CapError> {
        let at = reader.at();
        let first = reader.u1("a method header")?;
        let second = reader.u1("a method header")?;
        let flags = first >> 4;
        if flags & !(ACC_EXTENDED | ACC_ABSTRACT) != 0 {
            return Err(reader.wrong_at(
                at,
                "method flags ACC_EXTENDED (8), ACC_ABSTRACT (4)",
                format!("{flags:#x}"),
            ));
        }
        if flags & ACC_EXTENDED == 0 {
            return Ok(MethodHeader {
                flags,
                max_stack: first & 0x0F,
                nargs: second >> 4,
                max_locals: second & 0x0F,
            });
        }
        if first & 0x0F != 0 {
            return Err(reader.wrong_at(at, "padding 0 in an extended header", first & 0x0F));
        }
        Ok(MethodHeader {
            flags,
            max_stack: second,
            nargs: reader.u1("nargs")?,
            max_locals: reader.u1("max_locals")?,
        })
    }
}

/// One method of the component, cut out by [`super::Cap::methods`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MethodInfo {
    /// Offset of its header in the component's info: how everything refers to the method.
    pub offset: u16,
    /// Its header.
    pub header: MethodHeader,
    /// Offset of its first instruction.
    pub code_offset: u16,
    /// Its bytecode.
    pub code: Vec<u8>,
}

/// `method_component` (JCVM 6.9).
///
/// The component does not say where a method ends: who executes it needs [`Self::header_at`] and
/// [`Self::bytes_from`] only; [`super::Cap::methods`] cuts it by the Descriptor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MethodComponent {
    /// The exception handlers of all methods, inner ranges before outer ones.
    pub handlers: Vec<ExceptionHandler>,
    /// The methods, header and code, one after the other; the first byte has offset
    /// [`Self::base`].
    pub methods: Vec<u8>,
}

impl MethodComponent {
    /// Offset of the first method: one byte of count and eight for each handler.
    pub fn base(&self) -> usize {
        1 + 8 * self.handlers.len()
    }

    /// Offset one past the last byte.
    pub fn end(&self) -> usize {
        self.base() + self.methods.len()
    }

    /// The bytes from `offset` to the end of the component; empty where there are none.
    pub fn bytes_from(&self, offset: u16) -> &[u8] {
        usize::from(offset)
            .checked_sub(self.base())
            .and_then(|start| self.methods.get(start..))
            .unwrap_or_default()
    }

    /// The header of the method at `offset`.
    pub fn header_at(&self, offset: u16) -> Result<MethodHeader, CapError> {
        let at = usize::from(offset);
        let bytes = self.bytes_from(offset);
        let place = |error| match error {
            // The reader counts from the method, the caller from the component.
            CapError::Malformed {
                component,
                offset,
                expected,
                found,
            } => CapError::Malformed {
                component,
                offset: at + offset,
                expected,
                found,
            },
            other => other,
        };
        MethodHeader::read(&mut Reader::new(ComponentTag::Method, bytes)).map_err(place)
    }

    /// Appends a method and gives its offset. The handlers must be there already (their number
    /// moves every method); their contents may be filled in later.
    pub fn push(&mut self, header: MethodHeader, code: &[u8]) -> Result<u16, CapError> {
        let too_large = |value| CapError::TooLarge {
            component: ComponentTag::Method,
            what: "the component's size",
            value,
            limit: 0xFFFF,
        };
        let at = self.end();
        let end = at + header.len() + code.len();
        let offset = u16::try_from(at).map_err(|_| too_large(at))?;
        if end > 0xFFFF {
            return Err(too_large(end));
        }
        self.methods.extend_from_slice(&header.to_bytes());
        self.methods.extend_from_slice(code);
        Ok(offset)
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Self, CapError> {
        let mut reader = Reader::new(ComponentTag::Method, bytes);
        let count = reader.u1("handler_count")?;
        let mut handlers = Vec::new();
        for _ in 0..count {
            let start = reader.u2("start_offset")?;
            let bitfield = reader.u2("active_length")?;
            handlers.push(ExceptionHandler {
                start,
                length: bitfield & 0x7FFF,
                stop: bitfield & 0x8000 != 0,
                handler: reader.u2("handler_offset")?,
                catch_type: reader.u2("catch_type_index")?,
            });
        }
        let methods = reader.take(reader.left(), "methods")?.to_vec();
        Ok(MethodComponent { handlers, methods })
    }

    pub(super) fn write(&self) -> Result<Vec<u8>, CapError> {
        let mut writer = Writer::new(ComponentTag::Method);
        writer.count1(self.handlers.len(), "the number of exception handlers")?;
        for handler in &self.handlers {
            writer.u2(handler.start);
            if handler.length > 0x7FFF {
                return Err(CapError::TooLarge {
                    component: ComponentTag::Method,
                    what: "the length of an exception handler's range",
                    value: usize::from(handler.length),
                    limit: 0x7FFF,
                });
            }
            writer.u2(handler.length | if handler.stop { 0x8000 } else { 0 });
            writer.u2(handler.handler);
            writer.u2(handler.catch_type);
        }
        writer.raw(&self.methods);
        Ok(writer.finish())
    }
}
