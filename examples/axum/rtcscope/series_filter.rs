//! Sinks that do not want series.

use std::sync::Arc;

use rtcstats_server_core::{
    BoxFuture, DumpName, Erasure, FeatureSink, Selection, SessionRecord, SinkError,
};

/// A sink that gets records without the part `series`: hundreds of kilobytes of a long session, which the
/// points of the API have already.
pub(crate) struct WithoutSeries(pub(crate) Arc<dyn FeatureSink>);

impl FeatureSink for WithoutSeries {
    fn publish(&self, record: &SessionRecord) -> BoxFuture<'_, Result<(), SinkError>> {
        let parts = record.parts.iter().filter(|part| part.part != "series");
        let without = SessionRecord {
            name: record.name.clone(),
            parts: parts.cloned().collect(),
        };
        Box::pin(async move { self.0.publish(&without).await })
    }

    fn erase(&self, sessions: &[DumpName]) -> BoxFuture<'_, Result<Erasure, SinkError>> {
        self.0.erase(sessions)
    }

    fn find(
        &self,
        selection: &Selection,
    ) -> BoxFuture<'_, Result<Option<Vec<DumpName>>, SinkError>> {
        self.0.find(selection)
    }

    fn stored(&self, name: &DumpName) -> BoxFuture<'_, Result<Option<SessionRecord>, SinkError>> {
        self.0.stored(name)
    }

    fn name(&self) -> &str {
        self.0.name()
    }
}
