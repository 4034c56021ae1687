//! The list of sessions: open and finished ones as one, in every order, page by page.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod server;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use server::{Client, Server};
use tempfile::TempDir;

const SORTS: [&str; 9] = [
    "state",
    "conference",
    "user",
    "browser",
    "start",
    "ended",
    "duration",
    "loss",
    "rtt",
];

/// Finished sessions of every second user, open ones of the others, as long as the clients are kept.
async fn sessions(server: &Server) -> Vec<Client> {
    let mut open = Vec::new();
    for index in 0..14_u64 {
        let mut client = Client::connect(server, &format!("session-{index}")).await;
        // Longer and longer.
        client
            .send(&format!("User {index:02}"), 1..=5 + index)
            .await;
        client.until_acknowledged(5 + index).await;
        if index % 2 == 0 {
            client.leave().await;
        } else {
            open.push(client);
        }
    }
    server.finished("", 7).await;
    open
}

async fn list(server: &Server, query: &str) -> (Vec<Value>, u64) {
    let list = server.json(&format!("/api/sessions?{query}")).await;
    let sessions = list["sessions"].as_array();
    (
        sessions
            .unwrap_or_else(|| unreachable!("{query}: {list}"))
            .clone(),
        list["total"].as_u64().unwrap(),
    )
}

fn texts(sessions: &[Value], member: &str) -> Vec<String> {
    let texts = sessions.iter().map(|session| session[member].as_str());
    texts.map(|text| text.unwrap().to_owned()).collect()
}

#[tokio::test]
async fn open_and_finished_sessions_are_one_list_in_every_order() {
    let data = TempDir::new().unwrap();
    let server = Server::start(data.path(), &[]);
    let _open = sessions(&server).await;
    for sort in SORTS {
        for order in ["asc", "desc"] {
            let query = format!("sort={sort}&order={order}");
            let (all, total) = list(&server, &query).await;
            assert_eq!((all.len(), total), (14, 14), "{query}");
            let ids: BTreeSet<_> = texts(&all, "id").into_iter().collect();
            assert_eq!(ids.len(), 14, "{query}");
            let mut paged = Vec::new();
            for offset in (0..15).step_by(3) {
                let (page, total) =
                    list(&server, &format!("{query}&offset={offset}&limit=3")).await;
                assert_eq!(total, 14);
                paged.extend(page);
            }
            assert_eq!(texts(&paged, "id"), texts(&all, "id"), "{query}");
        }
    }

    let users = |sessions: &[Value]| texts(sessions, "displayName");
    let sorted: Vec<_> = (0..14).map(|index| format!("User {index:02}")).collect();
    let (by_user, _) = list(&server, "sort=user").await;
    assert_eq!(users(&by_user), sorted, "open and finished ones alternate");
    let (by_user, _) = list(&server, "sort=user&order=desc&offset=3&limit=4").await;
    assert_eq!(
        users(&by_user),
        ["User 10", "User 09", "User 08", "User 07"]
    );
    let (by_start, _) = list(&server, "sort=start").await;
    assert_eq!(users(&by_start), sorted);
    let (by_end, _) = list(&server, "sort=ended&order=desc").await;
    let (open, finished) = by_end.split_at(7);
    assert!(open.iter().all(|session| session["state"] == "live"));
    assert!(
        finished
            .iter()
            .all(|session| session["state"] == "finished")
    );
    assert!(open.iter().all(|session| session["endMs"].is_null()));

    let (default, _) = list(&server, "").await;
    let states = texts(&default, "state");
    assert_eq!(states[..7], ["live"; 7]);
    assert_eq!(states[7..], ["finished"; 7]);
    assert_eq!(users(&default)[0], "User 13", "the latest first");
    let finished: Vec<_> = default[7..]
        .iter()
        .map(|session| session["finishedMs"].as_u64().unwrap())
        .collect();
    assert!(
        finished.is_sorted_by(|one, other| one >= other),
        "{finished:?}"
    );
    assert!(finished[0] > finished[6], "{finished:?}");
    let (backwards, _) = list(&server, "sort=state&order=desc").await;
    assert_eq!(texts(&backwards, "state")[..7], ["finished"; 7]);
}

#[tokio::test]
async fn sessions_are_found_by_words_and_by_state() {
    let data = TempDir::new().unwrap();
    let server = Server::start(data.path(), &[]);
    let _open = sessions(&server).await;
    for (query, expected) in [
        ("q=user%2003", 1),
        ("q=ROOM", 14),
        ("q=room%20user%2012", 1),
        ("q=session-1", 5),
        ("q=nobody", 0),
        ("state=live", 7),
        ("state=open&q=session-1", 3),
        ("state=resumable", 0),
        ("state=finished", 7),
        ("state=finished&q=session-1", 2),
        ("state=&q=&sort=&order=", 14),
        ("user=nobody", 0),
        ("clientId=nobody&state=live", 0),
    ] {
        let (found, total) = list(&server, query).await;
        assert_eq!((found.len() as u64, total), (expected, expected), "{query}");
    }
    let (found, total) = list(&server, "state=live&limit=2&offset=6").await;
    assert_eq!((found.len(), total), (1, 7));
    for query in ["limit=0", "offset=99", "limit=0&state=live"] {
        assert_eq!(list(&server, query).await.0, [json!(null); 0], "{query}");
    }
    for query in [
        "sort=name",
        "order=up",
        "state=ended",
        "limit=-1",
        "offset=x",
    ] {
        let (status, _) = server
            .request("GET", &format!("/api/sessions?{query}"), &[])
            .await;
        assert_eq!(status, 400, "{query}");
    }
    let (_, answer) = server.request("GET", "/api/sessions?sort=name", &[]).await;
    assert!(answer.contains("\"error\":\"sort is"), "{answer}");
}

#[tokio::test]
async fn the_row_of_an_open_session_becomes_that_of_the_finished_one() {
    let data = TempDir::new().unwrap();
    let server = Server::start(data.path(), &[]);
    let mut client = Client::connect(&server, "s").await;
    client.send("Ann", 1..=9).await;
    client.until_acknowledged(9).await;
    let open = list(&server, "").await.0.remove(0);
    client.leave().await;
    let finished = server.finished("", 1).await.remove(0);
    for member in [
        "id",
        "conference",
        "user",
        "displayName",
        "browser",
        "browserVersion",
        "client",
        "startMs",
        "connections",
        "loss",
        "rttMs",
        "events",
    ] {
        assert_eq!(open[member], finished[member], "{member}");
    }
    assert_eq!(open["displayName"], "Ann");
    assert_eq!(open["conference"], "room");
    assert_eq!(
        (&open["state"], &finished["state"]),
        (&json!("live"), &json!("finished"))
    );
    // As callers knew it before there were rows.
    for member in ["generation", "clientType", "sequenceNumber", "startedMs"] {
        assert!(!open[member].is_null(), "{member}");
    }
    assert!(finished["finishedMs"].is_u64());
    assert!(finished["endMs"].as_f64() >= finished["startMs"].as_f64());
}
