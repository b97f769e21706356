//! Keys and certificates of the GSMA hierarchy, as SGP.26 profiles them: CI → EUM → eUICC, and the
//! eIM that signs eUICC packages, and the SM-DP+ that binds profiles.
//!
//! [`Hierarchy`] is made from a seed or loaded from a directory, [`verify`] checks a chain, and
//! [`package`] signs what an eIM sends and checks what an eUICC answers. Everything made here is for
//! laboratories: such keys are marked as test keys, and a production card never sees them. No
//! clock is read: certificates have fixed validity periods, and the time to check them at is given.

pub mod hierarchy;
mod key;
pub mod package;
mod profile;
mod smdp;
pub mod verify;

pub use hierarchy::{EimCredential, EuiccCredential, Hierarchy, HierarchyOptions};
pub use key::{PublicKey, SecretKey};
pub use package::{sign_euicc_package, verify_euicc_result};
pub use smdp::{ServerCredential, SmdpCredential};
pub use verify::{
    ChainError, ServerRole, verify_euicc_chain, verify_server_certificate, verify_server_tls,
};

use applet_model::sgp::Oid;
use der::{Decode, Encode};
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, SubjectKeyIdentifier};

/// What can go wrong when keys and certificates are made or read.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A key can't be read or used. Key material is never part of the text.
    #[error("key: {0}")]
    Key(String),
    /// A certificate can't be read.
    #[error("certificate {what}: {detail}")]
    Certificate {
        /// Which certificate.
        what: String,
        /// What is wrong with it.
        detail: String,
    },
    /// A certificate can't be made.
    #[error("issuing {what}: {detail}")]
    Issue {
        /// Which certificate.
        what: String,
        /// Why not.
        detail: String,
    },
    /// The EID is not in the range that the EUM may certify (its name constraints).
    #[error(
        "EID {eid} does not begin with {prefix}, which the EUM certificate's name constraints call for"
    )]
    EidNotPermitted {
        /// The EID.
        eid: String,
        /// The EUM's issuer identification number.
        prefix: String,
    },
    /// A secret key that this operation needs is not part of the hierarchy.
    #[error("the hierarchy holds no secret key of the {0}")]
    NoSecretKey(&'static str),
    /// A certificate and the secret key beside it don't belong together.
    #[error("the secret key of the {0} does not belong to its certificate")]
    KeyMismatch(&'static str),
    /// The certificates don't form a chain.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// A file or directory.
    #[error("{path}: {detail}")]
    File {
        /// The path.
        path: String,
        /// What went wrong.
        detail: String,
    },
}

/// An X.509 certificate with its bytes as they were received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cert {
    der: Vec<u8>,
    parsed: x509_cert::Certificate,
}

impl Cert {
    /// Reads a DER certificate; `what` names it in errors.
    ///
    /// # Errors
    /// [`PkiError::Certificate`] with the decoder's reason.
    pub fn from_der(der: &[u8], what: &str) -> Result<Self, PkiError> {
        let parsed = x509_cert::Certificate::from_der(der).map_err(|e| PkiError::Certificate {
            what: what.into(),
            detail: e.to_string(),
        })?;
        Ok(Cert {
            der: der.to_vec(),
            parsed,
        })
    }

    pub(crate) fn new(parsed: x509_cert::Certificate, what: &str) -> Result<Self, PkiError> {
        let der = parsed.to_der().map_err(|e| PkiError::Issue {
            what: what.into(),
            detail: e.to_string(),
        })?;
        Ok(Cert { der, parsed })
    }

    /// The certificate's bytes.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The certificate's fields.
    pub fn parsed(&self) -> &x509_cert::Certificate {
        &self.parsed
    }

    /// Its public key.
    ///
    /// # Errors
    /// [`PkiError::Key`] if that is not a P-256 key.
    pub fn public_key(&self) -> Result<PublicKey, PkiError> {
        PublicKey::of_certificate(&self.parsed)
    }

    /// The serial number, as its INTEGER has it.
    pub fn serial(&self) -> &[u8] {
        self.parsed.tbs_certificate().serial_number().as_bytes()
    }

    /// The subject key identifier, 20 bytes as a rule; `None` without the extension.
    pub fn subject_key_id(&self) -> Option<Vec<u8>> {
        let (_, ski) = self
            .parsed
            .tbs_certificate()
            .get_extension::<SubjectKeyIdentifier>()
            .ok()??;
        Some(ski.0.as_bytes().to_vec())
    }

    /// The authority key identifier; `None` without it.
    pub fn authority_key_id(&self) -> Option<Vec<u8>> {
        let (_, aki) = self
            .parsed
            .tbs_certificate()
            .get_extension::<AuthorityKeyIdentifier>()
            .ok()??;
        Some(aki.key_identifier?.as_bytes().to_vec())
    }

    /// The object identifier of whose certificate it is, `registeredID` in the subject alternative name; `None` without it.
    /// Whether the certificate is to be believed is another question.
    pub fn registered_id(&self) -> Option<Oid> {
        Oid::from_bytes(verify::alternative_name(self, 0x88)?)
    }
}

#[cfg(test)]
mod tests;
