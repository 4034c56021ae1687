//! Where a server is.

use std::str::FromStr;

/// The address of a server, for WebSockets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// `ws://host:port/path`, without a slash at its end.
    base: String,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (scheme, rest) = match text.split_once("://") {
            Some(("ws" | "http", rest)) => ("ws", rest),
            Some(("wss" | "https", rest)) => ("wss", rest),
            Some((scheme, _)) => {
                return Err(format!("{scheme}:// is none of ws, wss, http and https"));
            }
            None => ("ws", text),
        };
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let rest = rest.trim_end_matches('/');
        if rest.is_empty() || rest.starts_with('/') {
            return Err("no host in it; for example ws://127.0.0.1:3000".to_owned());
        }
        Ok(Self {
            base: format!("{scheme}://{rest}"),
        })
    }
}

impl Target {
    /// The URL of a path below it, which begins with a slash.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_named_as_people_know_them() {
        let url = |text: &str| text.parse::<Target>().map(|target| target.url("/room"));
        assert_eq!(url("127.0.0.1:3000").unwrap(), "ws://127.0.0.1:3000/room");
        assert_eq!(url("http://a:1/").unwrap(), "ws://a:1/room");
        assert_eq!(url("https://a/ws?x=1").unwrap(), "wss://a/ws/room");
        assert!(url("ftp://a").is_err());
        assert!(url("ws:///room").is_err());
    }
}
