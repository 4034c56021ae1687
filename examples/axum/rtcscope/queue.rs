//! Points on their way to the store: those of many requests are stored at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::point::Point;
use super::refusal::Refusal;
use super::store::{PointStore, StoreError};

/// Requests that wait.
const WAITING: usize = 1_024;

/// Requests that are stored at once.
const AT_ONCE: usize = 256;

/// How long a request waits for its turn and for the store.
const PATIENCE: Duration = Duration::from_secs(15);

/// Ends with the last sender.
pub(crate) struct PointQueue(mpsc::Sender<Waiting>);

struct Waiting {
    points: Vec<Point>,
    reply: oneshot::Sender<Result<(), Arc<StoreError>>>,
}

impl PointQueue {
    pub(crate) fn start(store: Arc<dyn PointStore>) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        tokio::spawn(run(store, receiver));
        Self(sender)
    }

    /// Resolves when the points are stored.
    pub(crate) async fn store(&self, points: Vec<Point>) -> Result<(), Refusal> {
        let (reply, answer) = oneshot::channel();
        let waiting = Waiting { points, reply };
        self.0.try_send(waiting).map_err(|_| Refusal::Busy)?;
        match timeout(PATIENCE, answer).await {
            Ok(Ok(stored)) => Ok(stored?),
            Ok(Err(_)) => Err(StoreError::Ended.into()),
            Err(_) => Err(Refusal::Busy),
        }
    }
}

async fn run(store: Arc<dyn PointStore>, mut receiver: mpsc::Receiver<Waiting>) {
    let mut batch = Vec::new();
    while receiver.recv_many(&mut batch, AT_ONCE).await > 0 {
        let points: Vec<_> = batch
            .iter()
            .flat_map(|waiting| waiting.points.iter().cloned())
            .collect();
        let stored = store.write(&points).await.map_err(Arc::new);
        let has_company = batch.len() > 1;
        for Waiting { points, reply } in batch.drain(..) {
            // What the store does not take keeps no other out.
            let stored = match &stored {
                Err(error) if has_company && is_about_points(error) => {
                    store.write(&points).await.map_err(Arc::new)
                }
                stored => stored.clone(),
            };
            // Who asked may have gone.
            let _ = reply.send(stored);
        }
    }
}

/// Whether other points may do better.
fn is_about_points(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Refused { .. } | StoreError::Sql(sqlx::Error::Database(_))
    )
}
