//! What a stats object says of the packets of a track (§11.6).

use rtcstats_proto::json::Value;
use rtcstats_proto::stats::{Field, Stats, StatsKind, StatsObject};

use super::candidate_pair::referred;
use super::{PacketsLost, StatsFormat};
use crate::javascript::{nan_to_zero, number_or_zero};

/// What one object says of one track.
pub(super) struct RtpSample<'a> {
    pub(super) ssrc: Option<Value<'a>>,
    /// Whether audio or video; looked up where packets are counted.
    pub(super) media_type: Option<Value<'a>>,
    pub(super) sent: Option<PacketCount>,
    pub(super) received: Option<PacketCount>,
    pub(super) concealment: Option<Concealment>,
}

/// Packets, and those of them that were lost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PacketCount {
    pub(super) packets: f64,
    pub(super) lost: PacketsLost,
}

/// Samples of audio, and those of them that were made up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Concealment {
    pub(super) samples: f64,
    pub(super) concealed: f64,
}

impl<'a> RtpSample<'a> {
    /// What this object says, if it says something of a track.
    ///
    /// Any type counts that has the members: what a remote reports to have sent appears as sent
    /// here, what it reports to have received as received.
    #[inline]
    pub(super) fn of(object: StatsObject<'a>, stats: &Stats, format: StatsFormat) -> Option<Self> {
        let ssrc = object.get(Field::Ssrc);
        let is_firefox = format == StatsFormat::Firefox;
        let mut sent = if is_firefox {
            sent_firefox(object)
        } else {
            acknowledged(object, stats)
        };
        let mut received = None;
        let mut concealment = None;
        if ssrc.is_some_and(Value::is_truthy) {
            let packets = |field| object.get(field).filter(|packets| packets.is_truthy());
            match (packets(Field::PacketsSent), packets(Field::PacketsReceived)) {
                (Some(packets), None) if sent.is_none() && !is_firefox => {
                    sent = Some(count(packets, object));
                }
                (None, Some(packets)) => received = Some(count(packets, object)),
                _ => {}
            }
            if !is_firefox {
                concealment = concealed(object);
            }
        }
        if sent.is_none() && received.is_none() && concealment.is_none() {
            return None;
        }
        Some(Self {
            ssrc,
            media_type: media_type(object),
            sent,
            received,
            concealment,
        })
    }
}

/// Of an object with packets itself.
fn count(packets: Value<'_>, object: StatsObject<'_>) -> PacketCount {
    let lost = object.get(Field::PacketsLost).map_or(0.0, Value::to_number);
    PacketCount {
        packets: nan_to_zero(packets.to_number()),
        lost: PacketsLost::Number(nan_to_zero(lost)),
    }
}

/// Of an `outbound-rtp` whose remote reports what it misses.
fn acknowledged(object: StatsObject<'_>, stats: &Stats) -> Option<PacketCount> {
    if object.kind() != Some(StatsKind::OutboundRtp) {
        return None;
    }
    let remote = referred(stats, object.get(Field::RemoteId))?;
    remote.is_truthy().then(|| PacketCount {
        packets: number_or_zero(object.get(Field::PacketsSent)),
        lost: PacketsLost::Number(number_or_zero(remote.get(Field::PacketsLost))),
    })
}

/// Of a `remote-inbound-rtp` in Firefox, where it has the sent packets too.
fn sent_firefox(object: StatsObject<'_>) -> Option<PacketCount> {
    if object.kind() != Some(StatsKind::RemoteInboundRtp) {
        return None;
    }
    let lost = match object.get(Field::PacketsLost) {
        None => PacketsLost::Absent,
        Some(Value::Null) => PacketsLost::Null,
        Some(lost) => PacketsLost::Number(lost.to_number()),
    };
    Some(PacketCount {
        packets: number_or_zero(object.get(Field::PacketsSent)),
        lost,
    })
}

/// Nothing while no sample was concealed.
fn concealed(object: StatsObject<'_>) -> Option<Concealment> {
    let samples = |field| object.get(field).filter(|samples| samples.is_truthy());
    let concealed = samples(Field::ConcealedSamples)?;
    let samples = samples(Field::TotalSamplesReceived)?;
    Some(Concealment {
        samples: nan_to_zero(samples.to_number()),
        concealed: nan_to_zero(concealed.to_number()),
    })
}

/// `mediaType`, or `kind` in newer browsers.
pub(super) fn media_type(object: StatsObject<'_>) -> Option<Value<'_>> {
    let media_type = object.get(Field::MediaType);
    media_type
        .filter(|media_type| media_type.is_truthy())
        .or_else(|| object.get(Field::Kind))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::super::testing::{CHROME, FIREFOX, aggregate, reports};

    /// Sender and receiver tracks as (ssrc, media type, packets, packets lost).
    fn tracks(user_agent: &str, report: Json) -> (Vec<Json>, Vec<Json>) {
        let mut found = aggregate(user_agent, &reports(&[report]));
        let mut rows = |direction: &str| -> Vec<Json> {
            let tracks = found["tracks"][direction].take();
            let tracks = tracks.as_array().unwrap().iter();
            tracks
                .map(|t| {
                    json!([
                        t["ssrc"],
                        t["mediaType"],
                        t["packets"],
                        t.get("packetsLost")
                    ])
                })
                .collect()
        };
        (rows("senderTracks"), rows("receiverTracks"))
    }

    #[test]
    fn what_was_sent_comes_with_the_losses_that_the_remote_reports() {
        let report = json!({
            "O": {"type": "outbound-rtp", "ssrc": 7, "kind": "video", "packetsSent": 100, "packetsLost": 99, "remoteId": "RI"},
            "P": {"type": "outbound-rtp", "ssrc": 8, "kind": "audio", "packetsSent": 50, "remoteId": "nowhere"},
            "Q": {"type": "outbound-rtp", "ssrc": 9, "kind": "audio", "packetsSent": 0, "remoteId": "RI"},
            "RI": {"type": "remote-inbound-rtp", "ssrc": 7, "packetsLost": 3},
        });
        let sent = [
            json!([7, "video", 100, 3]),
            json!([8, "audio", 50, 0]),
            json!([9, "audio", 0, 3]),
        ];
        assert_eq!(tracks(CHROME, report), (sent.to_vec(), vec![]));
    }

    #[test]
    fn what_the_remote_reports_to_have_sent_or_received_has_a_track_of_its_own() {
        let report = json!({
            "RO": {"type": "remote-outbound-rtp", "ssrc": 7, "kind": "video", "packetsSent": 100},
            "RI": {"type": "remote-inbound-rtp", "ssrc": 8, "kind": "audio", "packetsReceived": 90, "packetsLost": 2},
        });
        assert_eq!(
            tracks(CHROME, report),
            (
                vec![json!([7, "video", 100, 0])],
                vec![json!([8, "audio", 90, 2])]
            )
        );
    }

    #[test]
    fn objects_that_sent_and_received_or_have_no_ssrc_have_no_track() {
        let report = json!({
            "A": {"type": "inbound-rtp", "ssrc": 7, "kind": "video", "packetsSent": 1, "packetsReceived": 1},
            "B": {"type": "transport", "packetsSent": 1},
            "C": {"type": "inbound-rtp", "ssrc": 0, "kind": "video", "packetsReceived": 1},
            "D": {"type": "inbound-rtp", "ssrc": 9, "kind": "video", "packetsReceived": 0},
        });
        assert_eq!(tracks(CHROME, report), (vec![], vec![]));
    }

    #[test]
    fn old_statistics_of_chrome_are_texts() {
        let report = json!({
            "A": {"type": "ssrc", "ssrc": "7", "mediaType": "audio", "kind": "video", "packetsSent": "100", "packetsLost": "-1"},
            "B": {"type": "ssrc", "ssrc": "8", "mediaType": "", "kind": "video", "packetsReceived": "50", "packetsLost": "x"},
        });
        assert_eq!(
            tracks(CHROME, report),
            (
                vec![json!(["7", "audio", 100, -1])],
                vec![json!(["8", "video", 50, 0])]
            )
        );
    }

    #[test]
    fn firefox_tells_what_was_sent_in_the_remote_report() {
        let report = json!({
            "O": {"type": "outbound-rtp", "ssrc": 7, "kind": "audio", "packetsSent": 100},
            "R": {"type": "remote-inbound-rtp", "ssrc": 8, "kind": "audio", "packetsSent": 70, "packetsLost": 3},
            "S": {"type": "remote-inbound-rtp", "ssrc": 9, "kind": "audio"},
            "T": {"type": "remote-inbound-rtp", "ssrc": 10, "kind": "audio", "packetsLost": null},
            "U": {"type": "inbound-rtp", "ssrc": 11, "kind": "audio", "packetsReceived": 5},
        });
        let (sent, received) = tracks(FIREFOX, report.clone());
        assert_eq!(
            sent,
            [
                json!([8, "audio", 70, 3]),
                json!([9, "audio", 0, null]),
                json!([10, "audio", 0, null])
            ]
        );
        assert_eq!(received, [json!([11, "audio", 5, 0])]);

        let found = aggregate(FIREFOX, &reports(&[report]));
        let lost = |index: usize| found["tracks"]["senderTracks"][index].get("packetsLost");
        assert_eq!((lost(1), lost(2)), (None, Some(&json!(null))));
        assert_eq!(
            found["trackAggregates"]["totalSentPacketsLost"],
            json!(null)
        );
        assert_eq!(found["trackAggregates"]["totalPacketsSent"], 70);
    }

    #[test]
    fn nothing_is_recorded_before_the_first_concealed_sample_and_never_in_firefox() {
        let report = |concealed: u64, total: u64| json!({"A": {"type": "inbound-rtp", "ssrc": 7, "kind": "audio", "packetsReceived": 1, "totalSamplesReceived": total, "concealedSamples": concealed}});
        let percentage = |user_agent, reports: &[Json]| {
            let found = aggregate(user_agent, &super::super::testing::reports(reports));
            found["tracks"]["receiverTracks"][0]["concealedPercentage"]
                .as_f64()
                .unwrap()
        };
        assert_eq!(percentage(CHROME, &[report(0, 100)]), 0.0);
        assert_eq!(percentage(CHROME, &[report(1, 100), report(0, 900)]), 1.0);
        assert_eq!(percentage(CHROME, &[report(1, 100), report(1, 300)]), 0.33);
        assert_eq!(percentage(FIREFOX, &[report(1, 100)]), 0.0);
    }
}
