//! Sessions as pages show them: their events, and the numbers of all their reports over time.
//!
//! | Request | Answer |
//! |---|---|
//! | `GET /api/sessions/{id}/view` | a view: the document below |
//! | `GET /api/sessions/{id}/live` | server-sent events: the view of an open session, and what is new |
//! | `POST /api/import` | the view of the dump that is the body; nothing is stored |
//! | `POST /api/import?store=true` | `{ "id": … }` of the session that the dump in the body has become, sent as `application/octet-stream` |
//!
//! # The document
//!
//! Times are Unix epoch milliseconds by the client's clock; what is not known is null.
//!
//! ```text
//! { "session": { "id", "state": "live" | "resumable" | "finished" | "imported", … },
//!   "startMs", "endMs",
//!   "features": { "jitsi", "rtcstats", "legacy" },      // the sets that there are
//!   "connections": [ { "id", "label", "times": [ms, …],
//!     "objects": [ { "id", "type", "kind", "label",
//!       "series": [ { "name", "unit", "of", "first", "values": [number | null, …] } ] } ] } ],
//!   "events": [ { "ms", "connection", "category", "name", "text", "detail" } ],
//!   "eventsOmitted": number, "isIncomplete": boolean }
//! ```
//!
//! `values[i]` belongs to `times[first + i]`; `of` is the counter of a series that is derived. What series,
//! categories and texts there are, and what bounds them, is in [`rtcstats_features::report_series`] and
//! [`rtcstats_features::timeline`].
//!
//! # While a session goes on
//!
//! `live` sends, at most once a second:
//!
//! - `view`: a whole view; first, and again when times were merged because there were too many.
//! - `update`: the same shape with what is new, and without `session`. Of a connection `from` is the index, among all its
//!   times, of the first one in `times`; series have their new values only, with `first` as an index among all times;
//!   objects and series are described as in a view. `features` are there when they changed, at most every five
//!   seconds.
//! - `end`: the session is over, or goes on at another node. Sent at once where it was over before.
//!
//! A stream that ends without `end`, as those do that are too slow or when the server stops, may be asked for again.
//!
//! # Limits
//!
//! [`AT_ONCE`] views are computed at a time, and as many imports; others wait for [`PATIENCE`] and are then answered with 503, as
//! are those who ask for more than [`LIVE_AT_ONCE`] live views. An import may have as many bytes as an upload, as they come
//! and decompressed; more are answered with 413. An export of webrtc-internals is in memory as a whole
//! meanwhile, of everything else only what the view has. After a minute of work a view has what was read by then, and is
//! incomplete. Answers are in memory until they are read: beyond 16 of them others are answered with 503, and one that is not
//! read within two minutes ends before its end. Errors are `{ "error": text }`.

mod answer;
mod document;
mod import;
mod live;
mod store;
mod work;

use std::io::{BufRead, BufReader};
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use rtcstats_proto::dump::decompress;
use rtcstats_server_core::{DumpName, RecordQuery};
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout};

use self::answer::document;
use self::document::ViewBuilder;
use self::work::Work;
use crate::server::api::{accepts_gzip, failure};
use crate::server::state::AppState;

pub(crate) use self::import::import;
pub(crate) use self::live::live;

/// Views computed at a time, and as many imports: each may take a core, and tens of megabytes. Imports that trickle
/// in keep out others only.
pub(crate) const AT_ONCE: usize = 4;

/// How long a view waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long it waits for the dump of a session that has just ended.
const ARCHIVE_PATIENCE: Duration = Duration::from_secs(3);

/// How long after its record was published the dump of a session may still be archived. Where there is none
/// later, it was removed.
const ARCHIVED_WITHIN: Duration = Duration::from_secs(10);

/// As many records may be published meanwhile.
const RECENT_RECORDS: usize = 256;

/// Views and imports that are computed, or in memory until they are read.
const ANSWERS_AT_ONCE: usize = 16;

/// Live views at a time; each keeps what it shows.
pub(crate) const LIVE_AT_ONCE: usize = 32;

/// Turns at computing views.
#[derive(Clone)]
pub(crate) struct Turns {
    views: Arc<Semaphore>,
    imports: Arc<Semaphore>,
    answers: Arc<Semaphore>,
    live: Arc<Semaphore>,
    folding: Arc<Semaphore>,
}

impl Default for Turns {
    fn default() -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        Self {
            views: Arc::new(Semaphore::new(AT_ONCE)),
            imports: Arc::new(Semaphore::new(AT_ONCE)),
            answers: Arc::new(Semaphore::new(ANSWERS_AT_ONCE)),
            live: Arc::new(Semaphore::new(LIVE_AT_ONCE)),
            folding: Arc::new(Semaphore::new(cores)),
        }
    }
}

impl Turns {
    /// A turn at a view; or the answer that there is none.
    async fn view(&self) -> Result<OwnedSemaphorePermit, Response> {
        let turn = timeout(PATIENCE, Arc::clone(&self.views).acquire_owned()).await;
        turn.ok()
            .and_then(Result::ok)
            .ok_or_else(|| too_many("too many views at a time"))
    }

    /// The same, at an import.
    async fn import(&self) -> Result<OwnedSemaphorePermit, Response> {
        let turn = timeout(PATIENCE, Arc::clone(&self.imports).acquire_owned()).await;
        turn.ok()
            .and_then(Result::ok)
            .ok_or_else(|| too_many("too many imports at a time"))
    }

    /// A place for an answer until it is read, if there is one.
    fn answer(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.answers).try_acquire_owned().ok()
    }

    /// A turn at folding what live views begin with: one for each core.
    async fn folding(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.folding).acquire_owned().await.ok()
    }

    fn live(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.live).try_acquire_owned().ok()
    }
}

fn too_many(error: &str) -> Response {
    failure(StatusCode::SERVICE_UNAVAILABLE, error)
}

/// `GET /api/sessions/{id}/view`
pub(crate) async fn view(
    State(state): State<AppState>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let Ok(name) = id.parse::<DumpName>() else {
        return failure(StatusCode::NOT_FOUND, "no such session");
    };
    let session = described(&state, &name).await;
    let dump = match opened(&state, &name).await {
        Ok(Some(dump)) => dump,
        Ok(None) => return failure(StatusCode::NOT_FOUND, "no such session"),
        Err(error) => return failure(StatusCode::INTERNAL_SERVER_ERROR, &error),
    };
    // Whoever asks for what there is not keeps nobody out.
    let turn = match state.turns.view().await {
        Ok(turn) => turn,
        Err(answer) => return answer,
    };
    let Some(place) = state.turns.answer() else {
        return too_many("too many answers are being read");
    };
    let is_compressed = accepts_gzip(&headers);
    let (mut work, _wanted) = Work::new();
    let computed = tokio::task::spawn_blocking(move || {
        let mut builder = ViewBuilder::new(&id);
        builder.read(dump, &mut work)?;
        if !work.is_wanted() {
            // Nobody gets the answer.
            return Ok(Vec::new());
        }
        let json = builder.view(&session).encode(is_compressed);
        drop(turn);
        json
    });
    match computed.await {
        Ok(Ok(json)) => document(json, is_compressed, place),
        Ok(Err(error)) => failure(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        Err(error) => failure(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// What is known of a session besides its lines.
async fn described(state: &AppState, name: &DumpName) -> Value {
    let open = state.runtime.session(name.session_id());
    if let Some(summary) = open.filter(|summary| summary.name == *name) {
        return serde_json::to_value(&summary).unwrap_or_default();
    }
    let mut session = json!({ "id": name.to_string(), "state": "finished" });
    let record = state.records.record(name).await.ok().flatten();
    let parts = record.map(|record| record.parts).unwrap_or_default();
    let facts = parts.into_iter().find(|part| part.part == "session");
    let facts = facts.and_then(|facts| serde_json::from_str(facts.json.get()).ok());
    if let (Some(session), Some(Value::Object(facts))) = (session.as_object_mut(), facts) {
        for (member, value) in facts {
            session.entry(member).or_insert(value);
        }
    }
    session
}

/// The lines of a session, wherever they are; waited for where it has just ended.
async fn opened(
    state: &AppState,
    name: &DumpName,
) -> Result<Option<Box<dyn BufRead + Send>>, String> {
    const PAUSE: Duration = Duration::from_millis(50);
    if let Some(dump) = look_up(state, name).await? {
        return Ok(Some(dump));
    }
    // Records are published first, and dumps archived after that.
    if !is_just_published(state, name).await {
        return Ok(None);
    }
    let deadline = Instant::now() + ARCHIVE_PATIENCE;
    while Instant::now() < deadline {
        sleep(PAUSE).await;
        if let Some(dump) = look_up(state, name).await? {
            return Ok(Some(dump));
        }
    }
    Ok(None)
}

/// Whether its record is so new that its dump may come yet.
async fn is_just_published(state: &AppState, name: &DumpName) -> bool {
    let query = RecordQuery::last(RECENT_RECORDS);
    let latest = state.records.latest(&query).await.unwrap_or_default();
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let oldest = now.unwrap_or_default().saturating_sub(ARCHIVED_WITHIN);
    latest
        .iter()
        .any(|entry| entry.name == *name && entry.modified_ms >= oldest.as_millis() as f64)
}

async fn look_up(
    state: &AppState,
    name: &DumpName,
) -> Result<Option<Box<dyn BufRead + Send>>, String> {
    // A dump is archived before it leaves the journal.
    if let Ok(dump) = state.runtime.open_dump(name).await {
        return Ok(Some(dump));
    }
    let dump = state.runtime.archive().open(name).await;
    let Some(dump) = dump.map_err(|error| error.to_string())? else {
        return Ok(None);
    };
    // It reads the first bytes, and archives are read by blocking.
    let dump = tokio::task::spawn_blocking(move || decompress(BufReader::new(dump))).await;
    let dump = dump.map_err(|error| error.to_string())?;
    dump.map(Some).map_err(|error| error.to_string())
}
