//! What a browser sends over its WebSocket.

use rtcstats_proto::{Event, json};

use crate::Dump;

/// The session of all messages.
pub const SESSION_ID: &str = "c19b8581-3c42-43a2-a8d2-0f94282ab569";

/// The messages that make a dump: identities as arrays, everything else as JSON in a string.
pub fn of(dump: &Dump) -> Vec<String> {
    // The header is the server's.
    let lines = dump
        .lines
        .iter()
        .filter(|line| !line.starts_with("[\"connectionInfo\""));
    lines.map(|line| message(line)).collect()
}

fn message(line: &str) -> String {
    let event = Event::parse(line).unwrap();
    let is_identity = event.name() == "identity";
    let kind = if is_identity {
        "identity"
    } else {
        "stats-entry"
    };
    let mut message =
        format!("{{\"statsSessionId\":\"{SESSION_ID}\",\"type\":\"{kind}\",\"data\":");
    if is_identity {
        message.push_str(line);
    } else {
        json::write_text(line, &mut message);
    }
    message.push('}');
    message
}
