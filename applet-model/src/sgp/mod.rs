//! Data objects of SGP.32 v1.2 (ESipa, ES10a, ES10b) and of the SGP.22 types they use.
//!
//! Types and fields have the names of the ASN.1. Every type with a tag of its own and every CHOICE
//! has `to_der` and `from_der` (traits [`Encode`] and [`Decode`]); no bytes make them panic.
//! Elements that a later version adds at the end of a SEQUENCE are skipped, result codes it adds
//! are `Other`. Parts under a signature are [`Signed`]: their bytes are kept as they came.
//! [`describe()`] renders any message, damaged ones too, with the names of the specification.
//!
//! No procedures and no cryptography: those are the IPA's, the eUICC's and the eIM's.

#[macro_use]
mod macros;

mod activation_code;
pub mod asn1;
pub mod bits;
pub mod certs;
mod describe;
pub mod download;
pub mod eim_config;
pub mod es10;
pub mod es10c;
pub mod es9;
pub mod esipa;
pub mod euicc_info;
pub mod euicc_package;
pub mod euicc_result;
pub mod ipa_data;
pub mod notification;
mod oid;
pub mod profile;
mod types;

pub use activation_code::{ActivationCode, ActivationCodeError, LPA_PREFIX};
pub use der::{Decode, Encode};
pub use describe::{Node, Value, describe, node_of, nodes};
pub use oid::{Oid, OidError};
pub use types::*;

/// Bytes that aren't what they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{type_name} expected in {len} bytes: {source}")]
pub struct DecodeError {
    /// The ASN.1 name of what was expected.
    pub type_name: &'static str,
    /// How many bytes there were.
    pub len: usize,
    /// What is wrong, and at which byte.
    pub source: der::Error,
}

/// Decodes exactly one message of a known type; as `from_der`, with an error that says of what.
///
/// # Errors
/// [`DecodeError`].
pub fn decode<'a, T>(bytes: &'a [u8]) -> Result<T, DecodeError>
where
    T: Decode<'a, Error = der::Error> + asn1::Described,
{
    T::from_der(bytes).map_err(|source| DecodeError {
        type_name: T::SCHEMA.name,
        len: bytes.len(),
        source,
    })
}

#[cfg(test)]
mod vectors;
