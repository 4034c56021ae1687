//! What the thread that writes does besides operations: syncs, new segments, checkpoints, repair.

use std::io;
use std::mem;
use std::sync::Arc;
use std::time::Instant;

use super::super::checkpoint::{CheckpointError, Job, Outcome, checkpoint};
use super::super::group::failure_kind;
use super::super::log::Map;
use super::super::queue::Done;
use super::super::recovery::{self, Target};
use super::super::{SyncPolicy, plan};
use super::{Failure, Writer};
use crate::journal::{JournalError, JournalOperation};

impl Writer {
    /// What is to be done besides operations.
    pub(super) fn maintain(&mut self) {
        if let Some(outcome) = self.checkpointer.outcome() {
            self.end_checkpoint(outcome);
        }
        if self.failure.is_none() && self.sync_at.is_some_and(|at| at <= Instant::now()) {
            if let Err(error) = self.wal.sync() {
                self.fail(error, false);
            }
            self.sync_at = None;
        }
        if self.failure.is_none()
            && self.wal.has_records()
            && self.wal.active_bytes() >= self.rotate_at
        {
            self.rotate();
        }
        if self.failure.is_none() && !self.checkpointer.is_running() {
            self.start_checkpoint();
        }
    }

    /// When there will be something for [`maintain`](Self::maintain), if nothing happens before.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        if self.failure.is_some() {
            return None;
        }
        let waits_for_checkpoint = !self.wal.sealed().is_empty() && !self.checkpointer.is_running();
        let checkpoint_at = waits_for_checkpoint.then_some(self.checkpoint_at);
        [self.sync_at, checkpoint_at].into_iter().flatten().min()
    }

    pub(super) fn rotate(&mut self) {
        let result = match self.options.sync {
            SyncPolicy::Never => Ok(()),
            _ => self.wal.sync(),
        };
        if let Err(error) = result {
            self.fail(error, false);
            return;
        }
        match self.wal.rotate() {
            Ok(()) => self.rotate_at = self.options.segment_bytes,
            Err(error) => {
                // The segment is good. It can as well grow for a while.
                tracing::warn!(%error, "no new segment of the write-ahead log can be begun");
                self.rotate_at = self.wal.active_bytes() + self.options.segment_bytes / 8 + 1;
            }
        }
    }

    pub(super) fn start_checkpoint(&mut self) {
        if self.wal.sealed().is_empty() || self.checkpoint_at > Instant::now() {
            return;
        }
        if let Err(error) = self.trim_logs() {
            tracing::warn!(%error, "a log cannot be trimmed");
            self.checkpoint_at = Instant::now() + self.options.retry;
            return;
        }
        let mut dirty = Vec::new();
        // Without syncs everything stays dirty, for `close`.
        if self.options.sync != SyncPolicy::Never {
            dirty = mem::take(&mut self.dirty).into_keys().collect();
        }
        let segments = self.wal.sealed().to_vec();
        tracing::debug!(
            segments = segments.len(),
            logs = dirty.len(),
            "checkpoint begins"
        );
        if let Err(job) = self.checkpointer.start(Job { segments, dirty }) {
            let result = Err(CheckpointError::Other(io::ErrorKind::BrokenPipe.into()));
            self.end_checkpoint(Outcome { job, result });
        }
    }

    /// Cuts off what failed appends left in files. Once the write-ahead log is gone, the next start would
    /// take it for what the logs have, and nothing says that it is on the disk.
    fn trim_logs(&mut self) -> io::Result<()> {
        let mut result = Ok(());
        for name in self.dirty.keys() {
            let Some(log) = self.logs.get_mut(name) else {
                continue;
            };
            match self.files.trim(name, log) {
                // Somebody has removed it.
                Err(error) if error.kind() != io::ErrorKind::NotFound => result = Err(error),
                _ => {}
            }
        }
        result
    }

    pub(super) fn end_checkpoint(&mut self, outcome: Outcome) {
        let Outcome { job, result } = outcome;
        let Err(error) = result else {
            self.wal.forget(&job.segments);
            tracing::debug!("checkpoint ended");
            return;
        };
        self.dirty
            .extend(job.dirty.into_iter().map(|name| (name, ())));
        self.checkpoint_at = Instant::now() + self.options.retry;
        match error {
            CheckpointError::Sync(error) => {
                self.fail(error, true);
            }
            CheckpointError::Other(error) => {
                tracing::warn!(%error, "checkpoint failed");
            }
        }
    }

    pub(super) fn fail(&mut self, error: io::Error, rewrite: bool) -> Arc<io::Error> {
        tracing::error!(%error, "the store of the journal failed");
        let error = Arc::new(error);
        let rewrite = rewrite || self.failure.as_ref().is_some_and(|failure| failure.rewrite);
        self.failure = Some(Failure {
            error: Arc::clone(&error),
            rewrite,
            retry_at: Instant::now() + self.options.retry,
        });
        error
    }

    /// Looks whether a failed store works again, if it is time.
    pub(super) fn try_repair(&mut self) {
        let Some(failure) = &self.failure else {
            return;
        };
        if failure.retry_at > Instant::now() {
            return;
        }
        let rewrite = failure.rewrite;
        match self.repair(rewrite) {
            Ok(()) => {
                tracing::info!("the store of the journal works again");
                self.failure = None;
                // The new segment says that what failed does not count.
                self.logs.retain(|_, log| {
                    log.may_be_recorded = false;
                    log.is_recorded || log.broken
                });
                self.rotate_at = self.options.segment_bytes;
            }
            Err(error) => {
                self.fail(error, false);
            }
        }
    }

    pub(super) fn repair(&mut self, rewrite: bool) -> io::Result<()> {
        self.wal.rotate()?;
        if rewrite {
            self.rewrite_logs()?;
        }
        Ok(())
    }

    /// Writes what the write-ahead log has to the files again, after a sync of one of them failed: what
    /// is on the disk then is unknown, and another sync would not tell.
    pub(super) fn rewrite_logs(&mut self) -> io::Result<()> {
        let scan = plan::scan(&*self.disk, &self.layout.wal)?;
        let existing = self.logs.iter().filter(|(_, log)| log.exists);
        let mut targets: Map<Target> = existing
            .map(|(name, log)| {
                (
                    name.clone(),
                    Target {
                        finished: log.finished,
                        len: log.len,
                        limit: Some(log.len),
                        damaged: false,
                    },
                )
            })
            .collect();
        // Handles from before the failure would not report it again.
        self.files.close_all();
        recovery::rewrite(
            &*self.disk,
            &self.layout,
            &scan,
            &mut self.files,
            &mut targets,
            false,
        )?;
        // They must be synced before the write-ahead log goes.
        let logs = scan
            .plans
            .into_keys()
            .filter(|name| self.logs.contains_key(name));
        self.dirty.extend(logs.map(|name| (name, ())));
        Ok(())
    }

    pub(super) fn close(mut self, done: Done<()>) {
        let result = self.empty_wal();
        // After it the directory may be opened again.
        drop(self.lock.take());
        done.complete(result.map_err(|error| {
            let kind = failure_kind(Arc::new(error));
            JournalError::new(JournalOperation::Close, None, kind)
        }));
    }

    /// Makes the files of the logs durable, so that the write-ahead log can go.
    pub(super) fn empty_wal(&mut self) -> io::Result<()> {
        if let Some(outcome) = self.checkpointer.stop() {
            self.end_checkpoint(outcome);
        }
        if let Some(failure) = self.failure.take() {
            self.repair(failure.rewrite)?;
        }
        self.trim_logs()?;
        let job = Job {
            segments: self.wal.sealed().to_vec(),
            dirty: mem::take(&mut self.dirty).into_keys().collect(),
        };
        checkpoint(&*self.disk, &self.layout, &job, true).map_err(|error| match error {
            CheckpointError::Sync(error) | CheckpointError::Other(error) => error,
        })?;
        self.wal.delete_active()
    }
}
