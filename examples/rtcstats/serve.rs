//! `rtcstats serve`

use std::error::Error;
use std::process::ExitCode;

use rtcstats_examples::server::{self, Options};

pub(crate) const EXAMPLES: &str = "Examples:
  rtcstats serve
  rtcstats serve --listen 0.0.0.0:3000 --data /var/lib/rtcstats

It prints where its pages are, and what to set in clients.";

/// Runs the server until it is told to end.
pub(crate) fn run(options: Options) -> Result<ExitCode, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(server::serve(options)))
}
