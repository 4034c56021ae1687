//! One log: what is known of it, and what is done with it, one thing after the other.

use std::time::Duration;

use bytes::Bytes;

use super::Shared;
use super::reader::LogReader;
use super::record::{Kind, Record, follow, followed, payloads};
use super::store::{Entry, Published, StoreError, failed};
use crate::{DumpName, JournalErrorKind};

/// A log as this process knows it.
pub(super) struct Log {
    name: DumpName,
    subject: String,
    /// What its last message says, if it has one; unknown after an error.
    last: Option<Option<Last>>,
    /// The last message that is known to have been there.
    seen: u64,
    /// An append failed, and nobody has read the log since.
    broken: bool,
    /// The session is this process', by the bucket.
    opened: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Last {
    /// Of the last message that counts.
    pub(super) sequence: u64,
    /// Of the last one that is stored.
    stored: u64,
    pub(super) record: Record,
    pub(super) modified_ms: f64,
}

impl Last {
    pub(super) fn of(entry: &Entry) -> Result<Self, StoreError> {
        Ok(Self {
            sequence: entry.sequence,
            stored: entry.sequence,
            record: Record::from_headers(&entry.headers).map_err(failed)?,
            modified_ms: entry.modified_ms,
        })
    }

    pub(super) fn is_finished(&self) -> bool {
        self.record.kind == Kind::Finish
    }
}

/// What taking a log over found.
pub(super) enum TakenOver {
    /// It is this process' log, as it was before.
    Own,
    /// It was another's, and goes on; `bytes` may be none at all.
    Open { bytes: u64 },
    /// It is finished, and stays so.
    Finished(Last),
    /// Somebody else took the session meanwhile.
    Lost,
}

impl From<StoreError> for JournalErrorKind {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full(_) => Self::Full(Box::new(error)),
            StoreError::Failed(_) => Self::Store(Box::new(error)),
        }
    }
}

impl Log {
    pub(super) fn new(shared: &Shared, name: DumpName) -> Self {
        Self {
            subject: shared.store.logs.subject(&name.to_string()),
            name,
            last: None,
            seen: 0,
            broken: false,
            opened: false,
        }
    }

    /// Whether it knows something that the servers do not, or that is worth not asking for again.
    pub(super) fn is_worth_keeping(&self, process: &str) -> bool {
        let is_ours = |last: &Last| !last.is_finished() && last.record.owner == process;
        let last = self.last.as_ref().and_then(Option::as_ref);
        self.broken || last.is_some_and(is_ours)
    }

    /// What is known of a log that this process writes to.
    pub(super) fn known(&self, process: &str) -> Option<&Last> {
        let last = self.last.as_ref()?.as_ref()?;
        (last.record.owner == process).then_some(last)
    }

    pub(super) fn break_off(&mut self) {
        let finished = self.last.as_ref().and_then(Option::as_ref);
        self.broken = !finished.is_some_and(Last::is_finished);
    }

    /// What the servers know, unless this process writes to it and knows.
    async fn look(&mut self, shared: &Shared) -> Result<Option<&Last>, StoreError> {
        if self.known(&shared.process).is_none() {
            self.look_again(shared).await?;
        }
        Ok(self.last.as_ref().and_then(Option::as_ref))
    }

    async fn look_again(&mut self, shared: &Shared) -> Result<(), StoreError> {
        self.last = None;
        let mut entry = shared.store.last(&shared.store.logs, &self.subject).await?;
        let stored = entry.as_ref().map_or(0, |last| last.sequence);
        if let Some(last) = entry.take() {
            entry = Some(self.valid(shared, last).await?);
        }
        let mut last = entry.as_ref().map(Last::of).transpose()?;
        if let Some(last) = &mut last {
            last.stored = stored;
        }
        if let Some(last) = &last {
            if last.sequence < self.seen {
                return Err(failed("a server has forgotten what it had"));
            }
            self.seen = last.sequence;
        }
        self.last = Some(last);
        Ok(())
    }

    /// The last message that counts, which is the last one unless that came too late.
    ///
    /// Servers of a cluster compare what a message is to follow with what they have when it arrives, not
    /// when it is stored (at least until 2.9). Of two that arrive at the same time, both to follow the same
    /// one, both are stored. So each names the one it follows, and of those that name the same one only
    /// the first counts, for whoever reads the log and for whoever wrote it.
    async fn valid(&self, shared: &Shared, last: Entry) -> Result<Entry, StoreError> {
        if !shared.store.logs.is_replicated {
            return Ok(last);
        }
        let mut at = followed(&last.headers);
        let mut valid = None;
        while at < last.sequence
            && let Some(entry) = self.successor(shared, at, last.sequence).await?
        {
            at = entry.sequence;
            valid = Some(entry);
        }
        Ok(valid.unwrap_or(last))
    }

    /// The message that counts behind one that does: the first that names it, among those up to a
    /// certain one which is known to be there.
    async fn successor(
        &self,
        shared: &Shared,
        of: u64,
        until: u64,
    ) -> Result<Option<Entry>, StoreError> {
        const PAUSE: Duration = Duration::from_millis(20);
        /// A server may be behind, or (2.9, after it was killed) not find all messages of a subject.
        const ATTEMPTS: u32 = 5;
        let stream = &shared.store.logs;
        let mut next = of + 1;
        let mut misses = 0;
        while next < until && misses < ATTEMPTS {
            match shared.store.next(stream, &self.subject, next).await? {
                Some(entry) if entry.sequence >= until => break,
                Some(entry) if followed(&entry.headers) == of => return Ok(Some(entry)),
                Some(entry) => next = entry.sequence + 1,
                None => {
                    misses += 1;
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        let last = shared.store.at(stream, until).await?;
        Ok((followed(&last.headers) == of).then_some(last))
    }

    /// Why nothing can be appended, if so.
    pub(super) async fn admit(&mut self, shared: &Shared) -> Result<(), JournalErrorKind> {
        if self.broken {
            return Err(JournalErrorKind::EarlierFailure);
        }
        let process = &shared.process;
        match self.look(shared).await? {
            Some(last) if last.is_finished() => Err(JournalErrorKind::Finished),
            Some(last) if last.record.owner != *process => Err(JournalErrorKind::Fenced),
            _ => Ok(()),
        }
    }

    /// Appends what was admitted.
    pub(super) async fn append(
        &mut self,
        shared: &Shared,
        lines: Bytes,
    ) -> Result<(), JournalErrorKind> {
        let exists = self.known(&shared.process).is_some();
        if lines.is_empty() && exists {
            return Ok(());
        }
        if !self.opened {
            if shared.open_session(&self.name).await?.is_err() {
                return Err(JournalErrorKind::Fenced);
            }
            self.opened = true;
        }
        if lines.is_empty() {
            return self.write(shared, Kind::Lines, lines, 0).await;
        }
        let mut line_begins = self.whole();
        let mut begins_line = true;
        for (payload, ends_line) in payloads(lines, shared.store.max_payload()) {
            let offset = match self.known(&shared.process) {
                // The rest of a line that is too long for one message.
                Some(last) if !begins_line => last.record.end,
                _ => line_begins,
            };
            let end = offset + payload.len() as u64;
            if ends_line {
                line_begins = end;
            }
            begins_line = ends_line;
            self.write_at(shared, Kind::Lines, payload, offset, line_begins)
                .await?;
        }
        Ok(())
    }

    pub(super) async fn finish(&mut self, shared: &Shared) -> Result<(), JournalErrorKind> {
        match self.admit(shared).await {
            // Whoever finished it has the rest to do.
            Err(JournalErrorKind::Finished) if self.known(&shared.process).is_none() => {
                return Err(JournalErrorKind::Fenced);
            }
            Err(JournalErrorKind::Finished) => return Ok(()),
            result => result?,
        }
        if self.known(&shared.process).is_none() {
            return Err(JournalErrorKind::UnknownLog);
        }
        let whole = self.whole();
        self.write(shared, Kind::Finish, Bytes::new(), whole).await
    }

    pub(super) async fn remove(&mut self, shared: &Shared) -> Result<(), JournalErrorKind> {
        let was_finished = self.look(shared).await?.is_some_and(Last::is_finished);
        self.last = None;
        shared
            .store
            .purge(&shared.store.logs, &self.subject)
            .await?;
        self.last = Some(None);
        self.broken = false;
        self.opened = false;
        if !was_finished || self.name.is_upload() {
            shared.forget_removed(&self.name).await?;
        }
        Ok(())
    }

    /// A reader of what the log holds. Clears what an earlier failure left.
    pub(super) async fn read(
        &mut self,
        shared: &std::sync::Arc<Shared>,
    ) -> Result<LogReader, JournalErrorKind> {
        // Another process may have taken it over without this one having noticed.
        self.look_again(shared).await?;
        let subject = self.subject.clone();
        let last = self.last.clone().flatten();
        self.broken = false;
        let last = last.ok_or(JournalErrorKind::UnknownLog)?;
        Ok(LogReader::new(
            std::sync::Arc::clone(shared),
            subject,
            &last,
        ))
    }

    /// Takes the log over, so that whatever another process still writes fails. `is_own` says that the
    /// session was this process' by the bucket before, `revision` that it is so.
    pub(super) async fn take_over(
        &mut self,
        shared: &Shared,
        key: &str,
        revision: u64,
        is_own: bool,
    ) -> Result<TakenOver, StoreError> {
        let deadline = shared.store.deadline();
        loop {
            self.look_again(shared).await?;
            match self.last.as_ref().and_then(Option::as_ref) {
                Some(last) if last.is_finished() => {
                    return Ok(TakenOver::Finished(last.clone()));
                }
                Some(last) if last.record.owner == shared.process => {
                    return Ok(TakenOver::Own);
                }
                None if is_own => return Ok(TakenOver::Own),
                _ => {}
            }
            let whole = self.whole();
            match self
                .publish(shared, Kind::Claim, Bytes::new(), whole, whole)
                .await?
            {
                Published::Stored(_) => {
                    self.broken = false;
                    self.opened = whole > 0;
                    return Ok(TakenOver::Open { bytes: whole });
                }
                Published::Conflict => super::sessions::contended(deadline)?,
            }
            if shared.session(key).await?.revision != revision {
                return Ok(TakenOver::Lost);
            }
        }
    }

    fn whole(&self) -> u64 {
        let last = self.last.as_ref().and_then(Option::as_ref);
        last.map_or(0, |last| last.record.whole)
    }

    async fn write(
        &mut self,
        shared: &Shared,
        kind: Kind,
        payload: Bytes,
        offset: u64,
    ) -> Result<(), JournalErrorKind> {
        self.write_at(shared, kind, payload, offset, offset).await
    }

    async fn write_at(
        &mut self,
        shared: &Shared,
        kind: Kind,
        payload: Bytes,
        offset: u64,
        whole: u64,
    ) -> Result<(), JournalErrorKind> {
        let published = self.publish(shared, kind, payload, offset, whole).await;
        if published? == Published::Conflict {
            self.look_again(shared).await?;
            return Err(match self.last.as_ref().and_then(Option::as_ref) {
                Some(last) if last.record.owner == shared.process => {
                    let message = "a message came late that was given up";
                    JournalErrorKind::from(failed(message))
                }
                Some(_) => JournalErrorKind::Fenced,
                None => JournalErrorKind::from(failed("the log was removed meanwhile")),
            });
        }
        Ok(())
    }

    /// Puts a message behind the last one that is known. Nothing is known any more if that fails.
    async fn publish(
        &mut self,
        shared: &Shared,
        kind: Kind,
        payload: Bytes,
        offset: u64,
        whole: u64,
    ) -> Result<Published, StoreError> {
        let last = self.last.as_ref().and_then(Option::as_ref);
        let before = last.map(|last| last.record.before.followed_by(last.sequence));
        let follows = last.map_or(0, |last| last.sequence);
        let record = Record {
            kind,
            offset,
            end: offset + payload.len() as u64,
            whole,
            owner: shared.process.clone(),
            before: before.unwrap_or_default(),
        };
        let mut headers = record.to_headers();
        follow(&mut headers, follows);
        let deadline = shared.store.deadline();
        loop {
            let stored = self.last.take().flatten().map_or(0, |last| last.stored);
            let published = shared
                .store
                .publish(
                    &shared.store.logs,
                    &self.subject,
                    headers.clone(),
                    payload.clone(),
                    stored,
                    &shared.message_id(),
                )
                .await?;
            if let Published::Stored(sequence) = published
                && self.counts(shared, follows, sequence).await?
            {
                self.seen = sequence;
                self.last = Some(Some(Last {
                    sequence,
                    stored: sequence,
                    record,
                    modified_ms: super::now_ms(),
                }));
                return Ok(published);
            }
            if !shared.store.logs.is_replicated {
                return Ok(Published::Conflict);
            }
            // What is in the way may be void itself.
            self.look_again(shared).await?;
            let last = self.last.as_ref().and_then(Option::as_ref);
            if last.is_none_or(|last| last.sequence != follows) {
                self.last = None;
                return Ok(Published::Conflict);
            }
            super::sessions::contended(deadline)?;
        }
    }

    /// Whether a message that is stored counts as the one that follows another one.
    async fn counts(
        &self,
        shared: &Shared,
        follows: u64,
        sequence: u64,
    ) -> Result<bool, StoreError> {
        if !shared.store.logs.is_replicated {
            return Ok(true);
        }
        let first = self.successor(shared, follows, sequence).await?;
        Ok(first.is_some_and(|first| first.sequence == sequence))
    }
}
