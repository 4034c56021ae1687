//! Where a session is.

use std::str::FromStr;

use reqwest::Url;

/// A server, and a session if the URL names one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// Of the server, with a slash at its end.
    base: Url,
    /// As it is in URLs.
    pub(super) session: Option<String>,
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = if text.contains("://") {
            text.to_owned()
        } else {
            format!("http://{text}")
        };
        let mut base: Url = text.parse().map_err(|error| format!("{error}"))?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err("neither http:// nor https://".to_owned());
        }
        base.set_query(None);
        base.set_fragment(None);
        let path = base.path().to_owned();
        let (before, session) = match path.split_once("/sessions/") {
            Some((before, rest)) => {
                let session = rest.split('/').next().unwrap_or_default();
                let before = before.strip_suffix("/api").unwrap_or(before);
                (before, Some(session.to_owned()))
            }
            None => (path.trim_end_matches('/'), None),
        };
        base.set_path(&format!("{before}/"));
        Ok(Self {
            base,
            session: session.filter(|session| !session.is_empty()),
        })
    }
}

impl Address {
    /// The server itself.
    pub(super) fn server(&self) -> &str {
        self.base.as_str()
    }

    /// The URL of something in the API.
    pub(super) fn api(&self, path: &str) -> String {
        format!("{}api/{path}", self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_and_api_lead_to_the_same_session() {
        let address = |text: &str| text.parse::<Address>();
        let page = address("http://host:3000/sessions/a-b#from=5").unwrap();
        assert_eq!(page.session.as_deref(), Some("a-b"));
        assert_eq!(
            page.api("sessions/a-b/live"),
            "http://host:3000/api/sessions/a-b/live"
        );
        assert_eq!(
            address("host:3000/api/sessions/a-b/live?x=1").unwrap(),
            page
        );
        assert_eq!(address("host:3000/api/sessions/a-b").unwrap(), page);
        let below = address("https://host/rtcstats/sessions/a").unwrap();
        assert_eq!(below.api("x"), "https://host/rtcstats/api/x");
        let server = address("http://host:3000").unwrap();
        assert_eq!(
            (server.session.as_ref(), server.server()),
            (None, "http://host:3000/")
        );
        assert!(address("ftp://host").is_err());
    }
}
