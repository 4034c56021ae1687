//! The JSON API.

use std::io::Read;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::read::MultiGzDecoder;
use rtcstats_server_core::DumpName;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::state::AppState;

/// Finished sessions listed at once, unless asked for another number.
const DEFAULT_LIMIT: usize = 1_000;

/// What can be asked of the list.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListQuery {
    limit: Option<usize>,
    user: Option<String>,
    conference: Option<String>,
    session: Option<String>,
    client_id: Option<String>,
    peer_id: Option<String>,
}

impl ListQuery {
    fn is_filter(&self) -> bool {
        let wanted = [
            &self.user,
            &self.conference,
            &self.session,
            &self.client_id,
            &self.peer_id,
        ];
        wanted.into_iter().any(Option::is_some)
    }

    /// Whether the facts of a session are what is asked for.
    fn matches(&self, facts: &Value) -> bool {
        let is = |name: &str, wanted: &Option<String>| {
            wanted
                .as_deref()
                .is_none_or(|wanted| facts.get(name).and_then(Value::as_str) == Some(wanted))
        };
        let has_peer = |wanted: &str| {
            let peers = facts.get("peerIds").and_then(Value::as_array);
            peers.is_some_and(|peers| peers.iter().any(|peer| peer.as_str() == Some(wanted)))
        };
        is("user", &self.user)
            && is("conference", &self.conference)
            && is("session", &self.session)
            && is("clientId", &self.client_id)
            && self.peer_id.as_deref().is_none_or(has_peer)
    }
}

/// `GET /api/sessions?limit=…`: sessions that are open, then the finished ones, the latest first; only
/// those of a `user`, `conference`, `session`, `clientId` or `peerId`, where they are given.
pub(crate) async fn sessions(
    State(state): State<AppState>,
    Query(query): Query<ListQuery>,
) -> Response {
    match list(&state, query).await {
        Ok(sessions) => Json(json!({ "sessions": sessions })).into_response(),
        Err(error) => failure(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// Open and finished sessions. A filter has to read the records one by one: fine for thousands of
/// them, and what a sink into a database is for beyond.
async fn list(state: &AppState, query: ListQuery) -> std::io::Result<Vec<Value>> {
    let open = state.runtime.sessions();
    let mut sessions: Vec<Value> = open.iter().map(to_value).collect();
    sessions.retain(|session| query.matches(session));
    let records = state.records.clone();
    let finished = tokio::task::spawn_blocking(move || {
        let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
        if !query.is_filter() {
            return records.latest(limit);
        }
        let mut found = records.latest(usize::MAX)?;
        found.retain(|entry| {
            let record = records.read(&entry.name).ok().flatten();
            let facts = record.as_ref().and_then(|record| record.get("session"));
            facts.is_some_and(|facts| query.matches(facts))
        });
        found.truncate(limit);
        Ok(found)
    });
    sessions.extend(finished.await??.iter().map(|record| {
        json!({ "id": record.name, "state": "finished", "finishedMs": record.modified_ms.round() as u64 })
    }));
    Ok(sessions)
}

/// The sessions of the page.
pub(crate) async fn latest(state: &AppState, limit: usize) -> std::io::Result<Vec<Value>> {
    let query = ListQuery {
        limit: Some(limit),
        ..ListQuery::default()
    };
    list(state, query).await
}

/// `GET /api/sessions/{id}`: the features as of now, or of the whole session when it is over.
pub(crate) async fn session(State(state): State<AppState>, Path(id): Path<String>) -> Response {
    match find(&state, &id).await {
        Some(session) => Json(session).into_response(),
        None => failure(StatusCode::NOT_FOUND, "no such session"),
    }
}

/// A session with its features.
pub(crate) async fn find(state: &AppState, id: &str) -> Option<Value> {
    let name: DumpName = id.parse().ok()?;
    if let Some(summary) = state
        .runtime
        .session(name.session_id())
        .filter(|summary| summary.name == name)
    {
        let mut session = to_value(&summary);
        let features = state
            .runtime
            .snapshot(&name)
            .await
            .map(|features| to_value(&features));
        if let (Some(session), Some(Value::Object(features))) = (session.as_object_mut(), features)
        {
            session.extend(features);
        }
        return Some(session);
    }
    let records = state.records.clone();
    let parts = tokio::task::spawn_blocking(move || records.read(&name))
        .await
        .ok()?
        .ok()??;
    let mut session = json!({ "id": id, "state": "finished" });
    let members = session.as_object_mut()?;
    for (part, value) in parts {
        match (part.as_str(), value) {
            ("features" | "session", Value::Object(value)) => members.extend(value),
            (_, value) => {
                members.insert(part, value);
            }
        }
    }
    Some(session)
}

/// `GET /api/sessions/{id}/dump`: the dump as text, one JSON value a line.
pub(crate) async fn dump(
    State(state): State<AppState>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let Ok(name) = id.parse::<DumpName>() else {
        return failure(StatusCode::NOT_FOUND, "no such session");
    };
    if let Ok(dump) = state.runtime.open_dump(&name).await {
        return stream(dump, None);
    }
    match state.runtime.archive().open(&name).await {
        Ok(Some(dump)) if accepts_gzip(&headers) => stream(dump, Some("gzip")),
        Ok(Some(dump)) => stream(MultiGzDecoder::new(dump), None),
        Ok(None) => failure(StatusCode::NOT_FOUND, "no such session"),
        Err(error) => failure(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok());
    accepted.is_some_and(|accepted| accepted.contains("gzip"))
}

/// Streams something that is read by blocking.
fn stream(mut source: impl Read + Send + 'static, encoding: Option<&'static str>) -> Response {
    const CHUNK_BYTES: usize = 64 << 10;
    let (sender, receiver) = mpsc::channel::<std::io::Result<Vec<u8>>>(4);
    tokio::task::spawn_blocking(move || {
        loop {
            let mut chunk = Vec::with_capacity(CHUNK_BYTES);
            let read = source
                .by_ref()
                .take(CHUNK_BYTES as u64)
                .read_to_end(&mut chunk);
            let last = !matches!(read, Ok(length) if length > 0);
            if (read.is_err() || !last) && sender.blocking_send(read.map(|_| chunk)).is_err() {
                return;
            }
            if last {
                return;
            }
        }
    });
    let chunks = futures_util::stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|chunk| (chunk, receiver))
    });
    let mut response = Body::from_stream(chunks).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/x-ndjson"),
    );
    if let Some(encoding) = encoding {
        headers.insert(
            header::CONTENT_ENCODING,
            header::HeaderValue::from_static(encoding),
        );
    }
    response
}

/// `/healthcheck`, as load balancers of existing servers ask it: by any method but `POST`, without a
/// query.
pub(crate) async fn health_check(request: Request) -> StatusCode {
    if request.method() == Method::POST || request.uri().query().is_some() {
        StatusCode::NOT_FOUND
    } else {
        StatusCode::OK
    }
}

/// `GET /healthz`: 200 while the journal takes what it is given, 503 otherwise.
pub(crate) async fn health(State(state): State<AppState>) -> Response {
    if state.runtime.is_healthy() {
        Json(json!({ "status": "ok" })).into_response()
    } else {
        failure(StatusCode::SERVICE_UNAVAILABLE, "the journal fails")
    }
}

fn failure(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
}

fn to_value<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}
