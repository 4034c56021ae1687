//! The API of rtcscope, as its clients use it: with SQLite, and with a real InfluxDB.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod influx;
mod server;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use influx::Influx;
use reqwest::{Client as Web, Method, StatusCode};
use serde_json::{Value, json};
use server::{Client, Server};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Values of one call: time in milliseconds, value.
type Values = Vec<(u64, f64)>;

/// Where a server keeps its points.
struct Store {
    influx: Option<Influx>,
}

impl Store {
    /// Each that there is here.
    async fn all() -> Vec<Self> {
        let mut stores = vec![Self { influx: None }];
        if let Some(influx) = Influx::start().await {
            stores.push(Self {
                influx: Some(influx),
            });
        }
        stores
    }

    /// A server with this store, and the data in this directory.
    fn server(&self, data: &Path, flags: &[&str]) -> Server {
        let url = self
            .influx
            .as_ref()
            .map(|influx| format!("{}/calls", influx.url()));
        let store = url.as_deref().unwrap_or("sqlite");
        let flags: Vec<_> = flags
            .iter()
            .copied()
            .chain(["--scope-store", store])
            .collect();
        Server::start(data, &flags)
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

/// Status and body of an answer.
async fn get(server: &Server, target: &str, parameters: &[(&str, &str)]) -> (StatusCode, Value) {
    let mut url = reqwest::Url::parse(&format!("http://{}{target}", server.address)).unwrap();
    if !parameters.is_empty() {
        url.query_pairs_mut().extend_pairs(parameters);
    }
    let response = Web::new().get(url).timeout(PATIENCE).send().await.unwrap();
    let status = response.status();
    (
        status,
        serde_json::from_str(&response.text().await.unwrap()).unwrap_or_default(),
    )
}

async fn found(server: &Server, target: &str, parameters: &[(&str, &str)]) -> Value {
    let (status, body) = get(server, target, parameters).await;
    assert_eq!(status, StatusCode::OK, "{target} {parameters:?}: {body}");
    body
}

/// Posts a body, as forms are.
async fn post(server: &Server, target: &str, body: String) -> (StatusCode, String) {
    let request = Web::new()
        .post(format!("http://{}{target}", server.address))
        .header("content-type", "application/x-www-form-urlencoded");
    let response = request.body(body).timeout(PATIENCE).send().await.unwrap();
    (response.status(), response.text().await.unwrap())
}

/// The form of a client.
fn form(line: &str) -> String {
    let mut url = reqwest::Url::parse("http://form").unwrap();
    url.query_pairs_mut().append_pair("rtc_stats,id", line);
    url.query().unwrap().to_owned()
}

async fn write(server: &Server, line: &str) {
    let (status, body) = post(server, "/v1/stats/write/", form(line)).await;
    assert_eq!(
        (status, body.as_str()),
        (StatusCode::OK, "{\"success\":true}"),
        "{line}"
    );
}

/// The time of a bucket in milliseconds.
fn time_of(bucket: &Value) -> u64 {
    let time = bucket["time"].as_str().unwrap();
    assert!(time.ends_with(".000Z") && time.len() == 24, "{time}");
    let time = humantime::parse_rfc3339(time).unwrap();
    u64::try_from(time.duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// Checks that buckets follow one another without gaps, and have the means of these values; how many have one.
/// The first bucket begins before what is asked for: it is not compared.
fn check(buckets: &Value, values: &[(u64, f64)], width: u64, what: &str) -> usize {
    let mut sums: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for (time, value) in values {
        sums.entry(time - time % width).or_default().push(*value);
    }
    let buckets = buckets.as_array().unwrap();
    let mut checked = 0;
    for pair in buckets.windows(2) {
        let time = time_of(&pair[1]);
        assert_eq!(
            (time - time_of(&pair[0]), time % width),
            (width, 0),
            "{what}"
        );
        let mean = pair[1]["mean"].as_f64();
        assert!(mean.is_some() || pair[1]["mean"].is_null());
        let expected = sums
            .get(&time)
            .map(|values| values.iter().sum::<f64>() / values.len() as f64);
        match (mean, expected) {
            (Some(mean), Some(expected)) => {
                assert!((mean - expected).abs() < 1e-9, "{what}: {mean} {expected}");
                checked += 1;
            }
            (mean, expected) => assert_eq!(mean, expected, "{what} at {time}"),
        }
    }
    checked
}

#[tokio::test]
async fn means_of_all_intervals_are_those_of_what_was_written() {
    for store in Store::all().await {
        let data = tempfile::tempdir().unwrap();
        let server = store.server(data.path(), &[]);
        assert_eq!(
            found(&server, "/v1/stats/", &[("type", "rtt")]).await,
            json!({})
        );

        // Ids are text, whatever is in it.
        let ids = [
            "c/1?x=1&y",
            "it's,source=session",
            "\";DROP--é",
            "%27+OR%20",
        ];
        let begin = now();
        let mut calls: BTreeMap<&str, Values> = BTreeMap::new();
        for (number, id) in ids.into_iter().enumerate() {
            for index in 0..60_u64 {
                let number = number as u64;
                let time = begin - 5_000 - index * 61_003 / (1 + number) - number * 777;
                let value = (index * 37 % 101) as f64 / 7.0 - number as f64;
                calls.entry(id).or_default().push((time, value));
                // What has the same time takes the place of the one before.
                write(&server, &format!("{id} rtt=99,jitter={index} {time}")).await;
                write(&server, &format!("{id} rtt={value},unknown=5 {time}")).await;
            }
        }
        let all: Values = calls.values().flatten().copied().collect();
        let spans = [
            ("", "", 300, 10),
            ("interval/", "10m", 600, 30),
            ("interval", "30m", 1_800, 120),
            ("interval/", "1h", 3_600, 300),
            ("interval/", "", 3_600, 300),
        ];
        for (target, duration, length, width) in spans {
            let target = format!("/v1/stats/{target}");
            let parameters = [("type", "rtt"), ("duration", duration)];
            let answer = found(&server, &target, &parameters).await;
            let answer = answer.as_object().unwrap();
            assert_eq!(
                answer.keys().collect::<BTreeSet<_>>(),
                ids.map(str::to_owned).iter().collect()
            );
            for (id, values) in &calls {
                let buckets = &answer[*id];
                let checked = check(buckets, values, width * 1_000, &format!("{duration} {id}"));
                assert!(checked > 3, "{checked} of {duration} {id}");
                let count = buckets.as_array().unwrap().len() as u64;
                assert!(
                    (length / width..=length / width + 1).contains(&count),
                    "{count}"
                );
            }
        }
        for (id, values) in &calls {
            let id: String = reqwest::Url::parse(&format!("http://x/?{}", form(id)))
                .unwrap()
                .query()
                .unwrap()
                .replace("rtc_stats%2Cid=", "")
                .replace('+', "%20");
            for end in ["", "/"] {
                let answer =
                    found(&server, &format!("/v1/stats/{id}{end}"), &[("type", "rtt")]).await;
                let begin = values
                    .iter()
                    .map(|(time, _)| time / 60_000 * 60_000)
                    .min()
                    .unwrap();
                assert_eq!(time_of(&answer[0]), begin);
                let last = values
                    .iter()
                    .map(|(time, _)| time / 60_000 * 60_000)
                    .max()
                    .unwrap();
                assert_eq!(time_of(answer.as_array().unwrap().last().unwrap()), last);
                // Its minutes are all of the call: the first one too.
                let before = json!({"time": rfc(begin - 60_000), "mean": null});
                let mut minutes = vec![before];
                minutes.extend(answer.as_array().unwrap().iter().cloned());
                assert!(check(&json!(minutes), values, 60_000, &id) > 10);
            }
            let none = found(
                &server,
                &format!("/v1/stats/{id}/"),
                &[("type", "bytesSent")],
            )
            .await;
            assert_eq!(none, json!([]));
        }
        let (start, end) = (
            begin / 30_000 * 30_000 - 1_800_000,
            begin / 30_000 * 30_000 - 600_000,
        );
        let within: Values = all
            .into_iter()
            .filter(|(time, _)| (start..end).contains(time))
            .collect();
        for (start_text, end_text) in [
            (rfc(start), rfc(end)),
            (
                rfc(start).replace('T', " ").replace(".000Z", ""),
                rfc(end).replace(".000Z", "+00:00"),
            ),
        ] {
            let parameters = [("type", "rtt"), ("start", &start_text), ("end", &end_text)];
            let answer = found(&server, "/v1/stats/timerange/", &parameters).await;
            assert_eq!(answer.as_array().unwrap().len(), 40);
            assert!(check(&answer, &within, 30_000, "range") > 20);
        }
        if let Some(influx) = &store.influx {
            let tags = influx.query("calls", "SHOW TAG KEYS FROM rtc_stats").await;
            assert_eq!(tags[0]["values"], json!([["id"]]));
            let fields = influx
                .query("calls", "SHOW FIELD KEYS FROM rtc_stats")
                .await;
            assert_eq!(
                fields[0]["values"],
                json!([["jitter", "float"], ["rtt", "float"]])
            );
        }
    }
}

fn rfc(milliseconds: u64) -> String {
    humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(milliseconds)).to_string()
}

#[tokio::test]
async fn what_is_malformed_is_refused_with_a_reason_and_stores_nothing() {
    for store in Store::all().await {
        let data = tempfile::tempdir().unwrap();
        let server = store.server(data.path(), &["--scope-series", "mosScore"]);
        write(&server, "good rtt=1,mosScore=4").await;
        let far = now() + 3 * 86_400_000;
        let many: Vec<_> = (0..65).map(|number| format!("n{number}=1")).collect();
        let long_id = "x".repeat(257);
        let lines = [
            ("", "id"),
            ("bad", "values"),
            ("bad rtt", "values"),
            ("bad rtt=", "number"),
            ("bad =1", "name"),
            ("bad rtt=1,", "values"),
            ("bad rtt=x", "number"),
            ("bad rtt=NaN", "number"),
            ("bad rtt=inf", "number"),
            ("bad rtt=-Infinity", "number"),
            ("bad rtt=1e300", "number"),
            ("bad rtt=\"1\"", "number"),
            ("bad rtt=true", "number"),
            ("bad rtt=1.5i", "number"),
            ("bad rtt=1 yesterday", "time"),
            ("bad rtt=1 1", "time"),
            ("bad rtt=1 -5", "time"),
            ("bad rtt=1 2001-01-01T00:00:00Z", "time"),
            (&format!("bad rtt=1 {far}"), "time"),
            ("bad rtt=1 5 6", "time"),
            ("bad rtt=1,rtt=2", "more than one"),
            ("bad rtt=1,currentRoundTripTime=2", "more than one"),
            ("bad nothing=1", "availableBandwidth"),
            (&format!("bad {}", many.join(",")), "64"),
            (&format!("{long_id} rtt=1"), "256"),
            ("b\\ad rtt=1", "backslash"),
            ("b\nad rtt=1", "control"),
            ("b\0ad rtt=1", "control"),
            ("bad rtt=1\nbad rtt=2", "time"),
            // Attempts to write something else.
            ("bad rtt=1 1'; DROP MEASUREMENT rtc_stats; --", "time"),
            ("bad rtt=1;DROP", "number"),
            ("bad rtt=1,x\" FROM \"y=2 0", "time"),
        ];
        let mut bodies: Vec<_> = lines
            .iter()
            .map(|(line, reason)| (form(line), *reason))
            .collect();
        bodies.push((String::new(), "rtc_stats,id"));
        bodies.push(("other=1".to_owned(), "rtc_stats,id"));
        bodies.push((format!("{0}&{0}", form("bad rtt=1")), "more than once"));
        for (body, reason) in bodies {
            let (status, answer) = post(&server, "/v1/stats/write/", body.clone()).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{body:?}: {answer}");
            let answer: Value = serde_json::from_str(&answer).unwrap();
            assert_eq!(answer["success"], false);
            assert!(
                answer["error"].as_str().unwrap().contains(reason),
                "{body:?}: {answer}"
            );
        }
        let large = form(&format!("bad rtt=1 {}", "0".repeat(70_000)));
        assert_eq!(
            post(&server, "/v1/stats/write/", large).await.0,
            StatusCode::PAYLOAD_TOO_LARGE
        );

        let types = [
            "",
            "nothing",
            "rtt\") FROM x; DROP DATABASE calls; --",
            "rtt'; DROP TABLE points; --",
            "*",
            "rtt,jitter",
            "time",
            "rtt\0",
            "RTT",
        ];
        for series in types {
            for target in [
                "/v1/stats/",
                "/v1/stats/interval/",
                "/v1/stats/good/",
                "/v1/stats/timerange/",
            ] {
                let parameters = [
                    ("type", series),
                    ("start", "2026-01-01 00:00:00"),
                    ("end", "2026-01-01 00:00:00"),
                ];
                let (status, body) = get(&server, target, &parameters).await;
                assert_eq!(status, StatusCode::BAD_REQUEST, "{target} {series}");
                let error = body["error"].as_str().unwrap();
                assert!(
                    error.contains("availableBandwidth, rtt") && error.contains("mosScore"),
                    "{error}"
                );
            }
        }
        assert_eq!(
            get(&server, "/v1/stats/", &[]).await.0,
            StatusCode::BAD_REQUEST
        );
        for (start, end) in [
            ("", ""),
            ("2026-01-01", "2026-01-02"),
            ("2026-01-01 00:00:00", "2025-01-01 00:00:00"),
            ("2001-01-01 00:00:00", "2026-01-01 00:00:00"),
            ("2026-01-01 00:00:00' OR 1=1 --", "2026-01-02 00:00:00"),
            ("now() - 1h", "now()"),
        ] {
            let parameters = [("type", "rtt"), ("start", start), ("end", end)];
            let (status, body) = get(&server, "/v1/stats/timerange/", &parameters).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{start} {end}: {body}");
        }
        for call in [
            "bad",
            "good'%20OR%20'1'='1",
            "%00",
            "%ff",
            "a%5Cb",
            "bad%22;%20DROP%20SERIES%20FROM%20rtc_stats",
            &long_id,
        ] {
            let (status, body) =
                get(&server, &format!("/v1/stats/{call}/"), &[("type", "rtt")]).await;
            assert_eq!(status, StatusCode::NOT_FOUND, "{call}: {body}");
        }
        // All of it is as it was.
        let answer = found(&server, "/v1/stats", &[("type", "rtt")]).await;
        assert_eq!(
            answer.as_object().unwrap().keys().collect::<Vec<_>>(),
            ["good"]
        );
        for (series, value) in [("currentRoundTripTime", 1.0), ("mosScore", 4.0)] {
            let answer = found(&server, "/v1/stats/good", &[("type", series)]).await;
            assert_eq!(answer.as_array().unwrap().len(), 1);
            assert_eq!(answer[0]["mean"].as_f64(), Some(value));
        }
    }
}

#[tokio::test]
async fn pages_of_any_host_may_ask_and_tell() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let origin = |method: Method, target: &str| {
        let request = Web::new().request(method, format!("http://{}{target}", server.address));
        request
            .header("origin", "https://meet.example")
            .timeout(PATIENCE)
    };
    for target in [
        "/v1/stats/write/",
        "/v1/stats/write",
        "/v1/stats/",
        "/v1/stats/c/",
    ] {
        let preflight = origin(Method::OPTIONS, target)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type,x-own");
        let answer = preflight.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NO_CONTENT, "{target}");
        let header = |name: &str| answer.headers()[name].to_str().unwrap();
        assert_eq!(header("access-control-allow-origin"), "*");
        assert_eq!(header("access-control-allow-headers"), "content-type,x-own");
        assert!(header("access-control-allow-methods").contains("POST"));
    }
    for (method, target, status) in [
        (Method::POST, "/v1/stats/write/", 400),
        (Method::GET, "/v1/stats/?type=rtt", 200),
        (Method::GET, "/v1/stats/?type=x", 400),
        (Method::GET, "/v1/stats/c/?type=rtt", 404),
        (Method::GET, "/v1/stats/write/", 405),
        (Method::GET, "/v1/series/", 200),
    ] {
        let answer = origin(method, target).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{target}");
        assert_eq!(
            answer.headers()["access-control-allow-origin"],
            "*",
            "{target}"
        );
    }
    for (page, status) in [
        ("/dashboard", 200),
        ("/graph/rtt/", 200),
        ("/graph/rtt", 200),
        ("/graph/x/", 404),
    ] {
        let answer = origin(Method::GET, page).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{page}");
        assert!(
            answer.headers()["content-security-policy"]
                .to_str()
                .unwrap()
                .contains("script-src 'self'")
        );
    }
}

/// A report of a connection with a stream each way.
fn report(time: u64, number: u64, sequence: u64) -> String {
    json!(["getstats", "PC_0", {
        "P": {"type": "candidate-pair", "state": "succeeded", "nominated": true, "timestamp": time,
            "currentRoundTripTime": number as f64 / 16.0, "availableOutgoingBitrate": 1_000 * number, "bytesSent": number, "bytesReceived": number},
        "T": {"type": "transport", "timestamp": time, "selectedCandidatePairId": "P"},
        "I": {"type": "inbound-rtp", "kind": "audio", "timestamp": time, "packetsLost": number, "packetsReceived": 10 * number, "audioLevel": 0.5, "jitter": 0.01},
        "O": {"type": "outbound-rtp", "kind": "audio", "timestamp": time, "bytesSent": 100 * number, "audioLevel": 0.25},
    }, time, sequence])
    .to_string()
}

/// A call of twelve reports, one in each step, up to now; and when it began.
async fn call(server: &Server, id: &str) -> (Client, u64) {
    let begin = now() / 10_000 * 10_000 - 120_000;
    let mut client = Client::connect(server, id).await;
    client.send("ann", 1..=1).await;
    for number in 0..12 {
        let event = report(begin + number * 10_000, number, number + 2);
        client.send_event(&event).await;
    }
    client.until_acknowledged(13).await;
    (client, begin)
}

/// The means of a call that are there, by time.
async fn means(server: &Server, series: &str, id: &str) -> Vec<(u64, f64)> {
    let answer = found(server, "/v1/stats/", &[("type", series)]).await;
    let buckets = answer[id].as_array().cloned().unwrap_or_default();
    let values = buckets.iter();
    values
        .filter_map(|bucket| Some((time_of(bucket), bucket["mean"].as_f64()?)))
        .collect()
}

#[tokio::test]
async fn a_session_is_counted_once_while_it_goes_on_and_when_it_is_over() {
    for store in Store::all().await {
        let data = tempfile::tempdir().unwrap();
        let flags = ["--admin-token", "secret", "--keep-points", "2h"];
        let server = store.server(data.path(), &flags);
        let (client, begin) = call(&server, "s").await;
        // A value of a client in each step: what is counted twice changes the mean.
        let mut expected = Vec::new();
        for number in 0..12 {
            let time = begin + number * 10_000;
            write(&server, &format!("s rtt=100 {}", time + 1)).await;
            expected.push((time, f64::midpoint(number as f64 / 16.0, 100.0)));
        }
        let lost: Vec<_> = (0..12)
            .map(|number| (begin + number * 10_000, number as f64))
            .collect();
        assert_eq!(means(&server, "rtt", "s").await, expected);
        assert_eq!(means(&server, "packetsLost", "s").await, lost);
        assert_eq!(
            means(&server, "availableOutgoingBitrate", "s").await.last(),
            Some(&(begin + 110_000, 11_000.0))
        );
        assert_eq!(means(&server, "outputLevel", "s").await.len(), 12);
        let minutes = found(&server, "/v1/stats/s/", &[("type", "packetsLost")]).await;

        client.leave().await;
        let ending = async {
            loop {
                // At no time it is missing, or there twice.
                assert_eq!(means(&server, "rtt", "s").await, expected);
                assert_eq!(means(&server, "packetsLost", "s").await, lost);
                let list = server.json("/api/sessions").await;
                if list["sessions"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .any(|session| session["state"] == "finished")
                {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, ending).await.unwrap();
        // The record of others has no series: its points are here.
        let record = server.json("/api/sessions/s").await;
        assert!(record.get("series").is_none() && record.get("features").is_some());
        assert_eq!(means(&server, "rtt", "s").await, expected);
        drop(server);

        // From here on there is only what the store has.
        let server = store.server(data.path(), &flags);
        let storing = async {
            while means(&server, "rtt", "s").await != expected {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, storing).await.unwrap();
        assert_eq!(means(&server, "packetsLost", "s").await, lost);
        assert_eq!(
            found(&server, "/v1/stats/s/", &[("type", "packetsLost")]).await,
            minutes
        );
        // What a client told under the same id goes as well; others stay.
        write(&server, "s_x rtt=1").await;
        erase(&server, "s", &["s"]).await;
        assert_eq!(means(&server, "packetsLost", "s").await, []);
        assert_eq!(means(&server, "rtt", "s").await, []);
        let (status, _) = get(&server, "/v1/stats/s/", &[("type", "rtt")]).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert_eq!(means(&server, "rtt", "s_x").await.len(), 1);
    }
}

/// Deletes the data of a session; these names are found, and nothing is left.
async fn erase(server: &Server, id: &str, names: &[&str]) {
    let allowed = [("authorization", "Bearer secret")];
    let target = format!("/api/data?session={id}");
    let (status, body) = server.request("DELETE", &target, &allowed).await;
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &answer["complete"]), (200, &json!(true)), "{body}");
    assert_eq!(answer["report"]["sessions"], json!(names), "{body}");
}

#[tokio::test]
async fn calls_that_only_clients_told_of_are_deleted_by_their_ids() {
    for store in Store::all().await {
        let data = tempfile::tempdir().unwrap();
        let server = store.server(data.path(), &["--admin-token", "secret"]);
        for call in ["c", "c_2", "c_x", "c-2", "cc", "d"] {
            write(&server, &format!("{call} rtt=1")).await;
        }
        erase(&server, "c", &["c", "c_2"]).await;
        for (call, is_left) in [("c", false), ("c_2", false), ("c_x", true), ("c-2", true)] {
            let left = means(&server, "rtt", call).await;
            assert_eq!(!left.is_empty(), is_left, "{call}");
        }
        erase(&server, "c", &[]).await;
        for call in ["c_x", "cc", "d"] {
            erase(&server, call, &[call]).await;
        }
        let left = found(&server, "/v1/stats/", &[("type", "rtt")]).await;
        assert_eq!(
            left.as_object().unwrap().keys().collect::<Vec<_>>(),
            ["c-2"]
        );
    }
}

#[tokio::test]
async fn old_points_go_and_none_are_taken() {
    let data = tempfile::tempdir().unwrap();
    let old = now() - 2 * 3_600_000;
    let server = Server::start(data.path(), &[]);
    write(&server, &format!("old rtt=1 {old}")).await;
    write(&server, "both rtt=1").await;
    write(&server, &format!("both rtt=2 {old}")).await;
    assert_eq!(
        get(&server, "/v1/stats/old/", &[("type", "rtt")]).await.0,
        StatusCode::OK
    );
    drop(server);
    let server = Server::start(data.path(), &["--keep-points", "1h"]);
    let going = async {
        while get(&server, "/v1/stats/old/", &[("type", "rtt")]).await.0 != StatusCode::NOT_FOUND {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, going).await.unwrap();
    let left = found(&server, "/v1/stats/both/", &[("type", "rtt")]).await;
    assert_eq!(left.as_array().unwrap().len(), 1);
    let (status, _) = post(
        &server,
        "/v1/stats/write/",
        form(&format!("old rtt=1 {old}")),
    )
    .await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn where_clients_need_a_token_writing_needs_one_and_without_a_store_there_is_no_api() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &["--jwt-secret", "secret"]);
    for target in ["/v1/stats/write/", "/v1/stats/write/?rtcstats-token=a.b.c"] {
        let (status, body) = post(&server, target, form("c rtt=1")).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{body}");
    }
    assert_eq!(
        found(&server, "/v1/stats/", &[("type", "rtt")]).await,
        json!({})
    );
    drop(server);
    let server = Server::start(data.path(), &["--scope-store", "none"]);
    for target in ["/v1/stats/?type=rtt", "/v1/series/"] {
        assert_eq!(get(&server, target, &[]).await.0, StatusCode::NOT_FOUND);
    }
    for target in ["/dashboard", "/dashboard/", "/graph/rtt/"] {
        let (status, body) = server.request("GET", target, &[]).await;
        assert_eq!(status, 404);
        assert!(body.contains("--scope-store"), "{target}: {body}");
    }
    drop(server);
    for store in ["sqlight", "http://host/a/b"] {
        let output = server::refusal(data.path(), &["--scope-store", store]);
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && text.contains("--scope-store"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn the_board_for_grafana_shows_what_is_in_influxdb() {
    let board = Path::new(env!("CARGO_MANIFEST_DIR")).join("axum/deploy/grafana-dashboard.json");
    let board: Value = serde_json::from_str(&std::fs::read_to_string(board).unwrap()).unwrap();
    let mut queries = Vec::new();
    for panel in board["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            queries.push((
                panel["title"].as_str().unwrap(),
                target["query"].as_str().unwrap(),
            ));
        }
    }
    for variable in board["templating"]["list"].as_array().unwrap() {
        if variable["type"] == "query" {
            queries.push(("a variable", variable["query"].as_str().unwrap()));
        }
    }
    assert!(queries.len() > 10);
    let Some(influx) = Influx::start().await else {
        return;
    };
    let data = tempfile::tempdir().unwrap();
    let url = influx.url();
    let store = format!("{url}/rtcstats");
    let server = Server::start(
        data.path(),
        &[
            "--scope-store",
            &store,
            "--influxdb",
            &url,
            "--influxdb-bucket",
            "rtcstats",
        ],
    );
    let (client, _) = call(&server, "s").await;
    client.leave().await;
    server.finished("", 1).await;
    let until = tokio::time::Instant::now() + PATIENCE;
    for (title, query) in queries {
        let plain = query
            .replace("$timeFilter", "time > now() - 1h")
            .replace("$__interval", "10s")
            .replace("/^$call$/", "/.*/");
        assert!(!plain.contains('$'), "{title}: {plain}");
        while influx.query("rtcstats", &plain).await.is_empty() {
            assert!(
                tokio::time::Instant::now() < until,
                "nothing is found for {title}: {plain}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
