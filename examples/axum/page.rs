//! A plain page: which sessions there are, and what is known of each.

#![expect(
    clippy::indexing_slicing,
    reason = "an index into a JSON value yields null where there is nothing"
)]

use std::fmt::Write as _;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use serde_json::Value;

use crate::api;
use crate::state::AppState;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;\
color-scheme:light dark}table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem;\
border-bottom:1px solid #8884}pre{overflow:auto;background:#8882;padding:1rem}code{font-size:.95em}";

/// Finished sessions shown on the page.
const SHOWN: usize = 200;

/// `GET /`: the sessions, each with what matters most of its features.
pub(crate) async fn index(State(state): State<AppState>) -> Response {
    let sessions = match api::latest(&state, SHOWN).await {
        Ok(sessions) => sessions,
        Err(error) => {
            return (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response();
        }
    };
    let mut body = String::from("<h1>rtcstats</h1>");
    if sessions.is_empty() {
        body.push_str("<p>No session yet. Point a client at this address.</p>");
    }
    body.push_str(
        "<table><tr><th>Session<th>State<th>Client<th>Conference<th>Browser<th>Events<th>Duration\
         <th>Connections<th>Round trip<th>Dump</tr>",
    );
    for session in sessions.iter().take(SHOWN) {
        let id = session["id"].as_str().unwrap_or_default();
        let session = api::find(&state, id).await.unwrap_or_default();
        write_row(id, &session, &mut body);
    }
    body.push_str("</table><p><a href=\"/metrics\">Metrics</a></p>");
    page("rtcstats", &body)
}

fn write_row(id: &str, session: &Value, body: &mut String) {
    let (id, features) = (escape(id), &session["features"]);
    let seconds = features["metrics"]["sessionDurationMs"]
        .as_f64()
        .map(|ms| (ms / 1000.0).round());
    let connections = features["aggregates"].as_object();
    let round_trips = connections
        .into_iter()
        .flat_map(|all| all.values())
        .filter_map(|pc| {
            let seconds = pc["transportAggregates"]["meanRtt"].as_f64()?;
            (seconds > 0.0).then(|| format!("{} ms", (seconds * 1000.0).round()))
        });
    let round_trips: Vec<String> = round_trips.collect();
    // Writing to a String cannot fail.
    let _ = write!(
        body,
        "<tr><td><a href=\"/sessions/{id}\"><code>{id}</code></a><td>{}<td>{}<td>{}<td>{}<td>{}<td>{}<td>{}<td>{}\
         <td><a href=\"/api/sessions/{id}/dump\">dump</a></tr>",
        text(&session["state"]),
        text(either(
            &session["dumpMetadata"]["clientType"],
            &session["generation"]
        )),
        text(either(
            &session["dumpMetadata"]["conferenceId"],
            &session["conference"]
        )),
        text(&features["browserInfo"]["nameVersionOs"]),
        text(&session["events"]),
        seconds
            .map(|seconds| format!("{seconds} s"))
            .unwrap_or_default(),
        connections
            .map(|all| all.len().to_string())
            .unwrap_or_default(),
        round_trips.join(", "),
    );
}

/// `GET /sessions/{id}`: one session with its features.
pub(crate) async fn session(State(state): State<AppState>, Path(id): Path<String>) -> Response {
    let Some(session) = api::find(&state, &id).await else {
        return (StatusCode::NOT_FOUND, Html("<p>No such session.</p>")).into_response();
    };
    let id = escape(&id);
    let json = serde_json::to_string_pretty(&session).unwrap_or_default();
    let body = format!(
        "<p><a href=\"/\">All sessions</a></p><h1><code>{id}</code></h1><p>{} · \
         <a href=\"/api/sessions/{id}\">JSON</a> · <a href=\"/api/sessions/{id}/dump\">Dump</a></p>\
         <pre>{}</pre>",
        text(&session["state"]),
        escape(&json),
    );
    page(&id, &body)
}

fn page(title: &str, body: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{title}</title><style>{STYLE}</style>{body}</html>"
    );
    Html(html).into_response()
}

fn either<'a>(value: &'a Value, other: &'a Value) -> &'a Value {
    if value.is_null() { other } else { value }
}

/// A value as text for a page; nothing for what is absent.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => escape(text),
        other => escape(&other.to_string()),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
