//! The hardware a user agent names, as far as the browser's name depends on it (§14.2).

use super::matching::{contains, hits, is_word, split_run, whole_word};

/// A product that a user agent names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Device {
    /// iPhone, iPad or iPod.
    Apple,
    PlayStation,
    /// What WebKit browsers on Android write between the system and `)`.
    AndroidModel,
}

impl Device {
    pub(super) fn from_text(text: &str) -> Option<Self> {
        if APPLE_PRODUCTS.iter().any(|name| contains(text, name)) {
            return Some(Self::Apple);
        }
        if whole_word(text, "PlayStation").is_some() {
            return Some(Self::PlayStation);
        }
        names_android_model(text).then_some(Self::AndroidModel)
    }
}

const APPLE_PRODUCTS: &[&str] = &["iPhone", "iPad", "iPod"];

/// Whether the text has the form `(Linux; Android 13; SM-S901B) AppleWebKit`. Gecko browsers write
/// `Mobile` or `Tablet` in place of the model.
fn names_android_model(text: &str) -> bool {
    let Some(android) = whole_word(text, "Android") else {
        return false;
    };
    let Some((_, model)) = android.after.split_once(';') else {
        return false;
    };
    hits(model, ") AppleWebKit")
        .next()
        .is_some_and(|hit| !hit.before.trim().is_empty())
}

/// Whether the text names a manufacturer of §14.2.
///
/// The name starts a word, which ends there or goes on to a model number (`LG-M700`, `Nokia8`): the
/// `AppleWebKit` of nearly every browser names no manufacturer.
pub(super) fn names_manufacturer(text: &str) -> bool {
    MANUFACTURERS.iter().any(|name| {
        hits(text, name).any(|hit| {
            let (rest_of_word, _) = split_run(hit.after, is_word);
            let has_number = rest_of_word.contains(|c: char| c.is_ascii_digit());
            hit.starts_word() && (rest_of_word.is_empty() || has_number)
        })
    })
}

/// Google is not among them: its devices run a genuine Chrome.
#[rustfmt::skip]
const MANUFACTURERS: &[&str] = &[
    "Apple", "Alcatel", "Archos", "Amazon", "Asus", "BlackBerry", "HP", "HTC", "Huawei", "Lenovo", "LG",
    "Microsoft", "Motorola", "Nintendo", "Nokia", "Oppo", "Samsung", "Sony", "Xiaomi",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_told_apart() {
        assert_eq!(Device::from_text("(iPod touch)"), Some(Device::Apple));
        assert_eq!(
            Device::from_text("(PlayStation 5)"),
            Some(Device::PlayStation)
        );
        assert_eq!(Device::from_text("(X11; Linux)"), None);
    }

    #[test]
    fn android_model_is_a_webkit_thing() {
        let model = Some(Device::AndroidModel);
        assert_eq!(
            Device::from_text("(Linux; Android 9; Foo 2) AppleWebKit/1"),
            model
        );
        assert_eq!(
            Device::from_text("(Linux; Android 9; ) AppleWebKit/1"),
            None
        );
        assert_eq!(Device::from_text("(Linux; Android 9) AppleWebKit/1"), None);
        assert_eq!(Device::from_text("(Android 9; Mobile; rv:1) Gecko/1"), None);
    }

    #[test]
    fn manufacturer_is_a_word_or_starts_a_model_number() {
        assert!(names_manufacturer("(Android 9; LG-M700)"));
        assert!(names_manufacturer("(Android 9; nokia8)"));
        assert!(!names_manufacturer("(Android 9; K) AppleWebKit/537.36"));
        assert!(!names_manufacturer("(Android 9; xLG)"));
    }
}
