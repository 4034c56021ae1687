//! `GET /v1/stats/…`: what there is.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query as QueryOf, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::interval::{Bucket, Interval, Sum, Sums};
use super::live::LiveCall;
use super::names::SeriesName;
use super::point::CallId;
use super::refusal::Refusal;
use super::store::{CALLS, Calls, Life, Query};
use super::time::{self, SECOND};
use super::{Scope, ScopeState};

/// What can be asked for.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Parameters {
    /// The name of a series.
    #[serde(rename = "type")]
    series: Option<String>,
    duration: Option<String>,
    start: Option<String>,
    end: Option<String>,
}

type QueryString = Result<QueryOf<Parameters>, QueryRejection>;

/// Buckets by call.
type Answer = BTreeMap<String, Vec<Bucket>>;

/// `GET /v1/stats/?type=T`: the last 5 minutes of each call.
pub(super) async fn last_minutes(
    State(state): State<ScopeState>,
    query: QueryString,
) -> Result<Json<Answer>, Refusal> {
    let parameters = parameters(query)?;
    state
        .of_each(&parameters, Interval::last_minutes(time::now()))
        .await
}

/// `GET /v1/stats/interval/?type=T&duration=10m|30m|1h`: the last minutes of each call.
pub(super) async fn interval(
    State(state): State<ScopeState>,
    query: QueryString,
) -> Result<Json<Answer>, Refusal> {
    let parameters = parameters(query)?;
    let duration = parameters.duration.as_deref().unwrap_or_default();
    state
        .of_each(&parameters, Interval::named(duration, time::now()))
        .await
}

/// `GET /v1/stats/timerange/?type=T&start=…&end=…`: all calls together.
pub(super) async fn time_range(
    State(state): State<ScopeState>,
    query: QueryString,
) -> Result<Json<Vec<Bucket>>, Refusal> {
    let parameters = parameters(query)?;
    let series = state.scope.series(&parameters)?;
    let interval = range(&parameters)?;
    let live = state.live().await;
    let left_out = ids(&live);
    let mut sums = state
        .stored(series, interval, Calls::Together, &left_out)
        .await?
        .remove("")
        .unwrap_or_default();
    for call in &live {
        add_live(&mut sums, call, series, interval);
    }
    Ok(Json(interval.answer(&sums)))
}

/// `GET /v1/stats/{call}/?type=T`: a call, from its first value to its last.
pub(super) async fn call(
    State(state): State<ScopeState>,
    call: Result<Path<String>, PathRejection>,
    query: QueryString,
) -> Result<Json<Vec<Bucket>>, Refusal> {
    let parameters = parameters(query)?;
    let series = state.scope.series(&parameters)?;
    let Path(call) = call.map_err(|_| Refusal::UnknownCall)?;
    let call = CallId::parse(&call).map_err(|_| Refusal::UnknownCall)?;
    let mut live = state.live().await;
    live.retain(|live| live.call == call);
    let left_out = ids(&live);
    let mut life = state
        .scope
        .store
        .life(&call, series.name, &left_out)
        .await?;
    for live in &live {
        let own = live
            .points
            .iter()
            .filter(|point| point.series == series.name);
        life = Some(own.fold(life.unwrap_or_default(), |life, point| {
            life.with(point.time)
        }));
    }
    let Life(life) = life.ok_or(Refusal::UnknownCall)?;
    let Some((first, last)) = life else {
        return Ok(Json(Vec::new()));
    };
    let interval = Interval {
        start: first,
        end: last + 1,
        width: 60 * SECOND,
    };
    let mut sums = state
        .stored(series, interval, Calls::One(&call), &left_out)
        .await?
        .remove("")
        .unwrap_or_default();
    for live in &live {
        add_live(&mut sums, live, series, interval);
    }
    Ok(Json(interval.answer(&sums)))
}

/// `GET /v1/series/`: the names that there are.
pub(super) async fn names(State(state): State<ScopeState>) -> Response {
    let names: Vec<&SeriesName> = state.scope.names.iter().collect();
    Json(json!({ "series": names })).into_response()
}

impl Scope {
    /// The series that is asked for.
    fn series(&self, parameters: &Parameters) -> Result<&SeriesName, Refusal> {
        let name = parameters.series.as_deref().unwrap_or_default();
        self.names
            .find(name)
            .ok_or_else(|| Refusal::unknown_series(&self.names))
    }
}

impl ScopeState {
    /// The sessions that are not over.
    async fn live(&self) -> Vec<LiveCall> {
        let scope = &self.scope;
        scope
            .live
            .calls(&self.runtime, &scope.names, scope.bounds)
            .await
    }

    /// The buckets of each call that has values.
    async fn of_each(
        &self,
        parameters: &Parameters,
        interval: Interval,
    ) -> Result<Json<Answer>, Refusal> {
        let series = self.scope.series(parameters)?;
        let live = self.live().await;
        let mut calls = self
            .stored(series, interval, Calls::Each, &ids(&live))
            .await?;
        for call in &live {
            let mut sums = calls.remove(call.call.as_str()).unwrap_or_default();
            add_live(&mut sums, call, series, interval);
            if !sums.is_empty() {
                calls.insert(call.call.as_str().to_owned(), sums);
            }
        }
        let answer = calls
            .into_iter()
            .take(CALLS)
            .map(|(call, sums)| (call, interval.answer(&sums)));
        Ok(Json(answer.collect()))
    }

    /// What the store has, by call.
    async fn stored(
        &self,
        series: &SeriesName,
        interval: Interval,
        calls: Calls<'_>,
        left_out: &[CallId],
    ) -> Result<BTreeMap<String, Sums>, Refusal> {
        let query = Query {
            series: series.name,
            interval,
            calls,
            left_out,
        };
        let mut found: BTreeMap<String, Sums> = BTreeMap::new();
        for sum in self.scope.store.sums(&query).await? {
            let sums = found.entry(sum.call).or_default();
            sums.entry(sum.bucket).or_default().add(sum.sum);
        }
        Ok(found)
    }
}

fn parameters(query: QueryString) -> Result<Parameters, Refusal> {
    let QueryOf(parameters) =
        query.map_err(|rejection| Refusal::Malformed(rejection.body_text()))?;
    Ok(parameters)
}

/// The time that is asked for.
fn range(parameters: &Parameters) -> Result<Interval, Refusal> {
    let date = |name: &str, text: &Option<String>| {
        let date = text.as_deref().and_then(time::parse_date);
        date.ok_or_else(|| {
            let wanted = "an RFC 3339 date and time, or YYYY-MM-DD hh:mm:ss in UTC";
            Refusal::Malformed(format!("{name} is not {wanted}"))
        })
    };
    let interval = Interval {
        start: date("start", &parameters.start)?,
        end: date("end", &parameters.end)?,
        width: 30 * SECOND,
    };
    if interval.end < interval.start {
        return Err(Refusal::Malformed("end is before start".to_owned()));
    }
    if interval.buckets() > Interval::MOST_BUCKETS {
        let most = Interval::MOST_BUCKETS;
        return Err(Refusal::Malformed(format!(
            "from start to end are more than {most} buckets of 30 s"
        )));
    }
    Ok(interval)
}

fn ids(live: &[LiveCall]) -> Vec<CallId> {
    live.iter().map(|call| call.call.clone()).collect()
}

fn add_live(sums: &mut Sums, call: &LiveCall, series: &SeriesName, interval: Interval) {
    let own = call.points.iter();
    let own = own.filter(|point| point.series == series.name && interval.contains(point.time));
    for point in own {
        let sum = Sum {
            sum: point.value,
            count: 1,
        };
        sums.entry(interval.bucket_of(point.time))
            .or_default()
            .add(sum);
    }
}
