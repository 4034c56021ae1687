//! The numbers of a connection that are shown.

use std::collections::HashMap;

use super::view::{Connection, Object};
use crate::plot::Pattern;

/// A number and what it is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Number {
    pub(super) name: String,
    pub(super) value: f64,
    pub(super) unit: String,
}

/// What updates say once only.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// Of connection and object.
    types: HashMap<[String; 2], String>,
    /// Of connection, object and series.
    units: HashMap<[String; 3], String>,
}

impl Numbers {
    /// Forgets all: a whole view comes.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Keeps what later updates do not repeat.
    pub(super) fn learn(&mut self, connection: &Connection) {
        for object in &connection.objects {
            if let Some(name) = &object.r#type {
                let key = [connection.id.clone(), object.id.clone()];
                self.types.insert(key, name.clone());
            }
            for series in &object.series {
                if let Some(unit) = series.unit.as_ref().filter(|unit| !unit.is_empty()) {
                    let key = [
                        connection.id.clone(),
                        object.id.clone(),
                        series.name.clone(),
                    ];
                    self.units.insert(key, unit.clone());
                }
            }
        }
    }

    /// The last values of the series that are like one of the patterns.
    pub(super) fn of_series(&self, connection: &Connection, patterns: &[Pattern]) -> Vec<Number> {
        let mut numbers = Vec::new();
        for object in &connection.objects {
            for series in &object.series {
                let is_wanted = patterns
                    .iter()
                    .any(|pattern| pattern.is_like(&connection.id, &object.id, &series.name));
                if !is_wanted {
                    continue;
                }
                let Some(value) = series.last(connection) else {
                    continue;
                };
                let key = [
                    connection.id.clone(),
                    object.id.clone(),
                    series.name.clone(),
                ];
                numbers.push(Number {
                    name: format!("{}/{}", object.id, series.name),
                    value,
                    unit: self.units.get(&key).cloned().unwrap_or_default(),
                });
            }
        }
        numbers
    }

    /// How the connection does: what it sends and receives, how long packets take, and how many are lost.
    pub(super) fn of_connection(&self, connection: &Connection) -> Vec<Number> {
        let values = |kind: &str, name: &str| -> Vec<f64> {
            let objects = connection.objects.iter();
            objects
                .filter(|object| self.is_of(connection, object, kind))
                .flat_map(|object| &object.series)
                .filter(|series| series.name == name)
                .filter_map(|series| series.last(connection))
                .collect()
        };
        let sum = |values: Vec<f64>| (!values.is_empty()).then(|| values.iter().sum::<f64>());
        let greatest = |values: Vec<f64>| values.into_iter().reduce(f64::max);
        let to_milliseconds = |seconds: f64| seconds * 1_000.0;
        let round_trip = greatest(values("candidate-pair", "currentRoundTripTime"));
        let found = [
            (
                "sent",
                sum(values("outbound-rtp", "[bytesSent_in_bits/s]")),
                "bit/s",
            ),
            (
                "received",
                sum(values("inbound-rtp", "[bytesReceived_in_bits/s]")),
                "bit/s",
            ),
            ("rtt", round_trip.map(to_milliseconds), "ms"),
            ("lost", sum(values("inbound-rtp", "packetsLost")), ""),
            (
                "fps",
                greatest(values("inbound-rtp", "framesPerSecond")),
                "",
            ),
        ];
        let found = found.into_iter().filter_map(|(name, value, unit)| {
            Some(Number {
                name: name.to_owned(),
                value: value?,
                unit: unit.to_owned(),
            })
        });
        found.collect()
    }

    fn is_of(&self, connection: &Connection, object: &Object, kind: &str) -> bool {
        let key = [connection.id.clone(), object.id.clone()];
        self.types.get(&key).is_some_and(|own| own == kind)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn updates_are_understood_by_what_came_before() {
        let first: Connection = serde_json::from_value(json!({
            "id": "PC_0", "times": [1000.0, 2000.0], "objects": [
                { "id": "O", "type": "outbound-rtp", "series": [
                    { "name": "[bytesSent_in_bits/s]", "unit": "bit/s", "first": 1, "values": [8000] },
                ] },
                { "id": "I", "type": "inbound-rtp", "series": [
                    { "name": "packetsLost", "unit": "", "first": 0, "values": [1] },
                ] },
            ],
        }))
        .unwrap();
        let mut numbers = Numbers::default();
        numbers.learn(&first);
        let shown = |numbers: &[Number]| {
            let shown = numbers
                .iter()
                .map(|number| (number.name.clone(), number.value));
            shown.collect::<Vec<_>>()
        };
        // What is lost is not known at the last time.
        assert_eq!(
            shown(&numbers.of_connection(&first)),
            [("sent".to_owned(), 8_000.0)]
        );
        let update: Connection = serde_json::from_value(json!({
            "id": "PC_0", "from": 2, "times": [3000.0], "objects": [
                { "id": "O", "series": [{ "name": "[bytesSent_in_bits/s]", "first": 2, "values": [16000] }] },
                { "id": "I", "series": [{ "name": "packetsLost", "first": 2, "values": [null] }] },
            ],
        }))
        .unwrap();
        numbers.learn(&update);
        assert_eq!(
            shown(&numbers.of_connection(&update)),
            [("sent".to_owned(), 16_000.0)]
        );
        let found = numbers.of_series(&update, &["*".parse().unwrap()]);
        assert_eq!(
            shown(&found),
            [("O/[bytesSent_in_bits/s]".to_owned(), 16_000.0)]
        );
        assert!(found.iter().all(|number| number.unit == "bit/s"));
    }
}
