//! ESipa.ProvideEimPackageResult (SGP.32 5.14.6): what came back is verified, kept, acknowledged,
//! and tried again where that is worth it.
//!
//! Everything that is kept is acknowledged, what couldn't be verified too: the eUICC may drop it,
//! the eIM has the bytes and verifies them as soon as it learns the certificates. A result that
//! comes again is recognised by its bytes and changes nothing.

use super::operation::{Operation, operations};
use super::queue::PackageState;
use super::store::{self, int, now};
use super::{Eim, EimError, inventory};
use applet_model::sgp::esipa::{
    EimAcknowledgements, EimPackageResult, EimPackageResultResponseError, ProvideEimPackageResult,
    ProvideEimPackageResultError, ProvideEimPackageResultResponse,
};
use applet_model::sgp::euicc_package::{EuiccPackage, NoParameters, signature_input};
use applet_model::sgp::euicc_result::{
    DisableProfileResult, EnableProfileResult, EuiccPackageErrorCode, EuiccPackageResult,
    EuiccResultData, RollbackProfileResult,
};
use applet_model::sgp::ipa_data::{IpaEuiccData, IpaEuiccDataResponse};
use applet_model::sgp::notification::{PendingNotification, ProfileInstallationResult};
use applet_model::sgp::{Decode, Eid, Encode, TransactionId};
use cards::pki::Cert;
use rusqlite::{OptionalExtension, Transaction, params};

/// What a request is answered with, and what to log.
pub(super) struct Collected {
    pub(super) response: ProvideEimPackageResultResponse,
    pub(super) text: String,
}

/// A package that a result answers.
struct Asked {
    id: i64,
    place: i64,
    attempt: u32,
    deliveries: u32,
    state: String,
    operations: Vec<Operation>,
    eid: String,
    enabled_before: Option<String>,
    applied: bool,
}

/// What a result means for its package.
struct Outcome {
    state: PackageState,
    note: String,
    /// Operations to try again.
    again: Vec<Operation>,
}

impl Outcome {
    fn failed(note: impl Into<String>) -> Self {
        Outcome {
            state: PackageState::Failed,
            note: note.into(),
            again: Vec::new(),
        }
    }
}

impl Eim {
    /// An IPA's answer to a request for data ends its package; it is signed by nobody.
    fn settle_data(
        &self,
        eid: &Eid,
        id: Option<&TransactionId>,
        result: &EimPackageResult,
        state: PackageState,
        what: String,
    ) -> Result<String, EimError> {
        let raw = encoded(result)?;
        let name = eid.to_string();
        self.with_db(|db| {
            let tx = db.transaction()?;
            let package: Option<i64> = match id {
                Some(id) => tx
                    .query_row(
                        "SELECT id FROM package WHERE eid = ?1 AND transaction_id = ?2",
                        params![name, id.as_bytes()],
                        |row| row.get(0),
                    )
                    .optional()?,
                None => None,
            };
            let evidence = Evidence {
                package,
                seq_number: None,
                raw: &raw,
                verified: false,
                verdict: "it is not signed",
                text: &what,
            };
            keep(&tx, &name, &evidence)?;
            tx.execute(
                "UPDATE package SET state = ?2, note = ?3, ended_at = ?4 WHERE id = ?1 AND state = 'sent'",
                params![package, state.name(), what, now()],
            )?;
            tx.commit()?;
            Ok(match package {
                Some(package) => format!("package {package}: {what}"),
                None => format!("{what}: this eIM asked for none"),
            })
        })
    }

    pub(super) fn provide_result(
        &self,
        message: &ProvideEimPackageResult,
    ) -> Result<Collected, EimError> {
        let refused = |error, text: &str| {
            Ok(Collected {
                response: ProvideEimPackageResultResponse::ProvideEimPackageResultError(error),
                text: text.to_owned(),
            })
        };
        let result = &message.eim_package_result;
        let eid = match message.eid_value {
            Some(eid) => Some(eid),
            // Some IPAs leave the EID out: the transaction tells whose package it was.
            None => match transaction_id(result) {
                Some(transaction) => self.eid_of(transaction)?,
                None => None,
            },
        };
        let Some(eid) = eid else {
            return refused(ProvideEimPackageResultError::MissingEid, "missingEid");
        };
        if self
            .with_db(|db| store::keys(db, &eid.to_string()))?
            .is_none()
        {
            return refused(ProvideEimPackageResultError::EidNotFound, "eidNotFound");
        }
        let mut acknowledged = Vec::new();
        let mut texts = Vec::new();
        match result {
            EimPackageResult::EuiccPackageResult(result) => {
                texts.push(self.take_result(&eid, result)?);
                acknowledged.extend(result.seq_number());
            }
            EimPackageResult::EprAndNotifications(both) => {
                // Notifications carry the certificates that the result is verified with.
                self.take_notifications(&eid, &both.notification_list, &mut acknowledged)?;
                let result = &both.euicc_package_result;
                texts.push(self.take_result(&eid, result)?);
                texts.push(format!("{} notifications", both.notification_list.len()));
                acknowledged.extend(result.seq_number());
            }
            EimPackageResult::IpaEuiccDataResponse(IpaEuiccDataResponse::IpaEuiccData(data)) => {
                if let (Some(euicc), Some(eum)) = (&data.euicc_certificate, &data.eum_certificate) {
                    texts.push(self.learn(&eid, &euicc.to_bytes(), &eum.to_bytes())?);
                }
                let list = data.notifications_list.as_deref().unwrap_or_default();
                self.take_notifications(&eid, list, &mut acknowledged)?;
                for result in data.euicc_package_result_list.iter().flatten() {
                    texts.push(self.take_result(&eid, result)?);
                    acknowledged.extend(result.seq_number());
                }
                let id = data.eim_transaction_id.as_ref();
                let what = data_in_words(data);
                texts.push(self.settle_data(&eid, id, result, PackageState::Done, what)?);
            }
            EimPackageResult::EimPackageResultResponseError(error) => {
                texts.push(self.take_response_error(&eid, error)?);
            }
            EimPackageResult::ProfileDownloadTriggerResult(result) => {
                let (text, told) = self.take_trigger_result(&eid, result)?;
                texts.push(text);
                acknowledged.extend(told);
            }
            EimPackageResult::IpaEuiccDataResponse(
                IpaEuiccDataResponse::IpaEuiccDataResponseError(error),
            ) => {
                let id = error.eim_transaction_id.as_ref();
                let what = error.ipa_euicc_data_error_code.to_string();
                texts.push(self.settle_data(&eid, id, result, PackageState::Failed, what)?);
            }
        }
        let response = if acknowledged.is_empty() {
            ProvideEimPackageResultResponse::EmptyResponse(NoParameters {})
        } else {
            ProvideEimPackageResultResponse::EimAcknowledgements(EimAcknowledgements::of(
                acknowledged,
            ))
        };
        Ok(Collected {
            response,
            text: texts.join("; "),
        })
    }

    fn take_notifications(
        &self,
        eid: &Eid,
        list: &[PendingNotification],
        acknowledged: &mut Vec<u64>,
    ) -> Result<(), EimError> {
        for notification in list {
            self.take_notification(Some(eid), notification)?;
            acknowledged.push(notification.seq_number());
        }
        Ok(())
    }

    fn eid_of(&self, transaction: &TransactionId) -> Result<Option<Eid>, EimError> {
        let text: Option<String> = self.with_db(|db| {
            db.query_row(
                "SELECT eid FROM package WHERE transaction_id = ?1",
                [transaction.as_bytes()],
                |row| row.get(0),
            )
            .optional()
        })?;
        Ok(text.and_then(|text| text.parse().ok()))
    }

    /// Takes in an eUICC's certificates if they are its own under a trusted CI and none are known
    /// yet, and verifies what waited for them.
    pub(super) fn learn(&self, eid: &Eid, euicc: &[u8], eum: &[u8]) -> Result<String, EimError> {
        let known = self.with_db(|db| store::keys(db, &eid.to_string()))?;
        if known.is_some_and(|keys| keys.euicc_certificate.is_some()) {
            return Ok("certificates were known".into());
        }
        if let Err(e) = self.inner.identity.verify_chain(eid, euicc, eum) {
            return Ok(format!("certificates refused: {e}"));
        }
        let registration = store::Registration {
            certificates: Some((euicc.to_vec(), eum.to_vec())),
            ..store::Registration::default()
        };
        self.with_db(|db| store::register(db, eid, &registration))?;
        let waiting: Vec<Vec<u8>> = self.with_db(|db| {
            db.prepare("SELECT raw FROM result WHERE eid = ?1 AND verified = 0 ORDER BY id")?
                .query_map([eid.to_string()], |row| row.get(0))?
                .collect()
        })?;
        for raw in waiting {
            if let Ok(result) = EuiccPackageResult::from_der(&raw) {
                self.take_result(eid, &result)?;
            } else if let Ok(result) = ProfileInstallationResult::from_der(&raw) {
                self.take_installation(eid, None, &result)?;
            }
        }
        Ok("certificates learned".into())
    }

    /// Whether the eUICC signed this result for this eIM.
    fn verdict(&self, keys: &store::Keys, result: &EuiccPackageResult) -> Result<(), String> {
        let own = &self.inner.identity.eim_id;
        let Some((signed, signature)) = result.signed() else {
            return Err("it is not signed".into());
        };
        if result.eim_id() != own {
            return Err(format!("it is for eIM {:?}, not {own:?}", result.eim_id()));
        }
        let Some(certificate) = &keys.euicc_certificate else {
            return Err("the eUICC's certificates aren't known".into());
        };
        let key = Cert::from_der(certificate, "eUICC")
            .and_then(|certificate| certificate.public_key())
            .map_err(|e| e.to_string())?;
        let input = signature_input(signed, keys.association_token);
        if key.verify(&input, signature) {
            Ok(())
        } else {
            Err("the eUICC's signature does not verify".into())
        }
    }

    fn take_result(&self, eid: &Eid, result: &EuiccPackageResult) -> Result<String, EimError> {
        let raw = encoded(result)?;
        let name = eid.to_string();
        let busy_attempts = self.inner.options.busy_attempts;
        let Some(keys) = self.with_db(|db| store::keys(db, &name))? else {
            return Ok("unknown EID".into());
        };
        let verdict = self.verdict(&keys, result);
        let verified = verdict.is_ok();
        let text = words(result);
        self.with_db(|db| {
            let tx = db.transaction()?;
            let asked = match result.eim_transaction_id() {
                Some(transaction) => asked(&tx, &name, transaction)?,
                None => None,
            };
            let package = asked.as_ref().map(|asked| asked.id);
            let says = match &verdict {
                Ok(()) => "verified".to_owned(),
                Err(why) => why.clone(),
            };
            let evidence = Evidence {
                package,
                seq_number: result.seq_number(),
                raw: &raw,
                verified,
                verdict: &says,
                text: &text,
            };
            let new = keep(&tx, &name, &evidence)?;
            let log = match asked {
                _ if !new => format!("again: {text}"),
                None => format!("{text} ({says}; it answers no package of this eIM)"),
                Some(asked) => {
                    let outcome = outcome(&asked, result, &verdict, busy_attempts);
                    let log = format!(
                        "package {} {}: {}",
                        asked.id,
                        outcome.state.name(),
                        outcome.note
                    );
                    settle(&tx, asked, result, verified, outcome)?;
                    log
                }
            };
            tx.commit()?;
            Ok(log)
        })
    }

    fn take_response_error(
        &self,
        eid: &Eid,
        error: &EimPackageResultResponseError,
    ) -> Result<String, EimError> {
        let text = format!(
            "the IPA refused the package: {}",
            error.eim_package_result_error_code
        );
        let Some(transaction) = &error.eim_transaction_id else {
            return Ok(text);
        };
        let note = text.clone();
        self.with_db(|db| {
            db.execute(
                "UPDATE package SET state = 'failed', note = ?3, ended_at = ?4 \
                 WHERE eid = ?1 AND transaction_id = ?2 AND state = 'sent'",
                params![eid.to_string(), transaction.as_bytes(), note, now()],
            )
        })?;
        Ok(text)
    }
}

/// A result as it came, and what is thought of it.
pub(super) struct Evidence<'a> {
    pub(super) package: Option<i64>,
    pub(super) seq_number: Option<u64>,
    pub(super) raw: &'a [u8],
    pub(super) verified: bool,
    pub(super) verdict: &'a str,
    pub(super) text: &'a str,
}

/// Keeps a result; false if these bytes were here before with the same verdict.
pub(super) fn keep(
    tx: &Transaction<'_>,
    eid: &str,
    evidence: &Evidence<'_>,
) -> rusqlite::Result<bool> {
    let before: Option<bool> = tx
        .query_row(
            "SELECT verified FROM result WHERE eid = ?1 AND raw = ?2",
            params![eid, evidence.raw],
            |row| row.get(0),
        )
        .optional()?;
    tx.execute(
        "INSERT INTO result (eid, package, seq_number, raw, verified, verdict, text, received_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
         ON CONFLICT (eid, raw) DO UPDATE SET times = times + 1, package = excluded.package, \
         verified = excluded.verified, verdict = excluded.verdict",
        params![
            eid,
            evidence.package,
            evidence.seq_number.map(int),
            evidence.raw,
            evidence.verified,
            evidence.verdict,
            evidence.text,
            now()
        ],
    )?;
    Ok(before.is_none_or(|before| !before && evidence.verified))
}

fn asked(
    tx: &Transaction<'_>,
    eid: &str,
    transaction: &TransactionId,
) -> rusqlite::Result<Option<Asked>> {
    tx.query_row(
        "SELECT * FROM package WHERE eid = ?1 AND transaction_id = ?2",
        params![eid, transaction.as_bytes()],
        |row| {
            let package: Vec<u8> = row.get("package")?;
            Ok(Asked {
                id: row.get("id")?,
                place: row.get("place")?,
                attempt: row.get("attempt")?,
                deliveries: row.get("deliveries")?,
                state: row.get("state")?,
                operations: EuiccPackage::from_der(&package)
                    .map(|package| operations(&package))
                    .unwrap_or_default(),
                eid: row.get("eid")?,
                enabled_before: row.get("enabled_before")?,
                applied: row.get("applied")?,
            })
        },
    )
    .optional()
}

/// Writes what a result means: the package's state, the inventory, the new try.
fn settle(
    tx: &Transaction<'_>,
    mut asked: Asked,
    result: &EuiccPackageResult,
    verified: bool,
    outcome: Outcome,
) -> rusqlite::Result<()> {
    if verified && !result.results().is_empty() {
        if !asked.applied {
            asked.enabled_before = inventory::enabled(tx, &asked.eid)?;
            inventory::apply(tx, &asked.eid, &asked.operations, result.results())?;
            tx.execute(
                "UPDATE package SET applied = 1, enabled_before = ?2 WHERE id = ?1",
                params![asked.id, asked.enabled_before],
            )?;
        }
        if outcome.state == PackageState::RolledBack {
            inventory::set_enabled(tx, &asked.eid, asked.enabled_before.as_deref())?;
        }
    }
    // What is settled stays so, unless what comes is signed: a forged refusal must not undo it.
    if matches!(asked.state.as_str(), "queued" | "sent") || verified {
        tx.execute(
            "UPDATE package SET state = ?2, note = ?3, ended_at = ?4 WHERE id = ?1",
            params![asked.id, outcome.state.name(), outcome.note, now()],
        )?;
    }
    if !outcome.again.is_empty()
        && let Ok(package) = super::operation::package(&outcome.again)
    {
        let text: Vec<_> = outcome.again.iter().map(ToString::to_string).collect();
        tx.execute(
            "INSERT INTO package (eid, place, attempt, held, package, text, queued_at, expires_at) \
             SELECT ?1, ?2, ?3, 1, ?4, ?5, ?6, expires_at FROM package WHERE id = ?7",
            params![
                asked.eid,
                asked.place,
                asked.attempt + 1,
                package.der,
                text.join("; "),
                now(),
                asked.id
            ],
        )?;
    }
    Ok(())
}

fn outcome(
    asked: &Asked,
    result: &EuiccPackageResult,
    verdict: &Result<(), String>,
    busy_attempts: u32,
) -> Outcome {
    if let EuiccPackageResult::EuiccPackageErrorUnsigned(_) = result {
        return Outcome::failed(
            "refused without a signature: the eIM isn't known to the eUICC, its signature is wrong, \
             or the package can't be decoded",
        );
    }
    if let Err(why) = verdict {
        return Outcome {
            state: PackageState::Unverified,
            note: format!("{}; not believed: {why}", words(result)),
            again: Vec::new(),
        };
    }
    if let EuiccPackageResult::EuiccPackageErrorSigned(error) = result {
        let code = error
            .euicc_package_error_data_signed
            .euicc_package_error_code;
        let again = if code == EuiccPackageErrorCode::ReplayError && asked.deliveries > 1 {
            format!(
                " (handed out {} times: it may have been executed, its result is still to come)",
                asked.deliveries
            )
        } else {
            String::new()
        };
        return Outcome::failed(format!("refused by the eUICC: {code}{again}"));
    }
    let results = result.results();
    if let Some(rollback) = results.iter().find_map(|result| match result {
        EuiccResultData::RollbackResult(rollback) => Some(*rollback),
        _ => None,
    }) {
        return if rollback == RollbackProfileResult::Ok {
            Outcome {
                state: PackageState::RolledBack,
                note: words(result),
                again: Vec::new(),
            }
        } else {
            Outcome::failed(words(result))
        };
    }
    let Some(at) = results.iter().position(|result| !result.is_ok()) else {
        return if results.len() < asked.operations.len() {
            Outcome::failed(format!(
                "{} of {} operations have a result: {}",
                results.len(),
                asked.operations.len(),
                words(result)
            ))
        } else {
            Outcome {
                state: PackageState::Done,
                note: words(result),
                again: Vec::new(),
            }
        };
    };
    let busy = results.get(at).is_some_and(is_busy);
    let rest = asked.operations.get(at..).unwrap_or_default();
    if busy && asked.attempt < busy_attempts && !rest.is_empty() {
        return Outcome {
            state: PackageState::Retried,
            note: format!(
                "{}; attempt {} of {busy_attempts}, the rest is tried again",
                words(result),
                asked.attempt
            ),
            again: rest.to_vec(),
        };
    }
    let operation = rest
        .first()
        .map_or_else(|| "after the last operation".into(), ToString::to_string);
    let attempts = if busy {
        format!(", after {} attempts", asked.attempt)
    } else {
        String::new()
    };
    Outcome::failed(format!("{operation}: {}{attempts}", words(result)))
}

fn is_busy(result: &EuiccResultData) -> bool {
    matches!(
        result,
        EuiccResultData::EnableResult(EnableProfileResult::CatBusy)
            | EuiccResultData::DisableResult(DisableProfileResult::CatBusy)
    )
}

/// A result in words.
fn words(result: &EuiccPackageResult) -> String {
    match result {
        EuiccPackageResult::EuiccPackageResultSigned(_) => result
            .results()
            .iter()
            .map(EuiccResultData::summary)
            .collect::<Vec<_>>()
            .join(", "),
        EuiccPackageResult::EuiccPackageErrorSigned(error) => format!(
            "euiccPackageErrorSigned {}",
            error
                .euicc_package_error_data_signed
                .euicc_package_error_code
        ),
        EuiccPackageResult::EuiccPackageErrorUnsigned(_) => "euiccPackageErrorUnsigned".into(),
    }
}

/// What an IPA's data hold.
fn data_in_words(data: &IpaEuiccData) -> String {
    let mut words = Vec::new();
    let mut list = |what: &str, n: usize| words.push(format!("{n} {what}"));
    if let Some(all) = &data.notifications_list {
        list("notifications", all.len());
    }
    if let Some(all) = &data.euicc_package_result_list {
        list("package results", all.len());
    }
    for (what, there) in [
        ("EUICCInfo1", data.euicc_info1.is_some()),
        ("EUICCInfo2", data.euicc_info2.is_some()),
        ("certificates", data.euicc_certificate.is_some()),
    ] {
        words.extend(there.then(|| what.to_owned()));
    }
    for (what, address) in [
        ("default SM-DP+", &data.default_smdp_address),
        ("root SM-DS", &data.root_smds_address),
    ] {
        words.extend(address.as_ref().map(|a| format!("{what} {a}")));
    }
    if let Some(ipa) = &data.ipa_capabilities {
        words.push(ipa.ipa_features.names().join(" "));
    }
    words.join(", ")
}

fn transaction_id(result: &EimPackageResult) -> Option<&TransactionId> {
    match result {
        EimPackageResult::EuiccPackageResult(result) => result.eim_transaction_id(),
        EimPackageResult::EprAndNotifications(both) => {
            both.euicc_package_result.eim_transaction_id()
        }
        EimPackageResult::EimPackageResultResponseError(error) => error.eim_transaction_id.as_ref(),
        EimPackageResult::ProfileDownloadTriggerResult(result) => {
            result.eim_transaction_id.as_ref()
        }
        EimPackageResult::IpaEuiccDataResponse(IpaEuiccDataResponse::IpaEuiccData(data)) => {
            data.eim_transaction_id.as_ref()
        }
        EimPackageResult::IpaEuiccDataResponse(
            IpaEuiccDataResponse::IpaEuiccDataResponseError(error),
        ) => error.eim_transaction_id.as_ref(),
    }
}

pub(super) fn encoded(value: &impl Encode) -> Result<Vec<u8>, EimError> {
    value.to_der().map_err(|e| EimError::Encoding {
        what: "a result",
        detail: e.to_string(),
    })
}
