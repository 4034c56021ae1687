//! What InfluxDB answers to queries.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::super::interval::Sum;
use super::super::store::{CallSum, StoreError};

#[derive(Deserialize)]
pub(super) struct Answer {
    #[serde(default)]
    results: Vec<Statement>,
    error: Option<String>,
}

/// The result of a statement.
#[derive(Deserialize)]
struct Statement {
    #[serde(default)]
    series: Vec<Series>,
    error: Option<String>,
}

/// Rows of the same tags.
#[derive(Deserialize)]
pub(super) struct Series {
    #[serde(default)]
    pub(super) tags: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) values: Vec<Vec<Value>>,
}

impl Answer {
    /// The rows of all statements.
    pub(super) fn series(self) -> Result<Vec<Series>, StoreError> {
        let mut found = Vec::new();
        let mut error = self.error;
        for statement in self.results {
            error = error.or(statement.error);
            found.extend(statement.series);
        }
        match error {
            // Errors of statements come with the status 200.
            Some(message) => Err(StoreError::Refused {
                status: 200,
                message,
            }),
            None => Ok(found),
        }
    }
}

impl Series {
    /// Its rows of time, sum and count.
    pub(super) fn sums(&self, call: &str) -> impl Iterator<Item = CallSum> {
        self.values.iter().filter_map(move |row| {
            let [time, sum, count] = row.as_slice() else {
                return None;
            };
            Some(CallSum {
                call: call.to_owned(),
                bucket: time.as_i64()?,
                sum: Sum {
                    sum: sum.as_f64()?,
                    count: count.as_u64()?,
                },
            })
        })
    }
}
