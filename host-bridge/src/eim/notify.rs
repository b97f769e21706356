//! ESipa.HandleNotification (SGP.32 5.14.7, 3.7): notifications are kept, and forwarded to the
//! address that the profile names if there is a way there.

use super::download::eid_in;
use super::store::{self, int, now};
use super::{Eim, EimError};
use crate::smdp::client::Es9;
use applet_model::sgp::es9::{HandleNotification, RemoteProfileProvisioningRequest as Request};
use applet_model::sgp::notification::{
    CompactOtherSignedNotification, NotificationMetadata, OtherSignedNotification,
    PendingNotification,
};
use applet_model::sgp::{CertificateDer, Eid, Encode};
use cards::pki::Cert;
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use utoipa::ToSchema;

/// So many eUICCs are asked for, most recently seen first, whose a notification is that names none.
const CANDIDATES: u32 = 1000;
/// In place of the EID of a notification that is nobody's who is known.
const NOBODY: &str = "unknown";

/// States of a notification.
const FORWARDED: &str = "forwarded";
const NOT_FORWARDED: &str = "not forwarded";

/// A notification and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct NotificationRow {
    /// seqNumber.
    pub seq_number: u64,
    /// profileManagementOperation, in words.
    pub operation: String,
    /// The profile, if it is named.
    pub iccid: Option<String>,
    /// notificationAddress.
    pub address: String,
    /// Whether its signature was verified with the eUICC's certificate.
    pub verified: bool,
    /// `forwarded` or `not forwarded`.
    pub state: String,
    /// Why it wasn't forwarded, or what the receiver said.
    pub reason: String,
    /// The PendingNotification, upper-case hexadecimal.
    pub raw: String,
}

pub(super) fn list(db: &mut Connection, eid: &Eid) -> rusqlite::Result<Vec<NotificationRow>> {
    db.prepare_cached("SELECT * FROM notification WHERE eid = ?1 ORDER BY id")?
        .query_map([eid.to_string()], |row| {
            Ok(NotificationRow {
                seq_number: u64::try_from(row.get::<_, i64>("seq_number")?).unwrap_or(0),
                operation: row.get("operation")?,
                iccid: row.get("iccid")?,
                address: row.get("address")?,
                verified: row.get("verified")?,
                state: row.get("state")?,
                reason: row.get("reason")?,
                raw: hex::encode_upper(row.get::<_, Vec<u8>>("raw")?),
            })
        })?
        .collect()
}

impl Eim {
    /// Keeps a notification, learns the certificates it carries, and forwards it. The same bytes
    /// again change nothing if they were forwarded. Gives what was done, in words.
    pub(super) fn take_notification(
        &self,
        eid: Option<&Eid>,
        notification: &PendingNotification,
    ) -> Result<String, EimError> {
        let raw = notification.to_der().map_err(|e| EimError::Encoding {
            what: "a notification",
            detail: e.to_string(),
        })?;
        let eid = match eid {
            Some(eid) => Some(*eid),
            None => self.whose(notification)?,
        };
        if let (Some(eid), PendingNotification::OtherSignedNotification(signed)) =
            (&eid, notification)
        {
            self.learn(
                eid,
                &signed.euicc_certificate.to_bytes(),
                &signed.eum_certificate.to_bytes(),
            )?;
        }
        let name = eid.map_or(NOBODY.to_owned(), |eid| eid.to_string());
        let known: Option<String> = self.with_db(|db| {
            db.query_row(
                "SELECT state FROM notification WHERE eid = ?1 AND raw = ?2",
                params![name, raw],
                |row| row.get(0),
            )
            .optional()
        })?;
        let seq = notification.seq_number();
        if known.as_deref() == Some(FORWARDED) {
            return Ok(format!("notification {seq} again"));
        }
        let verified = self.is_signed_by(&name, notification)?;
        let (state, reason) = self.send_on(&name, notification)?;
        let metadata = metadata(notification);
        let address = metadata.map_or("", |m| m.notification_address.as_str());
        let operation = metadata.map_or_else(
            || "notificationInstall".into(),
            |m| m.profile_management_operation.names().join(" "),
        );
        let iccid = metadata
            .and_then(|m| m.iccid)
            .map(|iccid| iccid.to_string());
        let mut text = format!("notification {seq} {operation}: {state}, {reason}");
        self.with_db(|db| {
            db.execute(
                "INSERT INTO notification \
                 (eid, seq_number, operation, iccid, address, raw, verified, state, reason, received_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) \
                 ON CONFLICT (eid, raw) DO UPDATE SET \
                 verified = excluded.verified, state = excluded.state, reason = excluded.reason",
                params![name, int(seq), operation, iccid, address, raw, verified, state, reason, now()],
            )
        })?;
        if let (Some(eid), PendingNotification::ProfileInstallationResult(result)) =
            (&eid, notification)
        {
            let installation = self.take_installation(eid, None, result)?;
            text = format!("{installation}; {text}");
        }
        Ok(text)
    }

    /// Whose notification it is: it says so, its transaction is known, or its signature is an eUICC's.
    fn whose(&self, notification: &PendingNotification) -> Result<Option<Eid>, EimError> {
        if let Some(eid) = eid_of(notification) {
            return Ok(Some(eid));
        }
        let id = match notification {
            PendingNotification::ProfileInstallationResult(result) => {
                &result.profile_installation_result_data.transaction_id
            }
            PendingNotification::CompactProfileInstallationResult(result) => {
                &result
                    .compact_profile_installation_result_data
                    .transaction_id
            }
            _ => return self.signer(notification),
        };
        match self.transaction(id)?.and_then(|t| t.eid) {
            Some(eid) => Ok(Some(eid)),
            None => self.signer(notification),
        }
    }

    fn signer(&self, notification: &PendingNotification) -> Result<Option<Eid>, EimError> {
        let candidates: Vec<String> = self.with_db(|db| {
            db.prepare_cached(
                "SELECT eid FROM device WHERE euicc_certificate IS NOT NULL ORDER BY seen_at DESC LIMIT ?1",
            )?
            .query_map([CANDIDATES], |row| row.get(0))?
            .collect()
        })?;
        for eid in candidates {
            if self.is_signed_by(&eid, notification)? {
                return Ok(eid.parse().ok());
            }
        }
        Ok(None)
    }

    /// Tells the receiver; not under the database's lock, as it may be slow. Gives state and reason.
    fn send_on(
        &self,
        eid: &str,
        notification: &PendingNotification,
    ) -> Result<(&'static str, String), EimError> {
        let address = metadata(notification).map_or("", |m| m.notification_address.as_str());
        let Some(mut way) = self.way_to(address) else {
            let reason = match address.is_empty() {
                true => "a compact result names no address".to_owned(),
                false => format!("no way to {address:?} is set up"),
            };
            return Ok((NOT_FORWARDED, reason));
        };
        let whole = match notification {
            PendingNotification::CompactOtherSignedNotification(compact) => {
                match self.with_certificates(eid, compact)? {
                    Some(whole) => whole,
                    None => {
                        let reason = "it is compact, and the eUICC's certificates aren't known";
                        return Ok((NOT_FORWARDED, reason.into()));
                    }
                }
            }
            whole => whole.clone(),
        };
        let to = way.to;
        let request = Request::HandleNotification(HandleNotification {
            pending_notification: whole,
        });
        Ok(match way.call(&request) {
            Ok(_) => (FORWARDED, format!("{to} has it")),
            Err(e) => (NOT_FORWARDED, e.to_string()),
        })
    }

    /// The whole form of a compact notification: with the certificates that the eIM knows.
    fn with_certificates(
        &self,
        eid: &str,
        compact: &CompactOtherSignedNotification,
    ) -> Result<Option<PendingNotification>, EimError> {
        let keys = self.with_db(|db| store::keys(db, eid))?;
        let certificate = |der: Option<Vec<u8>>| CertificateDer::from_bytes(&der?).ok();
        let (Some(euicc), Some(eum)) = keys.map_or((None, None), |keys| {
            (
                certificate(keys.euicc_certificate),
                certificate(keys.eum_certificate),
            )
        }) else {
            return Ok(None);
        };
        Ok(Some(PendingNotification::OtherSignedNotification(
            OtherSignedNotification {
                tbs_other_notification: compact.tbs_other_notification.clone(),
                euicc_notification_signature: compact.euicc_notification_signature.clone(),
                euicc_certificate: euicc,
                eum_certificate: eum,
            },
        )))
    }

    fn is_signed_by(
        &self,
        eid: &str,
        notification: &PendingNotification,
    ) -> Result<bool, EimError> {
        let (bytes, signature) = match notification {
            PendingNotification::OtherSignedNotification(signed) => (
                signed.tbs_other_notification.bytes(),
                &signed.euicc_notification_signature,
            ),
            PendingNotification::CompactOtherSignedNotification(signed) => (
                signed.tbs_other_notification.bytes(),
                &signed.euicc_notification_signature,
            ),
            PendingNotification::ProfileInstallationResult(result) => (
                result.profile_installation_result_data.bytes(),
                &result.euicc_sign_pir,
            ),
            // Its signature is over a form that is rebuilt from the download: not kept here.
            PendingNotification::CompactProfileInstallationResult(_) => return Ok(false),
        };
        let certificate = self
            .with_db(|db| store::keys(db, eid))?
            .and_then(|keys| keys.euicc_certificate);
        Ok(certificate
            .and_then(|der| Cert::from_der(&der, "eUICC").ok())
            .and_then(|certificate| certificate.public_key().ok())
            .is_some_and(|key| key.verify(bytes, signature)))
    }
}

fn metadata(notification: &PendingNotification) -> Option<&NotificationMetadata> {
    match notification {
        PendingNotification::OtherSignedNotification(signed) => {
            Some(signed.tbs_other_notification.value())
        }
        PendingNotification::CompactOtherSignedNotification(signed) => {
            Some(signed.tbs_other_notification.value())
        }
        PendingNotification::ProfileInstallationResult(result) => Some(
            &result
                .profile_installation_result_data
                .notification_metadata,
        ),
        PendingNotification::CompactProfileInstallationResult(_) => None,
    }
}

/// Whose notification it is, if it says so itself: the compact form's EID, or the eUICC's certificate.
fn eid_of(notification: &PendingNotification) -> Option<Eid> {
    match notification {
        PendingNotification::CompactOtherSignedNotification(signed) => signed.eid_value,
        PendingNotification::OtherSignedNotification(signed) => eid_in(&signed.euicc_certificate),
        _ => None,
    }
}
