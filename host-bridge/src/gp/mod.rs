//! GlobalPlatform from the host: a session with a security domain of a card, and what is done in it.
//!
//! [`SecurityDomain`] is the one way to a secure channel: personalization, scripts, surveys and
//! campaigns open theirs with it. Commands and their protection are `applet_gen::gp`'s business.

pub mod attempts;
mod domain;
mod error;
pub mod loading;
pub mod plan;

pub use attempts::{Attempts, AttemptsError, KeyRecord, KeyState, Permission};
pub use domain::{Authentication, Notice, SecurityDomain};
pub use error::GpError;

/// A security domain over a borrowed link.
pub type Domain<'a> = SecurityDomain<&'a mut dyn crate::transport::CardLink>;

#[cfg(test)]
mod tests;
