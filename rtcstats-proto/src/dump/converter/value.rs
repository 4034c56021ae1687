//! Values that the generations write differently.

use std::borrow::Cow;

use super::Head;
use crate::json::write_text;
use crate::{Generation, Method, RawJson};

/// Appends the value of an event as `generation` writes it. What is in no known form stays as it is.
pub(super) fn write(
    method: Option<Method>,
    value: RawJson<'_>,
    generation: Generation,
    head: &Head,
    out: &mut String,
) {
    let start = out.len();
    let is_rtcstats = generation == Generation::Rtcstats;
    let converted = match method {
        Some(Method::AddTrack) if is_rtcstats => write_track_array(value, out),
        Some(Method::OnTrack) if is_rtcstats => write_track_array(value, out),
        Some(Method::AddTrack) => write_track_text(value, ";", "-", out),
        Some(Method::OnTrack) => write_track_text(value, ",", "", out),
        Some(Method::AddTransceiver) if is_rtcstats => write_transceiver_array(value, out),
        Some(Method::AddTransceiver) => write_transceiver_text(value, out),
        Some(
            Method::GetUserMediaOnSuccess
            | Method::GetDisplayMediaOnSuccess
            | Method::LegacyGetUserMediaOnSuccess,
        ) => {
            if is_rtcstats {
                write_stream_array(value, out)
            } else {
                write_stream_object(value, out)
            }
        }
        Some(Method::CreateDataChannel | Method::Close) if is_rtcstats => {
            write_arguments_array(value, out)
        }
        Some(Method::CreateDataChannel | Method::Close) => write_arguments_object(value, out),
        Some(Method::Create) => write_configuration(value, is_rtcstats, head, out),
        _ => None,
    };
    if converted.is_none() {
        out.truncate(start);
        out.push_str(value.as_str());
    }
}

/// A track and its streams, as any generation writes it.
struct Track<'a> {
    kind: Cow<'a, str>,
    id: Cow<'a, str>,
    label: Cow<'a, str>,
    streams: Vec<Cow<'a, str>>,
}

impl<'a> Track<'a> {
    /// `["audio", id, label, stream…]`
    fn from_array(value: RawJson<'a>) -> Option<Self> {
        let mut texts = value.elements().map(RawJson::as_text);
        let (kind, id) = (texts.next()??, texts.next()??);
        let label = texts.next().flatten().unwrap_or_default();
        let streams = texts.flatten().collect();
        Some(Self {
            kind,
            id,
            label,
            streams,
        })
    }

    /// `{"kind", "id", "label", "streams"}`, as Chrome writes it.
    fn from_object(value: RawJson<'a>) -> Option<Self> {
        let text = |name| value.get(name).and_then(RawJson::as_text);
        let streams = value.get("streams").unwrap_or(RawJson::NULL);
        Some(Self {
            kind: text("kind")?,
            id: text("id")?,
            label: text("label").unwrap_or_default(),
            streams: streams.elements().filter_map(RawJson::as_text).collect(),
        })
    }

    fn from_json(value: RawJson<'a>) -> Option<Self> {
        Self::from_array(value).or_else(|| Self::from_object(value))
    }

    /// `audio:id stream:stream;stream:stream`
    fn from_text(text: &'a str) -> Option<Self> {
        let (track, streams) = text.split_once(' ').unwrap_or((text, ""));
        let (kind, id) = track.split_once(':')?;
        let streams = streams
            .split([',', ';'])
            .filter_map(|stream| stream.strip_prefix("stream:"));
        Some(Self {
            kind: kind.into(),
            id: id.into(),
            label: Cow::Borrowed(""),
            streams: streams.map(Cow::Borrowed).collect(),
        })
    }

    fn write_array(&self, out: &mut String) {
        let texts = [&self.kind, &self.id, &self.label];
        write_list(texts.into_iter().chain(&self.streams), out);
    }

    fn write_name(&self, out: &mut String) {
        out.push_str(&self.kind);
        out.push(':');
        out.push_str(&self.id);
    }
}

fn write_list<T: AsRef<str>>(texts: impl Iterator<Item = T>, out: &mut String) {
    out.push('[');
    for (index, text) in texts.enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_text(text.as_ref(), out);
    }
    out.push(']');
}

fn write_track_array(value: RawJson<'_>, out: &mut String) -> Option<()> {
    match value.as_text() {
        Some(text) => Track::from_text(&text)?.write_array(out),
        None => Track::from_object(value)?.write_array(out),
    }
    Some(())
}

fn write_track_text(
    value: RawJson<'_>,
    separator: &str,
    none: &str,
    out: &mut String,
) -> Option<()> {
    let track = Track::from_json(value)?;
    let mut text = String::new();
    track.write_name(&mut text);
    text.push(' ');
    for (index, stream) in track.streams.iter().enumerate() {
        if index > 0 {
            text.push_str(separator);
        }
        text.push_str("stream:");
        text.push_str(stream);
    }
    if track.streams.is_empty() {
        text.push_str(none);
    }
    write_text(&text, out);
    Some(())
}

/// From `audio {init}` or `audio:id {init}` to `["audio" or track, init]`.
fn write_transceiver_array(value: RawJson<'_>, out: &mut String) -> Option<()> {
    let text = value.as_text()?;
    let (track, init) = text.split_once(' ').unwrap_or((&text, ""));
    out.push('[');
    match Track::from_text(track) {
        Some(track) => track.write_array(out),
        None => write_text(track, out),
    }
    if !init.is_empty() {
        out.push(',');
        out.push_str(RawJson::parse(init).ok()?.as_str());
    }
    out.push(']');
    Some(())
}

fn write_transceiver_text(value: RawJson<'_>, out: &mut String) -> Option<()> {
    let mut arguments = value.elements();
    let track = arguments.next()?;
    let mut text = String::new();
    match track.as_text() {
        Some(kind) => text.push_str(&kind),
        None => Track::from_json(track)?.write_name(&mut text),
    }
    if let Some(init) = arguments.next() {
        text.push(' ');
        text.push_str(init.as_str());
    }
    write_text(&text, out);
    Some(())
}

/// From `{id, tracks: [{id, kind, label}]}` to a list of tracks.
fn write_stream_array(value: RawJson<'_>, out: &mut String) -> Option<()> {
    let stream = value.get("id")?.as_text()?;
    out.push('[');
    for (index, track) in value.get("tracks")?.elements().enumerate() {
        if index > 0 {
            out.push(',');
        }
        let mut track = Track::from_object(track)?;
        track.streams = vec![stream.clone()];
        track.write_array(out);
    }
    out.push(']');
    Some(())
}

/// The inverse; tracks of one call share their stream.
fn write_stream_object(value: RawJson<'_>, out: &mut String) -> Option<()> {
    let tracks: Option<Vec<Track<'_>>> = value.elements().map(Track::from_array).collect();
    let tracks = tracks.filter(|_| value.as_str().starts_with('['))?;
    let stream = tracks.first().and_then(|track| track.streams.first());
    out.push_str("{\"id\":");
    write_text(stream.map_or("", |stream| stream), out);
    out.push_str(",\"tracks\":[");
    for (index, track) in tracks.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str("{\"id\":");
        write_text(&track.id, out);
        out.push_str(",\"kind\":");
        write_text(&track.kind, out);
        out.push_str(",\"label\":");
        write_text(&track.label, out);
        out.push('}');
    }
    out.push_str("]}");
    Some(())
}

/// From arguments as an object with index keys to a list; none are `null`.
fn write_arguments_array(value: RawJson<'_>, out: &mut String) -> Option<()> {
    if !value.as_str().starts_with('{') {
        return None;
    }
    let mut count = 0;
    let start = out.len();
    out.push('[');
    for (index, (name, argument)) in value.members().enumerate() {
        if name != index.to_string() {
            return None;
        }
        if index > 0 {
            out.push(',');
        }
        out.push_str(argument.as_str());
        count += 1;
    }
    out.push(']');
    if count == 0 {
        out.truncate(start);
        out.push_str("null");
    }
    Some(())
}

fn write_arguments_object(value: RawJson<'_>, out: &mut String) -> Option<()> {
    if !value.is_null() && !value.as_str().starts_with('[') {
        return None;
    }
    out.push('{');
    for (index, argument) in value.elements().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_text(&index.to_string(), out);
        out.push(':');
        out.push_str(argument.as_str());
    }
    out.push('}');
    Some(())
}

/// The configuration of a peer connection: an object in dumps, JSON text in exports of
/// webrtc-internals. The older generations add the type of the browser.
fn write_configuration(
    value: RawJson<'_>,
    is_rtcstats: bool,
    head: &Head,
    out: &mut String,
) -> Option<()> {
    let text = value.as_text();
    let value = match &text {
        Some(text) => RawJson::parse(text).ok()?,
        None => value,
    };
    let browser = head.browser_type().filter(|_| !is_rtcstats);
    let Some(browser) = browser.filter(|_| value.get("browserType").is_none()) else {
        return text.is_some().then(|| out.push_str(value.as_str()));
    };
    let members = match value.as_str().strip_prefix('{') {
        Some(members) => members,
        None if value.is_null() => "\"nullConfig\":true}",
        None => return None,
    };
    out.push_str("{\"browserType\":");
    write_text(browser, out);
    if !members.trim_start().starts_with('}') {
        out.push(',');
    }
    out.push_str(members);
    Some(())
}
