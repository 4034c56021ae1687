//! How clients write a track.

use std::borrow::Cow;

use rtcstats_proto::RawJson;
use rtcstats_proto::json::JsonKind;

/// A track as an event's value has it.
#[derive(Debug, Default)]
pub(super) struct TrackValue<'a> {
    pub(super) kind: Option<Cow<'a, str>>,
    /// Absent is another thing than null here: see [`Tracks`](super::tracks::Tracks).
    pub(super) id: Option<RawJson<'a>>,
    pub(super) label: Option<Cow<'a, str>>,
    pub(super) streams: Vec<Cow<'a, str>>,
}

/// A track of which the text form says all.
#[derive(Debug)]
pub(super) struct TrackText<'a> {
    pub(super) kind: &'a str,
    pub(super) id: &'a str,
    /// What follows the id.
    pub(super) rest: &'a str,
}

impl<'a> TrackValue<'a> {
    /// Reads the forms that are JSON: `[kind, id, label, stream…]` of rtcstats 5.0, `{kind, id, label,
    /// streams}` of webrtc-internals and of captured streams.
    pub(super) fn read(value: RawJson<'a>) -> Option<Self> {
        match value.kind() {
            JsonKind::Array => {
                let mut elements = value.elements();
                Some(Self {
                    kind: elements.next().and_then(RawJson::as_text),
                    id: elements.next(),
                    label: elements.next().and_then(RawJson::as_text),
                    streams: elements.filter_map(RawJson::as_text).collect(),
                })
            }
            JsonKind::Object => Some(Self {
                kind: value.get("kind").and_then(RawJson::as_text),
                // A transceiver has a track.
                id: value.get("id").or_else(|| value.get("track")),
                label: value.get("label").and_then(RawJson::as_text),
                streams: value.get("streams").map(texts).unwrap_or_default(),
            }),
            _ => None,
        }
    }
}

impl<'a> TrackText<'a> {
    /// Reads the form of Jitsi and legacy clients: `audio:<id> stream:<id>`.
    pub(super) fn read(text: &'a str) -> Option<Self> {
        let (track, rest) = text.split_once(' ').unwrap_or((text, ""));
        let (kind, id) = track.split_once(':')?;
        Some(Self { kind, id, rest })
    }

    /// The ids of `stream:<id>,stream:<id>`, or with semicolons.
    pub(super) fn streams(&self) -> impl Iterator<Item = &'a str> {
        let streams = self.rest.split([' ', ',', ';']);
        streams.filter_map(|stream| stream.strip_prefix("stream:"))
    }
}

/// The texts among the elements of an array.
pub(super) fn texts(array: RawJson<'_>) -> Vec<Cow<'_, str>> {
    array.elements().filter_map(RawJson::as_text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_form_has_streams_in_several_spellings() {
        for text in [
            "audio:a stream:s,stream:t",
            "audio:a stream:s;stream:t",
            "audio:a stream:s stream:t",
        ] {
            let track = TrackText::read(text).unwrap();
            assert_eq!((track.kind, track.id), ("audio", "a"));
            assert_eq!(track.streams().collect::<Vec<_>>(), ["s", "t"], "{text}");
        }
        assert_eq!(TrackText::read("video:{x} -").unwrap().streams().count(), 0);
        assert!(TrackText::read("video {\"direction\":\"recvonly\"}").is_none());
        assert!(TrackText::read("null").is_none());
    }

    #[test]
    fn objects_and_arrays_say_the_same() {
        for text in [
            r#"["video","v","l","s","t"]"#,
            r#"{"kind":"video","id":"v","label":"l","streams":["s","t"]}"#,
        ] {
            let track = TrackValue::read(RawJson::parse(text).unwrap()).unwrap();
            assert_eq!(track.kind.as_deref(), Some("video"));
            assert!(track.id.is_some_and(|id| id.is_text("v")));
            assert_eq!(track.label.as_deref(), Some("l"));
            assert_eq!(track.streams, ["s", "t"]);
        }
        let absent = TrackValue::read(RawJson::parse("[]").unwrap()).unwrap();
        assert!(absent.kind.is_none() && absent.id.is_none());
    }
}
