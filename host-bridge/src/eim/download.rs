//! Indirect download (SGP.32 3.2.3.2, 5.14.1 to 5.14.4): what an IPA says to an SM-DP+ goes by way of the eIM, which
//! knows to which eUICC and to which order a transaction belongs.
//!
//! Messages are decoded and sent on; what is signed keeps its bytes. The confirmation code of an order stays here: the IPA
//! gets `hashCc`. Not here, and refused with undefinedError: compact forms and a missing euiccInfo1 (only an IPA with
//! minimizeEsipaBytes sends them), an SM-DS, and the check of metadata and policy rules in the IPA's place
//! (eimProfileMetadataVerification).

use super::store::now;
use super::{Eim, EimError, lock, store};
use crate::smdp::client::{Binding, Es9, Es9Error, HttpServer};
use crate::smdp::order::{after_cancel, hash_cc};
use applet_model::sgp::download::{
    AuthenticateClientErrorEsipa, AuthenticateClientRequestEsipa, AuthenticateClientResponseEsipa,
    AuthenticateServerResponse, CancelSessionError, CancelSessionRequestEsipa,
    CancelSessionResponse, CancelSessionResponseEsipa, GetBoundProfilePackageErrorEsipa,
    GetBoundProfilePackageRequestEsipa, GetBoundProfilePackageResponseEsipa,
    InitiateAuthenticationErrorEsipa, InitiateAuthenticationRequestEsipa,
    InitiateAuthenticationResponseEsipa,
};
use applet_model::sgp::es9::{
    AuthenticateClientResponseEs9, RemoteProfileProvisioningRequest as Request,
    RemoteProfileProvisioningResponse as Response,
};
use applet_model::sgp::{ActivationCode, CertificateDer, Eid, Encode, Octet32, Oid, TransactionId};
use cards::pki::Cert;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::net::SocketAddr;

/// How long a transaction is remembered whose order isn't this eIM's: an installation's result may come late.
const KEPT_MS: i64 = 30 * 24 * 3600 * 1000;

/// A way to an SM-DP+ (or to whoever else is notified), over plain HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// Its address, as activation codes and profiles have it.
    pub name: String,
    /// Where it listens.
    pub to: SocketAddr,
    /// How messages to it are written.
    pub binding: Binding,
}

/// What a function is answered with, and what to log.
pub(super) struct Forwarded {
    pub(super) body: Vec<u8>,
    pub(super) text: String,
    pub(super) eid: Option<Eid>,
}

/// A transaction with an SM-DP+, and the order that it is for.
pub(super) struct Transaction {
    pub(super) id: Vec<u8>,
    pub(super) package: Option<i64>,
    pub(super) eid: Option<Eid>,
    pub(super) address: String,
    pub(super) name: String,
    pub(super) provider: String,
    code_hash: Option<Vec<u8>>,
}

/// What an SM-DP+ refused, or what broke on the way.
struct Refused {
    code: i64,
    text: String,
}

/// The number of undefinedError in every function.
const UNDEFINED: i64 = 127;

impl Refused {
    fn undefined(text: impl Into<String>) -> Self {
        Refused {
            code: UNDEFINED,
            text: text.into(),
        }
    }

    fn unexpected(function: &'static str) -> Self {
        Self::undefined(Es9Error::unexpected(function).to_string())
    }
}

impl From<Es9Error> for Refused {
    fn from(error: Es9Error) -> Self {
        match error {
            Es9Error::Refused { code, text, .. } => Refused { code, text },
            other => Refused::undefined(other.to_string()),
        }
    }
}

fn answered(
    response: &impl Encode,
    text: impl Into<String>,
    eid: Option<Eid>,
) -> Result<Forwarded, EimError> {
    let body = response.to_der().map_err(|e| EimError::Encoding {
        what: "an answer of ESipa",
        detail: e.to_string(),
    })?;
    Ok(Forwarded {
        body,
        text: text.into(),
        eid,
    })
}

/// The order behind an eimTransactionId.
struct Ordered {
    package: i64,
    eid: Option<Eid>,
    code: Option<ActivationCode>,
}

impl Eim {
    /// Opens a way to an SM-DP+; another one to the same name is replaced.
    pub fn forward(&self, way: Forward) {
        let mut ways = lock(&self.inner.ways);
        ways.retain(|known| !known.name.eq_ignore_ascii_case(&way.name));
        ways.push(way);
    }

    pub(super) fn way_to(&self, address: &str) -> Option<HttpServer> {
        lock(&self.inner.ways)
            .iter()
            .find(|way| way.name.eq_ignore_ascii_case(address))
            .map(|way| HttpServer {
                to: way.to,
                host: way.name.clone(),
                binding: way.binding,
                tls: None,
            })
    }

    fn relay(&self, address: &str, request: &Request) -> Result<Option<Response>, Refused> {
        let mut way = self
            .way_to(address)
            .ok_or_else(|| Refused::undefined(format!("no way to {address:?} is set up")))?;
        Ok(way.call(request)?)
    }

    /// ESipa.InitiateAuthentication (5.14.1).
    pub(super) fn initiate_authentication(
        &self,
        request: &InitiateAuthenticationRequestEsipa,
    ) -> Result<Forwarded, EimError> {
        use InitiateAuthenticationErrorEsipa as Error;
        use InitiateAuthenticationResponseEsipa as Answer;
        let ordered = match &request.eim_transaction_id {
            None => None,
            Some(id) => match self.with_db(|db| ordered(db, id))? {
                Some(ordered) => Some(ordered),
                None => {
                    let error = Error::InvalidEimTransactionId;
                    let text = format!("no download was asked for as {id}");
                    return answered(&Answer::InitiateAuthenticationErrorEsipa(error), text, None);
                }
            },
        };
        let eid = ordered.as_ref().and_then(|ordered| ordered.eid);
        match self.authentication(request, ordered.as_ref()) {
            Ok((address, answer)) => {
                let id = &answer.server_signed1.transaction_id;
                let package = ordered.map(|ordered| ordered.package);
                self.with_db(|db| begin(db, id, package, eid, &address))?;
                let text = format!("transaction {id} with {address}");
                answered(&Answer::InitiateAuthenticationOkEsipa(answer), text, eid)
            }
            Err(refused) => {
                let error = Error::from_code(refused.code);
                let text = format!("{error}: {}", refused.text);
                self.give_up(ordered.map(|ordered| ordered.package), &refused, &text)?;
                answered(&Answer::InitiateAuthenticationErrorEsipa(error), text, eid)
            }
        }
    }

    fn authentication(
        &self,
        request: &InitiateAuthenticationRequestEsipa,
        ordered: Option<&Ordered>,
    ) -> Result<
        (
            String,
            applet_model::sgp::download::InitiateAuthenticationOkEsipa,
        ),
        Refused,
    > {
        use InitiateAuthenticationErrorEsipa as Error;
        let refuse = |error: Error, text: String| Refused {
            code: error.code(),
            text,
        };
        let code = ordered.and_then(|ordered| ordered.code.as_ref());
        // Without an address in the request, the order's is meant (eimDownloadDataHandling).
        let by_eim = request.smdp_address.is_none();
        let address = match (&request.smdp_address, code) {
            (Some(asked), Some(code)) if !asked.eq_ignore_ascii_case(&code.address) => {
                let text = format!("{asked:?} is asked for, {:?} was ordered", code.address);
                return Err(refuse(Error::SmdpAddressMismatch, text));
            }
            (Some(asked), _) => asked,
            (None, Some(code)) => &code.address,
            (None, None) => {
                let text = "neither the IPA nor an order names an SM-DP+".to_owned();
                return Err(refuse(Error::InvalidDpAddress, text));
            }
        };
        if self.way_to(address).is_none() {
            let text = format!("no way to {address:?} is set up");
            return Err(refuse(Error::InvalidDpAddress, text));
        }
        if request.euicc_info1.is_none() {
            return Err(Refused::undefined(
                "euiccInfo1 is missing, and not kept here",
            ));
        }
        let sent = Request::InitiateAuthenticationRequest(InitiateAuthenticationRequestEsipa {
            smdp_address: Some(address.clone()),
            eim_transaction_id: None,
            ..request.clone()
        });
        let Some(Response::InitiateAuthenticationResponse(
            InitiateAuthenticationResponseEsipa::InitiateAuthenticationOkEsipa(mut answer),
        )) = self.relay(address, &sent)?
        else {
            return Err(Refused::unexpected("initiateAuthentication"));
        };
        let named = &answer.server_signed1.server_address;
        if !named.eq_ignore_ascii_case(address) {
            let text = format!("{address:?} calls itself {named:?}");
            return Err(refuse(Error::SmdpAddressMismatch, text));
        }
        if let Some(wanted) = code.and_then(|code| code.oid.as_ref()) {
            let found = oid_of(&answer.server_certificate);
            if found.as_ref() != Some(wanted) {
                let found = found.map_or("none".into(), |oid| oid.to_string());
                let text = format!("its certificate has {found}, the activation code {wanted}");
                return Err(refuse(Error::SmdpOidMismatch, text));
            }
        }
        if let (true, Some(code)) = (by_eim, code) {
            answer.matching_id = Some(code.matching_id.clone());
        }
        Ok((address.clone(), answer))
    }

    /// ESipa.AuthenticateClient (5.14.2 in v1.2's order of functions).
    pub(super) fn authenticate_client(
        &self,
        request: &AuthenticateClientRequestEsipa,
    ) -> Result<Forwarded, EimError> {
        use AuthenticateClientErrorEsipa as Error;
        use AuthenticateClientResponseEsipa as Answer;
        let refuse = |error: Error, text: String, eid| {
            answered(&Answer::AuthenticateClientErrorEsipa(error), text, eid)
        };
        let id = &request.transaction_id;
        let Some(mut transaction) = self.transaction(id)? else {
            let text = format!("no transaction {id}");
            return refuse(Error::InvalidTransactionId, text, None);
        };
        if let AuthenticateServerResponse::AuthenticateResponseOk(ok) =
            &request.authenticate_server_response
            && let Some(named) = eid_in(&ok.euicc_certificate)
        {
            match transaction.eid {
                Some(eid) if eid != named => {
                    let text = format!("{named} answers, the order is for {eid}");
                    return refuse(Error::EidMismatch, text, Some(eid));
                }
                _ => transaction.eid = Some(named),
            }
            self.with_db(|db| {
                db.execute(
                    "UPDATE download SET eid = ?2 WHERE transaction_id = ?1",
                    params![transaction.id, named.to_string()],
                )
            })?;
            let known = self.with_db(|db| store::keys(db, &named.to_string()))?;
            if known.is_some() || self.inner.options.accept_unknown {
                let (euicc, eum) = (&ok.euicc_certificate, &ok.eum_certificate);
                self.learn(&named, &euicc.to_bytes(), &eum.to_bytes())?;
            }
        }
        let eid = transaction.eid;
        let sent = Request::AuthenticateClientRequest(request.clone());
        let relayed = self.relay(&transaction.address, &sent);
        let refused = match relayed {
            Ok(Some(Response::AuthenticateClientResponseEs9(
                AuthenticateClientResponseEs9::AuthenticateClientOk(mut ok),
            ))) => {
                if let (true, Some(code_hash)) =
                    (ok.smdp_signed2.cc_required_flag, &transaction.code_hash)
                {
                    ok.hash_cc = Some(Octet32(hash_cc(code_hash, &transaction.id)));
                }
                let mut text = format!("{} knows it", transaction.address);
                if let Some(metadata) = &ok.profile_meta_data {
                    let (name, provider) =
                        (&metadata.profile_name, &metadata.service_provider_name);
                    text = format!("profile {} {name:?} of {provider:?}", metadata.iccid);
                    self.with_db(|db| {
                        db.execute(
                            "UPDATE download SET name = ?2, provider = ?3 WHERE transaction_id = ?1",
                            params![transaction.id, name, provider],
                        )
                    })?;
                }
                return answered(&Answer::AuthenticateClientOkDpEsipa(ok), text, eid);
            }
            Ok(_) => Refused::unexpected("authenticateClient"),
            Err(refused) => refused,
        };
        let error = Error::from_code(refused.code);
        let text = format!("{error}: {}", refused.text);
        if error != Error::InvalidTransactionId {
            self.give_up(transaction.package, &refused, &text)?;
        }
        refuse(error, text, eid)
    }

    /// ESipa.GetBoundProfilePackage (5.14.3 in v1.2's order of functions).
    pub(super) fn get_bound_profile_package(
        &self,
        request: &GetBoundProfilePackageRequestEsipa,
    ) -> Result<Forwarded, EimError> {
        use GetBoundProfilePackageErrorEsipa as Error;
        use GetBoundProfilePackageResponseEsipa as Answer;
        let refuse = |error: Error, text: String, eid| {
            answered(&Answer::GetBoundProfilePackageErrorEsipa(error), text, eid)
        };
        let id = &request.transaction_id;
        let Some(transaction) = self.transaction(id)? else {
            let text = format!("no transaction {id}");
            return refuse(Error::InvalidTransactionId, text, None);
        };
        let eid = transaction.eid;
        let sent = Request::GetBoundProfilePackageRequest(request.clone());
        let refused = match self.relay(&transaction.address, &sent) {
            Ok(Some(Response::GetBoundProfilePackageResponse(
                response @ Answer::GetBoundProfilePackageOkEsipa(_),
            ))) => {
                let mut done = answered(&response, "", eid)?;
                done.text = format!("a bound package, {} bytes with its frame", done.body.len());
                return Ok(done);
            }
            Ok(_) => Refused::unexpected("getBoundProfilePackage"),
            Err(refused) => refused,
        };
        let error = Error::from_code(refused.code);
        let text = format!("{error}: {}", refused.text);
        if error != Error::InvalidTransactionId {
            self.give_up(transaction.package, &refused, &text)?;
        }
        refuse(error, text, eid)
    }

    /// ESipa.CancelSession (5.14.4 in v1.2's order of functions). Who says no ends the order, who couldn't right now gets
    /// it again after a poll that brings nothing.
    pub(super) fn cancel_session(
        &self,
        request: &CancelSessionRequestEsipa,
    ) -> Result<Forwarded, EimError> {
        use CancelSessionError as Error;
        use CancelSessionResponseEsipa as Answer;
        let id = &request.transaction_id;
        let Some(transaction) = self.transaction(id)? else {
            let error = Answer::CancelSessionError(Error::InvalidTransactionId);
            return answered(&error, format!("no transaction {id}"), None);
        };
        let eid = transaction.eid;
        let sent = Request::CancelSessionRequestEs9(request.clone());
        match self.relay(&transaction.address, &sent) {
            Ok(Some(Response::CancelSessionResponseEs9(response @ Answer::CancelSessionOk(_)))) => {
                let reason = match &request.cancel_session_response.0 {
                    CancelSessionResponse::CancelSessionResponseOk(ok) => {
                        Some(ok.euicc_cancel_session_signed.reason)
                    }
                    _ => None,
                };
                let text = format!("cancelled: {}", reason.map_or("", |reason| reason.name()));
                if let Some(package) = transaction.package {
                    let ends = reason.is_some_and(|reason| after_cancel(reason).is_some());
                    self.with_db(|db| not_now(db, package, ends, &text))?;
                }
                answered(&response, text, eid)
            }
            other => {
                let refused = match other {
                    Err(refused) => refused,
                    Ok(_) => Refused::unexpected("cancelSession"),
                };
                let error = Error::from_code(refused.code);
                let text = format!("{error}: {}", refused.text);
                answered(&Answer::CancelSessionError(error), text, eid)
            }
        }
    }

    /// What an SM-DP+ refuses, it refuses next time, too: the order has failed. What broke on the way hasn't.
    fn give_up(&self, package: Option<i64>, refused: &Refused, text: &str) -> Result<(), EimError> {
        match package {
            Some(package) if refused.code != UNDEFINED => {
                self.with_db(|db| not_now(db, package, true, text))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn transaction(&self, id: &TransactionId) -> Result<Option<Transaction>, EimError> {
        self.with_db(|db| {
            db.prepare_cached(
                "SELECT download.*, code_hash FROM download \
                 LEFT JOIN download_order USING (package) WHERE transaction_id = ?1",
            )?
            .query_row([id.as_bytes()], transaction)
            .optional()
        })
    }
}

fn transaction(row: &Row<'_>) -> rusqlite::Result<Transaction> {
    Ok(Transaction {
        id: row.get("transaction_id")?,
        package: row.get("package")?,
        eid: row
            .get::<_, Option<String>>("eid")?
            .and_then(|eid| eid.parse().ok()),
        address: row.get("address")?,
        name: row.get("name")?,
        provider: row.get("provider")?,
        code_hash: row.get("code_hash")?,
    })
}

/// The download that was handed out under this eimTransactionId and hasn't come to an end.
fn ordered(db: &Connection, id: &TransactionId) -> rusqlite::Result<Option<Ordered>> {
    db.prepare_cached(
        "SELECT package.id, eid, activation_code FROM package \
         JOIN download_order ON download_order.package = package.id \
         WHERE transaction_id = ?1 AND state = 'sent'",
    )?
    .query_row([id.as_bytes()], |row| {
        let code: Option<String> = row.get(2)?;
        Ok(Ordered {
            package: row.get(0)?,
            eid: row.get::<_, String>(1)?.parse().ok(),
            code: code.and_then(|code| code.parse().ok()),
        })
    })
    .optional()
}

fn begin(
    db: &Connection,
    id: &TransactionId,
    package: Option<i64>,
    eid: Option<Eid>,
    address: &str,
) -> rusqlite::Result<()> {
    db.execute(
        "DELETE FROM download WHERE package IS NULL AND began_at < ?1",
        [now() - KEPT_MS],
    )?;
    db.execute(
        "INSERT OR REPLACE INTO download (transaction_id, package, eid, address, began_at) \
         VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            id.as_bytes(),
            package,
            eid.map(|eid| eid.to_string()),
            address,
            now()
        ],
    )
    .map(|_| ())
}

/// A download that was handed out ends, or waits until a poll has brought nothing.
pub(super) fn not_now(
    db: &Connection,
    package: i64,
    ends: bool,
    note: &str,
) -> rusqlite::Result<()> {
    let change = match ends {
        true => "state = 'failed', ended_at = ?3",
        false => "held = 1, sent_at = coalesce(sent_at, ?3)",
    };
    db.execute(
        &format!("UPDATE package SET note = ?2, {change} WHERE id = ?1 AND state = 'sent'"),
        params![package, note, now()],
    )
    .map(|_| ())
}

/// The EID in an eUICC's certificate: the subject's serial number (SGP.22 4.5.2.1.0.3).
pub(super) fn eid_in(certificate: &CertificateDer) -> Option<Eid> {
    const SERIAL_NUMBER: der::asn1::ObjectIdentifier =
        der::asn1::ObjectIdentifier::new_unwrap("2.5.4.5");
    let certificate = certificate.parse().ok()?;
    let subject = certificate.tbs_certificate().subject();
    let serial = subject.iter().find(|a| a.oid == SERIAL_NUMBER)?;
    std::str::from_utf8(serial.value.value()).ok()?.parse().ok()
}

/// The object identifier in a server's certificate, which the eUICC verifies, not the eIM.
fn oid_of(certificate: &CertificateDer) -> Option<Oid> {
    Cert::from_der(&certificate.to_bytes(), "SM-DP+")
        .ok()?
        .registered_id()
}
