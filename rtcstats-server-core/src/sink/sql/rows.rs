//! From a record to rows.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::schema::{self, Column, Kind, TABLES, Table};
use super::time;
use crate::sink::summary::{RecordSummary, object};
use crate::{DumpName, SessionRecord};

/// A value of a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Null,
    /// Without zero bytes.
    Text(String),
    Integer(i64),
    Real(f64),
    Boolean(bool),
    /// Unix epoch milliseconds, [known](time::known).
    Time(f64),
    /// One of the [ids](RecordRows::ids) of the record, from 0.
    Id(i64),
}

pub(super) type Row = Vec<Cell>;

/// The rows of a record.
#[derive(Debug)]
pub(super) struct RecordRows {
    pub(super) name: DumpName,
    /// How many ids the rows need; the first is the session's.
    pub(super) ids: i64,
    /// Those of each of [`TABLES`].
    pub(super) tables: Vec<Vec<Row>>,
}

type Object = Map<String, Value>;

impl RecordRows {
    /// The rows of a record that is published at this time, in Unix epoch milliseconds.
    pub(super) fn of(record: &SessionRecord, published: f64) -> Self {
        let mut rows = Self {
            name: record.name.clone(),
            ids: 1,
            tables: vec![Vec::new(); TABLES.len()],
        };
        let summary = RecordSummary::of(record);
        rows.add_session(&summary, published);
        for (position, part) in record.parts.iter().enumerate() {
            let cells = vec![
                Cell::Id(0),
                Cell::Integer(position as i64),
                Cell::Text(escaped(&part.part)),
                Cell::Text(part.json.get().to_owned()),
            ];
            rows.push(&schema::PARTS, cells);
            let table = match part
                .part
                .split_once('/')
                .map_or(part.part.as_str(), |part| part.0)
            {
                "meeting" => &schema::RTCSTATS,
                "pc" => &schema::RTCSTATS_PC_METRICS,
                "track" => &schema::RTCSTATS_TRACK_METRICS,
                "metadata" => &schema::DUMP_METADATA,
                _ => continue,
            };
            if let Some(object) = object(part.json.get()) {
                rows.add(table, &[0], &[&object]);
            }
        }
        rows.add_events(&summary);
        rows.add_features(&summary, published);
        rows
    }

    fn push(&mut self, table: &Table, row: Row) {
        let index = TABLES.iter().position(|other| other.name == table.name);
        if let Some(rows) = index.and_then(|index| self.tables.get_mut(index)) {
            rows.push(row);
        }
    }

    /// Adds a row. `ids` go to the columns that link rows, members to the others: that of the first
    /// object that has it.
    fn add(&mut self, table: &Table, ids: &[i64], objects: &[&Object]) {
        let mut ids = ids.iter();
        let cell = |column: &Column| match column.member {
            None => ids.next().map_or(Cell::Null, |id| Cell::Id(*id)),
            Some(member) => {
                let value = objects.iter().find_map(|object| object.get(member));
                value.map_or(Cell::Null, |value| Cell::of(value, column.kind))
            }
        };
        let row = table.columns.iter().map(cell).collect();
        self.push(table, row);
    }

    fn add_session(&mut self, summary: &RecordSummary, published: f64) {
        let times = summary.times(published);
        let metadata = |member| summary.metadata.get(member).cloned().unwrap_or_default();
        let browser = |member| {
            let browser = summary.features.get("browserInfo");
            browser
                .and_then(|browser| browser.get(member))
                .cloned()
                .unwrap_or_default()
        };
        let own = Object::from_iter([
            ("name".to_owned(), self.name.to_string().into()),
            (
                "sessionId".to_owned(),
                self.name.session_id().as_str().into(),
            ),
            ("displayName".to_owned(), metadata("userId")),
            ("conferenceName".to_owned(), metadata("conferenceId")),
            ("meetingUniqueId".to_owned(), metadata("sessionId")),
            ("browserName".to_owned(), browser("name")),
            ("browserVersion".to_owned(), browser("version")),
            ("os".to_owned(), browser("os")),
            ("startedMs".to_owned(), times.started.into()),
            ("endedMs".to_owned(), times.ended.into()),
            ("durationMs".to_owned(), times.duration.into()),
            ("publishedMs".to_owned(), published.into()),
            ("connections".to_owned(), summary.connections().into()),
            ("packetLoss".to_owned(), summary.loss().into()),
            (
                "roundTripTimeMs".to_owned(),
                summary.round_trip_time_ms().into(),
            ),
            (
                "searchText".to_owned(),
                summary.search_text(&self.name).as_str().into(),
            ),
        ]);
        // `clientId` is another thing there.
        let mut metadata = summary.metadata.clone();
        metadata.remove("clientId");
        // Without a name from elsewhere it is the identity's.
        let identity = Object::from_iter(
            metadata
                .get("ampUserId")
                .map(|user| ("user".to_owned(), user.clone())),
        );
        let objects = [&own, &summary.session, &metadata, &identity];
        self.add(&schema::SESSIONS, &[0], &objects);
        for peer in summary.peers() {
            let row = vec![Cell::Id(0), Cell::Text(without_zero(peer))];
            self.push(&schema::SESSION_PEERS, row);
        }
    }

    /// What Jitsi's servers have tables for, and do not publish.
    fn add_events(&mut self, summary: &RecordSummary) {
        let name = self.name.to_string();
        let own = |kind: &str, key: &str| {
            let id = Uuid::new_v5(
                &Uuid::NAMESPACE_OID,
                format!("{name}/{kind}/{key}").as_bytes(),
            );
            Object::from_iter([
                ("id".to_owned(), id.to_string().into()),
                ("statsSessionId".to_owned(), name.clone().into()),
            ])
        };
        let pings = summary.features.get("e2epings").and_then(Value::as_object);
        for (endpoint, ping) in pings.into_iter().flatten() {
            let mut own = own("ping", endpoint);
            own.insert("remoteEndpointId".to_owned(), endpoint.clone().into());
            if let Some(ping) = ping.as_object() {
                self.add(&schema::RTCSTATS_E2E_PING, &[0], &[&own, ping]);
            }
        }
        for (member, kind, table) in [
            (
                "faceLandmarksTimestamps",
                "face",
                &schema::RTCSTATS_FACE_LANDMARKS,
            ),
            (
                "dominantSpeakerEvents",
                "event",
                &schema::RTCSTATS_MEETING_EVENT,
            ),
        ] {
            let events = summary.features.get(member).and_then(Value::as_array);
            for (index, event) in events.into_iter().flatten().enumerate() {
                if let Some(event) = event.as_object() {
                    self.add(table, &[0], &[&own(kind, &index.to_string()), event]);
                }
            }
        }
    }

    fn add_features(&mut self, summary: &RecordSummary, published: f64) {
        let connections = summary
            .rtcstats
            .get("peerConnections")
            .and_then(Value::as_array);
        let mut own = Object::from_iter([("publishedMs".to_owned(), published.into())]);
        if let Some(connections) = connections {
            own.insert("numberPeerconnections".to_owned(), connections.len().into());
        }
        self.add(
            &schema::FEATURES_METADATA,
            &[0, 0],
            &[&own, &summary.session],
        );
        if summary.rtcstats.is_empty() {
            return;
        }
        self.add(&schema::FEATURES_CLIENT, &[0], &[&summary.rtcstats]);
        let identifiers = summary
            .session
            .get("connectionIdentifiers")
            .and_then(Value::as_array);
        for (index, connection) in connections.into_iter().flatten().enumerate() {
            let Some(connection) = connection.as_object() else {
                continue;
            };
            let id = self.ids;
            self.ids += 1;
            let identifier = identifiers.and_then(|identifiers| identifiers.get(index));
            let own = identifier
                .map(|identifier| ("connectionIdentifier".to_owned(), identifier.clone()));
            let own = Object::from_iter(own);
            self.add(&schema::FEATURES_CONNECTION, &[id, 0], &[&own, connection]);
            let tracks = connection.get("tracks").and_then(Value::as_array);
            for track in tracks.into_iter().flatten().filter_map(Value::as_object) {
                self.add(&schema::FEATURES_TRACK, &[id], &[track]);
            }
        }
    }
}

impl Cell {
    /// A value in a column of this kind; null where it does not fit.
    fn of(value: &Value, kind: Kind) -> Self {
        let cell = match (kind, value) {
            (_, Value::Null) => None,
            (Kind::Text | Kind::RawJson, Value::String(text)) => {
                Some(Self::Text(without_zero(text)))
            }
            (Kind::Text | Kind::RawJson, other) => {
                Some(Self::Text(without_zero(&other.to_string())))
            }
            (Kind::Integer, Value::Number(number)) => number
                .as_i64()
                // Saturates.
                .or_else(|| number.as_f64().map(|number| number.round() as i64))
                .map(Self::Integer),
            (Kind::Real, Value::Number(number)) => number.as_f64().map(Self::Real),
            (Kind::Boolean, Value::Bool(value)) => Some(Self::Boolean(*value)),
            (Kind::Time, Value::Number(number)) => {
                number.as_f64().and_then(time::known).map(Self::Time)
            }
            (Kind::Time, Value::String(text)) => time::parse(text).map(Self::Time),
            (Kind::Json, value) => Some(Self::Text(plain(value).to_string())),
            _ => None,
        };
        cell.unwrap_or(Self::Null)
    }
}

/// PostgreSQL has no zero bytes in texts; the part has them.
pub(super) fn without_zero(text: &str) -> String {
    text.replace('\0', "\u{FFFD}")
}

/// The same within JSON, and numbers that no f64 has are null.
fn plain(value: &Value) -> Value {
    match value {
        Value::String(text) => without_zero(text).into(),
        Value::Number(number) if number.as_f64().is_none_or(f64::is_infinite) => Value::Null,
        Value::Array(values) => values.iter().map(plain).collect(),
        Value::Object(members) => {
            let members = members.iter();
            members
                .map(|(name, value)| (without_zero(name), plain(value)))
                .collect()
        }
        other => other.clone(),
    }
}

/// The name of a part without zero bytes: these are `\0`, and `\` is `\\`.
fn escaped(part: &str) -> String {
    part.replace('\\', "\\\\").replace('\0', "\\0")
}

/// The name that was escaped.
pub(super) fn unescaped(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        name.push(match character {
            '\\' if characters.next() == Some('0') => '\0',
            other => other,
        });
    }
    name
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_of_parts_are_read_back() {
        for name in ["", "pc/0", "\0", "\\0", "a\\\0\\\\b", "\\"] {
            assert!(!escaped(name).contains('\0'));
            assert_eq!(unescaped(&escaped(name)), name);
        }
    }

    #[test]
    fn values_that_do_not_fit_are_null_and_none_are_changed_but_to_fit() {
        for (kind, value, cell) in [
            (Kind::Integer, json!(2.5), Cell::Integer(3)),
            (
                Kind::Integer,
                json!(4_294_967_296_u64),
                Cell::Integer(1 << 32),
            ),
            (Kind::Integer, json!(u64::MAX), Cell::Integer(i64::MAX)),
            (Kind::Integer, json!(-1e300), Cell::Integer(i64::MIN)),
            (Kind::Integer, json!("5"), Cell::Null),
            (Kind::Real, json!(0.1), Cell::Real(0.1)),
            (Kind::Real, json!(null), Cell::Null),
            (Kind::Boolean, json!(1), Cell::Null),
            (Kind::Text, json!(5), Cell::Text("5".to_owned())),
            (Kind::Text, json!("a\0"), Cell::Text("a\u{FFFD}".to_owned())),
            (
                Kind::Text,
                json!(["a\0"]),
                Cell::Text("[\"a\\u0000\"]".to_owned()),
            ),
            (Kind::Time, json!(1e300), Cell::Null),
            (
                Kind::Time,
                json!("1970-01-01 00:00:01"),
                Cell::Time(1_000.0),
            ),
            (Kind::Time, json!(5.5), Cell::Time(5.5)),
            (
                Kind::Json,
                json!({"a\0": ["\0", 1]}),
                Cell::Text("{\"a\u{FFFD}\":[\"\u{FFFD}\",1]}".to_owned()),
            ),
        ] {
            assert_eq!(Cell::of(&value, kind), cell, "{value}");
        }
    }
}
