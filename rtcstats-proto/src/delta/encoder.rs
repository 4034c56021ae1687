//! From full reports to wire deltas.

mod ids;
mod jitsi;
mod rtcstats;

use self::ids::Ids;
use super::DeltaError;
use super::scan::{Content, Full, Joined, Scan, ScannedMember, ScannedObject, Target};
use crate::json::{Value, write_number, write_text};
use crate::stats::{Form, NewValue, Stats};
use crate::{Limits, RawJson};

/// Compresses the reports of one peer connection as the stock client of a dialect does.
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
    dialect: EncoderDialect,
}

/// The dialects that there are encoders for, and what else they keep.
#[derive(Debug)]
enum EncoderDialect {
    Jitsi,
    Legacy,
    Rtcstats(Box<rtcstats::State>),
}

impl Encoder {
    /// An encoder of the dialect of Jitsi 3.x clients, before the first report.
    pub fn jitsi(limits: Limits) -> Self {
        Self::new(EncoderDialect::Jitsi, limits)
    }

    /// An encoder of the dialect of legacy rtcstats 2.0 clients, before the first report.
    ///
    /// The original fails on an object without changes whose timestamp is its last member; here that
    /// object is left out like the others without changes.
    pub fn legacy(limits: Limits) -> Self {
        Self::new(EncoderDialect::Legacy, limits)
    }

    /// An encoder of the dialect of rtcstats 5.0 clients, before the first report.
    ///
    /// What is lost on the way is in the specification: ids become numbers, certificates and obsolete
    /// members are dropped, a member that vanishes is not signalled. The original fails on a member
    /// that becomes `null`; here `null` is sent.
    ///
    /// ```
    /// use rtcstats_proto::{Limits, RawJson, delta::Encoder};
    ///
    /// let mut encoder = Encoder::rtcstats(Limits::default());
    /// let report = r#"{"T1":{"id":"T1","timestamp":7,"type":"transport","bytesSent":10}}"#;
    /// let mut line = String::new();
    /// encoder.encode(RawJson::parse(report)?, &mut line)?;
    /// assert_eq!(line, r#"{"0":{"80":10,"type":5},"t":7}"#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn rtcstats(limits: Limits) -> Self {
        Self::new(EncoderDialect::Rtcstats(Box::default()), limits)
    }

    fn new(dialect: EncoderDialect, limits: Limits) -> Self {
        Self {
            limits,
            scan: Scan::default(),
            previous: Stats::default(),
            dialect,
        }
    }

    /// The stats ids that rtcstats 5.0 has sent as numbers, counted from 0; none in other dialects.
    pub fn ids(&self) -> impl ExactSizeIterator<Item = &str> {
        let ids = match &self.dialect {
            EncoderDialect::Rtcstats(state) => state.ids.as_slice(),
            EncoderDialect::Jitsi | EncoderDialect::Legacy => &[],
        };
        ids.iter().map(AsRef::as_ref)
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
        let (previous, limits) = (&mut self.previous, &self.limits);
        match self.dialect {
            EncoderDialect::Jitsi => self.scan.read::<Full>(text, previous, limits, false)?,
            _ => self.scan.read::<Joined>(text, previous, limits, false)?,
        }
        if let Some(object) = self.scan.objects.iter().find(|object| object.is_null()) {
            return Err(DeltaError::NullObject {
                offset: object.offset,
            });
        }
        let changes = Changes {
            scan: &self.scan,
            previous: &self.previous,
            text,
        };
        match &mut self.dialect {
            EncoderDialect::Jitsi => changes.write_jitsi(out, |_| true),
            EncoderDialect::Legacy => changes.write_legacy(out),
            EncoderDialect::Rtcstats(state) => {
                state.ids.check_room(self.scan.objects.len(), limits)?;
                changes.write_rtcstats(state, out);
            }
        }
        self.remember(text);
        self.scan.shrink();
        Ok(())
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

/// Whether an object has exactly these members already, in this order, so that they can be
/// overwritten.
fn has_layout(stats: &Stats, slot: u32, form: Form, members: &[ScannedMember]) -> bool {
    stats.slot(slot).is_some_and(|slot| {
        slot.form == form
            && slot.names.len() == members.len()
            && (0..)
                .zip(members)
                .all(|(position, member)| member.position == position)
    })
}

/// A report, and the one before.
#[derive(Debug, Clone, Copy)]
struct Changes<'a> {
    scan: &'a Scan,
    previous: &'a Stats,
    text: &'a str,
}

impl<'a> Changes<'a> {
    fn id(&self, object: &ScannedObject) -> &'a str {
        match object.target {
            Target::Known(slot) => self
                .previous
                .slot(slot)
                .map(|slot| slot.id.as_str())
                .unwrap_or_default(),
            Target::New(span) => self.scan.text(span, self.text),
        }
    }

    fn value(&self, member: &ScannedMember) -> NewValue<'a> {
        self.scan.value(member.value, self.text)
    }

    /// The members of an object or array.
    fn members(&self, object: &ScannedObject) -> &'a [ScannedMember] {
        match &object.content {
            Content::Object(range) | Content::Array(range) => self.scan.members(range),
            Content::Scalar(_) => &[],
        }
    }

    /// Whether the previous report had an object in this place.
    fn is_known(&self, object: &ScannedObject) -> bool {
        match object.target {
            Target::Known(slot) => {
                let slot = self.previous.slot(slot);
                slot.is_some_and(|slot| slot.form != Form::Scalar)
            }
            Target::New(_) => false,
        }
    }

    /// The value of a member in the previous report.
    fn known_value(&self, object: &ScannedObject, member: &ScannedMember) -> Option<Value<'a>> {
        match object.target {
            Target::Known(slot) if self.is_known(object) => {
                self.previous.value_at(slot, member.position)
            }
            _ => None,
        }
    }

    /// Whether a member differs from the previous one: JavaScript's `!==`, for which nested values
    /// always differ.
    fn has_changed(&self, object: &ScannedObject, member: &ScannedMember) -> bool {
        match (self.known_value(object, member), self.value(member)) {
            (Some(Value::Null), NewValue::Null) => false,
            (Some(Value::Bool(old)), NewValue::Bool(new)) => old != new,
            (Some(Value::Number(old)), NewValue::Number(new)) => old != new,
            (Some(Value::Text(old)), NewValue::Text(new)) => old != new,
            _ => true,
        }
    }
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
