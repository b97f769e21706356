//! A certificate hierarchy: made from a seed, or loaded from a directory.

use super::profile::{self, Kind, Request, attribute};
use super::smdp;
use super::verify::{ServerRole, attribute_text, permitted, verify_euicc_chain};
use super::{Cert, PkiError, SecretKey, SmdpCredential};
use crate::euicc::Eid;
use applet_model::sgp::PublicKeyDer;
use applet_model::sgp::eim_config::{EimConfigurationData, EimIdType, PublicKeyData};
use der::asn1::ObjectIdentifier;
use der::pem::LineEnding;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::Path;
use zeroize::Zeroizing;

/// The manifest's file name.
pub const MANIFEST: &str = "hierarchy.toml";
/// The object identifier of the lab's EUM, under the enterprise number kept for examples (RFC 5612).
const EUM_OID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.32473.5");

const TEST_NOTE: &str = "TEST KEYS. Whoever has the seed has every key of this directory: \
for laboratories only, never for cards that leave one.";

/// What a hierarchy is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HierarchyOptions {
    /// The EUM's organization.
    pub organization: String,
    /// The first digits of every EID that the EUM may certify.
    pub eid_prefix: String,
    /// The eIM's identifier and fully qualified domain name.
    pub eim_fqdn: String,
    /// The SM-DP+'s address: its fully qualified domain name.
    pub smdp_fqdn: String,
}

impl Default for HierarchyOptions {
    /// The lab's; EIDs begin as those of SGP.26's test EUM, so that one order of cards goes with both.
    fn default() -> Self {
        HierarchyOptions {
            organization: "IPAe Lab EUM".into(),
            eid_prefix: "89049032".into(),
            eim_fqdn: "eim.lab.example".into(),
            smdp_fqdn: "smdp.lab.example".into(),
        }
    }
}

/// An authority: its certificate and, where the directory holds it, its secret key.
#[derive(Clone)]
pub struct Authority {
    /// The certificate.
    pub certificate: Cert,
    /// The secret key; without it nothing can be issued.
    pub key: Option<SecretKey>,
}

/// An eIM that signs eUICC packages.
#[derive(Clone)]
pub struct EimCredential {
    /// Its domain name, which the lab uses as its `eimId` too.
    pub fqdn: String,
    /// SK.EIM.ECDSA.
    pub key: SecretKey,
    /// CERT.EIM.ECDSA.
    pub certificate: Cert,
}

impl EimCredential {
    /// What an eUICC is told about this eIM, with its key as a SubjectPublicKeyInfo: for AddInitialEim or addEim. `counter`
    /// is where its counter stands (the first package has the next one), and `want_token` asks for an association token.
    ///
    /// # Errors
    /// [`PkiError::Key`] if the encoder refuses.
    pub fn configuration_data(
        &self,
        counter: u64,
        want_token: bool,
    ) -> Result<EimConfigurationData, PkiError> {
        let key = PublicKeyDer::from_bytes(&self.key.public_key()?.to_spki()?)
            .map_err(|e| PkiError::Key(e.to_string()))?;
        Ok(EimConfigurationData {
            eim_fqdn: Some(self.fqdn.clone()),
            eim_id_type: Some(EimIdType::EimIdTypeFqdn),
            counter_value: Some(counter),
            association_token: want_token.then_some(-1),
            eim_public_key_data: Some(PublicKeyData::EimPublicKey(key)),
            ..EimConfigurationData::new(self.fqdn.clone())
        })
    }
}

/// What an eUICC holds in its ECASD for one CI (SGP.22 2.4.8): SK.EUICC.ECDSA and the certificates.
#[derive(Clone, Serialize, Deserialize)]
pub struct EuiccCredential {
    /// The CI key's subject key identifier, `euiccCiPKId`.
    #[serde(with = "crate::euicc::hexbytes")]
    pub ci_key_id: Vec<u8>,
    /// SK.EUICC.ECDSA.
    pub key: SecretKey,
    /// CERT.EUICC.ECDSA, DER.
    #[serde(with = "crate::euicc::hexbytes")]
    pub euicc_certificate: Vec<u8>,
    /// CERT.EUM.ECDSA, DER.
    #[serde(with = "crate::euicc::hexbytes")]
    pub eum_certificate: Vec<u8>,
    /// CERT.CI.ECDSA, DER: PK.CI, which servers' certificates are verified with, and its issuer's name.
    #[serde(with = "crate::euicc::hexbytes")]
    pub ci_certificate: Vec<u8>,
}

/// CI, EUM, eIM and SM-DP+, with their keys.
#[derive(Clone)]
pub struct Hierarchy {
    /// The certificate issuer.
    pub ci: Authority,
    /// The EUM.
    pub eum: Authority,
    /// The eIM, if the directory holds one; more are made by [`Hierarchy::issue_eim`].
    pub eim: Option<EimCredential>,
    /// The SM-DP+, if the directory holds one; more are made by [`Hierarchy::issue_smdp`].
    pub smdp: Option<SmdpCredential>,
    /// True if the keys are marked as test keys. False only if a manifest says so.
    pub test_keys: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    format: u32,
    test_keys: bool,
    note: String,
    eid_prefix: Option<String>,
    eim_fqdn: Option<String>,
    #[serde(default)]
    smdp_fqdn: Option<String>,
}

const CI_FILES: (&str, &str) = ("CERT_CI_ECDSA_NIST", "SK_CI_ECDSA_NIST");
const EUM_FILES: (&str, &str) = ("CERT_EUM_ECDSA_NIST", "SK_EUM_ECDSA_NIST");
const EIM_FILES: (&str, &str) = ("CERT_EIM_ECDSA_NIST", "SK_EIM_ECDSA_NIST");

impl Hierarchy {
    /// The hierarchy that belongs to a seed: the same seed and options give the same bytes.
    ///
    /// # Errors
    /// [`PkiError::Issue`] if an option doesn't fit in a certificate.
    pub fn from_seed(seed: &[u8], options: &HierarchyOptions) -> Result<Self, PkiError> {
        let ci_key = SecretKey::derive(seed, "CI")?;
        let ci_name = profile::name(&[
            (attribute::COMMON_NAME, "IPAe Lab Test CI"),
            (attribute::ORGANIZATIONAL_UNIT, "TESTCERT"),
            (attribute::ORGANIZATION, "IPAe Lab"),
            (attribute::COUNTRY, "XX"),
        ])?;
        let crl = "http://ci.lab.example/CRL-A.crl".to_owned();
        let ci = profile::issue(
            Request {
                what: "CI",
                kind: Kind::Ci { crl: crl.clone() },
                subject: ci_name.clone(),
                issuer: ci_name.clone(),
                serial: serial("CI", seed),
                public_key: ci_key.public_key()?,
                years: (2020, 2055),
                issuer_key_id: None,
            },
            &ci_key,
        )?;
        let eum_key = SecretKey::derive(seed, "EUM")?;
        let eum = profile::issue(
            Request {
                what: "EUM",
                kind: Kind::Eum {
                    organization: options.organization.clone(),
                    eid_prefix: options.eid_prefix.clone(),
                    oid: EUM_OID,
                    crl,
                },
                subject: profile::name(&[
                    (attribute::COUNTRY, "XX"),
                    (attribute::ORGANIZATION, &options.organization),
                    (attribute::COMMON_NAME, "IPAe Lab Test EUM"),
                ])?,
                issuer: ci_name,
                serial: serial("EUM", seed),
                public_key: eum_key.public_key()?,
                years: (2020, 2054),
                issuer_key_id: None,
            },
            &ci_key,
        )?;
        let mut hierarchy = Hierarchy {
            ci: Authority {
                certificate: ci,
                key: Some(ci_key),
            },
            eum: Authority {
                certificate: eum,
                key: Some(eum_key),
            },
            eim: None,
            smdp: None,
            test_keys: true,
        };
        hierarchy.eim = Some(hierarchy.issue_eim(&options.eim_fqdn)?);
        hierarchy.smdp = Some(hierarchy.issue_smdp(&options.smdp_fqdn)?);
        Ok(hierarchy)
    }

    /// The lab's hierarchy, the same in every run: for tests and the built-in scenarios.
    ///
    /// # Errors
    /// As [`Hierarchy::from_seed`].
    pub fn lab() -> Result<Self, PkiError> {
        Self::from_seed(b"ipae lab", &HierarchyOptions::default())
    }

    /// Makes a hierarchy from a seed and writes it to a directory, which must be empty or not exist:
    /// for CI, EUM, eIM and SM-DP+ (authentication, binding) a certificate as `.der` and `.pem`, a key as `.pem`, and the manifest.
    ///
    /// # Errors
    /// [`PkiError::File`] with the path; nothing that exists is overwritten.
    pub fn init(dir: &Path, seed: &[u8], options: &HierarchyOptions) -> Result<Self, PkiError> {
        let hierarchy = Self::from_seed(seed, options)?;
        std::fs::create_dir_all(dir).map_err(|e| file_error(dir, e))?;
        let mut entries = std::fs::read_dir(dir).map_err(|e| file_error(dir, e))?;
        if entries.next().is_some() {
            return Err(file_error(
                dir,
                "the directory is not empty; choose another, or load it",
            ));
        }
        hierarchy.write(dir, options)?;
        Ok(hierarchy)
    }

    fn write(&self, dir: &Path, options: &HierarchyOptions) -> Result<(), PkiError> {
        write_pair(dir, CI_FILES, &self.ci.certificate, self.ci.key.as_ref())?;
        write_pair(dir, EUM_FILES, &self.eum.certificate, self.eum.key.as_ref())?;
        if let Some(eim) = &self.eim {
            write_pair(dir, EIM_FILES, &eim.certificate, Some(&eim.key))?;
        }
        if let Some(smdp) = &self.smdp {
            for (files, credential) in smdp::FILES.iter().zip([&smdp.auth, &smdp.pb]) {
                write_pair(dir, *files, &credential.certificate, Some(&credential.key))?;
            }
            let tls = self.issue_server(&smdp.address, ServerRole::Tls, (2020, 2050))?;
            write_pair(dir, smdp::TLS_FILE, &tls.certificate, Some(&tls.key))?;
        }
        let manifest = toml::to_string(&Manifest {
            format: 1,
            test_keys: self.test_keys,
            note: TEST_NOTE.into(),
            eid_prefix: Some(options.eid_prefix.clone()),
            eim_fqdn: self.eim.as_ref().map(|e| e.fqdn.clone()),
            smdp_fqdn: self.smdp.as_ref().map(|s| s.address.clone()),
        })
        .map_err(|e| file_error(&dir.join(MANIFEST), e))?;
        write_new(&dir.join(MANIFEST), manifest.as_bytes(), false)
    }

    /// Loads a directory that [`Hierarchy::init`] wrote, or one in the form of SGP.26's test material
    /// (`CERT_CI_ECDSA_NIST.der`, `SK_EUM_ECDSA_NIST.pem` and so on). Keys may be missing;
    /// certificates are checked up to the CI, keys against their certificates.
    ///
    /// # Errors
    /// [`PkiError::File`], [`PkiError::Key`], [`PkiError::Certificate`] or [`PkiError::KeyMismatch`].
    pub fn load(dir: &Path) -> Result<Self, PkiError> {
        let path = dir.join(MANIFEST);
        let manifest = match std::fs::read_to_string(&path) {
            Ok(text) => {
                let manifest: Manifest = toml::from_str(&text).map_err(|e| file_error(&path, e))?;
                if manifest.format != 1 {
                    return Err(file_error(
                        &path,
                        format!("format {} is not known, expected 1", manifest.format),
                    ));
                }
                Some(manifest)
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
            Err(e) => return Err(file_error(&path, e)),
        };
        let ci = read_authority(dir, CI_FILES, "CI")?;
        let eum = read_authority(dir, EUM_FILES, "EUM")?;
        let eim = if dir.join(format!("{}.pem", EIM_FILES.1)).exists() {
            let authority = read_authority(dir, EIM_FILES, "eIM")?;
            let name = authority.certificate.parsed().tbs_certificate().subject();
            let fqdn = manifest
                .as_ref()
                .and_then(|m| m.eim_fqdn.clone())
                .or_else(|| attribute_text(name, attribute::COMMON_NAME))
                .unwrap_or_default();
            authority.key.map(|key| EimCredential {
                fqdn,
                key,
                certificate: authority.certificate,
            })
        } else {
            None
        };
        let smdp = smdp::load(dir, manifest.as_ref().and_then(|m| m.smdp_fqdn.clone()))?;
        Ok(Hierarchy {
            ci,
            eum,
            eim,
            smdp,
            // SGP.26's form holds published keys; a live authority's key is in no file.
            test_keys: manifest.is_none_or(|m| m.test_keys),
        })
    }

    /// The CI key's subject key identifier, `euiccCiPKId`.
    pub fn ci_key_id(&self) -> Vec<u8> {
        self.ci.certificate.subject_key_id().unwrap_or_default()
    }

    /// Makes an eUICC's key and certificate. The key follows from the EUM's key and the EID, so the
    /// same card always gets the same one; the result is verified up to the CI before it is given out.
    ///
    /// # Errors
    /// [`PkiError::NoSecretKey`] without the EUM's key; [`PkiError::EidNotPermitted`] if the EUM's
    /// name constraints exclude the EID.
    pub fn issue_euicc(&self, eid: &Eid) -> Result<EuiccCredential, PkiError> {
        let eum_key = self.eum.key.as_ref().ok_or(PkiError::NoSecretKey("EUM"))?;
        let key = eum_key.child("eUICC", eid.as_bytes())?;
        let eum = self.eum.certificate.parsed().tbs_certificate();
        let text = eid.to_string();
        let permitted = permitted(&self.eum.certificate)?;
        if let Some((prefix, _)) = &permitted
            && !text.starts_with(prefix.as_str())
        {
            return Err(PkiError::EidNotPermitted {
                eid: text,
                prefix: prefix.clone(),
            });
        }
        let organization = permitted
            .and_then(|(_, organization)| organization)
            .or_else(|| attribute_text(eum.subject(), attribute::ORGANIZATION))
            .unwrap_or_default();
        let country =
            attribute_text(eum.subject(), attribute::COUNTRY).unwrap_or_else(|| "XX".into());
        let certificate = profile::issue(
            Request {
                what: "eUICC",
                kind: Kind::Euicc,
                subject: profile::name(&[
                    (attribute::COUNTRY, &country),
                    (attribute::ORGANIZATION, &organization),
                    (attribute::SERIAL_NUMBER, &text),
                    (attribute::COMMON_NAME, "Test eUICC"),
                ])?,
                issuer: eum.subject().clone(),
                serial: serial("eUICC", eid.as_bytes()),
                public_key: key.public_key()?,
                years: (2020, 2053),
                issuer_key_id: self.eum.certificate.subject_key_id(),
            },
            eum_key,
        )?;
        verify_euicc_chain(
            &self.ci.certificate,
            &self.eum.certificate,
            &certificate,
            None,
        )?;
        Ok(EuiccCredential {
            ci_key_id: self.ci_key_id(),
            key,
            euicc_certificate: certificate.der().to_vec(),
            eum_certificate: self.eum.certificate.der().to_vec(),
            ci_certificate: self.ci.certificate.der().to_vec(),
        })
    }

    /// Makes an eIM's signing key and certificate, issued by the CI. The same name always gets the same key.
    ///
    /// # Errors
    /// [`PkiError::NoSecretKey`] without the CI's key; [`PkiError::Issue`] if the name doesn't fit.
    pub fn issue_eim(&self, fqdn: &str) -> Result<EimCredential, PkiError> {
        let ci_key = self.ci.key.as_ref().ok_or(PkiError::NoSecretKey("CI"))?;
        let key = ci_key.child("eIM", fqdn.as_bytes())?;
        let ci = self.ci.certificate.parsed().tbs_certificate();
        let certificate = profile::issue(
            Request {
                what: "eIM",
                kind: Kind::Eim { fqdn: fqdn.into() },
                subject: profile::name(&[
                    (attribute::ORGANIZATION, "IPAe Lab"),
                    (attribute::COMMON_NAME, fqdn),
                ])?,
                issuer: ci.subject().clone(),
                serial: serial("eIM", fqdn.as_bytes()),
                public_key: key.public_key()?,
                years: (2020, 2050),
                issuer_key_id: self.ci.certificate.subject_key_id(),
            },
            ci_key,
        )?;
        Ok(EimCredential {
            fqdn: fqdn.into(),
            key,
            certificate,
        })
    }
}

pub(super) fn serial(label: &str, data: &[u8]) -> [u8; 8] {
    let hash = Sha256::new()
        .chain_update(label.as_bytes())
        .chain_update(data)
        .finalize();
    let mut out = [0; 8];
    for (to, from) in out.iter_mut().zip(hash.iter()) {
        *to = *from;
    }
    out
}

fn file_error(path: &Path, e: impl ToString) -> PkiError {
    PkiError::File {
        path: path.display().to_string(),
        detail: e.to_string(),
    }
}

fn write_new(path: &Path, bytes: &[u8], secret: bool) -> Result<(), PkiError> {
    use std::io::Write;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if secret {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let _ = secret;
    let mut file = options.open(path).map_err(|e| file_error(path, e))?;
    file.write_all(bytes).map_err(|e| file_error(path, e))
}

fn write_pair(
    dir: &Path,
    (certificate_name, key_name): (&str, &str),
    certificate: &Cert,
    key: Option<&SecretKey>,
) -> Result<(), PkiError> {
    let path = dir.join(format!("{certificate_name}.der"));
    write_new(&path, certificate.der(), false)?;
    let path = dir.join(format!("{certificate_name}.pem"));
    let pem = der::pem::encode_string("CERTIFICATE", LineEnding::LF, certificate.der())
        .map_err(|e| file_error(&path, e))?;
    write_new(&path, pem.as_bytes(), false)?;
    if let Some(key) = key {
        let path = dir.join(format!("{key_name}.pem"));
        let text = Zeroizing::new(format!(
            "# TEST KEY, for laboratories only\n{}",
            *key.to_pem()?
        ));
        write_new(&path, text.as_bytes(), true)?;
    }
    Ok(())
}

pub(super) fn read_authority(
    dir: &Path,
    (certificate_name, key_name): (&str, &str),
    what: &'static str,
) -> Result<Authority, PkiError> {
    let der_path = dir.join(format!("{certificate_name}.der"));
    let der = match std::fs::read(&der_path) {
        Ok(der) => der,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let path = dir.join(format!("{certificate_name}.pem"));
            let pem = std::fs::read(&path)
                .map_err(|e| file_error(&der_path, format!("{e} (nor is there a .pem)")))?;
            let (_, der) = der::pem::decode_vec(&pem).map_err(|e| file_error(&path, e))?;
            der
        }
        Err(e) => return Err(file_error(&der_path, e)),
    };
    let certificate = Cert::from_der(&der, what)?;
    let path = dir.join(format!("{key_name}.pem"));
    let key = match std::fs::read_to_string(&path) {
        Ok(text) => {
            let key =
                SecretKey::from_pem(&Zeroizing::new(text)).map_err(|e| file_error(&path, e))?;
            if key.public_key()? != certificate.public_key()? {
                return Err(PkiError::KeyMismatch(what));
            }
            Some(key)
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
        Err(e) => return Err(file_error(&path, e)),
    };
    Ok(Authority { certificate, key })
}
