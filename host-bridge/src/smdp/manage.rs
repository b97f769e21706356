//! Ordering over the network: `/orders` and `/notifications`, for who has the token. Without one there is no such path.

use super::form::OrderForm;
use super::{Smdp, SmdpError};
use crate::web::{Token, respond};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::{HeaderValue, Response, header};
use axum::middleware::{self, Next};
use axum::routing::get;
use serde::Serialize;
use serde_json::json;

/// Largest order in bytes: a package of a megabyte, in base64.
const LARGEST: usize = 1_500_000;
const JSON: &str = "application/json";

/// The routes, behind the token.
pub(super) fn routes(token: Token) -> Router<Smdp> {
    Router::new()
        .route("/orders", get(list).post(place))
        .route("/orders/{matching_id}", get(one).delete(cancel))
        .route("/notifications", get(notifications))
        .layer(DefaultBodyLimit::max(LARGEST))
        .layer(middleware::from_fn_with_state(token, guard))
}

async fn guard(State(token): State<Token>, request: Request, next: Next) -> Response<Body> {
    if token.opens(request.headers()) {
        return next.run(request).await;
    }
    let mut refused = problem(401, "the token is missing or wrong");
    let scheme = HeaderValue::from_static("Bearer");
    refused
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, scheme);
    refused
}

fn problem(status: u16, text: impl ToString) -> Response<Body> {
    respond(
        status,
        JSON,
        json!({ "error": text.to_string() }).to_string().into(),
    )
}

fn answer<T: Serialize>(status: u16, result: Result<T, SmdpError>) -> Response<Body> {
    match result {
        Ok(value) => match serde_json::to_vec(&value) {
            Ok(body) => respond(status, JSON, body),
            Err(e) => problem(500, e),
        },
        Err(SmdpError::Order(text)) => problem(409, text),
        Err(_) => problem(500, "the SM-DP+ can't use its database"),
    }
}

/// The database is no work for the thread that serves the sockets.
async fn background<T: Send + 'static>(
    smdp: Smdp,
    work: impl FnOnce(Smdp) -> Result<T, SmdpError> + Send + 'static,
) -> Result<T, SmdpError> {
    tokio::task::spawn_blocking(move || work(smdp))
        .await
        .unwrap_or_else(|e| Err(SmdpError::Order(e.to_string())))
}

async fn place(State(smdp): State<Smdp>, body: Bytes) -> Response<Body> {
    let form: OrderForm = match serde_json::from_slice(&body) {
        Ok(form) => form,
        Err(e) => return problem(400, format!("the order can't be read: {e}")),
    };
    answer(201, background(smdp, |smdp| smdp.place(form)).await)
}

async fn list(State(smdp): State<Smdp>) -> Response<Body> {
    answer(200, background(smdp, |smdp| smdp.orders()).await)
}

async fn one(State(smdp): State<Smdp>, Path(id): Path<String>) -> Response<Body> {
    match background(smdp, |smdp| smdp.orders()).await {
        Ok(orders) => match orders.into_iter().find(|order| order.matching_id == id) {
            Some(order) => answer(200, Ok(order)),
            None => problem(404, format!("there is no order {id}")),
        },
        Err(e) => answer::<()>(200, Err(e)),
    }
}

async fn cancel(State(smdp): State<Smdp>, Path(id): Path<String>) -> Response<Body> {
    let done = background(smdp, move |smdp| smdp.cancel(&id)).await;
    answer(200, done.map(|()| json!({ "state": "cancelled" })))
}

async fn notifications(State(smdp): State<Smdp>) -> Response<Body> {
    answer(200, background(smdp, |smdp| smdp.notifications()).await)
}
