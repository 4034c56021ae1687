//! `/metrics`, for Prometheus.

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use crate::server::state::AppState;

/// Counters and gauges in Prometheus' text format.
pub(crate) async fn metrics(State(state): State<AppState>) -> Response {
    let (counters, gauges) = state.runtime.metrics().await;
    let mut text = counters.to_prometheus(gauges);
    text.push_str(&state.runtime.health().to_prometheus());
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}
