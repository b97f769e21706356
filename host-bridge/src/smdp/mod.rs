//! A lab SM-DP+ (SGP.22 5.6): orders, mutual authentication, profiles bound to one eUICC with fresh keys,
//! notifications.
//!
//! [`Smdp`] answers ES9+ functions without any socket; [`http`] serves them, JSON and ASN.1, over TLS or, in a laboratory,
//! plain HTTP. What the eUICC's keys protect is real: chains up to the CI, signatures, the bound package. A package that
//! was handed out is kept until the eUICC's signed result comes, so that a broken download goes on with the same
//! activation code. Who can open the database can order; over the network, who has the token, if there is one.
//!
//! | room | holds |
//! | --- | --- |
//! | `bench` | downloads per second |
//! | `form`, `manage` | orders in words, and over the network |
//! | `order` | orders, and the rules by which they change |
//! | `store` | the database |
//! | `es9` | the functions of ES9+ |
//! | `refusal` | their status codes |
//! | `http` | the server and both bindings |
//! | `client` | a way to an SM-DP+ |
//! | `push` | a device's part: from an SM-DP+ into a card through ES10 |

pub mod bench;
pub mod client;
mod es9;
mod form;
pub mod http;
mod json;
mod manage;
pub mod order;
pub mod push;
mod refusal;
mod store;
#[cfg(test)]
mod tests;

pub use crate::web::{ServerHandle, Tls, TlsError, Token, TokenError, Trust};
pub use form::{Event, OrderForm, Placed};
pub use order::{NewOrder, OrderRow, OrderState};
pub use refusal::Refusal;
pub use store::NotificationRow;

use applet_model::sgp::download::StoreMetadataRequest;
use applet_model::sgp::{Iccid, Oid};
use cards::pki::{Cert, ChainError, Hierarchy, PkiError, SmdpCredential};
use cards::saip::{self, Element};
use der::Decode;
use es9::Session;
use rusqlite::Connection;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What can go wrong at the SM-DP+, but for what it answers its clients.
#[derive(Debug, thiserror::Error)]
pub enum SmdpError {
    /// The database can't be opened.
    #[error("SM-DP+ database {path}: {source}")]
    Database {
        /// The file, or `memory`.
        path: String,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The database can't be used.
    #[error("SM-DP+ database: {0}")]
    Query(#[from] rusqlite::Error),
    /// The database belongs to another SM-DP+ or version.
    #[error("SM-DP+ database {path} holds {found}, expected {expected}")]
    Foreign {
        /// The file.
        path: String,
        /// What is expected.
        expected: String,
        /// What is there.
        found: String,
    },
    /// An order that can't be taken.
    #[error("the order isn't taken: {0}")]
    Order(String),
    /// A key or certificate.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// A certificate of its own that is none of an SM-DP+.
    #[error("the SM-DP+'s own certificate: {0}")]
    Certificate(#[from] ChainError),
    /// The address can't be served.
    #[error("can't serve on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Plain HTTP would leave this machine.
    #[error(
        "{0} is no loopback address, and there is no TLS: plain HTTP is served elsewhere only if that is asked for"
    )]
    NotLoopback(SocketAddr),
}

/// How the SM-DP+ behaves.
#[derive(Clone)]
pub struct SmdpOptions {
    /// Wrong confirmation codes until an order has failed (SGP.22 3.1.3 leaves the number open).
    pub code_tries: u32,
    /// Packages handed out for one order until it has failed.
    pub downloads: u32,
    /// Seconds that a session may take.
    pub session_seconds: u64,
    /// Sessions at a time; the oldest ends for a new one.
    pub sessions: usize,
    /// Largest request body in bytes.
    pub body_limit: usize,
    /// Real time that a connection may be silent.
    pub idle_timeout: Duration,
    /// The certificate that is shown in TLS; `None`: plain HTTP.
    pub tls: Option<Tls>,
    /// What opens the ordering interface on the network; `None`: there is none.
    pub order_token: Option<Token>,
    /// Where random numbers come from; `None`: the system. The same seed gives the same keys: for tests.
    pub seed: Option<u64>,
    /// The time in Unix seconds; `None`: the system's clock.
    pub time: Option<u64>,
}

impl Default for SmdpOptions {
    fn default() -> Self {
        SmdpOptions {
            code_tries: 3,
            downloads: 10,
            session_seconds: 900,
            sessions: 1000,
            body_limit: 64 * 1024,
            idle_timeout: Duration::from_secs(30),
            tls: None,
            order_token: None,
            seed: None,
            time: None,
        }
    }
}

/// A lab SM-DP+. Clones share database and sessions.
#[derive(Clone)]
pub struct Smdp {
    inner: Arc<Inner>,
}

struct Inner {
    db: Mutex<Connection>,
    credential: SmdpCredential,
    /// As both its certificates carry it.
    oid: Oid,
    /// The CIs whose eUICCs are believed.
    ci: Vec<Cert>,
    options: SmdpOptions,
    sessions: Mutex<HashMap<Vec<u8>, Session>>,
    random: Mutex<Random>,
    log: Mutex<Vec<Exchange>>,
}

/// A request and what was answered, for people.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Exchange {
    /// The ES9+ function.
    pub function: &'static str,
    /// HTTP status.
    pub status: u16,
    /// What was done, or why not.
    pub text: String,
}

/// Exchanges that are kept while nobody takes them.
const LOG_LINES: usize = 1000;

struct Random {
    seed: [u8; 32],
    drawn: u64,
}

impl Random {
    fn next(&mut self, label: &str) -> [u8; 32] {
        let hash = Sha256::new()
            .chain_update(self.seed)
            .chain_update(self.drawn.to_be_bytes())
            .chain_update(label.as_bytes())
            .finalize();
        self.drawn += 1;
        hash.into()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Smdp {
    /// Opens an SM-DP+ of a hierarchy over its database (`None`: in memory).
    ///
    /// # Errors
    /// [`SmdpError::Database`] or [`SmdpError::Foreign`]; [`SmdpError::Pki`] if there is no randomness.
    pub fn open(
        file: Option<&Path>,
        hierarchy: &Hierarchy,
        credential: SmdpCredential,
        options: SmdpOptions,
    ) -> Result<Self, SmdpError> {
        let oid = credential.oid()?;
        let db = store::open(file, &oid.to_string())?;
        let mut seed = [0; 32];
        match options.seed {
            Some(number) => seed = Sha256::digest(number.to_be_bytes()).into(),
            None => getrandom::fill(&mut seed)
                .map_err(|e| PkiError::Key(format!("no random numbers: {e}")))?,
        }
        Ok(Smdp {
            inner: Arc::new(Inner {
                db: Mutex::new(db),
                credential,
                oid,
                ci: vec![hierarchy.ci.certificate.clone()],
                options,
                sessions: Mutex::new(HashMap::new()),
                random: Mutex::new(Random { seed, drawn: 0 }),
                log: Mutex::new(Vec::new()),
            }),
        })
    }

    /// Its address, as activation codes name it.
    pub fn address(&self) -> &str {
        &self.inner.credential.address
    }

    /// Takes an order; gives its number.
    ///
    /// # Errors
    /// [`SmdpError::Order`] for what can't be ordered, or a matching identifier that is taken.
    pub fn order(&self, new: &NewOrder) -> Result<i64, SmdpError> {
        let refuse = |text: String| Err(SmdpError::Order(text));
        let id = &new.matching_id;
        if id.is_empty()
            || id.len() > 64
            || !id
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-')
        {
            // SGP.22 4.1: the characters of an activation code's token.
            return refuse(format!(
                "matching identifier {id:?}: expected up to 64 capital letters, digits and hyphens"
            ));
        }
        if let Some(code) = &new.confirmation_code
            && code.is_empty()
        {
            return refuse("the confirmation code is empty".into());
        }
        if new.profile.is_empty() {
            return refuse("the profile package is empty".into());
        }
        match store::insert(&lock(&self.inner.db), new)? {
            Some(number) => Ok(number),
            None => refuse(format!(
                "matching identifier {id} is taken; choose another, or none"
            )),
        }
    }

    /// A matching identifier that nobody guesses.
    pub fn new_matching_id(&self) -> String {
        let bytes = self.random("matchingId");
        let text = hex::encode_upper(bytes);
        let groups = [
            text.get(..5),
            text.get(5..10),
            text.get(10..15),
            text.get(15..20),
        ];
        groups.into_iter().flatten().collect::<Vec<_>>().join("-")
    }

    /// Every order.
    ///
    /// # Errors
    /// [`SmdpError::Query`].
    pub fn orders(&self) -> Result<Vec<OrderRow>, SmdpError> {
        Ok(store::all(&lock(&self.inner.db))?)
    }

    /// Cancels an order that hasn't come to an end.
    ///
    /// # Errors
    /// [`SmdpError::Order`] if there is no such order, or it has ended.
    pub fn cancel(&self, matching_id: &str) -> Result<(), SmdpError> {
        let db = lock(&self.inner.db);
        let order = store::by_matching_id(&db, matching_id)?
            .ok_or_else(|| SmdpError::Order(format!("there is no order {matching_id}")))?;
        if order.row.state.is_final() {
            let state = order.row.state.name();
            return Err(SmdpError::Order(format!("order {matching_id} is {state}")));
        }
        let state = OrderState::Cancelled;
        Ok(store::set_state(
            &db,
            order.row.id,
            state,
            "cancelled here",
        )?)
    }

    /// Notifications of eUICCs, in the order in which they came.
    ///
    /// # Errors
    /// [`SmdpError::Query`].
    pub fn notifications(&self) -> Result<Vec<NotificationRow>, SmdpError> {
        Ok(store::notifications(&lock(&self.inner.db))?)
    }

    /// What was asked and answered since the last call.
    pub fn take_log(&self) -> Vec<Exchange> {
        std::mem::take(&mut lock(&self.inner.log))
    }

    fn log(&self, exchange: Exchange) {
        let mut log = lock(&self.inner.log);
        if log.len() >= LOG_LINES {
            log.remove(0);
        }
        log.push(exchange);
    }

    fn random(&self, label: &str) -> [u8; 32] {
        lock(&self.inner.random).next(label)
    }

    fn now(&self) -> u64 {
        self.inner.options.time.unwrap_or_else(|| {
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_secs())
        })
    }
}

/// The metadata of a package whose order says no more than names: ICCID from its header, the rest as given.
///
/// # Errors
/// [`SmdpError::Order`] if the package doesn't begin with a profile header.
pub fn metadata_of(
    profile: &[u8],
    provider: &str,
    name: &str,
) -> Result<StoreMetadataRequest, SmdpError> {
    let elements = saip::split(profile).ok();
    let first = elements.and_then(|elements| elements.first().map(|(_, raw)| *raw));
    let iccid = match first.map(Element::from_der) {
        Some(Ok(Element::Header(header))) => header.profile_iccid(),
        _ => None,
    };
    let iccid = iccid.ok_or_else(|| {
        SmdpError::Order(
            "the profile package doesn't begin with a ProfileHeader that has an ICCID".into(),
        )
    })?;
    Ok(StoreMetadataRequest {
        iccid: Iccid(*iccid.as_bytes()),
        service_provider_name: provider.to_owned(),
        profile_name: name.to_owned(),
        icon_type: None,
        icon: None,
        profile_class: None,
        notification_configuration_info: None,
        profile_owner: None,
        profile_policy_rules: None,
        service_specific_data_stored_in_euicc: None,
        service_specific_data_not_stored_in_euicc: None,
        ecall_indication: None,
        fallback_allowed: None,
    })
}
