//! The contract of archives.

use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::thread;

use flate2::bufread::MultiGzDecoder;

use super::{block_on, name};
use crate::{Archive, DumpName};

/// Holds an [`Archive`] to its contract. `make` opens a new, empty one at each call.
///
/// # Panics
///
/// At the first thing the contract forbids.
pub fn archive_contract<A: Archive>(make: impl Fn() -> A) {
    a_stored_dump_is_listed_and_read_back(&make());
    a_large_dump_is_read_back(&make());
    names_are_distinct(&make());
    a_removed_dump_is_gone_and_can_be_removed_again(&make());
    a_dump_is_replaced_for_new_readers_only(&make());
    a_dump_that_cannot_be_read_leaves_what_was_there(&make());
    a_reader_that_panics_fails_alone(&make());
    dumps_are_stored_concurrently_also_under_one_name(&make());
}

fn store(archive: &impl Archive, name: &DumpName, content: impl Into<Vec<u8>>) {
    let dump = Box::new(Cursor::new(content.into()));
    block_on(archive.store(name, dump)).unwrap_or_else(|error| panic!("{error:?}"));
}

fn open(archive: &impl Archive, name: &DumpName) -> Option<Box<dyn Read + Send>> {
    block_on(archive.open(name)).unwrap_or_else(|error| panic!("{error:?}"))
}

fn decompress(dump: Box<dyn Read + Send>) -> Vec<u8> {
    let mut content = Vec::new();
    MultiGzDecoder::new(BufReader::new(dump))
        .read_to_end(&mut content)
        .expect("the reader of a dump");
    content
}

fn content(archive: &impl Archive, name: &DumpName) -> Option<Vec<u8>> {
    open(archive, name).map(decompress)
}

fn listed(archive: &impl Archive) -> Vec<DumpName> {
    let dumps = block_on(archive.list()).unwrap_or_else(|error| panic!("{error:?}"));
    let year_2020 = 1.577e12;
    for dump in &dumps {
        assert!(dump.bytes > 0, "{dump:?}");
        assert!(dump.modified_ms > year_2020, "{dump:?}");
    }
    dumps.into_iter().map(|dump| dump.name).collect()
}

/// Bytes that cannot be compressed.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(next)
        .flatten()
        .take(length)
        .collect()
}

fn a_stored_dump_is_listed_and_read_back(archive: &impl Archive) {
    assert_eq!(listed(archive), []);
    let (a, b, empty) = (name("a"), name("b").next(), name("empty"));
    assert!(open(archive, &a).is_none());
    store(archive, &b, "second\n");
    store(archive, &a, "first\n");
    store(archive, &empty, "");
    assert_eq!(listed(archive), [a.clone(), b.clone(), empty.clone()]);
    assert_eq!(content(archive, &a).as_deref(), Some(&b"first\n"[..]));
    assert_eq!(content(archive, &b).as_deref(), Some(&b"second\n"[..]));
    assert_eq!(content(archive, &empty).as_deref(), Some(&b""[..]));
    assert!(open(archive, &name("b")).is_none(), "of another number");
}

fn a_large_dump_is_read_back(archive: &impl Archive) {
    let large = noise(12 << 20);
    store(archive, &name("large"), large.clone());
    assert!(content(archive, &name("large")) == Some(large));
    let dumps = block_on(archive.list()).unwrap_or_else(|error| panic!("{error:?}"));
    assert!(dumps.iter().all(|dump| dump.bytes > 11 << 20), "{dumps:?}");
}

fn names_are_distinct(archive: &impl Archive) {
    let mut names: Vec<DumpName> = ["a", "a_0", "a_1", "a_1_1", "_", "-", "_1", "b-A"]
        .into_iter()
        .map(name)
        .flat_map(|name| [name.next(), name])
        .collect();
    for name in &names {
        store(archive, name, name.to_string());
    }
    for name in &names {
        let expected = name.to_string().into_bytes();
        assert_eq!(content(archive, name), Some(expected));
    }
    names.sort();
    assert_eq!(listed(archive), names, "in the order of their names");
}

fn a_removed_dump_is_gone_and_can_be_removed_again(archive: &impl Archive) {
    let (a, b) = (name("a"), name("b"));
    store(archive, &a, "first\n");
    store(archive, &b, "second\n");
    for _ in 0..2 {
        block_on(archive.remove(&a)).unwrap_or_else(|error| panic!("{error:?}"));
    }
    assert!(open(archive, &a).is_none());
    assert_eq!(listed(archive), [b]);
    store(archive, &a, "again\n");
    assert_eq!(content(archive, &a).as_deref(), Some(&b"again\n"[..]));
}

fn a_dump_is_replaced_for_new_readers_only(archive: &impl Archive) {
    let name = name("a");
    let old = "old\n".repeat(100_000).into_bytes();
    store(archive, &name, old.clone());
    let reader = open(archive, &name).expect("the dump is there");
    store(archive, &name, "new\n");
    assert_eq!(content(archive, &name).as_deref(), Some(&b"new\n"[..]));
    assert!(decompress(reader) == old);
    assert_eq!(listed(archive), [name]);
}

/// Yields some content, then fails.
struct Failing(Cursor<Vec<u8>>);

impl Read for Failing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::Error::other("as intended")),
            size => Ok(size),
        }
    }
}

fn a_dump_that_cannot_be_read_leaves_what_was_there(archive: &impl Archive) {
    let (old, new) = (name("old"), name("new"));
    store(archive, &old, "old\n");
    for name in [&old, &new] {
        for length in [0, 100_000, 12 << 20] {
            let dump = BufReader::new(Failing(Cursor::new(noise(length))));
            let result = block_on(archive.store(name, Box::new(dump)));
            let error = result.expect_err("the dump cannot be read");
            assert_eq!(error.dump(), Some(name));
        }
    }
    assert_eq!(content(archive, &old).as_deref(), Some(&b"old\n"[..]));
    assert!(open(archive, &new).is_none());
    assert_eq!(listed(archive), [old]);
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

fn a_reader_that_panics_fails_alone(archive: &impl Archive) {
    let name = name("a");
    assert!(block_on(archive.store(&name, Box::new(Panicking))).is_err());
    assert_eq!(listed(archive), []);
    store(archive, &name, "fine\n");
    assert_eq!(content(archive, &name).as_deref(), Some(&b"fine\n"[..]));
}

fn dumps_are_stored_concurrently_also_under_one_name(archive: &impl Archive) {
    const NAMES: usize = 5;
    let name = |number: usize| name(&format!("s{}", number % NAMES));
    let expected = |name: &DumpName| format!("{name}\n").repeat(10_000).into_bytes();
    thread::scope(|scope| {
        for number in 0..6 * NAMES {
            scope.spawn(move || {
                let name = name(number);
                store(archive, &name, expected(&name));
            });
        }
    });
    assert_eq!(listed(archive), (0..NAMES).map(name).collect::<Vec<_>>());
    for name in listed(archive) {
        assert!(content(archive, &name) == Some(expected(&name)), "{name}");
    }
}
