//! The features of the Jitsi rtcstats server (release 2025.8.0): one record of a session, with
//! aggregates of its peer connections and their tracks.
//!
//! [`JitsiFold`] computes them; its [`Extraction`] serializes to the JSON text that the existing
//! server writes, and yields what that server publishes: [`PublishedRecords`] and a
//! [`MetadataRow`]. Section numbers (§) are those of the project's description of the protocol.
//!
//! # What other generations yield
//!
//! Dumps of rtcstats 5.0 and legacy 2.0 clients, and imports, are taken for those of a browser, whose
//! user agent the head tells (in an import the page; without any, it is taken for Chrome's). None of
//! their events is malformed: one that lacks what a feature needs is counted as other. Events that only
//! Jitsi's applications trace (identity, conference start, dominant speaker, pings, face expressions,
//! video types) mean the same, under their own name or with a colon in front, if their value has the
//! members of Jitsi's.
//!
//! What a generation has no data for is absent. Where the shape of the existing server has no room for
//! that, the stand-in is the one that Jitsi's own sessions have for "unknown":
//!
//! | Feature | rtcstats 5.0 | legacy 2.0 | import |
//! |---|---|---|---|
//! | `clientType` | `RTCSTATS_CLIENT` | same | same |
//! | `app`, `tenant` and others of the conference's URL | `Undefined`, `""`, false, unless there is a Jitsi identity | same | same |
//! | `conferenceId`, `userId` | of an identity, else `rtcStatsConferenceId` and `rtcStatsClientId` in constraints, else absent | `conference`, `user` of `identity`, else constraints | absent |
//! | `conferenceStartTime`, `conferenceDurationMs` | 0: unknown, unless the application traced it | same | 0: unknown |
//! | `sessionStartTime`, `sessionEndTime`, `sessionDurationMs` | yes | yes | yes, without the time of the export |
//! | `dominantSpeakerChanges`, `speakerTime`, `sentiment` | 0: unknown, unless traced and (speakers) an identity named the endpoint | same | 0: unknown |
//! | `dominantSpeakerEvents`, `faceLandmarksTimestamps`, `e2epings` | empty or absent, unless traced | same | empty or absent |
//! | `metrics`: counts | yes | yes | events |
//! | `metrics`: bytes | yes | yes | 0: there are no lines |
//! | `browserInfo` | yes; absent in Chrome's own event log | yes; absent without head | yes |
//! | `deploymentInfo` | absent, unless there is a Jitsi identity | `{}` with an identity | absent |
//! | `isP2P` | of `rtcStatsSFUP2P` in constraints, else null | same | null: unknown |
//! | `usesRelay`, `candidatePairData` | yes | yes; null and `{}` with Chrome's first statistics | yes |
//! | `dtlsErrors`, `dtlsFailure` | 0: not traced | 0: not traced | 0: not traced |
//! | `sdpCreateFailure`, `sdpSetFailure`, `lastIceFailure`, `lastIceDisconnect` | yes | yes | yes |
//! | `tracks`, `trackAggregates` | yes | yes; a track that went lasts to the end, since reports do not say so | yes; losses of what was sent as last known then |
//! | `mediaType` with a video type | only if traced | only if traced | never: no `setVideoType` |
//! | `meanRtt` | seconds; 0: no sample | seconds, with Chrome's first statistics milliseconds | seconds |
//! | `iceReconnects`, `pcSessionDurationMs`, `connectionFailed` | yes | yes | yes |
//! | `inboundVideoExperience` | yes; absent in Firefox | same | yes |

mod aggregate;
mod back_end;
mod browser;
mod budget;
mod candidate_pair;
mod connection;
mod connections;
mod extraction;
mod fold;
mod identity;
mod metadata;
mod metrics;
mod other_generation;
mod packets;
mod record;
mod remote_losses;
mod sentiment;
mod session;
mod speaker;
mod sql_time;
mod tenant;
#[cfg(test)]
mod testing;
mod track;
mod track_reports;
mod tracks;
mod video;

pub use aggregate::{
    CandidatePairData, PacketsLost, PcAggregate, Track, TrackAggregates, Tracks,
    TransportAggregates, VideoBounds, VideoExperience,
};
pub use browser::{BrowserInfo, StatsFormat};
pub use extraction::{
    BackEndFeatures, ClientFeatures, DominantSpeakerEvent, DominantSpeakerEventKind, Dropped,
    DumpMetadata, E2ePing, Extraction, FaceLandmarks, Features, Metrics, Sentiment, Tenant,
};
pub use fold::JitsiFold;
pub use metadata::MetadataRow;
pub use record::{
    CommonRecord, Direction, MeetingRecord, MissingTime, PcRecord, PublishedRecords, RecordContext,
    TrackRecord,
};
