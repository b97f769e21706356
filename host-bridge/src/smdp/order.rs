//! Download orders: what they are, and the rules by which they change (SGP.22 3.1.1, 3.1.3).

use applet_model::sgp::Decode;
use applet_model::sgp::download::CancelSessionReason;
use applet_model::sgp::notification::{ErrorReason, FinalResult};
use cards::saip::status::{EuiccResponse, Status};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// Where an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OrderState {
    /// It waits for an eUICC.
    Released,
    /// A bound package was handed out; no result came yet. The same eUICC may have it again.
    Downloaded,
    /// The eUICC said that it is installed.
    Installed,
    /// It failed for good; the note says how.
    Failed,
    /// It was cancelled.
    Cancelled,
}

impl OrderState {
    /// Every state.
    pub const ALL: [OrderState; 5] = [
        OrderState::Released,
        OrderState::Downloaded,
        OrderState::Installed,
        OrderState::Failed,
        OrderState::Cancelled,
    ];

    /// Its name in database and output.
    pub fn name(self) -> &'static str {
        match self {
            OrderState::Released => "released",
            OrderState::Downloaded => "downloaded",
            OrderState::Installed => "installed",
            OrderState::Failed => "failed",
            OrderState::Cancelled => "cancelled",
        }
    }

    /// True if nothing more can come of it.
    pub fn is_final(self) -> bool {
        !matches!(self, OrderState::Released | OrderState::Downloaded)
    }
}

/// What an order is after an eUICC reported that an installation failed. The eUICC's own trouble gives the order back;
/// a profile that it can't take ends it: another try would fail alike.
pub fn after_failure(reason: ErrorReason) -> OrderState {
    match reason {
        // The eUICC kept its one-time key: it may come for the same package.
        ErrorReason::Interruption => OrderState::Downloaded,
        ErrorReason::InsufficientMemory
        | ErrorReason::Scp03tSecurityError
        | ErrorReason::Scp03tStructureError
        | ErrorReason::InvalidSignature
        | ErrorReason::InvalidTransactionId => OrderState::Released,
        _ => OrderState::Failed,
    }
}

/// How an installation ended, in words: `installed`, or why not, in which part of the package, and what the profile
/// package interpreter said of its elements.
pub fn result_words(result: &FinalResult) -> String {
    match result {
        FinalResult::SuccessResult(_) => "installed".into(),
        FinalResult::ErrorResult(error) => {
            let sima = error.sima_response.as_ref();
            let sima = sima.map(|sima| format!(": {}", sima_text(sima)));
            format!(
                "{} in {}{}",
                error.error_reason.name(),
                error.bpp_command_id.name(),
                sima.unwrap_or_default()
            )
        }
    }
}

/// What `simaResponse` says: the statuses that aren't ok, and the card's own words.
fn sima_text(response: &[u8]) -> String {
    let Ok(response) = EuiccResponse::from_der(response) else {
        return hex::encode_upper(response);
    };
    let statuses = response
        .statuses
        .iter()
        .filter(|pe| pe.status != Status::OK.0)
        .map(|pe| {
            let name = Status(pe.status).name();
            match pe.identification {
                Some(number) => format!("{name} in element {number}"),
                None => name,
            }
        });
    statuses
        .chain(response.message.clone())
        .collect::<Vec<_>>()
        .join(", ")
}

/// What an order is after its session was cancelled; `None`: as it was (SGP.22 3.1.3, 5.6.5). Who says no ends it, who
/// couldn't right now doesn't; a failed installation has a result of its own.
pub fn after_cancel(reason: CancelSessionReason) -> Option<OrderState> {
    match reason {
        CancelSessionReason::EndUserRejection
        | CancelSessionReason::PprNotAllowed
        | CancelSessionReason::MetadataMismatch => Some(OrderState::Cancelled),
        _ => None,
    }
}

/// `hashCc` of a confirmation code in a transaction (SGP.22 4.2): SHA-256 of the code's SHA-256 and the transaction.
/// Capital and small letters differ.
pub fn hash_cc(code_hash: &[u8], transaction_id: &[u8]) -> [u8; 32] {
    Sha256::new()
        .chain_update(code_hash)
        .chain_update(transaction_id)
        .finalize()
        .into()
}

/// The part of [`hash_cc`] that an SM-DP+ keeps instead of the code.
pub fn code_hash(code: &str) -> [u8; 32] {
    Sha256::digest(code.as_bytes()).into()
}

/// A new order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOrder {
    /// The matching identifier of its activation code: letters, digits and hyphens.
    pub matching_id: String,
    /// The eUICC that it is for; any if `None`.
    pub eid: Option<String>,
    /// Its confirmation code, if one is asked for.
    pub confirmation_code: Option<String>,
    /// `StoreMetadataRequest`, DER.
    pub metadata: Vec<u8>,
    /// The unprotected profile package.
    pub profile: Vec<u8>,
}

/// An order as it is listed. Its confirmation code is nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OrderRow {
    /// Its number.
    pub id: i64,
    /// The matching identifier.
    pub matching_id: String,
    /// ICCID, digits.
    pub iccid: String,
    /// `profileName`.
    pub name: String,
    /// The eUICC that it is for.
    pub eid: Option<String>,
    /// Where it is.
    pub state: OrderState,
    /// Whether a confirmation code is asked for.
    pub confirmation_code: bool,
    /// Wrong confirmation codes so far.
    pub wrong_codes: u32,
    /// Bound packages handed out so far.
    pub downloads: u32,
    /// The eUICC that its package is bound to.
    pub bound_to: Option<String>,
    /// Bytes of the unprotected profile package.
    pub profile_bytes: usize,
    /// The last thing that happened to it.
    pub note: String,
}
