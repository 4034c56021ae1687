//! A queue whose workers must not be silent for long, and a sink that takes longer than that.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rtcstats_server_core::{
    BoxFuture, ClusterError, FeatureSink, MemoryNode, SessionRecord, SinkError, Task, TaskLease,
    Work, WorkQueue,
};

/// How often workers said that they are still at it.
pub(crate) type Extensions = Arc<AtomicUsize>;

pub(crate) struct ImpatientQueue {
    pub(crate) inner: MemoryNode,
    pub(crate) extensions: Extensions,
}

impl WorkQueue for ImpatientQueue {
    fn push(&self, work: &Work) -> BoxFuture<'_, Result<(), ClusterError>> {
        self.inner.push(work)
    }

    fn take(&self) -> BoxFuture<'_, Result<Task, ClusterError>> {
        Box::pin(async {
            let mut task = self.inner.take().await?;
            task.lease = Box::new(ShortLease {
                inner: task.lease,
                extensions: Arc::clone(&self.extensions),
            });
            Ok(task)
        })
    }
}

struct ShortLease {
    inner: Box<dyn TaskLease>,
    extensions: Extensions,
}

impl TaskLease for ShortLease {
    fn patience(&self) -> Duration {
        Duration::from_millis(60)
    }

    fn extend(&self) -> BoxFuture<'_, Result<(), ClusterError>> {
        self.extensions.fetch_add(1, Ordering::SeqCst);
        self.inner.extend()
    }

    fn done(&self) -> BoxFuture<'_, Result<(), ClusterError>> {
        self.inner.done()
    }

    fn failed(&self, reason: &str) -> BoxFuture<'_, Result<(), ClusterError>> {
        self.inner.failed(reason)
    }
}

/// Takes as long as so many extensions do.
pub(crate) struct SlowSink {
    pub(crate) extensions: Extensions,
    pub(crate) wanted: usize,
}

impl FeatureSink for SlowSink {
    fn publish(&self, _: &SessionRecord) -> BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(async {
            // Whoever runs the test gives up waiting for what follows.
            while self.extensions.load(Ordering::SeqCst) < self.wanted {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Ok(())
        })
    }

    fn name(&self) -> &'static str {
        "slow"
    }
}
