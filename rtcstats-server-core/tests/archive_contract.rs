//! Every archive keeps the contract of archives.

#![cfg(feature = "testing")]

use std::cell::Cell;

use rtcstats_server_core::{DirectoryArchive, DirectoryArchiveOptions, testing};

/// Numbers, from 1 on.
fn numbers() -> impl Fn() -> u32 {
    let last = Cell::new(0);
    move || {
        last.set(last.get() + 1);
        last.get()
    }
}

#[test]
fn directory_archive_keeps_the_contract() {
    let root = tempfile::tempdir().unwrap();
    let number = numbers();
    testing::archive_contract(|| {
        let path = root.path().join(number().to_string());
        DirectoryArchive::open(path, DirectoryArchiveOptions::default()).unwrap()
    });
}
