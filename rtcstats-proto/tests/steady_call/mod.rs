//! Calls that go on and on: recorded reports, repeated.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use rtcstats_proto::delta::{Decoder, Encoder};
use rtcstats_proto::dump::{Converter, decompress};
use rtcstats_proto::stats::Stats;
use rtcstats_proto::{Event, Generation, Limits, Method, RawJson};

/// A part of a recorded call in which no object and no member comes or goes.
pub(crate) struct SteadyCall {
    /// Lines of a Jitsi dump before the first report.
    head: Vec<String>,
    /// Full reports of one connection.
    reports: Vec<String>,
}

/// A dump that repeats the reports of a [`SteadyCall`].
pub(crate) struct Dump {
    /// Its lines; the last ones are reports, and nothing but reports.
    pub(crate) lines: Vec<String>,
    /// How many reports a round has.
    pub(crate) round: usize,
}

impl SteadyCall {
    /// The longest such part of the call that is recorded in the project.
    pub(crate) fn recorded() -> Self {
        let project = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        Self::of(&project.join("benches/data/chromium-av-p2p.dump.gz"))
    }

    /// The longest such part of a dump of any generation.
    pub(crate) fn of(path: &Path) -> Self {
        let file = fs::read(path).unwrap();
        let mut text = String::new();
        decompress(file.as_slice())
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        let dump = converted(text.lines(), Generation::Jitsi);
        let is_head = |line: &&String| !is_report(line);
        Self {
            head: dump.iter().take_while(is_head).cloned().collect(),
            reports: longest_steady_part(&dump),
        }
    }

    /// A Jitsi dump of so many rounds.
    pub(crate) fn repeated(&self, rounds: usize) -> Dump {
        let mut encoder = Encoder::jitsi(Limits::default());
        let mut lines = self.head.clone();
        for report in self
            .reports
            .iter()
            .cycle()
            .take(rounds * self.reports.len())
        {
            let mut delta = String::new();
            let report = RawJson::parse(report).unwrap();
            encoder.encode(report, &mut delta).unwrap();
            let (number, time) = (lines.len(), 1_800_000_000_000 + 1_000 * lines.len());
            lines.push(format!("[\"getstats\",\"PC_0\",{delta},{time},{number}]"));
        }
        Dump {
            lines,
            round: self.reports.len(),
        }
    }
}

impl Dump {
    /// The same as a client of rtcstats 5.0 sends it.
    pub(crate) fn as_rtcstats(&self) -> Self {
        let lines = self.lines.iter().map(String::as_str);
        Self {
            lines: converted(lines, Generation::Rtcstats),
            round: self.round,
        }
    }
}

fn converted<'a>(lines: impl Iterator<Item = &'a str>, generation: Generation) -> Vec<String> {
    let mut converter = Converter::new(generation, Limits::default());
    let mut text = String::new();
    for line in lines {
        converter.push_line(line, &mut text).unwrap();
    }
    text.lines().map(str::to_owned).collect()
}

fn is_report(line: &str) -> bool {
    Event::parse(line).is_ok_and(|event| event.method() == Some(Method::CompressedGetStats))
}

fn longest_steady_part(dump: &[String]) -> Vec<String> {
    let mut parts = Vec::new();
    for connection in ["PC_0", "PC_1"] {
        let (mut decoder, mut stats) = (Decoder::jitsi(Limits::default()), Stats::default());
        let mut last_members = Vec::new();
        for line in dump.iter().filter(|line| is_report(line)) {
            let event = Event::parse(line).unwrap();
            if event.connection_key() != connection {
                continue;
            }
            decoder.decode(event.payload(), &mut stats).unwrap();
            let members = members(&stats);
            if members != last_members {
                parts.push(Vec::new());
                last_members = members;
            }
            let mut report = String::new();
            stats.write_json(&mut report);
            parts.last_mut().unwrap().push(report);
        }
    }
    parts.into_iter().max_by_key(Vec::len).unwrap()
}

fn members(stats: &Stats) -> Vec<(String, Vec<String>)> {
    let names = |(name, _): (&str, _)| name.to_owned();
    let objects = stats.iter();
    objects
        .map(|object| {
            (
                object.id().to_owned(),
                object.members().map(names).collect(),
            )
        })
        .collect()
}
