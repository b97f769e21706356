//! How many downloads the SM-DP+ serves in a second: virtual eUICCs of their own keys download one order each.
//!
//! The eUICC's part is computed on the same machine, and takes longer than the server's: both times are given.

use super::client::{Es9, Es9Error};
use super::form::OrderForm;
use super::push::{PushError, PushOrder, push};
use super::{Smdp, SmdpError, SmdpOptions};
use crate::personalize::VirtualLink;
use applet_model::sgp::es9::{
    RemoteProfileProvisioningRequest as Request, RemoteProfileProvisioningResponse as Response,
};
use cards::card::{CardConfig, CardError, VirtualCard};
use cards::definition::Definition;
use cards::euicc::{Eid, EuiccConfig, EuiccSetup};
use cards::pki::{Hierarchy, PkiError};
use serde::Serialize;
use std::path::Path;
use std::time::{Duration, Instant};

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The SM-DP+.
    #[error(transparent)]
    Smdp(#[from] SmdpError),
    /// A download.
    #[error(transparent)]
    Push(#[from] PushError),
    /// Keys and certificates.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// A card can't be made.
    #[error("virtual card: {0}")]
    Card(String),
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// Downloads, each of an order of its own into a card of its own.
    pub downloads: usize,
    /// Bytes of the unprotected package.
    pub profile_bytes: usize,
    /// Bytes of the bound package.
    pub package_bytes: usize,
    /// Requests to the SM-DP+ for one download.
    pub requests: usize,
    /// Milliseconds that the SM-DP+ took for one download, in the mean.
    pub server_ms: f64,
    /// Downloads that one thread of it serves in a second.
    pub downloads_per_second: f64,
    /// Milliseconds that the eUICC and the way to it took for one download, in the mean.
    pub card_ms: f64,
}

/// An SM-DP+ with a clock on its calls.
struct Timed {
    smdp: Smdp,
    calls: usize,
    time: Duration,
}

impl Es9 for Timed {
    fn call(&mut self, request: &Request) -> Result<Option<Response>, Es9Error> {
        let start = Instant::now();
        let answer = self.smdp.call(request);
        self.time += start.elapsed();
        self.calls += 1;
        answer
    }
}

fn card(number: usize, hierarchy: &Hierarchy) -> Result<VirtualLink, BenchError> {
    let failed = |e: &dyn std::fmt::Display| BenchError::Card(e.to_string());
    let eid = Eid::with_check_digits(&format!("8904903200000000000000{number:08}"))
        .map_err(|e| failed(&e))?;
    let setup = EuiccSetup::lab().map_err(|e| failed(&e))?;
    let euicc = EuiccConfig::issue(eid, number as u64, hierarchy, setup).map_err(|e| failed(&e))?;
    let definition = Definition::find("virtual-lab").map_err(|e| failed(&e))?;
    let config =
        CardConfig::with_test_keys(definition, 7, euicc).map_err(|e: CardError| failed(&e))?;
    let card = VirtualCard::new(config).map_err(|e| failed(&e))?;
    Ok(VirtualLink::new("bench", card))
}

/// Downloads a package so many times, with the database in a file (`None`: in memory).
///
/// # Errors
/// [`BenchError`].
pub fn bench(
    hierarchy: &Hierarchy,
    db: Option<&Path>,
    profile: &[u8],
    downloads: usize,
    now: u64,
) -> Result<Figures, BenchError> {
    let credential = match &hierarchy.smdp {
        Some(smdp) => smdp.clone(),
        None => hierarchy.issue_smdp("smdp.lab.example")?,
    };
    let options = SmdpOptions {
        time: Some(now),
        ..SmdpOptions::default()
    };
    let smdp = Smdp::open(db, hierarchy, credential, options)?;
    let mut timed = Timed {
        smdp,
        calls: 0,
        time: Duration::ZERO,
    };
    let mut all = Duration::ZERO;
    let mut package_bytes = 0;
    for number in 0..downloads {
        let placed = timed.smdp.place(OrderForm {
            profile: profile.to_vec(),
            name: "Bench".into(),
            provider: "Lab".into(),
            matching_id: None,
            eid: None,
            confirmation_code: None,
            notify: Vec::new(),
            test: false,
            fallback_allowed: false,
        })?;
        let mut link = card(number, hierarchy)?;
        let order = PushOrder {
            address: timed.smdp.address().to_owned(),
            matching_id: placed.matching_id,
            confirmation_code: None,
            now,
        };
        let start = Instant::now();
        let pushed = push(&mut link, &mut timed, &order)?;
        all += start.elapsed();
        package_bytes = pushed.package_bytes;
    }
    let count = downloads.max(1) as f64;
    let server = timed.time.as_secs_f64();
    Ok(Figures {
        downloads,
        profile_bytes: profile.len(),
        package_bytes,
        requests: timed.calls / downloads.max(1),
        server_ms: server * 1000.0 / count,
        downloads_per_second: if server > 0.0 {
            downloads as f64 / server
        } else {
            0.0
        },
        card_ms: all.saturating_sub(timed.time).as_secs_f64() * 1000.0 / count,
    })
}
