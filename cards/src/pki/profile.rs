//! The certificates' fields and extensions, as SGP.22 4.5.2 asks for them and SGP.26 shows them.

use super::{Cert, PkiError, PublicKey, SecretKey};
use der::asn1::{Any, GeneralizedTime, Ia5String, ObjectIdentifier, OctetString, UtcTime};
use der::flagset::FlagSet;
use der::{DateTime, Decode, Encode, Tag};
use spki::SubjectPublicKeyInfoRef;
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{Builder, CertificateBuilder};
use x509_cert::certificate::TbsCertificate;
use x509_cert::ext::pkix::certpolicy::PolicyInformation;
use x509_cert::ext::pkix::constraints::name::GeneralSubtree;
use x509_cert::ext::pkix::crl::dp::DistributionPoint;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, CertificatePolicies, CrlDistributionPoints,
    ExtendedKeyUsage, KeyUsage, KeyUsages, NameConstraints, SubjectAltName, SubjectKeyIdentifier,
};
use x509_cert::ext::{Extension, ToExtension};
use x509_cert::name::{Name, RdnSequence, RelativeDistinguishedName};
use x509_cert::serial_number::SerialNumber;
use x509_cert::time::{Time, Validity};

/// The roles of SGP.22 Annex H by their certificate policy, `id-rspRole`.
pub(super) mod role {
    use super::ObjectIdentifier;
    /// `id-rspRole-ci`.
    pub const CI: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.146.1.2.1.0");
    /// `id-rspRole-euicc`.
    pub const EUICC: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.146.1.2.1.1");
    /// `id-rspRole-eum`.
    pub const EUM: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.146.1.2.1.2");
    /// `id-rspRole-dp-tls`.
    pub const DP_TLS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.146.1.2.1.3");
    /// `id-rspRole-dp-auth`.
    pub const DP_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.146.1.2.1.4");
    /// `id-rspRole-dp-pb`.
    pub const DP_PB: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.146.1.2.1.5");
    /// `id-rspRole-ds-auth`.
    pub const DS_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.146.1.2.1.7");
}

/// Purposes of a key (RFC 5280 4.2.1.12).
const SERVER_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");
const CLIENT_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");

/// X.520 attribute types.
pub(super) mod attribute {
    use super::ObjectIdentifier;
    pub const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
    pub const SERIAL_NUMBER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.5");
    pub const COUNTRY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.6");
    pub const ORGANIZATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.10");
    pub const ORGANIZATIONAL_UNIT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.11");
}

fn issue_error(what: &str, e: impl ToString) -> PkiError {
    PkiError::Issue {
        what: what.into(),
        detail: e.to_string(),
    }
}

/// A distinguished name with the attributes in this order, one in each RDN. Country and serial
/// number are PrintableStrings (RFC 5280 Appendix A), the rest UTF8Strings.
pub(super) fn name(attributes: &[(ObjectIdentifier, &str)]) -> Result<Name, PkiError> {
    let build = || -> der::Result<Name> {
        let mut sequence = RdnSequence::default();
        for (oid, text) in attributes {
            let tag = match *oid {
                attribute::COUNTRY | attribute::SERIAL_NUMBER => Tag::PrintableString,
                _ => Tag::Utf8String,
            };
            let value = Any::new(tag, text.as_bytes())?;
            let rdn = vec![AttributeTypeAndValue { oid: *oid, value }];
            sequence.push(RelativeDistinguishedName::try_from(rdn)?);
        }
        Name::from_der(&sequence.to_der()?)
    };
    build().map_err(|e| issue_error("a distinguished name", e))
}

/// What a certificate is for: decides its extensions.
pub(super) enum Kind {
    /// The certificate issuer's self-signed root.
    Ci {
        /// Where its revocation list would be.
        crl: String,
    },
    /// An EUM's, with the EIDs it may certify.
    Eum {
        /// Its organization, which its eUICCs' certificates repeat.
        organization: String,
        /// The first digits of the EIDs.
        eid_prefix: String,
        /// Its object identifier.
        oid: ObjectIdentifier,
        /// Where the CI's revocation list would be.
        crl: String,
    },
    /// An eUICC's.
    Euicc,
    /// An eIM's signing certificate.
    Eim {
        /// Its fully qualified domain name.
        fqdn: String,
    },
    /// An SM-DP+'s certificate for authentication or for profile package binding.
    Smdp {
        /// Which of the two.
        role: ObjectIdentifier,
        /// The SM-DP+'s object identifier.
        oid: ObjectIdentifier,
        /// Where the CI's revocation list would be.
        crl: String,
    },
    /// A server's for TLS: an SM-DP+'s, or an eIM's, which has no role.
    Tls {
        /// Its fully qualified domain name.
        fqdn: String,
        /// The role.
        role: Option<ObjectIdentifier>,
        /// Where the CI's revocation list would be.
        crl: String,
    },
}

struct Profile<'a> {
    kind: &'a Kind,
    subject: Name,
    issuer: Name,
    issuer_key_id: Option<&'a [u8]>,
}

impl BuilderProfile for Profile<'_> {
    fn get_issuer(&self, _subject: &Name) -> Name {
        self.issuer.clone()
    }

    fn get_subject(&self) -> Name {
        self.subject.clone()
    }

    fn build_extensions(
        &self,
        spk: SubjectPublicKeyInfoRef<'_>,
        issuer_spk: SubjectPublicKeyInfoRef<'_>,
        tbs: &TbsCertificate,
    ) -> x509_cert::builder::Result<Vec<Extension>> {
        let mut all = Vec::new();
        let subject = tbs.subject();
        macro_rules! add {
            ($extension:expr) => {{
                let e = $extension.to_extension(subject, &all)?;
                all.push(e);
            }};
        }
        if !matches!(self.kind, Kind::Ci { .. }) {
            add!(&match self.issuer_key_id {
                Some(id) => AuthorityKeyIdentifier {
                    key_identifier: Some(OctetString::new(id)?),
                    ..AuthorityKeyIdentifier::default()
                },
                None => AuthorityKeyIdentifier::try_from(issuer_spk)?,
            });
        }
        add!(&SubjectKeyIdentifier::try_from(spk)?);
        let usage: FlagSet<KeyUsages> = match self.kind {
            Kind::Ci { .. } => KeyUsages::KeyCertSign | KeyUsages::CRLSign,
            Kind::Eum { .. } => KeyUsages::KeyCertSign.into(),
            Kind::Euicc | Kind::Eim { .. } | Kind::Smdp { .. } | Kind::Tls { .. } => {
                KeyUsages::DigitalSignature.into()
            }
        };
        add!(&KeyUsage(usage));
        let policy = match self.kind {
            Kind::Ci { .. } => Some(role::CI),
            Kind::Eum { .. } => Some(role::EUM),
            Kind::Euicc => Some(role::EUICC),
            Kind::Smdp { role, .. } => Some(*role),
            Kind::Tls { role, .. } => *role,
            // Which policy, if any, SGP.14 gives to an eIM's signing certificate isn't known here;
            // an eUICC only takes the key out of it.
            Kind::Eim { .. } => None,
        };
        if let Some(policy_identifier) = policy {
            let policies = CertificatePolicies(vec![PolicyInformation {
                policy_identifier,
                policy_qualifiers: None,
            }]);
            // In a certificate for TLS the policy isn't critical: general libraries don't know it.
            let critical = !matches!(self.kind, Kind::Tls { .. });
            add!((critical, &policies));
        }
        match self.kind {
            Kind::Ci { crl } => {
                add!(&BasicConstraints {
                    ca: true,
                    path_len_constraint: None
                });
                add!(&crl_at(crl)?);
            }
            Kind::Eum {
                organization,
                eid_prefix,
                oid,
                crl,
            } => {
                add!(&SubjectAltName(vec![GeneralName::RegisteredId(*oid)]));
                add!(&BasicConstraints {
                    ca: true,
                    path_len_constraint: Some(0)
                });
                add!(&crl_at(crl)?);
                let base = name(&[
                    (attribute::ORGANIZATION, organization),
                    (attribute::SERIAL_NUMBER, eid_prefix),
                ])
                .map_err(|_| der::Error::from(der::ErrorKind::Failed))?;
                add!(&NameConstraints {
                    permitted_subtrees: Some(vec![GeneralSubtree {
                        base: GeneralName::DirectoryName(base),
                        minimum: 0,
                        maximum: None,
                    }]),
                    excluded_subtrees: None,
                });
            }
            Kind::Eim { fqdn } => {
                add!(&SubjectAltName(vec![GeneralName::DnsName(Ia5String::new(
                    fqdn
                )?)]));
            }
            Kind::Smdp { oid, crl, .. } => {
                add!(&SubjectAltName(vec![GeneralName::RegisteredId(*oid)]));
                add!(&crl_at(crl)?);
            }
            Kind::Tls { fqdn, crl, .. } => {
                // RFC 5280 4.2.1.12: id-kp-serverAuth, id-kp-clientAuth; critical in SGP.22 4.5.2.1.0.7.
                let purposes = ExtendedKeyUsage(vec![SERVER_AUTH, CLIENT_AUTH]);
                add!((true, &purposes));
                add!(&SubjectAltName(vec![GeneralName::DnsName(Ia5String::new(
                    fqdn
                )?)]));
                add!(&crl_at(crl)?);
            }
            Kind::Euicc => {}
        }
        Ok(all)
    }
}

fn crl_at(uri: &str) -> der::Result<CrlDistributionPoints> {
    Ok(CrlDistributionPoints(vec![DistributionPoint {
        distribution_point: Some(DistributionPointName::FullName(vec![
            GeneralName::UniformResourceIdentifier(Ia5String::new(uri)?),
        ])),
        reasons: None,
        crl_issuer: None,
    }]))
}

/// Everything that a certificate says.
pub(super) struct Request<'a> {
    pub what: &'a str,
    pub kind: Kind,
    pub subject: Name,
    pub issuer: Name,
    /// Up to 8 bytes; the first bit is cleared, so that the number is positive.
    pub serial: [u8; 8],
    pub public_key: PublicKey,
    /// Years of the first and last day; both periods begin and end on 1 April at midnight UTC.
    pub years: (u16, u16),
    /// The issuer's subject key identifier, which need not be the hash of its key; `None` takes the hash.
    pub issuer_key_id: Option<Vec<u8>>,
}

/// Makes a certificate and signs it with the issuer's key.
pub(super) fn issue(request: Request<'_>, issuer_key: &SecretKey) -> Result<Cert, PkiError> {
    let what = request.what;
    let fail = |e: x509_cert::builder::Error| issue_error(what, e);
    let asn1 = |e: der::Error| issue_error(what, e);
    let time = |year| -> Result<Time, PkiError> {
        let date = DateTime::new(year, 4, 1, 0, 0, 0).map_err(asn1)?;
        // RFC 5280 4.1.2.5: UTCTime through 2049.
        Ok(match UtcTime::from_date_time(date) {
            Ok(time) => Time::UtcTime(time),
            Err(_) => Time::GeneralTime(GeneralizedTime::from_date_time(date)),
        })
    };
    let mut serial = request.serial;
    serial[0] &= 0x7F;
    serial[7] |= 1;
    let profile = Profile {
        kind: &request.kind,
        subject: request.subject,
        issuer: request.issuer,
        issuer_key_id: request.issuer_key_id.as_deref(),
    };
    let builder = CertificateBuilder::new(
        profile,
        SerialNumber::new(&serial).map_err(asn1)?,
        Validity::new(time(request.years.0)?, time(request.years.1)?),
        request.public_key.to_spki_owned()?,
    )
    .map_err(fail)?;
    let signer = issuer_key.signing_key()?;
    let certificate = builder
        .build::<_, p256::ecdsa::DerSignature>(&signer)
        .map_err(fail)?;
    Cert::new(certificate, what)
}
