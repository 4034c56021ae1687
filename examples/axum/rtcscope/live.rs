//! Points of sessions that are not over.

use std::collections::HashMap;
use std::sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rtcstats_server_core::{DumpName, Runtime, SessionFeatures, SessionSummary};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::{Instant as Deadline, timeout_at};

use super::bounds::Bounds;
use super::names::SeriesNames;
use super::point::{CallId, Point};
use super::{sessions, time};

/// Sessions that are asked for their series, at most: the ones that began last. Others come in when they are over.
const SESSIONS: usize = 300;

/// For how long an answer is good.
const FRESH: Duration = Duration::from_secs(4);

/// How long asking may take. Who did not answer is as before.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long a session that is over is waited for in the store.
const FORGOTTEN: Duration = Duration::from_secs(600);

/// The points of each session, as of a few seconds ago.
///
/// A session stays here when it is over, until its points are in the store: so it is always in one of
/// the two. It is in both for a moment, which is why the store is not asked for those that are here.
#[derive(Default)]
pub(crate) struct LiveCalls {
    /// When it was asked last; who asks has the lock.
    asked: Mutex<Option<Instant>>,
    calls: StdMutex<HashMap<DumpName, LiveCall>>,
}

/// A session that is not over, or not yet in the store.
#[derive(Clone)]
pub(crate) struct LiveCall {
    pub(crate) call: CallId,
    pub(crate) points: Arc<Vec<Point>>,
    seen: Instant,
}

impl LiveCalls {
    /// The sessions that are not over.
    pub(crate) async fn calls(
        &self,
        runtime: &Runtime,
        names: &Arc<SeriesNames>,
        bounds: Bounds,
    ) -> Vec<LiveCall> {
        let mut asked = self.asked.lock().await;
        if asked.is_none_or(|asked| asked.elapsed() >= FRESH) {
            self.ask(runtime, names, bounds).await;
            *asked = Some(Instant::now());
        }
        drop(asked);
        self.lock().values().cloned().collect()
    }

    async fn ask(&self, runtime: &Runtime, names: &Arc<SeriesNames>, bounds: Bounds) {
        let deadline = Deadline::now() + PATIENCE;
        let mut open = runtime.sessions();
        open.sort_by_key(|session| std::cmp::Reverse(session.facts.started_ms));
        open.truncate(SESSIONS);
        for session in &open {
            let snapshot = timeout_at(deadline, runtime.snapshot(&session.name)).await;
            let Ok(snapshot) = snapshot else {
                tracing::debug!(
                    sessions = open.len(),
                    "not all sessions told their series in time"
                );
                break;
            };
            let Some(features) = snapshot else {
                continue;
            };
            let (name, names) = (session.name.clone(), Arc::clone(names));
            let made = spawn_blocking(move || points_of(&name, features, &names, bounds)).await;
            if let Ok(Some((call, points))) = made {
                self.keep(runtime, session, call, points);
            }
        }
        self.tidy(runtime);
    }

    /// Keeps the points of a session, unless it is over: then those of before are good, or it is in the store.
    fn keep(&self, runtime: &Runtime, session: &SessionSummary, call: CallId, points: Vec<Point>) {
        // Under the lock: a session that is open here is stored, and so forgotten, only afterwards.
        let mut calls = self.lock();
        if is_open(runtime, &session.name) {
            let live = LiveCall {
                call,
                points: Arc::new(points),
                seen: Instant::now(),
            };
            calls.insert(session.name.clone(), live);
        }
    }

    /// Sessions that never get into the store are not kept for ever, nor those that began long before others.
    fn tidy(&self, runtime: &Runtime) {
        let mut calls = self.lock();
        calls.retain(|name, live| match is_open(runtime, name) {
            true => live.seen.elapsed() < 5 * FRESH,
            false => live.seen.elapsed() < FORGOTTEN,
        });
    }

    /// The points of this session are in the store.
    pub(crate) fn forget(&self, name: &DumpName) {
        self.lock().remove(name);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DumpName, LiveCall>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The points of a session, if it has series.
fn points_of(
    name: &DumpName,
    features: SessionFeatures,
    names: &SeriesNames,
    bounds: Bounds,
) -> Option<(CallId, Vec<Point>)> {
    let call = CallId::parse(&name.to_string()).ok()?;
    let json = serde_json::to_string(&features.series?).ok()?;
    let points = sessions::points(&call, &json, names, &bounds.at(time::now())).ok()?;
    Some((call, points))
}

fn is_open(runtime: &Runtime, name: &DumpName) -> bool {
    let session = runtime.session(name.session_id());
    session.is_some_and(|session| session.name == *name)
}
