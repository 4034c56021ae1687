//! In how many reports each object is.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::quota::{Quota, take};
use crate::room::make_room;

/// Counts reports by stats id.
///
/// An object is in every report from the one that brings it to the one that removes it. So there is
/// something to do only where objects came or went.
#[derive(Debug, Default)]
pub(super) struct ReportCounts {
    by_id: HashMap<Box<str>, usize, RandomState>,
    counted: Vec<Counted>,
    /// Those in the last report.
    present: Vec<usize>,
    /// Counts the walks through all objects.
    walks: u64,
}

#[derive(Debug)]
struct Counted {
    /// Reports, those since the object came last not included.
    earlier: u64,
    /// The report that brought it last, while it is there.
    since: Option<u64>,
    first_time: f64,
    /// The last walk that met it.
    walk: u64,
    stream: Option<usize>,
}

/// As many samples as webrtc-internals keeps.
const KEPT: u64 = 1000;
/// Milliseconds in which a series is sure to begin, if its begin was kept.
const BEGIN: f64 = 60_000.0;

impl ReportCounts {
    /// Begins a walk through the objects of a report.
    pub(super) fn begin(&mut self) {
        self.walks += 1;
    }

    /// An object of the report; its number here, unless the limit was hit.
    pub(super) fn meet(
        &mut self,
        id: &str,
        report: u64,
        time: f64,
        quota: &mut Quota<'_>,
    ) -> Option<usize> {
        let number = match self.by_id.get(id) {
            Some(number) => *number,
            None => {
                if !quota.admits_text(id.len()) || !take!(quota, stats_ids) {
                    return None;
                }
                let number = self.counted.len();
                make_room(&mut self.counted);
                self.counted.push(Counted {
                    earlier: 0,
                    since: None,
                    first_time: time,
                    walk: 0,
                    stream: None,
                });
                self.by_id.insert(id.into(), number);
                number
            }
        };
        let counted = self.counted.get_mut(number)?;
        counted.walk = self.walks;
        if counted.since.is_none() {
            counted.since = Some(report);
            make_room(&mut self.present);
            self.present.push(number);
        }
        Some(number)
    }

    /// Ends the walk: what it did not meet is gone.
    pub(super) fn end(&mut self, report: u64) {
        let (counted, walk) = (&mut self.counted, self.walks);
        self.present.retain(|number| {
            let Some(object) = counted.get_mut(*number) else {
                return false;
            };
            let is_there = object.walk == walk;
            if !is_there && let Some(since) = object.since.take() {
                object.earlier += report - since;
            }
            is_there
        });
    }

    /// Where the RTP stream is that the object with this number is of.
    pub(super) fn stream(&mut self, number: usize) -> Option<&mut Option<usize>> {
        self.counted
            .get_mut(number)
            .map(|counted| &mut counted.stream)
    }

    /// Whether, after so many reports, the series are the last part of longer ones.
    pub(super) fn is_truncated(&self, reports: u64, start: f64) -> bool {
        self.counted.iter().any(|counted| {
            let current = counted.since.map_or(0, |since| reports + 1 - since);
            counted.earlier + current == KEPT && counted.first_time - start > BEGIN
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;
    use crate::rtcstats::quota::Used;

    fn walk(counts: &mut ReportCounts, quota: &mut Quota<'_>, report: u64, ids: &[&str]) {
        counts.begin();
        for id in ids {
            counts.meet(id, report, 70_000.0 + report as f64, quota);
        }
        counts.end(report);
    }

    #[test]
    fn absences_do_not_count() {
        let (limits, mut used) = (Limits::default(), Used::default());
        let mut quota = Quota {
            limits: &limits,
            used: &mut used,
        };
        let mut counts = ReportCounts::default();
        walk(&mut counts, &mut quota, 1, &["a", "b"]);
        walk(&mut counts, &mut quota, 11, &["b"]);
        walk(&mut counts, &mut quota, 21, &["a", "b"]);
        // `b` is in 1000 at report 1000, `a` at report 1010.
        for (reports, is_truncated) in [(999, false), (1000, true), (1001, false), (1010, true)] {
            assert_eq!(counts.is_truncated(reports, 0.0), is_truncated, "{reports}");
        }
        assert!(!counts.is_truncated(1000, 10_001.0));
    }
}
