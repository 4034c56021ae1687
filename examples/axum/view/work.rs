//! The work on one view, which ends when it takes too long or nobody wants the view any more.

use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long the events of one dump may be worked on. Waiting for them does not count.
const LONGEST: Duration = Duration::from_secs(60);

/// What is left of the time to work, and whether to go on.
pub(super) struct Work {
    rest: Duration,
    is_unwanted: Arc<AtomicBool>,
}

/// Whoever waits for the view. When it is dropped, the work ends.
pub(super) struct Wanted {
    is_unwanted: Arc<AtomicBool>,
}

/// Lines as long as there is time.
pub(super) struct Timed<'a, R> {
    inner: R,
    work: &'a mut Work,
    /// Since when what was read is worked on.
    since: Option<Instant>,
    pub(super) is_cut: bool,
}

impl Work {
    pub(super) fn new() -> (Self, Wanted) {
        Self::of(LONGEST)
    }

    fn of(rest: Duration) -> (Self, Wanted) {
        let is_unwanted = Arc::new(AtomicBool::new(false));
        let work = Self {
            rest,
            is_unwanted: Arc::clone(&is_unwanted),
        };
        (work, Wanted { is_unwanted })
    }

    /// Whether to go on, so much later.
    pub(super) fn goes_on(&mut self, worked: Duration) -> bool {
        self.rest = self.rest.saturating_sub(worked);
        !self.rest.is_zero() && !self.is_unwanted.load(Ordering::Relaxed)
    }

    pub(super) fn is_wanted(&self) -> bool {
        !self.is_unwanted.load(Ordering::Relaxed)
    }
}

impl Drop for Wanted {
    fn drop(&mut self) {
        self.is_unwanted.store(true, Ordering::Relaxed);
    }
}

impl<'a, R> Timed<'a, R> {
    pub(super) fn new(inner: R, work: &'a mut Work) -> Self {
        Self {
            inner,
            work,
            since: None,
            is_cut: false,
        }
    }
}

impl<R: BufRead> Read for Timed<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.fill_buf()?.read(buffer)?;
        self.consume(length);
        Ok(length)
    }
}

impl<R: BufRead> BufRead for Timed<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let worked = self.since.take().map(|since| since.elapsed());
        if !self.work.goes_on(worked.unwrap_or_default()) {
            self.is_cut = true;
            return Ok(&[]);
        }
        let bytes = self.inner.fill_buf();
        self.since = Some(Instant::now());
        bytes
    }

    fn consume(&mut self, length: usize) {
        self.inner.consume(length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_ends_when_the_time_is_over() {
        let (mut work, wanted) = Work::of(Duration::from_millis(20));
        let mut lines = Timed::new(io::BufReader::new(io::repeat(b'\n')), &mut work);
        // It would not end by itself.
        while lines.skip_until(b'\n').unwrap() > 0 {}
        assert!(lines.is_cut && work.is_wanted());
        drop(wanted);
    }

    #[test]
    fn reading_ends_when_nobody_wants_it() {
        let (mut work, wanted) = Work::new();
        let mut lines = Timed::new(&b"a\nb\n"[..], &mut work);
        let mut line = String::new();
        assert_eq!(lines.read_line(&mut line).unwrap(), 2);
        drop(wanted);
        assert_eq!(lines.read_line(&mut line).unwrap(), 0);
        assert!(lines.is_cut && !work.is_wanted());
    }

    #[test]
    fn what_ends_in_time_is_whole() {
        let (mut work, _wanted) = Work::new();
        let mut lines = Timed::new(&b"a\nb\n"[..], &mut work);
        let mut text = String::new();
        lines.read_to_string(&mut text).unwrap();
        assert_eq!((&*text, lines.is_cut), ("a\nb\n", false));
    }
}
