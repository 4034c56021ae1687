//! The end of a runtime in good order.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use super::committer::Commit;
use super::node::Node;
use super::{Runtime, Shared, TICK, lock};
use crate::JournalError;

impl Runtime {
    /// Whether it takes new connections: the journal works, and nobody has begun to stop it.
    pub fn is_ready(&self) -> bool {
        self.is_healthy() && !self.0.shared.state().server.is_closing()
    }

    /// Stops, so that clients go on at other nodes and notice little: takes no more sockets, uploads and
    /// tasks; closes the sockets with 1001, one after another
    /// ([`ClusterOptions::drain_spread`](super::ClusterOptions::drain_spread)); makes durable what was
    /// accepted; gives its sessions back, for the others to adopt; waits, as long as there is time left,
    /// for tasks and uploads that it has begun; closes the journal. What is not done within `patience` the
    /// others do. Of a single node it is [`shutdown`](Self::shutdown).
    ///
    /// # Errors
    ///
    /// If the journal could not be closed in good order.
    pub async fn drain(&self, patience: Duration) -> Result<(), JournalError> {
        let node = self.0.shared.node.as_ref();
        let spread = node.map_or(Duration::ZERO, |node| node.options.drain_spread);
        self.end(spread, patience).await
    }

    /// Stops: closes every socket with 1001, makes durable what was accepted, waits (at most
    /// `patience`) for the dumps being completed, closes the journal. Sessions stay resumable; of several
    /// nodes, by the others, as after [`drain`](Self::drain).
    ///
    /// # Errors
    ///
    /// If the journal could not be closed in good order.
    pub async fn shutdown(&self, patience: Duration) -> Result<(), JournalError> {
        self.end(Duration::ZERO, patience).await
    }

    async fn end(&self, spread: Duration, patience: Duration) -> Result<(), JournalError> {
        let shared = &self.0.shared;
        let deadline = Instant::now() + patience;
        shared.monitor.drain();
        shared.state().server.close_door();
        if let Some(node) = &shared.node {
            node.draining.send_replace(true);
            shared.close_sockets(spread.min(patience)).await;
        }
        {
            let mut state = shared.state();
            state.server.close_all(shared.clock.now());
            shared.dispatch(&mut state);
        }
        if let Some(node) = &shared.node {
            if timeout_at(deadline, settled(shared, node)).await.is_err() {
                tracing::warn!("not everything that was accepted is durable, or handed over");
            }
            release(shared, node).await;
            let idle = async {
                while node.running_tasks.load(Ordering::Relaxed) > 0 || shared.is_uploading() {
                    sleep(TICK).await;
                }
            };
            tokio::select! {
                () = idle => {}
                () = sleep_until(deadline) => {}
            }
        }
        self.stop(deadline).await
    }

    /// Ends the tasks.
    async fn stop(&self, deadline: Instant) -> Result<(), JournalError> {
        let shared = &self.0.shared;
        shared.commit(Commit::Stop);
        shared.shutdown.send_replace(true);
        let mut tasks = std::mem::take(&mut *lock(&self.0.tasks));
        let finished = async {
            while tasks.join_next().await.is_some() {}
            while shared.completing.load(Ordering::Relaxed) > 0 {
                sleep(TICK).await;
            }
        };
        if timeout_at(deadline, finished).await.is_err() {
            tracing::warn!("not every session that ended was completed; the next start goes on");
        }
        tasks.detach_all();
        shared.journal.close().await
    }
}

impl Shared {
    /// Closes all sockets, evenly over this time.
    async fn close_sockets(self: &Arc<Self>, spread: Duration) {
        const STEP: Duration = Duration::from_millis(50);
        let steps = usize::try_from(spread.as_millis() / STEP.as_millis()).unwrap_or(usize::MAX);
        let connections = self.state().server.connections();
        let at_once = connections.div_ceil(steps.max(1)).max(1);
        for _ in 0..steps {
            let is_more = {
                let mut state = self.state();
                let is_more = state.server.close_some(self.clock.now(), at_once);
                self.dispatch(&mut state);
                is_more
            };
            if !is_more {
                return;
            }
            sleep(STEP).await;
        }
    }

    fn is_uploading(&self) -> bool {
        self.uploads.available_permits() < self.limits.uploads
    }
}

/// Waits until all that was accepted is durable, and all sessions that ended are in other hands.
async fn settled(shared: &Shared, node: &Node) {
    let (reply, done) = oneshot::channel();
    shared.commit(Commit::Barrier { reply });
    // Dropped where the committer has ended.
    let _ = done.await;
    node.turns.all_over().await;
}

/// Gives the sessions back. Where that fails, the others notice in time that this node is gone.
async fn release(shared: &Shared, node: &Node) {
    const AT_ONCE: usize = 100;
    const PATIENCE: Duration = Duration::from_secs(5);
    let sessions = shared.state().server.leave_all();
    let giving_back = async {
        for sessions in sessions.chunks(AT_ONCE) {
            node.options.ownership.release(sessions).await?;
        }
        Ok::<_, crate::ClusterError>(())
    };
    match timeout(PATIENCE, giving_back).await {
        Ok(Ok(())) => tracing::info!(sessions = sessions.len(), "sessions given back"),
        Ok(Err(error)) => tracing::warn!(%error, "sessions are not given back"),
        Err(_) => tracing::warn!("sessions are not given back in time"),
    }
}
