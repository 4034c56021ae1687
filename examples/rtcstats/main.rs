//! A command line for dumps: their features, their events, graphs, other formats, fewer addresses; and
//! for servers: one to start, sessions to follow, load.

mod clock;
mod color;
mod compare;
mod completions;
mod convert;
mod dumps;
mod events;
mod features;
mod input;
mod leaves;
mod load;
mod manual;
mod output;
mod plot;
mod privacy;
mod reextract;
mod serve;
mod table;
mod tail;
mod workers;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use rtcstats_examples::server;

use crate::color::When;

/// Measured: features of short sessions take a tenth less time than with the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Receives and reads WebRTC telemetry.
///
/// Dumps are those of rtcstats 5.0, Jitsi and legacy servers, or exports of webrtc-internals; plain, gzip or
/// Zstandard; `-` for standard input.
#[derive(Parser)]
#[command(
    name = "rtcstats",
    version,
    after_help = "Examples:
  rtcstats serve
  rtcstats features call.dump.gz --format table
  rtcstats plot call.dump.gz --series bitrate -o call.html
  rtcstats tail --latest http://127.0.0.1:3000

Exit codes: 0 if all went well, 1 if something in the input was bad (or could
not be reached), 2 if the command line is not understood. What was bad is said
on standard error."
)]
struct Arguments {
    /// Use colours `always`, `never`, or (`auto`) on terminals, unless NO_COLOR is set.
    #[arg(
        long, value_enum, global = true, value_name = "WHEN", hide_possible_values = true,
        default_value_t = When::Auto
    )]
    color: When,

    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Starts the server, and its pages.
    ///
    /// Clients send their telemetry to it; its pages show sessions, live and finished.
    #[command(after_help = serve::EXAMPLES)]
    Serve(Box<server::Options>),
    /// Prints the features of dumps.
    ///
    /// As JSON, of one dump as an object, of several one line each; or as tables or CSV.
    Features(features::Arguments),
    /// Prints the events of a dump, reports decoded.
    ///
    /// As JSON lines, a table or CSV.
    Events(events::Arguments),
    /// Draws graphs of the numbers in a dump.
    ///
    /// As SVG, or as a page that needs no network.
    Plot(plot::Arguments),
    /// Shows the features of two dumps side by side.
    ///
    /// What differs is marked.
    Compare(compare::Arguments),
    /// Follows a live session of a server.
    ///
    /// Prints its events, and how its connections do, as they come.
    Tail(tail::Arguments),
    /// Replays dumps against a server, at a rate.
    ///
    /// Says at the end what was sent, what was acknowledged, and how soon.
    Load(load::Arguments),
    /// Writes a dump of another generation.
    Convert(convert::Arguments),
    /// Extracts the features of archived dumps again.
    ///
    /// Replaces their rows in a database.
    Reextract(reextract::Arguments),
    /// Prints a file with its addresses masked, to give it away.
    Anonymize(privacy::AnonymizeArguments),
    /// Prints the lines of a dump, masked as servers and clients do.
    Obfuscate(privacy::ObfuscateArguments),
    /// Prints completions for a shell.
    Completions(completions::Arguments),
    /// Prints a manual page.
    ///
    /// Or writes those of all commands into a directory.
    Man(manual::Arguments),
}

/// Arguments that are well-formed each and do not go together.
#[derive(Debug)]
pub(crate) struct UsageError(pub(crate) String);

fn main() -> ExitCode {
    let arguments = parse();
    color::set(arguments.color);
    let result = match arguments.command {
        Command::Serve(options) => serve::run(*options),
        Command::Features(arguments) => features::run(&arguments),
        Command::Events(arguments) => events::run(&arguments),
        Command::Plot(arguments) => plot::run(&arguments),
        Command::Compare(arguments) => compare::run(&arguments),
        Command::Tail(arguments) => tail::run(arguments),
        Command::Load(arguments) => load::run(arguments),
        Command::Convert(arguments) => convert::run(&arguments),
        Command::Reextract(arguments) => reextract::run(arguments),
        Command::Anonymize(arguments) => privacy::anonymize(&arguments),
        Command::Obfuscate(arguments) => privacy::obfuscate(&arguments),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Man(arguments) => manual::run(&arguments),
    };
    match result {
        Ok(code) => code,
        // Whoever read the output wants no more of it.
        Err(error) if is_broken_pipe(error.as_ref()) => ExitCode::SUCCESS,
        Err(error) => match error.downcast::<UsageError>() {
            Ok(error) => Arguments::command()
                .color(arguments.color.into())
                .error(ErrorKind::ArgumentConflict, error)
                .exit(),
            Err(error) => {
                report(&error.to_string());
                ExitCode::FAILURE
            }
        },
    }
}

/// Help and errors are coloured as the arguments say.
fn parse() -> Arguments {
    let color = When::from_raw_arguments(std::env::args_os());
    let mut command = Arguments::command().color(color.into());
    let matches = command.get_matches_mut();
    Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.format(&mut command).exit())
}

fn is_broken_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let io = error.downcast_ref::<std::io::Error>();
        if io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe) {
            return true;
        }
        cause = error.source();
    }
    false
}

#[expect(
    clippy::print_stderr,
    reason = "this is how a command line reports errors"
)]
fn report(message: &str) {
    eprintln!("rtcstats: {message}");
}

impl std::fmt::Display for UsageError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}
