//! A sink that tells a web server of sessions.

mod counters;
mod delivery;
mod event;
mod secret;
mod token;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::redirect::Policy;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use url::Url;

use super::outbox::{Outbox, OutboxLimits};
use super::{Erasure, FeatureSink, SessionRecord, SinkError};
use crate::worker::Worker;
use crate::{BoxFuture, DumpLinks, DumpName};
use delivery::Deliverer;

pub use counters::WebhookCounters;
pub use secret::{WebhookSecret, WebhookSecretError};
pub use token::{WebhookKey, WebhookKeyError};

const NAME: &str = "webhook";

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Sends an event to a web server for each session that ended.
///
/// **An outbox on disk:** [`publish`](FeatureSink::publish) resolves once the event is durable there;
/// a task on the runtime that the sink was [opened](WebhookSink::open) in delivers it, also after a restart. A full outbox is an error, so that
/// the caller keeps the session and comes back.
///
/// **Delivered** is what was answered with a status of 2xx. Everything else is tried again, after pauses
/// that double from [`first_pause`](WebhookOptions::first_pause) to
/// [`longest_pause`](WebhookOptions::longest_pause), shortened at random by up to a half, and not
/// before the time in `Retry-After`. While the server cannot be reached, or answers with 429 or 5xx,
/// all events pause. Status 410, or age ([`give_up_after`](WebhookOptions::give_up_after)), puts an
/// event into the directory `dead` of the outbox, as `<id>.json` next to `<id>.reason`; put it back
/// to try again. Redirects are not followed.
///
/// **At least once:** an event whose answer is lost is sent again, with the same id, which is a UUID of
/// version 5 made of the session and its parts. A session that is published again is told from its
/// repetition as long as the keys of its parts are among the
/// [remembered](WebhookOptions::remembered_parts).
///
/// Memory: the keys of what waits, and [`at_once`](WebhookOptions::at_once) events.
pub struct WebhookSink {
    outbox: Arc<Outbox>,
    events: Arc<WebhookEvents>,
    clock: UnixClock,
    worker: Worker,
    deliverer: Arc<Deliverer>,
    task: JoinHandle<()>,
}

/// Tells the time, in Unix epoch milliseconds.
pub type UnixClock = Arc<dyn Fn() -> f64 + Send + Sync>;

/// What is sent of a session.
#[derive(Debug)]
#[non_exhaustive]
pub enum WebhookEvents {
    /// `RTCSTATS_UPLOADED`, as the Jitsi spec says in section 13.4: for sessions of JaaS tenants, with
    /// a token in the header `Authorization`. Other sessions are passed over.
    ///
    /// `created` is when the session was published, `submitted` when it is sent. `data.statsUrl` is
    /// there if there are [`links`](WebhookOptions::links).
    Uploaded(WebhookKey),
    /// `session.finished`, for every session, signed:
    ///
    /// ```json
    /// {"type":"session.finished","id":"5f0c…","created":1700000000000,"session":"7c9e6679",
    ///  "parts":{"session":{"events":12},"meeting":{"…":1}},"dumpUrl":"https://…"}
    /// ```
    ///
    /// `created` is when the session was published, in Unix epoch milliseconds; `dumpUrl` is there if there are
    /// [`links`](WebhookOptions::links). Parts that were sent in an earlier event of the
    /// session are left out. [`WebhookSecret`] tells how to check the signature.
    Finished {
        /// What it is signed with.
        secret: WebhookSecret,
        /// Which parts are in it, by what is before the first `/` of their names: `pc` for `pc/0` and
        /// `pc/1`. `None` for all. Sessions without any of them are passed over.
        parts: Option<Vec<String>>,
    },
}

/// How a [`WebhookSink`] works.
#[derive(Clone)]
pub struct WebhookOptions {
    /// Tells where the dump of a session is, when its event is sent; until it is there, the event
    /// waits. Default none.
    pub links: Option<Arc<dyn DumpLinks>>,
    /// Events that may wait. Default 10,000.
    pub entries: usize,
    /// Bytes of the events that may wait. Default 1 GiB.
    pub bytes: u64,
    /// Events that were given up and are kept; the oldest are removed. Default 10,000.
    pub dead: usize,
    /// Parts of events that are remembered as sent. Default 65,536: those of some hundreds to
    /// thousands of sessions, in some MiB.
    pub remembered_parts: usize,
    /// Requests under way at the same time. Default 4.
    pub at_once: usize,
    /// How long a request may take, with its answer. Default 30 s.
    pub timeout: Duration,
    /// The pause after the first failure. Default 1 s.
    pub first_pause: Duration,
    /// The longest pause. Default 10 min.
    pub longest_pause: Duration,
    /// How old an event may get. Default three days.
    pub give_up_after: Duration,
    /// The time. Default that of the machine.
    pub clock: UnixClock,
}

impl Default for WebhookOptions {
    fn default() -> Self {
        Self {
            links: None,
            entries: 10_000,
            bytes: 1 << 30,
            dead: 10_000,
            remembered_parts: 65_536,
            at_once: 4,
            timeout: Duration::from_secs(30),
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(600),
            give_up_after: Duration::from_secs(3 * 24 * 3600),
            clock: Arc::new(machine_time),
        }
    }
}

fn machine_time() -> f64 {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH);
    unix.unwrap_or_default().as_millis() as f64
}

impl WebhookSink {
    /// Opens a sink that sends `events` to `url`, with its outbox in `outbox`, a directory of its own.
    ///
    /// # Errors
    ///
    /// If the URL is none, if another process has the outbox open, outside of a tokio runtime, and
    /// those of the file system.
    pub fn open(
        url: &str,
        events: WebhookEvents,
        outbox: impl AsRef<Path>,
        options: WebhookOptions,
    ) -> Result<Self, SinkError> {
        Self::open_with(url, events, outbox.as_ref(), options)
            .map_err(|error| SinkError::new(NAME, None, error))
    }

    fn open_with(
        url: &str,
        events: WebhookEvents,
        outbox: &Path,
        options: WebhookOptions,
    ) -> Result<Self, Failure> {
        let handle = Handle::try_current()?;
        let url = Url::parse(url)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err("the URL is neither http nor https".into());
        }
        let client = reqwest::Client::builder()
            .redirect(Policy::none())
            .connect_timeout(options.timeout.min(Duration::from_secs(5)))
            .timeout(options.timeout)
            .user_agent(concat!("rtcstats/", env!("CARGO_PKG_VERSION")))
            .build()?;
        let limits = OutboxLimits {
            entries: options.entries,
            bytes: options.bytes,
            dead: options.dead,
            remembered: options.remembered_parts,
        };
        let outbox = Arc::new(Outbox::open(outbox, limits)?);
        let events = Arc::new(events);
        let clock = Arc::clone(&options.clock);
        let deliverer = Deliverer::new(client, url, &outbox, &events, options);
        let deliverer = Arc::new(deliverer);
        Ok(Self {
            outbox,
            events,
            clock,
            worker: Worker::start("sink-webhook", 1, 1_024)?,
            task: handle.spawn(Arc::clone(&deliverer).run()),
            deliverer,
        })
    }

    /// What was sent, and what waits.
    pub fn counters(&self) -> WebhookCounters {
        self.deliverer.counters()
    }
}

impl FeatureSink for WebhookSink {
    fn publish(&self, record: &SessionRecord) -> BoxFuture<'_, Result<(), SinkError>> {
        let (outbox, events) = (Arc::clone(&self.outbox), Arc::clone(&self.events));
        let deliverer = Arc::clone(&self.deliverer);
        let (record, now) = (record.clone(), (self.clock)());
        let session = record.name.clone();
        // One thread, so that of two repetitions the second one sees what the first one has put in.
        let put = self.worker.run(move || {
            let delivery = events.delivery(&record, now, |key| outbox.has(key))?;
            let Some(delivery) = delivery else {
                return Ok(());
            };
            outbox.put(&delivery)?;
            // Whoever asked may have gone, and a repetition finds that it is there.
            deliverer.add(delivery.id);
            Ok(())
        });
        Box::pin(async move {
            let result = put.await;
            let result = result.unwrap_or_else(|| Err(io::Error::other("the sink has ended")));
            result.map_err(|error| SinkError::new(NAME, Some(session), error))
        })
    }

    /// Removes what waits, and what was given up. What was sent is out of reach.
    fn erase(&self, sessions: &[DumpName]) -> BoxFuture<'_, Result<Erasure, SinkError>> {
        let outbox = Arc::clone(&self.outbox);
        let sessions = sessions.iter().map(ToString::to_string).collect();
        let erased = self.worker.run(move || outbox.erase(&sessions));
        Box::pin(async move {
            let result = erased.await;
            let result = result.unwrap_or_else(|| Err(io::Error::other("the sink has ended")));
            result.map_err(|error| SinkError::new(NAME, None, error))?;
            Ok(Erasure::HandedOn)
        })
    }

    fn name(&self) -> &str {
        NAME
    }
}

impl Drop for WebhookSink {
    fn drop(&mut self) {
        self.task.abort();
        self.outbox.close();
    }
}

impl fmt::Debug for WebhookSink {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("WebhookSink")
            .field("events", &self.events)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for WebhookOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("WebhookOptions")
            .field("entries", &self.entries)
            .field("bytes", &self.bytes)
            .field("dead", &self.dead)
            .field("remembered_parts", &self.remembered_parts)
            .field("at_once", &self.at_once)
            .field("timeout", &self.timeout)
            .field("first_pause", &self.first_pause)
            .field("longest_pause", &self.longest_pause)
            .field("give_up_after", &self.give_up_after)
            .finish_non_exhaustive()
    }
}
