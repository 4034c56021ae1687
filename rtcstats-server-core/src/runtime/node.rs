//! The runtime as one of several nodes.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use foldhash::fast::RandomState;
use rtcstats_proto::jitsi::SessionId;
use tokio::sync::{Semaphore, watch};
use uuid::Uuid;

use super::lock;
use super::turns::Turns;
use crate::{Ownership, WorkQueue};

/// What makes a [`Runtime`](super::Runtime) one of several nodes over one store.
///
/// Its journal, ownership and queue belong to the same store, where this process has a name that no other
/// process has or had.
#[non_exhaustive]
pub struct ClusterOptions {
    /// Whose the sessions of the journal are.
    pub ownership: Arc<dyn Ownership>,
    /// Where sessions that ended wait for a worker.
    pub queue: Arc<dyn WorkQueue>,
    /// What this node does. Default everything.
    pub role: Role,
    /// Tasks that its worker does at once. Default 2: extraction takes a core, publishing waits.
    pub tasks: usize,
    /// How often logs are looked for that nobody has; each time a fifth more or less. Default 5 s.
    pub orphan_interval: Duration,
    /// Logs adopted at a time. Default 100.
    pub adopted_at_once: usize,
    /// How long a socket waits for its session to be taken over before it is refused. Default 10 s.
    pub claim_patience: Duration,
    /// How long [`drain`](super::Runtime::drain) takes for closing its sockets. Default 5 s: a thousand
    /// clients a second for others, of five thousand.
    pub drain_spread: Duration,
    /// What tells the intervals of this node from those of the others. Default random.
    pub seed: u64,
}

/// What a node does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// It takes sockets and uploads, and leaves sessions that ended to others. Uploads are completed here
    /// all the same: whoever sent one waits for its record.
    Ingest,
    /// It completes sessions that ended, and refuses sockets. What nobody has it adopts like the others,
    /// and keeps until its client is claimed from it or stays away.
    Extract,
    /// Both.
    #[default]
    Both,
}

impl Role {
    /// Whether it takes sockets.
    pub fn takes_sockets(self) -> bool {
        self != Self::Extract
    }

    /// Whether it takes tasks.
    pub fn takes_tasks(self) -> bool {
        self != Self::Ingest
    }
}

impl ClusterOptions {
    /// Options with the defaults.
    pub fn new(ownership: Arc<dyn Ownership>, queue: Arc<dyn WorkQueue>) -> Self {
        Self {
            ownership,
            queue,
            role: Role::default(),
            tasks: 2,
            orphan_interval: Duration::from_secs(5),
            adopted_at_once: 100,
            claim_patience: Duration::from_secs(10),
            drain_spread: Duration::from_secs(5),
            seed: Uuid::new_v4().as_u64_pair().0,
        }
    }
}

/// What the tasks of a node share, besides what every runtime has.
pub(super) struct Node {
    pub(super) options: ClusterOptions,
    /// Turns at sessions that change hands: they are claimed, adopted, or ended.
    pub(super) turns: Arc<Turns>,
    /// Sessions that open sockets name, and how many of them.
    named: Arc<Mutex<HashMap<SessionId, usize, RandomState>>>,
    /// Held while logs are being adopted.
    pub(super) adopting: tokio::sync::Mutex<()>,
    /// Turns at reading logs of sessions that are taken over.
    pub(super) reads: Semaphore,
    /// Turns at handing over sessions that ended.
    pub(super) handovers: Semaphore,
    pub(super) running_tasks: AtomicU64,
    /// Nothing more is begun here.
    pub(super) draining: watch::Sender<bool>,
}

/// A socket that names a session, for as long as it is open.
pub(super) struct Named {
    all: Arc<Mutex<HashMap<SessionId, usize, RandomState>>>,
    id: SessionId,
}

impl Node {
    pub(super) fn new(options: ClusterOptions) -> Self {
        /// Logs read at a time: a wave of clients that come from another node must not take all memory.
        const READS: usize = 8;
        /// Enough to hide the waiting for the store.
        const HANDOVERS: usize = 64;
        Self {
            options,
            turns: Arc::default(),
            named: Arc::default(),
            adopting: tokio::sync::Mutex::default(),
            reads: Semaphore::new(READS),
            handovers: Semaphore::new(HANDOVERS),
            running_tasks: AtomicU64::new(0),
            draining: watch::channel(false).0,
        }
    }

    pub(super) fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    /// Notes that a socket names a session.
    pub(super) fn name(&self, id: &SessionId) -> Named {
        *lock(&self.named).entry(id.clone()).or_default() += 1;
        Named {
            all: Arc::clone(&self.named),
            id: id.clone(),
        }
    }

    /// Whether an open socket names the session.
    pub(super) fn is_named(&self, id: &SessionId) -> bool {
        lock(&self.named).contains_key(id)
    }
}

impl Named {
    pub(super) fn id(&self) -> &SessionId {
        &self.id
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        let mut all = lock(&self.all);
        if let Some(count) = all.get_mut(&self.id) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                all.remove(&self.id);
            }
        }
    }
}
