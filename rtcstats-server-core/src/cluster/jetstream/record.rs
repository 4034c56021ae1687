//! What the messages of a log say besides their bytes.

use async_nats::HeaderMap;

use super::chain::Chain;

const KIND: &str = "Rtcstats-Kind";
const OFFSET: &str = "Rtcstats-Offset";
const END: &str = "Rtcstats-End";
const WHOLE: &str = "Rtcstats-Whole";
const OWNER: &str = "Rtcstats-Owner";
const BEFORE: &str = "Rtcstats-Before";

const FOLLOWS: &str = "Rtcstats-Follows";

/// Notes which message of its log a message follows, by its sequence number; 0 for none.
pub(super) fn follow(headers: &mut HeaderMap, sequence: u64) {
    headers.insert(FOLLOWS, sequence.to_string());
}

/// Which message of its log a message follows; 0 for none.
pub(super) fn followed(headers: &HeaderMap) -> u64 {
    let number = headers.get(FOLLOWS).map(|value| value.as_str().parse());
    number.and_then(Result::ok).unwrap_or_default()
}

/// What a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// More bytes.
    Lines,
    /// A node has taken the log over. What its owner before it had on its way comes too late.
    Claim,
    /// Nothing follows.
    Finish,
}

/// The headers of a message of a log. Its last message tells all there is to know of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) kind: Kind,
    /// Where in the log the bytes of this message begin. Where it is less than what came before, a line
    /// was torn there, and its beginning is void.
    pub(super) offset: u64,
    /// Where they end.
    pub(super) end: u64,
    /// How much of the log is whole lines, with this message.
    pub(super) whole: u64,
    /// The process that wrote it.
    pub(super) owner: String,
    /// Where those before it are.
    pub(super) before: Chain,
}

/// The headers are not those of a message of a log.
#[derive(Debug, thiserror::Error)]
#[error("a message of a log lacks the header {0}")]
pub(super) struct RecordError(&'static str);

impl Record {
    pub(super) fn to_headers(&self) -> HeaderMap {
        let kind = match self.kind {
            Kind::Lines => "lines",
            Kind::Claim => "claim",
            Kind::Finish => "finish",
        };
        let mut headers = HeaderMap::new();
        headers.insert(KIND, kind);
        headers.insert(OFFSET, self.offset.to_string());
        headers.insert(END, self.end.to_string());
        headers.insert(WHOLE, self.whole.to_string());
        headers.insert(OWNER, self.owner.as_str());
        headers.insert(BEFORE, self.before.to_string());
        headers
    }

    pub(super) fn from_headers(headers: &HeaderMap) -> Result<Self, RecordError> {
        let text = |name: &'static str| {
            let value = headers.get(name).ok_or(RecordError(name))?;
            Ok(value.as_str())
        };
        let number = |name: &'static str| text(name)?.parse::<u64>().map_err(|_| RecordError(name));
        let kind = match text(KIND)? {
            "lines" => Kind::Lines,
            "claim" => Kind::Claim,
            "finish" => Kind::Finish,
            _ => return Err(RecordError(KIND)),
        };
        Ok(Self {
            kind,
            offset: number(OFFSET)?,
            end: number(END)?,
            whole: number(WHOLE)?,
            owner: text(OWNER)?.to_owned(),
            before: text(BEFORE)?.parse().map_err(|_| RecordError(BEFORE))?,
        })
    }
}

/// Splits lines into payloads of at most `limit` bytes, at the ends of lines where that is possible.
/// Each comes with whether it ends a line.
pub(super) fn payloads(mut lines: bytes::Bytes, limit: usize) -> Vec<(bytes::Bytes, bool)> {
    let limit = limit.max(1);
    let mut payloads = Vec::new();
    while lines.len() > limit {
        let end_of_line = lines
            .get(..limit)
            .and_then(|head| memchr::memrchr(b'\n', head));
        let length = end_of_line.map_or(limit, |end| end + 1);
        payloads.push((lines.split_to(length), end_of_line.is_some()));
    }
    if !lines.is_empty() {
        payloads.push((lines, true));
    }
    payloads
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn headers_are_read_back() {
        for kind in [Kind::Lines, Kind::Claim, Kind::Finish] {
            let record = Record {
                kind,
                offset: 7,
                end: 9,
                whole: 8,
                owner: "a-1".to_owned(),
                before: Chain::default().followed_by(3).followed_by(7),
            };
            assert_eq!(Record::from_headers(&record.to_headers()).unwrap(), record);
        }
        assert!(Record::from_headers(&HeaderMap::new()).is_err());
    }

    proptest! {
        #[test]
        fn payloads_are_small_and_end_at_lines_where_they_can(
            lines in "([a]{0,9}\n){0,9}", limit in 1_usize..12,
        ) {
            let payloads = payloads(lines.clone().into(), limit);
            let mut joined = Vec::new();
            for (payload, ends_line) in payloads {
                prop_assert!(!payload.is_empty() && payload.len() <= limit);
                prop_assert_eq!(payload.ends_with(b"\n"), ends_line);
                // Only a line that is longer than the limit is split.
                let begins_line = joined.is_empty() || joined.ends_with(b"\n");
                prop_assert!(ends_line || begins_line || payload.len() == limit);
                joined.extend_from_slice(&payload);
            }
            prop_assert_eq!(joined, lines.as_bytes());
        }
    }
}
