//! How reports of rtcstats 5.0 clients are merged (rtcstats spec, section 6.2).
//!
//! Two things differ from the existing decoder, which fails on them: `null` for an unknown id is
//! dropped (unless strict), and a scalar in the place of an object is as if it were not there.

use std::ops::Range;

use super::{Merge, Strictness};
use crate::delta::nested;
use crate::delta::scan::{
    Content, NO_POSITION, ScannedMember, ScannedObject, ScannedValue, Target,
};
use crate::json::Value;
use crate::stats::{Field, Form, MembersMut, NewValue, Slot, Stats, StatsKind, array_index};

/// Memory that is used again and again.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    /// A nested value while it is put together.
    nested: String,
    /// Slots in the order of the report.
    order: Vec<u32>,
}

impl<'a> Merge<'a> {
    pub(super) fn merge_rtcstats(&self, stats: &mut Stats, buffers: &mut Buffers) {
        self.remove_ended(stats);
        for object in &self.scan.objects {
            match object.target {
                _ if object.is_null() && !self.keeps_null(object) => {}
                Target::Known(slot) => self.merge_into(&object.content, stats, slot, buffers),
                Target::New(span) => {
                    let slot = stats.insert(self.text(span), object.content.form());
                    self.fill_numbered(&object.content, stats, slot);
                }
            }
        }
        self.settle_timestamps(stats);
        self.copy_timestamp(stats);
        self.put_first(stats, buffers);
        stats.finish_report();
        buffers.shrink();
    }

    /// `null` ends an object.
    fn remove_ended(&self, stats: &mut Stats) {
        let mut has_ended = false;
        for object in self.scan.objects.iter().filter(|object| object.is_null()) {
            if let Target::Known(slot) = object.target
                && let Some(slot) = stats.slot_mut(slot)
            {
                slot.seen = 0;
                has_ended = true;
            }
        }
        if has_ended {
            stats.retain(|slot| slot.seen != 0);
            let mut unshared = std::mem::take(&mut stats.unshared);
            unshared.retain(|slot| !stats.is_vacant(*slot));
            stats.unshared = unshared;
        }
    }

    fn keeps_null(&self, object: &ScannedObject) -> bool {
        self.strictness == Strictness::Strict && matches!(object.target, Target::New(_))
    }

    fn merge_into(&self, content: &Content, stats: &mut Stats, slot: u32, buffers: &mut Buffers) {
        let is_scalar = stats
            .slot(slot)
            .is_some_and(|slot| slot.form == Form::Scalar);
        match content {
            Content::Object(range) | Content::Array(range) if !is_scalar => {
                self.merge_members(range, stats, slot, &mut buffers.nested);
            }
            Content::Scalar(value) if !is_scalar || !value.is_truthy() => {
                // As if the report had it not.
                let earlier = stats.attempts.wrapping_sub(1);
                if let Some(slot) = stats.slot_mut(slot) {
                    slot.seen = earlier;
                }
            }
            content => {
                stats.clear(slot);
                if let Some(slot) = stats.slot_mut(slot) {
                    slot.form = content.form();
                }
                // It is among those without a shared timestamp already, as every scalar is.
                self.fill_members(content, stats, slot);
                if self.shared_timestamp().is_some() && !self.has_timestamp(content) {
                    stats.share_timestamp(slot);
                }
            }
        }
    }

    /// The members of an object that is there.
    #[inline]
    fn merge_members(
        &self,
        range: &Range<usize>,
        stats: &mut Stats,
        slot: u32,
        buffer: &mut String,
    ) {
        let Some(mut object) = stats.members_mut(slot) else {
            return;
        };
        let mut has_own_timestamp = false;
        // New members go where the client has them, so that the next report is as expected.
        let mut place = 0;
        let mut has_new = false;
        for member in self.scan.members(range) {
            has_own_timestamp |= member.name.is(Field::Timestamp);
            has_new |= member.position == NO_POSITION;
            // From the first new one on positions are those of before.
            let position = if has_new {
                object.position(member.name)
            } else {
                Some(usize::from(member.position))
            };
            place = 1 + match position {
                Some(position) => {
                    self.add_to(member, &mut object, position, buffer);
                    position
                }
                None => object.insert(member.name, place, self.numbered_value(member)),
            };
        }
        let was_shared = has_own_timestamp && object.unshare();
        if was_shared {
            stats.unshared.push(slot);
        }
        if self.shared_timestamp().is_some() && !has_own_timestamp {
            let is_shared = stats.slot(slot).is_some_and(|slot| slot.shares_timestamp);
            if !is_shared {
                stats.share_timestamp(slot);
            }
        }
        if has_new {
            stats.shrink(slot);
        }
    }

    /// Puts a value in the place of a known one, or adds it to that.
    #[inline]
    fn add_to(
        &self,
        member: &ScannedMember,
        object: &mut MembersMut<'_>,
        position: usize,
        buffer: &mut String,
    ) {
        if let ScannedValue::Number(number) = member.value
            && !member.name.is(Field::Type)
            && object.replace_number(position, number)
        {
            return;
        }
        let new = self.numbered_value(member);
        let is_array = matches!(new, NewValue::Nested(text) if text.starts_with('['));
        match object.value(position) {
            Some(known @ (Value::Nested(_) | Value::Null)) if !is_array => {
                buffer.clear();
                nested::merge(known, new, buffer);
                object.replace(position, NewValue::Nested(buffer));
            }
            _ => object.replace(position, new),
        }
    }

    /// The value of a member, a type by its name.
    fn numbered_value(&self, member: &ScannedMember) -> NewValue<'a> {
        let value = self.value(member.value);
        if !member.name.is(Field::Type) {
            return value;
        }
        let kind = match value {
            NewValue::Number(number) => kind_of_number(number),
            NewValue::Text(text) => array_index(text).and_then(kind_of_index),
            _ => None,
        };
        kind.map_or(value, |kind| NewValue::Text(kind.as_str()))
    }

    fn fill_numbered(&self, content: &Content, stats: &mut Stats, slot: u32) {
        self.fill_members(content, stats, slot);
        if self.shared_timestamp().is_some() && !self.has_timestamp(content) {
            stats.share_timestamp(slot);
        } else {
            stats.unshared.push(slot);
        }
    }

    fn fill_members(&self, content: &Content, stats: &mut Stats, slot: u32) {
        self.fill(content, stats, slot);
        if let Content::Object(range) | Content::Array(range) = content {
            let mut members = self.scan.members(range).iter();
            if let Some(kind) = members.rfind(|member| member.name.is(Field::Type)) {
                stats.set(slot, kind.name, self.numbered_value(kind));
            }
        }
    }

    /// Whether the object has a timestamp of its own, or no place for one.
    fn has_timestamp(&self, content: &Content) -> bool {
        match content {
            Content::Object(range) | Content::Array(range) => {
                let mut members = self.scan.members(range).iter();
                members.any(|member| member.name.is(Field::Timestamp))
            }
            Content::Scalar(_) => true,
        }
    }

    /// The timestamp of the report goes into every object that it gives none. Scalars that it does
    /// not have become objects.
    fn settle_timestamps(&self, stats: &mut Stats) {
        if let Some(timestamp) = self.shared_timestamp() {
            stats.set_shared_timestamp(timestamp);
        }
        let attempt = stats.attempts;
        let mut unshared = std::mem::take(&mut stats.unshared);
        unshared.retain(|&number| {
            let Some(slot) = stats.slot(number) else {
                return false;
            };
            if slot.shares_timestamp {
                return false;
            }
            if slot.seen == attempt {
                return true;
            }
            if slot.form == Form::Scalar {
                stats.clear(number);
                if let Some(slot) = stats.slot_mut(number) {
                    slot.form = Form::Object;
                }
            }
            if self.shared_timestamp().is_some() {
                stats.share_timestamp(number);
            }
            self.shared_timestamp().is_none()
        });
        stats.unshared = unshared;
    }

    /// The timestamp of the report, which the objects share if it is a number, as all clients send.
    fn shared_timestamp(&self) -> Option<f64> {
        match self.scan.timestamp {
            Some(ScannedValue::Number(timestamp)) => Some(timestamp),
            _ => None,
        }
    }

    /// A timestamp of the report that is no number is given to each object by itself.
    fn copy_timestamp(&self, stats: &mut Stats) {
        let Some(timestamp) = self.scan.timestamp else {
            return;
        };
        if self.shared_timestamp().is_some() {
            return;
        }
        let objects = self.scan.objects.iter();
        // The slot of one that has ended may be a new one's.
        let with_own =
            objects.filter(|object| !object.is_null() && self.has_timestamp(&object.content));
        let slot_of = |object: &ScannedObject| match object.target {
            Target::Known(slot) => Some(slot),
            Target::New(span) => stats.find(self.text(span)),
        };
        let mut with_own: Vec<u32> = with_own.filter_map(slot_of).collect();
        with_own.sort_unstable();
        for slot in stats.slots() {
            let is_scalar = stats
                .slot(slot)
                .is_some_and(|slot| slot.form == Form::Scalar);
            if !is_scalar && with_own.binary_search(&slot).is_err() {
                stats.set_own_timestamp(slot, self.value(timestamp));
            }
        }
    }

    /// The objects of the report come first, in its order, but behind those that JavaScript orders
    /// by number.
    fn put_first(&self, stats: &mut Stats, buffers: &mut Buffers) {
        if stats.is_ordered_by_index() {
            return;
        }
        let attempt = stats.attempts;
        let is_first = |slot: &Slot| slot.seen == attempt && array_index(&slot.id).is_none();
        buffers.order.clear();
        for object in &self.scan.objects {
            let slot = match object.target {
                Target::Known(slot) => Some(slot).filter(|_| !object.is_null()),
                Target::New(span) => stats.find(self.text(span)),
            };
            let slot = slot.filter(|slot| stats.slot(*slot).is_some_and(is_first));
            buffers.order.extend(slot);
        }
        stats.reorder(&buffers.order, is_first);
    }
}

fn kind_of_number(number: f64) -> Option<StatsKind> {
    let index = number as u32;
    (f64::from(index) == number)
        .then(|| kind_of_index(index))
        .flatten()
}

fn kind_of_index(index: u32) -> Option<StatsKind> {
    StatsKind::from_number(u16::try_from(index).ok()?)
}

impl Buffers {
    /// Gives back what an unusual report made them grow to.
    fn shrink(&mut self) {
        const KEPT: usize = 4_096;
        if self.nested.capacity() > KEPT {
            self.nested = String::new();
        }
        if self.order.capacity() > KEPT {
            self.order = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::delta::{Decoder, DeltaError, DeltaLimit, Strictness};
    use crate::stats::{Field, Stats};
    use crate::{Limits, RawJson};

    fn decoded_by(mut decoder: Decoder, reports: &[&str]) -> Result<String, DeltaError> {
        let mut stats = Stats::default();
        for report in reports {
            decoder.decode(RawJson::trusted(report), &mut stats)?;
        }
        let mut json = String::new();
        stats.write_json(&mut json);
        Ok(json)
    }

    fn decoded(reports: &[&str]) -> String {
        decoded_by(Decoder::rtcstats(Limits::default()), reports).unwrap()
    }

    #[test]
    fn null_for_an_unknown_id_is_dropped_unless_strict() {
        let reports = [r#"{"0":{},"9":null}"#, r#"{"8":null}"#];
        assert_eq!(decoded(&reports), r#"{"0":{}}"#);
        let strict = Decoder::rtcstats(Limits::default()).with_strictness(Strictness::Strict);
        assert_eq!(
            decoded_by(strict, &reports).unwrap(),
            r#"{"0":{},"8":null,"9":{}}"#
        );
    }

    #[test]
    fn a_scalar_in_the_place_of_an_object_is_as_if_it_were_not_there() {
        for scalar in ["0", "5", "true", "\"\"", "\"text\""] {
            let report = format!(r#"{{"a":{scalar},"t":2}}"#);
            let reports = [
                r#"{"a":{"x":1},"b":{}}"#,
                report.as_str(),
                r#"{"a":{"y":1}}"#,
            ];
            assert_eq!(
                decoded(&reports),
                r#"{"a":{"y":1,"x":1,"timestamp":2},"b":{"timestamp":2}}"#
            );
        }
    }

    #[test]
    fn the_short_key_counts_more_than_the_name_in_any_order() {
        for members in [
            r#""80":1,"bytesSent":2"#,
            r#""bytesSent":2,"80":1"#,
            r#""bytesSent":3,"80":1,"bytesSent":2"#,
            r#""80":3,"80":1"#,
            r#""bytesSent":3,"bytesSent":1"#,
        ] {
            let report = format!(r#"{{"0":{{{members}}}}}"#);
            let expected = r#"{"0":{"bytesSent":1}}"#;
            assert_eq!(decoded(&[&report]), expected, "{members}");
            assert_eq!(decoded(&[&report, &report]), expected, "{members}");
            let other = r#"{"0":{"80":7,"79":1}}"#;
            assert_eq!(
                decoded(&[other, &report]),
                r#"{"0":{"bytesSent":1,"packetsSent":1}}"#,
                "{members}"
            );
        }
    }

    #[test]
    fn of_a_repeated_member_only_the_last_is_added_to_what_is_known() {
        let reports = [
            r#"{"0":{"96":{"a":1}}}"#,
            r#"{"0":{"96":{"b":1},"96":{"c":1}}}"#,
        ];
        assert_eq!(
            decoded(&reports),
            r#"{"0":{"qualityLimitationDurations":{"a":1,"c":1}}}"#
        );
    }

    #[test]
    fn the_timestamp_of_the_report_goes_into_every_object_without_its_own() {
        let reports = [
            r#"{"0":{"80":1},"1":{"t":5},"2":{},"t":10}"#,
            r#"{"0":{"t":11},"t":20}"#,
            r#"{"2":{"80":1,"t":21}}"#,
            r#"{"1":{"80":1},"t":30}"#,
        ];
        for (count, expected) in [[10, 5, 10], [11, 20, 20], [11, 20, 21], [30, 30, 30]]
            .iter()
            .enumerate()
        {
            let mut decoder = Decoder::rtcstats(Limits::default());
            let mut stats = Stats::default();
            for report in &reports[..=count] {
                decoder
                    .decode(RawJson::trusted(report), &mut stats)
                    .unwrap();
            }
            let timestamps = stats.iter().map(|object| object.get(Field::Timestamp));
            let timestamps: Vec<_> = timestamps
                .map(|value| value.unwrap().as_number().unwrap() as u32)
                .collect();
            assert_eq!(timestamps, expected);
        }
    }

    #[test]
    fn a_timestamp_that_is_no_number_goes_into_every_object_too() {
        let reports = [
            r#"{"0":{},"1":{},"t":5}"#,
            r#"{"0":{"t":6},"2":{},"t":"now"}"#,
            r#"{"1":7,"3":{"x":1}}"#,
            r#"{"t":8}"#,
        ];
        assert_eq!(
            decoded(&reports[..2]),
            r#"{"0":{"timestamp":6},"1":{"timestamp":"now"},"2":{"timestamp":"now"}}"#
        );
        assert_eq!(
            decoded(&reports[..3]),
            r#"{"0":{"timestamp":6},"1":{"timestamp":"now"},"2":{"timestamp":"now"},"3":{"x":1}}"#
        );
        assert_eq!(
            decoded(&reports),
            r#"{"0":{"timestamp":8},"1":{"timestamp":8},"2":{"timestamp":8},"3":{"x":1,"timestamp":8}}"#
        );
    }

    #[test]
    fn a_slot_that_is_used_again_does_not_inherit_its_timestamp() {
        assert_eq!(
            decoded(&[
                r#"{"0":{"t":5},"1":{},"t":10}"#,
                r#"{"0":null,"2":{"t":6},"t":20}"#,
                r#"{"2":null,"3":{},"t":30}"#,
                r#"{"4":{}}"#,
            ]),
            r#"{"1":{"timestamp":30},"3":{"timestamp":30},"4":{}}"#
        );
    }

    #[test]
    fn objects_of_the_report_come_before_the_others() {
        assert_eq!(
            decoded(&[
                r#"{"a":{},"b":{},"7":{},"c":{}}"#,
                r#"{"c":{},"d":{},"a":{},"3":{}}"#
            ]),
            r#"{"3":{},"7":{},"c":{},"d":{},"a":{},"b":{}}"#
        );
    }

    #[test]
    fn a_nested_value_grows_to_its_limit() {
        let limits = Limits {
            nested_bytes: 40,
            ..Limits::default()
        };
        let first = r#"{"0":{"96":{"cpu":1},"a":[1,2,3,4,5,6],"n":null}}"#;
        for report in [
            r#"{"0":{"96":{"a long name":1,"another long name":2}}}"#,
            r#"{"0":{"96":"text"}}"#,
            r#"{"0":{"a":1}}"#,
            r#"{"0":{"n":"text"}}"#,
        ] {
            let error = decoded_by(Decoder::rtcstats(limits), &[first, report]).unwrap_err();
            let DeltaError::Limit { limit, .. } = error else {
                panic!("{error}");
            };
            assert_eq!(limit, DeltaLimit::NestedBytes, "{report}");
        }
        decoded_by(
            Decoder::rtcstats(limits),
            &[first, r#"{"0":{"96":{"cpu":2}}}"#],
        )
        .unwrap();
    }

    #[test]
    fn an_object_in_the_place_of_one_that_ended_gets_a_timestamp_that_is_a_text() {
        assert_eq!(
            decoded(&[r#"{"0":{"x":1}}"#, r#"{"0":null,"1":{"x":2},"t":"now"}"#]),
            r#"{"1":{"x":2,"timestamp":"now"}}"#
        );
    }

    #[test]
    fn objects_that_stay_count_towards_the_limit() {
        let limits = Limits {
            objects: 2,
            ..Limits::default()
        };
        for decoder in [Decoder::rtcstats, Decoder::legacy] {
            let reports = [
                r#"{"a":{"x":1}}"#,
                r#"{"b":{"x":1}}"#,
                r#"{"a":{"x":2},"b":{"x":2}}"#,
            ];
            decoded_by(decoder(limits), &reports).unwrap();
            let more = [reports[0], reports[1], r#"{"c":{"x":1}}"#];
            let error = decoded_by(decoder(limits), &more).unwrap_err();
            let DeltaError::Limit { limit, .. } = error else {
                panic!("{error}");
            };
            assert_eq!(limit, DeltaLimit::Objects);
        }
    }
}
