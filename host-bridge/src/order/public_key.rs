//! The eIM's public key in the forms that people have it in.

use applet_model::sgp::eim_config::PublicKeyData;
use applet_model::sgp::{CertificateDer, PublicKeyDer};
use p256::elliptic_curve::sec1::ToSec1Point;
use p256::pkcs8::{DecodePublicKey, EncodePublicKey};
use std::path::Path;
use x509_cert::der::{DecodePem, Encode};

/// Reads a cell: hex of a SubjectPublicKeyInfo or of a point, else the name of a PEM or DER file.
/// The error says what was tried.
pub(super) fn read(cell: &str, directory: &Path) -> Result<PublicKeyData, String> {
    if let Ok(bytes) = hex::decode(cell)
        && !bytes.is_empty()
    {
        return of_der(&bytes).or_else(|why| {
            p256::PublicKey::from_sec1_bytes(&bytes)
                .map_err(|_| why)
                .and_then(|key| of_key(&key))
        });
    }
    let path = directory.join(cell);
    let bytes = std::fs::read(&path).map_err(|e| {
        format!(
            "neither hexadecimal digits nor a file that can be read ({}: {e})",
            path.display()
        )
    })?;
    let read = match std::str::from_utf8(&bytes) {
        Ok(text) if text.contains("-----BEGIN CERTIFICATE-----") => {
            x509_cert::Certificate::from_pem(text.trim())
                .and_then(|certificate| certificate.to_der())
                .and_then(|der| CertificateDer::from_bytes(&der))
                .map_err(|e| format!("not a certificate: {e}"))
                .and_then(of_certificate)
        }
        Ok(text) if text.contains("-----BEGIN") => {
            p256::PublicKey::from_public_key_pem(text.trim())
                .map_err(|e| format!("not a P-256 public key in PEM (BEGIN PUBLIC KEY): {e}"))
                .and_then(|key| of_key(&key))
        }
        _ => of_der(&bytes),
    };
    read.map_err(|why| format!("{}: {why}", path.display()))
}

fn of_der(bytes: &[u8]) -> Result<PublicKeyData, String> {
    if let Ok(key) = p256::PublicKey::from_public_key_der(bytes) {
        return of_key(&key);
    }
    CertificateDer::from_bytes(bytes)
        .map_err(|_| {
            "neither a SubjectPublicKeyInfo nor a certificate, and no point of P-256".to_owned()
        })
        .and_then(of_certificate)
}

fn of_certificate(certificate: CertificateDer) -> Result<PublicKeyData, String> {
    let data = PublicKeyData::EimCertificate(certificate);
    let key = data
        .public_key()
        .map_err(|e| format!("not a certificate: {e}"))?;
    p256::PublicKey::from_public_key_der(&key.to_bytes())
        .map_err(|_| "the certificate's key is not on P-256".to_owned())?;
    Ok(data)
}

fn of_key(key: &p256::PublicKey) -> Result<PublicKeyData, String> {
    let der = key.to_public_key_der().map_err(|e| e.to_string())?;
    PublicKeyDer::from_bytes(der.as_bytes())
        .map(PublicKeyData::EimPublicKey)
        .map_err(|e| e.to_string())
}

/// The point of a key, uncompressed, for comparing.
pub(crate) fn point(data: &PublicKeyData) -> Option<Vec<u8>> {
    let der = data.public_key().ok()?.to_bytes();
    let key = p256::PublicKey::from_public_key_der(&der).ok()?;
    Some(key.to_sec1_point(false).as_bytes().to_vec())
}
