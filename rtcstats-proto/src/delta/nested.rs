//! Nested values in rtcstats 5.0: what deltas add to them (section 6.2, `merge`) and what of them
//! deltas leave out (section 6.1, step 1).

use std::borrow::Cow;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::RawJson;
use crate::json::{JsonKind, Reader, Token, Value, write_number, write_text};
use crate::stats::{NewValue, array_index};

/// Appends the object that `new` makes of `known` to `out`: all entries of `known`, then all entries
/// of `new`. An array has its elements as entries, a text its UTF-16 units, other scalars nothing.
pub(super) fn merge(known: Value<'_>, new: NewValue<'_>, out: &mut String) {
    if let (Value::Nested(known), NewValue::Nested(new)) = (known, new)
        && let (Some(known), Some(new)) = (Plain::read(known.as_str()), Plain::read(new))
    {
        return merge_plain(&known, &new, out);
    }
    let mut entries = Entries::default();
    if let Value::Nested(known) = known {
        entries.add_nested(known);
    }
    match new {
        NewValue::Nested(new) => entries.add_nested(RawJson::trusted(new)),
        NewValue::Text(text) => entries.add_units(text),
        NewValue::Null | NewValue::Bool(_) | NewValue::Number(_) => {}
    }
    entries.write(out);
}

fn merge_plain(known: &Plain<'_>, new: &Plain<'_>, out: &mut String) {
    let mut object = ObjectWriter::new(out);
    for (key, value) in known.entries() {
        object.write(key, new.get(key).unwrap_or(value));
    }
    for (key, value) in new.entries() {
        if known.get(key).is_none() {
            object.write(key, value);
        }
    }
    object.close();
}

/// Appends what of the object `new` differs from `known`, as an object; whether anything does. Only
/// scalars are compared: arrays and objects inside always differ.
pub(super) fn difference(known: Value<'_>, new: RawJson<'_>, out: &mut String) -> bool {
    if let Value::Nested(known) = known
        && let (Some(known), Some(new)) = (Plain::read(known.as_str()), Plain::read(new.as_str()))
    {
        let mut object = ObjectWriter::new(out);
        for (key, value) in new.entries() {
            if !known
                .get(key)
                .is_some_and(|known| is_identical(known, value))
            {
                object.write(key, value);
            }
        }
        return object.close();
    }
    let (mut before, mut now) = (Entries::default(), Entries::default());
    match known {
        Value::Nested(known) => before.add_nested(known),
        Value::Text(text) => before.add_units(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    now.add_nested(new);
    now.entries.retain(|(key, value)| {
        let known = before.get(key);
        !known.is_some_and(|known| is_identical(known, value))
    });
    let is_different = !now.entries.is_empty();
    now.write(out);
    is_different
}

/// JavaScript's `===` between values that were read apart from each other.
fn is_identical(left: &str, right: &str) -> bool {
    if left == right {
        return !left.starts_with(['{', '[']);
    }
    let token = |text| Reader::new(text, 0).token();
    match (token(left), token(right)) {
        (Ok(Token::Number(left)), Ok(Token::Number(right))) => left == right,
        (Ok(Token::Text(left)), Ok(Token::Text(right))) => left.resolve() == right.resolve(),
        _ => false,
    }
}

/// Whether `JSON.stringify` gives two nested values the same text.
pub(super) fn is_same_text(left: &str, right: &str) -> bool {
    if left == right {
        return true;
    }
    let normalized = |text| {
        let mut out = String::new();
        normalize(RawJson::trusted(text), &mut out);
        out
    };
    normalized(left) == normalized(right)
}

/// Appends a value as `JSON.stringify` would write it. Recursive, as deep as reports may be nested
/// ([`Limits::MAX_DEPTH`](crate::Limits::MAX_DEPTH)).
fn normalize(value: RawJson<'_>, out: &mut String) {
    match value.kind() {
        JsonKind::Number => write_number(value.to_number(), out),
        JsonKind::Text => write_text(&value.as_text().unwrap_or_default(), out),
        JsonKind::Array => {
            out.push('[');
            for (index, element) in value.elements().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                normalize(element, out);
            }
            out.push(']');
        }
        JsonKind::Object => {
            let mut entries = Entries::default();
            entries.add_nested(value);
            for (_, value) in &mut entries.entries {
                let mut text = String::new();
                normalize(RawJson::trusted(value), &mut text);
                *value = Cow::Owned(text);
            }
            entries.write(out);
        }
        JsonKind::Null | JsonKind::Bool => out.push_str(value.as_str()),
    }
}

/// A small object as clients send them: no key has an escape, is an array index or comes twice.
struct Plain<'a> {
    entries: [(&'a str, &'a str); Plain::MAX],
    length: usize,
}

impl<'a> Plain<'a> {
    const MAX: usize = 8;

    fn read(text: &'a str) -> Option<Self> {
        let mut object = Self {
            entries: [("", ""); Self::MAX],
            length: 0,
        };
        let mut reader = Reader::new(text, crate::Limits::MAX_DEPTH);
        let mut open = reader.take(b'{') && !reader.take(b'}');
        if !open && !text.starts_with('{') {
            return None;
        }
        while open {
            let key = reader.key().ok()?;
            let is_index = key
                .written
                .starts_with(|first: char| first.is_ascii_digit());
            if key.escaped || is_index || object.get(key.written).is_some() {
                return None;
            }
            let value = reader.value().ok()?;
            *object.entries.get_mut(object.length)? = (key.written, value);
            object.length += 1;
            open = reader.more(b'}').ok()?;
        }
        Some(object)
    }

    fn entries(&self) -> &[(&'a str, &'a str)] {
        self.entries.get(..self.length).unwrap_or_default()
    }

    fn get(&self, key: &str) -> Option<&'a str> {
        let mut entries = self.entries().iter();
        entries
            .find(|(own, _)| *own == key)
            .map(|(_, value)| *value)
    }
}

/// Writes the entries of an object.
struct ObjectWriter<'a> {
    out: &'a mut String,
    is_empty: bool,
}

impl<'a> ObjectWriter<'a> {
    fn new(out: &'a mut String) -> Self {
        out.push('{');
        Self {
            out,
            is_empty: true,
        }
    }

    /// Both as they are in JSON; the key without quotes.
    fn write(&mut self, key: &str, value: &str) {
        let start = if self.is_empty { "\"" } else { ",\"" };
        self.is_empty = false;
        for part in [start, key, "\":", value] {
            self.out.push_str(part);
        }
    }

    /// Whether there was an entry.
    fn close(self) -> bool {
        self.out.push('}');
        !self.is_empty
    }
}

/// The entries of any object.
#[derive(Default)]
struct Entries<'a> {
    entries: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    places: HashMap<Cow<'a, str>, usize, RandomState>,
}

impl<'a> Entries<'a> {
    fn add_nested(&mut self, value: RawJson<'a>) {
        for (key, value) in value.members() {
            self.add(key, Cow::Borrowed(value.as_str()));
        }
        for (index, value) in value.elements().enumerate() {
            self.add(Cow::Owned(index.to_string()), Cow::Borrowed(value.as_str()));
        }
    }

    fn add_units(&mut self, text: &str) {
        let mut units = [0; 2];
        let units = text.chars().flat_map(|character| {
            let units: &[u16] = character.encode_utf16(&mut units);
            // Half a character cannot be written but as an escape.
            let text = |unit: &u16| format!("\"\\u{unit:04x}\"");
            if units.len() > 1 {
                units.iter().map(text).collect::<Vec<_>>()
            } else {
                let mut written = String::new();
                write_text(character.encode_utf8(&mut [0; 4]), &mut written);
                vec![written]
            }
        });
        for (index, unit) in units.enumerate() {
            self.add(Cow::Owned(index.to_string()), Cow::Owned(unit));
        }
    }

    /// The last value counts, in the first place.
    fn add(&mut self, key: Cow<'a, str>, value: Cow<'a, str>) {
        let next = self.entries.len();
        let place = *self.places.entry(key.clone()).or_insert(next);
        match self.entries.get_mut(place) {
            Some((_, known)) => *known = value,
            None => self.entries.push((key, value)),
        }
    }

    fn get(&self, key: &str) -> Option<&str> {
        let (_, value) = self.entries.get(*self.places.get(key)?)?;
        Some(value)
    }

    fn write(mut self, out: &mut String) {
        // Stable: those that are no index stay as they came.
        let rank = |key: &str| array_index(key).map_or((1, 0), |index| (0, index));
        self.entries.sort_by_key(|(key, _)| rank(key));
        out.push('{');
        for (index, (key, value)) in self.entries.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            write_text(key, out);
            out.push(':');
            out.push_str(value);
        }
        out.push('}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(known: &str, new: NewValue<'_>) -> String {
        let known = match known {
            "null" => Value::Null,
            nested => Value::Nested(RawJson::parse(nested).unwrap()),
        };
        let mut out = String::new();
        merge(known, new, &mut out);
        out
    }

    #[test]
    fn new_entries_come_behind_the_known_ones() {
        let new = NewValue::Nested(r#"{"c":[1],"a":{"x":2},"7":0}"#);
        assert_eq!(
            merged(r#"{"a":{"y":1},"b":2,"10":1}"#, new),
            r#"{"7":0,"10":1,"a":{"x":2},"b":2,"c":[1]}"#
        );
        assert_eq!(
            merged(r#"{"a":1,"\u0061":2}"#, new),
            r#"{"7":0,"a":{"x":2},"c":[1]}"#
        );
    }

    #[test]
    fn arrays_and_texts_become_objects() {
        assert_eq!(merged("[7,8]", NewValue::Number(1.0)), r#"{"0":7,"1":8}"#);
        assert_eq!(merged("null", NewValue::Null), "{}");
        assert_eq!(
            merged(r#"{"1":0,"x":0}"#, NewValue::Text("\"é😀")),
            r#"{"0":"\"","1":"é","2":"\ud83d","3":"\ude00","x":0}"#
        );
    }

    #[test]
    fn a_difference_has_the_entries_that_changed() {
        for (known, new, expected) in [
            (
                r#"{"a":1,"b":2}"#,
                r#"{"a":1,"b":3,"c":4}"#,
                r#"{"b":3,"c":4}"#,
            ),
            (r#"{"a":1.0,"b":"\u0061"}"#, r#"{"b":"a","a":1}"#, "{}"),
            (r#"{"a":1}"#, "{}", "{}"),
            (
                r#"{"a":[1],"b":{}}"#,
                r#"{"a":[1],"b":{}}"#,
                r#"{"a":[1],"b":{}}"#,
            ),
            ("[7,8]", r#"{"1":8,"0":8}"#, r#"{"0":8}"#),
            (r#"{"a":1}"#, r#"{"a":2,"a":1,"\u0062":1}"#, r#"{"b":1}"#),
        ] {
            let mut out = String::new();
            let known = Value::Nested(RawJson::parse(known).unwrap());
            let is_different = difference(known, RawJson::parse(new).unwrap(), &mut out);
            assert_eq!((out.as_str(), is_different), (expected, expected != "{}"));
        }
        let mut out = String::new();
        difference(
            Value::Text("ab"),
            RawJson::trusted(r#"{"0":"a","1":"c"}"#),
            &mut out,
        );
        assert_eq!(out, r#"{"1":"c"}"#);
    }

    #[test]
    fn texts_are_compared_as_json_stringify_writes_them() {
        assert!(is_same_text(
            r#"[1.0, {"b":1,"1":"\u0061"}]"#,
            r#"[1,{"1":"a","b":1}]"#
        ));
        assert!(!is_same_text(r#"[{"a":1,"b":1}]"#, r#"[{"b":1,"a":1}]"#));
    }
}
