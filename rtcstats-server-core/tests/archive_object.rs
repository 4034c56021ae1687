//! Dumps in object stores.

#![cfg(all(feature = "archive", feature = "testing"))]
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[path = "services/s3.rs"]
mod s3;

use std::cell::Cell;
use std::io::{self, BufReader, Cursor, Read};

use flate2::read::GzDecoder;
use rtcstats_server_core::testing::{self, block_on};
use rtcstats_server_core::{
    Archive, ArchiveOperation, DumpLinks, DumpName, ObjectArchive, ObjectArchiveOptions,
};
use s3::S3Server;
use tokio::runtime::{Builder, Runtime};

fn runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}

fn options() -> ObjectArchiveOptions {
    ObjectArchiveOptions {
        environment: false,
        ..ObjectArchiveOptions::default()
    }
}

fn on_s3(server: &S3Server) -> ObjectArchiveOptions {
    ObjectArchiveOptions {
        settings: server.settings(),
        ..options()
    }
}

/// Opens an archive as a program does: within its runtime.
fn open(runtime: &Runtime, url: &str, options: ObjectArchiveOptions) -> ObjectArchive {
    let _context = runtime.enter();
    ObjectArchive::open(url, options).unwrap()
}

/// Names of places, each another one.
fn places() -> impl Fn() -> String {
    let last = Cell::new(0);
    move || {
        last.set(last.get() + 1);
        format!("place-{}", last.get())
    }
}

fn name(text: &str) -> DumpName {
    text.parse().unwrap()
}

fn store(archive: &ObjectArchive, text: &str, content: impl Into<Vec<u8>>) {
    block_on(archive.store(&name(text), Box::new(Cursor::new(content.into())))).unwrap();
}

fn content(archive: &ObjectArchive, text: &str) -> Option<Vec<u8>> {
    let reader = block_on(archive.open(&name(text))).unwrap()?;
    let mut content = Vec::new();
    GzDecoder::new(reader).read_to_end(&mut content).unwrap();
    Some(content)
}

/// Bytes that cannot be compressed, made while they are read.
struct Noise {
    state: u64,
    left: u64,
    /// What comes behind them.
    end: fn() -> io::Result<usize>,
}

impl Noise {
    fn new(length: u64, end: fn() -> io::Result<usize>) -> BufReader<Self> {
        let state = 0x9e37_79b9_7f4a_7c15;
        let left = length;
        BufReader::new(Self { state, left, end })
    }
}

impl Read for Noise {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return (self.end)();
        }
        let length = buffer.len().min(self.left as usize);
        for chunk in buffer[..length].chunks_mut(8) {
            self.state ^= self.state << 13;
            self.state ^= self.state >> 7;
            self.state ^= self.state << 17;
            chunk.copy_from_slice(&self.state.to_le_bytes()[..chunk.len()]);
        }
        self.left -= length as u64;
        Ok(length)
    }
}

fn fails() -> io::Result<usize> {
    Err(io::Error::other("as intended"))
}

#[test]
fn files_keep_the_contract() {
    let (runtime, root, place) = (runtime(), tempfile::tempdir().unwrap(), places());
    testing::archive_contract(|| {
        let url = format!("file://{}/{}", root.path().display(), place());
        open(&runtime, &url, options())
    });
}

#[test]
fn memory_keeps_the_contract() {
    let runtime = runtime();
    testing::archive_contract(|| open(&runtime, "memory:///", options()));
}

#[test]
fn s3_keeps_the_contract() {
    let (runtime, server, place) = (runtime(), S3Server::start().unwrap(), places());
    testing::archive_contract(|| open(&runtime, &server.url(&place()), on_s3(&server)));
}

#[test]
fn dumps_have_keys_as_the_template_says_below_the_prefix() {
    let (runtime, server) = (runtime(), S3Server::start().unwrap());
    let plain = open(&runtime, &server.url("some/prefix"), on_s3(&server));
    let options = ObjectArchiveOptions {
        key: "{shard}/{session}/{name}.jsonl.gz".to_owned(),
        ..on_s3(&server)
    };
    let sharded = open(&runtime, &server.url("some/prefix"), options);
    store(&plain, "a_1", "plain");
    store(&sharded, "a_1", "sharded");
    assert_eq!(
        server.keys(),
        ["some/prefix/a_1.gz", "some/prefix/e8/a/a_1.jsonl.gz"]
    );
    for archive in [&plain, &sharded] {
        let listed = block_on(archive.list()).unwrap();
        assert_eq!(listed.len(), 1, "what is not of this template is left out");
        assert_eq!(listed[0].name, name("a_1"));
    }
    assert_eq!(content(&plain, "a_1").unwrap(), b"plain");
    assert_eq!(content(&sharded, "a_1").unwrap(), b"sharded");
}

#[test]
fn more_dumps_than_a_page_of_the_store_are_listed() {
    let (runtime, server) = (runtime(), S3Server::start().unwrap());
    let archive = open(&runtime, &server.url(""), on_s3(&server));
    let stores = (0..1_100).map(|number| {
        let dump = Box::new(Cursor::new(b"x"));
        archive.store(&name(&format!("s{number}")), dump)
    });
    for store in stores.collect::<Vec<_>>() {
        block_on(store).unwrap();
    }
    assert_eq!(block_on(archive.list()).unwrap().len(), 1_100);
    let lists = server.requests();
    let pages = lists.iter().filter(|line| line.contains("list-type=2"));
    assert!(pages.count() > 1);
}

#[test]
fn objects_say_what_they_are_and_carry_a_checksum() {
    let (runtime, server) = (runtime(), S3Server::start().unwrap());
    let archive = open(&runtime, &server.url(""), on_s3(&server));
    store(&archive, "a", "");
    let [attributes] = server.attributes().try_into().unwrap();
    assert!(attributes.contains("application/gzip"), "{attributes}");
    // The SHA-256 of an empty gzip stream, as sha256sum tells it of its 20 bytes.
    let checksum = r#""sha256":"ac73670af3abed54ac6fb4695131f4099be9fbe39d6076c5d0264a6bbdae9d83""#;
    assert!(attributes.contains(checksum), "{attributes}");
    assert_eq!(server.checksums(), 1, "the store checks it too");
}

#[test]
fn a_large_dump_goes_up_in_parts() {
    let (runtime, server) = (runtime(), S3Server::start().unwrap());
    let archive = open(&runtime, &server.url(""), on_s3(&server));
    let dump = Noise::new(40 << 20, || Ok(0));
    block_on(archive.store(&name("large"), Box::new(dump))).unwrap();
    let requests = server.requests();
    let parts = requests.iter().filter(|line| line.contains("partNumber="));
    assert_eq!(parts.count(), 9, "{requests:#?}");
    assert_eq!(server.checksums(), 9);
    assert!(server.attributes()[0].contains("application/gzip"));
    let mut expected = Vec::new();
    Noise::new(40 << 20, || Ok(0))
        .read_to_end(&mut expected)
        .unwrap();
    assert!(content(&archive, "large") == Some(expected));
}

#[test]
fn a_dump_that_fails_in_the_middle_leaves_nothing_behind() {
    let (runtime, server) = (runtime(), S3Server::start().unwrap());
    let archive = open(&runtime, &server.url(""), on_s3(&server));
    let dump = Noise::new(12 << 20, fails);
    let error = block_on(archive.store(&name("a"), Box::new(dump))).unwrap_err();
    assert_eq!(error.operation(), ArchiveOperation::Store);
    let requests = server.requests();
    assert!(requests.iter().any(|line| line.contains("partNumber=2")));
    assert!(
        requests.last().unwrap().starts_with("DELETE"),
        "{requests:?}"
    );
    assert_eq!(server.keys(), Vec::<String>::new());
    assert_eq!(server.open_uploads(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_store_that_refuses_a_part_is_left_as_it_was() {
    let (runtime, server) = (runtime(), S3Server::start().unwrap());
    let archive = open(&runtime, &server.url(""), on_s3(&server));
    store(&archive, "a", "old");
    server.refuse(|line| line.contains("partNumber=2").then_some(403));
    let dump = Noise::new(40 << 20, || Ok(0));
    block_on(archive.store(&name("a"), Box::new(dump))).unwrap_err();
    assert_eq!(server.open_uploads(), Vec::<std::path::PathBuf>::new());
    assert_eq!(content(&archive, "a").unwrap(), b"old");
    server.refuse(|line| line.starts_with("POST").then_some(403));
    let dump = Noise::new(6 << 20, || Ok(0));
    block_on(archive.store(&name("a"), Box::new(dump))).unwrap_err();
    assert_eq!(content(&archive, "a").unwrap(), b"old");
}

#[test]
fn a_failure_that_passes_is_not_noticed() {
    let (runtime, server) = (runtime(), S3Server::start().unwrap());
    let archive = open(&runtime, &server.url(""), on_s3(&server));
    let left = Cell::new(3_u32);
    server.refuse(move |_| {
        left.set(left.get().saturating_sub(1));
        (left.get() > 0).then_some(503)
    });
    store(&archive, "a", "content");
    assert_eq!(content(&archive, "a").unwrap(), b"content");
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn a_link_is_there_as_soon_as_the_dump_is() {
    let (runtime, server) = (runtime(), S3Server::start().unwrap());
    let archive = open(&runtime, &server.url("x"), on_s3(&server));
    assert_eq!(block_on(archive.link(&name("a"))).unwrap(), None);
    store(&archive, "a", "content");
    let link = block_on(archive.link(&name("a"))).unwrap().unwrap();
    assert!(
        link.starts_with(&format!("{}/dumps/x/a.gz?", server.endpoint())),
        "{link}"
    );
    assert!(link.contains("X-Amz-Expires=172800"), "{link}");
    let memory = open(&runtime, "memory:///", options());
    let error = block_on(memory.link(&name("a"))).unwrap_err();
    assert_eq!(error.operation(), ArchiveOperation::Link);
}

#[test]
fn what_cannot_be_opened_is_said_at_once() {
    let runtime = runtime();
    let with = |settings: &[(&str, &str)]| ObjectArchiveOptions {
        settings: settings
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        ..options()
    };
    let typo = [("region", "r"), ("acces_key_id", "k")];
    let key = ObjectArchiveOptions {
        key: "{date}.gz".to_owned(),
        ..options()
    };
    let context = runtime.enter();
    for (url, options) in [
        ("nonsense", options()),
        ("ftp://host/dir", options()),
        ("memory:///", with(&[("region", "r")])),
        ("s3://bucket", with(&typo)),
        ("s3://bucket", with(&[("checksum_algorithm", "md5")])),
        ("memory:///", key),
    ] {
        let error = ObjectArchive::open(url, options).unwrap_err();
        assert_eq!(error.operation(), ArchiveOperation::Prepare, "{url}");
    }
    let none = with(&[("checksum_algorithm", "none"), ("region", "r")]);
    ObjectArchive::open("s3://bucket", none).unwrap();
    drop(context);
    assert!(
        ObjectArchive::open("memory:///", options()).is_err(),
        "no runtime"
    );
    let secret = with(&[("secret_access_key", "hush")]);
    assert!(!format!("{secret:?}").contains("hush"));
}

#[test]
fn archives_of_google_and_azure_are_opened_with_their_settings() {
    let runtime = runtime();
    let _context = runtime.enter();
    let with = |settings: &[(&str, &str)]| ObjectArchiveOptions {
        settings: settings
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        ..options()
    };
    let key = ("access_key", "MDEyMzQ1Njc4OWFiY2RlZg==");
    for (url, options) in [
        ("gs://bucket/prefix", with(&[("skip_signature", "true")])),
        (
            "az://container/prefix",
            with(&[("account_name", "account"), key]),
        ),
    ] {
        let archive = ObjectArchive::open(url, options).unwrap();
        let shown = format!("{archive:?}");
        assert!(
            shown.contains("prefix") && !shown.contains(key.1),
            "{shown}"
        );
        let error = ObjectArchive::open(url, with(&[("colour", "red")])).unwrap_err();
        assert_eq!(error.operation(), ArchiveOperation::Prepare);
    }
}
