//! Delivers what is in the outbox.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, StatusCode};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use url::Url;
use uuid::Uuid;

use super::super::outbox::{Delivery, Outbox};
use super::{Failure, WebhookCounters, WebhookEvents, WebhookOptions};

pub(super) struct Deliverer {
    client: Client,
    url: Url,
    outbox: Arc<Outbox>,
    events: Arc<WebhookEvents>,
    options: WebhookOptions,
    /// Put in, and not yet seen by the task. Bounded by the outbox.
    fresh: Mutex<Vec<Uuid>>,
    changed: Notify,
    delivered: AtomicU64,
    failures: AtomicU64,
    given_up: AtomicU64,
}

/// What became of an attempt.
enum Outcome {
    Delivered,
    /// There is nothing to deliver any more.
    Gone,
    /// It will never be taken.
    Refused(String),
    /// It alone waits.
    Delayed(String),
    /// All wait, at least so long.
    Unreachable(String, Option<Duration>),
}

/// When what is attempted. An event is due, or attempted, never both.
#[derive(Default)]
struct Schedule {
    due: BTreeSet<(Instant, Uuid)>,
    /// How often each event failed.
    attempts: HashMap<Uuid, u32>,
    /// Failures to reach the server since it was reached.
    failures: u32,
    paused_until: Option<Instant>,
}

impl Deliverer {
    pub(super) fn new(
        client: Client,
        url: Url,
        outbox: &Arc<Outbox>,
        events: &Arc<WebhookEvents>,
        options: WebhookOptions,
    ) -> Self {
        Self {
            client,
            url,
            fresh: Mutex::new(outbox.ids()),
            outbox: Arc::clone(outbox),
            events: Arc::clone(events),
            options,
            changed: Notify::new(),
            delivered: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            given_up: AtomicU64::new(0),
        }
    }

    /// Takes note of an event that is in the outbox.
    pub(super) fn add(&self, id: Uuid) {
        self.fresh().push(id);
        self.changed.notify_one();
    }

    pub(super) fn counters(&self) -> WebhookCounters {
        let (pending, pending_bytes) = self.outbox.size();
        WebhookCounters {
            delivered: self.delivered.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            given_up: self.given_up.load(Ordering::Relaxed),
            pending: pending as u64,
            pending_bytes,
        }
    }

    /// Delivers for as long as it is not aborted.
    pub(super) async fn run(self: Arc<Self>) {
        let mut schedule = Schedule::default();
        let mut running = JoinSet::new();
        loop {
            let now = Instant::now();
            let fresh = std::mem::take(&mut *self.fresh());
            schedule.due.extend(fresh.into_iter().map(|id| (now, id)));
            while running.len() < self.options.at_once.max(1)
                && let Some(id) = schedule.next(now)
            {
                let deliverer = Arc::clone(&self);
                running.spawn(async move { (id, deliverer.attempt(id).await) });
            }
            let wake = schedule
                .wake()
                .filter(|_| running.len() < self.options.at_once.max(1));
            tokio::select! {
                () = self.changed.notified() => {}
                Some(done) = running.join_next() => match done {
                    Ok((id, outcome)) => self.settle(&mut schedule, id, outcome).await,
                    // The event stays in the outbox until the next start.
                    Err(error) => tracing::error!(%error, "an attempt to deliver an event failed"),
                },
                () = sleep_until(wake.unwrap_or(now)), if wake.is_some() => {}
            }
        }
    }

    async fn attempt(self: Arc<Self>, id: Uuid) -> Outcome {
        let outbox = Arc::clone(&self.outbox);
        let delivery = match tokio::task::spawn_blocking(move || outbox.read(&id)).await {
            Ok(Ok(Some(delivery))) => delivery,
            Ok(Ok(None)) => return Outcome::Gone,
            Ok(Err(error)) => return Outcome::Delayed(format!("reading the outbox: {error}")),
            Err(error) => return Outcome::Delayed(format!("reading the outbox: {error}")),
        };
        let outcome = match self.send(&delivery).await {
            Ok(outcome) => outcome,
            Err(error) => Outcome::Delayed(error.to_string()),
        };
        self.within_age(&delivery, outcome)
    }

    async fn send(&self, delivery: &Delivery) -> Result<Outcome, Failure> {
        let link = match &self.options.links {
            None => None,
            Some(links) => match links.link(&delivery.session.parse()?).await? {
                None => return Ok(Outcome::Delayed("the dump is not there".to_owned())),
                link => link,
            },
        };
        let now_ms = (self.options.clock)();
        let request = self.client.post(self.url.clone());
        let request = self.events.fill(request, delivery, link, now_ms)?;
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                // URLs of webhooks have secrets in them.
                let reason = error.without_url().to_string();
                return Ok(Outcome::Unreachable(reason, None));
            }
        };
        let status = response.status();
        if status.is_success() {
            return Ok(Outcome::Delivered);
        }
        self.failures.fetch_add(1, Ordering::Relaxed);
        let reason = format!("status {status}");
        let wait = retry_after(response.headers(), now_ms);
        Ok(match status {
            StatusCode::GONE => Outcome::Refused(reason),
            StatusCode::TOO_MANY_REQUESTS => Outcome::Unreachable(reason, wait),
            _ if status.is_server_error() => Outcome::Unreachable(reason, wait),
            _ => Outcome::Delayed(reason),
        })
    }

    /// What failed and is too old has failed for good.
    fn within_age(&self, delivery: &Delivery, outcome: Outcome) -> Outcome {
        let age_ms = (self.options.clock)() - delivery.created_ms;
        let is_old = age_ms >= self.options.give_up_after.as_secs_f64() * 1000.0;
        match outcome {
            Outcome::Delayed(reason) | Outcome::Unreachable(reason, _) if is_old => {
                Outcome::Refused(format!("too old; at last: {reason}"))
            }
            outcome => outcome,
        }
    }

    async fn settle(&self, schedule: &mut Schedule, id: Uuid, outcome: Outcome) {
        let now = Instant::now();
        match outcome {
            Outcome::Delivered => {
                schedule.reached(&id);
                self.delivered.fetch_add(1, Ordering::Relaxed);
                self.write("delivered", move |outbox| outbox.delivered(&id))
                    .await;
            }
            Outcome::Gone => schedule.reached(&id),
            Outcome::Refused(reason) => {
                schedule.attempts.remove(&id);
                self.given_up.fetch_add(1, Ordering::Relaxed);
                tracing::error!(%id, reason, "an event is given up");
                self.write("given up", move |outbox| outbox.give_up(&id, &reason))
                    .await;
            }
            Outcome::Delayed(reason) => {
                let pause = schedule.delay(id, now, &self.options);
                tracing::warn!(%id, reason, retry_in = ?pause, "an event is not delivered");
            }
            Outcome::Unreachable(reason, wait) => {
                schedule.pause(now, wait, &self.options);
                let pause = schedule.delay(id, now, &self.options);
                tracing::warn!(%id, reason, retry_in = ?pause, "events are not delivered");
            }
        }
    }

    async fn write(
        &self,
        what: &'static str,
        write: impl FnOnce(&Outbox) -> std::io::Result<()> + Send + 'static,
    ) {
        let outbox = Arc::clone(&self.outbox);
        let written = tokio::task::spawn_blocking(move || write(&outbox)).await;
        // The worst that follows is that it is sent again after the next start.
        match written {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, what, "the outbox could not be written"),
            Err(error) => tracing::error!(%error, what, "the outbox could not be written"),
        }
    }

    fn fresh(&self) -> std::sync::MutexGuard<'_, Vec<Uuid>> {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Schedule {
    /// Takes the next event that is due.
    fn next(&mut self, now: Instant) -> Option<Uuid> {
        if self.paused_until.is_some_and(|until| until > now) {
            return None;
        }
        let first = self.due.first().filter(|(due, _)| *due <= now).copied()?;
        self.due.remove(&first);
        Some(first.1)
    }

    /// When there is something to do, if nothing happens before.
    fn wake(&self) -> Option<Instant> {
        let (due, _) = self.due.first()?;
        Some(self.paused_until.map_or(*due, |until| until.max(*due)))
    }

    fn reached(&mut self, id: &Uuid) {
        self.attempts.remove(id);
        self.failures = 0;
        self.paused_until = None;
    }

    fn delay(&mut self, id: Uuid, now: Instant, options: &WebhookOptions) -> Duration {
        let attempts = self.attempts.entry(id).or_default();
        *attempts += 1;
        let pause = pause(*attempts, options);
        self.due.insert((now + pause, id));
        pause
    }

    fn pause(&mut self, now: Instant, wait: Option<Duration>, options: &WebhookOptions) {
        self.failures += 1;
        let pause = pause(self.failures, options);
        // No server delays events for longer than they are kept.
        let wait = wait.unwrap_or_default().min(options.give_up_after);
        let until = now + pause.max(wait);
        self.paused_until = Some(self.paused_until.map_or(until, |before| before.max(until)));
    }
}

/// The pause after so many failures, shortened at random by up to a half, so that many senders do not
/// come back at once.
fn pause(failures: u32, options: &WebhookOptions) -> Duration {
    let doublings = failures.saturating_sub(1).min(31);
    let longest = options.first_pause.saturating_mul(1 << doublings);
    let longest = longest.min(options.longest_pause);
    let random = RandomState::new().build_hasher().finish();
    longest.mul_f64(1.0 - random as f64 / u64::MAX as f64 / 2.0)
}

/// How long the server wants to be left alone (RFC 9110, section 10.2.3).
fn retry_after(headers: &HeaderMap, now_ms: f64) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    let unix = date.duration_since(UNIX_EPOCH).ok()?;
    Duration::try_from_secs_f64(unix.as_secs_f64() - now_ms / 1000.0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_differ() {
        let options = WebhookOptions::default();
        for (failures, longest) in [
            (1, 1),
            (2, 2),
            (4, 8),
            (10, 512),
            (11, 600),
            (u32::MAX, 600),
        ] {
            let longest = Duration::from_secs(longest);
            let pauses: Vec<Duration> = (0..20).map(|_| pause(failures, &options)).collect();
            assert!(
                pauses
                    .iter()
                    .all(|pause| *pause <= longest && *pause >= longest / 2)
            );
            assert!(pauses.iter().any(|pause| *pause != pauses[0]));
        }
    }

    #[test]
    fn a_server_says_when_to_come_back_in_seconds_or_as_a_date() {
        let now_ms = 784_111_777_000.0;
        let wait = |text: &str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
            retry_after(&headers, now_ms)
        };
        assert_eq!(wait("120"), Some(Duration::from_secs(120)));
        let date = "Sun, 06 Nov 1994 08:50:37 GMT";
        assert_eq!(wait(date), Some(Duration::from_secs(60)));
        for text in ["soon", "-1", "Sun, 06 Nov 1994 08:00:00 GMT", ""] {
            assert_eq!(wait(text), None, "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now_ms), None);
    }
}
