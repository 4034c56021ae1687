//! `rtcstats reextract`

use std::error::Error;
use std::io::{self, BufReader, IsTerminal};
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{ArgGroup, Args};
use flate2::read::MultiGzDecoder;
use indicatif::{ProgressBar, ProgressStyle};
use rtcstats_features::FeatureSet;
use rtcstats_proto::Limits;
use rtcstats_server_core::{
    Archive, ArchivedDump, DirectoryArchive, DirectoryArchiveOptions, DumpName, FeatureSink,
    JetStream, JetStreamOptions, ObjectArchive, ObjectArchiveOptions, RecordOptions, RecordStore,
    SessionRecord, SqlSink, Work, WorkQueue,
};
use tokio::task::JoinSet;

use crate::report;

#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("target").args(["database", "queue"]).required(true),
    after_help = "Examples:
  rtcstats reextract --archive data/dumps --database sqlite://data/records.db
  rtcstats reextract --archive s3://bucket/dumps --database postgres://host/rtcstats --from 30d
  rtcstats reextract --archive s3://bucket/dumps --queue nats://host --from 2025-01-01 --to 2025-02-01

The rows of each dump are replaced at once; those of a dump that fails stay as
they are. What only the server knew of a session, such as its token, is kept
from the rows before."
)]
pub(crate) struct Arguments {
    /// Where the dumps are: a directory of the server, or the URL of an object store.
    #[arg(long, value_name = "URL|DIR")]
    archive: String,

    /// Where their records go: `sqlite://…` or `postgres://…`.
    #[arg(long, value_name = "URL", env = "RTCSTATS_DATABASE")]
    database: Option<String>,

    /// Instead of extracting, tell the workers of a deployment to: the NATS servers that it has.
    #[arg(long, value_name = "URL")]
    queue: Option<String>,

    /// The deployment whose workers are told.
    #[arg(
        long,
        value_name = "NAME",
        default_value = "rtcstats",
        requires = "queue"
    )]
    deployment: String,

    /// Only dumps that were archived at this time or later: `2025-01-31`, `2025-01-31T12:00:00Z`, or
    /// how long ago, such as `30d` or `12h`.
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<f64>,

    /// Only dumps that were archived before this time.
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: Option<f64>,

    /// How many dumps are worked on at a time; by default one for each processor.
    #[arg(short, long, value_name = "N")]
    jobs: Option<NonZeroUsize>,

    /// `appEnv` of published records; by default as in the record before, else `dev`.
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
}

impl Arguments {
    fn is_wanted(&self, dump: &ArchivedDump) -> bool {
        self.from.is_none_or(|from| dump.modified_ms >= from)
            && self.to.is_none_or(|to| dump.modified_ms < to)
    }

    fn jobs(&self) -> usize {
        let processors = std::thread::available_parallelism();
        self.jobs.or(processors.ok()).map_or(1, NonZeroUsize::get)
    }
}

/// A time in Unix epoch milliseconds.
fn time(text: &str) -> Result<f64, String> {
    if let Ok(ago) = humantime::parse_duration(text) {
        return Ok(unix_ms() - ago.as_secs_f64() * 1_000.0);
    }
    let day = format!("{text}T00:00:00Z");
    let time = humantime::parse_rfc3339_weak(text).or_else(|_| humantime::parse_rfc3339(&day));
    let since = time
        .map_err(|error| error.to_string())?
        .duration_since(UNIX_EPOCH);
    let since = since.map_err(|_| "there were no dumps then".to_owned())?;
    Ok(since.as_secs_f64() * 1_000.0)
}

fn unix_ms() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or(Duration::ZERO).as_millis() as f64
}

/// Fails if any of the dumps failed.
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(reextract(arguments))
}

async fn reextract(arguments: Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let archive = open_archive(&arguments.archive).map_err(told)?;
    let mut dumps = archive.list().await.map_err(told)?;
    dumps.retain(|dump| arguments.is_wanted(dump));
    let target = Arc::new(Target::open(&arguments).await.map_err(told)?);
    let progress = progress(dumps.len());
    let (total, mut done, mut failed) = (dumps.len(), 0_u64, 0_u64);
    let jobs = arguments.jobs();
    let environment: Option<Arc<str>> = arguments.environment.map(Into::into);
    let mut tasks = JoinSet::new();
    let mut dumps = dumps.into_iter();
    loop {
        while tasks.len() < jobs
            && let Some(dump) = dumps.next()
        {
            let (archive, target) = (Arc::clone(&archive), Arc::clone(&target));
            let environment = environment.clone();
            tasks.spawn(async move {
                let result = target
                    .take(archive.as_ref(), &dump.name, environment.as_deref())
                    .await;
                (dump.name, result)
            });
        }
        let Some(finished) = tasks.join_next().await else {
            break;
        };
        let (name, result) = finished?;
        progress.inc(1);
        match result {
            Ok(()) => done += 1,
            Err(error) => {
                failed += 1;
                progress.suspend(|| report(&format!("{name}: {}", told(error))));
            }
        }
    }
    progress.finish_and_clear();
    target.close().await;
    let what = target.what_is_done();
    report(&format!("{done} of {total} dumps {what}, {failed} failed"));
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

type Failure = Box<dyn Error + Send + Sync>;

/// An error with its causes.
fn told(error: impl Into<Failure>) -> String {
    let error = error.into();
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

fn open_archive(place: &str) -> Result<Arc<dyn Archive>, Failure> {
    if place.contains("://") {
        let options = ObjectArchiveOptions::default();
        return Ok(Arc::new(ObjectArchive::open(place, options)?));
    }
    if !std::path::Path::new(place).is_dir() {
        return Err(format!("{place} is no directory").into());
    }
    let options = DirectoryArchiveOptions::default();
    Ok(Arc::new(DirectoryArchive::open(place, options)?))
}

/// Who gets the dumps.
enum Target {
    Database(SqlSink),
    Queue(JetStream),
}

impl Target {
    async fn open(arguments: &Arguments) -> Result<Self, Failure> {
        if let Some(servers) = &arguments.queue {
            let mut options = JetStreamOptions::new(servers, "reextract");
            options.deployment.clone_from(&arguments.deployment);
            return Ok(Self::Queue(JetStream::connect(options).await?));
        }
        let url = arguments.database.as_deref().unwrap_or_default();
        Ok(Self::Database(SqlSink::open(url).await?))
    }

    async fn take(
        &self,
        archive: &dyn Archive,
        name: &DumpName,
        environment: Option<&str>,
    ) -> Result<(), Failure> {
        match self {
            Self::Database(sink) => replace(archive, sink, name, environment).await,
            Self::Queue(queue) => {
                let name = name.clone();
                Ok(queue.push(&Work::Extract { name }).await?)
            }
        }
    }

    async fn close(&self) {
        if let Self::Database(sink) = self {
            sink.close().await;
        }
    }

    fn what_is_done(&self) -> &'static str {
        match self {
            Self::Database(_) => "extracted again",
            Self::Queue(_) => "queued",
        }
    }
}

/// Extracts the features of a dump, and replaces its rows.
async fn replace(
    archive: &dyn Archive,
    sink: &SqlSink,
    name: &DumpName,
    environment: Option<&str>,
) -> Result<(), Failure> {
    let Some(dump) = archive.open(name).await? else {
        return Err("the dump is gone".into());
    };
    let earlier = sink.record(name).await?;
    let environment = environment
        .map(str::to_owned)
        .or_else(|| environment_of(earlier.as_ref()?))
        .unwrap_or_else(|| "dev".to_owned());
    let own_name = name.clone();
    let extract = move || {
        let options = RecordOptions {
            environment: &environment,
            now: unix_ms(),
            bytes: 0,
        };
        let dump = BufReader::new(MultiGzDecoder::new(dump));
        SessionRecord::extract(
            own_name,
            dump,
            &FeatureSet::ALL,
            Limits::default(),
            &options,
        )
    };
    let mut record = tokio::task::spawn_blocking(extract).await??;
    if let Some(earlier) = &earlier {
        record.keep_facts(earlier);
    }
    Ok(sink.publish(&record).await?)
}

fn environment_of(record: &SessionRecord) -> Option<String> {
    let meeting: serde_json::Value = serde_json::from_str(record.part("meeting")?.get()).ok()?;
    Some(meeting.get("appEnv")?.as_str()?.to_owned())
}

/// A progress bar on a terminal; hidden otherwise.
fn progress(dumps: usize) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(dumps as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} dumps {per_sec} {eta}") {
        bar.set_style(style);
    }
    bar
}
