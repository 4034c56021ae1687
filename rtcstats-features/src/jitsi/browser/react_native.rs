//! The user agent of React Native clients: `react-native/0.68.2 (iOS 15.5)` (§1.3, §14.2).

use super::info::Parts;

pub(super) fn is_react_native(user_agent: &str) -> bool {
    user_agent.starts_with("react-native")
}

/// The version stands between the first `/` and the blank before the first `(`, the operating system
/// between the first `(` and the first `)`.
///
/// Where one of these is missing or they come in another order the result is odd, but the one that
/// consumers of these records know: a missing character stands before the first one, and the two ends
/// of a range may be swapped (`react-native/1.0` has version `react-native/`).
pub(super) fn parts(user_agent: &str) -> Parts {
    let after = |delimiter| user_agent.find(delimiter).map_or(0, |at| at + 1);
    let version_end = user_agent
        .find('(')
        .map_or(0, |at| start_of_previous(user_agent, at));
    let os_end = user_agent.find(')').unwrap_or(0);
    Parts {
        name: Some("ReactNative".to_owned()),
        version: Some(between(user_agent, after('/'), version_end)),
        os: Some(between(user_agent, after('('), os_end)),
    }
}

/// Where the character before `at` starts.
fn start_of_previous(text: &str, at: usize) -> usize {
    text.get(..at)
        .and_then(|before| before.char_indices().next_back())
        .map_or(0, |(start, _)| start)
}

fn between(text: &str, one: usize, other: usize) -> String {
    text.get(one.min(other)..one.max(other))
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version_and_os(user_agent: &str) -> (String, String) {
        let parts = parts(user_agent);
        (parts.version.unwrap(), parts.os.unwrap())
    }

    #[track_caller]
    fn assert_parts(user_agent: &str, version: &str, os: &str) {
        let (found_version, found_os) = version_and_os(user_agent);
        assert_eq!((found_version.as_str(), found_os.as_str()), (version, os));
    }

    #[test]
    fn version_and_os_are_read() {
        assert_parts("react-native/0.71.0 (Android 13)", "0.71.0", "Android 13");
    }

    #[test]
    fn only_the_first_delimiters_count() {
        assert_parts("react-native/1/2 (a (b) c)", "1/2", "a (b");
    }

    #[test]
    fn missing_delimiters_stand_before_the_text() {
        assert_parts("react-native", "", "");
        assert_parts("react-native/2.1", "react-native/", "");
        assert_parts("react-native (x)", "react-native", "x");
        assert_parts("react-native/2 (x", "2", "react-native/2 (");
    }

    #[test]
    fn swapped_delimiters_swap_the_range() {
        assert_parts("react-native )x(", "react-native )", ")x(");
    }

    #[test]
    fn any_character_may_stand_for_the_blank() {
        assert_parts("react-native/2é(x)", "2", "x");
    }
}
