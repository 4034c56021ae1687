//! Open sessions as rows of the list.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rtcstats_server_core::{
    DumpName, Identifiers, RecordOptions, RecordQuery, RecordRow, Runtime, SearchText,
    SessionFeatures, SessionRecord, SessionState, SessionSummary,
};
use serde_json::Value;
use tokio::task::spawn_blocking;

use super::{Wanted, members};

/// What features say is asked for again after this time.
const FRESH: Duration = Duration::from_secs(5);

/// Sessions whose features are asked for at a request, so that many open ones cost no more.
const AT_ONCE: usize = 64;

/// How long a request waits for features.
const PATIENCE: Duration = Duration::from_millis(250);

/// What the features of open sessions say, as of the last time somebody looked at the list: their rows,
/// some hundred bytes for each session that is open.
#[derive(Default)]
pub(crate) struct OpenSessions {
    known: Mutex<HashMap<DumpName, Known>>,
    /// One request at a time asks for features; the others do with what is known.
    asking: tokio::sync::Mutex<()>,
}

struct Known {
    row: RecordRow,
    text: SearchText,
    /// When its features were asked for; they are not in the row before.
    asked: Option<Instant>,
}

/// An open session in the list.
pub(super) struct OpenSession {
    summary: SessionSummary,
    pub(super) row: RecordRow,
    text: SearchText,
}

impl OpenSessions {
    /// All open sessions, in no order.
    pub(super) async fn list(&self, runtime: &Runtime) -> Vec<OpenSession> {
        let summaries = runtime.sessions();
        if let Ok(_asking) = self.asking.try_lock() {
            let asking = self.ask(runtime, &summaries);
            // What did not come in time is asked for at the next request.
            let _ = tokio::time::timeout(PATIENCE, asking).await;
        }
        self.make_rows(&summaries).await;
        let now = unix_ms();
        let mut known = self.lock();
        let open = summaries.into_iter().map(|summary| {
            let known = known.entry(summary.name.clone());
            // Seldom: another request has seen it end meanwhile.
            let known = known.or_insert_with(|| Known::of(&summary, None));
            OpenSession::new(summary, known, now)
        });
        open.collect()
    }

    /// Makes rows of the sessions that have none, of what is known without their features. There may be
    /// thousands: neither the lock nor a thread of the runtime is held meanwhile.
    async fn make_rows(&self, summaries: &[SessionSummary]) {
        let missing: Vec<_> = {
            let known = self.lock();
            let missing = summaries.iter();
            let missing = missing.filter(|summary| !known.contains_key(&summary.name));
            missing.cloned().collect()
        };
        if missing.is_empty() {
            return;
        }
        let made = spawn_blocking(move || {
            let rows = missing.into_iter();
            rows.map(|summary| {
                let row = Known::of(&summary, None);
                (summary.name, row)
            })
            .collect::<Vec<_>>()
        });
        let made = made.await.unwrap_or_default();
        let mut known = self.lock();
        for (name, row) in made {
            // Another request may know more meanwhile.
            known.entry(name).or_insert(row);
        }
    }

    /// Asks for the features of the sessions that nothing is known of, and of those that most time has
    /// passed for.
    async fn ask(&self, runtime: &Runtime, summaries: &[SessionSummary]) {
        let mut stale: Vec<_> = {
            let mut known = self.lock();
            let names: HashSet<_> = summaries.iter().map(|summary| &summary.name).collect();
            known.retain(|name, _| names.contains(name));
            let asked = |summary: &SessionSummary| known.get(&summary.name)?.asked;
            let aged = summaries.iter().map(|summary| (asked(summary), summary));
            aged.filter(|(asked, _)| asked.is_none_or(|asked| asked.elapsed() >= FRESH))
                .collect()
        };
        stale.sort_by_key(|(asked, _)| *asked);
        for (_, summary) in stale.into_iter().take(AT_ONCE) {
            let Some(features) = runtime.snapshot(&summary.name).await else {
                continue;
            };
            let summary = summary.clone();
            let name = summary.name.clone();
            let row = spawn_blocking(move || Known::of(&summary, Some(features))).await;
            if let Ok(row) = row {
                self.lock().insert(name, row);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DumpName, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// The row that its record would have if it ended here.
    fn of(summary: &SessionSummary, features: Option<SessionFeatures>) -> Self {
        let asked = features.is_some().then(Instant::now);
        let mut features = features.unwrap_or_default();
        // Nothing in a row comes from them.
        features.series = None;
        let options = RecordOptions {
            environment: "",
            now: unix_ms(),
            bytes: summary.bytes,
        };
        let record = SessionRecord::of(summary.name.clone(), features, &summary.facts, &options);
        Self {
            row: RecordRow::of(&record, options.now),
            text: SearchText::of(&record),
            asked,
        }
    }
}

impl OpenSession {
    fn new(summary: SessionSummary, known: &Known, now: f64) -> Self {
        let mut row = known.row.clone();
        let started = summary.facts.started_ms as f64;
        row.start_ms = Some(started).filter(|started| *started > 0.0);
        row.duration_ms = row.start_ms.map(|started| (now - started).max(0.0));
        // It ends after all that have ended. JSON has no such number: there it is null.
        row.end_ms = Some(f64::INFINITY);
        row.published_ms = f64::INFINITY;
        row.bytes = Some(summary.bytes);
        row.events = Some(summary.facts.events);
        Self {
            summary,
            row,
            text: known.text.clone(),
        }
    }

    /// Live ones come first.
    pub(super) fn state_rank(&self) -> u8 {
        u8::from(self.summary.state != SessionState::Live)
    }

    pub(super) fn is_wanted(&self, wanted: &Wanted) -> bool {
        let is_of_state = match self.summary.state {
            SessionState::Live => wanted.states.live,
            _ => wanted.states.resumable,
        };
        is_of_state
            && is_named(&wanted.search.filter, &self.summary.facts.identifiers)
            && wanted.search.is_found(&self.text)
    }

    /// What the session has of itself, and its row.
    pub(super) fn to_value(&self) -> Value {
        let mut value = members(&self.summary);
        value.extend(members(&self.row));
        Value::Object(value)
    }
}

/// Whether the application calls a session what is asked for.
fn is_named(query: &RecordQuery, identifiers: &Identifiers) -> bool {
    let is = |own: &Option<String>, wanted: &Option<String>| wanted.is_none() || own == wanted;
    let peer = query.peer_id.as_ref();
    is(&identifiers.user, &query.user)
        && is(&identifiers.conference, &query.conference)
        && is(&identifiers.session, &query.session)
        && is(&identifiers.client_id, &query.client_id)
        && peer.is_none_or(|peer| identifiers.peer_ids.contains(peer))
}

fn unix_ms() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_millis() as f64
}
