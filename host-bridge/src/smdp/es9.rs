//! The functions of ES9+ (SGP.22 5.6), without any binding: messages in, messages or a [`Refusal`] out.

use super::order::{OrderState, after_cancel, after_failure, hash_cc, result_words};
use super::refusal::Refusal;
use super::store::{self, Bound, Order};
use super::{Smdp, SmdpError, lock};
use applet_model::sgp::download::{
    AuthenticateClientOkDpEsipa, AuthenticateServerResponse, CancelSessionResponse, CtxParams1,
    GetBoundProfilePackageOkEsipa, InitiateAuthenticationOkEsipa,
    InitiateAuthenticationRequestEsipa, PrepareDownloadResponse, ServerSigned1, SmdpSigned2,
    StoreMetadataRequest,
};
use applet_model::sgp::notification::{FinalResult, PendingNotification};
use applet_model::sgp::{
    CertificateDer, Decode, Encode, Octet16, Octet32, Octets, Oid, Signed, TransactionId,
};
use applet_model::tlv;
use cards::euicc::Eid;
use cards::euicc::bpp::{self, Binding, ProtectionKeys};
use cards::pki::{Cert, ChainError, PkiError, PublicKey, SecretKey, verify_euicc_chain};
use zeroize::Zeroizing;

/// `hostId` of every binding: what it says is the SM-DP+'s choice (SGP.22 2.6.4.2).
const HOST_ID: &[u8] = b"IPAe lab";

/// A transaction.
#[derive(Clone)]
pub(super) struct Session {
    began: u64,
    ci_key_id: Vec<u8>,
    challenge: [u8; 16],
    authenticated: Option<Authenticated>,
}

/// The eUICC is known, and what it comes for.
#[derive(Clone)]
struct Authenticated {
    eid: Eid,
    key: PublicKey,
    certificate: Vec<u8>,
    order: i64,
    signature2: Octets,
}

/// What a function gives back, and what was done, in words.
pub(super) type Answer<T> = Result<(T, String), Refusal>;

/// Errors of the SM-DP+ itself say nothing of it to the client.
impl From<SmdpError> for Refusal {
    fn from(_: SmdpError) -> Self {
        Refusal::undefined("")
    }
}

impl From<rusqlite::Error> for Refusal {
    fn from(_: rusqlite::Error) -> Self {
        Refusal::undefined("")
    }
}

impl From<PkiError> for Refusal {
    fn from(_: PkiError) -> Self {
        Refusal::undefined("")
    }
}

impl From<der::Error> for Refusal {
    fn from(_: der::Error) -> Self {
        Refusal::undefined("")
    }
}

fn certificate(cert: &Cert) -> Result<CertificateDer, Refusal> {
    Ok(CertificateDer::from_bytes(cert.der())?)
}

impl Smdp {
    /// ES9+.InitiateAuthentication (SGP.22 5.6.1).
    pub(super) fn initiate_authentication(
        &self,
        request: &InitiateAuthenticationRequestEsipa,
    ) -> Answer<InitiateAuthenticationOkEsipa> {
        let asked = request.smdp_address.as_deref().unwrap_or_default();
        if !asked.eq_ignore_ascii_case(self.address()) {
            return Err(Refusal::address(format!(
                "{asked:?} is not {:?}",
                self.address()
            )));
        }
        let Some(info) = &request.euicc_info1 else {
            return Err(Refusal::version("there is no euiccInfo1"));
        };
        // SGP.22 v2: any eUICC of major version 2 or later.
        if info.svn.0[0] < 2 {
            return Err(Refusal::version(format!("{:?}", info.svn)));
        }
        let credential = &self.inner.credential;
        let own_ci = credential
            .auth
            .certificate
            .authority_key_id()
            .unwrap_or_default();
        let has =
            |list: &[applet_model::sgp::KeyId], id: &[u8]| list.iter().any(|k| k.as_bytes() == id);
        if !has(&info.euicc_ci_pk_id_list_for_verification, &own_ci) {
            return Err(Refusal::ci_not_supported("for verification of this server"));
        }
        let chosen = info.euicc_ci_pk_id_list_for_signing.iter().find(|id| {
            self.inner
                .ci
                .iter()
                .any(|ci| ci.subject_key_id().as_deref() == Some(id.as_bytes()))
        });
        let Some(chosen) = chosen else {
            return Err(Refusal::ci_not_supported("for the eUICC's signatures"));
        };
        let draw = |label| -> [u8; 16] {
            self.random(label)
                .first_chunk()
                .copied()
                .unwrap_or_default()
        };
        let transaction =
            TransactionId::new(draw("transactionId")).ok_or_else(|| Refusal::undefined(""))?;
        let challenge = draw("serverChallenge");
        let signed = Signed::new(ServerSigned1 {
            transaction_id: transaction.clone(),
            euicc_challenge: request.euicc_challenge,
            server_address: self.address().to_owned(),
            server_challenge: Octet16(challenge),
        })?;
        let signature = credential.auth.key.sign(signed.bytes())?;
        self.begin(
            transaction.as_bytes(),
            Session {
                began: self.now(),
                ci_key_id: chosen.as_bytes().to_vec(),
                challenge,
                authenticated: None,
            },
        );
        let text = format!("transaction {transaction}");
        Ok((
            InitiateAuthenticationOkEsipa {
                transaction_id: Some(transaction),
                server_signed1: signed,
                server_signature1: signature.to_vec().into(),
                euicc_ci_pk_identifier_to_be_used: chosen.as_bytes().to_vec().into(),
                server_certificate: certificate(&credential.auth.certificate)?,
                matching_id: None,
                ctx_params1: None,
            },
            text,
        ))
    }

    fn begin(&self, transaction: &[u8], session: Session) {
        let now = session.began;
        let limit = self.inner.options.session_seconds;
        let mut sessions = lock(&self.inner.sessions);
        sessions.retain(|_, s| now.saturating_sub(s.began) <= limit);
        if sessions.len() >= self.inner.options.sessions
            && let Some(oldest) = sessions
                .iter()
                .min_by_key(|(_, s)| s.began)
                .map(|(id, _)| id.clone())
        {
            sessions.remove(&oldest);
        }
        sessions.insert(transaction.to_vec(), session);
    }

    fn session(&self, transaction: &TransactionId) -> Option<Session> {
        let session = lock(&self.inner.sessions)
            .get(transaction.as_bytes())
            .cloned()?;
        let age = self.now().saturating_sub(session.began);
        (age <= self.inner.options.session_seconds).then_some(session)
    }

    fn end(&self, transaction: &TransactionId) {
        lock(&self.inner.sessions).remove(transaction.as_bytes());
    }

    /// The eUICC's chain up to a CI that is trusted; the EID that it is for.
    fn verify_chain(
        &self,
        ci_key_id: &[u8],
        eum: &CertificateDer,
        euicc: &CertificateDer,
    ) -> Result<(Eid, PublicKey), Refusal> {
        let eum = Cert::from_der(&eum.to_bytes(), "EUM").map_err(Refusal::eum_certificate)?;
        let euicc =
            Cert::from_der(&euicc.to_bytes(), "eUICC").map_err(Refusal::euicc_certificate)?;
        let ci = self
            .inner
            .ci
            .iter()
            .find(|ci| ci.subject_key_id().as_deref() == Some(ci_key_id))
            .filter(|ci| eum.authority_key_id() == ci.subject_key_id())
            .ok_or_else(|| Refusal::ci_unknown("the EUM's certificate is of another"))?;
        let eid = verify_euicc_chain(ci, &eum, &euicc, Some(self.now())).map_err(|e| {
            let of_euicc = e.certificate() == "eUICC";
            match (&e, of_euicc) {
                (ChainError::Expired { .. }, true) => Refusal::euicc_expired(&e),
                (ChainError::Expired { .. }, false) => Refusal::eum_expired(&e),
                (_, true) => Refusal::euicc_certificate(&e),
                (_, false) => Refusal::eum_certificate(&e),
            }
        })?;
        let key = euicc.public_key().map_err(Refusal::euicc_certificate)?;
        Ok((eid, key))
    }

    /// ES9+.AuthenticateClient (SGP.22 5.6.3).
    pub(super) fn authenticate_client(
        &self,
        transaction: &TransactionId,
        response: &AuthenticateServerResponse,
    ) -> Answer<AuthenticateClientOkDpEsipa> {
        let mut session = self
            .session(transaction)
            .filter(|s| s.authenticated.is_none())
            .ok_or_else(|| Refusal::transaction(transaction))?;
        let ok = match response {
            AuthenticateServerResponse::AuthenticateResponseOk(ok) => ok,
            AuthenticateServerResponse::AuthenticateResponseError(error) => {
                self.end(transaction);
                let name = error.authenticate_error_code.name();
                return Err(Refusal::undefined(format!("the eUICC answered {name}")));
            }
            AuthenticateServerResponse::CompactAuthenticateResponseOk(_) => {
                return Err(Refusal::undefined("compact forms are an eIM's, not ES9+'s"));
            }
        };
        let (eid, key) = self.verify_chain(
            &session.ci_key_id,
            &ok.eum_certificate,
            &ok.euicc_certificate,
        )?;
        let signed = &ok.euicc_signed1;
        if !key.verify(signed.bytes(), &ok.euicc_signature1) {
            return Err(Refusal::euicc_signature("euiccSignature1"));
        }
        if signed.server_challenge.0 != session.challenge
            || signed.transaction_id != *transaction
            || !signed.server_address.eq_ignore_ascii_case(self.address())
        {
            return Err(Refusal::euicc_signature(
                "challenge, transaction or address",
            ));
        }
        let CtxParams1::CtxParamsForCommonAuthentication(context) = &signed.ctx_params1;
        let matching_id = context.matching_id.as_deref().unwrap_or_default();
        let order = self.eligible(matching_id, &eid)?;
        // extCardResource (ETSI TS 102 226 8.2.1.7.2): 82 free non-volatile memory.
        let resource = &signed.euicc_info2.ext_card_resource;
        if let Ok(Some(free)) = tlv::find(resource, 0x82) {
            let free = free
                .value
                .iter()
                .fold(0usize, |n, b| n << 8 | usize::from(*b));
            if free < order.profile.len() {
                return Err(Refusal::memory(format!(
                    "{free} bytes are free, the package has {}",
                    order.profile.len()
                )));
            }
        }
        let credential = &self.inner.credential;
        let bound_here = order.row.bound_to.as_deref() == Some(eid.to_string().as_str());
        let signed2 = Signed::new(SmdpSigned2 {
            transaction_id: transaction.clone(),
            cc_required_flag: order.code_hash.is_some(),
            bpp_euicc_otpk: order
                .euicc_otpk
                .clone()
                .filter(|_| bound_here)
                .map(Octets::from),
        })?;
        let mut message = signed2.bytes().to_vec();
        message.extend(tlv::write(0x5F37, &ok.euicc_signature1));
        let signature2 = Octets::from(credential.pb.key.sign(&message)?.to_vec());
        session.authenticated = Some(Authenticated {
            eid,
            key,
            certificate: ok.euicc_certificate.to_bytes(),
            order: order.row.id,
            signature2: signature2.clone(),
        });
        lock(&self.inner.sessions).insert(transaction.as_bytes().to_vec(), session);
        let metadata = StoreMetadataRequest::from_der(&order.metadata)?;
        let text = format!("{eid}: order {} {}", order.row.id, order.row.matching_id);
        Ok((
            AuthenticateClientOkDpEsipa {
                transaction_id: Some(transaction.clone()),
                profile_meta_data: Some(metadata),
                smdp_signed2: signed2,
                smdp_signature2: signature2,
                smdp_certificate: certificate(&credential.pb.certificate)?,
                hash_cc: None,
            },
            text,
        ))
    }

    /// The order that an eUICC comes for.
    fn eligible(&self, matching_id: &str, eid: &Eid) -> Result<Order, Refusal> {
        let db = lock(&self.inner.db);
        let eid = eid.to_string();
        let order = if matching_id.is_empty() {
            store::waiting_for(&db, &eid)?.ok_or_else(|| Refusal::no_profile(&eid))?
        } else {
            store::by_matching_id(&db, matching_id)?
                .ok_or_else(|| Refusal::matching_id(matching_id))?
        };
        let row = &order.row;
        if row.eid.as_ref().is_some_and(|wanted| *wanted != eid) {
            return Err(Refusal::eid(&eid));
        }
        let bound_elsewhere = row.bound_to.as_ref().is_some_and(|to| *to != eid);
        if row.state.is_final() || bound_elsewhere {
            return Err(Refusal::matching_id(format!(
                "{}: {}",
                row.matching_id,
                row.state.name()
            )));
        }
        if row.downloads >= self.inner.options.downloads {
            let state = OrderState::Failed;
            store::set_state(&db, row.id, state, "handed out too often without a result")?;
            return Err(Refusal::tries_used_up(row.matching_id.as_str()));
        }
        Ok(order)
    }

    /// ES9+.GetBoundProfilePackage (SGP.22 5.6.2).
    pub(super) fn get_bound_profile_package(
        &self,
        transaction: &TransactionId,
        response: &PrepareDownloadResponse,
    ) -> Answer<GetBoundProfilePackageOkEsipa> {
        let session = self
            .session(transaction)
            .and_then(|s| s.authenticated)
            .ok_or_else(|| Refusal::package_transaction(transaction))?;
        let ok = match response {
            PrepareDownloadResponse::DownloadResponseOk(ok) => ok,
            PrepareDownloadResponse::DownloadResponseError(error) => {
                self.end(transaction);
                let name = error.download_error_code.name();
                return Err(Refusal::undefined(format!("the eUICC answered {name}")));
            }
            PrepareDownloadResponse::CompactDownloadResponseOk(_) => {
                return Err(Refusal::undefined("compact forms are an eIM's, not ES9+'s"));
            }
        };
        let signed = &ok.euicc_signed2;
        let mut message = signed.bytes().to_vec();
        message.extend(tlv::write(0x5F37, &session.signature2));
        if !session.key.verify(&message, &ok.euicc_signature2)
            || signed.transaction_id != *transaction
        {
            return Err(Refusal::package_signature("euiccSignature2"));
        }
        let order = {
            let db = lock(&self.inner.db);
            store::by_id(&db, session.order)?.ok_or_else(|| Refusal::undefined(""))?
        };
        if order.row.state.is_final() {
            return Err(Refusal::rebinding(order.row.state.name()));
        }
        self.check_code(&order, signed.hash_cc.as_ref(), transaction)?;

        let credential = &self.inner.credential;
        let eid = session.eid.to_string();
        let same = order.row.bound_to.as_deref() == Some(eid.as_str())
            && order.euicc_otpk.as_deref() == Some(signed.euicc_otpk.as_bytes());
        let (package, how) = match &order.bound {
            Some(bound) if same => (
                bpp::sign_again(
                    bound,
                    transaction.as_bytes(),
                    &signed.euicc_otpk,
                    &credential.pb.key,
                )?,
                "the same package again",
            ),
            _ => (
                self.bind(&order, &session, transaction, &signed.euicc_otpk)?,
                "bound",
            ),
        };
        let out = Bound {
            package: &package,
            eid: &eid,
            euicc_otpk: &signed.euicc_otpk,
            transaction_id: transaction.as_bytes(),
            euicc_certificate: &session.certificate,
        };
        if !store::downloaded(&lock(&self.inner.db), order.row.id, &out)? {
            return Err(Refusal::rebinding(""));
        }
        let text = format!(
            "{eid}: order {} {}: {how}, {} bytes",
            order.row.id,
            order.row.matching_id,
            package.len()
        );
        Ok((
            GetBoundProfilePackageOkEsipa {
                transaction_id: Some(transaction.clone()),
                bound_profile_package: Decode::from_der(&package)?,
            },
            text,
        ))
    }

    fn check_code(
        &self,
        order: &Order,
        hash: Option<&Octet32>,
        transaction: &TransactionId,
    ) -> Result<(), Refusal> {
        let Some(code_hash) = &order.code_hash else {
            return Ok(());
        };
        let Some(hash) = hash else {
            return Err(Refusal::code_missing(""));
        };
        if hash.0 == hash_cc(code_hash, transaction.as_bytes()) {
            return Ok(());
        }
        let last = order.row.wrong_codes + 1 >= self.inner.options.code_tries;
        store::wrong_code(&lock(&self.inner.db), order.row.id, last)?;
        if last {
            self.end(transaction);
            return Err(Refusal::code_used_up(""));
        }
        Err(Refusal::code_refused(""))
    }

    /// Binds an order's profile with keys of its own and a one-time key.
    fn bind(
        &self,
        order: &Order,
        session: &Authenticated,
        transaction: &TransactionId,
        euicc_otpk: &[u8],
    ) -> Result<Vec<u8>, Refusal> {
        let draw = |label| -> [u8; 16] {
            self.random(label)
                .first_chunk()
                .copied()
                .unwrap_or_default()
        };
        let protection = ProtectionKeys {
            enc: Zeroizing::new(draw("PPK-ENC")),
            mac: Zeroizing::new(draw("PPK-MAC")),
            chain: draw("MAC chaining value"),
        };
        let one_time = SecretKey::derive(&self.random("otSK.DP.ECKA"), "otSK.DP.ECKA")?;
        let binding = Binding {
            transaction_id: transaction.as_bytes(),
            host_id: HOST_ID,
            one_time: &one_time,
            euicc_otpk,
            eid: session.eid.as_bytes(),
            key: &self.inner.credential.pb.key,
            protection: Some(&protection),
        };
        bpp::bind(&binding, &order.metadata, &order.profile).map_err(Refusal::package_signature)
    }

    /// ES9+.CancelSession (SGP.22 5.6.5).
    pub(super) fn cancel_session(
        &self,
        transaction: &TransactionId,
        response: &CancelSessionResponse,
    ) -> Answer<()> {
        let session = self
            .session(transaction)
            .ok_or_else(|| Refusal::cancel_transaction(transaction))?;
        let ok = match response {
            CancelSessionResponse::CancelSessionResponseOk(ok) => ok,
            _ => return Err(Refusal::cancel_signature("the eUICC cancelled nothing")),
        };
        let Some(client) = session.authenticated else {
            // Nobody is known yet: nothing but the session ends.
            self.end(transaction);
            return Ok(((), "before the eUICC was known".into()));
        };
        let signed = &ok.euicc_cancel_session_signed;
        let signature = &ok.euicc_cancel_session_signature;
        if !client.key.verify(signed.bytes(), signature) || signed.transaction_id != *transaction {
            return Err(Refusal::cancel_signature(""));
        }
        if signed.smdp_oid != self.inner.oid {
            return Err(Refusal::cancel_oid(&signed.smdp_oid));
        }
        self.end(transaction);
        let reason = signed.reason;
        let text = format!("{}: {}", client.eid, reason.name());
        let db = lock(&self.inner.db);
        let order = store::by_id(&db, client.order)?;
        if let Some(order) = order.filter(|order| !order.row.state.is_final()) {
            let note = format!("cancelled by the device: {}", reason.name());
            match after_cancel(reason) {
                Some(state) => store::set_state(&db, order.row.id, state, &note)?,
                None => store::note(&db, order.row.id, &note)?,
            }
        }
        Ok(((), text))
    }

    /// ES9+.HandleNotification (SGP.22 5.6.4): always taken; what isn't verified changes nothing.
    pub(super) fn handle_notification(&self, notification: &PendingNotification) -> String {
        match self.take_notification(notification) {
            Ok(text) => text,
            Err(refusal) => format!("not believed: {refusal}"),
        }
    }

    fn take_notification(&self, notification: &PendingNotification) -> Result<String, Refusal> {
        let raw = notification.to_der()?;
        match notification {
            PendingNotification::ProfileInstallationResult(result) => {
                let data = &result.profile_installation_result_data;
                let db = lock(&self.inner.db);
                let order = store::by_transaction(&db, data.transaction_id.as_bytes())?
                    .ok_or_else(|| Refusal::transaction(&data.transaction_id))?;
                let certificate = order.euicc_certificate.as_deref().unwrap_or_default();
                let key = Cert::from_der(certificate, "eUICC").and_then(|c| c.public_key())?;
                if !key.verify(data.bytes(), &result.euicc_sign_pir)
                    || data.smdp_oid != self.inner.oid
                {
                    return Err(Refusal::euicc_signature("euiccSignPIR"));
                }
                let state = match &data.final_result {
                    FinalResult::SuccessResult(_) => OrderState::Installed,
                    FinalResult::ErrorResult(error) => after_failure(error.error_reason),
                };
                let text = result_words(&data.final_result);
                let eid = order.row.bound_to.clone().unwrap_or_default();
                let new = store::keep_notification(&db, &eid, &text, &raw)?;
                // An order that has ended stays so: the same result again, or one that comes late.
                if new && !order.row.state.is_final() {
                    store::set_state(&db, order.row.id, state, &text)?;
                }
                Ok(format!("{eid}: order {}: {text}", order.row.id))
            }
            PendingNotification::OtherSignedNotification(signed) => {
                let ci = self.inner.ci.iter().filter_map(Cert::subject_key_id);
                let mut last = Refusal::ci_unknown("");
                for ci_key_id in ci {
                    match self.verify_chain(
                        &ci_key_id,
                        &signed.eum_certificate,
                        &signed.euicc_certificate,
                    ) {
                        Ok((eid, key)) => {
                            let metadata = &signed.tbs_other_notification;
                            let signature = &signed.euicc_notification_signature;
                            if !key.verify(metadata.bytes(), signature) {
                                return Err(Refusal::euicc_signature(""));
                            }
                            let operation = metadata.profile_management_operation.names().join(" ");
                            let iccid = metadata.iccid.map(|i| i.to_string()).unwrap_or_default();
                            let text = format!("{operation} {iccid}");
                            let db = lock(&self.inner.db);
                            store::keep_notification(&db, &eid.to_string(), &text, &raw)?;
                            return Ok(format!("{eid}: {text}"));
                        }
                        Err(refusal) => last = refusal,
                    }
                }
                Err(last)
            }
            _ => Err(Refusal::undefined("compact forms are an eIM's, not ES9+'s")),
        }
    }

    /// Its object identifier, as both certificates carry it.
    pub fn oid(&self) -> &Oid {
        &self.inner.oid
    }
}
