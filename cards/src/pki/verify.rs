//! Checks a chain CI → EUM → eUICC as SGP.22 4.5.2.2 asks, and says exactly what doesn't fit.

use super::profile::{attribute, role};
use super::{Cert, PublicKey};
use crate::euicc::Eid;
use applet_model::sgp::Oid;
use applet_model::tlv;
use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier};
use der::oid::AssociatedOid;
use der::{Decode, Encode, Sequence};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{
    BasicConstraints, CertificatePolicies, KeyUsage, NameConstraints, SubjectAltName,
};
use x509_cert::name::Name;

/// What is wrong with a chain, and in which of its certificates.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum ChainError {
    /// A field or an extension that must be there isn't, or can't be read.
    #[error("{certificate} certificate: {detail}")]
    Malformed {
        certificate: &'static str,
        detail: String,
    },
    /// The issuer's name is not the subject of the certificate above.
    #[error(
        "{certificate} certificate: issued by \"{found}\", but the {issuer} certificate is of \"{expected}\""
    )]
    Issuer {
        certificate: &'static str,
        issuer: &'static str,
        expected: String,
        found: String,
    },
    /// The authority key identifier is not the subject key identifier of the certificate above.
    #[error(
        "{certificate} certificate: authority key identifier {found}, but the {issuer}'s key has {expected}"
    )]
    KeyIdentifier {
        certificate: &'static str,
        issuer: &'static str,
        expected: String,
        found: String,
    },
    /// The signature does not verify with the key of the certificate above.
    #[error("{certificate} certificate: its signature was not made by the {issuer}'s key")]
    Signature {
        certificate: &'static str,
        issuer: &'static str,
    },
    /// The key usage extension doesn't allow what the certificate is used for.
    #[error("{certificate} certificate: key usage {expected} is missing")]
    KeyUsage {
        certificate: &'static str,
        expected: &'static str,
    },
    /// Not the role's certificate policy.
    #[error("{certificate} certificate: policy {expected} expected, found {found}")]
    Policy {
        certificate: &'static str,
        expected: String,
        found: String,
    },
    /// A critical extension that isn't known: the certificate must not be used (RFC 5280 4.2).
    #[error("{certificate} certificate: critical extension {oid} is not known")]
    CriticalExtension {
        certificate: &'static str,
        oid: String,
    },
    /// No registeredID in the subject alternative name.
    #[error("{certificate} certificate: no object identifier in the subject alternative name")]
    NoObjectIdentifier { certificate: &'static str },
    /// The certificate is another server's.
    #[error("{certificate} certificate: it is of {found:?}, not of {expected:?}")]
    ServerName {
        certificate: &'static str,
        expected: String,
        found: String,
    },
    /// A certificate that is, or isn't, a certification authority's.
    #[error("{certificate} certificate: basic constraints say CA = {found}")]
    BasicConstraints {
        certificate: &'static str,
        found: bool,
    },
    /// The subject of the eUICC's certificate is outside of what the EUM's name constraints permit.
    #[error(
        "eUICC certificate: subject \"{subject}\" is not permitted by the EUM certificate's name constraints ({detail})"
    )]
    NameConstraints { subject: String, detail: String },
    /// The time to check at is outside of the validity period.
    #[error("{certificate} certificate: valid from {from} to {to} (Unix seconds), not at {at}")]
    Expired {
        certificate: &'static str,
        from: u64,
        to: u64,
        at: u64,
    },
    /// The subject's serial number is no EID.
    #[error("eUICC certificate: subject serial number \"{found}\" is not an EID: {detail}")]
    Eid { found: String, detail: String },
}

impl ChainError {
    /// Which certificate of the chain it is.
    pub fn certificate(&self) -> &'static str {
        match self {
            ChainError::Malformed { certificate, .. }
            | ChainError::Issuer { certificate, .. }
            | ChainError::KeyIdentifier { certificate, .. }
            | ChainError::Signature { certificate, .. }
            | ChainError::KeyUsage { certificate, .. }
            | ChainError::Policy { certificate, .. }
            | ChainError::CriticalExtension { certificate, .. }
            | ChainError::NoObjectIdentifier { certificate }
            | ChainError::ServerName { certificate, .. }
            | ChainError::BasicConstraints { certificate, .. }
            | ChainError::Expired { certificate, .. } => certificate,
            ChainError::NameConstraints { .. } | ChainError::Eid { .. } => EUICC,
        }
    }
}

/// A certificate cut into the three parts that its signature is checked with.
#[derive(Sequence)]
struct Parts<'a> {
    tbs: AnyRef<'a>,
    algorithm: AnyRef<'a>,
    signature: BitStringRef<'a>,
}

/// RFC 5758 3.2.
const ECDSA_WITH_SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");

const CI: &str = "CI";
const EUM: &str = "EUM";
const EUICC: &str = "eUICC";

/// Verifies the chain from an eUICC's certificate up to its CI, whose certificate is trusted because the
/// caller says so (its own signature is checked nevertheless). `at` is the time in Unix seconds
/// that the certificates must be valid at; `None` doesn't look at the periods, as an eUICC that has no clock.
///
/// Returns the EID that the eUICC's certificate is for.
///
/// # Errors
/// The first thing that doesn't fit, from the root down.
pub fn verify_euicc_chain(
    ci: &Cert,
    eum: &Cert,
    euicc: &Cert,
    at: Option<u64>,
) -> Result<Eid, ChainError> {
    check_link(ci, CI, ci, CI)?;
    check_ci(ci)?;
    check_link(eum, EUM, ci, CI)?;
    check_usage(eum, EUM, "keyCertSign", KeyUsage::key_cert_sign)?;
    check_ca(eum, EUM, true)?;
    check_policy(eum, EUM, role::EUM)?;
    check_link(euicc, EUICC, eum, EUM)?;
    check_usage(
        euicc,
        EUICC,
        "digitalSignature",
        KeyUsage::digital_signature,
    )?;
    check_ca(euicc, EUICC, false)?;
    check_policy(euicc, EUICC, role::EUICC)?;
    check_name_constraints(eum, euicc)?;
    if let Some(at) = at {
        for (certificate, what) in [(ci, CI), (eum, EUM), (euicc, EUICC)] {
            check_time(certificate, what, at)?;
        }
    }
    let found = attribute_text(
        euicc.parsed().tbs_certificate().subject(),
        attribute::SERIAL_NUMBER,
    )
    .unwrap_or_default();
    Eid::checked(&found).map_err(|e| ChainError::Eid {
        found,
        detail: e.to_string(),
    })
}

/// What a server's certificate is for (SGP.22 4.5.2.1.0.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerRole {
    /// CERT.DPauth.ECDSA: an SM-DP+ in mutual authentication.
    Authentication,
    /// CERT.DPpb.ECDSA: an SM-DP+ that binds profile packages.
    Binding,
    /// CERT.DP.TLS: an SM-DP+ in TLS.
    Tls,
    /// CERT.DSauth.ECDSA: an SM-DS in mutual authentication.
    Discovery,
}

impl ServerRole {
    pub(super) fn name(self) -> &'static str {
        match self {
            ServerRole::Authentication => "SM-DP+ authentication",
            ServerRole::Binding => "SM-DP+ profile package binding",
            ServerRole::Tls => "SM-DP+ TLS",
            ServerRole::Discovery => "SM-DS authentication",
        }
    }

    pub(super) fn policy(self) -> ObjectIdentifier {
        match self {
            ServerRole::Authentication => role::DP_AUTH,
            ServerRole::Binding => role::DP_PB,
            ServerRole::Tls => role::DP_TLS,
            ServerRole::Discovery => role::DS_AUTH,
        }
    }

    /// The role for mutual authentication that a certificate's policy says: an SM-DS's if it is that, else an SM-DP+'s.
    pub(crate) fn authenticating(certificate: &Cert) -> ServerRole {
        let what = ServerRole::Discovery.name();
        match check_policy(certificate, what, role::DS_AUTH) {
            Ok(()) => ServerRole::Discovery,
            Err(_) => ServerRole::Authentication,
        }
    }
}

/// Verifies an SM-DP+'s certificate for a role against its CI, whose certificate is trusted because the caller says so:
/// issuer, signature, key usage, role, that it is no authority, and no critical extension that isn't known
/// (SGP.22 4.5.2.2). `at` is the time in Unix seconds; `None` doesn't look at the period, as an eUICC, which
/// has no clock. Revocation isn't looked at: whoever has a revocation list does ([`Cert::serial`]).
///
/// Returns the server's object identifier.
///
/// # Errors
/// The first thing that doesn't fit.
pub fn verify_server_certificate(
    ci: &Cert,
    certificate: &Cert,
    role: ServerRole,
    at: Option<u64>,
) -> Result<Oid, ChainError> {
    let what = role.name();
    check_server(ci, certificate, what)?;
    check_policy(certificate, what, role.policy())?;
    if certificate.subject_key_id().is_none() {
        return Err(malformed(what, "no subject key identifier"));
    }
    let known = [
        KeyUsage::OID,
        CertificatePolicies::OID,
        SubjectAltName::OID,
        BasicConstraints::OID,
    ];
    let extensions = certificate.parsed().tbs_certificate().extensions();
    if let Some(unknown) = extensions
        .into_iter()
        .flatten()
        .find(|e| e.critical && !known.contains(&e.extn_id))
    {
        return Err(ChainError::CriticalExtension {
            certificate: what,
            oid: unknown.extn_id.to_string(),
        });
    }
    if let Some(at) = at {
        check_time(certificate, what, at)?;
    }
    registered_id(certificate, what)
}

/// What holds for every certificate of a server: the CI issued it, for signatures, to no authority.
fn check_server(ci: &Cert, certificate: &Cert, what: &'static str) -> Result<(), ChainError> {
    check_link(certificate, what, ci, CI)?;
    check_usage(
        certificate,
        what,
        "digitalSignature",
        KeyUsage::digital_signature,
    )?;
    check_ca(certificate, what, false)
}

/// Verifies a server's certificate in TLS against the CI that issued it: issuer, signature, key usage, period, that it is
/// no authority, that it is for this server's name and, if one is asked for, its role.
///
/// # Errors
/// The first thing that doesn't fit.
pub fn verify_server_tls(
    ci: &Cert,
    certificate: &Cert,
    role: Option<ServerRole>,
    server: &str,
    at: u64,
) -> Result<(), ChainError> {
    let what = "server's TLS";
    check_server(ci, certificate, what)?;
    if let Some(role) = role {
        check_policy(certificate, what, role.policy())?;
    }
    check_time(certificate, what, at)?;
    let name = alternative_name(certificate, 0x82).unwrap_or_default();
    if name.eq_ignore_ascii_case(server.as_bytes()) {
        return Ok(());
    }
    Err(ChainError::ServerName {
        certificate: what,
        expected: server.into(),
        found: String::from_utf8_lossy(name).into_owned(),
    })
}

/// The first subject alternative name with this tag: 82 `dNSName`, 88 `registeredID` (RFC 5280 4.2.1.6). Read without
/// the library's own type, which has no object identifiers such as 2.999.
pub(super) fn alternative_name(certificate: &Cert, tag: u32) -> Option<&[u8]> {
    let extensions = certificate.parsed().tbs_certificate().extensions()?;
    let names = extensions
        .iter()
        .find(|extension| extension.extn_id == SubjectAltName::OID)?;
    let names = tlv::expect(names.extn_value.as_bytes(), 0x30).ok()?;
    Some(names.find(tag).ok()??.value)
}

/// The object identifier in a certificate's subject alternative name.
pub(super) fn registered_id(certificate: &Cert, what: &'static str) -> Result<Oid, ChainError> {
    certificate
        .registered_id()
        .ok_or(ChainError::NoObjectIdentifier { certificate: what })
}

fn check_ci(ci: &Cert) -> Result<(), ChainError> {
    check_usage(ci, CI, "keyCertSign", KeyUsage::key_cert_sign)?;
    check_ca(ci, CI, true)?;
    check_policy(ci, CI, role::CI)
}

fn malformed(certificate: &'static str, detail: impl ToString) -> ChainError {
    ChainError::Malformed {
        certificate,
        detail: detail.to_string(),
    }
}

/// Issuer name, key identifiers and signature of one certificate against the one above it.
fn check_link(
    certificate: &Cert,
    what: &'static str,
    issuer: &Cert,
    issuer_what: &'static str,
) -> Result<(), ChainError> {
    let found = certificate.parsed().tbs_certificate().issuer();
    let expected = issuer.parsed().tbs_certificate().subject();
    if found != expected {
        return Err(ChainError::Issuer {
            certificate: what,
            issuer: issuer_what,
            expected: expected.to_string(),
            found: found.to_string(),
        });
    }
    let key_id = issuer
        .subject_key_id()
        .ok_or_else(|| malformed(issuer_what, "no subject key identifier"))?;
    match certificate.authority_key_id() {
        Some(id) if id == key_id => {}
        // A root need not repeat its own identifier.
        None if what == issuer_what => {}
        other => {
            return Err(ChainError::KeyIdentifier {
                certificate: what,
                issuer: issuer_what,
                expected: hex::encode_upper(key_id),
                found: other.map_or_else(|| "none".into(), hex::encode_upper),
            });
        }
    }
    let parts = Parts::from_der(certificate.der()).map_err(|e| malformed(what, e))?;
    let tbs = parts.tbs.to_der().map_err(|e| malformed(what, e))?;
    // RFC 5280 4.1.1.2: the algorithm stands twice and is the same; SGP.22 2.6.7.2 has one.
    let algorithm = certificate.parsed().tbs_certificate().signature();
    let outer = certificate.parsed().signature_algorithm();
    if algorithm.oid != ECDSA_WITH_SHA_256 || outer.oid != ECDSA_WITH_SHA_256 {
        return Err(malformed(
            what,
            format!(
                "signed with {} and {}, expected ecdsa-with-SHA256",
                algorithm.oid, outer.oid
            ),
        ));
    }
    let key = PublicKey::of_certificate(issuer.parsed()).map_err(|e| malformed(issuer_what, e))?;
    if key.verify_der(&tbs, parts.signature.raw_bytes()) {
        Ok(())
    } else {
        Err(ChainError::Signature {
            certificate: what,
            issuer: issuer_what,
        })
    }
}

fn extension<'a, T>(
    certificate: &'a Cert,
    what: &'static str,
    name: &str,
) -> Result<Option<T>, ChainError>
where
    T: Decode<'a, Error = der::Error> + AssociatedOid,
{
    certificate
        .parsed()
        .tbs_certificate()
        .get_extension::<T>()
        .map(|found| found.map(|(_, e)| e))
        .map_err(|e| malformed(what, format!("{name}: {e}")))
}

fn check_usage(
    certificate: &Cert,
    what: &'static str,
    expected: &'static str,
    has: fn(&KeyUsage) -> bool,
) -> Result<(), ChainError> {
    match extension::<KeyUsage>(certificate, what, "key usage")? {
        Some(usage) if has(&usage) => Ok(()),
        _ => Err(ChainError::KeyUsage {
            certificate: what,
            expected,
        }),
    }
}

fn check_ca(certificate: &Cert, what: &'static str, expected: bool) -> Result<(), ChainError> {
    let found = extension::<BasicConstraints>(certificate, what, "basic constraints")?
        .is_some_and(|c| c.ca);
    if found == expected {
        Ok(())
    } else {
        Err(ChainError::BasicConstraints {
            certificate: what,
            found,
        })
    }
}

fn check_policy(
    certificate: &Cert,
    what: &'static str,
    expected: ObjectIdentifier,
) -> Result<(), ChainError> {
    let policies = extension::<CertificatePolicies>(certificate, what, "certificate policies")?
        .map(|p| p.0)
        .unwrap_or_default();
    if policies.iter().any(|p| p.policy_identifier == expected) {
        return Ok(());
    }
    let found: Vec<_> = policies
        .iter()
        .map(|p| p.policy_identifier.to_string())
        .collect();
    Err(ChainError::Policy {
        certificate: what,
        expected: expected.to_string(),
        found: if found.is_empty() {
            "none".into()
        } else {
            found.join(", ")
        },
    })
}

/// The text of the first attribute of this type in a name.
pub(super) fn attribute_text(name: &Name, oid: ObjectIdentifier) -> Option<String> {
    let attribute = name.iter().find(|a| a.oid == oid)?;
    String::from_utf8(attribute.value.value().to_vec()).ok()
}

/// The EID digits that an EUM's certificate permits, and its organization.
pub(super) fn permitted(eum: &Cert) -> Result<Option<(String, Option<String>)>, ChainError> {
    let Some(constraints) = extension::<NameConstraints>(eum, EUM, "name constraints")? else {
        return Ok(None);
    };
    for subtree in constraints.permitted_subtrees.unwrap_or_default() {
        if let GeneralName::DirectoryName(name) = &subtree.base
            && let Some(prefix) = attribute_text(name, attribute::SERIAL_NUMBER)
        {
            return Ok(Some((
                prefix,
                attribute_text(name, attribute::ORGANIZATION),
            )));
        }
    }
    Ok(None)
}

/// SGP.22 4.5.2.1.0.2: the eUICC's organization is the EUM's, and its EID begins with the EUM's
/// issuer identification number. (RFC 5280 has no such prefix rule for names; this one is GSMA's.)
fn check_name_constraints(eum: &Cert, euicc: &Cert) -> Result<(), ChainError> {
    let Some((prefix, organization)) = permitted(eum)? else {
        return Ok(());
    };
    let subject = euicc.parsed().tbs_certificate().subject();
    let refuse = |detail: String| {
        Err(ChainError::NameConstraints {
            subject: subject.to_string(),
            detail,
        })
    };
    if organization.is_some() && attribute_text(subject, attribute::ORGANIZATION) != organization {
        return refuse(format!("O = {}", organization.unwrap_or_default()));
    }
    match attribute_text(subject, attribute::SERIAL_NUMBER) {
        Some(eid) if eid.starts_with(&prefix) => Ok(()),
        _ => refuse(format!("serialNumber = {prefix}…")),
    }
}

fn check_time(certificate: &Cert, what: &'static str, at: u64) -> Result<(), ChainError> {
    let validity = certificate.parsed().tbs_certificate().validity();
    let from = validity.not_before.to_unix_duration().as_secs();
    let to = validity.not_after.to_unix_duration().as_secs();
    if (from..=to).contains(&at) {
        Ok(())
    } else {
        Err(ChainError::Expired {
            certificate: what,
            from,
            to,
            at,
        })
    }
}
