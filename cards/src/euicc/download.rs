//! Profile download up to the package: mutual authentication, preparation, cancelling (SGP.22 5.7.5, 5.7.7, 5.7.13,
//! 5.7.14). The package itself is [`load`](super::load)'s.
//!
//! A session is volatile: another challenge or a reset ends it. Only a one-time key that a package may have been
//! bound to is kept, so that a broken download can be taken up with the same package.

use super::Euicc;
use super::Iccid;
use super::choices::{HASH_CC_ONLY_IF_ASKED, MISSING_OID_IS_INVALID_OID};
use super::es10::{Function, Refusal, answer};
use super::load::Load;
use super::state::{OneTimeKey, State};
use crate::pki::{
    Cert, ChainError, EuiccCredential, PkiError, PublicKey, SecretKey, ServerRole,
    verify_server_certificate,
};
use applet_model::sgp::download::{
    AuthenticateErrorCode, CancelSessionReason, CancelSessionResponseError, CtxParams1,
    DownloadErrorCode, ServerSigned1, SmdpSigned2,
};
use applet_model::sgp::{Decode, Oid};
use applet_model::status::Sw;
use applet_model::tlv::{self, Tlv};

/// What of remote provisioning is lost with the power.
#[derive(Clone, Default)]
pub(super) struct Rsp {
    /// The challenge that was given out and not answered.
    pub challenge: Option<Vec<u8>>,
    /// A server that was authenticated.
    pub session: Option<Session>,
    /// The profile that the last session installed, until the next one (SGP.32 5.9.15).
    pub installed: Option<JustInstalled>,
    /// Part of a profile was written to memory by the command that is being executed.
    pub written: bool,
}

/// An authenticated server.
#[derive(Clone)]
pub(super) struct Session {
    pub transaction_id: Vec<u8>,
    pub ci_key_id: Vec<u8>,
    pub server_address: String,
    pub oid: Oid,
    /// An SM-DS binds nothing.
    role: ServerRole,
    /// `euiccSignature1`, which `smdpSignature2` is over, too.
    signature1: [u8; 64],
    /// PrepareDownload was accepted: what the package is checked with.
    pub prepared: Option<Prepared>,
    /// A package is being loaded.
    pub load: Option<Load>,
}

/// What PrepareDownload leads to.
#[derive(Clone)]
pub(super) struct Prepared {
    /// PK.DPpb.ECDSA.
    pub key: PublicKey,
    /// otSK.EUICC.ECKA.
    pub one_time: SecretKey,
    /// otPK.EUICC.ECKA.
    pub otpk: Vec<u8>,
}

/// For ImmediateEnable: what was installed, and from whom.
#[derive(Clone)]
pub(super) struct JustInstalled {
    pub iccid: Iccid,
    pub oid: Oid,
    pub server_address: String,
}

/// A refusal: `[1]` with the transaction and a code.
fn refusal(tag: u32, transaction_id: &[u8], code: i64) -> Function {
    let mut inside = tlv::write(0x80, transaction_id);
    inside.extend(tlv::write(0x02, &[code as u8]));
    answer(tag, &tlv::write(0xA1, &inside))
}

/// The next data object, which must have this tag.
fn take<'a>(rest: &mut &'a [u8], tag: u32) -> Result<Tlv<'a>, Refusal> {
    let (object, after) = tlv::read(rest)?;
    if object.tag != tag {
        return Err(Refusal::Data);
    }
    *rest = after;
    Ok(object)
}

/// The certificate's key, or whether the reason that there is none is its curve.
fn key_of(certificate: &[u8]) -> Result<(Cert, PublicKey), bool> {
    let certificate = Cert::from_der(certificate, "server").map_err(|_| false)?;
    match certificate.public_key() {
        Ok(key) => Ok((certificate, key)),
        Err(_) => Err(!PublicKey::is_curve_of(certificate.parsed())),
    }
}

impl EuiccCredential {
    /// Checks a server's certificate against this CI.
    fn verify(&self, certificate: &Cert, role: ServerRole) -> Result<Oid, ChainError> {
        let ci = Cert::from_der(&self.ci_certificate, "CI").map_err(|e| ChainError::Malformed {
            certificate: "CI",
            detail: e.to_string(),
        })?;
        // An eUICC has no clock (SGP.22 2.4.11): whoever has one looks at the period.
        verify_server_certificate(&ci, certificate, role, None)
    }
}

impl Euicc {
    /// ES10b.GetEUICCChallenge (SGP.22 5.7.7): a new session begins; one that was loading a package is over.
    pub(super) fn get_euicc_challenge(&mut self) -> Function {
        let state = self.interrupted()?;
        let challenge = self.random_16(b"euiccChallenge");
        self.rsp.session = None;
        self.rsp.installed = None;
        self.rsp.challenge = Some(challenge.to_vec());
        Ok((tlv::write(0xBF2E, &tlv::write(0x80, &challenge)), state))
    }

    /// ES10b.AuthenticateServer (SGP.22 5.7.13).
    pub(super) fn authenticate_server(&mut self, request: &Tlv<'_>) -> Function {
        let mut rest = request.value;
        let signed1 = take(&mut rest, 0x30)?;
        let signature = take(&mut rest, 0x5F37)?;
        let ci_key_id = take(&mut rest, 0x04)?;
        let certificate = take(&mut rest, 0x30)?;
        let (context, _) = tlv::read(rest)?;
        CtxParams1::from_der(context.raw).map_err(|_| Refusal::Data)?;
        let server = ServerSigned1::from_der(signed1.raw).map_err(|_| Refusal::Data)?;
        let transaction_id = server.transaction_id.as_bytes();
        let refuse = |code: AuthenticateErrorCode| refusal(0xBF38, transaction_id, code.code());

        // One answer to a challenge, right or wrong; a session before it is over.
        let challenge = self.rsp.challenge.take();
        self.rsp.session = None;
        let Some(challenge) = challenge else {
            return refuse(AuthenticateErrorCode::NoSessionContext);
        };
        let Some(credential) = self.credential(ci_key_id.value).cloned() else {
            return refuse(AuthenticateErrorCode::CiPkUnknown);
        };
        let (certificate, key) = match key_of(certificate.raw) {
            Ok(both) => both,
            Err(true) => return refuse(AuthenticateErrorCode::UnsupportedCurve),
            Err(false) => return refuse(AuthenticateErrorCode::InvalidCertificate),
        };
        // The server's own CI need not be the one that the eUICC signs for.
        let server_ci = certificate.authority_key_id().unwrap_or_default();
        let Some(server_ci) = self.credential(&server_ci) else {
            return refuse(AuthenticateErrorCode::CiPkUnknown);
        };
        if self.is_revoked(server_ci, &certificate) {
            return refuse(AuthenticateErrorCode::InvalidCertificate);
        }
        let role = ServerRole::authenticating(&certificate);
        let oid = match server_ci.verify(&certificate, role) {
            Ok(oid) => oid,
            Err(ChainError::NoObjectIdentifier { .. }) if MISSING_OID_IS_INVALID_OID => {
                return refuse(AuthenticateErrorCode::InvalidOid);
            }
            Err(_) => return refuse(AuthenticateErrorCode::InvalidCertificate),
        };
        if !key.verify(signed1.raw, signature.value) {
            return refuse(AuthenticateErrorCode::InvalidSignature);
        }
        if server.euicc_challenge.0 != *challenge {
            return refuse(AuthenticateErrorCode::EuiccChallengeMismatch);
        }

        let mut signed = tlv::write(0x80, transaction_id);
        signed.extend(tlv::write(0x83, server.server_address.as_bytes()));
        signed.extend(tlv::write(0x84, &server.server_challenge.0));
        signed.extend(self.info2());
        signed.extend_from_slice(context.raw);
        let signed = tlv::write(0x30, &signed);
        let Ok(signature1) = credential.key.sign(&signed) else {
            return refuse(AuthenticateErrorCode::UndefinedError);
        };
        let mut ok = signed;
        ok.extend(tlv::write(0x5F37, &signature1));
        ok.extend(&credential.euicc_certificate);
        ok.extend(&credential.eum_certificate);
        self.rsp.session = Some(Session {
            transaction_id: transaction_id.to_vec(),
            ci_key_id: credential.ci_key_id.clone(),
            server_address: server.server_address.clone(),
            oid,
            role,
            signature1,
            prepared: None,
            load: None,
        });
        answer(0xBF38, &tlv::write(0xA0, &ok))
    }

    /// ES10b.PrepareDownload (SGP.22 5.7.5).
    pub(super) fn prepare_download(&mut self, request: &Tlv<'_>) -> Function {
        let mut rest = request.value;
        let signed2 = take(&mut rest, 0x30)?;
        let signature = take(&mut rest, 0x5F37)?;
        let hash_cc = match tlv::read(rest)? {
            (object, _) if object.tag == 0x04 => {
                if object.value.len() != 32 {
                    return Err(Refusal::Data);
                }
                Some(take(&mut rest, 0x04)?)
            }
            _ => None,
        };
        let certificate = take(&mut rest, 0x30)?;
        let smdp = SmdpSigned2::from_der(signed2.raw).map_err(|_| Refusal::Data)?;
        let transaction_id = smdp.transaction_id.as_bytes();
        let refuse = |code: DownloadErrorCode| refusal(0xBF21, transaction_id, code.code());

        let session = match &self.rsp.session {
            Some(session) if session.load.is_none() => session.clone(),
            _ => return refuse(DownloadErrorCode::NoSessionContext),
        };
        if session.transaction_id != transaction_id {
            return refuse(DownloadErrorCode::InvalidTransactionId);
        }
        let Some(credential) = self.credential(&session.ci_key_id) else {
            return refuse(DownloadErrorCode::UndefinedError);
        };
        let (certificate, key) = match key_of(certificate.raw) {
            Ok(both) => both,
            Err(true) => return refuse(DownloadErrorCode::UnsupportedCurve),
            Err(false) => return refuse(DownloadErrorCode::InvalidCertificate),
        };
        // Both certificates are of one server, and it is an SM-DP+.
        let server_ci = certificate.authority_key_id().unwrap_or_default();
        let verified = self
            .credential(&server_ci)
            .filter(|_| session.role == ServerRole::Authentication)
            .filter(|ci| !self.is_revoked(ci, &certificate))
            .and_then(|ci| ci.verify(&certificate, ServerRole::Binding).ok());
        if verified.as_ref() != Some(&session.oid) {
            return refuse(DownloadErrorCode::InvalidCertificate);
        }
        let mut message = signed2.raw.to_vec();
        message.extend(tlv::write(0x5F37, &session.signature1));
        if !key.verify(&message, signature.value) {
            return refuse(DownloadErrorCode::InvalidSignature);
        }

        let wanted = smdp.bpp_euicc_otpk.as_ref().map(|point| point.as_bytes());
        let credential = credential.clone();
        let (one_time, otpk, kept) = self.one_time_key(&credential, &session.oid, wanted)?;
        let mut signed = tlv::write(0x80, transaction_id);
        signed.extend(tlv::write(0x5F49, &otpk));
        if let Some(hash) = &hash_cc
            && (smdp.cc_required_flag || !HASH_CC_ONLY_IF_ASKED)
        {
            signed.extend(tlv::write(0x04, hash.value));
        }
        let signed = tlv::write(0x30, &signed);
        let mut message = signed.clone();
        message.extend_from_slice(signature.raw);
        let Ok(signature2) = credential.key.sign(&message) else {
            return refuse(DownloadErrorCode::UndefinedError);
        };
        if let Some(session) = &mut self.rsp.session {
            session.prepared = Some(Prepared {
                key,
                one_time,
                otpk,
            });
        }
        let state = (self.state.one_time.as_ref() != Some(&kept)).then(|| State {
            one_time: Some(kept),
            ..self.state.clone()
        });
        let mut ok = signed;
        ok.extend(tlv::write(0x5F37, &signature2));
        Ok((tlv::write(0xBF21, &tlv::write(0xA0, &ok)), state))
    }

    /// The one-time key pair: the one that was kept, if this server asks for it, or a new one.
    fn one_time_key(
        &mut self,
        credential: &EuiccCredential,
        oid: &Oid,
        wanted: Option<&[u8]>,
    ) -> Result<(SecretKey, Vec<u8>, OneTimeKey), Refusal> {
        let undefined = |_| Refusal::Status(Sw::UNKNOWN);
        let seed = self.seed;
        let make = |number: u64| -> Result<(SecretKey, Vec<u8>), PkiError> {
            let data = [seed.to_be_bytes(), number.to_be_bytes()].concat();
            let key = credential.key.child("otSK.EUICC.ECKA", &data)?;
            let point = key.public_key()?.to_point();
            Ok((key, point))
        };
        let oid = oid.to_string();
        if let Some(kept) = &self.state.one_time
            && wanted == Some(kept.point.as_slice())
            && kept.oid == oid
        {
            let (key, point) = make(kept.number).map_err(undefined)?;
            if point == kept.point {
                return Ok((key, point, kept.clone()));
            }
        }
        let number = self.drawn;
        self.drawn += 1;
        let (key, point) = make(number).map_err(undefined)?;
        let kept = OneTimeKey {
            number,
            point: point.clone(),
            oid,
        };
        Ok((key, point, kept))
    }

    /// ES10b.CancelSession (SGP.22 5.7.14): signed, and the session is over. The one-time key stays: the
    /// server may have bound a package to it.
    pub(super) fn cancel_session(&mut self, request: &Tlv<'_>) -> Function {
        let transaction_id = tlv::require(request.value, 0x80)?;
        let reason = tlv::require(request.value, 0x81)?;
        CancelSessionReason::from_der(&tlv::write(0x02, reason.value))
            .map_err(|_| Refusal::Data)?;
        let refuse = |code: CancelSessionResponseError| {
            answer(0xBF41, &tlv::write(0x81, &[code.code() as u8]))
        };
        let session = match &self.rsp.session {
            Some(session) if session.transaction_id == transaction_id.value => session,
            _ => return refuse(CancelSessionResponseError::InvalidTransactionId),
        };
        let mut signed = transaction_id.raw.to_vec();
        signed.extend(tlv::write(0x81, session.oid.as_bytes()));
        signed.extend(tlv::write(0x82, reason.value));
        let signed = tlv::write(0x30, &signed);
        let signature = self
            .credential(&session.ci_key_id)
            .and_then(|c| c.key.sign(&signed).ok());
        let Some(signature) = signature else {
            return refuse(CancelSessionResponseError::UndefinedError);
        };
        self.rsp.session = None;
        let mut ok = signed;
        ok.extend(tlv::write(0x5F37, &signature));
        answer(0xBF41, &tlv::write(0xA0, &ok))
    }
}
