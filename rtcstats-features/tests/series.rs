//! Time series of recorded calls, against numbers computed from their decoded reports by definition.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod golden;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read as _};
use std::time::Duration;

use rtcstats_features::series::{Metric, Plot, SeriesFold, SeriesOptions, SessionSeries, Values};
use rtcstats_features::{Context, Extractor, Fold, FoldError, Limits};
use rtcstats_proto::Event;
use rtcstats_proto::dump::decompress;
use rtcstats_proto::json::Value;
use rtcstats_proto::stats::Stats;
use serde_json::{Value as Json, json};

/// The numbers of an object in one report.
type Report = BTreeMap<String, f64>;

/// Every number of every report: connection → stats id → reports.
#[derive(Default)]
struct History(BTreeMap<String, BTreeMap<String, Vec<Report>>>);

impl Fold for History {
    type Output = BTreeMap<String, BTreeMap<String, Vec<Report>>>;

    fn event(&mut self, _: &Event<'_>, _: &Context<'_>) -> Result<(), FoldError> {
        Ok(())
    }

    fn stats(
        &mut self,
        event: &Event<'_>,
        stats: &Stats,
        _: &Context<'_>,
    ) -> Result<(), FoldError> {
        let objects = self.0.entry(event.connection_key().to_owned()).or_default();
        // What the objects of a report share, and new ones lack.
        let shared = stats
            .get("timestamp")
            .and_then(|time| time.scalar()?.as_number());
        for object in stats {
            let mut numbers = BTreeMap::new();
            for (name, value) in object.members() {
                if let Value::Number(number) = value {
                    numbers.insert(name.to_owned(), number);
                }
            }
            if let Some(shared) = shared
                && numbers.get("timestamp") == Some(&0.0)
            {
                numbers.insert("timestamp".to_owned(), shared);
            }
            objects
                .entry(object.id().to_owned())
                .or_default()
                .push(numbers);
        }
        Ok(())
    }

    fn snapshot(&self, _: f64) -> Self::Output {
        self.0.clone()
    }
}

/// The last number of each step.
fn last(reports: &[Report], plot: &Plot, member: &str) -> Vec<Option<f64>> {
    let steps = steps(reports, plot, &["timestamp", member]).into_iter();
    steps
        .map(|(_, within)| Some(within.last()?[member]))
        .collect()
}

fn recording(path: &str) -> Option<Vec<String>> {
    let file = golden::shared(path)?;
    let mut text = String::new();
    let mut dump = decompress(BufReader::new(File::open(file).unwrap())).unwrap();
    dump.read_to_string(&mut text).unwrap();
    Some(text.lines().map(str::to_owned).collect())
}

fn extract<F: Fold>(fold: F, lines: &[String]) -> F::Output {
    let mut extractor = Extractor::new(fold);
    for line in lines {
        let _ = extractor.push_line(line);
    }
    extractor.finish(0.0)
}

const OPTIONS: SeriesOptions = SeriesOptions {
    step: Duration::from_secs(2),
    points: 360,
};

/// The reports of an object within each step, and the last one before, if they have these members.
fn steps<'a>(
    reports: &'a [Report],
    plot: &Plot,
    members: &[&str],
) -> Vec<(Option<&'a Report>, Vec<&'a Report>)> {
    let length = plot.values.values().next().unwrap().len();
    let has_all = |report: &&Report| members.iter().all(|member| report.contains_key(*member));
    (0..length)
        .map(|step| {
            let begin = plot.start + plot.step * step as f64;
            let end = begin + plot.step;
            let time = |report: &Report| report["timestamp"];
            let mut within: Vec<_> = reports
                .iter()
                .filter(has_all)
                .filter(|report| (begin..end).contains(&time(report)))
                .collect();
            within.dedup_by_key(|report| time(report).to_bits());
            let before = reports
                .iter()
                .filter(has_all)
                .take_while(|report| time(report) < begin)
                .last();
            (before, within)
        })
        .collect()
}

/// What counters grew in each step, by the formula of the first and the last report.
fn growth(
    reports: &[Report],
    plot: &Plot,
    members: &[&str],
    formula: impl Fn(&[f64]) -> Option<f64>,
) -> Vec<Option<f64>> {
    let values = steps(reports, plot, members)
        .into_iter()
        .map(|(before, within)| {
            let first = before.or(within.first().copied())?;
            let last = within.last()?;
            let changes: Vec<_> = members
                .iter()
                .map(|member| last[*member] - first[*member])
                .collect();
            (changes[0] > 0.0).then(|| formula(&changes)).flatten()
        });
    values.collect()
}

fn mean(reports: &[Report], plot: &Plot, member: &str) -> Vec<Option<f64>> {
    let values = steps(reports, plot, &[member])
        .into_iter()
        .map(|(_, within)| {
            let sum: f64 = within.iter().map(|report| report[member]).sum();
            (!within.is_empty()).then(|| sum / within.len() as f64)
        });
    values.collect()
}

fn check(plot: &Plot, metric: Metric, expected: &[Option<f64>], what: &str) -> usize {
    let found: Vec<_> = plot
        .values
        .get(&metric)
        .map(|values| values.iter().collect())
        .unwrap_or_default();
    if found.is_empty() {
        assert!(
            expected.iter().all(Option::is_none),
            "{what}: {metric:?} is missing"
        );
        return 0;
    }
    assert_eq!(found.len(), expected.len(), "{what}: {metric:?}");
    for (step, (found, expected)) in found.iter().zip(expected).enumerate() {
        let is_same = match (found, expected) {
            (Some(found), Some(expected)) => {
                let found = f64::from(*found);
                (found - expected).abs() <= 1e-5 * expected.abs().max(1e-9)
            }
            (found, expected) => found.is_none() && expected.is_none(),
        };
        assert!(
            is_same,
            "{what}: {metric:?} of step {step} is {found:?} instead of {expected:?}"
        );
    }
    expected.iter().flatten().count()
}

#[test]
fn series_of_recordings_have_the_values_of_their_definition() {
    for recording_name in [
        "jitsi-chromium-15-long-lossy",
        "jitsi-firefox-01-av-p2p",
        "rtcstatsjs-chromium-01-av-p2p",
        "jitsi-chromium-05-screenshare",
    ] {
        let Some(lines) = recording(&format!("corpus/wire/{recording_name}.dump.gz")) else {
            return;
        };
        let history = extract(History::default(), &lines);
        let series = extract(SeriesFold::new(OPTIONS), &lines);
        assert!(!series.is_incomplete);
        let mut checked = BTreeMap::new();
        for (key, connection) in &series.connections {
            let objects = &history[key];
            for (id, stream) in &connection.streams {
                let (plot, what) = (&stream.plot, format!("{recording_name} {key} {id}"));
                let reports = &objects[id];
                let is_sent = reports.last().unwrap().contains_key("bytesSent");
                let (bytes, frames) = if is_sent {
                    ("bytesSent", "framesEncoded")
                } else {
                    ("bytesReceived", "framesDecoded")
                };
                let mut check = |metric, expected: Vec<Option<f64>>| {
                    let count = check(plot, metric, &expected, &what);
                    *checked.entry(metric).or_insert(0) += count;
                };
                check(
                    Metric::Bitrate,
                    growth(reports, plot, &["timestamp", bytes], |change| {
                        Some(change[1] * 8_000.0 / change[0])
                    }),
                );
                if reports.iter().any(|report| report.contains_key(frames)) {
                    check(
                        Metric::FramesPerSecond,
                        growth(reports, plot, &["timestamp", frames], |change| {
                            Some(change[1] * 1_000.0 / change[0])
                        }),
                    );
                }
                if !is_sent {
                    check(Metric::Jitter, mean(reports, plot, "jitter"));
                    check(Metric::PacketsLost, last(reports, plot, "packetsLost"));
                    check(
                        Metric::PacketLoss,
                        growth(
                            reports,
                            plot,
                            &["timestamp", "packetsLost", "packetsReceived"],
                            |change| {
                                let all = change[1] + change[2];
                                (all > 0.0).then(|| change[1] / all)
                            },
                        ),
                    );
                    check(
                        Metric::Freezes,
                        growth(reports, plot, &["timestamp", "freezeCount"], |change| {
                            Some(change[1])
                        }),
                    );
                    check(
                        Metric::Concealment,
                        growth(
                            reports,
                            plot,
                            &[
                                "timestamp",
                                "totalSamplesReceived",
                                "concealedSamples",
                                "silentConcealedSamples",
                            ],
                            |change| (change[1] > 0.0).then(|| (change[2] - change[3]) / change[1]),
                        ),
                    );
                }
            }
        }
        println!("{recording_name}: values checked: {checked:?}");
        assert!(
            checked[&Metric::Bitrate] > 20
                && checked[&Metric::Jitter] > 5
                && checked[&Metric::PacketsLost] > 5,
            "{checked:?}"
        );
    }
}

#[test]
fn series_of_connections_have_the_values_of_their_definition() {
    let Some(lines) = recording("corpus/wire/jitsi-chromium-15-long-lossy.dump.gz") else {
        return;
    };
    let history = extract(History::default(), &lines);
    let series = extract(SeriesFold::new(OPTIONS), &lines);
    let mut checked = 0;
    for (key, connection) in &series.connections {
        let reports = &history[key]["T01"];
        for (metric, member) in [
            (Metric::BitrateSent, "bytesSent"),
            (Metric::BitrateReceived, "bytesReceived"),
        ] {
            let expected = growth(
                reports,
                &connection.plot,
                &["timestamp", member],
                |change| Some(change[1] * 8_000.0 / change[0]),
            );
            checked += check(&connection.plot, metric, &expected, key);
        }
        let round_trip_times = &connection.plot.values[&Metric::CurrentRoundTripTime];
        assert!(round_trip_times.iter().flatten().count() > 10);
    }
    assert!(checked > 20, "{checked}");
}

#[test]
fn every_generation_and_browser_has_series() {
    let metrics = |path: &str| -> Option<Vec<Metric>> {
        let series = extract(SeriesFold::new(OPTIONS), &recording(path)?);
        let plots = series.connections.values().flat_map(|connection| {
            let streams = connection.streams.values().map(|stream| &stream.plot);
            std::iter::once(&connection.plot).chain(streams)
        });
        let mut metrics: Vec<_> = plots.flat_map(|plot| plot.values.keys().copied()).collect();
        metrics.sort_unstable();
        metrics.dedup();
        Some(metrics)
    };
    for (path, least) in [
        (
            "corpus/wire/jitsi-chromium-15-long-lossy.dump.gz",
            &[
                Metric::CpuLimitation,
                Metric::AudioLevel,
                Metric::RoundTripTime,
                Metric::AvailableOutgoingBitrate,
            ][..],
        ),
        (
            "corpus/wire/jitsi-firefox-01-av-p2p.dump.gz",
            &[
                Metric::BitrateSent,
                Metric::CurrentRoundTripTime,
                Metric::RoundTripTime,
                Metric::AudioLevel,
            ],
        ),
        (
            "corpus/wire/rtcstatsjs-chromium-01-av-p2p.dump.gz",
            &[Metric::BitrateSent, Metric::CpuLimitation],
        ),
        (
            "golden/jitsi/google-legacy-stats-p2p.dump",
            &[
                Metric::BitrateSent,
                Metric::CurrentRoundTripTime,
                Metric::Bitrate,
                Metric::PacketLoss,
                Metric::FrameHeight,
                Metric::FramesPerSecond,
                Metric::Jitter,
            ],
        ),
        (
            "golden/jitsi/safari-relay.dump",
            &[Metric::BitrateSent, Metric::Bitrate],
        ),
    ] {
        let Some(found) = metrics(path) else { return };
        println!("{path}: {found:?}");
        for metric in least {
            assert!(
                found.contains(metric),
                "{path} has no {metric:?} but {found:?}"
            );
        }
    }
}

/// A call with one report a second, each with a stream that is sent and one that is received.
fn call(seconds: u64) -> Vec<String> {
    let report = |second: u64| {
        let time = 1_700_000_000_000_u64 + second * 1_000;
        json!(["getstats", "PC_0", {
            "O": {"type": "outbound-rtp", "kind": "video", "timestamp": time, "bytesSent": second * 1_000, "framesEncoded": second * 30, "frameHeight": 720},
            "I": {"type": "inbound-rtp", "kind": "audio", "timestamp": time, "bytesReceived": second * 125, "jitter": 0.01, "packetsLost": second, "packetsReceived": second * 3},
        }, time, second + 1])
    };
    (0..seconds)
        .map(|second| report(second).to_string())
        .collect()
}

fn points(series: &SessionSeries) -> usize {
    let connections = series.connections.values();
    let plots =
        connections.flat_map(|connection| connection.streams.values().map(|stream| &stream.plot));
    plots
        .flat_map(|plot| plot.values.values())
        .map(Values::len)
        .sum()
}

#[test]
fn a_call_of_ten_times_the_length_has_no_more_points() {
    let options = SeriesOptions {
        step: Duration::from_secs(10),
        points: 60,
    };
    let short = extract(SeriesFold::new(options), &call(600));
    let long = extract(SeriesFold::new(options), &call(6_000));
    let plot = |series: &SessionSeries| series.connections["PC_0"].streams["O"].plot.clone();
    assert_eq!((plot(&short).step, plot(&long).step), (10_000.0, 160_000.0));
    assert!(points(&long) <= points(&short) && points(&long) > points(&short) / 2);
    for value in plot(&long).values[&Metric::Bitrate].iter() {
        assert_eq!(value, Some(8_000.0));
    }
    let memory = |seconds| {
        let lines = call(seconds);
        let mut extractor = Extractor::new(SeriesFold::new(options));
        let (first, rest) = lines.split_first().unwrap();
        extractor.push_line(first).unwrap();
        let measured = allocation_counter::measure(|| {
            for line in rest {
                extractor.push_line(line).unwrap();
            }
        });
        measured.bytes_current
    };
    let (short, long) = (memory(600), memory(6_000));
    println!("bytes kept: {short} after 600 reports, {long} after 6,000");
    assert!(long <= short + 1_024, "{short} {long}");
}

#[test]
fn a_snapshot_changes_nothing() {
    let lines = call(100);
    let mut extractor = Extractor::new(SeriesFold::new(OPTIONS));
    for line in &lines {
        extractor.push_line(line).unwrap();
        extractor.snapshot(5.0);
    }
    assert_eq!(
        extractor.finish(7.0),
        extract(SeriesFold::new(OPTIONS), &lines)
    );
}

fn series_of(reports: &[Json]) -> Json {
    let lines = reports
        .iter()
        .map(|report| json!(["getstats", "PC_0", report, 1_700_000_000_000_u64, 1]).to_string());
    let lines: Vec<_> = lines.collect();
    let series = extract(SeriesFold::new(SeriesOptions::default()), &lines);
    serde_json::to_value(&series).unwrap()
}

#[test]
fn series_are_clean_json() {
    let report = |time: u64, bytes: u64| {
        json!({
            "T": {"type": "transport", "timestamp": time, "bytesSent": bytes, "bytesReceived": 0, "selectedCandidatePairId": "P"},
            "P": {"type": "candidate-pair", "timestamp": time, "currentRoundTripTime": 0.25},
            "I": {"type": "inbound-rtp", "kind": "audio", "trackIdentifier": "t", "timestamp": time, "bytesReceived": bytes},
        })
    };
    let found = series_of(&[
        report(1_000, 0),
        report(11_500, 2_100),
        report(35_000, 2_100),
    ]);
    assert_eq!(
        found,
        json!({"connections": {"PC_0": {
            "start": 1_000, "step": 10_000,
            "values": {
                "bitrateSent": [null, 1_600, null, 0],
                "bitrateReceived": [null, 0, null, 0],
                "currentRoundTripTime": [0.25, 0.25, null, 0.25],
            },
            "streams": {"I": {
                "direction": "inbound", "kind": "audio", "trackIdentifier": "t", "start": 1_000, "step": 10_000,
                "values": {"bitrate": [null, 1_600, null, 0]},
            }},
        }}})
    );
}

#[test]
fn a_counter_that_begins_anew_is_not_known_in_between() {
    let report = |time: u64, bytes: u64| json!({"O": {"type": "outbound-rtp", "timestamp": time, "bytesSent": bytes}});
    let found = series_of(&[
        report(1_000, 10_000),
        report(12_000, 100),
        report(22_000, 1_350),
    ]);
    let plot = &found["connections"]["PC_0"]["streams"]["O"];
    assert_eq!(plot["values"]["bitrate"], json!([null, null, 1_000]));
}

#[test]
fn what_a_receiver_tells_counts_once() {
    let report = |time: u64, remote: u64, lost: f64| {
        json!({
            "O": {"type": "outbound-rtp", "timestamp": time, "bytesSent": 0, "remoteId": "R"},
            "R": {"type": "remote-inbound-rtp", "timestamp": remote, "fractionLost": lost, "roundTripTime": lost, "jitter": 0.5},
        })
    };
    let found = series_of(&[
        report(1_000, 900, 0.5),
        report(2_000, 900, 0.5),
        report(3_000, 2_900, 0.0),
    ]);
    let values = &found["connections"]["PC_0"]["streams"]["O"]["values"];
    assert_eq!(values["packetLoss"], json!([0.25]));
    assert_eq!(values["roundTripTime"], json!([0.25]));
}

#[test]
fn a_limited_encoder_is_seen_in_its_durations_or_its_reason() {
    let durations = |time: u64, cpu: f64, none: f64| {
        json!({"O": {"type": "outbound-rtp", "kind": "video", "timestamp": time,
            "qualityLimitationDurations": {"cpu": cpu, "none": none, "bandwidth": 0, "other": 0}}})
    };
    let found = series_of(&[durations(1_000, 0.0, 1.0), durations(5_000, 1.0, 4.0)]);
    let values = &found["connections"]["PC_0"]["streams"]["O"]["values"];
    assert_eq!(
        values,
        &json!({"cpuLimitation": [0.25], "bandwidthLimitation": [0]})
    );
    let reason = |time: u64, reason: &str| json!({"O": {"type": "outbound-rtp", "timestamp": time, "qualityLimitationReason": reason}});
    let found = series_of(&[reason(1_000, "bandwidth"), reason(2_000, "none")]);
    let values = &found["connections"]["PC_0"]["streams"]["O"]["values"];
    assert_eq!(
        values,
        &json!({"cpuLimitation": [0], "bandwidthLimitation": [0.5]})
    );
}

#[test]
fn lost_packets_are_the_last_number_that_was_told() {
    let report = |time: u64, lost: i64, told: i64| {
        json!({
            "I": {"type": "inbound-rtp", "timestamp": time, "packetsLost": lost},
            "O": {"type": "outbound-rtp", "timestamp": time, "remoteId": "R"},
            "R": {"type": "remote-inbound-rtp", "timestamp": time, "packetsLost": told, "fractionLost": 0.5},
        })
    };
    let found = series_of(&[
        report(1_000, 5, 1),
        report(2_000, 3, 2),
        report(12_000, 4, 9),
    ]);
    let streams = &found["connections"]["PC_0"]["streams"];
    assert_eq!(streams["I"]["values"], json!({"packetsLost": [3, 4]}));
    assert_eq!(streams["O"]["values"]["packetsLost"], json!([2, 9]));
}

#[test]
fn levels_are_the_root_of_the_mean_energy() {
    let counted = |time: u64, energy: f64, duration: f64| json!({"I": {"type": "inbound-rtp", "timestamp": time, "audioLevel": 0.9, "totalAudioEnergy": energy, "totalSamplesDuration": duration}});
    let found = series_of(&[counted(1_000, 0.0, 1.0), counted(2_000, 0.25, 2.0)]);
    let values = &found["connections"]["PC_0"]["streams"]["I"]["values"];
    assert_eq!(values["audioLevel"], json!([0.5]));
    let told = |time: u64, level: f64| json!({"I": {"type": "inbound-rtp", "timestamp": time, "audioLevel": level}});
    let found = series_of(&[told(1_000, 0.6), told(2_000, 0.8)]);
    let level = found["connections"]["PC_0"]["streams"]["I"]["values"]["audioLevel"][0]
        .as_f64()
        .unwrap();
    assert!((level - 0.5_f64.sqrt()).abs() < 1e-6, "{level}");
}

#[test]
fn what_the_limits_leave_out_is_told() {
    let lines = call(2);
    let within = |limits| {
        let mut extractor = Extractor::with_limits(SeriesFold::new(OPTIONS), limits);
        for line in &lines {
            extractor.push_line(line).unwrap();
        }
        let series = extractor.finish(0.0);
        (
            series.is_incomplete,
            series.connections["PC_0"].streams.len(),
        )
    };
    assert_eq!(within(Limits::default()), (false, 2));
    let limits = Limits {
        series_streams: 1,
        ..Limits::default()
    };
    assert_eq!(within(limits), (true, 1));
}
