//! An SM-DP+'s two key pairs and their certificates (SGP.22 4.5.2.1.0.4, 4.5.2.1.0.5).

use super::hierarchy::{Hierarchy, read_authority, serial};
use super::profile::{self, Kind, Request, attribute};
use super::verify::{ChainError, ServerRole, alternative_name, registered_id};
use super::{Cert, PkiError, SecretKey};
use applet_model::sgp::Oid;
use der::asn1::ObjectIdentifier;
use std::path::Path;

/// Files of certificate and key, for authentication and for binding, as SGP.26 names them.
pub(super) const FILES: [(&str, &str); 2] = [
    ("CERT_S_SM_DPauth_ECDSA_NIST", "SK_S_SM_DPauth_ECDSA_NIST"),
    ("CERT_S_SM_DPpb_ECDSA_NIST", "SK_S_SM_DPpb_ECDSA_NIST"),
];
/// Files of certificate and key for TLS. From SGP.26's, which is of a time gone by, only the server's name is taken.
pub(super) const TLS_FILE: (&str, &str) = ("CERT_S_SM_DP_TLS_NIST", "SK_S_SM_DP_TLS_NIST");

/// The object identifier of the lab's SM-DP+, under the enterprise number kept for examples (RFC 5612).
const SMDP_OID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.32473.10");

/// Where the CI's revocation list would be.
const CRL: &str = "http://ci.lab.example/CRL-A.crl";

/// A key pair of a server.
#[derive(Clone)]
pub struct ServerCredential {
    /// The secret key.
    pub key: SecretKey,
    /// Its certificate, issued by the CI.
    pub certificate: Cert,
}

/// An SM-DP+ that authenticates itself to eUICCs and binds profile packages.
#[derive(Clone)]
pub struct SmdpCredential {
    /// Its address: the domain name that activation codes have.
    pub address: String,
    /// SK.DPauth.ECDSA, CERT.DPauth.ECDSA.
    pub auth: ServerCredential,
    /// SK.DPpb.ECDSA, CERT.DPpb.ECDSA.
    pub pb: ServerCredential,
}

impl SmdpCredential {
    /// Its object identifier, which both certificates carry.
    ///
    /// # Errors
    /// [`ChainError`]: none is there.
    pub fn oid(&self) -> Result<Oid, ChainError> {
        registered_id(&self.auth.certificate, ServerRole::Authentication.name())
    }
}

impl Hierarchy {
    /// Makes an SM-DP+'s keys and certificates, issued by the CI. The same name always gets the same keys.
    ///
    /// # Errors
    /// [`PkiError::NoSecretKey`] without the CI's key; [`PkiError::Issue`] if the name doesn't fit.
    pub fn issue_smdp(&self, address: &str) -> Result<SmdpCredential, PkiError> {
        let make = |role| self.issue_server(address, role, (2020, 2050));
        Ok(SmdpCredential {
            address: address.into(),
            auth: make(ServerRole::Authentication)?,
            pb: make(ServerRole::Binding)?,
        })
    }

    /// A server's key and certificate for TLS, issued by the CI, valid between two years' first of April. The
    /// role is an SM-DP+'s; an eIM has none.
    ///
    /// # Errors
    /// [`PkiError::NoSecretKey`] without the CI's key; [`PkiError::Issue`] if the name doesn't fit.
    pub fn issue_tls(
        &self,
        fqdn: &str,
        role: Option<ServerRole>,
        years: (u16, u16),
    ) -> Result<ServerCredential, PkiError> {
        let kind = Kind::Tls {
            fqdn: fqdn.into(),
            role: role.map(ServerRole::policy),
            crl: CRL.into(),
        };
        self.issue_credential(fqdn, "server TLS", kind, years)
    }

    /// One of the two, valid between two years' first of April.
    pub fn issue_server(
        &self,
        address: &str,
        role: ServerRole,
        years: (u16, u16),
    ) -> Result<ServerCredential, PkiError> {
        let label = match role {
            ServerRole::Authentication => "SM-DP+ auth",
            ServerRole::Binding => "SM-DP+ pb",
            ServerRole::Tls => return self.issue_tls(address, Some(role), years),
            ServerRole::Discovery => "SM-DS auth",
        };
        let kind = Kind::Smdp {
            role: role.policy(),
            oid: SMDP_OID,
            crl: CRL.into(),
        };
        self.issue_credential(address, label, kind, years)
    }

    fn issue_credential(
        &self,
        address: &str,
        label: &str,
        kind: Kind,
        years: (u16, u16),
    ) -> Result<ServerCredential, PkiError> {
        let ci_key = self.ci.key.as_ref().ok_or(PkiError::NoSecretKey("CI"))?;
        let key = ci_key.child(label, address.as_bytes())?;
        let ci = self.ci.certificate.parsed().tbs_certificate();
        let certificate = profile::issue(
            Request {
                what: label,
                kind,
                subject: profile::name(&[
                    (attribute::ORGANIZATION, "IPAe Lab"),
                    (attribute::COMMON_NAME, address),
                ])?,
                issuer: ci.subject().clone(),
                serial: serial(label, address.as_bytes()),
                public_key: key.public_key()?,
                years,
                issuer_key_id: self.ci.certificate.subject_key_id(),
            },
            ci_key,
        )?;
        Ok(ServerCredential { key, certificate })
    }
}

/// Reads an SM-DP+'s files; `None` if there are none. The address is the manifest's or, in SGP.26's form, the name in the
/// TLS certificate.
pub(super) fn load(
    dir: &Path,
    address: Option<String>,
) -> Result<Option<SmdpCredential>, PkiError> {
    let [auth_files, pb_files] = FILES;
    if !dir.join(format!("{}.pem", auth_files.1)).exists() {
        return Ok(None);
    }
    let read = |files, what| -> Result<ServerCredential, PkiError> {
        let authority = read_authority(dir, files, what)?;
        Ok(ServerCredential {
            key: authority.key.ok_or(PkiError::NoSecretKey(what))?,
            certificate: authority.certificate,
        })
    };
    let (auth, pb) = (
        read(auth_files, "SM-DP+ auth")?,
        read(pb_files, "SM-DP+ pb")?,
    );
    let address = match address {
        Some(address) => address,
        None => read_authority(dir, TLS_FILE, "SM-DP+ TLS")
            .ok()
            .and_then(|tls| dns_name(&tls.certificate))
            .unwrap_or_default(),
    };
    Ok(Some(SmdpCredential { address, auth, pb }))
}

/// The server's name in its TLS certificate.
fn dns_name(certificate: &Cert) -> Option<String> {
    let name = alternative_name(certificate, 0x82)?;
    String::from_utf8(name.to_vec()).ok()
}
