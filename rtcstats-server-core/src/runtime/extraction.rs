//! Folds durable lines into features, on a thread of its own.

use std::collections::HashMap;
use std::io::{self, BufRead};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use foldhash::fast::RandomState;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::Shared;
use super::completion::{self, Ended};
use super::features::{FeatureExtractor, SessionFeatures};
use crate::{DumpName, SessionFacts};

/// Batches waiting for one thread; above it the committer waits.
pub(super) const QUEUE: usize = 1_024;

/// Something for the extraction of a session, in order.
pub(super) enum Work {
    /// Durable lines, and where in the log they begin.
    Lines {
        name: DumpName,
        offset: u64,
        text: Bytes,
    },
    /// The features so far.
    Snapshot {
        name: DumpName,
        reply: oneshot::Sender<Option<SessionFeatures>>,
    },
    /// The log is complete.
    Finish {
        name: DumpName,
        facts: SessionFacts,
        bytes: u64,
        /// See [`Commit::Finish`](super::committer::Commit).
        reply: Option<oneshot::Sender<()>>,
    },
    /// The log is gone.
    Forget { name: DumpName },
    /// Nothing more comes.
    Stop,
}

/// A session being extracted.
struct Live {
    extractor: FeatureExtractor,
    /// How much of the log was folded.
    bytes: u64,
}

type Sessions = HashMap<DumpName, Live, RandomState>;

/// Starts a thread; what is returned ends with it. It is no task of the runtime, whose end would wait
/// for it.
pub(super) fn spawn(
    shared: Arc<Shared>,
    work: mpsc::Receiver<Work>,
) -> io::Result<oneshot::Receiver<()>> {
    let (running, done) = oneshot::channel();
    let runtime = Handle::current();
    thread::Builder::new()
        .name("rtcstats-extraction".to_owned())
        .spawn(move || {
            run(&shared, work, &runtime);
            drop::<oneshot::Sender<()>>(running);
        })?;
    Ok(done)
}

fn run(shared: &Arc<Shared>, mut work: mpsc::Receiver<Work>, runtime: &Handle) {
    let mut sessions = Sessions::default();
    while let Some(next) = work.blocking_recv() {
        match next {
            Work::Lines { name, offset, text } => {
                if offset == 0 {
                    sessions
                        .entry(name.clone())
                        .or_insert_with(|| Live::new(shared, &name));
                }
                match sessions.get_mut(&name) {
                    Some(live) if live.bytes >= offset => live.fold(offset, &text),
                    // From before a restart, or lines were left out: the journal has them all.
                    _ => {
                        up_to_date(
                            shared,
                            runtime,
                            &mut sessions,
                            &name,
                            offset + text.len() as u64,
                        );
                    }
                }
            }
            Work::Snapshot { name, reply } => {
                // One that has ended meanwhile must not come back to stay.
                let summary = shared.state().server.session_by_name(&name);
                let live =
                    summary.and_then(|_| up_to_date(shared, runtime, &mut sessions, &name, 0));
                let now = shared.clock.now().unix_ms;
                // The asker may have gone.
                let _ = reply.send(live.map(|live| live.extractor.snapshot(now)));
            }
            Work::Finish {
                name,
                facts,
                bytes,
                reply,
            } => {
                if up_to_date(shared, runtime, &mut sessions, &name, bytes).is_none() {
                    let work = Work::Finish {
                        name,
                        facts,
                        bytes,
                        reply,
                    };
                    try_later(shared, runtime, work);
                    continue;
                }
                let Some(live) = sessions.remove(&name) else {
                    continue;
                };
                if live.extractor.errors() > 0 {
                    shared.state().server.counters_mut().process_errors += 1;
                }
                let features = live.extractor.snapshot(shared.clock.now().unix_ms);
                let ended = Ended {
                    name,
                    features,
                    facts,
                    bytes: live.bytes,
                    reply,
                };
                runtime.spawn(completion::complete(Arc::clone(shared), ended));
            }
            Work::Forget { name } => drop(sessions.remove(&name)),
            Work::Stop => return,
        }
    }
}

/// A session with at least so many bytes folded, read from the journal if need be; `None` if that
/// fails.
fn up_to_date<'a>(
    shared: &Shared,
    runtime: &Handle,
    sessions: &'a mut Sessions,
    name: &DumpName,
    bytes: u64,
) -> Option<&'a Live> {
    let is_known = sessions.get(name).is_some_and(|live| live.bytes >= bytes);
    if !is_known {
        match read(shared, runtime, name) {
            Ok(live) => {
                sessions.insert(name.clone(), live);
            }
            Err(error) => {
                tracing::error!(session = %name, %error, "journal cannot be read for features");
                sessions.remove(name);
            }
        }
    }
    sessions.get(name)
}

/// Folds a log from its beginning.
fn read(shared: &Shared, runtime: &Handle, name: &DumpName) -> io::Result<Live> {
    let log = runtime.block_on(shared.journal.read(name));
    let mut log = log.map_err(io::Error::other)?;
    let mut live = Live::new(shared, name);
    let mut line = Vec::new();
    loop {
        line.clear();
        if log.read_until(b'\n', &mut line)? == 0 {
            return Ok(live);
        }
        live.fold(live.bytes, &line);
    }
}

/// Puts work that failed behind the rest, after a pause.
fn try_later(shared: &Shared, runtime: &Handle, work: Work) {
    const PAUSE: Duration = Duration::from_secs(1);
    let (Work::Finish { name, .. }
    | Work::Lines { name, .. }
    | Work::Snapshot { name, .. }
    | Work::Forget { name }) = &work
    else {
        return;
    };
    if let Some(extraction) = shared.extraction_of(name).cloned() {
        runtime.spawn(async move {
            tokio::time::sleep(PAUSE).await;
            extraction.send(work).await
        });
    }
}

impl Live {
    fn new(shared: &Shared, name: &DumpName) -> Self {
        Self {
            extractor: FeatureExtractor::new(
                name.archived().to_string(),
                &shared.feature_sets,
                &shared.handshakes.privacy,
                shared.limits.message,
            ),
            bytes: 0,
        }
    }

    /// Folds lines that begin at `offset`, unless it has them.
    fn fold(&mut self, offset: u64, text: &[u8]) {
        let had = usize::try_from(self.bytes.saturating_sub(offset)).unwrap_or(usize::MAX);
        let rest = text.get(had.min(text.len())..).unwrap_or_default();
        self.bytes += rest.len() as u64;
        for line in rest.split_inclusive(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            self.extractor.push(line);
        }
    }
}
