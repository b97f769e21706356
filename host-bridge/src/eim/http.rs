//! The server: ESipa's ASN.1 binding over HTTP (SGP.32 6.1.1), plain, for laboratories.

use super::download::Forwarded;
use super::fault::EimFault;
use super::log::Exchange;
use super::{Eim, EimError, lock};
use crate::web::{self, ASN1, Cut, PATH, ServerHandle};
use applet_model::sgp::download::{
    AuthenticateClientRequestEsipa, CancelSessionRequestEsipa, GetBoundProfilePackageRequestEsipa,
    InitiateAuthenticationRequestEsipa,
};
use applet_model::sgp::esipa::{
    GetEimPackageRequest, HandleNotificationEsipa, ProvideEimPackageResult,
};
use applet_model::sgp::{Decode, Eid, Encode};
use applet_model::tlv;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::http::{HeaderMap, Response, header};
use axum::routing::post;
use std::net::SocketAddr;

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
        web::serve(
            "eim",
            address,
            options.idle_timeout,
            options.tls.as_ref(),
            app,
        )
        .map_err(|source| EimError::Listen { address, source })
    }

    /// Does what a request body asks for, without HTTP around it: status, answer body, EID if it
    /// is named, and what was done.
    pub(super) fn answer(&self, body: &[u8]) -> Answer {
        let function = function(body);
        let mut eid = eid_of(body);
        let mut sent_on = |forwarded: Forwarded| {
            eid = forwarded.eid;
            (200, forwarded.body, forwarded.text)
        };
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
            "InitiateAuthentication" => read::<InitiateAuthenticationRequestEsipa>(body)
                .map(|request| self.initiate_authentication(&request).map(&mut sent_on)),
            "AuthenticateClient" => read::<AuthenticateClientRequestEsipa>(body)
                .map(|request| self.authenticate_client(&request).map(&mut sent_on)),
            "GetBoundProfilePackage" => read::<GetBoundProfilePackageRequestEsipa>(body)
                .map(|request| self.get_bound_profile_package(&request).map(&mut sent_on)),
            "CancelSession" => read::<CancelSessionRequestEsipa>(body)
                .map(|request| self.cancel_session(&request).map(&mut sent_on)),
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
            eid,
        }
    }

    fn log(&self, function: &str, status: u16, request: &[u8], answer: &Answer) {
        lock(&self.inner.log).push(Exchange {
            number: 0,
            function: function.to_owned(),
            eid: answer.eid.as_ref().map(ToString::to_string),
            status,
            request: hex::encode_upper(request),
            response: hex::encode_upper(&answer.response),
            text: answer.text.clone(),
        });
    }
}

pub(super) struct Answer {
    pub(super) status: u16,
    response: Vec<u8>,
    text: String,
    /// Whose message it is, as far as is known.
    eid: Option<Eid>,
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
    let fault = eim.take_fault(Some(function(&body)), eid.as_ref());
    let wrong_type = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| !value.as_bytes().starts_with(ASN1.as_bytes()));
    let mut answer = match &fault {
        Some(EimFault::HttpStatus { status }) => Answer {
            status: *status,
            response: Vec::new(),
            text: String::new(),
            eid,
        },
        _ if wrong_type => Answer {
            status: 415,
            response: Vec::new(),
            text: format!("the content type isn't {ASN1}"),
            eid,
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
                    eid,
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
    if let Some(EimFault::AlteredAnswer { at }) = fault {
        let last = answer.response.len().saturating_sub(1);
        if let Some(byte) = answer.response.get_mut(at.min(last)) {
            *byte ^= 1;
        }
    }
    let logged = match fault {
        Some(EimFault::Silent) => 0,
        _ => answer.status,
    };
    eim.log(function(&body), logged, &body, &answer);
    match fault {
        Some(EimFault::Silent) => std::future::pending::<()>().await,
        Some(EimFault::CutMidAnswer { bytes }) => cut.after(bytes),
        _ => {}
    }
    web::respond(answer.status, ASN1, answer.response)
}
