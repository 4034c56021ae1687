//! The server people run: point rtcstats clients at it, and get dumps and features of their calls.
//!
//! `cargo run --release --example axum` starts it with everything embedded; `--help` lists what can
//! be set.

use std::process::ExitCode;

use clap::Parser;
use rtcstats_examples::server::{self, Options};

/// Measured: features of short sessions take a tenth less time than with the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    server::serve(Options::parse()).await
}
