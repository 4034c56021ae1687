//! What an extraction yields (§11.3, §12.3).

use indexmap::IndexMap;
use serde::Serialize;
use serde_json::Value as Json;

use super::{BrowserInfo, PcAggregate, StatsFormat};
use crate::javascript::{JsonObject, number};

/// Features of one session and the identity they belong to (§11.3).
///
/// Serialized it is the JSON text of the existing extractor: camel case, absent members left out,
/// integral numbers without fraction, NaN as null. Times are Unix epoch milliseconds by the clock
/// of the client unless said otherwise.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Extraction {
    /// Who and where.
    pub dump_metadata: DumpMetadata,
    /// What happened.
    pub features: Features,
    /// What was left out because a limit was hit. Not serialized.
    #[serde(skip)]
    pub dropped: Dropped,
}

impl Extraction {
    /// The features of a browser client; none for back-end clients and dumps without a line.
    pub fn client(&self) -> Option<&ClientFeatures> {
        match &self.features {
            Features::Client(features) => Some(features),
            _ => None,
        }
    }

    /// Start and end of the session, 0 where unknown (and for a dump without a line).
    pub(super) fn session_times(&self) -> (f64, f64) {
        match &self.features {
            Features::Client(features) => (features.session_start_time, features.session_end_time),
            Features::BackEnd(features) => (features.session_start_time, features.session_end_time),
            Features::Empty {} => (0.0, 0.0),
        }
    }
}

/// Who a session belongs to (§11.9, §12.3).
///
/// Members of JSON type are as the client sent them in its identity: a text in practice, absent
/// if it sent none.
#[derive(Debug, Clone, PartialEq, Serialize, Default)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct DumpMetadata {
    /// `applicationName` of the identity; `Undefined` if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<Json>,
    /// The name the session was stored under: the `statsSessionId`, possibly with a number
    /// appended.
    pub client_id: String,
    /// Such as `RTCSTATS_CLIENT`, derived from the subprotocol (§1.2); absent for a dump without a
    /// line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_type: Option<&'static str>,
    /// `confName` of the identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conference_id: Option<Json>,
    /// `confID` of the identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conference_url: Option<Json>,
    /// Where the dump was, as given.
    pub dump_path: String,
    /// `endpointId` of the identity, the last one. Browser clients only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint_id: Option<Json>,
    /// `meetingUniqueId` of the identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<Json>,
    /// `displayName` of the identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<Json>,
    /// `sessionId` of the identity, which is Amplitude's. Browser clients only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amp_session_id: Option<Json>,
    /// `userId` of the identity, which is Amplitude's. Browser clients only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amp_user_id: Option<Json>,
    /// `deviceId` of the identity, which is Amplitude's. Browser clients only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amp_device_id: Option<Json>,
    /// The shape of the reports, derived from the user agent (§14.1); absent for a dump without a
    /// line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stats_format: Option<StatsFormat>,
    /// `isBreakoutRoom` of the identity. Browser clients only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_breakout_room: Option<Json>,
    /// `roomId` of the identity. Browser clients only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breakout_room_id: Option<Json>,
    /// `parentStatsSessionId` of the identity: the session that a breakout room was entered from.
    /// Browser clients only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_stats_session_id: Option<Json>,
    /// What the conference's URL says of its owner; absent for back-end clients.
    #[serde(flatten)]
    pub tenant: Option<Tenant>,
}

/// Whose conference it was, told from its URL (§11.9).
#[derive(Debug, Clone, PartialEq, Serialize, Default)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Tenant {
    /// The first part of the URL's path, if it begins with `vpaas-magic-cookie-`; else empty.
    pub tenant: String,
    /// Path of the URL from the tenant on; empty without tenant.
    pub jaas_meeting_fqn: String,
    /// `customerId` of the identity, else the tenant without its prefix, else empty.
    pub jaas_client_id: Json,
    /// Whether there is a tenant.
    #[serde(rename = "isJaaSTenant")]
    pub is_jaas_tenant: bool,
}

/// What happened in a session.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Features {
    /// Of a browser client.
    Client(Box<ClientFeatures>),
    /// Of a back-end client, or a client of unsupported type.
    BackEnd(BackEndFeatures),
    /// Of a dump without a line.
    Empty {},
}

/// What happened in the session of a back-end client (§12.3). Times are by the clock of the server.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct BackEndFeatures {
    /// Of the first line behind the header that has a time; the time of extraction if none has.
    #[serde(serialize_with = "number")]
    pub session_start_time: f64,
    /// Of the latest line; the time of extraction if none has a time.
    #[serde(serialize_with = "number")]
    pub session_end_time: f64,
}

/// What happened in the session of a browser client (§11).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ClientFeatures {
    /// Start of the conference, from the last `conferenceStartTimestamp` event; 0 if unknown.
    #[serde(serialize_with = "number")]
    pub conference_start_time: f64,
    /// Of the first event, in order of the dump, that has a time; 0 if none has.
    #[serde(serialize_with = "number")]
    pub session_start_time: f64,
    /// The latest time of an event; 0 if none has one.
    #[serde(serialize_with = "number")]
    pub session_end_time: f64,
    /// How often the participant became dominant speaker; 0 if the last such event was silence.
    pub dominant_speaker_changes: u64,
    /// How long the participant was dominant speaker, in ms; 0 if the last such event was silence.
    #[serde(serialize_with = "number")]
    pub speaker_time: f64,
    /// How long which face expression was seen.
    pub sentiment: Sentiment,
    /// Face expressions as they came.
    pub face_landmarks_timestamps: Vec<FaceLandmarks>,
    /// When the participant became dominant speaker, and ceased to be.
    pub dominant_speaker_events: Vec<DominantSpeakerEvent>,
    /// Sizes and durations.
    pub metrics: Metrics,
    /// The browser, from the last header line; absent if its user agent is empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub browser_info: Option<BrowserInfo>,
    /// `deploymentInfo` of the identity, members merged; absent if there was no identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment_info: Option<JsonObject>,
    /// Round-trip times to other endpoints by endpoint, the last of each; absent if there is none.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub e2epings: IndexMap<String, E2ePing>,
    /// What happened on each peer connection, in JavaScript's order of properties.
    pub aggregates: IndexMap<String, PcAggregate>,
}

/// How long which face expression was seen, in seconds, from `faceLandmarks` events.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Default)]
#[non_exhaustive]
pub struct Sentiment {
    /// Anger.
    #[serde(serialize_with = "number")]
    pub angry: f64,
    /// Disgust.
    #[serde(serialize_with = "number")]
    pub disgusted: f64,
    /// Fear.
    #[serde(serialize_with = "number")]
    pub fearful: f64,
    /// Happiness.
    #[serde(serialize_with = "number")]
    pub happy: f64,
    /// No emotion.
    #[serde(serialize_with = "number")]
    pub neutral: f64,
    /// Sadness.
    #[serde(serialize_with = "number")]
    pub sad: f64,
    /// Surprise.
    #[serde(serialize_with = "number")]
    pub surprised: f64,
}

/// A face expression, as its `faceLandmarks` event has it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct FaceLandmarks {
    /// When it was detected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Json>,
    /// Which: a member of [`Sentiment`], or another word such as `detection-off`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub face_landmarks: Option<Json>,
}

/// A turn of the participant as dominant speaker begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DominantSpeakerEvent {
    /// Which of the two.
    #[serde(rename = "type")]
    pub kind: DominantSpeakerEventKind,
    /// When.
    #[serde(serialize_with = "number")]
    pub timestamp: f64,
}

/// Whether a turn begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum DominantSpeakerEventKind {
    /// The participant became dominant speaker, or was named again.
    #[serde(rename = "DOMINANT_SPEAKER_STARTED")]
    Started,
    /// Someone else, or nobody, became it.
    #[serde(rename = "DOMINANT_SPEAKER_STOPPED")]
    Stopped,
}

/// The round-trip time to another endpoint, as its `e2eRtt` event has it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct E2ePing {
    /// The region of the endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_region: Option<Json>,
    /// Round-trip time in ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtt: Option<Json>,
}

/// Sizes and durations (§11.8).
///
/// Bytes are two for each UTF-16 code unit of the lines without their terminators.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Default)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Metrics {
    /// Bytes of `getstats` lines.
    pub stats_request_bytes: u64,
    /// Number of `getstats` lines.
    pub stats_request_count: u64,
    /// Bytes of lines that no other member counts, except those that the features are made of.
    pub other_request_bytes: u64,
    /// Number of those lines.
    pub other_request_count: u64,
    /// Bytes of lines with an offer, an answer, or a description being set.
    pub sdp_request_bytes: u64,
    /// Number of those lines.
    pub sdp_request_count: u64,
    /// Bytes of `dominantSpeaker` lines.
    pub ds_request_bytes: u64,
    /// Number of `dominantSpeaker` lines.
    pub ds_request_count: u64,
    /// Sum of the bytes above; those of `faceLandmarks` lines are not in it.
    pub total_processed_bytes: u64,
    /// Sum of the numbers above.
    pub total_processed_count: u64,
    /// Bytes of `faceLandmarks` lines.
    pub sentiment_request_bytes: u64,
    /// Number of `faceLandmarks` lines.
    pub sentiment_request_count: u64,
    /// From the start of the conference to the end of the session, in ms; 0 if the start is
    /// unknown.
    #[serde(serialize_with = "number")]
    pub conference_duration_ms: f64,
    /// From start to end of the session, in ms.
    #[serde(serialize_with = "number")]
    pub session_duration_ms: f64,
}

/// How much was left out because a limit of [`Limits`](crate::Limits) was hit; all 0 in real calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Dropped {
    /// Events of peer connections beyond `connections`.
    pub connections: u64,
    /// Samples and splits of tracks beyond `tracks`.
    pub tracks: u64,
    /// Turns of endpoints beyond `endpoints`.
    pub endpoints: u64,
    /// Dominant-speaker events beyond `speaker_events`.
    pub speaker_events: u64,
    /// Face expressions beyond `face_landmarks`.
    pub face_landmarks: u64,
    /// Round-trip times of endpoints beyond `pings`.
    pub pings: u64,
    /// Texts and values over `text_bytes`.
    pub texts: u64,
    /// Means that are of a running sum, because there were more samples than `mean_runs`.
    pub inexact_means: u64,
}
