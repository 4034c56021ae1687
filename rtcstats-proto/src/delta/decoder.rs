//! From wire deltas to stats (Jitsi spec, section 10.2).

use super::DeltaError;
use super::date::milliseconds;
use super::scan::{Content, NO_POSITION, Scan, ScannedMember, ScannedObject, ScannedValue, Target};
use crate::json::Value;
use crate::stats::{Field, Form, NameFilter, NewValue, Stats};
use crate::{Limits, RawJson};

/// Merges the reports of one client into the [`Stats`] of its peer connections.
///
/// One decoder serves any number of connections. A report is atomic: where it is malformed or over
/// a limit, the stats stay as they were. Merging a report like the one before allocates nothing.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    strictness: Strictness,
    scan: Scan,
}

/// What to do with input on which existing decoders fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Strictness {
    /// Make the best of it.
    #[default]
    Lenient,
    /// Fail where they do.
    Strict,
}

impl Decoder {
    /// A decoder for the deltas of Jitsi 3.x clients.
    pub fn jitsi(limits: Limits) -> Self {
        Self {
            limits,
            strictness: Strictness::Lenient,
            scan: Scan::default(),
        }
    }

    /// Sets how reports are treated on which existing decoders fail: `null` in the place of an
    /// object counts as removal, unless strict.
    #[must_use]
    pub fn with_strictness(mut self, strictness: Strictness) -> Self {
        self.strictness = strictness;
        self
    }

    /// Merges a report into the stats of its connection.
    ///
    /// The first report of a connection is taken as it is, its zero timestamps and its top-level
    /// `timestamp` included, which is a scalar object there until the second report.
    ///
    /// # Errors
    ///
    /// If the report is malformed or over a limit, with the place in it. The stats are then as
    /// before.
    pub fn decode(&mut self, report: RawJson<'_>, stats: &mut Stats) -> Result<(), DeltaError> {
        let text = report.as_str();
        let is_first = stats.reports() == 0;
        self.scan.read(text, stats, &self.limits, !is_first)?;
        let result = if is_first {
            self.take_first(text, stats);
            Ok(())
        } else {
            self.merge(text, stats)
        };
        self.scan.shrink();
        result
    }

    fn take_first(&self, text: &str, stats: &mut Stats) {
        for object in &self.scan.objects {
            if let Target::New(span) = object.target {
                let slot = stats.insert(self.scan.text(span, text), object.content.form());
                self.fill(&object.content, text, stats, slot);
            }
        }
        stats.finish_report();
    }

    fn merge(&self, text: &str, stats: &mut Stats) -> Result<(), DeltaError> {
        let scan = &self.scan;
        if self.strictness == Strictness::Strict
            && let Some(object) = scan.objects.iter().find(|object| object.is_null())
        {
            return Err(DeltaError::NullObject {
                offset: object.offset,
            });
        }
        let falsy_ids = self.remove_missing(stats);
        let mut falsy_ids = falsy_ids.into_iter();
        for object in &scan.objects {
            let slot = match object.target {
                Target::Known(slot) if !object.is_falsy() => {
                    self.merge_known(object, text, stats, slot);
                    continue;
                }
                // Removed by this very report, and back behind the others.
                Target::Known(_) => falsy_ids.next().map(|id| (id, Form::Scalar)),
                Target::New(span) => {
                    Some((scan.text(span, text).to_owned(), object.content.form()))
                }
            };
            if let Some((id, form)) = slot.filter(|_| !object.is_null()) {
                let slot = stats.insert(&id, form);
                self.fill(&object.content, text, stats, slot);
                self.resolve_zero(&object.content, text, stats, slot);
            }
        }
        stats.finish_report();
        Ok(())
    }

    /// Removes the objects that the report does not have, or has as something falsy; the ids of
    /// the latter, in the order of the report.
    fn remove_missing(&self, stats: &mut Stats) -> Vec<String> {
        let mut falsy_ids = Vec::new();
        for object in self.scan.objects.iter().filter(|object| object.is_falsy()) {
            if let Target::Known(slot) = object.target
                && let Some(slot) = stats.slot_mut(slot)
            {
                slot.seen = 0;
                falsy_ids.push(slot.id.to_string());
            }
        }
        if !falsy_ids.is_empty() || self.scan.known < stats.len() {
            let attempt = stats.attempts;
            stats.retain(|slot| slot.seen == attempt);
        }
        falsy_ids
    }

    fn merge_known(&self, object: &ScannedObject, text: &str, stats: &mut Stats, slot: u32) {
        let is_scalar = stats
            .slot(slot)
            .is_some_and(|slot| slot.form == Form::Scalar);
        if is_scalar {
            let is_truthy = stats
                .slot(slot)
                .and_then(|slot| slot.values.first())
                .is_some_and(|value| stats.value(*value).is_truthy());
            if !is_truthy {
                stats.clear(slot);
                if let Some(slot) = stats.slot_mut(slot) {
                    slot.form = object.content.form();
                }
                self.fill(&object.content, text, stats, slot);
                self.resolve_zero(&object.content, text, stats, slot);
            }
            return;
        }
        match &object.content {
            Content::Object(range) | Content::Array(range) => {
                self.apply_members(self.scan.members(range), text, stats, slot);
            }
            Content::Scalar(ScannedValue::Text(span)) => {
                self.copy_characters(self.scan.text(*span, text), stats, slot);
            }
            // Numbers and `true` have no members to copy.
            Content::Scalar(_) => {}
        }
    }

    #[inline]
    fn apply_members(&self, members: &[ScannedMember], text: &str, stats: &mut Stats, slot: u32) {
        let Some(mut object) = stats.members_mut(slot) else {
            return;
        };
        let mut timestamp = Timestamp::Missing;
        // New members go where the client has them, so that the next report is as expected.
        let mut place = 0;
        let mut has_new = false;
        for member in members {
            let mut value = member.value;
            if member.name.is(Field::Timestamp) {
                timestamp = match self.scan.timestamp {
                    _ if !value.is_zero() && !value.is_truthy() => Timestamp::Missing,
                    None if value.is_zero() => Timestamp::Undefined,
                    _ => Timestamp::Given,
                };
                if timestamp != Timestamp::Given {
                    continue;
                }
                if let Some(report) = self.scan.timestamp
                    && value.is_zero()
                {
                    value = report;
                }
            }
            let value = self.scan.value(value, text);
            has_new |= member.position == NO_POSITION;
            if has_new {
                // From here on positions are those of before.
                place = object.put(member.name, place, value) + 1;
            } else {
                object.replace(usize::from(member.position), value);
                place = usize::from(member.position) + 1;
            }
        }
        match timestamp {
            Timestamp::Given => {}
            Timestamp::Missing => self.keep_timestamp(stats, slot),
            Timestamp::Undefined => stats.unset(slot, Field::Timestamp.into()),
        }
        if has_new {
            stats.shrink(slot);
        }
    }

    /// A zero timestamp stands for that of the report.
    fn set_report_timestamp(&self, text: &str, stats: &mut Stats, slot: u32) {
        match self.scan.timestamp {
            Some(value) => {
                stats.set(slot, Field::Timestamp.into(), self.scan.value(value, text));
            }
            None => stats.unset(slot, Field::Timestamp.into()),
        }
    }

    /// An object without a timestamp keeps its own, but loses the fraction on the way.
    fn keep_timestamp(&self, stats: &mut Stats, slot: u32) {
        let Some(known) = stats.slot(slot) else {
            return;
        };
        let own = known
            .position(Field::Timestamp.into())
            .and_then(|position| known.values.get(position));
        let own = own.map(|value| stats.value(*value));
        let kept = milliseconds(own);
        if own != Some(Value::Number(kept)) {
            stats.set(slot, Field::Timestamp.into(), NewValue::Number(kept));
        }
    }

    fn fill(&self, content: &Content, text: &str, stats: &mut Stats, slot: u32) {
        match content {
            Content::Object(range) | Content::Array(range) => {
                let mut names = NameFilter::default();
                if let Some(mut object) = stats.members_mut(slot) {
                    object.reserve(range.len());
                    for member in self.scan.members(range) {
                        let value = self.scan.value(member.value, text);
                        if names.insert(member.name) {
                            object.insert(member.name, usize::MAX, value);
                        } else {
                            object.put(member.name, usize::MAX, value);
                        }
                    }
                }
                stats.shrink(slot);
            }
            Content::Scalar(value) => stats.set_scalar(slot, self.scan.value(*value, text)),
        }
    }

    /// A zero timestamp in an object that is new stands for that of the report; others stay.
    fn resolve_zero(&self, content: &Content, text: &str, stats: &mut Stats, slot: u32) {
        let Content::Object(range) = content else {
            return;
        };
        let mut members = self.scan.members(range).iter();
        let timestamp = members.rfind(|member| member.name.is(Field::Timestamp));
        if timestamp.is_some_and(|member| member.value.is_zero()) {
            self.set_report_timestamp(text, stats, slot);
        }
    }

    /// A text in the place of an object is copied character by character.
    fn copy_characters(&self, characters: &str, stats: &mut Stats, slot: u32) {
        for (index, character) in characters.chars().enumerate() {
            // Known since the scan, which checked the limits.
            if let Some(name) = stats.intern(&index.to_string(), self.limits.unknown_names) {
                stats.set(
                    slot,
                    name,
                    NewValue::Text(character.encode_utf8(&mut [0; 4])),
                );
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Timestamp {
    /// Or falsy.
    Missing,
    Given,
    /// That of the report, which has none.
    Undefined,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delta::DeltaLimit;

    fn decoded(reports: &[&str]) -> Result<Stats, DeltaError> {
        decoded_within(Limits::default(), reports)
    }

    fn decoded_within(limits: Limits, reports: &[&str]) -> Result<Stats, DeltaError> {
        let mut decoder = Decoder::jitsi(limits);
        let mut stats = Stats::default();
        for report in reports {
            decoder.decode(RawJson::trusted(report), &mut stats)?;
        }
        Ok(stats)
    }

    fn json(stats: &Stats) -> String {
        let mut json = String::new();
        stats.write_json(&mut json);
        json
    }

    #[test]
    fn of_a_repeated_id_the_later_value_counts_in_the_earlier_place() {
        let stats = decoded(&[r#"{"a":{"x":1,"y":1},"b":{},"a":{"x":2},"c":1,"a":{"x":3}}"#]);
        assert_eq!(json(&stats.unwrap()), r#"{"a":{"x":3},"b":{},"c":1}"#);
        let stats = decoded(&[
            r#"{"a":{"x":1},"b":{}}"#,
            r#"{"d":{"x":1},"b":0,"d":{"x":2},"a":{"x":2,"y":2},"b":{},"a":{"x":3}}"#,
        ]);
        assert_eq!(
            json(&stats.unwrap()),
            r#"{"a":{"x":3,"timestamp":null},"b":{"timestamp":null},"d":{"x":2}}"#
        );
    }

    #[test]
    fn a_member_that_comes_late_stands_where_the_client_sends_it() {
        let stats = decoded(&[
            r#"{"a":{"timestamp":0,"x":1,"z":1}}"#,
            r#"{"a":{"timestamp":0,"x":2,"y":2,"y2":2,"z":2},"timestamp":7}"#,
            r#"{"a":{"timestamp":0,"y":3,"y2":3,"z":3},"timestamp":8}"#,
        ]);
        assert_eq!(
            json(&stats.unwrap()),
            r#"{"a":{"timestamp":8,"x":2,"y":3,"y2":3,"z":3}}"#
        );
    }

    #[test]
    fn of_a_repeated_timestamp_only_the_last_counts() {
        let stats = decoded(&[
            r#"{"a":{"timestamp":5}}"#,
            r#"{"a":{"timestamp":0,"timestamp":null},"timestamp":7}"#,
        ]);
        assert_eq!(json(&stats.unwrap()), r#"{"a":{"timestamp":5}}"#);
        let stats = decoded(&[
            r#"{"a":{"x":1,"timestamp":5,"y":1}}"#,
            r#"{"a":{"timestamp":0,"x":2,"timestamp":null},"timestamp":7}"#,
        ]);
        assert_eq!(
            json(&stats.unwrap()),
            r#"{"a":{"x":2,"timestamp":5,"y":1}}"#
        );
    }

    #[test]
    fn a_zero_timestamp_in_a_report_without_one_removes_the_objects_own() {
        let stats = decoded(&[
            r#"{"a":{"timestamp":5,"x":1,"y":1}}"#,
            r#"{"a":{"timestamp":0,"x":2,"y":3}}"#,
        ]);
        assert_eq!(json(&stats.unwrap()), r#"{"a":{"x":2,"y":3}}"#);
    }

    #[test]
    fn a_text_in_the_place_of_an_object_is_copied_within_the_limits() {
        let reports = [r#"{"a":{"x":1}}"#, r#"{"a":"t\u00e9x"}"#];
        assert_eq!(
            json(&decoded(&reports).unwrap()),
            r#"{"a":{"x":1,"0":"t","1":"é","2":"x"}}"#
        );
        let names = Limits {
            unknown_names: 3,
            ..Limits::default()
        };
        let members = Limits {
            members: 2,
            ..Limits::default()
        };
        let values = Limits {
            values: 3,
            ..Limits::default()
        };
        for (limits, expected) in [
            (names, DeltaLimit::UnknownNames),
            (members, DeltaLimit::Members),
            (values, DeltaLimit::Values),
        ] {
            let error = decoded_within(limits, &reports).unwrap_err();
            assert!(matches!(error, DeltaError::Limit { limit, .. } if limit == expected));
        }
    }

    #[test]
    fn the_copies_of_a_long_report_timestamp_are_counted() {
        let limits = Limits {
            text_bytes: 100,
            ..Limits::default()
        };
        let first = r#"{"a":{"timestamp":0},"b":{"timestamp":0}}"#;
        let report = |length| {
            let text = "x".repeat(length);
            format!(r#"{{"a":{{"timestamp":0}},"b":{{"timestamp":0}},"timestamp":"{text}"}}"#)
        };
        let stats = decoded_within(limits, &[first, &report(33)]).unwrap();
        assert_eq!(stats.text_bytes(), 66);
        let error = decoded_within(limits, &[first, &report(60)]).unwrap_err();
        assert!(matches!(
            error,
            DeltaError::Limit {
                limit: DeltaLimit::TextBytes,
                ..
            }
        ));
    }

    #[test]
    fn a_sparse_array_is_not_written_at_full_length() {
        let stats = decoded(&[r#"{"a":[1]}"#, r#"{"a":{"2":3,"4294967294":1}}"#]).unwrap();
        assert_eq!(json(&stats), r#"{"a":[1,null,3]}"#);
    }

    #[test]
    fn objects_over_the_limit_are_refused_where_they_begin() {
        let limits = Limits {
            objects: 2,
            ..Limits::default()
        };
        let error = decoded_within(limits, &[r#"{"a":1,"b":1,"c":1,"#]).unwrap_err();
        let DeltaError::Limit { limit, offset, .. } = error else {
            panic!("{error}");
        };
        assert_eq!((limit, offset), (DeltaLimit::Objects, 13));
    }
}
