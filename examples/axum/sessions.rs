//! `GET /api/sessions`: open and finished sessions as one list.

mod open;

use std::cmp::Ordering;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use rtcstats_server_core::{
    RecordKey, RecordQuery, RecordRow, RecordSearch, RecordStore, SinkError,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

pub(crate) use self::open::OpenSessions;

use self::open::OpenSession;
use crate::server::api::failure;
use crate::server::state::AppState;

/// Sessions listed at once, unless asked for another number.
const DEFAULT_LIMIT: usize = RecordSearch::MAX_ROWS;

/// What can be asked of the list.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ListQuery {
    limit: Option<usize>,
    offset: usize,
    q: String,
    sort: Option<String>,
    order: Option<String>,
    state: Option<String>,
    user: Option<String>,
    conference: Option<String>,
    session: Option<String>,
    client_id: Option<String>,
    peer_id: Option<String>,
}

/// A list that is asked for.
struct Wanted {
    search: RecordSearch,
    sort: Sort,
    states: States,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    /// Live ones, those that can be resumed, finished ones, or the other way round; of each the latest
    /// first.
    State {
        is_reversed: bool,
    },
    Key,
}

/// Which sessions are listed.
#[derive(Clone, Copy, PartialEq, Eq)]
struct States {
    live: bool,
    resumable: bool,
    finished: bool,
}

impl TryFrom<ListQuery> for Wanted {
    type Error = String;

    fn try_from(query: ListQuery) -> Result<Self, String> {
        let is_descending = match query.order.as_deref() {
            None | Some("" | "asc") => false,
            Some("desc") => true,
            Some(other) => return Err(format!("order is {other:?}, but neither asc nor desc")),
        };
        let (sort, key) = match query.sort.as_deref() {
            None | Some("" | "state") => {
                let is_reversed = is_descending;
                (Sort::State { is_reversed }, RecordKey::Published)
            }
            Some("conference") => (Sort::Key, RecordKey::Conference),
            Some("user") => (Sort::Key, RecordKey::User),
            Some("browser") => (Sort::Key, RecordKey::Browser),
            Some("start") => (Sort::Key, RecordKey::Started),
            Some("ended") => (Sort::Key, RecordKey::Ended),
            Some("duration") => (Sort::Key, RecordKey::Duration),
            Some("loss") => (Sort::Key, RecordKey::Loss),
            Some("rtt") => (Sort::Key, RecordKey::RoundTripTime),
            Some(other) => {
                return Err(format!(
                    "sort is {other:?}, but not state, conference, user, browser, start, ended, duration, loss or rtt"
                ));
            }
        };
        Ok(Self {
            states: States::of(query.state.as_deref())?,
            sort,
            search: RecordSearch {
                filter: RecordQuery {
                    user: query.user,
                    conference: query.conference,
                    session: query.session,
                    client_id: query.client_id,
                    peer_id: query.peer_id,
                    ..RecordQuery::last(query.limit.unwrap_or(DEFAULT_LIMIT))
                },
                text: query.q,
                key,
                is_descending: is_descending || sort != Sort::Key,
                offset: query.offset,
                is_counted: true,
            },
        })
    }
}

impl States {
    /// `live`, `resumable`, `open` (both) or `finished`; all without any.
    fn of(text: Option<&str>) -> Result<Self, String> {
        let (live, resumable, finished) = match text {
            None | Some("") => (true, true, true),
            Some("live") => (true, false, false),
            Some("resumable") => (false, true, false),
            Some("open") => (true, true, false),
            Some("finished") => (false, false, true),
            Some(other) => {
                return Err(format!(
                    "state is {other:?}, but not live, resumable, open or finished"
                ));
            }
        };
        Ok(Self {
            live,
            resumable,
            finished,
        })
    }
}

/// `GET /api/sessions?state=&q=&sort=&order=&offset=&limit=`: sessions that are open, then the finished
/// ones, the latest first, unless they are sorted otherwise; only those of a `user`, `conference`,
/// `session`, `clientId` or `peerId`, where they are given. At most [`RecordSearch::MAX_ROWS`] at once.
///
/// Of several nodes, the open ones are this one's. What the features of an open session say, such as
/// its loss, is some seconds old.
pub(crate) async fn sessions(
    State(state): State<AppState>,
    Query(query): Query<ListQuery>,
) -> Response {
    let wanted = match Wanted::try_from(query) {
        Ok(wanted) => wanted,
        Err(error) => return failure(StatusCode::BAD_REQUEST, &error),
    };
    match list(&state, &wanted).await {
        Ok((sessions, total)) => {
            Json(json!({ "total": total, "sessions": sessions })).into_response()
        }
        Err(error) => failure(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// A page of the list, and how many there are in all.
async fn list(state: &AppState, wanted: &Wanted) -> Result<(Vec<Value>, u64), SinkError> {
    let mut open = match wanted.states.live || wanted.states.resumable {
        true => state.open_sessions.list(&state.runtime).await,
        false => Vec::new(),
    };
    open.retain(|session| session.is_wanted(wanted));
    wanted.sort_open(&mut open);
    let Wanted { search, states, .. } = wanted;
    if !states.finished {
        let page = open.iter().skip(search.offset).take(search.limit());
        return Ok((page.map(OpenSession::to_value).collect(), open.len() as u64));
    }

    let stored = finished_before(state.records.as_ref(), wanted, &open).await?;
    let search = RecordSearch {
        offset: stored,
        ..search.clone()
    };
    let page = state.records.search(&search).await?;
    let total = page.total.unwrap_or_default() + open.len() as u64;
    let mut finished = page.rows.iter().peekable();
    let mut open = open.iter().skip(wanted.search.offset - stored).peekable();
    let mut sessions = Vec::new();
    while sessions.len() < search.limit() {
        let is_open = match (open.peek(), finished.peek()) {
            (Some(open), Some(finished)) => wanted.is_before(open, finished),
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (None, None) => break,
        };
        sessions.extend(match is_open {
            true => open.next().map(OpenSession::to_value),
            false => finished.next().map(finished_value),
        });
    }
    Ok((sessions, total))
}

/// How many finished sessions come before the page, among the open ones that do.
async fn finished_before(
    records: &dyn RecordStore,
    wanted: &Wanted,
    open: &[OpenSession],
) -> Result<usize, SinkError> {
    let offset = wanted.search.offset;
    // All open sessions come before all finished ones: nothing has to be searched for that.
    if wanted.sort == (Sort::State { is_reversed: false }) {
        return Ok(offset.saturating_sub(open.len()));
    }
    let (mut least, mut most) = (offset.saturating_sub(open.len()), offset);
    while least < most {
        let middle = least + (most - least) / 2;
        let search = RecordSearch {
            filter: RecordQuery {
                limit: 1,
                ..wanted.search.filter.clone()
            },
            offset: middle,
            is_counted: false,
            ..wanted.search.clone()
        };
        let page = records.search(&search).await?;
        let last_open = open.get(offset - middle - 1);
        match (page.rows.first(), last_open) {
            (Some(finished), Some(open)) if !wanted.is_before(open, finished) => least = middle + 1,
            _ => most = middle,
        }
    }
    Ok(least)
}

impl Wanted {
    fn sort_open(&self, open: &mut [OpenSession]) {
        open.sort_by(|one, other| {
            let order = match self.sort {
                Sort::Key => self.search.compare(&one.row, &other.row),
                Sort::State { is_reversed } => {
                    let order = one.state_rank().cmp(&other.state_rank());
                    let order = if is_reversed { order.reverse() } else { order };
                    let began = |session: &OpenSession| session.row.start_ms.unwrap_or_default();
                    order.then(began(other).total_cmp(&began(one)))
                }
            };
            order.then_with(|| one.row.name.cmp(&other.row.name))
        });
    }

    /// Whether an open session comes before a finished one.
    fn is_before(&self, open: &OpenSession, finished: &RecordRow) -> bool {
        match self.sort {
            Sort::State { is_reversed } => !is_reversed,
            Sort::Key => self.search.compare(&open.row, finished) != Ordering::Greater,
        }
    }
}

fn finished_value(row: &RecordRow) -> Value {
    let mut value = members(row);
    value.insert("state".to_owned(), "finished".into());
    let finished = row.published_ms.round() as u64;
    value.insert("finishedMs".to_owned(), finished.into());
    Value::Object(value)
}

fn members<T: Serialize>(value: &T) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    }
}
