//! How complete reports replace each other.

use super::Merge;
use crate::delta::DeltaError;
use crate::delta::scan::{Content, ScannedMember, Target};
use crate::stats::{Field, Form, Stats};

impl Merge<'_> {
    /// Makes the stats what the report says, and nothing else.
    pub(super) fn replace(&self, stats: &mut Stats) -> Result<(), DeltaError> {
        self.refuse_null()?;
        self.remove_others(stats);
        let mut order = Vec::new();
        for object in self.scan.objects.iter().filter(|object| !object.is_null()) {
            let form = object.content.form();
            let slot = match object.target {
                Target::Known(slot) => slot,
                Target::New(span) => stats.insert(self.text(span), form),
            };
            if !self.overwrite(&object.content, stats, slot) {
                stats.clear(slot);
                if let Some(slot) = stats.slot_mut(slot) {
                    slot.form = form;
                }
                self.fill(&object.content, stats, slot);
                stats.unset(slot, Field::Id.into());
            }
            if !stats.is_ordered_by_index() && !stats.has_array_index(slot) {
                order.push(slot);
            }
        }
        stats.reorder(&order, |_| true);
        stats.finish_report();
        Ok(())
    }

    fn remove_others(&self, stats: &mut Stats) {
        let mut removed = stats.len() - self.scan.known;
        for object in self.scan.objects.iter().filter(|object| object.is_null()) {
            if let Target::Known(slot) = object.target
                && let Some(slot) = stats.slot_mut(slot)
            {
                slot.seen = 0;
                removed += 1;
            }
        }
        if removed > 0 {
            let attempt = stats.attempts;
            stats.retain(|slot| slot.seen == attempt);
        }
    }

    /// Puts the values of an object in the place of the old ones, if it has the same members in the
    /// same order.
    fn overwrite(&self, content: &Content, stats: &mut Stats, slot: u32) -> bool {
        let Content::Object(range) = content else {
            return false;
        };
        let is_sent = |member: &&ScannedMember| !member.name.is(Field::Id);
        let members = || self.scan.members(range).iter().filter(is_sent);
        let is_alike = stats.slot(slot).is_some_and(|slot| {
            let names = slot.names.iter().copied();
            slot.form == Form::Object && names.eq(members().map(|member| member.name))
        });
        if let (true, Some(mut object)) = (is_alike, stats.members_mut(slot)) {
            for (position, member) in members().enumerate() {
                object.replace(position, self.value(member.value));
            }
        }
        is_alike
    }
}

#[cfg(test)]
mod tests {
    use crate::delta::Decoder;
    use crate::stats::Stats;
    use crate::{Limits, RawJson};

    #[test]
    fn each_report_replaces_the_one_before() {
        let mut decoder = Decoder::full(Limits::default());
        let mut stats = Stats::default();
        for (report, expected) in [
            (
                r#"{"a":{"id":"a","x":1,"y":1},"b":{"x":1},"7":{}}"#,
                r#"{"7":{},"a":{"x":1,"y":1},"b":{"x":1}}"#,
            ),
            (
                r#"{"b":{"x":"2"},"c":{},"a":{"id":"a","x":2}}"#,
                r#"{"b":{"x":"2"},"c":{},"a":{"x":2}}"#,
            ),
            (r#"{"a":{"x":3},"b":null,"c":5}"#, r#"{"a":{"x":3},"c":5}"#),
            (r#"{"c":{"x":1}}"#, r#"{"c":{"x":1}}"#),
            ("{}", "{}"),
        ] {
            let report = RawJson::parse(report).unwrap();
            decoder.decode(report, &mut stats).unwrap();
            let mut json = String::new();
            stats.write_json(&mut json);
            assert_eq!(json, expected);
        }
    }
}
