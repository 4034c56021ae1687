//! The features of the Jitsi rtcstats server (release 2025.8.0): one record of a session, with
//! aggregates of its peer connections and their tracks.
//!
//! [`JitsiFold`] computes them; its [`Extraction`] serializes to the JSON text that the existing
//! server writes, and yields what that server publishes: [`PublishedRecords`] and a
//! [`MetadataRow`]. Section numbers (§) are those of the project's description of the protocol.

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
mod packets;
mod record;
mod sentiment;
mod session;
mod speaker;
mod sql_time;
mod tenant;
#[cfg(test)]
mod testing;
mod track;
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
