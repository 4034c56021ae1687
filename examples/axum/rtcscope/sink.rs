//! The series of sessions that are over, on their way to the store.

use std::future::ready;
use std::sync::Arc;

use rtcstats_server_core::{
    BoxFuture, DumpName, Erasure, FeatureSink, Selection, SessionRecord, SinkError,
};

use super::bounds::Bounds;
use super::live::LiveCalls;
use super::names::SeriesNames;
use super::point::CallId;
use super::store::PointStore;
use super::{sessions, time};

const NAME: &str = "rtcscope";

/// Stores the part `series` of records. A record that comes again is stored instead of the one before; one
/// without that part leaves what is there.
pub(crate) struct PointSink {
    pub(crate) names: Arc<SeriesNames>,
    pub(crate) store: Arc<dyn PointStore>,
    pub(crate) live: Arc<LiveCalls>,
    pub(crate) bounds: Bounds,
}

impl PointSink {
    async fn store(&self, record: &SessionRecord) -> Result<(), SinkError> {
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
            SinkError::new(NAME, Some(record.name.clone()), error)
        };
        if let Some(series) = record.part("series")
            && let Ok(call) = CallId::parse(&record.name.to_string())
        {
            let times = self.bounds.at(time::now());
            let points = sessions::points(&call, series.get(), &self.names, &times);
            let points = points.map_err(|error| failed(error.into()))?;
            let stored = self.store.write_session(&call, &points).await;
            stored.map_err(|error| failed(error.into()))?;
        }
        self.live.forget(&record.name);
        Ok(())
    }
}

impl FeatureSink for PointSink {
    fn publish(&self, record: &SessionRecord) -> BoxFuture<'_, Result<(), SinkError>> {
        let record = record.clone();
        Box::pin(async move { self.store(&record).await })
    }

    fn erase(&self, sessions: &[DumpName]) -> BoxFuture<'_, Result<Erasure, SinkError>> {
        let sessions = sessions.to_vec();
        Box::pin(async move {
            let calls = sessions.iter().map(|name| CallId::parse(&name.to_string()));
            let calls: Vec<_> = calls.flatten().collect();
            for name in &sessions {
                self.live.forget(name);
            }
            let erased = self.store.erase(&calls).await;
            let erased = erased.map_err(|error| SinkError::new(NAME, None, error))?;
            Ok(Erasure::Erased(erased))
        })
    }

    /// By their ids: nothing else is known of calls.
    fn find(
        &self,
        selection: &Selection,
    ) -> BoxFuture<'_, Result<Option<Vec<DumpName>>, SinkError>> {
        let Selection::Session(session) = selection else {
            return Box::pin(ready(Ok(None)));
        };
        let session = session.clone();
        Box::pin(async move {
            let calls = self.store.find(&session).await;
            let calls = calls.map_err(|error| SinkError::new(NAME, None, error))?;
            let names = calls.iter().flat_map(|call| call.parse::<DumpName>());
            Ok(Some(
                names.filter(|name| *name.session_id() == session).collect(),
            ))
        })
    }

    fn name(&self) -> &str {
        NAME
    }
}
