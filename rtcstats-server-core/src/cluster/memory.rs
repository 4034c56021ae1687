//! A cluster in memory.

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, Cursor};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;
use rtcstats_proto::jitsi::SessionId;

use super::{Claim, ClusterError, EndedSession, IsKnown, Ownership};
use crate::{
    Append, BoxFuture, DumpName, Journal, JournalEntry, JournalError, JournalErrorKind,
    JournalOperation, MemoryJournal, Recovered,
};

mod queue;

pub use queue::DeadLetter;
use queue::Queue;

/// What several nodes share, in one process: for tests and simulations. Nothing of it survives the
/// process, and it remembers ended sessions for ever.
///
/// Cheap to clone; all clones are the same cluster. Whether a node is alive is for the test to say:
/// until [`kill`](Self::kill) or [`presume_dead`](Self::presume_dead) it is.
#[derive(Debug, Clone)]
pub struct MemoryCluster(Arc<Shared>);

/// One node's way to what is shared: a [`Journal`], an [`Ownership`], a
/// [`WorkQueue`](super::WorkQueue). Cheap to clone; all clones are the same node.
#[derive(Debug, Clone)]
pub struct MemoryNode {
    shared: Arc<Shared>,
    name: Arc<str>,
}

#[derive(Debug)]
struct Shared {
    journal: MemoryJournal,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    sessions: HashMap<SessionId, Held, RandomState>,
    /// Who wrote last to a log.
    writers: HashMap<DumpName, Arc<str>, RandomState>,
    /// Nodes that are presumed dead: what they have may be taken.
    dead: HashSet<Arc<str>, RandomState>,
    /// Nodes whose processes are gone.
    gone: HashSet<Arc<str>, RandomState>,
    /// Nodes that closed their journal.
    closed: HashSet<Arc<str>, RandomState>,
    queue: Queue,
}

/// A session that somebody had at some time.
#[derive(Debug, Default)]
struct Held {
    owner: Option<Arc<str>>,
    ended: Option<EndedSession>,
}

impl MemoryCluster {
    /// A cluster whose journal holds at most `max_bytes` of lines. A task is put aside after 3 attempts.
    pub fn new(max_bytes: usize) -> Self {
        Self::with_attempts(max_bytes, 3)
    }

    /// The same, with another number of attempts, at least 1.
    pub fn with_attempts(max_bytes: usize, attempts: u32) -> Self {
        Self(Arc::new(Shared {
            journal: MemoryJournal::new(max_bytes),
            state: Mutex::new(State {
                sessions: HashMap::default(),
                writers: HashMap::default(),
                dead: HashSet::default(),
                gone: HashSet::default(),
                closed: HashSet::default(),
                queue: Queue::new(attempts.max(1)),
            }),
        }))
    }

    /// A node of this name. Names are those of processes: one that comes back has another.
    pub fn node(&self, name: &str) -> MemoryNode {
        MemoryNode {
            shared: Arc::clone(&self.0),
            name: name.into(),
        }
    }

    /// The process of a node is gone: whatever it still calls fails, others may adopt its sessions, and
    /// its tasks are given to others, at once.
    pub fn kill(&self, node: &str) {
        let mut state = self.0.state();
        state.gone.insert(node.into());
        state.dead.insert(node.into());
        state.queue.give_back(node);
    }

    /// The other nodes take a node for dead, which is not: it was suspended, or cut off, for a while. Others
    /// may adopt its sessions, and its tasks are given to others; but its calls arrive.
    pub fn presume_dead(&self, node: &str) {
        let mut state = self.0.state();
        state.dead.insert(node.into());
        state.queue.give_back(node);
    }

    /// What was put aside after the last attempt.
    pub fn dead_letters(&self) -> Vec<DeadLetter> {
        self.0.state().queue.dead_letters()
    }

    /// Which node has a session.
    pub fn owner(&self, session: &SessionId) -> Option<String> {
        let state = self.0.state();
        let owner = state.sessions.get(session)?.owner.as_ref()?;
        Some(owner.to_string())
    }
}

impl Shared {
    /// No code panics while it holds the lock.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether nobody would mind if a log or a session of this node were taken.
    fn is_free(&self, owner: Option<&Arc<str>>) -> bool {
        owner.is_none_or(|owner| self.dead.contains(owner))
    }
}

impl MemoryNode {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The state, for an operation of the journal.
    fn for_journal(
        &self,
        operation: JournalOperation,
    ) -> Result<MutexGuard<'_, State>, JournalError> {
        let state = self.shared.state();
        if state.gone.contains(&self.name) {
            let kind = JournalErrorKind::Store("the process is gone".into());
            return Err(JournalError::new(operation, None, kind));
        }
        if state.closed.contains(&self.name) {
            return Err(JournalError::new(operation, None, JournalErrorKind::Closed));
        }
        Ok(state)
    }

    /// The state, for the operation that the others call by this name.
    fn for_cluster(&self, operation: &'static str) -> Result<MutexGuard<'_, State>, ClusterError> {
        let state = self.shared.state();
        if state.gone.contains(&self.name) {
            return Err(ClusterError::new(operation, "the process is gone"));
        }
        Ok(state)
    }

    /// Whether this node may write to a log.
    fn may_write(&self, state: &State, name: &DumpName) -> bool {
        let Some(held) = state.sessions.get(name.session_id()) else {
            return true;
        };
        match (&held.owner, &held.ended) {
            (Some(owner), _) => *owner == self.name,
            // The next log is whose first append comes first.
            (None, Some(ended)) => *name > ended.name,
            (None, None) => false,
        }
    }

    fn wrote(&self, state: &mut State, name: &DumpName) {
        let held = state.sessions.entry(name.session_id().clone()).or_default();
        held.owner = Some(Arc::clone(&self.name));
        state.writers.insert(name.clone(), Arc::clone(&self.name));
    }

    fn append_now(&self, batch: &[Append]) -> Result<(), JournalError> {
        let mut state = self.for_journal(JournalOperation::Append)?;
        let fenced = batch
            .iter()
            .find(|append| !self.may_write(&state, &append.name));
        if let Some(append) = fenced {
            // The others of the batch are not stored either.
            let own = batch.iter().filter(|own| self.may_write(&state, &own.name));
            self.shared.journal.fail(own);
            let log = Some(append.name.clone());
            let kind = JournalErrorKind::Fenced;
            return Err(JournalError::new(JournalOperation::Append, log, kind));
        }
        self.shared.journal.append_now(batch)?;
        for append in batch {
            self.wrote(&mut state, &append.name);
        }
        Ok(())
    }

    fn finish_now(&self, name: &DumpName) -> Result<(), JournalError> {
        let mut state = self.for_journal(JournalOperation::Finish)?;
        if !self.may_write(&state, name) {
            let (log, kind) = (Some(name.clone()), JournalErrorKind::Fenced);
            return Err(JournalError::new(JournalOperation::Finish, log, kind));
        }
        self.shared.journal.finish_now(name)?;
        self.wrote(&mut state, name);
        Ok(())
    }

    fn remove_now(&self, name: &DumpName) -> Result<(), JournalError> {
        let mut state = self.for_journal(JournalOperation::Remove)?;
        self.shared.journal.remove_now(name)?;
        state.writers.remove(name);
        Ok(())
    }

    fn claim_now(&self, id: &SessionId) -> Result<Claim, ClusterError> {
        const OPERATION: &str = "claim a session";
        let mut state = self.for_cluster(OPERATION)?;
        let failed = |error| ClusterError::new(OPERATION, error);
        let entries = self.shared.journal.list_now().map_err(failed)?;
        let logs = entries
            .into_iter()
            .filter(|entry| entry.name.session_id() == id);
        let last = logs.max_by(|one, other| one.name.cmp(&other.name));
        let held = state.sessions.get_mut(id);
        let is_new = held.is_none() && last.is_none();
        let held = held.map(std::mem::take).unwrap_or_default();
        let is_own = held.owner.as_ref() == Some(&self.name);
        let ended = match &last {
            Some(log) if log.finished => Some(self.end_of(log, held.ended)?),
            _ => held.ended,
        };
        let open = last.filter(|log| !log.finished);
        let claim = match (&open, &ended) {
            _ if is_new => Claim::New,
            (Some(_), _) if is_own => Claim::Own,
            (Some(log), _) => Claim::Taken(log.name.clone()),
            (None, Some(ended)) => Claim::Ended(ended.clone()),
            (None, None) if is_own => Claim::Own,
            (None, None) => Claim::New,
        };
        let is_over = matches!(claim, Claim::Ended(_));
        let owner = (!is_over).then(|| Arc::clone(&self.name));
        state.sessions.insert(id.clone(), Held { owner, ended });
        if let Some(log) = open {
            state.writers.insert(log.name, Arc::clone(&self.name));
        }
        Ok(claim)
    }

    /// How far a session got whose last log is finished: as its node said, or else as the log says.
    fn end_of(
        &self,
        log: &JournalEntry,
        told: Option<EndedSession>,
    ) -> Result<EndedSession, ClusterError> {
        if let Some(told) = told.filter(|told| told.name >= log.name) {
            return Ok(told);
        }
        let failed = |error: JournalError| ClusterError::new("read how far a session got", error);
        let text = self.shared.journal.read_now(&log.name).map_err(failed)?;
        let read = Recovered::read(log.name.clone(), &text[..], log.modified_ms);
        let read = read.map_err(|error| ClusterError::new("read how far a session got", error))?;
        Ok(EndedSession {
            name: read.name,
            accepted: read.sequence_number,
            durable: read.sequence_number,
            over_limit: false,
        })
    }

    fn end_now(&self, ended: &EndedSession) -> Result<(), ClusterError> {
        let mut state = self.for_cluster("end a session")?;
        let id = ended.name.session_id().clone();
        // Whoever finished the log knows how far it got.
        let writer = state.writers.get(&ended.name);
        if writer.is_some_and(|writer| *writer != self.name) {
            return Ok(());
        }
        let held = state.sessions.entry(id).or_default();
        if held.owner.as_ref() == Some(&self.name) {
            held.owner = None;
        }
        let known = held.ended.as_ref();
        if known.is_none_or(|known| known.name <= ended.name) {
            held.ended = Some(ended.clone());
        }
        Ok(())
    }

    fn release_now(&self, sessions: &[SessionId]) -> Result<(), ClusterError> {
        let mut state = self.for_cluster("release sessions")?;
        for id in sessions {
            if let Some(held) = state.sessions.get_mut(id)
                && held.owner.as_ref() == Some(&self.name)
            {
                held.owner = None;
            }
        }
        Ok(())
    }

    fn adopt_now(
        &self,
        limit: usize,
        is_known: &dyn Fn(&SessionId) -> bool,
    ) -> Result<Vec<DumpName>, ClusterError> {
        const OPERATION: &str = "adopt logs";
        let mut state = self.for_cluster(OPERATION)?;
        let entries = self.shared.journal.list_now();
        let mut entries = entries.map_err(|error| ClusterError::new(OPERATION, error))?;
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        let mut adopted = Vec::new();
        for JournalEntry { name, finished, .. } in entries {
            let held = state.sessions.get(name.session_id());
            let owner = held.and_then(|held| held.owner.as_ref());
            // A finished one is its last writer's: the session may have gone on elsewhere.
            let is_orphan = if finished {
                state.is_free(state.writers.get(&name)) && !state.queue.knows(&name)
            } else {
                state.is_free(owner)
            };
            if adopted.len() >= limit || !is_orphan || is_known(name.session_id()) {
                continue;
            }
            if finished {
                state.writers.insert(name.clone(), Arc::clone(&self.name));
            } else {
                self.wrote(&mut state, &name);
            }
            adopted.push(name);
        }
        Ok(adopted)
    }
}

fn ready<'a, T: Send + 'a>(value: T) -> BoxFuture<'a, T> {
    Box::pin(std::future::ready(value))
}

impl Journal for MemoryNode {
    fn append(&self, batch: Vec<Append>) -> BoxFuture<'_, Result<(), JournalError>> {
        ready(self.append_now(&batch))
    }

    fn read(
        &self,
        name: &DumpName,
    ) -> BoxFuture<'_, Result<Box<dyn BufRead + Send>, JournalError>> {
        let text = self.for_journal(JournalOperation::Read).and_then(|state| {
            drop(state);
            self.shared.journal.read_now(name)
        });
        ready(text.map(|text| Box::new(Cursor::new(text)) as Box<dyn BufRead + Send>))
    }

    fn finish(&self, name: &DumpName) -> BoxFuture<'_, Result<(), JournalError>> {
        ready(self.finish_now(name))
    }

    fn remove(&self, name: &DumpName) -> BoxFuture<'_, Result<(), JournalError>> {
        ready(self.remove_now(name))
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<JournalEntry>, JournalError>> {
        let state = self.for_journal(JournalOperation::List);
        ready(state.and_then(|_| self.shared.journal.list_now()))
    }

    fn close(&self) -> BoxFuture<'_, Result<(), JournalError>> {
        self.shared.state().closed.insert(Arc::clone(&self.name));
        ready(Ok(()))
    }
}

impl Ownership for MemoryNode {
    fn claim(&self, session: &SessionId) -> BoxFuture<'_, Result<Claim, ClusterError>> {
        ready(self.claim_now(session))
    }

    fn end(&self, ended: &EndedSession) -> BoxFuture<'_, Result<(), ClusterError>> {
        ready(self.end_now(ended))
    }

    fn release(&self, sessions: &[SessionId]) -> BoxFuture<'_, Result<(), ClusterError>> {
        ready(self.release_now(sessions))
    }

    fn adopt(
        &self,
        limit: usize,
        is_known: IsKnown,
    ) -> BoxFuture<'_, Result<Vec<DumpName>, ClusterError>> {
        ready(self.adopt_now(limit, &*is_known))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{block_on, journal_contract, ownership_contract};
    use crate::{Work, WorkQueue};

    fn append(node: &MemoryNode, log: &str, text: &str) -> Result<(), JournalError> {
        let lines = text.to_owned().into();
        let name = log.parse().unwrap();
        block_on(node.append(vec![Append { name, lines }]))
    }

    fn is_fenced<T>(result: Result<T, JournalError>) -> bool {
        result.is_err_and(|error| matches!(error.kind(), JournalErrorKind::Fenced))
    }

    fn id() -> SessionId {
        SessionId::new("s").unwrap()
    }

    fn name() -> DumpName {
        DumpName::first(id())
    }

    #[test]
    fn a_node_keeps_the_contract_of_journals() {
        journal_contract(|| MemoryCluster::new(64 << 20).node("a"));
    }

    #[test]
    fn two_nodes_keep_the_contract_of_ownership() {
        ownership_contract(|| {
            let cluster = MemoryCluster::new(64 << 20);
            (cluster.node("a"), cluster.node("b"))
        });
    }

    #[test]
    fn who_claims_a_session_fences_the_one_that_had_it() {
        let cluster = MemoryCluster::new(1 << 20);
        let (a, b) = (cluster.node("a"), cluster.node("b"));
        append(&a, "s", "1\n").unwrap();
        assert_eq!(block_on(a.claim(&id())).unwrap(), Claim::Own);
        assert_eq!(block_on(b.claim(&id())).unwrap(), Claim::Taken(name()));
        assert!(is_fenced(append(&a, "s", "2\n")));
        assert!(is_fenced(block_on(a.finish(&name()))));
        block_on(b.read(&name())).unwrap();
        append(&b, "s", "2\n").unwrap();
        // Also when the log is out of the journal.
        block_on(b.finish(&name())).unwrap();
        block_on(b.remove(&name())).unwrap();
        assert!(is_fenced(append(&a, "s", "2\n")));
        let other = append(&a, "other", "1\n");
        other.unwrap();
    }

    #[test]
    fn how_far_a_session_got_is_told_by_its_node_or_by_its_log() {
        let cluster = MemoryCluster::new(1 << 20);
        let (a, b) = (cluster.node("a"), cluster.node("b"));
        assert_eq!(block_on(a.claim(&id())).unwrap(), Claim::New);
        let head = r#"["connectionInfo",null,{"clientProtocol":"3.1_STANDARD"},5]"#;
        let log = format!("{head}\n[\"e\",null,1,1700000000000,3]\n");
        append(&a, "s", &log).unwrap();
        block_on(a.finish(&name())).unwrap();
        let of_log = EndedSession {
            name: name(),
            accepted: 3,
            durable: 3,
            over_limit: false,
        };
        assert_eq!(
            block_on(b.claim(&id())).unwrap(),
            Claim::Ended(of_log.clone())
        );
        let told = EndedSession {
            accepted: 5,
            ..of_log
        };
        block_on(a.end(&told)).unwrap();
        block_on(b.remove(&name())).unwrap();
        assert_eq!(block_on(b.claim(&id())).unwrap(), Claim::Ended(told));
    }

    #[test]
    fn logs_of_dead_nodes_and_released_ones_are_adopted_and_no_others() {
        let cluster = MemoryCluster::new(1 << 20);
        let (a, b) = (cluster.node("a"), cluster.node("b"));
        let adopt = |limit| block_on(b.adopt(limit, Arc::new(|_| false))).unwrap();
        append(&a, "s", "1\n").unwrap();
        append(&a, "finished", "1\n").unwrap();
        block_on(a.finish(&"finished".parse().unwrap())).unwrap();
        append(&a, "told", "1\n").unwrap();
        block_on(a.finish(&"told".parse().unwrap())).unwrap();
        block_on(a.push(&Work::Complete {
            name: "told".parse().unwrap(),
            facts: Box::default(),
            bytes: 2,
        }))
        .unwrap();
        append(&a, "released", "1\n").unwrap();
        assert_eq!(adopt(9), []);
        block_on(a.release(&[SessionId::new("released").unwrap()])).unwrap();
        assert_eq!(adopt(9), ["released".parse().unwrap()]);
        cluster.presume_dead("a");
        let known: IsKnown = Arc::new(|known| *known == id());
        assert_eq!(block_on(b.adopt(0, Arc::clone(&known))).unwrap(), []);
        assert_eq!(
            block_on(b.adopt(9, known)).unwrap(),
            ["finished".parse().unwrap()]
        );
        assert_eq!(adopt(9), [name()]);
        assert_eq!(adopt(9), []);
        assert!(is_fenced(append(&a, "s", "2\n")));
        cluster.kill("a");
        let gone = append(&a, "s", "2\n").unwrap_err();
        assert!(matches!(gone.kind(), JournalErrorKind::Store(_)));
    }
}
