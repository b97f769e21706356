//! Who the eIM is: its identifier, its signing key, and the CIs it trusts.

use super::EimError;
use applet_model::sgp::eim_config::{
    EimConfigurationData, EimIdType, EimSupportedProtocol, PublicKeyData,
};
use applet_model::sgp::{Eid, KeyId, PublicKeyDer};
use cards::pki::{Cert, EimCredential, Hierarchy, PkiError, SecretKey, verify_euicc_chain};

/// An eIM's identity and trust.
#[derive(Clone)]
pub struct EimIdentity {
    /// `eimId`, as in the eUICC's entry.
    pub eim_id: String,
    /// `eimFqdn`.
    pub fqdn: String,
    /// SK.EIM.ECDSA.
    pub key: SecretKey,
    /// CERT.EIM.ECDSA.
    pub certificate: Cert,
    /// The CIs whose eUICCs are believed.
    pub ci: Vec<Cert>,
}

impl EimIdentity {
    /// This eIM of a hierarchy, which trusts its CI; the `eimId` is its domain name.
    pub fn new(hierarchy: &Hierarchy, credential: &EimCredential) -> Self {
        EimIdentity {
            eim_id: credential.fqdn.clone(),
            fqdn: credential.fqdn.clone(),
            key: credential.key.clone(),
            certificate: credential.certificate.clone(),
            ci: vec![hierarchy.ci.certificate.clone()],
        }
    }

    /// The hierarchy's own eIM, or one issued under the name `eim.lab.example` if it has none.
    ///
    /// # Errors
    /// [`EimError::Pki`] if one must be issued and can't.
    pub fn of_hierarchy(hierarchy: &Hierarchy) -> Result<Self, EimError> {
        let credential = match &hierarchy.eim {
            Some(credential) => credential.clone(),
            None => hierarchy.issue_eim("eim.lab.example")?,
        };
        Ok(Self::new(hierarchy, &credential))
    }

    /// The entry that an eUICC is given of this eIM (AddInitialEim, addEim): public key, CI, HTTPS
    /// retrieval. `counter` is the first counter that the eUICC takes as used; with `token`, the
    /// eUICC is asked for an association token (SGP.32 2.11.1.1).
    ///
    /// # Errors
    /// [`EimError::Pki`] if the key can't be written.
    pub fn configuration(
        &self,
        counter: u64,
        token: bool,
    ) -> Result<EimConfigurationData, EimError> {
        let spki = self.key.public_key()?.to_spki()?;
        let spki = PublicKeyDer::from_bytes(&spki).map_err(|e| EimError::Encoding {
            what: "the eIM's public key",
            detail: e.to_string(),
        })?;
        let ci = self.ci.first().and_then(Cert::subject_key_id);
        Ok(EimConfigurationData {
            eim_fqdn: Some(self.fqdn.clone()),
            eim_id_type: Some(EimIdType::EimIdTypeFqdn),
            counter_value: Some(counter),
            association_token: token.then_some(-1),
            eim_public_key_data: Some(PublicKeyData::EimPublicKey(spki)),
            eim_supported_protocol: Some(EimSupportedProtocol::of(&[
                EimSupportedProtocol::EIM_RETRIEVE_HTTPS,
            ])),
            euicc_ci_pk_id: ci.and_then(KeyId::new),
            ..EimConfigurationData::new(self.eim_id.clone())
        })
    }

    /// Verifies that these certificates are this EID's under one of the trusted CIs; gives the
    /// eUICC's. Validity periods aren't looked at: cards outlive them (see
    /// [`cards::pki::verify_euicc_chain`]).
    pub(super) fn verify_chain(
        &self,
        eid: &Eid,
        euicc: &[u8],
        eum: &[u8],
    ) -> Result<Cert, PkiError> {
        let euicc = Cert::from_der(euicc, "eUICC")?;
        let eum = Cert::from_der(eum, "EUM")?;
        let mut last = None;
        for ci in &self.ci {
            match verify_euicc_chain(ci, &eum, &euicc, None) {
                Ok(found) if found.to_string() == eid.to_string() => return Ok(euicc),
                Ok(found) => {
                    return Err(PkiError::Certificate {
                        what: "eUICC".into(),
                        detail: format!("it is of EID {found}, not of {eid}"),
                    });
                }
                Err(e) => last = Some(e),
            }
        }
        Err(last.map_or_else(
            || PkiError::Certificate {
                what: "CI".into(),
                detail: "this eIM trusts none".into(),
            },
            PkiError::Chain,
        ))
    }
}
