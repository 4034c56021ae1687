//! PostgreSQL.

use std::str::FromStr;
use std::sync::Arc;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::{PgArguments, PgConnectOptions, PgPoolOptions};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Error, PgPool, Postgres, Row as _, SqlSafeStr};

use super::rows::{Cell, RecordRows};
use super::schema::{Kind, TABLES, Table};
use super::{SqlSinkOptions, quoted, search};

/// The migration that lists of sessions came with.
const SEARCH: &str = include_str!("../../../migrations/postgres/0002_search.sql");

/// A PostgreSQL database.
#[derive(Debug)]
pub(super) struct Database {
    pool: PgPool,
    /// One for each of [`TABLES`].
    inserts: Vec<Arc<str>>,
}

impl Database {
    pub(super) async fn open(url: &str, options: &SqlSinkOptions) -> Result<Self, Error> {
        let milliseconds = options.timeout.as_millis().to_string();
        let connect = PgConnectOptions::from_str(url)?
            .application_name("rtcstats")
            .options([
                ("statement_timeout", milliseconds.as_str()),
                ("idle_in_transaction_session_timeout", milliseconds.as_str()),
            ]);
        let pool = PgPoolOptions::new()
            .max_connections(options.connections.max(1))
            .acquire_timeout(options.timeout)
            .connect_with(connect)
            .await?;
        migrate(&pool).await?;
        fill(&pool).await?;
        let inserts = TABLES.iter().map(|table| insert(table).into()).collect();
        Ok(Self { pool, inserts })
    }

    /// Writes the rows of these records instead of those that are there, all or nothing.
    pub(super) async fn replace(&self, records: &[RecordRows]) -> Result<(), Error> {
        let mut transaction = self.pool.begin().await?;
        let names: Vec<_> = records
            .iter()
            .map(|record| record.name.to_string())
            .collect();
        // Another node may publish the same session: one after the other, in an order that all keep.
        sqlx::query(
            "SELECT pg_advisory_xact_lock(lock) FROM (SELECT DISTINCT hashtextextended(name, 0) AS lock \
            FROM UNNEST($1::text[]) AS given (name) ORDER BY lock) AS locks",
        )
        .bind(&names)
        .execute(&mut *transaction)
        .await?;
        let ids: i64 = records.iter().map(|record| record.ids).sum();
        let ids: Vec<i64> =
            sqlx::query_scalar("SELECT nextval('rtcstats_ids') FROM generate_series(1, $1)")
                .bind(ids)
                .fetch_all(&mut *transaction)
                .await?;
        sqlx::query("DELETE FROM sessions WHERE name = ANY($1)")
            .bind(names)
            .execute(&mut *transaction)
            .await?;
        for (index, (table, insert)) in TABLES.iter().zip(&self.inserts).enumerate() {
            let mut first = 0;
            let mut rows = Vec::new();
            for record in records {
                let of_table = record.tables.get(index).into_iter().flatten();
                rows.extend(of_table.map(|row| (row, first)));
                first += record.ids;
            }
            if rows.is_empty() {
                continue;
            }
            let mut query = sqlx::query(AssertSqlSafe(Arc::clone(insert)));
            for (position, column) in table.columns.iter().enumerate() {
                let cells = rows.iter().map(|(row, first)| Placed {
                    cell: row.get(position).unwrap_or(&Cell::Null),
                    first: *first,
                    ids: &ids,
                });
                query = bind_column(query, column.kind, cells);
            }
            query.execute(&mut *transaction).await?;
        }
        transaction.commit().await
    }

    pub(super) async fn erase(&self, names: &[String]) -> Result<u64, Error> {
        let delete = sqlx::query("DELETE FROM sessions WHERE name = ANY($1)").bind(names);
        Ok(delete.execute(&self.pool).await?.rows_affected())
    }

    /// The first two columns of what a query yields, which are texts.
    pub(super) async fn texts(
        &self,
        sql: String,
        cells: &[Cell],
    ) -> Result<Vec<(String, Option<String>)>, Error> {
        let query = sqlx::query(AssertSqlSafe(sql));
        let query = cells.iter().fold(query, bind);
        let rows = query.fetch_all(&self.pool).await?;
        rows.iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect()
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}

/// The statement that inserts any number of rows, given as an array for each column.
fn insert(table: &Table) -> String {
    let mut names = Vec::new();
    let mut values = Vec::new();
    let mut arrays = Vec::new();
    let mut aliases = Vec::new();
    for (index, column) in table.columns.iter().enumerate() {
        let array = match column.kind {
            Kind::Text | Kind::Json | Kind::RawJson => "text",
            Kind::Integer => "bigint",
            Kind::Real | Kind::Time => "double precision",
            Kind::Boolean => "boolean",
        };
        names.push(quoted(column.name));
        arrays.push(format!("${}::{array}[]", index + 1));
        aliases.push(format!("c{index}"));
        values.push(match column.kind {
            Kind::Time => format!("to_timestamp(c{index} / 1000.0)"),
            Kind::Json => format!("c{index}::jsonb"),
            Kind::RawJson => format!("c{index}::json"),
            _ => format!("c{index}"),
        });
    }
    format!(
        "INSERT INTO {} ({}) SELECT {} FROM UNNEST({}) AS given ({})",
        table.name,
        names.join(", "),
        values.join(", "),
        arrays.join(", "),
        aliases.join(", "),
    )
}

/// A cell of a record whose ids begin at an index of the ids that were given.
struct Placed<'a> {
    cell: &'a Cell,
    first: i64,
    ids: &'a [i64],
}

type PgQuery<'q> = Query<'q, Postgres, PgArguments>;

fn bind_column<'a, 'q>(
    query: PgQuery<'q>,
    kind: Kind,
    cells: impl Iterator<Item = Placed<'a>>,
) -> PgQuery<'q> {
    match kind {
        Kind::Text | Kind::Json | Kind::RawJson => {
            let texts = cells.map(|placed| match placed.cell {
                Cell::Text(text) => Some(text.clone()),
                _ => None,
            });
            query.bind(texts.collect::<Vec<_>>())
        }
        Kind::Integer => query.bind(cells.map(|placed| placed.integer()).collect::<Vec<_>>()),
        Kind::Real | Kind::Time => {
            let numbers = cells.map(|placed| match placed.cell {
                Cell::Real(number) | Cell::Time(number) => Some(*number),
                _ => None,
            });
            query.bind(numbers.collect::<Vec<_>>())
        }
        Kind::Boolean => {
            let values = cells.map(|placed| match placed.cell {
                Cell::Boolean(value) => Some(*value),
                _ => None,
            });
            query.bind(values.collect::<Vec<_>>())
        }
    }
}

impl Placed<'_> {
    fn integer(&self) -> Option<i64> {
        match self.cell {
            Cell::Integer(number) => Some(*number),
            Cell::Id(id) => {
                let index = usize::try_from(self.first + id).ok()?;
                self.ids.get(index).copied()
            }
            _ => None,
        }
    }
}

fn bind<'q>(query: PgQuery<'q>, cell: &Cell) -> PgQuery<'q> {
    match cell {
        Cell::Null => query.bind(None::<String>),
        Cell::Text(text) => query.bind(text.clone()),
        Cell::Integer(number) | Cell::Id(number) => query.bind(*number),
        Cell::Real(number) | Cell::Time(number) => query.bind(*number),
        Cell::Boolean(value) => query.bind(*value),
    }
}

/// One node at a time: the others wait for it.
async fn migrate(pool: &PgPool) -> Result<(), Error> {
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
            include_str!("../../../migrations/postgres/0001_records.sql"),
        ),
        migration(2, "search", SEARCH),
    ]);
    Ok(migrator.run(pool).await?)
}

/// Fills what lists of sessions need in the rows of a node that knew of no such columns, and was still running
/// when the tables were brought up to date: the last node of a rolling upgrade finds all of them.
async fn fill(pool: &PgPool) -> Result<(), Error> {
    // What another node holds it is writing anew, or filling as well.
    const WHICH: &str =
        "id IN (SELECT id FROM sessions WHERE search_text IS NULL FOR UPDATE SKIP LOCKED)";
    let Some(sql) = search::fill(SEARCH, WHICH) else {
        return Ok(());
    };
    sqlx::query(AssertSqlSafe(sql)).execute(pool).await?;
    Ok(())
}
