//! GlobalPlatform on the card (Card Specification 2.3.1): security domains with SCP03, the registry of
//! load files and applications, the commands that read and change them.
//!
//! [`Open`] is the specification's OPEN: the registry, the domains, and what a domain may do. What
//! needs the VM (linking a load file, running `install()`, deleting objects) is done by
//! [`crate::card`], which calls in here; what the host sends is built by `applet_gen::gp`.

mod authority;
mod data;
mod delete;
mod domain;
mod keys;
mod load;
mod open;
pub(crate) mod params;
pub mod registry;
pub mod session;
mod state;
mod status;
mod store;
mod transfer;

pub(crate) use authority::Request;
pub(crate) use data::Free;
pub use domain::{AUTHENTICATION_TRIES, Domain};
pub use keys::KeySet;
pub use open::Open;
pub(crate) use open::Rules;
pub use params::Toolkit as ToolkitParameters;

use crate::power::PowerCut;
use applet_model::status::Sw;

/// Why a command of the card ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// It is answered with this status word.
    Status(Sw),
    /// The power is gone.
    Power(PowerCut),
}

impl From<Sw> for Stop {
    fn from(sw: Sw) -> Self {
        Stop::Status(sw)
    }
}

impl From<PowerCut> for Stop {
    fn from(cut: PowerCut) -> Self {
        Stop::Power(cut)
    }
}
