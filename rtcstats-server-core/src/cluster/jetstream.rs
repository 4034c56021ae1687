//! NATS JetStream as journal, ownership and work queue of several nodes.

use std::collections::{HashMap, HashSet};
use std::io::BufRead;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use foldhash::fast::RandomState;
use rtcstats_proto::jitsi::SessionId;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

mod adoption;
mod chain;
mod log;
mod operations;
mod options;
mod ownership;
mod presence;
mod reader;
mod record;
mod sessions;
mod store;
mod work;

pub use options::{JetStreamOptions, NatsCredentials};

use super::{Claim, ClusterError, EndedSession, IsKnown, Ownership, Task, Work, WorkQueue};
use crate::future::{Completion, completion};
use crate::{
    Append, BoxFuture, DumpName, Journal, JournalEntry, JournalError, JournalErrorKind,
    JournalOperation,
};
use log::Last;
use operations::{Known, Operation, Operations};
use presence::Presence;
use store::{Store, StoreError, failed};
use work::Takers;

/// [`Journal`], [`Ownership`] and [`WorkQueue`] over [NATS JetStream](https://docs.nats.io/nats-concepts/jetstream),
/// for servers from 2.10.26 on. What all nodes share is there; a node that is gone loses nothing.
///
/// # What is durable
///
/// Each append is a message that a majority of the [replicas](JetStreamOptions::replicas) have stored
/// before it is acknowledged. So what was acknowledged survives the death of nodes and of servers, as long
/// as a majority of the servers keep their files.
///
/// Servers write to files at once, and flush them to disks from time to time: every two minutes, unless
/// they are configured otherwise. One that loses power comes back without what was written since. If two
/// of three do at the same moment, or one does while another is behind, what was acknowledged can be lost.
/// With `sync_interval: always` in the block `jetstream` of their configuration they flush before they
/// acknowledge.
///
/// Servers of version 2.9.10 that are killed again and again can end up with replicas that differ, of which
/// some lack what was acknowledged. That is beyond what a client can mend. With 2.10.26, 2.11.11, 2.12.8
/// and 2.15.1 nothing was ever missing in the same runs.
///
/// # What is where
///
/// With the deployment `D`:
///
/// | Stream | Subjects | Holds |
/// |---|---|---|
/// | `D_log` | `D.log.<dump>` | the lines of logs; headers say where in the log they begin and end, and whose they are |
/// | `KV_D_sessions` | `session.<id>`, `upload.<id>` | whose sessions are, and how far ended ones got, as JSON |
/// | `KV_D_nodes` | `<node>-<process>` | which processes live |
/// | `D_work` | `D.work.<complete or extract>.<dump>` | what waits for workers, as JSON |
/// | `D_dead` | the same under `D.dead` | what was put aside, with the header `Rtcstats-Reason` |
///
/// # Reading
///
/// Each message of a log says where in the stream up to 32 of those before it are, so that a reader finds
/// all of them from the last one on, and fetches them by their numbers, whatever else the stream holds. A
/// reader holds 8 bytes for each message of its log, and about half a megabyte of the messages themselves,
/// but never more than 17 of them besides.
///
/// # Fencing
///
/// Each message names the last one of its log that its writer knows, and is refused if there is another.
/// Who takes a session over writes a message into its log: from then on whatever its owner before sends
/// is refused, also what is on its way. A process that was started again is another one, whatever its
/// node's name: it claims or adopts what the one before it had.
///
/// # Threads
///
/// One thread talks to the servers. All methods may be called, and futures be polled, with or without a
/// runtime. Dropped, it leaves everything as a crash would; [`close`](Journal::close) it for good order.
pub struct JetStream {
    shared: Arc<Shared>,
    /// Dropped, it ends the thread.
    _alive: oneshot::Sender<()>,
}

struct Shared {
    store: Store,
    handle: Handle,
    /// The name of this process among all that ever were.
    process: String,
    messages: AtomicU64,
    operations: Operations,
    presence: Presence,
    takers: Takers,
    /// Logs whose adoption failed half-way: they may be this process' without anybody having been told.
    untold: Mutex<HashSet<DumpName, RandomState>>,
    options: JetStreamOptions,
}

impl JetStream {
    /// Connects, and creates the streams that are not there. Needs no runtime.
    ///
    /// # Errors
    ///
    /// An option cannot be, or the servers cannot be reached, or they refuse.
    pub async fn connect(options: JetStreamOptions) -> Result<Self, ClusterError> {
        const OPERATION: &str = "connect to JetStream";
        options
            .check()
            .map_err(|error| ClusterError::new(OPERATION, error))?;
        let (alive, ended) = oneshot::channel();
        let (connected, answer) = completion();
        thread::Builder::new()
            .name("rtcstats-nats".to_owned())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build();
                let runtime = match runtime {
                    Ok(runtime) => runtime,
                    Err(error) => return connected.complete(Err(failed(error))),
                };
                runtime.block_on(async move {
                    match Shared::connect(options).await {
                        Ok(shared) => {
                            connected.complete(Ok(Arc::clone(&shared)));
                            // It never says anything.
                            let _ = ended.await;
                            shared.takers.forget();
                        }
                        Err(error) => connected.complete(Err(failed(error))),
                    }
                });
                runtime.shutdown_background();
            })
            .map_err(|error| ClusterError::new(OPERATION, error))?;
        let shared = answer.await.unwrap_or_else(|| Err(gone()));
        Ok(Self {
            shared: shared.map_err(|error| ClusterError::new(OPERATION, error))?,
            _alive: alive,
        })
    }

    /// The name of this process: that of the node, and what tells it apart from all others.
    pub fn process(&self) -> &str {
        &self.shared.process
    }

    /// Something for the log `name`, answered later.
    fn submit<T: Send + 'static>(
        &self,
        operation: JournalOperation,
        name: &DumpName,
        make: impl FnOnce(operations::Done<T>) -> Operation,
    ) -> BoxFuture<'_, Result<T, JournalError>> {
        let (done, answer) = completion();
        let submitted = operations::submit(&self.shared, name, make(done)).is_ok();
        Box::pin(async move {
            if !submitted {
                return Err(closed(operation));
            }
            answer.await.unwrap_or_else(|| Err(closed(operation)))
        })
    }

    /// Runs something on the thread of the connection, from now on.
    fn run<T: Send + 'static>(
        &self,
        operation: &'static str,
        future: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, ClusterError>> {
        let answer = self.shared.spawn(future);
        Box::pin(async move {
            let result = answer.await;
            result.map_err(|error| ClusterError::new(operation, error))
        })
    }
}

impl std::fmt::Debug for JetStream {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("JetStream")
            .field("process", &self.shared.process)
            .finish_non_exhaustive()
    }
}

impl Shared {
    async fn connect(
        options: JetStreamOptions,
    ) -> Result<Arc<Self>, Box<dyn std::error::Error + Send + Sync>> {
        let store = Store::connect(&options).await?;
        let process = format!("{}-{}", options.node, uuid::Uuid::new_v4().simple());
        let shared = Arc::new(Self {
            store,
            handle: Handle::current(),
            process,
            messages: AtomicU64::new(0),
            operations: Operations::new(options.queue_bytes),
            presence: Presence::default(),
            takers: Takers::default(),
            untold: Mutex::default(),
            options,
        });
        shared.appear().await?;
        tokio::spawn(presence::stay(Arc::downgrade(&shared)));
        Ok(shared)
    }

    fn untold(&self) -> MutexGuard<'_, HashSet<DumpName, RandomState>> {
        self.untold.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An id that no other message has.
    fn message_id(&self) -> String {
        let number = self.messages.fetch_add(1, Ordering::Relaxed);
        format!("{}-{number}", self.process)
    }

    /// All logs: as the servers know them, but those of this process as it knows them itself.
    async fn list(
        &self,
        answers: Vec<Completion<Option<Known>>>,
    ) -> Result<Vec<JournalEntry>, StoreError> {
        let mut entries: HashMap<DumpName, JournalEntry, RandomState> = HashMap::default();
        let mut known = Vec::new();
        for answer in answers {
            known.extend(answer.await.flatten());
        }
        for entry in self.store.snapshot(&self.store.logs, true).await? {
            let name = self.store.logs.rest(&entry.subject);
            let Some(name) = name.and_then(|name| name.parse::<DumpName>().ok()) else {
                continue;
            };
            let last = Last::of(&entry)?;
            let entry = JournalEntry {
                name: name.clone(),
                finished: last.is_finished(),
                bytes: last.record.whole,
                modified_ms: last.modified_ms,
            };
            entries.insert(name, entry);
        }
        for Known {
            name,
            bytes,
            finished,
            modified_ms,
        } in known
        {
            // Another node may have gone on with it, or completed it; or the server that was asked is
            // behind the others, and whoever believes it appends a second time what is there.
            let Some(entry) = entries.get_mut(&name) else {
                let logs = &self.store.logs;
                let subject = logs.subject(&name.to_string());
                if self.store.last(logs, &subject).await?.is_some() {
                    let entry = JournalEntry {
                        name: name.clone(),
                        finished,
                        bytes,
                        modified_ms,
                    };
                    entries.insert(name, entry);
                }
                continue;
            };
            entry.finished |= finished;
            if bytes > entry.bytes {
                entry.bytes = bytes;
                entry.modified_ms = modified_ms;
            }
        }
        Ok(entries.into_values().collect())
    }

    /// Does something from now on, whether or not somebody waits for the answer.
    fn spawn<T: Send + 'static>(
        &self,
        future: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Answer<T, StoreError> {
        let (done, answer) = completion();
        self.handle
            .spawn(async move { done.complete(future.await) });
        Answer(answer)
    }
}

/// What comes of something that was spawned.
struct Answer<T, E>(Completion<Result<T, E>>);

impl<T> Answer<T, StoreError> {
    /// Blocks until it is there. Whatever it waits for has its own limits of time.
    fn wait(self) -> Result<T, StoreError> {
        crate::future::wait(self.0).unwrap_or_else(|| Err(gone()))
    }
}

impl<T> Future for Answer<T, StoreError> {
    type Output = Result<T, StoreError>;

    fn poll(
        self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        let completion = std::pin::Pin::new(&mut self.get_mut().0);
        let answer = completion.poll(context);
        answer.map(|answer| answer.unwrap_or_else(|| Err(gone())))
    }
}

fn gone() -> StoreError {
    failed("the connection is closed")
}

fn closed(operation: JournalOperation) -> JournalError {
    JournalError::new(operation, None, JournalErrorKind::Closed)
}

fn now_ms() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0.0, |now| now.as_secs_f64() * 1e3)
}

impl Journal for JetStream {
    fn append(&self, batch: Vec<Append>) -> BoxFuture<'_, Result<(), JournalError>> {
        let (done, answer) = completion();
        operations::submit_batch(&self.shared, batch, done);
        Box::pin(async move {
            let closed = || Err(closed(JournalOperation::Append));
            answer.await.unwrap_or_else(closed)
        })
    }

    fn read(
        &self,
        name: &DumpName,
    ) -> BoxFuture<'_, Result<Box<dyn BufRead + Send>, JournalError>> {
        self.submit(JournalOperation::Read, name, Operation::Read)
    }

    fn finish(&self, name: &DumpName) -> BoxFuture<'_, Result<(), JournalError>> {
        self.submit(JournalOperation::Finish, name, Operation::Finish)
    }

    fn remove(&self, name: &DumpName) -> BoxFuture<'_, Result<(), JournalError>> {
        self.submit(JournalOperation::Remove, name, Operation::Remove)
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<JournalEntry>, JournalError>> {
        const OPERATION: JournalOperation = JournalOperation::List;
        let Some(answers) = operations::ask_all(&self.shared) else {
            return Box::pin(std::future::ready(Err(closed(OPERATION))));
        };
        let shared = Arc::clone(&self.shared);
        let answer = self.shared.spawn(async move { shared.list(answers).await });
        Box::pin(async move {
            let entries = answer.await;
            entries.map_err(|error| JournalError::new(OPERATION, None, error.into()))
        })
    }

    fn close(&self) -> BoxFuture<'_, Result<(), JournalError>> {
        if !self.shared.operations.close() {
            return Box::pin(std::future::ready(Ok(())));
        }
        let shared = Arc::clone(&self.shared);
        let answer = self.shared.spawn(async move {
            operations::drain(&shared).await;
            shared.disappear().await?;
            shared.store.flush().await
        });
        Box::pin(async move {
            let closed = answer.await;
            closed.map_err(|error| JournalError::new(JournalOperation::Close, None, error.into()))
        })
    }
}

impl Ownership for JetStream {
    fn claim(&self, session: &SessionId) -> BoxFuture<'_, Result<Claim, ClusterError>> {
        let (shared, session) = (Arc::clone(&self.shared), session.clone());
        self.run("claim a session", async move {
            ownership::claim(&shared, &session).await
        })
    }

    fn end(&self, ended: &EndedSession) -> BoxFuture<'_, Result<(), ClusterError>> {
        let (shared, ended) = (Arc::clone(&self.shared), ended.clone());
        self.run("remember an ended session", async move {
            ownership::end(&shared, &ended).await
        })
    }

    fn release(&self, sessions: &[SessionId]) -> BoxFuture<'_, Result<(), ClusterError>> {
        let (shared, sessions) = (Arc::clone(&self.shared), sessions.to_vec());
        self.run("give sessions back", async move {
            ownership::release(&shared, sessions).await
        })
    }

    fn adopt(
        &self,
        limit: usize,
        is_known: IsKnown,
    ) -> BoxFuture<'_, Result<Vec<DumpName>, ClusterError>> {
        let shared = Arc::clone(&self.shared);
        self.run("adopt sessions", async move {
            adoption::adopt(&shared, limit, is_known).await
        })
    }
}

impl WorkQueue for JetStream {
    fn push(&self, work: &Work) -> BoxFuture<'_, Result<(), ClusterError>> {
        let (shared, work) = (Arc::clone(&self.shared), work.clone());
        self.run(
            "queue work",
            async move { work::push(&shared, &work).await },
        )
    }

    fn take(&self) -> BoxFuture<'_, Result<Task, ClusterError>> {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let task = work::take(&shared).await;
            task.map_err(|error| ClusterError::new("take work", error))
        })
    }
}
