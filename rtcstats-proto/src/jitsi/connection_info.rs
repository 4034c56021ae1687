//! The first line of a dump (section 9.1).

use serde::{Deserialize, Serialize};

use crate::json::{write_number, write_text};
use crate::{ClientType, JsonError, RawJson};

/// How a client connected: the details in a `connectionInfo` line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConnectionInfo {
    /// Request target with its query.
    pub path: String,
    /// `Origin` header, or empty. Back-end clients put their host name there.
    pub origin: String,
    /// Origin and path together.
    pub url: String,
    /// `User-Agent` header, or empty.
    pub user_agent: String,
    /// The subprotocol that was selected, or empty.
    pub client_protocol: String,
    /// How reports are shaped, as the writing server derived it; readers derive it again from
    /// [`ConnectionInfo::user_agent`]. Older headers lack it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stats_format: String,
    /// The client type, as the writing server derived it. Older headers lack it.
    #[serde(rename = "clientType", skip_serializing_if = "String::is_empty")]
    pub client_type_name: String,
}

/// Details that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionInfoError {
    /// The JSON inside the string is malformed.
    #[error("connection details are malformed: {0}")]
    Json(#[from] JsonError),
    /// The details have another shape.
    #[error("connection details have an unexpected shape (line {}, column {})", .0.line(), .0.column())]
    Shape(#[source] serde_json::Error),
}

impl ConnectionInfo {
    /// Reads the value of a `connectionInfo` line: an object, or (older servers) a string that
    /// holds one as JSON.
    ///
    /// # Errors
    ///
    /// If it is neither.
    pub fn from_payload(payload: RawJson<'_>) -> Result<Self, ConnectionInfoError> {
        match payload.as_text() {
            Some(text) => RawJson::parse(&text)?.deserialize(),
            None => payload.deserialize(),
        }
        .map_err(ConnectionInfoError::Shape)
    }

    /// The client type, derived anew from the subprotocol.
    pub fn client_type(&self) -> ClientType {
        ClientType::from_subprotocol(&self.client_protocol)
    }

    /// The header line of a dump, without terminator.
    pub fn to_line(&self, timestamp: f64) -> String {
        let mut line = String::from("[\"connectionInfo\",null,{");
        let members = [
            ("path", &self.path),
            ("origin", &self.origin),
            ("url", &self.url),
            ("userAgent", &self.user_agent),
            ("clientProtocol", &self.client_protocol),
            ("statsFormat", &self.stats_format),
            ("clientType", &self.client_type_name),
        ];
        for (index, (name, value)) in members.into_iter().enumerate() {
            if index > 0 {
                line.push(',');
            }
            write_text(name, &mut line);
            line.push(':');
            write_text(value, &mut line);
        }
        line.push_str("},");
        write_number(timestamp, &mut line);
        line.push(']');
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Event;

    #[test]
    fn both_encodings_are_read() {
        let object = r#"{"userAgent":"a","clientProtocol":"1.0_JICOFO","more":1}"#;
        let mut string = String::new();
        write_text(object, &mut string);
        for payload in [object, &string] {
            let info = ConnectionInfo::from_payload(RawJson::parse(payload).unwrap()).unwrap();
            assert_eq!(
                (info.user_agent.as_str(), info.client_type()),
                ("a", ClientType::Jicofo)
            );
        }
    }

    #[test]
    fn the_header_line_reads_back() {
        let info = ConnectionInfo {
            path: "/\"r".to_owned(),
            ..ConnectionInfo::default()
        };
        let line = info.to_line(5.0);
        let event = Event::parse(&line).unwrap();
        assert_eq!(ConnectionInfo::from_payload(event.payload()).unwrap(), info);
        assert_eq!(event.timestamp(), Some(5.0));
    }
}
