//! A way to an SM-DP+: over HTTP in both bindings, or to one in this process.

use super::http::encode;
use super::{Smdp, json};
use crate::web::{self, ASN1, JSON, PATH, Trust};
use applet_model::sgp::download::{
    CancelSessionResponseEsipa, GetBoundProfilePackageResponseEsipa,
    InitiateAuthenticationResponseEsipa,
};
use applet_model::sgp::es9::{
    AuthenticateClientResponseEs9, RemoteProfileProvisioningRequest as Request,
    RemoteProfileProvisioningResponse as Response,
};
use applet_model::sgp::{Decode, Encode};
use std::net::SocketAddr;

/// Why a function of ES9+ gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum Es9Error {
    /// The server can't be reached, or its answer is none.
    #[error("SM-DP+ at {to}: {detail}")]
    Server {
        /// Where.
        to: String,
        /// What happened.
        detail: String,
    },
    /// The server refused.
    #[error("{function}: the SM-DP+ refused: {text}")]
    Refused {
        /// The function.
        function: &'static str,
        /// The error's number in the ASN.1 binding.
        code: i64,
        /// Its name or status code, in words.
        text: String,
    },
    /// A message can't be read or written.
    #[error("{function}: the SM-DP+'s answer: {detail}")]
    Message {
        /// The function.
        function: &'static str,
        /// Why.
        detail: String,
    },
}

impl Es9Error {
    /// An answer to something else.
    pub(crate) fn unexpected(function: &'static str) -> Self {
        Es9Error::Message {
            function,
            detail: "it answers another function".into(),
        }
    }
}

/// A way to an SM-DP+.
pub trait Es9 {
    /// Sends a request. A notification has no answer.
    ///
    /// # Errors
    /// [`Es9Error`].
    fn call(&mut self, request: &Request) -> Result<Option<Response>, Es9Error>;
}

/// How messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// JSON (SGP.22 6.5).
    Json,
    /// ASN.1 (SGP.22 6.6).
    Asn1,
}

/// An SM-DP+ behind HTTP.
#[derive(Debug, Clone)]
pub struct HttpServer {
    /// Where it listens.
    pub to: SocketAddr,
    /// Its name, for the Host header.
    pub host: String,
    /// How messages are written.
    pub binding: Binding,
    /// Whom to believe in TLS; `None`: plain HTTP.
    pub tls: Option<Trust>,
}

impl HttpServer {
    fn failed(&self, detail: impl ToString) -> Es9Error {
        Es9Error::Server {
            to: self.to.to_string(),
            detail: detail.to_string(),
        }
    }
}

/// The number and name of an error in the ASN.1 binding.
fn error_of(response: &Response) -> Option<(i64, &'static str)> {
    Some(match response {
        Response::InitiateAuthenticationResponse(
            InitiateAuthenticationResponseEsipa::InitiateAuthenticationErrorEsipa(code),
        ) => (code.code(), code.name()),
        Response::AuthenticateClientResponseEs9(
            AuthenticateClientResponseEs9::AuthenticateClientError(code),
        ) => (code.code(), code.name()),
        Response::GetBoundProfilePackageResponse(
            GetBoundProfilePackageResponseEsipa::GetBoundProfilePackageErrorEsipa(code),
        ) => (code.code(), code.name()),
        Response::CancelSessionResponseEs9(CancelSessionResponseEsipa::CancelSessionError(
            code,
        )) => (code.code(), code.name()),
        _ => return None,
    })
}

impl Es9 for HttpServer {
    fn call(&mut self, request: &Request) -> Result<Option<Response>, Es9Error> {
        let function = json::function(request);
        let unreadable = |detail: String| Es9Error::Message { function, detail };
        let (path, content_type, body) = match self.binding {
            Binding::Asn1 => (
                PATH.to_owned(),
                ASN1,
                request.to_der().map_err(|e| unreadable(e.to_string()))?,
            ),
            Binding::Json => (
                format!("{}{function}", json::PATH),
                JSON,
                json::write_request(request).to_string().into_bytes(),
            ),
        };
        let target = web::Target {
            to: self.to,
            host: &self.host,
            path: &path,
            content_type,
            tls: self.tls.as_ref(),
        };
        let (status, body) = web::post(&target, &body).map_err(|e| self.failed(e))?;
        if !(200..300).contains(&status) {
            return Err(self.failed(format!("{function}: HTTP status {status}")));
        }
        if matches!(request, Request::HandleNotification(_)) {
            return Ok(None);
        }
        let refused = |code: i64, text: String| Es9Error::Refused {
            function,
            code,
            text,
        };
        match self.binding {
            Binding::Asn1 => {
                let response = Response::from_der(&body).map_err(|e| unreadable(e.to_string()))?;
                match error_of(&response) {
                    Some((code, name)) => Err(refused(code, name.into())),
                    None => Ok(Some(response)),
                }
            }
            Binding::Json => {
                let body = serde_json::from_slice(&body).map_err(|e| unreadable(e.to_string()))?;
                match json::read_response(function, &body).map_err(|e| unreadable(e.to_string()))? {
                    Ok(response) => Ok(Some(response)),
                    Err((code, text)) => Err(refused(i64::from(code), text)),
                }
            }
        }
    }
}

/// An SM-DP+ in this process, without any socket.
impl Es9 for Smdp {
    fn call(&mut self, request: &Request) -> Result<Option<Response>, Es9Error> {
        let outcome = self.execute(request);
        match &outcome.response {
            Err(refusal) => Err(Es9Error::Refused {
                function: json::function(request),
                code: i64::from(refusal.code),
                text: refusal.to_string(),
            }),
            Ok(_) => Ok(encode(request, &outcome)),
        }
    }
}
