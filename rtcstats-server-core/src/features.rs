//! The sets of features that are extracted of a session.

use rtcstats_features::jitsi::{Extraction, Features};
use rtcstats_features::series::{SeriesFold, SeriesOptions, SessionSeries};
use rtcstats_features::{Extractor, FeatureSet, Sets, SetsFold, legacy, rtcstats};
use rtcstats_proto::dump::line_text;
use rtcstats_proto::{Generation, Limits};
use serde::Serialize;

use crate::header::{generation_of, is_head};
use crate::privacy::{LineFilter, Stage};
use crate::{DumpHead, Privacy};

/// The features of a session, in the sets that are extracted; every set takes the sessions of every
/// generation, as far as their data goes.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct SessionFeatures {
    /// Those of Jitsi's extractor.
    #[serde(flatten)]
    pub jitsi: Option<Extraction>,
    /// Those of the rtcstats.com server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtcstats: Option<rtcstats::Features>,
    /// What only the legacy server had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub legacy: Option<legacy::Features>,
    /// What the head of the dump says; empty without any feature set. Not serialized.
    #[serde(skip)]
    pub head: DumpHead,
    /// Time series, if they are wanted and there were reports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub series: Option<SessionSeries>,
}

impl From<Sets> for SessionFeatures {
    fn from(sets: Sets) -> Self {
        let jitsi = sets.jitsi;
        // Bridges and the like have no peer connections for the other sets to describe.
        let is_back_end = jitsi
            .as_ref()
            .is_some_and(|jitsi| matches!(jitsi.features, Features::BackEnd(_)));
        Self {
            jitsi,
            rtcstats: sets.rtcstats.filter(|_| !is_back_end),
            legacy: sets.legacy.filter(|_| !is_back_end),
            head: DumpHead::default(),
            series: None,
        }
    }
}

/// Folds the lines of one session into features.
pub(crate) struct FeatureExtractor {
    extractor: Extractor<(SetsFold, Option<SeriesFold>)>,
    privacy: Privacy,
    limits: Limits,
    /// Whether there is a set that anything is read for.
    is_wanted: bool,
    /// Lines of the head that were read.
    lines: u64,
    is_in_head: bool,
    head: DumpHead,
    /// What makes lines of the journal as they will be archived.
    filter: Option<LineFilter>,
    filtered: String,
    errors: u64,
}

impl FeatureExtractor {
    /// An extractor for a session of this name.
    pub(crate) fn new(
        name: String,
        sets: &[FeatureSet],
        series: Option<SeriesOptions>,
        privacy: &Privacy,
        limits: Limits,
    ) -> Self {
        let own = rtcstats_features::Limits {
            proto: limits,
            ..rtcstats_features::Limits::default()
        };
        let folds = (SetsFold::new(name, sets), series.map(SeriesFold::new));
        Self {
            extractor: Extractor::with_limits(folds, own),
            privacy: privacy.clone(),
            limits,
            is_wanted: !sets.is_empty() || series.is_some(),
            lines: 0,
            is_in_head: true,
            head: DumpHead::default(),
            filter: None,
            filtered: String::new(),
            errors: 0,
        }
    }

    /// Takes a line of the journal, without its terminator. What cannot be read is
    /// [counted](Self::errors); the dump keeps it.
    pub(crate) fn push(&mut self, line: &[u8]) {
        if !self.is_wanted {
            return;
        }
        let line = line_text(line);
        if self.is_in_head && self.lines == 0 {
            let generation = generation_of(&line);
            self.filter = LineFilter::new(&self.privacy, generation, Stage::Archive, self.limits);
            self.head.generation = Some(generation);
        }
        let line = match &mut self.filter {
            Some(filter) => {
                self.filtered.clear();
                if !filter.apply(&line, &mut self.filtered) {
                    return;
                }
                self.filtered.as_str()
            }
            None => &line,
        };
        if self.is_in_head {
            let generation = self.head.generation.unwrap_or(Generation::Jitsi);
            self.is_in_head = is_head(generation, self.lines, line);
            if self.is_in_head {
                self.head.take(line);
            }
            self.lines += 1;
        }
        self.errors += u64::from(self.extractor.push_line(line).is_err());
    }

    /// Lines that could not be read.
    pub(crate) fn errors(&self) -> u64 {
        self.errors
    }

    /// The features so far; `now` is the time in Unix epoch milliseconds.
    pub(crate) fn snapshot(&self, now: f64) -> SessionFeatures {
        let (sets, series) = self.extractor.snapshot(now);
        let series = series.filter(|series| !series.connections.is_empty());
        SessionFeatures {
            series,
            head: self.head.clone(),
            ..SessionFeatures::from(sets)
        }
    }
}
