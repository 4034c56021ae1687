//! The contract of journals.

use std::io::Read;
use std::thread;

use super::{block_on, name};
use crate::{Append, BoxFuture, DumpName, Journal, JournalError, JournalErrorKind};

/// Holds a [`Journal`] to its contract. `make` opens a new, empty one at each call.
///
/// # Panics
///
/// At the first thing the contract forbids.
pub fn journal_contract<J: Journal>(make: impl Fn() -> J) {
    appended_lines_are_read_and_listed(&make());
    order_is_the_order_of_calls(&make());
    a_batch_is_appended_in_its_order(&make());
    a_dropped_future_cancels_nothing(&make());
    a_read_sees_the_log_as_it_was_at_the_call(&make());
    an_append_without_lines_creates_a_log(&make());
    unknown_logs_are_told_apart(&make());
    a_finished_log_takes_no_more(&make());
    a_removed_name_is_free_again(&make());
    a_batch_with_a_mistake_stores_nothing(&make());
    a_failed_append_leaves_no_hole(&make());
    names_are_distinct(&make());
    appenders_do_not_disturb_each_other(&make());
    nothing_works_after_close(&make());
}

fn lines(name: &DumpName, text: &str) -> Append {
    Append {
        name: name.clone(),
        lines: text.to_owned().into(),
    }
}

fn append<'a>(
    journal: &'a impl Journal,
    name: &DumpName,
    text: &str,
) -> BoxFuture<'a, Result<(), JournalError>> {
    journal.append(vec![lines(name, text)])
}

fn done<T>(future: BoxFuture<'_, Result<T, JournalError>>) -> T {
    block_on(future).unwrap_or_else(|error| panic!("{error}: {}", error.kind()))
}

fn failure<T>(future: BoxFuture<'_, Result<T, JournalError>>) -> JournalError {
    match block_on(future) {
        Ok(_) => panic!("an operation succeeded that must fail"),
        Err(error) => error,
    }
}

fn text(journal: &impl Journal, name: &DumpName) -> String {
    let mut text = String::new();
    done(journal.read(name))
        .read_to_string(&mut text)
        .expect("the reader of a log");
    text
}

fn appended_lines_are_read_and_listed(journal: &impl Journal) {
    assert!(done(journal.list()).is_empty());
    let name = name("a");
    done(append(journal, &name, "1\n"));
    done(append(journal, &name, "2\n3\n"));
    assert_eq!(text(journal, &name), "1\n2\n3\n");
    let entries = done(journal.list());
    let [entry] = entries.as_slice() else {
        panic!("{} logs instead of one", entries.len());
    };
    assert_eq!(
        (&entry.name, entry.finished, entry.bytes),
        (&name, false, 6)
    );
    let year_2020 = 1.577e12;
    assert!(entry.modified_ms > year_2020, "{}", entry.modified_ms);
}

fn order_is_the_order_of_calls(journal: &impl Journal) {
    let name = name("a");
    let appends: Vec<_> = (0..100)
        .map(|number| append(journal, &name, &format!("{number}\n")))
        .collect();
    let read = journal.read(&name);
    for append in appends.into_iter().rev() {
        done(append);
    }
    let mut seen = String::new();
    done(read)
        .read_to_string(&mut seen)
        .expect("the reader of a log");
    let expected: String = (0..100).map(|number| format!("{number}\n")).collect();
    assert_eq!(seen, expected, "of a read called before all were polled");
    assert_eq!(text(journal, &name), expected);
}

fn a_batch_is_appended_in_its_order(journal: &impl Journal) {
    let (a, b) = (name("a"), name("b"));
    done(journal.append(vec![
        lines(&a, "a1\n"),
        lines(&b, "b1\n"),
        lines(&a, "a2\n"),
        lines(&b, "b2\nb3\n"),
    ]));
    assert_eq!(text(journal, &a), "a1\na2\n");
    assert_eq!(text(journal, &b), "b1\nb2\nb3\n");
    done(journal.append(Vec::new()));
}

fn a_dropped_future_cancels_nothing(journal: &impl Journal) {
    let name = name("a");
    drop(append(journal, &name, "1\n"));
    done(append(journal, &name, "2\n"));
    assert_eq!(text(journal, &name), "1\n2\n");
    drop(journal.finish(&name));
    assert!(done(journal.list()).iter().all(|entry| entry.finished));
    drop(journal.remove(&name));
    assert!(done(journal.list()).is_empty());
}

fn a_read_sees_the_log_as_it_was_at_the_call(journal: &impl Journal) {
    let name = name("a");
    done(append(journal, &name, "1\n"));
    let mut before = done(journal.read(&name));
    done(append(journal, &name, "2\n"));
    done(journal.finish(&name));
    let mut seen = String::new();
    before
        .read_to_string(&mut seen)
        .expect("the reader of a log");
    assert_eq!(seen, "1\n");
    assert_eq!(text(journal, &name), "1\n2\n");
}

fn an_append_without_lines_creates_a_log(journal: &impl Journal) {
    let name = name("a");
    done(append(journal, &name, ""));
    assert_eq!(text(journal, &name), "");
    assert_eq!(done(journal.list()).len(), 1);
}

fn unknown_logs_are_told_apart(journal: &impl Journal) {
    let name = name("a");
    for error in [failure(journal.read(&name)), failure(journal.finish(&name))] {
        assert!(
            matches!(error.kind(), JournalErrorKind::UnknownLog),
            "{error:?}"
        );
        assert_eq!(error.log(), Some(&name));
    }
    done(journal.remove(&name));
}

fn a_finished_log_takes_no_more(journal: &impl Journal) {
    let name = name("a");
    done(append(journal, &name, "1\n"));
    let finish = journal.finish(&name);
    let late = append(journal, &name, "2\n");
    let error = failure(late);
    assert!(
        matches!(error.kind(), JournalErrorKind::Finished),
        "{error:?}"
    );
    assert_eq!(error.log(), Some(&name));
    done(finish);
    done(journal.finish(&name));
    assert_eq!(text(journal, &name), "1\n");
    assert!(done(journal.list()).iter().all(|entry| entry.finished));
}

fn a_removed_name_is_free_again(journal: &impl Journal) {
    let name = name("a");
    for round in 0..3 {
        let first = append(journal, &name, &format!("{round}\n"));
        done(first);
        assert_eq!(text(journal, &name), format!("{round}\n"));
        if round > 0 {
            done(journal.finish(&name));
        }
        // Called at once, in one go.
        let remove = journal.remove(&name);
        let again = append(journal, &name, "again\n");
        done(again);
        done(remove);
        assert_eq!(text(journal, &name), "again\n");
        assert!(!done(journal.list()).iter().any(|entry| entry.finished));
        done(journal.remove(&name));
        assert!(done(journal.list()).is_empty());
        done(journal.remove(&name));
    }
}

fn a_batch_with_a_mistake_stores_nothing(journal: &impl Journal) {
    let (open, finished) = (name("open"), name("finished"));
    done(append(journal, &open, "1\n"));
    done(append(journal, &finished, "1\n"));
    done(journal.finish(&finished));
    for mistake in [lines(&finished, "2\n"), lines(&open, "torn")] {
        failure(journal.append(vec![lines(&open, "2\n"), mistake]));
        assert_eq!(text(journal, &open), "1\n");
        assert_eq!(text(journal, &finished), "1\n");
    }
    let new = name("new");
    failure(journal.append(vec![lines(&new, "1\n"), lines(&open, "torn")]));
    let error = failure(journal.read(&new));
    assert!(
        matches!(error.kind(), JournalErrorKind::UnknownLog),
        "{error:?}"
    );
    assert_eq!(done(journal.list()).len(), 2);
}

fn a_failed_append_leaves_no_hole(journal: &impl Journal) {
    let (name, other) = (name("a"), name("b"));
    done(append(journal, &name, "1\n"));
    let failed = append(journal, &name, "2");
    let behind = append(journal, &name, "3\n");
    let finish = journal.finish(&name);
    let of_another = append(journal, &other, "1\n");
    let read = journal.read(&name);
    let after_read = append(journal, &name, "4\n");
    done(after_read);
    drop(done(read));
    done(of_another);
    let error = failure(failed);
    assert!(
        matches!(error.kind(), JournalErrorKind::NotLines),
        "{error:?}"
    );
    for error in [failure(behind), failure(finish)] {
        assert!(
            matches!(error.kind(), JournalErrorKind::EarlierFailure),
            "{error:?}"
        );
        assert_eq!(error.log(), Some(&name));
    }
    assert_eq!(text(journal, &name), "1\n4\n");
}

fn names_are_distinct(journal: &impl Journal) {
    let names: Vec<DumpName> = ["a", "a_0", "a_1", "a_1_1", "_", "-", "_1", "b-A"]
        .into_iter()
        .map(name)
        .flat_map(|name| [name.next(), name])
        .collect();
    for name in &names {
        done(append(journal, name, &format!("{name}\n")));
    }
    for name in &names {
        assert_eq!(text(journal, name), format!("{name}\n"));
    }
    let mut listed: Vec<DumpName> = done(journal.list())
        .into_iter()
        .map(|entry| entry.name)
        .collect();
    listed.sort();
    let mut names = names;
    names.sort();
    assert_eq!(listed, names);
}

fn appenders_do_not_disturb_each_other(journal: &impl Journal) {
    const APPENDERS: usize = 8;
    const LINES: usize = 50;
    thread::scope(|scope| {
        for appender in 0..APPENDERS {
            scope.spawn(move || {
                let name = name(&format!("appender-{appender}"));
                let mut expected = String::new();
                for number in 0..LINES {
                    let line = format!("{appender} {number}\n");
                    done(append(journal, &name, &line));
                    expected.push_str(&line);
                    if number % 16 == 0 {
                        assert_eq!(text(journal, &name), expected);
                    }
                }
                done(journal.finish(&name));
                assert_eq!(text(journal, &name), expected);
            });
        }
    });
    assert_eq!(done(journal.list()).len(), APPENDERS);
}

fn nothing_works_after_close(journal: &impl Journal) {
    let name = name("a");
    let append_before = append(journal, &name, "1\n");
    done(journal.close());
    done(append_before);
    for error in [
        failure(append(journal, &name, "2\n")),
        failure(journal.read(&name)),
        failure(journal.finish(&name)),
        failure(journal.remove(&name)),
        failure(journal.list()),
    ] {
        assert!(
            matches!(error.kind(), JournalErrorKind::Closed),
            "{error:?}"
        );
    }
    done(journal.close());
}
