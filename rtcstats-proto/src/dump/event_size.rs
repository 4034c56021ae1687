//! What an event costs on the wire.

use crate::{Event, Scope};

/// The size of the line of an event (rtcstats spec 8.4), to show what each kind of event and each
/// peer connection costs.
///
/// ```
/// use rtcstats_proto::EventReader;
/// use rtcstats_proto::dump::EventSize;
///
/// let mut reader = EventReader::default();
/// let line = r#"[":rating",null,"é",1700000000000]"#;
/// let event = reader.read(line)?.ok_or("no event")?;
/// let size = EventSize::of(&event);
/// assert_eq!((size.method, size.length), (":rating", 34));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EventSize<'a> {
    /// The peer connection; `None` for the client as a whole.
    pub connection: Option<&'a str>,
    /// When it happened, in Unix epoch milliseconds, if the line says.
    pub time: Option<f64>,
    /// The length of the line before anything was decoded, without its terminator, in UTF-16 units
    /// as existing readers count it. 0 for the events of imports, which have no lines.
    pub length: usize,
    /// The name of the event, decoded.
    pub method: &'a str,
}

impl<'a> EventSize<'a> {
    /// That of an event.
    pub fn of(event: &'a Event<'_>) -> Self {
        Self {
            connection: match event.scope() {
                Scope::Client => None,
                Scope::PeerConnection(key) => Some(key),
            },
            time: event.timestamp(),
            length: utf16_length(event.line()),
            method: event.name(),
        }
    }
}

fn utf16_length(text: &str) -> usize {
    if text.is_ascii() {
        text.len()
    } else {
        text.encode_utf16().count()
    }
}
