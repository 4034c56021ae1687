//! What is printed of a session while it goes on.

use std::collections::HashMap;
use std::error::Error;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Arguments;
use super::event_stream::Message;
use super::numbers::{Number, Numbers};
use super::view::{Connection, Event, View};
use crate::clock;
use crate::color::{Role, paint};
use crate::output::{self, Format, plain, printable};
use crate::table;

/// Prints what comes, each line at once.
pub(super) struct Screen<'a> {
    arguments: &'a Arguments,
    numbers: Numbers,
    /// When numbers of a connection were shown.
    shown: HashMap<String, Instant>,
    /// How many events of the session were shown, or passed over; `None` before the first view.
    events: Option<usize>,
}

impl<'a> Screen<'a> {
    pub(super) fn new(arguments: &'a Arguments) -> Result<Self, Box<dyn Error>> {
        if arguments.format == Format::Csv {
            let names = ["time", "connection", "category", "name", "text"];
            output::csv(io::stdout().lock(), &names)?.flush()?;
        }
        Ok(Self {
            arguments,
            numbers: Numbers::default(),
            shown: HashMap::new(),
            events: None,
        })
    }

    /// Prints a message; whether the session is over.
    pub(super) fn show(&mut self, message: &Message) -> Result<bool, Box<dyn Error>> {
        if self.arguments.format == Format::Json {
            let mut output = io::stdout().lock();
            let name = Value::from(message.name.as_str());
            writeln!(
                output,
                "{{\"event\":{name},\"data\":{}}}",
                message.data.replace('\n', " ")
            )?;
            output.flush()?;
        }
        let is_view = match message.name.as_str() {
            "view" => true,
            "update" => false,
            "end" => {
                self.show_end();
                return Ok(true);
            }
            _ => return Ok(false),
        };
        if self.arguments.format == Format::Json {
            self.events = Some(0);
            return Ok(false);
        }
        let view: View = serde_json::from_str(&message.data)
            .map_err(|error| format!("the server sent what is no view of a session: {error}"))?;
        if is_view {
            self.numbers.clear();
            if self.events.is_none() {
                self.show_session(&view.session)?;
            }
        }
        let new = self.new_events(&view.events, is_view);
        for event in new {
            self.show_event(event)?;
        }
        for connection in &view.connections {
            self.numbers.learn(connection);
            self.show_numbers(connection)?;
        }
        io::stdout().lock().flush()?;
        Ok(false)
    }

    /// Those that were not shown. A view has all events from the first one on.
    fn new_events<'b>(&mut self, events: &'b [Event], is_view: bool) -> &'b [Event] {
        let known = match self.events {
            _ if !is_view => 0,
            Some(known) => known,
            None => events.len().saturating_sub(self.arguments.events),
        };
        self.events = match (is_view, self.events) {
            (false, before) => Some(before.unwrap_or_default() + events.len()),
            (true, before) => Some(events.len().max(before.unwrap_or_default())),
        };
        events.get(known..).unwrap_or_default()
    }

    fn show_session(&self, session: &Value) -> io::Result<()> {
        if self.arguments.format != Format::Table {
            return Ok(());
        }
        let names = ["id", "conference", "user", "browser", "state"];
        let known = names.iter().filter_map(|name| {
            let value = session.get(name);
            Some(printable(&plain(value.filter(|value| value.is_string())?)))
        });
        let known: Vec<String> = known.collect();
        writeln!(
            io::stdout().lock(),
            "{}",
            paint(Role::Title, known.join(" · "))
        )
    }

    fn show_event(&self, event: &Event) -> Result<(), Box<dyn Error>> {
        let connection = event.connection.as_deref().unwrap_or_default();
        if self.arguments.format == Format::Csv {
            let time = event.ms.map(|ms| ms.to_string()).unwrap_or_default();
            let mut csv = output::csv(io::stdout().lock(), &[])?;
            let record = [&time, connection, &event.category, &event.name, &event.text];
            output::csv_record(&mut csv, &record)?;
            return Ok(csv.flush()?);
        }
        let time = event.ms.map(clock::of_day).unwrap_or_default();
        let head = format!("{time:<12}");
        let connection = format!("{:<8}", printable(connection));
        let name = printable(&event.name);
        let before = console::measure_text_width(&format!("{head} {connection} {name} "));
        let room = usize::from(table::width()).saturating_sub(before);
        let text = printable(&event.text);
        let text = console::truncate_str(&text, room, "…");
        let role = if is_bad(event) { Role::Bad } else { Role::Name };
        let line = format!(
            "{} {connection} {} {text}",
            paint(Role::Aside, head),
            paint(role, name)
        );
        writeln!(io::stdout().lock(), "{}", line.trim_end())?;
        Ok(())
    }

    fn show_numbers(&mut self, connection: &Connection) -> Result<(), Box<dyn Error>> {
        let is_due = |shown: &Instant| shown.elapsed() >= self.arguments.interval;
        let Some(time) = connection.times.last() else {
            return Ok(());
        };
        if self.arguments.events_only || !self.shown.get(&connection.id).is_none_or(is_due) {
            return Ok(());
        }
        let numbers = if self.arguments.series.is_empty() {
            self.numbers.of_connection(connection)
        } else {
            self.numbers.of_series(connection, &self.arguments.series)
        };
        if numbers.is_empty() {
            return Ok(());
        }
        self.shown.insert(connection.id.clone(), Instant::now());
        if self.arguments.format == Format::Csv {
            let mut csv = output::csv(io::stdout().lock(), &[])?;
            for Number { name, value, .. } in &numbers {
                let (time, value) = (time.to_string(), value.to_string());
                output::csv_record(&mut csv, &[&time, &connection.id, "number", name, &value])?;
            }
            return Ok(csv.flush()?);
        }
        let time = paint(Role::Aside, format!("{:<12}", clock::of_day(*time)));
        let id = printable(&connection.id);
        let mut output = io::stdout().lock();
        if self.arguments.series.is_empty() {
            let numbers: Vec<String> = numbers.iter().map(shown).collect();
            writeln!(output, "{time} {id:<8} {}", numbers.join("  "))?;
        } else {
            for number in &numbers {
                writeln!(output, "{time} {id:<8} {}", shown(number))?;
            }
        }
        Ok(())
    }

    fn show_end(&self) {
        if self.events.is_none() {
            crate::report("the session is over already; its page shows all of it");
        } else if self.arguments.format == Format::Table {
            crate::report("the session is over");
        }
    }

    /// Says that the connection is lost, to who waits.
    pub(super) fn show_loss(&self, reason: &str, pause: Duration) {
        let pause = humantime::format_duration(pause);
        crate::report(&format!("{reason}; again in {pause}"));
    }
}

fn is_bad(event: &Event) -> bool {
    let has = |part: &str| event.name.contains(part) || event.text.contains(part);
    has("OnFailure") || has("failed") || has("Error")
}

fn shown(number: &Number) -> String {
    let scales = [(1e9, " G"), (1e6, " M"), (1e3, " k")];
    let scales = scales.into_iter().filter(|_| number.unit == "bit/s");
    let mut scales = scales.filter(|(scale, _)| number.value.abs() >= *scale);
    let (scale, prefix) = scales.next().unwrap_or((1.0, " "));
    let value = format!("{:.2}", number.value / scale);
    let value = value.trim_end_matches('0').trim_end_matches('.');
    let unit = format!("{prefix}{}", number.unit);
    printable(&format!("{} {value}{}", number.name, unit.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let number = |value: f64, unit: &str| {
            shown(&Number {
                name: "x".to_owned(),
                value,
                unit: unit.to_owned(),
            })
        };
        assert_eq!(number(1_234_567.0, "bit/s"), "x 1.23 Mbit/s");
        assert_eq!(number(100.0, "bit/s"), "x 100 bit/s");
        assert_eq!(number(12_000.5, ""), "x 12000.5");
        assert_eq!(number(0.0, "ms"), "x 0 ms");
    }
}
