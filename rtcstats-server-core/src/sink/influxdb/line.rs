//! The line protocol of InfluxDB: `measurement,tag=text field=1,other="text" 1700000000000000000`.

use std::fmt::Write as _;

/// Writes points, one a line.
///
/// Everything may come from a remote. What the format cannot say is replaced: in measurements, keys
/// and tags a control character by a space and a backslash by a slash, since a backslash has no
/// escape there. Empty tags and numbers that are not finite are left out.
#[derive(Debug, Default)]
pub(super) struct LineWriter {
    text: String,
    lines: usize,
}

/// A line that is being written. It is kept when it is [finished](Line::finish) with a field.
#[derive(Debug)]
pub(super) struct Line<'a> {
    writer: &'a mut LineWriter,
    /// Where it begins.
    start: usize,
    fields: usize,
}

impl LineWriter {
    /// Begins a line with these tags, which should be in the order of their keys.
    pub(super) fn line(&mut self, measurement: &str, tags: &[(&str, Option<&str>)]) -> Line<'_> {
        let start = self.text.len();
        push_name(&mut self.text, measurement, &[',', ' ']);
        for (key, value) in tags {
            let Some(value) = value.filter(|value| !value.is_empty()) else {
                continue;
            };
            self.text.push(',');
            push_name(&mut self.text, key, &[',', '=', ' ']);
            self.text.push('=');
            push_name(&mut self.text, value, &[',', '=', ' ']);
        }
        Line {
            writer: self,
            start,
            fields: 0,
        }
    }

    /// How many lines there are.
    pub(super) fn lines(&self) -> usize {
        self.lines
    }

    /// The lines.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.lines = 0;
    }
}

impl Line<'_> {
    /// A field that is a number, if it is one.
    pub(super) fn number(&mut self, key: &str, number: f64) {
        if number.is_finite() {
            self.key(key);
            // Cannot fail on a string.
            let _ = write!(self.writer.text, "{number}");
        }
    }

    /// A field that is true or false.
    pub(super) fn flag(&mut self, key: &str, flag: bool) {
        self.key(key);
        self.writer
            .text
            .push_str(if flag { "true" } else { "false" });
    }

    /// A field that is a text.
    pub(super) fn text(&mut self, key: &str, text: &str) {
        self.key(key);
        let out = &mut self.writer.text;
        out.push('"');
        for character in text.chars() {
            if matches!(character, '"' | '\\') {
                out.push('\\');
            }
            out.push(character);
        }
        out.push('"');
    }

    fn key(&mut self, key: &str) {
        let out = &mut self.writer.text;
        out.push(if self.fields == 0 { ' ' } else { ',' });
        push_name(out, key, &[',', '=', ' ']);
        out.push('=');
        self.fields += 1;
    }

    /// How many fields it has.
    pub(super) fn fields(&self) -> usize {
        self.fields
    }

    /// Ends it with its time, in nanoseconds of the Unix epoch.
    pub(super) fn finish(mut self, nanoseconds: i64) {
        if self.fields > 0 {
            // Cannot fail on a string.
            let _ = writeln!(self.writer.text, " {nanoseconds}");
            self.writer.lines += 1;
            self.start = self.writer.text.len();
        }
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        self.writer.text.truncate(self.start);
    }
}

/// A name or a tag, in which these characters are escaped.
fn push_name(out: &mut String, name: &str, escaped: &[char]) {
    // A line that begins with this is a comment; a key without text is none.
    if name.is_empty() || name.starts_with('#') {
        out.push('_');
    }
    for character in name.chars() {
        match character {
            '\\' => out.push('/'),
            _ if character.is_control() => push_escaped(out, ' ', escaped),
            _ => push_escaped(out, character, escaped),
        }
    }
}

fn push_escaped(out: &mut String, character: char, escaped: &[char]) {
    if escaped.contains(&character) {
        out.push('\\');
    }
    out.push(character);
}

/// A reader of the format, written by its description, for tests.
#[cfg(test)]
pub(super) mod reader {
    use std::collections::BTreeMap;

    /// A point that was read.
    #[derive(Debug, Clone, PartialEq)]
    pub(in super::super) struct Point {
        pub(in super::super) measurement: String,
        pub(in super::super) tags: BTreeMap<String, String>,
        pub(in super::super) fields: BTreeMap<String, FieldValue>,
        pub(in super::super) time: i64,
    }

    #[derive(Debug, Clone, PartialEq)]
    pub(in super::super) enum FieldValue {
        Number(f64),
        Flag(bool),
        Text(String),
    }

    /// The points of a text.
    pub(in super::super) fn read(text: &str) -> Vec<Point> {
        let mut rest = text;
        let mut points = Vec::new();
        while !rest.is_empty() {
            let (point, behind) = read_point(rest);
            points.push(point);
            rest = behind;
        }
        points
    }

    fn read_point(text: &str) -> (Point, &str) {
        assert!(!text.starts_with('#'), "a comment");
        let (measurement, mut rest) = name(text, &[',', ' ']);
        let mut tags = BTreeMap::new();
        while let Some(behind) = rest.strip_prefix(',') {
            let (key, behind) = name(behind, &['=', ',', ' ']);
            let behind = behind.strip_prefix('=').expect("a tag has a value");
            let (value, behind) = name(behind, &[',', ' ', '=']);
            assert!(tags.insert(key, value).is_none(), "a tag is there twice");
            rest = behind;
        }
        rest = rest.strip_prefix(' ').expect("fields");
        let mut fields = BTreeMap::new();
        loop {
            let (key, behind) = name(rest, &['=', ',', ' ']);
            let behind = behind.strip_prefix('=').expect("a field has a value");
            let (value, behind) = field(behind);
            assert!(
                fields.insert(key, value).is_none(),
                "a field is there twice"
            );
            match behind.strip_prefix(',') {
                Some(behind) => rest = behind,
                None => {
                    rest = behind;
                    break;
                }
            }
        }
        let rest = rest.strip_prefix(' ').expect("a time");
        let (time, rest) = rest.split_once('\n').expect("the end of the line");
        let point = Point {
            measurement,
            tags,
            fields,
            time: time.parse().expect("a time is an integer"),
        };
        (point, rest)
    }

    /// Text up to one of these characters that is not escaped.
    fn name<'a>(text: &'a str, ends: &[char]) -> (String, &'a str) {
        let mut found = String::new();
        let mut characters = text.char_indices();
        while let Some((index, character)) = characters.next() {
            if character == '\n' {
                panic!("the line ends in {found:?}");
            } else if ends.contains(&character) {
                assert!(!found.is_empty(), "a name or value is empty");
                return (found, &text[index..]);
            } else if character == '\\' {
                let (_, escaped) = characters.next().expect("something is escaped");
                assert!(matches!(escaped, ',' | '=' | ' '), "\\{escaped}");
                found.push(escaped);
            } else {
                found.push(character);
            }
        }
        panic!("{found:?} does not end");
    }

    fn field(text: &str) -> (FieldValue, &str) {
        if let Some(quoted) = text.strip_prefix('"') {
            let mut found = String::new();
            let mut characters = quoted.char_indices();
            while let Some((index, character)) = characters.next() {
                match character {
                    '"' => return (FieldValue::Text(found), &quoted[index + 1..]),
                    '\\' => {
                        let (_, escaped) = characters.next().expect("something is escaped");
                        assert!(matches!(escaped, '"' | '\\'), "\\{escaped}");
                        found.push(escaped);
                    }
                    _ => found.push(character),
                }
            }
            panic!("a text does not end");
        }
        let end = text.find([',', ' ', '\n']).expect("the end of a field");
        let (value, rest) = text.split_at(end);
        let value = match value {
            "true" => FieldValue::Flag(true),
            "false" => FieldValue::Flag(false),
            number => FieldValue::Number(number.parse().expect("a number")),
        };
        (value, rest)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::reader::{FieldValue, read};
    use super::*;

    /// What the format makes of a name.
    fn readable(name: &str) -> String {
        let marked = name.is_empty() || name.starts_with('#');
        let characters = name.chars().map(|character| match character {
            '\\' => '/',
            _ if character.is_control() => ' ',
            _ => character,
        });
        marked
            .then_some('_')
            .into_iter()
            .chain(characters)
            .collect()
    }

    #[test]
    fn a_line_is_written_as_documented() {
        let mut writer = LineWriter::default();
        let tags = [
            ("a b", Some("c,d=e f")),
            ("none", None),
            ("empty", Some("")),
        ];
        let mut line = writer.line("m n,o=p", &tags);
        line.number("x y", 1.5);
        line.number("nan", f64::NAN);
        line.text("t", "say \"hi\\\"\n");
        line.flag("f", true);
        line.finish(-7);
        writer.line("dropped", &[]).finish(1);
        let mut unfinished = writer.line("dropped", &[]);
        unfinished.number("x", 1.0);
        drop(unfinished);
        assert_eq!(
            writer.text(),
            "m\\ n\\,o=p,a\\ b=c\\,d\\=e\\ f x\\ y=1.5,t=\"say \\\"hi\\\\\\\"\n\",f=true -7\n"
        );
        assert_eq!(writer.lines(), 1);
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read_back(
            measurement in any::<String>(),
            tag in any::<String>(),
            key in any::<String>(),
            text in "[\\x00-\\x7f\"\\\\,= é]{0,12}",
            number in any::<f64>(),
            time in any::<i64>(),
        ) {
            let mut writer = LineWriter::default();
            for _ in 0..2 {
                let mut line = writer.line(&measurement, &[("tag", Some(&tag)), ("zone", Some("a\\"))]);
                line.text("text", &text);
                line.number("number", number);
                let key = format!("key {key}");
                line.flag(&key, false);
                line.finish(time);
            }
            let points = read(writer.text());
            prop_assert_eq!(points.len(), 2);
            for point in points {
                prop_assert_eq!(&point.measurement, &readable(&measurement));
                prop_assert_eq!(point.tags.get("tag").cloned(), (!tag.is_empty()).then(|| readable(&tag)));
                prop_assert_eq!(point.tags.get("zone").map(String::as_str), Some("a/"));
                prop_assert_eq!(point.time, time);
                prop_assert_eq!(point.fields.get("text"), Some(&FieldValue::Text(text.clone())));
                let read_number = point.fields.get("number").cloned();
                prop_assert_eq!(read_number, number.is_finite().then_some(FieldValue::Number(number)));
                prop_assert_eq!(point.fields.get(&readable(&format!("key {key}"))), Some(&FieldValue::Flag(false)));
            }
        }
    }
}
