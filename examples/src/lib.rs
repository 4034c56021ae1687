//! The examples are in `axum/`, `rtcstats/` and `embed.rs`. This library holds nothing but the README,
//! so that its code is compiled and run with the other documentation tests.

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
