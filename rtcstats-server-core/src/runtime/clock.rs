//! The one place that reads the clock.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::Time;

#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    start: Instant,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    pub(super) fn now(&self) -> Time {
        let unix = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Time {
            monotonic: self.start.elapsed(),
            unix_ms: unix.as_millis() as f64,
        }
    }
}
