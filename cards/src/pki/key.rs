//! Secret keys on NIST P-256: kept as 32 bytes, wiped when dropped, never printed.

use super::PkiError;
use der::oid::AssociatedOid;
use der::pem::LineEnding;
use der::referenced::OwnedToRef;
use p256::ecdsa::signature::{Signer, Verifier};
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};
use p256::pkcs8::EncodePrivateKey;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use spki::{EncodePublicKey, SubjectPublicKeyInfoOwned};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// A P-256 secret key. It has no `Debug` or `Display`, and is wiped from memory when dropped.
///
/// Serialized (as hexadecimal digits) only as part of a virtual card's image or a hierarchy's
/// directory, both of which hold test keys.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SecretKey([u8; 32]);

impl SecretKey {
    /// The key that belongs to a seed and a label: the first of SHA-256(label length, label, seed,
    /// n) for n = 0, 1, … that is a valid scalar. The same inputs always give the same key, which is
    /// what a reproducible lab wants and what no production key may be made by.
    ///
    /// # Errors
    /// [`PkiError::Key`] if no scalar was found in 256 tries (probability about 2⁻⁸¹⁹²).
    pub fn derive(seed: &[u8], label: &str) -> Result<Self, PkiError> {
        for n in 0u8..=255 {
            let mut hash = Sha256::new();
            hash.update((label.len() as u64).to_be_bytes());
            hash.update(label.as_bytes());
            hash.update(seed);
            hash.update([n]);
            let bytes = Zeroizing::new(<[u8; 32]>::from(hash.finalize()));
            if let Ok(key) = Self::from_bytes(bytes.as_slice()) {
                return Ok(key);
            }
        }
        Err(PkiError::Key("no scalar could be derived".into()))
    }

    /// The key with this big-endian scalar.
    ///
    /// # Errors
    /// [`PkiError::Key`] if the scalar is zero or not below the group's order, or not 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PkiError> {
        let scalar: [u8; 32] = bytes.try_into().map_err(|_| {
            PkiError::Key(format!(
                "expected a scalar of 32 bytes, got {}",
                bytes.len()
            ))
        })?;
        SigningKey::from_slice(&scalar)
            .map_err(|_| PkiError::Key("the scalar is not in the range of P-256".into()))?;
        Ok(SecretKey(scalar))
    }

    /// Reads a PEM file's text: SEC1 (`EC PRIVATE KEY`) or PKCS#8 (`PRIVATE KEY`); other blocks
    /// beside it, like OpenSSL's `EC PARAMETERS`, are passed over.
    ///
    /// # Errors
    /// [`PkiError::Key`] if there is no such block or it holds no P-256 key. The text is not in the
    /// message.
    pub fn from_pem(text: &str) -> Result<Self, PkiError> {
        for label in ["EC PRIVATE KEY", "PRIVATE KEY"] {
            let (begin, end) = (
                format!("-----BEGIN {label}-----"),
                format!("-----END {label}-----"),
            );
            let Some(start) = text.find(&begin) else {
                continue;
            };
            let block = &text[start..];
            let Some(stop) = block.find(&end) else {
                continue;
            };
            let block = Zeroizing::new(format!("{}\n", &block[..stop + end.len()]));
            let key = p256::SecretKey::from_pem(&block)
                .map_err(|e| PkiError::Key(format!("{label} block: {e}")))?;
            return Self::from_bytes(Zeroizing::new(key.to_bytes()).as_slice());
        }
        Err(PkiError::Key(
            "no EC PRIVATE KEY or PRIVATE KEY block found".into(),
        ))
    }

    /// The key as a SEC1 PEM file's text.
    ///
    /// # Errors
    /// [`PkiError::Key`] if the encoder refuses.
    pub fn to_pem(&self) -> Result<Zeroizing<String>, PkiError> {
        p256::SecretKey::from_slice(&self.0)
            .map_err(|e| PkiError::Key(e.to_string()))?
            .to_sec1_pem(LineEnding::LF)
            .map_err(|e| PkiError::Key(e.to_string()))
    }

    /// The key in PKCS#8, DER, as libraries for TLS take it.
    ///
    /// # Errors
    /// [`PkiError::Key`] if the encoder refuses.
    pub fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, PkiError> {
        let key = p256::SecretKey::from_slice(&self.0).map_err(|e| PkiError::Key(e.to_string()))?;
        let document = key
            .to_pkcs8_der()
            .map_err(|e| PkiError::Key(e.to_string()))?;
        Ok(Zeroizing::new(document.as_bytes().to_vec()))
    }

    /// The key as the signer that the certificate builder takes.
    pub(crate) fn signing_key(&self) -> Result<SigningKey, PkiError> {
        SigningKey::from_slice(&self.0).map_err(|e| PkiError::Key(e.to_string()))
    }

    /// ECDSA over SHA-256 of `message`, deterministic (RFC 6979): r‖s, 64 bytes (SGP.22 2.6.7.2).
    ///
    /// # Errors
    /// [`PkiError::Key`] if the key can't be used; not for keys made by this type's functions.
    pub fn sign(&self, message: &[u8]) -> Result<[u8; 64], PkiError> {
        let signature: Signature = self.signing_key()?.sign(message);
        Ok(signature.to_bytes().into())
    }

    /// The public key that belongs to it.
    ///
    /// # Errors
    /// As [`SecretKey::sign`].
    pub fn public_key(&self) -> Result<PublicKey, PkiError> {
        Ok(PublicKey(*self.signing_key()?.verifying_key()))
    }

    /// The secret shared with the owner of an uncompressed point: the x coordinate, 32 bytes (ECKA-DH, BSI TR-03111 4.3.1).
    ///
    /// # Errors
    /// [`PkiError::Key`] if the bytes are no point of the curve.
    pub fn agree(&self, point: &[u8]) -> Result<Zeroizing<[u8; 32]>, PkiError> {
        let key = p256::SecretKey::from_slice(&self.0).map_err(|e| PkiError::Key(e.to_string()))?;
        let point = p256::PublicKey::from_sec1_bytes(point)
            .map_err(|_| PkiError::Key("not an uncompressed point of P-256".into()))?;
        let secret = p256::ecdh::diffie_hellman(key.to_nonzero_scalar(), point.as_affine());
        let mut out = Zeroizing::new([0; 32]);
        out.copy_from_slice(secret.raw_secret_bytes());
        Ok(out)
    }

    /// Other secret material that only the holder of this key can make: SHA-256(label, key, data).
    pub(crate) fn child(&self, label: &str, data: &[u8]) -> Result<SecretKey, PkiError> {
        let mut seed = Zeroizing::new(self.0.to_vec());
        seed.extend_from_slice(data);
        SecretKey::derive(&seed, label)
    }
}

impl Serialize for SecretKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(hex::encode_upper(self.0)))
    }
}

impl<'de> Deserialize<'de> for SecretKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        let bytes = Zeroizing::new(
            hex::decode(text.as_bytes())
                .map_err(|_| serde::de::Error::custom("a secret key is 64 hexadecimal digits"))?,
        );
        SecretKey::from_bytes(bytes.as_slice()).map_err(serde::de::Error::custom)
    }
}

/// A P-256 public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Reads a SubjectPublicKeyInfo (DER, from its tag 30 on).
    ///
    /// # Errors
    /// [`PkiError::Key`] if it isn't one, or its key is not on P-256.
    pub fn from_spki(der: &[u8]) -> Result<Self, PkiError> {
        let spki = spki::SubjectPublicKeyInfoRef::try_from(der)
            .map_err(|e| PkiError::Key(format!("SubjectPublicKeyInfo: {e}")))?;
        VerifyingKey::try_from(spki)
            .map(PublicKey)
            .map_err(|e| PkiError::Key(format!("not a P-256 public key: {e}")))
    }

    /// The key of a certificate.
    ///
    /// # Errors
    /// As [`PublicKey::from_spki`].
    pub fn of_certificate(certificate: &x509_cert::Certificate) -> Result<Self, PkiError> {
        use der::Encode;
        let spki = certificate
            .tbs_certificate()
            .subject_public_key_info()
            .to_der()
            .map_err(|e| PkiError::Key(e.to_string()))?;
        Self::from_spki(&spki)
    }

    /// True if a certificate's key is on the curve that this type has, whether or not it is a point of it.
    pub(crate) fn is_curve_of(certificate: &x509_cert::Certificate) -> bool {
        let spki = certificate.tbs_certificate().subject_public_key_info();
        let curve = spki.algorithm.owned_to_ref().parameters_oid();
        curve.is_ok_and(|curve| curve == p256::NistP256::OID)
    }

    /// The SubjectPublicKeyInfo, DER.
    ///
    /// # Errors
    /// [`PkiError::Key`] if the encoder refuses.
    pub fn to_spki(&self) -> Result<Vec<u8>, PkiError> {
        Ok(self
            .0
            .to_public_key_der()
            .map_err(|e| PkiError::Key(e.to_string()))?
            .into_vec())
    }

    pub(crate) fn to_spki_owned(self) -> Result<SubjectPublicKeyInfoOwned, PkiError> {
        SubjectPublicKeyInfoOwned::from_key(&self.0).map_err(|e| PkiError::Key(e.to_string()))
    }

    /// The uncompressed point: 04, x, y (65 bytes).
    pub fn to_point(self) -> Vec<u8> {
        self.0.to_sec1_point(false).as_bytes().to_vec()
    }

    /// True if `signature` (r‖s, 64 bytes) over SHA-256 of `message` was made by this key's owner.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature).is_ok_and(|s| self.0.verify(message, &s).is_ok())
    }

    /// As [`PublicKey::verify`] for a certificate's signature, which is a DER SEQUENCE of r and s.
    pub(crate) fn verify_der(&self, message: &[u8], signature: &[u8]) -> bool {
        Signature::from_der(signature).is_ok_and(|s| self.0.verify(message, &s).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_reproducible_and_distinct_by_label() {
        let a = SecretKey::derive(b"seed", "a").unwrap();
        let again = SecretKey::derive(b"seed", "a").unwrap();
        let b = SecretKey::derive(b"seed", "b").unwrap();
        assert!(a.0 == again.0 && a.0 != b.0);
        let signature = a.sign(b"message").unwrap();
        assert_eq!(signature, again.sign(b"message").unwrap());
        assert!(a.public_key().unwrap().verify(b"message", &signature));
        assert!(!b.public_key().unwrap().verify(b"message", &signature));
        assert!(!a.public_key().unwrap().verify(b"message", &signature[..63]));
    }

    #[test]
    fn rfc_6979_vector() {
        // RFC 6979 A.2.5, P-256 with SHA-256, message "sample".
        let key = SecretKey::from_bytes(
            &hex::decode("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721")
                .unwrap(),
        )
        .unwrap();
        assert_eq!(
            hex::encode_upper(key.sign(b"sample").unwrap()),
            "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716\
             F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"
        );
    }

    #[test]
    fn pem_forms_and_bad_scalars() {
        let key = SecretKey::derive(b"seed", "pem").unwrap();
        let pem = key.to_pem().unwrap();
        let with_parameters = format!(
            "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n{}",
            *pem
        );
        assert!(SecretKey::from_pem(&with_parameters).unwrap().0 == key.0);
        assert!(SecretKey::from_pem("nothing").is_err());
        assert!(SecretKey::from_bytes(&[0; 32]).is_err());
        assert!(SecretKey::from_bytes(&[0xFF; 32]).is_err());
        assert!(SecretKey::from_bytes(&[1; 31]).is_err());
        let json = serde_json::to_string(&key).unwrap();
        assert!(serde_json::from_str::<SecretKey>(&json).unwrap().0 == key.0);
    }
}
