//! The tokio driver with clients whose session is their socket, and with uploads.

#![cfg(feature = "tokio")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use flate2::read::MultiGzDecoder;
use rtcstats_server_core::{
    Archive, ArchivedDump, AuthorizationError, Authorizer, BoxFuture, Claims, DirectoryArchive,
    DirectoryArchiveOptions, DumpName, FeatureSink, Journal, MemoryJournal, MemorySink,
    Obfuscation, Runtime, RuntimeOptions, SessionRecord, SinkError, Socket, Upgrade, UploadError,
};
use serde_json::Value;
use tempfile::TempDir;

/// A sink that can be out of order.
#[derive(Default)]
struct FaultySink {
    inner: MemorySink,
    failures: AtomicUsize,
}

impl FeatureSink for FaultySink {
    fn publish(&self, record: &SessionRecord) -> BoxFuture<'_, Result<(), SinkError>> {
        let left = self.failures.load(Ordering::SeqCst);
        if left > 0 {
            self.failures.store(left - 1, Ordering::SeqCst);
            let error = SinkError::new("faulty", Some(record.name.clone()), "out of order");
            return Box::pin(async { Err(error) });
        }
        self.inner.publish(record)
    }

    fn name(&self) -> &str {
        "faulty"
    }
}

/// Lets in who says `open`.
#[derive(Debug)]
struct Password;

impl Authorizer for Password {
    fn authorize(&self, token: Option<&str>, _: f64) -> Result<Claims, AuthorizationError> {
        match token {
            Some("open") => {
                let mut claims = Claims::default();
                claims.user = Some("somebody".to_owned());
                Ok(claims)
            }
            Some(_) => Err(AuthorizationError::Invalid),
            None => Err(AuthorizationError::Missing),
        }
    }
}

struct Setup {
    journal: Arc<MemoryJournal>,
    sink: Arc<FaultySink>,
    archive: Arc<DirectoryArchive>,
    runtime: Runtime,
    _directory: TempDir,
}

async fn setup(adjust: impl FnOnce(&mut RuntimeOptions)) -> Setup {
    let journal = Arc::new(MemoryJournal::new(64 << 20));
    setup_with(journal, adjust).await
}

async fn setup_with(
    journal: Arc<MemoryJournal>,
    adjust: impl FnOnce(&mut RuntimeOptions),
) -> Setup {
    let directory = tempfile::tempdir().unwrap();
    let archive =
        DirectoryArchive::open(directory.path(), DirectoryArchiveOptions::default()).unwrap();
    let archive = Arc::new(archive);
    let sink = Arc::new(FaultySink::default());
    let mut options = RuntimeOptions::new(
        Arc::clone(&journal) as Arc<dyn Journal>,
        Arc::clone(&archive) as Arc<dyn Archive>,
    );
    options
        .sinks
        .push(Arc::clone(&sink) as Arc<dyn FeatureSink>);
    adjust(&mut options);
    let (runtime, _) = Runtime::start(options).await.unwrap();
    Setup {
        journal,
        sink,
        archive,
        runtime,
        _directory: directory,
    }
}

impl Setup {
    /// The only dump, once it is archived.
    async fn dump(&self) -> (DumpName, Vec<String>) {
        for _ in 0..1_000 {
            let dumps = self.archive.list().await.unwrap();
            let is_done = self.journal.list().await.unwrap().is_empty();
            if let ([ArchivedDump { name, .. }], true) = (dumps.as_slice(), is_done) {
                let archived = self.archive.open(name).await.unwrap().unwrap();
                let mut text = String::new();
                MultiGzDecoder::new(archived)
                    .read_to_string(&mut text)
                    .unwrap();
                return (name.clone(), text.lines().map(str::to_owned).collect());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no dump")
    }

    fn session_part(&self, name: &DumpName) -> Value {
        let parts = self.sink.inner.parts();
        let part = &parts[&(name.clone(), "session".to_owned())];
        serde_json::from_str(part.get()).unwrap()
    }
}

fn request(subprotocol: &str, target: &str) -> Upgrade {
    Upgrade {
        target: target.to_owned(),
        subprotocols: subprotocol.to_owned(),
        peer_address: "192.0.2.7".to_owned(),
        ..Upgrade::default()
    }
}

async fn connect(runtime: &Runtime, subprotocol: &str) -> Socket {
    let request = request(subprotocol, "/room?rtcstats-token=open");
    let handshake = runtime.handshake(&request).unwrap();
    assert_eq!(handshake.subprotocol(), Some(subprotocol));
    runtime.connect(&handshake).await.unwrap()
}

const CANDIDATE: &str =
    r#"["onicecandidate","PC_0",{"candidate":"candidate:1 1 udp 5 198.51.100.9 9 typ host"},5]"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_each_generation_becomes_a_dump_and_a_record() {
    for (subprotocol, first, last) in [
        ("rtcstats#5.0", "RTCStatsDump", "[\"close\",null,1000,"),
        ("2.0", "{\"path\"", "[\"close\",null,null,"),
    ] {
        let setup = setup(|_| {}).await;
        let mut socket = connect(&setup.runtime, subprotocol).await;
        let identity = r#"["identity",null,{"user":"u","conference":"c"},1700000000000]"#;
        socket.receive(identity.as_bytes()).await;
        assert_eq!(setup.runtime.sessions()[0].facts.events, 1);
        socket.disconnected(Some(1000));
        let (name, dump) = setup.dump().await;
        assert!(dump[0].starts_with(first), "{}", dump[0]);
        assert_eq!(dump[2], identity);
        assert!(dump[3].starts_with(last), "{}", dump[3]);
        assert!(!dump.concat().contains("open"), "the token is hidden");
        let session = setup.session_part(&name);
        assert_eq!(
            (&session["user"], &session["conference"]),
            (&"u".into(), &"c".into())
        );
        assert_eq!(session["events"], 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_are_masked_where_they_should_be() {
    for (obfuscation, in_journal) in [
        (Obfuscation::BeforeJournal, false),
        (Obfuscation::BeforeArchive, true),
    ] {
        let setup = setup(|options| options.privacy.obfuscation = obfuscation).await;
        for subprotocol in ["rtcstats#5.0", "2.0"] {
            let mut socket = connect(&setup.runtime, subprotocol).await;
            socket.receive(CANDIDATE.as_bytes()).await;
            let name = setup.runtime.sessions()[0].name.clone();
            let mut journal = String::new();
            while !journal.contains("onicecandidate") {
                tokio::time::sleep(Duration::from_millis(10)).await;
                if let Ok(mut log) = setup.journal.read(&name).await {
                    journal.clear();
                    log.read_to_string(&mut journal).unwrap();
                }
            }
            assert_eq!(journal.contains("198.51.100.9"), in_journal, "{journal}");
            assert!(!journal.contains("192.0.2.7"), "{journal}");
            let mut shown = String::new();
            let mut open = setup.runtime.open_dump(&name).await.unwrap();
            open.read_to_string(&mut shown).unwrap();
            assert!(
                shown.contains("198.51.100.x") && !shown.contains("198.51.100.9"),
                "{shown}"
            );
            socket.disconnected(None);
            let (name, dump) = setup.dump().await;
            let dump = dump.concat();
            assert!(
                dump.contains("198.51.100.x") && !dump.contains("198.51.100.9"),
                "{dump}"
            );
            std::fs::remove_file(setup._directory.path().join(format!("{name}.gz"))).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_completes_what_was_cut_off() {
    let first = setup(|_| {}).await;
    let mut socket = connect(&first.runtime, "rtcstats#5.0").await;
    socket.receive(b"[1,null,2,3]").await;
    let log = loop {
        let entries = first.journal.list().await.unwrap();
        if let [entry] = entries.as_slice() {
            break entry.name.clone();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    // The first runtime is left as a killed process leaves its journal.
    let second = setup_with(Arc::clone(&first.journal), |_| {}).await;
    let (name, dump) = second.dump().await;
    assert_eq!(name, log);
    assert_eq!(dump[2..], ["[1,null,2,3]", "[\"close\",null,1006,0]"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_ends_sessions_that_cannot_be_resumed() {
    let setup = setup(|_| {}).await;
    let mut socket = connect(&setup.runtime, "rtcstats#5.0").await;
    socket.receive(b"[1,null,2,3]").await;
    setup
        .runtime
        .shutdown(Duration::from_secs(10))
        .await
        .unwrap();
    let dumps = setup.archive.list().await.unwrap();
    let archived = setup.archive.open(&dumps[0].name).await.unwrap().unwrap();
    let mut text = String::new();
    MultiGzDecoder::new(archived)
        .read_to_string(&mut text)
        .unwrap();
    assert!(text.contains("[\"close\",null,1001,"), "{text}");
}

const FORM: &str = "multipart/form-data; boundary=x";

fn form(events: &str) -> String {
    format!("--x\r\n\r\nRTCStatsDump\n{{\"startTime\":5,\"fileFormat\":3}}\n{events}\r\n--x--\r\n")
}

async fn upload(runtime: &Runtime, body: &str, target: &str) -> Result<String, UploadError> {
    let mut upload = runtime.upload(&request("", target), Some(FORM))?;
    for chunk in body.as_bytes().chunks(1_000) {
        upload.receive(chunk).await?;
    }
    Ok(upload.finish().await?.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_published_before_it_is_answered() {
    let setup = setup(|options| {
        options.privacy.obfuscation = Obfuscation::BeforeJournal;
        options.authorizer = Some(Arc::new(Password));
    })
    .await;
    let body = form(&[CANDIDATE; 2_000].join("\n"));
    let id = upload(&setup.runtime, &body, "/?rtcstats-token=open").await;
    let id: DumpName = id.unwrap().parse().unwrap();
    let session = setup.session_part(&id);
    assert_eq!(session["events"], 2_000);
    assert_eq!(
        (&session["user"], &session["startedMs"]),
        (&"somebody".into(), &5.into())
    );
    let (name, dump) = setup.dump().await;
    assert_eq!((name, dump.len()), (id, 2_002));
    assert_eq!(dump[1], "{\"startTime\":5,\"fileFormat\":3}");
    assert!(dump[2].contains("198.51.100.x"));
    let (counters, _) = setup.runtime.metrics().await;
    assert_eq!((counters.uploads, counters.events), (1, 2_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_upload_leaves_nothing() {
    let setup = setup(|options| options.limits.upload_bytes = 200_000).await;
    let large = form(&[CANDIDATE; 10_000].join("\n"));
    let error = upload(&setup.runtime, &large, "/").await.unwrap_err();
    assert_eq!(error.status(), 413);
    let cut = &form(&[CANDIDATE; 1_500].join("\n"));
    let cut = &cut[..cut.len() - 10];
    let error = upload(&setup.runtime, cut, "/").await.unwrap_err();
    assert!(matches!(error, UploadError::Incomplete));
    // A client that goes away.
    let mut gone = setup.runtime.upload(&request("", "/"), Some(FORM)).unwrap();
    gone.receive(&large.as_bytes()[..150_000]).await.unwrap();
    drop(gone);
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        if setup.journal.list().await.unwrap().is_empty() {
            break;
        }
    }
    assert!(setup.journal.list().await.unwrap().is_empty());
    assert!(setup.archive.list().await.unwrap().is_empty());
    assert!(setup.sink.inner.parts().is_empty());
    let (counters, _) = setup.runtime.metrics().await;
    assert_eq!(counters.refused_uploads, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_cannot_be_published_is_not_kept() {
    let setup = setup(|_| {}).await;
    setup.sink.failures.store(usize::MAX, Ordering::SeqCst);
    let error = upload(&setup.runtime, &form("[1]"), "/").await.unwrap_err();
    assert_eq!(error.status(), 500);
    assert!(setup.journal.list().await.unwrap().is_empty());
    assert!(setup.archive.list().await.unwrap().is_empty());
    setup.sink.failures.store(1, Ordering::SeqCst);
    upload(&setup.runtime, &form("[1]"), "/").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_forgets_uploads_that_were_not_answered() {
    let setup = setup(|_| {}).await;
    let mut upload = setup.runtime.upload(&request("", "/"), Some(FORM)).unwrap();
    let body = form(&[CANDIDATE; 1_500].join("\n"));
    upload.receive(body.as_bytes()).await.unwrap();
    while setup.journal.list().await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let second = setup_with(Arc::clone(&setup.journal), |_| {}).await;
    assert!(second.journal.list().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_asked_of_every_client() {
    let setup = setup(|options| options.authorizer = Some(Arc::new(Password))).await;
    for subprotocol in ["3.1_STANDARD", "2.0", "rtcstats#5.0"] {
        for (target, is_admitted) in [
            ("/?rtcstats-token=open", true),
            ("/?rtcstats-token=other", false),
            ("/", false),
        ] {
            let handshake = setup.runtime.handshake(&request(subprotocol, target));
            match handshake {
                Ok(_) => assert!(is_admitted),
                Err(refusal) => assert_eq!((refusal.code, is_admitted), (1008, false)),
            }
        }
    }
    let error = upload(&setup.runtime, &form("[1]"), "/").await.unwrap_err();
    assert!(matches!(error, UploadError::Forbidden));
    let (counters, _) = setup.runtime.metrics().await;
    assert_eq!(counters.unauthorized, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_export_is_stored_as_a_dump() {
    let setup = setup(|options| options.limits.queue_bytes = 100_000).await;
    let event =
        r#"{"type":"onsignalingstatechange","value":"\"stable\"","timestamp":1700000000000.5}"#;
    let events = [event; 5_000].join(",\n");
    let export = format!(
        r#"{{"UserAgent":"x","timestamp":1700000009000,"PeerConnections":{{"9-1":{{"rtcConfiguration":"{{}}",
"updateLog":[{events}],"stats":{{}}}}}}}}"#
    );
    let body = format!("--x\r\n\r\n{export}\r\n--x--\r\n");
    upload(&setup.runtime, &body, "/").await.unwrap();
    let (_, dump) = setup.dump().await;
    let of_events = dump.iter().filter(|line| line.contains("stable"));
    assert_eq!(of_events.count(), 5_000);
}
