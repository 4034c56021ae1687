//! A sink in tables.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::value::RawValue;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, mpsc, oneshot};

use self::database::{Database, Failure};
use self::rows::RecordRows;
use self::writer::Waiting;
use crate::{
    BoxFuture, DumpName, Erasure, FeatureSink, RecordEntry, RecordPage, RecordPart, RecordQuery,
    RecordSearch, RecordStore, Selection, SessionRecord, SinkError,
};

mod database;
mod postgres;
mod rows;
mod schema;
mod search;
mod sqlite;
mod time;
mod writer;

const NAME: &str = "sql";

/// Keeps records in the tables of a SQLite or PostgreSQL database.
///
/// | URL | Database |
/// |---|---|
/// | `sqlite://data/records.db?mode=rwc` | a file, made if it is missing |
/// | `sqlite::memory:` | in memory, gone with the sink: for tests |
/// | `postgres://user:password@host/database?sslmode=require` | PostgreSQL, with the encoding UTF-8 |
///
/// Any number of nodes may have the same PostgreSQL database, and processes of one machine the same
/// file. Whoever opens a database brings its tables up to date first, while the others wait.
///
/// **Durable:** with `synchronous = FULL` and a write-ahead log in SQLite, so that a record survives
/// the loss of power, and reading does not wait for writing; in PostgreSQL as its server is set up.
///
/// **Idempotent for ever:** publishing a record replaces all rows of that dump, in one transaction.
/// Whoever reads sees the rows of the one or of the other. Records that wait at the same time share a
/// transaction; one that the database refuses keeps no other out.
///
/// **Bounded:** [`SqlSinkOptions`] has the number of connections and how long anything may take; up to
/// 64 records wait in memory, further futures wait to be queued.
///
#[doc = include_str!("sql/schema.md")]
#[derive(Debug)]
pub struct SqlSink {
    database: Arc<Database>,
    queue: mpsc::Sender<Waiting>,
    runtime: Handle,
}

/// How a [`SqlSink`] works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SqlSinkOptions {
    /// Connections at most, of which all but one may write to PostgreSQL, up to four; SQLite has one
    /// writer. Default 5.
    pub connections: u32,
    /// How long to wait for the database, for a connection as for an answer. Default 30 s.
    pub timeout: Duration,
}

impl Default for SqlSinkOptions {
    fn default() -> Self {
        Self {
            connections: 5,
            timeout: Duration::from_secs(30),
        }
    }
}

/// Records that wait in memory.
const QUEUE: usize = 64;

impl SqlSink {
    /// Opens a database, and brings its tables up to date. The sink lives in the tokio runtime that
    /// this is called in; its futures may be polled anywhere.
    ///
    /// # Errors
    ///
    /// If the URL is none of a database, and those of the database. They do not tell the URL, which may
    /// have a password.
    pub async fn open(url: &str) -> Result<Self, SinkError> {
        Self::open_with(url, SqlSinkOptions::default()).await
    }

    /// As [`SqlSink::open`].
    ///
    /// # Errors
    ///
    /// As [`SqlSink::open`].
    pub async fn open_with(url: &str, options: SqlSinkOptions) -> Result<Self, SinkError> {
        let database = Database::open(url, &options).await;
        let database = Arc::new(database.map_err(|error| SinkError::new(NAME, None, error))?);
        let runtime = Handle::current();
        let (queue, waiting) = mpsc::channel(QUEUE);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..database.writers(options.connections) {
            runtime.spawn(writer::run(Arc::clone(&database), Arc::clone(&waiting)));
        }
        Ok(Self {
            database,
            queue,
            runtime,
        })
    }

    /// Closes the connections, once what they do is done. Whatever is asked afterwards fails.
    pub async fn close(&self) {
        self.database.close().await;
    }

    /// Does something with the database, in the runtime of the sink.
    fn ask<T: Send + 'static, F: Future<Output = Result<T, Failure>> + Send + 'static>(
        &self,
        work: impl FnOnce(Arc<Database>) -> F,
    ) -> BoxFuture<'_, Result<T, SinkError>> {
        let answer = self.runtime.spawn(work(Arc::clone(&self.database)));
        Box::pin(async move {
            let result = answer.await.unwrap_or(Err(Failure::Ended));
            result.map_err(|error| SinkError::new(NAME, None, error))
        })
    }
}

impl FeatureSink for SqlSink {
    fn publish(&self, record: &SessionRecord) -> BoxFuture<'_, Result<(), SinkError>> {
        let record = record.clone();
        Box::pin(async move {
            let rows = RecordRows::of(&record, unix_ms());
            let (reply, answer) = oneshot::channel();
            let failed = |error| SinkError::new(NAME, Some(record.name.clone()), error);
            if self.queue.send(Waiting { rows, reply }).await.is_err() {
                return Err(failed(Arc::new(Failure::Ended)));
            }
            let result = answer.await.unwrap_or(Err(Arc::new(Failure::Ended)));
            result.map_err(failed)
        })
    }

    fn erase(&self, sessions: &[DumpName]) -> BoxFuture<'_, Result<Erasure, SinkError>> {
        let names: Vec<_> = sessions.iter().map(DumpName::to_string).collect();
        self.ask(|database| async move { database.erase(&names).await.map(Erasure::Erased) })
    }

    fn find(
        &self,
        selection: &Selection,
    ) -> BoxFuture<'_, Result<Option<Vec<DumpName>>, SinkError>> {
        let selection = selection.clone();
        self.ask(|database| async move { database.find(&selection).await.map(Some) })
    }

    fn stored(&self, name: &DumpName) -> BoxFuture<'_, Result<Option<SessionRecord>, SinkError>> {
        self.record(name)
    }

    fn name(&self) -> &str {
        NAME
    }
}

impl RecordStore for SqlSink {
    fn record(&self, name: &DumpName) -> BoxFuture<'_, Result<Option<SessionRecord>, SinkError>> {
        let name = name.clone();
        self.ask(|database| async move {
            let Some(stored) = database.record(&name).await? else {
                return Ok(None);
            };
            let mut parts = Vec::new();
            for (part, json) in stored {
                let part = rows::unescaped(&part);
                let Ok(json) = RawValue::from_string(json) else {
                    return Err(Failure::Foreign(format!("part {part} of {name}")));
                };
                parts.push(RecordPart { part, json });
            }
            Ok(Some(SessionRecord { name, parts }))
        })
    }

    fn latest(&self, query: &RecordQuery) -> BoxFuture<'_, Result<Vec<RecordEntry>, SinkError>> {
        let query = query.clone();
        self.ask(|database| async move {
            let found = database.latest(&query).await?.into_iter();
            let entries = found.map(|(name, modified_ms)| RecordEntry { name, modified_ms });
            Ok(entries.collect())
        })
    }

    /// Words are looked for in all records, by the database: fine for some hundred thousands of them.
    fn search(&self, search: &RecordSearch) -> BoxFuture<'_, Result<RecordPage, SinkError>> {
        let search = search.clone();
        self.ask(|database| async move { database.search(&search).await })
    }
}

/// Some names of columns are words of SQL.
fn quoted(column: &str) -> String {
    format!("\"{column}\"")
}

fn unix_ms() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_millis() as f64
}
