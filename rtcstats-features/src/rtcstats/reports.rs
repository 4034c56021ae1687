//! The reports of a connection.

use rtcstats_proto::stats::{Stats, StatsKind};

use super::connectivity::Connectivity;
use super::location::Locations;
use super::quota::{Quota, take};
use super::report_counts::ReportCounts;
use super::selected_pair::SelectedPairs;
use super::stream::Stream;
use super::tracks::Tracks;
use crate::room::make_room;

/// What is known of the reports.
///
/// Where the objects of interest are is found out once, and again when the layout of the stats changes.
#[derive(Debug, Default)]
pub(super) struct Reports {
    count: u64,
    /// That of the last report.
    layout: Option<u64>,
    counts: ReportCounts,
    streams: Vec<Stream>,
    /// Slots of the streams in the last report, and which they are, in its order.
    current: Vec<(u32, usize)>,
    /// Slot of the first object of type `peer-connection`.
    connection: Option<u32>,
    pub(super) selected: SelectedPairs,
}

/// What else a report is for.
pub(super) struct Readers<'a> {
    pub(super) connectivity: &'a mut Connectivity,
    pub(super) locations: &'a mut Locations,
    pub(super) tracks: &'a mut Tracks,
}

impl Reports {
    pub(super) fn take(
        &mut self,
        stats: &Stats,
        time: f64,
        readers: Readers<'_>,
        quota: &mut Quota<'_>,
    ) {
        self.count += 1;
        if self.layout != Some(stats.layout()) {
            self.layout = Some(stats.layout());
            self.arrange(stats, time, quota);
        }
        let transports = self.selected.transports();
        let transports = transports.filter_map(|slot| stats.at(slot));
        readers.connectivity.take_transports(transports, quota);
        if let Some(connection) = self.connection.and_then(|slot| stats.at(slot)) {
            readers.connectivity.take_connection(connection, time);
        }
        let selected = self.selected.find(stats);
        if readers.locations.is_waiting() {
            let [local, remote] = selected.map_or([None; 2], |selected| selected.addresses(stats));
            readers.locations.finish(local, remote);
        }
        if let Some(selected) = selected {
            self.selected.take(selected, time, quota);
            if readers.connectivity.is_connected() && self.selected.is_waiting_for_candidates() {
                self.selected.take_candidates(selected, stats, quota);
            }
        }
        for (slot, stream) in &self.current {
            if let (Some(object), Some(stream)) = (stats.at(*slot), self.streams.get_mut(*stream)) {
                stream.take(object, stats, time, readers.tracks, quota);
            }
        }
    }

    /// Walks through all objects.
    fn arrange(&mut self, stats: &Stats, time: f64, quota: &mut Quota<'_>) {
        self.selected.clear_transports();
        self.current.clear();
        self.connection = None;
        self.counts.begin();
        for object in stats {
            let number = self.counts.meet(object.id(), self.count, time, quota);
            let mut is_rtp = false;
            match object.kind() {
                Some(StatsKind::Transport) => self.selected.add_transport(object),
                Some(StatsKind::InboundRtp | StatsKind::OutboundRtp) => is_rtp = true,
                Some(StatsKind::PeerConnection) => {
                    self.connection.get_or_insert(object.slot());
                }
                _ => {}
            }
            let Some(stream) = number.and_then(|number| self.counts.stream(number)) else {
                continue;
            };
            if is_rtp && stream.is_none() && take!(quota, rtp_streams) {
                *stream = Some(self.streams.len());
                let new = Stream::new(self.streams.len(), object.id());
                make_room(&mut self.streams);
                self.streams.push(new);
            }
            if let Some(number) = *stream {
                make_room(&mut self.current);
                self.current.push((object.slot(), number));
                if let Some(stream) = self.streams.get_mut(number) {
                    stream.arrange(object, stats, quota);
                }
            }
        }
        self.counts.end(self.count);
    }

    pub(super) fn stream(&self, number: usize) -> Option<&Stream> {
        self.streams.get(number)
    }

    /// See [`ReportCounts::is_truncated`].
    pub(super) fn are_truncated(&self, start: f64) -> bool {
        self.counts.is_truncated(self.count, start)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::Limits;
    use crate::rtcstats::testing::{features, features_within};

    #[test]
    fn reports_without_an_object_do_not_count_for_it() {
        let is_truncated = |reports: usize, gap: Option<usize>| {
            let mut lines = vec![json!([39, "PC_0", {}, 1e12])];
            for number in 0..reports {
                let report = match gap {
                    _ if number == 0 => json!({"a": {"type": 5}}),
                    Some(gap) if gap == number => json!({"a": null}),
                    Some(gap) if gap + 1 == number => json!({"a": {"type": 5}}),
                    _ => json!({"t": 1e12}),
                };
                lines.push(json!([
                    "g",
                    "PC_0",
                    report,
                    if number == 0 { 60_001 } else { 1 }
                ]));
            }
            features(&lines).peer_connections[0].stats_truncated
        };
        assert!(is_truncated(1000, None));
        assert!(!is_truncated(999, None));
        assert!(!is_truncated(1000, Some(500)));
        assert!(is_truncated(1001, Some(500)));
    }

    #[test]
    fn what_the_limits_leave_out_is_told() {
        let lines = [
            json!([39, null, {"hardwareConcurrency": 2}, 1e12]),
            json!(["g", "PC_0", {"1": {"type": 1, "17": "a", "20": 5}, "2": {"type": 1, "17": "b", "20": 7}}, 1]),
            json!([22, "PC_0", ["audio", "a", "l", "s"], 1]),
            json!([22, "PC_0", ["audio", "b", "l", "s"], 1]),
            json!(["g", "PC_0", {"t": 1}, 1]),
        ];
        let within = |limits| {
            let found = features_within(limits, &lines);
            let tracks = found.peer_connections[0].tracks.iter();
            let frames: Vec<_> = tracks.map(|track| track.frame_count).collect();
            (found.is_incomplete, frames)
        };
        let default = Limits::default();
        assert_eq!(within(default), (false, vec![Some(5.0), Some(7.0)]));
        let limits = [
            Limits {
                rtp_streams: 1,
                ..default
            },
            Limits {
                stats_ids: 1,
                ..default
            },
        ];
        for limits in limits {
            assert_eq!(within(limits), (true, vec![Some(5.0), None]));
        }
        let limits = Limits {
            tracks: 1,
            ..default
        };
        assert_eq!(within(limits), (true, vec![Some(5.0)]));
    }
}
