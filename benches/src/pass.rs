//! What is done with a workload while it is measured.

use std::collections::HashMap;
use std::hint::black_box;

use rtcstats_features::jitsi::JitsiFold;
use rtcstats_features::rtcstats::RtcstatsFold;
use rtcstats_features::{Extractor, FeatureSet, Fold, SetsFold};
use rtcstats_proto::delta::{Decoder, Dialect};
use rtcstats_proto::dump::Replay;
use rtcstats_proto::jitsi::MessageReader;
use rtcstats_proto::rtcstats::DUMP_HEADER;
use rtcstats_proto::stats::Stats;
use rtcstats_proto::{ClientType, Event, EventReader, Generation, Limits, Method, RawJson, Scope};
use serde::de::IgnoredAny;

use crate::Dump;

/// A way through dumps; the number that comes out says that nothing was left out.
pub type Pass = fn(&[Dump]) -> u64;

/// `serde_json` reads every line and keeps nothing: the yardstick.
pub fn ignored_any(dumps: &[Dump]) -> u64 {
    let lines = dumps.iter().flat_map(|dump| &dump.lines);
    lines.map(|line| u64::from(is_json(line))).sum()
}

/// The same over single texts.
pub fn ignored_any_texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> u64 {
    texts.into_iter().map(|text| u64::from(is_json(text))).sum()
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// Every line becomes an [`Event`].
pub fn events(dumps: &[Dump]) -> u64 {
    dumps.iter().map(events_of_dump).sum()
}

fn events_of_dump(dump: &Dump) -> u64 {
    let mut reader = EventReader::default();
    let lines = dump.lines.iter();
    lines.map(|line| u64::from(reader.read(line).is_ok())).sum()
}

/// Every line becomes an event, and every report is merged: line to state.
pub fn merged_lines(dumps: &[Dump]) -> u64 {
    dumps.iter().map(merged_dump).sum()
}

fn merged_dump(dump: &Dump) -> u64 {
    let mut reader = EventReader::default();
    let mut decoder = None;
    let mut connections: HashMap<String, Stats> = HashMap::new();
    let mut reports = 0;
    for line in &dump.lines {
        let Ok(Some(event)) = reader.read(line) else {
            continue;
        };
        let Scope::PeerConnection(key) = event.scope() else {
            continue;
        };
        if !is_report(&event) {
            continue;
        }
        if !connections.contains_key(key) {
            connections.insert(key.to_owned(), Stats::default());
        }
        let decoder =
            decoder.get_or_insert_with(|| Decoder::new(dialect(&reader), Limits::default()));
        if let Some(stats) = connections.get_mut(key) {
            reports += u64::from(decoder.decode(event.payload(), stats).is_ok());
        }
    }
    reports
}

fn is_report(event: &Event<'_>) -> bool {
    matches!(
        event.method(),
        Some(Method::CompressedGetStats | Method::GetStats)
    )
}

fn dialect(reader: &EventReader) -> Dialect {
    match reader.generation() {
        Some(Generation::Rtcstats) => Dialect::Rtcstats,
        Some(Generation::Legacy) => Dialect::Legacy,
        _ => Dialect::Jitsi,
    }
}

/// The whole way: every line becomes an event, every report is merged, and all features of the set
/// are computed that the generation's own server has.
pub fn extracted(dumps: &[Dump]) -> u64 {
    dumps.iter().map(extracted_dump).sum()
}

fn extracted_dump(dump: &Dump) -> u64 {
    let is_rtcstats = dump.lines.first().is_some_and(|line| line == DUMP_HEADER);
    if is_rtcstats {
        let features = features_of(dump, RtcstatsFold::default());
        features.peer_connections.len() as u64
    } else {
        let extraction = features_of(dump, JitsiFold::new("a-session"));
        u64::from(extraction.client().is_some())
    }
}

/// The same with all sets.
pub fn extracted_all_sets(dumps: &[Dump]) -> u64 {
    let features = dumps
        .iter()
        .map(|dump| features_of(dump, SetsFold::new("a-session", &FeatureSet::ALL)));
    features.map(|sets| u64::from(sets.jitsi.is_some())).sum()
}

fn features_of<F: Fold>(dump: &Dump, fold: F) -> F::Output {
    let mut extractor = Extractor::new(fold);
    for line in &dump.lines {
        // A line that is refused is counted by the extractor, and costs what it costs.
        let _ = extractor.push_line(line);
    }
    black_box(extractor.finish(1_800_000_000_000.0))
}

/// Every line becomes an event with its whole value, as readers of dumps want it.
pub fn replayed(dumps: &[Dump]) -> u64 {
    dumps.iter().map(replayed_dump).sum()
}

fn replayed_dump(dump: &Dump) -> u64 {
    let mut replay = Replay::default();
    let mut value = String::new();
    let mut bytes = 0;
    for line in &dump.lines {
        if let Ok(Some(replayed)) = replay.push_line(line) {
            value.clear();
            replayed.value.write_json(&mut value);
            bytes += value.len() as u64;
        }
    }
    bytes
}

/// The reports of a dump by connection, split off before the time is taken.
#[derive(Debug)]
pub struct Reports<'a> {
    dialect: Dialect,
    /// Connection and report, in the order of the dump.
    pub reports: Vec<(usize, RawJson<'a>)>,
    connections: usize,
}

impl<'a> Reports<'a> {
    /// Those of a dump that are well-formed.
    pub fn of(dump: &'a Dump) -> Self {
        let mut reader = EventReader::default();
        let mut reports = Vec::new();
        let mut connections: HashMap<String, usize> = HashMap::new();
        for line in &dump.lines {
            let Some(event) = reader.read(line).unwrap() else {
                continue;
            };
            let Scope::PeerConnection(key) = event.scope() else {
                continue;
            };
            if is_report(&event) {
                let next = connections.len();
                let connection = *connections.entry(key.to_owned()).or_insert(next);
                reports.push((connection, event.payload()));
            }
        }
        Self {
            dialect: dialect(&reader),
            reports,
            connections: connections.len(),
        }
    }

    /// Merges them, each connection from nothing.
    pub fn merge(&self) -> usize {
        let mut decoder = Decoder::new(self.dialect, Limits::default());
        let mut connections: Vec<Stats> = Vec::new();
        connections.resize_with(self.connections, Stats::default);
        for (connection, report) in &self.reports {
            if let Some(stats) = connections.get_mut(*connection) {
                // What a damaged report costs is part of the time.
                let _ = decoder.decode(*report, stats);
            }
        }
        connections.iter().map(Stats::values).sum()
    }

    /// Bytes of the reports.
    pub fn bytes(&self) -> usize {
        self.reports
            .iter()
            .map(|(_, report)| report.as_str().len())
            .sum()
    }
}

/// What a server does with frames before it stores anything: splits them and makes lines.
pub fn lines_of_frames(frames: &[String]) -> usize {
    let mut reader = MessageReader::new(Limits::default());
    let mut line = String::new();
    let mut bytes = 0;
    for frame in frames {
        let result = reader.read(frame.as_bytes(), |message| {
            line.clear();
            if let Ok(message) = message {
                message.append_line(ClientType::Rtcstats, 0.0, &mut line);
                bytes += line.len();
            }
        });
        result.unwrap();
    }
    bytes
}
