//! The streams of a deployment, and the few things that are done with them.

use std::path::Path;
use std::time::Duration;

use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::context::{ContextBuilder, PublishError, PublishErrorKind};
use async_nats::jetstream::message::{PublishMessage, StreamMessage};
use async_nats::jetstream::stream::{
    Config, DirectGetErrorKind, DiscardPolicy, LastRawMessageErrorKind, RawMessageErrorKind,
    RetentionPolicy, Stream,
};
use async_nats::jetstream::{Context, ErrorCode};
use async_nats::{Client, HeaderMap, ServerAddr};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::options::{JetStreamOptions, NatsCredentials};

/// A connection, and the streams of a deployment.
pub(super) struct Store {
    client: Client,
    context: Context,
    /// Messages on their way.
    permits: Semaphore,
    give_up_after: Duration,
    timeout: Duration,
    pub(super) logs: StoreStream,
    pub(super) sessions: StoreStream,
    pub(super) nodes: StoreStream,
    pub(super) work: StoreStream,
    pub(super) dead: StoreStream,
}

/// One stream, and what its subjects begin with.
pub(super) struct StoreStream {
    pub(super) stream: Stream<()>,
    prefix: String,
    /// Whether more than one server keeps it.
    pub(super) is_replicated: bool,
}

impl StoreStream {
    pub(super) fn subject(&self, rest: &str) -> String {
        format!("{}.{rest}", self.prefix)
    }

    /// What of a subject follows the prefix.
    pub(super) fn rest<'a>(&self, subject: &'a str) -> Option<&'a str> {
        subject.strip_prefix(&self.prefix)?.strip_prefix('.')
    }
}

type Source = Box<dyn std::error::Error + Send + Sync>;

/// The servers did not do what they were asked for.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoreError {
    /// There is no room.
    #[error("the servers have no room")]
    Full(#[source] Source),
    /// They failed, or did not answer.
    #[error("the servers failed")]
    Failed(#[source] Source),
}

/// What became of a message that was to follow a certain other one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Published {
    /// It is stored, at this sequence number of the stream.
    Stored(u64),
    /// Another one is there.
    Conflict,
}

/// A message of a stream.
pub(super) struct Entry {
    pub(super) subject: String,
    pub(super) sequence: u64,
    pub(super) headers: HeaderMap,
    pub(super) payload: Bytes,
    pub(super) modified_ms: f64,
}

impl From<StreamMessage> for Entry {
    fn from(message: StreamMessage) -> Self {
        Self {
            subject: message.subject.to_string(),
            sequence: message.sequence,
            headers: message.headers,
            payload: message.payload,
            modified_ms: milliseconds(message.time.unix_timestamp_nanos()),
        }
    }
}

fn milliseconds(nanoseconds: i128) -> f64 {
    nanoseconds as f64 / 1e6
}

impl Store {
    /// Connects, and creates the streams that are not there.
    pub(super) async fn connect(options: &JetStreamOptions) -> Result<Self, Source> {
        let client = connect_client(options).await?;
        let context = ContextBuilder::new()
            .timeout(options.timeout)
            .max_ack_inflight(options.in_flight.saturating_add(4_096))
            .build(client.clone());
        let deadline = Instant::now() + options.give_up_after;
        let create = |config: Config| open_stream(&context, config, deadline);
        let deployment = &options.deployment;
        let logs = create(Config {
            max_bytes: options
                .max_bytes
                .map_or(-1, |bytes| i64::try_from(bytes).unwrap_or(i64::MAX)),
            duplicate_window: Duration::from_secs(120),
            allow_direct: true,
            ..stream(options, "log")
        });
        let work = Config {
            retention: RetentionPolicy::WorkQueue,
            ..stream(options, "work")
        };
        let dead = Config {
            max_messages_per_subject: 1,
            discard: DiscardPolicy::Old,
            ..stream(options, "dead")
        };
        let nodes = Config {
            max_age: options.node_timeout,
            ..bucket(options, &format!("{deployment}_nodes"))
        };
        Ok(Self {
            logs: logs.await?,
            sessions: create(bucket(options, &format!("{deployment}_sessions"))).await?,
            nodes: create(nodes).await?,
            work: create(work).await?,
            dead: create(dead).await?,
            client,
            context,
            permits: Semaphore::new(options.in_flight),
            give_up_after: options.give_up_after,
            timeout: options.timeout,
        })
    }

    /// The largest payload of a message, with room for its headers.
    pub(super) fn max_payload(&self) -> usize {
        const HEADERS: usize = 3_072;
        self.client.max_payload().saturating_sub(HEADERS).max(256)
    }

    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.give_up_after
    }

    /// Publishes a message, if the last one of its subject is `expected` (0 for none), once. `id` is its own
    /// and no other's.
    ///
    /// What an unanswered attempt stored is found by its id, so that trying again stores nothing twice;
    /// and since each attempt follows the same message, at most one of them is stored at all.
    pub(super) async fn publish(
        &self,
        stream: &StoreStream,
        subject: &str,
        headers: HeaderMap,
        payload: Bytes,
        expected: u64,
        id: &str,
    ) -> Result<Published, StoreError> {
        let _permit = self.permits.acquire().await.map_err(failed)?;
        let deadline = self.deadline();
        let mut pause = FIRST_PAUSE;
        loop {
            let message = PublishMessage::build()
                .headers(headers.clone())
                .payload(payload.clone())
                .expected_last_subject_sequence(expected)
                .message_id(id);
            let attempt = async {
                let acknowledgement = self.context.send_publish(subject.to_owned(), message);
                acknowledgement.await?.await
            };
            let error = match attempt.await {
                Ok(acknowledgement) if !acknowledgement.duplicate => {
                    return Ok(Published::Stored(acknowledgement.sequence));
                }
                // A server remembers ids from before it knows that a message is stored: look.
                Ok(_) => match self.stored(stream, subject, id).await? {
                    Published::Conflict => {
                        return Err(failed("a message was taken for a repetition of itself"));
                    }
                    stored @ Published::Stored(_) => return Ok(stored),
                },
                Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => {
                    return self.stored(stream, subject, id).await;
                }
                Err(error) => error,
            };
            if is_full(&error) {
                return Err(StoreError::Full(Box::new(error)));
            }
            if Instant::now() + pause >= deadline {
                return Err(failed(error));
            }
            tracing::debug!(subject, %error, "publishing again");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Whether the last message of a subject is the one with this id.
    async fn stored(
        &self,
        stream: &StoreStream,
        subject: &str,
        id: &str,
    ) -> Result<Published, StoreError> {
        let last = self.last(stream, subject).await?;
        let is_it = |entry: &Entry| {
            let value = entry.headers.get(NATS_MESSAGE_ID);
            value.is_some_and(|value| value.as_str() == id)
        };
        Ok(last.filter(is_it).map_or(Published::Conflict, |entry| {
            Published::Stored(entry.sequence)
        }))
    }

    /// Publishes a message that follows any other.
    pub(super) async fn put(
        &self,
        subject: &str,
        headers: HeaderMap,
        payload: Bytes,
        deadline: Instant,
    ) -> Result<(), StoreError> {
        retry(deadline, || async {
            let message = PublishMessage::build()
                .headers(headers.clone())
                .payload(payload.clone());
            let acknowledgement = self.context.send_publish(subject.to_owned(), message);
            let acknowledgement: Result<_, PublishError> = acknowledgement.await?.await;
            acknowledgement
        })
        .await
        .map_err(failed)?;
        Ok(())
    }

    /// The last message of a subject, as the leader of the stream knows it.
    pub(super) async fn last(
        &self,
        stream: &StoreStream,
        subject: &str,
    ) -> Result<Option<Entry>, StoreError> {
        retry(self.deadline(), || async {
            let last = stream.stream.get_last_raw_message_by_subject(subject).await;
            match last {
                Ok(message) => Ok(Some(message.into())),
                Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
                Err(error) => Err(error),
            }
        })
        .await
        .map_err(failed)
    }

    /// The message at a sequence number, as any server of the stream knows it: one that is behind the others
    /// knows fewer.
    pub(super) async fn get(
        &self,
        stream: &StoreStream,
        sequence: u64,
    ) -> Result<Option<Entry>, StoreError> {
        retry(self.deadline(), || async {
            match stream.stream.direct_get(sequence).await {
                Ok(message) => Ok(Some(message.into())),
                Err(error) if error.kind() == DirectGetErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            }
        })
        .await
        .map_err(failed)
    }

    /// The message at a sequence number, as the leader of the stream knows it.
    pub(super) async fn get_from_leader(
        &self,
        stream: &StoreStream,
        sequence: u64,
    ) -> Result<Option<Entry>, StoreError> {
        retry(self.deadline(), || async {
            match stream.stream.get_raw_message(sequence).await {
                Ok(message) => Ok(Some(message.into())),
                Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
                Err(error) => Err(error),
            }
        })
        .await
        .map_err(failed)
    }

    /// The first message of a subject from a sequence number on, as some server of the stream knows it:
    /// one that is behind the others knows fewer.
    pub(super) async fn next(
        &self,
        stream: &StoreStream,
        subject: &str,
        sequence: u64,
    ) -> Result<Option<Entry>, StoreError> {
        retry(self.deadline(), || async {
            let next = stream
                .stream
                .direct_get_next_for_subject(subject, Some(sequence));
            match next.await {
                Ok(message) => Ok(Some(message.into())),
                Err(error) if error.kind() == DirectGetErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            }
        })
        .await
        .map_err(failed)
    }

    /// The message with a sequence number, which is known to be there: servers that are behind come to it.
    pub(super) async fn at(
        &self,
        stream: &StoreStream,
        sequence: u64,
    ) -> Result<Entry, StoreError> {
        let get = || stream.stream.direct_get(sequence);
        let message = retry(self.deadline(), get).await.map_err(failed)?;
        Ok(message.into())
    }

    /// Removes all messages of a subject.
    pub(super) async fn purge(
        &self,
        stream: &StoreStream,
        subject: &str,
    ) -> Result<(), StoreError> {
        retry(self.deadline(), || async {
            stream.stream.purge().filter(subject).await
        })
        .await
        .map_err(failed)?;
        Ok(())
    }

    /// Removes the messages of a subject up to one, and none that came later.
    pub(super) async fn purge_until(
        &self,
        stream: &StoreStream,
        subject: &str,
        sequence: u64,
    ) -> Result<(), StoreError> {
        retry(self.deadline(), || async {
            let purge = stream.stream.purge().filter(subject);
            purge.sequence(sequence.saturating_add(1)).await
        })
        .await
        .map_err(failed)?;
        Ok(())
    }

    /// All subjects of a stream that have messages, without the prefix.
    pub(super) async fn subjects(&self, stream: &StoreStream) -> Result<Vec<String>, StoreError> {
        let subjects = retry(self.deadline(), || async {
            let info = stream.stream.info_with_subjects(">").await?;
            let subjects = info.map_ok(|(subject, _)| subject).try_collect();
            let subjects = tokio::time::timeout(self.timeout, subjects).await??;
            Ok::<Vec<String>, Source>(subjects)
        })
        .await
        .map_err(failed)?;
        let rest = |subject: &String| stream.rest(subject).map(str::to_owned);
        Ok(subjects.iter().filter_map(rest).collect())
    }

    /// The last message of each subject of a stream, without its payload if only headers are wanted.
    pub(super) async fn snapshot(
        &self,
        stream: &StoreStream,
        headers_only: bool,
    ) -> Result<Vec<Entry>, StoreError> {
        retry(self.deadline(), || async {
            self.snapshot_once(stream, headers_only).await
        })
        .await
        .map_err(failed)
    }

    async fn snapshot_once(
        &self,
        stream: &StoreStream,
        headers_only: bool,
    ) -> Result<Vec<Entry>, Source> {
        const AT_ONCE: usize = 1_000;
        let config = pull::Config {
            deliver_policy: DeliverPolicy::LastPerSubject,
            ack_policy: AckPolicy::None,
            filter_subject: stream.subject(">"),
            headers_only,
            memory_storage: true,
            num_replicas: 1,
            inactive_threshold: Duration::from_secs(30),
            ..pull::Config::default()
        };
        let consumer = stream.stream.create_consumer(config).await?;
        let mut pending = consumer.cached_info().num_pending;
        let mut entries = Vec::new();
        while pending > 0 {
            let batch = consumer.batch().max_messages(AT_ONCE).expires(self.timeout);
            let mut batch = batch.messages().await?;
            let before = entries.len();
            while pending > 0
                && let Some(message) = batch.next().await
            {
                let message = message?;
                let info = message.info()?;
                pending = info.pending;
                entries.push(Entry {
                    subject: message.subject.to_string(),
                    sequence: info.stream_sequence,
                    headers: message.headers.clone().unwrap_or_default(),
                    payload: message.payload.clone(),
                    modified_ms: milliseconds(info.published.unix_timestamp_nanos()),
                });
            }
            if entries.len() == before {
                return Err("the servers fell silent".into());
            }
        }
        let consumer = consumer.cached_info().name.clone();
        // It would go away by itself.
        let _ = stream.stream.delete_consumer(&consumer).await;
        Ok(entries)
    }

    /// Waits until everything was sent.
    pub(super) async fn flush(&self) -> Result<(), StoreError> {
        let flushed = tokio::time::timeout(self.timeout, self.client.flush()).await;
        flushed.map_err(failed)?.map_err(failed)
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }
}

/// Opens a stream, and creates it if it is not there.
async fn open_stream(
    context: &Context,
    config: Config,
    deadline: Instant,
) -> Result<StoreStream, Source> {
    let prefix = config.subjects.first().cloned().unwrap_or_default();
    let prefix = prefix.trim_end_matches(".>").to_owned();
    // A cluster that has just been started knows no leader yet.
    let opened = retry(deadline, || context.get_or_create_stream(config.clone()));
    let is_replicated = opened.await?.cached_info().config.num_replicas > 1;
    Ok(StoreStream {
        stream: context.get_stream_no_info(&config.name).await?,
        prefix,
        is_replicated,
    })
}

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Tries something that does no harm when it is done twice, until it works or the time is over.
pub(super) async fn retry<T, E, F: Future<Output = Result<T, E>>>(
    deadline: Instant,
    mut attempt: impl FnMut() -> F,
) -> Result<T, E> {
    let mut pause = FIRST_PAUSE;
    loop {
        match attempt().await {
            Err(_) if Instant::now() + pause < deadline => {}
            result => return result,
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

pub(super) fn failed(error: impl Into<Source>) -> StoreError {
    StoreError::Failed(error.into())
}

fn is_full(error: &PublishError) -> bool {
    let source = std::error::Error::source(error);
    let Some(error) = source.and_then(|source| source.downcast_ref()) else {
        return false;
    };
    let error: &async_nats::jetstream::Error = error;
    let full = [
        ErrorCode::INSUFFICIENT_RESOURCES,
        ErrorCode::STORAGE_RESOURCES_EXCEEDED,
        ErrorCode::STREAM_STORE_FAILED,
    ];
    full.contains(&error.error_code())
}

async fn connect_client(options: &JetStreamOptions) -> Result<Client, Source> {
    let servers = options.servers.split(',').map(str::trim);
    let servers: Vec<ServerAddr> = servers.map(str::parse).collect::<Result<_, _>>()?;
    let connect = async_nats::ConnectOptions::new()
        .name(&options.node)
        .connection_timeout(options.timeout)
        .request_timeout(Some(options.timeout))
        // A server that is halted looks like one that has nothing to say.
        .ping_interval(options.timeout)
        .max_reconnects(None)
        .reconnect_delay_callback(|attempts| {
            let doubled = 50_u64.saturating_mul(1 << attempts.min(5));
            Duration::from_millis(doubled.min(1_000))
        });
    let connect = match &options.credentials {
        NatsCredentials::None => connect,
        NatsCredentials::Token(token) => connect.token(token.clone()),
        NatsCredentials::User { name, password } => {
            connect.user_and_password(name.clone(), password.clone())
        }
        NatsCredentials::File(path) => connect.credentials(&read(path).await?)?,
    };
    Ok(connect.connect(servers).await?)
}

async fn read(path: &Path) -> Result<String, Source> {
    let path = path.to_owned();
    Ok(tokio::task::spawn_blocking(move || std::fs::read_to_string(path)).await??)
}

fn stream(options: &JetStreamOptions, subject: &str) -> Config {
    let deployment = &options.deployment;
    Config {
        name: format!("{deployment}_{subject}"),
        subjects: vec![format!("{deployment}.{subject}.>")],
        discard: DiscardPolicy::New,
        num_replicas: options.replicas,
        ..Config::default()
    }
}

/// A key-value bucket, as all clients of the servers know them; but messages can be deleted.
fn bucket(options: &JetStreamOptions, name: &str) -> Config {
    Config {
        name: format!("KV_{name}"),
        subjects: vec![format!("$KV.{name}.>")],
        max_messages_per_subject: 1,
        discard: DiscardPolicy::New,
        allow_rollup: true,
        num_replicas: options.replicas,
        ..Config::default()
    }
}
