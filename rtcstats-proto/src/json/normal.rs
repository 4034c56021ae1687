//! The text that `JSON.stringify(JSON.parse(text))` yields.

use std::collections::HashMap;

use super::{JsonKind, RawJson, Reader, Token, write_number, write_text};
use crate::Limits;
use crate::stats::array_index;

/// Appends `value` as JavaScript writes it after it has read it: no white space, numbers and
/// escapes in their shortest form, of repeated members the first place and the last value, and
/// members that are named like array indices in front.
pub(crate) fn write_normal(value: RawJson<'_>, out: &mut String) {
    match value.kind() {
        JsonKind::Array => {
            out.push('[');
            for (index, element) in value.elements().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_normal(element, out);
            }
            out.push(']');
        }
        JsonKind::Object => write_members(value, out),
        JsonKind::Number => write_number(value.as_number().unwrap_or(f64::NAN), out),
        JsonKind::Text => write_string(value, out),
        JsonKind::Null | JsonKind::Bool => out.push_str(value.as_str()),
    }
}

fn write_members(object: RawJson<'_>, out: &mut String) {
    let mut members: Vec<(Option<u32>, _, RawJson<'_>)> = Vec::new();
    let mut places = HashMap::new();
    for (name, value) in object.members() {
        let place = *places.entry(name.clone()).or_insert(members.len());
        match members.get_mut(place) {
            Some((_, _, known)) => *known = value,
            None => members.push((array_index(&name), name, value)),
        }
    }
    // `None` would come first; the order of those that are equal stays.
    members.sort_by_key(|(index, _, _)| index.map_or(u64::MAX, u64::from));
    out.push('{');
    for (place, (_, name, value)) in members.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        write_text(name, out);
        out.push(':');
        write_normal(*value, out);
    }
    out.push('}');
}

fn write_string(value: RawJson<'_>, out: &mut String) {
    let Ok(Token::Text(text)) = Reader::new(value.as_str(), Limits::MAX_DEPTH).token() else {
        return;
    };
    // What may be half of a character does not survive being resolved.
    let has_surrogates = text.written.contains("\\ud") || text.written.contains("\\uD");
    if has_surrogates {
        out.push_str(value.as_str());
    } else {
        write_text(&text.resolve(), out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_what_javascript_would_write() {
        let mut out = String::new();
        let text =
            r#" { "b" : 1.50, "10":[ 1e3 , null ], "2":"\u0041\/", "007":{}, "b":"\ud800" } "#;
        write_normal(RawJson::parse(text).unwrap(), &mut out);
        assert_eq!(out, r#"{"2":"A/","10":[1000,null],"b":"\ud800","007":{}}"#);
    }
}
