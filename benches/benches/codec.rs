//! Each stage by itself, in bytes a second, and `serde_json`'s `IgnoredAny` over the same bytes.

#![expect(missing_docs, reason = "criterion's macros write the functions")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rtcstats_benches::pass::{self, Reports};
use rtcstats_benches::{Workload, frames, recording};
use rtcstats_proto::delta::Encoder;
use rtcstats_proto::{Limits, RawJson};

/// Frames of a connection: split into messages, made into lines.
fn envelope(criterion: &mut Criterion) {
    let workload = Workload::long_session(10);
    let frames = workload
        .dumps
        .iter()
        .flat_map(frames::of)
        .collect::<Vec<_>>();
    let bytes = frames.iter().map(String::len).sum::<usize>();
    let mut group = criterion.benchmark_group("envelope");
    group.throughput(Throughput::Bytes(bytes as u64));
    group.bench_function("lines", |bencher| {
        bencher.iter(|| pass::lines_of_frames(black_box(&frames)));
    });
    group.bench_function("ignored_any", |bencher| {
        bencher.iter(|| pass::ignored_any_texts(black_box(&frames).iter().map(String::as_str)));
    });
    group.finish();
}

/// Lines of a dump: what happened, to whom, when.
fn event(criterion: &mut Criterion) {
    for workload in workloads() {
        let mut group = criterion.benchmark_group(format!("event/{}", workload.name));
        group.throughput(Throughput::Bytes(workload.bytes() as u64));
        group.bench_function("parse", |bencher| {
            bencher.iter(|| pass::events(black_box(&workload.dumps)));
        });
        group.bench_function("ignored_any", |bencher| {
            bencher.iter(|| pass::ignored_any(black_box(&workload.dumps)));
        });
        group.finish();
    }
}

/// Reports merged into the state of their connections.
fn merge(criterion: &mut Criterion) {
    for workload in workloads() {
        let reports = workload.dumps.iter().map(Reports::of).collect::<Vec<_>>();
        let bytes = reports.iter().map(Reports::bytes).sum::<usize>();
        let mut group = criterion.benchmark_group(format!("merge/{}", workload.name));
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function("decode", |bencher| {
            bencher.iter(|| {
                black_box(&reports)
                    .iter()
                    .map(Reports::merge)
                    .sum::<usize>()
            });
        });
        group.bench_function("ignored_any", |bencher| {
            let texts = || {
                reports
                    .iter()
                    .flat_map(|dump| &dump.reports)
                    .map(|(_, report)| report.as_str())
            };
            bencher.iter(|| pass::ignored_any_texts(black_box(texts())));
        });
        group.finish();
    }
}

/// The whole way of a dump: events, merging, and all Jitsi features.
fn extract(criterion: &mut Criterion) {
    for workload in workloads() {
        let mut group = criterion.benchmark_group(format!("extract/{}", workload.name));
        group.throughput(Throughput::Bytes(workload.bytes() as u64));
        group.bench_function("features", |bencher| {
            bencher.iter(|| pass::extracted(black_box(&workload.dumps)));
        });
        group.bench_function("ignored_any", |bencher| {
            bencher.iter(|| pass::ignored_any(black_box(&workload.dumps)));
        });
        group.finish();
    }
}

/// Full reports to deltas.
fn encode(criterion: &mut Criterion) {
    let reports = recording::reports();
    let reports: Vec<RawJson<'_>> = reports
        .iter()
        .filter_map(|report| RawJson::parse(report).ok())
        .collect();
    let bytes = reports
        .iter()
        .map(|report| report.as_str().len())
        .sum::<usize>();
    let mut group = criterion.benchmark_group("encode");
    group.throughput(Throughput::Bytes(bytes as u64));
    group.bench_function("encode", |bencher| {
        bencher.iter(|| {
            let mut encoder = Encoder::jitsi(Limits::default());
            let mut line = String::new();
            let mut bytes = 0;
            for report in black_box(&reports) {
                line.clear();
                // A report that is refused costs what it costs.
                let _ = encoder.encode(*report, &mut line);
                bytes += line.len();
            }
            bytes
        });
    });
    group.bench_function("ignored_any", |bencher| {
        bencher.iter(|| {
            pass::ignored_any_texts(black_box(&reports).iter().map(|report| report.as_str()))
        });
    });
    group.finish();
}

fn workloads() -> [Workload; 3] {
    [
        Workload::short_sessions(),
        Workload::long_session(10),
        Workload::full_reports(),
    ]
}

fn frugal() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .without_plots()
}

criterion_group! {
    name = codec;
    config = frugal();
    targets = envelope, event, merge, extract, encode
}
criterion_main!(codec);
