//! Errors as `application/problem+json` (RFC 9457).

use super::super::EimError;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// Why a request wasn't done.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Problem {
    /// The HTTP status.
    status: u16,
    /// The status in words.
    title: String,
    /// What was expected, what came, what to do.
    detail: String,
}

impl Problem {
    pub(super) fn new(status: u16, detail: impl Into<String>) -> Self {
        let title = StatusCode::from_u16(status)
            .ok()
            .and_then(|status| status.canonical_reason());
        Problem {
            status,
            title: title.unwrap_or("Error").to_owned(),
            detail: detail.into(),
        }
    }

    /// The request can't be read.
    pub(super) fn bad(detail: impl Into<String>) -> Self {
        Self::new(400, detail)
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(404, detail)
    }

    /// The request is good, and what is there doesn't allow it.
    pub(super) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(409, detail)
    }
}

impl From<EimError> for Problem {
    fn from(error: EimError) -> Self {
        match error {
            EimError::Operation { .. } | EimError::Mixed(_) | EimError::Pki(_) => {
                Problem::new(422, error.to_string())
            }
            error => Problem::new(500, error.to_string()),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"eim\""),
            );
        }
        response
    }
}
