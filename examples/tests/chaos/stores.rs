//! Where nodes leave what is to be kept.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use rtcstats_server_core::{DumpName, RecordStore, SessionRecord, SqlSink};

use crate::postgres::Postgres;
use crate::say;

pub(crate) type Dumps = BTreeMap<DumpName, String>;

pub(crate) struct Stores {
    /// Folder of dumps.
    folder: PathBuf,
    /// URL of the database of records.
    pub(crate) database: String,
    /// Kept running.
    _postgres: Option<Postgres>,
}

impl Stores {
    /// Those that a node has for itself, below its folder.
    pub(crate) fn of_node(data: &Path) -> Self {
        Self {
            folder: data.join("dumps"),
            database: format!("sqlite://{}", data.join("features.db").display()),
            _postgres: None,
        }
    }

    /// Those that several nodes share: a folder, and PostgreSQL where it is installed.
    pub(crate) fn shared(folder: &Path) -> Self {
        let postgres = Postgres::start();
        let file = folder.join("features.db");
        let database = match &postgres {
            Some(postgres) => postgres.new_database(),
            None => format!("sqlite://{}?mode=rwc", file.display()),
        };
        say(&format!("records are in {database}"));
        let folder = folder.join("dumps");
        std::fs::create_dir_all(&folder).unwrap();
        Self {
            folder,
            database,
            _postgres: postgres,
        }
    }

    /// What tells a node of them.
    pub(crate) fn flags(&self) -> Vec<String> {
        let archive = format!("file://{}", self.folder.display());
        let flags = ["--archive", &archive, "--database", &self.database];
        flags.map(str::to_owned).to_vec()
    }

    /// All dumps, as text.
    pub(crate) fn dumps(&self) -> Dumps {
        let mut dumps = Dumps::new();
        for entry in std::fs::read_dir(&self.folder).unwrap() {
            let path = entry.unwrap().path();
            let file_name = path.file_name().unwrap().to_string_lossy().into_owned();
            let Some(name) = file_name.strip_suffix(".gz").map(str::parse) else {
                continue;
            };
            let mut text = String::new();
            let file = std::fs::File::open(&path).unwrap();
            let read = MultiGzDecoder::new(file).read_to_string(&mut text);
            assert!(read.is_ok(), "{file_name} is no whole gzip: {read:?}");
            dumps.insert(name.unwrap(), text);
        }
        dumps
    }

    /// Their records, as far as there are any.
    pub(crate) async fn records(&self, dumps: &Dumps) -> BTreeMap<DumpName, SessionRecord> {
        let sink = SqlSink::open(&self.database).await.unwrap();
        let mut records = BTreeMap::new();
        for name in dumps.keys() {
            if let Some(record) = sink.record(name).await.unwrap() {
                records.insert(name.clone(), record);
            }
        }
        sink.close().await;
        records
    }
}
