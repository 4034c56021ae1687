//! What the handlers share.

use std::error::Error;
use std::sync::Arc;

use rtcstats_server_core::{FeatureSink, RecordStore, Runtime, RuntimeOptions};

use crate::options::{OpenArchive, OpenJournal, Options};

/// The running server, and where the records of finished sessions are looked up.
#[derive(Clone)]
pub(crate) struct AppState {
    pub(crate) runtime: Runtime,
    pub(crate) records: Arc<dyn RecordStore>,
    pub(crate) admin_token: Option<Arc<str>>,
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
        runtime_options.series = options.sinks.series();
        runtime_options.retention = options.retention.retention();
        // Uploads are answered when the first sink has their records.
        runtime_options
            .sinks
            .push(Arc::clone(&records) as Arc<dyn FeatureSink>);
        runtime_options.sinks.extend(sinks);
        let (runtime, recovery) = Runtime::start(runtime_options).await?;
        tracing::info!(?recovery, "sessions recovered");
        Ok(Self {
            runtime,
            records,
            admin_token: options.access.admin_token.as_deref().map(Arc::from),
            max_message_bytes: limits.max_message_bytes,
            read_buffer_bytes: limits.read_buffer_bytes.into(),
        })
    }
}
