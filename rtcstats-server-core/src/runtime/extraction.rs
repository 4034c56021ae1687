//! Folds durable lines into features, on a thread of its own.

use std::collections::HashMap;
use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use foldhash::fast::RandomState;
use tokio::runtime::Handle;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::Shared;
use super::completion::{self, Ended};
use super::follow::{Begun, Followers};
use crate::features::FeatureExtractor;
use crate::{DumpName, SessionFacts, SessionFeatures};

/// Work waiting for one thread.
const QUEUE: usize = 1_024;

/// Bytes of lines waiting for one thread: what it folds in about a tenth of a second.
const QUEUE_BYTES: usize = 64 << 20;

/// The way to one thread.
pub(super) struct Extraction {
    work: mpsc::Sender<Work>,
    /// Permits for bytes of lines.
    room: Arc<Semaphore>,
}

/// Something for the extraction of sessions, in order.
#[expect(
    clippy::large_enum_variant,
    reason = "few wait, and almost all that come are lines"
)]
pub(super) enum Work {
    /// Durable lines of different logs.
    Lines {
        lines: Vec<DurableLines>,
        /// Given back when they are folded.
        room: OwnedSemaphorePermit,
    },
    /// The features so far.
    Snapshot {
        name: DumpName,
        reply: oneshot::Sender<Option<SessionFeatures>>,
    },
    /// The lines from the beginning; none if no such session is open.
    Follow {
        name: DumpName,
        reply: oneshot::Sender<Option<Begun>>,
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

/// Lines of one log, and where in it they begin.
pub(super) struct DurableLines {
    pub(super) name: DumpName,
    pub(super) offset: u64,
    pub(super) text: Bytes,
}

/// A session being extracted.
struct Live {
    extractor: FeatureExtractor,
    /// How much of the log was folded.
    bytes: u64,
}

/// The sessions of a thread.
#[derive(Default)]
struct Sessions {
    live: HashMap<DumpName, Live, RandomState>,
    followers: Followers,
}

impl Extraction {
    /// The way to a thread that is [spawned](spawn) later, and its end.
    pub(super) fn new() -> (Self, mpsc::Receiver<Work>) {
        let (work, queue) = mpsc::channel(QUEUE);
        let room = Arc::new(Semaphore::new(QUEUE_BYTES));
        (Self { work, room }, queue)
    }

    /// Hands over lines. Nobody waits for features: what there is no room for is left out, and read
    /// from the journal when the gap is seen.
    pub(super) fn try_fold(&self, lines: Vec<DurableLines>) {
        if lines.is_empty() {
            return;
        }
        /// What lines cost besides their text.
        const LINES_BYTES: usize = 128;
        let bytes = lines.iter().map(|lines| lines.text.len() + LINES_BYTES);
        let bytes = u32::try_from(bytes.sum::<usize>().min(QUEUE_BYTES)).unwrap_or(u32::MAX);
        if let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(bytes) {
            let _ = self.work.try_send(Work::Lines { lines, room });
        }
    }

    /// Hands over work that must be done, as soon as there is room; at once if there is some.
    pub(super) fn give(&self, work: Work) {
        if let Err(TrySendError::Full(work)) = self.work.try_send(work) {
            let queue = self.work.clone();
            tokio::spawn(async move { queue.send(work).await });
        }
    }

    /// Hands over work once there is room. Done without, if the thread has stopped.
    pub(super) async fn send(&self, work: Work) {
        let _ = self.work.send(work).await;
    }

    /// Tells the thread to stop; one that is behind ends with the process.
    pub(super) fn stop(&self) {
        let _ = self.work.try_send(Work::Stop);
    }
}

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
            Work::Lines { lines, room } => {
                for lines in lines {
                    fold(shared, runtime, &mut sessions, lines);
                }
                drop(room);
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
            Work::Follow { name, reply } => {
                let summary = shared.state().server.session_by_name(&name);
                let begun = summary.map(|_| {
                    // A log that is not there yet, or cannot be read for now, is told as a whole later.
                    let live = up_to_date(shared, runtime, &mut sessions, &name, 0);
                    let bytes = live.map_or(0, |live| live.bytes);
                    sessions.followers.begin(&name, bytes)
                });
                // The asker may have gone.
                let _ = reply.send(begun);
            }
            Work::Finish {
                name,
                facts,
                bytes,
                reply,
            } => {
                if shared.stops.is_stopped(&name) {
                    sessions.forget(&name);
                    shared.abandon(&name);
                    shared.completing.fetch_sub(1, Ordering::Relaxed);
                    continue;
                }
                if up_to_date(shared, runtime, &mut sessions, &name, bytes).is_none() {
                    let work = Work::Finish {
                        name: name.clone(),
                        facts,
                        bytes,
                        reply,
                    };
                    try_later(shared, runtime, &name, work);
                    continue;
                }
                let Some(live) = sessions.forget(&name) else {
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
            Work::Forget { name } => {
                if sessions.followers.has(&name) {
                    // Where it is only out of these hands, lines that were left out are still there.
                    let live = sessions.live.remove(&name);
                    let live = live.unwrap_or_else(|| Live::new(shared, &name));
                    drop(read_on(
                        live,
                        shared,
                        runtime,
                        &name,
                        &mut sessions.followers,
                    ));
                }
                sessions.forget(&name);
            }
            Work::Stop => return,
        }
    }
}

fn fold(shared: &Shared, runtime: &Handle, sessions: &mut Sessions, lines: DurableLines) {
    let DurableLines { name, offset, text } = lines;
    match sessions.live.get_mut(&name) {
        Some(live) if live.bytes >= offset => {
            live.fold(offset, &text);
            sessions.followers.tell(&name, offset, &text);
        }
        None if offset == 0 => {
            let mut live = Live::new(shared, &name);
            live.fold(offset, &text);
            sessions.followers.tell(&name, offset, &text);
            sessions.live.insert(name, live);
        }
        // From before a restart, or lines were left out: the journal has them all.
        _ => {
            let end = offset + text.len() as u64;
            up_to_date(shared, runtime, sessions, &name, end);
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
    let known = sessions.live.get(name);
    if known.is_none_or(|live| live.bytes < bytes) {
        let live = sessions.live.remove(name);
        let live = live.unwrap_or_else(|| Live::new(shared, name));
        match read_on(live, shared, runtime, name, &mut sessions.followers) {
            Ok(live) => {
                sessions.live.insert(name.clone(), live);
            }
            Err(error) => {
                tracing::error!(session = %name, %error, "journal cannot be read for features");
            }
        }
    }
    sessions.live.get(name)
}

/// Folds what a log has more than was folded.
fn read_on(
    mut live: Live,
    shared: &Shared,
    runtime: &Handle,
    name: &DumpName,
    followers: &mut Followers,
) -> io::Result<Live> {
    let is_followed = followers.has(name);
    let log = runtime.block_on(shared.journal.read(name));
    let mut log = log.map_err(io::Error::other)?;
    io::copy(&mut log.by_ref().take(live.bytes), &mut io::sink())?;
    let mut line = Vec::new();
    loop {
        line.clear();
        if log.read_until(b'\n', &mut line)? == 0 {
            return Ok(live);
        }
        let offset = live.bytes;
        live.fold(offset, &line);
        if is_followed {
            followers.tell(name, offset, &Bytes::copy_from_slice(&line));
        }
    }
}

/// Puts work that failed behind the rest, after a pause.
fn try_later(shared: &Shared, runtime: &Handle, name: &DumpName, work: Work) {
    const PAUSE: Duration = Duration::from_secs(1);
    if let Some(extraction) = shared.extraction_of(name) {
        let queue = extraction.work.clone();
        runtime.spawn(async move {
            tokio::time::sleep(PAUSE).await;
            queue.send(work).await
        });
    }
}

impl Sessions {
    /// Nothing more comes of a session.
    fn forget(&mut self, name: &DumpName) -> Option<Live> {
        self.followers.end(name);
        self.live.remove(name)
    }
}

impl Live {
    fn new(shared: &Shared, name: &DumpName) -> Self {
        Self {
            extractor: FeatureExtractor::new(
                name.archived().to_string(),
                &shared.feature_sets,
                shared.series,
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
