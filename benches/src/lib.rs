//! Workloads and measured passes for the benchmarks.
//!
//! A [`Workload`] is a set of dumps, a [`Pass`] something that is done with them. The workloads are made
//! from recordings that lie beside the checkout where those are present, and from the small one in
//! `data/` where they are not; [`Workload`] says how.
//!
//! | Module | What |
//! |---|---|
//! | [`recording`] | finds and reads recorded dumps and reports |
//! | [`short_sessions`] | many sessions, perturbed copies of recorded ones |
//! | [`long_session`] | one session of any length, spun from a minute or ten of reports |
//! | [`full_reports`] | a session without deltas |
//! | [`descriptions`] | sessions of offers that are not used |
//! | [`frames`] | a dump as the WebSocket messages that made it |
//! | [`pass`] | what is measured |
//! | [`ingest`] | what is measured of the server |

#![expect(
    clippy::unwrap_used,
    reason = "inputs are fixed files: a benchmark stops where one is not as it was"
)]

pub mod descriptions;
pub mod frames;
pub mod full_reports;
pub mod ingest;
pub mod long_session;
mod mulberry;
pub mod pass;
pub mod recording;
pub mod short_sessions;
mod workload;

pub use mulberry::Mulberry32;
pub use pass::Pass;
pub use workload::{Dump, Workload};
