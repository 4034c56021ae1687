//! `rtcstats load`

mod client;
mod latency;
mod script;
mod session_id;
mod summary;
mod target;

use std::error::Error;
use std::io::{self, IsTerminal};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use clap::Args;
use indicatif::ProgressBar;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::output::Format;
use crate::{UsageError, dumps, report};

use self::client::{Client, Pace};
use self::script::Script;
use self::summary::Summary;
use self::target::Target;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  rtcstats load http://127.0.0.1:3000 call.dump.gz
  rtcstats load ws://127.0.0.1:3000 dumps/ --sessions 200 --speed 10
  rtcstats load 127.0.0.1:3000 call.dump.gz --sessions 50 --rate 2000 --duration 1m
  rtcstats load 127.0.0.1:3000 call.dump.gz --speed max --format json

Dumps of Jitsi clients are sent as these clients do, with sequence numbers from
1 on, and what the server acknowledges is counted and timed. Other clients are
told nothing: of theirs, only sending is counted. An export of webrtc-internals
is sent as rtcstats 5.0. Each dump is sent once, or as often as there are
sessions if these are more; with --duration, again and again. As with the stock
client, at most 1,000 messages of a session wait to be acknowledged; --speed max
waits for the server then.

Exit codes: 0 if all was sent and acknowledged, 1 if not, 2 if the command line
is not understood.")]
pub(crate) struct Arguments {
    /// The server: ws://, wss://, http:// or https:// and host, or host and port alone.
    server: Target,

    /// Dumps or exports, and directories of them.
    #[arg(required = true)]
    dumps: Vec<PathBuf>,

    /// Sessions at once.
    #[arg(short, long, value_name = "N", default_value = "1")]
    sessions: NonZeroUsize,

    /// How many times faster than it was recorded; `max` for as fast as the server takes it.
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = speed)]
    speed: Speed,

    /// So many messages a second instead, over all sessions.
    #[arg(long, value_name = "MESSAGES", conflicts_with = "speed", value_parser = positive)]
    rate: Option<f64>,

    /// Go on for so long, such as `30s` or `10m`; then sessions leave where they are.
    #[arg(long, value_parser = humantime::parse_duration)]
    duration: Option<Duration>,

    /// How long to wait for the server: to connect, and to acknowledge the last messages.
    #[arg(long, default_value = "30s", value_parser = humantime::parse_duration)]
    patience: Duration,

    /// How the summary is printed.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// How fast a session goes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Speed {
    /// So many times as fast as it was.
    Factor(f64),
    /// As fast as possible.
    Max,
}

fn speed(text: &str) -> Result<Speed, String> {
    match text {
        "max" => Ok(Speed::Max),
        _ => positive(text).map(Speed::Factor),
    }
}

fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok();
    // Beyond that, times between messages are none that a clock has.
    let number = number.filter(|number| (1e-6..=1e9).contains(number));
    number.ok_or_else(|| "not a number above 0, from 0.000001 to 1,000,000,000".to_owned())
}

/// What all sessions share.
struct Run {
    arguments: Arguments,
    dumps: Vec<PathBuf>,
    /// How many sessions were begun.
    begun: AtomicUsize,
    begin: Instant,
    summary: Summary,
    /// Whether it is over before its end.
    stop: watch::Receiver<bool>,
}

/// Fails if something was not sent, or not acknowledged.
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode, Box<dyn Error>> {
    if arguments.dumps.iter().any(|path| path.as_os_str() == "-") && arguments.sessions.get() > 1 {
        let what = "standard input can be sent once: name a file for several sessions";
        return Err(UsageError(what.to_owned()).into());
    }
    let dumps: Result<Vec<PathBuf>, _> = dumps::find(&arguments.dumps).collect();
    let dumps = dumps.map_err(|error| error.to_string())?;
    if dumps.is_empty() {
        return Err("no dumps found".into());
    }
    // Each session has a socket and a file.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(load(arguments, dumps))
}

async fn load(arguments: Arguments, dumps: Vec<PathBuf>) -> Result<ExitCode, Box<dyn Error>> {
    let (stopping, stop) = watch::channel(false);
    let begin = Instant::now();
    let end = arguments
        .duration
        .and_then(|duration| begin.checked_add(duration));
    let run = Arc::new(Run {
        arguments,
        dumps,
        begun: AtomicUsize::new(0),
        begin,
        summary: Summary::default(),
        stop,
    });
    let mut workers = JoinSet::new();
    for number in 0..run.arguments.sessions.get() {
        workers.spawn(work(Arc::clone(&run), number));
    }
    let progress = progress();
    loop {
        tokio::select! {
            finished = workers.join_next() => match finished {
                Some(finished) => finished?,
                None => break,
            },
            () = sleep_until(end.unwrap_or(begin)), if end.is_some() && !*stopping.borrow() => {
                stopping.send_replace(true);
            }
            interrupt = tokio::signal::ctrl_c() => {
                interrupt?;
                if stopping.send_replace(true) {
                    // Asked for twice.
                    break;
                }
            }
            () = sleep(Duration::from_millis(500)) => {
                progress.set_message(run.summary.progress(begin.elapsed()));
            }
        }
    }
    workers.shutdown().await;
    progress.finish_and_clear();
    for remark in run.summary.remarks() {
        report(&remark);
    }
    run.summary.print(begin.elapsed(), run.arguments.format)?;
    Ok(if run.summary.is_perfect() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn progress() -> ProgressBar {
    if io::stderr().is_terminal() {
        ProgressBar::new_spinner()
    } else {
        ProgressBar::hidden()
    }
}

/// One session after the other.
async fn work(run: Arc<Run>, worker: usize) {
    /// A server that refuses all is not asked more often.
    const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);
    let mut stop = run.stop.clone();
    while let Some(path) = run.next_dump() {
        let result = replay(&run, path, worker).await;
        if let Err(error) = result {
            run.summary.failed(format!("{}: {error}", path.display()));
            // It ends when all is to stop.
            let _ = timeout(PAUSE_AFTER_FAILURE, stop.wait_for(|stop| *stop)).await;
        }
    }
}

impl Run {
    /// The dump of the next session, if there is to be one.
    fn next_dump(&self) -> Option<&PathBuf> {
        if *self.stop.borrow() {
            return None;
        }
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        let all = self.dumps.len().max(self.arguments.sessions.get());
        if self.arguments.duration.is_none() && number >= all {
            return None;
        }
        self.dumps.get(number % self.dumps.len())
    }

    /// How fast the session of a worker goes. The sessions of a rate take turns.
    fn pace(&self, worker: usize) -> Pace {
        let now = Instant::now();
        match (self.arguments.rate, self.arguments.speed) {
            (Some(rate), _) => {
                let sessions = self.arguments.sessions.get() as f64;
                let turn = self.begin + Duration::from_secs_f64(worker as f64 / rate);
                Pace::Rate {
                    next: turn.max(now),
                    interval: Duration::from_secs_f64(sessions / rate),
                }
            }
            (None, Speed::Factor(factor)) => Pace::Recorded {
                begin: now,
                first_ms: None,
                factor,
            },
            (None, Speed::Max) => Pace::Max,
        }
    }
}

async fn replay(run: &Run, path: &Path, worker: usize) -> Result<(), Box<dyn Error + Send + Sync>> {
    let script = Script::open(path)?;
    let client = Client::connect(
        &run.arguments.server,
        script,
        run.arguments.patience,
        &run.summary,
    );
    let client = timeout(run.arguments.patience, client)
        .await
        .map_err(|_| "the server does not answer: no connection in time")??;
    client.play(run.pace(worker), run.stop.clone()).await
}
