//! Keys that sign and verify DAP blocks, tokens and receipts (GPCS appendix C; B.2.2 AES-CMAC, B.4.3 ECDSA).
//!
//! RSA and DES keys, which the specification also knows, are not supported: they go with SCP02 cards.

use super::scp03::AesKey;
use core::fmt;
use p256::ecdsa::signature::{Signer, Verifier};
use p256::ecdsa::{Signature, SigningKey as EcSigningKey, VerifyingKey as EcVerifyingKey};
use p256::pkcs8::{DecodePrivateKey, DecodePublicKey};
use subtle::ConstantTimeEq;

/// Why something is no signing or verification key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureKeyError {
    /// Not a point on the curve, uncompressed.
    #[error("a P-256 public key is 04 and 64 bytes of a point on the curve; {0} bytes were given")]
    PublicKey(usize),
    /// Not a number below the curve's order.
    #[error("a P-256 private key is a number of 32 bytes, from 1 to the curve's order")]
    PrivateKey,
    /// The text isn't PEM of a P-256 key.
    #[error("expected a P-256 key as PEM, private (PKCS#8) or public (SPKI): {0}")]
    Pem(String),
}

/// A key that signs: AES (CMAC, 16 bytes) or NIST P-256 (ECDSA with SHA-256, r and s, 64 bytes).
#[derive(Clone)]
pub enum SigningKey {
    /// An AES key, known to the card as well.
    Aes(AesKey),
    /// A private key, whose public key the card knows.
    P256(EcSigningKey),
}

impl fmt::Debug for SigningKey {
    /// Its kind, never the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SigningKey::Aes(_) => "SigningKey::Aes",
            SigningKey::P256(_) => "SigningKey::P256",
        })
    }
}

impl SigningKey {
    /// A P-256 key by its number, 32 bytes.
    ///
    /// # Errors
    /// [`SignatureKeyError::PrivateKey`].
    pub fn p256(scalar: &[u8]) -> Result<Self, SignatureKeyError> {
        EcSigningKey::from_slice(scalar)
            .map(SigningKey::P256)
            .map_err(|_| SignatureKeyError::PrivateKey)
    }

    /// A P-256 key from PEM (PKCS#8).
    ///
    /// # Errors
    /// [`SignatureKeyError::Pem`].
    pub fn p256_pem(text: &str) -> Result<Self, SignatureKeyError> {
        EcSigningKey::from_pkcs8_pem(text)
            .map(SigningKey::P256)
            .map_err(|error| SignatureKeyError::Pem(error.to_string()))
    }

    /// Signs. The same data give the same signature: ECDSA's nonce is that of RFC 6979.
    pub fn sign(&self, data: &[u8]) -> Vec<u8> {
        match self {
            SigningKey::Aes(key) => key.cmac(&[data]).to_vec(),
            SigningKey::P256(key) => {
                let signature: Signature = key.sign(data);
                signature.to_bytes().to_vec()
            }
        }
    }

    /// What verifies its signatures: the key itself if it is symmetric.
    pub fn verifying(&self) -> VerifyingKey {
        match self {
            SigningKey::Aes(key) => VerifyingKey::Aes(key.clone()),
            SigningKey::P256(key) => VerifyingKey::P256(*key.verifying_key()),
        }
    }
}

/// A key that verifies.
#[derive(Clone)]
pub enum VerifyingKey {
    /// An AES key.
    Aes(AesKey),
    /// A P-256 public key.
    P256(EcVerifyingKey),
}

impl fmt::Debug for VerifyingKey {
    /// Its kind, never the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            VerifyingKey::Aes(_) => "VerifyingKey::Aes",
            VerifyingKey::P256(_) => "VerifyingKey::P256",
        })
    }
}

impl VerifyingKey {
    /// A P-256 key: 04, x, y.
    ///
    /// # Errors
    /// [`SignatureKeyError::PublicKey`].
    pub fn p256(point: &[u8]) -> Result<Self, SignatureKeyError> {
        match (point.first(), point.len()) {
            (Some(4), 65) => EcVerifyingKey::from_sec1_bytes(point).ok(),
            _ => None,
        }
        .map(VerifyingKey::P256)
        .ok_or(SignatureKeyError::PublicKey(point.len()))
    }

    /// A P-256 key from PEM (SPKI).
    ///
    /// # Errors
    /// [`SignatureKeyError::Pem`].
    pub fn p256_pem(text: &str) -> Result<Self, SignatureKeyError> {
        EcVerifyingKey::from_public_key_pem(text)
            .map(VerifyingKey::P256)
            .map_err(|error| SignatureKeyError::Pem(error.to_string()))
    }

    /// The uncompressed point of a P-256 key, as PUT KEY carries it; `None` for an AES key.
    pub fn point(&self) -> Option<Vec<u8>> {
        match self {
            VerifyingKey::Aes(_) => None,
            VerifyingKey::P256(key) => Some(key.to_sec1_point(false).as_bytes().to_vec()),
        }
    }

    /// True if the signature is that of the data.
    pub fn verify(&self, data: &[u8], signature: &[u8]) -> bool {
        match self {
            VerifyingKey::Aes(key) => key.cmac(&[data]).ct_eq(signature).into(),
            VerifyingKey::P256(key) => Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(data, &signature).is_ok()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ecdsa_of_rfc_6979() {
        // RFC 6979 A.2.5: P-256, SHA-256, message "sample".
        let scalar =
            hex::decode("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721")
                .unwrap();
        let key = SigningKey::p256(&scalar).unwrap();
        let signature = key.sign(b"sample");
        assert_eq!(
            hex::encode_upper(&signature),
            "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716\
             F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"
        );
        let point = key.verifying().point().unwrap();
        assert_eq!(
            hex::encode_upper(&point),
            "0460FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6\
             7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299"
        );
        let public = VerifyingKey::p256(&point).unwrap();
        assert!(public.verify(b"sample", &signature));
        assert!(!public.verify(b"simple", &signature));
        assert!(!public.verify(b"sample", &signature[1..]));
        assert!(VerifyingKey::p256(&point[1..]).is_err());
        assert!(SigningKey::p256(&[0; 32]).is_err());
    }

    #[test]
    fn cmac_signs_and_verifies_with_one_key() {
        // NIST SP 800-38B, example 2 of AES-128: sixteen bytes.
        let key = AesKey::new(&hex::decode("2b7e151628aed2a6abf7158809cf4f3c").unwrap()).unwrap();
        let key = SigningKey::Aes(key);
        let message = hex::decode("6bc1bee22e409f96e93d7e117393172a").unwrap();
        let mac = key.sign(&message);
        assert_eq!(hex::encode(&mac), "070a16b46b4d4144f79bdd9dd04a287c");
        assert!(key.verifying().verify(&message, &mac));
        assert!(!key.verifying().verify(&message, &mac[..8]));
        assert_eq!(format!("{key:?}"), "SigningKey::Aes");
    }
}
