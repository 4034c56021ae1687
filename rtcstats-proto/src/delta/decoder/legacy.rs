//! How reports of legacy rtcstats 2.0 clients are merged (legacy spec, section 3).
//!
//! As those of Jitsi clients, but for two things: an object that the report does not have is unchanged,
//! so that none ever goes; and the first report is one like the others.

use super::Merge;
use crate::delta::DeltaError;
use crate::delta::scan::Target;
use crate::stats::Stats;

impl Merge<'_> {
    pub(super) fn merge_legacy(&self, stats: &mut Stats) -> Result<(), DeltaError> {
        self.refuse_null()?;
        for object in self.scan.objects.iter().filter(|object| !object.is_null()) {
            match object.target {
                Target::Known(slot) => self.merge_known(object, stats, slot),
                Target::New(span) => {
                    let slot = stats.insert(self.text(span), object.content.form());
                    self.fill(&object.content, stats, slot);
                    self.resolve_zero(&object.content, stats, slot);
                }
            }
        }
        stats.finish_report();
        Ok(())
    }
}
