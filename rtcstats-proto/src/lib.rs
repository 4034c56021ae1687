//! Wire formats of WebRTC telemetry: what rtcstats clients send, and the dumps that are kept of it.
//!
//! This crate knows bytes and formats. It opens no sockets or files, reads no clock and keeps no
//! call in memory: events borrow from their line, stats are decoded into one dense state per peer
//! connection. Malformed input yields an error that names the place; it never panics.
//!
//! Start with [`dump::LineReader`] for files or [`jitsi::MessageReader`] for sockets, both of which lead to
//! [`Event`]; and with [`delta::Decoder`], which merges the report in an event into [`stats::Stats`].
//!
//! ```
//! use rtcstats_proto::{Event, Limits, delta::Decoder, stats::{Field, Stats}};
//!
//! let dump = [
//!     r#"["getstats","PC_0",{"T1":{"type":"transport","timestamp":0,"bytesSent":10},"timestamp":1700000000000},1700000000001,1]"#,
//!     r#"["getstats","PC_0",{"T1":{"timestamp":0,"bytesSent":25},"timestamp":1700000001000},1700000001001,2]"#,
//! ];
//! let mut decoder = Decoder::jitsi(Limits::default());
//! let mut stats = Stats::default();
//! for line in dump {
//!     let event = Event::parse(line)?;
//!     decoder.decode(event.payload(), &mut stats)?;
//! }
//! let transport = stats.get("T1").ok_or("no transport")?;
//! assert_eq!(transport.get(Field::BytesSent).and_then(|value| value.as_number()), Some(25.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Map
//!
//! | Module | What |
//! |---|---|
//! | [`jitsi`] | messages of a Jitsi 3.x WebSocket, both directions |
//! | [`legacy`] | what only clients of protocol 2.0 need: repairs, identifiers, Chrome's first statistics |
//! | [`dump`] | dump files of every generation and exports of webrtc-internals: compression, lines, conversion |
//! | [`delta`] | the getStats delta codec, both ways |
//! | [`stats`] | what `getStats()` returned, and the tables of its types and members |
//! | [`Timeseries`] | what was reported, member by member |
//! | [`sdp`] | ICE candidate lines, session descriptions and their codec |
//! | [`privacy`] | addresses masked in lines and files, and located before that |
//! | [`json`] | JSON text with JavaScript's semantics |

mod client_type;
pub mod delta;
pub mod dump;
mod event;
mod event_reader;
mod generation;
pub mod jitsi;
pub mod json;
pub mod legacy;
mod limits;
mod method;
pub mod privacy;
pub mod rtcstats;
pub mod sdp;
pub mod stats;
mod table;
mod timeseries;

pub use client_type::{ClientType, select_subprotocol};
pub use event::{Event, EventError, EventForm, Scope, sequence_number_of};
pub use event_reader::EventReader;
pub use generation::Generation;
pub use json::{JsonError, RawJson};
pub use limits::Limits;
pub use method::Method;
pub use timeseries::{Point, PointValue, StatsSeries, Timeseries, TimeseriesError, mark_gaps};
