//! What a server sends of a session, as far as it is used here.

use serde::Deserialize;
use serde_json::Value;

/// A view, or an update of one.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct View {
    pub(super) session: Value,
    pub(super) connections: Vec<Connection>,
    pub(super) events: Vec<Event>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Connection {
    pub(super) id: String,
    /// The place of the first time among all, in updates.
    pub(super) from: usize,
    /// In Unix epoch milliseconds.
    pub(super) times: Vec<f64>,
    pub(super) objects: Vec<Object>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Object {
    pub(super) id: String,
    /// Only in the first update that has it.
    pub(super) r#type: Option<String>,
    pub(super) series: Vec<Series>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Series {
    pub(super) name: String,
    /// Only in the first update that has it.
    pub(super) unit: Option<String>,
    /// The place of the first value among all times.
    pub(super) first: usize,
    pub(super) values: Vec<Option<f64>>,
}

#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Event {
    pub(super) ms: Option<f64>,
    pub(super) connection: Option<String>,
    pub(super) category: String,
    pub(super) name: String,
    pub(super) text: String,
}

impl Series {
    /// Its value at the last of the times.
    pub(super) fn last(&self, connection: &Connection) -> Option<f64> {
        let last = (connection.from + connection.times.len()).checked_sub(1)?;
        let place = last.checked_sub(self.first)?;
        self.values.get(place).copied().flatten()
    }
}
