//! What is kept of events, and what is not.

use proptest::prelude::*;

use super::*;
use crate::{Extractor, Limits};

fn extractor(options: TimelineOptions) -> Extractor<TimelineFold> {
    Extractor::new(TimelineFold::new(options))
}

const LINES: [&str; 6] = [
    r#"["connectionInfo",null,{"clientProtocol":"3.1_STANDARD"},1700000000000]"#,
    r#"["create","PC_0",{"iceServers":[]},1700000000005,1]"#,
    r#"["getstats","PC_0",{"T":{"type":"transport"}},1700000000009,2]"#,
    r#"["onconnectionstatechange","PC_0","connected",1700000000003,3]"#,
    r#"["getstats","PC_0",null,1700000000004,4]"#,
    r#"["brandNew",null,{"a":1},12,5]"#,
];

fn timeline(options: TimelineOptions) -> Timeline {
    let mut extractor = extractor(options);
    for line in LINES {
        // A report that is none is an error of the decoder.
        let _ = extractor.push_line(line);
    }
    extractor.finish(0.0)
}

#[test]
fn everything_but_reports_is_told_and_all_times_count() {
    let timeline = timeline(TimelineOptions::default());
    let names: Vec<_> = timeline.events.iter().map(|event| &*event.name).collect();
    assert_eq!(
        names,
        [
            "connectionInfo",
            "create",
            "onconnectionstatechange",
            "brandNew"
        ]
    );
    assert_eq!(timeline.events[1].detail.as_ref(), r#"{"iceServers":[]}"#);
    assert_eq!(timeline.events[3].time, Some(12.0));
    // What is no time of day counts for neither.
    assert_eq!(
        (timeline.start, timeline.end),
        (Some(1_700_000_000_000.0), Some(1_700_000_000_009.0))
    );
    let json = serde_json::to_value(&timeline).unwrap();
    assert_eq!(json["events"][2]["ms"], 1_700_000_000_003_u64);
    assert_eq!(json["events"][2]["category"], "state");
    assert!(json["events"][0]["connection"].is_null());
}

#[test]
fn what_is_beyond_a_limit_is_counted_or_cut() {
    let most = TimelineOptions {
        events: 2,
        ..TimelineOptions::default()
    };
    let found = timeline(most);
    assert_eq!((found.events.len(), found.omitted), (2, 2));
    let short = TimelineOptions {
        detail_bytes: 5,
        ..TimelineOptions::default()
    };
    assert_eq!(timeline(short).events[1].detail.as_ref(), "{\"ice");
    let few = TimelineOptions {
        total_detail_bytes: 20,
        ..TimelineOptions::default()
    };
    let found = timeline(few);
    let kept: usize = found.events.iter().map(|event| event.detail.len()).sum();
    assert!(kept <= 20 && found.events.len() == 4);
    let limits = Limits {
        connections: 0,
        ..Limits::default()
    };
    let mut extractor = Extractor::with_limits(TimelineFold::new(few), limits);
    extractor.push_line(LINES[1]).unwrap();
    assert_eq!(extractor.finish(0.0).omitted, 1);
}

proptest! {
    #[test]
    fn whoever_follows_has_in_the_end_all_events(
        picks in prop::collection::vec(0_usize..6, 0..40),
        chunks in prop::collection::vec(1_usize..9, 40),
    ) {
        let mut extractor = extractor(TimelineOptions { events: 20, ..TimelineOptions::default() });
        let (mut had, mut rest) = (Vec::new(), picks.as_slice());
        for chunk in chunks {
            let (now, later) = rest.split_at(chunk.min(rest.len()));
            rest = later;
            for pick in now {
                let _ = extractor.push_line(LINES[*pick]);
            }
            had.extend(extractor.fold().since(had.len()).events);
        }
        prop_assert_eq!(had, extractor.finish(0.0).events);
    }
}
