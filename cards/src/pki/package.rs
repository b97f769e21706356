//! The two signatures around an eUICC package (SGP.32 2.11.1.1 and 2.11.2.1): what an eIM makes, and
//! what it checks when the result comes back.

use super::{PkiError, PublicKey, SecretKey};
use applet_model::sgp::euicc_package::signature_input;
use applet_model::tlv;

/// `EuiccPackageRequest` and `EuiccPackageResult`, [81].
const EUICC_PACKAGE: u32 = 0xBF51;
/// Every signature in SGP.22 and SGP.32, [APPLICATION 55].
const SIGNATURE: u32 = 0x5F37;

/// What is wrong with a signed answer of an eUICC.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackageError {
    /// The bytes aren't an `EuiccPackageResult`.
    #[error("EuiccPackageResult: {0}")]
    Malformed(#[from] tlv::TlvError),
    /// `BF51` holds none of A0, A1, A2.
    #[error("EuiccPackageResult: expected A0, A1 or A2 in BF51, found {found:02X}")]
    UnknownChoice {
        /// The tag found.
        found: u32,
    },
    /// The signature is not the eUICC's over these data and this association token.
    #[error("EuiccPackageResult: the eUICC's signature does not verify")]
    Signature,
}

/// An `EuiccPackageResult` whose signature was verified, or that has none to verify. Every slice is a whole data
/// object as received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerifiedResult<'a> {
    /// `euiccPackageResultDataSigned` (30…).
    Result(&'a [u8]),
    /// `euiccPackageErrorDataSigned` (30…).
    Error(&'a [u8]),
    /// `euiccPackageErrorUnsigned` (A2…): nobody vouches for it.
    Unsigned(&'a [u8]),
}

/// The content of a non-negative DER INTEGER.
pub(crate) fn integer(value: u64) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let skip = bytes.iter().take(7).take_while(|b| **b == 0).count();
    let mut out = Vec::with_capacity(9);
    if bytes.get(skip).is_some_and(|b| b & 0x80 != 0) {
        out.push(0);
    }
    out.extend(bytes.iter().skip(skip));
    out
}

/// Signs an eUICC package as its eIM: `euicc_package_signed` is the whole `EuiccPackageSigned` data object
/// (30…), and `association_token` the token that the eUICC gave this eIM, if any. Returns the
/// `EuiccPackageRequest` (BF51), with the package's bytes exactly as given (SGP.32 2.11.1.1).
///
/// # Errors
/// [`PkiError::Key`] if the key can't be used.
pub fn sign_euicc_package(
    key: &SecretKey,
    euicc_package_signed: &[u8],
    association_token: Option<i64>,
) -> Result<Vec<u8>, PkiError> {
    let message = signature_input(euicc_package_signed, association_token);
    let mut value = euicc_package_signed.to_vec();
    value.extend(tlv::write(SIGNATURE, &key.sign(&message)?));
    Ok(tlv::write(EUICC_PACKAGE, &value))
}

/// Checks an `EuiccPackageResult` (BF51, as the eUICC sent it) with the eUICC's public key and the
/// association token of the eIM that asked, and says which of its three forms it is (SGP.32 2.11.2.1:
/// the signature is over the inner SEQUENCE and the token's data object).
///
/// # Errors
/// [`PackageError`].
pub fn verify_euicc_result<'a>(
    key: &PublicKey,
    euicc_package_result: &'a [u8],
    association_token: Option<i64>,
) -> Result<VerifiedResult<'a>, PackageError> {
    let outer = tlv::expect(euicc_package_result, EUICC_PACKAGE)?;
    let choice = tlv::read_one(outer.value)?;
    if choice.tag == 0xA2 {
        return Ok(VerifiedResult::Unsigned(choice.raw));
    }
    if !matches!(choice.tag, 0xA0 | 0xA1) {
        return Err(PackageError::UnknownChoice { found: choice.tag });
    }
    let (data, rest) = tlv::read(choice.value)?;
    if data.tag != 0x30 {
        return Err(tlv::TlvError::UnexpectedTag {
            offset: 0,
            expected: 0x30,
            found: data.tag,
        }
        .into());
    }
    let signature = tlv::expect(rest, SIGNATURE)?;
    let message = signature_input(data.raw, association_token);
    if !key.verify(&message, signature.value) {
        return Err(PackageError::Signature);
    }
    Ok(if choice.tag == 0xA0 {
        VerifiedResult::Result(data.raw)
    } else {
        VerifiedResult::Error(data.raw)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers() {
        assert_eq!(integer(0), [0]);
        assert_eq!(integer(0x80), [0, 0x80]);
        assert_eq!(
            integer(u64::MAX),
            [0, 255, 255, 255, 255, 255, 255, 255, 255]
        );
    }

    #[test]
    fn a_result_verifies_only_with_its_key_and_token() {
        let key = SecretKey::derive(b"seed", "euicc").unwrap();
        let public = key.public_key().unwrap();
        let data = tlv::write(0x30, &[0x80, 1, b'x']);
        let message = signature_input(&data, Some(5));
        let mut inner = data.clone();
        inner.extend(tlv::write(SIGNATURE, &key.sign(&message).unwrap()));
        for (tag, want) in [
            (0xA0, VerifiedResult::Result(&data)),
            (0xA1, VerifiedResult::Error(&data)),
        ] {
            let result = tlv::write(EUICC_PACKAGE, &tlv::write(tag, &inner));
            assert_eq!(verify_euicc_result(&public, &result, Some(5)), Ok(want));
            assert_eq!(
                verify_euicc_result(&public, &result, None),
                Err(PackageError::Signature)
            );
        }
        let unsigned = tlv::write(EUICC_PACKAGE, &tlv::write(0xA2, &[0x80, 1, b'x']));
        assert!(matches!(
            verify_euicc_result(&public, &unsigned, None),
            Ok(VerifiedResult::Unsigned(_))
        ));
        let other = tlv::write(EUICC_PACKAGE, &tlv::write(0xA3, &[]));
        assert_eq!(
            verify_euicc_result(&public, &other, None),
            Err(PackageError::UnknownChoice { found: 0xA3 })
        );
        assert!(verify_euicc_result(&public, &[0xBF], None).is_err());
    }
}
