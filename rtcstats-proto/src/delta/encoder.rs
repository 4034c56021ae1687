//! From full reports to wire deltas.

mod id_index;
mod ids;
mod jitsi;
mod number_spelling;
mod parallel;
mod report;
mod report_reader;
mod rtcstats;

use self::id_index::IdIndex;
use self::ids::Ids;
use self::report::{Member, Object, Report};
use self::report_reader::ReportReader;
use super::DeltaError;
use crate::stats::Field;
use crate::{Limits, RawJson};

/// Compresses the reports of one peer connection as the stock client of a dialect does.
///
/// Keeps the text of the previous report, and the places of its members. The next report is compared
/// with it byte by byte; what is the same is not parsed again.
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
    previous: Report,
    /// Memory for the next report.
    report: Report,
    ids: IdIndex,
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
            previous: Report::default(),
            report: Report::default(),
            ids: IdIndex::default(),
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
        self.encode_text(report.as_str(), out)
    }

    /// As [`Encoder::encode`], for a report that was not checked yet. It is checked here.
    ///
    /// # Errors
    ///
    /// As [`Encoder::encode`].
    pub fn encode_text(&mut self, report: &str, out: &mut String) -> Result<(), DeltaError> {
        let (next, previous) = (&mut self.report, &self.previous);
        ReportReader::new(report, next, previous, &mut self.ids, &self.limits).read()?;
        if let EncoderDialect::Rtcstats(state) = &mut self.dialect {
            let count = self.report.objects.len();
            state.ids.check_room(count, &self.limits)?;
        }
        let changes = Changes {
            report: &self.report,
            previous: &self.previous,
            ids: &self.ids,
        };
        match &mut self.dialect {
            EncoderDialect::Jitsi => changes.write_jitsi(out, |_| true),
            EncoderDialect::Legacy => changes.write_legacy(out),
            EncoderDialect::Rtcstats(state) => changes.write_rtcstats(state, out),
        }
        std::mem::swap(&mut self.report, &mut self.previous);
        self.previous.shrink();
        Ok(())
    }
}

/// A report, and the one before.
#[derive(Debug, Clone, Copy)]
struct Changes<'a> {
    report: &'a Report,
    previous: &'a Report,
    ids: &'a IdIndex,
}

impl<'a> Changes<'a> {
    /// What the previous report had in the place of an object, if that has members.
    fn known(&self, object: &Object) -> Option<&'a Object> {
        let known = self.previous.objects.get(object.known? as usize)?;
        known.has_members().then_some(known)
    }

    /// The members of an object that changed, but for `id`.
    fn changed(&self, object: &Object) -> impl DoubleEndedIterator<Item = Member> {
        let changed = self.report.changed(object);
        changed.filter(|member| !member.is(Field::Id))
    }
    /// Writes an array. Elements that are not sent leave holes, which are null.
    #[cold]
    fn write_elements(&self, object: &Object, is_sent: impl Fn(u32) -> bool, out: &mut String) {
        out.push('[');
        for (place, element) in object.members.clone().zip(self.report.members(object)) {
            if place > object.members.start {
                out.push(',');
            }
            let value = is_sent(place).then(|| self.report.value(*element));
            out.push_str(value.unwrap_or(RawJson::NULL).as_str());
        }
        out.push(']');
    }
}
