//! The largest and the smallest video in each report (§11.6.2).

use rtcstats_proto::json::Value;
use rtcstats_proto::stats::{Field, Stats, StatsKind, StatsObject};

use super::packets::{MediaTypeSource, MediaTypeValue};
use super::{StatsFormat, VideoBounds, VideoExperience};
use crate::javascript::is_less;
use crate::place::Place;
use crate::statistics::{Mean, round2};

/// An object that may describe a received video, and where it does.
pub(super) struct VideoObject {
    slot: u32,
    /// None where the type of the object says it all.
    media_type: Option<MediaTypeSource>,
    height: Place,
    frame_rate: Place,
}

/// A received video in a report. Heights of Chrome's old statistics are texts, and compare as such.
#[derive(Debug, Clone, Copy)]
struct VideoSummary<'a> {
    height: Value<'a>,
    frame_rate: Value<'a>,
}

impl VideoObject {
    /// This one, if it is of the kind that describes videos and has a height.
    pub(super) fn of(object: StatsObject<'_>, format: StatsFormat) -> Option<Self> {
        if format == StatsFormat::Firefox {
            return None;
        }
        let (height, frame_rate) = match object.kind()? {
            StatsKind::InboundRtp => (Field::FrameHeight, Field::FramesPerSecond),
            StatsKind::LegacySsrc => (Field::GoogFrameHeightReceived, Field::GoogFrameRateOutput),
            _ => return None,
        };
        let height = Place::of(height, object);
        if !height.is_there() {
            return None;
        }
        let is_typed = object.kind() == Some(StatsKind::InboundRtp);
        Some(Self {
            slot: object.slot(),
            media_type: is_typed.then(|| MediaTypeSource::of(object)),
            height,
            frame_rate: Place::of(frame_rate, object),
        })
    }

    /// The video that it describes in this report.
    #[inline]
    fn summary<'a>(&self, stats: &'a Stats) -> Option<VideoSummary<'a>> {
        let object = stats.at(self.slot)?;
        match self.media_type.as_ref().map(|source| source.get(object)) {
            None
            | Some(MediaTypeValue::Video | MediaTypeValue::Other(Some(Value::Text("video")))) => {}
            _ => return None,
        }
        let height = self.height.get(object)?;
        (height.to_number() > 0.0).then(|| VideoSummary {
            height,
            frame_rate: self.frame_rate.get(object).unwrap_or(Value::Number(0.0)),
        })
    }
}

/// The largest and the smallest video so far.
#[derive(Default)]
struct VideoInReport<'a> {
    bounds: Option<(VideoSummary<'a>, VideoSummary<'a>)>,
}

impl<'a> VideoInReport<'a> {
    fn add(&mut self, video: VideoSummary<'a>) {
        let (upper, lower) = self.bounds.get_or_insert((video, video));
        if is_less(upper.height, video.height) {
            *upper = video;
        }
        if is_less(video.height, lower.height) {
            *lower = video;
        }
        if upper.height == video.height && is_less(upper.frame_rate, video.frame_rate) {
            *upper = video;
        }
        if lower.height == video.height && is_less(video.frame_rate, lower.frame_rate) {
            *lower = video;
        }
    }
}

/// The videos of all reports.
#[derive(Default)]
pub(super) struct VideoHistory {
    upper: BoundsHistory,
    lower: BoundsHistory,
}

#[derive(Default)]
struct BoundsHistory {
    heights: Mean,
    frame_rates: Mean,
}

impl VideoHistory {
    /// Takes a report with these objects.
    pub(super) fn take(&mut self, objects: &[VideoObject], stats: &Stats, max_runs: usize) {
        let mut report = VideoInReport::default();
        let summaries = objects.iter().filter_map(|object| object.summary(stats));
        summaries.for_each(|summary| report.add(summary));
        if let Some((upper, lower)) = &report.bounds {
            self.upper.add(upper, max_runs);
            self.lower.add(lower, max_runs);
        }
    }

    /// None without a single video.
    pub(super) fn experience(&self) -> Option<VideoExperience> {
        (self.upper.heights.count() > 0).then(|| VideoExperience {
            upper_bound_aggregates: self.upper.means(),
            lower_bound_aggregates: self.lower.means(),
        })
    }

    pub(super) fn inexact_means(&self) -> u64 {
        [&self.upper, &self.lower]
            .iter()
            .flat_map(|bounds| [&bounds.heights, &bounds.frame_rates])
            .map(|mean| u64::from(mean.is_capped()))
            .sum()
    }
}

impl BoundsHistory {
    fn add(&mut self, video: &VideoSummary<'_>, max_runs: usize) {
        self.heights.add(video.height.to_number(), max_runs);
        self.frame_rates.add(video.frame_rate.to_number(), max_runs);
    }

    fn means(&self) -> VideoBounds {
        let mean = |mean: &Mean| Some(round2(mean.value())).filter(|mean| !mean.is_nan());
        VideoBounds {
            mean_frame_height: mean(&self.heights),
            mean_frames_per_second: mean(&self.frame_rates),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::super::testing::{CHROME, FIREFOX, aggregate, reports};

    fn video(height: Json, frame_rate: Json) -> Json {
        json!({"type": "inbound-rtp", "kind": "video", "frameHeight": height, "framesPerSecond": frame_rate})
    }

    fn goog(height: &str, frame_rate: &str) -> Json {
        json!({"type": "ssrc", "googFrameHeightReceived": height, "googFrameRateOutput": frame_rate})
    }

    /// Means of upper height and rate, lower height and rate.
    fn means(user_agent: &str, reports: &[&[Json]]) -> Option<[Option<f64>; 4]> {
        let named = |objects: &&[Json]| -> Json {
            let objects = objects.iter().enumerate();
            Json::Object(
                objects
                    .map(|(index, object)| (index.to_string(), object.clone()))
                    .collect(),
            )
        };
        let reports: Vec<_> = reports.iter().map(named).collect();
        let found = aggregate(user_agent, &super::super::testing::reports(&reports));
        let experience = found.get("inboundVideoExperience")?;
        let mean = |bound: &str, name: &str| experience[bound].get(name)?.as_f64();
        Some([
            mean("upperBoundAggregates", "meanFrameHeight"),
            mean("upperBoundAggregates", "meanFramesPerSecond"),
            mean("lowerBoundAggregates", "meanFrameHeight"),
            mean("lowerBoundAggregates", "meanFramesPerSecond"),
        ])
    }

    #[test]
    fn the_largest_and_the_smallest_video_of_each_report_count() {
        let many = [
            video(json!(360), json!(30)),
            video(json!(720), json!(25)),
            video(json!(180), json!(15)),
        ];
        let one = [video(json!(1080), json!(20))];
        assert_eq!(
            means(CHROME, &[&many, &one]),
            Some([900.0, 22.5, 630.0, 17.5].map(Some))
        );
    }

    #[test]
    fn among_equal_heights_the_frame_rate_decides() {
        let many = [
            video(json!(360), json!(20)),
            video(json!(360), json!(30)),
            video(json!(360), json!(10)),
        ];
        assert_eq!(
            means(CHROME, &[&many]),
            Some([360.0, 30.0, 360.0, 10.0].map(Some))
        );
    }

    #[test]
    fn videos_without_height_do_not_count_and_without_frame_rate_count_as_zero() {
        let absent = json!({"type": "inbound-rtp", "kind": "video", "frameHeight": 90});
        let sent = json!({"type": "outbound-rtp", "kind": "video", "frameHeight": 2000});
        let audio = json!({"type": "inbound-rtp", "kind": "audio", "frameHeight": 3000});
        assert_eq!(
            means(CHROME, &[&[video(json!(0), json!(5)), absent, sent, audio]]),
            Some([90.0, 0.0, 90.0, 0.0].map(Some))
        );
        assert_eq!(means(CHROME, &[&[video(json!(null), json!(5))]]), None);
    }

    #[test]
    fn heights_of_old_statistics_compare_as_texts() {
        let many = [goog("90", "5"), goog("720", "9"), goog("180", "30")];
        assert_eq!(
            means(CHROME, &[&many]),
            Some([90.0, 5.0, 180.0, 30.0].map(Some))
        );
        let equal = [goog("90", "9"), goog("90", "30")];
        assert_eq!(
            means(CHROME, &[&equal]),
            Some([90.0, 9.0, 90.0, 30.0].map(Some))
        );
    }

    #[test]
    fn a_mean_that_is_no_number_is_left_out() {
        assert_eq!(
            means(CHROME, &[&[goog("90", "x")]]),
            Some([Some(90.0), None, Some(90.0), None])
        );
    }

    #[test]
    fn firefox_has_no_heights() {
        assert_eq!(means(FIREFOX, &[&[video(json!(360), json!(30))]]), None);
    }

    #[test]
    fn reports_without_video_do_not_count() {
        let report = [video(json!(360), json!(30))];
        assert_eq!(
            means(CHROME, &[&report, &[], &report]),
            Some([360.0, 30.0, 360.0, 30.0].map(Some))
        );
        assert_eq!(reports(&[]), Vec::<Json>::new());
    }
}
