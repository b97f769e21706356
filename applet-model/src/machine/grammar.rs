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
    /// Note where the object begins (register of the argument) and its size, and scan the value in the node
    /// that stands in `max`.
    Mark,
    /// What was looked for was found.
    Stop,
    /// The object goes to the block buffer; the node of the argument comes next.
    Keep,
    /// As `Keep`, and an ES10 command ends with it.
    KeepEnd,
    /// The object goes to the block buffer, its value to the register of the argument too.
    KeepCopy,
    /// The object's head goes to the block buffer; scan the value in the node of the argument.
    Head,
    /// As `Head`, and an ES10 command ends with it.
    HeadEnd,
    /// As `Keep`; now the size of the ES10 command is known. Becomes `Hold` if what follows must go before it.
    Certificate,
    /// The value of a `Certificate` that is held back.
    Hold,
}

impl Op {
    /// Every operation, in the order of its code.
    pub const ALL: [Op; 21] = [
        Op::Skip,
        Op::Bad,
        Op::Enter,
        Op::Relay,
        Op::Item,
        Op::Copy,
        Op::CopyItem,
        Op::Byte,
        Op::Zero,
        Op::Measure,
        Op::MeasureFilled,
        Op::Ack,
        Op::Mark,
        Op::Stop,
        Op::Keep,
        Op::KeepEnd,
        Op::KeepCopy,
        Op::Head,
        Op::HeadEnd,
        Op::Certificate,
        Op::Hold,
    ];

    /// True if the object, or its head, goes to the block buffer.
    pub const fn keeps(self) -> bool {
        matches!(
            self,
            Op::Keep | Op::KeepEnd | Op::KeepCopy | Op::Head | Op::HeadEnd | Op::Certificate
        )
    }

    /// The node that comes after a rule of this operation, if it changes.
    pub fn next_node(self, rule: &Rule) -> Option<u8> {
        match self {
            Op::Enter | Op::Relay | Op::Item | Op::Keep | Op::KeepEnd | Op::Head | Op::HeadEnd => {
                Some(rule.arg as u8)
            }
            Op::Mark => Some(rule.max),
            _ => None,
        }
    }
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
    /// `RetrieveNotificationsListResponse`, the first notification.
    pub const NOTICE: u8 = 28;
    /// `EUICCInfo1` (SGP.22 5.7.8).
    pub const INFO: u8 = 33;
    /// `GetEuiccChallengeResponse` (SGP.22 5.7.7).
    pub const CHALLENGE: u8 = 34;
    /// `ImmediateEnableResponse` (SGP.32 5.9.15).
    pub const IMMEDIATE: u8 = 36;
    /// `CancelSessionResponse` (SGP.22 5.7.14).
    pub const CANCELLED: u8 = 38;
    /// `InitiateAuthenticationResponseEsipa` (SGP.32 6.3.2.1).
    pub const INITIATE: u8 = 39;
    /// `AuthenticateClientResponseEsipa` (SGP.32 6.3.2.2).
    pub const AUTHENTICATE: u8 = 45;
    /// `GetBoundProfilePackageResponseEsipa` (SGP.32 6.3.2.3).
    pub const PACKAGE: u8 = 51;
    /// `CancelSessionResponseEsipa` (SGP.32 6.3.2.4).
    pub const CANCEL: u8 = 55;
    /// Answer to HandleNotification: none.
    pub const NOTIFIED: u8 = 57;
    /// `AuthenticateServerResponse` (SGP.22 5.7.13).
    pub const AUTHENTICATED: u8 = 58;
    /// `PrepareDownloadResponse` (SGP.22 5.7.5).
    pub const PREPARED: u8 = 59;
    /// `ProfileInstallationResult` (SGP.22 2.5.6).
    pub const LOADED: u8 = 60;
    /// `hashCc` after a certificate that was held back for it.
    pub const HASH: u8 = 50;
    /// What follows the certificate: of no use to the eUICC.
    pub const REST: u8 = 64;
    /// `matchingId` after the certificate, where the eIM handles the trigger's data.
    pub const MATCHING: u8 = 66;
    /// The parts of the IPA eUICC data, each in the answer that holds it.
    pub const DATA_NOTICES: u8 = 67;
    /// Package results.
    pub const DATA_RESULTS: u8 = 69;
    /// Default SM-DP+ address.
    pub const DATA_DP: u8 = 71;
    /// Root SM-DS address.
    pub const DATA_DS: u8 = 73;
    /// `EUICCInfo2`.
    pub const DATA_INFO2: u8 = 75;
    /// The EUM's certificate.
    pub const DATA_EUM: u8 = 76;
    /// The eUICC's certificate.
    pub const DATA_EUICC: u8 = 79;
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
        (
            "NOTICE",
            NOTICE,
            "RetrieveNotificationsListResponse, first notification",
        ),
        ("INFO", INFO, "EUICCInfo1"),
        ("CHALLENGE", CHALLENGE, "GetEuiccChallengeResponse"),
        ("IMMEDIATE", IMMEDIATE, "ImmediateEnableResponse"),
        ("CANCELLED", CANCELLED, "CancelSessionResponse"),
        ("INITIATE", INITIATE, "InitiateAuthenticationResponseEsipa"),
        (
            "AUTHENTICATE",
            AUTHENTICATE,
            "AuthenticateClientResponseEsipa",
        ),
        ("PACKAGE", PACKAGE, "GetBoundProfilePackageResponseEsipa"),
        ("CANCEL", CANCEL, "CancelSessionResponseEsipa"),
        ("NOTIFIED", NOTIFIED, "answer to HandleNotification"),
        ("AUTHENTICATED", AUTHENTICATED, "AuthenticateServerResponse"),
        ("PREPARED", PREPARED, "PrepareDownloadResponse"),
        ("LOADED", LOADED, "ProfileInstallationResult"),
        ("HASH", HASH, "hashCc"),
        ("REST", REST, "what follows a certificate"),
        ("MATCHING", MATCHING, "matchingId"),
        (
            "DATA_NOTICES",
            DATA_NOTICES,
            "RetrieveNotificationsListResponse, all notifications",
        ),
        (
            "DATA_RESULTS",
            DATA_RESULTS,
            "RetrieveNotificationsListResponse, all results",
        ),
        (
            "DATA_DP",
            DATA_DP,
            "EuiccConfiguredAddressesResponse, default SM-DP+",
        ),
        (
            "DATA_DS",
            DATA_DS,
            "EuiccConfiguredAddressesResponse, root SM-DS",
        ),
        ("DATA_INFO2", DATA_INFO2, "EUICCInfo2"),
        ("DATA_EUM", DATA_EUM, "GetCertsResponse, EUM"),
        ("DATA_EUICC", DATA_EUICC, "GetCertsResponse, eUICC"),
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
    rule(14, 0xBF52, Op::Enter, 17, 0, kind::DATA),
    rule(14, 0xBF54, Op::Enter, 18, 0, kind::TRIGGER),
    rule(14, 0, Op::Skip, 0, 0, kind::UNKNOWN),
    rule(15, 0x30, Op::Enter, 16, 0, 0),
    rule(15, 0, Op::Skip, 0, 0, 0),
    rule(16, 0x82, Op::Copy, reg::TID_LEN as u16, 16, 0),
    rule(16, 0, Op::Skip, 0, 0, 0),
    rule(17, 0x5C, Op::Copy, reg::TAGS_LEN as u16, super::layout::TAGS_MAX as u8, 0),
    rule(17, 0x83, Op::Copy, reg::TID_LEN as u16, 16, 0),
    rule(17, 0, Op::Skip, 0, 0, 0),
    rule(18, 0xA0, Op::Enter, 27, 0, kind::ORDERED),
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

    rule(27, 0x80, Op::Copy, reg::AC_LEN as u16, super::layout::AC_MAX as u8, 0),
    rule(27, 0x82, Op::Copy, reg::TID_LEN as u16, 16, 0),
    rule(27, 0, Op::Skip, 0, 0, 0),

    rule(28, 0xBF2B, Op::Enter, 29, 0, 0),
    rule(28, 0, Op::Bad, 0, 0, 0),
    rule(29, 0xA0, Op::Enter, 30, 0, 0),
    rule(29, 0, Op::Skip, 0, 0, 0),
    rule(30, 0x30, Op::Mark, reg::OFF1 as u16, 31, 0),
    rule(30, 0xBF37, Op::Mark, reg::OFF1 as u16, 31, 0),
    rule(30, 0, Op::Skip, 0, 0, 0),
    rule(31, 0xBF27, Op::Enter, 31, 0, 0),
    rule(31, 0xBF2F, Op::Enter, 32, 0, 0),
    rule(31, 0, Op::Skip, 0, 0, 0),
    rule(32, 0x80, Op::Ack, 0, 0, 0),
    rule(32, 0, Op::Stop, 0, 0, 0),

    rule(33, 0xBF20, Op::Measure, reg::OFF1 as u16, 0, 0),
    rule(33, 0, Op::Bad, 0, 0, 0),

    rule(34, 0xBF2E, Op::Enter, 35, 0, 0),
    rule(34, 0, Op::Bad, 0, 0, 0),
    rule(35, 0x80, Op::Copy, reg::CHALLENGE_LEN as u16, 16, 0),
    rule(35, 0, Op::Skip, 0, 0, 0),

    rule(36, 0xBF5A, Op::Enter, 37, 0, 0),
    rule(36, 0, Op::Bad, 0, 0, 0),
    rule(37, 0x80, Op::Byte, reg::CODE as u16, 0, kind::CODE),
    rule(37, 0, Op::Skip, 0, 0, 0),

    rule(38, 0xBF41, Op::Measure, reg::OFF1 as u16, 0, 0),
    rule(38, 0, Op::Bad, 0, 0, 0),

    rule(39, 0xBF39, Op::Enter, 40, 0, 0),
    rule(39, 0, Op::Bad, 0, 0, 0),
    rule(40, 0xA0, Op::Enter, 41, 0, kind::STEP),
    rule(40, 0x81, Op::Byte, reg::CODE as u16, 0, kind::CODE),
    rule(40, 0, Op::Bad, 0, 0, 0),
    rule(41, 0x30, Op::Head, 42, 0, 0),
    rule(41, 0, Op::Skip, 0, 0, 0),
    // serverSigned1, whatever it holds; the signature follows it.
    rule(42, 0x80, Op::KeepCopy, reg::RTID_LEN as u16, 16, 0),
    rule(42, 0x5F37, Op::Keep, 43, 0, 0),
    rule(42, 0, Op::Keep, 42, 0, 0),
    rule(43, 0x04, Op::Keep, 44, 0, 0),
    rule(43, 0, Op::Bad, 0, 0, 0),
    rule(44, 0x30, Op::Certificate, 0, 0, 0),
    rule(44, 0, Op::Bad, 0, 0, 0),

    rule(45, 0xBF3B, Op::Enter, 46, 0, 0),
    rule(45, 0, Op::Bad, 0, 0, 0),
    rule(46, 0xA0, Op::Enter, 47, 0, kind::STEP),
    rule(46, 0x82, Op::Byte, reg::CODE as u16, 0, kind::CODE),
    rule(46, 0, Op::Bad, 0, 0, 0),
    rule(47, 0x30, Op::Keep, 48, 0, 0),
    rule(47, 0, Op::Skip, 0, 0, 0),
    rule(48, 0x5F37, Op::Keep, 49, 0, 0),
    rule(48, 0, Op::Bad, 0, 0, 0),
    rule(49, 0x30, Op::Certificate, 0, 0, 0),
    rule(49, 0, Op::Bad, 0, 0, 0),
    // hashCc, before which the certificate was held back.
    rule(node::HASH, 0x04, Op::Keep, node::REST as u16, 0, 0),
    rule(node::HASH, 0, Op::Bad, 0, 0, 0),

    rule(51, 0xBF3A, Op::Enter, 52, 0, 0),
    rule(51, 0, Op::Bad, 0, 0, 0),
    rule(52, 0xA0, Op::Enter, 53, 0, kind::STEP),
    rule(52, 0x81, Op::Byte, reg::CODE as u16, 0, kind::CODE),
    rule(52, 0, Op::Bad, 0, 0, 0),
    rule(53, 0xBF36, Op::Head, 54, 0, 0),
    rule(53, 0, Op::Skip, 0, 0, 0),
    // SGP.22 2.5.5: what is one ES10 command each.
    rule(54, 0xBF23, Op::KeepEnd, 54, 0, 0),
    rule(54, 0xA0, Op::KeepEnd, 54, 0, 0),
    rule(54, 0xA1, Op::HeadEnd, 54, 0, 0),
    rule(54, 0x88, Op::KeepEnd, 54, 0, 0),
    rule(54, 0xA2, Op::KeepEnd, 54, 0, 0),
    rule(54, 0xA3, Op::HeadEnd, 54, 0, 0),
    rule(54, 0x86, Op::KeepEnd, 54, 0, 0),
    rule(54, 0, Op::Bad, 0, 0, 0),

    rule(55, 0xBF41, Op::Enter, 56, 0, 0),
    rule(55, 0, Op::Bad, 0, 0, 0),
    rule(56, 0xA0, Op::Skip, 0, 0, kind::EMPTY),
    rule(56, 0x81, Op::Byte, reg::CODE as u16, 0, kind::CODE),
    rule(56, 0, Op::Bad, 0, 0, 0),

    rule(57, 0, Op::Skip, 0, 0, 0),

    rule(58, 0xBF38, Op::Measure, reg::OFF1 as u16, 0, 0),
    rule(58, 0, Op::Bad, 0, 0, 0),
    rule(59, 0xBF21, Op::Measure, reg::OFF1 as u16, 0, 0),
    rule(59, 0, Op::Bad, 0, 0, 0),

    rule(60, 0xBF37, Op::Enter, 61, 0, 0),
    rule(60, 0, Op::Bad, 0, 0, 0),
    rule(61, 0xBF27, Op::Enter, 62, 0, 0),
    rule(61, 0, Op::Skip, 0, 0, 0),
    rule(62, 0xA2, Op::Enter, 63, 0, 0),
    rule(62, 0, Op::Skip, 0, 0, 0),
    rule(63, 0xA0, Op::Skip, 0, 0, kind::INSTALLED),
    rule(63, 0xA1, Op::Enter, 65, 0, kind::NOT_INSTALLED),
    rule(63, 0, Op::Skip, 0, 0, 0),
    rule(65, 0x81, Op::Byte, reg::CODE as u16, 0, 0),
    rule(65, 0, Op::Skip, 0, 0, 0),

    rule(node::REST, 0, Op::Skip, 0, 0, 0),
    rule(node::MATCHING, 0x0C, Op::Copy, reg::AC_LEN as u16, super::layout::AC_MAX as u8, 0),
    rule(node::MATCHING, 0, Op::Bad, 0, 0, 0),

    rule(node::DATA_NOTICES, 0xBF2B, Op::Enter, 68, 0, 0),
    rule(node::DATA_NOTICES, 0, Op::Bad, 0, 0, 0),
    rule(68, 0xA0, Op::Measure, reg::OFF1 as u16, 0, 0),
    rule(68, 0, Op::Skip, 0, 0, 0),
    rule(node::DATA_RESULTS, 0xBF2B, Op::Enter, 70, 0, 0),
    rule(node::DATA_RESULTS, 0, Op::Bad, 0, 0, 0),
    rule(70, 0xA2, Op::Measure, reg::OFF1 as u16, 0, 0),
    rule(70, 0, Op::Skip, 0, 0, 0),
    rule(node::DATA_DP, 0xBF3C, Op::Enter, 72, 0, 0),
    rule(node::DATA_DP, 0, Op::Bad, 0, 0, 0),
    rule(72, 0x80, Op::Measure, reg::OFF1 as u16, 0, 0),
    rule(72, 0, Op::Skip, 0, 0, 0),
    rule(node::DATA_DS, 0xBF3C, Op::Enter, 74, 0, 0),
    rule(node::DATA_DS, 0, Op::Bad, 0, 0, 0),
    rule(74, 0x81, Op::Measure, reg::OFF1 as u16, 0, 0),
    rule(74, 0, Op::Skip, 0, 0, 0),
    rule(node::DATA_INFO2, 0xBF22, Op::Measure, reg::OFF1 as u16, 0, 0),
    rule(node::DATA_INFO2, 0, Op::Bad, 0, 0, 0),
    rule(node::DATA_EUM, 0xBF56, Op::Enter, 77, 0, 0),
    rule(node::DATA_EUM, 0, Op::Bad, 0, 0, 0),
    rule(77, 0xA0, Op::Enter, 78, 0, 0),
    rule(77, 0, Op::Skip, 0, 0, 0),
    rule(78, 0xA5, Op::Measure, reg::OFF1 as u16, 0, 0),
    rule(78, 0, Op::Skip, 0, 0, 0),
    rule(node::DATA_EUICC, 0xBF56, Op::Enter, 80, 0, 0),
    rule(node::DATA_EUICC, 0, Op::Bad, 0, 0, 0),
    rule(80, 0xA0, Op::Enter, 81, 0, 0),
    rule(80, 0, Op::Skip, 0, 0, 0),
    rule(81, 0xA6, Op::Measure, reg::OFF1 as u16, 0, 0),
    rule(81, 0, Op::Skip, 0, 0, 0),
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
        for r in RULES.iter().filter(|r| r.op.next_node(r).is_some()) {
            assert!(
                r.op.next_node(r).is_some_and(|n| nodes.contains(&n)),
                "{r:?}"
            );
        }
        for (_, n, _) in node::TABLE {
            assert!(nodes.contains(n));
        }
    }
}
