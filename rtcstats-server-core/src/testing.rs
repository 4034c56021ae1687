//! Contract suites: what every implementation of a storage trait is held to.
//!
//! Run them in a test of the implementation:
//!
//! ```
//! use rtcstats_server_core::{MemoryJournal, MemorySink, testing};
//!
//! testing::journal_contract(|| MemoryJournal::new(64 << 20));
//! testing::sink_contract(MemorySink::default, |sink| {
//!     let parts = sink.parts().into_iter();
//!     parts.map(|((session, part), json)| (session, part, json.get().to_owned())).collect()
//! });
//! ```
//!
//! What they cannot see, an implementation tests itself: what survives a crash, and a full store.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a suite fails by panicking"
)]

use std::future::Future;

use rtcstats_proto::jitsi::SessionId;

use crate::DumpName;

mod archive;
mod journal;
mod ownership;
mod queue;
mod sink;
mod store;

pub use archive::archive_contract;
pub use journal::journal_contract;
pub use ownership::ownership_contract;
pub use queue::queue_contract;
pub use sink::sink_contract;
pub use store::record_store_contract;

/// Waits for a future on this thread, without a runtime.
///
/// ```
/// assert_eq!(rtcstats_server_core::testing::block_on(async { 7 }), 7);
/// ```
pub fn block_on<F: Future>(future: F) -> F::Output {
    crate::block_on::block_on(future)
}

fn name(id: &str) -> DumpName {
    DumpName::first(SessionId::new(id).expect("an id of this suite"))
}
