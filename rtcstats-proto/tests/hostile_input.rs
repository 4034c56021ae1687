//! Damaged and hostile input: every cut of a real recording and six changes of every byte, and reports
//! made to cost more than they should.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use rtcstats_proto::delta::{Decoder, DeltaError, DeltaLimit};
use rtcstats_proto::dump::LineReader;
use rtcstats_proto::jitsi::{Message, MessageReader};
use rtcstats_proto::json::{JsonErrorKind, write_text};
use rtcstats_proto::stats::Stats;
use rtcstats_proto::{ClientType, Event, EventError, Limits, Method, RawJson};

/// The signalling of an audio and video call, without SDP, and four reports, recorded from Chromium.
const DUMP: &str = include_str!("data/chromium-av-p2p.dump");

/// What a byte is changed to: a bit, the sign bit (no UTF-8 any more), and the bytes that mean something.
const CHANGES: [fn(u8) -> u8; 6] = [
    |byte| byte ^ 1,
    |byte| byte ^ 0x80,
    |_| b'"',
    |_| b'}',
    |_| b'\\',
    |_| b'\n',
];

/// The text with each byte changed in each way.
fn damaged(text: &str) -> impl Iterator<Item = Vec<u8>> {
    (0..text.len()).flat_map(move |place| {
        CHANGES.iter().map(move |change| {
            let mut bytes = text.as_bytes().to_vec();
            bytes[place] = change(bytes[place]);
            bytes
        })
    })
}

fn reports() -> Vec<RawJson<'static>> {
    let events = DUMP.lines().map(|line| Event::parse(line).unwrap());
    let reports = events.filter(|event| event.method() == Some(Method::CompressedGetStats));
    reports.map(|event| event.payload()).collect()
}

fn json(stats: &Stats) -> String {
    let mut json = String::new();
    stats.write_json(&mut json);
    json
}

fn decoded<'a>(reports: impl IntoIterator<Item = RawJson<'a>>) -> Stats {
    let (mut decoder, mut stats) = (Decoder::jitsi(Limits::default()), Stats::default());
    for report in reports {
        decoder.decode(report, &mut stats).unwrap();
    }
    stats
}

#[test]
fn a_dump_cut_anywhere_is_whole_but_for_a_torn_last_line() {
    let mut start = 0;
    for line in DUMP.lines() {
        for length in 1..line.len() {
            let cut = &DUMP.as_bytes()[start..start + length];
            let mut reader = LineReader::new(cut);
            let last = reader.next_line().unwrap().unwrap();
            let error = last.event().unwrap_err();
            assert!(error.is_torn(), "{error}: {}", last.as_str());
        }
        let whole = &DUMP.as_bytes()[start..start + line.len()];
        assert!(
            LineReader::new(whole)
                .next_line()
                .unwrap()
                .unwrap()
                .event()
                .is_ok()
        );
        start += line.len() + 1;
    }
}

#[test]
fn a_damaged_line_is_an_event_or_an_error_with_a_place() {
    for line in DUMP.lines() {
        for bytes in damaged(line) {
            let mut reader = LineReader::new(bytes.as_slice());
            while let Some(line) = reader.next_line().unwrap() {
                match line.event() {
                    Ok(event) => assert!(event.payload().as_str().len() <= line.as_str().len()),
                    Err(error) => {
                        assert!(error.line <= 2);
                        let offset = error.error.offset().unwrap_or_default();
                        assert!(offset <= line.as_str().len(), "{error}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_damaged_report_changes_all_or_nothing_and_the_next_one_is_read() {
    let reports = reports();
    let (first, second, third) = (reports[0], reports[1], reports[2]);
    let before = json(&decoded([first]));
    let without_second = json(&decoded([first, third]));
    for bytes in damaged(second.as_str()) {
        let Ok(text) = String::from_utf8(bytes) else {
            continue;
        };
        let line = format!("[\"getstats\",\"PC_0\",{text},1700000000000,1]");
        let Ok(event) = Event::parse(&line) else {
            continue;
        };
        let mut stats = decoded([first]);
        let mut decoder = Decoder::jitsi(Limits::default());
        match decoder.decode(event.payload(), &mut stats) {
            Ok(()) => decoder.decode(third, &mut stats).unwrap(),
            Err(error) => {
                let DeltaError::Json(place) = error else {
                    panic!("{error}");
                };
                assert!(place.offset <= text.len());
                assert_eq!(json(&stats), before);
                decoder.decode(third, &mut stats).unwrap();
                assert_eq!(json(&stats), without_second);
            }
        }
    }
}

#[test]
fn a_report_cut_anywhere_is_refused() {
    let reports = reports();
    let (first, second) = (reports[0], reports[1].as_str());
    let before = json(&decoded([first]));
    let mut stats = decoded([first]);
    let mut decoder = Decoder::jitsi(Limits::default());
    for length in (1..second.len()).filter(|length| second.is_char_boundary(*length)) {
        let line = format!(
            "[\"getstats\",\"PC_0\",{}}},1700000000000,1]",
            &second[..length]
        );
        if let Ok(event) = Event::parse(&line)
            && event.payload().as_str() != second
        {
            // The brace may have completed it.
            let is_complete = RawJson::parse(event.payload().as_str()).is_ok();
            if !is_complete {
                decoder.decode(event.payload(), &mut stats).unwrap_err();
            }
        }
    }
    assert_eq!(json(&stats), before);
}

/// Messages as the browser sent them, line by line.
fn messages() -> Vec<String> {
    let lines = DUMP.lines().skip(1);
    let message = |line| {
        let mut message =
            String::from("{\"statsSessionId\":\"s-1\",\"type\":\"stats-entry\",\"data\":");
        write_text(line, &mut message);
        message.push('}');
        message
    };
    lines.map(message).collect()
}

#[test]
fn a_damaged_message_is_read_refused_or_fatal() {
    for message in messages() {
        for bytes in damaged(&message) {
            let mut reader = MessageReader::new(Limits::default());
            let mut lines = 0;
            let end = reader.read(&bytes, |message| {
                let mut line = String::new();
                if let Ok(message) = message {
                    lines += usize::from(message.append_line(ClientType::Rtcstats, 0.0, &mut line));
                }
                assert!(!line.contains(['\n', '\r']));
            });
            assert!(lines <= 1);
            assert!(reader.pending_bytes() <= bytes.len());
            if let Err(error) = end {
                assert!(error.is_fatal());
            }
        }
    }
}

#[test]
fn a_message_cut_anywhere_waits_for_the_rest() {
    for message in messages() {
        let whole = Message::parse(&message).unwrap();
        for cut in 1..message.len() {
            let (head, tail) = message.as_bytes().split_at(cut);
            let mut reader = MessageReader::new(Limits::default());
            reader.read(head, |_| panic!("half a message")).unwrap();
            assert_eq!(reader.pending_bytes(), cut);
            let mut seen = 0;
            reader
                .read(tail, |message| {
                    assert_eq!(message.unwrap().as_str(), whole.as_str());
                    seen += 1;
                })
                .unwrap();
            assert_eq!((seen, reader.pending_bytes()), (1, 0));
        }
    }
}

#[test]
fn depth_is_refused_without_recursion() {
    let deep = "[".repeat(1_000_000);
    let error = Event::parse(&deep).unwrap_err();
    assert!(matches!(error, EventError::Json(error) if error.kind == JsonErrorKind::Depth));
    let report = format!("{{\"a\":{{\"b\":{deep}");
    let line = format!("[\"getstats\",\"PC_0\",{report}}},1700000000000,1]");
    let event = Event::parse(&line).unwrap();
    let error = Decoder::jitsi(Limits::default()).decode(event.payload(), &mut Stats::default());
    assert!(matches!(error, Err(DeltaError::Json(error)) if error.kind == JsonErrorKind::Depth));
}

/// A report with `objects` of one member, whose value is the JSON text `value`.
fn report(objects: std::ops::Range<usize>, value: &str) -> String {
    let objects = objects.map(|id| format!("\"object{id}\":{{\"member\":{value}}}"));
    format!("{{{}}}", objects.collect::<Vec<_>>().join(","))
}

fn limit_hit(reports: &[String]) -> Option<DeltaLimit> {
    let limits = Limits::default();
    let (mut decoder, mut stats) = (Decoder::jitsi(limits), Stats::default());
    for report in reports {
        let result = decoder.decode(RawJson::parse(report).unwrap(), &mut stats);
        assert!(stats.len() <= limits.objects);
        assert!(stats.values() <= limits.values + limits.objects);
        assert!(stats.text_bytes() <= limits.text_bytes);
        match result {
            Ok(()) => {}
            Err(DeltaError::Limit { limit, .. }) => return Some(limit),
            Err(error) => panic!("{error}"),
        }
    }
    None
}

#[test]
fn ever_new_objects_members_and_texts_stay_within_the_limits() {
    // Each report replaces all objects by as many others, which is allowed, and must not take long.
    let rolling: Vec<String> = (0..20)
        .map(|round| report(round * 4_000..(round + 1) * 4_000, "1"))
        .collect();
    assert_eq!(limit_hit(&rolling), None);
    assert_eq!(
        limit_hit(&[report(0..200_000, "1")]),
        Some(DeltaLimit::Objects)
    );

    let names = |round: usize| {
        let members: Vec<String> = (0..500)
            .map(|name| format!("\"m{round}-{name}\":1"))
            .collect();
        format!("{{\"a\":{{{}}}}}", members.join(","))
    };
    let growing: Vec<String> = (0..10).map(names).collect();
    assert_eq!(limit_hit(&growing), Some(DeltaLimit::UnknownNames));

    let long = format!("\"{}\"", "x".repeat(1_000_000));
    assert_eq!(
        limit_hit(&[report(0..20, &long)]),
        Some(DeltaLimit::TextBytes)
    );
    // One after another they fit, because each gives way to a short one.
    let passing: Vec<String> = (0..30)
        .map(|round| report(0..30, "\"short\"").replacen("\"short\"", &long, round % 2))
        .collect();
    assert_eq!(limit_hit(&passing), None);
}

#[test]
fn an_id_repeated_throughout_a_report_takes_no_more_time_than_others() {
    let repeated = vec!["\"a\":{\"b\":1}"; 4_000].join(",");
    let stats = decoded([RawJson::parse(&format!("{{{repeated}}}")).unwrap()]);
    assert_eq!(json(&stats), "{\"a\":{\"b\":1}}");
}
