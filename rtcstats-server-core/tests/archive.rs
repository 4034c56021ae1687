//! Dumps in a directory.

#![cfg(feature = "testing")]
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;
use std::time::{Duration, SystemTime};

use flate2::read::GzDecoder;
use rtcstats_server_core::testing::block_on;
use rtcstats_server_core::{Archive, DirectoryArchive, DirectoryArchiveOptions, DumpName};

fn open(path: &Path) -> DirectoryArchive {
    DirectoryArchive::open(path, DirectoryArchiveOptions::default()).unwrap()
}

fn store(archive: &impl Archive, name: &str, text: &str) {
    let dump = Box::new(Cursor::new(text.to_owned()));
    block_on(archive.store(&name.parse().unwrap(), dump)).unwrap();
}

fn text(archive: &impl Archive, name: &str) -> Option<String> {
    let reader = block_on(archive.open(&name.parse().unwrap())).unwrap()?;
    let mut text = String::new();
    GzDecoder::new(reader).read_to_string(&mut text).unwrap();
    Some(text)
}

fn list(archive: &impl Archive) -> Vec<DumpName> {
    let dumps = block_on(archive.list()).unwrap();
    assert!(dumps.iter().all(|dump| dump.bytes > 0));
    dumps.into_iter().map(|dump| dump.name).collect()
}

fn files(path: &Path) -> usize {
    fs::read_dir(path).unwrap().count()
}

#[test]
fn a_stored_dump_is_listed_and_read_back() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("dumps");
    let archive = open(&path);
    assert_eq!(list(&archive), []);
    assert_eq!(text(&archive, "a"), None);
    store(&archive, "b_1", "second\n");
    store(&archive, "a", "first\n");
    store(&archive, "empty", "");
    fs::write(path.join("readme.txt"), "not a dump").unwrap();
    let names: Vec<String> = list(&archive).iter().map(ToString::to_string).collect();
    assert_eq!(names, ["a", "b_1", "empty"]);
    assert_eq!(text(&archive, "a").as_deref(), Some("first\n"));
    assert_eq!(text(&archive, "empty").as_deref(), Some(""));
    assert_eq!(text(&open(&path), "b_1").as_deref(), Some("second\n"));
}

#[test]
fn a_removed_dump_is_gone_and_removing_it_again_is_no_error() {
    let root = tempfile::tempdir().unwrap();
    let archive = open(root.path());
    store(&archive, "a", "first\n");
    store(&archive, "b", "second\n");
    for _ in 0..2 {
        block_on(archive.remove(&"a".parse().unwrap())).unwrap();
    }
    assert_eq!(text(&archive, "a"), None);
    assert_eq!(list(&archive), ["b".parse().unwrap()]);
}

#[test]
fn storing_a_name_again_replaces_the_dump_for_new_readers_only() {
    let root = tempfile::tempdir().unwrap();
    let archive = open(root.path());
    store(&archive, "a", &"old\n".repeat(100_000));
    let name = "a".parse().unwrap();
    let old = block_on(archive.open(&name)).unwrap().unwrap();
    store(&archive, "a", "new\n");
    assert_eq!(text(&archive, "a").as_deref(), Some("new\n"));
    let mut seen = String::new();
    GzDecoder::new(old).read_to_string(&mut seen).unwrap();
    assert_eq!(seen, "old\n".repeat(100_000));
}

/// Yields some text, then fails.
struct Failing(Cursor<String>);

impl Read for Failing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::Error::other("as intended")),
            size => Ok(size),
        }
    }
}

#[test]
fn a_dump_that_cannot_be_read_leaves_what_was_there() {
    let root = tempfile::tempdir().unwrap();
    let archive = open(root.path());
    store(&archive, "a", "old\n");
    for name in ["a", "b"] {
        let name = name.parse().unwrap();
        let dump = BufReader::new(Failing(Cursor::new("half of it".repeat(50_000))));
        let error = block_on(archive.store(&name, Box::new(dump))).unwrap_err();
        assert_eq!(error.dump(), Some(&name));
    }
    assert_eq!(text(&archive, "a").as_deref(), Some("old\n"));
    assert_eq!(text(&archive, "b"), None);
    assert_eq!(files(root.path()), 1, "no leftovers");
}

/// Panics when read, like a reader of somebody else may.
struct Panicking;

impl Read for Panicking {
    fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
        panic!("as intended")
    }
}

impl BufRead for Panicking {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        panic!("as intended")
    }

    fn consume(&mut self, _amount: usize) {}
}

#[test]
fn a_reader_that_panics_fails_alone() {
    let root = tempfile::tempdir().unwrap();
    let archive = open(root.path());
    let name = "a".parse().unwrap();
    assert!(block_on(archive.store(&name, Box::new(Panicking))).is_err());
    store(&archive, "a", "fine\n");
    assert_eq!(text(&archive, "a").as_deref(), Some("fine\n"));
}

#[test]
fn dumps_are_stored_concurrently_also_under_one_name() {
    let root = tempfile::tempdir().unwrap();
    let options = DirectoryArchiveOptions {
        threads: 3,
        ..DirectoryArchiveOptions::default()
    };
    let archive = DirectoryArchive::open(root.path(), options).unwrap();
    std::thread::scope(|scope| {
        for number in 0..100 {
            let archive = &archive;
            scope.spawn(move || {
                let name = format!("s{}", number % 7);
                store(archive, &name, &format!("{name}\n").repeat(10_000));
            });
        }
    });
    assert_eq!(files(root.path()), 7);
    for name in list(&archive) {
        let expected = format!("{name}\n").repeat(10_000);
        assert_eq!(text(&archive, &name.to_string()), Some(expected));
    }
}

#[test]
fn only_old_leftovers_are_removed() {
    let root = tempfile::tempdir().unwrap();
    let leftover = |name: &str, age: Duration| {
        let path = root.path().join(name);
        let file = File::create(&path).unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
        path
    };
    let day = Duration::from_secs(24 * 60 * 60);
    let old = leftover(".a.gz.0123456789abcdef.tmp", day * 2);
    let new = leftover(".a.gz.0123456789abcdee.tmp", day / 2);
    let foreign = leftover(".cache.tmp", day * 2);
    let archive = open(root.path());
    assert!(!old.exists() && new.exists() && foreign.exists());
    assert_eq!(list(&archive), []);
}
