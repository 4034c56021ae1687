//! A sink in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::future::ready;
use std::sync::{Mutex, PoisonError};

use serde_json::value::RawValue;

use super::summary::RecordSummary;
use super::{Erasure, FeatureSink, RecordPart, Selection, SessionRecord, SinkError};
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

    fn erase(&self, sessions: &[DumpName]) -> BoxFuture<'_, Result<Erasure, SinkError>> {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut erased = BTreeSet::new();
        parts.retain(|(name, _), _| {
            let is_kept = !sessions.contains(name);
            if !is_kept {
                erased.insert(name.clone());
            }
            is_kept
        });
        Box::pin(ready(Ok(Erasure::Erased(erased.len() as u64))))
    }

    /// What has no times ends when the Unix epoch begins.
    fn find(
        &self,
        selection: &Selection,
    ) -> BoxFuture<'_, Result<Option<Vec<DumpName>>, SinkError>> {
        let mut records: BTreeMap<DumpName, Vec<RecordPart>> = BTreeMap::new();
        for ((name, part), json) in self.parts() {
            let parts = records.entry(name).or_default();
            parts.push(RecordPart { part, json });
        }
        let mut found = Vec::new();
        for (name, parts) in records {
            let record = SessionRecord { name, parts };
            let summary = RecordSummary::of(&record);
            let published = summary.times(f64::INFINITY).ended;
            let published = if published.is_finite() {
                published
            } else {
                0.0
            };
            if summary.is_selected(&record.name, published, selection) {
                found.push(record.name);
            }
        }
        Box::pin(ready(Ok(Some(found))))
    }

    fn stored(&self, name: &DumpName) -> BoxFuture<'_, Result<Option<SessionRecord>, SinkError>> {
        let parts = self.parts().into_iter();
        let parts = parts.filter(|((own, _), _)| own == name);
        let parts: Vec<RecordPart> = parts
            .map(|((_, part), json)| RecordPart { part, json })
            .collect();
        let record = (!parts.is_empty()).then(|| SessionRecord {
            name: name.clone(),
            parts,
        });
        Box::pin(ready(Ok(record)))
    }

    fn name(&self) -> &str {
        "memory"
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use serde_json::value::to_raw_value;

    use super::*;
    use crate::testing::block_on;

    #[test]
    fn sessions_are_found_and_erased_with_all_their_parts() {
        let sink = MemorySink::default();
        for (name, user) in [("a", "ann"), ("b", "bob")] {
            let part = |part: &str, json: serde_json::Value| RecordPart {
                part: part.to_owned(),
                json: to_raw_value(&json).unwrap(),
            };
            let record = SessionRecord {
                name: name.parse().unwrap(),
                parts: vec![
                    part("session", json!({"user": user, "startedMs": 5})),
                    part("other", json!(1)),
                ],
            };
            block_on(sink.publish(&record)).unwrap();
        }
        let find = |selection| block_on(sink.find(&selection)).unwrap().unwrap();
        let a: DumpName = "a".parse().unwrap();
        assert_eq!(
            find(Selection::User("ann".to_owned())),
            std::slice::from_ref(&a)
        );
        assert_eq!(find(Selection::EndedBefore(6.0)).len(), 2);
        assert_eq!(find(Selection::EndedBefore(5.0)).len(), 0);
        assert_eq!(
            block_on(sink.erase(std::slice::from_ref(&a))).unwrap(),
            Erasure::Erased(1)
        );
        assert_eq!(block_on(sink.erase(&[a])).unwrap(), Erasure::Erased(0));
        assert_eq!(sink.parts().len(), 2);
    }
}
