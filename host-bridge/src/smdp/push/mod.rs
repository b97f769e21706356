//! A device's part of a download: it relays between an SM-DP+ and the eUICC through ES10 (SGP.22 3.1.3), and has no key
//! of its own. For cards whose IPAe isn't in charge, and for tests.
//!
//! The card has no clock: whether the server's certificates are valid now is looked at here. Nothing is enabled. A
//! session that fails is cancelled at the card and, if it can be reached, at the server.
//!
//! | room | holds |
//! | --- | --- |
//! | `lpa` | the way to the eUICC: ES10 on a logical channel |
//! | `session` | the download itself |

mod lpa;
mod session;

pub use lpa::Lpa;

use super::client::{Es9, Es9Error};
use super::order::result_words;
use crate::transport::{CardLink, LinkError};
use applet_model::sgp::notification::FinalResult;
use applet_model::status::Sw;
use serde::Serialize;

/// Why nothing was downloaded.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The card can't be reached.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The card refused a command.
    #[error("{what}: the card answered {sw}")]
    Card {
        /// Which command.
        what: &'static str,
        /// The status word.
        sw: Sw,
    },
    /// The eUICC refused a function.
    #[error("{what}: the eUICC answered {code}")]
    Euicc {
        /// The function.
        what: &'static str,
        /// The error's name.
        code: &'static str,
    },
    /// The server can't be reached, or refused.
    #[error(transparent)]
    Es9(#[from] Es9Error),
    /// A message can't be read.
    #[error("{what} can't be read: {detail}")]
    Message {
        /// Which.
        what: &'static str,
        /// Why.
        detail: String,
    },
    /// The server's certificate isn't valid now.
    #[error(
        "the SM-DP+'s {which} certificate is valid from {from} to {to} (Unix seconds), now it is {now}"
    )]
    Expired {
        /// Which of the two.
        which: &'static str,
        /// The first second.
        from: u64,
        /// The last one.
        to: u64,
        /// The time here.
        now: u64,
    },
    /// The server asks for a confirmation code.
    #[error("the SM-DP+ asks for a confirmation code, and none was given")]
    CodeMissing,
    /// The eUICC didn't install the profile: why, and in which part of the package.
    #[error("the profile was not installed: {0}")]
    NotInstalled(String),
    /// The eUICC gave no result.
    #[error("the eUICC took the whole package and gave no result")]
    NoResult,
}

fn unreadable(what: &'static str) -> impl Fn(der::Error) -> PushError {
    move |e| PushError::Message {
        what,
        detail: e.to_string(),
    }
}

/// What to download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushOrder {
    /// The SM-DP+'s address, as the activation code has it.
    pub address: String,
    /// The matching identifier; empty: what waits for this eUICC.
    pub matching_id: String,
    /// The confirmation code.
    pub confirmation_code: Option<String>,
    /// The time in Unix seconds, to look at certificates.
    pub now: u64,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pushed {
    /// ICCID of the profile, digits.
    pub iccid: String,
    /// Its name.
    pub name: String,
    /// AID of its ISD-P, hexadecimal.
    pub isdp_aid: String,
    /// Bytes of the bound package.
    pub package_bytes: usize,
    /// Commands to the card.
    pub apdus: u64,
    /// Bytes of those commands and of their answers.
    pub apdu_bytes: u64,
    /// Notifications that the SM-DP+ was told and the card has dropped.
    pub notifications: usize,
}

/// Downloads a profile into the card.
///
/// # Errors
/// [`PushError`]: the profile isn't there. A session that had begun is cancelled; a result of the eUICC has been told to
/// the SM-DP+, or waits in the card.
pub fn push(
    link: &mut dyn CardLink,
    smdp: &mut dyn Es9,
    order: &PushOrder,
) -> Result<Pushed, PushError> {
    let mut lpa = Lpa::open(link)?;
    // Results that couldn't be told last time.
    let before = lpa.notify(smdp, &order.address)?;
    let done = session::download(&mut lpa, smdp, order);
    let told = lpa.notify(smdp, &order.address);
    lpa.close()?;
    let (result, name, package_bytes) = done?;
    let data = &result.profile_installation_result_data;
    let FinalResult::SuccessResult(success) = &data.final_result else {
        return Err(PushError::NotInstalled(result_words(&data.final_result)));
    };
    let iccid = data.notification_metadata.iccid;
    Ok(Pushed {
        iccid: iccid.map(|iccid| iccid.to_string()).unwrap_or_default(),
        name,
        isdp_aid: success.aid.to_string(),
        package_bytes,
        apdus: lpa.apdus,
        apdu_bytes: lpa.bytes,
        notifications: before + told?,
    })
}
