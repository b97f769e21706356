//! Any ESipa or ES10 message with the names of the specification, for traces and reports.
//!
//! Works on the bytes, not on decoded values: a damaged or unknown message is shown as far as it
//! makes sense, with what is wrong where. The names come from the types' declarations.

use super::asn1::{Component, Described, Schema, Shape};
use super::bits::Bits;
use super::*;
use crate::tlv::{self, Tlv};
use core::fmt;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

/// A data object and what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The component's name; the type's at the top and in lists.
    pub name: String,
    /// The tag on the wire.
    pub tag: u32,
    /// What it holds.
    pub value: Value,
}

/// What a [`Node`] holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Components, in the order they came.
    Sequence(Vec<Node>),
    /// The chosen alternative.
    Choice(Box<Node>),
    /// Elements of a list.
    List(Vec<Node>),
    /// A number without a name.
    Number(i128),
    /// A number with a name.
    Name(&'static str, i64),
    /// Names of the set bits.
    Bits(Vec<String>),
    /// A truth value.
    Boolean(bool),
    /// Nothing: the element's presence says it.
    Null,
    /// A text; identities, versions and object identifiers too.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// An element that the specification doesn't have here.
    Unknown(Vec<u8>),
    /// An element that isn't what it should be, and why.
    Damaged(String, Vec<u8>),
    /// An element that should be here and isn't.
    Missing,
}

/// The messages that can stand at the top. Requests before answers: where both fit, it is a request.
const MESSAGES: &[&Schema] = &[
    esipa::GetEimPackageRequest::SCHEMA,
    esipa::GetEimPackageResponse::SCHEMA,
    esipa::ProvideEimPackageResult::SCHEMA,
    esipa::ProvideEimPackageResultResponse::SCHEMA,
    esipa::HandleNotificationEsipa::SCHEMA,
    esipa::TransferEimPackageRequest::SCHEMA,
    esipa::TransferEimPackageResponse::SCHEMA,
    esipa::EimAcknowledgements::SCHEMA,
    euicc_package::EuiccPackageRequest::SCHEMA,
    euicc_result::EuiccPackageResult::SCHEMA,
    eim_config::AddInitialEimRequest::SCHEMA,
    eim_config::AddInitialEimResponse::SCHEMA,
    eim_config::GetEimConfigurationDataRequest::SCHEMA,
    eim_config::GetEimConfigurationDataResponse::SCHEMA,
    certs::GetCertsRequest::SCHEMA,
    certs::GetCertsResponse::SCHEMA,
    certs::LoadCrlRequest::SCHEMA,
    certs::LoadCrlResponse::SCHEMA,
    certs::GetEuiccDataRequest::SCHEMA,
    certs::GetEuiccDataResponse::SCHEMA,
    euicc_info::GetEuiccInfo1Request::SCHEMA,
    euicc_info::EuiccInfo1::SCHEMA,
    euicc_info::GetEuiccInfo2Request::SCHEMA,
    euicc_info::EuiccInfo2::SCHEMA,
    profile::ProfileInfoListRequest::SCHEMA,
    profile::ProfileInfoListResponse::SCHEMA,
    profile::ProfileInfo::SCHEMA,
    profile::GetRatRequest::SCHEMA,
    profile::GetRatResponse::SCHEMA,
    notification::RetrieveNotificationsListRequest::SCHEMA,
    notification::RetrieveNotificationsListResponse::SCHEMA,
    notification::NotificationSentRequest::SCHEMA,
    notification::NotificationSentResponse::SCHEMA,
    notification::ListNotificationRequest::SCHEMA,
    notification::ListNotificationResponse::SCHEMA,
    notification::NotificationMetadata::SCHEMA,
    notification::ProfileInstallationResult::SCHEMA,
    es10::ProfileRollbackRequest::SCHEMA,
    es10::ProfileRollbackResponse::SCHEMA,
    es10::ConfigureImmediateProfileEnablingRequest::SCHEMA,
    es10::ConfigureImmediateProfileEnablingResponse::SCHEMA,
    es10::ImmediateEnableRequest::SCHEMA,
    es10::ImmediateEnableResponse::SCHEMA,
    es10::EnableEmergencyProfileRequest::SCHEMA,
    es10::EnableEmergencyProfileResponse::SCHEMA,
    es10::DisableEmergencyProfileRequest::SCHEMA,
    es10::DisableEmergencyProfileResponse::SCHEMA,
    es10::ExecuteFallbackMechanismRequest::SCHEMA,
    es10::ExecuteFallbackMechanismResponse::SCHEMA,
    es10::ReturnFromFallbackRequest::SCHEMA,
    es10::ReturnFromFallbackResponse::SCHEMA,
    es10::GetConnectivityParametersRequest::SCHEMA,
    es10::GetConnectivityParametersResponse::SCHEMA,
    es10::EuiccMemoryResetRequest::SCHEMA,
    es10::EuiccMemoryResetResponse::SCHEMA,
    es10::SetDefaultDpAddressRequest::SCHEMA,
    es10::SetDefaultDpAddressResponse::SCHEMA,
    es10::IpaeActivationRequest::SCHEMA,
    es10::IpaeActivationResponse::SCHEMA,
    es10::IsdrProprietaryApplicationTemplateIoT::SCHEMA,
    es10::GetEuiccChallengeRequest::SCHEMA,
    es10::GetEuiccChallengeResponse::SCHEMA,
    es10::EuiccConfiguredAddressesRequest::SCHEMA,
    es10::EuiccConfiguredAddressesResponse::SCHEMA,
    ipa_data::IpaEuiccDataRequest::SCHEMA,
    ipa_data::IpaEuiccDataResponse::SCHEMA,
    ipa_data::ProfileDownloadTriggerRequest::SCHEMA,
    ipa_data::ProfileDownloadTriggerResult::SCHEMA,
    download::InitiateAuthenticationRequestEsipa::SCHEMA,
    download::InitiateAuthenticationResponseEsipa::SCHEMA,
    download::AuthenticateServerRequest::SCHEMA,
    download::AuthenticateServerResponse::SCHEMA,
    download::AuthenticateClientRequestEsipa::SCHEMA,
    download::AuthenticateClientResponseEsipa::SCHEMA,
    download::PrepareDownloadRequest::SCHEMA,
    download::PrepareDownloadResponse::SCHEMA,
    download::GetBoundProfilePackageRequestEsipa::SCHEMA,
    download::GetBoundProfilePackageResponseEsipa::SCHEMA,
    download::BoundProfilePackage::SCHEMA,
    download::CancelSessionRequest::SCHEMA,
    download::CancelSessionRequestEsipa::SCHEMA,
    download::CancelSessionResponse::SCHEMA,
    download::CancelSessionResponseEsipa::SCHEMA,
    download::StoreMetadataRequest::SCHEMA,
    es10c::EnableProfileRequest::SCHEMA,
    es10c::EnableProfileResponse::SCHEMA,
    es10c::DisableProfileRequest::SCHEMA,
    es10c::DisableProfileResponse::SCHEMA,
    es10c::DeleteProfileRequest::SCHEMA,
    es10c::DeleteProfileResponse::SCHEMA,
    es10c::SetNicknameRequest::SCHEMA,
    es10c::SetNicknameResponse::SCHEMA,
];

/// Renders messages one under the other, an element a line, indented; never fails.
pub fn describe(bytes: &[u8]) -> String {
    let mut out = String::new();
    for node in nodes(bytes) {
        out.push_str(&node.to_string());
    }
    out
}

/// The messages in these bytes. Requests and answers share tags: that one is taken which fits best.
pub fn nodes(bytes: &[u8]) -> Vec<Node> {
    list_of(bytes, |tlv| {
        MESSAGES
            .iter()
            .filter(|schema| schema.tag == tlv.tag)
            .map(|schema| node_as(schema, tlv))
            .min_by_key(Node::unexplained)
            .unwrap_or_else(|| open(&format!("{:X}", tlv.tag), tlv))
    })
}

/// A message of a type that is known beforehand: a request or an answer.
pub fn node_of<T: Described>(bytes: &[u8]) -> Node {
    match (tlv::read_one(bytes), T::SCHEMA) {
        (Ok(tlv), schema) => node_as(schema, &tlv),
        (Err(error), schema) => Node {
            name: schema.name.to_owned(),
            tag: schema.tag,
            value: Value::Damaged(error.to_string(), bytes.to_vec()),
        },
    }
}

fn node_as(schema: &'static Schema, tlv: &Tlv<'_>) -> Node {
    let value = if schema.tag == 0 {
        alternative(schema, tlv)
    } else if schema.tag == tlv.tag {
        inside(schema, tlv)
    } else {
        Value::Damaged(format!("expected tag {:X}", schema.tag), tlv.raw.to_vec())
    };
    Node {
        name: schema.name.to_owned(),
        tag: tlv.tag,
        value,
    }
}

fn list_of(bytes: &[u8], mut node: impl FnMut(&Tlv<'_>) -> Node) -> Vec<Node> {
    let mut at = 0;
    tlv::iter(bytes)
        .map(|tlv| match tlv {
            Ok(tlv) => {
                at += tlv.raw.len();
                node(&tlv)
            }
            Err(error) => {
                let rest = bytes.get(at..).unwrap_or_default().to_vec();
                Node {
                    name: "?".to_owned(),
                    tag: 0,
                    value: Value::Damaged(error.to_string(), rest),
                }
            }
        })
        .collect()
}

/// The value of a component; an untagged CHOICE in it is the element itself.
fn component(part: &Component, tlv: &Tlv<'_>) -> Node {
    let value = if part.tag == 0 {
        alternative(part.schema, tlv)
    } else {
        inside(part.schema, tlv)
    };
    Node {
        name: part.name.to_owned(),
        tag: tlv.tag,
        value,
    }
}

fn takes(part: &Component, tag: u32) -> bool {
    part.tag == tag
        || part.tag == 0
            && matches!(part.schema.shape, Shape::Choice(parts) if parts.iter().any(|part| part.tag == tag))
}

/// The element is one of the CHOICE's alternatives.
fn alternative(schema: &Schema, tlv: &Tlv<'_>) -> Value {
    let Shape::Choice(parts) = schema.shape else {
        return inside(schema, tlv);
    };
    match parts.iter().find(|part| part.tag == tlv.tag) {
        Some(part) => Value::Choice(Box::new(component(part, tlv))),
        None => Value::Unknown(tlv.raw.to_vec()),
    }
}

/// What stands inside the element, which is of this type under whatever tag.
fn inside(schema: &Schema, tlv: &Tlv<'_>) -> Value {
    let damaged = |why: &str| Value::Damaged(why.to_owned(), tlv.value.to_vec());
    match schema.shape {
        Shape::Sequence(parts) => sequence(parts, tlv.value),
        Shape::Choice(_) => match tlv::read_one(tlv.value) {
            Ok(inner) => alternative(schema, &inner),
            Err(error) => damaged(&error.to_string()),
        },
        Shape::Explicit(own) => match tlv::read_one(tlv.value) {
            Ok(inner) => node_as(own, &inner).value,
            Err(error) => damaged(&error.to_string()),
        },
        Shape::List(element) => Value::List(list_of(tlv.value, |tlv| node_as(element, tlv))),
        Shape::Integer => {
            number(tlv.value).map_or_else(|| damaged("not an INTEGER"), Value::Number)
        }
        Shape::Codes(names) => match number(tlv.value) {
            Some(number) => match names.iter().find(|(code, _)| i128::from(*code) == number) {
                Some((code, name)) => Value::Name(name, *code),
                None => Value::Number(number),
            },
            None => damaged("not an INTEGER"),
        },
        Shape::Bits(names) => match Bits::from_contents(tlv.value) {
            Ok(bits) => Value::Bits(bits.names(names)),
            Err(_) => damaged("not a BIT STRING of up to 64 bits"),
        },
        Shape::Boolean => match tlv.value {
            [0] => Value::Boolean(false),
            [0xFF] => Value::Boolean(true),
            _ => damaged("not a BOOLEAN"),
        },
        Shape::Null if tlv.value.is_empty() => Value::Null,
        Shape::Null => damaged("not a NULL"),
        Shape::Oid => match Oid::from_bytes(tlv.value) {
            Some(oid) => Value::Text(oid.to_string()),
            None => damaged("not an OBJECT IDENTIFIER"),
        },
        Shape::Text => match core::str::from_utf8(tlv.value) {
            Ok(text) => Value::Text(text.to_owned()),
            Err(_) => damaged("not UTF-8"),
        },
        Shape::Octets | Shape::TagList => Value::Bytes(tlv.value.to_vec()),
        Shape::Digits => Value::Text(hex::encode_upper(tlv.value)),
        Shape::SwappedDigits => match tlv.value.try_into() {
            Ok(digits) => Value::Text(Iccid(digits).to_string()),
            Err(_) => damaged("not 10 bytes"),
        },
        Shape::Version => match tlv.value {
            [major, minor, revision] => Value::Text(format!("{major}.{minor}.{revision}")),
            _ => damaged("not 3 bytes"),
        },
        // Whatever the tag: as the SEQUENCE that it is.
        Shape::Kept => match tlv::read_one(tlv.value) {
            Ok(inner) if inner.tag == 0x30 => Value::Bytes(inner.raw.to_vec()),
            _ => Value::Bytes(tlv::write(0x30, tlv.value)),
        },
        Shape::Open => Value::Bytes(tlv.value.to_vec()),
    }
}

fn sequence(parts: &'static [Component], contents: &[u8]) -> Value {
    let mut waiting = parts.iter();
    let mut missing = Vec::new();
    let mut found = list_of(contents, |tlv| {
        // Components come in their order: those passed over are missing.
        let mut ahead = waiting.clone();
        let mut passed = Vec::new();
        for part in ahead.by_ref() {
            if takes(part, tlv.tag) {
                missing.append(&mut passed);
                waiting = ahead;
                return component(part, tlv);
            }
            passed.push(part);
        }
        match parts.iter().find(|part| takes(part, tlv.tag)) {
            Some(part) => Node {
                name: part.name.to_owned(),
                tag: tlv.tag,
                value: Value::Damaged("out of order or twice".to_owned(), tlv.raw.to_vec()),
            },
            None => Node {
                name: "unknown".to_owned(),
                tag: tlv.tag,
                value: Value::Unknown(tlv.raw.to_vec()),
            },
        }
    });
    missing.extend(waiting);
    found.extend(
        missing
            .into_iter()
            .filter(|part| !part.optional)
            .map(|part| Node {
                name: part.name.to_owned(),
                tag: part.tag,
                value: Value::Missing,
            }),
    );
    Value::Sequence(found)
}

/// A data object of unknown type: constructed ones are taken apart.
fn open(name: &str, tlv: &Tlv<'_>) -> Node {
    // Only as deep as any message is, so that garbage can't exhaust the stack.
    fn below(tlv: &Tlv<'_>, depth: u8) -> Value {
        if tlv.is_constructed() && depth > 0 && tlv.children().all(|child| child.is_ok()) {
            Value::Sequence(list_of(tlv.value, |child| Node {
                name: format!("{:X}", child.tag),
                tag: child.tag,
                value: below(child, depth - 1),
            }))
        } else {
            Value::Unknown(tlv.value.to_vec())
        }
    }
    Node {
        name: name.to_owned(),
        tag: tlv.tag,
        value: below(tlv, 16),
    }
}

/// Two's complement, up to 16 bytes.
fn number(bytes: &[u8]) -> Option<i128> {
    let first = *bytes.first()?;
    if bytes.len() > 16 {
        return None;
    }
    let start = if first & 0x80 == 0 { 0 } else { -1 };
    Some(
        bytes
            .iter()
            .fold(start, |number: i128, byte| number << 8 | i128::from(*byte)),
    )
}

impl Node {
    /// How many elements are unknown, damaged or missing: 0 for a message of v1.2 that is in order.
    pub fn defects(&self) -> usize {
        match &self.value {
            Value::Sequence(nodes) | Value::List(nodes) => nodes.iter().map(Node::defects).sum(),
            Value::Choice(node) => node.defects(),
            Value::Unknown(_) | Value::Damaged(..) | Value::Missing => 1,
            _ => 0,
        }
    }

    /// Bytes that the names don't account for, and elements that aren't there.
    fn unexplained(&self) -> usize {
        match &self.value {
            Value::Sequence(nodes) | Value::List(nodes) => {
                nodes.iter().map(Node::unexplained).sum()
            }
            Value::Choice(node) => node.unexplained(),
            Value::Unknown(bytes) | Value::Damaged(_, bytes) => bytes.len() + 1,
            Value::Missing => 1,
            _ => 0,
        }
    }

    /// The first node with this name, in the order of the bytes, this one included.
    pub fn find(&self, name: &str) -> Option<&Node> {
        if self.name == name {
            return Some(self);
        }
        match &self.value {
            Value::Sequence(nodes) | Value::List(nodes) => {
                nodes.iter().find_map(|node| node.find(name))
            }
            Value::Choice(node) => node.find(name),
            _ => None,
        }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, indent: usize) -> fmt::Result {
        write!(f, "{:indent$}{}", "", self.name)?;
        if self.tag != 0 && self.name != format!("{:X}", self.tag) {
            write!(f, " [{:X}]", self.tag)?;
        }
        match &self.value {
            Value::Sequence(nodes) | Value::List(nodes) => {
                writeln!(f, "{}", if nodes.is_empty() { ": empty" } else { "" })?;
                nodes.iter().try_for_each(|node| node.write(f, indent + 2))
            }
            Value::Choice(node) => {
                writeln!(f)?;
                node.write(f, indent + 2)
            }
            Value::Null => writeln!(f),
            Value::Number(number) => writeln!(f, ": {number}"),
            Value::Name(name, code) => writeln!(f, ": {name}({code})"),
            Value::Bits(names) if names.is_empty() => writeln!(f, ": none"),
            Value::Bits(names) => writeln!(f, ": {}", names.join(" ")),
            Value::Boolean(value) => writeln!(f, ": {value}"),
            Value::Text(text) => writeln!(f, ": {text:?}"),
            Value::Bytes(bytes) => writeln!(f, ": {}", Shortened(bytes)),
            Value::Unknown(bytes) => writeln!(f, ": unknown {}", Shortened(bytes)),
            Value::Damaged(why, bytes) => writeln!(f, ": damaged, {why}: {}", Shortened(bytes)),
            Value::Missing => writeln!(f, ": missing"),
        }
    }
}

impl fmt::Display for Node {
    /// One line an element, indented by two, long byte strings shortened.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

struct Shortened<'a>(&'a [u8]);

impl fmt::Display for Shortened<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 64;
        match self.0.get(..SHOWN) {
            Some(head) if self.0.len() > SHOWN => {
                write!(f, "{}… ({} bytes)", hex::encode_upper(head), self.0.len())
            }
            _ => f.write_str(&hex::encode_upper(self.0)),
        }
    }
}

/// As the vectors of an ASN.1 tool have it: a SEQUENCE is a map by component, a CHOICE a map of one
/// entry, numbers with a name are the name, bytes hexadecimal. Nothing is shortened.
impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.value {
            Value::Sequence(nodes) => {
                let mut map = serializer.serialize_map(Some(nodes.len()))?;
                for node in nodes {
                    map.serialize_entry(&node.name, node)?;
                }
                map.end()
            }
            Value::Choice(node) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry(&node.name, node)?;
                map.end()
            }
            Value::List(nodes) => {
                let mut seq = serializer.serialize_seq(Some(nodes.len()))?;
                for node in nodes {
                    seq.serialize_element(node)?;
                }
                seq.end()
            }
            Value::Number(number) => match i64::try_from(*number) {
                Ok(number) => serializer.serialize_i64(number),
                Err(_) => serializer.collect_str(number),
            },
            Value::Name(name, _) => serializer.serialize_str(name),
            Value::Bits(names) => names.serialize(serializer),
            Value::Boolean(value) => serializer.serialize_bool(*value),
            Value::Null => serializer.serialize_unit(),
            Value::Text(text) => serializer.serialize_str(text),
            Value::Bytes(bytes) => serializer.serialize_str(&hex::encode_upper(bytes)),
            Value::Unknown(bytes) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("unknown", &hex::encode_upper(bytes))?;
                map.end()
            }
            Value::Damaged(why, bytes) => {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("damaged", why)?;
                map.serialize_entry("bytes", &hex::encode_upper(bytes))?;
                map.end()
            }
            Value::Missing => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("missing", &true)?;
                map.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_told_apart() {
        let name = |text: &str| nodes(&hex::decode(text).unwrap())[0].name.clone();
        assert_eq!(name("BF4F03020101"), "GetEimPackageResponse");
        assert_eq!(
            name("BF4F125A1089049032123451234512345678901235"),
            "GetEimPackageRequest"
        );
        assert_eq!(name("BF2B04A0028200"), "RetrieveNotificationsListRequest");
        assert_eq!(name("BF2B02A000"), "RetrieveNotificationsListResponse");
        assert_eq!(name("BF2B00"), "RetrieveNotificationsListRequest");
        assert_eq!(name("BF5500"), "GetEimConfigurationDataRequest");
        assert_eq!(name("BF5502A000"), "GetEimConfigurationDataResponse");
        assert_eq!(name("BF3003800100"), "NotificationSentRequest");
    }

    #[test]
    fn as_text() {
        let text = describe(&hex::decode("BF5006BF5303800107").unwrap());
        assert_eq!(
            text,
            "ProvideEimPackageResultResponse [BF50]\n  eimAcknowledgements [BF53]\n    SequenceNumber [80]: 7\n"
        );
        let text = describe(&hex::decode("BF4F03020101").unwrap());
        assert_eq!(
            text,
            "GetEimPackageResponse [BF4F]\n  eimPackageError [2]: noEimPackageAvailable(1)\n"
        );
        let text = describe(&hex::decode("BF510630048002FF02").unwrap());
        assert!(
            text.contains("eimId [80]: damaged, not UTF-8: FF02"),
            "{text}"
        );
        let text = describe(&hex::decode("BF510B3009800365494D4F020102").unwrap());
        assert!(
            text.contains("eimId [80]: \"eIM\"")
                && text.contains("unknown 4F020102")
                && text.contains("eidValue [5A]: missing"),
            "{text}"
        );
        assert!(describe(&hex::decode("E203810155").unwrap()).contains("81: unknown 55"));
    }
}
