//! Cards behind a real PC/SC stack: pcscd with the vsmartcard driver, virtual cards in its readers.
//!
//! Each test starts a pcscd of its own, with a configuration of its own, if none runs (that needs
//! root). Where there is no pcscd or no driver a test says so and passes; with IPAE_REQUIRE_PCSC in
//! the environment it fails instead.

macro_rules! service {
    ($start:expr) => {
        match $start {
            Ok(service) => service,
            Err(reason) => return skip(&reason),
        }
    };
}

mod faults;
mod missing;
mod pulled;
mod service;
mod waiting;
mod watch;
mod work;
