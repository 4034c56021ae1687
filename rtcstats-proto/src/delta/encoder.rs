//! From full reports to wire deltas (Jitsi spec, section 10.1).

use super::DeltaError;
use super::scan::{Content, NO_POSITION, Scan, ScannedMember, ScannedObject, Target};
use crate::json::{Value, number_from_text, write_number, write_text};
use crate::stats::{Field, Form, NewValue, Stats};
use crate::{Limits, RawJson};

/// Compresses the reports of one peer connection as the stock client does.
///
/// ```
/// use rtcstats_proto::{Limits, RawJson, delta::Encoder};
///
/// let mut encoder = Encoder::jitsi(Limits::default());
/// let mut line = String::new();
/// for bytes in [10, 25] {
///     let report = format!(r#"{{"T1":{{"id":"T1","timestamp":{bytes},"type":"transport","bytesSent":{bytes}}}}}"#);
///     line.clear();
///     encoder.encode(RawJson::parse(&report)?, &mut line)?;
/// }
/// assert_eq!(line, r#"{"T1":{"timestamp":0,"bytesSent":25},"timestamp":25}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Encoder {
    limits: Limits,
    scan: Scan,
    previous: Stats,
}

impl Encoder {
    /// An encoder of the dialect of Jitsi 3.x clients, before the first report.
    pub fn jitsi(limits: Limits) -> Self {
        Self {
            limits,
            scan: Scan::default(),
            previous: Stats::default(),
        }
    }

    /// Appends the delta from the previous report to this one.
    ///
    /// `report` is what `getStats()` returned as a JSON object: stats id → object.
    ///
    /// # Errors
    ///
    /// If the report is malformed, over a limit, or has `null` in the place of an object. `out` and
    /// the encoder are then as before.
    pub fn encode(&mut self, report: RawJson<'_>, out: &mut String) -> Result<(), DeltaError> {
        let text = report.as_str();
        self.scan
            .read(text, &mut self.previous, &self.limits, false)?;
        if let Some(object) = self.scan.objects.iter().find(|object| object.is_null()) {
            return Err(DeltaError::NullObject {
                offset: object.offset,
            });
        }
        let newest = self.newest_timestamp(text);
        out.push('{');
        for object in &self.scan.objects {
            self.write_object(object, text, newest, out);
        }
        out.push_str("\"timestamp\":");
        write_value(newest.unwrap_or(NewValue::Null), out);
        out.push('}');
        self.remember(text);
        self.scan.shrink();
        Ok(())
    }

    /// The greatest of the timestamps that changed.
    fn newest_timestamp<'a>(&'a self, text: &'a str) -> Option<NewValue<'a>> {
        let mut newest = None;
        for object in &self.scan.objects {
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
            let value = self.scan.value(member.value, text);
            if self.has_changed(object, member, text) && is_greater(value, newest) {
                newest = Some(value);
            }
        }
        newest
    }

    fn write_object(
        &self,
        object: &ScannedObject,
        text: &str,
        newest: Option<NewValue<'_>>,
        out: &mut String,
    ) {
        let id = match object.target {
            Target::Known(slot) => self.previous.slot(slot).map(|slot| slot.id.as_str()),
            Target::New(span) => Some(self.scan.text(span, text)),
        };
        // A report with this id gives way to the timestamp of all.
        let Some(id) = id.filter(|id| *id != Field::Timestamp.as_str()) else {
            return;
        };
        write_text(id, out);
        out.push(':');
        match &object.content {
            Content::Scalar(value) => write_value(self.scan.value(*value, text), out),
            Content::Array(range) => {
                let elements = self.scan.members(range).iter().map(|element| {
                    let changed = self.has_changed(object, element, text);
                    if changed {
                        self.scan.value(element.value, text)
                    } else {
                        NewValue::Null
                    }
                });
                write_separated('[', ']', elements, out, write_value);
            }
            Content::Object(range) => {
                let members = self.scan.members(range).iter();
                let sent = members.filter(|member| {
                    !member.name.is(Field::Id) && self.has_changed(object, member, text)
                });
                write_separated('{', '}', sent, out, |member, out| {
                    write_text(self.previous.name_text(member.name), out);
                    out.push(':');
                    let value = self.scan.value(member.value, text);
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

    /// Whether a member must be sent: JavaScript's `!==`, for which nested values always differ.
    fn has_changed(&self, object: &ScannedObject, member: &ScannedMember, text: &str) -> bool {
        let Target::Known(slot) = object.target else {
            return true;
        };
        let previous = self.previous.slot(slot).and_then(|slot| {
            let values = (slot.form != Form::Scalar).then_some(&slot.values)?;
            values.get(usize::from(member.position))
        });
        let Some(previous) = previous else {
            return true;
        };
        match (
            self.previous.value(*previous),
            self.scan.value(member.value, text),
        ) {
            (Value::Null, NewValue::Null) => false,
            (Value::Bool(old), NewValue::Bool(new)) => old != new,
            (Value::Number(old), NewValue::Number(new)) => old != new,
            (Value::Text(old), NewValue::Text(new)) => old != new,
            _ => true,
        }
    }

    /// Makes the report the previous one.
    fn remember(&mut self, text: &str) {
        let stats = &mut self.previous;
        if self.scan.known < stats.len() {
            let attempt = stats.attempts;
            stats.retain(|slot| slot.seen == attempt);
        }
        for object in &self.scan.objects {
            let slot = match object.target {
                Target::Known(slot) => slot,
                Target::New(span) => {
                    stats.insert(self.scan.text(span, text), object.content.form())
                }
            };
            let form = object.content.form();
            match &object.content {
                Content::Scalar(value) => stats.set_scalar(slot, self.scan.value(*value, text)),
                Content::Object(range) | Content::Array(range) => {
                    let members = self.scan.members(range);
                    let is_alike = has_layout(stats, slot, form, members);
                    if !is_alike {
                        stats.clear(slot);
                        if let Some(slot) = stats.slot_mut(slot) {
                            slot.form = form;
                        }
                    }
                    let Some(mut object) = stats.members_mut(slot) else {
                        continue;
                    };
                    for member in members {
                        let value = self.scan.value(member.value, text);
                        if is_alike {
                            object.replace(usize::from(member.position), value);
                        } else {
                            object.put(member.name, usize::MAX, value);
                        }
                    }
                }
            }
        }
        stats.finish_report();
    }
}

/// Whether an object has exactly these members already, so that they can be overwritten.
fn has_layout(stats: &Stats, slot: u32, form: Form, members: &[ScannedMember]) -> bool {
    stats.slot(slot).is_some_and(|slot| {
        slot.form == form
            && slot.names.len() == members.len()
            && members.iter().all(|member| member.position != NO_POSITION)
    })
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

fn write_value(value: NewValue<'_>, out: &mut String) {
    match value {
        NewValue::Null => out.push_str("null"),
        NewValue::Bool(value) => out.push_str(if value { "true" } else { "false" }),
        NewValue::Number(number) => write_number(number, out),
        NewValue::Text(text) => write_text(text, out),
        NewValue::Nested(text) => out.push_str(text),
    }
}
