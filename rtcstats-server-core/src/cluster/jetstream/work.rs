//! What waits for workers.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::AckKind;
use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::store::{Published, StoreError, failed, retry};
use super::{Shared, gone};
use crate::cluster::{ClusterError, Task, TaskLease, Work};
use crate::{BoxFuture, DumpName, SessionFacts};

/// Who waits for work in this process.
#[derive(Default)]
pub(super) struct Takers(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    takers: VecDeque<oneshot::Sender<Result<Delivered, StoreError>>>,
    /// Something asks the servers for them.
    is_pulling: bool,
    /// Tasks that came when nobody waited any more, with numbers to tell them apart.
    spare: VecDeque<(u64, Delivered)>,
    number: u64,
}

impl Takers {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets go of what nobody took. It is given out again after the time of a lost worker.
    pub(super) fn forget(&self) {
        let spare = std::mem::take(&mut self.lock().spare);
        for (_, delivered) in spare {
            delivered.keep();
        }
    }

    /// Gives a task to somebody who waits, or keeps it for a moment: who gave up waiting often begins again.
    fn offer(&self, delivered: Delivered) {
        const MOMENT: Duration = Duration::from_secs(1);
        let Some((work, lease)) = delivered.keep() else {
            return;
        };
        let shared = Arc::clone(&lease.shared);
        let mut delivered = Delivered(Some((work, lease)));
        loop {
            let taker = self.lock().takers.pop_front();
            let Some(taker) = taker else {
                break;
            };
            match taker.send(Ok(delivered)) {
                Ok(()) => return,
                Err(Ok(returned)) => delivered = returned,
                Err(Err(_)) => return,
            }
        }
        let moment = MOMENT.min(shared.options.task_timeout / 4);
        let number = {
            let mut waiting = self.lock();
            waiting.number += 1;
            let number = waiting.number;
            waiting.spare.push_back((number, delivered));
            number
        };
        let handle = shared.handle.clone();
        handle.spawn(async move {
            tokio::time::sleep(moment).await;
            let spare = shared.takers.lock().take_spare(number);
            if let Some((_, lease)) = spare.and_then(Delivered::keep) {
                // If that fails, it is given out again after the time of a lost worker.
                let _ = lease.message.ack_with(AckKind::Nak(None)).await;
            }
        });
    }
}

impl Waiting {
    fn take_spare(&mut self, number: u64) -> Option<Delivered> {
        let place = self.spare.iter().position(|(other, _)| *other == number)?;
        self.spare.remove(place).map(|(_, delivered)| delivered)
    }
}

/// What the queue holds for a worker; the rest is in the subject.
#[derive(Serialize, Deserialize)]
struct Text {
    #[serde(skip_serializing_if = "Option::is_none")]
    facts: Option<Box<SessionFacts>>,
    #[serde(default)]
    bytes: u64,
}

const CONSUMER: &str = "workers";
const REASON: &str = "Rtcstats-Reason";
const ATTEMPTS: &str = "Rtcstats-Attempts";

pub(super) async fn push(shared: &Shared, work: &Work) -> Result<(), StoreError> {
    if shared.operations.is_closed() {
        return Err(gone());
    }
    let (rest, text) = match work {
        Work::Complete { name, facts, bytes } => (
            format!("complete.{name}"),
            Text {
                facts: Some(facts.clone()),
                bytes: *bytes,
            },
        ),
        Work::Extract { name } => (
            format!("extract.{name}"),
            Text {
                facts: None,
                bytes: 0,
            },
        ),
    };
    let text = serde_json::to_vec(&text).map_err(failed)?;
    let stream = &shared.store.work;
    // If there is a message, the same work waits already, or somebody is at it.
    let published = shared
        .store
        .publish(
            stream,
            &stream.subject(&rest),
            HeaderMap::new(),
            text.into(),
            0,
            &shared.message_id(),
        )
        .await?;
    if let Published::Stored(_) = published {
        let dead = &shared.store.dead;
        shared.store.purge(dead, &dead.subject(&rest)).await?;
    }
    Ok(())
}

pub(super) async fn take(shared: &Arc<Shared>) -> Result<Task, StoreError> {
    if shared.operations.is_closed() {
        return Err(gone());
    }
    let (sender, receiver) = oneshot::channel();
    {
        let mut waiting = shared.takers.lock();
        if let Some((_, delivered)) = waiting.spare.pop_front() {
            drop(waiting);
            return delivered.into_task().ok_or_else(gone);
        }
        waiting.takers.push_back(sender);
        if !std::mem::replace(&mut waiting.is_pulling, true) {
            let pulling = Arc::clone(shared);
            shared.handle.spawn(async move { pull(&pulling).await });
        }
    }
    let delivered = receiver.await.map_err(|_| gone())??;
    delivered.into_task().ok_or_else(gone)
}

/// Asks the servers for work as long as somebody in this process waits for it.
async fn pull(shared: &Arc<Shared>) {
    const PAUSE: Duration = Duration::from_millis(100);
    let mut consumer = None;
    let mut give_up_at = None;
    loop {
        {
            let mut waiting = shared.takers.lock();
            waiting.takers.retain(|taker| !taker.is_closed());
            if waiting.takers.is_empty() {
                waiting.is_pulling = false;
                return;
            }
        }
        let pulled = pull_once(shared, &mut consumer).await;
        let delivered = match pulled {
            Ok(Some(delivered)) => Ok(delivered),
            Ok(None) => {
                give_up_at = None;
                continue;
            }
            Err(error) => {
                consumer = None;
                // Nobody answers while the servers choose who is to lead, also of a consumer that is new.
                let deadline = *give_up_at.get_or_insert_with(|| shared.store.deadline());
                if Instant::now() < deadline {
                    tracing::debug!(%error, "asking for work again");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
                Err(error)
            }
        };
        give_up_at = None;
        match delivered {
            Ok(delivered) => shared.takers.offer(delivered),
            Err(error) => {
                let taker = shared.takers.lock().takers.pop_front();
                // One that has given up is not interested.
                let _ = taker.map(|taker| taker.send(Err(error)));
            }
        }
    }
}

async fn pull_once(
    shared: &Arc<Shared>,
    consumer: &mut Option<PullConsumer>,
) -> Result<Option<Delivered>, StoreError> {
    /// The servers hold a request this long; then they are asked again, whether they are there or not.
    const HOLD: Duration = Duration::from_secs(5);
    let consumer = match consumer {
        Some(consumer) => consumer,
        None => consumer.insert(open_consumer(shared).await?),
    };
    let batch = consumer.batch().max_messages(1).expires(HOLD).messages();
    let mut batch = batch.await.map_err(failed)?;
    let message = tokio::time::timeout(HOLD + shared.store.timeout(), batch.next()).await;
    let Some(message) = message.ok().flatten().transpose().map_err(failed)? else {
        return Ok(None);
    };
    let attempt = message.info().map_err(failed)?.delivered;
    let attempt = u32::try_from(attempt).unwrap_or(u32::MAX);
    let rest = shared.store.work.rest(&message.subject);
    let work = rest.and_then(|rest| read(rest, &message.payload));
    let lease = Lease {
        rest: rest.unwrap_or_default().to_owned(),
        shared: Arc::clone(shared),
        message: Arc::new(message),
        attempt,
    };
    let Some(work) = work else {
        put_aside(&lease, "it cannot be read").await?;
        return Ok(None);
    };
    if attempt > shared.options.attempts {
        put_aside(&lease, "worker lost").await?;
        return Ok(None);
    }
    Ok(Some(Delivered(Some((work, lease)))))
}

async fn open_consumer(shared: &Shared) -> Result<PullConsumer, StoreError> {
    let config = pull::Config {
        durable_name: Some(CONSUMER.to_owned()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: shared.options.task_timeout,
        // Attempts are counted here, so that none is lost without a reason.
        max_deliver: -1,
        max_ack_pending: 10_000,
        ..pull::Config::default()
    };
    retry(shared.store.deadline(), || async {
        let stream = &shared.store.work.stream;
        stream
            .get_or_create_consumer(CONSUMER, config.clone())
            .await
    })
    .await
    .map_err(failed)
}

fn read(rest: &str, text: &[u8]) -> Option<Work> {
    let (kind, name) = rest.split_once('.')?;
    let name: DumpName = name.parse().ok()?;
    let text: Text = serde_json::from_slice(text).ok()?;
    match kind {
        "complete" => Some(Work::Complete {
            name,
            facts: text.facts?,
            bytes: text.bytes,
        }),
        "extract" => Some(Work::Extract { name }),
        _ => None,
    }
}

/// A task that nobody has yet. Dropped, it is offered to others.
struct Delivered(Option<(Work, Lease)>);

impl Delivered {
    fn keep(mut self) -> Option<(Work, Lease)> {
        self.0.take()
    }

    fn into_task(self) -> Option<Task> {
        let (work, lease) = self.keep()?;
        Some(Task {
            work,
            attempt: lease.attempt,
            lease: Box::new(lease),
        })
    }
}

impl Drop for Delivered {
    fn drop(&mut self) {
        if let Some((work, lease)) = self.0.take() {
            let shared = Arc::clone(&lease.shared);
            shared.takers.offer(Self(Some((work, lease))));
        }
    }
}

struct Lease {
    /// What follows the prefix in the subject.
    rest: String,
    shared: Arc<Shared>,
    message: Arc<Message>,
    attempt: u32,
}

/// Puts work aside, and takes it out of the queue then.
async fn put_aside(lease: &Lease, reason: &str) -> Result<(), StoreError> {
    tracing::warn!(work = lease.rest, reason, "work is put aside");
    let store = &lease.shared.store;
    let mut headers = HeaderMap::new();
    headers.insert(REASON, one_line(reason));
    headers.insert(ATTEMPTS, lease.attempt.to_string());
    let subject = store.dead.subject(&lease.rest);
    let payload = lease.message.payload.clone();
    store
        .put(&subject, headers, payload, store.deadline())
        .await?;
    tell(&lease.shared, &lease.message, AckKind::Term).await
}

/// A header is one line of text, and not too long.
fn one_line(reason: &str) -> String {
    const LENGTH: usize = 1_000;
    let printable = |character: char| {
        if character.is_control() {
            ' '
        } else {
            character
        }
    };
    reason.chars().take(LENGTH).map(printable).collect()
}

/// Tells the servers what became of a task, and waits until they know.
async fn tell(shared: &Shared, message: &Message, kind: AckKind) -> Result<(), StoreError> {
    retry(shared.store.deadline(), || async {
        message.double_ack_with(kind).await
    })
    .await
    .map_err(failed)
}

impl Lease {
    fn run(
        &self,
        operation: &'static str,
        future: impl Future<Output = Result<(), StoreError>> + Send + 'static,
    ) -> BoxFuture<'_, Result<(), ClusterError>> {
        let answer = self.shared.spawn(future);
        Box::pin(async move {
            let result = answer.await;
            result.map_err(|error| ClusterError::new(operation, error))
        })
    }

    fn tell(
        &self,
        operation: &'static str,
        kind: AckKind,
    ) -> BoxFuture<'_, Result<(), ClusterError>> {
        let (shared, message) = (Arc::clone(&self.shared), Arc::clone(&self.message));
        self.run(
            operation,
            async move { tell(&shared, &message, kind).await },
        )
    }
}

impl TaskLease for Lease {
    fn patience(&self) -> Duration {
        self.shared.options.task_timeout
    }

    fn extend(&self) -> BoxFuture<'_, Result<(), ClusterError>> {
        self.tell("keep a task", AckKind::Progress)
    }

    fn done(&self) -> BoxFuture<'_, Result<(), ClusterError>> {
        self.tell("complete a task", AckKind::Ack)
    }

    fn failed(&self, reason: &str) -> BoxFuture<'_, Result<(), ClusterError>> {
        const LONGEST: Duration = Duration::from_secs(60);
        const OPERATION: &str = "give a task back";
        let options = &self.shared.options;
        if self.attempt < options.attempts {
            let doublings = self.attempt.saturating_sub(1).min(16);
            let pause = options.retry_pause.saturating_mul(1 << doublings);
            return self.tell(OPERATION, AckKind::Nak(Some(pause.min(LONGEST))));
        }
        let lease = Self {
            rest: self.rest.clone(),
            shared: Arc::clone(&self.shared),
            message: Arc::clone(&self.message),
            attempt: self.attempt,
        };
        let reason = reason.to_owned();
        self.run(OPERATION, async move { put_aside(&lease, &reason).await })
    }
}
