//! The sets of features that are extracted of a session.

use rtcstats_features::jitsi::{Extraction, Features};
use rtcstats_features::{Extractor, FeatureSet, Sets, SetsFold, legacy, rtcstats};
use rtcstats_proto::Limits;
use rtcstats_proto::dump::line_text;
use serde::Serialize;

use crate::Privacy;
use crate::header::generation_of;
use crate::privacy::{LineFilter, Stage};

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
        }
    }
}

/// Folds the lines of one session into features.
pub(super) struct FeatureExtractor {
    extractor: Extractor<SetsFold>,
    privacy: Privacy,
    limits: Limits,
    /// Whether there is a set that anything is read for.
    is_wanted: bool,
    /// Whether the first line is still to come.
    at_start: bool,
    /// What makes lines of the journal as they will be archived.
    filter: Option<LineFilter>,
    filtered: String,
    errors: u64,
}

impl FeatureExtractor {
    /// An extractor for a session of this name.
    pub(super) fn new(
        name: String,
        sets: &[FeatureSet],
        privacy: &Privacy,
        limits: Limits,
    ) -> Self {
        let own = rtcstats_features::Limits {
            proto: limits,
            ..rtcstats_features::Limits::default()
        };
        Self {
            extractor: Extractor::with_limits(SetsFold::new(name, sets), own),
            privacy: privacy.clone(),
            limits,
            is_wanted: !sets.is_empty(),
            at_start: true,
            filter: None,
            filtered: String::new(),
            errors: 0,
        }
    }

    /// Takes a line of the journal, without its terminator. What cannot be read is
    /// [counted](Self::errors); the dump keeps it.
    pub(super) fn push(&mut self, line: &[u8]) {
        if !self.is_wanted {
            return;
        }
        let line = line_text(line);
        if std::mem::take(&mut self.at_start) {
            let generation = generation_of(&line);
            self.filter = LineFilter::new(&self.privacy, generation, Stage::Archive, self.limits);
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
        self.errors += u64::from(self.extractor.push_line(line).is_err());
    }

    /// Lines that could not be read.
    pub(super) fn errors(&self) -> u64 {
        self.errors
    }

    /// The features so far; `now` is the time in Unix epoch milliseconds.
    pub(super) fn snapshot(&self, now: f64) -> SessionFeatures {
        self.extractor.snapshot(now).into()
    }
}
