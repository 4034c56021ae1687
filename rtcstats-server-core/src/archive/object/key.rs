//! Keys of dumps, made of their names and read back.

use crate::DumpName;

const NAME: &str = "{name}";
const SESSION: &str = "{session}";
const SHARD: &str = "{shard}";

/// How keys are made.
#[derive(Debug)]
pub(super) struct KeyTemplate {
    text: String,
    /// What is around the name in the last segment.
    before: String,
    after: String,
}

/// No key can be made like this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum KeyTemplateError {
    #[error(
        "{{name}} must occur once in a key, in its last segment and nothing else in braces there"
    )]
    Name,
    #[error("a key has a character that is not allowed at byte {0}")]
    Character(usize),
    #[error("a key has an empty segment, or one that is . or ..")]
    Segment,
}

impl KeyTemplate {
    pub(super) fn new(text: &str) -> Result<Self, KeyTemplateError> {
        let last = text.rsplit_once('/').map_or(text, |(_, last)| last);
        let Some((before, after)) = last.split_once(NAME) else {
            return Err(KeyTemplateError::Name);
        };
        if text.matches(NAME).count() != 1 || before.contains('{') || after.contains('{') {
            return Err(KeyTemplateError::Name);
        }
        check_characters(text)?;
        let is_segment = |segment: &str| !matches!(segment, "" | "." | "..");
        if !text.split('/').all(is_segment) {
            return Err(KeyTemplateError::Segment);
        }
        Ok(Self {
            before: before.to_owned(),
            after: after.to_owned(),
            text: text.to_owned(),
        })
    }

    pub(super) fn expand(&self, name: &DumpName) -> String {
        let session = name.session_id().as_str();
        let shard = format!("{:02x}", crc32fast::hash(session.as_bytes()) >> 24);
        self.text
            .replace(NAME, &name.to_string())
            .replace(SESSION, session)
            .replace(SHARD, &shard)
    }

    /// The name that a key was made of; `None` if it is the key of something else.
    pub(super) fn parse(&self, key: &str) -> Option<DumpName> {
        let last = key.rsplit_once('/').map_or(key, |(_, last)| last);
        let name = last.strip_prefix(&self.before)?.strip_suffix(&self.after)?;
        let name = name.parse().ok()?;
        (self.expand(&name) == key).then_some(name)
    }
}

fn check_characters(text: &str) -> Result<(), KeyTemplateError> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-=/".contains(&byte);
    let mut rest = text;
    loop {
        let known = [NAME, SESSION, SHARD];
        if let Some(next) = known.iter().find_map(|place| rest.strip_prefix(place)) {
            rest = next;
            continue;
        }
        let mut bytes = rest.bytes();
        match bytes.next() {
            None => return Ok(()),
            Some(byte) if is_allowed(byte) => rest = rest.get(1..).unwrap_or_default(),
            Some(_) => return Err(KeyTemplateError::Character(text.len() - rest.len())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_back_to_its_name_and_to_no_other() {
        for text in [
            "{name}.gz",
            "{shard}/{name}",
            "a=b/{session}/dump-{name}.jsonl.gz",
        ] {
            let template = KeyTemplate::new(text).unwrap();
            for name in [
                "a",
                "call_7_0",
                "a_1",
                "7c9e6679-7425-40de-944b-e07fc1f90ae7",
            ] {
                let name: DumpName = name.parse().unwrap();
                let key = template.expand(&name);
                assert_eq!(template.parse(&key), Some(name), "{key}");
                for other in [format!("x/{key}"), format!("{key}x"), format!("x{key}")] {
                    assert_ne!(
                        template.parse(&other).map(|name| template.expand(&name)),
                        Some(key.clone())
                    );
                }
            }
        }
        let template = KeyTemplate::new("{shard}/{name}.gz").unwrap();
        assert_eq!(template.expand(&"a".parse().unwrap()), "e8/a.gz");
        assert_eq!(template.parse("e9/a.gz"), None);
        assert_eq!(template.parse("e8/.gz"), None);
    }

    #[test]
    fn a_key_that_cannot_be_found_by_name_is_refused() {
        for (text, error) in [
            ("dump.gz", KeyTemplateError::Name),
            ("{name}/{name}.gz", KeyTemplateError::Name),
            ("{name}/dump.gz", KeyTemplateError::Name),
            ("{name}{session}", KeyTemplateError::Name),
            ("{date}/{name}.gz", KeyTemplateError::Character(0)),
            ("a b/{name}.gz", KeyTemplateError::Character(1)),
            ("../{name}.gz", KeyTemplateError::Segment),
            ("/{name}.gz", KeyTemplateError::Segment),
        ] {
            assert_eq!(KeyTemplate::new(text).unwrap_err(), error, "{text}");
        }
    }
}
