//! What may be kept.

use rtcstats_proto::RawJson;

use super::Dropped;
use crate::Limits;

/// The limits, and the count of what went over them.
pub(super) struct Budget<'a> {
    pub(super) limits: &'a Limits,
    pub(super) dropped: &'a mut Dropped,
}

impl Budget<'_> {
    /// A text, if it may be kept.
    pub(super) fn keep(&mut self, text: &str) -> Option<String> {
        self.admits(text).then(|| text.to_owned())
    }

    /// Whether a value may be kept.
    pub(super) fn fits(&mut self, value: RawJson<'_>) -> bool {
        self.admits(value.as_str())
    }

    fn admits(&mut self, text: &str) -> bool {
        let fits = text.len() <= self.limits.text_bytes;
        self.dropped.texts += u64::from(!fits);
        fits
    }

    /// The text that a value is, if it is one that may be kept.
    pub(super) fn text(&mut self, value: RawJson<'_>) -> Option<String> {
        self.keep(&value.as_text()?)
    }
}
