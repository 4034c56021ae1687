//! The columns of one peer connection.

use std::borrow::Cow;
use std::collections::HashMap;

use foldhash::fast::RandomState;
use indexmap::IndexMap;
use rtcstats_proto::RawJson;
use rtcstats_proto::json::Value;
use rtcstats_proto::stats::{Field, Stats, StatsKind, StatsObject};

use super::column::Column;
use super::cursor::Place;
use super::derived::{Clock, derived_of};
use super::label::{media, selected_pairs, write_label};
use super::member::{has_textual_numbers, is_nested, is_quantity, unit};
use super::{ConnectionReportSeries, Extent, MemberSeries, ObjectSeries};
use crate::room::make_room;
use crate::series::valid_time;

/// Nested numbers of one member, of all reports together; four is what browsers have.
const MOST_NESTED: usize = 16;

/// Columns that are found faster by looking at each.
const FEW_COLUMNS: usize = 32;

/// The columns of a connection.
#[derive(Debug)]
pub(super) struct ConnectionState {
    /// What its client says that it is for.
    pub(super) label: Option<&'static str>,
    /// Times, at most; even.
    points: usize,
    /// Of each row that of its last report.
    times: Vec<f64>,
    /// Reports that make a row.
    stride: usize,
    /// Reports of the last row.
    reports: usize,
    /// How often rows were merged.
    epoch: u32,
    objects: IndexMap<Box<str>, ObjectState, RandomState>,
    /// The values of all columns, and the times.
    values: usize,
    /// Of the stats that were looked at last.
    layout: Option<u64>,
    /// Where the numbers of the report are, and where they go, as long as the layout stays.
    current: Vec<CurrentObject>,
    members: Vec<CurrentMember>,
    /// The candidate pairs in use.
    selected: Vec<u32>,
    /// For a label that may be the same as before.
    scratch: String,
}

/// An object, in this report or an earlier one.
#[derive(Debug)]
struct ObjectState {
    kind: Box<str>,
    media: Option<&'static str>,
    label: Box<str>,
    columns: Vec<Column>,
    /// The columns of numbers within members.
    nested: Vec<usize>,
    /// When its values were told, if that may be long before the report.
    told: Option<Column>,
}

#[derive(Debug, Clone, Copy)]
struct CurrentObject {
    slot: u32,
    number: usize,
    /// Behind the last one of its members.
    end: usize,
    /// Where the time is that its values were told, if that may be long before the report.
    told: Option<usize>,
}

#[derive(Debug, Clone, Copy)]
struct CurrentMember {
    position: usize,
    field: Option<Field>,
    form: Form,
    /// The column; or [`NOWHERE`] before the first number, [`REFUSED`] where there was no room for one.
    column: usize,
}

/// More columns than there can be.
const NOWHERE: usize = usize::MAX;

/// As many. Room is not looked for again before the layout changes.
const REFUSED: usize = NOWHERE - 1;

/// How a member holds numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Number,
    /// A number, or its text.
    Text,
    /// An object of numbers.
    Nested,
}

/// What a session may keep.
#[derive(Debug)]
pub(super) struct Quota<'a> {
    /// How many objects there may still be, of all connections …
    pub(super) objects: &'a mut usize,
    /// … how many columns …
    pub(super) columns: &'a mut usize,
    /// … and how many values.
    pub(super) values: &'a mut usize,
    /// Bytes of an id or a name.
    pub(super) text_bytes: usize,
    pub(super) is_incomplete: &'a mut bool,
}

impl ConnectionState {
    pub(super) fn new(points: usize) -> Self {
        Self {
            label: None,
            points: points.max(4) / 2 * 2,
            times: Vec::new(),
            stride: 1,
            reports: 0,
            epoch: 0,
            objects: IndexMap::default(),
            values: 0,
            layout: None,
            current: Vec::new(),
            members: Vec::new(),
            selected: Vec::new(),
            scratch: String::new(),
        }
    }

    /// How many values it has.
    pub(super) fn values(&self) -> usize {
        self.values
    }

    /// Whether merging would make room.
    pub(super) fn is_mergeable(&self) -> bool {
        self.times.len() >= 4
    }

    /// How many values another report may take, as far as it has the members of the last one.
    pub(super) fn next_values(&self) -> usize {
        let told = self.current.iter().filter(|object| object.told.is_some());
        self.members.len() + told.count() + 1
    }

    /// Takes a report of that time.
    pub(super) fn take(&mut self, stats: &Stats, time: f64, quota: &mut Quota<'_>) {
        if self.begin_report(time, quota) {
            self.add(stats, quota);
        }
    }

    /// Takes what belongs to the report before, if there is one.
    pub(super) fn add(&mut self, stats: &Stats, quota: &mut Quota<'_>) {
        if self.times.is_empty() {
            return;
        }
        if self.layout != Some(stats.layout()) {
            self.layout = Some(stats.layout());
            self.arrange(stats, quota);
        }
        self.take_values(stats, quota);
    }

    /// Makes a row for the report, unless the last one wants more reports.
    fn begin_report(&mut self, time: f64, quota: &mut Quota<'_>) -> bool {
        let time = self.times.last().map_or(time, |last| time.max(*last));
        if self.reports < self.stride
            && let Some(last) = self.times.last_mut()
        {
            *last = time;
            self.reports += 1;
            return true;
        }
        if self.times.len() >= self.points {
            *quota.values += self.merge_pairs();
            return self.begin_report(time, quota);
        }
        if *quota.values == 0 {
            *quota.is_incomplete = true;
            return false;
        }
        *quota.values -= 1;
        self.values += 1;
        make_room(&mut self.times);
        self.times.push(time);
        self.reports = 1;
        true
    }

    /// Makes one row of two, and says how many values that saved.
    pub(super) fn merge_pairs(&mut self) -> usize {
        let rows = self.times.len();
        if rows.is_multiple_of(2) {
            self.reports += self.stride;
        }
        self.stride = self.stride.saturating_mul(2);
        self.epoch += 1;
        for row in 0..rows.div_ceil(2) {
            let later = self.times.get(2 * row + 1).or(self.times.get(2 * row));
            let later = later.copied();
            if let (Some(place), Some(later)) = (self.times.get_mut(row), later) {
                *place = later;
            }
        }
        self.times.truncate(rows.div_ceil(2));
        let mut values = self.times.len();
        for column in self.objects.values_mut().flat_map(ObjectState::all_columns) {
            column.merge_pairs();
            values += column.len();
        }
        let saved = self.values.saturating_sub(values);
        self.values = values;
        saved
    }

    /// Finds out where the numbers are, and describes the objects.
    fn arrange(&mut self, stats: &Stats, quota: &mut Quota<'_>) {
        self.current.clear();
        self.members.clear();
        self.selected.clear();
        self.selected.extend(selected_pairs(stats));
        self.selected.sort_unstable();
        for object in stats.iter().filter(|object| object.is_object()) {
            let number = match self.objects.get_index_of(object.id()) {
                Some(number) => number,
                None if quota.admits_object(object.id()) => {
                    let state = ObjectState::default();
                    self.objects.insert_full(object.id().into(), state).0
                }
                None => continue,
            };
            let Some((_, state)) = self.objects.get_index_mut(number) else {
                continue;
            };
            self.scratch.clear();
            write_label(object, stats, &self.selected, &mut self.scratch);
            state.describe(object, &self.scratch);
            state.find_members(object, &mut self.members);
            self.current.push(CurrentObject {
                slot: object.slot(),
                number,
                end: self.members.len(),
                told: told_at(object),
            });
        }
    }

    fn take_values(&mut self, stats: &Stats, quota: &mut Quota<'_>) {
        let row = self.times.len().saturating_sub(1);
        let mut members = self.members.iter_mut();
        let mut begin = 0;
        for current in &self.current {
            let count = current.end - begin;
            begin = current.end;
            let members = members.by_ref().take(count);
            let (Some(object), Some((_, state))) = (
                stats.at(current.slot),
                self.objects.get_index_mut(current.number),
            ) else {
                members.for_each(drop);
                continue;
            };
            let mut own = ObjectRow {
                state,
                row,
                quota,
                values: &mut self.values,
            };
            members.for_each(|member| own.take(member, object));
            own.take_told(current.told, object);
        }
    }

    /// Up to where a place of this extent is.
    pub(super) fn place(&self, extent: Extent) -> Place {
        let is_open = extent == Extent::Full && self.reports < self.stride;
        Place {
            epoch: self.epoch,
            rows: self.times.len() - usize::from(is_open && !self.times.is_empty()),
        }
    }

    /// The rows `from..to`; all that there is if `from` is `None`.
    pub(super) fn series(
        &self,
        id: &str,
        from: Option<usize>,
        to: usize,
    ) -> ConnectionReportSeries {
        let start = from.unwrap_or_default();
        let times = self.times.get(..to).unwrap_or_default();
        let objects = self.objects.iter().filter_map(|(id, object)| {
            let series = object.series(times, start, to);
            (!series.is_empty()).then(|| ObjectSeries {
                id: id.to_string(),
                kind: object.kind.to_string(),
                media: object.media,
                label: object.label.to_string(),
                series,
            })
        });
        ConnectionReportSeries {
            id: id.to_owned(),
            label: self.label,
            epoch: self.epoch,
            from,
            objects: objects.collect(),
            times: times.get(start..).unwrap_or_default().to_vec(),
        }
    }
}

impl Default for ObjectState {
    fn default() -> Self {
        Self {
            kind: "".into(),
            media: None,
            label: "".into(),
            columns: Vec::new(),
            nested: Vec::new(),
            told: None,
        }
    }
}

/// What peers tell comes with their messages, every few seconds, and is in all reports until the next one.
fn told_at(object: StatsObject<'_>) -> Option<usize> {
    let is_told = matches!(
        object.kind(),
        Some(StatsKind::RemoteInboundRtp | StatsKind::RemoteOutboundRtp)
    );
    is_told.then(|| object.position(Field::Timestamp))?
}

impl ObjectState {
    fn all_columns(&mut self) -> impl Iterator<Item = &mut Column> {
        self.columns.iter_mut().chain(&mut self.told)
    }

    fn describe(&mut self, object: StatsObject<'_>, label: &str) {
        let kind = object.get(Field::Type).and_then(Value::as_text);
        let kind = kind.unwrap_or_default();
        if *self.kind != *kind {
            self.kind = kind.into();
        }
        if *self.label != *label {
            self.label = label.into();
        }
        self.media = media(object);
    }

    /// Finds the members that may be numbers, and the columns of those that were.
    fn find_members(&self, object: StatsObject<'_>, members: &mut Vec<CurrentMember>) {
        let is_textual = has_textual_numbers(object.kind());
        // Columns came in the order of members, as a rule; where not, there may be many of both.
        let mut guess = 0;
        let mut by_name: Option<HashMap<&str, usize, RandomState>> = None;
        for (position, (name, value)) in object.members().enumerate() {
            let field = Field::from_name(name);
            if !is_quantity(name, field) {
                continue;
            }
            let form = match value {
                Value::Nested(_) if field.is_some_and(is_nested) => Form::Nested,
                _ if is_textual => Form::Text,
                Value::Text(_) | Value::Bool(_) | Value::Nested(_) => continue,
                Value::Null | Value::Number(_) => Form::Number,
            };
            let is_own = |column: &Column| column.name == name;
            let column = match self.columns.get(guess) {
                Some(column) if is_own(column) => Some(guess),
                _ if self.columns.len() <= FEW_COLUMNS => self.columns.iter().position(is_own),
                _ => by_name
                    .get_or_insert_with(|| self.columns_by_name())
                    .get(name)
                    .copied(),
            };
            let column = column.unwrap_or(NOWHERE);
            if column != NOWHERE {
                guess = column + 1;
            }
            members.push(CurrentMember {
                position,
                field,
                form,
                column,
            });
        }
    }

    fn columns_by_name(&self) -> HashMap<&str, usize, RandomState> {
        let columns = self.columns.iter().enumerate();
        columns
            .map(|(number, column)| (&*column.name, number))
            .collect()
    }

    /// The rows `from..times.len()` of all columns that have a value there, and what is derived of them.
    fn series(&self, times: &[f64], from: usize, to: usize) -> Vec<MemberSeries> {
        let mut all = Vec::new();
        for column in &self.columns {
            if let Some((first, values)) = column.part(from, to) {
                all.push(MemberSeries {
                    name: column.name.clone(),
                    unit: unit(column.field),
                    of: None,
                    first,
                    values,
                });
            }
            let clock = self.told.as_ref().map_or(Clock::Report(times), Clock::Told);
            all.extend(derived_of(column, &self.columns, clock, from, to));
        }
        all
    }
}

/// Where the numbers of one object of a report go.
struct ObjectRow<'a, 'q> {
    state: &'a mut ObjectState,
    row: usize,
    quota: &'a mut Quota<'q>,
    values: &'a mut usize,
}

impl ObjectRow<'_, '_> {
    fn take(&mut self, member: &mut CurrentMember, object: StatsObject<'_>) {
        if member.column == REFUSED {
            return;
        }
        let number = match object.number_at(member.position) {
            Some(number) => Some(number),
            None if member.form == Form::Number => None,
            None => self.take_other(*member, object),
        };
        let Some(number) = number.filter(|number| number.is_finite()) else {
            return;
        };
        if member.column == NOWHERE {
            let Some((name, _)) = object.members().nth(member.position) else {
                return;
            };
            let column = self.new_column(member.field, name);
            member.column = column.unwrap_or(REFUSED);
        }
        self.set(member.column, number);
    }

    /// A number that is a text. Numbers within the member are taken here.
    #[cold]
    fn take_other(&mut self, member: CurrentMember, object: StatsObject<'_>) -> Option<f64> {
        let value = match member.field {
            Some(field) => object.get_at(member.position, field)?,
            None => object.members().nth(member.position)?.1,
        };
        match (value, member.form, member.field) {
            (Value::Text(text), Form::Text, _) if !text.trim().is_empty() => {
                Some(value.to_number())
            }
            (Value::Nested(nested), Form::Nested, Some(field)) => {
                self.take_nested(field, nested);
                None
            }
            _ => None,
        }
    }

    fn take_nested(&mut self, field: Field, nested: RawJson<'_>) {
        for (key, value) in nested.members().take(MOST_NESTED) {
            let Some(number) = value.as_number().filter(|number| number.is_finite()) else {
                continue;
            };
            let column = self.nested_column(field, &key);
            if let Some(column) = column {
                self.set(column, number);
            }
        }
    }

    /// The column of a number within a member.
    fn nested_column(&mut self, field: Field, key: &str) -> Option<usize> {
        let mut count = 0;
        for number in &self.state.nested {
            let column = self.state.columns.get(*number);
            let Some(column) = column.filter(|column| column.field == Some(field)) else {
                continue;
            };
            let rest = column.name.strip_prefix(field.as_str());
            if rest.and_then(|rest| rest.strip_prefix('.')) == Some(key) {
                return Some(*number);
            }
            count += 1;
        }
        if count >= MOST_NESTED || !self.quota.admits_column(key) {
            *self.quota.is_incomplete = true;
            return None;
        }
        let name = format!("{}.{key}", field.as_str());
        let column = self.add_column(Cow::Owned(name), Some(field));
        make_room(&mut self.state.nested);
        self.state.nested.push(column);
        Some(column)
    }

    /// `None` if there is no room for it.
    fn new_column(&mut self, field: Option<Field>, name: &str) -> Option<usize> {
        if !self.quota.admits_column(name) {
            return None;
        }
        Some(self.add_column(name_of(field, name), field))
    }

    fn add_column(&mut self, name: Cow<'static, str>, field: Option<Field>) -> usize {
        make_room(&mut self.state.columns);
        let column = Column::new(name, field, self.row);
        self.state.columns.push(column);
        self.state.columns.len() - 1
    }

    fn take_told(&mut self, position: Option<usize>, object: StatsObject<'_>) {
        let told = position.and_then(|position| object.number_at(position));
        let Some(told) = valid_time(told) else {
            return;
        };
        let column = self.state.told.get_or_insert_with(|| {
            let field = Field::Timestamp;
            Column::new(Cow::Borrowed(field.as_str()), Some(field), self.row)
        });
        set(column, self.row, told, self.quota, self.values);
    }

    fn set(&mut self, column: usize, number: f64) {
        if let Some(column) = self.state.columns.get_mut(column) {
            set(column, self.row, number, self.quota, self.values);
        }
    }
}

/// Sets the value of a row, if there is room.
fn set(column: &mut Column, row: usize, number: f64, quota: &mut Quota<'_>, values: &mut usize) {
    let cost = column.cost(row);
    if cost > *quota.values {
        *quota.is_incomplete = true;
        return;
    }
    *quota.values -= cost;
    *values += cost;
    column.set(row, number);
}

fn name_of(field: Option<Field>, name: &str) -> Cow<'static, str> {
    match field {
        Some(field) => Cow::Borrowed(field.as_str()),
        None => Cow::Owned(name.to_owned()),
    }
}

impl Quota<'_> {
    /// Whether there is room for one more column of this name.
    fn admits_column(&mut self, name: &str) -> bool {
        let is_admitted = *self.columns > 0 && name.len() <= self.text_bytes;
        *self.columns -= usize::from(is_admitted);
        *self.is_incomplete |= !is_admitted;
        is_admitted
    }

    /// Whether there is room for one more object of this id.
    fn admits_object(&mut self, id: &str) -> bool {
        let is_admitted = *self.objects > 0 && id.len() <= self.text_bytes;
        *self.objects -= usize::from(is_admitted);
        *self.is_incomplete |= !is_admitted;
        is_admitted
    }
}
