//! Contents of a TLV handler (`ViewHandler`, `EditHandler`, ETSI TS 102 241): a list of COMPREHENSION-TLVs with one
//! of them selected.

use super::Reason;
use applet_model::cat::TlvList;
use serde::{Deserialize, Serialize};

/// The one-byte tags that the framework reads and writes, without the comprehension bit.
pub(crate) mod tag {
    use applet_model::cat::Tag;

    /// All tags in use here are of one byte.
    const fn one_byte(tag: Tag) -> u8 {
        (tag.0 & 0x7F) as u8
    }
    pub const COMMAND_DETAILS: u8 = one_byte(Tag::COMMAND_DETAILS);
    pub const DEVICE_IDENTITIES: u8 = one_byte(Tag::DEVICE_IDENTITIES);
    pub const RESULT: u8 = one_byte(Tag::RESULT);
    pub const TEXT_STRING: u8 = one_byte(Tag::TEXT_STRING);
    pub const ITEM_IDENTIFIER: u8 = one_byte(Tag::ITEM_IDENTIFIER);
    pub const RESPONSE_LENGTH: u8 = one_byte(Tag::RESPONSE_LENGTH);
    pub const EVENT_LIST: u8 = one_byte(Tag::EVENT_LIST);
    pub const TIMER_IDENTIFIER: u8 = one_byte(Tag::TIMER_IDENTIFIER);
    pub const CHANNEL_DATA: u8 = one_byte(Tag::CHANNEL_DATA);
    pub const CHANNEL_STATUS: u8 = one_byte(Tag::CHANNEL_STATUS);
    pub const SERVICE_RECORD: u8 = one_byte(Tag::SERVICE_RECORD);
    pub const HELP_REQUEST: u8 = one_byte(Tag::HELP_REQUEST);
    pub const DURATION: u8 = one_byte(Tag::DURATION);
    pub const ALPHA_IDENTIFIER: u8 = one_byte(Tag::ALPHA_IDENTIFIER);
    pub const TEXT_ATTRIBUTE: u8 = one_byte(Tag::TEXT_ATTRIBUTE);
}

/// A list of simple TLVs, and which of them was found last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Handler {
    bytes: Vec<u8>,
    /// Start and end of the selected TLV's value.
    selected: Option<(usize, usize)>,
    /// Most bytes that it takes.
    capacity: usize,
}

impl Default for Handler {
    fn default() -> Self {
        Handler::with_capacity(super::HANDLER_CAPACITY)
    }
}

/// Tag (with its comprehension bit) and value range of each TLV; ends where the coding does. Three-byte
/// tags are passed over: the handlers' methods take tags of one byte.
fn elements(bytes: &[u8]) -> impl Iterator<Item = (u8, usize, usize)> + '_ {
    let mut list = TlvList(bytes).iter();
    core::iter::from_fn(move || {
        loop {
            let tlv = list.next()?.ok()?;
            let end = list.offset();
            if let Ok(tag @ 0..=0x7E) = u8::try_from(tlv.tag.0) {
                let cr = u8::from(tlv.cr) << 7;
                return Some((tag | cr, end - tlv.value.len(), end));
            }
        }
    })
}

/// `appendTLV`'s result of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i16)]
pub(super) enum Found {
    Not = 0,
    CrSet = 1,
    CrNotSet = 2,
}

impl Handler {
    /// A handler over these TLVs.
    pub fn new(bytes: Vec<u8>) -> Handler {
        Handler {
            bytes,
            ..Handler::default()
        }
    }

    /// An empty handler that takes so many bytes.
    pub fn with_capacity(capacity: usize) -> Handler {
        Handler {
            bytes: Vec::new(),
            selected: None,
            capacity,
        }
    }

    /// Most bytes that it takes.
    pub fn capacity(&self) -> usize {
        self.capacity.max(self.bytes.len())
    }

    /// The whole list.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// `findTLV`: selects the `occurrence`th TLV with this tag, whatever its comprehension bit.
    pub(super) fn find(&mut self, tag: u8, occurrence: u8) -> Result<Found, Reason> {
        let nth = usize::from(occurrence)
            .checked_sub(1)
            .ok_or(Reason::BadInputParameter)?;
        let found = elements(&self.bytes)
            .filter(|element| element.0 & 0x7F == tag & 0x7F)
            .nth(nth);
        self.selected = found.map(|(_, start, end)| (start, end));
        Ok(match found {
            None => Found::Not,
            Some((tag, ..)) if tag & 0x80 != 0 => Found::CrSet,
            Some(_) => Found::CrNotSet,
        })
    }

    /// The selected TLV's value.
    pub(super) fn value(&self) -> Result<&[u8], Reason> {
        let (start, end) = self.selected.ok_or(Reason::UnavailableElement)?;
        self.bytes.get(start..end).ok_or(Reason::UnavailableElement)
    }

    /// `length` bytes of the selected TLV's value from `offset`.
    pub(super) fn part(&self, offset: i16, length: i16) -> Result<&[u8], Reason> {
        part(self.value()?, offset, length)
    }

    /// The value of the first TLV with this tag, which becomes the selected one.
    pub(super) fn first(&mut self, tag: u8) -> Result<&[u8], Reason> {
        self.find(tag, 1)?;
        self.value()
    }

    /// The value of the first TLV with this tag; the selection stays.
    pub fn peek(&self, tag: u8) -> Option<&[u8]> {
        self.peek_all(tag).next()
    }

    /// The values of all TLVs with this tag.
    pub fn peek_all(&self, tag: u8) -> impl Iterator<Item = &[u8]> {
        elements(&self.bytes)
            .filter(move |element| element.0 & 0x7F == tag & 0x7F)
            .filter_map(|(_, start, end)| self.bytes.get(start..end))
    }

    /// `clear`.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.selected = None;
    }

    /// `appendArray`: bytes as they are.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), Reason> {
        if self.bytes.len() + bytes.len() > self.capacity {
            return Err(Reason::HandlerOverflow);
        }
        self.bytes.extend(bytes);
        Ok(())
    }

    /// `appendTLV`: a TLV whose value is the parts in order.
    pub(super) fn append_tlv(&mut self, tag: u8, parts: &[&[u8]]) -> Result<(), Reason> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let Ok(length) = u8::try_from(length) else {
            return Err(Reason::BadInputParameter);
        };
        let mut tlv = vec![tag];
        if length > 0x7F {
            tlv.push(0x81);
        }
        tlv.push(length);
        tlv.extend(parts.concat());
        self.append(&tlv)
    }
}

/// `length` bytes from `offset`, as the API addresses them.
pub(super) fn part(bytes: &[u8], offset: i16, length: i16) -> Result<&[u8], Reason> {
    let outside = Reason::OutOfTlvBoundaries;
    let start = usize::try_from(offset).map_err(|_| outside)?;
    let length = usize::try_from(length).map_err(|_| outside)?;
    bytes.get(start..start + length).ok_or(outside)
}

/// The TLV list with the number in its command details (01) set to 0, as the boundary record has it.
pub(crate) fn without_number(list: &[u8]) -> Vec<u8> {
    let mut out = list.to_vec();
    let details = elements(list)
        .find(|(found, start, end)| found & 0x7F == tag::COMMAND_DETAILS && end - start == 3);
    if let Some(number) = details.and_then(|(_, start, _)| out.get_mut(start)) {
        *number = 0;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn elements_are_found_whatever_their_comprehension_bit() {
        let mut handler = Handler::new(hex::decode("8103012100820282810301003800B80200").unwrap());
        assert_eq!(handler.find(0x01, 1), Ok(Found::CrSet));
        assert_eq!(handler.value(), Ok(&[1, 0x21, 0][..]));
        assert_eq!(handler.find(0x83, 1), Ok(Found::CrNotSet));
        assert_eq!(handler.part(0, 1), Ok(&[0][..]));
        assert_eq!(handler.part(0, 2), Err(Reason::OutOfTlvBoundaries));
        assert_eq!(handler.part(-1, 1), Err(Reason::OutOfTlvBoundaries));
        // The second 38 is cut short: it isn't there.
        assert_eq!(handler.find(0x38, 2), Ok(Found::Not));
        assert_eq!(handler.value(), Err(Reason::UnavailableElement));
        assert_eq!(handler.find(0x38, 0), Err(Reason::BadInputParameter));
    }

    #[test]
    fn lengths_beyond_127_take_two_bytes_and_the_capacity_holds() {
        let mut handler = Handler::default();
        handler.append_tlv(0xB6, &[&[7; 1], &[8; 200]]).unwrap();
        assert_eq!(handler.bytes()[..4], [0xB6, 0x81, 201, 7]);
        assert_eq!(
            handler.append_tlv(0x36, &[&[0; 60]]),
            Err(Reason::HandlerOverflow)
        );
        assert_eq!(
            handler.append_tlv(0x36, &[&[0; 256]]),
            Err(Reason::BadInputParameter)
        );
        assert_eq!(handler.bytes().len(), 204);
        assert_eq!(handler.first(0x36).unwrap().len(), 201);
    }

    #[test]
    fn the_command_number_is_zeroed() {
        assert_eq!(
            hex::encode(without_number(&[0x81, 3, 1, 0x40, 1, 0x82, 2, 0x81, 0x82])),
            "810300400182028182"
        );
        assert_eq!(without_number(&[0x81, 3, 1]), [0x81, 3, 1]);
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..80), tag: u8, n: u8, at: i16, length: i16) {
            let _ = without_number(&bytes);
            let mut handler = Handler::new(bytes);
            let _ = handler.find(tag, n);
            let _ = handler.part(at, length);
        }
    }
}
