//! Where points are kept.

use std::sync::{Arc, Weak};
use std::time::Duration;

use rtcstats_proto::jitsi::SessionId;
use rtcstats_server_core::BoxFuture;

use super::bounds::Bounds;
use super::interval::{Interval, Sum};
use super::point::{CallId, Point};
use super::time;

/// Calls of one answer, at most: nobody can tell more lines apart.
pub(crate) const CALLS: usize = 1_000;

/// Keeps points, and adds them up.
///
/// Every method comes to an end, if need be with an error. Points and ids are from remotes.
pub(crate) trait PointStore: Send + Sync + 'static {
    /// Stores points. One of the same call, origin, series and time as another takes its place.
    fn write<'a>(&'a self, points: &'a [Point]) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Stores the points of a session that is over, so that nothing else is left of an earlier time that
    /// they were stored, as far as the store can do that.
    fn write_session<'a>(
        &'a self,
        call: &'a CallId,
        points: &'a [Point],
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// The values of buckets.
    fn sums<'a>(&'a self, query: &'a Query<'a>) -> BoxFuture<'a, Result<Vec<CallSum>, StoreError>>;

    /// From when to when a call has values of a series; `None` if nothing at all is known of it.
    fn life<'a>(
        &'a self,
        call: &'a CallId,
        series: &'a str,
        left_out: &'a [CallId],
    ) -> BoxFuture<'a, Result<Option<Life>, StoreError>>;

    /// The calls of a session, whoever told of them: those of this id, and of this id with `_` and a
    /// number, as its dumps are called. Perhaps some more.
    fn find<'a>(&'a self, session: &'a SessionId)
    -> BoxFuture<'a, Result<Vec<String>, StoreError>>;

    /// Removes all that is known of calls, whoever told of them; how many there were.
    fn erase<'a>(&'a self, calls: &'a [CallId]) -> BoxFuture<'a, Result<u64, StoreError>>;

    /// Removes points that are older than this time.
    fn expire(&self, before: i64) -> BoxFuture<'_, Result<(), StoreError>>;
}

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Query<'a> {
    /// One of the names of series.
    pub(crate) series: &'static str,
    pub(crate) interval: Interval,
    pub(crate) calls: Calls<'a>,
    /// Sessions that are not to be counted: who asks has their points.
    pub(crate) left_out: &'a [CallId],
}

/// Of which calls.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Calls<'a> {
    /// Each by itself; at most [`CALLS`].
    Each,
    /// All of them as if they were one.
    Together,
    /// This one.
    One(&'a CallId),
}

/// The values of a bucket.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CallSum {
    /// Empty where calls are counted together.
    pub(crate) call: String,
    /// When the bucket begins.
    pub(crate) bucket: i64,
    pub(crate) sum: Sum,
}

/// The time of the first value and of the last one; `None` without values.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Life(pub(crate) Option<(i64, i64)>);

impl Life {
    /// With a value of this time.
    pub(crate) fn with(self, time: i64) -> Self {
        let (first, last) = self.0.unwrap_or((time, time));
        Self(Some((first.min(time), last.max(time))))
    }
}

/// A store does not do what it is asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// The database says so.
    #[error("the database of points")]
    Sql(#[from] sqlx::Error),
    /// No answer came.
    #[error("InfluxDB cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    /// It says no.
    #[error("InfluxDB refuses ({status}): {message}")]
    Refused { status: u16, message: String },
    /// Its answer is none.
    #[error("the answer of InfluxDB cannot be read")]
    Answer(#[from] serde_json::Error),
    /// Its answer is too long.
    #[error("the answer of InfluxDB has more than {0} bytes")]
    LongAnswer(usize),
    /// What is asked for is no URL of a database.
    #[error("{0}")]
    Options(String),
    /// There is too much to add up.
    #[error("the database of points did not answer within {0:?}")]
    Slow(Duration),
    /// Whatever stores has ended.
    #[error("the server is about to end")]
    Ended,
}

impl StoreError {
    /// With what is behind it.
    pub(crate) fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

/// Removes what is too old, at once and every hour, for as long as there is the store.
pub(crate) fn expire_regularly(store: &Arc<dyn PointStore>, bounds: Bounds) {
    const PAUSE: Duration = Duration::from_secs(3_600);
    let store: Weak<dyn PointStore> = Arc::downgrade(store);
    tokio::spawn(async move {
        while let Some(store) = store.upgrade() {
            let oldest = *bounds.at(time::now()).start();
            if let Err(error) = store.expire(oldest).await {
                tracing::warn!(error = %error.chain(), "old points could not be removed");
            }
            drop(store);
            tokio::time::sleep(PAUSE).await;
        }
    });
}
