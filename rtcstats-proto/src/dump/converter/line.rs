//! The lines of events.

use std::borrow::Cow;

use super::Writer;
use crate::json::{write_number, write_text};
use crate::{Event, EventForm, Generation, Method, RawJson, Scope};

/// How a dump of rtcstats 5.0 is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Coding {
    /// As its clients send it: numbers for names, reports as deltas with numbers for ids. Small, and
    /// lossy as its stats codec is (rtcstats spec 6.3).
    #[default]
    Coded,
    /// Everything by its name, every report complete under its own ids. Several times as large, and
    /// nothing is lost.
    Plain,
}

impl Writer {
    /// Appends the line of an event.
    pub(super) fn write_line(
        &mut self,
        event: &Event<'_>,
        time: f64,
        value: RawJson<'_>,
        out: &mut String,
    ) {
        out.push('[');
        self.write_name(event, out);
        out.push(',');
        match event.scope() {
            Scope::Client => out.push_str("null"),
            Scope::PeerConnection(key) => write_text(key, out),
        }
        out.push(',');
        out.push_str(value.as_str());
        match self.generation {
            Generation::Rtcstats => {
                for extra in event.extra() {
                    out.push(',');
                    out.push_str(extra.as_str());
                }
                out.push(',');
                let difference = difference(self.time, time);
                write_number(difference, out);
                // Where a reader is now.
                self.time += difference;
            }
            Generation::Legacy => {
                out.push(',');
                write_number(time, out);
                self.time = time;
            }
            Generation::Jitsi => {
                out.push(',');
                write_number(time, out);
                self.time = time;
                let next = self.sequence_number + 1;
                self.sequence_number = event.sequence_number().unwrap_or(next);
                out.push(',');
                out.push_str(&self.sequence_number.to_string());
            }
        }
        out.push_str("]\n");
    }

    fn write_name(&self, event: &Event<'_>, out: &mut String) {
        let is_array = event.form() == EventForm::Array;
        let method = match (self.generation, event.method()) {
            (Generation::Rtcstats, Some(Method::CompressedGetStats)) if is_array => {
                Some(Method::GetStats)
            }
            (Generation::Legacy | Generation::Jitsi, Some(Method::GetStats)) if !is_array => {
                Some(Method::CompressedGetStats)
            }
            (_, method) => method,
        };
        let method = match (self.generation, method) {
            (Generation::Jitsi, Some(method)) if is_of_page(event, method) => {
                return write_text(&format!("{PAGE}{}", method.as_str()), out);
            }
            (Generation::Legacy | Generation::Rtcstats, None) => page_method(event),
            (_, method) => method,
        };
        let is_coded = self.generation == Generation::Rtcstats && self.coding == Coding::Coded;
        let coded = method.filter(|_| is_coded);
        // The server writes the end of a session, by its name (rtcstats spec 12.4).
        let coded = coded.filter(|own| *own != Method::Close || !is_of_page(event, *own));
        let code = coded.and_then(Method::code);
        match (code, method) {
            (Some(code), _) => out.push_str(&code),
            (None, Some(method)) => write_text(method.as_str(), out),
            (None, None) => write_text(&own_name(event, self.generation), out),
        }
    }
}

/// In front of the names of the page's events in a Jitsi dump.
const PAGE: &str = "page:";

/// Whether the event is the page's, while those of its name are a peer connection's as a rule.
fn is_of_page(event: &Event<'_>, method: Method) -> bool {
    event.scope() == Scope::Client && matches!(method, Method::Create | Method::Close)
}

/// What the event was called before it was in a Jitsi dump.
fn page_method(event: &Event<'_>) -> Option<Method> {
    let method = Method::from_name(event.name().strip_prefix(PAGE)?)?;
    is_of_page(event, method).then_some(method)
}

/// A name that no table has. Where it looks like a code of rtcstats 5.0, it would be read as one.
fn own_name<'a>(event: &'a Event<'_>, generation: Generation) -> Cow<'a, str> {
    let name = event.name();
    let is_code = generation == Generation::Rtcstats
        && event.form() != EventForm::Delta
        && Method::from_code(name).is_some();
    if is_code {
        Cow::Owned(format!(":{name}"))
    } else {
        Cow::Borrowed(name)
    }
}

/// What is to be added to `from` so that the sum is `to`. There is such a number from 0, and where
/// neither time is more than twice the other, as within any session; elsewhere a fraction of a
/// millisecond may be lost.
fn difference(from: f64, to: f64) -> f64 {
    let difference = to - from;
    let near = [difference, difference.next_up(), difference.next_down()];
    let exact = near.into_iter().find(|near| from + near == to);
    exact.unwrap_or(difference)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn differences_add_up_to_the_very_times(
            times in prop::collection::vec(1e12..1.99e12, 1..20),
            whole in prop::collection::vec(0_u32.., 1..20),
        ) {
            let whole = whole.into_iter().map(|time| 1.6e12 + f64::from(time));
            let times = times.into_iter().chain(whole);
            let mut reader = 0.0;
            for time in times {
                let mut text = String::new();
                write_number(difference(reader, time), &mut text);
                reader += text.parse::<f64>().unwrap();
                prop_assert_eq!(reader, time);
            }
        }
    }
}
