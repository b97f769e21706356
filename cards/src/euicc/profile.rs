//! A profile as the ISD-R knows it: its metadata, state and policy.

use super::hexbytes;
use crate::saip::asn1::Secret;
use applet_model::sgp::Iccid;
use applet_model::tlv;
use serde::{Deserialize, Serialize};

/// `profileClass`, 95 (SGP.22 2.4.5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProfileClass {
    /// test(0).
    Test,
    /// provisioning(1).
    Provisioning,
    /// operational(2).
    #[default]
    Operational,
}

impl ProfileClass {
    /// The value on the wire.
    pub fn code(self) -> u8 {
        match self {
            ProfileClass::Test => 0,
            ProfileClass::Provisioning => 1,
            ProfileClass::Operational => 2,
        }
    }
}

/// Profile management operations that make notifications, with their bit of `NotificationEvent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Event {
    /// notificationInstall(0).
    Install,
    /// notificationEnable(1).
    Enable,
    /// notificationDisable(2).
    Disable,
    /// notificationDelete(3).
    Delete,
}

impl Event {
    /// The bit as a mask on the first byte of the BIT STRING.
    pub fn mask(self) -> u8 {
        0x80 >> (self as u8)
    }
}

/// The content of a DER BIT STRING with named bits in one byte: trailing zero bits cut off.
pub(super) fn named_bits(mask: u8) -> Vec<u8> {
    match mask {
        0 => vec![0],
        _ => vec![mask.trailing_zeros() as u8, mask],
    }
}

/// `NotificationConfigurationInformation`: who is told of what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotificationConfig {
    /// Operations that this address is told of.
    pub events: Vec<Event>,
    /// `notificationAddress`: an SM-DP+ or notification receiver's domain name.
    pub address: String,
}

/// `OperatorId`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// Mobile country and network codes, three bytes as in 3GPP TS 24.008 (BCD, nibbles swapped).
    #[serde(with = "hexbytes")]
    pub mcc_mnc: Vec<u8>,
    /// Group identifier 1.
    #[serde(with = "hexbytes", default, skip_serializing_if = "Vec::is_empty")]
    pub gid1: Vec<u8>,
    /// Group identifier 2.
    #[serde(with = "hexbytes", default, skip_serializing_if = "Vec::is_empty")]
    pub gid2: Vec<u8>,
}

impl Owner {
    /// True if a rule for this operator is for a profile of that owner: `E` stands for any digit (SGP.22 2.9.2.1), and a group
    /// identifier counts only where the rule has one.
    pub(super) fn covers(&self, owner: &Owner) -> bool {
        let digit = |ours: u8, theirs: u8| ours == 0xE || ours == theirs;
        self.mcc_mnc.len() == owner.mcc_mnc.len()
            && self
                .mcc_mnc
                .iter()
                .zip(&owner.mcc_mnc)
                .all(|(a, b)| digit(a >> 4, b >> 4) && digit(a & 15, b & 15))
            && (self.gid1.is_empty() || self.gid1 == owner.gid1)
            && (self.gid2.is_empty() || self.gid2 == owner.gid2)
    }

    /// The inside of an `OperatorId`.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = tlv::write(0x80, &self.mcc_mnc);
        for (tag, gid) in [(0x81, &self.gid1), (0x82, &self.gid2)] {
            if !gid.is_empty() {
                out.extend(tlv::write(tag, gid));
            }
        }
        out
    }
}

/// Profile policy rules (SGP.22 2.9.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyRules {
    /// PPR1: disabling of this profile is not allowed.
    pub ppr1_no_disable: bool,
    /// PPR2: deletion of this profile is not allowed.
    pub ppr2_no_delete: bool,
}

impl PolicyRules {
    /// `PprIds` as a mask on its first byte.
    pub fn mask(self) -> u8 {
        u8::from(self.ppr1_no_disable) << 6 | u8::from(self.ppr2_no_delete) << 5
    }
}

/// A profile's icon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Icon {
    /// `iconType` png(1), or jpg(0).
    pub png: bool,
    /// `icon`, up to 1024 bytes.
    #[serde(with = "hexbytes")]
    pub bytes: Vec<u8>,
}

fn is_zero(n: &usize) -> bool {
    *n == 0
}

fn is_false(b: &bool) -> bool {
    !b
}

/// A profile: what a TOML file says of it, and what the eUICC keeps of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its ICCID.
    pub iccid: Iccid,
    /// IMSI, decimal digits: what the terminal reads in EF IMSI while the profile is visible.
    pub imsi: String,
    /// `serviceProviderName`, up to 32 bytes.
    pub service_provider: String,
    /// `profileName`, up to 64 bytes.
    pub name: String,
    /// `profileNickname`, up to 64 bytes; empty: none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub nickname: String,
    /// True if it is enabled; at most one is.
    #[serde(default)]
    pub enabled: bool,
    /// Its class.
    #[serde(default)]
    pub class: ProfileClass,
    /// AID of its ISD-P; empty in a configuration: one is assigned.
    #[serde(with = "hexbytes", default, skip_serializing_if = "Vec::is_empty")]
    pub isdp_aid: Vec<u8>,
    /// `profileOwner`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
    /// Its policy rules.
    #[serde(default)]
    pub policy: PolicyRules,
    /// Who is told of what.
    #[serde(default)]
    pub notifications: Vec<NotificationConfig>,
    /// `fallbackAttribute`: it is the Fallback Profile.
    #[serde(default, skip_serializing_if = "is_false")]
    pub fallback: bool,
    /// `fallbackAllowed`: it may become the Fallback Profile. Absent is no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback_allowed: Option<bool>,
    /// `ecallIndication`: it is an Emergency Profile.
    #[serde(default, skip_serializing_if = "is_false")]
    pub ecall: bool,
    /// The profile package that it was made from, which its files, PINs and keys come from ([`crate::saip`]); empty: it has
    /// the lab's default files.
    #[serde(default, skip_serializing_if = "Secret::is_empty")]
    pub package: Secret,
    /// `httpParams` of GetConnectivityParameters (SGP.32 5.9.24); empty: not available.
    #[serde(with = "hexbytes", default, skip_serializing_if = "Vec::is_empty")]
    pub http_params: Vec<u8>,
    /// A test profile that came by download rather than from the factory: which option of
    /// eUICCMemoryReset deletes it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub field_loaded: bool,
    /// `iconType` and `icon`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icon: Option<Icon>,
    /// Content of `dpProprietaryData`; empty: none.
    #[serde(with = "hexbytes", default, skip_serializing_if = "Vec::is_empty")]
    pub dp_proprietary: Vec<u8>,
    /// Content of `serviceSpecificDataStoredInEuicc`; empty: none.
    #[serde(with = "hexbytes", default, skip_serializing_if = "Vec::is_empty")]
    pub service_specific: Vec<u8>,
    /// Bytes of the eUICC's memory for profiles that it takes; none if it came with the eUICC.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub size: usize,
}

impl Profile {
    /// The data objects of `ProfileInfo` (inside of E3) that `tags` ask for and that are there, in the
    /// ASN.1's order.
    pub(super) fn info(&self, tags: &[u32]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut add = |tag: u32, value: &[u8]| {
            if tags.contains(&tag) {
                out.extend(tlv::write(tag, value));
            }
        };
        add(0x5A, self.iccid.as_bytes());
        add(0x4F, &self.isdp_aid);
        add(0x9F70, &[u8::from(self.enabled)]);
        if !self.nickname.is_empty() {
            add(0x90, self.nickname.as_bytes());
        }
        add(0x91, self.service_provider.as_bytes());
        add(0x92, self.name.as_bytes());
        if let Some(icon) = &self.icon {
            add(0x93, &[u8::from(icon.png)]);
            add(0x94, &icon.bytes);
        }
        add(0x95, &[self.class.code()]);
        if !self.notifications.is_empty() {
            let list: Vec<u8> = self
                .notifications
                .iter()
                .flat_map(|n| {
                    let mask = n.events.iter().fold(0, |m, e| m | e.mask());
                    let mut item = tlv::write(0x80, &named_bits(mask));
                    item.extend(tlv::write(0x81, n.address.as_bytes()));
                    tlv::write(0x30, &item)
                })
                .collect();
            add(0xB6, &list);
        }
        if let Some(owner) = &self.owner {
            add(0xB7, &owner.encode());
        }
        if !self.dp_proprietary.is_empty() {
            add(0xB8, &self.dp_proprietary);
        }
        if self.policy.mask() != 0 {
            add(0x99, &named_bits(self.policy.mask()));
        }
        if !self.service_specific.is_empty() {
            add(0xBF22, &self.service_specific);
        }
        if self.ecall {
            add(0x9F7B, &[0xFF]);
        }
        if self.fallback {
            add(0x9F26, &[0xFF]);
        }
        if let Some(allowed) = self.fallback_allowed {
            add(0x9F67, &[if allowed { 0xFF } else { 0 }]);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bit_strings_are_der() {
        assert_eq!(named_bits(0), [0]);
        assert_eq!(named_bits(Event::Install.mask()), [7, 0x80]);
        assert_eq!(named_bits(Event::Delete.mask()), [4, 0x10]);
        assert_eq!(named_bits(0x60), [5, 0x60]);
    }
}
