//! Instructions of the paths that matter most, against those of `serde_json`'s `IgnoredAny` over the same
//! bytes, and against what was recorded.
//!
//! ```text
//! cargo bench -p rtcstats-benches --bench guard -- [--check | --record]
//! ```
//!
//! Valgrind's callgrind counts. So the figures are the same on a busy machine; and as both sides are
//! counted in one run of one program, they hardly depend on compiler, allocator and machine.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "prints its figures, and stops where its input is not as it was"
)]

mod callgrind;
mod paths;
mod record;

use std::process::ExitCode;

use self::callgrind::{Count, Unavailable};
use self::paths::YARDSTICK;
use self::record::Record;

/// What the examples run with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// So much more than recorded a path may take. Counts of one program differ by less than 2 % from run to
/// run: hash tables are seeded by chance.
const TOLERANCE: f64 = 0.15;

/// What is to be done.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Task {
    /// Print the figures, if they can be counted.
    Show,
    /// And fail where one is above what is recorded, or cannot be counted.
    Check,
    /// And record them.
    Record,
    /// Run the paths: what is done under callgrind.
    Run,
}

fn main() -> ExitCode {
    let mut task = Task::Show;
    for argument in std::env::args().skip(1) {
        task = match argument.as_str() {
            "--check" => Task::Check,
            "--record" => Task::Record,
            callgrind::RUN => Task::Run,
            // What cargo itself passes to every benchmark.
            "--bench" => task,
            _ => {
                eprintln!("unknown argument {argument}");
                return ExitCode::FAILURE;
            }
        };
    }
    if task == Task::Run {
        paths::run();
        return ExitCode::SUCCESS;
    }
    match callgrind::count() {
        Ok(counts) => judge(&counts, task),
        Err(Unavailable(reason)) if task == Task::Show => {
            println!("SKIPPED: {reason}");
            ExitCode::SUCCESS
        }
        Err(Unavailable(reason)) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

/// Prints the figures beside those recorded.
fn judge(counts: &[Count], task: Task) -> ExitCode {
    let recorded = Record::read();
    let mut measured = Record::default();
    let mut exceeded = 0;
    println!(
        "{:<20} {:>14} {:>12} {:>10} {:>10} {:>8}",
        "path", "instructions", "a byte", YARDSTICK, "recorded", "change"
    );
    let mut yardstick = 1.0;
    for count in counts {
        let per_byte = count.instructions / count.bytes;
        if count.path == YARDSTICK {
            yardstick = per_byte;
            continue;
        }
        let ratio = per_byte / yardstick;
        print!(
            "{:<20} {:>14.0} {per_byte:>12.2} {ratio:>10.3}",
            count.path, count.instructions
        );
        match recorded.ratio(&count.path) {
            None => {
                exceeded += 1;
                println!(" {:>10} {:>8}", "none", "");
            }
            Some(recorded) => {
                let change = ratio / recorded - 1.0;
                let verdict = if change > TOLERANCE { "TOO MUCH" } else { "" };
                exceeded += usize::from(change > TOLERANCE);
                println!(" {recorded:>10.3} {:>+7.1}% {verdict}", change * 100.0);
            }
        }
        measured.push(&count.path, ratio);
    }
    match task {
        Task::Record => {
            measured.write();
            ExitCode::SUCCESS
        }
        Task::Check if exceeded > 0 => {
            let percent = TOLERANCE * 100.0;
            eprintln!(
                "{exceeded} paths take over {percent} % more than recorded, or are not recorded"
            );
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}
