//! Deletes what is kept of a user, a conference or a session.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rtcstats_proto::jitsi::SessionId;
use rtcstats_server_core::Selection;
use serde::Deserialize;
use serde_json::json;

use crate::server::api::failure;
use crate::server::state::AppState;

/// Whose data.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ErasureQuery {
    user: Option<String>,
    conference: Option<String>,
    session: Option<String>,
}

impl ErasureQuery {
    fn selection(self) -> Option<Selection> {
        match (self.user, self.conference, self.session) {
            (Some(user), None, None) if !user.is_empty() => Some(Selection::User(user)),
            (None, Some(conference), None) if !conference.is_empty() => {
                Some(Selection::Conference(conference))
            }
            (None, None, Some(session)) => SessionId::new(&session).ok().map(Selection::Session),
            _ => None,
        }
    }
}

/// `DELETE /api/data?user=…`, `?conference=…` or `?session=…`: everything that is kept of these sessions, with a
/// report. 200 if all is gone; 500 if something is left, which the next call does.
pub(crate) async fn erase(
    State(state): State<AppState>,
    headers: HeaderMap,
    query: Result<Query<ErasureQuery>, QueryRejection>,
) -> Response {
    let Some(token) = &state.admin_token else {
        return failure(StatusCode::NOT_FOUND, "the server has no --admin-token");
    };
    if !is_bearer(&headers, token) {
        return failure(
            StatusCode::UNAUTHORIZED,
            "the bearer token is missing or wrong",
        );
    }
    let selection = query.ok().and_then(|query| query.0.selection());
    let Some(selection) = selection else {
        let usage = "one of ?user=, ?conference= and ?session= is wanted";
        return failure(StatusCode::BAD_REQUEST, usage);
    };
    // Whoever asked may have gone: what was begun is done.
    let erasing = tokio::spawn(async move { state.runtime.erase(&selection).await });
    let Ok(report) = erasing.await else {
        return failure(
            StatusCode::INTERNAL_SERVER_ERROR,
            "deleting was interrupted",
        );
    };
    let is_complete = report.is_complete();
    let status = if is_complete {
        StatusCode::OK
    } else {
        StatusCode::INTERNAL_SERVER_ERROR
    };
    let answer = json!({ "complete": is_complete, "report": report });
    (status, Json(answer)).into_response()
}

fn is_bearer(headers: &HeaderMap, token: &str) -> bool {
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    given.is_some_and(|given| is_same(given, token.as_bytes()))
}

/// Compares in a time that does not tell how much is the same.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let differences = one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b));
    one.len() == other.len() && std::hint::black_box(differences) == 0
}
