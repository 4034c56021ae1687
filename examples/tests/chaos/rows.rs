//! Rows of the database, counted past the sink that wrote them.

use std::collections::BTreeMap;

use rtcstats_server_core::{DumpName, SessionRecord};
use sqlx::{Connection, PgConnection, SqliteConnection};

/// Rows of one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rows {
    pub(crate) table: &'static str,
    pub(crate) count: u64,
    /// What the records have for it.
    pub(crate) expected: u64,
}

/// Rows of the tables that have one for each part of some kind.
pub(crate) async fn count(url: &str, records: &BTreeMap<DumpName, SessionRecord>) -> Vec<Rows> {
    let parts = |wanted: &str| {
        let parts = records.values().flat_map(|record| &record.parts);
        let wanted = parts.filter(|part| part.part.starts_with(wanted));
        wanted.count() as u64
    };
    let tables = [
        (
            "sessions",
            "SELECT count(*) FROM sessions",
            records.len() as u64,
        ),
        ("parts", "SELECT count(*) FROM parts", parts("")),
        (
            "rtcstats",
            "SELECT count(*) FROM rtcstats",
            parts("meeting"),
        ),
        (
            "rtcstats_pc_metrics",
            "SELECT count(*) FROM rtcstats_pc_metrics",
            parts("pc/"),
        ),
        (
            "rtcstats_track_metrics",
            "SELECT count(*) FROM rtcstats_track_metrics",
            parts("track/"),
        ),
        (
            "dump_metadata",
            "SELECT count(*) FROM dump_metadata",
            parts("metadata"),
        ),
        (
            "features_metadata",
            "SELECT count(*) FROM features_metadata",
            parts("session"),
        ),
    ];
    let mut rows = Vec::new();
    for (table, query, expected) in tables {
        let count = number(url, query).await;
        rows.push(Rows {
            table,
            count,
            expected,
        });
    }
    rows
}

async fn number(url: &str, query: &'static str) -> u64 {
    let number: i64 = if url.starts_with("postgres:") {
        let mut connection = PgConnection::connect(url).await.unwrap();
        let asked = sqlx::query_scalar(query).fetch_one(&mut connection);
        asked.await.unwrap()
    } else {
        let mut connection = SqliteConnection::connect(url).await.unwrap();
        let asked = sqlx::query_scalar(query).fetch_one(&mut connection);
        asked.await.unwrap()
    };
    number.unsigned_abs()
}
