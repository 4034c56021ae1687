//! Whether the server lives, and whether it should get clients.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::server::state::AppState;

/// `GET /healthz`: 200 while new clients should come here, 503 otherwise, each with what is not as it should be.
/// With the query `live`: 200, as `/livez`.
pub(crate) async fn health(State(state): State<AppState>, request: Request) -> Response {
    if request.uri().query() == Some("live") {
        return live().await;
    }
    let health = state.runtime.health();
    let status = if health.is_ready() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(health)).into_response()
}

/// `GET /livez`: 200 as long as the process answers. To be restarted for what its stores do would not help.
pub(crate) async fn live() -> Response {
    Json(json!({ "status": "alive" })).into_response()
}

/// `/healthcheck`, as load balancers of existing servers ask it: by any method but `POST`, without a
/// query.
pub(crate) async fn check(request: Request) -> StatusCode {
    if request.method() == Method::POST || request.uri().query().is_some() {
        StatusCode::NOT_FOUND
    } else {
        StatusCode::OK
    }
}
