//! Microphones, cameras and screens.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use rtcstats_proto::{Method, RawJson};
use serde_json::Value as Json;

use super::quota::{Quota, take};
use super::track_value::TrackValue;

/// What `getUserMedia()` and `getDisplayMedia()` did.
#[derive(Debug, Default)]
pub(super) struct Capture {
    pub(super) user_media: Calls,
    pub(super) display_media: Calls,
    /// One call of `getUserMedia()` asked for audio and video.
    pub(super) combined: bool,
    /// Of the first failure of `getUserMedia()`.
    error: Option<Option<Json>>,
    /// The tracks that `getUserMedia()` gave.
    tracks: HashMap<Box<str>, Captured, RandomState>,
    audio: Devices,
    video: Devices,
}

/// Calls of a method.
#[derive(Debug, Default)]
pub(super) struct Calls {
    pub(super) calls: u64,
    pub(super) successes: u64,
    pub(super) failures: u64,
    /// One asked for audio.
    pub(super) audio: bool,
    /// One asked for video.
    pub(super) video: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Audio,
    Video,
}

/// A track of a device.
#[derive(Debug)]
struct Captured {
    kind: Option<Kind>,
    since: f64,
}

/// What is known of the devices of a kind.
#[derive(Debug, Default)]
struct Devices {
    usb_id: Option<String>,
    ended: bool,
    ended_soon: bool,
}

/// A track that ends earlier, in milliseconds, is short.
const SHORT: f64 = 1000.0;

impl Capture {
    pub(super) fn take(
        &mut self,
        method: Method,
        value: RawJson<'_>,
        time: f64,
        quota: &mut Quota<'_>,
    ) {
        let asks_for = |name| value.get(name).is_some_and(RawJson::is_truthy);
        match method {
            Method::GetUserMedia | Method::LegacyGetUserMedia => {
                let (audio, video) = (asks_for("audio"), asks_for("video"));
                self.user_media.call(audio, video);
                self.combined |= audio && video;
            }
            Method::GetUserMediaOnSuccess | Method::LegacyGetUserMediaOnSuccess => {
                self.user_media.successes += 1;
                for track in tracks(value) {
                    self.add(&track, time, quota);
                }
            }
            Method::GetUserMediaOnFailure | Method::LegacyGetUserMediaOnFailure => {
                self.user_media.failures += 1;
                if self.error.is_none() {
                    self.error = Some(quota.keep(value));
                }
            }
            Method::GetDisplayMedia => {
                let video = value.get("video").and_then(RawJson::as_bool) != Some(false);
                self.display_media.call(asks_for("audio"), video);
            }
            Method::GetDisplayMediaOnSuccess => self.display_media.successes += 1,
            Method::GetDisplayMediaOnFailure => self.display_media.failures += 1,
            Method::MediaStreamTrackOnEnded => self.end(value, time),
            _ => {}
        }
    }

    fn add(&mut self, track: &TrackValue<'_>, time: f64, quota: &mut Quota<'_>) {
        let kind = match track.kind.as_deref() {
            Some("audio") => Some(Kind::Audio),
            Some("video") => Some(Kind::Video),
            _ => None,
        };
        if let Some(kind) = kind {
            let label = track.label.as_deref().unwrap_or_default();
            let usb_id = &mut self.devices(kind).usb_id;
            if usb_id.is_none() {
                *usb_id = usb_id_of(label);
            }
        }
        let Some(id) = track.id.and_then(RawJson::as_text) else {
            return;
        };
        let captured = Captured { kind, since: time };
        match self.tracks.get_mut(id.as_ref()) {
            Some(known) => *known = captured,
            None if quota.admits_text(id.len()) && take!(quota, captured_tracks) => {
                self.tracks.insert(id.into(), captured);
            }
            None => {}
        }
    }

    fn end(&mut self, id: RawJson<'_>, time: f64) {
        let Some(track) = id.as_text().and_then(|id| self.tracks.get(id.as_ref())) else {
            return;
        };
        let is_soon = time - track.since < SHORT;
        if let Some(kind) = track.kind {
            let devices = self.devices(kind);
            devices.ended = true;
            devices.ended_soon |= is_soon;
        }
    }

    fn devices(&mut self, kind: Kind) -> &mut Devices {
        match kind {
            Kind::Audio => &mut self.audio,
            Kind::Video => &mut self.video,
        }
    }

    pub(super) fn error(&self) -> Option<Json> {
        self.error.clone().flatten()
    }

    pub(super) fn audio_usb_id(&self) -> Option<&str> {
        self.audio.usb_id.as_deref()
    }

    pub(super) fn video_usb_id(&self) -> Option<&str> {
        self.video.usb_id.as_deref()
    }

    /// Whether a microphone ended, a camera, a microphone soon, a camera soon.
    pub(super) fn ended(&self) -> [bool; 4] {
        let (audio, video) = (&self.audio, &self.video);
        [audio.ended, video.ended, audio.ended_soon, video.ended_soon]
    }
}

impl Calls {
    fn call(&mut self, audio: bool, video: bool) {
        self.calls += 1;
        self.audio |= audio;
        self.video |= video;
    }
}

/// The tracks in the value of a success: a list, or the stream that has it.
fn tracks(value: RawJson<'_>) -> impl Iterator<Item = TrackValue<'_>> {
    let tracks = value.get("tracks").unwrap_or(value);
    tracks.elements().filter_map(TrackValue::read)
}

/// The nine characters in parentheses at the end of a label, if they look like vendor and product.
fn usb_id_of(label: &str) -> Option<String> {
    const LENGTH: usize = 9;
    const COLON: usize = 4;
    let label = label.strip_suffix(')')?;
    let start = label.char_indices().rev().nth(LENGTH - 1);
    let id = label.get(start.map_or(0, |(start, _)| start)..)?;
    (id.chars().nth(COLON) == Some(':')).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usb_ids_are_the_nine_characters_before_the_parenthesis() {
        let id = |label| usb_id_of(label);
        assert_eq!(id("Cam (046d:085e)").as_deref(), Some("046d:085e"));
        assert_eq!(id("Größe (zzzz:äöüß)").as_deref(), Some("zzzz:äöüß"));
        // Whether they are digits is not checked.
        assert_eq!(id("Cam (46d:085e)").as_deref(), Some("(46d:085e"));
        assert_eq!(id("abcd:e)").as_deref(), Some("abcd:e"));
        for label in ["", ")", "Cam (046d:085e) ", "Cam 046d:085e"] {
            assert_eq!(id(label), None, "{label}");
        }
    }
}
