//! What waits for the writer thread, in the order it was called.

use std::collections::VecDeque;
use std::io::BufRead;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::super::{Append, JournalEntry, JournalError};
use crate::DumpName;
use crate::future::Completer;

pub(super) type Done<T> = Completer<Result<T, JournalError>>;

pub(super) enum Command {
    Append {
        batch: Vec<Append>,
        done: Done<()>,
    },
    /// An append there was no room for. It keeps its place, since those behind it must fail too.
    Refused {
        names: Vec<DumpName>,
        done: Done<()>,
    },
    Read {
        name: DumpName,
        done: Done<Box<dyn BufRead + Send>>,
    },
    Finish {
        name: DumpName,
        done: Done<()>,
    },
    Remove {
        name: DumpName,
        done: Done<()>,
    },
    List {
        done: Done<Vec<JournalEntry>>,
    },
    Close {
        done: Done<()>,
    },
}

/// A bounded queue between callers and the writer.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    max_bytes: usize,
}

#[derive(Default)]
struct State {
    commands: VecDeque<Command>,
    /// Of the appends in `commands`.
    bytes: usize,
    /// Nothing comes in any more.
    closed: bool,
    /// Something besides commands is to be looked at.
    poked: bool,
}

/// What the writer is to do next.
pub(super) enum Work {
    /// Some commands; none if it was only woken.
    Commands(Vec<Command>),
    /// The queue is closed and empty.
    End,
}

/// What an append costs besides its lines.
const APPEND_BYTES: usize = 256;

fn cost(command: &Command) -> usize {
    match command {
        Command::Append { batch, .. } => batch
            .iter()
            .map(|append| append.lines.len().saturating_add(APPEND_BYTES))
            .fold(0, usize::saturating_add),
        _ => 0,
    }
}

impl Queue {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            ..Self::default()
        }
    }

    pub(super) fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// Queues a command. If the queue is closed it is dropped, and so its future learns.
    pub(super) fn push(&self, command: Command) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
        state.closed = matches!(command, Command::Close { .. });
        let cost = cost(&command);
        let total = state.bytes.saturating_add(cost);
        let command = match command {
            Command::Append { batch, done } if total > self.max_bytes => {
                let names = batch.into_iter().map(|append| append.name).collect();
                Command::Refused { names, done }
            }
            command => {
                state.bytes = total;
                command
            }
        };
        state.commands.push_back(command);
        drop(state);
        self.changed.notify_one();
    }

    /// Lets nothing more in.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// Closes and drops what is queued, so that its futures learn.
    pub(super) fn abandon(&self) {
        let commands = {
            let mut state = self.lock();
            state.closed = true;
            state.bytes = 0;
            std::mem::take(&mut state.commands)
        };
        drop(commands);
    }

    /// Wakes the writer.
    pub(super) fn poke(&self) {
        self.lock().poked = true;
        self.changed.notify_one();
    }

    /// Waits for work, at most until `deadline`, and takes about `group_bytes` of it.
    pub(super) fn take(&self, group_bytes: usize, deadline: Option<Instant>) -> Work {
        let mut state = self.lock();
        loop {
            if state.closed && state.commands.is_empty() {
                return Work::End;
            }
            let timeout =
                deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if !state.commands.is_empty()
                || state.poked
                || timeout.is_some_and(|left| left.is_zero())
            {
                break;
            }
            state = match timeout {
                Some(timeout) => {
                    self.changed
                        .wait_timeout(state, timeout)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
                None => self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
            };
        }
        state.poked = false;
        let mut taken = Vec::new();
        let mut bytes = 0_usize;
        while bytes < group_bytes {
            let Some(command) = state.commands.pop_front() else {
                break;
            };
            bytes = bytes.saturating_add(cost(&command));
            taken.push(command);
        }
        state.bytes = state.bytes.saturating_sub(bytes);
        Work::Commands(taken)
    }

    /// No code panics while it holds the lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
