//! The deltas of rtcstats 5.0 clients (rtcstats spec, section 6.1).

use std::collections::HashMap;
use std::ops::Range;

use super::{Changes, Ids, write_value};
use crate::RawJson;
use crate::delta::nested;
use crate::delta::scan::{Content, ScannedMember, ScannedObject, ScannedValue};
use crate::json::{JsonKind, Value, write_number, write_text};
use crate::stats::{Field, NewValue, StatsKind, StatsObject, array_index};

/// What a client keeps of a peer connection besides the previous report, and memory for the next.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) ids: Ids,
    /// Of each member of the report, whether it is sent.
    is_sent: Vec<bool>,
    /// The objects that are sent, by place in the report.
    objects: Vec<usize>,
    outgoing: Vec<Outgoing>,
    members: Vec<(u32, usize)>,
}

/// What is sent under one number.
#[derive(Debug, Clone, Copy)]
struct Outgoing {
    number: u32,
    /// The place of the object in the report; none if it is gone.
    object: Option<usize>,
    /// How many times the references in it are made numbers.
    translations: usize,
}

impl Changes<'_> {
    pub(super) fn write_rtcstats(self, state: &mut State, out: &mut String) {
        self.find_changes(state);
        let newest = self.drop_newest_timestamp(state);
        self.drop_certificates(state);
        self.drop_obsolete(state);
        self.number(state);
        self.add_gone(state);
        self.write(state, newest, out);
    }

    /// Step 1: members that are as before are not sent, nor are objects of which nothing is left.
    fn find_changes(&self, state: &mut State) {
        state.is_sent.clear();
        state.is_sent.resize(self.scan.members.len(), false);
        state.objects.clear();
        for (place, object) in self.scan.objects.iter().enumerate() {
            // The timestamp of the report has this key.
            if self.id(object) == Field::Timestamp.key() {
                continue;
            }
            let range = members_of(object);
            let (mut members, mut sent) = (0, 0);
            for (member, is_sent) in self.members(object).iter().zip(flags(state, &range)) {
                if !member.name.is(Field::Id) {
                    *is_sent = !self.is_known(object) || self.is_different(object, member);
                    members += 1;
                    sent += usize::from(*is_sent);
                }
            }
            let is_unchanged = self.is_known(object) && members > 0 && sent == 0;
            if !is_unchanged {
                state.objects.push(place);
            }
        }
    }

    /// Whether a member of an object that is known differs from before. An object inside is sent for
    /// what differs in it, and so never when it is empty.
    fn is_different(&self, object: &ScannedObject, member: &ScannedMember) -> bool {
        let NewValue::Nested(new) = self.value(member) else {
            return self.has_changed(object, member);
        };
        let known = self.known_value(object, member);
        if new.starts_with('[') {
            return match known {
                Some(Value::Nested(known)) => !nested::is_same_text(known.as_str(), new),
                _ => true,
            };
        }
        let known = known.unwrap_or(Value::Null);
        nested::difference(known, RawJson::trusted(new), &mut String::new())
    }

    /// Step 2: the greatest timestamp is sent once, for all objects that have it.
    fn drop_newest_timestamp(&self, state: &mut State) -> Option<f64> {
        let timestamps = state.objects.iter().filter_map(|place| {
            let (timestamp, is_sent) = self.timestamp(state, *place)?;
            is_sent.then_some(timestamp)
        });
        let newest = timestamps.reduce(f64::max)?;
        let mut objects = std::mem::take(&mut state.objects);
        objects.retain(|place| {
            if self.timestamp(state, *place) != Some((newest, true)) {
                return true;
            }
            self.drop(state, *place, |member| member.name.is(Field::Timestamp));
            let range = self.scan.objects.get(*place).map(members_of);
            range.is_some_and(|range| flags(state, &range).contains(&true))
        });
        state.objects = objects;
        Some(newest)
    }

    /// The timestamp of an object, if it is a number, and whether it is sent.
    fn timestamp(&self, state: &State, place: usize) -> Option<(f64, bool)> {
        let range = members_of(self.scan.objects.get(place)?);
        let is_sent = state.is_sent.get(range.clone())?;
        let mut members = self.scan.members(&range).iter().zip(is_sent);
        let (member, is_sent) = members.find(|(member, _)| member.name.is(Field::Timestamp))?;
        match member.value {
            ScannedValue::Number(number) => Some((number, *is_sent)),
            _ => None,
        }
    }

    /// Step 3: certificates are not sent, nor references to them. They are known by their type, which
    /// is there only if it is new.
    fn drop_certificates(&self, state: &mut State) {
        let mut objects = std::mem::take(&mut state.objects);
        objects.retain(|place| match self.sent_kind(state, *place) {
            Some(StatsKind::Certificate) => false,
            Some(StatsKind::Transport) => {
                self.drop(state, *place, |member| {
                    member.name.is(Field::LocalCertificateId)
                        || member.name.is(Field::RemoteCertificateId)
                });
                true
            }
            _ => true,
        });
        state.objects = objects;
    }

    /// The type of an object, if it is sent.
    fn sent_kind(&self, state: &State, place: usize) -> Option<StatsKind> {
        let range = members_of(self.scan.objects.get(place)?);
        let is_sent = state.is_sent.get(range.clone())?;
        let members = self.scan.members(&range).iter().zip(is_sent);
        let mut sent = members.filter(|(_, is_sent)| **is_sent);
        let (member, _) = sent.find(|(member, _)| member.name.is(Field::Type))?;
        match self.value(member) {
            NewValue::Text(name) => StatsKind::from_name(name),
            _ => None,
        }
    }

    /// Step 4: an object of which nothing else changed is sent as an empty one.
    fn drop_obsolete(&self, state: &mut State) {
        const OBSOLETE: [Field; 4] = [
            Field::IsRemote,
            Field::Ip,
            Field::MediaType,
            Field::Writable,
        ];
        let objects = std::mem::take(&mut state.objects);
        for place in &objects {
            self.drop(state, *place, |member| {
                OBSOLETE.iter().any(|field| member.name.is(*field))
            });
        }
        state.objects = objects;
    }

    fn drop(&self, state: &mut State, place: usize, which: impl Fn(&ScannedMember) -> bool) {
        let Some(object) = self.scan.objects.get(place) else {
            return;
        };
        let members = self.members(object).iter();
        for (member, is_sent) in members.zip(flags(state, &members_of(object))) {
            *is_sent &= !which(member);
        }
    }

    /// Steps 5 and 6: new objects get numbers, and every one goes under its number.
    fn number(&self, state: &mut State) {
        let rank = |place: &usize| {
            let object = self.scan.objects.get(*place);
            array_index(object.map(|object| self.id(object)).unwrap_or_default())
        };
        let has_numeric = state.objects.iter().any(|place| rank(place).is_some());
        if has_numeric {
            state
                .objects
                .sort_by_key(|place| rank(place).map_or((1, 0), |rank| (0, rank)));
        }
        state.outgoing.clear();
        for place in &state.objects {
            if let Some(object) = self.scan.objects.get(*place) {
                state.outgoing.push(Outgoing {
                    number: state.ids.assign(self.id(object)),
                    object: Some(*place),
                    translations: 1,
                });
            }
        }
        if has_numeric {
            self.collide(&mut state.outgoing);
        }
    }

    /// What ids that are numbers themselves do: an object is put where another one is that has not
    /// been moved yet, and moved on with it; and one that stays where it is keeps its references.
    #[cold]
    fn collide(&self, outgoing: &mut Vec<Outgoing>) {
        let id = |outgoing: &Outgoing| {
            let object = self.scan.objects.get(outgoing.object?)?;
            Some(self.id(object).to_owned())
        };
        let with_ids = |outgoing: &Outgoing| {
            let stay = Outgoing {
                translations: 0,
                ..*outgoing
            };
            Some((id(outgoing)?, stay))
        };
        let mut stored: HashMap<String, Outgoing> = outgoing.iter().filter_map(with_ids).collect();
        for next in outgoing.iter() {
            let Some(id) = id(next) else { continue };
            let number = next.number.to_string();
            if number == id {
                continue;
            }
            if let Some(moved) = stored.remove(&id) {
                let moved = Outgoing {
                    number: next.number,
                    translations: moved.translations + 1,
                    ..moved
                };
                stored.insert(number, moved);
            }
        }
        outgoing.clear();
        outgoing.extend(stored.into_values());
    }

    /// Step 8: objects that were there before are said to be gone, if they were ever sent.
    fn add_gone(&self, state: &mut State) {
        let attempt = self.previous.attempts;
        let gone = self
            .previous
            .iter()
            .filter(|object| !object.is_named_by(attempt));
        let numbers = gone.filter_map(|object| state.ids.number(StatsObject::id(object)));
        state.outgoing.extend(numbers.map(|number| Outgoing {
            number,
            object: None,
            translations: 0,
        }));
        state
            .outgoing
            .sort_unstable_by_key(|outgoing| outgoing.number);
    }

    /// Step 7, in JavaScript's order.
    fn write(&self, state: &mut State, newest: Option<f64>, out: &mut String) {
        let mut members = std::mem::take(&mut state.members);
        out.push('{');
        for (index, outgoing) in state.outgoing.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            out.push('"');
            write_number(f64::from(outgoing.number), out);
            out.push_str("\":");
            let object = outgoing
                .object
                .and_then(|place| self.scan.objects.get(place));
            match object.map(|object| (&object.content, object)) {
                None => out.push_str("null"),
                Some((Content::Scalar(value), _)) => {
                    write_value(self.scan.value(*value, self.text), out);
                }
                Some((Content::Array(_), object)) => self.write_elements(state, object, out),
                Some((Content::Object(_), object)) => {
                    let translations = outgoing.translations;
                    self.write_members(state, object, translations, &mut members, out);
                }
            }
        }
        if let Some(newest) = newest {
            out.push_str(if state.outgoing.is_empty() {
                "\"t\":"
            } else {
                ",\"t\":"
            });
            write_number(newest, out);
        }
        out.push('}');
        state.members = members;
    }

    /// Elements that are not sent leave holes.
    #[cold]
    fn write_elements(&self, state: &State, object: &ScannedObject, out: &mut String) {
        out.push('[');
        let is_sent = state.is_sent.get(members_of(object)).unwrap_or_default();
        for (index, (element, is_sent)) in self.members(object).iter().zip(is_sent).enumerate() {
            if index > 0 {
                out.push(',');
            }
            let value = Some(self.value(element)).filter(|_| *is_sent);
            write_value(value.unwrap_or(NewValue::Null), out);
        }
        out.push(']');
    }

    fn write_members(
        &self,
        state: &State,
        object: &ScannedObject,
        translations: usize,
        order: &mut Vec<(u32, usize)>,
        out: &mut String,
    ) {
        order.clear();
        let range = members_of(object);
        let is_sent = |place: &usize| state.is_sent.get(*place) == Some(&true);
        for place in range.clone().filter(is_sent) {
            if let Some(rank) = self.rank(&range, place, is_sent) {
                order.push((rank, place));
            }
        }
        order.sort_unstable();
        out.push('{');
        let mut is_first = true;
        for (_, place) in order.iter() {
            let Some(member) = self.scan.members.get(*place) else {
                continue;
            };
            let before = out.len();
            if !is_first {
                out.push(',');
            }
            let name = self.previous.name_text(member.name);
            write_text(
                member.name.field().map_or(name, |field| field.sent_key()),
                out,
            );
            out.push(':');
            if translations > 0 && name.ends_with("Id") {
                match self.translated(state, member, translations) {
                    Some(number) => write_text(&number.to_string(), out),
                    None => {
                        out.truncate(before);
                        continue;
                    }
                }
            } else {
                self.write_member(object, member, out);
            }
            is_first = false;
        }
        out.push('}');
    }

    /// Where a member comes in JavaScript's order: numbers, then others, then the timestamp, which was
    /// renamed last. None for an unknown one with the number of a known one that is sent too.
    fn rank(
        &self,
        range: &Range<usize>,
        place: usize,
        is_sent: impl Fn(&usize) -> bool,
    ) -> Option<u32> {
        const OTHER: u32 = u32::MAX - 1;
        let name = self.scan.members.get(place)?.name;
        if name.is(Field::Timestamp) {
            return Some(u32::MAX);
        }
        if let Some(field) = name.field() {
            return Some(field.sent_number().map_or(OTHER, u32::from));
        }
        let key = self.previous.name_text(name);
        if let Some(field) = Field::from_key(key).filter(|field| field.sent_key() == key) {
            let is_field = |place: &usize| {
                let member = self.scan.members.get(*place);
                member.is_some_and(|member| member.name.is(field))
            };
            if range.clone().filter(is_sent).any(|place| is_field(&place)) {
                return None;
            }
        }
        Some(array_index(key).unwrap_or(OTHER))
    }

    fn write_member(&self, object: &ScannedObject, member: &ScannedMember, out: &mut String) {
        match self.value(member) {
            NewValue::Text(name) if member.name.is(Field::Type) => {
                let number = StatsKind::from_name(name).and_then(StatsKind::number);
                match number {
                    Some(number) => write_number(f64::from(number), out),
                    None => write_text(name, out),
                }
            }
            NewValue::Nested(new) if self.is_known(object) && new.starts_with('{') => {
                let known = self.known_value(object, member).unwrap_or(Value::Null);
                nested::difference(known, RawJson::trusted(new), out);
            }
            value => write_value(value, out),
        }
    }

    /// The number of the object that a member refers to.
    fn translated(
        &self,
        state: &State,
        member: &ScannedMember,
        translations: usize,
    ) -> Option<u32> {
        let mut number = match self.value(member) {
            NewValue::Text(id) => state.ids.number(id)?,
            other => state.ids.number(&as_text(other))?,
        };
        for _ in 1..translations {
            number = state.ids.number(&number.to_string())?;
        }
        Some(number)
    }
}

fn members_of(object: &ScannedObject) -> Range<usize> {
    match &object.content {
        Content::Object(range) | Content::Array(range) => range.clone(),
        Content::Scalar(_) => 0..0,
    }
}

fn flags<'a>(state: &'a mut State, range: &Range<usize>) -> &'a mut [bool] {
    state.is_sent.get_mut(range.clone()).unwrap_or_default()
}

/// JavaScript's `String(value)`.
fn as_text(value: NewValue<'_>) -> String {
    match value {
        NewValue::Text(text) => text.to_owned(),
        NewValue::Nested(nested) => joined(RawJson::trusted(nested)),
        scalar => {
            let mut text = String::new();
            write_value(scalar, &mut text);
            text
        }
    }
}

/// JavaScript's `String(value)` of an array or object.
fn joined(value: RawJson<'_>) -> String {
    let element = |value: RawJson<'_>| match value.kind() {
        JsonKind::Null => String::new(),
        JsonKind::Array | JsonKind::Object => joined(value),
        _ => value.to_key().into_owned(),
    };
    match value.kind() {
        JsonKind::Array => {
            let elements: Vec<String> = value.elements().map(element).collect();
            elements.join(",")
        }
        _ => "[object Object]".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use crate::delta::Encoder;
    use crate::{Limits, RawJson};

    /// The deltas of a sequence of reports.
    fn encoded(reports: &[&str]) -> Vec<String> {
        let mut encoder = Encoder::rtcstats(Limits::default());
        let encode = |report: &&str| {
            let mut delta = String::new();
            let report = RawJson::parse(report).unwrap();
            encoder.encode(report, &mut delta).unwrap();
            delta
        };
        reports.iter().map(encode).collect()
    }

    #[test]
    fn a_transport_that_gains_a_certificate_late_is_sent_as_an_empty_object() {
        let deltas = encoded(&[
            r#"{"T":{"type":"transport","timestamp":1}}"#,
            r#"{"T":{"type":"transport","timestamp":2,"remoteCertificateId":"C"},"C":{"type":"certificate","timestamp":2}}"#,
        ]);
        assert_eq!(deltas, [r#"{"0":{"type":5},"t":1}"#, r#"{"0":{},"t":2}"#]);
    }

    #[test]
    fn a_certificate_is_sent_without_type_when_its_time_or_content_changes() {
        let deltas = encoded(&[
            r#"{"T":{"type":"transport","timestamp":1},"C":{"type":"certificate","timestamp":1,"fingerprint":"a"}}"#,
            r#"{"T":{"type":"transport","timestamp":3},"C":{"type":"certificate","timestamp":2,"fingerprint":"a"}}"#,
            r#"{"T":{"type":"transport","timestamp":4},"C":{"type":"certificate","timestamp":4,"fingerprint":"b"}}"#,
        ]);
        assert_eq!(
            deltas,
            [
                r#"{"0":{"type":5},"t":1}"#,
                r#"{"1":{"t":2},"t":3}"#,
                r#"{"1":{"163":"b"},"t":4}"#
            ]
        );
    }

    #[test]
    fn an_object_of_which_only_obsolete_members_changed_is_empty() {
        let deltas = encoded(&[
            r#"{"P":{"type":"candidate-pair","writable":false,"ip":"192.0.2.1"}}"#,
            r#"{"P":{"type":"candidate-pair","writable":true,"ip":"192.0.2.2"}}"#,
        ]);
        assert_eq!(deltas, [r#"{"0":{"type":6}}"#, r#"{"0":{}}"#]);
    }

    #[test]
    fn an_object_without_members_stays_in_every_delta() {
        let deltas = encoded(&[r#"{"a":{"id":"a","x":1}}"#, r#"{"a":{"id":"a"}}"#]);
        assert_eq!(deltas, [r#"{"0":{"x":1}}"#, r#"{"0":{}}"#]);
    }

    #[test]
    fn an_id_that_is_its_own_number_keeps_its_references() {
        let deltas = encoded(&[r#"{"foo":{"type":"codec"},"0":{"codecId":"foo"}}"#]);
        assert_eq!(deltas, [r#"{"0":{"12":"foo"},"1":{"type":14}}"#]);
    }

    #[test]
    fn an_object_is_lost_where_another_gets_the_number_that_is_its_id() {
        let deltas = encoded(&[
            r#"{"a":{"x":1},"b":{"x":1}}"#,
            r#"{"1":{"x":1,"codecId":"a"},"2":{"x":2},"a":{"x":1},"b":{"x":1}}"#,
        ]);
        // "1" goes to 2, and from there, instead of "2", to 3; "a" is 0, and "0" nothing.
        assert_eq!(deltas, [r#"{"0":{"x":1},"1":{"x":1}}"#, r#"{"3":{"x":1}}"#]);
    }

    #[test]
    fn a_member_that_becomes_null_is_sent() {
        let deltas = encoded(&[
            r#"{"a":{"x":1,"y":null}}"#,
            r#"{"a":{"x":null,"y":null,"z":null}}"#,
        ]);
        assert_eq!(
            deltas,
            [r#"{"0":{"x":1,"y":null}}"#, r#"{"0":{"x":null,"z":null}}"#]
        );
    }

    #[test]
    fn an_object_whose_id_is_the_key_of_the_timestamp_is_not_sent() {
        let deltas = encoded(&[r#"{"t":{"x":1},"a":{"timestamp":5}}"#]);
        assert_eq!(deltas, [r#"{"t":5}"#]);
    }

    #[test]
    fn an_object_that_is_gone_is_null_once_and_comes_back_under_its_number() {
        let deltas = encoded(&[
            r#"{"a":{"x":1},"b":{"x":1}}"#,
            r#"{"b":{"x":1}}"#,
            r#"{"b":{"x":1}}"#,
            r#"{"b":{"x":1},"a":{"x":1}}"#,
        ]);
        assert_eq!(
            deltas,
            [
                r#"{"0":{"x":1},"1":{"x":1}}"#,
                r#"{"0":null}"#,
                "{}",
                r#"{"0":{"x":1}}"#
            ]
        );
    }

    #[test]
    fn members_come_by_number_and_of_repeated_ones_the_last_counts() {
        let report = r#"{"a":{"x":1,"bytesSent":1,"t":0,"ssrc":2,"timestamp":3,"80":9,"x":2,"kind":"audio"},"b":{"timestamp":4}}"#;
        assert_eq!(
            encoded(&[report]),
            [r#"{"0":{"10":2,"11":"audio","80":1,"x":2,"t":3},"t":4}"#]
        );
    }

    #[test]
    fn a_refused_report_changes_nothing() {
        let mut encoder = Encoder::rtcstats(Limits::default());
        let mut out = String::new();
        for report in [r#"{"a":{"x":1}}"#, r#"{"b":{"x":1},"c":null}"#] {
            let _ = encoder.encode(RawJson::parse(report).unwrap(), &mut out);
        }
        encoder
            .encode(
                RawJson::parse(r#"{"a":{"x":1},"b":{"x":1}}"#).unwrap(),
                &mut out,
            )
            .unwrap();
        assert_eq!(out, r#"{"0":{"x":1}}{"1":{"x":1}}"#);
        assert_eq!(encoder.ids().collect::<Vec<_>>(), ["a", "b"]);
    }
}
