//! Frames of a connection: however a stream of messages is cut into frames, it says the same.
//!
//! The first byte of the input seeds the cutting, the rest is the stream.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rtcstats_fuzz::{chunks, is_json};
use rtcstats_proto::jitsi::{MessageError, MessageReader};
use rtcstats_proto::{ClientType, Event, Limits};

fn limits() -> Limits {
    Limits {
        line_bytes: 4_096,
        depth: 16,
        objects: 64,
        members: 64,
        values: 1_024,
        text_bytes: 65_536,
        unknown_names: 64,
        name_bytes: 64,
        ..Limits::default()
    }
}

/// What came out of a connection.
struct Reading {
    messages: Vec<Result<String, MessageError>>,
    end: Result<(), MessageError>,
    pending_bytes: usize,
}

fuzz_target!(|input: &[u8]| {
    let Some((&seed, stream)) = input.split_first() else {
        return;
    };
    let whole = read(std::iter::once(stream));
    let cut = read(chunks(stream, seed));
    if holds_only_objects(stream) {
        assert_eq!(whole.messages, cut.messages);
        if whole.end.is_ok() {
            assert_eq!(cut.end, Ok(()));
            assert_eq!(whole.pending_bytes, cut.pending_bytes);
        } else {
            // Nesting is judged when the message is complete.
            assert!(cut.end.is_err() || cut.pending_bytes > 0);
        }
    } else if whole.end.is_ok() && cut.end.is_ok() {
        // Numbers at the root have no end, so that cutting can make two of one.
        let refused = |reading: &Reading| {
            reading
                .messages
                .iter()
                .filter(|message| message.is_err())
                .count()
        };
        assert!(cut.messages.len() - refused(&cut) <= whole.messages.len() || refused(&whole) == 0);
    }
});

fn read<'a>(frames: impl Iterator<Item = &'a [u8]>) -> Reading {
    let mut reader = MessageReader::new(limits());
    let mut reading = Reading {
        messages: Vec::new(),
        end: Ok(()),
        pending_bytes: 0,
    };
    for frame in frames {
        reading.end = reader.read(frame, |message| {
            reading.messages.push(message.map(|message| {
                check_lines(&message);
                message.as_str().to_owned()
            }));
        });
        assert!(reader.pending_bytes() <= limits().line_bytes);
        if reading.end.is_err() {
            break;
        }
    }
    reading.pending_bytes = reader.pending_bytes();
    reading
}

fn check_lines(message: &rtcstats_proto::jitsi::Message<'_>) {
    for client_type in [ClientType::Rtcstats, ClientType::Jvb] {
        let mut line = String::from("before\n");
        if message.append_line(client_type, 1_700_000_000_000.0, &mut line) {
            let line = line.strip_prefix("before\n").expect("what was there stays");
            assert!(!line.contains(['\n', '\r']));
            let _ = Event::parse(line);
            if client_type == ClientType::Jvb {
                assert!(is_json(line), "{line}");
            }
        } else {
            assert_eq!(line, "before\n");
        }
    }
}

/// Whether the stream is what clients may send: objects one after another, the last cut off at most.
fn holds_only_objects(stream: &[u8]) -> bool {
    let mut values = serde_json::Deserializer::from_slice(stream).into_iter::<serde_json::Value>();
    loop {
        match values.next() {
            None => return true,
            Some(Ok(value)) if value.is_object() => {}
            Some(Ok(_)) => return false,
            Some(Err(error)) => {
                let rest = stream.get(values.byte_offset()..).unwrap_or_default();
                let is_object = rest.trim_ascii_start().starts_with(b"{");
                return error.is_eof() && is_object && std::str::from_utf8(stream).is_ok();
            }
        }
    }
}
