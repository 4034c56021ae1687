//! What the handlers share.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use rtcstats_features::series::SeriesOptions;
use rtcstats_server_core::{FeatureSink, RecordStore, Runtime, RuntimeOptions};

use crate::server::options::{OpenArchive, OpenJournal, Options};
use crate::server::rtcscope::{Scope, WithoutSeries};
use crate::server::sessions::OpenSessions;
use crate::server::view::Turns;

/// The running server, and where the records of finished sessions are looked up.
#[derive(Clone)]
pub(crate) struct AppState {
    pub(crate) runtime: Runtime,
    pub(crate) records: Arc<dyn RecordStore>,
    pub(crate) open_sessions: Arc<OpenSessions>,
    /// Points of calls, if they are kept.
    pub(crate) scope: Option<Arc<Scope>>,
    pub(crate) admin_token: Option<Arc<str>>,
    pub(crate) turns: Turns,
    pub(crate) max_upload_bytes: u64,
    pub(crate) request_patience: Duration,
    pub(crate) max_message_bytes: usize,
    pub(crate) read_buffer_bytes: usize,
}

impl AppState {
    /// Opens all stores and starts the runtime.
    pub(crate) async fn open(options: &Options) -> Result<Self, Box<dyn Error>> {
        std::fs::create_dir_all(&options.data)?;
        // What others have to be asked for comes first: they may say no.
        let OpenArchive { archive, links } = options.stores.archive(&options.data)?;
        let records = Arc::new(options.stores.database(&options.data).await?);
        let environment = &options.clients.environment;
        let sinks = options
            .sinks
            .open(&options.data, environment, links)
            .await?;
        let authorizer = options.access.authorizer()?;
        let has_other_nodes = options.journal.journal.is_some();
        let scope = options
            .scope
            .open(&options.data, has_other_nodes, authorizer)
            .await?;
        let limits = &options.limits;
        let OpenJournal { journal, cluster } = options
            .journal
            .open(&options.data, limits.max_connections)
            .await?;

        let mut runtime_options = RuntimeOptions::new(journal, archive);
        runtime_options.cluster = cluster;
        runtime_options.limits = limits.limits();
        runtime_options.timing = limits.timing();
        runtime_options.authorizer = options.access.authorizer()?;
        runtime_options.privacy = options.privacy.privacy()?;
        runtime_options.unnamed = Some(options.clients.unnamed());
        runtime_options
            .environment
            .clone_from(&options.clients.environment);
        runtime_options.feature_sets = options.clients.feature_sets();
        runtime_options.retention = options.retention.retention();
        // Uploads are answered when the first sink has their records.
        runtime_options
            .sinks
            .push(Arc::clone(&records) as Arc<dyn FeatureSink>);
        runtime_options.sinks.extend(sinks);
        runtime_options.series = options.sinks.series();
        if let Some(scope) = &scope {
            if runtime_options.series.is_none() {
                runtime_options.series = Some(SeriesOptions::default());
                let sinks = runtime_options.sinks.drain(..);
                runtime_options.sinks = sinks
                    .map(|sink| Arc::new(WithoutSeries(sink)) as Arc<dyn FeatureSink>)
                    .collect();
            }
            runtime_options.sinks.push(scope.sink());
        }
        let (runtime, recovery) = Runtime::start(runtime_options).await?;
        tracing::info!(?recovery, "sessions recovered");
        Ok(Self {
            runtime,
            records,
            open_sessions: Arc::default(),
            scope,
            admin_token: options.access.admin_token.as_deref().map(Arc::from),
            turns: Turns::default(),
            max_upload_bytes: limits.max_upload_bytes,
            request_patience: limits.request_patience,
            max_message_bytes: limits.max_message_bytes,
            read_buffer_bytes: limits.read_buffer_bytes.into(),
        })
    }
}
