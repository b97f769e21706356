//! IPA eUICC data (SGP.32 2.11.1.2, 2.11.2.2): what the eIM asks the IPA for, answered from ES10 reads.
//!
//! Each part that is asked for is measured first, so that the size of the whole is known; then it is asked for again
//! and flows into the request. What the eUICC doesn't have is left out, and so is what would make the answer longer
//! than can be counted. Search criteria aren't looked at: the eIM gets all notifications and results. The
//! association token isn't given: the eIM that asks has it.

use super::codes::Event;
use super::grammar::node;
use super::layout::{DATA_PARTS, reg};
use super::scan::MEASURE_MAX;
use super::{Machine, templates};

/// A part that comes from the eUICC.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// Tag in the tag list and in the answer.
    pub tag: u16,
    /// The ES10 command whose answer holds it.
    pub command: &'static [u8],
    /// Where the scanner measures it.
    pub node: u8,
}

const fn part(tag: u16, command: &'static [u8], node: u8) -> Part {
    Part { tag, command, node }
}

/// The parts, in the order of IpaEuiccData.
pub const PARTS: [Part; DATA_PARTS] = [
    part(0xA0, templates::ES10_NOTIFICATIONS, node::DATA_NOTICES),
    part(0x81, templates::ES10_ADDRESSES, node::DATA_DP),
    part(0xA2, templates::ES10_RESULTS, node::DATA_RESULTS),
    part(0xBF20, templates::ES10_INFO, node::INFO),
    part(0xBF22, templates::ES10_INFO2, node::DATA_INFO2),
    part(0x83, templates::ES10_ADDRESSES, node::DATA_DS),
    part(0xA5, templates::ES10_CERTS, node::DATA_EUM),
    part(0xA6, templates::ES10_CERTS, node::DATA_EUICC),
];
/// associationToken, which may be asked for.
pub const TAG_TOKEN: u8 = 0x84;
/// ipaCapabilities.
pub const TAG_CAPABILITIES: u8 = 0xA8;
/// deviceInfo.
pub const TAG_DEVICE: u8 = 0xA9;
/// Most bytes of the end of the answer: transaction, capabilities, device.
pub const DATA_TAIL: u16 = 34;

impl Machine {
    /// True if this tag is in the tag list.
    fn is_wanted(&self, tag: u16) -> bool {
        let mut at = 0;
        while let Some((found, next)) = self.listed(at) {
            if found == tag {
                return true;
            }
            at = next;
        }
        false
    }

    /// The tag at this place of the list, and the next place.
    fn listed(&self, at: usize) -> Option<(u16, usize)> {
        let end = usize::from(self.w[reg::TAGS_LEN]);
        if at >= end {
            return None;
        }
        let first = u16::from(self.w[reg::TAGS + at]);
        if first & 0x1F != 0x1F {
            return Some((first, at + 1));
        }
        // One that is cut off is none that is known.
        let second = if at + 1 < end {
            self.w[reg::TAGS + at + 1]
        } else {
            0
        };
        Some((first << 8 | u16::from(second), at + 2))
    }

    /// Looks at the tag list; raises Next, or Fail if something in it isn't known.
    pub(super) fn begin_data(&mut self) {
        self.w[reg::PART] = 0;
        let mut at = 0;
        let mut known = self.w[reg::TAGS_LEN] > 0;
        while let Some((tag, next)) = self.listed(at) {
            let own = [TAG_TOKEN, TAG_CAPABILITIES, TAG_DEVICE];
            known &= PARTS.iter().any(|p| p.tag == tag) || own.iter().any(|t| u16::from(*t) == tag);
            at = next;
        }
        self.raise(if known { Event::Next } else { Event::Fail });
    }

    fn part_at(&self) -> usize {
        reg::PART_SIZES + 4 * usize::from(self.w[reg::PART])
    }

    /// Asks the eUICC for the next part that is wanted; raises Gathered if there is none.
    pub(super) fn ask_data(&mut self) {
        while let Some(part) = PARTS.get(usize::from(self.w[reg::PART])) {
            if self.is_wanted(part.tag) {
                self.put16(reg::LEN1, 0);
                self.begin_scan(part.node);
                return self.es10(part.command);
            }
            self.put16(self.part_at() + 2, 0);
            self.w[reg::PART] += 1;
        }
        self.raise(Event::Gathered);
    }

    /// Notes where the part is in the eUICC's answer and its size; none if it wasn't found.
    pub(super) fn note_part(&mut self) {
        let mut len = self.get16(reg::LEN1);
        let before: u16 = (0..usize::from(self.w[reg::PART]))
            .map(|i| self.get16(reg::PART_SIZES + 4 * i + 2))
            .sum();
        if before + len > MEASURE_MAX {
            len = 0;
        }
        let at = self.part_at();
        self.put16(at, self.get16(reg::OFF1));
        self.put16(at + 2, len);
        self.w[reg::PART] += 1;
    }

    /// Bytes inside of ipaEuiccData.
    pub(super) fn data_inside(&self) -> u16 {
        let parts: u16 = (0..PARTS.len())
            .map(|i| self.get16(reg::PART_SIZES + 4 * i + 2))
            .sum();
        let own = |tag: u8, bytes: &[u8]| {
            if self.is_wanted(u16::from(tag)) {
                bytes.len() as u16
            } else {
                0
            }
        };
        parts
            + self.field_len(reg::TID_LEN)
            + own(TAG_CAPABILITIES, templates::IPA_CAPABILITIES)
            + own(TAG_DEVICE, templates::IPA_DEVICE)
    }

    /// Appends what of the data is the applet's own.
    pub(super) fn append_data_tail(&mut self) {
        self.append_field(0x87, reg::TID_LEN);
        if self.is_wanted(u16::from(TAG_CAPABILITIES)) {
            self.append(templates::IPA_CAPABILITIES);
        }
        if self.is_wanted(u16::from(TAG_DEVICE)) {
            self.append(templates::IPA_DEVICE);
        }
    }

    /// Goes on to the next part that there is; false if there is none.
    pub(super) fn begin_part(&mut self) -> bool {
        while usize::from(self.w[reg::PART]) < PARTS.len() {
            let at = self.part_at();
            if self.get16(at + 2) > 0 {
                self.put16(reg::SKIP, self.get16(at));
                self.put16(reg::LEFT, self.get16(at + 2));
                return true;
            }
            self.w[reg::PART] += 1;
        }
        false
    }

    /// The tag that a part's first byte becomes: the same thing has another one in IpaEuiccData. `None` within the
    /// part, and where it keeps its tag of two bytes.
    pub(super) fn new_tag(&self) -> Option<u8> {
        let part = PARTS.get(usize::from(self.w[reg::PART]))?;
        let first = self.get16(reg::LEFT) == self.get16(self.part_at() + 2);
        (first && part.tag < 0x100).then_some(part.tag as u8)
    }
}
