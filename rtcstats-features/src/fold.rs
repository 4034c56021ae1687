//! What turns events into features.

use std::error::Error;

use rtcstats_proto::Event;
use rtcstats_proto::delta::Strictness;
use rtcstats_proto::stats::Stats;

use crate::Limits;

/// A computation over the events of one session, in order and in bounded memory.
///
/// An [`Extractor`](crate::Extractor) calls [`Fold::event`] for each event, except that a
/// `getstats` report which was merged goes to [`Fold::stats`] *instead*, together with the state of
/// its connection after the merge. A fold that has no use for reports leaves [`Fold::stats`] as it
/// is and says so with [`Fold::wants_stats`], which saves the decoding.
///
/// An event is applied whole or, with an error, not at all: the caller may go on behind it. Time is
/// data: a fold reads no clock.
///
/// Tuples of two to four folds are a fold, each independent of the others:
///
/// ```
/// use rtcstats_features::{Context, Extractor, Fold, FoldError};
/// use rtcstats_proto::{Event, stats::Stats};
///
/// #[derive(Default)]
/// struct Reports(u64);
///
/// impl Fold for Reports {
///     type Output = u64;
///
///     fn event(&mut self, _: &Event<'_>, _: &Context<'_>) -> Result<(), FoldError> {
///         Ok(())
///     }
///
///     fn stats(&mut self, _: &Event<'_>, _: &Stats, _: &Context<'_>) -> Result<(), FoldError> {
///         self.0 += 1;
///         Ok(())
///     }
///
///     fn snapshot(&self, _: f64) -> u64 {
///         self.0
///     }
/// }
///
/// let mut extractor = Extractor::new((Reports::default(), Reports::default()));
/// extractor.push_line(r#"["getstats","PC_0",{"T":{"type":"transport"}},1700000000000,1]"#)?;
/// extractor.push_line(r#"["close","PC_0",{},1700000000001,2]"#)?;
/// assert_eq!(extractor.finish(1_700_000_000_002.0), (1, 1));
/// # Ok::<(), rtcstats_features::ExtractError>(())
/// ```
pub trait Fold {
    /// What it computes.
    type Output;

    /// Takes an event.
    ///
    /// # Errors
    ///
    /// If the event cannot be what its name says. The fold is then as before.
    fn event(&mut self, event: &Event<'_>, context: &Context<'_>) -> Result<(), FoldError>;

    /// Takes a `getstats` event whose report has been merged into `stats`, the state of the
    /// connection with [that key](Event::connection_key). As [`Fold::event`] unless written
    /// otherwise.
    ///
    /// # Errors
    ///
    /// As for [`Fold::event`].
    fn stats(
        &mut self,
        event: &Event<'_>,
        stats: &Stats,
        context: &Context<'_>,
    ) -> Result<(), FoldError> {
        let _ = stats;
        self.event(event, context)
    }

    /// Whether reports are to be decoded; asked before each. Where not, the event goes to
    /// [`Fold::event`]. Once it was "no" for a connection it must stay so: the next delta would
    /// lack its base.
    fn wants_stats(&self) -> bool {
        true
    }

    /// The features so far. `now`, Unix epoch milliseconds, stands in for times that are not known
    /// where a feature set defines it so. Disturbs nothing: more events may follow.
    fn snapshot(&self, now: f64) -> Self::Output;
}

/// A fold that may be left out: `None` takes nothing and yields nothing.
impl<F: Fold> Fold for Option<F> {
    type Output = Option<F::Output>;

    fn event(&mut self, event: &Event<'_>, context: &Context<'_>) -> Result<(), FoldError> {
        self.as_mut()
            .map_or(Ok(()), |fold| fold.event(event, context))
    }

    fn stats(
        &mut self,
        event: &Event<'_>,
        stats: &Stats,
        context: &Context<'_>,
    ) -> Result<(), FoldError> {
        self.as_mut()
            .map_or(Ok(()), |fold| fold.stats(event, stats, context))
    }

    fn wants_stats(&self) -> bool {
        self.as_ref().is_some_and(Fold::wants_stats)
    }

    fn snapshot(&self, now: f64) -> Self::Output {
        self.as_ref().map(|fold| fold.snapshot(now))
    }
}

/// What an event comes with.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    limits: &'a Limits,
    strictness: Strictness,
}

impl<'a> Context<'a> {
    /// For those who call a fold without an [`Extractor`](crate::Extractor).
    pub fn new(limits: &'a Limits, strictness: Strictness) -> Self {
        Self { limits, strictness }
    }

    /// What the fold may keep.
    pub fn limits(&self) -> &'a Limits {
        self.limits
    }

    /// Whether the extraction is to fail where existing ones do.
    pub fn is_strict(&self) -> bool {
        self.strictness == Strictness::Strict
    }
}

/// An event that a fold did not take.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FoldError {
    /// The dump does not begin with a `connectionInfo` line (strict extraction only).
    #[error("no connectionInfo line at the start")]
    MissingHeader,
    /// The event's value has not the shape that its name calls for.
    #[error("malformed {event} event: {problem}")]
    Malformed {
        /// Which event.
        event: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The line is an object where events are arrays.
    #[error("a request object among the events of a browser")]
    Shape,
    /// An error of a fold of yours.
    #[error(transparent)]
    Other(Box<dyn Error + Send + Sync>),
}

/// Implements [`Fold`] for a tuple. Each fold sees each event, whatever the others make of it; of
/// several errors the first is returned.
macro_rules! tuple {
    ($($fold:ident $index:tt),+) => {
        impl<$($fold: Fold),+> Fold for ($($fold,)+) {
            type Output = ($($fold::Output,)+);

            fn event(&mut self, event: &Event<'_>, context: &Context<'_>) -> Result<(), FoldError> {
                let results = ($(self.$index.event(event, context),)+);
                $(results.$index?;)+
                Ok(())
            }

            fn stats(
                &mut self,
                event: &Event<'_>,
                stats: &Stats,
                context: &Context<'_>,
            ) -> Result<(), FoldError> {
                let results = ($(self.$index.stats(event, stats, context),)+);
                $(results.$index?;)+
                Ok(())
            }

            fn wants_stats(&self) -> bool {
                $(self.$index.wants_stats())||+
            }

            fn snapshot(&self, now: f64) -> Self::Output {
                ($(self.$index.snapshot(now),)+)
            }
        }
    };
}

tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Extractor;

    /// Counts events and reports, and refuses events with a name.
    struct Counting {
        refused: &'static str,
        wants_stats: bool,
        events: u64,
        reports: u64,
    }

    fn counting(refused: &'static str, wants_stats: bool) -> Counting {
        Counting {
            refused,
            wants_stats,
            events: 0,
            reports: 0,
        }
    }

    impl Fold for Counting {
        type Output = (u64, u64);

        fn event(&mut self, event: &Event<'_>, _: &Context<'_>) -> Result<(), FoldError> {
            if event.name() == self.refused {
                return Err(FoldError::Other(self.refused.into()));
            }
            self.events += 1;
            Ok(())
        }

        fn stats(
            &mut self,
            _: &Event<'_>,
            stats: &Stats,
            _: &Context<'_>,
        ) -> Result<(), FoldError> {
            assert!(!stats.is_empty());
            self.reports += 1;
            Ok(())
        }

        fn wants_stats(&self) -> bool {
            self.wants_stats
        }

        fn snapshot(&self, _: f64) -> (u64, u64) {
            (self.events, self.reports)
        }
    }

    #[test]
    fn each_fold_of_a_tuple_sees_each_event_whatever_the_others_make_of_it() {
        let folds = (
            counting("a", true),
            counting("b", true),
            counting("", true),
            counting("b", true),
        );
        let mut extractor = Extractor::new(folds);
        extractor.push_line(r#"["a"]"#).unwrap_err();
        let error = extractor.push_line(r#"["b"]"#).unwrap_err();
        assert_eq!(error.to_string(), "line 2: b");
        extractor.push_line(r#"["c"]"#).unwrap();
        extractor
            .push_line(r#"["getstats","PC_0",{"x":{}},1]"#)
            .unwrap();
        assert_eq!(extractor.finish(0.0), ((2, 1), (2, 1), (3, 1), (2, 1)));
    }

    #[test]
    fn reports_are_decoded_if_one_fold_wants_them() {
        let report = r#"["getstats","PC_0",{"x":{}},1]"#;
        let mut extractor = Extractor::new((counting("", false), counting("", true)));
        extractor.push_line(report).unwrap();
        assert_eq!(extractor.finish(0.0), ((0, 1), (0, 1)));
        let mut extractor = Extractor::new((counting("", false), counting("", false)));
        extractor.push_line(report).unwrap();
        assert_eq!(extractor.finish(0.0), ((1, 0), (1, 0)));
    }
}
