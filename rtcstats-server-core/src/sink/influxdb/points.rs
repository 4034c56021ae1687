//! From the parts of a record to points.

use std::collections::BTreeMap;
use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Deserialize;
use serde_json::Value as Json;
use serde_json::value::RawValue;

use super::InfluxError;
use super::line::LineWriter;
use crate::SessionRecord;

/// How points are written.
#[derive(Debug, Clone)]
pub(super) struct Style {
    /// Tag `environment`.
    pub(super) environment: String,
    /// What measurements begin with.
    pub(super) prefix: String,
    /// Whether the session is a tag.
    pub(super) has_session_tag: bool,
    /// Lines of one request, at most.
    pub(super) batch_lines: usize,
}

/// What is written of a record.
#[derive(Debug)]
pub(super) struct RecordPoints {
    session: String,
    facts: Option<Box<RawValue>>,
    features: Option<Box<RawValue>>,
    rtcstats: Option<Box<RawValue>>,
    series: Option<Box<RawValue>>,
}

/// Points whose time is further from the start of the session are left out: a clock that is that wrong
/// would open shards all over the past.
const LONGEST_MS: f64 = 7.0 * 86_400_000.0;

/// Nanoseconds of a millisecond, over which sessions are spread.
const SLOTS: u32 = 1_000_000;

/// The browsers that a tag tells apart, by the names of the Jitsi features.
const BROWSERS: [&str; 9] = [
    "Chrome",
    "Chrome Mobile",
    "Chromium",
    "Electron",
    "Firefox",
    "Microsoft Edge",
    "Opera",
    "Safari",
    "Samsung Internet",
];

const SESSION_NUMBERS: [&str; 4] = ["events", "duplicates", "gapCount", "resumes"];

const CONNECTION_NUMBERS: [&str; 8] = [
    "duration",
    "numberOfNegotiations",
    "signalingDelay",
    "iceConnectionTime",
    "connectionTime",
    "averageStunRoundTripTime",
    "averageOutboundBitrate",
    "averageInboundBitrate",
];

const CONNECTION_FLAGS: [&str; 4] = ["closed", "iceRestart", "iceConnected", "connected"];

const TRACK_NUMBERS: [&str; 18] = [
    "duration",
    "timeToFirstFrame",
    "maxHeight",
    "commonHeight",
    "frameCount",
    "framesDropped",
    "freezeCount",
    "totalFreezesDuration",
    "nackCount",
    "pliCount",
    "cpuQualityLimitationPercentage",
    "bandwidthQualityLimitationPercentage",
    "concealmentPercentage",
    "averageJitterBufferDelay",
    "averageProcessingDelay",
    "averageEncodeTime",
    "averageDecodeTime",
    "averageInterFrameDelay",
];

/// The part `series`.
#[derive(Deserialize)]
struct Series {
    connections: BTreeMap<String, Connection>,
}

#[derive(Deserialize)]
struct Connection {
    start: f64,
    step: f64,
    values: Values,
    streams: BTreeMap<String, Stream>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stream {
    direction: Option<String>,
    kind: Option<String>,
    track_identifier: Option<String>,
    rid: Option<String>,
    start: f64,
    step: f64,
    values: Values,
}

/// Metric → values.
type Values = BTreeMap<String, Vec<Option<f64>>>;

/// The part `session`.
#[derive(Deserialize)]
struct Facts {
    #[serde(rename = "startedMs")]
    started_ms: f64,
    #[serde(flatten)]
    others: serde_json::Map<String, Json>,
}

/// Compressed requests under construction.
struct Batches<'a> {
    style: &'a Style,
    session: &'a str,
    browser: Option<&'static str>,
    started: Option<f64>,
    /// The nanosecond of the next series.
    slot: u32,
    writer: LineWriter,
    finished: Vec<Vec<u8>>,
    left_out: usize,
}

impl RecordPoints {
    pub(super) fn of(record: &SessionRecord) -> Self {
        let part = |name| {
            let part = record.parts.iter().find(|part| part.part == name);
            part.map(|part| part.json.clone())
        };
        Self {
            session: record.name.to_string(),
            facts: part("session"),
            features: part("features"),
            rtcstats: part("rtcstats"),
            series: part("series"),
        }
    }

    /// The bodies of the requests that write them, compressed.
    pub(super) fn batches(&self, style: &Style) -> Result<Vec<Vec<u8>>, InfluxError> {
        let facts: Option<Facts> = read("session", self.facts.as_deref())?;
        let features: Option<Json> = read("features", self.features.as_deref())?;
        let rtcstats: Option<Json> = read("rtcstats", self.rtcstats.as_deref())?;
        let series: Option<Series> = read("series", self.series.as_deref())?;
        let started = facts.as_ref().map(|facts| facts.started_ms);
        let mut batches = Batches {
            style,
            session: &self.session,
            browser: features.as_ref().and_then(browser),
            started,
            slot: crc32fast::hash(self.session.as_bytes()) % SLOTS,
            writer: LineWriter::default(),
            finished: Vec::new(),
            left_out: 0,
        };
        if let Some(facts) = facts {
            batches.add_session(&facts, features.as_ref(), rtcstats.as_ref())?;
        }
        for connection in connections(rtcstats.as_ref()) {
            batches.add_summary(connection)?;
        }
        for (id, connection) in series.iter().flat_map(|series| &series.connections) {
            batches.add_connection(id, connection)?;
        }
        batches.finish()
    }
}

impl Batches<'_> {
    /// The summary of the session.
    fn add_session(
        &mut self,
        facts: &Facts,
        features: Option<&Json>,
        rtcstats: Option<&Json>,
    ) -> Result<(), InfluxError> {
        let duration = features
            .and_then(|features| features.pointer("/features/metrics/sessionDurationMs"))
            .or_else(|| rtcstats?.get("duration"))
            .and_then(Json::as_f64);
        let connections = connections(rtcstats);
        let tracks = connections
            .iter()
            .map(|connection| tracks(connection).len());
        self.point("session", None, None, facts.started_ms, |line| {
            for key in SESSION_NUMBERS {
                if let Some(number) = facts.others.get(key).and_then(Json::as_f64) {
                    line.number(key, number);
                }
            }
            if let Some(duration) = duration {
                line.number("duration", duration);
            }
            if rtcstats.is_some() {
                line.number("connections", connections.len() as f64);
                line.number("tracks", tracks.sum::<usize>() as f64);
            }
        })
    }

    /// The summaries of a connection and its tracks, by the features of the set `rtcstats`.
    fn add_summary(&mut self, connection: &Json) -> Result<(), InfluxError> {
        let started = self.started.unwrap_or(f64::NAN);
        self.point("connection", None, None, started, |line| {
            numbers(line, connection, &CONNECTION_NUMBERS);
            for key in CONNECTION_FLAGS {
                if let Some(flag) = connection.get(key).and_then(Json::as_bool) {
                    line.flag(key, flag);
                }
            }
        })?;
        for track in tracks(connection) {
            let text = |key| track.get(key).and_then(Json::as_str);
            let (direction, kind) = (text("direction"), text("kind"));
            self.point("track", direction, kind, started, |line| {
                numbers(line, track, &TRACK_NUMBERS);
                if line.fields() > 0
                    && let Some(id) = text("trackIdentifier")
                {
                    line.text("track", id);
                }
            })?;
        }
        Ok(())
    }

    /// The series of a connection and its streams.
    fn add_connection(&mut self, id: &str, connection: &Connection) -> Result<(), InfluxError> {
        let grid = (connection.start, connection.step);
        self.series(
            "connection_series",
            (None, None),
            &connection.values,
            grid,
            &[("connection", Some(id))],
        )?;
        for (stream_id, stream) in &connection.streams {
            self.series(
                "track_series",
                (stream.direction.as_deref(), stream.kind.as_deref()),
                &stream.values,
                (stream.start, stream.step),
                &[
                    ("connection", Some(id)),
                    ("stream", Some(stream_id)),
                    ("track", stream.track_identifier.as_deref()),
                    ("rid", stream.rid.as_deref()),
                ],
            )?;
        }
        Ok(())
    }

    fn series(
        &mut self,
        measurement: &str,
        (direction, kind): (Option<&str>, Option<&str>),
        values: &Values,
        (start, step): (f64, f64),
        names: &[(&str, Option<&str>)],
    ) -> Result<(), InfluxError> {
        let slot = self.take_slot();
        let steps = values.values().map(Vec::len).max().unwrap_or_default();
        for index in 0..steps {
            let time = start + step * index as f64;
            self.point_in(slot, measurement, direction, kind, time, |line| {
                for (metric, values) in values {
                    if let Some(value) = values.get(index).copied().flatten() {
                        line.number(metric, value);
                    }
                }
                if line.fields() > 0 {
                    for (key, name) in names {
                        if let Some(name) = name {
                            line.text(key, name);
                        }
                    }
                }
            })?;
        }
        Ok(())
    }

    fn take_slot(&mut self) -> u32 {
        let next = (self.slot + 1) % SLOTS;
        std::mem::replace(&mut self.slot, next)
    }

    /// A point in a slot of its own.
    fn point(
        &mut self,
        measurement: &str,
        direction: Option<&str>,
        kind: Option<&str>,
        time: f64,
        fields: impl FnOnce(&mut super::line::Line<'_>),
    ) -> Result<(), InfluxError> {
        let slot = self.take_slot();
        self.point_in(slot, measurement, direction, kind, time, fields)
    }

    fn point_in(
        &mut self,
        slot: u32,
        measurement: &str,
        direction: Option<&str>,
        kind: Option<&str>,
        time: f64,
        fields: impl FnOnce(&mut super::line::Line<'_>),
    ) -> Result<(), InfluxError> {
        let is_near = |started: f64| (time - started).abs() <= LONGEST_MS;
        let time = nanoseconds(time, slot).filter(|_| self.started.is_none_or(is_near));
        let Some(time) = time else {
            self.left_out += 1;
            return Ok(());
        };
        let measurement = format!("{}{measurement}", self.style.prefix);
        let session = self.style.has_session_tag.then_some(self.session);
        let tags = [
            ("browser", self.browser),
            (
                "direction",
                direction.filter(|text| matches!(*text, "inbound" | "outbound")),
            ),
            ("environment", Some(self.style.environment.as_str())),
            (
                "kind",
                kind.filter(|text| matches!(*text, "audio" | "video")),
            ),
            ("session", session),
        ];
        let mut line = self.writer.line(&measurement, &tags);
        fields(&mut line);
        if line.fields() > 0 && session.is_none() {
            line.text("session", self.session);
        }
        line.finish(time);
        if self.writer.lines() >= self.style.batch_lines {
            self.finish_batch()?;
        }
        Ok(())
    }

    fn finish_batch(&mut self) -> Result<(), InfluxError> {
        if self.writer.lines() > 0 {
            let body = compress(self.writer.text());
            let body = body.map_err(|error| InfluxError::Preparation(error.into()))?;
            self.finished.push(body);
            self.writer.clear();
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Vec<u8>>, InfluxError> {
        self.finish_batch()?;
        if self.left_out > 0 {
            tracing::warn!(
                session = self.session,
                points = self.left_out,
                "left out points whose time is not near the session"
            );
        }
        Ok(self.finished)
    }
}

fn compress(text: &str) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes())?;
    encoder.finish()
}

/// The time of a point; `None` if InfluxDB has no such times.
fn nanoseconds(milliseconds: f64, slot: u32) -> Option<i64> {
    /// Year 2262.
    const LATEST: f64 = 9.2e12;
    if !milliseconds.is_finite() || milliseconds.abs() > LATEST {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "checked")]
    let milliseconds = milliseconds.floor() as i64;
    Some(milliseconds * 1_000_000 + i64::from(slot))
}

fn read<'a, T: Deserialize<'a>>(
    part: &'static str,
    json: Option<&'a RawValue>,
) -> Result<Option<T>, InfluxError> {
    let read = json
        .map(|json| serde_json::from_str(json.get()))
        .transpose();
    read.map_err(|source| InfluxError::Part { part, source })
}

/// What the Jitsi features call the browser; `other` for most of them.
fn browser(features: &Json) -> Option<&'static str> {
    let name = features.pointer("/features/browserInfo/name")?.as_str()?;
    let known = BROWSERS.into_iter().find(|known| *known == name);
    Some(known.unwrap_or("other"))
}

fn connections(rtcstats: Option<&Json>) -> &[Json] {
    array(rtcstats.and_then(|features| features.get("peerConnections")))
}

fn tracks(connection: &Json) -> &[Json] {
    array(connection.get("tracks"))
}

fn array(json: Option<&Json>) -> &[Json] {
    json.and_then(Json::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

/// Members of a fixed type only: a field that changes its type is refused.
fn numbers(line: &mut super::line::Line<'_>, object: &Json, keys: &[&str]) {
    for key in keys {
        if let Some(number) = object.get(key).and_then(Json::as_f64) {
            line.number(key, number);
        }
    }
}
