//! What a session's `User-Agent` says: the shape of its getStats reports and the browser's name,
//! version and operating system (§14).
//!
//! The rules are tables of tokens, tried in the order of the specification. Tokens are compared
//! without regard to ASCII case unless a rule says otherwise.

mod device;
mod info;
mod known_browsers;
mod matching;
mod os;
mod platform;
mod react_native;
mod stats_format;
mod version;

pub use info::BrowserInfo;
pub use stats_format::StatsFormat;

/// How much of a user agent is looked at. Browsers send 60 to 250 characters, in-app browsers up to
/// about 500; the header of an upgrade request is the sender's to choose, so the work is bounded.
const EXAMINED_CHARS: usize = 1024;

/// The part of a user agent the rules are applied to.
fn examined(user_agent: &str) -> &str {
    user_agent
        .char_indices()
        .nth(EXAMINED_CHARS)
        .and_then(|(end, _)| user_agent.get(..end))
        .unwrap_or(user_agent)
}
