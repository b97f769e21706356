//! The web page: three files that are part of the program. What it shows it asks of the same
//! resources as everybody else, with the token that its user types in.

use super::Plain;
use axum::Router;
use axum::http::header;
use axum::routing::get;

/// Nothing from elsewhere, no script in the page itself: a name that an eUICC gave can't become code.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; form-action 'none'; frame-ancestors 'none'; base-uri 'none'";

const FILES: [(&str, &str, &str); 3] = [
    ("/", "text/html; charset=utf-8", include_str!("page.html")),
    (
        "/page.js",
        "text/javascript; charset=utf-8",
        include_str!("page.js"),
    ),
    (
        "/page.css",
        "text/css; charset=utf-8",
        include_str!("page.css"),
    ),
];

pub(super) fn router() -> Plain {
    FILES
        .into_iter()
        .fold(Router::new(), |router, (path, kind, text)| {
            let headers = [
                (header::CONTENT_TYPE, kind),
                (header::CONTENT_SECURITY_POLICY, POLICY),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
                (header::CACHE_CONTROL, "no-cache"),
                (header::REFERRER_POLICY, "no-referrer"),
            ];
            router.route(path, get(async move || (headers, text)))
        })
}
