//! The description of a browser that goes into features and records (§14.2).

use serde::Serialize;

use super::{examined, platform, react_native};

/// A browser as its user agent describes it (§14.2).
///
/// Serialized in camel case, the form of the `browserInfo` member of the features. Absent parts have
/// a stand-in here, but read `null` in the combined names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct BrowserInfo {
    /// Such as `Chrome Mobile`; `unknown` if no browser is recognised.
    pub name: String,
    /// Such as `114.0.5735.99`; `-1` if there is none.
    pub version: String,
    /// Operating system and its version, such as `Windows 10 64-bit`; `null` if none is recognised.
    pub os: String,
    /// The `User-Agent` header, whole.
    pub user_agent: String,
    /// `name/version`.
    pub name_version: String,
    /// `name/os`.
    pub name_os: String,
    /// `name/version/os`.
    pub name_version_os: String,
    /// The version up to its first dot; absent if there is no version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub major_version: Option<String>,
}

impl BrowserInfo {
    /// The browser with this `User-Agent` header; none for an empty header. Only the first 1024
    /// characters are looked at.
    ///
    /// ```
    /// use rtcstats_features::jitsi::BrowserInfo;
    ///
    /// let info = BrowserInfo::from_user_agent("react-native/0.68.2 (iOS 15.5)");
    /// assert_eq!(info.map(|info| info.name_os).as_deref(), Some("ReactNative/iOS 15.5"));
    /// ```
    pub fn from_user_agent(user_agent: &str) -> Option<Self> {
        if user_agent.is_empty() {
            return None;
        }
        let text = examined(user_agent);
        let parts = if react_native::is_react_native(text) {
            react_native::parts(text)
        } else {
            platform::parts(text)
        };
        Some(Self::from_parts(user_agent, parts))
    }

    fn from_parts(user_agent: &str, parts: Parts) -> Self {
        let name = parts.name.as_deref().unwrap_or("null");
        let version = parts.version.as_deref().unwrap_or("null");
        let os = parts.os.unwrap_or_else(|| "null".to_owned());
        let known_version = parts.version.as_deref().filter(|v| !v.is_empty());
        Self {
            name_version: format!("{name}/{version}"),
            name_os: format!("{name}/{os}"),
            name_version_os: format!("{name}/{version}/{os}"),
            name: parts.name.as_deref().unwrap_or("unknown").to_owned(),
            version: known_version.unwrap_or("-1").to_owned(),
            major_version: known_version
                .and_then(|v| v.split('.').next())
                .map(str::to_owned),
            os,
            user_agent: user_agent.to_owned(),
        }
    }
}

/// What was found in a user agent.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) name: Option<String>,
    pub(super) version: Option<String>,
    pub(super) os: Option<String>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{EXAMINED_CHARS, StatsFormat};
    use super::*;

    fn info(user_agent: &str) -> BrowserInfo {
        BrowserInfo::from_user_agent(user_agent).unwrap()
    }

    #[test]
    fn empty_user_agent_has_no_info() {
        assert_eq!(BrowserInfo::from_user_agent(""), None);
    }

    #[test]
    fn absent_parts_read_null_in_combined_names() {
        let info = info("nothing known");
        assert_eq!(info.name, "unknown");
        assert_eq!(info.version, "-1");
        assert_eq!(info.os, "null");
        assert_eq!(info.name_version_os, "null/null/null");
        assert_eq!(info.major_version, None);
    }

    #[test]
    fn empty_parts_stay_empty_in_combined_names() {
        let info = info("react-native");
        assert_eq!(info.version, "-1");
        assert_eq!(info.name_version_os, "ReactNative//");
        assert_eq!(info.major_version, None);
    }

    #[test]
    fn serialized_in_camel_case_without_absent_members() {
        let json = serde_json::to_value(info("react-native/7.1 (X 2)")).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "name": "ReactNative",
                "version": "7.1",
                "os": "X 2",
                "userAgent": "react-native/7.1 (X 2)",
                "nameVersion": "ReactNative/7.1",
                "nameOs": "ReactNative/X 2",
                "nameVersionOs": "ReactNative/7.1/X 2",
                "majorVersion": "7",
            })
        );
        let json = serde_json::to_value(info("nothing known")).unwrap();
        assert_eq!(json.get("majorVersion"), None);
    }

    #[test]
    fn what_follows_the_examined_part_changes_nothing() {
        let filler = "é".repeat(EXAMINED_CHARS - "Chrome/7 ".len());
        for tail in ["", " Edg/8", &" OPR/9 coc_coc".repeat(80_000)] {
            let user_agent = format!("Chrome/7 {filler}{tail}");
            let format = StatsFormat::from_user_agent(&user_agent);
            let info = info(&user_agent);
            assert_eq!(format, StatsFormat::ChromeStandard);
            assert_eq!(info.name_version_os, "Chrome/7/null");
            assert_eq!(info.user_agent, user_agent);
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(user_agent in any::<String>()) {
            StatsFormat::from_user_agent(&user_agent);
            prop_assert_eq!(BrowserInfo::from_user_agent(&user_agent).is_none(), user_agent.is_empty());
        }

        #[test]
        fn no_mixture_of_tokens_panics(
            tokens in prop::collection::vec(
                prop_oneof![
                    prop::sample::select(TOKENS.to_vec()).prop_map(str::to_owned),
                    "[/.;:() _0-9-]{1,3}",
                    any::<char>().prop_map(String::from),
                ],
                1..40,
            ),
        ) {
            let user_agent = tokens.concat();
            StatsFormat::from_user_agent(&user_agent);
            prop_assert_eq!(info(&user_agent).user_agent, user_agent);
        }
    }

    const TOKENS: &[&str] = &[
        "react-native",
        "Chrome",
        "Chromium",
        "Safari",
        "Version",
        "AppleWebKit",
        "Firefox",
        "Edg",
        "Android",
        "Mac OS X",
        "Windows NT ",
        "CrOS",
        "x86_64",
        "iPhone",
        " OS ",
        "Trident",
        "rv:",
        "Mobi",
        "Lenovo",
        "PlayStation",
        "like Gecko",
        "coc_coc",
        "Electron",
        "K-Meleon",
    ];
}
