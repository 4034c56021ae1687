//! Face expressions (§11.4).

use rtcstats_proto::RawJson;

use super::budget::Budget;
use super::{FaceLandmarks, Sentiment};
use crate::FoldError;
use crate::javascript::number_or_text;

/// What was seen of faces.
#[derive(Default)]
pub(super) struct Faces {
    pub(super) sentiment: Sentiment,
    pub(super) landmarks: Vec<FaceLandmarks>,
}

impl Faces {
    pub(super) fn take(
        &mut self,
        value: RawJson<'_>,
        budget: &mut Budget<'_>,
    ) -> Result<(), FoldError> {
        if value.is_null() {
            return Err(FoldError::Malformed {
                event: "faceLandmarks",
                problem: "no value",
            });
        }
        let name = value.get("faceLandmarks");
        if self.landmarks.len() < budget.limits.face_landmarks {
            self.landmarks.push(FaceLandmarks {
                timestamp: value.get("timestamp").and_then(|time| budget.keep(time)),
                face_landmarks: name.and_then(|name| budget.keep(name)),
            });
        } else {
            budget.dropped.face_landmarks += 1;
        }
        if let Some(total) = name.and_then(|name| self.sentiment.get_mut(&name.as_text()?)) {
            let duration = value.get("duration");
            *total += duration.and_then(number_or_text).unwrap_or(f64::NAN);
        }
        Ok(())
    }
}

impl Sentiment {
    fn get_mut(&mut self, name: &str) -> Option<&mut f64> {
        match name {
            "angry" => Some(&mut self.angry),
            "disgusted" => Some(&mut self.disgusted),
            "fearful" => Some(&mut self.fearful),
            "happy" => Some(&mut self.happy),
            "neutral" => Some(&mut self.neutral),
            "sad" => Some(&mut self.sad),
            "surprised" => Some(&mut self.surprised),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{CHROME, extraction_within, features};
    use crate::Limits;

    #[test]
    fn expressions_are_listed_and_the_seven_are_summed() {
        let features = features(&[
            json!(["faceLandmarks", null, {"duration": 2.5, "faceLandmarks": "happy", "timestamp": 7}, 10]),
            json!(["faceLandmarks", null, {"duration": 1.5, "faceLandmarks": "happy"}, 11]),
            json!(["faceLandmarks", null, {"duration": 9, "faceLandmarks": "camera-on", "timestamp": 8}, 12]),
            json!(["faceLandmarks", null, {"faceLandmarks": "sad"}, 13]),
        ]);
        assert_eq!(features["sentiment"]["happy"], 4);
        assert_eq!(features["sentiment"]["angry"], 0);
        assert_eq!(features["sentiment"]["sad"], json!(null));
        let landmarks = features["faceLandmarksTimestamps"].as_array().unwrap();
        assert_eq!(
            landmarks[0],
            json!({"timestamp": 7, "faceLandmarks": "happy"})
        );
        assert_eq!(landmarks[1], json!({"faceLandmarks": "happy"}));
        assert_eq!(landmarks.len(), 4);
        assert_eq!(features["metrics"]["sentimentRequestCount"], 4);
    }

    #[test]
    fn beyond_the_limit_they_are_summed_but_not_listed() {
        let limits = Limits {
            face_landmarks: 1,
            ..Limits::default()
        };
        let event = json!(["faceLandmarks", null, {"duration": 1, "faceLandmarks": "sad"}, 1]);
        let extraction = extraction_within(limits, CHROME, &[event.clone(), event]);
        let features = extraction.client().unwrap();
        assert_eq!(
            (
                features.sentiment.sad,
                features.face_landmarks_timestamps.len()
            ),
            (2.0, 1)
        );
        assert_eq!(extraction.dropped.face_landmarks, 1);
    }
}
