//! What may be kept.

use rtcstats_proto::RawJson;
use rtcstats_proto::json::Value;
use serde_json::Value as Json;

use crate::Limits;
use crate::javascript::{json, json_of};

/// What the session has taken of its limits.
#[derive(Debug, Default)]
pub(super) struct Used {
    pub(super) stats_ids: usize,
    pub(super) rtp_streams: usize,
    pub(super) selected_pairs: usize,
    pub(super) located_candidates: usize,
    pub(super) resolutions: usize,
    pub(super) captured_tracks: usize,
    /// Something was left out.
    pub(super) is_incomplete: bool,
}

/// The limits and what was taken of them.
pub(super) struct Quota<'a> {
    pub(super) limits: &'a Limits,
    pub(super) used: &'a mut Used,
}

/// Takes one of something that is limited: `take!(quota, stats_ids)` says whether there was one left.
macro_rules! take {
    ($quota:expr, $what:ident) => {{
        let is_left = $quota.used.$what < $quota.limits.$what;
        $quota.used.$what += usize::from(is_left);
        $quota.used.is_incomplete |= !is_left;
        is_left
    }};
}

pub(super) use take;

impl Quota<'_> {
    /// Whether one more of so many that there are already may be kept.
    pub(super) fn admits_one(&mut self, count: usize, limit: usize) -> bool {
        self.used.is_incomplete |= count >= limit;
        count < limit
    }

    /// Whether a text of so many bytes may be kept.
    pub(super) fn admits_text(&mut self, bytes: usize) -> bool {
        self.used.is_incomplete |= bytes > self.limits.text_bytes;
        bytes <= self.limits.text_bytes
    }

    /// A value of an event, if it may be kept.
    pub(super) fn keep(&mut self, value: RawJson<'_>) -> Option<Json> {
        self.admits_text(value.as_str().len()).then(|| json(value))
    }

    /// A member of a stats object, if there is one and it may be kept.
    pub(super) fn keep_member(&mut self, value: Option<Value<'_>>) -> Option<Json> {
        let value = value?;
        let bytes = match value {
            Value::Text(text) => text.len(),
            Value::Nested(raw) => raw.as_str().len(),
            _ => 0,
        };
        self.admits_text(bytes).then(|| json_of(value))
    }
}
