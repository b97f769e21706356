//! The way to an SM-DP+.

use super::{PushError, unreadable};
use crate::eim;
use crate::smdp::http::{self, encode};
use crate::smdp::{Smdp, json};
use applet_model::sgp::download::{
    CancelSessionResponseEsipa, GetBoundProfilePackageResponseEsipa,
    InitiateAuthenticationResponseEsipa,
};
use applet_model::sgp::es9::{
    AuthenticateClientResponseEs9, RemoteProfileProvisioningRequest as Request,
    RemoteProfileProvisioningResponse as Response,
};
use applet_model::sgp::{Decode, Encode};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long the server may take for each step.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Largest answer of a server.
const MAX_ANSWER: u64 = 4 * 1024 * 1024;

/// A way to an SM-DP+.
pub trait Es9 {
    /// Sends a request. A notification has no answer.
    ///
    /// # Errors
    /// [`PushError::Server`], [`PushError::Refused`] or [`PushError::Message`].
    fn call(&mut self, request: &Request) -> Result<Option<Response>, PushError>;
}

/// How messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// JSON (SGP.22 6.5).
    Json,
    /// ASN.1 (SGP.22 6.6).
    Asn1,
}

/// An SM-DP+ behind plain HTTP.
#[derive(Debug, Clone)]
pub struct HttpServer {
    /// Where it listens.
    pub to: SocketAddr,
    /// Its name, for the Host header.
    pub host: String,
    /// How messages are written.
    pub binding: Binding,
}

impl HttpServer {
    fn failed(&self, detail: impl ToString) -> PushError {
        PushError::Server {
            to: self.to.to_string(),
            detail: detail.to_string(),
        }
    }

    fn post(&self, path: &str, content_type: &str, body: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect_timeout(&self.to, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nUser-Agent: gsma-rsp-lpad\r\nContent-Type: {content_type}\r\n\
             X-Admin-Protocol: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            self.host,
            eim::http::ADMIN_PROTOCOL,
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat())?;
        let mut answer = Vec::new();
        stream.take(MAX_ANSWER).read_to_end(&mut answer)?;
        Ok(answer)
    }

    /// Status and body of an answer that is there as a whole.
    fn body<'a>(&self, answer: &'a [u8]) -> Result<(u16, &'a [u8]), PushError> {
        let end = answer
            .windows(4)
            .position(|w| w == b"\r\n\r\n")
            .ok_or_else(|| self.failed("the answer is no HTTP"))?;
        let (head, body) = answer.split_at(end + 4);
        let head = String::from_utf8_lossy(head).to_ascii_lowercase();
        let status = head
            .split_whitespace()
            .nth(1)
            .and_then(|s| s.parse().ok())
            .ok_or_else(|| self.failed("the answer is no HTTP"))?;
        if head.contains("transfer-encoding: chunked") {
            return Err(self.failed("chunked answers are not read"));
        }
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .and_then(|value| value.trim().parse::<usize>().ok());
        if length.is_some_and(|length| length != body.len()) {
            return Err(self.failed("the connection ended in the middle of the answer"));
        }
        Ok((status, body))
    }
}

/// The code of an error in the ASN.1 binding, in words.
fn error_name(response: &Response) -> Option<&'static str> {
    match response {
        Response::InitiateAuthenticationResponse(
            InitiateAuthenticationResponseEsipa::InitiateAuthenticationErrorEsipa(code),
        ) => Some(code.name()),
        Response::AuthenticateClientResponseEs9(
            AuthenticateClientResponseEs9::AuthenticateClientError(code),
        ) => Some(code.name()),
        Response::GetBoundProfilePackageResponse(
            GetBoundProfilePackageResponseEsipa::GetBoundProfilePackageErrorEsipa(code),
        ) => Some(code.name()),
        Response::CancelSessionResponseEs9(CancelSessionResponseEsipa::CancelSessionError(
            code,
        )) => Some(code.name()),
        _ => None,
    }
}

/// An answer, or the error in it.
fn checked(function: &'static str, response: Response) -> Result<Option<Response>, PushError> {
    match error_name(&response) {
        Some(name) => Err(PushError::Refused {
            function,
            text: name.into(),
        }),
        None => Ok(Some(response)),
    }
}

impl Es9 for HttpServer {
    fn call(&mut self, request: &Request) -> Result<Option<Response>, PushError> {
        let function = json::function(request);
        let (path, content_type, body) = match self.binding {
            Binding::Asn1 => (
                eim::PATH.to_owned(),
                eim::http::CONTENT_TYPE,
                request.to_der().map_err(unreadable("the request"))?,
            ),
            Binding::Json => (
                format!("{}{function}", json::PATH),
                http::JSON,
                json::write_request(request).to_string().into_bytes(),
            ),
        };
        let answer = self
            .post(&path, content_type, &body)
            .map_err(|e| self.failed(e))?;
        let (status, body) = self.body(&answer)?;
        if !(200..300).contains(&status) {
            return Err(self.failed(format!("{function}: HTTP status {status}")));
        }
        if matches!(request, Request::HandleNotification(_)) {
            return Ok(None);
        }
        match self.binding {
            Binding::Asn1 => {
                let response =
                    Response::from_der(body).map_err(unreadable("the SM-DP+'s answer"))?;
                checked(function, response)
            }
            Binding::Json => {
                let unreadable = |detail: String| PushError::Message {
                    what: "the SM-DP+'s answer",
                    detail,
                };
                let body = serde_json::from_slice(body).map_err(|e| unreadable(e.to_string()))?;
                match json::read_response(function, &body).map_err(|e| unreadable(e.to_string()))? {
                    Ok(response) => Ok(Some(response)),
                    Err(text) => Err(PushError::Refused { function, text }),
                }
            }
        }
    }
}

/// An SM-DP+ in this process, without any socket.
impl Es9 for Smdp {
    fn call(&mut self, request: &Request) -> Result<Option<Response>, PushError> {
        let outcome = self.execute(request);
        match (&outcome.response, encode(request, &outcome)) {
            (Err(refusal), _) => Err(PushError::Refused {
                function: json::function(request),
                text: refusal.to_string(),
            }),
            (Ok(_), response) => Ok(response),
        }
    }
}
