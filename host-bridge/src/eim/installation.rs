//! What became of a download (SGP.32 2.11.2.3, 3.2.3): the eUICC's signed result, alone or in the IPA's answer to the
//! trigger, settles the order and is seen in the inventory.

use super::collect::{Evidence, encoded, keep};
use super::download::{Transaction, not_now};
use super::queue::PackageState;
use super::store::{self, now};
use super::{Eim, EimError, inventory};
use crate::smdp::order::result_words;
use applet_model::sgp::ipa_data::{ProfileDownloadTriggerResult, ProfileDownloadTriggerResultData};
use applet_model::sgp::notification::{
    ErrorReason, FinalResult, PendingNotification, ProfileInstallationResult,
};
use applet_model::sgp::{Eid, TransactionId};
use cards::pki::Cert;
use rusqlite::{Connection, OptionalExtension, params};

impl Eim {
    /// The IPA's answer to a trigger; gives what was done, and the sequence number if the SM-DP+ was told of the result by
    /// way of this eIM. (A result that the IPA tells the SM-DP+ itself must stay until it did.)
    pub(super) fn take_trigger_result(
        &self,
        eid: &Eid,
        result: &ProfileDownloadTriggerResult,
    ) -> Result<(String, Option<u64>), EimError> {
        let package = match &result.eim_transaction_id {
            Some(id) => self.with_db(|db| package_of(db, eid, id))?,
            None => None,
        };
        match &result.profile_download_trigger_result_data {
            ProfileDownloadTriggerResultData::ProfileInstallationResult(result) => {
                let id = &result.profile_installation_result_data.transaction_id;
                if self.transaction(id)?.is_none() {
                    let text = self.take_installation(eid, package, result)?;
                    return Ok((text, None));
                }
                let notification = PendingNotification::ProfileInstallationResult(result.clone());
                let text = self.take_notification(Some(eid), &notification)?;
                Ok((text, Some(notification.seq_number())))
            }
            ProfileDownloadTriggerResultData::ProfileDownloadError(error) => {
                let mut text = format!(
                    "the IPA downloaded nothing: {}",
                    error.profile_download_error_reason
                );
                if let Some(response) = &error.error_response {
                    text = format!("{text}, {}", hex::encode_upper(response.as_bytes()));
                }
                let raw = encoded(result)?;
                self.with_db(|db| {
                    let tx = db.transaction()?;
                    let evidence = Evidence {
                        package,
                        seq_number: None,
                        raw: &raw,
                        verified: false,
                        verdict: "it is not signed",
                        text: &text,
                    };
                    keep(&tx, &eid.to_string(), &evidence)?;
                    if let Some(package) = package {
                        not_now(&tx, package, true, &text)?;
                    }
                    tx.commit()
                })?;
                Ok((text, None))
            }
        }
    }

    /// An eUICC's result of an installation: verified, kept, its order settled, the profile added to the inventory. The
    /// same again changes nothing.
    pub(super) fn take_installation(
        &self,
        eid: &Eid,
        package: Option<i64>,
        result: &ProfileInstallationResult,
    ) -> Result<String, EimError> {
        let name = eid.to_string();
        let data = &result.profile_installation_result_data;
        let transaction = self.transaction(&data.transaction_id)?;
        let verdict = self.installation_verdict(eid, transaction.as_ref(), result)?;
        let verified = verdict.is_ok();
        let package = package.or(transaction.as_ref().and_then(|t| t.package));
        let words = result_words(&data.final_result);
        let raw = encoded(result)?;
        let iccid = data.notification_metadata.iccid.map(|i| i.to_string());
        let text = format!("{} {words}", iccid.as_deref().unwrap_or("a profile"));
        self.with_db(|db| {
            let tx = db.transaction()?;
            let evidence = Evidence {
                package,
                seq_number: Some(data.notification_metadata.seq_number),
                raw: &raw,
                verified,
                verdict: verdict.as_ref().err().map_or("verified", String::as_str),
                text: &text,
            };
            let new = keep(&tx, &name, &evidence)?;
            let (state, note) = match (&verdict, &data.final_result) {
                (Err(why), _) => (
                    Some(PackageState::Unverified),
                    format!("{text}; not believed: {why}"),
                ),
                (Ok(()), FinalResult::SuccessResult(_)) => (Some(PackageState::Done), text.clone()),
                // The SM-DP+ keeps the package: it may be had again.
                (Ok(()), FinalResult::ErrorResult(error))
                    if error.error_reason == ErrorReason::Interruption =>
                {
                    (None, text.clone())
                }
                (Ok(()), FinalResult::ErrorResult(_)) => (Some(PackageState::Failed), text.clone()),
            };
            if new {
                if let (Ok(()), FinalResult::SuccessResult(_), Some(iccid)) =
                    (&verdict, &data.final_result, &iccid)
                {
                    let (name, provider) = transaction
                        .as_ref()
                        .map_or(("", ""), |t| (t.name.as_str(), t.provider.as_str()));
                    inventory::installed(&tx, &eid.to_string(), iccid, name, provider)?;
                }
                if let Some(package) = package {
                    match state {
                        None => not_now(&tx, package, false, &note)?,
                        // As with packages: what is settled stays so, unless what comes is signed.
                        Some(state) => {
                            tx.execute(
                                "UPDATE package SET state = ?2, note = ?3, ended_at = ?4 \
                                 WHERE id = ?1 AND (state IN ('queued', 'sent') OR ?5)",
                                params![package, state.name(), note, now(), verified],
                            )?;
                        }
                    }
                }
            }
            tx.commit()
        })?;
        let order = package.map_or(String::new(), |package| format!("package {package}: "));
        Ok(match &verdict {
            Ok(()) => format!("{order}{text}"),
            Err(why) => format!("{order}{text} ({why})"),
        })
    }

    fn installation_verdict(
        &self,
        eid: &Eid,
        transaction: Option<&Transaction>,
        result: &ProfileInstallationResult,
    ) -> Result<Result<(), String>, EimError> {
        if let Some(other) = transaction.and_then(|t| t.eid).filter(|other| other != eid) {
            return Ok(Err(format!("its transaction is {other}'s")));
        }
        let keys = self.with_db(|db| store::keys(db, &eid.to_string()))?;
        let Some(certificate) = keys.and_then(|keys| keys.euicc_certificate) else {
            return Ok(Err("the eUICC's certificates aren't known".into()));
        };
        let signed = Cert::from_der(&certificate, "eUICC")
            .and_then(|certificate| certificate.public_key())
            .is_ok_and(|key| {
                let data = &result.profile_installation_result_data;
                key.verify(data.bytes(), &result.euicc_sign_pir)
            });
        Ok(match signed {
            true => Ok(()),
            false => Err("the eUICC's signature does not verify".into()),
        })
    }
}

fn package_of(db: &Connection, eid: &Eid, id: &TransactionId) -> rusqlite::Result<Option<i64>> {
    db.query_row(
        "SELECT id FROM package WHERE eid = ?1 AND transaction_id = ?2",
        params![eid.to_string(), id.as_bytes()],
        |row| row.get(0),
    )
    .optional()
}
