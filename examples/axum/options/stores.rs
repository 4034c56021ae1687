//! Where dumps and records go.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use clap::Args;
use rtcstats_server_core::{
    Archive, DirectoryArchive, DirectoryArchiveOptions, DumpLinks, ObjectArchive,
    ObjectArchiveOptions, SqlSink,
};

/// Archive and database.
#[derive(Args)]
pub(crate) struct StoreOptions {
    /// Where the dumps of finished sessions go: s3://bucket/prefix, gs://…, az://… or file:///directory;
    /// keys and the like come from the environment (AWS_ACCESS_KEY_ID, …). Without it the directory dumps in the
    /// data directory.
    #[arg(long, env = "RTCSTATS_ARCHIVE", value_name = "URL")]
    pub(crate) archive: Option<String>,

    /// A setting of the archive's store, such as endpoint=http://host:9000, allow_http=true or
    /// region=eu-central-1; may be given several times.
    #[arg(
        long = "archive-setting",
        env = "RTCSTATS_ARCHIVE_SETTINGS",
        value_name = "NAME=VALUE",
        value_delimiter = ',',
        hide_env_values = true,
        value_parser = parse_setting
    )]
    pub(crate) archive_settings: Vec<(String, String)>,

    /// How the key of a dump is made, below the prefix of --archive; {shard} spreads dumps evenly.
    #[arg(
        long,
        env = "RTCSTATS_ARCHIVE_KEY",
        value_name = "TEMPLATE",
        default_value = "{name}.gz"
    )]
    pub(crate) archive_key: String,

    /// Where records go, and are looked up: postgres://user:password@host/database or sqlite://file. Without
    /// it the file features.db in the data directory.
    #[arg(
        long,
        env = "RTCSTATS_DATABASE",
        value_name = "URL",
        hide_env_values = true
    )]
    pub(crate) database: Option<String>,
}

/// An archive, and where others find its dumps.
pub(crate) struct OpenArchive {
    pub(crate) archive: Arc<dyn Archive>,
    pub(crate) links: Option<Arc<dyn DumpLinks>>,
}

fn parse_setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err("a setting such as region=eu-central-1".to_owned()),
    }
}

impl StoreOptions {
    /// Opens the archive; one of its own is below the data directory.
    pub(crate) fn archive(&self, data: &Path) -> Result<OpenArchive, Box<dyn Error>> {
        let Some(url) = &self.archive else {
            let options = DirectoryArchiveOptions::default();
            let archive = DirectoryArchive::open(data.join("dumps"), options)?;
            return Ok(OpenArchive {
                archive: Arc::new(archive),
                links: None,
            });
        };
        let options = ObjectArchiveOptions {
            settings: self.archive_settings.clone(),
            key: self.archive_key.clone(),
            ..ObjectArchiveOptions::default()
        };
        let archive = Arc::new(ObjectArchive::open(url, options)?);
        // What is in files has no links that would work elsewhere.
        let is_remote = !url.starts_with("file:");
        let links = is_remote.then(|| Arc::clone(&archive) as Arc<dyn DumpLinks>);
        Ok(OpenArchive { archive, links })
    }

    /// Opens the database; one of its own is below the data directory.
    pub(crate) async fn database(&self, data: &Path) -> Result<SqlSink, Box<dyn Error>> {
        let url = match &self.database {
            Some(url) => url.clone(),
            None => sqlite_url(&data.join("features.db")),
        };
        Ok(SqlSink::open(&url).await?)
    }
}

/// The URL of a file, which is made if it is missing.
fn sqlite_url(file: &Path) -> String {
    let mut url = "sqlite://".to_owned();
    for character in file.display().to_string().chars() {
        match character {
            '%' => url.push_str("%25"),
            '?' => url.push_str("%3f"),
            '#' => url.push_str("%23"),
            character => url.push(character),
        }
    }
    url + "?mode=rwc"
}
