//! Load: many devices that poll an eIM as cards do, while operations are queued for them through the
//! management interface; and what is to be shown of it afterwards: that each operation was carried
//! out once, in its device's order.
//!
//! Only public interfaces are used, so that the eIM may run anywhere. The devices' eUICCs are the
//! virtual card's own, with real keys and signatures.
//!
//! | room | holds |
//! | --- | --- |
//! | `device` | one device: eUICC, poll, result |
//! | `client` | the management interface's client |
//! | `drive` | who polls when, who queues what |
//! | `report` | figures, and what was found wrong |

mod client;
mod device;
mod drive;
mod report;
#[cfg(test)]
mod tests;

pub use drive::run;
pub use report::{Finding, LoadReport, Quarter};

use std::net::SocketAddr;
use std::time::Duration;

/// What is to be driven.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// Where the eIM serves ESipa.
    pub esipa: SocketAddr,
    /// Where its management interface is.
    pub manage: SocketAddr,
    /// The `Authorization` header for it.
    pub authorization: String,
    /// How many devices.
    pub devices: u32,
    /// Time between two polls of a device; zero: the next device polls as soon as one has.
    pub poll_every: Duration,
    /// Operations queued per minute, for devices at random.
    pub operations_per_minute: u32,
    /// How long.
    pub duration: Duration,
    /// How long to poll on after that until nothing waits.
    pub settle: Duration,
    /// How many devices poll at the same time.
    pub at_once: usize,
    /// Devices, moments and operations follow from it.
    pub seed: u64,
}

/// What keeps a load from being driven.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A device can't be made.
    #[error("device {eid}: {detail}")]
    Device {
        /// Its EID, or its number.
        eid: String,
        /// Why.
        detail: String,
    },
    /// The management interface refuses or doesn't answer.
    #[error("management interface at {address}: {detail}")]
    Manage {
        /// Where.
        address: SocketAddr,
        /// What it said.
        detail: String,
    },
}
