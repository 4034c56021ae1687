//! What is counted.

use std::hint::black_box;

use rtcstats_benches::pass::{self, Reports};
use rtcstats_benches::{Dump, Workload, frames, ingest, recording};
use rtcstats_proto::delta::Encoder;
use rtcstats_proto::dump::Converter;
use rtcstats_proto::privacy::{Mode, Obfuscator};
use rtcstats_proto::{Generation, Limits};

/// What all paths of one [`Input`] are compared with: `serde_json` reads the input and keeps nothing.
pub(crate) const YARDSTICK: &str = "IgnoredAny";

/// A path, the texts that it reads, and its work. That returns a number that says that nothing was left
/// out.
type Path = (&'static str, Input, fn(&Material<'_>) -> u64);
type Input = for<'a> fn(&'a Material<'_>) -> Vec<&'a str>;

const PATHS: [Path; 12] = [
    ("envelope", frames_in, |material| {
        pass::lines_of_frames(&material.frames) as u64
    }),
    ("ingest", frames_in, |material| {
        let mut bytes = 0;
        ingest::session("3.1_STANDARD", &material.frames, 1, |appends| {
            bytes += appends
                .iter()
                .map(|append| append.lines.len() as u64)
                .sum::<u64>();
        });
        bytes
    }),
    ("event", jitsi_in, |material| {
        pass::events(&material.calls.jitsi)
    }),
    ("merge jitsi", jitsi_reports_in, |material| {
        material.jitsi_reports.merge() as u64
    }),
    ("merge 5.0", rtcstats_reports_in, |material| {
        material.rtcstats_reports.merge() as u64
    }),
    ("extraction jitsi", jitsi_in, |material| {
        pass::extracted(&material.calls.jitsi)
    }),
    ("extraction rtcstats", rtcstats_in, |material| {
        pass::extracted(&material.calls.rtcstats)
    }),
    ("all sets", jitsi_in, |material| {
        pass::extracted_all_sets(&material.calls.jitsi)
    }),
    ("encoder jitsi", full_reports_in, |material| {
        encoded(Encoder::jitsi, &material.calls.full_reports)
    }),
    ("encoder 5.0", full_reports_in, |material| {
        encoded(Encoder::rtcstats, &material.calls.full_reports)
    }),
    ("obfuscation", rtcstats_in, |material| {
        obfuscated(&material.calls.rtcstats)
    }),
    ("conversion to 5.0", jitsi_in, |material| {
        converted(&material.calls.jitsi).len() as u64
    }),
];

/// Runs all paths, each behind its yardstick, over half a call and over all of it. The difference is the
/// steady state. Prints the name of each and the bytes of its input.
pub(crate) fn run() {
    for calls in [Calls::half(), Calls::whole()] {
        let material = Material::new(&calls);
        for (name, input, work) in PATHS {
            let texts = input(&material);
            let bytes: usize = texts.iter().map(|text| text.len()).sum();
            let yardstick = || pass::ignored_any_texts(texts.iter().copied());
            run_one(YARDSTICK, bytes, &yardstick);
            run_one(name, bytes, &|| work(&material));
        }
    }
}

fn run_one(name: &str, bytes: usize, work: &dyn Fn() -> u64) {
    // The first time fills tables.
    let expected = work();
    assert!(expected > 0, "{name} does nothing");
    assert_eq!(measured(work), expected, "{name}");
    println!("{name}\t{bytes}");
}

/// What is counted: callgrind knows this function by its name.
#[inline(never)]
fn measured(work: &dyn Fn() -> u64) -> u64 {
    black_box(work())
}

/// The recorded call, which is in the project, so that the counts are the same everywhere.
struct Calls {
    jitsi: Vec<Dump>,
    rtcstats: Vec<Dump>,
    full_reports: Vec<String>,
}

impl Calls {
    fn whole() -> Self {
        Self::new(Workload::recorded_call().dumps, recording::own_reports())
    }

    fn half() -> Self {
        let is_report = |line: &String| line.starts_with("[\"getstats\"");
        let mut dumps = Workload::recorded_call().dumps;
        for dump in &mut dumps {
            let half = dump.lines.iter().filter(|line| is_report(line)).count() / 2;
            let mut count = 0;
            dump.lines.retain(|line| {
                count += usize::from(is_report(line));
                count <= half
            });
        }
        let mut reports = recording::own_reports();
        reports.truncate(reports.len() / 2);
        Self::new(dumps, reports)
    }

    fn new(jitsi: Vec<Dump>, full_reports: Vec<String>) -> Self {
        let rtcstats = vec![Dump::new(&converted(&jitsi))];
        Self {
            jitsi,
            rtcstats,
            full_reports,
        }
    }
}

/// What is made of calls before anything is counted.
struct Material<'a> {
    calls: &'a Calls,
    frames: Vec<String>,
    jitsi_reports: Reports<'a>,
    rtcstats_reports: Reports<'a>,
}

impl<'a> Material<'a> {
    fn new(calls: &'a Calls) -> Self {
        Self {
            calls,
            frames: calls.jitsi.iter().flat_map(frames::of).collect(),
            jitsi_reports: Reports::of(calls.jitsi.first().unwrap()),
            rtcstats_reports: Reports::of(calls.rtcstats.first().unwrap()),
        }
    }
}

fn frames_in<'a>(material: &'a Material<'_>) -> Vec<&'a str> {
    material.frames.iter().map(String::as_str).collect()
}

fn jitsi_in<'a>(material: &'a Material<'_>) -> Vec<&'a str> {
    lines(&material.calls.jitsi).collect()
}

fn rtcstats_in<'a>(material: &'a Material<'_>) -> Vec<&'a str> {
    lines(&material.calls.rtcstats).collect()
}

fn jitsi_reports_in<'a>(material: &'a Material<'_>) -> Vec<&'a str> {
    let reports = material.jitsi_reports.reports.iter();
    reports.map(|(_, report)| report.as_str()).collect()
}

fn rtcstats_reports_in<'a>(material: &'a Material<'_>) -> Vec<&'a str> {
    let reports = material.rtcstats_reports.reports.iter();
    reports.map(|(_, report)| report.as_str()).collect()
}

fn full_reports_in<'a>(material: &'a Material<'_>) -> Vec<&'a str> {
    let reports = material.calls.full_reports.iter();
    reports.map(String::as_str).collect()
}

fn lines(dumps: &[Dump]) -> impl Iterator<Item = &str> {
    let lines = dumps.iter().flat_map(|dump| &dump.lines);
    lines.map(String::as_str)
}

fn encoded(make: fn(Limits) -> Encoder, reports: &[String]) -> u64 {
    let mut encoder = make(Limits::default());
    let mut delta = String::new();
    let mut bytes = 0;
    for report in reports {
        delta.clear();
        encoder.encode_text(report, &mut delta).unwrap();
        bytes += delta.len();
    }
    bytes as u64
}

fn obfuscated(dumps: &[Dump]) -> u64 {
    let mode = Mode::Server(Generation::Rtcstats);
    let mut obfuscator = Obfuscator::new(mode, Limits::default());
    let mut out = String::new();
    let mut bytes = 0;
    for line in lines(dumps) {
        out.clear();
        let _ = obfuscator.line(line, &mut out);
        bytes += out.len();
    }
    bytes as u64
}

fn converted(dumps: &[Dump]) -> String {
    let mut converter = Converter::new(Generation::Rtcstats, Limits::default());
    let mut out = String::new();
    for line in lines(dumps) {
        converter.push_line(line, &mut out).unwrap();
    }
    converter.finish(&mut out);
    out
}
