//! Packages as TOML that people write and read: a description becomes a package, and any package a description.
//!
//! ```toml
//! [header]
//! version = "2.3"
//! profile_type = "Lab"
//! iccid = "8901000100000000009"
//! services = ["usim", "milenage"]
//!
//! [[element]]
//! type = "mf"
//! [element.files]
//! mf = [{ fcp = { pins = "010A" } }]
//! ef-iccid = [{ content = "iccid:8901000100000000009" }]
//! # …
//! ```
//!
//! Elements are numbered by themselves where they don't say `id`, take the newest template of the version where they don't
//! say `template`, and are mandated unless they say otherwise. What a description can't say in words stands in `raw`, the
//! element's DER: so the way back gives the same bytes, for any package that has its end.

mod back;
mod build;
#[cfg(test)]
mod tests;
mod text;

use crate::definition::Hex;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The lab's own profile: test identities and public keys.
pub const LAB_TOML: &str = include_str!("lab.toml");
/// In place of a key or PIN that isn't to be seen.
pub const MASK: &str = "********";

/// A description that is no package.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct DescriptionError {
    /// Which element, by number from 1 with its type, or the header.
    pub place: String,
    /// What is wrong, and what was expected.
    pub problem: String,
}

/// A package in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// `ProfileHeader`.
    pub header: HeaderText,
    /// The other elements; the end is added if it isn't among them.
    #[serde(rename = "element", default)]
    pub elements: Vec<ElementText>,
}

/// `ProfileHeader` in words.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HeaderText {
    /// Major and minor version of the format, `2.3`.
    pub version: String,
    /// `profileType`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub profile_type: String,
    /// ICCID in digits.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub iccid: String,
    /// Names of the mandatory services.
    pub services: Vec<String>,
    /// Identifiers of the mandatory templates; those of the elements if there is no such list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub templates: Option<Vec<String>>,
    /// `pol`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pol: Option<Hex>,
    /// `connectivityParameters`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connectivity: Option<Hex>,
    /// The header's DER, instead of all of the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw: Option<Hex>,
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's shape")]
fn is_true(value: &bool) -> bool {
    *value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's shape")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// An element in words; which parts it has depends on its type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ElementText {
    /// Name of the alternative of `ProfileElement`: `mf`, `usim`, `pinCodes`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// `identification`; by default the element's place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u16>,
    /// If a card has to refuse the package when it doesn't have what this asks for.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub mandated: bool,
    /// `templateID` of a list of files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// Files of a template, each in parts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, Vec<PartText>>,
    /// Commands of generic file management.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<Vec<PartText>>,
    /// PINs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pins: Vec<PinText>,
    /// The directory whose PINs count here, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pins_of: Option<String>,
    /// Unblock keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub puks: Vec<PukText>,
    /// Authentication keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aka: Option<AkaText>,
    /// A security domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<DomainText>,
    /// Remote file management.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rfm: Option<RfmText>,
    /// The element's DER, instead of all of the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<Hex>,
}

/// A part of a file: what it is, then bytes to skip, then bytes to write.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PartText {
    /// The template's file isn't made.
    #[serde(skip_serializing_if = "is_false")]
    pub do_not_create: bool,
    /// Generic file management: the directory or file that follows, `7F10/5F3A`; empty for the MF.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// `Fcp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fcp: Option<FcpText>,
    /// `fillFileOffset`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u16>,
    /// `fillFileContent`: hexadecimal digits, or `imsi:` or `iccid:` and digits, or `text:`, `spn:` and characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
}

/// `Fcp` in words.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FcpText {
    /// `transparent`, `linear-fixed`, `cyclic`, `ber-tlv` or `directory`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Length of a record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<u16>,
    /// `fileDescriptor` as it is, instead of the two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub descriptor: Option<Hex>,
    /// File identifier, temporary for an application's directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fid: Option<Hex>,
    /// AID of an application's directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aid: Option<Hex>,
    /// Life cycle status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<Hex>,
    /// Record of an EF.ARR, with the file's identifier before it or without: `6F06/2`, `2`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access: Option<String>,
    /// Size in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u16>,
    /// References of a directory's PINs, or its PIN status template.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pins: Option<Hex>,
    /// Short file identifier; 0 for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sfi: Option<u8>,
    /// `proprietaryEFInfo` is there with nothing in it.
    #[serde(skip_serializing_if = "is_false")]
    pub empty_info: bool,
    /// `specialFileInformation`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub special: Option<Hex>,
    /// `fillPattern`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fill: Option<Hex>,
    /// `repeatPattern`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat: Option<Hex>,
    /// `maximumFileSize`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum: Option<Hex>,
    /// `fileDetails`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Hex>,
    /// The file whose contents are shown, `7FD0/6F3B`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// A PIN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinText {
    /// Key reference: 1 to 8, 10 to 14, 129 to 136, 138 to 142.
    pub reference: u8,
    /// Its characters, or `hex:` and eight bytes.
    pub value: String,
    /// Reference of its unblock key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub puk: Option<u8>,
    /// `pinAttributes`: 1 enabled, 2 may be changed, 4 may be disabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<u8>,
    /// Presentations in all, and left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<[u8; 2]>,
}

/// An unblock key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PukText {
    /// Its reference.
    pub reference: u8,
    /// Its characters, or `hex:` and eight bytes.
    pub value: String,
    /// Presentations in all, and left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<[u8; 2]>,
}

/// Authentication keys.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AkaText {
    /// `milenage`, `tuak` or `test`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub algorithm: String,
    /// `algorithmOptions`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub options: Option<Hex>,
    /// K.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// OPc, or TOPc.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub opc: String,
    /// `rotationConstants`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotations: Option<Hex>,
    /// `xoringConstants`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub constants: Option<Hex>,
    /// `authCounterMax`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counter: Option<Hex>,
    /// `numberOfKeccak`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keccak: Option<u8>,
    /// The application whose keys they are, and `mappingOptions`, instead of keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mapping: Option<[Hex; 2]>,
    /// `sqnOptions`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sqn_options: Option<Hex>,
    /// `sqnDelta`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sqn_delta: Option<Hex>,
    /// `sqnAgeLimit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sqn_age_limit: Option<Hex>,
    /// `sqnInit`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sqn: Vec<Hex>,
}

/// A security domain.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DomainText {
    /// `applicationLoadPackageAID`.
    pub package: Hex,
    /// `classAID`.
    pub class: Hex,
    /// `instanceAID`.
    pub aid: Hex,
    /// `applicationPrivileges`.
    pub privileges: Hex,
    /// `lifeCycleState`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<Hex>,
    /// `applicationSpecificParametersC9`.
    pub parameters: Hex,
    /// `uiccToolkitApplicationSpecificParametersField`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub toolkit: Option<Hex>,
    /// Keys.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<KeyText>,
    /// `sdPersoData`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub data: Vec<Hex>,
}

/// A key of a security domain, of one component.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeyText {
    /// `keyVersionNumber`.
    pub version: Hex,
    /// `keyIdentifier`.
    pub id: Hex,
    /// `keyUsageQualifier`.
    pub usage: Hex,
    /// `keyAccess`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access: Option<Hex>,
    /// `keyType`.
    #[serde(rename = "type")]
    pub kind: Hex,
    /// `keyData`.
    pub value: String,
    /// `macLength`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac_length: Option<u8>,
}

/// Remote file management.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RfmText {
    /// `instanceAID`.
    pub aid: Hex,
    /// `securityDomainAID`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<Hex>,
    /// `tarList`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tars: Vec<Hex>,
    /// `minimumSecurityLevel`.
    pub security: Hex,
    /// `uiccAccessDomain`.
    pub access: Hex,
    /// `uiccAdminAccessDomain`.
    pub admin: Hex,
    /// `adfRFMAccess`: AID, access domain, administrative access domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adf: Option<[Hex; 3]>,
}
