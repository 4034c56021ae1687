//! Losses that the remote reported, for reports that come in parts.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use rtcstats_proto::json::Value;
use rtcstats_proto::stats::{Field, StatsKind, StatsObject};

use super::PacketsLost;
use super::budget::Budget;
use super::packets::RtpSample;

/// The packets lost by the ids of the `remote-inbound-rtp` objects that told them last.
///
/// An import has a report for each time stamp of an object, and what the remote reports has the time
/// of its arrival: it is never in the report of the `outbound-rtp` that refers to it.
#[derive(Debug, Default)]
pub(super) struct RemoteLosses {
    by_id: HashMap<Box<str>, f64, RandomState>,
}

impl RemoteLosses {
    pub(super) fn note(&mut self, object: StatsObject<'_>, budget: &mut Budget<'_>) {
        if object.kind() != Some(StatsKind::RemoteInboundRtp) {
            return;
        }
        let lost = object.get(Field::PacketsLost).and_then(Value::as_number);
        let Some(lost) = lost else {
            return;
        };
        if let Some(known) = self.by_id.get_mut(object.id()) {
            *known = lost;
        } else if self.by_id.len() < budget.limits.tracks && budget.admits(object.id()) {
            self.by_id.insert(object.id().into(), lost);
        }
    }

    /// Adds the losses of what was sent.
    pub(super) fn complete(&self, sample: &mut RtpSample<'_>, object: StatsObject<'_>) {
        let is_sent = object.kind() == Some(StatsKind::OutboundRtp);
        if let Some(sent) = sample.sent.as_mut().filter(|_| is_sent)
            && let Some(id) = object.get(Field::RemoteId).and_then(Value::as_text)
            && let Some(lost) = self.by_id.get(id)
        {
            sent.lost = PacketsLost::Number(*lost);
        }
    }
}
