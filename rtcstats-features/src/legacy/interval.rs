//! How long something took.

/// The time from the last beginning to the first end; there is none if the end came first.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Interval {
    begin: Option<f64>,
    has_ended: bool,
    length: Option<f64>,
}

impl Interval {
    /// It begins, or begins again.
    pub(super) fn begin(&mut self, time: Option<f64>) {
        self.begin = time;
    }

    /// It begins, unless it has begun.
    pub(super) fn begin_once(&mut self, time: Option<f64>) {
        self.begin = self.begin.or(time);
    }

    /// It ends, unless it has ended.
    pub(super) fn end(&mut self, time: Option<f64>) {
        if !std::mem::replace(&mut self.has_ended, true) {
            self.length = self.begin.zip(time).map(|(begin, end)| end - begin);
        }
    }

    /// It ends, if it has begun and not ended.
    pub(super) fn end_begun(&mut self, time: Option<f64>) {
        if self.begin.is_some() {
            self.end(time);
        }
    }

    /// In milliseconds.
    pub(super) fn length(self) -> Option<f64> {
        self.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_beginning_and_the_first_end_count() {
        let mut interval = Interval::default();
        interval.begin(Some(1.0));
        interval.begin(Some(5.0));
        interval.end(Some(12.0));
        interval.begin(Some(13.0));
        interval.end(Some(20.0));
        assert_eq!(interval.length(), Some(7.0));
    }

    #[test]
    fn an_end_without_beginning_has_no_length() {
        let mut interval = Interval::default();
        interval.end(Some(5.0));
        interval.begin(Some(6.0));
        interval.end(Some(7.0));
        assert_eq!(interval.length(), None);
        let mut begun = Interval::default();
        begun.end_begun(Some(5.0));
        begun.begin_once(Some(6.0));
        begun.begin_once(Some(8.0));
        begun.end_begun(Some(9.0));
        assert_eq!(begun.length(), Some(3.0));
    }
}
