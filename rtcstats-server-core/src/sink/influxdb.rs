//! A sink in InfluxDB.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, redirect};
use url::Url;

use super::{FeatureSink, SessionRecord, SinkError};
use crate::BoxFuture;

mod error;
mod line;
mod points;
#[cfg(test)]
mod tests;

pub use error::InfluxError;
use points::{RecordPoints, Style};

const NAME: &str = "influxdb";

/// Writes points to InfluxDB, or what takes its line protocol: the [time
/// series](rtcstats_features::series) of sessions that ended, and one point with the main features of
/// each session, connection and track.
///
/// | Measurement | Point | Fields |
/// |---|---|---|
/// | `rtcstats_session` | of each session | `events`, `duplicates`, `gapCount`, `resumes`, `duration` (ms), `connections`, `tracks` |
/// | `rtcstats_connection` | of each peer connection | [features](rtcstats_features::rtcstats::ConnectionFeatures) that are times, rates or flags |
/// | `rtcstats_track` | of each track | [features](rtcstats_features::rtcstats::TrackFeatures) that are counts, times or parts; `track` |
/// | `rtcstats_connection_series` | of each step | the [metrics](rtcstats_features::series::Metric) of connections; `connection` |
/// | `rtcstats_track_series` | of each step | the metrics of streams; `connection`, `stream`, `track`, `rid` |
///
/// Series need [`RuntimeOptions::series`](crate::RuntimeOptions::series); the points of connections and tracks
/// the set [`Rtcstats`](rtcstats_features::FeatureSet::Rtcstats), the tag `browser` the set `Jitsi`. All
/// numbers are floats. Names of people and conferences are not written: what is here cannot be erased
/// by session, and ends with the retention of the database.
///
/// # Tags
///
/// `environment`, `browser` (nine names or `other`), `direction` (`inbound`, `outbound`) and `kind`
/// (`audio`, `video`): some dozens of series in the index, whatever remotes send. Ids are fields; every
/// point has its `session`. With [`InfluxOptions::has_session_tag`] that is a tag, which makes queries
/// by session fast, and the index grow with every session.
///
/// # Times
///
/// Points with the same tags and the same time are one to InfluxDB, so two sessions must not meet. The
/// times of series are those of the client's reports, in milliseconds; the points of the other
/// measurements are at the start of the session. Below the millisecond stands a number that is
/// different for everything in a session and begins at a hash of its name: one of a million. With 10,000
/// streams of the same tags that all report every 10 s, which is 10,000,000,000 places a step, one
/// point in 2,000,000 is overwritten by another stream's; with the session as a tag none is.
///
/// **Idempotent** for ever: a session that is published again yields the same points at the same times,
/// which overwrite themselves. Points more than a week from the start of their session are left out,
/// as a clock that is that wrong would open shards all over the past.
///
/// Requests are compressed and have at most [`InfluxOptions::batch_lines`] lines; those of a record follow
/// one another. Points that are older than the retention of the database are dropped by it, which is no
/// error. Everything else that it refuses is one, and is tried again by the caller.
pub struct InfluxSink {
    client: Client,
    url: Url,
    target: InfluxTarget,
    token: Option<HeaderValue>,
    style: Style,
    /// Until when it wants to be left alone.
    quiet: Mutex<Option<(Instant, u16)>>,
}

/// Where an [`InfluxSink`] writes, and how.
#[derive(Clone)]
#[non_exhaustive]
pub struct InfluxOptions {
    /// Where InfluxDB is, such as `http://localhost:8086`. A path is kept, as of a proxy.
    pub url: String,
    /// Which of its write endpoints, and into what.
    pub target: InfluxTarget,
    /// Tag `environment`. Default `dev`.
    pub environment: String,
    /// What measurements begin with. Default `rtcstats_`.
    pub prefix: String,
    /// Whether the session is a tag instead of a field. Default not; see
    /// [tags](InfluxSink#tags).
    pub has_session_tag: bool,
    /// Lines of one request, at most. Default 5,000, which InfluxDB recommends; at least 1.
    pub batch_lines: usize,
    /// The longest that a request takes. Default 30 s.
    pub timeout: Duration,
}

/// A write endpoint of InfluxDB.
#[derive(Clone)]
#[non_exhaustive]
pub enum InfluxTarget {
    /// `/write`, of version 1.
    V1 {
        /// The database.
        database: String,
        /// Its retention policy; the default one without.
        retention_policy: Option<String>,
        /// User and password, if it wants them.
        credentials: Option<(String, String)>,
    },
    /// `/api/v2/write`, of version 2, and of version 3 where it is the same.
    V2 {
        /// The organization.
        organization: String,
        /// The bucket.
        bucket: String,
        /// A token that may write into it.
        token: String,
    },
}

impl InfluxOptions {
    /// Options with the defaults.
    pub fn new(url: impl Into<String>, target: InfluxTarget) -> Self {
        Self {
            url: url.into(),
            target,
            environment: "dev".to_owned(),
            prefix: "rtcstats_".to_owned(),
            has_session_tag: false,
            batch_lines: 5_000,
            timeout: Duration::from_secs(30),
        }
    }
}

impl InfluxSink {
    /// A sink of these options. Nothing is asked yet.
    ///
    /// # Errors
    ///
    /// If the URL or a secret is none.
    pub fn new(options: InfluxOptions) -> Result<Self, SinkError> {
        Self::open(options).map_err(|error| SinkError::new(NAME, None, error))
    }

    fn open(options: InfluxOptions) -> Result<Self, InfluxError> {
        let client = Client::builder()
            .timeout(options.timeout)
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|error| InfluxError::Options(error.to_string()))?;
        Ok(Self {
            client,
            url: write_url(&options.url, &options.target)?,
            token: token(&options.target)?,
            target: options.target,
            style: Style {
                environment: options.environment,
                prefix: options.prefix,
                has_session_tag: options.has_session_tag,
                batch_lines: options.batch_lines.max(1),
            },
            quiet: Mutex::new(None),
        })
    }

    async fn write(&self, points: RecordPoints) -> Result<(), InfluxError> {
        let style = self.style.clone();
        let batches = tokio::task::spawn_blocking(move || points.batches(&style));
        let batches = batches
            .await
            .map_err(|error| InfluxError::Preparation(error.into()))??;
        for batch in batches {
            self.send(batch).await?;
        }
        Ok(())
    }

    async fn send(&self, body: Vec<u8>) -> Result<(), InfluxError> {
        self.check_quiet()?;
        let mut request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "text/plain; charset=utf-8")
            .header(CONTENT_ENCODING, "gzip")
            .body(body);
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token.clone());
        }
        if let InfluxTarget::V1 {
            credentials: Some((user, password)),
            ..
        } = &self.target
        {
            request = request.basic_auth(user, Some(password));
        }
        let response = request.send().await;
        // The URL has what is known already, and may have a secret of a proxy.
        let response =
            response.map_err(|error| InfluxError::Unreachable(error.without_url().into()))?;
        self.check(response).await
    }

    fn check_quiet(&self) -> Result<(), InfluxError> {
        let quiet = *self.quiet.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        match quiet {
            Some((until, status)) if now < until => Err(InfluxError::Busy {
                status,
                retry_after: until - now,
            }),
            _ => Ok(()),
        }
    }

    async fn check(&self, response: Response) -> Result<(), InfluxError> {
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        if matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
        ) {
            let retry_after = retry_after(&response);
            let mut quiet = self.quiet.lock().unwrap_or_else(PoisonError::into_inner);
            *quiet = Some((Instant::now() + retry_after, status.as_u16()));
            return Err(InfluxError::Busy {
                status: status.as_u16(),
                retry_after,
            });
        }
        let message = message(response).await;
        if status.is_client_error() && message.contains("beyond retention policy") {
            tracing::warn!(message, "points are older than InfluxDB keeps them");
            return Ok(());
        }
        Err(InfluxError::Refused {
            status: status.as_u16(),
            message,
        })
    }
}

impl FeatureSink for InfluxSink {
    fn publish(&self, record: &SessionRecord) -> BoxFuture<'_, Result<(), SinkError>> {
        let session = record.name.clone();
        let points = RecordPoints::of(record);
        Box::pin(async move {
            let written = self.write(points).await;
            written.map_err(|error| SinkError::new(NAME, Some(session), error))
        })
    }

    fn name(&self) -> &str {
        NAME
    }
}

/// Shows no secrets.
impl fmt::Debug for InfluxSink {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("InfluxSink")
            .field("host", &self.url.host_str())
            .field("style", &self.style)
            .finish_non_exhaustive()
    }
}

/// Shows no secrets.
impl fmt::Debug for InfluxOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("InfluxOptions")
            .field("target", &self.target)
            .field("environment", &self.environment)
            .field("prefix", &self.prefix)
            .field("has_session_tag", &self.has_session_tag)
            .field("batch_lines", &self.batch_lines)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// Shows no secrets.
impl fmt::Debug for InfluxTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V1 {
                database,
                retention_policy,
                ..
            } => formatter
                .debug_struct("V1")
                .field("database", database)
                .field("retention_policy", retention_policy)
                .finish_non_exhaustive(),
            Self::V2 {
                organization,
                bucket,
                ..
            } => formatter
                .debug_struct("V2")
                .field("organization", organization)
                .field("bucket", bucket)
                .finish_non_exhaustive(),
        }
    }
}

fn write_url(base: &str, target: &InfluxTarget) -> Result<Url, InfluxError> {
    let mut url = Url::parse(base).map_err(|error| InfluxError::Options(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        let problem = "the URL of InfluxDB begins with http or https";
        return Err(InfluxError::Options(problem.to_owned()));
    }
    let endpoint = match target {
        InfluxTarget::V1 { .. } => "write",
        InfluxTarget::V2 { .. } => "api/v2/write",
    };
    let path = format!("{}/{endpoint}", url.path().trim_end_matches('/'));
    url.set_path(&path);
    let mut query = url.query_pairs_mut();
    query.clear();
    match target {
        InfluxTarget::V1 {
            database,
            retention_policy,
            ..
        } => {
            query.append_pair("db", database);
            if let Some(policy) = retention_policy {
                query.append_pair("rp", policy);
            }
        }
        InfluxTarget::V2 {
            organization,
            bucket,
            ..
        } => {
            query.append_pair("org", organization);
            query.append_pair("bucket", bucket);
        }
    }
    query.append_pair("precision", "ns");
    drop(query);
    Ok(url)
}

fn token(target: &InfluxTarget) -> Result<Option<HeaderValue>, InfluxError> {
    let InfluxTarget::V2 { token, .. } = target else {
        return Ok(None);
    };
    let mut value = HeaderValue::from_str(&format!("Token {token}")).map_err(|_| {
        let problem = "the token of InfluxDB has characters that headers cannot have";
        InfluxError::Options(problem.to_owned())
    })?;
    value.set_sensitive(true);
    Ok(Some(value))
}

/// How long InfluxDB wants to be left alone: a second unless it says so, a minute at most.
fn retry_after(response: &Response) -> Duration {
    const DEFAULT: Duration = Duration::from_secs(1);
    const LONGEST: Duration = Duration::from_secs(60);
    let seconds = response.headers().get(RETRY_AFTER);
    let seconds = seconds.and_then(|seconds| seconds.to_str().ok()?.trim().parse().ok());
    seconds.map_or(DEFAULT, Duration::from_secs).min(LONGEST)
}

/// The beginning of what it says.
async fn message(mut response: Response) -> String {
    const LONGEST: usize = 1_024;
    let mut message = Vec::new();
    while message.len() < LONGEST
        && let Ok(Some(chunk)) = response.chunk().await
    {
        message.extend_from_slice(&chunk);
    }
    message.truncate(LONGEST);
    let message = String::from_utf8_lossy(&message);
    let one_line = message.trim().chars().map(|character| {
        if character.is_control() {
            ' '
        } else {
            character
        }
    });
    one_line.collect()
}
