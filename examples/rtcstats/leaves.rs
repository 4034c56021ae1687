//! The leaves of JSON trees, by name.

use std::collections::BTreeSet;

use serde_json::Value;

/// A leaf of one or several trees of the same shape.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Leaf<'a, const N: usize> {
    /// The way to it: `aggregates.PC_0.tracks[3].kind`.
    pub(crate) name: String,
    /// Its value in each of the trees that have it.
    pub(crate) values: [Option<&'a Value>; N],
}

/// All leaves of the trees: what is neither object nor array, and those of them that are empty.
pub(crate) fn leaves<'a, const N: usize>(trees: [&'a Value; N]) -> Vec<Leaf<'a, N>> {
    let mut found = Vec::new();
    walk("", trees.map(Some), &mut found);
    found
}

/// Trees are as deep as features are: by construction, not by what clients send.
fn walk<'a, const N: usize>(
    name: &str,
    values: [Option<&'a Value>; N],
    found: &mut Vec<Leaf<'a, N>>,
) {
    let scalars = values.map(|value| value.filter(|value| is_leaf(value)));
    if scalars.iter().any(Option::is_some) {
        let name = name.to_owned();
        let values = scalars;
        found.push(Leaf { name, values });
    }
    let objects = values.map(|value| value.and_then(Value::as_object));
    let keys: BTreeSet<&String> = objects
        .iter()
        .flatten()
        .flat_map(|object| object.keys())
        .collect();
    for key in keys {
        let separator = if name.is_empty() { "" } else { "." };
        let child = format!("{name}{separator}{key}");
        walk(&child, objects.map(|object| object?.get(key)), found);
    }
    let arrays = values.map(|value| value.and_then(Value::as_array));
    let longest = arrays.iter().flatten().map(|array| array.len()).max();
    for index in 0..longest.unwrap_or_default() {
        let child = format!("{name}[{index}]");
        walk(&child, arrays.map(|array| array?.get(index)), found);
    }
}

fn is_leaf(value: &Value) -> bool {
    match value {
        Value::Object(object) => object.is_empty(),
        Value::Array(array) => array.is_empty(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn leaves_of_several_trees_stand_side_by_side() {
        let one = json!({"a": {"b": 1}, "c": [1, {"d": "x"}], "e": {}, "f": 1});
        let other = json!({"a": {"b": 2, "z": null}, "c": [1], "f": {"g": true}});
        let found: Vec<_> = leaves([&one, &other])
            .into_iter()
            .map(|leaf| {
                (
                    leaf.name,
                    leaf.values.map(|value| value.map(Value::to_string)),
                )
            })
            .collect();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            found,
            [
                ("a.b".to_owned(), [text("1"), text("2")]),
                ("a.z".to_owned(), [None, text("null")]),
                ("c[0]".to_owned(), [text("1"), text("1")]),
                ("c[1].d".to_owned(), [text("\"x\""), None]),
                ("e".to_owned(), [text("{}"), None]),
                ("f".to_owned(), [text("1"), None]),
                ("f.g".to_owned(), [None, text("true")]),
            ]
        );
    }
}
