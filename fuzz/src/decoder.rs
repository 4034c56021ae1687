//! The delta decoder of the Jitsi spec (section 10.2), line by line.

use indexmap::IndexMap;
use serde_json::Value;

/// A JavaScript value as far as stats need it.
#[derive(Debug, Clone, PartialEq)]
enum Js {
    Null,
    Bool(bool),
    /// NaN is kept apart from null: a date made of it is NaN again, one made of null is 0.
    Number(f64),
    Text(String),
    Nested(Value),
}

#[derive(Debug, Clone)]
enum Report {
    /// Members by name; of an array those with an index, and what else was put on it.
    Object {
        is_array: bool,
        members: IndexMap<String, Js>,
    },
    Scalar(Js),
}

/// The state of one connection: the full map.
#[derive(Debug, Default)]
pub struct ReferenceDecoder {
    base: Option<IndexMap<String, Report>>,
}

/// The elements of an array that are written; sparse ones could take any room.
const MAX_ELEMENTS: u32 = 512;

impl ReferenceDecoder {
    /// Takes one report; `false` where this decoder knows not what to do (texts as dates).
    pub fn decode(&mut self, report: &Value) -> bool {
        let Value::Object(delta) = report else {
            return true;
        };
        let Some(base) = &mut self.base else {
            let reports = delta
                .iter()
                .map(|(id, value)| (id.clone(), Report::from(value)));
            self.base = Some(reports.collect());
            return true;
        };
        let mut delta = delta.clone();
        let timestamp = delta
            .shift_remove("timestamp")
            .map(|value| Js::from(&value));
        let delta: Vec<(String, Report)> = delta
            .iter()
            // Lenient: removal.
            .filter(|(_, value)| !value.is_null())
            .map(|(id, value)| (id.clone(), Report::from(value)))
            .collect();
        base.retain(|id, _| {
            delta
                .iter()
                .any(|(other, report)| other == id && report.is_truthy())
        });
        for (id, mut report) in delta {
            match base.get_mut(&id) {
                Some(known) if known.is_truthy() => {
                    let Report::Object { members: known, .. } = known else {
                        continue;
                    };
                    if !report.prepare(known.get("timestamp"), &timestamp) {
                        return false;
                    }
                    for (name, value) in report.into_members() {
                        match value {
                            Some(value) => known.insert(name, value),
                            None => known.shift_remove(&name),
                        };
                    }
                }
                _ => {
                    if let Report::Object {
                        is_array: false,
                        members,
                    } = &mut report
                        && members.get("timestamp") == Some(&Js::Number(0.0))
                    {
                        match &timestamp {
                            Some(timestamp) => {
                                members.insert("timestamp".into(), timestamp.clone())
                            }
                            None => members.shift_remove("timestamp"),
                        };
                    }
                    base.insert(id, report);
                }
            }
        }
        true
    }

    /// The full map as JSON, and its ids in JavaScript's order.
    pub fn state(&self) -> (Value, Vec<&str>) {
        let base = self.base.iter().flatten();
        let state = base
            .clone()
            .map(|(id, report)| (id.clone(), report.to_json()))
            .collect();
        let mut ids: Vec<&str> = base.map(|(id, _)| id.as_str()).collect();
        // Stable: those that are no index stay as they came.
        ids.sort_by_key(|id| array_index(id).map_or((1, 0), |index| (0, index)));
        (state, ids)
    }
}

impl Report {
    fn is_truthy(&self) -> bool {
        match self {
            Self::Object { .. } => true,
            Self::Scalar(value) => value.is_truthy(),
        }
    }

    /// Completes the timestamp before the members are copied; `false` where that is unknown.
    fn prepare(&mut self, known: Option<&Js>, timestamp: &Option<Js>) -> bool {
        let Self::Object { is_array, members } = self else {
            return true;
        };
        let own = members.get("timestamp").filter(|_| !*is_array);
        if own == Some(&Js::Number(0.0)) {
            let value = timestamp.clone().unwrap_or(UNDEFINED);
            members.insert("timestamp".into(), value);
        } else if !own.is_some_and(Js::is_truthy) {
            let Some(kept) = milliseconds(known) else {
                return false;
            };
            members.insert("timestamp".into(), Js::Number(kept));
        }
        true
    }

    /// What is copied member by member; `None` for `undefined`.
    fn into_members(self) -> Vec<(String, Option<Js>)> {
        match self {
            Self::Object { members, .. } => members
                .into_iter()
                .map(|(name, value)| (name, (value != UNDEFINED).then_some(value)))
                .collect(),
            Self::Scalar(Js::Text(text)) => text
                .chars()
                .enumerate()
                .map(|(index, character)| (index.to_string(), Some(Js::Text(character.into()))))
                .collect(),
            Self::Scalar(_) => Vec::new(),
        }
    }

    fn to_json(&self) -> Value {
        match self {
            Self::Object {
                is_array: false,
                members,
            } => members
                .iter()
                .map(|(name, value)| (name.clone(), value.to_json()))
                .collect(),
            Self::Object {
                is_array: true,
                members,
            } => {
                let indices = members.keys().filter_map(|name| array_index(name));
                let length = indices
                    .filter(|index| *index < MAX_ELEMENTS)
                    .max()
                    .map_or(0, |last| last + 1);
                (0..length)
                    .map(|index| {
                        members
                            .get(&index.to_string())
                            .map_or(Value::Null, Js::to_json)
                    })
                    .collect()
            }
            Self::Scalar(value) => value.to_json(),
        }
    }
}

/// Stands for `undefined` on its way from a report to the map; no JSON text reads as it.
const UNDEFINED: Js = Js::Nested(Value::Null);

impl From<&Value> for Report {
    fn from(value: &Value) -> Self {
        match value {
            Value::Object(members) => Self::Object {
                is_array: false,
                members: members
                    .iter()
                    .map(|(name, value)| (name.clone(), Js::from(value)))
                    .collect(),
            },
            Value::Array(elements) => Self::Object {
                is_array: true,
                members: elements
                    .iter()
                    .enumerate()
                    .map(|(index, value)| (index.to_string(), Js::from(value)))
                    .collect(),
            },
            scalar => Self::Scalar(Js::from(scalar)),
        }
    }
}

impl From<&Value> for Js {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(_) => Self::Number(super::number(value).unwrap_or(f64::NAN)),
            Value::String(text) => Self::Text(text.clone()),
            nested => Self::Nested(nested.clone()),
        }
    }
}

impl Js {
    fn is_truthy(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(value) => *value,
            Self::Number(number) => *number != 0.0 && !number.is_nan(),
            Self::Text(text) => !text.is_empty(),
            Self::Nested(_) => true,
        }
    }

    fn to_json(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Number(number) => Value::from(*number),
            Self::Text(text) => Value::String(text.clone()),
            Self::Nested(value) => value.clone(),
        }
    }
}

/// `new Date(value).getTime()`; `None` for texts, which engines read in their own ways.
fn milliseconds(value: Option<&Js>) -> Option<f64> {
    let number = match value {
        None | Some(Js::Nested(_)) => f64::NAN,
        Some(Js::Null) => 0.0,
        Some(Js::Bool(value)) => f64::from(u8::from(*value)),
        Some(Js::Number(number)) => *number,
        Some(Js::Text(_)) => return None,
    };
    Some(if number.abs() <= 8.64e15 {
        number.trunc()
    } else {
        f64::NAN
    })
}

pub(crate) fn array_index(name: &str) -> Option<u32> {
    let index: u32 = name.parse().ok()?;
    (index != u32::MAX && index.to_string() == name).then_some(index)
}
