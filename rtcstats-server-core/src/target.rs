//! The request target: what its query says, and what of it is stored (5.0 spec, section 12.3).

use std::borrow::Cow;

use form_urlencoded::Serializer;
use url::Url;

/// The query parameter that carries a token.
pub(crate) const TOKEN_PARAMETER: &str = "rtcstats-token";

/// The query of a request target, without `?`.
pub(crate) fn query_of(target: &str) -> &str {
    let target = target.split_once('#').map_or(target, |(target, _)| target);
    target.split_once('?').map_or("", |(_, query)| query)
}

/// The first value of a parameter, percent- and plus-decoded.
pub(crate) fn query_parameter<'a>(query: &'a str, name: &str) -> Option<Cow<'a, str>> {
    form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value)
}

/// The target without its token; as it is if it has none.
pub(crate) fn hide_token(target: &str) -> Cow<'_, str> {
    match query_without_token(query_of(target)) {
        Some(query) => {
            let path = target.split_once('?').map_or(target, |(path, _)| path);
            Cow::Owned(format!("{path}?{query}"))
        }
        None => Cow::Borrowed(target),
    }
}

/// Path and query as the URL standard normalises them, without a token.
pub(crate) fn normalized(target: &str) -> String {
    // The host does not show: it only completes the URL.
    let base = Url::parse("http://localhost");
    let Ok(url) = base.and_then(|base| base.join(target)) else {
        return hide_token(target).into_owned();
    };
    let query = url.query().filter(|query| !query.is_empty());
    match query.map(|query| query_without_token(query).unwrap_or_else(|| query.to_owned())) {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    }
}

/// A query with a token: the first is hidden, others are left out, and all is encoded anew.
fn query_without_token(query: &str) -> Option<String> {
    query_parameter(query, TOKEN_PARAMETER)?;
    let mut serializer = Serializer::new(String::new());
    let mut is_first = true;
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if name != TOKEN_PARAMETER {
            serializer.append_pair(&name, &value);
        } else if std::mem::take(&mut is_first) {
            serializer.append_pair(&name, "obfuscated");
        }
    }
    Some(serializer.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_normalised_as_urls_are() {
        for (target, expected) in [
            ("/?", "/"),
            ("/a/./b/../c", "/a/c"),
            ("//host/path?q", "/path?q"),
            ("/%7Euser/é?b", "/%7Euser/%C3%A9?b"),
            ("/a?q=a%20b", "/a?q=a%20b"),
            ("http://[", "http://["),
        ] {
            assert_eq!(normalized(target), expected);
        }
    }

    #[test]
    fn a_token_is_hidden_wherever_it_stands() {
        for (target, expected) in [
            (
                "/a?rtcstats-token=x&b=%20",
                "/a?rtcstats-token=obfuscated&b=+",
            ),
            ("/a?b&rtcstats%2Dtoken=x", "/a?b=&rtcstats-token=obfuscated"),
            (
                "/a?rtcstats-token=x&rtcstats-token=y",
                "/a?rtcstats-token=obfuscated",
            ),
        ] {
            assert_eq!(normalized(target), expected);
            assert_eq!(hide_token(target), expected);
        }
        assert_eq!(hide_token("/a?b=%20"), "/a?b=%20");
        assert_eq!(
            hide_token("http://[?rtcstats-token=x"),
            "http://[?rtcstats-token=obfuscated"
        );
    }
}
