//! The server: ES9+ over plain HTTP, in JSON (SGP.22 6.5) and ASN.1 (SGP.22 6.6, SGP.32 6.1.1).

use super::es9::Answer;
use super::refusal::Refusal;
use super::{Exchange, Smdp, SmdpError, json, manage};
use crate::web::{self, ASN1, JSON, PATH, ServerHandle, respond};
use applet_model::sgp::download::{
    AuthenticateClientErrorEsipa, CancelSessionError, CancelSessionOk, CancelSessionResponseEsipa,
    GetBoundProfilePackageErrorEsipa, GetBoundProfilePackageResponseEsipa,
    InitiateAuthenticationErrorEsipa, InitiateAuthenticationResponseEsipa,
};
use applet_model::sgp::es9::{
    AuthenticateClientResponseEs9, RemoteProfileProvisioningRequest as Request,
    RemoteProfileProvisioningResponse as Response,
};
use applet_model::sgp::{Decode, Encode};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http;
use axum::routing::post;
use std::net::SocketAddr;

/// What a request led to: the answer (a notification has none), and what was done.
pub(super) struct Outcome {
    /// The message, or why there is none.
    pub response: Result<Option<Response>, Refusal>,
    /// In words.
    pub text: String,
}

impl Smdp {
    /// Does what a request asks for.
    pub(super) fn execute(&self, request: &Request) -> Outcome {
        fn done<T>(answer: Answer<T>, response: impl FnOnce(T) -> Response) -> Outcome {
            match answer {
                Ok((message, text)) => Outcome {
                    response: Ok(Some(response(message))),
                    text,
                },
                Err(refusal) => Outcome {
                    text: refusal.to_string(),
                    response: Err(refusal),
                },
            }
        }
        match request {
            Request::InitiateAuthenticationRequest(r) => {
                done(self.initiate_authentication(r), |ok| {
                    Response::InitiateAuthenticationResponse(
                        InitiateAuthenticationResponseEsipa::InitiateAuthenticationOkEsipa(ok),
                    )
                })
            }
            Request::AuthenticateClientRequest(r) => done(
                self.authenticate_client(&r.transaction_id, &r.authenticate_server_response),
                |ok| {
                    Response::AuthenticateClientResponseEs9(
                        AuthenticateClientResponseEs9::AuthenticateClientOk(ok),
                    )
                },
            ),
            Request::GetBoundProfilePackageRequest(r) => done(
                self.get_bound_profile_package(&r.transaction_id, &r.prepare_download_response),
                |ok| {
                    Response::GetBoundProfilePackageResponse(
                        GetBoundProfilePackageResponseEsipa::GetBoundProfilePackageOkEsipa(ok),
                    )
                },
            ),
            Request::CancelSessionRequestEs9(r) => done(
                self.cancel_session(&r.transaction_id, &r.cancel_session_response.0),
                |()| {
                    Response::CancelSessionResponseEs9(CancelSessionResponseEsipa::CancelSessionOk(
                        CancelSessionOk {},
                    ))
                },
            ),
            Request::HandleNotification(r) => Outcome {
                response: Ok(None),
                text: self.handle_notification(&r.pending_notification),
            },
        }
    }

    /// Serves ES9+ on this address (port 0: any free one). An address that isn't loopback is refused unless `insecure`: there is
    /// no TLS.
    ///
    /// # Errors
    /// [`SmdpError::NotLoopback`], or [`SmdpError::Listen`] if the address can't be had.
    pub fn serve(&self, address: SocketAddr, insecure: bool) -> Result<ServerHandle, SmdpError> {
        if !insecure && self.inner.options.tls.is_none() && !address.ip().is_loopback() {
            return Err(SmdpError::NotLoopback(address));
        }
        let options = &self.inner.options;
        let mut app = Router::new()
            .route(PATH, post(asn1))
            .route(&format!("{}{{function}}", json::PATH), post(as_json))
            .layer(DefaultBodyLimit::max(options.body_limit));
        if let Some(token) = &options.order_token {
            app = app.merge(manage::routes(token.clone()));
        }
        let app = app.with_state(self.clone());
        web::serve(
            "smdp",
            address,
            options.idle_timeout,
            options.tls.as_ref(),
            app,
        )
        .map_err(|source| SmdpError::Listen { address, source })
    }

    /// Executes where signatures and the database don't hold up the sockets.
    async fn in_background(&self, request: Request) -> Outcome {
        let smdp = self.clone();
        let done = tokio::task::spawn_blocking(move || smdp.execute(&request)).await;
        done.unwrap_or_else(|e| Outcome {
            response: Err(Refusal::undefined("")),
            text: e.to_string(),
        })
    }

    fn written(&self, function: &'static str, status: u16, text: String) {
        self.log(Exchange {
            function,
            status,
            text,
        });
    }
}

/// The answer in the ASN.1 binding.
pub(super) fn encode(request: &Request, outcome: &Outcome) -> Option<Response> {
    let refusal = match &outcome.response {
        Ok(response) => return response.clone(),
        Err(refusal) => i64::from(refusal.code),
    };
    Some(match request {
        Request::InitiateAuthenticationRequest(_) => Response::InitiateAuthenticationResponse(
            InitiateAuthenticationResponseEsipa::InitiateAuthenticationErrorEsipa(
                InitiateAuthenticationErrorEsipa::from_code(refusal),
            ),
        ),
        Request::AuthenticateClientRequest(_) => Response::AuthenticateClientResponseEs9(
            AuthenticateClientResponseEs9::AuthenticateClientError(
                AuthenticateClientErrorEsipa::from_code(refusal),
            ),
        ),
        Request::GetBoundProfilePackageRequest(_) => Response::GetBoundProfilePackageResponse(
            GetBoundProfilePackageResponseEsipa::GetBoundProfilePackageErrorEsipa(
                GetBoundProfilePackageErrorEsipa::from_code(refusal),
            ),
        ),
        Request::CancelSessionRequestEs9(_) => Response::CancelSessionResponseEs9(
            CancelSessionResponseEsipa::CancelSessionError(CancelSessionError::from_code(refusal)),
        ),
        Request::HandleNotification(_) => return None,
    })
}

async fn asn1(State(smdp): State<Smdp>, body: Bytes) -> http::Response<Body> {
    let request = match Request::from_der(&body) {
        Ok(request) => request,
        Err(e) => {
            smdp.written("", 400, format!("the body is no ES9+ message: {e}"));
            return respond(400, "", Vec::new());
        }
    };
    let name = json::function(&request);
    let outcome = smdp.in_background(request.clone()).await;
    let (status, body) = match encode(&request, &outcome) {
        Some(response) => match response.to_der() {
            Ok(der) => (200, der),
            Err(_) => (500, Vec::new()),
        },
        None => (204, Vec::new()),
    };
    smdp.written(name, status, outcome.text);
    respond(status, ASN1, body)
}

async fn as_json(
    State(smdp): State<Smdp>,
    Path(function): Path<String>,
    body: Bytes,
) -> http::Response<Body> {
    let read = serde_json::from_slice(&body)
        .map_err(|e| e.to_string())
        .map(|body| json::read_request(&function, &body));
    let request = match read {
        Ok(Some(Ok(request))) => request,
        Ok(None) => {
            smdp.written("", 404, "no such function".into());
            return respond(404, "", Vec::new());
        }
        Ok(Some(Err(e))) => {
            smdp.written("", 400, e.to_string());
            return respond(400, "", Vec::new());
        }
        Err(e) => {
            smdp.written("", 400, format!("the body is no JSON: {e}"));
            return respond(400, "", Vec::new());
        }
    };
    let name = json::function(&request);
    let outcome = smdp.in_background(request).await;
    let (status, body) = match &outcome.response {
        Ok(None) => (204, Vec::new()),
        Ok(Some(response)) => (200, json::write_response(Ok(response)).to_string().into()),
        Err(refusal) => (200, json::write_response(Err(refusal)).to_string().into()),
    };
    smdp.written(name, status, outcome.text);
    respond(status, JSON, body)
}
