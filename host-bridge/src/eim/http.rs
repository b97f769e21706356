//! The server: ESipa's ASN.1 binding over HTTP (SGP.32 6.1.1), plain, for laboratories.

use super::fault::EimFault;
use super::guard::{Cut, Guard};
use super::log::Exchange;
use super::{Eim, EimError, lock};
use applet_model::sgp::esipa::{
    GetEimPackageRequest, HandleNotificationEsipa, ProvideEimPackageResult,
};
use applet_model::sgp::{Decode, Eid, Encode};
use applet_model::tlv;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::http::{HeaderMap, Response, StatusCode, header};
use axum::routing::post;
use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// The path of every ESipa function in the ASN.1 binding.
pub const PATH: &str = "/gsma/rsp2/asn1";
/// Content type of requests and answers.
pub(crate) const CONTENT_TYPE: &str = "application/x-gsma-rsp-asn1";
/// `X-Admin-Protocol` of answers; requests aren't refused by theirs.
pub(crate) const ADMIN_PROTOCOL: &str = "gsma/rsp/v2.1.0";

/// A server that runs in a thread of its own, until it is shut down or dropped.
#[derive(Debug)]
pub struct ServerHandle {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl ServerHandle {
    /// The address it listens on, with the real port if 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it; connections are closed.
    pub fn shutdown(mut self) {
        self.end();
    }

    fn end(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for ServerHandle {
    fn drop(&mut self) {
        self.end();
    }
}

impl Eim {
    /// Serves ESipa on this address (port 0: any free one).
    ///
    /// # Errors
    /// [`EimError::Listen`] if the address can't be had.
    pub fn serve(&self, address: SocketAddr) -> Result<ServerHandle, EimError> {
        let options = &self.inner.options;
        let app = Router::new()
            .route(PATH, post(handle))
            .layer(DefaultBodyLimit::max(options.body_limit))
            .with_state(self.clone());
        serve("eim", address, options.idle_timeout, app)
            .map_err(|source| EimError::Listen { address, source })
    }

    /// Does what a request body asks for, without HTTP around it: status, answer body, EID if it
    /// is named, and what was done.
    fn answer(&self, body: &[u8]) -> Answer {
        let function = function(body);
        let done = match function {
            "GetEimPackage" => read::<GetEimPackageRequest>(body).map(|request| {
                self.get_package(&request)
                    .map(|delivery| (200, delivery.body, delivery.text))
            }),
            "ProvideEimPackageResult" => read::<ProvideEimPackageResult>(body).map(|message| {
                let collected = self.provide_result(&message)?;
                let body = collected
                    .response
                    .to_der()
                    .map_err(|e| EimError::Encoding {
                        what: "ProvideEimPackageResultResponse",
                        detail: e.to_string(),
                    })?;
                Ok((200, body, collected.text))
            }),
            "HandleNotification" => read::<HandleNotificationEsipa>(body).map(|message| {
                let text = match &message {
                    HandleNotificationEsipa::PendingNotification(notification) => {
                        self.take_notification(None, notification)?
                    }
                    HandleNotificationEsipa::ProvideEimPackageResult(result) => {
                        self.provide_result(result)?.text
                    }
                };
                Ok((204, Vec::new(), text))
            }),
            "" => Err("the body is no ESipa message".to_owned()),
            other => Ok(Ok((
                501,
                Vec::new(),
                format!("{other} is not supported by this eIM"),
            ))),
        };
        let (status, response, text) = match done {
            Ok(Ok(done)) => done,
            Ok(Err(e)) => (500, Vec::new(), e.to_string()),
            Err(why) => (400, Vec::new(), why),
        };
        Answer {
            status,
            response,
            text,
        }
    }

    fn log(&self, function: &str, eid: Option<&Eid>, status: u16, request: &[u8], answer: &Answer) {
        lock(&self.inner.log).push(Exchange {
            number: 0,
            function: function.to_owned(),
            eid: eid.map(ToString::to_string),
            status,
            request: hex::encode_upper(request),
            response: hex::encode_upper(&answer.response),
            text: answer.text.clone(),
        });
    }
}

/// Serves an application in a thread of this name; a connection may be silent for `idle`.
pub(crate) fn serve(
    name: &str,
    address: SocketAddr,
    idle: Duration,
    app: Router,
) -> std::io::Result<ServerHandle> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let local = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let guard = {
        let _context = runtime.enter();
        Guard {
            listener: tokio::net::TcpListener::from_std(listener)?,
            idle,
        }
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let thread = std::thread::Builder::new()
        .name(name.into())
        .spawn(move || {
            runtime.block_on(async {
                let service = app.into_make_service_with_connect_info::<Cut>();
                tokio::select! {
                    _ = async { axum::serve(guard, service).await } => {}
                    _ = stopped => {}
                }
            });
            runtime.shutdown_timeout(Duration::from_secs(1));
        })?;
    Ok(ServerHandle {
        address: local,
        stop: Some(stop),
        thread: Some(thread),
    })
}

struct Answer {
    status: u16,
    response: Vec<u8>,
    text: String,
}

/// The ESipa function that a body's tag names (SGP.32 6.3.2); empty if it is none.
fn function(body: &[u8]) -> &'static str {
    match tlv::read_header(body).map(|header| header.tag) {
        Ok(0xBF4F) => "GetEimPackage",
        Ok(0xBF50) => "ProvideEimPackageResult",
        Ok(0xBF3D) => "HandleNotification",
        Ok(0xBF39) => "InitiateAuthentication",
        Ok(0xBF3B) => "AuthenticateClient",
        Ok(0xBF3A) => "GetBoundProfilePackage",
        Ok(0xBF41) => "CancelSession",
        Ok(0xBF4E) => "TransferEimPackage",
        _ => "",
    }
}

fn read<T: for<'a> Decode<'a, Error = der::Error>>(body: &[u8]) -> Result<T, String> {
    T::from_der(body).map_err(|e| format!("the body can't be read: {e}"))
}

/// The EID that a request names, if it does.
fn eid_of(body: &[u8]) -> Option<Eid> {
    let message = tlv::read_one(body).ok()?;
    let eid = message.find(0x5A).ok()??;
    eid.value.try_into().ok().map(Eid)
}

async fn handle(
    State(eim): State<Eim>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let eid = eid_of(&body);
    let fault = eim.take_fault(true, eid.as_ref());
    let wrong_type = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| !value.as_bytes().starts_with(CONTENT_TYPE.as_bytes()));
    let mut answer = match &fault {
        Some(EimFault::HttpStatus { status }) => Answer {
            status: *status,
            response: Vec::new(),
            text: String::new(),
        },
        _ if wrong_type => Answer {
            status: 415,
            response: Vec::new(),
            text: format!("the content type isn't {CONTENT_TYPE}"),
        },
        _ => {
            // Signatures and the database are no work for the thread that serves the sockets.
            let (eim, body) = (eim.clone(), body.clone());
            match tokio::task::spawn_blocking(move || eim.answer(&body)).await {
                Ok(answer) => answer,
                Err(e) => Answer {
                    status: 500,
                    response: Vec::new(),
                    text: e.to_string(),
                },
            }
        }
    };
    if let Some(fault) = &fault {
        answer.text = format!("{} (on purpose: {fault:?})", answer.text)
            .trim()
            .to_owned();
    }
    if fault == Some(EimFault::Garbage) {
        answer.response = b"\xDE\xAD\xBE\xEF this is not DER \xFF\xFF\xFF".to_vec();
        answer.status = 200;
    }
    let logged = match fault {
        Some(EimFault::Silent) => 0,
        _ => answer.status,
    };
    eim.log(function(&body), eid.as_ref(), logged, &body, &answer);
    match fault {
        Some(EimFault::Silent) => std::future::pending::<()>().await,
        Some(EimFault::CutMidAnswer { bytes }) => cut.after(bytes),
        _ => {}
    }
    respond(answer)
}

fn respond(answer: Answer) -> Response<Body> {
    let empty = answer.response.is_empty();
    let mut response = Response::new(Body::from(answer.response));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(
        "x-admin-protocol",
        header::HeaderValue::from_static(ADMIN_PROTOCOL),
    );
    if !empty {
        headers.insert(
            header::CONTENT_TYPE,
            header::HeaderValue::from_static(CONTENT_TYPE),
        );
    }
    response
}
