//! Pages of any host may use the API, as they could that of rtcscope.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Answers preflight requests, and says in all other answers that any page may read them.
pub(crate) async fn allow(request: Request, next: Next) -> Response {
    const ANY: HeaderValue = HeaderValue::from_static("*");
    let is_preflight = request.method() == Method::OPTIONS;
    let mut response = if is_preflight {
        preflight(request.headers())
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, ANY);
    response
}

fn preflight(request: &HeaderMap) -> Response {
    let wanted = request.get(header::ACCESS_CONTROL_REQUEST_HEADERS);
    let fallback = HeaderValue::from_static("content-type");
    let headers = [
        (
            header::ACCESS_CONTROL_ALLOW_METHODS,
            HeaderValue::from_static("GET, POST, OPTIONS"),
        ),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            wanted.cloned().unwrap_or(fallback),
        ),
        (
            header::ACCESS_CONTROL_MAX_AGE,
            HeaderValue::from_static("86400"),
        ),
        (
            header::VARY,
            HeaderValue::from_static("access-control-request-headers"),
        ),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}
