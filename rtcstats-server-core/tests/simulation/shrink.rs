//! From a schedule that fails to a small one that fails the same way (delta debugging).

use crate::schedule::{Journaling, Step};
use crate::universe::{Failure, Setting, play};

/// The smallest schedule that was found to break the same rule, and how.
pub(crate) fn shrink(setting: Setting, steps: &[Step], failure: Failure) -> (Vec<Step>, Failure) {
    /// Enough for schedules of thousands of steps; then what there is has to do.
    const ATTEMPTS: u32 = 20_000;
    let after = failure.after;
    let mut search = Search {
        setting,
        steps: steps[..after].to_vec(),
        failure,
        attempts: ATTEMPTS,
    };
    loop {
        let before = search.steps.clone();
        search.delete();
        search.join();
        search.simplify();
        if search.steps == before || search.attempts == 0 {
            return (search.steps, search.failure);
        }
    }
}

struct Search {
    setting: Setting,
    steps: Vec<Step>,
    failure: Failure,
    attempts: u32,
}

impl Search {
    /// Goes on with these steps if they break the same rule.
    fn try_with(&mut self, mut steps: Vec<Step>) -> bool {
        if self.attempts == 0 {
            return false;
        }
        self.attempts -= 1;
        let Err(failure) = play(self.setting, &steps) else {
            return false;
        };
        if failure.violation.rule != self.failure.violation.rule {
            return false;
        }
        steps.truncate(failure.after);
        self.steps = steps;
        self.failure = failure;
        true
    }

    /// Leaves out chunks, ever smaller ones.
    fn delete(&mut self) {
        let mut size = self.steps.len().div_ceil(2);
        while size > 0 {
            let mut at = 0;
            while at < self.steps.len() {
                let mut steps = self.steps.clone();
                steps.drain(at..(at + size).min(steps.len()));
                if !self.try_with(steps) {
                    at += size;
                }
            }
            size /= 2;
        }
    }

    /// Lets a client say at once what it says one thing after another.
    fn join(&mut self) {
        let mut at = 0;
        while at + 1 < self.steps.len() {
            let mut steps = self.steps.clone();
            let joined = match (steps[at], steps[at + 1]) {
                (Step::Emit(seat, count), Step::Emit(other, more)) if seat == other => {
                    steps[at] = Step::Emit(seat, count + more);
                    steps.remove(at + 1);
                    self.try_with(steps)
                }
                _ => false,
            };
            if !joined {
                at += 1;
            }
        }
    }

    /// Makes numbers smaller, step by step.
    fn simplify(&mut self) {
        let mut at = 0;
        while at < self.steps.len() {
            let simpler = simpler(self.steps[at]);
            let is_simpler = simpler.into_iter().any(|step| {
                let mut steps = self.steps.clone();
                steps[at] = step;
                self.try_with(steps)
            });
            if !is_simpler {
                at += 1;
            }
        }
    }
}

/// Steps that do less; each gets to the least in the end.
fn simpler(step: Step) -> Vec<Step> {
    let less = |number: u16| [0, number / 2, number.saturating_sub(1)];
    let less_still = |number: u8| [0, number / 2, number.saturating_sub(1)];
    let mut steps = match step {
        Step::Emit(seat, count) => less(count).map(|count| Step::Emit(seat, count)).to_vec(),
        Step::Up(seat, count) => less(count).map(|count| Step::Up(seat, count)).to_vec(),
        Step::Journal(Journaling::Fails(stored)) => {
            let fails = |stored| Step::Journal(Journaling::Fails(stored));
            let mut steps = vec![Step::Journal(Journaling::Works)];
            steps.extend(less_still(stored).map(fails));
            steps
        }
        Step::Journal(Journaling::Refuses(log)) => less_still(log)
            .map(|log| Step::Journal(Journaling::Refuses(log)))
            .to_vec(),
        Step::Complete(which, works) => less_still(which)
            .map(|which| Step::Complete(which, works))
            .to_vec(),
        Step::Crash(after, persisted, again) => {
            let mut steps = Vec::new();
            steps.extend(less_still(after).map(|after| Step::Crash(after, persisted, again)));
            steps.extend(less_still(persisted).map(|lines| Step::Crash(after, lines, again)));
            steps.extend(less_still(again).map(|again| Step::Crash(after, persisted, again)));
            steps
        }
        Step::Wait(milliseconds) => less(milliseconds).map(Step::Wait).to_vec(),
        Step::Sleep(minutes) => less_still(minutes).map(Step::Sleep).to_vec(),
        Step::SetClock(seconds) => vec![Step::SetClock(0), Step::SetClock(seconds / 2)],
        Step::Cut(seat, false) => vec![Step::Cut(seat, true)],
        Step::Late(seat, false) => vec![Step::Late(seat, true)],
        _ => Vec::new(),
    };
    steps.retain(|simpler| *simpler != step);
    steps
}
