//! For how long data is kept.

use std::time::Duration;

use clap::Args;
use rtcstats_server_core::Retention;

/// Ages and sizes; what is not given is kept for ever.
#[derive(Args)]
pub(crate) struct RetentionOptions {
    /// Remove dumps from the archive so long after they were stored, such as 90d.
    #[arg(long, env = "RTCSTATS_KEEP_DUMPS", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) keep_dumps: Option<Duration>,

    /// Remove the oldest dumps where the archive has more bytes than that.
    #[arg(long, env = "RTCSTATS_KEEP_DUMP_BYTES", value_name = "BYTES")]
    pub(crate) keep_dump_bytes: Option<u64>,

    /// Remove records from the database so long after their sessions ended.
    #[arg(long, env = "RTCSTATS_KEEP_RECORDS", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) keep_records: Option<Duration>,

    /// Remove logs from the journal that cannot be read, so long after they were last written to.
    #[arg(long, env = "RTCSTATS_KEEP_LEFTOVERS", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) keep_leftovers: Option<Duration>,

    /// Remove the oldest of these logs where they are more bytes than that.
    #[arg(long, env = "RTCSTATS_KEEP_LEFTOVER_BYTES", value_name = "BYTES")]
    pub(crate) keep_leftover_bytes: Option<u64>,

    /// How often to look what is to be removed.
    #[arg(long, env = "RTCSTATS_RETENTION_INTERVAL", value_name = "TIME", default_value = "1h", value_parser = humantime::parse_duration)]
    pub(crate) retention_interval: Duration,
}

impl RetentionOptions {
    pub(crate) fn retention(&self) -> Retention {
        Retention {
            interval: self.retention_interval,
            dump_age: self.keep_dumps,
            dump_bytes: self.keep_dump_bytes,
            record_age: self.keep_records,
            leftover_age: self.keep_leftovers,
            leftover_bytes: self.keep_leftover_bytes,
            ..Retention::default()
        }
    }
}
