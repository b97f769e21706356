//! `[security_domains]` and `[quirks]` of a card definition: what of GlobalPlatform a product has, and
//! where it is odder than the specification.

use super::Hex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Supplementary security domains. A product without this table has none beside the issuer's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecurityDomains {
    /// How many there may be at once.
    pub max: u8,
    /// AID of the load file that they are installed from.
    pub package: Hex,
    /// AID of its module.
    pub module: Hex,
    /// Privileges that one of them may get, by the specification's names ("Authorized Management", …) beside
    /// Security Domain itself.
    pub privileges: Vec<String>,
    /// What a new one authenticates with.
    pub initial_keys: InitialKeys,
}

/// Keys of a security domain that has none of its own yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum InitialKeys {
    /// Those of the domain that it is associated with.
    Parent,
    /// None: its keys come by INSTALL [for personalization] and STORE DATA.
    None,
}

/// Oddities of real cards. Each is off unless stated.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Quirks {
    /// A load that broke off stays in the registry as a load file without modules, until it is deleted.
    pub half_load_stays: bool,
    /// INSTALL [for install] without C9 is refused (6A80), as the specification has it; most cards take it.
    pub c9_required: bool,
    /// GET STATUS knows only the older form, without tags: P2 02 is refused (6A86).
    pub status_old_form: bool,
    /// Bytes of a page of GET STATUS at most; 0 for what the interface carries.
    pub status_page: u8,
    /// Content management commands answer without the byte 00 that says "no receipt".
    pub no_receipt_byte: bool,
    /// A command without data has to ask for exactly as many bytes as there are: Le 00 is answered 6Cxx, too.
    pub exact_le: bool,
    /// PUT KEY may replace a key by one of another length, which the specification forbids (GPCS 11.8.2.3.3).
    pub key_length_changes: bool,
}
