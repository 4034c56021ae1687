//! What the examples share: the server of `axum/`, which is started by two of them. The others are `rtcstats/` and
//! `embed.rs`.

#[path = "../axum/server.rs"]
pub mod server;

/// Its code is compiled and run with the other documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
