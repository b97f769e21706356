//! The management interface: what an operator, a script or the web page asks of the eIM, as REST over
//! HTTP with JSON, on an address of its own.
//!
//! Everything but the page itself and the OpenAPI document takes the bearer token. The document is
//! made from the handlers and types below, so that it says what they do.
//!
//! | room | holds |
//! | --- | --- |
//! | `routes` | the resources and what can be done with them |
//! | `forms` | bodies of requests, lists of answers |
//! | `problem` | errors, as RFC 9457 has them |
//! | `page` | the web page's files |

mod forms;
mod page;
mod problem;
mod routes;
#[cfg(test)]
mod tests;

pub use crate::web::{Token, TokenError};

use super::{Eim, EimError, ServerHandle};
use crate::web;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use problem::Problem;
use std::net::SocketAddr;
use std::sync::Arc;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;

/// Where the resources are.
pub const API: &str = "/api/v1";
/// Where the OpenAPI document is.
pub const DOCUMENT: &str = "/api/v1/openapi.json";

/// The largest body that a request may have.
const BODY_LIMIT: usize = 64 * 1024;

/// What the handlers work with.
#[derive(Clone)]
struct Manager {
    eim: Eim,
    token: Arc<Token>,
}

impl Eim {
    /// Serves the management interface on this address (port 0: any free one), over TLS if the eIM has
    /// a certificate for it. Without, an address that isn't loopback is refused unless `insecure`: the
    /// token would be on the wire.
    ///
    /// # Errors
    /// [`EimError::NotLoopback`], or [`EimError::Listen`] if the address can't be had.
    pub fn manage(
        &self,
        address: SocketAddr,
        token: Token,
        insecure: bool,
    ) -> Result<ServerHandle, EimError> {
        let options = &self.inner.options;
        if options.tls.is_none() && !insecure && !address.ip().is_loopback() {
            return Err(EimError::NotLoopback(address));
        }
        let manager = Manager {
            eim: self.clone(),
            token: Arc::new(token),
        };
        let (resources, document) = routes::all().split_for_parts();
        let document = Arc::new(described(document));
        let app = resources
            .layer(from_fn_with_state(manager.clone(), only_with_token))
            .merge(page::router())
            .route(
                DOCUMENT,
                get(move || {
                    let document = document.clone();
                    async move { axum::Json(document.as_ref().clone()) }
                }),
            )
            .fallback(async || Problem::not_found("there is no such resource"))
            .method_not_allowed_fallback(async || {
                Problem::new(405, "the resource has no such method")
            })
            .layer(DefaultBodyLimit::max(BODY_LIMIT));
        web::serve(
            "eim-manage",
            address,
            options.idle_timeout,
            options.tls.as_ref(),
            app.with_state(manager),
        )
        .map_err(|source| EimError::Listen { address, source })
    }
}

/// The OpenAPI document of the management interface.
pub fn document() -> OpenApi {
    let router: OpenApiRouter<Manager> = routes::all();
    described(router.split_for_parts().1)
}

fn described(mut document: OpenApi) -> OpenApi {
    document.info.title = "Lab eIM".into();
    document.info.version = env!("CARGO_PKG_VERSION").into();
    document.info.description = Some(
        "Manages the profiles of eUICCs whose IPA polls this eIM (GSMA SGP.32): push, enable and \
         switch, disable, delete, inventory. Operations wait for their device, in order, until it \
         polls; what a result says counts once the eUICC's signature is verified."
            .into(),
    );
    document.info.license = Some(
        utoipa::openapi::LicenseBuilder::new()
            .name("MIT OR Apache-2.0")
            .build(),
    );
    document
        .components
        .get_or_insert_default()
        .add_security_scheme(
            "token",
            SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)),
        );
    document
}

/// Turns away whoever doesn't hold the token.
async fn only_with_token(State(manager): State<Manager>, request: Request, next: Next) -> Response {
    if manager.token.opens(request.headers()) {
        return next.run(request).await;
    }
    Problem::new(
        401,
        "expected the header Authorization: Bearer TOKEN with the token of this eIM",
    )
    .into_response()
}

/// An application without state of its own.
type Plain = Router<Manager>;
