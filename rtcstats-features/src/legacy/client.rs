//! The client as a whole: capture, and what only legacy applications send.

use rtcstats_proto::jitsi::ConnectionInfo;
use rtcstats_proto::{Event, EventForm, Method, RawJson};
use serde::Serialize;
use serde_json::Value as Json;

use super::budget::Budget;
use super::interval::Interval;
use crate::javascript::{JsonObject, json, number_or_text, optional_number};

/// What is known of the client as a whole. Times are in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Default)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ClientFeatures {
    /// `Origin` header of the WebSocket, from the head of the dump (`origin`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The last of the addresses that the client was seen with, as the server masked it
    /// (`publicIPAddress`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_ip_address: Option<String>,
    /// Whether there was more than one address (`usesHTTPProxy`); absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uses_http_proxy: Option<bool>,
    /// `user` of the last `identity` event that has it, or `rtcStatsClientId` of the first connection
    /// that has that (`clientIdentifier`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_identifier: Option<String>,
    /// `conference` of the last `identity` event that has it, or `rtcStatsConferenceId` of the first
    /// connection that has that (`conferenceIdentifier`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conference_identifier: Option<String>,
    /// Whether `navigator.getUserMedia` was called, which came before
    /// `navigator.mediaDevices.getUserMedia` (`calledLegacyGetUserMedia`).
    pub called_legacy_get_user_media: bool,
    /// Why the first call of `getUserMedia` or `getDisplayMedia` failed that did
    /// (`getUserMediaError`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub get_user_media_error: Option<String>,
    /// From the last call of those before the first success to that
    /// (`timeBetweenGetUserMediaAndGetUserMediaSuccess`).
    #[serde(
        serialize_with = "optional_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub get_user_media_delay: Option<f64>,
    /// From the last call of those before the first failure to that
    /// (`timeBetweenGetUserMediaAndGetUserMediaFailure`).
    #[serde(
        serialize_with = "optional_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub get_user_media_failure_delay: Option<f64>,
    /// Label of the first audio track that was captured (`firstAudioTrackLabel`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_audio_track_label: Option<String>,
    /// Label of the first video track that was captured (`firstVideoTrackLabel`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_video_track_label: Option<String>,
    /// The last `userfeedback` event (`userfeedback<MediaType>`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feedback: Option<Feedback>,
    /// The last `tags` event, as it was sent (`tags<Name>`).
    #[serde(skip_serializing_if = "JsonObject::is_empty")]
    pub tags: JsonObject,
    /// How long the WebSocket took to connect, from the last `wsconnect` event, in rtcstats 5.0
    /// `websocket` (`websocketConnectionTime`).
    #[serde(
        serialize_with = "optional_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub web_socket_connection_time: Option<f64>,
    /// The last `wsconnecterror` event (`websocketError`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub web_socket_error: Option<String>,
}

/// What a user thought of a call.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Feedback {
    /// What it is about, such as `audio`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The score, as it was sent.
    pub score: Json,
}

/// The state of it.
#[derive(Debug, Default)]
pub(super) struct ClientState {
    features: ClientFeatures,
    capture: Interval,
    capture_failure: Interval,
}

impl ClientState {
    /// Takes an event, if it is about the client; whether it is.
    pub(super) fn take(&mut self, event: &Event<'_>, budget: &mut Budget<'_>) -> bool {
        let value = event.payload();
        let time = event.timestamp();
        if event.form() == EventForm::Metadata {
            self.take_metadata(value, budget);
            return true;
        }
        let features = &mut self.features;
        match event.method() {
            Some(Method::ConnectionInfo) => {
                if let Ok(info) = ConnectionInfo::from_payload(value) {
                    features.origin = budget.keep(&info.origin).filter(|text| !text.is_empty());
                }
            }
            Some(Method::PublicIp) => self.take_addresses(value, budget),
            Some(
                method @ (Method::GetUserMedia
                | Method::LegacyGetUserMedia
                | Method::GetDisplayMedia),
            ) => {
                features.called_legacy_get_user_media |= method == Method::LegacyGetUserMedia;
                self.capture.begin(time);
                self.capture_failure.begin(time);
            }
            Some(
                Method::GetUserMediaOnSuccess
                | Method::LegacyGetUserMediaOnSuccess
                | Method::GetDisplayMediaOnSuccess,
            ) => {
                self.capture.end(time);
                self.take_tracks(value, budget);
            }
            Some(
                Method::GetUserMediaOnFailure
                | Method::LegacyGetUserMediaOnFailure
                | Method::GetDisplayMediaOnFailure,
            ) => {
                self.capture_failure.end(time);
                if features.get_user_media_error.is_none() {
                    features.get_user_media_error = budget.text(value);
                }
            }
            Some(Method::UserFeedback) => {
                if value.get("score").is_some_and(|score| budget.fits(score)) {
                    features.feedback = Some(Feedback {
                        media_type: value.get("mediaType").and_then(|kind| budget.text(kind)),
                        score: value.get("score").map(json).unwrap_or_default(),
                    });
                }
            }
            Some(Method::Tags) => {
                if budget.fits(value)
                    && let Json::Object(tags) = json(value)
                {
                    features.tags = tags;
                }
            }
            Some(Method::WsConnect) => {
                features.web_socket_connection_time = number_or_text(value);
            }
            Some(Method::WebSocket) => {
                let time = value.get("connectionTime").and_then(RawJson::as_number);
                features.web_socket_connection_time = time;
            }
            Some(Method::WsConnectError) => features.web_socket_error = budget.text(value),
            _ => return false,
        }
        true
    }

    fn take_metadata(&mut self, value: RawJson<'_>, budget: &mut Budget<'_>) {
        let origin = value.get("origin").and_then(|origin| budget.text(origin));
        self.features.origin = origin.filter(|origin| !origin.is_empty());
        if let Some(addresses) = value.get("remoteAddresses") {
            self.take_addresses(addresses, budget);
        }
    }

    fn take_addresses(&mut self, addresses: RawJson<'_>, budget: &mut Budget<'_>) {
        if let Some(last) = addresses.elements().last() {
            self.features.public_ip_address = budget.text(last);
            self.features.uses_http_proxy = Some(addresses.elements().nth(1).is_some());
        }
    }

    /// `{id, tracks: [{kind, label}]}`; in rtcstats 5.0 `[[kind, id, label]]`.
    fn take_tracks(&mut self, value: RawJson<'_>, budget: &mut Budget<'_>) {
        let tracks = value.get("tracks").unwrap_or(value);
        for track in tracks.elements() {
            let mut elements = track.elements();
            let kind = track.get("kind").or_else(|| elements.next());
            let label = track.get("label").or_else(|| elements.nth(1));
            let place = match kind.and_then(RawJson::as_text).as_deref() {
                Some("audio") => &mut self.features.first_audio_track_label,
                Some("video") => &mut self.features.first_video_track_label,
                _ => continue,
            };
            if place.is_none() {
                *place = label.and_then(|label| budget.text(label));
            }
        }
    }

    pub(super) fn features(&self) -> ClientFeatures {
        ClientFeatures {
            get_user_media_delay: self.capture.length(),
            get_user_media_failure_delay: self.capture_failure.length(),
            ..self.features.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::super::testing::{features, features_within};
    use crate::{Extractor, Limits, legacy::LegacyFold};

    fn client(events: &[Json]) -> Json {
        features(events)["client"].take()
    }

    fn event(name: &str, value: Json, time: u64) -> Json {
        json!([name, null, value, time])
    }

    #[test]
    fn capture_takes_from_the_last_call_to_the_first_outcome() {
        let call = "navigator.mediaDevices.getUserMedia";
        let tracks = json!({"tracks": [
            {"kind": "video", "label": "Camera"},
            {"kind": "audio", "label": "Microphone"},
            {"kind": "audio", "label": "Another"},
        ]});
        let found = client(&[
            event(call, json!({"audio": true}), 10),
            event(&format!("{call}OnFailure"), json!("NotAllowedError"), 13),
            event("getUserMedia", json!({"audio": true}), 20),
            event("getUserMediaOnFailure", json!("Other"), 21),
            event("getUserMediaOnSuccess", tracks, 25),
        ]);
        assert_eq!(found["getUserMediaError"], "NotAllowedError");
        assert_eq!(found["getUserMediaFailureDelay"], 3);
        assert_eq!(found["getUserMediaDelay"], 5);
        assert_eq!(found["firstAudioTrackLabel"], "Microphone");
        assert_eq!(found["firstVideoTrackLabel"], "Camera");
        assert_eq!(found["calledLegacyGetUserMedia"], true);
    }

    #[test]
    fn applications_say_more() {
        let found = client(&[
            event("publicIP", json!(["192.0.2.x", "198.51.100.x"]), 1),
            event("identity", json!({"user": "u", "conference": "c"}), 2),
            event("userfeedback", json!({"mediaType": "audio", "score": 3}), 3),
            event("tags", json!({"a": [1]}), 4),
            event("wsconnect", json!(35), 5),
            event("wsconnecterror", json!("gone"), 6),
        ]);
        assert_eq!(
            found,
            json!({
                "publicIpAddress": "198.51.100.x",
                "usesHttpProxy": true,
                "clientIdentifier": "u",
                "conferenceIdentifier": "c",
                "calledLegacyGetUserMedia": false,
                "feedback": {"mediaType": "audio", "score": 3},
                "tags": {"a": [1]},
                "webSocketConnectionTime": 35,
                "webSocketError": "gone",
            })
        );
    }

    #[test]
    fn other_generations_say_it_in_other_words() {
        let mut extractor = Extractor::new(LegacyFold::default());
        let head =
            json!({"origin": "https://o", "remoteAddresses": ["192.0.2.x"], "fileFormat": 3});
        extractor.push_line("RTCStatsDump").unwrap();
        for line in [
            head,
            json!(["websocket", null, {"connectionTime": 12}, 1_000]),
            json!([60, null, {"audio": true}, "60-0", 5]),
            json!([
                61,
                null,
                [["audio", "id", "Microphone", "stream"]],
                "60-0",
                7
            ]),
        ] {
            extractor.push_line(&line.to_string()).unwrap();
        }
        let found = serde_json::to_value(extractor.finish(0.0)).unwrap();
        assert_eq!(
            found["client"],
            json!({
                "origin": "https://o",
                "publicIpAddress": "192.0.2.x",
                "usesHttpProxy": false,
                "calledLegacyGetUserMedia": false,
                "getUserMediaDelay": 7,
                "firstAudioTrackLabel": "Microphone",
                "webSocketConnectionTime": 12,
            })
        );
        assert_eq!(found["connections"], json!({}));
    }

    #[test]
    fn what_is_too_long_is_left_out_and_counted() {
        let limits = Limits {
            text_bytes: 8,
            ..Limits::default()
        };
        let events = [
            event("tags", json!({"much": "too long"}), 1),
            event("wsconnecterror", json!("much too long"), 2),
            json!(["x", "a key that is much too long", null, 3]),
        ];
        let found = features_within(limits, &events);
        assert!(found.client.tags.is_empty() && found.client.web_socket_error.is_none());
        assert_eq!((found.dropped.texts, found.dropped.connections), (2, 1));
    }
}
