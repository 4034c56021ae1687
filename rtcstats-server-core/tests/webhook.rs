//! Events of sessions, sent to a web server.

#![cfg(all(feature = "webhook", feature = "testing"))]
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::collections::HashMap;
use std::fs;
use std::future::ready;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use rtcstats_server_core::testing::{self, block_on};
use rtcstats_server_core::{
    ArchiveError, BoxFuture, DumpLinks, DumpName, Erasure, FeatureSink, RecordPart, SessionRecord,
    SinkError, WebhookEvents, WebhookKey, WebhookOptions, WebhookSecret, WebhookSink,
};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZg==";
const NOW_MS: u64 = 1_700_000_000_000;

/// A web server that answers as it is told, and keeps what it was sent.
struct Receiver {
    url: String,
    requests: Arc<Mutex<Vec<Request>>>,
    answer: Arc<Mutex<Answers>>,
}

type Answers = Box<dyn FnMut(&Request) -> Answer + Send>;

#[derive(Clone)]
struct Request {
    headers: HashMap<String, String>,
    body: Vec<u8>,
    came: Instant,
}

/// How a request is answered.
#[derive(Clone, Copy)]
enum Answer {
    Status(u16, &'static str),
    /// The connection is cut.
    Cut,
}

const FINE: Answer = Answer::Status(204, "");

impl Receiver {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let receiver = Self {
            url: format!("http://{}/hook?secret=1", listener.local_addr().unwrap()),
            requests: Arc::default(),
            answer: Arc::new(Mutex::new(Box::new(|_| FINE))),
        };
        let (requests, answer) = (Arc::clone(&receiver.requests), Arc::clone(&receiver.answer));
        thread::spawn(move || {
            for socket in listener.incoming() {
                let (requests, answer) = (Arc::clone(&requests), Arc::clone(&answer));
                thread::spawn(move || serve(socket.unwrap(), &requests, &answer));
            }
        });
        receiver
    }

    fn answers(&self, answer: impl FnMut(&Request) -> Answer + Send + 'static) {
        *self.answer.lock().unwrap() = Box::new(answer);
    }

    fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    fn bodies(&self) -> Vec<Value> {
        let requests = self.requests().into_iter();
        requests
            .map(|request| serde_json::from_slice(&request.body).unwrap())
            .collect()
    }
}

fn serve(socket: TcpStream, requests: &Mutex<Vec<Request>>, answer: &Mutex<Answers>) {
    let mut input = BufReader::new(socket.try_clone().unwrap());
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        // A sender that is dropped may not come to send.
        if !matches!(input.read_line(&mut line), Ok(1..)) {
            return;
        }
        if let Some((name, value)) = line.trim_end().split_once(": ") {
            headers.insert(name.to_lowercase(), value.to_owned());
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; headers["content-length"].parse().unwrap()];
    input.read_exact(&mut body).unwrap();
    let came = Instant::now();
    let request = Request {
        headers,
        body,
        came,
    };
    let answer = (answer.lock().unwrap())(&request);
    requests.lock().unwrap().push(request);
    let mut socket = socket;
    match answer {
        Answer::Status(status, headers) => {
            let text = format!(
                "HTTP/1.1 {status} x\r\n{headers}content-length: 0\r\nconnection: close\r\n\r\n"
            );
            let _ = socket.write_all(text.as_bytes());
        }
        Answer::Cut => socket.shutdown(Shutdown::Both).unwrap(),
    }
}

fn runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}

fn finished(parts: Option<&[&str]>) -> WebhookEvents {
    WebhookEvents::Finished {
        secret: WebhookSecret::parse(SECRET).unwrap(),
        parts: parts.map(|parts| parts.iter().map(|&part| part.to_owned()).collect()),
    }
}

fn quick() -> WebhookOptions {
    WebhookOptions {
        first_pause: Duration::from_millis(5),
        longest_pause: Duration::from_millis(20),
        clock: Arc::new(|| NOW_MS as f64),
        ..WebhookOptions::default()
    }
}

/// What a test needs. The directory is kept when the sink is opened again.
struct World {
    runtime: Runtime,
    receiver: Receiver,
    outbox: TempDir,
}

impl World {
    fn new() -> Self {
        Self {
            runtime: runtime(),
            receiver: Receiver::start(),
            outbox: tempfile::tempdir().unwrap(),
        }
    }

    fn open(&self, events: WebhookEvents, options: WebhookOptions) -> WebhookSink {
        let _context = self.runtime.enter();
        WebhookSink::open(&self.receiver.url, events, self.outbox.path(), options).unwrap()
    }

    fn dead(&self, extension: &str) -> Vec<String> {
        let entries = fs::read_dir(self.outbox.path().join("dead")).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths
            .filter(|path| path.extension().unwrap() == extension)
            .map(|path| fs::read_to_string(path).unwrap())
            .collect()
    }
}

fn record(session: &str, parts: &[(&str, Value)]) -> SessionRecord {
    let parts = parts.iter().map(|(part, json)| RecordPart {
        part: (*part).to_owned(),
        json: RawValue::from_string(json.to_string()).unwrap(),
    });
    SessionRecord {
        name: session.parse().unwrap(),
        parts: parts.collect(),
    }
}

fn publish(sink: &WebhookSink, session: &str) {
    let record = record(
        session,
        &[("session", json!({"events": 7})), ("pc/0", json!(1))],
    );
    block_on(sink.publish(&record)).unwrap();
}

#[track_caller]
fn wait_until(mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "it does not happen");
        thread::sleep(Duration::from_millis(2));
    }
}

#[track_caller]
fn wait_until_empty(sink: &WebhookSink) {
    wait_until(|| sink.counters().pending == 0);
}

/// A sink with its receiver, and the outbox that goes with it.
struct Observed {
    sink: WebhookSink,
    receiver: Receiver,
    _outbox: TempDir,
}

impl FeatureSink for Observed {
    fn publish(&self, record: &SessionRecord) -> BoxFuture<'_, Result<(), SinkError>> {
        self.sink.publish(record)
    }

    fn name(&self) -> &str {
        self.sink.name()
    }
}

#[test]
fn webhook_sink_keeps_the_contract() {
    let runtime = runtime();
    let make = || {
        let (receiver, outbox) = (Receiver::start(), tempfile::tempdir().unwrap());
        let _context = runtime.enter();
        let events = finished(None);
        let sink = WebhookSink::open(&receiver.url, events, outbox.path(), quick()).unwrap();
        Observed {
            sink,
            receiver,
            _outbox: outbox,
        }
    };
    testing::sink_contract(make, |observed| {
        wait_until_empty(&observed.sink);
        #[derive(serde::Deserialize)]
        struct Event {
            session: String,
            parts: HashMap<String, Box<RawValue>>,
        }
        let mut stored = Vec::new();
        for request in observed.receiver.requests() {
            let event: Event = serde_json::from_slice(&request.body).unwrap();
            let session: DumpName = event.session.parse().unwrap();
            for (part, json) in event.parts {
                stored.push((session.clone(), part, json.get().to_owned()));
            }
        }
        stored
    });
}

#[test]
fn an_event_is_signed_and_says_what_it_is_about() {
    let world = World::new();
    let sink = world.open(finished(Some(&["pc"])), quick());
    publish(&sink, "a");
    wait_until_empty(&sink);
    let [request] = world.receiver.requests().try_into().ok().unwrap();
    let header = |name: &str| request.headers[name].as_str();
    let id = header("webhook-id");
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let expected = json!({
        "type": "session.finished", "id": id, "created": NOW_MS, "session": "a",
        "parts": { "pc/0": 1 },
    });
    assert_eq!(body, expected);
    assert_eq!(header("content-type"), "application/json");
    let (timestamp, signature) = (header("webhook-timestamp"), header("webhook-signature"));
    assert_eq!(timestamp, "1700000000");
    let secret = WebhookSecret::parse(SECRET).unwrap();
    assert!(secret.verify(id, timestamp, &request.body, signature));
    let other = WebhookSecret::parse("whsec_b3RoZXIgb3RoZXIgb3RoZXI=").unwrap();
    assert!(!other.verify(id, timestamp, &request.body, signature));
}

#[test]
fn a_session_without_a_chosen_part_is_passed_over() {
    let world = World::new();
    let sink = world.open(finished(Some(&["meeting"])), quick());
    publish(&sink, "a");
    assert_eq!(sink.counters().pending, 0);
    assert!(world.receiver.requests().is_empty());
}

#[test]
fn an_event_is_sent_again_with_its_id_until_it_is_taken() {
    let world = World::new();
    let mut answers = vec![
        Answer::Status(200, ""),
        Answer::Status(302, "location: /\r\n"),
        Answer::Status(401, ""),
        Answer::Cut,
        Answer::Status(500, ""),
    ];
    world.receiver.answers(move |_| answers.pop().unwrap());
    let sink = world.open(finished(None), quick());
    publish(&sink, "a");
    wait_until_empty(&sink);
    let ids = world.receiver.requests().into_iter();
    let ids: Vec<String> = ids
        .map(|request| request.headers["webhook-id"].clone())
        .collect();
    assert_eq!(ids.len(), 5);
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let counters = sink.counters();
    assert_eq!((counters.delivered, counters.failures), (1, 4));
    let text = counters.to_prometheus();
    assert!(text.contains("rtcstats_upload_webhook_count 1\n"), "{text}");
    assert!(text.contains("rtcstats_upload_webhook_error 4\n"), "{text}");
}

#[test]
fn a_restart_delivers_what_waits_and_nothing_twice() {
    let world = World::new();
    world.receiver.answers(|_| Answer::Status(503, ""));
    // So long that nothing is on its way when the sink is dropped.
    let patient = WebhookOptions {
        first_pause: Duration::from_secs(60),
        longest_pause: Duration::from_secs(60),
        at_once: 1,
        ..quick()
    };
    let sink = world.open(finished(None), patient);
    for session in ["a", "b", "c"] {
        publish(&sink, session);
    }
    wait_until(|| sink.counters().failures == 1);
    drop(sink);
    world.receiver.answers(|_| FINE);
    world.receiver.requests.lock().unwrap().clear();
    let sent = |sessions: &[&str]| {
        let bodies = world.receiver.bodies().into_iter();
        let mut seen: Vec<String> = bodies
            .map(|body| body["session"].as_str().unwrap().to_owned())
            .collect();
        seen.sort();
        assert_eq!(seen, sessions);
    };
    let sink = world.open(finished(None), quick());
    wait_until_empty(&sink);
    sent(&["a", "b", "c"]);
    drop(sink);
    let sink = world.open(finished(None), quick());
    publish(&sink, "a");
    publish(&sink, "d");
    wait_until_empty(&sink);
    sent(&["a", "b", "c", "d"]);
}

#[test]
fn a_full_outbox_refuses_until_there_is_room() {
    let world = World::new();
    world.receiver.answers(|_| Answer::Status(503, ""));
    let options = WebhookOptions {
        entries: 2,
        ..quick()
    };
    let sink = world.open(finished(None), options);
    publish(&sink, "a");
    publish(&sink, "b");
    publish(&sink, "b");
    let c = record("c", &[("session", json!(1))]);
    let error = block_on(sink.publish(&c)).unwrap_err();
    assert_eq!(error.session(), Some(&c.name));
    world.receiver.answers(|_| FINE);
    wait_until_empty(&sink);
    block_on(sink.publish(&c)).unwrap();
    wait_until_empty(&sink);
}

#[test]
fn a_server_that_asks_for_time_gets_it() {
    let world = World::new();
    let mut answers = vec![FINE, FINE, Answer::Status(429, "retry-after: 1\r\n")];
    world.receiver.answers(move |_| answers.pop().unwrap());
    let options = WebhookOptions {
        at_once: 1,
        ..quick()
    };
    let sink = world.open(finished(None), options);
    publish(&sink, "a");
    wait_until(|| world.receiver.requests().len() == 1);
    publish(&sink, "b");
    wait_until_empty(&sink);
    let requests = world.receiver.requests();
    let pause = requests[1].came - requests[0].came;
    assert!(pause >= Duration::from_secs(1), "{pause:?}");
}

#[test]
fn an_event_that_is_not_taken_holds_up_no_other() {
    let world = World::new();
    world.receiver.answers(|request| {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        if body["session"] == "bad" {
            Answer::Status(400, "")
        } else {
            FINE
        }
    });
    let options = WebhookOptions {
        first_pause: Duration::from_secs(60),
        longest_pause: Duration::from_secs(60),
        ..quick()
    };
    let sink = world.open(finished(None), options);
    publish(&sink, "bad");
    wait_until(|| sink.counters().failures == 1);
    for number in 0..20 {
        publish(&sink, &format!("s{number}"));
    }
    wait_until(|| sink.counters().delivered == 20);
    assert_eq!(sink.counters().pending, 1);
}

#[test]
fn an_event_is_given_up_when_it_is_too_old_or_unwanted() {
    let world = World::new();
    world.receiver.answers(|_| Answer::Status(503, ""));
    let time = Arc::new(AtomicU64::new(NOW_MS));
    let clock = Arc::clone(&time);
    let options = WebhookOptions {
        give_up_after: Duration::from_secs(3_600),
        clock: Arc::new(move || clock.load(Ordering::Relaxed) as f64),
        ..quick()
    };
    let sink = world.open(finished(None), options);
    publish(&sink, "old");
    wait_until(|| sink.counters().failures > 2);
    assert_eq!(world.dead("json").len(), 0);
    time.fetch_add(3_600_000, Ordering::Relaxed);
    wait_until_empty(&sink);
    wait_until(|| world.dead("json").len() == 1);
    let reasons = world.dead("reason");
    assert!(
        reasons[0].starts_with("too old; at last: status 503"),
        "{reasons:?}"
    );
    world.receiver.answers(|_| Answer::Status(410, ""));
    publish(&sink, "unwanted");
    wait_until(|| world.dead("json").len() == 2);
    assert_eq!(sink.counters().given_up, 2);
    let sessions = ["old", "unwanted"].map(|session| session.parse().unwrap());
    assert_eq!(block_on(sink.erase(&sessions)).unwrap(), Erasure::HandedOn);
    assert_eq!(world.dead("json").len() + world.dead("reason").len(), 0);
}

#[test]
fn what_cannot_work_is_said_at_once() {
    let world = World::new();
    let context = world.runtime.enter();
    let open = |url: &str, path: &Path| WebhookSink::open(url, finished(None), path, quick());
    for url in ["nonsense", "ftp://host/"] {
        assert!(open(url, world.outbox.path()).is_err(), "{url}");
    }
    let sink = open("http://127.0.0.1:1/", world.outbox.path()).unwrap();
    assert!(
        open("http://127.0.0.1:1/", world.outbox.path()).is_err(),
        "shared"
    );
    drop(sink);
    drop(context);
    assert!(
        open("http://127.0.0.1:1/", world.outbox.path()).is_err(),
        "no runtime"
    );
    for document in ["{", r#"{"auth":{}}"#, &document("AAAA"), &document("***")] {
        WebhookKey::from_document(document, "a", "i", WebhookKey::LIFETIME).unwrap_err();
    }
}

/// Made for these tests.
const PRIVATE_KEY: &str = "MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQCjxY5zOiiRYGrP9Wm5fYJITGCTJQtL3RIaqrKfhYE12RE4\
    esX83PVfMWWXELaZMOeF6yfiXi4aVH5RyoVs2wWiHpvDM2PzeRq6vKYCZHCmjFeh6xiuPZCAAURVjEHk/C3xXdDTVz8CT8wh\
    sk8PhY5IKFEOqRYfKCusHnnY/eTEgpLAhe3Gf0NJp1MD9K+rt7ZV7RmKN50jev5JMh4Ue/7rmcyYGUqzow55p4bBqmuYZTSm\
    vNopKH7gEr2nKwCN/4Kk7LKBB4poEhIhHbA51HGB2guBCdHhY+bbYBIaXHtcrHEounGv1PnAYGbT1XwdwlIa/PuniaOVP2bC\
    CVNxbwAVAgMBAAECggEACLuySAiZs+0xYqu0zPNZgbOeGw82bza3qcnzNPQSzTMW4aQUHXd9hVkT6/6PqsDoOOAKJDnoMC5B\
    tei34bypGb4BG/W/GM6/qhO3+SFmdLxSJf6jWqWTqGxfurRp8tv4oKV1uPdl3EUyp90RGzrcFEmxhgDUI2FX7/4anygkloWz\
    A4B2EVYbWPdsOTZns18vBvP9wsuUtLVEo8PcGFmfrlRXJw9cloCnBdkj67EHIECZ/I5A+Xe6NGNBz38YKha0Dw7BmvrcU+Lv\
    IZo4ZGo8l7CjFCLyvnb0qLlTCa5DtJgiv5q+qhEaXc9Q/pn0G0H94nmaQdbOKCVzng4azHkk1wKBgQDRKQMQG36ngYHCTsah\
    jz9CrXREvPw5li0PEI79UpCCztXBS43OubzIOG3M2OYxNqEEyFMb0Ggj0HoNc1OoX+IJ2EB/3kGcZDbjrtv6KAfuvoZyxAlE\
    EKr8Wpl7uu3opLec4F7wwA9eTgKLc9ixQW+cNhO7nhm1zgELD8+WXSRjtwKBgQDIcnU/E5lB5shsAlC3A+cnRbzIcA/TJVnu\
    yi2xv+piPf0+qplwPAHs2cbI3BerkoO74OLSVrYym1/fQOnFcBE6XU0i2+AlqcoUvh631ABaCk59vZdo1FbCf+CCiBXnmhDD\
    9L2kQgOpabGdLfh7QxlRT6lAtKS6ZUQu7voelnAykwKBgECWBnEZ3GFDF1t10dYfkqw3PXjgVo49tko5lb3ZmfAaiFz4xKA6\
    MHYvHpCrxWEa+lustCUZlJ7CiH3Qx9ttSDI8CaaybdYqB90EqL61T8XEJWYY7LeM4g+stkpDraUx/9S8X/S9icFYG2cObbJG\
    f31gIXXE2zGNnDrbNgG7Xzo/AoGAam2DXUtdq0ULE3YjPxk+aXa4psABVv3VA1mr613X5/O7+8L/Fz11VDnJNyrNEpcHhQEB\
    zeamdLZUsCg6N0+qhg+1/hU6rSS6nErZ6ocQ7L3eMRsyQkHEEx9sqEHzR3ZhAnp3GrjGUvRAjxEyhtf4oFioqCeB80oDatwO\
    R6FezysCgYBCdzncgBxz+BggXQ8EHkASuiOLGdgn0xXbdk1nNBMDZOKUziFqiUF5EwiYKqDnXbGlP62Te6OEKIVpUMgw8AWJ\
    11fdjl1rLdnzRJZAoXmafE7zAdxYIgMFqVglHtSTVS5W7IEdnNMU0d13B06t8XaTpN3gETjhSYK6qgB7uZ81EA==";
/// The modulus of its public key.
const MODULUS: &str = "o8WOczookWBqz_VpuX2CSExgkyULS90SGqqyn4WBNdkROHrF_Nz1XzFllxC2mTDnhesn4l4uGlR-UcqFbNsFoh6bwzNj83ka\
    urymAmRwpoxXoesYrj2QgAFEVYxB5Pwt8V3Q01c_Ak_MIbJPD4WOSChRDqkWHygrrB552P3kxIKSwIXtxn9DSadTA_Svq7e2\
    Ve0ZijedI3r-STIeFHv-65nMmBlKs6MOeaeGwaprmGU0przaKSh-4BK9pysAjf-CpOyygQeKaBISIR2wOdRxgdoLgQnR4WPm\
    22ASGlx7XKxxKLpxr9T5wGBm09V8HcJSGvz7p4mjlT9mwglTcW8AFQ";

fn document(private_key: &str) -> String {
    json!({"auth": {"jwt": {"meetings": {"privateKey": private_key, "kid": "key-1"}}}}).to_string()
}

fn features(is_tenant: bool) -> Value {
    json!({
        "dumpMetadata": {
            "clientId": "a", "isJaaSTenant": is_tenant, "jaasClientId": "tenant-1",
            "jaasMeetingFqn": "vpaas-magic-cookie-tenant-1/room", "sessionId": "meeting-1",
            "userId": "Ann", "endpointId": "e1",
        },
        "features": { "sessionStartTime": 1 },
    })
}

/// A store whose dumps are there at some time.
struct Links(AtomicBool);

impl DumpLinks for Links {
    fn link(&self, name: &DumpName) -> BoxFuture<'_, Result<Option<String>, ArchiveError>> {
        let is_there = self.0.load(Ordering::Relaxed);
        Box::pin(ready(Ok(
            is_there.then(|| format!("https://store/{name}.gz"))
        )))
    }
}

#[test]
fn an_uploaded_dump_of_a_tenant_is_announced_as_the_spec_says() {
    let world = World::new();
    let lifetime = Duration::from_secs(1_000);
    let key = WebhookKey::from_document(&document(PRIVATE_KEY), "audience-1", "issuer-1", lifetime);
    let time = Arc::new(AtomicU64::new(NOW_MS));
    let clock = Arc::clone(&time);
    let links = Arc::new(Links(AtomicBool::new(false)));
    let options = WebhookOptions {
        links: Some(Arc::clone(&links) as Arc<dyn DumpLinks>),
        clock: Arc::new(move || clock.load(Ordering::Relaxed) as f64),
        ..quick()
    };
    let sink = world.open(WebhookEvents::Uploaded(key.unwrap()), options);
    let publish = |session: &str, is_tenant| {
        let record = record(
            session,
            &[("features", features(is_tenant)), ("session", json!(1))],
        );
        block_on(sink.publish(&record)).unwrap();
    };
    publish("other", false);
    assert_eq!(sink.counters().pending, 0);
    publish("a", true);
    time.fetch_add(5_000, Ordering::Relaxed);
    links.0.store(true, Ordering::Relaxed);
    wait_until_empty(&sink);
    let [request] = world.receiver.requests().try_into().ok().unwrap();
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let expected = json!({
        "eventType": "RTCSTATS_UPLOADED",
        "idempotencyKey": body["idempotencyKey"],
        "customerId": "tenant-1",
        "sessionId": "meeting-1",
        "created": NOW_MS,
        "submitted": NOW_MS + 5_000,
        "meetingFqn": "vpaas-magic-cookie-tenant-1/room",
        "data": {
            "statsUrl": "https://store/a.gz", "participantName": "Ann", "endpointId": "e1",
        },
    });
    assert_eq!(body, expected);
    let id: uuid::Uuid = body["idempotencyKey"].as_str().unwrap().parse().unwrap();
    assert_eq!(id.get_version_num(), 5);
    let token = claims(&request);
    let issued = NOW_MS / 1000 + 5;
    let expected = json!({
        "aud": "audience-1", "iss": "issuer-1", "sub": "*", "scd": "any",
        "iat": issued, "exp": issued + 1_000,
    });
    assert_eq!(token, expected);

    // Just before, and when nine tenths of its lifetime have passed.
    for (session, later) in [("b", 899_999), ("c", 1)] {
        time.fetch_add(later, Ordering::Relaxed);
        publish(session, true);
        wait_until_empty(&sink);
    }
    let tokens = world.receiver.requests().into_iter();
    let tokens: Vec<String> = tokens
        .map(|request| request.headers["authorization"].clone())
        .collect();
    assert_eq!(tokens[0], tokens[1]);
    assert_ne!(tokens[0], tokens[2]);
}

fn claims(request: &Request) -> Value {
    let token = request.headers["authorization"]
        .strip_prefix("Bearer ")
        .unwrap();
    assert_eq!(
        jsonwebtoken::decode_header(token).unwrap().kid.as_deref(),
        Some("key-1")
    );
    let key = DecodingKey::from_rsa_components(MODULUS, "AQAB").unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_exp = false;
    validation.validate_aud = false;
    jsonwebtoken::decode::<Value>(token, &key, &validation)
        .unwrap()
        .claims
}

#[test]
fn an_event_is_sent_although_nobody_waits_for_it_to_be_put_in() {
    let world = World::new();
    let sink = world.open(finished(None), quick());
    let record = record("s", &[("session", json!({"events": 7}))]);
    let waker = std::task::Waker::noop();
    let mut publishing = sink.publish(&record);
    // Whether it is there already or not, it is left.
    let _ = publishing
        .as_mut()
        .poll(&mut std::task::Context::from_waker(waker));
    drop(publishing);
    publish(&sink, "later");
    wait_until(|| world.receiver.requests().len() == 2);
    wait_until_empty(&sink);
}
