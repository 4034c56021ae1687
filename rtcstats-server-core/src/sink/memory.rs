//! A sink in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::future::ready;
use std::sync::{Mutex, PoisonError};

use serde_json::value::RawValue;

use super::summary::RecordSummary;
use super::{Erasure, FeatureSink, RecordPart, Selection, SessionRecord, SinkError};
use crate::{BoxFuture, DumpName, RecordEntry, RecordPage, RecordQuery, RecordSearch, RecordStore};

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

impl MemorySink {
    /// All records, in the order of their names, and when they were published: nobody notes that, so
    /// it is when they ended. What has no times ends when the Unix epoch begins.
    fn records(&self) -> impl Iterator<Item = (SessionRecord, f64)> {
        let mut records: BTreeMap<DumpName, Vec<RecordPart>> = BTreeMap::new();
        for ((name, part), json) in self.parts() {
            let parts = records.entry(name).or_default();
            parts.push(RecordPart { part, json });
        }
        records.into_iter().map(|(name, parts)| {
            let record = SessionRecord { name, parts };
            let ended = RecordSummary::of(&record).times(f64::INFINITY).ended;
            let published = if ended.is_finite() { ended } else { 0.0 };
            (record, published)
        })
    }
}

/// The latest are those that ended last.
impl RecordStore for MemorySink {
    fn record(&self, name: &DumpName) -> BoxFuture<'_, Result<Option<SessionRecord>, SinkError>> {
        self.stored(name)
    }

    fn latest(&self, query: &RecordQuery) -> BoxFuture<'_, Result<Vec<RecordEntry>, SinkError>> {
        let records = self.records();
        let wanted = records.filter(|(record, _)| RecordSummary::of(record).matches(query));
        let mut entries: Vec<_> = wanted
            .map(|(record, modified_ms)| RecordEntry {
                name: record.name,
                modified_ms,
            })
            .collect();
        entries.sort_by(|one, other| other.modified_ms.total_cmp(&one.modified_ms));
        entries.truncate(query.limit);
        Box::pin(ready(Ok(entries)))
    }

    fn search(&self, search: &RecordSearch) -> BoxFuture<'_, Result<RecordPage, SinkError>> {
        Box::pin(ready(Ok(search.select(self.records()))))
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
        let records = self.records();
        let selected = records.filter(|(record, published)| {
            RecordSummary::of(record).is_selected(&record.name, *published, selection)
        });
        let found = selected.map(|(record, _)| record.name).collect();
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
