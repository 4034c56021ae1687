//! Whether there are colours, and which.

use std::ffi::OsString;
use std::fmt::Display;

use clap::{ColorChoice, ValueEnum};
use console::Style;

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// On terminals, unless NO_COLOR is set.
    Auto,
    /// In any case.
    Always,
    /// Not at all.
    Never,
}

impl When {
    /// What `--color` says, before the arguments are understood; `auto` unless it says otherwise.
    pub(crate) fn from_raw_arguments(arguments: impl Iterator<Item = OsString>) -> Self {
        let mut when = Self::Auto;
        let mut is_value = false;
        for argument in arguments {
            let argument = argument.to_string_lossy();
            if argument == "--" {
                break;
            }
            let value = match argument.strip_prefix("--color=") {
                Some(value) => Some(value),
                None => is_value.then_some(argument.as_ref()),
            };
            if let Some(value) = value.and_then(|value| Self::from_str(value, false).ok()) {
                when = value;
            }
            is_value = argument == "--color";
        }
        when
    }
}

impl From<When> for ColorChoice {
    fn from(when: When) -> Self {
        match when {
            When::Auto => Self::Auto,
            When::Always => Self::Always,
            When::Never => Self::Never,
        }
    }
}

/// Sets it for standard output.
pub(crate) fn set(when: When) {
    let has_colors = match when {
        When::Auto => {
            let is_unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            console::user_attended() && !is_unwanted
        }
        When::Always => true,
        When::Never => false,
    };
    console::set_colors_enabled(has_colors);
}

/// Whether standard output has colours.
pub(crate) fn is_on() -> bool {
    console::colors_enabled()
}

/// What a text is, of which its colour depends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// A heading.
    Title,
    /// What is beside the point, such as times.
    Aside,
    /// A name that stands out.
    Name,
    /// What differs, or is bad.
    Bad,
}

/// The text in the colour of its role, if there are colours.
pub(crate) fn paint(role: Role, text: impl Display) -> String {
    let style = match role {
        Role::Title => Style::new().bold(),
        Role::Aside => Style::new().dim(),
        Role::Name => Style::new().cyan(),
        Role::Bad => Style::new().red().bold(),
    };
    style.apply_to(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_known_before_the_arguments_are() {
        let when = |arguments: &[&str]| {
            When::from_raw_arguments(arguments.iter().map(|argument| OsString::from(*argument)))
        };
        assert_eq!(when(&["rtcstats", "--color", "never", "plot"]), When::Never);
        assert_eq!(when(&["rtcstats", "plot", "--color=always"]), When::Always);
        assert_eq!(when(&["rtcstats", "plot", "--color=pink"]), When::Auto);
        assert_eq!(when(&["rtcstats", "--", "--color=never"]), When::Auto);
    }
}
