//! How reports of Jitsi 3.x clients are merged (Jitsi spec, section 10.2).

use super::Merge;
use crate::delta::DeltaError;
use crate::delta::date::milliseconds;
use crate::delta::scan::{
    Content, NO_POSITION, ScannedMember, ScannedObject, ScannedValue, Target,
};
use crate::json::Value;
use crate::stats::{Field, Form, MembersMut, NewValue, Stats};

impl Merge<'_> {
    /// Takes the first report of a connection, as it is.
    pub(super) fn take_first(&self, stats: &mut Stats) {
        for object in &self.scan.objects {
            if let Target::New(span) = object.target {
                let slot = stats.insert(self.text(span), object.content.form());
                self.fill(&object.content, stats, slot);
            }
        }
        stats.finish_report();
    }

    /// Merges a later one.
    pub(super) fn merge_jitsi(&self, stats: &mut Stats) -> Result<(), DeltaError> {
        let scan = self.scan;
        self.refuse_null()?;
        let falsy_ids = self.remove_missing(stats);
        let mut falsy_ids = falsy_ids.into_iter();
        for object in &scan.objects {
            let slot = match object.target {
                Target::Known(slot) if !object.is_falsy() => {
                    self.merge_known(object, stats, slot);
                    continue;
                }
                // Removed by this very report, and back behind the others.
                Target::Known(_) => falsy_ids.next().map(|id| (id, Form::Scalar)),
                Target::New(span) => Some((self.text(span).to_owned(), object.content.form())),
            };
            if let Some((id, form)) = slot.filter(|_| !object.is_null()) {
                let slot = stats.insert(&id, form);
                self.fill(&object.content, stats, slot);
                self.resolve_zero(&object.content, stats, slot);
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

    #[inline]
    pub(super) fn merge_known(&self, object: &ScannedObject, stats: &mut Stats, slot: u32) {
        let is_scalar = stats
            .slot(slot)
            .is_some_and(|slot| slot.form == Form::Scalar);
        if is_scalar {
            let is_truthy = stats
                .slot(slot)
                .and_then(|slot| slot.values.first())
                .is_some_and(|value| stats.value(value).is_truthy());
            if !is_truthy {
                stats.clear(slot);
                if let Some(slot) = stats.slot_mut(slot) {
                    slot.form = object.content.form();
                }
                self.fill(&object.content, stats, slot);
                self.resolve_zero(&object.content, stats, slot);
            }
            return;
        }
        match &object.content {
            Content::Object(range) | Content::Array(range) => {
                self.apply_members(self.scan.members(range), stats, slot);
            }
            Content::Scalar(ScannedValue::Text(span)) => {
                self.copy_characters(self.text(*span), stats, slot);
            }
            // Numbers and `true` have no members to copy.
            Content::Scalar(_) => {}
        }
    }

    #[inline]
    fn apply_members(&self, members: &[ScannedMember], stats: &mut Stats, slot: u32) {
        let Some(mut object) = stats.members_mut(slot) else {
            return;
        };
        if let [member] = members
            && self.renews_timestamp(member, &mut object)
        {
            return;
        }
        let mut timestamp = Timestamp::Missing;
        // New members go where the client has them, so that the next report is as expected.
        let mut place = 0;
        let mut has_new = false;
        for member in members {
            let mut value = member.value;
            if !member.name.is(Field::Timestamp) {
                if let ScannedValue::Number(number) = value
                    && !has_new
                    && object.replace_number(usize::from(member.position), number)
                {
                    place = usize::from(member.position) + 1;
                    continue;
                }
            } else {
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
            let value = self.value(value);
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

    /// Most objects have changed in nothing but their timestamp, to that of the report: whether this is
    /// one, which is then done.
    #[inline]
    fn renews_timestamp(&self, member: &ScannedMember, object: &mut MembersMut<'_>) -> bool {
        match self.scan.timestamp {
            Some(ScannedValue::Number(timestamp)) => {
                member.name.is(Field::Timestamp)
                    && member.value.is_zero()
                    && object.replace_number(usize::from(member.position), timestamp)
            }
            _ => false,
        }
    }

    /// A zero timestamp stands for that of the report.
    fn set_report_timestamp(&self, stats: &mut Stats, slot: u32) {
        match self.scan.timestamp {
            Some(value) => {
                stats.set(slot, Field::Timestamp.into(), self.value(value));
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
        let own = own.map(|value| stats.value(value));
        let kept = milliseconds(own);
        if own != Some(Value::Number(kept)) {
            stats.set(slot, Field::Timestamp.into(), NewValue::Number(kept));
        }
    }

    /// A zero timestamp in an object that is new stands for that of the report; others stay.
    pub(super) fn resolve_zero(&self, content: &Content, stats: &mut Stats, slot: u32) {
        let Content::Object(range) = content else {
            return;
        };
        let mut members = self.scan.members(range).iter();
        let timestamp = members.rfind(|member| member.name.is(Field::Timestamp));
        if timestamp.is_some_and(|member| member.value.is_zero()) {
            self.set_report_timestamp(stats, slot);
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
