//! The browsers that are recognised by name (§14.2).

use super::matching::{Pairs, whole_word};

/// A browser and the words that name it in a user agent.
pub(super) struct Browser {
    pub(super) name: &'static str,
    pub(super) tokens: &'static [&'static str],
}

impl Browser {
    const fn new(name: &'static str, tokens: &'static [&'static str]) -> Self {
        Self { name, tokens }
    }

    /// The first browser of the table that `text` names.
    pub(super) fn named_in(text: &str) -> Option<&'static Self> {
        let pairs = Pairs::of(text);
        let is_named = |token: &&str| pairs.may_have(token) && whole_word(text, token).is_some();
        BROWSERS
            .iter()
            .find(|browser| browser.tokens.iter().any(is_named))
    }
}

pub(super) const SAFARI: Browser = Browser::new("Safari", &["Safari"]);

/// The browsers in the order of §14.2.
const BROWSERS: &[Browser] = &[
    Browser::new("Adobe AIR", &["Adobe AIR"]),
    Browser::new("Arora", &["Arora"]),
    Browser::new("Avant Browser", &["Avant Browser"]),
    Browser::new("Breach", &["Breach"]),
    Browser::new("Camino", &["Camino"]),
    Browser::new("Electron", &["Electron"]),
    Browser::new("Epiphany", &["Epiphany"]),
    Browser::new("Fennec", &["Fennec"]),
    Browser::new("Flock", &["Flock"]),
    Browser::new("Galeon", &["Galeon"]),
    Browser::new("GreenBrowser", &["GreenBrowser"]),
    Browser::new("iCab", &["iCab"]),
    Browser::new("Iceweasel", &["Iceweasel"]),
    Browser::new("K-Meleon", &["K-Meleon"]),
    Browser::new("Konqueror", &["Konqueror"]),
    Browser::new("Lunascape", &["Lunascape"]),
    Browser::new("Maxthon", &["Maxthon"]),
    Browser::new("Microsoft Edge", &["Edge", "Edg", "EdgA", "EdgiOS"]),
    Browser::new("Midori", &["Midori"]),
    Browser::new("Nook Browser", &["Nook Browser"]),
    Browser::new("PaleMoon", &["PaleMoon"]),
    Browser::new("PhantomJS", &["PhantomJS"]),
    Browser::new("Raven", &["Raven"]),
    Browser::new("Rekonq", &["Rekonq"]),
    Browser::new("RockMelt", &["RockMelt"]),
    Browser::new("Samsung Internet", &["SamsungBrowser"]),
    Browser::new("SeaMonkey", &["SeaMonkey"]),
    Browser::new("Silk", &["Cloud9", "Silk-Accelerated"]),
    Browser::new("Sleipnir", &["Sleipnir"]),
    Browser::new("SlimBrowser", &["SlimBrowser"]),
    Browser::new("SRWare Iron", &["Iron"]),
    Browser::new("Sunrise", &["Sunrise"]),
    Browser::new("Swiftfox", &["Swiftfox"]),
    Browser::new("Vivaldi", &["Vivaldi"]),
    Browser::new("Waterfox", &["Waterfox"]),
    Browser::new("WebPositive", &["WebPositive"]),
    Browser::new("Yandex Browser", &["YaBrowser"]),
    Browser::new("UC Browser", &["UCBrowser"]),
    Browser::new("Opera Mini", &["Opera Mini", "OPiOS"]),
    Browser::new("Opera", &["Opera", "OPR"]),
    Browser::new("Chromium", &["Chromium"]),
    Browser::new("Chrome", &["Chrome", "HeadlessChrome"]),
    Browser::new("Chrome Mobile", &["CriOS", "CrMo"]),
    Browser::new("Firefox", &["Firefox", "Minefield"]),
    Browser::new("Firefox for iOS", &["FxiOS"]),
    Browser::new("IE", &["IEMobile", "MSIE"]),
    SAFARI,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_called_by_their_own_name() {
        let name = |text| Browser::named_in(text).map(|browser| browser.name);
        assert_eq!(name("Cloud9/1"), Some("Silk"));
        assert_eq!(name("EdgA/1"), Some("Microsoft Edge"));
        assert_eq!(name("OPiOS/1"), Some("Opera Mini"));
        assert_eq!(name("CrMo/1"), Some("Chrome Mobile"));
        assert_eq!(name("Minefield/1"), Some("Firefox"));
        assert_eq!(name("IEMobile/1"), Some("IE"));
        assert_eq!(name("Lynx/1"), None);
    }

    #[test]
    fn every_browser_is_recognised_by_each_token() {
        for browser in BROWSERS {
            for token in browser.tokens {
                let text = format!("Safari/1 {token}/2");
                assert_eq!(Browser::named_in(&text).unwrap().name, browser.name);
            }
        }
    }
}
