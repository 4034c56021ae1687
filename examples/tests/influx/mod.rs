//! A server of InfluxDB 1.x of the test's own.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// How long the server may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server with its files in a directory of its own, on free ports of this machine. It ends with this.
pub(crate) struct Influx {
    process: Child,
    /// Removed when the process is gone.
    _directory: TempDir,
    port: u16,
}

impl Drop for Influx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Influx {
    /// A new server; `None`, after a visible note, where InfluxDB is not installed.
    pub(crate) async fn start() -> Option<Self> {
        if Command::new("influxd").arg("version").output().is_err() {
            assert!(
                std::env::var_os("RTCSTATS_SERVICES_REQUIRED").is_none(),
                "influxd is not installed, and RTCSTATS_SERVICES_REQUIRED is set"
            );
            // Not a print macro: those are captured while the test passes.
            let _ = writeln!(std::io::stderr(), "skipped: influxd is not installed");
            return None;
        }
        // Somebody else may take a port meanwhile.
        for _ in 0..4 {
            let directory = tempfile::tempdir().unwrap();
            let (rpc, port) = (free_port(), free_port());
            let file = directory.path().join("influxdb.conf");
            std::fs::write(&file, configuration(directory.path(), rpc, port)).unwrap();
            let mut command = Command::new("influxd");
            command.arg("-config").arg(&file);
            let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
            let mut influx = Self {
                process: process.unwrap(),
                _directory: directory,
                port,
            };
            if influx.is_ready().await {
                return Some(influx);
            }
        }
        panic!("InfluxDB does not start");
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The series that a query finds.
    pub(crate) async fn query(&self, database: &str, query: &str) -> Vec<Value> {
        let response = self.ask(database, query).await;
        assert!(response.get("error").is_none(), "{query}: {response}");
        let mut found = Vec::new();
        for result in response["results"].as_array().unwrap() {
            assert!(result.get("error").is_none(), "{query}: {result}");
            found.extend(result["series"].as_array().into_iter().flatten().cloned());
        }
        found
    }

    async fn ask(&self, database: &str, query: &str) -> Value {
        let mut url = reqwest::Url::parse(&self.url()).unwrap();
        url.set_path("/query");
        url.query_pairs_mut()
            .extend_pairs([("db", database), ("q", query), ("epoch", "ms")]);
        let response = reqwest::Client::new().post(url).send().await.unwrap();
        serde_json::from_str(&response.text().await.unwrap()).unwrap()
    }

    async fn is_ready(&mut self) -> bool {
        let begin = Instant::now();
        let ping = format!("{}/ping", self.url());
        while begin.elapsed() < PATIENCE && self.process.try_wait().unwrap().is_none() {
            if reqwest::get(&ping)
                .await
                .is_ok_and(|response| response.status().is_success())
            {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        false
    }
}

fn configuration(directory: &Path, rpc: u16, port: u16) -> String {
    let directory = directory.display();
    format!(
        "reporting-disabled = true\nbind-address = \"127.0.0.1:{rpc}\"\n\
         [meta]\ndir = \"{directory}/meta\"\n\
         [data]\ndir = \"{directory}/data\"\nwal-dir = \"{directory}/wal\"\n\
         [monitor]\nstore-enabled = false\n\
         [http]\nenabled = true\nbind-address = \"127.0.0.1:{port}\"\nlog-enabled = false\n"
    )
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
