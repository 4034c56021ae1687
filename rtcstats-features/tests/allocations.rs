//! Memory that extraction asks for: none, once it has seen what a call is made of.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod golden;
#[path = "../../rtcstats-proto/tests/steady_call/mod.rs"]
mod steady_call;

use allocation_counter::{AllocationInfo, measure};
use rtcstats_features::report_series::{ReportSeriesFold, ReportSeriesOptions};
use rtcstats_features::{Extractor, FeatureSet, Limits, SetsFold};
use steady_call::{Dump, SteadyCall};

/// The recordings, as clients of both generations send them.
fn dumps(rounds: usize) -> Vec<(String, Dump)> {
    let mut calls = vec![("the recording of the project", SteadyCall::recorded())];
    for name in [
        "jitsi-chromium-15-long-lossy",
        "jitsi-firefox-15-long-lossy",
        "rtcstatsjs-chromium-15-long-lossy",
        "rtcstatsjs-firefox-15-long-lossy",
    ] {
        if let Some(path) = golden::shared(&format!("corpus/wire/{name}.dump.gz")) {
            calls.push((name, SteadyCall::of(&path)));
        }
    }
    let both = calls.iter().flat_map(|(name, call)| {
        let dump = call.repeated(rounds);
        let rtcstats = dump.as_rtcstats();
        [
            (format!("{name}, Jitsi"), dump),
            (format!("{name}, 5.0"), rtcstats),
        ]
    });
    both.collect()
}

/// Extracts all sets, and returns what each line behind the first round of reports asked for: event
/// to features.
fn allocations(dump: &Dump, rounds: usize, limits: Limits) -> Vec<AllocationInfo> {
    let fold = SetsFold::new("a-session", &FeatureSet::ALL);
    let mut extractor = Extractor::with_limits(fold, limits);
    let (before, counted) = dump
        .lines
        .split_at(dump.lines.len() - (rounds - 1) * dump.round);
    for line in before {
        extractor.push_line(line).unwrap();
    }
    let allocations = counted
        .iter()
        .map(|line| measure(|| extractor.push_line(line).unwrap()));
    allocations.collect()
}

fn worst(allocations: &[AllocationInfo]) -> Vec<(usize, u64, u64)> {
    let mut worst: Vec<_> = allocations
        .iter()
        .enumerate()
        .filter(|(_, counted)| counted.count_total > 0)
        .map(|(report, counted)| (report, counted.count_total, counted.bytes_total))
        .collect();
    worst.sort_by_key(|(_, count, _)| std::cmp::Reverse(*count));
    worst.truncate(10);
    worst
}

#[test]
fn reports_of_a_call_that_goes_on_are_taken_without_an_allocation() {
    // Of samples beyond these, a mean needs the sum only.
    let limits = Limits {
        mean_runs: 4,
        ..Limits::default()
    };
    for (name, dump) in dumps(3) {
        let allocations = allocations(&dump, 3, limits);
        let worst = worst(&allocations);
        assert!(
            worst.is_empty(),
            "{name}: report, allocations and bytes: {worst:?}"
        );
    }
}

#[test]
fn only_the_samples_of_means_grow_with_a_call() {
    const ROUNDS: usize = 9;
    // A connection has five means: round-trip times, and heights and frame rates of its largest and
    // its smallest video. Each keeps samples and how often they came, and doubles with the call.
    const MOST: u64 = 5 * 2 * 4;
    for (name, dump) in dumps(ROUNDS) {
        let allocations = allocations(&dump, ROUNDS, Limits::default());
        let count: u64 = allocations.iter().map(|counted| counted.count_total).sum();
        assert!(count <= MOST, "{name}: {count}, {:?}", worst(&allocations));
    }
}

#[test]
fn series_of_reports_cost_the_growth_of_their_columns_only() {
    const ROUNDS: usize = 9;
    for (name, dump) in dumps(ROUNDS) {
        // Enough that nothing is merged.
        let options = ReportSeriesOptions {
            points: 1 << 16,
            values: 1 << 24,
            ..ReportSeriesOptions::default()
        };
        let mut extractor = Extractor::new(ReportSeriesFold::new(options));
        let counted = (ROUNDS - 1) * dump.round;
        let (before, rest) = dump.lines.split_at(dump.lines.len() - counted);
        for line in before {
            extractor.push_line(line).unwrap();
        }
        let counted: Vec<_> = rest
            .iter()
            .map(|line| measure(|| extractor.push_line(line).unwrap()))
            .collect();
        let count: u64 = counted.iter().map(|counted| counted.count_total).sum();
        let all = extractor.finish(0.0);
        let objects = all
            .connections
            .iter()
            .flat_map(|connection| &connection.objects);
        // What peers tell has times of its own.
        let told = objects.clone();
        let told = told
            .filter(|object| object.kind.starts_with("remote-"))
            .filter(|object| object.kind.ends_with("-rtp"));
        let told = told.count() as u64;
        let series = objects.flat_map(|object| &object.series);
        let columns = series.filter(|series| series.of.is_none()).count() as u64;
        // A column grows by a quarter; the times are one more.
        let growths = (ROUNDS as f64).log(1.25).ceil() as u64;
        let most = (columns + told + 1) * growths;
        let worst = worst(&counted);
        assert!(
            columns > 0 && count <= most,
            "{name}: {count} of {most}, {worst:?}"
        );
    }
}
