//! Which processes live: each writes to a bucket whose entries fade.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use async_nats::HeaderMap;
use bytes::Bytes;
use tokio::time::Instant;

use super::Shared;
use super::store::StoreError;

/// When this process was last seen by the servers.
#[derive(Default)]
pub(super) struct Presence(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    /// Since when without a gap.
    since: Option<Instant>,
    last: Option<Instant>,
    /// It said goodbye.
    is_gone: bool,
}

impl Shared {
    /// Says that this process lives.
    pub(super) async fn appear(&self) -> Result<(), StoreError> {
        let subject = self.store.nodes.subject(&self.process);
        let deadline = Instant::now() + self.options.node_timeout / 3;
        let sent = Instant::now();
        let text = Bytes::from_static(b"alive");
        self.store
            .put(&subject, HeaderMap::new(), text, deadline)
            .await?;
        let mut seen = self.presence.lock();
        let in_time = |last: Instant| sent.duration_since(last) < self.options.node_timeout;
        if !seen.last.is_some_and(in_time) {
            seen.since = Some(sent);
        }
        seen.last = Some(sent);
        Ok(())
    }

    pub(super) async fn disappear(&self) -> Result<(), StoreError> {
        self.presence.lock().is_gone = true;
        let subject = self.store.nodes.subject(&self.process);
        self.store.purge(&self.store.nodes, &subject).await
    }

    /// The processes that live; `None` while that cannot be known. After an outage of the servers all
    /// entries have faded, and those who live need time to say so.
    pub(super) async fn living(&self) -> Result<Option<HashSet<String>>, StoreError> {
        let living = self.store.subjects(&self.store.nodes).await?;
        let timeout = self.options.node_timeout;
        let seen = self.presence.lock();
        let is_trusted = seen.since.is_some_and(|since| since.elapsed() >= timeout)
            && seen.last.is_some_and(|last| last.elapsed() < timeout);
        Ok(is_trusted.then(|| living.into_iter().collect()))
    }
}

impl Presence {
    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says again and again that this process lives, until it is closed or dropped.
pub(super) async fn stay(shared: Weak<Shared>) {
    let Some(timeout) = shared.upgrade().map(|shared| shared.options.node_timeout) else {
        return;
    };
    let mut ticks = tokio::time::interval(timeout / 3);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let Some(shared): Option<Arc<Shared>> = shared.upgrade() else {
            return;
        };
        if shared.presence.lock().is_gone {
            return;
        }
        if let Err(error) = shared.appear().await {
            tracing::warn!(%error, "the servers were not told that this node lives");
        }
        if shared.presence.lock().is_gone {
            // The goodbye may have overtaken it.
            let _ = shared.disappear().await;
            return;
        }
    }
}
