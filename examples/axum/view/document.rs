//! Views, computed from the lines of a session.

use std::io::{self, BufRead, Write};
use std::time::Instant;

use flate2::Compression;
use flate2::write::GzEncoder;
use rtcstats_features::jitsi::Features;
use rtcstats_features::report_series::{
    ConnectionReportSeries, Extent, ReportCursor, ReportSeriesFold, ReportSeriesOptions,
};
use rtcstats_features::timeline::{Timeline, TimelineFold, TimelineOptions};
use rtcstats_features::{
    Counters, ExtractError, Extractor, FeatureSet, Fold, Sets, SetsFold, extract,
};
use rtcstats_proto::dump::{Internals, LineReader};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::work::{Timed, Work};

type Folds = (SetsFold, ReportSeriesFold, TimelineFold);

/// Computes the view of a session.
pub(super) struct ViewBuilder {
    extractor: Extractor<Folds>,
    /// Whether there was more to read than time.
    is_cut: bool,
}

/// A view, or what is new in one.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct View<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    features: Option<Box<RawValue>>,
    connections: Vec<ConnectionReportSeries>,
    #[serde(flatten)]
    timeline: Timeline,
    is_incomplete: bool,
}

/// How much of a view somebody has.
#[derive(Default)]
pub(super) struct Told {
    reports: ReportCursor,
    events: usize,
    features: Option<Box<RawValue>>,
}

impl ViewBuilder {
    /// That of a session of this name.
    pub(super) fn new(name: &str) -> Self {
        let folds = (
            SetsFold::new(name, &FeatureSet::ALL),
            ReportSeriesFold::new(ReportSeriesOptions::default()),
            TimelineFold::new(TimelineOptions::default()),
        );
        Self {
            extractor: Extractor::new(folds),
            is_cut: false,
        }
    }

    /// Takes lines with their terminators. What is no event is passed over.
    pub(super) fn push(&mut self, lines: &str) {
        for line in lines.lines() {
            // Counted.
            let _ = self.extractor.push_line(line);
        }
    }

    /// Reads a dump to its end, or to that of the work.
    pub(super) fn read(&mut self, dump: impl BufRead, work: &mut Work) -> Result<(), ExtractError> {
        let mut dump = Timed::new(dump, work);
        extract(LineReader::new(&mut dump), &mut self.extractor)?;
        self.is_cut |= dump.is_cut;
        Ok(())
    }

    /// Reads an export of webrtc-internals, likewise.
    pub(super) fn read_export(&mut self, export: &mut Internals<'_>, work: &mut Work) {
        let mut since = Instant::now();
        while let Some(event) = export.next_event() {
            // What is not taken is counted.
            let _ = self.extractor.push(&event);
            let now = Instant::now();
            if !work.goes_on(now - since) {
                self.is_cut = true;
                return;
            }
            since = now;
        }
    }

    pub(super) fn counters(&self) -> Counters {
        self.extractor.counters()
    }

    /// The view of a session that is over.
    pub(super) fn view<'a>(&self, session: &'a Value) -> View<'a> {
        let (_, reports, timeline) = self.extractor.fold();
        let (reports, _) = reports.whole(Extent::All);
        let timeline = timeline.since(0);
        // A session that is over shows no other time than its own.
        let now = timeline.end.unwrap_or_default();
        View {
            session: Some(session),
            features: self.features(now),
            is_incomplete: self.is_cut || reports.is_incomplete || timeline.omitted > 0,
            connections: reports.connections,
            timeline,
        }
    }

    /// The view of a session that goes on, up to an extent, and what whoever gets it has then.
    pub(super) fn begin<'a>(
        &self,
        session: &'a Value,
        extent: Extent,
        now: f64,
    ) -> (View<'a>, Told) {
        let (_, reports, timeline) = self.extractor.fold();
        let (reports, cursor) = reports.whole(extent);
        let features = self.features(now);
        let told = Told {
            reports: cursor,
            events: timeline.len(),
            features: features.clone(),
        };
        let timeline = timeline.since(0);
        let view = View {
            session: Some(session),
            features,
            is_incomplete: reports.is_incomplete || timeline.omitted > 0,
            connections: reports.connections,
            timeline,
        };
        (view, told)
    }

    /// Whether what was told is no longer so.
    pub(super) fn is_other(&self, told: &Told) -> bool {
        self.extractor.fold().1.has_merged_since(&told.reports)
    }

    /// What is new; with the features if they changed and `now` is given. `None` if nothing is.
    pub(super) fn news(
        &self,
        told: &mut Told,
        extent: Extent,
        now: Option<f64>,
    ) -> Option<View<'static>> {
        let (_, reports, timeline) = self.extractor.fold();
        let reports = reports.news(&mut told.reports, extent);
        let features = now.and_then(|now| self.features(now));
        let features = features.filter(|features| {
            told.features.as_ref().map(|told| told.get()) != Some(features.get())
        });
        if features.is_some() {
            told.features.clone_from(&features);
        }
        let timeline_news = timeline.since(told.events);
        told.events = timeline.len();
        let is_nothing =
            reports.connections.is_empty() && timeline_news.events.is_empty() && features.is_none();
        (!is_nothing).then_some(View {
            session: None,
            features,
            is_incomplete: reports.is_incomplete || timeline_news.omitted > 0,
            connections: reports.connections,
            timeline: timeline_news,
        })
    }

    /// The features of all sets that apply, as JSON.
    fn features(&self, now: f64) -> Option<Box<RawValue>> {
        // A snapshot of all folds would copy the rest too.
        let mut sets: Sets = self.extractor.fold().0.snapshot(now);
        let jitsi = sets.jitsi.as_ref();
        let is_back_end = jitsi.is_some_and(|jitsi| matches!(jitsi.features, Features::BackEnd(_)));
        if is_back_end {
            // Bridges and the like have no peer connections for the other sets to describe.
            sets.rtcstats = None;
            sets.legacy = None;
        }
        serde_json::value::to_raw_value(&sets).ok()
    }
}

impl View<'_> {
    /// As JSON.
    pub(super) fn to_json(&self) -> io::Result<String> {
        Ok(serde_json::to_string(self)?)
    }

    /// As JSON, compressed with gzip if that is wanted.
    pub(super) fn encode(&self, is_compressed: bool) -> Result<Vec<u8>, ExtractOrWrite> {
        if !is_compressed {
            return Ok(serde_json::to_vec(self).map_err(io::Error::from)?);
        }
        let mut encoder = io::BufWriter::new(GzEncoder::new(Vec::new(), Compression::fast()));
        serde_json::to_writer(&mut encoder, self).map_err(io::Error::from)?;
        encoder.flush()?;
        let encoder = encoder
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        Ok(encoder.finish()?)
    }
}

/// A view that could not be computed, or written.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExtractOrWrite {
    #[error(transparent)]
    Extract(#[from] ExtractError),
    #[error(transparent)]
    Write(#[from] io::Error),
}
