//! The deltas of rtcstats 5.0 clients (rtcstats spec, section 6.1).

mod numbering;
#[cfg(test)]
mod tests;

use std::ops::Range;

use super::report::{Content, Member, Object};
use super::{Changes, Ids};
use crate::RawJson;
use crate::delta::nested;
use crate::json::{JsonKind, Value, write_number, write_text};
use crate::stats::{Field, StatsKind, array_index};

/// What a client keeps of a peer connection besides the previous report, and memory for the next.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) ids: Ids,
    /// The places of the members that changed, object by object.
    changes: Vec<u32>,
    /// Of these the ones that are sent, each behind its rank in JavaScript's order.
    sent: Vec<(u32, u32)>,
    outgoing: Vec<Outgoing>,
    nested: String,
}

/// What is sent under one number.
#[derive(Debug, Clone, Default)]
struct Outgoing {
    number: u32,
    /// The place of the object in the report; none if it is gone.
    object: Option<u32>,
    /// Its part of [`State::changes`], later of [`State::sent`].
    members: Range<usize>,
    /// How many times the references in it are made numbers.
    translations: usize,
}

impl<'a> Changes<'a> {
    pub(super) fn write_rtcstats(self, state: &mut State, out: &mut String) {
        let newest = self.find_changes(state);
        self.drop_members(state, newest);
        self.number(state);
        self.add_gone(state);
        self.write(state, newest, out);
    }

    /// Step 1: members that are as before are not sent, nor are objects of which nothing is left. Returns
    /// the greatest of the timestamps that are.
    fn find_changes(&self, state: &mut State) -> Option<RawJson<'a>> {
        let mut newest: Option<RawJson<'a>> = None;
        state.changes.clear();
        state.outgoing.clear();
        for (place, object) in (0..).zip(&self.report.objects) {
            // The timestamp of the report has this key.
            if self.report.id(object) == "\"t\"" {
                continue;
            }
            let known = self.known(object);
            let start = state.changes.len();
            for (place, member) in self.changes(self.report.changed_places(object)) {
                if member.is(Field::Id) {
                    continue;
                }
                if let Some(known) = known
                    && member.is_nested()
                    && !self.is_different(known, object, place, member, &mut state.nested)
                {
                    continue;
                }
                state.changes.push(place);
                let value = self.report.value(member);
                if is_time(member) && newest != Some(value) {
                    let is_newer = |newest: RawJson<'_>| value.to_number() > newest.to_number();
                    newest = newest.filter(|newest| !is_newer(*newest)).or(Some(value));
                }
            }
            let members = start..state.changes.len();
            let has_members = || {
                let mut members = self.report.members(object).iter();
                members.any(|member| !member.is(Field::Id))
            };
            if known.is_none() || !members.is_empty() || !has_members() {
                state.outgoing.push(Outgoing {
                    object: Some(place),
                    members,
                    ..Outgoing::default()
                });
            }
        }
        newest
    }

    /// Members of the report, behind their places.
    fn changes(&self, places: &[u32]) -> impl Iterator<Item = (u32, Member)> {
        let members = &self.report.members;
        let member = |place: &u32| Some((*place, *members.get(*place as usize)?));
        places.iter().filter_map(member)
    }

    /// Whether a nested member of an object that is known differs from before. An object is sent for what
    /// differs in it, and so never when it is empty.
    fn is_different(
        &self,
        known: &Object,
        object: &Object,
        place: u32,
        member: Member,
        difference: &mut String,
    ) -> bool {
        let name = self.report.name_in(object, place, member);
        let earlier = self.earlier(known, member.field, &name);
        if member.kind == JsonKind::Array {
            let new = self.report.value(member).as_str();
            let is_same = |known: RawJson<'_>| {
                known.kind() == JsonKind::Array && nested::is_same_text(known.as_str(), new)
            };
            return !earlier.is_some_and(is_same);
        }
        difference.clear();
        self.write_difference(earlier, member, difference)
    }

    /// Appends what differs in a member that is an object; whether anything does.
    fn write_difference(
        &self,
        earlier: Option<RawJson<'_>>,
        member: Member,
        out: &mut String,
    ) -> bool {
        let text = earlier.and_then(RawJson::as_text);
        let known = match (&text, earlier) {
            (Some(text), _) => Value::Text(text),
            (None, Some(known)) => Value::Nested(known),
            (None, None) => Value::Null,
        };
        nested::difference(known, self.report.value(member), out)
    }

    /// The value of a member in the previous report.
    fn earlier(&self, known: &Object, field: Option<Field>, name: &str) -> Option<RawJson<'a>> {
        let place = self.previous.find(known, field, name)?;
        let member = self.previous.members.get(place as usize)?;
        Some(self.previous.value(*member))
    }

    /// Steps 2 to 4: what the rest of the delta implies is not sent, nor what is obsolete.
    fn drop_members(&self, state: &mut State, newest: Option<RawJson<'_>>) {
        let State {
            changes,
            sent,
            outgoing,
            ..
        } = state;
        sent.clear();
        outgoing.retain_mut(|outgoing| {
            let changes = changes.get(outgoing.members.clone()).unwrap_or_default();
            let start = sent.len();
            let is_sent = self.add_sent(changes, newest, sent);
            outgoing.members = start..sent.len();
            is_sent
        });
    }

    /// Adds the changes of one object that are sent, in JavaScript's order; whether the object is sent.
    ///
    /// The greatest timestamp is sent once, for all objects that have it. Certificates are not sent, nor
    /// references to them; they are known by their type, which is there only if it is new. An object of
    /// which only obsolete members changed is sent as an empty one.
    fn add_sent(
        &self,
        changes: &[u32],
        newest: Option<RawJson<'_>>,
        sent: &mut Vec<(u32, u32)>,
    ) -> bool {
        let is_newest = |member| is_time(member) && newest == Some(self.report.value(member));
        let others = || {
            let changes = self.changes(changes);
            changes.filter(|(_, member)| !is_newest(*member))
        };
        if !changes.is_empty() && others().next().is_none() {
            return false;
        }
        let kind = others().find(|(_, member)| member.is(Field::Type));
        let kind = kind.and_then(|(_, member)| self.kind(member));
        if kind == Some(StatsKind::Certificate) {
            return false;
        }
        let is_sent = |member: Member| match member.field {
            Some(Field::IsRemote | Field::Ip | Field::MediaType | Field::Writable) => false,
            Some(Field::LocalCertificateId | Field::RemoteCertificateId) => {
                kind != Some(StatsKind::Transport)
            }
            _ => true,
        };
        let is_beside = |field| others().any(|(_, member)| member.is(field) && is_sent(member));
        let start = sent.len();
        let members = others().filter(|(_, member)| is_sent(*member));
        sent.extend(
            members.filter_map(|(place, member)| Some((self.rank(member, is_beside)?, place))),
        );
        sent.get_mut(start..).unwrap_or_default().sort_unstable();
        true
    }

    fn kind(&self, member: Member) -> Option<StatsKind> {
        StatsKind::from_name(&self.report.value(member).as_text()?)
    }

    /// Where a member comes in JavaScript's order: numbers, then others, then the timestamp, which was
    /// renamed last. None for an unknown one with the number of a known one that is sent too.
    fn rank(&self, member: Member, is_beside: impl Fn(Field) -> bool) -> Option<u32> {
        const OTHER: u32 = u32::MAX - 1;
        if member.is(Field::Timestamp) {
            return Some(u32::MAX);
        }
        if let Some(field) = member.field {
            return Some(field.sent_number().map_or(OTHER, u32::from));
        }
        let key = self.report.name(member);
        let field = Field::from_key(&key).filter(|field| field.sent_key() == key);
        if field.is_some_and(is_beside) {
            return None;
        }
        Some(array_index(&key).unwrap_or(OTHER))
    }

    /// Step 7, in JavaScript's order.
    fn write(&self, state: &State, newest: Option<RawJson<'_>>, out: &mut String) {
        out.push('{');
        for outgoing in &state.outgoing {
            out.push('"');
            write_number(f64::from(outgoing.number), out);
            out.push_str("\":");
            let place = outgoing.object.map(|place| place as usize);
            let object = place.and_then(|place| self.report.objects.get(place));
            match object.map(|object| (object.content, object)) {
                None => out.push_str("null"),
                Some((Content::Scalar(value), _)) => out.push_str(self.report.part(value)),
                Some((Content::Array, object)) => {
                    let sent = state.sent.get(outgoing.members.clone()).unwrap_or_default();
                    let is_sent = |place| sent.iter().any(|(_, sent)| *sent == place);
                    self.write_elements(object, is_sent, out);
                }
                Some((Content::Object, object)) => self.write_sent(state, outgoing, object, out),
            }
            out.push(',');
        }
        match newest {
            Some(newest) => {
                out.push_str("\"t\":");
                out.push_str(newest.as_str());
            }
            None if !state.outgoing.is_empty() => {
                out.pop();
            }
            None => {}
        }
        out.push('}');
    }

    fn write_sent(&self, state: &State, outgoing: &Outgoing, object: &Object, out: &mut String) {
        let sent = state.sent.get(outgoing.members.clone()).unwrap_or_default();
        let known = self.known(object);
        let mut is_first = true;
        out.push('{');
        for (_, place) in sent {
            let Some(member) = self.report.members.get(*place as usize) else {
                continue;
            };
            let name = self.report.name(*member);
            let before = out.len();
            if !is_first {
                out.push(',');
            }
            match member.field {
                Some(field) => {
                    out.push('"');
                    out.push_str(field.sent_key());
                    out.push('"');
                }
                None => write_text(&name, out),
            }
            out.push(':');
            if outgoing.translations > 0 && name.ends_with("Id") {
                let Some(number) = self.translated(state, *member, outgoing.translations) else {
                    out.truncate(before);
                    continue;
                };
                write_text(&number.to_string(), out);
            } else {
                self.write_value(known, *member, out);
            }
            is_first = false;
        }
        out.push('}');
    }

    fn write_value(&self, known: Option<&Object>, member: Member, out: &mut String) {
        let is_type = member.is(Field::Type);
        if is_type && let Some(number) = self.kind(member).and_then(StatsKind::number) {
            write_number(f64::from(number), out);
        } else if member.kind == JsonKind::Object
            && let Some(known) = known
        {
            let name = self.report.name(member);
            let earlier = self.earlier(known, member.field, &name);
            self.write_difference(earlier, member, out);
        } else {
            out.push_str(self.report.value(member).as_str());
        }
    }
}

/// Whether a member is a timestamp that counts: only numbers do.
fn is_time(member: Member) -> bool {
    member.is(Field::Timestamp) && member.kind == JsonKind::Number
}
