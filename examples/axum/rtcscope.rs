//! The API and the graphs of rtcscope-server, for its clients and for the sessions of this server.
//!
//! | Request | Answer |
//! |---|---|
//! | `POST /v1/stats/write/` | stores numbers of a call: [`write`] |
//! | `GET /v1/stats/?type=T` | means of 10 s over the last 5 minutes, by call |
//! | `GET /v1/stats/interval/?type=T&duration=10m\|30m\|1h` | means of 30 s, 2 m or 5 m, by call; any other duration counts as `1h` |
//! | `GET /v1/stats/timerange/?type=T&start=…&end=…` | means of 30 s over all calls, one list |
//! | `GET /v1/stats/{call}/?type=T` | means of a minute of one call, one list |
//! | `GET /v1/series/` | the [names] that `type` may have |
//! | `GET /graph/{name}/`, `GET /dashboard` | pages with live graphs |
//!
//! Each with and without the slash at the end. Answers have `Access-Control-Allow-Origin: *`, as pages of any
//! host may ask and tell. What is wrong with a request is in the member `error` of the answer.
//!
//! # Calls
//!
//! Numbers come from two sides: what clients of rtcscope write, by the ids that they choose, and the
//! [series of sessions](sessions) of this server, by the names of their dumps (`/sessions/{id}`). Those
//! of one id are merged in answers: each mean is that of all values. In the [store](store) they are kept apart,
//! so that a session can be written again. Where the data of a session is deleted (`DELETE /api/data`), both go.
//!
//! A session that is not over is asked for its series when somebody wants to see them ([`live`]); when it is
//! over they are in the store. It is never counted twice: what is taken from the session itself is left out
//! of what the store is asked for.
//!
//! # Buckets
//!
//! They begin at multiples of their length since the epoch. `time` is their beginning; `mean` is null where
//! there is nothing. Answers by call have at most [`CALLS`](store::CALLS) calls, of SQLite those
//! with the latest values; one without a value in that time is not in them.
//!
//! An interval may be any, of up to 50,000 buckets, but there may be too many points in it: what takes
//! the store longer than some seconds to add up (5 of SQLite, 10 of InfluxDB) is given up, and answered with 503. Two such
//! requests at a time are all that SQLite is given; others wait up to 10 s. Writing does not wait for them.

mod bounds;
mod cors;
mod influxdb;
mod interval;
mod live;
mod names;
mod pages;
mod point;
mod query;
mod queue;
mod refusal;
mod series_filter;
mod sessions;
mod sink;
mod sqlite;
mod store;
mod time;
mod write;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{get, post};
use rtcstats_server_core::{Authorizer, FeatureSink, Runtime};

use self::bounds::Bounds;
use self::live::LiveCalls;
use self::queue::PointQueue;
use self::sink::PointSink;

pub(crate) use influxdb::InfluxStore;
pub(crate) use names::{SeriesNames, check_name};
pub(crate) use series_filter::WithoutSeries;
pub(crate) use sqlite::SqliteStore;
pub(crate) use store::PointStore;

/// Points of calls, and who asks for them.
pub(crate) struct Scope {
    names: Arc<SeriesNames>,
    store: Arc<dyn PointStore>,
    queue: PointQueue,
    live: Arc<LiveCalls>,
    bounds: Bounds,
    authorizer: Option<Arc<dyn Authorizer>>,
}

impl Scope {
    /// Over this store, which keeps points for that long. Who writes has to have a token, if there is an
    /// `authorizer`.
    pub(crate) fn new(
        store: Arc<dyn PointStore>,
        names: SeriesNames,
        keep: Duration,
        authorizer: Option<Arc<dyn Authorizer>>,
    ) -> Self {
        let bounds = Bounds { keep };
        store::expire_regularly(&store, bounds);
        Self {
            names: Arc::new(names),
            queue: PointQueue::start(Arc::clone(&store)),
            live: Arc::default(),
            store,
            bounds,
            authorizer,
        }
    }

    /// What stores the series of sessions that are over.
    pub(crate) fn sink(&self) -> Arc<dyn FeatureSink> {
        Arc::new(PointSink {
            names: Arc::clone(&self.names),
            store: Arc::clone(&self.store),
            live: Arc::clone(&self.live),
            bounds: self.bounds,
        })
    }
}

/// What the handlers share.
#[derive(Clone)]
struct ScopeState {
    scope: Arc<Scope>,
    runtime: Runtime,
}

/// The routes of the API and of the pages.
pub(crate) fn routes<S>(scope: Arc<Scope>, runtime: Runtime) -> Router<S> {
    let mut api = Router::new();
    for end in ["", "/"] {
        let path = |path: &str| format!("/v1/{path}{end}");
        api = api
            .route(&path("stats/write"), post(write::write))
            .route(&path("stats"), get(query::last_minutes))
            .route(&path("stats/interval"), get(query::interval))
            .route(&path("stats/timerange"), get(query::time_range))
            .route(&path("stats/{call}"), get(query::call))
            .route(&path("series"), get(query::names));
    }
    let mut pages = Router::new();
    for end in ["", "/"] {
        pages = pages
            .route(&format!("/graph/{{name}}{end}"), get(pages::graph))
            .route(&format!("/dashboard{end}"), get(pages::dashboard));
    }
    api.layer(from_fn(cors::allow))
        .merge(pages)
        .with_state(ScopeState { scope, runtime })
}

/// What there is instead of the pages, without a store.
pub(crate) fn absent_pages<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/graph/{*name}", get(pages::absent))
        .route("/dashboard", get(pages::absent))
        .route("/dashboard/", get(pages::absent))
}
