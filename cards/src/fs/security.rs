//! Access rules (ETSI TS 102 221 9.2): what a file's security attributes ask for before an operation, and
//! who satisfies it — a terminal by verified PINs, an applet by its access domain (ETSI TS 102 226
//! 8.2.1.3.2.2.2).

use applet_model::tlv;
use serde::{Deserialize, Serialize};

/// Security attributes as they stand in a file's control parameters.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Security {
    /// None: nothing is allowed.
    #[default]
    None,
    /// Compact format (tag 8C, 9.2.4): access mode byte and a condition byte for each of its bits.
    Compact(Vec<u8>),
    /// Expanded format (tag AB, 9.2.5).
    Expanded(Vec<u8>),
    /// Reference to a record of an EF.ARR (tag 8B, 9.2.6): file identifier and record number, or pairs of
    /// security environment and record number.
    Referenced(Vec<u8>),
}

impl Security {
    /// The data object for the FCP template, empty for none.
    pub(super) fn object(&self) -> Vec<u8> {
        match self {
            Security::None => Vec::new(),
            Security::Compact(value) => tlv::write(0x8C, value),
            Security::Expanded(value) => tlv::write(0xAB, value),
            Security::Referenced(value) => tlv::write(0x8B, value),
        }
    }

    /// File identifier and record number of the rule in EF.ARR. Of pairs, that of security environment 01 counts,
    /// which a UICC with an enabled PIN is in; else the first.
    pub(super) fn reference(&self) -> Option<(u16, u8)> {
        let Security::Referenced(value) = self else {
            return None;
        };
        let (fid, rest) = value.split_at_checked(2)?;
        let fid = u16::from_be_bytes([*fid.first()?, *fid.get(1)?]);
        let record = match rest {
            [record] => *record,
            pairs => {
                let of = |pair: &&[u8]| pair.first() == Some(&1);
                let mut all = pairs.chunks_exact(2);
                let pair = all.clone().find(of).or_else(|| all.next())?;
                *pair.get(1)?
            }
        };
        Some((fid, record))
    }
}

/// Operations that access rules speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// READ BINARY, READ RECORD, SEARCH RECORD.
    Read,
    /// UPDATE BINARY, UPDATE RECORD.
    Update,
    /// INCREASE.
    Increase,
    /// DEACTIVATE FILE.
    Deactivate,
    /// ACTIVATE FILE.
    Activate,
    /// TERMINATE EF, TERMINATE DF.
    Terminate,
    /// DELETE FILE of the file itself.
    Delete,
    /// RESIZE FILE.
    Resize,
    /// CREATE FILE of an EF in this directory.
    CreateEf,
    /// CREATE FILE of a DF in this directory.
    CreateDf,
    /// DELETE FILE of a file in this directory.
    DeleteChild,
}

impl Operation {
    /// Bit of the access mode byte (tables 9.1 and 9.2); 0 if only an instruction code says it.
    fn mode(self) -> u8 {
        match self {
            Operation::Read | Operation::DeleteChild => 0x01,
            Operation::Update | Operation::CreateEf => 0x02,
            Operation::CreateDf => 0x04,
            Operation::Deactivate => 0x08,
            Operation::Activate => 0x10,
            Operation::Terminate => 0x20,
            Operation::Delete => 0x40,
            Operation::Increase | Operation::Resize => 0,
        }
    }

    /// Instruction code, as an access mode data object with tag 84 names it.
    fn instruction(self) -> &'static [u8] {
        match self {
            Operation::Read => &[0xB0, 0xB2, 0xA2],
            Operation::Update => &[0xD6, 0xDC],
            Operation::Increase => &[0x32],
            Operation::Deactivate => &[0x04],
            Operation::Activate => &[0x44],
            Operation::Terminate => &[0xE6, 0xE8],
            Operation::Delete | Operation::DeleteChild => &[0xE4],
            Operation::Resize => &[0xD4],
            Operation::CreateEf | Operation::CreateDf => &[0xE0],
        }
    }
}

/// What has to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Nothing.
    Always,
    /// Nobody may.
    Never,
    /// The PIN or key with this reference (table 9.3) is verified.
    Key(u8),
    /// One of them.
    Any(Vec<Condition>),
    /// All of them.
    All(Vec<Condition>),
}

/// The condition that a compact rule sets. A bit that isn't set means never. A condition byte may ask for user
/// authentication (bit 5), which is the application's PIN 01; what asks for secure messaging or external
/// authentication can't be satisfied on this card.
pub(super) fn compact(rule: &[u8], operation: Operation) -> Condition {
    let Some((&mode, conditions)) = rule.split_first() else {
        return Condition::Never;
    };
    // INCREASE changes the file as UPDATE does; compact rules have no bit of its own for it.
    let bit = match operation {
        Operation::Increase => Operation::Update.mode(),
        other => other.mode(),
    };
    if mode & 0x80 != 0 || mode & bit == 0 {
        return Condition::Never;
    }
    // Condition bytes stand in the order of the bits, highest first.
    let above = (mode & !(bit | (bit - 1))).count_ones() as usize;
    match conditions.get(above) {
        Some(0x00) => Condition::Always,
        Some(0xFF) | None => Condition::Never,
        Some(byte) if byte & 0x70 == 0x10 => Condition::Key(0x01),
        Some(_) => Condition::Never,
    }
}

/// The condition that an expanded rule sets: access mode objects, each with the conditions that follow it. What no
/// access mode names is never allowed.
pub(super) fn expanded(rule: &[u8], operation: Operation) -> Condition {
    let used = rule.iter().rposition(|byte| *byte != 0xFF);
    let rule = used.and_then(|last| rule.get(..=last)).unwrap_or(&[]);
    let mut any = Vec::new();
    let mut applies = false;
    let mut in_modes = false;
    for object in tlv::iter(rule) {
        let Ok(object) = object else {
            return Condition::Never;
        };
        if (0x80..=0x8F).contains(&object.tag) {
            if !in_modes {
                applies = false;
            }
            in_modes = true;
            applies |= match object.tag {
                0x80 => object
                    .value
                    .first()
                    .is_some_and(|mode| mode & 0x80 == 0 && mode & operation.mode() != 0),
                0x84 => operation
                    .instruction()
                    .iter()
                    .any(|ins| object.value.contains(ins)),
                _ => false,
            };
        } else {
            in_modes = false;
            if applies {
                any.push(condition(object.tag, object.value, 0));
            }
        }
    }
    match any.len() {
        0 => Condition::Never,
        1 => any.pop().unwrap_or(Condition::Never),
        _ => Condition::Any(any),
    }
}

/// Deepest nesting of OR and AND templates that is followed.
const DEPTH: u8 = 4;

fn condition(tag: u32, value: &[u8], depth: u8) -> Condition {
    let children = || -> Option<Vec<Condition>> {
        let objects = tlv::iter(value).collect::<Result<Vec<_>, _>>().ok()?;
        (depth < DEPTH && !objects.is_empty()).then(|| {
            objects
                .iter()
                .map(|object| condition(object.tag, object.value, depth + 1))
                .collect()
        })
    };
    match tag {
        0x90 => Condition::Always,
        // Control reference template: the key reference; the usage qualifier (95) says "user authentication".
        0xA4 => match tlv::find(value, 0x83) {
            Ok(Some(key)) => key
                .value
                .first()
                .map_or(Condition::Never, |key| Condition::Key(*key)),
            _ => Condition::Never,
        },
        0xA0 => children().map_or(Condition::Never, Condition::Any),
        0xAF => children().map_or(Condition::Never, Condition::All),
        // 97 is never; 9E (secure messaging, external authentication) and A7 (not) nobody satisfies here.
        _ => Condition::Never,
    }
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub enum Rights<'a> {
    /// An application with full access: everything that isn't "never".
    Full,
    /// An application with the rights of the UICC access mechanism's bit map.
    Domain([u8; 3]),
    /// An application without access.
    Nothing,
    /// The terminal: these key references are verified, or need no verification.
    Terminal(&'a [u8]),
}

/// "Always" in the third byte of the bit map.
const DOMAIN_ALWAYS: u8 = 0x04;
/// The local PINs, in the third byte.
const DOMAIN_LOCAL_PIN: u8 = 0x08;

impl Rights<'_> {
    /// True if the condition is satisfied.
    pub fn satisfy(&self, condition: &Condition) -> bool {
        match condition {
            Condition::Never => false,
            Condition::Any(list) => list.iter().any(|condition| self.satisfy(condition)),
            Condition::All(list) => list.iter().all(|condition| self.satisfy(condition)),
            Condition::Always => match self {
                Rights::Full | Rights::Terminal(_) => true,
                Rights::Nothing => false,
                Rights::Domain(map) => map[2] & DOMAIN_ALWAYS != 0,
            },
            Condition::Key(key) => match self {
                Rights::Full => true,
                Rights::Nothing => false,
                Rights::Terminal(verified) => verified.contains(key),
                Rights::Domain(map) => domain_has(*map, *key),
            },
        }
    }
}

/// The bit map (ETSI TS 102 226 8.2.1.3.2.2.2): PIN 1 to 8 in the first byte, ADM 1 to 8 in the second, ADM 9 and
/// 10, "always" and the local PIN in the third.
fn domain_has([pins, adm, rest]: [u8; 3], key: u8) -> bool {
    match key {
        0x01..=0x08 => pins & 1 << (key - 0x01) != 0,
        0x0A..=0x0E => adm & 1 << (key - 0x0A) != 0,
        0x8A..=0x8C => adm & 0x20 << (key - 0x8A) != 0,
        0x8D..=0x8E => rest & 1 << (key - 0x8D) != 0,
        0x81..=0x88 => rest & DOMAIN_LOCAL_PIN != 0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> Vec<u8> {
        hex::decode(text.replace(' ', "")).unwrap()
    }

    #[test]
    fn compact_rules_name_a_condition_for_each_bit() {
        let lab = rule("7F FF FF FF FF FF FF 00");
        assert_eq!(compact(&lab, Operation::Read), Condition::Always);
        assert_eq!(compact(&lab, Operation::Update), Condition::Never);
        let pin = rule("03 10 00");
        assert_eq!(compact(&pin, Operation::Update), Condition::Key(1));
        assert_eq!(compact(&pin, Operation::Increase), Condition::Key(1));
        assert_eq!(compact(&pin, Operation::Read), Condition::Always);
        assert_eq!(compact(&pin, Operation::Delete), Condition::Never);
        assert_eq!(compact(&[], Operation::Read), Condition::Never);
    }

    #[test]
    fn expanded_rules_are_followed_into_their_templates() {
        // Read: always. Update: ADM1, or PIN 01 and the universal PIN. Increase: PIN 01. Then padding.
        let rule = rule(
            "800101 9000 800102 A01A A40683010A950108 AF10 A406830101950108 A406830111950108 \
             840132 A406830101950108 FFFF",
        );
        assert_eq!(expanded(&rule, Operation::Read), Condition::Always);
        assert_eq!(expanded(&rule, Operation::Increase), Condition::Key(1));
        assert_eq!(expanded(&rule, Operation::Resize), Condition::Never);
        let update = expanded(&rule, Operation::Update);
        for (keys, fits) in [
            (&[0x0A][..], true),
            (&[1], false),
            (&[1, 0x11], true),
            (&[], false),
        ] {
            assert_eq!(Rights::Terminal(keys).satisfy(&update), fits, "{keys:?}");
        }
        assert_eq!(expanded(&[0x80], Operation::Read), Condition::Never);
    }

    #[test]
    fn domains_hold_what_their_bits_say() {
        let always = Rights::Domain([0, 0, 4]);
        assert!(always.satisfy(&Condition::Always) && !always.satisfy(&Condition::Key(1)));
        let pin_and_adm1 = Rights::Domain([1, 1, 0]);
        assert!(pin_and_adm1.satisfy(&Condition::Key(1)));
        assert!(pin_and_adm1.satisfy(&Condition::Key(0x0A)));
        assert!(!pin_and_adm1.satisfy(&Condition::Key(0x0B)));
        assert!(!pin_and_adm1.satisfy(&Condition::Always));
        assert!(Rights::Domain([0, 0, 8]).satisfy(&Condition::Key(0x81)));
        assert!(Rights::Full.satisfy(&Condition::Key(0x0E)));
        assert!(!Rights::Full.satisfy(&Condition::Never));
        assert!(!Rights::Nothing.satisfy(&Condition::Always));
    }

    #[test]
    fn references_name_a_record_by_environment() {
        let of = |text: &str| Security::Referenced(rule(text)).reference();
        assert_eq!(of("2F06 03"), Some((0x2F06, 3)));
        assert_eq!(of("6F06 00 02 01 05"), Some((0x6F06, 5)));
        assert_eq!(of("6F06 00 02"), Some((0x6F06, 2)));
        assert_eq!(of("6F"), None);
    }

    proptest::proptest! {
        #[test]
        fn no_rule_panics(rule in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..60)) {
            for operation in [Operation::Read, Operation::Increase, Operation::Delete] {
                let _ = compact(&rule, operation);
                let _ = expanded(&rule, operation);
            }
            let _ = Security::Referenced(rule).reference();
        }
    }
}
