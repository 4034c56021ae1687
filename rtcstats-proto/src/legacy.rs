//! Legacy rtcstats, protocol 2.0: the original client, its SDKs, and the archives of their dumps.
//!
//! A message is an event array without envelope, session id or sequence number; its dump begins
//! with an object that has a `fileFormat`. [`EventReader`](crate::EventReader) reads both. Here is
//! what only this generation needs. Section numbers are those of the project's description of it.

mod identifiers;
mod repair;
mod translate;

pub use identifiers::Identifiers;
pub use repair::repair;
pub use translate::Translator;
