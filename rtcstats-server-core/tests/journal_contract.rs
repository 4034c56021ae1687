//! Every journal keeps the contract of journals.

#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::cell::Cell;
use std::time::Duration;

use rtcstats_server_core::testing::block_on;
use rtcstats_server_core::{
    Append, DumpName, FileJournal, FileJournalOptions, Journal, JournalErrorKind, MemoryJournal,
    SyncPolicy, testing,
};

#[test]
fn memory_journal_keeps_the_contract() {
    testing::journal_contract(|| MemoryJournal::new(1 << 20));
}

#[test]
fn file_journal_keeps_the_contract_by_default() {
    file_journal_keeps_the_contract(FileJournalOptions::default());
}

#[test]
fn file_journal_keeps_the_contract_with_tiny_limits() {
    for sync in [
        SyncPolicy::Batched,
        SyncPolicy::Interval(Duration::from_millis(1)),
        SyncPolicy::Never,
    ] {
        file_journal_keeps_the_contract(FileJournalOptions {
            sync,
            segment_bytes: 100,
            group_bytes: 1,
            open_files: 1,
            ..FileJournalOptions::default()
        });
    }
}

fn file_journal_keeps_the_contract(options: FileJournalOptions) {
    let root = tempfile::tempdir().unwrap();
    let count = Cell::new(0);
    testing::journal_contract(|| {
        count.set(count.get() + 1);
        let directory = root.path().join(count.get().to_string());
        FileJournal::open(directory, options).unwrap().0
    });
}

#[test]
fn what_is_over_the_limit_is_refused_and_leaves_no_hole() {
    let root = tempfile::tempdir().unwrap();
    let options = FileJournalOptions {
        queue_bytes: 1_000,
        ..FileJournalOptions::default()
    };
    refuses_what_is_over_the_limit(&FileJournal::open(root.path(), options).unwrap().0);
    refuses_what_is_over_the_limit(&MemoryJournal::new(1_000));
}

fn refuses_what_is_over_the_limit(journal: &dyn Journal) {
    let name: DumpName = "a".parse().unwrap();
    let append = |lines: String| {
        let append = Append {
            name: name.clone(),
            lines: lines.into(),
        };
        journal.append(vec![append])
    };
    let kind = |result: Result<(), rtcstats_server_core::JournalError>| {
        let error = result.unwrap_err();
        assert_eq!(error.log(), Some(&name));
        format!("{:?}", error.kind())
    };
    let large = append("[1]\n".repeat(300));
    let behind = append("[2]\n".to_owned());
    assert_eq!(kind(block_on(large)), "OverLimit { limit: 1000 }");
    assert_eq!(kind(block_on(behind)), "EarlierFailure");
    let error = block_on(journal.read(&name)).err().unwrap();
    assert!(matches!(error.kind(), JournalErrorKind::UnknownLog));
    block_on(append("[3]\n".to_owned())).unwrap();
    assert_eq!(block_on(journal.list()).unwrap().len(), 1);
}
