//! What a stats object says of the packets of a track (§11.6).

use rtcstats_proto::json::Value;
use rtcstats_proto::stats::{Field, Stats, StatsKind, StatsObject};

use super::{PacketsLost, StatsFormat};
use crate::javascript::nan_to_zero;
use crate::place::{Link, Place};

/// What one object says of one track.
pub(super) struct RtpSample<'a> {
    pub(super) media_type: MediaTypeValue<'a>,
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

/// Where an object has what it says of a track.
pub(super) struct RtpPlaces {
    outcome: Outcome,
    pub(super) ssrc: Place,
    media_type: MediaTypeSource,
    packets_sent: Place,
    packets_received: Place,
    packets_lost: Place,
    concealed: Place,
    samples: Place,
}

/// Who tells what became of the packets that were sent.
enum Outcome {
    /// The object itself, if anyone.
    Own,
    /// An `outbound-rtp` whose remote reports what it misses.
    OfRemote { id: Place, remote: Link<1> },
    /// A `remote-inbound-rtp` in Firefox, where it has the sent packets too.
    Firefox,
    /// Any other object in Firefox.
    NotInFirefox,
}

impl RtpPlaces {
    /// Those of this object, if it has what it takes to say something of a track.
    ///
    /// Any type counts that has the members: what a remote reports to have sent appears as sent
    /// here, what it reports to have received as received.
    pub(super) fn of(object: StatsObject<'_>, format: StatsFormat) -> Option<Self> {
        let place = |field| Place::of(field, object);
        let outcome = match (object.kind(), format) {
            (Some(StatsKind::RemoteInboundRtp), StatsFormat::Firefox) => Outcome::Firefox,
            (_, StatsFormat::Firefox) => Outcome::NotInFirefox,
            (Some(StatsKind::OutboundRtp), _) => Outcome::OfRemote {
                id: place(Field::RemoteId),
                remote: Link::to([Field::PacketsLost]),
            },
            _ => Outcome::Own,
        };
        let is_own = matches!(outcome, Outcome::Own | Outcome::NotInFirefox);
        let ssrc = place(Field::Ssrc);
        if is_own && !ssrc.is_there() {
            return None;
        }
        let packets_sent = place(Field::PacketsSent);
        let packets_received = place(Field::PacketsReceived);
        let concealed = place(Field::ConcealedSamples);
        let counts = [packets_sent, packets_received, concealed];
        if is_own && !counts.into_iter().any(Place::is_there) {
            return None;
        }
        Some(Self {
            outcome,
            ssrc,
            media_type: MediaTypeSource::of(object),
            packets_sent,
            packets_received,
            packets_lost: place(Field::PacketsLost),
            concealed,
            samples: place(Field::TotalSamplesReceived),
        })
    }

    /// What the object says in this report, if it says something.
    #[inline]
    pub(super) fn sample<'a>(
        &mut self,
        object: StatsObject<'a>,
        stats: &Stats,
    ) -> Option<RtpSample<'a>> {
        let mut sent = self.sent(object, stats);
        let mut received = None;
        let mut concealment = None;
        if self.ssrc.truthy_number(object).is_some() {
            let packets_sent = self.packets_sent.truthy_number(object);
            let packets_received = self.packets_received.truthy_number(object);
            match (packets_sent, packets_received) {
                (Some(packets), None) if sent.is_none() && !self.is_firefox() => {
                    sent = Some(self.count(packets, object));
                }
                (None, Some(packets)) => received = Some(self.count(packets, object)),
                _ => {}
            }
            if !self.is_firefox() {
                concealment = self.concealment(object);
            }
        }
        if sent.is_none() && received.is_none() && concealment.is_none() {
            return None;
        }
        Some(RtpSample {
            media_type: self.media_type.get(object),
            sent,
            received,
            concealment,
        })
    }

    fn is_firefox(&self) -> bool {
        matches!(self.outcome, Outcome::Firefox | Outcome::NotInFirefox)
    }

    /// What was sent, if the remote reports on it.
    #[inline]
    fn sent(&mut self, object: StatsObject<'_>, stats: &Stats) -> Option<PacketCount> {
        let lost = match &mut self.outcome {
            Outcome::Own | Outcome::NotInFirefox => return None,
            Outcome::OfRemote { id, remote } => {
                let remote_object = remote.follow(*id, Some(object), stats)?;
                let [lost] = remote.places;
                if !remote_object.is_truthy() {
                    return None;
                }
                PacketsLost::Number(lost.truthy_number(remote_object).unwrap_or(0.0))
            }
            Outcome::Firefox => match self.packets_lost.get(object) {
                None => PacketsLost::Absent,
                Some(Value::Null) => PacketsLost::Null,
                Some(lost) => PacketsLost::Number(lost.to_number()),
            },
        };
        Some(PacketCount {
            packets: self.packets_sent.truthy_number(object).unwrap_or(0.0),
            lost,
        })
    }

    /// Of an object with packets itself.
    #[inline]
    fn count(&self, packets: f64, object: StatsObject<'_>) -> PacketCount {
        let lost = self.packets_lost.truthy_number(object).unwrap_or(0.0);
        PacketCount {
            packets: nan_to_zero(packets),
            lost: PacketsLost::Number(nan_to_zero(lost)),
        }
    }

    /// Nothing while no sample was concealed.
    #[inline]
    fn concealment(&self, object: StatsObject<'_>) -> Option<Concealment> {
        let concealed = self.concealed.truthy_number(object)?;
        let samples = self.samples.truthy_number(object)?;
        Some(Concealment {
            samples: nan_to_zero(samples),
            concealed: nan_to_zero(concealed),
        })
    }
}

/// What an object says of its media type: `mediaType`, or `kind` in newer browsers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum MediaTypeValue<'a> {
    Audio,
    Video,
    Other(Option<Value<'a>>),
}

/// Where the media type of an object is known from. As a text it stays as long as the layout.
pub(super) enum MediaTypeSource {
    Audio,
    Video,
    Other { media_type: Place, kind: Place },
}

impl MediaTypeSource {
    pub(super) fn of(object: StatsObject<'_>) -> Self {
        let media_type = Place::of(Field::MediaType, object);
        let kind = Place::of(Field::Kind, object);
        // What is a number may change, and the text behind it comes to count then.
        let may_change = media_type.number(object).is_some();
        match other_media_type(media_type, kind, object) {
            Some(Value::Text("audio")) if !may_change => Self::Audio,
            Some(Value::Text("video")) if !may_change => Self::Video,
            _ => Self::Other { media_type, kind },
        }
    }

    #[inline]
    pub(super) fn get<'a>(&self, object: StatsObject<'a>) -> MediaTypeValue<'a> {
        match self {
            Self::Audio => MediaTypeValue::Audio,
            Self::Video => MediaTypeValue::Video,
            Self::Other { media_type, kind } => {
                MediaTypeValue::Other(other_media_type(*media_type, *kind, object))
            }
        }
    }
}

#[cold]
fn other_media_type<'a>(
    media_type: Place,
    kind: Place,
    object: StatsObject<'a>,
) -> Option<Value<'a>> {
    let media_type = media_type.get(object);
    media_type
        .filter(|media_type| media_type.is_truthy())
        .or_else(|| kind.get(object))
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

    #[test]
    fn what_describes_an_object_may_change_from_report_to_report() {
        let sent = |kind: Json, remote: Json| {
            json!({
                "O": {"type": "outbound-rtp", "ssrc": 7, "kind": kind, "packetsSent": 9, "remoteId": remote},
                "5": {"type": "remote-inbound-rtp", "packetsLost": 1},
                "6": {"type": "remote-inbound-rtp", "packetsLost": 2},
            })
        };
        let (audio, video) = (json!("audio"), json!("video"));
        let story = [
            (audio.clone(), json!("5"), json!(["audio", 1])),
            (audio.clone(), json!("6"), json!(["audio", 2])),
            (video.clone(), json!("6"), json!(["video", 2])),
            (video.clone(), json!(5), json!(["video", 1])),
            (video.clone(), json!(6), json!(["video", 2])),
            (json!(1), json!(6), json!(["1", 2])),
            (json!(2), json!(7), json!(["2", 0])),
        ];
        for count in 1..=story.len() {
            let story = &story[..count];
            let sent: Vec<_> = story
                .iter()
                .map(|(kind, remote, _)| sent(kind.clone(), remote.clone()))
                .collect();
            let track = aggregate(CHROME, &reports(&sent))["tracks"]["senderTracks"][0].take();
            let found = json!([track["mediaType"], track["packetsLost"]]);
            assert_eq!(found, story.last().unwrap().2);
        }
    }
}
