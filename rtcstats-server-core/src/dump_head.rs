//! What the head of a dump says of the client.

use rtcstats_proto::{Event, Generation, Method, RawJson};
use serde::{Serialize, Serializer};

/// What the head of a dump says of the client, whatever its generation. Absent is what it does not
/// say, or says in another form than servers write.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct DumpHead {
    /// How the client speaks: `jitsi`, `rtcstats` or `legacy`. Absent before the first line.
    #[serde(
        serialize_with = "generation_name",
        skip_serializing_if = "Option::is_none"
    )]
    pub generation: Option<Generation>,
    /// The target of its request; in other generations than 5.0 with the origin in front.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its `Origin` header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Its `User-Agent` header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// The WebSocket subprotocol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_protocol: Option<String>,
    /// The version of the dump's format; Jitsi's has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_format: Option<u32>,
    /// Continent of its address in English, if the server looked it up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location_continent: Option<String>,
    /// Country of its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location_country: Option<String>,
    /// City of its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location_city: Option<String>,
}

impl DumpHead {
    /// Takes a line of the head.
    pub(crate) fn take(&mut self, line: &str) {
        let line = line.trim_end();
        if line.starts_with('{') {
            if let Ok(object) = RawJson::parse(line) {
                self.take_object(object);
            }
            return;
        }
        let Ok(event) = Event::parse(line) else {
            return;
        };
        if event.method() != Some(Method::ConnectionInfo) {
            return;
        }
        // Older servers wrote the object as a text.
        match event.payload().as_text() {
            Some(text) => {
                if let Ok(object) = RawJson::parse(&text) {
                    self.take_object(object);
                }
            }
            None => self.take_object(event.payload()),
        }
    }

    fn take_object(&mut self, object: RawJson<'_>) {
        let text = |name| {
            let text = object.get(name).and_then(RawJson::as_text)?;
            Some(text.into_owned()).filter(|text| !text.is_empty())
        };
        self.url = text("url");
        self.origin = text("origin");
        self.user_agent = text("userAgent");
        self.client_protocol = text("clientProtocol");
        self.file_format = object
            .get("fileFormat")
            .and_then(RawJson::as_number)
            .map(|version| version as u32);
        let Some(location) = object
            .get("locations")
            .and_then(|locations| locations.elements().next())
        else {
            return;
        };
        let name = |part| {
            let names = location.get(part)?.get("names")?;
            Some(names.get("en")?.as_text()?.into_owned())
        };
        self.location_continent = name("continent");
        self.location_country = name("country");
        self.location_city = name("city");
    }
}

#[expect(clippy::ref_option, reason = "serde passes references")]
fn generation_name<S: Serializer>(
    generation: &Option<Generation>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    generation.map(Generation::as_str).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn head(lines: &[&str]) -> serde_json::Value {
        let mut head = DumpHead::default();
        lines.iter().for_each(|line| head.take(line));
        serde_json::to_value(head).unwrap()
    }

    #[test]
    fn each_generation_says_who_connected() {
        let object = r#"{"url":"/room","origin":"https://h","userAgent":"A","clientProtocol":"p"}"#;
        let expected =
            json!({"url": "/room", "origin": "https://h", "userAgent": "A", "clientProtocol": "p"});
        assert_eq!(head(&["RTCStatsDump", object]), expected);
        assert_eq!(
            head(&[object, r#"["publicIP",null,["192.0.2.1"],5]"#]),
            expected
        );
        let jitsi = format!(r#"["connectionInfo",null,{object},5]"#);
        assert_eq!(head(&[&jitsi]), expected);
        let text = json!(["connectionInfo", null, object, 5]).to_string();
        assert_eq!(head(&[&text]), expected);
    }

    #[test]
    fn the_location_is_that_of_the_first_address() {
        let object = json!({
            "fileFormat": 3,
            "locations": [{"country": {"names": {"de": "Chile", "en": "Chile"}}, "city": 7}, {"city": {"names": {"en": "Rome"}}}],
        });
        assert_eq!(
            head(&[&object.to_string()]),
            json!({"fileFormat": 3, "locationCountry": "Chile"})
        );
    }

    #[test]
    fn other_lines_say_nothing() {
        for line in [
            "",
            "{",
            "[",
            "7",
            r#"["x",null,{"url":"u"},5]"#,
            r#"{"url":7,"origin":""}"#,
        ] {
            assert_eq!(head(&[line]), json!({}), "{line}");
        }
    }
}
