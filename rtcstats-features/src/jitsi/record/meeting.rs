//! The record of a session.

use serde::Serialize;
use serde_json::Value as Json;

use super::{CommonRecord, RecordContext};
use crate::javascript::number;
use crate::jitsi::{ClientFeatures, DumpMetadata};

/// The record of a session.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct MeetingRecord {
    /// What all records of the session have.
    #[serde(flatten)]
    pub common: CommonRecord,
    /// The configured name of the environment.
    pub app_env: String,
    /// [`DumpMetadata::user_id`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<Json>,
    /// `crossRegion` of [`ClientFeatures::deployment_info`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cross_region: Option<Json>,
    /// `environment` of [`ClientFeatures::deployment_info`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<Json>,
    /// `region` of [`ClientFeatures::deployment_info`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<Json>,
    /// `releaseNumber` of [`ClientFeatures::deployment_info`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release_number: Option<Json>,
    /// `shard` of [`ClientFeatures::deployment_info`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shard: Option<Json>,
    /// `userRegion` of [`ClientFeatures::deployment_info`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_region: Option<Json>,
    /// [`DumpMetadata::conference_id`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meeting_name: Option<Json>,
    /// [`DumpMetadata::endpoint_id`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint_id: Option<Json>,
    /// [`ClientFeatures::session_start_time`] as SQL text.
    pub session_start_time: Option<String>,
    /// [`ClientFeatures::session_end_time`] as SQL text.
    pub session_end_time: Option<String>,
    /// [`Metrics::session_duration_ms`](crate::jitsi::Metrics::session_duration_ms).
    #[serde(serialize_with = "number")]
    pub session_duration_ms: f64,
    /// [`Metrics::conference_duration_ms`](crate::jitsi::Metrics::conference_duration_ms).
    #[serde(serialize_with = "number")]
    pub conference_duration_ms: f64,
    /// [`ClientFeatures::dominant_speaker_changes`].
    pub dominant_speaker_changes: u64,
    /// [`ClientFeatures::speaker_time`], in ms.
    #[serde(serialize_with = "number")]
    pub speaker_time: f64,
    /// [`Sentiment::angry`](crate::jitsi::Sentiment::angry), in seconds.
    #[serde(serialize_with = "number")]
    pub sentiment_angry: f64,
    /// [`Sentiment::disgusted`](crate::jitsi::Sentiment::disgusted), in seconds.
    #[serde(serialize_with = "number")]
    pub sentiment_disgusted: f64,
    /// [`Sentiment::fearful`](crate::jitsi::Sentiment::fearful), in seconds.
    #[serde(serialize_with = "number")]
    pub sentiment_fearful: f64,
    /// [`Sentiment::happy`](crate::jitsi::Sentiment::happy), in seconds.
    #[serde(serialize_with = "number")]
    pub sentiment_happy: f64,
    /// [`Sentiment::neutral`](crate::jitsi::Sentiment::neutral), in seconds.
    #[serde(serialize_with = "number")]
    pub sentiment_neutral: f64,
    /// [`Sentiment::sad`](crate::jitsi::Sentiment::sad), in seconds.
    #[serde(serialize_with = "number")]
    pub sentiment_sad: f64,
    /// [`Sentiment::surprised`](crate::jitsi::Sentiment::surprised), in seconds.
    #[serde(serialize_with = "number")]
    pub sentiment_surprised: f64,
    /// Operating system; absent without user agent, as all of
    /// [`BrowserInfo`](crate::jitsi::BrowserInfo).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    /// Name of the browser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub browser_name: Option<String>,
    /// Version of the browser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub browser_version: Option<String>,
    /// [`DumpMetadata::is_breakout_room`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_breakout_room: Option<Json>,
    /// [`DumpMetadata::breakout_room_id`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breakout_room_id: Option<Json>,
    /// [`DumpMetadata::parent_stats_session_id`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_stats_session_id: Option<Json>,
}

impl MeetingRecord {
    pub(super) fn new(
        metadata: &DumpMetadata,
        features: &ClientFeatures,
        common: CommonRecord,
        context: &RecordContext<'_>,
    ) -> Self {
        let deployment = |name| features.deployment_info.as_ref()?.get(name).cloned();
        let browser = features.browser_info.as_ref();
        let sentiment = features.sentiment;
        Self {
            common,
            app_env: context.environment.to_owned(),
            display_name: metadata.user_id.clone(),
            cross_region: deployment("crossRegion"),
            environment: deployment("environment"),
            region: deployment("region"),
            release_number: deployment("releaseNumber"),
            shard: deployment("shard"),
            user_region: deployment("userRegion"),
            meeting_name: metadata.conference_id.clone(),
            endpoint_id: metadata.endpoint_id.clone(),
            session_start_time: context.sql(features.session_start_time),
            session_end_time: context.sql(features.session_end_time),
            session_duration_ms: features.metrics.session_duration_ms,
            conference_duration_ms: features.metrics.conference_duration_ms,
            dominant_speaker_changes: features.dominant_speaker_changes,
            speaker_time: features.speaker_time,
            sentiment_angry: sentiment.angry,
            sentiment_disgusted: sentiment.disgusted,
            sentiment_fearful: sentiment.fearful,
            sentiment_happy: sentiment.happy,
            sentiment_neutral: sentiment.neutral,
            sentiment_sad: sentiment.sad,
            sentiment_surprised: sentiment.surprised,
            os: browser.map(|browser| browser.os.clone()),
            browser_name: browser.map(|browser| browser.name.clone()),
            browser_version: browser.map(|browser| browser.version.clone()),
            is_breakout_room: metadata.is_breakout_room.clone(),
            breakout_room_id: metadata.breakout_room_id.clone(),
            parent_stats_session_id: metadata.parent_stats_session_id.clone(),
        }
    }
}
