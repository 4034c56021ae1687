//! `rtcstats tail`

mod address;
mod event_stream;
mod follow;
mod numbers;
mod screen;
mod view;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use reqwest::header::{HeaderName, HeaderValue};

use crate::output::Format;
use crate::plot::Pattern;

use self::address::Address;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  rtcstats tail --latest http://127.0.0.1:3000
  rtcstats tail http://127.0.0.1:3000/sessions/7c9e6679-7425-40de-944b-e07fc1f90ae7
  rtcstats tail --latest http://127.0.0.1:3000 --series '*_in_bits/s]' --interval 1s
  rtcstats tail --latest http://127.0.0.1:3000 --format json | jq .data.events

It ends when the session does, and connects again if the connection is lost.
Times are those of the day, in UTC; lines are cut at the width of the terminal.
JSON has a line for each message of the server; CSV has Unix epoch milliseconds.

Exit codes: 0 if the session was followed to its end, 1 if not, 2 if the command
line is not understood.")]
pub(crate) struct Arguments {
    /// The page of a session, its URL in the API, or (with --latest) a server.
    url: Address,

    /// Follow the live session that began last.
    #[arg(short, long)]
    latest: bool,

    /// Show these series instead of rates, loss and round-trip time; patterns as for `rtcstats plot`.
    #[arg(short, long, value_name = "PATTERN")]
    series: Vec<Pattern>,

    /// Show numbers of a connection so often at most.
    #[arg(short, long, default_value = "5s", value_parser = humantime::parse_duration)]
    interval: Duration,

    /// Show no numbers.
    #[arg(long, conflicts_with_all = ["series", "interval"])]
    events_only: bool,

    /// Show so many events of before.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
    events: usize,

    /// How it is printed.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    format: Format,

    /// Send this header with each request: `Name: value`.
    #[arg(short = 'H', long, value_name = "HEADER", value_parser = header)]
    header: Vec<(HeaderName, HeaderValue)>,

    /// How long to try again when the connection is lost.
    #[arg(long, default_value = "1m", value_parser = humantime::parse_duration)]
    patience: Duration,
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("no colon in it")?;
    let name = name.trim().parse().map_err(|_| "not a name of a header")?;
    let value = value
        .trim()
        .parse()
        .map_err(|_| "not a value of a header")?;
    Ok((name, value))
}

/// Fails if there is no such session, or the server cannot be reached.
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(follow::follow(&arguments))?;
    Ok(ExitCode::SUCCESS)
}
