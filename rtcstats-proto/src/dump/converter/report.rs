//! Reports of one peer connection, for the output.

use std::borrow::Cow;
use std::collections::HashSet;

use foldhash::fast::RandomState;

use super::Coding;
use crate::delta::{DeltaError, Encoder};
use crate::json::{Value, write_number, write_text};
use crate::stats::{Field, Stats, StatsObject, array_index, write_value};
use crate::{Generation, Limits, RawJson};

/// Writes the reports of one peer connection as those of a generation.
#[derive(Debug)]
pub(super) struct ReportWriter {
    form: Form,
    limits: Limits,
    report: String,
}

#[derive(Debug)]
enum Form {
    Delta(Box<Encoder>, IdSpelling),
    /// Every report complete; the ids in the last one, since those that are gone must be named.
    Complete(HashSet<Box<str>, RandomState>),
}

/// How stats ids are given to the encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum IdSpelling {
    /// As they are.
    Own,
    /// Those that look like numbers with a mark in front: the encoder of rtcstats 5.0 takes them for the
    /// numbers it hands out itself, and loses reports (rtcstats spec 6.4).
    Distinct,
}

impl ReportWriter {
    pub(super) fn new(generation: Generation, coding: Coding, limits: Limits) -> Self {
        let delta = |encoder, ids| Form::Delta(Box::new(encoder), ids);
        let form = match (generation, coding) {
            (Generation::Jitsi, _) => delta(Encoder::jitsi(limits), IdSpelling::Own),
            (Generation::Legacy, _) => delta(Encoder::legacy(limits), IdSpelling::Own),
            (Generation::Rtcstats, Coding::Coded) => {
                delta(Encoder::rtcstats(limits), IdSpelling::Distinct)
            }
            (Generation::Rtcstats, Coding::Plain) => Form::Complete(HashSet::default()),
        };
        Self {
            form,
            limits,
            report: String::new(),
        }
    }

    /// Appends the report, or its delta. An error leaves `out` as it was.
    pub(super) fn write(&mut self, stats: &Stats, out: &mut String) -> Result<(), DeltaError> {
        match &mut self.form {
            Form::Complete(ids) => {
                write_complete(stats, ids, out);
                Ok(())
            }
            Form::Delta(encoder, ids) => {
                self.report.clear();
                write_report(stats, *ids, &mut self.report);
                let report = RawJson::trusted(&self.report);
                let length = out.len();
                let result = encoder.encode(report, out);
                if result.is_err() {
                    out.truncate(length);
                }
                self.report.shrink_to(self.limits.line_bytes);
                result
            }
        }
    }
}

/// Appends the objects of a report.
fn write_report(stats: &Stats, ids: IdSpelling, out: &mut String) {
    out.push('{');
    let newest = newest(stats);
    for (index, object) in objects(stats).enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_object(object, newest, ids, out);
    }
    out.push('}');
}

/// As [`write_report`], with `null` for the objects that are gone. Their ids are kept in `ids`.
fn write_complete(stats: &Stats, ids: &mut HashSet<Box<str>, RandomState>, out: &mut String) {
    // The name of the timestamp of all.
    const TIMESTAMP: &str = "t";
    out.push('{');
    let newest = newest(stats);
    let mut is_first = true;
    let mut separate = |out: &mut String| {
        if !std::mem::take(&mut is_first) {
            out.push(',');
        }
    };
    for object in objects(stats).filter(|object| object.id() != TIMESTAMP) {
        separate(out);
        write_object(object, newest, IdSpelling::Own, out);
        if !ids.contains(object.id()) {
            ids.insert(object.id().into());
        }
    }
    ids.retain(|id| {
        let is_there = stats.get(id).is_some_and(StatsObject::is_object);
        if !is_there {
            separate(out);
            write_text(id, out);
            out.push_str(":null");
        }
        is_there
    });
    out.push('}');
}

/// What is no object, no browser sends.
fn objects(stats: &Stats) -> impl Iterator<Item = StatsObject<'_>> {
    stats.iter().filter(|object| object.is_object())
}

fn write_object(object: StatsObject<'_>, newest: Option<f64>, ids: IdSpelling, out: &mut String) {
    write_text(&ids.spelled(object.id()), out);
    out.push_str(":{");
    for (index, (name, value)) in object.members().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_text(name, out);
        out.push(':');
        match (value, newest) {
            (Value::Number(0.0), Some(newest)) if name == Field::Timestamp.as_str() => {
                write_number(newest, out);
            }
            (Value::Text(id), _) if name.ends_with("Id") => write_text(&ids.spelled(id), out),
            _ => write_value(value, out),
        }
    }
    out.push('}');
}

impl IdSpelling {
    fn spelled(self, id: &str) -> Cow<'_, str> {
        if self == Self::Distinct && array_index(id).is_some() {
            Cow::Owned(format!("#{id}"))
        } else {
            Cow::Borrowed(id)
        }
    }
}

/// What zero timestamps stand for: in the first report of a Jitsi client they are still there, and so
/// is their value.
fn newest(stats: &Stats) -> Option<f64> {
    let object = stats.get(Field::Timestamp.as_str())?;
    object.scalar().and_then(Value::as_number)
}
