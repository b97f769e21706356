//! Revocation lists: LoadCRL, and whether a server's certificate is on one (SGP.22 5.7.12, 4.6).
//!
//! For each CI one list is kept, by its number. A list may come in parts; until the last one the list before it counts
//! as well. A delta list adds to the list that it is based on, or takes entries out.

use super::Euicc;
use super::es10::{Function, answer};
use super::state::State;
use crate::pki::package::integer;
use crate::pki::{Cert, EuiccCredential};
use applet_model::sgp::Decode;
use applet_model::sgp::certs::LoadCrlResponseError;
use applet_model::tlv::{self, Tlv};
use der::asn1::{ObjectIdentifier, Uint};
use der::oid::AssociatedOid;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use x509_cert::crl::{CertificateList, TbsCertList};
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BaseCrlNumber, CrlNumber, CrlReason, IssuingDistributionPoint,
};

/// `id-rsp-totalPartialCrlNumber`.
const TOTAL_PARTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.146.1.2.0.2");
/// `id-rsp-partialCrlNumber`.
const PART: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.146.1.2.0.3");
/// Parts that one list may come in: more than any card has room for.
const PARTS: u64 = 64;

/// The revocation list of one CI.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RevocationList {
    /// Subject key identifier of the CI, hexadecimal digits.
    pub ci_key_id: String,
    /// `cRLNumber`.
    pub number: u64,
    /// Serial numbers of revoked certificates, hexadecimal digits.
    pub serials: BTreeSet<String>,
    /// While the list is coming: parts that have come, of how many, and what was in them.
    #[serde(default)]
    pub coming: Option<Coming>,
}

/// A list of which parts are missing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Coming {
    /// `cRLNumber`.
    pub number: u64,
    /// How many parts there are.
    pub total: u64,
    /// Those that have come, from 1.
    pub parts: BTreeSet<u64>,
    /// Their entries.
    pub serials: BTreeSet<String>,
}

/// What of a `CertificateList` counts here.
struct Read {
    ci_key_id: Vec<u8>,
    number: u64,
    base: Option<u64>,
    /// Part and total.
    part: (u64, u64),
    revoked: BTreeSet<String>,
    /// Entries that a delta list takes out (removeFromCRL).
    restored: BTreeSet<String>,
}

/// The extension of a list, decoded; an error if it is there and can't be.
fn extension<T>(tbs: &TbsCertList, oid: ObjectIdentifier) -> Result<Option<T>, LoadCrlResponseError>
where
    T: for<'a> Decode<'a, Error = der::Error>,
{
    let mut found = tbs.crl_extensions.iter().flatten();
    match found.find(|extension| extension.extn_id == oid) {
        None => Ok(None),
        Some(extension) => T::from_der(extension.extn_value.as_bytes())
            .map(Some)
            .map_err(|_| LoadCrlResponseError::InvalidCrlFormat),
    }
}

fn small(number: &Uint) -> Option<u64> {
    let bytes = number.as_bytes();
    (bytes.len() <= 8).then(|| bytes.iter().fold(0, |n, b| n << 8 | u64::from(*b)))
}

fn read(tbs: &TbsCertList) -> Result<Read, LoadCrlResponseError> {
    let wrong = || LoadCrlResponseError::InvalidCrlFormat;
    let known = [
        BaseCrlNumber::OID,
        IssuingDistributionPoint::OID,
        TOTAL_PARTS,
        PART,
    ];
    let mut extensions = tbs.crl_extensions.iter().flatten();
    if extensions.any(|e| e.critical && !known.contains(&e.extn_id)) {
        return Err(wrong());
    }
    let issuer: Option<AuthorityKeyIdentifier> = extension(tbs, AuthorityKeyIdentifier::OID)?;
    let ci_key_id = issuer.and_then(|id| id.key_identifier).ok_or_else(wrong)?;
    let number: Option<CrlNumber> = extension(tbs, CrlNumber::OID)?;
    let base: Option<BaseCrlNumber> = extension(tbs, BaseCrlNumber::OID)?;
    let base = base
        .map(|base| small(&base.0).ok_or_else(wrong))
        .transpose()?;
    let part = match (
        extension::<u64>(tbs, PART)?,
        extension::<u64>(tbs, TOTAL_PARTS)?,
    ) {
        (None, None) => (1, 1),
        (Some(part), Some(total)) if (1..=total).contains(&part) && total <= PARTS => (part, total),
        _ => return Err(wrong()),
    };
    let mut out = Read {
        ci_key_id: ci_key_id.as_bytes().to_vec(),
        number: number.and_then(|n| small(&n.0)).ok_or_else(wrong)?,
        base,
        part,
        revoked: BTreeSet::new(),
        restored: BTreeSet::new(),
    };
    for entry in tbs.revoked_certificates.iter().flatten() {
        let mut reasons = entry.crl_entry_extensions.iter().flatten();
        let reason = reasons.find(|e| e.extn_id == CrlReason::OID);
        let reason = reason.and_then(|e| CrlReason::from_der(e.extn_value.as_bytes()).ok());
        let serial = hex::encode_upper(entry.serial_number.as_bytes());
        match reason {
            Some(CrlReason::RemoveFromCRL) => out.restored.insert(serial),
            _ => out.revoked.insert(serial),
        };
    }
    Ok(out)
}

impl RevocationList {
    /// Takes in a list that is genuine and newer.
    fn take(&mut self, read: Read) {
        let (part, total) = read.part;
        let new = || Coming {
            number: read.number,
            total,
            ..Coming::default()
        };
        let coming = self.coming.get_or_insert_with(new);
        if coming.number != read.number || coming.total != total {
            *coming = new();
        }
        coming.parts.insert(part);
        coming.serials.extend(read.revoked);
        if read.base.is_some() {
            coming.serials.extend(self.serials.iter().cloned());
            coming
                .serials
                .retain(|serial| !read.restored.contains(serial));
        }
        if coming.parts.len() as u64 == total {
            self.number = read.number;
            self.serials = std::mem::take(&mut coming.serials);
            self.coming = None;
        }
    }

    /// Parts that are still to come.
    fn missing(&self) -> Vec<u64> {
        let Some(coming) = &self.coming else {
            return Vec::new();
        };
        (1..=coming.total)
            .filter(|part| !coming.parts.contains(part))
            .collect()
    }

    fn entries(&self) -> usize {
        self.serials.len() + self.coming.as_ref().map_or(0, |c| c.serials.len())
    }

    fn holds(&self, serial: &str) -> bool {
        let coming = self.coming.as_ref();
        self.serials.contains(serial) || coming.is_some_and(|c| c.serials.contains(serial))
    }
}

impl Euicc {
    /// True if a certificate of this CI's is on the CI's revocation list.
    pub(super) fn is_revoked(&self, ci: &EuiccCredential, certificate: &Cert) -> bool {
        let id = hex::encode_upper(&ci.ci_key_id);
        let serial = hex::encode_upper(certificate.serial());
        let mut lists = self.state.revoked.iter();
        lists.any(|list| list.ci_key_id == id && list.holds(&serial))
    }

    /// ES10b.LoadCRL (SGP.22 5.7.12).
    pub(super) fn load_crl(&self, request: &Tlv<'_>) -> Function {
        match self.loaded_crl(request) {
            Ok((missing, state)) => {
                let parts: Vec<u8> = missing
                    .iter()
                    .flat_map(|part| tlv::write(0x02, &integer(*part)))
                    .collect();
                let ok = match parts.is_empty() {
                    true => Vec::new(),
                    false => tlv::write(0xA0, &parts),
                };
                Ok((tlv::write(0xBF35, &tlv::write(0xA0, &ok)), Some(state)))
            }
            Err(code) => answer(0xBF35, &tlv::write(0x81, &[code.code() as u8])),
        }
    }

    fn loaded_crl(&self, request: &Tlv<'_>) -> Result<(Vec<u64>, State), LoadCrlResponseError> {
        type E = LoadCrlResponseError;
        let format = |_| E::InvalidCrlFormat;
        let inside = tlv::require(request.value, 0xA0).map_err(format)?;
        let whole = tlv::write(0x30, inside.value);
        let list = CertificateList::from_der(&whole).map_err(|_| E::InvalidCrlFormat)?;
        let read = read(&list.tbs_cert_list)?;
        let ci = self
            .credential(&read.ci_key_id)
            .ok_or(E::VerificationKeyNotFound)?;
        let certificate =
            Cert::from_der(&ci.ci_certificate, "CI").map_err(|_| E::VerificationKeyNotFound)?;
        let (tbs, _) = tlv::read(inside.value).map_err(format)?;
        let genuine = list.tbs_cert_list.issuer
            == *certificate.parsed().tbs_certificate().subject()
            && certificate
                .public_key()
                .is_ok_and(|key| key.verify_der(tbs.raw, list.signature.raw_bytes()));
        if !genuine {
            return Err(E::InvalidSignature);
        }
        let mut state = self.state.clone();
        let id = hex::encode_upper(&ci.ci_key_id);
        let at = state.revoked.iter().position(|l| l.ci_key_id == id);
        let at = at.unwrap_or_else(|| {
            state.revoked.push(RevocationList {
                ci_key_id: id,
                ..RevocationList::default()
            });
            state.revoked.len() - 1
        });
        let kept = state.revoked.get_mut(at).ok_or(E::UndefinedError)?;
        let newest = kept.coming.as_ref().map_or(kept.number, |c| c.number);
        if read.number < newest {
            return Err(E::FresherCrlAlreadyLoaded);
        }
        if read
            .base
            .is_some_and(|base| kept.number == 0 || kept.number < base)
        {
            return Err(E::BaseCrlMissing);
        }
        kept.take(read);
        let missing = kept.missing();
        let entries: usize = state.revoked.iter().map(RevocationList::entries).sum();
        if self.faults.memory_full || entries > self.limits().revoked {
            return Err(E::NotEnoughMemorySpace);
        }
        Ok((missing, state))
    }
}
