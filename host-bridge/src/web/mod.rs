//! HTTP as the lab's servers and their clients speak it: one server in a thread of its own with limits and time-outs,
//! and one request on one connection. What is said over it is not known here.

mod client;
mod guard;
mod tls;
mod token;

pub(crate) use client::{Target, post};
pub(crate) use guard::Cut;
pub use tls::{Tls, TlsError, Trust};
pub use token::{Token, TokenError};

use axum::Router;
use axum::body::Body;
use axum::http::{Response, StatusCode, header};
use guard::Guard;
use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// The path of every function of ESipa and ES9+ in the ASN.1 binding (SGP.32 6.1.1).
pub const PATH: &str = "/gsma/rsp2/asn1";
/// Content type of the ASN.1 binding.
pub(crate) const ASN1: &str = "application/x-gsma-rsp-asn1";
/// Content type of the JSON binding.
pub(crate) const JSON: &str = "application/json;charset=UTF-8";
/// `X-Admin-Protocol` of messages; requests aren't refused by theirs.
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

/// Serves an application in a thread of this name, over TLS if there is a certificate for it; a connection may be silent for
/// `idle`.
pub(crate) fn serve(
    name: &str,
    address: SocketAddr,
    idle: Duration,
    tls: Option<&Tls>,
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
            tls: tls.map(Tls::acceptor),
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

/// An answer with the headers that every one has.
pub(crate) fn respond(status: u16, content_type: &'static str, body: Vec<u8>) -> Response<Body> {
    let empty = body.is_empty();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(
        "x-admin-protocol",
        header::HeaderValue::from_static(ADMIN_PROTOCOL),
    );
    if !empty {
        headers.insert(
            header::CONTENT_TYPE,
            header::HeaderValue::from_static(content_type),
        );
    }
    response
}
