//! How the messages of a log are found, from its last one on.
//!
//! The messages of all logs are in one stream, and its servers find a message at once by its sequence
//! number, but search for the next one of a log among those of all others. So each message says where
//! those before it are, in lists of limited length: a list begins with a message whose own list was
//! full. A log of `n` messages is found with `n` / [`LONGEST`] looks.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

/// How many messages a list names. Less makes for more looks, more for longer headers.
const LONGEST: usize = 32;

/// The sequence numbers of the messages before a message of a log, in order, from one on whose own
/// chain goes on with those before it. Empty for the first message of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Chain(Vec<u64>);

/// What should be a chain is none.
#[derive(Debug, thiserror::Error)]
pub(super) enum ChainError {
    #[error("a list of messages is not one of rising numbers")]
    Text,
    #[error("a list of messages names some that do not come before")]
    Order,
}

impl Chain {
    /// That of the message after the one at `sequence`, which has this one.
    pub(super) fn followed_by(&self, sequence: u64) -> Self {
        let before = if self.0.len() < LONGEST {
            self.0.as_slice()
        } else {
            &[]
        };
        Self(before.iter().copied().chain([sequence]).collect())
    }
}

/// The first number, and then how much more each next one is, as most of those have few digits.
impl fmt::Display for Chain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = 0;
        for &sequence in &self.0 {
            let gap = if before == 0 { "" } else { " " };
            write!(formatter, "{gap}{}", sequence.saturating_sub(before))?;
            before = sequence;
        }
        Ok(())
    }
}

impl FromStr for Chain {
    type Err = ChainError;

    fn from_str(text: &str) -> Result<Self, ChainError> {
        let mut sequences = Vec::new();
        let mut before = 0_u64;
        for more in text.split_ascii_whitespace() {
            let more: NonZeroU64 = more.parse().map_err(|_| ChainError::Text)?;
            before = before.checked_add(more.get()).ok_or(ChainError::Text)?;
            sequences.push(before);
            if sequences.len() > LONGEST {
                return Err(ChainError::Text);
            }
        }
        Ok(Self(sequences))
    }
}

/// Finds all messages of a log, from the last one to the first. Holds eight bytes for each.
#[derive(Debug)]
pub(super) struct Walk {
    /// The last one first.
    found: Vec<u64>,
    earliest: u64,
}

impl Walk {
    pub(super) fn new(last: u64) -> Self {
        Self {
            found: vec![last],
            earliest: last,
        }
    }

    /// Takes the chain of the earliest message that was found, and tells the one whose chain is wanted
    /// next; none at the first message of the log.
    pub(super) fn follow(&mut self, chain: &Chain) -> Result<Option<u64>, ChainError> {
        let (Some(first), Some(last)) = (chain.0.first(), chain.0.last()) else {
            return Ok(None);
        };
        // So it comes to an end, whatever the chains say.
        if *last >= self.earliest {
            return Err(ChainError::Order);
        }
        self.found.extend(chain.0.iter().rev());
        self.earliest = *first;
        Ok(Some(self.earliest))
    }

    /// What was found, in order.
    pub(super) fn sequences(mut self) -> Vec<u64> {
        self.found.reverse();
        self.found
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// A log in a stream, and a writer that forgets all it knows when another takes over.
    #[derive(Default)]
    struct Stream {
        messages: BTreeMap<u64, String>,
        sequence: u64,
        known: Option<(u64, Chain)>,
    }

    impl Stream {
        fn append(&mut self, others: u64) {
            let chain = match &self.known {
                Some((last, chain)) => chain.followed_by(*last),
                None => Chain::default(),
            };
            self.sequence += 1 + others;
            self.messages.insert(self.sequence, chain.to_string());
            self.known = Some((self.sequence, chain));
        }

        fn take_over(&mut self) {
            let last = self.messages.last_key_value();
            self.known = last.map(|(sequence, text)| (*sequence, text.parse().unwrap()));
        }

        /// What is found from a message on, and how many other ones had to be looked at.
        fn walk(&self, last: u64) -> (Vec<u64>, usize) {
            let mut walk = Walk::new(last);
            let (mut next, mut looks) = (last, 0);
            while let Some(earliest) = walk.follow(&self.messages[&next].parse().unwrap()).unwrap()
            {
                next = earliest;
                looks += 1;
            }
            (walk.sequences(), looks)
        }
    }

    proptest! {
        #[test]
        fn all_messages_are_found_from_each_one_whoever_wrote_them(
            steps in prop::collection::vec((0_u64..2_000, prop::bool::weighted(0.1)), 1..300),
        ) {
            let mut stream = Stream::default();
            for (others, is_taken_over) in steps {
                if is_taken_over {
                    stream.take_over();
                }
                stream.append(others);
            }
            let all: Vec<u64> = stream.messages.keys().copied().collect();
            for (index, &last) in all.iter().enumerate() {
                let (found, looks) = stream.walk(last);
                prop_assert_eq!(&found, &all[..=index]);
                prop_assert_eq!(looks, index.div_ceil(LONGEST));
            }
        }

        #[test]
        fn headers_stay_short(gaps in prop::collection::vec(1..=u64::MAX / 64, 0..100)) {
            let (mut chain, mut sequence) = (Chain::default(), 0);
            for gap in gaps {
                sequence += gap.min((u64::MAX - sequence) / 2);
                chain = chain.followed_by(sequence);
                let text = chain.to_string();
                prop_assert!(text.len() <= LONGEST * 21, "{}", text);
                prop_assert_eq!(text.parse::<Chain>().unwrap(), chain.clone());
            }
        }
    }

    #[test]
    fn what_is_no_list_of_rising_numbers_is_refused() {
        let too_many = "1 ".repeat(LONGEST + 1);
        let too_much = format!("{} 1", u64::MAX);
        for text in ["0", "1 0", "-1", "x", "1,2", &too_many, &too_much] {
            assert!(text.parse::<Chain>().is_err(), "{text}");
        }
        assert_eq!("".parse::<Chain>().unwrap(), Chain::default());
    }

    #[test]
    fn a_chain_that_leads_onwards_or_in_circles_is_refused() {
        for text in ["7", "8", "3 4", "3 5"] {
            let chain: Chain = text.parse().unwrap();
            assert!(Walk::new(7).follow(&chain).is_err(), "{text}");
        }
        let mut walk = Walk::new(7);
        let chain: Chain = "3 2".parse().unwrap();
        assert_eq!(walk.follow(&chain).unwrap(), Some(3));
        assert!(walk.follow(&chain).is_err());
    }
}
