//! The SQL sink, on SQLite in a file and in memory, and on PostgreSQL.

#![cfg(all(feature = "sql", feature = "testing"))]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod golden;
mod services;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::BufReader;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rtcstats_features::FeatureSet;
use rtcstats_server_core::testing::{self, block_on};
use rtcstats_server_core::{
    DumpName, Erasure, FeatureSink, RecordKey, RecordOptions, RecordPart, RecordQuery,
    RecordSearch, RecordStore, Selection, SessionRecord, SqlSink, SqlSinkOptions,
};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use services::postgres::Postgres;
use sqlx::{AssertSqlSafe, Column as _, Connection as _, Row as _, TypeInfo as _, ValueRef as _};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Where databases are made.
enum Engine {
    Memory,
    File {
        directory: TempDir,
        count: AtomicU32,
    },
    Postgres(Arc<Postgres>),
}

impl Engine {
    /// All that are installed.
    fn all() -> Vec<Self> {
        let mut engines = vec![Self::Memory];
        engines.extend(Self::durable());
        engines
    }

    /// Those whose databases can be opened more than once.
    fn durable() -> Vec<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mut engines = vec![Self::File {
            directory,
            count: AtomicU32::new(0),
        }];
        engines.extend(Postgres::shared().map(Self::Postgres));
        engines
    }

    fn new_url(&self) -> String {
        match self {
            Self::Memory => "sqlite::memory:".to_owned(),
            Self::File { directory, count } => {
                let number = count.fetch_add(1, Ordering::Relaxed);
                format!(
                    "sqlite://{}/{number}.db?mode=rwc",
                    directory.path().display()
                )
            }
            Self::Postgres(server) => server.new_database(),
        }
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

fn open(runtime: &Runtime, url: &str) -> SqlSink {
    runtime.block_on(SqlSink::open(url)).unwrap()
}

fn record(name: &str, parts: Value) -> SessionRecord {
    let Value::Object(parts) = parts else {
        panic!("no parts")
    };
    let parts = parts.into_iter().map(|(part, value)| RecordPart {
        part,
        json: serde_json::value::to_raw_value(&value).unwrap(),
    });
    SessionRecord {
        name: name.parse().unwrap(),
        parts: parts.collect(),
    }
}

fn publish(sink: &SqlSink, record: &SessionRecord) {
    block_on(sink.publish(record)).unwrap();
}

/// Everything in a sink: (session, part, JSON).
fn stored(sink: &SqlSink) -> Vec<(DumpName, String, String)> {
    let entries = block_on(sink.latest(&RecordQuery::last(usize::MAX))).unwrap();
    let mut stored = Vec::new();
    for entry in entries {
        let record = block_on(sink.record(&entry.name)).unwrap().unwrap();
        for RecordPart { part, json } in record.parts {
            stored.push((entry.name.clone(), part, json.get().to_owned()));
        }
    }
    stored
}

const TABLES: [&str; 14] = [
    "sessions",
    "session_peers",
    "parts",
    "rtcstats",
    "rtcstats_pc_metrics",
    "rtcstats_track_metrics",
    "rtcstats_e2e_ping",
    "rtcstats_face_landmarks",
    "rtcstats_meeting_event",
    "dump_metadata",
    "features_metadata",
    "features_client",
    "features_connection",
    "features_track",
];

/// A connection beside the sink.
enum Beside {
    Sqlite(sqlx::SqliteConnection),
    Postgres(sqlx::PgConnection),
}

impl Beside {
    async fn open(url: &str) -> Self {
        match url.starts_with("sqlite") {
            true => Self::Sqlite(sqlx::SqliteConnection::connect(url).await.unwrap()),
            false => Self::Postgres(sqlx::PgConnection::connect(url).await.unwrap()),
        }
    }

    async fn execute(&mut self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite(connection) => drop(sqlx::query(sql).execute(connection).await.unwrap()),
            Self::Postgres(connection) => drop(sqlx::query(sql).execute(connection).await.unwrap()),
        }
    }

    /// What a query yields, an object for each row.
    async fn rows(&mut self, sql: &str) -> Vec<Map<String, Value>> {
        match self {
            Self::Sqlite(connection) => {
                let rows = sqlx::query(AssertSqlSafe(sql.to_owned()))
                    .fetch_all(connection)
                    .await;
                rows.unwrap().iter().map(sqlite_row).collect()
            }
            Self::Postgres(connection) => {
                let sql = format!("SELECT CAST(row_to_json(found) AS text) FROM ({sql}) AS found");
                let rows = sqlx::query(AssertSqlSafe(sql))
                    .fetch_all(connection)
                    .await
                    .unwrap();
                let texts = rows.iter().map(|row| row.get::<String, _>(0));
                texts
                    .map(|text| serde_json::from_str(&text).unwrap())
                    .collect()
            }
        }
    }

    fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }
}

fn sqlite_row(row: &sqlx::sqlite::SqliteRow) -> Map<String, Value> {
    let cell = |column: &sqlx::sqlite::SqliteColumn| {
        let value = row.try_get_raw(column.ordinal()).unwrap();
        let kind = value.type_info().name().to_owned();
        let value = match kind.as_str() {
            _ if value.is_null() => Value::Null,
            "INTEGER" => row.get::<i64, _>(column.ordinal()).into(),
            "REAL" => row.get::<f64, _>(column.ordinal()).into(),
            "TEXT" => row.get::<String, _>(column.ordinal()).into(),
            other => panic!("{other}"),
        };
        (column.name().to_owned(), value)
    };
    row.columns().iter().map(cell).collect()
}

#[test]
fn the_sink_keeps_the_contract() {
    let runtime = runtime();
    for engine in Engine::all() {
        testing::sink_contract(|| open(&runtime, &engine.new_url()), stored);
    }
}

#[test]
fn the_sink_keeps_the_contract_of_stores() {
    let runtime = runtime();
    for engine in Engine::all() {
        testing::record_store_contract(|| open(&runtime, &engine.new_url()));
    }
}

#[test]
fn records_from_before_lists_were_searched_are_found_as_those_written_since() {
    const COLUMNS: [&str; 4] = [
        "connections",
        "packet_loss",
        "round_trip_time_ms",
        "search_text",
    ];
    let runtime = runtime();
    for engine in Engine::durable() {
        let url = engine.new_url();
        let sink = open(&runtime, &url);
        for record in recordings() {
            publish(&sink, &record);
        }
        let named = json!({
            "session": {"user": "U", "conference": "C\0", "session": "S", "clientId": "I"},
            "features": {"dumpMetadata": {"userId": "D", "conferenceUrl": "h/c", "conferenceId": "N"}},
        });
        publish(&sink, &record("named", named));
        publish(&sink, &record("bare", json!({})));
        let mut beside = runtime.block_on(Beside::open(&url));
        let all = format!(
            "SELECT name, {} FROM sessions ORDER BY id",
            COLUMNS.join(", ")
        );
        let written = runtime.block_on(beside.rows(&all));
        runtime.block_on(sink.close());
        // As it was before.
        let indexes = match beside.is_postgres() {
            true => {
                "SELECT indexname AS name FROM pg_indexes WHERE indexname LIKE 'sessions_search%'"
            }
            false => {
                "SELECT name FROM sqlite_master WHERE type = 'index' AND name LIKE 'sessions_search%'"
            }
        };
        for index in runtime.block_on(beside.rows(indexes)) {
            let drop = format!("DROP INDEX {}", index["name"].as_str().unwrap());
            runtime.block_on(beside.execute(&drop));
        }
        for column in COLUMNS {
            let drop = format!("ALTER TABLE sessions DROP COLUMN {column}");
            runtime.block_on(beside.execute(&drop));
        }
        runtime.block_on(beside.execute("DELETE FROM _sqlx_migrations WHERE version = 2"));

        let sink = open(&runtime, &url);
        let mut beside = runtime.block_on(Beside::open(&url));
        let migrated = runtime.block_on(beside.rows(&all));
        assert_eq!(migrated.len(), written.len());
        for (migrated, written) in migrated.iter().zip(&written) {
            for column in ["name", "connections", "search_text"] {
                assert_eq!(migrated[column], written[column], "{}", written["name"]);
            }
            for column in ["packet_loss", "round_trip_time_ms"] {
                let of = |row: &Map<String, Value>| row[column].as_f64().unwrap_or(-1.0);
                let difference = (of(migrated) - of(written)).abs();
                assert!(difference < 1e-9, "{column} of {}", written["name"]);
            }
        }
        if written.len() > 2 {
            for column in ["connections", "packet_loss", "round_trip_time_ms"] {
                assert!(
                    written.iter().any(|row| row[column].as_f64() > Some(0.0)),
                    "{column}"
                );
            }
        }
        let wanted = RecordSearch {
            text: "n".to_owned(),
            ..RecordSearch::last(99)
        };
        let found = block_on(sink.search(&wanted)).unwrap();
        assert!(found.rows.iter().any(|row| row.name.to_string() == "named"));
        runtime.block_on(sink.close());

        // A node that knows of no such columns writes after that, until it goes as well.
        let nothing = COLUMNS.map(|column| format!("{column} = NULL")).join(", ");
        let write = format!("UPDATE sessions SET {nothing} WHERE name <> 'bare'");
        runtime.block_on(beside.execute(&write));
        // Rows that have them are as they were.
        let keep = "UPDATE sessions SET connections = 77 WHERE name = 'bare'";
        runtime.block_on(beside.execute(keep));
        let sink = open(&runtime, &url);
        let mut beside = runtime.block_on(Beside::open(&url));
        let filled = runtime.block_on(beside.rows(&all));
        let by_name = |rows: &[Map<String, Value>]| {
            let rows = rows.iter().filter(|row| row["name"] != "bare");
            let rows = rows.map(|row| (row["name"].to_string(), row.clone()));
            rows.collect::<BTreeMap<_, _>>()
        };
        assert_eq!(by_name(&filled), by_name(&migrated));
        let bare = filled.iter().find(|row| row["name"] == "bare").unwrap();
        assert_eq!(bare["connections"], 77);
        let found = block_on(sink.search(&wanted)).unwrap();
        assert!(found.rows.iter().any(|row| row.name.to_string() == "named"));
    }
}

#[test]
fn opened_by_several_nodes_at_once_and_again_a_database_is_the_same() {
    let runtime = runtime();
    for engine in Engine::durable() {
        let url = engine.new_url();
        let nodes: Vec<_> = (0..8)
            .map(|_| {
                let url = url.clone();
                runtime.spawn(async move { SqlSink::open(&url).await.unwrap() })
            })
            .collect();
        for (index, node) in nodes.into_iter().enumerate() {
            let sink = runtime.block_on(node).unwrap();
            publish(
                &sink,
                &record(&format!("node-{index}"), json!({"features": {}})),
            );
        }
        let sink = open(&runtime, &url);
        assert_eq!(stored(&sink).len(), 8);
    }
}

#[test]
fn whoever_reads_sees_one_record_or_the_other_and_nothing_between() {
    const RECORDS: usize = 60;
    let runtime = runtime();
    for engine in Engine::durable() {
        let url = engine.new_url();
        let sink = Arc::new(open(&runtime, &url));
        let of_version = |version: usize| {
            let parts = (0..1 + version % 2 * 40).map(|part| {
                let track = json!({"pcId": "p", "packets": version});
                (format!("track/{part}"), track)
            });
            record("s", Value::Object(parts.collect()))
        };
        publish(&sink, &of_version(0));
        let writer = {
            let sink = Arc::clone(&sink);
            runtime.spawn(async move {
                for version in 1..RECORDS {
                    sink.publish(&of_version(version)).await.unwrap();
                }
            })
        };
        let mut versions = BTreeSet::new();
        let mut check = || {
            let seen = block_on(sink.record(&"s".parse().unwrap()))
                .unwrap()
                .unwrap();
            let version = |part: &RecordPart| {
                let track: Value = serde_json::from_str(part.json.get()).unwrap();
                track["packets"].as_u64().unwrap() as usize
            };
            let first = version(&seen.parts[0]);
            assert_eq!(seen.parts.len(), 1 + first % 2 * 40);
            assert!(seen.parts.iter().all(|part| version(part) == first));
            versions.insert(first);
        };
        while !writer.is_finished() {
            check();
        }
        check();
        runtime.block_on(writer).unwrap();
        assert!(versions.len() > 2, "{versions:?}");
        let mut beside = runtime.block_on(Beside::open(&url));
        let rows = runtime.block_on(beside.rows("SELECT packets FROM rtcstats_track_metrics"));
        assert_eq!(rows.len(), 41);
    }
}

#[test]
fn two_nodes_that_publish_the_same_session_leave_one_record() {
    let runtime = runtime();
    for engine in Engine::durable() {
        let url = engine.new_url();
        let sinks = [open(&runtime, &url), open(&runtime, &url)].map(Arc::new);
        let tasks: Vec<_> = (0..40)
            .map(|index: usize| {
                let sink = Arc::clone(&sinks[index % 2]);
                let record = record("s", json!({"features": {}, "pc/0": {"id": index}}));
                runtime.spawn(async move { sink.publish(&record).await })
            })
            .collect();
        for task in tasks {
            runtime.block_on(task).unwrap().unwrap();
        }
        assert_eq!(stored(&sinks[0]).len(), 2);
        let mut beside = runtime.block_on(Beside::open(&url));
        for table in ["sessions", "rtcstats_pc_metrics", "features_metadata"] {
            let rows = runtime.block_on(beside.rows(&format!("SELECT * FROM {table}")));
            assert_eq!(rows.len(), 1, "{table}");
        }
    }
}

/// Records of real recordings of all generations.
fn recordings() -> Vec<SessionRecord> {
    let names = [
        "google-standard-stats-p2p",
        "firefox-standard-stats-sfu",
        "chrome96-standard-stats-p2p-add-transceiver",
        "chrome-relay",
        "firefox-relay",
        "jicofo-sample",
    ];
    let mut records = Vec::new();
    for name in names {
        let Some(path) = golden::shared(&format!("golden/jitsi/{name}.dump")) else {
            continue;
        };
        let options = RecordOptions {
            environment: "test",
            now: 1_750_000_000_000.5,
            bytes: 0,
        };
        let dump = BufReader::new(File::open(path).unwrap());
        let limits = rtcstats_proto::Limits::default();
        let name = name.parse().unwrap();
        let record = SessionRecord::extract(name, dump, &FeatureSet::ALL, limits, &options);
        records.push(record.unwrap());
    }
    records
}

fn part(record: &SessionRecord, name: &str) -> Map<String, Value> {
    let part = record.part(name).map_or("{}", RawValue::get);
    serde_json::from_str(part).unwrap()
}

fn snake(member: &str) -> String {
    let mut name = String::new();
    for character in member.chars() {
        if character.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(character.to_ascii_lowercase());
    }
    name
}

/// Holds a row against the object that it was made of; how many members were compared.
fn compare(
    row: &Map<String, Value>,
    object: &Map<String, Value>,
    column: impl Fn(&str) -> String,
) -> usize {
    let mut compared = 0;
    for (member, value) in object {
        let Some(cell) = row.get(&column(member)) else {
            continue;
        };
        let is_time = [
            "startTime",
            "createDate",
            "conferenceStartTime",
            "endTime",
            "sessionStartTime",
            "sessionEndTime",
            "startDate",
            "endDate",
        ]
        .contains(&member.as_str());
        let equal = match (value, cell) {
            _ if is_time => value.is_null() == cell.is_null(),
            (Value::Null, cell) => cell.is_null(),
            (Value::Bool(value), cell) => {
                *cell == Value::Bool(*value) || *cell == json!(i64::from(*value))
            }
            (Value::Number(value), Value::Number(cell)) => value.as_f64() == cell.as_f64(),
            (Value::Number(value), Value::String(cell)) => value.to_string() == *cell,
            (Value::Object(_) | Value::Array(_), Value::String(cell)) => {
                serde_json::from_str::<Value>(cell).unwrap() == *value
            }
            (value, cell) => value == cell,
        };
        assert!(equal, "{member}: {value} is {cell}");
        compared += 1;
    }
    compared
}

#[test]
fn features_of_real_recordings_are_in_the_columns() {
    let records = recordings();
    let runtime = runtime();
    for engine in Engine::durable() {
        let url = engine.new_url();
        let sink = open(&runtime, &url);
        let mut beside = runtime.block_on(Beside::open(&url));
        let mut compared: BTreeMap<&str, usize> = BTreeMap::new();
        for record in &records {
            publish(&sink, record);
            let mut select = |from: &str| {
                let sql = format!("SELECT x.* FROM {from} AND s.name = '{}'", record.name);
                runtime.block_on(beside.rows(&sql))
            };
            let [session] = select("sessions s JOIN sessions x ON x.id = s.id")
                .try_into()
                .unwrap();
            let facts = part(record, "session");
            assert_eq!(session["events"], facts["events"]);
            assert_eq!(session["bytes"], facts["bytes"]);
            assert_eq!(
                session["extractor_version"],
                SessionRecord::EXTRACTOR_VERSION
            );
            let metadata = &part(record, "features")["dumpMetadata"];
            assert_eq!(session["conference_name"], metadata["conferenceId"]);

            let one = |table: &'static str,
                       prefix: &str,
                       lower: bool,
                       rows: Vec<Map<String, Value>>,
                       compared: &mut BTreeMap<&str, usize>| {
                let parts: Vec<_> = record
                    .parts
                    .iter()
                    .filter(|part| part.part.split('/').next() == Some(prefix))
                    .collect();
                assert_eq!(rows.len(), parts.len(), "{table} of {}", record.name);
                for (row, part) in rows.iter().zip(parts) {
                    let object: Map<String, Value> = serde_json::from_str(part.json.get()).unwrap();
                    let column = |member: &str| {
                        if lower {
                            member.to_lowercase()
                        } else {
                            snake(member)
                        }
                    };
                    let count = compare(row, &object, column);
                    if lower {
                        assert_eq!(count, object.len(), "a member of {table} has no column");
                    }
                    *compared.entry(table).or_default() += count;
                }
            };
            for (table, prefix) in [
                ("rtcstats", "meeting"),
                ("rtcstats_pc_metrics", "pc"),
                ("rtcstats_track_metrics", "track"),
                ("dump_metadata", "metadata"),
            ] {
                let rows = select(&format!("sessions s JOIN {table} x ON x.session = s.id"));
                one(table, prefix, true, rows, &mut compared);
            }
            let rows = select("sessions s JOIN features_client x ON x.dump_id = s.id");
            one("features_client", "rtcstats", false, rows, &mut compared);

            let features = part(record, "rtcstats");
            let empty = Vec::new();
            let connections = features
                .get("peerConnections")
                .map_or(&empty, |list| list.as_array().unwrap());
            let rows = select("sessions s JOIN features_connection x ON x.dump_id = s.id");
            assert_eq!(rows.len(), connections.len());
            let identifiers = facts.get("connectionIdentifiers");
            for (index, (row, connection)) in rows.iter().zip(connections).enumerate() {
                let connection = connection.as_object().unwrap();
                let count = compare(row, connection, snake);
                assert_eq!(count + 1, connection.len(), "only `tracks` has no column");
                assert_eq!(row["connection_identifier"], identifiers.unwrap()[index]);
                let tracks = select(&format!(
                    "sessions s JOIN features_track x ON x.connection_id = {}",
                    row["id"]
                ));
                let expected = connection["tracks"].as_array().unwrap();
                assert_eq!(tracks.len(), expected.len());
                for (row, track) in tracks.iter().zip(expected) {
                    let track = track.as_object().unwrap();
                    assert_eq!(compare(row, track, snake), track.len());
                    *compared.entry("features_track").or_default() += track.len();
                }
                *compared.entry("features_connection").or_default() += count;
            }
        }
        if records.is_empty() {
            continue;
        }
        for (table, least) in [
            ("rtcstats", 100),
            ("rtcstats_pc_metrics", 200),
            ("rtcstats_track_metrics", 500),
            ("features_client", 40),
            ("features_connection", 200),
            ("features_track", 200),
        ] {
            assert!(compared[table] > least, "{compared:?}");
        }
        for table in [
            "rtcstats_face_landmarks",
            "rtcstats_meeting_event",
            "rtcstats_e2e_ping",
        ] {
            let rows = runtime.block_on(beside.rows(&format!("SELECT * FROM {table}")));
            assert!(!rows.is_empty(), "{table}");
        }
    }
}

#[test]
fn times_are_times_for_the_database() {
    let runtime = runtime();
    for engine in Engine::durable() {
        let url = engine.new_url();
        let sink = open(&runtime, &url);
        let record = record(
            "s",
            json!({
                "session": {"startedMs": 1_700_000_000_123_u64},
                "rtcstats": {"startTime": 1_600_000_000_000.25, "duration": 1_500.5, "peerConnections": []},
                "meeting": {"sessionStartTime": "2023-11-14 22:13:20"},
            }),
        );
        publish(&sink, &record);
        let mut beside = runtime.block_on(Beside::open(&url));
        let epoch = |column: &str| match beside_kind(&url) {
            true => format!("CAST(extract(epoch FROM {column}) * 1000 AS double precision)"),
            false => format!("round((julianday({column}) - 2440587.5) * 86400000)"),
        };
        let sql = format!(
            "SELECT {} AS started, {} AS ended, {} AS client, {} AS meeting FROM sessions s \
            JOIN features_client c ON c.dump_id = s.id JOIN rtcstats m ON m.session = s.id",
            epoch("s.started_at"),
            epoch("s.ended_at"),
            epoch("c.start_time"),
            epoch("m.sessionstarttime"),
        );
        let row = &runtime.block_on(beside.rows(&sql))[0];
        let is = |column: &str, expected: f64| {
            let found = row[column].as_f64().unwrap();
            assert!(
                (found - expected).abs() <= 1.0,
                "{column}: {found} {expected}"
            );
        };
        is("started", 1_700_000_000_123.0);
        is("ended", 1_700_000_001_623.5);
        is("client", 1_600_000_000_000.25);
        is("meeting", 1_700_000_000_000.0);
    }
}

fn beside_kind(url: &str) -> bool {
    url.starts_with("postgres")
}

#[test]
fn erased_sessions_leave_nothing_and_others_stay() {
    let runtime = runtime();
    let mut records = recordings();
    records.push(record(
        "made-up",
        json!({
            "session": {"peerIds": ["p"]},
            "features": {"features": {
                "e2epings": {"e": {"rtt": 5}},
                "faceLandmarksTimestamps": [{"timestamp": 5, "faceLandmarks": "happy"}],
                "dominantSpeakerEvents": [{"type": "x", "timestamp": 5}],
            }},
            "meeting": {}, "metadata": {}, "pc/0": {}, "track/0": {},
            "rtcstats": {"peerConnections": [{"tracks": [{"kind": "audio"}]}]},
        }),
    ));
    for engine in Engine::durable() {
        let url = engine.new_url();
        let sink = open(&runtime, &url);
        for record in &records {
            publish(&sink, record);
        }
        let mut beside = runtime.block_on(Beside::open(&url));
        let catalog = match beside.is_postgres() {
            true => "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'",
            false => "SELECT name FROM sqlite_master WHERE type = 'table'",
        };
        let tables = runtime.block_on(beside.rows(catalog));
        let tables: BTreeSet<_> = tables
            .iter()
            .map(|row| row["name"].as_str().unwrap())
            .collect();
        let tables: BTreeSet<_> = tables
            .into_iter()
            .filter(|name| {
                !["_sqlx_migrations", "row_ids"].contains(name) && !name.starts_with("sqlite_")
            })
            .collect();
        assert_eq!(tables, BTreeSet::from(TABLES));
        let mut count = |table: &str| {
            runtime
                .block_on(beside.rows(&format!("SELECT * FROM {table}")))
                .len()
        };
        for table in TABLES {
            assert!(count(table) > 0, "{table}");
        }
        let names: Vec<_> = records.iter().map(|record| record.name.clone()).collect();
        let (kept, erased) = names.split_last().unwrap();
        let before = stored(&sink)
            .into_iter()
            .filter(|part| part.0 == *kept)
            .collect::<Vec<_>>();
        assert_eq!(
            block_on(sink.erase(erased)).unwrap(),
            Erasure::Erased(erased.len() as u64)
        );
        assert_eq!(block_on(sink.erase(erased)).unwrap(), Erasure::Erased(0));
        assert_eq!(stored(&sink), before);
        for table in TABLES {
            assert!(count(table) > 0, "{table}");
        }
        assert_eq!(block_on(sink.erase(&names)).unwrap(), Erasure::Erased(1));
        for table in TABLES {
            assert_eq!(count(table), 0, "{table}");
        }
    }
}

#[test]
fn sessions_are_found_by_what_they_are_called_and_when_they_ended() {
    let runtime = runtime();
    for engine in Engine::all() {
        let sink = open(&runtime, &engine.new_url());
        let call = |user: &str, started: u64, duration: f64| {
            json!({
                "session": {"user": user, "conference": "c\0", "session": "x", "clientId": "i", "peerIds": ["p", user], "startedMs": started},
                "features": {"dumpMetadata": {"userId": "shown", "conferenceUrl": "u/c", "conferenceId": "room", "sessionId": "unique"}},
                "rtcstats": {"startTime": 5, "duration": duration, "peerConnections": []},
            })
        };
        publish(&sink, &record("a", call("ann", 1_000, 500.0)));
        publish(&sink, &record("a_1", call("bob", 2_000, 500.0)));
        publish(&sink, &record("b", json!({})));
        let by_identity = json!({"features": {"dumpMetadata": {"ampUserId": "amp"}}});
        publish(&sink, &record("amp", by_identity));
        let find = |selection: Selection| {
            let found = block_on(sink.find(&selection)).unwrap().unwrap();
            found.iter().map(DumpName::to_string).collect::<Vec<_>>()
        };
        let text = str::to_owned;
        assert_eq!(find(Selection::User(text("ann"))), ["a"]);
        assert_eq!(find(Selection::User(text("shown"))), ["a", "a_1"]);
        assert_eq!(find(Selection::User(text("c"))), [""; 0]);
        assert_eq!(find(Selection::Conference(text("c\0"))), ["a", "a_1"]);
        for conference in ["u/c", "Room", "unique"] {
            let found = find(Selection::Conference(text(conference)));
            assert_eq!(found, ["a", "a_1"], "{conference}");
        }
        assert_eq!(find(Selection::User(text("amp"))), ["amp"]);
        block_on(sink.erase(&["amp".parse().unwrap()])).unwrap();
        assert_eq!(
            find(Selection::Session(
                "a".parse::<DumpName>().unwrap().session_id().clone()
            )),
            ["a", "a_1"]
        );
        assert_eq!(find(Selection::EndedBefore(1_500.0)), [""; 0]);
        assert_eq!(find(Selection::EndedBefore(1_501.0)), ["a"]);
        assert_eq!(find(Selection::EndedBefore(1e15)), ["a", "a_1", "b"]);
        assert_eq!(
            find(Selection::EndedBefore(f64::INFINITY)),
            ["a", "a_1", "b"]
        );
        assert_eq!(find(Selection::EndedBefore(f64::NAN)), [""; 0]);
        assert_eq!(find(Selection::EndedBefore(-f64::MAX)), [""; 0]);

        let latest = |change: fn(&mut RecordQuery)| {
            let mut query = RecordQuery::last(9);
            change(&mut query);
            let found = block_on(sink.latest(&query)).unwrap();
            found
                .iter()
                .map(|entry| entry.name.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(latest(|_| {}), ["b", "a_1", "a"]);
        assert_eq!(latest(|query| query.limit = 2), ["b", "a_1"]);
        assert_eq!(latest(|query| query.user = Some("bob".to_owned())), ["a_1"]);
        assert_eq!(
            latest(|query| query.peer_id = Some("ann".to_owned())),
            ["a"]
        );
        assert_eq!(
            latest(|query| {
                query.conference = Some("c\0".to_owned());
                query.session = Some("x".to_owned());
                query.client_id = Some("i".to_owned());
                query.peer_id = Some("p".to_owned());
            }),
            ["a_1", "a"]
        );
        assert_eq!(
            latest(|query| query.session = Some("y".to_owned())),
            [""; 0]
        );
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_millis() as f64;
        let entry = &block_on(sink.latest(&RecordQuery::last(1))).unwrap()[0];
        assert!(
            (now - entry.modified_ms).abs() < 60_000.0,
            "{}",
            entry.modified_ms
        );
        assert!(
            block_on(sink.record(&"c".parse().unwrap()))
                .unwrap()
                .is_none()
        );
    }
}

#[test]
fn whatever_a_part_holds_is_taken_and_given_back() {
    let runtime = runtime();
    let long = "x".repeat(100_000);
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    let parts = [
        ("session", json!({"user": long, "conference": format!("{long}\0"), "peerIds": [long, 5, null], "events": -1e300, "startedMs": 1e300, "continuesFrom": "x"}).to_string()),
        ("features", r#"{"features":{"e2epings":{"\u0000":{"rtt":"x"}},"dominantSpeakerEvents":[5,{"timestamp":1e999}]}}"#.to_owned()),
        ("rtcstats", json!({"userAgentData": {"a\0": ["\0"]}, "screen": 5, "deviceMemory": 0.5, "peerConnections": [5, {"tracks": 5}, {"tracks": [null, {"qpSum": 1e30, "kind": ["\0"]}]}]}).to_string()),
        ("meeting", "[]".to_owned()),
        ("pc/\0", r#"{"isP2P":"yes","ssrc":1.50,"lone":"\ud800"}"#.to_owned()),
        ("track/x", deep),
        ("\\0\0\\", "1e999".to_owned()),
        ("", r#"  {"a" : 1}"#.trim().to_owned()),
    ];
    let record = SessionRecord {
        name: "s".parse().unwrap(),
        parts: parts
            .iter()
            .map(|(part, json)| RecordPart {
                part: (*part).to_owned(),
                json: RawValue::from_string(json.clone()).unwrap(),
            })
            .collect(),
    };
    for engine in Engine::all() {
        let sink = open(&runtime, &engine.new_url());
        publish(&sink, &record);
        let found = block_on(sink.record(&record.name)).unwrap().unwrap();
        let found = found
            .parts
            .iter()
            .map(|part| (part.part.as_str(), part.json.get().to_owned()));
        assert_eq!(found.collect::<Vec<_>>(), parts);
    }
}

#[test]
fn a_record_that_is_refused_keeps_no_other_out() {
    let runtime = runtime();
    for engine in Engine::durable() {
        let url = engine.new_url();
        let sink = Arc::new(open(&runtime, &url));
        let mut beside = runtime.block_on(Beside::open(&url));
        let refuse = match beside.is_postgres() {
            true => "ALTER TABLE sessions ADD CHECK (name <> 'bad')",
            false => {
                "CREATE TRIGGER refuse BEFORE INSERT ON sessions WHEN NEW.name = 'bad' \
                BEGIN SELECT raise(ABORT, 'bad'); END"
            }
        };
        runtime.block_on(beside.execute(refuse));
        let tasks: Vec<_> = (0..40)
            .map(|index| {
                let name = if index == 20 {
                    "bad".to_owned()
                } else {
                    format!("good-{index}")
                };
                let sink = Arc::clone(&sink);
                runtime.spawn(async move {
                    let result = sink.publish(&record(&name, json!({"features": {}}))).await;
                    assert_eq!(result.is_err(), name == "bad");
                })
            })
            .collect();
        for task in tasks {
            runtime.block_on(task).unwrap();
        }
        assert_eq!(stored(&sink).len(), 39);
    }
}

#[test]
fn a_database_that_is_not_there_is_an_error_that_keeps_the_password() {
    let runtime = runtime();
    let options = SqlSinkOptions {
        timeout: Duration::from_millis(500),
        ..SqlSinkOptions::default()
    };
    // Takes connections, and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("postgres://u:secret@{}/d", silent.local_addr().unwrap());
    for url in [
        silent.as_str(),
        "postgres://u:secret@127.0.0.1:1/d",
        "mysql://u:secret@h/d",
        "sqlite:///no/such/secret/file",
        "",
    ] {
        let begin = Instant::now();
        let error = runtime
            .block_on(SqlSink::open_with(url, options))
            .unwrap_err();
        assert!(begin.elapsed() < Duration::from_secs(20), "{url}");
        assert!(
            !format!("{error} {error:?}").contains("secret"),
            "{error:?}"
        );
    }
}

/// The queries of the documentation: (which database, SQL).
fn queries() -> Vec<(&'static str, &'static str)> {
    let text = include_str!("../src/sink/sql/schema.md");
    let blocks = text.split("```sql").skip(1).map(|block| {
        let (engine, rest) = block.split_once('\n').unwrap();
        (engine.trim(), rest.split("```").next().unwrap())
    });
    blocks.collect()
}

#[test]
fn the_queries_of_the_documentation_say_what_they_promise() {
    let runtime = runtime();
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_millis() as u64;
    let day = 86_400_000;
    let call = |days: u64, country: Value, freezes: u64, relay: Value, rtt: f64| {
        json!({
            "session": {"startedMs": now - days * day, "locationCountry": country},
            "features": {"features": {"browserInfo": {"name": if relay == json!(true) { "A" } else { "B" }}}},
            "rtcstats": {"peerConnections": [{
                "averageStunRoundTripTime": rtt,
                "tracks": [{"freezeCount": freezes, "totalFreezesDuration": 0.5}, {"freezeCount": 1, "totalFreezesDuration": 0.25}, {"kind": "audio"}],
            }]},
            "pc/0": {"usesRelay": relay, "totalPacketsReceived": 90, "totalReceivedPacketsLost": freezes},
            "pc/1": {"usesRelay": false, "totalPacketsReceived": 0, "totalReceivedPacketsLost": 0},
        })
    };
    for engine in Engine::durable() {
        let url = engine.new_url();
        let sink = open(&runtime, &url);
        publish(
            &sink,
            &record("few", call(1, json!("Chile"), 2, json!(true), 0.25)),
        );
        publish(
            &sink,
            &record("many", call(6, Value::Null, 10, json!(false), 0.5)),
        );
        publish(
            &sink,
            &record("old", call(8, json!("Chile"), 10, json!(false), 0.125)),
        );
        let mut beside = runtime.block_on(Beside::open(&url));
        let name = if beside.is_postgres() {
            "postgres"
        } else {
            "sqlite"
        };
        let queries = queries();
        let queries = queries
            .into_iter()
            .filter(|(engine, _)| engine.is_empty() || *engine == name);
        let found: Vec<Vec<Map<String, Value>>> = queries
            .map(|(_, sql)| runtime.block_on(beside.rows(sql)))
            .collect();
        let [freezes, loss, rtt, relay] = found.try_into().unwrap();
        let columns = |rows: &[Map<String, Value>], names: &[&str]| -> Value {
            let row = |row: &Map<String, Value>| {
                let cell = |name: &&str| match &row[*name] {
                    Value::Number(number) => json!((number.as_f64().unwrap() * 1e3).round() / 1e3),
                    other => other.clone(),
                };
                names.iter().map(cell).collect::<Vec<_>>()
            };
            json!(rows.iter().map(row).collect::<Vec<_>>())
        };
        assert_eq!(
            columns(&freezes, &["name", "freezes", "frozen_seconds"]),
            json!([["many", 11.0, 0.75], ["few", 3.0, 0.75]])
        );
        assert_eq!(
            columns(&loss, &["country", "calls", "lost_percent"]),
            json!([["unknown", 1.0, 10.0], ["Chile", 2.0, 6.25]])
        );
        assert_eq!(
            columns(&rtt, &["browser", "connections", "worst_ms", "mean_ms"]),
            json!([["B", 2.0, 500.0, 312.5], ["A", 1.0, 250.0, 250.0]])
        );
        assert_eq!(
            columns(&relay, &["calls", "relayed_percent"]),
            json!([[3.0, 33.333]])
        );
    }
}

/// Fills a database with sessions that have no parts, beside the sink.
async fn fill(beside: &mut Beside, sessions: usize) {
    let (series, random, time) = match beside.is_postgres() {
        true => (
            format!("SELECT n FROM generate_series(1, {sessions}) AS n"),
            "(abs(hashint4(n)) % 1000)",
            "to_timestamp(1700000000 + n)",
        ),
        false => (
            format!(
                "WITH RECURSIVE numbers (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM numbers \
                WHERE n < {sessions}) SELECT n FROM numbers"
            ),
            "(abs(n * 2654435761) % 1000)",
            "strftime('%Y-%m-%d %H:%M:%f', 1700000000 + n, 'unixepoch')",
        ),
    };
    let sql = format!(
        "INSERT INTO sessions (id, name, session_id, generation, client_type, user_id, display_name, \
        conference, conference_name, conference_url, browser, browser_version, operating_system, \
        started_at, ended_at, duration_ms, bytes, events, malformed, duplicates, gap_count, resumes, \
        extractor_version, published_at, connections, packet_loss, round_trip_time_ms, search_text) \
        SELECT n, 'session-number-' || n, 'session-number-' || n, 'jitsi', 'RTCSTATS_CLIENT', 'user-' || {random}, \
        'Person ' || n, NULL, 'Room ' || {random}, 'https://meet.example.org/tenant/room-' || {random}, \
        CASE n % 3 WHEN 0 THEN 'Chrome' WHEN 1 THEN 'Firefox' ELSE 'Safari' END, '120.0.' || n, 'Windows 10', \
        {time}, {time}, {random} * 1000.0, 100000, 2000, 0, 0, 0, 0, '0.1.0', {time}, 2, \
        CASE WHEN n % 5 = 0 THEN NULL ELSE {random} / 10000.0 END, CASE WHEN n % 4 = 0 THEN NULL ELSE {random} / 3.0 END, \
        'session-number-' || n || char(10) || 'user-' || {random} || char(10) || 'person ' || n || char(10) || 'room ' || {random} \
        || char(10) || 'https://meet.example.org/tenant/room-' || {random} || char(10) || 'firefox 120.0.' || n \
        FROM ({series}) AS s"
    );
    let sql = match beside.is_postgres() {
        true => sql.replace("char(10)", "chr(10)"),
        false => sql,
    };
    beside.execute(&sql).await;
    beside.execute("ANALYZE").await;
}

fn searches() -> Vec<(String, RecordSearch)> {
    let mut searches = Vec::new();
    for key in RecordKey::ALL {
        for is_descending in [true, false] {
            for offset in [0, 50_000, 99_950] {
                let search = RecordSearch {
                    key,
                    is_descending,
                    offset,
                    ..RecordSearch::last(50)
                };
                let direction = if is_descending { "desc" } else { "asc" };
                searches.push((format!("{key:?} {direction} from {offset}"), search));
            }
        }
    }
    for text in ["person 77777", "room 7", "e", "nobody", "person firefox"] {
        for key in [RecordKey::Published, RecordKey::Loss, RecordKey::Conference] {
            let search = RecordSearch {
                text: text.to_owned(),
                key,
                ..RecordSearch::last(50)
            };
            searches.push((format!("{text:?} by {key:?}"), search));
        }
    }
    let mut filtered = RecordSearch::last(50);
    filtered.filter.user = Some("user-77".to_owned());
    searches.push(("of a user".to_owned(), filtered));
    searches
}

#[test]
fn pages_of_thousands_of_sessions_are_those_of_the_whole_list() {
    const SESSIONS: usize = 3_000;
    let runtime = runtime();
    for engine in Engine::durable() {
        let url = engine.new_url();
        let sink = open(&runtime, &url);
        let mut beside = runtime.block_on(Beside::open(&url));
        runtime.block_on(fill(&mut beside, SESSIONS));
        for key in RecordKey::ALL {
            for is_descending in [false, true] {
                let mut search = RecordSearch {
                    key,
                    is_descending,
                    ..RecordSearch::last(700)
                };
                let mut rows = Vec::new();
                loop {
                    let page = block_on(sink.search(&search)).unwrap();
                    assert_eq!(page.total, Some(SESSIONS as u64));
                    search.offset += page.rows.len();
                    if page.rows.is_empty() {
                        break;
                    }
                    rows.extend(page.rows);
                }
                let names: BTreeSet<_> = rows.iter().map(|row| &row.name).collect();
                assert_eq!(names.len(), SESSIONS, "{key:?}");
                let is_sorted = rows.is_sorted_by(|one, other| search.compare(one, other).is_le());
                assert!(is_sorted, "{key:?}");
            }
        }
        let many = RecordSearch {
            text: "room-77".to_owned(),
            ..RecordSearch::last(usize::MAX)
        };
        let page = block_on(sink.search(&many)).unwrap();
        assert_eq!(page.total, Some(page.rows.len() as u64));
        assert!(!page.rows.is_empty() && page.rows.len() < SESSIONS / 10);
        assert!(
            page.rows
                .iter()
                .all(|row| row.conference.as_ref().unwrap().starts_with("Room 77"))
        );
        let all = block_on(sink.search(&RecordSearch::last(usize::MAX))).unwrap();
        assert_eq!(all.rows.len(), RecordSearch::MAX_ROWS);
    }
}

/// How long pages of a list of 100,000 take:
/// `cargo test --features sql,testing --test sql_sink -- --ignored --nocapture search_speed`.
#[test]
#[ignore = "measures"]
fn search_speed() {
    let runtime = runtime();
    for engine in Engine::durable() {
        let url = engine.new_url();
        let sink = open(&runtime, &url);
        let mut beside = runtime.block_on(Beside::open(&url));
        runtime.block_on(fill(&mut beside, 100_000));
        let database = if beside.is_postgres() {
            "PostgreSQL"
        } else {
            "SQLite"
        };
        for (what, search) in searches() {
            let mut times: Vec<_> = (0..5)
                .map(|_| {
                    let begin = Instant::now();
                    block_on(sink.search(&search)).unwrap();
                    begin.elapsed().as_secs_f64() * 1e3
                })
                .collect();
            let first = times[0];
            times.sort_by(f64::total_cmp);
            eprintln!("{database}: {what}: {:.1} ms (first {first:.1})", times[2]);
        }
    }
}

/// How many sessions of real recordings a second are published:
/// `cargo test --features sql,testing --test sql_sink -- --ignored --nocapture speed`.
#[test]
#[ignore = "measures"]
fn speed() {
    const SESSIONS: usize = 600;
    let runtime = runtime();
    let records = recordings();
    for engine in Engine::durable() {
        for at_once in [1, 8, 64] {
            let url = engine.new_url();
            let sink = Arc::new(open(&runtime, &url));
            let begin = Instant::now();
            let next = Arc::new(AtomicU32::new(0));
            let tasks: Vec<_> = (0..at_once)
                .map(|_| {
                    let (sink, next, records) =
                        (Arc::clone(&sink), Arc::clone(&next), records.clone());
                    runtime.spawn(async move {
                        loop {
                            let index = next.fetch_add(1, Ordering::Relaxed) as usize;
                            if index >= SESSIONS {
                                return;
                            }
                            let mut record = records[index % records.len()].clone();
                            record.name = format!("s-{index}").parse().unwrap();
                            sink.publish(&record).await.unwrap();
                        }
                    })
                })
                .collect();
            for task in tasks {
                runtime.block_on(task).unwrap();
            }
            let seconds = begin.elapsed().as_secs_f64();
            let mut beside = runtime.block_on(Beside::open(&url));
            let mut rows = 0;
            for table in TABLES {
                let sql = format!("SELECT count(*) AS rows FROM {table}");
                rows += runtime.block_on(beside.rows(&sql))[0]["rows"]
                    .as_u64()
                    .unwrap();
            }
            eprintln!(
                "{}, {at_once} at once: {:.0} sessions/s, {:.0} rows/s",
                if beside.is_postgres() {
                    "PostgreSQL"
                } else {
                    "SQLite"
                },
                SESSIONS as f64 / seconds,
                rows as f64 / seconds,
            );
        }
    }
}
