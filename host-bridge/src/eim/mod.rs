//! The lab eIM (SGP.32): ESipa in its ASN.1 binding over HTTP, package signing, queues, results and
//! inventory in SQLite.
//!
//! [`Eim`] is used in this process: open it, enqueue, serve it on an address, ask for results. It
//! speaks **plain HTTP: lab, not secure**; everything that the eUICC itself protects (package
//! signatures, counters, result signatures, certificate chains) is real. What a result says counts
//! only once its signature is verified with the eUICC's certificate, and that up to the CI.
//!
//! | room | holds |
//! | --- | --- |
//! | `operation` | what can be asked of an eUICC |
//! | `store` | the database: its schema, devices, results |
//! | `queue` | packages that wait, were handed out, or ended |
//! | `deliver` | ESipa.GetEimPackage: the next package, signed |
//! | `collect` | ESipa.ProvideEimPackageResult: verification, acknowledgement, retries |
//! | `inventory` | what verified results say of profiles and eIMs |
//! | `notify` | ESipa.HandleNotification, and forwarding |
//! | `download` | indirect download: ESipa's functions sent on to an SM-DP+ |
//! | `installation` | what became of a download |
//! | `manage` | the management interface: REST, web page |
//! | `load` | many devices at once, for measuring |
//! | `http` | the server |
//! | `fault` | answers that are wrong on purpose |

mod collect;
mod deliver;
mod download;
mod fault;
mod http;
mod identity;
mod installation;
mod inventory;
pub mod load;
mod log;
pub mod manage;
mod notify;
mod operation;
#[cfg(test)]
mod over_bip;
mod queue;
mod store;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod with_euicc;
#[cfg(test)]
mod with_smdp;

pub use crate::web::{PATH, ServerHandle, Tls};
pub use download::Forward;
pub use fault::{EimFault, FaultPlan};
pub use identity::EimIdentity;
pub use inventory::{Inventory, ProfileRow};
pub use log::Exchange;
pub use notify::NotificationRow;
pub use operation::{Download, Operation, Source};
pub use queue::{Enqueued, PackageRow, PackageState};
pub use store::{DeviceRow, Registration, ResultRow, Summary};

use applet_model::sgp::Eid;
use rusqlite::Connection;
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What can go wrong at the eIM.
#[derive(Debug, thiserror::Error)]
pub enum EimError {
    /// The database.
    #[error("eIM database {path}: {source}")]
    Database {
        /// The file, or `memory`.
        path: String,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The database belongs to another eIM or version.
    #[error("eIM database {path} holds {found}, expected {expected}")]
    Foreign {
        /// The file.
        path: String,
        /// What is expected.
        expected: String,
        /// What is there.
        found: String,
    },
    /// An operation that can't be read.
    #[error("operation {text:?}: {why}")]
    Operation {
        /// What was given.
        text: String,
        /// What is wrong.
        why: String,
    },
    /// A package of nothing, or of PSMOs and eCOs together (SGP.32 2.11.1.1 has one or the other), or of a download and more.
    #[error("a package holds PSMOs, or eCOs, or one download: {0}")]
    Mixed(String),
    /// Something can't be encoded.
    #[error("encoding {what}: {detail}")]
    Encoding {
        /// What.
        what: &'static str,
        /// Why.
        detail: String,
    },
    /// A key or certificate.
    #[error(transparent)]
    Pki(#[from] cards::pki::PkiError),
    /// An address that others reach, without TLS.
    #[error(
        "{0} isn't a loopback address, and without TLS the management interface's token would be on the \
         wire in clear"
    )]
    NotLoopback(SocketAddr),
    /// The address can't be served.
    #[error("can't serve on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// How the eIM behaves.
#[derive(Clone)]
pub struct EimOptions {
    /// True: an EID that was never registered is taken in when it polls. False: it is answered
    /// eidNotFound(2).
    pub accept_unknown: bool,
    /// How often a package that ended with catBusy is tried in all.
    pub busy_attempts: u32,
    /// How often one and the same package is handed out while no result comes; then it has failed.
    pub deliveries: u32,
    /// Largest request body in bytes.
    pub body_limit: usize,
    /// Real time that a connection may be silent.
    pub idle_timeout: Duration,
    /// The certificate that is shown in TLS; `None`: plain HTTP.
    pub tls: Option<Tls>,
    /// Ways to SM-DP+s and others who are notified. What is for another address isn't forwarded; [`Eim::forward`] opens
    /// more ways later.
    pub forward: Vec<Forward>,
}

impl Default for EimOptions {
    fn default() -> Self {
        EimOptions {
            accept_unknown: true,
            busy_attempts: 3,
            deliveries: 10,
            body_limit: 256 * 1024,
            idle_timeout: Duration::from_secs(30),
            tls: None,
            forward: Vec::new(),
        }
    }
}

/// A lab eIM. Clones share the same database, queues and faults.
#[derive(Clone)]
pub struct Eim {
    inner: Arc<Inner>,
}

struct Inner {
    db: Mutex<Connection>,
    path: String,
    identity: EimIdentity,
    options: EimOptions,
    ways: Mutex<Vec<Forward>>,
    faults: Mutex<Vec<FaultPlan>>,
    log: Mutex<log::Log>,
}

/// Where the database lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// In memory, gone with the process.
    Memory,
    /// In this file; made if it isn't there.
    File(PathBuf),
}

impl From<&Path> for Storage {
    fn from(path: &Path) -> Self {
        Storage::File(path.to_owned())
    }
}

impl Eim {
    /// Opens an eIM with this identity over its database.
    ///
    /// # Errors
    /// [`EimError::Database`], or [`EimError::Foreign`] if the database is another eIM's.
    pub fn open(
        storage: &Storage,
        identity: EimIdentity,
        options: EimOptions,
    ) -> Result<Self, EimError> {
        let path = match storage {
            Storage::Memory => "memory".to_owned(),
            Storage::File(path) => path.display().to_string(),
        };
        let db = store::open(storage, &path, &identity.eim_id)?;
        Ok(Eim {
            inner: Arc::new(Inner {
                db: Mutex::new(db),
                path,
                identity,
                ways: Mutex::new(options.forward.clone()),
                options,
                faults: Mutex::new(Vec::new()),
                log: Mutex::new(log::Log::default()),
            }),
        })
    }

    /// Who this eIM is.
    pub fn identity(&self) -> &EimIdentity {
        &self.inner.identity
    }

    /// Takes an eUICC in, or updates what is known of it: its certificates (verified up to the CI
    /// now), the association token that it gave this eIM, the counter that it holds.
    ///
    /// # Errors
    /// [`EimError::Pki`] if the certificates aren't this EID's under a CI that this eIM trusts,
    /// [`EimError::Database`].
    pub fn register(&self, eid: &Eid, registration: &Registration) -> Result<(), EimError> {
        if let Some((euicc, eum)) = &registration.certificates {
            self.inner.identity.verify_chain(eid, euicc, eum)?;
        }
        self.with_db(|db| store::register(db, eid, registration))
    }

    /// Queues one package of these operations for an eUICC; gives the package's number.
    ///
    /// # Errors
    /// [`EimError::Mixed`] for no operation or PSMOs and eCOs together, [`EimError::Database`].
    pub fn enqueue(&self, eid: &Eid, operations: &[Operation]) -> Result<i64, EimError> {
        self.enqueue_once(eid, operations, None, None)
            .map(Enqueued::package)
    }

    /// Queues one package of these operations. After `expires_in` it isn't handed out for the first
    /// time any more. With `key`, the same request may come again and is queued
    /// once: the key names it for as long as the database lives.
    ///
    /// # Errors
    /// [`EimError::Mixed`] for no operation or PSMOs and eCOs together, [`EimError::Database`].
    pub fn enqueue_once(
        &self,
        eid: &Eid,
        operations: &[Operation],
        expires_in: Option<Duration>,
        key: Option<&str>,
    ) -> Result<Enqueued, EimError> {
        let package = operation::package(operations)?;
        let text = operations
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("; ");
        // An expiry that was reckoned from "now" moves between two tries of one request: it isn't
        // part of what makes a request the same.
        let request = Sha256::new()
            .chain_update(eid.0)
            .chain_update(&package.der)
            .chain_update(&text)
            .finalize();
        let new = queue::New {
            package: &package.der,
            order: package.order.as_ref(),
            text: &text,
            expires_at: expires_in.map(|time| {
                store::now().saturating_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
            }),
            request: key.map(|key| (key, request.as_slice())),
        };
        self.with_db(|db| queue::enqueue(db, eid, &new))
    }

    /// Cancels a package that wasn't handed out yet; false if it was, has ended, or doesn't exist.
    ///
    /// # Errors
    /// [`EimError::Database`].
    pub fn cancel(&self, package: i64) -> Result<bool, EimError> {
        self.with_db(|db| queue::cancel(db, package))
    }

    /// Cancels what waits in an EID's queue and wasn't handed out yet; gives how many packages.
    ///
    /// # Errors
    /// [`EimError::Database`].
    pub fn clear_queue(&self, eid: &Eid) -> Result<usize, EimError> {
        self.with_db(|db| queue::clear_queue(db, eid))
    }

    /// The eUICCs that this eIM knows.
    ///
    /// # Errors
    /// [`EimError::Database`].
    pub fn devices(&self) -> Result<Vec<DeviceRow>, EimError> {
        self.devices_after("", u32::MAX)
    }

    /// The eUICCs whose EIDs come after this text, in order, at most so many.
    ///
    /// # Errors
    /// [`EimError::Database`].
    pub fn devices_after(&self, after: &str, limit: u32) -> Result<Vec<DeviceRow>, EimError> {
        self.with_db(|db| store::devices(db, after, limit))
    }

    /// One eUICC, if this eIM knows it.
    ///
    /// # Errors
    /// [`EimError::Database`].
    pub fn device(&self, eid: &Eid) -> Result<Option<DeviceRow>, EimError> {
        self.with_db(|db| store::device(db, eid))
    }

    /// How many devices there are, and how many packages in each state.
    ///
    /// # Errors
    /// [`EimError::Database`].
    pub fn summary(&self) -> Result<Summary, EimError> {
        self.with_db(store::summary)
    }

    /// The packages of an EID with their states, in the order they were queued.
    ///
    /// # Errors
    /// [`EimError::Database`].
    pub fn packages(&self, eid: &Eid) -> Result<Vec<PackageRow>, EimError> {
        self.with_db(|db| queue::packages(db, eid))
    }

    /// One package by its number.
    ///
    /// # Errors
    /// [`EimError::Database`].
    pub fn package(&self, id: i64) -> Result<Option<PackageRow>, EimError> {
        self.with_db(|db| queue::package(db, id))
    }

    /// The results that came from an EID, in order of arrival, with the verdict on each.
    ///
    /// # Errors
    /// [`EimError::Database`].
    pub fn results(&self, eid: &Eid) -> Result<Vec<ResultRow>, EimError> {
        self.with_db(|db| store::results(db, eid))
    }

    /// What verified results say of an EID's profiles and eIMs.
    ///
    /// # Errors
    /// [`EimError::Database`].
    pub fn inventory(&self, eid: &Eid) -> Result<Inventory, EimError> {
        self.with_db(|db| inventory::read(db, eid))
    }

    /// The notifications that came from an EID, and what became of them.
    ///
    /// # Errors
    /// [`EimError::Database`].
    pub fn notifications(&self, eid: &Eid) -> Result<Vec<NotificationRow>, EimError> {
        self.with_db(|db| notify::list(db, eid))
    }

    /// Makes answers wrong, from the next request on.
    pub fn inject(&self, plan: FaultPlan) {
        lock(&self.inner.faults).push(plan);
    }

    /// Answers rightly again.
    pub fn clear_faults(&self) {
        lock(&self.inner.faults).clear();
    }

    /// Takes the log of requests since the last time, oldest first. At most 10,000 are kept.
    pub fn take_log(&self) -> Vec<Exchange> {
        lock(&self.inner.log).take()
    }

    fn with_db<T>(
        &self,
        f: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, EimError> {
        f(&mut lock(&self.inner.db)).map_err(|source| EimError::Database {
            path: self.inner.path.clone(),
            source,
        })
    }
}

/// A lock that doesn't mind a panic elsewhere: every change under it is one transaction.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
