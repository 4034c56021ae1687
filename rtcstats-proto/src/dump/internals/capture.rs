//! Entries about `getUserMedia` and `getDisplayMedia`.

use std::borrow::Cow;

use super::members::fields;
use super::write_line;
use crate::json::write_text;
use crate::{Limits, RawJson};

/// Writes the value of the event and returns its name; `None` if the entry tells of none.
pub(super) fn write<'a>(
    capture: RawJson<'a>,
    limits: &Limits,
    out: &mut String,
) -> Option<Cow<'a, str>> {
    let names = [
        "request_type",
        "error",
        "audio_track_info",
        "video_track_info",
        "audio",
        "video",
        "stream_id",
    ];
    let [request, error, audio_info, video_info, audio, video, stream] = fields(capture, names);
    let outcome = if let Some(error) = error {
        write_line(error, out);
        "OnFailure"
    } else if audio_info.is_some() || video_info.is_some() {
        let tracks = [("audio", audio_info), ("video", video_info)];
        write_tracks(tracks, stream.unwrap_or(RawJson::NULL), limits, out);
        "OnSuccess"
    } else if audio.is_some() || video.is_some() {
        write_constraints([("audio", audio), ("video", video)], out);
        ""
    } else {
        return None;
    };
    let request = request?.as_text()?;
    Some(Cow::Owned(format!(
        "navigator.mediaDevices.{request}{outcome}"
    )))
}

/// Appends `[[kind, id, label, stream], …]`.
fn write_tracks(
    tracks: [(&str, Option<RawJson<'_>>); 2],
    stream: RawJson<'_>,
    limits: &Limits,
    out: &mut String,
) {
    out.push('[');
    let mut is_first = true;
    for (kind, info) in tracks {
        let Some(text) = info.and_then(RawJson::as_text) else {
            continue;
        };
        let Ok(info) = RawJson::parse_within(&text, limits) else {
            continue;
        };
        if !info.is_truthy() {
            continue;
        }
        if !std::mem::take(&mut is_first) {
            out.push(',');
        }
        let [id, label] = fields(info, ["id", "label"]).map(|own| own.unwrap_or(RawJson::NULL));
        out.push('[');
        write_text(kind, out);
        for value in [id, label, stream] {
            out.push(',');
            write_line(value, out);
        }
        out.push(']');
    }
    out.push(']');
}

/// Appends the constraints; those that are empty were `true`.
fn write_constraints(members: [(&str, Option<RawJson<'_>>); 2], out: &mut String) {
    out.push('{');
    let present = members
        .iter()
        .filter_map(|(name, value)| Some((name, (*value)?)));
    for (index, (name, value)) in present.enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_text(name, out);
        out.push(':');
        if value.is_text("") {
            out.push_str("true");
        } else {
            write_line(value, out);
        }
    }
    out.push('}');
}
