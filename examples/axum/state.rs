//! What the handlers share.

use std::error::Error;
use std::sync::Arc;

use rtcstats_server_core::{
    DirectoryArchive, DirectoryArchiveOptions, DirectorySink, FeatureSink, FileJournal, JsonlSink,
    Runtime, RuntimeOptions,
};

use crate::options::Options;

/// The running server, and where the records of finished sessions are looked up.
#[derive(Clone)]
pub(crate) struct AppState {
    pub(crate) runtime: Runtime,
    pub(crate) records: Arc<DirectorySink>,
    pub(crate) max_message_bytes: usize,
    pub(crate) read_buffer_bytes: usize,
}

impl AppState {
    /// Opens everything below the data directory and starts the runtime.
    pub(crate) async fn open(options: &Options) -> Result<Self, Box<dyn Error>> {
        std::fs::create_dir_all(&options.data)?;
        let (journal, cut) = FileJournal::open(options.data.join("journal"), options.journal())?;
        tracing::info!(?cut, "journal opened");
        let archive = DirectoryArchive::open(
            options.data.join("dumps"),
            DirectoryArchiveOptions::default(),
        )?;
        let features = JsonlSink::open(options.data.join("features.jsonl"))?;
        let records = Arc::new(DirectorySink::open(options.data.join("records"))?);

        let mut runtime_options = RuntimeOptions::new(Arc::new(journal), Arc::new(archive));
        runtime_options.limits = options.limits();
        runtime_options.timing = options.timing();
        runtime_options.authorizer = options.authorizer()?;
        runtime_options.privacy = options.privacy()?;
        runtime_options.unnamed = Some(options.unnamed());
        runtime_options.environment.clone_from(&options.environment);
        runtime_options.feature_sets = options.feature_sets();
        runtime_options.sinks = vec![
            Arc::new(features),
            Arc::clone(&records) as Arc<dyn FeatureSink>,
        ];
        let (runtime, recovery) = Runtime::start(runtime_options).await?;
        tracing::info!(?recovery, "sessions recovered");
        Ok(Self {
            runtime,
            records,
            max_message_bytes: options.max_message_bytes,
            read_buffer_bytes: options.read_buffer_bytes.into(),
        })
    }
}
