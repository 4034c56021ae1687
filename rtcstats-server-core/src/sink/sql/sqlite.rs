//! SQLite.

use std::str::FromStr;
use std::sync::Arc;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::query::Query;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, Error, Row as _, SqlSafeStr, Sqlite, SqlitePool};

use super::rows::{Cell, RecordRows};
use super::schema::TABLES;
use super::{SqlSinkOptions, quoted, search, time};

/// The migration that lists of sessions came with.
const SEARCH: &str = include_str!("../../../migrations/sqlite/0002_search.sql");

/// A SQLite database.
#[derive(Debug)]
pub(super) struct Database {
    pool: SqlitePool,
    /// One for each of [`TABLES`].
    inserts: Vec<Arc<str>>,
}

impl Database {
    pub(super) async fn open(url: &str, options: &SqlSinkOptions) -> Result<Self, Error> {
        let connect = SqliteConnectOptions::from_str(url)?
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(options.timeout);
        // Each connection to memory has a database of its own.
        let is_in_memory = url.contains(":memory:") || url.contains("mode=memory");
        let pool = match is_in_memory {
            true => SqlitePoolOptions::new()
                .max_connections(1)
                .idle_timeout(None)
                .max_lifetime(None),
            false => SqlitePoolOptions::new().max_connections(options.connections.max(1)),
        };
        let pool = pool
            .acquire_timeout(options.timeout)
            .connect_with(connect)
            .await?;
        migrate(&pool).await?;
        fill(&pool).await?;
        let inserts = TABLES.iter().map(|table| {
            let names: Vec<_> = table
                .columns
                .iter()
                .map(|column| quoted(column.name))
                .collect();
            let values: Vec<_> = (1..=names.len()).map(|index| format!("${index}")).collect();
            let (names, values) = (names.join(", "), values.join(", "));
            format!("INSERT INTO {} ({names}) VALUES ({values})", table.name).into()
        });
        Ok(Self {
            inserts: inserts.collect(),
            pool,
        })
    }

    /// Writes the rows of these records instead of those that are there, all or nothing.
    pub(super) async fn replace(&self, records: &[RecordRows]) -> Result<(), Error> {
        // One that only reads at first could not write later, if another one did meanwhile.
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let ids: i64 = records.iter().map(|record| record.ids).sum();
        let ids = sqlx::query("UPDATE row_ids SET next = next + $1 RETURNING next - $1").bind(ids);
        let mut first: i64 = ids.fetch_one(&mut *transaction).await?.try_get(0)?;
        for record in records {
            sqlx::query("DELETE FROM sessions WHERE name = $1")
                .bind(record.name.to_string())
                .execute(&mut *transaction)
                .await?;
            for (rows, insert) in record.tables.iter().zip(&self.inserts) {
                for row in rows {
                    let insert = sqlx::query(AssertSqlSafe(Arc::clone(insert)));
                    let insert = row
                        .iter()
                        .fold(insert, |insert, cell| bind(insert, cell, first));
                    insert.execute(&mut *transaction).await?;
                }
            }
            first += record.ids;
        }
        transaction.commit().await
    }

    pub(super) async fn erase(&self, names: &[String]) -> Result<u64, Error> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let mut erased = 0;
        for name in names {
            let delete = sqlx::query("DELETE FROM sessions WHERE name = $1").bind(name);
            erased += delete.execute(&mut *transaction).await?.rows_affected();
        }
        transaction.commit().await?;
        Ok(erased)
    }

    /// The first two columns of what a query yields, which are texts.
    pub(super) async fn texts(
        &self,
        sql: String,
        cells: &[Cell],
    ) -> Result<Vec<(String, Option<String>)>, Error> {
        let query = sqlx::query(AssertSqlSafe(sql));
        let query = cells.iter().fold(query, |query, cell| bind(query, cell, 0));
        let rows = query.fetch_all(&self.pool).await?;
        rows.iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect()
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}

fn bind<'q>(
    query: Query<'q, Sqlite, SqliteArguments>,
    cell: &Cell,
    first_id: i64,
) -> Query<'q, Sqlite, SqliteArguments> {
    match cell {
        Cell::Null => query.bind(None::<i64>),
        Cell::Text(text) => query.bind(text.clone()),
        Cell::Integer(number) => query.bind(*number),
        Cell::Real(number) => query.bind(*number),
        Cell::Boolean(value) => query.bind(*value),
        Cell::Time(milliseconds) => query.bind(time::text(*milliseconds)),
        Cell::Id(id) => query.bind(first_id + id),
    }
}

async fn migrate(pool: &SqlitePool) -> Result<(), Error> {
    let migration = |version, description: &'static str, sql: &'static str| {
        let sql = sql.into_sql_str();
        Migration::new(
            version,
            description.into(),
            MigrationType::Simple,
            sql,
            false,
        )
    };
    let migrator = Migrator::with_migrations(vec![
        migration(
            1,
            "records",
            include_str!("../../../migrations/sqlite/0001_records.sql"),
        ),
        migration(2, "search", SEARCH),
    ]);
    // Nothing keeps other processes from migrating at the same time; the database lets one of them.
    const ATTEMPTS: u32 = 8;
    let mut attempt = 1;
    loop {
        let Err(error) = migrator.run(pool).await else {
            return Ok(());
        };
        if attempt == ATTEMPTS {
            return Err(error.into());
        }
        tokio::time::sleep(std::time::Duration::from_millis(50) * attempt).await;
        attempt += 1;
    }
}

/// Fills what lists of sessions need in the rows of a process that knew of no such columns, and was still running
/// when the tables were brought up to date.
async fn fill(pool: &SqlitePool) -> Result<(), Error> {
    let Some(sql) = search::fill(SEARCH, "search_text IS NULL") else {
        return Ok(());
    };
    sqlx::query(AssertSqlSafe(sql)).execute(pool).await?;
    Ok(())
}
