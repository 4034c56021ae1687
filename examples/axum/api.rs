//! The JSON API.

use std::io::Read;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::read::MultiGzDecoder;
use rtcstats_server_core::{DumpName, RecordPart};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::server::state::AppState;

/// `GET /api/sessions/{id}`: the features as of now, or of the whole session when it is over.
pub(crate) async fn session(State(state): State<AppState>, Path(id): Path<String>) -> Response {
    match find(&state, &id).await {
        Some(session) => Json(session).into_response(),
        None => failure(StatusCode::NOT_FOUND, "no such session"),
    }
}

/// A session with its features.
async fn find(state: &AppState, id: &str) -> Option<Value> {
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
    let record = state.records.record(&name).await.ok()??;
    let mut session = json!({ "id": id, "state": "finished" });
    let members = session.as_object_mut()?;
    for RecordPart { part, json } in record.parts {
        let value = serde_json::from_str(json.get()).unwrap_or_default();
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

pub(crate) fn accepts_gzip(headers: &HeaderMap) -> bool {
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

pub(crate) fn failure(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
}

fn to_value<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}
