//! Name, version and operating system of a browser (§14.2).
//!
//! Where §14.2 leaves room:
//!
//! * the model that WebKit browsers on Android name is a recognised product, so Edge on an Android
//!   phone is no `Microsoft Edge Mobile`;
//! * Android without a recognised browser, and Safari on it, are the `Android Browser`; a PlayStation
//!   without a recognised browser has the `PlayStation Browser`;
//! * a manufacturer makes Chrome the `Android Browser` on Android only;
//! * Firefox on KaiOS is no disguise, though `KAIOS/2.5` follows it.

use super::device::{Device, names_manufacturer};
use super::info::Parts;
use super::known_browsers::{Browser, SAFARI};
use super::matching::{contains, dotted_number, hits, whole_word};
use super::os;
use super::version::{leading_number, version_after, version_of};

pub(super) fn parts(text: &str) -> Parts {
    let browser = Browser::named_in(text);
    let device = Device::from_text(text);
    let os = match device {
        Some(Device::Apple) => Some(os::ios(text)),
        _ => os::from_text(text, browser.map_or(&[], |browser| browser.tokens)),
    };
    let agent = Agent {
        text,
        browser,
        device,
        os: os.as_deref().unwrap_or_default(),
    };
    let (name, version) = agent.name_and_version().unzip();
    let version = version.flatten();
    let is_64_bit = agent.is_64_bit_chrome_of_os_x(name.as_deref(), version.as_deref());
    Parts {
        name,
        version,
        os: os.map(|os| if is_64_bit { os + " 64-bit" } else { os }),
    }
}

/// A user agent and what is already known about it.
struct Agent<'t> {
    text: &'t str,
    browser: Option<&'static Browser>,
    device: Option<Device>,
    /// Empty if not recognised.
    os: &'t str,
}

impl Agent<'_> {
    fn name_and_version(&self) -> Option<(String, Option<String>)> {
        if let Some(version) = self.disguised_internet_explorer() {
            return Some(("IE".to_owned(), Some(version.to_owned())));
        }
        if self.is_android_browser() {
            let version = version_after(self.text, &["Version"]);
            return Some(("Android Browser".to_owned(), version.map(str::to_owned)));
        }
        let Some(browser) = self.plausible_browser() else {
            return match self.device? {
                Device::Apple => Some((SAFARI.name.to_owned(), version_of(self.text, &SAFARI))),
                Device::PlayStation => Some(("PlayStation Browser".to_owned(), None)),
                Device::AndroidModel => None,
            };
        };
        let mut name = browser.name.to_owned();
        if self.is_mobile_variant(browser.name) {
            name.push_str(" Mobile");
        }
        Some((name, version_of(self.text, browser)))
    }

    /// The version of an Internet Explorer that does not call itself so.
    fn disguised_internet_explorer(&self) -> Option<&str> {
        if self.browser.is_some_and(|browser| browser.name == "IE") {
            return None;
        }
        whole_word(self.text, "Trident")?;
        hits(self.text, "rv:").find_map(|hit| dotted_number(hit.after))
    }

    /// Whether this is the browser or web view of an Android system, not one installed by itself.
    fn is_android_browser(&self) -> bool {
        if !self.is_on("Android") {
            return false;
        }
        match self.plausible_browser() {
            None => true,
            Some(browser) if browser.name == SAFARI.name => true,
            Some(browser) if browser.name.contains("Chrome") => {
                contains(self.text, "Version/")
                    || names_manufacturer(self.text) && !contains(self.text, "Mobile Safari")
            }
            Some(_) => false,
        }
    }

    /// The named browser, unless it is a Firefox or Safari that only serves as disguise: followed by
    /// further products, with no device or system to vouch for it.
    fn plausible_browser(&self) -> Option<&'static Browser> {
        self.browser.filter(|browser| {
            let may_be_disguise = matches!(browser.name, "Firefox" | "Safari");
            !may_be_disguise || self.is_vouched_for() || !has_products_after(self.text, browser)
        })
    }

    /// Firefox on KaiOS is followed by `KAIOS/2.5`.
    fn is_vouched_for(&self) -> bool {
        self.device.is_some() || self.is_on("KaiOS")
    }

    fn is_mobile_variant(&self, name: &str) -> bool {
        if name == "Firefox" && (self.is_on("Android") || self.is_on("KaiOS")) {
            return true;
        }
        let has_no_kind = !name.contains("Browser") && !name.contains("Mobi");
        contains(self.text, "Mobi")
            && (matches!(name, "Chrome" | "IE" | "Opera") || self.device.is_none() && has_no_kind)
    }

    /// Chrome does not tell on the Mac, where it has been a 64-bit program since version 39.
    fn is_64_bit_chrome_of_os_x(&self, name: Option<&str>, version: Option<&str>) -> bool {
        self.is_on("OS X")
            && !self.os.ends_with(" 64-bit")
            && name == Some("Chrome")
            && version.and_then(leading_number) >= Some(39.0)
    }

    fn is_on(&self, system: &str) -> bool {
        self.os.starts_with(system)
    }
}

fn has_products_after(text: &str, browser: &Browser) -> bool {
    browser
        .tokens
        .iter()
        .filter_map(|token| whole_word(text, token)?.after.strip_prefix('/'))
        .any(|own_version_and_rest| own_version_and_rest.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINUX: &str = "Mozilla/5.0 (X11; Linux) AppleWebKit/537.36 (KHTML, like Gecko)";
    const PHONE: &str = "Mozilla/5.0 (Linux; Android 9; K2) AppleWebKit/537.36 (KHTML, like Gecko)";
    const TABLET: &str =
        "Mozilla/5.0 (Linux; Android 9; LG-T1) AppleWebKit/537.36 (KHTML, like Gecko)";
    const MAC: &str =
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)";
    const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 15_0 like Mac OS X) \
                          AppleWebKit/605.1.15 (KHTML, like Gecko)";

    #[track_caller]
    fn assert_name(user_agent: &str, name_and_version: &str) {
        let parts = parts(user_agent);
        let name = parts.name.as_deref().unwrap_or("null");
        let version = parts.version.as_deref().unwrap_or("null");
        assert_eq!(format!("{name} {version}"), name_and_version);
    }

    #[test]
    fn the_first_browser_of_the_table_wins() {
        assert_name("Chrome/1.0 Safari/2.0 Vivaldi/3.0", "Vivaldi 3.0");
        assert_name("Chrome/1.0 Safari/2.0", "Chrome 1.0");
        assert_name("HeadlessChrome/1.0 Safari/2.0", "Chrome 1.0");
    }

    #[test]
    fn a_browser_of_ios_is_safari_unless_it_says_otherwise() {
        assert_name(IPHONE, "Safari 11.x");
        assert_name(
            &format!("{IPHONE} FxiOS/7.0 Mobile/1 Safari/2"),
            "Firefox for iOS 7.0",
        );
    }

    #[test]
    fn internet_explorer_11_goes_by_its_engine() {
        assert_name(
            "(Windows NT 10.0; Trident/7.0; rv:11.0) like Gecko",
            "IE 11.0",
        );
        assert_name("(MSIE 10.0; Windows NT 6.2; Trident/6.0; rv:9)", "IE 10.0");
        assert_name(
            "(Windows NT 6.1; Trident/7.0; rv:11.0; Maxthon/2.0)",
            "IE 11.0",
        );
        assert_name("(Windows NT 6.1; Trident/7.0; Maxthon/2.0)", "Maxthon 2.0");
    }

    #[test]
    fn chrome_of_a_tablet_maker_is_the_android_browser() {
        assert_name(
            &format!("{TABLET} Chrome/9.0 Safari/1"),
            "Android Browser null",
        );
        assert_name(
            &format!("{TABLET} Chrome/9.0 Mobile Safari/1"),
            "Chrome Mobile 9.0",
        );
        assert_name(&format!("{PHONE} Chrome/9.0 Safari/1"), "Chrome 9.0");
        assert_name("(X11; Linux; LG-T1) Chrome/9.0 Safari/1", "Chrome 9.0");
    }

    #[test]
    fn a_web_view_is_the_android_browser() {
        assert_name(
            &format!("{PHONE} Version/4.0 Chrome/74.0 Mobile Safari/1"),
            "Android Browser 4.0",
        );
        assert_name(
            &format!("{LINUX} Version/4.0 Chrome/74.0 Safari/1"),
            "Chrome 4.0",
        );
    }

    #[test]
    fn android_without_another_browser_has_the_android_browser() {
        assert_name(
            "Dalvik/2.1.0 (Linux; U; Android 11; X)",
            "Android Browser null",
        );
        assert_name(
            &format!("{PHONE} Version/4.0 Mobile Safari/1"),
            "Android Browser 4.0",
        );
    }

    #[test]
    fn firefox_on_android_and_kaios_is_mobile() {
        assert_name(
            "(Android 13; Tablet; rv:1) Gecko/1 Firefox/1.0",
            "Firefox Mobile 1.0",
        );
        assert_name(
            "(Mobile; rv:48.0) Gecko/48.0 Firefox/48.0 KAIOS/2.5",
            "Firefox Mobile 48.0",
        );
        assert_name(
            "(KAIOS; rv:48.0) Gecko/48.0 Firefox/48.0",
            "Firefox Mobile 48.0",
        );
        assert_name("(X11; Linux; rv:1) Gecko/1 Firefox/1.0", "Firefox 1.0");
    }

    #[test]
    fn names_that_do_not_tell_are_marked_mobile() {
        assert_name(
            &format!("{PHONE} Chrome/9.0 Mobile Safari/1"),
            "Chrome Mobile 9.0",
        );
        assert_name(
            &format!("{PHONE} Chrome/9 Mobile Safari/1 OPR/8.0"),
            "Opera Mobile 8.0",
        );
        assert_name(
            &format!("{PHONE} Chrome/9 Mobile Safari/1 EdgA/8.0"),
            "Microsoft Edge 8.0",
        );
        assert_name("(X; Mobile) Fennec/8.0", "Fennec Mobile 8.0");
        assert_name("(X; Mobile) YaBrowser/8.0", "Yandex Browser 8.0");
    }

    #[test]
    fn firefox_or_safari_before_other_products_is_a_disguise() {
        assert_name(
            &format!("{MAC} Version/16.5 Safari/605.1.15 Foo/1"),
            "null null",
        );
        assert_name(
            &format!("{IPHONE} Version/16.5 Safari/605.1.15 Foo/1"),
            "Safari 16.5",
        );
        assert_name(
            "(PlayStation 4) AppleWebKit/605.1 Version/9.0 Safari/605.1 Foo/1",
            "Safari 9.0",
        );
        assert_name("Gecko/1 Firefox/3.6 (Foo 1)", "Firefox 3.6");
        assert_name("Chrome/3.6 Foo/1", "Chrome 3.6");
    }

    #[test]
    fn only_chrome_is_assumed_to_be_64_bit_on_a_mac() {
        let os = |products: &str| parts(&format!("{MAC} {products}")).os.unwrap();
        assert_eq!(os("Chrome/39.0 Safari/1"), "OS X 10.15.7 64-bit");
        assert_eq!(os("Chrome/38.9 Safari/1"), "OS X 10.15.7");
        assert_eq!(os("Chrome/39.0 Safari/1 Edg/39"), "OS X 10.15.7");
        assert_eq!(os("Chrome Safari/1"), "OS X 10.15.7");
    }
}
