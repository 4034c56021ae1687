//! From wire deltas to stats.

mod full;
mod jitsi;
mod legacy;
mod rtcstats;

use std::cell::Cell;

use super::DeltaError;
use super::scan::{Content, Full, Numbered, Scan, ScannedValue, Span};
use crate::stats::{NameFilter, NewValue, Stats};
use crate::{Limits, RawJson};

/// Merges the reports of one client into the [`Stats`] of its peer connections.
///
/// One decoder serves any number of connections; the stats of a connection belong to one dialect
/// from their first report on. A report is atomic: where it is malformed or over a limit, the stats
/// stay as they were. Merging a report like the one before allocates nothing.
#[derive(Debug)]
pub struct Decoder {
    dialect: Dialect,
    limits: Limits,
    strictness: Strictness,
}

/// What reading a report takes and gives back.
#[derive(Debug, Default)]
struct Scratch {
    scan: Scan,
    buffers: rtcstats::Buffers,
}

thread_local! {
    /// Used by one report at a time, so all decoders of a thread share it. It would be as large as all else
    /// that a connection costs.
    static SCRATCH: Cell<Scratch> = Cell::default();
}

/// How reports are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// Jitsi 3.x: an object that the report does not have is gone, one that is empty is unchanged.
    /// The first report of a connection is taken as it is, its zero timestamps and its top-level
    /// `timestamp` included, which is a scalar object there until the second report.
    Jitsi,
    /// Legacy rtcstats 2.0: an object that the report does not have is unchanged; none ever goes.
    Legacy,
    /// rtcstats 5.0: names and types are numbers, an object that the report does not have is
    /// unchanged, `null` removes it, nested values are added to.
    Rtcstats,
    /// None: each report replaces everything before. The member `id` of an object, its key, is
    /// dropped.
    Full,
}

/// What to do with input on which existing decoders fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Strictness {
    /// Make the best of it.
    #[default]
    Lenient,
    /// Fail where they do.
    Strict,
}

impl Decoder {
    /// A decoder for the reports of a dialect.
    pub fn new(dialect: Dialect, limits: Limits) -> Self {
        Self {
            dialect,
            limits,
            strictness: Strictness::Lenient,
        }
    }

    /// A decoder for the deltas of Jitsi 3.x clients.
    pub fn jitsi(limits: Limits) -> Self {
        Self::new(Dialect::Jitsi, limits)
    }

    /// A decoder for the deltas of legacy rtcstats 2.0 clients.
    pub fn legacy(limits: Limits) -> Self {
        Self::new(Dialect::Legacy, limits)
    }

    /// A decoder for the deltas of rtcstats 5.0 clients, and for the reports of its clients that do
    /// not compress.
    ///
    /// ```
    /// use rtcstats_proto::{Limits, RawJson, delta::Decoder, stats::{Field, Stats}};
    ///
    /// let mut decoder = Decoder::rtcstats(Limits::default());
    /// let mut stats = Stats::default();
    /// for delta in [r#"{"0":{"80":1200,"type":5},"t":1761000001000}"#, r#"{"t":1761000002000}"#] {
    ///     decoder.decode(RawJson::parse(delta)?, &mut stats)?;
    /// }
    /// let mut json = String::new();
    /// stats.write_json(&mut json);
    /// assert_eq!(json, r#"{"0":{"bytesSent":1200,"type":"transport","timestamp":1761000002000}}"#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn rtcstats(limits: Limits) -> Self {
        Self::new(Dialect::Rtcstats, limits)
    }

    /// A decoder for reports that are complete, each of which replaces the one before.
    pub fn full(limits: Limits) -> Self {
        Self::new(Dialect::Full, limits)
    }

    /// Sets how reports are treated on which existing decoders fail, `null` in the place of an
    /// object:
    ///
    /// - [`Dialect::Jitsi`]: counts as removal; strict: an error;
    /// - [`Dialect::Legacy`] and [`Dialect::Full`]: is ignored; strict: an error;
    /// - [`Dialect::Rtcstats`]: removes the object. Where there is none, it is ignored; strict: kept
    ///   as a scalar, on which existing readers fail later.
    #[must_use]
    pub fn with_strictness(mut self, strictness: Strictness) -> Self {
        self.strictness = strictness;
        self
    }

    /// The dialect that it decodes.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Merges a report into the stats of its connection.
    ///
    /// # Errors
    ///
    /// If the report is malformed or over a limit, with the place in it. The stats are then as
    /// before.
    pub fn decode(&mut self, report: RawJson<'_>, stats: &mut Stats) -> Result<(), DeltaError> {
        let mut scratch = SCRATCH.try_with(Cell::take).unwrap_or_default();
        let result = self.decode_by(&mut scratch, report.as_str(), stats);
        scratch.scan.shrink();
        // Without a place for it the next one begins anew.
        let _ = SCRATCH.try_with(|place| place.set(scratch));
        result
    }

    fn decode_by(
        &self,
        scratch: &mut Scratch,
        text: &str,
        stats: &mut Stats,
    ) -> Result<(), DeltaError> {
        let Scratch { scan, buffers } = scratch;
        let limits = &self.limits;
        let is_first = stats.reports() == 0;
        match self.dialect {
            Dialect::Jitsi => scan.read::<Full>(text, stats, limits, !is_first)?,
            Dialect::Legacy => scan.read::<Full>(text, stats, limits, true)?,
            Dialect::Rtcstats => scan.read::<Numbered>(text, stats, limits, true)?,
            Dialect::Full => scan.read::<Full>(text, stats, limits, false)?,
        }
        if matches!(self.dialect, Dialect::Legacy | Dialect::Rtcstats) {
            scan.check_accumulated(stats, limits)?;
        }
        if is_first {
            stats.reserve(scan.objects.len(), scan.long_texts());
        }
        let merge = Merge {
            scan,
            text,
            limits,
            strictness: self.strictness,
        };
        match self.dialect {
            Dialect::Jitsi if is_first => {
                merge.take_first(stats);
                Ok(())
            }
            Dialect::Jitsi => merge.merge_jitsi(stats),
            Dialect::Legacy => merge.merge_legacy(stats),
            Dialect::Rtcstats => {
                merge.merge_rtcstats(stats, buffers);
                Ok(())
            }
            Dialect::Full => merge.replace(stats),
        }
    }
}

/// A report that proved good, on its way into the stats.
#[derive(Debug, Clone, Copy)]
struct Merge<'a> {
    scan: &'a Scan,
    text: &'a str,
    limits: &'a Limits,
    strictness: Strictness,
}

impl<'a> Merge<'a> {
    #[inline]
    fn value(&self, value: ScannedValue) -> NewValue<'a> {
        self.scan.value(value, self.text)
    }

    fn text(&self, span: Span) -> &'a str {
        self.scan.text(span, self.text)
    }

    /// Fails on `null` in the place of an object, if strict.
    fn refuse_null(&self) -> Result<(), DeltaError> {
        let mut objects = self.scan.objects.iter();
        match objects.find(|object| object.is_null()) {
            Some(object) if self.strictness == Strictness::Strict => Err(DeltaError::NullObject {
                offset: object.offset,
            }),
            _ => Ok(()),
        }
    }

    /// Gives an empty object its content.
    fn fill(&self, content: &Content, stats: &mut Stats, slot: u32) {
        match content {
            Content::Object(range) | Content::Array(range) => {
                let mut names = NameFilter::default();
                if let Some(mut object) = stats.members_mut(slot) {
                    object.reserve(range.len());
                    for member in self.scan.members(range) {
                        let value = self.value(member.value);
                        if names.insert(member.name) {
                            object.insert(member.name, usize::MAX, value);
                        } else {
                            object.put(member.name, usize::MAX, value);
                        }
                    }
                }
                stats.shrink(slot);
            }
            Content::Scalar(value) => stats.set_scalar(slot, self.value(*value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delta::DeltaLimit;

    fn decoded(reports: &[&str]) -> Result<Stats, DeltaError> {
        decoded_within(Limits::default(), reports)
    }

    fn decoded_within(limits: Limits, reports: &[&str]) -> Result<Stats, DeltaError> {
        let mut decoder = Decoder::jitsi(limits);
        let mut stats = Stats::default();
        for report in reports {
            decoder.decode(RawJson::trusted(report), &mut stats)?;
        }
        Ok(stats)
    }

    fn json(stats: &Stats) -> String {
        let mut json = String::new();
        stats.write_json(&mut json);
        json
    }

    #[test]
    fn of_a_repeated_id_the_later_value_counts_in_the_earlier_place() {
        let stats = decoded(&[r#"{"a":{"x":1,"y":1},"b":{},"a":{"x":2},"c":1,"a":{"x":3}}"#]);
        assert_eq!(json(&stats.unwrap()), r#"{"a":{"x":3},"b":{},"c":1}"#);
        let stats = decoded(&[
            r#"{"a":{"x":1},"b":{}}"#,
            r#"{"d":{"x":1},"b":0,"d":{"x":2},"a":{"x":2,"y":2},"b":{},"a":{"x":3}}"#,
        ]);
        assert_eq!(
            json(&stats.unwrap()),
            r#"{"a":{"x":3,"timestamp":null},"b":{"timestamp":null},"d":{"x":2}}"#
        );
    }

    #[test]
    fn a_member_that_comes_late_stands_where_the_client_sends_it() {
        let stats = decoded(&[
            r#"{"a":{"timestamp":0,"x":1,"z":1}}"#,
            r#"{"a":{"timestamp":0,"x":2,"y":2,"y2":2,"z":2},"timestamp":7}"#,
            r#"{"a":{"timestamp":0,"y":3,"y2":3,"z":3},"timestamp":8}"#,
        ]);
        assert_eq!(
            json(&stats.unwrap()),
            r#"{"a":{"timestamp":8,"x":2,"y":3,"y2":3,"z":3}}"#
        );
    }

    #[test]
    fn a_name_that_needs_escapes_is_not_guessed_from_its_unescaped_spelling() {
        for (first, second) in [
            (r#"{"a":{"x\"y":1}}"#, r#"{"a":{"x"y":2}}"#),
            (r#"{"x\"y":{"a":1}}"#, r#"{"x"y":{"a":2}}"#),
            (r#"{"a":{"x\u0001":1}}"#, "{\"a\":{\"x\u{1}\":2}}"),
            (r#"{"x\\":{"a":1}}"#, r#"{"x\":{"a":2}}"#),
        ] {
            decoded(&[first, first]).unwrap();
            assert!(decoded(&[first, second]).is_err(), "{second}");
        }
    }

    #[test]
    fn of_a_repeated_timestamp_only_the_last_counts() {
        let stats = decoded(&[
            r#"{"a":{"timestamp":5}}"#,
            r#"{"a":{"timestamp":0,"timestamp":null},"timestamp":7}"#,
        ]);
        assert_eq!(json(&stats.unwrap()), r#"{"a":{"timestamp":5}}"#);
        let stats = decoded(&[
            r#"{"a":{"x":1,"timestamp":5,"y":1}}"#,
            r#"{"a":{"timestamp":0,"x":2,"timestamp":null},"timestamp":7}"#,
        ]);
        assert_eq!(
            json(&stats.unwrap()),
            r#"{"a":{"x":2,"timestamp":5,"y":1}}"#
        );
    }

    #[test]
    fn a_zero_timestamp_in_a_report_without_one_removes_the_objects_own() {
        let stats = decoded(&[
            r#"{"a":{"timestamp":5,"x":1,"y":1}}"#,
            r#"{"a":{"timestamp":0,"x":2,"y":3}}"#,
        ]);
        assert_eq!(json(&stats.unwrap()), r#"{"a":{"x":2,"y":3}}"#);
    }

    #[test]
    fn a_text_in_the_place_of_an_object_is_copied_within_the_limits() {
        let reports = [r#"{"a":{"x":1}}"#, r#"{"a":"t\u00e9x"}"#];
        assert_eq!(
            json(&decoded(&reports).unwrap()),
            r#"{"a":{"x":1,"0":"t","1":"é","2":"x"}}"#
        );
        let names = Limits {
            unknown_names: 3,
            ..Limits::default()
        };
        let members = Limits {
            members: 2,
            ..Limits::default()
        };
        let values = Limits {
            values: 3,
            ..Limits::default()
        };
        for (limits, expected) in [
            (names, DeltaLimit::UnknownNames),
            (members, DeltaLimit::Members),
            (values, DeltaLimit::Values),
        ] {
            let error = decoded_within(limits, &reports).unwrap_err();
            assert!(matches!(error, DeltaError::Limit { limit, .. } if limit == expected));
        }
    }

    #[test]
    fn the_copies_of_a_long_report_timestamp_are_counted() {
        let limits = Limits {
            text_bytes: 100,
            ..Limits::default()
        };
        let first = r#"{"a":{"timestamp":0},"b":{"timestamp":0}}"#;
        let report = |length| {
            let text = "x".repeat(length);
            format!(r#"{{"a":{{"timestamp":0}},"b":{{"timestamp":0}},"timestamp":"{text}"}}"#)
        };
        let stats = decoded_within(limits, &[first, &report(33)]).unwrap();
        assert_eq!(stats.text_bytes(), 66);
        let error = decoded_within(limits, &[first, &report(60)]).unwrap_err();
        assert!(matches!(
            error,
            DeltaError::Limit {
                limit: DeltaLimit::TextBytes,
                ..
            }
        ));
    }

    #[test]
    fn a_sparse_array_is_not_written_at_full_length() {
        let stats = decoded(&[r#"{"a":[1]}"#, r#"{"a":{"2":3,"4294967294":1}}"#]).unwrap();
        assert_eq!(json(&stats), r#"{"a":[1,null,3]}"#);
    }

    #[test]
    fn objects_over_the_limit_are_refused_where_they_begin() {
        let limits = Limits {
            objects: 2,
            ..Limits::default()
        };
        let error = decoded_within(limits, &[r#"{"a":1,"b":1,"c":1,"#]).unwrap_err();
        let DeltaError::Limit { limit, offset, .. } = error else {
            panic!("{error}");
        };
        assert_eq!((limit, offset), (DeltaLimit::Objects, 13));
    }
}
