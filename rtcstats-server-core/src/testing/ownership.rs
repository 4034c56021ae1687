//! The contract of ownership.

use std::io::Read;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::{block_on, name};
use crate::{
    Append, BoxFuture, Claim, ClusterError, DumpName, EndedSession, Journal, JournalError,
    JournalErrorKind, Ownership,
};

/// How long a suite waits for something that has to come by itself.
const PATIENCE: Duration = Duration::from_secs(60);

/// Holds the [`Ownership`] of two nodes, and their [`Journal`], to their contract. `make` opens two nodes
/// of a new, empty deployment at each call.
///
/// # Panics
///
/// At the first thing the contract forbids.
pub fn ownership_contract<N: Journal + Ownership>(make: impl Fn() -> (N, N)) {
    a_session_nobody_knows_is_new(&make());
    the_first_append_makes_a_log_the_nodes(&make());
    a_claim_fences_the_owner_before(&make());
    a_claim_goes_back_and_forth(&make());
    a_fenced_append_does_not_hold_up_others(&make());
    an_ended_session_is_remembered(&make());
    a_session_goes_on_under_the_next_name(&make());
    a_log_that_is_gone_does_not_begin_again(&make());
    a_node_that_comes_late_ends_nothing(&make());
    a_released_session_is_adopted_once(&make());
    a_released_session_can_be_claimed(&make());
    a_session_is_claimed_by_one_of_two(&make());
    a_removed_log_is_adopted_by_nobody(&make());
}

fn done<T>(future: BoxFuture<'_, Result<T, ClusterError>>) -> T {
    block_on(future).unwrap_or_else(|error| panic!("{error}: {error:?}"))
}

fn stored<T>(future: BoxFuture<'_, Result<T, JournalError>>) -> T {
    block_on(future).unwrap_or_else(|error| panic!("{error}: {}", error.kind()))
}

fn append<'a>(
    node: &'a impl Journal,
    name: &DumpName,
    lines: &str,
) -> BoxFuture<'a, Result<(), JournalError>> {
    node.append(vec![Append {
        name: name.clone(),
        lines: lines.to_owned().into(),
    }])
}

fn text(node: &impl Journal, name: &DumpName) -> String {
    let mut text = String::new();
    stored(node.read(name))
        .read_to_string(&mut text)
        .expect("the reader of a log");
    text
}

fn assert_fenced<T>(name: &DumpName, future: BoxFuture<'_, Result<T, JournalError>>) {
    match block_on(future) {
        Ok(_) => panic!("a node that lost a session still writes to it"),
        Err(error) => {
            let kind = error.kind();
            assert!(matches!(kind, JournalErrorKind::Fenced), "{kind:?}");
            assert_eq!(error.log(), Some(name));
        }
    }
}

fn ended(name: &DumpName, accepted: u64) -> EndedSession {
    EndedSession {
        name: name.clone(),
        accepted,
        durable: accepted,
        over_limit: false,
    }
}

fn a_session_nobody_knows_is_new<N: Journal + Ownership>((a, _): &(N, N)) {
    let name = name("a");
    assert_eq!(done(a.claim(name.session_id())), Claim::New);
    stored(append(a, &name, "1\n"));
    assert_eq!(done(a.claim(name.session_id())), Claim::Own);
    stored(append(a, &name, "2\n"));
    assert_eq!(text(a, &name), "1\n2\n");
    assert!(done(a.adopt(10, Arc::new(|_| false))).is_empty());
}

fn the_first_append_makes_a_log_the_nodes<N: Journal + Ownership>((a, b): &(N, N)) {
    let name = name("a");
    stored(append(a, &name, "1\n"));
    assert_fenced(&name, append(b, &name, "2\n"));
    assert_fenced(&name, b.finish(&name));
    assert_eq!(text(b, &name), "1\n", "reading is free");
    assert_fenced(&name, append(b, &name, "2\n"));
    stored(append(a, &name, "3\n"));
    assert_eq!(text(b, &name), "1\n3\n");
    assert!(
        done(b.adopt(10, Arc::new(|_| false))).is_empty(),
        "its node is alive"
    );
}

fn a_claim_fences_the_owner_before<N: Journal + Ownership>((a, b): &(N, N)) {
    let name = name("a");
    stored(append(a, &name, "1\n"));
    // Some may be on their way while it is claimed.
    let late: Vec<_> = (0..20)
        .map(|number| append(a, &name, &format!("late {number}\n")))
        .collect();
    assert_eq!(done(b.claim(name.session_id())), Claim::Taken(name.clone()));
    let taken = text(b, &name);
    let results: Vec<_> = late.into_iter().map(block_on).collect();
    let arrived = results.iter().take_while(|result| result.is_ok()).count();
    let expected: String = (0..arrived)
        .map(|number| format!("late {number}\n"))
        .collect();
    assert_eq!(
        taken,
        format!("1\n{expected}"),
        "what a claim finds is stable"
    );
    for result in results.into_iter().skip(arrived) {
        let error = result.expect_err("an append behind one that failed");
        let kind = error.kind();
        assert!(
            matches!(
                kind,
                JournalErrorKind::Fenced | JournalErrorKind::EarlierFailure
            ),
            "{kind:?}"
        );
    }
    stored(append(b, &name, "2\n"));
    for _ in 0..2 {
        assert_fenced(&name, append(a, &name, "3\n"));
        assert_fenced(&name, a.finish(&name));
        // Reading does not give it back.
        text(a, &name);
    }
    stored(append(b, &name, "4\n"));
    assert_eq!(text(a, &name), format!("{taken}2\n4\n"));
    for _ in 0..2 {
        stored(b.finish(&name));
        assert_fenced(&name, a.finish(&name));
    }
}

fn a_claim_goes_back_and_forth<N: Journal + Ownership>((a, b): &(N, N)) {
    let name = name("a");
    let mut expected = String::new();
    stored(append(a, &name, "0\n"));
    expected.push_str("0\n");
    for round in 1..6 {
        let (node, other) = if round % 2 == 0 { (a, b) } else { (b, a) };
        assert_eq!(
            done(node.claim(name.session_id())),
            Claim::Taken(name.clone())
        );
        assert_eq!(done(node.claim(name.session_id())), Claim::Own);
        assert_eq!(text(node, &name), expected);
        let line = format!("{round}\n");
        stored(append(node, &name, &line));
        expected.push_str(&line);
        assert_fenced(&name, append(other, &name, "no\n"));
    }
    assert_eq!(text(a, &name), expected);
}

fn a_fenced_append_does_not_hold_up_others<N: Journal + Ownership>((a, b): &(N, N)) {
    let (own, lost) = (name("own"), name("lost"));
    stored(append(a, &own, "1\n"));
    stored(append(a, &lost, "1\n"));
    done(b.claim(lost.session_id()));
    assert_fenced(&lost, append(a, &lost, "2\n"));
    stored(append(a, &own, "2\n"));
    assert_eq!(text(b, &own), "1\n2\n");
}

fn an_ended_session_is_remembered<N: Journal + Ownership>((a, b): &(N, N)) {
    let name = name("a");
    stored(append(a, &name, "1\n"));
    stored(a.finish(&name));
    done(a.end(&ended(&name, 7)));
    for node in [b, a] {
        assert_eq!(
            done(node.claim(name.session_id())),
            Claim::Ended(ended(&name, 7))
        );
    }
    stored(a.remove(&name));
    assert_eq!(
        done(b.claim(name.session_id())),
        Claim::Ended(ended(&name, 7)),
        "also when its log is gone"
    );
    let late = EndedSession {
        over_limit: true,
        durable: 6,
        ..ended(&name, 8)
    };
    done(a.end(&late));
    assert_eq!(done(b.claim(name.session_id())), Claim::Ended(late));
}

fn a_session_goes_on_under_the_next_name<N: Journal + Ownership>((a, b): &(N, N)) {
    let name = name("a");
    stored(append(a, &name, "1\n"));
    stored(a.finish(&name));
    done(a.end(&ended(&name, 7)));
    let next = name.next();
    stored(append(b, &next, "2\n"));
    assert_fenced(&next, append(a, &next, "3\n"));
    assert_eq!(done(b.claim(name.session_id())), Claim::Own);
    assert_eq!(done(a.claim(name.session_id())), Claim::Taken(next.clone()));
    stored(append(a, &next, "3\n"));
    stored(a.finish(&next));
    done(a.end(&ended(&next, 9)));
    assert_eq!(
        done(b.claim(name.session_id())),
        Claim::Ended(ended(&next, 9))
    );
}

fn a_log_that_is_gone_does_not_begin_again<N: Journal + Ownership>((a, b): &(N, N)) {
    let name = name("a");
    // One that goes on at another node before anything of it comes here.
    assert_eq!(done(a.claim(name.session_id())), Claim::New);
    done(b.claim(name.session_id()));
    stored(append(b, &name, "1\n"));
    stored(b.finish(&name));
    done(b.end(&ended(&name, 1)));
    stored(b.remove(&name));
    assert_fenced(&name, append(a, &name, "1\n"));
    let next = name.next();
    stored(append(b, &next, "2\n"));
    done(b.release(&[name.session_id().clone()]));
    assert_fenced(&name, append(a, &name, "1\n"));
    assert_eq!(done(a.claim(name.session_id())), Claim::Taken(next));
}

fn a_node_that_comes_late_ends_nothing<N: Journal + Ownership>((a, b): &(N, N)) {
    let name = name("a");
    stored(append(a, &name, "1\n"));
    done(b.claim(name.session_id()));
    stored(append(b, &name, "2\n"));
    stored(b.finish(&name));
    done(b.end(&ended(&name, 2)));
    done(a.end(&ended(&name, 1)));
    assert_eq!(
        done(a.claim(name.session_id())),
        Claim::Ended(ended(&name, 2))
    );
}

fn a_released_session_is_adopted_once<N: Journal + Ownership>((a, b): &(N, N)) {
    let names: Vec<DumpName> = (0..5).map(|number| name(&format!("n{number}"))).collect();
    for name in &names {
        stored(append(a, name, "1\n"));
    }
    let (kept, released) = names.split_first().expect("names");
    let sessions: Vec<_> = released
        .iter()
        .map(|name| name.session_id().clone())
        .collect();
    done(a.release(&sessions));
    let mut adopted = done(b.adopt(3, Arc::new(|_| false)));
    assert_eq!(adopted.len(), 3, "{adopted:?}");
    adopted.extend(done(b.adopt(3, Arc::new(|_| false))));
    adopted.sort();
    assert_eq!(adopted, released);
    assert!(done(b.adopt(3, Arc::new(|_| false))).is_empty());
    for name in released {
        assert_fenced(name, append(a, name, "no\n"));
        stored(append(b, name, "2\n"));
        assert_eq!(text(b, name), "1\n2\n");
    }
    stored(append(a, kept, "2\n"));
}

fn a_released_session_can_be_claimed<N: Journal + Ownership>((a, b): &(N, N)) {
    let name = name("a");
    stored(append(a, &name, "1\n"));
    done(a.release(&[name.session_id().clone()]));
    assert_eq!(done(b.claim(name.session_id())), Claim::Taken(name.clone()));
    assert!(done(a.adopt(10, Arc::new(|_| false))).is_empty());
    assert_fenced(&name, append(a, &name, "2\n"));
    // What is another's is not given back by this one.
    done(a.release(&[name.session_id().clone()]));
    assert!(done(a.adopt(10, Arc::new(|_| false))).is_empty());
    stored(append(b, &name, "2\n"));
}

fn a_session_is_claimed_by_one_of_two<N: Journal + Ownership>((a, b): &(N, N)) {
    for round in 0..10 {
        let name = name(&format!("n{round}"));
        thread::scope(|scope| {
            for node in [a, b] {
                let name = &name;
                scope.spawn(move || done(node.claim(name.session_id())));
            }
        });
        let results = [a, b].map(|node| block_on(append(node, &name, "1\n")));
        let written = results.iter().filter(|result| result.is_ok()).count();
        assert!(written <= 1, "both write");
        // Who comes last has it.
        done(b.claim(name.session_id()));
        stored(append(b, &name, "2\n"));
        assert_fenced(&name, append(a, &name, "3\n"));
        assert_eq!(text(b, &name), "1\n".repeat(written) + "2\n");
    }
}

fn a_removed_log_is_adopted_by_nobody<N: Journal + Ownership>((a, b): &(N, N)) {
    let name = name("a");
    stored(append(a, &name, "1\n"));
    stored(a.remove(&name));
    let deadline = Instant::now() + PATIENCE;
    assert!(done(b.adopt(10, Arc::new(|_| false))).is_empty());
    while done(b.claim(name.session_id())) != Claim::New {
        assert!(Instant::now() < deadline, "a removed session is remembered");
        thread::sleep(Duration::from_millis(20));
    }
    stored(append(b, &name, "2\n"));
    assert_eq!(text(a, &name), "2\n");
}
