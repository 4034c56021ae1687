//! The contract of stores that records are looked up in.

use std::thread;
use std::time::Duration;

use serde_json::value::to_raw_value;
use serde_json::{Value, json};

use super::block_on;
use crate::{
    FeatureSink, RecordKey, RecordPage, RecordPart, RecordSearch, RecordStore, SessionRecord,
};

/// Holds a [`RecordStore`] to its contract. `make` opens a new, empty one at each call.
///
/// # Panics
///
/// At the first thing the contract forbids.
pub fn record_store_contract<S: FeatureSink + RecordStore>(make: impl Fn() -> S) {
    let store = make();
    assert_eq!(search(&store, &RecordSearch::last(9)), (vec![], Some(0)));
    for record in records() {
        block_on(store.publish(&record)).unwrap_or_else(|error| panic!("{error}"));
        // Clocks of file systems tell times apart that are further from each other.
        thread::sleep(Duration::from_millis(30));
    }
    each_key_sorts_both_ways_and_absent_ones_come_last(&store);
    words_are_found_anywhere_whatever_the_case(&store);
    filters_hold_together_with_words(&store);
    pages_follow_each_other(&store);
    a_row_tells_what_the_record_says(&store);
}

/// In the order of their ends.
fn records() -> Vec<SessionRecord> {
    let aggregate = |lost: u64, packets: u64, sent: bool, rtt: f64| {
        let (received, sent) = if sent {
            ([0, 0], [lost, packets])
        } else {
            ([lost, packets], [0, 0])
        };
        json!({
            "trackAggregates": {
                "totalReceivedPacketsLost": received[0], "totalPacketsReceived": received[1],
                "totalSentPacketsLost": sent[0], "totalPacketsSent": sent[1],
            },
            "transportAggregates": {"meanRtt": rtt},
        })
    };
    let browser = |name: &str, version: &str| json!({"name": name, "version": version});
    vec![
        record("s-3", &json!({"session": {}})),
        record(
            "s-2",
            &json!({
                "session": {"user": "bob", "conference": "Red", "startedMs": 1_000, "peerIds": ["p"]},
                "features": {
                    "dumpMetadata": {"conferenceUrl": "https://h/<b>\"'\\%_"},
                    "features": {
                        "sessionStartTime": 5, "sessionEndTime": 705,
                        "browserInfo": browser("Firefox", "130.0"),
                        "aggregates": {"PC_0": aggregate(0, 50, false, 0.0)},
                    },
                },
            }),
        ),
        record(
            "s-4",
            &json!({
                "session": {"startedMs": 2_000},
                "features": {
                    "dumpMetadata": {"userId": "Zoë", "conferenceId": "amber"},
                    "features": {
                        "sessionStartTime": 5, "sessionEndTime": 105,
                        "browserInfo": browser("Safari", "17.4"),
                        "aggregates": {
                            "PC_0": aggregate(5, 10, true, 0.2),
                            "PC_1": aggregate(1, 99, false, 0.1),
                        },
                    },
                },
            }),
        ),
        record(
            "s-1",
            &json!({
                "session": {
                    "user": "Ann", "conference": "blue room", "session": "App", "clientId": "c-1",
                    "startedMs": 3_000, "bytes": 10, "events": 3,
                },
                "features": {
                    "features": {
                        "sessionStartTime": 5, "sessionEndTime": 505,
                        "browserInfo": browser("Chrome", "120.0"),
                        "aggregates": {"PC_0": aggregate(1, 3, false, 7.0)},
                    },
                },
                "rtcstats": {"peerConnections": [
                    {"averageStunRoundTripTime": 0.0625}, {"averageStunRoundTripTime": 0.03125}, {},
                ]},
            }),
        ),
    ]
}

fn record(name: &str, parts: &Value) -> SessionRecord {
    let parts = parts
        .as_object()
        .into_iter()
        .flatten()
        .map(|(part, json)| RecordPart {
            part: part.clone(),
            json: to_raw_value(json).expect("JSON of this suite"),
        });
    SessionRecord {
        name: name.parse().expect("a name of this suite"),
        parts: parts.collect(),
    }
}

fn page(store: &impl RecordStore, search: &RecordSearch) -> RecordPage {
    block_on(store.search(search)).unwrap_or_else(|error| panic!("{error}"))
}

/// Names, and how many there are in all.
fn search(store: &impl RecordStore, search: &RecordSearch) -> (Vec<String>, Option<u64>) {
    let page = page(store, search);
    let names = page.rows.iter().map(|row| row.name.to_string());
    (names.collect(), page.total)
}

fn each_key_sorts_both_ways_and_absent_ones_come_last(store: &impl RecordStore) {
    for (key, ascending, absent) in [
        (
            RecordKey::Published,
            &["s-3", "s-2", "s-4", "s-1"][..],
            &[][..],
        ),
        (RecordKey::Conference, &["s-4", "s-1", "s-2"], &["s-3"]),
        (RecordKey::User, &["s-1", "s-2", "s-4"], &["s-3"]),
        (RecordKey::Browser, &["s-1", "s-2", "s-4"], &["s-3"]),
        (RecordKey::Started, &["s-2", "s-4", "s-1"], &["s-3"]),
        (RecordKey::Duration, &["s-4", "s-1", "s-2"], &["s-3"]),
        (RecordKey::Loss, &["s-2", "s-1", "s-4"], &["s-3"]),
        (RecordKey::RoundTripTime, &["s-1", "s-4"], &["s-2", "s-3"]),
    ] {
        for is_descending in [false, true] {
            let wanted = RecordSearch {
                key,
                is_descending,
                ..RecordSearch::last(9)
            };
            let page = page(store, &wanted);
            let names: Vec<_> = page.rows.iter().map(|row| row.name.to_string()).collect();
            let (present, last) = names.split_at(ascending.len());
            let mut expected = ascending.to_vec();
            if is_descending {
                expected.reverse();
            }
            assert_eq!(present, expected, "{key:?}");
            let mut last = last.to_vec();
            last.sort();
            assert_eq!(last, absent, "{key:?}");
            let is_sorted = page
                .rows
                .is_sorted_by(|one, other| wanted.compare(one, other).is_le());
            assert!(is_sorted, "the store sorts as the search compares: {key:?}");
        }
    }
    let ended = RecordSearch {
        key: RecordKey::Ended,
        text: "0".to_owned(),
        ..RecordSearch::last(9)
    };
    assert_eq!(search(store, &ended).0, ["s-1", "s-2"]);
}

fn words_are_found_anywhere_whatever_the_case(store: &impl RecordStore) {
    for (text, expected) in [
        ("", &["s-1", "s-2", "s-3", "s-4"][..]),
        ("  ", &["s-1", "s-2", "s-3", "s-4"]),
        ("s-", &["s-1", "s-2", "s-3", "s-4"]),
        ("nn", &["s-1"]),
        ("ZOË", &["s-4"]),
        ("AMBER", &["s-4"]),
        ("blue", &["s-1"]),
        ("room chrome", &["s-1"]),
        ("room firefox", &[]),
        ("ox 130", &["s-2"]),
        ("c-1", &["s-1"]),
        ("app", &["s-1"]),
        ("%", &["s-2"]),
        ("<B>\"'\\%_", &["s-2"]),
        ("a%b", &[]),
        ("'", &["s-2"]),
        ("\0", &[]),
    ] {
        let wanted = RecordSearch {
            text: text.to_owned(),
            ..RecordSearch::last(9)
        };
        let (mut names, total) = search(store, &wanted);
        names.sort();
        assert_eq!(names, expected, "{text:?}");
        assert_eq!(total, Some(expected.len() as u64), "{text:?}");
    }
}

fn filters_hold_together_with_words(store: &impl RecordStore) {
    let mut wanted = RecordSearch::last(9);
    wanted.filter.user = Some("bob".to_owned());
    wanted.filter.peer_id = Some("p".to_owned());
    assert_eq!(search(store, &wanted), (vec!["s-2".to_owned()], Some(1)));
    wanted.text = "firefox red".to_owned();
    assert_eq!(search(store, &wanted), (vec!["s-2".to_owned()], Some(1)));
    wanted.text = "chrome".to_owned();
    assert_eq!(search(store, &wanted), (vec![], Some(0)));
}

fn pages_follow_each_other(store: &impl RecordStore) {
    for key in RecordKey::ALL {
        for is_descending in [false, true] {
            let of = |offset, limit| {
                let wanted = RecordSearch {
                    key,
                    is_descending,
                    offset,
                    ..RecordSearch::last(limit)
                };
                search(store, &wanted)
            };
            let (all, total) = of(0, usize::MAX);
            assert_eq!((all.len(), total), (4, Some(4)));
            let single = (0..4).flat_map(|offset| of(offset, 1).0);
            assert_eq!(single.collect::<Vec<_>>(), all, "{key:?}");
            assert_eq!(of(1, 2).0, all.get(1..3).unwrap_or_default());
            assert_eq!(of(3, 9).0, all.get(3..).unwrap_or_default());
            assert_eq!(of(4, 9), (vec![], Some(4)));
            assert_eq!(of(usize::MAX, 9), (vec![], Some(4)));
            assert_eq!(of(0, 0), (vec![], Some(4)));
        }
    }
    let uncounted = RecordSearch {
        is_counted: false,
        ..RecordSearch::last(2)
    };
    let (rows, total) = search(store, &uncounted);
    assert_eq!((rows.len(), total), (2, None));
}

fn a_row_tells_what_the_record_says(store: &impl RecordStore) {
    let row = |name: &str| {
        let wanted = RecordSearch {
            text: name.to_owned(),
            ..RecordSearch::last(1)
        };
        let rows = page(store, &wanted).rows.into_iter();
        let mut row = rows.map(|row| serde_json::to_value(row).expect("a row is JSON"));
        row.next().expect("it is there")
    };
    assert_eq!(
        row("s-1"),
        json!({
            "id": "s-1", "conference": "blue room", "user": "Ann", "displayName": null,
            "browser": "Chrome", "browserVersion": "120.0", "client": "c-1",
            "startMs": 3_000.0, "endMs": 3_500.0, "durationMs": 500.0, "connections": 3,
            "loss": 0.25, "rttMs": 62.5, "bytes": 10, "events": 3,
        })
    );
    let row = row("s-4");
    let of =
        |members: [&str; 5]| members.map(|member| row.get(member).cloned().unwrap_or_default());
    assert_eq!(
        of(["conference", "displayName", "connections", "loss", "rttMs"]),
        [
            json!("amber"),
            json!("Zoë"),
            json!(2),
            json!(0.5),
            json!(200.0)
        ]
    );
}
