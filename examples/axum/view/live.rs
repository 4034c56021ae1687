//! Views of sessions that go on, as server-sent events.

use std::convert::Infallible;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use rtcstats_features::report_series::Extent;
use rtcstats_server_core::{DumpName, FollowError, Follower};
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until, timeout};

use super::document::{Told, ViewBuilder};
use super::{described, opened};
use crate::server::api::failure;
use crate::server::state::AppState;

/// The least time between two events.
const PAUSE: Duration = Duration::from_secs(1);

/// The least time between two times that features are looked at.
const FEATURES_PAUSE: Duration = Duration::from_secs(5);

/// How long a reader may take over an event.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two comments that keep the connection open: the listener takes silence of `--request-patience`, by
/// default 10 s, for a client that is gone.
const KEEP_ALIVE: Duration = Duration::from_secs(4);

/// Bytes of lines that are folded at once.
const BATCH_BYTES: usize = 1 << 20;

/// `GET /api/sessions/{id}/live`
pub(crate) async fn live(State(state): State<AppState>, Path(id): Path<String>) -> Response {
    let Ok(name) = id.parse::<DumpName>() else {
        return failure(StatusCode::NOT_FOUND, "no such session");
    };
    let Some(turn) = state.turns.live() else {
        return failure(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many live views at a time",
        );
    };
    let (events, stream) = mpsc::channel(2);
    let keep_alive = KEEP_ALIVE.min(state.request_patience / 3);
    match state.runtime.follow(&name).await {
        Ok(follower) => {
            let view = LiveView {
                state,
                id,
                name,
                events,
                builder: None,
                told: None,
                features_at: Instant::now(),
                _turn: turn,
            };
            tokio::spawn(view.run(follower));
        }
        Err(FollowError::Unknown) => match opened(&state, &name).await {
            // It is over, or another node's.
            Ok(Some(_)) => drop(events.try_send(over())),
            Ok(None) => return failure(StatusCode::NOT_FOUND, "no such session"),
            Err(error) => return failure(StatusCode::INTERNAL_SERVER_ERROR, &error),
        },
        Err(error @ (FollowError::TooMany | FollowError::Stopped)) => {
            return failure(StatusCode::SERVICE_UNAVAILABLE, &error.to_string());
        }
        Err(error) => return failure(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
    let stream = futures_util::stream::unfold(stream, |mut stream| async {
        let event: Event = stream.recv().await?;
        Some((Ok::<_, Infallible>(event), stream))
    });
    Sse::new(stream)
        .keep_alive(KeepAlive::new().interval(keep_alive))
        .into_response()
}

/// The view of one reader.
struct LiveView {
    state: AppState,
    id: String,
    name: DumpName,
    events: mpsc::Sender<Event>,
    /// Not there while a thread has it.
    builder: Option<Box<ViewBuilder>>,
    told: Option<Told>,
    /// When features were looked at.
    features_at: Instant,
    _turn: OwnedSemaphorePermit,
}

/// What happens next.
enum Step {
    Lines(String),
    Send,
    Over,
}

impl LiveView {
    /// Sends events until the session is over, or the reader gone.
    async fn run(mut self, mut follower: Follower) {
        let mut lines = String::new();
        let mut due = Instant::now();
        let mut is_news = true;
        loop {
            let may_send = is_news && follower.is_current();
            let step = tokio::select! {
                // What there is first, so that the first view has all of it.
                biased;
                () = self.events.closed() => return,
                () = sleep_until(due), if may_send => Step::Send,
                next = follower.next() => match next {
                    Ok(Some(next)) => Step::Lines(next),
                    Ok(None) => Step::Over,
                    Err(error) => {
                        // The reader asks again.
                        tracing::debug!(session = %self.name, %error, "live view ends");
                        return;
                    }
                },
            };
            let is_sent = match step {
                Step::Lines(next) => {
                    lines.push_str(&next);
                    is_news = true;
                    if lines.len() < BATCH_BYTES {
                        continue;
                    }
                    self.fold(std::mem::take(&mut lines), What::Nothing).await
                }
                Step::Send => {
                    is_news = false;
                    due = Instant::now() + PAUSE;
                    let what = self.what().await;
                    self.fold(std::mem::take(&mut lines), what).await
                }
                Step::Over => {
                    let session = described(&self.state, &self.name).await;
                    let lines = std::mem::take(&mut lines);
                    let is_sent = self.fold(lines, What::Rest(session, now())).await;
                    // The reader may have gone.
                    let _ = is_sent && self.send(over()).await;
                    return;
                }
            };
            if !is_sent {
                return;
            }
        }
    }

    /// What is to be sent now.
    async fn what(&mut self) -> What {
        let is_time = self.features_at.elapsed() >= FEATURES_PAUSE;
        if is_time {
            self.features_at = Instant::now();
        }
        let session = described(&self.state, &self.name).await;
        What::News(session, is_time, now())
    }

    /// Takes lines and computes what is to be sent, on a thread that may take its time, and sends it;
    /// whether there is still somebody to send to.
    async fn fold(&mut self, lines: String, what: What) -> bool {
        // What there is at first may be much; what comes later is little at a time.
        let turn = match self.told {
            Some(_) => None,
            None => match self.turn().await {
                Some(turn) => Some(turn),
                None => return false,
            },
        };
        let builder = self.builder.take();
        let mut builder = builder.unwrap_or_else(|| Box::new(ViewBuilder::new(&self.id)));
        let mut told = self.told.take();
        let computed = spawn_blocking(move || {
            builder.push(&lines);
            let messages = messages(&builder, &mut told, &what);
            drop(turn);
            (builder, told, messages)
        });
        let Ok((builder, told, messages)) = computed.await else {
            return false;
        };
        self.builder = Some(builder);
        self.told = told;
        if let Some((name, json)) = messages {
            let event = Event::default().event(name).data(json);
            if !self.send(event).await {
                return false;
            }
        }
        true
    }

    /// A turn at folding, waited for as long as somebody reads: turns are short, and come in order. `None` if
    /// nobody does.
    async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        tokio::select! {
            () = self.events.closed() => None,
            turn = self.state.turns.folding() => turn,
        }
    }

    async fn send(&self, event: Event) -> bool {
        matches!(timeout(PATIENCE, self.events.send(event)).await, Ok(Ok(())))
    }
}

/// What is to be sent; with the time in Unix epoch milliseconds.
enum What {
    Nothing,
    /// What is new, with the features or without; a view of this session, if nothing was told or times
    /// were merged since.
    News(Value, bool, f64),
    /// The same, up to the end, with the features.
    Rest(Value, f64),
}

/// Names and data of events.
fn messages(
    builder: &ViewBuilder,
    told: &mut Option<Told>,
    what: &What,
) -> Option<(&'static str, String)> {
    let (session, extent, has_features, now) = match what {
        What::Nothing => return None,
        What::News(session, has_features, now) => (session, Extent::Full, *has_features, *now),
        What::Rest(session, now) => (session, Extent::All, true, *now),
    };
    if let Some(told) = told
        && !builder.is_other(told)
    {
        let news = builder.news(told, extent, has_features.then_some(now))?;
        return Some(("update", news.to_json().ok()?));
    }
    let (view, begun) = builder.begin(session, extent, now);
    *told = Some(begun);
    Some(("view", view.to_json().ok()?))
}

/// The session is over.
fn over() -> Event {
    Event::default().event("end").data("{}")
}

/// Unix epoch milliseconds.
fn now() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0.0, |now| now.as_millis() as f64)
}
