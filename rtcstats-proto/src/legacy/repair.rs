//! What the legacy server puts right before it writes a message down (section 1.1).

use crate::json::{JsonError, Reader, write_text};
use crate::{Limits, RawJson};

/// Repairs an event line of an old client; `false` if there is nothing to repair.
///
/// Appends the repaired line to `out`, or nothing. What no repair concerns is kept byte by byte:
///
/// * a name that ends in `OnError` ends in `OnFailure`;
/// * the object `constraintsOptional` of a `constraints` event becomes the list `optional`, with one
///   object for each of its members;
/// * a `getstats` event with a member `values` has that object for its value, with the event's
///   `timestamp` inside.
///
/// A line that is no event array is left as it is.
///
/// ```
/// let mut line = String::new();
/// let old = r#"["createOfferOnError","PC_0", "InvalidStateError",1700000000123]"#;
/// assert!(rtcstats_proto::legacy::repair(old, &mut line));
/// assert_eq!(line, r#"["createOfferOnFailure","PC_0", "InvalidStateError",1700000000123]"#);
/// ```
pub fn repair(line: &str, out: &mut String) -> bool {
    const MARKS: [&str; 3] = ["OnError", "\"constraintsOptional\"", "\"values\""];
    // Almost no line needs it, and reports are long.
    let is_suspect = MARKS
        .iter()
        .any(|mark| memchr::memmem::find(line.as_bytes(), mark.as_bytes()).is_some());
    if !is_suspect {
        return false;
    }
    let Ok(Some(parts)) = Parts::of(line) else {
        return false;
    };
    let start = out.len();
    let is_repaired = parts.repair(out);
    if !is_repaired {
        out.truncate(start);
    }
    is_repaired
}

/// An event line in pieces.
struct Parts<'a> {
    before_name: &'a str,
    name: RawJson<'a>,
    before_value: &'a str,
    value: RawJson<'a>,
    tail: &'a str,
}

impl<'a> Parts<'a> {
    /// None if there is no third element.
    fn of(line: &'a str) -> Result<Option<Self>, JsonError> {
        let mut reader = Reader::new(line, Limits::default().depth);
        reader.expect(b'[')?;
        let name = RawJson::trusted(reader.value()?);
        let behind_name = reader.position();
        if !reader.more(b']')? {
            return Ok(None);
        }
        reader.value()?;
        if !reader.more(b']')? {
            return Ok(None);
        }
        let value = RawJson::trusted(reader.value()?);
        let behind_value = reader.position();
        while reader.more(b']')? {
            reader.value()?;
        }
        reader.finish()?;
        let piece = |start, end| line.get(start..end).unwrap_or_default();
        Ok(Some(Self {
            before_name: piece(0, reader.offset_of(name.as_str())),
            name,
            before_value: piece(behind_name, reader.offset_of(value.as_str())),
            value,
            tail: piece(behind_value, line.len()),
        }))
    }

    /// Appends the line, and says whether it differs.
    fn repair(&self, out: &mut String) -> bool {
        out.push_str(self.before_name);
        let is_renamed = self.write_name(out);
        out.push_str(self.before_value);
        let is_replaced = match self.name.as_text().as_deref() {
            Some("constraints") => write_constraints(self.value, out),
            Some("getstats") => write_report(self.value, out),
            _ => false,
        };
        if !is_replaced {
            out.push_str(self.value.as_str());
        }
        out.push_str(self.tail);
        is_renamed || is_replaced
    }

    fn write_name(&self, out: &mut String) -> bool {
        let name = self.name.as_text();
        match name
            .as_deref()
            .and_then(|name| name.strip_suffix("OnError"))
        {
            Some(call) => {
                write_text(&format!("{call}OnFailure"), out);
                true
            }
            None => {
                out.push_str(self.name.as_str());
                false
            }
        }
    }
}

/// Writes the members, with the list behind the others.
fn write_constraints(value: RawJson<'_>, out: &mut String) -> bool {
    let Some(optional) = value.get("constraintsOptional").filter(is_object) else {
        return false;
    };
    out.push('{');
    for (name, member) in value.members() {
        if name != "constraintsOptional" && name != "optional" {
            write_member(&name, member, out);
            out.push(',');
        }
    }
    out.push_str("\"optional\":[");
    for (index, (name, member)) in optional.members().enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push('{');
        write_member(&name, member, out);
        out.push('}');
    }
    out.push_str("]}");
    true
}

fn write_report(value: RawJson<'_>, out: &mut String) -> bool {
    let Some(values) = value.get("values").filter(is_object) else {
        return false;
    };
    let Some(timestamp) = value.get("timestamp") else {
        out.push_str(values.as_str());
        return true;
    };
    out.push('{');
    for (name, member) in values.members() {
        if name != "timestamp" {
            write_member(&name, member, out);
            out.push(',');
        }
    }
    write_member("timestamp", timestamp, out);
    out.push('}');
    true
}

fn is_object(value: &RawJson<'_>) -> bool {
    value.as_str().starts_with('{')
}

fn write_member(name: &str, value: RawJson<'_>, out: &mut String) {
    write_text(name, out);
    out.push(':');
    out.push_str(value.as_str());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn repaired(line: &str) -> Option<String> {
        let mut out = String::from("before");
        let is_repaired = repair(line, &mut out);
        let rest = out.strip_prefix("before").unwrap().to_owned();
        assert_eq!(is_repaired, !rest.is_empty());
        is_repaired.then_some(rest)
    }

    #[test]
    fn errors_are_failures() {
        assert_eq!(
            repaired("[ \"addIceCandidateOnError\" , \"PC_0\",\t\"x\\u00e9 OnError\", 5 ]")
                .unwrap(),
            "[ \"addIceCandidateOnFailure\" , \"PC_0\",\t\"x\\u00e9 OnError\", 5 ]"
        );
        assert_eq!(
            repaired(r#"["addIceCandidateOnFailure","PC_0","OnError",5]"#),
            None
        );
        assert_eq!(repaired(r#"["OnErrors","PC_0",null,5]"#), None);
    }

    #[test]
    fn optional_constraints_become_a_list() {
        let line = r#"["constraints","PC_0",{"mandatory":{"a":1.0},"constraintsOptional":{"rtcStatsClientId":"c","x":[1, 2]},"optional":0},5]"#;
        assert_eq!(
            repaired(line).unwrap(),
            r#"["constraints","PC_0",{"mandatory":{"a":1.0},"optional":[{"rtcStatsClientId":"c"},{"x":[1, 2]}]},5]"#
        );
        let line = r#"["constraints","PC_0",{"constraintsOptional":{}},5]"#;
        assert_eq!(
            repaired(line).unwrap(),
            r#"["constraints","PC_0",{"optional":[]},5]"#
        );
        for value in [
            r#"{"constraintsOptional":[]}"#,
            r#""constraintsOptional""#,
            "null",
        ] {
            assert_eq!(
                repaired(&format!(r#"["constraints","PC_0",{value},5]"#)),
                None
            );
        }
        assert_eq!(
            repaired(r#"["create","PC_0",{"constraintsOptional":{}},5]"#),
            None
        );
    }

    #[test]
    fn values_are_the_report() {
        let line = r#"["getstats","PC_0",{"timestamp":7.50,"values":{"T":{"timestamp":0},"timestamp":1}},5]"#;
        assert_eq!(
            repaired(line).unwrap(),
            r#"["getstats","PC_0",{"T":{"timestamp":0},"timestamp":7.50},5]"#
        );
        let line = r#"["getstats","PC_0",{"values":{"T": 1}},5]"#;
        assert_eq!(repaired(line).unwrap(), r#"["getstats","PC_0",{"T": 1},5]"#);
        assert_eq!(
            repaired(r#"["getstats","PC_0",{"T":{"values":{}}},5]"#),
            None
        );
    }

    #[test]
    fn what_is_no_event_is_left_alone() {
        for line in [
            "",
            "\"xOnError\"",
            r#"{"name":"xOnError"}"#,
            r#"["xOnError"]"#,
            r#"["xOnError",null,1"#,
            r#"["xOnError",null,1]]"#,
            r#"["xOnError",null,{]"#,
        ] {
            assert_eq!(repaired(line), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn once_is_enough(
            name in prop::sample::select(vec!["xOnError", "OnErrorOnError", "constraints", "getstats"]),
            value in prop::sample::select(vec![
                r#"{"values":{"a":{"b":1}},"timestamp":5}"#,
                r#"{"constraintsOptional":{"a":1,"b":{}}}"#,
                "null",
            ]),
        ) {
            let line = format!(r#"["{name}",null,{value},5]"#);
            if let Some(once) = repaired(&line) {
                let twice = repaired(&once);
                prop_assert!(twice.is_none(), "{once}");
                RawJson::parse(&once).unwrap();
            }
        }

        #[test]
        fn no_text_panics(text in ".{0,20}(OnError|\"values\"|\\[|\\{|\"|,){0,8}.{0,20}") {
            repaired(&text);
        }
    }
}
