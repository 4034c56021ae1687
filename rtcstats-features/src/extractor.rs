//! Feeds folds.

mod dump;
mod error;

use std::collections::HashMap;

use foldhash::fast::RandomState;
use rtcstats_proto::delta::{Decoder, Strictness};
use rtcstats_proto::stats::Stats;
use rtcstats_proto::{Event, EventError, EventForm, EventReader, Generation, Method, RawJson};

pub use self::dump::{extract, extract_export};
pub use self::error::{ExtractError, ExtractErrorKind};
use crate::{Context, Fold, Limits};

/// Computes features from the events of one session, live or from its dump.
///
/// It owns what all folds share: the delta decoder and the stats of each peer connection. An event
/// that yields an error has changed nothing, so the caller decides whether to go on; [`extract`]
/// goes on unless [strict](Extractor::with_strictness).
///
/// ```
/// use rtcstats_features::Extractor;
/// use rtcstats_features::jitsi::JitsiFold;
///
/// let mut extractor = Extractor::new(JitsiFold::new("a-session"));
/// extractor.push_line(r#"["connectionInfo",null,{"clientProtocol":"3.1_STANDARD"},1700000000000]"#)?;
/// assert!(extractor.push_line("no event").is_err());
/// extractor.push_line(r#"["create","PC_0",{},1700000000123,1]"#)?;
/// assert_eq!((extractor.counters().lines, extractor.counters().errors), (3, 1));
/// let json = serde_json::to_value(extractor.finish(1_700_000_001_000.0))?;
/// assert_eq!(json["features"]["sessionStartTime"], 1_700_000_000_123_u64);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Extractor<F> {
    fold: F,
    limits: Limits,
    strictness: Strictness,
    reader: EventReader,
    /// That of the decoder.
    generation: Option<Generation>,
    decoder: Decoder,
    /// For the events of imports.
    full_decoder: Decoder,
    connections: HashMap<Box<str>, Stats, RandomState>,
    counters: Counters,
}

/// What an [`Extractor`] was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Counters {
    /// Lines, or events.
    pub lines: u64,
    /// Those among them that yielded an error.
    pub errors: u64,
    /// Last lines cut off in the middle (0 or 1), which are errors only if strict.
    pub torn: u64,
}

impl<F: Fold> Extractor<F> {
    /// An extractor for one session, lenient and within the default [`Limits`].
    pub fn new(fold: F) -> Self {
        Self::with_limits(fold, Limits::default())
    }

    /// As [`Extractor::new`], within `limits`.
    pub fn with_limits(fold: F, limits: Limits) -> Self {
        Self {
            fold,
            limits,
            strictness: Strictness::Lenient,
            reader: EventReader::new(limits.proto),
            generation: None,
            decoder: Decoder::jitsi(limits.proto),
            full_decoder: Decoder::full(limits.proto),
            connections: HashMap::default(),
            counters: Counters::default(),
        }
    }

    /// Sets whether to fail on all input on which existing extractors do, or to make the best of
    /// it.
    #[must_use]
    pub fn with_strictness(mut self, strictness: Strictness) -> Self {
        self.strictness = strictness;
        self.decoder = self.decoder.with_strictness(strictness);
        self
    }

    /// Sets the generation of lines that come without the head of a dump. Without it the first line
    /// decides, see [`EventReader`].
    #[must_use]
    pub fn with_generation(mut self, generation: Generation) -> Self {
        self.reader = EventReader::of_generation(generation, self.limits.proto);
        self.set_generation(generation);
        self
    }

    /// Takes an event: one that an [`EventReader`] read, or that of an import.
    ///
    /// # Errors
    ///
    /// If it is not taken, whether strict or not. All is then as before, except that a report
    /// which a fold did not take stays merged: the next delta needs it.
    pub fn push(&mut self, event: &Event<'_>) -> Result<(), ExtractError> {
        self.counters.lines += 1;
        let result = self.apply(event);
        self.count_error(result)
    }

    /// Takes a line, without its terminator.
    ///
    /// # Errors
    ///
    /// If it is no event, or not taken; see [`Extractor::push`].
    pub fn push_line(&mut self, line: &str) -> Result<(), ExtractError> {
        self.counters.lines += 1;
        let result = self.reader.read(line);
        let result = match result {
            Ok(event) => self.apply_read(event),
            Err(error) => Err(error.into()),
        };
        self.count_error(result)
    }

    /// What the reader made of a line.
    fn apply_read(&mut self, event: Option<Event<'_>>) -> Result<(), ExtractErrorKind> {
        let Some(event) = event else {
            return Ok(());
        };
        if let Some(generation) = self.reader.generation()
            && self.generation != Some(generation)
        {
            self.set_generation(generation);
        }
        self.apply(&event)
    }

    fn set_generation(&mut self, generation: Generation) {
        let limits = self.limits.proto;
        let decoder = match generation {
            Generation::Jitsi => Decoder::jitsi(limits),
            Generation::Legacy => Decoder::legacy(limits),
            Generation::Rtcstats => Decoder::rtcstats(limits),
        };
        self.generation = Some(generation);
        self.decoder = decoder.with_strictness(self.strictness);
    }

    fn apply(&mut self, event: &Event<'_>) -> Result<(), ExtractErrorKind> {
        let context = Context::new(&self.limits, self.strictness);
        if !is_report(event) {
            return Ok(self.fold.event(event, &context)?);
        }
        if !self.fold.wants_stats() {
            // Nobody else reads the report, but a line that is no JSON is an error all the same.
            if let Err(error) = RawJson::parse_within(event.payload().as_str(), &self.limits.proto)
            {
                let reread = event.reread(&self.limits.proto)?;
                if reread.payload().as_str() == event.payload().as_str() {
                    return Err(EventError::from(error).into());
                }
            }
            return Ok(self.fold.event(event, &context)?);
        }
        let key = event.connection_key();
        let decoder = match event.form() {
            EventForm::Import => &mut self.full_decoder,
            _ => &mut self.decoder,
        };
        match self.connections.get_mut(key) {
            Some(stats) => {
                decode(decoder, event, stats, &self.limits)?;
                self.fold.stats(event, stats, &context)?;
            }
            None => {
                let allowed = self.limits.connections;
                if self.connections.len() >= allowed || key.len() > self.limits.text_bytes {
                    return Err(ExtractErrorKind::Connections { allowed });
                }
                let mut stats = Stats::default();
                decode(decoder, event, &mut stats, &self.limits)?;
                let stats = self.connections.entry(key.into()).or_insert(stats);
                self.fold.stats(event, stats, &context)?;
            }
        }
        Ok(())
    }

    fn count_error(&mut self, result: Result<(), ExtractErrorKind>) -> Result<(), ExtractError> {
        result.map_err(|kind| {
            self.counters.errors += 1;
            ExtractError {
                line: self.counters.lines,
                kind,
            }
        })
    }

    /// What it was given so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The fold.
    pub fn fold(&self) -> &F {
        &self.fold
    }

    /// The features so far; more events may follow. `now` is the time in Unix epoch milliseconds.
    pub fn snapshot(&self, now: f64) -> F::Output {
        self.fold.snapshot(now)
    }

    /// The features of the whole session.
    pub fn finish(self, now: f64) -> F::Output {
        self.fold.snapshot(now)
    }
}

/// Whether an event brings a report to be decoded. Reports that are none, such as `null`, are events
/// like others, but for the clients whose existing extractors fail on them.
fn is_report(event: &Event<'_>) -> bool {
    match (event.form(), event.method()) {
        (EventForm::Array, Some(Method::CompressedGetStats)) => true,
        (EventForm::Delta | EventForm::Import, Some(Method::GetStats)) => {
            event.payload().as_str().starts_with('{')
        }
        _ => false,
    }
}

fn decode(
    decoder: &mut Decoder,
    event: &Event<'_>,
    stats: &mut Stats,
    limits: &Limits,
) -> Result<(), ExtractErrorKind> {
    let Err(error) = decoder.decode(event.payload(), stats) else {
        return Ok(());
    };
    // The end of the report was a guess. If it was right, the error comes again.
    let reread = event.reread(&limits.proto)?;
    if reread.payload().as_str() == event.payload().as_str() {
        return Err(error.into());
    }
    Ok(decoder.decode(reread.payload(), stats)?)
}

#[cfg(test)]
mod tests {
    use rtcstats_proto::delta::{DeltaError, DeltaLimit};

    use super::*;
    use crate::FoldError;
    use crate::jitsi::JitsiFold;

    /// Remembers the last report of each call.
    #[derive(Default)]
    struct LastReport(String);

    impl Fold for LastReport {
        type Output = String;

        fn event(&mut self, _: &Event<'_>, _: &Context<'_>) -> Result<(), FoldError> {
            Ok(())
        }

        fn stats(
            &mut self,
            _: &Event<'_>,
            stats: &Stats,
            _: &Context<'_>,
        ) -> Result<(), FoldError> {
            self.0.clear();
            stats.write_json(&mut self.0);
            Ok(())
        }

        fn snapshot(&self, _: f64) -> String {
            self.0.clone()
        }
    }

    fn report(connection: &str, report: &str) -> String {
        format!("[\"getstats\",\"{connection}\",{report},1]")
    }

    #[test]
    fn each_connection_has_its_own_base() {
        let mut extractor = Extractor::new(LastReport::default());
        extractor
            .push_line(&report("PC_0", r#"{"a":{"b":1,"c":2}}"#))
            .unwrap();
        extractor
            .push_line(&report("PC_1", r#"{"a":{"b":5}}"#))
            .unwrap();
        assert_eq!(extractor.snapshot(0.0), r#"{"a":{"b":5}}"#);
        extractor
            .push_line(&report("PC_0", r#"{"a":{"b":3}}"#))
            .unwrap();
        let merged = extractor.finish(0.0);
        assert!(merged.starts_with(r#"{"a":{"b":3,"c":2"#), "{merged}");
    }

    #[test]
    fn a_bad_line_changes_nothing_and_is_named() {
        let mut extractor = Extractor::new(LastReport::default());
        extractor
            .push_line(&report("PC_0", r#"{"a":{"b":1}}"#))
            .unwrap();
        for bad in [
            "",
            "no json",
            "5",
            r#"["getstats","PC_0",{"a":{"b":2},"c":{"d":}},1]"#,
        ] {
            extractor.push_line(bad).unwrap_err();
        }
        assert_eq!(extractor.snapshot(0.0), r#"{"a":{"b":1}}"#);
        let error = extractor.push_line(r#"["x"#).unwrap_err();
        assert_eq!((error.line, extractor.counters().errors), (6, 5));
        assert!(error.to_string().starts_with("line 6: "));
    }

    #[test]
    fn connections_beyond_the_limit_are_an_error() {
        let limits = Limits {
            connections: 1,
            ..Limits::default()
        };
        let mut extractor = Extractor::with_limits(LastReport::default(), limits);
        extractor
            .push_line(&report("PC_0", r#"{"a":{"b":1}}"#))
            .unwrap();
        let error = extractor.push_line(&report("PC_1", "{}")).unwrap_err();
        assert!(matches!(
            error.kind,
            ExtractErrorKind::Connections { allowed: 1 }
        ));
        extractor.push_line(&report("PC_0", r#"{"a":{}}"#)).unwrap();
    }

    #[test]
    fn the_limits_of_the_formats_hold() {
        let proto = rtcstats_proto::Limits {
            line_bytes: 40,
            objects: 1,
            ..rtcstats_proto::Limits::default()
        };
        let limits = Limits {
            proto,
            ..Limits::default()
        };
        let mut extractor = Extractor::with_limits(LastReport::default(), limits);
        let error = extractor
            .push_line(&report("PC_0", r#"{"a":{},"b":{}}"#))
            .unwrap_err();
        let ExtractErrorKind::Delta(DeltaError::Limit { limit, .. }) = error.kind else {
            panic!("{error}");
        };
        assert_eq!(limit, DeltaLimit::Objects);
        let error = extractor.push_line(&" ".repeat(41)).unwrap_err();
        assert!(matches!(
            error.kind,
            ExtractErrorKind::Event(EventError::TooLong { .. })
        ));
    }

    #[test]
    fn null_in_the_place_of_an_object_is_an_error_only_if_strict() {
        for strictness in [Strictness::Lenient, Strictness::Strict] {
            let mut extractor = Extractor::new(LastReport::default()).with_strictness(strictness);
            extractor
                .push_line(&report("PC_0", r#"{"a":{},"b":{}}"#))
                .unwrap();
            let result = extractor.push_line(&report("PC_0", r#"{"a":null,"b":{}}"#));
            assert_eq!(result.is_err(), strictness == Strictness::Strict);
        }
    }

    #[test]
    fn a_report_that_nobody_wants_must_be_json_all_the_same() {
        let mut extractor = Extractor::new(JitsiFold::new("id"));
        extractor
            .push_line(r#"["connectionInfo",null,{},1]"#)
            .unwrap();
        extractor.push_line(&report("PC_0", r#"{"a":{}}"#)).unwrap();
        extractor
            .push_line(&report("PC_0", r#"{"a":{]}"#))
            .unwrap_err();
        assert_eq!(extractor.connections.len(), 0);
    }
}
