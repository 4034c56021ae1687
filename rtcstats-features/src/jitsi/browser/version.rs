//! The version of a browser (§14.2).

use super::known_browsers::{Browser, SAFARI};
use super::matching::{Hit, dotted_number, hits};

/// The version of the browser that `text` is about.
pub(super) fn version_of(text: &str, browser: &Browser) -> Option<String> {
    let webkit_build = version_after(text, &["AppleWebKit"]);
    let safari_build = version_after(text, &["Safari"]);
    let version = [
        SPECIFIC_VERSIONS,
        &["Version"],
        browser.tokens,
        GECKO_VERSIONS,
    ]
    .into_iter()
    .find_map(|tokens| version_after(text, tokens))
    .filter(|version| Some(*version) != webkit_build && Some(*version) != safari_build);
    let is_safari = browser.name == SAFARI.name;
    match version {
        Some(version) if !is_safari || leading_number(version) <= Some(LAST_SAFARI) => {
            Some(version.to_owned())
        }
        _ if is_safari => safari_of_build(webkit_build?),
        _ => None,
    }
}

/// The number behind the leftmost of the tokens that has one.
pub(super) fn version_after<'t>(text: &'t str, tokens: &[&str]) -> Option<&'t str> {
    tokens
        .iter()
        .filter_map(|token| {
            hits(text, token).filter(Hit::starts_word).find_map(|hit| {
                let number = hit.after.strip_prefix(['/', ' ', '-'])?;
                Some((hit.before.len(), dotted_number(number)?))
            })
        })
        .min_by_key(|(at, _)| *at)
        .map(|(_, version)| version)
}

/// The version of the Safari that came with this build of WebKit.
fn safari_of_build(webkit_build: &str) -> Option<String> {
    let build = leading_number(webkit_build)?;
    SAFARI_OF_WEBKIT
        .iter()
        .find_map(|(first_build, safari)| (build >= *first_build).then(|| format!("{safari}.x")))
}

/// Major and minor version as one number.
pub(super) fn leading_number(version: &str) -> Option<f64> {
    let mut numbers = version.splitn(3, '.');
    let major = numbers.next()?;
    let minor = numbers.next().unwrap_or_default();
    format!("{major}.{minor}").parse().ok()
}

/// The browsers whose own version counts for more than that behind `Version`.
const SPECIFIC_VERSIONS: &[&str] = &[
    "CriOS",
    "CrMo",
    "Edge",
    "Edg",
    "EdgA",
    "EdgiOS",
    "FxiOS",
    "HeadlessChrome",
    "IEMobile",
    "Iron",
    "Opera Mini",
    "OPiOS",
    "OPR",
    "Raven",
    "SamsungBrowser",
    "Silk",
    "UCBrowser",
    "YaBrowser",
];

/// Where derivatives of Firefox without a version of their own have one.
const GECKO_VERSIONS: &[&str] = &["Firefox", "Minefield", "NetFront"];

/// A higher version behind Safari's `Version` is not Safari's.
const LAST_SAFARI: f64 = 45.0;

/// First WebKit build and the Safari it came with, newest first: §14.2 gives 605 as an example, the
/// other builds are those of Safari's releases.
const SAFARI_OF_WEBKIT: &[(f64, u8)] = &[
    (606.0, 12),
    (604.0, 11),
    (602.0, 10),
    (601.0, 9),
    (538.0, 8),
    (537.0, 7),
    (536.0, 6),
    (533.0, 5),
    (526.0, 4),
    (522.0, 3),
    (412.0, 2),
    (85.0, 1),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_version(text: &str, expected: Option<&str>) {
        let browser = Browser::named_in(text).unwrap();
        assert_eq!(version_of(text, browser).as_deref(), expected);
    }

    #[test]
    fn version_is_found_behind_the_more_telling_token() {
        assert_version("Chrome/1.0 Version/2.0 YaBrowser/3.0", Some("3.0"));
        assert_version("Opera/9.80 (X) Presto/2.12 Version/12.16", Some("12.16"));
        assert_version("(compatible; MSIE 8.0; X)", Some("8.0"));
        assert_version("Iceweasel Firefox/3.5", Some("3.5"));
        assert_version("Edge Chrome/64", None);
    }

    #[test]
    fn of_several_telling_tokens_the_leftmost_counts() {
        assert_version("YaBrowser/3.0 CriOS/4.0", Some("3.0"));
    }

    #[test]
    fn version_of_another_word_does_not_count() {
        assert_version("xVivaldi/1 Vivaldi/x Vivaldi-2.1", Some("2.1"));
    }

    #[test]
    fn a_build_number_is_no_version() {
        assert_version("AppleWebKit/537.36 Chrome/537.36", None);
        assert_version("Chrome/537.36 Safari/537.36", None);
        assert_version("AppleWebKit/533.1 Safari/534.1", Some("5.x"));
        assert_version("AppleWebKit/84.1 Safari/84.1", None);
    }

    #[test]
    fn safari_has_the_version_of_its_webkit_when_in_doubt() {
        assert_version(
            "AppleWebKit/605.1.15 Version/16.2 Safari/605.1.15",
            Some("16.2"),
        );
        assert_version(
            "AppleWebKit/605.1.15 Version/45.0 Safari/605.1.15",
            Some("45.0"),
        );
        assert_version(
            "AppleWebKit/605.1.15 Version/45.1 Safari/605.1.15",
            Some("11.x"),
        );
        assert_version("AppleWebKit/603.1 Safari/603.1", Some("10.x"));
        assert_version("AppleWebKit/606.1 Safari/606.1", Some("12.x"));
    }
}
