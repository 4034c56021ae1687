//! Who else gets records.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use rtcstats_features::series::SeriesOptions;
use rtcstats_server_core::{
    DumpLinks, FeatureSink, InfluxOptions, InfluxSink, InfluxTarget, JsonlSink, NatsSink,
    NatsSinkOptions, WebhookEvents, WebhookOptions, WebhookSecret, WebhookSink,
};

/// Sinks besides the database.
#[derive(Args)]
pub(crate) struct SinkOptions {
    /// Append each part of a record to this file, one JSON object a line.
    #[arg(long, env = "RTCSTATS_JSONL", value_name = "FILE")]
    pub(crate) jsonl: Option<PathBuf>,

    /// Tell this web server of each session that ended, by signed requests that are repeated until it has
    /// them; may be given several times.
    #[arg(
        long,
        env = "RTCSTATS_WEBHOOK",
        value_name = "URL",
        value_delimiter = ',',
        hide_env_values = true,
        requires = "webhook_secret"
    )]
    pub(crate) webhook: Vec<String>,

    /// What the requests are signed with: whsec_ and at least 16 bytes in Base64.
    #[arg(
        long,
        env = "RTCSTATS_WEBHOOK_SECRET",
        value_name = "SECRET",
        hide_env_values = true
    )]
    pub(crate) webhook_secret: Option<String>,

    /// Which parts of a record the requests have, separated by commas.
    #[arg(
        long,
        env = "RTCSTATS_WEBHOOK_PARTS",
        value_name = "PARTS",
        value_delimiter = ',',
        default_value = "session,metadata"
    )]
    pub(crate) webhook_parts: Vec<String>,

    /// Send each part of a record as a message to these servers of NATS, such as nats://host:4222.
    #[arg(
        long,
        env = "RTCSTATS_NATS_SINK",
        value_name = "URL",
        hide_env_values = true
    )]
    pub(crate) nats_sink: Option<String>,

    /// What the subjects of these messages begin with.
    #[arg(
        long,
        env = "RTCSTATS_NATS_SINK_PREFIX",
        value_name = "SUBJECT",
        default_value = "rtcstats.records"
    )]
    pub(crate) nats_sink_prefix: String,

    /// Write the series and summaries of sessions to this InfluxDB, such as http://host:8086.
    #[arg(
        long,
        env = "RTCSTATS_INFLUXDB",
        value_name = "URL",
        hide_env_values = true
    )]
    pub(crate) influxdb: Option<String>,

    /// Where to in InfluxDB: organization/bucket of version 2, or a database of version 1.
    #[arg(
        long,
        env = "RTCSTATS_INFLUXDB_BUCKET",
        value_name = "ORGANIZATION/BUCKET",
        default_value = "rtcstats"
    )]
    pub(crate) influxdb_bucket: String,

    /// The token of version 2, or user:password of version 1.
    #[arg(
        long,
        env = "RTCSTATS_INFLUXDB_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true
    )]
    pub(crate) influxdb_token: Option<String>,
}

impl SinkOptions {
    /// Opens the sinks. What they keep is below the data directory; `links` tell receivers where dumps are.
    pub(crate) async fn open(
        &self,
        data: &Path,
        environment: &str,
        links: Option<Arc<dyn DumpLinks>>,
    ) -> Result<Vec<Arc<dyn FeatureSink>>, Box<dyn Error>> {
        let mut sinks: Vec<Arc<dyn FeatureSink>> = Vec::new();
        if let Some(file) = &self.jsonl {
            sinks.push(Arc::new(JsonlSink::open(file)?));
        }
        if let Some(url) = &self.influxdb {
            let mut options = InfluxOptions::new(url, self.influx_target()?);
            options.environment = environment.to_owned();
            sinks.push(Arc::new(InfluxSink::new(options)?));
        }
        for url in &self.webhook {
            let secret = self.webhook_secret.as_deref().unwrap_or_default();
            let events = WebhookEvents::Finished {
                secret: WebhookSecret::parse(secret)?,
                parts: Some(self.webhook_parts.clone()),
            };
            let outbox = data.join("webhooks").join(directory_name(url));
            let options = WebhookOptions {
                links: links.clone(),
                ..WebhookOptions::default()
            };
            sinks.push(Arc::new(WebhookSink::open(url, events, outbox, options)?));
        }
        if let Some(servers) = &self.nats_sink {
            let options = NatsSinkOptions {
                prefix: self.nats_sink_prefix.clone(),
                ..NatsSinkOptions::default()
            };
            sinks.push(Arc::new(NatsSink::connect(servers, options).await?));
        }
        Ok(sinks)
    }

    /// What series are made, if some sink takes them.
    pub(crate) fn series(&self) -> Option<SeriesOptions> {
        self.influxdb.as_ref().map(|_| SeriesOptions::default())
    }

    fn influx_target(&self) -> Result<InfluxTarget, Box<dyn Error>> {
        let token = self.influxdb_token.as_deref();
        match (self.influxdb_bucket.split_once('/'), token) {
            (Some((organization, bucket)), Some(token)) => Ok(InfluxTarget::V2 {
                organization: organization.to_owned(),
                bucket: bucket.to_owned(),
                token: token.to_owned(),
            }),
            (Some(_), None) => Err("a bucket of InfluxDB needs --influxdb-token".into()),
            (None, token) => {
                let credentials = token.and_then(|token| token.split_once(':'));
                Ok(InfluxTarget::V1 {
                    database: self.influxdb_bucket.clone(),
                    retention_policy: None,
                    credentials: credentials
                        .map(|(user, password)| (user.to_owned(), password.to_owned())),
                })
            }
        }
    }
}

/// A name for the outbox of a URL: what it waits for is for this receiver.
fn directory_name(url: &str) -> String {
    const MOST: usize = 200;
    let safe = |character: char| match character {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' => character,
        _ => '_',
    };
    url.chars().map(safe).take(MOST).collect()
}
