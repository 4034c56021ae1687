//! Drives the machines on a tokio runtime: performs their actions, tells them the time.
//!
//! Three kinds of tasks share the work. Each socket's task parses its frames and tells the
//! [`Server`], which decides in microseconds under one lock. One committer gives the accepted lines
//! to the journal, as many at a time as have come meanwhile, and reports what is durable. Extraction
//! threads fold durable lines into features, and complete the sessions that have ended.
//!
//! Bytes that were accepted and are not yet durable are bounded ([`Limits::queue_bytes`]): above it
//! sockets are not read.

mod clock;
mod committer;
mod completion;
mod drain;
mod erasure;
mod extraction;
mod filtered_dump;
mod follow;
mod handover;
mod health;
mod monitor;
mod node;
mod orphans;
mod outbox;
mod recovery;
mod retention;
mod socket;
mod takeover;
mod tasks;
mod turns;
mod upload;
mod whole_log;

use std::collections::{HashMap, HashSet};
use std::io::BufRead;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use foldhash::fast::RandomState;
use rtcstats_features::FeatureSet;
use rtcstats_features::series::SeriesOptions;
use rtcstats_proto::Generation;
use rtcstats_proto::jitsi::SessionId;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use uuid::Uuid;

pub use erasure::{ErasureFailure, ErasureReport, SinkErasure, SinkErasureOutcome, StoreErasure};
pub use follow::{FollowError, Follower};
pub use health::{Degradation, Health, HealthOptions, HealthStatus};
pub use node::{ClusterOptions, Role};
pub use outbox::Outgoing;
pub use recovery::Recovery;
pub use retention::Retention;
pub use socket::Socket;
pub use upload::UploadReceiver;

use crate::{
    Action, Archive, Authorizer, Claims, ConnectionId, Counters, DumpName, FeatureSink, Gauges,
    Handshake, HandshakeOptions, Journal, JournalError, JournalErrorKind, JournalOperation, Limits,
    Privacy, Refusal, Server, SessionFeatures, SessionState, SessionSummary, Timing, Upgrade,
    UploadError,
};
use clock::Clock;
use committer::Commit;
use erasure::Stops;
use extraction::{Extraction, Work};
use filtered_dump::FilteredDump;
use monitor::Monitor;
use node::Node;
use orphans::Orphans;
use outbox::Outbox;
use takeover::TakeoverError;

/// How often the server is told the time; its shortest deadline is 2 s.
const TICK: Duration = Duration::from_millis(100);

/// What a [`Runtime`] is made of.
pub struct RuntimeOptions {
    /// Bounds of what clients may cost.
    pub limits: Limits,
    /// How long the server waits for clients.
    pub timing: Timing,
    /// Who may send. Default everybody.
    pub authorizer: Option<Arc<dyn Authorizer>>,
    /// What becomes of addresses before they are kept. Default nothing.
    pub privacy: Privacy,
    /// What a client is taken for whose subprotocol says nothing; see [`HandshakeOptions::unnamed`].
    pub unnamed: Option<Generation>,
    /// Where lines become durable.
    pub journal: Arc<dyn Journal>,
    /// Who gets the features of sessions that ended.
    pub sinks: Vec<Arc<dyn FeatureSink>>,
    /// Where finished dumps go.
    pub archive: Arc<dyn Archive>,
    /// Threads that extract features. Default 1, which follows tens of thousands of messages a
    /// second.
    pub extraction_threads: usize,
    /// Which features are extracted. Default all sets, which together take a quarter to two thirds
    /// more time than one. Without any, lines are stored and nothing is made of them.
    pub feature_sets: Vec<FeatureSet>,
    /// Whether [time series](rtcstats_features::series) are extracted too, which become the part `series`
    /// of records, and how fine they are. Default none.
    pub series: Option<SeriesOptions>,
    /// `appEnv` of published records. Default `dev`.
    pub environment: String,
    /// When something counts as trouble.
    pub health: HealthOptions,
    /// For how long data is kept. Default for ever.
    pub retention: Retention,
    /// What makes it one of several nodes. Default a single one, which has the journal for itself.
    pub cluster: Option<ClusterOptions>,
}

impl RuntimeOptions {
    /// Options with the default limits and timing, and without sinks.
    pub fn new(journal: Arc<dyn Journal>, archive: Arc<dyn Archive>) -> Self {
        Self {
            limits: Limits::default(),
            timing: Timing::default(),
            authorizer: None,
            privacy: Privacy::default(),
            unnamed: None,
            journal,
            sinks: Vec::new(),
            archive,
            extraction_threads: 1,
            feature_sets: FeatureSet::ALL.to_vec(),
            series: None,
            environment: "dev".to_owned(),
            health: HealthOptions::default(),
            retention: Retention::default(),
            cluster: None,
        }
    }
}

/// A running server without a transport: sockets of any kind are [connected](Runtime::connect) to it.
///
/// Cheap to clone; all clones are the same server.
///
/// When the last clone is dropped the tasks end, at once; [`Runtime::shutdown`] does it in good order.
#[derive(Clone)]
pub struct Runtime(Arc<Running>);

struct Running {
    shared: Arc<Shared>,
    tasks: Mutex<JoinSet<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        {
            let mut state = self.shared.state();
            state.server.close_all(self.shared.clock.now());
            self.shared.dispatch(&mut state);
        }
        self.shared.shutdown.send_replace(true);
        for extraction in &self.shared.extraction {
            extraction.stop();
        }
    }
}

/// What all tasks share.
struct Shared {
    state: Mutex<State>,
    commits: mpsc::UnboundedSender<Commit>,
    extraction: Vec<Extraction>,
    /// Permits for bytes that are accepted and not yet durable.
    queue: Arc<Semaphore>,
    journal: Arc<dyn Journal>,
    sinks: Vec<Arc<dyn FeatureSink>>,
    archive: Arc<dyn Archive>,
    limits: Limits,
    authorizer: Option<Arc<dyn Authorizer>>,
    handshakes: HandshakeOptions,
    feature_sets: Vec<FeatureSet>,
    series: Option<SeriesOptions>,
    environment: String,
    /// Of several nodes only.
    node: Option<Node>,
    clock: Clock,
    monitor: Monitor,
    completing: AtomicU64,
    /// Sessions that were deleted, and are not to be completed.
    stops: Stops,
    /// The same for dumps that are extracted again, by the names that they have in the archive.
    extraction_stops: Stops,
    /// Logs that could not be read at the start.
    unreadable: Mutex<HashSet<DumpName>>,
    /// Turns at uploading.
    uploads: Arc<Semaphore>,
    /// Places for followers.
    followers: Arc<Semaphore>,
    /// Turns at completing sessions.
    completions: Semaphore,
    /// Names under which dumps are being stored.
    storing: Mutex<HashSet<DumpName>>,
    shutdown: watch::Sender<bool>,
}

struct State {
    server: Server,
    outboxes: HashMap<ConnectionId, Outbox, RandomState>,
}

impl Runtime {
    /// Recovers what the journal holds, and starts the tasks on the current tokio runtime.
    ///
    /// Sessions that were not ended are resumable from here on; dumps that were ended are
    /// completed. What was found is in the second value. One of several nodes begins with what nobody
    /// else has.
    ///
    /// # Errors
    ///
    /// If the journal cannot be read, or the store of the nodes.
    pub async fn start(options: RuntimeOptions) -> Result<(Self, Recovery), JournalError> {
        let (commits, commit_queue) = mpsc::unbounded_channel();
        let (shutdown, _) = watch::channel(false);
        let threads = options.extraction_threads.max(1);
        let (extraction, work): (Vec<_>, Vec<_>) = (0..threads).map(|_| Extraction::new()).unzip();
        let server = Server::new(options.limits, options.timing);
        let mut handshakes = HandshakeOptions::new(options.limits);
        handshakes.unnamed = options.unnamed;
        handshakes.privacy = options.privacy;
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                server,
                outboxes: HashMap::default(),
            }),
            commits,
            extraction,
            queue: Arc::new(Semaphore::new(
                options.limits.queue_bytes.min(Semaphore::MAX_PERMITS),
            )),
            journal: options.journal,
            sinks: options.sinks,
            archive: options.archive,
            limits: options.limits,
            authorizer: options.authorizer,
            handshakes,
            feature_sets: options.feature_sets,
            series: options.series,
            environment: options.environment,
            node: options.cluster.map(Node::new),
            clock: Clock::start(),
            monitor: Monitor::new(options.health),
            completing: AtomicU64::new(0),
            stops: Stops::default(),
            extraction_stops: Stops::default(),
            unreadable: Mutex::default(),
            uploads: Arc::new(Semaphore::new(
                options.limits.uploads.min(Semaphore::MAX_PERMITS),
            )),
            followers: Arc::new(Semaphore::new(
                options.limits.followers.min(Semaphore::MAX_PERMITS),
            )),
            completions: Semaphore::new(completion::AT_ONCE),
            storing: Mutex::default(),
            shutdown,
        });

        let mut tasks = JoinSet::new();
        for work in work {
            let done = extraction::spawn(Arc::clone(&shared), work).map_err(no_thread)?;
            tasks.spawn(async {
                // Its end is the end of the thread.
                let _ = done.await;
            });
        }
        let mut orphans = Orphans::default();
        let recovery = match &shared.node {
            None => recovery::recover(&shared).await?,
            Some(node) => orphans::sweep(&shared, node, &mut orphans)
                .await
                .map_err(not_adopted)?,
        };
        tasks.spawn(committer::run(Arc::clone(&shared), commit_queue));
        tasks.spawn(tick(Arc::clone(&shared)));
        tasks.spawn(monitor::watch(Arc::clone(&shared)));
        if options.retention.is_limited() {
            tasks.spawn(retention::run(Arc::clone(&shared), options.retention));
        }
        if let Some(node) = &shared.node {
            tasks.spawn(orphans::run(Arc::clone(&shared), orphans));
            let workers = node.options.tasks.max(1);
            let workers = if node.options.role.takes_tasks() {
                workers
            } else {
                0
            };
            for _ in 0..workers {
                tasks.spawn(tasks::run(Arc::clone(&shared)));
            }
        }
        let running = Running {
            shared,
            tasks: Mutex::new(tasks),
        };
        Ok((Self(Arc::new(running)), recovery))
    }

    /// Reads an upgrade request, and checks its token if the server wants one; what to echo in the
    /// response is in the handshake.
    ///
    /// # Errors
    ///
    /// If it is refused: complete the upgrade and close the socket with this code and reason.
    pub fn handshake(&self, upgrade: &Upgrade) -> Result<Handshake, Refusal> {
        let shared = &self.0.shared;
        let claims = shared.authorize(upgrade)?;
        let handshake = Handshake::with_options(upgrade, &shared.handshakes).map_err(|error| {
            shared.state().server.counters_mut().connection_errors += 1;
            Refusal::from(error)
        })?;
        Ok(handshake
            .identified(Uuid::new_v4().as_u128())
            .authorized(claims))
    }

    /// Connects a socket whose upgrade is complete. Of several nodes, it waits until the session that the
    /// handshake names is this one's; a single node does not wait.
    ///
    /// # Errors
    ///
    /// If it must be closed at once, with this code and reason.
    pub async fn connect(&self, handshake: &Handshake) -> Result<Socket, Refusal> {
        Socket::open(&self.0.shared, handshake).await
    }

    /// Begins an upload, whose request is like an upgrade (of which target and `Authorization` count)
    /// with a `Content-Type`.
    ///
    /// # Errors
    ///
    /// If it is refused, whatever the body.
    pub fn upload(
        &self,
        request: &Upgrade,
        content_type: Option<&str>,
    ) -> Result<UploadReceiver, UploadError> {
        UploadReceiver::open(&self.0.shared, request, content_type)
    }

    /// The sessions that are not ended, in the order of their names; of several nodes, this one's.
    pub fn sessions(&self) -> Vec<SessionSummary> {
        let state = self.0.shared.state();
        let mut sessions: Vec<_> = state.server.sessions().collect();
        drop(state);
        sessions.sort_by(|one, other| one.name.cmp(&other.name));
        sessions
    }

    /// A session that is not ended; of several nodes, if it is this one's.
    pub fn session(&self, id: &SessionId) -> Option<SessionSummary> {
        self.0.shared.state().server.session(id)
    }

    /// The features of a session as of its last durable line; `None` if no such session is open.
    pub async fn snapshot(&self, name: &DumpName) -> Option<SessionFeatures> {
        self.0.shared.state().server.session_by_name(name)?;
        let (reply, answer) = oneshot::channel();
        let work = Work::Snapshot {
            name: name.clone(),
            reply,
        };
        self.0.shared.extraction_of(name)?.send(work).await;
        answer.await.ok().flatten()
    }

    /// The dump of a session that is not yet archived, so far; filtered as it will be in the archive.
    ///
    /// # Errors
    ///
    /// Those of the journal; [`JournalErrorKind::UnknownLog`] if it has no such dump.
    pub async fn open_dump(
        &self,
        name: &DumpName,
    ) -> Result<Box<dyn BufRead + Send>, JournalError> {
        let shared = &self.0.shared;
        let log = shared.journal.read(name).await?;
        Ok(FilteredDump::wrap(
            log,
            &shared.handshakes.privacy,
            shared.limits.message,
        ))
    }

    /// The journal. Its logs have addresses as clients send them, unless they are masked
    /// [before](crate::Obfuscation::BeforeJournal); to show a dump see [`Runtime::open_dump`].
    pub fn journal(&self) -> &Arc<dyn Journal> {
        &self.0.shared.journal
    }

    /// The archive of finished dumps.
    pub fn archive(&self) -> &Arc<dyn Archive> {
        &self.0.shared.archive
    }

    /// Counters and gauges.
    pub async fn metrics(&self) -> (Counters, Gauges) {
        let entries = self.0.shared.journal.list().await.unwrap_or_default();
        let state = self.0.shared.state();
        let is_live = |session: &SessionSummary| session.state == SessionState::Live;
        let sessions = state.server.sessions().count() as u64;
        let live = state.server.sessions().filter(is_live).count() as u64;
        let gauges = Gauges {
            connections: state.server.connections() as u64,
            live_sessions: live,
            resumable_sessions: sessions - live,
            queue_size: self.0.shared.completing.load(Ordering::Relaxed),
            journal_bytes: entries.iter().map(|entry| entry.bytes).sum(),
            journal_healthy: self.is_healthy(),
            owned_sessions: self
                .0
                .shared
                .node
                .as_ref()
                .map_or(0, |_| sessions + state.server.ending() as u64),
            running_tasks: self
                .0
                .shared
                .node
                .as_ref()
                .map_or(0, |node| node.running_tasks.load(Ordering::Relaxed)),
        };
        (state.server.counters().clone(), gauges)
    }

    /// Whether the journal took the last lines it was given.
    pub fn is_healthy(&self) -> bool {
        self.0.shared.monitor.journal_works()
    }

    /// Whether new clients should come here, and what is not as it should be.
    pub fn health(&self) -> Health {
        self.0.shared.health()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Whether the sender may send, and what its token says of it.
    fn authorize(&self, upgrade: &Upgrade) -> Result<Claims, Refusal> {
        let Some(authorizer) = &self.authorizer else {
            return Ok(Claims::default());
        };
        let now = self.clock.now().unix_ms;
        authorizer
            .authorize(upgrade.token().as_deref(), now)
            .map_err(|error| {
                let mut state = self.state();
                state.server.counters_mut().connection_errors += 1;
                state.server.counters_mut().unauthorized += 1;
                tracing::debug!(%error, "not authorized");
                error.into()
            })
    }

    /// Performs the server's actions. Called under the lock that decided on them, so that they
    /// keep their order.
    fn dispatch(&self, state: &mut State) {
        while let Some(action) = state.server.poll_action() {
            match action {
                Action::Send { connection, text } => {
                    let limit = self.limits.outgoing_frames.max(1);
                    let outbox = state.outboxes.get(&connection);
                    if outbox.is_some_and(|outbox| !outbox.send(text, limit)) {
                        state.server.too_slow(connection);
                    }
                }
                Action::Close { connection, reason } => {
                    if let Some(outbox) = state.outboxes.remove(&connection) {
                        outbox.close(reason);
                    }
                }
                Action::Append {
                    name,
                    offset,
                    line,
                    sequence_number,
                } => {
                    self.commit(Commit::Append {
                        name,
                        offset,
                        line,
                        sequence_number,
                    });
                }
                Action::Finish {
                    name,
                    reason,
                    facts,
                    bytes,
                } => {
                    tracing::info!(session = %name, ?reason, "session ended");
                    let node = self.node.as_ref();
                    let turn = node.map(|node| node.turns.join(name.session_id()));
                    let is_resumable = state.server.ended(&name).is_some();
                    self.commit(Commit::Finish {
                        name,
                        facts: Box::new(facts),
                        bytes,
                        reply: None,
                        is_resumable,
                        turn,
                    });
                }
            }
        }
    }

    fn commit(&self, commit: Commit) {
        // Fails only when the committer has stopped: then nothing is acknowledged any more.
        let _ = self.commits.send(commit);
    }

    fn extraction_of(&self, name: &DumpName) -> Option<&Extraction> {
        self.extraction.get(self.extraction_index(name))
    }

    /// Which of the threads has a session.
    fn extraction_index(&self, name: &DumpName) -> usize {
        use std::hash::BuildHasher;
        let hash = foldhash::fast::FixedState::default().hash_one(name);
        usize::try_from(hash).unwrap_or_default() % self.extraction.len().max(1)
    }
}

/// Tells the server the time, often enough for its shortest deadline.
async fn tick(shared: Arc<Shared>) {
    let mut shutdown = shared.shutdown.subscribe();
    loop {
        tokio::select! {
            () = tokio::time::sleep(TICK) => {}
            _ = shutdown.wait_for(|stop| *stop) => return,
        }
        let mut state = shared.state();
        state.server.timeout(shared.clock.now());
        shared.dispatch(&mut state);
    }
}

fn not_adopted(error: TakeoverError) -> JournalError {
    match error {
        TakeoverError::Journal(error) => error,
        error => JournalError::new(
            JournalOperation::Open,
            None,
            JournalErrorKind::Store(error.into()),
        ),
    }
}

fn no_thread(error: std::io::Error) -> JournalError {
    JournalError::new(
        JournalOperation::Open,
        None,
        JournalErrorKind::Store(error.into()),
    )
}

/// A panic while the lock was held would be a bug of ours; the state is still consistent enough to
/// go on, and every other session depends on it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
