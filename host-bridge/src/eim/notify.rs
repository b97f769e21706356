//! ESipa.HandleNotification (SGP.32 5.14.7, 3.7): notifications are kept, and forwarded to the
//! address that the profile names if there is a way there.

use super::store::{self, int, now};
use super::{Eim, EimError};
use applet_model::sgp::notification::{NotificationMetadata, PendingNotification};
use applet_model::sgp::{Eid, Encode};
use applet_model::tlv;
use cards::pki::Cert;
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long a receiver of notifications may take for each step.
const FORWARD_TIMEOUT: Duration = Duration::from_secs(3);

/// A notification and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
    /// again change nothing. Gives what was done, in words.
    pub(super) fn take_notification(
        &self,
        eid: Option<&Eid>,
        notification: &PendingNotification,
    ) -> Result<String, EimError> {
        let raw = notification.to_der().map_err(|e| EimError::Encoding {
            what: "a notification",
            detail: e.to_string(),
        })?;
        let eid = match eid.copied().or_else(|| eid_of(notification)) {
            Some(eid) => eid,
            None => return Ok("a notification of nobody: dropped".into()),
        };
        if let PendingNotification::OtherSignedNotification(signed) = notification {
            self.learn(
                &eid,
                &signed.euicc_certificate.to_bytes(),
                &signed.eum_certificate.to_bytes(),
            )?;
        }
        let name = eid.to_string();
        let known: Option<i64> = self.with_db(|db| {
            db.query_row(
                "SELECT id FROM notification WHERE eid = ?1 AND raw = ?2",
                params![name, raw],
                |row| row.get(0),
            )
            .optional()
        })?;
        if known.is_some() {
            return Ok(format!("notification {} again", notification.seq_number()));
        }
        let verified = self.is_signed_by(&name, notification)?;
        let metadata = metadata(notification);
        let address = metadata.map_or("", |m| m.notification_address.as_str());
        // Not under the database's lock: the receiver may be slow.
        let (state, reason) = match self.forward_to(address) {
            None if address.is_empty() => (
                "not forwarded",
                "a compact notification names no address".to_owned(),
            ),
            None => ("not forwarded", format!("no way to {address:?} is set up")),
            Some(to) => match post(to, address, &handle_notification(&raw)) {
                Ok(status @ 200..=299) => ("forwarded", format!("answered {status}")),
                Ok(status) => ("not forwarded", format!("{to} answered {status}")),
                Err(e) => ("not forwarded", format!("{to}: {e}")),
            },
        };
        let operation = metadata.map_or_else(
            || "notificationInstall".into(),
            |m| m.profile_management_operation.names().join(" "),
        );
        let iccid = metadata
            .and_then(|m| m.iccid)
            .map(|iccid| iccid.to_string());
        let seq = notification.seq_number();
        let text = format!("notification {seq} {operation}: {state}, {reason}");
        self.with_db(|db| {
            db.execute(
                "INSERT OR IGNORE INTO notification \
                 (eid, seq_number, operation, iccid, address, raw, verified, state, reason, received_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                params![name, int(seq), operation, iccid, address, raw, verified, state, reason, now()],
            )
        })?;
        Ok(text)
    }

    fn forward_to(&self, address: &str) -> Option<SocketAddr> {
        self.inner
            .options
            .forward
            .iter()
            .find(|(name, _)| name == address)
            .map(|(_, to)| *to)
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

/// Whose notification it is, if it says so itself: the compact form's EID, or the subject's serial
/// number of the eUICC's certificate (SGP.22 4.5.2.1.0.3).
fn eid_of(notification: &PendingNotification) -> Option<Eid> {
    const SERIAL_NUMBER: der::asn1::ObjectIdentifier =
        der::asn1::ObjectIdentifier::new_unwrap("2.5.4.5");
    match notification {
        PendingNotification::CompactOtherSignedNotification(signed) => signed.eid_value,
        PendingNotification::OtherSignedNotification(signed) => {
            let certificate = signed.euicc_certificate.parse().ok()?;
            let subject = certificate.tbs_certificate().subject();
            let serial = subject.iter().find(|a| a.oid == SERIAL_NUMBER)?;
            std::str::from_utf8(serial.value.value()).ok()?.parse().ok()
        }
        _ => None,
    }
}

/// ES9+.HandleNotification in the ASN.1 binding (SGP.22 6.6): `pendingNotification` and the request around it are EXPLICIT.
fn handle_notification(pending: &[u8]) -> Vec<u8> {
    let message = tlv::write(0xBF3D, &tlv::write(0xA0, pending));
    tlv::write(0xA2, &message)
}

/// Posts a message and gives the HTTP status.
fn post(to: SocketAddr, host: &str, body: &[u8]) -> std::io::Result<u16> {
    let mut stream = TcpStream::connect_timeout(&to, FORWARD_TIMEOUT)?;
    stream.set_read_timeout(Some(FORWARD_TIMEOUT))?;
    stream.set_write_timeout(Some(FORWARD_TIMEOUT))?;
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {}\r\nX-Admin-Protocol: {}\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        super::PATH,
        super::http::CONTENT_TYPE,
        super::http::ADMIN_PROTOCOL,
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat())?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer)?;
    String::from_utf8_lossy(&answer)
        .split_whitespace()
        .nth(1)
        .and_then(|status| status.parse().ok())
        .ok_or_else(|| std::io::Error::other("the answer isn't HTTP"))
}
