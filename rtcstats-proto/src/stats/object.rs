//! One stats object.

use compact_str::CompactString;

use super::packed::Packed;
use super::{Field, Name, Stats, StatsKind};
use crate::json::{Value, write_number, write_text};

/// One object of a report: an `RTCStats` dictionary and its id.
///
/// Two kinds of thing that no browser sends are kept too, because existing decoders do: a report
/// that is a scalar has no members ([`StatsObject::scalar`]), one that is an array has index members.
#[derive(Debug, Clone, Copy)]
pub struct StatsObject<'a> {
    pub(super) stats: &'a Stats,
    pub(super) slot: &'a Slot,
    pub(super) number: u32,
}

/// Where an object lives.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) id: CompactString,
    /// Whether the id is written without escapes.
    pub(crate) has_plain_id: bool,
    pub(crate) form: Form,
    pub(crate) kind: Option<StatsKind>,
    /// Whether its timestamp is the one that all such objects share.
    pub(crate) shares_timestamp: bool,
    /// Names and values side by side, in the order in which the client sends them.
    pub(crate) names: Vec<Name>,
    pub(crate) values: Vec<Packed>,
    /// Marks of the names, so that most that are absent need no search.
    pub(crate) present: u128,
    /// Which of the first 128 members the last delta had.
    pub(crate) predicted: u128,
    /// The slot that came next in the last report.
    pub(crate) follower: u32,
    /// The report (see [`Stats::reports`]) that brought the object.
    pub(crate) since: u32,
    /// The last line that named it; a mark for the decoder.
    pub(crate) seen: u32,
    /// Counts the changes of `names`, those of earlier objects in the slot included.
    pub(crate) shape: u32,
}

/// What a report was written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Object,
    Array,
    /// Its value is the one entry of `values`, which has no name.
    Scalar,
    /// The slot is free.
    Vacant,
}

impl Slot {
    #[inline]
    pub(crate) fn position(&self, name: Name) -> Option<usize> {
        if self.present & name.mark() == 0 {
            return None;
        }
        self.names.iter().position(|own| *own == name)
    }
}

impl<'a> StatsObject<'a> {
    /// The id, the key in the report.
    pub fn id(self) -> &'a str {
        &self.slot.id
    }

    /// The type, if the table knows it.
    #[inline]
    pub fn kind(self) -> Option<StatsKind> {
        self.slot.kind
    }

    pub(crate) fn form(self) -> Form {
        self.slot.form
    }

    /// Where it lives, see [`Stats::at`]: the same until [`Stats::arrangement`] changes.
    #[inline]
    pub fn slot(self) -> u32 {
        self.number
    }

    /// Another number each time members come or go, as long as [`Stats::arrangement`] stays. What
    /// [`StatsObject::position`] says holds as long.
    #[inline]
    pub fn shape(self) -> u32 {
        self.slot.shape
    }

    /// Where a known member is among the others, if the object has it.
    pub fn position(self, field: Field) -> Option<usize> {
        self.slot.position(field.into())
    }

    /// The value of a known member at its [position](StatsObject::position), without a search; `None`
    /// if it is not there.
    #[inline]
    pub fn get_at(self, position: usize, field: Field) -> Option<Value<'a>> {
        let is_there = self.slot.names.get(position)?.is(field);
        let packed = self.slot.values.get(position)?;
        is_there.then(|| self.stats.texts.value(packed))
    }

    /// The number at a [position](StatsObject::position); `None` if something else is there, or
    /// nothing.
    #[inline]
    pub fn number_at(self, position: usize) -> Option<f64> {
        self.values().number_at(position)
    }

    /// The values by their [position](StatsObject::position), for those who read many.
    #[inline]
    pub fn values(self) -> Values<'a> {
        Values {
            stats: self.stats,
            values: &self.slot.values,
        }
    }

    /// Whether it is an object with members, as everything that a browser sends.
    pub fn is_object(self) -> bool {
        self.slot.form == Form::Object
    }

    /// Whether the last report that was merged brought it.
    pub fn is_new(self) -> bool {
        self.slot.since == self.stats.reports() as u32
    }

    /// The value of a known member, if the object has it.
    #[inline]
    pub fn get(self, field: Field) -> Option<Value<'a>> {
        self.value_of(field.into())
    }

    /// The value of a member by name, known or not, if the object has it.
    pub fn get_by_name(self, name: &str) -> Option<Value<'a>> {
        self.value_of(self.stats.names.find(name)?)
    }

    #[inline(always)]
    fn value_of(self, name: Name) -> Option<Value<'a>> {
        let position = self.slot.position(name)?;
        self.slot
            .values
            .get(position)
            .map(|packed| self.stats.texts.value(packed))
    }

    /// The members by name, in the order in which the client sends them.
    pub fn members(self) -> Members<'a> {
        Members {
            object: self,
            position: 0,
        }
    }

    /// The report itself where it is no object: a number, a text, a boolean or null.
    pub fn scalar(self) -> Option<Value<'a>> {
        match self.slot.form {
            Form::Scalar => self
                .slot
                .values
                .first()
                .map(|packed| self.stats.texts.value(packed)),
            _ => None,
        }
    }

    /// Whether JavaScript takes the report for true: every object, and scalars but for `null`,
    /// `false`, 0 and `""`.
    pub fn is_truthy(self) -> bool {
        self.scalar().is_none_or(Value::is_truthy)
    }

    /// Appends the report as JSON.
    pub fn write_json(self, out: &mut String) {
        match self.slot.form {
            Form::Scalar | Form::Vacant => write_value(self.scalar().unwrap_or(Value::Null), out),
            Form::Object => {
                out.push('{');
                for (index, (name, value)) in self.members().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    write_text(name, out);
                    out.push(':');
                    write_value(value, out);
                }
                out.push('}');
            }
            Form::Array => self.write_array(out),
        }
    }

    /// Holes are written as `null`. Elements far behind a hole are left out: two members, one named
    /// 4294967294, would make gigabytes.
    fn write_array(self, out: &mut String) {
        const MAX_ELEMENTS: u32 = 512;
        let indices = self
            .members()
            .filter_map(|(name, _)| super::array_index(name))
            .filter(|index| *index < MAX_ELEMENTS);
        let length = indices.max().map_or(0, |index| index + 1);
        out.push('[');
        for index in 0..length {
            if index > 0 {
                out.push(',');
            }
            write_value(
                self.get_by_name(&index.to_string()).unwrap_or(Value::Null),
                out,
            );
        }
        out.push(']');
    }
}

/// The values of an object, see [`StatsObject::values`].
#[derive(Debug, Clone, Copy)]
pub struct Values<'a> {
    stats: &'a Stats,
    values: &'a [Packed],
}

impl Values<'_> {
    /// As [`StatsObject::number_at`].
    #[inline]
    pub fn number_at(self, position: usize) -> Option<f64> {
        self.stats.texts.number(*self.values.get(position)?)
    }
}

/// Appends a member as JSON.
pub(crate) fn write_value(value: Value<'_>, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if value { "true" } else { "false" }),
        Value::Number(number) => write_number(number, out),
        Value::Text(text) => write_text(text, out),
        Value::Nested(raw) => out.push_str(raw.as_str()),
    }
}

/// The members of an object, see [`StatsObject::members`].
#[derive(Debug, Clone)]
pub struct Members<'a> {
    object: StatsObject<'a>,
    position: usize,
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let StatsObject { stats, slot, .. } = self.object;
        let name = slot.names.get(self.position)?;
        let value = slot.values.get(self.position)?;
        self.position += 1;
        Some((stats.names.text(*name), stats.texts.value(value)))
    }

    /// Goes there at once.
    fn nth(&mut self, count: usize) -> Option<Self::Item> {
        self.position = self.position.saturating_add(count);
        self.next()
    }
}
