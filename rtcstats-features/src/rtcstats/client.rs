//! The features of the client.

use serde_json::{Map, Value as Json};

use super::feature::feature_set;

feature_set! {
    /// What happened on the page as a whole: the events without a peer connection.
    ///
    /// Counts begin at 0 and are never reset. Times are by the clock of the client.
    pub struct ClientFeatures {
        /// Time of the first event, Unix epoch milliseconds. Absent if there is none.
        pub start_time: Option<f64>,
        /// From the first event to the last in milliseconds; negative if the clock was set back.
        pub duration: Option<f64>,
        /// The platform by `userAgentData` (`NavigatorUAData`) of the first `create`, such as
        /// `"macOS"`. Absent if the browser has none.
        pub operating_system: Option<Json>,
        /// Whether `getUserMedia()` was called.
        pub called_get_user_media: bool,
        /// Whether a call asked for audio: a truthy member `audio`.
        pub called_get_user_media_audio: bool,
        /// Whether a call asked for video.
        pub called_get_user_media_video: bool,
        /// Whether one call asked for both.
        pub called_get_user_media_combined: bool,
        /// What the first failure of `getUserMedia()` gave, as a rule a text such as
        /// `"NotAllowedError: Permission denied"`. Absent if none failed.
        pub get_user_media_error: Option<Json>,
        /// Failures of `getUserMedia()`.
        pub get_user_media_error_count: u64,
        /// Successes of `getUserMedia()`.
        pub get_user_media_success_count: u64,
        /// Whether `getDisplayMedia()` was called.
        pub called_get_display_media: bool,
        /// Whether a call asked for audio.
        pub called_get_display_media_audio: bool,
        /// Whether a call asked for video: it does unless it says `video: false`.
        pub called_get_display_media_video: bool,
        /// Failures of `getDisplayMedia()`.
        pub get_display_media_error_count: u64,
        /// Successes of `getDisplayMedia()`.
        pub get_display_media_success_count: u64,
        /// Lists of devices that were obtained. Absent where the client does not trace them.
        pub enumerate_devices_count: Option<u64>,
        /// Vendor and product of the first microphone whose label ends with them, such as
        /// `"046d:085e"`. Absent if none does.
        pub audio_device_usb_id: Option<String>,
        /// The same of the first camera.
        pub video_device_usb_id: Option<String>,
        /// How long it took to open the WebSocket in milliseconds: `connectionTime` of the first
        /// `websocket` event, or the value of the first `wsconnect` event. Absent without them.
        pub web_socket_connection_time: Option<f64>,
        /// True if a track of a microphone ended by itself, else absent.
        pub audio_ended: Option<bool>,
        /// True if a track of a camera ended by itself, else absent.
        pub video_ended: Option<bool>,
        /// True if one ended within a second after it was obtained, else absent.
        pub audio_short_duration: Option<bool>,
        /// The same for a camera.
        pub video_short_duration: Option<bool>,
        ;
        /// What the page's first `create` event says, as a rule `hardwareConcurrency`,
        /// `userAgentData`, `deviceMemory`, `cpuPerformance`, `screen`, `window` and `reloadCount`;
        /// `userAgent` in imports. In JSON these members stand among the features, and are left out
        /// where they have the name of one.
        #[serde(flatten)]
        pub page: Map<String, Json>,
    }
}

/// Names in JSON that a member of [`ClientFeatures::page`] cannot have, even where the feature is
/// absent.
pub(super) const COMPUTED: [&str; 21] = [
    "startTime",
    "duration",
    "operatingSystem",
    "calledGetUserMedia",
    "calledGetUserMediaAudio",
    "calledGetUserMediaVideo",
    "calledGetUserMediaCombined",
    "getUserMediaError",
    "getUserMediaErrorCount",
    "getUserMediaSuccessCount",
    "calledGetDisplayMedia",
    "calledGetDisplayMediaAudio",
    "calledGetDisplayMediaVideo",
    "getDisplayMediaErrorCount",
    "getDisplayMediaSuccessCount",
    "enumerateDevicesCount",
    "audioDeviceUsbId",
    "videoDeviceUsbId",
    "webSocketConnectionTime",
    "peerConnections",
    "incomplete",
];

/// Those that it cannot have where there is the feature.
pub(super) const PER_KIND: [&str; 4] = [
    "audioEnded",
    "videoEnded",
    "audioShortDuration",
    "videoShortDuration",
];
