//! The deltas of Jitsi 3.x clients (Jitsi spec, section 10.1) and of legacy rtcstats 2.0 clients
//! (legacy spec, section 3).

use super::{Changes, write_value};
use crate::delta::scan::{Content, ScannedMember, ScannedObject};
use crate::json::{number_from_text, write_text};
use crate::stats::{Field, NewValue};

impl<'a> Changes<'a> {
    /// Writes the objects that `is_sent`, all of them if a Jitsi client does.
    pub(super) fn write_jitsi(self, out: &mut String, is_sent: impl Fn(&ScannedObject) -> bool) {
        let newest = self.newest_timestamp(&is_sent);
        out.push('{');
        for object in self.scan.objects.iter().filter(|object| is_sent(object)) {
            self.write_object(object, newest, out);
        }
        out.push_str("\"timestamp\":");
        write_value(newest.unwrap_or(NewValue::Null), out);
        out.push('}');
    }

    /// Objects without changes are not sent, nor are those of which nothing but the timestamp changed.
    pub(super) fn write_legacy(self, out: &mut String) {
        self.write_jitsi(out, |object| {
            let members = self.members(object).iter();
            let mut members = members
                .filter(|member| !member.name.is(Field::Id))
                .peekable();
            let is_change = |member: &ScannedMember| {
                let is_time = member.name.is(Field::Timestamp) && member.value.is_truthy();
                !is_time && self.has_changed(object, member)
            };
            !self.is_known(object) || members.peek().is_none() || members.any(is_change)
        });
    }

    /// The greatest of the timestamps that changed.
    fn newest_timestamp(&self, is_sent: impl Fn(&ScannedObject) -> bool) -> Option<NewValue<'a>> {
        let mut newest = None;
        for object in self.scan.objects.iter().filter(|object| is_sent(object)) {
            let Content::Object(range) = &object.content else {
                continue;
            };
            let members = self.scan.members(range).iter();
            let Some(member) = members
                .rev()
                .find(|member| member.name.is(Field::Timestamp))
            else {
                continue;
            };
            let value = self.value(member);
            if self.has_changed(object, member) && is_greater(value, newest) {
                newest = Some(value);
            }
        }
        newest
    }

    fn write_object(&self, object: &ScannedObject, newest: Option<NewValue<'_>>, out: &mut String) {
        // A report with this id gives way to the timestamp of all.
        let id = self.id(object);
        if id == Field::Timestamp.as_str() {
            return;
        }
        write_text(id, out);
        out.push(':');
        match &object.content {
            Content::Scalar(value) => write_value(self.scan.value(*value, self.text), out),
            Content::Array(range) => {
                let elements = self.scan.members(range).iter().map(|element| {
                    let changed = self.has_changed(object, element);
                    if changed {
                        self.value(element)
                    } else {
                        NewValue::Null
                    }
                });
                write_separated('[', ']', elements, out, write_value);
            }
            Content::Object(range) => {
                let members = self.scan.members(range).iter();
                let sent = members.filter(|member| {
                    !member.name.is(Field::Id) && self.has_changed(object, member)
                });
                write_separated('{', '}', sent, out, |member, out| {
                    write_text(self.previous.name_text(member.name), out);
                    out.push(':');
                    let value = self.value(member);
                    let is_newest = member.name.is(Field::Timestamp) && newest == Some(value);
                    write_value(
                        if is_newest {
                            NewValue::Number(0.0)
                        } else {
                            value
                        },
                        out,
                    );
                });
            }
        }
        out.push(',');
    }
}

/// JavaScript's `value > newest`, with nothing below everything.
fn is_greater(value: NewValue<'_>, newest: Option<NewValue<'_>>) -> bool {
    let number = |value: NewValue<'_>| match value {
        NewValue::Null => 0.0,
        NewValue::Bool(value) => f64::from(u8::from(value)),
        NewValue::Number(number) => number,
        NewValue::Text(text) => number_from_text(text),
        NewValue::Nested(_) => f64::NAN,
    };
    match (value, newest) {
        (NewValue::Text(value), Some(NewValue::Text(newest))) => value > newest,
        (value, Some(newest)) => number(value) > number(newest),
        (value, None) => number(value) > f64::NEG_INFINITY,
    }
}

fn write_separated<T>(
    open: char,
    close: char,
    items: impl Iterator<Item = T>,
    out: &mut String,
    mut write: impl FnMut(T, &mut String),
) {
    out.push(open);
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(',');
        }
        write(item, out);
    }
    out.push(close);
}
