//! The download: common mutual authentication, the package, its segments into the eUICC (SGP.22 3.1.3).

use super::lpa::Lpa;
use super::{PushError, PushOrder, unreadable};
use crate::smdp::client::{Es9, Es9Error};
use crate::smdp::order::{code_hash, hash_cc};
use applet_model::sgp::download::{
    AuthenticateClientOkDpEsipa, AuthenticateClientRequestEsipa, AuthenticateServerRequest,
    AuthenticateServerResponse, CancelSessionReason, CtxParams1, CtxParamsForCommonAuthentication,
    GetBoundProfilePackageRequestEsipa, GetBoundProfilePackageResponseEsipa,
    InitiateAuthenticationOkEsipa, InitiateAuthenticationRequestEsipa,
    InitiateAuthenticationResponseEsipa, PrepareDownloadRequest, PrepareDownloadResponse,
};
use applet_model::sgp::es9::{
    AuthenticateClientResponseEs9, RemoteProfileProvisioningRequest as Request,
    RemoteProfileProvisioningResponse as Response,
};
use applet_model::sgp::es10::{GetEuiccChallengeRequest, GetEuiccChallengeResponse};
use applet_model::sgp::euicc_info::{EuiccInfo1, GetEuiccInfo1Request};
use applet_model::sgp::ipa_data::{DeviceCapabilities, DeviceInfo};
use applet_model::sgp::notification::ProfileInstallationResult;
use applet_model::sgp::{CertificateDer, Decode, Encode, KeyId, Octet32, TransactionId};
use cards::euicc::bpp;

fn look_at_period(
    which: &'static str,
    certificate: &CertificateDer,
    now: u64,
) -> Result<(), PushError> {
    let parsed = certificate
        .parse()
        .map_err(unreadable("the SM-DP+'s certificate"))?;
    let validity = parsed.tbs_certificate().validity();
    let from = validity.not_before.to_unix_duration().as_secs();
    let to = validity.not_after.to_unix_duration().as_secs();
    if (from..=to).contains(&now) {
        return Ok(());
    }
    Err(PushError::Expired {
        which,
        from,
        to,
        now,
    })
}

pub(super) type Done = (ProfileInstallationResult, String, usize);

pub(super) fn download(
    lpa: &mut Lpa<'_>,
    smdp: &mut dyn Es9,
    order: &PushOrder,
) -> Result<Done, PushError> {
    let challenge: GetEuiccChallengeResponse =
        lpa.ask("GetEUICCChallenge", &GetEuiccChallengeRequest::default())?;
    let info: EuiccInfo1 = lpa.ask("GetEUICCInfo1", &GetEuiccInfo1Request::default())?;
    let request = Request::InitiateAuthenticationRequest(InitiateAuthenticationRequestEsipa {
        euicc_challenge: challenge.euicc_challenge,
        smdp_address: Some(order.address.clone()),
        euicc_info1: Some(info),
        eim_transaction_id: None,
    });
    let server = match smdp.call(&request)? {
        Some(Response::InitiateAuthenticationResponse(
            InitiateAuthenticationResponseEsipa::InitiateAuthenticationOkEsipa(ok),
        )) => ok,
        _ => return Err(unexpected("initiateAuthentication")),
    };
    look_at_period("authentication", &server.server_certificate, order.now)?;
    if !server
        .server_signed1
        .server_address
        .eq_ignore_ascii_case(&order.address)
    {
        return Err(Es9Error::Message {
            function: "initiateAuthentication",
            detail: format!("it calls itself {:?}", server.server_signed1.server_address),
        }
        .into());
    }
    let transaction = server.server_signed1.transaction_id.clone();
    let authenticated = authenticate(lpa, smdp, order, server);
    // From here on there may be a session in the card.
    let done = authenticated.and_then(|ok| get_package(lpa, smdp, order, &transaction, ok));
    match done {
        Ok(done) => Ok(done),
        Err((reason, error)) => {
            // If the server can't be told, its session ends by itself.
            let _ = lpa.cancel(smdp, &transaction, reason);
            Err(error)
        }
    }
}

fn unexpected(function: &'static str) -> PushError {
    Es9Error::unexpected(function).into()
}

/// An error, and what the session is cancelled with.
type Failed = (CancelSessionReason, PushError);

fn broken(error: PushError) -> Failed {
    let reason = match &error {
        PushError::Es9(Es9Error::Server { .. }) => CancelSessionReason::Timeout,
        _ => CancelSessionReason::UndefinedReason,
    };
    (reason, error)
}

fn authenticate(
    lpa: &mut Lpa<'_>,
    smdp: &mut dyn Es9,
    order: &PushOrder,
    server: InitiateAuthenticationOkEsipa,
) -> Result<AuthenticateClientOkDpEsipa, Failed> {
    const WHAT: &str = "AuthenticateServer";
    let transaction_id = server.server_signed1.transaction_id.clone();
    let key_id =
        KeyId::new(server.euicc_ci_pk_identifier_to_be_used.to_vec()).ok_or_else(|| {
            broken(PushError::Message {
                what: "euiccCiPKIdToBeUsed",
                detail: "it has no bytes, or too many".into(),
            })
        })?;
    let matching_id = &order.matching_id;
    let request = AuthenticateServerRequest {
        server_signed1: server.server_signed1,
        server_signature1: server.server_signature1,
        euicc_ci_pk_id_to_be_used: key_id,
        server_certificate: server.server_certificate,
        ctx_params1: CtxParams1::CtxParamsForCommonAuthentication(
            CtxParamsForCommonAuthentication {
                matching_id: (!matching_id.is_empty()).then(|| matching_id.clone()),
                device_info: DeviceInfo {
                    // A type allocation code for tests (GSMA TS.06: 00 begins those of no device).
                    tac: vec![0x00, 0x10, 0x00, 0x00].into(),
                    device_capabilities: DeviceCapabilities::default(),
                    imei: None,
                },
            },
        ),
    };
    let response: AuthenticateServerResponse = lpa.ask(WHAT, &request).map_err(broken)?;
    let refused = match &response {
        AuthenticateServerResponse::AuthenticateResponseError(error) => {
            Some(error.authenticate_error_code.name())
        }
        _ => None,
    };
    let answer = smdp.call(&Request::AuthenticateClientRequest(
        AuthenticateClientRequestEsipa {
            transaction_id,
            authenticate_server_response: response,
        },
    ));
    if let Some(code) = refused {
        return Err(broken(PushError::Euicc { what: WHAT, code }));
    }
    match answer.map_err(|e| broken(e.into()))? {
        Some(Response::AuthenticateClientResponseEs9(
            AuthenticateClientResponseEs9::AuthenticateClientOk(ok),
        )) => Ok(ok),
        _ => Err(broken(unexpected("authenticateClient"))),
    }
}

fn get_package(
    lpa: &mut Lpa<'_>,
    smdp: &mut dyn Es9,
    order: &PushOrder,
    transaction: &TransactionId,
    ok: AuthenticateClientOkDpEsipa,
) -> Result<Done, Failed> {
    const WHAT: &str = "PrepareDownload";
    look_at_period("binding", &ok.smdp_certificate, order.now).map_err(broken)?;
    let Some(metadata) = ok.profile_meta_data else {
        let error = unexpected("authenticateClient");
        return Err((CancelSessionReason::MetadataMismatch, error));
    };
    let hash_cc = match (ok.smdp_signed2.cc_required_flag, &order.confirmation_code) {
        (false, _) => None,
        (true, None) => {
            return Err((CancelSessionReason::Postponed, PushError::CodeMissing));
        }
        (true, Some(code)) => Some(Octet32(hash_cc(&code_hash(code), transaction.as_bytes()))),
    };
    let request = PrepareDownloadRequest {
        smdp_signed2: ok.smdp_signed2,
        smdp_signature2: ok.smdp_signature2,
        hash_cc,
        smdp_certificate: ok.smdp_certificate,
    };
    let response: PrepareDownloadResponse = lpa.ask(WHAT, &request).map_err(broken)?;
    let refused = match &response {
        PrepareDownloadResponse::DownloadResponseError(error) => {
            Some(error.download_error_code.name())
        }
        _ => None,
    };
    let answer = smdp.call(&Request::GetBoundProfilePackageRequest(
        GetBoundProfilePackageRequestEsipa {
            transaction_id: transaction.clone(),
            prepare_download_response: response,
        },
    ));
    if let Some(code) = refused {
        return Err(broken(PushError::Euicc { what: WHAT, code }));
    }
    let package = match answer.map_err(|e| broken(e.into()))? {
        Some(Response::GetBoundProfilePackageResponse(
            GetBoundProfilePackageResponseEsipa::GetBoundProfilePackageOkEsipa(ok),
        )) => ok
            .bound_profile_package
            .to_der()
            .map_err(|e| broken(unreadable("the bound profile package")(e)))?,
        _ => return Err(broken(unexpected("getBoundProfilePackage"))),
    };
    let commands = bpp::commands(&package).map_err(|e| {
        broken(PushError::Message {
            what: "the bound profile package",
            detail: e.to_string(),
        })
    })?;
    for command in commands {
        let answer = lpa
            .es10("LoadBoundProfilePackage", command)
            .map_err(|e| (CancelSessionReason::LoadBppExecutionError, e))?;
        if answer.is_empty() {
            continue;
        }
        let result = ProfileInstallationResult::from_der(&answer)
            .map_err(|e| broken(unreadable("ProfileInstallationResult")(e)))?;
        return Ok((result, metadata.profile_name, package.len()));
    }
    Err((
        CancelSessionReason::LoadBppExecutionError,
        PushError::NoResult,
    ))
}
