//! Points of calls: what the API of rtcscope takes and answers.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use rtcstats_server_core::Authorizer;

use crate::server::rtcscope::{
    InfluxStore, PointStore, Scope, SeriesNames, SqliteStore, check_name,
};

/// Their store, and for how long it keeps them.
#[derive(Args)]
pub(crate) struct ScopeOptions {
    /// Where the points of calls go, of the API of rtcscope and the graphs: sqlite (the file rtcscope.db in the data
    /// directory), a database of InfluxDB 1.x such as http://user:password@host:8086/rtcscope, which is
    /// made if it is missing, or none: then there are neither that API nor the graphs. By default sqlite;
    /// with --journal none, as nodes have no file in common, and what is in the one of another node could not be
    /// deleted.
    #[arg(
        long,
        env = "RTCSTATS_SCOPE_STORE",
        value_name = "STORE",
        hide_env_values = true
    )]
    pub(crate) scope_store: Option<String>,

    /// Remove points so long after their time; older ones are not taken. A database of InfluxDB that is there
    /// already removes them by its own retention policy.
    #[arg(long, env = "RTCSTATS_KEEP_POINTS", value_name = "TIME", default_value = "30d", value_parser = humantime::parse_duration)]
    pub(crate) keep_points: Duration,

    /// Series that clients of the API may write besides those it knows (see /v1/series/), separated by commas.
    #[arg(
        long,
        env = "RTCSTATS_SCOPE_SERIES",
        value_name = "NAMES",
        value_delimiter = ',',
        value_parser = check_name
    )]
    pub(crate) scope_series: Vec<String>,
}

impl ScopeOptions {
    /// Opens the store; `None` if there is none. It may not be a file where there are other nodes. Who writes needs a
    /// token, if there is an `authorizer`.
    pub(crate) async fn open(
        &self,
        data: &Path,
        has_other_nodes: bool,
        authorizer: Option<Arc<dyn Authorizer>>,
    ) -> Result<Option<Arc<Scope>>, Box<dyn Error>> {
        let store: Arc<dyn PointStore> = match self.scope_store.as_deref() {
            None if has_other_nodes => return Ok(None),
            Some("none") => return Ok(None),
            Some("sqlite") if has_other_nodes => {
                return Err(
                    "--scope-store sqlite is a file of one node, from which the others \
                    could not delete; with --journal it is http://host:8086/database or none"
                        .into(),
                );
            }
            None | Some("sqlite") => Arc::new(SqliteStore::open(&data.join("rtcscope.db")).await?),
            Some(url) => Arc::new(InfluxStore::open(url, self.keep_points).await?),
        };
        let names = SeriesNames::with(&self.scope_series);
        let scope = Scope::new(store, names, self.keep_points, authorizer);
        Ok(Some(Arc::new(scope)))
    }
}
