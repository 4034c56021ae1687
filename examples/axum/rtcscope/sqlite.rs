//! Points in a file of SQLite.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use rtcstats_proto::jitsi::SessionId;
use rtcstats_server_core::BoxFuture;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{Row as _, Sqlite, SqlitePool, Transaction};

use super::interval::Sum;
use super::point::{CallId, Origin, Point};
use super::store::{CALLS, CallSum, Calls, Life, PointStore, Query, StoreError};

/// How long to wait for the database.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long one look at the points may take, however many there are: it is interrupted then.
const READ_PATIENCE: Duration = Duration::from_secs(5);

/// Instructions of the database between two looks at the clock: some microseconds.
const READ_STEPS: i32 = 10_000;

/// Looks at the points at the same time. Others wait, and are refused after [`PATIENCE`].
const READERS: u32 = 2;

/// Points that are removed in one transaction, so that others may write in between.
const REMOVED_AT_ONCE: i64 = 10_000;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS calls (
    number INTEGER PRIMARY KEY,
    call TEXT NOT NULL,
    origin INTEGER NOT NULL,
    last INTEGER NOT NULL,
    UNIQUE (call, origin)
);
CREATE TABLE IF NOT EXISTS points (
    series TEXT NOT NULL,
    time INTEGER NOT NULL,
    call INTEGER NOT NULL REFERENCES calls (number) ON DELETE CASCADE,
    value REAL NOT NULL,
    PRIMARY KEY (series, time, call)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS points_of_calls ON points (call, series, time);
";

/// Sums of buckets, by call. Parameters: series, start, end, width, sessions left out (JSON), most calls.
const SUMS_OF_EACH: &str = "
SELECT calls.call, points.time / $4 * $4 AS bucket, sum(points.value), count(*)
FROM points JOIN calls ON calls.number = points.call
WHERE points.series = $1 AND points.time >= $2 AND points.time < $3
    AND NOT (calls.origin = 1 AND calls.call IN (SELECT value FROM json_each($5)))
    AND points.call IN (SELECT call FROM points WHERE series = $1 AND time >= $2 AND time < $3
        GROUP BY call ORDER BY max(time) DESC LIMIT $6)
GROUP BY calls.call, bucket";

const SUMS_TOGETHER: &str = "
SELECT '', points.time / $4 * $4 AS bucket, sum(points.value), count(*)
FROM points JOIN calls ON calls.number = points.call
WHERE points.series = $1 AND points.time >= $2 AND points.time < $3
    AND NOT (calls.origin = 1 AND calls.call IN (SELECT value FROM json_each($5)))
GROUP BY bucket";

const SUMS_OF_ONE: &str = "
SELECT '', points.time / $4 * $4 AS bucket, sum(points.value), count(*)
FROM points JOIN calls ON calls.number = points.call
WHERE points.series = $1 AND points.time >= $2 AND points.time < $3 AND calls.call = $6
    AND NOT (calls.origin = 1 AND calls.call IN (SELECT value FROM json_each($5)))
GROUP BY bucket";

/// Points in a file: `rtcscope.db` in the data directory. They are on the disk when a request is answered.
///
/// Who reads keeps nobody from writing: there are connections for either.
pub(crate) struct SqliteStore {
    writer: SqlitePool,
    readers: SqlitePool,
    read_patience: Duration,
}

impl SqliteStore {
    /// Opens the file, or makes it.
    pub(crate) async fn open(file: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .busy_timeout(PATIENCE);
        let write = options
            .clone()
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(PATIENCE)
            .connect_with(write)
            .await?;
        sqlx::raw_sql(SCHEMA).execute(&writer).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(PATIENCE)
            .connect_with(options.pragma("query_only", "on"))
            .await?;
        Ok(Self {
            writer,
            readers,
            read_patience: READ_PATIENCE,
        })
    }

    async fn begin(&self) -> Result<Transaction<'_, Sqlite>, sqlx::Error> {
        // One that only reads at first could not write later, if another one did meanwhile.
        self.writer.begin_with("BEGIN IMMEDIATE").await
    }

    /// A connection to read from for a time, whether or not somebody waits for what it finds.
    async fn reader(&self) -> Result<PoolConnection<Sqlite>, StoreError> {
        let mut connection = self.readers.acquire().await?;
        let deadline = Instant::now() + self.read_patience;
        let mut handle = connection.lock_handle().await?;
        // Whoever has the connection next sets the time anew.
        handle.set_progress_handler(READ_STEPS, move || Instant::now() < deadline);
        drop(handle);
        Ok(connection)
    }

    /// What went wrong with a look at the points.
    fn unread(&self, error: sqlx::Error) -> StoreError {
        // SQLITE_INTERRUPT
        let is_interrupted = error
            .as_database_error()
            .is_some_and(|error| error.code().as_deref() == Some("9"));
        match is_interrupted {
            true => StoreError::Slow(self.read_patience),
            false => error.into(),
        }
    }

    async fn fetch_all(
        &self,
        query: sqlx::query::Query<'_, Sqlite, SqliteArguments>,
    ) -> Result<Vec<SqliteRow>, StoreError> {
        let mut connection = self.reader().await?;
        let rows = query.fetch_all(&mut *connection).await;
        rows.map_err(|error| self.unread(error))
    }

    async fn remove_before(&self, series: &str, before: i64) -> Result<(), sqlx::Error> {
        const REMOVE: &str = "
            DELETE FROM points WHERE series = $1 AND time < $2 AND (series, time, call) IN
                (SELECT series, time, call FROM points WHERE series = $1 AND time < $2 LIMIT $3)";
        loop {
            let removed = sqlx::query(REMOVE)
                .bind(series)
                .bind(before)
                .bind(REMOVED_AT_ONCE)
                .execute(&self.writer)
                .await?;
            if removed.rows_affected() == 0 {
                return Ok(());
            }
        }
    }
}

impl PointStore for SqliteStore {
    fn write<'a>(&'a self, points: &'a [Point]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let mut transaction = self.begin().await?;
            insert(&mut transaction, points).await?;
            Ok(transaction.commit().await?)
        })
    }

    fn write_session<'a>(
        &'a self,
        call: &'a CallId,
        points: &'a [Point],
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let mut transaction = self.begin().await?;
            remove_session(&mut transaction, call).await?;
            insert(&mut transaction, points).await?;
            Ok(transaction.commit().await?)
        })
    }

    fn sums<'a>(&'a self, query: &'a Query<'a>) -> BoxFuture<'a, Result<Vec<CallSum>, StoreError>> {
        Box::pin(async move {
            let left_out: Vec<_> = query.left_out.iter().map(CallId::as_str).collect();
            let sql = match query.calls {
                Calls::Each => SUMS_OF_EACH,
                Calls::Together => SUMS_TOGETHER,
                Calls::One(_) => SUMS_OF_ONE,
            };
            let statement = sqlx::query(sql)
                .bind(query.series)
                .bind(query.interval.start)
                .bind(query.interval.end)
                .bind(query.interval.width)
                .bind(serde_json::to_string(&left_out)?);
            let statement = match query.calls {
                Calls::Each => statement.bind(i64::try_from(CALLS).unwrap_or(i64::MAX)),
                Calls::Together => statement,
                Calls::One(call) => statement.bind(call.as_str()),
            };
            let rows = self.fetch_all(statement).await?;
            let sums = rows.iter().map(|row| {
                let count: i64 = row.try_get(3)?;
                Ok(CallSum {
                    call: row.try_get(0)?,
                    bucket: row.try_get(1)?,
                    sum: Sum {
                        sum: row.try_get(2)?,
                        count: count.unsigned_abs(),
                    },
                })
            });
            sums.collect()
        })
    }

    fn life<'a>(
        &'a self,
        call: &'a CallId,
        series: &'a str,
        left_out: &'a [CallId],
    ) -> BoxFuture<'a, Result<Option<Life>, StoreError>> {
        Box::pin(async move {
            let origins = "SELECT number, origin FROM calls WHERE call = $1";
            let rows = self
                .fetch_all(sqlx::query(origins).bind(call.as_str()))
                .await?;
            let mut life = None;
            for row in rows {
                let (number, origin): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
                if origin == Origin::Session.number() && left_out.contains(call) {
                    continue;
                }
                let ends =
                    "SELECT min(time), max(time) FROM points WHERE call = $1 AND series = $2";
                let rows = self
                    .fetch_all(sqlx::query(ends).bind(number).bind(series))
                    .await?;
                for row in &rows {
                    let ends: (Option<i64>, Option<i64>) = (row.try_get(0)?, row.try_get(1)?);
                    let ends = [ends.0, ends.1].into_iter().flatten();
                    life = Some(ends.fold(life.unwrap_or_default(), Life::with));
                }
            }
            Ok(life)
        })
    }

    fn find<'a>(
        &'a self,
        session: &'a SessionId,
    ) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        // The range is for the index; the pattern leaves out ids that only begin with the same letters.
        const FIND: &str = "
            SELECT DISTINCT call FROM calls
            WHERE call = $1 OR (call >= $1 || '_' AND call < $1 || '`'
                AND substr(call, length($1) + 2) NOT GLOB '*[^0-9]*')";
        Box::pin(async move {
            let find = sqlx::query(FIND).bind(session.as_str());
            let rows = self.fetch_all(find).await?;
            rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
        })
    }

    fn erase<'a>(&'a self, calls: &'a [CallId]) -> BoxFuture<'a, Result<u64, StoreError>> {
        Box::pin(async move {
            let mut transaction = self.begin().await?;
            let mut erased = 0;
            for call in calls {
                let removed = sqlx::query("DELETE FROM calls WHERE call = $1")
                    .bind(call.as_str())
                    .execute(&mut *transaction)
                    .await?;
                erased += u64::from(removed.rows_affected() > 0);
            }
            transaction.commit().await?;
            Ok(erased)
        })
    }

    fn expire(&self, before: i64) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let mut series = String::new();
            // A search of the index for each name, instead of a look at all points.
            let next = "SELECT min(series) FROM points WHERE series > $1";
            loop {
                let row = sqlx::query(next)
                    .bind(&series)
                    .fetch_one(&self.writer)
                    .await?;
                let Some(name) = row.try_get(0)? else {
                    break;
                };
                series = name;
                self.remove_before(&series, before).await?;
            }
            let calls = "DELETE FROM calls WHERE last < $1";
            sqlx::query(calls)
                .bind(before)
                .execute(&self.writer)
                .await?;
            Ok(())
        })
    }
}

async fn insert(
    transaction: &mut Transaction<'_, Sqlite>,
    points: &[Point],
) -> Result<(), sqlx::Error> {
    const CALL: &str = "
        INSERT INTO calls (call, origin, last) VALUES ($1, $2, $3)
        ON CONFLICT (call, origin) DO UPDATE SET last = max(last, excluded.last) RETURNING number";
    const POINT: &str =
        "INSERT OR REPLACE INTO points (series, time, call, value) VALUES ($1, $2, $3, $4)";
    let mut last: HashMap<(&CallId, Origin), i64> = HashMap::new();
    for point in points {
        let last = last
            .entry((&point.call, point.origin))
            .or_insert(point.time);
        *last = point.time.max(*last);
    }
    let mut numbers: HashMap<(&CallId, Origin), i64> = HashMap::new();
    for ((call, origin), last) in last {
        let number = sqlx::query(CALL)
            .bind(call.as_str())
            .bind(origin.number())
            .bind(last)
            .fetch_one(&mut **transaction)
            .await?
            .try_get(0)?;
        numbers.insert((call, origin), number);
    }
    for point in points {
        sqlx::query(POINT)
            .bind(point.series)
            .bind(point.time)
            .bind(numbers.get(&(&point.call, point.origin)))
            .bind(point.value)
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}

/// Removes what a session brought.
async fn remove_session(
    transaction: &mut Transaction<'_, Sqlite>,
    call: &CallId,
) -> Result<(), sqlx::Error> {
    let remove = "DELETE FROM calls WHERE call = $1 AND origin = $2";
    sqlx::query(remove)
        .bind(call.as_str())
        .bind(Origin::Session.number())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::interval::Interval;
    use super::*;

    const CALLS_WRITTEN: i64 = 50;
    const POINTS_OF_EACH: i64 = 200;

    fn point(call: &str, origin: Origin, time: i64) -> Point {
        Point {
            call: CallId::parse(call).unwrap(),
            origin,
            series: "rtt",
            time,
            value: 1.0,
        }
    }

    async fn store(directory: &Path) -> SqliteStore {
        let store = SqliteStore::open(&directory.join("points.db")).await;
        let store = store.unwrap();
        let points = (0..CALLS_WRITTEN).flat_map(|call| {
            let points = 0..POINTS_OF_EACH;
            points.map(move |time| point(&format!("call{call}"), Origin::Api, time))
        });
        store.write(&points.collect::<Vec<_>>()).await.unwrap();
        store
    }

    const ALL: Query<'static> = Query {
        series: "rtt",
        interval: Interval {
            start: 0,
            end: 1_000,
            width: 1_000,
        },
        calls: Calls::Together,
        left_out: &[],
    };

    async fn count(store: &SqliteStore) -> Result<u64, StoreError> {
        let sums = store.sums(&ALL).await?;
        Ok(sums.iter().map(|sum| sum.sum.count).sum())
    }

    #[tokio::test]
    async fn a_look_at_more_points_than_there_is_time_for_is_given_up() {
        let directory = tempfile::tempdir().unwrap();
        let mut store = store(directory.path()).await;
        store.read_patience = Duration::ZERO;
        // As often as there are connections, and once more: none is lost by it.
        for _ in 0..=READERS {
            let given_up = count(&store).await;
            assert!(matches!(given_up, Err(StoreError::Slow(_))), "{given_up:?}");
        }
        store.read_patience = READ_PATIENCE;
        let all = CALLS_WRITTEN * POINTS_OF_EACH;
        assert_eq!(count(&store).await.unwrap(), all.unsigned_abs());
    }

    #[tokio::test]
    async fn who_reads_keeps_nobody_from_writing_and_cannot_write() {
        let directory = tempfile::tempdir().unwrap();
        let store = store(directory.path()).await;
        let mut readers = Vec::new();
        for _ in 0..READERS {
            readers.push(store.reader().await.unwrap());
        }
        for reader in &mut readers {
            let erase = sqlx::query("DELETE FROM calls").execute(&mut **reader);
            assert!(erase.await.is_err());
        }
        let points = [point("more", Origin::Api, 0)];
        let written = tokio::time::timeout(PATIENCE / 2, store.write(&points)).await;
        written.unwrap().unwrap();
    }

    #[tokio::test]
    async fn calls_of_a_session_are_found_and_erased_whoever_told_of_them() {
        let directory = tempfile::tempdir().unwrap();
        let store = store(directory.path()).await;
        let points = [
            point("call1", Origin::Session, 0),
            point("call1_2", Origin::Session, 0),
            point("call1_x", Origin::Api, 0),
            point("call1-2", Origin::Api, 0),
        ];
        store.write(&points).await.unwrap();
        let session = SessionId::new("call1").unwrap();
        assert_eq!(store.find(&session).await.unwrap(), ["call1", "call1_2"]);
        let before = count(&store).await.unwrap();
        let call = CallId::parse("call1").unwrap();
        assert_eq!(store.erase(&[call]).await.unwrap(), 1);
        let erased = POINTS_OF_EACH.unsigned_abs() + 1;
        assert_eq!(count(&store).await.unwrap(), before - erased);
        assert_eq!(store.find(&session).await.unwrap(), ["call1_2"]);
    }
}
