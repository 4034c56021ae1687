//! What clients of rtcstats 5.0 send.

use crate::delta::Encoder;
use crate::{Limits, RawJson};

/// The deltas of a sequence of reports.
fn encoded(reports: &[&str]) -> Vec<String> {
    let mut encoder = Encoder::rtcstats(Limits::default());
    let encode = |report: &&str| {
        let mut delta = String::new();
        let report = RawJson::parse(report).unwrap();
        encoder.encode(report, &mut delta).unwrap();
        delta
    };
    reports.iter().map(encode).collect()
}

#[test]
fn a_transport_that_gains_a_certificate_late_is_sent_as_an_empty_object() {
    let deltas = encoded(&[
        r#"{"T":{"type":"transport","timestamp":1}}"#,
        r#"{"T":{"type":"transport","timestamp":2,"remoteCertificateId":"C"},"C":{"type":"certificate","timestamp":2}}"#,
    ]);
    assert_eq!(deltas, [r#"{"0":{"type":5},"t":1}"#, r#"{"0":{},"t":2}"#]);
}

#[test]
fn a_certificate_is_sent_without_type_when_its_time_or_content_changes() {
    let deltas = encoded(&[
        r#"{"T":{"type":"transport","timestamp":1},"C":{"type":"certificate","timestamp":1,"fingerprint":"a"}}"#,
        r#"{"T":{"type":"transport","timestamp":3},"C":{"type":"certificate","timestamp":2,"fingerprint":"a"}}"#,
        r#"{"T":{"type":"transport","timestamp":4},"C":{"type":"certificate","timestamp":4,"fingerprint":"b"}}"#,
    ]);
    assert_eq!(
        deltas,
        [
            r#"{"0":{"type":5},"t":1}"#,
            r#"{"1":{"t":2},"t":3}"#,
            r#"{"1":{"163":"b"},"t":4}"#
        ]
    );
}

#[test]
fn an_object_of_which_only_obsolete_members_changed_is_empty() {
    let deltas = encoded(&[
        r#"{"P":{"type":"candidate-pair","writable":false,"ip":"192.0.2.1"}}"#,
        r#"{"P":{"type":"candidate-pair","writable":true,"ip":"192.0.2.2"}}"#,
    ]);
    assert_eq!(deltas, [r#"{"0":{"type":6}}"#, r#"{"0":{}}"#]);
}

#[test]
fn an_object_without_members_stays_in_every_delta() {
    let deltas = encoded(&[r#"{"a":{"id":"a","x":1}}"#, r#"{"a":{"id":"a"}}"#]);
    assert_eq!(deltas, [r#"{"0":{"x":1}}"#, r#"{"0":{}}"#]);
}

#[test]
fn an_id_that_is_its_own_number_keeps_its_references() {
    let deltas = encoded(&[r#"{"foo":{"type":"codec"},"0":{"codecId":"foo"}}"#]);
    assert_eq!(deltas, [r#"{"0":{"12":"foo"},"1":{"type":14}}"#]);
}

#[test]
fn an_object_is_lost_where_another_gets_the_number_that_is_its_id() {
    let deltas = encoded(&[
        r#"{"a":{"x":1},"b":{"x":1}}"#,
        r#"{"1":{"x":1,"codecId":"a"},"2":{"x":2},"a":{"x":1},"b":{"x":1}}"#,
    ]);
    // "1" goes to 2, and from there, instead of "2", to 3; "a" is 0, and "0" nothing.
    assert_eq!(deltas, [r#"{"0":{"x":1},"1":{"x":1}}"#, r#"{"3":{"x":1}}"#]);
}

#[test]
fn a_member_that_becomes_null_is_sent() {
    let deltas = encoded(&[
        r#"{"a":{"x":1,"y":null}}"#,
        r#"{"a":{"x":null,"y":null,"z":null}}"#,
    ]);
    assert_eq!(
        deltas,
        [r#"{"0":{"x":1,"y":null}}"#, r#"{"0":{"x":null,"z":null}}"#]
    );
}

#[test]
fn an_object_whose_id_is_the_key_of_the_timestamp_is_not_sent() {
    let deltas = encoded(&[r#"{"t":{"x":1},"a":{"timestamp":5}}"#]);
    assert_eq!(deltas, [r#"{"t":5}"#]);
}

#[test]
fn an_object_that_is_gone_is_null_once_and_comes_back_under_its_number() {
    let deltas = encoded(&[
        r#"{"a":{"x":1},"b":{"x":1}}"#,
        r#"{"b":{"x":1}}"#,
        r#"{"b":{"x":1}}"#,
        r#"{"b":{"x":1},"a":{"x":1}}"#,
    ]);
    assert_eq!(
        deltas,
        [
            r#"{"0":{"x":1},"1":{"x":1}}"#,
            r#"{"0":null}"#,
            "{}",
            r#"{"0":{"x":1}}"#
        ]
    );
}

#[test]
fn members_come_by_number_and_of_repeated_ones_the_last_counts() {
    let report = r#"{"a":{"x":1,"bytesSent":1,"t":0,"ssrc":2,"timestamp":3,"80":9,"x":2,"kind":"audio"},"b":{"timestamp":4}}"#;
    assert_eq!(
        encoded(&[report]),
        [r#"{"0":{"10":2,"11":"audio","80":1,"x":2,"t":3},"t":4}"#]
    );
}

#[test]
fn a_refused_report_changes_nothing() {
    let mut encoder = Encoder::rtcstats(Limits::default());
    let mut out = String::new();
    for report in [r#"{"a":{"x":1}}"#, r#"{"b":{"x":1},"c":null}"#] {
        let _ = encoder.encode(RawJson::parse(report).unwrap(), &mut out);
    }
    encoder
        .encode(
            RawJson::parse(r#"{"a":{"x":1},"b":{"x":1}}"#).unwrap(),
            &mut out,
        )
        .unwrap();
    assert_eq!(out, r#"{"0":{"x":1}}{"1":{"x":1}}"#);
    assert_eq!(encoder.ids().collect::<Vec<_>>(), ["a", "b"]);
}
