//! Work of the queue that all nodes share.

use std::io::{self, BufRead, BufReader};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use flate2::bufread::MultiGzDecoder;
use tokio::task::spawn_blocking;

use super::Shared;
use super::completion::{self, Attempts, Ended};
use super::node::Node;
use super::whole_log::WholeLog;
use crate::features::FeatureExtractor;
use crate::{
    DumpName, JournalErrorKind, Privacy, Recovered, SessionFacts, SessionFeatures, Task, TaskLease,
    Work,
};

/// Why an attempt failed, for whoever looks at what was put aside.
type Reason = String;

/// Takes one task after another until the node is drained, or ends.
pub(super) async fn run(shared: Arc<Shared>) {
    const PAUSE: Duration = Duration::from_secs(1);
    let Some(node) = &shared.node else { return };
    let mut draining = node.draining.subscribe();
    let mut shutdown = shared.shutdown.subscribe();
    loop {
        // It waits for as long as there is nothing to do.
        let taken = tokio::select! {
            biased;
            _ = draining.wait_for(|is_draining| *is_draining) => return,
            _ = shutdown.wait_for(|stop| *stop) => return,
            taken = node.options.queue.take() => taken,
        };
        match taken {
            Ok(task) => {
                tokio::select! {
                    () = work(&shared, node, task) => {}
                    _ = shutdown.wait_for(|stop| *stop) => return,
                }
            }
            Err(error) => {
                tracing::error!(%error, "no work is taken");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// A task that this node has, until it is dropped; unfinished, it is another worker's.
struct Running<'a> {
    shared: &'a Shared,
    node: &'a Node,
    is_over: bool,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.node.running_tasks.fetch_sub(1, Ordering::Relaxed);
        if !self.is_over {
            self.shared.state().server.counters_mut().tasks_put_back += 1;
        }
    }
}

/// Does a task, and tells the queue.
async fn work(shared: &Arc<Shared>, node: &Node, task: Task) {
    let Task {
        work,
        attempt,
        lease,
    } = task;
    node.running_tasks.fetch_add(1, Ordering::Relaxed);
    let mut running = Running {
        shared,
        node,
        is_over: false,
    };
    let result = tokio::select! {
        result = perform(shared, work.clone()) => result,
        never = keep(lease.as_ref()) => match never {},
    };
    running.is_over = true;
    let told = match &result {
        Ok(()) => {
            shared.state().server.counters_mut().tasks_done += 1;
            lease.done().await
        }
        Err(reason) => {
            shared.state().server.counters_mut().tasks_failed += 1;
            tracing::error!(session = %name_of(&work), attempt, reason, "task failed");
            lease.failed(reason).await
        }
    };
    if let Err(error) = told {
        tracing::warn!(session = %name_of(&work), %error, "queue is not told; the task may come again");
    }
}

fn name_of(work: &Work) -> &DumpName {
    match work {
        Work::Complete { name, .. } | Work::Extract { name } => name,
    }
}

/// Says again and again that the worker is still at it.
async fn keep(lease: &dyn TaskLease) -> std::convert::Infallible {
    loop {
        tokio::time::sleep(lease.patience() / 3).await;
        if let Err(error) = lease.extend().await {
            // Another one may get it too. What both do is the same.
            tracing::warn!(%error, "lease is not extended");
        }
    }
}

async fn perform(shared: &Arc<Shared>, work: Work) -> Result<(), Reason> {
    match work {
        Work::Complete { name, facts, bytes } => complete(shared, name, *facts, bytes).await,
        Work::Extract { name } => extract_again(shared, name).await,
    }
}

async fn complete(
    shared: &Arc<Shared>,
    name: DumpName,
    facts: SessionFacts,
    bytes: u64,
) -> Result<(), Reason> {
    let log = match shared.journal.read(&name).await {
        Ok(log) => Box::new(WholeLog::new(log, bytes)),
        // Another worker has completed it.
        Err(error) if matches!(error.kind(), JournalErrorKind::UnknownLog) => return Ok(()),
        Err(error) => return Err(format!("{error}: {}", error.kind())),
    };
    let privacy = shared.handshakes.privacy.clone();
    let extracted = extract(shared, name.archived(), log, privacy).await?;
    if extracted.errors > 0 {
        shared.state().server.counters_mut().process_errors += 1;
    }
    let ended = Ended {
        name,
        features: extracted.features,
        facts,
        bytes: extracted.bytes,
        reply: None,
    };
    let completed = completion::perform(shared, ended, Attempts::Few).await;
    completed.map_err(|error| error.to_string())
}

/// Extracts the features of an archived dump, and publishes them.
async fn extract_again(shared: &Arc<Shared>, name: DumpName) -> Result<(), Reason> {
    let Some(dump) = open(shared, &name).await? else {
        tracing::warn!(dump = %name, "dump is gone, and not extracted again");
        return Ok(());
    };
    // It was filtered before it was archived.
    let extracted = extract(shared, name.clone(), dump, Privacy::default()).await?;
    let Some(dump) = open(shared, &name).await? else {
        return Ok(());
    };
    let read = {
        let name = name.clone();
        spawn_blocking(move || Recovered::read(name, dump, 0.0))
    };
    let read = read.await.map_err(io::Error::other).and_then(|read| read);
    let facts = read.map_err(|error| format!("dump {name} cannot be read: {error}"))?;
    let Extracted {
        features, bytes, ..
    } = extracted;
    let published = completion::publish_again(shared, &name, features, &facts.facts, bytes).await;
    published.map_err(|error| error.to_string())
}

/// An archived dump as text.
async fn open(shared: &Shared, name: &DumpName) -> Result<Option<Box<dyn BufRead + Send>>, Reason> {
    let dump = shared.archive.open(name).await;
    let dump = dump.map_err(|error| {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        format!("{error}: {}", cause.unwrap_or_default())
    })?;
    Ok(dump.map(|dump| {
        let text = MultiGzDecoder::new(BufReader::new(dump));
        Box::new(BufReader::new(text)) as Box<dyn BufRead + Send>
    }))
}

/// What a dump yields.
struct Extracted {
    features: SessionFeatures,
    /// Lines that could not be read.
    errors: u64,
    bytes: u64,
}

async fn extract(
    shared: &Arc<Shared>,
    name: DumpName,
    mut dump: Box<dyn BufRead + Send>,
    privacy: Privacy,
) -> Result<Extracted, Reason> {
    let runtime = Arc::clone(shared);
    let dump_name = name.to_string();
    let extraction = spawn_blocking(move || {
        let (sets, limits) = (&runtime.feature_sets, runtime.limits.message);
        let series = runtime.series;
        let mut extractor = FeatureExtractor::new(dump_name, sets, series, &privacy, limits);
        let mut line = Vec::new();
        let mut bytes = 0;
        loop {
            line.clear();
            let length = dump.read_until(b'\n', &mut line)?;
            if length == 0 {
                break;
            }
            bytes += length as u64;
            extractor.push(line.strip_suffix(b"\n").unwrap_or(&line));
        }
        Ok(Extracted {
            features: extractor.snapshot(runtime.clock.now().unix_ms),
            errors: extractor.errors(),
            bytes,
        })
    });
    let extracted: io::Result<Extracted> = extraction
        .await
        .map_err(io::Error::other)
        .and_then(|result| result);
    extracted.map_err(|error| format!("log {name} cannot be read: {error}"))
}
