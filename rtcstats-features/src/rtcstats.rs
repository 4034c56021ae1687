//! The features of the rtcstats.com server (generation 5.0): what happened on a page, in each of its
//! peer connections, and on each track.
//!
//! Feed an [`Extractor`](crate::Extractor) with an [`RtcstatsFold`]; it yields [`Features`], which
//! serialize to what the existing extractor writes. Where that one fails on malformed input, the
//! parts concerned are absent here.
//!
//! ```
//! use rtcstats_features::Extractor;
//! use rtcstats_features::rtcstats::RtcstatsFold;
//!
//! let dump = [
//!     "RTCStatsDump",
//!     r#"{"fileFormat":3}"#,
//!     r#"[39,null,{"hardwareConcurrency":8},1700000000000]"#,
//!     r#"[39,"PC_0",{"iceServers":[{"urls":"stun:stun.example.org"}]},5]"#,
//!     r#"[25,"PC_0","connecting",10]"#,
//!     r#"[25,"PC_0","connected",90]"#,
//!     r#"["g","PC_0",{"0":{"type":5,"125":"1","128":"FEFD"},"t":1700000000104},"connected-0",1]"#,
//! ];
//! let mut extractor = Extractor::new(RtcstatsFold::default());
//! for line in dump {
//!     extractor.push_line(line)?;
//! }
//! let features = extractor.finish(0.0);
//! let connection = features.peer_connections.first().ok_or("no connection")?;
//! assert_eq!(connection.connection_identifier, "PC_0");
//! assert_eq!(connection.connection_time, Some(90.0));
//! assert_eq!(connection.dtls_version, Some("FEFD".into()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Values
//!
//! *Absent* (`None`, no member in JSON) is not false, 0 or null. Numbers of a report are carried on as
//! they are; NaN, `null` in JSON, stands for one that the client reported as null and for a
//! quotient that is none. Texts and flags that are carried on are JSON values: the client may have
//! reported null there too.
//!
//! # Clients of other generations
//!
//! Dumps of Jitsi and legacy clients and imports yield what they have:
//!
//! | Feature | Absent because |
//! |---|---|
//! | members of the page's `create`, `operatingSystem`, `…UsbId` of a track without label | these clients send no page-level `create` |
//! | `webSocketConnectionTime` | Jitsi clients do not send it (legacy: `wsconnect`) |
//! | `enumerateDevicesCount`, `…Ended`, `…ShortDuration`, `timeToFirstFrame` | these events are not traced |
//! | `gatheringTimeTurn…`, `rtcstats…Location…` | candidates carry neither the relay protocol nor a place |
//! | `addedMdnsCandidate`, `gatheredMdnsCandidate` | Jitsi clients hide the addresses of host candidates (absent if one was hidden) |
//! | `added…Candidate`, `usingIceLite`, `…Role`, `signalingDelay` | Jitsi clients send descriptions and added candidates on request only |
//! | `startTime`, `duration` of the page | if no event is about the page |
//!
//! Tracks are understood in all shapes: arrays, the texts of Jitsi and legacy clients, the objects of
//! recent exports of webrtc-internals. Of older browsers a stream finds its track by `trackId` too.

mod candidates;
mod capture;
mod client;
mod configuration;
mod connection;
mod connectivity;
mod feature;
mod features;
mod flushes;
mod fold;
mod last_report;
mod location;
mod negotiation;
mod page;
mod peer_connection;
mod quota;
mod report_counts;
mod reports;
mod resolution;
mod selected_pair;
mod stream;
#[cfg(test)]
mod testing;
mod track;
mod track_value;
mod tracks;

pub use client::ClientFeatures;
pub use connection::ConnectionFeatures;
pub use features::Features;
pub use fold::RtcstatsFold;
pub use track::{Direction, TrackFeatures};
