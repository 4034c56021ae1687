//! Either database, and what is asked of it.

use std::time::Duration;

use super::rows::{Cell, RecordRows, without_zero};
use super::{SqlSinkOptions, postgres, sqlite, time};
use crate::{DumpName, RecordQuery, Selection};

/// Either database.
#[derive(Debug)]
pub(super) struct Database {
    engine: Engine,
    timeout: Duration,
}

#[derive(Debug)]
enum Engine {
    Sqlite(sqlite::Database),
    Postgres(postgres::Database),
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("the URL begins with neither sqlite: nor postgres:")]
    UnknownDatabase,
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error("the database did not answer within {0:?}")]
    Timeout(Duration),
    #[error("the runtime that the sink was opened in has ended")]
    Ended,
    #[error("the database has a row that is not the sink's: {0}")]
    Foreign(String),
}

impl Failure {
    /// Whether the database was there and refused what it was told.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Database(sqlx::Error::Database(_) | sqlx::Error::Encode(_))
        )
    }

    /// Whether another transaction was in the way: the same may succeed at once.
    pub(super) fn is_conflict(&self) -> bool {
        let Self::Database(sqlx::Error::Database(error)) = self else {
            return false;
        };
        // Serialization failure, deadlock.
        error.is_unique_violation()
            || error
                .code()
                .is_some_and(|code| matches!(code.as_ref(), "40001" | "40P01"))
    }
}

macro_rules! on {
    ($database:ident, $engine:ident => $work:expr) => {{
        let work = async {
            match &$database.engine {
                Engine::Sqlite($engine) => $work.await,
                Engine::Postgres($engine) => $work.await,
            }
        };
        match tokio::time::timeout($database.timeout, work).await {
            Ok(result) => result.map_err(Failure::from),
            Err(_) => Err(Failure::Timeout($database.timeout)),
        }
    }};
}

impl Database {
    pub(super) async fn open(url: &str, options: &SqlSinkOptions) -> Result<Self, Failure> {
        let open = async {
            Ok(if url.starts_with("sqlite:") {
                Engine::Sqlite(sqlite::Database::open(url, options).await?)
            } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
                Engine::Postgres(postgres::Database::open(url, options).await?)
            } else {
                return Err(Failure::UnknownDatabase);
            })
        };
        let opened = tokio::time::timeout(options.timeout, open).await;
        Ok(Self {
            engine: opened.map_err(|_| Failure::Timeout(options.timeout))??,
            timeout: options.timeout,
        })
    }

    /// How many transactions it can write at a time, of as many connections.
    pub(super) fn writers(&self, connections: u32) -> u32 {
        match self.engine {
            Engine::Sqlite(_) => 1,
            // One is left for those who ask.
            Engine::Postgres(_) => connections.saturating_sub(1).clamp(1, 4),
        }
    }

    pub(super) async fn replace(&self, records: &[RecordRows]) -> Result<(), Failure> {
        on!(self, engine => engine.replace(records))
    }

    pub(super) async fn erase(&self, names: &[String]) -> Result<u64, Failure> {
        on!(self, engine => engine.erase(names))
    }

    /// Names of parts, as they are stored, and their contents; `None` if there is no such record.
    pub(super) async fn record(
        &self,
        name: &DumpName,
    ) -> Result<Option<Vec<(String, String)>>, Failure> {
        // A record may have no parts.
        let sql = "SELECT coalesce(p.part, ''), CAST(p.value AS text) FROM sessions s \
            LEFT JOIN parts p ON p.session = s.id WHERE s.name = $1 ORDER BY p.position";
        let name = [Cell::Text(name.to_string())];
        let rows = on!(self, engine => engine.texts(sql.to_owned(), &name))?;
        if rows.is_empty() {
            return Ok(None);
        }
        let parts = rows
            .into_iter()
            .filter_map(|(part, value)| Some((part, value?)));
        Ok(Some(parts.collect()))
    }

    pub(super) async fn find(&self, selection: &Selection) -> Result<Vec<DumpName>, Failure> {
        let text = |text: &str| Cell::Text(without_zero(text));
        let (condition, cell) = match selection {
            Selection::Session(id) => ("session_id = $1".to_owned(), text(id.as_str())),
            Selection::User(user) => ("user_id = $1 OR display_name = $1".to_owned(), text(user)),
            Selection::Conference(name) => {
                // Rooms are the same whatever the case.
                let columns = [
                    "conference",
                    "conference_name",
                    "conference_url",
                    "meeting_unique_id",
                ];
                let conditions = columns.map(|column| format!("{} = $1", self.lower(column)));
                (conditions.join(" OR "), text(&name.to_ascii_lowercase()))
            }
            Selection::EndedBefore(before) if before.is_nan() => return Ok(Vec::new()),
            Selection::EndedBefore(before) => {
                // A bound that cannot be told is before, or behind, all times that can.
                let bound = time::known(*before).unwrap_or(if *before < 0.0 {
                    time::EARLIEST
                } else {
                    time::LATEST
                });
                (format!("ended_at < {}", self.time("$1")), Cell::Time(bound))
            }
        };
        let sql = format!(
            "SELECT name, CAST(NULL AS text) FROM sessions WHERE {condition} ORDER BY name"
        );
        let rows = on!(self, engine => engine.texts(sql.clone(), std::slice::from_ref(&cell)))?;
        rows.into_iter().map(|(name, _)| dump_name(name)).collect()
    }

    /// Names and times of publishing, in Unix epoch milliseconds.
    pub(super) async fn latest(
        &self,
        query: &RecordQuery,
    ) -> Result<Vec<(DumpName, f64)>, Failure> {
        let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
        let mut cells = vec![Cell::Integer(limit)];
        let filter = filter(conditions(query, &mut cells));
        let published = self.time_text("published_at");
        let sql = format!(
            "SELECT name, {published} FROM sessions {filter} \
            ORDER BY published_at DESC, id DESC LIMIT $1"
        );
        let rows = on!(self, engine => engine.texts(sql.clone(), &cells))?;
        let entry = |(name, published): (String, Option<String>)| {
            let published = published
                .as_deref()
                .and_then(time::parse)
                .unwrap_or_default();
            Ok((dump_name(name)?, published))
        };
        rows.into_iter().map(entry).collect()
    }

    /// A time as [`time::text`] spells it.
    pub(super) fn time_text(&self, column: &str) -> String {
        match self.engine {
            Engine::Sqlite(_) => column.to_owned(),
            Engine::Postgres(_) => {
                format!("to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS')")
            }
        }
    }

    pub(super) fn is_sqlite(&self) -> bool {
        matches!(self.engine, Engine::Sqlite(_))
    }

    /// The first two columns of what a query yields, which are texts.
    pub(super) async fn texts(
        &self,
        sql: String,
        cells: &[Cell],
    ) -> Result<Vec<(String, Option<String>)>, Failure> {
        on!(self, engine => engine.texts(sql.clone(), cells))
    }

    /// A text with the letters of ASCII in lower case.
    pub(super) fn lower(&self, column: &str) -> String {
        match self.engine {
            Engine::Sqlite(_) => format!("lower({column})"),
            Engine::Postgres(_) => format!("lower({column} COLLATE \"C\")"),
        }
    }

    fn time(&self, parameter: &str) -> String {
        match self.engine {
            Engine::Sqlite(_) => parameter.to_owned(),
            Engine::Postgres(_) => format!("to_timestamp({parameter}::double precision / 1000.0)"),
        }
    }

    pub(super) async fn close(&self) {
        match &self.engine {
            Engine::Sqlite(engine) => engine.close().await,
            Engine::Postgres(engine) => engine.close().await,
        }
    }
}

/// What is asked of the columns; the values are added to `cells`.
pub(super) fn conditions(query: &RecordQuery, cells: &mut Vec<Cell>) -> Vec<String> {
    let wanted = [
        ("user_id = ", &query.user),
        ("conference = ", &query.conference),
        ("application_session = ", &query.session),
        ("client_id = ", &query.client_id),
        (
            "id IN (SELECT session FROM session_peers WHERE peer_id = ",
            &query.peer_id,
        ),
    ];
    let mut conditions = Vec::new();
    for (condition, wanted) in wanted {
        if let Some(wanted) = wanted {
            cells.push(Cell::Text(without_zero(wanted)));
            let end = if condition.contains('(') { ")" } else { "" };
            conditions.push(format!("{condition}${}{end}", cells.len()));
        }
    }
    conditions
}

/// The clause of a query.
pub(super) fn filter(conditions: Vec<String>) -> String {
    match conditions.is_empty() {
        true => String::new(),
        false => format!("WHERE {}", conditions.join(" AND ")),
    }
}

pub(super) fn dump_name(text: String) -> Result<DumpName, Failure> {
    text.parse().map_err(|_| Failure::Foreign(text))
}
