//! What is done with a workload while it is measured.

use std::collections::HashMap;
use std::hint::black_box;

use rtcstats_features::Extractor;
use rtcstats_features::jitsi::JitsiFold;

use rtcstats_proto::delta::Decoder;
use rtcstats_proto::jitsi::MessageReader;
use rtcstats_proto::stats::Stats;
use rtcstats_proto::{ClientType, Event, Limits, Method, RawJson, Scope};
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
    let lines = dumps.iter().flat_map(|dump| &dump.lines);
    lines
        .map(|line| u64::from(Event::parse(line).is_ok()))
        .sum()
}

/// Every line becomes an event, and every report is merged: line to state.
pub fn merged_lines(dumps: &[Dump]) -> u64 {
    dumps.iter().map(merged_dump).sum()
}

fn merged_dump(dump: &Dump) -> u64 {
    let mut decoder = Decoder::jitsi(Limits::default());
    let mut connections: HashMap<String, Stats> = HashMap::new();
    let mut reports = 0;
    for line in &dump.lines {
        let Ok(event) = Event::parse(line) else {
            continue;
        };
        let Scope::PeerConnection(key) = event.scope() else {
            continue;
        };
        if event.method() != Some(Method::CompressedGetStats) {
            continue;
        }
        if !connections.contains_key(key) {
            connections.insert(key.to_owned(), Stats::default());
        }
        if let Some(stats) = connections.get_mut(key) {
            reports += u64::from(decoder.decode(event.payload(), stats).is_ok());
        }
    }
    reports
}

/// The whole way: every line becomes an event, every report is merged, and all features of the Jitsi
/// set are computed.
pub fn extracted(dumps: &[Dump]) -> u64 {
    dumps.iter().map(extracted_dump).sum()
}

fn extracted_dump(dump: &Dump) -> u64 {
    let mut extractor = Extractor::new(JitsiFold::new("a-session"));
    for line in &dump.lines {
        // A line that is refused is counted by the extractor, and costs what it costs.
        let _ = extractor.push_line(line);
    }
    let extraction = black_box(extractor.finish(1_800_000_000_000.0));
    u64::from(extraction.client().is_some())
}

/// The reports of a dump by connection, split off before the time is taken.
#[derive(Debug, Default)]
pub struct Reports<'a> {
    /// Connection and report, in the order of the dump.
    pub reports: Vec<(usize, RawJson<'a>)>,
    connections: HashMap<String, usize>,
}

impl<'a> Reports<'a> {
    /// Those of a dump that are well-formed.
    pub fn of(dump: &'a Dump) -> Self {
        let mut split = Self::default();
        for line in &dump.lines {
            let event = Event::parse(line).unwrap();
            let Scope::PeerConnection(key) = event.scope() else {
                continue;
            };
            if event.method() == Some(Method::CompressedGetStats) {
                let next = split.connections.len();
                let connection = *split.connections.entry(key.to_owned()).or_insert(next);
                split.reports.push((connection, event.payload()));
            }
        }
        split
    }

    /// Merges them, each connection from nothing.
    pub fn merge(&self) -> usize {
        let mut decoder = Decoder::jitsi(Limits::default());
        let mut connections: Vec<Stats> = Vec::new();
        connections.resize_with(self.connections.len(), Stats::default);
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
