//! The cryptography behind `javacard.security` and `javacardx.crypto`: computing, and states that can be
//! stored between any two calls. What of it a card offers is its definition's choice
//! ([`super::platform::Platform`]); which constants of the API mean what is in `natives`.

pub(crate) mod aead;
pub(crate) mod block;
pub(crate) mod checksum;
pub(crate) mod curve;
pub(crate) mod digest;
pub(crate) mod key;
pub(crate) mod mac;
pub(crate) mod state;
#[cfg(test)]
mod tests;
