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

pub mod asn1;
pub mod bits;
pub mod certs;
mod describe;
pub mod eim_config;
pub mod es10;
pub mod esipa;
pub mod euicc_info;
pub mod euicc_package;
pub mod euicc_result;
pub mod ipa_data;
pub mod notification;
pub mod profile;
mod types;

pub use der::{Decode, Encode};
pub use describe::{Node, Value, describe, node_of, nodes};
pub use types::*;

#[cfg(test)]
mod vectors;
