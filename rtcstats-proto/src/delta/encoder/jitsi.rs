//! The deltas of Jitsi 3.x clients (Jitsi spec, section 10.1) and of legacy rtcstats 2.0 clients
//! (legacy spec, section 3).

use super::Changes;
use super::report::{Content, Member, Object};
use crate::RawJson;
use crate::json::write_text;
use crate::stats::Field;

impl<'a> Changes<'a> {
    /// Writes the objects that `is_sent`, all of them if a Jitsi client does.
    pub(super) fn write_jitsi(self, out: &mut String, is_sent: impl Fn(&Object) -> bool) {
        let newest = self.newest_timestamp(&is_sent);
        out.push('{');
        for object in self.report.objects.iter().filter(|object| is_sent(object)) {
            // A report with this id gives way to the timestamp of all.
            let id = self.report.id(object);
            if id == "\"timestamp\"" {
                continue;
            }
            out.push_str(id);
            out.push(':');
            match object.content {
                Content::Scalar(value) => out.push_str(self.report.part(value)),
                Content::Array => {
                    let changed = self.report.changed_places(object);
                    self.write_elements(object, |place| changed.contains(&place), out);
                }
                Content::Object => self.write_members(object, newest, out),
            }
            out.push(',');
        }
        out.push_str("\"timestamp\":");
        out.push_str(newest.unwrap_or(RawJson::NULL).as_str());
        out.push('}');
    }

    /// Objects without changes are not sent, nor are those of which nothing but the timestamp changed.
    pub(super) fn write_legacy(self, out: &mut String) {
        self.write_jitsi(out, |object| {
            let is_change = |member: Member| {
                !(member.is(Field::Timestamp) && self.report.value(member).is_truthy())
            };
            let mut members = self.report.members(object).iter();
            self.known(object).is_none()
                || members.all(|member| member.is(Field::Id))
                || self.changed(object).any(is_change)
        });
    }

    /// The greatest of the timestamps that changed.
    fn newest_timestamp(&self, is_sent: impl Fn(&Object) -> bool) -> Option<RawJson<'a>> {
        let mut newest = None;
        for object in self.report.objects.iter().filter(|object| is_sent(object)) {
            if object.content != Content::Object {
                continue;
            }
            let mut changed = self.report.changed(object);
            if let Some(member) = changed.find(|member| member.is(Field::Timestamp)) {
                let value = self.report.value(member);
                if newest != Some(value) && is_greater(value, newest) {
                    newest = Some(value);
                }
            }
        }
        newest
    }

    fn write_members(&self, object: &Object, newest: Option<RawJson<'_>>, out: &mut String) {
        out.push('{');
        let mut is_first = true;
        for member in self.changed(object) {
            if !std::mem::take(&mut is_first) {
                out.push(',');
            }
            let value = self.report.value(member);
            if member.is(Field::Timestamp) && newest == Some(value) {
                out.push_str("\"timestamp\":0");
            } else if let Some(pair) = self.report.pair(member) {
                out.push_str(pair);
            } else {
                write_text(&self.report.name(member), out);
                out.push(':');
                out.push_str(value.as_str());
            }
        }
        out.push('}');
    }
}

/// JavaScript's `value > newest`, with nothing below everything.
fn is_greater(value: RawJson<'_>, newest: Option<RawJson<'_>>) -> bool {
    let Some(newest) = newest else {
        return value.to_number() > f64::NEG_INFINITY;
    };
    match (value.as_text(), newest.as_text()) {
        (Some(value), Some(newest)) => value > newest,
        _ => value.to_number() > newest.to_number(),
    }
}
