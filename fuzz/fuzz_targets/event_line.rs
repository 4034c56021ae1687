//! One line of a dump: what is accepted is JSON, and what is JSON of the right shape is accepted.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rtcstats_fuzz::is_json;
use rtcstats_proto::json::JsonErrorKind;
use rtcstats_proto::{Event, EventError, EventForm, Method, RawJson, sequence_number_of};

fuzz_target!(|input: &[u8]| {
    let Ok(line) = std::str::from_utf8(input) else {
        return;
    };
    match Event::parse(line) {
        Ok(event) => check_event(line, &event),
        Err(EventError::Json(error)) => {
            assert!(error.offset <= line.len());
            assert!(
                error.kind == JsonErrorKind::Depth || !is_json(line),
                "{error}: {line}"
            );
        }
        Err(EventError::Shape) => {
            assert!(is_json(line), "{line}");
            assert!(!line.trim_ascii_start().starts_with('{'), "{line}");
        }
        Err(error) => panic!("{error}"),
    }
    let _ = sequence_number_of(line);
});

fn check_event(line: &str, event: &Event<'_>) {
    let payload = event.payload();
    // The report of a getstats event is read by the delta decoder only.
    let is_unread =
        event.method() == Some(Method::CompressedGetStats) && payload.as_str().starts_with('{');
    let is_read = !is_unread || RawJson::parse(payload.as_str()).is_ok();
    assert!(!is_read || is_json(line), "{line}");
    if event.form() == EventForm::Array && event.timestamp().is_some_and(|time| time > 1e11) {
        assert_eq!(event.sequence_number(), sequence_number_of(line), "{line}");
    }
    // No accessor may fail, on damaged text neither.
    let _ = (
        payload.to_key(),
        payload.to_number(),
        payload.is_truthy(),
        payload.as_text(),
    );
    for (name, value) in payload.members() {
        let _ = (payload.get(&name), value.to_key());
    }
    for element in payload.elements() {
        assert!(element.as_str().len() <= line.len());
    }
}
