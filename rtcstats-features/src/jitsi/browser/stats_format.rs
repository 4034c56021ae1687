//! Which shape of getStats reports a browser sends (§14.1).

use StatsFormat::{ChromeStandard, Firefox, Safari, Unsupported};
use serde::Serialize;

use super::examined;
use super::matching::{Pairs, hits, is_word, split_run, strip_prefix};
use super::react_native;

/// How a browser's getStats reports are shaped, told from its user agent (§14.1).
///
/// Serialized in the spelling of the `statsFormat` member of a dump's first line (§9.1).
/// The format always follows from the user agent: a value stored in a dump is not consulted (§11.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StatsFormat {
    /// `chrome_standard`: Chrome and what is built on it (Edge, Electron), and React Native.
    ChromeStandard,
    /// `firefox`: Firefox on every platform, including the WebKit-based one of iOS.
    Firefox,
    /// `safari`: Safari and other WebKit browsers that name Safari and no more specific browser.
    Safari,
    /// `unsupported`: no browser, or one whose reports are not understood.
    Unsupported,
}

impl StatsFormat {
    /// The format of the browser with this `User-Agent` header. An empty one is
    /// [`Unsupported`](Self::Unsupported); only the first 1024 characters are looked at.
    ///
    /// ```
    /// use rtcstats_features::jitsi::StatsFormat;
    ///
    /// let user_agent = "Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/114.0";
    /// assert_eq!(StatsFormat::from_user_agent(user_agent), StatsFormat::Firefox);
    /// ```
    pub fn from_user_agent(user_agent: &str) -> Self {
        let text = examined(user_agent);
        if react_native::is_react_native(text) {
            return Self::ChromeStandard;
        }
        let pairs = Pairs::of(text);
        RULES
            .iter()
            .find_map(|rule| rule.apply(text, &pairs))
            .unwrap_or(Self::Unsupported)
    }

    /// The name used on the wire and in dumps, such as `chrome_standard`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ChromeStandard => "chrome_standard",
            Self::Firefox => "firefox",
            Self::Safari => "safari",
            Self::Unsupported => "unsupported",
        }
    }
}

/// Patterns that name one kind of browser, and the format this kind has.
///
/// In a pattern `#` is a version (letters, digits, `_`, `.`; at least one), `…` is any text or none,
/// `<` is the start of a word, `$` the end of the text; everything else is itself in any case.
struct Rule {
    any_of: &'static [&'static str],
    /// How the browser's name has to be spelled for the rule's format; with another spelling the
    /// browser is recognised all the same, but unsupported.
    spelled: Option<&'static str>,
    format: StatsFormat,
}

impl Rule {
    const fn new(any_of: &'static [&'static str], format: StatsFormat) -> Self {
        Self {
            any_of,
            spelled: None,
            format,
        }
    }

    const fn spelled(self, name: &'static str) -> Self {
        Self {
            spelled: Some(name),
            ..self
        }
    }

    fn apply(&self, text: &str, pairs: &Pairs) -> Option<StatsFormat> {
        let mut patterns = self.any_of.iter().filter(|p| pairs.may_have(beginning(p)));
        let found = patterns.find_map(|p| find_pattern(text, p))?;
        match self.spelled {
            Some(name) if !found.starts_with(name) => Some(Unsupported),
            _ => Some(self.format),
        }
    }
}

/// The list of §14.1, in its order: the first rule that matches decides.
///
/// Where the list leaves room: `line/` counts directly after `safari` or directly before `/iab`;
/// the lists it ends in "…" and "etc." have only the members it names.
#[rustfmt::skip]
const RULES: &[Rule] = &[
    // 1, 2, 3
    Rule::new(&["<crios/#", "<crmo/#"], ChromeStandard),
    Rule::new(&["edg/#", "edge/#", "edgios/#", "edga/#"], ChromeStandard),
    Rule::new(&["opera", "opios", "opr/#"], Unsupported),
    // 4
    Rule::new(&["kindle/#", "lunascape", "maxthon", "netfront", "jasmine", "blazer"], Unsupported),
    Rule::new(&["avant", "iemobile", "slimbrowser", "baidubrowser", "msie"], Unsupported),
    Rule::new(&["flock/#", "rockmelt/#", "midori/#", "epiphany/#", "silk/#", "skyfire/#"], Unsupported),
    Rule::new(&["bolt/#", "iron/#", "vivaldi/#", "iridium/#", "phantomjs/#", "bowser/#"], Unsupported),
    Rule::new(&["quark/#", "qupzilla/#", "falkon/#", "rekonq/#", "puffin/#", "brave/#"], Unsupported),
    Rule::new(&["whale/#", "qqbrowserlite/#", "qq/#", "duckduckgo/#", "heytapbrowser/#"], Unsupported),
    Rule::new(&["ovibrowser/#", "weibo__", "ucbrowser", "micromessenger/#", "konqueror/#"], Unsupported),
    Rule::new(&["trident…rv:…like gecko"], Unsupported),
    Rule::new(&["yabrowser/#", "yasearchbrowser/#", "avast/#", "avg/#"], Unsupported),
    // 5
    Rule::new(&["focus/#"], Firefox),
    Rule::new(&["opt/#", "coc_coc/#", "coc_coc#/#", "dolfin/#", "coast/#", "miuibrowser/#"], Unsupported),
    Rule::new(&["fxios/#"], Firefox),
    // 6
    Rule::new(&["qihu", "360browser", "oculusbrowser/#", "samsungbrowser/#"], Unsupported),
    Rule::new(&["sailfishbrowser/#", "huaweibrowser/#", "comodo_dragon/#"], Unsupported),
    // 7
    Rule::new(&["electron/# safari"], ChromeStandard).spelled("Electron"),
    // 8
    Rule::new(&["tesla", "qqbrowser", "baiduboxapp", "2345explorer", "metasr", "lbbrowser"], Unsupported),
    Rule::new(&["[linkedinapp]", "fban/fbios", "fb_iab/fb4a", ";fbav/#"], Unsupported),
    Rule::new(&["kakaotalk", "kakaostory", "naver(", "safari line/#", "<line/#/iab"], Unsupported),
    Rule::new(&["chromium/#", "instagram", "snapchat", "gsa/#…safari/#", "musical_ly"], Unsupported),
    // 9, 10, 11, 12
    Rule::new(&["headlesschrome"], ChromeStandard),
    Rule::new(&[" wv)…chrome/#"], ChromeStandard),
    Rule::new(&["droid… version/#…safari"], Unsupported),
    Rule::new(&["chrome/#"], ChromeStandard).spelled("Chrome"),
    // 13; its first form, with `mobile/x` before `safari`, is a case of the second
    Rule::new(&["version/#…safari", "webkit…safari/#"], Safari),
    // 14
    Rule::new(&["webkit/#", "khtml/#", "navigator/#", "netscape/#"], Unsupported),
    Rule::new(&["mobile vr; rv:…firefox"], Firefox),
    Rule::new(&["swiftfox", "icedragon", "iceweasel", "camino", "fennec", "klar"], Unsupported),
    Rule::new(&["seamonkey/#$", "waterfox/#$", "palemoon/#$", "basilisk/#$"], Unsupported),
    Rule::new(&["icecat/#$", "k-meleon/#$"], Unsupported),
    // 15
    Rule::new(&["firefox/#"], Firefox).spelled("Firefox"),
];

/// What a text that matches `pattern` contains in any case.
fn beginning(pattern: &str) -> &str {
    let pattern = pattern.strip_prefix('<').unwrap_or(pattern);
    match pattern.as_bytes() {
        // A version, or nothing, may follow.
        [_, b'#' | b'$' | 0x80.., ..] => "",
        _ => pattern,
    }
}

/// The text from where `pattern` first matches.
fn find_pattern<'t>(text: &'t str, pattern: &str) -> Option<&'t str> {
    let mut parts = pattern.split('…');
    let (found, mut rest) = find_part(text, parts.next()?)?;
    for part in parts {
        (_, rest) = find_part(rest, part)?;
    }
    Some(found)
}

/// The text from where a pattern without `…` first matches, and the text after the match.
fn find_part<'t>(text: &'t str, part: &str) -> Option<(&'t str, &'t str)> {
    let (starts_word, part) = part.strip_prefix('<').map_or((false, part), |p| (true, p));
    let (ends_text, part) = part.strip_suffix('$').map_or((false, part), |p| (true, p));
    let (first, more) = part
        .split_once('#')
        .map_or((part, None), |(f, m)| (f, Some(m)));
    hits(text, first)
        .filter(|hit| !starts_word || hit.starts_word())
        .find_map(|hit| {
            let rest = match more {
                Some(more) => after_versions(hit.after, more)?,
                None => hit.after,
            };
            (!ends_text || rest.is_empty()).then(|| (text.get(hit.before.len()..), rest))
        })
        .and_then(|(found, rest)| Some((found?, rest)))
}

/// The text after a version and what follows a `#`, if `text` starts so.
fn after_versions<'t>(text: &'t str, after_version: &str) -> Option<&'t str> {
    let mut rest = text;
    for literal in after_version.split('#') {
        let (version, after) = split_run(rest, |c| is_word(c) || c == '.');
        if version.is_empty() {
            return None;
        }
        rest = strip_prefix(after, literal)?;
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(user_agent: &str) -> &'static str {
        StatsFormat::from_user_agent(user_agent).as_str()
    }

    #[test]
    fn serialized_as_it_is_named() {
        for format in [ChromeStandard, Firefox, Safari, Unsupported] {
            let json = serde_json::to_string(&format).unwrap();
            assert_eq!(json, format!("\"{}\"", format.as_str()));
        }
    }

    #[test]
    fn empty_user_agent_is_unsupported() {
        assert_eq!(format(""), "unsupported");
    }

    #[test]
    fn a_product_needs_a_version() {
        assert_eq!(format("Chrome/1"), "chrome_standard");
        assert_eq!(format("Chrome/"), "unsupported");
        assert_eq!(format("Chrome/ 1"), "unsupported");
        assert_eq!(format("Chrome"), "unsupported");
    }

    #[test]
    fn an_earlier_rule_beats_an_earlier_place_in_the_text() {
        assert_eq!(format("Chrome/1 Safari/2 OPR/3"), "unsupported");
        assert_eq!(format("Chrome/1 Safari/2 Edg/3 OPR/3"), "chrome_standard");
        assert_eq!(format("Firefox/1 Chrome/1"), "chrome_standard");
    }

    #[test]
    fn only_some_names_must_be_spelled_right() {
        assert_eq!(format("chrome/1"), "unsupported");
        assert_eq!(format("firefox/1"), "unsupported");
        assert_eq!(format("ELECTRON/1 Safari/1"), "unsupported");
        assert_eq!(format("fxIOS/1"), "firefox");
        assert_eq!(format("EDG/1"), "chrome_standard");
    }

    #[test]
    fn chrome_of_ios_starts_a_word() {
        assert_eq!(format("CriOS/1"), "chrome_standard");
        assert_eq!(format("xCriOS/1"), "unsupported");
    }

    #[test]
    fn electron_counts_directly_before_safari() {
        assert_eq!(format("Electron/1 Safari/1"), "chrome_standard");
        assert_eq!(format("Electron/1 Foo/1 Safari/1"), "unsupported");
        assert_eq!(
            format("electron/1 Foo/2 Electron/1.4 Safari/1"),
            "chrome_standard"
        );
    }

    #[test]
    fn the_parts_of_a_pattern_come_in_order() {
        assert_eq!(
            format("Firefox/1 Trident/7 rv:11 like Gecko"),
            "unsupported"
        );
        assert_eq!(format("Firefox/1 like Gecko rv:11 Trident/7"), "firefox");
        assert_eq!(format("(x; wv) chrome/1"), "chrome_standard");
        assert_eq!(format("chrome/1 (x; wv)"), "unsupported");
        assert_eq!(format("Android Version/4 Safari/1"), "unsupported");
        assert_eq!(format("Version/4 Safari/1 Android"), "safari");
    }

    #[test]
    fn gecko_derivatives_count_at_the_end() {
        assert_eq!(format("Firefox/60.0 SeaMonkey/2.53"), "unsupported");
        assert_eq!(format("SeaMonkey/2.53 Firefox/60.0"), "firefox");
    }

    #[test]
    fn a_version_may_be_part_of_the_name() {
        assert_eq!(format("coc_coc_browser/1 Chrome/2"), "unsupported");
        assert_eq!(format("coc_coc/1 Chrome/2"), "unsupported");
        assert_eq!(format("coc_coc Chrome/2"), "chrome_standard");
    }

    #[test]
    fn line_is_an_app_after_safari_or_before_iab() {
        assert_eq!(format("WebKit/1 Safari Line/13"), "unsupported");
        assert_eq!(format("Chrome/1 Line/13/IAB"), "unsupported");
        assert_eq!(format("Chrome/1 Safari/2 Online/3"), "chrome_standard");
    }

    #[test]
    fn webkit_without_safari_is_unsupported() {
        assert_eq!(format("AppleWebKit/605.1 Safari/1"), "safari");
        assert_eq!(format("AppleWebKit/605.1 Firefox/1"), "unsupported");
    }

    #[test]
    fn every_pattern_matches_the_text_it_describes() {
        for pattern in RULES.iter().flat_map(|rule| rule.any_of) {
            let text = pattern.replace('#', "1.0").replace(['<', '$'], "");
            assert!(find_pattern(&text, pattern).is_some(), "{pattern}");
            assert!(Pairs::of(&text).may_have(beginning(pattern)), "{pattern}");
        }
    }
}
