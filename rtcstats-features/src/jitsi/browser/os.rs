//! The operating system a user agent names (§14.2).

use super::matching::{
    Hit, contains, dotted_number, hits, is_word, split_run, strip_prefix, whole_word,
};

/// The operating system with its version, such as `Windows 10 64-bit`, without the ` 64-bit` that
/// depends on the browser.
///
/// `browser_tokens` are cut out: some systems stand directly before the browser (`Ubuntu Chromium/80`).
pub(super) fn from_text(text: &str, browser_tokens: &[&str]) -> Option<String> {
    let (label, details) = SYSTEMS.iter().find_map(|(token, label)| {
        let hit = hits(text, token).find(Hit::starts_word)?;
        Some((*label, details(hit.after)))
    })?;
    let details = without_words(details, browser_tokens);
    let is_64_bit = is_64_bit(text);
    let details = if is_64_bit {
        without_words(&details, WORDS_OF_64_BIT)
    } else {
        details
    };
    let mut os = clean(label, &details);
    if is_64_bit {
        os.push_str(" 64-bit");
    }
    Some(os)
}

/// iOS with its version, from `CPU iPhone OS 16_5 like Mac OS X` or `CPU OS 16_5 like Mac OS X`.
pub(super) fn ios(text: &str) -> String {
    let version = hits(text, " OS ").find_map(|hit| {
        let (number, _) = split_run(hit.after, |c| c.is_ascii_digit() || c == '_' || c == '.');
        number
            .starts_with(|c: char| c.is_ascii_digit())
            .then(|| number.replace('_', "."))
    });
    version.map_or_else(|| "iOS".to_owned(), |version| format!("iOS {version}"))
}

/// Token in the user agent and what the system is called, in the order of §14.2.
const SYSTEMS: &[(&str, &str)] = &[
    ("Windows Phone", "Windows Phone"),
    ("KaiOS", "KaiOS"),
    ("Android", "Android"),
    ("CentOS", "CentOS"),
    ("CrOS", CHROME_OS),
    ("Debian", "Debian"),
    ("DragonFly BSD", "DragonFly BSD"),
    ("Fedora", "Fedora"),
    ("FreeBSD", "FreeBSD"),
    ("Gentoo", "Gentoo"),
    ("Haiku", "Haiku"),
    ("Kubuntu", "Kubuntu"),
    ("Linux Mint", "Linux Mint"),
    ("OpenBSD", "OpenBSD"),
    ("Red Hat", "Red Hat"),
    ("SuSE", "SuSE"),
    ("Ubuntu", "Ubuntu"),
    ("Xubuntu", "Xubuntu"),
    ("Cygwin", "Cygwin"),
    ("Symbian OS", "Symbian OS"),
    ("hpwOS", "hpwOS"),
    ("webOS", "webOS"),
    ("Tablet OS", "Tablet OS"),
    ("Tizen", "Tizen"),
    ("Linux", "Linux"),
    ("Mac OS X", "OS X"),
    ("Macintosh", "Mac OS"),
    ("Mac", "Mac"),
    ("Windows", WINDOWS),
];

const CHROME_OS: &str = "Chrome OS";
const WINDOWS: &str = "Windows";

/// What directly follows the token: a slash and a number, or else blanks, words and dots.
fn details(after_token: &str) -> &str {
    after_token
        .strip_prefix('/')
        .and_then(dotted_number)
        .unwrap_or_else(|| split_run(after_token, |c| c == ' ' || c == '.' || is_word(c)).0)
}

fn is_64_bit(text: &str) -> bool {
    let any_word = WORDS_OF_64_BIT
        .iter()
        .any(|word| whole_word(text, word).is_some());
    any_word && !contains(text, "i686")
}

const WORDS_OF_64_BIT: &[&str] = &["AMD64", "IA64", "Win64", "WOW64", "x86_64", "x64"];

fn without_words(text: &str, words: &[&str]) -> String {
    words.iter().fold(text.to_owned(), |text, word| {
        whole_word(&text, word)
            .map(|hit| format!("{} {}", hit.before.trim_end(), hit.after.trim_start()))
            .unwrap_or(text)
    })
}

fn clean(label: &str, details: &str) -> String {
    let details = details.trim();
    let details = match label {
        CHROME_OS => without_trailing_version(details),
        WINDOWS => windows_release(details).unwrap_or(details),
        _ => details,
    };
    // `x86_64` is the one word whose underscore is not a dot of a version.
    let details = details.replace('_', ".").replace("x86.64", "x86_64");
    format!("{label} {details}").trim_end().to_owned()
}

/// Chrome OS is followed by architecture and version; the architecture stays.
fn without_trailing_version(details: &str) -> &str {
    let is_version = |word: &str| dotted_number(word).is_some_and(|v| v.len() == word.len());
    match details.rsplit_once(' ') {
        Some((architecture, version)) if is_version(version) => architecture.trim_end(),
        None if is_version(details) => "",
        _ => details,
    }
}

fn windows_release(details: &str) -> Option<&'static str> {
    let number = strip_prefix(details, "NT ")?;
    WINDOWS_NT_RELEASES
        .iter()
        .find_map(|(nt, release)| (*nt == number).then_some(*release))
}

/// Windows NT version and the release sold under it.
const WINDOWS_NT_RELEASES: &[(&str, &str)] = &[
    ("10.0", "10"),
    ("6.4", "10 Technical Preview"),
    ("6.3", "8.1"),
    ("6.2", "8"),
    ("6.1", "Server 2008 R2 / 7"),
    ("6.0", "Server 2008 / Vista"),
    ("5.2", "Server 2003 / XP 64-bit"),
    ("5.1", "XP"),
    ("5.0", "2000"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_os(text: &str, os: &str) {
        assert_eq!(from_text(text, &["Chromium"]).as_deref(), Some(os));
    }

    #[test]
    fn the_first_system_of_the_table_wins() {
        assert_os("(Linux; Android 12; X)", "Android 12");
        assert_os("(Macintosh; Intel Mac OS X 10_15_7)", "OS X 10.15.7");
        assert_os(
            "(Windows; Windows Phone 10.0; Android 4)",
            "Windows Phone 10.0",
        );
        assert_eq!(from_text("(BeOS)", &[]), None);
    }

    #[test]
    fn a_system_starts_a_word() {
        assert_os("(openSUSE; Linux)", "Linux");
    }

    #[test]
    fn systems_are_called_by_their_own_name() {
        assert_os("(macintosh)", "Mac OS");
        assert_os("(LINUX)", "Linux");
    }

    #[test]
    fn a_version_after_a_slash_is_kept() {
        assert_os("Ubuntu/10.04 (lucid)", "Ubuntu 10.04");
        assert_os("(Linux/SmartTV)", "Linux");
    }

    #[test]
    fn windows_releases_are_named() {
        assert_os("(Windows NT 10.0)", "Windows 10");
        assert_os("(Windows NT 6.0)", "Windows Server 2008 / Vista");
        assert_os("(Windows NT 4.0)", "Windows NT 4.0");
        assert_os("(Windows 98)", "Windows 98");
    }

    #[test]
    fn chrome_os_keeps_its_architecture() {
        assert_os("(X11; CrOS armv7l 13597.84.0)", "Chrome OS armv7l");
        assert_os("(X11; CrOS x86_64 13597.84.0)", "Chrome OS 64-bit");
    }

    #[test]
    fn words_of_64_bit_are_replaced() {
        assert_os("(X11; Linux x86_64)", "Linux 64-bit");
        assert_os("(X11; OpenBSD amd64 7.1)", "OpenBSD 7.1 64-bit");
        assert_os("(Windows NT 10.0; Win64; x64)", "Windows 10 64-bit");
        assert_os("(Windows NT 10.0; ARM64)", "Windows 10");
    }

    #[test]
    fn a_32_bit_program_on_a_64_bit_system_is_32_bit() {
        assert_os("(X11; Linux i686 on x86_64)", "Linux i686 on x86_64");
    }

    #[test]
    fn the_browser_is_cut_out() {
        assert_os("Ubuntu Chromium/80", "Ubuntu");
        assert_os("Debian Chromium 80", "Debian 80");
    }

    #[test]
    fn ios_version_has_dots() {
        assert_eq!(
            ios("(iPhone; CPU iPhone OS 15_0_1 like Mac OS X)"),
            "iOS 15.0.1"
        );
        assert_eq!(ios("(iPad; CPU OS 9 like Mac OS X)"), "iOS 9");
        assert_eq!(ios("(iPad; like Mac OS X)"), "iOS");
    }
}
