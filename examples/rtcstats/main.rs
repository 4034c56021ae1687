//! A command line for dumps: their features, their events, other formats, fewer addresses.

mod convert;
mod dumps;
mod events;
mod features;
mod input;
mod privacy;
mod reextract;
mod workers;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Measured: features of short sessions take a tenth less time than with the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Reads WebRTC telemetry: dumps of rtcstats 5.0, Jitsi and legacy servers, exports of
/// webrtc-internals; plain, gzip or Zstandard; `-` for standard input.
#[derive(Debug, Parser)]
#[command(name = "rtcstats", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Prints the features of dumps and directories of dumps as JSON: of one dump as an object, of several
    /// one line each.
    Features(features::Arguments),
    /// Prints the events of a dump as JSON lines, reports decoded.
    Events(events::Arguments),
    /// Writes a dump of another generation.
    Convert(convert::Arguments),
    /// Extracts the features of archived dumps again, and replaces their rows in a database.
    Reextract(reextract::Arguments),
    /// Masks the addresses in a file, to give it away: prints it with them masked.
    Anonymize(privacy::AnonymizeArguments),
    /// Masks addresses in the lines of a dump, as servers and clients do: prints them.
    Obfuscate(privacy::ObfuscateArguments),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Features(arguments) => features::run(&arguments),
        Command::Events(arguments) => events::run(&arguments),
        Command::Convert(arguments) => convert::run(&arguments),
        Command::Reextract(arguments) => reextract::run(arguments),
        Command::Anonymize(arguments) => privacy::anonymize(&arguments),
        Command::Obfuscate(arguments) => privacy::obfuscate(&arguments),
    };
    match result {
        Ok(code) => code,
        // Whoever read the output wants no more of it.
        Err(error) if is_broken_pipe(error.as_ref()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    let error = error.downcast_ref::<std::io::Error>();
    error.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

#[expect(
    clippy::print_stderr,
    reason = "this is how a command line reports errors"
)]
fn report(message: &str) {
    eprintln!("rtcstats: {message}");
}
