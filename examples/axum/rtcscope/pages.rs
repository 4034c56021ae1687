//! Pages with live graphs.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::ScopeState;
use crate::server::page::page;

/// `GET /dashboard`: the main series.
pub(super) async fn dashboard() -> Response {
    page("/dashboard", "Graphs", "dashboard.js")
}

/// `GET /graph/{name}/`: one series.
pub(super) async fn graph(State(state): State<ScopeState>, Path(name): Path<String>) -> Response {
    match state.scope.names.find(&name) {
        // The title is one of the table, or a name of letters.
        Some(series) => page("/graph", series.title, "graph.js"),
        None => (
            StatusCode::NOT_FOUND,
            page("/graph", "No such graph", "graph.js"),
        )
            .into_response(),
    }
}

/// Where no points are kept: the menu of the pages leads here all the same.
pub(super) async fn absent() -> (StatusCode, &'static str) {
    let reason = "no points of calls are kept here: --scope-store says where they go\n";
    (StatusCode::NOT_FOUND, reason)
}
