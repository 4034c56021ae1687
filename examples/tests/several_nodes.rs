//! Two processes of the server over one NATS server, one archive, one database.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod server;

#[path = "../../rtcstats-server-core/tests/services/nats.rs"]
mod nats;

use std::path::Path;

use nats::NatsServers;
use rtcstats_proto::sequence_number_of;
use serde_json::Value;
use server::{Client, Server};
use tempfile::TempDir;

/// What nodes share besides NATS.
struct Stores {
    nats: NatsServers,
    folder: TempDir,
}

impl Stores {
    fn start() -> Option<Self> {
        Some(Self {
            nats: NatsServers::start(1)?,
            folder: tempfile::tempdir().unwrap(),
        })
    }

    fn node(&self, name: &str, flags: &[&str]) -> Server {
        let folder = self.folder.path().display();
        let (journal, archive) = (self.nats.url(), format!("file://{folder}/dumps"));
        let database = format!("sqlite://{folder}/records.db?mode=rwc");
        let mut all = vec![
            "--journal",
            &journal,
            "--archive",
            &archive,
            "--database",
            &database,
            "--node",
            name,
        ];
        all.extend(flags);
        Server::start(&self.data(name), &all)
    }

    fn data(&self, name: &str) -> std::path::PathBuf {
        let path: &Path = self.folder.path();
        path.join(name)
    }
}

fn numbers(dump: &[String]) -> Vec<u64> {
    dump.iter()
        .filter_map(|line| sequence_number_of(line))
        .collect()
}

#[tokio::test]
async fn a_client_of_a_node_that_is_drained_goes_on_at_another() {
    let Some(stores) = Stores::start() else {
        return;
    };
    let mut first = stores.node("first", &["--role", "ingest", "--drain-for", "200ms"]);
    let second = stores.node("second", &[]);
    let mut client = Client::connect(&first, "s").await;
    client.send("ann", 1..=250).await;
    client.until_acknowledged(100).await;
    first.signal("TERM");
    assert_eq!(client.closed().await, 1001);
    let acknowledged = client.acknowledged;
    let mut client = Client::connect(&second, "s").await;
    assert!(client.acknowledged >= acknowledged);
    client.send("ann", client.acknowledged + 1..=300).await;
    client.until_acknowledged(300).await;
    assert!(first.ended().await.success());
    client.leave().await;
    let sessions = second.finished("", 1).await;
    assert_eq!(sessions[0]["id"], "s");
    assert_eq!(
        numbers(&second.dump("s").await),
        (1..=300).collect::<Vec<_>>()
    );
    let health = second.json("/healthz").await;
    assert_eq!(health["status"], "ok", "{health}");
}

#[tokio::test]
async fn data_is_deleted_from_another_node_than_the_one_that_has_it() {
    let Some(stores) = Stores::start() else {
        return;
    };
    let first = stores.node("first", &[]);
    let second = stores.node("second", &["--admin-token", "t"]);
    let mut client = Client::connect(&first, "a").await;
    client.send("ann", 1..=5).await;
    client.until_acknowledged(5).await;
    let mut other = Client::connect(&first, "b").await;
    other.send("bob", 1..=5).await;
    other.until_acknowledged(5).await;

    let allowed = [("Authorization", "Bearer t")];
    let (status, body) = second
        .request("DELETE", "/api/data?user=ann", &allowed)
        .await;
    assert_eq!(status, 200, "{body}");
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(answer["report"]["sessions"], serde_json::json!(["a"]));

    // What it still sends reaches nobody; it comes back, and is told to stay away, by either node.
    client.send("ann", 6..=9).await;
    client.closed().await;
    for node in [&first, &second] {
        assert_eq!(Client::refused(node, "a").await, 3001);
    }
    other.send("bob", 6..=9).await;
    other.until_acknowledged(9).await;
    other.leave().await;
    let sessions = second.finished("", 1).await;
    assert_eq!(sessions[0]["id"], "b");
    assert_eq!(numbers(&second.dump("b").await).len(), 9);
    let (status, _) = second.request("GET", "/api/sessions/a/dump", &[]).await;
    assert_eq!(status, 404);
    // No node has a file of its own that the others could not delete from.
    for (node, name) in [(&first, "first"), (&second, "second")] {
        assert!(!stores.data(name).join("rtcscope.db").exists());
        let (status, _) = node.request("GET", "/v1/series/", &[]).await;
        assert_eq!(status, 404);
    }
}
