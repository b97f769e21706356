//! The JSON binding of ES9+ (SGP.22 6.5): messages to and from JSON. Values are base64 of DER, transactions
//! hexadecimal; signatures and key identifiers keep their tags.

use super::refusal::{Refusal, code_of};
use applet_model::sgp::asn1::Explicit;
use applet_model::sgp::download::{
    AuthenticateClientOkDpEsipa, AuthenticateClientRequestEsipa, CancelSessionOk,
    CancelSessionRequestEsipa, CancelSessionResponseEsipa, GetBoundProfilePackageOkEsipa,
    GetBoundProfilePackageRequestEsipa, GetBoundProfilePackageResponseEsipa,
    InitiateAuthenticationOkEsipa, InitiateAuthenticationRequestEsipa,
    InitiateAuthenticationResponseEsipa,
};
use applet_model::sgp::es9::{
    AuthenticateClientResponseEs9, HandleNotification, RemoteProfileProvisioningRequest as Request,
    RemoteProfileProvisioningResponse as Response,
};
use applet_model::sgp::{Decode, Encode, Octet16, Octets, TransactionId};
use applet_model::tlv;
use base64ct::{Base64, Encoding};
use serde_json::{Map, Value, json};

/// Where the functions are.
pub(super) const PATH: &str = "/gsma/rsp2/es9plus/";

/// A body that is no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct JsonError(String);

fn field<'a>(body: &'a Value, name: &str) -> Result<&'a str, JsonError> {
    body.get(name)
        .and_then(Value::as_str)
        .ok_or_else(|| JsonError(format!("a text \"{name}\" is expected")))
}

fn bytes(body: &Value, name: &str) -> Result<Vec<u8>, JsonError> {
    Base64::decode_vec(field(body, name)?)
        .map_err(|e| JsonError(format!("\"{name}\" is not base64: {e}")))
}

fn message<T: for<'a> Decode<'a, Error = der::Error>>(
    body: &Value,
    name: &str,
) -> Result<T, JsonError> {
    T::from_der(&bytes(body, name)?).map_err(|e| JsonError(format!("\"{name}\": {e}")))
}

/// The content of a data object with this tag, or the bytes as they are if they have none.
fn unwrapped(body: &Value, name: &str, tag: u32) -> Result<Octets, JsonError> {
    let bytes = bytes(body, name)?;
    match tlv::expect(&bytes, tag) {
        Ok(object) => Ok(object.value.into()),
        Err(_) => Ok(bytes.into()),
    }
}

fn transaction(body: &Value) -> Result<TransactionId, JsonError> {
    field(body, "transactionId")?
        .parse()
        .map_err(|e| JsonError(format!("\"transactionId\": {e}")))
}

fn base64(der: der::Result<Vec<u8>>) -> Value {
    der.map_or(Value::Null, |der| Base64::encode_string(&der).into())
}

fn wrapped(tag: u32, value: &[u8]) -> Value {
    base64(Ok(tlv::write(tag, value)))
}

/// The name of a request's function in its path.
pub(super) fn function(request: &Request) -> &'static str {
    match request {
        Request::InitiateAuthenticationRequest(_) => "initiateAuthentication",
        Request::AuthenticateClientRequest(_) => "authenticateClient",
        Request::GetBoundProfilePackageRequest(_) => "getBoundProfilePackage",
        Request::CancelSessionRequestEs9(_) => "cancelSession",
        Request::HandleNotification(_) => "handleNotification",
    }
}

/// Reads a request. `None`: no such function.
pub(super) fn read_request(function: &str, body: &Value) -> Option<Result<Request, JsonError>> {
    Some(match function {
        "initiateAuthentication" => initiate(body),
        "authenticateClient" => authenticate(body),
        "getBoundProfilePackage" => get_package(body),
        "cancelSession" => cancel(body),
        "handleNotification" => message(body, "pendingNotification").map(|pending_notification| {
            Request::HandleNotification(HandleNotification {
                pending_notification,
            })
        }),
        _ => return None,
    })
}

fn initiate(body: &Value) -> Result<Request, JsonError> {
    let challenge: [u8; 16] = bytes(body, "euiccChallenge")?
        .try_into()
        .map_err(|_| JsonError("\"euiccChallenge\" has 16 bytes".into()))?;
    Ok(Request::InitiateAuthenticationRequest(
        InitiateAuthenticationRequestEsipa {
            euicc_challenge: Octet16(challenge),
            smdp_address: Some(field(body, "smdpAddress")?.to_owned()),
            euicc_info1: Some(message(body, "euiccInfo1")?),
            eim_transaction_id: None,
        },
    ))
}

fn authenticate(body: &Value) -> Result<Request, JsonError> {
    Ok(Request::AuthenticateClientRequest(
        AuthenticateClientRequestEsipa {
            transaction_id: transaction(body)?,
            authenticate_server_response: message(body, "authenticateServerResponse")?,
        },
    ))
}

fn get_package(body: &Value) -> Result<Request, JsonError> {
    Ok(Request::GetBoundProfilePackageRequest(
        GetBoundProfilePackageRequestEsipa {
            transaction_id: transaction(body)?,
            prepare_download_response: message(body, "prepareDownloadResponse")?,
        },
    ))
}

fn cancel(body: &Value) -> Result<Request, JsonError> {
    Ok(Request::CancelSessionRequestEs9(
        CancelSessionRequestEsipa {
            transaction_id: transaction(body)?,
            cancel_session_response: Explicit(message(body, "cancelSessionResponse")?),
        },
    ))
}

/// Writes a request.
pub(super) fn write_request(request: &Request) -> Value {
    match request {
        Request::InitiateAuthenticationRequest(r) => json!({
            "smdpAddress": r.smdp_address,
            "euiccChallenge": Base64::encode_string(&r.euicc_challenge.0),
            "euiccInfo1": r.euicc_info1.as_ref().map(|info| base64(info.to_der())),
        }),
        Request::AuthenticateClientRequest(r) => json!({
            "transactionId": r.transaction_id.to_string(),
            "authenticateServerResponse": base64(r.authenticate_server_response.to_der()),
        }),
        Request::GetBoundProfilePackageRequest(r) => json!({
            "transactionId": r.transaction_id.to_string(),
            "prepareDownloadResponse": base64(r.prepare_download_response.to_der()),
        }),
        Request::CancelSessionRequestEs9(r) => json!({
            "transactionId": r.transaction_id.to_string(),
            "cancelSessionResponse": base64(r.cancel_session_response.0.to_der()),
        }),
        Request::HandleNotification(r) => json!({
            "pendingNotification": base64(r.pending_notification.to_der()),
        }),
    }
}

/// Writes an answer; a refusal is "Failed" with its status code (SGP.22 6.5.1.4).
pub(super) fn write_response(response: Result<&Response, &Refusal>) -> Value {
    let mut body = match response {
        Ok(response) => content(response),
        Err(_) => Map::new(),
    };
    let status = match response {
        Ok(_) => json!({ "status": "Executed-Success" }),
        Err(refusal) => json!({
            "status": "Failed",
            "statusCodeData": {
                "subjectCode": refusal.subject,
                "reasonCode": refusal.reason,
                "message": refusal.message,
            },
        }),
    };
    let header = json!({ "functionExecutionStatus": status });
    body.insert("header".into(), header);
    Value::Object(body)
}

fn content(response: &Response) -> Map<String, Value> {
    let id = |id: &Option<TransactionId>| id.as_ref().map(ToString::to_string);
    let value = match response {
        Response::InitiateAuthenticationResponse(
            InitiateAuthenticationResponseEsipa::InitiateAuthenticationOkEsipa(ok),
        ) => json!({
            "transactionId": id(&ok.transaction_id),
            "serverSigned1": base64(Ok(ok.server_signed1.bytes().to_vec())),
            "serverSignature1": wrapped(0x5F37, &ok.server_signature1),
            "euiccCiPKIdToBeUsed": wrapped(0x04, &ok.euicc_ci_pk_identifier_to_be_used),
            "serverCertificate": base64(Ok(ok.server_certificate.to_bytes())),
        }),
        Response::AuthenticateClientResponseEs9(
            AuthenticateClientResponseEs9::AuthenticateClientOk(ok),
        ) => json!({
            "transactionId": id(&ok.transaction_id),
            "profileMetadata": ok.profile_meta_data.as_ref().map(|m| base64(m.to_der())),
            "smdpSigned2": base64(Ok(ok.smdp_signed2.bytes().to_vec())),
            "smdpSignature2": wrapped(0x5F37, &ok.smdp_signature2),
            "smdpCertificate": base64(Ok(ok.smdp_certificate.to_bytes())),
        }),
        Response::GetBoundProfilePackageResponse(
            GetBoundProfilePackageResponseEsipa::GetBoundProfilePackageOkEsipa(ok),
        ) => json!({
            "transactionId": id(&ok.transaction_id),
            "boundProfilePackage": base64(ok.bound_profile_package.to_der()),
        }),
        // What is left has no content.
        _ => json!({}),
    };
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// What an answer says: the message, or the error's number in the ASN.1 binding and the status code in words.
pub(super) fn read_response(
    function: &str,
    body: &Value,
) -> Result<Result<Response, (u8, String)>, JsonError> {
    let status = body.pointer("/header/functionExecutionStatus");
    let status = status.ok_or_else(|| JsonError("there is no functionExecutionStatus".into()))?;
    if field(status, "status")? != "Executed-Success" {
        let data = status.get("statusCodeData").unwrap_or(&Value::Null);
        let text = |name| data.get(name).and_then(Value::as_str).unwrap_or("-");
        let (subject, reason) = (text("subjectCode"), text("reasonCode"));
        let words = format!("{} (subject {subject}, reason {reason})", text("message"));
        return Ok(Err((code_of(function, subject, reason), words)));
    }
    let id = || transaction(body).map(Some);
    let response = match function {
        "initiateAuthentication" => Response::InitiateAuthenticationResponse(
            InitiateAuthenticationResponseEsipa::InitiateAuthenticationOkEsipa(
                InitiateAuthenticationOkEsipa {
                    transaction_id: id()?,
                    server_signed1: message(body, "serverSigned1")?,
                    server_signature1: unwrapped(body, "serverSignature1", 0x5F37)?,
                    euicc_ci_pk_identifier_to_be_used: unwrapped(
                        body,
                        "euiccCiPKIdToBeUsed",
                        0x04,
                    )?,
                    server_certificate: message(body, "serverCertificate")?,
                    matching_id: None,
                    ctx_params1: None,
                },
            ),
        ),
        "authenticateClient" => Response::AuthenticateClientResponseEs9(
            AuthenticateClientResponseEs9::AuthenticateClientOk(AuthenticateClientOkDpEsipa {
                transaction_id: id()?,
                profile_meta_data: Some(message(body, "profileMetadata")?),
                smdp_signed2: message(body, "smdpSigned2")?,
                smdp_signature2: unwrapped(body, "smdpSignature2", 0x5F37)?,
                smdp_certificate: message(body, "smdpCertificate")?,
                hash_cc: None,
            }),
        ),
        "getBoundProfilePackage" => Response::GetBoundProfilePackageResponse(
            GetBoundProfilePackageResponseEsipa::GetBoundProfilePackageOkEsipa(
                GetBoundProfilePackageOkEsipa {
                    transaction_id: id()?,
                    bound_profile_package: message(body, "boundProfilePackage")?,
                },
            ),
        ),
        _ => Response::CancelSessionResponseEs9(CancelSessionResponseEsipa::CancelSessionOk(
            CancelSessionOk {},
        )),
    };
    Ok(Ok(response))
}
