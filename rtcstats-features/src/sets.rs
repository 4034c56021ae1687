//! The feature sets of this crate, as many as are wanted, in one pass.

use std::fmt;
use std::str::FromStr;

use rtcstats_proto::Event;
use rtcstats_proto::stats::Stats;
use serde::Serialize;

use crate::jitsi::{self, JitsiFold};
use crate::legacy::{self, LegacyFold};
use crate::rtcstats::{self, RtcstatsFold};
use crate::{Context, Fold, FoldError};

/// A feature set of this crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FeatureSet {
    /// That of the Jitsi rtcstats server: [`jitsi`].
    Jitsi,
    /// That of the rtcstats.com server: [`rtcstats`].
    Rtcstats,
    /// What only the legacy server had: [`legacy`].
    Legacy,
}

/// A name that is no feature set's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown feature set; known are jitsi, rtcstats and legacy")]
pub struct UnknownFeatureSet;

impl FeatureSet {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Jitsi, Self::Rtcstats, Self::Legacy];

    /// Its name: `jitsi`, `rtcstats` or `legacy`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Jitsi => "jitsi",
            Self::Rtcstats => "rtcstats",
            Self::Legacy => "legacy",
        }
    }
}

impl fmt::Display for FeatureSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for FeatureSet {
    type Err = UnknownFeatureSet;

    fn from_str(text: &str) -> Result<Self, UnknownFeatureSet> {
        let mut sets = Self::ALL.into_iter();
        sets.find(|set| set.as_str() == text)
            .ok_or(UnknownFeatureSet)
    }
}

/// Computes the feature sets that are wanted.
///
/// Every set takes the events of every generation, as far as their data goes.
///
/// ```
/// use rtcstats_features::{Extractor, FeatureSet, SetsFold};
///
/// let fold = SetsFold::new("a-session", &[FeatureSet::Jitsi, FeatureSet::Rtcstats]);
/// let mut extractor = Extractor::new(fold);
/// for line in ["RTCStatsDump", r#"{"fileFormat":3}"#, r#"["create",null,{},1700000000000]"#] {
///     extractor.push_line(line)?;
/// }
/// let sets = extractor.finish(1_700_000_001_000.0);
/// assert!(sets.jitsi.is_some() && sets.rtcstats.is_some() && sets.legacy.is_none());
/// # Ok::<(), rtcstats_features::ExtractError>(())
/// ```
#[derive(Debug)]
pub struct SetsFold {
    jitsi: Option<JitsiFold>,
    rtcstats: Option<RtcstatsFold>,
    legacy: Option<LegacyFold>,
}

/// The features of the sets that were wanted.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Sets {
    /// [`FeatureSet::Jitsi`]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitsi: Option<jitsi::Extraction>,
    /// [`FeatureSet::Rtcstats`]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtcstats: Option<rtcstats::Features>,
    /// [`FeatureSet::Legacy`]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub legacy: Option<legacy::Features>,
}

impl SetsFold {
    /// The fold of the session that is, or will be, stored under `client_id`.
    pub fn new(client_id: impl Into<String>, sets: &[FeatureSet]) -> Self {
        let wants = |set| sets.contains(&set);
        Self {
            jitsi: wants(FeatureSet::Jitsi).then(|| JitsiFold::new(client_id)),
            rtcstats: wants(FeatureSet::Rtcstats).then(RtcstatsFold::default),
            legacy: wants(FeatureSet::Legacy).then(LegacyFold::default),
        }
    }

    /// Sets where the dump is, which the Jitsi set repeats; the client id unless set.
    #[must_use]
    pub fn with_dump_path(mut self, dump_path: impl Into<String>) -> Self {
        self.jitsi = self.jitsi.map(|fold| fold.with_dump_path(dump_path));
        self
    }
}

/// Each set sees each event, whatever the others make of it; of several errors the first is returned.
impl Fold for SetsFold {
    type Output = Sets;

    fn event(&mut self, event: &Event<'_>, context: &Context<'_>) -> Result<(), FoldError> {
        let results = [
            self.jitsi.as_mut().map(|fold| fold.event(event, context)),
            self.rtcstats
                .as_mut()
                .map(|fold| fold.event(event, context)),
            self.legacy.as_mut().map(|fold| fold.event(event, context)),
        ];
        results.into_iter().flatten().collect()
    }

    fn stats(
        &mut self,
        event: &Event<'_>,
        stats: &Stats,
        context: &Context<'_>,
    ) -> Result<(), FoldError> {
        let results = [
            self.jitsi
                .as_mut()
                .map(|fold| fold.stats(event, stats, context)),
            self.rtcstats
                .as_mut()
                .map(|fold| fold.stats(event, stats, context)),
            self.legacy
                .as_mut()
                .map(|fold| fold.stats(event, stats, context)),
        ];
        results.into_iter().flatten().collect()
    }

    fn wants_stats(&self) -> bool {
        self.jitsi.as_ref().is_some_and(Fold::wants_stats)
            || self.rtcstats.as_ref().is_some_and(Fold::wants_stats)
            || self.legacy.as_ref().is_some_and(Fold::wants_stats)
    }

    fn snapshot(&self, now: f64) -> Sets {
        Sets {
            jitsi: self.jitsi.as_ref().map(|fold| fold.snapshot(now)),
            rtcstats: self.rtcstats.as_ref().map(|fold| fold.snapshot(now)),
            legacy: self.legacy.as_ref().map(|fold| fold.snapshot(now)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Extractor;

    const DUMP: [&str; 4] = [
        "RTCStatsDump",
        r#"{"fileFormat":3,"userAgent":"Mozilla/5.0 (X11; Linux x86_64) Chrome/150.0.0.0"}"#,
        r#"["create","PC_0",{},1700000000000]"#,
        r#"["g","PC_0",{"0":{"type":5,"80":1}},10]"#,
    ];

    fn sets(wanted: &[FeatureSet]) -> Sets {
        let mut extractor = Extractor::new(SetsFold::new("id", wanted));
        for line in DUMP {
            extractor.push_line(line).unwrap();
        }
        extractor.finish(1.8e12)
    }

    #[test]
    fn together_the_sets_yield_what_each_yields_alone() {
        let json = |sets: &Sets| serde_json::to_value(sets).unwrap();
        let together = json(&sets(&FeatureSet::ALL));
        assert_eq!(together.as_object().unwrap().len(), 3);
        for set in FeatureSet::ALL {
            let alone = json(&sets(&[set]));
            assert_eq!(alone.as_object().unwrap().len(), 1);
            assert_eq!(alone[set.as_str()], together[set.as_str()]);
        }
    }

    #[test]
    fn names_lead_back_to_their_set() {
        for set in FeatureSet::ALL {
            assert_eq!(set.to_string().parse(), Ok(set));
        }
        assert_eq!("all".parse::<FeatureSet>(), Err(UnknownFeatureSet));
    }
}
