//! Finding tokens in a user agent, without regard to ASCII case.

/// One place where a token was found, and the text around it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hit<'t> {
    pub(super) before: &'t str,
    pub(super) after: &'t str,
}

impl Hit<'_> {
    /// Whether the token stands as a word of its own.
    pub(super) fn is_whole_word(&self) -> bool {
        self.starts_word() && self.ends_word()
    }

    pub(super) fn starts_word(&self) -> bool {
        !self.before.ends_with(is_word)
    }

    pub(super) fn ends_word(&self) -> bool {
        !self.after.starts_with(is_word)
    }
}

/// Which two characters follow each other in a text, so that most tokens that are not in it need no
/// search.
pub(super) struct Pairs([u64; 16]);

impl Pairs {
    pub(super) fn of(text: &str) -> Self {
        let mut pairs = Self([0; 16]);
        let bytes = text.as_bytes();
        for (first, second) in bytes.iter().zip(bytes.iter().skip(1)) {
            let (word, bit) = Self::place(*first, *second);
            if let Some(word) = pairs.0.get_mut(word) {
                *word |= bit;
            }
        }
        pairs
    }

    /// Whether the text may contain the token.
    pub(super) fn may_have(&self, token: &str) -> bool {
        let [first, second, ..] = token.as_bytes() else {
            return true;
        };
        let (word, bit) = Self::place(*first, *second);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }

    /// Five bits of each character tell letters apart, whatever their case.
    fn place(first: u8, second: u8) -> (usize, u64) {
        let pair = usize::from(first % 32) * 32 + usize::from(second % 32);
        (pair / 64, 1 << (pair % 64))
    }
}

/// Every place of `token`, which is not empty, in `text`, from left to right.
pub(super) fn hits<'t>(text: &'t str, token: &str) -> impl Iterator<Item = Hit<'t>> {
    let first = token.bytes().next().unwrap_or_default();
    let (lower, upper) = (first.to_ascii_lowercase(), first.to_ascii_uppercase());
    memchr::memchr2_iter(lower, upper, text.as_bytes()).filter_map(move |start| {
        let (before, rest) = text.split_at_checked(start)?;
        let (found, after) = rest.split_at_checked(token.len())?;
        found
            .eq_ignore_ascii_case(token)
            .then_some(Hit { before, after })
    })
}

pub(super) fn contains(text: &str, token: &str) -> bool {
    hits(text, token).next().is_some()
}

pub(super) fn whole_word<'t>(text: &'t str, word: &str) -> Option<Hit<'t>> {
    hits(text, word).find(Hit::is_whole_word)
}

pub(super) fn strip_prefix<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// The longest start of `text` whose characters all satisfy `wanted`, and the rest.
pub(super) fn split_run(text: &str, wanted: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !wanted(c)).unwrap_or(text.len());
    text.split_at(end)
}

/// A word character: ASCII only, so `é` ends a word.
pub(super) fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// A number with dots at the start of `text`, such as `114.0.5735.99`.
pub(super) fn dotted_number(text: &str) -> Option<&str> {
    let (number, _) = split_run(text, |c| c.is_ascii_digit() || c == '.');
    number
        .starts_with(|c: char| c.is_ascii_digit())
        .then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_found_whatever_their_case() {
        let hit = hits("a CHROME/1", "Chrome").next().unwrap();
        assert_eq!((hit.before, hit.after), ("a ", "/1"));
    }

    #[test]
    fn part_of_a_word_is_no_whole_word() {
        assert!(whole_word("HeadlessChrome/1", "Chrome").is_none());
        assert!(whole_word("Chromes Chrome_", "Chrome").is_none());
        assert_eq!(
            whole_word("Chromes Chrome/2", "Chrome").unwrap().after,
            "/2"
        );
    }

    #[test]
    fn tokens_are_found_between_multi_byte_characters() {
        assert_eq!(whole_word("éEdg🦀", "edg").unwrap().after, "🦀");
        assert!(!contains("🦀", "edg"));
    }

    #[test]
    fn a_dotted_number_starts_with_a_digit() {
        assert_eq!(dotted_number("16.5b"), Some("16.5"));
        assert_eq!(dotted_number(".5"), None);
        assert_eq!(dotted_number(""), None);
    }
}
