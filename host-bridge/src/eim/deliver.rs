//! ESipa.GetEimPackage (SGP.32 5.14.5): which package an eUICC gets next, signed with the next
//! counter.

use super::fault::EimFault;
use super::store::{self, int, now};
use super::{Eim, EimError, queue};
use applet_model::sgp::esipa::{EimPackageError, GetEimPackageRequest, GetEimPackageResponse};
use applet_model::sgp::euicc_package::{EuiccPackage, EuiccPackageSigned, signature_input};
use applet_model::sgp::ipa_data::{IpaEuiccDataRequest, ProfileDownloadTriggerRequest};
use applet_model::sgp::{Decode, Eid, Encode, TransactionId};
use applet_model::tlv;
use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};

/// What a poll is answered with: the body and what to log.
pub(super) struct Delivery {
    pub(super) body: Vec<u8>,
    pub(super) text: String,
}

/// A package that waits or was handed out.
struct Waiting {
    id: i64,
    package: Vec<u8>,
    text: String,
    request: Option<Vec<u8>>,
    deliveries: u32,
    held: bool,
    attempt: u32,
    /// It was never handed out, and its time is over.
    late: bool,
}

impl Eim {
    /// Answers a poll. A package that was handed out and has no result yet is handed out again, byte
    /// for byte: its counter makes sure that the eUICC executes it once at most.
    pub(super) fn get_package(&self, request: &GetEimPackageRequest) -> Result<Delivery, EimError> {
        let eid = request.eid_value;
        let known = self.poll_noted(request)?;
        if !known {
            return answer(
                &GetEimPackageResponse::EimPackageError(EimPackageError::EidNotFound),
                "unknown EID: eidNotFound",
            );
        }
        let Some(waiting) = self.next_package(&eid)? else {
            self.release_held(&eid)?;
            return answer(
                &GetEimPackageResponse::no_package(),
                "noEimPackageAvailable",
            );
        };
        let id = waiting.id;
        if let Some(sent) = waiting.request {
            self.with_db(|db| {
                db.execute(
                    "UPDATE package SET deliveries = deliveries + 1 WHERE id = ?1",
                    [id],
                )
            })?;
            return Ok(Delivery {
                body: tlv::write(0xBF4F, &sent),
                text: format!(
                    "package {id} again, delivery {}: {}",
                    waiting.deliveries + 1,
                    waiting.text
                ),
            });
        }
        if let Ok(trigger) = ProfileDownloadTriggerRequest::from_der(&waiting.package) {
            return self.hand_out_trigger(&eid, &waiting, trigger);
        }
        if let Ok(mut request) = IpaEuiccDataRequest::from_der(&waiting.package) {
            let transaction_id = self.transaction_id(&eid, id, 0);
            request.eim_transaction_id = TransactionId::new(transaction_id.clone());
            return self.hand_out_unsigned(&waiting, transaction_id, request.to_der());
        }
        let fault = self.take_fault(None, Some(&eid));
        let signed = self.sign(&eid, &waiting, fault.as_ref())?;
        let Signed {
            counter,
            transaction_id,
            request,
        } = signed;
        self.with_db(|db| {
            let tx = db.transaction()?;
            tx.execute(
                "UPDATE device SET counter = max(counter, ?2) WHERE eid = ?1",
                params![eid.to_string(), int(counter)],
            )?;
            tx.execute(
                "UPDATE package SET state = 'sent', counter = ?2, transaction_id = ?3, request = ?4, \
                 deliveries = 1, sent_at = ?5 WHERE id = ?1",
                params![id, int(counter), transaction_id, request, now()],
            )?;
            tx.commit()
        })?;
        let wrong = fault.map_or(String::new(), |fault| format!(", on purpose: {fault:?}"));
        Ok(Delivery {
            body: tlv::write(0xBF4F, &request),
            text: format!(
                "package {id}, attempt {}, counter {counter}: {}{wrong}",
                waiting.attempt, waiting.text
            ),
        })
    }

    /// A download is asked of the IPA, which needs no signature and no counter.
    fn hand_out_trigger(
        &self,
        eid: &Eid,
        waiting: &Waiting,
        mut trigger: ProfileDownloadTriggerRequest,
    ) -> Result<Delivery, EimError> {
        let transaction_id = self.transaction_id(eid, waiting.id, 0);
        trigger.eim_transaction_id = TransactionId::new(transaction_id.clone());
        self.hand_out_unsigned(waiting, transaction_id, trigger.to_der())
    }

    fn hand_out_unsigned(
        &self,
        waiting: &Waiting,
        transaction_id: Vec<u8>,
        request: der::Result<Vec<u8>>,
    ) -> Result<Delivery, EimError> {
        let request = request.map_err(|e| EimError::Encoding {
            what: "a request to the IPA",
            detail: e.to_string(),
        })?;
        self.with_db(|db| {
            db.execute(
                "UPDATE package SET state = 'sent', transaction_id = ?2, request = ?3, deliveries = 1, sent_at = ?4 \
                 WHERE id = ?1",
                params![waiting.id, transaction_id, request, now()],
            )
        })?;
        Ok(Delivery {
            body: tlv::write(0xBF4F, &request),
            text: format!("package {}: {}", waiting.id, waiting.text),
        })
    }

    /// Counts the poll; false if the EID isn't known and unknown ones aren't taken in.
    fn poll_noted(&self, request: &GetEimPackageRequest) -> Result<bool, EimError> {
        let eid = request.eid_value.to_string();
        let cause = request.state_change_cause.map(|cause| cause.code());
        let accept = self.inner.options.accept_unknown;
        self.with_db(|db| {
            if accept {
                db.prepare_cached("INSERT OR IGNORE INTO device (eid) VALUES (?1)")?
                    .execute([&eid])?;
            }
            let changed = db
                .prepare_cached(
                    "UPDATE device SET polls = polls + 1, seen_at = ?2, last_cause = coalesce(?3, last_cause) \
                     WHERE eid = ?1",
                )?
                .execute(params![eid, now(), cause])?;
            Ok(changed == 1)
        })
    }

    /// The package to hand out: first what was handed out before, then the head of the queue. A
    /// head that is held (a new try after catBusy) holds all behind it, so that the order stays.
    fn next_package(&self, eid: &Eid) -> Result<Option<Waiting>, EimError> {
        let most = self.inner.options.deliveries;
        let eid = eid.to_string();
        self.with_db(|db| {
            loop {
                let Some(waiting) = head(db, &eid)? else {
                    return Ok(None);
                };
                // A poll that brings nothing writes nothing for it.
                if waiting.late && queue::expire(db, &eid)? > 0 {
                    continue;
                }
                if waiting.request.is_some() && waiting.deliveries >= most {
                    db.execute(
                        "UPDATE package SET state = 'failed', ended_at = ?2, note = ?3 WHERE id = ?1",
                        params![
                            waiting.id,
                            now(),
                            format!("handed out {most} times, no result came")
                        ],
                    )?;
                    continue;
                }
                return Ok((!waiting.held).then_some(waiting));
            }
        })
    }

    /// After a poll that brought nothing, the next one may bring what was held.
    fn release_held(&self, eid: &Eid) -> Result<(), EimError> {
        self.with_db(|db| {
            db.prepare_cached("UPDATE package SET held = 0 WHERE eid = ?1 AND held = 1")?
                .execute([eid.to_string()])
        })
        .map(|_| ())
    }

    fn sign(
        &self,
        eid: &Eid,
        waiting: &Waiting,
        fault: Option<&EimFault>,
    ) -> Result<Signed, EimError> {
        let encoding = |detail: der::Error| EimError::Encoding {
            what: "EuiccPackageSigned",
            detail: detail.to_string(),
        };
        let keys = self.with_db(|db| store::keys(db, &eid.to_string()))?;
        let (last, token) = keys.map_or((0, None), |keys| (keys.counter, keys.association_token));
        let counter = match fault {
            Some(EimFault::ReplayedCounter) => last,
            _ => last + 1,
        };
        let transaction_id = self.transaction_id(eid, waiting.id, counter);
        let mut eid_value = *eid;
        if let (Some(EimFault::WrongEid), [.., last]) = (fault, &mut eid_value.0) {
            *last = if *last & 0x0F == 9 {
                *last & 0xF0
            } else {
                *last + 1
            };
        }
        let mut package = waiting.package.clone();
        if let Some(EimFault::LargeAnswer { bytes }) = fault {
            package = lengthened(&package, *bytes);
        }
        let signed = EuiccPackageSigned {
            eim_id: match fault {
                Some(EimFault::UnknownEimId) => "unknown.eim.example".into(),
                _ => self.inner.identity.eim_id.clone(),
            },
            eid_value,
            counter_value: counter,
            eim_transaction_id: TransactionId::new(transaction_id.clone()),
            euicc_package: EuiccPackage::from_der(&package).map_err(encoding)?,
        };
        let signed = signed.to_der().map_err(encoding)?;
        let mut signature = self
            .inner
            .identity
            .key
            .sign(&signature_input(&signed, token))?;
        if let (Some(EimFault::WrongSignature), [.., last]) = (fault, &mut signature) {
            *last ^= 0x01;
        }
        let request = tlv::write_constructed(0xBF51, &[signed, tlv::write(0x5F37, &signature)]);
        Ok(Signed {
            counter,
            transaction_id,
            request,
        })
    }

    /// An eimTransactionId that no other package of this eIM has, and that a rerun of the same
    /// world has again: the beginning of a hash over who, whom and which.
    fn transaction_id(&self, eid: &Eid, package: i64, counter: u64) -> Vec<u8> {
        let hash = Sha256::new()
            .chain_update(self.inner.identity.eim_id.as_bytes())
            .chain_update(eid.0)
            .chain_update(package.to_be_bytes())
            .chain_update(counter.to_be_bytes())
            .finalize();
        hash.iter().take(16).copied().collect()
    }
}

struct Signed {
    counter: u64,
    transaction_id: Vec<u8>,
    request: Vec<u8>,
}

fn head(db: &mut Connection, eid: &str) -> rusqlite::Result<Option<Waiting>> {
    db.prepare_cached(
        "SELECT id, package, text, request, deliveries, held, attempt, \
         state = 'queued' AND coalesce(expires_at <= ?2, 0) FROM package \
         WHERE eid = ?1 AND state IN ('sent', 'queued') ORDER BY state = 'queued', place, id LIMIT 1",
    )?
    .query_row(params![eid, now()], |row| {
        Ok(Waiting {
            id: row.get(0)?,
            package: row.get(1)?,
            text: row.get(2)?,
            request: row.get(3)?,
            deliveries: row.get(4)?,
            held: row.get(5)?,
            attempt: row.get(6)?,
            late: row.get(7)?,
        })
    })
    .optional()
}

fn answer(response: &GetEimPackageResponse, text: &str) -> Result<Delivery, EimError> {
    Ok(Delivery {
        body: response.to_der().map_err(|e| EimError::Encoding {
            what: "GetEimPackageResponse",
            detail: e.to_string(),
        })?,
        text: text.to_owned(),
    })
}

/// The package with an operation at its end that no eUICC knows ([APPLICATION 30]), so that the
/// answer has about `bytes` bytes.
fn lengthened(package: &[u8], bytes: usize) -> Vec<u8> {
    // What stands around the package: tags, eimId, EID, counter, transaction, signature.
    let filler = bytes.saturating_sub(package.len() + 180);
    match tlv::read_one(package) {
        Ok(list) => {
            let mut value = list.value.to_vec();
            value.extend(tlv::write(0x5E, &vec![0xA5; filler]));
            tlv::write(list.tag, &value)
        }
        Err(_) => package.to_vec(),
    }
}
