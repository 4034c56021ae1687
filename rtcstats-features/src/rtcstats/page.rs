//! The events without a peer connection (§15.1).

use rtcstats_proto::json::JsonKind;
use rtcstats_proto::{Event, EventForm, Method, RawJson};
use serde_json::{Map, Value as Json};

use super::capture::Capture;
use super::client::{COMPUTED, ClientFeatures, PER_KIND};
use super::quota::Quota;

/// What is known of the page.
#[derive(Debug, Default)]
pub(super) struct Page {
    start: Option<f64>,
    end: f64,
    create: Option<Map<String, Json>>,
    capture: Capture,
    lists_of_devices: u64,
    /// The client traces more than the older ones.
    traces_lists: bool,
    /// Of the first such event, whether it says so or not.
    web_socket_time: Option<Option<f64>>,
}

impl Page {
    pub(super) fn take(&mut self, event: &Event<'_>, time: f64, quota: &mut Quota<'_>) {
        self.start.get_or_insert(time);
        self.end = time;
        self.traces_lists |= matches!(event.form(), EventForm::Delta | EventForm::Import);
        let Some(method) = event.method() else {
            return;
        };
        let value = event.payload();
        match method {
            Method::Create if self.create.is_none() => {
                self.create = Some(page_members(value, quota));
            }
            Method::EnumerateDevices => self.lists_of_devices += 1,
            Method::WebSocket => {
                let time = value.get("connectionTime").map(number);
                self.web_socket_time.get_or_insert(time);
            }
            Method::WsConnect => {
                self.web_socket_time.get_or_insert(value.as_number());
            }
            _ => self.capture.take(method, value, time, quota),
        }
    }

    pub(super) fn features(&self) -> ClientFeatures {
        let capture = &self.capture;
        let mut page = self.create.clone().unwrap_or_default();
        let platform = page
            .get("userAgentData")
            .and_then(|data| data.get("platform"));
        let operating_system = platform.cloned();
        page.retain(|name, _| {
            let is_there = PER_KIND.iter().zip(capture.ended());
            !COMPUTED.contains(&name.as_str())
                && !is_there
                    .into_iter()
                    .any(|(kind, ended)| ended && kind == name)
        });
        let [audio_ended, video_ended, audio_short, video_short] =
            capture.ended().map(|ended| ended.then_some(true));
        ClientFeatures {
            start_time: self.start.filter(|time| !time.is_nan()),
            duration: self.start.map(|start| self.end - start),
            operating_system,
            called_get_user_media: capture.user_media.calls > 0,
            called_get_user_media_audio: capture.user_media.audio,
            called_get_user_media_video: capture.user_media.video,
            called_get_user_media_combined: capture.combined,
            get_user_media_error: capture.error(),
            get_user_media_error_count: capture.user_media.failures,
            get_user_media_success_count: capture.user_media.successes,
            called_get_display_media: capture.display_media.calls > 0,
            called_get_display_media_audio: capture.display_media.audio,
            called_get_display_media_video: capture.display_media.video,
            get_display_media_error_count: capture.display_media.failures,
            get_display_media_success_count: capture.display_media.successes,
            enumerate_devices_count: (self.traces_lists || self.lists_of_devices > 0)
                .then_some(self.lists_of_devices),
            audio_device_usb_id: capture.audio_usb_id().map(str::to_owned),
            video_device_usb_id: capture.video_usb_id().map(str::to_owned),
            web_socket_connection_time: self.web_socket_time.flatten(),
            audio_ended,
            video_ended,
            audio_short_duration: audio_short,
            video_short_duration: video_short,
            page,
        }
    }
}

/// The number, or NaN for what is none.
pub(super) fn number(value: RawJson<'_>) -> f64 {
    value.as_number().unwrap_or(f64::NAN)
}

fn page_members(value: RawJson<'_>, quota: &mut Quota<'_>) -> Map<String, Json> {
    let mut members = Map::new();
    if value.kind() != JsonKind::Object {
        return members;
    }
    for (name, value) in value.members() {
        if quota.admits_one(members.len(), quota.limits.page_members)
            && quota.admits_text(name.len())
            && let Some(value) = quota.keep(value)
        {
            members.insert(name.into_owned(), value);
        }
    }
    members
}
