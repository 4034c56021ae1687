//! A sink in memory.

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::{Mutex, PoisonError};

use serde_json::value::RawValue;

use super::{FeatureSink, RecordPart, SessionRecord, SinkError};
use crate::{BoxFuture, DumpName};

/// A [`FeatureSink`] that keeps everything in memory, for ever: for tests.
#[derive(Debug, Default)]
pub struct MemorySink {
    parts: Mutex<BTreeMap<(DumpName, String), Box<RawValue>>>,
}

impl MemorySink {
    /// A copy of what was published, by session and part.
    pub fn parts(&self) -> BTreeMap<(DumpName, String), Box<RawValue>> {
        self.parts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl FeatureSink for MemorySink {
    fn publish(&self, record: &SessionRecord) -> BoxFuture<'_, Result<(), SinkError>> {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        for RecordPart { part, json } in &record.parts {
            parts
                .entry((record.name.clone(), part.clone()))
                .or_insert_with(|| json.clone());
        }
        Box::pin(ready(Ok(())))
    }

    fn name(&self) -> &str {
        "memory"
    }
}
