//! What may be kept.

use rtcstats_proto::RawJson;
use rtcstats_proto::json::Value;
use serde_json::Value as Json;

use super::Dropped;
use crate::Limits;
use crate::javascript::json;

/// The limits, and the count of what went over them.
pub(super) struct Budget<'a> {
    pub(super) limits: &'a Limits,
    pub(super) dropped: &'a mut Dropped,
}

impl Budget<'_> {
    /// Whether a text of an event may be kept.
    pub(super) fn admits(&mut self, text: &str) -> bool {
        let fits = text.len() <= self.limits.text_bytes;
        self.dropped.texts += u64::from(!fits);
        fits
    }

    /// A value of an event, if it may be kept.
    pub(super) fn keep(&mut self, value: RawJson<'_>) -> Option<Json> {
        self.admits(value.as_str()).then(|| json(value))
    }

    /// A member of a stats object, if it may be kept.
    pub(super) fn admitted<'v>(&mut self, value: Value<'v>) -> Option<Value<'v>> {
        let fits = match value {
            Value::Text(text) => self.admits(text),
            Value::Nested(raw) => self.admits(raw.as_str()),
            _ => true,
        };
        fits.then_some(value)
    }
}
