//! What the applet reads in TLV data, as data: a grammar for its streaming scanner.
//!
//! The scanner sees a message in pieces of any size and never holds it. In a node of the grammar,
//! a data object's tag selects a rule; a node's default rule has tag 0. Entering a constructed
//! object changes the node and nothing else: the ends of constructed objects aren't tracked, so a
//! node also sees what follows the object; the grammar is made so that this is never ambiguous.

use super::codes::kind;
use super::layout::reg;

/// What the scanner does with a data object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Op {
    /// Pass over the value.
    Skip,
    /// The message is not understood.
    Bad,
    /// Scan the value in the node of the argument.
    Enter,
    /// As `Enter`, and relay the object and all that follows to the block buffer.
    Relay,
    /// As `Enter`; a further element of the eIM configuration list begins.
    Item,
    /// Copy the value after its length to the register of the argument, if it fits in `max` bytes.
    Copy,
    /// As `Copy`, if the current list element is the wanted one.
    CopyItem,
    /// The last byte of the value goes to the register of the argument.
    Byte,
    /// The register of the argument becomes 1 if the value is one zero byte.
    Zero,
    /// Note where the object begins (register of the argument) and its size (two bytes later), stop.
    Measure,
    /// As `Measure`, if the value is not empty.
    MeasureFilled,
    /// Take the value as an acknowledged sequence number.
    Ack,
}

/// One rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// In this node…
    pub node: u8,
    /// …a data object with this tag (0: any other)…
    pub tag: u16,
    /// …is treated so…
    pub op: Op,
    /// …with this node or register…
    pub arg: u16,
    /// …and this size limit…
    pub max: u8,
    /// …and sets the register `KIND`, unless 0.
    pub kind: u8,
}

/// First nodes of the messages.
pub mod node {
    /// `GetEuiccDataResponse` (SGP.22 5.7.20).
    pub const EID: u8 = 0;
    /// `GetEimConfigurationDataResponse` (SGP.32 5.9.18).
    pub const EIM: u8 = 2;
    /// `RetrieveNotificationsListResponse` with package results (SGP.32 5.9.11).
    pub const RESULTS: u8 = 6;
    /// `RetrieveNotificationsListResponse` with notifications.
    pub const NOTIFICATIONS: u8 = 9;
    /// `ProfileRollbackResponse` (SGP.32 5.9.16).
    pub const ROLLBACK: u8 = 11;
    /// `GetEimPackageResponse` (SGP.32 6.3.2.6).
    pub const POLL: u8 = 13;
    /// `ProvideEimPackageResultResponse` (SGP.32 6.3.2.7).
    pub const RESULT: u8 = 19;
    /// `EuiccPackageResult` (SGP.32 2.11.2.1).
    pub const LOAD: u8 = 22;
    /// Name, number and message of each, for the generator.
    pub const TABLE: &[(&str, u8, &str)] = &[
        ("EID", EID, "GetEuiccDataResponse"),
        ("EIM", EIM, "GetEimConfigurationDataResponse"),
        (
            "RESULTS",
            RESULTS,
            "RetrieveNotificationsListResponse, package results",
        ),
        (
            "NOTIFICATIONS",
            NOTIFICATIONS,
            "RetrieveNotificationsListResponse",
        ),
        ("ROLLBACK", ROLLBACK, "ProfileRollbackResponse"),
        ("POLL", POLL, "GetEimPackageResponse"),
        ("RESULT", RESULT, "ProvideEimPackageResultResponse"),
        ("LOAD", LOAD, "EuiccPackageResult"),
    ];
}

const fn rule(node: u8, tag: u16, op: Op, arg: u16, max: u8, kind: u8) -> Rule {
    Rule {
        node,
        tag,
        op,
        arg,
        max,
        kind,
    }
}

/// The rules, in the order in which they are tried.
#[rustfmt::skip]
pub const RULES: &[Rule] = &[
    rule(0, 0xBF3E, Op::Enter, 1, 0, 0),
    rule(0, 0, Op::Bad, 0, 0, 0),
    rule(1, 0x5A, Op::Copy, reg::EID_LEN as u16, 16, 0),
    rule(1, 0, Op::Skip, 0, 0, 0),

    rule(2, 0xBF55, Op::Enter, 3, 0, 0),
    rule(2, 0, Op::Bad, 0, 0, 0),
    rule(3, 0xA0, Op::Enter, 4, 0, 0),
    rule(3, 0, Op::Skip, 0, 0, 0),
    rule(4, 0x30, Op::Item, 5, 0, 0),
    rule(4, 0, Op::Skip, 0, 0, 0),
    rule(5, 0x81, Op::CopyItem, reg::FQDN_LEN as u16, super::layout::FQDN_MAX as u8, 0),
    rule(5, 0x30, Op::Item, 5, 0, 0),
    rule(5, 0, Op::Skip, 0, 0, 0),

    rule(6, 0xBF2B, Op::Enter, 7, 0, 0),
    rule(6, 0, Op::Bad, 0, 0, 0),
    rule(7, 0xA2, Op::Enter, 8, 0, 0),
    rule(7, 0, Op::Skip, 0, 0, 0),
    rule(8, 0xBF51, Op::Measure, reg::OFF1 as u16, 0, 0),
    rule(8, 0, Op::Skip, 0, 0, 0),

    rule(9, 0xBF2B, Op::Enter, 10, 0, 0),
    rule(9, 0, Op::Bad, 0, 0, 0),
    rule(10, 0xA0, Op::MeasureFilled, reg::OFF2 as u16, 0, 0),
    rule(10, 0, Op::Skip, 0, 0, 0),

    rule(11, 0xBF58, Op::Enter, 12, 0, 0),
    rule(11, 0, Op::Bad, 0, 0, 0),
    rule(12, 0x02, Op::Byte, reg::CODE as u16, 0, kind::CODE),
    rule(12, 0, Op::Skip, 0, 0, 0),

    rule(13, 0xBF4F, Op::Enter, 14, 0, 0),
    rule(13, 0, Op::Bad, 0, 0, 0),
    rule(14, 0xBF51, Op::Relay, 15, 0, kind::PACKAGE),
    rule(14, 0x02, Op::Byte, reg::CODE as u16, 0, kind::CODE),
    rule(14, 0xBF52, Op::Enter, 17, 0, kind::UNKNOWN),
    rule(14, 0xBF54, Op::Enter, 18, 0, kind::UNKNOWN),
    rule(14, 0, Op::Skip, 0, 0, kind::UNKNOWN),
    rule(15, 0x30, Op::Enter, 16, 0, 0),
    rule(15, 0, Op::Skip, 0, 0, 0),
    rule(16, 0x82, Op::Copy, reg::TID_LEN as u16, 16, 0),
    rule(16, 0, Op::Skip, 0, 0, 0),
    rule(17, 0x83, Op::Copy, reg::TID_LEN as u16, 16, 0),
    rule(17, 0, Op::Skip, 0, 0, 0),
    rule(18, 0x82, Op::Copy, reg::TID_LEN as u16, 16, 0),
    rule(18, 0, Op::Skip, 0, 0, 0),

    rule(19, 0xBF50, Op::Enter, 20, 0, 0),
    rule(19, 0, Op::Bad, 0, 0, 0),
    rule(20, 0xBF53, Op::Enter, 21, 0, kind::ACKS),
    rule(20, 0x30, Op::Skip, 0, 0, kind::EMPTY),
    rule(20, 0x02, Op::Byte, reg::CODE as u16, 0, kind::CODE),
    rule(20, 0, Op::Bad, 0, 0, 0),
    rule(21, 0x80, Op::Ack, 0, 0, 0),
    rule(21, 0, Op::Skip, 0, 0, 0),

    rule(22, 0xBF51, Op::Enter, 23, 0, 0),
    rule(22, 0, Op::Bad, 0, 0, 0),
    rule(23, 0xA0, Op::Enter, 24, 0, kind::SIGNED),
    rule(23, 0xA1, Op::Skip, 0, 0, kind::ERROR),
    rule(23, 0xA2, Op::Skip, 0, 0, kind::ERROR),
    rule(23, 0, Op::Bad, 0, 0, 0),
    rule(24, 0x30, Op::Enter, 25, 0, 0),
    rule(24, 0, Op::Skip, 0, 0, 0),
    rule(25, 0x30, Op::Enter, 26, 0, 0),
    rule(25, 0, Op::Skip, 0, 0, 0),
    rule(26, 0x83, Op::Zero, reg::CHANGED as u16, 0, 0),
    rule(26, 0x84, Op::Zero, reg::CHANGED as u16, 0, 0),
    rule(26, 0, Op::Skip, 0, 0, 0),
];

/// The rule for a tag in a node; every node has a default.
pub fn find(node: u8, tag: u16) -> Rule {
    let matches = |r: &&Rule| r.node == node && (r.tag == tag || r.tag == 0);
    RULES
        .iter()
        .find(matches)
        .copied()
        .unwrap_or(rule(node, 0, Op::Bad, 0, 0, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_that_can_be_entered_has_a_default_rule_at_its_end() {
        let mut nodes: Vec<u8> = RULES.iter().map(|r| r.node).collect();
        nodes.dedup();
        for n in &nodes {
            let last = RULES.iter().rfind(|r| r.node == *n);
            assert_eq!(last.map(|r| r.tag), Some(0), "node {n}");
        }
        for r in RULES
            .iter()
            .filter(|r| matches!(r.op, Op::Enter | Op::Relay | Op::Item))
        {
            assert!(nodes.contains(&(r.arg as u8)), "{r:?}");
        }
        for (_, n, _) in node::TABLE {
            assert!(nodes.contains(n));
        }
    }
}
