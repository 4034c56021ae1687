//! Searching the table `sessions`.

use serde_json::Value;

use super::database::{Database, Failure, conditions, dump_name, filter};
use super::rows::{Cell, without_zero};
use super::time;
use crate::{RecordKey, RecordPage, RecordRow, RecordSearch};

/// Whatever names the conference, as [`RecordRow::conference`] does.
const CONFERENCE: &str =
    "coalesce(nullif(conference, ''), nullif(conference_name, ''), nullif(conference_url, ''))";
const USER: &str = "coalesce(nullif(display_name, ''), nullif(user_id, ''))";
const BROWSER: &str = "nullif(browser, '')";

impl Database {
    pub(super) async fn search(&self, search: &RecordSearch) -> Result<RecordPage, Failure> {
        let mut cells = Vec::new();
        let mut conditions = conditions(&search.filter, &mut cells);
        let words = search.words();
        for word in &words {
            cells.push(Cell::Text(without_zero(word)));
            conditions.push(self.contains("search_text", cells.len()));
        }
        let filter = filter(conditions);
        let count = cells.clone();
        let integer = |number: usize| Cell::Integer(i64::try_from(number).unwrap_or(i64::MAX));
        cells.extend([integer(search.limit()), integer(search.offset)]);
        let page = format!("LIMIT ${} OFFSET ${}", cells.len() - 1, cells.len());
        // The page is found by what is in indexes, and only then looked up. Where all rows are looked
        // at for words, that is done once, for the page and its total.
        let is_counted_along = search.is_counted && !words.is_empty();
        let (key, direction) = (self.key(search.key), direction(search));
        let order = format!("ORDER BY {key} {direction}, id {}", of_ids(search));
        let sql = match is_counted_along {
            true => format!(
                "WITH found AS MATERIALIZED (SELECT id, {key} AS sorted_by FROM sessions {filter}) \
                SELECT name, {} FROM sessions WHERE id IN (SELECT id FROM found \
                ORDER BY sorted_by {direction}, id {} {page}) {order}",
                self.columns("(SELECT count(*) FROM found)"),
                of_ids(search),
            ),
            false => format!(
                "SELECT name, {} FROM sessions WHERE id IN \
                (SELECT id FROM sessions {filter} {order} {page}) {order}",
                self.columns("NULL"),
            ),
        };
        let found = self.texts(sql, &cells).await?;
        let found: Result<Vec<_>, _> = found.into_iter().map(row).collect();
        let found = found?;
        let total = match found.first() {
            _ if !search.is_counted => None,
            Some((_, total)) if is_counted_along => *total,
            _ => Some(self.count(&filter, &count).await?),
        };
        let rows = found.into_iter().map(|(row, _)| row).collect();
        Ok(RecordPage { rows, total })
    }

    async fn count(&self, filter: &str, cells: &[Cell]) -> Result<u64, Failure> {
        let sql = format!("SELECT CAST(count(*) AS text), NULL FROM sessions {filter}");
        let rows = self.texts(sql, cells).await?;
        let count = rows.first().and_then(|(count, _)| count.parse().ok());
        count.ok_or_else(|| Failure::Foreign("a count".to_owned()))
    }

    fn contains(&self, column: &str, parameter: usize) -> String {
        match self.is_sqlite() {
            true => format!("instr({column}, ${parameter}) > 0"),
            false => format!("position(${parameter} in {column}) > 0"),
        }
    }

    /// What a row has besides its name, as an array in JSON, and the total.
    fn columns(&self, total: &str) -> String {
        let array = if self.is_sqlite() {
            "json_array"
        } else {
            "json_build_array"
        };
        let [started, ended, published] =
            ["started_at", "ended_at", "published_at"].map(|column| self.time_text(column));
        format!(
            "CAST({array}({CONFERENCE}, user_id, display_name, browser, browser_version, client_id, \
            {started}, {ended}, duration_ms, connections, packet_loss, round_trip_time_ms, bytes, \
            events, {published}, {total}) AS text)"
        )
    }

    fn key(&self, key: RecordKey) -> String {
        let text = |column: &str| {
            let lower = self.lower(column);
            match self.is_sqlite() {
                true => format!("substr({lower}, 1, {})", RecordKey::CHARACTERS),
                false => format!("left({lower}, {})", RecordKey::CHARACTERS),
            }
        };
        match key {
            RecordKey::Published => "published_at".to_owned(),
            RecordKey::Conference => text(CONFERENCE),
            RecordKey::User => text(USER),
            RecordKey::Browser => text(BROWSER),
            RecordKey::Started => "started_at".to_owned(),
            RecordKey::Ended => "ended_at".to_owned(),
            RecordKey::Duration => "duration_ms".to_owned(),
            RecordKey::Loss => "packet_loss".to_owned(),
            RecordKey::RoundTripTime => "round_trip_time_ms".to_owned(),
        }
    }
}

/// The statement of a migration that fills columns of the table, for the rows of this condition.
pub(super) fn fill(migration: &str, condition: &str) -> Option<String> {
    let mut statements = migration.split(';');
    let fill = statements.find(|statement| statement.contains("UPDATE sessions SET"))?;
    Some(format!("{fill} WHERE {condition}"))
}

/// As [`RecordSearch::compare`] has it.
fn direction(search: &RecordSearch) -> &'static str {
    match (search.key, search.is_descending) {
        // Never null: PostgreSQL's index serves both.
        (RecordKey::Published, _) => of_ids(search),
        (_, true) => "DESC NULLS LAST",
        (_, false) => "ASC NULLS LAST",
    }
}

fn of_ids(search: &RecordSearch) -> &'static str {
    if search.is_descending { "DESC" } else { "ASC" }
}

/// A row, and the total if it was counted along.
fn row((name, columns): (String, Option<String>)) -> Result<(RecordRow, Option<u64>), Failure> {
    let columns = columns.as_deref().map(serde_json::from_str::<Vec<Value>>);
    let Some(Ok(columns)) = columns else {
        return Err(Failure::Foreign(format!("the row of {name}")));
    };
    let mut columns = columns.into_iter();
    let mut next = || columns.next().unwrap_or_default();
    let text = |value: Value| match value {
        Value::String(text) if !text.is_empty() => Some(text),
        _ => None,
    };
    let time = |value: Value| value.as_str().and_then(time::parse);
    let row = RecordRow {
        name: dump_name(name)?,
        conference: text(next()),
        user: text(next()),
        display_name: text(next()),
        browser: text(next()),
        browser_version: text(next()),
        client: text(next()),
        start_ms: time(next()),
        end_ms: time(next()),
        duration_ms: next().as_f64(),
        connections: next().as_u64(),
        loss: next().as_f64(),
        rtt_ms: next().as_f64(),
        bytes: next().as_u64(),
        events: next().as_u64(),
        published_ms: time(next()).unwrap_or_default(),
    };
    Ok((row, next().as_u64()))
}
