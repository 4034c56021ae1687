//! What somebody has who follows a session is what the session has, however it comes.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{Extractor, Limits};

fn extractor(options: ReportSeriesOptions) -> Extractor<ReportSeriesFold> {
    Extractor::new(ReportSeriesFold::new(options))
}

fn small(points: usize) -> ReportSeriesOptions {
    ReportSeriesOptions {
        points,
        ..ReportSeriesOptions::default()
    }
}

/// A report of a connection, of objects with `bytesSent` and `framesPerSecond`.
fn report(connection: &str, time: u64, objects: &[(&str, Option<u32>, Option<f64>)]) -> String {
    let objects = objects.iter().map(|(id, bytes, rate)| {
        let bytes = bytes.map_or(String::new(), |bytes| format!(",\"bytesSent\":{bytes}"));
        let rate = rate.map_or(String::new(), |rate| format!(",\"framesPerSecond\":{rate}"));
        format!("\"{id}\":{{\"type\":\"outbound-rtp\",\"kind\":\"video\"{bytes}{rate}}}")
    });
    let objects: Vec<_> = objects.collect();
    format!(
        "[\"getstats\",\"{connection}\",{{{}}},{},1]",
        objects.join(","),
        1_700_000_000_000 + time
    )
}

/// What somebody has: times, and of each series of each object its values.
#[derive(Debug, Default, PartialEq)]
struct Had {
    connections: BTreeMap<String, (Vec<f64>, Series)>,
}

/// By object and name.
type Series = BTreeMap<(String, String), (usize, Vec<Option<f64>>)>;

impl Had {
    fn add(&mut self, news: &SessionReportSeries) {
        for connection in &news.connections {
            let (times, all) = self.connections.entry(connection.id.clone()).or_default();
            assert_eq!(connection.from.unwrap_or_default(), times.len());
            times.extend(&connection.times);
            for object in &connection.objects {
                for series in &object.series {
                    let key = (object.id.clone(), series.name.to_string());
                    let (first, values) = all.entry(key).or_insert((series.first, Vec::new()));
                    values.resize(series.first - *first, None);
                    let known = |value: &f64| (!value.is_nan()).then_some(*value);
                    values.extend(series.values.iter().map(known));
                }
            }
        }
    }
}

fn lines() -> impl Strategy<Value = Vec<String>> {
    let object = (
        prop::sample::select(vec!["a", "b", "c"]),
        prop::option::weighted(0.8, 0_u32..1_000),
        prop::option::weighted(0.5, (0_u32..60).prop_map(f64::from)),
    );
    let one = (
        prop::sample::select(vec!["PC_0", "PC_1"]),
        0_u64..3_000,
        prop::collection::vec(object, 0..4),
    );
    prop::collection::vec(one, 1..60).prop_map(|all| {
        let mut time = 0;
        let lines = all.into_iter().map(|(connection, step, mut objects)| {
            // Some come at the time of the last one, some before it.
            time = if step < 100 {
                time - time.min(step)
            } else {
                time + step
            };
            objects.sort_by_key(|object| object.0);
            objects.dedup_by_key(|object| object.0);
            report(connection, time, &objects)
        });
        lines.collect()
    })
}

proptest! {
    #[test]
    fn whoever_follows_has_in_the_end_what_whoever_comes_late_gets(
        lines in lines(),
        chunks in prop::collection::vec(1_usize..9, 60),
        points in 4_usize..24,
        values in prop::sample::select(vec![30_usize, 100, 1_000]),
    ) {
        let options = ReportSeriesOptions { values, ..small(points) };
        let mut extractor = extractor(options);
        let (mut had, mut cursor) = (Had::default(), ReportCursor::default());
        let mut rest = lines.as_slice();
        for chunk in chunks {
            let (now, later) = rest.split_at(chunk.min(rest.len()));
            rest = later;
            for line in now {
                extractor.push_line(line).unwrap();
            }
            let fold = extractor.fold();
            if fold.has_merged_since(&cursor) {
                let (whole, begun) = fold.whole(Extent::Full);
                (had, cursor) = (Had::default(), begun);
                had.add(&whole);
            } else {
                had.add(&fold.news(&mut cursor, Extent::Full));
            }
        }
        had.add(&extractor.fold().news(&mut cursor, Extent::All));
        let mut whole = Had::default();
        let all = extractor.finish(0.0);
        whole.add(&all);
        prop_assert_eq!(&had, &whole);
        for connection in &all.connections {
            prop_assert!(connection.times.len() <= points);
            prop_assert!(connection.times.is_sorted());
        }
        let own = all.connections.iter().flat_map(|connection| &connection.objects);
        let own = own.flat_map(|object| &object.series).filter(|series| series.of.is_none());
        let times: usize = all.connections.iter().map(|connection| connection.times.len()).sum();
        prop_assert!(times + own.map(|series| series.values.len()).sum::<usize>() <= values);
    }
}

fn series<'a>(all: &'a SessionReportSeries, name: &str) -> &'a MemberSeries {
    let mut all = all
        .connections
        .iter()
        .flat_map(|connection| &connection.objects);
    let object = all.next().unwrap();
    object
        .series
        .iter()
        .find(|series| series.name == name)
        .unwrap()
}

#[test]
fn a_full_connection_has_half_the_times_and_all_the_bytes() {
    let mut extractor = extractor(small(4));
    for second in 0_u32..9 {
        let rate = (second % 2 == 0).then_some(f64::from(second));
        let line = report(
            "PC_0",
            1_000 * u64::from(second),
            &[("a", Some(1_000 * second), rate)],
        );
        extractor.push_line(&line).unwrap();
    }
    let all = extractor.finish(0.0);
    let times = &all.connections[0].times;
    let seconds: Vec<_> = times.iter().map(|time| (time - 1.7e12) / 1_000.0).collect();
    // Nine reports of which each four are one; the last one is not full.
    assert_eq!(seconds, [3.0, 7.0, 8.0]);
    assert_eq!(
        series(&all, "bytesSent").values,
        [3_000.0, 7_000.0, 8_000.0]
    );
    assert_eq!(series(&all, "framesPerSecond").values, [2.0, 6.0, 8.0]);
    assert_eq!(
        series(&all, "[bytesSent_in_bits/s]").values,
        [8_000.0, 8_000.0]
    );
    assert!(!all.is_incomplete);
}

#[test]
fn reports_of_a_time_that_is_not_full_are_told_when_it_is() {
    let mut extractor = extractor(small(4));
    let mut cursor = ReportCursor::default();
    for second in 0..5 {
        extractor
            .push_line(&report("PC_0", 1_000 * second, &[]))
            .unwrap();
    }
    let fold = extractor.fold();
    assert_eq!(
        fold.news(&mut cursor, Extent::Full).connections[0]
            .times
            .len(),
        2
    );
    assert!(fold.news(&mut cursor, Extent::Full).connections.is_empty());
    let rest = fold.news(&mut cursor, Extent::All);
    assert_eq!(
        (rest.connections[0].from, rest.connections[0].times.len()),
        (Some(2), 1)
    );
}

#[test]
fn texts_of_numbers_count_in_the_first_statistics_of_chrome_only() {
    let mut extractor = extractor(small(10));
    let line = r#"["getstats","PC_0",{"5_send":{"type":"ssrc","bytesSent":"12","googRtt":"7","googCodecName":"VP8","ssrc":"5","googTrackId":"9"},
        "T":{"type":"transport","bytesSent":"12"}},1700000000000,1]"#;
    extractor.push_line(&line.replace('\n', "")).unwrap();
    let all = extractor.finish(0.0);
    let [object] = all.connections[0].objects.as_slice() else {
        panic!("{all:?}")
    };
    let names: Vec<_> = object.series.iter().map(|series| &*series.name).collect();
    assert_eq!(
        (object.id.as_str(), names),
        ("5_send", vec!["bytesSent", "googRtt"])
    );
    assert_eq!(
        (
            series(&all, "googRtt").unit,
            series(&all, "bytesSent").values[0]
        ),
        ("ms", 12.0)
    );
}

#[test]
fn numbers_within_members_are_series_of_their_own() {
    let mut extractor = extractor(small(10));
    for seconds in [1, 2] {
        let line = format!(
            r#"["getstats","PC_0",{{"O":{{"type":"outbound-rtp","qualityLimitationDurations":{{"cpu":0,"none":{seconds}}},"active":true}}}},{},1]"#,
            1_700_000_000_000_u64 + seconds
        );
        extractor.push_line(&line).unwrap();
    }
    let all = extractor.finish(0.0);
    assert_eq!(
        series(&all, "qualityLimitationDurations.none").values,
        [1.0, 2.0]
    );
    assert_eq!(all.connections[0].objects[0].series.len(), 2);
}

#[test]
fn what_is_beyond_a_limit_is_left_out_and_that_is_said() {
    let one = [("a", Some(1), Some(1.0)), ("b", Some(1), Some(1.0))];
    for (options, count) in [
        (
            ReportSeriesOptions {
                objects: 1,
                ..small(10)
            },
            2,
        ),
        (
            ReportSeriesOptions {
                columns: 3,
                ..small(10)
            },
            3,
        ),
        (
            ReportSeriesOptions {
                values: 3,
                ..small(10)
            },
            2,
        ),
    ] {
        let mut extractor = extractor(options);
        extractor.push_line(&report("PC_0", 0, &one)).unwrap();
        let all = extractor.finish(0.0);
        let objects = all
            .connections
            .iter()
            .flat_map(|connection| &connection.objects);
        assert_eq!(
            objects.map(|object| object.series.len()).sum::<usize>(),
            count
        );
        assert!(all.is_incomplete);
    }
    let limits = Limits {
        connections: 1,
        ..Limits::default()
    };
    let mut extractor = Extractor::with_limits(ReportSeriesFold::new(small(10)), limits);
    extractor
        .push_line(r#"["create","PC_0",{},1700000000000,1]"#)
        .unwrap();
    extractor
        .push_line(r#"["create","PC_1",{},1700000000000,2]"#)
        .unwrap();
    let all = extractor.finish(0.0);
    assert!(all.connections.len() == 1 && all.is_incomplete);
}

#[test]
fn a_connection_has_the_purpose_that_jitsi_clients_tell() {
    let mut extractor = extractor(small(10));
    for (connection, is_direct) in [("PC_0", "true"), ("PC_1", "false")] {
        let line = format!(
            r#"["constraints","{connection}",{{"optional":[{{"rtcStatsSFUP2P":{is_direct}}}]}},1700000000000,1]"#
        );
        extractor.push_line(&line).unwrap();
    }
    extractor
        .push_line(r#"["create","PC_2",{},1700000000000,3]"#)
        .unwrap();
    let all = extractor.finish(0.0);
    let labels: Vec<_> = all
        .connections
        .iter()
        .map(|connection| connection.label)
        .collect();
    assert_eq!(labels, [Some("P2P"), Some("SFU"), None]);
}

#[test]
fn the_time_of_a_report_is_that_of_its_stats_unless_their_clock_is_another() {
    let mut extractor = extractor(small(10));
    for (stats, event) in [
        (1_700_000_000_000_u64, 1_700_000_000_400_u64),
        (5_000, 1_700_000_001_000),
    ] {
        let line = format!(
            r#"["getstats","PC_0",{{"T":{{"type":"transport","bytesSent":1}},"timestamp":{stats}}},{event},1]"#
        );
        extractor.push_line(&line).unwrap();
    }
    let all = extractor.finish(0.0);
    assert_eq!(
        all.connections[0].times,
        [1_700_000_000_000.0, 1_700_000_001_000.0]
    );
}

#[test]
fn a_report_that_only_says_what_is_gone_is_no_time_of_its_own() {
    let mut extractor = extractor(small(10));
    for line in [
        "RTCStatsDump",
        "{}",
        r#"["getStats","PC_0",{"O":{"type":"outbound-rtp","bytesSent":0,"framesPerSecond":9},"T":{"type":"transport","bytesSent":0},"t":1700000000000},1700000000000]"#,
        r#"["getStats","PC_0",{"O":null},1000]"#,
        r#"["getStats","PC_0",{"O":{"type":"outbound-rtp","bytesSent":125},"T":{"bytesSent":250},"t":1700000001000},0]"#,
    ] {
        extractor.push_line(line).unwrap();
    }
    let all = extractor.finish(0.0);
    let connection = &all.connections[0];
    assert_eq!(connection.times, [1_700_000_000_000.0, 1_700_000_001_000.0]);
    let rates = connection.objects.iter().flat_map(|object| &object.series);
    let rates = rates.filter(|series| series.name == "[bytesSent_in_bits/s]");
    let rates: Vec<_> = rates
        .map(|series| (series.first, &*series.values))
        .collect();
    assert_eq!(rates, [(1, &[1_000.0][..]), (1, &[2_000.0][..])]);
}

#[test]
fn what_peers_tell_belongs_to_the_report_before_in_an_export() {
    let export = r#"{"PeerConnections":{"9-1":{"updateLog":[],"stats":{
        "O-packetsSent":{"statsType":"outbound-rtp","values":"[5,7]"},
        "O-timestamp":{"statsType":"outbound-rtp","values":"[1700000001000,1700000002000]"},
        "R-jitter":{"statsType":"remote-inbound-rtp","values":"[1,2]"},
        "R-timestamp":{"statsType":"remote-inbound-rtp","values":"[1700000001400,1700000002400]"}}}}}"#;
    let limits = rtcstats_proto::Limits::default();
    let mut export = rtcstats_proto::dump::Internals::parse(export, &limits).unwrap();
    let mut extractor = extractor(small(10));
    crate::extract_export(&mut export, &mut extractor).unwrap();
    let all = extractor.finish(0.0);
    assert_eq!(
        all.connections[0].times,
        [1_700_000_001_000.0, 1_700_000_002_000.0]
    );
    let jitter = &all.connections[0].objects[1].series[0];
    assert_eq!(
        (&*jitter.name, &*jitter.values),
        ("jitter", &[1.0, 2.0][..])
    );
}

#[test]
fn reports_stay_cheap_when_there_is_no_room_for_their_members() {
    const MEMBERS: usize = 500;
    let mut extractor = extractor(ReportSeriesOptions {
        columns: 10,
        ..small(10)
    });
    let names: Vec<_> = (0..MEMBERS)
        .map(|member| format!("\"m{member}\":1"))
        .collect();
    let objects = (0..100).map(|object| {
        format!(
            "\"o{object}\":{{\"type\":\"transport\",{}}}",
            names.join(",")
        )
    });
    let objects: Vec<_> = objects.collect();
    let first = format!(
        "[\"getstats\",\"PC_0\",{{{}}},1700000000000,1]",
        objects.join(",")
    );
    extractor.push_line(&first).unwrap();
    let begun = std::time::Instant::now();
    // Members that are not mentioned are as they were.
    let same = (0..100).map(|object| format!("\"o{object}\":{{}}"));
    let same = same.collect::<Vec<_>>().join(",");
    for time in 1..1_000 {
        let line = format!(
            "[\"getstats\",\"PC_0\",{{{same}}},{},1]",
            1_700_000_000_000_u64 + time
        );
        extractor.push_line(&line).unwrap();
    }
    // A search for each of the members would take far longer.
    assert!(begun.elapsed() < std::time::Duration::from_secs(5));
    let all = extractor.finish(0.0);
    let columns = all.connections[0].objects.iter();
    assert_eq!(columns.map(|object| object.series.len()).sum::<usize>(), 10);
    assert!(all.is_incomplete);
}

#[test]
fn an_object_whose_members_change_places_goes_on_with_its_columns() {
    const MEMBERS: usize = 500;
    let mut extractor = extractor(small(10));
    for time in 0..4 {
        let mut names: Vec<_> = (0..MEMBERS)
            .map(|member| format!("\"m{member}\":{time}"))
            .collect();
        names.rotate_left(MEMBERS / 3 * time);
        let gone = format!(r#"["getstats","PC_0",{{}},{},1]"#, 1_700_000_000_000_u64);
        let line = format!(
            "[\"getstats\",\"PC_0\",{{\"o\":{{\"type\":\"transport\",{}}}}},{},1]",
            names.join(","),
            1_700_000_000_001_u64 + time as u64
        );
        extractor.push_line(&gone).unwrap();
        extractor.push_line(&line).unwrap();
    }
    let all = extractor.finish(0.0);
    let [object] = all.connections[0].objects.as_slice() else {
        panic!("{} objects", all.connections[0].objects.len())
    };
    assert_eq!(object.series.len(), MEMBERS);
    assert!(
        object
            .series
            .iter()
            .all(|series| series.values.last() == Some(&3.0))
    );
}

#[test]
fn numbers_within_members_are_few_however_their_names_change() {
    let mut extractor = extractor(small(100));
    for key in 0..40 {
        let line = format!(
            r#"["getstats","PC_0",{{"O":{{"type":"outbound-rtp","qualityLimitationDurations":{{"k{key}":1}}}}}},{},1]"#,
            1_700_000_000_000_u64 + key
        );
        extractor.push_line(&line).unwrap();
    }
    let all = extractor.finish(0.0);
    assert_eq!(all.connections[0].objects[0].series.len(), 16);
    assert!(all.is_incomplete);
}

#[test]
fn rates_of_what_peers_tell_are_of_the_time_between_their_messages() {
    let mut extractor = extractor(small(100));
    for (second, told, bytes) in [
        (0_u64, 400_u64, 1_000),
        (1, 400, 1_000),
        (2, 400, 1_000),
        (3, 2_900, 6_000),
        (4, 2_900, 6_000),
    ] {
        let time = |milliseconds: u64| 1_700_000_000_000_u64 + milliseconds;
        let own = time(told);
        let now = time(1_000 * second + 900);
        let line = format!(
            r#"["getstats","PC_0",{{"R":{{"type":"remote-outbound-rtp","kind":"audio","bytesSent":{bytes},"timestamp":{own}}},"T":{{"type":"transport","bytesSent":{bytes},"timestamp":{now}}}}},{now},1]"#
        );
        extractor.push_line(&line).unwrap();
    }
    let all = extractor.finish(0.0);
    let [remote, transport] = all.connections[0].objects.as_slice() else {
        panic!("{all:?}")
    };
    let names: Vec<_> = remote.series.iter().map(|series| &*series.name).collect();
    assert_eq!(names, ["bytesSent", "[bytesSent_in_bits/s]"]);
    assert_eq!(remote.series[0].values.len(), 5);
    // 5,000 bytes in 2.5 s; nothing is known of the time in which nothing was told.
    let rate = &remote.series[1];
    assert_eq!((rate.first, &*rate.values), (3, &[16_000.0][..]));
    let rate = &transport.series[1];
    assert_eq!(
        (rate.first, &*rate.values),
        (1, &[0.0, 0.0, 40_000.0, 0.0][..])
    );
}
